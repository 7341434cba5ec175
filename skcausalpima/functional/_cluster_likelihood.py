"""Decoders that depend on the cluster alone: their errors and sufficient statistics (Eq. 26)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._elbo import isotropic_log_likelihood
from ._gaussian import LOG_2PI


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


@dataclass(frozen=True, kw_only=True)
class CurveStatistics:
    """Sufficient statistics of a cluster-dependent decoder, in float64.

    Parameters
    ----------
    counts : Tensor of shape (n_components,)
        Sums of responsibilities over samples that have the modality.
    first : Tensor of shape (n_components, width)
        Weighted sums of the observations.
    second : Tensor of shape (n_components,)
        Weighted sums of their squared norms.
    projected : Tensor of shape (n_components, n_directions, n_directions)
        Weighted sums of the outer products of their projections on each component's directions.
    """

    counts: Tensor
    first: Tensor
    second: Tensor
    projected: Tensor

    def __add__(self, other: CurveStatistics) -> CurveStatistics:
        """Pool the statistics of two sets of samples."""
        return CurveStatistics(
            counts=self.counts + other.counts,
            first=self.first + other.first,
            second=self.second + other.second,
            projected=self.projected + other.projected,
        )

    @property
    def means(self) -> Tensor:
        """Weighted mean observation of each component, zero where it has none."""
        return self.first / torch.where(self.counts > 0, self.counts, 1.0)[:, None]


def curve_statistics(
    x: Tensor, responsibilities: Tensor, directions: Tensor | None = None
) -> CurveStatistics:
    r"""Accumulate what the gamma-weighted sum of Eq. 26 depends on.

    :math:`\sum_d \gamma_c \|x - f_c\|^2 = \sum_d \gamma_c \|x - \bar x_c\|^2 + N_c \|\bar x_c -
    f_c\|^2`: however many samples there are, a curve per cluster is fitted to the mean curve.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
        Observations; centred ones keep the most digits.
    responsibilities : Tensor of shape (n_components, n_samples)
        Responsibilities, zero where the modality is missing.
    directions : Tensor of shape (n_components, width, n_directions), default=None
        Orthonormal columns on which observations are projected; None for no projections.

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
    projected = gamma.new_zeros(len(gamma), 0, 0)
    if directions is not None and directions.shape[2]:
        projections = x @ directions.double()  # (component, sample, direction)
        projected = projections.mT @ (gamma[:, :, None] * projections)
    return CurveStatistics(
        counts=gamma.sum(dim=1),
        first=gamma @ x,
        second=gamma @ x.square().sum(dim=1),
        projected=projected,
    )


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


def projected_squared_errors(
    statistics: CurveStatistics, means: Tensor, directions: Tensor
) -> Tensor:
    r"""Return :math:`\sum_d \gamma_c Q_c^T (x - f_c) (x - f_c)^T Q_c` from the statistics.

    Parameters
    ----------
    statistics : CurveStatistics
        Of all samples, with the same directions.
    means : Tensor of shape (n_components, width)
        What each component predicts, f.
    directions : Tensor of shape (n_components, width, n_directions)
        Orthonormal columns, Q.

    Returns
    -------
    Tensor of shape (n_components, n_directions, n_directions)
        In float64.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import curve_statistics, projected_squared_errors
    >>> x, direction = torch.tensor([[1.0, 5.0], [3.0, 7.0]]), torch.tensor([[[1.0], [0.0]]])
    >>> statistics = curve_statistics(x, torch.ones(1, 2), direction)
    >>> projected_squared_errors(statistics, torch.zeros(1, 2), direction).item()
    10.0
    """
    directions = directions.double()
    sums = (statistics.first[:, None] @ directions)[:, 0]
    centres = (means.double()[:, None] @ directions)[:, 0]
    cross = sums[:, :, None] * centres[:, None, :]
    outer = statistics.counts[:, None, None] * centres[:, :, None] * centres[:, None, :]
    return statistics.projected - cross - cross.mT + outer


def scattered_log_likelihood(
    squared_errors: Tensor, projections: Tensor, width: int, log_var: Tensor, covariances: Tensor
) -> Tensor:
    r"""Return the log-likelihood of curves whose parameters scatter between samples.

    :math:`\log N(x;\, f_c,\, Q_c M_c Q_c^T + \hat\sigma_c^2 (I - Q_c Q_c^T))`: along the columns of
    Q, in which the parameters move the curve, residuals have the covariance M, across them they are
    independent. With :math:`M = \hat\sigma^2 I` it is Eq. 26.

    Parameters
    ----------
    squared_errors : Tensor of shape (n_components, n_samples)
        :math:`\|x - f_c\|^2`.
    projections : Tensor of shape (n_components, n_samples, n_directions)
        :math:`Q_c^T (x - f_c)`.
    width : int
        Number of elements of a curve.
    log_var : Tensor of shape (n_components,)
        :math:`\log \hat\sigma_c^2`.
    covariances : Tensor of shape (n_components, n_directions, n_directions)
        M.

    Returns
    -------
    Tensor of shape (n_components, n_samples)
        In nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import scattered_log_likelihood
    >>> none = torch.zeros(1, 1, 1), 2, torch.zeros(1), torch.ones(1, 1, 1)
    >>> round(scattered_log_likelihood(torch.zeros(1, 1), *none).item(), 4)
    -1.8379
    """
    n_directions = projections.shape[2]
    factors = torch.linalg.cholesky(covariances)
    inside = torch.linalg.solve_triangular(factors, projections.mT, upper=False).square().sum(dim=1)
    log_det = 2.0 * factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=1)[:, None]
    across = (squared_errors - projections.square().sum(dim=2)).clamp_min(0.0)
    rest = isotropic_log_likelihood(across, width - n_directions, log_var[:, None])
    return rest - 0.5 * (n_directions * LOG_2PI + log_det + inside)
