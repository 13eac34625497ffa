"""Every selector in the plain way: the probabilities of the whole pool at once, one simple step
after the other. The benchmark of selection races against them, and the tests hold the labels of
`pseudolab.method.selectors` to theirs.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from pseudolab.method.pseudolabels import PseudoLabels
from pseudolab.method.selectors import log_probabilities

Logits = torch.Tensor | np.ndarray  # (U, C)
Allowed = Sequence[int] | None


def prepared(logits: Logits, allowed: Allowed) -> tuple[np.ndarray, np.ndarray]:
    "Log-probabilities (U, A) among the allowed classes, and these classes (A,)."
    classes = np.arange(logits.shape[1]) if allowed is None else np.asarray(allowed)
    return log_probabilities(logits[:, classes]), classes


def one_label_each(
    classes: np.ndarray,
    column: np.ndarray,
    value: np.ndarray,
    kept: np.ndarray,
    score: np.ndarray,
) -> PseudoLabels:
    "The kept images, class by class, highest value first."
    order = np.lexsort((-value, column))
    index = order[kept[order]]
    return PseudoLabels(index, classes[column[index]], np.exp(score[index]))


def rank_in_class(column: np.ndarray, value: np.ndarray) -> np.ndarray:
    "The place of each image among those of its class: how many are better, or as good and earlier."
    order = np.lexsort((-value, column))
    first = np.searchsorted(column[order], column[order])
    rank = np.empty(len(column), np.int64)
    rank[order] = np.arange(len(column)) - first
    return rank


def top_k(logits: Logits, k: int, *, allowed: Allowed = None) -> PseudoLabels:
    "A full sort of every column."
    scores, classes = prepared(logits, allowed)
    index = np.argsort(-scores, axis=0, kind="stable")[:k].T.ravel()
    column = np.repeat(np.arange(len(classes)), k)
    return PseudoLabels(index, classes[column], np.exp(scores[index, column]))


def threshold(
    logits: Logits, k: int, *, at_least: float = 0.95, allowed: Allowed = None
) -> PseudoLabels:
    "Each image under its likeliest class, where that is likely enough, whatever k is."
    scores, classes = prepared(logits, allowed)
    score = scores.max(axis=1)
    return one_label_each(classes, scores.argmax(axis=1), score, score >= np.log(at_least), score)


def argmax_top_k(logits: Logits, k: int, *, allowed: Allowed = None) -> PseudoLabels:
    "Each image under its likeliest class, and of these the k most confident."
    scores, classes = prepared(logits, allowed)
    column = scores.argmax(axis=1)
    score = scores.max(axis=1)
    return one_label_each(classes, column, score, rank_in_class(column, score) < k, score)


def is_taken(board: list[tuple[float, int]], entry: tuple[float, int], k: int) -> bool:
    "A place at the end while there is room; after that only for who beats the last entry."
    is_full = len(board) >= k
    if is_full and entry[0] <= board[-1][0]:
        return False
    board.append(entry)
    if is_full:
        board.sort(reverse=True)
        del board[k:]
    return True


def leaderboard(logits: Logits, k: int, *, allowed: Allowed = None) -> PseudoLabels:
    "The published way, image by image."
    scores, classes = prepared(logits, allowed)
    boards: list[list[tuple[float, int]]] = [[] for _ in classes]
    for image, row in enumerate(scores):
        first, *others = np.argsort(-row, kind="stable")
        if not is_taken(boards[first], (row[first], image), k):
            for c in others:
                is_taken(boards[c], (row[c], image), k)
    index, label, score = [], [], []
    for c, board in zip(classes, boards, strict=True):
        for value, image in board:
            index.append(image)
            label.append(c)
            score.append(value)
    return PseudoLabels(np.array(index), np.array(label), np.exp(score))


def sinkhorn(
    scores: np.ndarray,  # (U, A): log-probabilities
    shares: np.ndarray,
    temperature: float = 1.0,
    tolerance: float = 1e-6,
) -> np.ndarray:  # (U, A): log of the plan
    "Scale the rows, scale the columns, until the columns add up to their shares."
    sharp = torch.as_tensor(scores) / temperature
    wanted = torch.as_tensor(shares) * len(scores)
    bias = torch.zeros(len(shares), dtype=torch.float64)
    for _ in range(20_000):
        rows = (sharp + bias).logsumexp(dim=1, keepdim=True)
        plan = sharp + bias - rows
        if (plan.exp().sum(dim=0) - wanted).abs().max() <= tolerance:
            return plan.numpy()
        bias = wanted.log() - (sharp - rows).logsumexp(dim=0)
    raise ValueError("The plan does not come to an end.")


def estimated_shares(scores: np.ndarray, tolerance: float = 1e-7) -> np.ndarray:
    "Reweigh the probabilities by the shares, average, repeat (Saerens et al., 2002)."
    posterior = np.exp(scores)
    start = np.full(scores.shape[1], 1 / scores.shape[1])
    shares = start
    for _ in range(20_000):
        weighted = posterior * (shares / start)
        before, shares = shares, (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(shares - before).max() <= tolerance:
            return shares
    raise ValueError("The shares do not come to rest.")


def places_of(shares: np.ndarray, total: int) -> np.ndarray:
    "Places by share, rounded down; what is left goes to the largest remainders."
    exact = shares * total
    places = np.floor(exact + 1e-9).astype(np.int64)
    places[np.argsort(places - exact, kind="stable")[: total - places.sum()]] += 1
    return places


def match(value: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    "Deferred acceptance (Gale and Shapley, 1962), all images at once: column, and got a place?"
    value = value.copy()
    images = np.arange(len(value))
    while True:
        column = value.argmax(axis=1)
        best = value[images, column]
        turned_away = (rank_in_class(column, best) >= places[column]) & (best > -np.inf)
        if not turned_away.any():
            return column, best > -np.inf
        value[turned_away, column[turned_away]] = -np.inf


def balanced(
    logits: Logits,
    k: int,
    *,
    allowed: Allowed = None,
    prior: Sequence[float] | np.ndarray | str | None = None,
    temperature: float = 1.0,
    tolerance: float = 1e-6,
) -> PseudoLabels:
    "The plan of `sinkhorn` over the allowed classes, then stable matching on its entries."
    scores, classes = prepared(logits, allowed)
    shares = np.full(len(classes), 1 / len(classes))
    if isinstance(prior, str):
        shares = estimated_shares(scores)
    elif prior is not None:
        shares = np.asarray(prior, np.float64)[classes]
        shares = shares / shares.sum()
    plan = sinkhorn(scores, shares, temperature, tolerance)
    column, placed = match(plan, places_of(shares, k * len(classes)))
    images = np.arange(len(scores))
    return one_label_each(classes, column, plan[images, column], placed, scores[images, column])


def candidate_sets(
    logits: Logits,
    *,
    intra: float = 0.6,
    inter: float | None = None,
    allowed: Allowed = None,
) -> np.ndarray:  # bool (U, C)
    "The classes of each image that both bars let through."
    scores, classes = prepared(logits, allowed)
    if inter is None:
        inter = max(0.0, 1 - 2 / len(classes))
    order = np.argsort(-scores, axis=1, kind="stable")
    probability = np.exp(np.take_along_axis(scores, order, axis=1))
    # of the classes from this rank on
    left_out = np.cumsum(probability[:, ::-1], axis=1)[:, ::-1]
    doubt = left_out[:, 1] if len(classes) > 1 else np.zeros(len(scores))
    most_doubt = -np.quantile(-doubt, intra, method="lower")
    reaches_bar = scores >= np.quantile(scores, inter, axis=0, method="lower")
    chosen = (left_out >= most_doubt) & np.take_along_axis(reaches_bar, order, axis=1)
    sets = np.zeros((len(scores), np.shape(logits)[1]), dtype=bool)
    np.put_along_axis(sets, classes[order], chosen, axis=1)
    return sets


def candidates(
    logits: Logits,
    k: int,
    *,
    allowed: Allowed = None,
    intra: float = 0.6,
    inter: float | None = None,
) -> PseudoLabels:
    "The k surest of each class by matching on the candidates, each with its soft labels."
    scores, classes = prepared(logits, allowed)
    sets = candidate_sets(logits, intra=intra, inter=inter, allowed=allowed)
    value = np.where(sets[:, classes], scores, -np.inf)
    column, placed = match(value, np.full(len(classes), k))
    score = value[np.arange(len(value)), column]
    chosen = one_label_each(classes, column, score, placed, score)
    inside = value[chosen.index]
    raised = np.exp(inside - inside.max(axis=1, keepdims=True, initial=-np.inf))
    soft = np.zeros((len(chosen), logits.shape[1]), np.float32)
    soft[:, classes] = raised / raised.sum(axis=1, keepdims=True)
    return replace(chosen, candidates=soft)


def propagated(
    logits: Logits,
    k: int,
    *,
    features: np.ndarray,  # (U, D)
    allowed: Allowed = None,
    neighbours: int = 10,
    alpha: float = 0.9,
) -> PseudoLabels:
    "Every pair of images compared, and the equations solved with dense matrices."
    scores, classes = prepared(logits, allowed)
    directions = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = directions @ directions.T
    weights = np.zeros_like(cosine)
    for image, row in enumerate(cosine):
        others = [n for n in np.argsort(-row) if n != image]
        nearest = others[:neighbours]
        weights[image, nearest] = np.maximum(row[nearest], 0)
    weights = (weights + weights.T) / 2
    degree = weights.sum(axis=1)
    degree[degree == 0] = 1
    graph = weights / np.sqrt(degree[:, None] * degree[None, :])
    spread = np.linalg.solve(np.eye(len(graph)) - alpha * graph, (1 - alpha) * np.exp(scores))
    chosen = top_k(np.log(spread), k)
    return replace(chosen, label=classes[chosen.label])


# by the names of `pseudolab.method.selectors.SELECTORS`
PLAIN_SELECTORS = {
    "top_k": top_k,
    "argmax_top_k": argmax_top_k,
    "threshold": threshold,
    "leaderboard": leaderboard,
    "balanced": partial(balanced, tolerance=0.1),
    "estimated": partial(balanced, prior="estimated", tolerance=0.1),
    "candidates": candidates,
    "propagated": propagated,
}
