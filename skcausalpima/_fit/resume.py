"""A run taken up again where it stood (``warm_start``), and its model rebuilt."""

from __future__ import annotations

import numpy as np
import torch

from .._data.samples import FitSamples, NodeKnowledge
from .._initialization.initialize import InitialSample, initial_sample
from .._model.setup import Setup
from .._model.spec import ModelSpec
from .._model.state import load_state
from .._model.tensors import TensorData
from .._state.training import TrainingState
from .._training.observer import Observer
from ..modules import MultimodalVAE
from .checkpoint import built_model, resumed_state
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
                model = built_model(built, samples.knowledge)
                state = resumed_state(setup, core, checkpoint, model, observer)

            def initial() -> InitialSample:
                return initial_sample(setup, samples, data, 0)[1]

            return train_and_select_graph(setup, core, others, state, initial)


def trained_model(
    built: ModelSpec, knowledge: NodeKnowledge, state: dict[str, np.ndarray], device: torch.device
) -> MultimodalVAE:
    """Return the model that a run has trained, as ``built`` specifies it."""
    model = built_model(built, knowledge)
    load_state(model, state)
    return model.to(device).eval()
