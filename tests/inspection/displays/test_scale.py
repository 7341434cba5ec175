"""Pictures of large fits: on a page, readable, and of what is largest and strongest."""

from itertools import pairwise

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from drawn_texts import assert_readable, covered_share, drawn_texts
from matplotlib.colors import to_rgb

from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import (
    AssociationDisplay,
    AxisDisplay,
    GraphDisplay,
    InterventionDisplay,
    LatentDisplay,
    NodeEffectDisplay,
    NodeSizesDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    SummaryDisplay,
    TableDisplay,
    TrainingDisplay,
)

A4 = 11.7, 8.3  # inches
WORDS = "mean temperature at the inner wall, no. "  # and a number: 40 characters and more
RNG = np.random.default_rng(0)
NODES, MANY_NODES = [f"heat {k}" for k in range(5)], [WORDS[:20] + str(k) for k in range(12)]
COLUMNS = [f"{WORDS[:36]}{k:04d}" for k in range(1000)]
TABLES = RNG.normal(size=(243, 1000)) * np.linspace(0, 1, 1000)
CHAIN = nx.DiGraph([*pairwise(MANY_NODES)])
PARTS = [(name, "categorical", ["red", "green", "blue"]) for name in COLUMNS[:40]]
SHARES = RNG.dirichlet(np.ones(3), size=(243, 40)).reshape(243, 120)
HISTORY = {f"reconstruction_{name}": np.arange(5.0) for name in MANY_NODES} | {
    "lower_bound": np.arange(5.0)
}


def of_cells(arrays, n_nodes=5, **changes):
    weights = RNG.permutation(len(arrays))
    return PrototypeDisplay(arrays, (3,) * n_nodes, NODES[:n_nodes], weights=weights, **changes)


def clusters(n_clusters, n_axes=2):
    means = RNG.normal(size=(n_clusters, n_axes)) * 9
    labels = np.repeat(np.arange(n_clusters), 3)
    return LatentDisplay(means[labels] + RNG.normal(size=(len(labels), n_axes)), labels, means)


def summary(n_modalities=4):
    cells = [of_cells(RNG.normal(size=(243, 8, 8))), of_cells(TABLES, columns=COLUMNS)]
    cells += [of_cells(RNG.normal(size=(243, 50))), of_cells(SHARES, parts=PARTS)]
    training = TrainingDisplay(HISTORY, pretraining=[-3.0, -1.0])
    shown = (cells * 3)[:n_modalities]
    return SummaryDisplay(clusters(243), shown[0], GraphDisplay(CHAIN), training, shown[1:])


LARGE = {
    "images": lambda: of_cells(RNG.normal(size=(243, 12, 12))),
    "curves": lambda: of_cells(RNG.normal(size=(243, 300))),
    "table": lambda: of_cells(TABLES, columns=COLUMNS),
    "few cells of a table": lambda: of_cells(TABLES[:9], 2, columns=COLUMNS),
    "mixed": lambda: of_cells(SHARES, parts=PARTS),
    "latent": lambda: clusters(4096),
    "strips": lambda: clusters(243, 1),
    "effects": lambda: NodeEffectDisplay([TABLES[:3]] * 12, MANY_NODES, columns=COLUMNS),
    "mixed effects": lambda: NodeEffectDisplay([SHARES[:3]] * 5, NODES, parts=PARTS),
    "axes": lambda: AxisDisplay([TABLES[:5]] * 3, NODES[:3], list("abcde"), columns=COLUMNS),
    "samples": lambda: InterventionDisplay(
        {"set": {"heat": [0.5, 0.5]}},
        samples={"set": TABLES[:4], "seen": TABLES[:4]},
        columns=COLUMNS,
    ),
    "reconstruction": lambda: ReconstructionDisplay(
        [TABLES[:5]] * 2, [TABLES[:5]] * 2, columns=[COLUMNS] * 2
    ),
    "associations": lambda: AssociationDisplay(RNG.random((12, 300)), MANY_NODES, COLUMNS[:300]),
    "table of a node": lambda: TableDisplay(np.full((3,) * 5, 1 / 3), "heat", NODES[:4]),
    "graph": lambda: GraphDisplay(CHAIN),
    "node sizes": lambda: NodeSizesDisplay([(2,) * k for k in range(1, 13)], *np.ones((2, 12))),
    "training": lambda: TrainingDisplay(HISTORY),
    "summary": summary,
}
SLOW = ("summary", "mixed", "images", "curves", "table", "mixed effects", "latent")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=pytest.mark.slow if name in SLOW else [])
        for name, make in LARGE.items()
    ],
)
def test_a_page_has_room_for_it_and_it_can_be_read(make):
    figure = make().plot().figure_
    longest, shortest = sorted(figure.get_size_inches(), reverse=True)
    assert (longest, shortest) <= A4
    assert shortest <= A4[1]
    assert_readable(figure)


@pytest.mark.parametrize("shape", [(6, 6), pytest.param((40,), marks=pytest.mark.slow)])
def test_the_largest_cells_are_drawn_where_there_is_no_room_for_all(shape):
    weights = RNG.permutation(243)
    display = PrototypeDisplay(RNG.normal(size=(243, *shape)), (3,) * 5, NODES, weights=weights)
    ax = plt.subplots(figsize=(5, 3), layout="constrained")[1]
    display.plot(ax)
    n_shown = len(display.cells_)
    assert 4 <= n_shown < 243
    assert display.cells_ == sorted(np.argsort(-weights)[:n_shown])
    assert len(display.artists_) == n_shown
    texts = [text for text, _ in drawn_texts(display.figure_)]
    assert any(f"{n_shown} of 243 cells: the largest" in text for text in texts)
    assert_readable(display.figure_)


def test_cells_that_are_asked_for(shown_fit):
    display = PrototypeDisplay.from_estimator(shown_fit, modality="image", cells=[(1, 0), (0, 1)])
    assert display.cells_ == [2, 1]
    decoded = shown_fit.inverse_transform(shown_fit.cluster_means_)["image"]
    (component,) = np.flatnonzero((shown_fit.cluster_states_ == (1, 0)).all(axis=1))
    drawn = display.axes_.flat[0].images[0].get_array()
    np.testing.assert_allclose(drawn, decoded[component])
    assert [ax.get_title().splitlines()[0] for ax in display.axes_.flat] == ["10", "01"]


@pytest.mark.parametrize("cells", [[(0, 2)], [(0,)], [], "01", [("red", 0)], [(-1, 0)]])
def test_cells_that_there_are_not(shown_fit, cells):
    with pytest.raises(ValueError, match=r"cells (has|names) .*no cell.*(give|pass)"):
        PrototypeDisplay.from_estimator(shown_fit, cells=cells)


def test_names_of_strong_columns_are_whole_where_there_is_room():
    values = np.zeros((2, 300))
    values[1, :25] = np.arange(25, 0, -1)  # from the first on, they differ less and less
    display = PrototypeDisplay(values, (2,), ["heat"], columns=COLUMNS[:300]).plot()
    labels = [tick.get_text() for tick in display.axes_[0, 0].get_yticklabels()]
    assert labels[:25] == COLUMNS[:25]
    widths = [bar.get_width() for bar in display.artists_[1]]
    assert widths[:25] == list(range(25, 0, -1))


def test_of_many_clusters_the_largest_have_labels_and_points_are_above_them():
    display = clusters(243)
    extra = np.repeat(np.arange(20), 5)  # the first twenty are the largest
    display.labels = np.concatenate([display.labels, extra])
    display.points = np.concatenate([display.points, display.means[extra]])
    display.plot()
    assert [label.get_text() for label in display.labels_] == list(map(str, range(20)))
    assert len(display.points_) <= 64
    assert max(label.zorder for label in display.labels_) < min(p.zorder for p in display.points_)
    assert_readable(display.figure_)


def test_a_label_moves_off_the_points():
    points = np.random.default_rng(0).normal(size=(300, 2))
    far = [[9.0, 9.0], [-9.0, -9.0]]
    display = LatentDisplay(np.r_[points, far], [0] * 302, np.zeros((1, 2)), cluster_names=["one"])
    (label,) = display.plot().labels_
    display.figure_.draw_without_rendering()
    box = label.get_bbox_patch().get_window_extent()
    pixels = display.ax_.transData.transform(points)
    inside = (pixels > (box.x0, box.y0)) & (pixels < (box.x1, box.y1))
    assert inside.all(axis=1).sum() <= 1


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_a_number_stands_beside_its_edge(weight):
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("a", "c")])
    nx.set_edge_attributes(graph, weight, "weight")
    display = GraphDisplay.from_graph(graph)
    boxes = [box for text, box in drawn_texts(display.figure_) if text == f"{weight:.2f}"]
    assert len(boxes) == 3
    for line in display.lines_.values():
        path = line.get_path().interpolated(30)
        x, y = display.ax_.transData.transform(path.vertices).T
        for box in boxes:
            assert not ((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)).any()


def test_phases_are_named_where_no_line_is():
    polishing = {"lower_bound": [6.0, 6.1]}
    history = {"lower_bound": np.arange(1.0, 6.0)}
    display = TrainingDisplay(history, pretraining=[-4.0, 0.0, 1.0], polishing=polishing).plot()
    top = display.axes_[0].get_window_extent().y1
    boxes = dict(drawn_texts(display.figure_))
    top = display.axes_[0].get_window_extent().y1
    assert boxes["pre-training"].y0 >= top
    assert boxes["polishing"].y0 >= top
    assert_readable(display.figure_)


@pytest.mark.parametrize(
    ("sizes", "is_joined"),
    [([(2,), (3,), (4,)], True), ([(2, 2), (4,), (2, 3)], False), ([(4,), (2,), (3,)], False)],
)
def test_candidates_without_an_order_have_no_line_between_them(sizes, is_joined):
    display = NodeSizesDisplay(sizes, [-9, -8, -7], [1, 1, 1], std_bound=[0.1] * 3).plot()
    (line,) = (line for line in display.axes_[0].get_lines() if line.get_marker() == "o")
    assert (line.get_linestyle() == "-") == is_joined


def test_steps_of_an_axis_are_in_the_order_of_their_brightness():
    curves = np.arange(5.0)[:, None] * np.ones(30)
    display = AxisDisplay([curves], ["heat"], list("abcde")).plot()
    greys = [np.dot(to_rgb(line.get_color()), (0.3, 0.6, 0.1)) for line in display.artists_[0]]
    assert greys == sorted(greys)


def test_many_columns_of_metadata_are_rows_and_the_strongest_are_drawn():
    statistic = np.random.default_rng(0).random((2, 300))
    display = AssociationDisplay(statistic, ["N1", "N2"], COLUMNS[:300], p_value=statistic).plot()
    drawn = np.asarray(display.image_.get_array())
    strongest = np.argsort(-statistic.max(axis=0), kind="stable")[: len(drawn)]
    np.testing.assert_array_equal(drawn, statistic[:, strongest].T)
    assert display.ax_.get_title(loc="left") == f"{len(drawn)} of 300 columns: the strongest"
    few = AssociationDisplay(statistic[:, :8], ["N1", "N2"], COLUMNS[:8]).plot()
    assert few.image_.get_array().shape == (2, 8)


def test_the_page_is_filled_and_has_every_modality(shown_fit, shown_data):
    display = shown_fit.plot_summary(shown_data)
    figure = display.figure_
    shown = [display.prototypes, *display.further]
    assert [part.value_name.partition(":")[0] for part in shown] == list(shown_data)
    assert covered_share(figure) > 0.7  # of the README's fit .62 before, and .83
    assert figure.get_size_inches()[0] <= A4[1]


def test_the_network_of_many_nodes_on_its_page():
    dag = CategoricalDAG.from_arrays(np.zeros((12, 12)), [[0.5, 0.5]] * 12, MANY_NODES)
    display = GraphDisplay.from_graph(dag)
    assert_readable(display.figure_)
    assert len(display.texts_) == 12
