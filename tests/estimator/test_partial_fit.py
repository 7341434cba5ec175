"""Samples that arrive in batches."""

import copy

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._fit.arrivals import DECAY
from skcausalpima.callback import OnEpoch
from skcausalpima.exceptions import InterruptionWarning
from skcausalpima.metrics import matched_accuracy
from skcausalpima.modules import ExpertDecoder, piecewise_linear


def groups(n, seed, shift=0.0):
    """Return two modalities of four groups, and the groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(4, size=n)
    images = rng.normal(size=(n, 3, 2)) + 5.0 * (group // 2)[:, None, None] + shift
    return [images, rng.normal(size=(n, 4)) + 5.0 * (group % 2)[:, None]], group


@pytest.fixture(scope="module")
def begun(quick):
    return quick(max_iter=5).partial_fit(groups(60, 0)[0])


def test_the_first_call_is_fit(quick, begun):
    fitted = quick(max_iter=5).fit(groups(60, 0)[0])
    assert_array_equal(begun.labels_, fitted.labels_)
    assert begun.lower_bound_ == fitted.lower_bound_


@pytest.fixture(scope="module")
def further(begun):
    """After three more batches."""
    est, bounds = copy.copy(begun), [begun.score(groups(200, 9)[0])]
    for seed in (1, 2, 3):
        assert est.partial_fit(groups(50, seed)[0]) is est
        bounds.append(est.score(groups(200, 9)[0]))
    return est, bounds


def test_later_samples_teach(begun, further):
    est, bounds = further
    assert bounds[-1] > bounds[0] + 0.5
    X, group = groups(200, 9)
    assert matched_accuracy(group, est.predict(X)) > 0.98
    assert len(est.labels_) == 50
    assert est.n_iter_ == len(est.history_["lower_bound"]) == begun.n_iter_ + 15


def test_components_keep_their_numbers(begun, further):
    X, _ = groups(200, 9)
    assert_array_equal(further[0].cluster_states_, begun.cluster_states_)
    assert np.mean(further[0].predict(X) == begun.predict(X)) > 0.95


def test_samples_in_other_units_are_warned_of(begun):
    images, curves = groups(50, 1)[0]
    with pytest.warns(UserWarning, match=r"^Half of these .* modality 'modality1' .* first call"):
        copy.copy(begun).partial_fit([images, 1000.0 * curves])


def test_samples_of_before_decay(further):
    kept = further[0]._fitted.arrivals
    assert kept.n_calls == 3
    expected = 60 * DECAY**3 + 50 * (DECAY**2 + DECAY + 1)
    assert kept.counts.sum() == pytest.approx(expected)
    assert_allclose(kept.n_elements, np.array([6, 4]) * expected)


@pytest.mark.slow
def test_a_batch_of_one_group_leaves_the_others(begun):
    X, group = groups(120, 5)
    one = [array[group == 2][:20] for array in X]
    est = copy.copy(begun).partial_fit(one)
    assert matched_accuracy(group, est.predict(X)) > 0.95
    assert len(np.unique(est.labels_)) == 1
    for node, outcome in enumerate(est.node_labels_[0]):
        then, now = (e.joint_.sum(axis=1 - node)[outcome] for e in (begun, est))
        assert now == pytest.approx((60 * DECAY * then + 20) / (60 * DECAY + 20), abs=0.02)


@pytest.mark.slow
def test_an_edge_is_found_once_there_is_enough_to_show_it(quick):
    """What the graph leaves out is not forgotten."""
    rng = np.random.default_rng(0)

    def batch(n, dependent):
        first, second = rng.integers(2, size=(2, n))
        second = np.where(rng.random(n) < 0.7 * dependent, first, second)
        images = rng.normal(size=(n, 4)) + 6.0 * first[:, None]
        return [images, rng.normal(size=(n, 4)) + 6.0 * second[:, None]]

    est = quick().fit(batch(80, dependent=False))
    assert not est.dag_.edges
    for _ in range(10):
        est.partial_fit(batch(20, dependent=True))
    assert len(est.dag_.edges) == 1


@pytest.mark.parametrize("covariance_type", some_slow(["diag", "full"], []))
def test_a_small_batch_before_a_large_one(quick, covariance_type):
    """The pooled covariance counts for a cluster of average size, of all samples seen."""
    rng = np.random.default_rng(0)

    def batch(n, spread):
        wide = rng.random(n) < 0.1
        noise = rng.normal(size=(n, 3))
        return np.where(wide[:, None], spread * noise + 12, 0.1 * noise)

    est = quick(2, mixture=covariance_type).fit(batch(30, 2.0))
    est.partial_fit(batch(200, 0.1))
    assert np.isfinite(est.lower_bound_)
    assert est._fitted.arrivals.shrinkage == pytest.approx((30 * DECAY + 200) / 2)


@pytest.mark.slow
def test_weights_of_the_first_samples_count(quick):
    X = groups(60, 0)[0]
    est = quick().fit(X, sample_weight=np.full(60, 3.0)).partial_fit(groups(50, 1)[0])
    assert est._fitted.arrivals.counts.sum() == pytest.approx(180 * DECAY + 50)


def test_parameters_are_checked_in_every_call(further):
    est = copy.copy(further[0]).set_params(training__batch_size=0)
    with pytest.raises(ValueError, match="'training__batch_size' parameter"):
        est.partial_fit(groups(40, 4)[0])


def test_a_callback_that_stops_is_told_of(begun):
    est = copy.copy(begun).set_callbacks(OnEpoch(lambda record: True))
    with pytest.warns(InterruptionWarning, match="A callback stopped partial_fit in epoch 1"):
        est.partial_fit(groups(50, 1)[0])
    assert est._fitted.arrivals.n_calls == 1


@pytest.mark.long
def test_clusters_follow_samples_that_drift(begun):
    X, group = groups(400, 7, shift=1.0)
    est = copy.copy(begun)
    for rows in np.split(np.arange(400), 8):
        est.partial_fit([array[rows] for array in X])
    assert matched_accuracy(group, est.predict(X)) > 0.98
    assert est.score(X) > begun.score(X)


@pytest.mark.slow
def test_a_fit_goes_on_like_a_first_call(quick, begun):
    X, later = groups(60, 0)[0], groups(50, 1)[0]
    after_fit = quick(max_iter=5).fit(X).partial_fit(later)
    after_call = copy.copy(begun).partial_fit(later)
    assert_allclose(after_fit.cluster_means_, after_call.cluster_means_, rtol=0, atol=0)


@pytest.mark.slow
def test_incomplete_samples_arrive(begun):
    images, curves = groups(40, 4)[0]
    curves = curves.copy()
    curves[:10] = np.nan
    est = copy.copy(begun).partial_fit([images, curves])
    assert np.isfinite(est.lower_bound_)
    assert est.predict([images, None]).shape == (40,)


def test_a_batch_without_a_modality_is_refused_with_what_to_do(begun):
    """It cannot be left out, as it can in a first fit."""
    images, _ = groups(40, 4)[0]
    est = copy.copy(begun)
    for curves in (None, np.full((40, 4), np.nan)):
        with pytest.raises(ValueError, match=r"'modality1' is missing in all .*together"):
            est.partial_fit([images, curves])


@pytest.mark.slow
def test_an_estimator_that_learns_on_can_be_saved(further, tmp_path):
    est, X = further[0], groups(30, 8)[0]
    est.save(tmp_path / "est.skcp")
    loaded = CausalPIMA.load(tmp_path / "est.skcp")
    again = copy.copy(est).partial_fit(X)
    assert_array_equal(loaded.partial_fit(X).cluster_means_, again.cluster_means_)


@pytest.mark.filterwarnings("error")
def test_one_whose_arrays_are_mapped_from_a_file_learns_on(further, tmp_path):
    """PyTorch warns of memory that cannot be written to."""
    joblib.dump(further[0], tmp_path / "est.joblib")
    mapped = joblib.load(tmp_path / "est.joblib", mmap_mode="r")
    assert mapped.partial_fit(groups(30, 8)[0])._fitted.arrivals.n_calls == 4


@pytest.mark.slow
def test_fit_forgets_what_arrived(further):
    est = copy.copy(further[0]).fit(groups(60, 0)[0])
    assert est._fitted.arrivals.n_calls == 0
    assert not est._fitted.arrivals.moments
    assert not hasattr(clone(est), "labels_")


def test_other_samples_are_refused_and_nothing_is_lost(further):
    est = copy.copy(further[0])
    images, curves = groups(40, 4)[0]
    means = est.cluster_means_.copy()
    for wrong in ([images], [images[:, :2], curves], [images, curves[:, :3]]):
        with pytest.raises(ValueError, match=r"modalit|shape|features"):
            est.partial_fit(wrong)
    with pytest.raises(ValueError, match=r"partial_fit trains the fitted model further, but .*set"):
        est.set_params(hidden_layer_sizes=(9,)).partial_fit([images, curves])
    with pytest.raises(ValueError, match=r"decoder_variance is now 1.0, not 'auto'"):
        est.set_params(hidden_layer_sizes=(8,), decoder_variance=1.0).partial_fit([images, curves])
    assert_array_equal(est.cluster_means_, means)


def test_experts_are_refused(quick):
    X = groups(60, 0)[0]
    expert = ExpertDecoder(piecewise_linear(1), np.arange(4.0))
    est = quick(experts=[None, expert]).fit(X)
    with pytest.raises(ValueError, match=r"partial_fit cannot train .* experts"):
        est.partial_fit(X)


def chained(n, seed, set_to=None):
    """Return modalities that show a and b, a -> b, and their outcomes; a may have been set."""
    rng = np.random.default_rng(seed)
    a = (rng.random(n) < 0.3).astype(int) if set_to is None else np.full(n, set_to)
    b = (rng.random(n) < np.array([0.2, 0.8])[a]).astype(int)
    centres = 5.0 * np.stack([a, b])[:, :, None]
    return list(rng.normal(size=(2, n, 4)) + centres), np.stack([a, b], axis=1)


@pytest.mark.slow
def test_samples_in_which_a_node_was_set_say_nothing_of_its_table_later(quick):
    """The tables, and what settles the arrow, are those of samples whose regimes are known."""
    parts = [chained(100, 0), chained(60, 1, set_to=0), chained(60, 2, set_to=1)]
    X = [np.concatenate(arrays) for arrays in zip(*(x for x, _ in parts), strict=True)]
    nodes = np.concatenate([of for _, of in parts])
    was_set = np.where(np.arange(220)[:, None] >= 100, nodes, -1)
    was_set[:, 1] = -1
    est = quick({"a": 2, "b": 2}, max_iter=5).fit(X, known_nodes=nodes, interventions=was_set)
    assert est.dag_.edges["a", "b"]["compelled"]
    further, later = chained(50, 3)
    est.partial_fit(further).partial_fit(further)
    assert est.dag_.edges["a", "b"]["compelled"]
    counts = np.zeros((2, 2, 2))  # whether a was set, a, b
    np.add.at(counts, ((was_set[:, 0] >= 0).astype(int), *nodes.T), DECAY**2)
    np.add.at(counts[0], tuple(later.T), 1.0 + DECAY)
    expected = counts[0].sum(axis=1)
    assert_allclose(est.cpts_["a"], expected / expected.sum(), atol=0.01)
    pooled = counts.sum(axis=0)
    assert_allclose(est.cpts_["b"], pooled / pooled.sum(axis=1, keepdims=True), atol=0.01)
    assert est._fitted.arrivals.counts.sum() == pytest.approx(counts.sum())
