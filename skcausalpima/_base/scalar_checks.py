"""Checks of single values: a boolean is no number, and numbers must be of a possible size."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar, cast

import numpy as np
from sklearn.utils import check_scalar

from .scikit_learn import HasMethods, Interval
from .scikit_learn import validate_params as _validate_params
from .types import Unchecked

Function = TypeVar("Function", bound=Callable[..., Any])

#: The largest number of things: what an int of C holds.
MAX_COUNT = 2**31 - 1


def pythonic(value: Unchecked) -> Unchecked:
    """Return a number of NumPy's, which may overflow, as one of Python's, and all else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def validate_params(
    constraints: dict[str, list], *, prefer_skip_nested_validation: bool
) -> Callable[[Function], Function]:
    """Check arguments of a function as scikit-learn does; it gets Python's numbers for NumPy's.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._base.scalar_checks import count, validate_params
    >>> @validate_params({"n_draws": [count(1)]}, prefer_skip_nested_validation=True)
    ... def below(n_draws):
    ...     return n_draws - 4
    >>> below(np.uint8(3))
    -1
    """

    def decorated(function: Function) -> Function:
        checked = _validate_params(
            constraints, prefer_skip_nested_validation=prefer_skip_nested_validation
        )(function)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            named = {name: pythonic(value) for name, value in kwargs.items()}
            return checked(*map(pythonic, args), **named)

        return cast("Function", called)

    return decorated


class NumberRange(Interval):
    """A constraint of scikit-learn's kind: a number in an interval that is no boolean.

    Parameters
    ----------
    kind : {numbers.Integral, numbers.Real}
        What the number is.
    left, right : number or None
        The ends.
    closed : {"left", "right", "both", "neither"}
        The ends that belong to it.
    """

    def is_satisfied_by(self, val: Unchecked) -> bool:
        """Return whether a value is such a number."""
        if isinstance(val, (bool, np.bool_)) or not isinstance(val, _KINDS[self.type]):
            return False
        is_large = is_integer(val) and abs(val) > np.iinfo(np.int64).max
        if self.type is Real and is_large:  # floats hold many of these, but not all of NumPy does
            return False
        return val in self


#: What is a number of a kind to NumPy and torch, too.
_KINDS: dict[type, type | tuple[type, ...]] = {
    Integral: Integral,
    Real: (Integral, float, np.floating),
}


#: The constraint of ``n_jobs``, None aside.
JOBS = NumberRange(Integral, -MAX_COUNT, MAX_COUNT, closed="both")


POSITIVE = NumberRange(Real, 0, None, closed="neither")
NOT_NEGATIVE = NumberRange(Real, 0, None, closed="left")


def count(least: int) -> NumberRange:
    """Return the constraint of a number of things."""
    return NumberRange(Integral, least, MAX_COUNT, closed="both")


def is_integer(value: Unchecked) -> TypeGuard[int]:
    """Return whether a value is an integer of Python's or NumPy's, and no boolean."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_path(path: Unchecked) -> str:
    """Return a path as text, whatever may be there.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        Of a file or a folder.

    Returns
    -------
    str
        It.

    Raises
    ------
    TypeError
        If it is no path.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(
            f"path is {path!r:.100}: expected the name of a file or of a folder, a str or a "
            "pathlib.Path."
        )
    return os.fsdecode(path)


def check_count(value: Unchecked, name: str, least: int = 1) -> int:
    """Return a number of things as an int.

    Parameters
    ----------
    value : int
        The number.
    name : str
        Its name, for messages.
    least : int, default=1
        The smallest number.

    Returns
    -------
    int
        The number.

    Examples
    --------
    >>> from skcausalpima._base.scalar_checks import check_count
    >>> check_count(3, "n_samples")
    3
    """
    _refuse_booleans(value, name)
    return int(check_scalar(value, name, Integral, min_val=least, max_val=MAX_COUNT))


def check_number(value: float, name: str, least: float, most: float) -> float:
    """Return a finite number in a range as a float.

    Parameters
    ----------
    value : float
        The number.
    name : str
        Its name, for messages.
    least, most : float
        The range.

    Returns
    -------
    float
        The number; 0.0 for -0.0, which NumPy takes for a negative one where it draws.

    Examples
    --------
    >>> from skcausalpima._base.scalar_checks import check_number
    >>> check_number(2, "overlap", 0.0, 10.0)
    2.0
    """
    _refuse_booleans(value, name)
    check_scalar(value, name, _KINDS[Real], min_val=least, max_val=most)
    if value != value:
        raise ValueError(f"{name} is {value!r}: expected a number from {least} to {most}.")
    return float(value) + 0.0


def _refuse_booleans(value: Unchecked, name: str) -> None:
    """Raise where a value is a boolean, which Python takes for an integer."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}: expected a number, not a boolean.")


def is_missing(value: Unchecked) -> bool:
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither equal to itself nor not; arrays
        return not hasattr(value, "shape")


class ArrayWithAxis(HasMethods):
    """A constraint of scikit-learn's kind: an unmasked array that is a sequence of numbers."""

    def __init__(self) -> None:
        super().__init__("__array__")

    def is_satisfied_by(self, val: Unchecked) -> bool:
        """Return whether a value is such an array."""
        if not isinstance(val, np.ndarray) or isinstance(val, np.ma.MaskedArray):
            return False
        return val.ndim > 0 and val.dtype.kind != "V"

    def __str__(self) -> str:
        return "a numpy.ndarray with at least one axis"


class InstanceOf(HasMethods):
    """A constraint of scikit-learn's kind: an instance of a class, by its public name.

    Parameters
    ----------
    kind : type
        The class.
    package : str, default="skcausalpima"
        The package that has its name.
    """

    def __init__(self, kind: type, package: str = "skcausalpima") -> None:
        super().__init__("__init__")
        self.kind, self.package = kind, package

    def is_satisfied_by(self, val: Unchecked) -> bool:
        """Return whether a value is such an instance."""
        return isinstance(val, self.kind)

    def __str__(self) -> str:
        return f"an instance of {self.package}.{self.kind.__name__}"


#: The constraints of a sequence.
SEQUENCE = [list, tuple, ArrayWithAxis()]
