"The factorial of causes: against self-training, equal amounts, results that are kept and read."

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.experiments import ablations
from pseudolab.experiments.ablations import (
    LEARNERS,
    SELECTIONS,
    SOURCES,
    Cause,
    Method,
    by_threshold,
    by_top_k,
    ablation_cells,
    class_rows,
    equity_frame,
    learn_prompt,
    method_cells,
    pack,
    play_ablation,
    read_equity,
    round_rows,
    run_ablation,
    run_method,
    unpack,
    write_equity,
)
from pseudolab.clip.loading import load_clip
from pseudolab.method.splits import semi_supervised
from pseudolab.method.linear_probe import self_train
from pseudolab.method.recipe import Recipe
from pseudolab.settings import POCKET_TASKS
from pseudolab.data.tasks import load_task


@pytest.fixture(scope="module")
def clip():
    torch.set_num_threads(1)
    return load_clip()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    "Short training; a small task"
    monkeypatch.setattr(
        ablations,
        "Recipe",
        type(
            "Quick",
            (),
            {"pocket": staticmethod(lambda: Recipe.pocket().replace(epochs=1, min_steps=0))},
        ),
    )
    monkeypatch.setattr(ablations, "load_task", lambda name: load_task(name, n_train=12, n_test=15))


@given(st.lists(st.integers(0, 255), max_size=300))
def test_packed_predictions_come_back(values):
    assert unpack(pack(values)).tolist() == values


@given(st.integers(0, 999), st.floats(0.05, 3))
@settings(max_examples=50)
def test_both_selections_take_equally_many(seed, spread):
    p = np.random.default_rng(seed).dirichlet(np.full(5, spread * 0.1), 60) + 1e-9
    logits = np.log(p / p.sum(1, keepdims=True))
    one, other = by_threshold(logits)[0], by_top_k(logits)
    counts = np.bincount(other[1], minlength=5)
    assert counts.min() == counts.max() >= 1 and abs(counts.sum() - max(5, len(one))) <= 2.5


def test_conventional_pseudolabelling_is_self_training(clip):
    task = ablations.load_task("satellite")
    result = play_ablation(Cause("satellite", "probe", "threshold", "probe", 1), task, clip)
    split = semi_supervised(task, seed=1)
    shown, pool, test = (
        clip.image_features(s.images).numpy() for s in (split.labelled, split.pool, task.test)
    )
    played = self_train(shown, split.labelled.labels, pool, 10, rounds=ablations.ROUNDS)
    for name, round in (("supervised", played[0]), ("final", played[-1])):
        assert (unpack(result[name]) == round.probe.predict(test)).all()
    assert [r["chosen"] for r in result["rounds"]] == [len(r.index) for r in played[1:]]


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("source", SOURCES)
def test_every_combination_runs_and_counts_add_up(clip, source, learner):
    for selection in SELECTIONS:
        result = play_ablation(
            Cause("satellite", source, selection, learner, 0),
            ablations.load_task("satellite"),
            clip,
        )
        assert (
            all(sum(r["counts"]) == r["chosen"] >= r["right"] for r in result["rounds"])
            and len(unpack(result["final"])) == 150
        )
        assert json.loads(json.dumps(result)) == result
        if selection == "top-K":
            assert all(row["fewest"] == row["most"] for row in round_rows(result))


def test_for_the_prompt_too_every_image_counts_the_same(clip, monkeypatch):
    task, given = ablations.load_task("satellite"), []
    monkeypatch.setattr(
        ablations, "fit_prompt", lambda prompt, terms, recipe, generator: given.extend(terms)
    )
    features = clip.image_features(task.train.images[:50]).numpy()
    learn_prompt(task, clip, features, task.train.labels[:50], 20, 0, 1)
    assert [(len(term.labels), term.pseudo) for term in given] == [(20, False), (30, True)]
    assert given[0].weight / 20 == pytest.approx(given[1].weight / 30)


def test_finished_cells_are_read_and_changed_ones_refused(clip, tmp_path, monkeypatch):
    cause, method = (
        Cause("satellite", "CLIP", "top-K", "prompt", 0),
        Method("satellite", "ul", "fpl", 0),
    )
    results = [run_ablation(cause, tmp_path, clip), run_method(method, tmp_path, clip)]
    with monkeypatch.context() as patch:
        patch.setattr(ablations, "play_ablation", None)
        patch.setattr(ablations, "_play_method", None)
        assert [run_ablation(cause, tmp_path, clip), run_method(method, tmp_path, clip)] == results
    monkeypatch.setattr(ablations, "load_task", lambda name: load_task(name, n_train=11, n_test=15))
    with pytest.raises(ValueError, match="Give another folder"):
        run_ablation(cause, tmp_path, clip)


def test_results_are_collected_with_both_references(clip, tmp_path):
    results = [
        run_ablation(Cause("satellite", "probe", "top-K", "probe", 0), tmp_path, clip),
        run_method(Method("satellite", "ssl", "fpl", 0), tmp_path, clip),
    ]
    write_equity(results, tmp_path / "equity.json")
    tables, frame = read_equity(tmp_path / "equity.json"), equity_frame(results)
    assert len(tables["measures"]) == len(frame) == 12 and len(tables["rounds"]) == ablations.ROUNDS
    assert np.allclose(tables["measures"]["value"], frame["value"], atol=2e-4)
    gains = frame[frame["measure"] == "slope"].set_index("reference")["gain"]
    labels = ablations.load_task("satellite").test.labels
    final, supervised = (unpack(results[0][name]) for name in ("final", "supervised"))
    assert gains["supervised"] == pytest.approx(
        ((final == labels).mean() - (supervised == labels).mean())
    )


def test_a_methods_classes_are_counted_again_and_its_ideal_had_all_true_labels(clip, tmp_path):
    result = run_method(Method("satellite", "ul", "fpl", 1), tmp_path, clip)
    task = ablations.load_task("satellite")
    train, test = (clip.image_features(s.images).numpy() for s in (task.train, task.test))
    ideal = learn_prompt(task, clip, train, task.train.labels, len(train), 1, 0)(test).argmax(1)
    said = {
        "zero_shot": unpack(result["zero_shot"]),
        "final": unpack(result["final"]),
        "ideal": ideal,
    }
    rows = class_rows(result, task.test.labels)
    for c, row in enumerate(rows):
        assert row["class"] == c and row["task"] == "satellite" and row["paradigm"] == "ul"
        for name, predictions in said.items():
            assert row[name] == pytest.approx(
                np.mean([p == c for p, truth in zip(predictions, task.test.labels) if truth == c]),
                abs=1e-4,
            )
    write_equity([result], tmp_path / "equity.json")
    assert len(rows) == len(read_equity(tmp_path / "equity.json")["classes"]) == 10
    # of the methods alone
    assert (
        class_rows(
            run_ablation(Cause("satellite", "probe", "top-K", "probe", 0), tmp_path, clip),
            task.test.labels,
        )
        == []
    )


def test_the_shipped_figures_hold_every_run():
    tables = read_equity()
    methods, ways = (
        tables["measures"].dropna(subset=["strategy"]),
        tables["measures"].dropna(subset=["source"]),
    )
    assert (
        len(methods) == 72 * 4
        and len(ways) == 144 * 8
        and len(tables["rounds"]) == 144 * ablations.ROUNDS
    )
    counts = tables["classes"].groupby(["task", "paradigm", "strategy", "seed"]).size()
    assert (
        len(counts) == 72
        and (
            counts
            == counts.index.get_level_values("task").map(
                {name: len(load_task(name).class_names) for name in POCKET_TASKS}
            )
        ).all()
    )
    # as many test images of each class
    gains = (
        tables["classes"]
        .groupby(["task", "paradigm", "strategy", "seed"])[["zero_shot", "final"]]
        .mean()
        .eval("final - zero_shot")
        .drop("digits")
    )
    shipped = methods[methods["measure"] == "slope"].set_index(
        ["task", "paradigm", "strategy", "seed"]
    )["gain"]
    assert np.allclose(gains, shipped[gains.index], atol=2e-4)


def test_the_whole_design_is_crossed():
    cells = ablation_cells()
    assert (
        len({cell.name for cell in cells}) == len(cells) == 6 * 3 * 2 * 2 * 2
        and len({cell.name for cell in method_cells()}) == 6 * 3 * 4
    )
