"""Where potentials of single modalities begin: linear maps, and likelihoods of locations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model
from sklearn.linear_model import LinearRegression

from skcausalpima import CausalPIMA
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import linear_locations
from skcausalpima._training.linear_locations import become_linear, fit_likelihoods, linear_map
from skcausalpima._training.subset_encoders import lesson
from skcausalpima.datasets import make_lattices
from skcausalpima.metrics import matched_accuracy
from skcausalpima.modules import Batch, SubsetEncoders


def test_map_is_least_squares():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(60, 5)), rng.normal(size=(60, 2))
    (weight, offset, errors), expected = linear_map(x, z), LinearRegression().fit(x, z)
    assert_allclose(weight, expected.coef_, atol=1e-8)
    assert_allclose(offset, expected.intercept_, atol=1e-8)
    assert_allclose(errors, np.square(expected.predict(x) - z).mean(axis=0))


def test_wide_and_constant_modalities():
    rng = np.random.default_rng(0)
    wide, _, _ = linear_map(rng.normal(size=(40, 300)), rng.normal(size=(40, 2)))
    assert np.linalg.matrix_rank(wide) <= 2
    assert np.isfinite(wide).all()
    weight, offset, _ = linear_map(np.ones((8, 3)), np.arange(8.0)[:, None])
    assert_allclose(weight @ np.ones(3) + offset, [3.5])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("m", [0, 1])
@torch.no_grad()
def test_encoders_become_the_map(m, missing):
    data, rng = make_data(missing), np.random.default_rng(1)
    pupil = SubsetEncoders(make_model())
    x = data.arrays[m].numpy()
    points = 3.0 * x @ rng.normal(size=(x.shape[1], 2)) + rng.normal(size=(90, 2))
    become_linear(pupil, data, torch.as_tensor(points))
    seen = slice(None) if data.observed is None else data.observed[m].numpy()
    weight, offset, errors = linear_map(x[seen], points[seen])
    shape = (3, 2) if m == 0 else (4,)
    found = pupil.encoders[m](data.arrays[m].reshape(90, *shape))
    assert_allclose(found[:, :2], x @ weight.T + offset, rtol=1e-5, atol=1e-5)
    assert_allclose(found[:, 2:].exp(), np.broadcast_to(errors, (90, 2)), rtol=1e-5)


def linear_case(n_samples):
    """A linear model whose encoders turn, stretch and move what they should say, and samples."""
    mixture = LinearMixture()
    model, exact = mixture.model()
    turned = torch.tensor([[2.0, -1.0], [0.5, 0.3]]).double()
    with torch.no_grad():
        for encoder in model.encoders:
            encoder[1].weight[:2] = turned @ encoder[1].weight[:2]
            encoder[1].bias[:2] = turned @ encoder[1].bias[:2] + 1.0
    x = mixture.sample(n_samples)[1]
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    taught = lesson(mixture.model()[0], data)
    return mixture, SubsetEncoders(model), exact, data, taught


@pytest.mark.slow
def test_likelihoods_of_a_linear_model_are_exact(monkeypatch):
    """Whatever encoders do to what they say, as long as it can be undone; by the true moments."""
    monkeypatch.setattr(linear_locations, "MAX_ROWS", 8000)
    _, pupil, exact, data, taught = linear_case(8000)
    fit_likelihoods(pupil, data, taught.mean, taught.second)
    batch = data.rows(slice(200))
    with torch.no_grad():
        for m in range(3):
            found, expected = (of.potential_of(batch, m) for of in (pupil, exact))
            scale = expected.precision[0].diagonal().max()
            assert_allclose(found.precision, expected.precision, atol=0.08 * scale)
            assert_allclose(found.linear, expected.linear, atol=0.3 * scale)


def test_too_few_samples_say_nothing():
    """With 2 (J + 1) of them: the prior's answer, and never certainty."""
    _, pupil, _, data, taught = linear_case(9)
    fit_likelihoods(pupil, data.subset(slice(6)), taught.mean[:6], taught.second[:6])
    for part in pupil.potential(data.rows(slice(None))):
        assert not part.any()


def test_modalities_that_nobody_has_and_experts_stay_as_they_are():
    _, pupil, _, data, taught = linear_case(50)
    pupil.information_roots[0] = 0.0  # an expert has said it all
    observed = torch.ones(3, 50, dtype=torch.bool)
    observed[1] = False
    data = replace(data, samples=replace(data.samples, observed=observed))
    before = {name: value.clone() for name, value in pupil.state_dict().items()}
    fit_likelihoods(pupil, data, taught.mean, taught.second)
    for name in ("slopes", "offsets", "information_roots", "widening"):
        after = getattr(pupil, name).detach()
        assert_array_equal(after[:2], before[name][:2])
        assert (after[2] != before[name][2]).any()


@pytest.mark.long
def test_images_that_curves_have_outvoted_tell_their_node():
    """Without derived views, of 300 lattices the image alone had .49 of the lattice, a guess."""
    data, new = make_lattices(300, random_state=0), make_lattices(500, random_state=50)
    est = CausalPIMA((2, 2), views=None, random_state=0)
    est.fit({"image": data.images, "stress": data.curves})
    nodes = est.predict_nodes({"image": new.images, "stress": None})
    best = max(matched_accuracy(new.factors[:, 0], column) for column in nodes.T)
    assert best > 0.95
