"""The gradient of a batch that is spread over ranks: one sum over all of them for each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import Parameter

from .._data.ranks import Ranks
from .._model.tensors import TensorData
from ..modules import Batch


@dataclass(frozen=True, kw_only=True)
class GradientAverage:
    """Makes gradients of mean losses on each rank that of the mean over the whole batch.

    It is what ``torch.nn.parallel.DistributedDataParallel`` does, by rows: ranks need not have as
    many of them, and may have none.

    Parameters
    ----------
    ranks : Ranks
        Who has a part of the batch.
    n_rows : int
        How many rows of it are here.
    """

    ranks: Ranks
    n_rows: int

    @torch.no_grad()
    def of(self, parameters: Sequence[Parameter]) -> None:
        """Replace the gradients; a parameter that has none on any rank gets none."""
        parts = []
        for parameter in parameters:
            grad = parameter.grad
            parts.append((torch.zeros_like(parameter) if grad is None else grad).flatten())
        present = torch.tensor([p.grad is not None for p in parameters]).to(parts[0])
        n_rows = torch.tensor([self.n_rows]).to(parts[0])
        flat = self.ranks.total(
            torch.cat([*(part * self.n_rows for part in parts), present, n_rows])
        )
        is_somewhere = [True] * len(parts)
        if any(parameter.grad is None for parameter in parameters):  # else no device is waited for
            is_somewhere = flat[-1 - len(parts) : -1].tolist()
        flat, start = flat / flat[-1].clamp_min(1.0), 0
        for parameter, has_gradient in zip(parameters, is_somewhere, strict=True):
            if has_gradient:
                part = flat[start : start + parameter.numel()]
                parameter.grad = part.view_as(parameter).clone()
            start += parameter.numel()


def gradient_average(data: TensorData, batch: Batch) -> GradientAverage | None:
    """Return what averages the gradient of a batch of these data; None where all of it is here."""
    if not data.ranks.are_several:
        return None
    return GradientAverage(ranks=data.ranks, n_rows=len(batch.arrays[0]))
