"""One pass over the data, and the block-coordinate update that follows from it (Eq. 17)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from .._data.ranks import Ranks
from .._model.settings import MixtureSettings
from .._model.setup import Setup
from .._model.tensors import BLOCK_ROWS, TensorData
from ..functional import (
    DiagonalGaussian,
    MixtureStatistics,
    entropy,
    log_responsibilities,
    mixture_statistics,
    mixture_terms,
    rsample,
    update_mixture,
)
from ..modules import Batch, MultimodalVAE, weights_of_regimes
from .divergence import NotFiniteError, check_finite
from .expert_updates import ExpertSums, update_cluster_decoders, update_experts
from .past import Past


@torch.no_grad()
def encode_all(model: MultimodalVAE, data: TensorData) -> DiagonalGaussian:
    """Return the posterior of all samples."""
    model.eval()
    parts = [model.encode(block) for block in data.blocks()]
    return DiagonalGaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))


@torch.no_grad()
def variance_floors(data: TensorData, relative: float = 1e-6) -> Tensor:
    """Return the smallest decoder variance of each modality, relative to its own variance."""
    totals = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
    for m in range(len(data.arrays)):
        for block in _weighted_blocks(data.observed_values(m), data.weights):
            totals[m] += block.double().square().sum()
    variances = data.ranks.total(totals) / data.n_elements
    return relative * torch.where(variances > 0, variances, torch.ones_like(variances))


def _weighted_blocks(array: Tensor, weights: Tensor | None) -> Iterator[Tensor]:
    """Return an array block by block, rows times the roots of their weights."""
    if weights is None:
        return iter(array.split(BLOCK_ROWS))
    roots = weights[0].sqrt()[:, None]
    pairs = zip(array.split(BLOCK_ROWS), roots.split(BLOCK_ROWS), strict=True)
    return (block * root for block, root in pairs)


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What one pass over the data yields."""

    statistics: MixtureStatistics
    counts: Tensor  # (regime, component), expected counts
    squared_errors: Tensor  # (modality,)
    experts: ExpertSums
    labels: Tensor  # (sample,), the most probable components
    terms: dict[str, float]  # per-sample averages in nats


@torch.no_grad()
def data_pass(
    model: MultimodalVAE,
    data: TensorData,
    generator: torch.Generator,
    names: tuple[str, ...],
    squared_errors: Tensor | None = None,
) -> PassResult:
    """Collect sufficient statistics and the terms of the bound (Eq. 31) in one pass.

    With ``squared_errors`` of shape (n_modalities,), collected before, nothing is decoded but what
    has a likelihood of its own.
    """
    model.eval()
    prior, full = model.prior, model.prior.covariances.ndim == 3
    origin, decode = prior.means.mean(dim=0), squared_errors is None
    statistics: MixtureStatistics | None = None
    counts = origin.new_zeros((len(prior.regimes), len(prior.means)), dtype=torch.float64)
    sums = counts.new_zeros(4)  # of the terms below
    errors = counts.new_zeros(len(data.arrays)) if squared_errors is None else squared_errors
    experts, labels, all_log_weights = ExpertSums(model), [], prior.regime_log_weights()
    with prior.frozen_mixture():
        for block in data.blocks():
            posterior = model.encode(block)
            z = rsample(posterior, data.normal_like(posterior.mean, generator))
            log_density = model.log_density(posterior, allowed := block.allowed)
            log_weights = weights_of_regimes(all_log_weights, regime := block.regime_index)
            evidence = model.evidence(likelihoods := model.own_likelihoods(block, z))
            if model.sampled_responsibilities:
                log_gamma = model.log_responsibilities(posterior, z, allowed, regime, evidence)
            else:
                log_gamma = log_responsibilities(log_weights, log_density + evidence)
            gamma = block.weighted(log_gamma.exp())
            labels.append(log_gamma.argmax(dim=0))
            experts.add(block, likelihoods, gamma)
            part = mixture_statistics(posterior, gamma, origin, full)
            statistics = part if statistics is None else statistics + part
            counts = counts + regime_counts(gamma, regime, len(prior.regimes))
            mixture = mixture_terms(log_weights, log_density, log_gamma)
            sums = sums + _summed(block, torch.stack([*mixture, entropy(posterior.log_var)]))
            if decode:
                errors = errors + _summed(block, model.squared_errors(block, z))
    experts.add_up(data.ranks)
    errors = data.ranks.total(errors) if decode else errors
    return PassResult(
        statistics=_of_all_ranks(cast(MixtureStatistics, statistics), data.ranks),  # has a block
        counts=data.ranks.total(counts),
        squared_errors=experts.squared_errors(errors),
        experts=experts,
        labels=torch.cat(labels),
        terms=_terms(model, data, errors, data.ranks.total(sums), experts, names),
    )


def _of_all_ranks(here: MixtureStatistics, ranks: Ranks) -> MixtureStatistics:
    """Add up what ranks have, measured from one origin."""
    counts, first, second = map(ranks.total, (here.counts, here.first, here.second))
    return replace(here, counts=counts, first=first, second=second)


def _summed(block: Batch, rows: Tensor) -> Tensor:
    """Return sums over the samples, by weight, in float64."""
    return block.weighted(rows.double()).sum(dim=1)


def regime_counts(gamma: Tensor, regime_index: Tensor | None, n_regimes: int) -> Tensor:
    """Return expected counts of shape (n_regimes, n_components) from responsibilities."""
    if regime_index is None:
        return gamma.double().sum(dim=1)[None]
    counts = gamma.new_zeros((len(gamma), n_regimes), dtype=torch.float64)
    return counts.index_add_(1, regime_index[0], gamma.double()).T


def _terms(
    model: MultimodalVAE,
    data: TensorData,
    errors: Tensor,
    sums: Tensor,
    experts: ExpertSums,
    names: tuple[str, ...],
) -> dict[str, float]:
    """Name the terms of the bound; the reconstruction follows from the squared errors."""
    n, observed = data.total, data.mean_shares
    errors = errors[:, None] / n
    reconstruction = model.log_likelihoods(errors, observed).flatten().tolist()
    same = model.log_variances  # its dtype: the weights have no other
    seen = None if observed is None else observed.to(same)
    trained = model.training_log_likelihood(errors.to(same), seen).item()
    trained += experts.add_means(reconstruction, n)
    terms = {
        f"reconstruction_{name}": value for name, value in zip(names, reconstruction, strict=True)
    }
    keys = ("density", "weight", "assignment_entropy", "posterior_entropy")
    terms |= dict(zip(keys, (sums / n).tolist(), strict=True))
    terms["lower_bound"] = sum(terms.values())
    terms["objective"] = terms["lower_bound"] + trained - sum(reconstruction)
    return terms


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
    names : tuple of str
        Names of the modalities, for the terms of the bound.
    mixture : MixtureSettings
        See :func:`~skcausalpima.functional.update_mixture`.
    variance_floors : Tensor of shape (n_modalities,) or None
        Smallest decoder variances; None where they are not learned.
    adjacency : Tensor of shape (n_nodes, n_nodes), default=None
        The graph where it is fixed: its tables have a closed form, too.
    past : Past, default=None
        What samples of before add to these; None where there were none.
    """

    names: tuple[str, ...]
    mixture: MixtureSettings
    variance_floors: Tensor | None
    adjacency: Tensor | None = None
    past: Past | None = None

    @torch.no_grad()
    def __call__(
        self,
        model: MultimodalVAE,
        data: TensorData,
        generator: torch.Generator,
        squared_errors: Tensor | None = None,
    ) -> PassResult:
        """Make one pass over the data, then swap everything in closed form (Eq. 17)."""
        result = data_pass(model, data, generator, self.names, squared_errors)
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
        self._set_variances(model, data, result.squared_errors)
        update_experts(model, result.experts.statistics, self.variance_floors)
        update_cluster_decoders(model, result.experts.errors, self.variance_floors)
        return result

    @torch.no_grad()
    def decoder_variances(
        self, model: MultimodalVAE, data: TensorData, generator: torch.Generator
    ) -> None:
        """Update the decoder variances alone, from one pass over the data."""
        if self.variance_floors is None:
            return
        model.eval()
        errors = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
        for block in data.blocks():
            posterior = model.encode(block)
            z = rsample(posterior, data.normal_like(posterior.mean, generator))
            own = model.own_likelihoods(block, z)
            sums = ExpertSums(model)
            sums.add(block, own, block.weighted(torch.ones_like(z[:, :1].T)))  # no cells yet
            squares = block.weighted(model.squared_errors(block, z).double())
            errors += sums.squared_errors(squares.sum(dim=1))
        self._set_variances(model, data, data.ranks.total(errors))

    def _set_variances(self, model: MultimodalVAE, data: TensorData, errors: Tensor) -> None:
        """Set every decoder variance to its optimum, the mean squared error per element."""
        finite = torch.isfinite(errors).tolist()
        if not all(finite):
            names = [name for name, fine in zip(self.names, finite, strict=True) if not fine]
            raise NotFiniteError(f"the squared errors of {names} are not finite")
        if self.variance_floors is not None:
            n_elements = data.n_elements
            if self.past is not None:
                n_elements = n_elements + self.past.n_elements
            variances = torch.maximum(errors / n_elements, self.variance_floors)
            observed = n_elements > 0  # a modality may be missing in all of a subset
            model.log_variances.copy_(torch.where(observed, variances.log(), model.log_variances))


def block_update(setup: Setup, data: TensorData) -> BlockUpdate:
    """Return the block-coordinate update of an open graph: it leaves the tables to gradients."""
    return BlockUpdate(
        names=setup.spec.modality_names,
        mixture=setup.training.mixture,
        variance_floors=variance_floors(data) if setup.training.learns_variances else None,
    )


def update_for_given_graph(update: BlockUpdate, setup: Setup) -> BlockUpdate:
    """Let the update fit the tables, if the graph is given."""
    if setup.graph.structure != "fixed":
        return update
    return replace(update, adjacency=torch.from_numpy(setup.graph.constraints.required))
