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

from pseudolab.experiments import imbalance
from pseudolab.clip.loading import load_clip
from pseudolab.method.loss import unified_loss
from pseudolab.method.splits import unsupervised
from pseudolab.experiments.imbalance import (
    COUNTS,
    PARTS,
    RATIOS,
    Pool,
    class_frame,
    play_imbalance,
    imbalance_cells,
    imbalance_frame,
    imbalance_strategy,
    imbalance_task,
    read_imbalance,
    round_frame,
    run_imbalance,
    write_parts,
    write_imbalance,
)
from pseudolab.method.pseudolabels import PseudoLabels, audit_rounds
from pseudolab.method.selectors import candidate_sets, select_argmax_top_k, select_candidates
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.settings import POCKET_TASKS
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import SELECTORS, PromptTuner

QUICK = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def clip():
    torch.set_num_threads(1)
    return load_clip("pocket")


@pytest.fixture(scope="module")
def small():
    return load_task("satellite", n_train=12, n_test=10)


# --- selectors inside the tuner


@pytest.mark.parametrize("selector", sorted(SELECTORS))
def test_every_selector_plays_grip_on_a_thin_pool_and_comes_back_from_disk(
    clip, small, selector, tmp_path
):
    task = small.imbalanced(4)
    run = PromptTuner(clip, selector=selector, recipe=QUICK).fit(
        task, out=tmp_path / "run", progress=False
    )
    again = Run.load(tmp_path / "run")
    assert len(run.rounds) == 11 and run.settings["selector"] == selector
    for one, other in zip(run.rounds[1:], again.rounds[1:]):
        for name in ("index", "label", "confidence", "candidates"):
            left, right = getattr(one.pseudolabels, name), getattr(other.pseudolabels, name)
            assert (
                (left is None and right is None)
                if left is None or right is None
                else (left.dtype == right.dtype and np.array_equal(left, right))
            )
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
    run, split = tuner.fit(small, progress=False), tuner.split(small)
    sets = run.rounds[1].pseudolabels.candidates
    assert not np.delete(sets, split.allowed, axis=1).any() and sets.any(1).all()


def test_an_unknown_selector_is_named_with_those_there_are(clip):
    with pytest.raises(ValueError, match="candidates"):
        PromptTuner(clip, selector="best")


def test_a_threshold_that_nothing_reaches_says_so(clip, small, monkeypatch):
    nothing = lambda logits, k, *, allowed=None: PseudoLabels(
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    )
    monkeypatch.setitem(SELECTORS, "threshold", nothing)
    with pytest.raises(ValueError, match="threshold"):
        PromptTuner(clip, selector="threshold", recipe=QUICK).fit(small, progress=False)


def test_the_tuner_selects_what_the_function_selects(clip, small):
    run = PromptTuner(clip, selector="candidates", strategy="fpl", recipe=QUICK).fit(
        small, progress=False
    )
    with torch.no_grad():
        logits = imbalance.TemplatePrompt(clip, small.class_names, small.template).logits(
            unsupervised(small).pool.images
        )
    wanted = select_candidates(logits, run.rounds[1].k)
    assert np.array_equal(wanted.index, run.rounds[1].pseudolabels.index) and np.array_equal(
        wanted.candidates, run.rounds[1].pseudolabels.candidates
    )


# --- the loss on sets


@given(
    st.integers(0, 10**6), st.integers(1, 8), st.integers(2, 5), st.floats(0, 3), st.floats(0, 3)
)
@settings(max_examples=60)
def test_sets_of_one_are_labels(seed, B, C, gamma, lam):
    generator = torch.Generator().manual_seed(seed)
    logits, target, pseudo = (
        torch.randn(B, C, generator=generator, dtype=torch.float64),
        torch.randint(C, (B,), generator=generator),
        torch.rand(B, generator=generator) < 0.5,
    )
    one = unified_loss(logits, torch.eye(C, dtype=torch.bool)[target], pseudo, gamma, lam)
    assert torch.isclose(one, unified_loss(logits, target, pseudo, gamma, lam), atol=1e-9)


def test_a_loss_on_sets_by_hand():
    logits, sets = (
        torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])),
        torch.tensor([[True, True, False], [False, False, True]]),
    )
    wanted = -0.5 * np.log(0.8) - 2 * np.log(0.8)
    assert unified_loss(
        logits, sets, torch.tensor([True, False]), gamma=2.0, lam=0.5
    ).item() == pytest.approx(wanted, abs=1e-6)


def test_fitting_on_sets_of_one_is_fitting_on_labels(clip, small):
    features = clip.image_features(small.train.images[:20])
    labels = small.train.labels[:20]
    learned = []
    for given_labels in (labels, np.eye(10, dtype=bool)[labels]):
        prompt = TextPrompt(clip, small.class_names, generator=torch.Generator().manual_seed(0))
        fit_prompt(
            prompt,
            [Term(features, given_labels, 1.0, pseudo=True)],
            QUICK,
            generator=torch.Generator().manual_seed(0),
        )
        learned.append([p.detach().clone() for p in prompt.parameters()])
    for one, other in zip(*learned):
        assert torch.allclose(one, other, atol=1e-5)


# --- from round to round


@st.composite
def histories(draw):
    U, C = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    pairs = st.sets(st.tuples(st.integers(0, U - 1), st.integers(0, C - 1)), max_size=U * C)
    rounds = draw(st.lists(pairs, min_size=1, max_size=4))
    return rounds, draw(st.lists(st.integers(-1, C - 1), min_size=U, max_size=U)), C


def labelled(pairs):
    index, label = (np.array([pair[at] for pair in sorted(pairs)], dtype=np.int64) for at in (0, 1))
    return PseudoLabels(index, label, np.ones(len(index)))


@given(histories())
@settings(max_examples=150)
def test_the_audit_of_rounds_is_what_sets_of_pairs_say(history):
    rounds, truth, C = history
    table = audit_rounds([labelled(pairs) for pairs in rounds], np.array(truth), C)
    assert len(table) == len(rounds) * C and table["round"].tolist() == [
        i for i in range(1, len(rounds) + 1) for _ in range(C)
    ]
    for row in table.to_dict("records"):
        now, then, c = (
            rounds[row["round"] - 1],
            rounds[row["round"] - 2] if row["round"] > 1 else None,
            row["class"],
        )
        mine = [pair for pair in now if pair[1] == c]
        assert row["double"] == sum(len([p for p in now if p[0] == pair[0]]) > 1 for pair in mine)
        assert row["present"] == truth.count(c) and row["covered"] == len(
            {i for i, _ in now if truth[i] == c}
        )
        assert row["chosen"] == sum(truth[i] >= 0 for i, _ in mine) and row["right"] == sum(
            truth[i] == c for i, _ in mine
        )
        assert (row["new"], row["gone"]) == (
            (0, 0)
            if then is None
            else (sum(p not in then for p in mine), sum(p not in now for p in then if p[1] == c))
        )


@given(st.integers(0, 10**6), st.integers(4, 20), st.integers(2, 4))
@settings(max_examples=60)
def test_candidates_are_the_sets_of_the_chosen(seed, U, C):
    logits = np.random.default_rng(seed).normal(scale=2, size=(U, C))
    chosen, plain = select_candidates(logits, 2), select_argmax_top_k(logits, 2)
    assert np.array_equal(chosen.index, plain.index) and np.array_equal(chosen.label, plain.label)
    assert (
        np.array_equal(chosen.candidates, candidate_sets(logits)[chosen.index])
        and chosen.candidates[np.arange(len(chosen)), chosen.label].all()
    )


def test_candidates_of_another_length_are_refused():
    with pytest.raises(ValueError, match="row for each"):
        PseudoLabels(np.array([0]), np.array([0]), np.ones(1), np.ones((2, 3), dtype=bool))


# --- the runs


def test_the_cells_are_all_different_and_seed_by_seed():
    cells = imbalance_cells()
    assert len({cell.name for cell in cells}) == len(cells) == 6 * 3 * 7 * 2 * 3 and [
        cell.seed for cell in cells
    ] == sorted(cell.seed for cell in cells)


@pytest.mark.parametrize("name", POCKET_TASKS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_pool_has_room_for_what_fpl_takes(name, ratio):
    cell = Pool(name, ratio, "balanced", "fpl", 1)
    task = imbalance_task(cell)
    counts = np.bincount(task.train.labels, minlength=len(task.class_names))
    assert (
        counts.max() == ratio * counts.min()
        or abs(counts.max() / counts.min() - ratio) <= ratio * 0.25
    )
    assert (
        1
        <= imbalance_strategy(cell, task).k(1, len(task.train), len(task.class_names))
        * len(task.class_names)
        <= len(task.train)
    )


@pytest.fixture(scope="module")
def results(clip):
    task = load_task("satellite", n_train=12, n_test=10)
    cells = [
        Pool("satellite", ratio, selector, strategy, 0)
        for ratio in (1, 10)
        for selector, strategy in (("top_k", "grip"), ("balanced", "fpl"))
    ]
    play = lambda cell: play_imbalance(
        cell,
        PromptTuner(
            clip,
            strategy=cell.strategy if cell.strategy == "grip" else Strategy.named("fpl", k=4),
            selector=cell.selector,
            recipe=QUICK,
        ),
        task if cell.ratio == 1 else task.imbalanced(3),
    )
    return [play(cell) for cell in cells]


def test_a_result_counts_what_is_there(results):
    for result in results:
        for by in ("tuned", "zero_shot"):
            assert set(result[by]) == set(COUNTS) and all(
                np.shape(values) == (len(result["k"]), 10) for values in result[by].values()
            )
            counts = {name: np.array(values) for name, values in result[by].items()}
            assert (
                (counts["right"] <= counts["chosen"]).all()
                and (counts["covered"] <= counts["present"]).all()
                and (counts["double"] <= counts["chosen"]).all()
            )
        # the first labels are zero-shot CLIP's
        assert {name: values[0] for name, values in result["tuned"].items()} == {
            name: values[0] for name, values in result["zero_shot"].items()
        }


def test_the_tables_add_up(results, tmp_path):
    write_imbalance(results, tmp_path / "imbalance.json")
    tables = read_imbalance(tmp_path / "imbalance.json")
    assert (
        len(tables["runs"]) == 4
        and len(tables["rounds"]) == 2 * 10 * 2
        and len(tables["classes"]) == 2 * 10 * 2 * 10
    )
    for result, row in zip(results, tables["runs"].to_dict("records")):
        assert row["labels"] == sum(result["tuned"]["chosen"][-1]) and row["gain"] == pytest.approx(
            result["scores"][-1] - result["scores"][0], abs=1e-4
        )
        assert np.isnan(row["head"]) == (result["ratio"] == 1)
    for (task, ratio, by, at), rows in tables["classes"].groupby(["task", "ratio", "by", "round"]):
        total = (
            tables["rounds"]
            .query("task == @task and ratio == @ratio and by == @by and round == @at")
            .iloc[0]
        )
        assert (
            rows["right"].sum() / rows["chosen"].sum()
            == pytest.approx(total["precision"], abs=1e-4)
            and rows["chosen"].sum() == total["labels"]
        )


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
    assert row["head"] == pytest.approx(-0.1) and row["tail"] == pytest.approx(0.4)


def test_a_result_of_other_settings_is_refused(clip, tmp_path, small, monkeypatch):
    monkeypatch.setattr(imbalance, "load_task", lambda name: small)
    monkeypatch.setattr(
        imbalance, "PromptTuner", lambda clip, **options: PromptTuner(clip, **options, recipe=QUICK)
    )
    cell = Pool("satellite", 1, "threshold", "fpl", 0)
    result = run_imbalance(cell, tmp_path, clip)
    assert run_imbalance(cell, tmp_path, clip) == result
    monkeypatch.setattr(
        imbalance,
        "PromptTuner",
        lambda clip, **options: PromptTuner(
            clip, **options, recipe=QUICK.replace(learning_rate=0.2)
        ),
    )
    with pytest.raises(ValueError, match="another recipe"):
        run_imbalance(cell, tmp_path, clip)


def test_only_the_parts_that_are_there_are_written(results, tmp_path):
    assert [path.name for path in write_parts({"imbalance": results}, tmp_path)] == [
        "imbalance.json"
    ] and write_parts({}, tmp_path) == []
    assert set(PARTS) == {"ablations", "methods", "stepwise", "imbalance"}
    assert len(class_frame(results)) == 400 and len(round_frame(results)) == 40


def test_the_command_makes_the_figures_and_skips_what_is_there(tmp_path):
    command = [
        sys.executable,
        "-c",
        "from pseudolab.cli.app import main; main()",
        "experiments",
        "equity",
        "--out",
        str(tmp_path / "runs"),
        "--tasks",
        "digits",
        "--seeds",
        "1",
        "--parts",
        "methods",
        "--workers",
        "2",
        "--collect",
        str(tmp_path / "figures"),
    ]
    first = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "140"}
    )
    assert first.returncode == 0, first.stderr
    files = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "methods").glob("*.json")
    }
    figures = (tmp_path / "figures" / "equity.json").read_text()
    assert len(files) == 4 and "grip" in first.stdout and json.loads(figures)["measures"]["data"]
    second = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "140"}
    )
    assert (
        second.returncode == 0
        and {path: path.stat().st_mtime_ns for path in files} == files
        and (tmp_path / "figures" / "equity.json").read_text() == figures
    )


def test_an_unknown_part_is_refused(tmp_path):
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pseudolab.cli.app import main; main()",
            "experiments",
            "equity",
            "--out",
            str(tmp_path),
            "--parts",
            "causs",
        ],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1 and "ablations" in answer.stderr + answer.stdout
