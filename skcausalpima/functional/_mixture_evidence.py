"""What the mixture adds to the bound, straight from the posterior, with a gradient of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._gaussian import DiagonalGaussian, PreparedComponents, pairs_above
from ._mixture import weight_columns


class _MixtureEvidence(torch.autograd.Function):
    r"""Densities and their logsumexp, whose gradient needs no second exponential.

    The gradient of :math:`\mathrm{logsumexp}_c (\log A_c + d_c)` is :math:`\gamma_c`, and the
    densities are linear in the expected statistics (Eq. 34).
    """

    @staticmethod
    def forward(
        ctx: Any,
        mean: Tensor,
        log_var: Tensor,
        log_weights: Tensor,
        prepared: PreparedComponents,
        allowed: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        statistics = prepared.statistics(DiagonalGaussian(mean, log_var))
        log_density = prepared.of_statistics(statistics).to(mean.dtype)
        if allowed is not None:
            log_density.masked_fill_(~allowed, -torch.inf)
        gamma = log_weights + log_density
        largest = gamma.amax(dim=0)
        total = gamma.sub_(largest).exp_().sum(dim=0)
        gamma /= total
        ctx.prepared, ctx.columns = prepared, log_weights.shape[1]
        ctx.save_for_backward(statistics, log_var, gamma)
        ctx.mark_non_differentiable(log_density)
        return total.log_().add_(largest), log_density

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, _: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        statistics, log_var, gamma = ctx.saved_tensors
        weighted = gamma * gradient
        # In the precision of the networks: only differences of densities need more digits.
        of_statistics = ctx.prepared.coefficients.T.to(weighted) @ weighted
        latent_dim = log_var.shape[1]
        first = statistics[1 : 1 + latent_dim].to(weighted)
        _, of_first, of_second, of_above = of_statistics.tensor_split(
            [1, 1 + latent_dim, 1 + 2 * latent_dim]
        )
        of_mean = torch.addcmul(of_first, of_second, first, value=2.0)
        if ctx.prepared.is_full:
            rows, columns = pairs_above(first)
            of_mean.index_add_(0, rows, of_above * first.index_select(0, columns))
            of_mean.index_add_(0, columns, of_above * first.index_select(0, rows))
        of_weights = weighted.sum(dim=1, keepdim=True) if ctx.columns == 1 else weighted
        return of_mean.T, of_second.T * log_var.exp(), of_weights, None, None


def mixture_evidence(
    posterior: DiagonalGaussian,
    log_weights: Tensor,
    prepared: PreparedComponents,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Return :func:`mixture_log_evidence` of a posterior, and the log-densities on the way.

    Parameters
    ----------
    posterior : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    log_weights : Tensor of shape (n_components,) or (n_components, n_samples)
        Logarithms of the cells' probabilities.
    prepared : PreparedComponents
        The mixture; no gradient reaches it.
    allowed : Tensor of bool of shape (n_components, n_samples), default=None
        Cells that a sample may belong to; None allows all.

    Returns
    -------
    evidence : Tensor of shape (n_samples,)
        In nats.
    log_density : Tensor of shape (n_components, n_samples)
        Expected log-densities; no gradient reaches them.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import DiagonalGaussian, mixture_evidence, prepare_components
    >>> mixture = prepare_components(torch.zeros(1, 1), torch.ones(1, 1, 1))
    >>> posterior = DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1))
    >>> evidence, _ = mixture_evidence(posterior, torch.zeros(1), mixture)
    >>> round(evidence.item(), 4)
    -1.4189
    """
    columns = weight_columns(log_weights)
    return _MixtureEvidence.apply(*posterior, columns, prepared, allowed)
