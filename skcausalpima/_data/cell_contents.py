"""What stands in arrays that hold no numbers: which column, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number

import numpy as np

from .._typing import Unchecked
from .arrays import flat_rows


def refuse_contents(
    array: Unchecked, what: str, columns: Sequence[Unchecked] | None = None
) -> None:
    """Raise where an array holds text, dates or arrays, and say where.

    Parameters
    ----------
    array : array-like
        What cannot be read as numbers. Where it is read after all, nothing happens.
    what : str
        What to call it in messages.
    columns : sequence, default=None
        Names of its columns; numbers by default.

    Raises
    ------
    TypeError
        Names the column, and what to do.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.cell_contents import refuse_contents
    >>> refuse_contents(np.array([[1.0, 2.0]], dtype=object), "X")
    """
    labels = getattr(array, "columns", columns)
    cells = np.asarray(array)
    if cells.ndim == 0 or cells.dtype.kind not in "OUSmM":
        return
    table = flat_rows(cells)
    for k in range(table.shape[1]):
        column = table[:, k]
        if _are_numbers(column):
            continue
        where = f"column {k}" if labels is None else f"column {labels[k]!r}"
        advice = _advice(column, where if labels is None else repr([labels[k]]))
        if advice:
            raise TypeError(
                f"{what} holds {advice[0]} in {where}, where numbers are expected: {advice[1]}"
            )


def _are_numbers(column: np.ndarray) -> bool:
    """Say whether a column can be read as numbers."""
    if column.dtype.kind in "mM":
        return False
    try:
        column.astype(float)
    except (TypeError, ValueError):
        return False
    return True


def _advice(column: np.ndarray, place: str) -> tuple[str, str] | None:
    """Return what a column holds, and what to do with it; None for things of other kinds."""
    odd = next((v for v in column.tolist() if not _is_number(v)), None)
    if column.dtype.kind in "mM" or hasattr(odd, "isoformat"):
        return "dates", (
            "make them a time since some date, such as (column - column.min()).dt.total_seconds()."
        )
    if isinstance(odd, (str, bytes)):
        return f"text ({odd!r:.40})", (
            "make such columns a modality of their own and encode it, by "
            "ModalityTransformer({'words': OneHotEncoder()}).fit_transform({'words': "
            f"frame[{place}], 'numbers': frame.drop(columns={place})}})."
            if place.startswith("[")
            else "encode it as numbers first, by ModalityTransformer({name: OneHotEncoder()})."
        )
    if getattr(odd, "ndim", 0) or isinstance(odd, (list, tuple)):
        return "arrays", (
            "MultimodalData.from_frame(frame) reads a DataFrame with one array per cell; "
            "np.stack(list(column)) makes one array of arrays of one shape. Where shapes differ, "
            "resize or pad them first."
        )
    return None


def _is_number(value: Unchecked) -> bool:
    """Say whether a cell holds a number, or nothing."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return value is None or isinstance(value, (Number, np.generic))
