"""A fit on one page."""

import matplotlib.pyplot as plt
import pytest
from drawn_texts import assert_readable

from skcausalpima.inspection import SummaryDisplay


def test_four_pictures_are_on_one_page(shown_fit, shown_data):
    display = shown_fit.plot_summary(shown_data)
    parts = (display.latent, display.prototypes, display.graph, display.training)
    assert {part.figure_ for part in parts} == {display.figure_}
    assert len(display.further) == 3  # of four modalities
    assert display.latent.ax_ is display.axes_[0, 0]
    assert_readable(display.figure_)


@pytest.mark.long
def test_it_is_drawn_again_on_given_axes(shown_fit, shown_data):
    ax = plt.subplots(figsize=(12, 9), layout="constrained")[1]
    display = SummaryDisplay.from_estimator(shown_fit, shown_data, modality="line")
    assert display.plot(ax=ax).figure_ is ax.figure
    assert display.prototypes.axes_[0, 0].get_title().startswith("slope")
    assert not display.further


def test_what_a_node_does_in_the_second_modality_is_seen(shown_fit, shown_data):
    """The picture of one modality alone may show a node that does nothing."""
    display = shown_fit.plot_summary(shown_data)
    shown = [part.cells_ for part in (display.prototypes, *display.further)]
    assert shown == [list(range(len(shown_fit.weights_)))] * 4
    with_one = SummaryDisplay.from_estimator(shown_fit, shown_data, modality=1)
    assert not with_one.further
    plt.close("all")
