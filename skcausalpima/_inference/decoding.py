r"""What is decoded from latent points, reconstructions and draws, and points that are moved.

For reconstructions of a sample x of which the modalities S are observed, and any modality m,

.. math:: E[x_m | x_S] = E_q\, \mu_m(z, c), \qquad
    Var[x_m | x_S] = E_q\, \sigma^2_m(z, c) + Var_q\, \mu_m(z, c),

with the posterior :math:`q(c, z | x_S)` and what decodes from z in component c. The second is the
variance of what a new measurement would show; without its first term, that of the decoded mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._model.tensors import BLOCK_ROWS, TensorData
from ..functional import rsample
from ..modules import Batch, MeanFieldVAE, MultimodalVAE, StructuredVAE, SubsetEncoders
from .posterior import answer, answers_of, likely, posterior_draws

#: Latent points that are moved at a time.
MOVED_ROWS = 2048


class _Moments:
    """Weighted mean and variance, draw by draw: differences are squared, and no digits lost."""

    def __init__(self, like: Tensor, width: int) -> None:
        self.weight = like.new_zeros(len(like), 1)
        self.mean, self.variance = like.new_zeros(2, len(like), width)

    def add(self, rows: Tensor, weights: Tensor, values: Tensor) -> None:
        """Take in one draw of some samples."""
        weights = weights[:, None]
        total = self.weight[rows] + weights
        before = values - self.mean[rows]
        self.mean[rows] += before * (weights / total)
        self.variance[rows] += weights * before * (values - self.mean[rows])
        self.weight[rows] = total


@torch.no_grad()
def reconstruction(
    model: MultimodalVAE,
    data: TensorData,
    encoders: SubsetEncoders | None,
    modalities: Sequence[int],
    include_noise: bool,
) -> tuple[list[Tensor], list[Tensor]]:
    """Return mean and variance of modalities, given what is observed of samples.

    Parameters
    ----------
    model : MultimodalVAE
        The model.
    data : TensorData
        Scaled samples.
    encoders : SubsetEncoders or None
        Of samples that lack modalities.
    modalities : sequence of int
        Numbers of those that are asked for.
    include_noise : bool
        Whether the variance is that of a measurement, or that of the decoded mean.

    Returns
    -------
    means, variances : list of Tensor of shape (n_samples, width)
        Per modality that is asked for, scaled.
    """

    draws = posterior_draws(model)

    def ask(block: Batch, used: SubsetEncoders | None) -> list[Tensor]:
        by_modality = {m: _Moments(block.arrays[m], model.widths[m]) for m in modalities}
        for rows, components, weights, points in latent_draws(model, block, draws, used):
            for m, moments in by_modality.items():
                decoder, log_variance = model.decoders[m], model.log_variances[m]
                moments.add(rows, weights, decoder.decode(points, components))
                if include_noise:
                    deviations = decoder.deviations(points, components, log_variance)
                    moments.variance[rows] += weights[:, None] * deviations.square()
        return [by_modality[m].mean for m in modalities] + [
            by_modality[m].variance for m in modalities
        ]

    parts = answers_of(data.blocks(), encoders, ask)
    return parts[: len(modalities)], parts[len(modalities) :]


def latent_draws(
    model: MultimodalVAE, batch: Batch, draws: Tensor, encoders: SubsetEncoders | None
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return what stands for the posterior of samples that are alike in being complete, or not.

    Parameters
    ----------
    model : MultimodalVAE
        The model.
    batch : Batch
        Samples.
    draws : Tensor of shape (n_draws, latent_dim)
        Standard normal draws, all of equal weight.
    encoders : SubsetEncoders or None
        Those of samples that lack modalities; None for complete ones.

    Yields
    ------
    rows, components, weights : Tensor of shape (n_rows,)
        Numbers of the samples; the component, one and the same; and what each point counts for:
        over all draws those of a sample add up to 1.
    points : Tensor of shape (n_rows, latent_dim)
        Of all but negligible components; of the published posterior, whose points are the same
        in all, of these one after another.
    """
    if not isinstance(model, MeanFieldVAE):
        answered = answer(cast(StructuredVAE, model), batch, draws, encoders)
        for inside in answered.in_components():
            weights = (inside.probabilities / len(draws)).to(model.prior.means)
            for draw in draws:
                points = inside.points(draw).to(model.prior.means)
                yield inside.rows, inside.components, weights, points
        return
    posterior, log_gamma = model.answer(batch, draws)
    gamma = torch.ones_like(log_gamma[:1])  # if all components decode the same
    if model.cluster_dependent:
        gamma = likely(log_gamma)
    for component, probabilities in enumerate(gamma):
        rows = probabilities.nonzero()[:, 0]
        if not len(rows):
            continue
        components, weights = torch.full_like(rows, component), probabilities[rows] / len(draws)
        for draw in draws:
            yield rows, components, weights, rsample(posterior, draw)[rows]


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


@torch.no_grad()
def cells_at(model: MultimodalVAE, points: np.ndarray) -> np.ndarray:
    """Return the most probable cell of the grid of each latent point."""
    cells: np.ndarray = (
        model.components_at(torch.tensor(points).to(model.prior.means)).cpu().numpy()
    )
    return cells


@torch.no_grad()
def noise_at(model: MultimodalVAE, points: np.ndarray, cells: np.ndarray) -> list[np.ndarray]:
    """Return the noise of each element, flattened: root mean square deviation over the points."""
    z, components = torch.tensor(points).to(model.prior.means), torch.as_tensor(cells)
    parts = zip(model.decoders, model.log_variances, model.widths, strict=True)
    return [
        decoder.deviations(z, components.to(z.device), log_variance)
        .expand(len(z), width)
        .square()
        .mean(dim=0)
        .sqrt()
        .cpu()
        .numpy()
        for decoder, log_variance, width in parts
    ]


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
