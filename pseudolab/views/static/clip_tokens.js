// CLIP's tokenizer (byte pair encoding, Sennrich et al., 2016): the same ids as Python's for any
// text that needs no mending of its letters (`ftfy`) beyond straight quotes.

const BYTES = 256; // ids 0 .. 255: a byte; 256 .. 511: the same at the end of a word
const FIRST_MERGE = 2 * BYTES; // merge i makes the token FIRST_MERGE + i
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/giu;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

// The ids of the 256 bytes: letters that can be printed come first
function byteIds() {
  const printed = (byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const bytes = Array.from({ length: BYTES }, (_, byte) => byte);
  const order = [...bytes.filter(printed), ...bytes.filter((byte) => !printed(byte))];
  const ids = new Uint16Array(BYTES);
  order.forEach((byte, id) => { ids[byte] = id; });
  return ids;
}

function cleaned(text) {
  const unescape = (given) =>
    given.replace(/&(\w+);/g, (whole, name) => ENTITIES[name] ?? whole);
  const straight = text.normalize("NFC").replace(/[‘’]/g, "'").replace(/[“”]/g, '"');
  return unescape(unescape(straight)).replace(/\s+/gu, " ").trim().toLowerCase();
}

class ClipTokenizer {
  constructor(merges) { // Uint16Array: the two ids that each merge joins, in the order of merging
    this.bytes = byteIds();
    this.start = FIRST_MERGE + merges.length / 2;
    this.end = this.start + 1;
    this.merged = new Map(); // left * 65536 + right -> id
    for (let i = 0; i < merges.length; i += 2)
      this.merged.set(merges[i] * 65536 + merges[i + 1], FIRST_MERGE + i / 2);
  }

  // Of a word's neighbours those join first whose merge is the earliest
  word(piece) {
    const ids = Array.from(new TextEncoder().encode(piece), (byte) => this.bytes[byte]);
    ids[ids.length - 1] += BYTES;
    for (;;) {
      let best = Infinity;
      for (let i = 0; i + 1 < ids.length; i++)
        best = Math.min(best, this.merged.get(ids[i] * 65536 + ids[i + 1]) ?? Infinity);
      if (best === Infinity) return ids;
      for (let i = 0; i + 1 < ids.length; i++)
        if (this.merged.get(ids[i] * 65536 + ids[i + 1]) === best) ids.splice(i, 2, best);
    }
  }

  // Words, digits and runs of signs
  pieces(text) {
    return cleaned(text).match(PIECES) ?? [];
  }

  // The ids of a text, without start and end
  encode(text) {
    return this.pieces(text).flatMap((piece) => this.word(piece));
  }
}
