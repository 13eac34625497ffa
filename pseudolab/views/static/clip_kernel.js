// The inner loops of the pocket CLIP, twice: in WebAssembly (tools/clip_kernel.ts, 3 times faster)
// and in plain JavaScript, for where there is none. Both are `kernel` objects with the functions of
// `plainKernel`; all numbers are float64. A matrix is a Float64Array, row by row; rows of the model
// have 128 numbers, a key and its value stand side by side in rows of 256, and heads have 32.

const WIDTH = 128;
const HEADS = 4;
const HEAD = WIDTH / HEADS;
const HIDDEN = 512; // of the perceptron
const ROOT = 1 / Math.sqrt(HEAD);
const MEGABYTES = 96; // of memory for weights, features and all that a run needs

// Cephes' rational approximations of the error function, highest power first
const NEAR_UPPER = [
  9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3,
  7.00332514112805075473e3, 5.55923013010394962768e4,
];
const NEAR_LOWER = [
  1, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
  2.26290000613890934246e4, 4.92673942608635921086e4,
];
const FAR_UPPER = [
  2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687,
  4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
  9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2,
];
const FAR_LOWER = [
  1, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
  9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
  1.65666309194161350182e3, 5.57535340817727675546e2,
];

function polynomial(factors, x) {
  let value = 0;
  for (let i = 0; i < factors.length; i++) value = value * x + factors[i];
  return value;
}

// The share of a normal distribution below z * sqrt(2), with e = exp(-z * z) at hand
function normalShare(z, e) {
  const size = Math.abs(z);
  if (size < 1) {
    const square = z * z;
    return 0.5 + (0.5 * z * polynomial(NEAR_UPPER, square)) / polynomial(NEAR_LOWER, square);
  }
  const tail = size < 8 ? (0.5 * e * polynomial(FAR_UPPER, size)) / polynomial(FAR_LOWER, size) : 0;
  return z < 0 ? tail : 1 - tail;
}

// What a row sees, in three numbers of `seen`: rows 0 .. shared - 1, and rows from .. until - 1
const seenRows = (seen, row) => seen[3 * row] + seen[3 * row + 2] - seen[3 * row + 1];
const seenRow = (seen, row, t) =>
  t < seen[3 * row] ? t : t - seen[3 * row] + seen[3 * row + 1];

function dot(a, i, b, j, n) {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a[i + k] * b[j + k];
  return sum;
}

function addTimes(out, i, factor, a, j, n) {
  for (let k = 0; k < n; k++) out[i + k] += factor * a[j + k];
}

// Four numbers of one row of a product, and of two: what is read of b serves both
function oneRow(a, i, b, j, out, at, inner) {
  let p = 0, q = 0, r = 0, s = 0;
  for (const stop = i + inner; i < stop; i++, j += 4) {
    const x = a[i];
    p += x * b[j], q += x * b[j + 1], r += x * b[j + 2], s += x * b[j + 3];
  }
  out[at] += p, out[at + 1] += q, out[at + 2] += r, out[at + 3] += s;
}

function twoRows(a, i, b, j, out, at, inner, columns) {
  let p = 0, q = 0, r = 0, s = 0, t = 0, u = 0, v = 0, w = 0;
  for (const stop = i + inner; i < stop; i++, j += 4) {
    const x = a[i], y = a[i + inner], k = b[j], l = b[j + 1], m = b[j + 2], n = b[j + 3];
    p += x * k, q += x * l, r += x * m, s += x * n;
    t += y * k, u += y * l, v += y * m, w += y * n;
  }
  out[at] += p, out[at + 1] += q, out[at + 2] += r, out[at + 3] += s;
  at += columns;
  out[at] += t, out[at + 1] += u, out[at + 2] += v, out[at + 3] += w;
}

const plainKernel = {
  name: "JavaScript",
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,

  zeros: (n) => new Float64Array(n),
  holds: (array) => array instanceof Float64Array,
  integers: (numbers) => Int32Array.from(numbers),
  mark: () => 0,
  release() {},

  // out (rows, columns) = a (rows, inner) b (inner, columns), added to what is there if `add`;
  // b as `packed` gives it
  product(a, b, out, rows, inner, columns, add) {
    if (!add) out.fill(0, 0, rows * columns);
    for (let column = 0; column < columns; column += 4)
      for (let row = 0; row < rows; row += 2) {
        const from = row * inner, at = row * columns + column;
        if (row + 1 < rows) twoRows(a, from, b, column * inner, out, at, inner, columns);
        else oneRow(a, from, b, column * inner, out, at, inner);
      }
  },

  // out = GELU(x), and its slope
  gelu(x, out, slope, n) {
    for (let i = 0; i < n; i++) {
      const e = Math.exp(-0.5 * x[i] * x[i]), share = normalShare(x[i] * Math.SQRT1_2, e);
      out[i] = x[i] * share;
      slope[i] = share + x[i] * 0.3989422804014327 * e;
    }
  },

  // layer normalisation: `hat` is x without its mean and deviation, `inverse` 1 / deviation
  normalise(x, gain, bias, out, hat, inverse, rows) {
    for (let row = 0, at = 0; row < rows; row++, at += WIDTH) {
      let mean = 0, square = 0;
      for (let i = 0; i < WIDTH; i++) mean += x[at + i] / WIDTH;
      for (let i = 0; i < WIDTH; i++) square += (x[at + i] - mean) ** 2 / WIDTH;
      inverse[row] = 1 / Math.sqrt(square + 1e-5);
      for (let i = 0; i < WIDTH; i++) {
        hat[at + i] = (x[at + i] - mean) * inverse[row];
        out[at + i] = hat[at + i] * gain[i] + bias[i];
      }
    }
  },

  normaliseBack(dOut, gain, hat, inverse, dX, rows, add) {
    for (let row = 0, at = 0; row < rows; row++, at += WIDTH) {
      let mean = 0, along = 0;
      for (let i = 0; i < WIDTH; i++) {
        mean += (dOut[at + i] * gain[i]) / WIDTH;
        along += (dOut[at + i] * gain[i] * hat[at + i]) / WIDTH;
      }
      for (let i = 0; i < WIDTH; i++) {
        const d = inverse[row] * (dOut[at + i] * gain[i] - mean - hat[at + i] * along);
        dX[at + i] = add ? dX[at + i] + d : d;
      }
    }
  },

  // out (rows, 128): what the queries q take from the rows they see; `weight` keeps the softmax,
  // `stride` numbers for each row and head
  attend(q, kv, seen, stride, out, weight, rows) {
    for (let row = 0, at = 0, w = 0; row < rows; row++)
      for (let head = 0; head < HEADS; head++, at += HEAD, w += stride) {
        const n = seenRows(seen, row), keys = head * HEAD;
        let top = -Infinity, sum = 0;
        for (let t = 0; t < n; t++) {
          const key = keys + seenRow(seen, row, t) * 2 * WIDTH;
          weight[w + t] = ROOT * dot(q, at, kv, key, HEAD);
          top = Math.max(top, weight[w + t]);
        }
        for (let t = 0; t < n; t++) sum += weight[w + t] = Math.exp(weight[w + t] - top);
        out.fill(0, at, at + HEAD);
        for (let t = 0; t < n; t++) {
          const value = keys + seenRow(seen, row, t) * 2 * WIDTH + WIDTH;
          weight[w + t] /= sum;
          addTimes(out, at, weight[w + t], kv, value, HEAD);
        }
      }
  },

  // dQ of the rows below `learnedQ`, and, added to what is there, dKV of those below `learnedKV`;
  // `room` has place for `stride` numbers
  attendBack(dOut, q, kv, seen, stride, weight, rows, dQ, dKV, learnedQ, learnedKV, room) {
    for (let row = 0, at = 0, w = 0; row < rows; row++)
      for (let head = 0; head < HEADS; head++, at += HEAD, w += stride) {
        const n = seenRows(seen, row), keys = head * HEAD;
        let sum = 0;
        for (let t = 0; t < n; t++) {
          const value = keys + seenRow(seen, row, t) * 2 * WIDTH + WIDTH;
          room[t] = dot(dOut, at, kv, value, HEAD);
          sum += room[t] * weight[w + t];
        }
        if (row < learnedQ) dQ.fill(0, at, at + HEAD);
        for (let t = 0; t < n; t++) {
          const other = seenRow(seen, row, t), key = keys + other * 2 * WIDTH;
          const d = ROOT * weight[w + t] * (room[t] - sum);
          if (row < learnedQ) addTimes(dQ, at, d, kv, key, HEAD);
          if (other < learnedKV) {
            addTimes(dKV, key, d, q, at, HEAD);
            addTimes(dKV, key + WIDTH, weight[w + t], dOut, at, HEAD);
          }
        }
      }
  },

  // out (n, nClasses) = scale * images (n, 128) classes (nClasses, 128)^T
  cosines(images, classes, out, n, nClasses, scale) {
    for (let i = 0, at = 0; i < n; i++)
      for (let c = 0; c < nClasses; c++, at++)
        out[at] = scale * dot(images, i * WIDTH, classes, c * WIDTH, WIDTH);
  },
};

// The same in WebAssembly. Its arrays lie in one memory, from the bottom up: `release(mark)` gives
// back all that was asked for since that `mark()`.
function wasmKernel(bytes) {
  const memory = new WebAssembly.Memory({ initial: MEGABYTES * 16, maximum: MEGABYTES * 16 });
  const imports = { env: { memory, abort: () => { throw new Error("the kernel stopped"); } } };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  let top = 1 << 16; // below it lie the kernel's own tables
  const reserve = (Kind, n) => {
    const size = (n * Kind.BYTES_PER_ELEMENT + 63) & ~63;
    if (top + size > memory.buffer.byteLength)
      throw new Error(`the page's CLIP has ${MEGABYTES} MB, and they are full: take fewer classes`);
    top += size;
    return new Kind(memory.buffer, top - size, n).fill(0);
  };
  const kernel = {
    name: "WebAssembly",
    zeros: (n) => reserve(Float64Array, n),
    holds: (array) => array instanceof Float64Array && array.buffer === memory.buffer,
    mark: () => top,
    release: (mark) => { top = mark; },
    integers(numbers) {
      const kept = reserve(Int32Array, numbers.length);
      kept.set(numbers);
      return kept;
    },
  };
  // an array is passed as its address
  const plain = (value) => (typeof value === "object" ? value.byteOffset : Number(value));
  for (const name of ["exp", "log", "sin", "cos"]) kernel[name] = exports[name];
  for (const name of Object.keys(plainKernel))
    kernel[name] ??= (...values) => exports[name](...values.map(plain));
  return kernel;
}

// b (inner, columns), given by get(row, column), in panels of four columns, as `product` reads it
function packed(kernel, inner, columns, get) {
  const panels = kernel.zeros(inner * columns);
  let at = 0;
  for (let column = 0; column < columns; column += 4)
    for (let row = 0; row < inner; row++)
      for (let c = column; c < column + 4; c++) panels[at++] = get(row, c);
  return panels;
}

function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

// The kernel of a page: WebAssembly unless it was switched off, or the browser has none with SIMD
function makeKernel(useWasm = true) {
  const bytes = bytesOf(CLIP_WASM);
  const there = typeof WebAssembly === "object" && WebAssembly.validate(bytes);
  return useWasm && there ? wasmKernel(bytes) : plainKernel;
}
