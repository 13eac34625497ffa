// The inner loops of the pocket CLIP on a page, in float64: AssemblyScript, compiled by
//
//     python tools/page_clip.py kernel
//
// Two numbers are computed at a time. A product is rounded before it is added (there is no fused
// multiply-add), and exp, log, sin and cos are compiled in, so every browser gives the same bits.
// clip_kernel.js holds the same functions in plain JavaScript, and says what each is for. Here a
// matrix is the address of its first number, and `rows << 10` is the size of rows of 128 numbers.

const ROW: usize = 1024; // bytes of 128 numbers
const HEAD: usize = 256; // bytes of 32 numbers
const KEYS_VALUES: usize = 2048; // bytes of a key and a value of 128 numbers each
const HEADS: i32 = 4;
const ROOT: f64 = 0.17677669529663688; // 1 / sqrt(32)

@inline
function total(pair: v128): f64 {
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

@inline
function plus(sum: v128, a: v128, b: v128): v128 {
  return f64x2.add(sum, f64x2.mul(a, b));
}

// ---- matrix product

@inline
function put(out: usize, left: v128, right: v128, add: i32): void {
  if (add) {
    left = f64x2.add(v128.load(out), left);
    right = f64x2.add(v128.load(out, 16), right);
  }
  v128.store(out, left);
  v128.store(out, right, 16);
}

@inline
function fourRows(a: usize, b: usize, out: usize, inner: usize, step: usize, add: i32): void {
  let p0 = f64x2.splat(0), q0 = p0, p1 = p0, q1 = p0, p2 = p0, q2 = p0, p3 = p0, q3 = p0;
  const second = inner << 1, third = inner * 3;
  for (const stop = a + inner; a < stop; a += 8, b += 32) {
    const left = v128.load(b), right = v128.load(b, 16);
    let x = v128.load64_splat(a);
    p0 = plus(p0, x, left), q0 = plus(q0, x, right);
    x = v128.load64_splat(a + inner);
    p1 = plus(p1, x, left), q1 = plus(q1, x, right);
    x = v128.load64_splat(a + second);
    p2 = plus(p2, x, left), q2 = plus(q2, x, right);
    x = v128.load64_splat(a + third);
    p3 = plus(p3, x, left), q3 = plus(q3, x, right);
  }
  put(out, p0, q0, add);
  put(out + step, p1, q1, add);
  put(out + (step << 1), p2, q2, add);
  put(out + step * 3, p3, q3, add);
}

@inline
function oneRow(a: usize, b: usize, out: usize, inner: usize, add: i32): void {
  let p = f64x2.splat(0), q = p;
  for (const stop = a + inner; a < stop; a += 8, b += 32) {
    const x = v128.load64_splat(a);
    p = plus(p, x, v128.load(b)), q = plus(q, x, v128.load(b, 16));
  }
  put(out, p, q, add);
}

export function product(
  a: usize, b: usize, out: usize, rows: i32, inner: i32, columns: i32, add: i32,
): void {
  const length = <usize>inner << 3, step = <usize>columns << 3;
  for (let column = 0; column < columns; column += 4) {
    const panel = b + (<usize>column * length);
    let row = 0, x = a, y = out + (<usize>column << 3);
    for (; row + 4 <= rows; row += 4, x += length << 2, y += step << 2)
      fourRows(x, panel, y, length, step, add);
    for (; row < rows; row++, x += length, y += step) oneRow(x, panel, y, length, add);
  }
}

// ---- activation

@inline
function nearCdf(z: f64): f64 { // for |z| < 1
  const s = z * z;
  let p = 9.60497373987051638749;
  p = p * s + 9.00260197203842689217e1;
  p = p * s + 2.23200534594684319226e3;
  p = p * s + 7.00332514112805075473e3;
  p = p * s + 5.55923013010394962768e4;
  let q = s + 3.35617141647503099647e1;
  q = q * s + 5.21357949780152679795e2;
  q = q * s + 4.59432382970980127987e3;
  q = q * s + 2.26290000613890934246e4;
  q = q * s + 4.92673942608635921086e4;
  return 0.5 + 0.5 * z * p / q;
}

@inline
function farTail(z: f64): f64 { // for 1 <= z < 8: what exp(-z * z) is multiplied by
  let p = 2.46196981473530512524e-10;
  p = p * z + 5.64189564831068821977e-1;
  p = p * z + 7.46321056442269912687;
  p = p * z + 4.86371970985681366614e1;
  p = p * z + 1.96520832956077098242e2;
  p = p * z + 5.26445194995477358631e2;
  p = p * z + 9.34528527171957607540e2;
  p = p * z + 1.02755188689515710272e3;
  p = p * z + 5.57535335369399327526e2;
  let q = z + 1.32281951154744992508e1;
  q = q * z + 8.67072140885989742329e1;
  q = q * z + 3.54937778887819891062e2;
  q = q * z + 9.75708501743205489753e2;
  q = q * z + 1.82390916687909736289e3;
  q = q * z + 2.24633760818710981792e3;
  q = q * z + 1.65666309194161350182e3;
  q = q * z + 5.57535340817727675546e2;
  return 0.5 * p / q;
}

export function gelu(x: usize, out: usize, slope: usize, n: i32): void {
  for (const stop = x + (<usize>n << 3); x < stop; x += 8, out += 8, slope += 8) {
    const v = load<f64>(x), z = v * 0.7071067811865476, e = Math.exp(-0.5 * v * v);
    let cdf: f64;
    if (Math.abs(z) < 1) cdf = nearCdf(z);
    else {
      const tail = Math.abs(z) < 8 ? e * farTail(Math.abs(z)) : 0;
      cdf = z < 0 ? tail : 1 - tail;
    }
    store<f64>(out, v * cdf);
    store<f64>(slope, cdf + v * 0.3989422804014327 * e);
  }
}

// ---- layer normalisation of rows of 128

export function normalise(
  x: usize, gain: usize, bias: usize, out: usize, hat: usize, inverse: usize, rows: i32,
): void {
  for (const stop = x + (<usize>rows << 10); x < stop; x += ROW, out += ROW, hat += ROW) {
    let s = f64x2.splat(0), t = s;
    for (let at: usize = 0; at < ROW; at += 32) {
      s = f64x2.add(s, v128.load(x + at)), t = f64x2.add(t, v128.load(x + at, 16));
    }
    const mean = f64x2.splat(total(f64x2.add(s, t)) / 128);
    s = f64x2.splat(0), t = s;
    for (let at: usize = 0; at < ROW; at += 32) {
      const u = f64x2.sub(v128.load(x + at), mean), v = f64x2.sub(v128.load(x + at, 16), mean);
      s = plus(s, u, u), t = plus(t, v, v);
    }
    const root = 1 / Math.sqrt(total(f64x2.add(s, t)) / 128 + 1e-5), both = f64x2.splat(root);
    store<f64>(inverse, root);
    inverse += 8;
    for (let at: usize = 0; at < ROW; at += 16) {
      const h = f64x2.mul(f64x2.sub(v128.load(x + at), mean), both);
      v128.store(hat + at, h);
      v128.store(out + at, plus(v128.load(bias + at), h, v128.load(gain + at)));
    }
  }
}

export function normaliseBack(
  dOut: usize, gain: usize, hat: usize, inverse: usize, dX: usize, rows: i32, add: i32,
): void {
  for (const stop = dOut + (<usize>rows << 10); dOut < stop; dOut += ROW, hat += ROW, dX += ROW) {
    let s = f64x2.splat(0), t = s;
    for (let at: usize = 0; at < ROW; at += 16) {
      const g = f64x2.mul(v128.load(dOut + at), v128.load(gain + at));
      s = f64x2.add(s, g), t = plus(t, g, v128.load(hat + at));
    }
    const mean = f64x2.splat(total(s) / 128), along = f64x2.splat(total(t) / 128);
    const root = f64x2.splat(load<f64>(inverse));
    inverse += 8;
    for (let at: usize = 0; at < ROW; at += 16) {
      const g = f64x2.mul(v128.load(dOut + at), v128.load(gain + at));
      const rest = f64x2.sub(f64x2.sub(g, mean), f64x2.mul(v128.load(hat + at), along));
      let d = f64x2.mul(root, rest);
      if (add) d = f64x2.add(v128.load(dX + at), d);
      v128.store(dX + at, d);
    }
  }
}

// ---- attention: 4 heads of 32

@inline
function dot(a: usize, b: usize): f64 {
  let s = f64x2.splat(0), t = s;
  for (let at: usize = 0; at < HEAD; at += 32) {
    s = plus(s, v128.load(a + at), v128.load(b + at));
    t = plus(t, v128.load(a + at, 16), v128.load(b + at, 16));
  }
  return total(f64x2.add(s, t));
}

@inline
function addTimes(out: usize, factor: f64, a: usize): void {
  const x = f64x2.splat(factor);
  for (let at: usize = 0; at < HEAD; at += 16)
    v128.store(out + at, plus(v128.load(out + at), x, v128.load(a + at)));
}

// of what a row sees, the row at place t
@inline
function seenRow(seen: usize, t: i32): i32 {
  const shared = load<i32>(seen);
  return t < shared ? t : t - shared + load<i32>(seen, 4);
}

@inline
function seenRows(seen: usize): i32 {
  return load<i32>(seen) + load<i32>(seen, 8) - load<i32>(seen, 4);
}

export function attend(
  q: usize, kv: usize, seen: usize, stride: i32, out: usize, weight: usize, rows: i32,
): void {
  for (let row = 0; row < rows; row++, seen += 12) {
    const n = seenRows(seen);
    for (let head = 0; head < HEADS; head++, q += HEAD, out += HEAD, weight += <usize>stride << 3) {
      const keys = kv + (<usize>head * HEAD);
      let top: f64 = -Infinity, sum: f64 = 0;
      for (let t = 0; t < n; t++) {
        const score = ROOT * dot(q, keys + <usize>seenRow(seen, t) * KEYS_VALUES);
        store<f64>(weight + (<usize>t << 3), score);
        top = Math.max(top, score);
      }
      for (let t = 0; t < n; t++) {
        const e = Math.exp(load<f64>(weight + (<usize>t << 3)) - top);
        store<f64>(weight + (<usize>t << 3), e);
        sum += e;
      }
      memory.fill(out, 0, HEAD);
      for (let t = 0; t < n; t++) {
        const share = load<f64>(weight + (<usize>t << 3)) / sum;
        store<f64>(weight + (<usize>t << 3), share);
        addTimes(out, share, keys + <usize>seenRow(seen, t) * KEYS_VALUES + ROW);
      }
    }
  }
}

export function attendBack(
  dOut: usize, q: usize, kv: usize, seen: usize, stride: i32, weight: usize, rows: i32,
  dQ: usize, dKV: usize, learnedQ: i32, learnedKV: i32, room: usize,
): void {
  for (let row = 0; row < rows; row++, seen += 12) {
    const n = seenRows(seen);
    for (let head = 0; head < HEADS; head++, weight += <usize>stride << 3) {
      const at = <usize>head * HEAD;
      let sum: f64 = 0;
      for (let t = 0; t < n; t++) {
        const value = kv + at + <usize>seenRow(seen, t) * KEYS_VALUES + ROW;
        const d = dot(dOut, value);
        store<f64>(room + (<usize>t << 3), d);
        sum += d * load<f64>(weight + (<usize>t << 3));
      }
      if (row < learnedQ) memory.fill(dQ, 0, HEAD);
      for (let t = 0; t < n; t++) {
        const other = seenRow(seen, t), place = at + <usize>other * KEYS_VALUES;
        const share = load<f64>(weight + (<usize>t << 3));
        const d = ROOT * share * (load<f64>(room + (<usize>t << 3)) - sum);
        if (row < learnedQ) addTimes(dQ, d, kv + place);
        if (other < learnedKV) {
          addTimes(dKV + place, d, q);
          addTimes(dKV + place + ROW, share, dOut);
        }
      }
      dOut += HEAD, q += HEAD, dQ += HEAD;
    }
  }
}

// ---- logits

export function cosines(
  images: usize, classes: usize, out: usize, n: i32, nClasses: i32, scale: f64,
): void {
  for (const stop = images + (<usize>n << 10); images < stop; images += ROW) {
    for (let c = 0; c < nClasses; c++, out += 8) {
      const other = classes + (<usize>c << 10);
      let s: f64 = 0;
      for (let at: usize = 0; at < ROW; at += HEAD) s += dot(images + at, other + at);
      store<f64>(out, scale * s);
    }
  }
}

// ---- one exp, log, sin and cos for every browser

export function exp(x: f64): f64 {
  return Math.exp(x);
}

export function log(x: f64): f64 {
  return Math.log(x);
}

export function sin(x: f64): f64 {
  return Math.sin(x);
}

export function cos(x: f64): f64 {
  return Math.cos(x);
}
