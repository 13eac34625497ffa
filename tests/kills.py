"""Kills runs that write a folder, goes on with them, and lays what came out beside the whole run.

    python tests/kills.py --moments 50

A process that trains is ended by SIGKILL: at random moments, and just before each call with which a
file or a folder is put in its place or made safe. A second process resumes. A case is equal where
all files of the folder then hold what those of an undisturbed run hold, but for seconds.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.tasks import Task, load_task
from pseudolab.method.recipe import Recipe
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import PromptTuner

CALLS = ("replace", "link", "fsync")  # of the module os
DIFFER = ("seconds", "seal")  # from run to run


def fit(clip: Clip, task: Task, folder: Path, resume: bool) -> None:
    recipe = Recipe.pocket().replace(epochs=1, min_steps=20)
    tuner = PromptTuner(clip, recipe=recipe, strategy=Strategy.named("grip", rounds=3))
    tuner.fit(task, out=folder, resume=resume, progress=False)


def in_a_process(act: Callable[[], Any], seconds: float | None = None) -> int:
    "The exit status of a process that does `act`, ended by SIGKILL after some seconds"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(number: int, act: Callable[[], Any]) -> Callable[[], Any]:
    "`act`, ended just before one of the calls that put a file in its place"
    done = 0

    def watched(name: str) -> None:
        real = getattr(os, name)

        def call(*given: Any, **options: Any) -> Any:
            nonlocal done
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return real(*given, **options)

        setattr(os, name, call)

    def run() -> None:
        for name in CALLS:
            watched(name)
        act()

    return run


def contents(folder: Path) -> dict[str, Any]:
    "What each file holds, but for what differs from run to run"
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            values = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {key: value for key, value in values.items() if key not in DIFFER}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    options = parser.parse_args()
    clip = load_clip("pocket", device="cpu")
    task = load_task("satellite", n_train=12, n_test=10)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        in_a_process(lambda: fit(clip, task, root / "first", False))  # what is kept is kept
        begun = time.perf_counter()
        assert in_a_process(lambda: fit(clip, task, root / "whole", False)) == 0
        took = time.perf_counter() - begun
        whole = contents(root / "whole")

        def case(folder: Path, killing: Callable[[Callable[[], Any]], int]) -> str:
            "What came of a run that was killed and resumed"
            if killing(lambda: fit(clip, task, folder, False)) != -signal.SIGKILL:
                return "ended before"
            resume = (folder / "run.json").is_file()
            if in_a_process(lambda: fit(clip, task, folder, resume)) != 0:
                return "not resumed"
            found = contents(folder)
            for name in found.keys() | whole.keys():
                if found.get(name) != whole.get(name):
                    print(f"{folder.name}: {name} differs")
            return "equal" if found == whole else "different"

        rng = random.Random(0)
        moments: list[str] = []
        while len(moments) < options.moments:
            folder = root / f"moment-{len(moments)}-{rng.random()}"
            found = case(folder, lambda act: in_a_process(act, rng.uniform(0, took)))
            moments += [found] * (found != "ended before")
        points: list[str] = []
        while not points or points[-1] != "ended before":
            number = len(points)
            points.append(
                case(
                    root / f"point-{number}",
                    lambda act, number=number: in_a_process(killed_at(number, act)),
                )
            )
        points.pop()
    for what, found in (("random moments", moments), ("write points", points)):
        counts = {kind: found.count(kind) for kind in dict.fromkeys(found)}
        print(f"{what}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
    return int({*moments, *points} != {"equal"})


if __name__ == "__main__":
    sys.exit(main())
