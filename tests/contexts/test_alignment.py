"""Clusters of several labels are told apart from the offsets of these."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from some_slow import some_slow

from skcausalpima._clustering.over_fitted import REG_COVAR
from skcausalpima._contexts.alignment import (
    AS_WELL,
    Alignment,
    align,
    components_of,
    does_as_well,
    laid_ends,
    overlaps_of,
    rivals,
    start,
)
from skcausalpima._contexts.points import Points, alone, spread_of

pytestmark = pytest.mark.usefixtures("all_repetitions")


def two_labels(seed, shares=(0.8, 0.2), move=(3.0, -2.0), n=400):
    """Return points of two clusters, at 0 and (4, 4), and the cluster of each."""
    rng = np.random.default_rng(seed)
    settings = np.repeat([0, 1], n // 2)
    kinds = (rng.random(n) < np.array(shares)[settings]).astype(int)
    values = rng.normal(size=(n, 2)) + 4.0 * kinds[:, None]
    values[settings == 1] += move
    points = Points(
        values=values / 3.0,
        settings=settings,
        labels=np.eye(2),
        sizes=(2,),
        mixes=np.arange(2),
        is_free=np.ones(2, dtype=bool),
        weights=np.ones(n),
    )
    return points, kinds


# Parts of EM -----------------------------------------------------------------------------------


def two_contexts(seed=0, n=80, n_features=3):
    """Return weighted points of two contexts of two labels each, and a mixture of three."""
    rng = np.random.default_rng(seed)
    labels = np.array([[1.0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    points = Points(
        values=2.0 * rng.normal(size=(n, n_features)),
        settings=rng.integers(4, size=n),
        labels=labels,
        sizes=(2, 2),
        mixes=np.array([0, 0, 1, 1]),
        is_free=np.array([True, False, True]),
        weights=rng.uniform(0.5, 2.0, n),
        spread=1.5,
    )
    roots = rng.normal(size=(3, n_features, n_features))
    mixture = Alignment(
        means=rng.normal(size=(3, n_features)),
        covariances=roots @ roots.swapaxes(1, 2) + np.eye(n_features),
        log_weights=np.log(rng.dirichlet(np.ones(3), size=2)),
        offsets=rng.normal(size=(4, n_features)) * points.is_free,
    )
    return points, mixture


def log_joint(points, mixture):
    """Return log-densities of points in components with their weights, by SciPy."""
    moved = points.values - points.labels[points.settings] @ mixture.offsets
    parts = zip(mixture.means, mixture.covariances, strict=True)
    logs = np.stack([multivariate_normal(mean, spread).logpdf(moved) for mean, spread in parts])
    return logs + mixture.log_weights[points.mixes[points.settings]].T


def test_responsibilities_are_those_of_bayes_rule():
    points, mixture = two_contexts()
    gamma, log_densities = mixture.responsibilities(points)
    joint = log_joint(points, mixture)
    np.testing.assert_allclose(log_densities, logsumexp(joint, axis=0))
    np.testing.assert_allclose(gamma, np.exp(joint - logsumexp(joint, axis=0)), atol=1e-12)


def test_offsets_are_the_likeliest_given_components():
    """By SciPy's minimization, with offsets from N(0, spread^2), along the free axes alone."""
    points, mixture = two_contexts()
    gamma = mixture.responsibilities(points)[0] * points.weights

    def cost(offsets):
        table = np.zeros_like(mixture.offsets)
        table[:, points.is_free] = offsets.reshape(4, 2)
        expected = (gamma * log_joint(points, replace(mixture, offsets=table))).sum()
        return 0.5 * np.square(offsets / points.spread).sum() - expected

    found = mixture._updated(points, gamma).offsets
    assert not found[:, 1].any()
    least = minimize(cost, np.zeros(8))
    np.testing.assert_allclose(found[:, points.is_free].ravel(), least.x, atol=1e-4)


def test_weights_are_shares_with_a_sample_more_for_each_component():
    points, mixture = two_contexts()
    gamma = mixture.responsibilities(points)[0] * points.weights
    updated, total = mixture._updated(points, gamma), gamma.sum(axis=1)
    for mix, settings in enumerate(([0, 1], [2, 3])):
        counts = gamma[:, np.isin(points.settings, settings)].sum(axis=1) + 3 * total / total.sum()
        np.testing.assert_allclose(np.exp(updated.log_weights[mix]), counts / counts.sum())
    known = mixture.as_known(mixture.log_weights[:1])
    kept = known._updated(points.of_setting(0), gamma[:, points.rows[0]])
    for name in ("means", "covariances"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(mixture, name))
    weights = np.exp(mixture.log_weights[0])
    counts = gamma[:, points.rows[0]].sum(axis=1) + 3 * weights
    np.testing.assert_allclose(np.exp(kept.log_weights[0]), counts / counts.sum())


def test_components_are_moments_and_those_of_few_points_near_to_all():
    """NumPy's of each, with the pooled covariance for as many points as features and two."""
    points, mixture = two_contexts()
    gamma = mixture.responsibilities(points)[0] * points.weights
    means, covariances = components_of(gamma, points.values)
    counts = gamma.sum(axis=1)
    own = [np.cov(points.values.T, aweights=weights, ddof=0) for weights in gamma]
    pooled = np.average(own, axis=0, weights=counts)
    for k, weights in enumerate(gamma):
        np.testing.assert_allclose(means[k], np.average(points.values, axis=0, weights=weights))
        expected = (counts[k] * own[k] + 5 * pooled) / (counts[k] + 5) + REG_COVAR * np.eye(3)
        np.testing.assert_allclose(covariances[k], expected, rtol=1e-6)
    alike = replace(mixture, is_alike=True)._updated(points, gamma).covariances
    own = mixture._updated(points, gamma).covariances
    np.testing.assert_allclose(alike, [np.average(own, axis=0, weights=counts)] * 3)


def test_the_objective_is_that_of_scipy_and_the_order_of_samples_has_no_say():
    points, mixture = two_contexts()
    found = mixture.iterated(points, 1)
    expected = points.weights @ logsumexp(log_joint(points, mixture), axis=0)
    expected -= 0.5 * np.square(mixture.offsets / points.spread).sum()
    shares = np.exp(mixture.log_weights).mean(axis=0)
    expected += 3 * (mixture.log_weights @ shares).sum()
    np.testing.assert_allclose(found.objective * points.weights.sum(), expected)
    np.testing.assert_array_equal(found.means, mixture.means)
    order = np.random.default_rng(1).permutation(len(points.values))
    one, other = (mixture.iterated(of, 10) for of in (points, points.take(order)))
    np.testing.assert_allclose(one.means, other.means)
    np.testing.assert_allclose(one.objective, other.objective)


def test_offsets_are_far_by_two_deviations_of_a_cluster_and_from_each_other():
    """The median cluster's, of mean variance 4 here; one offset may move, or two apart."""
    covariances = np.array([np.diag([1.0, 7.0]), 4.0 * np.eye(2), 900.0 * np.eye(2)])
    still = np.zeros((2, 2))
    one = Alignment(
        means=np.zeros((3, 2)), covariances=covariances, log_weights=still, offsets=still
    )
    for moved, is_far in (
        ([[0.0, 3.9], [0.0, 0.0]], False),
        ([[0.0, 0.0], [0.0, -4.1]], True),
        ([[0.0, 2.1], [0.0, -2.1]], True),
        ([[3.0, 2.0], [3.0, 2.0]], False),
        ([[3.0, 3.0], [3.0, 3.0]], True),
    ):
        assert one.is_far_from(np.array(moved)) is is_far
        assert replace(one, offsets=np.array(moved)).is_far_from(still) is is_far


def test_shares_overlap_by_what_they_have_in_common():
    """One less half of the distances between shares, and does as well by nats, for each sample."""
    shares = np.random.default_rng(0).dirichlet(np.ones(4), size=5)
    apart = np.abs(shares[:, None] - shares).sum(axis=2)
    np.testing.assert_allclose(overlaps_of(shares), 1.0 - apart / 2.0)
    assert does_as_well(AS_WELL + 9.9, 100, each=0.1)
    assert not does_as_well(AS_WELL + 10.1, 100, each=0.1)
    assert not does_as_well(AS_WELL + 10.1, 100)


def test_settings_are_parts_of_all_points():
    points, _ = two_contexts()
    table = np.random.default_rng(0).normal(size=(80, 2))
    for s, total in enumerate(points.summed(table)):
        is_here = points.settings == s
        np.testing.assert_allclose(total, table[is_here].sum(axis=0))
        part = points.of_setting(s)
        np.testing.assert_array_equal(part.values, points.values[is_here])
        np.testing.assert_array_equal(part.weights, points.weights[is_here])
        assert not part.settings.any()
        assert part.can_be_laid
    assert not points.can_be_laid
    first, second = points.by_context(np.arange(4))
    assert (first.tolist(), second.tolist()) == ([0, 1], [2, 3])
    some = points.some(20, np.random.RandomState(0))
    assert len(np.unique(some.values, axis=0)) == 20
    for row, setting, weight in zip(some.values, some.settings, some.weights, strict=True):
        (place,) = np.flatnonzero((points.values == row).all(axis=1))
        assert (points.settings[place], points.weights[place]) == (setting, weight)
    assert spread_of(np.array([-3.0, 2.0])) == 1.0
    assert spread_of(np.array([-30.0, 2.0])) == 6.0  # a fifth
    many = replace(points, labels=np.eye(12), sizes=(12,))
    assert many.can_be_laid
    assert not replace(points, labels=np.eye(13), sizes=(13,)).can_be_laid


# Whole alignments ------------------------------------------------------------------------------


@pytest.mark.parametrize("move", some_slow([200.0, 5000.0, 1e5], [1e5]))
def test_labels_may_be_far_apart(move):
    points, kinds = two_labels(9, move=(move, 0.0))
    points = replace(points, spread=spread_of(points.values))
    found = align(points, 2)
    assert 3.0 * (found.offsets[1] - found.offsets[0])[0] == pytest.approx(move, abs=0.5)
    right = (found.responsibilities(points)[0].argmax(axis=0) == kinds).mean()
    assert max(right, 1.0 - right) > 0.98


@pytest.mark.parametrize(
    "move",
    [(3.0, -2.0), *(pytest.param(m, marks=pytest.mark.slow) for m in [(12.0, 9.0), (-4.0, -4.0)])],
)
def test_offsets_and_mixes_are_told_apart(move):
    """The last offset lays the cluster that is rare in one label on that which is in the other."""
    points, kinds = two_labels(0, move=move)
    found = align(points, 2)
    difference = 3.0 * (found.offsets[1] - found.offsets[0])
    np.testing.assert_allclose(difference, move, atol=0.4)
    labels = found.responsibilities(points)[0].argmax(axis=0)
    right = (labels == kinds).mean()
    assert max(right, 1.0 - right) > 0.98
    order = [0, 1] if right > 0.5 else [1, 0]
    shares = np.exp(found.log_weights)[:, order]
    expected = [kinds[points.settings == s].mean() for s in (0, 1)]
    np.testing.assert_allclose(shares[:, 1], expected, atol=0.03)


def test_there_is_no_offset_where_none_fits_as_well():
    points, _ = two_labels(1, move=(0.0, 0.0))
    assert not align(points, 2).offsets.any()


def test_what_must_not_move_does_not():
    points, _ = two_labels(2)
    points = Points(**vars(points) | {"is_free": np.array([True, False])})
    assert not align(points, 2).offsets[:, 1].any()


def test_the_objective_does_not_fall():
    points, _ = two_labels(3)
    begun = start(points, np.zeros((2, 2)), 2, seed=0)
    ends = [begun.iterated(points, n).objective for n in range(1, 30)]
    assert (np.diff(ends) >= -1e-3).all()


def test_rows_of_weight_two_are_two_rows():
    points, _ = two_labels(4, n=100)
    twice = points.take(np.repeat(np.arange(100), 2))
    heavy = Points(**vars(points) | {"weights": np.full(100, 2.0)})
    one, other = (start(of, np.zeros((2, 2)), 2, seed=0).iterated(of, 5) for of in (twice, heavy))
    np.testing.assert_allclose(one.means, other.means, rtol=1e-10)
    np.testing.assert_allclose(one.objective, other.objective, rtol=1e-10)


def test_sixty_points_are_laid_on_a_known_mixture():
    points, _kinds = two_labels(5, shares=(0.5, 0.5), move=(0.0, 0.0), n=1000)
    own = alone(points.values, points.is_free)
    known = start(own, np.zeros((1, 2)), 2, seed=0).iterated(own, 100)
    known = type(known)(**vars(known) | {"known_weights": np.array([0.5, 0.5])})
    rng = np.random.default_rng(6)
    rare = (rng.random(60) < 0.9).astype(int)
    values = (rng.normal(size=(60, 2)) + 4.0 * rare[:, None] + [8.0, -8.0]) / 3.0
    found = laid_ends(alone(values, points.is_free), known, np.random.RandomState(0))[0]
    np.testing.assert_allclose(3.0 * found.offsets[0], [8.0, -8.0], atol=0.5)


@pytest.mark.slow
def test_a_label_that_lacks_a_cluster_has_two_offsets():
    """All of its points may lie in either cluster; where both labels have both, one is right."""
    points, _ = two_labels(7, shares=(1.0, 0.5), n=600)
    assert 0 in rivals(points, align(points, 2))
    points, _ = two_labels(8, n=600)
    assert rivals(points, align(points, 2)) == []


@pytest.mark.parametrize("n_components", some_slow([2, 6], []))
def test_labels_that_share_no_cluster_are_in_doubt(n_components):
    """With components to spare an offset is found, though none would do as well."""
    points, _ = two_labels(10, shares=(1.0, 0.0), move=(0.0, 0.0))
    found = align(points, n_components)
    assert found.offsets.any() == (n_components == 6)
    assert 1 in rivals(points, found)


def several_labels(seed, shares, offsets, n_each):
    """Return points of two nodes 4 and 6 apart; ``shares`` are those of an outcome of the first."""
    rng = np.random.default_rng(seed)
    settings = np.repeat(np.arange(len(shares)), n_each)
    first = rng.random(len(settings)) < np.array(shares)[settings]
    second = rng.random(len(settings)) < 0.4
    values = rng.normal(size=(len(settings), 6))
    values[:, 0] += 4.0 * first
    values[:, 1] += 6.0 * second
    points = Points(
        values=(values + offsets[settings]) / 3.0,
        settings=settings,
        labels=np.eye(len(shares)),
        sizes=(len(shares),),
        mixes=np.arange(len(shares)),
        is_free=np.ones(6, dtype=bool),
        weights=np.ones(len(settings)),
    )
    return points, 2 * first + second


@pytest.mark.parametrize("seed", some_slow([1, 0, 2], []))
def test_clusters_that_are_rare_where_they_are_frequent_elsewhere(seed):
    """The likeliest way to lay one label on another lays frequent clusters on each other."""
    offsets = np.zeros((2, 6))
    offsets[1, 2] = 8.0
    points, _ = several_labels(seed, (0.07, 0.93), offsets, 300)
    found = align(points, 4)
    moved = 3.0 * (found.offsets[1] - found.offsets[0])
    np.testing.assert_allclose(moved, offsets[1], atol=1.0)


@pytest.mark.parametrize(
    ("shares", "doubtful"),
    [pytest.param((0.0, 0.5), [0], marks=pytest.mark.slow), ((0.2, 0.8), [])],
)
def test_a_label_that_lacks_an_outcome_may_have_the_other_one(shares, doubtful):
    """Clusters are copies of each other but for chance, here 15 nats."""
    rng, settings = np.random.default_rng(7), np.repeat([0, 1], 300)
    of_settings = np.array([[shares[s], 0.5] for s in settings])
    kinds = (rng.random((600, 2)) < of_settings).astype(int)
    values = rng.normal(size=(600, 8))
    values[:, :2] += kinds * [4.0, 6.0]
    values[settings == 1] += 3.0 * rng.normal(size=8)
    points = replace(
        two_labels(0, n=600)[0], values=values / 3.0, settings=settings, is_free=np.ones(8, bool)
    )
    assert rivals(points, align(points, 4)) == doubtful


def label_without_an_outcome(seed, n_samples, noise):
    """Return points of two nodes, of which the second label has one outcome of the first alone."""
    rng = np.random.default_rng(seed)
    settings = rng.integers(2, size=n_samples)
    kinds = rng.integers(2, size=(n_samples, 2))
    kinds[settings == 1, 0] = 0
    values = noise(rng, 2 * kinds[:, 0] + kinds[:, 1]) + np.pad(
        kinds * [5.0, 6.0], ((0, 0), (0, 3))
    )
    values[settings == 1] += 2.0 * rng.normal(size=5)
    return replace(
        two_labels(0, n=4)[0],
        values=values / 3.0,
        settings=settings,
        weights=np.ones(n_samples),
        is_free=np.ones(5, bool),
    )


def lognormal(rng, cells):
    """Return noise whose clusters are no Gaussians, but copies of each other."""
    return 1.4 * (np.exp(0.6 * rng.normal(size=(len(cells), 5))) - 1.0)


def turned(rng, cells):
    """Return noise of another covariance in each cell."""
    turns = np.eye(5) + 0.5 * rng.normal(size=(4, 5, 5))
    return np.einsum("nij,nj->ni", turns[cells], rng.normal(size=(len(cells), 5)))


@pytest.mark.parametrize(
    ("noise", "doubtful"),
    [
        (lognormal, [1]),  # free covariances say 169 nats
        pytest.param(turned, [], marks=pytest.mark.slow),
    ],
)
def test_doubts_do_not_go_by_more_samples_but_by_shapes(noise, doubtful):
    """Copies stay copies, however many there are; clusters of unlike shape are none."""
    points = label_without_an_outcome(12, 1500, noise)
    assert rivals(points, align(points, 4)) == doubtful


def test_components_that_are_alike_have_one_covariance():
    points, _ = two_labels(3)
    begun = replace(start(points, np.zeros((2, 2)), 3, seed=0), is_alike=True)
    alike = begun.iterated(points, 5)
    np.testing.assert_allclose(alike.covariances[1:], alike.covariances[:-1])
