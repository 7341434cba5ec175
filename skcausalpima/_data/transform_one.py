"""One modality's transformer: what it is given, and what becomes of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _check_method_params

from .arrays import as_modality
from .multimodal_data import MultimodalData
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

    def transform(self, array: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Transform the samples that have the modality; the others are NaN."""
        if self.transformer == "passthrough":
            return array
        method = self.transformer.transform
        return self._apply(method, array, present, self.given, self.returned, self.shape_out)

    def inverse_transform(self, array: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Undo ``transform``."""
        if self.transformer == "passthrough":
            return array
        method = self.transformer.inverse_transform
        return self._apply(method, array, present, self.returned, self.given, self.shape)

    def column_names(self) -> list[str]:
        """Return the names of the elements of a transformed sample, flattened."""
        width = int(np.prod(self.shape_out))
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
        is_whole = names is not None and len(names) == int(np.prod(self.shape_out))
        return tuple(map(str, names)) if names is not None and is_whole else None

    def _apply(
        self,
        method: Callable,
        array: np.ndarray,
        present: np.ndarray,
        given: tuple[int, ...],
        returned: tuple[int, ...],
        shape: tuple[int, ...],
    ) -> np.ndarray:
        if not present.any():  # transformers want at least one sample
            dtype = np.result_type(array.dtype, np.float32) if array.dtype.kind in "biu" else None
            return np.full((len(array), *shape), np.nan, dtype=dtype or array.dtype)
        result = _call(method, _rows(array, present, given), self.name, self.transformer)
        if result.shape[1:] != returned:
            raise ValueError(
                f"the transformer of modality {self.name!r}, {self.transformer!r}, returned "
                f"samples of shape {result.shape[1:]} from {method.__name__}, expected {returned} "
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
    clashing = [name for name in transformers if name in {"transformers", "remainder"}]
    if clashing:
        raise ValueError(
            f"the names {clashing} of modalities clash with parameters of ModalityTransformer: "
            "rename these modalities."
        )
    nested = [name for name in transformers if "__" in name]
    if nested:
        raise ValueError(
            f"the names {nested} of modalities contain '__', which separates the names of nested "
            "parameters: rename these modalities."
        )
    for name, transformer in {**transformers, "remainder": remainder}.items():
        _check_transformer(name, transformer)


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
        name: None if data[name] is None else getattr(part, method)(data[name], seen)
        for (name, part), seen in zip(parts.items(), present, strict=True)
    }
    forward = method == "transform"
    columns = [part.columns_out if forward else part.columns for part in parts.values()]
    return MultimodalData(arrays, observed=data._observed)._with_columns(columns)


def fit_part(
    name: str,
    transformer: Transformer,
    array: np.ndarray,
    present: np.ndarray,
    y: ArrayLike | None,
    params: Metadata,
) -> tuple[ModalityPart, np.ndarray]:
    """Fit a clone of a transformer to the samples that have the modality.

    Parameters
    ----------
    name : str
        The modality.
    transformer : transformer or "passthrough"
        Not fitted, left as it is.
    array : ndarray of shape (n_samples, ...)
        The modality.
    present : ndarray of shape (n_samples,), dtype bool
        Which samples have it.
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
    shape = array.shape[1:]
    if isinstance(transformer, str):
        return ModalityPart(name, transformer, shape, shape, shape, shape), array
    if not present.any():
        raise ValueError(
            f"modality {name!r} is missing in all samples, so its transformer cannot be "
            "fitted: leave it out of fit, or drop it."
        )
    transformer = clone(transformer)
    given = shape if takes_any_shape(transformer) else (int(np.prod(shape)),)
    result = _fit_transform(transformer, _rows(array, present, given), name, y, params, present)
    returned = shape_out = result.shape[1:]
    if given != shape and returned == given and _keeps_columns(transformer, given[0]):
        shape_out = shape
    part = ModalityPart(name, transformer, shape, given, returned, shape_out)
    return part, _with_gaps(result.reshape(len(result), *shape_out), present, name)


def takes_any_shape(transformer: Transformer) -> bool:
    """Say whether a transformer takes samples of any shape; a Pipeline asks its first step."""
    while isinstance(transformer, Pipeline):
        steps = [step for _, step in transformer.steps if step not in (None, "passthrough")]
        transformer = steps[0] if steps else None
    if not hasattr(transformer, "__sklearn_tags__"):
        return False
    tags = get_tags(transformer)
    return tags.no_validation or tags.input_tags.three_d_array


def _check_transformer(name: str, transformer: Transformer) -> None:
    if isinstance(transformer, str) and transformer in ("drop", "passthrough"):
        return
    fits = hasattr(transformer, "fit") or hasattr(transformer, "fit_transform")
    if isinstance(transformer, type) or not fits or not hasattr(transformer, "transform"):
        raise TypeError(
            f"the transformer of {name!r} is {transformer!r}: expected an instance with fit and "
            "transform, 'passthrough' or 'drop'."
        )


def _fit_transform(
    transformer: Transformer,
    rows: np.ndarray,
    name: str,
    y: ArrayLike | None,
    params: Metadata,
    present: np.ndarray,
) -> np.ndarray:
    """Fit in place and transform, on the samples that have the modality."""
    if not present.all():
        y = None if y is None else _safe_indexing(y, np.flatnonzero(present))
        params = {
            method: _check_method_params(present, values, np.flatnonzero(present))
            for method, values in params.items()
        }

    def fit_transform(rows: np.ndarray) -> np.ndarray:
        if hasattr(transformer, "fit_transform"):
            return transformer.fit_transform(rows, y, **params.get("fit_transform", {}))
        return transformer.fit(rows, y, **params.get("fit", {})).transform(rows)

    return _call(fit_transform, rows, name, transformer)


def _rows(array: np.ndarray, present: np.ndarray, given: tuple[int, ...]) -> np.ndarray:
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
        error.add_note(_whereabouts(rows, name, transformer))
        raise
    if len(result) != len(rows):
        raise ValueError(
            f"the transformer of modality {name!r}, {transformer!r}, returned {len(result)} "
            f"samples for {len(rows)}: a transformer in ModalityTransformer must return one sample "
            "for each that it gets, so that the modalities still belong together."
        )
    return result


def _whereabouts(rows: np.ndarray, name: str, transformer: Transformer) -> str:
    note = (
        f"This is about modality {name!r}: its transformer, {transformer!r}, was given an array "
        f"of shape {rows.shape}"
    )
    if rows.ndim == 2:
        return f"{note}."
    return (
        f"{note}, since its first step takes samples of any shape. Where a later step wants a "
        "table, put that step into a second ModalityTransformer after this one, which flattens "
        "samples."
    )


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


def _keeps_columns(transformer: Transformer, width: int) -> bool:
    """Whether the columns are still those it was given, as far as the transformer says."""
    names = _names_out(transformer)
    return names is None or names == [f"x{k}" for k in range(width)]
