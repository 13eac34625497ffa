"Selectors beyond the paper: brute force on small pools, properties, hostile input."

from itertools import permutations
from math import exp, log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.method.loss import partial_label_loss
from pseudolab.method.selectors import (
    candidate_sets,
    estimate_prior,
    log_probabilities,
    select_argmax_top_k,
    select_balanced,
    select_leaderboard,
    select_threshold,
    select_top_k,
    sinkhorn,
)

BY_K = {
    "top_k": select_top_k,
    "leaderboard": select_leaderboard,
    "argmax_top_k": select_argmax_top_k,
    "balanced": select_balanced,
}
ONE_EACH = {
    "threshold": lambda logits, k, **options: select_threshold(logits, 1 / (1 + k), **options),
    "argmax_top_k": select_argmax_top_k,
    "balanced": select_balanced,
    "estimated": lambda logits, k, **options: select_balanced(
        logits, k, prior="estimated", **options
    ),
}
ANY = BY_K | {
    "threshold": ONE_EACH["threshold"],
    "candidates": lambda logits, k, **options: candidate_sets(logits, **options),
    "prior": lambda logits, k: estimate_prior(logits),
}


def pool(seed, U, C, spread=2.0):
    return np.random.default_rng(seed).normal(scale=spread, size=(U, C))


def pairs(chosen):
    return set(zip(chosen.index.tolist(), chosen.label.tolist()))


def log_softmax(row):
    top = max(row)
    return [z - top - log(sum(exp(y - top) for y in row)) for z in row]


few_values = st.integers(-6, 6).map(lambda n: n / 2)  # many ties
hundredths = st.integers(0, 100).map(lambda n: n / 100)
seeds, sizes = st.integers(0, 10**6), st.integers(2, 5)


@st.composite
def tied_pools(draw):
    U, C = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    return draw(st.lists(st.lists(few_values, min_size=C, max_size=C), min_size=U, max_size=U))


@st.composite
def allowed_classes(draw, C):
    return draw(st.lists(st.integers(0, C - 1), min_size=1, max_size=C, unique=True))


# ---- brute force
# -----------------------------------------------------------------------------------------------------------------------------


def likeliest(logits, allowed):
    "(class, log-probability) of each image in plain Python; the first of `allowed` wins a tie"
    rows = [log_softmax(row) for row in logits]
    return [max(((c, row[c]) for c in allowed), key=lambda pair: pair[1]) for row in rows]


@settings(max_examples=100)
@given(st.data())
def test_threshold_is_brute_force(data):
    logits = data.draw(tied_pools())
    allowed, threshold = (
        data.draw(allowed_classes(len(logits[0]))),
        data.draw(st.sampled_from([0.3, 0.51, 0.77, 0.93])),
    )
    best = likeliest(logits, allowed)
    expected = [
        (n, c)
        for c in allowed
        for _, n in sorted(
            (-s, n) for n, (b, s) in enumerate(best) if b == c and exp(s) >= threshold
        )
    ]
    got = select_threshold(np.array(logits), threshold, allowed=allowed)
    assert list(zip(got.index, got.label)) == expected
    assert np.allclose(got.confidence, [exp(best[n][1]) for n, _ in expected])


@settings(max_examples=100)
@given(st.data())
def test_argmax_top_k_is_brute_force(data):
    logits = data.draw(tied_pools())
    allowed, k = data.draw(allowed_classes(len(logits[0]))), data.draw(st.integers(1, len(logits)))
    # the same last bits: ties must fall alike
    scores = log_probabilities(np.array(logits)).tolist()
    best = [max(((c, row[c]) for c in allowed), key=lambda pair: pair[1]) for row in scores]
    expected = [
        (n, c)
        for c in allowed
        for _, n in sorted((-s, n) for n, (b, s) in enumerate(best) if b == c)[:k]
    ]
    got = select_argmax_top_k(np.array(logits), k, allowed=allowed)
    assert list(zip(got.index, got.label)) == expected


def greedy(plan, places):
    "The highest entry of the plan whose image is free and whose class has room, again and again"
    left, taken = list(places), {}
    for _, n, c in sorted(
        (-plan[n, c], n, c) for n in range(len(plan)) for c in range(plan.shape[1])
    ):
        if n not in taken and left[c]:
            taken[n], left[c] = c, left[c] - 1
    return set(taken.items())


@settings(max_examples=60)
@given(seeds, st.integers(2, 12), sizes, st.data())
def test_balanced_takes_the_plans_highest_entries(seed, U, C, data):
    k = data.draw(st.integers(1, max(1, U // C)))
    if k * C > U:
        return
    logits = pool(seed, U, C)
    plan = sinkhorn(log_probabilities(logits), np.full(C, 1 / C))
    got = select_balanced(logits, k)
    assert pairs(got) == greedy(plan, [k] * C)
    assert (np.bincount(got.label, minlength=C) == k).all()
    assert np.allclose(got.confidence, torch.tensor(logits).softmax(1)[got.index, got.label])


def test_plan_is_the_optimal_transport():
    "A hard plan (small T) is the best assignment of all 720"
    logits = pool(4, 6, 3)
    scores = log_probabilities(logits)
    best = max(permutations([0, 0, 1, 1, 2, 2]), key=lambda labels: scores[range(6), labels].sum())
    assert np.exp(sinkhorn(scores, np.full(3, 1 / 3), temperature=0.02)).argmax(1).tolist() == list(
        best
    )


def candidates_by_hand(logits, intra, inter):
    p = [[exp(s) for s in log_softmax(row)] for row in logits]
    tau = np.quantile([max(row) for row in p], intra, method="lower")
    bar = [
        np.exp(np.quantile([log(row[c]) for row in p], inter, method="lower"))
        for c in range(len(p[0]))
    ]
    sets = np.zeros((len(p), len(p[0])), dtype=bool)
    for n, row in enumerate(p):
        order, total = sorted(range(len(row)), key=lambda c: -row[c]), 0.0
        for c in order:
            if total < tau - 1e-12 and row[c] >= bar[c] - 1e-12:
                sets[n, c] = True
            total += row[c]
        sets[n, order[0]] = True
    return sets


@settings(max_examples=100)
@given(seeds, st.integers(1, 12), st.integers(1, 5), hundredths, hundredths)
def test_candidate_sets_are_brute_force(seed, U, C, intra, inter):
    logits = pool(seed, U, C)
    assert (
        candidate_sets(logits, intra=intra, inter=inter)
        == candidates_by_hand(logits.tolist(), intra, inter)
    ).all()


# ---- properties
# ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("select", ONE_EACH.values(), ids=ONE_EACH)
@settings(max_examples=25)
@given(seed=seeds, C=sizes, k=st.integers(1, 4))
def test_order_of_images_and_classes_does_not_matter(select, seed, C, k):
    logits, rng = pool(seed, 20, C), np.random.default_rng(seed)
    images, classes = rng.permutation(20), rng.permutation(C)
    plain, moved = pairs(select(logits, k)), select(logits[images][:, classes], k)
    assert {(images[n], classes[c]) for n, c in pairs(moved)} == plain


@settings(max_examples=25)
@given(seeds, sizes)
def test_order_does_not_matter_for_sets_and_priors(seed, C):
    logits, rng = pool(seed, 20, C), np.random.default_rng(seed)
    images, classes = rng.permutation(20), rng.permutation(C)
    assert (
        candidate_sets(logits[images][:, classes]) == candidate_sets(logits)[images][:, classes]
    ).all()
    assert np.allclose(
        estimate_prior(logits[images][:, classes]), estimate_prior(logits)[classes], atol=1e-6
    )


@settings(max_examples=60)
@given(seeds, st.integers(1, 40), st.integers(1, 6), st.sampled_from([0.3, 1.0, 3.0]))
def test_sinkhorn_keeps_its_sums(seed, U, C, temperature):
    logits = pool(seed, U, C)
    prior = np.random.default_rng(seed).dirichlet(np.ones(C))
    plan = np.exp(sinkhorn(log_probabilities(logits), prior, temperature=temperature))
    assert np.abs(plan.sum(1) - 1).max() < 1e-6 and np.abs(plan.sum(0) - prior * U).max() < 1.01e-6
    ratio = np.log(plan) - log_probabilities(logits) / temperature  # rank one: a_i * b_c
    assert np.allclose(ratio - ratio[:1], (ratio - ratio[:1])[:, :1])


@pytest.mark.parametrize("select", ONE_EACH.values(), ids=ONE_EACH)
@settings(max_examples=40)
@given(logits=tied_pools(), data=st.data())
def test_no_image_twice(select, logits, data):
    logits = np.array(logits)
    k, classes = data.draw(st.integers(1, len(logits))), data.draw(allowed_classes(logits.shape[1]))
    if select not in (ONE_EACH["threshold"], select_argmax_top_k) and k * len(classes) > len(
        logits
    ):
        return
    chosen = select(logits, k, allowed=classes)
    assert len(np.unique(chosen.index)) == len(chosen.index) and set(chosen.label) <= set(classes)
    assert (
        chosen.index.dtype == chosen.label.dtype == np.int64
        and chosen.confidence.dtype == np.float64
    )


@settings(max_examples=60)
@given(seeds, st.floats(0.05, 1), st.floats(0.05, 1))
def test_threshold_is_monotone(seed, one, other):
    low, high = sorted((one, other))
    assert pairs(select_threshold(pool(seed, 30, 4), high)) <= pairs(
        select_threshold(pool(seed, 30, 4), low)
    )


@settings(max_examples=60)
@given(tied_pools(), st.floats(0, 1), st.floats(0, 1))
def test_candidate_sets_hold_the_top_class_and_grow(logits, intra, inter):
    logits = np.array(logits)
    sets = candidate_sets(logits, intra=intra, inter=inter)
    assert (
        sets.dtype == bool
        and sets.shape == logits.shape
        and sets[np.arange(len(logits)), log_probabilities(logits).argmax(1)].all()
    )
    assert (sets <= candidate_sets(logits, intra=1.0, inter=inter)).all() and (
        sets <= candidate_sets(logits, intra=intra, inter=0.0)
    ).all()


# ---- shares
# ----------------------------------------------------------------------------------------------------------------------------------


def calibrated(seed, prior, U=4000, noise=1.5):
    """Images of a known imbalanced prior, and the exact posterior logits of a labeller that
    believes in equal shares
    """
    rng, C = np.random.default_rng(seed), len(prior)
    truth = np.repeat(np.arange(C), np.round(np.array(prior) * U).astype(int))
    seen = np.eye(C)[truth] * 2 + rng.normal(scale=noise, size=(len(truth), C))
    return 2 * seen / noise**2, truth


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "prior", [[0.7, 0.2, 0.1], [0.6, 0.2, 0.1, 0.06, 0.04], [0.25] * 4], ids=str
)
def test_prior_is_recovered(seed, prior):
    logits, truth = calibrated(seed, prior)
    error = lambda shares: np.abs(shares - np.bincount(truth) / len(truth)).sum()
    counted = np.bincount(logits.argmax(1), minlength=len(prior)) / len(truth)
    estimated = estimate_prior(logits)
    assert error(estimated) < 0.08 and estimated.sum() == pytest.approx(1)
    if max(prior) > 0.25:
        assert error(estimated) < error(counted) / 3


def test_start_is_the_labellers_own_prior():
    """A labeller that already knows the shares gives the same estimate once we say so, another one
    if we do not
    """
    logits, truth = calibrated(0, [0.7, 0.2, 0.1])
    knowing = logits + np.log([0.5, 0.3, 0.2])
    assert np.allclose(
        estimate_prior(knowing, start=[0.5, 0.3, 0.2]), estimate_prior(logits), atol=1e-3
    )
    assert np.abs(estimate_prior(knowing) - estimate_prior(logits)).max() > 0.05


def test_balanced_with_the_right_shares_labels_best():
    logits, truth = calibrated(1, [0.7, 0.2, 0.1], U=600)
    k, right = 200, lambda chosen: (truth[chosen.index] == chosen.label).mean()
    known, estimated, uniform = (
        right(select_balanced(logits, k, prior=prior))
        for prior in ([0.7, 0.2, 0.1], "estimated", None)
    )
    assert uniform + 0.1 < estimated and abs(estimated - known) < 0.03


@pytest.mark.parametrize(
    "prior, counts",
    [([0.5, 0.3, 0.2], [6, 4, 2]), ([1.0, 0.0, 0.0], [12, 0, 0]), ([1 / 3] * 3, [4, 4, 4])],
)
def test_places_follow_the_shares(prior, counts):
    assert (
        np.bincount(select_balanced(pool(0, 12, 3), 4, prior=prior).label, minlength=3).tolist()
        == counts
    )


def test_shares_are_scaled_to_the_allowed_classes():
    chosen = select_balanced(pool(0, 12, 3), 4, prior=[0.5, 0.3, 0.2], allowed=[2, 1])
    assert np.bincount(chosen.label, minlength=3).tolist() == [0, 5, 3]
    assert chosen.label.tolist() == [2] * 3 + [1] * 5


def test_more_than_the_pool_has_is_refused_and_exactly_the_pool_is_not():
    logits = pool(0, 12, 3)
    assert (
        len(select_balanced(logits, 4)) == 12
        and len(select_balanced(logits, 12, allowed=[1])) == 12
    )
    with pytest.raises(
        ValueError, match=r"5 \* 3 classes need 15 images, but the pool has 12.*at most 4"
    ):
        select_balanced(logits, 5)


# ---- saturated logits
# ------------------------------------------------------------------------------------------------------------------------


def test_float32_ties_do_not_decide():
    "All four have probability 1.0 in float32, the last is the surest"
    sure = torch.tensor(
        [
            [30.0, 0.0],
            [31.0, 0.0],
            [30.5, 0.0],
            [32.0, 0.0],
            [0.0, 31.0],
            [0.0, 32.0],
            [0.0, 30.0],
            [0.0, 30.0],
        ]
    )
    assert sure.softmax(1).max(1).values.tolist() == [1.0] * 8
    assert select_argmax_top_k(sure, 2).index.tolist() == [3, 1, 5, 4]
    assert select_threshold(sure).index.tolist() == [3, 1, 2, 0, 5, 4, 6, 7]
    assert select_balanced(sure, 2).index.tolist() == [3, 1, 5, 4]
    assert (candidate_sets(sure, intra=0.99, inter=0.0).sum(1) == [2, 2, 2, 1, 2, 1, 2, 2]).all()


def test_plan_lifts_a_class_that_saturated_logits_hide():
    gaps = torch.tensor([[30.0], [29.0], [33.0], [28.0]]) * torch.tensor([[1.0, 0.0]])
    chosen = select_balanced(gaps, 2)
    assert pairs(chosen) == {(2, 0), (0, 0), (1, 1), (3, 1)}


def test_ties_go_to_the_lowest_index():
    even = np.zeros((6, 2))
    assert select_argmax_top_k(even, 2).index.tolist() == [0, 1] and select_threshold(
        even, 0.5
    ).index.tolist() == list(range(6))
    assert pairs(select_balanced(even, 2)) == {(0, 0), (1, 0), (2, 1), (3, 1)}


# ---- the loss
# --------------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seeds, st.integers(1, 8), sizes)
def test_partial_label_loss(seed, B, C):
    logits = torch.tensor(pool(seed, B, C), requires_grad=True)
    sets = (
        torch.tensor(np.random.default_rng(seed).random((B, C)) < 0.5)
        | F.one_hot(logits.argmax(1), C).bool()
    )
    loss = partial_label_loss(logits, sets)
    expected = -((logits.softmax(1) * sets).sum(1)).log().mean()
    assert torch.allclose(loss, expected) and loss >= 0
    (mine,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (theirs,) = torch.autograd.grad(expected, logits)
    assert torch.allclose(mine, theirs)
    one = torch.tensor(np.random.default_rng(seed).integers(C, size=B))
    assert torch.allclose(
        partial_label_loss(logits, F.one_hot(one, C).bool()), F.cross_entropy(logits, one)
    )
    assert partial_label_loss(logits, torch.ones(B, C, dtype=torch.bool)) == 0


def test_partial_label_loss_of_a_hopeless_image_is_finite():
    logits = torch.tensor([[0.0, 200.0, 300.0]], requires_grad=True)
    loss = partial_label_loss(logits, torch.tensor([[True, False, False]]))
    loss.backward()
    assert loss.item() == 300 and torch.allclose(logits.grad, torch.tensor([[-1.0, 0.0, 1.0]]))


@pytest.mark.parametrize(
    "sets",
    [torch.ones(2, 3), torch.ones(3, 2, dtype=torch.bool), torch.tensor([[True] * 3, [False] * 3])],
    ids=["not bool", "shape", "empty row"],
)
def test_partial_label_loss_refuses(sets):
    with pytest.raises(ValueError, match="bool of the logits' shape|no candidate"):
        partial_label_loss(torch.zeros(2, 3), sets)


# ---- hostile input
# ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("select", ANY.values(), ids=ANY)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_diverged(select, bad):
    for logits in (torch.tensor([[0.0, bad]]), np.array([[0.0, bad]])):
        with pytest.raises(ValueError, match="NaN or infinity"):
            select(logits, 1)


@pytest.mark.parametrize("select", ANY.values(), ids=ANY)
@pytest.mark.parametrize(
    "shape, what",
    [
        ((3,), "images, classes"),
        ((2, 3, 4), "images, classes"),
        ((3, 0), "images, classes"),
        ((0, 3), "0 images"),
    ],
    ids=str,
)
def test_shapes_that_are_no_pool(select, shape, what):
    with pytest.raises(ValueError, match=what):
        select(np.zeros(shape), 1)


@pytest.mark.parametrize("select", BY_K.values(), ids=BY_K)
@pytest.mark.parametrize("k", [0, -1, 5, 1.5, None, "2"])
def test_k_that_does_not_fit(select, k):
    if k is None:
        return
    with pytest.raises(ValueError, match=f"k is {k}, but the pool has 4 images"):
        select(np.zeros((4, 2)), k)


@pytest.mark.parametrize(
    "select", (BY_K | {name: ANY[name] for name in ("threshold", "candidates")}).values()
)
@pytest.mark.parametrize("allowed", [[], [2], [-1], [0, 0], [[0, 1]], [0.5], ["river"]], ids=str)
def test_allowed_that_does_not_fit(select, allowed):
    with pytest.raises(ValueError, match="different classes from 0 to 1"):
        select(np.zeros((4, 2)), 1, allowed=allowed)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, 95, float("nan")])
def test_threshold_that_is_no_probability(threshold):
    with pytest.raises(ValueError, match=f"threshold is {threshold}"):
        select_threshold(np.zeros((4, 2)), threshold)


@pytest.mark.parametrize(
    "prior", [[0.5, 0.6], [1.2, -0.2], [1.0], [float("nan"), 1.0], [[0.5, 0.5]]], ids=str
)
def test_prior_that_is_none(prior):
    with pytest.raises(ValueError, match="prior is .*2 shares"):
        select_balanced(np.zeros((4, 2)), 1, prior=prior)
    with pytest.raises(ValueError, match="start is .*2 shares"):
        estimate_prior(np.zeros((4, 2)), start=prior)


def test_other_refusals():
    flat = np.zeros((4, 2))
    with pytest.raises(ValueError, match="'guessed'.*estimated"):
        select_balanced(flat, 1, prior="guessed")
    with pytest.raises(ValueError, match="every allowed class a share of 0"):
        select_balanced(flat, 1, prior=[1, 0], allowed=[1])
    with pytest.raises(ValueError, match="can never grow"):
        estimate_prior(flat, start=[1, 0])
    with pytest.raises(ValueError, match="temperature is 0"):
        select_balanced(flat, 1, temperature=0)
    with pytest.raises(ValueError, match="After 3 iterations.*Raise iterations"):
        estimate_prior(calibrated(0, [0.7, 0.3])[0], iterations=3)
    with pytest.raises(ValueError, match="After 2 iterations.*raise temperature"):
        select_balanced(pool(0, 30, 3), 1, iterations=2)
    for name in ("intra", "inter"):
        with pytest.raises(ValueError, match=f"{name} is 1.5"):
            candidate_sets(flat, **{name: 1.5})


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_torch_and_numpy_agree(kind):
    logits = torch.tensor(pool(0, 20, 3)).to(kind).requires_grad_()
    for name in ("argmax_top_k", "balanced"):
        assert pairs(BY_K[name](logits, 3)) == pairs(BY_K[name](logits.detach().numpy(), 3))
    assert (candidate_sets(logits) == candidate_sets(logits.detach().numpy()[::1])).all()
