"""Weighted points of the latent space that stand for the posterior of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ..functional import rsample
from ..modules import Batch, MeanFieldVAE, MultimodalVAE, StructuredVAE, SubsetEncoders
from .mean_field import gaussian_posterior
from .structured import answer, likely


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
        Those of samples that lack modalities; None for complete ones.

    Yields
    ------
    LatentDraws
        Of all but negligible components; of the published posterior, whose points are the same
        in all, of these one after another.
    """
    if not isinstance(model, MeanFieldVAE):
        found = answer(cast(StructuredVAE, model), batch, draws, encoders)
        for inside in found.in_components():
            weights = (inside.probabilities / len(draws)).to(model.prior.means)
            for draw in draws:
                points = inside.points(draw).to(model.prior.means)
                yield LatentDraws(inside.rows, inside.components, weights, points)
        return
    posterior, log_gamma = gaussian_posterior(model, batch, draws)
    gamma = torch.ones_like(log_gamma[:1])  # if all components decode the same
    if model.cluster_dependent:
        gamma = likely(log_gamma)
    for component, probabilities in enumerate(gamma):
        rows = probabilities.nonzero()[:, 0]
        if not len(rows):
            continue
        components, weights = torch.full_like(rows, component), probabilities[rows] / len(draws)
        for draw in draws:
            yield LatentDraws(rows, components, weights, rsample(posterior, draw)[rows])
