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
    patterns, numbers = np.unique(observed.T, axis=0, return_inverse=True)
    numbers, least = numbers.ravel(), float(np.finfo(float).tiny)
    known = [block[seen] for block, seen in zip(blocks, observed, strict=True)]
    n_elements = float(sum(block.size for block in known))
    squares = sum(float(np.square(block).sum()) for block in blocks)
    found = [np.column_stack([loading, np.zeros(len(loading))]) for loading in loadings]
    means = np.zeros((observed.shape[1], loadings[0].shape[1]))
    variance = max(0.1 * squares / n_elements, least)
    for _ in range(N_ITER):
        # Expectation: posterior means, and a covariance for each set of observed modalities.
        grams = [loading[:, :-1].T @ loading[:, :-1] for loading in found]
        pulls = np.zeros_like(means)
        for seen, block, loading in zip(observed, known, found, strict=True):
            pulls[seen] += (block - loading[:, -1]) @ loading[:, :-1]
        covariances = np.empty((len(patterns), means.shape[1], means.shape[1]))
        for k, members in enumerate(patterns):
            rows = numbers == k
            gram = sum((g for g, seen in zip(grams, members, strict=True) if seen), np.zeros(()))
            covariances[k] = np.linalg.inv(np.eye(means.shape[1]) + gram / variance)
            means[rows] = pulls[rows] @ covariances[k] / variance
        # Maximisation: loadings and noise variance.
        design = np.column_stack([means, np.ones(len(means))])
        total = 0.0
        for m, (seen, block) in enumerate(zip(observed, known, strict=True)):
            counts = np.bincount(numbers[seen], minlength=len(patterns))
            spread, rows = np.tensordot(counts, covariances, axes=1), design[seen]
            moments = rows.T @ rows
            moments[:-1, :-1] += spread
            found[m] = np.linalg.lstsq(moments, rows.T @ block, rcond=None)[0].T
            residual, inner = block - rows @ found[m].T, found[m][:, :-1]
            total += float(np.square(residual).sum() + np.sum((inner @ spread) * inner))
        variance = max(total / n_elements, least)
    return LatentScores(means=means, loadings=found, variance=variance)
