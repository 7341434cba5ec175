"""Algorithm 2: pre-training, then epochs of gradient steps and block-coordinate updates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from .._data.ranks import Ranks
from .._model.ranks import all_rows
from .._model.settings import GradientSettings, TrainingSettings
from .._model.tensors import TensorData
from ..modules import MultimodalVAE, StructuredVAE
from .acceleration import of_steps, step_precision
from .adam import Adam, has_fused_steps
from .block_update import BlockUpdate, PassResult, data_pass
from .divergence import broken_parts, check_model, divergence, told_divergence
from .early_stopping import Stopper, interquartile_range
from .expert_guard import ExpertGuard
from .filling import filled, viewed
from .gradients import GradientAverage, gradient_average
from .observer import Observer
from .sums import EpochSums


def _trainable(*modules: nn.Module) -> list[Parameter]:
    """Return the parameters that are not frozen."""
    return [p for module in modules for p in module.parameters() if p.requires_grad]


def gradient_step(
    loss: Tensor,
    optimizer: Adam,
    parameters: list[Parameter],
    max_grad_norm: float | None,
    average: GradientAverage | None = None,
) -> None:
    """Make one step of gradient descent, with the gradient's norm clipped.

    Where the loss is that of a batch which is spread over ranks, its gradient is their ``average``.
    """
    if not loss.requires_grad:
        return  # nothing to train: what the loss depends on is frozen, and the graph is fixed
    optimizer.zero_grad()
    loss.backward()
    if average is not None:
        average.of([parameter for group in optimizer.groups for parameter in group])
    if max_grad_norm is not None:
        foreach = has_fused_steps(parameters[:1]) or None
        torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm, foreach=foreach)
    optimizer.step()


def pretrain(
    model: MultimodalVAE,
    data: TensorData,
    settings: TrainingSettings,
    update: BlockUpdate,
    generator: torch.Generator,
    observer: Observer,
) -> Adam | None:
    """Train encoders and decoders before there are clusters (Section 3.3).

    An interrupt ends the run, which has nothing to keep yet. Returned is the optimizer that the
    next phase follows; None where there is none, or its moments are of an expert that diverged.
    """
    steps, n_epochs = settings.gradient, settings.initialization.pretraining_epochs
    data = viewed(model, data)
    update.set_information(model, data, has_cells=False)
    parameters = _trainable(model.encoders, *model.decoders, model.views)
    if not parameters:
        update.decoder_variances(model, data, generator)
        return None
    optimizer = Adam((parameters, steps.learning_rate))
    guard = ExpertGuard(model, update.names, "pre-training")
    unit_elbo = of_steps(model.unit_elbo, steps)
    observer.begin("pre-training", n_epochs, update.names, data)
    for epoch in range(n_epochs):
        observer.epoch_begins()
        guard.keep()
        model.train()
        precision = step_precision(model.networks, steps)
        seen = EpochSums(model, data, has_cells=False)
        with guard.watched(epoch, data.weights), model.frozen(has_cells=False), precision:
            for numbers, batch, noise in data.drawn(steps.batch_size, model.n_draws, generator):
                bound = unit_elbo(batch, noise)
                loss = -data.mean(bound.values, batch)
                average = gradient_average(data, batch)
                gradient_step(loss, optimizer, parameters, steps.max_grad_norm, average)
                seen.add(numbers, bound)
                observer.interruption.check()
            seen.end()
        observer.epoch_ended(observer.in_units({"objective": seen.mean_bound}))
        if guard.restored(epoch):
            return None
        is_last = epoch == n_epochs - 1 or observer.stopped
        with told_divergence(model, update.names, "pre-training", epoch, data.weights):
            update.decoder_variances(model, data, generator, seen.squared_errors)
            if is_last:
                check_model(model, update.names)
        if is_last:
            break
    return optimizer


class Progress:
    """What training carries from epoch to epoch, besides the model and its generator.

    ``n_done`` is the number of planned epochs that were made before the fit was stopped.
    ``history`` is in the data's units. ``diverged`` is true where the last epoch left numbers that
    are not finite, and the stopper has an earlier state.
    """

    def __init__(
        self,
        model: MultimodalVAE,
        settings: GradientSettings,
        stopper: Stopper,
        observer: Observer,
        phase: str = "training",
    ) -> None:
        self.networks = _trainable(model.encoders, *model.decoders, model.views)
        self.graph = _trainable(model.prior)
        self.optimizer = Adam(
            (self.networks, settings.learning_rate), (self.graph, settings.graph_learning_rate)
        )
        self.bound = of_steps(model.elbo, settings)
        self.stopper, self.observer = stopper, observer
        self.phase, self.diverged = phase, False
        self.history: list[dict[str, float]] = []
        self.n_done, self.n_steps, self.spread = 0, 0, 0.0
        self.labels: Tensor | None = None
        self.label_changes: list[float] = []

    def follow(self, earlier: Adam | None) -> None:
        """Begin with the moments that the optimizer of an earlier phase has of the networks.

        The first steps without any are as long as the rate allows in every parameter, which throws
        a trained model far back.
        """
        for parameter in self.networks:
            if earlier is not None and parameter in earlier.moments:
                self.optimizer.resume(parameter, earlier.moments[parameter])

    def note(self, terms: dict[str, float], labels: Tensor, ranks: Ranks) -> None:
        """Take note of an epoch's terms of the bound, and of the components of the samples."""
        if self.labels is not None and len(self.labels) == len(labels):  # a file may hold others
            changed = (labels != self.labels).double().cpu().numpy()
            self.label_changes.append(ranks.mean(changed))
        self.labels = labels
        self.history.append(self.observer.in_units(terms))
        self.observer.epoch_ended(self.history[-1])

    def check(self, model: MultimodalVAE, names: Sequence[str]) -> None:
        """Raise where the model is not finite and there is no earlier state to go back to."""
        parts = broken_parts(model, names)
        self.diverged = bool(parts)
        if parts and self.stopper.best_state is None:
            place = f"epoch {len(self.history)} of {self.phase}"
            raise divergence(f"numbers in {', '.join(parts)} are not finite", place)


def train(
    model: MultimodalVAE,
    data: TensorData,
    held_out: TensorData | None,
    progress: Progress,
    settings: TrainingSettings,
    update: BlockUpdate,
    generator: torch.Generator,
) -> None:
    """Alternate epochs of gradient steps and block-coordinate updates (Algorithm 2).

    One epoch per temperature, until ``progress.stopper`` says, by the (held-out, if there is
    held-out data) bound, that training is to end. With held-out data it keeps the best state, to
    be restored by the caller. The updates follow from what the steps of an epoch saw. Where
    ``progress.observer`` says to stop, the epoch is cut short and ends as others do.
    """
    graph, observer = progress.graph, progress.observer
    guard = ExpertGuard(model, update.names, progress.phase)
    steps, edges = settings.gradient, settings.graph
    n_epochs, n_done = len(edges.temperatures), progress.n_done
    n_before = len(progress.history) - n_done
    observer.begin(progress.phase, n_epochs, update.names, data, held_out, n_before, n_done)
    for temperature in edges.temperatures[n_done:].tolist():
        if progress.stopper.converged:  # a fit that is continued may have come to its end
            break
        observer.epoch_begins()
        epoch, data = len(progress.history), filled(model, data)
        if graph:
            model.prior.temperature = temperature
        guard.keep()
        precision, seen = step_precision(model.networks, steps), None
        with guard.watched(epoch, data.weights), model.frozen(), precision:
            seen = _gradient_steps(model, data, progress, settings, generator)
        was_restored = guard.restored(epoch)
        if was_restored:
            observer.standing = None  # training ends here
        with told_divergence(model, update.names, progress.phase, epoch, data.weights):
            seen = None if was_restored else seen
            result = _block_update(model, data, update, generator, seen)
            terms = result.terms | {"temperature": model.prior.temperature}
            if held_out is not None:
                held_out = filled(model, held_out)
                held_out_terms = data_pass(model, held_out, generator, update.names).terms
                terms["held_out_bound"] = held_out_terms["lower_bound"]
                terms["objective"] = held_out_terms["objective"]
        kept = model if held_out is not None else None
        progress.stopper.stop(terms["objective"], kept, progress.spread)
        progress.note(terms, result.labels, data.ranks)
        if was_restored or observer.stopped:
            break
    progress.check(model, update.names)


def _gradient_steps(
    model: MultimodalVAE,
    data: TensorData,
    progress: Progress,
    settings: TrainingSettings,
    generator: torch.Generator,
) -> EpochSums | None:
    """Make the gradient steps of an epoch; return what they saw of the samples.

    None where the epoch was cut short, so that they did not see all.
    """
    steps, edges = settings.gradient, settings.graph
    parameters = progress.networks + progress.graph
    seen = EpochSums(model, data)
    n_steps = len(edges.temperatures) * math.ceil(data.n_of_all / steps.batch_size)
    model.train()
    for numbers, batch, noise in data.drawn(steps.batch_size, model.n_draws, generator):
        if steps.decays:
            share = progress.n_steps / n_steps
            progress.optimizer.rates[0] = steps.learning_rate * half_cosine(share)
        bound = progress.bound(batch, noise)
        loss = _penalty(model, edges.edge_penalty) - data.mean(bound.values, batch)
        average = gradient_average(data, batch)
        gradient_step(loss, progress.optimizer, parameters, steps.max_grad_norm, average)
        seen.add(numbers, bound)
        progress.n_steps += 1
        if progress.observer.stopped:
            break
    model.eval()  # as what comes next expects it
    seen.end()
    progress.spread = interquartile_range(all_rows(torch.cat(seen.bounds), data.ranks))
    return None if progress.observer.stopped else seen


def _block_update(
    model: MultimodalVAE,
    data: TensorData,
    update: BlockUpdate,
    generator: torch.Generator,
    seen: EpochSums | None,
) -> PassResult:
    """Make the block-coordinate update of an epoch; return what it follows from.

    That is what gradient steps saw, if that is enough: no sample is encoded twice.
    """
    errors, result = None, None
    if seen is not None:
        errors, result = seen.squared_errors, seen.result(update.names)
    if result is None:
        result = data_pass(model, data, generator, update.names, errors)
    return update.swap(model, data, result)


def settle(
    model: MultimodalVAE, data: TensorData, update: BlockUpdate, generator: torch.Generator
) -> None:
    """Let mixture and variances follow from the networks as training has left them.

    Those of the last epoch follow from what its steps saw of the samples, networks on their way,
    and from potentials that had been as sharp as decoders were before. The published algorithm ends
    with its last epoch.
    """
    if isinstance(model, StructuredVAE):
        data = filled(model, data)
        update.set_information(model, data)
        update(model, data, generator)


def half_cosine(share: float) -> float:
    """Return what falls from 1 to 0 as ``share`` rises from 0 to 1."""
    return 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))


def _penalty(model: MultimodalVAE, edge_penalty: float) -> Tensor | float:
    """Return what the edges cost in training, in nats per sample."""
    return edge_penalty * model.prior.edges().sum() if edge_penalty > 0 else 0.0


def new_progress(settings: TrainingSettings, model: MultimodalVAE, observer: Observer) -> Progress:
    """Return the optimizer and early stopping as they begin."""
    rule = settings.stopping
    stopper = Stopper(rule.tol, rule.n_iter_no_change, rule.is_relative)
    return Progress(model, settings.of_training(), stopper, observer)
