"""The likelihood of all modalities, given the latent point and the component."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, MutableSequence, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ..functional import isotropic_log_likelihood, squared_errors
from ._batch import Batch, Likelihood
from ._decoder_protocol import Decoder, as_decoder
from ._experts.scaled import ScaledExpert
from ._variance_decoders import VarianceDecoder


class ObservationModel(nn.Module):
    r"""The likelihoods :math:`p(x_m | z, c)` of all modalities, and their weights in training.

    Parameters
    ----------
    decoders : sequence of torch.nn.Module
        Per modality a module from (n_samples, latent_dim) to (n_samples, \*shape), or a `Decoder`.
    shapes : sequence of tuple of int
        Shape of one sample of each modality.
    modality_weights : Tensor of shape (n_modalities,) or None
        Factors of the modalities' log-likelihoods in training; None balances them.

    Attributes
    ----------
    names : tuple of str
        Names of the modalities; as those of users that state none until they are named.
    """

    decoders: MutableSequence[Decoder]
    modality_weights: Tensor | None
    log_variances: Tensor

    def __init__(
        self,
        decoders: Sequence[nn.Module],
        shapes: Sequence[tuple[int, ...]],
        modality_weights: Tensor | None,
    ) -> None:
        super().__init__()
        modules = nn.ModuleList([as_decoder(network) for network in decoders])
        self.decoders = cast(MutableSequence[Decoder], modules)
        self.shapes = [tuple(shape) for shape in shapes]
        self.widths = [math.prod(shape) for shape in shapes]
        self.free_widths = [
            decoder.free_width(width)
            for decoder, width in zip(self.decoders, self.widths, strict=True)
        ]
        self.names: tuple[str, ...] = tuple(f"modality{m}" for m in range(len(self.shapes)))
        self._frozen_costs: tuple[Tensor, Tensor] | None = None
        self.register_buffer("modality_weights", modality_weights)
        self.register_buffer("log_variances", torch.zeros(len(self.shapes), dtype=torch.float32))

    @property
    def experts(self) -> list[tuple[int, ScaledExpert]]:
        """Experts, with the numbers of their modalities."""
        pairs = enumerate(self.decoders)
        return [
            (m, cast(ScaledExpert, decoder)) for m, decoder in pairs if decoder.expert is not None
        ]

    @property
    def cluster_dependent(self) -> list[int]:
        """Numbers of the modalities whose decoder says something else under each component."""
        return [m for m, decoder in enumerate(self.decoders) if decoder.depends_on_cluster]

    def name_modalities(self, names: Sequence[str]) -> None:
        """Say what the modalities are called, for messages.

        Parameters
        ----------
        names : sequence of str
            One for each.
        """
        self.names = tuple(names)
        for m, expert in self.experts:
            expert.modality = self.names[m]

    def predict_variances(self, m: int) -> None:
        """Take the network of a modality as one that returns means and log-variances.

        Parameters
        ----------
        m : int
            Number of the modality.
        """
        self.decoders[m] = VarianceDecoder(self.decoders[m].unwrapped)

    def draw(self, z: Tensor, components: Tensor, normal: Callable[..., Tensor]) -> list[Tensor]:
        """Draw samples at latent points: what is decoded, plus observation noise.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.
        components : Tensor of int of shape (n_samples,)
            Component of each point.
        normal : callable
            Returns standard normal draws of a shape.

        Returns
        -------
        list of Tensor
            Per modality a tensor of shape (n_samples, width).
        """
        parts = zip(self.decoders, self.log_variances, strict=True)
        return [decoder.draw(z, components, variance, normal) for decoder, variance in parts]

    def own_likelihoods(
        self, batch: Batch, z: Tensor, modalities: Collection[int] | None = None
    ) -> dict[int, Likelihood]:
        """Return what the decoders say that have a likelihood of their own (Eq. 26).

        All others give a mean, whose elements share the one variance of the modality.

        Parameters
        ----------
        batch : Batch
            Samples.
        z : Tensor of shape (n_samples, latent_dim)
            Latent points, one per sample.
        modalities : collection of int, default=None
            Numbers of those that are asked; None asks all.

        Returns
        -------
        dict of int to Likelihood
            By number of the modality; zero where it is missing.
        """
        terms: dict[int, Likelihood] = {}
        for m, decoder in enumerate(self.decoders):
            if modalities is not None and m not in modalities:
                continue
            term = decoder.likelihood(batch.arrays[m], z, batch.elements.get(m))
            if term is not None:
                terms[m] = term if batch.observed is None else _of_observed(term, batch.observed[m])
        return terms

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
            Of observed elements; zero where a modality is missing, or its decoder has a likelihood
            of its own.
        """
        rows = [
            z.new_zeros(len(z))
            if decoder.has_likelihood
            else _errors(decoder(z).flatten(1), batch.arrays[m], batch.elements.get(m))
            for m, decoder in enumerate(self.decoders)
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
            Which modalities count; a number in [0, 1] where errors are averages over samples, or
            some elements of a sample are missing: see `Batch.shares`.

        Returns
        -------
        Tensor of shape (n_modalities, n_samples)
            In nats; zero where a modality is missing, or its decoder has its own likelihood.
        """
        log_variances = self.log_variances[:, None]
        rows, widths = self._plain_rows(), torch.zeros_like(log_variances)
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
        widths, rows = self.log_variances.new_tensor(self.free_widths), self._latent_rows()
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
        errors, constants = self._frozen_costs or self._training_costs()
        cost = errors.to(squared_errors) @ squared_errors
        if observed is None:
            return -(cost + constants.sum())
        return -(cost + constants @ observed.to(constants))

    def _training_costs(self) -> tuple[Tensor, Tensor]:
        r"""Return what a squared error costs in training, and what a modality costs without any.

        Balanced, :math:`\frac{1}{2} \bar D \log(2 \pi \bar s^2)`, otherwise
        :math:`\frac{1}{2} w_m D_m \log(2 \pi s_m^2)`, of modalities without their own likelihoods.
        """
        widths, rows = self.log_variances.new_tensor(self.free_widths), self._plain_rows()
        no_error = torch.zeros_like(widths)
        if self.modality_weights is not None:
            exact = isotropic_log_likelihood(no_error, widths, self.log_variances)
            costs = -self.modality_weights * exact
        else:
            decoded = self._latent_rows()
            log_variance = self.log_variances[decoded].exp().mean().log()
            costs = -isotropic_log_likelihood(no_error, widths[decoded].mean(), log_variance)
        constants = no_error.clone()
        constants[rows] = costs[rows]
        return 0.5 * self.error_weights(), constants

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
        if not self.decoders[m].depends_on_latent:
            return 1.0
        return self.error_weights()[m] * self.log_variances[m].exp()

    def _plain_rows(self) -> slice | list[int]:
        """Return the modalities whose elements share the one variance of the modality."""
        return self._rows([not decoder.has_likelihood for decoder in self.decoders])

    def _latent_rows(self) -> slice | list[int]:
        """Return the modalities that are decoded from the latent point."""
        return self._rows([decoder.depends_on_latent for decoder in self.decoders])

    def _rows(self, chosen: list[bool]) -> slice | list[int]:
        """Return the numbers of some modalities; a slice if these are all."""
        return slice(None) if all(chosen) else [m for m, is_in in enumerate(chosen) if is_in]

    def evidence(self, likelihoods: Mapping[int, Likelihood]) -> Tensor | float:
        """Return what decoders with likelihoods of their own say about the cells in training.

        Parameters
        ----------
        likelihoods : mapping of int to Likelihood
            From :meth:`own_likelihoods`.

        Returns
        -------
        Tensor of shape (n_components or 1, n_samples), or 0.0 if there are none
            To be added to the expected log-densities of the cells.
        """
        parts = (
            self.likelihood_weight(m) * term.log_likelihoods for m, term in likelihoods.items()
        )
        return sum(parts, start=0.0)


def _errors(decoded: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the squared error of every sample, summed over the elements that are observed."""
    if mask is None:
        return squared_errors(decoded, x)
    return (nn.functional.mse_loss(decoded, x, reduction="none") * mask).sum(dim=1)


def _of_observed(likelihood: Likelihood, observed: Tensor) -> Likelihood:
    """Return zeros for the samples that lack the modality: ``observed`` has one entry each."""
    errors = None if likelihood.squared_errors is None else likelihood.squared_errors * observed
    return Likelihood(likelihood.log_likelihoods * observed, errors)
