"""The settings of the published algorithm, and where the paper has them."""

from __future__ import annotations

from .._parameter_objects import MeanField, MissingValues, Mixture
from .._typing import Values


def published_parameters() -> Values:
    """Return what :meth:`CausalPIMA.published` sets, with objects of its own each time."""
    return {
        "latent_dim": 2,  # Table 3
        "mixture": Mixture("diag", shrinkage=0),  # Section 2, Eq. 17
        "posterior": MeanField(prior_expert=False),  # Eq. 4, and 16 at the sampled latent point
        "scale": "modality",  # one number each, as the paper's images and curves
        "modality_weights": "elements",  # Eq. 15
        "missing_values": MissingValues("error", subset_epochs=0),  # the paper has neither
        "init": "paper",  # Section 3.3: random networks, pre-training, a mixture of their codes
        "structure": "gradient",  # Eq. 6 to 8
    }
