"""Columns of words, booleans, ordered categories and counts as numeric elements, and back.

A categorical column has an element for each level, an ordinal one for each level but the first
("is above"), and a count its ``log1p``, divided by the depth of its row where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from .._base.scalar_checks import is_missing
from .._base.types import Values
from .arrays import check_words_fit, flat_rows
from .column_dtypes import ColumnDtype, Declared, Dtypes, Level, are_levels, plain_level

#: What likelihoods of columns that have levels are called, and those of counts.
LEVELLED = ("bernoulli", "categorical", "ordinal")
COUNTS = ("poisson", "negative_binomial")
LIKELIHOODS = ("gaussian", *LEVELLED, *COUNTS)
#: The word of the last element, the logarithm of the depth, where there is one.
DEPTH = "depth"
#: A column of more categories is looked at by itself, a row at its own one (arbitrary).
MANY_LEVELS = 100
#: Codes of cells without a level.
MISSING, STRANGE = -1, -2

#: Kind and number of elements of each column; ("depth", 1) last where counts have depths.
Layout: TypeAlias = tuple[tuple[str, int], ...]


def slices_of(layout: Layout) -> list[slice]:
    """Return which elements each column has."""
    return [slice(*ends) for ends in pairwise(accumulate((n for _, n in layout), initial=0))]


def has_many_levels(word: str, n_elements: int) -> bool:
    """Return whether a column has so many categories that it is looked at by itself."""
    return word == "categorical" and n_elements > MANY_LEVELS


@dataclass(frozen=True)
class Column:
    """One column of a table, and its likelihood.

    Parameters
    ----------
    name : str
        The column.
    word : str
        One of ``LIKELIHOODS``.
    dtype : ColumnDtype
        What its values are given back as.
    levels : tuple of (str, int, float or bool), default=None
        Values of a column that has levels, in order: those that fit has seen.
    """

    name: str
    word: str
    dtype: ColumnDtype
    levels: tuple[Level, ...] | None = None

    @property
    def shown_levels(self) -> tuple[str, ...]:
        """Names of the levels that have a probability: of two values, the second one."""
        names = [
            f"{level:g}" if isinstance(level, float) else str(level) for level in self.levels or ()
        ]
        return tuple(names[1:] if self.word == "bernoulli" else names)

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of what has a probability, or an expected value."""
        return tuple(f"{self.name}={level}" for level in self.shown_levels) or (self.name,)

    @property
    def element_names(self) -> tuple[str, ...]:
        """Names of the elements."""
        if self.word == "ordinal":
            return tuple(f"{self.name}>{level}" for level in self.shown_levels[:-1])
        return self.value_names if self.word == "categorical" else (self.name,)

    def encode(self, cells: np.ndarray, lenient: bool = False) -> np.ndarray:
        """Return cells (n,) as elements (n, n_elements), NaN where they are missing.

        Counts are counts still. Values that are no levels are missing, too, if it is lenient; else
        a ValueError tells of them, as it does of what is no count.
        """
        if self.levels is None:
            numbers = as_numbers(cells)
            if self.word in COUNTS and not are_counts(numbers):
                raise ValueError("has negative or fractional counts")
            return numbers[:, None]
        known: dict[Level | None, int] = {None: MISSING} | {
            level: k for k, level in enumerate(self.levels)
        }
        codes = np.array([known.get(value, STRANGE) for value in plain(cells)], dtype=int)
        if not lenient and (codes == STRANGE).any():
            raise ValueError(_unseen(distinct(cells[codes == STRANGE]), self.levels))
        n = len(self.levels)  # a row of elements for each level
        if has_many_levels(self.word, n):
            elements = np.zeros((len(codes), n), dtype=np.float32)
            elements[np.arange(len(codes)), codes] = 1.0
            elements[codes < 0] = np.nan
            return elements
        rows = np.eye(n) if self.word == "categorical" else np.tri(n, n - 1, -1)
        return np.where(codes[:, None] < 0, np.nan, rows[np.maximum(codes, 0)])

    def decode(self, elements: np.ndarray) -> np.ndarray:
        """Undo :meth:`encode`: the likeliest or median level, and whole numbers for counts."""
        if self.levels is None:
            return self._counts(elements[:, 0]) if self.word in COUNTS else elements[:, 0]
        is_above = elements >= 0.5
        codes = elements.argmax(axis=1) if self.word == "categorical" else is_above.sum(axis=1)
        kinds, missing = set(map(type, self.levels)), np.isnan(elements).any(axis=1)
        values = np.array(self.levels, None if kinds <= {int, float, bool} else object)[codes]
        if missing.any():
            numbers = values.dtype.kind in "iuf"
            values = values.astype(np.float64 if numbers else object)
            values[missing] = np.nan if numbers else None
        return values

    def _counts(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers as counts, of the column's dtype if none is missing."""
        counts, whole = np.round(np.maximum(numbers, 0.0)), self.dtype.whole_name
        if whole is None:
            return counts
        counts = counts.clip(max=np.iinfo(whole).max)
        return counts if np.isnan(counts).any() else counts.astype(whole)

    def probabilities(self, elements: np.ndarray) -> np.ndarray:
        """Return the probability of each level; of counts and numbers what is expected."""
        return between(elements) if self.word == "ordinal" else elements

    @property
    def dtype_back(self) -> ColumnDtype | None:
        """The dtype to give values back as; None for numbers that were no floats: they are now."""
        return None if self.word == "gaussian" and not self.dtype.is_float else self.dtype


@dataclass(frozen=True)
class ColumnTable:
    """The columns of one modality that are not all Gaussian.

    Parameters
    ----------
    columns : tuple of Column
        In the order of the table; of an array, its entries.
    shape : tuple of int
        Shape of one sample as the user has it.
    is_named : bool, default=True
        Whether columns have names of their own: those of a frame.
    reference : float, default=None
        Mean sum of the counts of a row in fit. Counts are divided by their row's sum in units of
        this, its depth. None where rows have no depth.
    """

    columns: tuple[Column, ...]
    shape: tuple[int, ...]
    is_named: bool = True
    reference: float | None = None

    @property
    def has_depth(self) -> bool:
        """Whether the last element is the logarithm of the row's depth."""
        return self.reference is not None

    @property
    def layout(self) -> tuple[tuple[str, int], ...]:
        """Word and number of elements of each column, in order; the depth comes last."""
        columns = tuple((column.word, len(column.element_names)) for column in self.columns)
        return (*columns, (DEPTH, 1)) if self.has_depth else columns

    @property
    def has_many_levels(self) -> bool:
        """Whether some column has so many that its table is computed with in single precision."""
        return any(has_many_levels(*column) for column in self.layout)

    @property
    def n_elements(self) -> int:
        """How many elements a sample has."""
        return self._slices[-1].stop

    @property
    def element_shape(self) -> tuple[int, ...]:
        """Shape of the elements of one sample: that of the sample, if each entry is one."""
        one_each = self.n_elements == len(self.columns) and not self.has_depth
        return self.shape if one_each else (self.n_elements,)

    @property
    def element_names(self) -> tuple[str, ...]:
        """Names of the elements."""
        names = [name for column in self.columns for name in column.element_names]
        return (*names, "log depth") if self.has_depth else tuple(names)

    @property
    def words(self) -> dict[str, str] | str:
        """The likelihood of each column by its name; that of an array, where it is one."""
        words = {column.name: column.word for column in self.columns}
        is_one = not self.is_named and len(set(words.values())) == 1
        return self.columns[0].word if is_one else words

    @property
    def dtypes(self) -> Dtypes:
        """What the frame said of its columns; None for an array."""
        if not self.is_named:
            return None
        words = [column.word if column.word in LEVELLED else "gaussian" for column in self.columns]
        return tuple(
            Declared(column.dtype, w) for column, w in zip(self.columns, words, strict=True)
        )

    @cached_property
    def _slices(self) -> list[slice]:
        """Which elements each column has; the depth comes last."""
        return slices_of(self.layout)

    def encode(
        self, cells: np.ndarray, what: str, missing: np.ndarray | None = None, lenient: bool = False
    ) -> np.ndarray:
        """Return cells as elements.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, *shape)
            Of numbers or objects; what is missing is None, NaN or NA.
        what : str
            What to call the modality in messages.
        missing : ndarray of shape (n_samples,), dtype bool, default=None
            Samples that lack the modality, whatever the cells hold.
        lenient : bool, default=False
            Whether a value that is no level is missing, not an error.

        Returns
        -------
        ndarray of shape (n_samples, *element_shape), dtype float64
            NaN where the cell is missing. A row of counts whose sum is zero is missing.

        Raises
        ------
        ValueError
            Names columns with values that fit has not seen, no counts, or too many words.
        """
        table = flat_rows(cells)
        numbers_of_words = {column.name: len(column.levels or ()) for column in self.columns}
        check_words_fit(numbers_of_words, len(table), what)
        if missing is not None and missing.any():
            table = table.astype(object if table.dtype.kind != "f" else table.dtype)
            table[missing] = None
        elements, problems = np.empty((len(table), self.n_elements)), []
        for column, cells, part in zip(self.columns, table.T, self._slices, strict=False):
            try:
                elements[:, part] = column.encode(cells, lenient)
            except (TypeError, ValueError) as error:
                problems.append(f"column {column.name!r} {error}")
        if problems:
            raise ValueError(f"{what} does not fit: {'; '.join(problems)}.")
        if self.reference is not None:  # all columns are counts
            sums = np.nansum(elements[:, :-1], axis=1)
            depth = np.where(sums > 0, sums, np.nan) / self.reference
            elements[:, :-1] /= depth[:, None]
            elements[:, -1] = np.log(depth)
        pairs = zip(self.columns, self._slices, strict=False)
        counts = [part.start for column, part in pairs if column.word in COUNTS]
        elements[:, counts] = np.log1p(elements[:, counts])
        return elements.reshape(len(table), *self.element_shape)

    def decode(self, elements: np.ndarray) -> list[np.ndarray]:
        """Return elements (n_samples, ...) as the values of each column, each of shape (n,)."""
        parts = self._parts(elements)
        return [column.decode(part) for column, part in zip(self.columns, parts, strict=True)]

    def probabilities(self, elements: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the probabilities of levels, and expected counts and numbers.

        Parameters
        ----------
        elements : ndarray of shape (n_samples, ...)
            As they are decoded.

        Returns
        -------
        table : ndarray of shape (n_samples, n_values)
            In the order of the columns.
        names : tuple of str
            What each column of it is of, such as "species=Adelie".
        """
        pairs = list(zip(self.columns, self._parts(elements), strict=True))
        names = tuple(name for column, _ in pairs for name in column.value_names)
        return np.concatenate([column.probabilities(part) for column, part in pairs], 1), names

    def _parts(self, elements: np.ndarray) -> list[np.ndarray]:
        """Return the elements of each column; counts are counts again."""
        flat = flat_rows(np.asarray(elements, dtype=np.float64))
        depth = np.exp(flat[:, -1:]) if self.has_depth else 1.0
        return [
            np.expm1(flat[:, part]) * depth if column.word in COUNTS else flat[:, part]
            for column, part in zip(self.columns, self._slices, strict=False)
        ]

    def as_dict(self) -> Values:
        """Return it as plain data."""
        columns = [
            [
                column.name,
                column.word,
                column.levels and list(column.levels),
                *column.dtype.as_list(),
            ]
            for column in self.columns
        ]
        return {
            "columns": columns,
            "shape": list(self.shape),
            "is_named": self.is_named,
            "reference": self.reference,
        }

    @classmethod
    def from_dict(cls, plain: Values) -> ColumnTable:
        """Undo :meth:`as_dict`.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is no such table.
        """
        columns = tuple(_column(*entries) for entries in plain["columns"])
        shape, reference = tuple(plain["shape"]), plain["reference"]
        is_valid = int(np.prod(shape)) == len(columns) and type(plain["is_named"]) is bool
        if not is_valid or not (reference is None or (type(reference) is float and reference > 0)):
            raise ValueError(f"it has a table of {len(columns)} columns for samples of {shape}")
        return cls(columns, shape, plain["is_named"], reference)


def _column(name: str, word: str, levels: Sequence[Level] | None, *dtype: Any) -> Column:
    """Return a column of plain data."""
    kept = None if levels is None else tuple(levels)
    fits = (kept is not None) == (word in LEVELLED) and len(kept or "ab") > (word != "categorical")
    if not are_levels(kept or ()) or not fits or word not in LIKELIHOODS or type(name) is not str:
        raise ValueError(f"it has a column {name!r:.50} of the likelihood {word!r:.50}")
    return Column(name, word, ColumnDtype.from_list(*dtype), kept)


def between(above: np.ndarray) -> np.ndarray:
    """Return what is at each level, of what is above each but the last, (n, n_levels - 1)."""
    ones, zeros = np.ones((len(above), 1)), np.zeros((len(above), 1))
    return np.hstack([ones, above]) - np.hstack([above, zeros])


def plain(cells: np.ndarray) -> list:
    """Return cells (n,) as plain values, None where they are missing."""
    return [None if is_missing(cell) else plain_level(cell) for cell in cells.tolist()]


def distinct(cells: np.ndarray) -> list[Level]:
    """Return the different values of cells (n,), in the order in which they come."""
    if cells.dtype.kind in "buif":
        return [value for value in np.unique(cells).tolist() if value == value]
    return [value for value in dict.fromkeys(plain(cells)) if value is not None]


def as_numbers(cells: np.ndarray) -> np.ndarray:
    """Return cells (n,) as floats, NaN where they are missing."""
    if cells.dtype.kind in "buif":
        return cells.astype(np.float64)
    values = [np.nan if is_missing(cell) else cell for cell in cells.tolist()]
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        kinds = ", ".join(
            sorted({type(value).__name__ for value in values if not isinstance(value, Real)})
        )
        problem = f"holds what is no number ({kinds})" if kinds else "holds what is no number"
        raise ValueError(
            f"{problem}: make numbers of it, in columns of their own where each value has several, "
            "or words by .astype(str), or leave it out"
        ) from error


def are_counts(values: np.ndarray) -> bool:
    """Return whether numbers (n,) are whole and not negative, where they are not missing."""
    present = values[~np.isnan(values)]
    return bool((present >= 0).all() and (present == np.round(present)).all())


def _unseen(values: Sequence[Level], levels: Sequence[Level]) -> str:
    """Say which values are new."""
    shown = ", ".join(map(repr, values[:5])) + (", ..." if len(values) > 5 else "")
    return (
        f"has {shown}, but fit has seen {list(levels)!r:.200} (missing_values="
        "MissingValues(unknown='missing') takes others for missing)"
    )
