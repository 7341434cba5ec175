"""One run of the algorithm: initialize, train, select the graph, polish."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .._clustering.candidates import CandidateReport
from .._initialization.initialize import InitialSample, RunState, initialize_run
from .._model.settings import TrainingSettings
from .._model.setup import Setup
from .._model.state import export_state, seeded_modules
from .._model.tensors import TensorData
from .._training.block_update import BlockUpdate, data_pass
from .._training.divergence import ADVICE, check_finite, check_model, told_divergence
from .._training.early_stopping import Stopper
from .._training.filling import filled
from .._training.graph_selection import HardGraph, refit_tables, select_graph
from .._training.loop import Progress, train
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
    candidates: CandidateReport | None  # what was seen of the clusterings
    checkpoint: Checkpoint | None  # where training stood, for warm_start
    predict_variances: tuple[bool, ...]  # whose decoders have variances of their own


def run(setup: Setup, data: TensorData, initial: InitialSample, seed: int, label: str) -> Run:
    """Run the whole algorithm once; ``label`` is for what is printed."""
    with torch.enable_grad(), seeded_modules(setup.module_device, seed):  # if the caller has none
        state = initialize_run(setup, data, initial, seed, label)
        return train_and_select_graph(setup, data, state, label)


def train_and_select_graph(setup: Setup, data: TensorData, state: RunState, label: str) -> Run:
    """Train, keep where training stands if the fit may be continued, then select the graph."""
    model, progress = state.model, state.progress
    fraction = setup.training.stopping.validation_fraction
    training, held_out = _parts(data, state.order, fraction)
    train(model, training, held_out, progress, setup.training, state.update, state.generator)
    checkpoint = None
    if progress.diverged:
        _warn_of_divergence(progress, setup.resumable)
    elif setup.resumable:
        checkpoint = take_checkpoint(
            model,
            progress,
            present_draws(state.generator, state.rng, setup.module_device),
            state.order,
            data_fingerprint(data, fraction),
            fixed_settings(setup),
        )
    progress.stopper.restore(model)
    graph, objective = _select_graph_and_polish(setup, data, state, training, label)
    return Run(
        state=export_state(model),
        graph=graph,
        history=progress.history,
        converged=progress.stopper.converged,
        objective=objective,
        candidates=state.candidates,
        checkpoint=checkpoint,
        predict_variances=tuple(decoder.predicts_variances for decoder in model.decoders),
    )


def _select_graph_and_polish(
    setup: Setup, data: TensorData, state: RunState, training: TensorData, label: str
) -> tuple[HardGraph, float]:
    """Select and fix the graph, polish; return the graph and the final model's objective."""
    model, generator, names = state.model, state.generator, setup.spec.modality_names
    data = filled(model, data)
    selection = f"the selection of the graph after epoch {len(state.progress.history)}"
    with told_divergence(model, names, selection, weights=data.weights):
        check_model(model, names)
        end = data_pass(model, data, generator, names)
        graph = select_graph(model.prior, end.counts, setup.graph, state.rng)
    refines = setup.graph.structure == "refined"
    if refines:
        update = replace(state.update, adjacency=torch.from_numpy(graph.adjacency))
        _polish(setup.training, model, training, update, generator, label)
        data = filled(model, data)
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
    """Train some epochs with the graph fixed, its tables in closed form."""
    report = reporter(settings.verbose, label, "polishing ")
    progress = Progress(model, settings.gradient, Stopper(0.0, 1), report, "polishing")
    graph = replace(settings.graph, temperatures=np.ones(settings.polishing_epochs))
    train(model, data, None, progress, replace(settings, graph=graph), update, generator)
