"""What gradient steps may be computed with: a compiled bound, and networks in bfloat16."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from .._model.settings import GradientSettings

P = ParamSpec("P")
R = TypeVar("R")

#: What is said where a bound cannot be compiled.
REMEDY = (
    "Device(compile=True) needs torch.compile, which failed here. On a CPU it needs a C++ compiler "
    "(such as g++, or what the environment variable CXX names), on an NVIDIA GPU Triton, and a "
    "version of Python that PyTorch supports. Install these, or leave compile=True out."
)


def of_steps(bound: Callable[P, R], settings: GradientSettings) -> Callable[P, R]:
    """Return the bound as gradient steps are to compute it."""
    return compiled(bound) if settings.compiles else bound


def step_precision(
    networks: Iterable[nn.Module], device: torch.device, settings: GradientSettings
) -> AbstractContextManager[None]:
    """Return the context in which gradient steps are made."""
    return in_bfloat16(networks, device) if settings.autocast else nullcontext()


def compiled(bound: Callable[P, R]) -> Callable[P, R]:
    """Return a function that :func:`torch.compile` compiles when it is first called.

    It is compiled once for batches of all sizes: the last one of an epoch is shorter.

    Raises
    ------
    RuntimeError
        When it is called, if there is no compiler; says what to do.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of PyTorch's, about its own calls
                return function(*args, **kwargs)
        except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
            raise RuntimeError(REMEDY) from error

    try:
        function = torch.compile(bound, dynamic=True)
    except RuntimeError as error:  # of Python
        raise RuntimeError(REMEDY) from error
    return call


@contextmanager
def in_bfloat16(networks: Iterable[nn.Module], device: torch.device) -> Iterator[None]:
    """Let networks compute in bfloat16 in a ``with`` block, by automatic mixed precision.

    What they return is in the dtype of what they were given: all that follows is as precise as
    ever. Networks must not be copied or pickled inside.
    """
    with ExitStack() as stack:
        for network in networks:
            before = vars(network).get("forward")
            network.forward = partial(_autocast, network.forward, device.type)
            if before is None:
                stack.callback(delattr, network, "forward")
            else:
                stack.callback(setattr, network, "forward", before)
        yield


def _autocast(
    forward: Callable[[Tensor], Tensor | tuple[Tensor, ...]], kind: str, x: Tensor
) -> Tensor | tuple[Tensor, ...]:
    """Return what a network returns, computed in bfloat16 on a kind of device."""
    with torch.autocast(kind, torch.bfloat16):
        outputs = forward(x)
    if isinstance(outputs, Tensor):
        return outputs.to(x.dtype)
    return tuple(output.to(x.dtype) for output in outputs)
