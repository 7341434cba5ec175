"""What an operation with a gradient of its own keeps, from the way there to the way back."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Kept(Protocol):
    """The first argument of ``forward`` and ``backward`` of a :class:`torch.autograd.Function`."""

    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep inputs and outputs."""

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs have no gradient."""
