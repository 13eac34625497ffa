"""Row (d): pseudolabels for a pool of ImageNet's size, 1.28 million images by 1000 classes, from a
file of float16 logits that is mapped into memory: every selector of `pseudolab.method.selectors`,
its time and the memory that it needs beside the file. Top-K against a full sort of every class, the
leaderboard against the published way, image by image, and the others against their plain twins,
which hold 10 GB of probabilities; what is measured on a part is reckoned up.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from measure import Line, PeakMemory, interleaved, read_bandwidth, seconds
from pseudolab.method.pseudolabels import PseudoLabels
from pseudolab.method.selectors import log_probabilities
from pseudolab.method.selectors import CHUNK, STREAMED, _blocks as blocks
from pseudolab.method.tuner import SELECTORS

CLASSES, WRITTEN = 1000, 10_000  # classes; images that are made together
# classes of the full sort, images of the plain selectors, that are measured
SORTED, PART = 8, 8000
# SLOW: measured once
QUICK, SLOW = ("top_k", "argmax_top_k", "leaderboard"), ("balanced", "candidates")


def make_logits(path: Path, images: int):
    "Noise with one likelier class an image, in float16"
    rng = np.random.default_rng(0)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(images, CLASSES))
    for start in range(0, images, WRITTEN):
        rows = 2 * rng.standard_normal((min(WRITTEN, images - start), CLASSES), dtype=np.float32)
        rows[np.arange(len(rows)), rng.integers(0, CLASSES, len(rows))] += 8
        file[start : start + len(rows)] = rows
    file.flush()


def same(fast: PseudoLabels, plain: PseudoLabels) -> bool:
    return np.array_equal(fast.index, plain.index) and np.array_equal(fast.label, plain.label)


def plain_times(logits: np.ndarray, k: int) -> dict[str, float]:
    """Seconds of the plain selectors on the first images, reckoned up; that they give the same
    labels there is checked
    """
    part, found = np.array(logits[:PART]), {}
    k = max(1, k * len(part) // len(logits))
    for name in (*QUICK, *SLOW):
        fast, plain = STREAMED[name](part, k), []
        found[name] = (
            seconds(lambda: plain.append(SELECTORS[name](part, k))) * len(logits) / len(part)
        )
        if not same(fast, plain[0]):
            raise ValueError(
                f"The streamed {name} differs from the plain one: a comparison of their speed would"
                " mean nothing."
            )
    return found


def full_sort(logits: np.ndarray) -> Callable:
    "One class's share of the full sort; its column of probabilities is at hand"
    column = -log_probabilities(np.ascontiguousarray(logits[:, :SORTED]))
    return lambda: [np.argsort(column[:, c], kind="stable") for c in range(SORTED)]


def watched(name: str, logits: np.ndarray, k: int, peaks: dict[str, float]) -> Callable:
    "A selector whose peak of memory, in GiB beside the mapped file, is noted"

    def run():
        with PeakMemory() as peak:
            STREAMED[name](logits, k)
        peaks[name] = max(peaks.get(name, 0), peak.bytes / 2**30)

    return run


def lines_of(logits: np.ndarray, k: int, repetitions: int) -> list[Line]:
    what, peaks = f"{len(logits):,} x {CLASSES:,}, K = {k}", {}
    runs = {name: watched(name, logits, k, peaks) for name in QUICK}
    found = interleaved(
        runs
        | {
            "sort": full_sort(logits),
            "probabilities": lambda: [None for _ in blocks(logits, CHUNK)],
        },
        repetitions,
        warm_up=False,
    )
    found |= {name: [seconds(watched(name, logits, k, peaks))] for name in SLOW}
    plain = plain_times(logits, k) | {"top_k": median(found.pop("sort")) * CLASSES / SORTED}
    against = {
        "top_k": f"a full sort, reckoned from {SORTED} classes",
        "leaderboard": f"the published way, reckoned from {PART} images",
    }
    floor, times = (
        logits.nbytes / read_bandwidth(logits[: len(logits) // 4]),
        {name: median(values) for name, values in found.items()},
    )
    note = lambda name: (
        f"peak {peaks[name]:.2f} GiB beside the file; against"
        f" {against.get(name, f'the plain selector, reckoned from {PART} images')}"
    )
    return [
        Line(
            "d",
            f"{name}, {what}",
            times[name],
            plain[name],
            plain[name] / times[name],
            floor,
            times[name] / floor,
            note(name),
            dict(
                selector=name,
                k=k,
                images=len(logits),
                peak_gib=peaks[name],
                seconds=found[name],
                seconds_of_probabilities=times["probabilities"],
            ),
        )
        for name in (*QUICK, *SLOW)
    ]


def measure(options) -> list[Line]:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "logits.npy"
        make_logits(path, options.images)
        logits = np.load(path, mmap_mode="r")
        return [
            line
            for k in (16, options.images // CLASSES)
            for line in lines_of(logits, k, options.repetitions)
        ]
