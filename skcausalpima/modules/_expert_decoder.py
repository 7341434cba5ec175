"""A law as a decoder: what the user states about it, checked."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ._laws import LawStart
from ._parameter_space import ParameterSpace


class ExpertDecoder:
    r"""Decode a modality by a law: a function of a few parameters that mean something.

    It follows SciPy's :func:`!curve_fit`: ``f(x, a, b, c)`` with parameter names from the
    signature, start values and bounds. ``f`` is written with torch operations that broadcast:
    x is a tensor of the shape that is given here, each parameter has the shape (n, 1) (one more
    axis for every further axis of the modality), and the result is of shape (n, \*shape), in the
    units of the data.

    Parameters
    ----------
    f : callable
        The law, such as ``lambda x, a, b: a * torch.exp(-b * x)``, or :func:`line`,
        :func:`exponential_decay` or :func:`piecewise_linear`.
    x : array-like
        Where the modality is sampled; anything that ``f`` understands.
    p0 : sequence or mapping of float, default=None
        Start values. None, and parameters that a mapping leaves out, start at 1, or within their
        bounds: in the middle of two, 1 away from a single one.
    bounds : pair of (float or sequence), or mapping of str to pair, default=None
        Lower and upper bounds, infinite for none: of all parameters, or by name. Bounded
        parameters are smooth functions of unbounded ones.
    per : {"cluster", "sample"}, default="cluster"
        ``"cluster"``: one set of parameters for each cell of the grid of nodes, independent of the
        latent point. ``"sample"``: a small network maps the latent point to the parameters.
    fixed : mapping of str to float, default=None
        Parameters that are known, and their values.
    depends_on : mapping of str to (str or sequence of str), default=None
        Nodes that a parameter depends on, by their names: all cells that agree in these share one
        value. An empty sequence is one value for all. Parameters that are not named depend on all
        nodes. Only for ``per="cluster"``.
    variance : {"cluster", "shared"}, default="cluster"
        Whether each cell has its own variance around the law, or all have one.
    scatter : bool, default=False
        Whether the parameters scatter between the samples of a cluster, as they do between things
        that are made or grown: residuals are then correlated along the directions in which the
        parameters move the curve, with a covariance that is learned, instead of independent from
        point to point. Only for ``per="cluster"``.
    refit : bool, default=True
        Whether parameters per cluster are fitted by least squares (Levenberg-Marquardt, weighted
        by the responsibilities) after each epoch, or follow gradient steps alone.

    Attributes
    ----------
    names : tuple of str
        Names of the parameters.
    free_names : tuple of str
        Names of those that are not fixed.

    Raises
    ------
    TypeError
        If ``f`` is not callable, or returns no tensor or another dtype.
    ValueError
        If ``f`` raises, returns another shape, something that is not finite or that has no
        gradient; if a name is no parameter; if bounds cross or start values are outside.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skcausalpima.modules import ExpertDecoder
    >>> def swing(x, amplitude, period):
    ...     return amplitude * torch.sin(2 * torch.pi * x / period)
    >>> expert = ExpertDecoder(swing, np.linspace(0, 1, 50), bounds={"period": (0.1, 2.0)})
    >>> expert.names
    ('amplitude', 'period')
    >>> expert.start_values
    {'amplitude': 1.0, 'period': 1.05}
    """

    def __init__(
        self,
        f: Callable[..., Tensor],
        x: ArrayLike,
        p0: Sequence[float] | Mapping[str, float] | None = None,
        bounds: Any = None,
        per: str = "cluster",
        *,
        fixed: Mapping[str, float] | None = None,
        depends_on: Mapping[str, str | Sequence[str]] | None = None,
        variance: str = "cluster",
        scatter: bool = False,
        refit: bool = True,
    ) -> None:
        if not callable(f):
            raise TypeError(f"f must be a function f(x, a, b, ..), got {f!r}.")
        self.f, self.per, self.variance = f, per, variance
        self.scatter, self.refit = scatter, refit
        self.function_name = getattr(f, "__name__", type(f).__name__)
        self.x = _points(x, self.function_name)
        self.names = _parameter_names(f, self.function_name)
        self.fixed = {k: float(v) for k, v in self._named("fixed", fixed).items()}
        self.free_names = tuple(name for name in self.names if name not in self.fixed)
        self._check_words(depends_on)
        law = f.start(self.x) if hasattr(f, "start") else LawStart({}, {})
        lower, upper = self._read_bounds(bounds, law)
        self.start_values = self._read_start(p0, law, lower, upper)
        groups = [[n for n in group if n in self.free_names] for group in law.ordered]
        groups = [tuple(self.free_names.index(n) for n in group) for group in groups if group]
        self.space = ParameterSpace(
            *(tuple(side[name] for name in self.free_names) for side in (lower, upper)),
            tuple(groups),
        )
        if self.x.ndim == 1:  # more axes may be coordinates: the shape of the modality decides
            self.check(f"ExpertDecoder({self.function_name})", self.x.shape)

    def __repr__(self) -> str:
        """Show the law and how often its parameters occur."""
        return f"ExpertDecoder({self.function_name}, per={self.per!r})"

    def curves(self, free_values: Tensor, x: Tensor, n_axes: int = 1) -> Tensor:
        """Evaluate the law.

        Parameters
        ----------
        free_values : Tensor of shape (n, n_free)
            Values of the parameters that are not fixed.
        x : Tensor
            The points, of the dtype to compute in.
        n_axes : int, default=1
            Number of axes of one sample of the modality.

        Returns
        -------
        Tensor of shape (n, ...)
            In the units of the data.
        """
        values = self.all_values(free_values)
        columns = values.unbind(dim=1)
        return self.f(x, *(column.reshape(-1, *[1] * n_axes) for column in columns))

    def all_values(self, free_values: Tensor) -> Tensor:
        """Put the fixed parameters between the others.

        Parameters
        ----------
        free_values : Tensor of shape (n, n_free)
            Values of the parameters that are not fixed.

        Returns
        -------
        Tensor of shape (n, n_parameters)
            Values in the order of ``names``.
        """
        columns = dict(zip(self.free_names, free_values.unbind(dim=1), strict=True))
        fixed = {n: free_values.new_full((len(free_values),), v) for n, v in self.fixed.items()}
        columns.update(fixed)
        return torch.stack([columns[name] for name in self.names], dim=1)

    def start_coordinates(self) -> Tensor:
        """Return the unbounded coordinates of the start values.

        Returns
        -------
        Tensor of shape (n_free,)
            In float64.
        """
        values = torch.tensor([self.start_values[n] for n in self.free_names]).double()
        return self.space.coordinates(values)

    def check(self, where: str, shape: Sequence[int]) -> None:
        """Evaluate the law at its start values and raise where the result cannot be used.

        Parameters
        ----------
        where : str
            Which expert it is, for messages.
        shape : sequence of int
            Shape of one sample of the modality.

        Raises
        ------
        TypeError
            If ``f`` returns no tensor, or another dtype.
        ValueError
            If ``f`` raises, or returns another shape, something not finite or without gradient.
        """
        if self.scatter and math.prod(shape) <= len(self.free_names):
            raise ValueError(
                f"{where}: scatter needs more points than the {len(self.free_names)} parameters of "
                f"{self.function_name}, got {math.prod(shape)}."
            )
        for dtype in (torch.float64, torch.float32):
            self._check_at_start(where, tuple(shape), dtype)

    def _check_at_start(self, where: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        start = self.start_coordinates().to(dtype).expand(2, -1)
        free = self.space.values(start).detach().requires_grad_()
        x = torch.as_tensor(self.x).to(dtype)
        values = ", ".join(f"{name}={value:g}" for name, value in self._shown(free[0]).items())
        at = (
            f"for x of shape {tuple(x.shape)} and {values} (each of shape "
            f"{(2, *[1] * len(shape))}, {dtype})"
        )
        try:
            with torch.enable_grad():
                output = self.curves(free, x, len(shape))
        except Exception as error:
            raise ValueError(
                f"{where}: the function {self.function_name} raised {type(error).__name__} {at}: "
                f"{error} Write it with torch operations that broadcast."
            ) from error
        returned = f"{where}: the function {self.function_name} returned"
        if not isinstance(output, Tensor):
            raise TypeError(f"{returned} {type(output).__name__} {at}: expected a torch.Tensor.")
        if tuple(output.shape) != (2, *shape):
            raise ValueError(
                f"{returned} shape {tuple(output.shape)} {at}: expected {(2, *shape)}, a curve of "
                "the modality's shape for each set of parameters."
            )
        if output.dtype != dtype:
            raise TypeError(f"{returned} {output.dtype} {at}: expected the dtype of its input.")
        if not torch.isfinite(output).all():
            raise ValueError(f"{returned} values that are not finite {at}: change p0 or bounds.")
        self._check_gradient(returned, at, output, free)

    def _check_gradient(self, returned: str, at: str, output: Tensor, free: Tensor) -> None:
        """Raise where the parameters have no finite influence."""
        if not self.free_names:
            return
        gradient = None
        if output.requires_grad:
            gradient = torch.autograd.grad(output.sum(), free, allow_unused=True)[0]
        if gradient is None:
            raise ValueError(
                f"{returned} values without gradient {at}: compute them from the parameters by "
                "torch operations alone, without detach, item or NumPy."
            )
        if not torch.isfinite(gradient).all():
            raise ValueError(
                f"{returned} values whose gradient is not finite {at}: change p0 or bounds."
            )

    def _shown(self, free_values: Tensor) -> dict[str, float]:
        values = self.all_values(free_values.detach()[None])[0].tolist()
        return dict(zip(self.names, values, strict=True))

    def _named(self, what: str, values: Mapping | None) -> dict:
        """Return a mapping whose keys are parameters."""
        if values is None:
            return {}
        if not isinstance(values, Mapping):
            raise TypeError(f"{what} must be a mapping from names of parameters, got {values!r}.")
        unknown = [name for name in values if name not in self.names]
        if unknown:
            raise ValueError(
                f"{what} names {unknown}, but the parameters of {self.function_name} are "
                f"{list(self.names)}."
            )
        return dict(values)

    def _check_words(self, depends_on: Mapping | None) -> None:
        for name, value, words in (
            ("per", self.per, ("cluster", "sample")),
            ("variance", self.variance, ("cluster", "shared")),
        ):
            if value not in words:
                raise ValueError(f"{name} must be {words[0]!r} or {words[1]!r}, got {value!r}.")
        nodes = self._named("depends_on", depends_on)
        if nodes and self.per == "sample":
            raise ValueError("depends_on is for per='cluster': there are no cells per sample.")
        if self.scatter and self.per == "sample":
            raise ValueError("scatter is for per='cluster': each sample has its own parameters.")
        if not self.free_names and self.per == "sample":
            raise ValueError("per='sample' needs a parameter that is not fixed.")
        self.depends_on = {k: (v,) if isinstance(v, str) else tuple(v) for k, v in nodes.items()}

    def _read_bounds(self, bounds: Any, law: LawStart) -> tuple[dict, dict]:
        """Return lower and upper bounds by name."""
        pairs = {name: law.bounds.get(name, (-np.inf, np.inf)) for name in self.names}
        if isinstance(bounds, Mapping):
            pairs.update(self._named("bounds", bounds))
        elif bounds is not None:
            if len(bounds) != 2:
                raise ValueError(f"bounds must be a pair (lower, upper) or a mapping: {bounds!r}.")
            try:
                sides = [np.broadcast_to(np.asarray(b, float), len(self.names)) for b in bounds]
            except ValueError as error:
                raise ValueError(
                    f"bounds must hold one number, or one for each of {list(self.names)}, got "
                    f"{bounds!r}."
                ) from error
            pairs.update(zip(self.names, zip(*sides, strict=True), strict=True))
        for name, (low, high) in pairs.items():
            if not low < high:  # NaN, too
                raise ValueError(
                    f"bounds of {name} must rise, but are ({low}, {high}). Use fixed={{{name!r}: "
                    "..}} for a known value."
                )
        return tuple({name: float(pairs[name][side]) for name in pairs} for side in (0, 1))

    def _read_start(self, p0: Any, law: LawStart, lower: dict, upper: dict) -> dict[str, float]:
        """Return the start values of all parameters by name."""
        start = {
            name: law.p0[name] if name in law.p0 else _feasible(lower[name], upper[name])
            for name in self.names
        }
        start = {n: v if lower[n] <= v <= upper[n] else _feasible(lower[n], upper[n])
                 for n, v in start.items()}  # fmt: skip
        if isinstance(p0, Mapping):
            start.update(self._named("p0", p0))
        elif p0 is not None:
            values = np.atleast_1d(np.asarray(p0, dtype=float)).tolist()
            if len(values) != len(self.names):
                raise ValueError(
                    f"p0 must have one value for each of {list(self.names)}, got {len(values)}."
                )
            start.update(zip(self.names, values, strict=True))
        start.update(self.fixed)
        for name, value in start.items():
            if not isinstance(value, Real) or not np.isfinite(value):
                raise ValueError(f"p0 of {name} must be a finite number, got {value!r}.")
            if not lower[name] <= value <= upper[name]:
                raise ValueError(
                    f"p0 of {name} is {value:g}, outside its bounds ({lower[name]:g}, "
                    f"{upper[name]:g})."
                )
        return {name: float(value) for name, value in start.items()}


def _points(x: ArrayLike, function_name: str) -> np.ndarray:
    """Return x as a finite array of its own."""
    try:
        points = np.array(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"x of {function_name} must be an array of numbers, got {x!r}.") from error
    if points.ndim == 0 or points.size == 0 or not np.isfinite(points).all():
        raise ValueError(f"x of {function_name} must hold finite numbers, got {points}.")
    return points


def _parameter_names(f: Callable, function_name: str) -> tuple[str, ...]:
    """Return the names of the arguments after x."""
    try:
        arguments = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError) as error:
        raise TypeError(f"{function_name} has no signature that can be read.") from error
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(arguments) < 2 or any(argument.kind not in positional for argument in arguments):
        raise ValueError(
            f"{function_name} must have arguments (x, a, b, ..), x and at least one parameter with "
            f"a name, but has {inspect.signature(f)}."
        )
    return tuple(argument.name for argument in arguments[1:])


def _feasible(low: float, high: float) -> float:
    """Return SciPy's start value: 1, or within the bounds."""
    if np.isfinite(low) and np.isfinite(high):
        return (low + high) / 2.0
    if np.isfinite(low):
        return low + 1.0
    return high - 1.0 if np.isfinite(high) else 1.0
