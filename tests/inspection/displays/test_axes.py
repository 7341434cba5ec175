"""What data look like along axes within cells."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable

from skcausalpima.inspection import AxisDisplay, within_cell_axes


@pytest.mark.parametrize("modality", ["image", "curve", "table"])
def test_a_fit(shown_fit, shown_data, modality):
    display = AxisDisplay.from_estimator(shown_fit, shown_data, modality=modality)
    n_axes = len(within_cell_axes(shown_fit, shown_data).shares)
    assert display.axes_.shape == ((n_axes, 5) if modality == "image" else (1, n_axes))
    assert [len(steps) for steps in display.artists_] == [5] * n_axes
    assert display.axis_names[0].startswith("axis 1 (")
    assert_readable(display.figure_)


def test_another_cell_is_another_place(shown_fit, shown_data):
    one, other = (
        AxisDisplay.from_estimator(shown_fit, shown_data, component=component, modality="image")
        for component in (0, 3)
    )
    assert np.abs(one.traversals[0] - other.traversals[0]).max() > 0.3
    plt.close("all")


def test_given_axes_are_divided():
    ax = plt.subplots()[1]
    display = AxisDisplay([np.zeros((3, 6, 6))], ["heat"], ["a", "b", "c"]).plot(ax=ax)
    assert display.bounding_ax_ is ax
    assert display.figure_ is ax.figure
