r"""Whether a node's table differs between groups of samples, whose cells are uncertain.

Where it does not, with tables :math:`\theta_g` of group g of which the tested one is shared and all
others are their own, a sample belongs to g with the probability

.. math:: p(g | x) \propto p(g) \sum_c \theta_g(c) \, p(x | c),

by which groups are drawn anew. The statistic is the likelihood ratio of the expected counts, those
of :math:`p(c | x, g)`; each draw has its own. What the fit says of cells is the same in data and
draws, so that p-values are right also where it is wrong of them, if nothing differs at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import xlogy

from ._table_draws import Evidence, Grid, Likelihoods

#: Draws of groups of which p-values are shares, and how many labels are drawn at a time.
N_DRAWS, LABELS_AT_ONCE = 999, 2**21

#: Statistics that differ by less are equal: counts may be rounded differently.
ROUNDING = 1e-9


def table_p_value(
    likelihoods: Likelihoods, codes: np.ndarray, asked: Sequence[int], rng: np.random.RandomState
) -> float:
    """Return how likely it is that some tables seem to differ as much as they do.

    Parameters
    ----------
    likelihoods : Likelihoods
        What samples say of their cells.
    codes : ndarray of int of shape (n_samples,)
        Numbers of the groups, each of which has samples.
    asked : sequence of int
        Numbers of the nodes whose tables are shared if nothing differs.
    rng : RandomState
        Source of the draws.

    Returns
    -------
    float
        In (0, 1].
    """
    n_groups = codes.max() + 1
    together = likelihoods.by_group(codes, n_groups)
    parents = [axes[1:] if n in asked else axes for n, axes in enumerate(together.grid.parents)]
    grid = replace(together.grid, parents=parents)
    tables = [table[0] if n in asked else table for n, table in enumerate(together.tables)]
    parts = together.values, likelihoods.weights, likelihoods.numbers
    tables = Evidence.of(*parts, grid, tables).likeliest(tables)
    priors = grid.priors_of(likelihoods.numbers, tables)
    joint = likelihoods.values.T[:, None] * priors.reshape(
        likelihoods.values.shape[1], n_groups, -1
    )
    sums = np.maximum(joint.sum(axis=0), np.finfo(float).tiny)
    units = likelihoods.units
    families = [_families(joint / sums, likelihoods, node) for node in asked]
    shares = sums / sums.sum(axis=0)
    if not units.are_rows:  # samples of a group have one label, and count as one together
        shares = np.exp(units.means(np.log(shares).T)).T
        shares /= shares.sum(axis=0)
    steps = np.cumsum(shares, axis=0)[:-1, None]
    observed = _ratios(families, codes[None])[0]
    n_larger, n_at_once = 0, max(1, LABELS_AT_ONCE // len(codes))
    for start in range(0, N_DRAWS, n_at_once):
        levels = rng.uniform(size=(min(n_at_once, N_DRAWS - start), units.n))
        drawn = (steps <= levels).sum(axis=0)[:, units.numbers]
        n_larger += (_ratios(families, drawn) >= observed - ROUNDING).sum()
    return float((1 + n_larger) / (1 + N_DRAWS))


def _families(cells: np.ndarray, likelihoods: Likelihoods, node: int) -> np.ndarray:
    """Return what samples add to counts of a node's table in a group, (group, n, row, outcome).

    ``cells`` of shape (n_cells, n_groups, n_samples) are their probabilities in each group.
    """
    grid: Grid = likelihoods.grid
    axes = [*grid.parents[node], node]
    others = tuple(n for n in range(len(grid.sizes)) if n not in axes)
    summed = cells.reshape(*grid.sizes, *cells.shape[1:]).sum(axis=others)
    in_order = np.transpose(summed, [*np.argsort(np.argsort(axes)), -2, -1])
    free = np.array([node not in was_set for was_set in grid.regimes])[likelihoods.numbers]
    rows = in_order.reshape(-1, grid.sizes[node], *cells.shape[1:]) * (likelihoods.weights * free)
    return np.ascontiguousarray(np.moveaxis(rows, (2, 3), (0, 1)))


def _ratios(families: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Return the likelihood ratio of expected counts for each row of groups of all samples."""
    total = np.zeros(len(labels))
    for family in families:
        n_groups, n_samples, *shape = family.shape
        flat = family.reshape(n_groups, n_samples, -1)
        counts = np.stack([(labels == g) @ flat[g] for g in range(n_groups)], axis=1)
        counts = counts.reshape(len(labels), n_groups, *shape)  # (draw, group, row, outcome)
        for sign, axes in ((1, ()), (-1, 3), (-1, 1), (1, (1, 3))):
            sums = counts.sum(axis=axes, keepdims=True)
            total += 2 * sign * xlogy(sums, sums).sum(axis=(1, 2, 3))
    return total
