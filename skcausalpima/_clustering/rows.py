"""Do the outcomes of a node lie in a row, and in which order?"""

from __future__ import annotations

import numpy as np

from .._base.grid import NodeGrid
from .margins import ON_ONE_LINE


def outcomes_in_rows(
    means: np.ndarray, cells: np.ndarray, sizes: tuple[int, ...]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the outcomes of each node along the line that their effects lie on.

    Effects are those of single nodes, the others held, by least squares of the means of cells that
    hold samples; cells count alike. The line is their first principal axis.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        Means of clusters.
    cells : ndarray of int of shape (n_clusters,)
        The cell of each, as a flat index (C order).
    sizes : tuple of int
        Number of outcomes of each node.

    Returns
    -------
    orders : list of ndarray of int
        Outcomes from one end to the other, that of the lower number first; empty where less than
        0.9 of the scatter between them is on the line, or an outcome is nowhere.
    shares : ndarray of shape (n_nodes,)
        The part that is; NaN where effects do not differ.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.rows import outcomes_in_rows
    >>> means = np.array([[4.0, 4.0], [0.0, 0.1], [2.0, 2.0]])
    >>> outcomes_in_rows(means, np.arange(3), (3,))[0]
    [array([0, 2, 1])]
    """
    outcomes = NodeGrid(sizes).outcomes(cells)
    codes = [np.eye(size)[column] for size, column in zip(sizes, outcomes.T, strict=True)]
    effects = np.linalg.lstsq(np.hstack(codes), means - means.mean(axis=0), rcond=None)[0]
    orders, shares = [], np.full(len(sizes), np.nan)
    parts = np.split(effects, np.cumsum(sizes)[:-1])
    for node, (of_node, code) in enumerate(zip(parts, codes, strict=True)):
        centred = of_node - of_node.mean(axis=0)
        _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
        if (scatter := np.square(lengths).sum()) > 0.0:
            shares[node] = lengths[0] ** 2 / scatter
        order = np.argsort(centred @ axes[0], kind="stable")
        is_row = shares[node] >= ON_ONE_LINE and code.any(axis=0).all()
        orders.append((order if order[0] < order[-1] else order[::-1]) if is_row else order[:0])
    return orders, shares
