// A part to draw into, or to drop a picture on, with what a CLIP takes it for: at once, by the
// words that stand in the playground.

const SIDE = 56; // pixels, as the CLIP sees a picture
const BRUSHES = [1, 3, 6, 12]; // pixels across
const MOST_UNDONE = 60;
const STRIDE = 2; // pixels that an arrow key moves the brush
const ARROWS = {
  ArrowLeft: [-STRIDE, 0],
  ArrowRight: [STRIDE, 0],
  ArrowUp: [0, -STRIDE],
  ArrowDown: [0, STRIDE],
};

const rgbOf = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

// ---- the picture

// 56 x 56 pixels to paint on. `changed` is called after every mark
class Painting {
  constructor(ground, changed) {
    this.canvas = make("canvas", {
      width: SIDE,
      height: SIDE,
      class: "painting",
      tabindex: "0",
      role: "application",
      "aria-label":
        "Your picture, 56 by 56 pixels. Draw with mouse, pen or finger, or with keys: arrows" +
        " move the brush, Space sets a dot, Shift with an arrow draws",
    });
    this.pointer = make("span", { class: "pointer", "aria-hidden": "true" });
    this.board = make("div", { class: "board" }, this.canvas, this.pointer);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.image = new ImageData(SIDE, SIDE);
    this.past = [];
    this.colour = ground;
    this.width = BRUSHES[1];
    this.changed = changed;
    this.place = null; // of the brush while it is down
    this.stand = [SIDE / 2, SIDE / 2]; // of the brush that keys move
    this.caption = ""; // of a picture that was fetched
    this.cover(ground);
    this.listen();
  }

  get pixels() {
    return this.image.data;
  }

  // ---- whole pictures

  show(pixels, caption = "") {
    this.caption = caption;
    this.image.data.set(pixels);
    this.context.putImageData(this.image, 0, 0);
  }

  cover(colour) {
    const [red, green, blue] = rgbOf(colour);
    this.show(range(SIDE * SIDE).flatMap(() => [red, green, blue, 255]));
  }

  // Does `work`, which can be undone
  mark(work) {
    this.past.push([this.pixels.slice(), this.caption]);
    if (this.past.length > MOST_UNDONE) this.past.shift();
    work();
    this.changed();
  }

  undo() {
    if (!this.past.length) return;
    this.show(...this.past.pop());
    this.changed();
  }

  // ---- the brush

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, () => { this.place = null; });
    canvas.addEventListener("keydown", (event) => this.walk(event));
    canvas.addEventListener("focus", () => this.point());
  }

  placeOf({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [((clientX - left) / width) * SIDE, ((clientY - top) / height) * SIDE];
  }

  begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.place = this.placeOf(event);
    this.mark(() => this.line(this.place, this.place));
  }

  move(event) {
    if (!this.place || !event.isPrimary) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) {
      const place = this.placeOf(step);
      this.line(this.place, place);
      this.place = place;
    }
    this.changed();
  }

  // By keys: arrows move the brush, Space sets a dot, Shift with an arrow draws
  walk(event) {
    const steps = ARROWS[event.key] ?? (event.key === " " ? [0, 0] : null);
    if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const from = this.stand;
    this.stand = from.map((at, axis) => Math.min(SIDE - 0.5, Math.max(0.5, at + steps[axis])));
    this.point();
    if (event.shiftKey || event.key === " ") this.mark(() => this.line(from, this.stand));
  }

  // Shows where the brush of the keys stands, and how wide it is
  point() {
    const [x, y] = this.stand.map((at) => `${(100 * at) / SIDE}%`);
    const width = `${(100 * this.width) / SIDE}%`;
    this.pointer.style = `left:${x};top:${y};width:${width};height:${width}`;
  }

  line([x, y], [toX, toY]) {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(toX - x, toY - y)));
    for (let i = 0; i <= steps; i++) {
      const share = i / steps;
      this.dot(x + share * (toX - x), y + share * (toY - y));
    }
    this.context.putImageData(this.image, 0, 0);
  }

  dot(x, y) {
    const reach = this.width / 2;
    const around = (place) =>
      range(SIDE).filter((at) => at + 1 > place - reach && at < place + reach);
    for (const row of around(y))
      for (const column of around(x)) if (this.covers(column, row, x, y)) this.put(column, row);
  }

  // Does the brush at (x, y) cover the middle of a pixel? The thinnest has the pixel it stands on
  covers(column, row, x, y) {
    if (this.width === 1) return column === Math.floor(x) && row === Math.floor(y);
    return Math.hypot(column + 0.5 - x, row + 0.5 - y) <= this.width / 2;
  }

  put(column, row) {
    this.pixels.set([...rgbOf(this.colour), 255], 4 * (row * SIDE + column));
  }
}

// ---- what it is drawn with

// Round buttons of which one is pressed; arrow keys move
function swatches(name, options, value, change) {
  const group = choice(name, options.map(([key]) => [key, ""]), value, change);
  options.forEach(([, label, look], at) => {
    const button = group.children[at];
    button.classList.add("swatch");
    button.setAttribute("aria-label", label);
    button.title = label;
    button.append(look);
  });
  return group;
}

const paintLook = (colour) => make("span", { class: "paint", style: `background:${colour}` });
const brushLook = (width) =>
  make("span", { class: "tip", style: `width:${2 * width}px;height:${2 * width}px` });

const brushName = (width) => `${width} ${width === 1 ? "pixel" : "pixels"} wide`;

// ---- what it is taken for

// The classes, the most probable first
const byShare = (shares) => range(shares.length).sort((a, b) => shares[b] - shares[a] || a - b);

// Bars with the shares as they are in an attribute of each row
function answerBars(names, shares) {
  const rows = byShare(shares).map((c) =>
    make(
      "li",
      { class: "class-row", "data-share": shares[c] },
      make("bdi", { class: "name", title: names[c] }, names[c]),
      make(
        "span",
        { class: "lane", "aria-hidden": "true" },
        make("span", { class: "share", style: `width:${100 * shares[c]}%` }),
      ),
      make("span", { class: "counts" }, percent(shares[c])),
    ),
  );
  return make("ul", { class: "class-list answer" }, ...rows);
}

function answerText(names, shares) {
  const [first, second] = byShare(shares);
  const told = `Taken for ${names[first]}, ${percent(shares[first])}`;
  return second === undefined ? `${told}.` : `${told}; then ${names[second]}.`;
}

// ---- the whole part

// paints: [[colour, name], ...], the ground first; source: of the CLIP; engine(): {clip, opened},
// once it is there; words(): {names, sentences} as they stand now, null while they cannot be read.
// The part has `again()`, for when words have changed
function drawingPart({ paints, names, source, engine, words }) {
  const live = announcer();
  const status = make("span", { class: "quiet status" });
  const trouble = make("p", { class: "said", hidden: true });
  const truth = make("p", { class: "quiet truth" });
  const answer = make("div");
  const brief = make("p", { class: "brief", "aria-hidden": "true" }); // where bars are far below
  const [[ground]] = paints;
  const painting = new Painting(ground, () => look());
  let touched = false; // is there anything to be looked at?
  let ready = 0; // when the image tower was there
  let failed = false; // does a refusal stand there?
  let newest = 0; // of the pictures that are being fetched
  let unseen = []; // test pictures that did not come up yet

  const ask = newestOnly(async ({ asked }) => {
    try {
      const given = words();
      if (!given) return wait();
      if (!ready) tell("Fetching the image tower: 1.8 MB \u2026");
      const { clip, opened } = await engine();
      await clip.withImageTower();
      ready ||= performance.now();
      const shares = await clip.classify(painting.pixels, given.sentences);
      if (!words()) return wait();
      if (failed) note("");
      answer.classList.remove("waits");
      answer.replaceChildren(answerBars(given.names, shares));
      brief.textContent = answerText(given.names, shares);
      const took = performance.now() - Math.max(asked, opened, ready);
      part.dataset.took = took.toFixed(1);
      tell(`answered in ${Math.max(1, Math.round(took))} ms`);
      live.tell(brief.textContent, 1200);
    } catch (error) {
      refuse(error);
    }
  });

  const tell = (text) => { status.textContent = text; };

  function look() {
    touched = true;
    truth.replaceChildren(painting.caption);
    undoButton.disabled = !painting.past.length;
    ask({ asked: performance.now() });
  }

  function wait() {
    answer.classList.add("waits");
    tell("waits for the words above");
  }

  function refuse({ message }) {
    tell("");
    trouble.textContent = capital(`${message}.`).replace(/\.\.$/, ".");
    trouble.hidden = false;
    failed = true;
    live.tell(trouble.textContent, 100);
  }

  function note(text) {
    trouble.textContent = text;
    trouble.hidden = !text;
    failed = false;
  }

  // Shows what `fetch` brings: {rgba, note, caption}; what was asked for later wins
  async function take(fetch) {
    newest += 1;
    const mine = newest;
    try {
      tell("Fetching the CLIP \u2026");
      await engine();
      const found = await fetch();
      if (mine !== newest) return;
      note(found.note ?? "");
      painting.mark(() => painting.show(found.rgba, found.caption));
    } catch (error) {
      if (mine === newest) refuse(error);
    }
  }

  function takeFile(files) {
    part.open = true;
    const [file] = files;
    take(async () => {
      if (!file) throw new Error("no file came with this: drop a picture from your disk");
      const found = await globalThis.plabClip.picture(file);
      return { ...found, caption: make("bdi", {}, file.name) };
    });
  }

  function takeTest() {
    take(async () => {
      const found = await globalThis.plabClip.pictures(source.pictures, source.folder);
      const { labels, picture } = found;
      if (!unseen.length) unseen = range(labels.length);
      const [i] = unseen.splice(Math.floor(Math.random() * unseen.length), 1);
      const caption = make("span", {}, "A test picture: ", make("b", {}, names[labels[i]]));
      return { rgba: picture(i), caption };
    });
  }

  // ---- controls

  const button = (label, onclick, more = {}) =>
    make("button", { type: "button", onclick, ...more }, label);
  const undoButton = button("Undo", () => painting.undo(), { disabled: true });
  const startAgain = (colour) => {
    note("");
    painting.mark(() => painting.cover(colour));
  };
  const input = make("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    onchange: () => {
      takeFile([...input.files]);
      input.value = "";
    },
  });
  const colours = paints.map(([colour, name]) => [colour, name, paintLook(colour)]);
  const usual = paints.at(-1)[0];
  const paintChoice = swatches("Colour", colours, usual, (colour) => paintWith(colour));
  const own = make("input", {
    type: "color",
    value: usual,
    oninput: () => {
      paintChoice.set(own.value);
      paintChoice.firstChild.tabIndex = 0; // none is pressed, and the keyboard needs a way in
      painting.colour = own.value;
    },
  });
  const brushes = BRUSHES.map((width) => [String(width), brushName(width), brushLook(width)]);
  const brushChoice = swatches("Brush", brushes, String(painting.width), (width) => {
    painting.width = Number(width);
  });
  function paintWith(colour) {
    painting.colour = colour;
    own.value = colour;
  }
  paintWith(usual);

  const part = make(
    "details",
    { class: "drawing" },
    make("summary", {}, "Draw or drop a picture, and see what it is taken for"),
    make(
      "div",
      { class: "drawing-halves" },
      make(
        "div",
        { class: "easel" },
        painting.board,
        make(
          "p",
          { class: "quiet keys" },
          "Arrows move the brush, Space sets a dot, Shift with an arrow draws.",
        ),
        brief,
        make(
          "div",
          { class: "row" },
          button("A test picture", takeTest),
          button("Choose a file \u2026", () => input.click()),
          undoButton,
          button("Fill", () => startAgain(painting.colour)),
          button("Clear", () => startAgain(ground)),
          input,
        ),
        trouble,
        field("Brush", brushChoice),
        field("Colour", paintChoice, make("label", { class: "own" }, own, "your own")),
      ),
      make("div", { class: "taken" }, truth, answer, status),
    ),
    make(
      "p",
      { class: "quiet" },
      "Or drop a picture here, or paste one. It is shrunk to 56 \u00d7 56 pixels as in Python;" +
        " a photo may differ in the last bits, since browsers decode photos in their own way.",
    ),
    live,
  );
  // ---- from elsewhere

  const hold = (event) => {
    event.preventDefault();
    part.classList.toggle("over", event.type === "dragover");
  };
  for (const name of ["dragover", "dragleave", "drop"]) part.addEventListener(name, hold);
  part.addEventListener("drop", ({ dataTransfer }) => takeFile([...dataTransfer.files]));
  part.addEventListener("keydown", (event) => {
    const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!isUndo) return;
    event.preventDefault();
    painting.undo();
  });
  document.addEventListener("paste", ({ clipboardData, target }) => {
    const isTyped = target instanceof Element && target.matches("input[type=text], textarea");
    const files = [...(clipboardData?.files ?? [])];
    if (part.isConnected && part.open && files.length && !isTyped) takeFile(files);
  });

  answer.append(make("p", { class: "quiet" }, "Draw something: the CLIP answers at once."));
  return Object.assign(part, {
    again() {
      if (touched) ask({ asked: performance.now() });
    },
  });
}
