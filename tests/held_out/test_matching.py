"""Nodes and cells of one labelling in the terms of another."""

import numpy as np

from skcausalpima._base.grid import NodeGrid
from skcausalpima._held_out.matching import match, node_agreements


def test_nodes_that_are_swapped_and_renumbered_are_matched():
    grid = NodeGrid((2, 2)).outcomes()
    cells = np.random.default_rng(0).integers(4, size=200)
    found = match(1 - grid[:, ::-1], cells, grid[cells], (2, 2))
    np.testing.assert_array_equal(found.outcomes, grid)
    np.testing.assert_array_equal(found.order, [1, 0])
    np.testing.assert_array_equal(found.agreement, [1.0, 1.0])


def test_a_node_that_is_constant_agrees_with_nothing():
    nodes = np.array([[0, 0], [0, 1], [0, 0], [0, 1]])
    np.testing.assert_array_equal(node_agreements(nodes, nodes, (2, 2)), [0.0, 1.0])
