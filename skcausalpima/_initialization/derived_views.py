"""Derived views before training: the principal components of what is computed from modalities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from .._model.setup import Setup
from .._model.tensors import BLOCK_ROWS, TensorData
from ..modules import N_COMPONENTS, log_power_spectrum, spatial_axes

#: Standard deviations of the Gaussians that blur a curve, relative to its length.
CURVE_SCALES = (1 / 8, 1 / 16, 1 / 32)

#: The same for the coarse copy of an image, by which clusters are laid on the grid.
IMAGE_SCALE = 1 / 4

#: Rows and columns that are left of a coarse image, and of a centred one.
COARSE_PIXELS, CENTRED_PIXELS = 8, 16


@dataclass(frozen=True, kw_only=True)
class ViewStart:
    """A view as it is from the beginning to the end of a fit.

    Parameters
    ----------
    slope, offset : ndarray of shape (width,)
        Take scaled data to units of their standard deviation.
    mean : ndarray of shape (n_features,)
        Of the features.
    components : ndarray of shape (n_features, n_components)
        Principal axes; every level of the view has a variance of 1 in all.
    scores : ndarray of shape (n_samples, n_components)
        Of all samples; zero where the modality is missing.
    placing : ndarray of shape (n_samples, n_places) or None
        A coarse and a centred copy of images, each with a variance of 1 in all, which serve the
        arrangement alone.
    """

    slope: np.ndarray
    offset: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    scores: np.ndarray
    placing: np.ndarray | None

    def times(self, factor: float) -> ViewStart:
        """Return the view of a modality that counts for more, or less, in principal scores."""
        placing = None if self.placing is None else factor * self.placing
        return replace(self, scores=factor * self.scores, placing=placing)


def fit_views(setup: Setup, data: TensorData, seed: int) -> dict[int, ViewStart]:
    """Return the views of the modalities that have one, by their numbers."""
    return {
        m: _fit_view(setup, data, m, kind, seed)
        for m, kind in enumerate(setup.spec.views)
        if kind is not None
    }


def _fit_view(setup: Setup, data: TensorData, m: int, kind: str, seed: int) -> ViewStart:
    """Fit one view to the samples that have its modality."""
    shape, scaled = setup.spec.shapes[m], data.arrays[m].cpu().numpy()
    present = data.samples.present[m].cpu().numpy()
    centre, factor = setup.units[m]
    factor = np.broadcast_to(factor, centre.shape).ravel()
    raw = scaled[present] * factor.astype(scaled.dtype) + centre.ravel().astype(scaled.dtype)
    deviation, largest = float(raw.std(dtype=np.float64)), float(np.abs(raw).max(initial=0.0))
    unit = deviation if deviation > 1e-6 * largest else 1.0  # what does not vary has no unit
    values = (raw / unit).astype(np.float32)
    if kind == "scale_space":
        mean, components, copies = *_scale_space(values, seed), None
        projected = (values - mean) @ components
    else:
        blocks = torch.as_tensor(values).unflatten(1, shape).split(BLOCK_ROWS)
        features = torch.cat([log_power_spectrum(block) for block in blocks]).numpy()
        mean = features.mean(axis=0, dtype=np.float64)
        centred = features - mean
        components = _axes(centred, seed) / _total_deviation(centred)  # so that all vary by 1
        projected, copies = centred @ components, _copies(values, shape)
    scores = np.zeros((len(scaled), N_COMPONENTS))
    scores[present] = projected
    placing = None
    if copies is not None:
        placing = np.zeros((len(scaled), copies.shape[1]))
        placing[present] = copies
    return ViewStart(
        slope=factor / unit,
        offset=centre.ravel() / unit,
        mean=mean,
        components=components,
        scores=scores,
        placing=placing,
    )


def _scale_space(curves: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of curves, and the map to the principal scores of their coarse copies."""
    length = curves.shape[1]
    mean = curves.mean(axis=0, dtype=np.float64)
    blurs = []
    for scale in CURVE_SCALES:
        kernels = gaussian_filter1d(np.eye(length), scale * length, axis=1, mode="nearest")
        blurs.append(kernels / _total_deviation((curves - mean) @ kernels))
    blur = np.concatenate(blurs, axis=1)
    axes = _axes((curves - mean) @ blur, seed)
    return mean, blur @ axes


def _axes(centred: np.ndarray, seed: int) -> np.ndarray:
    """Return principal axes as columns, zeros where there are none."""
    axes = np.zeros((centred.shape[1], N_COMPONENTS))
    n_found = min(N_COMPONENTS, *centred.shape)
    directions = randomized_svd(centred, n_found, random_state=seed)[2]
    axes[:, :n_found] = directions.T
    return axes


def _total_deviation(centred: np.ndarray) -> float:
    """Return the root of the total variance; 1 where there is none."""
    total = float(np.square(centred, dtype=np.float64).sum()) / max(len(centred), 1)
    return total**0.5 if total > 0 else 1.0


def _copies(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a coarse and a centred copy of images, side by side.

    In the first effects on the places of small objects add up, in the second those on what they
    look like, wherever they are.
    """
    first, second = (axis + 1 for axis in spatial_axes(shape))
    images: Tensor = torch.as_tensor(values).unflatten(1, shape)
    images = images.movedim((first, second), (-2, -1))
    images = images.reshape(len(images), -1, *images.shape[-2:])
    coarse = nn.functional.adaptive_avg_pool2d(images, COARSE_PIXELS).numpy()
    for axis in (-2, -1):
        sigma = IMAGE_SCALE * COARSE_PIXELS
        coarse = gaussian_filter1d(coarse, sigma, axis=axis, mode="nearest")
    n_pixels = min(CENTRED_PIXELS, *images.shape[-2:])
    centred = nn.functional.adaptive_avg_pool2d(_centred(images), n_pixels).numpy()
    return np.concatenate([_standardised(copy) for copy in (coarse, centred)], axis=1)


def _centred(images: Tensor) -> Tensor:
    """Shift images, around their edges, so that what is no background lies in the middle.

    Background is less than a quarter as far from an image's median as its farthest pixel.
    ``images`` are of shape (n_samples, n_channels, height, width).
    """
    deviations = (images - images.flatten(2).median(dim=2).values[..., None, None]).abs().sum(dim=1)
    mass = deviations * (deviations > 0.25 * deviations.amax(dim=(1, 2), keepdim=True))
    for axis in (1, 2):
        length = mass.shape[axis]
        profile = mass.sum(dim=3 - axis)
        total = profile.sum(dim=1).clamp_min(torch.finfo(mass.dtype).tiny)
        middle = (profile @ torch.arange(length, dtype=mass.dtype)) / total
        shift = (middle - (length - 1) / 2).round().long()
        positions = (torch.arange(length) + shift[:, None]) % length  # (n_samples, length)
        index = positions[:, None, :, None] if axis == 1 else positions[:, None, None, :]
        images = images.take_along_dim(index, dim=axis + 1)
    return images


def _standardised(copies: np.ndarray) -> np.ndarray:
    """Return copies flat and centred, with a variance of 1 in all."""
    flat = copies.reshape(len(copies), -1)
    centred = flat - flat.mean(axis=0, dtype=np.float64)
    return centred / _total_deviation(centred)
