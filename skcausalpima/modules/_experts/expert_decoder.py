"""A model function as a decoder: what the user states about it, checked, and tried at its start."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .checks import FunctionTrial
from .signature import (
    ParameterSpace,
    StatedBounds,
    StatedStart,
    function_start,
    name_of,
    named,
    node_names_of,
    number,
    ordered_groups,
    parameter_names,
    points,
    read_bounds,
    read_start,
)


class ExpertDecoder:
    r"""Decode a modality by a model function of a few parameters that mean something.

    It follows SciPy's :func:`!curve_fit`: ``f(x, a, b, c)`` with parameter names from the
    signature, start values and bounds. ``f`` is written with torch operations that broadcast. In it
    x is a tensor of the shape that is given here. Each parameter has the shape (n, 1), with one
    more axis for every further axis of the modality. The result is of shape (n, \*shape), in the
    units of the data.

    Parameters
    ----------
    f : callable
        The model function, such as ``lambda x, a, b: a * torch.exp(-b * x)``, or :func:`line`,
        :func:`exponential_decay` or :func:`piecewise_linear`. Keyword-only arguments with a
        default are constants.
    x : array-like
        Where the modality is sampled, finite numbers. For a modality of several axes an array of
        several axes: of the modality's shape, or whatever ``f`` makes that shape of, such as one
        array of that shape per coordinate.
    p0 : sequence or mapping of float, default=None
        Start values. None, and parameters that a mapping leaves out, start at 1, or within their
        bounds: in the middle of two, 1 away from a single one.
    bounds : pair of (float or sequence), or mapping of str to pair, default=None
        Lower and upper bounds, infinite for none: of all parameters (also as SciPy's
        :class:`!Bounds`), or by name. Bounded parameters are smooth functions of unbounded ones,
        which lose digits where two bounds are very far apart: prefer an infinite one.
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
        Whether each cell has its own variance around its curve, or all have one.
    scatter : bool, default=False
        Whether the parameters scatter between the samples of a cluster, as they do between things
        that are made or grown. Residuals are then not independent from point to point: along the
        directions in which the parameters move the curve they have a covariance that is learned. In
        the model that covariance is drawn to no scatter where a cluster has few samples; reported
        deviations and standard errors are not. Only for ``per="cluster"``.
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
        If ``f`` raises, changes x, or returns another shape, values that are not finite or values
        without gradient. If the curve of one set of parameters depends on the others. If a name is
        no parameter, if bounds cross, or if start values are outside.

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
        p0: StatedStart = None,
        bounds: StatedBounds = None,
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
        self.function_name = name_of(f)
        self.x = points(x, self.function_name)
        self.names = parameter_names(f, self.function_name)
        known = named("fixed", fixed, self.names, self.function_name)
        self.fixed = {k: number(f"fixed value of {k}", v) for k, v in known.items()}
        self.free_names = tuple(name for name in self.names if name not in self.fixed)
        nodes = named("depends_on", depends_on, self.names, self.function_name)
        self.depends_on = {name: node_names_of(name, value) for name, value in nodes.items()}
        self._check_words()
        self._read_values(p0, bounds)
        if self.x.ndim == 1:  # more axes may be coordinates: the shape of the modality decides
            self.check(f"ExpertDecoder({self.function_name})", self.x.shape)

    def _read_values(self, p0: StatedStart, bounds: StatedBounds) -> None:
        """Read start values and bounds, the model function's own and those that are stated."""
        defaults = function_start(self.f, self.x, self.function_name)
        limits = read_bounds(bounds, defaults, self.names, self.function_name)
        start = read_start(p0, defaults, self.fixed, limits, self.function_name)
        stated: Collection[str] = self.names
        if p0 is None or isinstance(p0, Mapping):
            stated = p0 or ()
        groups = ordered_groups(defaults.ordered, self.fixed, limits, start, stated)
        self.start_values = start
        self.space = ParameterSpace(
            lower=tuple(limits[0][name] for name in self.free_names),
            upper=tuple(limits[1][name] for name in self.free_names),
            ordered=tuple(tuple(self.free_names.index(n) for n in group) for group in groups),
        )

    def __repr__(self) -> str:
        """Show the function and how often its parameters occur."""
        return f"ExpertDecoder({self.function_name}, per={self.per!r})"

    def curves(self, free_values: Tensor, x: Tensor, n_axes: int = 1) -> Tensor:
        """Evaluate the model function.

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

        See Also
        --------
        all_values : The parameters, those that are fixed included.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ExpertDecoder, line
        >>> expert = ExpertDecoder(line, [0.0, 1.0, 2.0], fixed={"intercept": 5.0})
        >>> expert.curves(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 1.0, 2.0]))
        tensor([[5., 6., 7.],
                [5., 7., 9.]])
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

        See Also
        --------
        curves : What the function makes of them.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ExpertDecoder, line
        >>> expert = ExpertDecoder(line, [0.0, 1.0, 2.0], fixed={"intercept": 5.0})
        >>> expert.names
        ('slope', 'intercept')
        >>> expert.all_values(torch.tensor([[1.0], [2.0]]))
        tensor([[1., 5.],
                [2., 5.]])
        """
        columns = dict(zip(self.free_names, free_values.unbind(dim=1), strict=True))
        fixed = {  # by way of float64: PyTorch refuses a number beyond single precision
            n: torch.tensor(v, dtype=torch.float64).to(free_values).expand(len(free_values))
            for n, v in self.fixed.items()
        }
        columns.update(fixed)
        return torch.stack([columns[name] for name in self.names], dim=1)

    def start_coordinates(self) -> Tensor:
        """Return the unbounded coordinates of the start values.

        Returns
        -------
        Tensor of shape (n_free,)
            In float64.

        Examples
        --------
        >>> from skcausalpima.modules import ExpertDecoder, line
        >>> free = ExpertDecoder(line, [0.0, 1.0], p0={"slope": 2.0, "intercept": 0.0})
        >>> free.start_coordinates()  # unbounded: the values themselves
        tensor([2., 0.], dtype=torch.float64)
        >>> bounded = ExpertDecoder(line, [0.0, 1.0], bounds={"slope": (0.0, 4.0)})
        >>> bounded.space.values(bounded.start_coordinates())  # 2 is in the middle
        tensor([2., 1.], dtype=torch.float64)
        """
        starts = [self.start_values[n] for n in self.free_names]
        values = torch.tensor(starts, dtype=torch.float32).double()
        return self.space.coordinates(values)

    def check(self, where: str, shape: Sequence[int], dtype: torch.dtype = torch.float64) -> None:
        """Evaluate ``f`` at its start values and raise where the result cannot be used.

        Parameters
        ----------
        where : str
            Which expert it is, for messages.
        shape : sequence of int
            Shape of one sample of the modality.
        dtype : torch.dtype, default=torch.float64
            The dtype of the data: values must be finite in it.

        Raises
        ------
        TypeError
            If ``f`` returns no tensor, or another dtype.
        ValueError
            If ``f`` raises, or returns another shape, something not finite or without gradient, or
            curves that depend on each other.

        Examples
        --------
        >>> from skcausalpima.modules import ExpertDecoder, line
        >>> expert = ExpertDecoder(line, [0.0, 1.0, 2.0])
        >>> expert.check("the expert", (3,))  # of curves of three points
        >>> try:
        ...     expert.check("the expert", (4,))
        ... except ValueError as error:
        ...     print(error)
        the expert: the function line returned shape (2, 3) ... expected (2, 4), ...
        """
        if self.scatter and math.prod(shape) <= len(self.free_names):
            raise ValueError(
                f"{where}: scatter needs more points than the {len(self.free_names)} parameters of "
                f"{self.function_name}, got {math.prod(shape)}."
            )
        # A function may overflow in float32 and still be right for data in float64.
        with torch.enable_grad():  # even if the caller has none
            for tried in (torch.float64, torch.float32):
                trial = FunctionTrial(self, where, tuple(shape), tried)
                trial.check(finite=tried in (torch.float64, dtype))

    def _check_words(self) -> None:
        for name, value, words in (
            ("per", self.per, ("cluster", "sample")),
            ("variance", self.variance, ("cluster", "shared")),
        ):
            if value not in words:
                raise ValueError(f"{name} must be {words[0]!r} or {words[1]!r}, got {value!r}.")
        if self.depends_on and self.per == "sample":
            raise ValueError("depends_on is for per='cluster': there are no cells per sample.")
        if self.scatter and self.per == "sample":
            raise ValueError("scatter is for per='cluster': each sample has its own parameters.")
        for option, on in (("per='sample'", self.per == "sample"), ("scatter", self.scatter)):
            if on and not self.free_names:
                raise ValueError(f"{option} needs a parameter that is not fixed.")
