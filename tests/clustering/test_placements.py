"""Where clusters are placed on grids: misfits, bonuses and each step of the search."""

import itertools
import math

import numpy as np
import pytest
from nodes_by_hand import outcomes_of, regression_misfit
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression

from skcausalpima._clustering.placements import (
    _objectives,
    _swap_descent,
    least_rise,
    lie_where_effects_put_them,
    make_problem,
    misfits_of,
    search,
)

GRIDS = [((2, 2), 4), ((2, 2), 3), ((2, 3), 6), ((3, 2), 5), ((2, 2, 2), 6), ((4,), 3)]
LARGE = [((2, 2, 3), 12), ((2, 2, 2, 2), 16), ((3, 4), 10), ((2, 2, 2, 2), 11)]


def make(seed, sizes, n_clusters, known=False, noise=0.5):
    """A problem with additive means plus noise, and with few known outcomes if asked."""
    rng = np.random.default_rng(seed)
    outcomes = outcomes_of(sizes)[rng.permutation(math.prod(sizes))[:n_clusters]]
    effects = [rng.normal(size=(size, 5)) for size in sizes]
    means = sum(effect[outcomes[:, node]] for node, effect in enumerate(effects))
    means = means + noise * rng.normal(size=means.shape) + 3.0
    counts = [rng.poisson(0.3, size=(n_clusters, size)) for size in sizes] if known else None
    return make_problem(means, sizes, counts), means, counts


def agreement_of(counts, cells, sizes):
    """The number of known outcomes that agree with a placing."""
    if counts is None:
        return 0
    labels = outcomes_of(sizes)[cells]
    return sum(
        counts[node][cluster, label]
        for cluster, row in enumerate(labels)
        for node, label in enumerate(row)
    )


def some_placings(seed, sizes, n_clusters, number):
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(math.prod(sizes))[:n_clusters] for _ in range(number)])


def neighbours_of(cells, n_cells):
    """All placings in which two clusters are swapped or one takes a free cell."""
    found = []
    for one, other in itertools.combinations(range(len(cells)), 2):
        found.append(cells.copy())
        found[-1][[one, other]] = cells[[other, one]]
    for one, cell in itertools.product(range(len(cells)), set(range(n_cells)) - set(cells)):
        found.append(cells.copy())
        found[-1][one] = cell
    return np.array(found)


def objective(cells, problem, means, counts):
    """The misfit less ten for every known outcome that agrees, up to a constant."""
    misfit = regression_misfit(means, cells, problem.sizes)
    return misfit - 10.0 * agreement_of(counts, cells, problem.sizes)


# The problem -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("spread", [0.0, 1e-15, 1e-8])
def test_identical_means_are_told_from_close_ones_in_any_unit(scale, spread):
    """Differences of rounding size are none, those of a hundred millionth are."""
    means = scale * (1.0 + spread * np.random.default_rng(0).normal(size=(4, 3)))
    variation = np.square(make_problem(means, (2, 2)).means).sum()
    assert variation == pytest.approx(float(spread > 1e-12))


def test_largest_entry_decides_what_is_rounding():
    """One column near zero does not make the rounding of the others a difference."""
    means = np.full((4, 2), [1e8 / 3, 0.0])
    means[0, 0] = np.nextafter(means[0, 0], np.inf)
    assert not make_problem(means, (2, 2)).means.any()


@pytest.mark.parametrize(("sizes", "n_clusters"), [*GRIDS, *LARGE])
def test_misfits_are_those_of_a_regression(sizes, n_clusters):
    problem, means, _ = make(1, sizes, n_clusters)
    states = some_placings(1, sizes, n_clusters, 10)
    expected = [regression_misfit(means, cells, sizes) for cells in states]
    assert_allclose(misfits_of(states, problem), expected, atol=1e-12)
    assert (misfits_of(states, problem) >= 0).all()


# Known outcomes --------------------------------------------------------------------------------


def test_bonuses_count_known_outcomes_from_the_best_cell():
    """By hand: each cluster's best cell has bonus 0, and every outcome less costs the same."""
    counts = [np.array([[3, 0], [0, 0], [1, 2]]), np.array([[0, 1], [0, 0], [5, 0]])]
    problem = make_problem(np.eye(3), (2, 2), counts)
    lacking = np.array([[1, 0, 4, 3], [0, 0, 0, 0], [1, 6, 0, 5]])
    unit = problem.bonus[0, 0]
    assert unit < -1  # a misfit is at most 1
    assert_allclose(problem.bonus, unit * lacking)


@pytest.mark.parametrize(("sizes", "n_clusters"), LARGE)
def test_a_known_outcome_counts_the_same_however_many_clusters_there_are(sizes, n_clusters):
    """By hand: every outcome that agrees lowers the objective by more than any misfit."""
    problem, _, counts = make(9, sizes, n_clusters, known=True)
    states = some_placings(9, sizes, n_clusters, 20)
    agreement = np.array([agreement_of(counts, cells, sizes) for cells in states])
    least_bonus = _objectives(states, problem) - misfits_of(states, problem)
    slope, _ = np.polyfit(agreement, least_bonus, 1)
    assert slope < -1.5
    assert_allclose(least_bonus - least_bonus[0], slope * (agreement - agreement[0]), atol=1e-9)


def test_tolerance_follows_the_size_of_the_bonuses():
    """It covers rounding of the objective, and nothing that a misfit could mean."""
    problem, means, counts = make(4, (2, 3), 6, known=True)
    free = make_problem(means, (2, 3)).tolerance
    assert np.finfo(float).eps < free < 1e-9
    assert free < problem.tolerance < 1e-9
    many = make_problem(means, (2, 3), [100_000 * table for table in counts])
    assert many.tolerance == pytest.approx(1e5 * problem.tolerance, rel=0.1)


# Steps of the search ---------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("sizes", [(2, 3), (2, 2, 2), (2, 5)])
def test_swaps_go_on_until_none_helps(sizes, known):
    """Against the misfits of all swaps, each from its own regression."""
    n_cells = math.prod(sizes)
    problem, means, counts = make(5, sizes, n_cells, known)
    for start in some_placings(5, sizes, n_cells, 20):
        found = _swap_descent(start, problem)
        value = objective(found, problem, means, counts)
        assert value <= objective(start, problem, means, counts)
        around = neighbours_of(found, n_cells)
        assert min(objective(c, problem, means, counts) for c in around) >= value - 1e-9


@pytest.mark.parametrize(
    ("sizes", "n_clusters", "known"),
    [
        pytest.param(*grid, known, marks=[] if known == (k % 2 > 0) else pytest.mark.slow)
        for k, grid in enumerate(LARGE)
        for known in (False, True)
    ],
)
def test_search_ends_where_no_swap_or_move_helps(monkeypatch, sizes, n_clusters, known):
    """From a single start, so that luck does not stand in for any step."""
    monkeypatch.setattr("skcausalpima._clustering.placements._N_RESTARTS", 1)
    for seed in range(5):
        problem, means, counts = make(seed, sizes, n_clusters, known)
        states, misfits = search(problem, np.random.RandomState(seed))
        assert_allclose(misfits, misfits_of(states, problem))
        values = np.array([objective(cells, problem, means, counts) for cells in states])
        best = states[values.argmin()]
        around = neighbours_of(best, len(problem.design))
        assert min(objective(c, problem, means, counts) for c in around) >= values.min() - 1e-9
        assert {tuple(cells) for cells in around} <= {tuple(cells) for cells in states}


@pytest.mark.parametrize(("sizes", "n_clusters"), [*GRIDS, *LARGE[:2]])
def test_the_least_rise_is_that_of_the_best_swap_while_effects_stay(sizes, n_clusters):
    """Squared distances to where a regression puts the clusters, of every pair that is swapped.

    Where a swap would lower them there is no rise.
    """
    for noise in (0.1, 3.0):
        problem, _, _ = make(6, sizes, n_clusters, noise=noise)
        (cells,) = some_placings(6, sizes, n_clusters, 1)
        design = problem.design[cells]
        places = design @ np.linalg.lstsq(design, problem.means, rcond=None)[0]
        distances = np.square(problem.means[:, None] - places).sum(axis=2)
        rises = [
            distances[i, j] + distances[j, i] - distances[i, i] - distances[j, j]
            for i, j in itertools.combinations(range(n_clusters), 2)
        ]
        assert_allclose(least_rise(cells, problem), max(min(rises), 0.0), atol=1e-12)


def test_right_places_rise_by_the_shortest_way_between_two():
    """By hand: clusters at the corners of a rectangle, each side of which is a swap."""
    problem = make_problem(np.array([[0.0, 0.0], [0.0, 1.0], [3.0, 0.0], [3.0, 1.0]]), (2, 2))
    assert least_rise(np.arange(4), problem) == pytest.approx(2.0 / 10.0)  # of squares 9 + 1
    assert least_rise(np.arange(1), problem) == np.inf


def places_by_regression(means, outcomes, is_known):
    """Return where scikit-learn's regression on indicators of outcomes puts clusters."""
    indicators = np.hstack([outcomes == level for level in range(outcomes.max() + 1)]).astype(float)
    model = LinearRegression().fit(indicators[is_known], means[is_known])
    return model.predict(indicators)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_lie_where_a_regression_on_other_cells_puts_them(seed):
    rng = np.random.RandomState(seed)
    outcomes = rng.permutation(outcomes_of((2, 3)))
    effects = [rng.normal(size=(2, 4)), rng.normal(size=(3, 4))]
    means = effects[0][outcomes[:, 0]] + effects[1][outcomes[:, 1]] + 0.3 * rng.normal(size=(6, 4))
    is_known, is_seen = np.arange(6) > 0, np.arange(6) != 5
    places = places_by_regression(means, outcomes, is_known)
    for k, found in enumerate(lie_where_effects_put_them(means, outcomes, is_known, is_seen)):
        own = np.linalg.norm(places[k] - means[k])
        others = [np.linalg.norm(places[k] - means[j]) for j in range(5) if j != k]
        assert found == (k != 5 and own < min(others) / 2)


def test_clusters_whose_outcomes_no_known_cell_has_are_not_where_effects_put_them():
    means, outcomes = np.arange(3.0)[:, None], np.array([[0, 0], [0, 1], [1, 0]])
    found = lie_where_effects_put_them(
        means, outcomes, np.array([True, True, False]), np.ones(3, bool)
    )
    assert_array_equal(found, [True, True, False])
    alone = lie_where_effects_put_them(means, outcomes, np.zeros(3, bool), np.ones(3, bool))
    assert not alone.any()
