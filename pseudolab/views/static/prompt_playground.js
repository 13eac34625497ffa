// needs playground
// needs draw_picture
// Two playgrounds with a CLIP of their own in the page: write the prompt, and learn the prompt.
// The numbers come from clip.js (pseudolab.views.page_clip), which is read when it is first needed.

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

// ---- what both show

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

// A score on a line from 0 to 100 %, with ticks for those to beat: [[name, share, class], ...]
function scoreLine(score, ticks) {
  return make(
    "div",
    { class: "score-line", "aria-hidden": "true" },
    make("span", { class: "share", style: `width:${100 * score}%` }),
    ...ticks.map(([, share, look]) =>
      make("span", { class: `tick ${look}`, style: `left:${100 * share}%` }),
    ),
  );
}

const written = (n) => n.toLocaleString("en");

// What an accuracy was measured on, and how far chance reaches: its 95 % interval
const reach = (score, n) => 1.96 * Math.sqrt((score * (1 - score)) / n);
const measuredOn = (score, n) =>
  `accuracy on ${written(n)} test pictures, \u00b1 ${(100 * reach(score, n)).toFixed(1)}`;

function standing(score, other, n) {
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

// ---- write the prompt

// what a text is made of, as CLIP's tokenizer cuts it
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/giu;

const filled = (template, names) => names.map((name) => template.replace("{}", () => name));

// What is wrong with a template before any CLIP reads it; null if nothing
function faultOf(template, names) {
  const pieces = template.split("{}");
  if (pieces.length !== 2 || /[{}]/.test(pieces.join("")))
    return "Write {} once: the class name goes there.";
  if (names.some((name) => !name.trim())) return "A class has no name.";
  return null;
}

// A text with the words that CLIP never saw marked
function markedText(text, unseen) {
  const pieces = [];
  let at = 0;
  for (const { 0: word, index } of text.matchAll(PIECE)) {
    if (!unseen.includes(word.toLowerCase())) continue;
    pieces.push(text.slice(at, index), make("mark", { title: "CLIP never saw this word" }, word));
    at = index + word.length;
  }
  return make("bdi", {}, ...pieces, text.slice(at));
}

// Does `work` for the newest question alone: what is asked meanwhile waits, and only its last is
// answered
function newestOnly(work) {
  let busy = false;
  let waiting = null;
  const ask = async (question) => {
    waiting = question;
    if (busy) return;
    busy = true;
    while (waiting) {
      const next = waiting;
      waiting = null;
      await work(next, () => waiting !== null);
    }
    busy = false;
  };
  return ask;
}

function mountWriting(root, data) {
  const { names, published, learned } = data;
  const state = { template: data.template, names: [...names] };
  let shown = { ...state, ...published };
  let tries = [];
  const status = make("span", { class: "quiet status" });
  const engine = engineOf(
    data.source,
    (text) => { status.textContent = text; },
    // if this template cannot be measured, the reader's first question will say so
    ({ clip }) => clip.measure(filled(data.template, names)).catch(() => null),
  );
  const live = announcer();

  const inputId = freshId();
  const echoId = freshId();
  const input = make("input", {
    type: "text",
    id: inputId,
    class: "template",
    value: state.template,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "aria-describedby": echoId,
    oninput: () => change({ template: input.value }),
    onfocus: () => engine().catch(tellError),
    onkeydown: (event) => {
      if (event.key === "Enter") keep();
    },
  });
  const fields = names.map((name, c) =>
    make("input", {
      type: "text",
      value: name,
      spellcheck: "false",
      autocomplete: "off",
      oninput: (event) => {
        const own = [...state.names];
        own[c] = event.target.value;
        change({ names: own });
      },
    }),
  );
  const echo = make("p", { class: "echo", id: echoId });
  const trouble = make("p", { class: "note", hidden: true });
  const result = make("div");
  const bars = make("div");
  const board = make("div");
  const keepButton = make("button", { type: "button", onclick: () => keep() }, "Keep this try");
  const backButton = make(
    "button",
    { type: "button", onclick: () => set({ template: data.template, names: [...names] }) },
    "Start again",
  );

  // What a picture is taken for, by the words that were measured last
  const drawing = drawingPart({
    names,
    paints: data.paints,
    source: data.source,
    engine: () => engine().catch((error) => {
      status.textContent = "";
      throw error;
    }),
    words: () => {
      if (root.classList.contains("stale")) return null;
      return { names: shown.names, sentences: filled(shown.template, shown.names) };
    },
  });

  root.classList.add("playground", "prompt");
  root.append(
    title(data.title),
    make("p", { class: "quiet" }, data.about),
    make(
      "div",
      { class: "writing" },
      make("label", { for: inputId }, "Your template; {} is the class name"),
      make("div", { class: "row" }, input, keepButton, backButton),
      echo,
      trouble,
      make(
        "details",
        {},
        make("summary", {}, "The class names"),
        make(
          "div",
          { class: "names" },
          ...fields.map((field, c) => make("label", {}, make("bdi", {}, names[c]), field)),
        ),
      ),
      make(
        "details",
        {},
        make("summary", {}, "Words that CLIP has seen"),
        make("p", { class: "quiet words" }, data.words.join(" ")),
      ),
    ),
    drawing,
    make("div", { class: "playground-halves" }, make("div", {}, result, board), bars),
    live,
  );

  const ask = newestOnly(async (question, isOld) => {
    try {
      const { clip, task, opened } = await engine();
      const sentences = filled(question.template, question.names);
      const unseen = await clip.unseenPieces(sentences);
      if (isOld()) return;
      mark(question, unseen);
      if (unseen.length) return tellUnseen(unseen);
      const { predictions, score, perClass } = await clip.measure(sentences);
      const counts = countsOf(predictions, task.testLabels, names.length);
      const { template, names: own } = question;
      shown = { template, names: own, score, perClass, counts };
      say(null);
      paint();
      const took = performance.now() - Math.max(question.asked, opened);
      root.dataset.took = took.toFixed(1);
      status.textContent = `${written(data.nTest)} pictures in ${Math.max(1, Math.round(took))} ms`;
      live.tell(spoken());
    } catch (error) {
      tellError(error);
    }
  });

  function change(some) {
    Object.assign(state, some);
    const question = { ...state, asked: performance.now() };
    mark(question, []);
    const fault = faultOf(state.template, state.names);
    if (fault) say(fault);
    else ask(question);
  }

  function set(some) {
    input.value = some.template;
    some.names.forEach((name, c) => { fields[c].value = name; });
    change(some);
  }

  function say(text) {
    trouble.hidden = !text;
    trouble.textContent = text ?? "";
    root.classList.toggle("stale", Boolean(text));
    keepButton.disabled = Boolean(text);
    drawing.again();
    if (text) live.tell(text);
  }

  function tellError({ message }) {
    status.textContent = "";
    say(`${message[0].toUpperCase()}${message.slice(1)}`);
  }

  function tellUnseen(unseen) {
    const words = unseen.map((word) => `\u201c${word}\u201d`).join(", ");
    say(`No caption that CLIP learned from has ${words}. The numbers below wait.`);
  }

  // The sentence that CLIP reads for the first class that has an unseen word, or for the weakest
  function mark(question, unseen) {
    const sentences = filled(question.template, question.names);
    const has = (text) => (text.toLowerCase().match(PIECE) ?? []).some((w) => unseen.includes(w));
    const found = sentences.findIndex(has);
    const sentence = sentences[found < 0 ? weakestFirst(shown.perClass)[0] : found];
    echo.replaceChildren("CLIP reads: ", markedText(sentence, unseen));
    input.setAttribute("aria-invalid", has(question.template));
    fields.forEach((field, c) => field.setAttribute("aria-invalid", has(question.names[c])));
  }

  const lines = () => [
    ["Published template", published.score, "published"],
    ...(known(learned) ? [["Learned prompt", learned, "learned"]] : []),
  ];

  const spoken = () => {
    const weakest = weakestFirst(shown.perClass)[0];
    return (
      `${percent(shown.score)}, ${points(shown.score - published.score)} points to the published` +
      ` template. Weakest: ${names[weakest]}, ${percent(shown.perClass[weakest])}.`
    );
  };

  function paint() {
    result.replaceChildren(
      ...head(shown.score, published.score, measuredOn(shown.score, data.nTest)),
      scoreLine(shown.score, lines()),
      make(
        "div",
        { class: "row quiet" },
        ...lines().map(([name, score, look]) =>
          make(
            "span",
            {},
            make("span", { class: `tick ${look}`, "aria-hidden": "true" }),
            `${name} ${percent(score)}`,
            standing(shown.score, score, data.nTest),
          ),
        ),
        status,
      ),
      confusionText(shown.counts, names),
    );
    bars.replaceChildren(
      part("Accuracy by class"),
      classBars(names, shown.perClass, published.perClass),
      barsKey("published template"),
    );
  }

  // ---- the score board, kept while the page is open

  const isSame = (one, other) =>
    one.template === other.template && one.names.join("\n") === other.names.join("\n");
  const ownNames = ({ names: own }) => own.filter((name, c) => name !== names[c]).length;

  async function keep() {
    await ask({ ...state, asked: performance.now() });
    if (root.classList.contains("stale") || !isSame(shown, state)) return;
    if (!tries.some((one) => isSame(one, shown))) tries.push(shown);
    paintBoard();
    const place = tries.filter(({ score }) => score > shown.score).length + 1;
    live.tell(`Kept: ${percent(shown.score)}, place ${place} of your ${tries.length}.`, 100);
  }

  function paintBoard() {
    if (!tries.length) {
      board.replaceChildren(
        make("p", { class: "quiet" }, "Enter keeps a try: your best ones are listed here."),
      );
      return;
    }
    const own = tries.map((one) => ({ ...one, label: one.template }));
    const bars = lines().map(([label, score]) => ({ label, score, isLine: true }));
    const sorted = [...own, ...bars].sort((a, b) => b.score - a.score);
    const again = (one) =>
      make(
        "button",
        {
          type: "button",
          "aria-label": `Take up again: ${one.template}`,
          onclick: () => {
            set({ template: one.template, names: [...one.names] });
            input.focus();
          },
        },
        "Again",
      );
    const changed = (one) => (ownNames(one) ? `, ${ownNames(one)} names of your own` : "");
    board.replaceChildren(
      part("Your tries"),
      plainTable(
        "Your tries and the scores to beat, the best first",
        ["prompt", "accuracy", ""],
        sorted.map((one) => [
          one.isLine ? make("i", {}, one.label) : `${one.label}${changed(one)}`,
          percent(one.score),
          one.isLine ? "" : again(one),
        ]),
      ),
      make(
        "button",
        {
          type: "button",
          class: "board-clear",
          onclick: () => {
            tries = [];
            paintBoard();
            input.focus();
          },
        },
        "Clear",
      ),
    );
  }

  mark(state, []);
  paint();
  paintBoard();
}

// ---- learn the prompt

function mountLearning(root, data) {
  const { names, published, even } = data;
  const usual = { grows: true, k: Math.min(16, even), rounds: 10, selector: "top_k", seed: 0 };
  const state = { ...usual, threshold: 0.95 };
  let runs = []; // the newest last: {name, records: [{round, k, labels, score, perClass}]}
  let running = false;
  const status = make("span", { class: "quiet status" });
  const engine = engineOf(data.source, (text) => { status.textContent = text; });
  const live = announcer();

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
  const kText = (k) => {
    if (!state.grows) return String(k);
    const of = (i) => Math.max(1, Math.floor((i * data.nPool) / (state.rounds * names.length)));
    return state.rounds > 1 ? `${of(1)} to ${of(state.rounds)}` : String(of(1));
  };
  const kSlider = slider(
    "K, pictures per class",
    { min: 1, max: even, value: state.k, text: kText },
    (k) => { state.k = k; },
  );
  const rounds = slider("Rounds", { min: 1, max: 10, value: 10 }, (value) => {
    state.rounds = value;
    refresh();
  });
  const offered = SELECTOR_NAMES.filter(([key]) => key !== "leaderboard");
  const selectors = choice("Selector", offered, state.selector, (value) => {
    state.selector = value;
    refresh();
  });
  const thresholds = slider(
    "Threshold",
    { min: 50, max: 99, value: 95, text: (value) => (value / 100).toFixed(2) },
    (value) => { state.threshold = value / 100; },
  );
  const seedId = freshId();
  const seed = make(
    "div",
    { class: "row" },
    make("label", { for: seedId, class: "quiet" }, "Seed"),
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

  root.classList.add("playground", "prompt");
  root.append(
    title(data.title),
    make("p", { class: "quiet" }, data.about),
    make("div", { class: "row learning" }, button, progress, status),
    trouble,
    make(
      "details",
      {},
      make("summary", {}, "Another run: K, rounds, selector, seed"),
      make(
        "div",
        { class: "controls" },
        make("div", {}, field("K by round", schedules), kSlider),
        make("div", {}, field("Selector", selectors), thresholds),
        make("div", {}, rounds, seed),
      ),
    ),
    make(
      "div",
      { class: "playground-halves" },
      make("div", {}, result, chartBox, key, verdict, confused),
      bars,
    ),
    details,
    live,
  );
  const chart = onWidth(chartBox, paintChart);

  function refresh() {
    thresholds.hidden = state.selector !== "threshold";
    kSlider.enable(!state.grows && state.selector !== "threshold");
    kSlider.tell();
  }

  const newest = () => runs.at(-1) ?? null;
  const records = () => newest()?.records ?? [];
  const latest = () => records().at(-1) ?? { round: 0, ...published };

  function describe() {
    const k = `K ${kSlider.querySelector("b").textContent}`;
    const [, name] = SELECTOR_NAMES.find(([value]) => value === state.selector);
    const how = state.selector === "threshold" ? `threshold ${state.threshold}` : `${name}, ${k}`;
    return `${how}, seed ${state.seed}`;
  }

  async function stop() {
    button.disabled = true;
    await (await engine()).clip.stop();
  }

  async function learn() {
    running = true;
    button.textContent = "Stop";
    progress.value = 0;
    trouble.hidden = true;
    const { grows, k, selector, threshold, seed: given, rounds: planned } = state;
    const isUsual = Object.entries(usual).every(
      ([name, value]) => state[name] === value || (name === "k" && grows),
    );
    const run = { name: describe(), isUsual, planned, records: [] };
    try {
      const { clip, task } = await engine();
      runs = [...runs.filter((one) => one.records.length > 1), run];
      live.tell("Learning has begun.", 0);
      const schedule = grows ? { kind: "growing", rounds: planned } : { kind: "constant", k };
      const choices = { rounds: planned, schedule, selector, threshold, seed: given };
      const ended = await clip.train(choices, ({ record, round, step, steps }) => {
        if (record) return keep(run, record, task);
        progress.value = (round - 1 + step / steps) / planned;
        status.textContent = `round ${round} of ${planned}`;
      });
      progress.value = ended.rounds / planned;
      status.textContent = ended.stopped ? `stopped after round ${records().length - 1}` : "done";
    } catch ({ message }) {
      status.textContent = "";
      trouble.hidden = false;
      trouble.textContent = `${message[0].toUpperCase()}${message.slice(1)}`;
      live.tell(trouble.textContent, 50);
    }
    running = false;
    button.disabled = false;
    button.textContent = "Learn";
    paint();
    if (trouble.hidden) live.tell(`${status.textContent}: ${percent(latest().score)}.`, 50);
  }

  function keep(run, { round, k, chosen, predictions, score, perClass }, task) {
    run.records.push({
      round,
      k,
      labels: chosen ? chosen.index.length : null,
      score,
      perClass,
      counts: countsOf(predictions, task.testLabels, names.length),
    });
    if (round) live.tell(`Round ${round}: ${percent(score)}.`);
    paint();
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
    const now = latest();
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
      lineChart(width, series, { label: "Accuracy by round", xs: range(length), height: 190 }),
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

  refresh();
  paint();
}

const mount = (root, data) =>
  data.kind === "learn" ? mountLearning(root, data) : mountWriting(root, data);
