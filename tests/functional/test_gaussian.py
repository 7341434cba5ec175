"""Gaussian algebra against grids, SciPy, Lemma E.2 as printed, and Monte Carlo."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.autograd import gradcheck, gradgradcheck

from skcausalpima.functional import (
    DiagonalGaussian,
    entropy,
    expected_log_density,
    product_of_experts,
    rsample,
)

DTYPES = [torch.float32, torch.float64]


def lemma_e2(mu_1, cov_1, mu_2, cov_2):
    """Evaluate Eq. 35 as it is printed."""
    precision = np.linalg.inv(cov_2)
    offset = mu_1 - mu_2
    return (
        -len(mu_1) / 2 * np.log(2 * np.pi)
        - np.log(np.linalg.det(cov_2)) / 2
        - offset @ precision @ offset / 2
        - np.trace(cov_1 @ precision) / 2
    )


def random_posterior(rng, n_samples, latent_dim, offset=0.0, scale=1.0):
    mean = offset + scale * rng.standard_normal((n_samples, latent_dim))
    log_var = 2 * np.log(scale) + rng.standard_normal((n_samples, latent_dim)) / 2
    return DiagonalGaussian(torch.tensor(mean), torch.tensor(log_var))


def random_components(rng, n_components, latent_dim, offset=0.0, scale=1.0):
    means = offset + scale * rng.standard_normal((n_components, latent_dim))
    roots = rng.standard_normal((n_components, latent_dim, latent_dim))
    covariances = scale**2 * (roots @ roots.transpose(0, 2, 1) / latent_dim + np.eye(latent_dim))
    return torch.tensor(means), torch.tensor(covariances)


# product of experts --------------------------------------------------------------------------


def grid_product(experts):
    """Multiply 1-D normal densities on a grid and return the normalised mean and variance."""
    grid = np.linspace(-30.0, 30.0, 120_001)
    log_density = sum(stats.norm.logpdf(grid, mean, sd) for mean, sd in experts)
    mass = np.exp(log_density - log_density.max())
    mass /= mass.sum()
    mean = mass @ grid
    return mean, mass @ (grid - mean) ** 2


@pytest.mark.parametrize("prior_expert", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_product_of_experts_equals_product_of_densities_on_a_grid(prior_expert, masked):
    rng = np.random.default_rng(0)
    means = rng.normal(0, 2, (3, 4, 2))
    log_vars = rng.normal(0, 1, (3, 4, 2))
    observed = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], dtype=bool)
    fused = product_of_experts(
        torch.tensor(means),
        torch.tensor(log_vars),
        torch.tensor(observed) if masked else None,
        prior_expert,
    )
    for sample, latent in np.ndindex(4, 2):
        present = np.flatnonzero(observed[:, sample]) if masked else range(3)
        experts = [
            (means[m, sample, latent], np.exp(log_vars[m, sample, latent] / 2)) for m in present
        ]
        mean, variance = grid_product(experts + [(0.0, 1.0)] * prior_expert)
        assert fused.mean[sample, latent].item() == pytest.approx(mean, abs=1e-9)
        assert fused.log_var[sample, latent].exp().item() == pytest.approx(variance, rel=1e-8)


@pytest.mark.parametrize("missing", [np.nan, np.inf, 1e30])
def test_product_of_experts_never_reads_an_absent_modality(missing):
    means = torch.tensor([[[1.0]], [[missing]]], requires_grad=True)
    log_vars = torch.tensor([[[0.5]], [[missing]]], requires_grad=True)
    observed = torch.tensor([[True], [False]])
    fused = product_of_experts(means, log_vars, observed)
    alone = product_of_experts(means[:1], log_vars[:1])
    torch.testing.assert_close(fused, alone, rtol=0, atol=0)
    sum(part.sum() for part in fused).backward()
    assert means.grad[1].item() == log_vars.grad[1].item() == 0.0
    assert torch.isfinite(means.grad).all()
    assert torch.isfinite(log_vars.grad).all()


def test_nothing_observed_is_the_prior():
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    fused = product_of_experts(torch.randn(2, 3, 4), torch.randn(2, 3, 4), nothing)
    assert torch.equal(fused.mean, torch.zeros(3, 4))
    assert torch.equal(fused.log_var, torch.zeros(3, 4))


def test_nothing_observed_without_prior_has_infinite_variance_and_spoils_no_gradient():
    means = torch.ones(2, 2, 1, requires_grad=True)
    log_vars = torch.zeros(2, 2, 1, requires_grad=True)
    observed = torch.tensor([[True, False], [True, False]])
    fused = product_of_experts(means, log_vars, observed, prior_expert=False)
    assert fused.log_var[1].item() == np.inf
    assert not fused.mean.isnan().any()
    (fused.mean[0] + fused.log_var[0]).sum().backward()
    assert torch.equal(means.grad[:, 0], torch.full((2, 1), 0.5))
    assert torch.equal(means.grad[:, 1], torch.zeros(2, 1))
    assert torch.equal(log_vars.grad[:, 1], torch.zeros(2, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("log_var", [-50.0, 50.0])
@pytest.mark.parametrize("prior_expert", [True, False])
def test_product_of_experts_extreme_variances(dtype, log_var, prior_expert):
    means = torch.tensor([[[2.0]], [[4.0]]], dtype=dtype)
    fused = product_of_experts(means, torch.full_like(means, log_var), prior_expert=prior_expert)
    prior_dominates = prior_expert and log_var > 0
    expected = (0.0, 0.0) if prior_dominates else (3.0, log_var - np.log(2))
    assert fused.mean.item() == pytest.approx(expected[0], abs=1e-6)
    assert fused.log_var.item() == pytest.approx(expected[1], abs=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_product_of_experts_sharp_expert_wins_over_a_flat_one(dtype):
    means = torch.tensor([[[2.0]], [[1e6]]], dtype=dtype)
    log_vars = torch.tensor([[[-50.0]], [[50.0]]], dtype=dtype)
    fused = product_of_experts(means, log_vars, prior_expert=False)
    assert fused.mean.item() == pytest.approx(2.0, abs=1e-6)
    assert fused.log_var.item() == pytest.approx(-50.0, abs=1e-5)


def test_product_of_experts_a_certain_expert_wins():
    fused = product_of_experts(
        torch.tensor([[[3.0]], [[1.0]]]), torch.tensor([[[-torch.inf]], [[0.0]]])
    )
    assert fused.mean.item() == 3.0
    assert fused.log_var.exp().item() == 0.0


@pytest.mark.parametrize("prior_expert", [True, False])
def test_product_of_experts_gradient(prior_expert):
    generator = torch.Generator().manual_seed(0)
    means, log_vars = torch.randn(2, 3, 2, 2, generator=generator, dtype=torch.float64)
    observed = torch.tensor([[True, False], [True, True], [False, True]])

    def fuse(means, log_vars):
        return product_of_experts(means, log_vars, observed, prior_expert)

    assert gradcheck(fuse, (means.requires_grad_(), log_vars.requires_grad_()))
    assert gradgradcheck(fuse, (means, log_vars))


# reparametrised draws and entropy ------------------------------------------------------------


def test_rsample_maps_normal_quantiles_to_quantiles():
    rng = np.random.default_rng(1)
    posterior = random_posterior(rng, 3, 2)
    levels = rng.uniform(0.01, 0.99, (5, 3, 2))
    draws = rsample(posterior, torch.tensor(stats.norm.ppf(levels)))
    expected = stats.norm.ppf(levels, posterior.mean, (posterior.log_var / 2).exp())
    np.testing.assert_allclose(draws, expected, rtol=1e-12)


def test_rsample_gradient():
    generator = torch.Generator().manual_seed(0)
    mean, log_var, noise = torch.randn(3, 2, 2, generator=generator, dtype=torch.float64)
    inputs = (mean.requires_grad_(), log_var.requires_grad_())
    assert gradcheck(lambda m, v: rsample(DiagonalGaussian(m, v), noise), inputs)


def test_entropy_equals_scipy():
    log_var = torch.tensor(np.random.default_rng(2).normal(0, 2, (5, 3)))
    expected = [stats.multivariate_normal(cov=np.diag(v)).entropy() for v in log_var.exp().numpy()]
    np.testing.assert_allclose(entropy(log_var), expected, rtol=1e-12)


def test_entropy_gradient():
    log_var = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(entropy, (log_var,))


# expected log-density ------------------------------------------------------------------------


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@pytest.mark.parametrize("diagonal", [True, False])
def test_expected_log_density_equals_lemma_e2(latent_dim, diagonal):
    rng = np.random.default_rng(4)
    posterior = random_posterior(rng, 6, latent_dim)
    means, matrices = random_components(rng, 3, latent_dim)
    covariances = matrices.diagonal(dim1=1, dim2=2) if diagonal else matrices
    result = expected_log_density(posterior, means, covariances)
    for c, n in np.ndindex(3, 6):
        cov_1 = np.diag(np.exp(posterior.log_var[n].numpy()))
        cov_2 = np.diag(covariances[c].numpy()) if diagonal else covariances[c].numpy()
        expected = lemma_e2(posterior.mean[n].numpy(), cov_1, means[c].numpy(), cov_2)
        assert result[c, n].item() == pytest.approx(expected, rel=1e-10)


def test_expected_log_density_equals_monte_carlo():
    """Twelve means within 5 standard errors: false-alarm rate below 12 * 5.8e-7 = 7e-6."""
    rng = np.random.default_rng(5)
    posterior = random_posterior(rng, 4, 2)
    means, covariances = random_components(rng, 3, 2)
    result = expected_log_density(posterior, means, covariances)
    noise = torch.tensor(rng.standard_normal((20_000, 4, 2)))
    draws = rsample(posterior, noise).numpy()
    for c in range(3):
        log_density = stats.multivariate_normal(means[c], covariances[c]).logpdf(draws)
        error = log_density.std(axis=0, ddof=1) / np.sqrt(len(draws))
        assert (np.abs(log_density.mean(axis=0) - result[c].numpy()) < 5 * error).all()


@pytest.mark.parametrize("diagonal", [True, False])
def test_expected_log_density_of_a_point_is_the_log_density(diagonal):
    rng = np.random.default_rng(6)
    means, covariances = random_components(rng, 3, 2)
    if diagonal:
        covariances = torch.diag_embed(covariances.diagonal(dim1=1, dim2=2))
    points = torch.tensor(rng.standard_normal((5, 2)))
    posterior = DiagonalGaussian(points, torch.full_like(points, -torch.inf))
    given = covariances.diagonal(dim1=1, dim2=2) if diagonal else covariances
    expected = [
        stats.multivariate_normal(m, s).logpdf(points)
        for m, s in zip(means, covariances, strict=True)
    ]
    np.testing.assert_allclose(expected_log_density(posterior, means, given), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("dtype", "offset", "tolerance"),
    [(torch.float64, 1e3, 1e-9), (torch.float64, 1e6, 1e-9), (torch.float32, 1e3, 1e-3)],
)
@pytest.mark.parametrize("diagonal", [True, False])
def test_expected_log_density_far_from_the_origin(dtype, offset, tolerance, diagonal):
    """Standard deviations of 0.1 far away: the oracle subtracts first, in float64."""
    rng = np.random.default_rng(8)
    posterior = random_posterior(rng, 50, 3, offset, scale=0.1)
    means, covariances = random_components(rng, 4, 3, offset, scale=0.1)
    if diagonal:
        covariances = covariances.diagonal(dim1=1, dim2=2)
    posterior = DiagonalGaussian(*(part.to(dtype) for part in posterior))
    means, covariances = means.to(dtype), covariances.to(dtype)
    result = expected_log_density(posterior, means, covariances)
    for c, n in np.ndindex(4, 50):
        cov_2 = covariances[c].double().numpy()
        expected = lemma_e2(
            posterior.mean[n].double().numpy() - offset,
            np.diag(np.exp(posterior.log_var[n].double().numpy())),
            means[c].double().numpy() - offset,
            np.diag(cov_2) if diagonal else cov_2,
        )
        assert result[c, n].item() == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("diagonal", [True, False])
def test_expected_log_density_gradient(diagonal):
    rng = np.random.default_rng(9)
    posterior = random_posterior(rng, 3, 2)
    means, covariances = random_components(rng, 2, 2)
    roots = covariances.diagonal(dim1=1, dim2=2) if diagonal else covariances

    def evaluate(mean, log_var, means, roots):
        scale = roots.square() if diagonal else roots @ roots.mT  # positive for any root
        return expected_log_density(DiagonalGaussian(mean, log_var), means, scale)

    inputs = [t.clone().requires_grad_() for t in (*posterior, means, roots)]
    assert gradcheck(evaluate, inputs)


def test_indefinite_covariance_is_an_error():
    posterior = DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2))
    indefinite = torch.tensor([[[1.0, 2.0], [2.0, 1.0]]])
    with pytest.raises(torch.linalg.LinAlgError, match="not positive-definite"):
        expected_log_density(posterior, torch.zeros(1, 2), indefinite)
