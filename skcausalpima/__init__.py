"""Causal disentanglement of multimodal data as a scikit-learn estimator."""

from ._causal_pima import CausalPIMA
from ._multimodal_data import MultimodalData

__all__ = ["CausalPIMA", "MultimodalData"]
__version__ = "0.1.0"
