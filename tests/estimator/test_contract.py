"""What a fitted estimator says: graph, tables, clusters, scores, samples."""

import itertools

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from some_slow import some_slow

from skcausalpima import GradientStructure, ScoreSearch
from skcausalpima.exceptions import ArrangementWarning

#: What shortens a fit and does not matter for the number of latent dimensions.
SOON = {"posterior": "mean_field", "structure": "gradient", "max_iter": 1}


def product_of_tables(dag, cpts):
    """The product of the tables along the graph, cell by cell."""
    names = list(dag)
    joint = np.ones([dag.nodes[name]["size"] for name in names])
    for cell in np.ndindex(*joint.shape):
        outcome = dict(zip(names, cell, strict=True))
        for name in names:
            family = [*dag.predecessors(name), name]
            joint[cell] *= cpts[name][tuple(outcome[member] for member in family)]
    return joint


@pytest.fixture(scope="module")
def several(brief, quick, pair):
    """Data and fits whose graphs have none, some and all of the edges."""
    models = {
        "empty": brief((2, 3, 2), structure=GradientStructure(1.0)).fit(pair),
        "some": quick((2, 2, 2), structure="gradient", random_state=3).fit(pair),
        "refined": quick((3, 2)).fit(pair),
        "complete": brief((2, 3, 2), structure=GradientStructure(0.0)).fit(pair),
        "one node": quick((4,)).fit(pair),
    }
    single = [array.astype(np.float32) for array in pair]
    return {name: (model, pair) for name, model in models.items()} | {
        "float32": (brief((3, 2)).fit(single), single)
    }


@pytest.fixture(params=["empty", "some", "complete", "refined", "one node", "float32"])
def model_and_data(several, request):
    return several[request.param]


@pytest.fixture
def model(model_and_data):
    return model_and_data[0]


def test_tables_multiply_to_the_weights(model):
    dag, names = model.dag_, list(model.dag_)
    assert names == [f"N{k + 1}" for k in range(len(model.node_sizes))]
    assert [dag.nodes[name]["size"] for name in names] == list(model.node_sizes)
    assert list(model.cpts_) == names
    for name in names:
        parents = [dag.nodes[parent]["size"] for parent in dag.predecessors(name)]
        assert model.cpts_[name].shape == (*parents, dag.nodes[name]["size"])
        assert_allclose(model.cpts_[name].sum(axis=-1), 1.0, atol=1e-12)
    assert model.joint_.shape == tuple(model.node_sizes)
    assert_allclose(product_of_tables(dag, model.cpts_), model.joint_, rtol=0, atol=1e-12)
    for component, state in enumerate(model.cluster_states_):
        assert model.weights_[component] == model.joint_[tuple(state)]
    assert_allclose(model.weights_.sum(), 1.0, atol=1e-12)
    assert len(np.unique(model.cluster_states_, axis=0)) == model.joint_.size


def test_graph_agrees_with_weights_and_scores(model):
    edges, names = model.edge_weights_, list(model.dag_)
    assert nx.is_directed_acyclic_graph(model.dag_)
    assert ((edges >= 0) & (edges <= 1)).all()
    if not isinstance(model.structure, ScoreSearch):
        least = getattr(model.structure, "edge_threshold", 0.5)
        kept = np.argwhere((edges > 0) & (edges >= least)).tolist()
        assert set(model.dag_.edges) == {(names[i], names[j]) for i, j in kept}
        assert model.edge_probabilities_ is None
    else:
        assert_array_equal(edges, model.edge_probabilities_)
    for parent, child, weight in model.dag_.edges(data="weight"):
        i, j = names.index(parent), names.index(child)
        assert type(weight) is float
        assert weight == edges[i, j]
        assert model.node_scores_[i] < model.node_scores_[j]


def test_thresholds_give_empty_and_complete_graphs(several):
    assert several["empty"][0].dag_.number_of_edges() == 0
    assert several["complete"][0].dag_.number_of_edges() == 3


def test_labels_predictions_and_states_agree(model_and_data):
    model, X = model_and_data
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (72, model.joint_.size)
    assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert_array_equal(model.labels_, model.predict(X))
    assert_array_equal(model.labels_, probabilities.argmax(axis=1))
    assert_array_equal(model.node_labels_, model.cluster_states_[model.labels_])
    assert_array_equal(model.node_labels_, model.predict_nodes(X))
    assert_array_equal(np.unique(model.labels_), np.arange(model.labels_.max() + 1))
    assert model.labels_.dtype.kind == "i"


@pytest.mark.parametrize(
    ("node_sizes", "latent_dim", "expected"),
    some_slow(
        [((2, 2), None, 2), ((2,), None, 3), ((2, 2, 2), None, 3), ((5,), 4, 4), ((2, 2), 5, 5)],
        [((2,), None, 3), ((5,), 4, 4)],
    ),
)
def test_latent_dim(quick, pair, node_sizes, latent_dim, expected):
    model = quick(node_sizes, latent_dim=latent_dim, **SOON).fit(pair)
    assert model.latent_dim_ == expected
    assert model.latent_dim == latent_dim
    assert model.transform(pair).shape == (72, expected)
    assert model.cluster_means_.shape == (model.weights_.size, expected)


@pytest.mark.parametrize(
    ("shape", "node_size", "parameters", "expected"),
    [
        ((100, 4), 3, {}, 4),  # features
        # a twentieth of the samples
        pytest.param((100, 30), 3, {"init": "linear"}, 5, marks=pytest.mark.slow),
        pytest.param((12, 30), 6, {}, 5, marks=pytest.mark.slow),  # the outcomes
        pytest.param((72, 1), 2, {}, 2, marks=pytest.mark.long),
        pytest.param((100, 30), 12, {}, 11, marks=pytest.mark.slow),
        ((100, 30), 3, {"init": "paper"}, 2),
        pytest.param((130, 30), 3, {"init": "linear"}, 6, marks=pytest.mark.slow),
    ],
)
def test_latent_dim_of_one_node(quick, shape, node_size, parameters, expected):
    X = np.random.default_rng(0).normal(size=shape)
    assert quick((node_size,), **(SOON | parameters)).fit(X).latent_dim_ == expected


def test_latent_dim_stays_when_other_samples_continue(quick):
    X = np.random.default_rng(0).normal(size=(130, 30))
    model = quick((3,), warm_start=True, **SOON).fit(X)
    assert model.fit(X[:30]).latent_dim_ == 6


@pytest.mark.slow
def test_latent_dim_counts_weights_as_repeated_rows(quick):
    X = np.random.default_rng(0).normal(size=(50, 30))
    weighted = quick((3,), **SOON).fit(X, sample_weight=np.full(50, 2))
    repeated = quick((3,), **SOON).fit(np.repeat(X, 2, axis=0))
    assert weighted.latent_dim_ == repeated.latent_dim_ == 5


# Scores ----------------------------------------------------------------------------------------


def test_score_is_the_mean_bound(model_and_data):
    model, X = model_and_data
    values = model.score_samples(X)
    assert values.shape == (72,)
    assert_allclose(model.score(X), values.mean(dtype=float), rtol=1e-12)
    assert_allclose(model.score(X), model.lower_bound_, rtol=1e-6)
    weights = np.arange(72.0)
    expected = np.average(values, weights=weights)
    assert_allclose(model.score(X, sample_weight=weights), expected, rtol=1e-6)


def test_score_samples_depend_on_the_row_alone(fitted, pair, monkeypatch):
    values = fitted.score_samples(pair)
    assert_array_equal(fitted.score_samples(pair), values)
    order = np.random.default_rng(0).permutation(72)
    shuffled = fitted.score_samples([array[order] for array in pair])
    assert_allclose(shuffled, values[order], rtol=0, atol=1e-9)
    rows = range(0, 72, 6)
    alone = np.concatenate([fitted.score_samples([a[k : k + 1] for a in pair]) for k in rows])
    assert_allclose(alone, values[rows], rtol=0, atol=1e-9)
    monkeypatch.setattr("skcausalpima._model.tensors.BLOCK_ROWS", 7)
    assert_allclose(fitted.score_samples(pair), values, rtol=0, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["modality", "feature"])
def test_scores_of_scaled_and_unscaled_fits_compare(random_start, pair, scale):
    """Scaling inside equals scaling by hand and the Jacobian."""
    inside = random_start(scale=scale).fit(pair)
    X, shift = [], 0.0
    for array in pair:
        spread = array.std(axis=0)
        if scale == "modality":
            spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
        X.append((array - array.mean(axis=0)) / spread)
        shift += np.log(spread).sum()
    outside = random_start(scale=None).fit(X)
    assert_allclose(outside.score(X) - shift, inside.score(pair), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def linear(quick, pair):
    """A fit whose decoders are affine, and what its evidence depends on, in the data's units."""
    options = {"hidden_layer_sizes": (), "modality_weights": "elements"}
    model = quick(max_iter=10, training__tol=0.0, **options).fit(pair)
    points = np.concatenate([np.zeros((1, 2)), np.eye(2)])
    decoded = np.hstack([part.reshape(3, -1) for part in model.inverse_transform(points)])
    maps = (decoded[1:] - decoded[0]).T
    variances = np.exp(model._fitted.numbers["log_variances"]) * np.square(
        model._fitted.scaler.factor
    )
    noise = np.diag(np.repeat(variances, [6, 4]))
    means = model.cluster_means_ @ maps.T + decoded[0]
    return model, means, maps @ model.cluster_covariances_ @ maps.T + noise


@pytest.mark.slow
def test_bound_is_below_the_evidence_and_close(linear, pair):
    model, means, covariances = linear
    flat = np.hstack([array.reshape(72, -1) for array in pair])
    parts = [
        np.log(weight) + stats.multivariate_normal(mean, covariance).logpdf(flat)
        for weight, mean, covariance in zip(model.weights_, means, covariances, strict=True)
    ]
    gap = special.logsumexp(parts, axis=0) - model.score_samples(pair)
    assert (gap >= 0).all()
    assert gap.mean() < 1.0


def test_samples_have_the_models_moments(linear):
    """Within five standard errors; the draws are seeded."""
    model, means, covariances = linear
    n_samples = 20_000
    X, labels = model.sample(n_samples)
    counts = np.bincount(labels, minlength=4)
    assert stats.chisquare(counts, n_samples * model.weights_).pvalue > 1e-6
    flat = np.hstack([array.reshape(n_samples, -1) for array in X])
    for component in range(4):
        rows = flat[labels == component]
        deviation = np.sqrt(np.diagonal(covariances[component]))
        errors = (rows.mean(axis=0) - means[component]) / (deviation / np.sqrt(len(rows)))
        assert np.abs(errors).max() < 5
        correlations = np.cov(rows.T) / np.outer(deviation, deviation)
        expected = covariances[component] / np.outer(deviation, deviation)
        assert np.abs(correlations - expected).max() < 5 * np.sqrt(2 / len(rows))


def test_samples_go_back_in(linear):
    model = linear[0]
    X, labels = model.sample(400)
    assert (model.predict(X) == labels).mean() > 0.95
    assert_array_equal(model.sample(400)[0][0], X[0])


def test_inverse_transform_restores_units(fitted, pair):
    decoded = fitted.inverse_transform(fitted.transform(pair))
    for array, original in zip(decoded, pair, strict=True):
        assert array.shape == original.shape
        assert_allclose(array.mean(axis=0), original.mean(axis=0), atol=0.2 * original.std())
        assert np.square(array - original).mean() < 0.5 * original.var()


@pytest.mark.slow
def test_the_warning_of_a_near_tie_points_to_the_caller(quick):
    corners = np.repeat(np.eye(8), 20, axis=0)  # all equally far apart: every arrangement ties
    X = corners + np.random.default_rng(0).normal(scale=1e-3, size=corners.shape)
    with pytest.warns(ArrangementWarning, match=r"\[nodes-tied\] .* known_nodes") as record:
        quick((2, 2, 2)).fit(X)
    near_ties = [warning for warning in record if warning.category is ArrangementWarning]
    assert [warning.filename for warning in near_ties] == [__file__]


def test_separation_is_the_fisher_ratio(fitted, pair):
    report = fitted.separation_
    means, covariances = fitted.cluster_means_, fitted.cluster_covariances_
    ratios = {}
    for i, j in itertools.combinations(range(len(means)), 2):
        direction = np.linalg.solve(covariances[i] + covariances[j], means[i] - means[j])
        along = [direction @ c @ direction for c in (covariances[i], covariances[j])]
        ratios[i, j] = (direction @ (means[i] - means[j])) ** 2 / sum(along)
    assert_allclose(report.smallest, min(ratios.values()), rtol=1e-9)
    assert_allclose(report.occupancy, fitted.predict_proba(pair).mean(axis=0), rtol=1e-5)
    assert_array_equal(report.empty, np.setdiff1d(range(4), fitted.labels_))
    assert {tuple(pair) for pair in report.merged} == {p for p, r in ratios.items() if r < 1}
    assert len(report.empty) == 0
