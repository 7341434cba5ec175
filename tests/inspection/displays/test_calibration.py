"""The picture of said against right."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable
from some_slow import some_slow

from skcausalpima.inspection import CalibrationCurve, CalibrationDisplay, calibration_curves


def curves_of(nodes, modalities):
    """Return curves that are less and less sure, the last one of them of one bin."""
    keys = [(node, of) for node in nodes for of in modalities]
    found = {
        key: CalibrationCurve(
            prob_pred=np.linspace(0.4, 1, 5) - 0.2 * k / len(keys),
            prob_true=np.linspace(0.3, 1, 5),
            counts=np.full(5, 40.0),
        )
        for k, key in enumerate(keys)
    }
    one = np.array([0.5])
    found[keys[-1]] = CalibrationCurve(prob_pred=one, prob_true=one, counts=np.array([200.0]))
    return found


@pytest.mark.parametrize(
    ("n_nodes", "n_modalities"), some_slow(itertools.product([1, 2, 6], [1, 3]), [(1, 1)])
)
def test_curves_can_be_read(n_nodes, n_modalities, long_names):
    curves = curves_of(["cells", *long_names[:n_nodes]], ["all", *long_names[:n_modalities]])
    display = CalibrationDisplay(curves).plot()
    assert_readable(display.figure_)
    assert len(display.axes_) == n_nodes + 1
    assert set(display.lines_) == set(curves)
    for key, curve in curves.items():
        points = display.lines_[key].lines[0].get_xydata()
        np.testing.assert_array_equal(points, np.stack([curve.prob_pred, curve.prob_true], axis=1))
        (bars,) = display.lines_[key].lines[2]
        drawn = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(drawn, curve.interval)


def test_on_given_axes_it_can_be_read_too():
    curves = curves_of(["cells", "N1"], ["all", "image"])
    figure, axes = plt.subplots(2, 1, figsize=(8, 9), layout="constrained")
    display = CalibrationDisplay(curves).plot(axes[0])
    assert display.figure_ is figure
    assert_readable(figure)
    again = CalibrationDisplay(curves).plot(display.axes_)
    assert again.axes_.tolist() == display.axes_.tolist()


def test_an_estimator_is_drawn_as_its_numbers_say(fitted, pair):
    nodes = fitted.node_labels_
    display = CalibrationDisplay.from_estimator(fitted, pair, nodes, n_bins=3)
    expected = calibration_curves(fitted, pair, nodes, n_bins=3)
    for key, curve in expected.items():
        np.testing.assert_array_equal(display.curves[key].prob_true, curve.prob_true)
    assert [axes.get_title() for axes in display.axes_] == ["cells", "N1", "N2"]
    drawn = CalibrationDisplay.from_estimator(fitted, random_state=0)
    assert drawn.curves["cells", "all"].counts.sum() == 1000


def test_keywords_go_to_the_lines():
    display = CalibrationDisplay(curves_of(["N1"], ["all"])).plot(markersize=9)
    assert display.lines_["N1", "all"].lines[0].get_markersize() == 9


def test_what_is_always_right_can_be_drawn():
    one = np.ones(1)
    curve = CalibrationCurve(prob_pred=one, prob_true=one, counts=30 * one)
    display = CalibrationDisplay({("N1", "all"): curve}).plot()
    low, high = display.axes_[0].get_xlim()
    assert low < 0.9 < 1 < high
    assert_readable(display.figure_)
