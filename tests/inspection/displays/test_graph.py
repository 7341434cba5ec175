"""The picture of a graph: what it shows, and that it can be read."""

import pickle
import sys
from itertools import combinations
from types import SimpleNamespace

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from drawn_texts import assert_readable, drawn_texts
from matplotlib.patches import FancyBboxPatch

from skcausalpima import CausalPIMA
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import GraphDisplay


def graph_of(names, edges=(), **attributes):
    graph = nx.DiGraph()
    graph.add_nodes_from(names, size=2)
    graph.add_edges_from(edges, **attributes)
    return graph


def long_names(n_nodes):
    return [f"temperature_of_print_bed_no_{k:02d}" for k in range(n_nodes)]


def complete(n_nodes):
    names = long_names(n_nodes)
    return graph_of(names, combinations(names, 2), weight=0.5)


GRAPHS = {
    "single": graph_of(long_names(1)),
    "no-edges": graph_of(long_names(5)),
    "two": complete(2),
    "three": complete(3),
    "five": complete(5),
    "twelve": complete(12),
    "wide": graph_of(["W" * 30, "M" * 30, "%" * 30], [("W" * 30, "M" * 30)]),
}


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(of, id=n, marks=pytest.mark.slow if n == "twelve" else [])
        for n, of in GRAPHS.items()
    ],
)
def test_names_of_thirty_letters_can_be_read(graph):
    display = GraphDisplay.from_graph(graph)
    assert_readable(display.figure_)
    drawn = "".join(text for text, _ in drawn_texts(display.figure_)).replace("\n", "")
    outcomes = "(2 outcomes)" if len(graph) < 12 else ""  # boxes of many nodes are small
    assert all(f"{name}{outcomes}" in drawn for name in graph)


@pytest.mark.parametrize("graph", [GRAPHS["single"], GRAPHS["five"]], ids=["single", "five"])
def test_on_given_axes_all_can_be_read_too(graph):
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
    axes[0].set_title("a title")
    display = GraphDisplay.from_graph(graph, ax=axes[0])
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert_readable(figure)


def test_texts_stay_in_their_boxes_when_axes_shrink():
    figure, ax = plt.subplots(figsize=(8, 6))
    display = GraphDisplay.from_graph(complete(3), ax=ax)
    for size in ((8, 6), (3, 6), (6, 2)):
        figure.set_size_inches(size)
        figure.canvas.draw()
        boxes = [patch.get_window_extent() for patch in ax.patches]
        for text in display.texts_.values():
            inside = text.get_window_extent()
            assert any(
                box.x0 <= inside.x0 and inside.x1 <= box.x1 and box.y0 <= inside.y0 for box in boxes
            )


def test_compelled_edges_are_arrows_and_reversible_ones_lines():
    graph = graph_of("abcd", [("a", "c"), ("b", "c")])
    graph.add_edge("a", "d")
    display = GraphDisplay.from_graph(graph)
    heads = {edge: line.get_arrowstyle().arrow == "-|>" for edge, line in display.lines_.items()}
    assert heads == {("a", "c"): True, ("b", "c"): True, ("a", "d"): False}
    assert display.ax_.get_xlabel() == "arrow: compelled, line: reversible"
    known = GraphDisplay.from_graph(graph_of("ab", [("a", "b")], compelled=True))
    assert known.ax_.get_xlabel() == "arrow: compelled"
    by_hand = GraphDisplay(graph_of("ab", [("a", "b")]), compelled=[("a", "b")]).plot()
    assert by_hand.ax_.get_xlabel() == "arrow: compelled"


def test_strong_edges_are_wide_and_have_their_number():
    graph = graph_of("abc", [("a", "b")], weight=0.1)
    graph.add_edge("b", "c", weight=0.95)
    display = GraphDisplay.from_graph(graph)
    weak, strong = (line.get_linewidth() for line in display.lines_.values())
    assert weak < strong
    assert {"0.10", "0.95"} <= {text for text, _ in drawn_texts(display.figure_)}
    assert "width: weight" in display.ax_.get_xlabel()
    display.plot(values=False)
    assert not {"0.10", "0.95"} & {text for text, _ in drawn_texts(display.figure_)}


def test_lines_have_the_number_of_both_directions():
    graph = graph_of("abcd", [("a", "c")], weight=0.9, adjacent=0.95)  # a -> c <- b, c -> d
    graph.add_edge("b", "c", weight=0.6, adjacent=0.75)
    graph.add_edge("c", "d", weight=0.85, adjacent=0.99)
    display = GraphDisplay.from_graph(graph)
    numbers = {text for text, _ in drawn_texts(display.figure_)} & {
        f"{number:.2f}" for *_, data in graph.edges(data=True) for number in data.values()
    }
    assert numbers == {"0.90", "0.75", "0.85"}
    assert "width: weight (lines: adjacent)" in display.ax_.get_xlabel().replace("\n", " ")
    line = GraphDisplay.from_graph(graph_of("ab", [("a", "b")], weight=0.5, adjacent=1.0))
    assert "1.00" in {text for text, _ in drawn_texts(line.figure_)}
    assert line.ax_.get_xlabel() == "line: reversible, width: adjacent"
    assert display.lines_["b", "c"].get_linewidth() < line.lines_["a", "b"].get_linewidth()


def test_weights_need_not_be_known():
    graph = graph_of("abc", [("a", "b")], weight=None)
    graph.add_edge("b", "c", weight=0.5)
    assert GraphDisplay.from_graph(graph).ax_.get_xlabel() == "line: reversible"


def test_a_figure_survives_pickling():
    display = GraphDisplay.from_graph(complete(3))
    figure = pickle.loads(pickle.dumps(display.figure_))
    assert drawn_texts(figure)


def test_the_graph_of_an_estimator(fitted):
    display = GraphDisplay.from_estimator(fitted)
    assert set(display.texts_) == set(fitted.dag_)
    assert set(display.lines_) == set(fitted.dag_.edges)
    _, ax = plt.subplots()
    network = GraphDisplay.from_graph(fitted.to_graph(), ax=ax)
    assert isinstance(fitted.to_graph(), CategoricalDAG)
    assert set(network.lines_) == set(display.lines_)


def test_confidence_takes_the_place_of_weights():
    graph = graph_of("ab", [("a", "b")], weight=0.1)
    est = CausalPIMA()
    est.dag_, est.lower_bound_ = graph, 0.0
    found = graph.copy()
    found.edges["a", "b"]["confidence"] = 0.9
    display = GraphDisplay.from_estimator(est, confidence=SimpleNamespace(dag=found))
    assert display.strengths == {("a", "b"): 0.9}
    assert "width: confidence" in display.ax_.get_xlabel()
    found.edges["a", "b"].update(compelled=True, confidence=0.3)  # that few compel it
    shares = np.array([[0.0, 0.8], [0.8, 0.0]])
    display = GraphDisplay.from_estimator(
        est, confidence=SimpleNamespace(dag=found, adjacency=shares)
    )
    assert "0.80" in {text for text, _ in drawn_texts(display.figure_)}
    assert "width: confidence (lines: adjacent)" in display.ax_.get_xlabel().replace("\n", " ")
    other = SimpleNamespace(dag=graph_of("ab", [("b", "a")], confidence=0.9))
    with pytest.raises(ValueError, match=r"pass edge_confidence\(est, X\) of this fit"):
        GraphDisplay.from_estimator(est, confidence=other)


def test_contexts_look_different():
    graph = nx.DiGraph([("heat", "crack", {"weight": 0.9}), ("heat", "site", {"weight": 0.8})])
    nx.set_node_attributes(graph, 2, "size")
    plain = GraphDisplay.from_graph(graph)
    assert "context" not in plain.ax_.get_xlabel()
    graph.nodes["site"].update(kind="context", role="measured")
    display = GraphDisplay.from_graph(graph)
    assert display.texts_["site"].get_text().endswith("(2 labels)")
    assert display.texts_["heat"].get_text().endswith("(2 outcomes)")
    boxes = [patch for patch in display.ax_.patches if isinstance(patch, FancyBboxPatch)]
    assert [box.get_linestyle() for box in boxes].count("--") == 1
    assert display.ax_.get_xlabel().replace("\n", " ").endswith("dashed box: context")


def test_without_matplotlib_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"GraphDisplay.plot needs .*skcausalpima\[plot\]"):
        GraphDisplay(graph_of("ab", [("a", "b")])).plot()
