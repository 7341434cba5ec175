"""Outcomes in a row: nodes whose outcomes lie on a line, and their order along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .._base.grid import NodeGrid
from .margins import IN_A_ROW


class Rows(NamedTuple):
    """Which nodes have their outcomes on a line, (n_nodes,), and the order of each node's."""

    are_lines: np.ndarray
    orders: list[np.ndarray]


def outcomes_in_a_row(means: np.ndarray, cells: np.ndarray, sizes: Sequence[int]) -> Rows:
    r"""Ask of each node whether the effects of its outcomes lie on a line, and in which order.

    Effects are those of the least squares fit of :math:`m_c = b + \sum_l e_l(o_l)`. They lie on a
    line where .9 of their scatter, :math:`\sum_k |e_l(k) - \bar e_l|^2`, is along one direction.
    Any two do, of which nothing is said. Along the line an outcome with a low number comes first
    rather than last.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        Means of cells that hold samples.
    cells : ndarray of int of shape (n_clusters,)
        Which they are: flat indices (C order).
    sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    Rows
        Orders of nodes that are no lines are those of their numbers; outcomes that no cell has
        come last.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.in_a_row import outcomes_in_a_row
    >>> means = np.array([[5.0, 1.0], [0.0, 0.0], [9.0, 2.0]])
    >>> outcomes_in_a_row(means, np.arange(3), (3,))
    Rows(are_lines=array([ True]), orders=[array([1, 0, 2])])
    """
    are_lines, orders = np.zeros(len(sizes), dtype=bool), [np.arange(size) for size in sizes]
    for node, effects in enumerate(effects_of_outcomes(means, cells, sizes)):
        there = np.flatnonzero(np.isfinite(effects[:, 0]))
        if len(there) < 3:
            continue
        centred = effects[there] - effects[there].mean(axis=0)
        along_axes, lengths, _ = np.linalg.svd(centred, full_matrices=False)
        total = np.square(lengths).sum()
        are_lines[node] = total > 0 and lengths[0] ** 2 >= IN_A_ROW * total
        if are_lines[node]:
            rising = np.argsort(along_axes[:, 0], kind="stable")
            along = rising if rising[0] < rising[-1] else rising[::-1]
            orders[node] = np.append(there[along], np.setdiff1d(orders[node], there))
    return Rows(are_lines, orders)


def effects_of_outcomes(
    means: np.ndarray, cells: np.ndarray, sizes: Sequence[int]
) -> list[np.ndarray]:
    """Return the main effects of each node by least squares, (n_outcomes, n_features).

    Parameters are those of :func:`outcomes_in_a_row`. Outcomes that no cell has are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.in_a_row import effects_of_outcomes
    >>> effects_of_outcomes(np.array([[0.0], [1.0], [4.0], [5.0]]), np.arange(4), (2, 2))[0].ravel()
    array([-2.,  2.])
    """
    outcomes = NodeGrid(tuple(sizes)).outcomes(cells)
    marks = [outcomes[:, [node]] == np.arange(size) for node, size in enumerate(sizes)]
    design = np.hstack(marks).astype(np.float64)
    effects = np.linalg.lstsq(design, means - means.mean(axis=0), rcond=None)[0]
    effects[~design.any(axis=0)] = np.nan
    return np.split(effects, np.cumsum(sizes)[:-1])
