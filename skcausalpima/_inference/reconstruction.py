r"""Reconstructions: means and standard deviations of modalities under the posterior.

For sample x of which the modalities S are observed, and any modality m,

.. math:: E[x_m | x_S] = E_q\, \mu_m(z, c), \qquad
    Var[x_m | x_S] = E_q\, \sigma^2_m(z, c) + Var_q\, \mu_m(z, c),

with the posterior :math:`q(c, z | x_S)` and what decodes from z in component c. The second is the
variance of what a new measurement would show; without its first term, that of the decoded mean.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..functional import rsample
from ..modules import Batch, MeanFieldVAE, MultimodalVAE, StructuredVAE, SubsetEncoders
from .mean_field import gaussian_posterior
from .posterior import answer, by_completeness, likely, posterior_draws


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

    ask = functools.partial(_of_samples, modalities=modalities, include_noise=include_noise)
    draws = posterior_draws(model)
    blocks = [by_completeness(model, block, encoders, draws, ask) for block in data.blocks()]
    parts = [torch.cat(part) for part in zip(*blocks, strict=True)]
    return parts[: len(modalities)], parts[len(modalities) :]


def _of_samples(
    model: MultimodalVAE,
    block: Batch,
    draws: Tensor,
    encoders: SubsetEncoders | None,
    modalities: Sequence[int],
    include_noise: bool,
) -> list[Tensor]:
    """Return means, then variances, of samples that are alike in being complete, or not."""
    found = {m: _Moments(block.arrays[m], model.widths[m]) for m in modalities}
    for rows, components, weights, points in latent_draws(model, block, draws, encoders):
        for m, moments in found.items():
            decoder, log_variance = model.decoders[m], model.log_variances[m]
            moments.add(rows, weights, decoder.decode(points, components))
            if include_noise:
                deviations = decoder.deviations(points, components, log_variance)
                moments.variance[rows] += weights[:, None] * deviations.square()
    return [found[m].mean for m in modalities] + [found[m].variance for m in modalities]


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
        found = answer(cast(StructuredVAE, model), batch, draws, encoders)
        for inside in found.in_components():
            weights = (inside.probabilities / len(draws)).to(model.prior.means)
            for draw in draws:
                points = inside.points(draw).to(model.prior.means)
                yield inside.rows, inside.components, weights, points
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
            yield rows, components, weights, rsample(posterior, draw)[rows]
