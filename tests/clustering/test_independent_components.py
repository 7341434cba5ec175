"""Components of least kurtosis, and fits of tables in which nuisances vary most."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima._clustering.margins import SAMPLES_PER_NUMBER
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


@pytest.mark.parametrize("seed", range(2))
def test_a_clustering_without_a_network_finds_them_too(seed):
    x, nodes = nuisances(seed)
    grid = GridClustering((2, 2), random_state=0).fit(x)
    assert node_recovery(nodes, grid.node_labels_).accuracies.min() > 0.95
    assert_array_equal(grid.predict(x), grid.labels_)


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
