"""The estimator does the same whatever modes of NumPy and PyTorch the caller is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from .._arithmetic import usual_arithmetic

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
