"""Mixtures in subspaces: scikit-learn's likelihoods, and which candidate is chosen."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima._clustering import mixtures
from skcausalpima._clustering.mixtures import (
    MixtureCandidate,
    choose_mixture,
    is_contradicted,
    mixture_candidates,
)

SKLEARN = {"full": "full", "tied": "tied", "diag": "diag", "ball": "spherical"}


def blobs(n_samples=300, seed=0, shear=0.0):
    """Return three clusters in the first two of six columns of falling variance, and classes."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), n_samples // 3)
    points = rng.normal(size=(n_samples, 6)) * [1.0, 1.0, 0.8, 0.5, 0.3, 0.2]
    points[:, 1] += shear * points[:, 0]
    points[:, :2] += np.array([[0, 0], [8, 0], [4, 7]])[classes]
    return points - points.mean(axis=0), classes


@pytest.mark.parametrize("shape", mixtures.SHAPES)
def test_densities_are_scikit_learns(shape):
    points, classes = blobs()
    gamma = (
        np.random.default_rng(1).dirichlet(np.ones(3), size=300) * 0.2 + np.eye(3)[classes] * 0.8
    )
    mixture = mixtures._maximisation(points, gamma, shape)
    expected = GaussianMixture(3, covariance_type=SKLEARN[shape])
    expected.weights_, expected.means_ = np.exp(mixture.log_weights), mixture.means
    factors = mixture.factors
    cholesky = np.full(3, factors) if shape == "ball" else factors
    expected.precisions_cholesky_ = cholesky
    assert_allclose(mixture.log_joint(points), expected._estimate_weighted_log_prob(points))
    assert_allclose(mixtures._expectation(points, mixture)[0], expected.score(points))


@pytest.mark.parametrize("shape", mixtures.SHAPES)
def test_the_criterion_is_that_of_all_scores(shape, monkeypatch):
    """Mixtures of different numbers of scores are densities of the same scores."""
    points, classes = blobs()
    scores = mixtures._without_outliers(points)
    start = [np.eye(3)[classes]]
    found = mixtures._best_mixture(scores, np.arange(300), start, 2, shape)
    mixture = mixtures._iterate(scores.points(2, shape), start[0], shape, 70)[1]
    density = np.logaddexp.reduce(mixture.log_joint(scores.points(2, shape)), axis=1)
    if shape != "ball":
        density -= np.log(scores.scaled[:, :2].std(axis=0)).sum()
    for column in scores.scaled[:, 2:].T:
        density += -0.5 * (np.log(2 * np.pi * column.var()) + column**2 / column.var())
    gamma = found.responsibilities
    entropy = -np.sum(gamma * np.log(np.maximum(gamma, 1e-300)))
    n_parameters = {"full": 8 + 9, "tied": 8 + 3, "diag": 8 + 6, "ball": 8 + 1}[shape] + 8
    expected = density.sum() - entropy - 0.5 * n_parameters * np.log(300)
    assert_allclose(found.criterion, expected, rtol=1e-3)


def test_clusters_are_found_whatever_their_shape():
    points, classes = blobs(shear=3.0)
    chosen = choose_mixture(mixture_candidates(points, 3, random_state=0))
    assert adjusted_rand_score(classes, chosen.labels) > 0.97
    assert_allclose(chosen.responsibilities.sum(axis=1), 1.0)
    assert_array_equal(chosen.labels, chosen.responsibilities.argmax(axis=1))


def test_outliers_do_not_take_a_cluster():
    points, classes = blobs()
    points[::60] *= 40.0
    chosen = choose_mixture(mixture_candidates(points, 3, random_state=0))
    kept = np.arange(300) % 60 > 0
    assert adjusted_rand_score(classes[kept], chosen.labels[kept]) > 0.9
    assert np.bincount(chosen.labels).min() > 50


def candidate(labels, criterion):
    return MixtureCandidate(
        responsibilities=np.eye(2)[labels],
        labels=np.array(labels),
        criterion=criterion,
        n_dims=2,
        shape="full",
    )


def test_what_others_contradict_is_not_chosen():
    agreed, other = [0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]
    candidates = [candidate(other, 9.0), candidate(agreed, 1.0), candidate(agreed, 2.0)]
    assert choose_mixture(candidates) is candidates[2]
    assert is_contradicted(np.array(other), candidates[1:])
    assert not is_contradicted(np.array(agreed), candidates)


def test_what_has_an_empty_cluster_is_not_chosen():
    split, whole = [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]
    candidates = [candidate(whole, 9.0), candidate(split, 1.0)]
    assert choose_mixture(candidates) is candidates[1]
    assert choose_mixture(candidates[:1]) is candidates[0]


def test_rand_index_is_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(4, size=(2, 30))
        assert_allclose(mixtures._rand_index(first, second), adjusted_rand_score(first, second))
    assert mixtures._rand_index(np.zeros(5, dtype=int), np.zeros(5, dtype=int)) == 1.0


@pytest.mark.parametrize(
    ("points", "n_clusters"),
    [
        (np.zeros((40, 5)), 3),
        (np.ones((40, 0)), 3),
        (np.repeat(np.eye(4)[:2], 20, axis=0), 3),
        (np.linspace(-1, 1, 40)[:, None], 2),
        (np.random.default_rng(0).normal(size=(5, 4)), 5),
        (np.random.default_rng(0).normal(size=(6, 30)), 2),
        (np.random.default_rng(0).integers(2, size=(60, 8)).astype(float), 3),
        (np.random.default_rng(0).normal(size=(200, 6)), 40),
    ],
    ids=["zeros", "no scores", "two points", "a line", "one each", "wide", "binary", "many"],
)
def test_small_and_poor_data(points, n_clusters):
    chosen = choose_mixture(mixture_candidates(points, n_clusters, random_state=0))
    assert chosen.responsibilities.shape == (len(points), n_clusters)
    assert np.isfinite(chosen.responsibilities).all()
    assert_allclose(chosen.responsibilities.sum(axis=1), 1.0)


def test_many_samples_are_labelled_by_what_some_of_them_tell(monkeypatch):
    monkeypatch.setattr(mixtures, "_MAX_ROWS", 90)
    points, classes = blobs(600)
    chosen = choose_mixture(mixture_candidates(points, 3, random_state=0))
    assert adjusted_rand_score(classes, chosen.labels) > 0.97
