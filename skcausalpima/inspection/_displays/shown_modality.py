"""A modality of a fit as it is drawn: names, units, and probabilities where columns have levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.names import cut
from ..._base.types import Abscissa, Unchecked, Values
from ..._data.arrays import flat_rows
from ..._data.column_kinds import COUNTS, LEVELLED, ColumnTable, slices_of
from ..._data.element_axes import stated_axes
from ..._data.scaling import units_of_columns
from ..._data.selection_keys import asked_modalities
from ..._data.stated_axes import drawn_axes
from ..._data.validation import Modalities, fitted_form
from ..._inference.kept_models import model_of
from .labels import told_apart
from .painter import kind_of

NAME_LETTERS = 6  # of a column and of a level
DEVIATIONS = "standard deviations from the mean"
ONE_LEVEL = 1e-12  # variance of a level up to which rounding alone makes it (arbitrary)


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
    centre, factor : float
        Mean and standard deviation of numbers, which are drawn in these and labelled in their own
        unit.
    """

    name: str
    likelihood: str
    levels: Sequence[str] = ()
    centre: float = 0.0
    factor: float = 1.0

    @property
    def value_names(self) -> list[str]:
        """Names of its values, those of levels so short that their ends can be read."""
        levels = told_apart(self.levels, NAME_LETTERS)
        return [f"{cut(self.name, NAME_LETTERS)}={level}" for level in levels] or [self.name]


def likelihoods_of_values(columns: Sequence[ShownColumn]) -> np.ndarray:
    """Return the kind of each value of a sample, one column's behind the other's."""
    n_values = [max(1, len(column.levels)) for column in columns]
    return np.repeat([column.likelihood for column in columns], n_values)


@dataclass(frozen=True)
class ShownModality:
    """One modality as it is drawn.

    Parameters
    ----------
    number : int
        Which.
    name : str
        Its name.
    x : ndarray, (str, ndarray), list or None
        Where the elements lie, as users state it.
    columns : tuple of str or None
        Names of the elements, if they have some.
    centre, factor : ndarray or float
        Values are drawn as ``(value - centre) / factor``.
    unit : str
        What the values then are; "" for the units of the data.
    parts : tuple of ShownColumn, default=None
        Columns that have a panel each where groups of samples are compared.
    """

    number: int
    name: str
    x: Abscissa | None
    columns: tuple[str, ...] | None
    centre: np.ndarray | float = 0.0
    factor: np.ndarray | float = 1.0
    unit: str = ""
    parts: tuple[ShownColumn, ...] | None = None

    @property
    def unit_of_groups(self) -> str:
        """What the values of groups of samples are."""
        return self.unit

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
    coding : ColumnTable
        The columns.
    are_counts : ndarray of bool of shape (n_values,)
        Which values are counts.
    positions : ndarray of int of shape (n_values,)
        The element of each value; -1 for levels.
    """

    coding: ColumnTable = field(kw_only=True)
    are_counts: np.ndarray = field(kw_only=True)
    positions: np.ndarray = field(kw_only=True)

    @classmethod
    def of(
        cls,
        number: int,
        name: str,
        x: Abscissa | None,
        coding: ColumnTable,
        units: tuple[np.ndarray, np.ndarray],
    ) -> CodedModality:
        """Return the modality whose elements have these units, centre and factor."""
        parts = tuple(
            ShownColumn(column.name, column.word, column.shown_levels) for column in coding.columns
        )
        words = likelihoods_of_values(parts)
        names = tuple(name for part in parts for name in part.value_names)
        starts = [part.start for part in slices_of(coding.layout)]
        of_values = np.repeat(starts[: len(parts)], [max(1, len(part.levels)) for part in parts])
        positions = np.where(np.isin(words, LEVELLED), -1, of_values)
        are_counts, has_unit = np.isin(words, COUNTS), positions >= 0
        values: Values = {"coding": coding, "are_counts": are_counts, "positions": positions}
        if are_counts.all() or (words == "bernoulli").all():
            at = " at the mean depth" if coding.has_depth else ""
            unit = f"log(1 + count{at})" if are_counts.any() else "probability"
            return cls(number, name, x, names if coding.is_named else None, unit=unit, **values)
        unit = f"probability, or {DEVIATIONS}" if has_unit.any() else "probability"
        centre = np.where(has_unit, np.ravel(units[0])[positions], 0.0)
        factor = np.where(has_unit, _deviations(*units, coding)[positions], 1.0)
        firsts = np.cumsum([0, *(max(1, len(part.levels)) for part in parts)])
        parts = tuple(
            part._replace(centre=float(centre[first]), factor=float(factor[first]))
            for part, first in zip(parts, firsts, strict=False)
        )
        return cls(number, name, x, names, centre, factor, unit, parts, **values)

    @property
    def unit_of_groups(self) -> str:
        """What the values of groups of samples are."""
        return "expected count" if self.are_counts.any() else self.unit

    def shown(self, array: np.ndarray) -> np.ndarray:
        """Return the elements of samples as they are drawn."""
        table = self._table(array)
        table[:, self.are_counts] = np.log1p(table[:, self.are_counts])
        return self._shaped((table - self.centre) / self.factor)

    def shown_spread(self, array: np.ndarray) -> np.ndarray:
        """Return standard deviations as they are drawn: NaN of probabilities."""
        spread = flat_rows(array)[:, self.positions] / self.factor
        return self._shaped(np.where(self.positions >= 0, spread, np.nan))

    def of_groups(self, array: np.ndarray) -> np.ndarray:
        """Return the elements that are expected of groups as they are drawn."""
        table = self._table(array)
        scaled = np.where(self.are_counts, table, (table - self.centre) / self.factor)
        return self._shaped(scaled)

    def _table(self, array: np.ndarray) -> np.ndarray:
        """Return probabilities, numbers, and counts at the mean depth, one row per sample."""
        flat = np.array(flat_rows(array), dtype=np.float64)
        if self.coding.has_depth:
            flat[:, -1] = 0.0
        return self.coding.probabilities(flat)[0]

    def _shaped(self, table: np.ndarray) -> np.ndarray:
        """Return values in the shape of a sample, where it has one for each entry."""
        return table if self.parts else table.reshape(len(table), *self.coding.shape)


def _deviations(centre: np.ndarray, factor: np.ndarray, coding: ColumnTable) -> np.ndarray:
    """Return the standard deviations of numbers, by the units of all elements of a table.

    A fit divides all its elements by one more number. Where some are 0 or 1, their means show it:
    these say what their units are without it. Else it is 1, unless numbers are constant.
    """
    centre, factor = np.ravel(centre), np.ravel(factor)
    is_level = np.array([word in LEVELLED for word, size in coding.layout for _ in range(size)])
    variance = np.where(is_level, centre * (1.0 - centre), 0.0)
    variance[variance < ONE_LEVEL] = 0.0
    units = units_of_columns(coding, centre, np.sqrt(variance), np.maximum(centre, 1.0 - centre))
    first = np.argmax(np.where(is_level, variance, -1.0))
    return factor * (units[first] / factor[first] if is_level[first] else 1.0)


def shown_modality(
    est: BaseEstimator, modality: Unchecked, x: Abscissa | None = None
) -> ShownModality:
    """Return how a modality, by name or number, is drawn; the first one for None.

    Without ``x`` its elements lie where the fit was told, or else where an expert has them. Columns
    of a table that have a scale each are drawn in standard deviations from their means.
    """
    names, model = [str(name) for name in est.modality_names_in_], model_of(est)
    (m,) = [0] if modality is None else asked_modalities(modality, names)
    shape, columns = model.scaler.centre[m].shape, est.modality_feature_names_in_[names[m]]
    experts, table = dict(model.model.experts), fitted_form(est).tables[m]
    given, what = shape if table.coding is None else table.coding.shape, f"x of {names[m]!r}"
    for axis in filter(None, drawn_axes(x, given, what)):
        axis.check_order(what)
    named = None if columns is None else tuple(map(str, columns))
    abscissa = stated_axes(table.axes) if x is None else x
    centre, factor = model.scaler.centre[m], model.scaler.factor[m]
    if table.coding is not None:
        units = centre, np.broadcast_to(factor, centre.shape)
        shown = CodedModality.of(m, names[m], abscissa, table.coding, units)
        return replace(shown, x=None) if shown.parts else shown
    if abscissa is None and m in experts:
        of_expert = np.asarray(experts[m].expert.x)
        abscissa = of_expert if of_expert.shape == tuple(shape) else None
    if kind_of(shape, abscissa, columns) == "bars" and np.ndim(factor) > 0:
        return ShownModality(m, names[m], abscissa, named, centre, factor, DEVIATIONS)
    return ShownModality(m, names[m], abscissa, named)


def abscissae(x: Unchecked, names: Sequence[str]) -> Mapping[str, Abscissa | None]:
    """Return where the elements lie of each modality of which it is said."""
    if isinstance(x, Mapping):
        unknown = [name for name in x if name not in names]
        if unknown:
            raise ValueError(f"x has {unknown}, but the modalities that are drawn are {names}.")
        return x
    if x is not None and len(names) > 1:
        raise ValueError(
            f"x is the abscissa of one modality, but {names} are drawn: pass a mapping of their "
            "names to abscissae, or say which one by modality."
        )
    return dict.fromkeys(names, cast("Abscissa | None", x))


def decoded_components(est: BaseEstimator, modality: ShownModality) -> np.ndarray:
    """Return what decodes from the mean of each component, of shape (n_components, \\*shape)."""
    return modality.of_groups(decoded_elements(est, modality))


def decoded_elements(est: BaseEstimator, modality: ShownModality) -> np.ndarray:
    """Return the same, as it is before it is drawn."""
    components = np.arange(len(est.cluster_means_))
    return model_of(est).decode(est.cluster_means_, components)[modality.number]
