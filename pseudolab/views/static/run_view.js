// One run, or two, on one page: the scene above, and below it the explorer class by class. They
// share the pictures, the slider and the chosen class.
// data: what pseudolab.views.run_page.run_page_data makes.

class RunView {
  // asks: does the reader guess before the rounds appear?
  // live: Python holds round and class too
  // selected: the class that is chosen first
  constructor(root, data, { asks = false, live = false, selected = data.scene.asked } = {}) {
    const sheet = new Sheet(data.pool.pictures);
    const onround = (...now) => this.follow(...now);
    root.classList.add("run-view");
    this.data = data;
    this.onchange = () => {};
    const plays = !asks && !live;
    this.scene = new Scene(root, sceneOf(data), { sheet, asks, plays, onround });
    this.run = this.scene.run;
    const below = make("div", { class: "below" });
    root.append(below);
    this.explorer = new Explorer(below, this.side(), { sheet, selected, below: this.scene });
    const { round, chosen } = this.scene;
    this.follow(round, this.run, chosen);
    this.explorer.onchange = (now) => this.lead(now);
    this.makeRoom();
  }

  // the file as it looks from the run that is shown
  side() {
    return this.run === 0 ? this.data : turned(this.data);
  }

  // the scene has moved
  follow(round, run, chosen) {
    if (!this.explorer) return;
    if (run !== this.run) {
      this.run = run;
      this.explorer.turn(this.side(), round);
    }
    this.selected = chosen ?? this.explorer.selected;
    this.explorer.set({ round, selected: this.selected });
    if (run === 0) this.onchange({ round, selected: this.selected });
  }

  // something was chosen below
  lead({ round, selected }) {
    const { scene } = this;
    const chosen = selected === this.selected ? scene.chosen : selected;
    this.selected = selected;
    if (round !== scene.round || chosen !== scene.chosen) scene.show({ round, chosen });
  }

  // what Python sets
  set({ round, selected }) {
    const { scene } = this;
    const chosen = selected === this.selected ? scene.chosen : selected;
    if (round !== scene.round || chosen !== scene.chosen) scene.show({ run: 0, round, chosen });
  }

  // can this be shown by `update`?
  holds({ scene, pool }) {
    const { scene: before, pool: pictures } = this.data;
    const isSame = pool?.pictures.src === pictures.pictures.src;
    return isSame && scene?.runs.length === before.runs.length;
  }

  update(data) {
    this.data = data;
    this.explorer.update(this.side());
    this.scene.grow(sceneOf(data));
  }

  // the slider stays in view, below what the page itself keeps there
  makeRoom() {
    const root = this.scene.root;
    let node = document.elementFromPoint(window.innerWidth / 2, 1);
    while (node && !isBar(node)) node = node.parentElement;
    const covered = node && !node.contains(root) ? node.getBoundingClientRect().bottom : 0;
    root.style.setProperty("--covered", `${Math.max(0, covered)}px`);
  }

  stop() {
    this.scene.halt();
  }
}

const isBar = (node) => ["fixed", "sticky"].includes(getComputedStyle(node).position);

// what the scene and the explorer both need stands in the file once
function sceneOf({ scene, classes, pool, rounds, other }) {
  const { names, truth, pictures, size, carried: shown } = pool;
  const runs = scene.runs.map((run, at) => {
    const own = at === 0 ? rounds : other.rounds;
    const whole = run.rounds.map((round, r) => {
      const { number, k, score, given } = own[r];
      return { number, k, score, given, ...round };
    });
    return { ...run, rounds: whole };
  });
  return { ...scene, classes, names, truth, pictures, size, shown, runs };
}

// the same two runs, the second first
function turned(data) {
  const { labels, ...other } = data.other;
  const { title, start, rounds, pool } = data;
  return { ...data, ...other, pool: { ...pool, labels }, other: { title, start, rounds } };
}

// shows what there is of a run: without its pictures, its numbers
function showRun(root, data, options = {}) {
  if (!data.scene) return new Explorer(root, data, options);
  return new RunView(root, data, { asks: data.asks, ...options });
}
