r"""What the posterior of samples says about their modalities: means and standard deviations.

For sample x of which the modalities S are observed, and any modality m,

.. math:: E[x_m | x_S] = E_q\, \mu_m(z, c), \qquad
    Var[x_m | x_S] = E_q\, \sigma^2_m(z, c) + Var_q\, \mu_m(z, c),

with the posterior :math:`q(c, z | x_S)` and what decodes from z in component c. The second is the
variance of what a new measurement would show; without its first term, that of the decoded mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import Batch, MultimodalVAE, SubsetEncoders
from .latent_draws import latent_draws
from .posterior import by_completeness, posterior_draws


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

    def add_noise(self, rows: Tensor, weights: Tensor, deviations: Tensor) -> None:
        """Take in the variance of the observations around one draw."""
        self.variance[rows] += weights[:, None] * deviations.square()


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

    def of_samples(
        model: MultimodalVAE, block: Batch, draws: Tensor, used: SubsetEncoders | None
    ) -> list[Tensor]:
        return _of_samples(model, block, draws, used, modalities, include_noise)

    draws = posterior_draws(model)
    blocks = [by_completeness(model, block, encoders, draws, of_samples) for block in data.blocks()]
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
                moments.add_noise(rows, weights, deviations)
    return [found[m].mean for m in modalities] + [found[m].variance for m in modalities]
