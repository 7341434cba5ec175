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
        grads = [parameter.grad for parameter in parameters]
        parts = [
            (torch.zeros_like(parameter) if grad is None else grad).flatten()
            for parameter, grad in zip(parameters, grads, strict=True)
        ]
        has_gradient = [float(grad is not None) for grad in grads]
        numbers = torch.tensor([*has_gradient, 1.0]).to(parts[0])
        flat = self.ranks.total(torch.cat([*parts, numbers]).mul_(self.n_rows))
        is_somewhere, n_rows = flat[-len(numbers) : -1], flat[-1].clamp_min(1.0).clone()
        if not all(has_gradient):  # else no device is waited for
            has_gradient = is_somewhere.tolist()
        flat.div_(n_rows)
        ends = flat.split([*map(Parameter.numel, parameters), len(numbers)])
        for parameter, part, has_one in zip(parameters, ends[:-1], has_gradient, strict=True):
            if has_one:
                parameter.grad = part.view_as(parameter)


def gradient_average(data: TensorData, batch: Batch) -> GradientAverage | None:
    """Return what averages the gradient of a batch of these data; None where all of it is here."""
    if not data.ranks.are_several:
        return None
    return GradientAverage(ranks=data.ranks, n_rows=len(batch.arrays[0]))
