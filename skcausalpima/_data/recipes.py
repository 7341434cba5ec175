"""Input that is no array and no container that is read: what to pass in its place."""

from __future__ import annotations

import functools
import os
from collections.abc import (
    Callable,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from typing import Any, TypeGuard, cast

import numpy as np
from scipy import sparse

from .._base.types import Unchecked


def describe(value: Unchecked) -> str:
    """Say in a few words what a value is."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, (str, bytes, os.PathLike)):
        return f"{value!r:.100}"
    if _has_fields(value):
        return f"an array with fields, {cast('np.ndarray', value).dtype.names}"
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return f"a {kind}" if shape is None else f"a {kind} of shape {tuple(cast('tuple', shape))}"


def is_of(package: str, name: str = "") -> Callable[[Unchecked], bool]:
    """Return what says whether a value is of a type of a package that has a word in its name."""

    @functools.lru_cache(maxsize=64)
    def is_type(kind: type) -> bool:
        kinds = ((f"{base.__module__}.", base.__name__) for base in kind.__mro__)
        return any(module.startswith(f"{package}.") and name in word for module, word in kinds)

    return lambda value: is_type(cast("Any", type(value)))


def _has_fields(value: Unchecked) -> bool:
    """Return True for a structured array."""
    return isinstance(getattr(getattr(value, "dtype", None), "names", None), tuple)


def is_mapping(value: Unchecked) -> TypeGuard[Mapping]:
    """Return True for a mapping that is no container of another library, nor a sparse array."""
    foreign = any(matches(value) for matches, _ in FOREIGN)
    return isinstance(value, Mapping) and not sparse.issparse(value) and not foreign


#: What to pass in place of containers of other libraries.
FOREIGN: Sequence[tuple[Callable[[Unchecked], bool], str]] = (
    (
        is_of("mudata"),
        "{name: part.to_df() for name, part in X.mod.items()}, with the same cells in each",
    ),
    (is_of("anndata"), "X.to_df()"),
    (is_of("zarr", "Group"), "{name: X[name] for name in X.array_keys()}"),
    (is_of("pyarrow", "Table"), "X.to_pandas()"),
    (is_of("polars", "LazyFrame"), "X.collect()"),
    (is_of("torch.utils.data", "TensorDataset"), "list(X.tensors), one tensor per modality"),
    (
        is_of("torch.utils.data", "DataLoader"),
        "the arrays in its dataset, [np.stack(part) for "
        "part in zip(*(X.dataset[k] for k in range(len(X.dataset))))]",
    ),
    (
        is_of("torch.utils.data", "Dataset"),
        "[np.stack(part) for part in zip(*(X[k] for k in range(len(X))))], one array per modality",
    ),
)

#: What to pass in place of things that are no arrays.
RECIPES: Sequence[tuple[Callable[[Unchecked], bool], str]] = (
    *FOREIGN,
    (
        _has_fields,
        "{name: X[name] for name in X.dtype.names} for one modality per field, or "
        "pandas.DataFrame(X) for one table",
    ),
    (
        lambda value: isinstance(value, (str, bytes, os.PathLike)),
        "what it names, as read by np.load(..) or pandas.read_csv(..)",
    ),
    (
        lambda value: isinstance(value, (Iterator, ValuesView)),
        "np.stack(list(X)) if it has the "
        "samples of one modality, or list(X) if it has one array per modality",
    ),
    (lambda value: isinstance(value, ItemsView), "dict(X), the mapping that they are of"),
    (lambda value: isinstance(value, KeysView), "the mapping itself, not its keys"),
    (lambda value: isinstance(value, Set), "np.array(sorted(X)): a set has no order"),
    (is_mapping, "one array: a mapping of arrays is no modality"),
    (lambda value: isinstance(value, type), "an instance, not the class"),
)


def check_target(y: Unchecked) -> None:
    """Raise where y is no label of each sample, but has more axes: it would be a modality.

    Parameters
    ----------
    y : object
        What a method was given as y.

    Raises
    ------
    ValueError
        Says how several modalities are passed.

    Examples
    --------
    >>> from skcausalpima._data.recipes import check_target
    >>> check_target(None)
    >>> check_target([0, 1, 1])
    """
    if not (isinstance(y, Mapping) or _n_axes(y) > 1):
        return
    given = describe(y)
    if isinstance(y, (list, tuple)):
        given = f"a {type(y).__name__} of {len(y)} entries of type {type(y[0]).__name__}"
    raise ValueError(
        f"y is {given}, but y is ignored: it may be one label for each sample, or None. "
        "If it is a second modality, pass all modalities as one argument, such as "
        "fit([images, curves]) or fit({'image': images, 'curve': curves}). If it has known "
        "outcomes of nodes, pass them as known_nodes=."
    )


def _n_axes(value: Unchecked) -> int:
    """Return how many axes an array-like has, 2 for all that have several; 0 for other things."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and (len(shape) != 1 or not isinstance(value, np.ndarray)):
        return len(shape)
    if isinstance(value, (list, tuple, np.ndarray)):
        return 1 + (len(value) > 0 and _n_axes(value[0]) > 0)
    return 0
