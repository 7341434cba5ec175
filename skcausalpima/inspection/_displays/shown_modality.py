"""A modality of a fit as it is drawn: names, units, and probabilities where columns have levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._data.arrays import flat_rows
from ..._data.column_kinds import COUNTS, LEVELLED, Column, ColumnTable, level_name
from ..._data.selection_keys import asked_modalities
from ..._data.validation import Modalities, fitted_form
from ..._inference.fitted_model import FittedModel
from ..._names import cut
from ..._typing import Unchecked
from .labels import told_apart
from .painter import kind_of

NAME_LETTERS = 6  # of a column and of a level
DEVIATIONS = "standard deviations from the mean"


class ShownColumn(NamedTuple):
    """A column of a table whose columns have a panel each.

    Parameters
    ----------
    name : str
        The column.
    likelihood : str
        Its kind, a word of the parameter ``likelihoods``.
    levels : sequence of str
        Names of the levels that have a probability; none of numbers and counts.
    """

    name: str
    likelihood: str
    levels: Sequence[str] = ()

    @classmethod
    def of(cls, column: Column) -> ShownColumn:
        """Return how a column is shown; of two values, the second one."""
        levels = column.levels or ()
        shown = levels[1:] if column.word == "bernoulli" else levels
        return cls(column.name, column.word, tuple(map(level_name, shown)))


@dataclass(frozen=True)
class ShownModality:
    """One modality as it is drawn.

    Parameters
    ----------
    number : int
        Which.
    name : str
        Its name.
    x : ndarray or None
        Abscissa, of curves.
    columns : tuple of str or None
        Names of the elements, if they have some.
    centre, factor : ndarray or float
        Values are drawn as ``(value - centre) / factor``.
    unit : str
        What the values then are; "" for the units of the data.
    """

    number: int
    name: str
    x: np.ndarray | None
    columns: tuple[str, ...] | None
    centre: np.ndarray | float = 0.0
    factor: np.ndarray | float = 1.0
    unit: str = ""

    @property
    def unit_of_groups(self) -> str:
        """What the values of groups of samples are."""
        return self.unit

    @property
    def parts(self) -> tuple[ShownColumn, ...] | None:
        """Columns that have a panel each where groups of samples are compared."""
        return None

    def elements(self, modalities: Modalities) -> np.ndarray:
        """Return the elements of samples, NaN where they are missing."""
        array, missing = modalities.arrays[self.number], modalities.missing_elements(self.number)
        present = np.zeros(missing.shape) if array is None else np.asarray(array, dtype=float)
        return np.where(missing, np.nan, present)

    def shown(self, array: np.ndarray) -> np.ndarray:
        """Return the elements of samples as they are drawn."""
        return (array - self.centre) / self.factor

    def shown_spread(self, array: np.ndarray) -> np.ndarray:
        """Return standard deviations as they are drawn."""
        return array / self.factor

    def of_groups(self, array: np.ndarray) -> np.ndarray:
        """Return the elements that are expected of groups as they are drawn."""
        return self.shown(array)


@dataclass(frozen=True)
class CodedModality(ShownModality):
    """A table with words, booleans, ordered categories or counts, as it is drawn.

    Drawn are probabilities of levels, without a spread, and numbers in standard deviations. Counts
    are those at the mean depth: of groups as they are expected, of samples their logarithm.

    Parameters
    ----------
    coding : ColumnTable, default=None
        The columns.
    """

    coding: ColumnTable | None = None

    @classmethod
    def of(
        cls,
        number: int,
        name: str,
        x: np.ndarray | None,
        coding: ColumnTable,
        units: tuple[np.ndarray, np.ndarray],
    ) -> CodedModality:
        """Return the modality whose elements have these units, centre and factor."""
        found = cls(number, name, x, None, coding=coding)
        columns = None if found.parts is None and not coding.is_named else found._names
        if found.parts is None:
            at = " at the mean depth" if coding.has_depth else ""
            unit = f"log(1 + count{at})" if found._are_counts.any() else "probability"
            return cls(number, name, x, columns, unit=unit, coding=coding)
        places, has_unit = found._places, found._places >= 0
        unit = f"probability, or {DEVIATIONS}" if has_unit.any() else "probability"
        centre, deviations = np.ravel(units[0])[places], _deviations(*units, places[has_unit])
        scale = np.where(has_unit, centre, 0.0), np.where(has_unit, deviations[places], 1.0)
        return cls(number, name, x, columns, *scale, unit=unit, coding=coding)

    @property
    def unit_of_groups(self) -> str:
        """What the values of groups of samples are."""
        return "expected count" if self._are_counts.any() else self.unit

    @cached_property
    def parts(self) -> tuple[ShownColumn, ...] | None:
        """The columns; None where all are of two values, or all of counts."""
        words = {column.word for column in self._coding.columns}
        if words <= set(COUNTS) or words == {"bernoulli"}:
            return None
        return tuple(map(ShownColumn.of, self._coding.columns))

    def shown(self, array: np.ndarray) -> np.ndarray:
        """Return the elements of samples as they are drawn."""
        table = self._table(array)
        table[:, self._are_counts] = np.log1p(table[:, self._are_counts])
        return self._shaped((table - self.centre) / self.factor)

    def shown_spread(self, array: np.ndarray) -> np.ndarray:
        """Return standard deviations as they are drawn: NaN of probabilities."""
        spread = flat_rows(array)[:, self._places] / self.factor
        return self._shaped(np.where(self._places >= 0, spread, np.nan))

    def of_groups(self, array: np.ndarray) -> np.ndarray:
        """Return the elements that are expected of groups as they are drawn."""
        table = self._table(array)
        scaled = np.where(self._are_counts, table, (table - self.centre) / self.factor)
        return self._shaped(scaled)

    @property
    def _coding(self) -> ColumnTable:
        assert self.coding is not None
        return self.coding

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Names of the values, those of levels so short that their ends can be read."""
        names = list[str]()
        for column in self._coding.columns:
            shown = ShownColumn.of(column)
            levels = told_apart(shown.levels, NAME_LETTERS)
            names += [f"{cut(column.name, NAME_LETTERS)}={level}" for level in levels]
            names += [] if levels else [column.name]
        return tuple(names)

    @cached_property
    def _places(self) -> np.ndarray:
        """The element of each value; -1 for levels."""
        places, start = list[int](), 0
        for column in self._coding.columns:
            place = -1 if column.word in LEVELLED else start
            places += [place] * len(column.value_names)
            start += column.n_elements
        return np.array(places)

    @cached_property
    def _are_counts(self) -> np.ndarray:
        """Which values are counts."""
        columns = self._coding.columns
        return np.repeat([c.word in COUNTS for c in columns], [len(c.value_names) for c in columns])

    def _table(self, array: np.ndarray) -> np.ndarray:
        """Return probabilities, numbers, and counts at the mean depth, one row per sample."""
        flat = np.array(flat_rows(array), dtype=np.float64)
        if self._coding.has_depth:
            flat[:, -1] = 0.0
        return self._coding.probabilities(flat)[0]

    def _shaped(self, table: np.ndarray) -> np.ndarray:
        """Return values in the shape of a sample, where it has one for each entry."""
        return table if self.parts else table.reshape(len(table), *self._coding.shape)


def _deviations(centre: np.ndarray, factor: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the standard deviations of numbers, by the units of all elements of a table.

    These are deviations times the number that makes the mean variance of all elements 1. Those of
    levels, that are 0 or 1, are known from their means.
    """
    centre, factor = np.ravel(centre), np.ravel(factor)
    others = np.delete(np.arange(len(centre)), numbers)
    of_levels = (centre * (1.0 - centre) / factor**2)[others].sum()
    return factor * np.sqrt((len(centre) - of_levels) / max(len(numbers), 1))


def shown_modality(
    est: BaseEstimator, model: FittedModel, modality: Unchecked, x: ArrayLike | None = None
) -> ShownModality:
    """Return how a modality, by name or number, is drawn; the first one for None.

    Curves of an expert have its abscissa. Columns of a table that have a scale each are drawn in
    standard deviations from their means.
    """
    names = [str(name) for name in est.modality_names_in_]
    (m,) = [0] if modality is None else asked_modalities(modality, names)
    shape, columns = model.scaler.centre[m].shape, est.modality_feature_names_in_[names[m]]
    abscissa, experts = None if x is None else np.asarray(x), dict(model.model.experts)
    centre, factor = model.scaler.centre[m], model.scaler.factor[m]
    if (coding := fitted_form(est).tables[m].coding) is not None:
        units = centre, np.broadcast_to(factor, centre.shape)
        return CodedModality.of(m, names[m], abscissa, coding, units)
    if abscissa is None and m in experts:
        of_expert = np.asarray(experts[m].expert.x)
        abscissa = of_expert if of_expert.shape == tuple(shape) else None
    named = None if columns is None else tuple(map(str, columns))
    if kind_of(shape, abscissa, columns) == "bars" and np.ndim(factor) > 0:
        return ShownModality(m, names[m], abscissa, named, centre, factor, DEVIATIONS)
    return ShownModality(m, names[m], abscissa, named)


def decoded_components(
    est: BaseEstimator, model: FittedModel, modality: ShownModality
) -> np.ndarray:
    """Return what decodes from the mean of each component, of shape (n_components, \\*shape)."""
    components = np.arange(len(est.cluster_means_))
    decoded = model.decode(est.cluster_means_, components)
    return modality.of_groups(decoded[modality.number])
