"""The picture of a choice of node sizes."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable

from skcausalpima.inspection import NodeSizesDisplay

CANDIDATES = {
    "grids": [(2, 2), (4,), (2, 2, 2), (8,), (2, 4), (4, 4, 2, 2, 2, 2)],
    "one": [(3,)],
    "many": [(k, 3, 4) for k in range(2, 22)],
}


def selection(candidates):
    n = len(candidates)
    results = {
        "node_sizes": candidates,
        "mean_bound": np.linspace(-90.0, -80.0, n),
        "std_bound": np.full(n, 2.0),
        "stability": np.linspace(1.0, 0.5, n),
        "supported": np.linspace(1.0, 0.5, n) > 0.7,
    }
    return SimpleNamespace(results=results, best_node_sizes=candidates[0])


@pytest.mark.parametrize(
    "candidates",
    [
        pytest.param(of, id=n, marks=pytest.mark.slow if n == "many" else [])
        for n, of in CANDIDATES.items()
    ],
)
def test_a_selection_can_be_read(candidates):
    display = NodeSizesDisplay.from_selection(selection(candidates))
    assert_readable(display.figure_)
    bars = display.axes_[1].patches
    assert [bar.get_height() for bar in bars] == np.linspace(1.0, 0.5, len(candidates)).tolist()
    supported = selection(candidates).results["supported"].tolist()
    assert [bar.get_hatch() is None for bar in bars] == supported


def test_on_given_axes_it_can_be_read_too():
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    display = NodeSizesDisplay.from_selection(selection(CANDIDATES["grids"]), ax=axes[0])
    assert display.figure_ is figure
    assert_readable(figure)


def test_without_more_than_three_numbers_stable_candidates_are_supported():
    display = NodeSizesDisplay([2, 3], [-9.0, -8.0], [0.9, 0.8]).plot()
    assert [bar.get_hatch() for bar in display.axes_[1].patches] == [None, "///"]
    labels = [text.get_text() for text in display.axes_[0].get_xticklabels()]
    assert labels == ["2", "3"]


def test_where_nothing_was_fitted_there_is_no_bound():
    unknown = [np.nan, np.nan]
    display = NodeSizesDisplay([2, 3], unknown, [0.5, 0.4], std_bound=unknown, best=(2,)).plot()
    assert_readable(display.figure_)
    assert [bar.get_height() for bar in display.axes_[1].patches] == [0.5, 0.4]
