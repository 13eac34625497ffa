// needs playground
// Choose a selector, move K or the threshold, and see at once which pseudolabels come of it. The
// ranks are those of the real logits, so nothing is rounded.
const PICTURES = 60; // shown of one class at most

function poolFromRanks({ n, names, thresholds, ...packed }) {
  const nClasses = names.length;
  const ranks = unpack(packed.ranks);
  const orders = unpack(packed.order);
  const reach = unpack(packed.reach);
  const place = new Map(thresholds.map((threshold, at) => [threshold, at]));
  return poolOf({
    n,
    classes: range(nClasses),
    score: (i, c) => ranks[i * nClasses + c],
    order: (i) => orders.subarray(i * nClasses, (i + 1) * nClasses),
    reaches: (i, threshold) => reach[i] > place.get(threshold),
  });
}

function mount(root, data) {
  const { names, thresholds, sprite, n } = data;
  const nClasses = names.length;
  const truth = unpack(data.truth);
  const pool = poolFromRanks(data);
  const present = range(nClasses).map((c) =>
    truth.reduce((total, label) => total + (label === c), 0),
  );
  const labelled = present.some((count) => count > 0);
  const even = Math.max(1, Math.floor(n / nClasses));
  const state = {
    selector: "top_k",
    k: data.k,
    at: thresholds.indexOf(0.95),
    selected: null,
    before: null,
  };
  const ofK = () => state.selector !== "threshold";
  const setting = () => (ofK() ? `K = ${state.k}` : `threshold ${thresholds[state.at]}`);
  const nameOf = (selector) => SELECTOR_NAMES.find(([key]) => key === selector)[1];

  const kSlider = slider(
    "K, images per class",
    { min: 1, max: Math.min(n, 2 * even), value: state.k, marks: [[even, `even share ${even}`]] },
    (k) => {
      state.k = k;
      soon();
    },
  );
  const cutSlider = slider(
    "Threshold, probability of the class",
    { max: thresholds.length - 1, value: state.at, text: (at) => String(thresholds[at]) },
    (at) => {
      state.at = at;
      soon();
    },
  );
  const selectors = choice("Selector", SELECTOR_NAMES, state.selector, (selector) => {
    state.before = result;
    state.wasNamed = `${nameOf(state.selector)}, ${setting()}`;
    state.selector = selector;
    soon();
  });
  const rows = names.map(makeRow);
  const classes = sprite
    ? choice(
        "Class, to see its pictures",
        rows.map((row, c) => [c, row.box]),
        null,
        (c) => {
          state.selected = c;
          soon();
        },
      )
    : make("ul", {}, ...rows.map((row) => make("li", {}, row.box)));
  classes.className = "classes";
  const numbers = make("div");
  const key = make("div");
  const axis = make("div", { class: "axis quiet", "aria-hidden": "true" });
  const pictures = make("div", { class: "chosen-pictures" });
  const table = make("div");
  const live = announcer();
  const details = make(
    "details",
    { ontoggle: () => soon() },
    make("summary", {}, "The same as a table"),
    table,
  );
  root.classList.add("playground");
  root.append(
    title(data.title),
    make("p", { class: "quiet" }, data.about),
    make("p", { class: "try" }, data.tryThis),
    make(
      "div",
      { class: "controls" },
      field("Selector", selectors),
      make("div", {}, kSlider, cutSlider),
    ),
    numbers,
    key,
    classes,
    axis,
    sprite ? pictures : null,
    details,
    live,
  );

  let result = null;
  let waiting = false;
  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint();
      tell();
    });
  }

  function paint() {
    kSlider.hidden = !ofK();
    cutSlider.hidden = ofK();
    const chosen = SELECT[state.selector](pool, ofK() ? state.k : thresholds[state.at]);
    result = auditOf(chosen, truth, nClasses);
    const most = Math.max(1, ...result.classes.map((row) => row.given), ...present);
    const end = Math.ceil(most / 20) * 20;
    rows.forEach((row, c) => row.paint(result.classes[c], state.before?.classes[c], end));
    axis.replaceChildren(make("span", {}, "0"), make("span", {}, `${end} images`));
    numbers.replaceChildren(
      tiles([
        ["labels given", result.given],
        ["right", labelled ? result.right : "no labels"],
        ["precision", percent(result.precision)],
        ["images with a label", `${result.covered} of ${n}`],
        ["double labels", result.double],
        [
          "weakest precision",
          result.weakest === null
            ? "none"
            : make(
                "span",
                {},
                `${percent(result.classes[result.weakest].precision)} `,
                make("bdi", { class: "quiet" }, names[result.weakest]),
              ),
        ],
      ]),
    );
    key.replaceChildren(keyOf());
    if (sprite && state.selected !== null) showPictures(chosen);
    if (details.open)
      table.replaceChildren(
        plainTable(
          "Pseudolabels by class",
          ["class", "given", "right", "precision", "in the pool"],
          names.map((name, c) => [
            name,
            result.classes[c].given,
            result.classes[c].right,
            percent(result.classes[c].precision),
            present[c],
          ]),
        ),
      );
  }

  function tell() {
    live.tell(
      [
        `${nameOf(state.selector)}, ${setting()}: ${result.given} labels`,
        `${percent(result.precision)} right`,
        `${result.covered} of ${n} images with a label`,
        `${result.double} double labels.`,
      ].join(", "),
    );
  }

  // One class: its name, a bar of labels given (outlined) and right (hatched), and the numbers
  function makeRow(name, c) {
    const given = make("span", { class: "given" });
    const right = make("span", { class: "hatched" });
    const here = make("span", { class: "present" });
    const before = make("span", { class: "before" });
    const counts = make("span", { class: "counts" });
    const box = make(
      "span",
      { class: "class-row" },
      make("bdi", { class: "name" }, name),
      make(
        "span",
        { class: "lane", "aria-hidden": "true" },
        given,
        right,
        labelled ? here : null,
        before,
      ),
      counts,
    );
    const inWords = (row) => {
      if (row.given === 0) return "none given";
      if (!labelled) return `${row.given} given`;
      const share = row.precision === null ? "?" : `${Math.round(100 * row.precision)} %`;
      return `${row.right} of ${row.given}, ${share}`;
    };
    const paintRow = (row, was, end) => {
      const share = (count) => `${(100 * count) / end}%`;
      given.style.width = share(row.given);
      right.style.width = share(row.right);
      here.style.left = share(present[c]);
      before.hidden = !was;
      if (was) before.style.left = share(was.right);
      counts.textContent = inWords(row);
    };
    return { box, paint: paintRow };
  }

  function keyOf() {
    const entry = (kind, text) =>
      make(
        "span",
        { class: "key" },
        make(
          "span",
          { class: "lane", "aria-hidden": "true" },
          make("span", {
            class: kind,
            style: kind === "given" || kind === "hatched" ? "width:100%" : "left:50%",
          }),
        ),
        text,
      );
    return make(
      "div",
      { class: "row quiet keys" },
      entry("given", "given"),
      ...(labelled
        ? [entry("hatched", "right"), entry("present", "images of the class in the pool")]
        : []),
      labelled && state.before ? entry("before", `right before: ${state.wasNamed}`) : null,
    );
  }

  function showPictures({ index, label }) {
    const c = state.selected;
    const images = index.filter((_, at) => label[at] === c);
    const shown = images.slice(0, PICTURES);
    const tell = (image) =>
      truth[image] < 0 ? "" : truth[image] === c ? "right" : `wrong: ${names[truth[image]]}`;
    const howMany =
      images.length > PICTURES
        ? `The first ${PICTURES} of ${images.length}`
        : `All ${images.length}`;
    const order = state.selector === "leaderboard" ? "" : ", surest first";
    const frames = labelled ? "A crossed, dashed frame: wrong." : "";
    const place = (image) => {
      const left = -sprite.size * (image % sprite.columns);
      const top = -sprite.size * Math.floor(image / sprite.columns);
      return `background-position:${left}px ${top}px`;
    };
    pictures.replaceChildren(
      part("Pictures called ", make("bdi", {}, names[c])),
      make(
        "p",
        { class: "quiet" },
        images.length === 0 ? "None with this setting." : `${howMany}${order}. ${frames}`,
      ),
      make(
        "ul",
        { class: "sprites" },
        ...shown.map((image) =>
          make(
            "li",
            { class: truth[image] >= 0 && truth[image] !== c ? "miss" : "", title: tell(image) },
            make("span", { class: "sprite", style: place(image) }),
            make("span", { class: "visually-hidden" }, tell(image) || "not known"),
          ),
        ),
      ),
    );
  }

  if (sprite) {
    root.style.setProperty("--sprite", `url("${sprite.src}")`);
    root.style.setProperty("--size", `${sprite.size}px`);
  }
  paint();
  if (sprite) {
    // the pictures of one class are there without a click
    state.selected = result.weakest ?? 0;
    classes.set(state.selected);
    paint();
  }
}
