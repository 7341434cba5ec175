"""Outcomes in a row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima._clustering.factors_or_kinds import additivity
from skcausalpima._clustering.in_a_row import effects_of_outcomes, outcomes_in_a_row


def rotated(means, seed):
    """Return means elsewhere, in four more directions."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(means.shape[1] + 4, means.shape[1])))[0]
    return means @ axes.T + rng.normal(size=len(axes))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_a_row_is_found(seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(4)
    places = np.empty(4)
    places[order] = np.cumsum(rng.uniform(1, 2, size=4))
    found = outcomes_in_a_row(rotated(places[:, None], seed), np.arange(4), (4,))
    assert found.are_lines.all()
    assert_array_equal(found.orders[0], order if order[0] < order[-1] else order[::-1])


def test_rows_are_asked_of_effects():
    """A node in a row, and one of three corners: their effects add up."""
    row, corners = np.array([[0, 0], [9, 0], [4, 0]]), np.array([[0, 0], [0, 5], [4, 3]])
    means = np.hstack([np.repeat(row, 3, axis=0), np.tile(corners, (3, 1))]).astype(float)
    found = outcomes_in_a_row(rotated(means, 0), np.arange(9), (3, 3))
    assert_array_equal(found.are_lines, [True, False])
    assert_array_equal(found.orders, [[0, 2, 1], [0, 1, 2]])


@pytest.mark.parametrize("cells", [[0, 2, 3], [0, 3]])
def test_outcomes_that_nobody_has_come_last(cells):
    found = outcomes_in_a_row(np.array(cells)[:, None] * [2.0, 1.0], np.array(cells), (4,))
    assert_array_equal(found.are_lines, [len(cells) == 3])
    assert_array_equal(found.orders[0], [0, 2, 3, 1] if len(cells) == 3 else range(4))


def test_equal_means_and_two_outcomes_are_no_row():
    assert not outcomes_in_a_row(np.ones((3, 2)), np.arange(3), (3,)).are_lines.any()
    assert not outcomes_in_a_row(np.eye(2), np.arange(2), (2,)).are_lines.any()


def test_effects_are_those_of_sums_though_cells_are_missing():
    first, second = np.array([0.0, 3.0]), np.array([0.0, 1.0, 5.0])
    sums = np.add.outer(first, second).reshape(6, 1)
    for cells in (np.arange(6), np.array([0, 1, 2, 4])):
        found = effects_of_outcomes(sums[cells], cells, (2, 3))
        assert_allclose(np.ptp(found[0]), 3)
        assert_allclose(np.ravel(found[1] - found[1][0]), second, atol=1e-9)


def test_the_report_of_an_arrangement_has_them():
    labels = np.arange(6).repeat(30)
    points = np.stack([6.0 * (labels // 3), 5.0 * np.array([1, 0, 2])[labels % 3]], axis=1)
    points = points + np.random.default_rng(0).normal(size=points.shape)
    rows = additivity(points, labels, (2, 3)).rows
    assert_array_equal(rows.are_lines, [False, True])
    assert_array_equal(rows.orders[1], [1, 0, 2])
