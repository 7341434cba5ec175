"""Specifications of small models, for tests that build one."""

from typing import Any

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
    }
    return ModelSpec(**(defaults | changes))
