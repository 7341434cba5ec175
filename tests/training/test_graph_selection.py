"""From expected counts to a graph: three ways to select it, names of nodes, tables."""

import itertools
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch
from nodes_by_hand import all_dags
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima._structure.constraints import EdgeConstraints, edge_constraints
from skcausalpima._structure.edge_probabilities import edge_probabilities
from skcausalpima._structure.equivalence import cpdag
from skcausalpima._structure.scores import FamilyScores
from skcausalpima._structure.settings import GraphSettings, name_nodes
from skcausalpima._training.graph_selection import refit_tables, select_graph, told_apart
from skcausalpima.functional import topological_positions
from skcausalpima.modules import CausalPrior, EdgeKnowledge

SIZES = (2, 3, 2)
REGIMES = [(), (1,), (0, 2)]
NAMES = ["a", "b", "c"]


def settings(structure="refined", graph=None, score="bic", penalty=0.0, threshold=0.5, **stated):
    constraints = edge_constraints(NAMES, **stated)
    if graph is not None:
        constraints = EdgeConstraints(graph, ~graph)
    return GraphSettings(
        structure=structure,
        constraints=constraints,
        precedence=constraints.required,
        score=score,
        edge_penalty=penalty,
        edge_threshold=threshold,
    )


def random_prior(regimes=REGIMES, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    prior = CausalPrior(SIZES, 2).to(dtype)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    prior.regimes = regimes
    return prior


def random_counts(n_regimes=3, seed=0, scale=20.0):
    counts = np.random.default_rng(seed).gamma(0.7, scale, (n_regimes, 12))
    return torch.as_tensor(counts)


def own_counts(counts, regimes=REGIMES):
    """Per node the summed counts of the regimes in which it was not set, by loops."""
    own = []
    for node in range(3):
        grid = np.zeros(SIZES)
        for number, targets in enumerate(regimes):
            if node not in targets:
                grid += counts[number].reshape(SIZES).numpy()
        own.append(grid)
    return own


def families_of(dag, own):
    """Tables of a graph cell by cell, one twelfth of a sample added to every cell."""
    tables = []
    for node, counts in enumerate(own):
        parents = np.flatnonzero(dag[:, node])
        table = np.zeros(SIZES)
        for cell in np.ndindex(SIZES):
            mass = np.zeros(SIZES[node])
            for other in np.ndindex(SIZES):
                if all(other[k] == cell[k] for k in parents):
                    mass[other[node]] += counts[other] + 1 / 12
            table[cell] = mass[cell[node]] / mass.sum()
        tables.append(table)
    return tables


# Counts and tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("regimes", [REGIMES, [()], [(1,), (0, 1)]], ids=str)
def test_node_counts_leave_out_the_regimes_in_which_the_node_was_set(regimes):
    counts = random_counts(len(regimes))
    found = random_prior(regimes).node_counts(counts)
    for grid, expected in zip(found, own_counts(counts, regimes), strict=True):
        assert_allclose(grid, expected, rtol=1e-14)


@pytest.mark.parametrize("regimes", [REGIMES, [(1,)], [(1,), (0, 1)]], ids=str)
def test_family_tables_of_all_graphs(regimes):
    """Where a node was set in every sample, nothing is known of its table: it is uniform."""
    counts, prior = random_counts(len(regimes)), random_prior(regimes)
    own = own_counts(counts, regimes)
    for dag in all_dags(3):
        tables = prior.family_tables(counts, torch.as_tensor(dag))
        for table, expected in zip(tables, families_of(dag, own), strict=True):
            assert_allclose(table.expand(SIZES), expected, rtol=1e-12)
    if regimes != REGIMES:
        assert_allclose(tables[1], 1 / 3)


def test_told_apart_are_pairs_of_which_one_was_set():
    for regimes, pairs in [
        ([()], []),
        ([(), (0, 1, 2)], []),
        ([(1,)], [(0, 1), (1, 2)]),
        ([(), (0, 2)], [(0, 1), (1, 2)]),
        ([(0,), (0, 1)], [(0, 1), (0, 2), (1, 2)]),
    ]:
        apart = told_apart(random_prior(regimes))
        assert_array_equal(apart, apart.T)
        assert [tuple(pair) for pair in np.argwhere(np.triu(apart))] == pairs


@pytest.mark.parametrize("n_nodes", [1, 3, 4])
def test_positions_are_a_topological_order(n_nodes):
    for dag in all_dags(n_nodes):
        positions = topological_positions(torch.as_tensor(dag)).numpy()
        assert sorted(positions) == list(range(n_nodes))
        assert all(positions[i] < positions[j] for i, j in np.argwhere(dag))


# Settling --------------------------------------------------------------------------------------


def check_fixed(prior, counts, graph, regimes):
    """Tables, their product, the prior and the order agree with the graph."""
    own = own_counts(counts, regimes)
    expected = families_of(graph.adjacency, own)
    for table, right in zip(graph.tables, expected, strict=True):
        assert_allclose(np.broadcast_to(table, SIZES), right, rtol=1e-12)
    assert_allclose(prior.log_weights().exp(), np.prod(expected, axis=0).ravel(), rtol=1e-10)
    assert_array_equal(prior.edges(), graph.adjacency)
    assert prior.knowledge is None
    for i, j in np.argwhere(graph.adjacency):
        assert graph.node_scores[i] < graph.node_scores[j]
    refitted = refit_tables(prior, 2 * counts, graph)
    for table, right in zip(
        refitted.tables, families_of(graph.adjacency, [2 * grid for grid in own]), strict=True
    ):
        assert_allclose(np.broadcast_to(table, SIZES), right, rtol=1e-12)


@pytest.mark.parametrize("regimes", [[()], REGIMES], ids=str)
@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"required_edges": [("c", "a")], "forbidden_edges": [("a", "b")]},
        {"tiers": ["c", ["a", "b"]]},
        {"penalty": 0.05},
        {"score": "bdeu"},
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", range(3))
def test_refined_is_the_best_of_all_graphs(seed, stated, regimes):
    counts, known = random_counts(len(regimes), seed), settings(**stated)
    scores = FamilyScores(
        counts.sum(dim=0).reshape(SIZES),
        known.score,
        edge_cost=known.edge_penalty * counts.sum().item(),
        node_counts=own_counts(counts, regimes),
    )
    required, forbidden = known.constraints
    fits = [d for d in all_dags(3) if (d >= required).all() and not (d & forbidden).any()]
    values = np.array([scores.graph(dag) for dag in fits])
    prior = random_prior(regimes)
    graph = select_graph(prior, counts, known, np.random.RandomState(0))
    assert scores.graph(graph.adjacency) == pytest.approx(values.max(), abs=1e-8)
    expected = edge_probabilities(
        counts.sum(dim=0).reshape(SIZES),
        known.constraints,
        edge_cost=known.edge_penalty * counts.sum().item(),
        node_counts=own_counts(counts, regimes),
    )
    assert_allclose(graph.probabilities, expected, atol=1e-9)  # compared with enumeration elsewhere
    assert_array_equal(graph.edge_weights, graph.probabilities)
    best = np.array(
        [dag for dag, value in zip(fits, values, strict=True) if value > values.max() - 1e-8]
    )
    assert_array_equal(graph.compelled, graph.adjacency & best.all(axis=0))
    check_fixed(prior, counts, graph, regimes)


@pytest.mark.parametrize("regimes", [[()], REGIMES], ids=str)
def test_a_given_graph_is_kept(regimes):
    counts = random_counts(len(regimes))
    for dag in all_dags(3):
        prior = random_prior(regimes)
        graph = select_graph(prior, counts, settings("fixed", dag), np.random.RandomState(0))
        assert_array_equal(graph.adjacency, dag)
        assert_array_equal(graph.edge_weights, dag.astype(float))
        assert_array_equal(graph.compelled, dag)  # no other graph respects it
        assert_array_equal(graph.node_scores, topological_positions(torch.as_tensor(dag)))
        assert graph.probabilities is None
        check_fixed(prior, counts, graph, regimes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_keeps_scores_and_edges_of_training(dtype):
    """The prior's own scores become places in an order; what is reported does not."""
    prior = random_prior(dtype=dtype)
    edges, scores = prior.edges().detach().double(), prior.scores.detach().double().clone()
    graph = select_graph(prior, random_counts(), settings("gradient"), np.random.RandomState(0))
    assert_array_equal(graph.node_scores, scores)
    assert_array_equal(graph.edge_weights, edges)
    assert_array_equal(graph.adjacency, edges >= 0.5)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(10))
def test_gradient_keeps_what_passes_the_threshold_and_what_is_known(seed, dtype, threshold):
    known = settings(
        "gradient", threshold=threshold, required_edges=[("c", "a")], forbidden_edges=[("a", "b")]
    )
    counts, prior = random_counts(), random_prior(seed=seed, dtype=dtype)
    required, forbidden = map(torch.as_tensor, known.constraints)
    prior.knowledge = EdgeKnowledge(required, forbidden, required)
    edges, scores = prior.edges().detach().double(), prior.node_scores().detach().double()
    graph = select_graph(prior.requires_grad_(), counts, known, np.random.RandomState(0))
    assert nx.is_directed_acyclic_graph(nx.DiGraph(graph.adjacency))
    assert graph.adjacency[2, 0]
    assert not graph.adjacency[0, 1]
    assert_array_equal(graph.edge_weights, edges)
    assert_array_equal(graph.node_scores, scores)
    for i, j in np.ndindex(3, 3):
        assert graph.adjacency[i, j] == (edges[i, j] >= threshold and edges[i, j] > 0)
    # Interventions compel nothing here: directions were not compared.
    compelled = cpdag(graph.adjacency, required.numpy(), forbidden.numpy())
    assert_array_equal(graph.compelled, compelled & ~compelled.T)
    assert graph.probabilities is None
    if dtype == torch.float64:
        check_fixed(prior, counts, graph, REGIMES)


def test_an_edge_to_a_node_that_was_set_has_its_direction_from_the_intervention():
    """One edge, otherwise reversible; where one or both of its ends were set in some samples."""
    dag = np.zeros((3, 3), dtype=bool)
    dag[0, 1] = True
    joint = np.einsum("i,ij,k->ijk", [0.4, 0.6], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], [0.5, 0.5])
    under = {
        (0,): np.einsum("i,ij,k->ijk", [0.5, 0.5], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], [0.5, 0.5]),
        (1,): np.einsum("i,j,k->ijk", [0.4, 0.6], [1 / 3] * 3, [0.5, 0.5]),
        (0, 1): np.einsum("i,j,k->ijk", [0.5, 0.5], [1 / 3] * 3, [0.5, 0.5]),
    }
    for targets, after in under.items():
        for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
            regimes = [(), tuple(sorted(order.index(node) for node in targets))]
            counts = [300 * joint.transpose(order).ravel(), 100 * after.transpose(order).ravel()]
            prior = CausalPrior([SIZES[node] for node in order], 2).double()
            prior.regimes = regimes
            graph = select_graph(
                prior, torch.as_tensor(np.stack(counts)), settings(), np.random.RandomState(0)
            )
            expected = dag[np.ix_(order, order)]
            if targets == (0, 1):
                expected = np.triu(expected | expected.T)
            assert_array_equal(graph.adjacency, expected)
            assert graph.compelled.any() == (targets != (0, 1))


# Names of the nodes ----------------------------------------------------------------------------


def best_naming(counts, own, known, is_named):
    """Try every permutation of the nodes; score every graph that respects what was stated."""
    n_nodes, found = counts.ndim, []
    for order in itertools.permutations(range(n_nodes)):
        moved = [position for position in range(n_nodes) if order[position] != position]
        if any(is_named[k] or counts.shape[order[k]] != counts.shape[k] for k in moved):
            continue
        scores = FamilyScores(
            counts.transpose(order), known.score, node_counts=[g.transpose(order) for g in own]
        )
        required, forbidden = known.constraints
        fits = [d for d in all_dags(3) if (d >= required).all() and not (d & forbidden).any()]
        best = max(scores.graph(dag) for dag in fits)
        for position, grid in enumerate(own):  # how the node was set, where it was
            others = tuple(k for k in range(n_nodes) if k != position)
            best += sum(
                n * np.log(n / total.sum())
                for total in [(counts - grid).transpose(order).sum(axis=others)]
                for n in total
                if n > 0
            )
        found.append((best, order))
    best = max(score for score, _ in found)
    return [order for score, order in found if score > best - 1e-7]


@pytest.mark.parametrize("sizes", [(2, 2, 2), (2, 3, 2), (2, 3, 4)], ids=str)
@pytest.mark.parametrize(
    "stated",
    [
        {"required_edges": [("a", "b")], "forbidden_edges": [("c", "b"), ("b", "c")]},
        {"required_edges": [("a", "c"), ("b", "c")], "forbidden_edges": [("a", "b"), ("b", "a")]},
        {"tiers": ["c", "a", "b"], "forbidden_edges": [("c", "b")]},
        {"structure": "fixed", "graph": np.eye(3, k=1, dtype=bool)},
    ],
    ids=range(4),
)
def test_names_are_those_that_the_statement_fits_best(stated, sizes):
    known = settings(**stated)
    moved = 0
    for seed, is_named in itertools.product(range(6), ([0, 0, 0], [1, 0, 0], [1, 1, 0])):
        rng, is_named = np.random.default_rng(seed), np.array(is_named, dtype=bool)
        own = [rng.gamma(0.5, 20.0, sizes)] * 3
        if seed % 2:  # the first node was set in further samples
            own = [own[0], *[own[0] + rng.gamma(0.5, 20.0, sizes)] * 2]
        found = name_nodes(own[1], own, known, is_named)
        best = best_naming(own[1], own, known, is_named)
        assert tuple(found) in best
        if (0, 1, 2) in best:
            assert tuple(found) == (0, 1, 2)  # places are kept where they can be
        moved += tuple(found) != (0, 1, 2)
        assert (sorted(sizes) == sorted(set(sizes))) <= (tuple(found) == (0, 1, 2))
    assert moved > 0 or sizes == (2, 3, 4)


def test_interventions_tell_which_neighbour_of_a_named_node_is_its_cause():
    """b is named and was set; a -> b -> c and c -> b -> a fit observations alike."""
    step = np.array([[0.8, 0.2], [0.2, 0.8]])
    joint = np.einsum("i,ij,jk->ijk", [0.5, 0.5], step, step)
    under = np.einsum("i,j,jk->ijk", [0.5, 0.5], [0.5, 0.5], step)
    known = settings(required_edges=[("a", "b")])
    for order in ([0, 1, 2], [2, 1, 0]):
        observed, total = 300 * joint.transpose(order), (300 * joint + 150 * under).transpose(order)
        found = name_nodes(total, [total, observed, total], known, np.array([0, 1, 0], dtype=bool))
        assert found.tolist() == order


def test_which_node_was_set_is_judged_by_all_samples():
    """The second node was set, a little differently than it falls by itself; the first is even.

    To call the first one the node that was set would spare its outcomes, which are harder to
    guess, from the score; how it was set must count, too.
    """
    observed, total = (5000 * np.outer([0.5, 0.5], second) for second in ([0.2, 0.8], [0.45, 1.55]))
    known = GraphSettings(
        structure="fixed",
        constraints=EdgeConstraints(np.zeros((2, 2), bool), np.ones((2, 2), bool)),
        precedence=np.zeros((2, 2), bool),
        score="bic",
        edge_penalty=0.0,
        edge_threshold=0.5,
    )
    for order in ([0, 1], [1, 0]):
        own = [observed.transpose(order), total.transpose(order)]  # the first place was set
        found = name_nodes(total.transpose(order), own, known, np.zeros(2, dtype=bool))
        assert found.tolist() == order[::-1]


def test_eleven_nodes_have_no_probabilities():
    counts = np.einsum("i,ij,k->ijk", [0.5, 0.5], [[0.8, 0.2], [0.2, 0.8]], np.full(2**9, 2.0**-9))
    nothing = np.zeros((11, 11), dtype=bool)
    constraints = EdgeConstraints(nothing, np.eye(11, dtype=bool))
    known = replace(settings(), constraints=constraints, precedence=nothing)
    prior = CausalPrior((2,) * 11, 2).double()
    rng = np.random.RandomState(0)
    graph = select_graph(prior, torch.as_tensor(500 * counts.reshape(1, -1)), known, rng)
    assert graph.probabilities is None
    assert np.argwhere(graph.adjacency).tolist() == [[0, 1]]
    assert_array_equal(graph.edge_weights, graph.adjacency)
    assert not graph.compelled.any()


def test_nothing_stated_or_too_many_ways_keep_the_places(monkeypatch):
    counts = np.random.default_rng(0).gamma(0.5, 20.0, (2, 2, 2))
    unnamed = np.zeros(3, dtype=bool)
    assert name_nodes(counts, [counts] * 3, settings(), unnamed).tolist() == [0, 1, 2]
    known = settings("fixed", np.eye(3, k=1, dtype=bool))
    monkeypatch.setattr("skcausalpima._structure.settings.MAX_NAMINGS", 6)
    ways = [
        name_nodes(c, [c] * 3, known, unnamed).tolist() for c in (counts, counts.transpose(1, 2, 0))
    ]
    assert ways[0] != ways[1]
    monkeypatch.setattr("skcausalpima._structure.settings.MAX_NAMINGS", 5)
    assert name_nodes(counts, [counts] * 3, known, unnamed).tolist() == [0, 1, 2]
