"""Pendulum and rectangles: each factor can be read off the image."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skcausalpima.datasets import make_pendulum, make_rectangles


@pytest.fixture(scope="module")
def pendulum():
    return make_pendulum(1500, random_state=0)


@pytest.fixture(scope="module")
def rectangles():
    return make_rectangles(1500, random_state=0)


def centre(weights):
    """Return the centre of mass across, in pixels from the middle."""
    weights = np.where(weights > 0.2, weights, 0.0).astype(float)
    return (weights.sum(axis=1) * (np.arange(weights.shape[2]) - 15.5)).sum(axis=1) / weights.sum(
        axis=(1, 2)
    )


def test_fields(pendulum, rectangles):
    assert pendulum.images.shape == (1500, 32, 32)
    assert rectangles.images.shape == (1500, 28, 28)
    for bunch in (pendulum, rectangles):
        assert bunch.images.dtype == np.float32
        assert 0.0 <= bunch.images.min() <= bunch.images.max() <= 1.0
    assert pendulum.factor_names == ["angle", "light"]
    assert rectangles.factor_names == ["intensity", "width", "height"]
    assert pendulum.shadows.shape == rectangles.places.shape == (1500, 2)
    assert list(pendulum.dag.edges) == [("angle", "light")]
    assert not make_pendulum(1, graph="independent", random_state=0).dag.edges


def test_the_bob_tells_the_angle_and_the_lamp_the_light(pendulum):
    """The bob is brighter than 0.55, the rod and the ground are not."""
    lower = np.where(pendulum.images[:, 14:28] > 0.55, pendulum.images[:, 14:28], 0.0)
    across = centre(lower)
    angles = np.rad2deg(np.arcsin(np.clip(across / 10.0, -1.0, 1.0)))
    assert np.mean(np.searchsorted([-15.0, 15.0], angles) == pendulum.factors[:, 0]) >= 0.99
    assert np.quantile(np.abs(angles - pendulum.factor_values[:, 0]), 0.99) < 3.0
    lamp = centre(pendulum.images[:, :6])
    assert np.mean(np.searchsorted([-3.0, 3.0], lamp) == pendulum.factors[:, 1]) >= 0.99
    assert_allclose(lamp, pendulum.factor_values[:, 1], atol=0.25)


def test_rays_that_the_bob_stops_end_in_the_shadow(pendulum):
    """Rays to many points of the ground, each with its distance from the bob's centre."""
    angles, light = np.deg2rad(pendulum.factor_values[:, 0]), pendulum.factor_values[:, 1]
    bob = np.column_stack([10.0 * np.sin(angles), 21.0 - 10.0 * np.cos(angles)])
    ground = np.linspace(-25.0, 25.0, 20001)
    for k in range(50):
        ray = np.stack([ground - light[k], np.full_like(ground, 4.0 - 28.5)])
        to_bob = bob[k] - (light[k], 28.5)
        distance = np.abs(ray[0] * to_bob[1] - ray[1] * to_bob[0]) / np.hypot(*ray)
        dark = ground[distance < 2.0]
        assert_allclose([dark[0], dark[-1]], pendulum.shadows[k], atol=0.005)


def test_the_shadow_is_where_the_image_says(pendulum):
    ground = pendulum.images[:, -4:].mean(axis=1, dtype=float)
    darkness = np.clip((0.5 - ground) / 0.4, 0.0, 1.0)
    darkness[darkness < 0.1] = 0.0  # 4 standard deviations of the noise
    whole = (np.abs(pendulum.shadows) < 15.0).all(axis=1)
    assert whole.mean() > 0.9
    lengths = darkness.sum(axis=1)
    assert_allclose(lengths[whole], np.diff(pendulum.shadows)[whole, 0], atol=0.4)
    across = (darkness * (np.arange(32) - 15.5)).sum(axis=1) / lengths
    assert_allclose(across[whole], pendulum.shadows.mean(axis=1)[whole], atol=0.3)


def test_the_shadow_follows_from_both(pendulum):
    """The bob moved to the right moves it to the right, the light to the left."""
    means = np.array(
        [pendulum.shadows[pendulum.target == cell].mean(axis=0) for cell in range(9)]
    ).reshape(3, 3, 2)
    assert (np.diff(means.mean(axis=-1), axis=0) > 3.0).all()
    assert (np.diff(means.mean(axis=-1), axis=1) < -1.5).all()
    lengths = np.diff(means)[..., 0]
    assert lengths[0, 2] > 1.2 * lengths[0, 0]  # the far side
    assert lengths[2, 0] > 1.2 * lengths[2, 2]


def test_intensity_width_and_height_can_be_read_off_the_image(rectangles):
    images = np.where(rectangles.images > 0.1, rectangles.images, 0.0).astype(float)
    intensity = np.sort(images.reshape(len(images), -1))[:, -25:-5].mean(axis=1)
    width = images.sum(axis=2).max(axis=1) / intensity
    height = images.sum(axis=1).max(axis=1) / intensity
    thresholds = (0.62, 9.5, 9.5)
    read = np.column_stack([intensity, width, height]) > thresholds
    assert (np.mean(read == rectangles.factors, axis=0) >= 0.99).all()


def test_values_of_rectangles_can_be_measured_without_noise():
    clear = make_rectangles(300, noise=0.0, random_state=1)
    images = clear.images.astype(float)
    intensity = images.max(axis=(1, 2))
    width, height = (images.sum(axis=axis).max(axis=1) / intensity for axis in (2, 1))
    assert_allclose(np.column_stack([intensity, width, height]), clear.factor_values, atol=1e-4)
    across = np.arange(28) - 13.5
    mass = images.sum(axis=(1, 2))
    column = (images.sum(axis=1) * across).sum(axis=1) / mass
    row = (images.sum(axis=2) * across).sum(axis=1) / mass
    # an edge within a pixel moves the mass to the middle of the pixel
    assert_allclose(np.column_stack([column, row]), clear.places, atol=0.05)


def test_the_place_of_a_rectangle_is_a_nuisance(rectangles):
    """It has the documented spread, and no factor tells anything of it."""
    assert_allclose(rectangles.places.std(axis=0), 1.0, rtol=0.1)
    for factor in rectangles.factors.T:
        means = [rectangles.places[factor == outcome].mean(axis=0) for outcome in (0, 1)]
        assert_allclose(means[0], means[1], atol=0.25)  # 4 to 5 standard deviations
