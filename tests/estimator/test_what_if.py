"""Interventions and counterfactuals of a fitted model, through to the data."""

import copy
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from some_slow import some_slow

from skcausalpima import Initialization, MultimodalData


@pytest.fixture(scope="module")
def linked(quick, pair):
    """A well trained model with a graph of our own: no test depends on what was learned.

    N2 is a copy of N1 in three of four samples.
    """
    model = quick(max_iter=30, init=Initialization(), training__batch_size=20).fit(pair)
    model.dag_ = nx.DiGraph()
    model.dag_.add_nodes_from(["N1", "N2"], size=2)
    model.dag_.add_edge("N1", "N2", weight=0.75)
    model.cpts_ = {"N1": np.array([0.4, 0.6]), "N2": np.array([[0.75, 0.25], [0.25, 0.75]])}
    return model


def as_list(X):
    return X if isinstance(X, list) else [X]


def assert_same_data(X, other):
    for array, expected in zip(as_list(X), as_list(other), strict=True):
        assert_array_equal(array, expected)


# The graph -------------------------------------------------------------------------------------


def test_the_graph_is_the_fitted_one(fitted):
    network = fitted.to_graph()
    assert network.nodes == list(fitted.dag_)
    assert dict(network.graph.nodes(data=True)) == dict(fitted.dag_.nodes(data=True))
    assert dict(network.graph.edges) == dict(fitted.dag_.edges)
    assert_allclose(network.joint(), fitted.joint_, atol=1e-12)
    network.graph.nodes["N1"]["size"] = 7
    assert fitted.dag_.nodes["N1"]["size"] == 2


def test_parents_keep_the_order_of_the_tables_axes(fitted):
    """In which ``DiGraph.copy`` would not keep them."""
    model = copy.deepcopy(fitted)
    model.dag_ = nx.DiGraph()
    model.dag_.add_nodes_from(["a", "b", "c"])
    model.dag_.add_edges_from([("b", "c"), ("a", "c")])
    table = np.array([[[1.0, 0.0]] * 3, [[0.0, 1.0]] * 3])
    model.cpts_ = {"a": np.full(3, 1 / 3), "b": np.array([0.25, 0.75]), "c": table}
    assert list(model.dag_.copy().predecessors("c")) == ["a", "b"]
    network = model.to_graph()
    assert list(network.graph.predecessors("c")) == ["b", "a"]
    assert_allclose(network.marginal(["c"]), [0.25, 0.75])


# Interventions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("node", "outcome"), [("N1", 0), ("N1", 1), ("N2", 0), ("N2", 1)])
def test_outcomes_follow_the_cut_graph(linked, node, outcome):
    """Within 5 standard errors: a false alarm in 2 million per test."""
    _, nodes = linked.intervene({node: outcome}, n_samples=4000)
    assert nodes.shape == (4000, 2)
    assert nodes.dtype.kind == "i"
    for k, name in enumerate(linked.dag_):
        expected = linked.to_graph().do({node: outcome}).marginal([name])[1]
        error = np.sqrt(expected * (1 - expected) / 4000)
        assert abs(nodes[:, k].mean() - expected) <= 5 * error


def test_data_show_the_outcomes(linked):
    X, nodes = linked.intervene({"N1": 1}, n_samples=500)
    assert [array.shape for array in X] == [(500, 3, 2), (500, 4)]
    assert np.mean(linked.predict_nodes(X) == nodes) > 0.98


def test_all_nodes_may_be_set(linked, pair):
    """One component: moments of the data are those of the training samples in it, about."""
    X, nodes = linked.intervene({"N2": 1, "N1": 0}, n_samples=2000)
    assert_array_equal(nodes, np.tile([0, 1], (2000, 1)))
    members = (linked.node_labels_ == [0, 1]).all(axis=1)
    for array, seen, width in zip(X, pair, (1.0, 10.0), strict=True):
        assert_allclose(array.mean(axis=0), seen[members].mean(axis=0), atol=width)
        ratio = array.std(axis=0).mean() / width  # the noise of the data is 1 and 10
        assert 0.7 < ratio < 1.3


def test_observation_noise_is_included(linked):
    """Without latent spread, what is left is the decoders' noise, in the data's units."""
    model = copy.deepcopy(linked)
    narrow = {"prior.covariances": np.tile(1e-12 * np.eye(2), (4, 1, 1))}
    model._fitted = replace(model._fitted, numbers=model._fitted.numbers | narrow)
    X, _ = model.intervene({"N1": 0, "N2": 0}, n_samples=5000)
    deviations = np.exp(0.5 * model._fitted.numbers["log_variances"])
    for array, deviation, factor in zip(X, deviations, model._fitted.scaler.factor, strict=True):
        assert_allclose(array.std(axis=0), np.full(array.shape[1:], deviation * factor), rtol=0.05)


def test_nothing_set_is_sampling(linked):
    _, nodes = linked.intervene({}, n_samples=4000)
    expected = linked.to_graph().marginal(["N2"])[1]
    assert abs(nodes[:, 1].mean() - expected) <= 5 * np.sqrt(expected * (1 - expected) / 4000)


# Counterfactuals -------------------------------------------------------------------------------


def centres(model, X):
    """Return where samples are in their most probable components."""
    return model._fitted_model().posterior(model._read(X)).centres


def test_centres_are_latent_points_where_the_component_is_sure(linked, pair):
    sure = linked.predict_proba(pair).max(axis=1) > 1 - 1e-8
    assert sure.sum() >= 10
    assert_allclose(centres(linked, pair)[sure], linked.transform(pair)[sure], atol=1e-6)


@pytest.mark.parametrize(
    "covariance_type", some_slow(["full", "tied", "diag", "spherical"], ["full"])
)
def test_what_was_set_to_what_it_was(quick, pair, covariance_type):
    model = quick(mixture=covariance_type).fit(pair)
    factual = model.predict_nodes(pair)
    for k, name in enumerate(model.dag_):
        for outcome in range(2):
            rows = factual[:, k] == outcome
            X = [array[rows] for array in pair]
            new, nodes = model.counterfactual(X, {name: outcome})
            assert_array_equal(nodes, factual[rows])
            assert_same_data(new, model.inverse_transform(centres(model, X)))


def test_the_set_node_changes_and_its_parent_stays(linked, pair):
    new, nodes = linked.counterfactual(pair, {"N2": 1})
    assert_array_equal(nodes[:, 0], linked.predict_nodes(pair)[:, 0])
    assert (nodes[:, 1] == 1).all()
    assert np.mean(linked.predict_nodes(new) == nodes) > 0.95


def test_descendants_follow_by_the_stated_mechanism(linked, pair):
    """By stability, no N2 leaves 1 when N1 becomes 1, and 0 becomes 1 in two of three cases.

    400 copies of the samples; within 5 standard errors, a false alarm in 2 million.
    """
    X = [np.repeat(array, 400, axis=0) for array in pair]
    factual = linked.predict_nodes(X)
    _, nodes = linked.counterfactual(X, {"N1": 1})
    assert_array_equal(nodes[factual[:, 0] == 1], factual[factual[:, 0] == 1])
    changed = factual[:, 0] == 0
    assert (nodes[changed & (factual[:, 1] == 1), 1] == 1).all()
    follows = nodes[changed & (factual[:, 1] == 0), 1]
    assert abs(follows.mean() - 2 / 3) <= 5 * np.sqrt(2 / 9 / len(follows))


def test_samples_keep_their_place_in_the_component(linked, pair, monkeypatch):
    """In the latent space: the same Mahalanobis distance from the mean of the component."""
    decoded = []

    def spy(model, points, cells):
        decoded.append(points)
        return [np.zeros((72, 6)), np.zeros((72, 4))]

    monkeypatch.setattr("skcausalpima._inference.fitted_model.decoded", spy)
    _, nodes = linked.counterfactual(pair, {"N1": 1, "N2": 0})
    assert_array_equal(nodes, np.tile([1, 0], (72, 1)))

    def distances(points, labels):
        residuals = points - linked.cluster_means_[labels]
        inverse = np.linalg.inv(linked.cluster_covariances_)[labels]
        return np.einsum("ni,nij,nj->n", residuals, inverse, residuals)

    new = np.flatnonzero((linked.cluster_states_ == [1, 0]).all(axis=1)).repeat(72)
    kept = distances(centres(linked, pair), linked.predict(pair))
    assert_allclose(distances(decoded[0], new), kept, rtol=1e-8)


def test_missing_modalities_are_filled_in(linked, pair):
    images = pair[0].copy()
    images[::2] = np.nan
    for X in ([None, pair[1]], [images, pair[1]], MultimodalData([images, pair[1]])):
        new, nodes = linked.counterfactual(X, {"N2": 0})
        new = new if isinstance(X, list) else list(new.values())
        assert [array.shape for array in new] == [(72, 3, 2), (72, 4)]
        assert all(np.isfinite(array).all() for array in new)
        assert (nodes[:, 1] == 0).all()


# Forms, dtypes, seeds --------------------------------------------------------------------------


def test_names_of_nodes_are_the_users(quick, pair):
    model = quick({"hue": 2, "shift": 2}).fit(pair)
    assert (model.intervene({"shift": 1}, 4)[1][:, 1] == 1).all()
    assert model.to_graph().rename_nodes({"hue": "colour"}).nodes == ["colour", "shift"]


def test_seeds(linked, pair):
    for draw in (
        lambda model: model.intervene({"N1": 1}, 72),
        lambda model: model.counterfactual(pair, {"N1": 1}),
    ):
        (one, nodes), (other, same_nodes) = draw(linked), draw(linked)
        assert_array_equal(nodes, same_nodes)
        assert_same_data(one, other)
        reseeded = copy.deepcopy(linked).set_params(random_state=1)
        assert (draw(reseeded)[1] != nodes).any()
    free = copy.deepcopy(linked).set_params(random_state=None)
    assert (free.intervene({}, 72)[1] != free.intervene({}, 72)[1]).any()


def test_rows_that_follow_change_nothing(linked, pair):
    new, nodes = linked.counterfactual(pair, {"N1": 1})
    first, first_nodes = linked.counterfactual([array[:7] for array in pair], {"N1": 1})
    assert_array_equal(nodes[:7], first_nodes)
    for array, head in zip(new, first, strict=True):
        assert_allclose(array[:7], head, rtol=1e-9)


# Bad input -------------------------------------------------------------------------------------

CALLS = {
    "intervene": lambda model, pair, interventions: model.intervene(interventions),
    "counterfactual": lambda model, pair, interventions: model.counterfactual(pair, interventions),
}


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(
    ("interventions", "message"),
    [
        ({"hue": 1}, r"no node 'hue'; the nodes here are \['N1', 'N2'\]"),
        ({"N2": 2}, "Node 'N2' has no outcome 2; give a whole number from 0 to 1"),
        ({"N2": -1}, "Node 'N2' has no outcome -1"),
        ({"N2": 0.5}, "Node 'N2' has no outcome 0.5"),
        ({"N2": "high"}, "Node 'N2' has no outcome 'high'"),
        (["N2", 1], r"needs a mapping \{node: outcome\}; got \['N2', 1\]"),
        ("N2", "needs a mapping"),
        (None, "needs a mapping"),
    ],
)
def test_bad_interventions(linked, pair, method, interventions, message):
    with pytest.raises(ValueError, match=message):
        CALLS[method](linked, pair, interventions)


def test_samples_of_other_shapes(linked, pair):
    with pytest.raises(ValueError, match="Found 0 samples"):
        linked.counterfactual([array[:0] for array in pair], {"N1": 1})
    with pytest.raises(ValueError, match="expected an array of shape"):
        linked.counterfactual([pair[1], pair[0]], {"N1": 1})
