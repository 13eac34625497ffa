"""Row (j): a sweep by two workers against one, each time into an empty folder: processes of this
machine, and workers of a Dask scheduler where Dask is installed. Starting the processes is in the
time; Dask's scheduler and its workers are there already, as on a cluster.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from measure import Line, Options, interleaved, neighbours

from pseudolab.experiments.sweep import run_sweep, sweep_of
from pseudolab.io import read_json

SWEEP = {"tasks": ["satellite", "digits"], "seeds": [0, 1, 2, 3, 4, 5, 6, 7]}
WORKERS = 2
PATIENCE = 60  # seconds for a scheduler to begin


@contextmanager
def dask_workers(folder: Path) -> Iterator[str]:
    "A scheduler and its workers, one thread each, by their own commands; gives the address"
    file = folder / "scheduler.json"
    commands = [
        ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)],
        ["worker", "--scheduler-file", str(file), "--nworkers", str(WORKERS), "--nthreads", "1"],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    with ExitStack() as stack:
        for command in commands:
            words = [sys.executable, "-m", "dask", *command, "--no-dashboard"]
            process = stack.enter_context(subprocess.Popen(words, **quiet))
            stack.callback(process.terminate)
            wait_for(file)
        yield read_json(file)["address"]


def wait_for(file: Path) -> None:
    "Raises TimeoutError if it does not come"
    end = time.monotonic() + PATIENCE
    while not file.is_file():
        if time.monotonic() > end:
            raise TimeoutError(f"The Dask scheduler did not begin within {PATIENCE} s.")
        time.sleep(0.1)


def swept(place: Path, **how: Any) -> None:
    "The whole sweep into an empty folder"
    folder = place / "results"
    shutil.rmtree(folder, ignore_errors=True)
    run_sweep(sweep_of(SWEEP, place), folder, progress=False, **how)


def line_of(found: dict[str, list[float]], name: str, what: str, note: str) -> Line:
    return Line(
        row="j",
        what=f"{what}, sweep of 16 runs of GRIP, pocket CLIP; against one worker",
        ours=median(found[name]),
        plain=median(found["one"]),
        ratio=neighbours(found, "one", name),
        note=note,
        details={"seconds": found},
    )


def measure(options: Options) -> list[Line]:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        runs: dict[str, Callable[[], None]] = {
            "one": partial(swept, place, workers=1),
            "two": partial(swept, place, workers=WORKERS),
        }
        if find_spec("distributed"):
            address = stack.enter_context(dask_workers(place))
            runs["dask"] = partial(swept, place, dask=address)
        found = interleaved(runs, max(2, options.repetitions // 2), warm_up=False)
    lines = [line_of(found, "two", f"{WORKERS} processes", f"of {os.cpu_count()} cores")]
    if "dask" in found:
        over = neighbours(found, "dask", "two")
        note = f"{over:.2f} times what {WORKERS} processes take"
        lines.append(line_of(found, "dask", f"{WORKERS} Dask workers", note))
    return lines
