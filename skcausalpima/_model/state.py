"""From a model to arrays and back; what user modules draw from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._compat.pytorch import TorchDispatchMode
from ..modules import is_same_in_training

#: Held by whoever has seeded PyTorch's generators, which all threads of a process share.
_SEEDING = threading.RLock()

#: What the modules of a fit, in this thread, draw from on the CPU; None for PyTorch's own.
_DRAWS: ContextVar[torch.Generator | None] = ContextVar("_DRAWS", default=None)

#: The contexts of the modules that this thread is in, innermost last.
_INSIDE: ContextVar[tuple[AbstractContextManager, ...]] = ContextVar("_INSIDE", default=())


class _OwnDraws(TorchDispatchMode):
    """Let what draws from PyTorch's own generator, in this thread, draw from another one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call an operation, with the generator if it draws on the CPU."""
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or kwargs.get("generator"):
            return func(*args, **kwargs)
        device = next((of.device for of in args if isinstance(of, Tensor)), kwargs.get("device"))
        if torch.device(device or "cpu").type != "cpu":
            return func(*args, **kwargs)
        if all(argument.name != "generator" for argument in func._schema.arguments):
            name = func._overloadname.replace("default", "")
            packet, name = func.overloadpacket, f"{name}_generator".lstrip("_")
            if name not in packet.overloads():
                return self._drawn_by_all(func, args, kwargs)
            func = getattr(packet, name)
        return func(*args, **kwargs, generator=self.generator)

    def _drawn_by_all(self, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call what takes no generator, as ``rand_like`` in some versions of PyTorch."""
        with torch.random.fork_rng([]):
            torch.set_rng_state(self.generator.get_state())
            found = func(*args, **kwargs)
            self.generator.set_state(torch.get_rng_state())
        return found


def with_own_draws(module: nn.Module) -> nn.Module:
    """Let a module of the user's draw from the generator of the fit that it is called in."""
    if is_same_in_training(module):  # it draws nothing
        return module
    module.register_forward_pre_hook(_enter)
    module.register_forward_hook(_leave, always_call=True)
    return module


def own_draws() -> AbstractContextManager[object]:
    """Return a context in which this thread draws from the generator of its fit."""
    generator = None if torch.compiler.is_compiling() else _DRAWS.get()
    return nullcontext() if generator is None else _OwnDraws(generator)


def _enter(module: nn.Module, args: Any) -> None:
    context = own_draws()
    context.__enter__()
    _INSIDE.set((*_INSIDE.get(), context))


def _leave(module: nn.Module, args: Any, output: Any) -> None:
    *before, context = _INSIDE.get()
    _INSIDE.set(tuple(before))
    context.__exit__(None, None, None)


@contextmanager
def seeded_modules(
    device: torch.device | None, seed: int, is_compiled: bool = False
) -> Iterator[None]:
    """Let user modules (dropout) draw from a seed of their own.

    On the CPU these are draws of this fit alone, see :func:`with_own_draws`. GPUs and compiled code
    draw from generators that all threads of a process share: they are seeded, and restored after.
    Other threads that want to do the same wait, and those that only draw meet the seed. With None,
    for the library's networks, which draw from none of them, they are left alone.
    """
    if device is None:
        yield
        return
    is_shared = is_compiled or device.type != "cpu"
    before = _DRAWS.set(None if is_compiled else torch.Generator().manual_seed(seed))
    try:
        with _seeded_for_all(device, seed) if is_shared else nullcontext():
            yield
    finally:
        _DRAWS.reset(before)


@contextmanager
def _seeded_for_all(device: torch.device, seed: int) -> Iterator[None]:
    """Seed PyTorch's own generators, and restore them after."""
    devices = [device] if device.type == "cuda" else []
    with _SEEDING, torch.random.fork_rng(devices), _forked_mps(device):
        torch.default_generator.manual_seed(seed)
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield


@contextmanager
def _forked_mps(device: torch.device) -> Iterator[None]:
    """Leave the generator of a Mac's GPU as it was."""
    if device.type != "mps":
        yield
        return
    before = torch.mps.get_rng_state()
    try:
        yield
    finally:
        torch.mps.set_rng_state(before)


def module_draws(device: torch.device | None) -> dict[str, np.ndarray]:
    """Return the states of the generators that `seeded_modules` seeds."""
    if device is None:
        return {}
    states = {"cpu": (_DRAWS.get() or torch.default_generator).get_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return {kind: state.numpy().copy() for kind, state in states.items()}


def resume_module_draws(device: torch.device | None, states: dict[str, np.ndarray]) -> None:
    """Let these generators go on from states of :func:`module_draws`, if it noted any."""
    if device is None or not states:
        return
    (_DRAWS.get() or torch.default_generator).set_state(torch.from_numpy(states["cpu"].copy()))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(torch.from_numpy(states["cuda"].copy()), device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(torch.from_numpy(states["mps"].copy()))


def export_state(model: nn.Module) -> dict[str, np.ndarray]:
    """Return parameters and buffers as NumPy arrays that share nothing with the model."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in model.state_dict().items()
    }


def load_state(model: nn.Module, state: dict[str, np.ndarray]) -> None:
    """Put arrays from :func:`export_state` into a model of the same make."""
    # np.array copies: a memory-mapped, read-only array must not reach torch.
    model.load_state_dict(
        {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    )
