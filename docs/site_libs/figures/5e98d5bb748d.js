(globalThis.plabFigures ??= {})["5e98d5bb748d"] = (use) => {
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
const BLUE = "var(--blue)";
const RED = "var(--vermilion)";
const INK = "var(--ink)";
const ORANGE = "var(--orange)";
const PURPLE = "var(--purple)";
const SIDES = [
{ colour: BLUE, marker: "circle" },
{ colour: PURPLE, marker: "diamond", hollow: true },
];
const TALLEST = 640; // pixels: so much room is kept below the tabs
const MOST_ROWS = 40; // classes that are drawn before the reader asks for all
const MOST_AT_ONCE = 150; // rows that are drawn whether they are in view or not
class Explorer {
constructor(root, data, options) {
Object.assign(this, {
root,
data,
options,
onchange: () => {},
timer: null,
isInSight: true,
isStale: false,
tall: 0, // pixels that the tallest panel took
tab: options.below ? "classes" : "pictures",
filter: "all",
trail: null,
all: false,
every: false,
whole: false, // every row of the table
paints: [],
inView: {}, // of each list, the groups of rows that are drawn
});
this.round = data.rounds.length - 1;
this.selected = options.selected ?? this.mostChanged();
root.classList.add("explorer");
this.build();
if (options.below) this.watchSight();
else if (!options.live) this.playOnce();
}
get frame() {
return this.data.rounds[this.round];
}
get first() {
return this.data.rounds[0];
}
otherFrame() {
const rounds = this.data.other?.rounds;
return rounds && rounds[Math.min(this.round, rounds.length - 1)];
}
get scored() {
return known(this.first.score);
}
label(c) {
return `${this.unseen.has(c) ? "* " : ""}${this.data.classes[c]}`;
}
values(frame) {
return this.scored ? frame.accuracy : frame.given;
}
mostChanged() {
const last = this.data.rounds[this.data.rounds.length - 1];
const [a, b] = [this.values(this.first), this.values(last)];
return argmax(a.map((value, c) => (known(value) && known(b[c]) ? Math.abs(b[c] - value) : -1)));
}
order() {
const before = this.values(this.first);
const all = range(this.data.classes.length).filter((c) => known(before[c]));
if (this.all || all.length <= MOST_ROWS) return this.weakestFirst(all);
const last = this.values(this.data.rounds[this.data.rounds.length - 1]);
const change = (c) => Math.abs(last[c] - before[c]);
const most = [...all].sort((a, b) => change(b) - change(a) || a - b).slice(0, MOST_ROWS);
const shown = most.includes(this.selected) ? most : [...most.slice(1), this.selected];
return this.weakestFirst(shown);
}
weakestFirst(list) {
const before = this.values(this.first);
const columns = this.options.below?.data.order;
const rank = (c) => (columns ? columns.indexOf(c) : (before[c] ?? 2));
return [...list].sort((a, b) => rank(a) - rank(b) || a - b);
}
get names() {
const [own, other] = this.options.below?.data.runs.map((run) => run.name) ?? [];
if (other === undefined) return ["this run", "the other run", "in the other run"];
return this.side ? [other, own, `under ${own}`] : [own, other, `under ${other}`];
}
get side() {
return this.options.below?.run ?? 0;
}
precision(frame, key) {
return frame.chosen && frame[key]
? sum(frame[key]) / sum(key === "right" ? frame.chosen : frame.zero_chosen)
: null;
}
set({ round, selected }) {
if (round !== undefined && round !== null)
this.round = Math.max(0, Math.min(this.data.rounds.length - 1, round));
if (
selected !== undefined &&
selected !== null &&
selected >= 0 &&
selected < this.data.classes.length
)
this.selected = selected;
this.paint();
this.onchange({ round: this.round, selected: this.selected });
}
holds(data) {
return !data.scene;
}
update(data) {
const atEnd = this.round === this.data.rounds.length - 1;
this.data = data;
this.sheet = null;
if (atEnd || this.round >= data.rounds.length) this.round = data.rounds.length - 1;
if (this.selected >= data.classes.length) this.selected = this.mostChanged();
this.build();
}
turn(data, round) {
Object.assign(this, { data, round });
this.build();
}
watchSight() {
const watch = new IntersectionObserver(
(seen) => {
this.isInSight = seen[seen.length - 1].isIntersecting;
if (this.isInSight && this.isStale) this.paint();
},
{ rootMargin: "200px" },
);
watch.observe(this.root);
}
stop() {
clearInterval(this.timer);
this.timer = null;
this.showPlaying();
}
play(pause) {
this.stop();
if (this.round === this.data.rounds.length - 1) this.set({ round: 0 });
this.timer = setInterval(() => {
this.set({ round: this.round + 1 });
if (this.round >= this.data.rounds.length - 1) this.stop();
}, pause);
this.showPlaying();
}
playOnce() {
if (reducedMotion() || this.data.rounds.length < 3) return;
const watch = new IntersectionObserver(
(seen) => {
if (!seen.some((one) => one.isIntersecting)) return;
watch.disconnect();
if (!this.touched) this.play(420);
},
{ threshold: 0.35 },
);
watch.observe(this.controls);
for (const kind of ["pointerdown", "keydown"])
this.root.addEventListener(
kind,
() => {
watch.disconnect();
this.touched = true;
},
{ once: true },
);
}
build() {
const { data } = this;
const last = data.rounds.length - 1;
this.paints = [];
this.unseen = new Set(data.unseen ?? []);
if (data.pool) this.sheet ??= this.options.sheet ?? new Sheet(data.pool.pictures);
this.slider = make("input", {
type: "range",
min: 0,
max: last,
step: 1,
value: this.round,
"aria-label": "Round",
class: "grow",
oninput: () => {
this.stop();
this.set({ round: Number(this.slider.value) });
},
});
const step = (label, sign, by) =>
make(
"button",
{
type: "button",
"aria-label": label,
title: label,
onclick: () => {
this.stop();
this.set({ round: this.round + by });
},
},
sign,
);
this.playButton = make("button", {
type: "button",
class: "main",
onclick: () => (this.timer ? this.stop() : this.play(700)),
});
this.controls = make(
"div",
{ class: "row" },
make(
"div",
{ class: "row stepper" },
step("One round back", "\u2039", -1),
this.playButton,
step("One round on", "\u203a", 1),
),
this.slider,
(this.says = make("span", { class: "round" })),
);
this.sentence = make("p", { class: "sentence", "aria-live": "polite" });
this.halves = make("div", { class: "halves" }, this.buildLeft(), this.buildRight());
this.tip = make("div", { class: "value-tip", hidden: true, "aria-hidden": "true" });
const about = make("p", { class: "quiet" }, make("bdi", {}, data.about));
const notes = data.notes.map((note) => make("p", { class: "note" }, note));
const parts = this.options.below
? [part(this.says), about, this.sentence]
: [title(make("bdi", {}, data.title)), about, this.controls, this.sentence, this.halves];
this.root.replaceChildren(
...parts,
this.buildChooser(),
this.buildTabs(),
...notes,
this.tip,
);
this.root.onpointermove = (event) => this.showTip(event);
this.root.onpointerleave = () => this.hideTip();
this.showPlaying();
this.paint();
}
box(painter) {
const box = make("div");
const again = onWidth(box, (width) => {
const held = document.activeElement?.closest?.(".plab [role='listbox']");
const had = held && box.contains(held);
box.replaceChildren(painter(width));
if (had) box.querySelector("[role='listbox']")?.focus({ preventScroll: true });
});
this.paints.push(() => box.isConnected && again());
return box;
}
showTip(event) {
const { tip, root } = this;
const words = event.target.closest?.("[data-tip]")?.getAttribute("data-tip");
if (!words) {
this.hideTip();
return;
}
tip.hidden = false;
tip.textContent = words;
const box = root.getBoundingClientRect();
const middle = event.clientX - box.left - tip.offsetWidth / 2;
const x = Math.max(0, Math.min(root.clientWidth - tip.offsetWidth, middle));
const y = event.clientY - box.top - tip.offsetHeight - 12;
tip.style.transform = `translate(${x}px,${y}px)`;
}
hideTip() {
this.tip.hidden = true;
}
chart(width, series, options) {
const { xs, height } = options;
const chart = lineChart(width, series, options);
const wide = (width - 66) / Math.max(1, xs.length - 1);
xs.forEach((value, i) => {
const words = series
.filter((line) => known(line.values[i]))
.map((line) => `${line.name} ${percent(line.values[i])}`);
if (words.length === 0) return;
const x = 50 + (i - 0.5) * wide; // 50: where lineChart begins
chart.append(
draw("rect", {
x,
y: 0,
width: wide,
height,
fill: "transparent",
"data-tip": `round ${value}: ${words.join(", ")}`,
}),
);
});
return chart;
}
buildLeft() {
const { data } = this;
const pick = (round) => {
this.stop();
this.set({ round });
};
const left = make("div", {}, (this.gain = make("div", { class: "gain" })));
const [own, others] = this.side ? [SIDES[1], SIDES[0]] : SIDES;
if (this.scored) {
const lines = () => [
{
name: data.start,
values: data.rounds.map(() => this.first.score),
colour: INK,
dashed: true,
},
...(data.other
? [
{
name: data.other.title,
values: data.other.rounds.map((r) => r.score),
...others,
},
]
: []),
{ name: data.title, values: data.rounds.map((r) => r.score), ...own },
];
const xs = range(Math.max(data.rounds.length, data.other?.rounds.length ?? 0));
left.append(
part(capital(`${data.metric} by round`)),
this.box((width) =>
this.chart(width, lines(), { label: data.metric, at: this.round, xs, pick, height: 150 }),
),
legend([
[this.names[0], own.colour, own.marker, false, own.hollow],
...(data.other
? [[this.names[1], others.colour, others.marker, false, others.hollow]]
: []),
[data.start, INK, null, true],
]),
);
}
if (data.rounds.some((r) => r.right)) {
const series = [
{
name: "zero-shot CLIP's labels at the same K",
values: data.rounds.map((r) => this.precision(r, "zero_right")),
colour: ORANGE,
marker: "square",
dashed: true,
hollow: true,
},
{
name: "labels this round learned from",
values: data.rounds.map((r) => this.precision(r, "right")),
...own,
},
];
const xs = range(data.rounds.length);
left.append(
make("div", { style: "margin-top:12px" }, part("Pseudolabels that are right")),
this.box((width) =>
this.chart(width, series, {
label: "right pseudolabels",
at: this.round,
xs,
pick,
height: 130,
}),
),
legend([
["learned from", own.colour, own.marker, false, own.hollow],
["zero-shot's, same K", ORANGE, "square", true, true],
]),
);
}
return left;
}
buildRight() {
const { data } = this;
const panels = make(
"div",
{ class: data.other ? "panels several" : "panels" },
this.box((width) => this.dumbbells(width, data.rounds, true)),
);
if (data.other)
panels.append(this.box((width) => this.dumbbells(width, data.other.rounds, false)));
const few =
data.classes.length > MOST_ROWS
? make(
"button",
{
type: "button",
"aria-pressed": "false",
onclick: () => {
this.all = !this.all;
few.setAttribute("aria-pressed", this.all);
few.textContent = this.all ? "Fewer" : `All ${data.classes.length} classes`;
this.paint();
},
},
`All ${data.classes.length} classes`,
)
: null;
const first = this.options.below
? "on the test images, in the order of the columns"
: `weakest under ${data.start} first`;
const what = this.scored
? `Accuracy of each class, ${first}`
: "Images of the pool given to each class";
return make(
"div",
{},
make("div", { class: "row" }, part(what), few),
panels,
legend([
[data.other ? "its start" : data.start, INK, "circle", false, true],
["this round, up", BLUE, "right"],
["down", RED, "left"],
]),
data.unseen
? make(
"p",
{ class: "quiet" },
"* unseen classes: none of their images is labelled",
` (${data.unseen.length} of ${data.classes.length}).`,
)
: null,
this.scored && data.intervals
? make(
"p",
{ class: "quiet" },
"Grey line: 95 % interval of this round's accuracy, for the number of test images.",
)
: null,
);
}
buildChooser() {
this.select = make(
"select",
{ onchange: () => this.set({ selected: Number(this.select.value) }) },
...this.data.classes.map((name, c) => make("option", { value: c }, name)),
);
return make(
"div",
{ class: "row" },
make("label", {}, "Class ", this.select),
(this.about = make("span", { class: "grow" })),
);
}
buildTabs() {
const { data } = this;
const base = freshId();
const tabs = [
["classes", "Class by class"],
["pictures", "Pictures"],
["labels", "Pseudolabels"],
["confusion", "Confusion"],
["table", "Table"],
].filter(
([key]) =>
({
classes: this.options.below,
pictures: data.pool,
labels: data.rounds.some((r) => r.given_labels),
confusion: data.rounds.some((r) => r.confusion),
table: true,
})[key],
);
if (!tabs.some(([key]) => key === this.tab)) this.tab = tabs[0][0];
const choose = (key) => {
this.tab = key;
this.paint();
};
this.tabButtons = tabs.map(([key, label], at) =>
make(
"button",
{
type: "button",
role: "tab",
id: `${base}-${key}`,
"aria-controls": `${base}-panel`,
"data-tab": key,
onclick: () => choose(key),
onkeydown: (event) => {
const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
if (!by) return;
event.preventDefault();
const next = this.tabButtons[(at + by + tabs.length) % tabs.length];
choose(next.dataset.tab);
next.focus();
},
},
label,
),
);
this.panel = make("div", { role: "tabpanel", id: `${base}-panel` });
const again = onWidth(this.panel, (width) => this.paintTab(width));
this.paints.push(again);
return make(
"div",
{},
make(
"div",
{ role: "tablist", class: "row", "aria-label": "More about this round" },
...this.tabButtons,
),
this.panel,
);
}
paint() {
this.isStale = !this.isInSight;
if (this.isStale) return;
const { data, frame } = this;
this.hideTip();
this.slider.value = this.round;
const K = frame.k
? `K = ${frame.k}`
: frame.given_labels
? "chosen by threshold"
: frame.number
? "labelled images alone"
: data.start;
const place = `${frame.number} of ${data.rounds[data.rounds.length - 1].number}`;
this.slider.setAttribute("aria-valuetext", `round ${place}, ${K}`);
const { below } = this.options;
const run = below ? [make("bdi", {}, below.data.runs[this.side].name), ", round "] : ["Round "];
this.says.replaceChildren(...run, `${place} \u00b7 ${K}`);
this.sentence.setAttribute("aria-live", this.timer ? "off" : "polite");
this.sentence.textContent = this.quarters();
this.gain.replaceChildren(...this.gainWords());
this.select.value = this.selected;
this.about.replaceChildren(...this.classWords());
for (const again of this.paints) again();
}
quarters() {
const { weakest, strongest } = this.frame;
if (!known(weakest))
return this.scored
? ""
: "No labels to test on: what moves is where the images of the pool go.";
const other = this.otherFrame();
const there = this.names[2];
const beside =
other && known(other.weakest)
? ` ${capital(there)} ${points(other.weakest)} and` +
` ${points(other.strongest)}.`
: "";
return (
`Weakest quarter of the classes ${points(weakest)},` +
` strongest quarter ${points(strongest)} points.${beside}`
);
}
gainWords() {
if (!this.scored) return [];
const gain = this.frame.score - this.first.score;
return [
make(
"div",
{ class: `big ${gain < 0 ? "down" : "up"}`, "data-value": "gain" },
`${points(gain)} points`,
),
make(
"p",
{ class: "quiet" },
make("b", { "data-value": "score" }, percent(this.frame.score)),
` ${this.data.metric}; ${this.data.start} ${percent(this.first.score)}`,
),
];
}
classWords() {
const c = this.selected;
const [a, b] = [this.values(this.first)[c], this.values(this.frame)[c]];
const words = [make("b", {}, make("bdi", {}, this.data.classes[c])), ": "];
if (!this.scored)
return [...words, `${a} images of the pool by ${this.data.start}, ${b} in this round`];
words.push(`${percent(a)} \u2192 `, make("b", { "data-value": "class" }, percent(b)));
if (this.frame.low) {
const [low, high] = [this.frame.low[c], this.frame.high[c]].map((end) =>
Math.round(100 * end),
);
words.push(make("span", { class: "quiet" }, ` (95 %: ${low}\u2013${high} %)`));
}
const other = this.otherFrame();
if (other)
words.push(
make("span", { class: "quiet" }, `; ${this.names[2]} ${percent(other.accuracy[c])}`),
);
return words;
}
showPlaying() {
const label = this.timer ? "Pause" : "Play the rounds";
this.playButton.textContent = this.timer ? "\u275a\u275a" : "\u25b6";
this.playButton.setAttribute("aria-label", label);
this.playButton.title = label;
}
rows(width, order, { label, describe, left, axis, drawRow, height = 21, top = 20 }) {
const base = freshId();
const move = (by) => {
const at = order.indexOf(this.selected);
this.set({ selected: order[Math.max(0, Math.min(order.length - 1, at + by))] });
};
const chart = draw(
"svg",
{
width,
height: top + order.length * height + 6,
viewBox: `0 0 ${width} ${top + order.length * height + 6}`,
role: "listbox",
tabindex: 0,
"aria-label": label,
"aria-activedescendant": `${base}-${this.selected}`,
onkeydown: (event) => {
const by = { ArrowDown: 1, ArrowUp: -1, Home: -order.length, End: order.length }[
event.key
];
if (by) {
event.preventDefault();
move(by);
}
},
},
...axis(top, top + order.length * height),
);
const rowOf = (c, i) => {
const y = top + i * height;
const row = draw(
"g",
{
role: "option",
id: `${base}-${c}`,
"aria-selected": c === this.selected,
"aria-label": describe(c),
"aria-setsize": order.length,
"aria-posinset": i + 1,
"data-class": c,
"data-tip": describe(c),
onclick: () => this.set({ selected: c }),
},
draw("rect", { class: "hit", x: 0, y, width, height, rx: 4 }),
);
if (left)
row.append(
draw(
"text",
{
x: left - 8,
y: y + height / 2 + 4,
"text-anchor": "end",
style: "unicode-bidi:plaintext",
},
fitted(this.label(c), left - 12),
),
);
row.append(...drawRow(c, y + height / 2));
return row;
};
const at = order.indexOf(this.selected);
chart.append(
...inView(order.length, (this.inView[label] ??= new Set()), {
frame: (from, to) => ({ y: top + from * height, width, height: (to - from) * height }),
rows: (from, to) => order.slice(from, to).map((c, i) => rowOf(c, from + i)),
needed: (from, to) => from <= at && at < to,
}),
);
return chart;
}
dumbbells(width, rounds, main) {
const frame = rounds[Math.min(this.round, rounds.length - 1)];
const before = this.values(rounds[0]);
const now = this.values(frame);
const left = main ? Math.min(150, Math.max(84, 0.34 * width)) : 6;
const most = this.scored ? 1 : largest(this.data.rounds.flatMap((r) => r.given));
const x = scale(0, most, left + 6, width - 12);
const format = this.scored ? percent : (value) => `${value}`;
const axis = (top, bottom) =>
[0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
draw("line", {
class: "grid",
x1: x(share * most),
x2: x(share * most),
y1: top - 3,
y2: bottom,
}),
width - left > 270 || share === 0 || share === 1 || (share === 0.5 && width - left > 150)
? draw(
"text",
{
class: "quiet",
x: x(share * most),
y: top - 8,
"text-anchor": share === 1 ? "end" : "middle",
},
this.scored ? `${100 * share} %` : Math.round(share * most),
)
: "",
]);
const { title: name, start } = main ? this.data : this.data.other;
const unseen = (c) => (this.unseen.has(c) ? ", unseen" : "");
const panel = this.rows(width, this.order(), {
label: `${name}, classes by their accuracy under ${this.data.start}`,
left: main ? left : 0,
axis,
describe: (c) =>
`${this.data.classes[c]}${unseen(c)}: ${start} ${format(before[c])}, now ${format(now[c])}`,
drawRow: (c, y) => {
const up = now[c] >= before[c];
const colour = up ? BLUE : RED;
const parts = [];
if (this.scored && frame.low)
parts.push(
draw("line", {
x1: x(frame.low[c]),
x2: x(frame.high[c]),
y1: y,
y2: y,
stroke: "var(--quiet)",
"stroke-width": 7,
"stroke-opacity": 0.22,
"stroke-linecap": "round",
}),
);
parts.push(
draw("line", {
x1: x(before[c]),
x2: x(now[c]),
y1: y,
y2: y,
stroke: colour,
"stroke-width": 2,
}),
mark("circle", x(before[c]), y, 4, INK, true),
);
if (this.round > 0) parts.push(mark(up ? "right" : "left", x(now[c]), y, 4.6, colour));
return parts;
},
});
if (!this.data.other) return panel;
return make(
"div",
{},
make(
"p",
{ class: "quiet oneline", title: name },
make("b", {}, make("bdi", {}, name)),
`, from ${start}`,
),
panel,
);
}
paintTab(width) {
for (const button of this.tabButtons) {
const on = button.dataset.tab === this.tab;
button.setAttribute("aria-selected", on);
button.tabIndex = on ? 0 : -1;
if (on) this.panel.setAttribute("aria-labelledby", button.id);
}
const held = this.panel.contains(document.activeElement)
? document.activeElement.getAttribute("data-key")
: null;
const inList =
document.activeElement?.getAttribute?.("role") === "listbox" &&
this.panel.contains(document.activeElement);
if (this.tab === "classes" && this.halves.parentNode === this.panel) {
this.keepHeight();
return;
}
this.panel.replaceChildren(
...{
classes: () => [this.halves],
pictures: () => this.pictures(),
labels: () => this.labels(width),
confusion: () => this.confusion(width),
table: () => this.table(),
}[this.tab](),
);
if (held)
[...this.panel.querySelectorAll("[data-key]")]
.find((node) => node.getAttribute("data-key") === held)
?.focus({ preventScroll: true });
if (inList) this.panel.querySelector("[role='listbox']")?.focus({ preventScroll: true });
this.keepHeight();
}
keepHeight() {
if (!this.options.below) return;
const width = this.panel.clientWidth;
if (width !== this.wide) {
Object.assign(this, { wide: width, tall: 0 });
this.panel.style.minHeight = "";
}
this.tall = Math.max(this.tall, Math.min(TALLEST, this.panel.offsetHeight));
this.panel.style.minHeight = `${this.tall}px`;
}
pairs(round) {
const packed = this.data.pool.labels[round];
if (!packed) return new Map();
packed.map ??= (() => {
const images = unpack(packed.image);
const classes = unpack(packed.label);
const map = new Map();
images.forEach((image, i) => {
if (!map.has(image)) map.set(image, new Set());
map.get(image).add(classes[i]);
});
return map;
})();
return packed.map;
}
kinds() {
const { pool } = this.data;
const c = this.selected;
const now = this.pairs(this.round);
const before = this.round > 0 ? this.pairs(this.round - 1) : new Map();
pool.truthArray ??= unpack(pool.truth);
const has = (map) => (image) => map.get(image)?.has(c) ?? false;
const isIn = [...now.keys()].filter(has(now));
const gone = [...before.keys()].filter((image) => has(before)(image) && !has(now)(image));
const fresh = this.round > 1 ? isIn.filter((image) => !has(before)(image)) : [];
const truth = pool.truthArray;
const kinds = { all: isIn };
if (truth)
Object.assign(kinds, {
right: isIn.filter((image) => truth[image] === c),
wrong: isIn.filter((image) => truth[image] >= 0 && truth[image] !== c),
});
return Object.assign(kinds, {
in: fresh,
out: gone,
flipped: fresh.filter((image) => before.has(image)),
});
}
pictures() {
const { pool, classes } = this.data;
const kinds = this.kinds();
const names = {
all: "All",
right: "Right",
wrong: "Wrong",
in: "Newly in",
out: "Newly out",
flipped: "Flipped",
};
if (!kinds[this.filter]) this.filter = "all";
const bar = choice(
"Which pictures",
Object.entries(kinds).map(([key, images]) => [key, `${names[key]} ${images.length}`]),
this.filter,
(key) => {
Object.assign(this, { filter: key, trail: null, every: false });
this.paintTab();
},
);
for (const button of bar.children)
button.setAttribute("data-key", `filter ${button.dataset.value}`);
const few = this.root.clientWidth < 520 ? 20 : 48;
const shown = kinds[this.filter].slice(0, this.every ? undefined : few);
const fresh = new Set(kinds.in);
const flipped = new Set(kinds.flipped);
const truth = pool.truthArray;
const list = make(
"ul",
{ class: "pictures" },
...shown.map((image) => this.picture(image, truth, fresh, flipped)),
);
const more = kinds[this.filter].length - shown.length;
const empty = this.frame.given_labels ? "No picture." : this.unlabelled();
return [
make(
"p",
{ class: "quiet" },
"Pictures of the pool that this round pseudolabelled as ",
make("b", {}, make("bdi", {}, classes[this.selected])),
pool.carried < pool.size
? ` (of ${pool.carried} of ${pool.size} pictures that are carried along)`
: "",
".",
),
bar,
shown.length ? list : make("p", {}, empty),
...(more > 0
? [
make(
"button",
{
type: "button",
"data-key": "every",
onclick: () => {
this.every = true;
this.paintTab();
},
},
`${more} more`,
),
]
: []),
make(
"p",
{ class: "quiet", "aria-live": "polite" },
...(this.trail === null
? [
"\u2713 right, \u2715 wrong, + newly in, \u21c4 flipped from another class.",
" Choose a picture to see its labels round by round.",
]
: this.trailWords(this.trail)),
),
];
}
picture(image, truth, fresh, flipped) {
const { pool, classes } = this.data;
const c = this.selected;
const right = truth && truth[image] >= 0 ? truth[image] === c : null;
const sign = flipped.has(image) ? "\u21c4" : fresh.has(image) ? "+" : null;
const words = [
`picture ${pool.names[image]}`,
...(right === null ? [] : [`truly ${classes[truth[image]]}`, right ? "right" : "wrong"]),
...(sign === null ? [] : [sign === "+" ? "newly in" : "flipped"]),
].join(", ");
return make(
"li",
{},
make(
"button",
{
type: "button",
class: `picture ${right === null ? "" : right ? "right" : "wrong"}`,
"aria-label": words,
"data-tip": words,
"data-key": `picture ${image}`,
"data-image": pool.names[image],
onclick: () => {
this.trail = image;
this.paintTab();
},
},
this.sheet.thumb(image, 56),
right === null
? null
: make("span", { class: "kind", "aria-hidden": "true" }, right ? "\u2713" : "\u2715"),
sign ? make("span", { "aria-hidden": "true" }, sign) : null,
),
);
}
trailWords(image) {
const { pool, classes, rounds } = this.data;
const truth = pool.truthArray?.[image];
const steps = rounds.slice(1).map((r, i) => {
const set = this.pairs(i + 1).get(image);
return make(
"span",
{},
`${i ? ", " : " "}${r.number}: `,
make("bdi", {}, set ? [...set].map((c) => classes[c]).join(" + ") : "\u2013"),
);
});
return [
`Picture ${pool.names[image]}`,
...(truth >= 0 ? [", truly ", make("b", {}, make("bdi", {}, classes[truth]))] : []),
". Its label in round",
...steps,
".",
];
}
unlabelled() {
const start = this.round ? "" : ` is ${this.data.start}`;
return `Round ${this.frame.number}${start}: nothing was pseudolabelled.`;
}
labels(width) {
const { frame } = this;
if (!frame.given_labels) return [make("p", {}, this.unlabelled())];
const left = Math.min(150, 0.34 * width);
const most = Math.max(1, largest(this.data.rounds.flatMap((r) => r.given_labels ?? [])));
const x = scale(0, most, left + 4, width - 14);
const tick = Math.max(1, Math.round(most / 4));
const hatch = freshId();
const axis = (top, bottom) => [
draw(
"defs",
{},
draw(
"pattern",
{
id: hatch,
width: 5,
height: 5,
patternUnits: "userSpaceOnUse",
patternTransform: "rotate(45)",
},
draw("rect", { width: 5, height: 5, fill: BLUE }),
draw("line", { x1: 0, x2: 0, y1: 0, y2: 5, stroke: "var(--paper)", "stroke-width": 2 }),
),
),
...range(Math.floor(most / tick) + 1).flatMap((i) => [
draw("line", { class: "grid", x1: x(i * tick), x2: x(i * tick), y1: top - 3, y2: bottom }),
draw(
"text",
{ class: "quiet", x: x(i * tick), y: top - 8, "text-anchor": "middle" },
i * tick,
),
]),
];
const count = (c) => {
const given = `${frame.given_labels[c]} given`;
if (!frame.right) return given;
return `${given}, ${frame.right[c]} right, ${frame.zero_right[c]} right by zero-shot CLIP`;
};
const order = this.scored
? this.order()
: range(this.data.classes.length).slice(0, this.all ? undefined : MOST_ROWS);
return [
legend([
["given", INK, "square", false, true],
...(frame.right
? [
["right", BLUE, "square"],
["right by zero-shot CLIP, same K", RED, "diamond"],
]
: []),
]),
this.rows(width, order, {
label: "Pseudolabels by class",
left,
axis,
describe: (c) => `${this.data.classes[c]}: ${count(c)}`,
drawRow: (c, y) => [
draw("rect", {
x: x(0),
y: y - 6,
width: x(frame.given_labels[c]) - x(0),
height: 12,
fill: "none",
stroke: INK,
}),
...(frame.right
? [
draw("rect", {
x: x(0),
y: y - 6,
width: x(frame.right[c]) - x(0),
height: 12,
fill: `url(#${hatch})`,
}),
mark("diamond", x(frame.zero_right[c]), y, 3.6, RED),
]
: []),
],
}),
frame.right
? null
: make("p", { class: "quiet" }, "How many are right is not known: the pool has no labels."),
].filter(Boolean);
}
confusion(width) {
const { classes } = this.data;
const C = classes.length;
const counts = new Float64Array(C * C);
const totals = new Float64Array(C);
const { cell, n } = this.frame.confusion;
const values = unpack(n);
unpack(cell).forEach((flat, i) => {
counts[flat] = values[i];
totals[Math.floor(flat / C)] += values[i];
});
const left = Math.min(130, 0.28 * width);
const size = Math.max(5, Math.min(34, (width - left - 4) / C));
const top = 92;
const wide = left + C * size + 52;
const order = this.weakestFirst(range(C));
const chart = draw("svg", {
width: wide,
height: top + C * size + 4,
viewBox: `0 0 ${wide} ${top + C * size + 4}`,
style: `width:${wide}px;max-width:none`,
role: "img",
"aria-label":
`Confusion matrix of round ${this.frame.number}: rows true classes,` +
" columns what they were called; the most frequent confusions stand below",
});
order.forEach((c, i) => {
const middle = left + (i + 0.5) * size;
const here = c === this.selected;
if (size >= 11)
chart.append(
draw(
"text",
{
x: left - 6,
y: top + (i + 0.5) * size + 4,
"text-anchor": "end",
style: here ? "font-weight:700" : null,
},
fitted(classes[c], left - 8),
),
draw(
"text",
{
transform: `translate(${middle + 4} ${top - 6}) rotate(-60)`,
style: here ? "font-weight:700" : null,
},
fitted(classes[c], 88),
),
);
order.forEach((d, j) => {
const share = totals[c] ? counts[c * C + d] / totals[c] : 0;
const spot = { x: left + j * size, y: top + i * size, width: size - 1, height: size - 1 };
const count = `${counts[c * C + d]} of ${totals[c]}`;
if (share === 0 && C > 40) return;
chart.append(
draw("rect", {
...spot,
fill: c === d ? BLUE : RED,
"fill-opacity": share === 0 ? 0.04 : 0.12 + 0.88 * share,
"data-tip": `${classes[c]} called ${classes[d]}: ${count}`,
onclick: () => this.set({ selected: c }),
style: "cursor:pointer",
}),
);
const ink = share > 0.45 ? "var(--paper)" : "var(--ink)";
if (size >= 24 && share >= 0.005)
chart.append(
draw(
"text",
{
x: spot.x + size / 2,
y: spot.y + size / 2 + 4,
"text-anchor": "middle",
style: `pointer-events:none;font-size:11px;fill:${ink}`,
},
Math.round(100 * share),
),
);
});
if (here)
chart.append(
draw("rect", {
x: left - 1,
y: top + i * size - 1,
width: C * size + 1,
height: size + 1,
fill: "none",
stroke: INK,
"stroke-width": 1.5,
style: "pointer-events:none",
}),
);
});
const wrong = range(C * C)
.filter((flat) => counts[flat] > 0 && Math.floor(flat / C) !== flat % C)
.sort((a, b) => counts[b] - counts[a])
.slice(0, 6);
return [
make(
"p",
{ class: "quiet" },
"Rows: true class; columns: what the test images were called, in % of the row.",
" Choose a cell to choose its row.",
),
make(
"div",
{ class: "scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
chart,
),
make(
"p",
{ class: "quiet" },
wrong.length ? "Most frequent: " : "No test image is wrong.",
...wrong.map((flat, i) =>
make(
"span",
{},
i ? "; " : "",
make("bdi", {}, classes[Math.floor(flat / C)]),
" called ",
make("bdi", {}, classes[flat % C]),
` ${counts[flat]} times`,
),
),
),
];
}
table() {
const { frame, first, data } = this;
const a = this.values(first);
const b = this.values(frame);
const format = this.scored ? percent : (value) => value;
const heads = [
"class",
data.start,
`round ${frame.number}`,
"change",
...(frame.given_labels ? ["labels given"] : []),
...(frame.right ? ["right", "right, zero-shot"] : []),
];
const shown = this.whole ? data.classes.length : MOST_AT_ONCE;
const classes = range(data.classes.length);
const order = this.options.below ? this.weakestFirst(classes) : classes;
order.length = Math.min(shown, order.length);
if (!order.includes(this.selected)) order.push(this.selected);
const rows = order.map((c) => [
data.classes[c],
format(a[c]),
format(b[c]),
this.scored ? (known(a[c]) ? points(b[c] - a[c]) : "no labels") : b[c] - a[c],
...(frame.given_labels ? [frame.given_labels[c]] : []),
...(frame.right ? [frame.right[c], frame.zero_right[c]] : []),
]);
const table = plainTable(`Every class in round ${frame.number}`, heads, rows);
table
.querySelectorAll("tbody tr")
.forEach((row, i) => row.classList.toggle("chosen", order[i] === this.selected));
const more = data.classes.length - order.length;
if (more === 0) return [table];
const all = () => {
this.whole = true;
this.paintTab();
};
return [
table,
make("button", { type: "button", "data-key": "whole", onclick: all }, `${more} more`),
];
}
}
function inView(length, shown, { frame, rows, needed }) {
if (length <= MOST_AT_ONCE) return rows(0, length);
const groups = range(Math.ceil(length / MOST_ROWS)).map((i) => {
const [from, to] = [i * MOST_ROWS, Math.min(length, (i + 1) * MOST_ROWS)];
const space = draw("rect", { x: 0, ...frame(from, to), fill: "none" });
const group = draw("g", { role: "presentation" }, space);
const fill = (isIn) => {
if (isIn === group.childNodes.length > 1) return;
group.replaceChildren(space, ...(isIn ? rows(from, to) : []));
};
fill(shown.has(i) || needed(from, to));
return { group, fill, isNeeded: needed(from, to) };
});
const watch = new IntersectionObserver(
(seen) => {
for (const { target, isIntersecting } of seen) {
const i = groups.findIndex(({ group }) => group === target);
if (!target.isConnected) watch.unobserve(target);
else {
shown[isIntersecting ? "add" : "delete"](i);
groups[i].fill(isIntersecting || groups[i].isNeeded);
}
}
},
{ rootMargin: "600px" },
);
for (const { group } of groups) watch.observe(group);
return groups.map(({ group }) => group);
}
const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, number), 0);
function fitted(name, width) {
const most = Math.max(3, Math.floor(width / 6.3));
const letters = [...name];
if (letters.length <= most) return name;
const start = letters.slice(0, most - 1).join("");
return `${start.trimEnd()}\u2026`;
}
function mount(root, data, options = {}) {
return new Explorer(root, data, options);
}
use(mountAll, mount);
};
