"""Spectra: peaks and backgrounds can be read off the curve."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima.datasets import make_spectra


@pytest.fixture(scope="module")
def spectra():
    return make_spectra(1500, random_state=0)


def without_background(spectra):
    """Subtract a line through the points where no peak can be."""
    points = spectra.curve_points
    free = (points < 0.07) | ((points > 0.49) & (points < 0.56)) | (points > 0.92)
    lines = np.polyfit(points[free], spectra.curves[:, free].T, deg=1)
    return spectra.curves - (lines[0][:, None] * points + lines[1][:, None])


def test_fields(spectra):
    assert spectra.curves.shape == (1500, 200)
    assert spectra.curves.dtype == np.float32
    assert spectra.factor_names == ["first_place", "first_width", "second_place"]
    assert spectra.backgrounds.shape == (1500, 2)
    assert_array_equal(spectra.curve_points, np.linspace(0, 1, 200))
    clear = make_spectra(1500, noise=0.0, random_state=0)
    assert 0.25 <= clear.curves.min() <= clear.curves.max() <= 2.25


def test_places_and_width_can_be_read_off_the_curve(spectra):
    """Centres of mass tell the places, the area of the first peak its width."""
    peaks, points = without_background(spectra).clip(0.0), spectra.curve_points
    left, right = points < 0.5, points >= 0.5
    step = points[1]
    width = without_background(spectra)[:, left].sum(axis=1) * step / np.sqrt(2.0 * np.pi)
    first, second = (points[part][peaks[:, part].argmax(axis=1)] for part in (left, right))
    read = np.column_stack([first > 0.275, width > 0.0225, second > 0.725])
    assert (np.mean(read == spectra.factors, axis=0) >= 0.99).all()


def test_values_can_be_measured_without_noise():
    spectra = make_spectra(300, noise=0.0, random_state=1)
    peaks, points = without_background(spectra), spectra.curve_points
    left, right = points < 0.5, points >= 0.5
    measured = []
    for part in (left, right):
        mass = peaks[:, part].sum(axis=1)
        place = (peaks[:, part] * points[part]).sum(axis=1) / mass
        measured += [place, mass * points[1] / np.sqrt(2.0 * np.pi)]
    first_place, first_width, second_place, second_width = measured
    found = np.column_stack([first_place, first_width, second_place])
    assert_allclose(found, spectra.factor_values, atol=2e-3)
    assert_allclose(second_width, 0.02, atol=2e-3)


def test_the_background_is_a_line_that_no_factor_changes(spectra):
    clear = make_spectra(1500, noise=0.0, random_state=0)
    points = clear.curve_points
    slope, level = spectra.backgrounds.T
    assert np.abs(slope).max() <= 0.5
    assert 0.5 <= level.min() <= level.max() <= 1.0
    ends = points[[0, -1]] - 0.5
    lines = level[:, None] + slope[:, None] * ends
    assert_allclose(clear.curves[:, [0, -1]], lines, atol=1e-6)
    for factor in spectra.factors.T:
        means = [spectra.backgrounds[factor == outcome].mean(axis=0) for outcome in (0, 1)]
        assert_allclose(means[0], means[1], atol=0.08)
