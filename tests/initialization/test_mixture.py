"""The first mixture against scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from sklearn.mixture._gaussian_mixture import (
    _compute_precision_cholesky,
    _estimate_gaussian_parameters,
)
from some_slow import some_slow

from skcausalpima._clustering.clusters import kmeans_labels
from skcausalpima._initialization import mixture
from skcausalpima._initialization.mixture import (
    MixtureFit,
    initialize_mixture,
    iterate_mixture,
    iterate_posteriors,
    kmeans_starts,
    one_hot,
    place_empty,
)
from skcausalpima._model.settings import MixtureSettings
from skcausalpima._state.fitted import sklearn_covariances
from skcausalpima.functional import COVARIANCE_TYPES, DiagonalGaussian, Potential

pytestmark = pytest.mark.usefixtures("all_repetitions")


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 2)) * [1.0, 0.5] + np.repeat([[0, 0], [4, 0], [2, 3]], 100, axis=0)


def known(points):
    """Posteriors without variance."""
    mean = torch.as_tensor(points)
    return DiagonalGaussian(mean, torch.full_like(mean, -torch.inf))


def from_points(points):
    """Return what iterates a mixture of points that are known exactly."""

    def iterate(gamma, settings, max_iter):
        return iterate_mixture(known(points), gamma, settings, max_iter=max_iter)

    return iterate


@pytest.fixture
def gamma():
    return torch.as_tensor(np.random.default_rng(1).dirichlet(np.ones(3), size=300).T)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_iter", [1, 5, 30])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_iterations_are_scikit_learns(points, gamma, covariance_type, n_iter):
    """Up to the thousandth of a sample that keeps weights positive."""
    weights, means, covariances = _estimate_gaussian_parameters(
        points, gamma.T.numpy(), 1e-6, covariance_type
    )
    root = _compute_precision_cholesky(covariances, covariance_type)
    precisions = (
        root @ np.swapaxes(root, -1, -2) if covariance_type in ("full", "tied") else root**2
    )
    expected = GaussianMixture(
        3,
        covariance_type=covariance_type,
        weights_init=weights / weights.sum(),
        means_init=means,
        precisions_init=precisions,
        max_iter=n_iter,
        tol=0.0,
    ).fit(points)
    fit = iterate_mixture(
        known(points),
        gamma,
        MixtureSettings(covariance_type=covariance_type, reg_covar=1e-6, shrinkage=0.0),
        max_iter=n_iter + 1,
        tol=-np.inf,
    )
    assert_allclose(fit.means, expected.means_, atol=2e-3)
    covariances = sklearn_covariances(fit.covariances.numpy(), covariance_type)
    assert_allclose(covariances, expected.covariances_, atol=2e-3)
    assert_allclose(fit.bound, expected.score(points), atol=1e-4)
    assert_allclose(fit.responsibilities.T, expected.predict_proba(points), atol=2e-3)


@pytest.mark.parametrize("covariance_type", some_slow(COVARIANCE_TYPES, ["full", "diag"]))
def test_the_bound_rises(points, gamma, covariance_type):
    posterior = DiagonalGaussian(
        torch.as_tensor(points), torch.as_tensor(np.random.default_rng(2).normal(size=(300, 2)) - 2)
    )
    settings = MixtureSettings(covariance_type=covariance_type, reg_covar=0.0, shrinkage=0.0)
    bounds = [
        iterate_mixture(posterior, gamma, settings, max_iter=k, tol=-np.inf).bound
        for k in range(1, 25)
    ]
    assert (np.diff(bounds) > -1e-6).all()
    assert bounds[-1] > bounds[0]


@pytest.mark.parametrize("iterate", [from_points, lambda points: from_potentials(points)])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_start_finds_the_clusters(points, covariance_type, iterate):
    fit = initialize_mixture(
        iterate(points),
        kmeans_starts([points], 3, np.random.RandomState(0), 2),
        3,
        MixtureSettings(covariance_type=covariance_type, reg_covar=1e-6, shrinkage=100.0),
    )
    labels = fit.responsibilities.argmax(dim=0).numpy().reshape(3, 100)
    counts = np.stack([np.bincount(row, minlength=3) for row in labels])
    assert (counts.max(axis=1) > 95).all()
    assert sorted(counts.argmax(axis=1)) == [0, 1, 2]
    shape = (3, 2, 2) if covariance_type in ("full", "tied") else (3, 2)
    assert fit.covariances.shape == shape
    assert_allclose(fit.responsibilities.sum(dim=0), 1.0)


def test_more_components_than_points():
    points = np.repeat([[0.0, 1.0], [2.0, 3.0]], 4, axis=0)
    labels = kmeans_labels(points, 5, seed=0)
    assert len(np.unique(labels)) == 2
    fit = initialize_mixture(
        from_points(points),
        kmeans_starts([points], 5, np.random.RandomState(0), 1),
        5,
        MixtureSettings(covariance_type="full", reg_covar=1e-6, shrinkage=0.0),
    )
    assert torch.isfinite(fit.responsibilities).all()
    assert fit.means.shape == (5, 2)


def test_one_hot():
    assert_array_equal(one_hot(np.array([2, 0]), 3), [[0, 1], [0, 0], [1, 0]])


def test_empty_cells_lie_where_effects_add_up():
    """Of a 2 x 3 grid two cells have no samples; their means follow from the others."""
    effects = np.array([[0.0, 0.0], [5.0, 1.0]])[:, None] + np.array([[0, 0], [1, 7], [2, -3]])
    means = torch.as_tensor(effects.reshape(6, 2))
    covariances = torch.eye(2).double() * torch.arange(1.0, 7.0)[:, None, None]
    counts = torch.tensor([10.0, 0.0, 30.0, 10.0, 50.0, 0.0]).double()
    occupied = counts > 0
    fit = MixtureFit(
        bound=0.0,
        responsibilities=torch.ones(6, 1),
        means=torch.where(occupied[:, None], means, 99.0),
        covariances=covariances,
    )
    placed = place_empty(fit, counts, (2, 3))
    assert_allclose(placed.means, means, atol=1e-9)
    assert_allclose(placed.covariances[occupied], covariances[occupied])
    pooled = (10 * 1 + 30 * 3 + 10 * 4 + 50 * 5) / 100
    assert_allclose(placed.covariances[1], pooled * np.eye(2))
    assert place_empty(fit, counts + 1, (2, 3)) is fit


def test_of_equal_starts_the_first_one_wins_whatever_the_rounding(monkeypatch):
    """One clustering, its clusters in other orders: bounds are equal but for their last bits."""
    points = np.repeat([[0.0], [5.0]], 10, axis=0) + np.linspace(0.0, 1.0, 20)[:, None]
    labels, rounding = np.repeat([0, 1], 10), iter(1e-14 * np.arange(10))

    def rounded(*arguments, **options):
        found = iterate_mixture(*arguments, **options)
        return replace(found, bound=found.bound + next(rounding))

    orders = iter([labels, 1 - labels, 1 - labels])
    monkeypatch.setattr(mixture, "kmeans_labels", lambda *_: next(orders))
    monkeypatch.setattr(mixture, "iterate_mixture", rounded)

    def iterate(gamma, settings, max_iter):
        return rounded(known(points), gamma, settings, max_iter=max_iter)

    settings = MixtureSettings(covariance_type="diag", reg_covar=1e-6, shrinkage=0.0)
    rng = np.random.RandomState(0)
    found = initialize_mixture(iterate, kmeans_starts([points], 2, rng, 3), 2, settings)
    assert_array_equal(found.responsibilities.argmax(dim=0), labels)


# What potentials say of points ----------------------------------------------------------------


def potential_of(points, precision):
    """Return potentials that lie at points."""
    points, precision = torch.as_tensor(points), torch.as_tensor(precision)
    if precision.ndim == 2:
        return Potential(points @ precision, precision)
    return Potential((precision @ points[:, :, None])[:, :, 0], precision)


def from_potentials(points):
    """Return what iterates a mixture of points of which samples say nearly all."""

    def iterate(gamma, settings, max_iter):
        potential = potential_of(points, 100.0 * np.eye(2))
        return iterate_posteriors(potential, gamma, settings, max_iter=max_iter)

    return iterate


def settings_of(covariance_type):
    return MixtureSettings(covariance_type=covariance_type, reg_covar=0.0, shrinkage=0.0)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_sharp_potentials_are_points(points, gamma, covariance_type, shared):
    """Iterations are those of points that are known exactly, but for the size of what is added."""
    precision = 1e6 * np.eye(2)
    if not shared:
        precision = np.tile(precision, (300, 1, 1))
    settings = replace(settings_of(covariance_type), reg_covar=1e-6)
    found = iterate_posteriors(
        potential_of(points, precision), gamma, settings, max_iter=10, tol=-np.inf
    )
    # The start counts as an update there.
    exact = iterate_mixture(known(points), gamma, settings, max_iter=11, tol=-np.inf)
    assert_allclose(found.means, exact.means, atol=5e-3)
    assert_allclose(found.covariances, exact.covariances, atol=5e-3)
    assert_allclose(found.responsibilities, exact.responsibilities, atol=5e-3)


@pytest.mark.parametrize("covariance_type", some_slow(COVARIANCE_TYPES, ["tied", "spherical"]))
def test_the_likelihood_of_the_locations_rises(points, gamma, covariance_type):
    """Potentials as wide as the clusters: log sum_c A_c N(y; m_c, S_c + V), by SciPy."""
    precision = np.array([[1.5, 0.3], [0.3, 0.8]])
    potential, settings = potential_of(points, precision), settings_of(covariance_type)
    spread, values = np.linalg.inv(precision), []
    for k in range(0, 25, 3):
        fit = iterate_posteriors(potential, gamma, settings, max_iter=k, tol=-np.inf)
        matrices = fit.covariances.numpy()
        if matrices.ndim == 2:
            matrices = np.stack([np.diag(of) for of in matrices])
        log_density = np.stack(
            [
                multivariate_normal(mean, matrix + spread).logpdf(points)
                for mean, matrix in zip(fit.means, matrices, strict=True)
            ]
        )
        log_gamma = fit.responsibilities.log().numpy()
        # Weights are those with which the responsibilities were found.
        logs = (log_gamma - log_density).mean(axis=1)
        logs -= logsumexp(logs)
        values.append(logsumexp(logs[:, None] + log_density, axis=0).mean())
        assert_allclose(softmax(logs[:, None] + log_density, axis=0), np.exp(log_gamma), atol=1e-5)
        assert_allclose(fit.bound, values[-1], atol=1e-4)
    assert (np.diff(values) > -1e-5).all()
    assert values[-1] > values[0]


def test_the_start_leaves_out_what_potentials_are_wide():
    """Covariances of clusters, of which 30 000 noisy locations tell, less the noise: 5 errors."""
    rng, n = np.random.default_rng(0), 30_000
    labels = np.repeat([0, 1], n // 2)
    means = np.array([[0.0, 0.0], [6.0, 1.0]])
    covariances = np.array([[[1.0, 0.4], [0.4, 0.5]], [[0.3, -0.1], [-0.1, 2.0]]])
    spread = np.array([[0.4, 0.1], [0.1, 0.8]])
    points = np.concatenate(
        [rng.multivariate_normal(means[c], covariances[c] + spread, n // 2) for c in (0, 1)]
    )
    potential = potential_of(points, np.linalg.inv(spread))
    gamma = one_hot(labels, 2)
    fit = iterate_posteriors(potential, gamma, settings_of("full"), max_iter=0)
    errors = 5 * (covariances + spread).max() * np.sqrt(2 / (n // 2))
    assert_allclose(fit.means, means, atol=errors)
    assert_allclose(fit.covariances, covariances, atol=errors)
    # What is hardly wider than the noise keeps a tenth.
    narrow = points[: n // 2] @ np.diag([0.5, 0.5])
    fit = iterate_posteriors(
        potential_of(narrow, np.linalg.inv(spread)),
        one_hot(labels[: n // 2], 1),
        settings_of("full"),
        max_iter=0,
    )
    assert torch.linalg.eigvalsh(fit.covariances).min() > 0.02


def test_samples_that_say_nothing_follow_the_others(points):
    """A precision of zero: they have the shares of the clusters, and change none."""
    gamma = one_hot(np.repeat([0, 1, 2], 100), 3)
    precision = np.tile(4.0 * np.eye(2), (330, 1, 1))
    precision[300:] = 0.0
    more = np.concatenate([points, np.full((30, 2), 99.0)])
    both = torch.cat([gamma, torch.full((3, 30), 1 / 3)], dim=1)
    settings = settings_of("full")
    some = iterate_posteriors(potential_of(points, precision[:300]), gamma, settings, max_iter=200)
    found = iterate_posteriors(potential_of(more, precision), both, settings, max_iter=200)
    shares = found.responsibilities[:, :300].mean(dim=1)
    assert_allclose(found.responsibilities[:, 300:], shares[:, None].expand(3, 30), atol=0.02)
    assert_allclose(found.responsibilities[:, :300], some.responsibilities, atol=0.1)
    assert_allclose(found.means, some.means, atol=0.2)


def test_what_is_known_is_kept(points):
    allowed = torch.ones(3, 300, dtype=torch.bool)
    allowed[0, :50] = allowed[2, 50:100] = False
    gamma = torch.full((3, 300), 1 / 3).double() * allowed
    fit = iterate_posteriors(
        potential_of(points, np.eye(2)),
        gamma / gamma.sum(dim=0),
        settings_of("full"),
        allowed=allowed,
        max_iter=5,
    )
    assert_array_equal(fit.responsibilities[~allowed], torch.zeros(100))
    assert_allclose(fit.responsibilities.sum(dim=0), 1.0)


def test_a_start_without_a_bound_is_never_the_best(points):
    """Whichever it is of three, the best of the others goes on."""
    settings = MixtureSettings(covariance_type="diag", reg_covar=1e-6, shrinkage=0.0)

    def bound_without(*numbers):
        ends, iterate = iter(range(9)), from_points(points)

        def broken(gamma, settings, max_iter):
            fit = iterate(gamma, settings, max_iter)
            return replace(fit, bound=np.nan) if next(ends) in numbers else fit

        rng = np.random.RandomState(0)
        found = initialize_mixture(broken, kmeans_starts([points], 7, rng, 3), 7, settings)
        return found.bound

    single = [bound_without(*{0, 1, 2} - {start}) for start in range(3)]
    assert len(set(single)) == 3
    for start in range(3):
        assert bound_without(start) in single[:start] + single[start + 1 :]
