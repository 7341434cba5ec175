"""New names change nothing else."""

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima.graph import CategoricalDAG


@pytest.mark.parametrize("seed", range(5))
def test_orders_tables_and_attributes_stay(random_dag, seed):
    """Predecessors of random networks are in no special order, and axes follow them."""
    dag = random_dag(seed, states=True)
    for index, edge in enumerate(dag.graph.edges):
        dag.graph.edges[edge]["weight"] = index / 10
    dag.graph.graph["title"] = "random"
    mapping = {"n0": "n3", "n3": "n0", "n1": "hue", "n4": 7}  # n2 keeps its name, two swap
    new = dag.rename_nodes(mapping)
    names = ["n3", "hue", "n2", "n0", 7]
    assert new.nodes == names
    assert new.sizes == dag.sizes
    assert new.graph.graph == {"title": "random"}
    for old, name in zip(dag.nodes, names, strict=True):
        assert new.graph.nodes[name] == dag.graph.nodes[old]
        parents = [names[dag.nodes.index(parent)] for parent in dag.graph.predecessors(old)]
        assert list(new.graph.predecessors(name)) == parents
        assert_array_equal(new.cpts[name], dag.cpts[old])
        for parent in dag.graph.predecessors(old):
            renamed = names[dag.nodes.index(parent)]
            assert new.graph.edges[renamed, name] == dag.graph.edges[parent, old]
    assert_array_equal(new.joint(), dag.joint())
    assert_array_equal(new.sample(50, 0), dag.sample(50, 0))
    back = new.rename_nodes(dict(zip(names, dag.nodes, strict=True)))
    assert back.to_json() == dag.to_json()


def test_the_network_itself_keeps_its_names(sprinkler):
    new = sprinkler.rename_nodes({"r": "rain"})
    assert sprinkler.nodes == ["c", "s", "r", "w"]
    assert new.nodes == ["c", "s", "rain", "w"]
    assert new.do({"rain": 1}).marginal(["w"]) == pytest.approx(
        sprinkler.do({"r": 1}).marginal(["w"])
    )
    assert sprinkler.rename_nodes({}).nodes == sprinkler.nodes


def test_a_subclass_stays_one():
    class Network(CategoricalDAG):
        pass

    graph = nx.DiGraph()
    graph.add_node("a")
    assert isinstance(Network(graph, {"a": np.ones(1)}).rename_nodes({"a": "b"}), Network)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (["rain"], r"rename_nodes needs a mapping \{old: new\}; got \['rain'\]"),
        ({"x": "rain"}, r"no node 'x'; the nodes here are \['c', 's', 'r', 'w'\]"),
        ({"r": "w"}, "Nodes 'r' and 'w' would both be called 'w'"),
        ({"s": "a", "r": "a"}, "Nodes 's' and 'r' would both be called 'a'"),
        ({"r": None}, "Node 'r' cannot be called None"),
        ({"r": ["rain"]}, r"Node 'r' cannot be called \['rain'\]"),
    ],
)
def test_bad_names(sprinkler, mapping, message):
    with pytest.raises(ValueError, match=message):
        sprinkler.rename_nodes(mapping)
