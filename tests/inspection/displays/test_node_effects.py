"""How single nodes change the data."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable

from skcausalpima.inspection import NodeEffectDisplay
from skcausalpima.inspection._displays.node_effects import effects_of_nodes


@pytest.mark.parametrize(
    ("sizes", "shape", "kind"),
    [
        ((2,), (5,), "mean"),
        ((2, 3, 4), (6, 6, 3), "difference"),
        ((2, 20), (30,), "mean"),
        pytest.param((2,) * 5, (6, 6), "difference", marks=pytest.mark.slow),
        pytest.param((2,) * 5, (30,), "difference", marks=pytest.mark.long),
    ],
    ids=str,
)
def test_every_outcome_is_drawn_and_can_be_read(sizes, shape, kind, long_names):
    rng = np.random.default_rng(0)
    effects = [rng.normal(size=(size, *shape)) for size in sizes]
    display = NodeEffectDisplay(effects, long_names[: len(sizes)], kind=kind).plot()
    assert [len(artists) for artists in display.artists_] == list(sizes)
    assert_readable(display.figure_)


def test_other_nodes_are_held_at_their_distribution():
    """Of cells a[i] + b[j] the effect of a is a, however much i and j depend on each other."""
    a, b = np.array([[0.0], [3.0]]), np.array([[0.0], [5.0], [7.0]])
    cells = (a[:, None] + b[None]).reshape(6, 1)
    joint = np.array([[0.3, 0.1, 0.1], [0.0, 0.1, 0.4]])
    means = effects_of_nodes(cells, joint, "mean")
    np.testing.assert_allclose(means[0], a + joint.sum(axis=0) @ b)
    np.testing.assert_allclose(means[1], b + joint.sum(axis=1) @ a)
    differences = effects_of_nodes(cells, joint, "difference")
    np.testing.assert_allclose(differences[0], a - joint.sum(axis=1) @ a)


@pytest.mark.parametrize("modality", ["image", "table"])
def test_a_fit(shown_fit, modality):
    display = NodeEffectDisplay.from_estimator(shown_fit, modality=modality)
    assert display.axes_.shape == ((2, 2) if modality == "image" else (1, 2))
    assert_readable(display.figure_)
    node = display.effects[0]
    weights = shown_fit.joint_.sum(axis=1)
    np.testing.assert_allclose(np.tensordot(weights, node, 1).mean(), 0, atol=0.2)


def test_columns_of_a_table_have_their_names(shown_fit):
    display = NodeEffectDisplay.from_estimator(shown_fit, modality="table")
    assert display.columns == ("mass of the whole thing in grams", "b", "c")


def test_given_axes_are_divided():
    ax = plt.subplots()[1]
    display = NodeEffectDisplay([np.zeros((2, 6, 6))], ["a"]).plot(ax=ax)
    assert display.bounding_ax_ is ax
    assert display.figure_ is ax.figure
