"""Answers of the published posterior q(z | x) q(c | x) about samples."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection

from torch import Tensor

from ..functional import (
    DiagonalGaussian,
    entropy,
    log_responsibilities,
    mixture_log_evidence,
    rsample,
)
from ..modules import Batch, MeanFieldVAE


def gaussian_posterior(
    model: MeanFieldVAE, block: Batch, draws: Tensor
) -> tuple[DiagonalGaussian, Tensor]:
    """Return q(z|x) and the log-probabilities of the components, (n_components, n_samples)."""
    posterior = model.encode(block)
    # What the others make of a sample is the same in all cells.
    telling = model.cluster_dependent
    evidence = _evidence(model, block, posterior, draws, telling)
    log_density = model.log_density(posterior, block.allowed) + evidence
    return posterior, log_responsibilities(model.log_weights(block.regime_index), log_density)


def _evidence(
    model: MeanFieldVAE,
    block: Batch,
    posterior: DiagonalGaussian,
    draws: Tensor,
    modalities: Collection[int],
) -> Tensor | float:
    """Return what decoders with their own likelihoods say, unweighted, in expectation over z."""
    asked = [model.decoders[m] for m in modalities]
    if not any(decoder.has_likelihood and decoder.depends_on_latent for decoder in asked):
        draws = draws[:1]  # experts say the same everywhere
    total: Tensor | float = 0.0
    for draw in draws:
        own = model.own_likelihoods(block, rsample(posterior, draw), modalities)
        total = total + sum((part.log_likelihoods for part in own.values()), start=0.0)
    return total / len(draws)


def gaussian_bounds(model: MeanFieldVAE, block: Batch, draws: Tensor) -> Tensor:
    """Return the bounds of samples (Eq. 31), of shape (n_samples,), in nats."""
    posterior = model.encode(block)
    parts = (model.squared_errors(block, rsample(posterior, draw)) for draw in draws)
    errors: Tensor = functools.reduce(operator.add, parts)
    reconstruction = model.log_likelihoods(errors / len(draws), block.shares).sum(dim=0)
    log_density = model.prior.expected_log_density(posterior)
    evidence = _evidence(model, block, posterior, draws, range(len(model.decoders)))
    mixture = mixture_log_evidence(model.prior.log_weights(), log_density + evidence)
    return reconstruction + mixture + entropy(posterior.log_var)
