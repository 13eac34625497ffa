"Who gains: measures on hand-computed numbers, as properties, and on pure noise."

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import linregress, spearmanr

from pseudolab.method.equity import (
    MEASURES,
    benefit_ratio,
    bootstrap_interval,
    class_ranks,
    equity_table,
    gini,
    half_mask,
    quarter_changes,
    rank_correlation,
    rank_slope,
    share_harmed,
    split_half,
)
from pseudolab.method.zero_shot import per_class_accuracy

hundredths = st.integers(0, 100).map(lambda n: n / 100)
pairs = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(hundredths, min_size=n, max_size=n), st.lists(hundredths, min_size=n, max_size=n)
    )
)


@given(pairs)
@settings(max_examples=150)
def test_slope_and_correlation_are_scipys(pair):
    before = np.array(pair[0])
    after = np.array(pair[1])
    ranks = class_ranks(before)
    change = after - before
    assume(np.ptp(ranks) > 0)
    assert np.isclose(rank_slope(ranks, change), linregress(ranks, change).slope)
    if np.ptp(change) > 0:
        assert np.isclose(rank_correlation(ranks, change), spearmanr(before, change).statistic)
    else:
        assert np.isnan(rank_correlation(ranks, change))


@pytest.mark.slow
@given(pairs, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_the_order_of_the_classes_changes_nothing(pair, random):
    before = np.array(pair[0])
    change = np.array(pair[1]) - before
    # with ties the quarter's border is a matter of order
    assume(len(set(before)) == len(before))
    order = np.array(random.sample(range(len(before)), len(before)))
    for measure in MEASURES.values():
        value = measure(class_ranks(before), change)
        shuffled = measure(class_ranks(before[order]), change[order])
        assert np.isclose(value, shuffled, equal_nan=True)
    assert np.isclose(gini(before), gini(before[order]))
    assert share_harmed(change) == share_harmed(change[order])


@given(st.lists(hundredths, min_size=2, max_size=30), st.floats(-0.5, 0.5))
def test_a_uniform_gain_has_no_slope(before, gain):
    before = np.array(before)
    assume(np.ptp(before) > 0)
    change = np.full(len(before), gain)
    assert abs(rank_slope(class_ranks(before), change)) < 1e-12
    assert np.allclose(quarter_changes(class_ranks(before), change), gain)


@given(hundredths, st.integers(2, 40))
def test_gini_of_equal_accuracies_is_zero(value, n):
    assert gini(np.full(n, value)) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.integers(1, 100), min_size=2, max_size=30), st.integers(2, 9))
def test_gini_does_not_depend_on_the_unit_and_stays_below_one(values, factor):
    values = np.array(values, float)
    assert np.isclose(gini(values), gini(factor * values))
    assert 0 <= gini(values) <= 1 - 1 / len(values) + 1e-12
    richer = values.copy()
    richer[values.argmax()] *= 2
    if np.ptp(values):
        assert gini(richer) > gini(values) - 1e-12


def test_gini_by_brute_force():
    values = np.random.default_rng(0).uniform(size=17)
    differences = [abs(a - b) for a in values for b in values]
    assert gini(values) == pytest.approx(np.mean(differences) / (2 * values.mean()))
    assert gini(np.zeros(4)) == 0


def test_ranks_run_from_weakest_to_strongest_and_ties_share():
    assert class_ranks([0.9, 0.1, 0.5]).tolist() == [1, 0, 0.5]
    assert class_ranks([0.2, 0.2, 0.8]).tolist() == [0.25, 0.25, 1]
    assert class_ranks([[0.1, 0.2], [0.2, 0.1]]).tolist() == [[0, 1], [1, 0]]


def test_repetitions_are_averaged():
    ranks = np.array([[0, 0.5, 1], [1, 0.5, 0]])
    change = np.array([[0.3, 0.2, 0.1], [0.4, 0.2, 0.3]])
    alone = [rank_slope(r, d) for r, d in zip(ranks, change, strict=True)]
    assert rank_slope(ranks, change) == pytest.approx(np.mean(alone))


def test_quarters_of_eight_classes():
    ranks = class_ranks(np.arange(8) / 10)
    change = np.array([0.4, 0.2, 0, 0, 0, 0, -0.1, -0.3])
    assert quarter_changes(ranks, change) == pytest.approx((0.3, -0.2))


def test_benefit_ratio_by_hand():
    ratio = benefit_ratio([0.5, 0.5, 0.5, 0.8], [0.7, 0.5, 0.4, 0.9], [0.9, 0.9, 0.9, 0.805])
    assert ratio[:3].tolist() == pytest.approx([0.5, 0, -0.25])
    assert np.isnan(ratio[3])


RNG = np.random.default_rng(0)
ENDS = np.array([0, 1.0])


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: rank_slope([0, 1], [0.1]), "one number for each class"),
        (lambda: rank_slope([0], [0.1]), "two classes are needed"),
        (lambda: rank_slope([0, 1], [0.1, np.nan]), "has no number"),
        (lambda: gini([-0.1, 0.5]), "below 0"),
        (lambda: quarter_changes([0, 1], [0, 1], share=0.7), "share is 0.7"),
        (lambda: bootstrap_interval(rank_slope, ENDS, ENDS, generator=RNG, level=1.5), "level"),
        (lambda: bootstrap_interval(rank_slope, 0 * ENDS, ENDS, generator=RNG), "undefined"),
        (lambda: half_mask(np.array([0, 0, 1]), RNG), "both halves need one"),
        (
            lambda: split_half(np.zeros(3), np.zeros(4), np.zeros(4), generator=RNG),
            "3 and 4 predictions for 4 labels",
        ),
        (
            lambda: split_half(np.zeros(4), np.zeros(4), np.zeros(4), generator=RNG),
            "two classes are needed",
        ),
        (
            lambda: split_half(ENDS, ENDS, ENDS, generator=RNG, splits=0),
            "splits is 0",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(call, what):
    with pytest.raises(ValueError, match=what):
        call()


@given(st.lists(st.integers(2, 9), min_size=2, max_size=6), st.integers(0, 99))
def test_both_halves_hold_every_class(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.concatenate([labels, [-1, -1]])
    mask = half_mask(labels, np.random.default_rng(seed))
    assert not mask[-2:].any()
    for c, n in enumerate(counts):
        assert mask[labels == c].sum() in (n // 2, (n + 1) // 2)


# --- noise


def said(rng, skill, labels):
    "Predictions of a model that is right on a class with the chance that `skill` gives"
    right = rng.uniform(size=len(labels)) < skill[labels]
    return np.where(right, labels, (labels + 1) % len(skill))


def noise(seed, C=24, n=24, low=0.2, high=0.8):
    "Predictions of two models that know each class equally well: nothing has happened"
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(C), n)
    skill = rng.uniform(low, high, C)
    return said(rng, skill, labels), said(rng, skill, labels), labels


def covers_zero(ranks, change, seed):
    rng = np.random.default_rng(seed)
    low, high = bootstrap_interval(rank_slope, ranks, change, generator=rng, n=300)
    return low <= 0 <= high


@pytest.mark.slow
def test_on_pure_noise_the_split_half_interval_covers_zero_where_the_naive_one_does_not():
    split = naive = 0
    for seed in range(40):
        one, two, labels = noise(seed, n=16, low=0.4, high=0.7)
        parts = split_half(one, two, labels, generator=np.random.default_rng(seed), splits=20)
        split += covers_zero(parts["ranks"], parts["change"], seed)
        before = per_class_accuracy(one, labels, 24)
        after = per_class_accuracy(two, labels, 24)
        naive += covers_zero(class_ranks(before), after - before, seed)
    assert split >= 35
    assert naive <= 12


def test_a_true_robin_hood_is_seen_through_split_halves():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(20), 60)
    one = said(rng, np.linspace(0.1, 0.9, 20), labels)
    two = said(rng, np.linspace(0.5, 0.9, 20), labels)
    table = equity_table(one, two, labels, generator=np.random.default_rng(0), splits=10)
    assert table.loc["slope", "high"] < -0.2
    assert table.loc["weakest quarter", "low"] > 0.1
    assert abs(table.loc["slope", "value"] + 0.4) < 0.1
    # the null is what luck alone gives to the naive way
    assert table.loc["slope", "null"] < 0
    assert table.loc["slope", "naive"] < 0


def test_the_null_is_zero_shots_own_difference():
    one, two, labels = noise(3)
    first = split_half(one, one, labels, generator=np.random.default_rng(0), splits=4)
    second = split_half(one, two, labels, generator=np.random.default_rng(0), splits=4)
    assert (first["change"] == 0).all()
    assert np.array_equal(first["null"], second["null"])
    assert first["null"].any()


def test_a_row_of_the_table_is_the_measure_on_the_split_halves():
    one, two, labels = noise(4, C=6, n=10)
    table = equity_table(one, two, labels, generator=np.random.default_rng(2), splits=5)
    # the same draws
    parts = split_half(one, two, labels, generator=np.random.default_rng(2), splits=5)
    assert list(table.index) == list(MEASURES)
    for name, measure in MEASURES.items():
        assert table.loc[name, "value"] == pytest.approx(measure(parts["ranks"], parts["change"]))
        assert table.loc[name, "null"] == pytest.approx(measure(parts["ranks"], parts["null"]))


def test_the_same_seed_gives_the_same_table():
    one, two, labels = noise(5, C=6, n=10)
    tables = [
        equity_table(one, two, labels, generator=np.random.default_rng(2), splits=5)
        for _ in range(2)
    ]
    assert tables[0].equals(tables[1])
