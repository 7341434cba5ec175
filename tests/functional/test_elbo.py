"""The bound against Monte Carlo, exact evidence and VaDE's formula."""

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch.autograd import gradcheck

from skcausalpima.functional import (
    DiagonalGaussian,
    entropy,
    expected_log_density,
    gaussian_log_likelihood,
    log_joint,
    log_responsibilities,
    mixture_log_evidence,
    mixture_terms,
    product_of_experts,
    rsample,
    squared_errors,
    table_logits_to_probabilities,
)

# Gauss-Hermite nodes integrate polynomials of degree 5 exactly: a linear decoder needs 2.
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(3)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()


class LinearModel:
    """Two modalities x_m = z W_m + b_m + noise over a mixture with full covariances."""

    def __init__(self, seed, n_components=3, latent_dim=2, widths=(3, 4)):
        rng = np.random.default_rng(seed)
        self.weights = rng.dirichlet(np.full(n_components, 2.0))
        self.means = rng.standard_normal((n_components, latent_dim))
        roots = rng.standard_normal((n_components, latent_dim, latent_dim))
        self.covariances = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(latent_dim)
        self.maps = [rng.standard_normal((latent_dim, width)) for width in widths]
        self.biases = [rng.standard_normal(width) for width in widths]
        self.variances = rng.uniform(0.3, 2.0, len(widths))

    def sample(self, n_samples, rng):
        components = rng.choice(len(self.weights), n_samples, p=self.weights)
        z = np.stack(
            [rng.multivariate_normal(self.means[c], self.covariances[c]) for c in components]
        )
        return [
            z @ w + b + np.sqrt(s2) * rng.standard_normal((n_samples, len(b)))
            for w, b, s2 in zip(self.maps, self.biases, self.variances, strict=True)
        ]

    def log_evidence(self, x):
        """Exact: x is a mixture of Gaussians."""
        w, b = np.concatenate(self.maps, axis=1), np.concatenate(self.biases)
        noise = np.diag(np.repeat(self.variances, [len(b) for b in self.biases]))
        parts = [
            np.log(a)
            + stats.multivariate_normal(m @ w + b, w.T @ s @ w + noise).logpdf(np.hstack(x))
            for a, m, s in zip(self.weights, self.means, self.covariances, strict=True)
        ]
        return special.logsumexp(parts, axis=0)

    def log_p(self, x, z, c):
        """log p(x, z, c) at points of any leading shape, by SciPy."""
        total = np.log(self.weights[c])
        total = total + stats.multivariate_normal(self.means[c], self.covariances[c]).logpdf(z)
        for x_m, w, b, s2 in zip(x, self.maps, self.biases, self.variances, strict=True):
            total = total + stats.norm.logpdf(x_m, z @ w + b, np.sqrt(s2)).sum(axis=-1)
        return total

    def elbo(self, x, posterior, log_gamma=None):
        """Assemble Eq. 31 from the library's terms; gamma is the exact maximiser by default."""
        grid = np.stack(np.meshgrid(*[NODES] * posterior.mean.shape[1]), axis=-1)
        noise = torch.tensor(grid).flatten(0, -2)[:, None, :]
        grid_weights = NODE_WEIGHTS
        for _ in range(posterior.mean.shape[1] - 1):
            grid_weights = np.multiply.outer(grid_weights, NODE_WEIGHTS)
        draws = rsample(posterior, noise)
        likelihood = 0.0
        for x_m, w, b, s2 in zip(x, self.maps, self.biases, self.variances, strict=True):
            decoded = draws @ torch.tensor(w) + torch.tensor(b)
            values = gaussian_log_likelihood(torch.tensor(x_m), decoded, torch.tensor(np.log(s2)))
            likelihood = likelihood + torch.tensor(grid_weights.ravel()) @ values
        log_weights = torch.tensor(np.log(self.weights))
        density = expected_log_density(
            posterior, torch.tensor(self.means), torch.tensor(self.covariances)
        )
        if log_gamma is None:
            mixture = mixture_log_evidence(log_weights, density)
        else:
            mixture = sum(mixture_terms(log_weights, density, log_gamma))
        return (likelihood + mixture + entropy(posterior.log_var)).numpy()


def random_posterior(rng, n_samples, latent_dim):
    mean, log_var = rng.standard_normal((2, n_samples, latent_dim))
    return DiagonalGaussian(torch.tensor(mean), torch.tensor(log_var - 1.0))


def random_mixture(seed, n_components=4, n_samples=6):
    rng = np.random.default_rng(seed)
    log_weights = torch.tensor(np.log(rng.dirichlet(np.ones(n_components))))
    return log_weights, torch.tensor(3 * rng.standard_normal((n_components, n_samples))), rng


# likelihood ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (5, 1), (4,), (5, 4), (3, 5, 4)], ids=str)
@pytest.mark.parametrize("draws", [(), (3,)], ids=str)
def test_gaussian_log_likelihood_equals_scipy(shape, draws):
    rng = np.random.default_rng(0)
    x, mean = rng.standard_normal((5, 4)), rng.standard_normal((*draws, 5, 4))
    log_var = rng.standard_normal(shape)
    result = gaussian_log_likelihood(*map(torch.tensor, (x, mean, log_var)))
    expected = stats.norm.logpdf(x, mean, np.exp(log_var / 2)).sum(axis=-1)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (2, 3)], ids=str)
def test_gaussian_log_likelihood_gradient(shape):
    generator = torch.Generator().manual_seed(0)
    x, mean = torch.randn(2, 2, 3, generator=generator, dtype=torch.float64)
    log_var = torch.randn(shape, generator=generator, dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (x, mean, log_var)]
    assert gradcheck(gaussian_log_likelihood, inputs)


# the mixture's terms -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("perturbation", [1e-3, 0.1, 1.0])
def test_any_other_gamma_is_lower_by_its_kl_divergence(seed, perturbation):
    """The gap is KL(gamma || optimal), so the optimum is exact and unique."""
    log_weights, log_density, rng = random_mixture(seed)
    optimal = log_responsibilities(log_weights, log_density).exp().numpy()
    other = rng.dirichlet(np.ones(len(optimal)), optimal.shape[1]).T
    gamma = (1 - perturbation) * optimal + perturbation * other
    terms = mixture_terms(log_weights, log_density, torch.tensor(np.log(gamma)))
    gap = (mixture_log_evidence(log_weights, log_density) - sum(terms)).numpy()
    assert (gap > 0).all()
    np.testing.assert_allclose(gap, stats.entropy(gamma, optimal), rtol=1e-6, atol=1e-12)


def test_each_term_is_its_own_expectation():
    log_weights, log_density, rng = random_mixture(0)
    gamma = rng.dirichlet(np.ones(4), 6).T
    terms = mixture_terms(log_weights, log_density, torch.tensor(np.log(gamma)))
    np.testing.assert_allclose(terms.density, np.einsum("cn,cn->n", gamma, log_density))
    np.testing.assert_allclose(terms.weight, log_weights.numpy() @ gamma)
    np.testing.assert_allclose(terms.assignment_entropy, stats.entropy(gamma))


@pytest.mark.parametrize("level", [-1e4, 0.0, 1e4])
def test_terms_survive_extreme_densities_and_impossible_cells(level):
    log_weights = torch.tensor([0.25, 0.75, 0.0], dtype=torch.float64).log().requires_grad_()
    log_density = torch.tensor([[0.0], [-1e4], [50.0]], dtype=torch.float64) + level
    optimal = log_responsibilities(log_weights, log_density)
    total = sum(mixture_terms(log_weights, log_density, optimal))
    assert total.item() == pytest.approx(level + np.log(0.25), abs=1e-9)
    assert mixture_log_evidence(log_weights, log_density).item() == pytest.approx(total.item())
    total.backward()
    assert not log_weights.grad.isnan().any()


def test_evidence_has_the_gradient_of_the_terms_at_a_fixed_gamma():
    """The envelope theorem: gamma need not be part of the graph."""
    log_weights, log_density, _ = random_mixture(1)
    inputs = log_weights.requires_grad_(), log_density.requires_grad_()
    fixed = log_responsibilities(*inputs).detach()
    expected = torch.autograd.grad(sum(mixture_terms(*inputs, fixed)).sum(), inputs)
    result = torch.autograd.grad(mixture_log_evidence(*inputs).sum(), inputs)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    assert gradcheck(mixture_log_evidence, inputs)
    assert gradcheck(mixture_terms, (*inputs, fixed.requires_grad_()))


# the whole bound -----------------------------------------------------------------------------


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_elbo_equals_monte_carlo(latent_dim):
    """Four samples, 5 standard errors: false-alarm rate below 4 * 5.8e-7 = 3e-6 per case."""
    model = LinearModel(0, latent_dim=latent_dim)
    rng = np.random.default_rng(1)
    x, posterior = model.sample(4, rng), random_posterior(rng, 4, latent_dim)
    gamma = rng.dirichlet(np.ones(3), 4).T
    mean, deviation = posterior.mean.numpy(), np.exp(posterior.log_var.numpy() / 2)
    z = mean + deviation * rng.standard_normal((20_000, *mean.shape))
    log_q = stats.norm.logpdf(z, mean, deviation).sum(axis=-1)
    draws = sum(g * (model.log_p(x, z, c) - log_q - np.log(g)) for c, g in enumerate(gamma))
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    result = model.elbo(x, posterior, torch.tensor(np.log(gamma)))
    assert (np.abs(draws.mean(axis=0) - result) < 5 * error).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_components", [1, 3])
def test_elbo_never_exceeds_the_exact_log_evidence(seed, n_components):
    model = LinearModel(seed, n_components)
    rng = np.random.default_rng(seed)
    x, posterior = model.sample(20, rng), random_posterior(rng, 20, 2)
    log_evidence = model.log_evidence(x)
    optimal = model.elbo(x, posterior)
    other = model.elbo(
        x, posterior, torch.tensor(np.log(rng.dirichlet(np.ones(n_components), 20).T))
    )
    assert (optimal <= log_evidence + 1e-9).all()
    assert (other <= optimal + 1e-9).all()


@pytest.mark.parametrize("seed", range(5))
def test_elbo_of_the_exact_posterior_is_the_log_evidence(seed):
    """In one latent dimension under N(0, 1) the product of the modalities' exact likelihoods in z
    and the prior expert is the exact posterior, and the bound is tight."""
    model = LinearModel(seed, n_components=1, latent_dim=1)
    model.means, model.covariances = np.zeros((1, 1)), np.ones((1, 1, 1))
    x = model.sample(10, np.random.default_rng(seed))
    means, log_vars = [], []
    for x_m, w, b, s2 in zip(x, model.maps, model.biases, model.variances, strict=True):
        energy = (w**2).sum()
        means.append((x_m - b) @ w.T / energy)
        log_vars.append(np.full((10, 1), np.log(s2 / energy)))
    posterior = product_of_experts(torch.tensor(np.array(means)), torch.tensor(np.array(log_vars)))
    np.testing.assert_allclose(model.elbo(x, posterior), model.log_evidence(x), rtol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_one_node_is_vade(seed):
    """Jiang et al. (2017), Eq. 12 and 16, term by term with explicit sums (Gaussian decoder).

    Their constants J log(2 pi) / 2 of p(z | c) and q(z | x) cancel, hence they print none.
    """
    rng = np.random.default_rng(seed)
    n, J, D, C = 4, 3, 5, 6
    x, decoded = rng.standard_normal((2, n, D))
    posterior = random_posterior(rng, n, J)
    mu, s2 = posterior.mean.numpy(), np.exp(posterior.log_var.numpy())
    mu_c, s2_c = rng.standard_normal((C, J)), rng.uniform(0.3, 2.0, (C, J))
    logits, noise = rng.standard_normal((1, C)), rng.standard_normal((n, J))
    z = mu + np.sqrt(s2) * noise
    pi = np.exp(logits[0]) / np.exp(logits[0]).sum()

    expected = np.zeros(n)
    for i in range(n):
        p_zc = [pi[c] * stats.norm.pdf(z[i], mu_c[c], np.sqrt(s2_c[c])).prod() for c in range(C)]
        gamma = p_zc / np.sum(p_zc)
        expected[i] = stats.norm.logpdf(x[i], decoded[i], 0.5).sum()
        for c in range(C):
            for j in range(J):
                quadratic = s2[i, j] / s2_c[c, j] + (mu[i, j] - mu_c[c, j]) ** 2 / s2_c[c, j]
                expected[i] -= gamma[c] / 2 * (np.log(s2_c[c, j]) + quadratic)
            expected[i] += gamma[c] * np.log(pi[c] / gamma[c])
        expected[i] += (1 + np.log(s2[i])).sum() / 2

    tables = table_logits_to_probabilities(torch.tensor(logits))
    log_weights = log_joint(tables, torch.zeros(1, 1, dtype=torch.float64)).flatten()
    components = torch.tensor(mu_c), torch.tensor(s2_c)
    drawn = rsample(posterior, torch.tensor(noise))
    point = DiagonalGaussian(drawn, torch.full_like(drawn, -torch.inf))
    log_gamma = log_responsibilities(log_weights, expected_log_density(point, *components))
    terms = mixture_terms(log_weights, expected_log_density(posterior, *components), log_gamma)
    log_var = torch.tensor(2 * np.log(0.5), dtype=torch.float64)
    likelihood = gaussian_log_likelihood(torch.tensor(x), torch.tensor(decoded), log_var)
    total = likelihood + sum(terms) + entropy(posterior.log_var)
    np.testing.assert_allclose(total, expected, rtol=1e-10)


def test_squared_errors_and_their_gradient():
    rng = torch.Generator().manual_seed(0)
    decoded = torch.randn(4, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 5, generator=rng, dtype=torch.float64)
    expected = torch.nn.functional.mse_loss(decoded, x, reduction="none").sum(dim=1)
    assert torch.equal(squared_errors(decoded, x), expected)
    with torch.no_grad():
        assert torch.equal(squared_errors(decoded, x), expected)
    assert gradcheck(lambda decoded: squared_errors(decoded, x), decoded)
