"""Causal disentanglement of multimodal data as a scikit-learn estimator."""

from ._causal_pima import CausalPIMA
from ._modality_transformer import ModalityTransformer
from ._multimodal_data import MultimodalData

__all__ = ["CausalPIMA", "ModalityTransformer", "MultimodalData"]
__version__ = "0.1.0"
