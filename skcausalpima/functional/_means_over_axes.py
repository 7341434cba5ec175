"""Tables drawn to their means along every axis, with a gradient of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class MeansOverAxes(torch.autograd.Function):
    r"""Draw every table to its means along every axis: :math:`\prod_k M_k` of Eq. 9.

    With :math:`P_k` the mean along axis k, :math:`M_k = P_k + E_k (1 - P_k)`. All of these are
    symmetric: what gradients G of the result are for the tables is :math:`\prod_k M_k G`, and for
    :math:`E_k` it is :math:`\langle \prod_{j > k} M_j G, (1 - P_k) \prod_{j < k} M_j W \rangle`.
    Many small steps would otherwise cost more than all else that a grid of many cells needs.
    """

    @staticmethod
    def forward(ctx: Any, tables: Tensor, keep: Tensor) -> Tensor:
        values, before, deviations = _nodes_last(tables), 1, []
        for weight, size in zip(keep, tables.shape[1:], strict=True):
            values = values.reshape(before, size, -1, len(keep))  # (before, axis, after, node)
            mean = values.mean(dim=1, keepdim=True)
            deviations.append(values - mean)
            torch.lerp(mean, values, weight, out=values)  # exact at weights 0 and 1
            before *= size
        ctx.save_for_backward(keep, *deviations)
        return values.reshape(-1, len(keep)).T.reshape(tables.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        keep, *deviations = ctx.saved_tensors
        values, of_keep = _nodes_last(gradient), []
        for weight, deviation in zip(keep.flip(0), reversed(deviations), strict=True):
            values = values.reshape(deviation.shape)
            of_keep.append((values * deviation).sum(dim=(0, 1, 2)))
            torch.lerp(values.mean(dim=1, keepdim=True), values, weight, out=values)
        tables = values.reshape(-1, len(keep)).T.reshape(gradient.shape)
        return tables, torch.stack(of_keep[::-1])


def _nodes_last(tables: Tensor) -> Tensor:
    """Return tables as (cell, node): side by side, nodes make every axis fast to run along."""
    return tables.flatten(1).T.clone(memory_format=torch.contiguous_format)
