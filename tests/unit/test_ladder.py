"The ladder: its rungs against plain ways of doing the same, its intervals against known numbers."

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import softmax

from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.experiments import ladder, runner
from pseudolab.experiments.ablations import decode_classes, encode_classes
from pseudolab.experiments.ladder import (
    BY_HAND,
    QUESTIONS,
    RUNGS,
    WAYS,
    EvenShare,
    LadderCell,
    WholePool,
    even_bias,
    how_often_drawn,
    ladder_cells,
    ladder_frame,
    ladder_table,
    read_ladder,
    score_draws,
    what_each_adds,
    write_ladder,
)
from pseudolab.experiments.runner import run_experiment
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.schedules import Growing
from pseudolab.method.selectors import log_probabilities
from pseudolab.method.splits import make_split, score
from pseudolab.method.tuner import PromptTuner
from pseudolab.views.format import compare, verdict_of

QUICK = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def clip():
    return load_clip("pocket")


@pytest.fixture(scope="module")
def small():
    return load_task("satellite", n_train=17, n_test=10)


@pytest.fixture(autouse=True)
def quick(monkeypatch, small):
    "Short training; a small task"
    monkeypatch.setattr(Recipe, "pocket", staticmethod(lambda *_: QUICK))
    monkeypatch.setattr(runner, "load_task", lambda name: small)
    monkeypatch.setattr(ladder, "load_task", lambda name: small)


def played(way, clip, small, prompt="text", paradigm="ul", seed=0):
    cell = LadderCell("satellite", prompt, paradigm, way, seed)
    return cell.parameters | cell.play(clip, small)


def said(result, rung):
    return decode_classes(result["rungs"][rung]["predictions"])


# --- what the rungs are


@given(st.integers(1, 12), st.integers(1, 400), st.integers(2, 20))
def test_the_even_share_is_what_a_growing_k_ends_with(rounds, U, C):
    assert EvenShare()(1, U, C) == EvenShare()(rounds, U, C) == Growing(rounds)(rounds, U, C)


@given(st.integers(0, 10**6), st.integers(40, 80), st.integers(2, 5))
@settings(max_examples=5)
def test_the_bias_makes_the_mean_probabilities_even(seed, U, C):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(U, C)) + rng.normal(scale=0.5, size=C)
    by_hand = np.zeros(C)
    for _ in range(300):
        by_hand -= np.log(softmax(logits + by_hand, axis=1).mean(0))
    bias = even_bias(logits)
    assert np.allclose(softmax(logits + bias, axis=1).mean(0), 1 / C, atol=1e-3 / U)
    assert np.allclose(bias - bias.mean(), by_hand - by_hand.mean(), atol=1e-3)


def test_the_start_is_what_plain_code_says(clip, small):
    result = played("start", clip, small)
    prompt = TemplatePrompt.for_task(clip, small)
    with torch.no_grad():
        test = log_probabilities(prompt.logits(small.test.images))
        pool = log_probabilities(prompt.logits(small.train.images))
    assert np.array_equal(said(result, "zero-shot"), test.argmax(1))
    bias = np.zeros(10)
    for _ in range(500):
        bias -= np.log(np.exp(log_probabilities(pool + bias)).mean(0))
    assert np.array_equal(said(result, "even bias"), (test + bias).argmax(1))
    # the bias comes from the pool: the test images' own would be another
    assert not np.array_equal(said(result, "even bias"), test.argmax(1))


def test_a_run_of_ten_rounds_holds_the_runs_of_one_two_and_four(clip, small):
    long = played("fixedall", clip, small, seed=3)
    for number in (1, 2, 4):
        short = PromptTuner(
            clip,
            strategy=WAYS["fixedall"].strategy.__class__("short", number, EvenShare()),
            recipe=QUICK,
            seed=3,
        ).fit(small, progress=False)
        rung = f"K=U/C, {number} round{'s' if number > 1 else ''}"
        assert np.array_equal(said(long, rung), short.rounds[-1].predictions)


def test_the_control_learns_zero_shots_own_label_of_every_image(clip, small):
    way = WAYS["argmax"]
    tuner = PromptTuner(clip, strategy=way.strategy, selector=way.selector, recipe=QUICK)
    labels = tuner.fit(small, progress=False).rounds[1].pseudolabels
    with torch.no_grad():
        pool = TemplatePrompt.for_task(clip, small).logits(small.train.images)
    assert sorted(labels.index) == list(range(len(small.train)))
    assert np.array_equal(labels.label, pool.numpy().argmax(1)[labels.index])
    share = (labels.label == small.train.labels[labels.index]).mean()
    rung = played("argmax", clip, small)["rungs"]["argmax labels"]
    assert rung["precision"] == pytest.approx(share, abs=1e-4)


def test_the_ceiling_had_all_true_labels_and_the_first_rounds_random_numbers(
    clip, small, monkeypatch
):
    seen = {}

    def learn(clip, task, labelled, *, seed, round):
        seen.update(labels=labelled[1], seed=seed, round=round)
        return lambda features: np.eye(10)[np.zeros(len(features), int)]

    monkeypatch.setattr(ladder, "learn_prompt", learn)
    played("truth", clip, small, seed=4)
    assert np.array_equal(seen["labels"], small.train.labels)
    assert (seen["seed"], seen["round"]) == (4, 1)


def test_every_way_gives_the_rungs_it_names(clip, small):
    rungs = {}
    for way in ("balanced", "first16", "growing2", *BY_HAND):
        result = played(way, clip, small)
        assert json.loads(json.dumps(result)) == result
        rungs[way] = set(result["rungs"])
    assert rungs["growing2"] == {"zero-shot", "growing, 2 rounds"}
    assert rungs["balanced"] == {"zero-shot", "balanced prompt"}
    named = {name for way in WAYS.values() for name in way.rungs.values()}
    assert named | rungs["start"] | rungs["truth"] == set(RUNGS)
    assert {rung for pair in QUESTIONS.values() for rung in pair} <= set(RUNGS)


def test_a_way_that_does_not_fit_is_named(clip, small):
    with pytest.raises(ValueError, match="'start', with a visual prompt"):
        LadderCell("satellite", "visual", "ul", "start", 0).play(clip, small)
    with pytest.raises(ValueError, match="growing10"):
        LadderCell("satellite", "text", "ul", "grow", 0).play(clip, small)


def test_the_cells_are_different_and_the_short_ladders_shorter():
    cells = ladder_cells()
    assert len({cell.name for cell in cells}) == len(cells)
    long = [cell for cell in cells if (cell.prompt, cell.paradigm) == ("text", "ul")]
    assert len(long) == 5 * 6 * 9
    assert {cell.seed for cell in cells if cell not in long} == {0, 1}
    assert {cell.task for cell in cells if cell not in long} == {"satellite", "digits", "flowers"}
    # seven rungs of each short ladder
    few = ladder_cells(["digits"], [0])
    assert len(few) == 9 + 8 * 3


def test_what_is_there_is_not_played_again(clip, tmp_path, monkeypatch):
    cell = LadderCell("satellite", "text", "ul", "start", 0)
    first = run_experiment(cell, tmp_path, clip)
    monkeypatch.setattr(LadderCell, "play", None)
    assert run_experiment(cell, tmp_path, clip) == first


# --- scores and intervals


@pytest.mark.parametrize("paradigm", ["ssl", "trzsl"])
def test_the_frame_scores_as_the_tuner_does(clip, small, paradigm):
    result = played("first16", clip, small, paradigm=paradigm)
    frame = ladder_frame([result, result]).set_index("rung")
    assert list(frame.index) == ["zero-shot", "K=16, 1 round"]
    seen = make_split(small, paradigm).seen
    for rung, row in frame.iterrows():
        predictions = said(result, rung)
        assert row["score"] == score(predictions, small.test.labels, seen)
        assert np.array_equal(
            decode_classes(row["right"]).astype(bool), predictions == small.test.labels
        )
        assert (row["seen"] is None) == (paradigm != "trzsl")


def brute_force(right, seen, images, seeds):
    "A draw written out: lists of drawn images and seeds"
    scores = []
    for s in seeds:
        drawn = np.array([right[s, i] for i in images])
        if seen is None:
            scores.append(drawn.mean())
            continue
        shown = np.array([seen[i] for i in images])
        a, b = drawn[shown].mean(), drawn[~shown].mean()
        scores.append(0 if a * b == 0 else 2 * a * b / (a + b))
    return np.mean(scores)


@pytest.mark.parametrize("transductive", [False, True])
def test_a_draw_is_a_draw_written_out(transductive):
    rng = np.random.default_rng(5)
    right = rng.random((2, 3, 30)) < 0.6
    seen = np.arange(30) % 3 > 0 if transductive else None
    draws = score_draws(right, seen, generator=np.random.default_rng(8), n=6)
    again = np.random.default_rng(8)
    images = again.integers(30, size=(6, 30))
    seeds = again.integers(3, size=(6, 3))
    for r in range(2):
        for at in range(6):
            wanted = brute_force(right[r], seen, images[at], seeds[at])
            assert draws[r, at] == pytest.approx(wanted)


def test_counts_are_of_draws_with_replacement():
    counts = how_often_drawn(4, 20_000, np.random.default_rng(0))
    assert (counts.sum(1) == 4).all()
    assert np.allclose(counts.mean(0), 1, atol=0.02)
    assert np.allclose(counts.var(0), 0.75, atol=0.03)  # binomial: 4 * 1/4 * 3/4


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        right = rng.random((1, 5, 120)) < 0.7
        draws = score_draws(right, generator=rng, n=200)
        low, high = np.quantile(draws, [0.025, 0.975])
        covered += low <= 0.7 <= high
    assert 0.9 <= covered / 200 <= 1


def rows_of(rung, right, task="made up", seeds=(0, 1, 2)):
    about = dict(task=task, prompt="text", paradigm="ul", rung=rung, precision=0.5, seen=None)
    return [
        about | dict(seed=seed, score=row.mean(), right=encode_classes(row))
        for seed, row in zip(seeds, right, strict=True)
    ]


@pytest.fixture(scope="module")
def made_up():
    rng = np.random.default_rng(0)
    rows = []
    for task, start in (("a", 0.5), ("b", 0.7)):
        first = rng.random((3, 400)) < start
        one = first | (rng.random((3, 400)) < 0.3)
        rows += rows_of("zero-shot", first, task)
        rows += rows_of("K=U/C, 1 round", one, task)
        rows += rows_of("K=U/C, 10 rounds", one | (rng.random((3, 400)) < 0.4), task)
        rows += rows_of("growing, 10 rounds", rng.permuted(one, axis=1), task)
    return pd.DataFrame(rows)


def test_what_is_added_is_the_mean_difference_and_the_mean_of_tasks(made_up):
    adds = what_each_adds(made_up).set_index(["task", "question"])
    scores = made_up.groupby(["task", "rung"])["score"].mean()
    for task in ("a", "b"):
        row = adds.loc[task, "iterating beyond one round"]
        wanted = scores[task, "K=U/C, 10 rounds"] - scores[task, "K=U/C, 1 round"]
        assert row["adds"] == pytest.approx(wanted)
        assert row["low"] < wanted < row["high"]
        assert row["verdict"] == "ahead"
        assert adds.loc[(task, "growing beyond a fixed K"), "verdict"] == "behind"
    both = adds.xs("iterating beyond one round", level="question")["adds"]
    assert both["all"] == pytest.approx((both["a"] + both["b"]) / 2)
    # questions whose rungs are not there are not answered
    assert "one bias per class" not in adds.index.get_level_values("question")


def test_the_mean_over_tasks_is_known_better_than_one_task(made_up):
    table = ladder_table(made_up).set_index(["task", "rung"])
    width = table["high"] - table["low"]
    rung = "K=U/C, 1 round"
    assert width["all", rung] < min(width["a", rung], width["b", rung])
    assert table.loc[("all", "zero-shot"), "gain"] == 0
    assert table.loc[("a", "zero-shot"), ["gain_low", "gain_high"]].tolist() == [0, 0]


def test_the_pairing_narrows_the_interval(made_up):
    table = ladder_table(made_up).set_index(["task", "rung"]).loc["a"]
    # `one` is right wherever zero-shot is; the permuted one is not
    paired, apart = table.loc["K=U/C, 1 round"], table.loc["growing, 10 rounds"]
    assert paired["gain"] == pytest.approx(apart["gain"])
    widths = [row["gain_high"] - row["gain_low"] for row in (paired, apart)]
    assert widths[0] < 0.75 * widths[1]
    adds = what_each_adds(made_up).query("task == 'a'").set_index("question")
    width = adds["high"] - adds["low"]
    assert width["iterating beyond one round"] < 0.75 * width["growing beyond a fixed K"]


def test_a_missing_seed_is_named(made_up):
    gap = made_up.drop(made_up.query("rung == 'zero-shot' and seed == 1 and task == 'b'").index)
    with pytest.raises(ValueError, match=r"\('zero-shot', 1\)"):
        what_each_adds(gap)


def test_a_verdict_needs_the_whole_interval():
    assert [verdict_of(*ends) for ends in ((0.1, 0.2), (-0.1, 0.2), (-0.2, -0.1), (0, 1))] == [
        "ahead",
        "level",
        "behind",
        "level",
    ]


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=6),
    st.floats(-1, 1),
)
def test_ahead_needs_more_than_chance(pairs, shared):
    ours, theirs = map(list, zip(*pairs, strict=True))
    differences = np.subtract(ours, theirs)
    said = compare(ours, theirs)
    # SciPy's own test of paired differences as the oracle
    chance = stats.ttest_1samp(differences, 0).pvalue if differences.std() > 1e-9 else 0
    if abs(chance - 0.05) > 1e-9 and abs(differences.mean()) > 1e-9:
        expected = "level" if chance > 0.05 else "ahead" if differences.mean() > 0 else "behind"
        assert said == expected
    turned = {"ahead": "behind", "behind": "ahead", "level": "level"}
    assert compare(theirs, ours) == turned[said]


def test_one_seed_or_unequal_numbers_are_no_comparison():
    for ours, theirs in (([0.7], [0.6]), ([0.7, 0.8], [0.6]), ([], [])):
        with pytest.raises(ValueError, match="one per seed"):
            compare(ours, theirs)


def test_the_file_holds_the_tables(clip, small, tmp_path):
    results = [played(way, clip, small) for way in ("start", "first16")]
    write_ladder(results, tmp_path / "ladder.json")
    tables = read_ladder(tmp_path / "ladder.json")
    assert len(tables["rungs"]) == 4
    assert tables["rungs"]["right"].tolist() == ladder_frame(results)["right"].tolist()
    assert set(tables["table"]["rung"]) == set(tables["rungs"]["rung"])
    again = what_each_adds(tables["rungs"])
    assert np.allclose(again["adds"], tables["adds"]["adds"], atol=2e-4)


def test_the_whole_pool_is_the_whole_pool():
    assert WholePool()(3, 77, 5) == 77
