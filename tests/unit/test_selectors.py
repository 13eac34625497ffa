"Selectors beyond the paper: brute force on small pools, properties, hostile input."

from itertools import permutations
from math import exp, log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pseudolab.cli.app import app
from pseudolab.cli.inputs import read_prior
from pseudolab.clip.loading import load_clip
from pseudolab.data.tasks import load_task
from pseudolab.method.loss import loss_per_image
from pseudolab.method.loss_terms import partial_label_loss
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.pseudolabels import audit, precision
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.schedules import Constant
from pseudolab.method.selectors import (
    NEEDS_FEATURES,
    SELECTORS,
    candidate_sets,
    check_prior,
    estimate_prior,
    log_probabilities,
    select_argmax_top_k,
    select_balanced,
    select_candidates,
    select_leaderboard,
    select_propagated,
    select_threshold,
    select_top_k,
    sinkhorn,
)
from pseudolab.method.splits import transductive
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import PromptTuner
from support.scripts import load_script

plain_selectors = load_script("benchmarks/plain_selectors.py")

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
    return set(zip(chosen.index.tolist(), chosen.label.tolist(), strict=True))


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


def likeliest(logits, allowed):
    "(class, log-probability) of each image in plain Python; the first of `allowed` wins a tie"
    rows = [log_softmax([row[c] for c in allowed]) for row in logits]
    return [max(zip(allowed, row, strict=True), key=lambda pair: pair[1]) for row in rows]


@settings(max_examples=100)
@given(st.data())
def test_threshold_is_brute_force(data):
    logits = data.draw(tied_pools())
    allowed = data.draw(allowed_classes(len(logits[0])))
    threshold = data.draw(st.sampled_from([0.3, 0.51, 0.77, 0.93]))
    best = likeliest(logits, allowed)
    expected = []
    for c in allowed:
        sure = [(-s, n) for n, (b, s) in enumerate(best) if b == c and exp(s) >= threshold]
        expected += [(n, c) for _, n in sorted(sure)]
    got = select_threshold(np.array(logits), threshold, allowed=allowed)
    assert list(zip(got.index, got.label, strict=True)) == expected
    assert np.allclose(got.confidence, [exp(best[n][1]) for n, _ in expected])


@settings(max_examples=100)
@given(st.data())
def test_argmax_top_k_is_brute_force(data):
    logits = data.draw(tied_pools())
    allowed = data.draw(allowed_classes(len(logits[0])))
    k = data.draw(st.integers(1, len(logits)))
    # the same last bits: ties must fall alike
    scores = log_probabilities(np.array(logits)[:, allowed]).tolist()
    best = [max(zip(allowed, row, strict=True), key=lambda pair: pair[1]) for row in scores]
    expected = []
    for c in allowed:
        applicants = [(-s, n) for n, (b, s) in enumerate(best) if b == c]
        expected += [(n, c) for _, n in sorted(applicants)[:k]]
    got = select_argmax_top_k(np.array(logits), k, allowed=allowed)
    assert list(zip(got.index, got.label, strict=True)) == expected


@settings(max_examples=60)
@given(st.data())
def test_top_k_is_brute_force(data):
    logits = data.draw(tied_pools())
    allowed = data.draw(allowed_classes(len(logits[0])))
    k = data.draw(st.integers(1, len(logits)))
    scores = log_probabilities(np.array(logits)[:, allowed]).T.tolist()
    expected = []
    for c, column in zip(allowed, scores, strict=True):
        expected += [(n, c) for _, n in sorted((-s, n) for n, s in enumerate(column))[:k]]
    got = select_top_k(np.array(logits), k, allowed=allowed)
    assert list(zip(got.index, got.label, strict=True)) == expected


def greedy(plan, places):
    "The highest entry of the plan whose image is free and whose class has room, again and again"
    left = list(places)
    taken = {}
    for n, c in zip(*np.unravel_index(np.argsort(-plan, axis=None), plan.shape), strict=True):
        if n not in taken and left[c]:
            taken[n] = c
            left[c] -= 1
    return set(taken.items())


def plan_of(scores, prior, temperature=1.0):
    "The plan (U, C) of the biases that `sinkhorn` gives"
    bias = sinkhorn(scores, prior, temperature=temperature)
    return torch.tensor(scores / temperature + bias).softmax(dim=1).numpy()


@settings(max_examples=60)
@given(seeds, st.integers(2, 12), sizes, st.data())
def test_balanced_takes_the_plans_highest_entries(seed, U, C, data):
    k = data.draw(st.integers(1, max(1, U // C)))
    if k * C > U:
        return
    logits = pool(seed, U, C)
    got = select_balanced(logits, k)
    assert pairs(got) == greedy(plan_of(logits, np.full(C, 1 / C)), [k] * C)
    assert (np.bincount(got.label, minlength=C) == k).all()
    assert np.allclose(got.confidence, torch.tensor(logits).softmax(1)[got.index, got.label])


def test_plan_is_the_optimal_transport():
    "A hard plan (small T) is the best assignment of all 720"
    logits = pool(4, 6, 3)
    scores = log_probabilities(logits)
    best = max(permutations([0, 0, 1, 1, 2, 2]), key=lambda labels: scores[range(6), labels].sum())
    plan = plan_of(logits, np.full(3, 1 / 3), temperature=0.02)
    assert plan.argmax(1).tolist() == list(best)


def candidates_by_hand(logits, intra, inter):
    p = [[exp(s) for s in log_softmax(row)] for row in logits]
    C = len(p[0])
    tau = np.quantile([max(row) for row in p], intra, method="lower")
    by_class = [[log(row[c]) for row in p] for c in range(C)]
    bar = [exp(np.quantile(column, inter, method="lower")) for column in by_class]
    sets = np.zeros((len(p), C), dtype=bool)
    for n, row in enumerate(p):
        order = sorted(range(C), key=lambda c: -row[c])
        total = 0.0
        for c in order:
            if total <= tau + 1e-12 and row[c] >= bar[c] - 1e-12:
                sets[n, c] = True
            total += row[c]
    return sets


@settings(max_examples=100)
@given(seeds, st.integers(1, 12), st.integers(1, 5), hundredths, hundredths)
def test_candidate_sets_are_brute_force(seed, U, C, intra, inter):
    logits = pool(seed, U, C)
    by_hand = candidates_by_hand(logits.tolist(), intra, inter)
    assert np.array_equal(candidate_sets(logits, intra=intra, inter=inter), by_hand)


@settings(max_examples=60)
@given(seeds, st.integers(1, 14), st.integers(1, 5), hundredths, hundredths, st.integers(1, 3))
def test_candidates_are_chosen_by_hand(seed, U, C, intra, inter, k):
    """The surest pair of image and candidate whose image is free and whose class has room, again
    and again; soft labels are the probabilities of the set, made to sum to 1
    """
    logits = pool(seed, U, C)
    k = min(k, U)
    p = np.array([[exp(s) for s in log_softmax(row)] for row in logits.tolist()])
    sets = candidates_by_hand(logits.tolist(), intra, inter)
    chosen = select_candidates(logits, k, intra=intra, inter=inter)
    by_hand = {(n, c) for n, c in greedy(np.where(sets, p, -1.0), [k] * C) if sets[n, c]}
    assert pairs(chosen) == by_hand
    inside = (p * sets)[chosen.index]
    assert np.allclose(chosen.candidates, inside / inside.sum(axis=1, keepdims=True), atol=1e-6)
    assert np.array_equal(chosen.candidates > 0, sets[chosen.index])
    assert np.allclose(chosen.confidence, p[chosen.index, chosen.label])


def test_an_image_whose_two_rules_have_no_class_in_common_is_dropped():
    "Class 1 has its two best elsewhere: the last picture, sure of class 1 alone, has no candidate"
    torn = np.array([[1.0, 3.0, 0.0], [0.0, 3.0, 1.0], [2.0, 2.1, 2.0], [0.1, 0.3, 0.2]])
    sets = candidate_sets(torn, intra=0.0, inter=2 / 3)
    assert sets.astype(int).tolist() == [[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]
    chosen = select_candidates(torn, 4, intra=0.0, inter=2 / 3)
    assert sorted(chosen.index.tolist()) == [0, 1, 2]


# ---- properties


def labels_of(name, logits, allowed, **options):
    "Image, label, confidence and candidates that a selector of the tuner gives"
    if name in NEEDS_FEATURES:
        options["features"] = np.random.default_rng(0).normal(size=(len(logits), 3))
    chosen = SELECTORS[name](logits, 3, allowed=allowed, **options)
    return [chosen.index, chosen.label, chosen.confidence, chosen.candidates]


@pytest.mark.parametrize("name", SELECTORS)
@settings(max_examples=10)
@given(seed=seeds, shift=st.sampled_from([-1e6, -3.0, 2.0, 1e6]), chunk=st.sampled_from([7, 1024]))
def test_classes_that_cannot_be_given_say_nothing(name, seed, shift, chunk):
    "Whatever the logits of the other classes are, and whether they are there at all"
    logits = pool(seed, 20, 5)
    allowed, others = [3, 0, 4], [1, 2]
    before = labels_of(name, logits, allowed, chunk=chunk)
    other_logits = np.random.default_rng(seed + 1).normal(scale=9, size=(20, 2))
    for changed in (logits[:, others] + shift, other_logits):
        logits[:, others] = changed
        for one, other in zip(before, labels_of(name, logits, allowed, chunk=chunk), strict=True):
            assert np.array_equal(one, other)
    alone = labels_of(name, logits[:, allowed], None, chunk=chunk)
    assert np.array_equal(before[0], alone[0])
    assert np.array_equal(before[1], np.array(allowed)[alone[1]])
    assert np.array_equal(before[2], alone[2])


def probabilities(logits):
    "Softmax in NumPy"
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", sorted(set(SELECTORS) - {"propagated"}))
@pytest.mark.parametrize("over_all", [False, True])
def test_what_a_confidence_is_taken_over(name, over_all):
    logits = pool(2, 40, 6, spread=4.0)
    allowed = [4, 1, 2]
    index, label, confidence, _ = labels_of(name, logits, allowed, over_all=over_all)
    expected = np.zeros_like(logits)
    if over_all:
        expected = probabilities(logits)
    else:
        expected[:, allowed] = probabilities(logits[:, allowed])
    assert len(index)
    assert np.allclose(confidence, expected[index, label])


@pytest.mark.parametrize("select", [select_top_k, select_argmax_top_k, select_leaderboard])
def test_a_softmax_over_all_classes_ranks_otherwise(select):
    "Picture 0 is the best example of class 0, but resembles class 2, which cannot be given, more"
    logits = np.array([[4.0, 0.0, 9.0], [0.0, 1.0, 0.0], [2.0, 1.0, 0.0]])
    assert select(logits, 1, allowed=[0, 1]).index[0] == 0
    assert select(logits, 1, allowed=[0, 1], over_all=True).index[0] == 2


# right zero-shot labels of the pool of textures, by the seed of the split: with a softmax over all
# classes, and over the unseen ones alone
RIGHT_ON_TEXTURES = {
    ("16", True): [0.906, 0.885, 0.896],
    ("16", False): [0.979, 0.969, 0.969],
    ("U/C", True): [0.825, 0.719, 0.767],
    ("U/C", False): [0.897, 0.808, 0.847],
}


@pytest.mark.slow
def test_what_a_softmax_over_all_classes_costs_on_textures():
    clip, task = load_clip(), load_task("textures")
    n_classes = len(task.class_names)
    template = TemplatePrompt.for_task(clip, task)
    for at, seed in enumerate((500, 0, 200)):
        split = transductive(task, seed)
        with torch.no_grad():
            logits = template.logits(split.pool.images)
        for (k, over_all), right in RIGHT_ON_TEXTURES.items():
            images = 16 if k == "16" else len(split.pool) // len(split.allowed)
            chosen = select_top_k(logits, images, allowed=split.allowed, over_all=over_all)
            share = precision(audit(chosen, split.answer_key, n_classes))
            assert share == pytest.approx(right[at], abs=0.02), (k, over_all, seed)


@pytest.mark.parametrize("select", ONE_EACH.values(), ids=ONE_EACH)
@settings(max_examples=25)
@given(seed=seeds, C=sizes, k=st.integers(1, 4))
def test_order_of_images_and_classes_does_not_matter(select, seed, C, k):
    logits = pool(seed, 20, C)
    rng = np.random.default_rng(seed)
    images = rng.permutation(20)
    classes = rng.permutation(C)
    moved = select(logits[images][:, classes], k)
    assert {(images[n], classes[c]) for n, c in pairs(moved)} == pairs(select(logits, k))


@settings(max_examples=25)
@given(seeds, sizes)
def test_order_does_not_matter_for_sets_and_priors(seed, C):
    logits = pool(seed, 20, C)
    rng = np.random.default_rng(seed)
    images = rng.permutation(20)
    classes = rng.permutation(C)
    moved = logits[images][:, classes]
    assert np.array_equal(candidate_sets(moved), candidate_sets(logits)[images][:, classes])
    assert np.allclose(estimate_prior(moved), estimate_prior(logits)[classes], atol=1e-6)


@settings(max_examples=60)
@given(seeds, st.integers(1, 40), st.integers(1, 6), st.sampled_from([0.3, 1.0, 3.0]))
def test_sinkhorn_keeps_its_sums(seed, U, C, temperature):
    logits = pool(seed, U, C)
    prior = np.random.default_rng(seed).dirichlet(np.ones(C))
    plan = plan_of(logits, prior, temperature)
    assert np.abs(plan.sum(1) - 1).max() < 1e-6
    assert np.abs(plan.sum(0) - prior * U).max() < 1.01e-6
    ratio = np.log(plan) - log_probabilities(logits) / temperature  # rank one: a_i * b_c
    assert np.allclose(ratio - ratio[:1], (ratio - ratio[:1])[:, :1])


@pytest.mark.parametrize("select", ONE_EACH.values(), ids=ONE_EACH)
@settings(max_examples=40)
@given(logits=tied_pools(), data=st.data())
def test_no_image_twice(select, logits, data):
    logits = np.array(logits)
    k = data.draw(st.integers(1, len(logits)))
    classes = data.draw(allowed_classes(logits.shape[1]))
    needs_room = select not in (ONE_EACH["threshold"], select_argmax_top_k)
    if needs_room and k * len(classes) > len(logits):
        return
    chosen = select(logits, k, allowed=classes)
    assert len(np.unique(chosen.index)) == len(chosen.index)
    assert set(chosen.label) <= set(classes)
    assert chosen.index.dtype == chosen.label.dtype == np.int64
    assert chosen.confidence.dtype == np.float64


@settings(max_examples=60)
@given(seeds, st.floats(0.05, 1), st.floats(0.05, 1))
def test_threshold_is_monotone(seed, one, other):
    low, high = sorted((one, other))
    logits = pool(seed, 30, 4)
    assert pairs(select_threshold(logits, high)) <= pairs(select_threshold(logits, low))


@settings(max_examples=60)
@given(tied_pools(), st.floats(0, 1), st.floats(0, 1))
def test_candidate_sets_hold_the_top_class_and_grow(logits, intra, inter):
    logits = np.array(logits)
    sets = candidate_sets(logits, intra=intra, inter=inter)
    assert sets.dtype == bool
    assert sets.shape == logits.shape
    within = candidate_sets(logits, intra=intra, inter=0.0)
    assert within[np.arange(len(logits)), log_probabilities(logits).argmax(1)].all()
    assert (sets <= candidate_sets(logits, intra=1.0, inter=inter)).all()
    assert (sets <= candidate_sets(logits, intra=intra, inter=0.0)).all()


# ---- shares


def calibrated(seed, prior, U=4000, noise=1.5):
    """Images of a known imbalanced prior, and the exact posterior logits of a labeller that
    believes in equal shares
    """
    rng = np.random.default_rng(seed)
    C = len(prior)
    truth = np.repeat(np.arange(C), np.round(np.array(prior) * U).astype(int))
    seen = np.eye(C)[truth] * 2 + rng.normal(scale=noise, size=(len(truth), C))
    return 2 * seen / noise**2, truth


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "prior", [[0.7, 0.2, 0.1], [0.6, 0.2, 0.1, 0.06, 0.04], [0.25] * 4], ids=str
)
def test_prior_is_recovered(seed, prior):
    logits, truth = calibrated(seed, prior)
    shares = np.bincount(truth) / len(truth)
    counted = np.bincount(logits.argmax(1), minlength=len(prior)) / len(truth)
    estimated = estimate_prior(logits)
    error = np.abs(estimated - shares).sum()
    assert error < 0.08
    assert estimated.sum() == pytest.approx(1)
    if max(prior) > 0.25:
        assert error < np.abs(counted - shares).sum() / 3


def test_start_is_the_labellers_own_prior():
    """A labeller that already knows the shares gives the same estimate once we say so, another one
    if we do not
    """
    logits, truth = calibrated(0, [0.7, 0.2, 0.1])
    knowing = logits + np.log([0.5, 0.3, 0.2])
    told = estimate_prior(knowing, start=[0.5, 0.3, 0.2])
    assert np.allclose(told, estimate_prior(logits), atol=1e-3)
    assert np.abs(estimate_prior(knowing) - estimate_prior(logits)).max() > 0.05


def test_balanced_with_the_right_shares_labels_best():
    logits, truth = calibrated(1, [0.7, 0.2, 0.1], U=600)

    def right(prior):
        chosen = select_balanced(logits, 200, prior=prior)
        return (truth[chosen.index] == chosen.label).mean()

    assert right(None) + 0.1 < right("estimated")
    assert abs(right("estimated") - right([0.7, 0.2, 0.1])) < 0.03


@pytest.mark.parametrize(
    "prior, counts",
    [([0.5, 0.3, 0.2], [6, 4, 2]), ([1.0, 0.0, 0.0], [12, 0, 0]), ([1 / 3] * 3, [4, 4, 4])],
)
def test_places_follow_the_shares(prior, counts):
    chosen = select_balanced(pool(0, 12, 3), 4, prior=prior)
    assert np.bincount(chosen.label, minlength=3).tolist() == counts


def test_shares_are_scaled_to_the_allowed_classes():
    chosen = select_balanced(pool(0, 12, 3), 4, prior=[0.5, 0.3, 0.2], allowed=[2, 1])
    assert np.bincount(chosen.label, minlength=3).tolist() == [0, 5, 3]
    assert chosen.label.tolist() == [2] * 3 + [1] * 5


def test_more_than_the_pool_has_is_refused_and_exactly_the_pool_is_not():
    logits = pool(0, 12, 3)
    assert len(select_balanced(logits, 4)) == 12
    assert len(select_balanced(logits, 12, allowed=[1])) == 12
    message = r"5 \* 3 classes need 15 images, but the pool has 12.*at most 4"
    with pytest.raises(ValueError, match=message):
        select_balanced(logits, 5)


def test_counts_are_shares():
    logits = pool(0, 12, 3)
    by_counts = select_balanced(logits, 4, prior=np.array([10, 6, 4]))
    by_shares = select_balanced(logits, 4, prior=[0.5, 0.3, 0.2])
    assert pairs(by_counts) == pairs(by_shares)
    assert np.bincount(by_counts.label).tolist() == [6, 4, 2]


@pytest.mark.parametrize(
    "selector, prior, message",
    [
        ("top_k", [1, 1], "'top_k' has no use for known shares"),
        ("estimated", [1, 1], "'estimated' has no use for known shares"),
        ("balanced", "estimated", "must list a share of each class"),
        ("balanced", [], "must be 0 shares"),
        ("balanced", [[1, 2]], "must be 1 shares"),
        ("balanced", [1, float("nan")], "finite"),
        ("balanced", [1, -1], "none negative"),
        ("balanced", [0, 0], "not all 0"),
    ],
)
def test_a_prior_that_is_none_or_of_no_use_is_refused(selector, prior, message):
    with pytest.raises(ValueError, match=message):
        check_prior(selector, prior)


# ---- the graph of neighbours


@settings(max_examples=40)
@given(seeds, st.integers(1, 25), sizes, st.data())
def test_propagated_labels_are_those_of_dense_algebra(seed, U, C, data):
    k = data.draw(st.integers(1, U))
    neighbours = data.draw(st.integers(1, 30))
    alpha = data.draw(st.sampled_from([0.0, 0.5, 0.9, 0.99]))
    allowed = data.draw(st.none() | allowed_classes(C))
    logits = pool(seed, U, C)
    features = np.random.default_rng(seed).normal(size=(U, 4))
    options = dict(features=features, allowed=allowed, neighbours=neighbours, alpha=alpha)
    want = plain_selectors.propagated(logits, k, **options)
    for chunk in (7, 1024):
        got = select_propagated(logits, k, chunk=chunk, **options)
        assert np.allclose(got.confidence, want.confidence, rtol=1e-6)
        if allowed is None or len(allowed) > 1:  # else all are sure, and rounding decides
            assert np.array_equal(got.index, want.index)
            assert np.array_equal(got.label, want.label)


def two_groups(n=40, seed=0):
    "Two groups of pictures, far apart, and a labeller that is wrong and sure of every fifth"
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], n)
    features = np.eye(2)[truth] + rng.normal(scale=0.1, size=(2 * n, 2))
    logits = np.where(np.eye(2)[truth], 1.0, -1.0) + rng.normal(scale=0.1, size=(2 * n, 2))
    logits[::5] *= -3
    return features, logits, truth


def test_neighbours_outvote_a_labeller_that_is_sure_and_wrong():
    features, logits, truth = two_groups()

    def right(chosen):
        return (truth[chosen.index] == chosen.label).mean()

    assert right(select_top_k(logits, 40)) < 0.85
    assert right(select_propagated(logits, 40, features=features)) == 1


def test_propagation_depends_on_directions_alone_and_is_deterministic():
    features, logits, _ = two_groups()
    longer = features * np.random.default_rng(1).uniform(1, 9, size=(len(features), 1))
    once = select_propagated(logits, 20, features=features)
    again = select_propagated(torch.tensor(logits), 20, features=torch.tensor(longer))
    assert np.array_equal(once.index, again.index)
    assert np.allclose(once.confidence, again.confidence)
    same = select_propagated(logits, 20, features=features)
    assert np.array_equal(once.confidence, same.confidence)


@pytest.mark.parametrize(
    "features, message",
    [
        (np.ones((3, 2)), r"features are \(3, 2\), but the pool has 4 images"),
        (np.ones(4), r"features are \(4,\)"),
        (np.array([[1.0], [2], [0], [3]]), "row of zeros"),
        (np.array([[1.0], [2], [np.nan], [3]]), "NaN"),
    ],
)
def test_features_that_do_not_fit_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        select_propagated(pool(0, 4, 2), 1, features=features)


# ---- saturated logits


def test_float32_ties_do_not_decide():
    "All four have probability 1.0 in float32, the last is the surest"
    one = [[30.0, 0.0], [31.0, 0.0], [30.5, 0.0], [32.0, 0.0]]
    other = [[0.0, 31.0], [0.0, 32.0], [0.0, 30.0], [0.0, 30.0]]
    sure = torch.tensor(one + other)
    assert sure.softmax(1).max(1).values.tolist() == [1.0] * 8
    assert select_argmax_top_k(sure, 2).index.tolist() == [3, 1, 5, 4]
    assert select_threshold(sure).index.tolist() == [3, 1, 2, 0, 5, 4, 6, 7]
    assert select_balanced(sure, 2).index.tolist() == [3, 1, 5, 4]
    # images 3 and 5 are the surest, and alike; a set must exceed what they have alone
    assert candidate_sets(sure, intra=0.99, inter=0.0).all()
    assert (candidate_sets(sure, intra=0.5, inter=0.0).sum(1) == [2, 1, 2, 1, 1, 1, 2, 2]).all()


def test_plan_lifts_a_class_that_saturated_logits_hide():
    gaps = torch.tensor([[30.0], [29.0], [33.0], [28.0]]) * torch.tensor([[1.0, 0.0]])
    chosen = select_balanced(gaps, 2)
    assert pairs(chosen) == {(2, 0), (0, 0), (1, 1), (3, 1)}


def test_ties_go_to_the_lowest_index():
    even = np.zeros((6, 2))
    assert select_argmax_top_k(even, 2).index.tolist() == [0, 1]
    assert select_threshold(even, 0.5).index.tolist() == list(range(6))
    assert pairs(select_balanced(even, 2)) == {(0, 0), (1, 0), (2, 1), (3, 1)}


# ---- the loss


@settings(max_examples=40)
@given(seeds, st.integers(1, 8), sizes)
def test_partial_label_loss(seed, B, C):
    logits = torch.tensor(pool(seed, B, C), requires_grad=True)
    drawn = torch.tensor(np.random.default_rng(seed).random((B, C)) < 0.5)
    sets = drawn | F.one_hot(logits.argmax(1), C).bool()
    loss = partial_label_loss(logits, sets)
    expected = -((logits.softmax(1) * sets).sum(1)).log().mean()
    assert torch.allclose(loss, expected)
    assert loss >= 0
    (mine,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (theirs,) = torch.autograd.grad(expected, logits)
    assert torch.allclose(mine, theirs)
    one = torch.tensor(np.random.default_rng(seed).integers(C, size=B))
    alone = partial_label_loss(logits, F.one_hot(one, C).bool())
    assert torch.allclose(alone, F.cross_entropy(logits, one))
    assert partial_label_loss(logits, torch.ones(B, C, dtype=torch.bool)) == 0


@settings(max_examples=30)
@given(seeds, st.integers(1, 8), sizes)
def test_partial_label_loss_of_soft_labels(seed, B, C):
    logits = torch.tensor(pool(seed, B, C), requires_grad=True)
    drawn = torch.tensor(np.random.default_rng(seed).random((B, C)))
    soft = drawn * ((drawn > 0.5) | F.one_hot(drawn.argmax(1), C).bool())
    soft = soft / soft.sum(1, keepdim=True)
    loss = partial_label_loss(logits, soft)
    expected = -((logits.softmax(1) * soft).sum(1)).log().mean()
    assert torch.allclose(loss, expected)
    assert loss >= 0
    (mine,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (theirs,) = torch.autograd.grad(expected, logits)
    assert torch.allclose(mine, theirs)
    one = F.one_hot(drawn.argmax(1), C)
    alone = partial_label_loss(logits, one.float())
    assert torch.allclose(alone, F.cross_entropy(logits, drawn.argmax(1)))
    assert torch.allclose(loss_per_image(logits, soft).mean(), loss)


def test_partial_label_loss_of_a_hopeless_image_is_finite():
    logits = torch.tensor([[0.0, 200.0, 300.0]], requires_grad=True)
    loss = partial_label_loss(logits, torch.tensor([[True, False, False]]))
    loss.backward()
    assert loss.item() == 300
    assert torch.allclose(logits.grad, torch.tensor([[-1.0, 0.0, 1.0]]))


@pytest.mark.parametrize(
    "sets",
    [
        torch.ones(2, 3, dtype=torch.int64),
        torch.ones(3, 2, dtype=torch.bool),
        torch.tensor([[True] * 3, [False] * 3]),
        torch.tensor([[1.0, 0, 0], [0.0, 0, 0]]),
        torch.tensor([[1.0, 0, 0], [1.5, -0.5, 0]]),
        torch.tensor([[1.0, 0, 0], [float("nan"), 1, 0]]),
    ],
    ids=["whole numbers", "shape", "empty row", "empty soft row", "negative", "NaN"],
)
def test_partial_label_loss_refuses(sets):
    message = "bool or float of the logits' shape|no candidate|negative number or NaN"
    with pytest.raises(ValueError, match=message):
        partial_label_loss(torch.zeros(2, 3), sets)


# ---- hostile input


@pytest.mark.parametrize("select", ANY.values(), ids=ANY)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_diverged(select, bad):
    rows = [[0.0, bad], [0.0, 0.0]]
    for logits in (torch.tensor(rows), np.array(rows)):
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
@pytest.mark.parametrize("k", [0, -1, 5, 1.5, "2"])
def test_k_that_does_not_fit(select, k):
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
    "prior", [[0.0, 0.0], [1.2, -0.2], [1.0], [float("nan"), 1.0], [[0.5, 0.5]]], ids=str
)
def test_prior_that_does_not_fit(prior):
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
    assert np.array_equal(candidate_sets(logits), candidate_sets(logits.detach().numpy()))


# ---- in the tuner


@pytest.fixture(scope="module")
def small():
    return load_task("satellite", n_train=6, n_test=4)


@pytest.fixture
def asked(monkeypatch):
    "What the selectors are asked by the tuner, call by call"
    calls = []

    def spy(name, select):
        def called(logits, k, **options):
            calls.append((name, options))
            return select(logits, k, **options)

        return called

    for name, select in list(SELECTORS.items()):
        monkeypatch.setitem(SELECTORS, name, spy(name, select))
    return calls


QUICK = Recipe.pocket().replace(epochs=1, min_steps=0)


def tuned(clip, task, **arguments):
    arguments = dict(strategy=Strategy("ifpl", 2, Constant(3)), recipe=QUICK) | arguments
    tuner = PromptTuner(clip, **arguments)
    return tuner, tuner.fit(task, progress=False)


@pytest.mark.parametrize("over_all", [False, True])
def test_the_recipe_says_what_the_tuners_confidences_are_taken_over(clip, small, asked, over_all):
    recipe = QUICK.replace(confidence_over_all=over_all)
    tuner, run = tuned(clip, small, paradigm="trzsl", recipe=recipe)
    allowed = tuner.split(small).allowed
    assert len(asked) == 4  # two rounds, each with the labels of zero-shot CLIP beside it
    assert all(options.get("over_all", False) is over_all for _, options in asked)
    # first labels and later ones
    first = TemplatePrompt.for_task(clip, small).logits(tuner.split(small).pool.images)
    for logits, round in ((first.detach(), run.rounds[1]), (run.rounds[1].pool_logits, None)):
        chosen = (round or run.rounds[2]).pseudolabels
        shown = torch.as_tensor(np.asarray(logits)).double()
        p = (shown if over_all else shown[:, allowed]).softmax(1).numpy()
        column = chosen.label if over_all else np.searchsorted(allowed, chosen.label)
        assert np.allclose(chosen.confidence, p[chosen.index, column], atol=0.02)
    assert Recipe.authors_code().confidence_over_all is False


def test_known_shares_come_to_the_selector_and_back_from_disk(clip, small, asked, tmp_path):
    prior = np.arange(1, 11)
    tuner, run = tuned(clip, small, selector="balanced", prior=prior)
    assert all(options["prior"] == prior.tolist() for _, options in asked)
    assert run.settings.prior == prior.tolist()
    places = np.bincount(run.rounds[1].pseudolabels.label, minlength=10)
    assert places.sum() == 30
    assert (np.abs(places - 30 * prior / prior.sum()) < 1).all()
    tuner.save(tmp_path / "tuner")
    assert PromptTuner.load(tmp_path / "tuner", clip).prior == prior.tolist()
    run.save(tmp_path / "run")
    assert Run.load(tmp_path / "run").settings.prior == prior.tolist()
    for other in (None, [1] * 10):
        again = PromptTuner(
            clip, strategy=tuner.strategy, recipe=QUICK, selector="balanced", prior=other
        )
        with pytest.raises(ValueError, match="another prior"):
            again.fit(small, out=tmp_path / "run", resume=True, progress=False)


def test_shares_in_trzsl_are_those_of_the_unseen_classes(clip, small):
    prior = np.arange(1, 11)
    tuner, run = tuned(clip, small, paradigm="trzsl", selector="balanced", prior=prior)
    allowed = tuner.split(small).allowed
    places = np.bincount(run.rounds[1].pseudolabels.label, minlength=10)
    assert set(np.flatnonzero(places)) <= set(allowed)
    wanted = 3 * len(allowed) * prior[allowed] / prior[allowed].sum()
    assert (np.abs(places[allowed] - wanted) < 1).all()


def test_shares_of_another_number_of_classes_are_refused(clip, small):
    tuner = PromptTuner(clip, selector="balanced", prior=[1, 2, 3])
    with pytest.raises(ValueError, match="prior has 3 shares, but the task has 10 classes"):
        tuner.fit(small, progress=False)
    with pytest.raises(ValueError, match="no use for known shares"):
        PromptTuner(clip, prior=[1] * 10)


@pytest.mark.parametrize("prompt", ["text", "visual"])
def test_the_graph_is_of_the_labellers_own_features(clip, small, asked, prompt):
    "Frozen CLIP's, or, from the second round on, those under the visual prompt"
    tuner, _ = tuned(clip, small, selector="propagated", prompt=prompt)
    frozen = clip.image_features(small.train.images)
    assert len(asked) == 4
    first, beside, second, beside_second = (options["features"] for _, options in asked)
    for features in (first, beside, beside_second):
        assert torch.allclose(features, frozen.to(features.dtype), atol=1e-5)
    assert torch.allclose(second, frozen.to(second.dtype), atol=1e-5) is (prompt == "text")


# ---- shares in a file

NAMES = ["forest", "sea, lake", "river"]


@pytest.mark.parametrize(
    "text, shares",
    [
        ("0.5\n0.3\n0.2\n", [0.5, 0.3, 0.2]),
        ("\ufeff5\n\n3\n2", [5, 3, 2]),
        ('river,2\nforest, 5\n"sea, lake",3\n', [5, 3, 2]),
        ("river,2\nforest,5\nsea, lake,3", [5, 3, 2]),
    ],
    ids=["in order", "counts", "by name", "a comma in a name"],
)
def test_shares_are_read_from_a_file(tmp_path, text, shares):
    file = tmp_path / "shares.csv"
    file.write_text(text, encoding="utf-8")
    assert read_prior(file, NAMES) == shares


@pytest.mark.parametrize(
    "text, message",
    [
        ("1\n2\n", "has 2 lines, but the task has 3 classes"),
        ("1\ntwo\n3\n", "line 'two', and 'two' is no number"),
        ("forest,1\nriver,x\n", "'x' is no number"),
        ("forest,1\nriver,2\n", "no share of sea, lake"),
        ("forest,1\nforest,2\n", "names 'forest', twice"),
        ("class,share\nforest,1\n", "names 'class', which is no class of the task"),
        ("", "has 0 lines"),
    ],
)
def test_a_file_that_holds_no_shares_is_refused(tmp_path, text, message):
    file = tmp_path / "shares.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_prior(file, NAMES)


def test_a_file_of_shares_that_is_no_text_or_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_prior(tmp_path / "none.csv", NAMES)
    (tmp_path / "table.xlsx").write_bytes(b"\xff\xfe\x00PK")
    with pytest.raises(ValueError, match="not a text file in UTF-8"):
        read_prior(tmp_path / "table.xlsx", NAMES)


def test_the_command_line_gives_known_shares_to_the_tuner(tmp_path, small):
    file = tmp_path / "shares.txt"
    file.write_text("\n".join(str(n) for n in range(1, 11)))
    line = ["run", "--task", "satellite", "--selector", "balanced", "--prior", str(file)]
    line += ["--strategy", "zero_shot", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    assert Run.load(tmp_path / "run").settings.prior == list(range(1, 11))
