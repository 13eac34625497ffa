// needs leaderboard
// Shared by the playgrounds: who gets which pseudolabel, how right that was, and controls.

// The pool as a selector sees it.
// score(i, c): how well image i fits class c, to be compared within a class only
// order(i): the classes that may be given, likeliest first
// reaches(i, threshold): is image i that sure of its likeliest class?
function poolOf({ n, classes, score, order, reaches }) {
  const columns = new Map();
  const orders = range(n).map(order);
  const column = (c) => {
    if (!columns.has(c)) {
      // ties: lowest image first
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

// From log-probabilities (n x nClasses), which become those among `classes`
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

// The first k of each class's images that `keep` keeps, class by class, best first
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

// The second argument is K, or the threshold
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

// Pseudolabels against the truth (-1: not known, left out of right and precision). By class, and
// over all
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

// A slider with its name and value. marks: [[position, name], ...];
// change(position) is called as it moves
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

// A line for screen readers, told once when things have come to rest
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
