// needs sheet
// needs scene_layout
// needs scene_canvas
// needs playground
// needs prompt_parts
// A prompt is learned in the page, round by round, and the pictures of the pool fly to where the
// CLIP in the page puts them now. The numbers come from clip.js (prompt_parts.js).

const LOOK = 70; // ms between two looks at the pool while a round trains
const SHORT_FLIGHT = 120; // ms, after such a look
const LONG_FLIGHT = 320; // ms, at the end of a round
const AWAY = -2; // the place of a picture that is not in this pool; -1: its label was given
const RARE = 10; // of the pictures of the rare class, one in so many stays
const MOST_RUNS = 5; // that are kept, with the newest

// ---- the pictures of the pool

// Tiles that fly as fast as they are told to
class PoolTiles extends Tiles {
  hasten(duration) {
    this.pace = (FLIGHT + STAGGER) / duration;
  }

  moveAll(flight, passed) {
    return super.moveAll(flight, passed * this.pace);
  }
}

// `show(places)` lets each picture fly to the column of its class
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

  // Corners and kinds of all tiles; those that are away have no place
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

  // places: the class of each picture, -1 where its label was given, AWAY where it is not there.
  // when: what they show, in words. duration: of the flight in ms
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

// How many pictures each class is given
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

// ---- what is learned from

// Which pictures are labelled and which are the pool. In a task whose labels are known a class may
// be rare: the first tenth of its pictures stays
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

// Where the pictures stand: predictions are of all of them
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

// [{name, some: what is other than usual, about}, ...]
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

// In words, for the line under the score
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

// ---- the controls

// Parts of the controls: {boxes, refresh()}. `put(name)` gives what a control calls with a value
// for the state

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

// Labels, and how much they weigh
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

// How common each class is in the pool
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

// All of them; they write into `state`. changed(isPool): after each change, of the pool or of
// something else
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

// What the CLIP in the page is asked for
function trainingOf(state, split) {
  const { rounds, selector, threshold, seed, paradigm, weights, gamma, lam } = state;
  const own = paradigm === "ssl" && weights === "own" ? { gamma, lam } : {};
  const grows = state.schedule === "grows";
  const schedule = grows ? { kind: "growing", rounds } : { kind: "constant", k: state.k };
  return { rounds, schedule, selector, threshold, seed, paradigm, split, looks: LOOK, ...own };
}

// ---- learn the prompt

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

  // What the CLIP tells on its way: a step, with a look at the pool now and then, or a whole round
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

  // Python's run of the same choices has the same scores
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
