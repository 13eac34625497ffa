"""The playgrounds: what the page computes is what Python computes, and a reader can use them with
no network, by keyboard, on a phone.
"""

import json
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.data.images import Images
from pseudolab.data.tasks import long_tail
from pseudolab.method.equity import quarter_changes, split_half
from pseudolab.method.loss import term_weights
from pseudolab.method.pseudolabels import audit, precision
from pseudolab.method.schedules import Constant, Growing
from pseudolab.method.selectors import (
    log_probabilities,
    select_argmax_top_k,
    select_leaderboard,
    select_threshold,
    select_top_k,
)
from pseudolab.method.splits import score
from pseudolab.method.turnover import audit_rounds
from pseudolab.settings import PACKAGE
from pseudolab.views.html import module
from pseudolab.views.playgrounds import (
    THRESHOLDS,
    PlaygroundSplit,
    class_vector_tuning,
    dense_ranks,
    draw_shots,
    even_subset,
    loss_and_gradient,
    mulberry32,
    playground_from_features,
    playground_from_logits,
    playground_split,
    selector_ranks,
    to_bytes,
    unit_rows,
)
from support.pages import opened

pytestmark = pytest.mark.slow

SELECTORS = {
    "top_k": select_top_k,
    "argmax_top_k": select_argmax_top_k,
    "leaderboard": select_leaderboard,
    "threshold": select_threshold,
}
NAMES_ON_THE_PAGE = {
    "top_k": "top-K",
    "argmax_top_k": "argmax-only top-K",
    "leaderboard": "leaderboard",
    "threshold": "threshold",
}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "</script><b>bold",
    "\u202eright to left",
    "a class name that is much longer than any place where it could ever be shown in full",
]


@pytest.fixture(scope="module")
def script(browser):
    "Run JavaScript that sees everything in a playground's script; `given` is what it gets"
    page = browser.new_page()

    def run(name, code, given=None):
        return page.evaluate(f"given => {{\n{module(name)}\n{code}\n}}", given)

    yield run
    page.close()


def plain(data):
    "As the page gets it"
    return json.loads(json.dumps(data))


# What the tests draw on


def random_logits(n_images, n_classes, seed=0, sharpness=5.0):
    return np.random.default_rng(seed).normal(size=(n_images, n_classes)) * sharpness


def whole_numbers():
    return np.random.default_rng(3).integers(0, 3, size=(50, 4)).astype(float)


def nearly_saturated():
    rng = np.random.default_rng(3)
    sure = 40 * np.eye(6)[rng.integers(6, size=40)]
    return 40.0 + sure + 1e-3 * rng.normal(size=(40, 6))


def permuted_rows():
    rng = np.random.default_rng(3)
    return np.array([rng.permutation([1.25, 2.5, 0.1, 3.7]) for _ in range(60)])


# pools that are easy to get wrong
POOLS = {
    "random": random_logits(60, 7),
    "few whole numbers": whole_numbers(),
    "all alike": np.zeros((20, 5)),
    "saturated": np.where(random_logits(40, 6, 1) > 6, 1e4, -1e4),
    "nearly saturated": nearly_saturated(),
    "each image twice": np.repeat(random_logits(25, 5, 2), 2, axis=0),
    "rows in another order": permuted_rows(),
    "one class": random_logits(12, 1, 3, sharpness=1.0),
    "one image": random_logits(1, 4, 3, sharpness=1.0),
    "half each": np.log([[0.5, 0.5]] * 6),
}
each_pool = pytest.mark.parametrize("pool", POOLS)


def some_ks(n_images):
    return sorted({k for k in (1, 2, 7, n_images // 2, n_images) if 1 <= k <= n_images})


def arguments_of(selector, n_images, thresholds=THRESHOLDS):
    "What a selector is asked for: each K, or each threshold"
    return thresholds if selector == "threshold" else some_ks(n_images)


N_CLASSES = 6


def features_of(
    n_classes=N_CLASSES, width=16, n_train=20, n_test=10, seed=0, spread=0.4, noise=0.25
):
    "Training and test images scattered about the class vectors, which are themselves a little off"
    rng = np.random.default_rng(seed)
    centres = unit_rows(rng.normal(size=(n_classes, width)))
    labels = rng.permutation(np.repeat(np.arange(n_classes), n_train))
    truth = rng.permutation(np.repeat(np.arange(n_classes), n_test))

    def around(classes):
        scatter = spread * rng.normal(size=(len(classes), width))
        return unit_rows(centres[classes] + scatter)

    train = around(labels)
    test = around(truth)
    vectors = unit_rows(centres + noise * rng.normal(size=(n_classes, width)))
    return {
        "train": train,
        "labels": labels,
        "test": test,
        "truth": truth,
        "vectors": vectors.astype(np.float32),
        "scale": 12.0,
    }


def training_widget(names=None, **how):
    made = features_of(**how)
    names = names or [f"class {c}" for c in range(len(made["vectors"]))]
    return made, playground_from_features(**made, names=names)


# In Python alone


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_ranks_compare_as_scores_do(n_images, n_classes, seed):
    logits = np.random.default_rng(seed).integers(-2, 3, size=(n_images, n_classes)) / 3
    scores = log_probabilities(logits)
    seen = selector_ranks(logits)
    by_rank = np.sign(seen["ranks"][:, None] - seen["ranks"])
    by_score = np.sign(scores[:, None] - scores)
    assert (by_rank == by_score).all()
    ordered = np.take_along_axis(scores, seen["order"], axis=1)
    assert (np.diff(ordered, axis=1) <= 0).all()
    assert (np.sort(seen["order"], axis=1) == np.arange(n_classes)).all()
    for at, threshold in enumerate(THRESHOLDS):
        reached = set(np.flatnonzero(seen["reach"] > at))
        assert reached == set(select_threshold(logits, threshold).index)


def test_equal_scores_share_a_rank():
    assert dense_ranks(np.array([[0.3], [0.1], [0.3], [0.2]])).tolist() == [[2], [0], [2], [1]]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_gradient_is_the_slope_of_the_loss(seed):
    rng = np.random.default_rng(seed)
    n_classes = rng.integers(2, 6)
    width = rng.integers(2, 8)
    n_images = rng.integers(1, 10)
    w = unit_rows(rng.normal(size=(n_classes, width)))
    x = unit_rows(rng.normal(size=(n_images, width)))
    y = rng.integers(n_classes, size=n_images)
    weight = rng.random(n_images)
    direction = rng.normal(size=(n_classes, width))
    step = 1e-5

    def loss_after(sign):
        return loss_and_gradient(unit_rows(w + sign * step * direction), x, y, weight, 10.0)[0]

    _, gradient = loss_and_gradient(w, x, y, weight, 10.0)
    slope = (loss_after(1) - loss_after(-1)) / (2 * step)
    assert np.isclose(slope, (gradient * direction).sum(), rtol=1e-4, atol=1e-6)
    assert np.allclose((gradient * w).sum(axis=1), 0, atol=1e-9), "a step must stay on the sphere"


def play(made, split, paradigm="ul", **how):
    "Class-vector tuning in Python, on the features as the page has them"
    features = unit_rows(to_bytes(made["train"]))
    usual = {"weights": partial(term_weights, paradigm), "k": Growing(4), "rounds": 4}
    rounds = class_vector_tuning(
        made["vectors"],
        features[split.pool],
        features[split.labelled],
        made["labels"][split.labelled],
        scale=made["scale"],
        allowed=split.allowed,
        **(usual | how),
    )
    return list(rounds)


def split_of(made, paradigm="ul", **how):
    return playground_split(made["labels"], N_CLASSES, paradigm, **how)


def test_self_training_helps_where_classes_are_clusters():
    made = features_of()
    last = play(made, split_of(made))[-1]

    def accuracy(vectors):
        return ((made["test"] @ vectors.T).argmax(axis=1) == made["truth"]).mean()

    assert accuracy(last.vectors) > accuracy(made["vectors"]) + 0.05


def test_only_the_ratio_of_the_weights_counts():
    made = features_of()
    split = split_of(made, "ssl")
    one = play(made, split, weights=lambda n_labelled, n_pseudo: (2, 0.5))[-1]
    ten = play(made, split, weights=lambda n_labelled, n_pseudo: (20, 5))[-1]
    assert np.allclose(one.vectors, ten.vectors)
    assert np.isclose(10 * one.loss, ten.loss)


def test_more_steps_lower_the_loss():
    made = features_of()
    split = split_of(made)
    losses = [play(made, split, rounds=1, steps=steps)[0].loss for steps in (0, 1, 10, 50)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


def test_transductive_labels_stay_with_the_unseen_classes():
    made = features_of()
    split = split_of(made, "trzsl")
    assert set(made["labels"][split.labelled]) == set(split.seen)
    assert set(made["labels"][split.pool]) == set(split.allowed)
    for done in play(made, split, "trzsl"):
        assert set(done.chosen.label) == set(split.allowed)


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_shots_are_drawn_from_every_class(seed, shots):
    labels = np.array([0, 1, 2, 1, 0, 2, 1, 1, 0])
    drawn = draw_shots(labels, 3, shots, seed)
    expected = np.minimum(shots, [3, 4, 2])
    assert (np.diff(drawn) > 0).all()
    assert np.bincount(labels[drawn]).tolist() == expected.tolist()


def test_another_seed_draws_other_shots():
    labels = np.arange(100) % 2
    assert len({tuple(draw_shots(labels, 2, 3, seed)) for seed in range(20)}) == 20


def test_imbalance_thins_the_pool_and_spares_the_shots():
    labels = np.repeat(np.arange(4), 30)
    kept = long_tail(labels, 4, 30)
    split = playground_split(labels, 4, "ssl", kept=kept, shots=3)
    assert np.bincount(labels[split.labelled]).tolist() == [3] * 4
    assert set(split.pool) == set(kept) - set(split.labelled)


@given(st.integers(0, 2**32 - 1))
def test_bytes_keep_the_direction(seed):
    x = unit_rows(np.random.default_rng(seed).normal(size=(20, 32)))
    cosines = (unit_rows(to_bytes(x)) * x).sum(axis=1)
    assert (1 - cosines < 2e-4).all()


def test_as_many_test_images_of_each_class():
    labels = np.array([2, 0, 1, 2, 2, 0, 1, 0])
    assert even_subset(labels, 3, 6).tolist() == [0, 1, 2, 3, 5, 6]


@pytest.mark.parametrize(
    "logits, n_labels, says",
    [(np.zeros((4, 2)), 3, "3 labels and 2 class names"), (np.full((4, 2), np.nan), 4, "NaN")],
)
def test_logits_that_do_not_fit_are_refused(logits, n_labels, says):
    with pytest.raises(ValueError, match=says):
        playground_from_logits(logits, np.zeros(n_labels, int), ["a", "b"])


def test_an_unknown_paradigm_is_refused():
    with pytest.raises(ValueError, match="choose ul, ssl or trzsl"):
        playground_split(np.zeros(4, int), 2, "sll")


def test_features_without_labels_are_refused():
    made = features_of()
    made["labels"][5] = -1
    with pytest.raises(ValueError, match="1 of 120 training images"):
        playground_from_features(**made, names=list("abcdef"))


def test_a_class_with_one_test_image_is_refused():
    made = features_of()
    made["truth"][made["truth"] == 2] = 3
    with pytest.raises(ValueError, match="fewer than two test images"):
        playground_from_features(**made, names=list("abcdef"))


def test_nothing_to_learn_from_is_refused():
    made = features_of()
    split = PlaygroundSplit(np.arange(0), np.arange(120), np.arange(N_CLASSES), None)

    def none_at_all(logits, k, allowed):
        return select_threshold(logits, 1.0)

    with pytest.raises(ValueError, match="neither"):
        play(made, split, select=none_at_all, rounds=1)


def test_a_playground_is_the_same_twice():
    assert training_widget()[1].html() == training_widget()[1].html()


# Style sheets


STATIC = PACKAGE / "views" / "static"
SHEETS = {path.stem: path.read_text(encoding="utf-8") for path in STATIC.glob("*.css")}
OURS = {"playground", "selector_playground", "training_playground"}


def selectors_of(sheet):
    "What stands before the braces"
    without_rules = re.sub(r"\{[^{}]*\}", ";", sheet)
    without_conditions = re.sub(r"@[^{]*", "", re.sub(r"\([^()]*\)", "", without_rules))
    return [part.strip() for part in re.split(r"[;{},]", without_conditions) if part.strip()]


def dressed_by(sheet):
    "The classes that a style sheet speaks of"
    return set(re.findall(r"\.([a-z][\w-]*)", ";".join(selectors_of(sheet))))


def classes_in(script):
    "The classes that a script gives to its elements"
    text = (STATIC / f"{script}.js").read_text(encoding="utf-8")
    return {name for found in re.findall(r'class: ?"([^"]*)', text) for name in found.split()}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_style_sheet_stays_with_its_widget(name):
    "Two widgets can stand on one page"
    for selector in selectors_of(SHEETS[name]):
        assert selector.startswith(".plab.playground")


@pytest.mark.parametrize("name", sorted(OURS))
def test_no_other_style_sheet_dresses_our_widgets(name):
    # every rule of these begins with a class of their own
    own = {
        "draw_picture": ".plab.prompt",
        "learn_prompt": ".plab.learn",
        "prompt_parts": ".plab.prompt",
        "prompt_playground": ".plab.prompt",
        "review": ".plab.review",
        "run_view": ".plab.run-view",
        "scene": ".plab.scene",
    }
    for sheet, start in own.items():
        rules = selectors_of(SHEETS[sheet])
        assert all(rule.startswith((start, "from", "to")) for rule in rules), sheet
    others = SHEETS.keys() - OURS - {"base", "report"} - own.keys()
    foreign = set().union(*(dressed_by(SHEETS[other]) for other in others))
    assert not classes_in(name) & (foreign - dressed_by(SHEETS["base"]))


# The script against Python

SELECT_ALL = """
return given.asked.map(([name, argument]) => {
  const { index, label } = SELECT[name](pool, argument);
  return [index, label];
});"""


@each_pool
def test_selectors_from_ranks_equal_python(script, pool):
    logits = POOLS[pool]
    n_images, n_classes = logits.shape
    names = [str(c) for c in range(n_classes)]
    widget = playground_from_logits(logits, np.zeros(n_images, int), names)
    asked = [(name, a) for name in SELECTORS for a in arguments_of(name, n_images)]
    found = script(
        "selector_playground",
        f"const pool = poolFromRanks(given.data); {SELECT_ALL}",
        {"data": plain(widget.data), "asked": asked},
    )
    for (name, argument), (index, label) in zip(asked, found, strict=True):
        chosen = SELECTORS[name](logits, argument)
        assert index == chosen.index.tolist(), (name, argument)
        assert label == chosen.label.tolist(), (name, argument)


def some_allowed(n_classes):
    "All classes, all but the first, the last alone"
    return {
        tuple(range(n_classes)),
        tuple(range(1, n_classes)) or (0,),
        (n_classes - 1,),
    }


def select_in_python(name, scores, argument, allowed):
    "Fails if the comparison with the script would be unfair"
    if name == "threshold":
        edge = np.isclose(scores.max(axis=1), np.log(argument), rtol=0, atol=1e-12)
        assert not edge.any(), "an image on the very edge"
    else:
        again = dense_ranks(log_probabilities(scores))
        assert (again == dense_ranks(scores)).all(), "rounding moves a tie"
    return SELECTORS[name](scores, argument, allowed=list(allowed))


@each_pool
def test_selectors_from_scores_equal_python(script, pool):
    scores = log_probabilities(POOLS[pool])
    n_images, n_classes = scores.shape
    code = (
        "const pool = poolFromScores(given.scores, given.n, given.nClasses, given.allowed);"
        f"{SELECT_ALL}"
    )
    asked = [(name, a) for name in SELECTORS for a in arguments_of(name, n_images, (0.3, 0.9))]
    given = {
        "scores": scores.ravel().tolist(),
        "n": n_images,
        "nClasses": n_classes,
        "asked": asked,
    }
    for allowed in some_allowed(n_classes):
        found = script("selector_playground", code, given | {"allowed": list(allowed)})
        for (name, argument), (index, label) in zip(asked, found, strict=True):
            chosen = select_in_python(name, scores, argument, allowed)
            assert index == chosen.index.tolist(), (name, argument, allowed)
            assert label == chosen.label.tolist(), (name, argument, allowed)


def or_nan(number):
    return np.nan if number is None else number


@pytest.mark.parametrize(
    "select",
    [
        partial(select_top_k, k=20),
        partial(select_threshold, threshold=0.999),
        partial(select_leaderboard, k=9),
    ],
    ids=["top-K", "threshold", "leaderboard"],
)
def test_counts_equal_the_audit(script, select):
    chosen = select(random_logits(80, 6, 4, sharpness=1.0))
    truth = np.random.default_rng(0).integers(-1, 6, size=80)
    labels = {"index": chosen.index.tolist(), "label": chosen.label.tolist()}
    found = script(
        "selector_playground",
        "return auditOf(given.chosen, given.truth, 6);",
        {"chosen": labels, "truth": truth.tolist()},
    )
    table = audit(chosen, truth, 6)
    rows = found["classes"]
    given_labels = np.bincount(chosen.label, minlength=6)
    precisions = [or_nan(row["precision"]) for row in rows]
    assert [row["known"] for row in rows] == table.chosen.tolist()
    assert [row["right"] for row in rows] == table.right.tolist()
    assert [row["given"] for row in rows] == given_labels.tolist()
    assert precisions == pytest.approx(table.precision.tolist(), nan_ok=True)
    assert or_nan(found["precision"]) == pytest.approx(precision(table), nan_ok=True)
    assert found["double"] == audit_rounds([chosen], truth, 6).double.sum()
    assert found["covered"] == len(set(chosen.index))
    weakest = None if table.precision.isna().all() else int(table.precision.idxmin())
    assert found["weakest"] == weakest


@pytest.mark.parametrize("seed", [0, 1, 77, 999])
def test_random_numbers_equal_python(script, seed):
    numbers = mulberry32(seed)
    code = "const next = mulberry32(given); return range(50).map(next);"
    assert script("training_playground", code, seed) == [next(numbers) for _ in range(50)]


@pytest.mark.parametrize("seed", [0, 1, 77, 999])
@pytest.mark.parametrize("paradigm", ["ul", "ssl", "trzsl"])
def test_splits_equal_python(script, paradigm, seed):
    labels = np.random.default_rng(1).integers(5, size=90)
    kept = long_tail(labels, 5, 10)
    split = playground_split(labels, 5, paradigm, kept=kept, shots=3, seed=seed)
    about = {
        "paradigm": paradigm,
        "kept": kept.tolist(),
        "seen": playground_split(labels, 5, "trzsl").seen.tolist(),
        "shots": 3,
        "seed": seed,
    }
    code = "return splitOf(given.labels, 5, given.about);"
    found = script("training_playground", code, {"labels": labels.tolist(), "about": about})
    assert found == {
        "labelled": split.labelled.tolist(),
        "pool": split.pool.tolist(),
        "allowed": split.allowed.tolist(),
    }


TRAIN = """{
  const { data, about } = given;
  const { width, scale, seen, rate, steps } = data;
  const x = unitRows(unpack(data.images), width);
  const start = unitRows(unpack(data.vectors), width);
  const labels = unpack(data.labels);
  const truth = unpack(data.truth);
  const nClasses = data.names.length;
  const kept = unpack(data.kept[about.ratio]);
  const split = splitOf(labels, nClasses, { ...about, kept, seen, shots: 2, seed: 0 });
  const testRows = range(truth.length).map((i) => labels.length + i);
  const predict = (w) => {
    const logits = logitsOf(x, testRows, w, width, scale);
    const row = (i) => logits.subarray(i * nClasses, (i + 1) * nClasses);
    return range(truth.length).map((i) => argmax(row(i)));
  };
  const job = classVectorTuning({
    ...about, x, width, start, scale, labels, split, rate, steps,
    weights: about.weights ? weightsByHand(...about.weights) : weightsOf(about.paradigm),
    k: about.grows ? growing(about.rounds) : constant(7),
  });
  const before = predict(start);
  const halves = unpack(data.halves);
  const counted = about.paradigm === "trzsl" ? seen : null;
  const out = [];
  for (const { record } of job) {
    if (!record) continue;
    const predictions = predict(record.vectors);
    out.push({
      ...record,
      index: record.chosen.index,
      label: record.chosen.label,
      zero: record.zeroShot.index,
      vectors: null,
      predictions,
      score: scoreOf(predictions, truth, counted),
      ends: quarterChanges(before, predictions, truth, halves, nClasses, data.quarter),
    });
  }
  return out;
}"""

USUAL_RUN = {
    "paradigm": "ul",
    "select": "top_k",
    "grows": True,
    "ratio": "1",
    "threshold": 0.95,
    "weights": None,
    "rounds": 4,
}
RUNS = [
    {},
    {"paradigm": "ssl"},
    {"paradigm": "trzsl"},
    {"select": "leaderboard", "ratio": "10"},
    {"paradigm": "ssl", "select": "argmax_top_k", "grows": False, "ratio": "50"},
    {"paradigm": "trzsl", "select": "leaderboard", "grows": False, "ratio": "10"},
    {"select": "threshold", "threshold": 0.8},
    {"paradigm": "ssl", "weights": (0.5, 3.0)},
    {"paradigm": "ssl", "grows": False, "weights": (0.0, 1.0)},
    {"paradigm": "ssl", "grows": False, "weights": (1.0, 0.0)},
]


def trained_in_python(made, split, about):
    "The rounds that the page should play"
    how = {"k": Growing(about["rounds"]) if about["grows"] else Constant(7)}
    if about["weights"] is not None:
        how["weights"] = lambda n_labelled, n_pseudo: about["weights"]
    return play(made, split, about["paradigm"], select=selector_of(about), **how)


def selector_of(about):
    "The selector of a run, with K as its argument even where it has a threshold"
    if about["select"] != "threshold":
        return SELECTORS[about["select"]]

    def by_threshold(logits, k, allowed):
        return select_threshold(logits, about["threshold"], allowed=allowed)

    return by_threshold


@pytest.mark.parametrize(
    "differing", RUNS, ids=lambda run: "-".join(map(str, run.values())) or "ul"
)
def test_training_equals_python(script, differing):
    about = USUAL_RUN | differing
    made, widget = training_widget(seed=5)
    kept = long_tail(made["labels"], N_CLASSES, int(about["ratio"]))
    split = split_of(made, about["paradigm"], kept=kept)
    played = trained_in_python(made, split, about)
    given = {"data": plain(widget.data), "about": about}
    found = script("training_playground", TRAIN, given)
    for here, there in zip(played, found, strict=True):
        assert there["k"] == here.k
        assert there["index"] == here.chosen.index.tolist()
        assert there["label"] == here.chosen.label.tolist()
        assert there["gamma"] == pytest.approx(here.gamma)
        assert there["lambda"] == pytest.approx(here.lam)
        assert there["loss"] == pytest.approx(here.loss, rel=1e-3)
        expect_measured(there, here, made, split)
        expect_zero_shot(there, here, made, split, about)


def expect_measured(there, here, made, split):
    "Predictions, score and quarters of a round"
    test = unit_rows(to_bytes(made["test"]))
    truth = made["truth"]
    before = (test @ unit_rows(made["vectors"]).T).argmax(axis=1)
    predictions = (test @ here.vectors.T).argmax(axis=1)
    rng = np.random.default_rng(0)
    parts = split_half(before, predictions, truth, generator=rng, splits=16)
    assert there["predictions"] == predictions.tolist()
    assert there["score"] == pytest.approx(score(predictions, truth, split.seen))
    assert there["ends"] == pytest.approx(quarter_changes(parts["ranks"], parts["change"]))


def expect_zero_shot(there, here, made, split, about):
    "The pseudolabels of zero-shot CLIP at the same K"
    pool = unit_rows(to_bytes(made["train"]))[split.pool]
    logits = made["scale"] * pool @ unit_rows(made["vectors"]).T
    by_zero_shot = selector_of(about)(logits, here.k, allowed=split.allowed)
    assert there["zero"] == by_zero_shot.index.tolist()


@pytest.mark.parametrize(
    "weights, threshold, complaint",
    [((1.0, 1.0), 1.0, "took no image"), ((3.0, 0.0), 0.5, "Both weights are 0")],
)
def test_the_page_says_why_it_cannot_train(script, weights, threshold, complaint):
    about = USUAL_RUN | {"select": "threshold", "threshold": threshold, "weights": weights}
    code = f"try {TRAIN} catch (error) {{ return error.message; }}"
    given = {"data": plain(training_widget()[1].data), "about": about}
    assert complaint in script("training_playground", code, given)


# The page in the reader's hands


def selector_widget(names=None, pictures=True, truth=True, n_classes=5):
    "Logits and labels of 50 images, and a playground of them"
    logits = random_logits(50, n_classes, 7, sharpness=2.0)
    rng = np.random.default_rng(7)
    right = rng.random(50) < 0.6
    labels = np.where(right, logits.argmax(axis=1), rng.integers(n_classes, size=50))
    if not truth:
        labels = np.full(50, -1)
    pixels = rng.integers(0, 255, size=(50, 56, 56, 3), dtype=np.uint8)
    names = names or [f"class {c}" for c in range(n_classes)]
    images = Images(pixels) if pictures else None
    return logits, labels, playground_from_logits(logits, labels, names, images, k=4)


def tile(page, name):
    has_name = page.get_by_text(name, exact=True)
    return page.locator(".tiles > div").filter(has=has_name).locator("dd").inner_text()


PAINTED = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => done(true)))
)"""


def painted(page):
    "Wait until the page has drawn what it was told"
    page.evaluate(PAINTED)


def choose(page, name):
    page.get_by_role("radio", name=name, exact=True).click()


def slide_to(page, selector, argument):
    "Choose a selector, and its K or threshold"
    choose(page, NAMES_ON_THE_PAGE[selector])
    painted(page)
    place = THRESHOLDS.index(argument) if selector == "threshold" else argument
    page.get_by_role("slider").fill(str(place))
    painted(page)
    assert page.locator(".slider:not([hidden]) b").inner_text() == str(argument)


WIDTHS = """(lanes) => lanes.map((lane) => {
  const right = lane.querySelector(".hatched").offsetWidth;
  return right / Math.max(1, lane.querySelector(".given").offsetWidth);
})"""


@pytest.mark.parametrize("selector", SELECTORS)
def test_what_is_drawn_is_what_the_audit_counts(browser, tmp_path, selector):
    logits, labels, widget = selector_widget()
    argument = 0.5 if selector == "threshold" else 13
    chosen = SELECTORS[selector](logits, argument)
    table = audit(chosen, labels, 5)
    with opened(browser, widget, tmp_path) as page:
        slide_to(page, selector, argument)
        assert tile(page, "labels given") == str(len(chosen))
        assert tile(page, "right") == str(table.right.sum())
        assert tile(page, "precision") == f"{100 * precision(table):.1f} %"
        assert tile(page, "images with a label") == f"{len(set(chosen.index))} of 50"
        rows = page.locator(".classes .counts").all_inner_texts()
        for said, row in zip(rows, table.itertuples(), strict=True):
            expected = [str(row.right), str(row.chosen)] if row.chosen else []
            assert re.findall(r"\d+", said)[:2] == expected
        widths = page.locator(".classes .lane").evaluate_all(WIDTHS)
        assert widths == pytest.approx(table.precision.fillna(0).tolist(), abs=0.03)


def test_a_class_shows_its_pictures(browser, tmp_path):
    logits, labels, widget = selector_widget()
    chosen = select_top_k(logits, 4)
    truths = labels[chosen.index[chosen.label == 2]]
    with opened(browser, widget, tmp_path) as page:
        page.get_by_role("radio", name=re.compile("^class 2")).click()
        page.get_by_text("Pictures called class 2").wait_for()
        said = page.locator(".sprites li .visually-hidden").all_inner_texts()
        assert said == ["right" if c == 2 else f"wrong: class {c}" for c in truths]


def test_pictures_of_the_weakest_class_are_there_at_once(browser, tmp_path):
    logits, labels, widget = selector_widget()
    table = audit(select_top_k(logits, 4), labels, 5)
    weakest = int(np.argmin(table.right / table.chosen))
    with opened(browser, widget, tmp_path) as page:
        page.get_by_text(f"Pictures called class {weakest}").wait_for()
        assert page.locator(".sprites li").count() == 4
        assert page.locator(".sprites .miss").count() == 4 - table.right[weakest]
        chosen = page.locator(".classes [aria-checked=true]")
        assert chosen.inner_text().startswith(f"class {weakest}")


def test_the_same_as_a_table(browser, tmp_path):
    with opened(browser, selector_widget()[2], tmp_path) as page:
        page.locator("summary").click()
        rows = page.get_by_role("region", name="Pseudolabels by class").locator("tbody tr")
        rows.first.wait_for()
        assert rows.count() == 5


def test_a_pool_without_labels_or_pictures(browser, tmp_path):
    _, _, widget = selector_widget(pictures=False, truth=False)
    with opened(browser, widget, tmp_path) as page:
        assert tile(page, "precision") == "no labels"
        assert page.locator(".classes .counts").first.inner_text() == "4 given"
        assert page.locator(".classes button").count() == 0


def tab_to(page, done, most=60):
    "Press Tab until `done` holds for the element that has the focus"
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => (node => {done})(document.activeElement)"):
            return
    raise AssertionError(f"no element with {done} within {most} tabs")


def test_selector_playground_by_keyboard(browser, tmp_path):
    with opened(browser, selector_widget()[2], tmp_path) as page:
        tab_to(page, "node.dataset.value === 'top_k'")
        page.keyboard.press("ArrowRight")
        painted(page)
        next_one = page.get_by_role("radio", name="argmax-only top-K")
        assert next_one.get_attribute("aria-checked") == "true"
        tab_to(page, "node.type === 'range'")
        page.keyboard.press("ArrowRight")
        slider = page.get_by_role("slider", name="K, images per class")
        assert slider.get_attribute("aria-valuetext") == "5"
        tab_to(page, "node.closest('.classes')")
        shown = int(page.locator(".chosen-pictures bdi").inner_text().removeprefix("class "))
        page.keyboard.press("ArrowDown")
        page.get_by_text(f"Pictures called class {(shown + 1) % 5}").wait_for()
        tab_to(page, "node.tagName === 'SUMMARY'")
        page.keyboard.press("Enter")
        page.get_by_role("region", name="Pseudolabels by class").wait_for()


def wait_until_trained(page):
    page.wait_for_function("() => document.querySelector('progress + span').textContent === 'done'")


def press_train(page):
    page.get_by_role("button", name="Train").click()


def outcomes(page):
    return page.get_by_role("region", name="Outcomes so far").locator("tbody tr")


def test_training_by_keyboard_ends_where_python_ends(browser, tmp_path):
    made, widget = training_widget(seed=2)
    last = play(made, split_of(made), rounds=3, k=Growing(3))[-1]
    predictions = (unit_rows(to_bytes(made["test"])) @ last.vectors.T).argmax(axis=1)
    accuracy = f"{100 * score(predictions, made['truth']):.1f} %"
    right = f"{100 * precision(audit(last.chosen, made['labels'], N_CLASSES)):.1f} %"
    with opened(browser, widget, tmp_path) as page:
        train_by_keyboard(page)
        assert outcomes(page).count() == 1
        assert outcomes(page).locator("th").inner_text() == "1. UL; top-K, K 6 to 20; 3 rounds"
        assert outcomes(page).locator("td").first.inner_text() == accuracy
        assert outcomes(page).locator("td").last.inner_text() == right
        assert page.locator(".big").first.inner_text() == accuracy
        page.wait_for_function(TOLD)
        tab_to(page, "node.tagName === 'SUMMARY'")
        page.keyboard.press("Enter")
        rounds = page.get_by_role("region", name="By round").locator("tbody tr")
        rounds.first.wait_for()
        assert rounds.count() == 3
        assert rounds.last.locator("td").nth(2).inner_text() == f"{last.loss:.4f}"


def train_by_keyboard(page):
    "Three rounds"
    tab_to(page, "node.type === 'range' && node.labels[0].textContent.startsWith('Rounds')")
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    tab_to(page, "node.textContent === 'Train'")
    page.keyboard.press("Enter")
    wait_until_trained(page)


# a screen reader is told what stands in bold
TOLD = """() => {
  const text = (selector) => document.querySelector(selector).textContent;
  return text("[aria-live]") === text(".quarters-line");
}"""


def test_the_page_answers_while_it_trains_and_stops(browser, tmp_path):
    _, widget = training_widget(n_classes=12, width=64, n_train=60, n_test=20)
    with opened(browser, widget, tmp_path) as page:
        page.get_by_role("slider", name="Rounds").fill("15")
        press_train(page)
        stop = page.get_by_role("button", name="Stop")
        stop.wait_for()
        page.wait_for_function("() => document.querySelector('progress').value > 1 / 15")
        choose(page, "SSL")
        assert stop.is_visible()
        assert page.get_by_role("slider", name="Labelled images per class").is_visible()
        stop.click()
        page.get_by_role("button", name="Train").wait_for()
        said = page.get_by_role("region", name="Outcomes so far").inner_text()
        done = int(re.search(r"ended after round (\d+)", said)[1])
        assert 1 <= done < 15
        assert page.locator("progress").evaluate("node => node.value") < 1


TRAINED = """(times) =>
  document.querySelectorAll(".plab table tbody tr").length === times &&
  document.querySelector("button.main").textContent === "Train"
"""


def test_outcomes_are_kept_and_cleared(browser, tmp_path):
    with opened(browser, training_widget()[1], tmp_path) as page:
        for times, paradigm in enumerate(("UL", "SSL", "TRZSL"), start=1):
            choose(page, paradigm)
            press_train(page)
            page.wait_for_function(TRAINED, arg=times)
        rows = outcomes(page).locator("th").all_inner_texts()
        assert [row.split(";")[0] for row in rows] == ["1. UL", "2. SSL with 2 shots", "3. TRZSL"]
        # two earlier outcomes beside the four lines of the last one
        assert page.locator("svg[role=img] polyline").count() == 2 + 4
        page.get_by_role("button", name="Clear").click()
        assert page.locator(".plab table").count() == 0
        assert page.evaluate("document.activeElement.textContent") == "Train"


def weights_shown(page):
    return page.locator(".slider:has(input[max='60']) b").all_inner_texts()


def test_paradigms_are_settings_of_the_weights(browser, tmp_path):
    with opened(browser, training_widget()[1], tmp_path) as page:
        gamma = page.get_by_role("slider", name="γ")
        assert weights_shown(page) == ["0, nothing labelled", "1"]
        assert gamma.is_disabled()
        choose(page, "SSL")
        # 12 shots; K grows to 108 // 6
        assert weights_shown(page) == [f"{6 * (108 // 6) / 12:g} = |U| / |L|", "1"]
        choose(page, "TRZSL")
        # 3 of 6 classes are seen
        assert weights_shown(page) == ["1", "1 = |L| / |U|"]
        gamma.fill("0")
        by_hand, other = weights_shown(page)
        assert by_hand == "0, by hand"
        assert other.endswith("by hand")
        choose(page, "TRZSL")
        assert weights_shown(page) == ["1", "1 = |L| / |U|"]


# Both


def playground(kind, names=None):
    if kind == "selector":
        return selector_widget(names)[2]
    return training_widget(names=names, n_classes=5)[1]


both_kinds = pytest.mark.parametrize("kind", ["selector", "training"])


def test_hostile_names_are_text_in_the_selector_playground(browser, tmp_path):
    with opened(browser, playground("selector", HOSTILE), tmp_path) as page:
        for c in range(5):
            page.locator(".classes button").nth(c).click()
            headings = page.locator(".chosen-pictures .part bdi")
            headings.filter(has_text=HOSTILE[c]).wait_for()
        expect_names_as_text(page)


def test_hostile_names_are_text_in_the_training_playground(browser, tmp_path):
    with opened(browser, playground("training", HOSTILE), tmp_path) as page:
        press_train(page)
        wait_until_trained(page)
        expect_names_as_text(page)


def expect_names_as_text(page):
    assert set(page.locator(".class-row bdi").all_text_contents()) == set(HOSTILE)
    page.locator("summary").click()
    tables = page.locator("details table")
    tables.first.wait_for()
    assert page.locator(".plab img, .plab b:has-text('bold')").count() == 0
    assert set(tables.last.locator("tbody th").all_text_contents()) == set(HOSTILE)


def open_everything(page, kind):
    "As much as the playground can show at once"
    if kind == "selector":
        page.locator(".classes button").first.click()
    else:
        choose(page, "SSL")
        choose(page, "threshold")
        press_train(page)
        wait_until_trained(page)
    page.locator("summary").click()


BEYOND = """(width) => [...document.querySelectorAll(".plab *")]
  .filter((node) => !node.closest(".scroll") && !node.closest(".visually-hidden"))
  .filter((node) => node.getBoundingClientRect().right > width + 0.5)
  .map((node) => node.outerHTML.slice(0, 100))"""


@both_kinds
@pytest.mark.parametrize("width", [320, 375, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_and_follows_the_theme(browser, tmp_path, kind, width, scheme):
    look = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    with opened(browser, playground(kind, HOSTILE), tmp_path, **look) as page:
        open_everything(page, kind)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        beyond = page.evaluate(BEYOND, width)
        assert not beyond, beyond
        assert page.locator(".plab").get_attribute("data-theme") == scheme


HOSTS = [  # how each says that it is dark, on a page without a colour of its own
    ("document.documentElement.setAttribute('theme', 'dark')", "dark"),
    ("document.documentElement.setAttribute('theme', 'light')", "light"),
    ("document.body.dataset.vscodeThemeKind = 'vscode-dark'", "dark"),
    ("document.body.dataset.vscodeThemeKind = 'vscode-high-contrast'", "dark"),
    ("document.body.dataset.vscodeThemeKind = 'vscode-high-contrast-light'", "light"),
    ("document.body.dataset.jpThemeLight = 'false'", "dark"),
    ("document.documentElement.style.colorScheme = 'dark'", "dark"),
    ("document.body.style.background = '#111'", "dark"),
    ("", "light"),
]


def test_follows_the_host_of_a_page_without_a_colour(browser, tmp_path):
    with opened(browser, playground("training"), tmp_path, color_scheme="dark") as page:
        # the page's own style sheet has a colour
        page.evaluate("document.querySelectorAll('head style').forEach((sheet) => sheet.remove())")
        for says, theme in HOSTS:
            page.evaluate(f"() => {{ {says} }}")
            page.wait_for_timeout(120)
            assert page.locator(".plab").get_attribute("data-theme") == theme, says
            for place in ("documentElement", "body"):
                page.evaluate(
                    f"[...document.{place}.attributes].forEach("
                    f"({{name}}) => document.{place}.removeAttribute(name))"
                )


NAMELESS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const labelled = ".plab [role=radiogroup], .plab progress, .plab svg[role=img]";
  const nameless = [
    ...all(".plab input").filter((node) => !node.labels.length),
    ...all(".plab button, .plab summary").filter((node) => !node.textContent.trim()),
    ...all(labelled).filter((node) => !node.getAttribute("aria-label")),
  ];
  return nameless.map((node) => node.outerHTML);
}"""


@both_kinds
def test_every_control_has_a_name(browser, tmp_path, kind):
    with opened(browser, playground(kind), tmp_path) as page:
        if kind == "training":
            choose(page, "SSL")
            choose(page, "threshold")
        nameless = page.evaluate(NAMELESS)
        assert not nameless, nameless
        for group in page.get_by_role("radiogroup").all():
            stops = group.locator("[tabindex='0']")
            assert stops.count() == 1, "one stop of the Tab key per group"


@both_kinds
def test_without_scripts_there_is_a_table(browser, tmp_path, kind):
    path = playground(kind, HOSTILE).save(tmp_path / "still.html")
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator(".plab table tbody tr").count() == 5
    assert page.locator(".plab img").count() == 0
    context.close()
