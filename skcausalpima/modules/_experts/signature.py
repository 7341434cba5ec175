"""Parameters of an expert: as the user states them, and as smooth functions of unbounded ones."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import Bounds
from torch import Tensor

from .functions import FunctionStart

#: How bounds and start values may be stated.
StatedBounds: TypeAlias = Bounds | Mapping[str, tuple[float, float]] | ArrayLike | None
StatedStart: TypeAlias = Mapping[str, float] | ArrayLike | None

#: Start values on a bound are moved inside by this part of the interval.
INSIDE = 1e-6


def name_of(f: Callable) -> str:
    """Return the name of a function, also of one that a partial application wraps."""
    inner = getattr(f, "func", f)  # functools.partial
    return getattr(inner, "__name__", type(f).__name__)


def points(x: ArrayLike, function_name: str) -> np.ndarray:
    """Return x as a finite array of its own."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu().numpy()
    try:
        array = np.asarray(x)
        if array.dtype.kind not in "biufO":  # complex numbers would lose their imaginary part
            raise TypeError(f"its dtype is {array.dtype}")
        result = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"x of {function_name} must be an array of numbers, got {x!r}.") from error
    if result.ndim == 0 or result.size == 0 or not np.isfinite(result).all():
        raise ValueError(f"x of {function_name} must hold finite numbers, got {result}.")
    return result


def parameter_names(f: Callable, function_name: str) -> tuple[str, ...]:
    """Return the names of the arguments after x; keyword-only ones with a default are constants."""
    if isinstance(f, torch.nn.Module):
        raise TypeError(
            f"{function_name} is a torch.nn.Module: a module that maps the latent point to the "
            "modality belongs into decoders, and an expert is a function f(x, a, b, ..)."
        )
    try:
        stated = inspect.signature(f).parameters.values()
    except (TypeError, ValueError) as error:
        raise TypeError(f"{function_name} has no signature that can be read.") from error
    keyword, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    arguments = [a for a in stated if a.kind != keyword or a.default is empty]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(arguments) < 2 or any(argument.kind not in positional for argument in arguments):
        raise ValueError(
            f"{function_name} must have arguments (x, a, b, ..), x and at least one parameter with "
            f"a name, but has {inspect.signature(f)}."
        )
    return tuple(argument.name for argument in arguments[1:])


def function_start(f: Callable, x: np.ndarray, function_name: str) -> FunctionStart:
    """Return what a model function says about its own start."""
    if not hasattr(f, "start"):
        return FunctionStart({}, {})
    start = f.start(x) if callable(f.start) else f.start
    if not isinstance(start, FunctionStart):
        raise TypeError(
            f"start of {function_name} must be a function of x that returns a FunctionStart, "
            f"got {start!r}: give it another name if it is something else."
        )
    return start


def named(what: str, values: Mapping | None, names: Sequence[str], function_name: str) -> dict:
    """Return a mapping whose keys are parameters."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise TypeError(f"{what} must be a mapping from names of parameters, got {values!r}.")
    unknown = [name for name in values if name not in names]
    if unknown:
        raise ValueError(
            f"{what} names {unknown}, but the parameters of {function_name} are {list(names)}."
        )
    return dict(values)


def number(what: str, value: float) -> float:
    """Return a finite number."""
    try:
        finite = isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        finite = False
    if not finite:
        raise ValueError(f"{what} must be a finite number, got {value!r:.100}.")
    return float(value)


def node_names_of(name: str, nodes: str | Iterable[str]) -> tuple[str, ...]:
    """Return the nodes that a parameter depends on."""
    if isinstance(nodes, str):
        return (nodes,)
    if not isinstance(nodes, Sequence | set | frozenset):
        raise TypeError(
            f"depends_on of {name} must be the name of a node or several, got {nodes!r}: use an "
            "empty list for a parameter that all cells share."
        )
    return tuple(nodes)


def read_bounds(
    bounds: StatedBounds, defaults: FunctionStart, names: Sequence[str], function_name: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Return lower and upper bounds by name."""
    pairs = {name: defaults.bounds.get(name, (-np.inf, np.inf)) for name in names}
    if isinstance(bounds, Mapping):
        pairs.update(named("bounds", bounds, names, function_name))
    elif bounds is not None:
        limits = _lower_and_upper(bounds, names)
        pairs.update(zip(names, zip(*limits, strict=True), strict=True))
    for name, pair in pairs.items():
        try:
            low, high = (float(bound) for bound in pair)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"bounds of {name} must be a pair (lower, upper) of numbers, numpy.inf for none, "
                f"got {pair!r}."
            ) from error
        if not low < high:  # NaN, too
            raise ValueError(
                f"bounds of {name} must rise, but are ({low}, {high}). Use fixed={{{name!r}: ..}} "
                "for a known value."
            )
        pairs[name] = (low, high)
    lower, upper = ({name: pair[end] for name, pair in pairs.items()} for end in (0, 1))
    return lower, upper


def _lower_and_upper(bounds: StatedBounds, names: Sequence[str]) -> list[np.ndarray]:
    """Return lower and upper bounds of all parameters from a pair, or from SciPy's Bounds."""
    pair = (bounds.lb, bounds.ub) if isinstance(bounds, Bounds) else bounds
    if not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
        raise ValueError(f"bounds must be a pair (lower, upper) or a mapping, got {bounds!r}.")
    try:
        return [np.broadcast_to(np.asarray(b, float), len(names)) for b in pair]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"bounds must hold one number, or one for each of {list(names)}, got {bounds!r}."
        ) from error


def read_start(
    p0: StatedStart,
    defaults: FunctionStart,
    fixed: Mapping[str, float],
    bounds: tuple[dict[str, float], dict[str, float]],
    function_name: str,
) -> dict[str, float]:
    """Return the start values of all parameters by name."""
    lower, upper = bounds
    names = list(lower)
    start = {name: _feasible(lower[name], upper[name]) for name in names}
    start.update({n: v for n, v in defaults.p0.items() if n in start and lower[n] <= v <= upper[n]})
    if isinstance(p0, Mapping):
        start.update(named("p0", p0, names, function_name))
    elif p0 is not None:
        try:
            values = np.atleast_1d(np.asarray(p0, dtype=float)).tolist()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"p0 must be a sequence of numbers, one for each of {names}, or a mapping, got "
                f"{p0!r}."
            ) from error
        if len(values) != len(names):
            raise ValueError(f"p0 must have one value for each of {names}, got {len(values)}.")
        start.update(zip(names, values, strict=True))
    start.update(fixed)
    for name, value in start.items():
        what = f"{'fixed value' if name in fixed else 'p0'} of {name}"
        start[name] = number(what, value)
        if not lower[name] <= value <= upper[name]:
            raise ValueError(
                f"{what} is {value:g}, outside its bounds ({lower[name]:g}, {upper[name]:g})."
            )
    return start


def _feasible(low: float, high: float) -> float:
    """Return SciPy's start value: 1, or within the bounds."""
    if np.isfinite(low) and np.isfinite(high):
        return (low + high) / 2.0
    if np.isfinite(low):
        return low + 1.0
    return high - 1.0 if np.isfinite(high) else 1.0


def ordered_groups(
    groups: Sequence[Sequence[str]],
    fixed: Mapping[str, float],
    bounds: tuple[dict[str, float], dict[str, float]],
    start: dict[str, float],
    stated: Collection[str],
) -> list[list[str]]:
    """Return the groups of free parameters that rise between common bounds.

    Fixed members divide a group and become bounds of the others: ``bounds`` is changed in place,
    and so are start values that are not ``stated``.
    """
    parts = []
    for group in groups:
        pairs = {(bounds[0][name], bounds[1][name]) for name in group}
        if len(pairs) > 1 or not np.isfinite(list(pairs)).all():
            raise ValueError(
                f"bounds of {list(group)}, which rise together, must be finite and the same, got "
                f"{ {name: (bounds[0][name], bounds[1][name]) for name in group} }."
            )
        ((low, end),) = pairs
        edges = [*(fixed.get(name) for name in group), end]
        run: list[str] = []
        for name, edge in zip([*group, ""], edges, strict=True):
            if edge is None:  # never of the end, which has no name
                run.append(name)
                continue
            if run:
                _bound_run(run, low, edge, bounds, start, stated)
                parts.append(run)
            if edge < low:
                raise ValueError(f"fixed values of {list(group)} must rise, got {dict(fixed)}.")
            low, run = edge, []
    return parts


def _bound_run(
    run: Sequence[str],
    low: float,
    high: float,
    bounds: tuple[dict[str, float], dict[str, float]],
    start: dict[str, float],
    stated: Collection[str],
) -> None:
    """Bound parameters that rise between two values, and start them there."""
    values = np.array([low, *(start[name] for name in run), high])
    if not low < high or ((np.diff(values) < 0).any() and set(stated) & set(run)):
        raise ValueError(
            f"{list(run)} must rise between {low:g} and {high:g}, but p0 is "
            f"{ {name: start[name] for name in run} }."
        )
    if (np.diff(values) < 0).any():
        values = np.linspace(low, high, len(run) + 2)
    for name, value in zip(run, values[1:-1].tolist(), strict=True):
        bounds[0][name], bounds[1][name], start[name] = low, high, value


@dataclass(frozen=True)
class ParameterSpace:
    r"""A smooth bijection from all of space to a box, some of whose sides may be ordered.

    A parameter between two finite bounds is a logistic function of its unbounded coordinate, one
    with a single bound a softplus, one without bounds the coordinate itself. Parameters of an
    ordered group divide their common interval into gaps, which are a softmax.

    Parameters
    ----------
    lower, upper : tuple of float
        Bounds of each parameter, infinite where there is none.
    ordered : tuple of tuple of int, default=()
        Groups of parameters, each group rising and between the same finite bounds.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._experts.signature import ParameterSpace
    >>> space = ParameterSpace((0.0, -torch.inf), (1.0, torch.inf))
    >>> space.values(torch.tensor([[0.0, 5.0]]))
    tensor([[0.5000, 5.0000]])
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    ordered: tuple[tuple[int, ...], ...] = ()

    def values(self, free: Tensor) -> Tensor:
        """Return the parameters that unbounded coordinates stand for.

        Parameters
        ----------
        free : Tensor of shape (..., n_parameters)
            Coordinates.

        Returns
        -------
        Tensor of shape (..., n_parameters)
            Parameters within their bounds.
        """
        columns = [
            _inside(column, low, high)
            for column, low, high in zip(free.unbind(-1), self.lower, self.upper, strict=True)
        ]
        for group in self.ordered:
            gaps = torch.stack([*(free[..., k] for k in group), torch.zeros_like(free[..., 0])], -1)
            shares = torch.softmax(gaps, dim=-1).cumsum(dim=-1)
            low, high = self.lower[group[0]], self.upper[group[0]]
            for position, k in enumerate(group):
                columns[k] = low + (high - low) * shares[..., position]
        return torch.stack(columns, dim=-1) if columns else free

    def coordinates(self, values: Tensor) -> Tensor:
        """Return the unbounded coordinates of parameters; those on a bound are moved inside.

        Parameters
        ----------
        values : Tensor of shape (..., n_parameters)
            Parameters.

        Returns
        -------
        Tensor of shape (..., n_parameters)
            Coordinates: the inverse of :meth:`values`.
        """
        columns = [
            _outside(column, low, high)
            for column, low, high in zip(values.unbind(-1), self.lower, self.upper, strict=True)
        ]
        for group in self.ordered:
            low, high = self.lower[group[0]], self.upper[group[0]]
            shares = [(values[..., k] - low) / (high - low) for k in group]
            edges = [torch.zeros_like(shares[0]), *shares, torch.ones_like(shares[0])]
            gaps = torch.stack(edges, dim=-1).diff(dim=-1).clamp_min(INSIDE).log()
            for position, k in enumerate(group):
                columns[k] = gaps[..., position] - gaps[..., -1]
        return torch.stack(columns, dim=-1) if columns else values


def _inside(free: Tensor, low: float, high: float) -> Tensor:
    """Map all of the line onto an interval."""
    if low > -torch.inf and high < torch.inf:
        return low + (high - low) * torch.sigmoid(free)
    if low > -torch.inf:
        return low + torch.nn.functional.softplus(free)
    if high < torch.inf:
        return high - torch.nn.functional.softplus(-free)
    return free


def _outside(value: Tensor, low: float, high: float) -> Tensor:
    """Invert :func:`_inside`."""
    if low > -torch.inf and high < torch.inf:
        share = (value - low) / (high - low)
        share = torch.where(share <= 0, INSIDE, torch.where(share >= 1, 1.0 - INSIDE, share))
        return torch.logit(share)
    if low > -torch.inf:
        return _inverse_softplus(value - low)
    if high < torch.inf:
        return -_inverse_softplus(high - value)
    return value


def _inverse_softplus(value: Tensor) -> Tensor:
    value = torch.where(value > 0, value, INSIDE)
    return value + torch.log(-torch.expm1(-value))
