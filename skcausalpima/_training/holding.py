"""Samples that keep their component while the model is trained.

Clusters are cut in the data, often in more dimensions than the latent space has, whose mixture has
Gaussian components besides. So at first it need not see what the clusters saw: responsibilities
that are free wander off before the networks have learned to tell the clusters apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .._clustering.margins import AGREED, CLEAR_SAMPLE
from .._model.tensors import TensorData


@dataclass(frozen=True, kw_only=True)
class StartingCells:
    """Where the samples that clusters were found on lie when training begins.

    Parameters
    ----------
    cells : Tensor of int of shape (n_samples,)
        The most probable cell of each.
    held : Tensor of bool of shape (n_samples,)
        Which of them stay there while the model is trained.
    rows : Tensor of int of shape (n_rows,) or None
        Which rows here they are of those that the model is learned from; None for all.
    positions : ndarray of int of shape (n_rows,), default=None
        Which of the samples are those of this rank; None for all.
    """

    cells: Tensor
    held: Tensor
    rows: Tensor | None
    positions: np.ndarray | None = None

    def of(self, data: TensorData) -> TensorData:
        """Return the samples here among those that the model is learned from."""
        return data if self.rows is None else data.subset(self.rows)


def starting_cells(
    responsibilities: Tensor,
    rows: Tensor | None,
    agreement: float,
    positions: np.ndarray | None = None,
) -> StartingCells:
    """Return where samples lie when training begins, and which of them are held.

    Parameters
    ----------
    responsibilities : Tensor of shape (n_components, n_samples)
        Of the clusters that were chosen.
    rows : Tensor of int of shape (n_samples,) or None
        See :class:`StartingCells`.
    agreement : float
        How far other clusterings agree with these, from 0 to 1.
    positions : ndarray or None, default=None
        See :class:`StartingCells`.

    Returns
    -------
    StartingCells
        None is held unless clusterings agree.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima._training.holding import starting_cells
    >>> gamma = torch.tensor([[1.0, 0.2, 0.4], [0.0, 0.8, 0.6]])
    >>> found = starting_cells(gamma, None, 0.99)
    >>> found.cells.tolist(), found.held.tolist()
    ([0, 1, 1], [True, False, False])
    >>> starting_cells(gamma, None, 0.9).held.any().item()
    False
    """
    largest = responsibilities.max(dim=0)
    held = (largest.values > CLEAR_SAMPLE) & bool(agreement >= AGREED)
    return StartingCells(cells=largest.indices, held=held, rows=rows, positions=positions)


def hold(data: TensorData, start: StartingCells | None, n_cells: int) -> TensorData:
    """Return samples of which those that are held may only lie in their cell.

    Parameters
    ----------
    data : TensorData
        Samples that the model is learned from; nothing of them is changed.
    start : StartingCells or None
        None holds none. Where what is known of a sample does not allow its cell, it is not held.
    n_cells : int
        Number of cells.

    Returns
    -------
    TensorData
        The same numbers, with other ``allowed``.
    """
    if start is None or not start.held.any():
        return data
    rows = torch.arange(len(start.cells), device=data.device) if start.rows is None else start.rows
    here = slice(None) if start.positions is None else torch.as_tensor(start.positions)
    cells, held_here = start.cells[here], start.held[here]
    cells, rows = cells[held_here], rows[held_here]
    allowed = data.allowed
    if allowed is None:
        allowed = torch.ones(n_cells, data.n_samples, dtype=torch.bool, device=data.device)
    possible = allowed[cells, rows]
    cells, rows = cells[possible], rows[possible]
    held = allowed.clone()
    held[:, rows] = False
    held[cells, rows] = True
    return replace(data, samples=replace(data.samples, allowed=held))
