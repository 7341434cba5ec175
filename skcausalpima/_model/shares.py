"""Shares of many samples, drawn anew for each epoch of a plan."""

from __future__ import annotations

import numpy as np
import torch

from .tensors import TensorData

#: A share of samples on disk is of so many runs of neighbours (arbitrary): more would read more of
#: a file, fewer would see less of one whose rows are sorted.
RUNS_OF_SHARE = 128


def share_of(data: TensorData, n_rows: int | None, generator: torch.Generator) -> TensorData:
    """Return so many samples at random, in order.

    Of those on disk these are runs of neighbours: chunks of a file are read as a whole. Ranks have
    what is their own of the share that one process with all samples would draw.

    Parameters
    ----------
    data : TensorData
        The samples.
    n_rows : int or None
        How many; None asks for all. All there are, if there are fewer.
    generator : torch.Generator
        Draws them; that of all ranks does where there are several.

    Returns
    -------
    TensorData
        The data themselves where it is of all.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima._model.shares import share_of
    >>> from skcausalpima._model.tensors import TensorData
    >>> from skcausalpima.modules import Batch
    >>> data = TensorData(Batch((torch.arange(100.0)[:, None],), None), torch.float32)
    >>> share_of(data, 3, torch.Generator().manual_seed(0)).arrays[0].shape
    torch.Size([3, 1])
    >>> share_of(data, None, torch.Generator()) is data
    True
    """
    n_of_all = data.n_of_all
    if n_rows is None or n_of_all <= n_rows:
        return data
    length = max(1, n_rows // RUNS_OF_SHARE) if data.anywhere(data.is_streamed) else 1
    runs = torch.randperm(n_of_all // length, generator=data.ranks.common or generator)
    first = length * runs[: n_rows // length].sort().values
    numbers = (first[:, None] + torch.arange(length)).flatten()
    if data.is_distributed:
        is_drawn = np.isin(data.ranks.positions(data.n_samples), numbers.numpy())
        numbers = torch.from_numpy(np.flatnonzero(is_drawn))
    return data.subset(numbers.to(data.device))
