"""Reconstruction from any subset of the modalities: conditional Gaussians, and brute force."""

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose
from random_models import make_data, own_model

from skcausalpima._inference import incomplete
from skcausalpima._inference.incomplete import incomplete_posterior
from skcausalpima._inference.latent_draws import latent_draws
from skcausalpima._inference.posterior import gaussian_posterior, score_draws
from skcausalpima._inference.reconstruction import reconstruction
from skcausalpima._model.tensors import TensorData
from skcausalpima.functional import rsample
from skcausalpima.modules import Batch, SubsetEncoders


@pytest.fixture(autouse=True)
def all_components(monkeypatch):
    """Leave out no component but those of probability zero."""
    monkeypatch.setattr(incomplete, "NEGLIGIBLE", 1e-300)


def as_data(arrays, observed):
    seen = np.zeros((len(arrays), len(arrays[0])), dtype=bool)
    seen[list(observed)] = True
    arrays = [array * row[:, None] for array, row in zip(arrays, seen, strict=True)]
    batch = Batch(tuple(map(torch.as_tensor, arrays)), torch.as_tensor(seen))
    return TensorData(batch, torch.float64)


@pytest.mark.parametrize("observed", [[0], [1], [2], [0, 2], [1, 2]])
def test_it_is_the_conditional_expectation_of_a_mixture_of_gaussians(observed):
    """All of a linear model is Gaussian given the component, and conditioning is algebra."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(30)
    data = as_data(x, observed)
    means, variances = reconstruction(model, data, encoders, [0, 1, 2], include_noise=False)
    _, noisy = reconstruction(model, data, encoders, [0, 1, 2], include_noise=True)
    for m in range(3):
        mean, variance = mixture.expected(x, observed, m)
        assert_allclose(means[m], mean, atol=1e-9)
        assert_allclose(variances[m], variance, atol=1e-9)
        assert_allclose(noisy[m], variance + mixture.noise[m] ** 2, atol=1e-9)


def test_its_deviation_is_how_far_new_measurements_are_from_it():
    """Monte Carlo: errors of 20 000 samples over predicted deviations have the variance 1."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(20_000)
    means, variances = reconstruction(model, as_data(x, [0]), encoders, [1], include_noise=True)
    z = (x[1] - means[0].numpy()) / np.sqrt(variances[0].numpy())
    assert np.abs(z.mean(axis=0)).max() < 0.05
    assert np.abs(np.square(z).mean(axis=0) - 1).max() < 0.1


@pytest.mark.parametrize("missing", [False, True])
@torch.no_grad()
def test_decoders_of_every_kind_count_with_their_weights(missing):
    """Networks per cluster and with variances of their own, draw by draw, cell by cell."""
    model, data = own_model(), make_data(missing)
    encoders = SubsetEncoders(model).eval()
    means, variances = reconstruction(model, data, encoders, [0, 1], include_noise=True)
    batch, draws = data.rows(slice(None)), torch.as_tensor(score_draws(2))
    posterior, log_gamma = gaussian_posterior(model, batch, draws)
    gamma, points = log_gamma.exp(), [[rsample(posterior, d) for d in draws]] * 4
    if missing:
        found = incomplete_posterior(model, encoders, batch, draws)
        lacking = ~batch.observed.all(dim=0)
        gamma = torch.where(lacking, found.log_gamma.exp(), gamma)
        points = [
            [
                torch.where(lacking[:, None], found.points(c, slice(None), d), points[c][k])
                for k, d in enumerate(draws)
            ]
            for c in range(4)
        ]
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


@pytest.mark.parametrize("missing", [False, True])
@torch.no_grad()
def test_weights_of_the_draws_of_a_sample_add_up_to_one(missing):
    model, batch = own_model(), make_data(missing).rows(slice(0, 20))
    draws = torch.as_tensor(score_draws(2))
    encoders = SubsetEncoders(model).eval() if missing else None
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
