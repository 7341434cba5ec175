"""Sprites: each factor can be read off the image."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skcausalpima.datasets import make_sprites

MIDDLE = np.arange(32) - 15.5
PER_SQUARE = np.array([4.0, np.pi, 20.0 / 9.0])  # area of a sprite of half-width 1
SOFT = np.array([0.0, 1.0 / 12.0, 0.0])  # a soft edge makes a disc larger: pi (r^2 + 1 / 12)


def half_widths_of(area, shape):
    return np.sqrt(area / PER_SQUARE[shape] - SOFT[shape])


def moments(images):
    """Return area, column and row; pixels below 0.2, 10 deviations of the noise, are left out."""
    cover = np.where(images > 0.2, images, 0.0).astype(float) / 0.9
    area = cover.sum(axis=(1, 2))
    column = (cover * MIDDLE).sum(axis=(1, 2)) / area
    row = (cover * MIDDLE[:, None]).sum(axis=(1, 2)) / area
    return area, column, row


def template(shape, half_width, column, row):
    """Return sprites drawn by hand: the share of 3 x 3 points of a pixel that they cover."""
    fine = (np.arange(96) - 47.5) / 3.0
    half_width, column, row = (values[:, None, None] for values in (half_width, column, row))
    across, down = np.abs(fine - column), np.abs(fine[:, None] - row)
    longer, shorter = np.maximum(across, down), np.minimum(across, down)
    inside = (
        longer <= half_width,
        across**2 + down**2 <= half_width**2,
        (longer <= half_width) & (shorter <= half_width / 3.0),
    )[shape]
    return inside.reshape(-1, 32, 3, 32, 3).mean(axis=(2, 4))


def test_fields():
    sprites = make_sprites(60, random_state=3)
    assert sprites.images.shape == (60, 32, 32)
    assert sprites.images.dtype == np.float32
    assert 0.0 <= sprites.images.min() <= sprites.images.max() <= 1.0
    assert sprites.factors.shape == sprites.factor_values.shape == (60, 4)
    assert sprites.factor_names == ["shape", "size", "column", "row"]
    assert list(sprites.dag.edges) == [("shape", "size"), ("size", "column")]
    assert sprites.target.max() < 24


@pytest.mark.parametrize(
    "half_widths",
    [(4.25, 5.75), *(pytest.param(w, marks=pytest.mark.slow) for w in [(4.0, 6.0), (3.5, 6.5)])],
)
def test_shape_size_column_and_row_can_be_read_off_the_image(half_widths):
    """The nearest of three templates, at the place and of the area that are measured."""
    sprites = make_sprites(500, half_widths=half_widths, random_state=0)
    area, column, row = moments(sprites.images)
    distances = []
    for shape in range(3):
        drawn = template(shape, half_widths_of(area, shape), column, row)
        distances.append(((sprites.images - 0.9 * drawn) ** 2).sum(axis=(1, 2)))
    shape = np.argmin(distances, axis=0)
    big = half_widths_of(area, shape) > np.mean(half_widths)
    read = np.column_stack([shape, big, column > 0, row > 0])
    assert (np.mean(read == sprites.factors, axis=0) >= 0.99).all()


def test_values_can_be_measured_without_noise():
    sprites = make_sprites(300, noise=0.0, random_state=1)
    cover = sprites.images.astype(float) / 0.9
    area = cover.sum(axis=(1, 2))
    shape, half_width, column, row = sprites.factor_values.T
    assert_allclose(half_widths_of(area, shape.astype(int)), half_width, atol=0.025)
    inside = (np.abs(column) < 7) & (np.abs(row) < 7)
    assert_allclose(((cover * MIDDLE).sum(axis=(1, 2)) / area)[inside], column[inside], atol=0.05)
    down = (cover * MIDDLE[:, None]).sum(axis=(1, 2)) / area
    assert_allclose(down[inside], row[inside], atol=0.05)


def test_values_have_the_documented_spread():
    sprites = make_sprites(4000, random_state=0)
    for factor, spread in [(1, 0.3), (2, 0.7), (3, 0.7)]:
        for outcome, centre in enumerate([(4, 6), (-5, 5), (-5, 5)][factor - 1]):
            values = sprites.factor_values[sprites.factors[:, factor] == outcome, factor]
            assert values.mean() == pytest.approx(centre, abs=5 * spread / np.sqrt(len(values)))
            assert values.std() == pytest.approx(spread, rel=0.08)


@pytest.mark.parametrize(("shape", "number"), [("square", 0), ("disc", 1), ("cross", 2)])
def test_one_shape_leaves_eight_cells(shape, number):
    sprites = make_sprites(500, shape=shape, noise=0.0, random_state=0)
    assert sprites.factor_names == ["size", "column", "row"]
    assert list(sprites.dag.edges) == [("size", "column")]
    assert set(sprites.target) == set(range(8))
    area = sprites.images.sum(axis=(1, 2)) / 0.9
    assert_allclose(half_widths_of(area, number), sprites.factor_values[:, 0], atol=0.025)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": "star"}, ValueError, "shape must be one of.*'star'"),
        ({"shape": 0}, ValueError, "shape must be one of.*got 0"),
        ({"half_widths": 4.0}, ValueError, "half_widths is 4.0: expected two numbers"),
        ({"half_widths": (4, 5, 6)}, ValueError, "half_widths is .*: expected two numbers"),
        ({"half_widths": (6.0, 4.0)}, ValueError, "the smaller one first"),
        ({"half_widths": (4.0, 4.0)}, ValueError, "the smaller one first"),
        ({"half_widths": (1.0, 4.0)}, ValueError, "half_widths == 1.0, must be >= 2.0"),
        ({"half_widths": (4.0, 9.0)}, ValueError, "half_widths == 9.0, must be <= 8.0"),
        ({"half_widths": (4.0, float("nan"))}, ValueError, "half_widths is nan"),
        ({"half_widths": "46"}, TypeError, "half_widths must be an instance of"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        make_sprites(5, **arguments)
