"""The benches: what the page computes is what Python computes, and a reader can use them with no
network, by keyboard, on a phone.
"""

import json
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pseudolab.views.playgrounds import (
    PlaygroundSplit,
    THRESHOLDS,
    playground_from_features,
    playground_from_logits,
    playground_split,
    class_vector_tuning,
    dense_ranks,
    draw_shots,
    even_subset,
    loss_and_gradient,
    mulberry32,
    selector_ranks,
    to_bytes,
    unit_rows,
)
from pseudolab.method.equity import quarter_changes, split_half
from pseudolab.method.loss import term_weights
from pseudolab.method.splits import score
from pseudolab.method.pseudolabels import audit, audit_rounds, precision
from pseudolab.method.selectors import (
    log_probabilities,
    select_argmax_top_k,
    select_leaderboard,
    select_threshold,
    select_top_k,
)
from pseudolab.settings import PACKAGE
from pseudolab.method.strategies import constant, growing
from pseudolab.data.tasks import Images, long_tail
from pseudolab.views.html import module

SELECTORS = {
    "top_k": select_top_k,
    "argmax_top_k": select_argmax_top_k,
    "leaderboard": select_leaderboard,
    "threshold": select_threshold,
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
    "Run JavaScript that sees everything in a bench's script; `given` is what it gets"
    page = browser.new_page()

    def run(name, code, given=None):
        return page.evaluate(f"given => {{\n{module(name)}\n{code}\n}}", given)

    yield run
    page.close()


class Visit:
    "A saved bench, open in the browser with the network cut off"

    def __init__(self, browser, widget, folder, **options):
        path = widget.save(folder / "bench.html")
        self.context = browser.new_context(offline=True, **options)
        self.page, self.complaints = self.context.new_page(), []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "dialog",
            lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()),
        )
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((path.as_uri(), "data:"))
                else self.complaints.append(request.url)
            ),
        )
        self.page.goto(path.as_uri())
        self.page.locator(".plab[data-mounted]").wait_for()

    def __enter__(self):
        return self.page

    def __exit__(self, kind, *_):
        self.context.close()
        assert kind is not None or not self.complaints, self.complaints


# What the tests draw on


def random_logits(U, C, seed=0, sharpness=5.0):
    return np.random.default_rng(seed).normal(size=(U, C)) * sharpness


def logits_of(kind):
    "Pools that are easy to get wrong"
    rng = np.random.default_rng(3)
    return {
        "random": random_logits(60, 7),
        "few whole numbers": rng.integers(0, 3, size=(50, 4)).astype(float),
        "all alike": np.zeros((20, 5)),
        "saturated": np.where(random_logits(40, 6, 1) > 6, 1e4, -1e4),
        "nearly saturated": (
            40.0 + 40 * np.eye(6)[rng.integers(6, size=40)] + 1e-3 * rng.normal(size=(40, 6))
        ),
        "each image twice": np.repeat(random_logits(25, 5, 2), 2, axis=0),
        "rows in another order": np.array(
            [rng.permutation([1.25, 2.5, 0.1, 3.7]) for _ in range(60)]
        ),
        "one class": rng.normal(size=(12, 1)),
        "one image": rng.normal(size=(1, 4)),
        "half each": np.log([[0.5, 0.5]] * 6),
    }[kind]


KINDS = [
    "random",
    "few whole numbers",
    "all alike",
    "saturated",
    "nearly saturated",
    "each image twice",
    "rows in another order",
    "one class",
    "one image",
    "half each",
]


def ks(U):
    return sorted({k for k in (1, 2, 7, U // 2, U) if 1 <= k <= U})


def features_of(C=6, D=16, n_train=20, n_test=10, seed=0, spread=0.4):
    "Training and test images scattered about the class vectors, which are themselves a little off"
    rng = np.random.default_rng(seed)
    centres = unit_rows(rng.normal(size=(C, D)))
    labels, truth = (rng.permutation(np.repeat(np.arange(C), n)) for n in (n_train, n_test))
    around = lambda y: unit_rows(centres[y] + spread * rng.normal(size=(len(y), D)))
    return dict(
        train=around(labels),
        labels=labels,
        test=around(truth),
        truth=truth,
        vectors=unit_rows(centres + 0.25 * rng.normal(size=(C, D))).astype(np.float32),
        scale=12.0,
    )


def training_widget(names=None, **how):
    made = features_of(**how)
    return made, playground_from_features(
        **made, names=names or [f"class {c}" for c in range(len(made["vectors"]))]
    )


# In Python alone


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_ranks_compare_as_scores_do(U, C, seed):
    logits = np.random.default_rng(seed).integers(-2, 3, size=(U, C)) / 3
    scores, seen = log_probabilities(logits), selector_ranks(logits)
    assert (
        np.sign(seen["ranks"][:, None] - seen["ranks"]) == np.sign(scores[:, None] - scores)
    ).all()
    ordered = np.take_along_axis(scores, seen["order"], axis=1)
    assert (np.diff(ordered, axis=1) <= 0).all() and (
        np.sort(seen["order"], axis=1) == np.arange(C)
    ).all()
    for at, threshold in enumerate(THRESHOLDS):
        assert set(np.flatnonzero(seen["reach"] > at)) == set(
            select_threshold(logits, threshold).index
        )


def test_equal_scores_share_a_rank():
    assert dense_ranks(np.array([[0.3], [0.1], [0.3], [0.2]])).tolist() == [[2], [0], [2], [1]]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_gradient_is_the_slope_of_the_loss(seed):
    rng = np.random.default_rng(seed)
    C, D, B = rng.integers(2, 6), rng.integers(2, 8), rng.integers(1, 10)
    w, x, y, weight = (
        unit_rows(rng.normal(size=(C, D))),
        unit_rows(rng.normal(size=(B, D))),
        rng.integers(C, size=B),
        rng.random(B),
    )
    direction, step = rng.normal(size=(C, D)), 1e-5
    loss = lambda sign: loss_and_gradient(
        unit_rows(w + sign * step * direction), x, y, weight, 10.0
    )[0]
    gradient = loss_and_gradient(w, x, y, weight, 10.0)[1]
    assert np.isclose(
        (loss(1) - loss(-1)) / (2 * step), (gradient * direction).sum(), rtol=1e-4, atol=1e-6
    )
    assert np.allclose((gradient * w).sum(axis=1), 0, atol=1e-9), "a step must stay on the sphere"


def play(made, split, paradigm="ul", **how):
    features = unit_rows(to_bytes(made["train"]))
    how = dict(weights=partial(term_weights, paradigm), k=growing(4), rounds=4) | how
    return list(
        class_vector_tuning(
            made["vectors"],
            features[split.pool],
            features[split.labelled],
            made["labels"][split.labelled],
            scale=made["scale"],
            allowed=split.allowed,
            **how,
        )
    )


def test_self_training_helps_where_classes_are_clusters():
    made = features_of()
    last = play(made, playground_split(made["labels"], 6, "ul"))[-1].vectors
    before, after = (
        ((made["test"] @ w.T).argmax(1) == made["truth"]).mean() for w in (made["vectors"], last)
    )
    assert after > before + 0.05


def test_only_the_ratio_of_the_weights_counts():
    made = features_of()
    split = playground_split(made["labels"], 6, "ssl")
    one, ten = (
        play(made, split, weights=lambda L, P: (2 * times, 0.5 * times))[-1] for times in (1, 10)
    )
    assert np.allclose(one.vectors, ten.vectors) and np.isclose(10 * one.loss, ten.loss)


def test_more_steps_lower_the_loss():
    made = features_of()
    split = playground_split(made["labels"], 6, "ul")
    losses = [play(made, split, rounds=1, steps=steps)[0].loss for steps in (0, 1, 10, 50)]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]


def test_transductive_labels_stay_with_the_unseen_classes():
    made = features_of()
    split = playground_split(made["labels"], 6, "trzsl")
    assert set(made["labels"][split.labelled]) == set(split.seen) and set(
        made["labels"][split.pool]
    ) == set(split.allowed)
    assert all(set(done.chosen.label) == set(split.allowed) for done in play(made, split, "trzsl"))


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_shots_are_drawn_from_every_class(seed, shots):
    labels = np.array([0, 1, 2, 1, 0, 2, 1, 1, 0])
    drawn = draw_shots(labels, 3, shots, seed)
    assert (np.diff(drawn) > 0).all() and np.bincount(labels[drawn]).tolist() == np.minimum(
        shots, [3, 4, 2]
    ).tolist()


def test_another_seed_draws_other_shots():
    assert len({tuple(draw_shots(np.arange(100) % 2, 2, 3, seed)) for seed in range(20)}) == 20


def test_imbalance_thins_the_pool_and_spares_the_shots():
    labels = np.repeat(np.arange(4), 30)
    kept = long_tail(labels, 4, 30)
    split = playground_split(labels, 4, "ssl", kept=kept, shots=3)
    assert np.bincount(labels[split.labelled]).tolist() == [3] * 4 and set(split.pool) == set(
        kept
    ) - set(split.labelled)


@given(st.integers(0, 2**32 - 1))
def test_bytes_keep_the_direction(seed):
    x = unit_rows(np.random.default_rng(seed).normal(size=(20, 32)))
    assert (1 - (unit_rows(to_bytes(x)) * x).sum(1) < 2e-4).all()


def test_as_many_test_images_of_each_class():
    labels = np.array([2, 0, 1, 2, 2, 0, 1, 0])
    assert even_subset(labels, 3, 6).tolist() == [0, 1, 2, 3, 5, 6]


def test_a_bench_says_what_does_not_fit():
    with pytest.raises(ValueError, match="3 labels and 2 class names"):
        playground_from_logits(np.zeros((4, 2)), np.zeros(3, int), ["a", "b"])
    with pytest.raises(ValueError, match="NaN"):
        playground_from_logits(np.full((4, 2), np.nan), np.zeros(4, int), ["a", "b"])
    with pytest.raises(ValueError, match="choose ul, ssl or trzsl"):
        playground_split(np.zeros(4, int), 2, "sll")
    made = features_of()
    with pytest.raises(ValueError, match="1 of 120 training images"):
        playground_from_features(
            **made | {"labels": np.where(np.arange(120) == 5, -1, made["labels"])},
            names=list("abcdef"),
        )
    with pytest.raises(ValueError, match="fewer than two test images"):
        playground_from_features(
            **made | {"truth": np.where(made["truth"] == 2, 3, made["truth"])}, names=list("abcdef")
        )
    with pytest.raises(ValueError, match="neither"):
        play(
            made,
            PlaygroundSplit(np.arange(0), np.arange(120), np.arange(6), None),
            select=lambda z, k, allowed: select_threshold(z, 1.0),
            rounds=1,
        )


def test_a_bench_is_the_same_twice():
    assert training_widget()[1].html() == training_widget()[1].html()


def test_style_sheets_stay_with_their_widget():
    "Two widgets can stand on one page"
    sheets = {
        path.stem: re.sub(r"\{[^{}]*\}", ";", path.read_text(encoding="utf-8"))
        for path in (PACKAGE / "views" / "static").glob("*.css")
    }
    ours = {name for name in sheets if "bench" in name}
    for name in ours:
        rules = [
            rule.strip()
            for rule in re.split(
                r"[;{},]", re.sub(r"@[^{]*", "", re.sub(r"\([^()]*\)", "", sheets[name]))
            )
        ]
        assert all(rule.startswith(".plab.bench") for rule in rules if rule), name
    classes = lambda text: set(re.findall(r"\.([a-z][\w-]*)", text))
    used = {
        word
        for name in ours
        for found in re.findall(
            r'class: ?"([^"]*)',
            (PACKAGE / "views" / "static" / f"{name}.js").read_text(encoding="utf-8"),
        )
        for word in found.split()
    }
    foreign = set().union(
        *(classes(text) for name, text in sheets.items() if name not in ours | {"base", "report"})
    ) - classes(sheets["base"])
    assert not used & foreign, "another widget's style sheet would dress ours"


# The script against Python

LABELLED = "const list = ({ index, label }) => [index, label];"


@pytest.mark.parametrize("kind", KINDS)
def test_selectors_from_ranks_equal_python(script, kind):
    logits = logits_of(kind)
    U, C = logits.shape
    data = json.loads(
        json.dumps(
            playground_from_logits(logits, np.zeros(U, int), [str(c) for c in range(C)]).data
        )
    )
    asked = [
        (name, argument)
        for name in SELECTORS
        for argument in (ks(U) if name != "threshold" else THRESHOLDS)
    ]
    found = script(
        "selector_playground",
        f"{LABELLED} const pool = poolFromRanks(given.data); return given.asked.map(([name,"
        " argument]) => list(SELECT[name](pool, argument)));",
        dict(data=data, asked=asked),
    )
    for (name, argument), (index, label) in zip(asked, found, strict=True):
        chosen = SELECTORS[name](logits, argument)
        assert (index, label) == (chosen.index.tolist(), chosen.label.tolist()), (name, argument)


@pytest.mark.parametrize("kind", KINDS)
def test_selectors_from_scores_equal_python(script, kind):
    scores = log_probabilities(logits_of(kind))
    U, C = scores.shape
    for allowed in {tuple(range(C)), tuple(range(1, C)) or (0,), (C - 1,)}:
        asked = [
            (name, argument)
            for name in SELECTORS
            for argument in (ks(U) if name != "threshold" else (0.3, 0.9))
        ]
        code = (
            f"{LABELLED} const pool = poolFromScores(given.scores, given.U, given.C,"
            " given.allowed); return given.asked.map(([name, argument]) => list(SELECT[name](pool,"
            " argument)));"
        )
        found = script(
            "selector_playground",
            code,
            dict(scores=scores.ravel().tolist(), U=U, C=C, allowed=list(allowed), asked=asked),
        )
        for (name, argument), (index, label) in zip(asked, found, strict=True):
            chosen = (
                SELECTORS[name](_as_they_are(scores), argument, allowed=list(allowed))
                if name != "threshold"
                else _by_threshold(scores, argument, allowed)
            )
            assert (index, label) == (chosen.index.tolist(), chosen.label.tolist()), (
                name,
                argument,
                allowed,
            )


def _as_they_are(scores):
    """Scores of which the log-softmax gives the same order, class by class; where rounding moves a
    tie the test would be unfair, so look
    """
    again = log_probabilities(scores)
    assert (dense_ranks(again) == dense_ranks(scores)).all()
    return scores


def _by_threshold(scores, threshold, allowed):
    assert not np.isclose(scores.max(axis=1), np.log(threshold), rtol=0, atol=1e-12).any(), (
        "an image on the very edge"
    )
    return select_threshold(scores, threshold, allowed=list(allowed))


def test_counts_equal_the_audit(script):
    logits, rng = random_logits(80, 6, 4, sharpness=1.0), np.random.default_rng(0)
    truth = rng.integers(-1, 6, size=80)
    for chosen in (
        select_top_k(logits, 20),
        select_threshold(logits, 0.999),
        select_leaderboard(logits, 9),
    ):
        found = script(
            "selector_playground",
            "return auditOf(given.chosen, given.truth, 6);",
            dict(
                chosen=dict(index=chosen.index.tolist(), label=chosen.label.tolist()),
                truth=truth.tolist(),
            ),
        )
        table, rounds = audit(chosen, truth, 6), audit_rounds([chosen], truth, 6)
        assert [row["known"] for row in found["classes"]] == table.chosen.tolist() and [
            row["right"] for row in found["classes"]
        ] == table.right.tolist()
        assert [row["given"] for row in found["classes"]] == np.bincount(
            chosen.label, minlength=6
        ).tolist()
        assert [
            np.nan if row["precision"] is None else row["precision"] for row in found["classes"]
        ] == pytest.approx(table.precision.tolist(), nan_ok=True)
        assert (found["precision"] if found["precision"] is not None else np.nan) == pytest.approx(
            precision(table), nan_ok=True
        )
        assert found["double"] == rounds.double.sum() and found["covered"] == len(set(chosen.index))
        assert found["weakest"] == (
            None if table.precision.isna().all() else int(table.precision.idxmin())
        )


def test_random_numbers_and_splits_equal_python(script):
    labels = np.random.default_rng(1).integers(5, size=90)
    for seed in (0, 1, 77, 999):
        numbers = mulberry32(seed)
        assert script(
            "training_playground",
            "const next = mulberry32(given); return range(50).map(next);",
            seed,
        ) == [next(numbers) for _ in range(50)]
        for paradigm in ("ul", "ssl", "trzsl"):
            kept = long_tail(labels, 5, 10)
            split = playground_split(labels, 5, paradigm, kept=kept, shots=3, seed=seed)
            given = dict(
                labels=labels.tolist(),
                about=dict(
                    paradigm=paradigm,
                    kept=kept.tolist(),
                    seen=playground_split(labels, 5, "trzsl").seen.tolist(),
                    shots=3,
                    seed=seed,
                ),
            )
            found = script(
                "training_playground", "return splitOf(given.labels, 5, given.about);", given
            )
            assert found == dict(
                labelled=split.labelled.tolist(),
                pool=split.pool.tolist(),
                allowed=split.allowed.tolist(),
            )


TRAIN = """
const { data, about } = given, x = unitRows(unpack(data.images), data.width), start = unitRows(unpack(data.vectors), data.width), labels = unpack(data.labels), truth = unpack(data.truth), C = data.names.length;
const split = splitOf(labels, C, { paradigm: about.paradigm, kept: unpack(data.kept[about.ratio]), seen: data.seen, shots: 2, seed: 0 });
const predict = w => { const z = logitsOf(x, range(truth.length).map(i => labels.length + i), w, data.width, data.scale); return range(truth.length).map(i => argmax(z.subarray(i * C, (i + 1) * C))); };
const job = classVectorTuning({ x, width: data.width, start, scale: data.scale, labels, split, weights: about.weights ? weightsByHand(...about.weights) : weightsOf(about.paradigm),
  k: about.grows ? growing(about.rounds) : constant(7), rounds: about.rounds, select: about.select, threshold: about.threshold, rate: data.rate, steps: data.steps });
const before = predict(start), out = [];
for (const { record } of job) if (record) {
  const predictions = predict(record.vectors), seen = about.paradigm === "trzsl" ? data.seen : null;
  out.push({ k: record.k, loss: record.loss, gamma: record.gamma, lambda: record.lambda, index: record.chosen.index, label: record.chosen.label, zero: record.zeroShot.index, predictions, score: scoreOf(predictions, truth, seen),
    ends: quarterChanges(before, predictions, truth, unpack(data.halves), C, data.quarter) });
}
return out;"""

RUNS = [
    dict(
        paradigm=paradigm,
        select=select,
        grows=grows,
        ratio=ratio,
        threshold=threshold,
        weights=weights,
        rounds=4,
    )
    for paradigm, select, grows, ratio, threshold, weights in (
        ("ul", "top_k", True, "1", 0.95, None),
        ("ssl", "top_k", True, "1", 0.95, None),
        ("trzsl", "top_k", True, "1", 0.95, None),
        ("ul", "leaderboard", True, "10", 0.95, None),
        ("ssl", "argmax_top_k", False, "50", 0.95, None),
        ("trzsl", "leaderboard", False, "10", 0.95, None),
        ("ul", "threshold", True, "1", 0.8, None),
        ("ssl", "top_k", True, "1", 0.95, (0.5, 3.0)),
        ("ssl", "top_k", False, "1", 0.95, (0.0, 1.0)),
        ("ssl", "top_k", False, "1", 0.95, (1.0, 0.0)),
    )
]


@pytest.mark.parametrize(
    "about",
    RUNS,
    ids=lambda about: f"{about['paradigm']}-{about['select']}-{about['ratio']}-{about['weights']}",
)
def test_training_equals_python(script, about):
    made, widget = training_widget(seed=5)
    C, labels, truth = 6, made["labels"], made["truth"]
    split = playground_split(
        labels, C, about["paradigm"], kept=long_tail(labels, C, int(about["ratio"]))
    )
    select = (
        (lambda z, k, allowed: select_threshold(z, about["threshold"], allowed=allowed))
        if about["select"] == "threshold"
        else SELECTORS[about["select"]]
    )
    weights = (
        partial(term_weights, about["paradigm"])
        if about["weights"] is None
        else lambda L, P: about["weights"]
    )
    played = play(
        made, split, weights=weights, select=select, k=growing(4) if about["grows"] else constant(7)
    )
    found = script(
        "training_playground", TRAIN, dict(data=json.loads(json.dumps(widget.data)), about=about)
    )
    test, zero_shot = unit_rows(to_bytes(made["test"])), unit_rows(made["vectors"])
    before = (test @ zero_shot.T).argmax(1)
    for here, there in zip(played, found, strict=True):
        predictions = (test @ here.vectors.T).argmax(1)
        assert (there["k"], there["index"], there["label"]) == (
            here.k,
            here.chosen.index.tolist(),
            here.chosen.label.tolist(),
        )
        assert (there["gamma"], there["lambda"]) == pytest.approx((here.gamma, here.lam)) and there[
            "loss"
        ] == pytest.approx(here.loss, rel=1e-3)
        assert there["predictions"] == predictions.tolist() and there["score"] == pytest.approx(
            score(predictions, truth, split.seen)
        )
        parts = split_half(
            before, predictions, truth, generator=np.random.default_rng(0), splits=16
        )
        assert there["ends"] == pytest.approx(quarter_changes(parts["ranks"], parts["change"]))
        by_zero_shot = select(
            made["scale"] * unit_rows(to_bytes(made["train"]))[split.pool] @ zero_shot.T,
            here.k,
            allowed=split.allowed,
        )
        assert there["zero"] == by_zero_shot.index.tolist()


@pytest.mark.parametrize(
    "weights, threshold, complaint",
    [((1.0, 1.0), 1.0, "took no image"), ((3.0, 0.0), 0.5, "Both weights are 0")],
)
def test_the_page_says_why_it_cannot_train(script, weights, threshold, complaint):
    about = dict(
        paradigm="ul",
        select="threshold",
        grows=True,
        ratio="1",
        threshold=threshold,
        weights=weights,
        rounds=2,
    )
    code = (
        f"try {{ return ((given) => {{ {TRAIN} }})(given); }} catch (error) {{ return"
        " error.message; }"
    )
    assert complaint in script(
        "training_playground",
        code,
        dict(data=json.loads(json.dumps(training_widget()[1].data)), about=about),
    )


# The page in the reader's hands


def pool_bench(names=None, pictures=True, truth=True, C=5):
    logits, rng = random_logits(50, C, 7, sharpness=2.0), np.random.default_rng(7)
    labels = (
        np.where(rng.random(50) < 0.6, logits.argmax(1), rng.integers(C, size=50))
        if truth
        else np.full(50, -1)
    )
    images = (
        Images(rng.integers(0, 255, size=(50, 56, 56, 3), dtype=np.uint8)) if pictures else None
    )
    return (
        logits,
        labels,
        playground_from_logits(
            logits, labels, names or [f"class {c}" for c in range(C)], images, k=4
        ),
    )


def tile(page, name):
    return (
        page.locator(".tiles > div")
        .filter(has=page.get_by_text(name, exact=True))
        .locator("dd")
        .inner_text()
    )


def painted(page):
    "Wait until the page has drawn what it was told"
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>"
        " done(true))))"
    )


def test_what_is_drawn_is_what_the_audit_counts(browser, tmp_path):
    logits, labels, widget = pool_bench()
    with Visit(browser, widget, tmp_path) as page:
        for name, said in (
            ("top_k", "top-K"),
            ("leaderboard", "leaderboard"),
            ("argmax_top_k", "argmax-only top-K"),
            ("threshold", "threshold"),
        ):
            page.get_by_role("radio", name=said, exact=True).click()
            painted(page)
            argument = 0.5 if name == "threshold" else 13
            page.get_by_role("slider").fill(
                str(THRESHOLDS.index(0.5) if name == "threshold" else argument)
            )
            painted(page)
            assert page.locator(".slider:not([hidden]) b").inner_text() == str(argument)
            chosen = SELECTORS[name](logits, argument)
            table = audit(chosen, labels, 5)
            assert [
                tile(page, what)
                for what in ("labels given", "right", "precision", "images with a label")
            ] == [
                str(len(chosen)),
                str(table.right.sum()),
                f"{precision(table):.1%}".replace("%", " %"),
                f"{len(set(chosen.index))} of 50",
            ]
            rows = page.locator(".classes .counts").all_inner_texts()
            assert [re.findall(r"\d+", row)[:2] for row in rows] == [
                [str(row.right), str(row.chosen)] if row.chosen else []
                for row in table.itertuples()
            ]
            widths = page.locator(".classes .lane").evaluate_all(
                "lanes => lanes.map(lane => lane.querySelector('.hatched').offsetWidth /"
                " Math.max(1, lane.querySelector('.given').offsetWidth))"
            )
            assert widths == pytest.approx(table.precision.fillna(0).tolist(), abs=0.03)


def test_a_class_shows_its_pictures(browser, tmp_path):
    logits, labels, widget = pool_bench()
    with Visit(browser, widget, tmp_path) as page:
        page.get_by_role("radio", name=re.compile("^class 2")).click()
        page.locator(".sprites li").first.wait_for()
        chosen = select_top_k(logits, 4)
        images = chosen.index[chosen.label == 2]
        assert page.locator(".sprites li .visually-hidden").all_inner_texts() == [
            "right" if labels[i] == 2 else f"wrong: class {labels[i]}" for i in images
        ]
        page.locator("summary").click()
        table = page.get_by_role("region", name="Pseudolabels by class").locator("tbody tr")
        table.first.wait_for()
        assert table.count() == 5


def test_a_pool_without_labels_or_pictures(browser, tmp_path):
    with Visit(browser, pool_bench(pictures=False, truth=False)[2], tmp_path) as page:
        assert (
            tile(page, "precision") == "no labels"
            and page.locator(".classes .counts").first.inner_text() == "4 given"
        )
        assert page.locator(".classes button").count() == 0


def tab_to(page, done, most=60):
    "Press Tab until `done` holds for the element that has the focus"
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => (node => {done})(document.activeElement)"):
            return
    raise AssertionError(f"no element with {done} within {most} tabs")


def test_selector_bench_by_keyboard(browser, tmp_path):
    with Visit(browser, pool_bench()[2], tmp_path) as page:
        tab_to(page, "node.dataset.value === 'top_k'")
        page.keyboard.press("ArrowRight")
        painted(page)
        assert (
            page.get_by_role("radio", name="argmax-only top-K").get_attribute("aria-checked")
            == "true"
        )
        tab_to(page, "node.type === 'range'")
        page.keyboard.press("ArrowRight")
        assert (
            page.get_by_role("slider", name="K, images per class").get_attribute("aria-valuetext")
            == "5"
        )
        tab_to(page, "node.closest('.classes')")
        page.keyboard.press("ArrowDown")
        page.get_by_text("Pictures called class 1").wait_for()
        tab_to(page, "node.tagName === 'SUMMARY'")
        page.keyboard.press("Enter")
        page.get_by_role("region", name="Pseudolabels by class").wait_for()


def wait_until_trained(page):
    page.wait_for_function("() => document.querySelector('progress + span').textContent === 'done'")


def test_training_by_keyboard_ends_where_python_ends(browser, tmp_path):
    made, widget = training_widget(seed=2)
    with Visit(browser, widget, tmp_path) as page:
        tab_to(page, "node.type === 'range' && node.labels[0].textContent.startsWith('Rounds')")
        for _ in range(7):
            page.keyboard.press("ArrowLeft")
        tab_to(page, "node.textContent === 'Train'")
        page.keyboard.press("Enter")
        wait_until_trained(page)
        last = play(made, playground_split(made["labels"], 6, "ul"), rounds=3, k=growing(3))[-1]
        predictions, right = (
            (unit_rows(to_bytes(made["test"])) @ last.vectors.T).argmax(1),
            made["labels"],
        )
        row = page.get_by_role("region", name="Outcomes so far").locator("tbody tr")
        assert (
            row.count() == 1
            and row.locator("th").inner_text() == "1. UL; top-K, K 6 to 20; 3 rounds"
        )
        assert (
            row.locator("td").first.inner_text()
            == f"{100 * score(predictions, made['truth']):.1f} %"
            == page.locator(".big").first.inner_text()
        )
        assert (
            row.locator("td").last.inner_text()
            == f"{100 * precision(audit(last.chosen, right, 6)):.1f} %"
        )
        page.wait_for_function(
            "() => document.querySelector('[aria-live]').textContent ==="
            " document.querySelector('.quarters-line').textContent"
        )
        tab_to(page, "node.tagName === 'SUMMARY'")
        page.keyboard.press("Enter")
        rounds = page.get_by_role("region", name="By round").locator("tbody tr")
        rounds.first.wait_for()
        assert (
            rounds.count() == 3
            and rounds.last.locator("td").nth(2).inner_text() == f"{last.loss:.4f}"
        )


def test_the_page_answers_while_it_trains_and_stops(browser, tmp_path):
    made, widget = training_widget(C=12, D=64, n_train=60, n_test=20)
    with Visit(browser, widget, tmp_path) as page:
        page.get_by_role("slider", name="Rounds").fill("15")
        page.get_by_role("button", name="Train").click()
        page.get_by_role("button", name="Stop").wait_for()
        page.wait_for_function("() => document.querySelector('progress').value > 1 / 15")
        # answered while it trains
        page.get_by_role("radio", name="SSL", exact=True).click()
        assert (
            page.get_by_role("button", name="Stop").is_visible()
            and page.get_by_role("slider", name="Labelled images per class").is_visible()
        )
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Train").wait_for()
        done = int(
            re.search(
                r"ended after round (\d+)",
                page.get_by_role("region", name="Outcomes so far").inner_text(),
            )[1]
        )
        assert 1 <= done < 15 and page.locator("progress").evaluate("node => node.value") < 1


def test_outcomes_are_kept_and_cleared(browser, tmp_path):
    with Visit(browser, training_widget()[1], tmp_path) as page:
        for times, paradigm in enumerate(("UL", "SSL", "TRZSL"), start=1):
            page.get_by_role("radio", name=paradigm, exact=True).click()
            page.get_by_role("button", name="Train").click()
            page.wait_for_function(
                "times => document.querySelectorAll('.plab table tbody tr').length === times &&"
                " document.querySelector('button.main').textContent === 'Train'",
                arg=times,
            )
        rows = (
            page.get_by_role("region", name="Outcomes so far").locator("tbody th").all_inner_texts()
        )
        assert [row.split(";")[0] for row in rows] == ["1. UL", "2. SSL with 2 shots", "3. TRZSL"]
        # two earlier outcomes beside the four lines of the last one
        assert page.locator("svg[role=img] polyline").count() == 2 + 4
        page.get_by_role("button", name="Clear").click()
        assert (
            page.locator(".plab table").count() == 0
            and page.evaluate("document.activeElement.textContent") == "Train"
        )


def test_paradigms_are_settings_of_the_weights(browser, tmp_path):
    made, widget = training_widget()
    with Visit(browser, widget, tmp_path) as page:
        shown = lambda: page.locator(".slider:has(input[max='60']) b").all_inner_texts()
        assert (
            shown() == ["0, nothing labelled", "1"]
            and page.get_by_role("slider", name="γ").is_disabled()
        )
        page.get_by_role("radio", name="SSL", exact=True).click()
        # 12 shots; K grows to 108 // 6
        assert shown() == [f"{6 * (108 // 6) / 12:g} = |U| / |L|", "1"]
        page.get_by_role("radio", name="TRZSL", exact=True).click()
        # 3 of 6 classes are seen
        assert shown() == ["1", f"{60 / 60:g} = |L| / |U|"]
        page.get_by_role("slider", name="γ").fill("0")
        assert shown()[0] == "0, by hand" and shown()[1].endswith("by hand")
        page.get_by_role("radio", name="TRZSL", exact=True).click()
        assert shown() == ["1", "1 = |L| / |U|"]


BENCHES = {
    "selector": lambda names: pool_bench(names)[2],
    "training": lambda names: training_widget(names=names, C=5)[1],
}


@pytest.mark.parametrize("bench", BENCHES)
def test_names_are_text(browser, tmp_path, bench):
    with Visit(browser, BENCHES[bench](HOSTILE), tmp_path) as page:
        assert set(page.locator(".class-row bdi").all_text_contents()) == set(HOSTILE)
        if bench == "selector":
            for c in range(5):
                page.locator(".classes button").nth(c).click()
                page.locator(".chosen-pictures .part bdi").filter(has_text=HOSTILE[c]).wait_for()
        else:
            page.get_by_role("button", name="Train").click()
            wait_until_trained(page)
        page.locator("summary").click()
        page.locator("details table").first.wait_for()
        assert page.locator(".plab img, .plab b:has-text('bold')").count() == 0
        assert set(
            page.locator("details table").last.locator("tbody th").all_text_contents()
        ) == set(HOSTILE)


@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize("width", [320, 375, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_and_follows_the_theme(browser, tmp_path, bench, width, scheme):
    with Visit(
        browser,
        BENCHES[bench](HOSTILE),
        tmp_path,
        viewport={"width": width, "height": 740},
        color_scheme=scheme,
    ) as page:
        if bench == "selector":
            page.locator(".classes button").first.click()
        else:
            page.get_by_role("radio", name="SSL", exact=True).click()
            page.get_by_role("radio", name="threshold", exact=True).click()
            page.get_by_role("button", name="Train").click()
            wait_until_trained(page)
        page.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        beyond = page.evaluate(
            """width => [...document.querySelectorAll(".plab *")].filter(node => !node.closest(".scroll") && !node.closest(".visually-hidden") && node.getBoundingClientRect().right > width + .5).map(node => node.outerHTML.slice(0, 100))""",
            width,
        )
        assert not beyond, beyond
        assert page.locator(".plab").get_attribute("data-theme") == scheme


@pytest.mark.parametrize("bench", BENCHES)
def test_every_control_has_a_name(browser, tmp_path, bench):
    with Visit(browser, BENCHES[bench](None), tmp_path) as page:
        if bench == "training":
            page.get_by_role("radio", name="SSL", exact=True).click()
            page.get_by_role("radio", name="threshold", exact=True).click()
        nameless = page.evaluate(
            """() => [...document.querySelectorAll(".plab input")].filter(node => !node.labels.length).map(node => node.outerHTML)
          .concat([...document.querySelectorAll(".plab button, .plab summary")].filter(node => !node.textContent.trim()).map(node => node.outerHTML))
          .concat([...document.querySelectorAll(".plab [role=radiogroup], .plab progress, .plab svg[role=img]")].filter(node => !node.getAttribute("aria-label")).map(node => node.outerHTML))"""
        )
        assert not nameless
        for group in page.get_by_role("radiogroup").all():
            assert group.locator("[tabindex='0']").count() == 1, "one stop of the Tab key a group"


@pytest.mark.parametrize("bench", BENCHES)
def test_without_scripts_there_is_a_table(browser, tmp_path, bench):
    path = BENCHES[bench](HOSTILE).save(tmp_path / "still.html")
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert (
        page.locator(".plab table tbody tr").count() == 5 and page.locator(".plab img").count() == 0
    )
    context.close()
