"""Cells of arrays that hold no numbers: the error that names their columns, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from .._base.scalar_checks import is_missing
from .._base.types import Unchecked, Values
from .arrays import beyond_floats, flat_rows
from .table_labels import Columns

#: What makes X a mapping from names to modalities.
AS_MAPPING = {
    "several": "X = dict(zip({names}, X))",
    "levels": "X = {{name: X[name] for name in dict.fromkeys(X.columns.get_level_values(0))}}",
    "container": "X = dict(X)",
    "dataset": "X = {{name: X[name].values for name in {names}}}",
}


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a table stands in X.

    Parameters
    ----------
    container : str, default="single"
        What X is, as in :class:`Form`.
    name : str, default=None
        Which modality of X it is; None where X is the table.
    names : sequence of str, default=()
        All modalities of X.
    kind : str, default="array"
        What the table is, as in :class:`Table`.
    columns : sequence of str, default=None
        Names of its columns that it has not itself.
    numbers : sequence of str, default=None
        Which of its columns are to be numbers, where others may be words; None for all.
    """

    container: str = "single"
    name: str | None = None
    names: Sequence[str] = ()
    kind: str = "array"
    columns: Columns = None
    numbers: Sequence[str] | None = None

    @property
    def called(self) -> str:
        """The table in messages."""
        return "X" if self.name is None else f"modality {self.name!r}"

    @property
    def given(self) -> str:
        """The table in code."""
        return "X" if self.name is None else f"X[{self.name!r}]"

    @property
    def frame(self) -> str:
        """Code for a DataFrame of it, whose columns have texts as names."""
        if self.kind == "frame":
            return f"{self.given}.rename(columns=str)"
        if self.kind == "polars":
            return f"pandas.DataFrame({self.given}.to_dict(as_series=False))"
        if self.columns is None:
            return f"pandas.DataFrame({self.given}).rename(columns=str)"
        return f"pandas.DataFrame({self.given}, columns={list(self.columns)})"


#: What columns may hold in place of numbers: what it is called, and what becomes of it.
SPOKEN = {
    "texts": (
        "text ({examples}) in {columns}",
        "Texts become a modality of their own, with a column for each word",
    ),
    "gaps": (
        "text ({examples}) among the numbers in {columns}",
        "texts among numbers are missing then",
    ),
    "dates": ("dates in {columns}", "dates become seconds"),
    "times": ("times in {columns}", "times become seconds"),
}


def refuse_contents(
    array: Unchecked,
    what: str,
    columns: Sequence[Unchecked] | None = None,
    address: Address | None = None,
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
    address : Address, default=None
        Where it stands in X, for lines of code that make numbers of it. None where it is to be
        made what data of ``fit`` were made.

    Raises
    ------
    TypeError
        Names the columns, and what to do.
    ValueError
        If a number is too large.

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
    names = [str(k) if labels is None else str(labels[k]) for k in range(table.shape[1])]
    contents: dict[str, Values] = {}
    for name, column in zip(names, table.T, strict=True):
        shown = name if labels is None else repr(name)
        if not _are_numbers(column, f"{what} (column {shown})"):
            kind, example = _content(column)
            contents.setdefault(kind, {})[name] = example
    if "arrays" in contents:
        is_frame = hasattr(array, "columns")
        where = _listed(list(contents["arrays"]), labels is not None)
        raise TypeError(
            f"{what} holds arrays in {where}, where numbers are expected: "
            f"{_advice_on_arrays(next(iter(contents['arrays'].values())), is_frame)}"
        )
    contents.pop("", None)
    if contents:
        raise TypeError(_told(contents, what, labels is not None, len(names), address))


def _told(
    contents: dict[str, Values], what: str, is_labelled: bool, width: int, address: Address | None
) -> str:
    """Say what stands in which columns, and what to do."""
    phrases, made = [], []
    for kind, (what_is_there, what_becomes) in SPOKEN.items():
        if kind in contents:
            examples = ", ".join(f"{value!r:.40}" for value in list(contents[kind].values())[:5])
            columns = _listed(list(contents[kind]), is_labelled)
            phrases.append(what_is_there.format(examples=examples, columns=columns))
            made.append(what_becomes)
    problem = f"{what} holds {' and '.join(phrases)}, where numbers are expected"
    if address is None:
        return f"{problem}: make of it what was made of the data of fit, as by prep.transform(X)."
    if width == 1 and address.name is not None and "texts" in contents:
        problem += f". Labels of instruments, sites or days are named: contexts={address.name!r}"
    lines = recipe(address, {kind: list(names) for kind, names in contents.items()}, width)
    become = "; ".join(made)
    return "\n    ".join([f"{problem}. {become[0].upper()}{become[1:]}:", *lines])


def _listed(names: Sequence[str], is_labelled: bool) -> str:
    """Name columns."""
    listed = ", ".join(map(repr, names) if is_labelled else names)
    return f"column {listed}" if len(names) == 1 else f"the columns {listed}"


def _are_numbers(column: np.ndarray, what: str) -> bool:
    """Return whether a column can be read as numbers; raise where one is too large."""
    if column.dtype.kind in "mM":
        return False
    try:
        column.astype(float)
    except OverflowError as error:
        raise ValueError(beyond_floats(what, error)) from error
    except (TypeError, ValueError):
        return False
    return True


def _content(column: np.ndarray) -> tuple[str, Any]:
    """Return what a column holds, with an example; nothing for things of other kinds."""
    cells = column.tolist()
    odd = next((cell for cell in cells if not _is_number(cell)), None)
    if column.dtype.kind == "m" or hasattr(odd, "total_seconds"):
        return "times", odd
    if column.dtype.kind == "M" or hasattr(odd, "isoformat"):
        return "dates", odd
    if isinstance(odd, (str, bytes)):
        n_texts = sum(not _is_number(cell) for cell in cells)
        n_numbers = len(cells) - n_texts - sum(map(is_missing, cells))
        return ("gaps" if n_numbers >= n_texts else "texts"), odd
    if getattr(odd, "ndim", 0) or isinstance(odd, (list, tuple)):
        return "arrays", cells
    return "", odd


def _advice_on_arrays(cells: Sequence, is_frame: bool) -> str:
    """Say what to do with a column of arrays."""
    shapes = list(dict.fromkeys(np.shape(cell) for cell in cells if cell is not None))
    stacked = "np.stack(list(array)) makes one array of them"
    if len(shapes) > 1:
        return (
            f"these are arrays of several shapes, such as {shapes[0]} and {shapes[1]}: resize or "
            f"pad them to one shape first; then {stacked}."
        )
    advice = f"these are arrays of shape {shapes[0]}: {stacked}."
    if is_frame:
        advice += " MultimodalData.from_frame(frame) reads a DataFrame with one array per cell."
    return advice


def _is_number(value: Unchecked) -> bool:
    """Return whether a cell holds a number, or nothing."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return is_missing(value) or isinstance(value, (Number, np.generic))


def recipe(address: Address, odd: Mapping[str, Sequence[str]], width: int) -> list[str]:
    """Return lines of code after which X can be fitted.

    Texts become a modality of their own, with a column for each word. Texts among numbers become
    NaN, which is missing, and dates seconds since the first.

    Parameters
    ----------
    address : Address
        Where the table stands.
    odd : mapping of str to sequence of str
        Names of columns that hold no numbers, by what they hold, as in ``SPOKEN``.
    width : int
        How many columns there are.

    Returns
    -------
    list of str
        That run as they are.

    Examples
    --------
    >>> from skcausalpima._data.cell_contents import Address, recipe
    >>> print(*recipe(Address(kind="frame"), {"texts": ["a"]}, 3), sep="\\n")
    from sklearn.preprocessing import OneHotEncoder
    from skcausalpima import ModalityTransformer
    table = X.rename(columns=str)
    X = {'numbers': table.drop(columns=['a']), 'words': table[['a']].astype(str)}
    prep = ModalityTransformer({'words': OneHotEncoder()})
    X = prep.fit_transform(X)
    """
    texts, name = list(odd.get("texts", ())), address.name
    lines = [f"table = {address.frame}", *_made_numbers(odd)]
    if address.container in AS_MAPPING:
        lines.insert(0, AS_MAPPING[address.container].format(names=list(address.names)))
    numbers = f"table.drop(columns={texts})" if texts else "table"
    if address.kind not in ("frame", "polars", "series"):
        of_some = None if address.numbers is None else dict.fromkeys(address.numbers, "float")
        numbers += f".astype({'float' if of_some is None else of_some})"
    parts = {name or "numbers": numbers} if len(texts) < width else {}
    words = f"{name or ''} words".strip() if parts else name or "words"
    if texts:
        columns = f"table[{texts}]" if parts else "table"
        parts[words] = f"{columns}.astype(str)"
        lines.insert(0, "from sklearn.preprocessing import OneHotEncoder")
        lines.insert(1, "from skcausalpima import ModalityTransformer")
    made = ", ".join(f"{part!r}: {code}" for part, code in parts.items())
    before = "" if name is None else "**X, "
    lines.append(f"X = {{{before}{made}}}" if texts or name else f"X = {numbers}")
    if texts:
        lines.append(f"prep = ModalityTransformer({{{words!r}: OneHotEncoder()}})")
        lines.append("X = prep.fit_transform(X)")
    needs_pandas = any("pandas." in line for line in lines)
    return ["import pandas"] * needs_pandas + lines


def _made_numbers(odd: Mapping[str, Sequence[str]]) -> list[str]:
    """Return lines of code that make numbers of columns which are not texts alone."""
    _, gaps, dates, times = (list(odd.get(kind, ())) for kind in SPOKEN)
    made = {name: f"pandas.to_numeric(table[{name!r}], errors='coerce')" for name in gaps}
    for name in dates:
        made[name] = f"(table[{name!r}] - table[{name!r}].min()).dt.total_seconds()"
    for name in times:
        made[name] = f"pandas.to_timedelta(table[{name!r}]).dt.total_seconds()"
    lines = [f"table = table.assign(**{{{name!r}: {code}}})" for name, code in made.items()]
    if dates:
        lines.insert(0, f"table[{dates}] = table[{dates}].apply(pandas.to_datetime)")
    return lines
