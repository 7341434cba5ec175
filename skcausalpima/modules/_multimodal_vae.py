"""The multimodal variational autoencoder: encoders, product of experts, prior, decoders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..functional import (
    DiagonalGaussian,
    entropy,
    isotropic_log_likelihood,
    mixture_log_evidence,
    mixture_terms,
    product_of_experts,
    rsample,
)
from ..functional import log_responsibilities as _log_responsibilities
from ._batch import Batch, BoundWithErrors, Likelihood
from ._cluster_decoder import ClusterDecoder
from ._decoder_likelihoods import OWN_LIKELIHOOD, own_likelihoods
from ._encoders import MAX_ABS_LOG_VAR, encode_observed
from ._experts.cluster import ClusterExpert
from ._prior import CausalPrior, weights_of_regimes


class MultimodalVAE(nn.Module):
    r"""Variational autoencoder of several modalities with a causal mixture prior.

    Parameters
    ----------
    encoders : sequence of torch.nn.Module
        Per modality a module from (n_samples, \*shape) to (n_samples, 2 * latent_dim).
    decoders : sequence of torch.nn.Module
        Per modality a module from (n_samples, latent_dim) to (n_samples, \*shape), or one with a
        likelihood of its own, see :func:`own_likelihoods`.
    prior : CausalPrior
        The prior.
    shapes : sequence of tuple of int
        Shape of one sample of each modality.
    modality_weights : Tensor of shape (n_modalities,) or None
        Factors of the modalities' log-likelihoods in training; ones give the plain ELBO. None
        balances the modalities, see :meth:`error_weights`.
    prior_expert : bool, default=True
        Whether N(0, I) is one of the experts.
    sampled_responsibilities : bool, default=False
        Whether gamma is evaluated at the sampled z (the paper) rather than in expectation.
    """

    def __init__(
        self,
        encoders: Sequence[nn.Module],
        decoders: Sequence[nn.Module],
        prior: CausalPrior,
        shapes: Sequence[tuple[int, ...]],
        modality_weights: Tensor | None,
        prior_expert: bool = True,
        sampled_responsibilities: bool = False,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.decoders = nn.ModuleList(decoders)
        self.prior = prior
        self.shapes = [tuple(shape) for shape in shapes]
        self.widths = [math.prod(shape) for shape in shapes]
        self.prior_expert = prior_expert
        self.sampled_responsibilities = sampled_responsibilities
        self.register_buffer("modality_weights", modality_weights)
        self.register_buffer("log_variances", torch.zeros(len(self.shapes), dtype=torch.float32))

    def encode(self, batch: Batch) -> DiagonalGaussian:
        """Return the posterior q(z|x), the product of the encoders' experts (Eq. 4).

        Parameters
        ----------
        batch : Batch
            Samples.

        Returns
        -------
        DiagonalGaussian
            Mean and log-variance of shape (n_samples, latent_dim).
        """
        rows = [None] * len(self.shapes) if batch.observed is None else batch.observed
        width = 2 * self.prior.means.shape[1]
        parts = zip(self.encoders, batch.arrays, self.shapes, rows, strict=True)
        outputs = [
            encode_observed(encoder, array.unflatten(1, shape), seen, width)
            for encoder, array, shape, seen in parts
        ]
        means, log_vars = torch.stack(outputs).chunk(2, dim=-1)
        log_vars = log_vars.clamp(-MAX_ABS_LOG_VAR, MAX_ABS_LOG_VAR)
        return product_of_experts(means, log_vars, batch.observed, self.prior_expert)

    def decode(self, z: Tensor, components: Tensor | None = None) -> list[Tensor]:
        """Return the decoded means of all modalities, flattened.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.
        components : Tensor of int of shape (n_samples,), default=None
            Component of each point, for what depends on it; None takes the most probable.

        Returns
        -------
        list of Tensor
            Per modality a tensor of shape (n_samples, width).
        """
        kinds = (ClusterExpert, ClusterDecoder)
        if components is None and self._rows_without(*kinds) != slice(None):
            components = self.log_responsibilities(None, z).argmax(dim=0)
        return [
            decoder.decode(z, components) if isinstance(decoder, kinds) else decoder(z).flatten(1)
            for decoder in self.decoders
        ]

    def squared_errors(self, batch: Batch, z: Tensor) -> Tensor:
        """Return the squared errors of what is decoded from latent points, summed over elements.

        Parameters
        ----------
        batch : Batch
            Samples.
        z : Tensor of shape (n_samples, latent_dim)
            Latent points, one per sample.

        Returns
        -------
        Tensor of shape (n_modalities, n_samples)
            Zero where a modality is missing, or its decoder has a likelihood of its own.
        """
        rows = [
            z.new_zeros(len(z))
            if isinstance(decoder, OWN_LIKELIHOOD)
            else nn.functional.mse_loss(decoder(z).flatten(1), x, reduction="none").sum(dim=1)
            for x, decoder in zip(batch.arrays, self.decoders, strict=True)
        ]
        errors = torch.stack(rows)
        return errors if batch.observed is None else errors * batch.observed

    def log_likelihoods(self, squared_errors: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return the log-likelihood of every modality (Eq. 26).

        Parameters
        ----------
        squared_errors : Tensor of shape (n_modalities, n_samples)
            From :meth:`squared_errors`.
        observed : Tensor of shape (n_modalities, n_samples), default=None
            Which modalities count; a number in [0, 1] where errors are averages over samples.

        Returns
        -------
        Tensor of shape (n_modalities, n_samples)
            In nats; zero where a modality is missing, or its decoder has its own likelihood.
        """
        log_variances = self.log_variances[:, None]
        rows, widths = self._rows_without(*OWN_LIKELIHOOD), torch.zeros_like(log_variances)
        widths[rows] = widths.new_tensor(self.widths)[rows, None]
        if observed is not None:
            widths = widths * observed  # a missing modality has no elements, and no error
        return isotropic_log_likelihood(squared_errors, widths, log_variances)

    def error_weights(self) -> Tensor:
        r"""Return the factor of half the squared error of each modality in training.

        :math:`w_m / s_m^2`, or where modalities are balanced :math:`\bar D / (D_m \bar s^2)`, with
        the mean width and the mean decoder variance: every modality's mean squared error counts
        alike, however wide or noisy it is.

        Returns
        -------
        Tensor of shape (n_modalities,)
            Nonnegative factors.
        """
        if self.modality_weights is not None:
            return self.modality_weights * torch.exp(-self.log_variances)
        widths, rows = self.log_variances.new_tensor(self.widths), self._rows_without(ClusterExpert)
        factors = torch.zeros_like(widths)
        mean_variance = self.log_variances[rows].exp().mean()
        factors[rows] = widths[rows].mean() / (widths[rows] * mean_variance)
        return factors

    def training_log_likelihood(
        self, squared_errors: Tensor, observed: Tensor | None = None
    ) -> Tensor:
        """Return the log-likelihood that training maximises (Eq. 26, weighted or balanced).

        Balanced modalities count as isotropic observations of the mean width and of one variance,
        the mean of the decoder variances.

        Parameters
        ----------
        squared_errors : Tensor of shape (n_modalities, n_samples)
            From :meth:`squared_errors`.
        observed : Tensor of shape (n_modalities, n_samples), default=None
            See :meth:`log_likelihoods`.

        Returns
        -------
        Tensor of shape (n_samples,)
            In nats.
        """
        if self.modality_weights is not None:
            return self.modality_weights @ self.log_likelihoods(squared_errors, observed)
        rows, decoded = self._rows_without(*OWN_LIKELIHOOD), self._rows_without(ClusterExpert)
        if rows == []:
            return squared_errors.sum(dim=0)  # zero: all decoders have their own likelihoods
        widths, variances = self.log_variances.new_tensor(self.widths), self.log_variances.exp()
        mean_width, log_variance = widths[decoded].mean(), variances[decoded].mean().log()
        errors = squared_errors[rows] * (mean_width / widths[rows, None])
        if observed is not None:
            mean_width = mean_width * observed[rows]
        return isotropic_log_likelihood(errors, mean_width, log_variance).sum(dim=0)

    def likelihood_weight(self, m: int) -> Tensor | float:
        r"""Return the factor in training of the likelihood that a decoder has for its own.

        Where modalities are balanced, it is such that a squared error of the mean variance counts
        as in every other modality. Experts per cluster ask nothing of the latent point, and count
        in full.

        Parameters
        ----------
        m : int
            Number of the modality.

        Returns
        -------
        Tensor of shape () or float
            Nonnegative.
        """
        if self.modality_weights is not None:
            return self.modality_weights[m]
        if isinstance(self.decoders[m], ClusterExpert):
            return 1.0
        return self.error_weights()[m] * self.log_variances[m].exp()

    def _rows_without(self, *kinds: type) -> slice | list[int]:
        """Return the numbers of the modalities whose decoders are of other kinds."""
        rows = [m for m, d in enumerate(self.decoders) if not isinstance(d, kinds)]
        return rows if len(rows) < len(self.decoders) else slice(None)

    def evidence(self, likelihoods: Mapping[int, Likelihood]) -> Tensor | float:
        """Return what decoders with likelihoods of their own say about the cells in training.

        Parameters
        ----------
        likelihoods : mapping of int to Likelihood
            From :func:`own_likelihoods`.

        Returns
        -------
        Tensor of shape (n_components or 1, n_samples), or 0.0 if there are none
            To be added to the expected log-densities of the cells.
        """
        parts = (self.likelihood_weight(m) * own[0] for m, own in likelihoods.items())
        return sum(parts, start=0.0)

    def log_responsibilities(
        self,
        posterior: DiagonalGaussian | None,
        z: Tensor | None = None,
        allowed: Tensor | None = None,
        regimes: Tensor | None = None,
        evidence: Tensor | float = 0.0,
    ) -> Tensor:
        """Return the log-responsibilities of the cells (Eq. 16).

        Parameters
        ----------
        posterior : DiagonalGaussian or None
            Posterior of the samples; None only with ``z``.
        z : Tensor of shape (n_samples, latent_dim), default=None
            Where to evaluate the densities; None takes the expectation over the posterior.
        allowed : Tensor of shape (n_components, n_samples), default=None
            Cells that a sample may belong to; the others get -inf. None allows all.
        regimes : Tensor of shape (1, n_samples), default=None
            Which nodes were set from outside; None for none.
        evidence : Tensor of shape (n_components, n_samples), default=0.0
            What decoders with their own likelihoods say.

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            Log-responsibilities.
        """
        if z is not None:
            posterior = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
        log_density = self.log_density(posterior, allowed) + evidence
        return _log_responsibilities(self.log_weights(regimes), log_density)

    def log_weights(self, regimes: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Return the logarithms of the cells' probabilities A.

        Parameters
        ----------
        regimes : Tensor of shape (1, n_samples) or None
            Which nodes were set from outside; None for none.
        noise : Tensor of shape (n_nodes,), default=None
            Added to the node scores.

        Returns
        -------
        Tensor of shape (n_components,), or (n_components, n_samples) where nodes were set
            In nats.
        """
        if regimes is None:
            return self.prior.log_weights(noise)
        return weights_of_regimes(self.prior.regime_log_weights(noise), regimes)

    def log_density(self, posterior: DiagonalGaussian, allowed: Tensor | None = None) -> Tensor:
        """Return the expected log-densities of the cells (Eq. 34, 35).

        Parameters
        ----------
        posterior : DiagonalGaussian
            Posterior of the samples.
        allowed : Tensor of shape (n_components, n_samples), default=None
            Cells that a sample may belong to; the others get -inf. None allows all.

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            In nats.
        """
        log_density = self.prior.expected_log_density(posterior)
        return log_density if allowed is None else log_density.masked_fill(~allowed, -torch.inf)

    def elbo(
        self, batch: Batch, noise: Tensor, score_noise: Tensor | None = None
    ) -> BoundWithErrors:
        """Return the (weighted) evidence lower bound of every sample (Eq. 31).

        Where the batch says which cells are allowed, the bound is that of the sample and of its
        lying in one of these.

        Parameters
        ----------
        batch : Batch
            Samples.
        noise : Tensor of shape (n_samples, latent_dim)
            Standard normal draws.
        score_noise : Tensor of shape (n_nodes,), default=None
            Added to the node scores.

        Returns
        -------
        BoundWithErrors
            The bound in nats, and the squared errors at the draws.
        """
        posterior = self.encode(batch)
        z = rsample(posterior, noise)
        errors = self.squared_errors(batch, z)
        reconstruction = self.training_log_likelihood(errors, batch.observed)
        log_weights = self.log_weights(batch.regimes, score_noise)
        evidence = self.evidence(own_likelihoods(self.decoders, batch, z))
        log_density = self.log_density(posterior, batch.allowed) + evidence
        if self.sampled_responsibilities:
            at_z = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
            at_z = self.log_density(at_z, batch.allowed) + evidence
            gamma = _log_responsibilities(log_weights, at_z)
            mixture = torch.stack(mixture_terms(log_weights, log_density, gamma)).sum(dim=0)
        else:
            mixture = mixture_log_evidence(log_weights, log_density)
        return BoundWithErrors(reconstruction + mixture + entropy(posterior.log_var), errors)

    def unit_elbo(self, batch: Batch, noise: Tensor, kl_weight: float = 1.0) -> Tensor:
        """Return the bound with the prior N(0, I) in the mixture's place (pre-training).

        Parameters
        ----------
        batch : Batch
            Samples.
        noise : Tensor of shape (n_samples, latent_dim)
            Standard normal draws.
        kl_weight : float, default=1.0
            Weight of the divergence from the prior; 0 leaves the reconstruction term alone.

        Returns
        -------
        Tensor of shape (n_samples,)
            In nats.
        """
        posterior = self.encode(batch)
        z = rsample(posterior, noise)
        errors = self.squared_errors(batch, z)
        reconstruction = self.training_log_likelihood(errors, batch.observed)
        evidence = self.evidence(own_likelihoods(self.decoders, batch, z))
        reconstruction = (reconstruction + evidence).flatten()  # one row: there are no cells yet
        if kl_weight == 0.0:
            return reconstruction
        variance = posterior.log_var.exp()
        divergence = 0.5 * (posterior.mean.square() + variance - 1.0 - posterior.log_var)
        return reconstruction - kl_weight * divergence.sum(dim=1)
