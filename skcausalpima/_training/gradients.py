"""Steps of gradient descent: Adam, and gradients of a batch of which others have a part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.adam import adam

from .._model.tensors import TensorData
from ..modules import Batch


@dataclass(frozen=True, kw_only=True)
class GradientAverage:
    """Makes gradients of mean losses in each process that of the mean over the whole batch.

    It is what ``torch.nn.parallel.DistributedDataParallel`` does, by rows: processes need not have
    as many of them, and may have none.

    Parameters
    ----------
    data : TensorData
        What the batch is of.
    n_rows : int
        How many rows of it are here.
    """

    data: TensorData
    n_rows: int

    @torch.no_grad()
    def of(self, parameters: Sequence[Parameter]) -> None:
        """Replace the gradients; a parameter that has none anywhere gets none."""
        grads = [parameter.grad for parameter in parameters]
        parts = [
            (torch.zeros_like(parameter) if grad is None else grad).flatten()
            for parameter, grad in zip(parameters, grads, strict=True)
        ]
        has_gradient = [float(grad is not None) for grad in grads]
        numbers = torch.tensor([*has_gradient, 1.0]).to(parts[0])
        flat = self.data.total_of(torch.cat([*parts, numbers]).mul_(self.n_rows))
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
    if not data.is_shared:
        return None
    return GradientAverage(data=data, n_rows=len(batch.arrays[0]))


BETAS, EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """The steps of :class:`torch.optim.Adam`, bit by bit.

    As an object, PyTorch's loads its compiler when the first one is made, which takes longer than
    small fits do, and looks again at every step what it is made of.

    Parameters
    ----------
    groups : sequence of (list of Parameter, float)
        Parameters and their learning rates.

    Attributes
    ----------
    rates : list of float
        Learning rates of the groups, which may be changed.
    moments : dict of Parameter to dict of str to Tensor
        Of parameters that have been stepped: "step", "exp_avg" and "exp_avg_sq".
    """

    def __init__(self, *groups: tuple[Sequence[Parameter], float]) -> None:
        self.groups = [list(parameters) for parameters, _ in groups]
        self.rates = [rate for _, rate in groups]
        self.moments: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.groups:
            for parameter in group:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Make one step with the gradients that there are."""
        for group, rate in zip(self.groups, self.rates, strict=True):
            trained: list[Tensor] = [p for p in group if p.grad is not None]
            if not trained:
                continue
            moments = [self.moments.get(p) or self._begin(p) for p in trained]
            adam(
                trained,
                [p.grad for p in trained if p.grad is not None],
                exp_avgs=[of["exp_avg"] for of in moments],
                exp_avg_sqs=[of["exp_avg_sq"] for of in moments],
                max_exp_avg_sqs=[],
                state_steps=[of["step"] for of in moments],
                fused=has_fused_steps(trained) or None,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate,
                weight_decay=0.0,
                eps=EPSILON,
                maximize=False,
            )

    def resume(self, parameter: Tensor, moments: Mapping[str, Tensor]) -> None:
        """Go on from earlier moments of a parameter."""
        begun = self._begin(parameter)
        for name, value in moments.items():
            begun[name].copy_(value)

    def _begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """Return the moments of a parameter that has not been stepped yet."""
        kept_at = parameter.device if has_fused_steps([parameter]) else torch.device("cpu")
        self.moments[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=kept_at),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
        return self.moments[parameter]


def has_fused_steps(parameters: Sequence[Tensor]) -> bool:
    """Return whether all parameters are stepped in one call; on other devices PyTorch decides."""
    return all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)


def gradient_step(
    loss: Tensor,
    optimizer: Adam,
    parameters: list[Parameter],
    max_grad_norm: float | None,
    average: GradientAverage | None = None,
) -> None:
    """Make one step of gradient descent, with the gradient's norm clipped.

    Where others have a part of the batch, its gradient is the ``average`` of all.
    """
    if not loss.requires_grad:
        return  # nothing to train: what the loss depends on is frozen, and the graph is fixed
    optimizer.zero_grad()
    loss.backward()
    if average is not None:
        average.of([parameter for group in optimizer.groups for parameter in group])
    if max_grad_norm is not None:
        foreach = has_fused_steps(parameters[:1]) or None
        torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm, foreach=foreach)
    optimizer.step()


def half_cosine(share: float) -> float:
    """Return what falls from 1 to 0 as ``share`` rises from 0 to 1."""
    return 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))
