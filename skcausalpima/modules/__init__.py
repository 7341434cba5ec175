"""Parts of the model that have parameters."""

from ._decoders import MLPDecoder
from ._encoders import MLPEncoder, layer_sizes, multilayer_perceptron
from ._multimodal_vae import Batch, BoundWithErrors, MultimodalVAE
from ._prior import CausalPrior, EdgeKnowledge

__all__ = [
    "Batch",
    "BoundWithErrors",
    "CausalPrior",
    "EdgeKnowledge",
    "MLPDecoder",
    "MLPEncoder",
    "MultimodalVAE",
    "layer_sizes",
    "multilayer_perceptron",
]
