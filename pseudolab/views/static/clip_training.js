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

// The share that is right, of all and of each class, among the images whose label is known
function accuracies(predictions, labels, nClasses) {
  const known = new Array(nClasses).fill(0);
  const right = new Array(nClasses).fill(0);
  predictions.forEach((predicted, i) => {
    if (labels[i] < 0) return;
    known[labels[i]] += 1;
    right[labels[i]] += predicted === labels[i];
  });
  const total = (numbers) => numbers.reduce((all, number) => all + number, 0);
  return {
    score: total(known) ? total(right) / total(known) : null,
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

// The k surest images of each class: {index, label}, class by class, surest first; ties go to the
// lowest index
function selectTopK(logits, nClasses, k, maths, allowed = null) {
  const classes = allowed ?? Array.from({ length: nClasses }, (_, c) => c);
  const n = logits.length / nClasses;
  if (!(Number.isInteger(k) && k >= 1 && k <= n))
    throw new Error(`k is ${k}, but the pool has ${n} images: give a whole number from 1 to ${n}`);
  const width = classes.length;
  const sure = logProbabilities(logits, nClasses, classes, maths);
  const index = classes.flatMap((_, a) => {
    const order = Array.from({ length: n }, (_, i) => i);
    order.sort((i, j) => sure[j * width + a] - sure[i * width + a] || i - j);
    return order.slice(0, k);
  });
  return { index, label: classes.flatMap((c) => Array(k).fill(c)) };
}

// Images per class in round i (from 1), for a pool of n images and C classes that may be given
const SCHEDULES = {
  constant: ({ k = 16 }) => () => k,
  growing: ({ rounds }) => (i, n, C) => Math.max(1, Math.floor((i * n) / (rounds * C))),
};

function scheduled({ kind, ...rest }) {
  if (!SCHEDULES[kind])
    throw new Error(`no schedule is called ${kind}; choose one of ${Object.keys(SCHEDULES)}`);
  return SCHEDULES[kind](rest);
}

// ---- batches and rates

// Which images an epoch meets, and when: `pseudolab.method.training.batch_order`
function batchOrder(sizes, sampler, random) {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (sampler === "shuffled" || sizes.length === 1) return random.permutation(total);
  const length = Math.ceil(total / sizes.length);
  let start = 0;
  const turns = sizes.map((size) => {
    const passes = Array.from({ length: Math.ceil(length / size) }, () => random.permutation(size));
    const turn = passes.flat().slice(0, length).map((i) => i + start);
    start += size;
    return turn;
  });
  return Array.from({ length }, (_, i) => turns.map((turn) => turn[i])).flat().slice(0, total);
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

// GRIP and its relatives on a task whose pool has no labels (paradigm UL), or beside `labelled`
// images {features, labels}. task: {classNames, template, pool: {features}, test: {features,
// labels}}; gamma and lam: numbers, or null for those of the paradigm.
class PromptTuning {
  constructor({
    clip, task, recipe, schedule, seed = 0, nTokens = 16,
    labelled = null, gamma = 1, lam = 1, allowed = null,
  }) {
    Object.assign(this, { clip, task, recipe, seed, labelled, gamma, lam });
    checkRecipe(recipe);
    this.nClasses = task.classNames.length;
    this.allowed = allowed ?? task.classNames.map((_, c) => c);
    this.schedule = scheduled(schedule);
    this.prompt = new TextPrompt(clip, task.classNames, nTokens);
    this.number = 0;
    const sentences = task.classNames.map((name) => task.template.replace("{}", () => name));
    this.record = this.measured(clip.encodeTexts(sentences), null, 0); // of round 0: zero-shot CLIP
  }

  // Labels the pool by what the last round learned, and makes the training of the next
  begin() {
    const { clip, task, recipe, nClasses, allowed, prompt } = this;
    const { kernel } = clip;
    this.number += 1;
    const nPool = task.pool.features.length / WIDTH;
    const k = this.schedule(this.number, nPool, allowed.length);
    const chosen = selectTopK(this.record.poolLogits, nClasses, k, kernel, allowed);
    const drawn = randomFor(this.seed, this.number, START);
    const features = new Float64Array(chosen.index.length * WIDTH);
    chosen.index.forEach((image, i) => features.set(rowOf(task.pool.features, image), i * WIDTH));
    this.k = k;
    this.chosen = chosen;
    this.training = new TextPromptTraining({
      prompt,
      recipe,
      start: drawn.normal(prompt.nTokens * WIDTH, 0.02, kernel).map(Math.fround),
      random: randomFor(this.seed, this.number, ORDER),
      labelled: this.labelled,
      pseudolabelled: { features, labels: chosen.label },
      gamma: this.gamma,
      lam: this.lam,
    });
    return this.training;
  }

  // Measures what the round learned; the record is that of `measured`
  end() {
    const classes = this.prompt.classFeatures(this.training.context);
    this.record = this.measured(classes, this.chosen, this.k);
    return this.record;
  }

  // Everything known after a round; predictions are of the test images
  measured(classes, chosen, k) {
    const { clip, task, nClasses } = this;
    const predictions = likeliest(clip.logits(task.test.features, classes), nClasses);
    const poolLogits = clip.logits(task.pool.features, classes);
    return {
      round: this.number,
      k,
      chosen,
      predictions,
      poolLogits,
      poolPredictions: likeliest(poolLogits, nClasses),
      ...accuracies(predictions, task.test.labels, nClasses),
    };
  }
}
