r"""Likelihoods of columns of counts.

A count n of a sample of depth d has the mean :math:`\mu = d\, e^\eta`. It is Poisson's, or negative
binomial with the variance :math:`\mu + \mu^2 / r`, and comes as :math:`\log(1 + n / d)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import nbinom, poisson
from torch import Tensor
from torch.nn.functional import softplus

from .._base.pytorch import standard_gamma
from ._column_likelihoods import (
    NEAREST,
    Bounds,
    ColumnLikelihood,
    Normal,
    Pair,
    root_of_curvature,
    tiny,
    uniform,
)

#: Logarithms of the dispersion r; at the largest, counts are Poisson's.
LOG_DISPERSIONS = (math.log(1e-2), math.log(1e4))

#: Largest logarithm of a rate.
MAX_LOG_RATE = 30.0

#: Quantiles of the depth that draws are made from.
N_QUANTILES = 101


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

    def working(self, eta: Tensor, slopes: Tensor, x: Tensor | None = None) -> Pair:
        log_mean, counts = self._log_rates(eta), None
        if x is not None:
            counts, log_depth = self._counts(x)
            log_mean = (log_mean + log_depth).to(eta)
        mean = log_mean.exp()
        damped = 1.0 / (1.0 + mean * self.inverse_dispersions)
        off = torch.zeros_like(mean) if counts is None else (counts.to(eta) - mean) * damped
        root = root_of_curvature(mean * damped, off)
        slopes = slopes[..., : self.n_counts] * root[:, None]
        return self._with_depth(slopes), self._with_depth(off / root)

    def draw(self, eta: Tensor, normal: Normal) -> Tensor:
        log_depth = eta.new_zeros(len(eta), 1).double()
        if self.has_depth:
            positions = uniform(normal, (len(eta), 1)).double() * (N_QUANTILES - 1)
            quantiles, below = self.depth_quantiles.double(), positions.floor().long()
            above = (below + 1).clamp_max(N_QUANTILES - 1)
            log_depth = torch.lerp(quantiles[below], quantiles[above], positions - below)
        means = (self._log_rates(eta).double() + log_depth).exp()
        seed = int(normal(1).double().view(torch.int64).item()) & (2**63 - 1)
        counts = self._drawn(means.cpu(), torch.Generator().manual_seed(seed)).to(means)
        return self._with_depth(torch.log1p(counts / log_depth.exp()), log_depth).to(eta)

    def _drawn(self, means: Tensor, generator: torch.Generator) -> Tensor:
        return torch.poisson(means, generator)

    def start(self, x: Tensor, slope: Tensor) -> Pair:
        counts, log_depth = self._counts(x)
        if self.has_depth:
            shares = torch.linspace(0.0, 1.0, N_QUANTILES, dtype=torch.float64)
            quantiles = torch.quantile(x[:, -1].double(), shares.to(x.device))
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

    def distribution(self, means: np.ndarray, x: np.ndarray) -> Bounds:
        depth = np.exp(x[:, self.n_counts :]) if self.has_depth else 1.0
        counts, rates = (np.expm1(table[:, : self.n_counts]) * depth for table in (x, means))
        high, at = self._law(np.round(counts), np.maximum(rates, NEAREST))
        return high - at, high

    def _law(self, counts: np.ndarray, means: np.ndarray) -> Bounds:
        """Return P(<= count) and P(count)."""
        return poisson.cdf(counts, means), poisson.pmf(counts, means)


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
        return torch.poisson(standard_gamma(r, generator) / r * means, generator)

    def _set_dispersions(self, counts: Tensor, means: Tensor) -> None:
        """Set dispersions by moments: those of all samples, which differ more than in a cell."""
        excess = ((counts - means).square() - means).sum(dim=0)
        r = means.square().sum(dim=0) / excess.clamp_min(tiny(means))
        self.log_dispersions.copy_(r.log().clamp(*LOG_DISPERSIONS))

    def _surplus(self, counts: Tensor, means: Tensor) -> Tensor:
        r = self.log_dispersions.double().exp()
        both = (counts + r) * ((counts + r) / (means + r)).log()
        return torch.xlogy(counts, counts / means) - both

    def _law(self, counts: np.ndarray, means: np.ndarray) -> Bounds:
        r = 1.0 / np.exp(-self.log_dispersions.cpu().numpy())
        return nbinom.cdf(counts, r, r / (r + means)), nbinom.pmf(counts, r, r / (r + means))

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
