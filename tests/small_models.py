"""Specifications of small models, and settings of their training, for tests that build one."""

from dataclasses import replace
from typing import Any

import numpy as np

from skcausalpima import Device, Initialization, MissingValues, Training
from skcausalpima._model.settings import MixtureSettings, Schedule, TrainingSettings
from skcausalpima._model.spec import ModelSpec


def small_spec(shapes: tuple[tuple[int, ...], ...], **changes: Any) -> ModelSpec:
    """Return the specification of a default model on binary nodes, some fields changed."""
    n_modalities, node_sizes = len(shapes), changes.get("node_sizes", (2, 2))
    defaults = {
        "node_sizes": node_sizes,
        "node_names": tuple(f"N{node + 1}" for node in range(len(node_sizes))),
        "latent_dim": 2,
        "modality_names": tuple(f"modality{m}" for m in range(n_modalities)),
        "shapes": shapes,
        "encoders": [None] * n_modalities,
        "decoders": [None] * n_modalities,
        "experts": [None] * n_modalities,
        "hidden_layer_sizes": (8,),
        "linear": True,
        "full_covariances": True,
        "modality_weights": (1.0,) * n_modalities,
        "prior_expert": True,
        "sampled_responsibilities": False,
        "dtype": "float64",
        "predict_variances": (False,) * n_modalities,
        "views": (None,) * n_modalities,
    }
    return ModelSpec(**(defaults | changes))


def small_settings(**changes: Any) -> TrainingSettings:
    """Return settings of a short training, some fields of some parts changed."""
    flat = {"graph_learning_rate": 1e-2, "edge_penalty": 0.0, "temperatures": np.ones(4)}
    flat |= {"decoder_variance": "learned", "verbose": 0}
    parts = {
        "steps": Training(batch_size=30, learning_rate=1e-2, tol=0.0, n_iter_no_change=2),
        "initialization": Initialization("paper"),
        "missing_values": MissingValues(subset_epochs=0),
        "device": Device(),
    }
    mixture = {"covariance_type": "full", "reg_covar": 0.0, "shrinkage": 0.0}
    epochs = {"pretraining_epochs": 5, "polishing_epochs": 0, "n_epochs": 4}
    for part, value in changes.items():
        owner = next((of for of in (flat, mixture, epochs) if part in of), None)
        if owner is not None:
            owner[part] = value
            continue
        (name,) = (name for name, of in parts.items() if part in of.get_params())
        parts[name] = replace(parts[name], **{part: value})
    schedule = Schedule(**epochs)
    return TrainingSettings(**parts, **flat, mixture=MixtureSettings(**mixture), schedule=schedule)
