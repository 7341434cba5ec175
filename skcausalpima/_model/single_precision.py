"""Devices without double precision: what asks for it there gets single precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .._typing import Unchecked, Values

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
            return self._made(func, args, named)
        narrowed = [self._narrowed(value, func is Tensor.to) for value in args]
        named = {name: self._narrowed(value, func is Tensor.to) for name, value in named.items()}
        return func(*narrowed, **named)

    def _is_there(self, values: Sequence) -> bool:
        """Say whether a tensor, or the device that is asked for, is of the kind."""
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

    def _made(self, func: Callable, args: Sequence, named: Values) -> Tensor:
        """Make a tensor from data on the CPU, and move it."""
        device = named.pop("device", None)
        made = func(*args, **named)
        made = made.float() if made.dtype == torch.float64 else made
        return made if device is None else made.to(device)
