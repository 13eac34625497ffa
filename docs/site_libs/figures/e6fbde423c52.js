(globalThis.plabFigures ??= {})["e6fbde423c52"] = (use) => {
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
const MOST_CHIPS = 24; // classes that are offered as buttons; more of them in a list
const PAPER = 680; // pixels of the scene's width on paper, A4 or letter
const PAUSE = 1350; // ms from round to round when it plays
class Scene {
constructor(root, data, options = {}) {
Object.assign(this, { root, data, options, run: 0, round: 0, chosen: null, pinned: null });
Object.assign(this, { guess: null, answers: [], timer: 0, hovered: null, cursor: 0 });
root.classList.add("scene");
this.read();
this.build();
this.run = data.reference.run;
this.sheet = options.sheet ?? new Sheet(data.pictures);
this.phase = this.firstPhase();
this.tiles = new Tiles(this.canvas, this.over, this.sheet, () => this.colours());
this.sheet.ready.then(() => this.begin());
}
firstPhase() {
this.isKept = this.fromAddress();
if (this.isKept) return "rounds";
if (this.options.asks === false) {
this.run = 0;
this.round = this.last;
return "rounds";
}
return this.data.quiz.length ? "name" : "predict";
}
read() {
const { data } = this;
this.truth = unpack(data.truth);
for (const run of data.runs)
for (const round of run.rounds)
round.at = Int16Array.from(unpack(round.places), (c) => c - 1);
this.labelled = data.totals !== null;
this.reference = data.runs[data.reference.run].rounds[0];
const every = data.runs.flatMap((run) => run.rounds);
this.most = data.classes.map((_, c) =>
Math.max(data.totals?.[c] ?? 0, ...every.map((round) => countOf(round.at, c, this.truth))),
);
}
get shown() {
return this.data.runs[this.run];
}
get frame() {
return this.shown.rounds[this.round];
}
get last() {
return this.shown.rounds.length - 1;
}
accuracyOf(round, c) {
const total = this.data.totals?.[c];
return total ? round.right[c] / total : null;
}
accuracy(round) {
return this.labelled ? sum(round.right) / sum(this.data.totals) : null;
}
height(round) {
return this.labelled ? this.accuracy(round) : round.score;
}
colour(run = this.run) {
return run === 0 ? BLUE_RUN : PURPLE_RUN;
}
name(c) {
return make("b", {}, make("bdi", {}, this.data.classes[c]));
}
colours() {
const look = getComputedStyle(this.root);
const value = (name) => look.getPropertyValue(name).trim();
return {
ink: value("--ink"),
paper: value("--paper"),
wrong: value("--vermilion"),
runs: [value("--blue"), value("--purple")],
};
}
build() {
this.sentence = make("div", { class: "says", "aria-live": "polite" });
this.heads = make("ul", { class: "heads", "aria-label": "Classes, weakest first" });
this.canvas = make("canvas", { "aria-hidden": "true" });
this.over = make("canvas", { "aria-hidden": "true" });
this.front = make("div", { class: "front" });
this.tip = make("div", { class: "tip", hidden: true });
this.card = make("div", { class: "card", hidden: true, role: "group" });
this.box = this.buildPictures();
this.stageBox = make(
"div",
{ class: "stage" },
this.heads,
this.box,
this.front,
this.tip,
this.card,
);
this.root.append(
make(
"div",
{ class: "row top" },
title(make("bdi", {}, this.data.title)),
this.buildSwitch(),
),
this.sentence,
this.stageBox,
this.buildControls(),
make("div", { class: "foot" }, this.buildList(), this.buildLegend()),
...this.data.notes.map((note) => make("p", { class: "note" }, note)),
);
}
buildSwitch() {
const { runs, notebook } = this.data;
const box = make("div", { class: "row switch" });
if (runs.length > 1) {
this.switch = choice(
"Which run",
runs.map((run, at) => [at, run.name]),
0,
(at) => this.show({ run: Number(at) }),
);
[...this.switch.children].forEach((button, at) =>
button.prepend(this.sign(at), document.createTextNode(" ")),
);
box.append(this.switch);
}
if (notebook) box.append(make("a", { href: notebook, class: "notebook" }, "Run this"));
return box;
}
sign(run) {
const svg = draw("svg", { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" });
svg.append(mark(run === 0 ? "circle" : "diamond", 6, 6, 3.8, this.colour(run)));
return svg;
}
buildPictures() {
const base = freshId();
this.spoken = [0, 1].map((at) =>
make(
"div",
{ role: "option", id: `${base}-${at}`, class: "visually-hidden" },
"No picture yet",
),
);
const keys = {
ArrowLeft: [-1, 0],
ArrowRight: [1, 0],
ArrowUp: [0, 1],
ArrowDown: [0, -1],
};
return make(
"div",
{
class: "tiles",
role: "listbox",
tabindex: 0,
"aria-label": "Pictures. Arrow keys move from picture to picture, Enter pins one",
onkeydown: (event) => this.key(event, keys[event.key]),
onfocus: () => this.moveCursor(0, 0),
onblur: () => this.hover(null),
onpointermove: (event) => this.hover(this.under(event)),
onpointerleave: () => this.hover(null),
onclick: (event) => this.pin(this.under(event)),
},
this.canvas,
this.over,
...this.spoken,
);
}
buildControls() {
const step = (label, sign, by) =>
make(
"button",
{
type: "button",
class: "step",
"aria-label": label,
title: label,
onclick: () => this.show({ round: this.round + by }),
},
sign,
);
this.slider = make("input", {
type: "range",
min: 0,
step: 1,
"aria-label": "Round",
oninput: () => this.show({ round: Number(this.slider.value) }),
});
this.playButton = make("button", {
type: "button",
class: "main step",
onclick: () => (this.timer ? this.halt() : this.play()),
});
this.line = make("div", { class: "line" });
this.number = make("div", { class: "number" });
this.controls = make(
"div",
{ class: "controls" },
make(
"div",
{ class: "steps" },
step("One round back", "\u2039", -1),
this.playButton,
step("One round on", "\u203a", 1),
),
make("div", { class: "slide" }, this.line, this.slider),
this.number,
);
this.drawLine = onWidth(this.line, (width) => this.paintLine(width));
return this.controls;
}
buildList() {
this.table = make("div");
this.folded = make(
"details",
{ ontoggle: () => this.paintTable() },
make("summary", {}, "The same as a table"),
this.table,
);
return this.folded;
}
buildLegend() {
const { told, runs } = this.data;
const look = { width: 13, height: 13, viewBox: "0 0 13 13", "aria-hidden": "true" };
const ring = {
cx: 6.5,
cy: 6.5,
r: 5,
fill: "none",
stroke: "var(--vermilion)",
"stroke-width": 2,
};
const corner = { points: "1,1 12,1 1,12", fill: "var(--ink)" };
const signs = [];
if (this.labelled) signs.push([draw("circle", ring), "wrong"]);
if (told && runs.length > 1)
signs.push([
draw("polygon", corner),
`label given to one run: ${told}, they count in neither`,
]);
return make(
"div",
{ class: "legend quiet" },
...signs.map(([sign, words]) => make("span", {}, draw("svg", look, sign), " ", words)),
);
}
begin() {
onWidth(this.stageBox, (width) => this.resize(width));
new MutationObserver(() => this.resize(this.width)).observe(this.root, {
attributes: true,
attributeFilter: ["data-theme"],
});
this.root.dataset.ready = "";
window.addEventListener("beforeprint", () => this.toPaper());
window.addEventListener("afterprint", () => this.fromPaper());
if (this.options.plays && !this.isKept) this.playOnce();
}
toPaper() {
this.halt();
const { phase, round, width } = this;
this.resize(Math.min(width, PAPER));
this.standIn({ phase: "rounds", round: this.last });
const picture = make("img", { class: "paper", alt: "", src: this.canvas.toDataURL() });
this.stageBox.append(picture);
this.onScreen = { phase, round, width, picture };
}
fromPaper() {
if (!this.onScreen) return;
const { width, picture, ...before } = this.onScreen;
this.onScreen = null;
picture.remove();
this.resize(width);
this.standIn(before);
}
standIn({ phase, round }) {
this.phase = phase;
this.show({ round });
this.tiles.still(this.now(), this.there, this.bright);
}
playOnce() {
if (reducedMotion() || this.last < 2) return;
const watch = new IntersectionObserver(
(seen) => {
if (!seen.some((one) => one.isIntersecting)) return;
watch.disconnect();
this.playsByItself = true;
this.play();
},
{ threshold: 0.6 },
);
watch.observe(this.stageBox);
for (const kind of ["pointerdown", "keydown"])
this.root.addEventListener(kind, () => watch.disconnect(), { once: true });
}
grow(data) {
const isAtEnd = this.round === this.last;
this.data = data;
this.read();
this.resize(this.width);
this.show({ round: isAtEnd ? this.last : this.round });
}
resize(width) {
if (!width || !this.stageBox.isConnected) return;
this.width = width;
const tall = this.stageBox.clientHeight;
this.stage = stageOf(width, tall, this.data.order, this.most, this.data.asked);
this.cache = new Map();
this.tiles.fit(this.stage, this.data.shown);
this.buildHeads();
this.paint();
this.tiles.still(this.now(), this.there, this.bright);
this.paintPath();
}
now() {
const place = this.place();
return this.phase === "name" ? { ...place, ...this.onFloor(place) } : place;
}
onFloor(place) {
const [x, y] = [place.x.slice(), place.y.slice()];
const piles = new Map();
for (const { i } of this.answers) {
const cell = this.stage.cellOf.get(this.frame.at[i]);
piles.set(cell, [...(piles.get(cell) ?? []), i]);
}
for (const [cell, pile] of piles)
(cell.c === ELSEWHERE ? layInStrip : layInRows)(this.stage, cell, pile, x, y);
return { x, y };
}
place(run = this.run, round = this.round) {
const key = `${run} ${round}`;
if (!this.cache.has(key))
this.cache.set(key, standing(this.stage, this.data.runs[run].rounds[round].at, this.truth));
return this.cache.get(key);
}
there = (i) =>
this.phase !== "name" || this.answers.some((answer) => answer.i === i && answer.in);
bright = (i) =>
this.chosen === null || (this.truth ? this.truth[i] : this.frame.at[i]) === this.chosen;
buildHeads() {
const { stage } = this;
const held = this.heads.contains(document.activeElement);
this.heads.replaceChildren(...stage.cells.map((cell) => this.head(cell)));
this.heads.classList.toggle("bands", !stage.named);
this.buttons = [...this.heads.querySelectorAll("button")];
if (held) this.buttons[0]?.focus();
}
head(cell) {
const place = boxed(cell.left, cell.top, cell.wide, cell.deep);
const item = make("li", { style: place, class: cell.c === ELSEWHERE ? "elsewhere" : "" });
cell.value = make("span", { class: "value" });
if (cell.c === ELSEWHERE) {
cell.label = make("span", { class: "name" });
item.append(cell.label);
return item;
}
cell.button = make(
"button",
{
type: "button",
"data-class": cell.c,
style: `height:${this.stage.named ? cell.head : cell.deep}px`,
onclick: () => this.choose(this.chosen === cell.c ? null : cell.c),
onkeydown: (event) => this.moveHead(event),
onpointerenter: (event) => event.pointerType === "mouse" && this.tellHead(cell),
onpointerleave: () => this.tell(null),
onfocus: (event) => event.currentTarget.matches(":focus-visible") && this.tellHead(cell),
onblur: () => this.tell(null),
},
cell.value,
make("span", { class: "name" }, make("bdi", {}, this.data.classes[cell.c])),
);
item.append(cell.button);
return item;
}
moveHead(event) {
const by = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
if (!by) return;
event.preventDefault();
const at = this.buttons.indexOf(event.currentTarget) + by;
const next = this.buttons[Math.max(0, Math.min(this.buttons.length - 1, at))];
next.focus();
for (const button of this.buttons) button.tabIndex = button === next ? 0 : -1;
}
paintHeads() {
const counts = this.data.classes.map((_, c) => this.frame.given[c]);
const asked = this.phase === "name";
this.stage.cells.forEach((cell) => {
if (cell.c === ELSEWHERE) {
const inside = sum(cell.others.map((c) => counts[c]));
cell.label.textContent = asked
? `The other ${cell.others.length} classes`
: `The other ${cell.others.length} classes: ${inside} pictures`;
return;
}
const share = this.accuracyOf(this.frame, cell.c);
cell.value.textContent = asked ? "" : known(share) ? whole(share) : `${counts[cell.c]}`;
cell.button.setAttribute(
"aria-label",
asked ? this.data.classes[cell.c] : this.wordsOf(cell.c),
);
cell.button.setAttribute("aria-pressed", this.chosen === cell.c);
cell.button.parentElement.classList.toggle("asked", !asked && cell.c === this.data.asked);
});
const current = this.buttons.find((button) => Number(button.dataset.class) === this.chosen);
for (const button of this.buttons)
button.tabIndex = button === (current ?? this.buttons[0]) ? 0 : -1;
}
wordsOf(c) {
const share = this.accuracyOf(this.frame, c);
const stand = `${this.data.classes[c]}: ${plural(this.frame.given[c], "picture")} here`;
if (!known(share)) return stand;
const right = `${this.frame.right[c]} of its ${this.data.totals[c]} right`;
return `${stand}; ${right}, ${percent(share)}`;
}
tellHead(cell) {
if (this.phase === "name") return;
this.tell(
make("bdi", {}, this.wordsOf(cell.c)),
cell.left + cell.wide / 2,
cell.top + cell.head,
);
}
choose(c) {
if (this.phase === "name") {
this.answer(c);
return;
}
this.show({ chosen: c });
}
show({ run = this.run, round, chosen = this.chosen, playing = false }) {
if (!playing) this.halt();
const changed = run !== this.run;
this.run = run;
this.round = Math.max(0, Math.min(this.last, round ?? this.round));
this.chosen = chosen;
this.hovered = null;
if (changed) this.seen = true;
if (this.stage) {
this.paint();
this.go();
}
this.toAddress();
this.options.onround?.(this.round, this.run, this.chosen);
}
go() {
this.tiles.noPath();
const to = this.place();
if (reducedMotion()) {
this.tiles.still(to, this.there, this.bright);
this.landed();
} else this.tiles.fly(to, this.there, this.bright, () => this.landed());
}
landed() {
this.paintPath();
this.root.dispatchEvent(
new CustomEvent("plab-landed", { detail: { times: this.tiles.times } }),
);
}
halt() {
clearTimeout(this.timer);
this.timer = 0;
this.playsByItself = false;
this.showPlaying();
}
play() {
const next = this.round >= this.last ? 0 : this.round + 1;
this.timer = setTimeout(() => {
this.timer = 0;
if (this.round < this.last) this.play();
else this.halt();
}, PAUSE);
this.show({ round: next, playing: true });
this.showPlaying();
}
showPlaying() {
const label = this.timer ? "Pause" : "Play the rounds";
this.playButton.textContent = this.timer ? "\u275a\u275a" : "\u25b6";
this.playButton.setAttribute("aria-label", label);
this.playButton.title = label;
}
paint() {
const rounds = this.phase === "rounds";
this.root.dataset.phase = this.phase;
for (const node of [this.controls, this.folded]) node.inert = !rounds;
if (this.switch) {
this.switch.inert = !rounds;
this.switch.set(this.run);
}
this.box.tabIndex = rounds ? 0 : -1;
this.root.style.setProperty("--run", this.colour());
this.slider.max = this.last;
this.slider.value = this.round;
this.slider.setAttribute("aria-valuetext", `round ${this.round} of ${this.last}`);
this.showPlaying();
this.paintHeads();
this.paintFront();
this.paintSentence();
this.paintNumber();
this.drawLine();
this.paintTable();
}
paintSentence() {
this.sentence.setAttribute("aria-live", this.timer ? "off" : "polite");
const words = {
name: () => this.askName(),
predict: () => this.askBar(),
rounds: () => this.tellRound(),
};
this.sentence.replaceChildren(...words[this.phase]());
}
paintNumber() {
const share = this.height(this.frame);
const words = this.labelled
? `of ${sum(this.data.totals).toLocaleString("en")} pictures right`
: known(share)
? "of the test images right"
: "no labels: nobody knows who is right";
this.number.replaceChildren(
...(known(share)
? [make("div", { class: "big", "data-value": "accuracy" }, percent(share))]
: []),
make("div", { class: "quiet" }, words),
...(this.labelled && known(this.frame.score)
? [make("div", { class: "quiet" }, `${percent(this.frame.score)} ${this.shown.metric}`)]
: []),
);
}
paintLine(width) {
const runs = this.data.runs.map((run) => run.rounds.map((round) => this.height(round)));
if (!known(runs[0][0])) {
this.line.replaceChildren();
return;
}
const tall = this.line.clientHeight;
const base = this.height(this.reference);
const [low, high] = padded(...ends(runs.flat()));
const thumb = 9;
const x = scale(0, this.last, thumb, width - thumb);
const y = scale(low, high, tall - 16, 12);
const chart = draw("svg", {
width,
height: tall,
viewBox: `0 0 ${width} ${tall}`,
role: "img",
"aria-label": spelled({ name: this.shown.name, values: runs[this.run] }, percent),
});
const words = `${this.data.reference.name} ${percent(base)}`;
const above = runs[this.run][this.last] < base;
chart.append(
draw("line", {
x1: 0,
x2: width,
y1: y(base),
y2: y(base),
stroke: "var(--quiet)",
"stroke-dasharray": "5 4",
}),
draw(
"text",
{ class: "quiet", x: width, y: y(base) + (above ? -5 : 14), "text-anchor": "end" },
words,
),
draw("polyline", {
points: runs[this.run].map((value, r) => `${x(r)},${y(value)}`).join(" "),
fill: "none",
stroke: this.colour(),
"stroke-width": 2,
}),
...runs[this.run].map((value, r) => {
const shape = this.run === 0 ? "circle" : "diamond";
return mark(
shape,
x(r),
y(value),
r === this.round ? 5.5 : 3,
this.colour(),
r > this.round,
);
}),
);
this.line.replaceChildren(chart);
}
paintTable() {
if (!this.folded.open || this.phase !== "rounds") return;
const { data, frame, reference } = this;
const heads = ["class", "pictures", `in ${data.reference.name}`];
if (this.labelled) heads.push("right", "accuracy", data.reference.name, "change");
const rows = data.order.map((c) => {
const [now, before] = [this.accuracyOf(frame, c), this.accuracyOf(reference, c)];
const row = [data.classes[c], frame.given[c], reference.given[c]];
if (this.labelled)
row.push(
`${frame.right[c]} of ${data.totals[c]}`,
percent(now),
percent(before),
known(now) ? points(now - before) : "no labels",
);
return row;
});
const caption = `${this.shown.name}, round ${this.round}: every class, weakest first`;
this.table.replaceChildren(
make("p", { class: "quiet" }, caption),
plainTable(caption, heads, rows),
);
}
askName() {
const { data } = this;
const heard = this.answers[this.answers.length - 1];
const left = data.quiz.length - this.answers.length;
if (!heard)
return this.words(
"Which class is this? You say first; then the picture flies where",
` ${data.reference.name} puts it.`,
);
const put = this.reference.at[heard.i];
const truth = this.truth?.[heard.i] ?? -1;
const said =
heard.said === put
? ["You and ", data.reference.name, " both say ", this.name(put), "."]
: [
"You say ",
this.name(heard.said),
", ",
data.reference.name,
" says ",
this.name(put),
".",
];
const verdict =
truth < 0 ? [" Nobody has labelled it."] : [" In truth it is ", this.name(truth), "."];
const next = left ? "And this one?" : this.score();
return this.words(...said, ...verdict, " ", make("b", {}, next));
}
score() {
if (!this.labelled) return "";
const right = (said) => this.answers.filter((one) => said(one) === this.truth[one.i]).length;
const [yours, its] = [right((one) => one.said), right((one) => this.reference.at[one.i])];
return `You have ${yours} of ${this.answers.length} right, ${this.data.reference.name} ${its}.`;
}
words(...text) {
return [make("p", {}, ...text)];
}
answer(c) {
const i = this.data.quiz[this.answers.length];
if (i === undefined) return;
const from = this.tray.querySelector(".current");
const answer = { i, said: c, in: false };
this.answers.push(answer);
this.comeIntoView();
this.throwTile(i, from, () => {
answer.in = true;
if (this.phase === "name") this.tiles.still(this.now(), this.there, this.bright);
});
this.paint();
}
comeIntoView() {
const above = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
if (this.root.getBoundingClientRect().height > window.innerHeight - above) return;
const behavior = reducedMotion() ? "auto" : "smooth";
this.root.scrollIntoView({ block: "nearest", behavior });
}
throwTile(i, from, done) {
const place = this.now();
const box = this.stageBox.getBoundingClientRect();
const start = from.getBoundingClientRect();
if (reducedMotion() || !from.animate) {
done();
return;
}
const side = this.stage.tile;
const flyer = this.sheet.thumb(i, side, "");
flyer.classList.add("flyer");
flyer.setAttribute("aria-hidden", "true");
this.stageBox.append(flyer);
const at = (x, y, size) => `translate(${x}px,${y}px) scale(${size / side})`;
const way = flyer.animate(
[
{ transform: at(start.left - box.left, start.top - box.top, start.width) },
{ transform: at(place.x[i], place.y[i], side) },
],
{ duration: FLIGHT, easing: "cubic-bezier(.5,0,.2,1)", fill: "both" },
);
way.onfinish = () => {
flyer.remove();
done();
};
}
paintFront() {
const parts = {
name: () => [this.trayOf()],
predict: () => [this.barOf(), this.buttonsOf()],
rounds: () => [this.said()],
};
this.front.replaceChildren(...parts[this.phase]().filter(Boolean));
}
trayOf() {
const { data } = this;
const at = this.answers.length;
const over = at >= data.quiz.length;
const slots = data.quiz.map((i, k) => {
if (k < at) return make("span", { class: "slot done" }, this.verdictSign(this.answers[k]));
const words = `picture ${k + 1} of ${data.quiz.length}`;
const slot = make("span", { class: k === at ? "slot current" : "slot" });
slot.append(this.sheet.thumb(i, k === at ? 112 : 56, words));
return slot;
});
this.tray = make(
"div",
{ class: "tray" },
make("div", { class: "slots" }, ...slots),
over ? null : this.chips(),
make(
"div",
{ class: "row on" },
this.onButton(
over ? `See all ${data.shown.toLocaleString("en")} pictures` : "Just show me",
() => this.toPredict(),
over,
),
),
);
return this.tray;
}
verdictSign({ i, said }) {
if (!this.labelled || this.truth[i] < 0) return "\u00b7";
return this.truth[i] === said ? "\u2713" : "\u2715";
}
onButton(words, act, main) {
return make(
"button",
{ type: "button", class: main ? "main onward" : "onward", onclick: act },
words,
);
}
chips() {
const { data } = this;
if (data.order.length > MOST_CHIPS) {
const select = make(
"select",
{ "aria-label": "The class of this picture" },
...data.order.map((c) => make("option", { value: c }, data.classes[c])),
);
const say = () => this.answer(Number(select.value));
return make("div", { class: "row chips" }, select, this.onButton("Say so", say, true));
}
const names = [...data.order].sort((a, b) => data.classes[a].localeCompare(data.classes[b]));
return make(
"div",
{ class: "row chips", role: "group", "aria-label": "The class of this picture" },
...names.map((c) =>
make(
"button",
{ type: "button", "data-answer": c, onclick: () => this.answer(c) },
make("bdi", {}, data.classes[c]),
),
),
);
}
toPredict() {
const from = this.gathered();
this.phase = "predict";
this.paint();
this.comeIntoView();
this.tiles.still(from, this.there, this.bright);
this.go();
this.focusOn(".bar");
}
gathered() {
const from = this.now();
const { width, height, tile } = this.stage;
const come = new Set(this.answers.map((answer) => answer.i));
const x = from.x.map((value, i) =>
come.has(i) ? value : width / 2 + (((i * 37) % 101) - 50) * 2.2 - tile / 2,
);
const y = from.y.map((value, i) =>
come.has(i) ? value : height * 0.42 + (((i * 53) % 89) - 44) * 1.4,
);
return { ...from, x, y };
}
focusOn(selector) {
if (this.root.contains(document.activeElement) || document.activeElement === document.body)
this.root.querySelector(selector)?.focus({ preventScroll: true });
}
askBar() {
const { data } = this;
const given = this.reference.given[data.asked];
const standing = given ? `${given} stand${given === 1 ? "s" : ""}` : "none stands";
const right = this.labelled
? `: ${percent(this.accuracy(this.reference))} right, wrong ones ringed; `
: "; ";
return [
make(
"p",
{},
`All ${data.shown.toLocaleString("en")} pictures, where ${data.reference.name} puts them`,
`${right}${standing} in `,
this.name(data.asked),
".",
),
make(
"p",
{},
make(
"b",
{},
"CLIP will now learn from its own labels. Will the empty column fill? Drag its bar.",
),
),
];
}
get barMost() {
const cell = this.stage.cellOf.get(this.data.asked);
if (this.labelled) return this.data.totals[this.data.asked];
return Math.max(1, Math.min(cell.perRow * Math.floor(cell.room / cell.pitch), this.data.shown));
}
barOf() {
const cell = this.stage.cellOf.get(this.data.asked);
const most = this.barMost;
const start = this.guess ?? Math.round(this.startOfBar() * most) / most;
const bar = make("div", {
class: "bar",
role: "slider",
tabindex: 0,
"aria-orientation": "vertical",
"aria-valuemin": 0,
"aria-valuemax": this.labelled ? 100 : most,
"aria-label": `Your guess for ${this.data.classes[this.data.asked]}`,
style: boxed(cell.left, cell.top + cell.head, cell.wide, cell.deep - cell.head),
});
const level = make("div", { class: "level" });
const words = make("span", { class: "words" });
const depth = cell.floor - cell.top - cell.head;
const full = depth - heightOf(cell, most);
if (this.labelled)
bar.append(make("div", { class: "full", style: `top:${full}px` }, make("span", {}, "100 %")));
level.append(words);
bar.append(level);
const set = (share, touched = true) => {
this.drawn = Math.max(0, Math.min(1, share));
const pictures = this.drawn * most;
level.style.transform = `translateY(${depth - heightOf(cell, pictures)}px)`;
words.textContent = `\u2195 ${this.guessWords(this.drawn)}`;
const now = this.labelled ? Math.round(100 * this.drawn) : Math.round(pictures);
bar.setAttribute("aria-valuenow", now);
bar.setAttribute("aria-valuetext", this.guessWords(this.drawn));
if (touched) this.touchedBar();
};
const follow = (event) => {
const box = bar.getBoundingClientRect();
set((box.bottom - 2 - event.clientY) / heightOf(cell, most));
};
bar.addEventListener("pointerdown", (event) => {
event.preventDefault();
bar.focus({ preventScroll: true });
bar.setPointerCapture(event.pointerId);
follow(event);
});
bar.addEventListener("pointermove", (event) => {
if (bar.hasPointerCapture(event.pointerId)) follow(event);
});
const steps = {
ArrowUp: 0.05,
ArrowRight: 0.05,
ArrowDown: -0.05,
ArrowLeft: -0.05,
PageUp: 0.2,
PageDown: -0.2,
};
bar.addEventListener("keydown", (event) => {
const to = { Home: 0, End: 1 }[event.key] ?? this.drawn + steps[event.key];
if (Number.isNaN(to)) return;
event.preventDefault();
set(to);
});
set(start, false);
return bar;
}
startOfBar() {
const { asked } = this.data;
const share = this.accuracyOf(this.reference, asked);
return share ?? this.reference.given[asked] / this.barMost;
}
guessWords(share) {
return this.labelled ? whole(share) : plural(Math.round(share * this.barMost), "picture");
}
touchedBar() {
this.guess = this.drawn;
const button = this.front.querySelector(".onward.main");
if (button) button.disabled = false;
}
buttonsOf() {
const done = this.onButton("That is my guess", () => this.toRounds(), true);
done.disabled = this.guess === null;
const skip = this.onButton("Just show me", () => {
this.guess = null;
this.toRounds();
});
return make("div", { class: "row on" }, done, skip);
}
toRounds() {
this.phase = "rounds";
if (reducedMotion()) this.show({ round: this.last });
else {
this.paint();
this.play();
}
this.focusOn("input[type=range]");
}
said() {
if (this.guess === null) return null;
const cell = this.stage.cellOf.get(this.data.asked);
const top = cell.floor - heightOf(cell, this.guess * this.barMost);
return make(
"div",
{
class: "said",
style: `left:${cell.left}px;width:${cell.wide}px;transform:translateY(${top}px)`,
},
make("span", {}, `you: ${this.guessWords(this.guess)}`),
);
}
tellRound() {
const block = make("div", { class: "panel" }, this.sign(this.run));
const { data, shown, frame } = this;
const text = make(
"p",
{},
make("b", {}, make("bdi", {}, `${shown.name}, round ${frame.number}`), ": "),
);
text.append(...(this.chosen === null ? this.askedWords() : this.classWords(this.chosen)));
block.append(text);
block.append(
make("p", { class: "pays" }, ...(this.labelled ? this.paysWords() : this.movedWords())),
);
return [block];
}
askedWords() {
const c = this.data.asked;
const value = (round) =>
this.labelled ? percent(this.accuracyOf(round, c)) : plural(round.given[c], "picture");
const own = this.shown.rounds[0];
return [
this.name(c),
` ${value(this.reference)}`,
...(this.round || own !== this.reference
? [" \u2192 ", make("b", { "data-value": "asked" }, value(this.frame))]
: []),
this.guess === null ? "." : `; you said ${this.guessWords(this.guess)}.`,
];
}
classWords(c) {
const { data, frame } = this;
if (!this.labelled)
return [
this.name(c),
` holds ${plural(frame.given[c], "picture")},`,
` ${this.reference.given[c]} by ${data.reference.name}.`,
];
const gone = this.goneTo(c);
const words = [
this.name(c),
` ${percent(this.accuracyOf(this.reference, c))} \u2192 `,
make("b", {}, percent(this.accuracyOf(frame, c))),
` (${frame.right[c]} of ${data.totals[c]}).`,
];
if (gone.length)
words.push(
" The others stand in ",
...gone.flatMap(([d, n], at) => [at ? ", " : "", this.name(d), ` ${n}`]),
".",
);
return words;
}
goneTo(c) {
const counts = new Map();
this.frame.at.forEach((place, i) => {
if (this.truth[i] === c && place >= 0 && place !== c)
counts.set(place, (counts.get(place) ?? 0) + 1);
});
return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 3);
}
paysWords() {
const { data, frame, reference } = this;
if (frame === reference)
return [`This is ${data.reference.name}, the reference for every number.`];
const changes = data.order
.map((c) => [c, this.accuracyOf(frame, c) - this.accuracyOf(reference, c)])
.filter(([c]) => known(this.accuracyOf(frame, c)))
.sort((a, b) => a[1] - b[1]);
const [payer, loss] = changes[0];
const [winner, gain] = changes[changes.length - 1];
const won =
gain > 0 ? [this.name(winner), ` gains most, ${points(gain)} points`] : ["No class gains"];
const own = this.shown.rounds[0];
const start =
own === reference
? ""
: ` It starts from ${this.shown.start}: ${percent(this.accuracy(own))} right.`;
const paid = loss < 0 ? [this.name(payer), ` pays most, ${points(loss)}`] : ["nobody pays"];
return [
`Against ${data.reference.name}: `,
...won,
"; ",
...paid,
".",
this.round ? "" : start,
];
}
movedWords() {
const moved = this.frame.at.filter((place, i) => place !== this.reference.at[i]).length;
return [`${plural(moved, "picture")} stand elsewhere than with ${this.data.reference.name}.`];
}
under(event) {
if (this.phase !== "rounds") return null;
const box = this.box.getBoundingClientRect();
const at = tileAt(this.stage, this.place(), event.clientX - box.left, event.clientY - box.top);
return at < 0 ? null : at;
}
hover(i) {
if (i === this.hovered || this.phase !== "rounds") return;
this.hovered = i;
this.paintPath();
}
paintPath() {
if (this.phase !== "rounds" || this.tiles.timer) return;
const i = this.hovered ?? this.pinned;
this.box.classList.toggle("over", this.hovered !== null);
if (i === null) {
this.tiles.noPath();
this.tell(null);
return;
}
const places = this.shown.rounds.map((_, r) => this.place(this.run, r));
this.tiles.path(i, places, this.round, this.colours().runs[this.run === 0 ? 0 : 1]);
if (this.hovered === null || this.hovered === this.pinned) this.tell(null);
else
this.tell(
this.wayWords(i),
places[this.round].x[i] + this.stage.tile / 2,
places[this.round].y[i] - 6,
true,
);
if (this.pinned !== null) this.paintCard();
}
way(i) {
const stretches = [];
this.shown.rounds.forEach((round, r) => {
const last = stretches[stretches.length - 1];
if (last && last.c === round.at[i]) last.to = r;
else stretches.push({ c: round.at[i], from: r, to: r });
});
return stretches;
}
wayWords(i) {
const { data } = this;
const truth = this.truth?.[i] ?? -1;
const told = this.frame.at[i] < 0;
const steps = this.way(i).map(({ c }) => (c < 0 ? "given its label" : data.classes[c]));
return make(
"bdi",
{},
`picture ${data.names[i]}`,
truth >= 0 ? `, in truth ${data.classes[truth]}` : "",
told ? ": its label was given" : `: ${steps.join(" \u2192 ")}`,
);
}
pin(i) {
if (this.phase !== "rounds") return;
this.pinned = i === this.pinned ? null : i;
this.paintCard();
this.paintPath();
}
paintCard() {
const i = this.pinned;
this.card.hidden = i === null;
if (i === null) return;
const { data } = this;
const truth = this.truth?.[i] ?? -1;
const right = this.place().x[i] < this.stage.width / 2;
this.card.className = `card ${right ? "right" : "left"}`;
this.card.setAttribute("aria-label", `Picture ${data.names[i]}`);
const label = (c) => (c < 0 ? "given its label" : make("bdi", {}, data.classes[c]));
const steps = this.way(i).map(({ c, from, to }) => {
const here = this.round >= from && this.round <= to;
const sign = truth < 0 || c < 0 ? "" : c === truth ? " \u2713" : " \u2715";
return make(
"li",
{ class: here ? "here" : "" },
`${from === to ? `round ${from}` : `rounds ${from}\u2013${to}`}: `,
label(c),
sign,
);
});
this.card.replaceChildren(
this.sheet.thumb(i, 168, `Picture ${data.names[i]}, large`),
make(
"p",
{},
`Picture ${data.names[i]}`,
...(truth >= 0 ? [", in truth ", this.name(truth)] : [", without a label"]),
),
make("ol", {}, ...steps),
make(
"button",
{
type: "button",
class: "close",
"aria-label": "Close",
onclick: () => this.pin(this.pinned),
},
"\u2715",
),
);
}
tell(words, x, y, above = false) {
this.tip.hidden = words === null;
if (words === null) return;
this.tip.replaceChildren(words);
const wide = this.tip.offsetWidth;
const left = Math.max(0, Math.min(this.stage.width - wide, x - wide / 2));
const top = above ? Math.max(0, y - this.tip.offsetHeight) : y;
this.tip.style.transform = `translate(${left}px,${top}px)`;
}
key(event, by) {
if (this.phase !== "rounds") return;
if (event.key === "Escape" && this.pinned !== null) this.pin(this.pinned);
else if (event.key === "Enter" || event.key === " ") this.pin(this.cursor);
else if (by) this.moveCursor(...by);
else return;
event.preventDefault();
}
moveCursor(across, up) {
if (this.phase !== "rounds") return;
const { piles } = this.place();
const cells = this.stage.cells.filter((cell) => piles.get(cell).length);
let at = cells.findIndex((cell) => piles.get(cell).includes(this.cursor));
let rank = at < 0 ? 0 : piles.get(cells[at]).indexOf(this.cursor);
at = Math.max(0, Math.min(cells.length - 1, Math.max(0, at) + across));
const pile = piles.get(cells[at]);
rank = Math.max(0, Math.min(pile.length - 1, rank + up));
this.cursor = pile[rank];
this.speak(
`${this.wayWords(this.cursor).textContent}. ${rank + 1} of ${pile.length} in this column`,
);
this.hovered = null;
this.hover(this.cursor);
}
speak(words) {
this.spoken.reverse();
const [one, other] = this.spoken;
one.textContent = words;
one.setAttribute("aria-selected", "true");
other.setAttribute("aria-selected", "false");
this.box.setAttribute("aria-activedescendant", one.id);
}
keepsAddress() {
if (window.top !== window || this.root.closest(".jp-OutputArea, .output_area")) return false;
const others = document.querySelectorAll(".plab.scene");
return others[0] === this.root && /^(#|#scene.*)?$/.test(window.location.hash);
}
fromAddress() {
if (!this.keepsAddress() || !window.location.hash.startsWith("#scene")) return false;
const kept = new URLSearchParams(window.location.hash.slice(1));
const run = this.data.runs.findIndex((one) => one.name === kept.get("run"));
this.run = Math.max(0, run);
this.round = Math.max(0, Math.min(this.last, Number.parseInt(kept.get("round"), 10) || 0));
const c = this.data.classes.indexOf(kept.get("class"));
this.chosen = this.data.order.includes(c) ? c : null;
return true;
}
toAddress() {
if (!this.keepsAddress() || this.phase !== "rounds" || this.playsByItself) return;
const kept = new URLSearchParams({ scene: "", round: this.round, run: this.shown.name });
if (this.chosen !== null) kept.set("class", this.data.classes[this.chosen]);
window.history.replaceState(window.history.state, "", `#${kept}`);
}
}
const BLUE_RUN = "var(--blue)";
const PURPLE_RUN = "var(--purple)";
const whole = (share) => `${Math.round(100 * share)} %`;
const plural = (n, noun) =>
`${n === 0 ? "no" : n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
const boxed = (left, top, width, height) =>
`left:${left}px;top:${top}px;width:${width}px;height:${height}px`;
const ends = (values) => [Math.min(...values), Math.max(...values)];
function countOf(at, c, truth) {
let n = 0;
for (let i = 0; i < at.length; i++) if (at[i] === c || (at[i] < 0 && truth[i] === c)) n++;
return n;
}
function mount(root, data, options = {}) {
return new Scene(root, data, options);
}
use(mountAll, mount);
};
