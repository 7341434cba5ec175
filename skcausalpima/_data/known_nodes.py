"""Outcomes of nodes that are known for some samples, and what they allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .arrays import as_array


def check_known_nodes(
    known_nodes: ArrayLike | None, n_samples: int, node_sizes: Sequence[int]
) -> np.ndarray | None:
    """Return known outcomes as an array of integers; None where nothing is known.

    Parameters
    ----------
    known_nodes : array-like of shape (n_samples, n_nodes) or None
        Outcomes, -1 where unknown.
    n_samples : int
        Number of training samples.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_samples, n_nodes) or None
        Outcomes, -1 where unknown.
    """
    if known_nodes is None:
        return None
    known = as_array(known_nodes, "known_nodes")
    expected = (n_samples, len(node_sizes))
    if known.shape != expected:
        raise ValueError(
            f"known_nodes must have shape (n_samples, n_nodes) = {expected}, one column per entry "
            f"of node_sizes, got shape {known.shape}. Fill columns of unknown nodes with -1."
        )
    if known.dtype.kind not in "iu":
        raise ValueError(
            f"known_nodes must hold integers, the number of each outcome and -1 where it is "
            f"unknown, got dtype {known.dtype}. Replace NaN by -1, then use astype(int)."
        )
    for node, size in enumerate(node_sizes):
        wrong = (known[:, node] < -1) | (known[:, node] >= size)
        if wrong.any():
            raise ValueError(
                f"known_nodes[:, {node}] must lie between 0 and {size - 1}, because "
                f"node_sizes[{node}] is {size}, or be -1 where it is unknown, got "
                f"{known[wrong, node][0]}."
            )
    return known.astype(np.int64) if (known >= 0).any() else None


def allowed_cells(known: np.ndarray, node_sizes: Sequence[int]) -> np.ndarray:
    """Return which cells, in C order, are consistent with what is known of each sample.

    Parameters
    ----------
    known : ndarray of shape (n_samples, n_nodes)
        Outcomes, -1 where unknown.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_cells, n_samples)
        Booleans; at least one per sample is true.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.known_nodes import allowed_cells
    >>> allowed_cells(np.array([[0, -1], [1, 0]]), (2, 2)).T.astype(int)
    array([[1, 1, 0, 0],
           [0, 0, 1, 0]])
    """
    allowed = np.ones((*node_sizes, len(known)), dtype=bool)
    for node, size in enumerate(node_sizes):
        fits = (known[:, node] < 0) | (known[:, node] == np.arange(size)[:, None])
        others = [axis for axis in range(len(node_sizes)) if axis != node]
        allowed &= np.expand_dims(fits, others)
    return allowed.reshape(-1, len(known))
