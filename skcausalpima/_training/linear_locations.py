r"""Linear models of locations: as maps of a modality, and their likelihoods of latent points.

A decoder has learned from noise, too: asked alone, a modality that knows nothing of a direction of
the latent space says something of it. The slopes W of a linear decoder, learned by least squares
from latent points of scatter M, are off by independent rows of covariance
:math:`\sigma^2 M^{-1}`, so that of its information :math:`\Lambda = W^T W / \sigma^2`

.. math:: N = d\, M^{-1}

is expected from noise alone, d being the number of its elements. Along the directions of latent
space that diagonalise both, with :math:`\Lambda v = \lambda N v`, slopes are shrunk by the factor
:math:`(1 - 1 / \lambda)_+`, which is that of James and Stein [1]_ by moments: less than what
noise says is nothing. :math:`\Lambda` is that of the potential, which knows how locations
scatter: of noise that is alike in many elements less is expected, and as none of n samples has
more than n directions, d is no more than these.

References
----------
.. [1] B. Efron and C. Morris, "Stein's estimation rule and its competitors: an empirical Bayes
   approach", Journal of the American Statistical Association 68, 1973.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor
from torch.nn.functional import pad

from .._base.budgets import FEW_ROWS
from .._model.tensors import TensorData
from ..modules import MLPEncoder, StructuredVAE, SubsetEncoders, upper_roots, whole_modalities

#: Principal components of a modality that a map may use (arbitrary).
N_COMPONENTS = 20

#: Added to matrices of moments, relative to their diagonals, so that they can be inverted.
RIDGE = 1e-6


@torch.no_grad()
def become_linear(student: SubsetEncoders, data: TensorData, points: Tensor) -> None:
    """Let default encoders be linear maps to where samples lie.

    In the product of experts a modality that locates well leaves another nothing to learn, which
    then may say anything when it is asked alone.

    Parameters
    ----------
    student : SubsetEncoders
        Default encoders with a linear path that may be trained are changed.
    data : TensorData
        Samples.
    points : Tensor of shape (n_samples, latent_dim)
        Where they lie.
    """
    rows = _some_rows(data)
    batch = data.subset(rows).loaded().rows(slice(None))
    targets = points[rows].double().cpu().numpy()
    for m, encoder in enumerate(student.encoders):
        if not isinstance(encoder, MLPEncoder) or encoder.linear is None:
            continue
        like = encoder.linear.weight
        if not like.requires_grad:
            continue
        present = batch.present[m].cpu().numpy()
        parts = batch.arrays[m].double().cpu().numpy()[present], targets[present]
        x, z = map(data.rows_of_all, parts)
        if len(x) < 4:
            continue
        *coefficients, errors = linear_map(x, z)
        parts = (*coefficients, np.log(np.maximum(errors, 1e-6)))
        weight, offset, log_var = (torch.as_tensor(part).to(like) for part in parts)
        encoder.initialize_linear(weight, offset, log_var, nonlinear=0.0)


@torch.no_grad()
def fit_likelihoods(
    student: SubsetEncoders, data: TensorData, mean: Tensor, second: Tensor
) -> None:
    r"""Let potentials be the likelihoods of latent points, given where encoders locate samples.

    The locations of a modality are taken as :math:`N(A z + b, C)`, which is a regression. C is
    divided by what makes the estimate of :math:`C^{-1}` unbiased: too few samples say nothing.

    Parameters
    ----------
    student : SubsetEncoders
        Modalities of whose potential decoders know nothing stay as they are.
    data : TensorData
        Samples.
    mean, second : Tensor of shape (n_samples, latent_dim[, latent_dim])
        First and second moments of their latent points.
    """
    rows = _some_rows(data)
    batch = data.subset(rows).loaded().rows(slice(None))
    locations, log_vars = student.eval().of_modalities(*student.outputs(batch))
    locations, log_vars = locations.double(), log_vars.double()
    counts = batch.weighted(whole_modalities(batch).double())
    inputs = pad(mean[rows].double(), (0, 1), value=1.0)
    squares = inputs[:, :, None] * inputs[:, None, :]
    squares[:, :-1, :-1] = second[rows]
    sums = (
        torch.einsum("mn,nij->mij", counts, squares),
        torch.einsum("mn,ni,mnj->mij", counts, inputs, locations),
        torch.einsum("mn,mni,mnj->mij", counts, locations, locations),
        torch.einsum("mn,mnj->mj", counts, log_vars),
    )
    totals = map(data.total_of, sums)
    for m, (of_inputs, products, of_locations, of_widths) in enumerate(zip(*totals, strict=True)):
        n_samples = of_inputs[-1, -1]
        if not n_samples or not student.information_roots[m].any():
            continue
        # A' and b, one below the other
        coefficients = torch.linalg.solve(_ridged(of_inputs), products)
        left = _ridged(of_locations - products.mT @ coefficients, of_locations)
        n_free = (n_samples - 2 * len(coefficients)).clamp_min(0.0)
        student.information_roots[m] = upper_roots(n_free * torch.linalg.inv(left))
        student.slopes[m], student.offsets[m] = coefficients[:-1].mT, coefficients[-1]
        cast(Tensor, student.widening)[m] = -of_widths / n_samples


@torch.no_grad()
def shrink_slopes(
    student: SubsetEncoders, model: StructuredVAE, data: TensorData, mean: Tensor, second: Tensor
) -> None:
    """Take from potentials what decoders are expected to have learned from noise, see above.

    Parameters
    ----------
    student : SubsetEncoders
        As taught; its slopes and offsets are changed.
    model : StructuredVAE
        What it was taught by. Experts have learned few numbers, and decoders that say where samples
        lie, or depend on the component, say so themselves: of these nothing is taken.
    data : TensorData
        Samples of the fit.
    mean, second : Tensor of shape (n_samples, latent_dim[, latent_dim])
        First and second moments of their latent points.
    """
    rows = _some_rows(data)
    batch = data.subset(rows).loaded().rows(slice(None))
    share = data.total_of(np.array(float(len(rows)))) / data.n_of_all
    unasked = {m for m, _ in model.experts} | {*model.cluster_dependent, *model.by_decoders}
    outputs, z, whole = student.outputs(batch), mean[rows].double(), whole_modalities(batch)
    for m, width in enumerate(model.free_widths):
        if m in unasked or not width:
            continue
        alone = torch.zeros_like(whole)
        alone[m] = whole[m]
        parts = replace(batch, observed=alone, gaps=None)
        counts = batch.weighted(alone[m].double())
        sums = (
            counts.sum(),
            counts @ z,
            torch.tensordot(counts, second[rows].double(), dims=1),
            torch.tensordot(counts, student.potential(parts, outputs).precision, dims=1),
        )
        n_samples, first, moments, information = map(data.total_of, sums)
        if not n_samples:
            continue
        centre = first / n_samples
        scatter = (moments - torch.outer(first, centre)) / share
        n_directions = min(float(width), float(n_samples / share))
        kept = _beyond_noise(information / n_samples, scatter / n_directions)
        slopes = student.slopes[m].double()
        lost = slopes - slopes @ kept
        student.slopes[m] -= lost.to(student.slopes)
        student.offsets[m] += (lost @ centre).to(student.offsets)


def _beyond_noise(information: Tensor, of_noise: Tensor) -> Tensor:
    """Return the linear map of latent points that leaves of slopes what noise does not explain.

    ``of_noise`` is the inverse of the information that noise alone is expected to give.
    """
    spread, turned = torch.linalg.eigh(0.5 * (of_noise + of_noise.mT))
    least = RIDGE * spread[-1].clamp_min(torch.finfo(spread.dtype).tiny / RIDGE)
    root = turned * spread.maximum(least).sqrt()
    values, vectors = torch.linalg.eigh(root.mT @ information @ root)
    factors = 1.0 - 1.0 / values.clamp_min(1.0)
    axes = root @ vectors
    return (axes * factors) @ torch.linalg.inv(axes)


def _ridged(moments: Tensor, like: Tensor | None = None) -> Tensor:
    """Return moments that can be inverted, and are hardly changed."""
    scale = (moments if like is None else like).diagonal().clamp_min(RIDGE**2)
    return 0.5 * (moments + moments.mT) + RIDGE * torch.diag(scale)


def _some_rows(data: TensorData) -> Tensor:
    """Return the numbers of the samples that are looked at, evenly spaced."""
    n_rows = min(data.n_samples, FEW_ROWS)
    wanted = np.linspace(0, data.n_samples - 1, n_rows).astype(int)
    return torch.as_tensor(wanted, device=data.device)


def linear_map(x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the least-squares map from the first principal components of x to z.

    Parameters
    ----------
    x : ndarray of shape (n_samples, width)
        A modality.
    z : ndarray of shape (n_samples, latent_dim)
        Latent points.

    Returns
    -------
    weight : ndarray of shape (latent_dim, width)
        Of a map with at most a component for every four samples.
    offset, errors : ndarray of shape (latent_dim,)
        At zero; and the variance that the map leaves.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._training.linear_locations import linear_map
    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> np.allclose(linear_map(x, x[:, :1] + 2.0)[0], [[1.0, 0.0, 0.0]])
    True
    """
    mean, centre = x.mean(axis=0), z.mean(axis=0)
    n_found = max(1, min(N_COMPONENTS, len(x) // 4, x.shape[1]))
    left, singular, axes = randomized_svd(x - mean, n_found, random_state=0)
    kept = singular > 1e-8 * max(singular.max(initial=0.0), np.finfo(float).tiny)
    slopes = (left[:, kept] / singular[kept]).T @ (z - centre)  # (component, latent)
    weight = slopes.T @ axes[kept]
    errors = np.square(z - centre - (x - mean) @ weight.T).mean(axis=0)
    return weight, centre - weight @ mean, errors
