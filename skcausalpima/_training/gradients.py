"""Steps of gradient descent with Adam, and what makes them faster: compiled bounds, bfloat16."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MethodType
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim.adam import adam

from .._model.tensors import TensorData
from ..modules import Batch

BETAS, EPSILON = (0.9, 0.999), 1e-8

P = ParamSpec("P")
R = TypeVar("R")

#: Where compilers have their errors.
COMPILERS = ("torch._dynamo", "torch._functorch", "torch._inductor")

#: What is said where a bound cannot be compiled.
REMEDY = (
    "Device(compile=True) needs torch.compile, which failed here. On a CPU it needs a C++ compiler "
    "(such as g++, or what the environment variable CXX names), on an NVIDIA GPU Triton, and a "
    "version of Python that PyTorch supports. Install these, or leave compile=True out."
)


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
                exp_avgs=[moment["exp_avg"] for moment in moments],
                exp_avg_sqs=[moment["exp_avg_sq"] for moment in moments],
                max_exp_avg_sqs=[],
                state_steps=[moment["step"] for moment in moments],
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


def compiled(bound: Callable[P, R]) -> Callable[P, R]:
    """Return a function that :func:`torch.compile` compiles when it is first called.

    It is compiled once for batches of all sizes: the last one of an epoch is shorter.

    Raises
    ------
    RuntimeError
        When it is called, if there is no compiler; says what to do.
    """

    with _told_failure(RuntimeError.__module__):  # of a version of Python
        function = torch.compile(bound, dynamic=True)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with _told_failure(*COMPILERS):
            return function(*args, **kwargs)

    return call


@contextmanager
def _told_failure(*modules: str) -> Iterator[None]:
    """Tell what to do where a compiler fails, which errors of these modules show.

    What PyTorch warns of its own calls is not told.
    """
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", category=category, module="torch")
        try:
            yield
        except RuntimeError as error:
            if not type(error).__module__.startswith(modules):
                raise
            raise RuntimeError(REMEDY) from error


@contextmanager
def in_bfloat16(networks: Iterable[nn.Module], is_on: bool = True) -> Iterator[None]:
    """Let networks compute in bfloat16 in a ``with`` block, by automatic mixed precision.

    What they return is in the dtype of what they were given: all that follows is as precise as
    ever. Networks must not be copied or pickled inside. Those that are scripted, or have a
    ``forward`` of their own, stay precise.
    """
    with ExitStack() as stack:
        for network in networks if is_on else ():
            if isinstance(network, torch.jit.ScriptModule) or "forward" in vars(network):
                continue
            # A method of one function, which compiled bounds know again in the next block.
            network.forward = MethodType(_autocast, network)
            stack.callback(delattr, network, "forward")
        yield


def _autocast(network: nn.Module, x: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Return what a network returns, computed in bfloat16."""
    with torch.autocast(x.device.type, torch.bfloat16):
        outputs = type(network).forward(network, x)
    if isinstance(outputs, Tensor):
        return outputs.to(x.dtype)
    return tuple(output.to(x.dtype) for output in outputs)
