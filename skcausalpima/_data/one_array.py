"""One array or table as X: checked by scikit-learn, and in its words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._typing import Samples
from .adapters import Table, as_array, as_modality
from .arrays import beyond_floats, flat_rows
from .cell_contents import Place, refuse_contents
from .missing_values import allows_gaps, refuse_infinity
from .multimodal_data import MultimodalData
from .on_disk import on_disk
from .recipes import describe
from .several import Expected, refuse_one_sample


def read_array(
    estimator: BaseEstimator, X: Any, expected: Expected | None, is_coded: bool
) -> MultimodalData:
    """Return the modality that one array is, which scikit-learn checks with its own messages.

    Parameters
    ----------
    estimator : BaseEstimator
        In ``fit`` it gets ``feature_names_in_`` of a DataFrame.
    X : array-like or DataFrame
        The array.
    expected : Expected or None
        What it must be; None in ``fit``.
    is_coded : bool
        Whether columns are, or may be, no numbers, which scikit-learn does not take.
    """
    names = None if expected is None else expected.names
    if expected is not None:
        if len(expected.names) > 1:
            raise ValueError(
                f"X is one array ({describe(X)}), but {expected}: pass a list with one array per "
                "modality, a mapping, or a MultimodalData. MultimodalData.from_flat(X, shapes, "
                "names) cuts a flat array into modalities."
            )
        # scikit-learn has words for a row of a table, and this could be one.
        if len(expected.shapes[0]) > 1 and expected.shapes[0][0] != 1:
            refuse_one_sample([X], expected, "X[None]")
    if (kept := on_disk(X, "X")) is not None:
        validate_data(estimator, flat_rows(kept), reset=names is None, skip_check_array=True)
        return MultimodalData([kept], names)
    table = Table.of(X)
    X = X.to_frame() if table.kind == "series" else X
    if is_coded:
        with _advised(estimator, X, names is None):
            rows = X if hasattr(X, "columns") else flat_rows(as_modality(X, "X"))
            validate_data(estimator, rows, reset=names is None, skip_check_array=True)
        return MultimodalData([X], names)
    if not hasattr(X, "columns") and (not isinstance(X, np.ndarray) or np.ma.is_masked(X)):
        X = as_array(X, "X")
    if getattr(X, "ndim", 0) <= 2:
        checked = _validated(estimator, X, X, names is None)
        return MultimodalData([checked], names)._with_columns([table.columns])
    data = MultimodalData([X], names)
    if expected is not None:
        check_samples(data, expected)
    _validated(estimator, X, flat_rows(as_array(X, "X")), names is None)
    return data


def _validated(estimator: BaseEstimator, X: Samples, table: Samples, reset: bool) -> np.ndarray:
    """Return a table as scikit-learn checks it: of numbers, or objects that are looked at later."""
    gaps = allows_gaps(estimator)
    with _advised(estimator, X, reset):
        try:
            return validate_data(
                estimator,
                table,
                reset=reset,
                dtype="numeric",
                ensure_min_samples=2 if reset else 1,
                ensure_all_finite="allow-nan" if gaps else True,
            )
        except OverflowError as error:
            raise ValueError(beyond_floats("X", error)) from error
        except (TypeError, ValueError):
            refuse_contents(X, "X", place=Place(kind=Table.of(X).kind) if reset else None)
            refuse_infinity(X, "X", gaps, list(getattr(X, "columns", ())) or None)
            raise


@contextmanager
def _advised(estimator: BaseEstimator, X: Samples, reset: bool) -> Iterator[None]:
    """Say how to take the columns of ``fit``, where they are all there and refused."""
    try:
        yield
    except ValueError as error:
        columns = list(getattr(X, "columns", ()))
        fitted = list(getattr(estimator, "feature_names_in_", ()))
        if not reset and fitted and columns != fitted and set(fitted) <= set(columns):
            raise ValueError(
                f"{str(error).rstrip()}\nTake the columns of fit, in their order: "
                "X[model.feature_names_in_]."
            ) from error
        raise


def check_samples(data: MultimodalData, expected: Expected, advice: str = "") -> None:
    """Check that there are samples, and that they have the shapes that are expected."""
    if len(data) < 1:
        raise ValueError("Found 0 samples while a minimum of 1 is required.")
    for name, shape, fitted in zip(data.names, data.modality_shapes, expected.shapes, strict=True):
        if shape is not None and shape != tuple(fitted):
            raise ValueError(
                f"modality {name!r} has samples of shape {shape}, but {expected}: expected an "
                f"array of shape (n_samples, {', '.join(map(str, fitted))}). {advice}".rstrip()
            )
