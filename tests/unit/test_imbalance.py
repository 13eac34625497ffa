"Pools of every shape and every selector: what a result says, counted again; what is kept and read."

import json
import os
import subprocess
import sys

import numpy as np
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
    ImbalanceCell,
    class_frame,
    imbalance_cells,
    imbalance_frame,
    read_imbalance,
    round_frame,
    write_imbalance,
)
from pseudolab.experiments.parts import PARTS, write_parts
from pseudolab.experiments.runner import run_experiment
from pseudolab.method.loss import unified_loss
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.pseudolabels import PseudoLabels, audit_rounds
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.selectors import (
    SELECTORS,
    candidate_sets,
    select_argmax_top_k,
    select_candidates,
)
from pseudolab.method.splits import unsupervised
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.tuner import PromptTuner
from pseudolab.settings import POCKET_TASKS

pytestmark = pytest.mark.slow

QUICK = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def clip():
    torch.set_num_threads(1)
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


@pytest.mark.parametrize("selector", sorted(set(SELECTORS) - {"top_k", "leaderboard"}))
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
    plain = select_argmax_top_k(logits, 2)
    assert np.array_equal(chosen.index, plain.index)
    assert np.array_equal(chosen.label, plain.label)
    assert np.array_equal(chosen.candidates, candidate_sets(logits)[chosen.index])
    assert chosen.candidates[np.arange(len(chosen)), chosen.label].all()


def test_candidates_of_another_length_are_refused():
    with pytest.raises(ValueError, match="row for each"):
        PseudoLabels(np.array([0]), np.array([0]), np.ones(1), np.ones((2, 3), dtype=bool))


# --- the runs


def test_the_cells_are_all_different_and_seed_by_seed():
    cells = imbalance_cells()
    assert len({cell.name for cell in cells}) == len(cells) == 6 * 3 * 7 * 2 * 3
    seeds = [cell.seed for cell in cells]
    assert seeds == sorted(seeds)


@pytest.mark.parametrize("name", POCKET_TASKS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_pool_has_room_for_what_fpl_takes(name, ratio):
    cell = ImbalanceCell(name, ratio, "balanced", "fpl", 1)
    task = cell.load_task()
    n_classes = len(task.class_names)
    counts = np.bincount(task.train.labels, minlength=n_classes)
    if counts.max() != ratio * counts.min():
        assert abs(counts.max() / counts.min() - ratio) <= ratio * 0.25
    k = cell.strategy_for(task).k(1, len(task.train), n_classes)
    assert 1 <= k * n_classes <= len(task.train)


@pytest.fixture(scope="module")
def results(clip, small):
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "load_task", lambda name: small)
        patch.setattr(ImbalanceCell, "recipe", QUICK)
        for ratio in (1, 10):
            for selector, strategy in (("top_k", "grip"), ("balanced", "fpl")):
                cell = ImbalanceCell("satellite", ratio, selector, strategy, 0)
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
    cell = ImbalanceCell("satellite", 1, "threshold", "fpl", 0)
    result = run_experiment(cell, tmp_path, clip)
    assert run_experiment(cell, tmp_path, clip) == result
    monkeypatch.setattr(ImbalanceCell, "recipe", QUICK.replace(learning_rate=0.2))
    with pytest.raises(ValueError, match="another recipe"):
        run_experiment(cell, tmp_path, clip)


# --- all parts together


def test_only_the_parts_that_are_there_are_written(results, tmp_path):
    written = write_parts({"imbalance": results}, tmp_path)
    assert [path.name for path in written] == ["imbalance.json"]
    assert write_parts({}, tmp_path) == []
    assert set(PARTS) == {"ablations", "methods", "stepwise", "imbalance"}


def equity_command(*options):
    code = "from pseudolab.cli.app import main; main()"
    command = [sys.executable, "-c", code, "experiments", "equity", *map(str, options)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "140"}
    )


@pytest.mark.slow
def test_the_command_makes_the_figures_and_skips_what_is_there(tmp_path):
    options = ["--out", tmp_path / "runs", "--collect", tmp_path / "figures"]
    options += ["--tasks", "digits", "--seeds", 1, "--parts", "methods", "--workers", 2]
    first = equity_command(*options)
    assert first.returncode == 0, first.stderr
    paths = list((tmp_path / "runs" / "methods").glob("*.json"))
    written = [path.stat().st_mtime_ns for path in paths]
    figures = (tmp_path / "figures" / "equity.json").read_text()
    assert len(paths) == 4
    assert "grip" in first.stdout
    assert json.loads(figures)["measures"]["data"]
    second = equity_command(*options)
    assert second.returncode == 0
    assert [path.stat().st_mtime_ns for path in paths] == written
    assert (tmp_path / "figures" / "equity.json").read_text() == figures


@pytest.mark.slow
def test_an_unknown_part_is_refused(tmp_path):
    answer = equity_command("--out", tmp_path, "--parts", "ablation")
    assert answer.returncode == 1
    assert "ablations" in answer.stderr + answer.stdout
