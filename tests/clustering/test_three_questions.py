"""What holds of the three questions of the start, whatever the data.

Do clusterings agree, are clusters apart, has the grid one place? No answer knows names of nodes and
outcomes, units, or the order of samples, and its error is less where there are more of them.
"""

import math

import numpy as np
import pytest
from few_examples import examples
from hypothesis import given
from hypothesis import strategies as st
from nodes_by_hand import additive_means
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima._base.grid import NodeGrid
from skcausalpima._clustering.arrangement import arrange, means_of_labels
from skcausalpima._clustering.contest import Contest, View
from skcausalpima._clustering.factors_or_kinds import additivity
from skcausalpima._clustering.gaps import find_gaps
from skcausalpima._clustering.matching import agreements, largest_agreement
from skcausalpima._held_out.matching import agreement_by_node

SEEDS = st.integers(0, 2**16)
SIZES = st.sampled_from([(2, 2), (2, 3, 2), (3, 3)])
SCALES = st.floats(-9.0, 9.0).map(lambda power: 10.0**power)


def other_names(nodes, sizes, rng):
    """Return outcomes with nodes of one size swapped, and outcomes renumbered."""
    order = np.arange(len(sizes))
    for size in set(sizes):
        alike = np.flatnonzero(np.array(sizes) == size)
        order[alike] = rng.permutation(alike)
    return np.stack([rng.permutation(s)[nodes[:, k]] for s, k in zip(sizes, order, strict=True)], 1)


def turned(points, scale, rng):
    """Return points in other units, from another origin and along other axes."""
    axes = np.linalg.qr(rng.normal(size=2 * points.shape[1:]))[0]
    return scale * (points @ axes + rng.normal(size=points.shape[1]))


# Do clusterings agree? --------------------------------------------------------------------------


def labellings(rng, sizes, n_samples=200):
    """Return four labellings of the same samples, each wrong in a fifth of all outcomes."""
    truth, *drawn = ([rng.integers(size, size=n_samples) for size in sizes] for _ in range(5))
    is_wrong = rng.random((4, len(sizes), n_samples)) < 0.2
    return list(np.where(is_wrong, drawn, truth).swapaxes(1, 2))


@given(sizes=SIZES, seed=SEEDS)
@examples(20)
def test_agreement_knows_no_names_and_no_order(sizes, seed):
    rng = np.random.default_rng(seed)
    given_labels = labellings(rng, sizes)
    matrix = agreements(given_labels, sizes)
    assert_array_equal(matrix, matrix.T)
    assert_array_equal(matrix.diagonal(), 1.0)
    assert (matrix <= 1.0).all()
    order, turn = rng.permutation(200), rng.permutation(4)
    renamed = [other_names(labels, sizes, rng)[order] for labels in given_labels]
    assert_allclose(agreements(renamed, sizes), matrix)
    by_node = [agreement_by_node(renamed[0], labels, sizes) for labels in renamed]
    assert_allclose(np.mean(by_node, axis=1), matrix[0])
    swapped = agreements([given_labels[k] for k in turn], sizes)
    assert_allclose(largest_agreement(swapped), largest_agreement(matrix))


def test_errors_of_agreement_shrink():
    """Sixteen times as many samples, a quarter of the error."""

    def error(seed, n_samples):
        drawn = labellings(np.random.default_rng(seed), (2, 2), n_samples)
        return largest_agreement(agreements(drawn, (2, 2)))[1]

    few, many = (np.mean([error(seed, n) for seed in range(40)]) for n in (100, 1600))
    assert many < few / 2


@given(scale=SCALES, seed=SEEDS)
@examples(4)
def test_views_agree_alike_in_other_units_and_order(scale, seed):
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(300, 2))
    points = rng.normal(size=(300, 5)) + np.pad(8.0 * nodes, ((0, 0), (0, 3)))
    points -= points.mean(axis=0)
    order = rng.permutation(300)
    contest = Contest(node_sizes=(2, 2), known=None, seed=0, n_candidates=4)
    first, scaled, shuffled = (
        contest.ask(View(scaled=scores, placed=scores))
        for scores in (points, scale * points, points[order])
    )
    assert_array_equal(scaled.cells, first.cells)
    assert scaled.agreement == pytest.approx(first.agreement)
    for trial, truth in ((first, nodes), (shuffled, nodes[order])):
        assert trial.is_clear
        found = NodeGrid((2, 2)).outcomes()[trial.cells]
        assert agreements([found, truth], (2, 2))[0, 1] > 0.95


# Are clusters apart? ----------------------------------------------------------------------------


def two_cells(rng, n_samples, distance=4.0):
    labels = np.arange(n_samples) % 2
    points = rng.normal(size=(n_samples, 5))
    points[:, 0] += distance * labels
    return points, labels


@given(scale=SCALES, seed=SEEDS, distance=st.sampled_from([0.0, 4.0]))
@examples(6)
def test_gaps_know_no_units_names_and_order(scale, seed, distance):
    rng = np.random.default_rng(seed)
    points, labels = two_cells(rng, 600, distance)
    labels = labels if distance else (points[:, 0] > 0).astype(int)
    found = find_gaps(points, labels, np.array([[0], [1]]))
    assert found.cut[0] == (distance == 0.0)
    mixed = find_gaps(turned(points, scale, rng), labels, np.array([[0], [1]]))
    assert_allclose(mixed.nodes, found.nodes, atol=1e-6)
    assert_array_equal(mixed.pairs, found.pairs)
    order, outcomes = rng.permutation(600), np.array([[1], [0], [0]])
    for others in (
        find_gaps(points, 2 - labels, outcomes[[1, 2, 0]]),
        find_gaps(points[order], labels[order], outcomes[:2]),
    ):
        # by chance, as folds are of other samples: of more where more are in between
        assert_allclose(others.nodes, found.nodes, atol=0.15 if distance else 0.3)
        assert_array_equal(others.cut, found.cut)


def test_errors_of_gaps_shrink():
    """Eight times as many samples, about a third of the spread."""

    def ratio(seed, n_samples):
        points, labels = two_cells(np.random.default_rng(seed), n_samples)
        return find_gaps(points, labels, np.array([[0], [1]])).nodes[0]

    few, many = (np.std([ratio(seed, n) for seed in range(12)]) for n in (120, 960))
    assert many < few / 1.5


# Has the grid one place? ------------------------------------------------------------------------


def figures(found):
    return [found.misfit, found.second_misfit, found.gap, *found.node_shares]


@given(scale=SCALES, seed=SEEDS, sizes=st.sampled_from([(2, 2, 2), (2, 3), (2, 3, 2), (5,)]))
@examples(20)
def test_the_place_knows_no_units_names_and_order(scale, seed, sizes):
    """Outcomes come by samples, and nodes of one size by share, whatever the clusters' order."""
    rng = np.random.default_rng(seed)
    means, counts = additive_means(rng, sizes, 0.2), rng.permutation(99)[: math.prod(sizes)] + 1.0
    first, order = arrange(means, counts, sizes), rng.permutation(len(means))
    again = arrange(turned(means, scale, rng)[order], scale * counts[order], sizes)
    assert_array_equal(again.cells, first.cells[order])
    assert_allclose(figures(again), figures(first), rtol=1e-6, atol=1e-9)
    outcomes = NodeGrid(sizes).outcomes()[first.cells]
    for node, size in enumerate(sizes):
        totals = np.bincount(outcomes[:, node], weights=counts, minlength=size)
        assert (np.diff(totals) <= 0).all()
    for size in set(sizes):
        assert (np.diff(first.node_shares[np.array(sizes) == size]) <= 0).all()


def test_errors_of_the_misfit_shrink():
    """Cells lie at sums of effects: sixteen times as many samples leave a sixteenth."""

    def misfit(seed, n_samples):
        rng = np.random.default_rng(seed)
        means, labels = additive_means(rng, (2, 3), 0.0), np.arange(n_samples) % 6
        points = means[labels] + rng.normal(size=(n_samples, 10))
        return arrange(*means_of_labels(labels, points, 6), (2, 3)).misfit

    few, many = (np.mean([misfit(seed, n) for seed in range(10)]) for n in (96, 1536))
    assert many < few / 8


@pytest.mark.filterwarnings("error")
@given(power=st.sampled_from([-160, 0, 2, 160]), seed=SEEDS, is_additive=st.booleans())
@examples(5)
def test_what_chance_explains_knows_no_units_names_and_order(power, seed, is_additive):
    rng, sizes = np.random.default_rng(seed), (2, 3)
    means = 6.0 * (additive_means(rng, sizes, 0.0, 8) if is_additive else rng.normal(size=(6, 8)))
    labels = np.arange(240) % 6
    points = means[labels] + rng.normal(size=(240, 8))
    found = additivity(points, labels, sizes)
    order, outcomes = rng.permutation(240), NodeGrid(sizes).outcomes()[labels]
    renamed = NodeGrid(sizes).cells(other_names(outcomes, sizes, rng))
    for other in (
        additivity(turned(points, 10.0**power, rng), labels, sizes),
        additivity(points[order], labels[order], sizes),
        additivity(points, renamed, sizes),
    ):
        assert_allclose(other.node_p_values, found.node_p_values)
        assert_allclose(other.p_value, found.p_value)
        assert other.n_directions == found.n_directions
    swapped = additivity(points, NodeGrid((3, 2)).cells(outcomes[:, ::-1]), (3, 2))
    assert_allclose(swapped.p_value, found.p_value, atol=0.05)  # other draws lie as well
