"""What a fitted model says about samples: posteriors, cells, bounds."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..functional import DiagonalGaussian, entropy, mixture_log_evidence, rsample
from ..modules import Batch, MultimodalVAE, SubsetEncoders
from .incomplete import incomplete_bounds, incomplete_posterior

#: Seed of the standard normal draws that every call of ``score_samples`` shares.
SCORE_SEED = 20_240_711


def score_draws(latent_dim: int, n_pairs: int = 8) -> np.ndarray:
    r"""Return the draws at which the bound's expectation over z is taken.

    Antithetic pairs of standard normal draws, transformed linearly so that their mean is exactly
    0 and their covariance exactly I: the expectation of any quadratic function of z, and so the
    bound of a linear decoder, is exact.

    Parameters
    ----------
    latent_dim : int
        Dimension of the latent space.
    n_pairs : int, default=8
        Number of pairs; at least ``latent_dim``.

    Returns
    -------
    ndarray of shape (2 * max(n_pairs, latent_dim), latent_dim)
        The draws.
    """
    half = np.random.default_rng(SCORE_SEED).standard_normal((max(n_pairs, latent_dim), latent_dim))
    covariance = half.T @ half / len(half)
    half = half @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    return np.concatenate([half, -half])


def check_near(numbers: np.ndarray, what: str, which: str = "Sample") -> None:
    """Raise where what was found out about a sample is not finite.

    Parameters
    ----------
    numbers : ndarray of shape (n_samples, ...)
        What was found out.
    what : str
        What it is, in the plural.
    which : str, default="Sample"
        What rows are.

    Raises
    ------
    ValueError
        If a row is not finite.
    """
    far = np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1))
    if len(far):
        raise ValueError(
            f"{which} {far[0]} is so far from the training data that its {what} are not finite in "
            f"{numbers.dtype}: expected values like those in fit."
        )


class SamplePosterior(NamedTuple):
    """What is found of samples.

    Parameters
    ----------
    means : Tensor of shape (n_samples, latent_dim)
        Means of the latent points.
    cells : Tensor of shape (n_samples, n_components)
        Probabilities of the cells.
    places : Tensor of shape (n_samples, latent_dim)
        Means of the latent points in the most probable cell; others than ``means`` where
        modalities are missing.
    """

    means: Tensor
    cells: Tensor
    places: Tensor


@torch.no_grad()
def sample_posterior(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None = None
) -> SamplePosterior:
    """Return the posterior of samples; ``encoders`` are for those that lack modalities.

    Without them, these have a Gaussian posterior like all others.
    """
    draws = posterior_draws(model)
    parts = [by_completeness(model, block, encoders, draws, _posteriors) for block in data.blocks()]
    return SamplePosterior(*(torch.cat(part) for part in zip(*parts, strict=True)))


def by_completeness(
    model: MultimodalVAE,
    block: Batch,
    encoders: SubsetEncoders | None,
    draws: Tensor,
    of_samples: Callable[..., Sequence[Tensor]],
) -> list[Tensor]:
    """Ask the samples that are complete and those that are not, and put the answers in order."""
    lacking = None if encoders is None else encoders.incomplete(block)
    if lacking is None or not len(lacking):
        return list(of_samples(model, block, draws, None))
    rows = [which.nonzero()[:, 0] for which in (~lacking, lacking)]
    order = torch.cat(rows).argsort()
    answers = [
        of_samples(model, block.take(part), draws, used)
        for part, used in zip(rows, (None, encoders), strict=True)
        if len(part)
    ]
    return [torch.cat(answer)[order] for answer in zip(*answers, strict=True)]


def _posteriors(
    model: MultimodalVAE, block: Batch, draws: Tensor, encoders: SubsetEncoders | None
) -> SamplePosterior:
    """Return the posterior of samples that are alike in being complete, or not."""
    if encoders is not None:
        found = incomplete_posterior(model, encoders, block, draws)
        return SamplePosterior(found.mean, found.log_gamma.exp().T, found.place)
    posterior, log_gamma = gaussian_posterior(model, block, draws)
    return SamplePosterior(posterior.mean, log_gamma.exp().T, posterior.mean)


def gaussian_posterior(
    model: MultimodalVAE, block: Batch, draws: Tensor
) -> tuple[DiagonalGaussian, Tensor]:
    """Return q(z|x) and the log-probabilities of the components, (n_components, n_samples)."""
    posterior = model.encode(block)
    # What the others make of a sample is the same in all cells.
    telling = model.cluster_dependent
    evidence = _evidence(model, block, posterior, draws, telling)
    log_gamma = model.log_responsibilities(
        posterior, allowed=block.allowed, regime_index=block.regime_index, evidence=evidence
    )
    return posterior, log_gamma


def posterior_draws(model: MultimodalVAE) -> Tensor:
    """Return the draws at which expectations over z are taken."""
    means = model.prior.means
    return torch.as_tensor(score_draws(means.shape[1])).to(means)


def _evidence(
    model: MultimodalVAE,
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


@torch.no_grad()
def bounds(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None = None
) -> Tensor:
    """Return the plain bound (Eq. 31, all constants, unweighted) of every sample, in nats.

    What is known of the nodes does not count.
    """
    draws, values = posterior_draws(model), []
    for block in data.blocks():
        unknown = replace(block, allowed=None, regime_index=None)
        values += by_completeness(model, unknown, encoders, draws, _bounds)
    return torch.cat(values)


def _bounds(
    model: MultimodalVAE, block: Batch, draws: Tensor, encoders: SubsetEncoders | None
) -> tuple[Tensor]:
    """Return the bounds of samples that are alike in being complete, or not."""
    if encoders is not None:
        found = incomplete_posterior(model, encoders, block, draws)
        return (incomplete_bounds(model, block, found, draws),)
    posterior = model.encode(block)
    parts = (model.squared_errors(block, rsample(posterior, draw)) for draw in draws)
    errors: Tensor = functools.reduce(operator.add, parts)
    reconstruction = model.log_likelihoods(errors / len(draws), block.shares).sum(dim=0)
    log_density = model.prior.expected_log_density(posterior)
    evidence = _evidence(model, block, posterior, draws, range(len(model.decoders)))
    mixture = mixture_log_evidence(model.prior.log_weights(), log_density + evidence)
    return (reconstruction + mixture + entropy(posterior.log_var),)
