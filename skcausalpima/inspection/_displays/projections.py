"""The latent space in one or two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, svd

from ..._scalar_checks import is_integer
from ..._typing import Unchecked

RIDGE = 1e-9  # of the mean variance, so that clusters of no width have a scale


@dataclass(frozen=True)
class Projection:
    """A linear map of the latent space to the axes of a picture.

    Parameters
    ----------
    directions : ndarray of shape (latent_dim, n_axes)
        Its columns, one or two.
    axis_names : tuple of str
        What they are.
    """

    directions: np.ndarray
    axis_names: tuple[str, ...]

    def points(self, points: np.ndarray) -> np.ndarray:
        """Return points (n, latent_dim) as (n, n_axes)."""
        return points @ self.directions

    def covariances(self, covariances: np.ndarray) -> np.ndarray:
        """Return matrices (n, latent_dim, latent_dim) as (n, n_axes, n_axes)."""
        return self.directions.T @ covariances @ self.directions


def projection_of(
    word: Unchecked,
    points: np.ndarray,
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
) -> Projection:
    """Return the projection that a word or a pair of numbers asks for.

    ``points`` (n_samples, latent_dim) are samples. ``weights``, ``means`` and ``covariances`` are
    those of the clusters. In one latent dimension any word is this dimension.
    """
    latent_dim = means.shape[1]
    if not isinstance(word, str):
        return _coordinates(word, latent_dim)
    if word not in ("lda", "pca"):
        raise ValueError(_expected(word))
    if latent_dim == 1:
        return Projection(np.ones((1, 1)), ("latent dimension 0",))
    if word == "pca" or np.count_nonzero(weights) < 2:
        return Projection(_principal(points), _numbered("principal component"))
    return Projection(_discriminants(weights, means, covariances), _numbered("discriminant"))


def _coordinates(pair: Unchecked, latent_dim: int) -> Projection:
    """Return the projection on two of the latent dimensions."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(map(is_integer, pair)):
        raise ValueError(_expected(pair))
    if not all(0 <= number < latent_dim for number in pair):
        raise ValueError(
            f"projection={tuple(pair)} asks for latent dimensions that do not exist: there are "
            f"{latent_dim}, numbered from 0."
        )
    if pair[0] == pair[1]:
        raise ValueError(f"projection={tuple(pair)} is one dimension twice: pass two.")
    return Projection(np.eye(latent_dim)[:, pair], tuple(f"latent dimension {k}" for k in pair))


def _expected(word: Unchecked) -> str:
    return (
        'projection is "lda", "pca" or a pair of numbers of latent dimensions such as (0, 1), '
        f"got {word!r:.100}."
    )


def _numbered(name: str) -> tuple[str, str]:
    return f"{name} 1", f"{name} 2"


def _principal(points: np.ndarray) -> np.ndarray:
    """Return the two directions along which points vary most."""
    _, _, directions = svd(points - points.mean(axis=0), full_matrices=True)
    return directions[:2].T


def _discriminants(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Return the two directions along which the means differ most, seen from within clusters.

    Fisher's linear discriminants of the mixture itself, scaled so that the average cluster has
    the variance 1. Where the means lie on one line, the second direction is that of the largest
    variance within clusters among those that say nothing of it.
    """
    shares = weights / weights.sum()
    within = np.einsum("c,cij->ij", shares, covariances)
    within = within + RIDGE * max(np.trace(within) / len(within), 1e-300) * np.eye(len(within))
    offsets = means - shares @ means
    between = (shares[:, None] * offsets).T @ offsets
    ratios, directions = eigh(between, within)
    directions = directions[:, ::-1]
    if np.count_nonzero(ratios > 1e-6 * max(ratios[-1], 1e-300)) >= 2:
        return directions[:, :2]
    first, others = directions[:, :1], directions[:, 1:]
    lengths = np.linalg.norm(others, axis=0)  # of variance 1: short where the variance is large
    return np.hstack([first, others[:, [lengths.argmin()]]])
