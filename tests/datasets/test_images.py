"""The generators against what can be read off their images, curves and tables."""

import math

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from skcausalpima.datasets import (
    load_digits_with_curves,
    make_circles_images,
    make_grey_bars,
    make_sized_circles,
    make_striped_circles,
)


def test_minus_zero_is_zero():
    """NumPy refuses it as a standard deviation."""
    zero, minus = (make_circles_images(5, overlap=o, random_state=0) for o in (0.0, -0.0))
    np.testing.assert_array_equal(minus.images, zero.images)
    curves = [load_digits_with_curves(o, random_state=0).curves for o in (0.0, -0.0)]
    np.testing.assert_array_equal(*curves)


def test_overlap_scales_the_spread_within_an_outcome():
    narrow, wide = (make_circles_images(2000, overlap=o, random_state=3) for o in (0.5, 1.5))
    for factor in range(3):
        chosen = narrow.factors[:, factor] == 1
        spread = [b.factor_values[chosen, factor].std() for b in (narrow, wide)]
        assert spread[1] / spread[0] == pytest.approx(3.0)


@pytest.mark.parametrize("maker", [make_circles_images, make_striped_circles, make_sized_circles])
def test_hue_radius_and_shift_can_be_measured_on_the_image(maker):
    bunch = maker(200, overlap=0.5, random_state=1)
    values = dict(zip(bunch.factor_names, bunch.factor_values.T, strict=True))
    red, blue = (bunch.images[..., channel].astype(float) for channel in (0, 2))
    cover = red + blue  # expit(h) + expit(-h) = 1
    area = cover.sum(axis=(1, 2))
    across = np.arange(28) - 13.5
    np.testing.assert_allclose(np.sqrt(area / math.pi), values["radius"], atol=0.05)
    np.testing.assert_allclose(
        np.log(red.sum(axis=(1, 2)) / blue.sum(axis=(1, 2))), values["hue"], atol=1e-3
    )
    shift = (cover * across).sum(axis=(1, 2)) / area
    np.testing.assert_allclose(shift, values.get("shift", 0.0 * shift), atol=0.05)


def test_a_stripe_can_be_measured_on_the_image():
    bunch = make_striped_circles(200, random_state=1)
    strength = bunch.images[:, 13, :, 1].max(axis=1)
    log_odds = np.log(strength / (1.0 - strength))
    np.testing.assert_allclose(log_odds, bunch.factor_values[:, 3], atol=1e-3)
    assert not bunch.images[:, :11, :, 1].any()


def test_a_grey_bar_can_be_measured_on_the_image():
    bunch = make_grey_bars(300, random_state=1)
    profile = bunch.images[:, 3:21].mean(axis=1, dtype=float)  # noise of every pixel: 0.005
    across = np.arange(24) - 11.5
    brightness, thickness, place = bunch.factor_values.T
    background = 0.02 / math.sqrt(2.0 * math.pi)  # noise below 0 is cut off
    profile -= background * (1.0 - profile / brightness[:, None])
    area = profile.sum(axis=1)
    np.testing.assert_allclose(area, brightness * thickness, atol=0.15)
    inside = np.abs(place) < 5.0  # whole bars
    centre = (profile * across).sum(axis=1) / area
    np.testing.assert_allclose(centre[inside], place[inside], atol=0.25)


def test_lengths_scale_with_the_image():
    small, large = (make_circles_images(20, image_size=s, random_state=0) for s in (14, 56))
    assert small.images.shape == (20, 14, 14, 3)
    blocks = large.images.reshape(20, 14, 4, 14, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(small.images, blocks, atol=0.2)
    assert np.abs(small.images - blocks).mean() < 0.005


def test_curves_are_lines_of_radius_and_shift():
    bunch = make_circles_images(3000, curves=True, random_state=0)
    slopes, intercepts = np.polyfit(bunch.curve_points, bunch.curves.T, deg=1)
    for slope, intercept, outcomes in [(1, -1, (0, 0)), (3, -1, (1, 0)), (1, 1, (0, 1))]:
        chosen = (bunch.factors[:, 1:] == outcomes).all(axis=1)
        assert slopes[chosen].mean() == pytest.approx(slope, abs=0.1)
        assert intercepts[chosen].mean() == pytest.approx(intercept, abs=0.05)
    plain = make_circles_images(3000, random_state=0)
    np.testing.assert_array_equal(plain.images, bunch.images)
    assert "curves" not in plain


def test_digits_are_scikit_learns_and_the_slope_is_the_digit():
    bunch = load_digits_with_curves(0.5, n_points=30, random_state=0)
    np.testing.assert_array_equal(bunch.images, load_digits().images)
    np.testing.assert_array_equal(bunch.target, load_digits().target)
    residuals = bunch.curves - bunch.target[:, None] * bunch.curve_points
    assert residuals.var() == pytest.approx(0.5, rel=0.03)
    assert bunch.curves.shape == (1797, 30)
    exact = load_digits_with_curves(0.0).curves
    np.testing.assert_allclose(exact[:, -1], bunch.target)


@pytest.mark.long
def test_plain_clustering_finds_most_of_the_cells():
    """The published difficulty: PCA-5 and k-means reach about 0.84 on the eight cells."""
    indices = []
    for seed in range(5):
        bunch = make_circles_images(random_state=seed)
        scores = PCA(5, random_state=0).fit_transform(bunch.images.reshape(4096, -1))
        labels = KMeans(8, n_init=10, random_state=0).fit_predict(scores)
        indices.append(adjusted_rand_score(bunch.target, labels))
    assert np.mean(indices) == pytest.approx(0.84, abs=0.03)
