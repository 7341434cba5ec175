"""X that is one array: how it is read, and checked with scikit-learn's own messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._typing import Samples
from .arrays import (
    ADVICE_ON_SHAPES,
    as_modality,
    beyond_floats,
    flat_rows,
    refused_sparse,
    without_gradients,
)
from .cell_contents import refuse_contents
from .form import Table
from .missing_values import allows_gaps, refuse_infinity
from .recipes import Place


def as_one_array(X: Samples) -> Samples:
    """Return X as an ndarray where that tells its number of axes, else (DataFrame) as it is."""
    if hasattr(X, "to_frame") and not hasattr(X, "columns"):  # a Series
        return X.to_frame()
    if sparse.issparse(X):
        raise TypeError(refused_sparse(X))
    if hasattr(X, "dims"):
        return np.asarray(X)
    if hasattr(X, "detach"):
        return as_modality(X, "X") if getattr(X, "ndim", 0) > 1 else without_gradients(X, "X")
    if isinstance(X, np.ndarray):
        return as_modality(X, "X") if np.ma.is_masked(X) else X
    if not isinstance(X, (list, tuple)):
        return X
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X is a list whose entries differ in shape, so it is not one array. "
            f"{ADVICE_ON_SHAPES} If they are modalities, give them names: a mapping. Or make each "
            "an array of two axes or more, as by np.reshape(x, (len(x), -1))."
        ) from error


def validated(
    estimator: BaseEstimator, X: Samples, reset: bool, allow_nan: bool = False
) -> np.ndarray:
    """Let scikit-learn check one array, as a table, with its own messages and what to do.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets the names and the number of columns with ``reset``, else X is checked against them.
    X : array-like of shape (n_samples, ...)
        An ndarray if it has more than two axes.
    reset : bool
        True in ``fit``.
    allow_nan : bool, default=False
        Whether elements may be NaN.

    Returns
    -------
    ndarray of shape (n_samples, width)
        Numbers, or objects that are looked at later.
    """
    table = flat_rows(as_modality(X, "X")) if getattr(X, "ndim", 0) > 2 else X
    try:
        return validate_data(
            estimator,
            table,
            reset=reset,
            dtype="numeric",
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite="allow-nan" if allow_nan else True,
        )
    except OverflowError as error:
        raise ValueError(beyond_floats("X", error)) from error
    except (TypeError, ValueError) as error:
        refuse_contents(X, "X", place=Place(kind=Table.of(X).kind) if reset else None)
        refuse_infinity(X, "X", allows_gaps(estimator), getattr(X, "columns", None))
        if not reset and _has_columns(X, getattr(estimator, "feature_names_in_", ())):
            raise ValueError(
                f"{str(error).rstrip()}\nTake the columns of fit, in their order: "
                "X[model.feature_names_in_]."
            ) from error
        raise


def _has_columns(X: Samples, fitted: Sequence[str]) -> bool:
    """Say whether a DataFrame has all columns of ``fit``, in another order or among others."""
    names = list(getattr(X, "columns", ()))
    return len(fitted) > 0 and names != list(fitted) and set(fitted) <= set(names)
