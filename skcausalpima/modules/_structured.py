r"""The posterior that the model has: component and latent point together, q(c | x) q(z | c, x).

Encoders say where the potential of a modality lies; how sharp it is follows from the decoder. See
:mod:`~skcausalpima.functional._potentials` for the equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor

from ..functional import (
    OwnPosterior,
    PosteriorComponents,
    Potential,
    SharedPosterior,
    prepare_posterior,
    product_of_experts,
    weight_columns,
)
from ._batch import (
    Batch,
    BoundWithErrors,
    ComponentEvidence,
    Joint,
    Likelihood,
    beyond_potentials,
    has_gaps,
    trusted_modalities,
    whole_modalities,
    with_gaps,
)
from ._encoders import encode_each
from ._multimodal_vae import Assignment, MultimodalVAE

#: From samples and the number of a modality to what it says of their latent points.
PotentialOf = Callable[[Batch, int], Potential]


class StructuredVAE(MultimodalVAE):
    r"""The model with the posterior :math:`q(c | x)\, q(z | c, x)`, see :mod:`._structured`.

    The potential of a sample is :math:`N(y(x); z, \Lambda^{-1})`. Its location is that of the
    product of the encoders' experts (Eq. 4): their variances say how much each counts for it. Its
    precision is the sum over the modalities that are there of :math:`\Lambda_m`, which all samples
    share and the decoder says: its mean Fisher information, :math:`J^T R^{-1} J` for the Jacobian J
    and noise R, whatever weight the modality has in training. A derived view helps to locate, and
    adds no precision.

    Parameters
    ----------
    encoders, decoders, prior, shapes, modality_weights
        As of :class:`MultimodalVAE`. The means of encoders locate, and their log-variances say how
        much each counts for it.

    Attributes
    ----------
    information_roots : Tensor of shape (n_modalities, latent_dim, latent_dim)
        Upper triangular matrices R with :math:`\Lambda_m = R^T R`.
    """

    terms = ("evidence", "potential")
    information_roots: Tensor

    def _begin(self) -> None:
        """Add the precisions of potentials."""
        eye = torch.eye(self.latent_dim, dtype=torch.float32)
        self.register_buffer("information_roots", eye.repeat(len(self.shapes), 1, 1))
        self._frozen: dict[bool, PosteriorComponents] = {}

    @property
    def n_draws(self) -> int:
        """Number of standard normal draws of a sample: the last one chooses the component."""
        return self.latent_dim + 1

    @property
    def information(self) -> Tensor:
        """The precisions of the modalities' potentials, (n_modalities, latent_dim, latent_dim)."""
        roots = self.information_roots.double()
        return roots.mT @ roots

    @torch.no_grad()
    def set_information(self, information: Tensor) -> None:
        """Set the precisions of the modalities' potentials; rounding must leave them semidefinite.

        Parameters
        ----------
        information : Tensor of shape (n_modalities, latent_dim, latent_dim)
            Symmetric and positive semidefinite, in float64.
        """
        self.information_roots.copy_(upper_roots(information))

    @contextmanager
    def frozen(self, has_cells: bool = True) -> Iterator[None]:
        """Prepare mixture, potentials and decoder variances for all calls in a ``with`` block.

        Parameters
        ----------
        has_cells : bool, default=True
            Whether the mixture is the prior; else it is N(0, I).

        Yields
        ------
        None
            Nothing.
        """
        with super().frozen(has_cells):
            self._frozen[has_cells] = self._components(has_cells)
            try:
                yield
            finally:
                self._frozen.clear()

    def _components(self, has_cells: bool) -> PosteriorComponents:
        """Return the prior, given potentials of all modalities."""
        if has_cells in self._frozen:
            return self._frozen[has_cells]
        return prepare_posterior(*self._mixture(has_cells), self.information.sum(dim=0))

    def _mixture(self, has_cells: bool) -> tuple[Tensor, Tensor]:
        """Return means and covariances of the prior's components."""
        if has_cells:
            return self.prior.means, self.prior.covariances
        zeros = self.prior.means.new_zeros(1, self.latent_dim)
        return zeros, torch.ones_like(zeros)

    def _encoded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return locations and log-variances of modalities and views."""
        means, log_vars = encode_each(self.encoders, batch, self.shapes, self.latent_dim)
        return self.views.encode(batch, means, log_vars)[:2]

    def location(self, batch: Batch) -> Tensor:
        """Return where the potentials of samples lie that lack nothing, in float64."""
        means, log_vars = self._encoded(batch)
        return product_of_experts(means, log_vars, prior_expert=False).mean.double()

    def potential_of(self, batch: Batch, m: int) -> Potential:
        """Return what one modality says of the latent points of samples."""
        information = self.information[m]
        location = self._encoded(batch)[0][m].double()
        if batch.observed is None and batch.trust is None:
            return Potential(location @ information, information)
        power = batch.powers[m][:, None]
        return Potential(power * (location @ information), power[..., None] * information)

    def posterior(self, batch: Batch, has_cells: bool = True) -> SharedPosterior | OwnPosterior:
        """Return the posterior of samples.

        Parameters
        ----------
        batch : Batch
            Samples.
        has_cells : bool, default=True
            Whether the mixture is the prior; else it is N(0, I).

        Returns
        -------
        SharedPosterior or OwnPosterior
            The latter of incomplete samples.
        """
        is_whole = batch.observed is None or bool(batch.observed.all())
        if is_whole and batch.trust is None and not has_gaps(batch):
            components = self._components(has_cells)
            return components.given(self.location(batch) @ components.precision)
        means, log_vars = self._encoded(batch)
        whole = whole_modalities(batch)
        rows = torch.cat([whole, whole[[m for m, _ in self.views.by_modality()]]])
        mean = product_of_experts(means, log_vars, rows, prior_expert=False).mean.double()
        precision = torch.tensordot(trusted_modalities(batch).T, self.information, dims=1)
        potential = Potential((precision @ mean[:, :, None])[:, :, 0], precision)
        potential = with_gaps(batch, potential, means if self.training else None)
        beyond = beyond_potentials(batch) if has_cells else None
        return OwnPosterior(*self._mixture(has_cells), potential, beyond)

    def unit_points(self, batch: Batch, noise: Tensor) -> Tensor:
        """Return draws of latent points with the prior N(0, I) in the mixture's place."""
        components = torch.zeros(len(noise), dtype=torch.int64, device=noise.device)
        return self.posterior(batch, has_cells=False).points(components, noise[:, :-1]).to(noise)

    def component_evidence(
        self,
        batch: Batch,
        posterior: SharedPosterior | OwnPosterior,
        noise: Tensor,
        in_training: bool = False,
        potential_of: PotentialOf | None = None,
    ) -> ComponentEvidence:
        """Return what decoders that depend on the component say, at one draw in each.

        Parameters
        ----------
        batch : Batch
            Samples.
        posterior : SharedPosterior or OwnPosterior
            Theirs.
        noise : Tensor of shape (n_samples, latent_dim)
            Standard normal draws.
        in_training : bool, default=False
            Whether likelihoods have the weights that they have in training.
        potential_of : callable, default=None
            Returns what a modality says of the latent points of a batch; None asks the encoders.

        Returns
        -------
        ComponentEvidence
            Zeros where no decoder does.
        """
        asked = self.cluster_dependent
        if not asked:
            return ComponentEvidence({}, 0.0, {})
        likelihoods: dict[int, Likelihood] = {}
        beyond: dict[int, Tensor] = {}
        divided: Tensor | float = 0.0
        components = torch.arange(len(self.prior.means), device=noise.device)
        for m in asked:
            power: float | Tensor = self.likelihood_weight(m) if in_training else 1.0
            power = power if batch.trust is None else power * batch.trust[m]
            if not self.decoders[m].depends_on_latent:
                likelihoods |= self.own_likelihoods(batch, noise, [m])
                beyond[m] = power * likelihoods[m].log_likelihoods
                continue
            potential, pairs = (potential_of or self.potential_of)(batch, m), []
            points = [posterior.points(cell.expand(len(noise)), noise) for cell in components]
            for c, z in enumerate(points):
                term = self.own_likelihoods(batch, z.to(noise), [m])[m]
                pairs.append((term.log_likelihoods[c], cast(Tensor, term.squared_errors)[c]))
            likelihoods[m] = Likelihood(*map(torch.stack, zip(*pairs, strict=True)))
            log_potentials = torch.stack([potential.at(z) for z in points]).to(noise)
            beyond[m] = power * likelihoods[m].log_likelihoods - log_potentials
            divided = divided + log_potentials
        return ComponentEvidence(beyond, divided, likelihoods)

    def joint(
        self,
        batch: Batch,
        noise: Tensor,
        *,
        posterior: OwnPosterior | None = None,
        potential_of: PotentialOf | None = None,
        log_weights: Tensor | None = None,
        in_training: bool = False,
        is_known: bool = True,
    ) -> Joint:
        """Return what is known of samples and components together.

        Parameters
        ----------
        batch : Batch
            Samples.
        noise : Tensor of shape ([n_draws, ]n_samples, latent_dim)
            Standard normal draws, at which decoders of components are asked.
        posterior : OwnPosterior, default=None
            Of samples that others than the encoders locate.
        potential_of : callable, default=None
            Returns what a modality says of the latent points of a batch; None asks the encoders.
        log_weights : Tensor of shape (n_components[, n_samples]), default=None
            Log-probabilities of the components; None takes those of the samples' regimes.
        in_training : bool, default=False
            Whether likelihoods have the weights that they have in training.
        is_known : bool, default=True
            Whether what was stated of the samples' nodes counts.

        Returns
        -------
        Joint
            A row of evidence for each sample.
        """
        located = self.posterior(batch) if posterior is None else posterior
        of_draws = [
            self.component_evidence(batch, located, draw, in_training, potential_of)
            for draw in (noise if noise.ndim == 3 else [noise])
        ]
        if log_weights is None:
            log_weights = self.log_weights(batch.regime_index)
        allowed = batch.allowed if is_known else None
        of_decoders = ComponentEvidence.mean(of_draws)
        return Joint(located, weight_columns(log_weights), allowed, of_decoders)

    def _own_alike(self, batch: Batch, z: Tensor) -> dict[int, Likelihood]:
        """Return what decoders say that have likelihoods of their own, alike in all components."""
        asked = [
            m
            for m, decoder in enumerate(self.decoders)
            if decoder.has_likelihood and not decoder.depends_on_cluster
        ]
        return self.own_likelihoods(batch, z, asked) if asked else {}

    def elbo(self, batch: Batch, noise: Tensor) -> BoundWithErrors:
        """Return the (weighted) bound of every sample; see the base class."""
        batch = self.views.computed(batch)
        normal = noise[:, :-1]
        joint = self.joint(batch, normal, in_training=True)
        posterior, of_decoders, evidence = joint.posterior, joint.of_decoders, joint.evidence()
        components = drawn_components(evidence.log_gamma, noise[:, -1])
        z = posterior.points(components, normal).to(noise)
        errors, reconstruction = self._costs_of_draws(batch, z)
        likelihoods = self._own_alike(batch, z)
        values = evidence.surplus
        if isinstance(of_decoders.log_potentials, Tensor):
            values = values + (evidence.log_gamma.exp() * of_decoders.log_potentials).sum(dim=0)
        values = (reconstruction + self.evidence(likelihoods)).flatten() + values.to(noise)
        return BoundWithErrors(values, errors, posterior.detached(), likelihoods or None)

    def unit_elbo(self, batch: Batch, noise: Tensor) -> BoundWithErrors:
        """Return the bound with the prior N(0, I) in the mixture's place; see the base class."""
        batch = self.views.computed(batch)
        posterior = self.posterior(batch, has_cells=False)
        evidence = posterior.evidence(noise.new_zeros(1))
        components = torch.zeros(len(noise), dtype=torch.int64, device=noise.device)
        z = posterior.points(components, noise[:, :-1]).to(noise)
        errors, reconstruction = self._costs_of_draws(batch, z)
        values = (reconstruction + self.evidence(self._own_alike(batch, z))).flatten()
        return BoundWithErrors(values + evidence.surplus.to(noise), errors)

    def assign(self, batch: Batch, noise: Tensor, log_weights: Tensor) -> Assignment:
        """Return components and latent points of samples; see the base class."""
        normal = noise[:, :-1]
        joint = self.joint(batch, normal, log_weights=log_weights)
        posterior, of_decoders, evidence = joint.posterior, joint.of_decoders, joint.evidence()
        components = drawn_components(evidence.log_gamma, noise[:, -1])
        z = posterior.points(components, normal).to(noise)

        log_potential = evidence.log_potential
        if isinstance(of_decoders.total, Tensor):
            gamma = evidence.log_gamma.exp()
            # what decoders of components say is counted with the other reconstructions
            logs = sum(term.log_likelihoods for term in of_decoders.likelihoods.values())
            logs = (gamma * logs).sum(dim=0)
            log_potential = log_potential + logs - (gamma * of_decoders.log_potentials).sum(dim=0)
        return Assignment(
            posterior=posterior,
            log_gamma=evidence.log_gamma.to(noise),
            z=z,
            likelihoods=of_decoders.likelihoods | self._own_alike(batch, z),
            terms=torch.stack([evidence.value, -log_potential]),
        )


def upper_roots(matrices: Tensor) -> Tensor:
    """Return upper triangular matrices R with R' R, of what is semidefinite but for rounding."""
    values, vectors = torch.linalg.eigh(matrices)
    halves = values.clamp_min(0.0).sqrt()[..., :, None] * vectors.mT
    return torch.linalg.qr(halves).R


def drawn_components(log_gamma: Tensor, noise: Tensor) -> Tensor:
    """Return the component of each sample that a standard normal draw stands for.

    Parameters
    ----------
    log_gamma : Tensor of shape (n_components, n_samples)
        Log-probabilities.
    noise : Tensor of shape (n_samples,)
        Standard normal draws.

    Returns
    -------
    Tensor of int of shape (n_samples,)
        Components.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._structured import drawn_components
    >>> half = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    >>> drawn_components(half, torch.tensor([-1.0, 1.0]))
    tensor([0, 1])
    """
    uniform = 0.5 * (1.0 + torch.erf(noise.double() / math.sqrt(2.0)))
    below = log_gamma.exp().cumsum(dim=0)[:-1] < uniform
    return below.sum(dim=0)
