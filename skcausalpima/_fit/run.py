"""One run of the algorithm: start it, train, settle the graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .._clustering.candidates import StartReport
from .._initialization.experts import start_cluster_experts
from .._initialization.start import StartSample, initial_model, start_clusters
from .._model.build import start_cluster_decoders
from .._model.setup import Setup
from .._model.state import export_state, seeded_modules
from .._model.tensors import TrainingData
from .._training.block_update import BlockUpdate, block_update, data_pass, settled_update
from .._training.divergence import ADVICE, check_finite, check_model, told_divergence
from .._training.early_stopping import Stopper, held_out_first
from .._training.graph_selection import HardGraph, refit_tables, settle_graph
from .._training.loop import Progress, new_progress, pretrain, train
from .._training.report import reporter
from .._warnings import warn_caller
from ..modules import MultimodalVAE
from .checkpoint import Checkpoint, data_fingerprint, fixed_settings, present_draws, take_checkpoint


class Run(NamedTuple):
    """What was learned, as NumPy arrays: it may come from another process."""

    state: dict[str, np.ndarray]  # of the model
    graph: HardGraph
    history: list[dict[str, float]]
    converged: bool
    objective: float  # the (weighted) bound per sample after the last step
    start: StartReport | None  # how clusters were put on the grid
    checkpoint: Checkpoint | None  # where training stood, for warm_start
    predict_variances: tuple[bool, ...]  # whose decoders have variances of their own


def run(
    params: Any,
    setup: Setup,
    data: TrainingData,
    start: StartSample,
    seed: int,
    label: str,
) -> Run:
    """Run the whole algorithm once: start, train, settle.

    ``params`` has the estimator's parameters as attributes; ``setup`` what they resolve to;
    ``label`` is for what is printed.
    """
    with torch.enable_grad(), seeded_modules(setup.module_device, seed):  # if the caller has none
        started = start_run(params, setup, data, start, seed, label)
        return train_and_settle(params, setup, data, started, label)


def train_and_settle(
    params: Any, setup: Setup, data: TrainingData, started: Started, label: str
) -> Run:
    """Train, keep where training stands if the fit may be continued, then settle the graph."""
    model, generator, rng, order, update, progress, start = started
    steps = {
        "batch_size": params.batch_size,
        "max_grad_norm": params.max_grad_norm,
        "generator": generator,
        "n_mixture_updates": params.n_mixture_updates,
        "n_graph_steps": params.n_graph_steps,
        "score_noise": params.score_noise,
        "edge_penalty": setup.graph.edge_penalty,
    }
    training, held_out = _parts(data, order, params.validation_fraction)
    report = reporter(params.verbose, label)
    options = {"update": update, "temperatures": setup.temperatures, "report": report}
    train(model, training, held_out, progress, **options, **steps)
    checkpoint = None
    if progress.diverged:
        _warn_of_divergence(params, progress)
    elif params.warm_start:
        fingerprint = data_fingerprint(data, params.validation_fraction)
        draws = present_draws(generator, rng, setup.module_device)
        noted = (order, fingerprint, fixed_settings(params, setup))
        checkpoint = take_checkpoint(model, progress, draws, *noted)
    progress.stopper.restore(model)
    graph, objective = _settle(params, setup, data, started, training, steps, label)
    learned = (export_state(model), graph, progress.history, progress.stopper.converged)
    variances = tuple(decoder.predicts_variances for decoder in model.decoders)
    return Run(*learned, objective, start, checkpoint, variances)


def _settle(
    params: Any,
    setup: Setup,
    data: TrainingData,
    started: Started,
    training: TrainingData,
    steps: dict,
    label: str,
) -> tuple[HardGraph, float]:
    """Settle the graph and polish; return it and the objective of the final model."""
    model, generator, rng, _, update, progress, _ = started
    names = setup.spec.modality_names
    settling = f"the settling of the graph after epoch {len(progress.history)}"
    with told_divergence(model, names, settling, weights=data.weights):
        check_model(model, names)
        end = data_pass(model, data, generator, names)
        graph = settle_graph(model.prior, end.counts, setup.graph, rng)
    refines = setup.graph.structure == "refined"
    if refines:
        update = update._replace(adjacency=torch.from_numpy(graph.adjacency))
        _polish(params, model, training, update, steps, label)
    with told_divergence(model, names, "the final model", weights=data.weights):
        if refines:
            end = data_pass(model, data, generator, names)
            graph = refit_tables(model.prior, end.counts, graph)
        end = data_pass(model, data, generator, names)
        check_model(model, names)
        ends = [end.terms["objective"], end.terms["lower_bound"]]
        check_finite(torch.tensor(ends, dtype=torch.float64), "bounds")
    return graph, end.terms["objective"]


def _warn_of_divergence(params: Any, progress: Progress) -> None:
    """Tell that the last epoch is lost, while an earlier state is at hand."""
    lost = " The fit cannot be continued: the next fit starts afresh." if params.warm_start else ""
    warn_caller(
        f"Training diverged in epoch {len(progress.history)}, its last one. The state of the best "
        f"held-out bound is kept.{lost} {ADVICE}",
        ConvergenceWarning,
    )


def _parts(
    data: TrainingData, order: np.ndarray | None, fraction: float
) -> tuple[TrainingData, TrainingData | None]:
    """Set some samples aside for early stopping."""
    if order is None:
        return data, None
    n_held_out = int(np.ceil(fraction * data.n_samples))
    rows = torch.as_tensor(order, device=data.device)
    return data.subset(rows[n_held_out:]), data.subset(rows[:n_held_out])


def _polish(
    params: Any,
    model: MultimodalVAE,
    data: TrainingData,
    update: BlockUpdate,
    steps: dict,
    label: str,
) -> None:
    """Train some epochs with the graph settled, its tables in closed form."""
    rates = (params.learning_rate, params.graph_learning_rate)
    train(
        model,
        data,
        None,
        Progress(model, *rates, Stopper(0.0, 1), "polishing"),
        update=update,
        temperatures=np.ones(params.polishing_epochs),
        report=reporter(params.verbose, label, "polishing "),
        **steps,
    )


class Started(NamedTuple):
    """A run between its start and its end: the model, and all that training carries along."""

    model: MultimodalVAE
    generator: torch.Generator
    rng: np.random.RandomState
    order: np.ndarray | None  # of the samples, those that are held out first
    update: BlockUpdate
    progress: Progress
    start: StartReport | None = None


def start_run(
    params: Any,
    setup: Setup,
    data: TrainingData,
    start: StartSample,
    seed: int,
    label: str,
) -> Started:
    """Build the model, pre-train it, start the clusters, the laws and the graph."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    model = initial_model(params, *start, generator, rng)
    update = block_update(params, setup, data)
    pretrain(
        model,
        data,
        n_epochs=params.pretraining_epochs,
        kl_weight=1.0 if params.pretraining == "vae" else 0.0,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        max_grad_norm=params.max_grad_norm,
        update=update,
        generator=generator,
        report=reporter(params.verbose, label, "pre-training "),
    )
    order = held_out_first(data.n_samples, params.validation_fraction, rng)
    names = setup.spec.modality_names
    with told_divergence(model, names, "the start of the clusters", weights=data.weights):
        found, gamma = start_clusters(params, start.setup, model, *start[1:], update, rng)
        start_cluster_experts(model, setup, start.data, gamma, update.variance_floors, rng)
    start_cluster_decoders(model, setup.spec.decoders)
    progress = new_progress(params, model)
    return Started(model, generator, rng, order, settled_update(update, setup), progress, found)
