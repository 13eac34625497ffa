// The random numbers of Python's training: torch's generator (Mersenne Twister, Matsumoto and
// Nishimura, 1998), and numpy's SeedSequence that gives each round and purpose a stream of its own.

class TorchRandom {
  constructor(seed) { // a BigInt, or a number
    this.state = new Uint32Array(624);
    this.state[0] = Number(BigInt(seed) & 0xffffffffn);
    for (let i = 1; i < 624; i++) {
      const before = this.state[i - 1];
      this.state[i] = Math.imul(before ^ (before >>> 30), 1812433253) + i;
    }
    this.at = 624;
  }

  refill() {
    const state = this.state;
    for (let i = 0; i < 624; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      state[i] = state[(i + 397) % 624] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  word() { // 32 bits
    if (this.at === 624) this.refill();
    let y = this.state[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  uniform() { // a float64 in [0, 1)
    const high = this.word() & 0x1fffff;
    return (high * 2 ** 32 + this.word()) * 2 ** -53;
  }

  permutation(n) { // torch.randperm
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < n - 1; i++) {
      const other = i + (this.word() % (n - i));
      [order[i], order[other]] = [order[other], order[i]];
    }
    return order;
  }

  normal(n, deviation, { log, sin, cos }) { // float64 normal_ of n numbers, a multiple of 16
    const numbers = Float64Array.from({ length: n }, () => this.uniform());
    for (let block = 0; block < n; block += 16)
      for (let i = block; i < block + 8; i++) {
        const radius = Math.sqrt(-2 * log(1 - numbers[i])) * deviation;
        const angle = 2 * Math.PI * numbers[i + 8];
        numbers[i] = radius * cos(angle);
        numbers[i + 8] = radius * sin(angle);
      }
    return numbers;
  }
}

// numpy.random.SeedSequence(entropy).generate_state(1, uint64), for at most four numbers below 2^32
function seedState(entropy) {
  let constant = 0x43b0d7e5;
  const hash = (value) => {
    let x = value ^ constant;
    constant = Math.imul(constant, 0x931e8875);
    x = Math.imul(x, constant);
    return x ^ (x >>> 16);
  };
  const mix = (x, y) => {
    const mixed = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return (mixed | 0) ^ ((mixed | 0) >>> 16);
  };
  const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  constant = 0x8b51f9dd;
  const [low, high] = pool.slice(0, 2).map((value) => {
    let x = value ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    x = Math.imul(x, constant);
    return BigInt((x ^ (x >>> 16)) >>> 0);
  });
  return (high << 32n) | low;
}

// The stream of a round and purpose, as `rng_for` of Python's training has it
const START = 0;
const ORDER = 1;
const randomFor = (seed, round, purpose) =>
  new TorchRandom(seedState([seed, round, purpose]) >> 1n);
