"""Sums over tables, against the whole grid: the order in which nodes go, and the work."""

import itertools
import math

import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG, _elimination
from skcausalpima.graph._conditional import family_joints
from skcausalpima.graph._elimination import Factor, eliminate

SIZES = {"a": 2, "b": 3, "c": 2, "d": 4}
SCOPES = [("a",), ("b", "a"), ("c", "b"), ("d", "b", "a"), ("d",), ("c", "a")]


def random_factors(seed, scopes=SCOPES, sizes=SIZES, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = [[sizes[node] for node in scope] for scope in scopes]
    return [Factor(s, scale * rng.random(n)) for s, n in zip(scopes, shapes, strict=True)]


def brute_force(factors, keep):
    """Cell by cell over all nodes."""
    sizes = {node: n for f in factors for node, n in zip(f.nodes, f.array.shape, strict=True)}
    total = np.zeros([sizes[node] for node in keep])
    for values in itertools.product(*(range(size) for size in sizes.values())):
        cell = dict(zip(sizes, values, strict=True))
        product = np.prod([f.array[tuple(cell[node] for node in f.nodes)] for f in factors])
        total[tuple(cell[node] for node in keep)] += product
    return total


@pytest.mark.parametrize("keep", [(), ("d",), ("c", "a"), ("a", "c"), ("b", "d"), tuple("dcba")])
@pytest.mark.parametrize("n_factors", [4, 6])
def test_sums_are_those_over_the_whole_grid(keep, n_factors):
    factors = random_factors(0)[:n_factors]
    array, exponent = eliminate(factors, list(keep))
    assert array.shape == tuple(SIZES[node] for node in keep)
    np.testing.assert_allclose(array * 2.0**exponent, brute_force(factors, keep))


@pytest.mark.parametrize("keep", [["a"], ["c", "d"]])
@pytest.mark.parametrize("power", [-300, 300])
def test_scales_add_up_beyond_what_a_float_can_hold(keep, power):
    """Six factors of 2^-300 each: 2^-1800 underflows, and 2^1800 overflows."""
    plain = random_factors(1)
    scaled = [Factor(f.nodes, f.array * 2.0**power) for f in plain]
    array, exponent = eliminate(scaled, keep)
    np.testing.assert_allclose(array * 2.0 ** (exponent - 6 * power), brute_force(plain, keep))
    assert 0.5 <= array.max() < 1


def test_factors_that_share_nothing_multiply():
    factors = random_factors(2, [("a",), ("b",), ("d",)])
    array, exponent = eliminate(factors, ["d", "a"])
    np.testing.assert_allclose(array * 2.0**exponent, brute_force(factors, ["d", "a"]))


def test_sum_of_what_is_impossible_is_zero():
    factors = [Factor(("a",), np.array([0.0, 1.0])), Factor(("a", "b"), np.eye(2)[::-1] * [0, 1])]
    array, exponent = eliminate(factors, ["b"])
    assert (array == 0).all()
    assert isinstance(exponent, int)


def test_no_factors_and_nothing_kept_is_one():
    array, exponent = eliminate([], [])
    assert (array.shape, array * 2.0**exponent) == ((), 1.0)


def test_tables_up_to_the_limit_are_allowed(monkeypatch):
    factors = random_factors(3, [("a",), ("b",), ("d",)])
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 24)
    array, exponent = eliminate(factors, ["a", "b", "d"])
    np.testing.assert_allclose(array * 2.0**exponent, brute_force(factors, ["a", "b", "d"]))
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 23)
    with pytest.raises(ValueError, match="a table of 24 cells; at most 23 are"):
        eliminate(factors, ["a", "b", "d"])


def test_tables_on_the_way_are_limited_too(monkeypatch):
    factors = random_factors(4, [("a", "b"), ("b", "d"), ("d", "a")])
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 12)
    with pytest.raises(ValueError, match="a table of 24 cells"):
        eliminate(factors, ["a"])


def test_more_than_a_gibibyte_is_refused():
    """28 binary nodes at once have 2^28 cells of eight bytes."""
    factors = [Factor((node,), np.full(2, 0.5)) for node in range(28)]
    with pytest.raises(ValueError, match=r"a table of 2.68e\+8 cells; at most 1.34e\+8 are"):
        eliminate(factors, range(28))


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
