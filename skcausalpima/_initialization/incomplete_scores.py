r"""Principal scores of samples that lack modalities: probabilistic PCA by EM.

The model is :math:`x_m = W_m z + b_m + \epsilon` with z from N(0, I) and one noise variance
:math:`s^2`. What is missing drops out of both steps [1]_.

References
----------
.. [1] S. Roweis, "EM algorithms for PCA and SPCA", NIPS, 1997.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Iterations of EM; more change nothing that clusters would notice.
N_ITER = 50


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
    """Fit probabilistic PCA to the observed blocks.

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
    padded = [np.column_stack([block, np.zeros(len(block))]) for block in loadings]
    data = _observed_data(blocks, observed)
    squares = sum(float(np.square(block).sum()) for block in blocks)
    found = LatentScores(
        means=np.zeros((observed.shape[1], loadings[0].shape[1])),
        loadings=padded,
        variance=max(0.1 * squares / data.n_elements, np.finfo(float).tiny),
    )
    for _ in range(N_ITER):
        found = _maximisation(data, *_expectation(data, found))
    return found


@dataclass(frozen=True, kw_only=True)
class _ObservedData:
    """What is observed, and by which samples: the same in all iterations.

    Parameters
    ----------
    masks : ndarray of bool of shape (n_modalities, n_samples)
        True where a sample has the modality.
    blocks : list of ndarray of shape (n_observed, width)
        The rows of each modality that are observed.
    patterns : ndarray of bool of shape (n_patterns, n_modalities)
        The different sets of observed modalities.
    numbers : ndarray of int of shape (n_samples,)
        The pattern of each sample.
    n_elements : float
        Number of observed elements.
    """

    masks: np.ndarray
    blocks: list[np.ndarray]
    patterns: np.ndarray
    numbers: np.ndarray
    n_elements: float


def _observed_data(blocks: Sequence[np.ndarray], observed: np.ndarray) -> _ObservedData:
    """Take out what is observed."""
    patterns, numbers = np.unique(observed.T, axis=0, return_inverse=True)
    seen_blocks = [block[seen] for block, seen in zip(blocks, observed, strict=True)]
    return _ObservedData(
        masks=observed,
        blocks=seen_blocks,
        patterns=patterns,
        numbers=numbers.ravel(),
        n_elements=float(sum(block.size for block in seen_blocks)),
    )


def _expectation(data: _ObservedData, found: LatentScores) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior means, and the covariance of each pattern."""
    grams = [block[:, :-1].T @ block[:, :-1] for block in found.loadings]
    pulls = np.zeros_like(found.means)
    for seen, block, loading in zip(data.masks, data.blocks, found.loadings, strict=True):
        pulls[seen] += (block - loading[:, -1]) @ loading[:, :-1]
    means, covariances = np.empty_like(pulls), []
    for number, members in enumerate(data.patterns):
        rows = data.numbers == number
        gram = sum((g for g, seen in zip(grams, members, strict=True) if seen), np.zeros(()))
        covariance = np.linalg.inv(np.eye(pulls.shape[1]) + gram / found.variance)
        means[rows] = pulls[rows] @ covariance / found.variance
        covariances.append(covariance)
    return means, np.stack(covariances)


def _maximisation(data: _ObservedData, means: np.ndarray, covariances: np.ndarray) -> LatentScores:
    """Return loadings and noise variance that fit best."""
    design = np.column_stack([means, np.ones(len(means))])
    loadings, total = [], 0.0
    for seen, block in zip(data.masks, data.blocks, strict=True):
        counts = np.bincount(data.numbers[seen], minlength=len(covariances))
        spread, rows = np.tensordot(counts, covariances, axes=1), design[seen]
        moments = rows.T @ rows
        moments[:-1, :-1] += spread
        loading = np.linalg.lstsq(moments, rows.T @ block, rcond=None)[0].T
        residual = block - rows @ loading.T
        inner = loading[:, :-1]
        total += float(np.square(residual).sum() + np.sum((inner @ spread) * inner))
        loadings.append(loading)
    variance = max(total / data.n_elements, np.finfo(float).tiny)
    return LatentScores(means=means, loadings=loadings, variance=variance)
