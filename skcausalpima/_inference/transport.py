"""States moved with the outcomes of their nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS = 2048  # of latent points that are moved at a time


def swap_states(
    points: NDArray[np.floating],
    old: NDArray[np.integer],
    new: NDArray[np.integer],
    means: NDArray[np.floating],
    covariances: NDArray[np.floating],
) -> NDArray[np.floating]:
    r"""Move latent points from their components to others, each to the same place within.

    :math:`z' = m_{new} + A (z - m_{old})` with the optimal transport map A between the two
    Gaussians. A point's Mahalanobis distance, and so its quantile within its component, is kept.

    Parameters
    ----------
    points : ndarray of shape (n_samples, latent_dim)
        Latent points.
    old, new : ndarray of int of shape (n_samples,)
        Component of each point, and where it goes. Points stay exactly where they are if both
        are the same.
    means : ndarray of shape (n_components, latent_dim)
        Means of the components.
    covariances : ndarray of shape (n_components, latent_dim, latent_dim)
        Their covariances.

    Returns
    -------
    ndarray of shape (n_samples, latent_dim)
        In the dtype of ``points``.
    """
    pairs, which = np.unique(np.stack([old, new], axis=1), axis=0, return_inverse=True)
    which, covariances = which.reshape(-1), covariances.astype(np.float64)
    order = np.argsort(which, kind="stable")
    moved = means[new].astype(np.float64)
    for start in range(0, len(order), _ROWS):  # of as many matrices
        rows = order[start : start + _ROWS]
        first, last = which[rows[[0, -1]]]
        sources, targets = covariances[pairs[first : last + 1].T]
        maps = transport_maps(sources, targets)[which[rows] - first]
        residuals = points[rows].astype(np.float64) - means[old[rows]]
        moved[rows] += np.einsum("nij,nj->ni", maps, residuals)
    return np.where((old == new)[:, None], points, moved).astype(points.dtype)


def transport_maps(
    sources: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""Return the linear part of the optimal transport between Gaussians.

    :math:`A = S^{-1/2} (S^{1/2} T S^{1/2})^{1/2} S^{-1/2}` is the one symmetric positive definite
    matrix with :math:`A S A = T`. Unlike products of Cholesky factors, which do the same to the
    covariance, it depends on no order or rotation of the coordinates, and no other map moves the
    points less in mean square.

    Parameters
    ----------
    sources : ndarray of shape (n, latent_dim, latent_dim)
        Covariances S.
    targets : ndarray of shape (n, latent_dim, latent_dim)
        Covariances T.

    Returns
    -------
    ndarray of shape (n, latent_dim, latent_dim)
        The maps A.
    """
    root, inverse_root = _power(sources, 0.5), _power(sources, -0.5)
    return inverse_root @ _power(root @ targets @ root, 0.5) @ inverse_root


def _power(matrices: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Return powers of symmetric positive definite matrices."""
    values, vectors = np.linalg.eigh((matrices + matrices.swapaxes(-1, -2)) / 2)
    # Rounding can leave an eigenvalue at or below 0, of which there is no root.
    floor = np.finfo(np.float64).eps * values[..., -1:]
    scaled = vectors * (np.maximum(values, floor) ** exponent)[..., None, :]
    return scaled @ vectors.swapaxes(-1, -2)
