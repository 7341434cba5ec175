"""The block-coordinate update (Eq. 17), and the pass over the data that it may follow from."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .._model.settings import MixtureSettings
from .._model.setup import Setup
from .._model.tensors import BLOCK_ROWS, TensorData
from ..functional import MixtureStatistics, update_mixture
from ..modules import MultimodalVAE, StructuredVAE, weights_of_regimes
from .decoder_updates import ExpertSums, update_cluster_decoders, update_dispersions, update_experts
from .ending import NotFiniteError, check_finite
from .potentials import mean_information
from .sums import PassResult, PassSums, summed

#: Smallest decoder variance, relative to that of the modality, which is the largest.
RELATIVE_FLOOR = 1e-6

#: Part of the potentials' precisions that an epoch leaves as it was.
INERTIA = 0.8


@torch.no_grad()
def variance_floors(data: TensorData, relative: float = RELATIVE_FLOOR) -> Tensor:
    """Return the smallest decoder variance of each modality, relative to its own variance."""
    totals = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
    roots: Iterable[Tensor | float] = itertools.repeat(1.0)
    if data.weights is not None:
        roots = data.weights[0].sqrt()[:, None].split(BLOCK_ROWS)
    for m in range(len(data.arrays)):
        for block, root in zip(data.observed_values(m).split(BLOCK_ROWS), roots, strict=False):
            totals[m] += (block * root).double().square().sum()
    variances = data.total_of(totals) / data.n_elements
    return relative * torch.where(variances > 0, variances, torch.ones_like(variances))


@torch.no_grad()
def data_pass(
    model: MultimodalVAE,
    data: TensorData,
    generator: torch.Generator,
    squared_errors: Tensor | None = None,
) -> PassResult:
    """Collect sufficient statistics and the terms of the bound (Eq. 31) in one pass.

    With ``squared_errors`` of shape (n_modalities,), collected before, nothing is decoded but what
    has a likelihood of its own.
    """
    model.eval()
    decode = squared_errors is None
    errors = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
    with model.frozen():
        sums = PassSums(model, data)
        for block in data.blocks():
            noise = data.normal(len(block.arrays[0]), model.n_draws, generator)
            log_weights = weights_of_regimes(sums.log_weights, block.regime_index)
            assignment = model.assign(block, noise, log_weights)
            gamma = block.weighted(assignment.log_gamma.exp())
            labels = assignment.log_gamma.max(dim=0).indices
            sums.add(block, assignment.posterior.statistics(gamma), gamma, labels)
            sums.experts.add(block, assignment.likelihoods, gamma)
            sums.terms += summed(block, assignment.terms)
            if decode:
                errors += summed(block, model.squared_errors(block, assignment.z))
    total = data.total_of(errors) if squared_errors is None else squared_errors
    return sums.result(total)


@dataclass(frozen=True, kw_only=True)
class Past:
    """What samples of before add to the sums of a pass over the data.

    Parameters
    ----------
    statistics : MixtureStatistics
        Of the mixture.
    counts : Tensor of shape (n_regimes, n_components)
        Expected counts.
    squared_errors : Tensor of shape (n_modalities,)
        Of the decoders.
    n_elements : Tensor of shape (n_modalities,)
        In how many elements.
    """

    statistics: MixtureStatistics
    counts: Tensor
    squared_errors: Tensor
    n_elements: Tensor


def with_past(result: PassResult, past: Past) -> PassResult:
    """Add what samples of before add to the sums of a pass over the data."""
    return replace(
        result,
        statistics=result.statistics + past.statistics.measured_from(result.statistics.origin),
        counts=result.counts + past.counts,
        squared_errors=result.squared_errors + past.squared_errors,
    )


@dataclass(frozen=True, kw_only=True)
class BlockUpdate:
    """The block-coordinate update: mixture and decoder variances at their optimum.

    Parameters
    ----------
    mixture : MixtureSettings
        See :func:`~skcausalpima.functional.update_mixture`.
    generator : torch.Generator
        Of the points that passes over the data look at.
    variance_floors : Tensor of shape (n_modalities,) or None
        Smallest decoder variances; None where they are not learned.
    adjacency : Tensor of shape (n_nodes, n_nodes), default=None
        The graph where it is fixed: its tables have a closed form, too.
    past : Past, default=None
        What samples of before add to these; None where there were none.
    variance_ceilings : Tensor of shape (n_modalities,), default=None
        Largest decoder variances: a decoder could always predict the mean. None for no bound.
    inertia : float, default=INERTIA
        Part of the potentials' precisions that stays as it was.
    """

    mixture: MixtureSettings
    generator: torch.Generator
    variance_floors: Tensor | None
    adjacency: Tensor | None = None
    past: Past | None = None
    variance_ceilings: Tensor | None = None
    inertia: float = INERTIA

    @torch.no_grad()
    def __call__(self, model: MultimodalVAE, data: TensorData) -> PassResult:
        """Make one pass over the data, then swap everything in closed form (Eq. 17)."""
        return self.swap(model, data, data_pass(model, data, self.generator))

    def of_share(self, model: MultimodalVAE, share: float) -> BlockUpdate:
        """Return the update from a share of the samples, whose mixture is shrunk alike.

        The shrinkage is a number of samples, of which there are fewer; but so many as free entries
        of a covariance are kept, which small clusters need however many samples there are.
        """
        n_entries = model.latent_dim * (model.latent_dim + 1)
        stated = self.mixture.shrinkage
        shrinkage = max(share * stated, min(stated, n_entries))
        return replace(self, mixture=replace(self.mixture, shrinkage=shrinkage))

    @torch.no_grad()
    def swap(self, model: MultimodalVAE, data: TensorData, result: PassResult) -> PassResult:
        """Swap everything in closed form (Eq. 17); return what that follows from."""
        if self.past is not None:
            result = with_past(result, self.past)
        prior = model.prior
        update = update_mixture(
            result.statistics,
            prior.means,
            prior.covariances,
            self.mixture.covariance_type,
            self.mixture.reg_covar,
            self.mixture.shrinkage,
        )
        check_finite(update.covariances, "covariances of the mixture")
        prior.means.copy_(update.means)
        prior.covariances.copy_(update.covariances)
        if self.adjacency is not None:
            prior.set_tables(prior.family_tables(result.counts, self.adjacency))
        if prior.outcomes_unknown:
            prior.set_interventions(prior.regimes, result.counts)
        if prior.mix_sizes:
            prior.set_mixes(result.counts)
        self._set_variances(model, data, result.squared_errors)
        update_experts(model, result.experts.statistics, self.variance_floors)
        update_cluster_decoders(model, result.experts.errors, self.variance_floors)
        update_dispersions(model, data)
        self.set_information(model, data, inertia=self.inertia)
        return result

    @torch.no_grad()
    def set_information(
        self, model: MultimodalVAE, data: TensorData, has_cells: bool = True, inertia: float = 0.0
    ) -> None:
        """Let the potentials of the modalities be as sharp as their decoders are now.

        With ``inertia`` they keep this part of what they were: encoders follow by small steps, and
        errors of theirs that widened potentials at once would grow by themselves.
        """
        if isinstance(model, StructuredVAE):
            model.eval()
            is_kept = inertia == 1.0
            information = model.information if is_kept else mean_information(model, data, has_cells)
            if 0.0 < inertia < 1.0:
                information = torch.lerp(information, model.information, inertia)
            model.set_information(information)

    @torch.no_grad()
    def decoder_variances(
        self, model: MultimodalVAE, data: TensorData, squared_errors: Tensor | None = None
    ) -> None:
        """Update the decoder variances alone.

        They follow from the squared errors that gradient steps saw, or from one pass over the data
        where there are none, or decoders with likelihoods of their own.
        """
        model.eval()
        if self.variance_floors is not None:
            has_own = any(decoder.has_own_variances for decoder in model.decoders)
            if squared_errors is None or has_own:
                squared_errors = self._unit_errors(model, data)
            self._set_variances(model, data, squared_errors)
        self.set_information(model, data, has_cells=False, inertia=INERTIA)

    def _unit_errors(self, model: MultimodalVAE, data: TensorData) -> Tensor:
        """Return the squared errors of all modalities with the prior N(0, I), by a pass."""
        errors = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
        for block in data.blocks():
            noise = data.normal(len(block.arrays[0]), model.n_draws, self.generator)
            z = model.unit_points(block, noise)
            likelihoods = model.own_likelihoods(block, z)
            sums = ExpertSums(model)
            # no cells yet
            sums.add(block, likelihoods, block.weighted(torch.ones_like(z[:, :1].T)))
            squares = block.weighted(model.squared_errors(block, z).double())
            errors += sums.squared_errors(squares.sum(dim=1))
        return data.total_of(errors)

    def _set_variances(self, model: MultimodalVAE, data: TensorData, errors: Tensor) -> None:
        """Set every decoder variance to its optimum, the mean squared error per element."""
        finite = torch.isfinite(errors).tolist()
        if not all(finite):
            names = [name for name, fine in zip(model.names, finite, strict=True) if not fine]
            raise NotFiniteError(f"the squared errors of {names} are not finite")
        if self.variance_floors is not None:
            n_elements = data.n_elements
            if self.past is not None:
                n_elements = n_elements + self.past.n_elements
            variances = torch.maximum(errors / n_elements, self.variance_floors)
            if self.variance_ceilings is not None:
                variances = torch.minimum(variances, self.variance_ceilings)
            observed = n_elements > 0  # a modality may be missing in all of a subset
            kept = [decoder.keeps_variance for decoder in model.decoders]
            observed &= ~torch.tensor(kept, device=observed.device)
            model.log_variances.copy_(torch.where(observed, variances.log(), model.log_variances))


def block_update(setup: Setup, data: TensorData, generator: torch.Generator) -> BlockUpdate:
    """Return the block-coordinate update: tables of an open graph are left to gradients."""
    floors = variance_floors(data) if setup.training.learns_variances else None
    is_published = setup.spec.sampled_responsibilities
    graph, is_given = setup.graph, setup.graph.structure == "fixed"
    return BlockUpdate(
        mixture=setup.training.mixture,
        generator=generator,
        variance_floors=floors,
        adjacency=torch.from_numpy(graph.constraints.required) if is_given else None,
        variance_ceilings=None if floors is None or is_published else floors / RELATIVE_FLOOR,
    )
