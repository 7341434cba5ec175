"""Cells of the grid of nodes and the outcomes that they stand for."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._base.grid import NodeGrid


def test_cells_are_numbered_in_c_order_and_back():
    grid = NodeGrid((2, 3, 2))
    assert grid.n_cells == 12
    assert_array_equal(grid.outcomes(), list(itertools.product(range(2), range(3), range(2))))
    cells = np.array([7, 0, 7])
    assert_array_equal(grid.cells(grid.outcomes(cells)), cells)


def test_an_outcome_that_does_not_exist_has_no_cell():
    with pytest.raises(ValueError, match="invalid entry"):
        NodeGrid((2, 2)).cells(np.array([[0, 2]]))
