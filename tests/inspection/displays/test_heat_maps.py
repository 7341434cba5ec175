"""Pictures of tables: probabilities, associations, and how often edges are found again."""

from itertools import pairwise

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from drawn_texts import assert_readable, drawn_texts
from some_slow import some_slow

from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import (
    AssociationDisplay,
    EdgeConfidence,
    EdgeConfidenceDisplay,
    NodeAssociations,
    TableDisplay,
    associate_nodes,
)


def long_names(n_names):
    return [f"temperature_of_print_bed_no_{k:02d}" for k in range(n_names)]


def table_of(*sizes):
    return np.random.default_rng(0).dirichlet(np.ones(sizes[-1]), size=sizes[:-1])


def numbers(display):
    """Return the texts with two decimals that are drawn."""
    texts = [text for text, _ in drawn_texts(display.figure_)]
    return [text for text in texts if len(text) == 4 and text[1] == "."]


TABLES = {
    "root": (table_of(2), "digit", []),
    "long-names": (table_of(3, 4, 3), long_names(1)[0], long_names(3)[1:]),
    "many": (table_of(4, 3, 9), "N3", ["N1", "N2"]),
}


@pytest.mark.parametrize(
    ("table", "node", "parents"),
    [
        pytest.param(*of, id=name, marks=pytest.mark.slow if name == "many" else [])
        for name, of in TABLES.items()
    ],
)
def test_tables_can_be_read_and_have_all_numbers(table, node, parents):
    display = TableDisplay(table, node, parents).plot()
    assert_readable(display.figure_)
    assert sorted(numbers(display)) == sorted(f"{value:.2f}" for value in table.ravel())


def test_a_table_in_narrow_axes_can_be_read():
    figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
    table, names = table_of(3, 5), long_names(5)
    display = TableDisplay(table, names[0], [names[1]], states={names[0]: names}).plot(axes[0])
    assert display.ax_ is axes[0]
    assert_readable(figure)


def test_outcomes_have_their_names():
    graph = nx.DiGraph([("rain", "wet")])
    nx.set_node_attributes(graph, {"rain": ["no", "yes"], "wet": ["dry", "wet"]}, "states")
    dag = CategoricalDAG(graph, {"rain": [0.75, 0.25], "wet": [[1.0, 0.0], [0.5, 0.5]]})
    display = TableDisplay.from_graph(dag, "wet")
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["dry", "wet"]
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["no", "yes"]
    np.testing.assert_array_equal(display.image_.get_array(), [[1.0, 0.0], [0.5, 0.5]])
    two = TableDisplay(table_of(2, 2, 2), "c", ["rain", "b"], states=dag.states).plot()
    rows = [text.get_text() for text in two.ax_.get_yticklabels()]
    assert rows == ["no, 0", "no, 1", "yes, 0", "yes, 1"]


def test_a_table_of_an_estimator(fitted):
    node = next(iter(fitted.dag_))
    display = TableDisplay.from_estimator(fitted, node, cmap="gray")
    drawn = display.image_.get_array()
    np.testing.assert_array_equal(drawn, fitted.cpts_[node].reshape(drawn.shape))
    assert display.image_.get_cmap().name == "gray"


@pytest.mark.parametrize("n_nodes", some_slow([1, 5], [1]))
def test_associations_can_be_read(n_nodes):
    rng = np.random.default_rng(0)
    found = NodeAssociations(
        statistic=rng.random((n_nodes, 4)),
        p_value=rng.random((n_nodes, 4)),
        expected=rng.random((n_nodes, 4)),
        n_samples=np.full(4, 9),
        node_names=tuple(long_names(n_nodes)),
        column_names=("batch", "x" * 30, "temperature of the oven, upper", 3),
        measures=("cramers_v",) * 2 + ("eta_squared",) * 2,
    )
    found.statistic[0, 0] = np.nan
    display = AssociationDisplay.from_associations(found)
    assert_readable(display.figure_)
    texts = [text for text, _ in drawn_texts(display.figure_)]
    assert f"{found.statistic[0, 1]:.2f}\np {found.p_value[0, 1]:.3f}" in texts
    assert "–" in texts
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
    AssociationDisplay.from_associations(found, ax=axes[0])
    assert_readable(figure)


def test_associations_of_an_estimator(fitted, pair):
    metadata = {"batch": fitted.node_labels_[:, 0], "lab": np.arange(72) % 3}
    display = AssociationDisplay.from_estimator(fitted, pair, metadata, random_state=0)
    found = associate_nodes(fitted, pair, metadata, random_state=0)
    np.testing.assert_array_equal(display.statistic, found.statistic)


def test_what_modalities_say_of_nodes(fitted_and_taught, pair):
    evidence = fitted_and_taught.modality_evidence([pair[0], None])
    display = AssociationDisplay.from_evidence(evidence)
    assert_readable(display.figure_)
    np.testing.assert_array_equal(display.image_.get_array()[:, 0], evidence.alone[0])
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["N1", "N2"]
    assert "–" in [text for text, _ in drawn_texts(display.figure_)]  # nobody has the curve


def confidence(n_nodes):
    rng = np.random.default_rng(0)
    names, shares = long_names(n_nodes), 0.5 * rng.random((n_nodes, n_nodes))
    dag = nx.DiGraph()
    dag.add_nodes_from(names)
    dag.add_edges_from(pairwise(names))
    return EdgeConfidence(
        dag=dag,
        edge=shares,
        adjacency=shares,
        compelled=shares,
        node_stability=rng.random(n_nodes),
        worst_node_stability=rng.random(n_nodes) - 0.5,
        node_names=tuple(names),
        edges=np.zeros((1, n_nodes, n_nodes), bool),
        compelled_edges=np.zeros((1, n_nodes, n_nodes), bool),
        rand_indices=np.zeros((1, n_nodes)),
        node_orders=np.zeros((1, n_nodes), int),
        failures={},
    )


@pytest.mark.parametrize("n_nodes", [1, 5])
def test_the_confidence_of_edges_can_be_read(n_nodes):
    found = confidence(n_nodes)
    display = EdgeConfidenceDisplay.from_confidence(found)
    assert_readable(display.figure_)
    drawn, diagonal = np.ma.filled(display.image_.get_array(), np.nan), np.eye(n_nodes, dtype=bool)
    np.testing.assert_array_equal(drawn[~diagonal], (found.edge + found.edge.T)[~diagonal])
    assert np.isnan(drawn[diagonal]).all()
    frames = [(p.get_x() + 0.47, p.get_y() + 0.46) for p in display.axes_[0].patches[::2]]
    both_ways = [way for k in range(n_nodes - 1) for way in ((k + 1, k), (k, k + 1))]
    np.testing.assert_allclose(frames, both_ways or np.empty((0,)))
    lengths = [bar.get_width() for bar in display.axes_[1].patches]
    np.testing.assert_allclose(lengths, found.node_stability)


def test_a_reversible_edge_is_no_certain_arrow():
    """Every refit joins the two; the direction is a convention, but of the second pair."""
    edge = [[0, 1, 0], [0, 0, 0], [0, 0.8, 0]]
    compelled = [[0, 0, 0], [0, 0, 0], [0, 0.8, 0]]
    edges = [("a", "b"), ("c", "b")]
    display = EdgeConfidenceDisplay(edge, "abc", edges=edges, compelled=compelled, arrows=edges[1:])
    display.plot()
    drawn = np.ma.filled(display.image_.get_array(), np.nan)
    assert drawn[0, 1] == drawn[1, 0] == 1
    frames = {
        (round(p.get_y() + 0.46), round(p.get_x() + 0.47)) for p in display.axes_[0].patches[::2]
    }
    assert frames == {(0, 1), (1, 0), (2, 1)}
    written = [text for text, _ in drawn_texts(display.figure_)]
    assert any("0.80\n\N{RIGHTWARDS ARROW} 0.80" in text for text in written)
    assert not any("\N{RIGHTWARDS ARROW} 1.00" in text for text in written)
    with pytest.raises(
        ValueError, match="compelled must have a row and a column for each of the 3"
    ):
        EdgeConfidenceDisplay(edge, "abc", compelled=[[0]]).plot()


def test_the_confidence_of_edges_by_hand():
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    found = confidence(3)
    display = EdgeConfidenceDisplay.from_confidence(found, ax=axes[0])
    assert display.axes_.shape == (2,)
    alone = EdgeConfidenceDisplay(found.edge, range(3)).plot(axes[1])
    assert alone.axes_.shape == (1,)
    assert_readable(figure)
