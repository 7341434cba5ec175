"""The linear warm start: encoders and decoders begin as probabilistic PCA (design 2a)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import ConvEncoder, MLPEncoder, MultimodalVAE
from .incomplete_scores import incomplete_scores

#: Rows that the decomposition and the least squares look at; more bring nothing.
MAX_ROWS = 10_000

#: Smallest residual variance and precision, in units of the scaled data.
FLOOR = 1e-3


@dataclass(frozen=True, kw_only=True)
class PrincipalScores:
    """Principal components of the balanced modalities (every modality counts alike)."""

    whitened: np.ndarray  # (sample, component): variance 1, zero columns where there is none
    scaled: np.ndarray  # (sample, component): with their standard deviations


def principal_scores(data: TensorData, n_components: int, seed: int) -> PrincipalScores:
    """Return the principal scores of all samples.

    Every modality is centred and divided by the square root of its width. The directions come
    from at most ``MAX_ROWS`` samples. Where blocks are missing, they are those of probabilistic
    PCA (:mod:`.incomplete_scores`), which begins with missing blocks at their means.
    """
    stacked = _balanced(data)
    part = stacked[_some_rows(len(stacked), seed)]
    n_found = min(n_components, *part.shape)
    if min(part.shape) <= 4 * n_components + 20:
        _, singular, components = np.linalg.svd(part, full_matrices=False)
    else:
        _, singular, components = randomized_svd(part, n_found, random_state=seed)
    keep = singular[:n_found] > 1e-8 * max(singular[0], np.finfo(float).tiny)
    if data.observed is not None and keep.any():
        loadings = (singular[:n_found, None] * components[:n_found])[keep].T / np.sqrt(len(part))
        return _incomplete(data, stacked, loadings, n_components)
    scaled = np.zeros((len(stacked), n_components))
    scaled[:, :n_found][:, keep] = stacked @ components[:n_found][keep].T
    deviations = np.zeros(n_components)
    deviations[:n_found][keep] = singular[:n_found][keep] / np.sqrt(len(part))
    whitened = np.divide(scaled, deviations, out=np.zeros_like(scaled), where=deviations > 0)
    return PrincipalScores(whitened=whitened, scaled=scaled)


def _incomplete(
    data: TensorData, stacked: np.ndarray, loadings: np.ndarray, n_components: int
) -> PrincipalScores:
    """Return the principal scores of samples that lack modalities."""
    ends = np.cumsum([array.shape[1] for array in data.arrays])[:-1]
    observed = cast(Tensor, data.observed).cpu().numpy()
    blocks, starts = np.split(stacked, ends, axis=1), np.split(loadings, ends)
    found = incomplete_scores(blocks, observed, starts).principal
    scaled = np.zeros((len(stacked), n_components))
    scaled[:, : found.shape[1]] = found
    deviations = scaled.std(axis=0)
    whitened = np.divide(scaled, deviations, out=np.zeros_like(scaled), where=deviations > 0)
    return PrincipalScores(whitened=whitened, scaled=scaled)


def _some_rows(n_samples: int, seed: int = 0) -> np.ndarray | slice:
    """Return rows from everywhere (the data may be sorted), or all if they are not too many."""
    if n_samples <= MAX_ROWS:
        return slice(None)
    return np.sort(np.random.default_rng(seed).permutation(n_samples)[:MAX_ROWS])


def _balanced(data: TensorData) -> np.ndarray:
    """Return all modalities side by side, centred, each divided by the root of its width."""
    blocks = []
    for m, array in enumerate(data.arrays):
        block = array.cpu().numpy() / np.sqrt(array.shape[1])
        if data.observed is None:
            block -= block.mean(axis=0, dtype=np.float64)
        else:
            present = data.observed[m].cpu().numpy()
            block -= block[present].mean(axis=0, dtype=np.float64)
            block[~present] = 0.0
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


@torch.no_grad()
def initialize_networks(model: MultimodalVAE, data: TensorData, scores: np.ndarray) -> None:
    r"""Initialize encoders, decoders and decoder variances as probabilistic PCA.

    The decoder map B of a modality is its least-squares fit on the J whitened scores, the
    decoder variance :math:`s^2` its residual. The encoder is the posterior of that model:
    map :math:`(B B^T / s^2 + I / M)^{-1} B / s^2` (with the weight that the modality's errors
    have in training in the place of :math:`1 / s^2`) and precision :math:`p + 1/M` with
    :math:`p = \mathrm{diag}(B B^T / s^2)`. With a prior expert, which adds the unit precision
    itself, the rows of the map are multiplied by :math:`(p + 1/M) / p` and the precision is p.

    Parameters
    ----------
    model : MultimodalVAE
        Its default encoders and decoders are changed in place; other modules are left alone.
    data : TensorData
        Scaled samples.
    scores : ndarray of shape (n_samples, latent_dim)
        Whitened principal scores.
    """
    fits = [_fit_decoder(model, m, data, scores) for m in range(len(data.arrays))]
    for m, (slope, offset) in enumerate(fits):  # encoders need all decoder variances
        _initialize_encoder(model, m, slope, offset)


def _fit_decoder(
    model: MultimodalVAE, m: int, data: TensorData, scores: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Fit one modality's observed samples on their scores; initialize its decoder."""
    rows = np.arange(data.n_samples)
    if data.observed is not None:
        rows = np.flatnonzero(data.observed[m].cpu().numpy())
    rows = rows[_some_rows(len(rows))]
    x, z = data.arrays[m][rows].double().cpu(), torch.as_tensor(scores[rows])
    design = torch.cat([z, torch.ones(len(z), 1, dtype=z.dtype)], dim=1)
    coefficients = torch.linalg.lstsq(design, x, driver="gelsd").solution
    slope, offset = coefficients[:-1], coefficients[-1]  # (latent, width), (width,)
    variance = x.var(dim=0, correction=0).mean()
    floor = FLOOR * torch.where(variance > 0, variance, torch.ones_like(variance))
    squares = (x - design @ coefficients).square()
    model.log_variances[m] = torch.maximum(squares.mean(), floor).log()
    log_variances = torch.maximum(squares.mean(dim=0), floor).log()
    model.decoders[m].initialize_linear(slope.T, offset, log_variances)
    return slope, offset


def _initialize_encoder(model: MultimodalVAE, m: int, slope: Tensor, offset: Tensor) -> None:
    """Initialize one encoder, if it is one of ours, as the posterior of the linear decoder."""
    encoder = model.encoders[m]
    if not isinstance(encoder, MLPEncoder | ConvEncoder):
        return
    weight = model.error_weights()[m].double().cpu()
    share = 1.0 / len(model.encoders)
    information = weight * slope @ slope.T
    eye = torch.eye(len(slope), dtype=slope.dtype)
    encoder_map = torch.linalg.solve(information + share * eye, weight * slope)
    precision = information.diagonal().clamp_min(FLOOR)
    if model.prior_expert:
        encoder_map = encoder_map * ((precision + share) / precision)[:, None]
        log_var = -precision.log()
    else:
        log_var = -(precision + share).log()
    encoder.initialize_linear(encoder_map, -encoder_map @ offset, log_var)
