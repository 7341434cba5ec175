"""Scores and cells: draws, and decoders' own likelihoods."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import make_data, own_model
from scipy import stats

from skcausalpima._inference.posterior import bounds, check_near, sample_posterior, score_draws
from skcausalpima.functional import entropy


@pytest.mark.parametrize("latent_dim", [1, 2, 9, 20])
def test_score_draws_have_exact_moments(latent_dim):
    draws = score_draws(latent_dim)
    assert draws.shape == (2 * max(8, latent_dim), latent_dim)
    assert_allclose(draws.mean(axis=0), 0.0, atol=1e-14)
    assert_allclose(draws.T @ draws / len(draws), np.eye(latent_dim), atol=1e-12)


@pytest.mark.parametrize("missing", [False, True])
@torch.no_grad()
def test_score_and_cells_take_own_likelihoods_in_expectation(missing):
    """Of the published posterior, draw by draw, component by component, with SciPy's densities."""
    model, data = own_model(sampled_responsibilities=True), make_data(missing)
    batch = data.rows(slice(None))
    posterior, prior = model.encode(batch), model.prior
    draws = torch.tensor(score_draws(2))
    seen = torch.ones(2, 90) if data.observed is None else data.observed
    evidence = torch.zeros(4, 90).double()
    for draw in draws:
        z = posterior.mean + posterior.log_var.mul(0.5).exp() * draw
        for c in range(4):
            deviation = model.decoders[0].log_variances[c].mul(0.5).exp()
            mean = model.decoders[0](z)[:, c].flatten(1)
            part = stats.norm.logpdf(batch.arrays[0], mean, deviation).sum(axis=1)
            evidence[c] += seen[0] * torch.as_tensor(part) / len(draws)
        mean, log_variance = model.decoders[1].moments(z)
        part = stats.norm.logpdf(batch.arrays[1], mean, log_variance.mul(0.5).exp()).sum(axis=1)
        evidence += seen[1] * torch.as_tensor(part) / len(draws)
    logs = prior.log_weights()[:, None] + model.log_density(posterior) + evidence
    assert_allclose(sample_posterior(model, data).cells, logs.softmax(dim=0).T, atol=1e-12)
    expected = logs.logsumexp(dim=0) + entropy(posterior.log_var)
    assert_allclose(bounds(model, data), expected, rtol=1e-10)


def test_the_first_sample_of_which_something_is_not_finite_is_named():
    numbers = np.zeros((6, 3, 2))
    check_near(numbers, "means")
    numbers[4, 0, 1], numbers[5] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"Row 4 is so far .* its means are not finite in float64"):
        check_near(numbers, "means", "Row")
