"""What is identified: equivalence classes, strengths, the summary."""

from itertools import product

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from nodes_by_hand import all_dags

from skcausalpima._structure.equivalence import cpdag
from skcausalpima.graph import CategoricalDAG


def uniform_dag(adjacency):
    """A network with uniform tables on a graph."""
    tables = [np.full((2,) * (int(column.sum()) + 1), 0.5) for column in adjacency.T]
    return CategoricalDAG.from_arrays(adjacency, tables)


@pytest.fixture(scope="module")
def dags_by_class():
    groups = {}
    for adjacency in all_dags(4):
        groups.setdefault(cpdag(adjacency).tobytes(), []).append(uniform_dag(adjacency))
    return groups


def test_edges_of_all_dags_of_four_nodes(dags_by_class):
    for members in dags_by_class.values():
        edges = [set(member.graph.edges) for member in members]
        shared = set.intersection(*edges)
        both_ways = set.union(*edges)
        for member, own in zip(members, edges, strict=True):
            assert set(member.compelled_edges()) == shared
            assert set(member.reversible_edges()) == own - shared
            pattern = member.cpdag()
            assert set(pattern.edges) == both_ways
            assert {(u, v) for u, v, c in pattern.edges(data="compelled") if c} == shared


def test_markov_equivalent_on_all_pairs_of_some_dags(dags_by_class):
    members = [(key, dag) for key, group in dags_by_class.items() for dag in group[:1] + group[-1:]]
    for (first_key, first), (second_key, second) in product(members[::36], members):
        assert first.markov_equivalent(second) == (first_key == second_key)


def test_markov_equivalent_accepts_graphs_in_any_order_of_nodes(sprinkler):
    assert sprinkler.markov_equivalent(nx.DiGraph([("r", "c"), ("c", "s"), ("r", "w"), ("s", "w")]))
    assert not sprinkler.markov_equivalent(
        nx.DiGraph([("r", "c"), ("s", "c"), ("r", "w"), ("s", "w")])
    )
    with pytest.raises(ValueError, match=r"the same nodes.*\['w', 'x'\]"):
        sprinkler.markov_equivalent(nx.DiGraph([("r", "c"), ("c", "s"), ("r", "x")]))
    with pytest.raises(ValueError, match="DiGraph; got str"):
        sprinkler.markov_equivalent("w")


def test_sprinkler(sprinkler):
    assert sprinkler.v_structures() == [("s", "w", "r")]
    assert sprinkler.compelled_edges() == [("s", "w"), ("r", "w")]
    assert sprinkler.reversible_edges() == [("c", "s"), ("c", "r")]
    assert list(sprinkler.cpdag()) == sprinkler.nodes
    assert sprinkler.cpdag().nodes["w"]["size"] == 2


@pytest.mark.parametrize("seed", range(4))
def test_edge_strength_is_the_conditional_mutual_information(seed, random_dag, brute_force):
    dag = random_dag(seed, n_nodes=5)
    joint = brute_force(dag)

    def entropy(names):
        others = tuple(k for k, node in enumerate(dag.nodes) if node not in names)
        p = joint.sum(axis=others)
        return -(p * np.log(p)).sum()

    for parent, child in dag.graph.edges:
        others = [node for node in dag.graph.predecessors(child) if node != parent]
        expected = (
            entropy([parent, *others])
            + entropy([child, *others])
            - entropy([parent, child, *others])
            - entropy(others)
        )
        assert dag.edge_strength(parent, child) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="hold the node 'n0' twice"):
        dag.edge_strength("n0", "n0")


def test_edge_strength_with_impossible_cells(sprinkler):
    assert 0 < sprinkler.edge_strength("s", "w") < np.log(2)
    copy = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], np.eye(2)])
    assert copy.edge_strength("N1", "N2") == pytest.approx(np.log(2), abs=1e-12)
    assert copy.do({"N1": 0}).edge_strength("N1", "N2") == 0.0
    with pytest.raises(ValueError, match="no edge 'N2' -> 'N1'"):
        copy.edge_strength("N2", "N1")


def test_summary_says_what_is_identified(sprinkler):
    graph = sprinkler.graph.copy()
    graph.edges["s", "w"].update(weight=0.987, confidence=0.5)
    graph.edges["c", "r"]["compelled"] = True
    graph = nx.DiGraph(graph)
    lines = CategoricalDAG(graph, sprinkler.cpts).summary().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("c -- s  reversible  strength 0.1017 nats")
    assert lines[1].startswith("c -> r  known  strength")
    assert lines[2].startswith("s -> w  weight 0.99  compelled  strength")
    assert lines[2].endswith("nats  confidence 0.50")


def test_a_weak_arrow_shows_no_direction(sprinkler):
    """Of ten compelled arrows of weights below .8, three pointed the wrong way."""
    graph = nx.DiGraph(sprinkler.graph)
    graph.edges["s", "w"]["weight"] = 0.79
    graph.edges["r", "w"]["weight"] = 0.8
    dag = CategoricalDAG(graph, sprinkler.cpts)
    assert dag.compelled_edges() == [("s", "w"), ("r", "w")]  # of this graph, if it is right
    lines = dag.summary().splitlines()
    assert lines[2].startswith("s -- w  weight 0.79  compelled, weak  strength")
    assert lines[3].startswith("r -> w  weight 0.80  compelled  strength")
    assert "s - w, r -&gt; w" in dag._repr_svg_()
    graph.nodes["s"]["kind"] = "context"  # set from outside: the direction is known
    assert "s -> w" in CategoricalDAG(graph, sprinkler.cpts).summary()


def test_what_has_no_direction_says_how_probable_both_are_together(sprinkler):
    graph = nx.DiGraph(sprinkler.graph)
    weights = {("c", "s"): (0.5, 1.0), ("s", "w"): (0.6, 0.9), ("r", "w"): (0.8, 0.9)}
    for edge, (weight, adjacent) in weights.items():
        graph.edges[edge].update(weight=weight, adjacent=adjacent)
    lines = CategoricalDAG(graph, sprinkler.cpts).summary().splitlines()
    assert lines[0].startswith("c -- s  adjacent 1.00  reversible")
    assert lines[2].startswith("s -- w  adjacent 0.90  compelled, weak")
    assert lines[3].startswith("r -> w  weight 0.80  compelled")


def test_summary_of_no_edges():
    assert "independent" in CategoricalDAG.from_arrays([[0]], [[0.5, 0.5]]).summary()


def test_do_drops_what_was_known_about_directions(sprinkler):
    graph = nx.DiGraph(sprinkler.graph)
    nx.set_edge_attributes(graph, True, "compelled")
    nx.set_edge_attributes(graph, 0.5, "weight")
    after = CategoricalDAG(graph, sprinkler.cpts).do({"s": 1})
    assert all("compelled" not in data for *_, data in after.graph.edges(data=True))
    assert all(data["weight"] == 0.5 for *_, data in after.graph.edges(data=True))


def test_what_is_compared_with_nothing_is_no_node():
    dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    with pytest.raises(ValueError, match="There is no node <NA>; the nodes here are"):
        dag.d_separated(pd.NA, "N1")
