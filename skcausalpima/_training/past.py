"""Samples that are gone, as far as the model remembers them (``partial_fit``)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..functional import MixtureStatistics, remembered_statistics
from ..modules import MultimodalVAE


@dataclass(frozen=True, kw_only=True)
class Past:
    """What samples of before add to the sums of a pass over the data.

    Parameters
    ----------
    statistics : MixtureStatistics
        Of the mixture.
    counts : Tensor of shape (1, n_components)
        Expected counts; no node was set in any of them.
    squared_errors : Tensor of shape (n_modalities,)
        Of the decoders.
    n_elements : Tensor of shape (n_modalities,)
        In how many elements.
    """

    statistics: MixtureStatistics
    counts: Tensor
    squared_errors: Tensor
    n_elements: Tensor


@torch.no_grad()
def remembered(
    model: MultimodalVAE,
    counts: Tensor,
    n_elements: Tensor,
    shrinkage: float,
    reg_covar: float,
    decay: float,
) -> Past:
    """Return what a model remembers of samples, each of which counts ``decay``.

    The mixture and the variances of the decoders are all that is left of them, besides the numbers
    of samples of each component, ``counts``, and of elements of each modality. The graph is no part
    of it: what it leaves out is not to be forgotten. ``shrinkage`` and ``reg_covar`` are those that
    the mixture was made with.
    """
    prior = model.prior
    counts, n_elements = counts.to(prior.means.device), decay * n_elements.to(prior.means.device)
    statistics = remembered_statistics(counts, prior.means, prior.covariances, reg_covar, shrinkage)
    return Past(
        statistics=statistics * decay,
        counts=decay * counts[None],
        squared_errors=n_elements * model.log_variances.double().exp(),
        n_elements=n_elements,
    )
