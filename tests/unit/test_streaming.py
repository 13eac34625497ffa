"""Selection from a file gives the labels of the plain selectors, complains as they do, and stays
small.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from pseudolab.method import pseudolabels as plain, selectors
from pseudolab.method.selectors import STREAMED
from pseudolab.method.tuner import SELECTORS

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
# to the last bit
EXACT = ["top_k", "argmax_top_k", "threshold", "leaderboard", "candidates"]
PLAIN = {
    "top_k": plain.select_top_k,
    "argmax_top_k": plain.select_argmax_top_k,
    "leaderboard": plain.select_leaderboard,
    "balanced": plain.select_balanced,
    "candidates": plain.select_candidates,
}
TWINS = {
    "top_k": selectors.stream_top_k,
    "argmax_top_k": selectors.stream_argmax_top_k,
    "leaderboard": selectors.stream_leaderboard,
    "balanced": selectors.stream_balanced,
    "candidates": selectors.stream_candidates,
}


def same(a, b):
    "Bit for bit, types with it"
    pairs = [
        (getattr(a, name), getattr(b, name))
        for name in ("index", "label", "confidence", "candidates")
    ]
    return all(x is y is None or (np.array_equal(x, y) and x.dtype == y.dtype) for x, y in pairs)


@st.composite
def pools(draw, classes=6):
    """Logits of a pool, classes that may be given, a block's size. Few different values make ties;
    the allowed classes may stand in any order
    """
    U, C = draw(st.integers(1, 40)), draw(st.integers(1, classes))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    logits = (
        rng.integers(-2, 3, (U, C)) if draw(st.booleans()) else rng.normal(0, 4, (U, C))
    ).astype(np.float16)
    allowed = draw(
        st.none()
        | st.permutations(range(C)).flatmap(
            lambda order: st.integers(1, C).map(lambda n: order[:n])
        )
    )
    return logits, allowed, draw(st.integers(1, 50))


@pytest.mark.parametrize("name", EXACT)
@given(pool=pools(), data=st.data())
def test_the_same_labels(name, pool, data):
    logits, allowed, chunk = pool
    k = data.draw(st.integers(1, len(logits)))
    want = SELECTORS[name](logits, k, allowed=allowed)
    assert same(want, STREAMED[name](logits, k, allowed=allowed, chunk=chunk))
    assert same(want, STREAMED[name](torch.from_numpy(logits), k, allowed=allowed, chunk=chunk))


@given(pool=pools(), intra=st.floats(0, 1), inter=st.none() | st.floats(0, 1), data=st.data())
def test_the_same_candidates_at_any_quantile(pool, intra, inter, data):
    logits, allowed, chunk = pool
    k = data.draw(st.integers(1, len(logits)))
    assert same(
        plain.select_candidates(logits, k, allowed=allowed, intra=intra, inter=inter),
        selectors.stream_candidates(
            logits, k, allowed=allowed, intra=intra, inter=inter, chunk=chunk
        ),
    )


@given(threshold=st.floats(0.01, 1), pool=pools())
def test_the_same_at_any_threshold(threshold, pool):
    logits, allowed, chunk = pool
    assert same(
        plain.select_threshold(logits, threshold, allowed=allowed),
        selectors.stream_threshold(logits, threshold, allowed=allowed, chunk=chunk),
    )


@pytest.mark.parametrize("order", ["rising", "falling", "constant", "saw"])
@pytest.mark.parametrize("name", EXACT)
def test_the_worst_orders(name, order):
    """Rising: every image beats all before it. Saw: the last entry of a full leaderboard is its
    best, and its bar falls
    """
    logits = np.zeros((3000, 3), np.float16)
    if order != "constant":
        logits[:, 0] = np.linspace(-4, 4, 3000)[:: 1 if order == "rising" else -1]
    if order == "saw":
        logits[:, 0] = np.tile([0, 1, 2, 3, 4, 1.5], 500)
    for k in (1, 7, 3000):
        assert same(SELECTORS[name](logits, k), STREAMED[name](logits, k, chunk=64)), k


def test_a_bar_falls_within_a_block():
    "Three places, filled by 1, 2, 9: the fourth, 10, puts the board in order, and then 3 is enough"
    strength = np.array([1.0, 2, 9, 10, 3, 2.5, 0])
    logits = np.stack([strength, np.full(7, -50.0)], axis=1)
    boards = selectors.Leaderboards(2, 3)
    fell = [boards.take(0, s, i) for i, s in enumerate(strength[:4])]
    assert fell == [False, False, False, True] and boards.bar[0] == 2
    assert same(
        plain.select_leaderboard(logits, 3), selectors.stream_leaderboard(logits, 3, chunk=7)
    )


@given(
    seed=st.integers(0, 9999),
    U=st.integers(1, 60),
    C=st.integers(1, 6),
    chunk=st.integers(1, 70),
    data=st.data(),
)
def test_the_same_balanced_labels(seed, U, C, chunk, data):
    "No ties: additions in another order may decide those"
    C = min(C, U)
    rng = np.random.default_rng(seed)
    logits, k = rng.normal(0, 2, (U, C)), data.draw(st.integers(1, U // C))
    prior = data.draw(st.sampled_from([None, "estimated"])) if U > 20 else None
    if prior is None and data.draw(st.booleans()):
        prior = rng.dirichlet(np.full(C, 5.0))
    want, got = (
        select(logits, k, prior=prior, tolerance=1e-8, **options)
        for select, options in (
            (plain.select_balanced, {}),
            (selectors.stream_balanced, dict(chunk=chunk)),
        )
    )
    assert (
        np.array_equal(want.index, got.index)
        and np.array_equal(want.label, got.label)
        and np.allclose(want.confidence, got.confidence, rtol=1e-9, atol=0)
    )


def test_balanced_labels_of_some_classes():
    logits = np.random.default_rng(0).normal(0, 2, (90, 7))
    for allowed, prior in (
        ([5, 1, 3], None),
        ([0, 6], [0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2]),
        (None, [0.3, 0.1, 0, 0.2, 0.1, 0.3, 0]),
    ):
        want, got = (
            select(logits, 12, allowed=allowed, prior=prior, temperature=0.7, tolerance=1e-8)
            for select in (plain.select_balanced, selectors.stream_balanced)
        )
        assert np.array_equal(want.index, got.index) and np.array_equal(want.label, got.label)


@given(
    seed=st.integers(0, 9999),
    U=st.integers(1, 30),
    C=st.integers(1, 5),
    ties=st.booleans(),
    chunk=st.integers(1, 40),
    data=st.data(),
)
def test_the_same_matching(seed, U, C, ties, chunk, data):
    "With ties and places in any number: those that are spared the question would have been refused"
    rng = np.random.default_rng(seed)
    value = rng.integers(0, 4, (U, C)).astype(float) if ties else rng.normal(0, 1, (U, C))
    places = np.array(data.draw(st.lists(st.integers(0, U), min_size=C, max_size=C)))
    column, placed = plain._match(value, places)
    got, _, held = selectors.stream_match(U, places, lambda images: value[images], chunk)
    assert np.array_equal(placed, held) and np.array_equal(column[placed], got[held])


WRONG = [
    (np.ones((0, 3)), 1, None),
    (np.ones(3), 1, None),
    (np.ones((4, 3)), 0, None),
    (np.ones((4, 3)), 5, None),
    (np.ones((4, 3)), 1.5, None),
    (np.ones((4, 3)), 1, [3]),
    (np.ones((4, 3)), 1, [0, 0]),
    (np.ones((4, 3)), 1, []),
    (np.full((4, 3), np.nan), 1, None),
    (np.full((4, 3), np.inf), 1, None),
]


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("logits, k, allowed", WRONG)
def test_the_same_complaints(name, logits, k, allowed):
    with pytest.raises(ValueError) as want:
        PLAIN[name](logits, k, allowed=allowed)
    with pytest.raises(ValueError) as got:
        TWINS[name](logits, k, allowed=allowed)
    assert str(got.value) == str(want.value)


@pytest.mark.parametrize(
    "name, options",
    [
        ("balanced", dict(k=2, temperature=0)),
        ("balanced", dict(k=2, prior="even")),
        ("balanced", dict(k=2, prior=[1, 1, 1])),
        ("balanced", dict(k=2, prior=[0, 0, 1], allowed=[0, 1])),
        ("balanced", dict(k=2, iterations=1, tolerance=1e-12)),
        ("balanced", dict(k=4)),
        ("candidates", dict(k=1, intra=2)),
        ("candidates", dict(k=1, inter=-1)),
    ],
)
def test_the_same_complaints_about_options(name, options):
    logits = np.random.default_rng(0).normal(0, 3, (9, 3))
    with pytest.raises(ValueError) as want:
        PLAIN[name](logits, **options)
    with pytest.raises(ValueError) as got:
        TWINS[name](logits, **options)
    assert str(got.value)[:40] == str(want.value)[:40]


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_that_is_no_probability(threshold):
    with pytest.raises(ValueError, match="threshold is"):
        selectors.stream_threshold(np.ones((3, 2)), threshold)


# ---- from a file, in little memory
# -----------------------------------------------------------------------------------------------------------------


def peak_memory():
    spec = importlib.util.spec_from_file_location("measure", BENCHMARKS / "measure.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.PeakMemory()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A pool whose probabilities alone would take 192 MB, and those of its selection several times
    that
    """
    path = tmp_path_factory.mktemp("large") / "logits.npy"
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(120_000, 200))
    for start in range(0, len(file), 10_000):
        file[start : start + 10_000] = np.random.default_rng(start).normal(0, 3, (10_000, 200))
    file.flush()
    return np.load(path, mmap_mode="r")


@pytest.mark.skipif(
    not Path("/proc/self/status").is_file(),
    reason="how much memory is anonymous is known on Linux alone",
)
@pytest.mark.parametrize("name", ["top_k", "argmax_top_k", "leaderboard", "balanced", "candidates"])
def test_it_stays_small(large, name):
    with peak_memory() as peak:
        chosen = STREAMED[name](large, 20)
    # less than the probabilities alone, with room for what an allocator keeps that other tests have
    # used
    assert 0 < len(chosen) <= 20 * 200 and peak.bytes < 150e6


def test_a_mapped_file_that_may_only_be_read_is_left_alone(large):
    before = np.array(large[:50])
    for select in STREAMED.values():
        select(large[:50], 1, allowed=[0, 1, 2])
    assert np.array_equal(before, large[:50])
