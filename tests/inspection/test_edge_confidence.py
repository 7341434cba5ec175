"""Confidence of edges and nodes by refits."""

import copy
import itertools
from copy import deepcopy
from types import SimpleNamespace

import joblib
import networkx as nx
import numpy as np
import pytest
import torch
from nodes_by_hand import SIZES, as_dag, global_state, random_nodes
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import FitFailedWarning

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima._base.grid import NodeGrid
from skcausalpima._held_out.fits import Completed
from skcausalpima.datasets import make_circles_images
from skcausalpima.exceptions import InterruptionWarning
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import edge_confidence
from skcausalpima.inspection._edge_confidence import _of_mixture, _summarize
from skcausalpima.inspection._matched_refits import MatchedRefit, arrows, match_refit

COLLIDER = [(0, 2), (1, 2), (2, 4)]  # its three arrows are compelled
REVERSED = [(2, 0), (1, 2), (2, 4)]  # the same neighbours without a collider: all reversible
NODES = random_nodes(np.random.default_rng(3), 120)


def matrix(edges, n_nodes=5):
    array = np.zeros((n_nodes, n_nodes), dtype=bool)
    for edge in edges:
        array[edge] = True
    return array


def shuffled(rng, sizes):
    """Return new places for nodes among those of one size, and new numbers of their outcomes."""
    order = np.arange(len(sizes))
    for size in set(sizes):
        same = np.flatnonzero(np.array(sizes) == size)
        order[same] = rng.permutation(same)
    return order, [rng.permutation(size) for size in sizes]


def renamed(nodes, order, numbers):
    return np.stack([n[nodes[:, k]] for k, n in zip(order, numbers, strict=True)], axis=1)


class Shuffled(BaseEstimator):
    """Knows the nodes (its X) and a choice of graphs, but gives them other names in every fit."""

    to_graph = None
    log = None  # a list, to see what the fits got

    def __init__(self, node_sizes=SIZES, graphs=(COLLIDER,), fails=0.0, random_state=None):
        self.node_sizes = node_sizes
        self.graphs = graphs
        self.fails = fails
        self.random_state = random_state

    def fit(self, X, y=None, known_nodes=None):
        rng = np.random.default_rng(self.random_state)
        graph = self.graphs[rng.integers(len(self.graphs))]
        failed = rng.random() < self.fails
        if self.log is not None:
            self.log.append((X, known_nodes, graph, failed, self.random_state))
        if failed:
            raise RuntimeError("out of luck")
        self.order_, self.numbers_ = shuffled(rng, self.node_sizes)
        position = np.argsort(self.order_)
        self.dag_ = as_dag([(position[i], position[j]) for i, j in graph], len(position))
        self.cpts_ = {n: np.ones(s) / s for n, s in zip(self.dag_, self.node_sizes, strict=True)}
        return self

    def predict_nodes(self, X):
        return renamed(X, self.order_, self.numbers_)


@pytest.fixture
def log(monkeypatch):
    entries = []
    monkeypatch.setattr(Shuffled, "log", entries)
    return entries


# Matching -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_renamed_graph_is_matched_back(seed):
    rng = np.random.default_rng(seed)
    nodes = random_nodes(rng)
    edges = np.triu(rng.random((5, 5)) < 0.5, 1)
    order, numbers = shuffled(rng, SIZES)
    dag = as_dag(np.argwhere(edges[np.ix_(order, order)]), 5)
    found = match_refit(arrows(dag), renamed(nodes, order, numbers), nodes, SIZES)
    assert_array_equal(found.edges, edges)
    assert_array_equal(order[found.order], np.arange(5))
    assert_array_equal(found.rand_indices, 1.0)


def test_nodes_of_other_sizes_are_not_matched():
    """Each node of the refit looks like the other one of the reference."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(2, size=(2, 200))
    reference = np.stack([first, second + (rng.random(200) < 0.1)], axis=1)
    refit = np.stack([second, first + (rng.random(200) < 0.1)], axis=1)
    found = match_refit(arrows(as_dag([(0, 1)], 2)), refit, reference, (2, 3))
    assert_array_equal(found.order, [0, 1])
    assert_array_equal(found.edges, matrix([(0, 1)], 2))
    assert found.rand_indices.max() < 0.1


def all_agreements(reference, nodes, sizes):
    """Yield each order of the nodes, and how many outcomes agree in the best numbering."""
    for order in itertools.permutations(range(len(sizes))):
        if [sizes[k] for k in order] == list(sizes):
            numberings = [list(map(np.array, itertools.permutations(range(s)))) for s in sizes]
            best = [
                max(
                    (numbers[nodes[:, node]] == reference[:, position]).sum() for numbers in options
                )
                for position, (node, options) in enumerate(zip(order, numberings, strict=True))
            ]
            yield order, sum(best)


@pytest.mark.parametrize("seed", range(10))
def test_the_match_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    reference = random_nodes(rng, 40)
    nodes = renamed(reference, *shuffled(rng, SIZES))
    nodes = np.where(rng.random(nodes.shape) < 0.6, random_nodes(rng, 40), nodes)
    found = match_refit(arrows(as_dag(COLLIDER, 5)), nodes, reference, SIZES)
    agreements = dict(all_agreements(reference, nodes, SIZES))
    assert len(agreements) == 12
    assert agreements[tuple(found.order)] == max(agreements.values())


def pair_counting_index(first, second):
    """Adjusted Rand index from pairs of samples (Hubert and Arabie, 1985)."""
    pairs = np.triu_indices(len(first), 1)
    a, b = (np.equal.outer(labels, labels)[pairs] for labels in (first, second))
    chance = a.sum() * b.sum() / len(a)
    return ((a & b).sum() - chance) / ((a.sum() + b.sum()) / 2 - chance)


def test_stability_counts_pairs():
    rng = np.random.default_rng(1)
    reference = random_nodes(rng, 80)
    nodes = np.where(rng.random(reference.shape) < 0.2, random_nodes(rng, 80), reference)
    found = match_refit(arrows(as_dag(COLLIDER, 5)), nodes, reference, SIZES)
    assert_array_equal(found.order, np.arange(5))
    expected = [pair_counting_index(*pair) for pair in zip(reference.T, nodes.T, strict=True)]
    assert_allclose(found.rand_indices, expected)
    assert 0.2 < np.min(expected) < np.max(expected) < 0.95


def test_constant_nodes_are_not_stable():
    nodes = np.stack([np.arange(40) % 2, np.zeros(40, dtype=int)], axis=1)
    found = match_refit(arrows(as_dag([], 2)), nodes, nodes, (2, 2))
    assert_array_equal(found.rand_indices, [1.0, 0.0])
    found = match_refit(arrows(as_dag([], 2)), np.zeros_like(nodes), nodes, (2, 2))
    assert_array_equal(found.rand_indices, 0.0)


@pytest.mark.parametrize("chain", [[(0, 1), (1, 2)], [(1, 0), (1, 2)]])
def test_directions_that_mean_nothing_are_those_of_the_fit(chain):
    """A search has (0, 1), (1, 2) of a chain's class; other directions are somebody's own."""
    edges, nothing = [matrix(of, 3) for of in (chain, [(2, 1), (1, 0)])], np.zeros((3, 3), bool)
    refits = [MatchedRefit(of, nothing, np.ones(3), np.arange(3)) for of in edges]
    found = _summarize(as_dag(chain, 3), refits, {})
    if chain == [(0, 1), (1, 2)]:
        edges[1] = edges[0]
    assert_array_equal(found.edges, edges)
    assert_array_equal(found.edge, np.mean(edges, axis=0))


def test_compelled_arrows():
    nodes = random_nodes(np.random.default_rng(2), sizes=(2, 2, 2))
    found = match_refit(arrows(as_dag([(0, 1), (2, 1)], 3)), nodes, nodes, (2, 2, 2))
    assert_array_equal(found.compelled, matrix([(0, 1), (2, 1)], 3))
    chain = as_dag([(0, 1), (1, 2)], 3)
    assert not match_refit(arrows(chain), nodes, nodes, (2, 2, 2)).compelled.any()
    chain.edges["N2", "N3"]["compelled"] = True  # by knowledge
    found = match_refit(arrows(chain), nodes, nodes, (2, 2, 2))
    assert_array_equal(found.compelled, matrix([(1, 2)], 3))


# Counting -------------------------------------------------------------------------------------


def in_names_of(est, edges):
    """Write a graph of the true nodes in the nodes of a fit."""
    return matrix(edges)[np.ix_(est.order_, est.order_)]


def test_names_of_the_refits_do_not_matter():
    est = Shuffled(random_state=0).fit(NODES)
    found = edge_confidence(est, NODES, n_bootstraps=8, random_state=0)
    expected = in_names_of(est, COLLIDER)
    assert_array_equal(found.edge, expected)
    assert_array_equal(found.compelled, expected)
    assert_array_equal(found.adjacency, expected | expected.T)
    assert_array_equal(found.node_stability, 1.0)
    assert_array_equal(found.worst_node_stability, 1.0)
    assert found.node_names == ("N1", "N2", "N3", "N4", "N5")
    assert len({tuple(order) for order in found.node_orders}) > 2
    assert found.failures == {}
    assert {data["confidence"] for _, _, data in found.dag.edges(data=True)} == {1.0}


def test_shares_are_those_of_the_graphs(log):
    est = Shuffled(graphs=(COLLIDER, REVERSED, [(3, 4)], []), random_state=1).fit(NODES)
    log.clear()
    found = edge_confidence(est, NODES, n_bootstraps=30, random_state=0)
    graphs = [entry[2] for entry in log]
    edges = np.array([in_names_of(est, graph) for graph in graphs])
    assert len({edge.tobytes() for edge in edges}) == 4
    assert_array_equal(found.edges, edges)
    assert_allclose(found.edge, edges.mean(axis=0))
    assert_allclose(found.adjacency, (edges | edges.swapaxes(1, 2)).mean(axis=0))
    is_collider = np.array([graph == COLLIDER for graph in graphs])
    assert_array_equal(found.compelled_edges, edges & is_collider[:, None, None])
    assert_allclose(found.compelled, in_names_of(est, COLLIDER) * is_collider.mean())
    assert found.rand_indices.shape == found.node_orders.shape == (30, 5)


@pytest.mark.parametrize("graph", [COLLIDER, REVERSED])
def test_confidence_is_that_of_what_the_graph_says(log, graph):
    """A compelled arrow wants compelled ones, a reversible one only neighbours."""
    est = Shuffled(graphs=(graph,), random_state=0).fit(NODES)
    est.set_params(graphs=(COLLIDER, REVERSED))
    log.clear()
    found = edge_confidence(est, NODES, n_bootstraps=20, random_state=0)
    share = np.mean([entry[2] == COLLIDER for entry in log])
    assert 0.0 < share < 1.0
    values = [data["confidence"] for _, _, data in found.dag.edges(data=True)]
    assert_allclose(values, share if graph == COLLIDER else 1.0)


def test_the_copy_of_the_graph_keeps_what_tables_need():
    nodes = NODES[:, [0, 2, 4]]
    est = Shuffled((2, 2, 2), graphs=([(1, 2)],), random_state=0).fit(nodes)
    est.dag_ = nx.DiGraph()
    est.dag_.add_nodes_from("abc", size=2)
    est.dag_.add_edges_from([("b", "c"), ("a", "c")], weight=0.75)  # nx's copy would swap them
    est.cpts_ = {node: np.full(shape, 0.5) for node, shape in (("a", 2), ("b", 2))}
    est.cpts_["c"] = np.array([[[0.1, 0.9], [0.2, 0.8]], [[0.3, 0.7], [0.4, 0.6]]])
    joint = CategoricalDAG(est.dag_, est.cpts_).joint()
    found = edge_confidence(est, nodes, n_bootstraps=2, random_state=0)
    assert list(found.dag.predecessors("c")) == ["b", "a"]
    dag = CategoricalDAG(found.dag, est.cpts_)
    assert_array_equal(dag.joint(), joint)
    assert dag.summary().count("  confidence 0.00") == 2
    assert found.dag.nodes["a"] == {"size": 2}
    assert found.dag.edges["b", "c"] == {"weight": 0.75, "confidence": 0.0}
    assert est.dag_.edges["b", "c"] == {"weight": 0.75}


def test_bootstrap_samples_and_restarts(log):
    X = np.column_stack([NODES[:, 0], np.arange(120)])  # the second column numbers the samples
    est, known = Shuffled((2, 120), graphs=([],), random_state=0).fit(X), -X
    log.clear()
    edge_confidence(est, X, n_bootstraps=5, params={"known_nodes": known}, random_state=0)
    for sample, known_nodes, *_ in log:
        assert_array_equal(sample, X[sample[:, 1]])
        assert_array_equal(known_nodes, -sample)
        assert 55 < len(np.unique(sample[:, 1])) < 95  # 76 are expected
    assert len({entry[0].tobytes() for entry in log}) == 5
    log.clear()
    params = {"known_nodes": known}
    edge_confidence(est, X, n_bootstraps=5, resample=False, params=params, random_state=0)
    assert all(entry[0] is X and entry[1] is known for entry in log)
    assert len({entry[-1] for entry in log}) == 5


def test_failed_refits_are_named_and_left_out(log):
    est = Shuffled(random_state=0).fit(NODES).set_params(fails=0.4)
    log.clear()
    message = r"of 12 refits failed and are left out.* RuntimeError: out of luck"
    with pytest.warns(FitFailedWarning, match=message) as record:
        found = edge_confidence(est, NODES, n_bootstraps=12, random_state=0)
    assert record[0].filename == __file__
    failed = [k for k, entry in enumerate(log) if entry[3]]
    assert 0 < len(failed) < 12
    assert found.failures == dict.fromkeys(failed, "RuntimeError: out of luck")
    assert len(found.edges) == 12 - len(failed)
    assert_array_equal(found.edge, in_names_of(est, COLLIDER))


def test_it_is_an_error_if_all_refits_fail():
    est = Shuffled(random_state=0).fit(NODES).set_params(fails=1.0)
    with pytest.raises(ValueError, match="All 3 refits failed, the first one with RuntimeError"):
        edge_confidence(est, NODES, n_bootstraps=3, random_state=0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_bootstraps": 0}, r"'n_bootstraps' parameter .* in the range \[1, "),
        *(({"n_bootstraps": n}, "'n_bootstraps' par") for n in (True, 1.0, 2.5, 2**64, 10**400)),
        ({"resample": "bootstrap"}, "'resample' parameter"),
        ({"params": [1]}, "'params' parameter"),
        ({"random_state": "seed"}, "'random_state' parameter"),
    ],
)
def test_wrong_parameters(parameters, message):
    est = Shuffled(random_state=0).fit(NODES)
    with pytest.raises(ValueError, match=message):
        edge_confidence(est, NODES, **parameters)


def test_estimators_that_do_not_fit_the_purpose(fitted, pair):
    with pytest.raises(TypeError, match="edge_confidence needs a fitted CausalPIMA"):
        edge_confidence("est", pair)
    est = deepcopy(fitted).set_params(node_sizes=(2, 3))
    with pytest.raises(ValueError, match=r"fitted with node_sizes=\(2, 2\), but .* \(2, 3\) now"):
        edge_confidence(est, pair)


# Refits of the estimator ----------------------------------------------------------------------


def contents(est):
    """Return what a fit left; networkx puts its views into a graph when they are first used."""
    values = {name: joblib.hash(value) for name, value in vars(est).items() if name != "dag_"}
    return values, copy.deepcopy((list(est.dag_.nodes.items()), list(est.dag_.edges.items())))


def assert_same(first, second):
    for name in ("edges", "compelled_edges", "rand_indices", "node_orders"):
        assert_array_equal(getattr(first, name), getattr(second, name))
    assert list(first.dag.edges(data="confidence")) == list(second.dag.edges(data="confidence"))


@pytest.mark.long
def test_parallel_refits_agree_and_leave_no_trace(fitted, pair):
    before = contents(fitted), torch.get_num_threads(), torch.get_rng_state().tolist()
    numpy_state = global_state()
    found = edge_confidence(fitted, pair, n_bootstraps=4, random_state=0)
    assert_same(edge_confidence(fitted, pair, n_bootstraps=4, n_jobs=2, random_state=0), found)
    after = contents(fitted), torch.get_num_threads(), torch.get_rng_state().tolist()
    assert after == before
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert_same(edge_confidence(fitted, pair, n_bootstraps=4, random_state=0), found)
    assert contents(fitted) == before[0]
    assert_array_equal(global_state(), numpy_state)
    assert found.node_stability.min() > 0.7  # four groups, well apart


@pytest.mark.slow
def test_forms_of_data_agree(brief, pair):
    images, curves = pair
    flat = np.hstack([array.reshape(72, -1) for array in pair])
    by_position = brief().fit(pair)
    by_name = brief().fit({"image": images, "curve": curves})
    flat = MultimodalData.from_flat(flat, [(3, 2), (4,)])
    as_one = brief().fit(flat)
    cases = [
        (by_position, pair),
        (by_position, MultimodalData(pair)),
        (by_name, {"curve": curves, "image": images}),
        (by_name, MultimodalData([curves, images], ["curve", "image"])),
        (by_name, pair),
        (as_one, flat),
    ]
    results = [edge_confidence(est, X, n_bootstraps=2, random_state=0) for est, X in cases]
    for found in results[1:]:
        assert_same(found, results[0])


@pytest.mark.slow
def test_parameters_by_position_meet_their_modality(brief, pair):
    data = dict(zip(["image", "curve"], pair, strict=True))
    est = brief(encoders=[None, torch.nn.Linear(4, 4)]).fit(data)
    swapped = {"curve": data["curve"], "image": data["image"]}
    found = [edge_confidence(est, X, n_bootstraps=2, random_state=0) for X in (data, swapped)]
    assert_same(*found)


@pytest.mark.slow
def test_known_outcomes_are_drawn_along(quick, pair):
    """Known outcomes of other samples would blur the nodes."""
    known = np.stack(np.divmod(np.repeat(np.arange(4), 18), 2), axis=1)[:, ::-1]
    est = quick().fit(pair, known_nodes=known)
    params = {"known_nodes": known}
    found = edge_confidence(est, pair, n_bootstraps=3, params=params, random_state=0)
    assert found.worst_node_stability.min() > 0.5
    assert_array_equal(found.node_orders, [[0, 1]] * 3)


@pytest.mark.long
def test_stability_tells_structure_from_none():
    """The nodes of circles are found again; halves of a single Gaussian are not."""
    images = make_circles_images(1200, random_state=402).images
    noise = np.random.default_rng(402).normal(size=(1200, 20))
    stability = {}
    for name, X in {"images": images, "noise": noise}.items():
        est = CausalPIMA((2, 2, 2), max_iter=5, random_state=402).fit(X)
        found = edge_confidence(est, X, n_bootstraps=2, random_state=0)
        stability[name] = found.node_stability
    assert stability["images"].min() > 0.7
    assert stability["noise"].max() < 0.3


def test_failures_keep_their_numbers_after_an_interrupt(monkeypatch):
    def some(calls, *_, **__):
        return Completed({0: calls[0](), 2: ["out of luck"]}, interrupted=True)

    monkeypatch.setattr("skcausalpima._held_out.fits.completed", some)
    est = Shuffled(random_state=0).fit(NODES)
    with pytest.warns(InterruptionWarning), pytest.warns(FitFailedWarning, match=r"numbers \[2\]"):
        found = edge_confidence(est, NODES, n_bootstraps=4, random_state=0)
    assert found.failures == {2: "out of luck"}


def test_refits_of_the_mixture_have_no_seeds_of_their_own():
    est = Shuffled(random_state=0).fit(NODES)
    with pytest.raises(ValueError, match=r"refit='mixture' has no seeds .* needs resample=True"):
        edge_confidence(est, NODES, refit="mixture", resample=False)
    with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
        edge_confidence(est, NODES, refit="mixture")  # of an estimator that has no mixture
    assert "resample" not in str(caught.value)


@pytest.mark.parametrize("by_chance", [False, True])
def test_mixtures_of_bootstrap_samples_are_matched_as_refits_are(by_chance):
    """Arrows that a search has found by chance are not compelled."""
    order, numbers = shuffled(np.random.default_rng(0), SIZES)
    edges = matrix(COLLIDER)[np.ix_(order, order)]
    graph = SimpleNamespace(adjacency=edges, compelled=edges)
    grid = NodeGrid(SIZES)
    drawn = [(grid.cells(renamed(NODES, order, numbers)), graph, None)] * 2
    kept = SimpleNamespace(cells=grid.cells(NODES), replicates=lambda seeds: drawn[: len(seeds)])
    first, second = _of_mixture(kept, by_chance, SIZES, [3, 4])
    assert_array_equal(first.edges, matrix(COLLIDER))
    assert_array_equal(first.compelled, matrix([] if by_chance else COLLIDER))
    assert_array_equal(second.rand_indices, 1.0)
