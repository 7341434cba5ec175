r"""The Fisher information of a decoder: precisions of latent points.

For a decoder with mean :math:`\mu(z)` and variances :math:`\sigma^2(z)` of its elements d,

.. math:: \Lambda(z) = \sum_d \frac{\nabla \mu_d \nabla \mu_d^T}{\sigma_d^2}
    + \frac{1}{2} \sum_d \nabla \log \sigma_d^2 \, (\nabla \log \sigma_d^2)^T,

which is :math:`W^T R^{-1} W` for a linear one. Slopes are those between points one posterior
standard deviation before and behind z along each axis: what the decoder does there on the whole,
not what it does at a point.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._around import Around
from ._decoder_protocol import Decoder


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
    slopes, _ = decoder.scaled_slopes(around, log_variance)
    information = slopes @ slopes.mT
    if decoder.predicts_variances:
        neighbours = around.neighbours()
        logs = 2.0 * decoder.deviations(*neighbours, log_variance).log()
        slopes = around.slopes(logs).double()
        information = information + 0.5 * slopes @ slopes.mT
    return information


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
    slopes, misfit = decoder.scaled_slopes(around, log_variance, x)
    shown = torch.where(seen[:, None], slopes, 0.0)
    known = shown @ shown.mT
    linear = shown @ misfit[:, :, None] + known @ around.points.double()[:, :, None]
    return linear[:, :, 0], known, slopes @ slopes.mT - known
