"""Which likelihood each column has: what is stated, what dtypes say, and what cannot be.

What is wrong with columns is told at once, with the lines to write.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast

import numpy as np

from .._typing import Unchecked
from .arrays import flat_rows
from .cell_contents import AS_MAPPING, Place, refuse_contents
from .column_dtypes import ColumnDtype, Declared, Level
from .column_kinds import (
    COUNTS,
    LEVELLED,
    LIKELIHOODS,
    Column,
    ColumnTable,
    are_counts,
    as_numbers,
    distinct,
    missing_cells,
)
from .containers import Form
from .multimodal_data import MultimodalData
from .on_disk import Kept, OnDisk
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
    if isinstance(likelihoods, Mapping):
        if is_alone and not set(likelihoods) <= set(names):
            return [_checked_words(likelihoods, "likelihoods")]
        if unknown := [name for name in likelihoods if name not in names]:
            raise ValueError(
                f"likelihoods names the modalities {unknown}, but X has {list(names)}: name only "
                f"those.{_close(unknown[0], names)}"
            )
        stated = [likelihoods.get(name, "auto") for name in names]
    elif isinstance(likelihoods, str):
        stated = [likelihoods] * len(names)
    else:
        stated = list(cast("Sequence", likelihoods))
        if len(stated) != len(names):
            raise ValueError(
                f"likelihoods has {len(stated)} entries for {len(names)} modalities, "
                f"{list(names)}: one entry each is expected, 'auto' for what dtypes tell."
            )
    pairs = zip(names, stated, strict=True)
    return [_checked_words(of, f"likelihoods[{name!r}]") for name, of in pairs]


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
    dtypes = data._frame_dtypes
    if is_plain(likelihoods) and all(of is None for of in dtypes):
        return form
    stated = stated_by_modality(likelihoods, data.names, form.container == "single")
    tables, problems = list(form.tables), list[Exception]()
    for k, words in enumerate(stated):
        if dtypes[k] is not None or not is_plain(words):
            tables[k] = replace(tables[k], coding=_find_table(data, k, form, words, problems))
    if problems:
        kind = TypeError if all(isinstance(of, TypeError) for of in problems) else ValueError
        raise kind("\n".join(map(str, problems)))
    return replace(form, tables=tuple(tables))


def coded_array(data: MultimodalData, k: int, form: Form, lenient: bool) -> Kept | None:
    """Return the array of a modality, of elements where its columns are coded.

    With ``lenient`` values that fit has not seen are missing.
    """
    coding, what = form.tables[k].coding, _called(form.place(k))
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


def _checked_words(stated: Any, what: str) -> Stated:
    """Return what is stated of a modality; raise where a word is no likelihood."""
    if stated is None:
        return "auto"
    entries = dict(stated) if isinstance(stated, Mapping) else {None: stated}
    for column, word in entries.items():
        if not isinstance(word, str) or word not in (*LIKELIHOODS, "auto"):
            place = what if column is None else f"{what}[{column!r}]"
            raise ValueError(
                f"{place} is {word!r}: expected 'auto' or one of {list(LIKELIHOODS)}."
                f"{_close(word, LIKELIHOODS)}"
            )
    return {str(k): word for k, word in entries.items()} if None not in entries else stated


def _close(word: Unchecked, known: Sequence[str]) -> str:
    """Ask whether a known word was meant."""
    close = difflib.get_close_matches(str(word), list(map(str, known)), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _find_table(
    data: MultimodalData, k: int, form: Form, stated: Stated, problems: list[Exception]
) -> ColumnTable | None:
    """Return how the columns of a modality are coded; add what is wrong with them."""
    place, kept, labels = form.place(k), cast("Kept", data.arrays[k]), data._columns[k]
    what = _called(place)
    if refused := _refused_whole(kept, stated, what):
        problems.append(ValueError(refused))
        return None
    array, dtypes = np.asarray(kept), data._frame_dtypes[k]
    table, is_frame = flat_rows(array), bool(dtypes or labels)
    if (observed := data._stated(k)) is not None:
        table = table[observed]
    names = labels or numbered_columns(table.shape[1])
    if not isinstance(stated, str) and (strange := [of for of in stated if of not in names]):
        problems.append(
            ValueError(
                f"likelihoods names the columns {strange} of {what}, which has "
                f"{list(names)!r:.300}.{_close(strange[0], names)}"
            )
        )
    if dtypes is None:
        dtypes = (Declared(ColumnDtype(array.dtype.name), "gaussian"),) * len(names)
    columns, wrong = _find_columns(table, names, dtypes, stated, is_frame)
    if wrong:
        problems.append(ValueError(_told(wrong, what, place)))
    told = wrong.get("words", ())
    numbers = [k for k, of in enumerate(columns) if of.word not in LEVELLED and of.name not in told]
    called = [names[k] for k in numbers]
    try:
        refuse_contents(table[:, numbers], what, called, replace(place, numbers=called))
    except TypeError as error:
        problems.append(error)
    if problems or all(of.word == "gaussian" for of in columns):
        return None
    reference = None
    if isinstance(stated, str) and stated in COUNTS and array.ndim == 2 and len(columns) > 1:
        reference = _mean_sum(table, what, len(form.names) == 1, problems)
    return ColumnTable(columns, array.shape[1:], is_frame, reference)


def _find_columns(
    table: np.ndarray,
    names: Sequence[str],
    dtypes: Sequence[Declared],
    stated: Stated,
    is_frame: bool,
) -> tuple[tuple[Column, ...], dict[str, list[str]]]:
    """Return the columns of a table, and names of those that something is wrong with."""
    wrong: dict[str, list[str]] = {}
    columns = []
    # Entries of one array have the same two values.
    shared = distinct(table.ravel()) if stated == "bernoulli" and not is_frame else None
    for name, of, cells in zip(names, dtypes, table.T, strict=True):
        word = stated if isinstance(stated, str) else stated.get(name, "auto")
        is_stated = word != "auto"
        word = word if is_stated else of.word
        levels, problem = _levels(cells, word, of, shared, is_stated)
        if problem:
            wrong.setdefault(problem, []).append(name)
        is_alone = word == "ordinal" and len(levels or ()) == 1  # such a level is above no other
        columns.append(Column(name, "categorical" if is_alone else word, of.dtype, levels))
    if not wrong and all(len(of.levels or "ab") == 1 for of in columns):
        wrong["constant"] = [of.name for of in columns]
    return tuple(columns), wrong


def _mean_sum(
    table: np.ndarray, what: str, is_alone: bool, problems: list[Exception]
) -> float | None:
    """Return the mean sum of the rows that have counts; add which have none, but need some."""
    sums = np.nansum([as_numbers(cells) for cells in table.T], axis=0)
    if sums.all() or (sums.any() and not is_alone):
        return float(sums[sums > 0].mean())
    rows = np.flatnonzero(sums == 0).tolist()
    told = f"{what} has no counts at all in the rows {rows!r:.80}: leave them out."
    problems.append(ValueError(told))
    return None


def _called(place: Place) -> str:
    """Return what a table is called in messages."""
    return "X" if place.name is None else f"modality {place.name!r}"


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
    cells: np.ndarray, word: str, of: Declared, shared: Sequence[Level] | None, is_stated: bool
) -> tuple[tuple[Level, ...] | None, str]:
    """Return the levels of a column that has some, and what is wrong with it, as in ``WRONG``."""
    if word not in LEVELLED:
        return None, _wrong_with_numbers(cells, word, of)
    found = distinct(cells) if shared is None else list(shared)
    if not found:
        return None, "empty"
    if of.word == "bernoulli":  # they may have become numbers beside other columns
        found = [bool(value) for value in found]
    try:
        categories, seen = of.dtype.categories, set(found)
        levels = sorted(found) if categories is None else [v for v in categories if v in seen]
    except TypeError:
        return None, "mixed"
    if word == "bernoulli":
        if len(levels) == 1 and levels[0] in (0, 1):  # as True is
            levels = [type(levels[0])(0), type(levels[0])(1)]
        return tuple(levels), "" if len(levels) == 2 else "two"
    n_rows = (1 if is_stated else ROWS_OF_A_NAME) * len(levels)
    are_ids = len(levels) > MOST_WITHOUT_IDS and n_rows >= sum(~missing_cells(cells))
    return tuple(levels), "ids" if are_ids else ""


def _wrong_with_numbers(cells: np.ndarray, word: str, of: Declared) -> str:
    """Say what is wrong with a column of numbers, as in ``WRONG``."""
    try:
        numbers = as_numbers(cells)
    except ValueError:
        return "words" if of.word in LEVELLED or word in COUNTS else ""
    if word in COUNTS and not are_counts(numbers):
        return "counts"
    return "empty" if np.isnan(numbers).all() else ""


def _told(wrong: Mapping[str, list[str]], what: str, place: Place) -> str:
    """Say what is wrong with columns, and what to do."""
    said, made, left_out = [], [], list[str]()
    for kind, (told, remedy) in WRONG.items():
        if names := wrong.get(kind):
            noun = "column" if len(names) == 1 else "the columns"
            said.append(told.format(columns=f"{noun} {', '.join(map(repr, names))}"))
            left_out += [] if remedy else names
            made += [remedy] if remedy else []
    if left_out:
        frame = place.given if place.kind in ("frame", "polars") else place.frame
        drop = f"drop({left_out})" if place.kind == "polars" else f"drop(columns={left_out})"
        made.append(f"{place.given} = {frame}.{drop}")
        if place.container in AS_MAPPING:
            made.insert(-1, AS_MAPPING[place.container].format(names=list(place.names)))
        if "pandas." in frame:
            made.insert(0, "import pandas")
    return "\n    ".join([f"{what} has {'; '.join(said)}. What to do:", *made])
