"""Algorithm 2: pre-training, epochs of gradient steps, block-coordinate updates, stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._expert_fitting import ExpertSums, update_experts
from ._graph_learning import family_tables
from ._stopping import ExpertGuard, Stopper
from ._training_data import BLOCK_ROWS, TrainingData
from .functional import (
    DiagonalGaussian,
    MixtureStatistics,
    entropy,
    log_responsibilities,
    mixture_statistics,
    mixture_terms,
    rsample,
    update_mixture,
)
from .modules import Batch, BoundWithErrors, MultimodalVAE, weights_of_regimes

#: Called after every epoch with its number, from 0, and the terms of the bound.
Report = Callable[[int, dict[str, float]], None]


@torch.no_grad()
def encode_all(model: MultimodalVAE, data: TrainingData) -> DiagonalGaussian:
    """Return the posterior of all samples."""
    model.eval()
    parts = [model.encode(block) for block in data.blocks()]
    return DiagonalGaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _trainable(*modules: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the parameters that are not frozen."""
    return [p for module in modules for p in module.parameters() if p.requires_grad]


def _step(
    loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list, max_grad_norm: float | None
) -> None:
    """Make one step of gradient descent, with the gradient's norm clipped."""
    if not loss.requires_grad:
        return  # nothing to train: all modules are frozen, and the graph is settled
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm, foreach=True)
    optimizer.step()


def pretrain(
    model: MultimodalVAE,
    data: TrainingData,
    *,
    n_epochs: int,
    kl_weight: float,
    batch_size: int,
    learning_rate: float,
    max_grad_norm: float | None,
    update: BlockUpdate,
    generator: torch.Generator,
    report: Report,
) -> None:
    """Train encoders and decoders before there are clusters (Section 3.3).

    ``kl_weight=0`` fits the reconstruction term alone, 1 the unit-Gaussian VAE.
    """
    parameters = _trainable(model.encoders, model.decoders)
    if not parameters:
        update.decoder_variances(model, data, generator)
        return
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    guard = ExpertGuard(model, update.names)
    for epoch in range(n_epochs):
        guard.keep()
        model.train()
        total = torch.zeros((), dtype=torch.float64, device=data.device)
        for batch in data.shuffled(batch_size, generator):
            noise = data.normal(len(batch.arrays[0]), model.prior.means.shape[1], generator)
            loss = -model.unit_elbo(batch, noise, kl_weight).mean()
            _step(loss, optimizer, parameters, max_grad_norm)
            total -= loss.detach() * len(batch.arrays[0])
        report(epoch, {"objective": total / data.n_samples})
        if guard.restored(epoch, "pre-training"):
            return
        update.decoder_variances(model, data, generator)


@torch.no_grad()
def variance_floors(data: TrainingData, relative: float = 1e-6) -> Tensor:
    """Return the smallest decoder variance of each modality, relative to its own variance."""
    totals = torch.stack(
        [
            sum(block.double().square().sum() for block in array.split(BLOCK_ROWS))
            for array in data.arrays
        ]
    )
    variances = totals / data.n_elements
    return relative * torch.where(variances > 0, variances, torch.ones_like(variances))


class PassResult(NamedTuple):
    """What one pass over the data yields."""

    statistics: MixtureStatistics
    counts: Tensor  # (regime, component), expected counts
    squared_errors: Tensor  # (modality,)
    experts: ExpertSums
    terms: dict[str, float]  # per-sample averages in nats


@torch.no_grad()
def data_pass(
    model: MultimodalVAE,
    data: TrainingData,
    generator: torch.Generator,
    names: tuple[str, ...],
    squared_errors: Tensor | None = None,
) -> PassResult:
    """Collect sufficient statistics and the terms of the bound (Eq. 31) in one pass.

    With ``squared_errors`` of shape (n_modalities,), collected before, nothing is decoded.
    """
    model.eval()
    prior, full = model.prior, model.prior.covariances.ndim == 3
    origin, decode = prior.means.mean(dim=0), squared_errors is None
    statistics, counts, sums, errors = None, 0.0, 0.0, 0.0 if decode else squared_errors
    experts, all_log_weights = ExpertSums(model), prior.regime_log_weights()
    with prior.frozen_mixture():
        for block in data.blocks():
            posterior = model.encode(block)
            z = rsample(posterior, data.normal(*posterior.mean.shape, generator))
            log_density = model.log_density(posterior, block.allowed)
            log_weights = weights_of_regimes(all_log_weights, block.regimes)
            evidence = model.evidence(block)
            if model.sampled_responsibilities:
                log_gamma = model.log_responsibilities(
                    posterior, z, block.allowed, block.regimes, evidence
                )
            else:
                log_gamma = log_responsibilities(log_weights, log_density + evidence)
            gamma = log_gamma.exp()
            experts.add(block, gamma)
            part = mixture_statistics(posterior, gamma, origin, full)
            statistics = part if statistics is None else statistics + part
            counts = counts + regime_counts(gamma, block.regimes, len(prior.regimes))
            mixture = mixture_terms(log_weights, log_density, log_gamma)
            terms = torch.stack([*mixture, entropy(posterior.log_var)])
            sums = sums + terms.double().sum(dim=1)
            if decode:
                errors = errors + model.squared_errors(block, z).double().sum(dim=1)
    terms = _terms(model, data, errors, sums, experts, names)
    return PassResult(statistics, counts, errors, experts, terms)


def regime_counts(gamma: Tensor, regimes: Tensor | None, n_regimes: int) -> Tensor:
    """Return expected counts of shape (n_regimes, n_components) from responsibilities."""
    if regimes is None:
        return gamma.double().sum(dim=1)[None]
    counts = gamma.new_zeros((len(gamma), n_regimes), dtype=torch.float64)
    return counts.index_add_(1, regimes[0], gamma.double()).T


def _terms(
    model: MultimodalVAE,
    data: TrainingData,
    errors: Tensor,
    sums: Tensor,
    experts: ExpertSums,
    names: tuple[str, ...],
) -> dict[str, float]:
    """Name the terms of the bound; the reconstruction follows from the squared errors."""
    n, observed = data.n_samples, None
    if data.observed is not None:
        observed = data.observed.double().mean(dim=1, keepdim=True)
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


def _check_finite(values: Tensor, what: str) -> None:
    """Raise where training has diverged."""
    if not torch.isfinite(values).all():
        raise ValueError(
            f"Training diverged: the {what} are not finite. Use a smaller learning_rate, or clip "
            "gradients with max_grad_norm."
        )


class BlockUpdate(NamedTuple):
    """The block-coordinate update: mixture and decoder variances at their optimum.

    Parameters
    ----------
    names : tuple of str
        Names of the modalities, for the terms of the bound.
    covariance_type, reg_covar, shrinkage
        See :func:`~skcausalpima.functional.update_mixture`.
    variance_floors : Tensor of shape (n_modalities,) or None
        Smallest decoder variances; None where they are not learned.
    adjacency : Tensor of shape (n_nodes, n_nodes), default=None
        The graph where it is fixed: its tables have a closed form, too.
    """

    names: tuple[str, ...]
    covariance_type: str
    reg_covar: float
    shrinkage: float
    variance_floors: Tensor | None
    adjacency: Tensor | None = None

    @torch.no_grad()
    def __call__(
        self,
        model: MultimodalVAE,
        data: TrainingData,
        generator: torch.Generator,
        squared_errors: Tensor | None = None,
    ) -> PassResult:
        """Make one pass over the data, then swap everything in closed form (Eq. 17)."""
        result = data_pass(model, data, generator, self.names, squared_errors)
        prior = model.prior
        update = update_mixture(
            result.statistics,
            prior.means,
            prior.covariances,
            self.covariance_type,
            self.reg_covar,
            self.shrinkage,
        )
        _check_finite(update.covariances, "covariances of the mixture")
        prior.means.copy_(update.means)
        prior.covariances.copy_(update.covariances)
        if self.adjacency is not None:
            prior.set_tables(family_tables(prior, result.counts, self.adjacency))
        if prior.outcomes_unknown:
            prior.start_interventions(prior.regimes, result.counts)
        self._set_variances(model, data, result.squared_errors)
        update_experts(model, result.experts.statistics, self.variance_floors)
        return result

    @torch.no_grad()
    def decoder_variances(
        self, model: MultimodalVAE, data: TrainingData, generator: torch.Generator
    ) -> None:
        """Update the decoder variances alone, from one pass over the data."""
        if self.variance_floors is None:
            return
        model.eval()
        errors = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
        for block in data.blocks():
            posterior = model.encode(block)
            z = rsample(posterior, data.normal(*posterior.mean.shape, generator))
            errors += model.squared_errors(block, z).double().sum(dim=1)
        self._set_variances(model, data, errors)

    def _set_variances(self, model: MultimodalVAE, data: TrainingData, errors: Tensor) -> None:
        """Set every decoder variance to its optimum, the mean squared error per element."""
        _check_finite(errors, f"squared errors of {list(self.names)}")
        if self.variance_floors is not None:
            variances = torch.maximum(errors / data.n_elements, self.variance_floors)
            observed = data.n_elements > 0  # a modality may be missing in all of a subset
            model.log_variances.copy_(torch.where(observed, variances.log(), model.log_variances))


class Progress:
    """What training carries from epoch to epoch, besides the model and its generator."""

    def __init__(
        self,
        model: MultimodalVAE,
        learning_rate: float,
        graph_learning_rate: float,
        stopper: Stopper,
    ) -> None:
        self.networks = _trainable(model.encoders, model.decoders)
        self.graph = _trainable(model.prior)
        groups = [{"params": self.networks}]
        if self.graph:
            groups.append({"params": self.graph, "lr": graph_learning_rate})
        self.optimizer = torch.optim.Adam(groups, lr=learning_rate, fused=True)
        self.stopper = stopper
        self.history: list[dict[str, float]] = []


def train(
    model: MultimodalVAE,
    data: TrainingData,
    held_out: TrainingData | None,
    progress: Progress,
    *,
    update: BlockUpdate,
    temperatures: np.ndarray,
    batch_size: int,
    max_grad_norm: float | None,
    n_mixture_updates: int,
    n_graph_steps: int,
    score_noise: float,
    edge_penalty: float,
    generator: torch.Generator,
    report: Report,
) -> None:
    """Alternate epochs of gradient steps and block-coordinate updates (Algorithm 2).

    One epoch per temperature, until ``progress.stopper`` says, by the (held-out, if there is
    held-out data) bound, that training is to end. With held-out data it keeps the best state, to
    be restored by the caller. The squared errors of an epoch are collected while it trains.
    """
    networks, graph, optimizer = progress.networks, progress.graph, progress.optimizer
    guard = ExpertGuard(model, update.names)
    noise_scale = score_noise if graph else 0.0  # noise must not turn the edges of a settled graph
    for temperature in temperatures.tolist():
        if progress.stopper.converged:  # a fit that is continued may have come to its end
            break
        if graph:
            model.prior.temperature = temperature
        guard.keep()
        model.train()
        errors = torch.zeros(len(data.arrays), dtype=torch.float64, device=data.device)
        with model.prior.frozen_mixture():
            for batch in data.shuffled(batch_size, generator):
                bound = _noisy_bound(model, data, batch, noise_scale, generator)
                loss = _penalty(model, edge_penalty) - bound.values.mean()
                _step(loss, optimizer, networks + graph, max_grad_norm)
                errors += bound.squared_errors.detach().double().sum(dim=1)
        errors = None if guard.restored(len(progress.history)) else errors
        for _ in range(n_mixture_updates):
            result = update(model, data, generator, errors)
        for _ in range(n_graph_steps if graph else 0):
            loss = -_graph_objective(model, result.counts, edge_penalty)
            _step(loss, optimizer, graph, max_grad_norm)
        terms = result.terms | {"temperature": model.prior.temperature}
        if held_out is not None:
            held_out_terms = data_pass(model, held_out, generator, update.names).terms
            terms["held_out_bound"] = held_out_terms["lower_bound"]
            terms["objective"] = held_out_terms["objective"]
        report(len(progress.history), terms)
        progress.history.append(terms)
        progress.stopper.stop(terms["objective"], model if held_out is not None else None)
        if errors is None:
            break


def _graph_objective(model: MultimodalVAE, counts: Tensor, edge_penalty: float) -> Tensor:
    """Return the part of the objective that the graph appears in, per sample."""
    shares = (counts / counts.sum()).to(model.prior.means)
    log_weights = model.prior.regime_log_weights()
    return (shares * log_weights).sum() - _penalty(model, edge_penalty)


def _penalty(model: MultimodalVAE, edge_penalty: float) -> Tensor | float:
    """Return what the edges cost in training, in nats per sample."""
    return edge_penalty * model.prior.edges().sum() if edge_penalty > 0 else 0.0


def _noisy_bound(
    model: MultimodalVAE,
    data: TrainingData,
    batch: Batch,
    score_noise: float,
    generator: torch.Generator,
) -> BoundWithErrors:
    """Return the bound at one draw of z and, where asked for, of the noise on the scores."""
    noise = data.normal(len(batch.arrays[0]), model.prior.means.shape[1], generator)
    jitter = None
    if score_noise > 0:
        jitter = score_noise * data.normal(1, len(model.prior.scores), generator)[0]
    return model.elbo(batch, noise, jitter)
