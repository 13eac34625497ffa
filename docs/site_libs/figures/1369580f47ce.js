(globalThis.plabFigures ??= {})["1369580f47ce"] = (use) => {
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
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const mean = (numbers) => sum(numbers) / numbers.length;
const text = (name) => make("bdi", {}, name);
const press = (label, click, main) =>
make("button", { type: "button", class: main ? "main" : null, onclick: click }, label);
function formats({ factor, digits, suffix, apart, signed }) {
const written = (value, plus) => {
const size = Math.abs(factor * value).toFixed(digits);
return (Number(size) === 0 ? "" : value < 0 ? "\u2212" : plus ? "+" : "") + size;
};
return {
show: (value) => `${written(value, signed)}${suffix}`,
gap: (value) => `${written(Math.abs(value))}${apart}`,
plain: (value) => String(Number((factor * value).toFixed(digits))),
};
}
function ticks(low, high, most) {
const size = 10 ** Math.ceil(Math.log10(high - low) - 1e-9);
return niceTicks(low / size, high / size, most).map((tick) => tick * size);
}
const tickText = (data, tick) =>
`${Number((data.factor * tick).toPrecision(6))}${data.suffix === " %" ? " %" : ""}`.replace(
"-",
"\u2212",
);
function mount(root, data) {
const status = make("div", { class: "outcome", role: "status" });
const after = make("div", { class: "after" });
const say = (lines) => {
const made = lines.map((line) => make("p", {}, ...[line].flat()));
if (
made.map((line) => line.textContent).join() !==
[...status.children].map((line) => line.textContent).join()
)
status.replaceChildren(...made); // what stands there is not read out again
};
const show = press("Show what happened", () => finish(true), true);
const skip = press("Just show me", () => finish(false));
const again = press("Try again", () => {
begin();
skip.focus();
});
const task = TASKS[data.kind](data, formats(data), say, () => {
show.disabled = !task.ready();
});
const begin = () => {
show.hidden = skip.hidden = false;
again.hidden = true;
show.disabled = true;
after.replaceChildren();
task.begin();
};
const finish = (guessed) => {
const { lines, table } = task.reveal(guessed);
show.hidden = skip.hidden = true;
again.hidden = false;
again.focus({ preventScroll: true });
say(lines);
if (table) after.append(make("details", {}, make("summary", {}, "The numbers"), table));
if (data.then) {
const more = make("div", { class: "then" });
more.innerHTML = data.then; // as the lesson's author made it
after.append(more);
}
};
root.classList.add("guess"); // other figures on the page keep their own look
root.append(
make("p", { class: "question" }, text(data.question)),
task.body,
make("div", { class: "row steps" }, show, skip, again),
status,
after,
);
begin();
}
function curveTask(data, format, say, changed) {
const LOOKS = [
["var(--blue)", "circle"],
["var(--vermilion)", "square"],
];
const curves = data.curves.map(({ name, values }, i) => ({
name,
truth: values,
drawn: [],
colour: LOOKS[i][0],
shape: LOOKS[i][1],
}));
const xs = data.at;
const end = xs.length - 1;
const free = range(xs.length).slice(data.given);
let active = curves[0];
let at = data.given;
let shown = false;
let guessed = false;
let laying = false;
let place = null;
let stroke = null;
const canvas = make("div", { "aria-hidden": "true" });
const key = make("div");
const handles = free.map((i) =>
make("div", {
class: "handle",
role: "slider",
"aria-orientation": "vertical",
"aria-label": `${data.axis} ${xs[i]}`,
onkeydown: (event) => onKey(event, i),
onfocus: () => {
at = i;
roving();
},
}),
);
const pad = make(
"div",
{
class: "pad",
role: "group",
onpointerdown: start,
onpointermove: (event) => {
if (stroke) drag(event);
},
onpointerup: stop,
onpointercancel: stop,
},
canvas,
...handles,
);
const fields = free.map((i) =>
make("input", {
type: "number",
step: "any",
min: data.factor * data.low,
max: data.factor * data.high,
onchange: (event) => type(event.target, i),
}),
);
const typed = make(
"details",
{},
make("summary", {}, "Type the numbers instead"),
make(
"div",
{ class: "fields" },
...free.map((i, n) => make("label", {}, `${data.axis} ${xs[i]}`, fields[n])),
),
);
const which =
curves.length > 1
? choice(
"Curve to draw",
curves.map(({ name }, i) => [i, text(name)]),
0,
(i) => {
active = curves[i];
refresh();
},
)
: null;
const next = press("", () => {
which.children[other()].click();
handles[0].focus({ preventScroll: true });
});
const body = make("div", {}, which, pad, key, next, typed);
const paint = onWidth(pad, (width) => {
canvas.replaceChildren(chart(width));
put();
});
const done = (curve) => curve.drawn.length === xs.length;
const other = () => curves.findIndex((curve) => !done(curve));
const level = (i) =>
active.drawn[Math.min(i, active.drawn.length - 1)] ?? (data.low + data.high) / 2;
function set(i, value) {
const { drawn } = active;
const from = drawn.length - 1;
value = clamp(value, data.low, data.high);
for (let j = drawn.length; j < i; j++)
drawn[j] = from < 0 ? value : drawn[from] + ((value - drawn[from]) * (j - from)) / (i - from);
drawn[i] = value;
}
function refresh() {
paint();
put();
roving();
const missing = other();
next.hidden = shown || missing < 0 || !done(active);
if (missing >= 0) next.replaceChildren("Next: ", text(curves[missing].name));
key.replaceChildren(legend(entries()));
changed();
if (!shown && !stroke)
say([
missing < 0
? "Drawn. Change it, or show what happened."
: done(active)
? ["Now draw the other curve: ", text(curves[missing].name), "."]
: [
`Draw ${curves.length > 1 ? "" : "the curve "}`,
...(curves.length > 1 ? [text(active.name), " "] : []),
`up to ${data.axis} ${xs[end]}: mouse, finger, or Tab and the arrow keys.`,
],
]);
}
function put() {
const given = active.truth
.slice(0, data.given)
.map((value, i) => ` Given: ${data.axis} ${xs[i]}, ${format.show(value)}.`)
.join("");
pad.setAttribute(
"aria-label",
`Drawing of ${active.name}, ${data.axis} ${xs[0]} to ${xs[end]}.${given}` +
` Left and right choose the ${data.axis}, up and down move its point.`,
);
free.forEach((i, n) => {
const handle = handles[n];
const drawn = i < active.drawn.length;
handle.hidden = shown;
if (place) {
handle.style.left = `${place.x(i)}px`;
handle.style.top = `${place.y(level(i))}px`;
}
for (const [name, value] of [
["min", data.low],
["max", data.high],
["now", level(i)],
])
handle.setAttribute(`aria-value${name}`, format.plain(value));
handle.setAttribute("aria-valuetext", drawn ? format.show(active.drawn[i]) : "not drawn yet");
if (fields[n] !== document.activeElement)
fields[n].value = drawn ? format.plain(active.drawn[i]) : "";
});
typed.hidden = shown;
pad.classList.toggle("done", shown);
}
function roving() {
handles.forEach((handle, n) => {
handle.tabIndex = free[n] === at ? 0 : -1;
});
}
function onKey(event, i) {
const sides = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: data.given, End: end };
const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10, Enter: 0, " ": 0 };
if (event.key in sides) {
at = clamp(sides[event.key], data.given, end);
roving();
handles[at - data.given].focus();
} else if (event.key in steps) {
set(i, level(i) + (steps[event.key] * data.step) / data.factor);
refresh();
} else return;
event.preventDefault();
}
function type(field, i) {
const value = Number(field.value) / data.factor;
if (field.value !== "" && value >= data.low && value <= data.high) {
set(i, value);
refresh();
} else {
say([`A number from ${format.plain(data.low)} to ${format.plain(data.high)}, please.`]);
field.value = i < active.drawn.length ? format.plain(active.drawn[i]) : "";
}
}
function start(event) {
if (shown || event.button !== 0 || !place) return;
event.preventDefault();
pad.setPointerCapture(event.pointerId);
stroke = {};
drag(event);
handles[at - data.given].focus({ preventScroll: true });
}
function drag(event) {
const inside = pad.getBoundingClientRect();
const step = data.step / data.factor;
const i = range(xs.length).reduce(
(best, j) =>
Math.abs(place.x(j) - event.clientX + inside.left) <
Math.abs(place.x(best) - event.clientX + inside.left)
? j
: best,
0,
);
if (i < data.given) {
stroke = { i, value: active.drawn[i] };
return;
}
const value = clamp(
Math.round(place.back(event.clientY - inside.top) / step) * step,
data.low,
data.high,
);
if (stroke.i !== undefined)
for (let j = Math.min(i, stroke.i) + 1; j < Math.max(i, stroke.i); j++)
if (j >= data.given)
set(j, stroke.value + ((value - stroke.value) * (j - stroke.i)) / (i - stroke.i));
set(i, value);
stroke = { i, value };
at = i;
refresh();
}
function stop() {
if (stroke) {
stroke = null;
refresh();
}
}
function chart(width) {
const height = 250;
const box = {
left: data.suffix === " %" ? 46 : 40,
right: width - 14,
top: 12,
bottom: height - 42,
};
const x = scale(0, end, box.left + 8, box.right);
const y = scale(data.low, data.high, box.bottom, box.top);
place = { x, y, back: scale(box.bottom, box.top, data.low, data.high) };
const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
for (const tick of ticks(data.low, data.high, 5))
svg.append(
draw("line", { class: "grid", x1: box.left, x2: box.right, y1: y(tick), y2: y(tick) }),
draw(
"text",
{ class: "quiet", x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" },
tickText(data, tick),
),
);
const every = Math.ceil(xs.length / Math.max(2, Math.floor((box.right - box.left) / 28)));
xs.forEach((value, i) => {
if (i % every === 0)
svg.append(
draw("text", { class: "quiet", x: x(i), y: height - 26, "text-anchor": "middle" }, value),
);
});
svg.append(
draw(
"text",
{ class: "quiet", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" },
data.axis,
),
);
for (const { value } of data.known)
svg.append(
draw("line", {
x1: box.left,
x2: box.right,
y1: y(value),
y2: y(value),
stroke: "var(--quiet)",
"stroke-width": 1.5,
"stroke-dasharray": "2 4",
}),
);
if (!shown && active.drawn.length <= data.given)
svg.append(
draw(
"text",
{
class: "quiet invitation",
x: x(data.given + (end - data.given) / 2),
y: (box.top + box.bottom) / 2,
"text-anchor": "middle",
},
"draw here",
),
);
if (guessed)
for (const curve of curves)
free.forEach((i) =>
svg.append(
draw("line", {
x1: x(i),
x2: x(i),
y1: y(curve.drawn[i]),
y2: y(curve.truth[i]),
stroke: curve.colour,
"stroke-opacity": 0.35,
"stroke-width": 3,
}),
),
);
for (const curve of curves) {
if (shown) svg.append(line(curve, curve.truth, false));
if (!shown || guessed) svg.append(line(curve, curve.drawn, true));
}
laying = false;
return svg;
}
function line(curve, values, drawn) {
const quiet = !shown && curve !== active;
const group = draw("g", {
class: drawn ? "drawn" : laying ? "truth laid" : "truth",
opacity: quiet ? 0.5 : null,
});
group.append(
draw("polyline", {
points: values.map((value, i) => `${place.x(i)},${place.y(value)}`).join(" "),
fill: "none",
stroke: curve.colour,
"stroke-width": 2.5,
"stroke-dasharray": drawn ? "5 4" : null,
}),
);
values.forEach((value, i) =>
group.append(
mark(
curve.shape,
place.x(i),
place.y(value),
drawn && i >= data.given ? 4 : 4.5,
curve.colour,
drawn && i >= data.given,
),
),
);
return group;
}
function entries() {
const named = (name, ending) => make("span", {}, text(name), ending);
const lines = curves.flatMap(({ name, colour, shape }) => [
...(!shown || guessed ? [[named(name, ", your prediction"), colour, shape, true, true]] : []),
...(shown ? [[named(name, ", what happened"), colour, shape, false, false]] : []),
]);
return [
...lines,
...data.known.map(({ name, value }) => [
named(name, ` ${format.show(value)}`),
"var(--quiet)",
null,
true,
false,
]),
];
}
const small = (data.high - data.low) / 100; // a smaller change counts as none
const direction = (change) => (Math.abs(change) < small ? 0 : Math.sign(change));
const change = (values) => values[end] - values[0];
const inWords = (gap, fall, stay, rise) =>
[fall, stay, rise][direction(gap) + 1] + (direction(gap) ? ` by ${format.gap(gap)}` : "");
function sentence({ name, drawn, truth }) {
const head = curves.length > 1 ? [text(name), ": "] : [];
const went = change(truth);
const moved = inWords(went, "fell", "stayed about where it was", "rose");
if (!guessed)
return [
text(name),
` ${moved}, from ${format.show(truth[0])} to ${format.show(truth[end])}.`,
];
const said = change(drawn);
const drew = inWords(said, "fall", "stay about where it was", "rise");
const verdict =
direction(said) === direction(went) ? "the right direction" : "not the direction you drew";
const off = mean(free.map((i) => Math.abs(drawn[i] - truth[i])));
return [
...head,
`your curve is ${format.gap(off)} off on average.`,
` You let it ${drew}; it ${moved}: ${verdict}.`,
];
}
return {
body,
ready: () => other() < 0,
begin() {
shown = guessed = false;
at = data.given;
for (const curve of curves) curve.drawn = curve.truth.slice(0, data.given);
active = curves[0];
if (which) {
which.set(0);
which.hidden = false;
}
refresh();
},
reveal(made) {
shown = laying = true;
guessed = made;
if (which) which.hidden = true;
refresh();
const heads = curves.flatMap(({ name }) => [
...(guessed ? [make("span", {}, text(name), ", yours")] : []),
make("span", {}, text(name), ", what happened"),
]);
const rows = xs.map((x, i) => [
x,
...curves.flatMap(({ drawn, truth }) => [
...(guessed ? [i < data.given ? "given" : format.show(drawn[i])] : []),
format.show(truth[i]),
]),
]);
return {
lines: curves.map(sentence).map(begun),
table: plainTable("Prediction and what happened", [data.axis, ...heads], rows),
};
},
};
}
const begun = ([first, ...rest]) => [typeof first === "string" ? capital(first) : first, ...rest];
function ranks(values) {
return values.map(
(value) =>
values.filter((other) => other < value).length +
(values.filter((other) => other === value).length + 1) / 2,
);
}
function spearman(a, b) {
const [p, q] = [ranks(a), ranks(b)];
const middle = (a.length + 1) / 2;
const covariance = (u, v) => sum(u.map((value, i) => (value - middle) * (v[i] - middle)));
return covariance(p, q) / Math.sqrt(covariance(p, p) * covariance(q, q));
}
function pairs(a, b) {
const all = range(a.length).flatMap((i) =>
range(i).map((j) => [Math.sign(a[i] - a[j]), Math.sign(b[i] - b[j])]),
);
const same = all.filter(([s, t]) => s * t > 0).length;
const opposite = all.filter(([s, t]) => s * t < 0).length;
return {
same,
opposite,
tau:
(same - opposite) /
Math.sqrt(all.filter(([s]) => s).length * all.filter(([, t]) => t).length),
};
}
function orderTask(data, format, say, changed) {
const list = make("ol", {
class: "order",
"aria-label": `From ${data.ends[0]} to ${data.ends[1]}`,
onpointerdown: start,
onpointermove: drag,
onpointerup: stop,
onpointercancel: stop,
});
const [first, last] = [`${data.ends[0]} first`, `${data.ends[1]} last`].map((words) =>
make("p", { class: "quiet" }, words),
);
const result = make("div", { class: "order-table" });
const body = make("div", {}, first, list, last, result);
let held = null;
let moved = false;
const items = data.names.map((name, i) => {
const arrow = (sign, step, way) =>
make(
"button",
{
type: "button",
class: "arrow",
tabindex: -1,
"aria-label": `${name}: ${way}`,
onclick: (event) => shift(i, step, event.currentTarget),
},
sign,
);
const grip = make(
"button",
{ type: "button", class: "grip", onkeydown: (event) => onKey(event, i) },
make("span", { "aria-hidden": "true" }, "\u2261"),
);
const item = make(
"li",
{ "data-item": i },
grip,
make("span", { class: "place", "aria-hidden": "true" }),
make("span", { class: "grow" }, text(name)),
arrow("\u2191", -1, "earlier"),
arrow("\u2193", 1, "later"),
);
return Object.assign(item, { grip });
});
const order = () => [...list.children].map((item) => Number(item.dataset.item));
const number = () =>
order().forEach((i, at) => {
items[i].querySelector(".place").textContent = at + 1;
items[i].grip.setAttribute(
"aria-label",
`${data.names[i]}, place ${at + 1} of ${items.length}. Up and down arrows move it.`,
);
});
function shift(i, step, focus) {
const to = clamp(order().indexOf(i) + step, 0, items.length - 1);
if (to === order().indexOf(i)) return;
place(items[i], order().filter((j) => j !== i)[to]);
focus.focus({ preventScroll: true });
items[i].scrollIntoView({ block: "nearest" });
say([[text(data.names[i]), `: place ${to + 1} of ${items.length}.`]]);
}
function place(item, before) {
list.insertBefore(item, before === undefined ? null : items[before]);
moved = true;
number();
changed();
}
function onKey(event, i) {
const step = { ArrowUp: -1, ArrowDown: 1, Home: -items.length, End: items.length }[event.key];
if (!step) return;
event.preventDefault();
shift(i, step, event.currentTarget);
}
function start(event) {
const item = event.target.closest("li");
if (
!item ||
event.button !== 0 ||
event.target.closest(".arrow") ||
(event.pointerType !== "mouse" && !event.target.closest(".grip"))
)
return;
event.preventDefault();
held = item;
held.classList.add("held");
list.setPointerCapture(event.pointerId);
item.grip.focus({ preventScroll: true });
}
function drag(event) {
if (!held) return;
const others = order().filter((i) => items[i] !== held);
const before = others.find((i) => {
const box = items[i].getBoundingClientRect();
return event.clientY < box.top + box.height / 2;
});
if ((before === undefined ? null : items[before]) === held.nextElementSibling) return;
place(held, before);
}
function stop() {
if (!held) return;
held.classList.remove("held");
held.grip.focus({ preventScroll: true });
const i = Number(held.dataset.item);
say([[text(data.names[i]), `: place ${order().indexOf(i) + 1} of ${items.length}.`]]);
held = null;
}
function bar(value) {
const along = scale(Math.min(0, ...data.values), Math.max(0, ...data.values), 0, 100);
const ends = [along(0), along(value)];
const look = [
`left:${Math.min(...ends).toFixed(1)}%`,
`width:${Math.abs(ends[1] - ends[0]).toFixed(1)}%`,
`background:var(--${value < 0 ? "vermilion" : "blue"})`,
].join(";");
return make(
"div",
{ class: "bar" },
make("span", { class: "track" }, make("i", { style: look })),
make("span", { class: "amount" }, format.show(value)),
);
}
return {
body,
ready: () => moved,
begin() {
moved = false;
list.replaceChildren(...items);
list.hidden = first.hidden = last.hidden = false;
result.replaceChildren();
number();
say([`Drag the names, or use the arrows: ${data.ends[0]} first, ${data.ends[1]} last.`]);
},
reveal(guessed) {
const yours = order();
const said = data.names.map((_, i) => yours.indexOf(i));
const truth = range(items.length).sort((i, j) => data.values[i] - data.values[j] || i - j);
const apart = (i, at) => {
const by = said[i] - at;
return `${said[i] + 1}${by ? ` (${by < 0 ? "\u2212" : "+"}${Math.abs(by)})` : ""}`;
};
const heads = [data.noun, data.label, "place", ...(guessed ? ["yours"] : [])];
result.replaceChildren(
plainTable(
`${data.label}, ${data.ends[0]} first`,
heads,
truth.map((i, at) => [
data.names[i],
bar(data.values[i]),
at + 1,
...(guessed ? [apart(i, at)] : []),
]),
),
);
list.hidden = first.hidden = last.hidden = true;
const [low, high] = [truth[0], truth[truth.length - 1]];
const extremes = capital([
`${data.ends[0]}: `,
text(data.names[low]),
`, ${format.show(data.values[low])}; ${data.ends[1]}: `,
text(data.names[high]),
`, ${format.show(data.values[high])}.`,
]);
if (!guessed) return { lines: [extremes] };
const { same, opposite, tau } = pairs(said, data.values);
const two = (value) => value.toFixed(2).replace("-", "\u2212");
const rho = spearman(said, data.values);
const outcome =
`You put ${same} of ${same + opposite} pairs in the right order:` +
` Kendall\u2019s \u03c4 = ${two(tau)}, Spearman\u2019s \u03c1 = ${two(rho)}` +
" (1: the same order, 0: no better than chance, \u22121: reversed).";
return { lines: [outcome, extremes] };
},
};
}
function numberTask(data, format, say, changed) {
let guess = null;
let shown = false;
const bounds = { min: data.factor * data.low, max: data.factor * data.high };
const field = make("input", {
type: "number",
step: "any",
...bounds,
oninput: (event) => take(event.target.value),
});
const slider = make("input", {
type: "range",
step: data.step,
...bounds,
"aria-label": "Your prediction",
oninput: (event) => take(event.target.value),
});
const box = make("div", { "aria-hidden": "true" });
const key = make("div");
const entry = make(
"label",
{ class: "row" },
"Your prediction",
field,
make("span", { "aria-hidden": "true" }, data.suffix.trim()),
);
const body = make("div", { class: "line" }, entry, slider, box, key);
const inside = (value) =>
value !== "" && Number(value) >= bounds.min && Number(value) <= bounds.max;
const paint = onWidth(box, (width) => box.replaceChildren(chart(width)));
function take(value) {
if (inside(value)) {
guess = Number(value) / data.factor;
say(["Change it, or show what happened."]);
} else {
guess = null;
say([`A number from ${format.plain(data.low)} to ${format.plain(data.high)}, please.`]);
}
refresh();
}
function refresh() {
slider.classList.toggle("untouched", guess === null);
if (guess !== null) {
slider.value = data.factor * guess;
slider.setAttribute("aria-valuetext", format.show(guess));
} else slider.setAttribute("aria-valuetext", "no prediction yet");
if (field !== document.activeElement) field.value = guess === null ? "" : format.plain(guess);
slider.hidden = entry.hidden = shown;
const entries = [
...(guess !== null
? [[`your prediction ${format.show(guess)}`, "var(--orange)", "diamond", true, true]]
: []),
...(shown
? [[`what happened ${format.show(data.value)}`, "var(--blue)", "circle", false, false]]
: []),
...data.known.map(({ name, value }) => [
make("span", {}, text(name), ` ${format.show(value)}`),
"var(--quiet)",
null,
true,
false,
]),
];
key.replaceChildren(legend(entries));
paint();
changed();
}
function chart(width) {
const x = scale(data.low, data.high, 8, width - 8);
const svg = draw("svg", { width, height: 52, viewBox: `0 0 ${width} 52` });
const y = 18;
svg.append(
draw("line", { class: "grid", x1: 8, x2: width - 8, y1: y, y2: y, "stroke-width": 2 }),
);
for (const tick of ticks(data.low, data.high, width < 420 ? 4 : 8))
svg.append(
draw("line", { class: "grid", x1: x(tick), x2: x(tick), y1: y - 5, y2: y + 5 }),
draw(
"text",
{
class: "quiet",
x: x(tick),
y: 46,
"text-anchor": x(tick) > width - 24 ? "end" : x(tick) < 24 ? "start" : "middle",
},
tickText(data, tick),
),
);
for (const { value } of data.known)
svg.append(
draw("line", {
x1: x(value),
x2: x(value),
y1: 2,
y2: 34,
stroke: "var(--quiet)",
"stroke-width": 1.5,
"stroke-dasharray": "2 4",
}),
);
if (shown && guess !== null)
svg.append(
draw("line", {
x1: x(guess),
x2: x(data.value),
y1: y,
y2: y,
stroke: "var(--orange)",
"stroke-width": 4,
"stroke-opacity": 0.6,
}),
);
if (shown) svg.append(mark("circle", x(data.value), y, 7, "var(--blue)"));
if (guess !== null) svg.append(mark("diamond", x(guess), y, 6, "var(--orange)", true));
return svg;
}
return {
body,
ready: () => guess !== null,
begin() {
guess = null;
shown = false;
slider.value = (data.factor * (data.low + data.high)) / 2;
field.value = "";
say(["Type a number, or slide."]);
refresh();
},
reveal(guessed) {
if (!guessed) guess = null;
shown = true;
refresh();
const truth = format.show(data.value);
if (!guessed) return { lines: [`It is ${truth}.`] };
const off = guess - data.value;
const near = Math.abs(data.factor * off) < 0.5 * 10 ** -data.digits;
const verdict = near ? "right" : `${format.gap(off)} too ${off < 0 ? "low" : "high"}`;
return { lines: [`You said ${format.show(guess)}; it is ${truth}: ${verdict}.`] };
},
};
}
const TASKS = { curve: curveTask, order: orderTask, number: numberTask };
use(mountAll, mount);
};
