"""Expectation maximization of several mixtures at once, one for each set of samples' counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._initialization.mixture import smoothed, updated_components
from .._model.settings import MixtureSettings
from ..functional import (
    DiagonalGaussian,
    MixtureStatistics,
    OwnPosterior,
    PosteriorComponents,
    Potential,
    PreparedPrecision,
    expected_statistics,
    prepare_posterior,
    prepare_precision,
)

#: Iterations at most, and the rise of the log-likelihood of the whole sample, in nats, and the
#: length of a step, in standard errors, below which they end. It is slow where clusters overlap:
#: replicates that end early lie near the start, and intervals are too narrow.
MAX_ITER, TOL, SHORT = 300, 1e-3, 0.14

#: The step after which two steps and a leap take turns: the first ones are large and bend.
FIRST_LEAP = 3

#: Steps that a leap may be worth, at most.
LONGEST = 64.0


class Components(NamedTuple):
    """Mixtures, of which there are several: weights, means and covariances, the first axis theirs.

    Parameters
    ----------
    weights : Tensor of shape (n_mixtures, n_components)
        Positive, of sum one.
    means : Tensor of shape (n_mixtures, n_components, latent_dim)
        Means.
    covariances : Tensor of shape (n_mixtures, n_components, latent_dim[, latent_dim])
        Variances, or covariance matrices.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def where(self, chosen: Tensor, others: Components) -> Components:
        """Return the chosen mixtures, others in the places of the rest."""
        pairs = zip(self, others, strict=True)
        return Components(
            *(torch.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs)
        )

    def flat(self) -> Tensor:
        """Return all numbers of each mixture, (n_mixtures, n_numbers)."""
        return torch.cat([part.flatten(1) for part in self], dim=1)

    def of(self, numbers: Tensor) -> Components:
        """Return mixtures of these shapes, given all their numbers."""
        parts = numbers.split([part[0].numel() for part in self], dim=1)
        return Components(*(part.view_as(like) for part, like in zip(parts, self, strict=True)))

    def take(self, rows: Tensor) -> Components:
        """Return some of the mixtures."""
        return Components(*(part[rows] for part in self))


class FoundMixture(NamedTuple):
    """Components with free weights, and how probable they are of each sample."""

    gamma: Tensor  # (n_components, n_samples)
    weights: Tensor
    means: Tensor
    covariances: Tensor


class _Shared(NamedTuple):
    """What samples of one precision are seen in, and where they lie."""

    prepared: PreparedPrecision
    origin: Tensor
    statistics: Tensor  # of their locations from the origin, (n_samples, n_statistics)


class _Drawn(NamedTuple):
    """The samples that each of several mixtures learns from."""

    counts: Tensor  # (n_mixtures, n_drawn), how often
    allowed: Tensor | None  # (n_mixtures, n_components, n_drawn)
    statistics: Tensor | None  # (n_mixtures, n_drawn, n_statistics), of one precision

    def take(self, rows: Tensor) -> _Drawn:
        """Return those of some of the mixtures."""
        allowed = None if self.allowed is None else self.allowed[rows]
        statistics = None if self.statistics is None else self.statistics[rows]
        return _Drawn(self.counts[rows], allowed, statistics)


@dataclass(frozen=True)
class SeveralMixtures:
    """What mixtures are learned from: samples that are known by their potentials.

    Of samples that have one precision, location statistics are made once for all mixtures, and
    those that a mixture has not drawn cost nothing.

    Parameters
    ----------
    potential : Potential
        What is said of the samples' latent points.
    exponents : Tensor of shape (n_samples,)
        To which power that counts: one where all samples have one precision.
    allowed : Tensor of bool of shape (n_components, n_samples) or None
        Which components a sample may have.
    settings : MixtureSettings
        Of the M step.
    """

    potential: Potential
    exponents: Tensor
    allowed: Tensor | None
    settings: MixtureSettings

    def iterated(self, counts: Tensor, start: Components) -> list[FoundMixture]:
        """Iterate mixtures on samples that count so often each, (n_mixtures, n_samples).

        After each two steps, from ``FIRST_LEAP`` on, a leap goes where further ones would lead. It
        is taken back where the sample is less probable there. That the log-likelihood does not rise
        is no end in itself: where covariances are drawn to each other it falls on the way.
        """
        n, here, errors = len(counts), start, self.standard_errors(counts, start)
        before, plain, drawn = here, here, self.drawn(counts)
        numbers, bounds = torch.arange(n), counts.new_full((n,), -torch.inf)
        ended: dict[int, Components] = {}
        for step in range(MAX_ITER + 1):
            phase = (step - FIRST_LEAP) % 3 if step >= FIRST_LEAP else None
            reached, after = self.step(drawn, here)
            lengths = ((after.flat() - here.flat()) / errors).norm(dim=1)
            ends = (reached - bounds < TOL) & (lengths < SHORT)
            if phase == 2:  # here is where the leap has led
                after, ends = after.where(reached >= bounds, plain), torch.zeros_like(ends)
                reached = torch.maximum(reached, bounds)
            ends |= torch.tensor(step == MAX_ITER)
            ended |= {int(numbers[k]): here.take(k[None]) for k in torch.nonzero(ends)[:, 0]}
            if len(ended) == n:
                break
            plain, bounds = after, reached
            if phase == 1:
                after = leap(before, here, plain, errors)
            before, here = here, after
            if ends.any():
                by_mixture = numbers, bounds, errors
                numbers, bounds, errors = (values[~ends] for values in by_mixture)
                before, plain, here = (mixtures.take(~ends) for mixtures in (before, plain, here))
                drawn = drawn.take(~ends)
        parts = zip(*(ended[k] for k in range(n)), strict=True)
        return self._found(Components(*map(torch.cat, parts)))

    def drawn(self, counts: Tensor) -> _Drawn:
        """Return the samples of mixtures that have each so often, (n_mixtures, n_samples)."""
        if self._shared is None:
            allowed = None if self.allowed is None else self.allowed.expand(len(counts), -1, -1)
            return _Drawn(counts, allowed, None)
        most = int((counts > 0).sum(dim=1).max())  # who has fewer, has some of count zero
        rows = torch.argsort(counts == 0, dim=1, stable=True)[:, :most]
        allowed = None if self.allowed is None else self.allowed.T[rows].mT
        return _Drawn(counts.gather(1, rows), allowed, self._shared.statistics[rows])

    def step(self, drawn: _Drawn, here: Components) -> tuple[Tensor, Components]:
        """Make a step of expectation maximization.

        Returned are the log-likelihoods, (n_mixtures,), and the mixtures that follow.
        """
        posterior, gamma, totals, largest = self._expected(here, drawn.allowed, drawn.statistics)
        bounds = (drawn.counts * largest.add_(totals.log())).sum(dim=1)
        gamma *= (drawn.counts / totals)[:, None]
        if drawn.statistics is None:
            statistics = posterior.statistics(gamma.flatten(0, 1))
        else:
            statistics = posterior.moments((gamma @ drawn.statistics).flatten(0, 1).T)
        parts = self._updated(statistics, here.means, here.covariances)
        return bounds, Components(smoothed(statistics.counts.view_as(here.weights)), *parts)

    def _expected(
        self, here: Components, allowed: Tensor | None, statistics: Tensor | None
    ) -> tuple[Any, Tensor, Tensor, Tensor]:
        """Return the posterior, and probabilities of components up to factors of the samples.

        These are followed by their sums, and by the logarithms of what they were divided by.
        """
        means, covariances = here.means.flatten(0, 1), here.covariances.flatten(0, 1)
        posterior: PosteriorComponents | OwnPosterior
        if self._shared is None or statistics is None:
            posterior = OwnPosterior(means, covariances, self.potential)
            gamma = posterior.log_normalizers()  # which leave out what depends on the origin
            gamma += posterior.potential.at(posterior.origin.expand(len(posterior), -1))
            gamma = gamma.mul_(self.exponents).unflatten(0, here.weights.shape)
        else:
            posterior = prepare_posterior(means, covariances, *self._shared[:2])
            normalizers = posterior.normalizers.unflatten(0, here.weights.shape)
            gamma = normalizers @ statistics.mT
        gamma += here.weights.log()[:, :, None]
        if allowed is not None:
            gamma.masked_fill_(~allowed, -torch.inf)
        largest = gamma.amax(dim=1)  # logsumexp would ask for exponentials once more
        totals = gamma.sub_(largest[:, None]).exp_().sum(dim=1)
        return posterior, gamma, totals, largest

    def _found(self, mixtures: Components) -> list[FoundMixture]:
        """Return mixtures with their responsibilities for all samples."""
        statistics = None if self._shared is None else self._shared.statistics
        _, gamma, totals, _ = self._expected(mixtures, self.allowed, statistics)
        gamma /= totals[:, None]
        return [FoundMixture(*parts) for parts in zip(gamma, *mixtures, strict=True)]

    @cached_property
    def _shared(self) -> _Shared | None:
        """What is prepared once for all mixtures."""
        linear, precision = self.potential
        if not self.potential.is_shared:
            return None
        prepared = prepare_precision(precision)
        locations = torch.cholesky_solve(linear.T, prepared.root).T
        origin, exact = locations.mean(dim=0), torch.full_like(locations, -torch.inf)
        posterior = DiagonalGaussian(locations, exact)
        statistics = expected_statistics(posterior, origin, full=True)
        return _Shared(prepared, origin, statistics.T.contiguous())

    def standard_errors(self, counts: Tensor, start: Components) -> Tensor:
        """Return how unsure each number would be if cells were known, (n_mixtures, n_numbers)."""
        weights, _, covariances = start
        totals = counts.sum(dim=1, keepdim=True)
        sizes = (weights * totals).clamp_min(1.0)
        precision = self.potential.precision
        mean = precision.reshape(-1, *precision.shape[-2:]).mean(dim=0)
        noise = torch.cholesky_inverse(prepare_precision(mean).root).diagonal()
        if covariances.ndim == 4:
            deviations = (covariances.diagonal(dim1=2, dim2=3) + noise).sqrt()
            pairs = deviations[..., None] * deviations[..., None, :]
        else:
            pairs = covariances + noise
            deviations = pairs.sqrt()
        squares = pairs.flatten(2) * (2.0 / sizes).sqrt()[:, :, None]
        errors = sizes.sqrt() / totals, deviations / sizes.sqrt()[:, :, None], squares
        return Components(*errors).flat()

    def _updated(
        self, statistics: MixtureStatistics, means: Tensor, covariances: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return means and covariances of mixtures, (n, n_components, ..), each by its own sums.

        Eq. 17 pools the covariances of one mixture.
        """

        def updated(
            counts: Tensor, first: Tensor, second: Tensor, m: Tensor, S: Tensor
        ) -> tuple[Tensor, Tensor]:
            sums = replace(statistics, counts=counts, first=first, second=second)
            return updated_components(sums, m, S, self.settings)

        parts = statistics.counts, statistics.first, statistics.second
        counts, first, second = (part.unflatten(0, means.shape[:2]) for part in parts)
        return torch.vmap(updated)(counts, first, second, means, covariances)


def leap(first: Components, second: Components, third: Components, errors: Tensor) -> Components:
    r"""Return where mixtures would be after many steps like those from the first to the third.

    With :math:`r = \theta_1 - \theta_0` and :math:`v = \theta_2 - 2 \theta_1 + \theta_0` that is
    :math:`\theta_0 + 2 a r + a^2 v`, :math:`a = |r| / |v|` (SQUAREM, scheme S3 [1]_), which is
    exact where one direction alone is left, whose error shrinks by a constant factor per step.
    Mixtures that would be none there stay at the third.

    .. [1] R. Varadhan and C. Roland, "Simple and globally convergent methods for accelerating the
       convergence of any EM algorithm", Scandinavian Journal of Statistics 35, 2008.

    Parameters
    ----------
    first, second, third : Components
        The mixtures before, between and after two steps.
    errors : Tensor of shape (n_mixtures, n_numbers)
        What the numbers are measured in, where lengths are compared.

    Returns
    -------
    Components
        To be compared with the third: nothing says that they are more probable.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima._fit.several_mixtures import Components, leap
    >>> one, shape = torch.ones(1, 1), torch.ones(1, 1, 1)
    >>> steps = [Components(one, of * shape, shape) for of in (8.0, 4.0, 2.0)]  # to 0, by halves
    >>> leap(*steps, torch.ones(1, 3)).means.item()
    0.0
    """
    start, middle, end = (mixtures.flat() for mixtures in (first, second, third))
    step, bend = middle - start, end - 2.0 * middle + start
    length = (step / errors).norm(dim=1) / (bend / errors).norm(dim=1).clamp_min(1e-300)
    length = length.clamp(1.0, LONGEST)[:, None]
    reached = third.of(start + 2.0 * length * step + length.square() * bend)
    return reached.where(_are_mixtures(reached), third)


def _are_mixtures(mixtures: Components) -> Tensor:
    """Return which of them have positive weights and covariances, of shape (n_mixtures,)."""
    if mixtures.covariances.ndim == 3:
        positive = mixtures.covariances.flatten(1) > 0
    else:
        positive = torch.linalg.cholesky_ex(mixtures.covariances).info == 0
    return (mixtures.weights > 0).all(dim=1) & positive.all(dim=1)
