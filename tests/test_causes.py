"The factorial of causes: against self-training, equal amounts, results that are kept and read."
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab import causes
from pseudolab.causes import LEARNERS, SELECTIONS, SOURCES, Cause, Method, by_threshold, by_top_k, cause_cells, equity_frame, method_cells, pack, play_cause, read_equity, round_rows, run_cause, run_method, unpack, write_equity
from pseudolab.clip import load_clip
from pseudolab.paradigms import semi_supervised
from pseudolab.probe import self_train
from pseudolab.recipe import Recipe
from pseudolab.tasks import load_task


@pytest.fixture(scope="module")
def clip():
    torch.set_num_threads(1)
    return load_clip()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    "Short training; a small task"
    monkeypatch.setattr(causes, "Recipe", type("Quick", (), {"pocket": staticmethod(lambda: Recipe.pocket().replace(epochs=1, least_steps=0))}))
    monkeypatch.setattr(causes, "load_task", lambda name: load_task(name, n_train=12, n_test=15))


@given(st.lists(st.integers(0, 255), max_size=300))
def test_packed_predictions_come_back(values): assert unpack(pack(values)).tolist() == values


@given(st.integers(0, 999), st.floats(.05, 3))
@settings(max_examples=50)
def test_both_selections_take_equally_many(seed, spread):
    p = np.random.default_rng(seed).dirichlet(np.full(5, spread * .1), 60) + 1e-9
    logits = np.log(p / p.sum(1, keepdims=True))
    one, other = by_threshold(logits)[0], by_top_k(logits)
    counts = np.bincount(other[1], minlength=5)
    assert counts.min() == counts.max() >= 1 and abs(counts.sum() - max(5, len(one))) <= 2.5


def test_conventional_pseudolabelling_is_self_training(clip):
    task = causes.load_task("satellite")
    result = play_cause(Cause("satellite", "probe", "threshold", "probe", 1), task, clip)
    split = semi_supervised(task, seed=1)
    shown, pool, test = (clip.image_features(s.images).numpy() for s in (split.labelled, split.pool, task.test))
    played = self_train(shown, split.labelled.labels, pool, 10, rounds=causes.ROUNDS)
    for name, round in (("supervised", played[0]), ("final", played[-1])):
        assert (unpack(result[name]) == round.probe.predict(test)).all()
    assert [r["chosen"] for r in result["rounds"]] == [len(r.index) for r in played[1:]]


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("source", SOURCES)
def test_every_combination_runs_and_counts_add_up(clip, source, learner):
    for selection in SELECTIONS:
        result = play_cause(Cause("satellite", source, selection, learner, 0), causes.load_task("satellite"), clip)
        assert all(sum(r["counts"]) == r["chosen"] >= r["right"] for r in result["rounds"]) and len(unpack(result["final"])) == 150
        assert json.loads(json.dumps(result)) == result
        if selection == "top-K": assert all(row["fewest"] == row["most"] for row in round_rows(result))


def test_finished_cells_are_read_and_changed_ones_refused(clip, tmp_path, monkeypatch):
    cause, method = Cause("satellite", "CLIP", "top-K", "prompt", 0), Method("satellite", "ul", "fpl", 0)
    results = [run_cause(cause, tmp_path, clip), run_method(method, tmp_path, clip)]
    with monkeypatch.context() as patch:
        patch.setattr(causes, "play_cause", None)
        patch.setattr(causes, "_play_method", None)
        assert [run_cause(cause, tmp_path, clip), run_method(method, tmp_path, clip)] == results
    monkeypatch.setattr(causes, "load_task", lambda name: load_task(name, n_train=11, n_test=15))
    with pytest.raises(ValueError, match="Give another folder"): run_cause(cause, tmp_path, clip)


def test_results_are_collected_with_both_references(clip, tmp_path):
    results = [run_cause(Cause("satellite", "probe", "top-K", "probe", 0), tmp_path, clip), run_method(Method("satellite", "ssl", "fpl", 0), tmp_path, clip)]
    write_equity(results, tmp_path / "equity.json")
    tables, frame = read_equity(tmp_path / "equity.json"), equity_frame(results)
    assert len(tables["measures"]) == len(frame) == 12 and len(tables["rounds"]) == causes.ROUNDS
    assert np.allclose(tables["measures"]["value"], frame["value"], atol=2e-4)
    gains = frame[frame["measure"] == "slope"].set_index("reference")["gain"]
    labels = causes.load_task("satellite").test.labels
    final, supervised = (unpack(results[0][name]) for name in ("final", "supervised"))
    assert gains["supervised"] == pytest.approx(((final == labels).mean() - (supervised == labels).mean()))


def test_the_whole_design_is_crossed():
    cells = cause_cells()
    assert len({cell.name for cell in cells}) == len(cells) == 6 * 3 * 2 * 2 * 2 and len({cell.name for cell in method_cells()}) == 6 * 3 * 4
