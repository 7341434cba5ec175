"""One run of the algorithm: start it, train, settle the graph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .._clustering.candidates import StartReport
from .._initialization.experts import start_cluster_experts
from .._initialization.start import StartSample, initial_model, start_clusters
from .._model.build import start_cluster_decoders
from .._model.settings import TrainingSettings
from .._model.setup import Setup
from .._model.state import export_state, seeded_modules
from .._model.tensors import TensorData
from .._training.block_update import BlockUpdate, block_update, data_pass, settled_update
from .._training.divergence import ADVICE, check_finite, check_model, told_divergence
from .._training.early_stopping import Stopper, held_out_first
from .._training.graph_selection import HardGraph, refit_tables, settle_graph
from .._training.loop import Progress, new_progress, pretrain, train
from .._training.report import reporter
from .._warnings import warn_caller
from ..modules import MultimodalVAE
from .checkpoint import Checkpoint, data_fingerprint, fixed_settings, present_draws, take_checkpoint


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was learned, as NumPy arrays: it may come from another process."""

    state: dict[str, np.ndarray]  # of the model
    graph: HardGraph
    history: list[dict[str, float]]
    converged: bool
    objective: float  # the (weighted) bound per sample after the last step
    start: StartReport | None  # how clusters were put on the grid
    checkpoint: Checkpoint | None  # where training stood, for warm_start
    predict_variances: tuple[bool, ...]  # whose decoders have variances of their own


def run(setup: Setup, data: TensorData, start: StartSample, seed: int, label: str) -> Run:
    """Run the whole algorithm once: start, train, settle; ``label`` is for what is printed."""
    with torch.enable_grad(), seeded_modules(setup.module_device, seed):  # if the caller has none
        started = start_run(setup, data, start, seed, label)
        return train_and_settle(setup, data, started, label)


def train_and_settle(setup: Setup, data: TensorData, started: Started, label: str) -> Run:
    """Train, keep where training stands if the fit may be continued, then settle the graph."""
    model, progress = started.model, started.progress
    fraction = setup.training.stopping.validation_fraction
    training, held_out = _parts(data, started.order, fraction)
    train(model, training, held_out, progress, setup.training, started.update, started.generator)
    checkpoint = None
    if progress.diverged:
        _warn_of_divergence(progress, setup.resumable)
    elif setup.resumable:
        checkpoint = take_checkpoint(
            model,
            progress,
            present_draws(started.generator, started.rng, setup.module_device),
            started.order,
            data_fingerprint(data, fraction),
            fixed_settings(setup),
        )
    progress.stopper.restore(model)
    graph, objective = _settle(setup, data, started, training, label)
    return Run(
        state=export_state(model),
        graph=graph,
        history=progress.history,
        converged=progress.stopper.converged,
        objective=objective,
        start=started.start,
        checkpoint=checkpoint,
        predict_variances=tuple(decoder.predicts_variances for decoder in model.decoders),
    )


def _settle(
    setup: Setup, data: TensorData, started: Started, training: TensorData, label: str
) -> tuple[HardGraph, float]:
    """Settle the graph and polish; return it and the objective of the final model."""
    model, generator, names = started.model, started.generator, setup.spec.modality_names
    settling = f"the settling of the graph after epoch {len(started.progress.history)}"
    with told_divergence(model, names, settling, weights=data.weights):
        check_model(model, names)
        end = data_pass(model, data, generator, names)
        graph = settle_graph(model.prior, end.counts, setup.graph, started.rng)
    refines = setup.graph.structure == "refined"
    if refines:
        update = replace(started.update, adjacency=torch.from_numpy(graph.adjacency))
        _polish(setup.training, model, training, update, generator, label)
    with told_divergence(model, names, "the final model", weights=data.weights):
        if refines:
            end = data_pass(model, data, generator, names)
            graph = refit_tables(model.prior, end.counts, graph)
        end = data_pass(model, data, generator, names)
        check_model(model, names)
        ends = [end.terms["objective"], end.terms["lower_bound"]]
        check_finite(torch.tensor(ends, dtype=torch.float64), "bounds")
    return graph, end.terms["objective"]


def _warn_of_divergence(progress: Progress, resumable: bool) -> None:
    """Tell that the last epoch is lost, while an earlier state is at hand."""
    lost = " The fit cannot be continued: the next fit starts afresh." if resumable else ""
    warn_caller(
        f"Training diverged in epoch {len(progress.history)}, its last one. The state of the best "
        f"held-out bound is kept.{lost} {ADVICE}",
        ConvergenceWarning,
    )


def _parts(
    data: TensorData, order: np.ndarray | None, fraction: float
) -> tuple[TensorData, TensorData | None]:
    """Set some samples aside for early stopping."""
    if order is None:
        return data, None
    n_held_out = int(np.ceil(fraction * data.n_samples))
    rows = torch.as_tensor(order, device=data.device)
    return data.subset(rows[n_held_out:]), data.subset(rows[:n_held_out])


def _polish(
    settings: TrainingSettings,
    model: MultimodalVAE,
    data: TensorData,
    update: BlockUpdate,
    generator: torch.Generator,
    label: str,
) -> None:
    """Train some epochs with the graph settled, its tables in closed form."""
    report = reporter(settings.verbose, label, "polishing ")
    progress = Progress(model, settings.gradient, Stopper(0.0, 1), report, "polishing")
    graph = replace(settings.graph, temperatures=np.ones(settings.polishing_epochs))
    train(model, data, None, progress, replace(settings, graph=graph), update, generator)


@dataclass(frozen=True, kw_only=True)
class Started:
    """A run between its start and its end: the model, and all that training carries along."""

    model: MultimodalVAE
    generator: torch.Generator
    rng: np.random.RandomState
    order: np.ndarray | None  # of the samples, those that are held out first
    update: BlockUpdate
    progress: Progress
    start: StartReport | None = None


def start_run(setup: Setup, data: TensorData, start: StartSample, seed: int, label: str) -> Started:
    """Build the model, pre-train it, start the clusters, the laws and the graph."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    settings, names = setup.training, setup.spec.modality_names
    model = initial_model(setup, start, generator, rng)
    update = block_update(setup, data)
    report = reporter(settings.verbose, label, "pre-training ")
    pretrain(model, data, settings, update, generator, report)
    order = held_out_first(data.n_samples, settings.stopping.validation_fraction, rng)
    with told_divergence(model, names, "the start of the clusters", weights=data.weights):
        found, gamma = start_clusters(setup, start, model, rng)
        start_cluster_experts(model, setup, start.data, gamma, update.variance_floors, rng)
    start_cluster_decoders(model, setup.spec.decoders)
    progress = new_progress(settings, model, reporter(settings.verbose, label))
    update = settled_update(update, setup)
    return Started(
        model=model,
        generator=generator,
        rng=rng,
        order=order,
        update=update,
        progress=progress,
        start=found,
    )
