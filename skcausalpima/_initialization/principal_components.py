"""The linear warm start: encoders and decoders begin as probabilistic PCA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from .._clustering.arrangement import means_of_labels
from .._clustering.contest import View
from .._model.tensors import TensorData
from ..modules import ConvEncoder, MeanFieldVAE, MLPEncoder, MultimodalVAE
from .derived_views import ViewStart

#: Rows that the decomposition and the least squares look at; more bring nothing.
ROWS_OF_SVD = 10_000

#: Smallest residual variance and precision, in units of the scaled data.
FLOOR = 1e-3

#: Smallest variance within clusters, relative to the largest.
LEAST_WITHIN = 1e-9

#: Rows that tell the noise of a modality, and how often noise and components take turns.
NOISE_ROWS, NOISE_TURNS = 1000, 3

#: Iterations of EM; more change nothing that clusters would notice.
N_ITER = 50


@dataclass(frozen=True, kw_only=True)
class PrincipalScores(View):
    """Principal components of the weighted modalities; balanced, each of them counts alike.

    Parameters
    ----------
    whitened : ndarray of shape (n_samples, n_scores)
        Where the latent space begins: of variance 1, or 0 where there is no such score.
    scaled, placed, columns
        Of :class:`View`; ``scaled`` with their standard deviations, by falling variance.
    """

    whitened: np.ndarray

    def in_units_of_clusters(self, rows: np.ndarray, labels: np.ndarray) -> PrincipalScores:
        r"""Return all scores in units of what varies within clusters, by falling variance.

        The first ones are canonical variates (linear discriminants): within clusters, all of them
        have the variance one and no correlation, and no direction tells clusters apart better.

        Parameters
        ----------
        rows : ndarray of int of shape (n_rows,)
            Samples of known clusters.
        labels : ndarray of int of shape (n_rows,)
            These, numbered from 0.

        Returns
        -------
        PrincipalScores
            As many as there are directions of any variance within clusters.
        """
        points = self.scaled[:, self.whitened.any(axis=0)]
        points = points - points.mean(axis=0)
        means, _ = means_of_labels(labels, points[rows], labels.max() + 1)
        within = points[rows] - means[labels]
        values, vectors = np.linalg.eigh(within.T @ within / len(rows))
        varies = values > LEAST_WITHIN * values[-1]
        points = points @ (vectors[:, varies] / np.sqrt(values[varies]))
        points = points @ np.linalg.eigh(points[rows].T @ points[rows])[1][:, ::-1]
        return replace(self, whitened=points / points.std(axis=0), scaled=points, placed=points)


def principal_scores(
    data: TensorData,
    n_components: int,
    seed: int,
    views: Mapping[int, ViewStart] | None = None,
    weights: Sequence[float] | None = None,
    noise: np.ndarray | None = None,
) -> PrincipalScores:
    """Return the principal scores of all samples.

    Every modality is centred and divided by the square root of its width, or, with ``weights`` of
    the log-likelihoods, by the square root of ``noise``, the variance of the modality's noise, over
    its weight. Its derived view, if it has one, stands beside it. The directions come
    from at most ``ROWS_OF_SVD`` samples. Where blocks are missing, they are those of probabilistic
    PCA (:func:`incomplete_scores`), which begins with missing blocks at their means.
    """
    widths = np.array([array.shape[1] for array in data.arrays], dtype=np.float64)
    units = np.sqrt(widths)
    if weights is not None and noise is not None:
        units = np.sqrt(noise / np.asarray(weights))
        units *= np.sqrt((widths / np.square(units)).mean())  # the mean variance of a block is 1
    blocks = _weighted(data, units)
    views = {m: view.times(np.sqrt(widths[m]) / units[m]) for m, view in (views or {}).items()}
    blocks += [view.scores for view in views.values()]
    placing = [view.placing for view in views.values() if view.placing is not None]
    stacked = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
    part = stacked[_some_rows(len(stacked), seed)]
    n_found = min(n_components, *part.shape)
    if min(part.shape) <= 4 * n_components + 20:
        _, singular, components = np.linalg.svd(part, full_matrices=False)
    else:
        _, singular, components = randomized_svd(part, n_found, random_state=seed)
    keep = singular[:n_found] > 1e-8 * max(singular[0], np.finfo(float).tiny)
    scaled, deviations = np.zeros((len(stacked), n_components)), np.zeros(n_components)
    if data.observed is not None and keep.any():
        loadings = (singular[:n_found, None] * components[:n_found])[keep].T / np.sqrt(len(part))
        observed = data.observed[[*range(len(data.arrays)), *views]].cpu().numpy()
        ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
        principal = incomplete_scores(blocks, observed, np.split(loadings, ends)).principal
        scaled[:, : principal.shape[1]] = principal
        deviations = scaled.std(axis=0)
    else:
        scaled[:, :n_found][:, keep] = stacked @ components[:n_found][keep].T
        deviations[:n_found][keep] = singular[:n_found][keep] / np.sqrt(len(part))
    whitened = np.divide(scaled, deviations, out=np.zeros_like(scaled), where=deviations > 0)
    # clusters are laid on the grid by the scores, and by copies of images
    placed = np.concatenate([scaled, *placing], axis=1) if placing else scaled
    return PrincipalScores(whitened=whitened, scaled=scaled, placed=placed)


def _some_rows(n_samples: int, seed: int = 0) -> np.ndarray | slice:
    """Return rows from everywhere (the data may be sorted), or all if they are not too many."""
    if n_samples <= ROWS_OF_SVD:
        return slice(None)
    return np.sort(np.random.default_rng(seed).permutation(n_samples)[:ROWS_OF_SVD])


def _weighted(data: TensorData, units: np.ndarray) -> list[np.ndarray]:
    """Return all modalities, centred, each divided by its unit; missing ones are 0."""
    blocks = []
    for m, array in enumerate(data.arrays):
        block = array.cpu().numpy() / units[m]
        if data.observed is None:
            block -= block.mean(axis=0, dtype=np.float64)
        else:
            present = data.observed[m].cpu().numpy()
            block -= block[present].sum(axis=0, dtype=np.float64) / max(present.sum(), 1)
            block[~present] = 0.0
        blocks.append(block)
    return blocks


def noise_variances(data: TensorData, n_components: int, seed: int) -> np.ndarray:
    """Return what each modality's elements vary beside a few common principal components.

    Components and variances take turns, as each depends on the other: modalities are divided by
    the standard deviations of their noise.

    Parameters
    ----------
    data : TensorData
        Scaled samples.
    n_components : int
        Number of components that are no noise.
    seed : int
        Of the rows that are looked at, and of the decomposition.

    Returns
    -------
    ndarray of shape (n_modalities,)
        Positive variances.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(data.n_samples)[:NOISE_ROWS])
    part = data.subset(torch.as_tensor(rows, device=data.device))
    blocks = _weighted(part, np.ones(len(part.arrays)))
    present = part.samples.present.cpu().numpy()
    ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
    n_found = min(n_components, len(rows) - 1, sum(block.shape[1] for block in blocks) - 1)

    def variances(parts: Sequence[np.ndarray]) -> np.ndarray:
        pairs = zip(parts, present, strict=True)
        return np.array(
            [np.square(block[mask]).mean() if mask.any() else 0.0 for block, mask in pairs]
        )

    spread = variances(blocks)
    least = FLOOR * np.where(spread > 0, spread, 1.0)
    noise = np.maximum(spread, least)
    for _ in range(NOISE_TURNS if n_found > 0 else 0):
        pairs = zip(blocks, np.sqrt(noise), strict=True)
        stacked = np.concatenate([block / unit for block, unit in pairs], axis=1)
        left, singular, axes = randomized_svd(stacked, n_found, random_state=seed)
        errors = np.split(stacked - (left * singular) @ axes, ends, axis=1)
        noise = np.maximum(noise * variances(errors), least)
    return noise


@torch.no_grad()
def initialize_networks(
    model: MultimodalVAE,
    data: TensorData,
    scores: np.ndarray,
    views: Mapping[int, ViewStart] | None = None,
) -> None:
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
    views : mapping of int to ViewStart, default=None
        Derived views, by the number of their modality.
    """
    fits = [_fit_decoder(model, m, data, scores) for m in range(len(data.arrays))]
    weights = model.error_weights().cpu().double()
    for m, (slope, offset) in enumerate(fits):  # encoders need all decoder variances
        _initialize_encoder(model, model.encoders[m], slope, offset, weights[m])
    for m, view in model.views.by_modality():
        start = (views or {})[m]
        for name in ("slope", "offset", "mean", "components"):
            getattr(view, name).copy_(torch.as_tensor(getattr(start, name)))
        rows = observed_rows(data, m)
        slope, offset, _ = _least_squares(torch.as_tensor(start.scores[rows]), scores[rows])
        view.decoder.initialize_linear(slope.T, offset)
        _initialize_encoder(model, view.encoder, slope, offset, view.error_weight(weights[m]))


def _fit_decoder(
    model: MultimodalVAE, m: int, data: TensorData, scores: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Fit one modality's observed samples on their scores; initialize its decoder."""
    rows = observed_rows(data, m)
    x = data.arrays[m][rows].cpu().double()
    slope, offset, squares = _least_squares(x, scores[rows])
    variance = x.var(dim=0, correction=0).mean()
    floor = FLOOR * torch.where(variance > 0, variance, torch.ones_like(variance))
    of_each = torch.maximum(squares.mean(dim=0), floor).log()
    of_all = torch.maximum(squares.mean(), floor).log()
    model.log_variances[m] = model.decoders[m].begin(x, slope.T, offset, of_each, of_all)
    return slope, offset


def observed_rows(data: TensorData, m: int) -> np.ndarray:
    """Return the numbers of samples that have a modality, or of enough of them."""
    rows = np.flatnonzero(data.samples.present[m].cpu().numpy())
    return rows[_some_rows(len(rows))]


def _least_squares(x: Tensor, scores: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Return slope (latent, width) and offset (width,) of x on scores, and squared residuals."""
    z = torch.as_tensor(scores)
    design = torch.cat([z, torch.ones(len(z), 1, dtype=z.dtype)], dim=1)
    coefficients = torch.linalg.lstsq(design, x, driver="gelsd").solution
    return coefficients[:-1], coefficients[-1], (x - design @ coefficients).square()


def _initialize_encoder(
    model: MultimodalVAE, encoder: nn.Module, slope: Tensor, offset: Tensor, weight: Tensor
) -> None:
    """Initialize an encoder, if it is one of ours, as the posterior of a linear decoder.

    The decoder has this slope, (latent_dim, width), and offset; ``weight`` is that of its errors.
    """
    if not isinstance(encoder, MLPEncoder | ConvEncoder):
        return
    prior_expert = not isinstance(model, MeanFieldVAE) or model.prior_expert
    share = 1.0 / (len(model.encoders) + len(model.views))  # in the unit Gaussian
    information = weight * slope @ slope.T
    eye = torch.eye(len(slope), dtype=slope.dtype)
    encoder_map = torch.linalg.solve(information + share * eye, weight * slope)
    precision = information.diagonal().clamp_min(FLOOR)
    if prior_expert:
        encoder_map = encoder_map * ((precision + share) / precision)[:, None]
        log_var = -precision.log()
    else:
        log_var = -(precision + share).log()
    encoder.initialize_linear(encoder_map, -encoder_map @ offset, log_var)


@dataclass(frozen=True, kw_only=True)
class LatentScores:
    """What probabilistic PCA says of z.

    Parameters
    ----------
    means : ndarray of shape (n_samples, n_components)
        Posterior means.
    loadings : list of ndarray of shape (width, n_components + 1)
        Per modality W, and b in the last column.
    variance : float
        Of the noise.
    """

    means: np.ndarray
    loadings: list[np.ndarray]
    variance: float

    @property
    def principal(self) -> np.ndarray:
        """Scores on the principal axes of the loadings, with their standard deviations."""
        stacked = np.concatenate([block[:, :-1] for block in self.loadings])
        _, singular, axes = np.linalg.svd(stacked, full_matrices=False)
        return self.means @ axes.T * singular


def incomplete_scores(
    blocks: Sequence[np.ndarray], observed: np.ndarray, loadings: Sequence[np.ndarray]
) -> LatentScores:
    r"""Fit probabilistic PCA by EM to the observed blocks of samples that lack modalities.

    The model is :math:`x_m = W_m z + b_m + \epsilon` with z from N(0, I) and one noise variance
    :math:`s^2`. What is missing drops out of both steps [1]_.

    .. [1] S. Roweis, "EM algorithms for PCA and SPCA", NIPS, 1997.

    Parameters
    ----------
    blocks : sequence of ndarray of shape (n_samples, width)
        Balanced modalities; rows that are missing hold zeros.
    observed : ndarray of bool of shape (n_modalities, n_samples)
        True where a sample has the modality.
    loadings : sequence of ndarray of shape (width, n_components)
        Where W begins, per modality.

    Returns
    -------
    LatentScores
        After the last iteration.
    """
    patterns, numbers = np.unique(observed.T, axis=0, return_inverse=True)
    numbers, least = numbers.ravel(), float(np.finfo(float).tiny)
    known = [block[mask] for block, mask in zip(blocks, observed, strict=True)]
    n_elements = float(sum(block.size for block in known))
    squares = sum(float(np.square(block).sum()) for block in blocks)
    extended = [np.column_stack([loading, np.zeros(len(loading))]) for loading in loadings]
    means = np.zeros((observed.shape[1], loadings[0].shape[1]))
    variance = max(0.1 * squares / n_elements, least)
    for _ in range(N_ITER):
        # Expectation: posterior means, and a covariance for each set of observed modalities.
        grams = [loading[:, :-1].T @ loading[:, :-1] for loading in extended]
        pulls = np.zeros_like(means)
        for mask, block, loading in zip(observed, known, extended, strict=True):
            pulls[mask] += (block - loading[:, -1]) @ loading[:, :-1]
        covariances = np.empty((len(patterns), means.shape[1], means.shape[1]))
        for k, members in enumerate(patterns):
            rows = numbers == k
            gram = sum((g for g, here in zip(grams, members, strict=True) if here), np.zeros(()))
            covariances[k] = np.linalg.inv(np.eye(means.shape[1]) + gram / variance)
            means[rows] = pulls[rows] @ covariances[k] / variance
        # Maximisation: loadings and noise variance.
        design = np.column_stack([means, np.ones(len(means))])
        total = 0.0
        for m, (mask, block) in enumerate(zip(observed, known, strict=True)):
            counts = np.bincount(numbers[mask], minlength=len(patterns))
            spread, rows = np.tensordot(counts, covariances, axes=1), design[mask]
            moments = rows.T @ rows
            moments[:-1, :-1] += spread
            extended[m] = np.linalg.lstsq(moments, rows.T @ block, rcond=None)[0].T
            residual, inner = block - rows @ extended[m].T, extended[m][:, :-1]
            total += float(np.square(residual).sum() + np.sum((inner @ spread) * inner))
        variance = max(total / n_elements, least)
    return LatentScores(means=means, loadings=extended, variance=variance)
