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
    elements = float((observed * np.array([[block.shape[1]] for block in blocks])).sum())
    squares = sum(float(np.square(block).sum()) for block in blocks)
    found = LatentScores(
        means=np.zeros((observed.shape[1], loadings[0].shape[1])),
        loadings=padded,
        variance=max(0.1 * squares / elements, np.finfo(float).tiny),
    )
    for _ in range(N_ITER):
        means, covariances, patterns = _expectation(blocks, observed, found)
        found = _maximisation(blocks, observed, means, covariances, patterns, elements)
    return found


def _patterns(observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different sets of observed modalities, and the number of each sample's."""
    sets, numbers = np.unique(observed.T, axis=0, return_inverse=True)
    return sets, numbers.ravel()


def _expectation(
    blocks: Sequence[np.ndarray], observed: np.ndarray, found: LatentScores
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return posterior means, the covariance of each pattern, and the patterns' numbers."""
    sets, numbers = _patterns(observed)
    grams = [block[:, :-1].T @ block[:, :-1] for block in found.loadings]
    pulls = np.zeros_like(found.means)
    for seen, block, loading in zip(observed, blocks, found.loadings, strict=True):
        pulls[seen] += (block[seen] - loading[:, -1]) @ loading[:, :-1]
    means, covariances = np.empty_like(pulls), []
    for number, members in enumerate(sets):
        gram = sum((g for g, seen in zip(grams, members, strict=True) if seen), np.zeros(()))
        covariance = np.linalg.inv(np.eye(pulls.shape[1]) + gram / found.variance)
        means[numbers == number] = pulls[numbers == number] @ covariance / found.variance
        covariances.append(covariance)
    return means, np.stack(covariances), numbers


def _maximisation(
    blocks: Sequence[np.ndarray],
    observed: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    numbers: np.ndarray,
    elements: float,
) -> LatentScores:
    """Return loadings and noise variance that fit best."""
    design = np.column_stack([means, np.ones(len(means))])
    loadings, total = [], 0.0
    for seen, block in zip(observed, blocks, strict=True):
        counts = np.bincount(numbers[seen], minlength=len(covariances))
        spread = np.tensordot(counts, covariances, axes=1)
        moments = design[seen].T @ design[seen]
        moments[:-1, :-1] += spread
        loading = np.linalg.lstsq(moments, design[seen].T @ block[seen], rcond=None)[0].T
        residual = block[seen] - design[seen] @ loading.T
        inner = loading[:, :-1]
        total += float(np.square(residual).sum() + np.sum((inner @ spread) * inner))
        loadings.append(loading)
    variance = max(total / elements, np.finfo(float).tiny)
    return LatentScores(means=means, loadings=loadings, variance=variance)
