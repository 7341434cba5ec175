"""Samples beside their reconstruction."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable
from some_slow import some_slow

from skcausalpima.inspection import ReconstructionDisplay


@pytest.mark.parametrize(
    ("n_samples", "with_std"),
    some_slow([(1, True), (2, False), (5, True)], [(1, True), (2, False)]),
)
def test_rows_are_modalities_and_columns_samples(n_samples, with_std, long_names):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n_samples, *shape)) for shape in [(6, 6), (30,), (5,)]]
    std = [np.ones_like(array) for array in arrays] if with_std else None
    display = ReconstructionDisplay(
        arrays,
        arrays,
        std,
        modality_names=long_names[:3],
        titles=["a title of 30 letters"] * 5 if n_samples == 5 else None,
        held_back=[True, False, True],
    ).plot()
    assert display.axes_.shape == (4, n_samples)
    assert len(display.axes_[2, 0].collections) == with_std  # the band
    assert_readable(display.figure_)


def test_a_fit(shown_fit, shown_data):
    display = ReconstructionDisplay.from_estimator(shown_fit, shown_data)
    assert display.axes_.shape == (5, 5)
    assert_readable(display.figure_)
    assert [ax.get_title() for ax in display.axes_[0]] == [f"sample {k}" for k in range(5)]
    np.testing.assert_array_equal(display.observed[0], shown_data["image"][:5])
    mean, std = shown_fit.reconstruct(shown_data, "curve", return_std=True, include_noise=True)
    np.testing.assert_allclose(display.expected[1], mean[:5])
    np.testing.assert_allclose(display.std[1], std[:5])


def test_what_is_held_back_is_not_seen(shown_fit, shown_data):
    rows = [3, 50]
    display = ReconstructionDisplay.from_estimator(
        shown_fit, shown_data, modality="curve", given=["image", "table"], rows=rows
    )
    alone = dict.fromkeys(shown_data) | {
        "image": shown_data["image"][rows],
        "table": shown_data["table"].iloc[rows],
    }
    np.testing.assert_allclose(display.expected[0], shown_fit.reconstruct(alone, "curve"))
    np.testing.assert_array_equal(display.observed[0], shown_data["curve"][rows])
    assert display.held_back == [True]
    assert "held back" in display.axes_[0, 0].get_ylabel()


@pytest.mark.slow
def test_samples_that_lack_a_modality(shown_fit, shown_data):
    images = shown_data["image"].copy()
    images[0] = np.nan
    display = ReconstructionDisplay.from_estimator(
        shown_fit, shown_data | {"image": images, "line": None}, rows=[0, 1]
    )
    assert [text.get_text() for text in display.axes_[0, 0].texts] == ["missing"]
    assert np.isnan(display.observed[3]).all()
    assert_readable(display.figure_)


def test_given_axes_are_divided(shown_fit, shown_data):
    ax = plt.subplots()[1]
    display = ReconstructionDisplay.from_estimator(
        shown_fit, shown_data, modality=1, x=np.linspace(0, 5, 20), rows=4, ax=ax
    )
    assert display.bounding_ax_ is ax
    assert display.axes_[0, 0].lines[0].get_xdata().tolist() == np.linspace(0, 5, 20).tolist()
