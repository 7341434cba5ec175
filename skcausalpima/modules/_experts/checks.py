"""A model function is tried at its start values before anything is fitted: can it be used?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .signature import ParameterSpace

#: Curves of one set of parameters may differ by this part of their size with what is beside it:
#: solvers choose their steps for all sets together.
SAME = 1e-3


class ExpertError(ValueError):
    """A model function raised, or returned another shape, in a fit or later.

    Parameters
    ----------
    message : str
        What happened, and where.
    modality : str or int, default=None
        Name of the modality.

    Examples
    --------
    >>> from skcausalpima.modules import ExpertError
    >>> try:
    ...     raise ExpertError("the function of 'stress' raised", "stress")
    ... except ExpertError as error:
    ...     print(error)
    the function of 'stress' raised
    """

    def __init__(self, message: str, modality: str | int | None = None) -> None:
        super().__init__(message)
        self.modality = modality


def ranges(names: Sequence[str], values: Tensor) -> str:
    """Return the parameters of shape (n, n_parameters) in words."""
    low, high = values.detach().amin(dim=0).tolist(), values.detach().amax(dim=0).tolist()
    return ", ".join(
        f"{name}={a:g}" if a == b or a != a else f"{name} from {a:g} to {b:g}"
        for name, a, b in zip(names, low, high, strict=True)
    )


class StatedExpert(Protocol):
    """What is tried, an :class:`ExpertDecoder`, as far as it matters here."""

    function_name: str
    names: tuple[str, ...]
    free_names: tuple[str, ...]
    x: np.ndarray
    space: ParameterSpace
    scatter: bool

    def start_coordinates(self) -> Tensor:
        """Return the unbounded coordinates of the start values."""

    def all_values(self, free_values: Tensor) -> Tensor:
        """Put the fixed parameters between the others."""

    def curves(self, free_values: Tensor, x: Tensor, n_axes: int = 1) -> Tensor:
        """Evaluate the model function."""


class FunctionTrial:
    """One model function, in one dtype, at its start values."""

    def __init__(
        self, expert: StatedExpert, where: str, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        self.expert, self.where, self.shape, self.dtype = expert, where, shape, dtype
        self.x = torch.tensor(expert.x).to(dtype)
        self.start = expert.start_coordinates().to(dtype)
        self.moved = 1.1 * self.start + 0.1  # other coordinates, not far from the start
        self.returned = f"{where}: the function {expert.function_name} returned"

    def check(self, finite: bool) -> None:
        """Raise where the function cannot be used; ``finite`` says whether values matter, too."""
        free = self.expert.space.values(self.start.expand(2, -1)).detach().requires_grad_()
        before = self.x.clone()
        output = self.curves(free)
        if not torch.equal(before, self.x):
            raise ValueError(
                f"{self.where}: the function {self.expert.function_name} changed x, which belongs "
                "to the caller: write x = x + .. in place of x += .."
            )
        if finite:
            self._check_values(output, free)
        for n in (1, 3):
            self.curves(self.expert.space.values(self.start.expand(n, -1)))
        if finite and self.expert.free_names:
            self._check_rows(output[0].detach())
            self._check_influence()

    def curves(self, free: Tensor) -> Tensor:
        """Return the curves of sets of parameters of shape (n, n_free)."""
        expert, at, expected = self.expert, self._at(free), (len(free), *self.shape)
        try:
            output = expert.curves(free, self.x, len(self.shape))
        except Exception as error:
            raise ValueError(
                f"{self.where}: the function {expert.function_name} raised {type(error).__name__} "
                f"{at}: {error}. Write it with torch operations that broadcast."
            ) from error
        if not isinstance(output, Tensor):
            raise TypeError(
                f"{self.returned} {type(output).__name__} {at}: expected a torch.Tensor."
            )
        if tuple(output.shape) != expected:
            raise ValueError(
                f"{self.returned} shape {tuple(output.shape)} {at}: expected {expected}, a curve "
                "of the modality's shape for each set of parameters."
            )
        if output.dtype != self.dtype:
            raise TypeError(
                f"{self.returned} {output.dtype} {at}: expected the dtype of its input."
            )
        return output

    def _at(self, free: Tensor) -> str:
        values = ranges(self.expert.names, self.expert.all_values(free))
        return (
            f"for x of shape {tuple(self.x.shape)} and {values} (each of shape "
            f"{(len(free), *[1] * len(self.shape))}, {self.dtype})"
        )

    def _check_values(self, output: Tensor, free: Tensor) -> None:
        """Raise where values or gradients are not finite, or there are none."""
        at = self._at(free)
        if not torch.isfinite(output).all():
            raise ValueError(
                f"{self.returned} values that are not finite {at}: change p0 or bounds."
            )
        if not self.expert.free_names:
            return
        gradient = None
        if output.requires_grad:
            gradient = torch.autograd.grad(output.sum(), free, allow_unused=True)[0]
        if gradient is None:
            raise ValueError(
                f"{self.returned} values without gradient {at}: compute them from the parameters "
                "by torch operations alone, without detach, item or NumPy."
            )
        if not torch.isfinite(gradient).all():
            raise ValueError(
                f"{self.returned} values whose gradient is not finite {at}: change p0 or bounds."
            )

    def _elsewhere(self, coordinates: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return parameters and their curves; None where the function does not go that far."""
        free = self.expert.space.values(coordinates).detach().requires_grad_()
        try:
            output = self.curves(free)
        except ValueError:
            return None
        return (free, output) if torch.isfinite(output).all() else None

    def _check_rows(self, alone: Tensor) -> None:
        """Raise where the curve of one set of parameters depends on the sets beside it."""
        trial = self._elsewhere(torch.stack([self.moved, self.start, self.moved]))
        if trial is None:
            return
        curves = trial[1].detach()
        size = torch.maximum(curves.abs().max(), alone.abs().max())
        if (curves[1] - alone).abs().max() > SAME * size:
            raise ValueError(
                f"{self.returned} for the same parameters another curve when other sets of "
                f"parameters are beside them {self._at(trial[0])}: each of the n sets, along the "
                "first axis, must give a curve of its own, without chance."
            )

    def _check_influence(self) -> None:
        """Raise where a parameter moves the curve, but not by way of its gradient."""
        start, moved = self.start, self.moved
        one_by_one = torch.where(torch.eye(len(start), dtype=torch.bool), moved, start)
        trial = self._elsewhere(torch.cat([start[None], moved[None], one_by_one]))
        if trial is None:
            return
        free, output = trial
        weights = 1.0 + torch.rand(
            self.shape, generator=torch.Generator().manual_seed(0), dtype=self.dtype
        )
        gradient = torch.autograd.grad((output * weights).sum(), free, allow_unused=True)[0]
        changes = (output[2:] - output[0]).detach().abs().reshape(len(start), -1).amax(dim=1)
        for name, slope, change in zip(
            self.expert.free_names, gradient.abs().amax(dim=0), changes, strict=True
        ):
            if slope == 0 and change > 0:
                raise ValueError(
                    f"{self.returned} values that depend on {name}, but without gradient "
                    f"{self._at(free)}: compute them from {name} by torch operations alone, "
                    "without detach, item or NumPy, and not by rounding."
                )
