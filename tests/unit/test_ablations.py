"The eight ways and the paper's methods: against self-training, equal amounts, kept and read."

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.experiments import ablations, runner
from pseudolab.experiments.ablations import (
    FACTORS,
    LEARNERS,
    REFERENCES,
    ROUNDS,
    SELECTIONS,
    SOURCES,
    AblationCell,
    MethodCell,
    ablation_cells,
    by_top_k,
    class_rows,
    decode_classes,
    encode_classes,
    equity_frame,
    learn_prompt,
    method_cells,
    read_equity,
    round_rows,
    verdict,
    write_equity,
)
from pseudolab.experiments.runner import run_experiment
from pseudolab.method.linear_probe import self_train
from pseudolab.method.probe_labels import by_threshold
from pseudolab.method.recipe import Recipe
from pseudolab.method.splits import semi_supervised
from pseudolab.settings import POCKET_TASKS

QUICK = Recipe.pocket().replace(epochs=1, min_steps=0, learning_rate=0.1, max_grad_norm=1.0)
RUN = ["task", "paradigm", "strategy", "seed"]


@pytest.fixture(scope="module")
def clip():
    return load_clip("pocket")


def small_task(name, n_train=12):
    return load_task(name, n_train=n_train, n_test=15)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    "Short training; a small task"
    monkeypatch.setattr(Recipe, "pocket", staticmethod(lambda *_: QUICK))
    monkeypatch.setattr(runner, "load_task", small_task)
    monkeypatch.setattr(ablations, "load_task", small_task)
    monkeypatch.setattr(ablations, "load_task", small_task)


def played(cell, clip):
    return cell.parameters | cell.play(clip, cell.load_task())


@given(st.lists(st.integers(0, 255), max_size=300))
def test_encoded_predictions_come_back(values):
    assert decode_classes(encode_classes(values)).tolist() == values


@given(st.integers(0, 999), st.floats(0.05, 3))
@settings(max_examples=50)
def test_both_selections_take_equally_many(seed, spread):
    p = np.random.default_rng(seed).dirichlet(np.full(5, spread * 0.1), 60) + 1e-9
    logits = np.log(p / p.sum(1, keepdims=True))
    index, _ = by_threshold(logits)
    _, label = by_top_k(logits)
    counts = np.bincount(label, minlength=5)
    assert counts.min() == counts.max() >= 1
    assert abs(counts.sum() - max(5, len(index))) <= 2.5


def test_conventional_pseudolabelling_is_self_training(clip):
    result = played(AblationCell("satellite", "probe", "threshold", "probe", 1), clip)
    task = small_task("satellite")
    split = semi_supervised(task, seed=1)
    shown = clip.image_features(split.labelled.images).numpy()
    pool = clip.image_features(split.pool.images).numpy()
    test = clip.image_features(task.test.images).numpy()
    rounds = self_train(shown, split.labelled.labels, pool, 10, rounds=ROUNDS)
    for name, round in (("supervised", rounds[0]), ("final", rounds[-1])):
        assert (decode_classes(result[name]) == round.probe.predict(test)).all()
    assert [r["chosen"] for r in result["rounds"]] == [len(r.index) for r in rounds[1:]]


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_combination_runs_and_counts_add_up(clip, source, selection, learner):
    result = played(AblationCell("satellite", source, selection, learner, 0), clip)
    for round in result["rounds"]:
        assert sum(round["counts"]) == round["chosen"] >= round["right"]
    assert len(decode_classes(result["final"])) == 150
    assert json.loads(json.dumps(result)) == result
    if selection == "top-K":
        assert all(row["fewest"] == row["most"] for row in round_rows(result))


def test_for_the_prompt_too_every_image_counts_the_same(clip, monkeypatch):
    task = small_task("satellite")
    features = clip.image_features(task.train.images[:50]).numpy()
    labels = task.train.labels[:50]
    given = {}
    monkeypatch.setattr(
        ablations, "fit_prompt", lambda prompt, recipe, **options: given.update(options)
    )
    labelled = (features[:20], labels[:20])
    pseudolabelled = (features[20:], labels[20:])
    learn_prompt(clip, task, labelled, pseudolabelled, seed=0, round=1)
    assert len(given["labelled"].labels) == 20
    assert len(given["pseudolabelled"].labels) == 30
    assert given["gamma"] / 20 == pytest.approx(given["lam"] / 30)


@pytest.mark.parametrize("n_pseudolabelled", [None, 0])
def test_without_pseudolabels_the_labelled_term_stands_alone(clip, n_pseudolabelled):
    task = small_task("satellite")
    features = clip.image_features(task.train.images[:50]).numpy()
    labelled = (features, task.train.labels[:50])
    none = (features[:0], task.train.labels[:0])
    pseudolabelled = None if n_pseudolabelled is None else none
    model = learn_prompt(clip, task, labelled, pseudolabelled, seed=0, round=0)
    assert model(features).shape == (50, 10)


@pytest.mark.slow
def test_finished_cells_are_read_and_changed_ones_refused(clip, tmp_path, monkeypatch):
    cells = [
        AblationCell("satellite", "CLIP", "top-K", "prompt", 0),
        MethodCell("satellite", "ul", "fpl", 0),
    ]
    results = [run_experiment(cell, tmp_path, clip) for cell in cells]
    with monkeypatch.context() as patch:
        patch.setattr(AblationCell, "play", None)
        patch.setattr(MethodCell, "play", None)
        assert [run_experiment(cell, tmp_path, clip) for cell in cells] == results
    monkeypatch.setattr(runner, "load_task", lambda name: small_task(name, n_train=11))
    for cell in cells:
        with pytest.raises(ValueError, match="Give another folder"):
            run_experiment(cell, tmp_path, clip)


@pytest.mark.slow
def test_results_are_collected_with_both_references(clip, tmp_path, monkeypatch):
    # so long that every class moves a little
    monkeypatch.setattr(Recipe, "pocket", staticmethod(lambda *_: QUICK.replace(epochs=4)))
    results = [
        played(AblationCell("satellite", "probe", "top-K", "probe", 0), clip),
        played(MethodCell("satellite", "ssl", "fpl", 0), clip),
    ]
    write_equity(results, tmp_path / "equity.json")
    tables = read_equity(tmp_path / "equity.json")
    frame = equity_frame(results)
    assert len(tables["measures"]) == len(frame) == 2 * 2 * 4
    assert len(tables["rounds"]) == ROUNDS
    assert np.allclose(tables["measures"]["value"], frame["value"], atol=2e-4)
    slopes = frame[frame["measure"] == "slope"]
    labels = small_task("satellite").test.labels
    for result, rows in zip(results, (slopes[:2], slopes[2:]), strict=True):
        final = decode_classes(result["final"]) == labels
        for row in rows.to_dict("records"):
            before = decode_classes(result[row["reference"]]) == labels
            assert row["gain"] == pytest.approx(final.mean() - before.mean())
            lost = [(final[labels == c].mean() < before[labels == c].mean()) for c in range(10)]
            assert row["harm"] == pytest.approx(np.mean(lost))


def test_a_methods_second_reference_is_a_prompt_on_two_shots(clip):
    result = played(MethodCell("satellite", "ul", "fpl", 1), clip)
    task = small_task("satellite")
    shown = semi_supervised(task, seed=0).labelled  # the tuner's draw
    features = clip.image_features(shown.images).numpy()
    model = learn_prompt(clip, task, (features, shown.labels), seed=1, round=0)
    wanted = model(clip.image_features(task.test.images).numpy()).argmax(1)
    assert np.array_equal(decode_classes(result["supervised"]), wanted)


def made_up_measures(noise=0.0):
    "Effects that are known: of the source .08, of the selection .1, of the learner -.05 or .07"
    rng = np.random.default_rng(0)
    rows = []
    for task in "abcd":
        for seed, source, selection, learner, reference in product(
            range(2), *FACTORS.values(), REFERENCES
        ):
            paper = [source == "CLIP", selection == "top-K", learner == "prompt"]
            by_learner = 0.07 if reference == "supervised" else -0.05
            gain = np.dot(paper, [0.08, 0.1, by_learner]) + noise * rng.normal()
            about = dict(task=task, seed=seed, reference=reference, measure="slope")
            about |= dict(source=source, selection=selection, learner=learner)
            rows.append(about | dict(gain=gain, value=-0.3 * paper[1], harm=0.4 - 0.3 * paper[1]))
    return pd.DataFrame(rows)


def test_known_effects_come_back_against_each_reference():
    table = verdict(made_up_measures()).set_index(["outcome", "factor", "reference"])
    gains = table.loc["gain"]
    for (factor, reference), row in gains.iterrows():
        wanted = {"source": 0.08, "selection": 0.1}.get(factor)
        if wanted is None:
            wanted = 0.07 if reference == "supervised" else -0.05
        assert row[["effect", "low", "high"]].tolist() == pytest.approx([wanted] * 3)
        assert row["robust"] == (factor != "learner")
    selection = table.loc[("slope", "selection", "zero_shot")]
    assert selection["effect"] == pytest.approx(-0.3)
    assert (selection["verdict"], selection["change"]) == ("behind", "top-K instead of threshold")
    assert selection[["harm_before", "harm_after"]].tolist() == pytest.approx([0.4, 0.1])
    assert table.loc[("slope", "source", "zero_shot"), "verdict"] == "level"


def test_the_interval_is_over_tasks_and_one_task_is_refused():
    noisy = verdict(made_up_measures(noise=0.5)).query("outcome == 'gain'")
    known = verdict(made_up_measures()).query("outcome == 'gain'")
    assert (noisy["low"] < noisy["effect"]).all() and (noisy["effect"] < noisy["high"]).all()
    assert (noisy["high"] - noisy["low"] > 0.1).all()
    assert np.allclose(known["high"], known["low"])
    one = made_up_measures().query("task == 'a'")
    with pytest.raises(ValueError, match="at least two"):
        verdict(one)


def test_a_methods_classes_are_counted_again_and_its_ideal_had_all_true_labels(clip, tmp_path):
    result = played(MethodCell("satellite", "ul", "fpl", 1), clip)
    task = small_task("satellite")
    train = clip.image_features(task.train.images).numpy()
    test = clip.image_features(task.test.images).numpy()
    ideal = learn_prompt(clip, task, (train, task.train.labels), seed=1, round=0)
    said = {
        "zero_shot": decode_classes(result["zero_shot"]),
        "final": decode_classes(result["final"]),
        "ideal": ideal(test).argmax(1),
    }
    rows = class_rows(result, task.test.labels)
    for c, row in enumerate(rows):
        assert (row["class"], row["task"], row["paradigm"]) == (c, "satellite", "ul")
        of_class = task.test.labels == c
        for name, predictions in said.items():
            share = (predictions[of_class] == c).mean()
            assert row[name] == pytest.approx(share, abs=1e-4)
    write_equity([result], tmp_path / "equity.json")
    assert len(rows) == len(read_equity(tmp_path / "equity.json")["classes"]) == 10


def test_class_rows_are_of_the_methods_alone_and_round_rows_of_the_eight_ways(clip):
    labels = small_task("satellite").test.labels
    way = played(AblationCell("satellite", "probe", "top-K", "probe", 0), clip)
    method = played(MethodCell("satellite", "ul", "fpl", 0), clip)
    assert class_rows(way, labels) == []
    assert round_rows(method) == []


@pytest.mark.slow
def test_the_shipped_figures_hold_every_run():
    tables = read_equity()
    methods = tables["measures"].dropna(subset=["strategy"])
    ways = tables["measures"].dropna(subset=["source"])
    assert len(methods) == 72 * 4 * methods["reference"].nunique()
    assert len(ways) == 144 * 8
    assert len(tables["rounds"]) == 144 * ROUNDS
    counts = tables["classes"].groupby(RUN).size()
    n_classes = {name: len(load_task(name).class_names) for name in POCKET_TASKS}
    assert len(counts) == 72
    assert (counts == counts.index.get_level_values("task").map(n_classes)).all()


def test_the_shipped_classes_agree_with_the_shipped_gains():
    tables = read_equity()
    means = tables["classes"].groupby(RUN)[["zero_shot", "final"]].mean()
    # the digits have not equally many test images of each class
    gains = (means["final"] - means["zero_shot"]).drop("digits")
    methods = tables["measures"].dropna(subset=["strategy"])
    of_clip = (methods["measure"] == "slope") & (methods["reference"] == "zero_shot")
    shipped = methods[of_clip].set_index(RUN)["gain"]
    assert np.allclose(gains, shipped[gains.index], atol=2e-4)


def test_the_whole_design_is_crossed():
    cells = ablation_cells()
    assert len({cell.name for cell in cells}) == len(cells) == 6 * 3 * 2 * 2 * 2
    assert len({cell.name for cell in method_cells()}) == 6 * 3 * 4
