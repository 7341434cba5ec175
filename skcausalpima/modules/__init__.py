"""Networks, and experts in their place, that can be handed to the estimator.

What is in ``__all__`` is what a user builds with; what is imported besides is the model,
which serves this package alone.
"""

from ._batch import Batch, BoundWithErrors, Gap, Likelihood, whole_modalities
from ._column_decoder import ColumnDecoder
from ._convolutions import ConvDecoder, ConvEncoder
from ._decoder_protocol import Around, fisher_information, masked_potential
from ._decoders import MLPDecoder
from ._derived_view import N_COMPONENTS, DerivedView, DerivedViews, log_power_spectrum, spatial_axes
from ._encoders import MLPEncoder, is_same_in_training
from ._experts.checks import ExpertError
from ._experts.cluster import ClusterExpert, shared_entries
from ._experts.expert_decoder import ExpertDecoder
from ._experts.functions import FunctionStart, exponential_decay, line, piecewise_linear
from ._experts.scaled import SampleExpert, ScaledExpert
from ._mean_field import MeanFieldVAE
from ._multimodal_vae import MultimodalVAE
from ._paper_convolutions import PaperConvDecoder, PaperConvEncoder
from ._prior import CausalPrior, EdgeKnowledge
from ._regimes import Mixes, node_counts, weights_of_regimes
from ._structured import StructuredVAE, upper_roots
from ._subset_encoders import SubsetEncoders
from ._variance_decoders import ClusterDecoder, VarianceDecoder

__all__ = [
    "ConvDecoder",
    "ConvEncoder",
    "ExpertDecoder",
    "ExpertError",
    "FunctionStart",
    "MLPDecoder",
    "MLPEncoder",
    "PaperConvDecoder",
    "PaperConvEncoder",
    "exponential_decay",
    "line",
    "piecewise_linear",
]
