"""In which columns the cells of a node differ most, by what the fit draws from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from .._base.reports.report import Report
from .._data.column_kinds import LEVELLED
from .._data.validation import fitted_form
from .._inference.kept_models import model_of
from .._judge.figures import short
from .._judge.missing import columns_of
from .._structure.digraphs import node_graph

#: Columns that are listed of each modality (arbitrary), and columns of a table without names that
#: are called by their numbers (as pictures do; more are a curve).
MOST, MOST_UNNAMED = 3, 16

#: Samples that are drawn from each cell, so that differences are exact to some .1, and values in
#: all (arbitrary).
N_DRAWS, MOST_VALUES = 400, 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Differs(Report):
    """By how much the outcomes of a node differ in a column.

    Parameters
    ----------
    modality, column : str
        Where; an element of a curve or an image by its place, as "[3, 5]".
    size : float
        Difference of the means of the two outcomes that are furthest apart, in standard deviations
        within cells.
    share : float or None
        The same of a column with levels, as a share of the samples.

    Examples
    --------
    >>> from skcausalpima.inspection._differing_columns import Differs
    >>> Differs(modality="table", column="smokes", size=1.5, share=0.6).in_words()
    'smokes (60 %)'
    """

    modality: str
    column: str
    size: float
    share: float | None = None

    def in_words(self) -> str:
        """Write the column, and by how much outcomes differ."""
        size = f"{self.size:.1f}" if self.share is None else f"{100 * self.share:.0f} %"
        return f"{short(self.column)} ({size})"


def differing_columns(est: BaseEstimator) -> dict[str, tuple[Differs, ...]]:
    """Return by node the columns that differ most, up to three of each modality.

    Outcomes have the means of their cells by their shares, of samples that the fit draws. Nothing
    is returned where it cannot draw.
    """
    model, dag = model_of(est), node_graph(est.dag_)
    shares, outcomes = est.separation_.occupancy, est.cluster_states_
    n_each = int(np.clip(MOST_VALUES // (len(shares) * est.n_features_in_), 2, N_DRAWS))
    try:
        arrays = model.draw(np.repeat(np.arange(len(shares)), n_each), np.random.RandomState(0))
    except ValueError:  # what is drawn is not finite, or beyond the range of an expert
        return {}
    found: dict[str, list[Differs]] = {str(node): [] for node in dag}
    for m, array in enumerate(arrays):
        cells = np.asarray(array, dtype=np.float64).reshape(len(shares), n_each, -1)
        within = np.sqrt(np.average(cells.var(axis=1, ddof=1), axis=0, weights=shares))
        within = np.where(within > 0, within, 1.0)
        for node, name in enumerate(found):
            between = _between(cells.mean(axis=1), shares, outcomes[:, node])
            found[name] += _largest(est, m, between / within, between)
    return {name: tuple(columns) for name, columns in found.items()}


def _between(cells: np.ndarray, shares: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Return the difference of the outcomes that are furthest apart, of shape (n_elements,)."""
    means = [
        np.average(cells[outcomes == k], axis=0, weights=shares[outcomes == k])
        for k in np.unique(outcomes)
        if shares[outcomes == k].sum() > 0
    ]
    return np.ptp(np.array(means), axis=0)


def _largest(
    est: BaseEstimator, m: int, difference: np.ndarray, between: np.ndarray
) -> list[Differs]:
    """Return the largest differences in one modality; of curves and images the largest one."""
    form, modality = fitted_form(est), str(est.modality_names_in_[m])
    shape, coding = est._fitted.spec.shapes[m], form.tables[m].coding
    is_table = len(shape) == 1 and len(difference) <= MOST_UNNAMED
    if coding is None and form.columns[m] is None and not is_table:
        place = ", ".join(map(str, np.unravel_index(int(difference.argmax()), shape)))
        return [Differs(modality=modality, column=f"[{place}]", size=float(difference.max()))]
    if coding is None and form.columns[m] is None:
        columns = [(str(k), slice(k, k + 1)) for k in range(len(difference))]
    else:
        columns = columns_of(form, m, len(difference))
    words = ["gaussian"] * len(columns) if coding is None else [c.word for c in coding.columns]
    found = [
        Differs(
            modality=modality,
            column=name,
            size=float(difference[part].max()),
            share=float(between[part].max()) if word in LEVELLED else None,
        )
        for (name, part), word in zip(columns, words, strict=True)
    ]
    return sorted(found, key=lambda one: -one.size)[:MOST]
