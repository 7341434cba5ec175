"""Acceleration of gradient steps: a compiled bound, and networks in bfloat16."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import MethodType
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn

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
