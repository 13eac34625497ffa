// needs playground
// needs prompt_parts
// needs draw_picture
// A template and class names are typed, and a CLIP in the page says at once what becomes of every
// class.

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

// Does `work` for the newest question alone: what is asked meanwhile waits, and of it only the last
// is answered, and every one that is to be kept
function newestOnly(work) {
  let busy = false;
  const waiting = [];
  const ask = async (question) => {
    if (waiting.length && !waiting.at(-1).isKept) waiting.pop();
    waiting.push(question);
    if (busy) return;
    busy = true;
    while (waiting.length) {
      const next = waiting.shift();
      await work(next, () => waiting.length > 0 && !next.isKept);
    }
    busy = false;
  };
  return ask;
}

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
      if (question.isKept) addTry();
    } catch (error) {
      tellError(error);
    }
  });

  function change(some, isKept = false) {
    Object.assign(state, some);
    const question = { ...state, isKept, asked: performance.now() };
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
    say(capital(message));
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
            comparison(shown.score, score, data.nTest),
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

  const keep = () => change({}, true);

  function addTry() {
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

const mount = mountWriting;
