"""Gaps between cells: what is apart has one, what was cut has none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import norm, poisson
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from some_slow import some_slow

from skcausalpima._base.grid import NodeGrid
from skcausalpima._clustering.gaps import (
    _Curve,
    _Densities,
    _discriminant,
    _middle_and_ends,
    _Neighbourhood,
    find_gaps,
)
from skcausalpima._clustering.margins import FALSE_ALARMS, HALF_AS_DENSE, NO_GAP

ONE_NODE = np.array([[0], [1], [2]])


def expected_ratio(distance):
    """Density in the middle third over that around a mean, of two normal cells."""
    third = distance / 3

    def share(middle):
        ends = np.array([middle - third / 2, middle + third / 2])
        return np.diff(norm.cdf(ends))[0] + np.diff(norm.cdf(ends - distance))[0]

    return share(distance / 2) / share(0.0)


def normal_pair(distance, n_samples=4000, n_features=5):
    """Draw two normal clusters."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_samples) % 2
    points = rng.normal(size=(n_samples, n_features))
    points[:, 0] += distance * labels
    return points, labels


@pytest.mark.parametrize("distance", some_slow([4.0, 3.5, 5.0], [5.0]))
def test_the_ratio_is_that_of_normal_cells(distance):
    points, labels = normal_pair(distance, 3000)
    found = find_gaps(points, labels, ONE_NODE)
    # the half of each cell that faces the other is denser in between: the larger one counts
    assert found.nodes[0] >= expected_ratio(distance) - 0.04
    assert found.nodes[0] < 0.7
    assert len(found.pairs) == 0


def test_cells_of_unlike_sizes_are_apart_all_the_same():
    points, labels = normal_pair(5.0, 2000)
    kept = (labels == 0) | (np.arange(2000) < 60)
    found = find_gaps(points[kept], labels[kept], ONE_NODE)
    assert found.nodes[0] < 0.4
    assert len(found.pairs) == 0


@pytest.mark.parametrize("law", ["normal", "uniform", "line"])
def test_what_was_cut_has_no_gap(law):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(600, 4)) if law != "uniform" else rng.uniform(size=(600, 4))
    if law == "line":
        points[:, 0] += 20 * rng.uniform(size=600)
    labels = np.searchsorted(np.quantile(points[:, 0], [1 / 3, 2 / 3]), points[:, 0])
    found = find_gaps(points, labels, ONE_NODE)
    assert found.nodes[0] > 0.8
    assert found.pairs.tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize("radius", [5.0, 20.0])
@pytest.mark.parametrize("n_pieces", [3, 4])
def test_a_ring_bends_but_has_no_gap(radius, n_pieces):
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, size=900)
    points = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(900)]) * radius
    points += rng.normal(size=points.shape)
    labels = (angle * n_pieces / (2 * np.pi)).astype(int)
    found = find_gaps(points, labels, np.arange(n_pieces)[:, None])
    assert found.nodes[0] > 0.8
    assert found.cut[0]


def test_rings_in_three_pieces_are_told_whatever_their_axes():
    """Along straight lines about half of these had a gap between their pieces."""
    n_told = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        angle = rng.uniform(0, 2 * np.pi, size=480)
        points = np.column_stack([np.cos(angle), np.sin(angle)]) @ rng.normal(size=(2, 4))
        points += 0.1 * rng.normal(size=points.shape)
        n_told += find_gaps(points, (angle * 3 / (2 * np.pi)).astype(int), ONE_NODE).cut[0]
    assert n_told >= 7


def test_chance_does_not_bend_what_is_straight():
    """In 30 dimensions 40 points lie around curves of any kind."""
    longer = []
    for seed in range(20):
        points = np.random.default_rng(seed).normal(size=(40, 30))
        points[:, 0] *= 5
        curve = _Curve(points, np.eye(30)[0])
        speed = np.diff(curve.ways) / np.diff(curve.grid)
        longer.append(speed[0] / speed[25] + speed[-1] / speed[25])
    assert_allclose(np.mean(longer) / 2, 1.0, atol=0.1)


def test_the_node_without_steps_is_told_from_the_other():
    rng = np.random.default_rng(3)
    position, kind = rng.uniform(size=800), rng.integers(2, size=800)
    points = rng.normal(size=(800, 6))
    points[:, 0] += 15 * position
    points[:, 1] += 6 * kind
    labels = 2 * kind + (position > 0.5)
    found = find_gaps(points, labels, NodeGrid((2, 2)).outcomes())
    assert found.nodes[0] < 0.3
    assert found.nodes[1] > 0.8
    assert found.pairs.tolist() == [[0, 1], [2, 3]]


def test_only_the_pair_that_was_cut_is_named():
    rng = np.random.default_rng(4)
    centres = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])
    kind = np.arange(900) % 3
    points = centres[kind] + rng.normal(size=(900, 2))
    labels = np.where((kind == 2) & (points[:, 0] > 0), 3, kind)
    found = find_gaps(points, labels, np.arange(4)[:, None])
    assert found.pairs.tolist() == [[2, 3]]


def test_too_few_samples_say_nothing():
    points, labels = normal_pair(0.0, 40)
    labels[:] = 0
    labels[:3] = 1
    found = find_gaps(points, labels, ONE_NODE)
    assert np.isnan(found.nodes[0])
    assert_array_equal(found.pairs, np.empty((0, 2), int))


def test_equal_points_are_no_error():
    points = np.repeat([[0.0, 1.0], [4.0, 4.0]], 20, axis=0)
    found = find_gaps(points, np.arange(40) // 20, ONE_NODE)
    assert found.nodes[0] < 0.5
    same = find_gaps(np.ones((40, 2)), np.arange(40) // 20, ONE_NODE)  # no error
    assert len(same.pairs) == 0


@pytest.mark.slow
def test_many_cells_of_few_samples_are_no_alarm():
    rng = np.random.default_rng(6)
    grid = NodeGrid((3, 3, 3, 3)).outcomes()
    labels = np.arange(12 * len(grid)) % len(grid)
    effects = 5 / np.sqrt(2) * np.linalg.qr(rng.normal(size=(16, 16)))[0]
    points = rng.normal(size=(len(labels), 16))
    points += sum(effects[3 * node + grid[labels, node]] for node in range(4))
    found = find_gaps(points, labels, grid)
    assert not found.cut.any()
    assert len(found.pairs) == 0


# Parts -----------------------------------------------------------------------------------------


def test_densities_are_shares_of_thirds_of_which_the_lesser_end_counts():
    """By hand; and of normal cells those that their distribution function has."""
    first, second = np.array([-0.1, 0.1, 0.2, 0.35]), np.array([0.45, 0.9, 1.0, 1.1])
    assert _middle_and_ends([first, second]) == ((1 + 1) / 8, min(2, 3) / 8)
    places = norm.ppf((np.arange(20_000) + 0.5) / 20_000) / 4.0
    middle, ends = _middle_and_ends([places, 1.0 + places])
    assert_allclose(middle / ends, expected_ratio(4.0), atol=0.01)


def test_there_is_no_gap_where_the_middle_is_dense_and_not_by_chance():
    """Poisson: the more pairs are asked, the less by chance. Nothing is known of nothing."""
    middle = np.array([0.0, 2, 10, 30, 100, 100, 100])
    ends = np.array([0.0, 2, 10, 30, 100, 400, 100 / NO_GAP - 2])
    found = _Densities(middle, ends)
    assert_array_equal(np.isnan(found.ratio), middle + ends == 0)
    assert_allclose(found.ratio[1:], (middle + 0.5)[1:] / (ends + 0.5)[1:])
    for n_tests in (0, 1, 20, 10_000):
        limit = FALSE_ALARMS / max(n_tests, 1)
        for k, is_none in enumerate(found.no_gap(n_tests)):
            counts = np.arange(middle[k])  # fewer than there are
            at_least = 1.0 - poisson.pmf(counts, HALF_AS_DENSE * max(ends[k], 0.5)).sum()
            assert is_none == (k not in (0, 5) and at_least < limit)
    total = found.sum()
    assert (total.middle, total.ends) == (middle.sum(), ends.sum())


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_discriminants_of_many_samples_are_those_of_scikit_learn(scale):
    """Of few they lean to the difference of the means."""
    rng = np.random.default_rng(0)
    mixing, labels = rng.normal(size=(3, 3)), np.arange(6000) % 2
    x = scale * (rng.normal(size=(6000, 3)) @ mixing + labels[:, None])
    sides = [x[labels == k] for k in (0, 1)]
    means = [side.mean(axis=0) for side in sides]
    found = _discriminant(sides, means)
    expected = LinearDiscriminantAnalysis().fit(x, labels).coef_[0]
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.999
    few = [side[:3] for side in sides]
    difference = np.subtract(*[side.mean(axis=0) for side in few[::-1]])
    found = _discriminant(few, [side.mean(axis=0) for side in few])
    assert_allclose(found / np.linalg.norm(found), difference / np.linalg.norm(difference))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_cells_are_near_in_units_of_their_scatter(scale):
    """Five nearest samples say how far a cell is; the nearer half of one, how near it is."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    points = (rng.normal(size=(200, 4)) + 3.0 * np.eye(4)[labels]) @ rng.normal(size=(4, 4))
    found = _Neighbourhood(scale * points + 1.0, labels)
    means = np.array([found.points[labels == cell].mean(axis=0) for cell in range(3)])
    within = found.points - means[labels]
    assert_allclose(within.T @ within / 197, np.eye(4), atol=1e-4)
    distances = np.sort(cdist(found.points, found.points[labels == 1]), axis=1)
    assert_allclose(found.far[labels != 1, 1], distances[labels != 1, :5].mean(axis=1))
    assert (found.far[labels == 1, 1] == np.inf).all()
    halves = [np.sort(found.far[labels == cell], axis=0) for cell in range(3)]
    near = [half[: (len(half) + 1) // 2].mean(axis=0) for half in halves]
    assert_allclose(found.closeness, np.minimum(near, np.transpose(near)))
    pairs = found.nearest(found.closeness)
    assert {tuple(sorted((k, row.argmin()))) for k, row in enumerate(found.closeness)} == {
        *map(tuple, pairs.tolist())
    }
