// Bytes that travel in scripts, as `pack_planes` of pseudolab.views.page_clip writes them: of all
// numbers first the lowest bytes, then those that follow; deflated; in base 85.

// Python's letters, but for three that have a meaning in HTML
const LETTERS =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%:()*+-;.=,?@^_`{|}~";

// Four bytes of every five letters, the highest first; at the end there may be fewer
function bytesOf85(text) {
  const worth = new Uint8Array(128).fill(84);
  for (let i = 0; i < LETTERS.length; i++) worth[LETTERS.charCodeAt(i)] = i;
  const groups = Math.ceil(text.length / 5);
  const missing = 5 * groups - text.length;
  const whole = text.padEnd(5 * groups, "~");
  const view = new DataView(new ArrayBuffer(4 * groups));
  for (let group = 0, at = 0; group < groups; group++) {
    let number = 0;
    for (const end = at + 5; at < end; at++) number = 85 * number + worth[whole.charCodeAt(at)];
    view.setUint32(4 * group, number);
  }
  return new Uint8Array(view.buffer, 0, 4 * groups - missing);
}

async function inflated(bytes) {
  if (typeof DecompressionStream === "undefined")
    throw new Error(
      "this browser cannot unpack the CLIP, since it has no DecompressionStream: browsers have" +
        " had it since 2023",
    );
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// {planes, text} -> Uint8Array
async function unpack({ planes, text }) {
  const byPlane = await inflated(bytesOf85(text));
  const bytes = new Uint8Array(byPlane.length);
  for (let plane = 0, from = 0; plane < planes; plane++)
    for (let i = plane; i < bytes.length; i += planes) bytes[i] = byPlane[from++];
  return bytes;
}

// The same data with its packed parts as bytes
async function unpackParts(data) {
  const parts = Object.entries(data).map(async ([name, part]) =>
    [name, part?.planes ? await unpack(part) : part],
  );
  return Object.fromEntries(await Promise.all(parts));
}
