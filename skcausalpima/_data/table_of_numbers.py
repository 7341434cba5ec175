"""One table of numbers as X, for estimators that take nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._base.types import Unchecked
from .adapters import Table, as_array
from .arrays import beyond_floats, flat_rows
from .containers import container_of
from .recipes import describe
from .several import advised

#: What dates and times have, and numbers have not.
OF_TIMES = ("isoformat", "total_seconds")


def read_table(estimator: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """Return a table of numbers, some of which may be NaN, in the precision that it has.

    Parameters
    ----------
    estimator : BaseEstimator
        In ``fit`` it gets ``n_features_in_``, and ``feature_names_in_`` of a DataFrame.
    X : array-like or DataFrame of shape (n_samples, n_features)
        The table.
    reset : bool
        True in ``fit``, False in all other methods.

    Returns
    -------
    ndarray of shape (n_samples, n_features), dtype float64 or float32
        The numbers.

    Raises
    ------
    TypeError
        If X is masked, holds text or dates, or is no table.
    ValueError
        If columns share a name or are not those of ``fit``, or numbers are infinite.
    """
    container = container_of(X)
    if container not in ("single", "levels"):
        raise TypeError(
            f"X is {describe(X)}, which holds modalities, but {type(estimator).__name__} takes one "
            "table of numbers: pass one of them, or use CausalPIMA, which takes several."
        )
    if container == "levels":
        X = X.to_numpy()
    elif Table.of(X).kind == "series":
        X = X.to_frame()
    labels = getattr(X, "columns", None)
    with advised(estimator, X, reset):
        if not sparse.issparse(X):  # which scikit-learn refuses
            cells = as_array(X, "X")
            _refuse_words(cells, labels)
            X = cells if labels is None else X
        try:
            table = validate_data(
                estimator,
                X,
                dtype=(np.float64, np.float32),
                ensure_all_finite="allow-nan",
                reset=reset,
            )
        except OverflowError as error:
            raise ValueError(beyond_floats("X", error)) from error
    return np.asarray(table)


def _refuse_words(cells: np.ndarray, labels: Sequence | None) -> None:
    """Raise where cells hold text or dates, which NumPy takes for numbers where it can."""
    if cells.ndim == 0 or cells.dtype.kind not in "OUSmM":
        return
    odd = {}
    for k, column in enumerate(flat_rows(cells).T):
        are_words = column.dtype.kind in "USmM"
        words = (cell for cell in column if are_words or _is_word(cell))
        if (first := next(words, None)) is not None:
            odd[k] = first
    if odd:
        _tell(odd, labels)


def _is_word(cell: Unchecked) -> bool:
    """Return whether a cell holds text or a date."""
    return isinstance(cell, (str, bytes)) or any(hasattr(cell, name) for name in OF_TIMES)


def _tell(odd: dict[int, Unchecked], labels: Sequence | None) -> NoReturn:
    """Say in which columns there is no number, and what to do."""
    names = [str(k) if labels is None else repr(labels[k]) for k in list(odd)[:5]]
    noun = "column" if len(odd) == 1 else "the columns"
    more = ", ..." if len(odd) > len(names) else ""
    raise TypeError(
        f"X holds '{next(iter(odd.values()))!s:.30}' in {noun} {', '.join(names)}{more}, where "
        "numbers are expected. Make numbers of text that has digits (astype(float)) and of dates "
        "(seconds since the first), and leave other columns out; CausalPIMA takes words, too."
    )
