"""How sure a fit is beside how often it is right: against probabilities that are known."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.utils import check_random_state

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.inspection import CalibrationCurve, CalibrationDisplay, calibration_curves
from skcausalpima.inspection._calibration import curve_of

SHIFT = 1.5


def as_modalities(table):
    return {"a": table[:, :1], "b": table[:, 1:]}


class Exact(CausalPIMA):
    """Each modality is one number, and shows one node; its posterior is that of Bayes."""

    sharpness = 1.0

    def sample(self, n_samples=1):
        rng = check_random_state(self.random_state)
        labels = rng.choice(len(self.weights_), size=n_samples, p=self.weights_)
        means = SHIFT * self.cluster_states_[labels]
        return as_modalities(means + rng.normal(size=means.shape)), labels

    def predict_proba(self, X):
        logits = self.sharpness * np.log(self.weights_)
        for x, state in zip(X.values(), self.cluster_states_.T, strict=True):
            told = -0.5 * self.sharpness * (x - SHIFT * state) ** 2
            logits = logits + np.where(np.isnan(told), 0, told)
        odds = np.exp(logits)
        return odds / odds.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def exact(quick):
    rng = np.random.default_rng(0)
    bits = np.stack(np.divmod(np.repeat(np.arange(4), [40, 30, 20, 10]), 2), axis=1)
    est = quick().fit(as_modalities(3 * bits + rng.normal(size=bits.shape)))
    est = copy.copy(est)
    est.__class__ = Exact
    return est


def sharpened(est, sharpness):
    est = copy.copy(est)
    est.sharpness = sharpness
    return est


def drawn(rng, n_samples=4000, n_outcomes=3):
    """Return probabilities, and outcomes that are drawn from them."""
    y_prob = rng.dirichlet(np.ones(n_outcomes), n_samples)
    return (rng.random((n_samples, 1)) > np.cumsum(y_prob, axis=1)).sum(axis=1), y_prob


def error(curve):
    """Return the standard error of its shares, as if they were as is said."""
    return np.sqrt(curve.prob_true * (1 - curve.prob_true) / curve.counts) + 1e-9


def test_calibrated_probabilities_are_right_as_often_as_they_say():
    curve = curve_of(*drawn(np.random.default_rng(0)), None, 10)
    assert (np.abs(curve.prob_true - curve.prob_pred) < 4 * error(curve)).all()  # 1 in 1500
    assert curve.expected_calibration_error < 0.03
    assert (np.diff(curve.prob_pred) > 0).all()
    assert curve.counts.tolist() == [400] * 10
    assert curve.prob_true.sum() * 400 == pytest.approx(curve.accuracy * 4000)


def test_probabilities_that_are_too_sure_are_shown_as_such():
    y_true, y_prob = drawn(np.random.default_rng(0))
    sharp = y_prob**3 / (y_prob**3).sum(axis=1, keepdims=True)
    curve = curve_of(y_true, sharp, None, 10)
    assert curve.accuracy == pytest.approx((y_true == y_prob.argmax(axis=1)).mean())
    assert curve.confidence == pytest.approx(sharp.max(axis=1).mean())
    gap = curve.confidence - curve.accuracy
    assert gap == pytest.approx((sharp - y_prob).max(axis=1).mean(), abs=0.05)
    assert curve.expected_calibration_error == pytest.approx(gap, abs=0.01)
    assert (curve.prob_true < curve.interval[:, 1]).all()
    assert (curve.prob_pred[2:-1] > curve.interval[2:-1, 1]).all()


def test_intervals_are_those_of_wilson():
    rights, counts = np.array([0, 7, 30, 50]), np.array([5, 10, 60, 50])
    curve = CalibrationCurve(prob_pred=counts / 60, prob_true=rights / counts, counts=counts)
    for row, right, n in zip(curve.interval, rights.tolist(), counts.tolist(), strict=True):
        expected = binomtest(right, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_weights_are_repetition_and_the_order_makes_no_difference():
    rng = np.random.default_rng(1)
    y_true, y_prob = drawn(rng, 200)
    y_prob, weights = y_prob.round(1), rng.integers(0, 4, size=200)
    y_prob[:, 2] = 1 - y_prob[:, 0] - y_prob[:, 1]
    y_prob = np.abs(y_prob)
    rows = rng.permutation(np.repeat(np.arange(200), weights))
    weighted = curve_of(y_true, y_prob, weights, 4)
    repeated = curve_of(y_true[rows], y_prob[rows], None, 4)
    for name in ("prob_pred", "prob_true", "counts"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name))
    assert weighted.counts.sum() == pytest.approx(weights.sum())


def test_unknown_outcomes_are_left_out():
    y_true, y_prob = drawn(np.random.default_rng(2), 100)
    known = np.where(np.arange(100) % 3, y_true, -1)
    seen = known >= 0
    found, expected = (
        curve_of(known, y_prob, None, 4),
        curve_of(y_true[seen], y_prob[seen], None, 4),
    )
    np.testing.assert_array_equal(found.prob_true, expected.prob_true)
    assert found.counts.sum() == pytest.approx(seen.sum())


def test_equal_probabilities_count_alike():
    y_true, y_prob = np.array([1, 0, 1, 0, 0]), np.array([1, 1, 1, 1, 0.4])
    curve, turned = (curve_of(y_true[of], y_prob[of], None, 5) for of in (slice(4), [3, 0, 1, 2]))
    assert curve.prob_pred.tolist() == [1]
    assert curve.prob_true.tolist() == turned.prob_true.tolist() == [0.5]
    curve = curve_of(y_true, y_prob, None, 5)
    assert curve.counts.tolist() == [2.5, 2.5]
    np.testing.assert_allclose(curve.prob_pred, [(0.6 + 1.5 * 1) / 2.5, 1])
    np.testing.assert_allclose(curve.prob_true, [(1 + 1.5 * 0.5) / 2.5, 0.5])
    dust = curve_of(np.ones(1000, int), 1 - 1e-16 * np.arange(1000) / 500, None, 5)
    np.testing.assert_allclose(dust.prob_true, 1)


@pytest.mark.parametrize(
    ("y_true", "y_prob", "words"),
    [
        ([0, 1], [[0.5, 0.5]], r"got shapes \(1, 2\) and \(2,\)"),
        ([0], [[0.7, 0.7]], "rows that sum to 1"),
        ([0], [1.5], "none below 0"),
        ([0], [np.nan], "must hold probabilities"),
        ([2], [0.5], "whole numbers below 2"),
        ([0.5], [0.5], "whole numbers below 2"),
        ([-1], [0.5], "no known outcome that counts"),
    ],
)
def test_what_are_no_probabilities_or_outcomes_says_why(y_true, y_prob, words):
    with pytest.raises(ValueError, match=words):
        CalibrationDisplay.from_predictions(y_true, y_prob)


def test_an_exact_posterior_is_right_of_its_draws_as_often_as_it_says(exact):
    curves = calibration_curves(exact, n_samples=4000, random_state=0)
    assert list(curves) == [
        (what, of) for of in ("all", "a", "b") for what in ("cells", "N1", "N2")
    ]
    for curve in curves.values():
        assert curve.counts.sum() == pytest.approx(4000)
        distance = np.abs(curve.prob_true - curve.prob_pred)
        assert (distance < 4 * error(curve)).all()  # 45 bins: 1 in 350
    assert curves["cells", "all"].confidence > curves["cells", "a"].confidence + 0.05


def test_a_posterior_that_is_too_sure_is_seen_from_its_draws(exact):
    sharp = calibration_curves(sharpened(exact, 3.0), n_samples=2000, random_state=0)
    for key, curve in calibration_curves(exact, n_samples=2000, random_state=0).items():
        assert sharp[key].confidence > curve.confidence + 0.03
        assert sharp[key].accuracy <= sharp[key].confidence - 0.02


def test_known_nodes_are_asked_where_they_are_known(exact):
    X, labels = exact.sample(300)
    nodes = exact.cluster_states_[labels]
    X["a"][:100] = np.nan
    known = {"N1": np.where(np.arange(300) % 2, nodes[:, 0], -1)}
    curves = calibration_curves(exact, X, known)
    assert set(curves) == {("N1", "all"), ("N1", "a"), ("N1", "b")}
    assert curves["N1", "all"].counts.sum() == pytest.approx(150)
    assert curves["N1", "b"].counts.sum() == pytest.approx(150)
    assert curves["N1", "a"].counts.sum() == pytest.approx(100)
    probabilities = exact.predict_proba({"a": X["a"][100:], "b": np.full((200, 1), np.nan)})
    of_one = probabilities @ (exact.cluster_states_[:, 0] == 1)
    right = (of_one > 0.5) == nodes[100:, 0]
    assert curves["N1", "a"].accuracy == pytest.approx(right[1::2].mean())
    assert curves["N1", "a"].confidence == pytest.approx(
        np.maximum(of_one, 1 - of_one)[1::2].mean()
    )
    both = calibration_curves(exact, X, nodes, sample_weight=np.arange(300) < 120)
    assert both["cells", "all"].counts.sum() == pytest.approx(120)
    assert both["cells", "a"].counts.sum() == pytest.approx(20)
    right = (exact.cluster_states_[exact.predict(X)] == nodes).all(axis=1)
    assert both["cells", "all"].accuracy == pytest.approx(right[:120].mean())


@pytest.mark.slow
def test_outcomes_may_be_labels(quick):
    X = np.random.default_rng(0).normal(size=(40, 2)) + np.tile([[0.0], [8.0]], (20, 1))
    known = pd.DataFrame({"N1": ["low", "high"] * 20})
    est = quick(2).fit(X, known_nodes=known)
    assert calibration_curves(est, X, known)["N1", "all"].accuracy == pytest.approx(1)
    turned = known[::-1].reset_index(drop=True)
    assert calibration_curves(est, X, turned)["N1", "all"].accuracy == pytest.approx(0)


def test_draws_depend_on_the_random_state_alone(fitted_and_taught):
    est = fitted_and_taught
    first, again = (calibration_curves(est, n_samples=200, random_state=3) for _ in range(2))
    other = calibration_curves(est, n_samples=200, random_state=4)
    assert est.random_state == 0
    for key, curve in first.items():
        assert curve.prob_pred.tolist() == again[key].prob_pred.tolist()
    assert first["cells", "all"].prob_pred.tolist() != other["cells", "all"].prob_pred.tolist()


@pytest.mark.long
def test_every_form_of_samples_is_asked(quick):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 4)) + np.repeat([[0.0], [6.0]], 30, axis=0)
    frame = pd.DataFrame(table, columns=list("abcd"))
    forms = [
        MultimodalData.from_flat(table, [(2,), (2,)]),
        [table[:, :2], table[:, 2:]],
        {"a": frame[["a", "b"]], "b": table[:, 2:].reshape(60, 2, 1)},
        MultimodalData.from_flat(frame, [(2,), (2,)]),
    ]
    with warnings.catch_warnings(action="error"):
        for X in forms:
            curves = calibration_curves(quick(2, max_iter=1).fit(X), n_samples=50, random_state=0)
            assert all(curve.counts.sum() == pytest.approx(50) for curve in curves.values())
            assert len(curves) == 3
            assert all(curve.accuracy == pytest.approx(1) for curve in curves.values())


@pytest.mark.slow
def test_the_whole_has_a_name_of_its_own(quick, pair):
    est = quick({"cells": 2, "N": 2}).fit({"all": pair[0], "b": pair[1]})
    curves = calibration_curves(est, n_samples=20, random_state=0)
    assert {asked for asked, _ in curves} == {"cells of them", "cells", "N"}
    assert {seen for _, seen in curves} == {"all of them", "all", "b"}


def test_what_does_not_go_together_says_why(exact, fitted, pair):
    with pytest.raises(ValueError, match="X and known_nodes go together"):
        calibration_curves(fitted, pair)
    with pytest.raises(ValueError, match="X and known_nodes go together"):
        calibration_curves(fitted, sample_weight=np.ones(72))
    with pytest.raises(ValueError, match="no known outcome in any sample"):
        calibration_curves(fitted, pair, np.full((72, 2), -1))
    with pytest.raises(ValueError, match="known_nodes must have shape"):
        calibration_curves(fitted, pair, np.zeros((10, 2), int))
    with pytest.raises(ValueError, match="'n_bins' parameter"):
        calibration_curves(fitted, n_bins=0)
