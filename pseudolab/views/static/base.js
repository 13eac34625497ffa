// Shared by everything of ours that moves. No import, no export, no network: Python puts this file
// and one other into a closure of their own (pseudolab.views.html.fragment) or into an anywidget
// module. Names from data go to the page as text only, never as HTML.

// An element with properties, listeners (onclick ...), attributes, and children that are nodes or
// text
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

// Headings without a tag of their own: pages have rules for <h3>
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

// Arrays come as base64 of little-endian numbers:
// {type: "u1" | "u2" | "i2" | "f4" | "i1", data: "..."}
const KINDS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, f4: Float32Array };
function unpack(packed) {
  if (!packed) return null;
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  return new KINDS[packed.type](bytes.buffer);
}

// A linear map of the interval [a, b] to [p, q]
const scale = (a, b, p, q) => (value) => p + ((value - a) / (b - a || 1)) * (q - p);

let count = 0;
// for labels; unique on the page whatever else stands there
const freshId = () => `plab-${Date.now().toString(36)}-${count++}`;

// Is the page behind dark? Its colour tells; where it has none (the frames of Colab and VS Code are
// see-through), its host says so in an attribute
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
  // nobody has said: dark if the page has agreed to it and the reader has asked for it
  const schemes = getComputedStyle(page).colorScheme;
  const asked = window.matchMedia("(prefers-color-scheme: dark)").matches;
  return schemes.includes("dark") && (asked || !schemes.includes("light"));
}

// Light or dark as the page behind is, and again when that changes
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

// Calls `paint(width)` now and whenever the box gets another width; returns a function that paints
// again
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

// Buttons of which one is pressed; arrow keys move. options: [[value, label], ...]
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

// A table in a box that scrolls by itself; rows of plain values
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

// Lines over whole numbers.
// series: [{name, values (null where none), colour, marker, dashed, hollow}]
// options: {height, low, high, label, at, format, xs, pick(x)}
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

// A marker at (x, y); every colour has its own shape, so that none is told by colour alone
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

// What each line or marker means: [[name, colour, marker, dashed, hollow], ...]
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

// Fills every place for `digest` that nobody has filled yet;
// `mount(root, data)` draws into an empty root
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
