"""The multimodal variational autoencoder: encoders, product of experts, prior, decoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ..functional import (
    DiagonalGaussian,
    entropy,
    mixture_evidence,
    mixture_log_evidence,
    mixture_terms,
    product_of_experts,
    rsample,
)
from ..functional import log_responsibilities as _log_responsibilities
from ._batch import Batch, BoundWithErrors
from ._derived_view import DerivedViews
from ._encoders import encode_each, is_same_in_training
from ._observation_model import ObservationModel
from ._prior import CausalPrior, weights_of_regimes


class _Reconstruction(NamedTuple):
    """What samples say at one draw of their latent points."""

    posterior: DiagonalGaussian
    z: Tensor  # (sample, latent)
    squared_errors: Tensor  # (modality, sample)
    log_likelihood: Tensor  # (sample,), as in training, less what derived views cost
    evidence: Tensor | float  # (component or 1, sample): see `ObservationModel.evidence`


class MultimodalVAE(ObservationModel):
    r"""Variational autoencoder of several modalities with a causal mixture prior.

    Parameters
    ----------
    encoders : sequence of torch.nn.Module
        Per modality a module from (n_samples, \*shape) to (n_samples, 2 * latent_dim).
    decoders : sequence of torch.nn.Module
        Per modality a module from (n_samples, latent_dim) to (n_samples, \*shape), or one with a
        likelihood of its own, see :meth:`own_likelihoods`.
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

    Attributes
    ----------
    views : DerivedViews
        Of some modalities, which train and encode beside them; at first of none.
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
        super().__init__(decoders, shapes, modality_weights)
        self.encoders = nn.ModuleList(encoders)
        self.views = DerivedViews()
        self.prior = prior
        self.prior_expert = prior_expert
        self.sampled_responsibilities = sampled_responsibilities

    @property
    def networks(self) -> list[nn.Module]:
        """Encoders and decoders: what may be computed in fewer digits than all else."""
        of_decoders = [network for decoder in self.decoders for network in decoder.networks]
        return [*self.encoders, *of_decoders, *self.views.networks]

    @property
    def steps_suffice(self) -> bool:
        """Whether gradient steps see what a pass over the data would, with the same networks.

        Responsibilities follow from the posterior then, not from draws, nor from decoders with
        likelihoods of their own; and encoders compute the same in training as after it.
        """
        has_own = any(decoder.has_likelihood for decoder in self.decoders)
        are_same = all(map(is_same_in_training, self.encoders))
        return are_same and not (has_own or self.sampled_responsibilities)

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
        latent_dim = self.prior.means.shape[1]
        means, log_vars = encode_each(self.encoders, batch, self.shapes, latent_dim)
        means, log_vars, observed = self.views.encode(batch, means, log_vars)
        return product_of_experts(means, log_vars, observed, self.prior_expert)

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
        if components is None:
            components = z.new_zeros(len(z), dtype=torch.int64)
            if self.cluster_dependent:
                components = self.log_responsibilities(None, z).argmax(dim=0)
        return [decoder.decode(z, components) for decoder in self.decoders]

    def _encode_and_decode(self, batch: Batch, noise: Tensor) -> _Reconstruction:
        """Encode samples, draw latent points, and ask what is decoded there.

        Derived views cost something in training; they are no part of the bound.
        """
        batch = self.views.computed(batch)
        posterior = self.encode(batch)
        z = rsample(posterior, noise)
        errors = self.squared_errors(batch, z)
        log_likelihood = self.training_log_likelihood(errors, batch.shares)
        if len(self.views) > 0:
            cost = self.views.weighted_errors(batch, z, self.error_weights())
            log_likelihood = log_likelihood - cost
        evidence = self.evidence(self.own_likelihoods(batch, z))
        return _Reconstruction(posterior, z, errors, log_likelihood, evidence)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Prepare mixture and decoder variances once for all calls in a ``with`` block.

        They must not change inside.

        Yields
        ------
        None
            Nothing.
        """
        with self.prior.frozen_mixture(), self.frozen_variances():
            yield

    def log_responsibilities(
        self,
        posterior: DiagonalGaussian | None,
        z: Tensor | None = None,
        allowed: Tensor | None = None,
        regime_index: Tensor | None = None,
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
        regime_index : Tensor of shape (1, n_samples), default=None
            Which nodes were intervened on; None for none.
        evidence : Tensor of shape (n_components, n_samples), default=0.0
            What decoders with their own likelihoods say.

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            Log-responsibilities.
        """
        if z is not None:
            posterior = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
        log_density = self.log_density(cast(DiagonalGaussian, posterior), allowed) + evidence
        return _log_responsibilities(self.log_weights(regime_index), log_density)

    def log_weights(self, regime_index: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Return the logarithms of the cells' probabilities A.

        Parameters
        ----------
        regime_index : Tensor of shape (1, n_samples) or None
            Which nodes were intervened on; None for none.
        noise : Tensor of shape (n_nodes,), default=None
            Added to the node scores.

        Returns
        -------
        Tensor of shape (n_components,), or (n_components, n_samples) where nodes were set
            In nats.
        """
        if regime_index is None:
            return self.prior.log_weights(noise)
        return weights_of_regimes(self.prior.regime_log_weights(noise), regime_index)

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
            The bound in nats, the squared errors at the draws, posteriors and log-densities.
        """
        posterior, z, errors, reconstruction, evidence = self._encode_and_decode(batch, noise)
        log_weights = self.log_weights(batch.regime_index, score_noise)
        if self.sampled_responsibilities or isinstance(evidence, Tensor):
            log_density = self.log_density(posterior, batch.allowed) + evidence
            mixture = self._mixture_terms(batch, z, log_weights, log_density, evidence)
        else:
            prepared = self.prior.prepared
            found = mixture_evidence(posterior, log_weights, prepared, batch.allowed)
            mixture, log_density = found
        values = reconstruction + mixture + entropy(posterior.log_var)
        return BoundWithErrors(values, errors, posterior, log_density)

    def _mixture_terms(
        self,
        batch: Batch,
        z: Tensor,
        log_weights: Tensor,
        log_density: Tensor,
        evidence: Tensor | float,
    ) -> Tensor:
        """Return what the mixture adds to the bound of every sample."""
        if not self.sampled_responsibilities:
            return mixture_log_evidence(log_weights, log_density)
        at_z = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
        density_at_z = self.log_density(at_z, batch.allowed) + evidence
        gamma = _log_responsibilities(log_weights, density_at_z)
        return torch.stack(mixture_terms(log_weights, log_density, gamma)).sum(dim=0)

    def unit_elbo(self, batch: Batch, noise: Tensor, kl_weight: float = 1.0) -> BoundWithErrors:
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
        BoundWithErrors
            The same, with this bound; there are no log-densities.
        """
        posterior, _, errors, reconstruction, evidence = self._encode_and_decode(batch, noise)
        values = (reconstruction + evidence).flatten()  # one row: there are no cells yet
        if kl_weight > 0.0:
            variance = posterior.log_var.exp()
            divergence = 0.5 * (posterior.mean.square() + variance - 1.0 - posterior.log_var)
            values = values - kl_weight * divergence.sum(dim=1)
        return BoundWithErrors(values, errors, posterior, log_density=None)
