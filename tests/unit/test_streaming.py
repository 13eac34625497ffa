"""Every selector gives the labels of the plain way, whatever the chunk, refuses what cannot be, and
stays small when it reads from a file.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pseudolab.method import selectors
from pseudolab.method.selectors import NEEDS_FEATURES
from support.scripts import load_script

pytestmark = pytest.mark.slow


plain = load_script("benchmarks/plain_selectors.py")


def with_features(name):
    "A selector that brings features of its own, where it needs some"
    select = selectors.SELECTORS[name]
    if name not in NEEDS_FEATURES:
        return select

    def select_with(logits, k, **options):
        features = np.random.default_rng(0).normal(size=(len(logits), 3))
        return select(logits, k, features=features, **options)

    return select_with


SELECTORS = {name: with_features(name) for name in selectors.SELECTORS}
# to the last bit
EXACT = ["top_k", "argmax_top_k", "threshold", "leaderboard", "candidates"]


def test_every_selector_has_a_plain_one():
    assert list(SELECTORS) == list(plain.PLAIN_SELECTORS)


def same(a, b) -> bool:
    "Bit for bit, types with it"
    for name in ("index", "label", "confidence", "candidates"):
        one, other = getattr(a, name), getattr(b, name)
        if one is None and other is None:
            continue
        if one is None or other is None:
            return False
        if one.dtype != other.dtype or not np.array_equal(one, other):
            return False
    return True


@st.composite
def pools(draw, classes=6):
    """Logits of a pool, classes that may be given, rows of a chunk. Few different values make ties;
    the allowed classes may stand in any order
    """
    U = draw(st.integers(1, 40))
    C = draw(st.integers(1, classes))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    tied = draw(st.booleans())
    logits = rng.integers(-2, 3, (U, C)) if tied else rng.normal(0, 4, (U, C))
    some = st.permutations(range(C)).flatmap(
        lambda order: st.integers(1, C).map(lambda n: order[:n])
    )
    allowed = draw(st.none() | some)
    return logits.astype(np.float16), allowed, draw(st.integers(1, 50))


@pytest.mark.parametrize("name", EXACT)
@given(pool=pools(), data=st.data())
def test_the_same_labels(name, pool, data):
    logits, allowed, chunk = pool
    k = data.draw(st.integers(1, len(logits)))
    want = plain.PLAIN_SELECTORS[name](logits, k, allowed=allowed)
    select = SELECTORS[name]
    assert same(want, select(logits, k, allowed=allowed))
    assert same(want, select(logits, k, allowed=allowed, chunk=chunk))
    assert same(want, select(torch.from_numpy(logits), k, allowed=allowed, chunk=chunk))


@given(pool=pools(), intra=st.floats(0, 1), inter=st.none() | st.floats(0, 1), data=st.data())
def test_the_same_candidates_at_any_quantile(pool, intra, inter, data):
    logits, allowed, chunk = pool
    k = data.draw(st.integers(1, len(logits)))
    options = dict(allowed=allowed, intra=intra, inter=inter)
    want = plain.candidates(logits, k, **options)
    assert same(want, selectors.select_candidates(logits, k, chunk=chunk, **options))
    sets = selectors.candidate_sets(logits, chunk=chunk, **options)
    assert np.array_equal(plain.candidate_sets(logits, **options), sets)


@given(threshold=st.floats(0.01, 1), pool=pools())
def test_the_same_at_any_threshold(threshold, pool):
    logits, allowed, chunk = pool
    assert same(
        plain.threshold(logits, 1, at_least=threshold, allowed=allowed),
        selectors.select_threshold(logits, threshold, allowed=allowed, chunk=chunk),
    )


@pytest.mark.parametrize("order", ["rising", "falling", "constant", "saw"])
@pytest.mark.parametrize("name", EXACT)
def test_the_worst_orders(name, order):
    """Rising: every image beats all before it. Saw: the last entry of a full leaderboard is its
    best, and its bar falls
    """
    strength = {
        "rising": np.linspace(-4, 4, 3000),
        "falling": np.linspace(4, -4, 3000),
        "constant": np.zeros(3000),
        "saw": np.tile([0, 1, 2, 3, 4, 1.5], 500),
    }
    logits = np.zeros((3000, 3), np.float16)
    logits[:, 0] = strength[order]
    for k in (1, 7, 3000):
        want = plain.PLAIN_SELECTORS[name](logits, k)
        assert same(want, SELECTORS[name](logits, k, chunk=64)), k


def test_a_bar_falls_within_a_chunk():
    "Three places, filled by 1, 2, 9: the fourth, 10, puts the board in order, and then 3 is enough"
    strength = np.array([1.0, 2, 9, 10, 3, 2.5, 0])
    logits = np.stack([strength, np.full(7, -50.0)], axis=1)
    boards = selectors._Leaderboards(2, 3)
    fell = [boards.offer(i, 0, logits[i]) for i in range(4)]
    assert fell == [False, False, False, True]
    assert boards.bar[0] == 2
    assert same(plain.leaderboard(logits, 3), selectors.select_leaderboard(logits, 3, chunk=7))


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
    logits = rng.normal(0, 2, (U, C))
    k = data.draw(st.integers(1, U // C))
    prior = data.draw(st.sampled_from([None, "estimated"])) if U > 20 else None
    if prior is None and data.draw(st.booleans()):
        prior = rng.dirichlet(np.full(C, 5.0))
    want = plain.balanced(logits, k, prior=prior, tolerance=1e-8)
    got = selectors.select_balanced(logits, k, prior=prior, tolerance=1e-8, chunk=chunk)
    assert np.array_equal(want.index, got.index)
    assert np.array_equal(want.label, got.label)
    assert np.allclose(want.confidence, got.confidence, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "allowed, prior",
    [
        ([5, 1, 3], None),
        ([0, 6], [0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2]),
        (None, [0.3, 0.1, 0, 0.2, 0.1, 0.3, 0]),
        ([6, 2, 4], "estimated"),
    ],
    ids=str,
)
def test_balanced_labels_of_some_classes(allowed, prior):
    logits = np.random.default_rng(0).normal(0, 2, (90, 7))
    options = dict(allowed=allowed, prior=prior, temperature=0.7, tolerance=1e-8)
    want = plain.balanced(logits, 12, **options)
    for chunk in (7, 90):
        got = selectors.select_balanced(logits, 12, chunk=chunk, **options)
        assert np.array_equal(want.index, got.index)
        assert np.array_equal(want.label, got.label)


@pytest.mark.parametrize("name", ["balanced", "estimated"])
def test_the_same_labels_where_the_plan_stops_early(name):
    "At a tolerance of a tenth the labels depend on every step that was taken"
    logits = np.random.default_rng(1).normal(0, 3, (500, 8))
    for k in (1, 20, 62):
        want = plain.PLAIN_SELECTORS[name](logits, k)
        for chunk in (60, 1024):
            got = SELECTORS[name](logits, k, chunk=chunk)
            assert np.array_equal(want.index, got.index)
            assert np.array_equal(want.label, got.label)


@pytest.mark.parametrize("chunk", [3, 1024])
def test_a_plan_of_logits_that_no_float_can_hold(chunk):
    "Probabilities of 10^-400 and less: the sum of a column is 0, its logarithm is not"
    logits = np.random.default_rng(0).normal(0, 2, (30, 3)) + [0, -2000.0, 900.0]
    want = plain.balanced(logits, 9)
    got = selectors.select_balanced(logits, 9, chunk=chunk)
    assert np.array_equal(want.index, got.index)
    assert np.array_equal(want.label, got.label)


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
    column, placed = plain.match(value, places)
    got = selectors._match(U, places, lambda images: value[images], chunk)
    assert np.array_equal(placed, got.held)
    assert np.array_equal(column[placed], got.column[placed])


# ---- what is refused

# each selector with no other option than k
BY_K = {name: select for name, select in SELECTORS.items() if name != "threshold"}
ONE_INFINITY = np.where(np.eye(4, 3, dtype=bool), -np.inf, 1.0)
WRONG = {
    "no images": (np.ones((0, 3)), 1, None, "The pool has 0 images"),
    "no table": (np.ones(3), 1, None, r"logits must be \(images, classes\)"),
    "k of 0": (np.ones((4, 3)), 0, None, "k is 0, but the pool has 4 images"),
    "k above the pool": (np.ones((4, 3)), 5, None, "k is 5, but the pool has 4 images"),
    "half a k": (np.ones((4, 3)), 1.5, None, "k is 1.5, but the pool has 4 images"),
    "class 3 of 3": (np.ones((4, 3)), 1, [3], "different classes from 0 to 2"),
    "a class twice": (np.ones((4, 3)), 1, [0, 0], "different classes from 0 to 2"),
    "no class": (np.ones((4, 3)), 1, [], "different classes from 0 to 2"),
    "NaN": (np.full((4, 3), np.nan), 1, None, "logits hold NaN or infinity"),
    "infinity": (np.full((4, 3), np.inf), 1, None, "logits hold NaN or infinity"),
    "one infinity": (ONE_INFINITY, 1, None, "logits hold NaN or infinity"),
}


@pytest.mark.parametrize("name", BY_K)
@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("chunk", [1, 1024])
def test_what_does_not_fit_is_refused(name, case, chunk):
    logits, k, allowed, message = WRONG[case]
    with pytest.raises(ValueError, match=message), np.errstate(invalid="ignore"):
        BY_K[name](logits, k, allowed=allowed, chunk=chunk)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("balanced", dict(k=2, temperature=0), "temperature is 0"),
        ("balanced", dict(k=2, prior="even"), "prior is 'even'"),
        ("balanced", dict(k=2, prior=[1, 1]), r"prior is \[1, 1\], but must be 3 shares"),
        ("balanced", dict(k=2, prior=[1, 1, -1]), "none negative"),
        ("balanced", dict(k=2, prior=[1, 1, np.inf]), "finite"),
        ("balanced", dict(k=2, prior=[1, 1, np.nan]), "finite"),
        ("balanced", dict(k=2, prior=[0, 0, 0]), "not all 0"),
        ("propagated", dict(k=1, neighbours=0), "neighbours is 0"),
        ("propagated", dict(k=1, alpha=1), "alpha is 1"),
        ("propagated", dict(k=1, alpha=-0.1), "alpha is -0.1"),
        (
            "balanced",
            dict(k=2, prior=[0, 0, 1], allowed=[0, 1]),
            "prior gives every allowed class a share of 0",
        ),
        (
            "balanced",
            dict(k=2, iterations=1, tolerance=1e-12),
            "After 1 iterations a class is still",
        ),
        ("balanced", dict(k=4), "k is 4: 4 [*] 3 classes need 12 images"),
        ("candidates", dict(k=1, intra=2), "intra is 2"),
        ("candidates", dict(k=1, inter=-1), "inter is -1"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    logits = np.random.default_rng(0).normal(0, 3, (9, 3))
    with pytest.raises(ValueError, match=message):
        SELECTORS[name](logits, **options)


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_that_is_no_probability(threshold):
    with pytest.raises(ValueError, match="threshold is"):
        selectors.select_threshold(np.ones((3, 2)), threshold)


@pytest.mark.parametrize("name", SELECTORS)
def test_a_chunk_without_rows(name):
    with pytest.raises(ValueError, match="chunk is 0"):
        SELECTORS[name](np.ones((4, 3)), 1, chunk=0)


# ---- what was given stays as it was


@pytest.mark.parametrize("name", SELECTORS)
def test_logits_are_left_alone(name):
    "Doubles are not copied when they are read, and must not be written to"
    logits = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (40, 4)))
    before = logits.clone()
    SELECTORS[name](logits, 3, chunk=16)
    assert torch.equal(logits, before)


# ---- from a file, in little memory


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
    with load_script("benchmarks/measure.py").PeakMemory() as peak:
        chosen = SELECTORS[name](large, 20)
    assert 0 < len(chosen) <= 20 * 200
    # less than the probabilities alone, with room for what an allocator keeps that other tests have
    # used
    assert peak.bytes < 150e6


def test_a_mapped_file_that_may_only_be_read_is_left_alone(large):
    before = np.array(large[:50])
    for select in SELECTORS.values():
        select(large[:50], 1, allowed=[0, 1, 2])
    assert np.array_equal(before, large[:50])
