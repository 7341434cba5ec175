"""Samples that nothing else is like."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from some_slow import each_once, some_slow

from skcausalpima import CausalPIMA, Training
from skcausalpima._data.outliers import alone, in_units_of_deviation
from skcausalpima.model_selection import select_node_sizes

pytestmark = pytest.mark.short_fits

BRIEF = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}


def clusters(n: int, width: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a table of two clusters, nine standard deviations apart by column, and these."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    return rng.normal(size=(n, width)) + 9.0 * label[:, None], label


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "width"), [(80, 2), (300, 6), (2000, 40)])
def test_clusters_have_no_outliers(n: int, width: int, seed: int) -> None:
    assert len(alone(clusters(n, width, seed)[0], 2)) == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [80, 300, 2000])
def test_samples_of_far_more_noise_are_alone(n: int, seed: int) -> None:
    x, _ = clusters(n, seed=seed)
    far = np.random.default_rng(seed).choice(n, n // 40, replace=False)
    x[far] += 39.0 * np.random.default_rng(seed).normal(size=(len(far), x.shape[1]))
    np.testing.assert_array_equal(alone(x, 2), np.sort(far))


def test_a_rare_kind_of_three_samples_is_kept() -> None:
    x, _ = clusters(300)
    x[100:106:2] += 90.0
    assert len(alone(x, 2)) == 0
    x[100] += 90.0  # now they are no kind, but all lie on one side
    assert len(alone(x, 2)) == 0


def test_a_rare_kind_that_the_reference_misses_is_kept() -> None:
    x, _ = clusters(20_000)
    x[5000:5010] += 90.0
    x[7] -= 90.0
    np.testing.assert_array_equal(alone(x, 2), [7])


def test_units_and_order_make_no_difference() -> None:
    x, _ = clusters(300)
    x[[7, 9]] *= -12.0
    units = 10.0 ** np.arange(6)
    np.testing.assert_array_equal(alone(in_units_of_deviation(x * units), 2), [7, 9])
    np.testing.assert_array_equal(alone(in_units_of_deviation(x)[::-1], 2), [290, 292])


def test_missing_elements_say_nothing() -> None:
    x, _ = clusters(300)
    x[[7, 9]] *= -12.0
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    np.testing.assert_array_equal(alone(in_units_of_deviation(x), 2), [7, 9])


@pytest.mark.parametrize("constant", [np.zeros((300, 4)), np.repeat(np.eye(3), 100, axis=0)])
def test_samples_without_noise_are_kept(constant: np.ndarray) -> None:
    assert len(alone(np.unique(constant, axis=0), 2)) == 0
    assert len(alone(constant + 0.0, 2)) == 0


def test_fit_does_without_them_and_says_so() -> None:
    x, _ = clusters(200)
    y = clusters(200, seed=1)[0]
    x[[7, 9]] *= -12.0
    y[50] *= -12.0
    model = CausalPIMA(2, **BRIEF).fit([x, y])
    np.testing.assert_array_equal(model.separation_.set_aside, [7, 9, 50])
    kept = np.delete(np.arange(200), [7, 9, 50])
    other = CausalPIMA(2, **BRIEF).fit([x[kept], y[kept]])
    np.testing.assert_array_equal(model.cluster_means_, other.cluster_means_)
    assert model.lower_bound_ == other.lower_bound_
    np.testing.assert_array_equal(model.labels_, model.predict([x, y]))
    assert "rows 7, 9, 50 of X" in model.report().advice[0]


def test_weights_are_copies() -> None:
    x, _ = clusters(100)
    x[7] *= -12.0
    weights = np.ones(100, dtype=int)
    weights[[7, 20]] = 2
    weighted = CausalPIMA(2, **BRIEF).fit(x, sample_weight=weights)
    repeated = CausalPIMA(2, **BRIEF).fit(np.repeat(x, weights, axis=0))
    np.testing.assert_array_equal(weighted.separation_.set_aside, [7])
    np.testing.assert_array_equal(repeated.separation_.set_aside, [7, 8])
    np.testing.assert_array_equal(weighted.cluster_means_, repeated.cluster_means_)


def test_copies_of_one_sample_are_a_kind() -> None:
    x, _ = clusters(200)
    x[150:155] = 90.0
    assert len(CausalPIMA(2, **BRIEF).fit(x).separation_.set_aside) == 0


def test_what_is_asked_to_be_kept_is_kept() -> None:
    x, _ = clusters(200)
    x[7] *= -12.0
    keep = Training(outliers="keep")
    assert len(CausalPIMA(2, training=keep, **BRIEF).fit(x).separation_.set_aside) == 0
    assert len(CausalPIMA(2, init="paper", **BRIEF).fit(x).separation_.set_aside) == 0


def test_more_than_a_tenth_are_what_the_data_are_like() -> None:
    x, _ = clusters(200)
    x[:30] *= -12.0 * (1 + np.arange(30))[:, None]
    assert len(CausalPIMA(2, **BRIEF).fit(x).separation_.set_aside) == 0


def test_the_last_that_shows_a_modality_is_kept() -> None:
    x, _ = clusters(200)
    y = np.full_like(x, np.nan)
    x[7] *= -12.0
    y[[7, 8]] = 1.0
    y[7] = 2.0
    assert len(CausalPIMA(2, **BRIEF).fit([x, y]).separation_.set_aside) == 1
    y[8] = np.nan
    assert len(CausalPIMA(2, **BRIEF).fit([x, y]).separation_.set_aside) == 0


def test_contexts_have_kinds_of_their_own() -> None:
    x, _ = clusters(200)
    x[7] *= -12.0
    data = {"table": x, "site": np.repeat(["a", "b"], 100)}
    model = CausalPIMA(2, contexts=["site"], **BRIEF).fit(data)
    assert len(model.separation_.set_aside) == 0


def test_two_samples_beyond_all_measure() -> None:
    x, _ = clusters(200)
    x[[7, 9]] = [[1e30], [-1e30]]
    model = CausalPIMA(2, **BRIEF).fit(x)
    np.testing.assert_array_equal(model.separation_.set_aside, [7, 9])
    assert np.isfinite(model.predict_proba(x)).all()


def test_fits_that_go_on_set_the_same_aside_and_arrivals_none(tmp_path) -> None:
    x, _ = clusters(200)
    x[[7, 9]] *= -12.0
    model = CausalPIMA(2, warm_start=True, **BRIEF).fit(x).fit(x)
    np.testing.assert_array_equal(model.separation_.set_aside, [7, 9])
    model.save(tmp_path / "model")
    again = CausalPIMA.load(tmp_path / "model")
    np.testing.assert_array_equal(again.separation_.set_aside, [7, 9])
    model.partial_fit(x[:20])
    assert len(model.separation_.set_aside) == 0
    assert not model.separation_.trusts_all


@pytest.mark.parametrize("seed", range(10))
def test_heavy_tails_are_one_distribution(seed: int) -> None:
    """Without their farthest samples, families of such data were worse (4158, 5432)."""
    rng = np.random.default_rng(seed)
    powers = rng.standard_t(2.0, size=(600, 20))
    exponentials = np.exp(1.5 * rng.normal(size=(600, 20)))
    assert [len(alone(of, 2)) for of in (powers, exponentials)] == [0, 0]


@pytest.mark.parametrize("n_in_reference", [1, 2, 3])
@pytest.mark.parametrize("n_of_kind", [3, 12])
def test_a_rare_kind_of_which_the_reference_has_some(n_in_reference: int, n_of_kind: int) -> None:
    """Two of a kind in the reference see each other alone: they were set aside."""
    x, _ = clusters(2000)
    order = np.random.RandomState(0).permutation(2000)  # as the reference is drawn
    kind = np.r_[order[:n_in_reference], order[-(n_of_kind - n_in_reference) :]][:n_of_kind]
    x[kind] = 90.0 + np.random.default_rng(0).normal(size=(n_of_kind, 6))
    assert len(alone(x, 2)) == 0


def test_copies_count_for_a_kind() -> None:
    x, _ = clusters(200)
    x[:2] = 90.0 + np.random.default_rng(0).normal(size=(2, 6))
    counts = np.ones(200)
    np.testing.assert_array_equal(alone(x, 2, counts), [0, 1])
    counts[:2] = 2.0
    assert len(alone(x, 2, counts)) == 0


def test_a_kind_of_far_more_spread_is_kept() -> None:
    """One in twelve is active and the rest idle: all active samples were set aside."""
    rng = np.random.default_rng(0)
    active = rng.permutation(1000) < 80
    x = np.where(
        active[:, None], 3.0 + rng.normal(size=(1000, 4)), 0.01 * rng.normal(size=(1000, 4))
    )
    assert len(alone(in_units_of_deviation(x), 2)) == 0


def test_what_is_known_is_learned() -> None:
    x, label = clusters(200)
    x[[7, 9]] *= -12.0
    known = np.full((200, 1), -1)
    known[7] = label[7]
    model = CausalPIMA(2, **BRIEF).fit(x, known_nodes=known)
    np.testing.assert_array_equal(model.separation_.set_aside, [9])


N_ROWS, ROLES = [300, 1000, 1200], ["suspect", "other", "reference"]


def one_gap(role: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two clusters with five samples of far more noise, and one value of one row missing."""
    x, _ = clusters(n)
    order = np.random.RandomState(0).permutation(n)  # as the reference is drawn
    far = np.r_[order[:3], order[-2:]]
    x[far] += 39.0 * np.random.default_rng(1).normal(size=(5, 6))
    x[order[{"reference": 10, "other": -10, "suspect": -1}[role]], 2] = np.nan
    return x, np.sort(far)


@pytest.mark.parametrize(("role", "n"), list(itertools.product(ROLES, N_ROWS)))
def test_one_missing_value_in_any_row(role: str, n: int) -> None:
    """What distances are was asked of some rows alone: others that have a gap were an error."""
    x, far = one_gap(role, n)
    np.testing.assert_array_equal(alone(x, 2), far)


@pytest.mark.parametrize(("role", "n"), each_once(ROLES, N_ROWS))
def test_fits_with_one_missing_value_in_any_row(role: str, n: int) -> None:
    x, far = one_gap(role, n)
    model = CausalPIMA(2, **BRIEF).fit(x)
    np.testing.assert_array_equal(model.separation_.set_aside, far)
    model.partial_fit(x)
    assert np.isfinite(model.predict_proba(x)).all()


@pytest.mark.parametrize(
    ("role", "n"), some_slow(itertools.product(ROLES, N_ROWS), [("suspect", 1000)])
)
def test_node_sizes_with_one_missing_value_in_any_row(role: str, n: int) -> None:
    x, far = one_gap(role, n)
    chosen = select_node_sizes(CausalPIMA(**BRIEF), x, [2, 3], cv=2)
    assert chosen.best_node_sizes == (2,)
    np.testing.assert_array_equal(chosen.best_estimator.separation_.set_aside, far)


def test_a_row_that_shares_a_column_with_few_hides_no_others() -> None:
    """Its distances are not known, and so none was: nothing was set aside."""
    x, _ = clusters(300)
    x[[7, 9]] *= -12.0
    x[25:, 0] = np.nan
    x[20, 1:] = np.nan
    np.testing.assert_array_equal(alone(x, 2), [7, 9])
