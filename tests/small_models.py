"""Specifications of small models, and settings of their training, for tests that build one."""

from dataclasses import fields
from typing import Any

import numpy as np

from skcausalpima._model.settings import (
    GradientSettings,
    GraphTrainingSettings,
    InitializationSettings,
    MissingSettings,
    MixtureSettings,
    StoppingSettings,
    TrainingSettings,
)
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


#: The parts of the settings, by the name of the field that they are in.
PARTS = {
    "gradient": GradientSettings,
    "mixture": MixtureSettings,
    "graph": GraphTrainingSettings,
    "stopping": StoppingSettings,
    "initialization": InitializationSettings,
    "missing_values": MissingSettings,
}


def small_settings(**changes: Any) -> TrainingSettings:
    """Return settings of a short training, some fields of some parts changed."""
    flat = {
        "batch_size": 30,
        "learning_rate": 1e-2,
        "graph_learning_rate": 1e-2,
        "max_grad_norm": None,
        "compiles": False,
        "autocast": False,
        "decays": False,
        "covariance_type": "full",
        "reg_covar": 0.0,
        "shrinkage": 0.0,
        "temperatures": np.ones(4),
        "edge_penalty": 0.0,
        "tol": 0.0,
        "n_iter_no_change": 2,
        "validation_fraction": 0.0,
        "is_relative": False,
        "init": "paper",
        "pretraining_epochs": 5,
        "elements": "marginalize",
        "subset_epochs": 0,
        "decoder_variance": "learned",
        "polishing_epochs": 0,
        "verbose": 0,
    }
    flat |= changes
    parts = {
        name: part(**{field.name: flat.pop(field.name) for field in fields(part)})
        for name, part in PARTS.items()
    }
    return TrainingSettings(**parts, **flat)
