// needs playground
// Self-training in the page: gradient descent on the class vectors, with pseudolabels that the
// vectors of the round before have given. The same algorithm stands in
// pseudolab/views/playgrounds.py (class_vector_tuning), and a test holds the two together.

// Uniform numbers from 0 to 1 (mulberry32): the same everywhere for the same seed
function mulberry32(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// `shots` training images of every class, or all where a class has fewer
function drawShots(labels, nClasses, shots, seed) {
  const next = mulberry32(seed);
  const drawn = [];
  for (let c = 0; c < nClasses; c++) {
    const members = range(labels.length).filter((i) => labels[i] === c);
    for (let at = 0; at < Math.min(shots, members.length); at++) {
      const other = at + Math.floor(next() * (members.length - at));
      [members[at], members[other]] = [members[other], members[at]];
      drawn.push(members[at]);
    }
  }
  return drawn.sort((a, b) => a - b);
}

// What is labelled, what is in the pool, and which classes may be pseudolabelled. kept: the images
// that imbalance leaves in the pool
function splitOf(labels, nClasses, { paradigm, kept, seen, shots, seed }) {
  const everyClass = range(nClasses);
  const isSeen = new Set(seen);
  if (paradigm === "ul") return { labelled: [], pool: [...kept], allowed: everyClass };
  if (paradigm === "ssl") {
    const labelled = drawShots(labels, nClasses, shots, seed);
    const drawn = new Set(labelled);
    return { labelled, pool: [...kept].filter((i) => !drawn.has(i)), allowed: everyClass };
  }
  return {
    labelled: range(labels.length).filter((i) => isSeen.has(labels[i])),
    pool: [...kept].filter((i) => !isSeen.has(labels[i])),
    allowed: everyClass.filter((c) => !isSeen.has(c)),
  };
}

// gamma, lambda. L, P: how many labelled and pseudolabelled images are trained on
const WEIGHTS = { ssl: (L, P) => [P / L, 1], trzsl: (L, P) => [1, L / P], ul: () => [0, 1] };
const weightsOf = (paradigm) => (L, P) =>
  P === 0 ? [1, 0] : L === 0 ? [0, 1] : WEIGHTS[paradigm](L, P);
const weightsByHand = (gamma, lambda) => (L, P) => [L ? gamma : 0, P ? lambda : 0];

const growing = (rounds) => (i, U, C) => Math.max(1, Math.floor((i * U) / (rounds * C)));
const constant = (k) => () => k;

// Bytes (or other numbers) to unit vectors, row by row
function unitRows(numbers, width) {
  const out = Float64Array.from(numbers);
  for (let at = 0; at < out.length; at += width) {
    let square = 0;
    for (let j = at; j < at + width; j++) square += out[j] * out[j];
    const length = Math.sqrt(square);
    for (let j = at; j < at + width; j++) out[j] /= length;
  }
  return out;
}

// scale * x . w_c for every row and class
function logitsOf(x, rows, w, width, scale) {
  const nClasses = w.length / width;
  const logits = new Float64Array(rows.length * nClasses);
  rows.forEach((row, at) => {
    for (let c = 0; c < nClasses; c++) {
      let dot = 0;
      for (let j = 0; j < width; j++) dot += x[row * width + j] * w[c * width + j];
      logits[at * nClasses + c] = scale * dot;
    }
  });
  return logits;
}

// In place: logits to log-probabilities
function logSoftmax(logits, nClasses) {
  for (let at = 0; at < logits.length; at += nClasses) {
    let top = -Infinity;
    let total = 0;
    for (let c = at; c < at + nClasses; c++) top = Math.max(top, logits[c]);
    for (let c = at; c < at + nClasses; c++) total += Math.exp(logits[c] - top);
    const norm = top + Math.log(total);
    for (let c = at; c < at + nClasses; c++) logits[c] -= norm;
  }
  return logits;
}

// Sum of weight * cross-entropy, and its gradient along the sphere on which each class vector lies
function lossAndGradient(w, { x, rows, targets, weights, width, scale }) {
  const nClasses = w.length / width;
  const scores = logSoftmax(logitsOf(x, rows, w, width, scale), nClasses);
  const gradient = new Float64Array(w.length);
  let loss = 0;
  rows.forEach((row, at) => {
    loss -= weights[at] * scores[at * nClasses + targets[at]];
    for (let c = 0; c < nClasses; c++) {
      const pull =
        scale * weights[at] * (Math.exp(scores[at * nClasses + c]) - (c === targets[at]));
      for (let j = 0; j < width; j++) gradient[c * width + j] += pull * x[row * width + j];
    }
  });
  for (let c = 0; c < w.length; c += width) {
    let outward = 0;
    for (let j = c; j < c + width; j++) outward += gradient[j] * w[j];
    for (let j = c; j < c + width; j++) gradient[j] -= outward * w[j];
  }
  return { loss, gradient };
}

// One round after the other. It yields after each step ({round, step}) and after each round
// ({record}), so that the page can breathe
function* classVectorTuning({
  x,
  width,
  start,
  scale,
  labels,
  split,
  weights,
  k,
  rounds,
  select,
  threshold,
  rate,
  steps,
}) {
  const { labelled, pool, allowed } = split;
  const nClasses = start.length / width;
  const labeller = (w) =>
    poolFromScores(
      logSoftmax(logitsOf(x, pool, w, width, scale), nClasses),
      pool.length,
      nClasses,
      allowed,
    );
  const byZeroShot = labeller(start);
  let w = start;
  for (let round = 1; round <= rounds; round++) {
    const images = Math.min(k(round, pool.length, allowed.length), pool.length);
    const argument = select === "threshold" ? threshold : images;
    const chosen = SELECT[select](round === 1 ? byZeroShot : labeller(w), argument);
    const zeroShot = SELECT[select](byZeroShot, argument);
    const L = labelled.length;
    const P = chosen.index.length;
    const [gamma, lambda] = weights(L, P);
    if (!(L || P))
      throw new Error(
        "The selector took no image, and no image is labelled: there is nothing to learn from." +
          " Choose a lower threshold, or another selector.",
      );
    if (gamma + lambda === 0)
      throw new Error(
        "Both weights are 0 for what there is: there is nothing to learn from." +
          " Raise \u03b3 or \u03bb.",
      );
    const terms = {
      x,
      width,
      scale,
      rows: [...labelled, ...chosen.index.map((i) => pool[i])],
      targets: [...labelled.map((i) => labels[i]), ...chosen.label],
      weights: [...labelled.map(() => gamma / L), ...chosen.index.map(() => lambda / P)],
    };
    w = start;
    for (let step = 1; step <= steps; step++) {
      const { gradient } = lossAndGradient(w, terms);
      const before = w;
      w = unitRows(
        gradient.map((slope, j) => before[j] - (rate / (gamma + lambda)) * slope),
        width,
      );
      yield { round, step };
    }
    yield {
      record: {
        round,
        k: images,
        gamma,
        lambda,
        loss: lossAndGradient(w, terms).loss,
        chosen,
        zeroShot,
        vectors: w,
      },
    };
  }
}

const shareRight = (predictions, truth, counts = () => true) => {
  const those = range(truth.length).filter((i) => counts(truth[i]));
  return those.length
    ? those.filter((i) => predictions[i] === truth[i]).length / those.length
    : null;
};

// Accuracy; with seen classes the harmonic mean of the accuracies on seen and unseen classes
function scoreOf(predictions, truth, seen) {
  if (!seen) return shareRight(predictions, truth);
  const a = shareRight(predictions, truth, (label) => seen.includes(label));
  const b = shareRight(predictions, truth, (label) => !seen.includes(label));
  return a && b ? 2 / (1 / a + 1 / b) : 0;
}

// Accuracy of each class among the images that `counts` takes
function classAccuracy(predictions, truth, nClasses, counts = () => true) {
  const right = new Float64Array(nClasses);
  const all = new Float64Array(nClasses);
  for (let i = 0; i < truth.length; i++)
    if (counts(i)) {
      all[truth[i]] += 1;
      right[truth[i]] += predictions[i] === truth[i];
    }
  return range(nClasses).map((c) => (all[c] ? right[c] / all[c] : null));
}

// Mean change of the n weakest and of the n strongest classes: ranked on one half of the test
// images and measured on the other, over 16 ways of halving (bits of `halves`)
function quarterChanges(before, after, truth, halves, nClasses, n) {
  const weak = [];
  const strong = [];
  const mean = (numbers) => sum(numbers) / numbers.length;
  for (const bit of range(16)) {
    const first = (i) => (halves[i] >> bit) & 1;
    const other = (i) => !first(i);
    const rank = classAccuracy(before, truth, nClasses, first);
    const from = classAccuracy(before, truth, nClasses, other);
    const to = classAccuracy(after, truth, nClasses, other);
    const order = range(nClasses).sort((a, b) => rank[a] - rank[b]);
    const change = order.map((c) => to[c] - from[c]);
    weak.push(...change.slice(0, n));
    strong.push(...change.slice(-n));
  }
  return [mean(weak), mean(strong)];
}

// places of the sliders of gamma and lambda: 0, then from 0.05 to 100 in equal ratios
const HIGHEST = 60;
const weightAt = (place) =>
  place === 0 ? 0 : Number((0.05 * 2000 ** ((place - 1) / (HIGHEST - 1))).toPrecision(2));
const placeOf = (weight) =>
  weight <= 0
    ? 0
    : Math.max(
        1,
        Math.min(
          HIGHEST,
          Math.round(1 + ((HIGHEST - 1) * Math.log(weight / 0.05)) / Math.log(2000)),
        ),
      );
const PARADIGMS = { ul: "UL", ssl: "SSL", trzsl: "TRZSL" };

const symbol = (shape, colour, hollow) =>
  draw(
    "svg",
    { width: 16, height: 16, viewBox: "0 0 16 16", style: "width:16px", "aria-hidden": "true" },
    mark(shape, 8, 8, 5, colour, hollow),
  );

// A class: hollow circle zero-shot, filled triangle now, a tick where the outcome before had it
function dotsRow(name, before, now, earlier) {
  const place = (share, ...content) =>
    make("span", { class: "dot", style: `left:${100 * share}%` }, ...content);
  const rate = (share) => Math.round(100 * share);
  const gained = now >= before;
  const colour = gained ? "var(--blue)" : "var(--vermilion)";
  return make(
    "li",
    { class: "class-row" },
    make("bdi", { class: "name", title: name }, name),
    make(
      "span",
      { class: "lane dots", "aria-hidden": "true" },
      known(earlier) ? make("span", { class: "was", style: `left:${100 * earlier}%` }) : null,
      known(now)
        ? make("span", {
            class: "span-of-change",
            style: [
              `left:${100 * Math.min(now, before)}%`,
              `width:${100 * Math.abs(now - before)}%`,
              `background:${colour}`,
            ].join(";"),
          })
        : null,
      place(before, symbol("circle", "var(--ink)", true)),
      known(now) ? place(now, symbol(gained ? "right" : "left", colour)) : null,
    ),
    make(
      "span",
      { class: "counts" },
      known(now) ? `${rate(before)} to ${rate(now)} %` : `${rate(before)} %`,
    ),
  );
}

function dotsKey(earlier) {
  const entry = (name, sign) => make("span", { class: "key" }, sign, name);
  return make(
    "div",
    { class: "row quiet", style: "gap:2px 14px" },
    entry("zero-shot", symbol("circle", "var(--ink)", true)),
    entry("gained", symbol("right", "var(--blue)")),
    entry("lost", symbol("left", "var(--vermilion)")),
    earlier
      ? entry("outcome before", make("span", { class: "was key-was", "aria-hidden": "true" }))
      : null,
  );
}

function mount(root, data) {
  const { names, width, scale, seen } = data;
  const nClasses = names.length;
  const x = unitRows(unpack(data.images), width);
  const start = unitRows(unpack(data.vectors), width);
  const labels = unpack(data.labels);
  const truth = unpack(data.truth);
  const halves = unpack(data.halves);
  const nTrain = labels.length;
  const testRows = range(truth.length).map((i) => nTrain + i);
  const kept = Object.fromEntries(
    Object.entries(data.kept).map(([ratio, packed]) => [ratio, [...unpack(packed)]]),
  );
  const predict = (w) => {
    const logits = logitsOf(x, testRows, w, width, scale);
    return range(truth.length).map((i) =>
      argmax(logits.subarray(i * nClasses, (i + 1) * nClasses)),
    );
  };
  const atFirst = predict(start);
  const before = classAccuracy(atFirst, truth, nClasses);
  const even = Math.max(1, Math.floor(nTrain / nClasses));
  const state = {
    paradigm: "ul",
    grows: true,
    k: Math.min(16, even),
    selector: "top_k",
    threshold: 0.95,
    gamma: 0,
    lambda: 1,
    byHand: false,
    rounds: 10,
    shots: 2,
    seed: 0,
    ratio: "1",
  };
  let history = [];
  let current = null;
  let running = false;
  let stopped = false;
  let runs = 0;

  const splitNow = () =>
    splitOf(labels, nClasses, {
      paradigm: state.paradigm,
      kept: kept[state.ratio],
      seen,
      shots: state.shots,
      seed: state.seed,
    });
  const scheduleNow = () => (state.grows ? growing(state.rounds) : constant(state.k));
  const lastK = ({ pool, allowed }) =>
    Math.min(scheduleNow()(state.rounds, pool.length, allowed.length), pool.length);
  const paradigmWeights = (paradigm) => {
    const split = splitOf(labels, nClasses, { ...state, paradigm, kept: kept[state.ratio], seen });
    return weightsOf(paradigm)(split.labelled.length, lastK(split) * split.allowed.length);
  };

  // Controls
  const paradigms = choice("Paradigm", Object.entries(PARADIGMS), state.paradigm, (paradigm) => {
    state.paradigm = paradigm;
    state.byHand = false;
    refresh();
  });
  const shots = slider(
    "Labelled images per class (shots)",
    { min: 1, max: Math.min(10, even), value: state.shots },
    (value) => {
      state.shots = value;
      refresh();
    },
  );
  const seedId = freshId();
  const seed = make(
    "div",
    { class: "row" },
    make("label", { for: seedId, class: "quiet" }, "Draw of the shots"),
    make("input", {
      type: "number",
      id: seedId,
      min: 0,
      max: 999,
      value: 0,
      style: "width:5.2em",
      onchange: (event) => {
        state.seed = Math.max(0, Math.min(999, Math.floor(Number(event.target.value) || 0)));
        event.target.value = state.seed;
      },
    }),
  );
  const schedules = choice(
    "K by round",
    [
      ["grows", "grows (GRIP)"],
      ["stays", "stays (FPL, IFPL)"],
    ],
    "grows",
    (value) => {
      state.grows = value === "grows";
      refresh();
    },
  );
  const kSlider = slider(
    "K, images per class",
    { min: 1, max: even, value: state.k, text: (k) => (state.grows ? kText() : String(k)) },
    (k) => {
      state.k = k;
      refresh();
    },
  );
  const selectors = choice("Selector", SELECTOR_NAMES, state.selector, (value) => {
    state.selector = value;
    refresh();
  });
  const thresholds = slider(
    "Threshold",
    { min: 50, max: 99, value: 95, text: (value) => (value / 100).toFixed(2) },
    (value) => {
      state.threshold = value / 100;
    },
  );
  const byHand = () => {
    state.byHand = true;
    state.gamma = weightAt(Number(gamma.querySelector("input").value));
    state.lambda = weightAt(Number(lambda.querySelector("input").value));
    refresh();
  };
  const marksOf = (which) => {
    const places = new Map();
    for (const paradigm of ["ul", "ssl", "trzsl"]) {
      const at = placeOf(paradigmWeights(paradigm)[which]);
      places.set(at, [...(places.get(at) ?? []), PARADIGMS[paradigm]]);
    }
    return [...places].map(([at, who]) => [at, who.join(", ")]);
  };
  const weightText = (formula, which) => (place) => {
    if (state.byHand) return `${weightAt(place)}, by hand`;
    const weight = paradigmWeights(state.paradigm)[which];
    return `${Number(weight.toPrecision(2))}${formula[state.paradigm]}`;
  };
  const gamma = slider(
    "\u03b3, weight of the labelled images",
    {
      max: HIGHEST,
      value: 0,
      marks: marksOf(0),
      text: weightText({ ul: ", nothing labelled", ssl: " = |U| / |L|", trzsl: "" }, 0),
    },
    byHand,
  );
  const lambda = slider(
    "\u03bb, weight of the pseudolabelled",
    {
      max: HIGHEST,
      value: placeOf(1),
      marks: marksOf(1),
      text: weightText({ ul: "", ssl: "", trzsl: " = |L| / |U|" }, 1),
    },
    byHand,
  );
  const rounds = slider("Rounds", { min: 1, max: 15, value: state.rounds }, (value) => {
    state.rounds = value;
    refresh();
  });
  const ratios = choice(
    "Imbalance of the pool, commonest class to rarest",
    Object.keys(kept).map((ratio) => [ratio, `${ratio} : 1`]),
    state.ratio,
    (value) => {
      state.ratio = value;
      refresh();
    },
  );
  const button = make(
    "button",
    { type: "button", class: "main", onclick: () => (running ? (stopped = true) : train()) },
    "Train",
  );
  const progress = make("progress", { max: 1, value: 0, "aria-label": "Training" });
  const status = make("span", { class: "quiet" });

  // Results
  const headline = make("div");
  const chartBox = make("div");
  const chartKey = make("div");
  const dots = make("div");
  const past = make("div");
  const table = make("div");
  const live = announcer();
  root.classList.add("playground");
  root.append(
    title(data.title),
    make("p", { class: "quiet" }, data.about),
    make("p", { class: "try" }, data.tryThis),
    make(
      "div",
      { class: "controls" },
      make("div", {}, field("Paradigm: what is labelled", paradigms), shots, seed),
      make("div", {}, field("K by round", schedules), kSlider, rounds),
      make(
        "div",
        {},
        field("Selector", selectors),
        thresholds,
        field("Imbalance of the pool", ratios),
      ),
      make("div", {}, gamma, lambda),
    ),
    make("div", { class: "row", style: "margin-bottom:10px" }, button, progress, status),
    make(
      "div",
      { class: "playground-halves" },
      make("div", {}, headline, chartBox, chartKey),
      dots,
    ),
    past,
    make(
      "details",
      {
        ontoggle: (event) => {
          if (event.target.open) paintTable();
        },
      },
      make("summary", {}, "The rounds and the classes as tables"),
      table,
    ),
    live,
  );
  const chart = onWidth(chartBox, paintChart);

  function kText() {
    const split = splitNow();
    const of = (i) =>
      Math.min(scheduleNow()(i, split.pool.length, split.allowed.length), split.pool.length);
    return state.rounds > 1 ? `${of(1)} to ${of(state.rounds)}` : String(of(1));
  }

  function refresh() {
    const [g, l] = state.byHand ? [state.gamma, state.lambda] : paradigmWeights(state.paradigm);
    gamma.set(placeOf(g));
    lambda.set(placeOf(l));
    gamma.enable(state.paradigm !== "ul");
    shots.hidden = seed.hidden = state.paradigm !== "ssl";
    thresholds.hidden = state.selector !== "threshold";
    kSlider.enable(!state.grows && state.selector !== "threshold");
    kSlider.tell();
  }

  const describeShots = () => {
    if (state.paradigm !== "ssl") return "";
    const draw = state.seed ? `, draw ${state.seed}` : "";
    return ` with ${state.shots} shots${draw}`;
  };
  const describeSelector = () => {
    if (state.selector === "threshold") return `threshold ${state.threshold}`;
    const [, name] = SELECTOR_NAMES.find(([key]) => key === state.selector);
    return `${name}, K ${kSlider.querySelector("b").textContent}`;
  };
  const describe = () =>
    [
      `${PARADIGMS[state.paradigm]}${describeShots()}`,
      describeSelector(),
      state.byHand ? `\u03b3 ${state.gamma}, \u03bb ${state.lambda}` : null,
      `${state.rounds} ${state.rounds === 1 ? "round" : "rounds"}`,
      state.ratio === "1" ? null : `pool ${state.ratio} : 1`,
    ]
      .filter(known)
      .join("; ");

  async function train() {
    const split = splitNow();
    const seenNow = state.paradigm === "trzsl" ? seen : null;
    const planned = state.rounds;
    const poolTruth = split.pool.map((i) => labels[i]);
    const job = classVectorTuning({
      x,
      width,
      start,
      scale,
      labels,
      split,
      weights: state.byHand ? weightsByHand(state.gamma, state.lambda) : weightsOf(state.paradigm),
      k: scheduleNow(),
      rounds: planned,
      select: state.selector,
      threshold: state.threshold,
      rate: data.rate,
      steps: data.steps,
    });
    if (current) history = [...history, current];
    current = {
      number: ++runs,
      name: describe(),
      seen: seenNow,
      records: [],
      scores: [scoreOf(atFirst, truth, seenNow)],
      precision: [null],
      zeroShot: [null],
      after: before,
      ends: [0, 0],
    };
    running = true;
    stopped = false;
    button.textContent = "Stop";
    live.tell("Training has begun.", 0);
    let began = performance.now();
    let trouble = null;
    try {
      for (const event of job) {
        if (event.record) keep(event.record, poolTruth);
        else {
          progress.value = ((event.round - 1) * data.steps + event.step) / (planned * data.steps);
        }
        if (performance.now() - began < 16) continue;
        status.textContent = `round ${Math.min(planned, current.records.length + 1)} of ${planned}`;
        await new Promise((done) => setTimeout(done)); // let the page answer
        if (stopped) break;
        began = performance.now();
      }
    } catch (error) {
      trouble = error.message;
    }
    running = false;
    button.textContent = "Train";
    if (current.records.length < planned)
      current.name += `; ended after round ${current.records.length}`;
    if (current.records.length === 0) {
      runs -= 1;
      current = history.pop() ?? null;
    }
    status.textContent = trouble ?? (stopped ? "stopped" : "done");
    paint();
    live.tell(trouble ?? sentence(), 50);
  }

  function keep(record, poolTruth) {
    const predictions = predict(record.vectors);
    current.records.push({
      round: record.round,
      k: record.k,
      loss: record.loss,
      labels: record.chosen.index.length,
    });
    current.scores.push(scoreOf(predictions, truth, current.seen));
    current.precision.push(auditOf(record.chosen, poolTruth, nClasses).precision);
    current.zeroShot.push(auditOf(record.zeroShot, poolTruth, nClasses).precision);
    current.after = classAccuracy(predictions, truth, nClasses);
    current.ends = quarterChanges(atFirst, predictions, truth, halves, nClasses, data.quarter);
    paint();
  }

  const last = (numbers) => numbers[numbers.length - 1];
  const metric = (run) => (run.seen ? "harmonic mean" : "accuracy");
  const sentence = () => {
    if (!current) return "Nothing trained yet.";
    const [weak, strong] = current.ends;
    return (
      `Weakest quarter of the classes ${points(weak)} points,` +
      ` strongest quarter ${points(strong)}.`
    );
  };

  function paint() {
    const run = current ?? { scores: [scoreOf(atFirst, truth, null)], seen: null };
    const from = run.scores[0];
    const to = last(run.scores);
    const doubt = run.seen
      ? ""
      : `, \u00b1 ${(196 * Math.sqrt((to * (1 - to)) / truth.length)).toFixed(1)}`;
    const measured = `${metric(run)} on ${truth.length} test images${doubt}`;
    headline.replaceChildren(
      make(
        "div",
        { class: "row" },
        make("span", { class: "big" }, percent(to)),
        current
          ? make("span", { class: to < from ? "big down" : "big up" }, points(to - from))
          : null,
      ),
      make(
        "p",
        { class: "quiet" },
        current
          ? `outcome ${run.number}: ${measured}; zero-shot ${percent(from)}`
          : `zero-shot ${measured}`,
      ),
      make(
        "p",
        { class: "quarters-line" },
        current ? sentence() : "The circles are zero-shot CLIP's accuracy, class by class.",
      ),
    );
    chart();
    chartKey.replaceChildren(
      legend([
        ["accuracy", "var(--blue)", "circle"],
        ["zero-shot accuracy", "var(--quiet)", null, true],
        ["right pseudolabels", "var(--green)", "diamond"],
        ["zero-shot's at the same K", "var(--orange)", "square", true, true],
        ...(history.length ? [["accuracy of earlier outcomes", "var(--faint)", null]] : []),
      ]),
    );
    paintDots();
    paintPast();
    if (root.querySelector("details").open) paintTable();
  }

  function paintChart(space) {
    const length = Math.max(
      2,
      state.rounds + 1,
      ...[current, ...history].filter(known).map((run) => run.scores.length),
    );
    const run = current ?? {
      scores: [scoreOf(atFirst, truth, null)],
      precision: [null],
      zeroShot: [null],
      seen: null,
    };
    const series = [
      ...history.slice(-4).map((earlier) => ({
        name: `earlier outcome ${earlier.number}`,
        values: earlier.scores,
        colour: "var(--faint)",
      })),
      {
        name: "zero-shot accuracy",
        values: range(length).map(() => run.scores[0]),
        colour: "var(--quiet)",
        dashed: true,
      },
      {
        name: "right pseudolabels of zero-shot CLIP at the same K",
        values: run.zeroShot,
        colour: "var(--orange)",
        marker: "square",
        dashed: true,
        hollow: true,
      },
      {
        name: "right pseudolabels",
        values: run.precision,
        colour: "var(--green)",
        marker: "diamond",
      },
      {
        name: run.seen ? "harmonic mean" : "accuracy",
        values: run.scores,
        colour: "var(--blue)",
        marker: "circle",
      },
    ];
    const values = series.flatMap((line) => line.values).filter(known);
    chartBox.replaceChildren(
      lineChart(space, series, {
        height: 210,
        label: "By round",
        xs: range(length),
        low: Math.min(...values),
        high: Math.max(...values, Math.min(...values) + 0.2),
      }),
      make("p", { class: "quiet", style: "text-align:center", "aria-hidden": "true" }, "round"),
    );
  }

  function paintDots() {
    const earlier = history.length ? last(history).after : null;
    dots.replaceChildren(
      part("Test accuracy by class"),
      dotsKey(earlier),
      make(
        "ul",
        { class: "class-list" },
        ...range(nClasses)
          .sort((a, b) => before[a] - before[b])
          .map((c) => dotsRow(names[c], before[c], current?.after[c], earlier?.[c])),
      ),
      make(
        "p",
        { class: "quiet" },
        "Weakest class first. For the quarters, classes are ranked on one half of the test images",
        " and measured on the other, so that chance does not pass for a gain.",
      ),
    );
  }

  function paintPast() {
    const runsNow = [...history, current].filter((run) => run && run.scores.length > 1);
    if (!runsNow.length) {
      past.replaceChildren();
      return;
    }
    past.replaceChildren(
      make(
        "div",
        { class: "row", style: "margin-top:12px" },
        part("Outcomes so far"),
        make(
          "button",
          {
            type: "button",
            disabled: running,
            onclick: () => {
              history = [];
              current = null;
              progress.value = 0;
              status.textContent = "";
              paint();
              button.focus();
              live.tell("Outcomes cleared.");
            },
          },
          "Clear",
        ),
      ),
      plainTable(
        "Outcomes so far",
        [
          "outcome",
          "accuracy",
          "gain",
          "weakest quarter",
          "strongest quarter",
          "right pseudolabels",
        ],
        runsNow.map((run) => [
          `${run.number}. ${run.name}`,
          percent(last(run.scores)) + (run.seen ? " (harmonic)" : ""),
          points(last(run.scores) - run.scores[0]),
          ...run.ends.map(points),
          percent(last(run.precision)),
        ]),
      ),
    );
  }

  function paintTable() {
    const run = current;
    const share = (value) => (known(value) ? percent(value) : "");
    table.replaceChildren(
      run
        ? plainTable(
            "By round",
            ["round", "K", "labels", "loss", metric(run), "right pseudolabels", "zero-shot's"],
            run.records.map((record, i) => [
              String(record.round),
              record.k,
              record.labels,
              record.loss.toFixed(4),
              share(run.scores[i + 1]),
              share(run.precision[i + 1]),
              share(run.zeroShot[i + 1]),
            ]),
          )
        : make("p", { class: "quiet" }, "Nothing trained yet."),
      plainTable(
        "By class",
        ["class", "zero-shot", "now"],
        names.map((name, c) => [name, share(before[c]), share((run?.after ?? before)[c])]),
      ),
    );
  }

  refresh();
  paint();
}
