// The page's end of the pocket CLIP, which runs in a worker (clip_worker.js). It works from
// file://: weights and tasks are scripts beside the page's, read when they are first needed.
//
//     const clip = await plabClip.start({ folder: "assets" });
//     const task = await clip.openTask("satellite");
//     await clip.measure(["a photo of a forest", ...])    -> {predictions, score, perClass}
//     await clip.classify(rgba, ["a photo of a forest", ...])  -> probabilities
//     await clip.train({ rounds: 10, schedule: { kind: "growing", rounds: 10 } }, show)
//     await clip.stop(); clip.close();
//
// pseudolab.views.page_clip writes the scripts: clip.js (this file, clip_picture.js and the
// worker's), clip_weights.js, clip_image_tower.js, clip_task_NAME.js and clip_pictures_NAME.js.

const plabClip = {
  waiting: new Map(), // name -> what a script that is being read will give

  // What a data script calls
  deliver(name, data) {
    plabClip.waiting.get(name)?.resolve(data);
  },

  // The data of FOLDER/clip_NAME.js
  read(folder, name) {
    const known = plabClip.waiting.get(name);
    if (known) return known.data;
    const entry = {};
    entry.data = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const path = `${folder}/clip_${name}.js`;
      const fail = () => {
        plabClip.waiting.delete(name); // it may be asked for again
        reject(new Error(`${path} could not be read: does it lie beside this page?`));
      };
      entry.resolve = resolve;
      script.onerror = fail;
      script.src = path;
      document.head.append(script);
    });
    plabClip.waiting.set(name, entry);
    return entry.data;
  },

  // A CLIP of one's own, in a worker of its own; `weights` and `imageTower` for a page that has
  // them at hand
  async start(given = {}) {
    const { weights = null, imageTower = null, useWasm = true } = given;
    const { folder = weights ? null : "." } = given;
    const data = weights ?? (await plabClip.read(folder, "weights"));
    const clip = new PageClip(folder, imageTower);
    clip.kernel = (await clip.call("start", { weights: data, useWasm })).kernel;
    return clip;
  },
};

class PageClip {
  constructor(folder, imageTower) {
    const source = new Blob([CLIP_WORKER], { type: "text/javascript" });
    const address = URL.createObjectURL(source);
    this.folder = folder;
    this.tower = imageTower;
    this.ready = null; // once the image tower is asked for
    this.worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.calls = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = ({ message }) => {
      for (const { reject } of this.calls.values()) reject(new Error(message));
      this.calls.clear();
    };
  }

  receive({ id, value, error, progress }) {
    const { resolve, reject, show } = this.calls.get(id);
    if (progress !== undefined) return show?.(progress);
    this.calls.delete(id);
    return error === undefined ? resolve(value) : reject(new Error(error));
  }

  call(call, given, show = null) {
    this.count += 1;
    const id = this.count;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject, show });
      this.worker.postMessage({ id, call, given });
    });
  }

  // {name, classNames, template, recipe, nPool, nTest, testLabels}, of a name or of a task's data
  async openTask(task) {
    const named = typeof task === "string";
    return this.call("openTask", named ? await plabClip.read(this.folder, `task_${task}`) : task);
  }

  encodeTexts(texts) {
    return this.call("encodeTexts", { texts });
  }

  // Reads the image tower, once; before the first picture this happens by itself
  withImageTower() {
    this.ready ??= this.readImageTower().catch((error) => {
      this.ready = null; // it may be asked for again
      throw error;
    });
    return this.ready;
  }

  async readImageTower() {
    if (!this.tower && this.folder === null)
      throw new Error("this page has no image tower with its weights");
    const tower = this.tower ?? (await plabClip.read(this.folder, "image_tower"));
    await this.call("readImageTower", { tower });
  }

  async encodeImages(rgba) {
    await this.withImageTower();
    return this.call("encodeImages", { rgba });
  }

  unseenWords(texts) {
    return this.call("unseenWords", { texts });
  }

  unseenPieces(texts) {
    return this.call("unseenPieces", { texts });
  }

  measure(sentences) {
    return this.call("measure", { sentences });
  }

  async classify(rgba, sentences) {
    await this.withImageTower();
    return this.call("classify", { rgba, sentences });
  }

  gradient(given) {
    return this.call("gradient", given);
  }

  // `show` is called with each {round, step, steps, loss} and with each {record, context}
  train(given, show) {
    return this.call("train", given, show);
  }

  stop() {
    return this.call("stop");
  }

  memory() {
    return this.call("memory");
  }

  close() {
    this.worker.terminate();
  }
}

globalThis.plabClip = plabClip;
