"""The paper in code: pure functions on tensors, each of which names its equation.

Arrays are laid out as (modality, sample, component, latent or event) except where components
lead for speed, which the docstrings say. Functions sum over events and leave samples alone. Some
have gradients of their own: those of ``squared_errors`` and ``log_joint`` cannot be differentiated
again. What is in ``__all__`` is the paper; what is imported besides serves this package alone.
"""

from ._cluster_likelihood import (
    CurveStatistics,
    cluster_squared_errors,
    curve_squared_errors,
    curve_statistics,
    projected_squared_errors,
    scattered_log_likelihood,
)
from ._covariance_types import COVARIANCE_TYPES, covariance_type_named, less_potentials
from ._curve_fit import CurveProblem, assemble, curve_jacobian, curve_losses, fit_curves
from ._dag import constrain_edges, edge_indicator, precede, topological_order, topological_positions
from ._elbo import (
    MixtureTerms,
    gaussian_log_likelihood,
    isotropic_log_likelihood,
    mixture_log_evidence,
    mixture_terms,
    squared_errors,
)
from ._gaussian import (
    DiagonalGaussian,
    PreparedComponents,
    entropy,
    expected_log_density,
    expected_statistics,
    prepare_components,
    product_of_experts,
    rsample,
)
from ._mixture import (
    MixtureStatistics,
    MixtureUpdate,
    log_responsibilities,
    mixture_statistics,
    remembered_statistics,
    unpacked_statistics,
    update_mixture,
    weight_columns,
)
from ._own_potentials import OwnPosterior
from ._potentials import (
    Evidence,
    PosteriorComponents,
    Potential,
    PreparedPrecision,
    SharedPosterior,
    prepare_posterior,
    prepare_precision,
    whole_matrices,
)
from ._tables import (
    joint_from_tables,
    log_joint,
    mask_non_parents,
    set_nodes,
    table_logits_to_probabilities,
    tables_from_counts,
)

__all__ = [
    "DiagonalGaussian",
    "MixtureStatistics",
    "MixtureTerms",
    "MixtureUpdate",
    "edge_indicator",
    "entropy",
    "expected_log_density",
    "expected_statistics",
    "gaussian_log_likelihood",
    "isotropic_log_likelihood",
    "joint_from_tables",
    "log_joint",
    "log_responsibilities",
    "mask_non_parents",
    "mixture_log_evidence",
    "mixture_statistics",
    "mixture_terms",
    "product_of_experts",
    "remembered_statistics",
    "rsample",
    "table_logits_to_probabilities",
    "tables_from_counts",
    "topological_order",
    "update_mixture",
]
