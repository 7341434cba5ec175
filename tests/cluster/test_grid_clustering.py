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
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcausalpima._clustering import margins
from skcausalpima._start.linear import linear_maximum
from skcausalpima.cluster import GridClustering
from skcausalpima.cluster._linear_cells import are_believed
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
@pytest.mark.filterwarnings(r"ignore:\[few-rows\]")
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
    with pytest.warns(InstabilityWarning, match=r"\[(other-seeds|cells-overlap)\]"):
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


@pytest.mark.short_fits
def test_the_seed_decides():
    X, _ = embeddings((2, 2), 100, distance=1.0)
    first, second = (GridClustering(random_state=3).fit(X) for _ in range(2))
    assert np.array_equal(first.labels_, second.labels_)
    assert first.agreement_ == second.agreement_
    state = np.random.RandomState(3)
    assert np.array_equal(GridClustering(random_state=state).fit(X).labels_, first.labels_)
    X, _ = embeddings((2, 2), 60, distance=0.1)
    found = {GridClustering(random_state=seed).fit(X).agreement_ for seed in range(3)}
    assert len(found) > 1


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
            "Input X contains NaN in all elements",
        ),
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
    with pytest.warns(InstabilityWarning, match=rf"\[few-rows\] X has {n_different} "):
        grid = GridClustering(random_state=0).fit(X)
    assert len(np.unique(grid.labels_)) == n_clusters
    assert np.array_equal(grid.predict(X), grid.labels_)
    assert (grid.gaps_ is None) == (n_different == 1)


def test_clusters_that_lie_on_the_grid_in_two_ways_are_told_of():
    """Four means at the corners of a tetrahedron have no edges to tell from diagonals."""
    rng = np.random.default_rng(0)
    X = 9.0 * np.eye(4)[rng.integers(4, size=400)] + rng.normal(size=(400, 4))
    with pytest.warns(ArrangementWarning, match=r"\[nodes-tied\] .* CausalPIMA"):
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


def spread_alone(n_samples, seed=0):
    """Draw two nodes that change the spread of five and of five columns, and no mean."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(n_samples, 2))
    return rng.normal(size=(n_samples, 10)) * np.where(nodes, 2.5, 0.4)[:, [0] * 5 + [1] * 5], nodes


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_nodes_that_change_the_spread_alone_are_found(seed):
    X, nodes = spread_alone(500, seed)
    grid = GridClustering(random_state=0).fit(X[:400])
    assert node_recovery(nodes[:400], grid.node_labels_).accuracies.min() > 0.95
    assert node_recovery(nodes[400:], grid.predict_nodes(X[400:])).accuracies.min() > 0.9
    assert np.array_equal(grid.predict(X[:400]), grid.labels_)
    assert np.array_equal(grid.predict_proba(X[:400]).argmax(axis=1), grid.labels_)
    assert grid.agreement_ > 0.8
    again = pickle.loads(pickle.dumps(grid))
    assert np.array_equal(again.predict(X), grid.predict(X))


@pytest.mark.short_fits
@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), 4, 40], ids=str)
def test_probabilities(sizes):
    X, _ = embeddings((2, 3), 400)
    grid = GridClustering(sizes, random_state=0).fit(X)
    shares = grid.predict_proba(X)
    assert shares.shape == (400, np.prod(sizes))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert np.array_equal(shares.argmax(axis=1), grid.labels_)


@pytest.mark.parametrize("share", [0.05, pytest.param(0.2, marks=pytest.mark.slow)])
def test_missing_values(share):
    X, nodes = embeddings((2, 2), 500, n_features=8)
    X[np.random.default_rng(1).random(X.shape) < share] = np.nan
    grid = GridClustering(random_state=0).fit(X[:400])
    assert node_recovery(nodes[:400], grid.node_labels_).accuracies.min() > 0.95
    assert node_recovery(nodes[400:], grid.predict_nodes(X[400:])).accuracies.min() > 0.95
    assert np.array_equal(grid.predict(X[:400]), grid.labels_)
    assert np.isfinite(grid.score_samples(X)).all()
    whole = GridClustering(random_state=0).fit(np.nan_to_num(X[:400], nan=100.0))
    assert whole.predict(X[400:]).shape == (100,)


def test_densities_and_draws_are_those_of_the_linear_case():
    X, _ = embeddings((2, 2), 300, n_features=6)
    grid = GridClustering(random_state=0).fit(X)
    mixture = GaussianMixture(4, random_state=0, n_init=3).fit(X)
    assert abs(grid.score(X) - mixture.score(X)) < 0.3
    assert grid.score(X) == pytest.approx(grid.score_samples(X).mean())
    np.testing.assert_allclose(
        GridClustering(random_state=0).fit(100.0 * X).score_samples(100.0 * X),
        grid.score_samples(X) - 6 * np.log(100.0),
        rtol=1e-6,
    )
    rows, cells = grid.sample(2000)
    np.testing.assert_allclose(np.cov(rows.T), np.cov(X.T), atol=0.15 * np.trace(np.cov(X.T)))
    assert np.array_equal(cells, grid.predict(rows))
    assert np.array_equal(grid.sample(5)[0], grid.sample(5)[0])


@pytest.mark.parametrize("n_kinds", [1, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_how_many_clusters_there_are(n_kinds):
    rng = np.random.default_rng(n_kinds)
    kinds = rng.integers(n_kinds, size=300)
    X = 4.0 * rng.normal(size=(n_kinds, 6))[kinds] + rng.normal(size=(300, 6))
    grid = GridClustering(None, random_state=0).fit(X)
    assert grid.node_sizes_ == (n_kinds,)
    assert max(grid.scores_, key=grid.scores_.get) == n_kinds
    assert adjusted_rand_score(kinds, grid.labels_) > 0.97
    assert grid.node_labels_.shape == (300, 1)
    assert np.array_equal(grid.predict(X), grid.labels_)
    assert (grid.gaps_ is None) == (n_kinds == 1)
    assert grid.sample(3)[0].shape == (3, 6)


@pytest.mark.short_fits
def test_what_needs_the_linear_case_is_refused_without_it():
    X, _ = embeddings((2, 2), 60, n_features=130)
    wide = GridClustering(random_state=0).fit(X)
    many = GridClustering(40, random_state=0).fit(X[:, :5])
    for grid, columns in ((wide, 130), (many, 5)):
        for call in (grid.sample, lambda grid=grid, n=columns: grid.score(X[:, :n])):
            with pytest.raises(ValueError, match="needs the linear case, which is found for up"):
                call()
        odd = np.where(np.eye(60, columns), np.nan, X[:, :columns])
        with pytest.raises(ValueError, match="missing values in further rows needs the linear"):
            grid.predict(odd)
    for sizes, rows in (((2, 2), odd_wide(X)), (None, X)):
        with pytest.raises(ValueError, match="up to 128 columns; X has 130"):
            GridClustering(sizes).fit(rows)


def odd_wide(X):
    return np.where(np.eye(*X.shape), np.nan, X)


def test_half_of_a_bent_cell_is_no_cell():
    """The linear case cuts both moons in two, surely, and has as many nats."""
    X, kinds = make_moons(300, noise=0.05, random_state=0)
    grid = GridClustering(2, random_state=0).fit(X)
    linear = linear_maximum(X, 2)
    assert adjusted_rand_score(kinds, linear.labels) < 0.7
    assert not are_believed(linear, X, grid.labels_)


@pytest.mark.parametrize(
    ("kind", "is_believed"), [("normal", True), ("skewed", False), ("heavy", False), ("few", False)]
)
def test_kinds_are_believed_where_rows_look_as_the_model_says(kind, is_believed):
    rng = np.random.default_rng(0)
    kinds = rng.integers(2, size=400)
    of = {"normal": rng.normal, "skewed": rng.exponential, "few": rng.normal}
    noise = rng.standard_t(3, (400, 6)) if kind == "heavy" else of[kind](size=(400, 6))
    X = noise + 6.0 * kinds[:, None]
    X = np.round(X) if kind == "few" else X
    linear = linear_maximum(X, 2)
    assert adjusted_rand_score(kinds, linear.labels) > 0.9
    assert are_believed(linear, X, np.zeros(400, dtype=int)) == is_believed
    assert not are_believed(linear, X, linear.labels)  # nothing is left to decide
