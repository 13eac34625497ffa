// The pocket CLIP in a worker: it answers messages {id, call, given} with {id, value} or
// {id, error}, and long work sends {id, progress} on its way. clip_page.js is the other end.

const FRAME = 16; // milliseconds of training between two looks at the mail

const open = { clip: null, task: null, base: 0, running: false, stopped: false };

// Features of a task: whole multiples of GRID, three bytes each, the lowest first
async function unpackFeatures(packed) {
  const bytes = await unpack(packed);
  const number = (at) => (bytes[at] << 8) | (bytes[at + 1] << 16) | (bytes[at + 2] << 24);
  return Float64Array.from({ length: bytes.length / 3 }, (_, i) => (number(3 * i) >> 8) * GRID);
}

async function unpackTask({ pool, test, ...about }) {
  const side = async ({ features, labels }) =>
    ({ features: await unpackFeatures(features), labels });
  return { ...about, pool: await side(pool), test: await side(test) };
}

function refuseInARun(what) {
  if (open.running) throw new Error(`a run is going on: stop it before ${what}`);
}

function pause() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((done) => {
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(null);
  });
}

function taskOf(given) {
  if (!open.task) throw new Error("no task is open: call openTask first");
  return { ...open.task, ...given };
}

const CALLS = {
  async start({ weights, useWasm = true }) {
    open.clip = new PocketClip(await unpackParts(weights), makeKernel(useWasm));
    open.base = open.clip.kernel.mark();
    return { kernel: open.clip.kernel.name };
  },

  // It lies below the features of the open task, which move up
  async readImageTower({ tower }) {
    const unpacked = await unpackParts(tower);
    refuseInARun("the image tower is read");
    const { clip, task } = open;
    const sides = task ? [task.pool, task.test] : [];
    const kept = sides.map(({ features }) => features.slice());
    clip.kernel.release(open.base);
    clip.readImageTower(unpacked);
    open.base = clip.kernel.mark();
    sides.forEach((side, i) => { side.features = clip.lent(kept[i]); });
  },

  async openTask(packed) {
    const task = await unpackTask(packed);
    refuseInARun("another task is opened");
    open.clip.kernel.release(open.base);
    open.task = task;
    for (const side of [open.task.pool, open.task.test])
      side.features = open.clip.lent(side.features);
    const { name, classNames, template, recipe, pool, test } = open.task;
    const counts = { nPool: pool.labels.length, nTest: test.labels.length };
    return { name, classNames, template, recipe, ...counts, testLabels: test.labels };
  },

  encodeTexts: ({ texts }) => open.clip.encodeTexts(texts),
  encodeImages: ({ rgba }) => open.clip.encodeImages(rgba),
  unseenWords: ({ texts }) => open.clip.unseenWords(texts),
  unseenPieces: ({ texts }) => open.clip.unseenPieces(texts),

  // Zero-shot CLIP with any sentences on the test images of the open task
  measure({ sentences }) {
    const { test } = taskOf();
    const logits = open.clip.logits(test.features, open.clip.encodeTexts(sentences));
    const predictions = likeliest(logits, sentences.length);
    return { predictions, ...accuracies(predictions, test.labels, sentences.length) };
  },

  // (N * C) probabilities of the sentences, for pictures
  classify({ rgba, sentences }) {
    const { clip } = open;
    const logits = clip.logits(clip.encodeImages(rgba), clip.encodeTexts(sentences));
    const allowed = sentences.map((_, c) => c);
    return logProbabilities(logits, sentences.length, allowed, clip.kernel).map(Math.exp);
  },

  // Loss and gradient of a context (nTokens * 128) on some images of the pool
  gradient({ context, index, labels, nTokens = 16 }) {
    const { classNames, pool } = taskOf();
    return open.clip.briefly(() => {
      const prompt = new TextPrompt(open.clip, classNames, nTokens);
      const images = Float64Array.from(index.flatMap((i) => [...rowOf(pool.features, i)]));
      const classes = prompt.classFeatures(context);
      const shares = labels.map(() => 1 / labels.length);
      const { loss, slope } = lossAndSlope(open.clip, images, labels, shares, classes);
      return { loss, classes: classes.slice(), gradient: prompt.backward(slope) };
    });
  },

  // All rounds of a run: each record, and on the way {round, step, steps, loss}. With `looks` some
  // have the poolPredictions of that step: true, each; a number, one in so many milliseconds. What
  // is not given is the task's own.
  async train({ rounds, schedule, seed, nTokens, looks = false, ...given }, tell) {
    if (open.running) throw new Error("a run is going on already: stop it first");
    const task = taskOf(given.task);
    const mark = open.clip.kernel.mark();
    const { clip } = open;
    const options = { clip, recipe: task.recipe, ...given, task, schedule, seed, nTokens };
    Object.assign(open, { running: true, stopped: false });
    try {
      const tuning = new PromptTuning(options);
      tell({ record: tuning.record });
      while (tuning.number < rounds && !open.stopped) {
        tuning.begin();
        await trainRound(tuning, looks, tell);
        if (!open.stopped) tell({ record: tuning.end(), context: tuning.training.context });
      }
      return { rounds: tuning.number, stopped: open.stopped };
    } finally {
      open.running = false;
      open.clip.kernel.release(mark);
    }
  },

  stop() {
    open.stopped = true;
  },

  // Bytes of the kernel's memory in use; plain JavaScript has none of its own
  memory: () => open.clip.kernel.mark(),
};

// The steps of a round, with a look at the mail after each frame
async function trainRound(tuning, looks, tell) {
  const { training, prompt, clip, task, nClasses, number: round } = tuning;
  let until = performance.now() + FRAME;
  let nextLook = looks === true ? 0 : performance.now() + looks;
  while (!training.done && !open.stopped) {
    const told = { round, ...training.step() };
    if (performance.now() < until) continue;
    if (looks && performance.now() >= nextLook) {
      if (looks !== true) nextLook = performance.now() + looks;
      const logits = clip.logits(task.pool.features, prompt.classFeatures(training.context));
      told.poolPredictions = likeliest(logits, nClasses);
    }
    tell(told);
    await pause();
    until = performance.now() + FRAME;
  }
}

self.onmessage = async ({ data: { id, call, given } }) => {
  try {
    const value = await CALLS[call](given, (progress) => self.postMessage({ id, progress }));
    self.postMessage({ id, value });
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};
