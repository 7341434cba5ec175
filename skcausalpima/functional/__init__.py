"""The paper in code: pure functions on tensors, each of which names its equation.

Arrays are laid out as (modality, sample, component, latent or event) except where components
lead for speed, which the docstrings say. Functions sum over events and leave samples alone.
"""

from ._cluster_likelihood import (
    CurveStatistics,
    cluster_squared_errors,
    curve_squared_errors,
    curve_statistics,
    projected_squared_errors,
    scattered_log_likelihood,
)
from ._curve_fit import (
    CurveProblem,
    assemble,
    curve_jacobian,
    curve_losses,
    fit_curves,
    normal_equations,
)
from ._dag import (
    constrain_edges,
    edge_indicator,
    joint_from_tables,
    log_joint,
    mask_non_parents,
    precede,
    set_nodes,
    table_logits_to_probabilities,
    tables_from_counts,
    topological_order,
    topological_ranks,
)
from ._elbo import (
    MixtureTerms,
    gaussian_log_likelihood,
    isotropic_log_likelihood,
    mixture_log_evidence,
    mixture_terms,
)
from ._gaussian import (
    DiagonalGaussian,
    PreparedComponents,
    entropy,
    expected_log_density,
    prepare_components,
    product_of_experts,
    rsample,
)
from ._mixture import (
    MixtureStatistics,
    MixtureUpdate,
    log_responsibilities,
    mixture_statistics,
    update_mixture,
    weight_columns,
)

__all__ = [
    "CurveProblem",
    "CurveStatistics",
    "DiagonalGaussian",
    "MixtureStatistics",
    "MixtureTerms",
    "MixtureUpdate",
    "PreparedComponents",
    "assemble",
    "cluster_squared_errors",
    "constrain_edges",
    "curve_jacobian",
    "curve_losses",
    "curve_squared_errors",
    "curve_statistics",
    "edge_indicator",
    "entropy",
    "expected_log_density",
    "fit_curves",
    "gaussian_log_likelihood",
    "isotropic_log_likelihood",
    "joint_from_tables",
    "log_joint",
    "log_responsibilities",
    "mask_non_parents",
    "mixture_log_evidence",
    "mixture_statistics",
    "mixture_terms",
    "normal_equations",
    "precede",
    "prepare_components",
    "product_of_experts",
    "projected_squared_errors",
    "rsample",
    "scattered_log_likelihood",
    "set_nodes",
    "table_logits_to_probabilities",
    "tables_from_counts",
    "topological_order",
    "topological_ranks",
    "update_mixture",
    "weight_columns",
]
