"""Clusters on a grid as an estimator of scikit-learn's."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcausalpima._clustering import margins
from skcausalpima.cluster import GridClustering
from skcausalpima.cluster._principal_scores import PrincipalAxes
from skcausalpima.exceptions import ArrangementWarning, InstabilityWarning
from skcausalpima.metrics import node_recovery


def embeddings(sizes, n_samples, seed=0, n_features=24, distance=5.0):
    """Draw embeddings to which each outcome of each node adds a vector of its own."""
    rng = np.random.default_rng(seed)
    nodes = np.stack([rng.integers(size, size=n_samples) for size in sizes], axis=1)
    X = rng.normal(size=(n_samples, n_features)) + 100.0
    for size, outcomes in zip(sizes, nodes.T, strict=True):
        X += (distance / np.sqrt(2) * rng.normal(size=(size, n_features)))[outcomes]
    return X, nodes


@parametrize_with_checks([GridClustering(), GridClustering(3), GridClustering((2, 3))])
@pytest.mark.short_fits
@pytest.mark.filterwarnings("ignore:X has . different rows")
def test_scikit_learn_checks(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # what a check of arrays asks for
    check(estimator)


SIZES = [(2,), (4,), (2, 2), (3, 2), (2, 2, 2), (3, 3), (2,) * 8]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_nodes_are_found(sizes):
    X, nodes = embeddings(sizes, max(300, 6 * 2 ** len(sizes)))
    grid = GridClustering(sizes, random_state=0).fit(X)
    assert node_recovery(nodes, grid.node_labels_).accuracies.min() > 0.99
    assert grid.agreement_ > 0.95
    assert np.array_equal(np.ravel_multi_index(grid.node_labels_.T, sizes), grid.labels_)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("n_samples", [30, 400])
def test_cells_of_the_samples_of_fit_are_predicted_and_new_ones_are_right(sizes, n_samples):
    """Of mixtures, of nearest centres where samples are few, and of added effects."""
    n_samples = 1500 if len(sizes) == 8 else n_samples
    X, nodes = embeddings(sizes, n_samples + 200, distance=8.0)
    grid = GridClustering(sizes, random_state=0).fit(X[:n_samples])
    assert np.array_equal(grid.predict(X[:n_samples]), grid.labels_)
    assert np.array_equal(grid.predict_nodes(X[:n_samples]), grid.node_labels_)
    if n_samples > 30:
        known = grid.predict_nodes(X[n_samples:])
        assert node_recovery(nodes[n_samples:], known).accuracies.min() > 0.99


def test_bent_clusters_are_predicted_where_they_bend():
    """A rule of one Gaussian, or of one centre, for each cluster would not."""
    X, moons = make_moons(1200, noise=0.05, random_state=0)
    grid = GridClustering(2, random_state=0).fit(X[:600])
    assert adjusted_rand_score(moons[600:], grid.predict(X[600:])) > 0.95


@pytest.mark.parametrize("unit", [1e-200, 1e-3, 1e200])
def test_units_do_not_matter(unit):
    X, _ = embeddings((2, 2), 200)
    labels = [GridClustering(random_state=0).fit(array).labels_ for array in (X, unit * X)]
    assert np.array_equal(*labels)


def test_directions_do_not_matter():
    X, _ = embeddings((2, 3), 200)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(24, 24)))[0]
    labels = [GridClustering((2, 3), random_state=0).fit(of).labels_ for of in (X, X @ turn)]
    assert np.array_equal(*labels)


def test_what_is_told_of_the_cells():
    X, _ = embeddings((3, 2), 400)
    grid = GridClustering({"hue": 3, "shape": 2}, random_state=0).fit(X)
    assert grid.arrangement_.told.all()
    assert grid.arrangement_.agreement == grid.agreement_
    assert grid.arrangement_.misfit < 0.05
    assert not grid.gaps_.cut.any()
    one = GridClustering(6, random_state=0).fit(X)
    assert one.arrangement_ is None
    assert adjusted_rand_score(one.labels_, grid.labels_) > 0.99


def test_kinds_are_not_told_to_be_factors():
    rng = np.random.default_rng(0)
    X = (6.0 * rng.normal(size=(4, 10)))[rng.integers(4, size=300)] + rng.normal(size=(300, 10))
    assert not GridClustering(random_state=0).fit(X).arrangement_.told.any()


def test_one_uniform_cloud_is_cut_and_tells_nothing():
    X = np.random.default_rng(0).uniform(size=(400, 2))
    with pytest.warns(InstabilityWarning, match="The cells may depend on random_state"):
        grid = GridClustering(random_state=0).fit(X)
    assert grid.gaps_.cut.any()
    assert not grid.arrangement_.told.any()


def test_more_samples_than_are_looked_at_are_assigned(monkeypatch):
    monkeypatch.setattr("skcausalpima.cluster._grid_clustering.ROWS_OF_EMBEDDINGS", 200)
    X, nodes = embeddings((2, 2), 900)
    grid = GridClustering(random_state=0).fit(X)
    assert grid.labels_.shape == (900,)
    assert node_recovery(nodes, grid.node_labels_).accuracies.min() > 0.99
    assert np.array_equal(grid.predict(X), grid.labels_)


def test_the_seed_decides():
    X, _ = embeddings((2, 2), 100, distance=1.0)
    first, second = (GridClustering(random_state=3).fit(X) for _ in range(2))
    assert np.array_equal(first.labels_, second.labels_)
    assert first.agreement_ == second.agreement_
    state = np.random.RandomState(3)
    assert np.array_equal(GridClustering(random_state=state).fit(X).labels_, first.labels_)
    assert GridClustering(random_state=4).fit(X).agreement_ != first.agreement_


def test_frames_pipelines_clones_and_pickles():
    X, _ = embeddings((2, 2), 100)
    frame = pd.DataFrame(X, columns=[f"e{k}" for k in range(24)])
    pipe = make_pipeline(StandardScaler(), GridClustering(random_state=0)).fit(frame)
    assert np.array_equal(pipe.predict(frame), pipe[-1].labels_)
    grid = GridClustering({"hue": 2, "shape": 2}, random_state=0).fit(frame)
    assert list(grid.feature_names_in_) == list(frame)
    again = pickle.loads(pickle.dumps(grid))
    assert np.array_equal(again.predict(frame), grid.labels_)
    assert clone(grid).get_params() == grid.get_params()
    assert np.array_equal(clone(grid).fit_predict(frame), grid.labels_)
    assert repr(grid) == "GridClustering(node_sizes={'hue': 2, 'shape': 2}, random_state=0)"
    assert "GridClustering" in grid._repr_html_()


@pytest.mark.parametrize(
    ("params", "X", "told"),
    [
        ({"node_sizes": (2, 1)}, np.eye(5), r"node_sizes\[1\] is 1, but a node needs at least 2"),
        ({"node_sizes": ()}, np.eye(5), "node_sizes is empty; it must have at least one node"),
        ({"node_sizes": (33, 32)}, np.eye(5), "make 1056 cells, .* no more than 1024: use fewer"),
        ({"node_sizes": (3, 2)}, np.eye(5), "X has 5 samples, but .* make 6 cells: fit at least"),
        ({"node_sizes": 1}, np.eye(5), "a node needs at least 2 outcomes"),
        (
            {},
            np.full((9, 2), np.nan),
            "Input X contains NaN in 18 of 18 elements, .* row 0",
        ),
        ({}, np.where(np.eye(9), np.nan, 1.0), r"CausalPIMA, which .*SimpleImputer\(\)\.fit_trans"),
        ({}, [[np.inf, 1.0]] * 9, "Input X contains infinity"),
        ({}, [[np.inf, -np.inf]] * 9, "Input X contains infinity"),
        ({}, np.zeros((9, 0)), "0 feature"),
        ({}, np.arange(9.0), "Expected 2D array, got 1D array"),
        ({"random_state": "seed"}, np.eye(5), "'random_state' parameter of GridClustering must be"),
    ],
)
def test_what_cannot_be_clustered_is_refused(params, X, told):
    with pytest.raises(ValueError, match=told):
        GridClustering(**params).fit(X)


def test_other_names_of_parameters_are_told():
    with pytest.raises(TypeError, match="no parameter n_clusters: use node_sizes=4 for one node"):
        GridClustering(n_clusters=4)
    with pytest.raises(TypeError, match="takes one argument without a name, node_sizes"):
        GridClustering(2, 2)


@pytest.mark.short_fits
@pytest.mark.parametrize(("n_different", "n_clusters"), [(1, 1), (3, 3)])
def test_rows_that_are_equal_are_told_of(n_different, n_clusters):
    X = np.tile(np.random.default_rng(0).normal(size=(n_different, 6)), (5, 1))
    with pytest.warns(InstabilityWarning, match=f"X has {n_different} different rows for 4 cells"):
        grid = GridClustering(random_state=0).fit(X)
    assert len(np.unique(grid.labels_)) == n_clusters
    assert np.array_equal(grid.predict(X), grid.labels_)
    assert (grid.gaps_ is None) == (n_different == 1)


def test_clusters_that_lie_on_the_grid_in_two_ways_are_told_of():
    """Four means at the corners of a tetrahedron have no edges to tell from diagonals."""
    rng = np.random.default_rng(0)
    X = 9.0 * np.eye(4)[rng.integers(4, size=400)] + rng.normal(size=(400, 4))
    with pytest.warns(ArrangementWarning, match="mixed up: .* Try other node_sizes, or CausalPIMA"):
        grid = GridClustering(random_state=0).fit(X)
    assert grid.arrangement_.node_agreement.min() < margins.AGREEING
    assert not grid.arrangement_.told.any()


@pytest.mark.parametrize("shape", [(40, 6), (40, 300), (500, 100)])
def test_scores_are_principal_components(shape):
    X = np.random.default_rng(0).normal(size=shape) * np.geomspace(10.0, 0.1, shape[1]) + 7.0
    scores = PrincipalAxes.fit(X, 5, 0).scores(X)
    singular = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)[:5] / np.abs(X).max()
    np.testing.assert_allclose(np.linalg.norm(scores, axis=0), singular, rtol=1e-3)


def test_directions_without_variance_are_left_out():
    X = np.random.default_rng(0).normal(size=(50, 2)) @ np.random.default_rng(1).normal(size=(2, 9))
    assert PrincipalAxes.fit(X, 5, 0).scores(X).shape == (50, 2)
    assert PrincipalAxes.fit(np.ones((50, 9)), 5, 0).scores(np.ones((3, 9))).tolist() == [[0.0]] * 3


def test_no_torch_is_loaded():
    asked = (
        "import sys, numpy as np; from skcausalpima.cluster import GridClustering; "
        "X = np.random.RandomState(0).normal(size=(99, 5)); "
        "import warnings; warnings.simplefilter('ignore'); GridClustering().fit(X).predict(X); "
        "print([name for name in ('torch', 'networkx', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
