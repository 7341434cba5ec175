"""Potentials times a mixture, against SciPy, numerical integration and matrices by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import integrate, stats

from skcausalpima.functional import (
    DiagonalGaussian,
    conditional_posteriors,
    expected_log_potential,
    log_overlap,
)

KINDS = ["full", "diag"]


def random_case(kind, n_samples=5, n_components=4, latent_dim=3, number=0):
    rng = np.random.default_rng(number)
    roots = rng.normal(size=(n_components, latent_dim, latent_dim))
    covariances = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(latent_dim)
    if kind == "diag":
        covariances = rng.uniform(0.1, 2.0, size=(n_components, latent_dim))
    means = rng.normal(size=(n_components, latent_dim))
    mu, log_var = rng.normal(size=(2, n_samples, latent_dim))
    potential = DiagonalGaussian(torch.as_tensor(mu), torch.as_tensor(log_var))
    return potential, torch.as_tensor(means), torch.as_tensor(covariances)


def whole(covariances):
    return torch.diag_embed(covariances) if covariances.ndim == 2 else covariances


@pytest.mark.parametrize("kind", KINDS)
def test_overlaps_are_normal_densities(kind):
    potential, means, covariances = random_case(kind)
    found = log_overlap(potential, means, covariances)
    for c, matrix in enumerate(whole(covariances).numpy()):
        for n, (mu, log_var) in enumerate(zip(*potential, strict=True)):
            noisy = matrix + np.diag(np.exp(log_var.numpy()))
            expected = stats.multivariate_normal.logpdf(mu, means[c], noisy)
            assert_allclose(found[c, n], expected, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_overlaps_are_integrals(kind):
    potential, means, covariances = random_case(kind, 2, 2, 1)
    found = log_overlap(potential, means, covariances)
    for c in range(2):
        for n in range(2):
            component = stats.norm(means[c].item(), covariances[c].item() ** 0.5)
            said = stats.norm(potential.mean[n].item(), np.exp(potential.log_var[n].item() / 2))
            value, _ = integrate.quad(lambda z: component.pdf(z) * said.pdf(z), -30, 30, limit=200)  # noqa: B023
            assert_allclose(found[c, n], np.log(value), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_overlaps_are_moments(kind):
    potential, means, covariances = random_case(kind)
    inputs = [part.requires_grad_() for part in potential]
    assert torch.autograd.gradcheck(
        lambda mean, log_var: log_overlap(DiagonalGaussian(mean, log_var), means, covariances),
        inputs,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_products_are_those_of_precisions(kind):
    potential, means, covariances = random_case(kind)
    found = conditional_posteriors(potential, means, covariances)
    for c, matrix in enumerate(whole(covariances).numpy()):
        for n, (mu, log_var) in enumerate(zip(*potential, strict=True)):
            own, prior = np.diag(np.exp(-log_var.numpy())), np.linalg.inv(matrix)
            covariance = np.linalg.inv(prior + own)
            factor = found.factors[n, c]
            assert_allclose(factor @ factor.T, covariance, rtol=1e-9, atol=1e-12)
            assert_allclose(found.variances[n, c], np.diag(covariance), rtol=1e-9)
            mean = covariance @ (prior @ means[c].numpy() + own @ mu.numpy())
            assert_allclose(found.means[n, c], mean, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_extreme_variances(kind, dtype):
    """A wide potential says nothing; a narrow one everything; both beside each other."""
    _, means, covariances = random_case(kind, latent_dim=6)
    mu = torch.linspace(-2.0, 2.0, 6).double().expand(3, 6)
    log_var = torch.stack([torch.full((6,), 15.0), torch.full((6,), -15.0), torch.full((6,), 15.0)])
    log_var[2, ::2] = -17.0
    exact = DiagonalGaussian(mu, log_var.double())
    rough = DiagonalGaussian(mu.to(dtype), log_var.to(dtype))
    found = conditional_posteriors(rough, means.to(dtype), covariances.to(dtype))
    tolerance = 1e-3 if dtype is torch.float32 else 1e-8
    assert_allclose(found.means[0], means, atol=1e-3)
    assert_allclose(found.means[1], mu[:1].expand(4, 6), atol=1e-3)
    precision = (
        torch.linalg.inv(whole(covariances)) + torch.diag_embed(torch.exp(-exact.log_var))[:, None]
    )
    expected = torch.linalg.inv(precision).diagonal(dim1=-2, dim2=-1)
    assert_allclose(found.variances, expected, rtol=tolerance)
    overlap = log_overlap(rough, means.to(dtype), covariances.to(dtype))
    assert_allclose(overlap, log_overlap(exact, means, covariances), rtol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("number", range(5))
def test_narrow_potentials_in_single_precision(dtype, number):
    """Of many modalities, in wide components, along some coordinates alone."""
    rng = np.random.default_rng(number)
    roots = 5.0 * rng.normal(size=(10, 9, 9))
    covariances = torch.as_tensor(roots @ roots.swapaxes(1, 2) + 0.01 * np.eye(9))
    means = torch.as_tensor(rng.normal(size=(10, 9)))
    log_var = torch.as_tensor(rng.choice([-17.0, 0.0, 15.0], size=(20, 9)))
    potential = DiagonalGaussian(torch.zeros(20, 9, dtype=dtype), log_var.to(dtype))
    found = conditional_posteriors(potential, means.to(dtype), covariances.to(dtype))
    precision = torch.linalg.inv(covariances) + torch.diag_embed(torch.exp(-log_var))[:, None]
    expected = torch.linalg.inv(precision).diagonal(dim1=-2, dim2=-1)
    assert_allclose(found.variances, expected, rtol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_components_and_batches(kind):
    potential, means, covariances = random_case(kind, n_samples=8)
    order = torch.tensor([2, 0, 3, 1])
    whole_ = log_overlap(potential, means, covariances)
    assert_allclose(log_overlap(potential, means[order], covariances[order]), whole_[order])
    found = conditional_posteriors(potential, means, covariances)
    permuted = conditional_posteriors(potential, means[order], covariances[order])
    assert_allclose(permuted.means, found.means[:, order])
    for rows in (slice(0, 1), slice(3, 7)):
        part = DiagonalGaussian(*(of[rows] for of in potential))
        assert_allclose(log_overlap(part, means, covariances), whole_[:, rows])
        assert_allclose(
            conditional_posteriors(part, means, covariances).factors, found.factors[rows]
        )


def test_variances_and_diagonal_matrices_say_the_same():
    potential, means, variances = random_case("diag")
    matrices = torch.diag_embed(variances)
    assert_allclose(
        log_overlap(potential, means, matrices), log_overlap(potential, means, variances)
    )
    one, other = (conditional_posteriors(potential, means, c) for c in (matrices, variances))
    assert_allclose(one.means, other.means)
    assert_allclose(one.variances, other.variances)


def test_expectations_of_potentials_by_drawing():
    potential, _, _ = random_case("diag", n_samples=3)
    rng = np.random.default_rng(1)
    mean, variance = rng.normal(size=3), rng.uniform(0.5, 2.0, size=3)
    draws = mean + np.sqrt(variance) * rng.normal(size=(200_000, 1, 3))
    scale = np.exp(potential.log_var.numpy() / 2)
    drawn = stats.norm.logpdf(draws, potential.mean.numpy(), scale).sum(axis=2)
    found = expected_log_potential(potential, *map(torch.as_tensor, (mean, variance)))
    error = drawn.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(found.numpy() - drawn.mean(axis=0)) < 5 * error).all()


@pytest.mark.parametrize("kind", KINDS)
def test_potentials_that_are_not_finite_are_those_of_their_samples_alone(kind):
    potential, means, covariances = random_case(kind)
    broken = DiagonalGaussian(*(part.clone() for part in potential))
    broken.mean[1], broken.log_var[1] = torch.nan, torch.nan
    others = [0, 2, 3, 4]
    found, exact = (log_overlap(p, means, covariances) for p in (broken, potential))
    assert found[:, 1].isnan().all()
    assert_allclose(found[:, others], exact[:, others])
    found, exact = (conditional_posteriors(p, means, covariances) for p in (broken, potential))
    assert found.means[1].isnan().all()
    assert_allclose(found.means[others], exact.means[others])
    assert_allclose(found.factors[others], exact.factors[others])
