"""Which likelihood each column has: what is stated, what dtypes say, and what cannot be.

What is wrong with columns is told at once, with the lines to write.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any, TypeAlias, cast

import numpy as np

from .._base.types import Unchecked
from .._base.warn import warn_caller
from .arrays import flat_rows
from .cell_contents import AS_MAPPING, Address, refuse_contents
from .column_dtypes import ColumnDtype, Declared, Level
from .column_kinds import (
    COUNTS,
    LEVELLED,
    LIKELIHOODS,
    MANY_LEVELS,
    Column,
    ColumnTable,
    are_counts,
    as_numbers,
    distinct,
    plain,
)
from .containers import Form
from .multimodal_data import MultimodalData
from .on_disk import Kept, OnDisk
from .selection_keys import did_you_mean, entries_of
from .table_labels import numbered_columns

#: What is stated of a modality: "auto", a likelihood, or those of some columns.
Stated: TypeAlias = str | Mapping[str, str]

#: Categories name rows where there are more than this, and a row or two of each in the mean; all
#: differ where they are stated to be categories.
MOST_WITHOUT_IDS, ROWS_OF_A_NAME = 20, 2

#: What can be wrong with columns: in words, and what to do where they are not to be left out.
WRONG = {
    "ids": ("about as many categories as rows in {columns}, as names of rows have", ""),
    "constant": ("one category only in {columns}, which is all there is", ""),
    "empty": ("no value at all in {columns}", ""),
    "counts": (
        "negative or fractional numbers in {columns}, which likelihoods states as counts",
        "state 'gaussian' for numbers that are no counts",
    ),
    "two": (
        "other than two values in {columns}, which likelihoods states as 'bernoulli'",
        "state 'categorical' or 'gaussian' for more than two values, and leave out columns of one",
    ),
    "words": (
        "words in {columns}, for which likelihoods states numbers",
        "state 'categorical' for words, or leave them to 'auto'",
    ),
    "order": (
        "words in {columns}, which likelihoods states as 'ordinal', without their order",
        "state it in the dtype, as by pandas.Categorical(X['size'], ['small', 'middle', 'large'], "
        "ordered=True) or polars.Enum(['small', 'middle', 'large'])",
    ),
    "mixed": (
        "values of several types in {columns}, which have no order",
        "make them texts, as by frame.astype(str)",
    ),
}


def is_plain(likelihoods: Unchecked) -> bool:
    """Return whether nothing is stated but that numbers are numbers."""
    return isinstance(likelihoods, str) and likelihoods in ("auto", "gaussian")


def stated_by_modality(
    likelihoods: Unchecked, names: Sequence[str], is_alone: bool
) -> list[Stated]:
    """Return what is stated of each modality.

    Parameters
    ----------
    likelihoods : {"auto", ..}, sequence or mapping
        See the estimator.
    names : sequence of str
        The modalities.
    is_alone : bool
        Whether X is one table, so that a mapping is one of its columns.

    Raises
    ------
    ValueError
        If there is another number of entries, or one for what is no modality, or another word.
    """
    if is_alone and isinstance(likelihoods, Mapping) and not set(likelihoods) <= set(names):
        return [_checked_words(likelihoods, "likelihoods")]
    stated = entries_of(likelihoods, names, "likelihoods", "auto")
    pairs = zip(names, stated, strict=True)
    return [_checked_words(words, f"likelihoods[{name!r}]") for name, words in pairs]


def coded_form(likelihoods: Unchecked, data: MultimodalData, form: Form) -> Form:
    """Return the form with how the columns of each modality become elements in a fit.

    Parameters
    ----------
    likelihoods : {"auto", ..}, sequence or mapping
        See the estimator.
    data : MultimodalData
        All modalities, each in some sample.
    form : Form
        How they came.

    Raises
    ------
    TypeError, ValueError
        Names all columns that have no likelihood, and says what to do.
    """
    dtypes, asked = data._frame_dtypes, _row_numbers(data)
    if is_plain(likelihoods) and all(kinds is None for kinds in dtypes):
        _ask(asked)
        return form
    stated = stated_by_modality(likelihoods, data.names, form.container == "single")
    tables, problems = list(form.tables), list[Exception]()
    for k, words in enumerate(stated):
        if dtypes[k] is not None or not is_plain(words):
            columns = _ColumnsOfFit(data, k, form, words)
            tables[k] = replace(tables[k], coding=columns.table())
            problems += columns.problems
            asked += columns.asked
    if problems:
        kind = TypeError if all(isinstance(error, TypeError) for error in problems) else ValueError
        raise kind("\n".join(map(str, problems)))
    _ask(asked)
    return replace(form, tables=tuple(tables))


def _row_numbers(data: MultimodalData) -> list[str]:
    """Say which columns of frames count the rows one by one."""
    counting = list[str]()
    for labels, array in zip(data._columns, data.arrays, strict=True):
        if labels and array is not None and not isinstance(array, OnDisk) and array.ndim == 2:
            columns = zip(labels, np.asarray(array).T, strict=True)
            counting += [f"{name!r} numbers the rows" for name, cells in columns if _counts(cells)]
    return counting


def _counts(cells: np.ndarray) -> bool:
    """Return whether numbers count the rows one by one, in whatever order."""
    try:
        numbers, last = cells.astype(np.float64), len(cells) - 1
    except (TypeError, ValueError, OverflowError):
        return False
    known = numbers[~np.isnan(numbers)]
    if len(known) <= max(MOST_WITHOUT_IDS, 0.9 * last) or not np.ptp(known) <= last:
        return False
    different = np.unique(known - known.min())
    return len(different) == len(known) and bool((different == np.round(different)).all())


def _ask(asked: Sequence[str]) -> None:
    """Ask about columns that tell the samples apart, or where they come from."""
    if asked:
        warn_caller(
            f"Some columns may be no measurements: {'; '.join(asked)}. Leave an identifier out "
            "(X.drop(columns=..)); what says where or when a sample was taken, such as a batch, is "
            "a context (contexts=[..])."
        )


def coded_array(data: MultimodalData, k: int, form: Form, lenient: bool) -> Kept | None:
    """Return the array of a modality, of elements where its columns are coded.

    With ``lenient`` values that fit has not seen are missing.
    """
    coding, what = form.tables[k].coding, form.address(k).called
    array, stated = data.arrays[k], data._stated(k)
    if array is None:
        return None
    if coding is not None:
        missing = None if stated is None else ~stated
        return coding.encode(np.asarray(array), what, missing, lenient)
    if array.dtype.kind == "O" and data._frame_dtypes[k] is not None:
        try:
            return np.stack([as_numbers(cells) for cells in np.asarray(flat_rows(array)).T], axis=1)
        except ValueError:  # words, of which others tell
            pass
    return array


def check_kept_likelihoods(likelihoods: Unchecked, fitted: Form) -> None:
    """Check that a fit that goes on is not asked for other likelihoods than it has.

    Parameters
    ----------
    likelihoods : {"auto", ..}, sequence or mapping
        What is stated now.
    fitted : Form
        Of the fit.

    Raises
    ------
    ValueError
        Names a column of another likelihood.
    """
    stated = stated_by_modality(likelihoods, fitted.names, fitted.container == "single")
    for name, words, table in zip(fitted.names, stated, fitted.tables, strict=True):
        coding = table.coding
        before = {None: "gaussian"} if coding is None else {c.name: c.word for c in coding.columns}
        for column, word in before.items():
            now = words if isinstance(words, str) else words.get(str(column), "auto")
            if now != word and (now != "auto" or word in COUNTS):
                where = f"modality {name!r}" + ("" if column is None else f", column {column!r}")
                raise ValueError(
                    f"likelihoods is now {now!r} for {where}, but the fit has {word!r}: set it "
                    "back, or start afresh."
                )


def _checked_words(stated: Any, what: str) -> Stated:
    """Return what is stated of a modality; raise where a word is no likelihood."""
    if stated is None:
        return "auto"
    entries = dict(stated) if isinstance(stated, Mapping) else {None: stated}
    for column, word in entries.items():
        if not isinstance(word, str) or word not in (*LIKELIHOODS, "auto"):
            where = what if column is None else f"{what}[{column!r}]"
            raise ValueError(
                f"{where} is {word!r}: expected 'auto' or one of {list(LIKELIHOODS)}."
                f"{did_you_mean(word, LIKELIHOODS)}"
            )
    return {str(k): word for k, word in entries.items()} if None not in entries else stated


class _ColumnsOfFit:
    """Columns of a modality that are to be elements, and what is wrong with them."""

    def __init__(self, data: MultimodalData, k: int, form: Form, stated: Stated) -> None:
        labels, self.dtypes = data._columns[k], data._frame_dtypes[k]
        self.kept, self.observed = cast("Kept", data.arrays[k]), data._stated(k)
        self.address, self.stated = form.address(k), stated
        self.what, self.is_frame = self.address.called, bool(self.dtypes or labels)
        self.names = labels or numbered_columns(math.prod(self.kept.shape[1:]))
        self.problems: list[Exception] = []
        self.asked: list[str] = []

    def table(self) -> ColumnTable | None:
        """Return how the columns are coded; None where all are Gaussian, or some are wrong."""
        if refused := _refused_whole(self.kept, self.stated, self.what):
            self.problems.append(ValueError(refused))
            return None
        cells = flat_rows(np.asarray(self.kept))
        cells = cells if self.observed is None else cells[self.observed]
        stated = () if isinstance(self.stated, str) else self.stated
        if strange := [name for name in stated if name not in self.names]:
            message = (
                f"likelihoods names the columns {strange} of {self.what}, which has "
                f"{list(self.names)!r:.300}.{did_you_mean(strange[0], self.names)}"
            )
            self.problems.append(ValueError(message))
        columns = self._columns(cells)
        if self.problems or all(column.word == "gaussian" for column in columns):
            return None
        shape, reference = self.kept.shape[1:], None
        if isinstance(self.stated, str) and self.stated in COUNTS and len(shape) == 1 < shape[0]:
            reference = self._mean_sum(cells)
        return ColumnTable(columns, shape, self.is_frame, reference)

    def _columns(self, cells: np.ndarray) -> tuple[Column, ...]:
        """Return the columns, with the likelihood and the levels of each."""
        columns, wrong = [], dict[str, list[str]]()
        # Entries of one array have the same two values.
        is_shared = self.stated == "bernoulli" and not self.is_frame
        shared = distinct(cells.ravel()) if is_shared else None
        of_array = Declared(ColumnDtype(self.kept.dtype.name), "gaussian")
        dtypes = self.dtypes or (of_array,) * len(self.names)
        for name, kind, values in zip(self.names, dtypes, cells.T, strict=True):
            word = self.stated if isinstance(self.stated, str) else self.stated.get(name, "auto")
            is_stated = word != "auto"
            word = word if is_stated else kind.word
            levels, problem = _levels(values, word, kind, shared, is_stated)
            if problem:
                wrong.setdefault(problem, []).append(name)
            if word == "ordinal" and len(levels or ()) == 1:  # such a level is above no other
                word = "categorical"
            columns.append(Column(name, word, kind.dtype, levels))
        if not wrong and all(len(column.levels or "ab") == 1 for column in columns):
            wrong["constant"] = [column.name for column in columns]
        if wrong:
            self.problems.append(ValueError(_told(wrong, self.what, self.address)))
        many = [
            f"{column.name!r} has {n} words"
            for column in columns
            if (n := len(column.levels or "")) > MANY_LEVELS
        ]
        self.asked = [] if wrong else many
        words = wrong.get("words", ())
        are_numbers = [
            column.word not in LEVELLED and column.name not in words for column in columns
        ]
        called = list(compress(self.names, are_numbers))
        try:
            address = replace(self.address, numbers=called)
            refuse_contents(cells[:, are_numbers], self.what, called, address)
        except TypeError as error:
            self.problems.append(error)
        return tuple(columns)

    def _mean_sum(self, cells: np.ndarray) -> float | None:
        """Return the mean sum of rows that have counts; none may be without where that is all."""
        sums = np.nansum([as_numbers(column) for column in cells.T], axis=0)
        if sums.all() or (sums.any() and len(self.address.names) > 1):
            return float(sums[sums > 0].mean())
        rows = np.flatnonzero(sums == 0).tolist()
        message = f"{self.what} has no counts at all in the rows {rows!r:.80}: leave them out."
        self.problems.append(ValueError(message))
        return None


def _refused_whole(array: Kept, stated: Stated, what: str) -> str:
    """Say why a modality as a whole has no such likelihood; nothing if it may have it."""
    if isinstance(array, OnDisk):
        return (
            f"{what} is on disk, where only numbers of the likelihood 'gaussian' can be: read it, "
            "as by numpy.array, or leave it to 'auto'."
        )
    if array.ndim > 2 and (not isinstance(stated, str) or stated in ("categorical", "ordinal")):
        return (
            f"{what} has samples of shape {array.shape[1:]}, but likelihoods states {stated!r} for "
            "it, which is for tables of two axes: state one word of numbers, such as 'bernoulli'."
        )
    return ""


def _levels(
    cells: np.ndarray, word: str, kind: Declared, shared: Sequence[Level] | None, is_stated: bool
) -> tuple[tuple[Level, ...] | None, str]:
    """Return the levels of a column that has some, and what is wrong with it, as in ``WRONG``."""
    if word not in LEVELLED:
        return None, _wrong_with_numbers(cells, word, kind)
    values = distinct(cells) if shared is None else list(shared)
    if kind.word == "bernoulli":  # they may have become numbers beside other columns
        values = [bool(value) for value in values]
    try:
        used = set(values)
        levels = [value for value in kind.dtype.categories or sorted(values) if value in used]
    except TypeError:
        return None, "mixed"
    if word == "bernoulli" and len(levels) == 1 and (only := levels[0]) in (0, 1):  # as True is
        levels = [type(only)(0), type(only)(1)]
    n, problem = len(levels), ""
    is_spelled = any(isinstance(value, str) for value in levels) and not kind.dtype.states_order
    n_of_names = n if is_stated else ROWS_OF_A_NAME * n
    if n == 0:
        problem = "empty"
    elif word == "bernoulli":
        problem = "" if n == 2 else "two"
    elif word == "ordinal" and is_spelled:
        problem = "order"
    elif n > MOST_WITHOUT_IDS and n_of_names >= sum(value is not None for value in plain(cells)):
        problem = "ids"
    return tuple(levels), problem


def _wrong_with_numbers(cells: np.ndarray, word: str, kind: Declared) -> str:
    """Say what is wrong with a column of numbers, as in ``WRONG``."""
    try:
        numbers = as_numbers(cells)
    except ValueError:
        return "words" if kind.word in LEVELLED or word in COUNTS else ""
    if word in COUNTS and not are_counts(numbers):
        return "counts"
    return "empty" if np.isnan(numbers).all() else ""


def _told(wrong: Mapping[str, list[str]], what: str, address: Address) -> str:
    """Say what is wrong with columns, and what to do."""
    phrases, made, left_out = [], [], list[str]()
    for kind, (phrase, remedy) in WRONG.items():
        if names := wrong.get(kind):
            noun = "column" if len(names) == 1 else "the columns"
            phrases.append(phrase.format(columns=f"{noun} {', '.join(map(repr, names))}"))
            left_out += [] if remedy else names
            made += [remedy] if remedy else []
    if left_out:
        frame = address.given if address.kind in ("frame", "polars") else address.frame
        drop = f"drop({left_out})" if address.kind == "polars" else f"drop(columns={left_out})"
        made.append(f"{address.given} = {frame}.{drop}")
        if address.container in AS_MAPPING:
            made.insert(-1, AS_MAPPING[address.container].format(names=list(address.names)))
        if "pandas." in frame:
            made.insert(0, "import pandas")
    return "\n    ".join([f"{what} has {'; '.join(phrases)}. What to do:", *made])
