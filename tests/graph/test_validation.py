"""Bad input: one clear error that names the node and the entry."""

import networkx as nx
import numpy as np
import pytest
import torch

from skcausalpima.graph import CategoricalDAG

EDGE = nx.DiGraph([("a", "b")])
HALF = [0.5, 0.5]


@pytest.mark.parametrize(
    ("graph", "cpts", "message"),
    [
        (nx.DiGraph([("a", "b"), ("b", "a")]), {}, "cycle 'a' -> 'b' -> 'a'"),
        (nx.DiGraph([("a", "a")]), {}, "cycle 'a' -> 'a'"),
        (nx.Graph([("a", "b")]), {}, "networkx.DiGraph; got Graph"),
        (nx.MultiDiGraph([("a", "b")]), {}, "networkx.DiGraph; got MultiDiGraph"),
        (nx.DiGraph(), {}, "no nodes"),
        (EDGE, [HALF, HALF], "mapping from node to table; got list"),
        (EDGE, {"a": HALF}, r"missing for \['b'\]"),
        (EDGE, {"a": HALF, "b": np.eye(2), "x": HALF}, r"no nodes \['x'\]"),
        (
            EDGE,
            {"a": HALF, "b": HALF},
            r"'b' must have axes .*\('a', 'b'\).*\(2, 2\); got shape \(2,\)",
        ),
        (EDGE, {"a": HALF, "b": np.ones((3, 2)) / 2}, r"'b' must have axes.*got shape \(3, 2\)"),
        (EDGE, {"a": HALF, "b": [[0.5, 0.5], [0.5, 0.6]]}, "'b' must sum to 1.*1.1.*'a': 1"),
        (EDGE, {"a": [0.5, 0.4], "b": np.eye(2)}, "'a' must sum to 1.*0.9"),
        (EDGE, {"a": HALF, "b": [[0.5, 0.5], [-0.1, 1.1]]}, r"'b'.*entry \(1, 0\) is -0.1"),
        (EDGE, {"a": [np.nan, 1.0], "b": np.eye(2)}, r"'a'.*entry \(0,\) is nan"),
        (EDGE, {"a": "x", "b": np.eye(2)}, "table of node 'a' is no rectangular array"),
        (EDGE, {"a": 1.0, "b": np.eye(2)}, "table of node 'a' is empty"),
        (EDGE, {"a": [], "b": np.eye(2)}, "table of node 'a' is empty"),
    ],
)
def test_graphs_and_tables(graph, cpts, message):
    with pytest.raises(ValueError, match=message):
        CategoricalDAG(graph, cpts)


def test_tensors_and_numbers_that_numpy_cannot_read():
    def chain(table, **options):
        return CategoricalDAG.from_arrays([[0, 1], [0, 0]], [HALF, table], **options)

    plain = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    np.testing.assert_array_equal(chain(plain).cpts["N2"], plain.numpy())
    tracked = plain.clone().requires_grad_()
    for table in (tracked, list(tracked), [[0.5, 0.5], tracked[1]]):
        with pytest.raises(ValueError, match=r"table of node 'N2' cannot.*tensor\.detach\(\)"):
            chain(table)
    with pytest.raises(ValueError, match=r"weights cannot be read.*tensor\.detach\(\)"):
        chain(plain, weights=tracked)
    np.testing.assert_array_equal(chain(tracked.detach()).cpts["N2"], plain.numpy())
    message = "table of node 'N2' is no rectangular array of numbers: "
    with pytest.raises(ValueError, match=f"{message}.*complex"):
        chain(np.eye(2) + 0j)
    with pytest.raises(ValueError, match=f"{message}.*too large"):
        chain([[10**400, 0], [0, 1]])
    with pytest.raises(ValueError, match=f"{message}.*BFloat16"):
        chain(plain.to(torch.bfloat16))


def test_weights_have_the_shape_of_the_adjacency():
    with pytest.raises(ValueError, match=r"adjacency's shape \(2, 2\); got \(1, 2\)"):
        CategoricalDAG.from_arrays([[0, 1], [0, 0]], [HALF, np.eye(2)], weights=[[0, 1]])


def test_names_of_outcomes_have_an_order():
    graph = nx.DiGraph()
    graph.add_node("a", states={"x": 0, "y": 1})
    with pytest.raises(ValueError, match="states of node 'a' must be 2 different strings"):
        CategoricalDAG(graph, {"a": HALF})


def test_node_attributes_must_agree_with_the_table():
    graph = nx.DiGraph()
    graph.add_node("a", size=3)
    with pytest.raises(ValueError, match="'a' has the attribute size=3, but its table has 2"):
        CategoricalDAG(graph, {"a": HALF})
    for states in (["x"], ["x", "x"], [0, 1], "xy", 7):
        graph = nx.DiGraph()
        graph.add_node("a", states=states)
        with pytest.raises(ValueError, match="states of node 'a' must be 2 different strings"):
            CategoricalDAG(graph, {"a": HALF})


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ({"x": 0}, "no node 'x'"),
        ({"w": 2}, "'w' has no outcome 2; give a whole number from 0 to 1"),
        ({"w": -1}, "'w' has no outcome -1"),
        ({"w": 0.5}, "'w' has no outcome 0.5"),
        ({"w": True}, "'w' has no outcome True"),
        ({"w": "yes"}, "'w' has no outcome 'yes'"),
        (["w"], "mapping"),
    ],
)
@pytest.mark.parametrize("method", ["condition", "do"])
def test_outcomes(sprinkler, method, outcomes, message):
    with pytest.raises(ValueError, match=message):
        getattr(sprinkler, method)(outcomes)


def test_named_outcomes_are_listed(random_dag):
    with pytest.raises(ValueError, match=r"'n0' has no outcome 'high'.*one of .*s0<n0/"):
        random_dag(0, states=True).do({"n0": "high"})


def test_everything_or_the_impossible(sprinkler):
    everything = dict.fromkeys(sprinkler.nodes, 0)
    with pytest.raises(ValueError, match=r"do sets every node \(\['c', 's', 'r', 'w'\]\)"):
        sprinkler.do(everything)
    with pytest.raises(ValueError, match=r"condition fixes every node.*log_prob"):
        sprinkler.condition(everything)
    with pytest.raises(ValueError, match=r"probability zero: \{'s': 0, 'r': 0, 'w': 1\} cannot"):
        sprinkler.condition({"s": 0, "r": 0, "w": 1})


def test_names(sprinkler):
    for dag in (sprinkler, sprinkler.condition({"c": 0})):
        with pytest.raises(ValueError, match="no node 'x'"):
            dag.marginal(["w", "x"])
        with pytest.raises(ValueError, match="the node 'w' twice"):
            dag.marginal(["w", "w"])
        with pytest.raises(ValueError, match=r"write \['w'\]"):
            dag.marginal("w")
    with pytest.raises(ValueError, match="no node 'c'; the nodes here are"):
        sprinkler.condition({"c": 0}).marginal(["c"])
    with pytest.raises(ValueError, match="no node 'x'"):
        sprinkler.ancestors("x")
    with pytest.raises(ValueError, match="no node 'x'"):
        sprinkler.d_separated("c", ["x"])
    with pytest.raises(ValueError, match="must not overlap"):
        sprinkler.d_separated("c", "s", ["c"])


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ([0, 1, 0, 1], r"shape \(n_samples, 4\).*got shape \(4,\)"),
        ([[0, 1, 0]], r"got shape \(1, 3\)"),
        ([[0, 0, 0, 0], [0, 2, 0, 0]], r"'s' has no outcome 2 \(row 1\).*0 to 1"),
        ([[0, -1, 0, 0]], r"'s' has no outcome -1 \(row 0\)"),
        ([[0.5, 0, 0, 0]], r"'c' has no outcome 0.5 \(row 0\)"),
        ([[np.nan, 0, 0, 0]], r"'c' has no outcome nan \(row 0\)"),
        ([["a", "b", "c", "d"]], "whole numbers; got dtype"),
    ],
)
def test_log_prob(sprinkler, outcomes, message):
    with pytest.raises(ValueError, match=message):
        sprinkler.log_prob(outcomes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1]], [HALF, HALF]), r"adjacency must have shape \(2, 2\).*got \(1, 2\)"),
        (([[0, 0.5], [0, 0]], [HALF, np.eye(2)]), "threshold edge weights first"),
        (([[0, 1], [0, 0]], [HALF, np.eye(2)], ["a", "a"]), "2 different names"),
        (([[0, 1], [0, 0]], [HALF, np.eye(2)], ["a"]), "2 different names"),
        (([[0, 1], [1, 0]], [np.eye(2), np.eye(2)]), "cycle 'N1' -> 'N2' -> 'N1'"),
    ],
)
def test_from_arrays(arguments, message):
    with pytest.raises(ValueError, match=message):
        CategoricalDAG.from_arrays(*arguments)


def test_missing_optional_packages_are_named(sprinkler, monkeypatch):
    for module in ("pandas", "pgmpy.factors.discrete", "pgmpy.models"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'skcausalpima\[pandas\]'"):
        sprinkler.table("w")
    with pytest.raises(ImportError, match="pip install pgmpy"):
        sprinkler.to_pgmpy()
