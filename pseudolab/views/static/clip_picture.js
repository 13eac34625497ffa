// A file of the reader's as the pocket CLIP sees it, as pseudolab.clip makes it: upright, on white
// where it was see-through, its short side 56 pixels long, cut from its middle.
//
//     const { rgba, note } = await plabClip.picture(file);
//     const { labels, picture } = await plabClip.pictures(data);   // picture(i) -> rgba
//
// Shrinking is Pillow's arithmetic, number for number. An Error says what is wrong with a file.

const PICTURE_SIDE = 56;
const MOST_PIXELS = 89_478_485; // Pillow's limit
const THINNEST = 100; // how many times as long as wide
const HEAD_BYTES = 65_536; // that tell what kind of file it is
const STRIP_PIXELS = 2 ** 21; // that are looked at together

// As they lie in the file: Pillow knows nothing of colour profiles
const AS_STORED = { colorSpaceConversion: "none" };

// ---- the file

const latin = (bytes) => new TextDecoder("latin1").decode(bytes);

// The beginning of a file as letters, one for each byte
async function headOf(file) {
  try {
    return latin(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    throw new Error("this cannot be read: drop a picture file, not a folder");
  }
}

const isVector = (head) => /<svg[\s>]/i.test(head) || /^\s*<\?xml/.test(head);

// As far as its beginning tells
function isAnimated(head) {
  if (head.startsWith("GIF8"))
    return head.includes("NETSCAPE2.0") || head.split(/!\xf9\x04[^]{4}\0/).length > 2;
  if (head.slice(1, 4) === "PNG") return /acTL[^]*IDAT/.test(head);
  return head.startsWith("RIFF") && head.slice(8, 12) === "WEBP" && head.includes("ANIM");
}

// Width and height, before any pixel is decoded
function sizeOf(file) {
  const address = URL.createObjectURL(file);
  const image = new Image();
  const size = new Promise((resolve, reject) => {
    image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => reject(new Error("this is no picture that this browser can read"));
  });
  image.src = address;
  return size.finally(() => URL.revokeObjectURL(address));
}

function checkSize([width, height]) {
  const short = Math.min(width, height);
  const told = `this picture has ${written(width)} \u00d7 ${written(height)} pixels`;
  if (width * height > MOST_PIXELS)
    throw new Error(`${told}: at most ${written(MOST_PIXELS)} together are read`);
  if (Math.max(width, height) > THINNEST * short)
    throw new Error(`${told}: it may be at most ${THINNEST} times as long as wide`);
}

const written = (n) => n.toLocaleString("en");

async function bitmapOf(file) {
  try {
    return await createImageBitmap(file, AS_STORED);
  } catch {
    throw new Error("this picture is damaged, or too large for this browser");
  }
}

// ---- shrinking, as Pillow's resize(..., BICUBIC) does it

const LINE_BYTES = 3 * PICTURE_SIDE;
const WEIGHT_UNIT = 2 ** 22; // weights are whole numbers of 1 / WEIGHT_UNIT

function bicubic(x) {
  const far = Math.abs(x);
  if (far < 1) return (1.5 * far - 2.5) * far * far + 1;
  return far < 2 ? (((far - 5) * far + 8) * far - 4) * -0.5 : 0;
}

const evenHalf = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

// For each of the 56 pixels along one side of `length` pixels, which becomes `short` or longer:
// where it begins to look, and with which weights
function looksAlong(length, resized) {
  const step = length / resized;
  const wide = Math.max(step, 1);
  const skipped = evenHalf((resized - PICTURE_SIDE) / 2);
  return Array.from({ length: PICTURE_SIDE }, (_, i) => {
    const centre = (skipped + i + 0.5) * step;
    const from = Math.max(0, Math.trunc(centre - 2 * wide + 0.5));
    const until = Math.min(length, Math.trunc(centre + 2 * wide + 0.5));
    const places = Array.from({ length: until - from }, (_, at) => from + at);
    const parts = places.map((place) => bicubic((place - centre + 0.5) * (1 / wide)));
    const sum = parts.reduce((total, part) => total + part, 0);
    const weights = parts.map((part) => {
      const share = (part / sum) * WEIGHT_UNIT;
      return Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    });
    return { from, until, weights };
  });
}

// The weighted sum of bytes that lie `stride` apart, as a byte
function looked({ weights }, bytes, at, stride) {
  let sum = WEIGHT_UNIT / 2;
  for (let i = 0; i < weights.length; i++, at += stride) sum += weights[i] * bytes[at];
  return Math.max(0, Math.min(255, Math.floor(sum / WEIGHT_UNIT)));
}

// Along every line of a part of a picture: 56 pixels of three bytes. `turned`: lines are columns
function shrunkLines({ data, width, height }, looks, start, turned) {
  const lines = turned ? width : height;
  const stride = turned ? 4 * width : 4; // to the next pixel of a line
  const next = turned ? 4 : 4 * width; // to the next line
  const out = new Uint8Array(lines * LINE_BYTES);
  let at = 0;
  for (let line = 0; line < lines; line++)
    for (const look of looks)
      for (let c = 0; c < 3; c++)
        out[at++] = looked(look, data, line * next + (look.from - start) * stride + c, stride);
  return out;
}

// A part of a bitmap on white
function partOf(bitmap, left, top, width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

const pausedFrame = () => new Promise((done) => { setTimeout(done); });

const ends = (looks) => [looks[0].from, Math.max(...looks.map(({ until }) => until))];

// All lines that are needed, strip by strip
async function firstPass(bitmap, looks, [from, until], turned) {
  const [start, stop] = ends(looks);
  const out = new Uint8Array((until - from) * LINE_BYTES);
  const atOnce = Math.max(1, Math.floor(STRIP_PIXELS / (stop - start)));
  for (let line = from; line < until; line += atOnce) {
    const lines = Math.min(atOnce, until - line);
    const part = turned
      ? partOf(bitmap, line, start, lines, stop - start)
      : partOf(bitmap, start, line, stop - start, lines);
    out.set(shrunkLines(part, looks, start, turned), (line - from) * LINE_BYTES);
    await pausedFrame();
  }
  return out;
}

async function shrunk(bitmap) {
  const { width, height } = bitmap;
  const short = Math.min(width, height);
  const [across, down] = [width, height].map((side) => Math.trunc((PICTURE_SIDE * side) / short));
  const looks = [looksAlong(width, across), looksAlong(height, down)];
  // Pillow shrinks columns first where they lose far more than rows
  const turned = height > down && height - down > 2 * (width - across);
  const [first, second] = turned ? looks.reverse() : looks;
  const [from] = ends(second);
  const lines = await firstPass(bitmap, first, ends(second), turned);
  const rgba = new Uint8ClampedArray(PICTURE_SIDE * PICTURE_SIDE * 4).fill(255);
  second.forEach((look, i) => {
    for (let j = 0; j < PICTURE_SIDE; j++)
      for (let c = 0; c < 3; c++) {
        const pixel = turned ? j * PICTURE_SIDE + i : i * PICTURE_SIDE + j;
        const at = (look.from - from) * LINE_BYTES + 3 * j + c;
        rgba[4 * pixel + c] = looked(look, lines, at, LINE_BYTES);
      }
  });
  return rgba;
}

// ---- what a page calls

plabClip.picture = async (file) => {
  const head = await headOf(file);
  if (isVector(head)) throw new Error("a drawing of lines (SVG) has no pixels: save it as a PNG");
  checkSize(await sizeOf(file));
  const bitmap = await bitmapOf(file);
  try {
    return {
      rgba: await shrunk(bitmap),
      note: isAnimated(head) ? "This picture moves: its first frame was taken." : "",
    };
  } finally {
    bitmap.close();
  }
};

// Test pictures of a task, by its name and folder or from data at hand
plabClip.pictures = async (task, folder = null) => {
  const data = typeof task === "string" ? await plabClip.read(folder, `pictures_${task}`) : task;
  const bytes = Uint8Array.from(atob(data.webp), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" }), AS_STORED);
  const picture = (i) =>
    partOf(bitmap, 0, i * PICTURE_SIDE, PICTURE_SIDE, PICTURE_SIDE).data;
  return { labels: data.labels, picture };
};
