"""Where the elements of a sample lie: the points of a curve, the rows and columns of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias, cast

import numpy as np

from .._base.types import Abscissa, NamedNumbers, Unchecked, Values
from .recipes import describe

if TYPE_CHECKING:
    import xarray as xr

    from .column_dtypes import Frame

#: Share of a step by which an axis may differ from that of ``fit`` and still be called the same:
#: files round numbers (arbitrary).
SAME = 0.01
#: Numbers have so many digits in words, and more only where two would be alike (arbitrary).
FEW_DIGITS = 4

#: Columns without a name for what their names are lie along an axis if there are more (arbitrary).
MANY = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class ElementAxis:
    """Where the elements of a sample lie along one of its axes.

    Parameters
    ----------
    name : str
        What the numbers are, with their unit behind " / ", as in "shift / cm-1"; "" for nothing.
    values : ndarray of shape (length,)
        Finite numbers.
    """

    name: str
    values: np.ndarray

    @classmethod
    def of(cls, given: Unchecked, length: int, what: str) -> Self:
        """Read what a user states; errors say ``what``.

        Raises
        ------
        TypeError
            If it is neither numbers along one axis, nor a name and such.
        ValueError
            If these are not as many as they should be, or not finite.
        """
        name, values = cast("tuple", given) if is_named(given) else ("", given)
        numbers = _numbers(values, what)
        if numbers.shape != (length,):
            raise ValueError(
                f"{what} is to have {length} numbers, got shape {numbers.shape}: pass one number "
                "for each element along it."
            )
        if not (finite := np.isfinite(numbers)).all():
            raise ValueError(
                f"{what} is to have finite numbers, got {numbers[~finite][0]} at position "
                f"{int(finite.argmin())}: give that element its number, or leave it out of X, too."
            )
        return cls(name=" ".join(str(name).split()), values=numbers)

    def check_order(self, what: str) -> None:
        """Check that the numbers rise or fall throughout.

        Raises
        ------
        ValueError
            If they do not.
        """
        steps = np.diff(self.values)
        if not ((steps > 0).all() or (steps < 0).all()):
            k = int((steps <= 0).argmax() if steps[0] > 0 else (steps >= 0).argmax()) + 1
            raise ValueError(
                f"{what} is to rise or fall throughout, got {self.values[k - 1]:g} and then "
                f"{self.values[k]:g} at position {k}: sort both, order = np.argsort(axis), "
                "axis[order] and the elements of X by the same order."
            )

    @property
    def stated(self) -> NamedNumbers:
        """The axis as users state it."""
        return (self.name, self.values) if self.name else self.values

    @property
    def positions(self) -> list[str]:
        """Where each element lies, in words.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima._data.element_axes import ElementAxis
        >>> ElementAxis(name="shift / cm-1", values=np.array([1001.0, 999.0])).positions
        ['1001 cm-1', '999 cm-1']
        >>> ElementAxis(name="time", values=np.array([0.5])).positions
        ['time=0.5']
        """
        quantity, _, unit = self.name.rpartition(" / ")
        before, after = ("", f" {unit}") if quantity else (f"{self.name}=" if self.name else "", "")
        return [f"{before}{number}{after}" for number in _in_digits(self.values)]

    def is_like(self, other: ElementAxis) -> bool:
        """Return whether the numbers are the same, but for rounding."""
        if self.values.shape != other.values.shape:
            return False
        step = np.abs(np.diff(other.values)).min(initial=np.inf)
        room = SAME * step if np.isfinite(step) else SAME * abs(other.values[0])
        return bool((np.abs(self.values - other.values) <= room).all())


#: An axis for each of those of a sample, None for one that has none; () where none has one.
ElementAxes: TypeAlias = tuple[ElementAxis | None, ...]


def axes_of_frame(frame: Frame) -> ElementAxes:
    """Return the axis of a frame whose columns are called by ordered numbers."""
    columns = getattr(frame, "columns", None)
    if columns is None or getattr(columns, "nlevels", 1) > 1:
        return ()
    name = getattr(columns, "name", None)
    return axes_of_names(list(columns), name if isinstance(name, str) else "")


def axes_of_names(names: Sequence | None, name: str = "") -> ElementAxes:
    """Return the axis of columns that are called by ordered numbers; without a name, of many."""
    values = None if names is None else ordered_numbers(names)
    if values is None:
        return ()
    is_numbered = np.array_equal(values, np.arange(len(values)))
    if not name and (is_numbered or len(values) <= MANY):
        return ()
    return (ElementAxis(name=" ".join(name.split()), values=values),)


def axes_of_data_array(array: xr.DataArray) -> ElementAxes:
    """Return axes of coordinates that are ordered numbers; attributes say their names and units."""
    axes: list[ElementAxis | None] = []
    for dim in array.dims[1:]:
        coordinate = array.coords.get(dim)
        is_numeric = coordinate is not None and coordinate.dtype.kind in "iuf"
        values = ordered_numbers(cast("xr.DataArray", coordinate).values) if is_numeric else None
        if coordinate is None or values is None:
            axes.append(None)
            continue
        name, unit = (coordinate.attrs.get(key, "") for key in ("long_name", "units"))
        parts = [str(name or dim), *([str(unit)] if unit else [])]
        axes.append(ElementAxis(name=" ".join(" / ".join(parts).split()), values=values))
    return tuple(axes) if any(axis is not None for axis in axes) else ()


def ordered_numbers(names: Sequence | np.ndarray) -> np.ndarray | None:
    """Return names of columns as numbers, if they are finite ones that rise or fall throughout."""
    try:
        numbers = np.array(names, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    steps = np.diff(numbers)
    is_ordered = (steps > 0).all() or (steps < 0).all()
    return numbers if is_ordered and np.isfinite(numbers).all() else None


def check_like_fit(
    names: Sequence[str], now: Sequence[ElementAxes], before: Sequence[ElementAxes]
) -> None:
    """Check that axes are those of ``fit``, where both are stated.

    Raises
    ------
    ValueError
        Names the first number that differs.
    """
    for name, axes, fitted in zip(names, now, before, strict=True):
        for axis, other in zip(axes, fitted, strict=False):
            if axis is None or other is None or axis.is_like(other):
                continue
            k = int(np.abs(axis.values - other.values).argmax())
            raise ValueError(
                f"modality {name!r} has another axis than in fit: {axis.positions[k]!r} at "
                f"position {k}, where fit had {other.positions[k]!r}. Interpolate it to the axis "
                f"of fit, model.modality_axes_in_[{name!r}]."
            )


def common_axes(given: Sequence[ElementAxes], name: str) -> ElementAxes:
    """Return the axes of a modality that comes in parts; those without any may be of any.

    Raises
    ------
    ValueError
        If they differ.
    """
    first = next((axes for axes in given if axes), ())
    for axes in given:
        pairs = zip(axes, first, strict=False)
        if any(one and other and not one.is_like(other) for one, other in pairs):
            raise ValueError(
                f"modality {name!r} has another axis in some parts: interpolate them to one."
            )
    return first


def names_of_elements(
    axes: ElementAxes, shape: tuple[int, ...], named: Sequence[str] | None
) -> Sequence[str] | None:
    """Return where elements lie, unless these have names and the axis has none."""
    is_known = named is None or any(axis is not None and axis.name for axis in axes)
    return (words_of_elements(axes, shape) if is_known else None) or named


def words_of_elements(axes: ElementAxes, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """Return where each element of a sample lies, in C order; None where nothing says so.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.element_axes import ElementAxis, words_of_elements
    >>> rows = ElementAxis(name="depth / mm", values=np.array([0.0, 0.5]))
    >>> words_of_elements((rows, None), (2, 2))
    ('0 mm,0', '0 mm,1', '0.5 mm,0', '0.5 mm,1')
    """
    if not axes or tuple(shape) != tuple(
        n if axis is None else len(axis.values) for axis, n in zip(axes, shape, strict=False)
    ):
        return None
    along = [
        list(map(str, range(n))) if axis is None else axis.positions
        for axis, n in zip(axes, shape, strict=True)
    ]
    return tuple(
        ",".join(words[k] for words, k in zip(along, index, strict=True))
        for index in np.ndindex(*shape)
    )


def stated_axes(axes: ElementAxes) -> Abscissa | None:
    """Return axes as users state them; None where there are none."""
    if len(axes) < 2:
        return axes[0].stated if axes and axes[0] is not None else None
    return [axis if axis is None else axis.stated for axis in axes]


def plain_axes(axes: ElementAxes) -> list[Values | None]:
    """Return axes as plain data."""
    return [axis if axis is None else dict(vars(axis)) for axis in axes]


def axes_of_plain(plain: Sequence[Values | None]) -> ElementAxes:
    """Undo :func:`plain_axes`, and check them."""
    axes: list[ElementAxis | None] = []
    for entry in plain:
        if entry is None:
            axes.append(None)
            continue
        name, values = entry["name"], entry["values"]
        axis = ElementAxis.of((name, values), len(values), "its axis")
        axis.check_order("its axis")
        axes.append(axis)
    return tuple(axes)


def check_axes_fit(axes: ElementAxes, shape: tuple[int, ...]) -> None:
    """Check that axes of a file are those of samples of this shape."""
    lengths = [
        n if axis is None else len(axis.values) for axis, n in zip(axes, shape, strict=False)
    ]
    if axes and (len(axes) != len(shape) or lengths != list(shape)):
        raise ValueError(f"it has axes of {lengths} numbers for samples of shape {tuple(shape)}")


def is_named(given: Unchecked) -> bool:
    """Return whether it is a name and something else."""
    return isinstance(given, (tuple, list)) and len(given) == 2 and isinstance(given[0], str)


def _numbers(values: Unchecked, what: str) -> np.ndarray:
    """Return numbers along an axis.

    Raises
    ------
    TypeError
        If they are none.
    """
    expected = "expected numbers along one axis, or a name and numbers, ('shift / cm-1', shift)"
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{what} is {describe(values)}: {expected}.") from error
    if array.dtype.kind == "O" and all(isinstance(one, (int, float)) for one in array.ravel()):
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        times = ", of times the seconds since the first" if array.dtype.kind in "mM" else ""
        raise TypeError(f"{what} has the dtype {array.dtype}: {expected}{times}.")
    return array.astype(np.float64)


def _in_digits(values: np.ndarray) -> list[str]:
    """Return numbers in as few digits as tell them apart."""
    n_different = len(np.unique(values))
    for n_digits in range(FEW_DIGITS, 18):
        texts = [f"{value:.{n_digits}g}" for value in values.tolist()]
        if len(set(texts)) == n_different:
            break
    return texts
