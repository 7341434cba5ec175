"""One modality's transformer: what it is given, and what becomes of what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from .._compat.scikit_learn import check_method_params, fit_transform_one, safe_indexing
from .adapters import as_modality
from .column_dtypes import Dtypes
from .missing_values import observed_rows
from .multimodal_data import MultimodalData
from .on_disk import Kept
from .table_labels import Columns

#: A transformer of scikit-learn's kind, or the word for doing nothing or for leaving out.
Transformer: TypeAlias = BaseEstimator
#: Keyword arguments by the name of the transformer's method.
Metadata: TypeAlias = dict[str, dict[str, ArrayLike]]


@dataclass(frozen=True)
class ModalityPart:
    """A fitted transformer of one modality, and the shapes of a sample on its way through.

    Parameters
    ----------
    name : str
        The modality.
    transformer : transformer or "passthrough"
        Fitted.
    shape, shape_out : tuple of int
        Shape of a sample before and after.
    given, returned : tuple of int
        Shape in which the transformer gets a sample, and in which it returns one.
    columns : tuple of str, default=None
        Names of the columns before; None where nothing names them.
    """

    name: str
    transformer: Transformer
    shape: tuple[int, ...]
    given: tuple[int, ...]
    returned: tuple[int, ...]
    shape_out: tuple[int, ...]
    columns: Columns = None

    def column_names(self) -> list[str]:
        """Return the names of the elements of a transformed sample, flattened."""
        width = math.prod(self.shape_out)
        names = self.columns_out or _names_out(self.transformer)
        if names is None or len(names) != width:
            names = [f"x{k}" for k in range(width)]
        return [f"{self.name}__{name}" for name in names]

    @property
    def columns_out(self) -> Columns:
        """Names of the columns after, if they had some before."""
        if self.columns is None or self.transformer == "passthrough":
            return self.columns
        names = _names_out(self.transformer, self.columns)
        is_whole = names is not None and len(names) == math.prod(self.shape_out)
        return tuple(map(str, names)) if names is not None and is_whole else None

    def apply(self, method: str, array: Kept, present: np.ndarray) -> Kept:
        """Transform the samples that have the modality, or undo it; the others are NaN."""
        if self.transformer == "passthrough":
            return array
        ways = {
            "transform": (self.given, self.returned, self.shape_out),
            "inverse_transform": (self.returned, self.given, self.shape),
        }
        given, returned, shape = ways[method]
        if not present.any():  # transformers want at least one sample
            dtype = np.result_type(array.dtype, np.float32) if array.dtype.kind in "biu" else None
            return np.full((len(array), *shape), np.nan, dtype=dtype or array.dtype)
        call = getattr(self.transformer, method)
        result = _call(call, _rows(array, present, given), self.name, self.transformer)
        if result.shape[1:] != returned:
            raise ValueError(
                f"the transformer of modality {self.name!r}, {self.transformer!r}, returned "
                f"samples of shape {result.shape[1:]} from {method}, expected {returned} "
                "as in fit: every sample must come out in one and the same shape, and "
                "inverse_transform must lead back to the shape that transform was given."
            )
        return _with_gaps(result.reshape(len(result), *shape), present, self.name)


def check_transformers(
    transformers: Mapping[str, Transformer], remainder: Transformer, names: Sequence[str]
) -> None:
    """Check the parameters of a ModalityTransformer against the names of the modalities."""
    if not isinstance(transformers, Mapping):
        raise TypeError(
            f"transformers is {transformers!r}: expected a dict from names of modalities to "
            "transformers."
        )
    unknown = [name for name in transformers if name not in names]
    if unknown:
        raise ValueError(
            f"transformers names the modalities {unknown}, but X has {list(names)}: name only "
            "those (the modalities of a list are modality0, modality1, ...)."
        )
    for name, part in {**transformers, "remainder": remainder}.items():
        is_word = isinstance(part, str) and part in ("drop", "passthrough")
        fits = hasattr(part, "fit") or hasattr(part, "fit_transform")
        if not is_word and (isinstance(part, type) or not fits or not hasattr(part, "transform")):
            raise TypeError(
                f"the transformer of {name!r} is {part!r}: expected an instance with fit and "
                "transform, 'passthrough' or 'drop'."
            )


def transformed(
    data: MultimodalData, parts: Mapping[str, ModalityPart], method: str
) -> MultimodalData:
    """Transform modalities, each by its own part; what is missing stays so.

    Parameters
    ----------
    data : MultimodalData
        Has all modalities that there are parts for.
    parts : mapping of str to ModalityPart
        By name of the modality.
    method : {"transform", "inverse_transform"}
        Which way.

    Returns
    -------
    MultimodalData
        The modalities in the order of the parts.
    """
    data = data[:, list(parts)]
    present = data.observed.T
    arrays = {
        part.name: None if array is None else part.apply(method, array, seen)
        for part, array, seen in zip(parts.values(), data.arrays, present, strict=True)
    }
    forward = method == "transform"
    columns = [part.columns_out if forward else part.columns for part in parts.values()]
    return MultimodalData(arrays, observed=data._observed)._with_columns(
        columns, kept_dtypes(data, parts.values())
    )


def kept_dtypes(data: MultimodalData, parts: Iterable[ModalityPart]) -> list[Dtypes]:
    """Return the dtypes of columns that are passed through, None for all others."""
    dtypes = dict(zip(data.names, data._frame_dtypes, strict=True))
    return [dtypes[of.name] if of.transformer == "passthrough" else None for of in parts]


def fit_part(
    data: MultimodalData, name: str, transformer: Transformer, y: ArrayLike | None, params: Metadata
) -> tuple[ModalityPart, Kept]:
    """Fit a clone of a transformer to the samples that have the modality.

    Parameters
    ----------
    data : MultimodalData
        All modalities.
    name : str
        Which of them.
    transformer : transformer or "passthrough"
        Not fitted, left as it is.
    y : array-like of shape (n_samples, ...) or None
        Passed on.
    params : dict of (str, dict)
        Metadata by the transformer's method; what has a value per sample is cut to the samples.

    Returns
    -------
    part : ModalityPart
        With the fitted clone.
    transformed : ndarray of shape (n_samples, ...)
        Missing samples are NaN.
    """
    k, array = data.names.index(name), cast("Kept", data[name])
    shape, columns = array.shape[1:], data._columns[k]
    present = observed_rows(array, data._stated(k), len(data))
    if isinstance(transformer, str):
        return ModalityPart(name, transformer, shape, shape, shape, shape, columns), array
    if not present.any():
        raise ValueError(
            f"modality {name!r} is missing in all samples, so its transformer cannot be "
            "fitted: leave it out of fit, or drop it."
        )
    if not present.all():
        rows = np.flatnonzero(present)
        y = None if y is None else safe_indexing(y, rows)
        params = {of: check_method_params(present, given, rows) for of, given in params.items()}
    transformer = clone(transformer)
    given = shape if _takes_any_shape(transformer) else (math.prod(shape),)

    def fit_transform(rows: np.ndarray) -> np.ndarray:
        return fit_transform_one(transformer, rows, y, None, params=params)[0]

    result = _call(fit_transform, _rows(array, present, given), name, transformer)
    returned = shape_out = result.shape[1:]
    if given != shape and returned == given:
        names = _names_out(transformer)
        if names is None or names == [f"x{k}" for k in range(given[0])]:  # the same columns
            shape_out = shape
    part = ModalityPart(name, transformer, shape, given, returned, shape_out, columns)
    return part, _with_gaps(result.reshape(len(result), *shape_out), present, name)


def _takes_any_shape(transformer: Transformer) -> bool:
    """Return whether a transformer takes samples of any shape; a Pipeline asks its first step."""
    while isinstance(transformer, Pipeline):
        steps = [step for _, step in transformer.steps if step not in (None, "passthrough")]
        transformer = steps[0] if steps else None
    if not hasattr(transformer, "__sklearn_tags__"):
        return False
    tags = get_tags(transformer)
    return tags.no_validation or tags.input_tags.three_d_array


def _rows(array: Kept, present: np.ndarray, given: tuple[int, ...]) -> np.ndarray:
    """Return the samples that have the modality in the shape for the transformer."""
    rows = np.asarray(array if present.all() else array[present])
    return rows.reshape(len(rows), *given)


def _call(method: Callable, rows: np.ndarray, name: str, transformer: Transformer) -> np.ndarray:
    """Return the result as a dense array of as many samples; errors say whose they are."""
    try:
        with config_context(transform_output="default"):  # tables would become arrays anyway
            result = method(rows)
        result = as_modality(result.toarray() if sparse.issparse(result) else result, name)
    except Exception as error:
        flattens = (
            ", since its first step takes samples of any shape. Where a later step wants a table, "
            "put that step into a second ModalityTransformer after this one, which flattens samples"
        )
        error.add_note(
            f"This is about modality {name!r}: its transformer, {transformer!r}, was given an "
            f"array of shape {rows.shape}{'' if rows.ndim == 2 else flattens}."
        )
        raise
    if len(result) != len(rows):
        raise ValueError(
            f"the transformer of modality {name!r}, {transformer!r}, returned {len(result)} "
            f"samples for {len(rows)}: a transformer in ModalityTransformer must return one sample "
            "for each that it gets, so that the modalities still belong together."
        )
    return result


def _with_gaps(result: np.ndarray, present: np.ndarray, name: str) -> np.ndarray:
    """Put samples back among the missing ones."""
    if present.all():
        return result
    if result.dtype.kind not in "buifc":
        raise TypeError(
            f"the transformer of modality {name!r} returned dtype {result.dtype}, which has no NaN "
            "for the samples that miss it: return numbers, or drop these samples."
        )
    dtype = np.result_type(result.dtype, np.float32)
    full = np.full((len(present), *result.shape[1:]), np.nan, dtype=dtype)
    full[present] = result
    return full


def _names_out(transformer: Transformer, columns: Columns = None) -> Sequence[str] | None:
    """Return the names of a transformer's columns, or None where it has none."""
    try:
        names = transformer.get_feature_names_out(columns)
    except (AttributeError, ValueError):  # a step of a Pipeline has none, or wants some of the user
        return None
    return None if names is None else list(names)  # None: a Pipeline whose steps all pass through
