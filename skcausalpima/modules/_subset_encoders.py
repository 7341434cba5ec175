"""Encoders of incomplete samples: what a subset of the modalities says about the latent point."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from ..functional import DiagonalGaussian, product_of_experts
from ._batch import Batch
from ._derived_view import DerivedViews
from ._encoders import MAX_ABS_LOG_VAR, encode_each
from ._multimodal_vae import MultimodalVAE


class SubsetEncoders(nn.Module):
    r"""Gaussian potentials :math:`l_S(z; x_S) = \prod_{m \in S} N(z; \mu_m, V_m)`.

    They take the place of the encoders where modalities are missing. With the mixture as the
    prior, the posterior of a sample of which the modalities S are observed is

    .. math:: q(c | x_S) \propto A_c \Big[\int N(z; m_c, S_c) l_S(z) dz\Big]^{t_S}, \qquad
        q(z | c, x_S) \propto N(z; m_c, S_c) l_S(z),

    a mixture of Gaussians: it can say "a 4 or a 5". A Gaussian is as wide as the latent points that
    go with a part of a sample are spread; how sure it is of the component is another matter, and
    the exponent :math:`t_S`, the geometric mean of one number per observed modality, says it.

    Parameters
    ----------
    model : MultimodalVAE
        Its encoders are copied. A single modality needs none: it is there, or nothing is.

    Attributes
    ----------
    widening : Parameter of shape (n_encoders + n_views, latent_dim) or None
        Added to the logarithms of the variances of each; None for a single modality.
    log_exponents : Parameter of shape (n_modalities,) or None
        Their mean over the observed modalities is :math:`\log t_S`; None for a single modality.
    """

    def __init__(self, model: MultimodalVAE) -> None:
        super().__init__()
        self.shapes = model.shapes
        self.latent_dim = model.prior.means.shape[1]
        several = len(model.shapes) > 1
        self.encoders = copy.deepcopy(model.encoders) if several else nn.ModuleList()
        self.views = copy.deepcopy(model.views) if several else DerivedViews()
        n_experts = len(self.encoders) + len(self.views)
        zeros = model.prior.means.new_zeros(n_experts, self.latent_dim)
        self.widening = nn.Parameter(zeros) if several else None
        self.log_exponents = nn.Parameter(zeros.new_zeros(len(self.encoders))) if several else None

    @property
    def networks(self) -> list[nn.Module]:
        """Encoders, which may be computed in fewer digits than all else."""
        return [*self.encoders, *self.views.networks]

    def forward(self, batch: Batch) -> DiagonalGaussian:
        """Return the potential of every sample, normalised as a density of z.

        Parameters
        ----------
        batch : Batch
            Samples.

        Returns
        -------
        DiagonalGaussian
            Mean and log-variance of shape (n_samples, latent_dim), the latter at most as wide as
            a network can say, also where nothing is observed.
        """
        if not self.encoders:  # of a single modality that is missing
            shape = (len(batch.arrays[0]), self.latent_dim)
            widest = batch.arrays[0].new_full(shape, MAX_ABS_LOG_VAR)
            return DiagonalGaussian(torch.zeros_like(widest), widest)
        means, log_vars = encode_each(self.encoders, batch, self.shapes, self.latent_dim)
        means, log_vars, observed = self.views.encode(batch, means, log_vars)
        log_vars = log_vars + cast(Tensor, self.widening)[:, None]
        product = product_of_experts(means, log_vars, observed, prior_expert=False)
        return DiagonalGaussian(product.mean, product.log_var.clamp_max(MAX_ABS_LOG_VAR))

    def exponents(self, batch: Batch) -> Tensor:
        """Return :math:`t_S` of every sample, of shape (n_samples,); 1 where nothing is seen."""
        if self.log_exponents is None:
            return batch.arrays[0].new_ones(len(batch.arrays[0]))
        if batch.observed is None:
            return self.log_exponents.mean().exp().expand(len(batch.arrays[0]))
        shares = batch.observed / batch.observed.sum(dim=0).clamp_min(1)
        return (self.log_exponents @ shares.to(self.log_exponents)).exp()

    def incomplete(self, batch: Batch) -> Tensor | None:
        """Return which samples these are for, of shape (n_samples,); None for none."""
        if batch.observed is None or batch.observed.all():
            return None
        return ~batch.observed.all(dim=0)
