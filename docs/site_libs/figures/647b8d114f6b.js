(globalThis.plabFigures ??= {})["647b8d114f6b"] = (use) => {
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
class Sheet {
constructor({ src, size, columns }) {
Object.assign(this, { size, columns, isReady: false });
this.image = new Image();
this.image.src = src;
this.ready = this.image.decode().then(() => {
this.isReady = true;
});
}
draw(context, i, x, y, side) {
const { size, columns } = this;
const from = [(i % columns) * size, Math.floor(i / columns) * size];
context.drawImage(this.image, ...from, size, size, x, y, side, side);
}
thumb(i, side, words = null) {
const pixels = 2 * side;
const told = words === null ? { "aria-hidden": "true" } : { role: "img", "aria-label": words };
const style = `width:${side}px;height:${side}px`;
const canvas = make("canvas", { width: pixels, height: pixels, style, ...told });
const paint = () => {
const context = canvas.getContext("2d");
context.imageSmoothingQuality = "high";
this.draw(context, i, 0, 0, pixels);
};
if (this.isReady) paint();
else this.ready.then(paint);
return canvas;
}
}
const WIDEST_TILE = 56; // pixels
const NARROWEST_TILE = 5;
const TIGHTEST = 0.9; // of a tile: rows may overlap until so much of each is left
const READABLE = 76; // pixels: a column at least so wide has room for its name
const NAMED = 58; // below this width a column is a band without a name
const MOST_SHELVES = 4;
const PHONE = 560; // pixels: a narrower stage shows the weakest columns alone
const ON_PHONE = 4; // columns
const ELSEWHERE = -1; // the class of the cell that stands for all others
const PLAIN = 0; // right, or nobody knows
const RINGED = 1; // wrong
const TOLD = 2; // its label was given to this run
function stageOf(width, height, order, most, asked) {
return width < PHONE && order.length > ON_PHONE
? phoneStage(width, height, order, most, asked)
: wideStage(width, height, order, most);
}
function wideStage(width, height, order, most) {
const shelves = Math.min(MOST_SHELVES, Math.ceil((order.length * READABLE) / width));
const across = Math.ceil(order.length / shelves);
const deep = height / shelves;
const wide = width / across;
const named = wide >= NAMED;
const head = named ? (shelves === 1 ? 56 : 36) : 6;
const cells = order.map((c, at) => ({
c,
left: (at % across) * wide,
top: Math.floor(at / across) * deep,
wide,
deep: deep - (shelves > 1 ? 5 : 0),
head,
}));
return finished({ width, height, shelves, named, cells }, most);
}
function phoneStage(width, height, order, most, asked) {
const strip = 62;
const first = order.slice(0, ON_PHONE);
const shown = first.includes(asked) ? first : [...first.slice(1), asked];
const wide = width / ON_PHONE;
const cells = shown.map((c, at) => ({
c,
left: at * wide,
top: 0,
wide,
deep: height - strip,
head: 56,
}));
cells.push({
c: ELSEWHERE,
left: 0,
top: height - strip + 6,
wide: width,
deep: strip - 6,
head: 22,
others: order.filter((c) => !shown.includes(c)),
});
return finished({ width, height, shelves: 1, named: true, cells }, most);
}
function finished(stage, most) {
const columns = stage.cells.filter((cell) => cell.c !== ELSEWHERE);
const gap = columns[0].wide > 40 ? 5 : columns[0].wide > 12 ? 1.5 : 0.5;
const inside = columns[0].wide - 2 * gap;
const room = columns[0].deep - columns[0].head - 3;
const largest = Math.max(1, ...columns.map((cell) => most[cell.c]));
stage.tile = tileFor(inside, room, largest);
const perRow = Math.max(1, Math.floor(inside / stage.tile));
const rows = Math.ceil(largest / perRow);
const pitch = rows > 1 ? Math.min(stage.tile, (room - stage.tile) / (rows - 1)) : stage.tile;
stage.cellOf = new Map();
for (const cell of stage.cells) {
const { tile } = stage;
cell.floor = cell.top + cell.deep - 2;
cell.room = cell.deep - cell.head - 3;
if (cell.c === ELSEWHERE) {
cell.others.forEach((c) => stage.cellOf.set(c, cell));
continue;
}
cell.perRow = perRow;
cell.pitch = pitch;
cell.start = cell.left + gap + (inside - perRow * tile) / 2;
stage.cellOf.set(cell.c, cell);
}
return stage;
}
function tileFor(inside, room, largest) {
for (let perRow = 1; ; perRow++) {
const tile = Math.floor(Math.min(WIDEST_TILE, inside / perRow));
if (tile <= NARROWEST_TILE) return Math.max(3, Math.min(NARROWEST_TILE, inside));
const rows = Math.ceil(largest / Math.floor(inside / tile));
if (tile + (rows - 1) * tile * TIGHTEST <= room) return tile;
}
}
const heightOf = (cell, pictures) => (pictures / cell.perRow) * cell.pitch;
function kindsOf(places, truth) {
return Uint8Array.from(places, (place, i) => {
if (place < 0) return TOLD;
return truth && truth[i] >= 0 && truth[i] !== place ? RINGED : PLAIN;
});
}
function standing(stage, places, truth) {
const n = places.length;
const kinds = kindsOf(places, truth);
const columnOf = (i) => (places[i] < 0 ? truth[i] : places[i]);
const rank = (i) => {
if (kinds[i] === RINGED) return (2 + truth[i]) * n + i;
return (kinds[i] === PLAIN ? n : 0) + i;
};
const piles = new Map(stage.cells.map((cell) => [cell, []]));
for (let i = 0; i < n; i++) piles.get(stage.cellOf.get(columnOf(i))).push(i);
const x = new Float32Array(n);
const y = new Float32Array(n);
for (const [cell, pile] of piles) {
if (cell.c === ELSEWHERE) {
pile.sort((a, b) => columnOf(a) - columnOf(b) || a - b);
layInStrip(stage, cell, pile, x, y);
} else {
pile.sort((a, b) => rank(a) - rank(b));
layInRows(stage, cell, pile, x, y);
}
}
return { x, y, kinds, piles };
}
function layInRows({ tile }, cell, pile, x, y) {
pile.forEach((i, at) => {
x[i] = cell.start + (at % cell.perRow) * tile;
y[i] = cell.floor - tile - Math.floor(at / cell.perRow) * cell.pitch;
});
}
function layInStrip({ tile }, cell, pile, x, y) {
const wide = cell.wide - 12;
const step = pile.length > 1 ? Math.min(tile, (wide - tile) / (pile.length - 1)) : 0;
pile.forEach((i, at) => {
x[i] = cell.left + 6 + at * step;
y[i] = cell.floor - tile - 3;
});
}
function tileAt({ tile }, { x, y }, px, py) {
for (let i = x.length - 1; i >= 0; i--)
if (px >= x[i] && px < x[i] + tile && py >= y[i] && py < y[i] + tile) return i;
return -1;
}
const FLIGHT = 820; // ms, for each tile
const STAGGER = 320; // ms between the first tile and the last
const LIFT = 0.16; // of the way, as an arc
const PALE = 0x38000000; // the opacity of a tile that is not of the chosen class
class Tiles {
constructor(canvas, over, sheet, colours) {
Object.assign(this, { canvas, over, sheet, colours, atlas: null, timer: 0 });
this.context = canvas.getContext("2d");
this.times = []; // ms of script in each frame of the last flight
}
fit(stage, n) {
this.stage = stage;
this.n = n;
this.ratio = Math.min(2, window.devicePixelRatio || 1);
for (const surface of [this.canvas, this.over]) {
surface.width = Math.round(stage.width * this.ratio);
surface.height = Math.round(stage.height * this.ratio);
}
this.image = new ImageData(this.canvas.width, this.canvas.height);
this.pixels = new Uint32Array(this.image.data.buffer);
this.back = new Uint32Array(this.pixels.length);
this.atlas = this.makeAtlas();
}
makeAtlas() {
const side = Math.max(1, Math.round(this.stage.tile * this.ratio));
const across = Math.max(1, Math.min(this.n, Math.floor(4096 / side)));
const rows = Math.ceil(this.n / across);
const atlas = document.createElement("canvas");
atlas.width = across * side;
atlas.height = 3 * rows * side;
const g = atlas.getContext("2d", { willReadFrequently: true });
g.imageSmoothingQuality = "high";
const gap = side >= 12 ? 1 : 0;
for (let i = 0; i < this.n; i++) {
for (const kind of [PLAIN, RINGED, TOLD]) {
const x = (i % across) * side;
const y = (kind * rows + Math.floor(i / across)) * side;
this.sheet.draw(g, i, x, y, side - gap);
if (kind === RINGED) this.ring(g, x, y, side - gap);
if (kind === TOLD) this.corner(g, x, y, side - gap);
}
}
const { data } = g.getImageData(0, 0, atlas.width, atlas.height);
const pixels = new Uint32Array(data.buffer);
return { side, inner: side - gap, across, rows, pixels, wide: atlas.width };
}
ring(g, x, y, side) {
const thick = Math.max(1, side / 10);
const outline = (colour, width) => {
Object.assign(g, { strokeStyle: colour, lineWidth: width });
g.beginPath();
if (side < 11) g.rect(x + width / 2, y + width / 2, side - width, side - width);
else g.arc(x + side / 2, y + side / 2, side / 2 - thick, 0, 2 * Math.PI);
g.stroke();
};
if (side >= 11) outline(this.colours().paper, thick + Math.max(1, side / 16));
outline(this.colours().wrong, thick);
}
corner(g, x, y, side) {
const edge = Math.max(2, side * 0.42);
for (const [colour, length] of [
[this.colours().paper, edge],
[this.colours().ink, edge * 0.7],
]) {
g.fillStyle = colour;
g.beginPath();
g.moveTo(x, y);
g.lineTo(x + length, y);
g.lineTo(x, y + length);
g.fill();
}
}
blit(target, i, kind, x, y, pale) {
const { side, inner, across, rows, pixels, wide } = this.atlas;
const { width, height } = this.canvas;
const left = Math.round(x * this.ratio);
const top = Math.round(y * this.ratio);
const first = Math.max(0, -left);
const end = Math.min(inner, width - left);
const last = Math.min(inner, height - top);
const start = ((Math.floor(i / across) + kind * rows) * wide + (i % across)) * side;
for (let row = Math.max(0, -top); row < last; row++) {
const from = start + row * wide;
const to = (top + row) * width + left;
for (let column = first; column < end; column++) {
const pixel = pixels[from + column];
target[to + column] = pale ? ((pixel & 0xffffff) | PALE) >>> 0 : pixel;
}
}
}
clear(g) {
g.setTransform(1, 0, 0, 1, 0, 0);
g.clearRect(0, 0, g.canvas.width, g.canvas.height);
}
paint(target, list, place, shows, bright) {
for (const pale of [true, false])
for (const i of list)
if (shows(i) && bright(i) !== pale)
this.blit(target, i, place.kinds[i], place.x[i], place.y[i], pale);
}
still(place, shows, bright) {
this.stop();
this.place = { ...place, x: place.x.slice(), y: place.y.slice() };
this.pixels.fill(0);
this.paint(this.pixels, this.all(), place, shows, bright);
this.context.putImageData(this.image, 0, 0);
}
all() {
this.list ??= range(this.n);
return this.list;
}
stop() {
cancelAnimationFrame(this.timer);
this.timer = 0;
}
fly(to, shows, bright, done) {
this.stop();
const from = this.place;
const moves = this.all().filter(
(i) =>
shows(i) &&
(Math.abs(from.x[i] - to.x[i]) > 0.5 ||
Math.abs(from.y[i] - to.y[i]) > 0.5 ||
from.kinds[i] !== to.kinds[i]),
);
const moving = new Set(moves);
this.back.fill(0);
const still = this.all().filter((i) => !moving.has(i));
this.paint(this.back, still, to, shows, bright);
const flight = { from, to, moves, bright, began: null, done };
this.place = { ...to, x: from.x.slice(), y: from.y.slice() };
this.times = [];
this.timer = requestAnimationFrame((now) => this.frame(flight, now));
}
frame(flight, now) {
const before = performance.now();
flight.began ??= now;
const passed = now - flight.began;
this.pixels.set(this.back);
const over = this.moveAll(flight, passed);
this.context.putImageData(this.image, 0, 0);
this.times.push(performance.now() - before);
if (over) {
this.timer = 0;
flight.done();
} else this.timer = requestAnimationFrame((next) => this.frame(flight, next));
}
moveAll({ from, to, moves, bright }, passed) {
const { x, y } = this.place;
const each = STAGGER / Math.max(1, moves.length);
for (let at = 0; at < moves.length; at++) {
const i = moves[at];
const u = eased((passed - at * each) / FLIGHT);
const way = to.x[i] - from.x[i];
x[i] = from.x[i] + way * u;
y[i] = from.y[i] + (to.y[i] - from.y[i]) * u - LIFT * Math.abs(way) * 4 * u * (1 - u);
const kind = u < 0.5 ? from.kinds[i] : to.kinds[i];
this.blit(this.pixels, i, kind, x[i], y[i], !bright(i));
}
return passed >= FLIGHT + STAGGER;
}
noPath() {
this.clear(this.over.getContext("2d"));
}
path(i, places, at, colour) {
this.noPath();
const g = this.over.getContext("2d");
const half = this.stage.tile / 2;
g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
const spots = places.map((place) => [place.x[i] + half, place.y[i] + half]);
const { paper, ink } = this.colours();
for (const [style, width] of [
[paper, 5],
[colour, 2.2],
]) {
Object.assign(g, { strokeStyle: style, lineWidth: width, lineJoin: "round" });
g.beginPath();
spots.forEach((spot) => g.lineTo(...spot));
g.stroke();
}
spots.forEach(([x, y], r) => {
if (r === at) return;
Object.assign(g, { fillStyle: colour, strokeStyle: paper, lineWidth: 1.5 });
g.beginPath();
g.arc(x, y, 3.4, 0, 2 * Math.PI);
g.fill();
g.stroke();
});
const [x, y] = spots[at];
for (const [style, width] of [
[paper, 5],
[ink, 2.5],
]) {
Object.assign(g, { strokeStyle: style, lineWidth: width });
g.strokeRect(x - half - 1, y - half - 1, 2 * half + 1, 2 * half + 1);
}
g.setTransform(1, 0, 0, 1, 0, 0);
}
}
function eased(u) {
const inside = Math.max(0, Math.min(1, u));
return inside < 0.5 ? 4 * inside ** 3 : 1 - (-2 * inside + 2) ** 3 / 2;
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
const LOOK = 70; // ms between two looks at the pool while a round trains
const SHORT_FLIGHT = 120; // ms, after such a look
const LONG_FLIGHT = 320; // ms, at the end of a round
const AWAY = -2; // the place of a picture that is not in this pool; -1: its label was given
const RARE = 10; // of the pictures of the rare class, one in so many stays
const MOST_RUNS = 5; // that are kept, with the newest
class PoolTiles extends Tiles {
hasten(duration) {
this.pace = (FLIGHT + STAGGER) / duration;
}
moveAll(flight, passed) {
return super.moveAll(flight, passed * this.pace);
}
}
class PoolScene {
constructor(root, data, places) {
Object.assign(this, { root, data, places, when: "Zero-shot CLIP", width: 0 });
this.truth = unpack(data.truth);
this.most = countsIn(places, data.names.length);
this.heads = make("ul", { class: "pool-heads", "aria-hidden": "true" });
const canvas = make("canvas", { "aria-hidden": "true" });
const over = make("canvas", { "aria-hidden": "true" });
this.stageBox = make("div", { class: "pool-stage" }, this.heads, canvas, over);
this.told = make("p", { class: "quiet pool-told" });
this.table = make("div");
this.folded = make(
"details",
{ ontoggle: () => this.paintTable() },
make("summary", {}, "The pool as a table"),
this.table,
);
this.box = make("div", {}, this.stageBox, this.told);
this.sheet = new Sheet(data.pictures);
this.tiles = new PoolTiles(canvas, over, this.sheet, () => this.colours());
this.sheet.ready.then(() => this.begin());
}
begin() {
onWidth(this.stageBox, (width) => this.resize(width));
new MutationObserver(() => this.resize(this.width)).observe(this.root, {
attributes: true,
attributeFilter: ["data-theme"],
});
}
colours() {
const look = getComputedStyle(this.root);
const value = (name) => look.getPropertyValue(name).trim();
return { ink: value("--ink"), paper: value("--paper"), wrong: value("--vermilion") };
}
resize(width) {
if (!width) return;
this.width = width;
const { order } = this.data;
this.stage = stageOf(width, this.stageBox.clientHeight, order, this.most, order[0]);
this.tiles.fit(this.stage, this.places.length);
this.heads.replaceChildren(...this.stage.cells.map((cell) => this.head(cell)));
this.tiles.still(this.standing(), this.there, this.bright);
this.paint();
}
head(cell) {
const place = { left: cell.left, top: cell.top, width: cell.wide, height: cell.deep };
const style = Object.entries(place).map(([name, size]) => `${name}:${size}px`);
cell.value = make("b", {});
const others = cell.c === ELSEWHERE;
const name = others ? `in the other ${cell.others.length} classes` : this.data.names[cell.c];
return make(
"li",
{ style: style.join(";"), class: others ? "elsewhere" : "", "data-class": cell.c },
cell.value,
" ",
make("bdi", {}, name),
);
}
there = (i) => this.places[i] !== AWAY;
bright = () => true;
standing() {
const here = range(this.places.length).filter(this.there);
const truth = this.truth && here.map((i) => this.truth[i]);
const place = standing(this.stage, here.map((i) => this.places[i]), truth);
const all = {
x: new Float32Array(this.places.length),
y: new Float32Array(this.places.length),
kinds: new Uint8Array(this.places.length),
};
for (const [name, numbers] of Object.entries(all))
here.forEach((i, at) => { numbers[i] = place[name][at]; });
return all;
}
show(places, when, duration) {
const before = this.places;
Object.assign(this, { places, when });
const isSame = places.every((place, i) => (place === AWAY) === (before[i] === AWAY));
const counts = countsIn(places, this.most.length);
const overflows = counts.some((n, c) => n > this.most[c]);
if (overflows) this.most = this.most.map((n, c) => Math.max(n, counts[c]));
if (!this.stage) return;
if (overflows || !isSame) return this.resize(this.width);
this.paint();
if (reducedMotion()) {
this.tiles.still(this.standing(), this.there, this.bright);
return;
}
this.tiles.hasten(duration);
this.tiles.fly(this.standing(), this.there, this.bright, () => {});
}
paint() {
const counts = countsIn(this.places, this.most.length);
for (const cell of this.stage.cells) {
const shown = cell.c === ELSEWHERE ? sum(cell.others.map((c) => counts[c])) : counts[cell.c];
cell.value.textContent = shown;
}
const n = sum(counts);
const right = this.truth ? this.places.filter((c, i) => c === this.truth[i]).length : null;
const given = this.places.filter((place) => place === -1).length;
this.told.replaceChildren(
right === null
? `${this.when}: ${written(n)} pictures in the pool`
: `${this.when}: ${written(right)} of the pool's ${written(n)} pictures stand right`,
...(right === null ? [] : ["; ", sign("ring"), " wrong"]),
...(given ? ["; ", sign("corner"), ` label given: ${given}`] : []),
);
this.paintTable();
}
paintTable() {
if (!this.folded.open) return;
const { names, order } = this.data;
const counts = countsIn(this.places, names.length);
const count = (holds) => this.places.filter((place, i) => place >= 0 && holds(place, i)).length;
const rows = order.map((c) => [
names[c],
...(this.truth ? [count((_, i) => this.truth[i] === c)] : []),
counts[c],
...(this.truth ? [count((place, i) => place === c && this.truth[i] === c)] : []),
]);
const heads = this.truth ? ["in the pool", "stand here", "of them right"] : ["stand here"];
this.table.replaceChildren(plainTable("The pool by class", ["class", ...heads], rows));
}
}
function countsIn(places, nClasses) {
const counts = new Array(nClasses).fill(0);
places.forEach((place) => {
if (place >= 0) counts[place] += 1;
});
return counts;
}
function sign(kind) {
const look = { width: 13, height: 13, viewBox: "0 0 13 13", "aria-hidden": "true" };
const ring = { cx: 6.5, cy: 6.5, r: 5, fill: "none", stroke: "var(--vermilion)" };
const shape =
kind === "ring"
? draw("circle", { ...ring, "stroke-width": 2 })
: draw("polygon", { points: "1,1 12,1 1,12", fill: "var(--ink)" });
return draw("svg", { ...look, class: "sign" }, shape);
}
function splitBy(data, truth, { paradigm, pool, rare }) {
const kept = data.splits[pool === "tail" ? "tail" : "all"][paradigm];
const labelled = [...unpack(kept.labelled)];
const all = [...unpack(kept.pool)];
const nRare = pool === "rare" ? all.filter((i) => truth[i] === rare).length : 0;
let left = Math.max(1, Math.floor(nRare / RARE));
const stays = (i) => truth[i] !== rare || left-- > 0;
return {
labelled,
pool: pool === "rare" ? all.filter(stays) : all,
allowed: range(data.names.length),
seen: null,
};
}
function placesOf({ labelled, pool }, predictions) {
const places = new Array(predictions.length).fill(AWAY);
labelled.forEach((i) => { places[i] = -1; });
pool.forEach((i) => { places[i] = predictions[i]; });
return places;
}
const LEARN_SELECTORS = [...SELECTOR_NAMES, ["balanced", "balanced assignment"]];
const USUAL = {
paradigm: "ul",
pool: "all",
schedule: "grows",
rounds: 10,
selector: "top_k",
weights: "paper",
seed: 0,
};
const PRESETS = [
{
name: "GRIP",
some: {},
about: "No label. In each of ten rounds the prompt learns from more pictures per class.",
},
{
name: "Two labels",
some: { paradigm: "ssl" },
about: "GRIP beside two true labels per class, weighed as in the paper: \u03b3 = |U|/|L|.",
},
{
name: "Long tail",
some: { pool: "tail" },
about: "Some classes are rare, and GRIP still takes as many pictures of each.",
},
];
const isLike = (state, some) => Object.keys(some).every((name) => state[name] === some[name]);
function describeRun(state, data, k) {
const [, name] = LEARN_SELECTORS.find(([value]) => value === state.selector);
const told = [state.selector === "threshold" ? `threshold ${state.threshold}` : name];
if (state.selector !== "threshold") told.push(`K ${k}`);
if (state.paradigm === "ssl") told.push(`${data.shots} labels per class`);
if (state.paradigm === "ssl" && state.weights === "own")
told.push(`\u03b3 ${state.gamma}`, `\u03bb ${state.lam}`);
if (state.pool === "tail") told.push("long-tailed pool");
if (state.pool === "rare") told.push(`${data.names[state.rare]} rare`);
return [...told, `seed ${state.seed}`].join(", ");
}
function methodControls(state, put, pool) {
const schedules = choice(
"K by round",
[
["grows", "grows (GRIP)"],
["stays", "stays (FPL, IFPL)"],
],
state.schedule,
put("schedule"),
);
const kSlider = slider(
"K, pictures per class",
{ min: 1, max: pool.even(), value: state.k, text: (k) => kInWords(state, k, pool) },
put("k"),
);
const rounds = slider("Rounds", { min: 1, max: 10, value: state.rounds }, put("rounds"));
const selectors = choice("Selector", LEARN_SELECTORS, state.selector, put("selector"));
const thresholds = slider(
"Threshold",
{ min: 50, max: 99, value: 95, text: (value) => (value / 100).toFixed(2) },
(value) => put("threshold")(value / 100),
);
const seed = numberField("Seed", 999, put("seed"));
return {
boxes: [
make("div", {}, field("K by round", schedules), kSlider, rounds),
make("div", {}, field("Selector", selectors), thresholds, seed),
],
refresh() {
state.k = Math.min(state.k, pool.even());
schedules.set(state.schedule);
rounds.set(state.rounds);
selectors.set(state.selector);
seed.set(state.seed);
thresholds.hidden = state.selector !== "threshold";
kSlider.set(state.k, pool.even());
kSlider.enable(state.schedule === "stays" && state.selector !== "threshold");
},
};
}
function kInWords({ schedule, rounds }, k, pool) {
if (schedule === "stays") return String(k);
const of = (i) => Math.max(1, Math.floor((i * pool.n()) / (rounds * pool.nClasses)));
return rounds > 1 ? `${of(1)} to ${of(rounds)}` : String(of(1));
}
function numberField(name, max, change) {
const id = freshId();
const input = make("input", {
type: "number",
id,
min: 0,
max,
onchange: () => change(Math.max(0, Math.min(max, Math.floor(Number(input.value) || 0)))),
});
const label = make("label", { for: id, class: "quiet" }, name);
const box = make("div", { class: "row" }, label, input);
return Object.assign(box, { set: (value) => { input.value = value; } });
}
function termControls(data, state, put) {
const paradigms = choice(
"Labels",
[
["ul", "none"],
["ssl", `${data.shots} per class`],
],
state.paradigm,
put("paradigm"),
);
const weights = choice(
"Weights of the two terms",
[
["paper", "the paper's"],
["own", "your own"],
],
state.weights,
put("weights"),
);
const paper = make(
"p",
{ class: "quiet" },
"\u03b3 = |U|/|L|, a round's pseudolabelled pictures over the labelled; \u03bb = 1",
);
const tenths = (name, max, key) =>
slider(
name,
{ min: 0, max: 10 * max, value: 10 * state[key], text: (value) => String(value / 10) },
(value) => put(key)(value / 10),
);
const own = [
tenths("\u03b3, weight of the labelled", 30, "gamma"),
tenths("\u03bb, weight of the pseudolabelled", 3, "lam"),
];
const terms = field("Weights", weights, paper, ...own);
return {
boxes: [make("div", {}, field("Labels", paradigms), terms)],
refresh() {
paradigms.set(state.paradigm);
weights.set(state.weights);
terms.hidden = state.paradigm === "ul";
paper.hidden = state.weights === "own";
for (const box of own) box.hidden = state.weights !== "own";
},
};
}
function poolControls({ names }, state, put) {
const pools = choice(
"Shares of the classes in the pool",
[
["all", "as they are"],
["tail", "long tail, 10 to 1"],
["rare", "one class rare"],
],
state.pool,
put("pool"),
);
const id = freshId();
const select = make(
"select",
{ id, onchange: () => put("rare")(Number(select.value)) },
...names.map((name, c) => make("option", { value: String(c) }, name)),
);
const rare = make(
"div",
{ class: "row" },
make("label", { for: id, class: "quiet" }, "A tenth is left of"),
select,
);
return {
boxes: [make("div", {}, field("Shares of the classes in the pool", pools), rare)],
refresh() {
pools.set(state.pool);
select.value = String(state.rare);
rare.hidden = state.pool !== "rare";
},
};
}
function learnControls(data, state, changed) {
const truth = unpack(data.truth);
let split = splitBy(data, truth, state);
const pool = {
nClasses: data.names.length,
n: () => split.pool.length,
even: () => Math.max(1, Math.floor(split.pool.length / data.names.length)),
};
const put = (name) => (value) => take({ [name]: value });
const parts = [
methodControls(state, put, pool),
...(data.splits.tail ? [termControls(data, state, put), poolControls(data, state, put)] : []),
];
const offered = PRESETS.filter((_, at) => at === 0 || data.splits.tail);
const presets = offered.map(({ name, some }) =>
make("button", { type: "button", onclick: () => take({ ...USUAL, ...some }) }, name),
);
const about = make("p", { class: "quiet about" });
const describe = () => describeRun(state, data, kInWords(state, state.k, pool));
function take(some) {
Object.assign(state, some);
split = splitBy(data, truth, state);
refresh();
changed(["paradigm", "pool", "rare"].some((name) => name in some));
}
function refresh() {
for (const one of parts) one.refresh();
const isOn = offered.map(({ some }) => isLike(state, { ...USUAL, ...some }));
presets.forEach((one, at) => one.setAttribute("aria-pressed", isOn[at]));
about.textContent = offered[isOn.indexOf(true)]?.about ?? `A run of your own: ${describe()}.`;
}
refresh();
return {
presets: make("div", { class: "row", role: "group", "aria-label": "Presets" }, ...presets),
folded: make(
"details",
{},
make("summary", {}, "Another run: K, labels, pool and more"),
make("div", { class: "controls" }, ...parts.flatMap(({ boxes }) => boxes)),
),
about,
split: () => split,
describe,
};
}
function trainingOf(state, split) {
const { rounds, selector, threshold, seed, paradigm, weights, gamma, lam } = state;
const own = paradigm === "ssl" && weights === "own" ? { gamma, lam } : {};
const grows = state.schedule === "grows";
const schedule = grows ? { kind: "growing", rounds } : { kind: "constant", k: state.k };
return { rounds, schedule, selector, threshold, seed, paradigm, split, looks: LOOK, ...own };
}
function mountLearning(root, data) {
const { names, published } = data;
const even = Math.max(1, Math.floor(data.nPool / names.length));
const own = { k: Math.min(16, even), threshold: 0.95, gamma: 1, lam: 1, rare: data.order[0] };
const state = { ...USUAL, ...own };
const zeroShot = unpack(data.poolPredictions);
let runs = []; // the newest last: {name, isUsual, planned, split, records: [{round, score, ...}]}
let running = false;
let viewed = null; // the round that is shown; null: the newest
const status = make("span", { class: "quiet status" });
const engine = engineOf(data.source, (text) => { status.textContent = text; });
const live = announcer();
const controls = learnControls(data, state, (isPool) => {
if (!isPool || running) return;
back.hidden = true;
scene.show(placesOf(controls.split(), zeroShot), "Zero-shot CLIP", LONG_FLIGHT);
});
const scene = new PoolScene(root, data, placesOf(controls.split(), zeroShot));
const back = slider("Look back: round", { min: 0, max: 1, value: 0 }, (round) => lookBack(round));
back.hidden = true;
const button = make(
"button",
{ type: "button", class: "main", onclick: () => (running ? stop() : learn()) },
"Learn",
);
const progress = make("progress", { max: 1, value: 0, "aria-label": "Learning" });
const trouble = make("p", { class: "note", hidden: true });
const result = make("div");
const chartBox = make("div");
const key = make("div");
const verdict = make("div");
const confused = make("div");
const bars = make("div");
const table = make("div");
const details = make(
"details",
{ ontoggle: () => paintTable() },
make("summary", {}, "The rounds as a table"),
table,
);
root.classList.add("playground", "prompt", "learn");
root.append(
title(data.title),
make("p", { class: "quiet" }, data.about),
make(
"div",
{ class: "learn-top" },
make(
"div",
{ class: "learn-controls" },
controls.presets,
controls.about,
make("div", { class: "row learning" }, button, progress),
status,
verdict,
trouble,
controls.folded,
),
make("div", { class: "learn-pool" }, scene.box, back, scene.folded),
make("div", { class: "learn-results" }, result, chartBox, key),
),
make("div", { class: "playground-halves" }, confused, bars),
details,
live,
);
const chart = onWidth(chartBox, paintChart);
const newest = () => runs.at(-1) ?? null;
const records = () => newest()?.records ?? [];
const shown = () => records().at(viewed ?? -1) ?? { round: 0, ...published };
async function stop() {
button.disabled = true;
await (await engine()).clip.stop();
}
async function learn() {
running = true;
viewed = null;
back.hidden = true;
button.textContent = "Stop";
progress.value = 0;
trouble.hidden = true;
const split = controls.split();
const planned = state.rounds;
const isUsual = isLike(state, USUAL);
const run = { name: controls.describe(), isUsual, planned, split, records: [] };
const asked = trainingOf(state, split);
try {
const { clip, task } = await engine();
runs = [...runs.filter((one) => one.records.length > 1), run].slice(-MOST_RUNS);
live.tell("Learning has begun.", 0);
const ended = await clip.train(asked, (told) => follow(run, told, task));
progress.value = ended.rounds / planned;
status.textContent = ended.stopped ? `stopped after round ${records().length - 1}` : "done";
if (ended.stopped) lookBack(records().length - 1);
} catch ({ message }) {
status.textContent = "";
trouble.hidden = false;
trouble.textContent = capital(message);
live.tell(trouble.textContent, 50);
}
running = false;
const last = records().length - 1;
back.hidden = last < 1;
back.set(Math.max(0, last), last);
button.disabled = false;
button.textContent = "Learn";
paint();
if (trouble.hidden) live.tell(`${status.textContent}: ${percent(shown().score)}.`, 50);
}
function follow(run, { record, round, step, steps, loss, poolPredictions }, task) {
if (record) return keep(run, record, task);
progress.value = (round - 1 + step / steps) / run.planned;
const where = `round ${round} of ${run.planned}, step ${step} of ${steps}`;
status.textContent = `${where}, loss ${loss.toFixed(3)}`;
if (!poolPredictions) return;
scene.show(placesOf(run.split, poolPredictions), `Round ${round}, step ${step}`, SHORT_FLIGHT);
}
function keep(run, { round, k, chosen, predictions, poolPredictions, score, perClass }, task) {
const places = placesOf(run.split, poolPredictions);
run.records.push({
round,
places,
k,
labels: chosen ? chosen.index.length : null,
score,
perClass,
counts: countsOf(predictions, task.testLabels, names.length),
});
scene.show(places, whenIs(round), LONG_FLIGHT);
if (round) live.tell(`Round ${round}: ${percent(score)}.`);
paint();
}
const whenIs = (round) => (round ? `After round ${round}` : "Zero-shot CLIP");
function lookBack(round) {
viewed = round;
scene.show(shown().places, whenIs(round), LONG_FLIGHT);
paint();
live.tell(`Round ${round}: ${percent(shown().score)}.`);
}
const isSame = (score, i) => Math.abs(score - data.line[i]) < 1e-12;
function verdictText() {
const run = newest();
if (!run || !data.line.length || !run.isUsual || run.records.length < 2) return "";
if (run.records.every(({ score }, i) => isSame(score, i)))
return "Round by round, these are the scores that Python gets.";
return "Python got other scores in this run: the two do not agree here.";
}
function paint() {
const now = shown();
const run = newest();
const about = run ? `round ${now.round} of ${run.planned}: ${run.name}` : "zero-shot CLIP";
result.replaceChildren(
...head(now.score, published.score, `${measuredOn(now.score, data.nTest)}; ${about}`),
);
confused.replaceChildren(confusionText(now.counts, names));
chart();
key.replaceChildren(
legend([
["in this page", "var(--blue)", "circle"],
...(data.line.length ? [[data.lineName, "var(--orange)", "square", true, true]] : []),
...(runs.length > 1 ? [["your earlier runs", "var(--faint)", null]] : []),
]),
);
verdict.replaceChildren(make("p", { class: "verdict" }, verdictText()));
bars.replaceChildren(
part("Accuracy by class"),
classBars(names, now.perClass, published.perClass),
barsKey("zero-shot CLIP"),
);
paintTable();
}
function paintChart(width) {
const own = records().map(({ score }) => score);
const earlier = runs.slice(0, -1).slice(-4);
const length = Math.max(11, data.line.length);
const series = [
...earlier.map(({ name, records: past }) => ({
name,
values: past.map(({ score }) => score),
colour: "var(--faint)",
})),
{
name: data.lineName,
values: data.line,
colour: "var(--orange)",
marker: "square",
dashed: true,
hollow: true,
},
{ name: "in this page", values: own, colour: "var(--blue)", marker: "circle" },
].filter(({ values }) => values.length);
if (!series.length) series.push({ name: "", values: [published.score], colour: "var(--blue)" });
chartBox.replaceChildren(
lineChart(width, series, {
label: "Accuracy by round",
xs: range(length),
at: viewed,
height: 136,
}),
);
}
function paintTable() {
if (!details.open) return;
const own = records();
const length = Math.max(own.length, data.line.length);
table.replaceChildren(
plainTable(
"By round",
["round", "K", "labels", "page", ...(data.line.length ? ["Python"] : [])],
range(length).map((i) => [
String(i),
own[i] && i ? own[i].k : "",
own[i]?.labels ?? "",
own[i] ? percent(own[i].score) : "",
...(data.line.length ? [i in data.line ? percent(data.line[i]) : ""] : []),
]),
),
);
}
paint();
}
const mount = mountLearning;
use(mountAll, mount);
};
