"""The method against oracles: brute force, open_clip's own output, numbers computed by hand."""

import json
from math import exp, log

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.clip.loading import load_clip
from pseudolab.clip.pocket import pocket_model, read_pocket, save_pocket
from pseudolab.data.tasks import load_task
from pseudolab.method.intervals import wilson_interval
from pseudolab.method.loss import WEIGHTS, term_weights, unified_loss
from pseudolab.method.pseudolabels import PseudoLabels, audit, precision
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.schedules import Growing
from pseudolab.method.selectors import select_top_k
from pseudolab.method.splits import score, seen_classes, semi_supervised, transductive, unsupervised
from pseudolab.method.strategies import STRATEGIES, Strategy
from pseudolab.method.training import learning_rate
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.zero_shot import (
    accuracy,
    class_features,
    per_class_accuracy,
    zero_shot,
)
from support.clips import seeded

NAMES = ["river", "forest", "permanent crop land"]


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=10)


# ---- selection
# ---------------------------------------------------------------------


def top_k_by_hand(logits, k, allowed):
    "Ten plain lines: exact log-probabilities with Python's floats, sorted by (-value, index)"
    chosen = []
    for c in allowed:
        scores = []
        for n, row in enumerate(logits):
            others = [row[a] for a in allowed]
            top = max(others)
            scores.append((-(row[c] - top - log(sum(exp(z - top) for z in others))), n))
        chosen += [(n, c) for _, n in sorted(scores)[:k]]
    return chosen


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_top_k_is_brute_force(data):
    U, C = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    # few values: many ties, and exact in binary
    quarter = st.integers(-8, 8).map(lambda n: n / 4)
    logits = data.draw(st.lists(st.lists(quarter, min_size=C, max_size=C), min_size=U, max_size=U))
    k, allowed = (
        data.draw(st.integers(1, U)),
        data.draw(st.lists(st.integers(0, C - 1), min_size=1, max_size=C, unique=True)),
    )
    got = select_top_k(torch.tensor(logits), k, allowed=allowed)
    want = top_k_by_hand(logits, k, allowed)
    probability = np.zeros((U, C))
    probability[:, allowed] = torch.tensor(logits).double()[:, allowed].softmax(1).numpy()
    same_value = [
        np.isclose(probability[n, c], probability[m, c], rtol=1e-12)
        for (n, c), m in zip(want, got.index, strict=True)
    ]
    assert got.label.tolist() == [c for _, c in want] and all(same_value)
    # rows that differ: no tie but by rounding
    if all(len({tuple(row) for row in logits}) == len(logits) for _ in [0]):
        distinct = [len({round(float(p), 12) for p in probability[:, c]}) == U for c in allowed]
        if all(distinct):
            assert list(zip(got.index.tolist(), got.label.tolist(), strict=True)) == want


def test_equal_rows_keep_the_order_of_the_pool():
    chosen = select_top_k(torch.zeros(6, 3), 2)
    assert chosen.index.tolist() == [0, 1] * 3 and chosen.label.tolist() == [0, 0, 1, 1, 2, 2]
    assert chosen.index.dtype == chosen.label.dtype == np.int64


def test_order_survives_where_float32_probabilities_are_all_one():
    logits = torch.tensor([[18.0, 0.0], [30.0, 0.0], [24.0, 0.0]])
    assert logits.softmax(1)[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert select_top_k(logits, 2).index.tolist()[:2] == [1, 2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_permuting_the_pool_permutes_the_choice(seed):
    rng = np.random.default_rng(seed)
    logits, order = rng.normal(size=(20, 4)), rng.permutation(20)
    plain, moved = select_top_k(logits, 5), select_top_k(logits[order], 5)
    before = zip(plain.index, plain.label, strict=True)
    after = zip(order[moved.index], moved.label, strict=True)
    assert sorted(before) == sorted(after)


@pytest.mark.parametrize("k", [0, -1, 7])
def test_k_beyond_the_pool_is_an_error(k):
    with pytest.raises(ValueError, match=f"k is {k}, but the pool has 6 images"):
        select_top_k(torch.zeros(6, 3), k)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_diverged_are_an_error(bad):
    with pytest.raises(ValueError, match="diverged"):
        select_top_k(torch.tensor([[0.0, bad]]), 1)


def test_audit_by_hand():
    table = audit(
        PseudoLabels(
            np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]), np.array([0.9, 0.7, 0.5, 0.1])
        ),
        np.array([0, 1, 1, -1, 0]),
        3,
    )
    # the image of unknown class does not count
    assert table["chosen"].tolist() == [2, 1, 0] and table["right"].tolist() == [1, 1, 0]
    assert table["precision"][:2].tolist() == [0.5, 1.0] and np.isnan(table["precision"][2])
    assert (
        table["recall"][:2].tolist() == [0.5, 0.5]
        and np.isclose(table["mean_confidence"][:2], [0.8, 0.5]).all()
    )
    assert np.isclose(precision(table), 2 / 3)


# ---- zero-shot
# ---------------------------------------------------------------------


def test_zero_shot_head_is_open_clips_own(clip):
    tokenize = open_clip.SimpleTokenizer(context_length=clip.context_length)
    head = open_clip.build_zero_shot_classifier(
        clip.model, tokenize, NAMES, [lambda name: f"a photo of a {name}"], device="cpu"
    )
    assert torch.allclose(class_features(clip, NAMES).T, head, atol=1e-5)


def test_zero_shot_logits_are_open_clips_own(clip, task):
    images = torch.stack([clip.preprocess(image) for image in task.test.images[:6]])
    images = images.to(clip.dtype)
    text = clip.tokenizer([f"a photo of a {name}" for name in task.class_names])
    with torch.no_grad():
        want, _ = clip.model.get_logits(images, text)
    assert torch.allclose(zero_shot(clip, task.test.images[:6], task.class_names), want, atol=1e-3)


def test_pocket_images_pass_preprocessing_unchanged(clip, task):
    image = task.test.images[0]
    mean, std = (
        torch.tensor(v).view(3, 1, 1)
        for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    plain = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255
    assert torch.allclose(clip.preprocess(image), (plain - mean) / std, atol=1e-5)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 4)), min_size=1, max_size=60))
def test_per_class_accuracy_weighted_by_class_size_is_accuracy(pairs):
    predictions, labels = map(np.array, zip(*pairs, strict=True))
    shares, n = (
        per_class_accuracy(predictions, labels, 5),
        np.bincount(labels[labels >= 0], minlength=5),
    )
    assert (np.isnan(shares) == (n == 0)).all()
    if n.sum():
        assert np.isclose(
            (np.nan_to_num(shares) * n).sum() / n.sum(), accuracy(predictions, labels)
        )
    else:
        assert accuracy(predictions, labels) is None


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_interval_solves_its_equation(n, share):
    for end in wilson_interval(share, n):
        assert 0 <= end <= 1 and np.isclose(
            (share - end) ** 2, 1.96**2 * end * (1 - end) / n, atol=1e-9
        )


# ---- the pocket CLIP's file
# ---------------------------------------------------------------------


def test_pocket_file_keeps_the_model(tmp_path):
    model, seen = pocket_model(seed=1), torch.tensor([7, 300, 49406, 49407])
    save_pocket(model, seen, tmp_path / "p.safetensors", {"made": "for a test"})
    again, ids, card = read_pocket(tmp_path / "p.safetensors")
    assert ids.tolist() == seen.tolist() and card == {"made": "for a test"}
    for (name, a), b in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        if name != "token_embedding.weight":
            assert torch.equal(a.half().float(), b), name
    assert torch.equal(
        again.token_embedding.weight[seen], model.token_embedding.weight[seen].half().float()
    )


@pytest.mark.parametrize(
    "harm", [lambda b: b[:-7], lambda b: b[:200], lambda b: b"", lambda b: b"\xff" * 100]
)
def test_damaged_weights_are_an_error_with_a_remedy(harm, tmp_path):
    save_pocket(pocket_model(), torch.arange(4), tmp_path / "p.safetensors", {})
    (tmp_path / "p.safetensors").write_bytes(harm((tmp_path / "p.safetensors").read_bytes()))
    with pytest.raises(ValueError, match="damaged.*Reinstall|damaged.*pretrain"):
        load_clip("pocket", tmp_path / "p.safetensors", device="cpu")


def test_missing_weights_and_names(tmp_path):
    with pytest.raises(FileNotFoundError, match="pseudolab pretrain"):
        load_clip("pocket", tmp_path / "nowhere.safetensors")
    with pytest.raises(ValueError, match="No CLIP is called 'ViT-B-33'"):
        load_clip("ViT-B-33", "openai")
    with pytest.raises(ValueError, match="needs weights"):
        load_clip("ViT-B-32", "no such tag")
    with pytest.raises(ValueError, match="device"):
        load_clip("pocket", device="abacus")
    with pytest.raises(ValueError, match="precision"):
        load_clip("pocket", precision="fp8")


# ---- the loss
# ---------------------------------------------------------------------


def test_loss_by_hand():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    ce = [log(1 + exp(-2)), log(2), log(1 + exp(1))]
    got = unified_loss(
        logits, torch.tensor([0, 1, 0]), torch.tensor([False, True, True]), gamma=3.0, lam=0.5
    )
    assert np.isclose(got.item(), 3 * ce[0] + 0.5 * (ce[1] + ce[2]) / 2, atol=1e-6)


def test_a_kind_that_is_missing_costs_nothing():
    logits, target = torch.randn(4, 3, generator=seeded()), torch.tensor([0, 1, 2, 0])
    for pseudo, gamma, lam in (
        (torch.zeros(4, dtype=torch.bool), 2.0, 9.0),
        (torch.ones(4, dtype=torch.bool), 9.0, 2.0),
    ):
        assert torch.isclose(
            unified_loss(logits, target, pseudo, gamma, lam), 2 * F.cross_entropy(logits, target)
        )


def test_weights_of_the_paradigms():
    assert (
        term_weights("ssl", 20, 580) == (29.0, 1.0)
        and term_weights("trzsl", 360, 240) == (1.0, 1.5)
        and term_weights("ul", 0, 7) == (0.0, 1.0)
    )
    assert term_weights("ssl", 20, 0) == (1.0, 0.0)
    with pytest.raises(ValueError, match="semi"):
        term_weights("semi", 1, 1)
    assert set(WEIGHTS) == {"ssl", "trzsl", "ul"}


# ---- schedules and recipes
# ---------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(1, 10_000), st.integers(1, 100))
def test_grip_ends_with_about_the_whole_pool(rounds, U, C):
    ks = [Growing(rounds)(i, U, C) for i in range(1, rounds + 1)]
    assert ks == sorted(ks) and ks[-1] == max(1, U // C) and min(ks) >= 1


def test_published_schedules():
    assert [STRATEGIES["grip"].k(i, 2040, 102) for i in range(1, 11)] == list(range(2, 21, 2))
    assert [STRATEGIES["grip"].k(i, 6300, 45) for i in range(1, 11)] == list(range(14, 141, 14))
    assert (
        Strategy.named("fpl").rounds == 1
        and Strategy.named("ifpl").rounds == 10
        and Strategy.named("ifpl", k=8, rounds=3).k(3, 9, 9) == 8
    )
    for wrong in (
        dict(name="gripp"),
        dict(name="grip", k=4),
        dict(name="fpl", rounds=3),
        dict(name="grip", rounds=0),
        dict(name="fpl", k=0),
    ):
        with pytest.raises(ValueError):
            Strategy.named(**wrong)


def test_learning_rates_by_hand():
    paper, slip = Recipe.paper(), Recipe.paper().replace(first_epoch_zero=True)
    assert np.allclose(
        [learning_rate(e, paper) for e in range(6)], [0.02, 0.04, 0.06, 0.08, 0.1, 0.1]
    )
    assert np.allclose([learning_rate(e, slip) for e in range(6)], [0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert 0 < learning_rate(149, paper) < 1e-4


# ---- splits and scores
# ---------------------------------------------------------------------


def test_splits_partition_the_training_images(task):
    for split in (unsupervised(task), semi_supervised(task), transductive(task)):
        assert (
            len(split.labelled) + len(split.pool) == len(task.train)
            and (split.pool.labels == -1).all()
        )
        assert sorted([*split.labelled.labels, *split.answer_key]) == sorted(task.train.labels)
    assert (
        semi_supervised(task).labelled.labels == semi_supervised(task, seed=0).labelled.labels
    ).all()
    assert np.bincount(semi_supervised(task, shots=3).labelled.labels).tolist() == [3] * 10


def test_transductive_classes(task):
    split = transductive(task)
    assert (
        len(split.seen) == 6
        and set(split.seen) | set(split.allowed) == set(range(10))
        and not set(split.seen) & set(split.allowed)
    )
    assert set(split.answer_key) == set(split.allowed)
    assert (seen_classes(47, 500) != seen_classes(47, 0)).any() and len(seen_classes(47)) == int(
        0.62 * 47
    )


def test_harmonic_mean_by_hand():
    labels, seen = np.array([0, 0, 1, 1]), np.array([0])
    assert np.isclose(score(np.array([0, 0, 1, 0]), labels, seen), 2 * 1 * 0.5 / 1.5)
    assert (
        score(np.array([0, 0, 0, 0]), labels, seen) == 0
        and score(np.array([0, 0, 1, 0]), labels) == 0.75
    )
    assert score(np.array([0]), np.array([-1])) is None


# ---- the tuner
# ---------------------------------------------------------------------

QUICK = Recipe.pocket().replace(epochs=2, min_steps=0)


def test_round_zero_is_zero_shot_and_the_truth_of_the_pool_is_not_used(clip, task):
    from dataclasses import replace

    from pseudolab.data.images import ImageSet

    scrambled = replace(task, train=ImageSet(task.train.images, np.roll(task.train.labels, 7)))
    one, two = (PromptTuner(clip, recipe=QUICK).fit(t, progress=False) for t in (task, scrambled))
    assert one.rounds[0].score == accuracy(
        zero_shot(clip, task.test.images, task.class_names).argmax(1).numpy(), task.test.labels
    )
    for a, b in zip(one.rounds, two.rounds, strict=True):
        assert (a.predictions == b.predictions).all() and (a.pool_logits == b.pool_logits).all()
    assert precision(one.rounds[-1].audit) != precision(two.rounds[-1].audit)


@pytest.mark.parametrize("paradigm", ["ul", "ssl", "trzsl"])
def test_same_seed_same_run_another_seed_another(clip, task, paradigm):
    def fit(seed):
        return PromptTuner(clip, paradigm=paradigm, strategy="fpl", recipe=QUICK, seed=seed).fit(
            load_task("satellite", n_train=20, n_test=5), progress=False
        )

    a, b, c = fit(0), fit(0), fit(1)
    assert (a.rounds[1].pool_logits == b.rounds[1].pool_logits).all() and a.score == b.score
    assert (a.rounds[1].pool_logits != c.rounds[1].pool_logits).any()


def test_transductive_pseudolabels_name_unseen_classes_only(clip, task):
    tuner = PromptTuner(clip, paradigm="trzsl", recipe=QUICK)
    run = tuner.fit(task, progress=False)
    assert all(set(r.pseudolabels.label) <= set(tuner.split(task).allowed) for r in run.rounds[1:])


@pytest.mark.parametrize("keep", [0, 1, 4])
def test_a_run_that_was_cut_ends_with_the_same_numbers(clip, task, tmp_path, keep):
    whole = PromptTuner(clip, recipe=QUICK).fit(task, out=tmp_path / "whole", progress=False)
    PromptTuner(clip, recipe=QUICK).fit(task, out=tmp_path / "cut", progress=False)
    for path in (tmp_path / "cut" / "rounds").iterdir():
        if int(path.stem) > keep or (
            int(path.stem) == keep and path.suffix == ".json" and keep == 4
        ):
            path.unlink()
    resumed = PromptTuner(clip, recipe=QUICK).fit(
        task, out=tmp_path / "cut", resume=True, progress=False
    )
    assert len(resumed.rounds) == 11
    for a, b in zip(whole.rounds, resumed.rounds, strict=True):
        assert a.score == b.score and (a.pool_logits == b.pool_logits).all()


def test_a_folder_that_holds_a_run_is_not_written_over(clip, task, tmp_path):
    PromptTuner(clip, strategy="fpl", recipe=QUICK).fit(
        load_task("satellite", n_train=20, n_test=5), out=tmp_path, progress=False
    )
    with pytest.raises(ValueError, match="holds a run already"):
        PromptTuner(clip, strategy="zero_shot").fit(task, out=tmp_path, progress=False)
    with pytest.raises(ValueError, match="another .*strategy"):
        PromptTuner(clip, strategy="zero_shot").fit(task, out=tmp_path, resume=True, progress=False)


def test_run_folder_is_json_and_safetensors_and_reads_back(clip, task, tmp_path):
    run = PromptTuner(clip, recipe=QUICK).fit(task, out=tmp_path, progress=False)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {
        ".json",
        ".safetensors",
    }
    again = Run.load(tmp_path)
    assert (
        again.to_frame().equals(run.to_frame())
        and json.loads(json.dumps(run.settings.to_dict())) == again.settings.to_dict()
    )
    assert len(run.to_frame()) == 11 * 10
    (tmp_path / "rounds" / "03.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="damaged"):
        Run.load(tmp_path)


def test_estimator_face(clip, task, tmp_path):
    tuner = PromptTuner(clip, recipe=QUICK)
    with pytest.raises(ValueError, match="call fit"):
        tuner.predict(task.test.images[:2])
    run = tuner.fit(task, progress=False)
    proba = tuner.predict_proba(task.test.images)
    assert (
        proba.dtype == np.float32
        and proba.shape == (len(task.test), 10)
        and np.allclose(proba.sum(1), 1, atol=1e-5)
    )
    assert (tuner.predict(task.test.images) == np.array(task.class_names)[proba.argmax(1)]).all()
    assert tuner.predict(task.test.images[0]).shape == (1,) and len(tuner.predict([])) == 0
    assert tuner.score() == tuner.score(task) == run.score
    tuner.save(tmp_path)
    loaded = PromptTuner.load(tmp_path, clip)
    assert (
        np.array_equal(loaded.predict_proba(task.test.images), proba)
        and loaded.score(task) == run.score
    )
    with pytest.raises(ValueError, match="has the classes"):
        loaded.score(load_task("digits"))


@pytest.mark.parametrize(
    "wrong",
    [
        dict(prompt="tactile"),
        dict(paradigm="us"),
        dict(strategy="grab"),
        dict(recipe="paperback"),
        dict(selector="best"),
        dict(strategy="labelled", paradigm="ul"),
    ],
)
def test_unknown_words_are_refused(clip, wrong):
    with pytest.raises(ValueError):
        PromptTuner(clip, **wrong)


def test_first_labels_of_the_authors_code_come_from_the_unfilled_template(clip, task):
    plain, slip = (
        PromptTuner(clip, strategy="fpl", recipe=QUICK.replace(malformed_template=bad)).fit(
            load_task("satellite", n_train=20, n_test=5), progress=False
        )
        for bad in (False, True)
    )
    words = clip.encode_texts([task.template + name for name in task.class_names])
    logits = (
        clip.logit_scale.exp()
        * clip.image_features(load_task("satellite", n_train=20, n_test=5).train.images)
        @ words.T
    )
    assert (slip.rounds[1].pseudolabels.index == select_top_k(logits, 16).index).all()
    assert (slip.rounds[1].pseudolabels.index != plain.rounds[1].pseudolabels.index).any()
    # the zero-shot baseline is right in both
    assert slip.rounds[0].score == plain.rounds[0].score


def test_warm_start_goes_on_where_the_last_round_ended(clip, task):
    three = Strategy.named("grip", rounds=2)
    warm = PromptTuner(
        clip, strategy=three, recipe=QUICK.replace(warm_start=True, learning_rate=1e-12)
    ).fit(task, progress=False)
    cold = PromptTuner(clip, strategy=three, recipe=QUICK.replace(learning_rate=1e-12)).fit(
        task, progress=False
    )
    assert np.allclose(
        warm.rounds[1].prompt_state["context"], warm.rounds[2].prompt_state["context"], atol=1e-6
    )
    assert not np.allclose(
        cold.rounds[1].prompt_state["context"], cold.rounds[2].prompt_state["context"], atol=1e-3
    )
