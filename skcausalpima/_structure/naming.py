"""Which node is called what, once edges are stated by name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import xlogy

from .edge_probabilities import MAX_PROBABILITY_NODES
from .settings import GraphSettings, search_graph

#: Ways to name the nodes that are compared with what was stated about edges.
MAX_NAMINGS = 720


def name_nodes(
    counts: np.ndarray,
    grids: Sequence[np.ndarray],
    settings: GraphSettings,
    is_named: np.ndarray,
) -> np.ndarray:
    """Return which node should take each place so that what was stated about edges fits best.

    Which of the nodes of one size is called N1 is otherwise arbitrary; once edges are required,
    forbidden or ordered by name, it is not.

    Parameters
    ----------
    counts : ndarray of shape (C_1, ..., C_L)
        Counts of the cells.
    grids : sequence of ndarray of shape (C_1, ..., C_L)
        Per place those of the samples in which its node was not set.
    settings : GraphSettings
        Knowledge about edges.
    is_named : ndarray of bool of shape (n_nodes,)
        Nodes that must keep their place.

    Returns
    -------
    ndarray of shape (n_nodes,)
        The node that comes to each place; itself, where nothing was stated or where there are
        more than :data:`MAX_NAMINGS` ways.
    """
    sizes, identity = np.array(counts.shape), np.arange(counts.ndim)
    groups = [np.flatnonzero((sizes == size) & ~is_named) for size in sorted(set(counts.shape))]
    n_ways = math.prod(math.factorial(len(group)) for group in groups)
    if not settings.states_edges or counts.ndim > MAX_PROBABILITY_NODES or n_ways > MAX_NAMINGS:
        return identity
    best_score, best = -math.inf, identity
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        order = identity.copy()
        for group, permuted in zip(groups, orders, strict=True):
            order[group] = permuted
        renamed = [grid.transpose(order) for grid in grids]
        score = search_graph(counts.transpose(order), renamed, settings).score
        score += sum(
            _marginal_fit((counts - grid).sum(axis=tuple(identity[identity != order[place]])))
            for place, grid in enumerate(grids)
        )  # how nodes were set: else the node that is hardest to guess would be called a set one
        if score > best_score + 1e-9 * abs(score):  # the first of equals: places are kept
            best_score, best = score, order
    return best


def _marginal_fit(counts: np.ndarray) -> float:
    """Return the log-likelihood of outcomes at their own frequencies."""
    counts = counts.clip(0.0)  # a difference of sums may be rounded to less
    return float(xlogy(counts, counts / max(counts.sum(), 1e-300)).sum())
