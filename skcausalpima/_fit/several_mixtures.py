"""Expectation maximization of several mixtures at once, one for each set of samples' counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._initialization.mixture import in_components, smoothed, updated_components
from .._model.settings import MixtureSettings
from ..functional import MixtureStatistics, Potential

#: Iterations at most, and the rise of the log-likelihood of the whole sample, in nats, below which
#: they end. It is slow where clusters overlap: replicates that end early lie near the start, and
#: intervals are too narrow.
MAX_ITER, TOL = 300, 1e-3

#: The step after which two steps and a leap take turns: the first ones are large and bend.
FIRST_LEAP = 6

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

    def take(self, rows: Tensor) -> Components:
        """Return some of the mixtures."""
        return Components(*(part[rows] for part in self))


class FoundMixture(NamedTuple):
    """Components with free weights, and how probable they are of each sample."""

    gamma: Tensor  # (n_components, n_samples)
    weights: Tensor
    means: Tensor
    covariances: Tensor


@dataclass(frozen=True)
class SeveralMixtures:
    """What mixtures are learned from: samples that are known by their potentials.

    Parameters
    ----------
    potential : Potential
        What is said of the samples' latent points.
    exponents : Tensor of shape (n_samples,)
        To which power that counts.
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
        is taken back where the sample is less probable there.
        """
        n, here = len(counts), start
        before = plain = here
        numbers, bounds = torch.arange(n), counts.new_full((n,), -torch.inf)
        ended: dict[int, FoundMixture] = {}
        for step in range(MAX_ITER + 1):
            phase = (step - FIRST_LEAP) % 3 if step >= FIRST_LEAP else None
            gamma, reached, after = self.step(counts, here)
            ends = reached - bounds < TOL
            if phase == 2:  # here is where the leap has led
                after, ends = after.where(reached >= bounds, plain), torch.zeros_like(ends)
                reached = torch.maximum(reached, bounds)
            ends |= torch.tensor(step == MAX_ITER)
            for k in torch.nonzero(ends)[:, 0].tolist():
                ended[int(numbers[k])] = FoundMixture(gamma[k].clone(), *(of[k] for of in here))
            if len(ended) == n:
                break
            plain, before, here = after, here, leap(before, here, after) if phase == 1 else after
            bounds = reached
            if ends.any():
                numbers, counts, bounds = numbers[~ends], counts[~ends], bounds[~ends]
                before, plain, here = (of.take(~ends) for of in (before, plain, here))
        return [ended[k] for k in range(n)]

    def step(self, counts: Tensor, here: Components) -> tuple[Tensor, Tensor, Components]:
        """Make a step of expectation maximization.

        Returned are responsibilities under the mixtures, (n_mixtures, n_components, n_samples),
        the log-likelihoods, (n_mixtures,), and the mixtures that follow.
        """
        means, covariances = here.means.flatten(0, 1), here.covariances.flatten(0, 1)
        posterior = in_components(self.potential, means, covariances)
        gamma = posterior.log_normalizers().mul_(self.exponents).unflatten(0, here.weights.shape)
        gamma += here.weights.log()[:, :, None]
        if self.allowed is not None:
            gamma.masked_fill_(~self.allowed, -torch.inf)
        largest = gamma.amax(dim=1)  # logsumexp would ask for exponentials once more
        totals = gamma.sub_(largest[:, None]).exp_().sum(dim=1)
        gamma.div_(totals[:, None])
        evidence, weighted = totals.log() + largest, gamma * counts[:, None]
        found = posterior.statistics(weighted.flatten(0, 1))
        parts = self._updated(found, here.means, here.covariances)
        after = Components(smoothed(weighted.sum(dim=2)), *parts)
        return gamma, (counts * evidence).sum(dim=1), after

    def _updated(
        self, statistics: MixtureStatistics, means: Tensor, covariances: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return means and covariances of mixtures, (n, n_components, ..), each by its own sums.

        Eq. 17 pools the covariances of one mixture.
        """

        def updated(counts: Tensor, first: Tensor, second: Tensor, m: Tensor, S: Tensor) -> Any:
            sums = replace(statistics, counts=counts, first=first, second=second)
            return updated_components(sums, m, S, self.settings)

        parts = statistics.counts, statistics.first, statistics.second
        counts, first, second = (part.unflatten(0, means.shape[:2]) for part in parts)
        return torch.vmap(updated)(counts, first, second, means, covariances)


def leap(first: Components, second: Components, third: Components) -> Components:
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
    >>> leap(*steps).means.item()
    0.0
    """
    flat = [torch.cat([part.flatten(1) for part in of], dim=1) for of in (first, second, third)]
    step, bend = flat[1] - flat[0], flat[2] - 2.0 * flat[1] + flat[0]
    length = step.norm(dim=1) / bend.norm(dim=1).clamp_min(1e-300)
    length = length.clamp(1.0, LONGEST)[:, None]
    reached = flat[0] + 2.0 * length * step + length.square() * bend
    widths = [part[0].numel() for part in first]
    parts = reached.split(widths, dim=1)
    found = Components(*(part.view_as(of) for part, of in zip(parts, first, strict=True)))
    return found.where(_are_mixtures(found), third)


def _are_mixtures(found: Components) -> Tensor:
    """Return which of them have positive weights and covariances, of shape (n_mixtures,)."""
    if found.covariances.ndim == 3:
        positive = found.covariances.flatten(1) > 0
    else:
        positive = torch.linalg.cholesky_ex(found.covariances).info == 0
    return (found.weights > 0).all(dim=1) & positive.all(dim=1)
