"""What a fitted model says about samples: posteriors, cells, bounds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import Batch, MeanFieldVAE, MultimodalVAE, StructuredVAE, SubsetEncoders
from .mean_field import gaussian_bounds, gaussian_posterior
from .structured import answer, structured_bounds

#: Seed of the standard normal draws that every call of ``score_samples`` shares.
SCORE_SEED = 20_240_711


@functools.cache
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
        The draws; read-only.
    """
    half = np.random.default_rng(SCORE_SEED).standard_normal((max(n_pairs, latent_dim), latent_dim))
    covariance = half.T @ half / len(half)
    half = half @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    draws = np.concatenate([half, -half])
    draws.flags.writeable = False
    return draws


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
        Means of the latent points in the most probable cell.
    """

    means: Tensor
    cells: Tensor
    places: Tensor


@torch.no_grad()
def sample_posterior(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None = None
) -> SamplePosterior:
    """Return the posterior of samples; ``encoders`` are for those that lack modalities.

    Without them, these are asked as whole samples are, by what is there.
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
    if isinstance(model, MeanFieldVAE):
        posterior, log_gamma = gaussian_posterior(model, block, draws)
        return SamplePosterior(posterior.mean, log_gamma.exp().T, posterior.mean)
    found = answer(cast(StructuredVAE, model), block, draws, encoders)
    parts = (found.mean, found.log_gamma.exp().T, found.place)
    return SamplePosterior(*(part.to(model.prior.means) for part in parts))


def posterior_draws(model: MultimodalVAE) -> Tensor:
    """Return the draws at which expectations over z are taken."""
    means = model.prior.means
    return torch.tensor(score_draws(means.shape[1])).to(means)


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
    if isinstance(model, MeanFieldVAE):
        return (gaussian_bounds(model, block, draws),)
    structured = cast(StructuredVAE, model)
    found = answer(structured, block, draws, encoders)
    return (structured_bounds(structured, block, found, draws),)
