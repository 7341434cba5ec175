"""Steps of gradient descent with Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.adam import adam

from .._model.tensors import TensorData
from ..modules import Batch

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
    data: TensorData,
    batch: Batch,
) -> None:
    """Make one step of gradient descent, with the gradient's norm clipped.

    The loss is a mean over this batch of these data.
    """
    if not loss.requires_grad:
        return  # nothing to train: what the loss depends on is frozen, and the graph is fixed
    optimizer.zero_grad()
    loss.backward()
    data.average_gradients(optimizer.groups, len(batch.arrays[0]))
    if max_grad_norm is not None:
        foreach = has_fused_steps(parameters[:1]) or None
        torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm, foreach=foreach)
    optimizer.step()


def half_cosine(share: float) -> float:
    """Return what falls from 1 to 0 as ``share`` rises from 0 to 1."""
    return 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))
