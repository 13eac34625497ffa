// What the playgrounds have in common that hold a CLIP of their own: how it is opened, and how its
// answers are shown. It comes from clip.js (pseudolab.views.page_clip), when it is first needed.

// A page has the engine and its data at hand, or in a folder beside it
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

// The engine once it is needed; `say` is told how it stands, and a failure may be tried again.
// `warm` is done before the first answer: code that has run once is faster
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

// ---- what it answers

// counts[truth][prediction], of images whose label is known
function countsOf(predictions, labels, nClasses) {
  const counts = range(nClasses).map(() => new Array(nClasses).fill(0));
  predictions.forEach((predicted, i) => {
    if (labels[i] >= 0) counts[labels[i]][predicted] += 1;
  });
  return counts;
}

// The n commonest confusions: {truth, taken, images, of}
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

// A bar for each class, weakest first, with a tick where `before` had it
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

// What an accuracy was measured on, and how far chance reaches: its 95 % interval
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
