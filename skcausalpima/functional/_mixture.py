"""The Gaussian mixture in closed form: responsibilities and updates (Eq. 16, 17)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ._covariance_types import covariance_type_named
from ._gaussian import DiagonalGaussian, expected_statistics
from ._quadratic import pairs_above


def log_responsibilities(log_weights: Tensor, log_density: Tensor) -> Tensor:
    r"""Return the log-responsibilities of the components (Eq. 16).

    :math:`\gamma_c \propto A_c \exp(d_c)`. What :math:`d_c` is, is the mode: the *expected*
    log-density :math:`E_q \log p(z | c)` makes gamma the exact maximiser of the ELBO for a
    mean-field posterior; the log-density at a *sampled* z is the paper's (and VaDE's).

    Parameters
    ----------
    log_weights : Tensor of shape (n_components,) or (n_components, n_samples)
        Logarithms of the cells' probabilities A, flattened in C order.
    log_density : Tensor of shape (n_components, n_samples)
        Log-densities (plus the log-likelihoods of cluster-dependent decoders, if any).

    Returns
    -------
    Tensor of shape (n_components, n_samples)
        Log-responsibilities; their exponentials sum to 1 over components.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import log_responsibilities
    >>> log_responsibilities(torch.tensor([0.25, 0.75]).log(), torch.zeros(2, 1)).exp()
    tensor([[0.2500],
            [0.7500]])
    """
    return torch.log_softmax(weight_columns(log_weights) + log_density, dim=0)


def weight_columns(log_weights: Tensor) -> Tensor:
    """Return log-weights as columns that broadcast over samples.

    Parameters
    ----------
    log_weights : Tensor of shape (n_components,) or (n_components, n_samples)
        One distribution for all samples, or each sample's own.

    Returns
    -------
    Tensor of shape (n_components, 1) or (n_components, n_samples)
        Columns.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._mixture import weight_columns
    >>> weight_columns(torch.zeros(3)).shape
    torch.Size([3, 1])
    """
    return log_weights[:, None] if log_weights.ndim == 1 else log_weights


@dataclass(frozen=True, kw_only=True)
class MixtureStatistics:
    """Sufficient statistics of the mixture over any number of samples, in float64.

    Parameters
    ----------
    counts : Tensor of shape (n_components,)
        Sums of responsibilities.
    first : Tensor of shape (n_components, latent_dim)
        Weighted sums of the posterior means, measured from ``origin``.
    second : Tensor of shape (n_components, latent_dim[, latent_dim])
        Weighted sums of second moments of the posteriors, measured from ``origin``; only the
        diagonals (2-D) or whole matrices (3-D).
    origin : Tensor of shape (latent_dim,)
        The point from which moments are measured.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, mixture_statistics
    >>> posterior = DiagonalGaussian(torch.ones(3, 1), torch.zeros(3, 1))
    >>> found = mixture_statistics(posterior, torch.ones(1, 3), torch.zeros(1), full=False)
    >>> (found + found).counts
    tensor([6.], dtype=torch.float64)
    """

    counts: Tensor
    first: Tensor
    second: Tensor
    origin: Tensor

    def __add__(self, other: MixtureStatistics) -> MixtureStatistics:
        """Pool the statistics of two sets of samples (both measured from one origin)."""
        return replace(
            self,
            counts=self.counts + other.counts,
            first=self.first + other.first,
            second=self.second + other.second,
        )

    def measured_from(self, origin: Tensor) -> MixtureStatistics:
        """Return the same sums, with moments measured from another point.

        Parameters
        ----------
        origin : Tensor of shape (latent_dim,)
            That point.

        Returns
        -------
        MixtureStatistics
            In float64.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.functional import DiagonalGaussian, mixture_statistics
        >>> posterior = DiagonalGaussian(torch.tensor([[3.0]]), torch.zeros(1, 1))
        >>> sums = mixture_statistics(posterior, torch.ones(1, 1), torch.zeros(1), full=False)
        >>> sums.measured_from(torch.ones(1)).first
        tensor([[2.]], dtype=torch.float64)
        """
        step = self.origin - origin.double()
        first = self.first + self.counts[:, None] * step
        if self.second.ndim == 2:
            second = self.second + step * (self.first + first)
        else:
            second = self.second + step[:, None] * self.first[:, None, :]
            second = second + first[:, :, None] * step
        return replace(self, first=first, second=second, origin=origin.double())

    def __mul__(self, factor: float) -> MixtureStatistics:
        """Let every sample count so many times."""
        counts, first = self.counts * factor, self.first * factor
        return replace(self, counts=counts, first=first, second=self.second * factor)


def remembered_statistics(
    counts: Tensor,
    means: Tensor,
    covariances: Tensor,
    reg_covar: float = 1e-6,
    shrinkage: float = 0.0,
) -> MixtureStatistics:
    r"""Return the sums that a mixture comes from: :func:`update_mixture` (Eq. 17) inverted.

    With :math:`S'_c = (N_c S_c + \nu P) / (N_c + \nu)` the pooled covariance is :math:`P =
    \sum_c (N_c + \nu) S'_c / \sum_c (N_c + \nu)`, and :math:`N_c S_c = (N_c + \nu) S'_c - \nu
    P`. So samples that are gone count as if they were there.

    Parameters
    ----------
    counts : Tensor of shape (n_components,)
        :math:`N_c`.
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Covariances of the components, of any type.
    reg_covar : float, default=1e-6
        What was added to the variances.
    shrinkage : float, default=0.0
        :math:`\nu`.

    Returns
    -------
    MixtureStatistics
        Measured from the mean of the means.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import remembered_statistics, update_mixture
    >>> means, variances = torch.tensor([[0.0], [4.0]]), torch.tensor([[1.0], [2.0]])
    >>> sums = remembered_statistics(torch.tensor([30.0, 70.0]), means, variances, 0.0, 5.0)
    >>> update = update_mixture(sums, means, variances, "diag", reg_covar=0.0, shrinkage=5.0)
    >>> update.means.flatten().tolist(), update.covariances.flatten().tolist()
    ([0.0, 4.0], [1.0, 2.0])
    """
    counts, means, new = counts.double(), means.double(), covariances.double().clone()
    diagonal = new if new.ndim == 2 else new.diagonal(dim1=-2, dim2=-1)
    diagonal.sub_(reg_covar).clamp_(min=0.0)
    total = _scale(new, counts + shrinkage)
    scatter = total - shrinkage * total.sum(dim=0) / (counts + shrinkage).sum()
    if new.ndim == 2:
        scatter = scatter.clamp(min=0.0)
    else:  # of a mixture that came from other numbers, parts may be negative
        values, vectors = torch.linalg.eigh(scatter)
        scatter = vectors * values.clamp(min=0.0)[:, None] @ vectors.mT
    origin = means.mean(dim=0)
    offsets = means - origin
    return MixtureStatistics(
        counts=counts,
        first=counts[:, None] * offsets,
        second=scatter + _scale(_outer(offsets, new.ndim), counts),
        origin=origin,
    )


def mixture_statistics(
    posterior: DiagonalGaussian, responsibilities: Tensor, origin: Tensor, full: bool
) -> MixtureStatistics:
    r"""Accumulate the sums that Eq. 17 needs.

    The sums are :math:`\sum \gamma`, :math:`\sum \gamma \mu` and
    :math:`\sum \gamma (\mu \mu^T + \mathrm{diag}(\sigma^2))`.

    Parameters
    ----------
    posterior : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    responsibilities : Tensor of shape (n_components, n_samples)
        Responsibilities; multiply them by sample weights if there are any.
    origin : Tensor of shape (latent_dim,)
        Subtracted from the means first, for precision.
    full : bool
        Whether to keep whole second-moment matrices or only their diagonals.

    Returns
    -------
    MixtureStatistics
        Additive over batches.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, mixture_statistics
    >>> posterior = DiagonalGaussian(torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))
    >>> mixture_statistics(posterior, torch.ones(1, 2), torch.zeros(1), full=False).first
    tensor([[4.]], dtype=torch.float64)
    """
    # (statistic, component): faster than the other way round
    sums = expected_statistics(posterior, origin, full) @ responsibilities.double().T
    return unpacked_statistics(sums, origin, full)


def unpacked_statistics(sums: Tensor, origin: Tensor, full: bool) -> MixtureStatistics:
    """Name sums of :func:`expected_statistics`, of shape (n_statistics, n_components).

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import unpacked_statistics
    >>> sums = torch.tensor([[2.0], [3.0], [5.0]]).double()
    >>> unpacked_statistics(sums, torch.zeros(1), full=False).second
    tensor([[5.]], dtype=torch.float64)
    """
    counts, first, second, above = sums.tensor_split([1, 1 + len(origin), 1 + 2 * len(origin)])
    return MixtureStatistics(
        counts=counts[0],
        first=first.T,
        second=_symmetric(second.T, above.T) if full else second.T,
        origin=origin.double(),
    )


def _symmetric(diagonals: Tensor, above: Tensor) -> Tensor:
    """Return matrices, given their diagonals and what is above them, row by row."""
    rows, columns = pairs_above(diagonals.T)
    matrices = torch.diag_embed(diagonals)
    matrices[:, rows, columns] = matrices[:, columns, rows] = above
    return matrices


class MixtureUpdate(NamedTuple):
    """The new mixture.

    Parameters
    ----------
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Variances (2-D) or covariance matrices (3-D), one per component also where they are tied.
    empty : Tensor of shape (n_components,)
        True where a component had no samples and kept its parameters (but a tied covariance
        is everyone's).

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import MixtureUpdate
    >>> update = MixtureUpdate(torch.zeros(2, 3), torch.ones(2, 3), torch.zeros(2).bool())
    >>> update.empty
    tensor([False, False])
    """

    means: Tensor
    covariances: Tensor
    empty: Tensor


def update_mixture(
    statistics: MixtureStatistics,
    means: Tensor,
    covariances: Tensor,
    covariance_type: str = "full",
    reg_covar: float = 1e-6,
    shrinkage: float = 0.0,
    min_count: float = 1e-3,
) -> MixtureUpdate:
    r"""Replace means and covariances by their closed-form optimum (Eq. 17).

    :math:`m_c = \sum_d \gamma_c \mu / N_c` and
    :math:`S_c = \sum_d \gamma_c ((\mu - m_c)(\mu - m_c)^T + \mathrm{diag}(\sigma^2)) / N_c`
    with :math:`N_c = \sum_d \gamma_c`. Each is then drawn to the pooled within-component
    covariance P, :math:`(N_c S_c + \nu P) / (N_c + \nu)`: the posterior mode under an
    inverse-Wishart prior of scale :math:`\nu P` and :math:`\nu - J - 1` degrees of freedom.
    At zero posterior variance and zero shrinkage this is scikit-learn's M step.

    Parameters
    ----------
    statistics : MixtureStatistics
        Sums over all samples; ``full`` ones for ``"full"`` and ``"tied"``.
    means : Tensor of shape (n_components, latent_dim)
        Present means; an empty component keeps its own.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Present covariances; likewise.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Shape of the covariances.
    reg_covar : float, default=1e-6
        Added to the variances.
    shrinkage : float, default=0.0
        :math:`\nu`, the number of samples that the pooled covariance counts for.
    min_count : float, default=1e-3
        A component with a smaller sum of responsibilities is empty.

    Returns
    -------
    MixtureUpdate
        In the dtype of ``means``.

    Raises
    ------
    ValueError
        If there is no such covariance type.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import (
    ...     DiagonalGaussian, mixture_statistics, update_mixture)
    >>> posterior = DiagonalGaussian(torch.tensor([[1.0], [3.0]]), torch.full((2, 1), -torch.inf))
    >>> sums = mixture_statistics(posterior, torch.ones(1, 2), torch.zeros(1), full=False)
    >>> update = update_mixture(sums, torch.zeros(1, 1), torch.ones(1, 1), "diag", reg_covar=0.0)
    >>> update.means.item(), update.covariances.item()
    (2.0, 1.0)
    """
    kind = covariance_type_named(covariance_type)
    counts, second = statistics.counts, statistics.second
    empty = counts < min_count
    safe_counts = torch.where(counts > 0, counts, torch.ones_like(counts))
    offsets = statistics.first / safe_counts[:, None]
    scatter = second - _scale(_outer(offsets, second.ndim), counts)  # N_c S_c
    pooled = scatter.sum(dim=0) / counts.sum()
    pooled_weight = safe_counts.new_full((), shrinkage)
    new = kind.m_step(scatter, pooled, safe_counts, pooled_weight)
    diagonal = new if new.ndim == 2 else new.diagonal(dim1=-2, dim2=-1)
    # rounding can leave a tiny negative variance; vmap has no clamp in place
    diagonal.copy_(diagonal.clamp(min=0.0) + reg_covar)
    # A tied covariance is everyone's, also that of empty components.
    keep_covariance = empty.all().expand_as(empty) if kind.is_shared else empty
    new = torch.where(_scale(torch.ones_like(new), keep_covariance) > 0, covariances.double(), new)
    new_means = torch.where(empty[:, None], means.double(), offsets + statistics.origin)
    return MixtureUpdate(new_means.to(means.dtype), new.to(means.dtype), empty)


def _outer(vectors: Tensor, ndim: int) -> Tensor:
    """Square vectors elementwise (ndim 2) or as outer products (ndim 3)."""
    return vectors.square() if ndim == 2 else vectors[:, :, None] * vectors[:, None, :]


def _scale(array: Tensor, factors: Tensor) -> Tensor:
    """Multiply each component's entry of an array by that component's factor."""
    return array * factors.reshape(-1, *[1] * (array.ndim - 1))
