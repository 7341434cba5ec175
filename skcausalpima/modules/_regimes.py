"""Samples whose cells have weights of their own: by nodes that were set, by labels of contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .._structure.settings import PRIOR_COUNT
from ..functional import joint_from_tables, tables_from_counts


@dataclass(frozen=True)
class Mixes:
    """The cell weights of combinations of labels, from expected counts of these.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of labels of the contexts.
    node_sizes : tuple of int
        Numbers of outcomes of the nodes.
    causes : tuple of int
        Which of the contexts are causes of the nodes.
    """

    sizes: tuple[int, ...]
    node_sizes: tuple[int, ...]
    causes: tuple[int, ...]

    def log_weights(self, counts: Tensor, tables: Sequence[Tensor] | None) -> Tensor:
        """Return log-weights, (n_combinations, n_components), from counts of this shape.

        They are free, or as the nodes' tables say that broadcast over causes and nodes, times what
        the other contexts change.
        """
        logs = log_mixes(counts, self.sizes)
        if tables is None:
            return logs
        grid, sizes = self.cause_counts(counts), [self.sizes[axis] for axis in self.causes]
        product = joint_from_tables(tables).expand(grid.shape)
        free = log_mixes(grid.reshape(-1, counts.shape[1]), sizes)
        change = product.log().reshape(free.shape) - free
        shape = [n if k in self.causes else 1 for k, n in enumerate(self.sizes)]
        grid = logs.reshape(*self.sizes, -1) + change.reshape(*shape, -1)
        return torch.log_softmax(grid, dim=-1).reshape(logs.shape)

    def cause_counts(self, counts: Tensor) -> Tensor:
        """Return counts over the grid of contexts that are causes, and of nodes."""
        grid = counts.double().reshape(*self.sizes, *self.node_sizes)
        others = [axis for axis in range(len(self.sizes)) if axis not in self.causes]
        return grid.sum(dim=others) if others else grid

    def cause_tables(self, counts: Tensor, adjacency: Tensor) -> list[Tensor]:
        """Return the nodes' tables, smoothed, that broadcast over causes and nodes."""
        grid = self.cause_counts(counts)
        tables = tables_from_counts(grid + PRIOR_COUNT / grid.numel(), adjacency)
        return tables[len(self.causes) :]


def log_mixes(counts: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the log-weights of cells under each combination of labels, from expected counts.

    As many samples as there are cells are added to each: as cells are in all samples, and, of
    several contexts, as the deviations of the single labels from that go together.

    Parameters
    ----------
    counts : Tensor of shape (n_combinations, n_components)
        Expected counts.
    sizes : sequence of int
        Numbers of labels of the contexts.

    Returns
    -------
    Tensor of shape (n_combinations, n_components)
        In nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._regimes import log_mixes
    >>> log_mixes(torch.tensor([[8.0, 0.0], [0.0, 8.0]]), [2]).exp()
    tensor([[0.9000, 0.1000],
            [0.1000, 0.9000]], dtype=torch.float64)
    """
    n_cells, counts = counts.shape[1], counts.double()
    grid, tiny = counts.reshape(*sizes, n_cells), torch.finfo(torch.float64).tiny
    pooled = (counts.sum(dim=0) + 1.0 / n_cells) / (counts.sum() + 1.0)

    def smoothed(table: Tensor, expected: Tensor) -> Tensor:
        total = table.sum(dim=-1, keepdim=True) + n_cells
        return ((table + n_cells * expected) / total).clamp_min(tiny).log()

    expected = pooled.log()
    for axis in range(len(sizes) if len(sizes) > 1 else 0):
        others = [other for other in range(len(sizes)) if other != axis]
        of_label = grid.sum(dim=others, keepdim=True)
        expected = expected + smoothed(of_label, pooled) - pooled.log()
    return smoothed(grid, torch.softmax(expected, dim=-1)).reshape(counts.shape)


def node_counts(
    counts: Tensor, node_sizes: Sequence[int], regimes: Sequence[tuple[int, ...]]
) -> list[Tensor]:
    """Return for every node the counts, over the grid, of the samples in which it was not set.

    ``counts`` has shape (n_regimes, n_components); ``regimes`` says which nodes were set in each.
    """
    grids = []
    for node in range(len(node_sizes)):
        free = torch.tensor([node not in nodes for nodes in regimes], device=counts.device)
        grids.append(counts[free].sum(dim=0).reshape(tuple(node_sizes)))
    return grids


def weights_of_regimes(table: Tensor, regime_index: Tensor | None) -> Tensor:
    """Return the log-weights that samples see, from those of all regimes.

    Parameters
    ----------
    table : Tensor of shape (n_regimes, n_components)
        From :meth:`CausalPrior.regime_log_weights`.
    regime_index : Tensor of shape (1, n_samples) or None
        Number of each sample's regime; None where there is only one.

    Returns
    -------
    Tensor of shape (n_components,), or (n_components, n_samples) where there are several
        In nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import weights_of_regimes
    >>> weights_of_regimes(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([[1, 0, 1]]))
    tensor([[2., 0., 2.],
            [3., 1., 3.]])
    """
    return table[0] if regime_index is None else table[regime_index[0]].T
