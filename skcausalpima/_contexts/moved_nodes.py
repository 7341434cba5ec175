"""Contexts that change one node and nothing else: further evidence that it is a factor."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy
from scipy.stats import beta

from .fitted import FittedContexts


def moved_alone(counts: np.ndarray) -> np.ndarray:
    r"""Return how probable it is that labels change the mix of kinds along a node by chance.

    What labels and cells tell of each other, :math:`G = 2 \sum n \log (n \hat n / ..)`, is the sum
    of what labels tell of the node, and of the cells given the node. Labels that change the mix of
    kinds, as chance and whatever has it, have no preferred direction: the node's part of G is Beta
    distributed with half the degrees of freedom of the two, as it is for samples whose mix does not
    change at all. A part as large as where labels change the node alone is improbable then.

    Parameters
    ----------
    counts : ndarray of shape (n_labels, *node_sizes)
        Expected numbers of samples.

    Returns
    -------
    ndarray of shape (n_nodes,)
        p-values, of all nodes together (Bonferroni); 1 where fewer than two labels have samples, or
        there is one node.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._contexts.moved_nodes import moved_alone
    >>> first = np.array([[90.0, 60.0], [30.0, 20.0]])
    >>> second = np.array([[15.0, 10.0], [105.0, 70.0]])  # given the first node as before
    >>> moved_alone(np.stack([first, second])).round(3)
    array([0., 1.])
    """
    sizes = counts.shape[1:]
    cells = counts.reshape(len(counts), -1)
    n_changes, p_values = (cells.sum(axis=1) > 0).sum() - 1, np.ones(len(sizes))
    whole = _information(cells)
    if n_changes < 1 or len(sizes) == 1 or whole <= 0:
        return p_values
    for node, size in enumerate(sizes):
        others = tuple(1 + other for other in range(len(sizes)) if other != node)
        part = _information(counts.sum(axis=others)) / whole
        along, across = size - 1, cells.shape[1] - size
        p_values[node] = beta.sf(part, 0.5 * n_changes * along, 0.5 * n_changes * across)
    return np.minimum(p_values * len(sizes), 1.0)


def moved_by_contexts(contexts: FittedContexts, sizes: tuple[int, ...]) -> np.ndarray | None:
    """Return the least p-value of each node over contexts whose mix may differ, for their number.

    None without such contexts.
    """
    names = [name for name, is_mixed in contexts.mixes.items() if is_mixed]
    if not names:
        return None
    tables = [contexts.by_label(name, contexts.cells).reshape(-1, *sizes) for name in names]
    p_values = np.min([moved_alone(table) for table in tables], axis=0)
    return np.minimum(p_values * len(names), 1.0)


def _information(table: np.ndarray) -> float:
    """Return what labels and columns tell of each other, 2 n times their mutual information."""
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0)
    return 2.0 * float(
        xlogy(table, table).sum()
        - xlogy(rows, rows).sum()
        - xlogy(columns, columns).sum()
        + xlogy(table.sum(), table.sum())
    )
