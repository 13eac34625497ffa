(globalThis.plabFigures ??= {})["072f13bf1ce7"] = (use) => {
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
const PICTURES = 60; // shown of one class at most
function poolFromRanks({ n, names, thresholds, ...packed }) {
const nClasses = names.length;
const ranks = unpack(packed.ranks);
const orders = unpack(packed.order);
const reach = unpack(packed.reach);
const place = new Map(thresholds.map((threshold, at) => [threshold, at]));
return poolOf({
n,
classes: range(nClasses),
score: (i, c) => ranks[i * nClasses + c],
order: (i) => orders.subarray(i * nClasses, (i + 1) * nClasses),
reaches: (i, threshold) => reach[i] > place.get(threshold),
});
}
function mount(root, data) {
const { names, thresholds, sprite, n } = data;
const nClasses = names.length;
const truth = unpack(data.truth);
const pool = poolFromRanks(data);
const present = range(nClasses).map((c) =>
truth.reduce((total, label) => total + (label === c), 0),
);
const labelled = present.some((count) => count > 0);
const even = Math.max(1, Math.floor(n / nClasses));
const state = {
selector: "top_k",
k: data.k,
at: thresholds.indexOf(0.95),
selected: null,
before: null,
};
const ofK = () => state.selector !== "threshold";
const setting = () => (ofK() ? `K = ${state.k}` : `threshold ${thresholds[state.at]}`);
const nameOf = (selector) => SELECTOR_NAMES.find(([key]) => key === selector)[1];
const kSlider = slider(
"K, images per class",
{ min: 1, max: Math.min(n, 2 * even), value: state.k, marks: [[even, `even share ${even}`]] },
(k) => {
state.k = k;
soon();
},
);
const cutSlider = slider(
"Threshold, probability of the class",
{ max: thresholds.length - 1, value: state.at, text: (at) => String(thresholds[at]) },
(at) => {
state.at = at;
soon();
},
);
const selectors = choice("Selector", SELECTOR_NAMES, state.selector, (selector) => {
state.before = result;
state.wasNamed = `${nameOf(state.selector)}, ${setting()}`;
state.selector = selector;
soon();
});
const rows = names.map(makeRow);
const classes = sprite
? choice(
"Class, to see its pictures",
rows.map((row, c) => [c, row.box]),
null,
(c) => {
state.selected = c;
soon();
},
)
: make("ul", {}, ...rows.map((row) => make("li", {}, row.box)));
classes.className = "classes";
const numbers = make("div");
const key = make("div");
const axis = make("div", { class: "axis quiet", "aria-hidden": "true" });
const pictures = make("div", { class: "chosen-pictures" });
const table = make("div");
const live = announcer();
const details = make(
"details",
{ ontoggle: () => soon() },
make("summary", {}, "The same as a table"),
table,
);
root.classList.add("playground");
root.append(
title(data.title),
make("p", { class: "quiet" }, data.about),
make("p", { class: "try" }, data.tryThis),
make(
"div",
{ class: "controls" },
field("Selector", selectors),
make("div", {}, kSlider, cutSlider),
),
numbers,
key,
classes,
axis,
sprite ? pictures : null,
details,
live,
);
let result = null;
let waiting = false;
function soon() {
if (waiting) return;
waiting = true;
requestAnimationFrame(() => {
waiting = false;
paint();
tell();
});
}
function paint() {
kSlider.hidden = !ofK();
cutSlider.hidden = ofK();
const chosen = SELECT[state.selector](pool, ofK() ? state.k : thresholds[state.at]);
result = auditOf(chosen, truth, nClasses);
const most = Math.max(1, ...result.classes.map((row) => row.given), ...present);
const end = Math.ceil(most / 20) * 20;
rows.forEach((row, c) => row.paint(result.classes[c], state.before?.classes[c], end));
axis.replaceChildren(make("span", {}, "0"), make("span", {}, `${end} images`));
numbers.replaceChildren(
tiles([
["labels given", result.given],
["right", labelled ? result.right : "no labels"],
["precision", percent(result.precision)],
["images with a label", `${result.covered} of ${n}`],
["double labels", result.double],
[
"weakest precision",
result.weakest === null
? "none"
: make(
"span",
{},
`${percent(result.classes[result.weakest].precision)} `,
make("bdi", { class: "quiet" }, names[result.weakest]),
),
],
]),
);
key.replaceChildren(keyOf());
if (sprite && state.selected !== null) showPictures(chosen);
if (details.open)
table.replaceChildren(
plainTable(
"Pseudolabels by class",
["class", "given", "right", "precision", "in the pool"],
names.map((name, c) => [
name,
result.classes[c].given,
result.classes[c].right,
percent(result.classes[c].precision),
present[c],
]),
),
);
}
function tell() {
live.tell(
[
`${nameOf(state.selector)}, ${setting()}: ${result.given} labels`,
`${percent(result.precision)} right`,
`${result.covered} of ${n} images with a label`,
`${result.double} double labels.`,
].join(", "),
);
}
function makeRow(name, c) {
const given = make("span", { class: "given" });
const right = make("span", { class: "hatched" });
const here = make("span", { class: "present" });
const before = make("span", { class: "before" });
const counts = make("span", { class: "counts" });
const box = make(
"span",
{ class: "class-row" },
make("bdi", { class: "name" }, name),
make(
"span",
{ class: "lane", "aria-hidden": "true" },
given,
right,
labelled ? here : null,
before,
),
counts,
);
const inWords = (row) => {
if (row.given === 0) return "none given";
if (!labelled) return `${row.given} given`;
const share = row.precision === null ? "?" : `${Math.round(100 * row.precision)} %`;
return `${row.right} of ${row.given}, ${share}`;
};
const paintRow = (row, was, end) => {
const share = (count) => `${(100 * count) / end}%`;
given.style.width = share(row.given);
right.style.width = share(row.right);
here.style.left = share(present[c]);
before.hidden = !was;
if (was) before.style.left = share(was.right);
counts.textContent = inWords(row);
};
return { box, paint: paintRow };
}
function keyOf() {
const entry = (kind, text) =>
make(
"span",
{ class: "key" },
make(
"span",
{ class: "lane", "aria-hidden": "true" },
make("span", {
class: kind,
style: kind === "given" || kind === "hatched" ? "width:100%" : "left:50%",
}),
),
text,
);
return make(
"div",
{ class: "row quiet keys" },
entry("given", "given"),
...(labelled
? [entry("hatched", "right"), entry("present", "images of the class in the pool")]
: []),
labelled && state.before ? entry("before", `right before: ${state.wasNamed}`) : null,
);
}
function showPictures({ index, label }) {
const c = state.selected;
const images = index.filter((_, at) => label[at] === c);
const shown = images.slice(0, PICTURES);
const tell = (image) =>
truth[image] < 0 ? "" : truth[image] === c ? "right" : `wrong: ${names[truth[image]]}`;
const howMany =
images.length > PICTURES
? `The first ${PICTURES} of ${images.length}`
: `All ${images.length}`;
const order = state.selector === "leaderboard" ? "" : ", surest first";
const frames = labelled ? "A crossed, dashed frame: wrong." : "";
const place = (image) => {
const left = -sprite.size * (image % sprite.columns);
const top = -sprite.size * Math.floor(image / sprite.columns);
return `background-position:${left}px ${top}px`;
};
pictures.replaceChildren(
part("Pictures called ", make("bdi", {}, names[c])),
make(
"p",
{ class: "quiet" },
images.length === 0 ? "None with this setting." : `${howMany}${order}. ${frames}`,
),
make(
"ul",
{ class: "sprites" },
...shown.map((image) =>
make(
"li",
{ class: truth[image] >= 0 && truth[image] !== c ? "miss" : "", title: tell(image) },
make("span", { class: "sprite", style: place(image) }),
make("span", { class: "visually-hidden" }, tell(image) || "not known"),
),
),
),
);
}
if (sprite) {
root.style.setProperty("--sprite", `url("${sprite.src}")`);
root.style.setProperty("--size", `${sprite.size}px`);
}
paint();
if (sprite) {
state.selected = result.weakest ?? 0;
classes.set(state.selected);
paint();
}
}
use(mountAll, mount);
};
