"""Checkpoints of training as arrays and plain Python, and runs that go on from them."""

from __future__ import annotations

import copy
import itertools
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import joblib
import numpy as np
import torch
from torch import Tensor

from .._base.types import Unchecked
from .._base.warn import warn_caller
from .._data.samples import FitSamples, NodeKnowledge
from .._initialization.initialize import RunState, state_knowledge
from .._model.build import build_model, export_state, load_state
from .._model.scaled_rows import ScaledRows
from .._model.setup import Setup
from .._model.spec import ModelSpec
from .._model.surroundings import module_draws, resume_module_draws
from .._model.tensors import TensorData
from .._state.training import (
    BegunFit,
    BegunRun,
    Draws,
    FixedSettings,
    Numbers,
    SeenOfTraining,
    StopperState,
    StoredStart,
    Terms,
    TrainingState,
)
from .._training.block_update import block_update
from .._training.ending import held_out_first
from .._training.filling import check_decoders
from .._training.gradients import Adam
from .._training.holding import StartingCells
from .._training.loop import Phase, new_phase
from .._training.observer import Observer
from ..modules import ExpertDecoder, MultimodalVAE

#: What fields of a specification, and settings, are called by the user.
_PARAMETERS = {
    "modality_names": "the names of the modalities",
    "shapes": "the shapes of the modalities",
    "dtype": "the dtype of X",
    "linear": "init (linear or not)",
    "mix_sizes": "contexts (their labels, and mix)",
    "node_names": "node_sizes (the names of the nodes)",
    "full_covariances": "mixture (covariances full or not)",
    "sampled_responsibilities": "posterior (mean field or not)",
    "prior_expert": "posterior__prior_expert",
    "structure": "structure (learned, or a given graph)",
}


def training_state(setup: Setup, state: RunState, data: str) -> TrainingState:
    """Take note of where a run on the data of this fingerprint stands; nothing is shared."""
    model, progress, start = state.model, state.progress, state.start
    stopper, labels = progress.stopper, progress.labels
    return TrainingState(
        model=export_state(model),
        temperature=model.prior.temperature,
        moments=moments_of(model, progress.optimizer),
        draws=Draws(
            generator=state.update.generator.get_state().numpy().copy(),
            numpy=copy.deepcopy(state.rng),
            modules=module_draws(setup.module_device),
        ),
        stopper=StopperState(
            best=stopper.best,
            waited=stopper.waited,
            best_state=None if stopper.best_state is None else _arrays(stopper.best_state),
            best_temperature=stopper.best_temperature,
        ),
        seen=SeenOfTraining(
            n_steps=progress.n_steps,
            spread=progress.spread,
            labels=None if labels is None else labels.cpu().numpy().copy(),
            label_changes=np.array(progress.label_changes, dtype=np.float64),
        ),
        start=None if start is None else StoredStart(**_arrays(vars(start))),
        order=state.order,
        data=data,
        settings=fixed_settings(setup),
    )


def begun_run(state: RunState, training: TrainingState) -> BegunRun:
    """Return what a run that is in its training goes on from."""
    return BegunRun(
        training=training,
        history=[dict(terms) for terms in state.progress.history],
        pretraining=state.progress.observer.histories.get("pre-training", []),
        candidates=state.candidates,
        rivals=list(state.rivals),
        predict_variances=tuple(decoder.predicts_variances for decoder in state.model.decoders),
    )


def run_state(
    setup: Setup,
    data: TensorData,
    stored: TrainingState,
    built: ModelSpec,
    knowledge: NodeKnowledge,
    observer: Observer,
) -> RunState:
    """Return a run as it was after an epoch of training; ``built`` specifies its model.

    With other data, or another part of it held out, the split and early stopping start anew.
    """
    fraction = setup.training.steps.validation_fraction
    model = _built_model(built, knowledge)
    if setup.graph.structure == "fixed":
        model.prior.requires_grad_(False)
    fresh = model.prior.set_logs.clone()
    load_state(model, stored.model)
    if not (model.prior.outcomes_unknown and model.prior.set_logs.any()):
        model.prior.set_logs.copy_(fresh)  # what nodes were set to was not learned, or is not to be
    model.prior.temperature = stored.temperature
    model.to(setup.device)
    check_decoders(model, data)
    state_knowledge(setup, model.prior)
    progress = new_phase(setup.training, model, observer)
    resume_moments(stored.moments, model, progress.optimizer)
    generator, rng = torch.Generator(), copy.deepcopy(stored.draws.numpy)
    generator.set_state(torch.from_numpy(stored.draws.generator.copy()))
    resume_module_draws(setup.module_device, stored.draws.modules)
    order, start = stored.order, None
    n_held = 0 if order is None else len(order)
    if stored.data == data_fingerprint(data, fraction) and n_held == (
        data.n_samples if fraction > 0 else 0
    ):
        _resume_progress(stored, model, progress)
        start = _resumed_start(stored.start, data)
    else:  # bounds of other data cannot be compared
        order = held_out_first(data, fraction, rng)
    return RunState(
        model=model,
        rng=rng,
        order=order,
        update=block_update(setup, data, generator),
        progress=progress,
        start=start,
    )


def begun_state(
    setup: Setup, data: TensorData, begun: BegunRun, knowledge: NodeKnowledge, observer: Observer
) -> RunState:
    """Return a run that was stopped as its checkpoint has seen it."""
    built = replace(setup.spec, predict_variances=begun.predict_variances)
    state = run_state(setup, data, begun.training, built, knowledge, observer)
    progress, observer.step = state.progress, len(begun.pretraining)
    progress.history, progress.n_done = begun.history, len(begun.history)
    if begun.pretraining:
        observer.histories["pre-training"] = begun.pretraining
    return replace(state, candidates=begun.candidates, rivals=begun.rivals)


def terms_by_epoch(history: Mapping[str, np.ndarray]) -> Terms:
    """Return the terms of the bound epoch by epoch."""
    columns = zip(*history.values(), strict=True)
    return [dict(zip(history, map(float, terms), strict=True)) for terms in columns]


def _resume_progress(stored: TrainingState, model: MultimodalVAE, progress: Phase) -> None:
    """Give what was seen of the data back, and what early stopping remembers."""
    record, before, stopper = stored.seen, stored.stopper, progress.stopper
    progress.n_steps, progress.spread = record.n_steps, record.spread
    progress.label_changes = record.label_changes.tolist()
    if record.labels is not None:
        progress.labels = torch.from_numpy(record.labels).to(model.prior.means.device)
    stopper.best, stopper.waited = before.best, before.waited
    stopper.best_state = None if before.best_state is None else _tensors(before.best_state)
    stopper.best_temperature = before.best_temperature


def _resumed_start(stored: StoredStart | None, data: TensorData) -> StartingCells | None:
    """Return where samples began."""
    if stored is None:
        return None
    parts = {name: part.to(data.device) for name, part in _tensors(vars(stored)).items()}
    start = StartingCells(cells=parts["cells"], held=parts["held"], rows=parts.get("rows"))
    if len(start.cells) != start.of(data).n_samples:
        raise ValueError(
            "warm_start=True continues the last fit, but its record of where samples began is of "
            "others: fit anew with warm_start=False."
        )
    return start


def trained_model(
    built: ModelSpec, knowledge: NodeKnowledge, numbers: Numbers, device: torch.device
) -> MultimodalVAE:
    """Return the model that a run has trained, as ``built`` specifies it."""
    model = _built_model(built, knowledge)
    load_state(model, numbers)
    return model.to(device).eval()


def _built_model(built: ModelSpec, knowledge: NodeKnowledge) -> MultimodalVAE:
    """Build the model as it is trained; its values are to be loaded."""
    model = build_model(built)
    if knowledge.interventions is not None:
        none = torch.zeros(len(knowledge.regimes), len(model.prior.means), dtype=torch.float64)
        unknown = none if knowledge.unknown_settings else None
        model.prior.set_interventions(knowledge.regimes, unknown)
    return model


def moments_of(model: MultimodalVAE, optimizer: Adam) -> dict[str, Numbers]:
    """Return what an optimizer keeps of the parameters of a model, by their names."""
    kept = optimizer.moments
    return {name: _arrays(kept[p]) for name, p in model.named_parameters() if p in kept}


def resume_moments(moments: Mapping[str, Numbers], model: MultimodalVAE, optimizer: Adam) -> None:
    """Let an optimizer go on from what :func:`moments_of` returned."""
    for name, parameter in model.named_parameters():
        if name in moments:
            optimizer.resume(parameter, _tensors(moments[name]))


def data_fingerprint(data: TensorData, validation_fraction: float) -> str:
    """Return what tells the data, and the part of it that is held out, from others.

    Arrays and numbers alone are hashed: neither a class of ours nor where it lives.
    """
    masks = [data.elements.get(m) for m in range(len(data.arrays) if data.elements else 0)]
    pairs = itertools.zip_longest(data.arrays, masks)  # what is filled in does not matter
    values = (a if mask is None else a.masked_fill(~mask, 0.0) for a, mask in pairs)
    of_rows = (data.observed, data.allowed, data.regime_index, data.weights, data.samples.units)
    tensors = (*values, *of_rows, *masks)
    hashed = [
        tensor.hashes()
        if isinstance(tensor, ScaledRows)
        else None
        if tensor is None
        else tensor.cpu().numpy()
        for tensor in tensors
    ]
    return joblib.hash((hashed, validation_fraction))


def fit_fingerprint(setup: Setup, samples: FitSamples, data: TensorData) -> str:
    """Return what tells the data of a fit from others: their units and names of outcomes, too."""
    fraction = setup.training.steps.validation_fraction
    units = list(vars(setup.scaler).values())
    names = samples.knowledge.outcome_names
    return joblib.hash((data_fingerprint(data, fraction), units, names))


def check_same_fit(stopped: BegunFit, known_by: str, names: Sequence[str]) -> None:
    """Raise where a fit is to go on with other data; tell of one that was not stopped."""
    if stopped.data != known_by:
        before, now = list(stopped.spec.modality_names), list(names)
        modalities = "" if before == now else f", of the modalities {before}, not {now}"
        raise ValueError(
            f"The checkpoint is of a fit to other data{modalities}: pass X, sample_weight, "
            "known_nodes and interventions as that fit got them, rows in the same order."
        )
    if stopped.has_ended:
        warn_caller(
            "The fit of this checkpoint had come to its end. What followed its last epoch is made "
            "again, and the estimator is the same: CausalPIMA.save keeps one that is fitted."
        )


def fixed_settings(setup: Setup) -> FixedSettings:
    """Return the parameters that must stay, besides the model's, while a fit is continued.

    The rule: what determines the model must stay. That is its specification, the units of its
    data, and which of its parts are learned at all: a given graph and stated variances are not.
    How it is trained (all other :class:`TrainingSettings`, the penalty on edges among them) and how
    its graph is selected may change: the next epoch, and the next selection, heed it.
    """
    graph = setup.graph
    is_given = graph.structure == "fixed"
    return FixedSettings(
        scale=setup.scale,
        decoder_variance=setup.training.decoder_variance,
        structure=graph.constraints.required.tolist() if is_given else "learned",
    )


def check_unchanged(
    setup: Setup, built: ModelSpec, settings: FixedSettings, statement: str, else_: str
) -> None:
    """Raise where parameters or data do not suit the model that is to be trained further.

    ``built`` specifies the fitted model. :func:`fixed_settings` says which parameters these are.
    """
    # Only a fit tells which modules of the user's return variances.
    wanted = replace(setup.spec, predict_variances=built.predict_variances)
    now = vars(wanted) | vars(fixed_settings(setup))
    changed = [
        f"{_PARAMETERS.get(key, key)} is now {_change(now[key], then)}"
        for key, then in (vars(built) | vars(settings)).items()
        if _comparable(now[key]) != _comparable(then)
    ]
    if changed:
        raise ValueError(f"{statement}, but {'; '.join(changed)}: set it back, or {else_}.")


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


def _arrays(state: Mapping[str, Unchecked]) -> Numbers:
    """Return the tensors among some values as arrays of their own."""
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    return {key: tensor.detach().cpu().numpy().copy() for key, tensor in tensors.items()}


def _tensors(state: Mapping[str, np.ndarray | None]) -> dict[str, Tensor]:
    # np.array copies: a memory-mapped, read-only array must not reach torch.
    return {k: torch.from_numpy(np.array(array)) for k, array in state.items() if array is not None}
