"Pools of every shape and every selector: what a result says, counted again; what is kept and read."

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.experiments import runner
from pseudolab.experiments.imbalance import (
    COUNTS,
    RATIOS,
    TRUE_SHARES,
    ImbalanceCell,
    class_frame,
    even_pool,
    imbalance_cells,
    imbalance_frame,
    read_imbalance,
    round_frame,
    tail_table,
    write_imbalance,
)
from pseudolab.experiments.runner import run_experiment
from pseudolab.method.loss import unified_loss
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.pseudolabels import PseudoLabels
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.selectors import (
    SELECTORS,
    candidate_sets,
    select_balanced,
    select_candidates,
)
from pseudolab.method.splits import unsupervised
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.turnover import audit_rounds
from pseudolab.settings import POCKET_TASKS

pytestmark = pytest.mark.slow

QUICK = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def clip():
    return load_clip("pocket")


@pytest.fixture(scope="module")
def small():
    return load_task("satellite", n_train=12, n_test=10)


# --- selectors inside the tuner


def same_arrays(left, right):
    if left is None or right is None:
        return left is right
    return left.dtype == right.dtype and np.array_equal(left, right)


@pytest.mark.parametrize("selector", sorted(SELECTORS))
def test_every_selector_plays_grip_on_a_thin_pool_and_comes_back_from_disk(
    clip, small, selector, tmp_path
):
    tuner = PromptTuner(clip, selector=selector, recipe=QUICK)
    run = tuner.fit(small.imbalanced(4), out=tmp_path / "run", progress=False)
    again = Run.load(tmp_path / "run")
    assert len(run.rounds) == 11
    assert run.settings.selector == selector
    for one, other in zip(run.rounds[1:], again.rounds[1:], strict=True):
        for name in ("index", "label", "confidence", "candidates"):
            assert same_arrays(getattr(one.pseudolabels, name), getattr(other.pseudolabels, name))
        assert (one.pseudolabels.candidates is not None) == (selector == "candidates")


@pytest.mark.parametrize(
    "selector", sorted(set(SELECTORS) - {"top_k", "leaderboard", "propagated"})
)
def test_these_selectors_never_give_an_image_two_labels(clip, small, selector):
    run = PromptTuner(clip, selector=selector, recipe=QUICK).fit(small, progress=False)
    for round in run.rounds[1:]:
        assert len(np.unique(round.pseudolabels.index)) == len(round.pseudolabels)


@pytest.mark.parametrize("paradigm", ["ssl", "trzsl"])
def test_candidate_sets_work_beside_labelled_images_and_keep_to_the_allowed_classes(
    clip, small, paradigm
):
    tuner = PromptTuner(
        clip, paradigm=paradigm, selector="candidates", strategy="fpl", recipe=QUICK
    )
    run = tuner.fit(small, progress=False)
    allowed = tuner.split(small).allowed
    sets = run.rounds[1].pseudolabels.candidates
    assert not np.delete(sets, allowed, axis=1).any()
    assert sets.any(1).all()


def test_an_unknown_selector_is_named_with_those_there_are(clip):
    with pytest.raises(ValueError, match="candidates"):
        PromptTuner(clip, selector="best")


def test_a_threshold_that_nothing_reaches_says_so(clip, small, monkeypatch):
    def nothing(logits, k, *, allowed=None):
        return PseudoLabels(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    monkeypatch.setitem(SELECTORS, "threshold", nothing)
    with pytest.raises(ValueError, match="threshold"):
        PromptTuner(clip, selector="threshold", recipe=QUICK).fit(small, progress=False)


def test_the_tuner_selects_what_the_function_selects(clip, small):
    tuner = PromptTuner(clip, selector="candidates", strategy="fpl", recipe=QUICK)
    first = tuner.fit(small, progress=False).rounds[1]
    zero_shot = TemplatePrompt(clip, small.class_names, small.template)
    with torch.no_grad():
        logits = zero_shot.logits(unsupervised(small).pool.images)
    wanted = select_candidates(logits, first.k)
    assert np.array_equal(wanted.index, first.pseudolabels.index)
    assert np.array_equal(wanted.candidates, first.pseudolabels.candidates)


# --- the loss on sets


@given(
    st.integers(0, 10**6), st.integers(1, 8), st.integers(2, 5), st.floats(0, 3), st.floats(0, 3)
)
@settings(max_examples=60)
def test_sets_of_one_are_labels(seed, B, C, gamma, lam):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(B, C, generator=generator, dtype=torch.float64)
    target = torch.randint(C, (B,), generator=generator)
    pseudo = torch.rand(B, generator=generator) < 0.5
    sets = torch.eye(C, dtype=torch.bool)[target]
    one = unified_loss(logits, sets, pseudo, gamma, lam)
    assert torch.isclose(one, unified_loss(logits, target, pseudo, gamma, lam), atol=1e-9)


def test_a_loss_on_sets_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))
    sets = torch.tensor([[True, True, False], [False, False, True]])
    pseudo = torch.tensor([True, False])
    wanted = -0.5 * np.log(0.8) - 2 * np.log(0.8)
    loss = unified_loss(logits, sets, pseudo, gamma=2.0, lam=0.5)
    assert loss.item() == pytest.approx(wanted, abs=1e-6)


def test_fitting_on_sets_of_one_is_fitting_on_labels(clip, small):
    features = clip.image_features(small.train.images[:20])
    labels = small.train.labels[:20]
    learned = []
    for given_labels in (labels, np.eye(10, dtype=bool)[labels]):
        prompt = TextPrompt(clip, small.class_names, generator=torch.Generator().manual_seed(0))
        fit_prompt(
            prompt,
            QUICK,
            pseudolabelled=Term(features, given_labels),
            generator=torch.Generator().manual_seed(0),
        )
        learned.append([p.detach().clone() for p in prompt.parameters()])
    for one, other in zip(*learned, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


# --- from round to round


@st.composite
def histories(draw):
    U = draw(st.integers(1, 8))
    C = draw(st.integers(1, 4))
    pairs = st.sets(st.tuples(st.integers(0, U - 1), st.integers(0, C - 1)), max_size=U * C)
    rounds = draw(st.lists(pairs, min_size=1, max_size=4))
    truth = draw(st.lists(st.integers(-1, C - 1), min_size=U, max_size=U))
    return rounds, truth, C


def labelled(pairs):
    index = np.array([image for image, _ in sorted(pairs)], dtype=np.int64)
    label = np.array([c for _, c in sorted(pairs)], dtype=np.int64)
    return PseudoLabels(index, label, np.ones(len(index)))


@given(histories())
@settings(max_examples=150)
def test_the_audit_of_rounds_is_what_sets_of_pairs_say(history):
    rounds, truth, C = history
    table = audit_rounds([labelled(pairs) for pairs in rounds], np.array(truth), C)
    assert len(table) == len(rounds) * C
    assert table["round"].tolist() == np.repeat(np.arange(len(rounds)) + 1, C).tolist()
    for row in table.to_dict("records"):
        c = row["class"]
        now = rounds[row["round"] - 1]
        mine = [pair for pair in now if pair[1] == c]
        known = [image for image, _ in mine if truth[image] >= 0]
        assert row["chosen"] == len(known)
        assert row["right"] == len([image for image in known if truth[image] == c])
        assert row["present"] == truth.count(c)
        assert row["covered"] == len({image for image, _ in now if truth[image] == c})
        labels_of = [image for image, _ in now]
        assert row["double"] == sum(labels_of.count(image) > 1 for image, _ in mine)


@given(histories())
@settings(max_examples=150)
def test_new_and_gone_are_what_sets_of_pairs_say(history):
    rounds, truth, C = history
    table = audit_rounds([labelled(pairs) for pairs in rounds], np.array(truth), C)
    for row in table.to_dict("records"):
        if row["round"] == 1:
            assert (row["new"], row["gone"]) == (0, 0)
            continue
        now = {pair for pair in rounds[row["round"] - 1] if pair[1] == row["class"]}
        then = {pair for pair in rounds[row["round"] - 2] if pair[1] == row["class"]}
        assert (row["new"], row["gone"]) == (len(now - then), len(then - now))


@given(st.integers(0, 10**6), st.integers(4, 20), st.integers(2, 4))
@settings(max_examples=60)
def test_candidates_are_the_sets_of_the_chosen(seed, U, C):
    logits = np.random.default_rng(seed).normal(scale=2, size=(U, C))
    chosen = select_candidates(logits, 2)
    assert np.array_equal(chosen.candidates > 0, candidate_sets(logits)[chosen.index])
    assert np.allclose(chosen.candidates.sum(1), 1)
    assert chosen.candidates[np.arange(len(chosen)), chosen.label].all()


def test_candidates_of_another_length_are_refused():
    with pytest.raises(ValueError, match="row for each"):
        PseudoLabels(np.array([0]), np.array([0]), np.ones(1), np.ones((2, 3), dtype=bool))


# --- the runs


def test_the_cells_are_all_different_and_seed_by_seed():
    cells = imbalance_cells()
    # five pools, and the true shares on the two with a tail; on the two small even pools GRIP
    # has top-K alone
    assert len({cell.name for cell in cells}) == len(cells)
    assert len(cells) == 3 * 6 * (3 * (5 * len(SELECTORS) + 2) - 2 * (len(SELECTORS) - 1))
    seeds = [cell.seed for cell in cells]
    assert seeds == sorted(seeds)


@pytest.mark.parametrize("name", POCKET_TASKS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_pool_has_room_for_what_fpl_takes(name, ratio):
    cell = ImbalanceCell(name, ratio, "tail", "balanced", "fpl", 1)
    task = cell.load_task()
    n_classes = len(task.class_names)
    counts = np.bincount(task.train.labels, minlength=n_classes)
    if counts.max() != ratio * counts.min():
        assert abs(counts.max() / counts.min() - ratio) <= ratio * 0.25
    k = cell.strategy_for(task).k(1, len(task.train), n_classes)
    assert 1 <= k * n_classes <= len(task.train)


@pytest.mark.parametrize("name", POCKET_TASKS)
@pytest.mark.parametrize("ratio", (10, 50))
def test_the_control_has_the_size_and_no_tail(name, ratio):
    with_tail, control = (
        ImbalanceCell(name, ratio, pool, "top_k", "grip", 2).load_task()
        for pool in ("tail", "even")
    )
    n_classes = len(control.class_names)
    counts = np.bincount(control.train.labels, minlength=n_classes)
    assert counts.min() == counts.max()
    assert 0 <= len(with_tail.train) - len(control.train) < n_classes
    # so GRIP ends with the same K on both
    grip = Strategy.named("grip")
    last = [grip.k(10, len(task.train), n_classes) for task in (with_tail, control)]
    assert last[0] == last[1] == counts[0]
    # the images are the task's own, each once
    there = {image.tobytes() for image in np.asarray(with_tail.test.images)}
    assert there == {image.tobytes() for image in np.asarray(control.test.images)}


def test_another_seed_keeps_other_images(small):
    one, same, other = (even_pool(small, 50, seed=seed).train.digest() for seed in (0, 0, 1))
    assert one == same != other
    with pytest.raises(ValueError, match="12"):
        even_pool(small, 500)
    with pytest.raises(ValueError, match="0 of each"):
        even_pool(small, 9)


def test_told_the_true_shares_the_labels_have_them(clip, small, monkeypatch):
    monkeypatch.setattr(ImbalanceCell, "recipe", QUICK)
    with_tail = small.imbalanced(4)
    counts = np.bincount(with_tail.train.labels, minlength=10)
    cell = ImbalanceCell("satellite", 10, "tail", TRUE_SHARES, "share", 0)
    result = cell.play(clip, with_tail)
    (k,) = result["k"]
    assert k == len(with_tail.train) // 10
    for by in ("tuned", "zero_shot"):
        chosen = np.array(result[by]["chosen"][0])
        assert chosen.sum() == 10 * k
        assert np.abs(chosen - counts * 10 * k / counts.sum()).max() < 1
    told = select_balanced(
        TemplatePrompt.for_task(clip, with_tail).logits(with_tail.train.images).detach(),
        k,
        prior=counts / counts.sum(),
        tolerance=0.1,
    )
    right = (with_tail.train.labels[told.index] == told.label).sum()
    assert np.sum(result["tuned"]["right"]) == right
    # without being told, each class has as many
    cell = ImbalanceCell("satellite", 10, "tail", "balanced", "share", 0)
    assert set(cell.play(clip, with_tail)["tuned"]["chosen"][0]) == {k}


def gains(**by_pool):
    about = dict(ratio=50, selector="top_k", strategy="grip")
    return [
        about | dict(task=task, pool=pool, seed=seed, gain=gain)
        for pool, table in by_pool.items()
        for seed, row in enumerate(table)
        for task, gain in zip("ab", row, strict=True)
    ]


def test_what_the_tail_does_is_the_difference_from_the_control():
    runs = gains(
        tail=[(0.1, 0.2), (0.2, 0.2), (0.1, 0.2)], even=[(0.3, 0.4), (0.3, 0.3), (0.3, 0.4)]
    )
    runs += [row | dict(ratio=1) for row in gains(even=[(0.9, 0.9), (0.9, 0.9), (0.9, 0.9)])]
    (row,) = tail_table(pd.DataFrame(runs)).to_dict("records")
    assert row["on_tail"] == pytest.approx(1 / 6)
    assert row["on_even"] == pytest.approx(1 / 3)
    assert row["tail_does"] == pytest.approx(-0.5 / 3)  # -.2, -.1 and -.2
    assert row["spread"] == pytest.approx(np.std([-0.2, -0.1, -0.2], ddof=1))
    assert row["verdict"] == "behind"


@pytest.fixture(scope="module")
def results(clip, small):
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "load_task", lambda name: small)
        patch.setattr(ImbalanceCell, "recipe", QUICK)
        for ratio in (1, 10):
            for selector, strategy in (("top_k", "grip"), ("balanced", "fpl")):
                pool = "even" if ratio == 1 else "tail"
                cell = ImbalanceCell("satellite", ratio, pool, selector, strategy, 0)
                task = small if ratio == 1 else small.imbalanced(3)
                found.append(cell.parameters | cell.play(clip, task))
    return found


def test_a_result_counts_what_is_there(results):
    for result in results:
        for by in ("tuned", "zero_shot"):
            counts = {name: np.array(values) for name, values in result[by].items()}
            assert set(counts) == set(COUNTS)
            for values in counts.values():
                assert values.shape == (len(result["k"]), 10)
            assert (counts["right"] <= counts["chosen"]).all()
            assert (counts["covered"] <= counts["present"]).all()
            assert (counts["double"] <= counts["chosen"]).all()


def test_the_first_labels_are_zero_shot_clips(results):
    for result in results:
        for name in COUNTS:
            assert result["tuned"][name][0] == result["zero_shot"][name][0]


@pytest.fixture(scope="module")
def tables(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "imbalance.json"
    write_imbalance(results, path)
    return read_imbalance(path)


def test_the_tables_have_all_rows(results, tables):
    assert len(tables["runs"]) == 4
    assert len(tables["rounds"]) == 2 * 10 * 2
    assert len(tables["classes"]) == 2 * 10 * 2 * 10
    assert len(class_frame(results)) == 400
    assert len(round_frame(results)) == 40


def test_the_runs_say_what_the_results_say(results, tables):
    for result, row in zip(results, tables["runs"].to_dict("records"), strict=True):
        assert row["labels"] == sum(result["tuned"]["chosen"][-1])
        gain = result["scores"][-1] - result["scores"][0]
        assert row["gain"] == pytest.approx(gain, abs=1e-4)
        assert np.isnan(row["head"]) == (result["ratio"] == 1)


def test_the_classes_add_up_to_the_rounds(tables):
    keys = ["task", "ratio", "by", "round"]
    rounds = tables["rounds"].query("selector == 'top_k'").set_index(keys)
    for key, rows in tables["classes"].groupby(keys):
        total = rounds.loc[key]
        precision = rows["right"].sum() / rows["chosen"].sum()
        assert total["precision"] == pytest.approx(precision, abs=1e-4)
        assert total["labels"] == rows["chosen"].sum()


def test_head_and_tail_by_hand():
    result = dict(
        task="t",
        ratio=10,
        pool="tail",
        selector="top_k",
        strategy="fpl",
        seed=0,
        scores=[0.5, 0.6],
        classes_before=[0.5, 0.5, 0.5],
        classes_after=[0.4, 0.5, 0.9],
        k=[1],
    )
    result["tuned"] = {name: [[1, 1, 1]] for name in COUNTS} | {"present": [[9, 5, 2]]}
    row = imbalance_frame([result]).iloc[0]
    assert row["head"] == pytest.approx(-0.1)
    assert row["tail"] == pytest.approx(0.4)


def test_a_result_of_other_settings_is_refused(clip, tmp_path, small, monkeypatch):
    monkeypatch.setattr(runner, "load_task", lambda name: small)
    monkeypatch.setattr(ImbalanceCell, "recipe", QUICK)
    cell = ImbalanceCell("satellite", 1, "even", "threshold", "fpl", 0)
    result = run_experiment(cell, tmp_path, clip)
    assert run_experiment(cell, tmp_path, clip) == result
    monkeypatch.setattr(ImbalanceCell, "recipe", QUICK.replace(learning_rate=0.2))
    with pytest.raises(ValueError, match="another recipe"):
        run_experiment(cell, tmp_path, clip)
