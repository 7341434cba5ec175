"""Values that are filled in where a cell has hardly any to go by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._base.reports.cells import FEW_VALUES, CellValuesReport
from .._base.warn import warn_caller
from .._data.arrays import flat_rows
from .._data.containers import Form
from .._data.validation import Modalities
from .figures import short
from .missing import N_NAMED, columns_of

#: Samples that lack a value, by column.
Filled = dict[str, int]


def warn_of_filled(
    values: CellValuesReport,
    given: Modalities,
    probabilities: Callable[[Modalities], np.ndarray],
) -> None:
    """Warn where what samples lack lies, more probably than not, in cells of few such values.

    ``probabilities`` returns those of components, of shape (n_samples, n_components).
    """
    filled: Filled = {}
    for k, name in enumerate(given.names):
        gaps, are_few = flat_rows(given.missing_elements(k)), values.are_few(name)
        rows = np.flatnonzero((gaps & are_few.any(axis=0)).any(axis=1))
        if len(rows):
            rest = probabilities(given.take(rows)) @ are_few > 0.5
            filled |= _by_column(values, given.form, k, gaps[rows] & rest)
    _warn(filled)


def warn_of_decoded(values: CellValuesReport, form: Form, components: np.ndarray) -> None:
    """Warn where points, of shape (n_points,), lie in cells that lack most values of a column."""
    filled: Filled = {}
    for k, (name, counts) in enumerate(values.counts.items()):
        lack = np.round(values.n_samples[:, None] - counts) > 0
        filled |= _by_column(values, form, k, (values.are_few(name) & lack)[components])
    _warn(filled)


def _by_column(values: CellValuesReport, form: Form, k: int, rest: np.ndarray) -> Filled:
    """Return how many samples rest on few values, of shape (n_samples, n_elements), by column."""
    name = form.names[k]
    is_whole = values.counts[name].shape[1] == 1
    columns = [(name, slice(None))] if is_whole else columns_of(form, k, rest.shape[1])
    by_name = {column: int(rest[:, part].any(axis=1).sum()) for column, part in columns}
    return {column: n for column, n in by_name.items() if n}


def _warn(filled: Filled) -> None:
    """Warn once, of all columns."""
    if not filled:
        return
    first = list(filled.items())[:N_NAMED]
    named = [f"{short(name)} ({n} sample{'s' * (n > 1)})" for name, n in first]
    if (n_more := len(filled) - N_NAMED) > 0:
        named.append(f"and {n_more} more columns")
    warn_caller(
        f"[few-values] Filled values rest on fewer than {FEW_VALUES} observed ones in their cell "
        f"(cell_values_): {', '.join(named)}. Treat them as unknown. Where a value cannot exist, "
        "leave it missing."
    )
