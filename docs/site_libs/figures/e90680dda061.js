(globalThis.plabFigures ??= {})["e90680dda061"] = (use) => {
"use strict";
function make(tag, options = {}, ...children) {
const node = document.createElement(tag);
return dress(node, options, children);
}
function draw(tag, options = {}, ...children) {
return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), options, children);
}
function dress(node, options, children) {
for (const [name, value] of Object.entries(options)) {
if (value === null || value === undefined || (value === false && !name.startsWith("aria-")))
continue;
if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
else if (name === "value" || name === "checked") node[name] = value;
else node.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
}
node.append(
...children
.filter((child) => child !== null && child !== undefined)
.map((child) => (child instanceof Node ? child : String(child))),
);
return node;
}
const title = (...text) =>
make("div", { class: "title", role: "heading", "aria-level": 3 }, ...text);
const part = (...text) => make("div", { class: "part", role: "heading", "aria-level": 4 }, ...text);
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const percent = (share) => (known(share) ? `${(100 * share).toFixed(1)} %` : "no labels");
const points = (change) =>
known(change)
? `${change < 0 ? "\u2212" : "+"}${Math.abs(100 * change).toFixed(1)}`
: "no labels";
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const argmax = (numbers) =>
numbers.reduce((best, number, i) => (number > numbers[best] ? i : best), 0);
const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const KINDS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, f4: Float32Array };
function unpack(packed) {
if (!packed) return null;
const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
return new KINDS[packed.type](bytes.buffer);
}
const scale = (a, b, p, q) => (value) => p + ((value - a) / (b - a || 1)) * (q - p);
let count = 0;
const freshId = () => `plab-${Date.now().toString(36)}-${count++}`;
function isDark(root) {
for (let node = root.parentElement; node; node = node.parentElement) {
const found = getComputedStyle(node).backgroundColor.match(/[\d.]+/g)?.map(Number);
if (found && (found.length < 4 || found[3] > 0.5))
return 0.299 * found[0] + 0.587 * found[1] + 0.114 * found[2] < 110;
}
const { vscodeThemeKind: code, jpThemeLight: jupyter } = document.body.dataset;
if (code) return code === "vscode-dark" || code === "vscode-high-contrast";
if (jupyter) return jupyter === "false";
const page = document.documentElement;
if (page.hasAttribute("theme")) return page.getAttribute("theme") === "dark";
const schemes = getComputedStyle(page).colorScheme;
const asked = window.matchMedia("(prefers-color-scheme: dark)").matches;
return schemes.includes("dark") && (asked || !schemes.includes("light"));
}
function followTheme(root) {
const look = () => {
root.dataset.theme = isDark(root) ? "dark" : "light";
};
const watch = new MutationObserver(() => setTimeout(look, 60));
for (const node of [document.documentElement, document.body])
watch.observe(node, {
attributes: true,
attributeFilter: [
"class",
"style",
"data-theme",
"theme",
"data-jp-theme-light",
"data-vscode-theme-kind",
"data-bs-theme",
],
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
look();
}
function onWidth(box, paint) {
let width = 0;
const again = () => {
if (width > 0) paint(width);
};
new ResizeObserver(() => {
const now = Math.round(box.getBoundingClientRect().width);
if (now !== width) {
width = now;
again();
}
}).observe(box);
return again;
}
function choice(name, options, value, change) {
const group = make("div", { class: "row", role: "radiogroup", "aria-label": name });
const set = (chosen) => {
value = chosen;
for (const button of group.children) {
const on = button.dataset.value === String(chosen);
button.setAttribute("aria-checked", on);
button.tabIndex = on ? 0 : -1;
}
};
options.forEach(([key, label], at) =>
group.append(
make(
"button",
{
type: "button",
role: "radio",
"data-value": key,
onclick: () => {
set(key);
change(key);
},
onkeydown: (event) => {
const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
if (!step) return;
event.preventDefault();
const next = (at + step + options.length) % options.length;
group.children[next].focus();
group.children[next].click();
},
},
label,
),
),
);
set(value);
group.set = set;
return group;
}
function plainTable(caption, heads, rows) {
return make(
"div",
{ class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
make(
"table",
{},
make("caption", { class: "visually-hidden" }, caption),
make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
make(
"tbody",
{},
...rows.map((cells) =>
make(
"tr",
{},
...cells.map((cell, i) =>
i
? make("td", {}, cell)
: make("th", { scope: "row", style: "font-weight:inherit" }, make("bdi", {}, cell)),
),
),
),
),
),
);
}
function lineChart(width, series, options) {
const { height = 150, label, at = null, format = percent, pick = null } = options;
const xs = options.xs ?? range(Math.max(...series.map((line) => line.values.length)));
const all = series.flatMap((line) => line.values).filter(known);
const [low, high] = padded(options.low ?? Math.min(...all), options.high ?? Math.max(...all));
const box = { left: 44, right: width - 10, top: 10, bottom: height - 24 };
const x = scale(xs[0], xs[xs.length - 1], box.left + 6, box.right - 6);
const y = scale(low, high, box.bottom, box.top);
const chart = draw("svg", {
width,
height,
viewBox: `0 0 ${width} ${height}`,
role: "img",
"aria-label": `${label}: ${series.map((line) => spelled(line, format)).join("; ")}`,
});
for (const tick of niceTicks(low, high, 4)) {
chart.append(
draw("line", { class: "grid", x1: box.left, x2: box.right, y1: y(tick), y2: y(tick) }),
draw(
"text",
{ class: "quiet", x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" },
`${Math.round(100 * tick)} %`,
),
);
}
const every = Math.ceil(xs.length / Math.max(2, Math.floor((box.right - box.left) / 26)));
xs.forEach((value, i) => {
if (i % every === 0)
chart.append(
draw(
"text",
{ class: "quiet", x: x(value), y: height - 6, "text-anchor": "middle" },
value,
),
);
});
if (known(at))
chart.append(
draw("line", {
x1: x(at),
x2: x(at),
y1: box.top - 6,
y2: box.bottom,
stroke: "var(--ink)",
"stroke-width": 1.5,
"stroke-opacity": 0.45,
}),
);
for (const line of series) {
const dots = line.values.map((value, i) => [xs[i], value]).filter(([, value]) => known(value));
chart.append(
draw("polyline", {
points: dots.map(([i, value]) => `${x(i)},${y(value)}`).join(" "),
fill: "none",
stroke: line.colour,
"stroke-width": 2,
"stroke-dasharray": line.dashed ? "5 4" : null,
}),
);
if (line.marker)
for (const [i, value] of dots)
chart.append(
mark(line.marker, x(i), y(value), i === at ? 5.5 : 3.2, line.colour, line.hollow),
);
}
if (pick)
chart.addEventListener("click", (event) => {
const place = event.clientX - chart.getBoundingClientRect().left;
pick(
xs.reduce(
(best, value) => (Math.abs(x(value) - place) < Math.abs(x(best) - place) ? value : best),
xs[0],
),
);
});
return chart;
}
const spelled = ({ name, values }, format) => `${name} ${values.map(format).join(", ")}`;
const padded = (low, high) => {
const room = Math.max(0.01, (high - low) * 0.12);
return [low - room, high + room];
};
function niceTicks(low, high, most) {
const step =
[0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1].find((size) => (high - low) / size <= most) ?? 1;
return range(Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1).map(
(i) => (Math.ceil(low / step - 1e-9) + i) * step,
);
}
function mark(shape, x, y, size, colour, hollow = false) {
const look = { fill: hollow ? "var(--paper)" : colour, stroke: colour, "stroke-width": 1.6 };
if (shape === "circle") return draw("circle", { cx: x, cy: y, r: size, ...look });
const corners = {
square: [
[-1, -1],
[1, -1],
[1, 1],
[-1, 1],
],
diamond: [
[0, -1.3],
[1.3, 0],
[0, 1.3],
[-1.3, 0],
],
up: [
[-1.1, 1],
[0, -1.2],
[1.1, 1],
],
down: [
[-1.1, -1],
[0, 1.2],
[1.1, -1],
],
right: [
[-1, -1.1],
[1.2, 0],
[-1, 1.1],
],
left: [
[1, -1.1],
[-1.2, 0],
[1, 1.1],
],
}[shape];
return draw("polygon", {
points: corners.map(([dx, dy]) => `${x + dx * size},${y + dy * size}`).join(" "),
...look,
});
}
function legend(entries) {
return make(
"div",
{ class: "row quiet", style: "gap:2px 14px" },
...entries.map(([name, colour, shape, dashed, hollow]) =>
make(
"span",
{ style: "display:inline-flex;align-items:center;gap:6px" },
draw(
"svg",
{
width: 26,
height: 12,
viewBox: "0 0 26 12",
style: "width:26px",
"aria-hidden": "true",
},
draw("line", {
x1: 0,
x2: 26,
y1: 6,
y2: 6,
stroke: colour,
"stroke-width": 2,
"stroke-dasharray": dashed ? "5 4" : null,
}),
...(shape ? [mark(shape, 13, 6, 4, colour, hollow)] : []),
),
name,
),
),
);
}
function mountAll(digest, data, mount) {
for (const root of document.querySelectorAll(
`.plab[data-plab="${digest}"]:not([data-mounted])`,
)) {
root.dataset.mounted = "";
root.replaceChildren();
followTheme(root);
mount(root, data);
}
}
function leaderboard(pool, k) {
const boards = new Map(pool.classes.map((c) => [c, []]));
const offer = (image, c) => {
const board = boards.get(c);
const score = pool.score(image, c);
const full = board.length >= k;
if (full && score <= board[board.length - 1].score) return false;
board.push({ score, image });
if (full) { // only from here on is the board kept in order
board.sort((a, b) => b.score - a.score || b.image - a.image);
board.length = k;
}
return true;
};
for (let image = 0; image < pool.n; image++) {
const [first, ...others] = pool.order(image);
if (!offer(image, first)) for (const c of others) offer(image, c);
}
return {
index: pool.classes.flatMap((c) => boards.get(c).map((entry) => entry.image)),
label: pool.classes.flatMap((c) => boards.get(c).map(() => c)),
};
}
function poolOf({ n, classes, score, order, reaches }) {
const columns = new Map();
const orders = range(n).map(order);
const column = (c) => {
if (!columns.has(c)) {
const sorted = range(n).sort((a, b) => score(b, c) - score(a, c) || a - b);
columns.set(c, sorted);
}
return columns.get(c);
};
return {
n,
classes,
score,
reaches,
column,
order: (i) => orders[i],
first: (i) => orders[i][0],
};
}
function poolFromScores(scores, n, nClasses, classes) {
const given = (i, c) => scores[i * nClasses + c];
const top = Float64Array.from(range(n), (i) => Math.max(...classes.map((c) => given(i, c))));
const total = (i) => classes.reduce((sum, c) => sum + Math.exp(given(i, c) - top[i]), 0);
const isPart = classes.length < nClasses;
const rest = Float64Array.from(range(n), (i) => (isPart ? Math.log(total(i)) : 0));
const score = (i, c) => (isPart ? given(i, c) - top[i] - rest[i] : given(i, c));
const order = (i) => [...classes].sort((a, b) => score(i, b) - score(i, a));
return poolOf({
n,
classes,
score,
order,
reaches: (i, threshold) => (isPart ? -rest[i] : top[i]) >= Math.log(threshold),
});
}
function take(pool, k, keep) {
const chosen = pool.classes.map((c) =>
pool
.column(c)
.filter((i) => keep(i, c))
.slice(0, k),
);
return {
index: chosen.flat(),
label: chosen.flatMap((images, at) => images.map(() => pool.classes[at])),
};
}
const SELECT = {
top_k: (pool, k) => take(pool, k, () => true),
argmax_top_k: (pool, k) => take(pool, k, (i, c) => pool.first(i) === c),
leaderboard,
threshold: (pool, threshold) =>
take(pool, Infinity, (i, c) => pool.first(i) === c && pool.reaches(i, threshold)),
};
const SELECTOR_NAMES = [
["top_k", "top-K"],
["argmax_top_k", "argmax-only top-K"],
["leaderboard", "leaderboard"],
["threshold", "threshold"],
];
function auditOf({ index, label }, truth, nClasses) {
const classes = range(nClasses).map(() => ({ given: 0, known: 0, right: 0 }));
const labels = new Map();
index.forEach((image, at) => {
const row = classes[label[at]];
row.given += 1;
row.known += truth[image] >= 0;
row.right += truth[image] === label[at];
labels.set(image, (labels.get(image) ?? 0) + 1);
});
for (const row of classes) row.precision = row.known ? row.right / row.known : null;
const total = (name) => sum(classes.map((row) => row[name]));
const ranked = range(nClasses)
.filter((c) => known(classes[c].precision))
.sort((a, b) => classes[a].precision - classes[b].precision);
return {
classes,
given: total("given"),
right: total("right"),
precision: total("known") ? total("right") / total("known") : null,
covered: labels.size,
double: sum([...labels.values()].filter((times) => times > 1)),
weakest: ranked.length ? ranked[0] : null,
};
}
function slider(name, { min = 0, max, step = 1, value, text = String, marks = [] }, change) {
const id = freshId();
const shown = make("b", {});
const tell = () => {
shown.textContent = text(Number(input.value));
input.setAttribute("aria-valuetext", shown.textContent);
};
const input = make("input", {
type: "range",
id,
min,
max,
step,
value,
oninput: () => {
tell();
change(Number(input.value));
},
});
const box = make(
"div",
{ class: "slider" },
make("label", { for: id }, `${name} `, shown),
input,
marks.length
? make(
"div",
{ class: "marks quiet", "aria-hidden": "true" },
...marks.map(([at, label], i) =>
make(
"span",
{
class: i && Math.abs(at - marks[i - 1][0]) < 0.2 * (max - min) ? "lower" : "",
style: `left:${(100 * (at - min)) / (max - min)}%`,
},
label,
),
),
)
: null,
);
tell();
return Object.assign(box, {
set(position, top = max) {
input.max = top;
input.value = position;
tell();
},
enable(on) {
input.disabled = !on;
box.classList.toggle("off", !on);
},
tell,
});
}
const field = (name, ...content) =>
make(
"div",
{ class: "field" },
make("span", { class: "quiet", "aria-hidden": "true" }, name),
...content,
);
function announcer() {
const line = make("p", { class: "visually-hidden", "aria-live": "polite" });
let waiting = null;
line.tell = (text, pause = 700) => {
clearTimeout(waiting);
waiting = setTimeout(() => {
line.textContent = text;
}, pause);
};
return line;
}
const tiles = (entries) =>
make(
"dl",
{ class: "tiles" },
...entries.map(([name, value]) =>
make("div", {}, make("dt", { class: "quiet" }, name), make("dd", {}, value)),
),
);
function mulberry32(seed) {
let state = seed | 0;
return () => {
state = (state + 0x6d2b79f5) | 0;
let t = Math.imul(state ^ (state >>> 15), 1 | state);
t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
}
function drawShots(labels, nClasses, shots, seed) {
const next = mulberry32(seed);
const drawn = [];
for (let c = 0; c < nClasses; c++) {
const members = range(labels.length).filter((i) => labels[i] === c);
for (let at = 0; at < Math.min(shots, members.length); at++) {
const other = at + Math.floor(next() * (members.length - at));
[members[at], members[other]] = [members[other], members[at]];
drawn.push(members[at]);
}
}
return drawn.sort((a, b) => a - b);
}
function splitOf(labels, nClasses, { paradigm, kept, seen, shots, seed }) {
const everyClass = range(nClasses);
const isSeen = new Set(seen);
if (paradigm === "ul") return { labelled: [], pool: [...kept], allowed: everyClass };
if (paradigm === "ssl") {
const labelled = drawShots(labels, nClasses, shots, seed);
const drawn = new Set(labelled);
return { labelled, pool: [...kept].filter((i) => !drawn.has(i)), allowed: everyClass };
}
return {
labelled: range(labels.length).filter((i) => isSeen.has(labels[i])),
pool: [...kept].filter((i) => !isSeen.has(labels[i])),
allowed: everyClass.filter((c) => !isSeen.has(c)),
};
}
const WEIGHTS = { ssl: (L, P) => [P / L, 1], trzsl: (L, P) => [1, L / P], ul: () => [0, 1] };
const weightsOf = (paradigm) => (L, P) =>
P === 0 ? [1, 0] : L === 0 ? [0, 1] : WEIGHTS[paradigm](L, P);
const weightsByHand = (gamma, lambda) => (L, P) => [L ? gamma : 0, P ? lambda : 0];
const growing = (rounds) => (i, U, C) => Math.max(1, Math.floor((i * U) / (rounds * C)));
const constant = (k) => () => k;
function unitRows(numbers, width) {
const out = Float64Array.from(numbers);
for (let at = 0; at < out.length; at += width) {
let square = 0;
for (let j = at; j < at + width; j++) square += out[j] * out[j];
const length = Math.sqrt(square);
for (let j = at; j < at + width; j++) out[j] /= length;
}
return out;
}
function logitsOf(x, rows, w, width, scale) {
const nClasses = w.length / width;
const logits = new Float64Array(rows.length * nClasses);
rows.forEach((row, at) => {
for (let c = 0; c < nClasses; c++) {
let dot = 0;
for (let j = 0; j < width; j++) dot += x[row * width + j] * w[c * width + j];
logits[at * nClasses + c] = scale * dot;
}
});
return logits;
}
function logSoftmax(logits, nClasses) {
for (let at = 0; at < logits.length; at += nClasses) {
let top = -Infinity;
let total = 0;
for (let c = at; c < at + nClasses; c++) top = Math.max(top, logits[c]);
for (let c = at; c < at + nClasses; c++) total += Math.exp(logits[c] - top);
const norm = top + Math.log(total);
for (let c = at; c < at + nClasses; c++) logits[c] -= norm;
}
return logits;
}
function lossAndGradient(w, { x, rows, targets, weights, width, scale }) {
const nClasses = w.length / width;
const scores = logSoftmax(logitsOf(x, rows, w, width, scale), nClasses);
const gradient = new Float64Array(w.length);
let loss = 0;
rows.forEach((row, at) => {
loss -= weights[at] * scores[at * nClasses + targets[at]];
for (let c = 0; c < nClasses; c++) {
const pull =
scale * weights[at] * (Math.exp(scores[at * nClasses + c]) - (c === targets[at]));
for (let j = 0; j < width; j++) gradient[c * width + j] += pull * x[row * width + j];
}
});
for (let c = 0; c < w.length; c += width) {
let outward = 0;
for (let j = c; j < c + width; j++) outward += gradient[j] * w[j];
for (let j = c; j < c + width; j++) gradient[j] -= outward * w[j];
}
return { loss, gradient };
}
function* classVectorTuning({
x,
width,
start,
scale,
labels,
split,
weights,
k,
rounds,
select,
threshold,
rate,
steps,
}) {
const { labelled, pool, allowed } = split;
const nClasses = start.length / width;
const labeller = (w) =>
poolFromScores(
logSoftmax(logitsOf(x, pool, w, width, scale), nClasses),
pool.length,
nClasses,
allowed,
);
const byZeroShot = labeller(start);
let w = start;
for (let round = 1; round <= rounds; round++) {
const images = Math.min(k(round, pool.length, allowed.length), pool.length);
const argument = select === "threshold" ? threshold : images;
const chosen = SELECT[select](round === 1 ? byZeroShot : labeller(w), argument);
const zeroShot = SELECT[select](byZeroShot, argument);
const L = labelled.length;
const P = chosen.index.length;
const [gamma, lambda] = weights(L, P);
if (!(L || P))
throw new Error(
"The selector took no image, and no image is labelled: there is nothing to learn from." +
" Choose a lower threshold, or another selector.",
);
if (gamma + lambda === 0)
throw new Error(
"Both weights are 0 for what there is: there is nothing to learn from." +
" Raise \u03b3 or \u03bb.",
);
const terms = {
x,
width,
scale,
rows: [...labelled, ...chosen.index.map((i) => pool[i])],
targets: [...labelled.map((i) => labels[i]), ...chosen.label],
weights: [...labelled.map(() => gamma / L), ...chosen.index.map(() => lambda / P)],
};
w = start;
for (let step = 1; step <= steps; step++) {
const { gradient } = lossAndGradient(w, terms);
const before = w;
w = unitRows(
gradient.map((slope, j) => before[j] - (rate / (gamma + lambda)) * slope),
width,
);
yield { round, step };
}
yield {
record: {
round,
k: images,
gamma,
lambda,
loss: lossAndGradient(w, terms).loss,
chosen,
zeroShot,
vectors: w,
},
};
}
}
const shareRight = (predictions, truth, counts = () => true) => {
const those = range(truth.length).filter((i) => counts(truth[i]));
return those.length
? those.filter((i) => predictions[i] === truth[i]).length / those.length
: null;
};
function scoreOf(predictions, truth, seen) {
if (!seen) return shareRight(predictions, truth);
const a = shareRight(predictions, truth, (label) => seen.includes(label));
const b = shareRight(predictions, truth, (label) => !seen.includes(label));
return a && b ? 2 / (1 / a + 1 / b) : 0;
}
function classAccuracy(predictions, truth, nClasses, counts = () => true) {
const right = new Float64Array(nClasses);
const all = new Float64Array(nClasses);
for (let i = 0; i < truth.length; i++)
if (counts(i)) {
all[truth[i]] += 1;
right[truth[i]] += predictions[i] === truth[i];
}
return range(nClasses).map((c) => (all[c] ? right[c] / all[c] : null));
}
function quarterChanges(before, after, truth, halves, nClasses, n) {
const weak = [];
const strong = [];
const mean = (numbers) => sum(numbers) / numbers.length;
for (const bit of range(16)) {
const first = (i) => (halves[i] >> bit) & 1;
const other = (i) => !first(i);
const rank = classAccuracy(before, truth, nClasses, first);
const from = classAccuracy(before, truth, nClasses, other);
const to = classAccuracy(after, truth, nClasses, other);
const order = range(nClasses).sort((a, b) => rank[a] - rank[b]);
const change = order.map((c) => to[c] - from[c]);
weak.push(...change.slice(0, n));
strong.push(...change.slice(-n));
}
return [mean(weak), mean(strong)];
}
const HIGHEST = 60;
const weightAt = (place) =>
place === 0 ? 0 : Number((0.05 * 2000 ** ((place - 1) / (HIGHEST - 1))).toPrecision(2));
const placeOf = (weight) =>
weight <= 0
? 0
: Math.max(
1,
Math.min(
HIGHEST,
Math.round(1 + ((HIGHEST - 1) * Math.log(weight / 0.05)) / Math.log(2000)),
),
);
const PARADIGMS = { ul: "UL", ssl: "SSL", trzsl: "TRZSL" };
const symbol = (shape, colour, hollow) =>
draw(
"svg",
{ width: 16, height: 16, viewBox: "0 0 16 16", style: "width:16px", "aria-hidden": "true" },
mark(shape, 8, 8, 5, colour, hollow),
);
function dotsRow(name, before, now, earlier) {
const place = (share, ...content) =>
make("span", { class: "dot", style: `left:${100 * share}%` }, ...content);
const rate = (share) => Math.round(100 * share);
const gained = now >= before;
const colour = gained ? "var(--blue)" : "var(--vermilion)";
return make(
"li",
{ class: "class-row" },
make("bdi", { class: "name", title: name }, name),
make(
"span",
{ class: "lane dots", "aria-hidden": "true" },
known(earlier) ? make("span", { class: "was", style: `left:${100 * earlier}%` }) : null,
known(now)
? make("span", {
class: "span-of-change",
style: [
`left:${100 * Math.min(now, before)}%`,
`width:${100 * Math.abs(now - before)}%`,
`background:${colour}`,
].join(";"),
})
: null,
place(before, symbol("circle", "var(--ink)", true)),
known(now) ? place(now, symbol(gained ? "right" : "left", colour)) : null,
),
make(
"span",
{ class: "counts" },
known(now) ? `${rate(before)} to ${rate(now)} %` : `${rate(before)} %`,
),
);
}
function dotsKey(earlier) {
const entry = (name, sign) => make("span", { class: "key" }, sign, name);
return make(
"div",
{ class: "row quiet", style: "gap:2px 14px" },
entry("zero-shot", symbol("circle", "var(--ink)", true)),
entry("gained", symbol("right", "var(--blue)")),
entry("lost", symbol("left", "var(--vermilion)")),
earlier
? entry("outcome before", make("span", { class: "was key-was", "aria-hidden": "true" }))
: null,
);
}
function mount(root, data) {
const { names, width, scale, seen } = data;
const nClasses = names.length;
const x = unitRows(unpack(data.images), width);
const start = unitRows(unpack(data.vectors), width);
const labels = unpack(data.labels);
const truth = unpack(data.truth);
const halves = unpack(data.halves);
const nTrain = labels.length;
const testRows = range(truth.length).map((i) => nTrain + i);
const kept = Object.fromEntries(
Object.entries(data.kept).map(([ratio, packed]) => [ratio, [...unpack(packed)]]),
);
const predict = (w) => {
const logits = logitsOf(x, testRows, w, width, scale);
return range(truth.length).map((i) =>
argmax(logits.subarray(i * nClasses, (i + 1) * nClasses)),
);
};
const atFirst = predict(start);
const before = classAccuracy(atFirst, truth, nClasses);
const even = Math.max(1, Math.floor(nTrain / nClasses));
const state = {
paradigm: "ul",
grows: true,
k: Math.min(16, even),
selector: "top_k",
threshold: 0.95,
gamma: 0,
lambda: 1,
byHand: false,
rounds: 10,
shots: 2,
seed: 0,
ratio: "1",
};
let history = [];
let current = null;
let running = false;
let stopped = false;
let runs = 0;
const splitNow = () =>
splitOf(labels, nClasses, {
paradigm: state.paradigm,
kept: kept[state.ratio],
seen,
shots: state.shots,
seed: state.seed,
});
const scheduleNow = () => (state.grows ? growing(state.rounds) : constant(state.k));
const lastK = ({ pool, allowed }) =>
Math.min(scheduleNow()(state.rounds, pool.length, allowed.length), pool.length);
const paradigmWeights = (paradigm) => {
const split = splitOf(labels, nClasses, { ...state, paradigm, kept: kept[state.ratio], seen });
return weightsOf(paradigm)(split.labelled.length, lastK(split) * split.allowed.length);
};
const paradigms = choice("Paradigm", Object.entries(PARADIGMS), state.paradigm, (paradigm) => {
state.paradigm = paradigm;
state.byHand = false;
refresh();
});
const shots = slider(
"Labelled images per class (shots)",
{ min: 1, max: Math.min(10, even), value: state.shots },
(value) => {
state.shots = value;
refresh();
},
);
const seedId = freshId();
const seed = make(
"div",
{ class: "row" },
make("label", { for: seedId, class: "quiet" }, "Draw of the shots"),
make("input", {
type: "number",
id: seedId,
min: 0,
max: 999,
value: 0,
style: "width:5.2em",
onchange: (event) => {
state.seed = Math.max(0, Math.min(999, Math.floor(Number(event.target.value) || 0)));
event.target.value = state.seed;
},
}),
);
const schedules = choice(
"K by round",
[
["grows", "grows (GRIP)"],
["stays", "stays (FPL, IFPL)"],
],
"grows",
(value) => {
state.grows = value === "grows";
refresh();
},
);
const kSlider = slider(
"K, images per class",
{ min: 1, max: even, value: state.k, text: (k) => (state.grows ? kText() : String(k)) },
(k) => {
state.k = k;
refresh();
},
);
const selectors = choice("Selector", SELECTOR_NAMES, state.selector, (value) => {
state.selector = value;
refresh();
});
const thresholds = slider(
"Threshold",
{ min: 50, max: 99, value: 95, text: (value) => (value / 100).toFixed(2) },
(value) => {
state.threshold = value / 100;
},
);
const byHand = () => {
state.byHand = true;
state.gamma = weightAt(Number(gamma.querySelector("input").value));
state.lambda = weightAt(Number(lambda.querySelector("input").value));
refresh();
};
const marksOf = (which) => {
const places = new Map();
for (const paradigm of ["ul", "ssl", "trzsl"]) {
const at = placeOf(paradigmWeights(paradigm)[which]);
places.set(at, [...(places.get(at) ?? []), PARADIGMS[paradigm]]);
}
return [...places].map(([at, who]) => [at, who.join(", ")]);
};
const weightText = (formula, which) => (place) => {
if (state.byHand) return `${weightAt(place)}, by hand`;
const weight = paradigmWeights(state.paradigm)[which];
return `${Number(weight.toPrecision(2))}${formula[state.paradigm]}`;
};
const gamma = slider(
"\u03b3, weight of the labelled images",
{
max: HIGHEST,
value: 0,
marks: marksOf(0),
text: weightText({ ul: ", nothing labelled", ssl: " = |U| / |L|", trzsl: "" }, 0),
},
byHand,
);
const lambda = slider(
"\u03bb, weight of the pseudolabelled",
{
max: HIGHEST,
value: placeOf(1),
marks: marksOf(1),
text: weightText({ ul: "", ssl: "", trzsl: " = |L| / |U|" }, 1),
},
byHand,
);
const rounds = slider("Rounds", { min: 1, max: 15, value: state.rounds }, (value) => {
state.rounds = value;
refresh();
});
const ratios = choice(
"Imbalance of the pool, commonest class to rarest",
Object.keys(kept).map((ratio) => [ratio, `${ratio} : 1`]),
state.ratio,
(value) => {
state.ratio = value;
refresh();
},
);
const button = make(
"button",
{ type: "button", class: "main", onclick: () => (running ? (stopped = true) : train()) },
"Train",
);
const progress = make("progress", { max: 1, value: 0, "aria-label": "Training" });
const status = make("span", { class: "quiet" });
const headline = make("div");
const chartBox = make("div");
const chartKey = make("div");
const dots = make("div");
const past = make("div");
const table = make("div");
const live = announcer();
root.classList.add("playground");
root.append(
title(data.title),
make("p", { class: "quiet" }, data.about),
make("p", { class: "try" }, data.tryThis),
make(
"div",
{ class: "controls" },
make("div", {}, field("Paradigm: what is labelled", paradigms), shots, seed),
make("div", {}, field("K by round", schedules), kSlider, rounds),
make(
"div",
{},
field("Selector", selectors),
thresholds,
field("Imbalance of the pool", ratios),
),
make("div", {}, gamma, lambda),
),
make("div", { class: "row", style: "margin-bottom:10px" }, button, progress, status),
make(
"div",
{ class: "playground-halves" },
make("div", {}, headline, chartBox, chartKey),
dots,
),
past,
make(
"details",
{
ontoggle: (event) => {
if (event.target.open) paintTable();
},
},
make("summary", {}, "The rounds and the classes as tables"),
table,
),
live,
);
const chart = onWidth(chartBox, paintChart);
function kText() {
const split = splitNow();
const of = (i) =>
Math.min(scheduleNow()(i, split.pool.length, split.allowed.length), split.pool.length);
return state.rounds > 1 ? `${of(1)} to ${of(state.rounds)}` : String(of(1));
}
function refresh() {
const [g, l] = state.byHand ? [state.gamma, state.lambda] : paradigmWeights(state.paradigm);
gamma.set(placeOf(g));
lambda.set(placeOf(l));
gamma.enable(state.paradigm !== "ul");
shots.hidden = seed.hidden = state.paradigm !== "ssl";
thresholds.hidden = state.selector !== "threshold";
kSlider.enable(!state.grows && state.selector !== "threshold");
kSlider.tell();
}
const describeShots = () => {
if (state.paradigm !== "ssl") return "";
const draw = state.seed ? `, draw ${state.seed}` : "";
return ` with ${state.shots} shots${draw}`;
};
const describeSelector = () => {
if (state.selector === "threshold") return `threshold ${state.threshold}`;
const [, name] = SELECTOR_NAMES.find(([key]) => key === state.selector);
return `${name}, K ${kSlider.querySelector("b").textContent}`;
};
const describe = () =>
[
`${PARADIGMS[state.paradigm]}${describeShots()}`,
describeSelector(),
state.byHand ? `\u03b3 ${state.gamma}, \u03bb ${state.lambda}` : null,
`${state.rounds} ${state.rounds === 1 ? "round" : "rounds"}`,
state.ratio === "1" ? null : `pool ${state.ratio} : 1`,
]
.filter(known)
.join("; ");
async function train() {
const split = splitNow();
const seenNow = state.paradigm === "trzsl" ? seen : null;
const planned = state.rounds;
const poolTruth = split.pool.map((i) => labels[i]);
const job = classVectorTuning({
x,
width,
start,
scale,
labels,
split,
weights: state.byHand ? weightsByHand(state.gamma, state.lambda) : weightsOf(state.paradigm),
k: scheduleNow(),
rounds: planned,
select: state.selector,
threshold: state.threshold,
rate: data.rate,
steps: data.steps,
});
if (current) history = [...history, current];
current = {
number: ++runs,
name: describe(),
seen: seenNow,
records: [],
scores: [scoreOf(atFirst, truth, seenNow)],
precision: [null],
zeroShot: [null],
after: before,
ends: [0, 0],
};
running = true;
stopped = false;
button.textContent = "Stop";
live.tell("Training has begun.", 0);
let began = performance.now();
let trouble = null;
try {
for (const event of job) {
if (event.record) keep(event.record, poolTruth);
else {
progress.value = ((event.round - 1) * data.steps + event.step) / (planned * data.steps);
}
if (performance.now() - began < 16) continue;
status.textContent = `round ${Math.min(planned, current.records.length + 1)} of ${planned}`;
await new Promise((done) => setTimeout(done)); // let the page answer
if (stopped) break;
began = performance.now();
}
} catch (error) {
trouble = error.message;
}
running = false;
button.textContent = "Train";
if (current.records.length < planned)
current.name += `; ended after round ${current.records.length}`;
if (current.records.length === 0) {
runs -= 1;
current = history.pop() ?? null;
}
status.textContent = trouble ?? (stopped ? "stopped" : "done");
paint();
live.tell(trouble ?? sentence(), 50);
}
function keep(record, poolTruth) {
const predictions = predict(record.vectors);
current.records.push({
round: record.round,
k: record.k,
loss: record.loss,
labels: record.chosen.index.length,
});
current.scores.push(scoreOf(predictions, truth, current.seen));
current.precision.push(auditOf(record.chosen, poolTruth, nClasses).precision);
current.zeroShot.push(auditOf(record.zeroShot, poolTruth, nClasses).precision);
current.after = classAccuracy(predictions, truth, nClasses);
current.ends = quarterChanges(atFirst, predictions, truth, halves, nClasses, data.quarter);
paint();
}
const last = (numbers) => numbers[numbers.length - 1];
const metric = (run) => (run.seen ? "harmonic mean" : "accuracy");
const sentence = () => {
if (!current) return "Nothing trained yet.";
const [weak, strong] = current.ends;
return (
`Weakest quarter of the classes ${points(weak)} points,` +
` strongest quarter ${points(strong)}.`
);
};
function paint() {
const run = current ?? { scores: [scoreOf(atFirst, truth, null)], seen: null };
const from = run.scores[0];
const to = last(run.scores);
const doubt = run.seen
? ""
: `, \u00b1 ${(196 * Math.sqrt((to * (1 - to)) / truth.length)).toFixed(1)}`;
const measured = `${metric(run)} on ${truth.length} test images${doubt}`;
headline.replaceChildren(
make(
"div",
{ class: "row" },
make("span", { class: "big" }, percent(to)),
current
? make("span", { class: to < from ? "big down" : "big up" }, points(to - from))
: null,
),
make(
"p",
{ class: "quiet" },
current
? `outcome ${run.number}: ${measured}; zero-shot ${percent(from)}`
: `zero-shot ${measured}`,
),
make(
"p",
{ class: "quarters-line" },
current ? sentence() : "The circles are zero-shot CLIP's accuracy, class by class.",
),
);
chart();
chartKey.replaceChildren(
legend([
["accuracy", "var(--blue)", "circle"],
["zero-shot accuracy", "var(--quiet)", null, true],
["right pseudolabels", "var(--green)", "diamond"],
["zero-shot's at the same K", "var(--orange)", "square", true, true],
...(history.length ? [["accuracy of earlier outcomes", "var(--faint)", null]] : []),
]),
);
paintDots();
paintPast();
if (root.querySelector("details").open) paintTable();
}
function paintChart(space) {
const length = Math.max(
2,
state.rounds + 1,
...[current, ...history].filter(known).map((run) => run.scores.length),
);
const run = current ?? {
scores: [scoreOf(atFirst, truth, null)],
precision: [null],
zeroShot: [null],
seen: null,
};
const series = [
...history.slice(-4).map((earlier) => ({
name: `earlier outcome ${earlier.number}`,
values: earlier.scores,
colour: "var(--faint)",
})),
{
name: "zero-shot accuracy",
values: range(length).map(() => run.scores[0]),
colour: "var(--quiet)",
dashed: true,
},
{
name: "right pseudolabels of zero-shot CLIP at the same K",
values: run.zeroShot,
colour: "var(--orange)",
marker: "square",
dashed: true,
hollow: true,
},
{
name: "right pseudolabels",
values: run.precision,
colour: "var(--green)",
marker: "diamond",
},
{
name: run.seen ? "harmonic mean" : "accuracy",
values: run.scores,
colour: "var(--blue)",
marker: "circle",
},
];
const values = series.flatMap((line) => line.values).filter(known);
chartBox.replaceChildren(
lineChart(space, series, {
height: 210,
label: "By round",
xs: range(length),
low: Math.min(...values),
high: Math.max(...values, Math.min(...values) + 0.2),
}),
make("p", { class: "quiet", style: "text-align:center", "aria-hidden": "true" }, "round"),
);
}
function paintDots() {
const earlier = history.length ? last(history).after : null;
dots.replaceChildren(
part("Test accuracy by class"),
dotsKey(earlier),
make(
"ul",
{ class: "class-list" },
...range(nClasses)
.sort((a, b) => before[a] - before[b])
.map((c) => dotsRow(names[c], before[c], current?.after[c], earlier?.[c])),
),
make(
"p",
{ class: "quiet" },
"Weakest class first. For the quarters, classes are ranked on one half of the test images",
" and measured on the other, so that chance does not pass for a gain.",
),
);
}
function paintPast() {
const runsNow = [...history, current].filter((run) => run && run.scores.length > 1);
if (!runsNow.length) {
past.replaceChildren();
return;
}
past.replaceChildren(
make(
"div",
{ class: "row", style: "margin-top:12px" },
part("Outcomes so far"),
make(
"button",
{
type: "button",
disabled: running,
onclick: () => {
history = [];
current = null;
progress.value = 0;
status.textContent = "";
paint();
button.focus();
live.tell("Outcomes cleared.");
},
},
"Clear",
),
),
plainTable(
"Outcomes so far",
[
"outcome",
"accuracy",
"gain",
"weakest quarter",
"strongest quarter",
"right pseudolabels",
],
runsNow.map((run) => [
`${run.number}. ${run.name}`,
percent(last(run.scores)) + (run.seen ? " (harmonic)" : ""),
points(last(run.scores) - run.scores[0]),
...run.ends.map(points),
percent(last(run.precision)),
]),
),
);
}
function paintTable() {
const run = current;
const share = (value) => (known(value) ? percent(value) : "");
table.replaceChildren(
run
? plainTable(
"By round",
["round", "K", "labels", "loss", metric(run), "right pseudolabels", "zero-shot's"],
run.records.map((record, i) => [
String(record.round),
record.k,
record.labels,
record.loss.toFixed(4),
share(run.scores[i + 1]),
share(run.precision[i + 1]),
share(run.zeroShot[i + 1]),
]),
)
: make("p", { class: "quiet" }, "Nothing trained yet."),
plainTable(
"By class",
["class", "zero-shot", "now"],
names.map((name, c) => [name, share(before[c]), share((run?.after ?? before)[c])]),
),
);
}
refresh();
paint();
}
use(mountAll, mount);
};
