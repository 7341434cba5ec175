"""Encoders of single modalities that training has taught nothing begin as linear maps."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model
from sklearn.linear_model import LinearRegression

from skcausalpima import CausalPIMA
from skcausalpima._training.linear_locations import held_out_errors, linear_map, start_locations
from skcausalpima.datasets import make_lattices
from skcausalpima.metrics import matched_accuracy
from skcausalpima.modules import SubsetEncoders


def test_map_is_least_squares():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(60, 5)), rng.normal(size=(60, 2))
    found, expected = linear_map(x, z), LinearRegression().fit(x, z)
    assert_allclose(found.weight, expected.coef_, atol=1e-8)
    assert_allclose(found.offset, expected.intercept_, atol=1e-8)
    assert_allclose(found(x), expected.predict(x), atol=1e-8)
    assert_allclose(found.errors, np.square(expected.predict(x) - z).mean(axis=0))
    half = LinearRegression().fit(x[:30], z[:30])
    errors = np.square(half.predict(x[30:]) - z[30:]).mean(axis=0)
    assert_allclose(held_out_errors(x, z), errors, atol=1e-8)


def test_wide_and_constant_modalities():
    rng = np.random.default_rng(0)
    wide = linear_map(rng.normal(size=(40, 300)), rng.normal(size=(40, 2)))
    assert np.linalg.matrix_rank(wide.weight) <= 2
    assert np.isfinite(wide.weight).all()
    flat = linear_map(np.ones((8, 3)), np.arange(8.0)[:, None])
    assert_allclose(flat(np.ones((1, 3))), [[3.5]])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("m", [0, 1])
@torch.no_grad()
def test_encoders_that_know_nothing_begin_as_the_map(m, missing):
    data, rng = make_data(missing), np.random.default_rng(1)
    pupil = SubsetEncoders(make_model())
    x = data.arrays[m].numpy()
    points = 3.0 * x @ rng.normal(size=(x.shape[1], 2)) + rng.normal(size=(90, 2))
    start_locations(pupil, data, torch.as_tensor(points))
    seen = slice(None) if data.observed is None else data.observed[m].numpy()
    expected = linear_map(x[seen], points[seen])
    shape = (3, 2) if m == 0 else (4,)
    found = pupil.encoders[m](data.arrays[m].reshape(90, *shape))
    assert_allclose(found[:, :2], expected(x), rtol=1e-5, atol=1e-5)
    assert_allclose(found[:, 2:].exp(), np.broadcast_to(expected.errors, (90, 2)), rtol=1e-5)


@torch.no_grad()
def test_encoders_that_know_better_stay():
    data = make_data()
    pupil = SubsetEncoders(make_model())
    states = [{k: v.clone() for k, v in e.state_dict().items()} for e in pupil.encoders]
    batch = data.rows(slice(None))
    start_locations(pupil, data, pupil.of_modalities(*pupil.outputs(batch))[0][0])
    for name, value in pupil.encoders[0].state_dict().items():
        assert_array_equal(value, states[0][name])


@pytest.mark.slow
def test_images_that_curves_have_outvoted_tell_their_node():
    """Without derived views, of 300 lattices the image alone had .49 of the lattice, a guess."""
    data, new = make_lattices(300, random_state=0), make_lattices(500, random_state=50)
    est = CausalPIMA((2, 2), views=None, random_state=0)
    est.fit({"image": data.images, "stress": data.curves})
    nodes = est.predict_nodes({"image": new.images, "stress": None})
    best = max(matched_accuracy(new.factors[:, 0], column) for column in nodes.T)
    assert best > 0.95
