"""A run taken up again where it stood (``warm_start``), and its model rebuilt."""

from __future__ import annotations

import numpy as np
import torch

from .._data.samples import FitSamples, NodeKnowledge
from .._initialization.initialize import InitialSample, RunState, initial_sample, state_knowledge
from .._model.build import build_model
from .._model.setup import Setup
from .._model.spec import ModelSpec
from .._model.state import load_state
from .._model.tensors import TensorData
from .._state.training import TrainingState
from .._training.block_update import block_update, update_for_given_graph
from .._training.early_stopping import held_out_first
from .._training.filling import check_decoders
from .._training.loop import new_progress
from .._training.observer import Observer
from ..modules import MultimodalVAE
from .checkpoint import (
    is_same_data,
    resume_draws,
    resume_model,
    resume_progress,
    resume_start,
)
from .run import Run, train_and_select_graph


def resume(
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    checkpoint: TrainingState,
    built: ModelSpec,
    observer: Observer,
) -> Run:
    """Train a run further from where it stood, then select its graph again.

    ``built`` specifies the model.
    """
    with torch.enable_grad(), setup.seeded(0):
        core, others = data.core()
        with observer:
            with observer.interruption.at_once():
                model = _built_model(built, samples.knowledge)
                state = _resume(setup, core, checkpoint, model, observer)

            def initial() -> InitialSample:
                return initial_sample(setup, samples, data, 0)[1]

            return train_and_select_graph(setup, core, others, state, initial)


def _built_model(built: ModelSpec, knowledge: NodeKnowledge) -> MultimodalVAE:
    """Build the model as it is trained, experts in their places; its values are to be loaded."""
    model = build_model(built)
    if knowledge.interventions is not None:
        none = torch.zeros(len(knowledge.regimes), len(model.prior.means), dtype=torch.float64)
        unknown = none if knowledge.unknown_settings else None
        model.prior.set_interventions(knowledge.regimes, unknown)
    return model


def trained_model(
    built: ModelSpec, knowledge: NodeKnowledge, state: dict[str, np.ndarray], device: torch.device
) -> MultimodalVAE:
    """Return the model that a run has trained, as ``built`` specifies it."""
    model = _built_model(built, knowledge)
    load_state(model, state)
    return model.to(device).eval()


def _resume(
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
    fraction = setup.training.stopping.validation_fraction
    if setup.graph.structure == "fixed":
        model.prior.requires_grad_(False)
    resume_model(checkpoint, model)
    model.to(setup.device)
    check_decoders(model, data)
    state_knowledge(setup, model.prior)
    progress = new_progress(setup.training, model, observer)
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
