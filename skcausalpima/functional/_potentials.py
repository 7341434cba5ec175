"""Gaussian potentials times a mixture: the posterior of incomplete samples in closed form."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from ._gaussian import LOG_2PI, DiagonalGaussian


class Conditionals(NamedTuple):
    r"""Gaussians :math:`q(z | c, x_S)`, one per component and sample.

    Parameters
    ----------
    means : Tensor of shape (n_samples, n_components, latent_dim)
        Means.
    factors : Tensor of shape (n_samples, n_components, latent_dim, latent_dim)
        Square roots F of the covariances :math:`F F^T`.
    """

    means: Tensor
    factors: Tensor

    @property
    def variances(self) -> Tensor:
        """Variances of the coordinates, of the shape of ``means``."""
        return self.factors.square().sum(dim=-1)


def log_overlap(potential: DiagonalGaussian, means: Tensor, covariances: Tensor) -> Tensor:
    r"""Return the log-integrals of a potential times every component.

    :math:`\log \int N(z; m_c, S_c) N(z; \mu, V) dz = \log N(\mu; m_c, S_c + V)`, the log-evidence
    of component c if :math:`\mu` is a measurement of z with noise of covariance V. Gradients reach
    the potential alone; they are its moments: :math:`-\alpha` for :math:`\mu` and
    :math:`\frac{1}{2} (\alpha^2 - \mathrm{diag}\, (S_c + V)^{-1})` for V, with
    :math:`\alpha = (S_c + V)^{-1} (\mu - m_c)`.

    Parameters
    ----------
    potential : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Variances (2-D) or whole matrices (3-D).

    Returns
    -------
    Tensor of shape (n_components, n_samples)
        In nats; NaN where potentials are not finite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, log_overlap
    >>> potential = DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1))
    >>> round(log_overlap(potential, torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)
    -1.2655
    """
    variances = potential.log_var.exp()
    return cast(Tensor, _LogOverlap.apply(potential.mean, variances, means, covariances)).T


class _LogOverlap(torch.autograd.Function):
    """Factorising many small matrices is cheap, but not its gradient: here it is moments."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, mu: Tensor, variances: Tensor, means: Tensor, covariances: Tensor
    ) -> Tensor:
        distances = mu.T[..., None] - means.T[:, None]  # (latent, sample, component)
        noise = variances.T[..., None]
        if covariances.ndim == 2:
            precisions = (covariances.T[:, None] + noise).reciprocal()
            scaled, log_det = precisions * distances, -precisions.log().sum(dim=0)
        else:
            total = covariances.permute(1, 2, 0)[:, :, None].repeat(1, 1, len(mu), 1)
            total.diagonal(dim1=0, dim2=1).add_(noise.permute(1, 2, 0))
            inverse, log_det = invert_in_place(total)
            scaled = (inverse * distances).sum(dim=1)
            precisions = inverse.diagonal(dim1=0, dim2=1).permute(2, 0, 1)
        ctx.save_for_backward(scaled, precisions)
        return -0.5 * ((scaled * distances).sum(dim=0) + log_det + mu.shape[1] * LOG_2PI)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        scaled, precisions = ctx.saved_tensors  # type: ignore[attr-defined]
        gradient = gradients[0]
        of_mean = -(gradient * scaled).sum(dim=2).T
        of_variances = 0.5 * (gradient * (scaled.square() - precisions)).sum(dim=2).T
        return of_mean, of_variances, None, None


def invert_in_place(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Invert many small symmetric positive definite matrices at once (Gauss and Jordan).

    Parameters
    ----------
    matrices : Tensor of shape (size, size, ...)
        The trailing axes number the matrices: each step is one operation on all of them, which is
        several times as fast as a factorisation of one after another. Overwritten.

    Returns
    -------
    inverses : Tensor of shape (size, size, ...)
        In the memory of ``matrices``.
    log_determinants : Tensor of shape (...)
        Of the matrices; not finite where one is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._potentials import invert_in_place
    >>> inverses, log_determinants = invert_in_place(torch.full((1, 1, 1), 4.0))
    >>> inverses.item(), round(log_determinants.item(), 4)
    (0.25, 1.3863)
    """
    pivots = []
    for k in range(len(matrices)):
        pivot = matrices[k, k].clone()
        row, column = matrices[k] / pivot, matrices[:, k].clone()
        matrices.sub_(column[:, None] * row)
        matrices[k], matrices[:, k] = row, -column / pivot
        matrices[k, k] = pivot.reciprocal()
        pivots.append(pivot)
    return matrices, torch.stack(pivots).log().sum(dim=0)


def _cholesky(matrices: Tensor) -> Tensor:
    """Return Cholesky factors, NaN where there are none: one sample must not end all."""
    factors, failed = torch.linalg.cholesky_ex(matrices)
    if failed.any():
        factors = factors.masked_fill((failed != 0)[..., None, None], torch.nan)
    return factors


def conditional_posteriors(
    potential: DiagonalGaussian, means: Tensor, covariances: Tensor
) -> Conditionals:
    r"""Return the normalised products of a potential with every component.

    :math:`q(z | c, x_S) \propto N(z; m_c, S_c) N(z; \mu, V)` has the precision
    :math:`S_c^{-1} + V^{-1}`. With the Cholesky factors :math:`S_c = L L^T` and
    :math:`I + L^T V^{-1} L = K K^T`, its covariance is :math:`F F^T`, :math:`F = L K^{-T}`, and
    its mean :math:`m_c + F F^T V^{-1} (\mu - m_c)`. Whole matrices are factorised in float64: where
    a potential is narrow along some coordinates, float32 would lose I beside the rest.

    Parameters
    ----------
    potential : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Variances (2-D) or whole matrices (3-D).

    Returns
    -------
    Conditionals
        Means, and square roots of the covariances; NaN where potentials are not finite.

    Raises
    ------
    torch.linalg.LinAlgError
        A covariance matrix is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, conditional_posteriors
    >>> potential = DiagonalGaussian(torch.full((1, 1), 2.0), torch.zeros(1, 1))
    >>> found = conditional_posteriors(potential, torch.zeros(1, 1), torch.ones(1, 1))
    >>> found.means.item(), round(found.variances.item(), 4)
    (1.0, 0.5)
    """
    precisions = torch.exp(-potential.log_var)[:, None]  # (sample, 1, latent)
    pull = precisions * (potential.mean[:, None] - means)
    if covariances.ndim == 2:
        variances = covariances / (1.0 + covariances * precisions)
        return Conditionals(means + variances * pull, torch.diag_embed(variances.sqrt()))
    roots = torch.linalg.cholesky(covariances).double()
    gram = roots.mT @ (precisions.double()[..., None] * roots)
    inner = _cholesky(gram + torch.eye(len(gram[0, 0])).to(gram))
    factors = torch.linalg.solve_triangular(inner, roots.mT.expand_as(inner), upper=False).mT
    shift = (factors @ (factors.mT @ pull.double()[..., None])).to(pull)
    return Conditionals(means + shift[..., 0], factors.to(pull))


def expected_log_potential(potential: DiagonalGaussian, mean: Tensor, variance: Tensor) -> Tensor:
    r"""Return :math:`E \log N(z; \mu, V)` over z of given means and variances.

    Parameters
    ----------
    potential : DiagonalGaussian
        Mean and log-variance, which broadcast to (..., latent_dim).
    mean, variance : Tensor of shape (..., latent_dim)
        Moments of each coordinate of z.

    Returns
    -------
    Tensor of shape (...)
        In nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, expected_log_potential
    >>> potential = DiagonalGaussian(torch.zeros(1), torch.zeros(1))
    >>> round(expected_log_potential(potential, torch.zeros(1), torch.ones(1)).item(), 4)
    -1.4189
    """
    squares = variance + (mean - potential.mean).square()
    terms = potential.log_var + LOG_2PI + squares * torch.exp(-potential.log_var)
    return -0.5 * terms.sum(dim=-1)
