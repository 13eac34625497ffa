// Photos that somebody looks through: one at a time, large, with what the model said. A key says
// what the photo shows; the answers are saved as a CSV file that `--labels` reads. Answers are kept
// in this browser as well, so that a closed page loses nothing.

const FEW = 9; // so many classes have a key of their own
const NONE = -1; // the answer that a photo shows none of the classes

const named = (name) => make("bdi", {}, name);

// A button; a mouse leaves it at once, so that Enter goes on saying that a label is right
function pressed(label, click, main) {
  const onclick = (event) => {
    if (event.detail) event.currentTarget.blur();
    click();
  };
  return make("button", { type: "button", class: main ? "main" : null, onclick }, ...label);
}

// A cell of a CSV file, which a spreadsheet shows and does not compute
function csvCell(text) {
  const guarded = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

function csvOf(data, answers) {
  const rows = data.photos
    .map((photo, i) => [photo, answers[i]])
    .filter(([, answer]) => answer !== null)
    .map(([photo, answer]) => [photo.image, answer === NONE ? "" : data.classes[answer], "yes"]);
  return [["image", "label", "checked"], ...rows]
    .map((row) => `${row.map(csvCell).join(",")}\r\n`)
    .join("");
}

// What was answered in this browser before; null where the browser keeps nothing
function keeper(name) {
  try {
    window.localStorage.getItem(name);
  } catch {
    return null;
  }
  return {
    read: () => JSON.parse(window.localStorage.getItem(name) ?? "null"),
    write: (answers) => window.localStorage.setItem(name, JSON.stringify(answers)),
  };
}

function mount(root, data) {
  const { classes, photos } = data;
  const kept = keeper(`pseudolab-review-${data.name}`);
  const before = kept?.read();
  const fits = Array.isArray(before) && before.length === photos.length;
  const answers = fits ? before : photos.map(() => null);
  let at = Math.max(0, answers.indexOf(null));
  let saved = JSON.stringify(answers);

  const counter = make("p", { class: "quiet", role: "status" });
  const bar = make("progress", { max: photos.length, "aria-label": "photos looked at" });
  const picture = make("img", { alt: "" });
  const why = make("p", { class: "quiet" });
  const file = make("p", { class: "quiet file" });
  const given = make("p", { class: "given" });
  const keys = make("div", { class: "keys", role: "group", "aria-label": "What does it show?" });
  const field = make("input", {
    type: "text",
    autocomplete: "off",
    "aria-label": "Another class: type a part of its name",
    placeholder: "another class: type",
    oninput: () => listFound(),
    onkeydown: onFieldKey,
  });
  const found = make("div", { class: "keys", role: "group", "aria-label": "Classes found" });
  const search = make("div", { class: "search" }, field, found);
  const none = pressed([key("0"), "none of the classes"], () => answer(NONE));
  const back = pressed([key("←"), "back"], () => go(at - 1));
  const skip = pressed([key("→"), "leave open"], () => go(at + 1));
  const save = pressed([key("Ctrl S"), "save the answers"], () => download(), true);
  const help = make(
    "p",
    { class: "quiet" },
    "Enter says that the label is right. A number says another class, 0 none of them. ",
    classes.length > FEW ? "Letters look for a class. " : "",
    "The arrow keys go back and forth, Ctrl S saves.",
  );

  function key(text) {
    return make("kbd", { "aria-hidden": "true" }, text);
  }

  const first = (i) => photos[i].top[0][0];
  const offered = (i) =>
    classes.length > FEW ? photos[i].top.map(([c]) => c) : range(classes.length);

  function say() {
    const looked = answers.filter((one) => one !== null).length;
    const other = answers.filter((one, i) => one !== null && one !== first(i)).length;
    bar.value = looked;
    const done = looked === photos.length ? " That was the last: save the answers." : "";
    const open = JSON.stringify(answers) !== saved ? done || " Not saved as a file yet." : "";
    const where = kept ? "" : " This browser keeps nothing: save before you close the page.";
    counter.replaceChildren(
      `Photo ${at + 1} of ${photos.length}. ${looked} looked at, ${other} of them corrected.`,
      open + where,
    );
  }

  function show() {
    const photo = photos[at];
    picture.src = photo.picture;
    picture.alt = `Photo ${at + 1}, ${photo.image}`;
    file.replaceChildren(named(photo.image));
    why.replaceChildren(named(photo.why));
    const now = answers[at];
    const sure = `${Math.round(100 * photo.top[0][1])} %`;
    given.replaceChildren(
      key("Enter"),
      named(classes[first(at)]),
      make("span", { class: "quiet" }, ` says the model, ${sure}`),
    );
    keys.replaceChildren(
      ...offered(at).map((c, n) => classButton(c, String(n + 1))),
      none,
    );
    none.setAttribute("aria-pressed", now === NONE);
    field.value = "";
    listFound();
    back.disabled = at === 0;
    skip.disabled = at === photos.length - 1;
    say();
  }

  function classButton(c, name) {
    const share = photos[at].top.find(([top]) => top === c)?.[1];
    const sure = known(share)
      ? make("span", { class: "quiet" }, ` ${Math.round(100 * share)} %`)
      : null;
    const button = pressed([name ? key(name) : "", named(classes[c]), sure ?? ""], () => answer(c));
    button.setAttribute("aria-pressed", answers[at] === c);
    return button;
  }

  function listFound() {
    const wanted = field.value.trim().toLowerCase();
    const hits = range(classes.length).filter((c) => classes[c].toLowerCase().includes(wanted));
    const starts = (c) => (classes[c].toLowerCase().startsWith(wanted) ? 0 : 1);
    hits.sort((a, b) => starts(a) - starts(b) || a - b);
    found.replaceChildren(
      ...(wanted ? hits.slice(0, 8).map((c, n) => classButton(c, n ? "" : "Enter")) : []),
    );
    if (wanted && !hits.length) found.replaceChildren("no class has this in its name");
    found.firstHit = wanted && hits.length ? hits[0] : null;
  }

  function onFieldKey(event) {
    if (event.key === "Enter" && known(found.firstHit)) answer(found.firstHit);
    else if (event.key === "Escape") {
      field.value = "";
      listFound();
      field.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function answer(c) {
    answers[at] = c;
    kept?.write(answers);
    const next = range(photos.length).find((i) => i > at && answers[i] === null);
    go(next ?? Math.min(at + 1, photos.length - 1));
  }

  function go(to) {
    at = Math.min(photos.length - 1, Math.max(0, to));
    field.blur();
    show();
  }

  function download() {
    const blob = new Blob([csvOf(data, answers)], { type: "text/csv;charset=utf-8" });
    const link = make("a", { href: URL.createObjectURL(blob), download: data.file });
    root.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    saved = JSON.stringify(answers);
    say();
  }

  function onKey(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      download();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === field) return;
    const onButton = event.target instanceof HTMLButtonElement;
    const number = /^[0-9]$/.test(event.key) ? Number(event.key) : null;
    if (event.key === "Enter" && !onButton) answer(first(at));
    else if (number === 0) answer(NONE);
    else if (number !== null && number <= offered(at).length) answer(offered(at)[number - 1]);
    else if (event.key === "ArrowLeft") go(at - 1);
    else if (event.key === "ArrowRight") go(at + 1);
    else if (/^\p{L}$/u.test(event.key) && classes.length > FEW) {
      field.focus();
      return; // the letter lands in the field
    } else return;
    event.preventDefault();
  }

  // in a page of its own the keys work at once; in a notebook others need them
  const alone = root.parentElement?.parentElement === document.body;
  const listener = alone && document.body.children.length === 1 ? document : root;
  listener.addEventListener("keydown", onKey);
  root.tabIndex = -1;
  window.addEventListener("beforeunload", (event) => {
    if (!kept && JSON.stringify(answers) !== saved) event.preventDefault();
  });
  search.hidden = classes.length <= FEW;
  root.classList.add("review");
  root.append(
    title(`${photos.length} photos to look at`),
    make("div", { class: "row" }, make("div", { class: "grow" }, counter, bar), save),
    make(
      "div",
      { class: "desk" },
      make("div", { class: "photo" }, picture, file),
      make(
        "div",
        { class: "answers" },
        given,
        keys,
        search,
        why,
        make("div", { class: "row" }, back, skip),
      ),
    ),
    help,
  );
  show();
}
