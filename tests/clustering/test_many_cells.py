"""Nodes of grids of many cells: what is found, what is not, and what says so."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from some_slow import some_slow

from skcausalpima._clustering.candidates import choose_candidate, propose_candidates
from skcausalpima._clustering.factorial import FactorialMixture, exchanged
from skcausalpima._clustering.many_cells import (
    _dependence,
    _groups_for,
    has_many_cells,
    is_beyond_search,
    search_grid,
)
from skcausalpima._clustering.placements import least_rise, make_problem, misfits_of
from skcausalpima.metrics import node_recovery


def dependent(sizes, n_samples, rng, follows=0.3, shares=None):
    """Outcomes of nodes, of which each follows the one before it in some of the samples."""
    nodes = np.stack([rng.choice(size, n_samples, p=shares) for size in sizes], axis=1)
    for node in range(1, len(sizes)):
        rows = rng.random(n_samples) < follows
        nodes[rows, node] = nodes[rows, node - 1] % sizes[node]
    return nodes


def scores_of(nodes, sizes, rng, distance=6.0, in_a_row=False):
    """Principal scores of a table of 36 columns on which effects of the nodes add up."""
    columns = rng.normal(size=(len(nodes), 36))
    for node, size in enumerate(sizes):
        effects = rng.normal(size=(size, 36)) * distance / math.sqrt(72)
        if in_a_row:
            effects = np.arange(size)[:, None] * effects[:1] * math.sqrt(2)
        columns += effects[nodes[:, node]]
    columns -= columns.mean(axis=0)
    return columns @ np.linalg.svd(columns, full_matrices=False)[2][:20].T


def recovered(nodes, found):
    labels = found.responsibilities.argmax(axis=1)
    return node_recovery(nodes, labels_to_nodes(labels, nodes)).accuracies


def labels_to_nodes(labels, nodes):
    sizes = tuple(nodes.max(axis=0) + 1)
    return np.stack(np.unravel_index(labels, sizes), axis=1)


def test_which_grids_have_many_cells():
    assert has_many_cells((3,) * 5)
    assert not has_many_cells((2,) * 7)
    assert not has_many_cells((500,))
    assert not is_beyond_search("arranged", (2,) * 10)
    assert is_beyond_search("arranged", (2,) * 11)
    assert not is_beyond_search("paper", (2,) * 11)
    assert not is_beyond_search("arranged", (4096,))


@pytest.mark.parametrize(
    ("sizes", "seed"),
    some_slow(itertools.product([(3,) * 5, (2, 3, 4, 6), (2,) * 8], [0, 1]), [((2,) * 8, 0)]),
)
def test_dependent_nodes_are_found(sizes, seed):
    rng = np.random.default_rng(seed)
    nodes = dependent(sizes, 10 * math.prod(sizes), rng)
    found = search_grid(scores_of(nodes, sizes, rng), sizes, None, np.random.RandomState(seed))
    accuracies = recovered(nodes, found)
    assert found.place.found
    assert accuracies.mean() > 0.98
    assert found.place.certainty == pytest.approx(accuracies.mean(), abs=0.01)
    assert (found.place.node_agreement > 0.95).all()
    np.testing.assert_allclose(found.responsibilities.sum(axis=1), 1.0)


@pytest.mark.slow
def test_outcomes_of_unlike_shares_and_in_a_row_are_found():
    rng = np.random.default_rng(2)
    nodes = dependent((3,) * 5, 3000, rng, shares=[0.6, 0.3, 0.1])
    found = search_grid(
        scores_of(nodes, (3,) * 5, rng, in_a_row=True), (3,) * 5, None, np.random.RandomState(0)
    )
    assert found.place.found
    assert recovered(nodes, found).mean() > 0.97


@pytest.mark.slow
def test_cells_without_samples_stay_empty():
    rng = np.random.default_rng(3)
    nodes = dependent((2,) * 8, 3000, rng)
    nodes = nodes[~((nodes[:, 0] == 1) & (nodes[:, 1] == 0) & (nodes[:, 2] == 1))]
    found = search_grid(scores_of(nodes, (2,) * 8, rng), (2,) * 8, None, np.random.RandomState(0))
    assert found.place.found
    assert recovered(nodes, found).mean() > 0.98
    counts = found.responsibilities.sum(axis=0)
    assert 20 <= (counts == 0).sum() <= 40  # 32 cells have none


@pytest.mark.long
def test_samples_without_nodes_are_not_passed_off_as_some():
    blob = np.random.default_rng(0).normal(size=(400, 10))
    assert not search_grid(blob, (2,) * 8, None, np.random.RandomState(0)).place.found


@pytest.mark.long
def test_outcomes_that_overlap_are_uncertain():
    rng = np.random.default_rng(1)
    nodes = dependent((3,) * 5, 2430, rng)
    found = search_grid(
        scores_of(nodes, (3,) * 5, rng, distance=4.0), (3,) * 5, None, np.random.RandomState(0)
    )
    assert found.place.certainty == pytest.approx(recovered(nodes, found).mean(), abs=0.03)
    assert found.place.certainty < 0.97


@pytest.mark.slow
def test_known_outcomes_name_nodes_and_outcomes():
    rng, sizes = np.random.default_rng(4), (2,) * 8
    nodes = dependent(sizes, 1500, rng)
    known = np.full_like(nodes, -1)
    known[:40] = nodes[:40]
    scores = scores_of(nodes, sizes, rng)
    candidates = propose_candidates(scores, sizes, known=known, random_state=0).all()
    chosen, report = choose_candidate(candidates, scores, sizes, known=known)
    cells = report.arrangements[report.chosen].cells[chosen.labels]
    assert (np.stack(np.unravel_index(cells, sizes), axis=1) == nodes).mean() > 0.98
    assert report.arrangements[0].found
    assert report.known_agreement[0] > 0.95


def test_one_candidate_has_its_place_and_figures():
    rng, sizes = np.random.default_rng(5), (2,) * 8
    nodes = dependent(sizes, 1500, rng)
    scores = scores_of(nodes, sizes, rng)
    (candidate,) = propose_candidates(scores, sizes, random_state=0).all()
    chosen, report = choose_candidate([candidate], scores, sizes)
    (arrangement,) = report.arrangements
    assert chosen is candidate
    assert np.array_equal(np.sort(arrangement.cells), np.arange(256))
    assert arrangement.found
    assert arrangement.certainty > 0.97
    assert arrangement.gap >= 1.0
    assert report.agreement[0] > 0.95
    total = arrangement.node_shares.sum() + arrangement.misfit
    assert 0.9 < total < 1.1  # exact where all cells hold samples
    assert (np.diff(arrangement.node_shares) <= 0).all()


def test_effects_are_those_of_a_regression_on_the_nodes():
    rng, sizes = np.random.default_rng(6), (2, 3)
    nodes = dependent(sizes, 300, rng)
    points = np.array([[0.0, 0.0], [9.0, 1.0]])[nodes[:, 0]] + 9.0 * nodes[:, [1]]
    points += 0.1 * rng.normal(size=points.shape)
    mixture = FactorialMixture(points, sizes)
    fit = mixture.fit(nodes, 10)
    np.testing.assert_array_equal(mixture.nodes(fit), nodes)
    np.testing.assert_allclose(fit.effects[1] - fit.effects[0], [9.0, 1.0], atol=0.05)
    assert mixture.doubts(fit).max() < 1e-3
    assert fit.counts.sum() == pytest.approx(300)
    rest = exchanged(mixture, fit, [0])
    assert rest.shape == (300, 1)
    assert abs(np.corrcoef(rest[:, 0], nodes[:, 0])[0, 1]) > 0.99


def test_a_longer_fit_is_no_worse_and_known_outcomes_count():
    rng, sizes = np.random.default_rng(7), (2, 2)
    nodes = rng.integers(2, size=(200, 2))
    points = 1.5 * nodes + rng.normal(size=(200, 2))
    rough = np.where(rng.random(nodes.shape) < 0.8, nodes, 1 - nodes)
    mixture = FactorialMixture(points, sizes)
    short = mixture.fit(rough, 2)
    assert mixture.refit(short, 50).bound >= short.bound
    told = FactorialMixture(points, sizes, nodes)
    assert (told.nodes(told.fit(rough, 20)) == nodes).mean() > 0.97


def test_the_least_rise_is_that_of_the_best_swap_with_the_effects_as_they_are():
    rng = np.random.default_rng(8)
    problem = make_problem(rng.normal(size=(8, 3)), (2, 2, 2))
    cells = rng.permutation(8)
    misfit = misfits_of(cells[None], problem)[0]
    effects = np.linalg.pinv(problem.design[cells]) @ problem.means
    rises = []
    for first in range(8):
        for second in range(first):
            swapped = cells.copy()
            swapped[[first, second]] = cells[[second, first]]
            left = problem.means - problem.design[swapped] @ effects
            rises.append(np.square(left).sum() - misfit)
    assert least_rise(cells, problem) == pytest.approx(max(min(rises), 0.0))
    assert least_rise(cells[:1], make_problem(np.ones((1, 3)), (2, 2, 2))) == np.inf


def test_components_that_depend_on_each_other_are_one_nodes():
    """Four outcomes in a plane and two on a line: the node of four gets what has two components."""
    rng = np.random.default_rng(0)
    four, two = rng.integers(4, size=400), rng.integers(2, size=400)
    corners = np.array([[0.0, 0.0], [0.3, 1.0], [1.0, 0.7], [0.7, -0.6]])
    components = np.column_stack([corners[four], two]) + 0.02 * rng.normal(size=(400, 3))
    found = _groups_for(_dependence(components), components, (2, 4), np.random.RandomState(0))
    assert [group.tolist() for group in found] == [[2], [0, 1]]


@pytest.mark.parametrize("n_columns", [1, 3, 6])
def test_fewer_columns_than_nodes(n_columns):
    X = np.random.default_rng(0).normal(size=(300, n_columns))
    found = search_grid(X, (2,) * 8, None, np.random.RandomState(0))
    assert found.responsibilities.shape == (300, 256)
    assert_allclose(found.responsibilities.sum(axis=1), 1.0)
    assert not found.place.found
