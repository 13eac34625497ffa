"The streaming leaderboard of the released code, beside exact top-K."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.method.pseudolabels import audit, precision
from pseudolab.method.selectors import select_leaderboard, select_top_k


def biased_pool(seed, n_classes=10, per_class=200):
    """A labeller that knows the classes a little, is surer of some pictures than of others, and
    likes some classes more than others
    """
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(n_classes), per_class))
    clear = rng.uniform(0, 6, len(truth))
    logits = rng.normal(0, 1.6, (len(truth), n_classes)) + np.linspace(0, 3, n_classes)
    logits[np.arange(len(truth)), truth] += clear
    return logits, truth


def share_right(chosen, truth):
    return precision(audit(chosen, truth, int(truth.max()) + 1))


def pairs(chosen, positions):
    return set(zip(positions[chosen.index].tolist(), chosen.label.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_leaderboard_is_as_good_at_small_k_and_worse_than_exact_top_k_at_the_pools_share(seed):
    logits, truth = biased_pool(seed)
    few, all_of_them = 16, len(truth) // 10
    assert (
        abs(
            share_right(select_leaderboard(logits, few), truth)
            - share_right(select_top_k(logits, few), truth)
        )
        < 0.05
    )
    assert (
        share_right(select_leaderboard(logits, all_of_them), truth)
        < share_right(select_top_k(logits, all_of_them), truth) - 0.05
    )


def test_leaderboard_depends_on_the_order_of_the_images_and_exact_top_k_does_not():
    logits, truth = biased_pool(0)
    order = np.random.default_rng(1).permutation(len(truth))
    here = np.arange(len(truth))
    for select, same in ((select_top_k, True), (select_leaderboard, False)):
        first, second = pairs(select(logits, 200), here), pairs(select(logits[order], 200), order)
        assert (first == second) is same
    assert len(first & second) < 0.95 * len(first)


def test_leaderboard_by_hand():
    """Two classes, one place each. Image 0 takes class 0; image 1 prefers 0, cannot beat it, and
    takes 1; image 2 beats 0; who was pushed off is offered nowhere
    """
    logits = np.log(np.array([[0.8, 0.2], [0.7, 0.3], [0.9, 0.1]]))
    chosen = select_leaderboard(logits, 1)
    assert list(zip(chosen.index.tolist(), chosen.label.tolist(), strict=True)) == [(2, 0), (1, 1)]
    assert np.allclose(chosen.confidence, [0.9, 0.3])
    # 2 first, then 1 and 0 in turn are refused by class 0 and offered to class 1
    backwards = select_leaderboard(logits[::-1], 1)
    assert [
        (2 - i, c) for i, c in zip(backwards.index.tolist(), backwards.label.tolist(), strict=True)
    ] == [
        (2, 0),
        (1, 1),
    ]


def test_a_leaderboard_with_room_is_not_in_order():
    """While there is room, entries stand as they came, so the one to beat is the last, not the
    weakest
    """
    logits = np.log(np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2]]))
    of_class_0 = dict(allowed=[0], over_all=True)
    chosen = select_leaderboard(logits, 2, **of_class_0)
    assert chosen.index.tolist() == [0, 1]  # 2 is surer than 0, but 1 stands last
    assert select_top_k(logits, 2, **of_class_0).index.tolist() == [1, 2]


@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 999), st.data())
@settings(max_examples=60)
def test_leaderboard_never_gives_a_class_more_than_its_places(n, c, seed, data):
    k = data.draw(st.integers(1, n))
    allowed = data.draw(
        st.none() | st.lists(st.integers(0, c - 1), min_size=1, unique=True).map(sorted)
    )
    chosen = select_leaderboard(np.random.default_rng(seed).normal(size=(n, c)), k, allowed=allowed)
    counts = np.bincount(chosen.label, minlength=c)
    assert counts.max() <= k and set(chosen.label) <= set(range(c) if allowed is None else allowed)
    assert len(pairs(chosen, np.arange(n))) == len(chosen)  # no pair twice


@pytest.mark.parametrize("k", [0, 5])
def test_leaderboard_refuses_a_k_that_does_not_fit(k):
    with pytest.raises(ValueError, match="pool has 4"):
        select_leaderboard(np.zeros((4, 2)), k)
