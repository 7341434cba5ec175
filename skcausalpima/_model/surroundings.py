"""Independence of the caller's modes, of devices without float64, and of other threads' draws."""

from __future__ import annotations

import copy
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .._base.arithmetic import usual_arithmetic, working_in
from .._base.pytorch import TorchDispatchMode
from .._base.types import Unchecked, Values
from ..modules import is_same_in_training

_DEVICES = ("cpu", "cuda")  # that automatic mixed precision may be on for


@contextmanager
def usual_surroundings() -> Iterator[None]:
    """Enter what results depend on: NumPy's error state, and PyTorch's modes of this thread.

    Gradients exist outside of inference mode only, tensors are made on the CPU, and in the dtype
    that they are asked for. PyTorch's default dtype is shared by all threads: it is not touched,
    and nothing of the library's is made in it.
    """
    with ExitStack() as stack:
        stack.enter_context(usual_arithmetic())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if torch.empty(0).device.type != "cpu":  # slows everything down: only where it is needed
            stack.enter_context(torch.device("cpu"))
        for device in _DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


#: A decorator: a function, or the public methods of a class, work there.
in_usual_surroundings = working_in(usual_surroundings)

#: Kinds of devices that have no float64.
SINGLE_ONLY = frozenset({"mps"})


def precision_of(device: torch.device) -> AbstractContextManager:
    """Return the context in which a model is trained on a device."""
    return SinglePrecision(device.type) if device.type in SINGLE_ONLY else nullcontext()


class SinglePrecision(TorchFunctionMode):
    """Turn float64 into float32 on one kind of device, in all that PyTorch is asked for.

    Sums and the mixture are in float64 elsewhere, whatever the data are. Here they are as precise
    as the data.

    Parameters
    ----------
    kind : str
        Of the device, such as ``"mps"``.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence = (),
        kwargs: Mapping[str, Unchecked] | None = None,
    ) -> Unchecked:
        """Call a function of PyTorch."""
        named: Values = dict(kwargs or {})
        if not self._is_there([*args, *named.values()]):
            return func(*args, **named)
        if func is Tensor.double:
            return args[0].float()
        if func in (torch.tensor, torch.as_tensor):
            device = named.pop("device", None)
            made: Any = self._narrowed(func(*args, **named), True)
            return made if device is None else made.to(device)
        narrowed = [self._narrowed(value, func is Tensor.to) for value in args]
        named = {name: self._narrowed(value, func is Tensor.to) for name, value in named.items()}
        return func(*narrowed, **named)

    def _is_there(self, values: Sequence) -> bool:
        """Return whether a tensor, or the device that is asked for, is of the kind."""
        for value in values:
            if isinstance(value, Tensor):
                value = value.device
            if isinstance(value, torch.device) and value.type == self.kind:
                return True
            if isinstance(value, str) and value.partition(":")[0] == self.kind:
                return True
        return False

    def _narrowed(self, value: Unchecked, moves: bool) -> Unchecked:
        """Return float32 for float64; a tensor that is moved, in float32."""
        if value is torch.float64:
            return torch.float32
        if moves and isinstance(value, Tensor) and value.dtype == torch.float64:
            return value.float()
        return value


Class = TypeVar("Class", bound=type)

#: The public methods that change the estimator.
CHANGING = ("fit", "fit_predict", "partial_fit", "set_params")


def reading_one_fit(cls: Class) -> Class:
    """Let public methods of a class read the attributes of the moment in which they are called.

    What an estimator is asked takes several of them, and ``fit`` exchanges all in one step. Those
    of ``CHANGING`` stay as they are, and so do inherited ones.
    """
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_") and name not in CHANGING:
            setattr(cls, name, _on_snapshot(member))
    return cls


def _on_snapshot(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(copy.copy(self), *args, **kwargs)

    return read


#: Held by whoever has set PyTorch's generators, which all threads of a process share.
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
        device = next((arg.device for arg in args if isinstance(arg, Tensor)), kwargs.get("device"))
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
        """Call what takes no generator, as ``rand_like`` in some versions of PyTorch.

        It borrows the one that all threads share, so that threads that do so wait for each other.
        """
        with _SEEDING, torch.random.fork_rng([]):
            torch.set_rng_state(self.generator.get_state())
            drawn = func(*args, **kwargs)
            self.generator.set_state(torch.get_rng_state())
        return drawn


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
