(globalThis.plabFigures ??= {})["a2fc51d50652"] = (use) => {
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
async function openEngine({ script, weights, imageTower, task, folder }) {
if (!globalThis.plabClip) {
if (script) new Function(script)();
else await readScript(`${folder}/clip.js`);
}
const clip = await globalThis.plabClip.start({ folder, weights, imageTower });
return { clip, task: await clip.openTask(task) };
}
function readScript(path) {
return new Promise((resolve, reject) => {
const missing =
`The script ${path} could not be read: this page has no CLIP beside it.` +
" In a notebook, leave `folder` out: then the widget carries it.";
const script = make("script", { src: path });
script.onload = resolve;
script.onerror = () => reject(new Error(missing));
document.head.append(script);
});
}
function engineOf(source, say, warm = () => {}) {
let opening = null;
return () => {
if (!opening) {
say("Fetching the CLIP: 2.1 MB \u2026");
opening = openEngine(source).then(
async (engine) => {
await warm(engine);
say("");
return { ...engine, opened: performance.now() };
},
(error) => {
opening = null;
throw error;
},
);
}
return opening;
};
}
function countsOf(predictions, labels, nClasses) {
const counts = range(nClasses).map(() => new Array(nClasses).fill(0));
predictions.forEach((predicted, i) => {
if (labels[i] >= 0) counts[labels[i]][predicted] += 1;
});
return counts;
}
function confusions(counts, n) {
const wrong = counts.flatMap((row, truth) =>
row.map((images, taken) => ({ truth, taken, images, of: sum(row) })),
);
return wrong
.filter(({ truth, taken, images }) => truth !== taken && images)
.sort((a, b) => b.images - a.images)
.slice(0, n);
}
function confusionText(counts, names) {
const found = confusions(counts, 2);
const line = (...text) => make("p", { class: "confusions" }, ...text);
if (!found.length) return line("No picture is taken for another class.");
const told = found.map(({ truth, taken, images, of }, i) => [
i ? ", and " : "",
`${images} of ${of} pictures of `,
make("b", {}, make("bdi", {}, names[truth])),
" are taken for ",
make("b", {}, make("bdi", {}, names[taken])),
]);
return line("Commonest confusions: ", ...told.flat(), ".");
}
const weakestFirst = (perClass) =>
range(perClass.length)
.filter((c) => known(perClass[c]))
.sort((a, b) => perClass[a] - perClass[b] || a - b);
function classBars(names, perClass, before) {
const whole = (share) => Math.round(100 * share);
const rows = weakestFirst(perClass).map((c) =>
make(
"li",
{ class: "class-row" },
make("bdi", { class: "name", title: names[c] }, names[c]),
make(
"span",
{ class: "lane", "aria-hidden": "true" },
make("span", { class: "share", style: `width:${100 * perClass[c]}%` }),
make("span", { class: "was", style: `left:calc(${100 * before[c]}% - 1.5px)` }),
),
make(
"span",
{ class: "counts" },
`${whole(perClass[c])} %`,
make(
"span",
{ class: perClass[c] < before[c] ? "change down" : "change up" },
perClass[c] === before[c] ? "" : points(perClass[c] - before[c]),
),
),
),
);
return make("ul", { class: "class-list" }, ...rows);
}
const barsKey = (name) =>
make(
"p",
{ class: "quiet" },
make("span", { class: "was key-was", "aria-hidden": "true" }),
`${name}; the weakest class stands first`,
);
const written = (n) => n.toLocaleString("en");
const reach = (score, n) => 1.96 * Math.sqrt((score * (1 - score)) / n);
const measuredOn = (score, n) =>
`accuracy on ${written(n)} test pictures, \u00b1 ${(100 * reach(score, n)).toFixed(1)}`;
function comparison(score, other, n) {
if (score <= other) return "";
return score - other > reach(score, n) ? ", beaten" : ", ahead of it, but within chance";
}
const head = (score, before, quiet) => [
make(
"div",
{ class: "row" },
make("span", { class: "big score" }, percent(score)),
score === before
? null
: make("span", { class: score < before ? "big down" : "big up" }, points(score - before)),
),
make("p", { class: "quiet" }, quiet),
];
const SIDE = 56; // pixels, as the CLIP sees a picture
const BRUSHES = [1, 3, 6, 12]; // pixels across
const MOST_UNDONE = 60;
const STRIDE = 2; // pixels that an arrow key moves the brush
const ARROWS = {
ArrowLeft: [-STRIDE, 0],
ArrowRight: [STRIDE, 0],
ArrowUp: [0, -STRIDE],
ArrowDown: [0, STRIDE],
};
const rgbOf = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
class Painting {
constructor(ground, changed) {
this.canvas = make("canvas", {
width: SIDE,
height: SIDE,
class: "painting",
tabindex: "0",
role: "application",
"aria-label":
"Your picture, 56 by 56 pixels. Draw with mouse, pen or finger, or with keys: arrows" +
" move the brush, Space sets a dot, Shift with an arrow draws",
});
this.pointer = make("span", { class: "pointer", "aria-hidden": "true" });
this.board = make("div", { class: "board" }, this.canvas, this.pointer);
this.context = this.canvas.getContext("2d", { willReadFrequently: true });
this.image = new ImageData(SIDE, SIDE);
this.past = [];
this.colour = ground;
this.width = BRUSHES[1];
this.changed = changed;
this.place = null; // of the brush while it is down
this.stand = [SIDE / 2, SIDE / 2]; // of the brush that keys move
this.caption = ""; // of a picture that was fetched
this.cover(ground);
this.listen();
}
get pixels() {
return this.image.data;
}
show(pixels, caption = "") {
this.caption = caption;
this.image.data.set(pixels);
this.context.putImageData(this.image, 0, 0);
}
cover(colour) {
const [red, green, blue] = rgbOf(colour);
this.show(range(SIDE * SIDE).flatMap(() => [red, green, blue, 255]));
}
mark(work) {
this.past.push([this.pixels.slice(), this.caption]);
if (this.past.length > MOST_UNDONE) this.past.shift();
work();
this.changed();
}
undo() {
if (!this.past.length) return;
this.show(...this.past.pop());
this.changed();
}
listen() {
const { canvas } = this;
canvas.addEventListener("pointerdown", (event) => this.begin(event));
canvas.addEventListener("pointermove", (event) => this.move(event));
for (const end of ["pointerup", "pointercancel"])
canvas.addEventListener(end, () => { this.place = null; });
canvas.addEventListener("keydown", (event) => this.walk(event));
canvas.addEventListener("focus", () => this.point());
}
placeOf({ clientX, clientY }) {
const { left, top, width, height } = this.canvas.getBoundingClientRect();
return [((clientX - left) / width) * SIDE, ((clientY - top) / height) * SIDE];
}
begin(event) {
if (event.button !== 0 || !event.isPrimary) return;
event.preventDefault();
this.canvas.setPointerCapture(event.pointerId);
this.place = this.placeOf(event);
this.mark(() => this.line(this.place, this.place));
}
move(event) {
if (!this.place || !event.isPrimary) return;
const steps = event.getCoalescedEvents?.() ?? [];
for (const step of steps.length ? steps : [event]) {
const place = this.placeOf(step);
this.line(this.place, place);
this.place = place;
}
this.changed();
}
walk(event) {
const steps = ARROWS[event.key] ?? (event.key === " " ? [0, 0] : null);
if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
event.preventDefault();
const from = this.stand;
this.stand = from.map((at, axis) => Math.min(SIDE - 0.5, Math.max(0.5, at + steps[axis])));
this.point();
if (event.shiftKey || event.key === " ") this.mark(() => this.line(from, this.stand));
}
point() {
const [x, y] = this.stand.map((at) => `${(100 * at) / SIDE}%`);
const width = `${(100 * this.width) / SIDE}%`;
this.pointer.style = `left:${x};top:${y};width:${width};height:${width}`;
}
line([x, y], [toX, toY]) {
const steps = Math.max(1, Math.ceil(2 * Math.hypot(toX - x, toY - y)));
for (let i = 0; i <= steps; i++) {
const share = i / steps;
this.dot(x + share * (toX - x), y + share * (toY - y));
}
this.context.putImageData(this.image, 0, 0);
}
dot(x, y) {
const reach = this.width / 2;
const around = (place) =>
range(SIDE).filter((at) => at + 1 > place - reach && at < place + reach);
for (const row of around(y))
for (const column of around(x)) if (this.covers(column, row, x, y)) this.put(column, row);
}
covers(column, row, x, y) {
if (this.width === 1) return column === Math.floor(x) && row === Math.floor(y);
return Math.hypot(column + 0.5 - x, row + 0.5 - y) <= this.width / 2;
}
put(column, row) {
this.pixels.set([...rgbOf(this.colour), 255], 4 * (row * SIDE + column));
}
}
function swatches(name, options, value, change) {
const group = choice(name, options.map(([key]) => [key, ""]), value, change);
options.forEach(([, label, look], at) => {
const button = group.children[at];
button.classList.add("swatch");
button.setAttribute("aria-label", label);
button.title = label;
button.append(look);
});
return group;
}
const paintLook = (colour) => make("span", { class: "paint", style: `background:${colour}` });
const brushLook = (width) =>
make("span", { class: "tip", style: `width:${2 * width}px;height:${2 * width}px` });
const brushName = (width) => `${width} ${width === 1 ? "pixel" : "pixels"} wide`;
const byShare = (shares) => range(shares.length).sort((a, b) => shares[b] - shares[a] || a - b);
function answerBars(names, shares) {
const rows = byShare(shares).map((c) =>
make(
"li",
{ class: "class-row", "data-share": shares[c] },
make("bdi", { class: "name", title: names[c] }, names[c]),
make(
"span",
{ class: "lane", "aria-hidden": "true" },
make("span", { class: "share", style: `width:${100 * shares[c]}%` }),
),
make("span", { class: "counts" }, percent(shares[c])),
),
);
return make("ul", { class: "class-list answer" }, ...rows);
}
function answerText(names, shares) {
const [first, second] = byShare(shares);
const told = `Taken for ${names[first]}, ${percent(shares[first])}`;
return second === undefined ? `${told}.` : `${told}; then ${names[second]}.`;
}
function drawingPart({ paints, names, source, engine, words }) {
const live = announcer();
const status = make("span", { class: "quiet status" });
const trouble = make("p", { class: "said", hidden: true });
const truth = make("p", { class: "quiet truth" });
const answer = make("div");
const brief = make("p", { class: "brief", "aria-hidden": "true" }); // where bars are far below
const [[ground]] = paints;
const painting = new Painting(ground, () => look());
let touched = false; // is there anything to be looked at?
let ready = 0; // when the image tower was there
let failed = false; // does a refusal stand there?
let newest = 0; // of the pictures that are being fetched
let unseen = []; // test pictures that did not come up yet
const ask = newestOnly(async ({ asked }) => {
try {
const given = words();
if (!given) return wait();
if (!ready) tell("Fetching the image tower: 1.8 MB \u2026");
const { clip, opened } = await engine();
await clip.withImageTower();
ready ||= performance.now();
const shares = await clip.classify(painting.pixels, given.sentences);
if (!words()) return wait();
if (failed) note("");
answer.classList.remove("waits");
answer.replaceChildren(answerBars(given.names, shares));
brief.textContent = answerText(given.names, shares);
const took = performance.now() - Math.max(asked, opened, ready);
part.dataset.took = took.toFixed(1);
tell(`answered in ${Math.max(1, Math.round(took))} ms`);
live.tell(brief.textContent, 1200);
} catch (error) {
refuse(error);
}
});
const tell = (text) => { status.textContent = text; };
function look() {
touched = true;
truth.replaceChildren(painting.caption);
undoButton.disabled = !painting.past.length;
ask({ asked: performance.now() });
}
function wait() {
answer.classList.add("waits");
tell("waits for the words above");
}
function refuse({ message }) {
tell("");
trouble.textContent = capital(`${message}.`).replace(/\.\.$/, ".");
trouble.hidden = false;
failed = true;
live.tell(trouble.textContent, 100);
}
function note(text) {
trouble.textContent = text;
trouble.hidden = !text;
failed = false;
}
async function take(fetch) {
newest += 1;
const mine = newest;
try {
tell("Fetching the CLIP \u2026");
await engine();
const found = await fetch();
if (mine !== newest) return;
note(found.note ?? "");
painting.mark(() => painting.show(found.rgba, found.caption));
} catch (error) {
if (mine === newest) refuse(error);
}
}
function takeFile(files) {
part.open = true;
const [file] = files;
take(async () => {
if (!file) throw new Error("no file came with this: drop a picture from your disk");
const found = await globalThis.plabClip.picture(file);
return { ...found, caption: make("bdi", {}, file.name) };
});
}
function takeTest() {
take(async () => {
const found = await globalThis.plabClip.pictures(source.pictures, source.folder);
const { labels, picture } = found;
if (!unseen.length) unseen = range(labels.length);
const [i] = unseen.splice(Math.floor(Math.random() * unseen.length), 1);
const caption = make("span", {}, "A test picture: ", make("b", {}, names[labels[i]]));
return { rgba: picture(i), caption };
});
}
const button = (label, onclick, more = {}) =>
make("button", { type: "button", onclick, ...more }, label);
const undoButton = button("Undo", () => painting.undo(), { disabled: true });
const startAgain = (colour) => {
note("");
painting.mark(() => painting.cover(colour));
};
const input = make("input", {
type: "file",
accept: "image/*",
hidden: true,
onchange: () => {
takeFile([...input.files]);
input.value = "";
},
});
const colours = paints.map(([colour, name]) => [colour, name, paintLook(colour)]);
const usual = paints.at(-1)[0];
const paintChoice = swatches("Colour", colours, usual, (colour) => paintWith(colour));
const own = make("input", {
type: "color",
value: usual,
oninput: () => {
paintChoice.set(own.value);
paintChoice.firstChild.tabIndex = 0; // none is pressed, and the keyboard needs a way in
painting.colour = own.value;
},
});
const brushes = BRUSHES.map((width) => [String(width), brushName(width), brushLook(width)]);
const brushChoice = swatches("Brush", brushes, String(painting.width), (width) => {
painting.width = Number(width);
});
function paintWith(colour) {
painting.colour = colour;
own.value = colour;
}
paintWith(usual);
const part = make(
"details",
{ class: "drawing" },
make("summary", {}, "Draw or drop a picture, and see what it is taken for"),
make(
"div",
{ class: "drawing-halves" },
make(
"div",
{ class: "easel" },
painting.board,
make(
"p",
{ class: "quiet keys" },
"Arrows move the brush, Space sets a dot, Shift with an arrow draws.",
),
brief,
make(
"div",
{ class: "row" },
button("A test picture", takeTest),
button("Choose a file \u2026", () => input.click()),
undoButton,
button("Fill", () => startAgain(painting.colour)),
button("Clear", () => startAgain(ground)),
input,
),
trouble,
field("Brush", brushChoice),
field("Colour", paintChoice, make("label", { class: "own" }, own, "your own")),
),
make("div", { class: "taken" }, truth, answer, status),
),
make(
"p",
{ class: "quiet" },
"Or drop a picture here, or paste one. It is shrunk to 56 \u00d7 56 pixels as in Python;" +
" a photo may differ in the last bits, since browsers decode photos in their own way.",
),
live,
);
const hold = (event) => {
event.preventDefault();
part.classList.toggle("over", event.type === "dragover");
};
for (const name of ["dragover", "dragleave", "drop"]) part.addEventListener(name, hold);
part.addEventListener("drop", ({ dataTransfer }) => takeFile([...dataTransfer.files]));
part.addEventListener("keydown", (event) => {
const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
if (!isUndo) return;
event.preventDefault();
painting.undo();
});
document.addEventListener("paste", ({ clipboardData, target }) => {
const isTyped = target instanceof Element && target.matches("input[type=text], textarea");
const files = [...(clipboardData?.files ?? [])];
if (part.isConnected && part.open && files.length && !isTyped) takeFile(files);
});
answer.append(make("p", { class: "quiet" }, "Draw something: the CLIP answers at once."));
return Object.assign(part, {
again() {
if (touched) ask({ asked: performance.now() });
},
});
}
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/giu;
const filled = (template, names) => names.map((name) => template.replace("{}", () => name));
function faultOf(template, names) {
const pieces = template.split("{}");
if (pieces.length !== 2 || /[{}]/.test(pieces.join("")))
return "Write {} once: the class name goes there.";
if (names.some((name) => !name.trim())) return "A class has no name.";
return null;
}
function markedText(text, unseen) {
const pieces = [];
let at = 0;
for (const { 0: word, index } of text.matchAll(PIECE)) {
if (!unseen.includes(word.toLowerCase())) continue;
pieces.push(text.slice(at, index), make("mark", { title: "CLIP never saw this word" }, word));
at = index + word.length;
}
return make("bdi", {}, ...pieces, text.slice(at));
}
function newestOnly(work) {
let busy = false;
const waiting = [];
const ask = async (question) => {
if (waiting.length && !waiting.at(-1).isKept) waiting.pop();
waiting.push(question);
if (busy) return;
busy = true;
while (waiting.length) {
const next = waiting.shift();
await work(next, () => waiting.length > 0 && !next.isKept);
}
busy = false;
};
return ask;
}
function scoreLine(score, ticks) {
return make(
"div",
{ class: "score-line", "aria-hidden": "true" },
make("span", { class: "share", style: `width:${100 * score}%` }),
...ticks.map(([, share, look]) =>
make("span", { class: `tick ${look}`, style: `left:${100 * share}%` }),
),
);
}
function mountWriting(root, data) {
const { names, published, learned } = data;
const state = { template: data.template, names: [...names] };
let shown = { ...state, ...published };
let tries = [];
const status = make("span", { class: "quiet status" });
const engine = engineOf(
data.source,
(text) => { status.textContent = text; },
({ clip }) => clip.measure(filled(data.template, names)).catch(() => null),
);
const live = announcer();
const inputId = freshId();
const echoId = freshId();
const input = make("input", {
type: "text",
id: inputId,
class: "template",
value: state.template,
spellcheck: "false",
autocomplete: "off",
autocapitalize: "off",
"aria-describedby": echoId,
oninput: () => change({ template: input.value }),
onfocus: () => engine().catch(tellError),
onkeydown: (event) => {
if (event.key === "Enter") keep();
},
});
const fields = names.map((name, c) =>
make("input", {
type: "text",
value: name,
spellcheck: "false",
autocomplete: "off",
oninput: (event) => {
const own = [...state.names];
own[c] = event.target.value;
change({ names: own });
},
}),
);
const echo = make("p", { class: "echo", id: echoId });
const trouble = make("p", { class: "note", hidden: true });
const result = make("div");
const bars = make("div");
const board = make("div");
const keepButton = make("button", { type: "button", onclick: () => keep() }, "Keep this try");
const backButton = make(
"button",
{ type: "button", onclick: () => set({ template: data.template, names: [...names] }) },
"Start again",
);
const drawing = drawingPart({
names,
paints: data.paints,
source: data.source,
engine: () => engine().catch((error) => {
status.textContent = "";
throw error;
}),
words: () => {
if (root.classList.contains("stale")) return null;
return { names: shown.names, sentences: filled(shown.template, shown.names) };
},
});
root.classList.add("playground", "prompt");
root.append(
title(data.title),
make("p", { class: "quiet" }, data.about),
make(
"div",
{ class: "writing" },
make("label", { for: inputId }, "Your template; {} is the class name"),
make("div", { class: "row" }, input, keepButton, backButton),
echo,
trouble,
make(
"details",
{},
make("summary", {}, "The class names"),
make(
"div",
{ class: "names" },
...fields.map((field, c) => make("label", {}, make("bdi", {}, names[c]), field)),
),
),
make(
"details",
{},
make("summary", {}, "Words that CLIP has seen"),
make("p", { class: "quiet words" }, data.words.join(" ")),
),
),
drawing,
make("div", { class: "playground-halves" }, make("div", {}, result, board), bars),
live,
);
const ask = newestOnly(async (question, isOld) => {
try {
const { clip, task, opened } = await engine();
const sentences = filled(question.template, question.names);
const unseen = await clip.unseenPieces(sentences);
if (isOld()) return;
mark(question, unseen);
if (unseen.length) return tellUnseen(unseen);
const { predictions, score, perClass } = await clip.measure(sentences);
const counts = countsOf(predictions, task.testLabels, names.length);
const { template, names: own } = question;
shown = { template, names: own, score, perClass, counts };
say(null);
paint();
const took = performance.now() - Math.max(question.asked, opened);
root.dataset.took = took.toFixed(1);
status.textContent = `${written(data.nTest)} pictures in ${Math.max(1, Math.round(took))} ms`;
live.tell(spoken());
if (question.isKept) addTry();
} catch (error) {
tellError(error);
}
});
function change(some, isKept = false) {
Object.assign(state, some);
const question = { ...state, isKept, asked: performance.now() };
mark(question, []);
const fault = faultOf(state.template, state.names);
if (fault) say(fault);
else ask(question);
}
function set(some) {
input.value = some.template;
some.names.forEach((name, c) => { fields[c].value = name; });
change(some);
}
function say(text) {
trouble.hidden = !text;
trouble.textContent = text ?? "";
root.classList.toggle("stale", Boolean(text));
keepButton.disabled = Boolean(text);
drawing.again();
if (text) live.tell(text);
}
function tellError({ message }) {
status.textContent = "";
say(capital(message));
}
function tellUnseen(unseen) {
const words = unseen.map((word) => `\u201c${word}\u201d`).join(", ");
say(`No caption that CLIP learned from has ${words}. The numbers below wait.`);
}
function mark(question, unseen) {
const sentences = filled(question.template, question.names);
const has = (text) => (text.toLowerCase().match(PIECE) ?? []).some((w) => unseen.includes(w));
const found = sentences.findIndex(has);
const sentence = sentences[found < 0 ? weakestFirst(shown.perClass)[0] : found];
echo.replaceChildren("CLIP reads: ", markedText(sentence, unseen));
input.setAttribute("aria-invalid", has(question.template));
fields.forEach((field, c) => field.setAttribute("aria-invalid", has(question.names[c])));
}
const lines = () => [
["Published template", published.score, "published"],
...(known(learned) ? [["Learned prompt", learned, "learned"]] : []),
];
const spoken = () => {
const weakest = weakestFirst(shown.perClass)[0];
return (
`${percent(shown.score)}, ${points(shown.score - published.score)} points to the published` +
` template. Weakest: ${names[weakest]}, ${percent(shown.perClass[weakest])}.`
);
};
function paint() {
result.replaceChildren(
...head(shown.score, published.score, measuredOn(shown.score, data.nTest)),
scoreLine(shown.score, lines()),
make(
"div",
{ class: "row quiet" },
...lines().map(([name, score, look]) =>
make(
"span",
{},
make("span", { class: `tick ${look}`, "aria-hidden": "true" }),
`${name} ${percent(score)}`,
comparison(shown.score, score, data.nTest),
),
),
status,
),
confusionText(shown.counts, names),
);
bars.replaceChildren(
part("Accuracy by class"),
classBars(names, shown.perClass, published.perClass),
barsKey("published template"),
);
}
const isSame = (one, other) =>
one.template === other.template && one.names.join("\n") === other.names.join("\n");
const ownNames = ({ names: own }) => own.filter((name, c) => name !== names[c]).length;
const keep = () => change({}, true);
function addTry() {
if (!tries.some((one) => isSame(one, shown))) tries.push(shown);
paintBoard();
const place = tries.filter(({ score }) => score > shown.score).length + 1;
live.tell(`Kept: ${percent(shown.score)}, place ${place} of your ${tries.length}.`, 100);
}
function paintBoard() {
if (!tries.length) {
board.replaceChildren(
make("p", { class: "quiet" }, "Enter keeps a try: your best ones are listed here."),
);
return;
}
const own = tries.map((one) => ({ ...one, label: one.template }));
const bars = lines().map(([label, score]) => ({ label, score, isLine: true }));
const sorted = [...own, ...bars].sort((a, b) => b.score - a.score);
const again = (one) =>
make(
"button",
{
type: "button",
"aria-label": `Take up again: ${one.template}`,
onclick: () => {
set({ template: one.template, names: [...one.names] });
input.focus();
},
},
"Again",
);
const changed = (one) => (ownNames(one) ? `, ${ownNames(one)} names of your own` : "");
board.replaceChildren(
part("Your tries"),
plainTable(
"Your tries and the scores to beat, the best first",
["prompt", "accuracy", ""],
sorted.map((one) => [
one.isLine ? make("i", {}, one.label) : `${one.label}${changed(one)}`,
percent(one.score),
one.isLine ? "" : again(one),
]),
),
make(
"button",
{
type: "button",
class: "board-clear",
onclick: () => {
tries = [];
paintBoard();
input.focus();
},
},
"Clear",
),
);
}
mark(state, []);
paint();
paintBoard();
}
const mount = mountWriting;
use(mountAll, mount);
};
