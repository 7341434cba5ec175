r"""Likelihoods of columns that are no plain numbers: one class for each kind, and their table.

A column has one or more *elements* in coded data, and the decoder one output :math:`\eta` for each:

- numbers, :math:`N(\eta, s^2)`, with one variance for all of a modality;
- yes or no, :math:`P(1) = \sigma(\eta)`;
- categories, an element each: :math:`P(k) \propto e^{\eta_k}`;
- ordered categories, of whose elements the k-th says whether the outcome is above k:
  :math:`P(x > k \mid x \ge k) = \sigma(\eta_k)` (continuation ratios);
- counts :math:`n` with the mean :math:`\mu = d\, e^\eta` of a sample of depth d, as
  :math:`\log(1 + n / d)`: Poisson, or negative binomial with the variance :math:`\mu + \mu^2 / r`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

#: Probabilities of the start keep this far from 0 and 1.
MARGIN = 1e-2

#: Logarithms of the dispersion r; at the largest, counts are Poisson's.
LOG_DISPERSIONS = (math.log(1e-2), math.log(1e4))

#: Largest logarithm of a rate.
MAX_LOG_RATE = 30.0

#: Quantiles of the depth that draws are made from.
N_QUANTILES = 101

Normal = Callable[..., Tensor]


class ColumnLikelihood(nn.Module):
    """The likelihood of some columns of one kind; of numbers, if no method is another.

    Parameters
    ----------
    sizes : sequence of int
        Number of elements of each column.
    """

    log_variance: Tensor

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

    def working(
        self, eta: Tensor, slopes: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Return slopes in units of the noise, and what x is off the mean in these.

        With slopes J of :math:`\eta`, (n_samples, latent_dim, n_elements), the Fisher information
        is S S' for the first, and the gradient of the log-likelihood S r.
        """
        raise NotImplementedError

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        """Draw elements; ``normal`` returns standard normal draws of a shape."""
        raise NotImplementedError

    def start(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return the offset of :math:`\eta`, and its slope, given data and a slope of their means.

        Slopes are of shape (n_elements, latent_dim). What there is to know beside is set.
        """
        raise NotImplementedError

    def null_deviance(self, x: Tensor) -> Tensor:
        """Return twice what a perfect fit would gain per sample over marginal distributions."""
        raise NotImplementedError


class Gaussian(ColumnLikelihood):
    """Numbers, in units in which each has about the variance 1."""

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

    def working(
        self, eta: Tensor, slopes: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        deviation = self.log_variance.mul(0.5).exp()
        return slopes / deviation, torch.zeros_like(eta) if x is None else (x - eta) / deviation

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        return eta + self.deviations(eta) * normal(*eta.shape)

    def start(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean(dim=0), slope

    def null_deviance(self, x: Tensor) -> Tensor:
        return x.var(dim=0, correction=0).sum() / self.log_variance.exp()


class Bernoulli(ColumnLikelihood):
    """Yes or no, as 1 and 0."""

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        return x * eta - softplus(eta)

    def means(self, eta: Tensor) -> Tensor:
        return eta.sigmoid()

    def working(
        self, eta: Tensor, slopes: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        mean = eta.sigmoid()
        root = (mean * (1.0 - mean)).clamp_min(_tiny(eta)).sqrt()
        return slopes * root[:, None], ((mean if x is None else x) - mean) / root

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        return (uniform(normal, eta.shape) < eta.sigmoid()).to(eta)

    def start(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.mean(dim=0).clamp(MARGIN, 1.0 - MARGIN)
        return mean.logit(), slope / (mean * (1.0 - mean))[:, None]

    def null_deviance(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=0)
        return -2.0 * (torch.xlogy(mean, mean) + torch.xlogy(1.0 - mean, 1.0 - mean)).sum()


class _Ragged(ColumnLikelihood):
    """Columns of unlike numbers of elements, as tables of as many places each."""

    index: Tensor
    is_place: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(sizes)
        counts = torch.tensor(self.sizes)
        places = torch.arange(int(counts.max())).expand(len(counts), -1)
        first = (counts.cumsum(0) - counts)[:, None]
        is_place = places < counts[:, None]
        index = torch.where(is_place, first + places, first)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("is_place", is_place, persistent=False)

    def table(self, elements: Tensor, empty: float) -> Tensor:
        """Return elements as (.., n_columns, n_places); ``empty`` where a column has no more."""
        return elements[..., self.index].masked_fill(~self.is_place, empty)

    def flat(self, table: Tensor) -> Tensor:
        """Undo :meth:`table`."""
        return table[..., self.is_place]


class Categorical(_Ragged):
    """Categories: an element each, of which one is 1."""

    @property
    def n_free(self) -> int:
        """Number of elements that do not follow from others."""
        return sum(self.sizes) - len(self.sizes)

    def _log_probabilities(self, eta: Tensor) -> Tensor:
        return self.table(eta, -torch.inf).log_softmax(dim=-1)

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        logs = self._log_probabilities(eta).masked_fill(~self.is_place, 0.0)
        return (self.table(x, 0.0) * logs).sum(dim=-1)

    def means(self, eta: Tensor) -> Tensor:
        return self.flat(self._log_probabilities(eta).exp())

    def working(
        self, eta: Tensor, slopes: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        shares = self._log_probabilities(eta).exp()
        table = self.table(slopes, 0.0)
        table = table - (table * shares[:, None]).sum(dim=-1, keepdim=True)
        root = shares.clamp_min(_tiny(eta)).sqrt()
        off = (shares if x is None else self.table(x, 0.0)) - shares
        return self.flat(table * root[:, None]), self.flat(off / root)

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        sums = self._log_probabilities(eta).exp().cumsum(dim=-1)
        points = uniform(normal, sums.shape[:2])[..., None]
        chosen = (points >= sums).sum(dim=-1)
        chosen = torch.minimum(chosen, self.is_place.sum(dim=-1) - 1)
        return self.flat(nn.functional.one_hot(chosen, sums.shape[-1]).to(eta))

    def start(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        share = x.mean(dim=0).clamp_min(MARGIN)
        return share.log(), slope / share[:, None]

    def null_deviance(self, x: Tensor) -> Tensor:
        share = x.mean(dim=0)
        return -2.0 * torch.xlogy(share, share).sum()


class Ordinal(_Ragged):
    """Ordered categories: whether the outcome is above each but the last."""

    def _log_above(self, eta: Tensor) -> Tensor:
        """Return the logarithms of the probabilities to be above each category."""
        return self.table(logsigmoid(eta), 0.0).cumsum(dim=-1)

    @staticmethod
    def _reached(above: Tensor) -> Tensor:
        """Return what is said of reaching each category: to be above the one before it."""
        return torch.cat([torch.ones_like(above[..., :1]), above[..., :-1]], dim=-1)

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        above = self.table(x, 0.0)
        terms = above * self.table(eta, 0.0) - self.table(softplus(eta), 0.0)
        return (self._reached(above) * terms).sum(dim=-1)

    def means(self, eta: Tensor) -> Tensor:
        return self.flat(self._log_above(eta).exp())

    def working(
        self, eta: Tensor, slopes: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        mean = eta.sigmoid()
        reached = self.flat(self._reached(self._log_above(eta).exp()))
        root = (reached * mean * (1.0 - mean)).clamp_min(_tiny(eta)).sqrt()
        if x is None:
            return slopes * root[:, None], torch.zeros_like(eta)
        at_risk = self.flat(self._reached(self.table(x, 0.0)))
        return slopes * root[:, None], at_risk * (x - mean) / root

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        above = self._log_above(eta).exp()
        points = uniform(normal, above.shape[:2])[..., None]
        return self.flat((points < above).to(eta))

    def start(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        above = self.table(x.mean(dim=0), 0.0)
        reached = self._reached(above).clamp_min(MARGIN)
        share = (above / reached).clamp(MARGIN, 1.0 - MARGIN)
        slopes = self.table(slope.T, 0.0)  # (latent, column, place)
        before = torch.cat([torch.zeros_like(slopes[..., :1]), slopes[..., :-1]], dim=-1)
        slopes = (slopes - share * before) / (reached * share * (1.0 - share))
        return self.flat(share.logit()), self.flat(slopes).T

    def null_deviance(self, x: Tensor) -> Tensor:
        above = self.table(x.mean(dim=0), 0.0)
        above = torch.cat([self._reached(above), above[..., -1:], above[..., :1] * 0.0], dim=-1)
        share = (above[..., :-1] - above[..., 1:]).clamp_min(0.0)
        return -2.0 * torch.xlogy(share, share).sum()


class Poisson(ColumnLikelihood):
    """Counts n as log(1 + n / d), and, where they have depths d, last the logarithm of these.

    Parameters
    ----------
    sizes : sequence of int
        One for each column.
    has_depth : bool, default=False
        Whether the last element is the logarithm of the depth.
    """

    depth_quantiles: Tensor

    def __init__(self, sizes: Sequence[int], has_depth: bool = False) -> None:
        super().__init__(sizes)
        self.has_depth, self.n_counts = has_depth, len(sizes)
        if has_depth:
            self.register_buffer("depth_quantiles", torch.zeros(N_QUANTILES))

    def _counts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return counts, and the logarithms of depths, (n_samples, 1)."""
        x = x.double()
        log_depth = x[:, self.n_counts :] if self.has_depth else torch.zeros_like(x[:, :1])
        counts = torch.expm1(x[:, : self.n_counts]) * log_depth.exp()
        return counts.round().clamp_min(0.0), log_depth

    def _log_rates(self, eta: Tensor) -> Tensor:
        return eta[:, : self.n_counts].clamp(-MAX_LOG_RATE, MAX_LOG_RATE)

    def _with_depth(self, elements: Tensor, log_depth: Tensor | None = None) -> Tensor:
        if not self.has_depth:
            return elements
        last = elements.new_zeros(*elements.shape[:-1], 1) if log_depth is None else log_depth
        return torch.cat([elements, last], dim=-1)

    @property
    def inverse_dispersions(self) -> Tensor | float:
        """1 / r of each column; 0 for Poisson's."""
        return 0.0

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        counts, log_depth = self._counts(x)
        log_mean = self._log_rates(eta).double() + log_depth
        values = counts * log_mean - log_mean.exp() - torch.lgamma(counts + 1.0)
        return values.to(eta)

    def means(self, eta: Tensor) -> Tensor:
        return self._with_depth(softplus(self._log_rates(eta)))

    def deviations(self, eta: Tensor) -> Tensor:
        mean = self._log_rates(eta).exp()
        root = (mean + mean.square() * self.inverse_dispersions).sqrt()
        return self._with_depth(root / (1.0 + mean))

    def working(
        self, eta: Tensor, slopes: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        log_mean, off = self._log_rates(eta), torch.zeros_like(eta)
        if x is not None:
            counts, log_depth = self._counts(x)
            log_mean = (log_mean + log_depth).to(eta)
        mean = log_mean.exp()
        damped = 1.0 / (1.0 + mean * self.inverse_dispersions)
        root = (mean * damped).clamp_min(_tiny(eta)).sqrt()
        if x is not None:
            off = self._with_depth((counts.to(eta) - mean) * damped / root)
        return self._with_depth(slopes[..., : self.n_counts] * root[:, None]), off

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        log_depth: Tensor | None = None
        rate = self._log_rates(eta).double()
        if self.has_depth:
            places = uniform(normal, (len(eta), 1)).double() * (N_QUANTILES - 1)
            quantiles, below = self.depth_quantiles.double(), places.floor().long()
            above = (below + 1).clamp_max(N_QUANTILES - 1)
            log_depth = torch.lerp(quantiles[below], quantiles[above], places - below)
            rate = rate + log_depth
        seed = int(normal(1).double().view(torch.int64).item()) & (2**63 - 1)
        generator = torch.Generator().manual_seed(seed)
        counts = self._drawn(rate.exp().cpu(), generator).to(rate)
        depth: Tensor | float = 1.0 if log_depth is None else log_depth.exp()
        return self._with_depth(torch.log1p(counts / depth), log_depth).to(eta)

    def _drawn(self, means: Tensor, generator: torch.Generator) -> Tensor:
        return torch.poisson(means, generator)

    def start(self, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        counts, log_depth = self._counts(x)
        if self.has_depth:
            places = torch.linspace(0.0, 1.0, N_QUANTILES, dtype=torch.float64)
            quantiles = torch.quantile(x[:, -1].double(), places.to(x.device))
            self.depth_quantiles.copy_(quantiles)
        rate, depth = self._marginal_rates(counts, log_depth), log_depth.exp()
        self._set_dispersions(counts, rate * depth)
        slope = slope[: self.n_counts] * ((1.0 + rate) / rate).to(slope)[:, None]
        return self._with_depth(rate.log().to(x)), self._with_depth(slope.T).T

    @staticmethod
    def _marginal_rates(counts: Tensor, log_depth: Tensor) -> Tensor:
        """Return the mean count of each column at depth 1; of what is never seen, above zero."""
        return counts.sum(dim=0).clamp_min(0.5) / log_depth.exp().sum()

    def _set_dispersions(self, counts: Tensor, means: Tensor) -> None:
        """Set dispersions by moments."""

    def null_deviance(self, x: Tensor) -> Tensor:
        counts, log_depth = self._counts(x)
        means = log_depth.exp() * self._marginal_rates(counts, log_depth)
        return 2.0 * self._surplus(counts, means).mean(dim=0).sum()

    def _surplus(self, counts: Tensor, means: Tensor) -> Tensor:
        """Return what a perfect fit of each count gains."""
        return torch.xlogy(counts, counts / means) - (counts - means)


class NegativeBinomial(Poisson):
    """Counts whose variance is more than their mean, by a dispersion r for each column."""

    log_dispersions: Tensor

    def __init__(self, sizes: Sequence[int], has_depth: bool = False) -> None:
        super().__init__(sizes, has_depth)
        self.register_buffer("log_dispersions", torch.zeros(self.n_counts))

    @property
    def inverse_dispersions(self) -> Tensor:
        """1 / r of each column."""
        return torch.exp(-self.log_dispersions)

    def log_likelihoods(self, eta: Tensor, x: Tensor) -> Tensor:
        counts, log_depth = self._counts(x)
        log_mean, log_r = self._log_rates(eta).double() + log_depth, self.log_dispersions.double()
        r, log_sum = log_r.exp(), torch.logaddexp(log_mean, log_r)
        shape = torch.lgamma(counts + r) - torch.lgamma(r) - torch.lgamma(counts + 1.0)
        return (shape + r * (log_r - log_sum) + counts * (log_mean - log_sum)).to(eta)

    def _drawn(self, means: Tensor, generator: torch.Generator) -> Tensor:
        r = self.log_dispersions.double().exp().cpu().expand_as(means).contiguous()
        return torch.poisson(torch._standard_gamma(r, generator) / r * means, generator)

    def _set_dispersions(self, counts: Tensor, means: Tensor) -> None:
        """Set dispersions by moments: those of all samples, which differ more than in a cell."""
        excess = ((counts - means).square() - means).sum(dim=0)
        r = means.square().sum(dim=0) / excess.clamp_min(_tiny(means))
        self.log_dispersions.copy_(r.log().clamp(*LOG_DISPERSIONS))

    def _surplus(self, counts: Tensor, means: Tensor) -> Tensor:
        r = self.log_dispersions.double().exp()
        both = (counts + r) * ((counts + r) / (means + r)).log()
        return torch.xlogy(counts, counts / means) - both

    @torch.no_grad()
    def update_dispersions(self, eta: Tensor, x: Tensor, weights: Tensor) -> None:
        """Make a step of Newton's towards the most probable dispersions, no longer than 1.

        Parameters
        ----------
        eta, x : Tensor of shape (n_samples, n_elements)
            Outputs of the decoder, and data.
        weights : Tensor of shape (n_samples, n_columns)
            For how many samples each entry counts.
        """
        counts, log_depth = self._counts(x)
        mean, a = (self._log_rates(eta).double() + log_depth).exp(), self.log_dispersions.double()
        r, weights = a.exp(), weights.double()
        inside = torch.digamma(counts + r) - torch.digamma(r) + a - torch.log(mean + r)
        inside = inside + 1.0 - (counts + r) / (mean + r)
        curved = torch.polygamma(1, counts + r) - torch.polygamma(1, r) + 1.0 / r
        curved = curved - 2.0 / (mean + r) + (counts + r) / (mean + r).square()
        slope = r * (weights * inside).sum(dim=0)
        second = slope + r.square() * (weights * curved).sum(dim=0)
        newton = torch.where(second < 0.0, -slope / second, slope.sign())
        self.log_dispersions.copy_((a + newton.clamp(-1.0, 1.0)).clamp(*LOG_DISPERSIONS))


#: All words: a new one is one more class.
COLUMN_LIKELIHOODS: dict[str, type[ColumnLikelihood]] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
    "ordinal": Ordinal,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
}


def uniform(normal: Normal, shape: Sequence[int]) -> Tensor:
    """Return draws between 0 and 1, given a source of standard normal ones."""
    return torch.special.ndtr(normal(*shape))


def _tiny(like: Tensor) -> float:
    """Return a number that keeps quotients finite."""
    return math.sqrt(torch.finfo(like.dtype).tiny)
