(globalThis.plabFigures ??= {})["441e49d5d893"] = (use) => {
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
const FEW = 9; // so many classes have a key of their own
const NONE = -1; // the answer that a photo shows none of the classes
const named = (name) => make("bdi", {}, name);
function pressed(label, click, main) {
const onclick = (event) => {
if (event.detail) event.currentTarget.blur();
click();
};
return make("button", { type: "button", class: main ? "main" : null, onclick }, ...label);
}
function csvCell(text) {
const guarded = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
function csvOf(data, answers) {
const rows = data.photos
.map((photo, i) => [photo, answers[i]])
.filter(([, answer]) => answer !== null)
.map(([photo, answer]) => [photo.image, answer === NONE ? "" : data.classes[answer], "yes"]);
return [["image", "label", "checked"], ...rows]
.map((row) => `${row.map(csvCell).join(",")}\r\n`)
.join("");
}
function keeper(name) {
try {
window.localStorage.getItem(name);
} catch {
return null;
}
return {
read: () => JSON.parse(window.localStorage.getItem(name) ?? "null"),
write: (answers) => window.localStorage.setItem(name, JSON.stringify(answers)),
};
}
function mount(root, data) {
const { classes, photos } = data;
const kept = keeper(`pseudolab-review-${data.name}`);
const before = kept?.read();
const fits = Array.isArray(before) && before.length === photos.length;
const answers = fits ? before : photos.map(() => null);
let at = Math.max(0, answers.indexOf(null));
let saved = JSON.stringify(answers);
const counter = make("p", { class: "quiet", role: "status" });
const bar = make("progress", { max: photos.length, "aria-label": "photos looked at" });
const picture = make("img", { alt: "" });
const why = make("p", { class: "quiet" });
const file = make("p", { class: "quiet file" });
const given = make("p", { class: "given" });
const keys = make("div", { class: "keys", role: "group", "aria-label": "What does it show?" });
const field = make("input", {
type: "text",
autocomplete: "off",
"aria-label": "Another class: type a part of its name",
placeholder: "another class: type",
oninput: () => listFound(),
onkeydown: onFieldKey,
});
const found = make("div", { class: "keys", role: "group", "aria-label": "Classes found" });
const search = make("div", { class: "search" }, field, found);
const none = pressed([key("0"), "none of the classes"], () => answer(NONE));
const back = pressed([key("←"), "back"], () => go(at - 1));
const skip = pressed([key("→"), "leave open"], () => go(at + 1));
const save = pressed([key("Ctrl S"), "save the answers"], () => download(), true);
const help = make(
"p",
{ class: "quiet" },
"Enter says that the label is right. A number says another class, 0 none of them. ",
classes.length > FEW ? "Letters look for a class. " : "",
"The arrow keys go back and forth, Ctrl S saves.",
);
function key(text) {
return make("kbd", { "aria-hidden": "true" }, text);
}
const first = (i) => photos[i].top[0][0];
const offered = (i) =>
classes.length > FEW ? photos[i].top.map(([c]) => c) : range(classes.length);
function say() {
const looked = answers.filter((one) => one !== null).length;
const other = answers.filter((one, i) => one !== null && one !== first(i)).length;
bar.value = looked;
const done = looked === photos.length ? " That was the last: save the answers." : "";
const open = JSON.stringify(answers) !== saved ? done || " Not saved as a file yet." : "";
const where = kept ? "" : " This browser keeps nothing: save before you close the page.";
counter.replaceChildren(
`Photo ${at + 1} of ${photos.length}. ${looked} looked at, ${other} of them corrected.`,
open + where,
);
}
function show() {
const photo = photos[at];
picture.src = photo.picture;
picture.alt = `Photo ${at + 1}, ${photo.image}`;
file.replaceChildren(named(photo.image));
why.replaceChildren(named(photo.why));
const now = answers[at];
const sure = `${Math.round(100 * photo.top[0][1])} %`;
given.replaceChildren(
key("Enter"),
named(classes[first(at)]),
make("span", { class: "quiet" }, ` says the model, ${sure}`),
);
keys.replaceChildren(
...offered(at).map((c, n) => classButton(c, String(n + 1))),
none,
);
none.setAttribute("aria-pressed", now === NONE);
field.value = "";
listFound();
back.disabled = at === 0;
skip.disabled = at === photos.length - 1;
say();
}
function classButton(c, name) {
const share = photos[at].top.find(([top]) => top === c)?.[1];
const sure = known(share)
? make("span", { class: "quiet" }, ` ${Math.round(100 * share)} %`)
: null;
const button = pressed([name ? key(name) : "", named(classes[c]), sure ?? ""], () => answer(c));
button.setAttribute("aria-pressed", answers[at] === c);
return button;
}
function listFound() {
const wanted = field.value.trim().toLowerCase();
const hits = range(classes.length).filter((c) => classes[c].toLowerCase().includes(wanted));
const starts = (c) => (classes[c].toLowerCase().startsWith(wanted) ? 0 : 1);
hits.sort((a, b) => starts(a) - starts(b) || a - b);
found.replaceChildren(
...(wanted ? hits.slice(0, 8).map((c, n) => classButton(c, n ? "" : "Enter")) : []),
);
if (wanted && !hits.length) found.replaceChildren("no class has this in its name");
found.firstHit = wanted && hits.length ? hits[0] : null;
}
function onFieldKey(event) {
if (event.key === "Enter" && known(found.firstHit)) answer(found.firstHit);
else if (event.key === "Escape") {
field.value = "";
listFound();
field.blur();
} else return;
event.preventDefault();
event.stopPropagation();
}
function answer(c) {
answers[at] = c;
kept?.write(answers);
const next = range(photos.length).find((i) => i > at && answers[i] === null);
go(next ?? Math.min(at + 1, photos.length - 1));
}
function go(to) {
at = Math.min(photos.length - 1, Math.max(0, to));
field.blur();
show();
}
function download() {
const blob = new Blob([csvOf(data, answers)], { type: "text/csv;charset=utf-8" });
const link = make("a", { href: URL.createObjectURL(blob), download: data.file });
root.append(link);
link.click();
link.remove();
setTimeout(() => URL.revokeObjectURL(link.href), 1000);
saved = JSON.stringify(answers);
say();
}
function onKey(event) {
if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
event.preventDefault();
download();
}
if (event.ctrlKey || event.metaKey || event.altKey || event.target === field) return;
const onButton = event.target instanceof HTMLButtonElement;
const number = /^[0-9]$/.test(event.key) ? Number(event.key) : null;
if (event.key === "Enter" && !onButton) answer(first(at));
else if (number === 0) answer(NONE);
else if (number !== null && number <= offered(at).length) answer(offered(at)[number - 1]);
else if (event.key === "ArrowLeft") go(at - 1);
else if (event.key === "ArrowRight") go(at + 1);
else if (/^\p{L}$/u.test(event.key) && classes.length > FEW) {
field.focus();
return; // the letter lands in the field
} else return;
event.preventDefault();
}
const alone = root.parentElement?.parentElement === document.body;
const listener = alone && document.body.children.length === 1 ? document : root;
listener.addEventListener("keydown", onKey);
root.tabIndex = -1;
window.addEventListener("beforeunload", (event) => {
if (!kept && JSON.stringify(answers) !== saved) event.preventDefault();
});
search.hidden = classes.length <= FEW;
root.classList.add("review");
root.append(
title(`${photos.length} photos to look at`),
make("div", { class: "row" }, make("div", { class: "grow" }, counter, bar), save),
make(
"div",
{ class: "desk" },
make("div", { class: "photo" }, picture, file),
make(
"div",
{ class: "answers" },
given,
keys,
search,
why,
make("div", { class: "row" }, back, skip),
),
),
help,
);
show();
}
use(mountAll, mount);
};
