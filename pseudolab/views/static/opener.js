// needs sheet
// needs scene_layout
// needs scene_canvas
// needs scene
// needs explorer
// needs run_view
// needs run_file
// A place to drop the file of a run. Nothing leaves the page.
// data: {rules: what pseudolab.views.run_file.page_rules makes, example: the text of such a file}

class Opener {
  constructor(root, { rules, example }) {
    this.rules = rules;
    this.turn = 0; // files that were dropped
    this.shown = null;
    this.below = make("div");
    this.says = make("p", { role: "status", style: "margin-top:8px" });
    const input = make("input", {
      type: "file",
      accept: ".json,application/json",
      "aria-label": "The file of an exported run",
      onchange: () => this.read(input.files[0]),
    });
    const drop = make(
      "div",
      {
        class: "drop",
        ondragover: (event) => {
          event.preventDefault();
          drop.classList.add("over");
        },
        ondragleave: () => drop.classList.remove("over"),
        ondrop: (event) => {
          event.preventDefault();
          drop.classList.remove("over");
          this.read(event.dataTransfer.files[0]);
        },
      },
      make("p", { style: "font-weight:650" }, "Drop the file of a run here, or choose it"),
      make(
        "div",
        { class: "row", style: "justify-content:center" },
        input,
        make(
          "button",
          { type: "button", onclick: () => this.read(new File([example], "The example")) },
          "Open an example",
        ),
      ),
      make("p", { class: "quiet" }, "It is read by this page alone and is sent nowhere."),
      this.says,
    );
    root.append(drop, this.below);
  }

  async read(file) {
    if (!file) return;
    const turn = ++this.turn;
    this.close();
    this.says.textContent = `Reading ${file.name} \u2026`;
    const { data, fault } = await readRunFile(file, this.rules);
    if (turn !== this.turn) return; // another file was dropped meanwhile
    this.says.textContent = fault ?? this.open(file.name, data);
  }

  // what there is to say of it
  open(name, data) {
    const inside = make("div", { class: "plab", style: "border:0;padding:0;margin:14px 0 0" });
    this.below.append(inside);
    followTheme(inside);
    try {
      this.shown = showRun(inside, data);
    } catch (error) {
      this.close();
      return `${name} cannot be drawn: this page has a fault of its own (${error.message}).`;
    }
    return `${name} is open.`;
  }

  close() {
    this.shown?.stop();
    this.shown = null;
    this.below.replaceChildren();
  }
}

function mount(root, data) {
  return new Opener(root, data);
}
