"""Algorithm 2: phases of epochs, each of gradient steps and an update in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from .._model.settings import JUDGED, TrainingSettings
from .._model.shares import share_of
from .._model.tensors import TensorData
from ..modules import MultimodalVAE, StructuredVAE
from .block_update import BlockUpdate, data_pass
from .ending import (
    Convergence,
    ExpertGuard,
    Stopper,
    broken_parts,
    divergence,
    interquartile_range,
    rise_and_fall,
    told_divergence,
)
from .filling import filled, viewed
from .gradients import Adam, compiled, gradient_step, half_cosine, in_bfloat16
from .observer import Observer
from .potentials import sharpen_potentials
from .sums import EpochSums

#: Least rise of the bound where it is left open, relative to its spread between samples, or in nats
#: where training begins as in the paper.
TOLERANCE = 1e-3

#: Learning rate of networks that have nothing but noise to learn, relative to that of the others.
SHORT_STEPS = 0.1


def _trainable(*modules: nn.Module) -> list[Parameter]:
    """Return the parameters that are not frozen."""
    return [p for module in modules for p in module.parameters() if p.requires_grad]


class Phase:
    """Epochs of training, and what they carry along besides the model and its generator.

    Parameters
    ----------
    model : MultimodalVAE
        To be trained.
    settings : TrainingSettings
        How.
    observer : Observer
        Who follows.
    temperatures : ndarray of shape (n_epochs,)
        Of the edges; one epoch each.
    stopper : Stopper, default=None
        Says by the (held-out, if there is held-out data) bound that training is to end; None never.
    rate_factor : float, default=1.0
        Learning rate of the networks, relative to that of the settings.

    Attributes
    ----------
    decays : bool
        Whether that falls to zero over the epochs.
    history : list of dict
        Terms of the bound of each epoch, in the data's units.
    n_done : int
        Number of planned epochs that were made before the fit was stopped.
    held_out : TensorData or None
        By which the stopper judges; None where nothing is held out.
    judged : TensorData or None
        Samples whose bound is told, always at the same draws; None where an epoch is of all.
    share_of_samples : float
        Which part of the samples an epoch sees.
    was_restored : bool
        Whether an expert has diverged, so that the last epoch was taken back.
    diverged : bool
        Whether the last epoch left numbers that are not finite, and the stopper has an earlier
        state.
    """

    name, has_cells, decays = "training", True, False

    def __init__(
        self,
        model: MultimodalVAE,
        settings: TrainingSettings,
        observer: Observer,
        temperatures: np.ndarray,
        stopper: Stopper | None = None,
        rate_factor: float = 1.0,
    ) -> None:
        self.model, self.settings, self.observer = model, settings, observer
        self.temperatures, self.stopper = temperatures.tolist(), stopper or Stopper(0.0, 1)
        self.rate = rate_factor * settings.steps.learning_rate
        still = {p for m in model.noiseless for p in _trainable(*model.networks_of(m))}
        networks = _trainable(model.encoders, *model.decoders, model.views)
        self.networks = [p for p in networks if p not in still]
        self.graph = _trainable(model.prior) if self.has_cells else []
        slow = {p for m in model.linear_modalities for p in _trainable(*model.networks_of(m))}
        self.optimizer = Adam(
            ([p for p in self.networks if p not in slow], self.rate),
            ([p for p in self.networks if p in slow], SHORT_STEPS * self.rate),
            (self.graph, settings.graph_learning_rate),
        )
        bound = model.elbo if self.has_cells else model.unit_elbo
        self.bound = compiled(bound) if settings.device.compile else bound
        self.was_restored = self.diverged = False
        self.history: list[dict[str, float]] = []
        self.n_done, self.n_steps, self.spread = 0, 0, 0.0
        self.labels: Tensor | None = None
        self.held_out: TensorData | None = None
        self.judged: TensorData | None = None
        self.share_of_samples = 1.0
        self.label_changes: list[float] = []

    def follow(self, earlier: Adam | None) -> None:
        """Begin with the moments that the optimizer of an earlier phase has of the networks.

        The first steps without any are as long as the rate allows in every parameter, which throws
        a trained model far back.
        """
        for parameter in self.networks:
            if earlier is not None and parameter in earlier.moments:
                self.optimizer.resume(parameter, earlier.moments[parameter])

    def judge_by(self, data: TensorData, held_out: TensorData | None) -> None:
        """Take note of the samples whose bound is told after every epoch."""
        n_rows = self.settings.schedule.n_rows
        if n_rows is not None:
            self.judged = data.subset(data.evenly_spaced(JUDGED))
            held_out = held_out and held_out.subset(held_out.evenly_spaced(JUDGED))
            self.share_of_samples = min(1.0, n_rows / data.n_of_all)
        self.held_out = None if held_out is None else viewed(self.model, held_out)
        n_judged = (self.judged or data).n_samples
        if self.labels is not None and len(self.labels) != n_judged:
            self.stopper.forget()  # a fit that is continued: bounds of other samples

    def fill(self, data: TensorData) -> TensorData:
        """Return samples as an epoch sees them."""
        return filled(self.model, data, is_trained=False)

    def is_stopped(self) -> bool:
        """Return True if the epoch is to be cut short after this batch."""
        return self.observer.stopped

    def steps(self, data: TensorData, sums: EpochSums, generator: torch.Generator) -> None:
        """Make the gradient steps of an epoch, and sum up what they see of the samples."""
        model, rule, penalty = self.model, self.settings.steps, self.settings.edge_penalty
        parameters = self.networks + self.graph
        batch_size = self.settings.batch_size
        n_steps = len(self.temperatures) * math.ceil(data.n_of_all / batch_size)
        model.train()
        for numbers, batch, noise in data.drawn(batch_size, model.n_draws, generator):
            if self.decays:
                rate = self.rate * half_cosine(self.n_steps / n_steps)
                self.optimizer.rates[:2] = rate, SHORT_STEPS * rate
            bound = self.bound(batch, noise)
            loss = -data.mean(bound.values, batch)
            if penalty > 0 and self.has_cells:
                loss = loss + penalty * model.prior.edges().sum()
            gradient_step(loss, self.optimizer, parameters, rule.max_grad_norm, data, batch)
            sums.add(numbers, bound)
            self.n_steps += 1
            if self.is_stopped():
                break
        model.eval()  # as what comes next expects it
        sums.end()
        if self.has_cells:
            self.spread = interquartile_range(data.rows_of_all(torch.cat(sums.bounds)))

    def close(
        self, data: TensorData, update: BlockUpdate, sums: EpochSums | None
    ) -> dict[str, float]:
        """Make the block-coordinate update of an epoch; return the terms of the bound.

        The update follows from what gradient steps saw, if that is enough: no sample is encoded
        twice. They did not see all, and ``sums`` is to be None, where the epoch was cut short.
        """
        if self.was_restored or self.observer.stopped:
            sums = None
        model, errors, result = self.model, None, None
        if sums is not None:
            errors, result = sums.squared_errors, sums.result()
        if result is None:
            result = data_pass(model, data, update.generator, errors)
        result = update.swap(model, data, result)
        if self.judged is not None:
            draws = torch.Generator().manual_seed(0)
            result = data_pass(model, self.fill(self.judged), draws)
        terms = result.terms | {"temperature": model.prior.temperature}
        if self.held_out is not None:
            judged = data_pass(model, self.fill(self.held_out), update.generator).terms
            terms["held_out_bound"] = judged["lower_bound"]
            terms["objective"] = judged["objective"]
        kept = None if self.held_out is None else model
        self.stopper.stop(terms["objective"], kept, self.spread)
        before, self.labels = self.labels, result.labels
        if before is not None and len(before) == len(self.labels):  # a file may hold others
            changed = (self.labels != before).double().cpu().numpy()
            self.label_changes.append(data.mean_of(changed))
        return terms

    def check(self, weights: Tensor | None) -> None:
        """Raise where the model is not finite and there is no earlier state to go back to."""
        parts = broken_parts(self.model)
        self.diverged = bool(parts)
        if parts and self.stopper.best_state is None:
            where = f"epoch {len(self.history)} of {self.name}"
            raise divergence(f"numbers in {', '.join(parts)} are not finite", where, weights)

    def convergence(self) -> Convergence:
        """Return what was seen of training; means of some epochs at the end are looked at."""
        n_epochs = self.settings.steps.n_iter_no_change
        rise, fall = rise_and_fall([terms["objective"] for terms in self.history], n_epochs)
        unit, changes = self.spread or 1.0, self.label_changes[-n_epochs:]
        return Convergence(
            n_steps=self.n_steps,
            spread=self.spread,
            rise=rise / unit,
            fall=fall / unit,
            label_changes=math.nan if math.isnan(rise) else float(np.mean(changes)),
            share_of_samples=self.share_of_samples,
        )


class Pretraining(Phase):
    """Epochs of encoders and decoders before there are clusters (Section 3.3).

    An interrupt ends the run, which has nothing to keep yet.
    """

    name, has_cells = "pre-training", False

    def fill(self, data: TensorData) -> TensorData:
        """Return samples as they are: what is missing was filled in before."""
        return data

    def is_stopped(self) -> bool:
        """Raise where the fit was interrupted."""
        self.observer.interruption.check()
        return False

    def close(
        self, data: TensorData, update: BlockUpdate, sums: EpochSums | None
    ) -> dict[str, float]:
        """Update the decoder variances; return the mean bound."""
        assert sums is not None, "an epoch has begun"
        if not self.was_restored:
            update.decoder_variances(self.model, data, sums.squared_errors)
        return {"objective": sums.mean_bound}


class Polishing(Phase):
    """Epochs with the graph fixed, its tables in closed form."""

    name = "polishing"

    def __init__(
        self,
        model: MultimodalVAE,
        settings: TrainingSettings,
        observer: Observer,
        n_trained: int = 0,
    ) -> None:
        schedule = settings.schedule
        temperatures = np.ones(schedule.n_polished(n_trained))
        super().__init__(model, settings, observer, temperatures, rate_factor=schedule.rate_factor)
        self.decays = schedule.polishing_decays


def epochs(
    phase: Phase, data: TensorData, update: BlockUpdate, held_out: TensorData | None = None
) -> None:
    """Make the epochs of a phase: gradient steps, then the update that they lead to.

    With held-out data the stopper keeps the best state, to be restored by the caller. Where the
    observer says to stop, the epoch is cut short and ends as others do. An expert that diverges
    ends the phase, and the state before that epoch returns.
    """
    model, observer, device = phase.model, phase.observer, phase.settings.device
    n_before, n_epochs = len(phase.history) - phase.n_done, len(phase.temperatures)
    phase.judge_by(data, held_out)
    shown = (phase.has_cells and phase.judged) or data
    observer.begin(phase.name, n_epochs, model.names, shown, phase.held_out, n_before, phase.n_done)
    guard, n_rows = ExpertGuard(model, phase.name), phase.settings.schedule.n_rows
    for temperature in phase.temperatures[phase.n_done :]:
        if phase.stopper.converged:  # a fit that is continued may have come to its end
            break
        observer.epoch_begins()
        share, epoch, sums = share_of(data, n_rows, update.generator), len(phase.history), None
        drawn = phase.fill(share)
        if phase.graph:
            model.prior.temperature = temperature
        guard.keep(model)
        precision = in_bfloat16(model.networks, device.autocast)
        with guard.watched(epoch, data.weights), model.frozen(phase.has_cells), precision:
            sums = EpochSums(model, drawn, phase.has_cells)
            phase.steps(drawn, sums, update.generator)
        phase.was_restored = guard.restored(epoch)
        if phase.was_restored:
            observer.standing = None  # training ends here
        with told_divergence(model, phase.name, epoch, data.weights):
            terms = phase.close(drawn, update.of_share(model, phase.share_of_samples), sums)
        if phase.judged is not None:
            terms["share_of_samples"] = phase.share_of_samples
        phase.history.append(observer.in_units(terms))
        observer.epoch_ended(phase.history[-1], data)
        if phase.was_restored or observer.stopped:
            break
    if phase.history:
        phase.check(data.weights)


def pretrain(
    model: MultimodalVAE,
    data: TensorData,
    settings: TrainingSettings,
    update: BlockUpdate,
    observer: Observer,
) -> Adam | None:
    """Train encoders and decoders before there are clusters.

    Returned is the optimizer that the next phase follows; None where there is none, or its moments
    are of an expert that diverged.
    """
    data = viewed(model, data)
    update.set_information(model, data, has_cells=False)
    n_epochs = settings.schedule.pretraining_epochs
    phase = Pretraining(model, settings, observer, np.ones(n_epochs))
    if not phase.networks:
        update.decoder_variances(model, data)
        return None
    epochs(phase, data, update)
    return None if phase.was_restored else phase.optimizer


def settle(model: MultimodalVAE, data: TensorData, update: BlockUpdate, share: float = 1.0) -> None:
    """Let mixture and variances follow from the networks as training has left them.

    Those of the last epoch follow from what its steps saw of the samples, networks on their way,
    and from potentials that had been as sharp as decoders were before. Where potentials are wider
    than locations scatter, they are made sharper, unless samples of before are remembered, whose
    locations are not known any more. Where an epoch sees but a ``share`` of the samples, this is
    what they all count in. Else the published algorithm ends with its last epoch.
    """
    if not isinstance(model, StructuredVAE):
        if share < 1.0:
            update(model, filled(model, data, is_trained=False))
    else:
        data = filled(model, data, is_trained=False)
        update.set_information(model, data)
        if update.past is None and sharpen_potentials(model, data, update.mixture):
            update = replace(update, inertia=1.0)  # they stay as they are now
        update(model, data)


def new_phase(settings: TrainingSettings, model: MultimodalVAE, observer: Observer) -> Phase:
    """Return the optimizer and early stopping as training begins with them."""
    rule, is_paper = settings.steps, settings.initialization.method == "paper"
    stopper = Stopper(float(rule.tol), rule.n_iter_no_change) if rule.tol != "auto" else None
    return Phase(
        model,
        settings,
        observer,
        settings.temperatures,
        stopper=stopper or Stopper(TOLERANCE, rule.n_iter_no_change, is_relative=not is_paper),
        rate_factor=settings.schedule.rate_factor,
    )
