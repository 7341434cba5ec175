r"""Posteriors, cells and bounds of samples under a model.

A structured model has the posterior over components and latent points together.

Potentials :math:`l(z)` of what is observed, by encoders or, where elements are missing, by the
decoder's own slopes, and the mixture as the prior: :math:`q(c | x) \propto A_c E_c L_c` and
:math:`q(z | c, x) \propto N(z; m_c, S_c)\, l(z)`, with :math:`E_c = Z_c`,
:math:`Z_c = \int N(z; m_c, S_c)\, l(z)\, dz`, and :math:`L_c` what decoders that depend on the
component say beyond their potential. :math:`E_c` is less sure for samples that lack modalities, see
:class:`~skcausalpima.modules.SubsetEncoders`. The bound is

.. math:: \sum_c q(c) \left[\log \frac{A_c Z_c}{q(c)} - E_{q(z | c)} \log l(z)
    + \sum_m E_{q(z | c)} \log p(x_m | z, c)\right] \le \log p(x).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import BLOCK_ROWS, TensorData
from ..functional import OwnPosterior, SharedPosterior
from ..modules import Batch, MeanFieldVAE, MultimodalVAE, StructuredVAE, SubsetEncoders

#: Seed of the standard normal draws that every call of ``score_samples`` shares.
SCORE_SEED = 20_240_711

#: Components that are less probable than this, relative to the most probable one, are left out
#: where data are decoded: what remains is a posterior as well, and its bound a bound.
NEGLIGIBLE = 1e-4

#: So many pairs of a sample and a component are decoded at a time (arbitrary).
MAX_PAIRS = 4096

#: Samples are asked in blocks of so many, if what each takes in the widest modality, or in the
#: latent points of all components, is no more than so many numbers together. Evidence: with 2^16,
#: 2^18 and 2^20 labels of 100 000 rows x 20 columns take 1.9, 1.3 and 1.5 times a mixture's.
MOST_ROWS, NUMBERS_AT_ONCE = 4096, 2**18


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
    centres : Tensor of shape (n_samples, latent_dim)
        Means of the latent points in the most probable cell.
    """

    means: Tensor
    cells: Tensor
    centres: Tensor


@torch.no_grad()
def sample_posterior(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None = None
) -> SamplePosterior:
    """Return the posterior of samples; ``encoders`` are for those that lack modalities.

    Without them, these are asked as whole samples are, by what is there.
    """
    return SamplePosterior(*_answers(model, data, encoders, has_points=True))


@torch.no_grad()
def cells_of_samples(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None = None
) -> Tensor:
    """Return the ``cells`` of :func:`sample_posterior` alone, in less time."""
    return _answers(model, data, encoders, has_points=False)[0]


def _answers(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None, has_points: bool
) -> list[Tensor]:
    """Return means, cells and centres, or cells alone."""
    draws = posterior_draws(model)

    def ask(block: Batch, used: SubsetEncoders | None) -> list[Tensor]:
        if isinstance(model, MeanFieldVAE):
            posterior, log_gamma = model.answer(block, draws)
            means, cells, centres = posterior.mean, log_gamma.exp().T, posterior.mean
            return [means, cells, centres] if has_points else [cells]
        answered = answer(cast(StructuredVAE, model), block, draws, used)
        parts = [answered.log_gamma.exp().T]
        if has_points:
            parts = [answered.mean, *parts, answered.centre]
        return [part.to(model.prior.means) for part in parts]

    return answers_of(blocks_of(model, data), encoders, ask)


def blocks_of(model: MultimodalVAE, data: TensorData) -> Iterator[Batch]:
    """Return samples block by block, as many at a time as their numbers allow."""
    n_numbers = max(*model.widths, model.prior.means.numel())
    return data.blocks(max(BLOCK_ROWS, min(MOST_ROWS, NUMBERS_AT_ONCE // n_numbers)))


def answers_of(
    blocks: Iterable[Batch],
    encoders: SubsetEncoders | None,
    ask: Callable[[Batch, SubsetEncoders | None], Sequence[Tensor]],
) -> list[Tensor]:
    """Ask samples that are complete and those that are not, and put the answers in order.

    ``ask`` returns tables of samples that are alike in this; it gets the encoders of the latter.
    """
    answers: list[Sequence[Tensor]] = []
    for block in blocks:
        lacking = None if encoders is None else encoders.incomplete(block)
        if lacking is None:
            answers.append(ask(block, None))
            continue
        rows = [which.nonzero()[:, 0] for which in (~lacking, lacking)]
        order, pairs = torch.cat(rows).argsort(), zip(rows, (None, encoders), strict=True)
        parts = [ask(block.take(part), used) for part, used in pairs if len(part)]
        answers.append([torch.cat(part)[order] for part in zip(*parts, strict=True)])
    return [torch.cat(part) for part in zip(*answers, strict=True)]


def posterior_draws(model: MultimodalVAE) -> Tensor:
    """Return the draws at which expectations over z are taken."""
    means = model.prior.means
    return torch.tensor(score_draws(means.shape[1])).to(means)


@torch.no_grad()
def bounds(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None = None
) -> Tensor:
    """Return the plain bound (Eq. 31, all constants, unweighted) of every sample, in nats.

    What is known of the nodes does not count; what is known of contexts does.
    """
    draws = posterior_draws(model)

    def ask(block: Batch, used: SubsetEncoders | None) -> list[Tensor]:
        if isinstance(model, MeanFieldVAE):
            return [model.bounds(block, draws)]
        structured = cast(StructuredVAE, model)
        answered = answer(structured, block, draws, used)
        return [structured_bounds(structured, block, answered, draws)]

    unknown = (replace(block, allowed=None) for block in blocks_of(model, data))
    if not model.prior.mix_sizes:
        unknown = (replace(block, regime_index=None) for block in unknown)
    return answers_of(unknown, encoders, ask)[0]


def likely(log_gamma: Tensor) -> Tensor:
    """Return the probabilities of all but negligible components, which add up to 1.

    ``log_gamma`` of shape (n_components, n_samples) has the logarithms of all.
    """
    kept = log_gamma >= log_gamma.max(dim=0).values + math.log(NEGLIGIBLE)
    return torch.softmax(log_gamma.masked_fill(~kept, -torch.inf), dim=0)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The posterior of some samples.

    Parameters
    ----------
    posterior : SharedPosterior or OwnPosterior
        Latent points in each component.
    log_joint : Tensor of shape (n_components, n_samples)
        :math:`\\log A_c Z_c`.
    log_gamma : Tensor of shape (n_components, n_samples)
        Log-probabilities of the components.
    """

    posterior: SharedPosterior | OwnPosterior
    log_joint: Tensor
    log_gamma: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the latent point, of shape (n_samples, latent_dim)."""
        return self.posterior.mean(self.log_gamma.exp())

    @property
    def centre(self) -> Tensor:
        """Mean of the latent point in the most probable component, of the same shape."""
        return self.posterior.centres(self.log_gamma.max(dim=0).indices)

    def in_components(self) -> Iterator[InComponent]:
        """Return the latent points in each component that is not negligible."""
        for component, probabilities in enumerate(likely(self.log_gamma)):
            rows = probabilities.nonzero()[:, 0]
            if len(rows):
                components = torch.full_like(rows, component)
                part = self.posterior.rows(rows)
                yield InComponent(rows, components, probabilities[rows], part)

    def in_all_components(self) -> Iterator[InComponent]:
        """Return the same, of all components together."""
        probabilities = likely(self.log_gamma)
        for pairs in probabilities.nonzero().split(MAX_PAIRS):
            components, rows = pairs.T
            yield InComponent(
                rows, components, probabilities[components, rows], self.posterior.rows(rows)
            )


@dataclass(frozen=True)
class InComponent:
    """Latent points of some samples in a component each.

    Parameters
    ----------
    rows, components : Tensor of int of shape (n_rows,)
        Numbers of the samples; their components, of ``in_components`` one and the same.
    probabilities : Tensor of shape (n_rows,)
        Of the components.
    posterior : SharedPosterior or OwnPosterior
        Of these samples.
    """

    rows: Tensor
    components: Tensor
    probabilities: Tensor
    posterior: SharedPosterior | OwnPosterior

    def points(self, draw: Tensor) -> Tensor:
        """Return the point of each row that a standard normal draw stands for."""
        return self.posterior.points(self.components, draw.expand(len(self.rows), -1))


def answer(
    model: StructuredVAE, batch: Batch, draws: Tensor, encoders: SubsetEncoders | None = None
) -> Answer:
    """Return the posterior of samples; ``encoders`` are those of samples that lack modalities.

    ``draws`` of shape (n_draws, latent_dim) stand for z where expectations are taken.
    """
    asks_points = any(model.decoders[m].depends_on_latent for m in model.cluster_dependent)
    # in expectation over z in each component; experts say the same everywhere
    noise = draws[: None if asks_points else 1, None].expand(-1, len(batch.arrays[0]), -1)
    if encoders is None:
        joint = model.joint(batch, noise)
    else:
        of_parts = encoders.posterior(batch, model.prior)
        joint = model.joint(batch, noise, posterior=of_parts, potential_of=encoders.potential_of)
    normalizers = log_evidence = joint.posterior.log_normalizers()
    if encoders is not None:
        log_evidence = encoders.log_evidence(batch, normalizers, joint.log_weights.to(normalizers))
    return Answer(
        posterior=joint.posterior,
        log_joint=joint.only_allowed(joint.log_weights + normalizers),
        log_gamma=joint.only_allowed(joint.offsets + log_evidence).log_softmax(dim=0),
    )


def structured_bounds(
    model: StructuredVAE, batch: Batch, answered: Answer, draws: Tensor
) -> Tensor:
    """Return the bound of samples, of shape (n_samples,), in nats."""
    total = torch.zeros_like(answered.log_gamma[0])
    log_likelihoods: Tensor | float = 0.0
    asked = [m for m, decoder in enumerate(model.decoders) if decoder.has_likelihood]
    for inside in answered.in_all_components():
        rows, q, components = inside.rows, inside.probabilities, inside.components
        part = batch.take(rows)
        points = [inside.points(draw).to(model.prior.means) for draw in draws]
        errors = torch.stack([model.squared_errors(part, z) for z in points]).mean(dim=0)
        reconstruction = model.log_likelihoods(errors, part.shares).sum(dim=0)
        if asked:
            parts = [model.own_likelihoods(part, z, asked).values() for z in points]
            log_likelihoods = sum(
                sum(one.of_components(components) for one in likelihoods) for likelihoods in parts
            )
            log_likelihoods = log_likelihoods / len(points)
        potentials = inside.posterior.expected_log_potentials(inside.components)
        correction = reconstruction + log_likelihoods - potentials
        terms = q * (answered.log_joint[components, rows] - q.log() + correction)
        total = total.index_add(0, rows, terms)
    return total.to(model.prior.means)
