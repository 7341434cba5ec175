"""Gaussian algebra of the latent space (Eq. 4, 29, 34, 35)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ._kept import Kept
from ._quadratic import pairs_above, quadratic_coefficients

LOG_2PI = math.log(2.0 * math.pi)


class DiagonalGaussian(NamedTuple):
    """A batch of Gaussians with diagonal covariance.

    Parameters
    ----------
    mean : Tensor of shape (..., latent_dim)
        Means.
    log_var : Tensor of shape (..., latent_dim)
        Logarithms of the variances.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, entropy
    >>> posterior = DiagonalGaussian(torch.zeros(5, 2), torch.zeros(5, 2))
    >>> entropy(posterior.log_var).shape
    torch.Size([5])
    """

    mean: Tensor
    log_var: Tensor


class _ProductOfExperts(torch.autograd.Function):
    r"""Precisions that add up, and means that they weight, with a gradient of their own.

    With :math:`w_m` the share of an expert in the precision, gradients of the fused mean reach
    :math:`\mu_m` times :math:`w_m` and :math:`\log \sigma_m^{-2}` times :math:`w_m (\mu_m - \mu)`;
    those of the fused :math:`\log \sigma^{-2}` reach the latter times :math:`w_m`.
    """

    @staticmethod
    def forward(
        ctx: Kept, means: Tensor, log_precisions: Tensor, prior_expert: bool
    ) -> tuple[Tensor, Tensor]:
        largest = log_precisions.amax(dim=0)
        # Where no modality is observed and there is no prior all are minus infinity.
        largest = largest.clamp_min(0.0 if prior_expert else torch.finfo(largest.dtype).min)
        shares = (log_precisions - largest).exp_()
        total = shares.sum(dim=0)
        if prior_expert:
            total += largest.neg().exp_()
        log_precision = total.log().add_(largest)
        shares /= total.clamp_min_(torch.finfo(total.dtype).tiny)
        mean = (shares * means).sum(dim=0)
        # Of inputs and outputs alone a gradient can be differentiated again.
        ctx.save_for_backward(means, log_precisions, mean, log_precision)
        return mean, log_precision

    @staticmethod
    def backward(
        ctx: Kept, of_mean: Tensor, of_log_precision: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        means, log_precisions, mean, log_precision = ctx.saved_tensors
        smallest = torch.finfo(log_precision.dtype).min
        shares = torch.exp(log_precisions - log_precision.clamp_min(smallest))
        of_means = shares * of_mean
        return of_means, shares * of_log_precision + of_means * (means - mean), None


def product_of_experts(
    means: Tensor, log_vars: Tensor, observed: Tensor | None = None, prior_expert: bool = True
) -> DiagonalGaussian:
    r"""Fuse the embeddings of the modalities into one Gaussian (Eq. 4).

    Precisions add, :math:`\sigma^{-2} = \sum_m \sigma_m^{-2}`, and means are weighted by them,
    :math:`\mu / \sigma^2 = \sum_m \mu_m / \sigma_m^2`. An absent modality adds no precision.

    Parameters
    ----------
    means : Tensor of shape (n_modalities, n_samples, latent_dim)
        Means of the experts.
    log_vars : Tensor of shape (n_modalities, n_samples, latent_dim)
        Log-variances of the experts.
    observed : Tensor of shape (n_modalities, n_samples), default=None
        True where a sample has the modality; None means everywhere.
    prior_expert : bool, default=True
        Whether the prior N(0, I) is one more expert. The paper has none; without it a sample
        with no observed modality has infinite variance (and mean 0).

    Returns
    -------
    DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import product_of_experts
    >>> means = torch.tensor([[[1.0]], [[3.0]]])
    >>> fused = product_of_experts(means, torch.zeros(2, 1, 1), prior_expert=False)
    >>> fused.mean.item(), round(fused.log_var.exp().item(), 3)
    (2.0, 0.5)
    """
    # (modality, sample, latent); that of a certain expert is the largest number
    log_precisions = -log_vars.clamp_min(torch.finfo(log_vars.dtype).min)
    if observed is not None:
        log_precisions = log_precisions.masked_fill(~observed[..., None], -torch.inf)
        means = means.masked_fill(~observed[..., None], 0.0)
    mean, log_precision = _ProductOfExperts.apply(means, log_precisions, prior_expert)
    return DiagonalGaussian(mean, -log_precision)


def rsample(posterior: DiagonalGaussian, noise: Tensor) -> Tensor:
    r"""Draw from a diagonal Gaussian by the reparametrization trick.

    Computes :math:`z = \mu + \epsilon \odot \sigma` (Section 2.1), so that gradients reach
    both parameters.

    Parameters
    ----------
    posterior : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    noise : Tensor of shape (..., n_samples, latent_dim)
        Standard normal draws; leading axes are further draws.

    Returns
    -------
    Tensor of shape (..., n_samples, latent_dim)
        The draws.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, rsample
    >>> posterior = DiagonalGaussian(torch.ones(1, 2), torch.zeros(1, 2))
    >>> rsample(posterior, torch.zeros(1, 2))
    tensor([[1., 1.]])
    """
    return posterior.mean + noise * torch.exp(0.5 * posterior.log_var)


def entropy(log_var: Tensor) -> Tensor:
    r"""Return the entropy of diagonal Gaussians (Eq. 29 with its sign turned).

    :math:`H = \frac{1}{2} \sum_j [\log(2 \pi \sigma_j^2) + 1]`, in nats.

    Parameters
    ----------
    log_var : Tensor of shape (..., latent_dim)
        Log-variances.

    Returns
    -------
    Tensor of shape (...)
        Entropies in nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import entropy
    >>> round(entropy(torch.zeros(1)).item(), 4)
    1.4189
    """
    return 0.5 * (log_var.sum(dim=-1) + log_var.shape[-1] * (LOG_2PI + 1.0))


def expected_log_density(posterior: DiagonalGaussian, means: Tensor, covariances: Tensor) -> Tensor:
    r"""Return the expected log-density of every component under the posterior (Eq. 34, 35).

    :math:`E_{q(z)} \log N(z; m_c, S_c) = \log N(\mu; m_c, S_c)
    - \frac{1}{2} \mathrm{trace}(\mathrm{diag}(\sigma^2) S_c^{-1})`: Lemma E.2 with a diagonal
    first covariance, and Corollary E.1 where both are diagonal.

    Parameters
    ----------
    posterior : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Covariances of the components: variances where they are diagonal (2-D), whole matrices
        otherwise (3-D).

    Returns
    -------
    Tensor of shape (n_components, n_samples)
        Expected log-densities in nats.

    Raises
    ------
    torch.linalg.LinAlgError
        A covariance matrix is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, expected_log_density
    >>> posterior = DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1))
    >>> round(expected_log_density(posterior, torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)
    -1.4189
    """
    return prepare_components(means, covariances).expected_log_density(posterior)


def expected_statistics(posterior: DiagonalGaussian, origin: Tensor, full: bool) -> Tensor:
    r"""Return the expected sufficient statistics that Eq. 17, 34 and 35 are linear in.

    They are 1, :math:`\mu`, the diagonal of :math:`\mu \mu^T + \mathrm{diag}(\sigma^2)` and, of
    whole second moments, what is above it: no entry twice.

    Parameters
    ----------
    posterior : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    origin : Tensor of shape (latent_dim,)
        Subtracted from the means first, for precision.
    full : bool
        Whether to return whole second moments or only their diagonals.

    Returns
    -------
    Tensor of shape (n_statistics, n_samples)
        In float64: differences of squares keep their digits.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, expected_statistics
    >>> posterior = DiagonalGaussian(torch.tensor([[3.0, 1.0]]), torch.zeros(1, 2))
    >>> expected_statistics(posterior, torch.tensor([1.0, 0.0]), full=True).T
    tensor([[1., 2., 1., 5., 2., 2.]], dtype=torch.float64)
    """
    first = (posterior.mean.double() - origin.double()).T  # (latent, sample)
    variance = posterior.log_var.double().exp().T
    parts = [first.new_ones(1, first.shape[1]), first, torch.addcmul(variance, first, first)]
    if full:
        rows, columns = pairs_above(first)
        parts.append(first.index_select(0, rows) * first.index_select(0, columns))
    return torch.cat(parts)


@dataclass(frozen=True, kw_only=True)
class PreparedComponents:
    """Natural parameters of components that stay the same for a while, in float64.

    The expected log-density is linear in the posterior's expected sufficient statistics.

    Parameters
    ----------
    origin : Tensor of shape (latent_dim,)
        From which means are measured: keeps differences well conditioned far from zero.
    coefficients : Tensor of shape (n_components, n_statistics)
        Of the :func:`expected_statistics`: :math:`-\\frac{1}{2} [J \\log 2 \\pi + \\log |S_c| +
        m_c^T S_c^{-1} m_c]`, :math:`S_c^{-1} m_c`, minus half the diagonal of :math:`S_c^{-1}` and,
        where covariances are whole matrices, minus what is above it.
    is_full : bool
        Whether they are.
    """

    origin: Tensor
    coefficients: Tensor
    is_full: bool

    def expected_log_density(self, posterior: DiagonalGaussian) -> Tensor:
        """Evaluate Eq. 34 or 35; see :func:`expected_log_density`.

        Parameters
        ----------
        posterior : DiagonalGaussian
            Mean and log-variance of shape (n_samples, latent_dim).

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            Expected log-densities in nats, in the dtype of the posterior.
        """
        return (self.coefficients @ self.statistics(posterior)).to(posterior.mean.dtype)

    def statistics(self, posterior: DiagonalGaussian) -> Tensor:
        """Return the :func:`expected_statistics` that coefficients are of.

        Parameters
        ----------
        posterior : DiagonalGaussian
            Mean and log-variance of shape (n_samples, latent_dim).

        Returns
        -------
        Tensor of shape (n_statistics, n_samples)
            In float64.
        """
        return expected_statistics(posterior, self.origin, self.is_full)


def prepare_components(
    means: Tensor, covariances: Tensor, origin: Tensor | None = None
) -> PreparedComponents:
    """Factorise the covariances once for many calls of :func:`expected_log_density`.

    Parameters
    ----------
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Variances (2-D) or whole matrices (3-D).
    origin : Tensor of shape (latent_dim,), default=None
        From which posterior means are to be measured; None takes the mean of the means.

    Returns
    -------
    PreparedComponents
        With the method ``expected_log_density(posterior)``.

    Raises
    ------
    torch.linalg.LinAlgError
        A covariance matrix is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, prepare_components
    >>> prepared = prepare_components(torch.zeros(1, 1), torch.ones(1, 1, 1))
    >>> posterior = DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1))
    >>> round(prepared.expected_log_density(posterior).item(), 4)
    -1.4189
    """
    means, covariances = means.double(), covariances.double()
    origin = means.mean(dim=0) if origin is None else origin.double()
    latent_dim, is_full = means.shape[1], covariances.ndim == 3
    means = means - origin
    if is_full:
        factors = torch.linalg.cholesky(covariances)
        precisions = torch.cholesky_inverse(factors)
        log_det = 2.0 * factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=1)
    else:
        precisions, log_det = covariances.reciprocal(), covariances.log().sum(dim=1)
    return PreparedComponents(
        origin=origin,
        coefficients=quadratic_coefficients(precisions, means, latent_dim * LOG_2PI + log_det),
        is_full=is_full,
    )
