"""Causal disentanglement of multimodal data as a scikit-learn estimator."""

from ._causal_pima import CausalPIMA
from ._data.modality_transformer import ModalityTransformer
from ._data.multimodal_data import MultimodalData
from ._parameter_objects import (
    BackgroundKnowledge,
    Context,
    Device,
    GradientStructure,
    Initialization,
    MeanField,
    MissingValues,
    Mixture,
    ScoreSearch,
    Training,
)
from ._version import __version__ as __version__

__all__ = [
    "BackgroundKnowledge",
    "CausalPIMA",
    "Context",
    "Device",
    "GradientStructure",
    "Initialization",
    "MeanField",
    "MissingValues",
    "Mixture",
    "ModalityTransformer",
    "MultimodalData",
    "ScoreSearch",
    "Training",
]
