// The pocket CLIP on a page: text tower, image tower, and a learned textual prompt with its exact
// gradient, from the weights that ship with pseudolab, in float64 as in Python.
//
//     const clip = new PocketClip(weights);     // what `weights_data` of Python gives, unpacked
//     clip.readImageTower(tower)                      // the same of `image_tower_data`
//     clip.encodeTexts(["a photo of a forest"])       -> Float64Array (N * 128), unit vectors
//     clip.encodeImages(rgba)                         -> the same, of Uint8 (N * 56 * 56 * 4)
//     clip.logits(images, classes)                    -> Float64Array (N * C)
//     clip.unseenWords(texts)                         -> words that no caption had
//     const prompt = new TextPrompt(clip, classNames, nTokens);
//     prompt.classFeatures(context)                   -> (C * 128); context is (nTokens * 128)
//     prompt.backward(gradient)                       -> of the context, from that of the features

const GRID = 2 ** -20; // frozen features are multiples of it, as in pseudolab.clip.model
const PIXELS = 56;
const PATCH = 8;
const GRID_SIDE = PIXELS / PATCH;
const PATCHES = GRID_SIDE ** 2;
const PATCH_NUMBERS = 3 * PATCH * PATCH;
const IMAGES_AT_ONCE = 8;

// ---- weights

// float16 to float64, exactly
function fromHalf(half) {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const size = exponent
    ? (1 + fraction / 1024) * 2 ** (exponent - 15)
    : fraction * 2 ** -24;
  return half & 32768 ? -size : size;
}

// A safetensors file -> name => its numbers. Half precision becomes float64.
function readSafetensors(bytes) {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const read = (name) => {
    const { dtype, data_offsets: [from, until] } = header[name];
    const part = bytes.slice(8 + length + from, 8 + length + until).buffer;
    if (dtype === "I32") return new Int32Array(part);
    return Float64Array.from(new Uint16Array(part), fromHalf);
  };
  return read;
}

// ---- parts of both towers

function fillRows(out, row, rows) {
  for (let i = 0; i < rows; i++) out.set(row, i * row.length);
}

function addRow(out, row, rows) {
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < row.length; j++, at++) out[at] += row[j];
}

const rowOf = (matrix, row) => matrix.subarray(row * WIDTH, (row + 1) * WIDTH);

// A linear layer of torch's, whose weight is (columns, inner)
class Linear {
  constructor(kernel, weight, bias, inner, columns, learns) {
    Object.assign(this, { kernel, bias, inner, columns });
    this.forward = packed(kernel, inner, columns, (row, column) => weight[column * inner + row]);
    if (learns)
      this.back = packed(kernel, columns, inner, (row, column) => weight[row * inner + column]);
  }

  // out = x weight^T + bias
  apply(x, out, rows) {
    fillRows(out, this.bias, rows);
    this.add(x, out, rows);
  }

  // the same, onto what is there
  addTo(x, out, rows) {
    addRow(out, this.bias, rows);
    this.add(x, out, rows);
  }

  add(x, out, rows) {
    this.kernel.product(x, this.forward, out, rows, this.inner, this.columns, true);
  }

  // the gradient of x, from that of what came out
  pull(dOut, dX, rows, add = false) {
    this.kernel.product(dOut, this.back, dX, rows, this.columns, this.inner, add);
  }
}

// Layer normalisation
class Norm {
  constructor(kernel, gain, bias) {
    this.kernel = kernel;
    this.gain = kernel.zeros(WIDTH);
    this.bias = kernel.zeros(WIDTH);
    this.gain.set(gain);
    this.bias.set(bias);
  }

  apply(x, { out, hat, inverse }, rows) {
    this.kernel.normalise(x, this.gain, this.bias, out, hat, inverse, rows);
  }

  pull(dOut, { hat, inverse }, dX, rows, add = false) {
    this.kernel.normaliseBack(dOut, this.gain, hat, inverse, dX, rows, add);
  }
}

const normRoom = (kernel, rows) => ({
  out: kernel.zeros(rows * WIDTH),
  hat: kernel.zeros(rows * WIDTH),
  inverse: kernel.zeros(rows),
});

// What a block computes on its way: n rows come in, m go out, a row sees at most `stride` rows
function blockRoom(kernel, n, m, stride) {
  return {
    n,
    m,
    stride,
    first: normRoom(kernel, n),
    asking: kernel.zeros(m * WIDTH), // the normalised rows that go out
    q: kernel.zeros(m * WIDTH),
    kv: kernel.zeros(n * 2 * WIDTH),
    weight: kernel.zeros(m * HEADS * stride),
    taken: kernel.zeros(m * WIDTH),
    middle: kernel.zeros(m * WIDTH),
    second: normRoom(kernel, m),
    hidden: kernel.zeros(m * HIDDEN),
    active: kernel.zeros(m * HIDDEN),
    slope: kernel.zeros(m * HIDDEN),
    out: kernel.zeros(m * WIDTH),
  };
}

// A block of a transformer: attention, then a perceptron, each onto what came in
class Block {
  constructor(kernel, read, at, learns) {
    this.kernel = kernel;
    const linear = (weight, bias, inner, columns) =>
      new Linear(kernel, weight, bias, inner, columns, learns);
    const named = (name, inner, columns) =>
      linear(read(`${at}${name}.weight`), read(`${at}${name}.bias`), inner, columns);
    const norm = (name) => new Norm(kernel, read(`${at}${name}.weight`), read(`${at}${name}.bias`));
    const weight = read(`${at}attn.in_proj_weight`);
    const bias = read(`${at}attn.in_proj_bias`);
    const cut = WIDTH * WIDTH;
    this.ask = linear(weight.subarray(0, cut), bias.subarray(0, WIDTH), WIDTH, WIDTH);
    this.tell = linear(weight.subarray(cut), bias.subarray(WIDTH), WIDTH, 2 * WIDTH);
    this.join = named("attn.out_proj", WIDTH, WIDTH);
    this.widen = named("mlp.c_fc", WIDTH, HIDDEN);
    this.narrow = named("mlp.c_proj", HIDDEN, WIDTH);
    this.first = norm("ln_1");
    this.second = norm("ln_2");
  }

  // x (n, 128) -> (m, 128). `ends` lists the m rows that go out (null: all); `seen` says what each
  // of them sees. Of rows behind `fresh` the queries, keys and values stand in `room` already.
  apply(x, seen, room, ends = null, fresh = room.n) {
    const { n, m, first, asking, q, kv, stride, weight, taken, middle } = room;
    this.first.apply(x, first, fresh);
    this.tell.apply(first.out, kv, fresh);
    if (ends) {
      ends.forEach((row, i) => {
        asking.set(rowOf(first.out, row), i * WIDTH);
        middle.set(rowOf(x, row), i * WIDTH);
      });
      this.ask.apply(asking, q, m);
    } else {
      middle.set(x.subarray(0, n * WIDTH));
      this.ask.apply(first.out, q, fresh);
    }
    this.kernel.attend(q, kv, seen, stride, taken, weight, m);
    this.join.addTo(taken, middle, m);
    return this.perceive(room);
  }

  perceive({ m, middle, second, hidden, active, slope, out }) {
    this.second.apply(middle, second, m);
    this.widen.apply(second.out, hidden, m);
    this.kernel.gelu(hidden, active, slope, m * HIDDEN);
    out.set(middle);
    this.narrow.addTo(active, out, m);
    return out;
  }

  // dOut (m, 128) -> the gradient of the first `learned` rows that came in, in dOut's place
  pull(dOut, seen, room, rest, ends = null, learned = room.n) {
    const { n, m, first, second, q, kv, stride, weight, slope } = room;
    const { dHidden, dNormed, dMiddle, dTaken, dQ, dKV, dAsking, scores } = rest;
    this.narrow.pull(dOut, dHidden, m);
    for (let i = 0; i < m * HIDDEN; i++) dHidden[i] *= slope[i];
    this.widen.pull(dHidden, dNormed, m);
    dMiddle.set(dOut.subarray(0, m * WIDTH));
    this.second.pull(dNormed, second, dMiddle, m, true);
    this.join.pull(dMiddle, dTaken, m);
    dKV.fill(0, 0, learned * 2 * WIDTH);
    const asked = ends ? m : learned;
    this.kernel.attendBack(
      dTaken, q, kv, seen, stride, weight, m, dQ, dKV, asked, learned, scores,
    );
    this.tell.pull(dKV, dNormed, learned);
    this.ask.pull(dQ, dAsking, asked);
    const rows = ends ?? Array.from({ length: learned }, (_, row) => row);
    rows.forEach((row, i) => addTimes(dNormed, row * WIDTH, 1, dAsking, i * WIDTH, WIDTH));
    this.first.pull(dNormed, first, dOut, learned);
    rows.forEach((row, i) => addTimes(dOut, row * WIDTH, 1, dMiddle, i * WIDTH, WIDTH));
  }
}

// Room for the gradients of n rows in a block
const pullRoom = (kernel, n, stride) => ({
  dHidden: kernel.zeros(n * HIDDEN),
  dNormed: kernel.zeros(n * WIDTH),
  dMiddle: kernel.zeros(n * WIDTH),
  dTaken: kernel.zeros(n * WIDTH),
  dQ: kernel.zeros(n * WIDTH),
  dKV: kernel.zeros(n * 2 * WIDTH),
  dAsking: kernel.zeros(n * WIDTH),
  scores: kernel.zeros(stride),
});

// The last steps of a tower: normalisation, projection, unit length
class Head {
  constructor(kernel, norm, projection, learns) { // projection (128, 128), not transposed
    this.kernel = kernel;
    this.norm = norm;
    const turned = (row, column) => projection[column * WIDTH + row];
    const straight = (row, column) => projection[row * WIDTH + column];
    this.forward = packed(kernel, WIDTH, WIDTH, straight);
    if (learns) this.back = packed(kernel, WIDTH, WIDTH, turned);
  }

  room(rows) {
    const zeros = () => this.kernel.zeros(rows * WIDTH);
    return { rows, normed: normRoom(this.kernel, rows), out: zeros(), pulled: zeros() };
  }

  apply(x, room) {
    const { rows, normed, out } = room;
    this.norm.apply(x, normed, rows);
    this.kernel.product(normed.out, this.forward, out, rows, WIDTH, WIDTH, false);
    room.lengths = unitRows(out);
    return out;
  }

  pull(dOut, { rows, normed, out, pulled, lengths }, dX) {
    for (let at = 0; at < rows * WIDTH; at += WIDTH) {
      const along = dot(dOut, at, out, at, WIDTH);
      for (let i = at; i < at + WIDTH; i++)
        pulled[i] = (dOut[i] - along * out[i]) / lengths[at / WIDTH];
    }
    this.kernel.product(pulled, this.back, dX, rows, WIDTH, WIDTH, false);
    pulled.set(dX.subarray(0, rows * WIDTH));
    this.norm.pull(pulled, normed, dX, rows);
  }
}

// Rows of 128 to unit length, in place; returns their lengths
function unitRows(rows) {
  const lengths = [];
  for (let at = 0; at < rows.length; at += WIDTH) {
    const length = Math.max(Math.sqrt(dot(rows, at, rows, at, WIDTH)), 1e-12);
    for (let i = at; i < at + WIDTH; i++) rows[i] /= length;
    lengths.push(length);
  }
  return lengths;
}

function toGrid(numbers) {
  return Float64Array.from(numbers, (number) => {
    const steps = number / GRID;
    const below = Math.floor(steps);
    const half = steps - below === 0.5; // a half goes to the even neighbour
    return (half ? below + (below & 1) : Math.round(steps)) * GRID;
  });
}

// What rows in groups of these lengths see: `causal` those before them in their group, else all
function groupsSeen(lengths, causal, shared = 0) {
  const seen = [];
  let start = shared;
  for (const length of lengths) {
    for (let i = 1; i <= length; i++) seen.push([shared, start, start + (causal ? i : length)]);
    start += length;
  }
  return seen;
}

// ---- the model

const numbered = (at, count) => Array.from({ length: count }, (_, i) => `${at}${i}.`);

class PocketClip {
  // weights: {safetensors, merges: bytes; contextLength}
  constructor(weights, kernel = makeKernel()) {
    const read = readSafetensors(weights.safetensors);
    const norm = (name) => new Norm(kernel, read(`${name}.weight`), read(`${name}.bias`));
    this.kernel = kernel;
    this.tokenizer = new ClipTokenizer(new Uint16Array(weights.merges.buffer));
    this.contextLength = weights.contextLength;
    this.rowOfToken = new Map(Array.from(read("token_ids"), (id, row) => [id, row]));
    this.tokens = read("token_rows");
    this.positions = read("positional_embedding");
    this.scale = kernel.exp(read("logit_scale")[0]);
    const blocks = numbered("transformer.resblocks.", 2);
    this.text = blocks.map((at) => new Block(kernel, read, at, true));
    this.textHead = new Head(kernel, norm("ln_final"), read("text_projection"), true);
  }

  // tower: {safetensors: bytes; mean, deviation: of pixels, three numbers each}
  readImageTower({ safetensors, mean, deviation }) {
    const { kernel } = this;
    const read = readSafetensors(safetensors);
    const norm = (name) => new Norm(kernel, read(`${name}.weight`), read(`${name}.bias`));
    this.mean = mean.map(Math.fround);
    this.deviation = deviation.map(Math.fround);
    const pixels = read("visual.conv1.weight");
    const place = (row, column) => pixels[column * PATCH_NUMBERS + row];
    this.patch = packed(kernel, PATCH_NUMBERS, WIDTH, place);
    this.classToken = read("visual.class_embedding");
    this.places = read("visual.positional_embedding");
    this.before = norm("visual.ln_pre");
    const blocks = numbered("visual.transformer.resblocks.", 4);
    this.vision = blocks.map((at) => new Block(kernel, read, at, false));
    this.visionHead = new Head(kernel, norm("visual.ln_post"), read("visual.proj"), false);
  }

  // what `work` returns, a copy; what it took of the kernel's memory is given back
  briefly(work) {
    const mark = this.kernel.mark();
    try {
      return work();
    } finally {
      this.kernel.release(mark);
    }
  }

  // ---- texts

  // Words with a piece that no caption had: CLIP has no row for them
  unseenWords(texts) {
    const words = texts.flatMap((text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []);
    const isUnseen = (word) => this.tokenizer.encode(word).some((id) => !this.rowOfToken.has(id));
    return [...new Set(words.filter(isUnseen))].sort();
  }

  // Words, digits and runs of signs that no caption had
  unseenPieces(texts) {
    const { tokenizer, rowOfToken } = this;
    const pieces = new Set(texts.flatMap((text) => tokenizer.pieces(text)));
    const isUnseen = (piece) => tokenizer.word(piece).some((id) => !rowOfToken.has(id));
    return [...pieces].filter(isUnseen).sort();
  }

  // The ids of a text with its end, and with its start. Throws an Error if one is unknown, or if
  // `room` positions are too few.
  tokenIds(text, room = this.contextLength) {
    const { start, end } = this.tokenizer;
    const ids = [start, ...this.tokenizer.encode(text), end];
    if (ids.length > room)
      throw new Error(`"${text}" needs ${ids.length} tokens, and there is room for ${room}`);
    const unseen = ids.filter((id) => !this.rowOfToken.has(id));
    if (unseen.length) {
      const words = this.unseenWords([text]).join(", ");
      throw new Error(`the pocket CLIP never saw ${words || "a piece"} of "${text}"`);
    }
    return ids;
  }

  // The vector of a token at a position
  embedded(id, position) {
    const token = rowOf(this.tokens, this.rowOfToken.get(id));
    const place = rowOf(this.positions, position);
    return token.map((number, i) => number + place[i]);
  }

  // (N * 128): unit vectors of texts, on the grid
  encodeTexts(texts) {
    const ids = texts.map((text) => this.tokenIds(text));
    return this.briefly(() => toGrid(this.encodeTokens(ids)));
  }

  encodeTokens(texts) {
    const kernel = this.kernel;
    const lengths = texts.map((ids) => ids.length);
    const seen = groupsSeen(lengths, true);
    const stride = Math.max(...lengths);
    const rows = texts.flatMap((ids) => ids.map((id, position) => this.embedded(id, position)));
    const x = kernel.zeros(rows.length * WIDTH);
    rows.forEach((row, i) => x.set(row, i * WIDTH));
    const ends = endRows(lengths);
    const wholly = kernel.integers(seen.flat());
    const atEnds = kernel.integers(ends.flatMap((row) => seen[row]));
    const [first, last] = this.text;
    const y = first.apply(x, wholly, blockRoom(kernel, seen.length, seen.length, stride));
    const z = last.apply(y, atEnds, blockRoom(kernel, seen.length, ends.length, stride), ends);
    return this.textHead.apply(z, this.textHead.room(ends.length));
  }

  // ---- pictures

  // (N * 128): unit vectors of pictures of 56 x 56 pixels, each of four bytes, as a canvas has them
  encodeImages(rgba) {
    if (!this.vision) throw new Error("no image tower was read: texts alone are encoded");
    const size = PIXELS * PIXELS * 4;
    if (rgba.length === 0 || rgba.length % size)
      throw new Error(`expected ${size} bytes for each picture, not ${rgba.length} bytes`);
    const features = new Float64Array((rgba.length / size) * WIDTH);
    const step = IMAGES_AT_ONCE * size;
    for (let from = 0; from < rgba.length; from += step) {
      const some = rgba.subarray(from, from + step);
      const encoded = this.briefly(() => toGrid(this.encodePixels(some, some.length / size)));
      features.set(encoded, (from / size) * WIDTH);
    }
    return features;
  }

  // The patches of n pictures, (n * 49, 192): colours normalised in float32, as Python's are
  patches(rgba, n) {
    const out = this.kernel.zeros(n * PATCHES * PATCH_NUMBERS);
    const { fround } = Math;
    const value = this.mean.map((mean, c) =>
      Float64Array.from({ length: 256 }, (_, byte) =>
        fround(fround(fround(byte / 255) - mean) / this.deviation[c]),
      ),
    );
    let at = 0;
    for (let image = 0; image < n; image++)
      for (let place = 0; place < PATCHES; place++)
        for (let c = 0; c < 3; c++)
          for (let i = 0; i < PATCH * PATCH; i++) {
            const y = Math.floor(place / GRID_SIDE) * PATCH + Math.floor(i / PATCH);
            const x = (place % GRID_SIDE) * PATCH + (i % PATCH);
            out[at++] = value[c][rgba[((image * PIXELS + y) * PIXELS + x) * 4 + c]];
          }
    return out;
  }

  encodePixels(rgba, n) {
    const kernel = this.kernel;
    const length = PATCHES + 1;
    const rows = n * length;
    const seen = groupsSeen(Array(n).fill(length), false);
    const ends = Array.from({ length: n }, (_, image) => image * length);
    const wholly = kernel.integers(seen.flat());
    const atEnds = kernel.integers(ends.flatMap((row) => seen[row]));
    const cut = kernel.zeros(n * PATCHES * WIDTH);
    kernel.product(
      this.patches(rgba, n), this.patch, cut, n * PATCHES, PATCH_NUMBERS, WIDTH, false,
    );
    const x = kernel.zeros(rows * WIDTH);
    for (let image = 0; image < n; image++) {
      x.set(this.classToken, image * length * WIDTH);
      const part = cut.subarray(image * PATCHES * WIDTH, (image + 1) * PATCHES * WIDTH);
      x.set(part, (image * length + 1) * WIDTH);
      addTimes(x, image * length * WIDTH, 1, this.places, 0, length * WIDTH);
    }
    const room = blockRoom(kernel, rows, rows, length);
    this.before.apply(x, room.first, rows);
    x.set(room.first.out);
    for (const block of this.vision.slice(0, -1)) x.set(block.apply(x, wholly, room));
    const last = this.vision.at(-1);
    const z = last.apply(x, atEnds, blockRoom(kernel, rows, n, length), ends);
    return this.visionHead.apply(z, this.visionHead.room(n));
  }

  // ---- both

  // (N * C), from unit vectors of images and of classes
  logits(images, classes) {
    const n = images.length / WIDTH;
    const nClasses = classes.length / WIDTH;
    return this.briefly(() => {
      const [x, y] = [images, classes].map((rows) => this.lent(rows));
      const out = this.kernel.zeros(n * nClasses);
      this.kernel.cosines(x, y, out, n, nClasses, this.scale);
      return out.slice();
    });
  }

  // The same rows where the kernel can read them: they stay there until its memory is released
  lent(rows) {
    if (this.kernel.holds(rows)) return rows;
    const copy = this.kernel.zeros(rows.length);
    copy.set(rows);
    return copy;
  }
}

// The last row of each of the groups that lie end to end
function endRows(lengths, start = 0) {
  let row = start - 1;
  return lengths.map((length) => (row += length));
}

// ---- a learned prompt

// CoOp (Zhou et al., 2022): learned vectors between the start token and the class name, shared by
// all classes. Start and vectors are encoded once; each name sees them and itself.
class TextPrompt {
  constructor(clip, classNames, nTokens = 16) {
    const kernel = clip.kernel;
    const names = classNames.map((name) => clip.tokenIds(name, clip.contextLength - nTokens));
    const lengths = names.map((ids) => ids.length - 1);
    const prefix = nTokens + 1;
    const alone = Array.from({ length: prefix }, (_, row) => [row + 1, 0, 0]);
    const seen = [...alone, ...groupsSeen(lengths, true, prefix)];
    const stride = prefix + Math.max(...lengths);
    const n = seen.length;
    this.clip = clip;
    this.nTokens = nTokens;
    this.prefix = prefix;
    this.nClasses = names.length;
    this.ends = endRows(lengths, prefix);
    this.wholly = kernel.integers(seen.flat());
    this.atEnds = kernel.integers(this.ends.flatMap((row) => seen[row]));
    this.rooms = [blockRoom(kernel, n, n, stride), blockRoom(kernel, n, names.length, stride)];
    this.headRoom = clip.textHead.room(names.length);
    this.pulling = pullRoom(kernel, n, stride);
    this.dRows = kernel.zeros(n * WIDTH);
    this.x = kernel.zeros(n * WIDTH);
    this.x.set(clip.embedded(clip.tokenizer.start, 0));
    const rows = names.flatMap((ids) =>
      ids.slice(1).map((id, i) => clip.embedded(id, prefix + i)),
    );
    rows.forEach((row, i) => this.x.set(row, (prefix + i) * WIDTH));
    this.fresh = n; // rows that the first block has not met: later the prefix alone changes
  }

  // (C * 128), unit vectors; the array is written again by the next call
  classFeatures(context) {
    const { clip, x, rooms, prefix } = this;
    const [first, last] = clip.text;
    for (let i = WIDTH; i < prefix * WIDTH; i++) x[i] = context[i - WIDTH] + clip.positions[i];
    const y = first.apply(x, this.wholly, rooms[0], null, this.fresh);
    this.fresh = prefix;
    const z = last.apply(y, this.atEnds, rooms[1], this.ends);
    return clip.textHead.apply(z, this.headRoom);
  }

  // The gradient of the context that `classFeatures` was last given, from (C * 128)
  backward(dClasses) {
    const { clip, rooms, ends, pulling, dRows, prefix } = this;
    const [first, last] = clip.text;
    clip.textHead.pull(dClasses, this.headRoom, dRows);
    last.pull(dRows, this.atEnds, rooms[1], pulling, ends);
    first.pull(dRows, this.wholly, rooms[0], pulling, null, prefix);
    return dRows.slice(WIDTH, prefix * WIDTH);
  }
}
