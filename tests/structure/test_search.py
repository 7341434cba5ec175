"""Structure by score against textbook formulas and enumeration of all DAGs."""

from itertools import permutations
from math import lgamma, log, prod

import numpy as np
import pytest
from nodes_by_hand import all_dags
from scipy.optimize import brentq

from skcausalpima._structure.constraints import EdgeConstraints, edge_constraints
from skcausalpima._structure.edge_probabilities import (
    _dags_by_edges,
    _density_cost,
    edge_probabilities,
)
from skcausalpima._structure.equivalence import canonical_member, cpdag
from skcausalpima._structure.scores import FamilyScores
from skcausalpima._structure.search import search_dag

SCORES = ["bic", "bdeu"]


def all_scores(counts, score):
    """Scores of all DAGs, from families."""
    scores = FamilyScores(counts, score)
    families = scores.all_families(EdgeConstraints.none(counts.ndim))
    masks = (all_dags(counts.ndim) * (1 << np.arange(counts.ndim))[:, None]).sum(axis=1)
    return sum(families[node, masks[:, node]] for node in range(counts.ndim))


def random_counts(seed, sizes, n_samples=500, concentration=0.3):
    """Expected counts: a random joint distribution, sampled, then blurred to fractions."""
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(prod(sizes), concentration))
    counts = rng.multinomial(n_samples, joint) * rng.uniform(0.5, 1.5, prod(sizes))
    return counts.reshape(sizes)


def random_constraints(seed, n_nodes):
    """Constraints that some DAG meets, half of the edges left free."""
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random(n_nodes))
    forward = order[:, None] < order
    required = forward & (rng.random((n_nodes, n_nodes)) < 0.15)
    forbidden = ~required & (rng.random((n_nodes, n_nodes)) < 0.3)
    return required, forbidden


def limited(monkeypatch, max_exact_nodes=12, n_restarts=50):
    monkeypatch.setattr("skcausalpima._structure.search.MAX_EXACT_NODES", max_exact_nodes)
    monkeypatch.setattr("skcausalpima._structure.search.N_RESTARTS", n_restarts)


def meets(dags, required, forbidden):
    return (dags >= required).all(axis=(1, 2)) & ~(dags & forbidden).any(axis=(1, 2))


def textbook_family(counts, node, parents, score, sample_size=1.0):
    """Family scores by loops over the parents' configurations."""
    others = tuple(k for k in range(counts.ndim) if k not in (node, *parents))
    axes = [k for k in range(counts.ndim) if k not in others]
    table = np.moveaxis(counts.sum(axis=others), axes.index(node), -1)
    table = table.reshape(-1, counts.shape[node])
    q, r = table.shape
    if score == "bic":
        fit = sum(n * log(n / row.sum()) for row in table for n in row if n > 0)
        return fit - 0.5 * log(counts.sum()) * q * (r - 1)
    a, b = sample_size / q, sample_size / (q * r)
    return sum(
        lgamma(a) - lgamma(a + row.sum()) + sum(lgamma(b + n) - lgamma(b) for n in row)
        for row in table
    )


@pytest.mark.parametrize("score", SCORES)
def test_family_scores_equal_the_textbook(score):
    counts = random_counts(0, (2, 3, 4))
    scores = FamilyScores(counts, score, equivalent_sample_size=2.5)
    for node in range(3):
        for parents in ([], [(node + 1) % 3], sorted({0, 1, 2} - {node})):
            mask = sum(1 << parent for parent in parents)
            expected = textbook_family(counts, node, parents, score, 2.5)
            assert scores.family(node, mask) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_equivalent_graphs_score_the_same(score):
    scores = all_scores(random_counts(1, (2, 3, 2, 4)), score)
    groups = {}
    for dag, value in zip(all_dags(4), scores, strict=True):
        groups.setdefault(cpdag(dag).tobytes(), []).append(value)
    assert len(groups) == 185
    assert max(np.ptp(values) for values in groups.values()) < 1e-9


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", range(8))
def test_exact_search_finds_the_best_of_all_543_dags(seed, score):
    counts = random_counts(seed, (2, 3, 2, 4))
    values = all_scores(counts, score)
    found = search_dag(counts, score=score)
    assert found.score == pytest.approx(values.max(), abs=1e-9)
    best = all_dags(4)[values.argmax()]
    np.testing.assert_array_equal(found.adjacency, canonical_member(best))


@pytest.mark.parametrize("max_exact_nodes", [10, 0])
@pytest.mark.parametrize("seed", range(12))
def test_constrained_search_finds_the_best_that_meets_them(seed, max_exact_nodes, monkeypatch):
    counts = random_counts(seed, (2, 3, 2, 2))
    constraints = random_constraints(seed, 4)
    fits = meets(all_dags(4), *constraints)
    limited(monkeypatch, max_exact_nodes)
    found = search_dag(counts, EdgeConstraints(*constraints), random_state=0)
    assert meets(found.adjacency[None], *constraints).all()
    assert found.score == pytest.approx(all_scores(counts, "bic")[fits].max(), abs=1e-9)


def test_tiers_forbid_exactly_the_edges_that_lead_back():
    _, forbidden = edge_constraints(list("abcde"), tiers=["c", ["a", "e"], ("b",)])  # d is free
    back = {"ac", "ec", "bc", "ba", "be"}
    expected = [[row == column or row + column in back for column in "abcde"] for row in "abcde"]
    np.testing.assert_array_equal(forbidden, expected)


def sparse_counts(seed, n_nodes, n_samples=5000):
    """Counts sampled from a random binary network with at most two parents per node."""
    rng = np.random.default_rng(seed)
    joint = np.ones((2,) * n_nodes)
    for node in range(n_nodes):
        n_parents = rng.integers(0, min(node, 2) + 1)
        parents = sorted(rng.choice(node, n_parents, replace=False)) if n_parents else []
        shape = [2 if k in (*parents, node) else 1 for k in range(n_nodes)]
        joint = joint * rng.dirichlet([1, 1], size=2**n_parents).reshape(shape)
    order = rng.permutation(n_nodes)
    return (
        rng.multinomial(n_samples, joint.ravel() / joint.sum())
        .reshape(joint.shape)
        .transpose(order)
    )


@pytest.mark.slow
def test_hill_climbing_nearly_always_reaches_the_optimum_of_sparse_networks(monkeypatch):
    gaps = []
    for seed in range(8):
        counts = sparse_counts(seed, 7)
        limited(monkeypatch, 7)
        exact = search_dag(counts)
        limited(monkeypatch, 6)
        climbed = search_dag(counts, random_state=seed)
        gaps.append(exact.score - climbed.score)
    assert min(gaps) >= -1e-8
    assert np.mean(np.array(gaps) < 1e-8) >= 0.75


def test_hill_climbing_is_reproducible(monkeypatch):
    counts = sparse_counts(0, 13)
    limited(monkeypatch, n_restarts=2)
    first, second = (search_dag(counts, random_state=7) for _ in range(2))
    np.testing.assert_array_equal(first.adjacency, second.adjacency)
    assert first.score == second.score


def test_ties_go_to_the_lower_numbered_parent_and_to_fewer_edges():
    counts = np.array([[30.0, 10.0], [10.0, 30.0]])
    for table in (counts, counts.T):
        assert search_dag(table).adjacency.tolist() == [[False, True], [False, False]]
    assert not search_dag(np.full((2, 2, 2), 10.0)).adjacency.any()


def probable_edges(node_counts, edge_cost=0.0, sizes=None, allowed=True):
    """Probabilities of edges by enumeration of graphs and prior sample sizes.

    Beforehand 55 % of the pairs are joined, and the sizes are equally likely.
    """
    n_nodes, n_cells = len(node_counts), node_counts[0].size
    n_edges = all_dags(n_nodes).sum(axis=(1, 2))

    def surplus(cost):
        weights = np.exp(-cost * n_edges)
        return weights @ n_edges / weights.sum() / n_edges.max() - 0.55

    cost = edge_cost + brentq(surplus, -1, 2)
    sizes = np.geomspace(1, 4 * n_cells, 7) if sizes is None else sizes
    scores = np.array([textbook_scores(node_counts, "bdeu", cost, size) for size in sizes])
    weights = (np.exp(scores - scores.max()) * allowed).sum(axis=0)
    return np.tensordot(weights / weights.sum(), all_dags(n_nodes), 1)


@pytest.mark.parametrize("sizes", [(2, 3, 2), (2, 3, 2, 4), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("sample_size", ["auto", 0.7])
def test_edge_probabilities_equal_enumeration(sizes, constrained, sample_size):
    n_nodes = len(sizes)
    counts = random_counts(2, sizes, n_samples=100)  # few samples: many graphs matter
    options, allowed = {}, True
    if constrained:
        required, forbidden = random_constraints(4, n_nodes)
        options = {"constraints": EdgeConstraints(required, forbidden)}
        allowed = meets(all_dags(n_nodes), required, forbidden)
    prior = None if sample_size == "auto" else [sample_size]
    expected = probable_edges([counts] * n_nodes, 0.0, prior, allowed)
    found = edge_probabilities(counts, equivalent_sample_size=sample_size, **options)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    if not constrained:
        assert ((expected > 0.05) & (expected < 0.95)).sum() > 2


def test_few_samples_say_what_was_likely_beforehand():
    """One sample tells next to nothing: 55 % of the pairs are joined, either way round."""
    for n_nodes in (2, 3, 6):
        counts = np.zeros((2,) * n_nodes)
        counts[(0,) * n_nodes] = 1e-9
        found = edge_probabilities(counts)
        off = ~np.eye(n_nodes, dtype=bool)
        np.testing.assert_allclose(found[off], 0.275, atol=1e-6)


def test_enumeration_has_the_known_numbers_of_dags():
    assert [len(all_dags(n)) for n in (3, 4, 5)] == [25, 543, 29281]
    for n_nodes in (2, 3, 4, 5):
        numbers = np.bincount(all_dags(n_nodes).sum(axis=(1, 2)))
        assert _dags_by_edges(n_nodes) == numbers.tolist()
    assert sum(_dags_by_edges(10)) == 4175098976430598143  # OEIS A003024


@pytest.mark.parametrize("n_samples", [300, 10**6])
def test_edge_probabilities_of_ten_nodes_equal_those_of_two_unrelated_halves(n_samples):
    halves = [random_counts(seed, (2,) * 5, n_samples, concentration=2.0) for seed in (0, 1)]
    total = np.sqrt(halves[0].sum() * halves[1].sum())
    halves = [half / half.sum() * total for half in halves]
    counts = np.multiply.outer(*halves) / total
    forbidden = ~np.kron(np.eye(2, dtype=bool), np.ones((5, 5), dtype=bool))
    constraints = EdgeConstraints(np.zeros_like(forbidden), forbidden)
    found = edge_probabilities(counts, constraints, equivalent_sample_size=2.0)
    cost = _density_cost(10) - _density_cost(5)  # all ten nodes say how many pairs are joined
    for half, block in zip(halves, (slice(0, 5), slice(5, 10)), strict=True):
        expected = probable_edges([half] * 5, cost, [2.0])
        np.testing.assert_allclose(found[block, block], expected, rtol=0, atol=1e-8)
    assert not found[:5, 5:].any()


# Interventions and costs of edges --------------------------------------------------------------


def random_regimes(seed, sizes, always_set=()):
    """Counts in all and per node those of the regimes in which it was not set; pairs told apart."""
    n_nodes = len(sizes)
    regimes = [set(always_set)] if always_set else [set(), {0}, {1, 2}]
    counts = [random_counts(100 * seed + k, sizes, 200) for k in range(len(regimes))]
    own = [
        sum((c for c, r in zip(counts, regimes, strict=True) if node not in r), np.zeros(sizes))
        for node in range(n_nodes)
    ]
    apart = np.zeros((n_nodes, n_nodes), dtype=bool)
    for i, j in np.ndindex(n_nodes, n_nodes):
        apart[i, j] = any((i in regime) != (j in regime) for regime in regimes)
    return sum(counts), own, apart


def textbook_scores(node_counts, score, edge_cost, sample_size=1.0):
    """Scores of all DAGs, every family on its node's own counts."""
    n_nodes = len(node_counts)
    families = np.zeros((n_nodes, 1 << n_nodes))
    for node, mask in np.ndindex(n_nodes, 1 << n_nodes):
        parents = [k for k in range(n_nodes) if mask >> k & 1]
        if node in parents or node_counts[node].sum() == 0:
            families[node, mask] = -edge_cost * len(parents)  # no counts: nothing to choose by
            continue
        fit = textbook_family(node_counts[node], node, parents, score, sample_size)
        families[node, mask] = fit - edge_cost * len(parents)
    masks = (all_dags(n_nodes) * (1 << np.arange(n_nodes))[:, None]).sum(axis=1)
    return sum(families[node, masks[:, node]] for node in range(n_nodes))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("edge_cost", [0.0, 7.0])
@pytest.mark.parametrize("max_exact_nodes", [10, 0])
@pytest.mark.parametrize("sizes", [(2, 3, 2), (2, 3, 2, 2)], ids=len)
@pytest.mark.parametrize("constrained", [False, True])
def test_search_on_node_counts_equals_enumeration(
    sizes, constrained, max_exact_nodes, edge_cost, score, monkeypatch
):
    limited(monkeypatch, max_exact_nodes)
    for seed in range(3):
        counts, own, apart = random_regimes(seed, sizes)
        values = textbook_scores(own, score, edge_cost)
        dags = all_dags(len(sizes))
        known = EdgeConstraints(*random_constraints(seed, len(sizes))) if constrained else None
        if constrained:
            values = np.where(meets(dags, *known), values, -np.inf)
        options = {"score": score, "edge_cost": edge_cost}
        found = search_dag(counts, known, random_state=0, node_counts=own, **options)
        assert found.score == pytest.approx(values.max(), abs=1e-8)
        best = dags[values >= values.max() - 1e-8]
        assert found.adjacency.tolist() in best.tolist()
        direction = found.adjacency & apart
        assert all((dag & apart == direction).all() for dag in best)


@pytest.mark.parametrize("score", SCORES)
def test_graphs_equivalent_under_the_interventions_are_those_that_score_the_same(score):
    """Hauser and Buehlmann (2012): same skeleton, v-structures, and edges that are told apart."""
    _, own, apart = random_regimes(0, (2, 3, 2, 2))
    groups = {}
    for dag, value in zip(all_dags(4), textbook_scores(own, score, 0.0), strict=True):
        groups.setdefault(cpdag(dag, dag & apart).tobytes(), []).append(value)
    assert 185 < len(groups) < 543
    np.testing.assert_array_equal(FamilyScores(own[0], node_counts=own).told_apart, apart)
    assert not FamilyScores(own[0], node_counts=[own[0].copy()] * 4).told_apart.any()
    assert max(np.ptp(values) for values in groups.values()) < 1e-8
    assert np.diff(sorted(values[0] for values in groups.values())).min() > 1e-8


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("edge_cost", [0.0, 2.0])
def test_edge_probabilities_on_node_counts_equal_enumeration(constrained, edge_cost):
    counts, own, _ = random_regimes(1, (2, 3, 2, 2))
    counts, own = counts / 5, [table / 5 for table in own]  # few samples: many graphs matter
    known = EdgeConstraints(*random_constraints(4, 4)) if constrained else None
    allowed = meets(all_dags(4), *known) if constrained else True
    expected = probable_edges(own, edge_cost, allowed=allowed)
    found = edge_probabilities(counts, known, node_counts=own, edge_cost=edge_cost)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    if constrained:
        assert (found[known.required] == 1).all()
        assert (found[known.forbidden] == 0).all()


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("max_exact_nodes", [10, 0])
def test_a_node_that_was_set_in_every_sample_gets_no_parents(score, max_exact_nodes, monkeypatch):
    """It has no counts to learn them from; its edges to others are compared as usual."""
    counts, own, _ = random_regimes(2, (2, 3, 2), always_set=(1,))
    limited(monkeypatch, max_exact_nodes)
    found = search_dag(counts, node_counts=own, score=score)
    values = textbook_scores(own, score, 0.0)
    assert found.score == pytest.approx(values.max(), abs=1e-8)
    assert not found.adjacency[:, 1].any()
    probabilities = edge_probabilities(counts, node_counts=own)
    np.testing.assert_allclose(probabilities, probable_edges(own), atol=1e-9)


@pytest.mark.parametrize("max_exact_nodes", [12, 0])
def test_an_intervention_orients_an_edge(max_exact_nodes, monkeypatch):
    """0 -> 1 on observations; where 0 was set 1 still follows it, where 1 was set 0 does not."""
    table = np.array([[40.0, 10.0], [10.0, 40.0]])
    limited(monkeypatch, max_exact_nodes)
    for node_set, cause in ((0, 0), (0, 1), (1, 0), (1, 1)):
        under = table if node_set == cause else np.full((2, 2), 25.0)
        own = [table + (node != node_set) * under for node in range(2)]
        found = search_dag(table + under, node_counts=own)
        assert np.argwhere(found.adjacency).tolist() == [[cause, 1 - cause]]
        assert edge_probabilities(table + under, node_counts=own)[cause, 1 - cause] > 0.9


def test_told_apart_holds_beyond_the_exact_search(monkeypatch):
    counts, n_nodes = sparse_counts(0, 13).astype(float), 13
    rng = np.random.default_rng(0)
    under = rng.multinomial(2000, np.full(2**13, 2.0**-13)).reshape(counts.shape).astype(float)
    own = [counts + (node % 2) * under for node in range(n_nodes)]  # even nodes were set there
    is_set = np.arange(n_nodes) % 2 == 0
    apart = is_set[:, None] != is_set
    limited(monkeypatch, n_restarts=1)
    found = search_dag(counts + under, node_counts=own, random_state=0)
    assert found.adjacency.any()
    scores = FamilyScores(counts + under, node_counts=own)
    assert found.score == pytest.approx(scores.graph(found.adjacency), abs=1e-9)
    for i, j in np.argwhere(found.adjacency & apart):
        reverse = found.adjacency.copy()
        reverse[i, j], reverse[j, i] = False, True
        closed = np.linalg.matrix_power(reverse.astype(int) + np.eye(n_nodes, dtype=int), n_nodes)
        if not ((closed > 0) & (closed > 0).T & ~np.eye(n_nodes, dtype=bool)).any():
            assert scores.graph(reverse) <= found.score + 1e-9


@pytest.mark.parametrize("score", SCORES)
def test_an_edge_cost_is_paid_per_edge(score):
    counts = random_counts(3, (2, 3, 2, 2))
    free, paid = FamilyScores(counts, score), FamilyScores(counts, score, edge_cost=3.5)
    for dag in all_dags(4)[::20]:
        assert paid.graph(dag) == pytest.approx(free.graph(dag) - 3.5 * dag.sum(), abs=1e-9)
    assert not search_dag(counts, score=score, edge_cost=1e6).adjacency.any()


@pytest.mark.parametrize("total", [1e-6, 0.3, 1.0])
def test_next_to_no_samples_do_not_reward_edges(total):
    """log N is negative below one sample: the penalty must not turn into a reward."""
    independent = np.einsum("i,j,k->ijk", [0.3, 0.7], [0.2, 0.3, 0.5], [0.6, 0.4])
    assert not search_dag(total * independent).adjacency.any()
    found = search_dag(50 * independent, node_counts=[total * independent] * 3)
    assert not found.adjacency.any()


def test_a_prior_worth_less_than_a_sample_and_a_node_of_one_outcome_are_allowed():
    counts = random_counts(3, (2, 1, 3))
    scores = FamilyScores(counts, "bdeu", equivalent_sample_size=0.25)
    for node, parent in permutations(range(3), 2):
        expected = textbook_family(counts, node, [parent], "bdeu", 0.25)
        assert scores.family(node, 1 << parent) == pytest.approx(expected, abs=1e-9)
    assert FamilyScores([7.0]).family(0, 0) == 0.0  # one cell: nothing to explain or to pay for


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("order", [False, True])
def test_scores_of_families_one_by_one_and_all_at_once_are_equal(score, order):
    """In whichever order they are asked for: the terms are kept."""
    total, own, _ = random_regimes(5, (2, 3, 2))
    scores = FamilyScores(total, score, 2.0, 0.5, own)
    free = EdgeConstraints.none(3)
    before = scores.all_families(free) if order else None
    single = [
        [scores.family(node, mask) if not mask >> node & 1 else -np.inf for mask in range(8)]
        for node in range(3)
    ]
    np.testing.assert_allclose(scores.all_families(free) if before is None else before, single)


def test_nodes_that_were_set_together_share_their_terms():
    total, own, _ = random_regimes(6, (2, 2, 3, 2))
    scores = FamilyScores(total, node_counts=own)
    assert not scores.told_apart[1, 2]
    assert scores._terms[1] is scores._terms[2]  # computed once
    assert scores._terms[3].counts is not scores._terms[1].counts


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("total", [1.2, 3.0])
def test_few_samples_are_scored_by_the_textbook_too(score, total):
    counts = random_counts(8, (2, 3))
    counts *= total / counts.sum()
    scores = FamilyScores(counts, score)  # by default a prior worth one sample, edges for free
    for node in range(2):
        expected = textbook_family(counts, node, [1 - node], score, 1.0)
        assert scores.family(node, 1 << (1 - node)) == pytest.approx(expected, abs=1e-9)
