"""Decoded means, and data drawn from a fitted model."""

from __future__ import annotations

import numpy as np
import torch

from .._model.tensors import BLOCK_ROWS
from ..modules import MultimodalVAE


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
