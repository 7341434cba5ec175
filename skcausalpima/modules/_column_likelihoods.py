r"""Likelihoods of the columns of tables: one class for each kind but counts.

A column has one or more *elements* in coded data, and the decoder one output :math:`\eta` for each:

- numbers, :math:`N(\eta, s^2)`, with one variance for all of a modality;
- yes or no, :math:`P(1) = \sigma(\eta)`;
- categories, an element each: :math:`P(k) \propto e^{\eta_k}`;
- ordered categories, of whose elements the k-th says whether the outcome is above k:
  :math:`P(x > k \mid x \ge k) = \sigma(\eta_k)` (continuation ratios);
- counts, see :mod:`._count_likelihoods`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid, pad, softplus

from .._data.column_kinds import between

#: Probabilities of the start keep this far from 0 and 1.
MARGIN = 1e-2

#: An observation alone moves :math:`\eta` no farther: where it was hardly expected, the curvature
#: there says nothing of the way to where it is, and steps would grow from round to round.
LONGEST_STEP = 4.0

#: Uniform numbers keep this far from 0 and 1, where normal scores are infinite (arbitrary).
NEAREST = 1e-9

Normal: TypeAlias = Callable[..., Tensor]
Pair: TypeAlias = tuple[Tensor, Tensor]
Bounds: TypeAlias = tuple[np.ndarray, np.ndarray]


class ColumnLikelihood(nn.Module):
    """The likelihood of some columns of one kind; one without a distribution is refused as a class.

    Parameters
    ----------
    sizes : sequence of int
        Number of elements of each column.

    Attributes
    ----------
    is_told_by_scaled : bool
        Whether :meth:`log_likelihoods` takes scaled elements, too.
    """

    is_told_by_scaled = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.distribution is ColumnLikelihood.distribution:
            raise TypeError(
                f"{cls.__name__} is a likelihood without the method distribution: write one that "
                "returns P(< x) and P(<= x) of each column."
            )

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)

    @property
    def n_free(self) -> int:
        """Number of elements that do not follow from others."""
        return sum(self.sizes)

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        """Return those of each column, (n_samples, n_columns)."""
        raise NotImplementedError

    def means(self, eta: Tensor) -> Tensor:
        """Return the expected elements, (n_samples, n_elements)."""
        raise NotImplementedError

    def deviations(self, eta: Tensor) -> Tensor:
        """Return the standard deviations of elements."""
        means = self.means(eta)
        return (means * (1.0 - means)).clamp_min(0.0).sqrt()

    def working(self, eta: Tensor, slopes: Tensor, x: Tensor | None = None) -> Pair:
        r"""Return slopes in units of the noise, and what x is off the mean in these.

        With slopes J of :math:`\eta`, (n_samples, latent_dim, n_elements), the Fisher information
        is S S' for the first, and the gradient of the log-likelihood S r.
        """
        raise NotImplementedError

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        """Draw elements; ``normal`` returns standard normal draws of a shape."""
        raise NotImplementedError

    def start(self, x: Tensor, slope: Tensor) -> Pair:
        r"""Return the offset of :math:`\eta`, and its slope, given data and a slope of their means.

        Slopes are of shape (n_elements, latent_dim). What there is to know beside is set. Numbers
        have no start: a linear decoder of data is one of theirs.
        """
        raise NotImplementedError

    def null_deviance(self, x: Tensor) -> Tensor:
        """Return twice what a perfect fit would gain per sample over marginal distributions."""
        raise NotImplementedError

    def distribution(self, means: np.ndarray, x: np.ndarray) -> Bounds:
        """Return P(< x) and P(<= x) of each column, (n_samples, n_columns), as SciPy has them.

        Where :meth:`means` are these, (n_samples, n_elements).
        """
        raise NotImplementedError

    def residuals(self, means: np.ndarray, x: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return what is left of each column: randomized quantile residuals, unless of numbers.

        ``uniform``, (n_samples, n_columns), are draws between 0 and 1.
        """
        low, high = self.distribution(means, x)
        return ndtri(np.clip(low + uniform * (high - low), NEAREST, 1.0 - NEAREST))


class Gaussian(ColumnLikelihood):
    """Numbers, in units in which each has about the variance 1."""

    log_variance: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(sizes)
        self.register_buffer("log_variance", torch.zeros(()))

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        squares = (x - eta).square() * torch.exp(-self.log_variance)
        return -0.5 * (squares + self.log_variance + math.log(2.0 * math.pi))

    def means(self, eta: Tensor) -> Tensor:
        return eta

    def deviations(self, eta: Tensor) -> Tensor:
        return self.log_variance.mul(0.5).exp().expand_as(eta)

    def working(self, eta: Tensor, slopes: Tensor, x: Tensor | None = None) -> Pair:
        deviation = self.log_variance.mul(0.5).exp()
        return slopes / deviation, torch.zeros_like(eta) if x is None else (x - eta) / deviation

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        return eta + self.deviations(eta) * normal(*eta.shape)

    def null_deviance(self, x: Tensor) -> Tensor:
        return x.var(dim=0, correction=0).sum() / self.log_variance.exp()

    def distribution(self, means: np.ndarray, x: np.ndarray) -> Bounds:
        both = ndtr((x - means) * math.exp(-0.5 * float(self.log_variance)))
        return both, both

    def residuals(self, means: np.ndarray, x: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return differences, in the unit of the numbers, whatever that is."""
        return x - means


class Bernoulli(ColumnLikelihood):
    """Yes or no, as 1 and 0."""

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        return x * eta - softplus(eta)

    def means(self, eta: Tensor) -> Tensor:
        return eta.sigmoid()

    def working(self, eta: Tensor, slopes: Tensor, x: Tensor | None = None) -> Pair:
        mean = eta.sigmoid()
        off = (mean if x is None else x) - mean
        root = root_of_curvature(mean * (1.0 - mean), off)
        return slopes * root[:, None], off / root

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        return (uniform(normal, eta.shape) < eta.sigmoid()).to(eta)

    def start(self, x: Tensor, slope: Tensor) -> Pair:
        mean = x.mean(dim=0).clamp(MARGIN, 1.0 - MARGIN)
        return mean.logit(), slope / (mean * (1.0 - mean))[:, None]

    def null_deviance(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=0).clamp(0.0, 1.0)  # rounding, where all rows are alike
        return -2.0 * (torch.xlogy(mean, mean) + torch.xlogy(1.0 - mean, 1.0 - mean)).sum()

    def distribution(self, means: np.ndarray, x: np.ndarray) -> Bounds:
        return _of_levels(np.stack([1.0 - means, means], axis=-1), np.round(x).astype(int))


class _Ragged(ColumnLikelihood):
    """Columns of unlike numbers of elements, as tables of as many entries each."""

    index: Tensor
    is_element: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(sizes)
        counts = np.array(self.sizes)[:, None]
        positions = np.arange(counts.max())
        first = np.cumsum(counts, axis=0) - counts
        index = torch.tensor(np.where(positions < counts, first + positions, first))
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("is_element", torch.tensor(positions < counts), persistent=False)

    def table(self, elements: Tensor, empty: float) -> Tensor:
        """Return elements as (.., n_columns, n_most); ``empty`` where a column has no more."""
        return elements[..., self.index].masked_fill(~self.is_element, empty)

    def flat(self, table: Tensor) -> Tensor:
        """Undo :meth:`table`."""
        return table[..., self.is_element]

    @staticmethod
    def _outcomes(means: np.ndarray, x: np.ndarray) -> Bounds:
        """Return the probabilities of the levels of one column, and which of them each row has."""
        raise NotImplementedError

    def distribution(self, means: np.ndarray, x: np.ndarray) -> Bounds:
        columns = (np.split(table, np.cumsum(self.sizes)[:-1], axis=1) for table in (means, x))
        bounds = [_of_levels(*self._outcomes(*column)) for column in zip(*columns, strict=True)]
        low, high = (np.stack(of_columns, axis=1) for of_columns in zip(*bounds, strict=True))
        return low, high


class Categorical(_Ragged):
    """Categories: an element each, of which one is 1."""

    @property
    def n_free(self) -> int:
        """Number of elements that do not follow from others."""
        return sum(self.sizes) - len(self.sizes)

    def _log_probabilities(self, eta: Tensor) -> Tensor:
        return self.table(eta, -torch.inf).log_softmax(dim=-1)

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        logs = self._log_probabilities(eta).masked_fill(~self.is_element, 0.0)
        return (self.table(x, 0.0) * logs).sum(dim=-1)

    def means(self, eta: Tensor) -> Tensor:
        return self.flat(self._log_probabilities(eta).exp())

    def working(self, eta: Tensor, slopes: Tensor, x: Tensor | None = None) -> Pair:
        shares = self._log_probabilities(eta).exp()
        table = self.table(slopes, 0.0)
        table = table - (table * shares[:, None]).sum(dim=-1, keepdim=True)
        off = (shares if x is None else self.table(x, 0.0)) - shares
        root = root_of_curvature(shares, off.clamp_min(0.0))
        return self.flat(table * root[:, None]), self.flat(off / root)

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        sums = self._log_probabilities(eta).exp().cumsum(dim=-1)
        points = uniform(normal, sums.shape[:2])[..., None]
        chosen = (points >= sums).sum(dim=-1)
        chosen = torch.minimum(chosen, self.is_element.sum(dim=-1) - 1)
        return self.flat(nn.functional.one_hot(chosen, sums.shape[-1]).to(eta))

    def start(self, x: Tensor, slope: Tensor) -> Pair:
        share = x.mean(dim=0).clamp_min(MARGIN)
        return share.log(), slope / share[:, None]

    def null_deviance(self, x: Tensor) -> Tensor:
        share = x.mean(dim=0).clamp_min(0.0)  # rounding, of what none of the rows has
        return -2.0 * torch.xlogy(share, share).sum()

    @staticmethod
    def _outcomes(means: np.ndarray, x: np.ndarray) -> Bounds:
        return means, x.argmax(axis=1)


class ManyLevels(Categorical):
    """One column of so many categories that each step should look at a row's own alone.

    Its elements lie side by side, and are asked as a table of one column, without copies. The
    largest one says which category it is, in whatever units.
    """

    is_told_by_scaled = True

    def table(self, elements: Tensor, empty: float) -> Tensor:
        return elements[..., None, :]

    def flat(self, table: Tensor) -> Tensor:
        return table[..., 0, :]

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        eta = eta.expand(len(x), -1)
        return -cross_entropy(eta, x.argmax(dim=1), reduction="none")[:, None]

    def start(self, x: Tensor, slope: Tensor) -> Pair:
        share = x.mean(dim=0)
        return share.clamp_min(0.5 / len(x)).log(), slope / share.clamp_min(MARGIN)[:, None]


class Ordinal(_Ragged):
    """Ordered categories: whether the outcome is above each but the last."""

    def _log_above(self, eta: Tensor) -> Tensor:
        """Return the logarithms of the probabilities to be above each category."""
        return self.table(logsigmoid(eta), 0.0).cumsum(dim=-1)

    @staticmethod
    def _reached(above: Tensor) -> Tensor:
        """Return what is said of reaching each category: to be above the one before it."""
        return pad(above[..., :-1], (1, 0), value=1.0)

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        above = self.table(x, 0.0)
        terms = above * self.table(eta, 0.0) - self.table(softplus(eta), 0.0)
        return (self._reached(above) * terms).sum(dim=-1)

    def means(self, eta: Tensor) -> Tensor:
        return self.flat(self._log_above(eta).exp())

    def working(self, eta: Tensor, slopes: Tensor, x: Tensor | None = None) -> Pair:
        mean = eta.sigmoid()
        reached = self.flat(self._reached(self._log_above(eta).exp()))
        off = torch.zeros_like(eta)
        if x is not None:
            off = self.flat(self._reached(self.table(x, 0.0))) * (x - mean)
        root = root_of_curvature(reached * mean * (1.0 - mean), off)
        return slopes * root[:, None], off / root

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        above = self._log_above(eta).exp()
        points = uniform(normal, above.shape[:2])[..., None]
        return self.flat((points < above).to(eta))

    def start(self, x: Tensor, slope: Tensor) -> Pair:
        above = self.table(x.mean(dim=0), 0.0)
        reached = self._reached(above).clamp_min(MARGIN)
        share = (above / reached).clamp(MARGIN, 1.0 - MARGIN)
        slopes = self.table(slope.T, 0.0)  # (latent, column, element)
        before = share * pad(slopes[..., :-1], (1, 0))
        slopes = (slopes - before) / (reached * share * (1.0 - share))
        return self.flat(share.logit()), self.flat(slopes).T

    def null_deviance(self, x: Tensor) -> Tensor:
        above = pad(pad(self.table(x.mean(dim=0), 0.0), (1, 0), value=1.0), (0, 1))
        share = (above[..., :-1] - above[..., 1:]).clamp_min(0.0)
        return -2.0 * torch.xlogy(share, share).sum()

    @staticmethod
    def _outcomes(means: np.ndarray, x: np.ndarray) -> Bounds:
        return between(means), (x >= 0.5).sum(axis=1)


def _of_levels(shares: np.ndarray, codes: np.ndarray) -> Bounds:
    """Return the probabilities of levels below a code, and up to it, of shares (.., n_levels)."""
    high = np.clip(shares, 0.0, None).cumsum(axis=-1)
    high /= high[..., -1:]
    below = np.take_along_axis(high, np.maximum(codes - 1, 0)[..., None], axis=-1)[..., 0]
    up_to = np.take_along_axis(high, codes[..., None], axis=-1)[..., 0]
    return np.where(codes > 0, below, 0.0), up_to


def uniform(normal: Normal, shape: Sequence[int]) -> Tensor:
    """Return draws between 0 and 1, given a source of standard normal ones."""
    return torch.special.ndtr(normal(*shape))


def root_of_curvature(expected: Tensor, off: Tensor) -> Tensor:
    """Return the root of the curvature of elements, given the expected one, and their gradient."""
    curvature = torch.maximum(expected, off.abs() / LONGEST_STEP)
    return curvature.clamp_min(tiny(expected)).sqrt()


def tiny(like: Tensor) -> float:
    """Return a number that keeps quotients finite."""
    return math.sqrt(torch.finfo(like.dtype).tiny)
