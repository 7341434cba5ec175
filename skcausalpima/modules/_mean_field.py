"""The published posterior: latent point and component apart, q(z | x) q(c | x)."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from ..functional import (
    DiagonalGaussian,
    MixtureStatistics,
    PreparedComponents,
    entropy,
    log_responsibilities,
    mixture_log_evidence,
    mixture_terms,
    product_of_experts,
    rsample,
    unpacked_statistics,
)
from ._batch import Batch, BoundWithErrors
from ._encoders import encode_each
from ._multimodal_vae import Assignment, MultimodalVAE


class MeanFieldPosterior(NamedTuple):
    """Gaussians q(z | x), the same in all components.

    Parameters
    ----------
    gaussian : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    prepared : PreparedComponents
        The mixture.
    """

    gaussian: DiagonalGaussian
    prepared: PreparedComponents

    def statistics(self, gamma: Tensor) -> MixtureStatistics:
        """Return the sums that Eq. 17 needs, given responsibilities times weights."""
        packed = self.prepared.statistics(self.gaussian) @ gamma.double().T
        return unpacked_statistics(packed, self.prepared.origin, self.prepared.is_full)


class MeanFieldVAE(MultimodalVAE):
    r"""The model with the posterior of the paper, whose responsibilities are taken at a draw.

    Parameters
    ----------
    encoders, decoders, prior, shapes, modality_weights
        As of :class:`MultimodalVAE`.

    Attributes
    ----------
    prior_expert : bool
        Whether N(0, I) is one of the experts, as it is at first.
    """

    prior_expert = True
    terms = ("density", "weight", "assignment_entropy", "posterior_entropy")

    @property
    def steps_suffice(self) -> bool:
        """Whether gradient steps see what a pass over the data would: not at draws of their own."""
        return False

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
        means, log_vars = encode_each(self.encoders, batch, self.shapes, self.latent_dim)
        means, log_vars, observed = self.views.encode(batch, means, log_vars)
        return product_of_experts(means, log_vars, observed, self.prior_expert)

    def unit_points(self, batch: Batch, noise: Tensor) -> Tensor:
        """Return draws of latent points, which depend on no prior but the one among the experts."""
        return rsample(self.encode(batch), noise)

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

    def _at(self, z: Tensor, allowed: Tensor | None, evidence: Tensor | float) -> Tensor:
        """Return the log-densities of the cells at draws."""
        point = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
        return self.log_density(point, allowed) + evidence

    def elbo(self, batch: Batch, noise: Tensor) -> BoundWithErrors:
        """Return the (weighted) bound of every sample; see the base class."""
        batch = self.views.computed(batch)
        posterior = self.encode(batch)
        z = rsample(posterior, noise)
        errors, reconstruction = self._costs_of_draws(batch, z)
        evidence = self.evidence(self.own_likelihoods(batch, z))
        log_weights = self.log_weights(batch.regime_index)
        log_density = self.log_density(posterior, batch.allowed) + evidence
        gamma = log_responsibilities(log_weights, self._at(z, batch.allowed, evidence))
        mixture = torch.stack(mixture_terms(log_weights, log_density, gamma)).sum(dim=0)
        return BoundWithErrors(reconstruction + mixture + entropy(posterior.log_var), errors)

    def unit_elbo(self, batch: Batch, noise: Tensor) -> BoundWithErrors:
        """Return the bound with the prior N(0, I) in the mixture's place; see the base class."""
        batch = self.views.computed(batch)
        posterior = self.encode(batch)
        z = rsample(posterior, noise)
        errors, reconstruction = self._costs_of_draws(batch, z)
        evidence = self.evidence(self.own_likelihoods(batch, z))
        values = (reconstruction + evidence).flatten()  # one row: there are no cells yet
        variance = posterior.log_var.exp()
        divergence = 0.5 * (posterior.mean.square() + variance - 1.0 - posterior.log_var)
        return BoundWithErrors(values - divergence.sum(dim=1), errors)

    def assign(self, batch: Batch, noise: Tensor, log_weights: Tensor) -> Assignment:
        """Return components and latent points of samples; see the base class."""
        posterior = self.encode(batch)
        z = rsample(posterior, noise)
        log_density = self.log_density(posterior, batch.allowed)
        evidence = self.evidence(likelihoods := self.own_likelihoods(batch, z))
        log_gamma = log_responsibilities(log_weights, self._at(z, batch.allowed, evidence))
        terms = mixture_terms(log_weights, log_density, log_gamma)
        return Assignment(
            posterior=MeanFieldPosterior(posterior, self.prior.prepared),
            log_gamma=log_gamma,
            z=z,
            likelihoods=likelihoods,
            terms=torch.stack([*terms, entropy(posterior.log_var)]),
        )

    def answer(self, batch: Batch, draws: Tensor) -> tuple[DiagonalGaussian, Tensor]:
        """Return q(z|x), and log-probabilities of components, (n_components, n_samples).

        ``draws`` of shape (n_draws, latent_dim) stand for z where expectations are taken.
        """
        posterior = self.encode(batch)
        # What the others make of a sample is the same in all cells.
        evidence = self._expected_evidence(batch, posterior, draws, self.cluster_dependent)
        log_density = self.log_density(posterior, batch.allowed) + evidence
        return posterior, log_responsibilities(self.log_weights(batch.regime_index), log_density)

    def bounds(self, batch: Batch, draws: Tensor) -> Tensor:
        """Return the bounds of samples (Eq. 31), of shape (n_samples,), in nats."""
        posterior = self.encode(batch)
        parts = (self.squared_errors(batch, rsample(posterior, draw)) for draw in draws)
        errors: Tensor = functools.reduce(operator.add, parts)
        reconstruction = self.log_likelihoods(errors / len(draws), batch.shares).sum(dim=0)
        log_density = self.prior.expected_log_density(posterior)
        everyone = range(len(self.decoders))
        evidence = self._expected_evidence(batch, posterior, draws, everyone)
        mixture = mixture_log_evidence(self.prior.log_weights(), log_density + evidence)
        return reconstruction + mixture + entropy(posterior.log_var)

    def _expected_evidence(
        self, batch: Batch, posterior: DiagonalGaussian, draws: Tensor, modalities: Collection[int]
    ) -> Tensor | float:
        """Return what decoders with their own likelihoods say, unweighted, in expectation."""
        asked = [self.decoders[m] for m in modalities]
        if not any(decoder.has_likelihood and decoder.depends_on_latent for decoder in asked):
            draws = draws[:1]  # experts say the same everywhere
        total: Tensor | float = 0.0
        for draw in draws:
            likelihoods = self.own_likelihoods(batch, rsample(posterior, draw), modalities)
            total = total + sum((part.log_likelihoods for part in likelihoods.values()), start=0.0)
        return total / len(draws)
