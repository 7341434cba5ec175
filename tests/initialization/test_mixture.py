"""The first mixture against scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.mixture import GaussianMixture
from sklearn.mixture._gaussian_mixture import (
    _compute_precision_cholesky,
    _estimate_gaussian_parameters,
)

from skcausalpima._clustering.clusters import kmeans_labels
from skcausalpima._inference.covariances import sklearn_covariances
from skcausalpima._initialization import mixture
from skcausalpima._initialization.mixture import (
    MixtureFit,
    initialize_mixture,
    iterate_mixture,
    one_hot,
    place_empty,
)
from skcausalpima._model.settings import MixtureSettings
from skcausalpima.functional import COVARIANCE_TYPES, DiagonalGaussian


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 2)) * [1.0, 0.5] + np.repeat([[0, 0], [4, 0], [2, 3]], 100, axis=0)


def known(points):
    """Posteriors without variance."""
    mean = torch.as_tensor(points)
    return DiagonalGaussian(mean, torch.full_like(mean, -torch.inf))


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


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
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


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_start_finds_the_clusters(points, covariance_type):
    fit = initialize_mixture(
        known(points),
        [points],
        3,
        MixtureSettings(covariance_type=covariance_type, reg_covar=1e-6, shrinkage=100.0),
        n_starts=2,
        rng=np.random.RandomState(0),
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
        known(points),
        [points],
        5,
        MixtureSettings(covariance_type="full", reg_covar=1e-6, shrinkage=0.0),
        n_starts=1,
        rng=np.random.RandomState(0),
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
    settings = MixtureSettings(covariance_type="diag", reg_covar=1e-6, shrinkage=0.0)
    rng = np.random.RandomState(0)
    found = initialize_mixture(known(points), [points], 2, settings, n_starts=3, rng=rng)
    assert_array_equal(found.responsibilities.argmax(dim=0), labels)
