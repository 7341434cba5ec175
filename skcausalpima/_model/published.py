"""The settings of the published algorithm, and where the paper has them."""

from __future__ import annotations

from .._parameter_objects import MissingValues
from .._typing import Values

#: What :meth:`CausalPIMA.published` sets.
PUBLISHED: Values = {
    "latent_dim": 2,  # Table 3
    "prior_expert": False,  # Eq. 4
    "covariance_type": "diag",  # Section 2
    "covariance_shrinkage": 0,  # Eq. 17
    "scale": "modality",  # one number each, as the paper's images and curves
    "modality_weights": "elements",  # Eq. 15
    "missing_values": MissingValues("error", subset_epochs=0),  # the paper has neither
    "init": "paper",  # Section 3.3: random networks, pre-training, a mixture of their codes
    "responsibilities": "sample",  # Eq. 16, at the sampled latent point
    "structure": "gradient",  # Eq. 6 to 8
}
