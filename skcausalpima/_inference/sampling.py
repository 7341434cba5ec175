"""Decoded means, data drawn from a fitted model, and states moved with the outcomes of nodes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .._model.tensors import BLOCK_ROWS
from ..modules import MultimodalVAE

#: Latent points that are moved at a time.
MOVED_ROWS = 2048


@torch.no_grad()
def decoded(
    model: MultimodalVAE, points: np.ndarray, cells: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the decoded means of latent points, flattened, as NumPy arrays.

    ``cells`` says in which cell of the grid each point lies; None takes the most probable.
    """
    z = torch.tensor(points).to(model.prior.means)
    components = None if cells is None else torch.as_tensor(cells, device=z.device)
    return [array.cpu().numpy() for array in model.decode(z, components)]


def drawn_points(
    means: np.ndarray, covariances: np.ndarray, labels: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Draw one latent point from the Gaussian of each label's component.

    Parameters
    ----------
    means : ndarray of shape (n_components, latent_dim)
        Means of the components.
    covariances : ndarray of shape (n_components, latent_dim, latent_dim)
        Their covariances.
    labels : ndarray of int of shape (n_samples,)
        Components.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_samples, latent_dim)
        The points.
    """
    factors = np.linalg.cholesky(covariances)
    noise = rng.standard_normal((len(labels), means.shape[1]))
    blocks = [slice(start, start + BLOCK_ROWS) for start in range(0, len(labels), BLOCK_ROWS)]
    moves = [np.einsum("nij,nj->ni", factors[labels[rows]], noise[rows]) for rows in blocks]
    return means[labels] + np.concatenate(moves)


@torch.no_grad()
def drawn_data(
    model: MultimodalVAE, points: np.ndarray, cells: np.ndarray, rng: np.random.RandomState
) -> list[np.ndarray]:
    """Draw data from the decoders at latent points: ``decoded`` plus observation noise."""
    z = torch.tensor(points).to(model.prior.means)

    def normal(*shape: int) -> torch.Tensor:
        return torch.as_tensor(rng.standard_normal(shape)).to(z)

    arrays = model.draw(z, torch.as_tensor(cells, device=z.device), normal)
    return [array.cpu().numpy() for array in arrays]


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
    for start in range(0, len(order), MOVED_ROWS):  # of as many matrices
        rows = order[start : start + MOVED_ROWS]
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
