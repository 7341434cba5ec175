r"""The Fisher information of a decoder: precisions of latent points.

For a decoder with mean :math:`\mu(z)` and variances :math:`\sigma^2(z)` of its elements d,

.. math:: \Lambda(z) = \sum_d \frac{\nabla \mu_d \nabla \mu_d^T}{\sigma_d^2}
    + \frac{1}{2} \sum_d \nabla \log \sigma_d^2 \, (\nabla \log \sigma_d^2)^T,

which is :math:`W^T R^{-1} W` for a linear one. Slopes are those between points one posterior
standard deviation before and behind z along each axis: what the decoder does there on the whole,
not what it does at a point.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor

from ._column_decoder import ColumnDecoder
from ._decoder_protocol import Decoder


class Around(NamedTuple):
    """Where a decoder is asked.

    Parameters
    ----------
    points : Tensor of shape (n_samples, latent_dim)
        Latent points.
    steps : Tensor of shape (n_samples, latent_dim)
        How far to go along each axis.
    components : Tensor of int of shape (n_samples,)
        Their components.
    """

    points: Tensor
    steps: Tensor
    components: Tensor

    def neighbours(self) -> tuple[Tensor, Tensor]:
        """Return points behind and before along each axis, and their components, one after another.

        The points are of shape (2 * latent_dim * n_samples, latent_dim).
        """
        moves = torch.diag_embed(self.steps).movedim(1, 0)  # (axis, sample, latent)
        both = torch.cat([self.points + moves, self.points - moves])
        return both.flatten(0, 1), self.components.repeat(len(both))

    def slopes(self, values: Tensor) -> Tensor:
        """Return differences of values at neighbours, (n_samples, latent_dim, n_values)."""
        before, behind = values.unflatten(0, (2, self.steps.shape[1], -1))
        return ((before - behind) / (2.0 * self.steps.T[..., None])).movedim(0, 1)


@torch.no_grad()
def fisher_information(decoder: Decoder, around: Around, log_variance: Tensor) -> Tensor:
    """Return the Fisher information of a modality at latent points.

    Parameters
    ----------
    decoder : Decoder
        Of the modality.
    around : Around
        Where it is asked.
    log_variance : Tensor of shape ()
        Of the modality, for decoders that say none.

    Returns
    -------
    Tensor of shape (n_samples, latent_dim, latent_dim)
        In float64.
    """
    layer = decoder.last_layer
    if layer is not None and not decoder.has_likelihood:  # linear in few inputs
        slopes = around.slopes(decoder.last_inputs(around.neighbours()[0])).double()
        layer = layer.double()
        return slopes @ (layer.T @ layer / log_variance.double().exp()) @ slopes.mT
    slopes, _ = _scaled_slopes(decoder, around, log_variance)
    information = slopes @ slopes.mT
    if decoder.predicts_variances:
        neighbours = around.neighbours()
        logs = 2.0 * decoder.deviations(*neighbours, log_variance).log()
        slopes = around.slopes(logs).double()
        information = information + 0.5 * slopes @ slopes.mT
    return information


def _scaled_slopes(
    decoder: Decoder, around: Around, log_variance: Tensor, x: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return the slopes of means in units of their deviations, (n_samples, latent_dim, width).

    Second, in these units, what samples x are off the means.
    """
    if isinstance(decoder, ColumnDecoder):
        slopes = around.slopes(decoder.predictors(around.neighbours()[0]))
        slopes, misfit = decoder.working(around.points, slopes, x)
        return slopes.double(), misfit.double()
    slopes = around.slopes(decoder.decode(*around.neighbours())).double()
    deviations = decoder.deviations(around.points, around.components, log_variance).double()
    slopes = slopes / (deviations if deviations.ndim == 0 else deviations[:, None])
    if x is None:
        return slopes, None
    means = decoder.decode(around.points, around.components)
    return slopes, (x - means).double() / deviations


@torch.no_grad()
def masked_potential(
    decoder: Decoder, around: Around, log_variance: Tensor, x: Tensor, seen: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return the potential of the observed elements of samples, linearised around latent points.

    With :math:`r = x - \mu(z) + J z` the linear part is :math:`J_o^T R_o^{-1} r_o`, and the
    precision :math:`J_o^T R_o^{-1} J_o`.

    Parameters
    ----------
    decoder : Decoder
        Of the modality.
    around : Around
        Where it is linearised.
    log_variance : Tensor of shape ()
        Of the modality.
    x : Tensor of shape (n_samples, width)
        Observations.
    seen : Tensor of bool of shape (n_samples, width)
        Which of them are observed.

    Returns
    -------
    linear : Tensor of shape (n_samples, latent_dim)
        In float64.
    known, lost : Tensor of shape (n_samples, latent_dim, latent_dim)
        Precisions of what is observed, and of the rest.
    """
    slopes, misfit = _scaled_slopes(decoder, around, log_variance, x)
    shown = torch.where(seen[:, None], slopes, 0.0)
    known = shown @ shown.mT
    linear = shown @ cast(Tensor, misfit)[:, :, None] + known @ around.points.double()[:, :, None]
    return linear[:, :, 0], known, slopes @ slopes.mT - known
