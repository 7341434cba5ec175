"""Where potentials of single modalities begin: linear maps, and likelihoods of locations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model
from scipy.linalg import eigh
from sklearn.linear_model import LinearRegression

from skcausalpima import CausalPIMA
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import linear_locations
from skcausalpima._training.distillation import targets_of
from skcausalpima._training.linear_locations import (
    become_linear,
    fit_likelihoods,
    linear_map,
    shrink_slopes,
)
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
    student = SubsetEncoders(make_model())
    x = data.arrays[m].numpy()
    points = 3.0 * x @ rng.normal(size=(x.shape[1], 2)) + rng.normal(size=(90, 2))
    become_linear(student, data, torch.as_tensor(points))
    seen = slice(None) if data.observed is None else data.observed[m].numpy()
    weight, offset, errors = linear_map(x[seen], points[seen])
    shape = (3, 2) if m == 0 else (4,)
    found = student.encoders[m](data.arrays[m].reshape(90, *shape))
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
    taught = targets_of(mixture.model()[0], data)
    return mixture, SubsetEncoders(model), exact, data, taught


@pytest.mark.slow
def test_likelihoods_of_a_linear_model_are_exact(monkeypatch):
    """Whatever encoders do to what they say, as long as it can be undone; by the true moments."""
    monkeypatch.setattr(linear_locations, "FEW_ROWS", 8000)
    _, student, exact, data, taught = linear_case(8000)
    fit_likelihoods(student, data, taught.mean, taught.second)
    batch = data.rows(slice(200))
    with torch.no_grad():
        for m in range(3):
            found, expected = (of.potential_of(batch, m) for of in (student, exact))
            scale = expected.precision[0].diagonal().max()
            assert_allclose(found.precision, expected.precision, atol=0.08 * scale)
            assert_allclose(found.linear, expected.linear, atol=0.3 * scale)


def test_too_few_samples_say_nothing():
    """With 2 (J + 1) of them: the prior's answer, and never certainty."""
    _, student, _, data, taught = linear_case(9)
    fit_likelihoods(student, data.subset(slice(6)), taught.mean[:6], taught.second[:6])
    for part in student.potential(data.rows(slice(None))):
        assert not part.any()


def test_modalities_that_nobody_has_and_experts_stay_as_they_are():
    _, student, _, data, taught = linear_case(50)
    student.information_roots[0] = 0.0  # an expert has said it all
    observed = torch.ones(3, 50, dtype=torch.bool)
    observed[1] = False
    data = replace(data, samples=replace(data.samples, observed=observed))
    before = {name: value.clone() for name, value in student.state_dict().items()}
    fit_likelihoods(student, data, taught.mean, taught.second)
    for name in ("slopes", "offsets", "information_roots", "widening"):
        after = getattr(student, name).detach()
        assert_array_equal(after[:2], before[name][:2])
        assert (after[2] != before[name][2]).any()


def learned(width: int, strength: float, n_samples: int, seed: int):
    """Return a linear decoder by least squares, its information, and how far its slopes are off."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n_samples, 2)) @ np.array([[2.0, 0.5], [0.0, 0.7]])
    slopes = strength * np.array([1.0, 0.0])[:, None] * np.ones((2, width))
    x = z @ slopes + rng.normal(size=(n_samples, width))
    found = np.linalg.lstsq(np.column_stack([np.ones(n_samples), z]), x, rcond=None)[0][1:]
    return z, found, slopes


@pytest.mark.parametrize("width", [3, 20])
def test_information_from_noise_is_as_expected(width):
    """E[W W'] of slopes learned from noise is d M^-1; 400 draws are within 8 %."""
    sums = []
    for seed in range(400):
        z, found, _ = learned(width, 0.0, 60, seed)
        scatter = (z - z.mean(axis=0)).T @ (z - z.mean(axis=0))
        root = np.linalg.cholesky(scatter / width)
        sums.append(root.T @ (found @ found.T) @ root)
    assert_allclose(np.mean(sums, axis=0), np.eye(2), atol=0.08)


def test_slopes_are_shrunk_by_what_is_noise_of_them():
    """The factors are those of James and Stein, along axes where both matrices are diagonal."""
    information = torch.tensor([[5.0, 1.0], [1.0, 2.0]]).double()
    of_noise = torch.tensor([[0.5, 0.2], [0.2, 3.0]]).double()  # the inverse of N
    kept = linear_locations._beyond_noise(information, of_noise).numpy()
    ratios, axes = eigh(information.numpy(), np.linalg.inv(of_noise.numpy()))
    factors = np.maximum(0.0, 1.0 - 1.0 / ratios)
    assert_allclose(kept @ axes, axes * factors, atol=1e-12)
    nothing = linear_locations._beyond_noise(0.01 * information, of_noise)
    assert_allclose(nothing, np.zeros((2, 2)), atol=1e-12)


def test_shrunk_slopes_tell_new_samples_more():
    """Mean log loss of which of two points it is, over 200 decoders: less than with their own."""
    losses = {"own": [], "shrunk": []}
    for seed in range(200):
        z, found, slopes = learned(20, 0.2, 40, seed)
        scatter = (z - z.mean(axis=0)).T @ (z - z.mean(axis=0))
        information, inverse = torch.as_tensor(found @ found.T), torch.as_tensor(scatter / 20)
        kept = linear_locations._beyond_noise(information, inverse).numpy()
        noise = np.random.default_rng(1000 + seed).normal(size=(50, 20))
        for name, own in (("own", found), ("shrunk", kept.T @ found)):
            for far in np.eye(2):  # the second direction says nothing
                x = noise + far @ slopes
                said = x @ (own.T @ far) - 0.5 * np.sum((own.T @ far) ** 2)
                losses[name].append(np.logaddexp(0.0, -said).mean())
    better = np.subtract(losses["own"], losses["shrunk"])
    assert better.mean() > 3 * better.std() / np.sqrt(len(better))


def test_a_modality_keeps_what_it_knows_and_loses_what_is_noise():
    mixture, student, _, data, taught = linear_case(60)
    model = mixture.model()[0]
    fit_likelihoods(student, data, taught.mean, taught.second)
    model.free_widths = [0.0, 1e6, 0.0]  # of nothing, of all that there may be, of nothing
    student.information_roots[1] *= 1e-3
    before = {name: value.clone() for name, value in student.state_dict().items()}
    shrink_slopes(student, model, data, taught.mean, taught.second)
    for m in (0, 2):
        assert_allclose(student.slopes[m], before["slopes"][m])
        assert_allclose(student.offsets[m], before["offsets"][m])
    assert not student.slopes[1].any()
    centre = taught.mean.mean(dim=0).to(before["slopes"])
    expected = before["slopes"][1] @ centre + before["offsets"][1]
    assert_allclose(student.offsets[1], expected)  # where it locates the mean sample


@pytest.mark.long
def test_images_that_curves_have_outvoted_tell_their_node():
    """Without derived views, of 300 lattices the image alone had .49 of the lattice, a guess."""
    data, new = make_lattices(300, random_state=0), make_lattices(500, random_state=50)
    est = CausalPIMA((2, 2), views=None, random_state=0)
    est.fit({"image": data.images, "stress": data.curves})
    nodes = est.predict_nodes({"image": new.images, "stress": None})
    best = max(matched_accuracy(new.factors[:, 0], column) for column in nodes.T)
    assert best > 0.95
