"""Ready-made model functions: functions of x and their parameters, in torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class FunctionStart:
    """Where the parameters of a model function start, and within which bounds.

    A function may have a method or attribute ``start(x)`` that returns one of these; what the user
    states goes before it.

    Parameters
    ----------
    p0 : mapping of str to float
        Start values; parameters that are not named start as in SciPy's :func:`!curve_fit`.
    bounds : mapping of str to pair of float
        Bounds; parameters that are not named have none.
    ordered : sequence of sequence of str
        Groups of parameters that rise; each group has common finite bounds.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ExpertDecoder, FunctionStart
    >>> def decay(x, rate):
    ...     return torch.exp(-rate * x)
    >>> decay.start = FunctionStart(p0={"rate": 2.0}, bounds={"rate": (0.0, 9.0)})
    >>> ExpertDecoder(decay, [0.0, 1.0, 2.0]).start_values
    {'rate': 2.0}
    """

    p0: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    ordered: Sequence[Sequence[str]] = ()


def line(x: Tensor, slope: Tensor, intercept: Tensor) -> Tensor:
    """Return a straight line.

    Parameters
    ----------
    x : Tensor of shape (width,)
        Points.
    slope, intercept : Tensor of shape (n, 1)
        Parameters.

    Returns
    -------
    Tensor of shape (n, width)
        ``slope * x + intercept``.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import line
    >>> line(torch.tensor([0.0, 1.0]), torch.tensor([[2.0]]), torch.tensor([[1.0]]))
    tensor([[1., 3.]])
    """
    return slope * x + intercept


def exponential_decay(x: Tensor, amplitude: Tensor, rate: Tensor, offset: Tensor) -> Tensor:
    """Return an exponential decay; the rate is not negative.

    Parameters
    ----------
    x : Tensor of shape (width,)
        Points.
    amplitude, rate, offset : Tensor of shape (n, 1)
        Parameters.

    Returns
    -------
    Tensor of shape (n, width)
        ``amplitude * exp(-rate * x) + offset``.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import exponential_decay
    >>> one = torch.ones(1, 1)
    >>> exponential_decay(torch.tensor([0.0]), 2 * one, one, one)
    tensor([[3.]])
    """
    return amplitude * torch.exp(-rate * x) + offset


def _decay_start(x: np.ndarray) -> FunctionStart:
    span = float(np.ptp(x))
    return FunctionStart({"rate": 3.0 / span if span > 0 else 1.0}, {"rate": (0.0, np.inf)})


exponential_decay.start = _decay_start  # type: ignore[attr-defined]


@dataclass(repr=False, unsafe_hash=True)  # one from a file is another object, and the same
class PiecewiseLinear:
    """The function that :func:`piecewise_linear` returns.

    Parameters
    ----------
    n_pieces : int
        Number of pieces.
    intercept : bool
        Whether the value at 0 is a parameter, or 0.
    """

    n_pieces: int
    intercept: bool

    def __post_init__(self) -> None:
        n_pieces = self.n_pieces
        names = [
            *(f"slope{k + 1}" for k in range(n_pieces)),
            *(f"knot{k + 1}" for k in range(n_pieces - 1)),
            *["intercept"] * self.intercept,
        ]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__name__ = f"piecewise_linear({n_pieces})"
        self.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in ["x", *names]])

    def __getstate__(self) -> dict:
        return {"n_pieces": self.n_pieces, "intercept": self.intercept}  # a Signature is no data

    def __setstate__(self, state: dict) -> None:
        PiecewiseLinear.__init__(self, **state)

    def __call__(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """Return the values at x."""
        slopes, rest = parameters[: self.n_pieces], parameters[self.n_pieces :]
        value = slopes[0] * x
        for before, after, knot in zip(slopes, slopes[1:], rest, strict=False):
            value = value + (after - before) * torch.relu(x - knot)
        return value + rest[-1] if self.intercept else value

    def start(self, x: np.ndarray) -> FunctionStart:
        """Return knots that divide the range of x evenly, and that range as their bounds.

        Parameters
        ----------
        x : ndarray
            Points.

        Returns
        -------
        FunctionStart
            Start values and bounds.
        """
        low, high = float(x.min()), float(x.max())
        names = [f"knot{k + 1}" for k in range(self.n_pieces - 1)]
        knots = np.linspace(low, high, self.n_pieces + 1)[1:-1].tolist()
        if low == high:
            raise ValueError(f"{self.__name__} needs an x that varies, got {low} throughout.")
        bounds = dict.fromkeys(names, (low, high))
        return FunctionStart(dict(zip(names, knots, strict=True)), bounds, [names] if names else [])


def piecewise_linear(n_pieces: int = 2, intercept: bool = True) -> PiecewiseLinear:
    """Return the model function of a continuous line of several straight pieces.

    Its parameters are ``slope1``, ``slope2``, ...; ``knot1``, ... between them, which rise and
    stay within the range of x; and ``intercept``, the value that the first piece has at 0.

    Parameters
    ----------
    n_pieces : int, default=2
        Number of pieces, at least 1.
    intercept : bool, default=True
        Whether there is an intercept; without one the first piece leads through the origin.

    Returns
    -------
    callable
        For :class:`ExpertDecoder`.

    Raises
    ------
    ValueError
        If ``n_pieces`` is no integer of at least 1.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import piecewise_linear
    >>> function = piecewise_linear(2, intercept=False)
    >>> slopes_and_knot = torch.tensor([[[10.0]], [[1.0]], [[0.5]]])
    >>> function(torch.tensor([0.0, 0.5, 1.0]), *slopes_and_knot)
    tensor([[0.0000, 5.0000, 5.5000]])
    """
    if isinstance(n_pieces, bool) or not isinstance(n_pieces, Integral) or n_pieces < 1:
        raise ValueError(f"n_pieces must be an integer of at least 1, got {n_pieces!r}.")
    if not isinstance(intercept, bool | np.bool_):
        raise TypeError(f"intercept must be a bool, got {type(intercept).__name__}.")
    return PiecewiseLinear(int(n_pieces), bool(intercept))
