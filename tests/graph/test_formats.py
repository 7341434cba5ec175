"""Files: what is written comes back, and damaged files are refused by name."""

import json
import warnings

import networkx as nx
import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG


def assert_same(first, second, attributes=True):
    """Same nodes, order of parents, tables bit for bit and attributes."""
    assert first.nodes == second.nodes
    for node in first.nodes:
        assert list(first.graph.predecessors(node)) == list(second.graph.predecessors(node))
        np.testing.assert_array_equal(first.cpts[node], second.cpts[node])
    if attributes:
        assert first.states == second.states
        assert dict(first.graph.nodes(data=True)) == dict(second.graph.nodes(data=True))
        assert {e: first.graph.edges[e] for e in first.graph.edges} == {
            e: second.graph.edges[e] for e in second.graph.edges
        }


@pytest.fixture(params=range(6))
def decorated(request, random_dag):
    """A random network with names of outcomes and attributes of all kinds."""
    dag = random_dag(request.param, n_nodes=request.param + 1, states=request.param % 2 == 1)
    graph = nx.DiGraph()
    graph.add_nodes_from(dag.graph.nodes(data=True))
    for child in dag.nodes:
        for parent in dag.graph.predecessors(child):
            graph.add_edge(
                parent, child, weight=np.float64(1 / 3), compelled=True, note="a <b> & c"
            )
    graph.nodes["n0"]["meaning"] = 'shift "x"'
    return CategoricalDAG(graph, dag.cpts)


def test_json_comes_back_bit_for_bit(decorated):
    text = decorated.to_json()
    assert isinstance(text, str)
    assert_same(CategoricalDAG.from_json(text), decorated)


def test_graphml_has_the_graph_with_what_nodes_and_edges_carry(decorated):
    read = nx.parse_graphml(decorated.to_graphml())
    assert list(read) == list(decorated.nodes)
    assert {*read.edges} == {*decorated.graph.edges}
    for u, v, data in decorated.graph.edges(data=True):
        assert read.edges[u, v] == data
    for node, data in decorated.graph.nodes(data=True):
        states = data.get("states")
        joined = {} if states is None else {"states": ", ".join(states)}
        assert read.nodes[node] == data | joined


def test_bif_comes_back_bit_for_bit(decorated):
    back = CategoricalDAG.from_bif(decorated.to_bif())
    assert_same(back, decorated, attributes=False)
    expected = {
        node: decorated.states.get(node, tuple(map(str, range(size))))
        for node, size in zip(decorated.nodes, decorated.sizes, strict=True)
    }
    assert back.states == expected


def test_bif_reads_other_writers_forms():
    text = """
    // a comment
    network "my net" { property author = someone ; }
    variable a { type discrete[2] { yes no }; property position = (1, 2) ; }
    variable b { /* another */ type discrete [ 3 ] { "low end", mid, <5 }; }
    probability ( a ) { table 0.25 0.75 ; }
    probability ( b | a ) { default 0.2, 0.3, 0.5 ; (no) 1e-1 0.4 .5 ; }
    """
    dag = CategoricalDAG.from_bif(text)
    assert dag.states == {"a": ("yes", "no"), "b": ("low end", "mid", "<5")}
    np.testing.assert_array_equal(dag.cpts["b"], [[0.2, 0.3, 0.5], [0.1, 0.4, 0.5]])
    head, _, tail = text.partition("{ default")
    assert tail
    slow = head + "{ table 0.2, 0.1, 0.3, 0.4, 0.5, 0.5 ; }"  # the child's outcome varies slowest
    assert_same(CategoricalDAG.from_bif(slow), dag)


BIF = """variable a { type discrete [ 2 ] { x, y }; }
variable b { type discrete [ 2 ] { u, v }; }
probability ( a ) { table 0.5, 0.5; }
probability ( b | a ) { (x) 0.5, 0.5; (y) 0.1, 0.9; }
"""


@pytest.mark.parametrize("end", ["\r\n", " ", "\n\n"])
def test_bif_may_have_any_ends_of_lines(end):
    """Nor need there be one behind the last bracket."""
    text = end.join(BIF.split("\n")).rstrip()
    assert_same(CategoricalDAG.from_bif(text), CategoricalDAG.from_bif(BIF))


def test_bif_tells_names_apart_that_differ_by_case():
    capitals = BIF.replace("variable b", "variable A").replace("( b | a )", "( A | a )")
    assert CategoricalDAG.from_bif(capitals).nodes == ["a", "A"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("variable a", "node a", "Unknown entry 'node' in line 1"),
        ("discrete [ 2 ] { x, y }", "discrete [ 3 ] { x, y }", "'a' is declared with 3 outcomes"),
        ("{ type discrete [ 2 ] { u", "{ size 2; type discrete [ 2 ] { u", "'b' has the unknown"),
        ("(y) 0.1, 0.9;", "", r"'b' has no entry for \('y',\)"),
        ("(y) 0.1, 0.9;", "(z) 0.1, 0.9;", r"'b' has an entry for \('z',\)"),
        ("(y) 0.1, 0.9;", "(y) 0.1;", "'b', entry row .* has 1 numbers; expected 2"),
        ("(y) 0.1, 0.9;", "(y) 0.1, 0.8;", "node 'b' must sum to 1.*'a': 1"),
        ("(y) 0.1, 0.9;", "(y) -0.1, 1.1;", r"'b'.*entry \(1, 0\) is -0.1"),
        ("(y) 0.1, 0.9;", "(y) 0.1, x;", "'b' has a bad entry.*'x'"),
        ("(y) 0.1, 0.9;", "rows 0.1, 0.9;", "'b' has the unknown entry 'rows' in line 4"),
        ("( b | a )", "( b | c )", "'b' names the unknown node 'c'"),
        ("( b | a )", "( b | b )", "'b' names a node twice"),
        ("( b | a )", "( a )", "two probability blocks for 'a'"),
        ("variable b", "variable a", "'a' is declared twice"),
        ("probability ( a ) { table 0.5, 0.5; }", "", r"missing for \['a'\]"),
        ("0.9; }", "0.9", "ends in the middle"),
        ("( b | a )", "( b a )", "Expected '|'.*got 'a'"),
        ("[ 2 ] { u", "( 2 ] { u", r"Expected '\[' in line 2; got '\('"),
        ("variable b", "variable { b", "Expected a name in line 2; got '{'"),
    ],
)
def test_damaged_bif(old, new, message):
    CategoricalDAG.from_bif(BIF)
    damaged = BIF.replace(old, new, 1)
    assert damaged != BIF
    with pytest.raises(ValueError, match=message):
        CategoricalDAG.from_bif(damaged)


def change(**changes):
    def apply(document):
        document.update(changes)

    return apply


def change_node(position, **changes):
    def apply(document):
        document["nodes"][position].update(changes)

    return apply


def make_cycle(document):
    document["nodes"][0]["parents"] = ["N2"]
    document["edges"].append({"parent": "N2", "child": "N1", "attributes": {}})


def change_edge(**changes):
    def apply(document):
        document["edges"][0].update(changes)

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change(colour="red"), r"The file has unknown fields \['colour'\]"),
        (change(version=99), "version 99; this release reads"),
        (change(nodes={}), "nodes must be a list"),
        (change_node(1, colour="red"), r"Node number 1 has unknown fields \['colour'\]"),
        (
            lambda d: d["nodes"][1].pop("table"),
            r"Node number 1 \('N2'\) lacks the fields \['table'\]",
        ),
        (lambda d: d["edges"].clear(), "lists 0 edges, but the nodes' parents make 1"),
        (lambda d: d["nodes"].append(3), "Node number 2 must be an object"),
        (change_node(1, name="N1"), "Node number 1 has the name 'N1'"),
        (change_node(1, name=["N1"]), "Node number 1 has the name"),
        (change_node(1, parents=["X"]), "no node 'X'"),
        (change_node(1, parents="N1"), "parents of node 'N2' must be a list"),
        (change_node(0, parents=["N2"]), "lists 1 edges, but the nodes' parents make 2"),
        (make_cycle, "cycle 'N1' -> 'N2' -> 'N1'"),
        (change_node(1, size=3), "'N2' has the attribute size=3"),
        (change_node(1, states=["a"]), "states of node 'N2' must be 2 different strings"),
        (change_node(1, states=4), "states of node 'N2' must be 2 different strings"),
        (change_node(1, table=[[0.5, 0.5], [1.0]]), "table of node 'N2' is no rectangular array"),
        (change_node(1, table=[[0.5, 0.5], ["a", 1.0]]), "table of node 'N2' is no rectangular"),
        (change_node(1, table=[[0.5, 0.5], [0.5, 0.6]]), "node 'N2' must sum to 1"),
        (change_node(1, attributes={"table": 1}), "attribute 'table' of node 'N2'"),
        (change_node(1, attributes={"x": [1]}), "attribute 'x' of node 'N2'"),
        (change_node(1, attributes=None), "node 'N2' must be an object"),
        (change_edge(child="X"), "Edge number 0, 'N1' -> 'X', is not among"),
        (change_edge(child=["X"]), "Edge number 0.* is not among"),
        (change_edge(colour=1), r"Edge number 0 has unknown fields \['colour'\]"),
    ],
)
def test_damaged_json(damage, message):
    dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    document = json.loads(dag.to_json())
    damage(document)
    with pytest.raises(ValueError, match=message):
        CategoricalDAG.from_json(json.dumps(document))


def test_texts_of_another_kind():
    with pytest.raises(ValueError, match="no valid JSON"):
        CategoricalDAG.from_json("{")
    with pytest.raises(ValueError, match="The file must be an object"):
        CategoricalDAG.from_json("[]")


def test_names_and_attributes_that_files_cannot_hold():
    numbered = CategoricalDAG.from_arrays([[0]], [[0.5, 0.5]], names=[1])
    for method in (numbered.to_json, numbered.to_graphml, numbered.to_bif):
        with pytest.raises(ValueError, match=r"[nN]ode 1"):
            method()
    spaced = CategoricalDAG.from_arrays([[0]], [[0.5, 0.5]], names=["a b"])
    assert_same(CategoricalDAG.from_json(spaced.to_json()), spaced)
    with pytest.raises(ValueError, match=r"Node 'a b'.*cannot be written as a word of BIF"):
        spaced.to_bif()
    graph = nx.DiGraph([("a", "b", {"weight": np.nan})])
    with pytest.raises(ValueError, match="attribute 'weight' of edge 'a' -> 'b'"):
        CategoricalDAG(graph, {"a": [1.0], "b": [[1.0]]}).to_json()


def test_dot(sprinkler):
    graph = nx.DiGraph(sprinkler.graph)
    graph.edges["s", "w"]["weight"] = 0.5
    lines = CategoricalDAG(graph, sprinkler.cpts).to_dot().splitlines()
    assert '  "c" -> "s" [style=dashed, dir=none];' in lines
    assert '  "s" -> "w" [style=dashed, dir=none, label="weight 0.50"];' in lines
    graph.edges["s", "w"]["adjacent"] = 0.7
    assert 'label="adjacent 0.70"]' in CategoricalDAG(graph, sprinkler.cpts).to_dot()
    graph.edges["s", "w"]["weight"] = 0.9  # an arrow
    assert '"s" -> "w" [label="weight 0.90"];' in CategoricalDAG(graph, sprinkler.cpts).to_dot()
    assert '  "r" -> "w";' in lines
    quoted = CategoricalDAG.from_arrays([[0]], [[1.0]], names=['say "x\\"']).to_dot()
    assert r'"say \"x\\\"";' in quoted


def test_table_is_labelled(random_dag):
    pandas = pytest.importorskip("pandas")
    dag = random_dag(1, n_nodes=6, states=True)
    for node in dag.nodes:
        parents = list(dag.graph.predecessors(node))
        table = dag.table(node)
        assert list(table.columns) == list(dag.states[node])
        assert table.columns.name == node
        if parents:
            assert list(table.index.names) == parents
            last = tuple(dag.states[parent][-1] for parent in parents)
            row = table.loc[last if len(parents) > 1 else last[0]]
            np.testing.assert_array_equal(row, dag.cpts[node][(-1,) * len(parents)])
        else:
            pandas.testing.assert_index_equal(table.index, pandas.Index([""]))
    with pytest.raises(ValueError, match="no node 'x'"):
        dag.table("x")


@pytest.fixture
def pgmpy():
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip("pgmpy.readwrite")


@pytest.mark.parametrize("seed", range(3))
def test_pgmpy_gets_the_same_tables(seed, random_dag, pgmpy):
    dag = random_dag(seed, n_nodes=5, states=seed == 1)
    model = dag.to_pgmpy()
    assert model.check_model()
    assert list(model.nodes()) == dag.nodes
    for node in dag.nodes:
        factor = model.get_cpds(node)
        assert factor.variables == [node, *dag.graph.predecessors(node)]
        np.testing.assert_array_equal(np.moveaxis(factor.values, 0, -1), dag.cpts[node])
        size = dag.cpts[node].shape[-1]
        assert factor.state_names[node] == list(dag.states.get(node, range(size)))


@pytest.mark.parametrize("seed", range(3))
def test_pgmpy_reads_our_bif_and_we_read_pgmpys(seed, random_dag, pgmpy):
    dag = random_dag(seed, n_nodes=5)
    read = pgmpy.BIFReader(string=dag.to_bif()).get_model()
    assert set(read.edges()) == set(dag.graph.edges)
    for node in dag.nodes:
        factor = read.get_cpds(node)
        assert factor.variables == [node, *dag.graph.predecessors(node)]
        np.testing.assert_array_equal(np.moveaxis(factor.values, 0, -1), dag.cpts[node])
    back = CategoricalDAG.from_bif(str(pgmpy.BIFWriter(dag.to_pgmpy())))
    for node in dag.nodes:
        np.testing.assert_allclose(
            back.marginal([node, dag.nodes[0]] if node != dag.nodes[0] else [node]),
            dag.marginal([node, dag.nodes[0]] if node != dag.nodes[0] else [node]),
            atol=1e-12,
        )


@pytest.mark.data
@pytest.mark.parametrize("name", ["asia", "sachs", "child", "alarm"])
@pytest.mark.parametrize("kind", ["json", "bif"])
def test_published_networks_come_back(name, kind, published):
    dag = published(name)
    back = getattr(CategoricalDAG, f"from_{kind}")(getattr(dag, f"to_{kind}")())
    assert_same(back, dag)
