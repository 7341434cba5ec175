"""One sample as a picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skcausalpima.inspection._displays.painter import SamplePainter, as_image, kind_of


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((28, 28), "image"),
        ((28, 28, 3), "image"),
        ((4, 8, 8, 2), "image"),
        ((1, 30), "curve"),
        ((30, 1), "curve"),
        ((17,), "curve"),
        ((16,), "bars"),
        ((1,), "bars"),
    ],
    ids=str,
)
def test_the_shape_says_what_is_drawn(shape, kind):
    assert kind_of(shape) == kind
    ax = plt.subplots()[1]
    painter = SamplePainter.of([np.ones((2, *shape))])
    painter.draw(ax, np.ones(shape))
    painter.finish(ax)
    ax.figure.draw_without_rendering()


def test_names_make_bars_and_an_abscissa_makes_a_curve():
    assert kind_of((40,), columns=["a"] * 40) == "bars"
    assert kind_of((300,), columns=["a"] * 300) == "bars"
    assert kind_of((300,)) == "curve"
    assert kind_of((3,), x=[1, 2, 4], columns=["a"] * 3) == "curve"


def test_of_many_columns_those_that_differ_most_are_drawn():
    """54 columns with names were a curve over 0..53."""
    names = [f"gene {k}" for k in range(54)]
    samples = np.stack([np.zeros(54), np.arange(54.0), np.full(54, np.nan)])
    painter = SamplePainter.of([samples], columns=names)
    assert painter.rows.tolist() == list(range(53, 23, -1))
    assert painter.described("mV") == "mV\n30 of 54 columns: those that differ most"
    ax = plt.subplots(figsize=(4, 7))[1]
    assert [bar.get_width() for bar in painter.draw(ax, samples[1])] == painter.rows.tolist()
    painter.finish(ax)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [names[k] for k in painter.rows]
    painter.draw_expected(ax, samples[1], np.ones(54))
    painter.draw_observed(ax, samples[0], "observed")
    assert SamplePainter.of([samples[:, :30]], columns=names[:30]).described("mV") == "mV"


def test_channels_lie_side_by_side():
    image = np.arange(24).reshape(3, 4, 2)
    assert as_image(image).tolist() == np.hstack([image[:, :, 0], image[:, :, 1]]).tolist()
    assert as_image(image[..., :1]).shape == (3, 4)
    assert as_image(np.zeros((5, 3, 4, 3))).shape == (3, 4, 3)


def test_images_are_on_one_scale():
    ax = plt.subplots()[1]
    images = np.array([[[0.0, 1.0]], [[2.0, 3.0]]]).repeat(2, axis=1)
    grey = SamplePainter.of([images]).draw(ax, images[0])
    assert grey.get_clim() == (0, 3)
    differences = SamplePainter.of([images - 1], centred=True).draw(ax, images[0])
    assert differences.get_clim() == (-2, 2)
    colours = np.stack([images] * 3, axis=-1)
    shown = SamplePainter.of([colours]).draw(ax, colours[1]).get_array()
    np.testing.assert_allclose(shown[0, :, 0], [2 / 3, 1])


def test_a_constant_and_missing_values_have_a_scale():
    for array in (np.ones((2, 30)), np.full((2, 30), np.nan)):
        low, high = SamplePainter.of([array]).limits
        assert low < high
