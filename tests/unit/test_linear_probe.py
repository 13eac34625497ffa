"""Self-training of a linear probe: against a bare loop, at the border of the threshold, with
hostile input.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pseudolab.method.linear_probe import fit_probe, self_train
from pseudolab.method.probe_labels import by_threshold, probe_logits


def clouds(C=3, n=40, seed=0):
    "Points around C corners"
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(C), n)
    return np.eye(C, 4)[labels] + 0.3 * rng.standard_normal((C * n, 4)), labels


@pytest.mark.parametrize("C", [2, 3])
def test_the_probe_gives_normalised_log_probabilities_over_all_classes(C):
    x, y = clouds(C)
    probe = fit_probe(x, y, C)
    logits = probe_logits(probe, x)
    assert logits.shape == (len(x), C)
    assert np.array_equal(logits, probe.predict_log_proba(x))
    assert np.allclose(np.exp(logits).sum(1), 1)
    assert (logits.argmax(1) == y).mean() > 0.8


def test_log_probabilities_are_finite_where_a_probability_is_0():
    x, y = clouds()
    far = 1e4 * x
    probe = fit_probe(x, y, 3)
    assert (probe.predict_proba(far) == 0).any()
    assert np.isfinite(probe_logits(probe, far)).all()
    index, label = by_threshold(probe_logits(probe, far))
    assert len(index) > 100
    assert np.array_equal(label, probe.predict(far)[index])


def test_more_weight_means_more_confidence():
    x, y = clouds()
    means = []
    for weight in (0.1, 1, 10, 100):
        probe = fit_probe(x[::8], y[::8], 3, weight=weight)
        means.append(np.exp(probe_logits(probe, x)).max(1).mean())
    assert means == sorted(means)


@given(st.floats(0.01, 1), st.integers(0, 99))
@settings(max_examples=60)
def test_by_threshold_is_the_threshold_and_nothing_else(concentration, seed):
    p = np.random.default_rng(seed).dirichlet(np.full(4, concentration), 50)
    p = np.maximum(p, 1e-300)
    index, label = by_threshold(np.log(p))
    sure = p.max(1) / p.sum(1)
    near = np.flatnonzero(np.abs(sure - 0.95) < 1e-12)
    assert set(index) - set(near) == set(np.flatnonzero(sure >= 0.95)) - set(near)
    assert (label == p[index].argmax(1)).all()
    assert (np.diff(index) > 0).all(), "in the order of the pool"


def test_self_training_is_the_bare_loop():
    x, y = clouds(n=60)
    first = np.arange(0, 180, 30)
    others = np.setdiff1d(np.arange(180), first)
    shown, pool = x[first], x[others]
    played = self_train(shown, y[first], pool, 3, rounds=3, weight=50)
    a, b = shown, y[first]
    for round in played:
        bare = LogisticRegression(C=50, max_iter=2000).fit(a, b)
        assert np.allclose(bare.coef_, round.probe.coef_)
        p = bare.predict_proba(pool)
        sure = p.max(1) >= 0.95
        a = np.concatenate([shown, pool[sure]])
        b = np.concatenate([y[first], p.argmax(1)[sure]])
    assert len(played) == 4
    assert len(played[0].index) == 0 < len(played[1].index)


def test_the_selection_can_be_another_one():
    x, y = clouds()
    seen = []

    def nobody(logits):
        seen.append(logits.shape)
        return np.empty(0, np.int64), np.empty(0, np.int64)

    played = self_train(x[::20], y[::20], x, 3, select=nobody, rounds=2)
    assert seen == [(120, 3)] * 2
    assert np.allclose(played[0].probe.coef_, played[2].probe.coef_)


@pytest.mark.parametrize("labels, n_classes", [([0, 0, 1], 3), ([0, 0, 0], 1), ([], 2)])
def test_a_class_without_a_label_is_named(labels, n_classes):
    with pytest.raises(ValueError, match="at least two classes and a labelled image of each"):
        fit_probe(np.zeros((len(labels), 2)), np.array(labels, int), n_classes)
