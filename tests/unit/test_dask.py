"Experiments by the workers of a Dask scheduler that was started by its own command."

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pseudolab.experiments import runner
from pseudolab.experiments.runner import Experiment, run_experiments

HERE = Path(__file__).parent
WHY = 'distributed is not installed: pip install "pseudolab[dask]"'


@dataclass(frozen=True)
class Squaring(Experiment):
    "Says when it is done. Number 0 takes for ever the first time"

    seed: int
    folder: str

    kind: ClassVar[str] = "squaring 1"

    @property
    def name(self):
        return f"squaring-{self.seed}"

    def play(self, clip, task):
        stuck = Path(self.folder) / "stuck"
        if self.seed == 0 and not stuck.exists():
            stuck.write_text(str(os.getpid()))
            time.sleep(600)
        time.sleep(0.2)
        with (Path(self.folder) / "made").open("a") as file:
            file.write(f"{self.seed} {os.getpid()}\n")
        return {"square": self.seed**2}


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


@pytest.fixture
def start(tmp_path):
    "Starts `dask ...`, and ends it after the test"
    processes = []
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])

    def begin(*words):
        log = (tmp_path / f"{words[0]}.log").open("w")
        line = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        environment = {**os.environ, "PYTHONPATH": paths, "DASK_LOGGING__DISTRIBUTED": "error"}
        started = subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        processes.append(started)

    yield begin
    for process in reversed(processes):
        process.terminate()
        process.wait(30)


def scheduler(start, folder):
    "The address of a scheduler of our own"
    file = folder / "scheduler.json"
    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    wait_for(file.is_file)
    return json.loads(file.read_text())["address"]


def kill_who_is_stuck(folder):
    wait_for(lambda: (folder / "stuck").is_file() and (folder / "stuck").read_text())
    time.sleep(0.5)
    os.kill(int((folder / "stuck").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_all_results_come_once_although_a_worker_is_killed(tmp_path, start):
    pytest.importorskip("distributed", reason=WHY)
    address = scheduler(start, tmp_path)
    start("worker", address, "--nworkers", "2", "--nthreads", "1")
    cells = [Squaring("satellite", seed, str(tmp_path)) for seed in range(12)]
    killer = threading.Thread(target=kill_who_is_stuck, args=(tmp_path,))
    killer.start()
    results = run_experiments(cells, tmp_path / "dask", dask=address, progress=False)
    killer.join()
    made = [line.split() for line in (tmp_path / "made").read_text().splitlines()]
    killed = (tmp_path / "stuck").read_text()
    assert sorted(int(seed) for seed, _ in made) == list(range(12))
    assert len({pid for _, pid in made} - {killed, str(os.getpid())}) >= 1
    files = sorted(path.name for path in (tmp_path / "dask").iterdir())
    assert files == sorted(f"squaring-{seed}.json" for seed in range(12))
    assert results == run_experiments(cells, tmp_path / "serial", workers=1, progress=False)
    # what is there is not made again
    assert results == run_experiments(cells, tmp_path / "dask", dask=address, progress=False)
    assert len((tmp_path / "made").read_text().splitlines()) == 24


@pytest.mark.slow
def test_a_worker_with_several_threads_is_refused(tmp_path, start):
    distributed = pytest.importorskip("distributed", reason=WHY)
    address = scheduler(start, tmp_path)
    start("worker", address, "--nthreads", "2", "--no-nanny")
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    with pytest.raises(ValueError, match="has 2 threads; expected one. .*--nthreads 1"):
        run_experiments([], tmp_path / "runs", dask=address, progress=False)


def test_dask_that_is_not_installed_is_told_with_the_line_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r'pip install "pseudolab\[dask\]"'):
        run_experiments([], tmp_path, dask="tcp://127.0.0.1:1", progress=False)


def test_a_scheduler_without_a_worker_is_waited_for_loudly(caplog):
    runner._check_dask_workers({})
    assert "has no worker yet" in caplog.text
    runner._check_dask_workers({"tcp://a": 1, "tcp://b": 1})
    with pytest.raises(ValueError, match="tcp://b has 4 threads"):
        runner._check_dask_workers({"tcp://a": 1, "tcp://b": 4})
