"""The multimodal variational autoencoder: what its two families of posteriors share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..functional import DiagonalGaussian, log_responsibilities
from ._batch import Batch, BoundWithErrors, Likelihood
from ._derived_view import DerivedViews
from ._encoders import is_same_in_training
from ._observation_model import ObservationModel
from ._prior import CausalPrior
from ._regimes import weights_of_regimes


class Assignment(NamedTuple):
    """What a pass over the data finds of some samples.

    Parameters
    ----------
    posterior : MeanFieldPosterior, SharedPosterior or OwnPosterior
        Of all that is observed: means of latent points, and the sums that Eq. 17 needs.
    log_gamma : Tensor of shape (n_components, n_samples)
        Log-responsibilities.
    z : Tensor of shape (n_samples, latent_dim)
        One draw of each latent point.
    likelihoods : dict of int to Likelihood
        What decoders with likelihoods of their own say.
    terms : Tensor of shape (n_terms, n_samples)
        Of the bound, besides the reconstruction, by ``MultimodalVAE.terms``.
    """

    posterior: Any
    log_gamma: Tensor
    z: Tensor
    likelihoods: dict[int, Likelihood]
    terms: Tensor


class MultimodalVAE(ObservationModel, ABC):
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

    Attributes
    ----------
    views : DerivedViews
        Of some modalities, which train and encode beside them; at first of none.
    linear_modalities : tuple of int
        Those whose networks take shorter steps in training; at first none.
    by_decoders : tuple of int
        Those whose decoders say where samples lie, once they are trained; at first none.
    noiseless : tuple of int
        Those whose networks are not trained; at first none.
    terms : tuple of str
        Names of the terms of the bound besides the reconstruction.
    """

    terms: tuple[str, ...]

    def __init__(
        self,
        encoders: Sequence[nn.Module],
        decoders: Sequence[nn.Module],
        prior: CausalPrior,
        shapes: Sequence[tuple[int, ...]],
        modality_weights: Tensor | None,
    ) -> None:
        super().__init__(decoders, shapes, modality_weights)
        self.encoders = nn.ModuleList(encoders)
        self.views = DerivedViews()
        self.linear_modalities: tuple[int, ...] = ()
        self.by_decoders: tuple[int, ...] = ()
        self.noiseless: tuple[int, ...] = ()
        self.prior = prior
        self._begin()

    def _begin(self) -> None:
        """Add what one family of posteriors has, and the other has not."""

    @property
    def networks(self) -> list[nn.Module]:
        """Encoders and decoders: what may be computed in fewer digits than all else."""
        of_decoders = [network for decoder in self.decoders for network in decoder.networks]
        return [*self.encoders, *of_decoders, *self.views.networks]

    def networks_of(self, m: int) -> list[nn.Module]:
        """Return encoder and decoder of a modality, and its derived view if it has one.

        Parameters
        ----------
        m : int
            Number of the modality.

        Returns
        -------
        list of torch.nn.Module
            Two or three.
        """
        views = [view for number, view in self.views.by_modality() if number == m]
        return [self.encoders[m], self.decoders[m], *views]

    @property
    def latent_dim(self) -> int:
        """Dimension of the latent space."""
        return self.prior.means.shape[1]

    @property
    def n_draws(self) -> int:
        """Number of standard normal draws that a sample needs for one latent point."""
        return self.latent_dim

    @property
    def steps_suffice(self) -> bool:
        """Whether gradient steps see what a pass over the data would, with the same networks.

        Responsibilities follow from the posterior then, not from draws, nor from decoders with
        likelihoods of their own, but those of columns, of which steps see what updates need; and
        encoders compute the same in training as after it.
        """
        has_own = any(decoder.has_own_variances for decoder in self.decoders)
        return not has_own and all(map(is_same_in_training, self.encoders))

    @abstractmethod
    def unit_points(self, batch: Batch, noise: Tensor) -> Tensor:
        """Return draws of latent points with the prior N(0, I) in the mixture's place."""

    @abstractmethod
    def elbo(self, batch: Batch, noise: Tensor) -> BoundWithErrors:
        """Return the (weighted) evidence lower bound of every sample (Eq. 31).

        Where the batch says which cells are allowed, the bound is that of the sample and of its
        lying in one of these.

        Parameters
        ----------
        batch : Batch
            Samples.
        noise : Tensor of shape (n_samples, n_draws)
            Standard normal draws.

        Returns
        -------
        BoundWithErrors
            The bound in nats, the squared errors at the draws, and posteriors.
        """

    @abstractmethod
    def unit_elbo(self, batch: Batch, noise: Tensor) -> BoundWithErrors:
        """Return the bound with the prior N(0, I) in the mixture's place (pre-training).

        Parameters
        ----------
        batch : Batch
            Samples.
        noise : Tensor of shape (n_samples, n_draws)
            Standard normal draws.

        Returns
        -------
        BoundWithErrors
            The same, with this bound; there are no posteriors.
        """

    @abstractmethod
    def assign(self, batch: Batch, noise: Tensor, log_weights: Tensor) -> Assignment:
        """Return components and latent points of samples, as the closed-form updates see them.

        Parameters
        ----------
        batch : Batch
            Samples.
        noise : Tensor of shape (n_samples, n_draws)
            Standard normal draws.
        log_weights : Tensor of shape (n_components,) or (n_components, n_samples)
            Logarithms of the cells' probabilities.

        Returns
        -------
        Assignment
            Of each sample.
        """

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
                components = self.components_at(z)
        return [decoder.decode(z, components) for decoder in self.decoders]

    def components_at(self, z: Tensor) -> Tensor:
        """Return the most probable component of each latent point, of shape (n_samples,)."""
        point = DiagonalGaussian(z, torch.full_like(z, -torch.inf))
        densities = self.prior.expected_log_density(point)
        return log_responsibilities(self.log_weights(None), densities).argmax(dim=0)

    def _costs_of_draws(self, batch: Batch, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return squared errors at latent points, and the log-likelihood that training sees.

        Derived views cost something in training; they are no part of the bound.
        """
        errors = self.squared_errors(batch, z)
        log_likelihood = self.training_log_likelihood(errors, batch.shares)
        if len(self.views) > 0:
            cost = self.views.weighted_errors(batch, z, self.error_weights())
            log_likelihood = log_likelihood - cost
        return errors, log_likelihood

    @contextmanager
    def frozen(self, has_cells: bool = True) -> Iterator[None]:
        """Prepare mixture and decoder variances once for all calls in a ``with`` block.

        They must not change inside.

        Parameters
        ----------
        has_cells : bool, default=True
            Whether there is a mixture yet.

        Yields
        ------
        None
            Nothing.
        """
        self._frozen_costs = self._training_costs()
        self.prior.frozen = self.prior.prepared if has_cells else None
        try:
            yield
        finally:
            self._frozen_costs = self.prior.frozen = None

    def log_weights(self, regime_index: Tensor | None) -> Tensor:
        """Return the logarithms of the cells' probabilities A.

        Parameters
        ----------
        regime_index : Tensor of shape (1, n_samples) or None
            Which nodes were intervened on; None for none.

        Returns
        -------
        Tensor of shape (n_components,), or (n_components, n_samples) where nodes were set
            In nats.
        """
        if regime_index is None:
            return self.prior.log_weights()
        return weights_of_regimes(self.prior.regime_log_weights(), regime_index)
