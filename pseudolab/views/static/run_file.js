// The file of a run, held against the rules that Python made (pseudolab.views.run_file). It came
// from a file, so nothing of it is believed before. A check gives null, or a fault: what is wrong,
// and where.

const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const valueAt = (value, name) =>
  isTable(value) && Object.hasOwn(value, name) ? value[name] : undefined;
const fault = (says) => ({ where: "", says });
const within = (place, found) => found && { where: place + found.where, says: found.says };
const refused = (value, expected) => fault(` is ${said(value)}; expected ${expected}`);

// a value in a few words
function said(value) {
  if (typeof value === "string") {
    const start = [...value.slice(0, 80)].slice(0, 40).join("");
    return `"${start}${start.length < value.length ? "\u2026" : ""}"`;
  }
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return isTable(value) ? "a table" : String(value);
}

// a bound is a number or the name of a length, n holds the lengths of this file
const bound = (limit, n) => (isTable(limit) ? n[limit.of] - limit.less : limit);
const short = (limit, otherwise) => (limit === null ? otherwise : Number(limit.toPrecision(6)));

function checked(rule, value, n) {
  return CHECKS[rule.is](rule, value, n);
}

const CHECKS = {
  Flag: (rule, value) => (typeof value === "boolean" ? null : refused(value, "true or false")),

  Whole(rule, value, n) {
    const [least, most] = [bound(rule.least, n), bound(rule.most, n)];
    if (Number.isInteger(value) && least <= value && value <= most) return null;
    return refused(value, `a whole number from ${least} to ${most}`);
  },

  Number({ least, most }, value) {
    const isNumber = typeof value === "number" && Math.abs(value) < 2 ** 1000;
    if (isNumber && (least === null || least <= value) && (most === null || value <= most))
      return null;
    return refused(value, `a number from ${short(least, "-inf")} to ${short(most, "inf")}`);
  },

  Text({ most }, value) {
    const isShort =
      typeof value === "string" &&
      (value.length <= most || (value.length <= 2 * most && [...value].length <= most));
    if (isShort && !/[\ud800-\udfff]/u.test(value)) return null;
    return refused(value, `a text of at most ${most} letters`);
  },

  OneOf: ({ names }, value) =>
    names.includes(value) ? null : refused(value, `one of ${names.join(", ")}`),

  Maybe: ({ rule }, value, n) => (value === null ? null : checked(rule, value, n)),

  Items(rule, value, n) {
    if (!Array.isArray(value)) return refused(value, "a list");
    const length = bound(rule.length, n);
    if (length !== null && value.length !== length)
      return fault(` has ${value.length} items; expected ${length}`);
    for (let at = 0; at < value.length; at++) {
      const found = checked(rule.rule, value[at], n);
      if (found) return within(`[${at}]`, found);
    }
    return null;
  },

  Record({ required, optional, is_open: isOpen }, value, n) {
    if (!isTable(value)) return refused(value, "a table");
    const rules = { ...required, ...optional };
    const missing = Object.keys(required).filter((name) => !Object.hasOwn(value, name));
    if (missing.length) return fault(` lacks ${missing.join(", ")}`);
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(rules, name));
    if (unknown !== undefined && !isOpen) return fault(` has an unknown ${said(unknown)}`);
    for (const name of Object.keys(rules)) {
      const found = Object.hasOwn(value, name) ? checked(rules[name], value[name], n) : null;
      if (found) return within(`.${name}`, found);
    }
    return null;
  },

  Distinct({ rule }, value, n) {
    const found = checked(rule, value, n);
    if (found || new Set(value).size === value.length) return found;
    return fault(" has the same item twice");
  },

  Packed(rule, value, n) {
    const found = checked(rule.form, value, n);
    if (found) return found;
    const numbers = unpacked(value);
    if (numbers === null) return fault(" is no base64 of whole numbers");
    const length = bound(rule.length, n);
    if (length !== null && numbers.length !== length)
      return fault(` has ${numbers.length} items; expected ${length}`);
    if (numbers.length === 0) return null;
    const [least, most] = [bound(rule.least, n), bound(rule.most, n)];
    const low = numbers.reduce((a, b) => Math.min(a, b));
    const high = numbers.reduce((a, b) => Math.max(a, b));
    if (low < least || high > most)
      return fault(` has numbers from ${low} to ${high}; expected ${least} to ${most}`);
    if (rule.is_rising && numbers.some((number, at) => at > 0 && number <= numbers[at - 1]))
      return fault(" does not rise from number to number");
    return null;
  },

  Sprite(rule, value, n) {
    const found = checked(rule.form, value, n);
    if (found) return found;
    const { src, size, columns } = value;
    const seen = src.startsWith(rule.address) ? webpSize(src.slice(rule.address.length)) : null;
    if (seen === null) return within(".src", fault(" is no whole WebP picture"));
    const [width, height] = [columns * size, Math.ceil(bound(rule.length, n) / columns) * size];
    if (seen[0] === width && seen[1] === height) return null;
    return within(
      ".src",
      fault(` has ${seen[0]} x ${seen[1]} pixels; expected ${width} x ${height}`),
    );
  },

  Related(rule, value, n) {
    const found = checked(rule.rule, value, n);
    if (found) return found;
    const has = (name) => Object.hasOwn(value, name);
    for (const names of rule.together)
      if (names.some(has) && !names.every(has))
        return fault(` has some of ${names.join(", ")}; expected all or none`);
    for (const [small, large] of rule.at_most) {
      if (!has(small) || !has(large)) continue;
      const high = value[large];
      const above = (low, at) => low !== null && high[at] !== null && low > high[at];
      const at = value[small].findIndex(above);
      if (at >= 0)
        return within(
          `.${small}[${at}]`,
          refused(value[small][at], `at most the ${large} beside it`),
        );
    }
    for (const [one, other] of rule.as_long)
      if (unpacked(value[one]).length !== unpacked(value[other]).length)
        return fault(` has other numbers of items in ${one} and ${other}`);
    return null;
  },

  Staged: ({ rule }, value, n) => checked(rule, value, n) ?? faultOfScene(value),

  Rounds({ rule, alike }, value, n) {
    const found = CHECKS.Items({ rule, length: null }, value, n);
    if (found) return found;
    const nulls = (item) => JSON.stringify([item].flat().map((one) => one === null));
    const first = alike.map((name) => nulls(value[0][name]));
    for (const [at, round] of value.entries()) {
      if (round.number !== at) return within(`[${at}].number`, refused(round.number, `${at}`));
      const other = alike.find((name, i) => nulls(round[name]) !== first[i]);
      if (other)
        return within(
          `[${at}].${other}`,
          fault(" is null elsewhere than in round 0; expected the same"),
        );
    }
    return null;
  },
};

// a scene that contradicts the rest of the file
function faultOfScene({ scene, pool, rounds, other }) {
  if (!scene) return null;
  if (!pool) return fault(".scene has no pool to show");
  if (scene.runs.length > 1 && !other?.labels)
    return fault(".scene has 2 runs; expected 1, since no other run has labels");
  if ((pool.truth === null) !== (scene.totals === null))
    return fault(".scene.totals and .pool.truth: one is null; expected both or none");
  const truth = unpack(pool.truth);
  for (const [at, run] of scene.runs.entries()) {
    const length = (at === 0 ? rounds : other.rounds).length;
    const place = `.scene.runs[${at}].rounds`;
    if (run.rounds.length !== length)
      return within(place, fault(` has ${run.rounds.length} items; expected ${length}`));
    const isLost = (told, i) => told === 0 && !(truth?.[i] >= 0);
    const lost = run.rounds.findIndex((round) => unpack(round.places).some(isLost));
    if (lost >= 0)
      return within(`${place}[${lost}].places`, fault(" has a picture in no column"));
  }
  return null;
}

const isBase64 = (text) =>
  text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, ""));

// the numbers in a packed list, or null
function unpacked(packed) {
  if (!isBase64(packed.data)) return null;
  const bytes = (packed.data.length / 4) * 3 - packed.data.match(/=*$/)[0].length;
  return bytes % KINDS[packed.type].BYTES_PER_ELEMENT ? null : unpack(packed);
}

// width and height of a whole lossy WebP in base64, by the head of the file; or null
function webpSize(text) {
  if (!isBase64(text) || text.length < 40) return null;
  const letters = atob(text.slice(0, 40));
  const length = (text.length / 4) * 3 - text.match(/=*$/)[0].length;
  const number = (at, n) => sum(range(n).map((i) => letters.charCodeAt(at + i) * 256 ** i));
  const isWebp = letters.startsWith("RIFF") && letters.slice(8, 16) === "WEBPVP8 ";
  if (!isWebp || letters.slice(23, 26) !== "\x9d\x01\x2a" || number(4, 4) + 8 !== length)
    return null;
  return [number(26, 2) & 0x3fff, number(28, 2) & 0x3fff];
}

// the lengths that a file has by their names, or a fault
function lengthsOf(data, lengths) {
  const n = {};
  for (const [name, { path, least, most, power }] of Object.entries(lengths)) {
    const value = path.reduce(valueAt, data);
    const found = Array.isArray(value) ? value.length : value;
    // what is no length is refused by the rule for it
    n[name] = Number.isSafeInteger(found) ? found ** power : 0;
    if (Number.isSafeInteger(found) && (found < least || found > most)) {
      const says = ` counts ${found}; expected ${least} to ${most}`;
      return { fault: { where: `.${path.join(".")}`, says } };
    }
  }
  return { n };
}

// what keeps the JSON of a file from being a run that can be drawn: a sentence, or null
function faultOf(data, rules) {
  if (valueAt(data, "kind") !== rules.kind)
    return valueAt(data, "task") && valueAt(data, "schema")
      ? "it is the run.json of a run's folder; `pseudolab export FOLDER` writes the file for this" +
        " page"
      : "it is not a run that run.export(path) has written";
  if (valueAt(data, "schema") !== rules.schema)
    return (
      `its format is ${said(valueAt(data, "schema"))}; this page reads format ${rules.schema},` +
      " so export the run again with the pseudolab of this page"
    );
  const { n, fault: wrong } = lengthsOf(data, rules.lengths);
  const found = wrong ?? checked(rules.rules, data, n);
  return found && `run${found.where}${found.says}`;
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) =>
  range(8).reduce((c) => (c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1), byte),
);

function crc32(bytes, from) {
  let c = 0xffffffff;
  for (let at = from; at < bytes.length; at++) c = CRC[(c ^ bytes[at]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

const CHANGED = "it was changed after it was written, or a part of it is missing";
const SEALED = /^\{"seal":"([0-9a-f]{8})",/;

// The run in a file: {data}, or {fault} in a sentence
async function readRunFile(file, rules) {
  const tell = (says) => ({ fault: `${file.name} cannot be opened: ${says}.` });
  if (file.size > rules.largest) {
    const [size, most] = [file.size, rules.largest].map((n) => n.toLocaleString("en"));
    return tell(`it has ${size} bytes; this page opens files of up to ${most}`);
  }
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    return tell(`the browser cannot read it (${error.message})`);
  }
  const head = SEALED.exec(String.fromCharCode(...bytes.subarray(0, 32)));
  if (head && parseInt(head[1], 16) !== crc32(bytes, head[0].length)) return tell(CHANGED);
  let data;
  try {
    data = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return tell(`it is not JSON (${error.message.slice(0, 200)})`);
  }
  if (isTable(data) && Object.hasOwn(data, "seal")) {
    if (!head) return tell(CHANGED);
    delete data.seal;
  }
  const wrong = faultOf(data, rules);
  if (wrong) return tell(wrong);
  return (await isPicture(data.pool?.pictures.src)) ? { data } : tell("its pictures are damaged");
}

async function isPicture(src) {
  if (src === undefined) return true;
  const image = new Image();
  image.src = src;
  try {
    await image.decode();
  } catch {
    return false;
  }
  return true;
}
