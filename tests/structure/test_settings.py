"""What the user may say about the graph, and what comes of contradictions."""

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._structure.constraints import edge_constraints
from skcausalpima._structure.settings import graph_settings

NAMES = ["a", "b", "c"]


def settings(names=NAMES, **stated):
    defaults = {
        "structure": "refined",
        "structure_score": "bic",
        "required_edges": None,
        "forbidden_edges": None,
        "tiers": None,
        "edge_penalty": 0,
        "edge_threshold": 0.5,
    }
    given = defaults | stated
    known = {name: given.pop(name) for name in ("required_edges", "forbidden_edges", "tiers")}
    constraints = edge_constraints(names, **known)
    structure, score = given.pop("structure"), given.pop("structure_score")
    return graph_settings(names, structure, constraints, tiers=known["tiers"], score=score, **given)


def edges(matrix, names=NAMES):
    return {names[i] + names[j] for i, j in np.argwhere(matrix)}


# Edges ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["refined", "gradient"])
def test_nothing_stated(structure):
    graph = settings(structure=structure, structure_score="bdeu", edge_penalty=0.5)
    assert (graph.structure, graph.score, graph.edge_penalty) == (structure, "bdeu", 0.5)
    assert not graph.states_edges
    assert not graph.constraints.required.any()
    assert edges(graph.constraints.forbidden) == {"aa", "bb", "cc"}
    assert not graph.precedence.any()


@pytest.mark.parametrize(
    "stated",
    [{"required_edges": [("a", "b")]}, {"forbidden_edges": [("a", "b")]}, {"tiers": ["a", "b"]}],
)
def test_something_stated(stated):
    assert settings(**stated).states_edges


@pytest.mark.parametrize(
    "pairs",
    [
        [("c", "a"), ("b", "a")],
        (["c", "a"], ["b", "a"]),
        {("c", "a"), ("b", "a")},
        np.array([["c", "a"], ["b", "a"]]),
        list(nx.DiGraph([("c", "a"), ("b", "a")]).edges),
    ],
    ids=["list", "tuple", "set", "ndarray", "networkx"],
)
def test_forms_of_edges(pairs):
    assert edges(settings(required_edges=pairs).constraints.required) == {"ca", "ba"}
    forbidden = settings(forbidden_edges=pairs).constraints.forbidden
    assert edges(forbidden) == {"ca", "ba", "aa", "bb", "cc"}


def test_required_edges_and_tiers_order_the_nodes():
    graph = settings(required_edges=[("c", "a")])
    assert edges(graph.precedence) == {"ca"}
    graph = settings(tiers=[["b", "c"], ["a"]])
    assert edges(graph.precedence) == {"ba", "ca"}
    assert edges(graph.constraints.forbidden) == {"ab", "ac", "aa", "bb", "cc"}
    assert not settings(forbidden_edges=[("a", "b")]).precedence.any()  # b -> c -> a is fine


def test_a_required_way_back_by_a_free_node_leaves_the_tiers_to_the_forbidden_edges():
    """a before b forbids b -> a, not b -> c -> a; an order of the nodes would."""
    graph = settings(tiers=["a", "b"], required_edges=[("b", "c"), ("c", "a")])
    assert edges(graph.precedence) == {"bc", "ca"}
    assert edges(graph.constraints.forbidden) == {"ba", "aa", "bb", "cc"}


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"required_edges": [("a", "x")]}, "knowledge__required names the unknown node 'x'; .*'c'"),
        ({"forbidden_edges": [("x", "a")]}, "knowledge__forbidden names the unknown node 'x'"),
        ({"tiers": ["a", ["x"]]}, "knowledge__tiers names the unknown node 'x'"),
        ({"tiers": ["a", ["b", "a"]]}, "knowledge__tiers has the node 'a' twice"),
        ({"required_edges": ("a", "b")}, r"pairs \(parent, child\); got 'a'"),
        ({"required_edges": [("a", "b", "c")]}, r"pairs \(parent, child\); got \('a', 'b', 'c'\)"),
        ({"required_edges": [1]}, r"knowledge__required must be pairs \(parent, child\); got 1"),
        ({"tiers": ["a", 1]}, r"knowledge__tiers must hold nodes or groups of nodes; got 1"),
        ({"required_edges": [("a", "a")]}, "required edge 'a' -> 'a' is a loop"),
        (
            {"required_edges": [("a", "b"), ("b", "c"), ("c", "a")]},
            "cycle 'a' -> 'b' -> 'c' -> 'a'; leave one of them out",
        ),
        (
            {"required_edges": [("a", "b")], "forbidden_edges": [("a", "b")]},
            "'a' -> 'b' is both required and forbidden",
        ),
        (
            {"required_edges": [("b", "a")], "tiers": ["a", "b"]},
            "'b' -> 'a' is both required and forbidden",
        ),
    ],
)
def test_contradictions_name_the_nodes(stated, message):
    with pytest.raises(ValueError, match=message):
        edge_constraints(NAMES, **stated)


# A given graph --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.MultiDiGraph])
def test_a_given_graph_is_its_own_and_only_candidate(kind):
    graph = kind([("c", "b"), ("c", "b"), ("b", "a")])
    nx.set_edge_attributes(graph, 0.0, "weight")  # attributes do not matter
    found = settings(structure=graph)
    assert found.structure == "fixed"
    assert edges(found.constraints.required) == edges(found.precedence) == {"cb", "ba"}
    assert_array_equal(found.constraints.forbidden, ~found.constraints.required)


def test_a_given_graph_without_edges():
    graph = nx.DiGraph()
    graph.add_nodes_from("cba")
    found = settings(structure=graph)
    assert found.states_edges
    assert found.constraints.forbidden.all()
    single = nx.DiGraph()
    single.add_node("N1")
    assert not settings(["N1"], structure=single).states_edges


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"structure": [("a", "b")]}, r"over the nodes \['a', 'b'\].*\['a', 'b', 'c'\]; name them"),
        ({"structure": [("a", "x"), ("b", "c")]}, r"over the nodes \['a', 'x', 'b', 'c'\]"),
        ({"structure": [("a", "b"), ("b", "c"), ("c", "a")]}, "cycle 'a' -> 'b' -> 'c' -> 'a'"),
        ({"structure": [("a", "b"), ("b", "c"), ("c", "c")]}, "cycle 'c' -> 'c'"),
        ({"required_edges": [("a", "c")]}, "structure lacks the required edge 'a' -> 'c'"),
        ({"forbidden_edges": [("b", "c")]}, "structure has the forbidden edge 'b' -> 'c'"),
        ({"tiers": [["a", "c"], "b"]}, "structure has the forbidden edge 'b' -> 'c'"),
    ],
)
def test_a_given_graph_that_cannot_be(stated, message):
    given = {"structure": [("a", "b"), ("b", "c")]} | stated
    given["structure"] = nx.DiGraph(given["structure"])
    with pytest.raises(ValueError, match=message):
        settings(**given)


def test_a_given_graph_that_agrees_with_what_else_is_stated():
    graph = nx.DiGraph([("a", "b"), ("b", "c")])
    found = settings(
        structure=graph, required_edges=[("a", "b")], forbidden_edges=[("a", "c")], tiers=NAMES
    )
    assert edges(found.constraints.required) == {"ab", "bc"}
