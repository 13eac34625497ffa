"""What every row of the table needs: timings side by side, the machine's own rates, and a
description of the machine that names no host and no path.
"""

import ctypes
import gc
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
import torch

MATMUL_SIDE = 1536  # of the square matrices that the floor's rate is measured with
# cpu: the processor's time in this process, which says more where others are at work
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = "wall"  # which of them `seconds` reads


@dataclass
class Options:
    "What a row may ask for"

    device: torch.device
    repetitions: int
    classes: int
    images: int
    batch: int
    photos: int
    folder: Path | None  # for large files; None: the system's temporary folder


@dataclass
class Line:
    """One comparison. Times are medians in seconds; ratios are medians of the ratios of neighbours
    in time
    """

    row: str  # letter of the table
    what: str  # what is done by both
    ours: float
    plain: float
    ratio: float  # plain / ours
    floor: float | None = None  # seconds that the operations, or the bytes, alone would take
    over_floor: float | None = None  # ours / floor
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# --- timings


def waited(device: torch.device | None = None) -> float:
    "The time, once the device has done what it was asked to do"
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    return CLOCKS[clock]()


def seconds(run: Callable[[], Any], device: torch.device | None = None) -> float:
    "What a run takes"
    start = waited(device)
    run()
    return waited(device) - start


def interleaved(
    runs: dict[str, Callable[[], Any]],
    repetitions: int,
    device: torch.device | None = None,
    warm_up: bool = True,
) -> dict[str, list[float]]:
    "Seconds of each run in turn, `repetitions` times over; every second turn is taken backwards"
    if warm_up:
        for run in runs.values():
            run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repetitions):
        names = list(runs)
        if turn % 2:
            names.reverse()
        for name in names:
            found[name].append(seconds(runs[name], device))
    return found


def neighbours(found: dict[str, list[float]], above: str, below: str) -> float:
    "The median of the ratios of runs of one turn"
    return median(a / b for a, b in zip(found[above], found[below], strict=True))


def matmul(
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Callable[[], torch.Tensor]:
    "A product of two square matrices, as the floor's unit of work"
    a = torch.randn(MATMUL_SIDE, MATMUL_SIDE, device=device, dtype=dtype)
    b = torch.randn(MATMUL_SIDE, MATMUL_SIDE, device=device, dtype=dtype)
    return lambda: a @ b


def in_products(operations: float) -> float:
    "How many of `matmul`'s products are as many operations"
    return operations / (2 * MATMUL_SIDE**3)


def compared(
    row: str,
    what: str,
    runs: dict[str, Callable[[], Any]],  # "ours" and "plain"
    operations: float,
    repetitions: int,
    device: torch.device,
    note: str = "",
    **details: Any,
) -> Line:
    """`ours` against `plain`, with a matrix product beside them: the floor is what `operations`
    cost at its rate, measured in the same turns
    """
    found = interleaved(runs | {"matmul": matmul(device)}, repetitions, device)
    share = in_products(operations)
    product = median(found["matmul"])
    details |= {
        "operations": operations,
        "seconds": found,
        "gflops": 2 * MATMUL_SIDE**3 / product / 1e9,
    }
    return Line(
        row=row,
        what=what,
        ours=median(found["ours"]),
        plain=median(found["plain"]),
        ratio=neighbours(found, "plain", "ours"),
        floor=product * share,
        over_floor=neighbours(found, "ours", "matmul") / share,
        note=note,
        details=details,
    )


# --- processes of their own

MAIN = "from pseudolab.cli.app import main; main()"  # what the command `pseudolab` runs


def python(
    *arguments: str,
    home: Path | None = None,  # in place of the user's, with an empty cache; it runs in there
) -> str:  # what it said
    "Run this Python. Raises RuntimeError if that fails"
    places = {} if home is None else dict.fromkeys(("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"), home)
    kept = {name: str(place) for name, place in places.items()}
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=home,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""} | kept,
    )
    if done.returncode:
        raise RuntimeError(
            f"python {' '.join(arguments)} failed:\n{done.stdout[-3000:]}{done.stderr}"
        )
    return done.stdout


# --- memory


def anonymous_memory() -> int:
    "Bytes of this process that no file backs (Linux)"
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError(
        "This system does not say how much memory of a process is anonymous; the row on selection"
        " needs Linux for it."
    )


def give_back() -> None:
    """Hand memory that is free back to the system (glibc keeps it), so that what is used next is
    seen
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class PeakMemory:
    """`with PeakMemory() as peak: ...`, then peak.bytes: the most anonymous memory above the
    beginning, looked at every 5 ms
    """

    def __enter__(self) -> Self:
        give_back()
        self.start = anonymous_memory()
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.bytes = max(self.bytes, anonymous_memory() - self.start)

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


def read_bandwidth(array: np.ndarray) -> float:
    "Bytes a second at which this array is read once from beginning to end"
    as_bytes = array.reshape(-1).view(np.uint8)
    whole_words = len(as_bytes) // 8 * 8
    words = as_bytes[:whole_words].view(np.uint64)
    return words.nbytes / min(seconds(lambda: words.max()) for _ in range(3))


# --- the machine


def processor() -> str:
    "The name of the processor"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    for line in lines:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    "How much memory the machine has, where it says so"
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def machine(device: torch.device) -> dict[str, Any]:
    "What the timings were taken on"
    libraries = ("torch", "open_clip_torch", "numpy", "pseudolab")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": memory_gib(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in libraries},
        # others at work beside the benchmark
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "clock": clock,
    }
