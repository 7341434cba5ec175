"""Reconstruction from any subset of the modalities: conditional Gaussians, and brute force."""

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose
from random_models import make_data, own_model
from some_slow import each_once, some_slow

from skcausalpima._inference import posterior
from skcausalpima._inference.decoding import latent_draws, reconstruction
from skcausalpima._inference.posterior import answer, score_draws
from skcausalpima._model.tensors import TensorData
from skcausalpima.functional import rsample
from skcausalpima.modules import Batch, SubsetEncoders


@pytest.fixture(autouse=True)
def all_components(monkeypatch):
    """Leave out no component but those of probability zero."""
    monkeypatch.setattr(posterior, "NEGLIGIBLE", 1e-300)


def as_data(arrays, observed):
    seen = np.zeros((len(arrays), len(arrays[0])), dtype=bool)
    seen[list(observed)] = True
    arrays = [array * row[:, None] for array, row in zip(arrays, seen, strict=True)]
    batch = Batch(tuple(map(torch.as_tensor, arrays)), torch.as_tensor(seen))
    return TensorData(batch, torch.float64)


@pytest.mark.usefixtures("no_outliers")
@pytest.mark.parametrize(
    "observed", some_slow([[0], [1], [2], [0, 2], [1, 2], [0, 1, 2]], [[1], [0, 2], [0, 1, 2]])
)
def test_it_is_the_conditional_expectation_of_a_mixture_of_gaussians(observed):
    """All of a linear model is Gaussian given the component, and conditioning is algebra."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(30)
    data = as_data(x, observed)
    means, variances = reconstruction(model, data, encoders, [0, 1, 2], include_noise=False)
    _, noisy = reconstruction(model, data, encoders, [0, 1, 2], include_noise=True)
    # The least precision is added to all.
    tolerance = 1e-7 if len(observed) < 3 else 2e-5
    for m in range(3):
        mean, variance = mixture.expected(x, observed, m)
        assert_allclose(means[m], mean, atol=tolerance)
        assert_allclose(variances[m], variance, atol=tolerance)
        assert_allclose(noisy[m], variance + mixture.noise[m] ** 2, atol=tolerance)


@pytest.mark.long
def test_its_deviation_is_how_far_new_measurements_are_from_it():
    """Monte Carlo: errors of 20 000 samples over predicted deviations have the variance 1."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(20_000)
    means, variances = reconstruction(model, as_data(x, [0]), encoders, [1], include_noise=True)
    z = (x[1] - means[0].numpy()) / np.sqrt(variances[0].numpy())
    assert np.abs(z.mean(axis=0)).max() < 0.05
    assert np.abs(np.square(z).mean(axis=0) - 1).max() < 0.1


@pytest.mark.parametrize(("missing", "sampled"), each_once([False, True], [True, False]))
@torch.no_grad()
def test_decoders_of_every_kind_count_with_their_weights(missing, sampled):
    """Networks per cluster and with variances of their own, draw by draw, cell by cell."""
    model, data = own_model(sampled_responsibilities=sampled), make_data(missing)
    encoders = None if sampled else SubsetEncoders(model).eval()
    means, variances = reconstruction(model, data, encoders, [0, 1], include_noise=True)
    batch, draws = data.rows(slice(None)), torch.tensor(score_draws(2))
    if sampled:
        posterior, log_gamma = model.answer(batch, draws)
        gamma, points = log_gamma.exp(), [[rsample(posterior, d) for d in draws]] * 4
    else:
        lacking = torch.zeros(90, dtype=torch.bool) if not missing else ~batch.observed.all(dim=0)
        gamma, points = torch.empty(4, 90).double(), torch.empty(4, len(draws), 90, 2).double()
        for rows, used in ((~lacking, None), (lacking, encoders)):
            if not rows.any():
                continue
            found = answer(model, batch.take(rows.nonzero()[:, 0]), draws, used)
            gamma[:, rows] = found.log_gamma.exp()
            for c in range(4):
                for k, draw in enumerate(draws):
                    at = torch.full((int(rows.sum()),), c)
                    points[c, k, rows] = found.posterior.points(at, draw.expand(len(at), -1))
    weights = (gamma / len(draws)).repeat_interleave(len(draws), dim=0)[:, :, None]
    cells = [torch.full((90,), c) for c in range(4)]
    for m, decoder in enumerate(model.decoders):
        each = [(z, cells[c]) for c in range(4) for z in points[c]]
        decoded = torch.stack([decoder.decode(z, cell) for z, cell in each])
        noise = [decoder.deviations(z, cell, model.log_variances[m]).square() for z, cell in each]
        mean = (weights * decoded).sum(dim=0)
        squares = (decoded - mean).square() + torch.stack(noise)
        assert_allclose(means[m], mean, atol=1e-10)
        assert_allclose(variances[m], (weights * squares).sum(dim=0), atol=1e-10)


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@torch.no_grad()
def test_weights_of_the_draws_of_a_sample_add_up_to_one(missing, sampled):
    model = own_model(sampled_responsibilities=sampled)
    batch = make_data(missing).rows(slice(0, 20))
    draws = torch.tensor(score_draws(2))
    encoders = SubsetEncoders(model).eval() if missing and not sampled else None
    total = torch.zeros(20).double()
    for rows, components, weights, points in latent_draws(model, batch, draws, encoders):
        assert len(set(components.tolist())) == 1
        assert points.shape == (len(rows), 2)
        total[rows] += weights
    assert_allclose(total, 1.0)


def test_answers_do_not_depend_on_the_samples_beside():
    model, data = own_model(), make_data(missing=True)
    encoders = SubsetEncoders(model).eval()
    together = reconstruction(model, data, encoders, [1], include_noise=False)[0][0]
    rows = torch.tensor([5, 25, 60])
    apart = reconstruction(model, data.subset(rows), encoders, [1], include_noise=False)[0][0]
    assert_allclose(apart, together[rows], atol=1e-12)
