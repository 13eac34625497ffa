// All pictures of a pool, each standing where the model puts it. The reader says first what five of
// them are and how far the emptiest column will fill; then a slider over the rounds moves them, and
// a switch shows another run on the same pool.
// data: what pseudolab.views.scene.scene_data makes.
// options: {sheet: the pictures, if another part of the page has them too,
//   asks: are there questions before the rounds,
//   plays: do the rounds play once by themselves,
//   onround(round, run, chosen): called when another round, run or class is shown}

const MOST_CHIPS = 24; // classes that are offered as buttons; more of them in a list
const PAPER = 680; // pixels of the scene's width on paper, A4 or letter
const PAUSE = 1350; // ms from round to round when it plays

class Scene {
  constructor(root, data, options = {}) {
    Object.assign(this, { root, data, options, run: 0, round: 0, chosen: null, pinned: null });
    Object.assign(this, { guess: null, answers: [], timer: 0, hovered: null, cursor: 0 });
    root.classList.add("scene");
    this.read();
    this.build();
    this.run = data.reference.run;
    this.sheet = options.sheet ?? new Sheet(data.pictures);
    this.phase = this.firstPhase();
    this.tiles = new Tiles(this.canvas, this.over, this.sheet, () => this.colours());
    this.sheet.ready.then(() => this.begin());
  }

  firstPhase() {
    this.isKept = this.fromAddress();
    if (this.isKept) return "rounds";
    if (this.options.asks === false) {
      this.run = 0;
      this.round = this.last;
      return "rounds";
    }
    return this.data.quiz.length ? "name" : "predict";
  }

  // ---- what is asked of the data
  read() {
    const { data } = this;
    this.truth = unpack(data.truth);
    for (const run of data.runs)
      for (const round of run.rounds)
        round.at = Int16Array.from(unpack(round.places), (c) => c - 1);
    this.labelled = data.totals !== null;
    this.reference = data.runs[data.reference.run].rounds[0];
    const every = data.runs.flatMap((run) => run.rounds);
    // the most pictures that a column ever holds, so that a tile keeps its size
    this.most = data.classes.map((_, c) =>
      Math.max(data.totals?.[c] ?? 0, ...every.map((round) => countOf(round.at, c, this.truth))),
    );
  }

  get shown() {
    return this.data.runs[this.run];
  }

  get frame() {
    return this.shown.rounds[this.round];
  }

  get last() {
    return this.shown.rounds.length - 1;
  }

  accuracyOf(round, c) {
    const total = this.data.totals?.[c];
    return total ? round.right[c] / total : null;
  }

  accuracy(round) {
    return this.labelled ? sum(round.right) / sum(this.data.totals) : null;
  }

  // what the line over the slider draws: of the pool, or of the test images, or nothing
  height(round) {
    return this.labelled ? this.accuracy(round) : round.score;
  }

  colour(run = this.run) {
    return run === 0 ? BLUE_RUN : PURPLE_RUN;
  }

  name(c) {
    return make("b", {}, make("bdi", {}, this.data.classes[c]));
  }

  colours() {
    const look = getComputedStyle(this.root);
    const value = (name) => look.getPropertyValue(name).trim();
    return {
      ink: value("--ink"),
      paper: value("--paper"),
      wrong: value("--vermilion"),
      runs: [value("--blue"), value("--purple")],
    };
  }

  // ---- building, once
  build() {
    this.sentence = make("div", { class: "says", "aria-live": "polite" });
    this.heads = make("ul", { class: "heads", "aria-label": "Classes, weakest first" });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.over = make("canvas", { "aria-hidden": "true" });
    this.front = make("div", { class: "front" });
    this.tip = make("div", { class: "tip", hidden: true });
    this.card = make("div", { class: "card", hidden: true, role: "group" });
    this.box = this.buildPictures();
    this.stageBox = make(
      "div",
      { class: "stage" },
      this.heads,
      this.box,
      this.front,
      this.tip,
      this.card,
    );
    this.root.append(
      make(
        "div",
        { class: "row top" },
        title(make("bdi", {}, this.data.title)),
        this.buildSwitch(),
      ),
      this.sentence,
      this.stageBox,
      this.buildControls(),
      make("div", { class: "foot" }, this.buildList(), this.buildLegend()),
      ...this.data.notes.map((note) => make("p", { class: "note" }, note)),
    );
  }

  buildSwitch() {
    const { runs, notebook } = this.data;
    const box = make("div", { class: "row switch" });
    if (runs.length > 1) {
      this.switch = choice(
        "Which run",
        runs.map((run, at) => [at, run.name]),
        0,
        (at) => this.show({ run: Number(at) }),
      );
      [...this.switch.children].forEach((button, at) =>
        button.prepend(this.sign(at), document.createTextNode(" ")),
      );
      box.append(this.switch);
    }
    if (notebook) box.append(make("a", { href: notebook, class: "notebook" }, "Run this"));
    return box;
  }

  sign(run) {
    const svg = draw("svg", { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" });
    svg.append(mark(run === 0 ? "circle" : "diamond", 6, 6, 3.8, this.colour(run)));
    return svg;
  }

  // the tiles, as a list of pictures to the keyboard and to a screen reader
  buildPictures() {
    const base = freshId();
    this.spoken = [0, 1].map((at) =>
      make(
        "div",
        { role: "option", id: `${base}-${at}`, class: "visually-hidden" },
        "No picture yet",
      ),
    );
    const keys = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    return make(
      "div",
      {
        class: "tiles",
        role: "listbox",
        tabindex: 0,
        "aria-label": "Pictures. Arrow keys move from picture to picture, Enter pins one",
        onkeydown: (event) => this.key(event, keys[event.key]),
        onfocus: () => this.moveCursor(0, 0),
        onblur: () => this.hover(null),
        onpointermove: (event) => this.hover(this.under(event)),
        onpointerleave: () => this.hover(null),
        onclick: (event) => this.pin(this.under(event)),
      },
      this.canvas,
      this.over,
      ...this.spoken,
    );
  }

  buildControls() {
    const step = (label, sign, by) =>
      make(
        "button",
        {
          type: "button",
          class: "step",
          "aria-label": label,
          title: label,
          onclick: () => this.show({ round: this.round + by }),
        },
        sign,
      );
    this.slider = make("input", {
      type: "range",
      min: 0,
      step: 1,
      "aria-label": "Round",
      oninput: () => this.show({ round: Number(this.slider.value) }),
    });
    this.playButton = make("button", {
      type: "button",
      class: "main step",
      onclick: () => (this.timer ? this.halt() : this.play()),
    });
    this.line = make("div", { class: "line" });
    this.number = make("div", { class: "number" });
    this.controls = make(
      "div",
      { class: "controls" },
      make(
        "div",
        { class: "steps" },
        step("One round back", "\u2039", -1),
        this.playButton,
        step("One round on", "\u203a", 1),
      ),
      make("div", { class: "slide" }, this.line, this.slider),
      this.number,
    );
    this.drawLine = onWidth(this.line, (width) => this.paintLine(width));
    return this.controls;
  }

  buildList() {
    this.table = make("div");
    this.folded = make(
      "details",
      { ontoggle: () => this.paintTable() },
      make("summary", {}, "The same as a table"),
      this.table,
    );
    return this.folded;
  }

  buildLegend() {
    const { told, runs } = this.data;
    const look = { width: 13, height: 13, viewBox: "0 0 13 13", "aria-hidden": "true" };
    const ring = {
      cx: 6.5,
      cy: 6.5,
      r: 5,
      fill: "none",
      stroke: "var(--vermilion)",
      "stroke-width": 2,
    };
    const corner = { points: "1,1 12,1 1,12", fill: "var(--ink)" };
    const signs = [];
    if (this.labelled) signs.push([draw("circle", ring), "wrong"]);
    if (told && runs.length > 1)
      signs.push([
        draw("polygon", corner),
        `label given to one run: ${told}, they count in neither`,
      ]);
    return make(
      "div",
      { class: "legend quiet" },
      ...signs.map(([sign, words]) => make("span", {}, draw("svg", look, sign), " ", words)),
    );
  }

  // ---- once the pictures are there
  begin() {
    onWidth(this.stageBox, (width) => this.resize(width));
    new MutationObserver(() => this.resize(this.width)).observe(this.root, {
      attributes: true,
      attributeFilter: ["data-theme"],
    });
    this.root.dataset.ready = "";
    window.addEventListener("beforeprint", () => this.toPaper());
    window.addEventListener("afterprint", () => this.fromPaper());
    if (this.options.plays && !this.isKept) this.playOnce();
  }

  // On paper stands how it ended, and nothing is asked; a browser prints a picture of the tiles,
  // but not a canvas that was painted a moment ago
  toPaper() {
    this.halt();
    const { phase, round, width } = this;
    this.resize(Math.min(width, PAPER));
    this.standIn({ phase: "rounds", round: this.last });
    const picture = make("img", { class: "paper", alt: "", src: this.canvas.toDataURL() });
    this.stageBox.append(picture);
    this.onScreen = { phase, round, width, picture };
  }

  fromPaper() {
    if (!this.onScreen) return;
    const { width, picture, ...before } = this.onScreen;
    this.onScreen = null;
    picture.remove();
    this.resize(width);
    this.standIn(before);
  }

  // another round, and no tile flies there
  standIn({ phase, round }) {
    this.phase = phase;
    this.show({ round });
    this.tiles.still(this.now(), this.there, this.bright);
  }

  // as soon as the reader sees it, and has touched nothing
  playOnce() {
    if (reducedMotion() || this.last < 2) return;
    const watch = new IntersectionObserver(
      (seen) => {
        if (!seen.some((one) => one.isIntersecting)) return;
        watch.disconnect();
        this.playsByItself = true;
        this.play();
      },
      { threshold: 0.6 },
    );
    watch.observe(this.stageBox);
    for (const kind of ["pointerdown", "keydown"])
      this.root.addEventListener(kind, () => watch.disconnect(), { once: true });
  }

  // the runs have grown, on the same pictures; the slider goes along if it stood at the end
  grow(data) {
    const isAtEnd = this.round === this.last;
    this.data = data;
    this.read();
    this.resize(this.width);
    this.show({ round: isAtEnd ? this.last : this.round });
  }

  resize(width) {
    if (!width || !this.stageBox.isConnected) return;
    this.width = width;
    const tall = this.stageBox.clientHeight;
    this.stage = stageOf(width, tall, this.data.order, this.most, this.data.asked);
    this.cache = new Map();
    this.tiles.fit(this.stage, this.data.shown);
    this.buildHeads();
    this.paint();
    this.tiles.still(this.now(), this.there, this.bright);
    this.paintPath();
  }

  // where the tiles stand now: during the questions, those that have come stand on the floor
  now() {
    const place = this.place();
    return this.phase === "name" ? { ...place, ...this.onFloor(place) } : place;
  }

  onFloor(place) {
    const [x, y] = [place.x.slice(), place.y.slice()];
    const piles = new Map();
    for (const { i } of this.answers) {
      const cell = this.stage.cellOf.get(this.frame.at[i]);
      piles.set(cell, [...(piles.get(cell) ?? []), i]);
    }
    for (const [cell, pile] of piles)
      (cell.c === ELSEWHERE ? layInStrip : layInRows)(this.stage, cell, pile, x, y);
    return { x, y };
  }

  place(run = this.run, round = this.round) {
    const key = `${run} ${round}`;
    if (!this.cache.has(key))
      this.cache.set(key, standing(this.stage, this.data.runs[run].rounds[round].at, this.truth));
    return this.cache.get(key);
  }

  // before the reader has spoken, only the pictures of the first question have come
  there = (i) =>
    this.phase !== "name" || this.answers.some((answer) => answer.i === i && answer.in);

  bright = (i) =>
    this.chosen === null || (this.truth ? this.truth[i] : this.frame.at[i]) === this.chosen;

  // ---- the columns' heads
  buildHeads() {
    const { stage } = this;
    const held = this.heads.contains(document.activeElement);
    this.heads.replaceChildren(...stage.cells.map((cell) => this.head(cell)));
    this.heads.classList.toggle("bands", !stage.named);
    this.buttons = [...this.heads.querySelectorAll("button")];
    if (held) this.buttons[0]?.focus();
  }

  head(cell) {
    const place = boxed(cell.left, cell.top, cell.wide, cell.deep);
    const item = make("li", { style: place, class: cell.c === ELSEWHERE ? "elsewhere" : "" });
    cell.value = make("span", { class: "value" });
    if (cell.c === ELSEWHERE) {
      cell.label = make("span", { class: "name" });
      item.append(cell.label);
      return item;
    }
    cell.button = make(
      "button",
      {
        type: "button",
        "data-class": cell.c,
        style: `height:${this.stage.named ? cell.head : cell.deep}px`,
        onclick: () => this.choose(this.chosen === cell.c ? null : cell.c),
        onkeydown: (event) => this.moveHead(event),
        onpointerenter: (event) => event.pointerType === "mouse" && this.tellHead(cell),
        onpointerleave: () => this.tell(null),
        onfocus: (event) => event.currentTarget.matches(":focus-visible") && this.tellHead(cell),
        onblur: () => this.tell(null),
      },
      cell.value,
      make("span", { class: "name" }, make("bdi", {}, this.data.classes[cell.c])),
    );
    item.append(cell.button);
    return item;
  }

  moveHead(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = this.buttons.indexOf(event.currentTarget) + by;
    const next = this.buttons[Math.max(0, Math.min(this.buttons.length - 1, at))];
    next.focus();
    for (const button of this.buttons) button.tabIndex = button === next ? 0 : -1;
  }

  paintHeads() {
    const counts = this.data.classes.map((_, c) => this.frame.given[c]);
    const asked = this.phase === "name";
    this.stage.cells.forEach((cell) => {
      if (cell.c === ELSEWHERE) {
        const inside = sum(cell.others.map((c) => counts[c]));
        cell.label.textContent = asked
          ? `The other ${cell.others.length} classes`
          : `The other ${cell.others.length} classes: ${inside} pictures`;
        return;
      }
      const share = this.accuracyOf(this.frame, cell.c);
      cell.value.textContent = asked ? "" : known(share) ? whole(share) : `${counts[cell.c]}`;
      cell.button.setAttribute(
        "aria-label",
        asked ? this.data.classes[cell.c] : this.wordsOf(cell.c),
      );
      cell.button.setAttribute("aria-pressed", this.chosen === cell.c);
      cell.button.parentElement.classList.toggle("asked", !asked && cell.c === this.data.asked);
    });
    const current = this.buttons.find((button) => Number(button.dataset.class) === this.chosen);
    for (const button of this.buttons)
      button.tabIndex = button === (current ?? this.buttons[0]) ? 0 : -1;
  }

  wordsOf(c) {
    const share = this.accuracyOf(this.frame, c);
    const stand = `${this.data.classes[c]}: ${plural(this.frame.given[c], "picture")} here`;
    if (!known(share)) return stand;
    const right = `${this.frame.right[c]} of its ${this.data.totals[c]} right`;
    return `${stand}; ${right}, ${percent(share)}`;
  }

  tellHead(cell) {
    if (this.phase === "name") return;
    this.tell(
      make("bdi", {}, this.wordsOf(cell.c)),
      cell.left + cell.wide / 2,
      cell.top + cell.head,
    );
  }

  choose(c) {
    if (this.phase === "name") {
      this.answer(c);
      return;
    }
    this.show({ chosen: c });
  }

  // ---- what the reader can do
  show({ run = this.run, round, chosen = this.chosen, playing = false }) {
    if (!playing) this.halt();
    const changed = run !== this.run;
    this.run = run;
    this.round = Math.max(0, Math.min(this.last, round ?? this.round));
    this.chosen = chosen;
    this.hovered = null;
    if (changed) this.seen = true;
    if (this.stage) {
      this.paint();
      this.go();
    }
    this.toAddress();
    this.options.onround?.(this.round, this.run, this.chosen);
  }

  // the tiles go to where they belong now
  go() {
    this.tiles.noPath();
    const to = this.place();
    if (reducedMotion()) {
      this.tiles.still(to, this.there, this.bright);
      this.landed();
    } else this.tiles.fly(to, this.there, this.bright, () => this.landed());
  }

  landed() {
    this.paintPath();
    this.root.dispatchEvent(
      new CustomEvent("plab-landed", { detail: { times: this.tiles.times } }),
    );
  }

  halt() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.playsByItself = false;
    this.showPlaying();
  }

  play() {
    const next = this.round >= this.last ? 0 : this.round + 1;
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (this.round < this.last) this.play();
      else this.halt();
    }, PAUSE);
    this.show({ round: next, playing: true });
    this.showPlaying();
  }

  showPlaying() {
    const label = this.timer ? "Pause" : "Play the rounds";
    this.playButton.textContent = this.timer ? "\u275a\u275a" : "\u25b6";
    this.playButton.setAttribute("aria-label", label);
    this.playButton.title = label;
  }

  // ---- painting, at every change
  paint() {
    const rounds = this.phase === "rounds";
    this.root.dataset.phase = this.phase;
    for (const node of [this.controls, this.folded]) node.inert = !rounds;
    if (this.switch) {
      this.switch.inert = !rounds;
      this.switch.set(this.run);
    }
    this.box.tabIndex = rounds ? 0 : -1;
    this.root.style.setProperty("--run", this.colour());
    this.slider.max = this.last;
    this.slider.value = this.round;
    this.slider.setAttribute("aria-valuetext", `round ${this.round} of ${this.last}`);
    this.showPlaying();
    this.paintHeads();
    this.paintFront();
    this.paintSentence();
    this.paintNumber();
    this.drawLine();
    this.paintTable();
  }

  paintSentence() {
    this.sentence.setAttribute("aria-live", this.timer ? "off" : "polite");
    const words = {
      name: () => this.askName(),
      predict: () => this.askBar(),
      rounds: () => this.tellRound(),
    };
    this.sentence.replaceChildren(...words[this.phase]());
  }

  paintNumber() {
    const share = this.height(this.frame);
    const words = this.labelled
      ? `of ${sum(this.data.totals).toLocaleString("en")} pictures right`
      : known(share)
        ? "of the test images right"
        : "no labels: nobody knows who is right";
    this.number.replaceChildren(
      ...(known(share)
        ? [make("div", { class: "big", "data-value": "accuracy" }, percent(share))]
        : []),
      make("div", { class: "quiet" }, words),
      ...(this.labelled && known(this.frame.score)
        ? [make("div", { class: "quiet" }, `${percent(this.frame.score)} ${this.shown.metric}`)]
        : []),
    );
  }

  // one line of accuracy, its rounds above those of the slider
  paintLine(width) {
    const runs = this.data.runs.map((run) => run.rounds.map((round) => this.height(round)));
    if (!known(runs[0][0])) {
      this.line.replaceChildren();
      return;
    }
    const tall = this.line.clientHeight;
    const base = this.height(this.reference);
    const [low, high] = padded(...ends(runs.flat()));
    const thumb = 9;
    const x = scale(0, this.last, thumb, width - thumb);
    const y = scale(low, high, tall - 16, 12);
    const chart = draw("svg", {
      width,
      height: tall,
      viewBox: `0 0 ${width} ${tall}`,
      role: "img",
      "aria-label": spelled({ name: this.shown.name, values: runs[this.run] }, percent),
    });
    const words = `${this.data.reference.name} ${percent(base)}`;
    const above = runs[this.run][this.last] < base;
    chart.append(
      draw("line", {
        x1: 0,
        x2: width,
        y1: y(base),
        y2: y(base),
        stroke: "var(--quiet)",
        "stroke-dasharray": "5 4",
      }),
      draw(
        "text",
        { class: "quiet", x: width, y: y(base) + (above ? -5 : 14), "text-anchor": "end" },
        words,
      ),
      draw("polyline", {
        points: runs[this.run].map((value, r) => `${x(r)},${y(value)}`).join(" "),
        fill: "none",
        stroke: this.colour(),
        "stroke-width": 2,
      }),
      ...runs[this.run].map((value, r) => {
        const shape = this.run === 0 ? "circle" : "diamond";
        return mark(
          shape,
          x(r),
          y(value),
          r === this.round ? 5.5 : 3,
          this.colour(),
          r > this.round,
        );
      }),
    );
    this.line.replaceChildren(chart);
  }

  paintTable() {
    if (!this.folded.open || this.phase !== "rounds") return;
    const { data, frame, reference } = this;
    const heads = ["class", "pictures", `in ${data.reference.name}`];
    if (this.labelled) heads.push("right", "accuracy", data.reference.name, "change");
    const rows = data.order.map((c) => {
      const [now, before] = [this.accuracyOf(frame, c), this.accuracyOf(reference, c)];
      const row = [data.classes[c], frame.given[c], reference.given[c]];
      if (this.labelled)
        row.push(
          `${frame.right[c]} of ${data.totals[c]}`,
          percent(now),
          percent(before),
          known(now) ? points(now - before) : "no labels",
        );
      return row;
    });
    const caption = `${this.shown.name}, round ${this.round}: every class, weakest first`;
    this.table.replaceChildren(
      make("p", { class: "quiet" }, caption),
      plainTable(caption, heads, rows),
    );
  }

  // ---- (a) which class is this?
  askName() {
    const { data } = this;
    const heard = this.answers[this.answers.length - 1];
    const left = data.quiz.length - this.answers.length;
    if (!heard)
      return this.words(
        "Which class is this? You say first; then the picture flies where",
        ` ${data.reference.name} puts it.`,
      );
    const put = this.reference.at[heard.i];
    const truth = this.truth?.[heard.i] ?? -1;
    const said =
      heard.said === put
        ? ["You and ", data.reference.name, " both say ", this.name(put), "."]
        : [
            "You say ",
            this.name(heard.said),
            ", ",
            data.reference.name,
            " says ",
            this.name(put),
            ".",
          ];
    const verdict =
      truth < 0 ? [" Nobody has labelled it."] : [" In truth it is ", this.name(truth), "."];
    const next = left ? "And this one?" : this.score();
    return this.words(...said, ...verdict, " ", make("b", {}, next));
  }

  // how many of the questions the reader and the reference got right
  score() {
    if (!this.labelled) return "";
    const right = (said) => this.answers.filter((one) => said(one) === this.truth[one.i]).length;
    const [yours, its] = [right((one) => one.said), right((one) => this.reference.at[one.i])];
    return `You have ${yours} of ${this.answers.length} right, ${this.data.reference.name} ${its}.`;
  }

  words(...text) {
    return [make("p", {}, ...text)];
  }

  answer(c) {
    const i = this.data.quiz[this.answers.length];
    if (i === undefined) return;
    const from = this.tray.querySelector(".current");
    const answer = { i, said: c, in: false };
    this.answers.push(answer);
    this.comeIntoView();
    this.throwTile(i, from, () => {
      answer.in = true;
      if (this.phase === "name") this.tiles.still(this.now(), this.there, this.bright);
    });
    this.paint();
  }

  // what moves is to be seen: where the window has room for all of the scene, it shows all of it
  comeIntoView() {
    const above = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    if (this.root.getBoundingClientRect().height > window.innerHeight - above) return;
    const behavior = reducedMotion() ? "auto" : "smooth";
    this.root.scrollIntoView({ block: "nearest", behavior });
  }

  // one picture flies from the tray to its column
  throwTile(i, from, done) {
    const place = this.now();
    const box = this.stageBox.getBoundingClientRect();
    const start = from.getBoundingClientRect();
    if (reducedMotion() || !from.animate) {
      done();
      return;
    }
    const side = this.stage.tile;
    const flyer = this.sheet.thumb(i, side, "");
    flyer.classList.add("flyer");
    flyer.setAttribute("aria-hidden", "true");
    this.stageBox.append(flyer);
    const at = (x, y, size) => `translate(${x}px,${y}px) scale(${size / side})`;
    const way = flyer.animate(
      [
        { transform: at(start.left - box.left, start.top - box.top, start.width) },
        { transform: at(place.x[i], place.y[i], side) },
      ],
      { duration: FLIGHT, easing: "cubic-bezier(.5,0,.2,1)", fill: "both" },
    );
    way.onfinish = () => {
      flyer.remove();
      done();
    };
  }

  paintFront() {
    const parts = {
      name: () => [this.trayOf()],
      predict: () => [this.barOf(), this.buttonsOf()],
      rounds: () => [this.said()],
    };
    this.front.replaceChildren(...parts[this.phase]().filter(Boolean));
  }

  trayOf() {
    const { data } = this;
    const at = this.answers.length;
    const over = at >= data.quiz.length;
    const slots = data.quiz.map((i, k) => {
      if (k < at) return make("span", { class: "slot done" }, this.verdictSign(this.answers[k]));
      const words = `picture ${k + 1} of ${data.quiz.length}`;
      const slot = make("span", { class: k === at ? "slot current" : "slot" });
      slot.append(this.sheet.thumb(i, k === at ? 112 : 56, words));
      return slot;
    });
    this.tray = make(
      "div",
      { class: "tray" },
      make("div", { class: "slots" }, ...slots),
      over ? null : this.chips(),
      make(
        "div",
        { class: "row on" },
        this.onButton(
          over ? `See all ${data.shown.toLocaleString("en")} pictures` : "Just show me",
          () => this.toPredict(),
          over,
        ),
      ),
    );
    return this.tray;
  }

  // was the reader right?
  verdictSign({ i, said }) {
    if (!this.labelled || this.truth[i] < 0) return "\u00b7";
    return this.truth[i] === said ? "\u2713" : "\u2715";
  }

  onButton(words, act, main) {
    return make(
      "button",
      { type: "button", class: main ? "main onward" : "onward", onclick: act },
      words,
    );
  }

  chips() {
    const { data } = this;
    if (data.order.length > MOST_CHIPS) {
      const select = make(
        "select",
        { "aria-label": "The class of this picture" },
        ...data.order.map((c) => make("option", { value: c }, data.classes[c])),
      );
      const say = () => this.answer(Number(select.value));
      return make("div", { class: "row chips" }, select, this.onButton("Say so", say, true));
    }
    const names = [...data.order].sort((a, b) => data.classes[a].localeCompare(data.classes[b]));
    return make(
      "div",
      { class: "row chips", role: "group", "aria-label": "The class of this picture" },
      ...names.map((c) =>
        make(
          "button",
          { type: "button", "data-answer": c, onclick: () => this.answer(c) },
          make("bdi", {}, data.classes[c]),
        ),
      ),
    );
  }

  toPredict() {
    const from = this.gathered();
    this.phase = "predict";
    this.paint();
    this.comeIntoView();
    this.tiles.still(from, this.there, this.bright);
    this.go();
    this.focusOn(".bar");
  }

  // all others on a heap in the middle, from where they fly into their columns
  gathered() {
    const from = this.now();
    const { width, height, tile } = this.stage;
    const come = new Set(this.answers.map((answer) => answer.i));
    const x = from.x.map((value, i) =>
      come.has(i) ? value : width / 2 + (((i * 37) % 101) - 50) * 2.2 - tile / 2,
    );
    const y = from.y.map((value, i) =>
      come.has(i) ? value : height * 0.42 + (((i * 53) % 89) - 44) * 1.4,
    );
    return { ...from, x, y };
  }

  focusOn(selector) {
    if (this.root.contains(document.activeElement) || document.activeElement === document.body)
      this.root.querySelector(selector)?.focus({ preventScroll: true });
  }

  // ---- (b) will the empty column fill?
  askBar() {
    const { data } = this;
    const given = this.reference.given[data.asked];
    const standing = given ? `${given} stand${given === 1 ? "s" : ""}` : "none stands";
    const right = this.labelled
      ? `: ${percent(this.accuracy(this.reference))} right, wrong ones ringed; `
      : "; ";
    return [
      make(
        "p",
        {},
        `All ${data.shown.toLocaleString("en")} pictures, where ${data.reference.name} puts them`,
        `${right}${standing} in `,
        this.name(data.asked),
        ".",
      ),
      make(
        "p",
        {},
        make(
          "b",
          {},
          "CLIP will now learn from its own labels. Will the empty column fill? Drag its bar.",
        ),
      ),
    ];
  }

  get barMost() {
    const cell = this.stage.cellOf.get(this.data.asked);
    if (this.labelled) return this.data.totals[this.data.asked];
    return Math.max(1, Math.min(cell.perRow * Math.floor(cell.room / cell.pitch), this.data.shown));
  }

  barOf() {
    const cell = this.stage.cellOf.get(this.data.asked);
    const most = this.barMost;
    const start = this.guess ?? Math.round(this.startOfBar() * most) / most;
    const bar = make("div", {
      class: "bar",
      role: "slider",
      tabindex: 0,
      "aria-orientation": "vertical",
      "aria-valuemin": 0,
      "aria-valuemax": this.labelled ? 100 : most,
      "aria-label": `Your guess for ${this.data.classes[this.data.asked]}`,
      style: boxed(cell.left, cell.top + cell.head, cell.wide, cell.deep - cell.head),
    });
    const level = make("div", { class: "level" });
    const words = make("span", { class: "words" });
    const depth = cell.floor - cell.top - cell.head;
    const full = depth - heightOf(cell, most);
    if (this.labelled)
      bar.append(make("div", { class: "full", style: `top:${full}px` }, make("span", {}, "100 %")));
    level.append(words);
    bar.append(level);
    const set = (share, touched = true) => {
      this.drawn = Math.max(0, Math.min(1, share));
      const pictures = this.drawn * most;
      level.style.transform = `translateY(${depth - heightOf(cell, pictures)}px)`;
      words.textContent = `\u2195 ${this.guessWords(this.drawn)}`;
      const now = this.labelled ? Math.round(100 * this.drawn) : Math.round(pictures);
      bar.setAttribute("aria-valuenow", now);
      bar.setAttribute("aria-valuetext", this.guessWords(this.drawn));
      if (touched) this.touchedBar();
    };
    const follow = (event) => {
      const box = bar.getBoundingClientRect();
      set((box.bottom - 2 - event.clientY) / heightOf(cell, most));
    };
    bar.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      bar.focus({ preventScroll: true });
      bar.setPointerCapture(event.pointerId);
      follow(event);
    });
    bar.addEventListener("pointermove", (event) => {
      if (bar.hasPointerCapture(event.pointerId)) follow(event);
    });
    const steps = {
      ArrowUp: 0.05,
      ArrowRight: 0.05,
      ArrowDown: -0.05,
      ArrowLeft: -0.05,
      PageUp: 0.2,
      PageDown: -0.2,
    };
    bar.addEventListener("keydown", (event) => {
      const to = { Home: 0, End: 1 }[event.key] ?? this.drawn + steps[event.key];
      if (Number.isNaN(to)) return;
      event.preventDefault();
      set(to);
    });
    set(start, false);
    return bar;
  }

  startOfBar() {
    const { asked } = this.data;
    const share = this.accuracyOf(this.reference, asked);
    return share ?? this.reference.given[asked] / this.barMost;
  }

  guessWords(share) {
    return this.labelled ? whole(share) : plural(Math.round(share * this.barMost), "picture");
  }

  touchedBar() {
    this.guess = this.drawn;
    const button = this.front.querySelector(".onward.main");
    if (button) button.disabled = false;
  }

  buttonsOf() {
    const done = this.onButton("That is my guess", () => this.toRounds(), true);
    done.disabled = this.guess === null;
    const skip = this.onButton("Just show me", () => {
      this.guess = null;
      this.toRounds();
    });
    return make("div", { class: "row on" }, done, skip);
  }

  toRounds() {
    this.phase = "rounds";
    if (reducedMotion()) this.show({ round: this.last });
    else {
      this.paint();
      this.play();
    }
    this.focusOn("input[type=range]");
  }

  // the guess stays in its column, as a dashed line
  said() {
    if (this.guess === null) return null;
    const cell = this.stage.cellOf.get(this.data.asked);
    const top = cell.floor - heightOf(cell, this.guess * this.barMost);
    return make(
      "div",
      {
        class: "said",
        style: `left:${cell.left}px;width:${cell.wide}px;transform:translateY(${top}px)`,
      },
      make("span", {}, `you: ${this.guessWords(this.guess)}`),
    );
  }

  // ---- (c) what happened, (d) who pays
  tellRound() {
    const block = make("div", { class: "panel" }, this.sign(this.run));
    const { data, shown, frame } = this;
    const text = make(
      "p",
      {},
      make("b", {}, make("bdi", {}, `${shown.name}, round ${frame.number}`), ": "),
    );
    text.append(...(this.chosen === null ? this.askedWords() : this.classWords(this.chosen)));
    block.append(text);
    block.append(
      make("p", { class: "pays" }, ...(this.labelled ? this.paysWords() : this.movedWords())),
    );
    return [block];
  }

  askedWords() {
    const c = this.data.asked;
    const value = (round) =>
      this.labelled ? percent(this.accuracyOf(round, c)) : plural(round.given[c], "picture");
    const own = this.shown.rounds[0];
    return [
      this.name(c),
      ` ${value(this.reference)}`,
      ...(this.round || own !== this.reference
        ? [" \u2192 ", make("b", { "data-value": "asked" }, value(this.frame))]
        : []),
      this.guess === null ? "." : `; you said ${this.guessWords(this.guess)}.`,
    ];
  }

  classWords(c) {
    const { data, frame } = this;
    if (!this.labelled)
      return [
        this.name(c),
        ` holds ${plural(frame.given[c], "picture")},`,
        ` ${this.reference.given[c]} by ${data.reference.name}.`,
      ];
    const gone = this.goneTo(c);
    const words = [
      this.name(c),
      ` ${percent(this.accuracyOf(this.reference, c))} \u2192 `,
      make("b", {}, percent(this.accuracyOf(frame, c))),
      ` (${frame.right[c]} of ${data.totals[c]}).`,
    ];
    if (gone.length)
      words.push(
        " The others stand in ",
        ...gone.flatMap(([d, n], at) => [at ? ", " : "", this.name(d), ` ${n}`]),
        ".",
      );
    return words;
  }

  // where the pictures of class c stand that do not stand in its column, the most first
  goneTo(c) {
    const counts = new Map();
    this.frame.at.forEach((place, i) => {
      if (this.truth[i] === c && place >= 0 && place !== c)
        counts.set(place, (counts.get(place) ?? 0) + 1);
    });
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 3);
  }

  paysWords() {
    const { data, frame, reference } = this;
    if (frame === reference)
      return [`This is ${data.reference.name}, the reference for every number.`];
    const changes = data.order
      .map((c) => [c, this.accuracyOf(frame, c) - this.accuracyOf(reference, c)])
      .filter(([c]) => known(this.accuracyOf(frame, c)))
      .sort((a, b) => a[1] - b[1]);
    const [payer, loss] = changes[0];
    const [winner, gain] = changes[changes.length - 1];
    const won =
      gain > 0 ? [this.name(winner), ` gains most, ${points(gain)} points`] : ["No class gains"];
    const own = this.shown.rounds[0];
    const start =
      own === reference
        ? ""
        : ` It starts from ${this.shown.start}: ${percent(this.accuracy(own))} right.`;
    const paid = loss < 0 ? [this.name(payer), ` pays most, ${points(loss)}`] : ["nobody pays"];
    return [
      `Against ${data.reference.name}: `,
      ...won,
      "; ",
      ...paid,
      ".",
      this.round ? "" : start,
    ];
  }

  movedWords() {
    const moved = this.frame.at.filter((place, i) => place !== this.reference.at[i]).length;
    return [`${plural(moved, "picture")} stand elsewhere than with ${this.data.reference.name}.`];
  }

  // ---- (e) one picture
  under(event) {
    if (this.phase !== "rounds") return null;
    const box = this.box.getBoundingClientRect();
    const at = tileAt(this.stage, this.place(), event.clientX - box.left, event.clientY - box.top);
    return at < 0 ? null : at;
  }

  hover(i) {
    if (i === this.hovered || this.phase !== "rounds") return;
    this.hovered = i;
    this.paintPath();
  }

  paintPath() {
    if (this.phase !== "rounds" || this.tiles.timer) return;
    const i = this.hovered ?? this.pinned;
    this.box.classList.toggle("over", this.hovered !== null);
    if (i === null) {
      this.tiles.noPath();
      this.tell(null);
      return;
    }
    const places = this.shown.rounds.map((_, r) => this.place(this.run, r));
    this.tiles.path(i, places, this.round, this.colours().runs[this.run === 0 ? 0 : 1]);
    if (this.hovered === null || this.hovered === this.pinned) this.tell(null);
    else
      this.tell(
        this.wayWords(i),
        places[this.round].x[i] + this.stage.tile / 2,
        places[this.round].y[i] - 6,
        true,
      );
    if (this.pinned !== null) this.paintCard();
  }

  // a picture's way in words: stretches of rounds that gave it the same class
  way(i) {
    const stretches = [];
    this.shown.rounds.forEach((round, r) => {
      const last = stretches[stretches.length - 1];
      if (last && last.c === round.at[i]) last.to = r;
      else stretches.push({ c: round.at[i], from: r, to: r });
    });
    return stretches;
  }

  wayWords(i) {
    const { data } = this;
    const truth = this.truth?.[i] ?? -1;
    const told = this.frame.at[i] < 0;
    const steps = this.way(i).map(({ c }) => (c < 0 ? "given its label" : data.classes[c]));
    return make(
      "bdi",
      {},
      `picture ${data.names[i]}`,
      truth >= 0 ? `, in truth ${data.classes[truth]}` : "",
      told ? ": its label was given" : `: ${steps.join(" \u2192 ")}`,
    );
  }

  pin(i) {
    if (this.phase !== "rounds") return;
    this.pinned = i === this.pinned ? null : i;
    this.paintCard();
    this.paintPath();
  }

  paintCard() {
    const i = this.pinned;
    this.card.hidden = i === null;
    if (i === null) return;
    const { data } = this;
    const truth = this.truth?.[i] ?? -1;
    const right = this.place().x[i] < this.stage.width / 2;
    this.card.className = `card ${right ? "right" : "left"}`;
    this.card.setAttribute("aria-label", `Picture ${data.names[i]}`);
    const label = (c) => (c < 0 ? "given its label" : make("bdi", {}, data.classes[c]));
    const steps = this.way(i).map(({ c, from, to }) => {
      const here = this.round >= from && this.round <= to;
      const sign = truth < 0 || c < 0 ? "" : c === truth ? " \u2713" : " \u2715";
      return make(
        "li",
        { class: here ? "here" : "" },
        `${from === to ? `round ${from}` : `rounds ${from}\u2013${to}`}: `,
        label(c),
        sign,
      );
    });
    this.card.replaceChildren(
      this.sheet.thumb(i, 168, `Picture ${data.names[i]}, large`),
      make(
        "p",
        {},
        `Picture ${data.names[i]}`,
        ...(truth >= 0 ? [", in truth ", this.name(truth)] : [", without a label"]),
      ),
      make("ol", {}, ...steps),
      make(
        "button",
        {
          type: "button",
          class: "close",
          "aria-label": "Close",
          onclick: () => this.pin(this.pinned),
        },
        "\u2715",
      ),
    );
  }

  tell(words, x, y, above = false) {
    this.tip.hidden = words === null;
    if (words === null) return;
    this.tip.replaceChildren(words);
    const wide = this.tip.offsetWidth;
    const left = Math.max(0, Math.min(this.stage.width - wide, x - wide / 2));
    const top = above ? Math.max(0, y - this.tip.offsetHeight) : y;
    this.tip.style.transform = `translate(${left}px,${top}px)`;
  }

  // ---- the keyboard among the tiles
  key(event, by) {
    if (this.phase !== "rounds") return;
    if (event.key === "Escape" && this.pinned !== null) this.pin(this.pinned);
    else if (event.key === "Enter" || event.key === " ") this.pin(this.cursor);
    else if (by) this.moveCursor(...by);
    else return;
    event.preventDefault();
  }

  // across: to the next column that has pictures; up: to the next picture of the column
  moveCursor(across, up) {
    if (this.phase !== "rounds") return;
    const { piles } = this.place();
    const cells = this.stage.cells.filter((cell) => piles.get(cell).length);
    let at = cells.findIndex((cell) => piles.get(cell).includes(this.cursor));
    let rank = at < 0 ? 0 : piles.get(cells[at]).indexOf(this.cursor);
    at = Math.max(0, Math.min(cells.length - 1, Math.max(0, at) + across));
    const pile = piles.get(cells[at]);
    rank = Math.max(0, Math.min(pile.length - 1, rank + up));
    this.cursor = pile[rank];
    this.speak(
      `${this.wayWords(this.cursor).textContent}. ${rank + 1} of ${pile.length} in this column`,
    );
    this.hovered = null;
    this.hover(this.cursor);
  }

  // two options by turns, so that a screen reader hears of a change
  speak(words) {
    this.spoken.reverse();
    const [one, other] = this.spoken;
    one.textContent = words;
    one.setAttribute("aria-selected", "true");
    other.setAttribute("aria-selected", "false");
    this.box.setAttribute("aria-activedescendant", one.id);
  }

  // ---- the address keeps round, class and run
  keepsAddress() {
    if (window.top !== window || this.root.closest(".jp-OutputArea, .output_area")) return false;
    const others = document.querySelectorAll(".plab.scene");
    return others[0] === this.root && /^(#|#scene.*)?$/.test(window.location.hash);
  }

  fromAddress() {
    if (!this.keepsAddress() || !window.location.hash.startsWith("#scene")) return false;
    const kept = new URLSearchParams(window.location.hash.slice(1));
    const run = this.data.runs.findIndex((one) => one.name === kept.get("run"));
    this.run = Math.max(0, run);
    this.round = Math.max(0, Math.min(this.last, Number.parseInt(kept.get("round"), 10) || 0));
    const c = this.data.classes.indexOf(kept.get("class"));
    this.chosen = this.data.order.includes(c) ? c : null;
    return true;
  }

  toAddress() {
    if (!this.keepsAddress() || this.phase !== "rounds" || this.playsByItself) return;
    const kept = new URLSearchParams({ scene: "", round: this.round, run: this.shown.name });
    if (this.chosen !== null) kept.set("class", this.data.classes[this.chosen]);
    window.history.replaceState(window.history.state, "", `#${kept}`);
  }
}

const BLUE_RUN = "var(--blue)";
const PURPLE_RUN = "var(--purple)";

const whole = (share) => `${Math.round(100 * share)} %`;
const plural = (n, noun) =>
  `${n === 0 ? "no" : n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
const boxed = (left, top, width, height) =>
  `left:${left}px;top:${top}px;width:${width}px;height:${height}px`;
const ends = (values) => [Math.min(...values), Math.max(...values)];

// how many stand in column c; those whose label was given stand in their own
function countOf(at, c, truth) {
  let n = 0;
  for (let i = 0; i < at.length; i++) if (at[i] === c || (at[i] < 0 && truth[i] === c)) n++;
  return n;
}
