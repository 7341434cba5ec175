"""Parts of the model that have parameters."""

from ._batch import Batch, BoundWithErrors, Likelihood
from ._cluster_decoder import ClusterDecoder
from ._convolutions import ConvDecoder, ConvEncoder, spatial_shape
from ._decoders import MLPDecoder
from ._encoders import MLPEncoder, encode_observed, layer_sizes, multilayer_perceptron
from ._experts.base import ScaledLaw
from ._experts.checks import LawError
from ._experts.cluster import ClusterExpert, shared_entries
from ._experts.expert_decoder import ExpertDecoder
from ._experts.functions import LawStart, exponential_decay, line, piecewise_linear
from ._experts.parameter_space import ParameterSpace
from ._experts.sample import SampleExpert
from ._multimodal_vae import MultimodalVAE
from ._prior import CausalPrior, EdgeKnowledge, weights_of_regimes
from ._prior import node_counts as node_counts
from ._variance_decoder import VarianceDecoder

__all__ = [
    "Batch",
    "BoundWithErrors",
    "CausalPrior",
    "ClusterDecoder",
    "ClusterExpert",
    "ConvDecoder",
    "ConvEncoder",
    "EdgeKnowledge",
    "ExpertDecoder",
    "LawError",
    "LawStart",
    "Likelihood",
    "MLPDecoder",
    "MLPEncoder",
    "MultimodalVAE",
    "ParameterSpace",
    "SampleExpert",
    "ScaledLaw",
    "VarianceDecoder",
    "encode_observed",
    "exponential_decay",
    "layer_sizes",
    "line",
    "multilayer_perceptron",
    "piecewise_linear",
    "shared_entries",
    "spatial_shape",
    "weights_of_regimes",
]
