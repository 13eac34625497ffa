"The grid: its cells, its results, and the table made from them."

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from pseudolab.clip.loading import load_clip
from pseudolab.experiments.grid import (
    GRID_FILE,
    Cell,
    beside_the_paper,
    cell_key,
    grid_cells,
    grid_means,
    grid_table,
    paper_gains,
    paper_scores,
    read_grid,
    result_row,
    run_cell,
    run_grid,
    write_grid,
)
from pseudolab.experiments.runner import keep_result
from pseudolab.method.recipe import Recipe
from pseudolab.data.tasks import load_task
from pseudolab.method.tuner import PromptTuner


SMALL = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def clip():
    return load_clip("pocket", device="cpu")


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=6)


def test_the_grid_has_27_cells_and_the_baselines_on_six_tasks():
    cells = grid_cells()
    assert len(cells) == len({cell.name for cell in cells}) == 486
    count = lambda **kind: sum(
        all(getattr(cell, key) == value for key, value in kind.items()) for cell in cells
    )
    assert (
        count(strategy="grip", task="digits") == 27
        and count(strategy="ifpl", task="digits") == 9
        and count(strategy="labelled", paradigm="ul") == 0
    )


def test_a_finished_run_is_not_repeated_and_a_foreign_one_not_believed(clip, tmp_path):
    cell = Cell("satellite", "text", "ul", "fpl", 0)
    first = run_cell(cell, tmp_path, clip)
    changed = (tmp_path / f"{cell.name}.json").stat().st_mtime_ns
    assert (
        run_cell(cell, tmp_path, clip) == first
        and (tmp_path / f"{cell.name}.json").stat().st_mtime_ns == changed
    )
    with pytest.raises(ValueError, match="another recipe"):
        run_cell(cell, tmp_path, clip, recipe="paper")


@pytest.mark.parametrize(
    "content, what",
    [
        (b"", "damaged"),
        (b'{"key": "a", "sco', "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[]", "another recipe"),
        (b"{}", "another recipe"),
        (b'{"key": "b"}', "another recipe"),
    ],
)
def test_a_result_that_cannot_be_used_is_named_and_left_alone(tmp_path, content, what):
    path = tmp_path / "digits-text-ul-fpl-0.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=what) as error:
        keep_result(path, "a", lambda: pytest.fail("made again"))
    assert (
        path.name in str(error.value)
        and "emove the file" in str(error.value)
        and path.read_bytes() == content
    )


def test_a_run_that_fails_leaves_no_result(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_result(tmp_path / "a.json", "a", fail)
    assert list(tmp_path.iterdir()) == [] and keep_result(
        tmp_path / "a.json", "a", lambda: {"score": 1}
    ) == {"score": 1, "key": "a"}


def test_a_grid_side_by_side_gives_what_one_after_the_other_gives(clip, tmp_path):
    cells = grid_cells(["satellite"], ["text"], ["ssl"], ["fpl"])
    results = run_grid(tmp_path / "a", cells, workers=2, progress=False)
    alone = run_cell(cells[1], tmp_path / "b", clip)
    assert [r["seed"] for r in results] == [0, 1, 2] and results[1]["scores"] == alone["scores"]
    write_grid(results, tmp_path / "grid.json")
    assert read_grid(tmp_path / "grid.json")["score"].tolist() == [r["scores"][-1] for r in results]


KILLED = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pseudolab.experiments.grid import _end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "killed.py")], stdout=subprocess.PIPE, text=True
    )
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    for _ in range(300):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker still waits")


def test_the_table_says_where_zero_shot_is_not_beaten():
    rows = [
        dict(
            task="digits",
            prompt="text",
            paradigm="ul",
            strategy="grip",
            seed=seed,
            scores=[0.5, score],
            precision=[None, 0.5],
            zero_shot_precision=[None, 0.5],
            seconds=1.0,
        )
        for seed, score in enumerate((0.3, 0.5))
    ]
    table = grid_table(grid_means(pd.DataFrame([result_row(row) for row in rows])))
    assert (
        table.loc[("ul", "text", "grip"), "digits"] == "40.0 ±14.1 ▾"
        and table.loc[("ul", "none", "zero_shot"), "digits"] == "50.0"
    )


def test_published_figures_by_hand():
    scores = paper_scores().set_index(["data", "prompt", "paradigm", "strategy"])["score"]
    assert (
        scores["eurosat", "visual", "trzsl", "grip"] == 0.970
        and scores["flowers102", "text", "ssl", "labelled"] == 0.768
        and scores["mnist", "multimodal", "ul", "zero_shot"] == 0.251
    )
    gains = paper_gains().set_index(["data", "prompt", "paradigm"])["paper_gain"]
    assert (
        len(gains) == 54
        and gains["fgvc_aircraft", "text", "ul"] == pytest.approx(-0.024)
        and gains["dtd", "visual", "ssl"] == pytest.approx(0.114)
    )


def cell_of(result):
    return Cell(*(result[key] for key in ("task", "prompt", "paradigm", "strategy", "seed")))


def test_the_shipped_grid_is_of_these_weights_and_this_recipe(clip):
    results = json.loads(GRID_FILE.read_text(encoding="utf-8"))
    assert len({cell_of(result) for result in results}) == len(results)
    assert len(beside_the_paper(grid_means(read_grid()))) == 54
    for result in results[::30]:
        cell = cell_of(result)
        tuner = PromptTuner(
            clip,
            prompt=cell.prompt,
            paradigm=cell.paradigm,
            strategy=cell.strategy,
            recipe=result["recipe"],
            seed=cell.seed,
        )
        assert result["key"] == cell_key(cell, tuner, load_task(cell.task)), cell.name


def test_the_shipped_grid_is_whole():
    there, wanted = (
        {cell_of(result) for result in json.loads(GRID_FILE.read_text(encoding="utf-8"))},
        set(grid_cells()),
    )
    assert there <= wanted
    if there < wanted:
        pytest.skip(
            f"the shipped grid holds {len(there)} of {len(wanted)} runs; the others are still to be"
            " made"
        )
