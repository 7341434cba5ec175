"""Encoders of single modalities that training has taught nothing begin as linear maps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import MLPEncoder, SubsetEncoders

#: Samples that are looked at, and principal components of a modality that a map may use.
MAX_ROWS, N_COMPONENTS = 1000, 20

#: An encoder whose squared errors are so many times those of a linear map begins as the map.
WORSE = 2.0


class LinearMap(NamedTuple):
    """Latent points as a linear function of a modality, and the variance that it leaves."""

    weight: np.ndarray  # (latent_dim, width)
    offset: np.ndarray  # (latent_dim,)
    errors: np.ndarray  # (latent_dim,)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return latent points, (n_samples, latent_dim)."""
        return x @ self.weight.T + self.offset


@torch.no_grad()
def start_locations(pupil: SubsetEncoders, data: TensorData, points: Tensor) -> None:
    """Let encoders that others outvoted begin as linear maps to where samples lie.

    In the product of experts a modality that locates well leaves another nothing to learn, which
    then may say anything when it is asked alone.

    Parameters
    ----------
    pupil : SubsetEncoders
        Default encoders that are clearly worse than a linear map are changed.
    data : TensorData
        Samples.
    points : Tensor of shape (n_samples, latent_dim)
        Where they lie.
    """
    first = torch.arange(min(data.n_samples, MAX_ROWS), device=data.device)
    batch = data.subset(first).loaded().rows(slice(None))
    locations = pupil.eval().of_modalities(*pupil.outputs(batch))[0].double().cpu().numpy()
    targets = points[first].double().cpu().numpy()
    for m, encoder in enumerate(pupil.encoders):
        if not isinstance(encoder, MLPEncoder) or encoder.linear is None:
            continue
        like = encoder.linear.weight
        if not like.requires_grad:
            continue
        rows = slice(None) if batch.observed is None else batch.observed[m].cpu().numpy()
        parts = batch.arrays[m].double().cpu().numpy()[rows], targets[rows], locations[m][rows]
        x, z, located = map(data.ranks.gathered, parts)
        if len(x) < 4:
            continue
        scale = np.maximum(z.var(axis=0), np.finfo(float).tiny)
        errors = (np.square(located - z).mean(axis=0) / scale).sum()
        if errors > WORSE * (held_out_errors(x, z) / scale).sum():
            found = linear_map(x, z)
            log_var = np.log(np.maximum(found.errors, 1e-6))
            weight, offset, spread = (
                torch.as_tensor(part).to(like) for part in (found.weight, found.offset, log_var)
            )
            encoder.initialize_linear(weight, offset, spread, nonlinear=0.0)


def held_out_errors(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return mean squared errors of a linear map of one half of the samples on the other."""
    half = len(x) // 2
    return np.square(linear_map(x[:half], z[:half])(x[half:]) - z[half:]).mean(axis=0)


def linear_map(x: np.ndarray, z: np.ndarray) -> LinearMap:
    """Return the least-squares map from the first principal components of x to z.

    Parameters
    ----------
    x : ndarray of shape (n_samples, width)
        A modality.
    z : ndarray of shape (n_samples, latent_dim)
        Latent points.

    Returns
    -------
    LinearMap
        With at most a component for every four samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._training.linear_locations import linear_map
    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> np.allclose(linear_map(x, x[:, :1] + 2.0).weight, [[1.0, 0.0, 0.0]])
    True
    """
    mean, centre = x.mean(axis=0), z.mean(axis=0)
    n_found = max(1, min(N_COMPONENTS, len(x) // 4, x.shape[1]))
    left, singular, axes = randomized_svd(x - mean, n_found, random_state=0)
    kept = singular > 1e-8 * max(singular.max(initial=0.0), np.finfo(float).tiny)
    slopes = (left[:, kept] / singular[kept]).T @ (z - centre)  # (component, latent)
    weight = slopes.T @ axes[kept]
    errors = np.square(z - centre - (x - mean) @ weight.T).mean(axis=0)
    return LinearMap(weight, centre - weight @ mean, errors)
