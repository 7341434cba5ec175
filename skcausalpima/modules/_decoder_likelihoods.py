"""Decoders that are more than a mean with one variance, and what they say about samples."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._batch import Batch, Likelihood
from ._cluster_decoder import ClusterDecoder
from ._experts.cluster import ClusterExpert
from ._variance_decoder import VarianceDecoder

#: Kinds of decoders with a likelihood of their own; all others are a mean with one variance.
OWN_LIKELIHOOD = (ClusterExpert, ClusterDecoder, VarianceDecoder)


def own_likelihoods(
    decoders: Sequence[nn.Module | None], batch: Batch, z: Tensor
) -> dict[int, Likelihood]:
    """Return what the decoders say that have a likelihood of their own (Eq. 26).

    These are :class:`ClusterExpert`, :class:`ClusterDecoder` and :class:`VarianceDecoder`. All
    other decoders give a mean, whose elements share the one variance of the modality.

    Parameters
    ----------
    decoders : sequence of (torch.nn.Module or None)
        Of all modalities; None for one to be passed over.
    batch : Batch
        Samples.
    z : Tensor of shape (n_samples, latent_dim)
        Latent points, one per sample.

    Returns
    -------
    dict of int to Likelihood
        By number of the modality; zero where it is missing.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import (
    ...     Batch, ClusterExpert, ExpertDecoder, line, own_likelihoods)
    >>> decoder = ClusterExpert(ExpertDecoder(line, [0.0, 1.0]), (2,), (3,), ["N1"])
    >>> batch = Batch((torch.zeros(5, 2),), None)
    >>> own_likelihoods([decoder], batch, torch.zeros(5, 2))[0].log_likelihoods.shape
    torch.Size([3, 5])
    """
    result = {}
    for m, decoder in enumerate(decoders):
        if isinstance(decoder, OWN_LIKELIHOOD):
            result[m] = decoder.likelihood(batch.arrays[m], z)
            if batch.observed is not None:
                seen = batch.observed[m]
                result[m] = Likelihood(*(p if p is None else p * seen for p in result[m]))
    return result
