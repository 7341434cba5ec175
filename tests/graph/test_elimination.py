"""Sums over tables: the order in which nodes go, and the work for long networks."""

import math

import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG, _elimination
from skcausalpima.graph._conditional import family_joints
from skcausalpima.graph._elimination import Factor, eliminate


def slow_order(factors, sizes, keep):
    """The greedy order by its definition: all tables are looked at for every node."""
    scopes = [set(factor.nodes) for factor in factors]
    remaining = [node for node in sizes if node not in keep]
    while remaining:
        near = {n: set().union(*(scope for scope in scopes if n in scope)) for n in remaining}
        node = min(remaining, key=lambda n: math.prod(sizes[m] for m in near[n]))
        remaining.remove(node)
        scopes = [scope for scope in scopes if node not in scope] + [near[node] - {node}]
        yield node


@pytest.mark.parametrize("seed", range(20))
def test_nodes_go_in_greedy_order(seed, random_dag):
    dag = random_dag(seed, n_nodes=12, max_size=4, edge_probability=0.1 + 0.02 * seed)
    factors = [Factor((*dag.graph.predecessors(n), n), dag.cpts[n]) for n in dag.nodes]
    sizes = {
        n: k for factor in factors for n, k in zip(factor.nodes, factor.array.shape, strict=True)
    }
    keep = dag.nodes[3:5]
    expected = list(slow_order(factors, sizes, keep))
    assert list(_elimination._greedy_order(factors, sizes, keep)) == expected


@pytest.mark.parametrize("shape", ["chain", "star", "comb"])
def test_work_is_linear_in_the_nodes(shape, monkeypatch):
    cells = []
    einsum = _elimination._einsum

    def counted(factors, keep):
        cells.append(sum(factor.array.size for factor in factors))
        return einsum(factors, keep)

    monkeypatch.setattr(_elimination, "_einsum", counted)
    parent = {"chain": lambda i: i - 1, "star": lambda i: 0, "comb": lambda i: (i - 1) // 2 * 2}
    factors = [Factor((0,), np.array([0.5, 0.5]))]
    factors += [Factor((parent[shape](i), i), np.full((2, 2), 0.5)) for i in range(1, 1000)]
    array, exponent = eliminate(factors, [999])
    np.testing.assert_allclose(array * 2.0**exponent, [0.5, 0.5], rtol=1e-12)
    assert sum(cells) < 20 * len(factors)


@pytest.mark.parametrize("seed", range(12))
def test_families_are_marginals(seed, random_dag):
    dag = random_dag(seed, n_nodes=4 + seed % 5, edge_probability=0.2 + 0.05 * seed)
    for node, joint in family_joints(dag.graph, dag.cpts).items():
        expected = dag.marginal([*dag.graph.predecessors(node), node])
        np.testing.assert_allclose(joint, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("seed", range(12))
def test_summary_has_the_strength_of_every_edge(seed, random_dag):
    dag = random_dag(seed, n_nodes=6, edge_probability=0.5)
    edges = map(tuple, np.argwhere(dag.adjacency))
    lines = dict(zip(edges, dag.summary().splitlines(), strict=True))
    assert lines
    for (i, j), line in lines.items():
        edge = (dag.nodes[i], dag.nodes[j])
        is_compelled = edge in dag.compelled_edges()
        arrow, kind = ("->", "compelled") if is_compelled else ("--", "reversible")
        assert line.split("  ")[0].strip() == f"{edge[0]} {arrow} {edge[1]}"
        assert line.endswith(f"{kind}  strength {dag.edge_strength(*edge):.4f} nats")


def test_summary_of_a_long_chain_makes_no_queries(monkeypatch):
    n_nodes = 200
    step = np.array([[0.9, 0.1], [0.2, 0.8]])
    dag = CategoricalDAG.from_arrays(
        np.eye(n_nodes, k=1, dtype=bool), [[0.5, 0.5]] + [step] * (n_nodes - 1)
    )
    expected = dag.edge_strength("N199", "N200")
    queries = []
    query = family_joints.__globals__["query"]
    monkeypatch.setitem(
        family_joints.__globals__, "query", lambda *args: queries.append(args[2]) or query(*args)
    )
    lines = dag.summary().splitlines()
    assert len(lines) == n_nodes - 1
    assert lines[-1] == f"N199 -- N200  reversible  strength {expected:.4f} nats"
    assert queries == [[]]  # of the first node, which has no parents
