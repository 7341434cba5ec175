"""The picture of an intervention: distributions before and after, and data."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable, drawn_texts
from some_slow import some_slow

from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import InterventionDisplay
from skcausalpima.inspection._displays.intervention import _systematic


def network(n_nodes, size=2):
    """Return a chain of nodes with long names."""
    rng = np.random.default_rng(0)
    names = [f"temperature_of_print_bed_no_{k:02d}" for k in range(n_nodes)]
    tables = [rng.dirichlet(np.ones(size), size=[size] * (k > 0)) for k in range(n_nodes)]
    return CategoricalDAG.from_arrays(np.eye(n_nodes, k=1), tables, names)


@pytest.mark.parametrize(("n_nodes", "size"), [(1, 2), (5, 3)])
def test_distributions_can_be_read(n_nodes, size):
    dag = network(n_nodes, size)
    display = InterventionDisplay.from_graph(dag, {dag.nodes[0]: 1}, seen=True)
    assert_readable(display.figure_)
    titles = [ax.get_title() for ax in display.axes_.ravel()]
    assert titles[0].endswith("set to 1")
    assert sum("set to" in title for title in titles) == 1


def test_what_is_drawn_is_what_the_network_says():
    dag = network(3)
    first, middle, last = dag.nodes
    display = InterventionDisplay.from_graph(dag, {middle: 1}, seen=True)
    found, after, seen = display.distributions, dag.do({middle: 1}), dag.condition({middle: 1})
    for node in dag.nodes:
        np.testing.assert_allclose(found["before"][node], dag.marginal([node]))
        np.testing.assert_allclose(found["set"][node], after.marginal([node]))
    np.testing.assert_allclose(found["seen"][middle], [0, 1])
    for node in (first, last):
        np.testing.assert_allclose(found["seen"][node], seen.marginal([node]))
    bars = [bar.get_height() for bar in display.axes_[0, 0].patches]
    words = ("before", "seen", "set")
    assert set(bars) == {p for word in words for p in found[word][first].tolist()}


def test_all_nodes_may_be_set():
    dag = network(2)
    display = InterventionDisplay.from_graph(dag, dict.fromkeys(dag.nodes, 1), seen=True)
    assert list(display.distributions) == ["before", "set"]
    for node in dag.nodes:
        np.testing.assert_array_equal(display.distributions["set"][node], [0, 1])


@pytest.fixture(scope="module")
def est(quick):
    """A fit of images, curves and a table."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 15)
    images = rng.normal(size=(60, 4, 4)) + 5.0 * (group // 2)[:, None, None]
    curves = rng.normal(size=(60, 20)) + 5.0 * (group % 2)[:, None]
    table = rng.normal(size=(60, 4)) + group[:, None]
    return quick().fit({"image": images, "curve": curves, "table": table})


@pytest.mark.parametrize("modality", some_slow(["image", "curve", "table"], ["curve"]))
def test_data_are_drawn_where_asked_for(est, modality):
    display = InterventionDisplay.from_estimator(est, {"N1": 1}, n_draws=2, modality=modality)
    assert_readable(display.figure_)
    assert display.sample_axes_.shape == (2, 2)
    shape = dict(zip(est.modality_names_in_, est.modality_shapes_in_, strict=True))[modality]
    assert np.shape(display.samples["set"]) == (2, *shape)
    assert {title[0] for title in display.titles["set"]} == {"1"}  # the outcomes of N1, N2


def test_shares_of_draws_are_those_of_the_distribution():
    joint = np.array([[0.5, 0.25], [0.0, 0.25]])
    for seed in range(5):
        cells = _systematic(joint, 8, np.random.RandomState(seed))
        np.testing.assert_array_equal(np.bincount(cells, minlength=4), [4, 2, 0, 2])


@pytest.mark.slow
def test_on_given_axes(est):
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    display = InterventionDisplay.from_estimator(est, {"N1": 1}, n_draws=2, ax=axes[0])
    assert display.figure_ is figure
    InterventionDisplay.from_estimator(est, {"N1": 1}, ax=axes[1])
    assert_readable(figure)
    assert {"before", "set", "N1\nset to 1"} <= {text for text, _ in drawn_texts(figure)}
