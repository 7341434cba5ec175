"""Weighted points of the latent space that stand for the posterior of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..functional import rsample
from ..modules import Batch, MultimodalVAE, SubsetEncoders
from .incomplete import incomplete_posterior, likely
from .posterior import gaussian_posterior


class LatentDraws(NamedTuple):
    """Points of some samples in one component.

    Parameters
    ----------
    rows : Tensor of shape (n_rows,)
        Numbers of the samples.
    components : Tensor of shape (n_rows,)
        The component, one and the same.
    weights : Tensor of shape (n_rows,)
        What each point counts for; over all draws those of a sample add up to 1.
    points : Tensor of shape (n_rows, latent_dim)
        The points.
    """

    rows: Tensor
    components: Tensor
    weights: Tensor
    points: Tensor


def latent_draws(
    model: MultimodalVAE, batch: Batch, draws: Tensor, encoders: SubsetEncoders | None
) -> Iterator[LatentDraws]:
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
        Those of incomplete samples, for which points are drawn in every component; None for
        complete ones, whose points are those of q(z|x) in all components.

    Yields
    ------
    LatentDraws
        Of all but negligible components.
    """
    if encoders is not None:
        found = incomplete_posterior(model, encoders, batch, draws)
        yield from _in_components(found.likely(), draws, found.points)
        return
    posterior, log_gamma = gaussian_posterior(model, batch, draws)
    gamma = torch.ones_like(log_gamma[:1])  # if all components decode the same
    if model.cluster_dependent:
        gamma = likely(log_gamma)

    def points(component: int, rows: Tensor, draw: Tensor) -> Tensor:
        return rsample(posterior, draw)[rows]

    yield from _in_components(gamma, draws, points)


def _in_components(
    gamma: Tensor, draws: Tensor, points: Callable[[int, Tensor, Tensor], Tensor]
) -> Iterator[LatentDraws]:
    """Return the points that each draw stands for in each component."""
    for component, probabilities in enumerate(gamma):
        rows = probabilities.nonzero()[:, 0]
        if not len(rows):
            continue
        components, weights = torch.full_like(rows, component), probabilities[rows] / len(draws)
        for draw in draws:
            yield LatentDraws(rows, components, weights, points(component, rows, draw))
