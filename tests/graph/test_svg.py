"""The picture of a network in a notebook: one piece of valid SVG, without foreign markup."""

import sys
from xml.etree import ElementTree

import networkx as nx
import pytest

from skcausalpima.graph import CategoricalDAG
from skcausalpima.graph._svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"
COIN = [0.5, 0.5]


def network(edges, names, **attributes):
    """Return a network of binary nodes."""
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(edges, **attributes)
    tables = dict.fromkeys(names, COIN)
    for node in names:
        for _ in graph.predecessors(node):
            tables[node] = [tables[node], tables[node]]
    return CategoricalDAG(graph, tables)


def drawing(dag):
    return ElementTree.fromstring(dag._repr_svg_())


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def test_contexts_have_dashed_boxes():
    graph = nx.DiGraph([("heat", "site")])
    nx.set_node_attributes(graph, 2, "size")
    graph.nodes["site"].update(kind="context", role="measured")
    root = ElementTree.fromstring(to_svg(graph, []))
    assert sum("stroke-dasharray" in box.attrib for box in root.iter(f"{SVG}rect")) == 1
    assert texts(root) == ["heat", "(2 outcomes)", "site", "(2 labels)"]


def test_compelled_edges_have_heads_and_reversible_ones_have_none():
    collider = drawing(network([("a", "c"), ("b", "c"), ("c", "d")], "abcd"))
    assert len(list(collider.iter(f"{SVG}path"))) == 3
    assert len(list(collider.iter(f"{SVG}polygon"))) == 3
    chain = drawing(network([("a", "b"), ("b", "c")], "abc"))
    assert len(list(chain.iter(f"{SVG}path"))) == 2
    assert len(list(chain.iter(f"{SVG}polygon"))) == 0
    known = drawing(network([("a", "b")], "ab", compelled=True))
    assert len(list(known.iter(f"{SVG}polygon"))) == 1


def test_heavy_edges_are_wide():
    widths = []
    for weight in (0.1, 0.9, 7.0):
        path = next(drawing(network([("a", "b")], "ab", weight=weight)).iter(f"{SVG}path"))
        widths.append(float(path.get("stroke-width")))
    assert widths[0] < widths[1] < widths[2] < 5


def test_lines_are_as_wide_as_both_directions_together():
    dags = (
        network([("a", "b")], "ab", **numbers)
        for numbers in ({"weight": 0.5, "adjacent": 0.9}, {"weight": 0.9}, {"weight": 0.5})
    )
    both, strong, weak = (next(drawing(dag).iter(f"{SVG}path")).get("stroke-width") for dag in dags)
    assert both == strong != weak


@pytest.mark.parametrize("n_nodes", [1, 3, 12])
def test_names_and_sizes_stand_in_boxes_that_hold_them(n_nodes):
    names = [f"temperature_of_print_bed_no_{k:02d}" for k in range(n_nodes)]
    root = drawing(network([], names))
    seen = texts(root)
    assert seen.count("(2 outcomes)") == n_nodes
    joined = "".join(text for text in seen if text != "(2 outcomes)")
    assert joined == "".join(names)
    boxes = list(root.iter(f"{SVG}rect"))[1:]  # the first one is the ground
    assert len(boxes) == n_nodes
    assert all(float(box.get("width")) > 8 * max(map(len, seen)) for box in boxes)


def test_names_are_text_whatever_they_hold():
    names = ["<script>alert(1)</script>", "a & \"b\" 'c'", "\x00\x1b", "", "温度", "$x^2$"]
    dag = network([(names[0], names[1])], names)
    assert "script>" not in dag._repr_html_().replace("&lt;script&gt;", "").replace(
        "/script&gt;", ""
    )
    assert '"b"' not in dag._repr_svg_()
    assert "$x^2$" in texts(drawing(dag))
    assert drawing(dag).find(f"{SVG}title").text.startswith("Graph of ")


def test_a_long_name_is_cut():
    (name,) = {"x" * 1000}
    lines = texts(drawing(network([], [name])))
    assert len(lines) == 5
    assert "…" in lines[1] + lines[2]


def test_it_needs_no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    html = network([("a", "b")], "ab")._repr_html_()
    assert html.startswith("<div")
    assert "</svg></div>" in html
