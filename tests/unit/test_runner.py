"The runner: results that are kept, refused or made again; runs side by side; a run that is killed."

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch
from joblib import parallel_config

from pseudolab.data.tasks import load_task
from pseudolab.experiments import runner
from pseudolab.experiments.claims import is_claimed
from pseudolab.experiments.runner import (
    Experiment,
    keep_result,
    read_frames,
    run_experiment,
    run_experiments,
    write_frames,
)
from pseudolab.method.recipe import Recipe


@dataclass(frozen=True)
class Counting(Experiment):
    "Says how many threads it is played with, and how many images there are"

    seed: int

    kind: ClassVar[str] = "counting 1"

    def play(self, clip, task):
        if self.seed < 0:
            raise ValueError(f"{self.seed} is below 0")
        return {"images": len(task.train), "threads": torch.get_num_threads()}


def test_the_name_is_the_parameters():
    assert Counting("digits", 3).name == "digits-3"
    assert Counting("digits", 3).parameters == {"task": "digits", "seed": 3}


def test_the_key_names_everything_that_decides_the_numbers(clip, monkeypatch):
    task = load_task("satellite", n_train=12, n_test=10)
    cell = Counting("satellite", 0)
    keys = {
        cell.key(clip, task),
        Counting("satellite", 1).key(clip, task),
        cell.key(clip, load_task("satellite", n_train=11, n_test=10)),
        cell.key(clip, load_task("satellite", n_train=12, n_test=9)),
        cell.key(clip, load_task("satellite", n_train=12, n_test=10, template="{}")),
    }
    monkeypatch.setattr(Counting, "kind", "counting 2")
    keys.add(cell.key(clip, task))
    monkeypatch.setattr(Counting, "recipe", Recipe.paper())
    keys.add(cell.key(clip, task))
    monkeypatch.setattr(type(clip), "digest", "other weights")
    keys.add(cell.key(clip, task))
    assert len(keys) == 8


def test_a_finished_experiment_is_read_and_a_foreign_one_not_believed(clip, tmp_path, monkeypatch):
    cell = Counting("satellite", 0)
    first = run_experiment(cell, tmp_path, clip)
    path = tmp_path / "satellite-0.json"
    written = path.stat().st_mtime_ns
    assert run_experiment(cell, tmp_path, clip) == first
    assert path.stat().st_mtime_ns == written
    monkeypatch.setattr(Counting, "recipe", Recipe.paper())
    with pytest.raises(ValueError, match="another recipe"):
        run_experiment(cell, tmp_path, clip)
    assert path.stat().st_mtime_ns == written


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
    assert path.name in str(error.value)
    assert "emove the file" in str(error.value)
    assert path.read_bytes() == content


def test_a_run_that_fails_leaves_no_result(tmp_path):
    def fail():
        raise KeyboardInterrupt

    path = tmp_path / "a.json"
    with pytest.raises(KeyboardInterrupt):
        keep_result(path, "a", fail)
    assert list(tmp_path.iterdir()) == []
    assert keep_result(path, "a", lambda: {"score": 1}) == {"score": 1, "key": "a"}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_experiments_each_on_one_thread(tmp_path, workers):
    threads = torch.get_num_threads()
    cells = [Counting("satellite", seed) for seed in (3, 1, 2)]
    results = run_experiments(cells, tmp_path / "new", workers=workers, progress=False)
    assert [result["seed"] for result in results] == [3, 1, 2]
    assert {result["threads"] for result in results} == {1}
    assert len(list((tmp_path / "new").iterdir())) == 3
    assert torch.get_num_threads() == threads


def test_what_was_stopped_goes_on(tmp_path):
    cells = [Counting("satellite", seed) for seed in (0, -1, 1)]
    with pytest.raises(ValueError, match="-1 is below 0"):
        run_experiments(cells, tmp_path, workers=1, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["satellite-0.json"]
    written = (tmp_path / "satellite-0.json").stat().st_mtime_ns
    run_experiments(cells[::2], tmp_path, workers=1, progress=False)
    assert len(list(tmp_path.iterdir())) == 2
    assert (tmp_path / "satellite-0.json").stat().st_mtime_ns == written


@pytest.mark.slow
def test_an_error_in_a_worker_is_heard(tmp_path):
    with pytest.raises(ValueError, match="-5 is below 0"):
        run_experiments([Counting("satellite", -5)], tmp_path, workers=2, progress=False)


def test_another_way_to_run_side_by_side_can_be_chosen(tmp_path):
    cells = [Counting("satellite", seed) for seed in range(3)]
    with parallel_config("threading"):
        results = run_experiments(cells, tmp_path, workers=2, progress=False)
    assert [result["seed"] for result in results] == [0, 1, 2]


def test_a_process_loads_the_clip_once(tmp_path, monkeypatch, clip):
    loaded = []
    runner._clip_of_this_process.cache_clear()
    monkeypatch.setattr(runner, "load_clip", lambda *given: loaded.append(given) or clip)
    cells = [Counting("satellite", seed) for seed in range(3)]
    run_experiments(cells, tmp_path, workers=1, progress=False)
    runner._clip_of_this_process.cache_clear()
    assert loaded == [("pocket", None)]


def test_tables_come_back_with_four_decimals_and_gaps(tmp_path):
    frame = pd.DataFrame({"word": ["a", None], "number": [0.123456, None], "count": [1, 2]})
    write_frames({"one": frame, "none": pd.DataFrame()}, tmp_path / "tables.json")
    again = read_frames(tmp_path / "tables.json")
    assert again["one"]["number"].tolist()[0] == 0.1235
    assert again["one"].isna().sum().tolist() == [1, 1, 0]
    assert again["none"].empty


KILLED = """
import os, time
from dataclasses import dataclass
from pseudolab.experiments.runner import Experiment, run_experiments

@dataclass(frozen=True)
class Waiting(Experiment):
    kind = "waiting"

    def play(self, clip, task):
        with open({pid!r}, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)

if __name__ == "__main__":
    run_experiments([Waiting("satellite")], {folder!r}, workers=2, progress=False)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    pid = tmp_path / "pid"
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(pid=str(pid), folder=str(tmp_path / "runs")))
    parent = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    started = wait_for(lambda: pid.is_file() and pid.read_text(), seconds=120)
    parent.kill()
    parent.wait()
    assert started
    worker = int(pid.read_text())
    if not wait_for(lambda: not is_running(worker), seconds=30):
        os.kill(worker, signal.SIGKILL)
        pytest.fail("the worker goes on")
    (claim,) = (tmp_path / "runs").iterdir()
    assert claim.name == "satellite.json.0.claim"
    assert not is_claimed(tmp_path / "runs" / "satellite.json")
