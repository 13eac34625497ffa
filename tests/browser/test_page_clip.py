"""The pocket CLIP in a page: what it computes is what Python computes, to the last selection.

Pages are opened from the disk, with the network cut off.
"""

import json
import shutil
import subprocess
from dataclasses import asdict

import numpy as np
import pytest
import torch

from pseudolab.data.tasks import load_task
from pseudolab.method.loss import term_weights, unified_loss
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.selectors import (
    log_probabilities,
    select_argmax_top_k,
    select_balanced,
    select_leaderboard,
    select_threshold,
    select_top_k,
)
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import (
    Term,
    batch_order,
    epochs_of,
    fit_prompt,
    learning_rate,
    rng_for,
)
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.zero_shot import fill_template
from pseudolab.views.page_clip import engine as engine_script
from pseudolab.views.page_clip import pack_planes, weights_data, write_page_clip
from support.pages import watched

pytestmark = pytest.mark.slow

TASK = "satellite"
KERNELS = ("WebAssembly", "JavaScript")
by_kernel = pytest.mark.parametrize("kernel", KERNELS)
NEAR = 1e-12
TEXTS = [
    "a photo of a forest.",
    "  A satellite PHOTO   of\ta river, isn't it? ",
    "river &amp; lake: 42 highways!",
    "naïve café, 北京, 🙂 don’t",
    "antidisestablishmentarianism catfish houseboats",
    "x",
    "",
]


@pytest.fixture(scope="module")
def task():
    return load_task(TASK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "The scripts that a page needs, and a page that includes the first of them"
    out = tmp_path_factory.mktemp("page")
    write_page_clip(out, [TASK])
    (out / "page.html").write_text('<!doctype html><title>.</title><script src="clip.js"></script>')
    return out


@pytest.fixture(scope="module")
def on_page(browser, folder):
    "Run JavaScript on the page; `clip` is a started one with the task open, `given` what it gets"
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_default_timeout(120_000)
    complaints = watched(page, folder.as_uri())
    page.goto((folder / "page.html").as_uri())
    page.evaluate("window.clips = {}")

    def run(code, given=None, kernel="WebAssembly"):
        opened = f"""
          const open = async (kernel) => {{
            const clip = await plabClip.start({{ useWasm: kernel === "WebAssembly" }});
            await clip.openTask("{TASK}");
            return clip;
          }};
          const clip = await (clips["{kernel}"] ??= open("{kernel}"));
          if (clip.kernel !== "{kernel}") throw new Error(clip.kernel);"""
        return page.evaluate(f"async (given) => {{ {opened}\n{code} }}", given)

    yield run
    context.close()
    assert not complaints, complaints


@pytest.fixture(scope="module")
def engine(browser):
    "Run JavaScript that sees every function of the engine"
    page = browser.new_page()

    def run(code, given=None):
        return page.evaluate(f"async (given) => {{\n{engine_script()}\n{code}\n}}", given)

    yield run
    page.close()


@pytest.fixture(scope="module")
def gradient_case(clip, task):
    "A context, a batch of the pool with labels, and what Python makes of them"
    prompt = TextPrompt(clip, task.class_names, generator=rng_for(3, 2, 0))
    with torch.no_grad():
        prompt.context.mul_(10)
    features = clip.image_features(task.train.images)
    index = torch.randperm(len(features), generator=rng_for(3, 2, 1))[:64]
    labels = torch.arange(64) % len(task.class_names)
    every = torch.ones(64, dtype=torch.bool)
    loss = unified_loss(prompt(features[index]), labels, every, 0.0, 1.0)
    loss.backward()
    return {
        "given": {
            "context": prompt.context.detach().flatten().tolist(),
            "index": index.tolist(),
            "labels": labels.tolist(),
        },
        "loss": loss.item(),
        "gradient": prompt.context.grad.flatten().tolist(),
        "classes": prompt.class_features().detach().flatten().tolist(),
    }


def sentences(task):
    return [
        sentence
        for template in ("a photo of a {}", task.template, "{}", "the {}, seen from a plane")
        for sentence in fill_template(template, task.class_names)
    ]


def pictures(task):
    "Eleven of the test pictures, and their bytes as a canvas gives them"
    images = [task.test.images[at] for at in range(0, len(task.test), len(task.test) // 11)][:11]
    return images, np.stack([np.asarray(image.convert("RGBA")) for image in images])


def assert_near(got, expected):
    assert np.abs(np.subtract(got, expected)).max() <= NEAR


# ---- features and gradients


@by_kernel
def test_texts_have_pythons_features(on_page, clip, task, kernel):
    texts = sentences(task)
    got = on_page("return Array.from(await clip.encodeTexts(given))", texts, kernel)
    assert got == clip.encode_texts(texts).flatten().tolist()


@by_kernel
def test_pictures_have_pythons_features(on_page, clip, task, kernel):
    images, rgba = pictures(task)
    code = "return Array.from(await clip.encodeImages(Uint8ClampedArray.from(given)))"
    got = on_page(code, rgba.flatten().tolist(), kernel)
    assert got == clip.encode_images(images).flatten().tolist()


GRADIENT = """
  const got = await clip.gradient(given);
  return { loss: got.loss, classes: [...got.classes], gradient: [...got.gradient] };"""


@by_kernel
def test_gradients_are_pythons(on_page, gradient_case, kernel):
    got = on_page(GRADIENT, gradient_case["given"], kernel)
    for part in ("loss", "classes", "gradient"):
        assert_near(got[part], gradient_case[part])
    assert np.abs(got["gradient"]).max() > 1e-3, "it says nothing if all is near 0"


@by_kernel
def test_a_template_has_pythons_accuracy(on_page, clip, task, kernel):
    texts = fill_template("a {} from above", task.class_names)
    logits = clip.image_features(task.test.images) @ clip.encode_texts(texts).T
    expected = logits.argmax(1).numpy()
    got = on_page("return clip.measure(given)", texts, kernel)
    assert got["predictions"] == expected.tolist()
    assert got["score"] == (expected == task.test.labels).mean()
    of_river = task.test.labels == 2
    assert got["perClass"][2] == (expected == 2)[of_river].mean()


def test_a_picture_is_taken_for_what_python_takes_it(on_page, clip, task):
    images, rgba = pictures(task)
    texts = fill_template(task.template, task.class_names)
    code = """
      const rgba = Uint8ClampedArray.from(given.rgba);
      return Array.from(await clip.classify(rgba, given.texts));"""
    got = on_page(code, {"rgba": rgba.flatten().tolist(), "texts": texts})
    logits = clip.logit_scale.exp() * clip.encode_images(images) @ clip.encode_texts(texts).T
    assert_near(got, np.exp(log_probabilities(logits)).flatten())


# ---- learning


TRAIN = """
  const records = [];
  const frames = [];
  const ended = await clip.train(given, (told) => (told.record ? records : frames).push(told));
  return {
    ended,
    scores: records.map(({ record }) => record.score),
    chosen: records.slice(1).map(({ record: { chosen } }) => [chosen.index, chosen.label]),
    context: [...records.at(-1).context],
    frames,
  };"""


@pytest.fixture(scope="module")
def grip(clip, task):
    "Python's own run"
    tuner = PromptTuner(
        clip, prompt="text", paradigm="ul", strategy="grip", recipe=Recipe.pocket(), seed=0
    )
    return tuner.fit(task, progress=False), tuner.prompt_.context.detach()


@pytest.mark.parametrize(("kernel", "rounds"), [("WebAssembly", 10), ("JavaScript", 2)])
def test_grip_is_pythons(on_page, grip, kernel, rounds):
    run, context = grip
    schedule = {"kind": "growing", "rounds": Strategy.named("grip").rounds}
    given = {"rounds": rounds, "schedule": schedule, "seed": 0, "looks": True}
    got = on_page(TRAIN, given, kernel)
    assert got["ended"] == {"rounds": rounds, "stopped": False}
    assert got["scores"] == [round.score for round in run.rounds[: rounds + 1]]
    chosen = [round.pseudolabels for round in run.rounds[1 : rounds + 1]]
    assert got["chosen"] == [[one.index.tolist(), one.label.tolist()] for one in chosen]
    assert {frame["round"] for frame in got["frames"]} == set(range(1, rounds + 1))
    assert all(len(frame["poolPredictions"]) == 600 for frame in got["frames"])
    if rounds == 10:
        assert len(got["scores"]) == 11
        assert np.abs(np.array(got["context"]) - context.flatten().numpy()).max() < 1e-9


@pytest.mark.parametrize("paradigm", ["ssl", "trzsl"])
def test_other_paradigms_are_pythons(on_page, clip, task, paradigm):
    recipe = Recipe.pocket().replace(epochs=1, min_steps=6)
    strategy = Strategy.named("ifpl", k=5, rounds=2)
    options = {"paradigm": paradigm, "seed": 4, "selector": "argmax_top_k"}
    tuner = PromptTuner(clip, prompt="text", strategy=strategy, recipe=recipe, **options)
    run = tuner.fit(task, progress=False)
    given = {"rounds": 2, "schedule": {"kind": "constant", "k": 5}, "recipe": asdict(recipe)}
    got = on_page(TRAIN, given | options)
    assert got["scores"] == pytest.approx([round.score for round in run.rounds], abs=1e-15)
    positions = tuner.split(task).pool.images.positions
    place = {image: at for at, image in enumerate(task.train.images.positions.tolist())}
    pool = np.array([place[image] for image in positions.tolist()])
    chosen = [round.pseudolabels for round in run.rounds[1:]]
    assert got["chosen"] == [[pool[one.index].tolist(), one.label.tolist()] for one in chosen]


def test_a_run_gives_its_memory_back(on_page):
    code = """
      const run = { rounds: 1, schedule: { kind: "constant", k: 1 }, seed: 0 };
      const before = await clip.memory();
      for (let i = 0; i < 3; i++) await clip.train(run, () => {});
      await clip.measure(["a photo"]);
      return [before, await clip.memory()];"""
    before, after = on_page(code)
    assert 0 < before == after


def test_a_run_can_be_stopped_and_another_begun(on_page):
    code = """
      const run = { rounds: 3, schedule: { kind: "constant", k: 4 }, seed: 1 };
      let refused = null;
      const first = clip.train(run, () => {});
      const second = clip.train(run, () => {}).catch((error) => { refused = error.message; });
      await second;
      await clip.stop();
      const ended = await first;
      const whole = await clip.train({ ...run, rounds: 1 }, () => {});
      return { refused, ended, whole };"""
    got = on_page(code)
    assert "stop it first" in got["refused"]
    assert got["ended"]["stopped"] and got["ended"]["rounds"] < 3
    assert got["whole"] == {"rounds": 1, "stopped": False}


# a round with labelled images beside the pseudolabelled, warm-up and no bound on the gradient
MIXED = Recipe.pocket().replace(
    epochs=2, min_steps=5, batch_size=16, warmup_epochs=1, max_grad_norm=None, learning_rate=0.01
)


@pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
def test_a_round_of_two_kinds_of_images_is_pythons(engine, clip, task, sampler):
    recipe = MIXED.replace(sampler=sampler)
    features = clip.image_features(task.train.images)
    parts = [slice(0, 600, 60), slice(1, 600, 11)]
    terms = [Term(features[part], task.train.labels[part]) for part in parts]
    prompt = TextPrompt(clip, task.class_names, 4, generator=rng_for(5, 1, 0))
    start = prompt.context.detach().flatten().tolist()
    fit_prompt(
        prompt,
        recipe,
        labelled=terms[0],
        pseudolabelled=terms[1],
        gamma=3.0,
        lam=0.5,
        generator=rng_for(5, 1, 1),
    )
    code = """
      const clip = new PocketClip(await unpackParts(given.weights));
      const term = ({ features, labels }) => ({ features: Float64Array.from(features), labels });
      const random = randomFor(5, 1, ORDER);
      const drawn = randomFor(5, 1, START).normal(4 * 128, 0.02, clip.kernel).map(Math.fround);
      const prompt = new TextPrompt(clip, given.names, 4);
      const training = new TextPromptTraining({
        prompt, random, recipe: given.recipe, start: drawn, gamma: 3, lam: 0.5,
        labelled: term(given.terms[0]), pseudolabelled: term(given.terms[1]),
      });
      while (!training.done) training.step();
      return { start: [...drawn], context: [...training.context], steps: training.steps };"""
    given = {
        "weights": weights_data(clip),
        "names": task.class_names,
        "recipe": asdict(recipe),
        "terms": [
            {"features": term.inputs.flatten().tolist(), "labels": term.labels.tolist()}
            for term in terms
        ],
    }
    got = engine(code, given)
    assert got["start"] == start
    assert got["steps"] == epochs_of(65, recipe) * 5
    assert_near(got["context"], prompt.context.detach().flatten().tolist())


# ---- parts


def test_random_numbers_are_torchs_and_numpys(engine):
    cases = [(0, 0, 0), (0, 10, 1), (7, 3, 1), (2**32 - 1, 1, 0)]
    code = """
      return given.map(([seed, round, purpose]) => {
        const random = randomFor(seed, round, purpose);
        return [random.permutation(700), [...random.normal(2048, 0.02, Math)].map(Math.fround)];
      });"""
    for (seed, round, purpose), (order, drawn) in zip(cases, engine(code, cases), strict=True):
        generator = rng_for(seed, round, purpose)
        assert order == torch.randperm(700, generator=generator).tolist()
        expected = torch.empty(2048, dtype=torch.float64).normal_(0, 0.02, generator=generator)
        assert drawn == expected.float().tolist()


def test_batches_are_pythons(engine):
    cases = [
        ([40], "balanced"),
        ([7, 30], "balanced"),
        ([30, 7], "balanced"),
        ([7, 30], "shuffled"),
    ]
    code = """
      return given.map(([sizes, sampler]) => {
        const random = randomFor(1, 2, ORDER);
        return [0, 1].map(() => batchOrder(sizes, sampler, random));
      });"""
    for (sizes, sampler), got in zip(cases, engine(code, cases), strict=True):
        generator = rng_for(1, 2, 1)
        assert got == [batch_order(sizes, sampler, generator).tolist() for _ in range(2)]


@pytest.mark.parametrize("name", ["pocket", "paper"])
def test_rates_and_epochs_are_pythons(engine, name):
    recipe = Recipe.named(name)
    code = """
      const { recipe, counts } = given;
      return counts.map((n) => {
        const epochs = epochsOf(n, recipe);
        const at = (epoch) => learningRate(epoch, epochs, recipe, Math.cos);
        return Array.from({ length: epochs }, (_, epoch) => at(epoch));
      });"""
    counts = [1, 60, 300, 6000]
    for n, got in zip(
        counts, engine(code, {"recipe": asdict(recipe), "counts": counts}), strict=True
    ):
        whole = recipe.replace(epochs=epochs_of(n, recipe))
        expected = [learning_rate(epoch, whole) for epoch in range(whole.epochs)]
        assert len(got) == len(expected)
        assert_near(got, expected)


def test_selections_are_pythons(engine):
    logits = np.random.default_rng(4).normal(size=(40, 5), scale=3).round(1)
    logits[20:] = logits[:20]  # every image has an equal
    code = """
      const logits = Float64Array.from(given.logits);
      const options = { k: 7, threshold: 0.6 };
      return given.allowed.map((classes) =>
        Object.values(SELECTORS).map((select) => select(logits, 5, classes, Math, options)));"""
    allowed = [[0, 1, 2, 3, 4], [3, 0]]
    got = engine(code, {"logits": logits.flatten().tolist(), "allowed": allowed})
    for classes, found in zip(allowed, got, strict=True):
        expected = [
            select_top_k(logits, 7, allowed=classes),
            select_argmax_top_k(logits, 7, allowed=classes),
            select_threshold(logits, 0.6, allowed=classes),
            select_leaderboard(logits, 7, allowed=classes),
            select_balanced(logits, 7, allowed=classes, tolerance=0.1),
        ]
        assert found == [
            {"index": one.index.tolist(), "label": one.label.tolist()} for one in expected
        ]


def test_own_weights_are_for_two_kinds_of_images(engine):
    code = """
      const own = { paradigm: "ssl", gamma: 5, lam: 0.5 };
      const { weights } = PromptTuning.prototype;
      const half = { ...own, lam: null };
      return [[20, 100], [20, 0], [0, 100]].map((counts) => [
        weights.apply(own, counts), weights.apply(half, counts)]);"""
    alone = [term_weights("ssl", 20, 0), term_weights("ssl", 0, 100)]
    expected = [[[5, 0.5], [5, 1]], *[[list(pair), list(pair)] for pair in alone]]
    assert engine(code) == expected


def test_schedules_are_pythons(engine):
    cases = [(i, U, C) for i in (1, 5, 10) for U, C in ((600, 10), (77, 10), (9, 3))]
    code = """
      const kinds = [{ kind: "growing", rounds: 10 }, { kind: "constant" }];
      return given.map((about) => kinds.map((kind) => scheduled(kind)(...about)));"""
    schedules = [Strategy.named(name).k for name in ("grip", "ifpl")]
    assert engine(code, cases) == [[k(*case) for k in schedules] for case in cases]


def test_tokens_are_pythons(engine, clip, task):
    letters = np.random.default_rng(0).choice(list("aeinrst ouk'ly.32"), (400, 14))
    texts = [*TEXTS, *sentences(task), *("".join(row) for row in letters)]
    code = """
      const tokenizer = new ClipTokenizer(new Uint16Array((await unpack(given.merges)).buffer));
      return [tokenizer.start, tokenizer.end, given.texts.map((text) => tokenizer.encode(text))];"""
    merges = weights_data(clip)["merges"]
    start, end, ids = engine(code, {"merges": merges, "texts": texts})
    assert ids == [clip.tokenizer.encode(text) for text in texts]
    assert [start, end] == clip.tokenizer.all_special_ids


# ---- what goes wrong is said


def test_words_that_clip_never_saw_are_named(on_page, clip):
    texts = ["a zeppelin over a forest", "xylophone forest"]
    assert on_page("return clip.unseenWords(given)", texts) == clip.unseen_words(texts)
    code = "return clip.encodeTexts(given).catch((error) => error.message)"
    assert "never saw zeppelin" in on_page(code, texts[:1])
    assert "room for 32" in on_page(code, ["a " * 31])


def test_pieces_that_clip_never_saw_are_named(on_page):
    texts = ["A photo, of: 7 Zeppelins.", "zeppelins!?"]
    assert on_page("return clip.unseenPieces(given)", texts) == ["!?", ".", "zeppelins"]


def test_weights_without_an_image_tower_encode_texts(on_page, clip):
    code = """
      const other = await plabClip.start({ weights: given.weights });
      const features = await other.encodeTexts(given.texts);
      const black = new Uint8ClampedArray(12544);
      const refused = await other.encodeImages(black).catch(String);
      other.close();
      return { features: [...features], refused };"""
    texts = ["a forest", "a photo of a river"]
    given = {"weights": weights_data(clip), "texts": texts}
    got = on_page(code, given)
    assert got["features"] == clip.encode_texts(texts).flatten().tolist()
    assert "no image tower" in got["refused"]


def test_the_image_tower_may_come_at_any_time(on_page, clip, task):
    "But in a run: it lies below the features of the task, which move"
    images, rgba = pictures(task)
    code = """
      const rgba = Uint8ClampedArray.from(given.rgba);
      const other = await plabClip.start();
      const opened = await other.openTask("satellite");
      const before = await other.measure(given.texts);
      const run = { rounds: 1, schedule: { kind: "constant", k: 1 }, seed: 0 };
      const training = other.train(run, () => {});
      const refused = await other.encodeImages(rgba).catch((error) => error.message);
      await training;
      const features = [[...(await other.encodeImages(rgba))]];
      const marks = [await other.memory()];
      const after = await other.measure(given.texts);
      await other.openTask("satellite");
      marks.push(await other.memory());
      features.push([...(await other.encodeImages(rgba))]);
      const last = await other.measure(given.texts);
      other.close();
      return { refused, features, marks, measured: [before, after, last] };"""
    texts = fill_template("a {} from above", task.class_names)
    got = on_page(code, {"rgba": rgba.flatten().tolist(), "texts": texts})
    assert "stop it before the image tower is read" in got["refused"]
    expected = clip.encode_images(images).flatten().tolist()
    assert got["features"] == [expected, expected]
    assert got["measured"][0] == got["measured"][1] == got["measured"][2]
    assert got["marks"][0] == got["marks"][1]


def test_a_browser_that_cannot_unpack_is_told(engine, clip):
    code = """
      const kept = DecompressionStream;
      globalThis.DecompressionStream = undefined;
      const said = await unpack(given).catch((error) => error.message);
      globalThis.DecompressionStream = kept;
      return said;"""
    said = engine(code, weights_data(clip)["merges"])
    assert "no DecompressionStream" in said


@pytest.mark.parametrize("planes", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 1001])
def test_packed_bytes_come_back(engine, planes, count):
    data = np.random.default_rng(count).integers(0, 256, planes * count, np.uint8)
    code = "return [...(await unpack(given))]"
    assert engine(code, pack_planes(data.tobytes(), planes)) == data.tolist()


def test_a_missing_file_is_named(browser, folder):
    page = browser.new_page()
    page.goto((folder / "page.html").as_uri())
    message = page.evaluate("plabClip.start({ folder: 'away' }).catch((error) => error.message)")
    assert "away/clip_weights.js could not be read" in message
    page.close()


@pytest.mark.parametrize("change", [{"accumulate": 4}, {"warm_start": True}, {"sampler": "odd"}])
def test_a_recipe_that_a_page_does_not_have_is_refused(on_page, change):
    given = {
        "recipe": asdict(Recipe.pocket()) | change,
        "rounds": 1,
        "schedule": {"kind": "constant"},
        "seed": 0,
    }
    message = on_page("return clip.train(given, () => {}).catch((error) => error.message)", given)
    assert next(iter(change)) in message


# ---- files


def test_files_are_small_and_always_the_same(folder, tmp_path):
    names = sorted(path.name for path in folder.glob("*.js"))
    of_texts = ["clip.js", f"clip_task_{TASK}.js", "clip_weights.js"]
    of_pictures = ["clip_image_tower.js", f"clip_pictures_{TASK}.js"]
    assert names == sorted(of_texts + of_pictures)
    sizes = {name: (folder / name).stat().st_size for name in names}
    assert sum(sizes.values()) <= 4.4e6, sizes
    assert sum(sizes[name] for name in of_texts) <= 2.2e6, sizes
    again = {path.name: path.read_bytes() for path in write_page_clip(tmp_path, [TASK])}
    assert again == {name: (folder / name).read_bytes() for name in names}


def test_the_kernel_is_compiled_from_its_source(page_clip):
    said = page_clip.WASM.read_text(encoding="utf-8")
    assert page_clip.kernel_digest() in said, "run: python tools/page_clip.py kernel"


# ---- without a browser

NODE = """
const fs = require("fs");
const { given, weights, task, texts, wasm } = JSON.parse(fs.readFileSync(0, "utf8"));
const main = async () => {
const clip = new PocketClip(await unpackParts(weights), makeKernel(wasm));
const prompt = new TextPrompt(clip, task.names, 16);
const classes = prompt.classFeatures(given.context);
const images = Float64Array.from(task.features);
const shares = given.labels.map(() => 1 / given.labels.length);
const { loss, slope } = lossAndSlope(clip, images, given.labels, shares, classes);
const answer = {
  kernel: clip.kernel.name,
  loss,
  classes: [...classes],
  gradient: [...prompt.backward(slope)],
  texts: [...clip.encodeTexts(texts)],
};
process.stdout.write(JSON.stringify(answer));
};
main();
"""


@by_kernel
def test_node_computes_the_same(clip, task, gradient_case, tmp_path, kernel):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    script = tmp_path / "check.js"
    script.write_text(f"{engine_script()}\n{NODE}", encoding="utf-8")
    given = gradient_case["given"]
    features = clip.image_features(task.train.images)[given["index"]]
    question = {
        "given": given,
        "weights": weights_data(clip),
        "task": {"names": task.class_names, "features": features.flatten().tolist()},
        "texts": sentences(task),
        "wasm": kernel == "WebAssembly",
    }
    done = subprocess.run(
        [node, str(script)], input=json.dumps(question), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads(done.stdout)
    assert got["kernel"] == kernel
    for part in ("loss", "classes", "gradient"):
        assert_near(got[part], gradient_case[part])
    assert got["texts"] == clip.encode_texts(sentences(task)).flatten().tolist()
