"""One run of the algorithm: start it or take it up again, train, settle the graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from ._block_update import BlockUpdate, data_pass
from ._checkpoint import (
    Checkpoint,
    data_fingerprint,
    fixed_settings,
    is_same_data,
    present_draws,
    resume_draws,
    resume_model,
    resume_progress,
    take_checkpoint,
)
from ._divergence import ADVICE, check_finite, check_model, told_divergence
from ._graph_learning import HardGraph, refit_tables, settle_graph
from ._model_state import build_model, export_state, load_state, seeded_modules
from ._run_start import (
    Started,
    StartSample,
    block_update,
    held_out_first,
    new_progress,
    reporter,
    settled_update,
    start_run,
    state_knowledge,
)
from ._setup import Setup
from ._start_selection import StartReport
from ._stopping import Stopper
from ._training import Progress, train
from ._training_data import TrainingData
from ._warnings import warn_caller
from .modules import MultimodalVAE, VarianceDecoder


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
        return _train_and_settle(params, setup, data, started, label)


def resume(
    params: Any,
    setup: Setup,
    data: TrainingData,
    checkpoint: Checkpoint,
    built: dict[str, Any],
    label: str,
) -> Run:
    """Train a run further from where it stood, then settle it again.

    ``built`` is the architecture of the model.
    """
    with torch.enable_grad(), seeded_modules(setup.module_device, 0):
        started = _resume(params, setup, data, checkpoint, _built_model(built, setup))
        return _train_and_settle(params, setup, data, started, label)


def _built_model(built: dict[str, Any], setup: Setup) -> MultimodalVAE:
    """Build the model as it is trained, laws in their places; its values are to be loaded."""
    model = build_model(**built, generator=None)
    interventions = setup.interventions
    if interventions is not None:
        none = torch.zeros(len(setup.regimes), len(model.prior.means), dtype=torch.float64)
        known = interventions.outcomes is not None
        model.prior.start_interventions(interventions.regimes, None if known else none)
    return model


def trained_model(
    built: dict[str, Any], setup: Setup, state: dict[str, np.ndarray]
) -> MultimodalVAE:
    """Return the model that a run has trained, of the architecture ``built``."""
    model = _built_model(built, setup)
    load_state(model, state)
    return model.to(setup.device).eval()


def _resume(
    params: Any, setup: Setup, data: TrainingData, checkpoint: Checkpoint, model: MultimodalVAE
) -> Started:
    """Put everything back as it was after the last epoch.

    With other data, or another part of it held out, the split and early stopping start anew.
    """
    generator, rng = torch.Generator(), np.random.RandomState()
    if setup.graph.structure == "fixed":
        model.prior.requires_grad_(False)
    resume_model(checkpoint, model)
    model.to(setup.device)
    state_knowledge(setup, model.prior)
    progress = new_progress(params, model)
    same = is_same_data(checkpoint, data, params.validation_fraction)
    resume_progress(checkpoint, model, progress, same)
    resume_draws(checkpoint, generator, rng, setup.module_device)
    order = checkpoint.order
    if not same:
        order = held_out_first(data.n_samples, params.validation_fraction, rng)
    update = settled_update(block_update(params, setup, data), setup)
    return Started(model, generator, rng, order, update, progress)


def _train_and_settle(
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
    variances = tuple(isinstance(decoder, VarianceDecoder) for decoder in model.decoders)
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
    settling = f"the settling of the graph after epoch {len(progress.history)}"
    with told_divergence(model, setup.names, settling, weights=data.weights):
        check_model(model, setup.names)
        end = data_pass(model, data, generator, setup.names)
        graph = settle_graph(model.prior, end.counts, setup.graph, rng)
    refines = setup.graph.structure == "refined"
    if refines:
        update = update._replace(adjacency=torch.from_numpy(graph.adjacency))
        _polish(params, model, training, update, steps, label)
    with told_divergence(model, setup.names, "the final model", weights=data.weights):
        if refines:
            end = data_pass(model, data, generator, setup.names)
            graph = refit_tables(model.prior, end.counts, graph)
        end = data_pass(model, data, generator, setup.names)
        check_model(model, setup.names)
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
