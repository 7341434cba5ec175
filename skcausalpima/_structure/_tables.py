"""The tables of a fixed DAG in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._scores import _check_counts


def tables_from_expected_counts(
    counts: ArrayLike,
    adjacency: NDArray[np.bool_],
    equivalent_sample_size: float = 1.0,
) -> list[NDArray[np.float64]]:
    r"""Return the conditional tables of a DAG under a stated prior.

    The prior is BDeu's: :math:`\alpha` samples spread evenly over the grid, so that a family of
    :math:`|S|` cells has :math:`\alpha / |S|` added to every expected count. The table
    :math:`p(k | j) = (N_{jk} + \alpha / |S|) / (N_j + \alpha r / |S|)`, r the node's size, is the
    posterior mean; equivalent graphs get the same joint distribution.

    Parameters
    ----------
    counts : array-like of shape (C_1, ..., C_L)
        Expected counts of the cells.
    adjacency : ndarray of bool of shape (n_nodes, n_nodes)
        True where i -> j.
    equivalent_sample_size : float, default=1.0
        :math:`\alpha`. At 0 the tables are the maximum-likelihood ones, and a configuration of
        the parents without any count gets the uniform distribution.

    Returns
    -------
    list of ndarray
        Per node a table whose axes are its parents in ascending order and, last, the node.

    Raises
    ------
    ValueError
        If counts are negative, not finite or all zero, or the sample size is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._structure import tables_from_expected_counts
    >>> adjacency = np.array([[False, True], [False, False]])
    >>> tables_from_expected_counts([[8.0, 0.0], [0.0, 0.0]], adjacency, 4.0)[1]
    array([[0.9, 0.1],
           [0.5, 0.5]])
    """
    counts = _check_counts(counts)
    if not equivalent_sample_size >= 0:
        raise ValueError(
            f"equivalent_sample_size must not be negative; got {equivalent_sample_size!r}."
        )
    tables = []
    for node in range(counts.ndim):
        parents = [int(parent) for parent in np.flatnonzero(adjacency[:, node])]
        family = sorted([*parents, node])
        others = tuple(axis for axis in range(counts.ndim) if axis not in family)
        table = np.moveaxis(counts.sum(axis=others), family.index(node), -1)
        table = table + equivalent_sample_size / table.size
        totals = table.sum(axis=-1, keepdims=True)
        uniform = np.full_like(table, 1.0 / table.shape[-1])
        tables.append(np.divide(table, totals, out=uniform, where=totals > 0))
    return tables
