"""What every row of the table needs: timings side by side, the machine's own rates, and a
description of the machine that names no host and no path.
"""

import ctypes
import gc
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import torch

MATMUL_SIDE = 1536  # of the square matrices that the floor's rate is measured with
# cpu: the processor's time in this process, which says more where others are at work
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = "wall"  # which of them `seconds` reads


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
    details: dict = field(default_factory=dict)

    def as_dict(self) -> dict:
        return asdict(self)


def waited(device: torch.device | None = None) -> float:
    "The time, once the device has done what it was asked to do"
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    return CLOCKS[clock]()


def seconds(run: Callable, device: torch.device | None = None) -> float:
    start = waited(device)
    run()
    return waited(device) - start


def interleaved(
    runs: dict[str, Callable],
    repetitions: int,
    device: torch.device | None = None,
    warm_up: bool = True,
) -> dict[str, list[float]]:
    "Seconds of each run in turn, `repetitions` times over; every second turn is taken backwards"
    if warm_up:
        for run in runs.values():
            run()
    found = {name: [] for name in runs}
    for turn in range(repetitions):
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            found[name].append(seconds(runs[name], device))
    return found


def neighbours(found: dict[str, list[float]], above: str, below: str) -> float:
    "The median of the ratios of runs of one turn"
    return median(a / b for a, b in zip(found[above], found[below]))


def matmul(device: torch.device) -> Callable:
    "A product of two square matrices of float32, as the floor's unit of work"
    a, b = (torch.randn(MATMUL_SIDE, MATMUL_SIDE, device=device) for _ in range(2))
    return lambda: a @ b


def compared(
    row: str,
    what: str,
    runs: dict[str, Callable],
    operations: float,
    repetitions: int,
    device: torch.device,
    note: str = "",
    **details,
) -> Line:
    """`ours` against `plain`, with a matrix product beside them: the floor is what `operations`
    cost at its rate, measured in the same turns
    """
    found = interleaved(runs | {"matmul": matmul(device)}, repetitions, device)
    share = operations / (2 * MATMUL_SIDE**3)
    over = median(ours / (unit * share) for ours, unit in zip(found["ours"], found["matmul"]))
    return Line(
        row,
        what,
        median(found["ours"]),
        median(found["plain"]),
        neighbours(found, "plain", "ours"),
        median(found["matmul"]) * share,
        over,
        note,
        details
        | {
            "operations": operations,
            "seconds": found,
            "gflops": 2 * MATMUL_SIDE**3 / median(found["matmul"]) / 1e9,
        },
    )


# ---- memory
# ------------------------------------------------------------------------------------------------------------------------------------


def anonymous_memory() -> int:
    "Bytes of this process that no file backs (Linux)"
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError(
        "This system does not say how much memory of a process is anonymous; the row on selection"
        " needs Linux for it."
    )


def give_back():
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

    def __enter__(self):
        give_back()
        self.start, self.bytes, self._done = anonymous_memory(), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.005):
            self.bytes = max(self.bytes, anonymous_memory() - self.start)

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()


# ---- the machine
# -------------------------------------------------------------------------------------------------------------------------------


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.is_file()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def machine(device: torch.device) -> dict:
    "What the timings were taken on"
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    )
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(memory / 2**30, 1) if memory else None,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("torch", "open_clip_torch", "numpy", "pseudolab")
        },
        # others at work beside the benchmark
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "clock": clock,
    }


def read_bandwidth(array: np.ndarray) -> float:
    "Bytes a second at which this array is read once from beginning to end"
    flat = array.reshape(-1).view(np.uint8)
    flat = flat[: len(flat) // 8 * 8].view(np.uint64)
    return flat.nbytes / min(seconds(lambda: flat.max()) for _ in range(3))
