"""Learn the prompt: with labels and weights of the reader's own, with rare classes and with
balanced labels, the page gets Python's scores to the last digit; its pictures stand where the CLIP
in the page puts them, and fly there.

Pages are opened from the disk, with the network cut off.
"""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.selectors import select_top_k
from pseudolab.method.splits import semi_supervised
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import Term, fit_prompt, rng_for
from pseudolab.method.tuner import PromptTuner
from pseudolab.views.format import percent
from pseudolab.views.prompt_playground import learning_playground
from support.pages import opened, texts_of

pytestmark = pytest.mark.slow

# Notes what the worker tells of each round
RECORD = """() => {
  window.records = [];
  window.looks = [];
  const receive = ({ data: { progress } }) => {
    if (progress?.record) window.records.push(progress.record);
    else if (progress?.poolPredictions) window.looks.push(progress.round);
  };
  const Plain = Worker;
  window.Worker = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", receive);
    }
  };
}"""
ENDED = "() => /^(done|stopped)/.test(document.querySelector('.status').textContent)"


@pytest.fixture(scope="module")
def task():
    return load_task("satellite")


@pytest.fixture(scope="module")
def widget(clip, task):
    return learning_playground(clip, task)


@pytest.fixture
def page(browser, widget, tmp_path):
    with opened(browser, widget, tmp_path, viewport={"width": 1000, "height": 1400}) as page:
        page.evaluate(RECORD)
        yield page


def learned(page):
    "The records of a run of what is set, from round 0"
    page.evaluate("window.records.length = 0; document.querySelector('.status').textContent = ''")
    page.get_by_role("button", name="Learn").click()
    page.wait_for_function(ENDED, timeout=120_000)
    return page.evaluate("records.map(({ poolLogits, ...rest }) => rest)")


def unfold(page):
    page.get_by_text("Another run").click()


def pick(page, *names):
    for name in names:
        page.get_by_role("radio", name=name, exact=True).click()


def slide(page, name, value):
    page.get_by_role("slider", name=name).fill(str(value))


def of_python(clip, task, strategy="grip", **options):
    tuner = PromptTuner(clip, prompt="text", strategy=strategy, **options)
    return tuner.fit(task, progress=False)


def assert_pythons(records, run):
    "Every score to the last digit, and K and the number of labels of each round"
    assert [one["score"] for one in records] == [one.score for one in run.rounds]
    assert [one["k"] for one in records[1:]] == [one.k for one in run.rounds[1:]]
    given = [len(one["chosen"]["index"]) for one in records[1:]]
    assert given == [len(one.pseudolabels) for one in run.rounds[1:]]


# ---- labels, and what they weigh


def test_two_labels_with_the_papers_weights_are_pythons(page, clip, task):
    page.get_by_role("button", name="Two labels").click()
    records = learned(page)
    assert_pythons(records, of_python(clip, task, paradigm="ssl", seed=0))


@pytest.mark.parametrize("gamma", [0, 5])
def test_an_own_gamma_is_pythons(page, clip, task, gamma):
    unfold(page)
    pick(page, "2 per class", "your own")
    slide(page, "γ, weight of the labelled", 10 * gamma)
    slide(page, "Rounds", 4)
    records = learned(page)
    strategy = Strategy.named("grip", rounds=4)
    assert_pythons(records, of_python(clip, task, strategy, paradigm="ssl", gamma=float(gamma)))
    assert f"γ {gamma}, λ 1" in page.locator(".learn-results").inner_text()


def by_hand(clip, task, gamma, lam, rounds, k):
    "Scores of rounds with any two weights"
    split = semi_supervised(task, 2)
    frozen = TemplatePrompt.for_task(clip, task)
    labelled = Term(clip.image_features(split.labelled.images), split.labelled.labels)
    pool = clip.image_features(split.pool.images)
    scores = []
    prompt = frozen
    for i in range(1, rounds + 1):
        with torch.no_grad():
            chosen = select_top_k(prompt.logits(split.pool.images), k)
        prompt = TextPrompt(clip, task.class_names, generator=rng_for(0, i, 0))
        fit_prompt(
            prompt,
            Recipe.pocket(),
            labelled=labelled,
            pseudolabelled=Term(pool[chosen.index], chosen.label),
            gamma=gamma,
            lam=lam,
            generator=rng_for(0, i, 1),
        )
        with torch.no_grad():
            predictions = prompt.logits(task.test.images).argmax(1).cpu().numpy()
        scores.append(float((predictions == task.test.labels).mean()))
    return scores


def test_an_own_lambda_is_that_of_a_loop_by_hand(page, clip, task):
    unfold(page)
    pick(page, "2 per class", "your own", "stays (FPL, IFPL)")
    slide(page, "γ, weight of the labelled", 25)
    slide(page, "λ, weight of the pseudolabelled", 3)
    slide(page, "K, pictures per class", 20)
    slide(page, "Rounds", 3)
    scores = [one["score"] for one in learned(page)[1:]]
    assert scores == by_hand(clip, task, 2.5, 0.3, rounds=3, k=20)
    assert scores != by_hand(clip, task, 2.5, 1.0, rounds=3, k=20), "lambda must count"


def test_two_terms_without_weight_are_told(page):
    unfold(page)
    pick(page, "2 per class", "your own")
    slide(page, "γ, weight of the labelled", 0)
    slide(page, "λ, weight of the pseudolabelled", 0)
    page.get_by_role("button", name="Learn").click()
    page.wait_for_selector(".note:not([hidden])")
    assert "There is no image to train on" in page.locator(".note").inner_text()


def test_without_labels_no_weight_is_offered(page):
    unfold(page)
    weights = page.get_by_role("radiogroup", name="Weights of the two terms")
    assert weights.is_hidden()
    pick(page, "2 per class")
    assert weights.is_visible()
    assert "γ = |U|/|L|" in page.locator(".controls").inner_text()


# ---- shares of the pool


@pytest.mark.parametrize("paradigm", ["ul", "ssl"])
def test_a_long_tail_is_pythons(page, clip, task, paradigm):
    page.get_by_role("button", name="Long tail").click()
    if paradigm == "ssl":
        unfold(page)
        pick(page, "2 per class")
    records = learned(page)
    run = of_python(clip, task.imbalanced(10), paradigm=paradigm, seed=0)
    assert_pythons(records, run)
    columns = np.bincount(run.rounds[-1].pool_predictions, minlength=10)
    assert columns_of(page) == dict(zip(task.class_names, columns.tolist(), strict=True))


def test_a_rare_class_is_pythons(page, clip, task):
    rare = task.class_names.index("river")
    unfold(page)
    pick(page, "one class rare")
    page.get_by_label("A tenth is left of").select_option(label="river")
    slide(page, "Rounds", 3)
    records = learned(page)
    is_rare = task.train.labels == rare
    kept = task.train.subset(~is_rare | (np.cumsum(is_rare) <= is_rare.sum() // 10))
    strategy = Strategy.named("grip", rounds=3)
    assert_pythons(records, of_python(clip, replace(task, train=kept), strategy, paradigm="ul"))


# ---- other selectors


@pytest.mark.parametrize(
    ("name", "selector", "pool"),
    [
        ("balanced assignment", "balanced", "as they are"),
        ("balanced assignment", "balanced", "long tail, 10 to 1"),
        ("leaderboard", "leaderboard", "as they are"),
    ],
)
def test_other_selectors_are_pythons(page, clip, task, name, selector, pool):
    unfold(page)
    pick(page, name, pool)
    records = learned(page)
    pools = {"as they are": task, "long tail, 10 to 1": task.imbalanced(10)}
    run = of_python(clip, pools[pool], paradigm="ul", selector=selector)
    assert_pythons(records, run)
    if pool == "as they are":
        for one, told in zip(records[1:], run.rounds[1:], strict=True):
            assert one["chosen"]["index"] == told.pseudolabels.index.tolist()
            assert one["chosen"]["label"] == told.pseudolabels.label.tolist()


# ---- the scene


def columns_of(page):
    "The number over each column"
    heads = texts_of(page, ".pool-heads li")
    found = [re.fullmatch(r"(\d+)\s+(.*)", head, re.S).groups() for head in heads]
    return {name.strip(): int(count) for count, name in found}


# A copy of the canvas, to be read again and again
COPIED = """
  const canvas = document.querySelector(".pool-stage canvas");
  const copy = Object.assign(document.createElement("canvas"), {
    width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.globalCompositeOperation = "copy";
"""
# How high the tiles stand in each column, in pixels of the canvas
HEIGHTS = (
    f"""() => {{{COPIED}
  context.drawImage(canvas, 0, 0);
  const ratio = canvas.width / canvas.clientWidth;
"""
    + """
  return [...document.querySelectorAll(".pool-heads li")].map((head) => {
    const [left, top, wide, deep] = ["left", "top", "width", "height"].map((side) =>
      Math.round(parseFloat(head.style[side]) * ratio));
    const { data } = context.getImageData(left, top, wide, deep);
    const first = data.findIndex((value, at) => at % 4 === 3 && value > 0);
    return first < 0 ? 0 : deep - Math.floor(first / 4 / wide);
  });
}"""
)


def test_columns_hold_what_python_predicts(page, clip, task):
    run = of_python(clip, task, paradigm="ul", seed=0)
    for wanted, act in ((run.rounds[0], None), (run.rounds[-1], learned)):
        if act:
            act(page)
        page.wait_for_timeout(600)  # the pictures have landed
        counts = np.bincount(wanted.pool_predictions, minlength=10)
        assert columns_of(page) == dict(zip(task.class_names, counts.tolist(), strict=True))
        heights = page.evaluate(HEIGHTS)
        shown = list(columns_of(page).values())
        by_count = [heights[at] for at in np.argsort(shown, kind="stable")]
        assert by_count == sorted(by_count) and (min(heights) == 0) == (0 in shown)
        right = (wanted.pool_predictions == task.train.labels).sum()
        assert f"{right} of the pool's 600 pictures" in page.locator(".pool-told").inner_text()


def test_the_pool_is_told_in_a_table(page, clip, task):
    learned(page)
    page.get_by_text("The pool as a table").click()
    page.wait_for_selector(".learn-pool tbody tr")
    rows = [row.split("\t") for row in texts_of(page, ".learn-pool tbody tr")]
    predicted = np.array(page.evaluate("records.at(-1).poolPredictions"))
    truth = task.train.labels
    for name, *numbers in rows:
        c = task.class_names.index(name.strip())
        expected = [(truth == c), (predicted == c), (predicted == c) & (truth == c)]
        assert [int(number) for number in numbers] == [some.sum() for some in expected]
    assert len(rows) == len(task.class_names)


def test_one_can_look_back_to_each_round(page, clip, task):
    back = page.get_by_role("slider", name="Look back")
    assert back.is_hidden()
    run = of_python(clip, task, paradigm="ul", seed=0)
    learned(page)
    for at in (10, 3, 0):
        back.fill(str(at))
        counts = np.bincount(run.rounds[at].pool_predictions, minlength=10)
        assert columns_of(page) == dict(zip(task.class_names, counts.tolist(), strict=True))
        assert page.locator(".score").inner_text() == percent(run.rounds[at].score)
        assert f"round {at} of 10" in page.locator(".learn-results").inner_text()
    page.get_by_role("button", name="Long tail").click()
    assert back.is_hidden(), "another pool stands there now"


def test_a_stopped_run_shows_its_last_whole_round(page, task):
    page.get_by_role("button", name="Learn").click()
    status = "document.querySelector('.status').textContent"
    page.wait_for_function(f"/^round [3-9] of 10, step [2-9]/.test({status})")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function(ENDED)
    last = page.evaluate("records.at(-1)")
    counts = np.bincount(last["poolPredictions"], minlength=10)
    assert columns_of(page) == dict(zip(task.class_names, counts.tolist(), strict=True))
    assert f"After round {last['round']}" in page.locator(".pool-told").inner_text()
    assert page.locator(".status").inner_text() == f"stopped after round {last['round']}"


def test_pictures_that_are_labelled_or_away_are_in_no_count(page, task):
    page.get_by_role("button", name="Two labels").click()
    assert sum(columns_of(page).values()) == 580
    assert "label given: 20" in page.locator(".pool-told").inner_text()
    page.get_by_role("button", name="Long tail").click()
    assert sum(columns_of(page).values()) == len(task.imbalanced(10).train)


# The canvas and the status line in each frame of a run
WATCH = (
    f"""() => {{{COPIED}"""
    + """
  window.watched = [];
  const seen = () => {
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) sum = (sum * 31 + data[at] + data[at + 3]) % 1e9;
    return sum;
  };
  const look = (now) => {
    watched.push({ now, tiles: seen(), status: document.querySelector(".status").textContent });
    if (!window.isOver) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
)


def watched_run(page):
    page.evaluate(WATCH)
    learned(page)
    page.wait_for_timeout(600)
    page.evaluate("window.isOver = true")
    return page.evaluate("window.watched")


def test_the_pictures_move_while_a_round_trains(page):
    learned(page)  # so that all code has run once
    page.evaluate("window.looks.length = 0")
    frames = watched_run(page)
    rounds = {}
    for frame in frames:
        found = re.match(r"round (\d+) of 10, step \d+ of \d+, loss [\d.]+$", frame["status"])
        if found:
            rounds.setdefault(found[1], []).append(frame)
    steps = [len({frame["status"] for frame in some}) for some in rounds.values()]
    moves = [len({frame["tiles"] for frame in some}) for some in rounds.values()]
    looks = np.bincount(page.evaluate("window.looks"), minlength=11)[1:]
    print(f"per round: {steps} status lines, {moves} pictures of the scene, looks {looks}")
    # a busy machine draws few frames, and none of some rounds
    assert len(rounds) >= 4 and max(steps) >= 3 and max(moves) >= 3
    assert looks.sum() >= 3, "the engine looks at the pool on the way"


def test_with_reduced_motion_the_pictures_step(browser, widget, tmp_path):
    with opened(browser, widget, tmp_path, reduced_motion="reduce") as page:
        page.evaluate(RECORD)
        frames = watched_run(page)
        tiles = [frame["tiles"] for frame in frames]
        steps = sum(before != after for before, after in zip(tiles, tiles[1:], strict=False))
        updates = len(page.evaluate("window.looks")) + 11
        assert 10 <= steps <= updates, "one step for each look and each round, and no way between"


def test_ten_rounds_take_seconds(page):
    learned(page)
    for name in ("GRIP", "Two labels", "Long tail"):
        page.get_by_role("button", name=name).click()
        began = time.perf_counter()
        records = learned(page)
        took = time.perf_counter() - began
        print(f"{name}: {took / (len(records) - 1):.2f} s per round, ten in {took:.1f} s")
        assert took < 60, "in no hurry here, but not hanging either"


# ---- twenty runs in a row


class Memory:
    "What a page's own thread and its worker hold, by the browser's own account"

    def __init__(self, page):
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.answers, self.worker = {}, None
        self.session.on("Target.attachedToTarget", self._attached)
        self.session.on("Target.receivedMessageFromTarget", self._received)
        watch = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
        self.session.send("Target.setAutoAttach", watch)

    def _attached(self, event):
        assert event["targetInfo"]["type"] == "worker" and self.worker is None
        self.worker = event["sessionId"]

    def _received(self, event):
        message = json.loads(event["message"])
        self.answers[message.get("id")] = message.get("result")

    def ask_worker(self, method):
        number = len(self.answers) + 1
        message = json.dumps({"id": number, "method": method})
        self.session.send(
            "Target.sendMessageToTarget", {"sessionId": self.worker, "message": message}
        )
        while number not in self.answers:
            self.page.wait_for_timeout(20)
        return self.answers[number]

    def held(self):
        "Bytes in use of JavaScript and its arrays; the kernel has 96 MB, which cannot grow"
        used = {}
        for name, ask in (("page", self.session.send), ("worker", self.ask_worker)):
            ask("HeapProfiler.collectGarbage")
            usage = ask("Runtime.getHeapUsage")
            used[name] = usage["usedSize"] + usage["backingStorageSize"]
        return used


def test_twenty_runs_do_not_fill_the_memory(page):
    memory = Memory(page)
    unfold(page)
    slide(page, "Rounds", 2)
    learned(page)
    sizes = []
    for i in range(20):
        page.get_by_role("spinbutton", name="Seed").fill(str(i))
        page.get_by_role("spinbutton", name="Seed").blur()
        learned(page)
        page.evaluate("window.records.length = 0; window.looks.length = 0")
        sizes.append(memory.held())
    for name in ("page", "worker"):
        held = [round(size[name] / 1e6, 1) for size in sizes]
        print(f"{name} after each of 20 runs: {held} MB")
        assert held[-1] - held[0] < 5, f"{name}: {held[-1] - held[0]:.1f} MB more after 20 runs"


# ---- for everyone


def test_presets_and_learning_work_by_keyboard(page, task):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "GRIP"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    pressed = page.get_by_role("button", name="Long tail").get_attribute("aria-pressed")
    assert pressed == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function(ENDED, timeout=60_000)
    page.wait_for_function("document.querySelector('[aria-live]').textContent.startsWith('done')")


def test_a_change_leaves_the_presets(page):
    assert page.locator("[aria-pressed=true]").inner_text() == "GRIP"
    unfold(page)
    slide(page, "Rounds", 9)
    assert page.locator("[aria-pressed=true]").count() == 0
    assert "A run of your own: top-K, K 6 to 60, seed 0" in page.locator(".about").inner_text()
    page.get_by_role("button", name="GRIP").click()
    assert page.get_by_role("slider", name="Rounds").input_value() == "10"


def test_results_stand_beside_the_controls_or_below(browser, widget, tmp_path):
    for width, beside in ((1280, True), (390, False)):
        viewport = {"width": width, "height": 800}
        with opened(browser, widget, tmp_path, viewport=viewport) as page:
            controls, results, stage = (
                page.locator(name).bounding_box()
                for name in (".learn-controls", ".learn-results", ".pool-stage")
            )
            assert (results["x"] >= controls["x"] + controls["width"]) == beside
            assert stage["y"] >= controls["y"] + controls["height"]
            assert (results["y"] > stage["y"]) != beside


def test_a_pool_without_labels_still_learns(browser, clip, task, tmp_path):
    train = task.train.subset(range(0, 600, 10))
    unlabelled = replace(task, train=replace(train, labels=np.full(len(train), -1)))
    with opened(browser, learning_playground(clip, unlabelled), tmp_path) as page:
        page.evaluate(RECORD)
        unfold(page)
        assert page.get_by_role("radiogroup", name="Labels").count() == 0
        slide(page, "Rounds", 2)
        records = learned(page)
        told = page.locator(".pool-told").inner_text()
        assert told == "After round 2: 60 pictures in the pool"
    run = of_python(clip, unlabelled, Strategy.named("grip", rounds=2), paradigm="ul")
    assert_pythons(records, run)
