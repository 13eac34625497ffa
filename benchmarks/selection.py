"""Row (d): pseudolabels for a pool of ImageNet's size, 1.28 million images by 1000 classes, from a
file of float16 logits that is mapped into memory: every selector of `pseudolab.method.selectors`,
its time and the memory that it needs beside the file. Top-K against a full sort of every class, the
leaderboard against the published way, image by image, and the others against `plain_selectors`,
which hold 10 GB of probabilities; what is measured on a part is reckoned up.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from measure import Line, Options, PeakMemory, interleaved, read_bandwidth, seconds
from plain_selectors import PLAIN_SELECTORS

from pseudolab.method.pseudolabels import PseudoLabels
from pseudolab.method.selectors import CHUNK, SELECTORS, log_probabilities

CLASSES = 1000
WRITTEN = 10_000  # images that are made together
SORTED = 8  # classes of the full sort that are measured
PART = 8000  # images of the plain selectors that are measured
QUICK = ("top_k", "argmax_top_k", "leaderboard")
SLOW = ("balanced", "candidates")  # measured once


def make_logits(path: Path, images: int) -> None:
    "Noise with one likelier class per image, in float16."
    rng = np.random.default_rng(0)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(images, CLASSES))
    for start in range(0, images, WRITTEN):
        n_rows = min(WRITTEN, images - start)
        rows = 2 * rng.standard_normal((n_rows, CLASSES), dtype=np.float32)
        rows[np.arange(n_rows), rng.integers(0, CLASSES, n_rows)] += 8
        file[start : start + n_rows] = rows
    file.flush()


def same(fast: PseudoLabels, plain: PseudoLabels) -> bool:
    return np.array_equal(fast.index, plain.index) and np.array_equal(fast.label, plain.label)


def timed(
    select: Callable[..., PseudoLabels], logits: np.ndarray, k: int
) -> tuple[float, PseudoLabels]:
    "Seconds of a selector, and its labels."
    chosen: list[PseudoLabels] = []
    spent = seconds(lambda: chosen.append(select(logits, k)))
    return spent, chosen[0]


def plain_times(logits: np.ndarray, k: int) -> dict[str, float]:
    """Seconds of the plain selectors on the first images, reckoned up; that they give the same
    labels there is checked.
    """
    part = np.array(logits[:PART])
    k = max(1, k * len(part) // len(logits))
    found = {}
    for name in (*QUICK, *SLOW):
        spent, chosen = timed(PLAIN_SELECTORS[name], part, k)
        found[name] = spent * len(logits) / len(part)
        if not same(SELECTORS[name](part, k), chosen):
            raise ValueError(
                f"{name} differs from the plain way: a comparison of their speed would mean"
                " nothing."
            )
    return found


def full_sort(logits: np.ndarray) -> Callable[[], None]:
    "One class's share of the full sort; its column of probabilities is at hand."
    columns = -log_probabilities(np.ascontiguousarray(logits[:, :SORTED]))

    def run() -> None:
        for c in range(SORTED):
            np.argsort(columns[:, c], kind="stable")

    return run


def all_probabilities(logits: np.ndarray) -> None:
    "What no selector can do without: every row's log-softmax, a chunk at a time."
    for start in range(0, len(logits), CHUNK):
        log_probabilities(logits[start : start + CHUNK])


def watched(name: str, logits: np.ndarray, k: int, peaks: dict[str, float]) -> Callable[[], None]:
    "A selector whose peak of memory, in GiB beside the mapped file, is noted."

    def run() -> None:
        with PeakMemory() as peak:
            SELECTORS[name](logits, k)
        peaks[name] = max(peaks.get(name, 0), peak.bytes / 2**30)

    return run


def against(name: str) -> str:
    "What a selector is compared with."
    if name == "top_k":
        return f"a full sort, reckoned from {SORTED} classes"
    if name == "leaderboard":
        return f"the published way, reckoned from {PART} images"
    return f"the plain selector, reckoned from {PART} images"


def lines_of(logits: np.ndarray, k: int, repetitions: int) -> list[Line]:
    peaks: dict[str, float] = {}
    runs = {name: watched(name, logits, k, peaks) for name in QUICK}
    runs["sort"] = full_sort(logits)
    runs["probabilities"] = lambda: all_probabilities(logits)
    found = interleaved(runs, repetitions, warm_up=False)
    for name in SLOW:
        found[name] = [seconds(watched(name, logits, k, peaks))]
    plain = plain_times(logits, k)
    plain["top_k"] = median(found["sort"]) * CLASSES / SORTED
    floor = logits.nbytes / read_bandwidth(logits[: len(logits) // 4])
    lines = []
    for name in (*QUICK, *SLOW):
        ours = median(found[name])
        line = Line(
            row="d",
            what=f"{name}, {len(logits):,} x {CLASSES:,}, K = {k}",
            ours=ours,
            plain=plain[name],
            ratio=plain[name] / ours,
            floor=floor,
            over_floor=ours / floor,
            note=f"peak {peaks[name]:.2f} GiB beside the file; against {against(name)}",
            details=dict(
                selector=name,
                k=k,
                images=len(logits),
                peak_gib=peaks[name],
                seconds=found[name],
                seconds_of_probabilities=median(found["probabilities"]),
            ),
        )
        lines.append(line)
    return lines


def measure(options: Options) -> list[Line]:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "logits.npy"
        make_logits(path, options.images)
        logits = np.load(path, mmap_mode="r")
        few, many = 16, options.images // CLASSES
        return [
            *lines_of(logits, few, options.repetitions),
            *lines_of(logits, many, options.repetitions),
        ]
