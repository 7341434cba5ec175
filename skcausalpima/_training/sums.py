"""Sums over samples that the block-coordinate update and the terms of the bound follow from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor

from .._model.tensors import BLOCK_ROWS, TensorData
from ..functional import (
    DiagonalGaussian,
    MixtureStatistics,
    entropy,
    unpacked_statistics,
    weight_columns,
)
from ..modules import Batch, BoundWithErrors, MultimodalVAE, weights_of_regimes
from .expert_updates import ExpertSums


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
        self.model, self.data, self.mixture = model, data, prior.prepared
        zeros = partial(torch.zeros, dtype=torch.float64, device=data.device)
        self.packed = zeros(self.mixture.coefficients.T.shape)  # of the expected statistics
        self.counts = zeros((len(prior.regimes), len(prior.means)))
        self.log_weights = prior.regime_log_weights().detach()
        self.terms = zeros(4)  # in the order of `_named`
        self.experts = ExpertSums(model)
        self.labels: list[Tensor] = []

    def add(self, block: Batch, posterior: DiagonalGaussian, gamma: Tensor, labels: Tensor) -> None:
        """Add samples, given their responsibilities, times their weights, and their components."""
        exact, regime = gamma.double(), block.regime_index
        packed = self.mixture.statistics(posterior) @ exact.T
        self.packed += packed
        self.counts += (
            packed[:1] if regime is None else regime_counts(exact, regime, len(self.counts))
        )
        self.labels.append(labels)

    def result(
        self, squared_errors: Tensor, names: tuple[str, ...], order: Tensor | None = None
    ) -> PassResult:
        """Add up what all ranks have.

        Squared errors are those of all ranks. ``order`` has the numbers of the samples as they
        were added; None where they were in order.
        """
        total = self.data.ranks.total
        self.experts.add_up(self.data.ranks)
        labels = torch.cat(self.labels)
        packed, mixture = total(self.packed), self.mixture
        return PassResult(
            statistics=unpacked_statistics(packed, mixture.origin, mixture.is_full),
            counts=total(self.counts),
            squared_errors=self.experts.squared_errors(squared_errors),
            experts=self.experts,
            labels=labels if order is None else torch.empty_like(labels).scatter_(0, order, labels),
            terms=self._named(squared_errors, total(self.terms), names),
        )

    def _named(self, errors: Tensor, sums: Tensor, names: tuple[str, ...]) -> dict[str, float]:
        """Name the terms of the bound; the reconstruction follows from the squared errors."""
        model, n, observed = self.model, self.data.total, self.data.mean_shares
        errors = errors[:, None] / n
        reconstruction = model.log_likelihoods(errors, observed).flatten().tolist()
        same = model.log_variances  # its dtype: the weights have no other
        seen = None if observed is None else observed.to(same)
        trained = model.training_log_likelihood(errors.to(same), seen).item()
        trained += self.experts.add_means(reconstruction, n)
        terms = {
            f"reconstruction_{name}": value
            for name, value in zip(names, reconstruction, strict=True)
        }
        keys = ("density", "weight", "assignment_entropy", "posterior_entropy")
        terms |= dict(zip(keys, (sums / n).tolist(), strict=True))
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
        self._evidence = self.squared_errors.new_zeros(2)  # with the entropy of the posteriors

    def add(self, numbers: Tensor, bound: BoundWithErrors) -> None:
        """Add a batch, given the numbers of its samples."""
        self._waiting.append((numbers, bound.detached()))
        self._n_waiting += max(1, len(numbers))  # a rank may have none of a batch
        if self._n_waiting >= BLOCK_ROWS:
            self._add_up()

    @torch.no_grad()
    def _add_up(self) -> None:
        """Add what waits, as one block."""
        numbers = torch.cat([numbers for numbers, _ in self._waiting])
        waiting, self._waiting, self._n_waiting = [bound for _, bound in self._waiting], [], 0
        samples = self.data.samples
        of_samples = Batch((), None, regime_index=samples.regime_index, weights=samples.weights)
        block = of_samples.take(numbers)
        self.bounds.append(torch.cat([bound.values for bound in waiting]))
        self._sum += summed(block, self.bounds[-1][None])
        errors = torch.cat([bound.squared_errors for bound in waiting], dim=1)
        self.squared_errors += summed(block, errors)
        if self.sums is not None:
            self._order.append(numbers)
            means, log_vars = zip(*(bound.posterior for bound in waiting), strict=True)
            posterior = DiagonalGaussian(torch.cat(means), torch.cat(log_vars))
            log_density = torch.cat([cast(Tensor, bound.log_density) for bound in waiting], dim=1)
            self._assign(self.sums, block, posterior, log_density)

    def _assign(
        self, sums: PassSums, block: Batch, posterior: DiagonalGaussian, log_density: Tensor
    ) -> None:
        """Add samples by their optimal responsibilities (Eq. 16), whose evidence is a logsumexp."""
        log_weights = weights_of_regimes(sums.log_weights, block.regime_index)
        gamma = weight_columns(log_weights) + log_density
        largest, labels = gamma.max(dim=0)
        total = gamma.sub_(largest).exp_().sum(dim=0)
        gamma /= total
        sums.add(block, posterior, block.weighted(gamma), labels)
        evidence = total.log_().add_(largest)
        self._evidence += summed(block, torch.stack([evidence, entropy(posterior.log_var)]))

    def end(self) -> None:
        """Add what waits still, and the squared errors of all ranks."""
        if self._waiting:
            self._add_up()
        self.squared_errors = self.data.ranks.total(self.squared_errors)

    @property
    def mean_bound(self) -> float:
        """Mean of the bounds of all ranks' samples, by weight."""
        return self.data.ranks.total(self._sum).item() / self.data.total

    def result(self, names: tuple[str, ...]) -> PassResult | None:
        """Return what a pass over the data would; None where only that can tell."""
        if self.sums is None:
            return None
        sums, (evidence, entropies) = self.sums, self._evidence
        density = (sums.mixture.coefficients.T * sums.packed).sum()  # Eq. 34 is linear in them
        weight = (sums.counts * sums.log_weights).sum()
        entropy_of_cells = (evidence - density - weight).clamp_min(0.0)  # but for rounding
        sums.terms = torch.stack([density, weight, entropy_of_cells, entropies])
        return sums.result(self.squared_errors, names, torch.cat(self._order))


def summed(block: Batch, rows: Tensor) -> Tensor:
    """Return sums over the samples, by weight, in float64."""
    return block.weighted(rows.double()).sum(dim=1)


def regime_counts(gamma: Tensor, regime_index: Tensor | None, n_regimes: int) -> Tensor:
    """Return expected counts of shape (n_regimes, n_components) from responsibilities."""
    if regime_index is None:
        return gamma.double().sum(dim=1)[None]
    counts = gamma.new_zeros((len(gamma), n_regimes), dtype=torch.float64)
    return counts.index_add_(1, regime_index[0], gamma.double()).T
