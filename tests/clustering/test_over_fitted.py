"""Tests of the mixture that clusters are merged from."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from skcausalpima._clustering.over_fitted import REG_COVAR, fit_mixture, mixture_of_labels


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_that_it_is_scikit_learns_mixture(n_features):
    rng = np.random.default_rng(n_features)
    points = rng.normal(size=(300, n_features)) + 4.0 * rng.integers(2, size=(300, 1))
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    expected = GaussianMixture(7, reg_covar=REG_COVAR, init_params="k-means++", random_state=3).fit(
        points[:250]
    )
    found = fit_mixture(points[:250], 7, seed=3).responsibilities(points)
    np.testing.assert_allclose(found, expected.predict_proba(points), atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_that_it_is_scikit_learns_mixture_from_labels():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    points = rng.normal(size=(300, 4)) + 2.0 * np.eye(3, 4)[labels]
    begun = [points[labels == k] for k in range(3)]
    covariances = [np.cov(of.T, bias=True) + REG_COVAR * np.eye(4) for of in begun]
    expected = GaussianMixture(
        3,
        reg_covar=REG_COVAR,
        weights_init=np.bincount(labels) / 300,
        means_init=[of.mean(axis=0) for of in begun],
        precisions_init=np.linalg.inv(covariances),
    ).fit(points)
    found = mixture_of_labels(points, labels).responsibilities(points)
    np.testing.assert_allclose(found, expected.predict_proba(points), atol=1e-8)


def test_that_points_are_looked_at_block_by_block(monkeypatch):
    points = np.random.default_rng(0).normal(size=(50, 2))
    mixture = fit_mixture(points, 4, seed=0)
    expected = mixture.responsibilities(points)
    monkeypatch.setattr("skcausalpima._clustering.over_fitted._BLOCK_ROWS", 7)
    np.testing.assert_allclose(mixture.responsibilities(points), expected, atol=1e-12)
