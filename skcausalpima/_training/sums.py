"""Sums over samples that the block-coordinate update and the terms of the bound follow from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from typing import Any, cast

import torch
from torch import Tensor

from .._model.tensors import BLOCK_ROWS, TensorData
from ..functional import MixtureStatistics
from ..modules import Batch, BoundWithErrors, Likelihood, MultimodalVAE, weights_of_regimes
from .decoder_updates import ExpertSums


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What one pass over the data yields."""

    statistics: MixtureStatistics
    counts: Tensor  # (regime, component), expected counts
    squared_errors: Tensor  # (modality,)
    experts: ExpertSums
    labels: Tensor  # (sample,), the most probable components
    terms: dict[str, float]  # per-sample averages in nats


class PassSums:
    """Sums over the samples of a pass, block by block, while the model is frozen."""

    def __init__(self, model: MultimodalVAE, data: TensorData) -> None:
        prior = model.prior
        self.model, self.data = model, data
        zeros = partial(torch.zeros, dtype=torch.float64, device=data.device)
        self.statistics: MixtureStatistics | None = None
        self.counts = zeros((len(prior.regimes), len(prior.means)))
        self.log_weights = prior.regime_log_weights().detach()
        self.terms = zeros(len(model.terms))
        self.experts = ExpertSums(model)
        self.labels: list[Tensor] = []

    def add(
        self, block: Batch, statistics: MixtureStatistics, gamma: Tensor, labels: Tensor
    ) -> None:
        """Add samples, given their responsibilities, times their weights, and their components."""
        self.statistics = statistics if self.statistics is None else self.statistics + statistics
        self.counts += regime_counts(gamma, block.regime_index, len(self.counts))
        self.labels.append(labels)

    def result(self, squared_errors: Tensor, order: Tensor | None = None) -> PassResult:
        """Add up what there is of all samples.

        Squared errors are those of all. ``order`` has the numbers of the samples as they
        were added; None where they were in order.
        """
        assert self.statistics is not None  # there is a block, if an empty one
        total = self.data.total_of
        self.experts.add_up(self.data)
        labels = torch.cat(self.labels)
        statistics, second = self.statistics, self.statistics.second
        if self.model.prior.covariances.ndim < second.ndim:  # components have variances alone
            second = second.diagonal(dim1=1, dim2=2)
        return PassResult(
            statistics=MixtureStatistics(
                counts=total(statistics.counts),
                first=total(statistics.first),
                second=total(second),
                origin=statistics.origin,
            ),
            counts=total(self.counts),
            squared_errors=self.experts.squared_errors(squared_errors),
            experts=self.experts,
            labels=labels if order is None else torch.empty_like(labels).scatter_(0, order, labels),
            terms=self._named(squared_errors, total(self.terms)),
        )

    def _named(self, errors: Tensor, sums: Tensor) -> dict[str, float]:
        """Name the terms of the bound; the reconstruction follows from the squared errors."""
        model, n, observed = self.model, self.data.total, self.data.mean_shares
        errors = errors[:, None] / n
        reconstruction = model.log_likelihoods(errors, observed).flatten().tolist()
        same = model.log_variances  # its dtype: the weights have no other
        shares = None if observed is None else observed.to(same)
        trained = model.training_log_likelihood(errors.to(same), shares).item()
        trained += self.experts.add_means(reconstruction, n)
        terms = {
            f"reconstruction_{name}": value
            for name, value in zip(model.names, reconstruction, strict=True)
        }
        terms |= dict(zip(model.terms, (sums / n).tolist(), strict=True))
        terms["lower_bound"] = sum(terms.values())
        terms["objective"] = terms["lower_bound"] + trained - sum(reconstruction)
        return terms


class EpochSums:
    """What the gradient steps of an epoch saw of its samples.

    Where ``model.steps_suffice`` is true, this is what a pass over the data sums up, each sample as
    the networks stood when its batch came, and under the mixture that the epoch began with:
    incremental expectation maximization (Neal and Hinton, 1998). In pre-training there are no cells
    yet.
    """

    def __init__(self, model: MultimodalVAE, data: TensorData, has_cells: bool = True) -> None:
        self.data = data
        self.sums = PassSums(model, data) if has_cells and model.steps_suffice else None
        self.squared_errors = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
        self.bounds: list[Tensor] = []  # of samples, in nats
        self._sum = self.squared_errors.new_zeros(1)  # of these, by weight
        self._order: list[Tensor] = []
        self._waiting: list[tuple[Tensor, BoundWithErrors]] = []
        self._n_waiting = 0

    def add(self, numbers: Tensor, bound: BoundWithErrors) -> None:
        """Add a batch, given the numbers of its samples."""
        self._waiting.append((numbers, bound.detached()))
        self._n_waiting += max(1, len(numbers))  # a batch may be empty
        if self._n_waiting >= BLOCK_ROWS:
            self._add_up()

    @torch.no_grad()
    def _add_up(self) -> None:
        """Add what waits, as one block."""
        numbers = torch.cat([numbers for numbers, _ in self._waiting])
        waiting, self._waiting, self._n_waiting = [bound for _, bound in self._waiting], [], 0
        known = replace(self.data.samples, arrays=(), elements={}, views=None, gaps=None)
        block = known.take(numbers)
        self.bounds.append(torch.cat([bound.values for bound in waiting]))
        self._sum += summed(block, self.bounds[-1][None])
        errors = torch.cat([bound.squared_errors for bound in waiting], dim=1)
        self.squared_errors += summed(block, errors)
        if self.sums is None:
            return
        self._order.append(numbers)
        # Responsibilities are those that the potentials of samples give them (Eq. 16).
        start, parts, labels, gammas = 0, [], [], []
        for kind, group in itertools.groupby((bound.posterior for bound in waiting), type):
            posterior = cast(Any, kind).joined(list(group))
            samples = block.take(slice(start, start := start + len(posterior)))
            log_weights = weights_of_regimes(self.sums.log_weights, samples.regime_index)
            evidence = posterior.evidence(log_weights, samples.allowed)
            gamma = samples.weighted(evidence.log_gamma.exp())
            self.sums.terms += summed(
                samples, torch.stack([evidence.value, -evidence.log_potential])
            )
            parts.append(posterior.statistics(gamma))
            labels.append(evidence.log_gamma.max(dim=0).indices)
            gammas.append(gamma)
        gamma = torch.cat(gammas, dim=1)
        self.sums.add(block, reduce(add, parts), gamma, torch.cat(labels))
        of_batches = [bound.likelihoods for bound in waiting]
        likelihoods = {
            m: Likelihood.joined([one[m] for one in of_batches if one]) for m in of_batches[0] or ()
        }
        self.sums.experts.add(block, likelihoods, gamma)

    def end(self) -> None:
        """Add what waits still, and the squared errors of all samples."""
        if self._waiting:
            self._add_up()
        self.squared_errors = self.data.total_of(self.squared_errors)

    @property
    def mean_bound(self) -> float:
        """Mean of the bounds of all samples, by weight."""
        return self.data.total_of(self._sum).item() / self.data.total

    def result(self) -> PassResult | None:
        """Return what a pass over the data would; None where only that can tell."""
        if self.sums is None:
            return None
        return self.sums.result(self.squared_errors, torch.cat(self._order))


def summed(block: Batch, rows: Tensor) -> Tensor:
    """Return sums over the samples, by weight, in float64."""
    return block.weighted(rows.double()).sum(dim=1)


def regime_counts(gamma: Tensor, regime_index: Tensor | None, n_regimes: int) -> Tensor:
    """Return expected counts of shape (n_regimes, n_components) from responsibilities."""
    if regime_index is None:
        return gamma.double().sum(dim=1)[None]
    counts = gamma.new_zeros((len(gamma), n_regimes), dtype=torch.float64)
    return counts.index_add_(1, regime_index[0], gamma.double()).T
