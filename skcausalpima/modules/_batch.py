"""Batches of samples, also of such that lack modalities or elements, and terms of their bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..functional import Evidence, OwnPosterior, Potential, SharedPosterior


class Gap(NamedTuple):
    """What the observed elements of a modality say, of samples that lack others of it.

    Parameters
    ----------
    partial : Tensor of bool of shape (n_samples,)
        Which samples these are; the rest of their rows counts for no other.
    known : Tensor of shape (n_samples, latent_dim, latent_dim)
        Precisions of the potentials of observed elements.
    linear : Tensor of shape (n_samples, latent_dim)
        Linear part of the potential of observed elements, from the decoder.
    location : Tensor of shape (n_samples, latent_dim)
        Where an encoder should locate the row as it is filled in.
    beyond : Tensor of shape (n_samples, n_components or 1)
        What decoders say of components beyond what potentials say: by how much more probable they
        make the observed elements at the latent point in each, up to a constant of the sample.
    """

    partial: Tensor
    known: Tensor
    linear: Tensor
    location: Tensor
    beyond: Tensor


@dataclass(frozen=True)
class Batch:
    r"""Some samples of all modalities, scaled.

    Parameters
    ----------
    arrays : tuple of Tensor
        Per modality a tensor of shape (n_samples, width); missing rows hold zeros,
        missing elements of other rows what is filled in.
    observed : Tensor of shape (n_modalities, n_samples) or None
        True where a sample has the modality; None where nothing is missing.
    allowed : Tensor of shape (n_components, n_samples), default=None
        True where a sample may belong to a cell; None where nothing is known.
    regime_index : Tensor of shape (1, n_samples), default=None
        Number of each sample's regime, see `CausalPrior.regimes`; None where no node was set.
    weights : Tensor of shape (1, n_samples), default=None
        For how many samples each one counts; None for one.
    elements : dict of int to Tensor of bool of shape (n_samples, width), default={}
        True where an element is observed, by the number of the modality, of those modalities that
        have samples which are observed in part.
    views : dict of int to Tensor of shape (n_samples, n_components), default=None
        Derived views by the number of their modality; None where they are yet to be computed.
    gaps : dict of int to Gap, default=None
        By the number of the modality, where elements are missing and were filled in.
    trust : Tensor of shape (n_modalities, n_samples), default=None
        By which what a modality says is raised to a power; None for 1. Of a sample with
        :math:`\kappa^2` times the noise that is :math:`\kappa^{-2}`.
    units : Tensor of int of shape (1, n_samples), default=None
        Number of the group that each sample belongs to; None where all stand alone.
    """

    arrays: tuple[Tensor, ...]
    observed: Tensor | None
    allowed: Tensor | None = None
    regime_index: Tensor | None = None
    weights: Tensor | None = None
    elements: dict[int, Tensor] = field(default_factory=dict)
    views: dict[int, Tensor] | None = None
    gaps: dict[int, Gap] | None = None
    trust: Tensor | None = None
    units: Tensor | None = None

    @property
    def groups(self) -> np.ndarray | None:
        """``units`` as an array of shape (n_samples,); None where all stand alone."""
        return None if self.units is None else self.units[0].cpu().numpy()

    @property
    def present(self) -> Tensor:
        """``observed``, also where nothing is missing."""
        if self.observed is not None:
            return self.observed
        shape = len(self.arrays), len(self.arrays[0])
        return torch.ones(shape, dtype=torch.bool, device=self.arrays[0].device)

    @property
    def powers(self) -> Tensor:
        """By which power what modalities say counts, 0 where they are missing, in float64."""
        present = self.present.double()
        return present if self.trust is None else present * self.trust

    @property
    def shares(self) -> Tensor | None:
        """Share of the elements that are observed, of shape (n_modalities, n_samples).

        It is ``observed`` where no sample is observed in part.
        """
        if not self.elements:
            return self.observed
        rows = self.present.to(self.arrays[0].dtype)
        for m, mask in self.elements.items():
            rows[m] *= mask.to(rows.dtype).mean(dim=1)
        return rows

    def take(self, rows: Tensor | slice) -> Batch:
        """Return some of the samples.

        Parameters
        ----------
        rows : Tensor of int of shape (n_rows,) or slice
            Their numbers, or which they are.

        Returns
        -------
        Batch
            Of these.
        """
        if isinstance(rows, slice):
            return self.mapped(lambda table: table[rows], lambda table: table[:, rows])
        return self.mapped(
            lambda table: table.index_select(0, rows), lambda table: table.index_select(1, rows)
        )

    def mapped(
        self, of_rows: Callable[[Tensor], Tensor], of_columns: Callable[[Tensor], Tensor]
    ) -> Batch:
        """Return what becomes of the tables there are.

        Parameters
        ----------
        of_rows, of_columns : callable
            Take a table whose rows, or columns, are samples, and return one.

        Returns
        -------
        Batch
            Of what they return.
        """

        def columns(table: Tensor | None) -> Tensor | None:
            return None if table is None else of_columns(table)

        views, gaps = self.views, self.gaps
        return Batch(
            arrays=tuple(map(of_rows, self.arrays)),
            observed=columns(self.observed),
            allowed=columns(self.allowed),
            regime_index=columns(self.regime_index),
            weights=columns(self.weights),
            elements={m: of_rows(mask) for m, mask in self.elements.items()},
            views=None if views is None else {m: of_rows(view) for m, view in views.items()},
            gaps=None if gaps is None else {m: Gap(*map(of_rows, gap)) for m, gap in gaps.items()},
            trust=columns(self.trust),
            units=columns(self.units),
        )

    def weighted(self, values: Tensor) -> Tensor:
        """Multiply values of the samples by the samples' weights.

        Parameters
        ----------
        values : Tensor of shape (..., n_samples)
            Values.

        Returns
        -------
        Tensor of shape (..., n_samples)
            The values themselves where all weights are 1.
        """
        return values if self.weights is None else values * self.weights[0]


@dataclass(frozen=True)
class BoundWithErrors:
    """The bound of some samples, and what it was computed from.

    Parameters
    ----------
    values : Tensor of shape (n_samples,)
        Bounds in nats.
    squared_errors : Tensor of shape (n_modalities, n_samples)
        Squared reconstruction errors, summed over elements.
    posterior : SharedPosterior or OwnPosterior, default=None
        By their likelihoods as they are; None where updates do not follow from it.
    likelihoods : dict of int to Likelihood, default=None
        Of decoders that have their own, the same under all components; None where there are none.
    """

    values: Tensor
    squared_errors: Tensor
    posterior: SharedPosterior | OwnPosterior | None = None
    likelihoods: dict[int, Likelihood] | None = None

    def detached(self) -> BoundWithErrors:
        """Return the same numbers, without what gradients need."""
        terms = self.likelihoods
        terms = None if terms is None else {m: term.detached() for m, term in terms.items()}
        errors = self.squared_errors.detach()
        return BoundWithErrors(self.values.detach(), errors, self.posterior, terms)


class Likelihood(NamedTuple):
    """What one modality says about the components, if its decoder has a likelihood of its own.

    Parameters
    ----------
    log_likelihoods : Tensor of shape (n_components or 1, n_samples)
        In nats; one row where all components say the same.
    squared_errors : Tensor of the same shape, or None
        Summed over elements; None where nothing is decoded from the latent point.
    """

    log_likelihoods: Tensor
    squared_errors: Tensor | None

    def detached(self) -> Likelihood:
        """Return the same numbers, without what gradients need."""
        errors = None if self.squared_errors is None else self.squared_errors.detach()
        return Likelihood(self.log_likelihoods.detach(), errors)

    def of_components(self, components: Tensor) -> Tensor:
        """Return what is said of each sample under its own component, (n_samples,)."""
        values, numbers = self.log_likelihoods, torch.arange(len(components)).to(components)
        return values[0] if len(values) == 1 else values[components, numbers]

    @classmethod
    def joined(cls, parts: Sequence[Likelihood]) -> Likelihood:
        """Return those of the samples of all parts, in order."""
        values = torch.cat([part.log_likelihoods for part in parts], dim=1)
        errors = [part.squared_errors for part in parts if part.squared_errors is not None]
        return cls(values, torch.cat(errors, dim=1) if errors else None)


class ComponentEvidence(NamedTuple):
    r"""What decoders that depend on the component say, with their own potentials divided out.

    Parameters
    ----------
    beyond : dict of int to Tensor of shape (n_components, n_samples)
        By number of the modality :math:`E_{q(z | c, x)} [\log p(x_m | z, c) - \log l_m(z)]`.
    log_potentials : Tensor of shape (n_components, n_samples) or float
        The second part of them alone, over all modalities.
    likelihoods : dict of int to Likelihood
        By number of the modality.
    """

    beyond: dict[int, Tensor]
    log_potentials: Tensor | float
    likelihoods: dict[int, Likelihood]

    @property
    def total(self) -> Tensor | float:
        """What all modalities say; 0.0 if there are none."""
        return sum(self.beyond.values(), start=0.0)

    @classmethod
    def mean(cls, parts: Sequence[ComponentEvidence]) -> ComponentEvidence:
        """Return the mean of what was said at several draws, with the likelihoods of the first."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        beyond = {
            m: torch.stack([part.beyond[m] for part in parts]).mean(dim=0) for m in first.beyond
        }
        log_potentials = sum(part.log_potentials for part in parts) / len(parts)
        return cls(beyond, log_potentials, first.likelihoods)


class Joint(NamedTuple):
    r"""What is known of samples and components together: a row of evidence for each sample.

    Parameters
    ----------
    posterior : SharedPosterior or OwnPosterior
        What potentials say, with the mixture as the prior.
    log_weights : Tensor of shape (n_components, n_samples or 1)
        Of the components, those of the sample's regime and context.
    allowed : Tensor of bool of shape (n_components, n_samples) or None
        Components that a sample may belong to; None for all.
    of_decoders : ComponentEvidence
        What those that depend on the component say beyond potentials.
    """

    posterior: SharedPosterior | OwnPosterior
    log_weights: Tensor
    allowed: Tensor | None
    of_decoders: ComponentEvidence

    @property
    def offsets(self) -> Tensor:
        r"""What is added to :math:`\log Z_c`, of shape (n_components, n_samples or 1)."""
        return self.log_weights + self.of_decoders.total

    def evidence(self) -> Evidence:
        """Return log Z, and how probable each component is."""
        return self.posterior.evidence(self.offsets, self.allowed)

    def only_allowed(self, numbers: Tensor) -> Tensor:
        """Return numbers of components and samples, -inf where a sample may not belong."""
        if self.allowed is None:
            return numbers
        return numbers.masked_fill(~self.allowed, -torch.inf)


def has_gaps(batch: Batch) -> bool:
    """Return True if single elements of some samples are missing."""
    return any(bool(gap.partial.any()) for gap in (batch.gaps or {}).values())


def whole_modalities(batch: Batch) -> Tensor:
    """Return which modalities samples have as a whole, of shape (n_modalities, n_samples)."""
    whole = batch.present.clone()
    for m, gap in (batch.gaps or {}).items():
        whole[m] &= ~gap.partial
    return whole


def trusted_modalities(batch: Batch) -> Tensor:
    """Return by which power what modalities say as a whole counts, 0 where they are not there.

    Of shape (n_modalities, n_samples), in float64.
    """
    return whole_modalities(batch) * batch.powers


def with_gaps(batch: Batch, potential: Potential, locations: Tensor | None) -> Potential:
    r"""Multiply potentials by those of modalities in which single elements are missing.

    What is observed says :math:`h_o = J_o^T R_o^{-1} (x_o - \mu_o + J_o z)`. In training encoders
    are to learn from such samples, too. They see what was filled in at :math:`z_u`, which has the
    precision :math:`\Lambda_u`, and should locate the row at
    :math:`y_f = (\Lambda_o + \Lambda_u)^{-1} (h_o + \Lambda_u z_u)`; where they locate it at
    :math:`y_m` instead, :math:`h_o + \Lambda_o (y_m - y_f)` is what counts. (Dividing the filled
    part out of :math:`y_m` would multiply its error by :math:`\Lambda_u`, in directions that
    nothing observed holds.)

    Parameters
    ----------
    batch : Batch
        Samples.
    potential : Potential
        Of the modalities that are whole, with a precision for each sample.
    locations : Tensor of shape (n_modalities or more, n_samples, latent_dim) or None
        From the encoders, which are to learn; None if they are not.

    Returns
    -------
    Potential
        Of all that is observed.
    """
    linear, precision = potential
    for m, gap in (batch.gaps or {}).items():
        counts, here = (gap.partial * batch.powers[m])[:, None], gap.linear
        if locations is not None:
            off = locations[m].double() - gap.location
            here = here + (gap.known @ off[:, :, None])[:, :, 0]
        linear = linear + counts * here
        precision = precision + counts[..., None] * gap.known
    return Potential(linear, precision)


def beyond_potentials(batch: Batch) -> Tensor | None:
    """Return what decoders say of components beyond the potentials of :func:`with_gaps`.

    Of shape (n_components or 1, n_samples); None where no element is missing.
    """
    parts = [gap.partial * batch.powers[m] * gap.beyond.T for m, gap in (batch.gaps or {}).items()]
    return sum(parts[1:], start=parts[0]) if parts else None
