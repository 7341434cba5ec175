"""Encoders of incomplete samples: what a subset of the modalities says about the latent point."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from ..functional import OwnPosterior, Potential, product_of_experts
from ._batch import Batch, beyond_potentials, trusted_modalities, whole_modalities, with_gaps
from ._derived_view import DerivedViews
from ._encoders import encode_each
from ._prior import CausalPrior
from ._structured import StructuredVAE

#: Share of the samples that encoders locate where they are not, however sure they seem.
CONTAMINATION = 1e-3


class SubsetEncoders(nn.Module):
    r"""Potentials :math:`l_S(z; x_S) = \prod_{m \in S} N(e_m; A_m z + b_m, C_m)`.

    They take the place of the encoders where modalities are missing. With the mixture as the
    prior, the posterior of a sample of which the modalities S are observed is

    .. math:: q(c | x_S) \propto A_c E_c(x_S), \qquad q(z | c, x_S) \propto N(z; m_c, S_c) l_S(z).

    Of where an encoder locates a sample, :math:`e_m(x_m)`, this is the likelihood. A modality alone
    is less sure of the latent point than its decoder knows: where encoders were taught beside
    others, where several points have the same image. So A, b and C are of its own, and the copies'
    second outputs say how sure it is of single samples,
    :math:`C_m^{-1} = D_m R_m^T R_m D_m, D_m = \mathrm{diag}(\exp(-(v_m(x_m) + w_m) / 2))`. How
    sure a part of a sample is of the component is another matter: the exponent :math:`t_S`, the
    geometric mean of one number per observed modality, says it, and a share :math:`\epsilon` of the
    samples is an outlier, that is where encoders do not see it: errors have longer tails than C,

    .. math:: E_c = Z_c^{t_S} + \epsilon \sum_k A_k Z_k^{t_S}, \qquad
        Z_c = \int N(z; m_c, S_c) l_S(z) dz.

    A has been shrunk by what decoders are expected to have learned from noise, see
    :mod:`~skcausalpima._training.linear_locations`.

    Parameters
    ----------
    model : StructuredVAE
        Its encoders are copied. A single modality needs none: it is there, or nothing is.

    Attributes
    ----------
    widening : Parameter of shape (n_modalities, latent_dim) or None
        w; None for a single modality.
    log_exponents : Parameter of shape (n_modalities,) or None
        Their mean over the observed modalities is :math:`\log t_S`; None for a single modality.
    information_roots : Tensor of shape (n_modalities, latent_dim, latent_dim)
        R; at first of the model, as A is the identity and b is 0.
    slopes : Tensor of shape (n_modalities, latent_dim, latent_dim) or None
        A; None for a single modality.
    offsets : Tensor of shape (n_modalities, latent_dim) or None
        b.
    """

    information_roots: Tensor
    slopes: Tensor
    offsets: Tensor

    def __init__(self, model: StructuredVAE) -> None:
        super().__init__()
        self.shapes, self.latent_dim = model.shapes, model.latent_dim
        several = len(model.shapes) > 1
        self.encoders = copy.deepcopy(model.encoders) if several else nn.ModuleList()
        self.views = copy.deepcopy(model.views) if several else DerivedViews()
        zeros = model.prior.means.new_zeros(len(self.encoders), self.latent_dim)
        self.widening = nn.Parameter(zeros) if several else None
        self.log_exponents = nn.Parameter(zeros.new_zeros(len(self.encoders))) if several else None
        self.register_buffer("information_roots", model.information_roots.clone())
        eyes = torch.eye(self.latent_dim).to(zeros).repeat(len(zeros), 1, 1)
        self.register_buffer("slopes", eyes if several else None)
        self.register_buffer("offsets", zeros.clone() if several else None)

    @property
    def networks(self) -> list[nn.Module]:
        """Encoders, which may be computed in fewer digits than all else."""
        return [*self.encoders, *self.views.networks]

    def outputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the experts of modalities and views, without the widening that all samples share.

        Parameters
        ----------
        batch : Batch
            Samples.

        Returns
        -------
        means, log_vars : Tensor of shape (n_modalities + n_views, n_samples, latent_dim)
            Of each.
        """
        means, log_vars = encode_each(self.encoders, batch, self.shapes, self.latent_dim)
        return self.views.encode(batch, means, log_vars)[:2]

    def of_modalities(self, means: Tensor, log_vars: Tensor) -> tuple[Tensor, Tensor]:
        """Return one expert for each modality: with its view, which is no further evidence.

        Parameters
        ----------
        means, log_vars : Tensor of shape (n_modalities + n_views, n_samples, latent_dim)
            From :meth:`outputs`.

        Returns
        -------
        locations, log_widths : Tensor of shape (n_modalities, n_samples, latent_dim)
            Means and log-variances.
        """
        n_encoders = len(self.encoders)
        locations, log_widths = list(means[:n_encoders]), list(log_vars[:n_encoders])
        for k, (m, _) in enumerate(self.views.by_modality()):
            pair = [m, n_encoders + k]
            product = product_of_experts(means[pair], log_vars[pair], None, prior_expert=False)
            locations[m], log_widths[m] = product
        return torch.stack(locations), torch.stack(log_widths)

    @torch.no_grad()
    def take(self, other: SubsetEncoders, m: int) -> None:
        """Let one modality's potential be that of other encoders of the same model."""
        self.encoders[m].load_state_dict(other.encoders[m].state_dict())
        for (modality, view), (_, another) in zip(
            self.views.by_modality(), other.views.by_modality(), strict=True
        ):
            if modality == m:
                view.load_state_dict(another.state_dict())
        for name in ("information_roots", "slopes", "offsets", "widening"):
            getattr(self, name)[m] = getattr(other, name)[m]

    def potential(self, batch: Batch, outputs: tuple[Tensor, Tensor] | None = None) -> Potential:
        """Return what samples say of their latent points; nothing where nothing is observed.

        Parameters
        ----------
        batch : Batch
            Samples.
        outputs : pair of Tensor, default=None
            From :meth:`outputs`; None asks the encoders.

        Returns
        -------
        Potential
            With a precision for each sample.
        """
        if not self.encoders:  # of a single modality that is missing
            zeros = batch.arrays[0].new_zeros(len(batch.arrays[0]), self.latent_dim).double()
            return with_gaps(batch, Potential(zeros, torch.diag_embed(zeros)), None)
        means, log_vars = self.outputs(batch) if outputs is None else outputs
        locations, log_widths = self.of_modalities(means, log_vars)
        widths = log_widths + cast(Tensor, self.widening)[:, None]
        scales, roots = torch.exp(-0.5 * widths.double()), self.information_roots.double()
        halves = roots[:, None] * scales[:, :, None, :]
        halves = halves * trusted_modalities(batch).sqrt()[:, :, None, None]
        moved = halves @ self.slopes.double()[:, None]
        precisions = moved.mT @ moved
        off = halves @ (locations.double() - self.offsets.double()[:, None])[..., None]
        linear = (moved.mT @ off)[..., 0]
        return with_gaps(batch, Potential(linear.sum(dim=0), precisions.sum(dim=0)), None)

    def posterior(self, batch: Batch, prior: CausalPrior) -> OwnPosterior:
        """Return the posterior of samples, with the mixture of a prior."""
        potential, beyond = self.potential(batch), beyond_potentials(batch)
        return OwnPosterior(prior.means, prior.covariances, potential, beyond)

    def potential_of(self, batch: Batch, m: int) -> Potential:
        """Return what one modality says of the latent points of samples."""
        observed = torch.zeros_like(batch.present)
        observed[m] = batch.present[m]
        return self.potential(replace(batch, observed=observed))

    def exponents(self, batch: Batch) -> Tensor:
        """Return :math:`t_S` of every sample, of shape (n_samples,); 1 where nothing is seen."""
        if self.log_exponents is None:
            return batch.arrays[0].new_ones(len(batch.arrays[0]))
        shares = whole_modalities(batch) / batch.present.sum(dim=0).clamp_min(1)
        # above 1, a part would be surer than its own likelihood
        return (self.log_exponents.clamp_max(0.0) @ shares.to(self.log_exponents)).exp()

    def log_evidence(self, batch: Batch, log_normalizers: Tensor, log_weights: Tensor) -> Tensor:
        r"""Return what samples say of components, :math:`\log E_c(x_S)`.

        Where elements are missing decoders say it, and no encoder is off the mark.

        Parameters
        ----------
        batch : Batch
            Samples.
        log_normalizers : Tensor of shape (n_components, n_samples)
            Logarithms of the integrals of potentials in the components.
        log_weights : Tensor of shape (n_components, 1 or n_samples)
            Logarithms of the components' probabilities.

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            In nats.
        """
        tempered = self.exponents(batch) * log_normalizers
        of_any = (log_weights + tempered).logsumexp(dim=0) + math.log(CONTAMINATION)
        located = whole_modalities(batch).any(dim=0)
        return torch.where(located, torch.logaddexp(tempered, of_any), tempered)

    def incomplete(self, batch: Batch) -> Tensor | None:
        """Return which samples these are for, of shape (n_samples,); None for none.

        They lack modalities, single elements of these, or trust in one of several.
        """
        counts = trusted_modalities(batch) if self.encoders else whole_modalities(batch)
        lacking = (counts < 1).any(dim=0)
        return lacking if bool(lacking.any()) else None
