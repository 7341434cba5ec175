"""Covariances between our layout (one per component) and scikit-learn's shapes."""

from __future__ import annotations

import numpy as np


def sklearn_covariances(covariances: np.ndarray, covariance_type: str) -> np.ndarray:
    """Return one covariance per component in scikit-learn's shape for the type."""
    if covariance_type == "tied":
        return covariances[0]
    if covariance_type == "spherical":
        return covariances[:, 0]
    return covariances


def full_covariances(
    covariances: np.ndarray, covariance_type: str, n_components: int, latent_dim: int
) -> np.ndarray:
    """Return whole matrices (n_components, latent_dim, latent_dim) from scikit-learn's shape."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.broadcast_to(covariances, (n_components, latent_dim, latent_dim))
    if covariance_type == "spherical":
        covariances = np.broadcast_to(covariances[:, None], (n_components, latent_dim))
    return covariances[:, :, None] * np.eye(latent_dim)
