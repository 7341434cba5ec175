"""Arrangements that fit nearly as well, against scikit-learn's adjusted Rand index."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import adjusted_rand_score

from skcausalpima._clustering.arrangement import arrange
from skcausalpima._clustering.matching import near_ties, node_agreement
from skcausalpima._held_out.matching import adjusted_rand_index


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (1, 2), (5, 1)])
def test_rand_index_is_that_of_scikit_learn(shape):
    table = np.random.default_rng(0).integers(0, 9, size=shape)
    first, second = (np.repeat(labels.ravel(), table.ravel()) for labels in np.indices(shape))
    expected = adjusted_rand_score(first, second)
    assert_allclose(adjusted_rand_index(table.astype(float)), expected, atol=1e-12)


def test_rand_index_of_equal_partitions():
    assert adjusted_rand_index(np.diag([3.0, 4.0])) == 1.0
    assert adjusted_rand_index(np.array([[7.0]])) == 1.0


def test_near_ties_are_the_best_by_rising_misfit():
    placed, misfits = np.arange(4)[:, None], np.array([0.3, 0.1, 0.104, 0.106])
    assert near_ties(placed, misfits).ravel().tolist() == [1, 2]


def test_agreement_matches_nodes_and_outcomes():
    """Swapped nodes of one size and renumbered outcomes are the same arrangement."""
    outcomes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    counts = np.array([10.0, 20.0, 30.0, 40.0])
    swapped = 2 * (1 - outcomes[:, 1]) + outcomes[:, 0]
    assert_allclose(node_agreement(outcomes, swapped[None], counts, (2, 2)), 1.0)


def test_corners_of_a_square_have_no_rival_and_of_a_simplex_have():
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.5, 0.0], [1.5, 1.0]])
    counts = np.full(4, 25.0)
    assert_allclose(arrange(corners, counts, (2, 2)).node_agreement, 1.0)
    simplex = arrange(np.eye(4), counts, (2, 2))
    assert simplex.ties == 2
    assert simplex.node_agreement.min() < 0.1


def test_a_rival_that_differs_in_rare_cells_agrees():
    means = np.array([[0.0, 0.0], [0.0, 1.0], [4.0, 0.5], [4.0, 0.5001]])
    common = arrange(means, np.array([50.0, 50.0, 50.0, 50.0]), (2, 2))
    rare = arrange(means, np.array([500.0, 500.0, 2.0, 2.0]), (2, 2))
    assert common.gap < 1.05
    assert common.node_agreement.min() < 0.5
    assert rare.node_agreement.min() > 0.9
