"""What is missing, before anything is known of clusters: elements of a matrix of low rank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd

from .._base.grid import n_effects
from .._data.samples import FitSamples
from .._model.scaled_samples import fit_data
from .._model.setup import Setup
from .._model.tensors import TensorData

#: Rounds of decomposing and filling in what is missing (arbitrary).
N_ROUNDS = 20


def filled_data(setup: Setup, samples: FitSamples) -> TensorData:
    """Return samples in the units of a setup; missing elements are those of a low-rank matrix."""
    spec = setup.spec
    n_directions = n_effects(spec.node_sizes) if setup.left_open.dimension else spec.latent_dim
    return filled_by_low_rank(fit_data(samples, setup), n_directions)


def filled_by_low_rank(data: TensorData, n_directions: int) -> TensorData:
    """Return data whose missing elements are those of a matrix of low rank.

    All modalities side by side, each centred and divided by the root of its width, are decomposed;
    what is missing is replaced by the leading components, and so on. What is observed stays.

    Parameters
    ----------
    data : TensorData
        The samples; missing elements hold zeros.
    n_directions : int
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
    present = np.concatenate([data.seen(m) for m in range(len(widths))], axis=1)
    observed = np.concatenate([array.cpu().numpy() for array in data.arrays], axis=1) / scale
    counts = np.maximum(present.sum(axis=0), 1)
    fitted = np.broadcast_to((observed * present).sum(axis=0) / counts, observed.shape)
    directions = None  # leading right singular vectors, by one step from those of the last round
    for _ in range(N_ROUNDS):
        whole = np.where(present, observed, fitted)
        centre = whole.mean(axis=0)
        whole -= centre
        if directions is None:
            directions = randomized_svd(whole, min(n_directions, *whole.shape), random_state=0)[2].T
        else:
            directions = np.linalg.qr(whole.T @ (whole @ directions))[0]
        fitted = (whole @ directions) @ directions.T + centre
    blocks = np.split(fitted * scale, np.cumsum(widths)[:-1], axis=1)
    arrays = list(data.arrays)
    for m, mask in data.elements.items():
        values = torch.as_tensor(blocks[m]).to(arrays[m])
        in_part = mask.any(dim=1, keepdim=True)
        arrays[m] = torch.where(in_part & ~mask, values, arrays[m])
    return replace(data, samples=replace(data.samples, arrays=tuple(arrays)))
