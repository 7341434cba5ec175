"""The grid of all combinations of the nodes' outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NodeGrid:
    """The cells of a grid with one axis per node, numbered in C order.

    Parameters
    ----------
    sizes : tuple of int
        Number of outcomes of each node.

    Examples
    --------
    >>> from skcausalpima._base.grid import NodeGrid
    >>> grid = NodeGrid((2, 3))
    >>> grid.outcomes([4, 5])
    array([[1, 1],
           [1, 2]])
    >>> grid.cells(grid.outcomes([4, 5]))
    array([4, 5])
    """

    sizes: tuple[int, ...]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return math.prod(self.sizes)

    def outcomes(self, cells: np.ndarray | None = None) -> np.ndarray:
        """Return the outcomes of the nodes in some cells, by default in all of them.

        Parameters
        ----------
        cells : array-like of int of shape (n_cells,), default=None
            Numbers of cells.

        Returns
        -------
        ndarray of shape (n_cells, n_nodes)
            Outcomes.
        """
        cells = np.arange(self.n_cells) if cells is None else cells
        return np.stack(np.unravel_index(cells, tuple(self.sizes)), axis=1)

    def cells(self, outcomes: np.ndarray) -> np.ndarray:
        """Return the cell of each row of outcomes.

        Parameters
        ----------
        outcomes : ndarray of int of shape (n_rows, n_nodes)
            Outcomes of all nodes.

        Returns
        -------
        ndarray of shape (n_rows,)
            Numbers of cells.

        Raises
        ------
        ValueError
            If an outcome does not exist.
        """
        return np.ravel_multi_index(tuple(outcomes.T), tuple(self.sizes))


def n_effects(node_sizes: Sequence[int]) -> int:
    """Return the number of outcomes beyond each node's first, and at least two.

    Parameters
    ----------
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    int
        Along so many directions the cells of a grid differ where effects of the nodes add up.

    Examples
    --------
    >>> from skcausalpima._base.grid import n_effects
    >>> n_effects((2, 2, 3)), n_effects((2,))
    (4, 2)
    """
    return max(2, sum(size - 1 for size in node_sizes))
