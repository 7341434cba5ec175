"""Parameters with bounds as smooth functions of unbounded ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Start values on a bound are moved inside by this part of the interval.
INSIDE = 1e-6


@dataclass(frozen=True)
class ParameterSpace:
    r"""A smooth bijection from all of space to a box, some of whose sides may be ordered.

    A parameter between two finite bounds is a logistic function of its unbounded coordinate, one
    with a single bound a softplus, one without bounds the coordinate itself. Parameters of an
    ordered group divide their common interval into gaps, which are a softmax.

    Parameters
    ----------
    lower, upper : tuple of float
        Bounds of each parameter, infinite where there is none.
    ordered : tuple of tuple of int, default=()
        Groups of parameters, each group rising and between the same finite bounds.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._experts.parameter_space import ParameterSpace
    >>> space = ParameterSpace((0.0, -torch.inf), (1.0, torch.inf))
    >>> space.values(torch.tensor([[0.0, 5.0]]))
    tensor([[0.5000, 5.0000]])
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    ordered: tuple[tuple[int, ...], ...] = ()

    def values(self, free: Tensor) -> Tensor:
        """Return the parameters that unbounded coordinates stand for.

        Parameters
        ----------
        free : Tensor of shape (..., n_parameters)
            Coordinates.

        Returns
        -------
        Tensor of shape (..., n_parameters)
            Parameters within their bounds.
        """
        columns = [
            _inside(column, low, high)
            for column, low, high in zip(free.unbind(-1), self.lower, self.upper, strict=True)
        ]
        for group in self.ordered:
            gaps = torch.stack([*(free[..., k] for k in group), torch.zeros_like(free[..., 0])], -1)
            shares = torch.softmax(gaps, dim=-1).cumsum(dim=-1)
            low, high = self.lower[group[0]], self.upper[group[0]]
            for place, k in enumerate(group):
                columns[k] = low + (high - low) * shares[..., place]
        return torch.stack(columns, dim=-1) if columns else free

    def coordinates(self, values: Tensor) -> Tensor:
        """Return the unbounded coordinates of parameters; those on a bound are moved inside.

        Parameters
        ----------
        values : Tensor of shape (..., n_parameters)
            Parameters.

        Returns
        -------
        Tensor of shape (..., n_parameters)
            Coordinates: the inverse of :meth:`values`.
        """
        columns = [
            _outside(column, low, high)
            for column, low, high in zip(values.unbind(-1), self.lower, self.upper, strict=True)
        ]
        for group in self.ordered:
            low, high = self.lower[group[0]], self.upper[group[0]]
            shares = [(values[..., k] - low) / (high - low) for k in group]
            edges = [torch.zeros_like(shares[0]), *shares, torch.ones_like(shares[0])]
            gaps = torch.stack(edges, dim=-1).diff(dim=-1).clamp_min(INSIDE).log()
            for place, k in enumerate(group):
                columns[k] = gaps[..., place] - gaps[..., -1]
        return torch.stack(columns, dim=-1) if columns else values


def _inside(free: Tensor, low: float, high: float) -> Tensor:
    """Map all of the line onto an interval."""
    if low > -torch.inf and high < torch.inf:
        return low + (high - low) * torch.sigmoid(free)
    if low > -torch.inf:
        return low + torch.nn.functional.softplus(free)
    if high < torch.inf:
        return high - torch.nn.functional.softplus(-free)
    return free


def _outside(value: Tensor, low: float, high: float) -> Tensor:
    """Invert :func:`_inside`."""
    if low > -torch.inf and high < torch.inf:
        share = (value - low) / (high - low)
        share = torch.where(share <= 0, INSIDE, torch.where(share >= 1, 1.0 - INSIDE, share))
        return torch.logit(share)
    if low > -torch.inf:
        return _inverse_softplus(value - low)
    if high < torch.inf:
        return -_inverse_softplus(high - value)
    return value


def _inverse_softplus(value: Tensor) -> Tensor:
    value = torch.where(value > 0, value, INSIDE)
    return value + torch.log(-torch.expm1(-value))
