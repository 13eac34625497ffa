"""Exact selection from a (U, C) logits file that is larger than memory. Equal to select_top_k / select_argmax_top_k, ties by lowest index.

`logits` may be a numpy array, np.load(path, mmap_mode="r"), np.memmap, or a tensor: rows are read chunk by chunk, and nothing of size U x C is made."""
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from pseudolab.pseudolabels import PseudoLabels, _rank_in_class, log_probabilities

CHUNK = 1024        # images that are looked at together


def _check(shape: tuple[int, ...], k: int, allowed: Sequence[int] | None) -> np.ndarray:  # int64: the classes that may be given
    "Complain where pool, `k` and `allowed` do not fit together (the lead: the second half of _prepare)"
    if len(shape) != 2 or shape[1] == 0: raise ValueError(f"logits must be (images, classes), not {tuple(shape)}.")
    n, n_classes = shape
    if n == 0: raise ValueError(f"The pool has 0 images: logits are {tuple(shape)}, and at least one row is needed. Add images.")
    if not (isinstance(k, (int, np.integer)) and 1 <= k <= n): raise ValueError(f"k is {k}, but the pool has {n} images: k must be from 1 to {n}, a whole number. Take fewer a class, or add images.")
    classes = np.arange(n_classes) if allowed is None else np.asarray(allowed)
    named = classes.ndim == 1 and len(classes) > 0 and classes.dtype.kind in "iu"
    if not named or classes.min() < 0 or classes.max() >= n_classes or len(np.unique(classes)) < len(classes):
        raise ValueError(f"allowed is {allowed}, but must list different classes from 0 to {n_classes - 1}, at least one. Correct it, or leave it out.")
    return classes.astype(np.int64)


def _chunks(logits: torch.Tensor | np.ndarray, size: int) -> Iterator[tuple[int, np.ndarray]]:
    "First image and float64 log-probabilities of `size` images at a time"
    for start in range(0, len(logits), size):
        rows = logits[start:start + size]
        yield start, log_probabilities(np.array(rows) if isinstance(rows, np.ndarray) else rows)      # a copy: torch does not like read-only memory


class _Boards:
    "The best k of each of `n` columns among all that was offered; ties go to what was offered first"

    def __init__(self, n: int, k: int, room: int):        # room: entries that may wait until the boards are put in order
        self.k, self.room = k, room
        self.index, self.column, self.value = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        self.bar = np.full(n, -np.inf)                    # a full board takes only what is above it
        self.waiting = []

    def offer(self, index: np.ndarray, column: np.ndarray, value: np.ndarray):   # (E,) each, ascending by index
        self.waiting.append((index, column, value))
        if sum(len(entry[0]) for entry in self.waiting) > self.room: self.settle()

    def settle(self):
        "Drop whoever is not among the best k of his column; entries stand column by column, highest value first"
        parts = [(self.index, self.column, self.value), *self.waiting]
        index, column, value = (np.concatenate(part) for part in zip(*parts))
        order = np.lexsort((-value, column))              # stable: of equals the first offered stays in front
        index, column, value = index[order], column[order], value[order]
        first = np.searchsorted(column, np.arange(len(self.bar)))
        rank = np.arange(len(column)) - first[column]
        kept = rank < self.k
        self.bar[column[rank == self.k - 1]] = value[rank == self.k - 1]
        self.index, self.column, self.value, self.waiting = index[kept], column[kept], value[kept], []


def stream_top_k(logits: torch.Tensor | np.ndarray,   # (U, C): pool by classes, for instance np.load(path, mmap_mode="r")
                 k: int,                              # images a class, 1 to U
                 *, allowed: Sequence[int] | None = None,  # classes that may be given (None: all)
                 chunk: int = CHUNK) -> PseudoLabels:  # the labels of select_top_k, in its order
    "`select_top_k` in one pass over the rows, in memory for k * C entries and a few chunks"
    classes = _check(logits.shape, k, allowed)
    boards = _Boards(len(classes), k, room=max(k * len(classes), chunk * len(classes) // 4))
    for start, scores in _chunks(logits, chunk):
        if allowed is not None: scores = scores[:, classes]
        image, column = (scores > boards.bar).nonzero()
        boards.offer(start + image, column, scores[image, column])
    boards.settle()
    return PseudoLabels(boards.index, classes[boards.column], np.exp(boards.value))


def stream_argmax_top_k(logits: torch.Tensor | np.ndarray, k: int, *, allowed: Sequence[int] | None = None, chunk: int = CHUNK) -> PseudoLabels:
    "`select_argmax_top_k` in one pass over the rows: of each image only its likeliest class and that probability are kept"
    classes = _check(logits.shape, k, allowed)
    column, value = np.empty(len(logits), np.int64), np.empty(len(logits))
    for start, scores in _chunks(logits, chunk):
        scores = scores if allowed is None else scores[:, classes]
        rows = slice(start, start + len(scores))
        column[rows], value[rows] = scores.argmax(axis=1), scores.max(axis=1)
    kept = _rank_in_class(column, value, len(classes)) < k
    order = np.lexsort((-value, column))
    order = order[kept[order]]
    return PseudoLabels(order, classes[column[order]], np.exp(value[order]))
