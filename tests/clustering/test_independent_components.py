"""Components of least kurtosis, and fits of tables in which nuisances vary most."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima._clustering.independent_components import has_levels, independent_components
from skcausalpima._clustering.margins import LEAST_VALUES, SAMPLES_PER_NUMBER
from skcausalpima._initialization.components import with_independent_components
from skcausalpima._initialization.principal_components import PrincipalScores
from skcausalpima.cluster import GridClustering
from skcausalpima.metrics import node_recovery


def nuisances(seed, n_samples=400, n_columns=40):
    """Return two nodes in four columns each, and twelve columns that share three factors."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(n_samples, 2))
    x = rng.normal(size=(n_samples, n_columns))
    x[:, :4] += 3.0 * nodes[:, :1]
    x[:, 4:8] += 3.0 * nodes[:, 1:]
    x[:, -12:] += 2.0 * rng.normal(size=(n_samples, 3)) @ rng.normal(size=(3, 12))
    return x - x.mean(axis=0), nodes


def scores_of(x, n_scores=20):
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    scaled, whitened = (left * singular)[:, :n_scores], left[:, :n_scores] * len(x) ** 0.5
    return PrincipalScores(whitened=whitened, scaled=scaled, placed=scaled)


@pytest.mark.parametrize("seed", range(3))
def test_components_that_fall_into_heaps_are_the_first(seed):
    x, nodes = nuisances(seed)
    components = with_independent_components(scores_of(x), 2, seed=0).scaled
    assert components.shape == (400, 4)
    correlations = np.abs(np.corrcoef(components[:, :2].T, nodes.T)[:2, 2:])
    assert correlations.max(axis=0).min() > 0.9
    kurtosis = np.power(components, 4).mean(axis=0)
    assert (np.diff(kurtosis) >= 0).all()
    principal = scores_of(x).whitened[:, :2]
    assert np.abs(np.corrcoef(principal.T, nodes.T)[:2, 2:]).max() < 0.5


def test_the_latent_space_begins_as_these_and_as_what_they_leave():
    x, _ = nuisances(0)
    before = scores_of(x)
    after = with_independent_components(before, 2, seed=0)
    assert after.whitened.shape == before.whitened.shape
    assert_allclose(after.whitened.T @ after.whitened / len(x), np.eye(20), atol=1e-8)
    assert_allclose(after.whitened[:, :2], after.scaled[:, :2], atol=1e-8)
    # the same space, and the third varies most of what the first two leave
    both = np.hstack([before.whitened, after.whitened])
    assert np.linalg.matrix_rank(both, tol=1e-6) == 20
    lengths = np.linalg.norm(before.scaled.T @ after.whitened, axis=0)
    assert (np.diff(lengths[2:]) < 1e-8).all()


def test_few_samples_have_fewer_components():
    x, _ = nuisances(0, n_samples=6 * SAMPLES_PER_NUMBER)
    after = with_independent_components(scores_of(x), 2, seed=0)
    assert after.whitened.any(axis=0).tolist() == [True] * 6 + [False] * 14
    assert with_independent_components(scores_of(x), 6, seed=0) is None
    assert with_independent_components(scores_of(x[:, :2]), 2, seed=0) is None


def heaps(n_samples=400):
    """Return scores that no two of which depend: flat ones, one of two heaps, and a heavy tail."""
    rng = np.random.default_rng(3)
    laws = rng.uniform(-1.0, 1.0, n_samples), rng.integers(2, size=n_samples), rng.laplace
    sources = np.column_stack(
        [laws[0], laws[1] + 0.1 * rng.normal(size=n_samples), laws[2](size=n_samples)]
    )
    return sources @ rng.normal(size=(3, 3)) + 7.0, sources


def test_components_are_the_sources_by_rising_kurtosis_in_any_units_and_from_any_origin():
    scores, sources = heaps()
    found = independent_components(scores, 1, seed=0)
    components = found.of(scores)
    assert_allclose(found.centre, scores.mean(axis=0))
    assert_allclose(components.mean(axis=0), 0.0, atol=1e-9)
    assert_allclose(components.T @ components / 400, np.eye(3), atol=1e-8)
    kurtosis = stats.kurtosis(components)
    assert (np.diff(kurtosis) > 0.1).all()
    both = np.abs(np.corrcoef(components.T, sources.T)[:3, 3:])
    assert (both[[0, 1, 2], [1, 0, 2]] > 0.95).all()  # heaps, flat, and the tail
    assert_allclose(found.of(np.hstack([scores, scores])), components)  # more scores have no say
    for scale in (1e-15, 1e15):
        other = independent_components(scale * (scores - 3.0), 1, seed=0)
        assert_allclose(other.of(scale * (scores - 3.0)), components, atol=1e-4)
    assert independent_components(scores, 3, seed=0) is None
    assert independent_components(scores, 2, seed=0) is not None


def test_scores_that_do_not_vary_or_repeat_are_no_components():
    scores, _ = heaps()
    for more in (np.full((400, 1), 5.0), scores[:, :1], 1e-12 * scores[::-1, :1]):
        found = independent_components(np.hstack([scores, more]), 1, seed=0)
        assert found.directions.shape == (4, 3)
    assert independent_components(scores[:29], 1, seed=0).directions.shape == (2, 2)
    assert independent_components(scores[:30], 1, seed=0).directions.shape == (3, 3)


def test_levels_are_few_values_of_a_column_that_varies():
    """In any units, and up to the digits that rounding leaves; constants have none."""
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(500, 2))
    few = rng.integers(LEAST_VALUES - 1, size=500)
    many = rng.integers(LEAST_VALUES, size=500)
    for scale in (1e-9, 1.0, 1e9):
        assert not has_levels(scale * smooth)
        assert not has_levels(np.column_stack([smooth, np.full(500, 0.1 * scale)]))
        assert not has_levels(scale * np.column_stack([smooth, many]))
        assert has_levels(scale * np.column_stack([smooth, few + 1e-9 * smooth[:, 0]]))


@pytest.mark.parametrize("seed", range(2))
def test_a_clustering_without_a_network_finds_them_too(seed):
    x, nodes = nuisances(seed)
    grid = GridClustering((2, 2), random_state=0).fit(x)
    assert node_recovery(nodes, grid.node_labels_).accuracies.min() > 0.95
    assert_array_equal(grid.predict(x), grid.labels_)


def test_a_column_of_equal_numbers_does_not_keep_it_from_finding_them():
    """Their standard deviation is not zero, but 1e-17."""
    x, nodes = nuisances(0)
    X = np.column_stack([x, np.full(len(x), 0.1)])
    grid = GridClustering((2, 2), random_state=0).fit(X)
    assert node_recovery(nodes, grid.node_labels_).accuracies.min() > 0.95


def fitted(x, sizes=(2, 2)):
    with warnings.catch_warnings(action="ignore"):
        return CausalPIMA(sizes, random_state=0).fit(x)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_fits_find_nodes_beside_nuisances_that_vary_most(seed):
    x, nodes = nuisances(seed)
    est = fitted(x)
    (taken,) = [entry for entry in est.choices_.tried if entry.is_taken]
    assert taken.components == est.choices_.components
    assert taken.components in ("independent", "discriminant")  # all scores show them, too
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.95


def test_columns_of_few_values_are_no_components():
    x, _ = nuisances(0)
    x[:, -1] = np.random.default_rng(0).integers(2, size=len(x))
    assert fitted(x).choices_.components != "independent"


def test_where_principal_scores_show_clusters_these_stay():
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(300, 2))
    x = rng.normal(size=(300, 10)) + np.hstack([6.0 * nodes, np.zeros((300, 8))])
    est = fitted(x)
    assert est.choices_.components == "principal"
    assert adjusted_rand_score(nodes @ [2, 1], est.labels_) > 0.95
