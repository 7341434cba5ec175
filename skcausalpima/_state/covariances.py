"""Covariances as the estimator shows them, in scikit-learn's shapes, and as whole matrices."""

from __future__ import annotations

import numpy as np

from ..functional import covariance_type_named


def sklearn_covariances(covariances: np.ndarray, covariance_type: str) -> np.ndarray:
    """Return one covariance per component in scikit-learn's shape for the type."""
    kind = covariance_type_named(covariance_type)
    if kind.is_shared:
        return covariances[0]
    return covariances[:, 0] if kind.is_round else covariances


def full_covariances(
    covariances: np.ndarray, covariance_type: str, n_components: int, latent_dim: int
) -> np.ndarray:
    """Return whole matrices (n_components, latent_dim, latent_dim) from scikit-learn's shape."""
    kind = covariance_type_named(covariance_type)
    if kind.is_round:
        covariances = covariances[:, None]
    shape = (n_components, latent_dim, latent_dim)
    whole = np.broadcast_to(covariances, shape if kind.is_full else shape[:2])
    return whole if kind.is_full else whole[:, :, None] * np.eye(latent_dim)
