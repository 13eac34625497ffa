"Claims: one maker per result, whoever comes, is killed, stops or goes on."

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab import io
from pseudolab.experiments import claims, runner
from pseudolab.experiments.claims import (
    Claim,
    Claimed,
    claimed,
    forget_claims,
    is_claimed,
    share_of,
)
from pseudolab.experiments.runner import Experiment, keep_result, run_experiments
from pseudolab.io import read_json, write_json

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks processes")
N = 25


def write_claim(path, number=0, age=0.0, **changes):
    "A claim to the result `path` as a file, `age` seconds old"
    file = path.with_name(f"{path.name}.{number}.claim")
    write_json(file, asdict(Claim.mine()) | changes)
    os.utime(file, (time.time() - age,) * 2)
    return file


@pytest.fixture(scope="module")
def ended():
    "The number of a process that has ended"
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def note(folder, number):
    "Say that this process makes result `number`; a second one would be a second line"
    with (folder / "made").open("a") as file:
        file.write(f"{number} {os.getpid()}\n")


def make_all(folder, barrier):
    for number in range(N):
        barrier.wait()

        def make(number=number):
            note(folder, number)
            time.sleep(0.005)
            return {"number": number}

        try:
            keep_result(folder / f"{number}.json", "key", make)
        except Claimed:
            pass


def race(folder, processes=3):
    "Who made what, where all begin each result at one moment"
    context = get_context("fork")
    barrier = context.Barrier(processes)
    runs = [context.Process(target=make_all, args=(folder, barrier)) for _ in range(processes)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0] * processes
    lines = (folder / "made").read_text().splitlines()
    (folder / "made").unlink()
    return [int(line.split()[0]) for line in lines]


def test_of_all_that_come_at_once_one_makes_the_result(tmp_path):
    assert race(tmp_path) == list(range(N))
    assert names(tmp_path) == sorted(f"{number}.json" for number in range(N))


def test_of_all_that_find_a_dead_claim_one_takes_over(tmp_path, ended):
    for number in range(N):
        write_claim(tmp_path / f"{number}.json", pid=ended)
    assert race(tmp_path) == list(range(N))
    assert names(tmp_path) == sorted(f"{number}.json" for number in range(N))


def test_a_claim_says_who_and_since_when_and_goes_with_the_block(tmp_path):
    path = tmp_path / "a.json"
    with claimed(path):
        assert names(tmp_path) == ["a.json.0.claim"]
        said = read_json(tmp_path / "a.json.0.claim")
        assert said["pid"] == os.getpid() and said["host"] and said["since"].startswith("20")
        with pytest.raises(Claimed, match=f"process {os.getpid()} on {said['host']}, since"):
            claimed(path).__enter__()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "changes, age, alive",
    [
        ({}, 0, True),
        ({}, claims.EXPIRES - 60, True),
        ({}, claims.EXPIRES + 60, False),
        ({"pid": "ended"}, 0, False),
        # a number of another machine, or of another container, says nothing here
        ({"pid": "ended", "host": "another"}, 0, True),
        ({"pid": "ended", "world": "another"}, 0, True),
        ({"host": "another"}, claims.EXPIRES - 60, True),
        ({"host": "another"}, claims.EXPIRES + 60, False),
    ],
)
def test_when_a_claim_is_dead(tmp_path, ended, changes, age, alive):
    path = tmp_path / "a.json"
    changes = {name: ended if value == "ended" else value for name, value in changes.items()}
    write_claim(path, age=age, **changes)
    assert is_claimed(path) is alive


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1}', "\x00"])
def test_a_claim_that_cannot_be_read_is_alive_until_it_expires(tmp_path, content):
    path, file = tmp_path / "a.json", tmp_path / "a.json.0.claim"
    file.write_text(content)
    with pytest.raises(Claimed, match="by another process"), claimed(path):
        pass
    os.utime(file, (0, 0))
    with claimed(path):
        assert names(tmp_path) == ["a.json.0.claim", "a.json.1.claim"]


def test_a_claim_is_renewed_for_as_long_as_the_block_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "RENEW", 0.02)
    path, file = tmp_path / "a.json", tmp_path / "a.json.0.claim"
    with claimed(path):
        os.utime(file, (0, 0))
        end = time.monotonic() + 5
        while file.stat().st_mtime == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert is_claimed(path)
    assert names(tmp_path) == []  # and a renewal makes no file


def test_a_maker_that_fails_leaves_the_row_without_a_gap(tmp_path, ended):
    path = tmp_path / "a.json"
    write_claim(path, 0, pid=ended)
    with pytest.raises(KeyboardInterrupt), claimed(path):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["a.json.0.claim"]
    # one that was taken for dead fails while its successor is at work
    with pytest.raises(KeyboardInterrupt), claimed(path):
        write_claim(path, 2, host="another")
        raise KeyboardInterrupt
    assert names(tmp_path) == [f"a.json.{number}.claim" for number in range(3)]
    assert is_claimed(path)


def test_a_result_that_is_there_makes_all_claims_go(tmp_path, ended):
    path = tmp_path / "a.json"
    write_claim(path, 0, pid=ended)
    write_claim(path, 1, host="another", age=10_000)
    assert keep_result(path, "key", dict) == {"key": "key"}
    assert names(tmp_path) == ["a.json"]
    write_claim(path, 0)
    forget_claims(path)
    assert names(tmp_path) == ["a.json"]


def test_a_result_made_between_look_and_claim_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    real = runner.claimed

    def claimed_late(path):
        write_json(path, {"key": "key", "by": "another"})
        return real(path)

    monkeypatch.setattr(runner, "claimed", claimed_late)
    assert keep_result(path, "key", lambda: pytest.fail("made twice"))["by"] == "another"
    assert names(tmp_path) == ["a.json"]


MAKES = """
import sys, time
from pathlib import Path
from pseudolab.experiments.claims import claimed

with claimed(Path(sys.argv[1])):
    print("at it", flush=True)
    time.sleep(600)
"""


def test_after_a_kill_the_next_one_makes_it_at_once(tmp_path):
    path = tmp_path / "a.json"
    line = [sys.executable, "-c", MAKES, str(path)]
    maker = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None and maker.stdout.readline() == "at it\n"
    with pytest.raises(Claimed, match=f"process {maker.pid}"):
        keep_result(path, "key", dict)
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    assert names(tmp_path) == ["a.json.0.claim"]
    assert keep_result(path, "key", dict) == {"key": "key"}
    assert names(tmp_path) == ["a.json"]


# ---- shares


@settings(max_examples=40, deadline=None)
@given(n=st.integers(0, 40), of=st.integers(1, 12))
def test_shares_are_the_list_dealt_out_evenly(n, of):
    shares = [share_of(range(n), f"{which}/{of}") for which in range(1, of + 1)]
    assert sorted(sum(shares, [])) == list(range(n))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert share_of(range(n), None) == list(range(n))


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "x", "", "/", "1", "1/", "/3", "1/0", "0/0", "-1/3", "1.5/3", "1/3/4"]
)
def test_a_share_that_is_none_is_named(text):
    with pytest.raises(ValueError, match="I/N with I from 1 to N") as error:
        share_of([1, 2, 3], text)
    assert repr(text) in str(error.value)


# ---- the runner


@dataclass(frozen=True)
class Noting(Experiment):
    "Says in a file that it is played, and takes a while"

    seed: int
    folder: str

    kind: ClassVar[str] = "noting 1"

    @property
    def name(self):
        return f"noting-{self.seed}"

    def play(self, clip, task):
        note(Path(self.folder), self.seed)
        time.sleep(0.1)
        return {}


def run_here(cells, folder):
    results = run_experiments(cells, folder, workers=1, progress=False)
    assert [result["seed"] for result in results] == list(range(len(cells)))


@pytest.fixture
def small_runner(monkeypatch, clip):
    "The runner with the tests' CLIP, and without long pauses"
    runner._clip_of_this_process.cache_clear()
    monkeypatch.setattr(runner, "load_clip", lambda *_: clip)
    monkeypatch.setattr(runner, "PAUSE", 0.05)
    yield
    runner._clip_of_this_process.cache_clear()


@pytest.mark.slow
def test_two_runners_on_one_folder_share_the_work(tmp_path, small_runner):
    runs = tmp_path / "runs"
    cells = [Noting("satellite", seed, str(tmp_path)) for seed in range(8)]
    context = get_context("fork")
    both = [context.Process(target=run_here, args=(cells, runs)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    made = [line.split() for line in (tmp_path / "made").read_text().splitlines()]
    assert sorted(int(seed) for seed, _ in made) == list(range(8))
    assert len({pid for _, pid in made}) == 2
    assert names(runs) == [f"noting-{seed}.json" for seed in range(8)]


def test_what_another_makes_is_passed_over(tmp_path, small_runner, monkeypatch, ended):
    cells = [Noting("satellite", seed, str(tmp_path)) for seed in range(3)]
    runs = tmp_path / "runs"
    other = write_claim(runs / "noting-0.json", host="another")
    dead = runs / io._part_name().replace(f"-{os.getpid()}-", f"-{ended}-")
    dead.touch()
    pause = SimpleNamespace(sleep=lambda _: other.unlink(missing_ok=True))
    monkeypatch.setattr(runner, "time", pause)
    run_here(cells, runs)
    made = [line.split()[0] for line in (tmp_path / "made").read_text().splitlines()]
    assert made == ["1", "2", "0"]
    assert not dead.exists()  # what a killed process had half written
