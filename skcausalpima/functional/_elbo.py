"""The evidence lower bound, term by term and per sample (Eq. 31)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ._gaussian import LOG_2PI
from ._kept import Kept
from ._mixture import weight_columns


class _SquaredErrors(torch.autograd.Function):
    """Squared errors whose gradient is one multiplication, not four passes over the data."""

    @staticmethod
    def forward(ctx: Kept, decoded: Tensor, x: Tensor) -> Tensor:
        difference = decoded - x
        ctx.save_for_backward(difference)
        return difference.square().sum(dim=-1)

    @staticmethod
    def backward(ctx: Kept, gradient: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference * (2.0 * gradient)[..., None], None


def squared_errors(decoded: Tensor, x: Tensor) -> Tensor:
    r"""Return :math:`\|x - \hat x\|^2`, summed over the elements of each sample.

    Parameters
    ----------
    decoded : Tensor of shape (n_samples, width)
        What is decoded; gradients reach it alone.
    x : Tensor of shape (n_samples, width)
        Observations.

    Returns
    -------
    Tensor of shape (n_samples,)
        Squared errors.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import squared_errors
    >>> squared_errors(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    tensor([25.])
    """
    if not torch.is_grad_enabled():
        return (decoded - x).square().sum(dim=-1)
    return _SquaredErrors.apply(decoded, x)


def gaussian_log_likelihood(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    r"""Return the log-likelihood of one modality (Eq. 26), summed over its elements.

    :math:`-\frac{1}{2} [D \log(2 \pi \hat\sigma^2) + \|x - \hat x\|^2 / \hat\sigma^2]`: the
    log-variance counts once per element.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
        Observations.
    mean : Tensor of shape (..., n_samples, width)
        Decoded means.
    log_var : Tensor that broadcasts to (..., n_samples, width)
        Log-variances of the decoder, most often one number.

    Returns
    -------
    Tensor of shape (..., n_samples)
        Log-likelihoods in nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import gaussian_log_likelihood
    >>> x = torch.zeros(1, 2)
    >>> round(gaussian_log_likelihood(x, x, torch.tensor(0.0)).item(), 4)
    -1.8379
    """
    # One fused kernel: every further array of the modality's size costs more than arithmetic.
    squared = torch.nn.functional.mse_loss(mean, x.expand_as(mean), reduction="none")
    if log_var.ndim == 0:
        return isotropic_log_likelihood(squared.sum(dim=-1), x.shape[-1], log_var)
    return -0.5 * (LOG_2PI + log_var + squared * torch.exp(-log_var)).sum(dim=-1)


def isotropic_log_likelihood(squared_error: Tensor, width: int | Tensor, log_var: Tensor) -> Tensor:
    r"""Return Eq. 26 where all elements of a modality share one variance.

    Parameters
    ----------
    squared_error : Tensor
        :math:`\|x - \hat x\|^2`, summed over elements.
    width : int or Tensor
        Number of elements D.
    log_var : Tensor
        Log-variance of the decoder.

    Returns
    -------
    Tensor
        Log-likelihoods in nats, of the broadcast shape.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import isotropic_log_likelihood
    >>> round(isotropic_log_likelihood(torch.tensor(0.0), 2, torch.tensor(0.0)).item(), 4)
    -1.8379
    """
    return -0.5 * (width * (LOG_2PI + log_var) + squared_error * torch.exp(-log_var))


def mixture_log_evidence(log_weights: Tensor, log_density: Tensor) -> Tensor:
    r"""Return the terms of the mixture at the optimal responsibilities.

    With the gamma of the expected mode, :math:`\sum_c \gamma_c (\log A_c + d_c -
    \log \gamma_c) = \mathrm{logsumexp}_c (\log A_c + d_c)`: one logsumexp holds three of the
    five terms of Eq. 31, and gamma need not be part of the graph.

    Parameters
    ----------
    log_weights : Tensor of shape (n_components,) or (n_components, n_samples)
        Logarithms of the cells' probabilities.
    log_density : Tensor of shape (n_components, n_samples)
        Expected log-densities.

    Returns
    -------
    Tensor of shape (n_samples,)
        In nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import mixture_log_evidence
    >>> mixture_log_evidence(torch.tensor([0.5, 0.5]).log(), torch.zeros(2, 1))
    tensor([0.])
    """
    return torch.logsumexp(weight_columns(log_weights) + log_density, dim=0)


class MixtureTerms(NamedTuple):
    """The terms of Eq. 31 in which the clusters appear.

    Parameters
    ----------
    density : Tensor of shape (n_samples,)
        :math:`E_q \\log p(z | c)` (Eq. 27).
    weight : Tensor of shape (n_samples,)
        :math:`E_q \\log A` (Eq. 28).
    assignment_entropy : Tensor of shape (n_samples,)
        :math:`-E_q \\log \\gamma` (Eq. 30 with its sign turned).

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import mixture_terms
    >>> half = torch.tensor([0.5, 0.5]).log()
    >>> sum(mixture_terms(half, torch.zeros(2, 1), half[:, None]))  # the two cells are one
    tensor([0.])
    """

    density: Tensor
    weight: Tensor
    assignment_entropy: Tensor


def mixture_terms(
    log_weights: Tensor, log_density: Tensor, log_responsibilities: Tensor
) -> MixtureTerms:
    r"""Return Eq. 27, 28 and 30 for any responsibilities.

    Parameters
    ----------
    log_weights : Tensor of shape (n_components,) or (n_components, n_samples)
        Logarithms of the cells' probabilities A.
    log_density : Tensor of shape (n_components, n_samples)
        Expected log-densities.
    log_responsibilities : Tensor of shape (n_components, n_samples)
        Logarithms of gamma.

    Returns
    -------
    MixtureTerms
        Per sample, in nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import mixture_terms
    >>> half = torch.tensor([0.5, 0.5]).log()
    >>> terms = mixture_terms(half, torch.zeros(2, 1), half[:, None])
    >>> round(terms.assignment_entropy.item(), 4)
    0.6931
    """
    gamma = log_responsibilities.exp()
    log_weights = weight_columns(log_weights)
    # 0 * log(0) is 0: a cell of probability zero is never responsible for a sample
    density, weight, negentropy = (
        (gamma * logs.clamp_min(torch.finfo(logs.dtype).min)).sum(dim=0)
        for logs in (log_density, log_weights, log_responsibilities)
    )
    return MixtureTerms(density, weight, -negentropy)
