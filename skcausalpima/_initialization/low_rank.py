"""Missing elements before there is a model: a matrix of low rank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd

from .._model.tensors import TensorData

#: Rounds of decomposing and filling in.
N_ROUNDS = 20


def filled_by_low_rank(data: TensorData, rank: int) -> TensorData:
    """Return data whose missing elements are those of a matrix of low rank.

    All modalities side by side, each centred and divided by the root of its width, are decomposed;
    what is missing is replaced by the leading components, and so on. What is observed stays.

    Parameters
    ----------
    data : TensorData
        The samples; missing elements hold zeros.
    rank : int
        Number of components.

    Returns
    -------
    TensorData
        The data themselves where no element is missing. Modalities that samples lack stay zeros.
    """
    if not data.elements:
        return data
    widths = [array.shape[1] for array in data.arrays]
    scale = np.repeat(np.sqrt(widths), widths)
    seen = np.concatenate([data.seen(m) for m in range(len(widths))], axis=1)
    observed = np.concatenate([array.cpu().numpy() for array in data.arrays], axis=1) / scale
    counts = np.maximum(seen.sum(axis=0), 1)
    found = np.broadcast_to((observed * seen).sum(axis=0) / counts, observed.shape)
    directions = None
    for _ in range(N_ROUNDS):
        whole = np.where(seen, observed, found)
        centre = whole.mean(axis=0)
        whole -= centre
        directions = _leading(whole, min(rank, *whole.shape), directions)
        found = (whole @ directions) @ directions.T + centre
    blocks = np.split(found * scale, np.cumsum(widths)[:-1], axis=1)
    arrays = list(data.arrays)
    for m, mask in data.elements.items():
        values = torch.as_tensor(blocks[m]).to(arrays[m])
        in_part = mask.any(dim=1, keepdim=True)
        arrays[m] = torch.where(in_part & ~mask, values, arrays[m])
    return replace(data, samples=replace(data.samples, arrays=tuple(arrays)))


def _leading(whole: np.ndarray, rank: int, near: np.ndarray | None) -> np.ndarray:
    """Return the leading right singular vectors as columns, by one step from near ones."""
    if near is None:
        return randomized_svd(whole, rank, random_state=0)[2].T
    return np.linalg.qr(whole.T @ (whole @ near))[0]
