"""Potentials times a mixture, against SciPy, numerical integration and drawing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, special, stats
from some_slow import each_once

from skcausalpima.functional import (
    OwnPosterior,
    Potential,
    SharedPosterior,
    less_potentials,
    prepare_posterior,
    update_mixture,
)
from skcausalpima.functional._own_potentials import invert_in_place
from skcausalpima.functional._potentials import LEAST_PRECISION

KINDS = ["full", "diag"]
C, N = 4, 6


def random_matrices(rng, *shape, least=0.1):
    roots = rng.normal(size=shape)
    return roots @ roots.swapaxes(-1, -2) + least * np.eye(shape[-1])


class Case:
    """A mixture and potentials in NumPy; conditioning Gaussians component by component."""

    def __init__(self, kind="full", shared=True, latent_dim=2, number=0):
        rng = np.random.default_rng(number)
        self.means = rng.normal(size=(C, latent_dim)) + 3.0
        self.covariances = random_matrices(rng, C, latent_dim, latent_dim)
        self.stored = self.covariances
        if kind == "diag":
            self.stored = rng.uniform(0.1, 2.0, size=(C, latent_dim))
            self.covariances = np.stack([np.diag(v) for v in self.stored])
        self.weights = rng.dirichlet(np.ones(C))
        shape = (latent_dim, latent_dim) if shared else (N, latent_dim, latent_dim)
        self.precision = random_matrices(rng, *shape, least=0.05)
        locations = rng.normal(size=(N, latent_dim)) * 2.0 + 3.0
        self.linear = (self.precision @ locations[:, :, None])[:, :, 0]
        self.shared = shared

    def precision_of(self, n):
        """What a posterior is told, it adds the least precision to."""
        precision = self.precision if self.shared else self.precision[n]
        return precision + LEAST_PRECISION * np.eye(len(precision))

    def posterior(self):
        means, covariances = map(torch.as_tensor, (self.means, self.stored))
        linear, precision = map(torch.as_tensor, (self.linear, self.precision))
        if self.shared:
            return prepare_posterior(means, covariances, precision).given(linear)
        return OwnPosterior(means, covariances, Potential(linear, precision))

    def conditional(self, c, n):
        """Mean and covariance of q(z | c, x)."""
        prior = np.linalg.inv(self.covariances[c])
        covariance = np.linalg.inv(prior + self.precision_of(n))
        return covariance @ (prior @ self.means[c] + self.linear[n]), covariance

    def log_potential(self, z, n):
        """log l(z) without constants, at points of shape (..., latent_dim)."""
        moved = z @ self.precision_of(n)
        return (z * (self.linear[n] - 0.5 * moved)).sum(axis=-1)

    def location(self, n):
        """Where a potential lies and how wide it is: the noise of an observed latent point."""
        spread = np.linalg.inv(self.precision_of(n))
        return spread @ self.linear[n], spread

    def log_densities(self):
        """Log-densities of the potentials' locations in each component, (C, N)."""
        logs = np.empty((C, N))
        for n in range(N):
            at, spread = self.location(n)
            for c in range(C):
                normal = stats.multivariate_normal(self.means[c], self.covariances[c] + spread)
                logs[c, n] = normal.logpdf(at)
        return logs

    def constants(self):
        """Log-densities N(y; 0, V) of locations where the potential without constants is one."""
        located = [self.location(n) for n in range(N)]
        zeros = np.zeros(self.means.shape[1])
        return np.array([stats.multivariate_normal(zeros, of).logpdf(at) for at, of in located])

    def gamma(self):
        """Probabilities of the components, by densities of the potentials' locations."""
        return special.softmax(self.log_densities() + np.log(self.weights)[:, None], axis=0)

    def log_weights(self):
        return torch.as_tensor(np.log(self.weights))


@pytest.fixture(params=[(k, s) for k in KINDS for s in (True, False)], ids=str)
def case(request):
    return Case(*request.param)


def test_shared_normalizers_are_normal_densities_of_locations():
    for kind in KINDS:
        case = Case(kind, latent_dim=3)
        found = case.posterior().log_normalizers()
        spread = np.linalg.inv(case.precision_of(0))
        for c in range(C):
            normal = stats.multivariate_normal(case.means[c], case.covariances[c] + spread)
            assert_allclose(found[c], normal.logpdf(case.linear @ spread), rtol=1e-9)


def test_moments_and_normalizers_are_integrals(case):
    """On a grid of the plane: Z up to a constant of each sample, means, second moments."""
    posterior, gamma = case.posterior(), case.gamma()
    axis = np.linspace(-12.0, 18.0, 301)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    area = (axis[1] - axis[0]) ** 2
    priors = [
        stats.multivariate_normal(*of).logpdf(grid)
        for of in zip(case.means, case.covariances, strict=True)
    ]
    normalizers, probabilities = posterior.log_normalizers().numpy(), torch.as_tensor(gamma)
    means, seconds = posterior.mean(probabilities), posterior.second_moments(probabilities)
    evidence = posterior.evidence(case.log_weights())
    for n in range(N):
        logs = np.stack([prior + case.log_potential(grid, n) for prior in priors])
        integrals = special.logsumexp(logs, axis=1) + np.log(area)
        assert_allclose(normalizers[:, n] - normalizers[0, n], integrals - integrals[0], atol=1e-7)
        joint = logs + np.log(case.weights)[:, None]
        whole = special.logsumexp(joint) + np.log(area)
        density = np.exp(joint - whole) * area
        assert_allclose(density.sum(axis=1), gamma[:, n], atol=1e-8)
        assert_allclose(means[n], density.sum(axis=0) @ grid, atol=1e-6)
        outer = (density.sum(axis=0)[:, None] * grid).T @ grid
        assert_allclose(seconds[n], outer, rtol=1e-6)
        expected = density.sum(axis=0) @ case.log_potential(grid, n)
        assert_allclose(evidence.surplus[n], whole - expected, atol=1e-6)  # constants cancel


def test_evidence_is_the_density_of_locations_in_the_mixture(case):
    evidence = case.posterior().evidence(case.log_weights())
    assert_allclose(evidence.log_gamma.exp(), case.gamma(), atol=1e-10)
    logs = case.log_densities() + np.log(case.weights)[:, None]
    expected = special.logsumexp(logs, axis=0)
    assert_allclose(evidence.value, expected, rtol=1e-9)


def test_expected_log_potentials_are_those_of_moments(case):
    """Of densities of the locations: E (y - z)' Lambda (y - z) from mean and covariance."""
    gamma, expected = case.gamma(), np.zeros(N)
    for n in range(N):
        at, spread = case.location(n)
        for c in range(C):
            mean, covariance = case.conditional(c, n)
            told = stats.multivariate_normal(mean, spread).logpdf(at)
            told -= 0.5 * np.trace(case.precision_of(n) @ covariance)
            expected[n] += gamma[c, n] * told
    evidence = case.posterior().evidence(case.log_weights())
    assert_allclose(evidence.log_potential, expected, rtol=1e-9)
    logs = case.log_densities() + np.log(case.weights)[:, None]
    surplus = special.logsumexp(logs, axis=0) - expected
    assert_allclose(evidence.surplus, surplus, rtol=1e-9, atol=1e-9)


def test_expected_log_potentials_by_drawing(case):
    """Within five standard errors, up to a constant of each sample; the draws are seeded."""
    posterior, gamma = case.posterior(), case.gamma()
    rng, n_draws = np.random.default_rng(1), 100_000
    drawn, errors = np.empty((C, N)), np.empty((C, N))
    for c in range(C):
        for n in range(N):
            z = rng.multivariate_normal(*case.conditional(c, n), size=n_draws)
            logs = case.log_potential(z, n)
            drawn[c, n], errors[c, n] = logs.mean(), logs.std() / np.sqrt(n_draws)
    found = torch.stack(
        [posterior.expected_log_potentials(torch.full((N,), c)) for c in range(C)]
    ).numpy()
    differences = (found - found[0]) - (drawn - drawn[0])
    assert (np.abs(differences) < 5 * np.hypot(errors, errors[0]) + 1e-9).all()
    evidence = posterior.evidence(case.log_weights())
    expected = (gamma * drawn).sum(axis=0) + case.constants()
    errors = np.sqrt(np.square(gamma * errors).sum(axis=0))
    assert (np.abs(evidence.log_potential.numpy() - expected) < 5 * errors + 1e-6).all()


def test_what_is_beyond_potentials_is_a_factor_of_them_in_each_component():
    case, rng = Case("full", latent_dim=3, shared=False), np.random.default_rng(4)
    plain, beyond = case.posterior(), torch.as_tensor(rng.normal(size=(C, N)))
    means, covariances = map(torch.as_tensor, (case.means, case.stored))
    potential = Potential(torch.as_tensor(case.linear), torch.as_tensor(case.precision))
    whole = OwnPosterior(means, covariances, potential, beyond)
    log_weights, components = case.log_weights(), torch.arange(N) % C
    joint = plain.log_normalizers() + beyond
    expected = (joint + log_weights.reshape(C, -1)).log_softmax(dim=0)
    inside = torch.stack([plain.expected_log_potentials(torch.full((N,), c)) for c in range(C)])
    terms = joint + log_weights.reshape(C, -1) - expected - inside - beyond
    for one in (
        whole,
        whole.detached(),
        OwnPosterior.joined([whole.rows(slice(0, 2)), whole.rows(slice(2, N))]),
    ):
        found = one.evidence(log_weights)
        assert_allclose(one.log_normalizers(), joint, rtol=1e-12)
        assert_allclose(found.log_gamma, expected, rtol=1e-9, atol=1e-12)
        assert_allclose(found.surplus, (expected.exp() * terms).sum(dim=0), rtol=1e-9)
        assert_allclose(
            one.expected_log_potentials(components),
            (inside + beyond)[components, torch.arange(N)],
            rtol=1e-9,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_one_precision_for_all_or_for_each_says_the_same(kind):
    """Normalizers up to the constants that potentials of their own leave out: one per sample."""
    case = Case(kind, latent_dim=3)
    shared = case.posterior()
    precision = torch.as_tensor(case.precision).expand(N, -1, -1)
    means, covariances = map(torch.as_tensor, (case.means, case.stored))
    own = OwnPosterior(means, covariances, Potential(torch.as_tensor(case.linear), precision))
    one, other = (of.evidence(case.log_weights()) for of in (shared, own))
    assert_allclose(one.log_gamma, other.log_gamma, atol=1e-9)
    assert_allclose(one.surplus, other.surplus, rtol=1e-9)
    assert_allclose(one.log_potential, other.log_potential, rtol=1e-9)
    assert_allclose(one.value, other.value, rtol=1e-9)
    gamma, components = one.log_gamma.exp(), torch.arange(N) % C
    constants = shared.log_normalizers() - own.log_normalizers()
    assert_allclose(constants, constants[:1].expand(C, N), atol=1e-9)
    potentials = [of.expected_log_potentials(components) for of in (shared, own)]
    assert_allclose(potentials[0] - potentials[1], constants[0], atol=1e-9)
    noise = torch.as_tensor(np.random.default_rng(2).normal(size=(N, 3)))
    for ask in (
        lambda of: of.mean(gamma),
        lambda of: of.second_moments(gamma),
        lambda of: of.points(components, noise),
        lambda of: of.covariances(components),
        lambda of: of.statistics(gamma).first,
        lambda of: of.statistics(gamma).second,
    ):
        assert_allclose(ask(shared), ask(own), rtol=1e-9, atol=1e-9)


def test_expectations_over_given_moments():
    """The same constants as the normalizers: over q(z | c, x) itself it is their expectation."""
    case = Case(shared=False, latent_dim=3)
    posterior, components = case.posterior(), torch.arange(N) % C
    moments = [case.conditional(c, n) for n, c in enumerate(components.tolist())]
    mean = torch.as_tensor(np.stack([m for m, _ in moments]))
    second = torch.as_tensor(np.stack([np.outer(m, m) + p for m, p in moments]))
    found = posterior.expected_at(mean, second)
    assert_allclose(found, posterior.expected_log_potentials(components), rtol=1e-9)


def test_points_have_the_moments_of_their_component(case):
    posterior, components = case.posterior(), torch.arange(N) % C
    half = np.random.default_rng(3).normal(size=(8, 2))
    half = half @ np.linalg.inv(np.linalg.cholesky(half.T @ half / 8)).T
    draws = torch.as_tensor(np.concatenate([half, -half]))  # exactly 0 and I
    points = torch.stack(
        [posterior.points(components, draw.expand(N, -1)) for draw in draws]
    ).numpy()
    covariances = posterior.covariances(components)
    for n, c in enumerate(components.tolist()):
        mean, covariance = case.conditional(c, n)
        assert_allclose(points[:, n].mean(axis=0), mean, atol=1e-10)
        assert_allclose(np.cov(points[:, n].T, bias=True), covariance, atol=1e-10)
        assert_allclose(covariances[n], covariance, atol=1e-12)


# Gradients ------------------------------------------------------------------------------------


def masks(known):
    """Per sample the cells that it may belong to, at least one."""
    return (torch.arange(C)[:, None] + torch.arange(N)) % 3 < 2 if known else None


@pytest.mark.parametrize(("regimes", "known"), each_once([False, True], [True, False]))
def test_the_gradient_takes_probabilities_for_constants_in_the_expected_potential(
    case, regimes, known
):
    """That of log Z less E log l at fixed probabilities, by central differences."""
    log_weights = case.log_weights()
    if regimes:
        log_weights = torch.as_tensor(np.random.default_rng(4).normal(size=(C, N)))
    weights = torch.as_tensor(np.random.default_rng(5).normal(size=N))
    inputs = torch.as_tensor(case.linear).requires_grad_(), log_weights.requires_grad_()

    def posterior(linear):
        if case.shared:
            return case.posterior().mixture.given(linear)
        means, covariances = map(torch.as_tensor, (case.means, case.stored))
        return OwnPosterior(means, covariances, Potential(linear, torch.as_tensor(case.precision)))

    found = posterior(inputs[0]).evidence(inputs[1], masks(known))
    assert not found.log_gamma.requires_grad
    assert not found.log_potential.requires_grad
    gradients = torch.autograd.grad((found.surplus * weights).sum(), inputs)
    gamma = found.log_gamma.exp()

    def at_fixed(linear, log_weights):
        columns = log_weights if regimes else log_weights[:, None]
        at = posterior(linear)
        joint = at.log_normalizers() + columns
        if known:
            joint = joint.masked_fill(~masks(True), -torch.inf)
        parts = [at.expected_log_potentials(torch.full((N,), c)) for c in range(C)]
        values = joint.logsumexp(dim=0) - (gamma * torch.stack(parts)).sum(dim=0)
        return (values * weights).sum().item()

    base = [of.detach() for of in inputs]
    assert_allclose(found.surplus.detach() @ weights, at_fixed(*base), rtol=1e-9)
    step = 1e-5
    for k, gradient in enumerate(gradients):
        for index in np.ndindex(*gradient.shape):
            values = []
            for sign in (1.0, -1.0):
                moved = [of.clone() for of in base]
                moved[k][index] += sign * step
                values.append(at_fixed(*moved))
            difference = (values[0] - values[1]) / (2 * step)
            assert_allclose(gradient[index], difference, rtol=1e-6, atol=1e-6)


def test_gradients_of_shared_normalizers_are_differences():
    for kind in KINDS:
        case = Case(kind, latent_dim=3)
        mixture = case.posterior().mixture
        linear = torch.as_tensor(case.linear).requires_grad_()
        assert torch.autograd.gradcheck(lambda h: mixture.given(h).log_normalizers(), linear)  # noqa: B023


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_own_normalizers_are_differences(kind):
    """In h, and in precisions, which are symmetric."""
    case = Case(kind, shared=False, latent_dim=3)
    means, covariances = map(torch.as_tensor, (case.means, case.stored))
    roots = np.linalg.cholesky(case.precision)
    inputs = tuple(torch.as_tensor(of).requires_grad_() for of in (case.linear, roots))

    def normalizers(linear, roots):
        potential = Potential(linear, roots @ roots.mT)
        return OwnPosterior(means, covariances, potential).log_normalizers()

    assert torch.autograd.gradcheck(normalizers, inputs)


def test_gradients_of_expectations_over_given_moments_are_differences():
    case = Case(shared=False)
    means, covariances = map(torch.as_tensor, (case.means, case.stored))
    moments = torch.as_tensor(case.linear), torch.as_tensor(case.precision)
    inputs = tuple(torch.as_tensor(of).clone().requires_grad_() for of in moments)

    def expected(linear, precision):
        return OwnPosterior(means, covariances, Potential(linear, precision)).expected_at(*moments)

    assert torch.autograd.gradcheck(expected, inputs)


# Sums over samples ----------------------------------------------------------------------------


def test_statistics_are_sums_over_samples(case):
    """Of moments of q(z | c, x), one after another."""
    gamma = np.random.default_rng(6).uniform(size=(C, N))
    found = case.posterior().statistics(torch.as_tensor(gamma))
    origin = found.origin.numpy()
    for c in range(C):
        first, second = np.zeros(2), np.zeros((2, 2))
        for n in range(N):
            mean, covariance = case.conditional(c, n)
            first += gamma[c, n] * (mean - origin)
            second += gamma[c, n] * (np.outer(mean - origin, mean - origin) + covariance)
        assert_allclose(found.counts[c], gamma[c].sum())
        assert_allclose(found.first[c], first, rtol=1e-9, atol=1e-12)
        assert_allclose(found.second[c], second, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_updates_are_the_m_step_of_expectation_maximization(case, covariance_type):
    gamma = np.random.default_rng(7).uniform(size=(C, N))
    statistics = case.posterior().statistics(torch.as_tensor(gamma))
    before = torch.as_tensor(case.means), torch.as_tensor(case.covariances)
    if covariance_type in ("diag", "spherical"):
        statistics = replace(statistics, second=statistics.second.diagonal(dim1=1, dim2=2))
        before = before[0], before[1].diagonal(dim1=1, dim2=2)
    found = update_mixture(statistics, *before, covariance_type, 0.0, 0.0)
    scatters = []
    for c in range(C):
        moments = [case.conditional(c, n) for n in range(N)]
        points = np.stack([mean for mean, _ in moments])
        mean = gamma[c] @ points / gamma[c].sum()
        parts = [
            np.outer(of - mean, of - mean) + covariance
            for of, (_, covariance) in zip(points, moments, strict=True)
        ]
        assert_allclose(found.means[c], mean, rtol=1e-9)
        scatters.append(np.tensordot(gamma[c], parts, 1) / gamma[c].sum())
    counts = gamma.sum(axis=1)
    expected = {
        "full": np.stack(scatters),
        "tied": np.broadcast_to(np.tensordot(counts, scatters, 1) / counts.sum(), (C, 2, 2)),
        "diag": np.stack([np.diag(of) for of in scatters]),
        "spherical": np.stack([np.full(2, np.trace(of) / 2) for of in scatters]),
    }[covariance_type]
    assert_allclose(found.covariances, expected, rtol=1e-8)


def test_expectation_maximization_raises_the_evidence(case):
    """Of the mixture's E and M steps the likelihood of the locations never falls."""
    values, log_weights = [], case.log_weights()
    for _ in range(12):
        posterior = case.posterior()
        evidence = posterior.evidence(log_weights)
        values.append(evidence.value.sum().item())
        gamma = evidence.log_gamma.exp()
        statistics = posterior.statistics(gamma)
        before = torch.as_tensor(case.means), torch.as_tensor(case.covariances)
        found = update_mixture(statistics, *before, "full", 0.0, 0.0)
        log_weights = (gamma.sum(dim=1) / N).log()
        case.means, case.covariances = found.means.numpy(), found.covariances.numpy()
        case.stored = case.covariances
    assert (np.diff(values) > -1e-9).all()
    assert values[-1] > values[0] + 0.1


# Bad input ------------------------------------------------------------------------------------


def without_information(shared):
    case = Case(shared=shared)
    case.linear, case.precision = np.zeros_like(case.linear), np.zeros_like(case.precision)
    return case


@pytest.mark.parametrize("shared", [True, False])
def test_no_information_leaves_the_prior(shared):
    case = without_information(shared)
    posterior = case.posterior()
    evidence = posterior.evidence(case.log_weights())
    weights = torch.as_tensor(case.weights)[:, None].expand(C, N)
    gamma = evidence.log_gamma.exp()
    tolerance = 1e-6
    assert_allclose(gamma, weights, atol=tolerance)
    assert_allclose(posterior.mean(weights)[0], case.weights @ case.means, atol=tolerance)
    for c in range(C):
        found = posterior.covariances(torch.full((N,), c))[0]
        assert_allclose(found, case.covariances[c], rtol=tolerance, atol=tolerance)
    # No divergence of the posterior from the prior.
    assert_allclose(evidence.surplus, 0.0, atol=tolerance)
    update = update_mixture(
        posterior.statistics(gamma),
        torch.as_tensor(case.means),
        torch.as_tensor(case.covariances),
        "full",
        0.0,
        0.0,
    )
    assert_allclose(update.means, case.means, atol=tolerance)
    assert_allclose(update.covariances, case.covariances, atol=tolerance)


@pytest.mark.parametrize("shared", [True, False])
def test_what_is_known_of_one_direction_alone(shared):
    """Conditioning on one noisy projection a'z = b, by the formulas of Kalman's filter."""
    case = Case(shared=shared, latent_dim=3)
    a, b, variance = np.array([1.0, -2.0, 0.5]), np.linspace(-3.0, 3.0, N), 0.3
    case.linear = b[:, None] * a / variance
    precision = np.outer(a, a) / variance
    case.precision = precision if shared else np.broadcast_to(precision, (N, 3, 3)).copy()
    posterior = case.posterior()
    log_gamma = posterior.evidence(case.log_weights()).log_gamma
    noise = torch.zeros(N, 3).double()
    logs = np.empty((C, N))
    for c, (mean, spread) in enumerate(zip(case.means, case.covariances, strict=True)):
        total = a @ spread @ a + variance
        gain = spread @ a / total
        expected = mean + (b - a @ mean)[:, None] * gain
        components = torch.full((N,), c)
        assert_allclose(posterior.points(components, noise), expected, rtol=1e-6, atol=1e-6)
        inside = spread - np.outer(gain, a @ spread)
        assert_allclose(posterior.covariances(components)[0], inside, rtol=1e-6, atol=1e-6)
        logs[c] = np.log(case.weights[c]) + stats.norm(a @ mean, np.sqrt(total)).logpdf(b)
    assert_allclose(log_gamma, special.log_softmax(logs, axis=0), atol=1e-6)


def test_components_of_weight_zero_have_no_sample(case):
    log_weights = torch.tensor([0.25, 0.0, 0.75, 0.0]).double().log().requires_grad_()
    posterior = case.posterior()
    evidence = posterior.evidence(log_weights)
    gamma = evidence.log_gamma.exp()
    assert_array_equal(gamma[[1, 3]], torch.zeros(2, N))
    assert_allclose(gamma.sum(dim=0), 1.0)
    only = case.log_densities()[[0, 2]] + np.log([[0.25], [0.75]])
    expected = special.logsumexp(only, axis=0)
    assert_allclose(evidence.value, expected, rtol=1e-9)
    evidence.surplus.sum().backward()
    assert torch.isfinite(log_weights.grad).all()
    assert torch.isfinite(evidence.log_potential).all()
    statistics = posterior.statistics(gamma)
    before = torch.as_tensor(case.means), torch.as_tensor(case.covariances)
    update = update_mixture(statistics, *before, "full", 0.0, 0.0)
    assert_array_equal(update.means[[1, 3]], before[0][[1, 3]])
    assert torch.isfinite(update.covariances).all()


def test_what_is_known_rules_components_out(case):
    evidence = case.posterior().evidence(case.log_weights(), masks(True))
    gamma = np.where(masks(True), case.gamma(), 0.0)
    assert_allclose(evidence.log_gamma.exp(), gamma / gamma.sum(axis=0), atol=1e-10)
    nothing = case.posterior().evidence(case.log_weights())
    shares = torch.as_tensor(gamma.sum(axis=0))
    assert_allclose(evidence.value, nothing.value + shares.log(), rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_narrow_and_wide_potentials_beside_each_other(dtype):
    """Precisions of 1e-7 to 1e7, in one sample too: those of single-precision models as well."""
    case = Case(shared=False, latent_dim=6)
    logs = np.array([[-15.0] * 6, [15.0] * 6, [-15.0, 17.0] * 3] * 2)
    precision = np.stack([np.diag(np.exp(row)) for row in logs])
    locations = np.linspace(-2.0, 2.0, 6)
    linear = (precision @ locations[:, None])[:, :, 0]
    means, covariances = (torch.as_tensor(of).to(dtype) for of in (case.means, case.covariances))
    potential = Potential(torch.as_tensor(linear), torch.as_tensor(precision))
    posterior = OwnPosterior(means, covariances, potential)
    for c in range(C):
        found = posterior.covariances(torch.full((N,), c))
        exact = np.linalg.inv(np.linalg.inv(covariances[c].double().numpy()) + precision)
        assert_allclose(found.diagonal(dim1=1, dim2=2), exact.diagonal(axis1=1, axis2=2), rtol=1e-6)
    points = posterior.points(torch.zeros(N, dtype=torch.int64), torch.zeros(N, 6))
    assert_allclose(points[0], means[0], atol=1e-4)
    assert_allclose(points[1], locations, atol=1e-4)


def test_far_from_all_components(case):
    """Where every density underflows, numbers stay finite, and gradients lead back."""
    case.linear = case.linear * 0.0 + 1e5
    linear = torch.as_tensor(case.linear).requires_grad_()
    if case.shared:
        posterior = case.posterior().mixture.given(linear)
    else:
        means, covariances = map(torch.as_tensor, (case.means, case.stored))
        potential = Potential(linear, torch.as_tensor(case.precision))
        posterior = OwnPosterior(means, covariances, potential)
    evidence = posterior.evidence(case.log_weights())
    evidence.surplus.sum().backward()
    assert torch.isfinite(evidence.value).all()
    assert torch.isfinite(evidence.log_potential).all()
    assert (evidence.surplus < -1e3).all()
    assert torch.isfinite(linear.grad).all()
    assert_allclose(evidence.log_gamma.exp().sum(dim=0), 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_where_zero_is_costs_no_digits(kind):
    """Of potentials of one precision: points are measured from between the components."""
    case, far = Case(kind), Case(kind)
    far.means = case.means + 1e6
    far.linear = case.linear + case.precision_of(0) @ np.full(2, 1e6)
    one, other = (of.posterior().evidence(case.log_weights()) for of in (case, far))
    assert_allclose(other.value, one.value, atol=1e-6)
    assert_allclose(other.log_potential, one.log_potential, atol=1e-6)
    assert_allclose(other.log_gamma.exp(), one.log_gamma.exp(), atol=1e-6)


def test_samples_that_are_not_finite_are_alone(case):
    exact = case.posterior().evidence(case.log_weights())
    case.linear[1] = np.nan
    found = case.posterior().evidence(case.log_weights())
    others = [0, 2, 3, 4, 5]
    assert found.value[1].isnan()
    assert_allclose(found.value[others], exact.value[others], rtol=1e-12)
    assert_allclose(found.log_gamma[:, others], exact.log_gamma[:, others], atol=1e-12)


# Parts of samples -----------------------------------------------------------------------------


def test_rows_and_batches_are_those_of_all(case):
    posterior = case.posterior()
    rows = torch.tensor([4, 0, 3])
    gamma, components = torch.as_tensor(case.gamma()), torch.arange(N) % C
    noise = torch.as_tensor(np.random.default_rng(8).normal(size=(N, 2)))
    part = posterior.rows(rows)
    assert len(part) == 3
    assert_allclose(part.mean(gamma[:, rows]), posterior.mean(gamma)[rows], rtol=1e-10)
    points = posterior.points(components, noise)
    assert_allclose(part.points(components[rows], noise[rows]), points[rows], rtol=1e-10)
    parts = [posterior.rows(torch.arange(N)[of]) for of in (slice(0, 2), slice(2, N))]
    again = type(posterior).joined(parts)
    assert type(again) is (SharedPosterior if case.shared else OwnPosterior)
    assert_allclose(again.points(components, noise), points, rtol=1e-10)
    whole, other = (of.statistics(gamma).second for of in (posterior, again))
    assert_allclose(other, whole, rtol=1e-10)


def test_some_at_a_time(monkeypatch):
    """Matrices of few samples are in memory at a time, which changes nothing."""
    case = Case(shared=False)

    def answers():
        linear, precision = (
            torch.as_tensor(of).clone().requires_grad_() for of in (case.linear, case.precision)
        )
        means, covariances = map(torch.as_tensor, (case.means, case.stored))
        posterior = OwnPosterior(means, covariances, Potential(linear, precision))
        evidence = posterior.evidence(case.log_weights())
        gradients = torch.autograd.grad(posterior.log_normalizers().sum(), (linear, precision))
        gamma, of = evidence.log_gamma.exp(), posterior.detached()
        assert not of.potential.linear.requires_grad
        sums = of.statistics(gamma)
        moments = [of.mean(gamma), of.second_moments(gamma), sums.first, sums.second]
        return [evidence.surplus.detach(), evidence.log_potential.detach(), *gradients, *moments]

    expected = answers()
    for size in (1, 2 * C * 4, 4 * C * 4):
        monkeypatch.setattr("skcausalpima.functional._own_potentials.NUMBERS_AT_ONCE", size)
        for one, other in zip(answers(), expected, strict=True):
            assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_no_samples(case):
    posterior = case.posterior().rows(torch.arange(0))
    evidence = posterior.evidence(case.log_weights())
    gamma = evidence.log_gamma.exp()
    assert evidence.surplus.shape == evidence.log_potential.shape == (0,)
    assert posterior.mean(gamma).shape == (0, 2)
    assert posterior.second_moments(gamma).shape == (0, 2, 2)
    statistics = posterior.statistics(gamma)
    for of in (statistics.counts, statistics.first, statistics.second):
        assert_array_equal(of, torch.zeros_like(of))


def test_posteriors_know_what_potentials_they_have(case):
    found, exact = case.posterior().potential, case.posterior()
    assert found.is_shared == case.shared
    assert_allclose(found.linear, case.linear, rtol=1e-9, atol=1e-12)
    expected = np.stack([case.precision_of(n) for n in range(N)])
    assert_allclose(found.precision.expand(N, -1, -1), expected)
    if case.shared:  # and where these lie
        locations = np.stack([case.location(n)[0] for n in range(N)])
        around = exact.mixture.origin
        assert_allclose(exact.locations + around, locations, rtol=1e-9, atol=1e-12)


def test_a_potential_at_points():
    for shared in (True, False):
        case = Case(shared=shared)
        potential = Potential(*map(torch.as_tensor, (case.linear, case.precision)))
        assert potential.is_shared == shared
        z = np.random.default_rng(9).normal(size=(N, 2))
        expected = [
            case.linear[n] @ z[n]
            - 0.5 * z[n] @ (case.precision if shared else case.precision[n]) @ z[n]
            for n in range(N)
        ]
        assert_allclose(potential.at(torch.as_tensor(z)), expected)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_many_matrices_are_inverted_at_once(size):
    matrices = random_matrices(np.random.default_rng(10), 3, 4, size, size)
    given = torch.as_tensor(matrices).movedim((2, 3), (0, 1)).clone()
    inverses, log_determinants = invert_in_place(given)
    assert inverses is given
    assert_allclose(inverses.movedim((0, 1), (2, 3)), np.linalg.inv(matrices), rtol=1e-8)
    assert_allclose(log_determinants, np.linalg.slogdet(matrices)[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_what_potentials_are_wide_is_taken_off(kind):
    rng = np.random.default_rng(0)
    inside, width = random_matrices(rng, C, 3, 3), random_matrices(rng, 3, 3)
    found = less_potentials(*map(torch.as_tensor, (inside + width, width)), 1e-6, kind).numpy()
    expected = inside if kind == "full" else np.diagonal(inside, axis1=1, axis2=2)
    if kind == "spherical":
        expected = np.repeat(expected.mean(axis=1, keepdims=True), 3, axis=1)
    assert_allclose(found, expected, rtol=1e-9)
    least = 0.2  # of the scatter, in every direction
    broader = less_potentials(*map(torch.as_tensor, (inside + width, 9 * width)), least, "full")
    values = np.stack(
        [
            np.sort(linalg.eigvalsh(of, scatter))
            for of, scatter in zip(broader.numpy(), inside + width, strict=True)
        ]
    )
    shares = np.stack([np.sort(1 - linalg.eigvalsh(9 * width, of)) for of in inside + width])
    assert_allclose(values, np.maximum(shares, least), rtol=1e-9)
