"""Row (d): pseudolabels for a pool of ImageNet's size, 1.28 million images by 1000 classes, from a file of float16 logits that is mapped into memory.
Against a full sort of every class, and against the leaderboard image by image; both are measured on a part and reckoned up, for they would take minutes and hours."""
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from measure import Line, PeakMemory, interleaved, neighbours, read_bandwidth, seconds
from pseudolab.pseudolabels import log_probabilities, select_leaderboard, select_top_k
from pseudolab.scale import CHUNK, _blocks as chunks, stream_argmax_top_k, stream_top_k

CLASSES, WRITTEN = 1000, 10_000    # classes; images that are made together
SORTED, BOARDED = 8, 2000          # classes of the full sort, images of the leaderboard, that are measured


def make_logits(path: Path, images: int):
    "Noise with one likelier class an image, in float16"
    rng = np.random.default_rng(0)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(images, CLASSES))
    for start in range(0, images, WRITTEN):
        rows = 2 * rng.standard_normal((min(WRITTEN, images - start), CLASSES), dtype=np.float32)
        rows[np.arange(len(rows)), rng.integers(0, CLASSES, len(rows))] += 8
        file[start:start + len(rows)] = rows
    file.flush()


def check_equal(logits: np.ndarray, k: int):
    "On the first images, where the plain selection is at hand"
    part = np.array(logits[:5000])
    fast, plain = stream_top_k(part, k), select_top_k(part, k)
    if not all(np.array_equal(getattr(fast, name), getattr(plain, name)) for name in ("index", "label", "confidence")): raise ValueError("The streamed selection differs from select_top_k.")


def full_sort(logits: np.ndarray) -> Callable:
    "One class's share of the full sort; its column of probabilities is at hand"
    column = -log_probabilities(np.ascontiguousarray(logits[:, :SORTED]))
    return lambda: [np.argsort(column[:, c], kind="stable") for c in range(SORTED)]


def peak_of(run: Callable) -> float:
    "GiB beside the mapped file"
    with PeakMemory() as peak: run()
    return peak.bytes / 2**30


def lines_of(logits: np.ndarray, k: int, repetitions: int) -> list[Line]:
    U, what = len(logits), f"{len(logits):,} x {CLASSES:,}, K = {k}"
    ours = {"ours": lambda: stream_top_k(logits, k), "argmax": lambda: stream_argmax_top_k(logits, k), "sort": full_sort(logits)}
    peak = {name: peak_of(ours[name]) for name in ("ours", "argmax")}
    ours["probabilities"] = lambda: [None for _ in chunks(logits, CHUNK)]
    found = interleaved(ours, repetitions, warm_up=False)
    found["sort"] = [t * CLASSES / SORTED for t in found["sort"]]
    board = seconds(lambda: select_leaderboard(logits[:BOARDED], min(k, BOARDED))) * U / BOARDED
    floor = logits.nbytes / read_bandwidth(logits[:U // 4])
    floors, times = dict(floor=floor), {name: median(found[name]) for name in found}
    details = dict(k=k, images=U, seconds=found, peak_gib=peak, leaderboard_reckoned=board)
    return [Line("d", f"top-K, {what}; against a full sort of each class", times["ours"], times["sort"], neighbours(found, "sort", "ours"), **floors, over_floor=times["ours"] / floor,
                 note=f"peak {peak['ours']:.2f} GiB beside the file; {times['probabilities']:.3g} s of it are the probabilities; the sort, without them, reckoned from {SORTED} classes", details=details),
            Line("d", f"top-K, {what}; against the leaderboard image by image", times["ours"], board, board / times["ours"], **floors, over_floor=times["ours"] / floor,
                 note=f"reckoned from the first {BOARDED} images", details=details),
            Line("d", f"argmax-only top-K, {what}; against a full sort", times["argmax"], times["sort"], neighbours(found, "sort", "argmax"), **floors, over_floor=times["argmax"] / floor,
                 note=f"peak {peak['argmax']:.2f} GiB beside the file", details=details)]


def measure(options) -> list[Line]:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "logits.npy"
        make_logits(path, options.images)
        logits = np.load(path, mmap_mode="r")
        check_equal(logits, 16)
        return [line for k in (16, options.images // CLASSES) for line in lines_of(logits, k, options.repetitions)]
