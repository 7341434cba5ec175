"""Independence of the caller's modes, of devices without float64, and of other threads."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .._arithmetic import usual_arithmetic
from .._typing import Unchecked, Values

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
