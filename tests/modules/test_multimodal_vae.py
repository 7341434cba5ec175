"""The bound of the published posterior against its terms, and gradients against differences."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skcausalpima.functional import (
    DiagonalGaussian,
    edge_indicator,
    entropy,
    expected_log_density,
    gaussian_log_likelihood,
    log_joint,
    log_responsibilities,
    mixture_terms,
    product_of_experts,
    rsample,
    table_logits_to_probabilities,
)
from skcausalpima.modules import Batch, CausalPrior, MeanFieldVAE, MLPDecoder, MLPEncoder

SHAPES = [(3, 2), (4,)]
WEIGHTS = torch.tensor([2.0, 0.5], dtype=torch.float64)


def make_model(prior_expert=True):
    generator = torch.Generator().manual_seed(0)
    prior = CausalPrior((2, 3), 2)
    for parameter in [*prior.parameters(), prior.means]:
        nn.init.normal_(parameter, generator=generator)
    roots = torch.randn(6, 2, 2, generator=generator)
    prior.covariances.copy_(roots @ roots.mT + 0.5 * torch.eye(2))
    model = MeanFieldVAE(
        [MLPEncoder(shape, 2, (8,), generator) for shape in SHAPES],
        [MLPDecoder(shape, 2, (8,), generator) for shape in SHAPES],
        prior,
        SHAPES,
        WEIGHTS,
    )
    model.prior_expert = prior_expert
    model.log_variances.copy_(torch.tensor([0.4, -0.3]))
    return model.double()


@pytest.fixture(params=[False, True], ids=["observed", "missing"])
def batch(request):
    rng = np.random.default_rng(0)
    arrays = tuple(torch.as_tensor(rng.normal(size=(7, width))) for width in (6, 4))
    observed = torch.ones(2, 7, dtype=torch.bool)
    if not request.param:
        return Batch(arrays, None)
    observed[0, :2] = observed[1, 4:] = False
    return Batch(arrays, observed)


@pytest.fixture
def noise():
    return torch.as_tensor(np.random.default_rng(1).normal(size=(7, 2)))


@pytest.mark.parametrize("prior_expert", [True, False])
def test_bound_is_the_sum_of_its_terms(batch, noise, prior_expert):
    """Responsibilities are those at the draw, densities those expected."""
    model = make_model(prior_expert=prior_expert)
    prior = model.prior
    outputs = [
        encoder(array.unflatten(1, shape))
        for encoder, array, shape in zip(model.encoders, batch.arrays, SHAPES, strict=True)
    ]
    experts = torch.stack(outputs).chunk(2, dim=-1)
    posterior = product_of_experts(*experts, batch.observed, prior_expert)
    z = rsample(posterior, noise)
    expected = entropy(posterior.log_var)
    for m, array in enumerate(batch.arrays):
        mean = model.decoders[m](z).flatten(1)
        term = gaussian_log_likelihood(array, mean, model.log_variances[m])
        seen = 1.0 if batch.observed is None else batch.observed[m]
        expected = expected + WEIGHTS[m] * seen * term
    metric = torch.nn.functional.softplus(0.5 * (prior.metric_logits + prior.metric_logits.T))
    edges = edge_indicator(prior.scores, metric.fill_diagonal_(0.0), prior.temperature)
    log_weights = log_joint(table_logits_to_probabilities(prior.table_logits), edges).flatten()
    density = expected_log_density(posterior, prior.means, prior.covariances)
    at = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
    gamma = log_responsibilities(
        log_weights, expected_log_density(at, prior.means, prior.covariances)
    )
    expected = expected + sum(mixture_terms(log_weights, density, gamma))
    assert_allclose(model.elbo(batch, noise).values.detach(), expected.detach(), rtol=1e-12)


def test_squared_errors_are_those_of_the_draws(batch, noise):
    model = make_model()
    z = rsample(model.encode(batch), noise)
    seen = torch.ones(2, 7) if batch.observed is None else batch.observed
    expected = [
        seen[m] * (array - mean).square().sum(dim=1)
        for m, (array, mean) in enumerate(zip(batch.arrays, model.decode(z), strict=True))
    ]
    errors = model.elbo(batch, noise).squared_errors.detach()
    assert_allclose(errors, torch.stack(expected).detach())


def test_frozen_mixture_changes_nothing(batch, noise):
    model = make_model()
    expected = model.elbo(batch, noise).values
    with model.frozen():
        assert torch.equal(model.elbo(batch, noise).values, expected)
        model.prior.means.zero_()  # not seen inside
        assert torch.equal(model.elbo(batch, noise).values, expected)
    assert not torch.allclose(model.elbo(batch, noise).values, expected)


def test_a_frozen_model_gives_the_same_bounds(batch, noise):
    model = make_model()
    expected = model.elbo(batch, noise).values
    with model.frozen():
        assert torch.equal(model.elbo(batch, noise).values, expected)
        model.log_variances.fill_(2.0)  # not seen inside
        model.prior.means.zero_()
        assert torch.equal(model.elbo(batch, noise).values, expected)
    assert not torch.allclose(model.elbo(batch, noise).values, expected)


@torch.no_grad()
def test_unit_bound_is_that_of_components_that_all_are_the_unit_gaussian(batch, noise):
    model = make_model()
    unit = model.unit_elbo(batch, noise).values
    assert not torch.allclose(model.elbo(batch, noise).values, unit)
    model.prior.means.zero_()
    model.prior.covariances.copy_(torch.eye(2).expand(6, -1, -1))
    assert_allclose(model.elbo(batch, noise).values, unit)


@pytest.mark.parametrize("name", ["scores", "metric_logits", "table_logits"])
def test_graph_gradients_are_finite_differences(batch, noise, name):
    model = make_model()
    parameter = getattr(model.prior, name)
    model.elbo(batch, noise).values.sum().backward()
    gradient, step = parameter.grad.flatten(), 1e-6
    flat = parameter.data.view(-1)
    for k in range(len(flat)):
        values = []
        for sign in (1.0, -1.0):
            flat[k] += sign * step
            values.append(model.elbo(batch, noise).values.sum().item())
            flat[k] -= sign * step
        assert_allclose(gradient[k], (values[0] - values[1]) / (2 * step), atol=1e-6)


def test_missing_blocks_have_no_gradient(noise):
    """Whatever lies in them, nothing depends on it."""
    arrays = tuple(torch.ones(7, width, dtype=torch.float64).requires_grad_() for width in (6, 4))
    observed = torch.ones(2, 7, dtype=torch.bool)
    observed[0, :3] = False
    make_model().elbo(Batch(arrays, observed), noise).values.sum().backward()
    assert (arrays[0].grad[:3] == 0).all()
    assert (arrays[0].grad[3:] != 0).all()
    assert torch.isfinite(arrays[1].grad).all()


def test_extreme_log_variances_are_kept_finite(batch, noise):
    model = make_model()
    with torch.no_grad():
        model.encoders[0].network[-1].bias.copy_(torch.tensor([0.0, 0.0, 1e4, -1e4]))
    bound = model.elbo(batch, noise).values
    bound.sum().backward()
    assert torch.isfinite(bound).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_balanced_modalities_count_alike(batch, noise):
    """Scaling a modality's width and variance out: each mean squared error has one factor."""
    model = make_model()
    model.modality_weights = None
    mean_variance = model.log_variances.exp().mean()
    mean_squared = model.error_weights() * torch.tensor([6.0, 4.0])
    assert_allclose(mean_squared.numpy(), [5.0 / mean_variance] * 2, rtol=1e-12)
    errors = model.squared_errors(batch, noise)
    norm = torch.distributions.Normal(0.0, mean_variance.sqrt())
    expected = torch.zeros(7, dtype=torch.float64)
    for m, width in enumerate([6, 4]):
        seen = torch.ones(7) if batch.observed is None else batch.observed[m]
        element = norm.log_prob((errors[m] / width).sqrt())  # of the mean width, 5 elements
        expected += 5.0 * element * seen
    got = model.training_log_likelihood(errors, batch.observed)
    assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-10)
