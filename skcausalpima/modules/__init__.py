"""Parts of the model that have parameters."""

from ._batch import Batch, BoundWithErrors
from ._convolutions import ConvDecoder, ConvEncoder, spatial_shape
from ._decoders import MLPDecoder
from ._encoders import MLPEncoder, layer_sizes, multilayer_perceptron
from ._expert_decoder import ExpertDecoder
from ._experts import ClusterExpert, SampleExpert, expert_log_likelihoods, shared_entries
from ._laws import LawStart, exponential_decay, line, piecewise_linear
from ._multimodal_vae import MultimodalVAE
from ._parameter_space import ParameterSpace
from ._prior import CausalPrior, EdgeKnowledge, weights_of_regimes

__all__ = [
    "Batch",
    "BoundWithErrors",
    "CausalPrior",
    "ClusterExpert",
    "ConvDecoder",
    "ConvEncoder",
    "EdgeKnowledge",
    "ExpertDecoder",
    "LawStart",
    "MLPDecoder",
    "MLPEncoder",
    "MultimodalVAE",
    "ParameterSpace",
    "SampleExpert",
    "expert_log_likelihoods",
    "exponential_decay",
    "layer_sizes",
    "line",
    "multilayer_perceptron",
    "piecewise_linear",
    "shared_entries",
    "spatial_shape",
    "weights_of_regimes",
]
