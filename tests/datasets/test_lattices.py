"""Lattices: the generating function, the graph and the geometry."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import curve_fit

from skcausalpima.datasets import make_lattices


@pytest.fixture(scope="module")
def lattices():
    return make_lattices(2000, random_state=0)


def test_shapes_units_and_seeds():
    one, other = make_lattices(random_state=3), make_lattices(random_state=3)
    assert one.images.shape == (91, 32, 32)
    assert one.curves.shape == (91, 100)
    assert one.images.dtype == one.curves.dtype == np.float32
    assert one.images.min() >= 0.0
    assert one.images.max() <= 1.0
    for field in ("images", "curves", "factors", "curve_parameters"):
        assert_array_equal(one[field], other[field])


def test_outcomes_follow_the_graph(lattices):
    assert list(lattices.dag.edges) == [("lattice", "profile")]
    lattice, profile = lattices.factors.T
    # 5 standard deviations of a share of 2000 or about 1000
    assert abs(lattice.mean() - 0.5) < 5 * 0.5 / np.sqrt(2000)
    for outcome in (0, 1):
        share = profile[lattice == outcome].mean()
        assert abs(share - lattices.cpts["profile"][outcome, 1]) < 5 * 0.5 / np.sqrt(950)


def test_curves_follow_their_function(lattices):
    def function(x, before, after, knot):
        return before * np.minimum(x, knot) + after * np.maximum(x - knot, 0)

    for k in range(0, 2000, 200):
        curve, truth = lattices.curves[k], lattices.curve_parameters[k]
        found = curve_fit(function, lattices.curve_points, curve, p0=truth)[0]
        # the noise of one curve leaves about 0.6, 0.5 and 0.003
        assert (np.abs(found - truth) < [4.0, 3.0, 0.02]).all()


def test_octet_curves_vary_less(lattices):
    lattice = lattices.factors[:, 0]
    octet, gyroid = (lattices.curves[lattice == k].var(axis=0).mean() for k in (0, 1))
    assert octet < 0.7 * gyroid


def test_geometries_differ_and_are_mirrored_by_flips(lattices):
    lattice = lattices.factors[:, 0]
    means = [lattices.images[lattice == k].mean(axis=0) for k in (0, 1)]
    assert np.abs(means[0] - means[1]).mean() > 0.1
    for mean in means:
        assert_allclose(mean, mean[::-1], atol=0.02)
        assert_allclose(mean, mean[:, ::-1], atol=0.02)
