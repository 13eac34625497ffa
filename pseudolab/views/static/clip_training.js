// Textual prompt tuning on pseudolabels (Menghini et al., 2023), as pseudolab.method has it: the
// same starts, batches, steps and selections, so that a page gives the scores of a notebook.
//
//     const round = new TextPromptTraining({prompt, recipe, pseudolabelled, start, random});
//     round.step()          -> one step of gradient descent: {epoch, step, steps, loss}
//     const tuning = new PromptTuning({clip, task, recipe, schedule, seed});
//     tuning.begin(); tuning.training.step() ...; tuning.end()   -> a record of the round
//
// recipe: the switches of pseudolab's Recipe, by their Python names.

// ---- what is known of images

// (N, C) logits -> the likeliest class of each
function likeliest(logits, nClasses) {
  return Array.from({ length: logits.length / nClasses }, (_, i) => {
    const row = logits.subarray(i * nClasses, (i + 1) * nClasses);
    return row.indexOf(row.reduce((top, logit) => Math.max(top, logit)));
  });
}

const total = (numbers) => numbers.reduce((all, number) => all + number, 0);

// The share that is right, of all and of each class, among the images whose label is known. With
// `seen` classes the score is the harmonic mean of the shares on seen and on unseen classes.
function accuracies(predictions, labels, nClasses, seen = null) {
  const known = new Array(nClasses).fill(0);
  const right = new Array(nClasses).fill(0);
  predictions.forEach((predicted, i) => {
    if (labels[i] < 0) return;
    known[labels[i]] += 1;
    right[labels[i]] += predicted === labels[i];
  });
  const share = (holds) => {
    const n = total(known.filter((_, c) => holds(c)));
    return n ? total(right.filter((_, c) => holds(c))) / n : null;
  };
  const harmonic = (a, b) => {
    if (a === null || b === null) return null;
    return a === 0 || b === 0 ? 0 : 2 / (1 / a + 1 / b);
  };
  return {
    score: seen
      ? harmonic(share((c) => seen.includes(c)), share((c) => !seen.includes(c)))
      : share(() => true),
    perClass: known.map((n, c) => (n ? right[c] / n : null)),
  };
}

// (N, C) logits -> log-probabilities over the allowed classes, (N, A)
function logProbabilities(logits, nClasses, allowed, { exp, log }) {
  const out = new Float64Array((logits.length / nClasses) * allowed.length);
  for (let row = 0, at = 0; at < out.length; row += nClasses, at += allowed.length) {
    const some = allowed.map((c) => logits[row + c]);
    const top = Math.max(...some);
    const norm = top + log(some.reduce((sum, logit) => sum + exp(logit - top), 0));
    some.forEach((logit, a) => { out[at + a] = logit - norm; });
  }
  return out;
}

// Which images get which label: {index, label}, class by class, surest first; of equals the first.
// logits (N, C); classes: those that may be given
const SELECTORS = {
  // the k surest images of each class: an image may be taken by several
  top_k(logits, nClasses, classes, maths, { k }) {
    const { sure, n, width } = confidences(logits, nClasses, classes, maths);
    checkK(k, n);
    const every = Array.from({ length: n }, (_, i) => i);
    return chosenBy(classes, (a) => surest(every, (i) => sure[i * width + a]).slice(0, k));
  },

  // the same, but each image under its likeliest class alone
  argmax_top_k(logits, nClasses, classes, maths, { k }) {
    const { sure, n, width, first } = confidences(logits, nClasses, classes, maths);
    checkK(k, n);
    const own = (a) => surest(first[a], (i) => sure[i * width + a]);
    return chosenBy(classes, (a) => own(a).slice(0, k));
  },

  // each image under its likeliest class, if its probability is high enough
  threshold(logits, nClasses, classes, maths, { threshold = 0.95 }) {
    const { sure, width, first } = confidences(logits, nClasses, classes, maths);
    const bar = maths.log(threshold);
    return chosenBy(classes, (a) =>
      surest(first[a], (i) => sure[i * width + a]).filter((i) => sure[i * width + a] >= bar),
    );
  },

  // each image under its likeliest class, or, if that has no place for it, under all that have one
  leaderboard(logits, nClasses, classes, maths, { k }) {
    const { sure, n, width } = confidences(logits, nClasses, classes, maths);
    checkK(k, n);
    const columns = classes.map((_, a) => a);
    const score = (i, a) => sure[i * width + a];
    const order = (i) => surest(columns, (a) => score(i, a));
    const { index, label } = leaderboard({ n, classes: columns, score, order }, k);
    return { index, label: label.map((a) => classes[a]) };
  },

  // k images of each class, none taken twice: balanced assignment
  balanced(logits, nClasses, classes, maths, { k }) {
    const { sure, n, width } = confidences(logits, nClasses, classes, maths);
    checkK(k, Math.floor(n / width));
    const plan = evenPlan(sure, width, maths);
    const held = matched(plan, width, k);
    return chosenBy(classes, (a) => surest(held[a], (i) => plan[i * width + a]));
  },
};

// (N, A) log-probabilities -> those of the nearest plan in which each class has the same number of
// images, to a tenth of an image: `pseudolab.method.selectors.sinkhorn`
function evenPlan(sure, width, maths) {
  const every = Array.from({ length: width }, (_, a) => a);
  const even = sure.length / width ** 2;
  const bias = new Float64Array(width);
  for (let pass = 0; pass < 20000; pass++) {
    const plan = logProbabilities(sure.map((s, at) => s + bias[at % width]), width, every, maths);
    const sums = new Float64Array(width);
    plan.forEach((p, at) => { sums[at % width] += maths.exp(p); });
    if (sums.every((sum) => Math.abs(sum - even) <= 0.1)) return plan;
    sums.forEach((sum, a) => { bias[a] += maths.log(even) - maths.log(sum); });
  }
  throw new Error("the classes cannot be balanced: the logits are very hard");
}

// Stable matching of the images with k places of each class, where both sides rank by the plan
// (Gale and Shapley, 1962) -> the images of each class
function matched(plan, width, k) {
  const every = Array.from({ length: width }, (_, a) => a);
  const n = plan.length / width;
  const wishes = Array.from({ length: n }, (_, i) => surest(every, (a) => plan[i * width + a]));
  const held = every.map(() => []);
  let asking = wishes.map((_, i) => i);
  while (asking.length) {
    const asked = new Set();
    for (const i of asking) {
      const a = wishes[i].shift();
      if (a === undefined) continue; // no class is left
      held[a].push(i);
      asked.add(a);
    }
    asking = [];
    for (const a of asked) {
      const ranked = surest(held[a], (i) => plan[i * width + a]);
      held[a] = ranked.slice(0, k);
      asking.push(...ranked.slice(k));
    }
  }
  return held;
}

function confidences(logits, nClasses, classes, maths) {
  const width = classes.length;
  const sure = logProbabilities(logits, nClasses, classes, maths);
  const first = classes.map(() => []); // the images whose likeliest class it is
  likeliest(sure, width).forEach((a, i) => first[a].push(i));
  return { sure, width, first, n: sure.length / width };
}

function checkK(k, most) {
  if (!(Number.isInteger(k) && k >= 1 && k <= most))
    throw new Error(`k is ${k}, but must be a whole number from 1 to ${most} in this pool`);
}

const surest = (images, value) =>
  [...images].sort((i, j) => value(j) - value(i) || i - j);

function chosenBy(classes, imagesOf) {
  const taken = classes.map((_, a) => imagesOf(a));
  return { index: taken.flat(), label: taken.flatMap((some, a) => some.map(() => classes[a])) };
}

// Images per class in round i (from 1), for a pool of n images and C classes that may be given
const SCHEDULES = {
  constant: ({ k = 16 }) => () => k,
  growing: ({ rounds }) => (i, n, C) => Math.max(1, Math.floor((i * n) / (rounds * C))),
};

const scheduled = ({ kind, ...rest }) => named(SCHEDULES, kind, "schedule")(rest);

// gamma and lambda for what a round trains on: L labelled and P pseudolabelled images
const WEIGHTS = {
  ssl: (L, P) => [P / L, 1],
  trzsl: (L, P) => [1, L / P],
  ul: () => [0, 1],
};

function termWeights(paradigm, L, P) {
  if (P === 0) return [1, 0];
  return L === 0 ? [0, 1] : named(WEIGHTS, paradigm, "paradigm")(L, P);
}

function named(table, name, what) {
  if (!Object.hasOwn(table, name))
    throw new Error(`no ${what} is called ${name}; choose one of ${Object.keys(table)}`);
  return table[name];
}

// ---- batches and rates

// Which images an epoch meets, and when: `pseudolab.method.training.batch_order`
function batchOrder(sizes, sampler, random) {
  const count = total(sizes);
  if (sampler === "shuffled" || sizes.length === 1) return random.permutation(count);
  const length = Math.ceil(count / sizes.length);
  let start = 0;
  const turns = sizes.map((size) => {
    const passes = Array.from({ length: Math.ceil(length / size) }, () => random.permutation(size));
    const turn = passes.flat().slice(0, length).map((i) => i + start);
    start += size;
    return turn;
  });
  return Array.from({ length }, (_, i) => turns.map((turn) => turn[i])).flat().slice(0, count);
}

function epochsOf(nImages, recipe) {
  const steps = Math.ceil(nImages / recipe.batch_size);
  return Math.max(recipe.epochs, Math.ceil(recipe.min_steps / steps));
}

// Linear warm-up, then cosine to zero
function learningRate(epoch, epochs, recipe, cos) {
  const { learning_rate: peak, warmup_epochs: warm } = recipe;
  if (epoch < warm) return (peak * (epoch + 1)) / warm;
  return peak * 0.5 * (1 + cos((Math.PI * (epoch - warm)) / Math.max(1, epochs - warm)));
}

// Switches that a page does not have, with the value that they must have
const FIXED = {
  accumulate: 1,
  micro_batch_means: false,
  first_epoch_zero: false,
  malformed_template: false,
  warm_start: false,
  inverted_weights: false,
  leaderboard: false,
  hold_out: 0,
  released_shots: false,
  floored_twice: false,
  confidence_over_all: false,
};

function checkRecipe(recipe) {
  for (const [name, value] of Object.entries(FIXED))
    if ((recipe[name] ?? value) !== value)
      throw new Error(`a page trains with ${name} = ${value} only, not ${recipe[name]}`);
  if (!["shuffled", "balanced"].includes(recipe.sampler))
    throw new Error(`sampler is ${recipe.sampler}; choose shuffled or balanced`);
}

// ---- the loss

// gamma * CE(labelled) + lambda * CE(pseudolabelled) over a batch, and its gradient of the class
// features. images (B, 128); shares (B,): what each image's loss is multiplied by
function lossAndSlope(clip, images, labels, shares, classes) {
  const { exp, log } = clip.kernel;
  const nClasses = classes.length / WIDTH;
  const logits = clip.logits(images, classes);
  const slope = new Float64Array(classes.length);
  let loss = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * nClasses, (i + 1) * nClasses);
    const top = row.reduce((most, logit) => Math.max(most, logit));
    const odds = row.map((logit) => exp(logit - top));
    const sum = odds.reduce((total, odd) => total + odd);
    loss += shares[i] * (top + log(sum) - row[labels[i]]);
    for (let c = 0; c < nClasses; c++) {
      const d = shares[i] * (odds[c] / sum - (c === labels[i]));
      addTimes(slope, c * WIDTH, d * clip.scale, images, i * WIDTH, WIDTH);
    }
  }
  return { loss, slope };
}

// ---- one round

// Trains a prompt from `start` (nTokens * 128). A term is {features (n * 128), labels}; `random` is
// of the order of the images. Throws an Error if there is no image, or if training diverges.
class TextPromptTraining {
  constructor({ prompt, recipe, start, random, labelled, pseudolabelled, gamma = 1, lam = 1 }) {
    checkRecipe(recipe);
    const terms = [
      { term: labelled, weight: gamma },
      { term: pseudolabelled, weight: lam },
    ].filter(({ term, weight }) => term && term.labels.length && weight > 0);
    if (!terms.length) throw new Error("there is no image to train on: every term is empty");
    this.prompt = prompt;
    this.recipe = recipe;
    this.random = random;
    this.sizes = terms.map(({ term }) => term.labels.length);
    this.rows = terms.flatMap(({ term, weight }, kind) =>
      Array.from(term.labels, (label, i) => {
        return { label, weight, kind, row: rowOf(term.features, i) };
      }),
    );
    this.epochs = epochsOf(this.rows.length, recipe);
    this.stepsPerEpoch = Math.ceil(this.rows.length / recipe.batch_size);
    this.steps = this.epochs * this.stepsPerEpoch;
    this.taken = 0;
    this.context = Float64Array.from(start);
    this.velocity = null;
  }

  get done() {
    return this.taken === this.steps;
  }

  step() {
    const { recipe, prompt } = this;
    const epoch = Math.floor(this.taken / this.stepsPerEpoch);
    const place = this.taken % this.stepsPerEpoch;
    if (place === 0) this.order = batchOrder(this.sizes, recipe.sampler, this.random);
    const from = place * recipe.batch_size;
    const batch = this.order.slice(from, from + recipe.batch_size).map((i) => this.rows[i]);
    const { loss, gradient } = this.gradient(batch);
    if (!Number.isFinite(loss)) throw new Error(`the loss became ${loss}: lower the learning_rate`);
    this.descend(gradient, learningRate(epoch, this.epochs, recipe, prompt.clip.kernel.cos));
    this.taken += 1;
    return { epoch, step: this.taken, steps: this.steps, loss };
  }

  gradient(batch) {
    const { prompt, context } = this;
    const images = new Float64Array(batch.length * WIDTH);
    batch.forEach(({ row }, i) => images.set(row, i * WIDTH));
    const held = [0, 0]; // images of each kind in the batch
    batch.forEach(({ kind }) => { held[kind] += 1; });
    const shares = batch.map(({ kind, weight }) => weight / held[kind]);
    const labels = batch.map(({ label }) => label);
    const classes = prompt.classFeatures(context);
    const { loss, slope } = lossAndSlope(prompt.clip, images, labels, shares, classes);
    return { loss, gradient: prompt.backward(slope) };
  }

  // SGD with momentum and weight decay; the gradient's norm is at most `max_grad_norm`
  descend(gradient, rate) {
    const { momentum, weight_decay: decay, max_grad_norm: most } = this.recipe;
    const { context } = this;
    const norm = Math.sqrt(dot(gradient, 0, gradient, 0, gradient.length));
    const shorter = most === null ? 1 : Math.min(1, most / (norm + 1e-6));
    const pulled = gradient.map((d, i) => d * shorter + decay * context[i]);
    this.velocity = this.velocity
      ? this.velocity.map((v, i) => momentum * v + pulled[i])
      : pulled;
    this.velocity.forEach((v, i) => { context[i] -= rate * v; });
  }
}

// ---- rounds

// GRIP and its relatives. task: {classNames, template, pool: {features, labels}, test: {features,
// labels}, splits}. A split says, by their positions in `pool`, which images are `labelled` and
// which are the `pool` that gets pseudolabels; which classes are `allowed` in those; and in trzsl
// which are `seen`. gamma and lam: numbers, or null for those of the paradigm.
class PromptTuning {
  constructor({
    clip, task, recipe, schedule, seed = 0, nTokens = 16, paradigm = "ul", split = null,
    selector = "top_k", threshold = 0.95, gamma = null, lam = null,
  }) {
    Object.assign(this, { clip, task, recipe, seed, paradigm, selector, threshold, gamma, lam });
    checkRecipe(recipe);
    named(SELECTORS, selector, "selector");
    this.nClasses = task.classNames.length;
    this.split = split ?? splitOf(task, paradigm);
    this.schedule = scheduled(schedule);
    this.prompt = new TextPrompt(clip, task.classNames, nTokens);
    this.number = 0;
    const sentences = task.classNames.map((name) => task.template.replace("{}", () => name));
    this.record = this.measured(clip.encodeTexts(sentences), null, 0); // of round 0: zero-shot CLIP
  }

  // Labels the pool by what the last round learned, and makes the training of the next
  begin() {
    const { clip, task, recipe, prompt, split } = this;
    this.number += 1;
    this.k = this.schedule(this.number, split.pool.length, split.allowed.length);
    this.chosen = this.select();
    const labels = split.labelled.map((image) => task.pool.labels[image]);
    const [gamma, lam] = this.weights(labels.length, this.chosen.index.length);
    const drawn = randomFor(this.seed, this.number, START);
    this.training = new TextPromptTraining({
      prompt,
      recipe,
      start: drawn.normal(prompt.nTokens * WIDTH, 0.02, clip.kernel).map(Math.fround),
      random: randomFor(this.seed, this.number, ORDER),
      labelled: { features: this.featuresOf(split.labelled), labels },
      pseudolabelled: {
        features: this.featuresOf(this.chosen.index),
        labels: this.chosen.label,
      },
      gamma,
      lam,
    });
    return this.training;
  }

  // gamma and lambda; where one kind is missing, own weights have nothing to balance
  weights(L, P) {
    const [gamma, lam] = termWeights(this.paradigm, L, P);
    return L === 0 || P === 0 ? [gamma, lam] : [this.gamma ?? gamma, this.lam ?? lam];
  }

  // The pseudolabels of a round: positions in the task's pool, and classes
  select() {
    const { clip, nClasses, split, k, threshold } = this;
    const { poolLogits } = this.record;
    const logits = new Float64Array(split.pool.length * nClasses);
    split.pool.forEach((image, i) => {
      logits.set(poolLogits.subarray(image * nClasses, (image + 1) * nClasses), i * nClasses);
    });
    const choose = SELECTORS[this.selector];
    const { index, label } = choose(logits, nClasses, split.allowed, clip.kernel, { k, threshold });
    return { index: index.map((i) => split.pool[i]), label };
  }

  featuresOf(images) {
    const rows = new Float64Array(images.length * WIDTH);
    images.forEach((image, i) => rows.set(rowOf(this.task.pool.features, image), i * WIDTH));
    return rows;
  }

  // Measures what the round learned; the record is that of `measured`
  end() {
    const classes = this.prompt.classFeatures(this.training.context);
    this.record = this.measured(classes, this.chosen, this.k);
    return this.record;
  }

  // Everything known after a round; predictions are of the test images
  measured(classes, chosen, k) {
    const { clip, task, nClasses, split } = this;
    const predictions = likeliest(clip.logits(task.test.features, classes), nClasses);
    const poolLogits = clip.logits(task.pool.features, classes);
    return {
      round: this.number,
      k,
      chosen,
      predictions,
      poolLogits,
      poolPredictions: likeliest(poolLogits, nClasses),
      ...accuracies(predictions, task.test.labels, nClasses, split.seen),
    };
  }
}

// Of a paradigm: the task's own, and in ul every image is in the pool
function splitOf(task, paradigm) {
  named(WEIGHTS, paradigm, "paradigm");
  if (paradigm !== "ul") return named(task.splits ?? {}, paradigm, "split of this task");
  const pool = Array.from(task.pool.labels, (_, i) => i);
  return { labelled: [], pool, allowed: task.classNames.map((_, c) => c), seen: null };
}
