"""Whether chance explains that cells lie at sums of effects."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import betaln

from skcausalpima._clustering import factors_or_kinds as _factors_or_kinds
from skcausalpima._clustering.arrangement import arrange
from skcausalpima._clustering.factors_or_kinds import Additivity, additivity, log_chance
from skcausalpima._clustering.margins import MODEST_P, SMALL_P
from skcausalpima._clustering.random_means import lay, random_means


def cells_of(sizes, n_samples=300, seed=0):
    """Draw cells, each of which occurs."""
    n_cells = math.prod(sizes)
    drawn = np.random.RandomState(seed).randint(n_cells, size=n_samples)
    return np.concatenate([np.arange(n_cells), drawn])


def at_sums(sizes, labels, width=8, seed=0, distance=6.0):
    """Draw samples whose means are sums of effects."""
    rng = np.random.RandomState(seed)
    means = np.zeros((math.prod(sizes), width))
    for size, outcomes in zip(sizes, np.unravel_index(np.arange(len(means)), sizes), strict=True):
        means += distance * rng.normal(size=(size, width))[outcomes]
    return means[labels] + rng.normal(size=(len(labels), width))


def laid(means, sizes, labels):
    """Return the cells of samples of kinds that are laid on a grid as well as they go."""
    return arrange(means, np.bincount(labels), sizes, random_state=0).cells[labels]


def kinds(seed, n_kinds, width=8, shape="normal"):
    rng = np.random.RandomState(seed)
    means = rng.normal(size=(n_kinds, width))
    if shape == "tree":
        means += 10 * np.repeat(rng.normal(size=(n_kinds // 2, width)), 2, axis=0)
    labels = np.concatenate([np.arange(n_kinds), rng.randint(n_kinds, size=300)])
    return 6 * means, labels, 6 * means[labels] + rng.normal(size=(len(labels), width))


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (2, 2, 2), (3, 3), (2, 2, 3)])
def test_sums_are_told(sizes):
    labels = cells_of(sizes)
    found = additivity(at_sums(sizes, labels), labels, sizes)
    assert found.told.all()
    assert found.p_value <= 0.02
    assert found.n_directions >= len(sizes)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (2, 2, 2)])
def test_kinds_are_told_as_seldom_as_chance_has_it(sizes):
    """Of 40 sets more than six are told by chance in less than one of 200 times, at most.

    That is so if one of twenty is: both tests are made for that, and a grid asks for all nodes.
    """
    told = []
    for seed in range(40):
        means, labels, points = kinds(seed, math.prod(sizes))
        told.append(additivity(points, laid(means, sizes, labels), sizes).told.all())
    assert sum(told) <= 6


def test_nodes_are_told_by_their_p_value_which_may_be_modest_where_that_of_the_whole_is_small():
    """At most the limits; of means in fewer directions than there are nodes none is."""
    assert SMALL_P < MODEST_P
    nodes = np.array([np.nan, SMALL_P, MODEST_P, 1.001 * MODEST_P])
    for p_value, n_directions, told in (
        (SMALL_P, 4, [False, True, True, False]),
        (SMALL_P, 3, [False] * 4),
        (1.001 * SMALL_P, 5, [False, True, False, False]),
    ):
        found = Additivity(p_value=p_value, node_p_values=nodes, n_directions=n_directions)
        assert_array_equal(found.told, told)


def test_columns_that_do_not_vary_have_no_say_and_cells_in_wrong_places_are_no_sums():
    sizes, labels = (2, 2, 2), cells_of((2, 2, 2))
    points = at_sums(sizes, labels)
    found = additivity(points, labels, sizes)
    other = additivity(np.column_stack([points, np.full(len(points), 3.0)]), labels, sizes)
    assert_allclose(other.node_p_values, found.node_p_values)
    assert_allclose(other.p_value, found.p_value)
    misplaced = additivity(points, np.array([0, 3, 6, 5, 7, 1, 2, 4])[labels], sizes)
    assert misplaced.p_value > 0.5
    assert not misplaced.told.any()


def test_p_values_of_the_whole_are_those_of_chance():
    """Of Gaussian kinds a tenth is below .1: the share of 150 is within four standard errors."""
    p_values = []
    for seed in range(150):
        means, labels, _ = kinds(seed, 4)
        cells = laid(means, (2, 2), labels)
        p_values.append(additivity(means[labels], cells, (2, 2)).p_value)
    error = np.sqrt(0.1 * 0.9 / 150)
    assert abs(np.mean(np.array(p_values) <= 0.1) - 0.1) < 4 * error


def test_kinds_in_few_of_many_columns_are_no_factors():
    """In noise of 20 columns differences of any kinds would seem parallel."""
    told = []
    for seed in range(30):
        means, labels, points = kinds(seed, 6, width=2)
        noise = np.random.RandomState(seed).normal(size=(len(points), 20))
        cells = laid(np.pad(means, ((0, 0), (0, 20))), (2, 3), labels)
        told.append(additivity(np.hstack([points, noise]), cells, (2, 3)).told.all())
    assert np.mean(told) <= 0.2  # of 30, at a rate of .05: above in one of 700 times


def test_trees_pass_the_test_of_the_whole_and_not_those_of_the_nodes():
    whole, told = [], []
    for seed in range(20):
        means, labels, points = kinds(seed, 4, shape="tree")
        found = additivity(points, laid(means, (2, 2), labels), (2, 2))
        whole.append(found.p_value <= 0.05)
        told.append(found.told.all())
    assert np.mean(whole) > 0.3
    assert np.mean(told) < 0.15


def test_equal_steps_in_a_row_have_one_direction():
    labels, direction = cells_of((2, 2), 400), np.random.RandomState(0).normal(size=6)
    points = 5 * np.outer(labels, direction) + np.random.RandomState(1).normal(size=(404, 6))
    found = additivity(points, labels, (2, 2))
    assert found.p_value <= 0.05
    assert found.n_directions == 1
    assert not found.told.any()


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (2, 2, 2)])
def test_doses_that_differ_a_little_otherwise_are_kinds(sizes):
    """Without a limit a third of them and more would be told; here one of 15 sets may be."""
    told, n_cells = [], math.prod(sizes)
    for seed in range(15):
        rng, labels = np.random.RandomState(seed), cells_of(sizes, 400, seed)
        means = 5 * (np.arange(n_cells)[:, None] * np.eye(8)[0] + rng.normal(0, 0.1, (n_cells, 8)))
        points = means[labels] + rng.normal(size=(len(labels), 8))
        told.append(additivity(points, laid(means, sizes, labels), sizes).told.all())
    assert sum(told) <= 1


def test_rounding_is_no_difference():
    found = additivity(np.full((160, 8), 0.1), np.arange(160) % 8, (2, 2, 2))
    assert found.p_value == 1
    row = np.outer(np.arange(80) % 4, np.random.RandomState(0).normal(size=5))  # without noise
    assert not additivity(row, np.arange(80) % 4, (2, 2)).told.any()


@pytest.mark.parametrize(("n_away", "n_directions"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_directions_are_those_above_the_errors_of_means(n_away, n_directions):
    """All of 20 sets but for one or two, as the limit is that of one in twenty."""
    counts = []
    for seed in range(20):
        rng, labels = np.random.RandomState(seed), cells_of((2, 2), 200, seed)
        means = np.zeros((4, 10))
        means[1 : n_away + 1] = 9 * np.eye(10)[:n_away]
        points = means[labels] + rng.normal(size=(len(labels), 10))
        counts.append(additivity(points * 3.0, labels, (2, 2)).n_directions)
    assert np.mean(np.array(counts) == n_directions) >= 0.8


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_noise_along_one_axis_hides_no_direction_along_another(scale):
    """Units are those of the scatter within cells, however it is turned."""
    rng, labels = np.random.RandomState(0), cells_of((2, 2), 2000)
    points = rng.normal(size=(len(labels), 5)) * [30.0, 1.0, 1.0, 1.0, 1.0]
    points[:, 1] += 3.0 * (labels > 1)
    points[:, 2] += 3.0 * (labels % 2)
    turned = scale * points @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert additivity(turned, labels, (2, 2)).n_directions == 2


def test_nodes_of_one_size_keep_their_p_values_whichever_is_named_first():
    labels = cells_of((2, 2))
    points = at_sums((2, 2), labels, seed=1) + 9 * (labels == 3)[:, None] * np.eye(8)[0]
    found = additivity(points, labels, (2, 2))
    other = additivity(points, np.array([0, 2, 1, 3])[labels], (2, 2))
    assert_array_equal(other.node_p_values, found.node_p_values[::-1])


def by_regression(means, outcomes, node):
    """Return the part of differences within combinations that the main effect explains."""
    others = np.delete(outcomes, node, axis=1)
    blocks = (others[:, None] == np.unique(others, axis=0)).all(axis=2).astype(float)
    marks = np.eye(outcomes[:, node].max() + 1)[outcomes[:, node]]

    def left(design):
        fit = np.linalg.lstsq(design, means, rcond=None)[0]
        return np.square(means - design @ fit).sum()

    return 1 - left(np.hstack([blocks, marks])) / left(blocks)


@pytest.mark.parametrize("empty", [[], [3], [1, 6]])
def test_parts_are_those_of_two_regressions(empty):
    sizes, rng = (2, 2, 2), np.random.RandomState(0)
    cells = np.setdiff1d(np.arange(8), empty)
    means = rng.normal(size=(len(cells), 5))
    means -= means.mean(axis=0)
    parts, order = _factors_or_kinds._sorted_parts(means[None], cells[None], sizes)
    outcomes = np.stack(np.unravel_index(cells, sizes), axis=1)
    expected = [by_regression(means, outcomes, node) for node in order[0]]
    assert_allclose(parts[0], expected)
    assert sorted(order[0]) == [0, 1, 2]
    apart = np.array([1.0, 9.0, 3.0]) * outcomes  # the largest effect comes first
    assert_array_equal(
        _factors_or_kinds._sorted_parts(apart[None], cells[None], sizes)[1][0], [1, 2, 0]
    )


@pytest.mark.parametrize(
    ("sizes", "occupied"),
    [((4,), range(4)), ((2, 2), range(2)), ((2, 2, 3), range(11)), ((3, 3, 3, 3), range(80))],
)
def test_what_cannot_be_asked_is_not(sizes, occupied):
    labels = np.tile(list(occupied), 3)
    points = np.random.RandomState(0).normal(size=(len(labels), 4))
    assert additivity(points, labels, sizes) is None


def test_many_cells_are_told_by_a_bound():
    sizes, labels = (3, 3, 3, 3), cells_of((3, 3, 3, 3), 800)
    found = additivity(at_sums(sizes, labels, width=12, distance=9.0), labels, sizes)
    assert found.told.all()
    rng = np.random.RandomState(0)
    others = {
        "in 3 directions": 9 * rng.normal(size=(81, 3)),
        "in 12 directions": 9 * rng.normal(size=(81, 12)),
        "tree": 9 * rng.normal(size=(3, 12)).repeat(27, axis=0) + 2 * rng.normal(size=(81, 12)),
        "row": 5 * np.outer(np.arange(81), rng.normal(size=8)),
    }
    for name, means in others.items():
        cells = lay((means - means.mean(axis=0))[None], sizes, rng)[0][0]
        points = means[labels] + rng.normal(size=(len(labels), means.shape[1]))
        assert not additivity(points, cells[labels], sizes).told.all(), name


@pytest.mark.parametrize(
    ("n", "n_projected", "r"), [(10, 8, 2), (12, 10, 3), (20, 17, 2), (7, 5, 1)]
)
def test_the_bound_holds(n, n_projected, r):
    """For one arrangement, of 20 000 draws."""
    rng = np.random.default_rng(0)
    shares = np.sort(rng.dirichlet(np.ones(r)))[::-1]
    directions = np.linalg.qr(rng.normal(size=(20_000, n, r)))[0]
    left = np.einsum(
        "i,nji,nji->n", shares, directions[:, :n_projected], directions[:, :n_projected]
    )
    for chance in (0.001, 0.01, 0.1):
        assert math.exp(log_chance(np.quantile(left, chance), shares, n_projected, n)) >= chance


def best_power(left, shares, rank, n, r):
    """Return the least bound of the first r directions, by SciPy: moments of Beta variables."""
    first, other = (rank - np.arange(r)) / 2, (n - rank) / 2

    def bound(power):
        log_moments = (betaln(first - power, other) - betaln(first, other)).sum()
        return power * (r * np.log(left / r) - np.log(shares[:r]).sum()) + log_moments

    return minimize_scalar(bound, bounds=(0.0, first[-1] - 1e-9), method="bounded").fun


@pytest.mark.parametrize(("n", "rank"), [(10, 8), (40, 33), (12, 2), (9, 1)])
def test_the_bound_is_that_of_the_best_directions_and_the_best_power(n, rank):
    """Some powers in a row are tried, which are hardly worse."""
    rng = np.random.default_rng(1)
    for left in (0.0, 1e-6, 0.01, 0.2, 1.0):
        shares = np.sort(rng.dirichlet(np.ones(4)))[::-1]
        bounds = [
            best_power(max(left, np.finfo(float).tiny), shares, rank, n, r)
            for r in range(1, min(5, rank))
            if r * np.log(max(left, 1e-300) / r) < np.log(shares[:r]).sum()
        ]
        expected = min([0.0, *bounds])
        found = log_chance(left, shares, rank, n)
        assert expected - 1e-4 <= found <= 0.9 * expected + 1e-9


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 3)])
def test_bounds_are_above_what_draws_say_and_know_no_units(sizes):
    """Of means of unlike lengths, however many columns they have; of equal ones it is one."""
    bound, rng = _factors_or_kinds._bound, np.random.RandomState(0)
    n_cells = math.prod(sizes)
    for width in (2, n_cells, 3 * n_cells):
        means = rng.normal(size=(n_cells, width)) * np.exp(rng.normal(size=width))
        means -= means.mean(axis=0)
        drawn = random_means(means, 400, rng)
        left = 1.0 - lay(drawn, sizes, rng)[1] / np.square(means).sum()
        for chance in (0.0, 0.02, 0.2):
            misfit = np.quantile(left, chance)
            assert bound(means, misfit, sizes) >= chance
            assert_allclose(bound(1e4 * means, misfit, sizes), bound(means, misfit, sizes))
        assert bound(means, 1e-12, sizes) < 1e-3
        wider = np.hstack([means, np.zeros((n_cells, 20))])
        assert_allclose(bound(wider, 1e-6, sizes), bound(means, 1e-6, sizes))
    assert bound(0.0 * means, 0.0, sizes) == 1.0


def test_less_is_less_probable_and_of_directions_alone_more_than_of_all():
    shares = np.array([0.5, 0.3, 0.2])
    bounds = [log_chance(left, shares, 20, 24) for left in (1e-6, 1e-3, 0.1, 0.3, 1.0)]
    assert (np.diff(bounds) >= 0).all()
    assert bounds[-1] == 0.0
    assert log_chance(0.01, shares[:1], 20, 24) >= log_chance(0.01, shares, 20, 24)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (2, 2, 2)])
def test_grids_with_an_empty_cell_are_asked(sizes):
    labels = cells_of(sizes)
    labels = labels[labels != 1]
    found = additivity(at_sums(sizes, labels), labels, sizes)
    assert 0 < found.p_value <= 1
    if sizes == (2, 2):  # three cells lie at sums, whatever they are
        assert found.p_value == 1
        assert not found.told.any()


def test_few_samples_equal_ones_and_combinations_that_lack():
    rng = np.random.RandomState(0)
    two = additivity(rng.normal(size=(8, 3)), np.repeat(range(4), 2), (2, 2))
    assert 0 < two.p_value <= 1
    same = additivity(np.ones((40, 3)), np.arange(40) % 4, (2, 2))
    assert same.p_value == 1
    assert not same.told.any()
    # no two cells differ in the second node alone
    diagonal = additivity(rng.normal(size=(60, 3)), np.array([0, 4, 8])[np.arange(60) % 3], (3, 3))
    assert np.isnan(diagonal.node_p_values).all()
    assert not diagonal.told.any()
