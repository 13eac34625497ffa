"""Self-training of a linear probe: against a bare loop, at the border of the threshold, with
hostile input.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pseudolab.method.linear_probe import confident, fit_probe, probe_logits, self_train


def clouds(C=3, n=40, seed=0):
    "Points around C corners"
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(C), n)
    return np.eye(C, 4)[labels] + 0.3 * rng.standard_normal((C * n, 4)), labels


def test_the_probe_gives_normalised_log_probabilities_over_all_classes():
    for C in (2, 3):
        x, y = clouds(C)
        logits = probe_logits(fit_probe(x, y, C), x)
        assert (
            logits.shape == (len(x), C)
            and np.allclose(np.exp(logits).sum(1), 1)
            and (logits.argmax(1) == y).mean() > 0.8
        )


def test_more_weight_means_more_confidence():
    x, y = clouds()
    mean = [
        np.exp(probe_logits(fit_probe(x[::8], y[::8], 3, weight=w), x)).max(1).mean()
        for w in (0.1, 1, 10, 100)
    ]
    assert mean == sorted(mean)


@given(st.floats(0.05, 1), st.integers(0, 99))
@settings(max_examples=60)
def test_confident_is_the_threshold_and_nothing_else(threshold, seed):
    p = np.random.default_rng(seed).dirichlet(np.full(4, 0.3), 50)
    with np.errstate(divide="ignore"):
        index, label = confident(np.log(p), threshold)
    above = p.max(1) >= threshold
    near = np.abs(p.max(1) - threshold) < 1e-12
    assert (
        set(index) - set(np.flatnonzero(near)) == set(np.flatnonzero(above & ~near))
        and (label == p[index].argmax(1)).all()
    )


def test_self_training_is_the_bare_loop():
    x, y = clouds(n=60)
    shown, pool = np.arange(0, 180, 30), np.setdiff1d(np.arange(180), np.arange(0, 180, 30))
    played = self_train(x[shown], y[shown], x[pool], 3, rounds=3, weight=50)
    a, b = x[shown], y[shown]
    for round in played:
        bare = LogisticRegression(C=50, max_iter=2000).fit(a, b)
        assert np.allclose(bare.coef_, round.probe.coef_)
        p = bare.predict_proba(x[pool])
        sure = p.max(1) >= 0.95
        a, b = (
            np.concatenate([x[shown], x[pool][sure]]),
            np.concatenate([y[shown], p.argmax(1)[sure]]),
        )
    assert len(played) == 4 and len(played[0].index) == 0 < len(played[1].index)


def test_the_selection_can_be_another_one():
    x, y = clouds()
    seen = []

    def nobody(logits):
        seen.append(logits.shape)
        return np.empty(0, np.int64), np.empty(0, np.int64)

    played = self_train(x[::20], y[::20], x, 3, select=nobody, rounds=2)
    assert seen == [(120, 3)] * 2 and np.allclose(played[0].probe.coef_, played[2].probe.coef_)


@pytest.mark.parametrize("labels, n_classes", [([0, 0, 1], 3), ([0, 0, 0], 1), ([], 2)])
def test_a_class_without_a_label_is_named(labels, n_classes):
    with pytest.raises(ValueError, match="at least two classes and a labelled image of each"):
        fit_probe(np.zeros((len(labels), 2)), np.array(labels, int), n_classes)
