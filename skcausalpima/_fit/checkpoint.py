"""Where training stands between two fits (``warm_start``), as NumPy arrays and plain Python."""

from __future__ import annotations

import itertools
import reprlib
from collections.abc import Mapping
from dataclasses import replace

import joblib
import numpy as np
import torch
from torch import Tensor

from .._data.samples import FitSamples, NodeKnowledge
from .._initialization.initialize import RunState, state_knowledge
from .._model.build import build_model
from .._model.scaled_rows import ScaledRows
from .._model.setup import Setup
from .._model.spec import ModelSpec
from .._model.state import export_state, load_state, module_draws, resume_module_draws
from .._model.tensors import TensorData
from .._state.begun import BegunFit, BegunRun
from .._state.training import STRUCTURE, TrainingState
from .._training.block_update import block_update, update_for_given_graph
from .._training.early_stopping import Stopper, held_out_first
from .._training.filling import check_decoders
from .._training.gradients import Adam
from .._training.holding import StartingCells
from .._training.loop import Phase, new_phase
from .._training.observer import Observer
from .._typing import Unchecked, Values
from .._warnings import warn_caller
from ..modules import ExpertDecoder, MultimodalVAE

#: What fields of a specification are called by the user.
_PARAMETERS = {
    "modality_names": "the names of the modalities",
    "shapes": "the shapes of the modalities",
    "dtype": "the dtype of X",
    "linear": "init (linear or not)",
    "node_names": "node_sizes (the names of the nodes)",
    "full_covariances": "mixture (covariances full or not)",
    "sampled_responsibilities": "posterior (mean field or not)",
    "prior_expert": "posterior__prior_expert",
}


def take_checkpoint(
    model: MultimodalVAE,
    progress: Phase,
    draws: Values,
    order: np.ndarray | None,
    start: StartingCells | None,
    data: str,
    settings: Values,
) -> TrainingState:
    """Take note of where training stands; nothing is shared with the model."""
    stopper = progress.stopper
    return TrainingState(
        model=export_state(model),
        temperature=model.prior.temperature,
        moments=moments_of(model, progress.optimizer),
        draws=draws,
        stopper={
            "best": stopper.best,
            "waited": stopper.waited,
            "best_state": stopper.best_state and _arrays(stopper.best_state),
            "best_temperature": stopper.best_temperature,
        },
        history=[dict(terms) for terms in progress.history],
        seen={
            "n_steps": progress.n_steps,
            "spread": progress.spread,
            "labels": None if progress.labels is None else progress.labels.cpu().numpy().copy(),
            "label_changes": np.array(progress.label_changes, dtype=np.float64),
        },
        start=None if start is None else _start_arrays(start),
        order=order,
        data=data,
        settings=settings,
    )


def moments_of(model: MultimodalVAE, optimizer: Adam) -> dict[str, dict[str, np.ndarray]]:
    """Return what an optimizer keeps of the parameters of a model, by their names."""
    kept = optimizer.moments
    return {name: _arrays(kept[p]) for name, p in model.named_parameters() if p in kept}


def resume_moments(
    moments: Mapping[str, dict[str, np.ndarray]], model: MultimodalVAE, optimizer: Adam
) -> None:
    """Let an optimizer go on from what :func:`moments_of` returned."""
    for name, parameter in model.named_parameters():
        if name in moments:
            optimizer.resume(parameter, _tensors(moments[name]))


def present_draws(
    generator: torch.Generator, rng: np.random.RandomState, module_device: torch.device | None
) -> Values:
    """Take note of where all generators stand, PyTorch's own ones if modules draw from them."""
    return {
        "generator": generator.get_state().numpy().copy(),
        "numpy": rng.get_state(legacy=False),
        "modules": module_draws(module_device),
    }


def resume_draws(
    checkpoint: TrainingState,
    generator: torch.Generator,
    rng: np.random.RandomState,
    module_device: torch.device | None,
) -> None:
    """Let all generators go on from where :func:`present_draws` saw them."""
    generator.set_state(torch.from_numpy(checkpoint.draws["generator"].copy()))
    rng.set_state(checkpoint.draws["numpy"])
    resume_module_draws(module_device, checkpoint.draws["modules"])


def resume_progress(
    checkpoint: TrainingState, model: MultimodalVAE, progress: Phase, same_data: bool
) -> None:
    """Give the optimizer and the history back, and the stopper's memory if the data is the same.

    Bounds of other data cannot be compared.
    """
    resume_moments(checkpoint.moments, model, progress.optimizer)
    progress.history = [dict(terms) for terms in checkpoint.history]
    if not same_data:
        return
    seen, labels = checkpoint.seen, checkpoint.seen["labels"]
    progress.n_steps, progress.spread = seen["n_steps"], seen["spread"]
    progress.label_changes = seen["label_changes"].tolist()
    progress.labels = (
        None if labels is None else torch.from_numpy(labels).to(model.prior.means.device)
    )
    stopper: Stopper = progress.stopper
    stopper.best, stopper.waited = checkpoint.stopper["best"], checkpoint.stopper["waited"]
    best_state = checkpoint.stopper["best_state"]
    stopper.best_state = best_state and _tensors(best_state)
    stopper.best_temperature = checkpoint.stopper["best_temperature"]


def _start_arrays(start: StartingCells) -> Values:
    """Return where samples began as arrays."""
    parts = {"cells": start.cells, "held": start.held, "rows": start.rows}
    return {name: None if part is None else part.cpu().numpy() for name, part in parts.items()}


def resume_start(
    checkpoint: TrainingState, device: torch.device, same_data: bool
) -> StartingCells | None:
    """Return where samples began, if the data is the same."""
    if checkpoint.start is None or not same_data:
        return None
    kept = {name: part for name, part in checkpoint.start.items() if part is not None}
    parts = {name: part.to(device) for name, part in _tensors(kept).items()}
    return StartingCells(cells=parts["cells"], held=parts["held"], rows=parts.get("rows"))


def resume_model(checkpoint: TrainingState, model: MultimodalVAE) -> None:
    """Put the trained values into a model of the same make."""
    fresh = model.prior.set_logs.clone()
    load_state(model, checkpoint.model)
    if not (model.prior.outcomes_unknown and model.prior.set_logs.any()):
        model.prior.set_logs.copy_(fresh)  # what nodes were set to was not learned, or is not to be
    model.prior.temperature = checkpoint.temperature


def is_same_data(checkpoint: TrainingState, data: TensorData, validation_fraction: float) -> bool:
    """Say whether the data, and the part of it that is held out, are those of the checkpoint."""
    if checkpoint.data != data_fingerprint(data, validation_fraction):
        return False
    held_out = () if checkpoint.order is None else checkpoint.order
    return len(held_out) == (data.n_samples if validation_fraction > 0 else 0)


def built_model(built: ModelSpec, knowledge: NodeKnowledge) -> MultimodalVAE:
    """Build the model as it is trained, experts in their places; its values are to be loaded."""
    model = build_model(built)
    if knowledge.interventions is not None:
        none = torch.zeros(len(knowledge.regimes), len(model.prior.means), dtype=torch.float64)
        unknown = none if knowledge.unknown_settings else None
        model.prior.set_interventions(knowledge.regimes, unknown)
    return model


def resumed_state(
    setup: Setup,
    data: TensorData,
    checkpoint: TrainingState,
    model: MultimodalVAE,
    observer: Observer,
) -> RunState:
    """Put everything back as it was after the last epoch.

    With other data, or another part of it held out, the split and early stopping start anew.
    """
    generator, rng = torch.Generator(), np.random.RandomState()
    fraction = setup.training.steps.validation_fraction
    if setup.graph.structure == "fixed":
        model.prior.requires_grad_(False)
    resume_model(checkpoint, model)
    model.to(setup.device)
    check_decoders(model, data)
    state_knowledge(setup, model.prior)
    progress = new_phase(setup.training, model, observer)
    same = is_same_data(checkpoint, data, fraction)
    resume_progress(checkpoint, model, progress, same)
    resume_draws(checkpoint, generator, rng, setup.module_device)
    order = checkpoint.order
    if not same:
        order = held_out_first(data.n_samples, fraction, rng)
    start = resume_start(checkpoint, data.device, same)
    if start is not None and len(start.cells) != start.of(data).n_samples:
        raise ValueError(
            "warm_start=True continues the last fit, but its record of where samples began is of "
            "others: fit anew with warm_start=False."
        )
    update = update_for_given_graph(block_update(setup, data), setup)
    return RunState(
        model=model,
        generator=generator,
        rng=rng,
        order=order,
        update=update,
        progress=progress,
        start=start,
    )


def begun_state(
    setup: Setup, data: TensorData, begun: BegunRun, knowledge: NodeKnowledge, observer: Observer
) -> RunState:
    """Put a run that was stopped back to where its checkpoint has seen it."""
    model = built_model(replace(setup.spec, predict_variances=begun.predict_variances), knowledge)
    state = resumed_state(setup, data, begun.training, model, observer)
    state.progress.n_done = len(state.progress.history)
    if begun.pretraining:
        observer.histories["pre-training"] = begun.pretraining
    observer.step = len(begun.pretraining)
    return replace(state, candidates=begun.candidates, rivals=begun.rivals)


def data_fingerprint(data: TensorData, validation_fraction: float) -> str:
    """Return what tells the data, and the part of it that is held out, from others.

    Arrays and numbers alone are hashed: neither a class of ours nor where it lives.
    """
    masks = data.elements or ()
    pairs = itertools.zip_longest(data.arrays, masks)  # what is filled in does not matter
    values = (a if seen is None else a.masked_fill(~seen, 0.0) for a, seen in pairs)
    tensors = (*values, data.observed, data.allowed, data.regime_index, data.weights, *masks)
    return joblib.hash((list(map(_hashed, tensors)), validation_fraction))


def fit_fingerprint(setup: Setup, samples: FitSamples, data: TensorData) -> str:
    """Return what tells the data of a fit from others: their units and names of outcomes, too."""
    fraction = setup.training.steps.validation_fraction
    units = list(vars(setup.scaler).values())
    names = samples.knowledge.outcome_names
    return joblib.hash((data_fingerprint(data, fraction), units, names))


def check_same_fit(stopped: BegunFit, known_by: str) -> None:
    """Raise where a fit is to go on with other data."""
    if stopped.data != known_by:
        raise ValueError(
            "The checkpoint is of a fit to other data: pass X, sample_weight, known_nodes and "
            "interventions as that fit got them, rows in the same order."
        )


def warn_if_ended(stopped: BegunFit) -> None:
    """Tell that a fit was not stopped."""
    if stopped.has_ended:
        warn_caller(
            "The fit of this checkpoint had come to its end. What followed its last epoch is made "
            "again, and the estimator is the same: CausalPIMA.save keeps one that is fitted."
        )


def _hashed(table: Tensor | ScaledRows | None) -> Unchecked:
    """Return what is hashed of a table: itself, or what was hashed of its parts on disk."""
    if isinstance(table, ScaledRows):
        return table.hashes()
    return None if table is None else table.cpu().numpy()


def fixed_settings(setup: Setup) -> Values:
    """Return the parameters that must stay, besides the model's, while a fit is continued.

    The rule: what determines the model must stay. That is its specification, the units of its
    data, and which of its parts are learned at all: a given graph and stated variances are not.
    How it is trained (all other :class:`TrainingSettings`, the penalty on edges among them) and how
    its graph is selected may change: the next epoch, and the next selection, heed it.
    """
    graph = setup.graph
    given = graph.constraints.required.tolist() if graph.structure == "fixed" else "learned"
    return {
        "scale": setup.scale,
        "decoder_variance": setup.training.decoder_variance,
        STRUCTURE: given,
    }


def check_continues(checkpoint: TrainingState, setup: Setup, built: ModelSpec) -> None:
    """Raise where parameters or data do not suit the model that is to be trained further.

    ``built`` specifies the fitted model. :func:`fixed_settings` says which parameters these are.
    """
    changed = _changes(setup, built, checkpoint.settings, fixed_settings(setup))
    if changed:
        raise ValueError(
            f"warm_start=True continues the last fit, but {'; '.join(changed)}: set it back, or "
            "set warm_start=False to start afresh."
        )


def check_is_built(setup: Setup, built: ModelSpec, settings: Values) -> None:
    """Raise where parameters specify another model than the one that has been fitted."""
    changed = _changes(setup, built, settings, fixed_settings(setup))
    if changed:
        raise ValueError(
            f"partial_fit trains the fitted model further, but {'; '.join(changed)}: set it back, "
            "or use fit to start afresh."
        )


def _changes(setup: Setup, built: ModelSpec, old: Values, new: Values) -> list[str]:
    """Say in words which parts of a specification, and which settings, are other ones now."""
    # Only a fit tells which modules of the user's return variances.
    wanted = replace(setup.spec, predict_variances=built.predict_variances)
    now = wanted.as_dict() | new
    return [
        f"{_PARAMETERS.get(key, key)} is now {_change(now[key], then)}"
        for key, then in (built.as_dict() | old).items()
        if _comparable(now[key]) != _comparable(then)
    ]


def _change(new: Unchecked, old: Unchecked) -> str:
    """Say in words what a setting is, and what it was."""
    now, then = reprlib.repr(new), reprlib.repr(old)
    if now != then:
        return f"{now}, not {then}"
    return f"another {now} (functions, modules, and what is stated of experts, must be the same)"


def _comparable(value: Unchecked) -> Unchecked:
    """Return what two settings can be compared by; an expert is what was stated about it."""
    if isinstance(value, list | tuple):
        return [_comparable(entry) for entry in value]
    if isinstance(value, ExpertDecoder):
        stated = {k: v for k, v in vars(value).items() if k != "x"}
        return stated, value.x.tolist()
    return value


def _arrays(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {key: tensor.detach().cpu().numpy().copy() for key, tensor in state.items()}


def _tensors(state: dict[str, np.ndarray]) -> dict[str, Tensor]:
    # np.array copies: a memory-mapped, read-only array must not reach torch.
    return {key: torch.from_numpy(np.array(array)) for key, array in state.items()}
