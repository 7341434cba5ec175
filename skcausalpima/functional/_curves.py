"""Decoders that depend on the cluster alone: their errors and sufficient statistics (Eq. 26)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def cluster_squared_errors(x: Tensor, means: Tensor) -> Tensor:
    r"""Return the squared error of every sample under every component's mean.

    Differences are taken before they are squared: the expansion
    :math:`\|x\|^2 - 2 x \cdot m + \|m\|^2` loses digits where the noise is small.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
        Observations.
    means : Tensor of shape (n_components, width)
        What each component predicts.

    Returns
    -------
    Tensor of shape (n_components, n_samples)
        Summed over elements.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import cluster_squared_errors
    >>> cluster_squared_errors(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    mode = "donot_use_mm_for_euclid_dist"
    return torch.cdist(means, x, compute_mode=mode).square()


class CurveStatistics(NamedTuple):
    """Sufficient statistics of a cluster-dependent decoder, in float64.

    Parameters
    ----------
    counts : Tensor of shape (n_components,)
        Sums of responsibilities over samples that have the modality.
    first : Tensor of shape (n_components, width)
        Weighted sums of the observations.
    second : Tensor of shape (n_components,)
        Weighted sums of their squared norms.
    """

    counts: Tensor
    first: Tensor
    second: Tensor

    def __add__(self, other: CurveStatistics) -> CurveStatistics:
        """Pool the statistics of two sets of samples."""
        return CurveStatistics(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def means(self) -> Tensor:
        """Weighted mean observation of each component, zero where it has none."""
        return self.first / torch.where(self.counts > 0, self.counts, 1.0)[:, None]


def curve_statistics(x: Tensor, responsibilities: Tensor) -> CurveStatistics:
    r"""Accumulate what the gamma-weighted sum of Eq. 26 depends on.

    :math:`\sum_d \gamma_c \|x - f_c\|^2 = \sum_d \gamma_c \|x - \bar x_c\|^2 + N_c \|\bar x_c -
    f_c\|^2`: however many samples there are, a curve per cluster is fitted to the mean curve.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
        Observations; centred ones keep the most digits.
    responsibilities : Tensor of shape (n_components, n_samples)
        Responsibilities, zero where the modality is missing.

    Returns
    -------
    CurveStatistics
        Additive over batches.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import curve_statistics
    >>> curve_statistics(torch.tensor([[1.0], [3.0]]), torch.ones(1, 2)).means.item()
    2.0
    """
    gamma, x = responsibilities.double(), x.double()
    return CurveStatistics(gamma.sum(dim=1), gamma @ x, gamma @ x.square().sum(dim=1))


def curve_squared_errors(statistics: CurveStatistics, means: Tensor) -> Tensor:
    r"""Return :math:`\sum_d \gamma_c \|x - f_c\|^2` of each component from its statistics.

    Parameters
    ----------
    statistics : CurveStatistics
        Of all samples.
    means : Tensor of shape (n_components, width)
        What each component predicts.

    Returns
    -------
    Tensor of shape (n_components,)
        Nonnegative, in float64.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import curve_squared_errors, curve_statistics
    >>> statistics = curve_statistics(torch.tensor([[1.0], [3.0]]), torch.ones(1, 2))
    >>> curve_squared_errors(statistics, torch.zeros(1, 1)).item()
    10.0
    """
    centre = statistics.means
    scatter = statistics.second - statistics.counts * centre.square().sum(dim=1)
    misfit = (centre - means.double()).square().sum(dim=1)
    return scatter.clamp_min(0.0) + statistics.counts * misfit
