"""Which samples have which modalities, where a mask says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .._typing import Unchecked
from .arrays import as_array, flat_rows, missing_rows
from .on_disk import Kept


def check_observed_blocks(
    observed: Unchecked, names: Sequence[str], n_samples: int
) -> np.ndarray | None:
    """Return a mask of blocks as the user states it.

    Parameters
    ----------
    observed : array-like, mapping or None
        Of shape (n_samples, n_modalities), or by name of shape (n_samples,); booleans, or
        integers 0 and 1. Modalities that a mapping does not name are observed.
    names : sequence of str
        The modalities.
    n_samples : int
        The number of samples.

    Returns
    -------
    ndarray of shape (n_samples, n_modalities), dtype bool, or None
        Memory of its own.

    Raises
    ------
    TypeError
        If the mask holds something else.
    ValueError
        If it has another shape, or names a modality that there is not.
    """
    if observed is None:
        return None
    if not isinstance(observed, Mapping):
        return _flags(observed, (n_samples, len(names)), "observed", "(n_samples, n_modalities)")
    unknown = [name for name in observed if name not in names]
    if unknown:
        raise ValueError(
            f"observed names the modalities {unknown}, but there are {list(names)}: name only "
            "those."
        )
    mask = np.ones((n_samples, len(names)), dtype=bool)
    for name, column in observed.items():
        what = f"observed[{name!r}]"
        mask[:, names.index(name)] = _flags(column, (n_samples,), what, "(n_samples,)")
    return mask


def _flags(given: Unchecked, shape: tuple[int, ...], what: str, meaning: str) -> np.ndarray:
    """Return booleans of a shape."""
    array = as_array(given, what)
    if array.dtype.kind not in "biu" or (array.dtype.kind != "b" and not _is_binary(array)):
        raise TypeError(
            f"{what} has dtype {array.dtype}: expected booleans, or integers 0 and 1, that say "
            "where a sample has the modality."
        )
    if array.shape != shape:
        raise ValueError(
            f"{what} has shape {array.shape}: expected {meaning}, {shape}, True where a sample has "
            "the modality."
        )
    return np.array(array, dtype=bool)


def _is_binary(array: np.ndarray) -> bool:
    return bool(((array == 0) | (array == 1)).all())


def observed_rows(array: Kept | None, stated: np.ndarray | None, n: int) -> np.ndarray:
    """Return which samples have a modality: they are not NaN, and no mask says that they lack it.

    Parameters
    ----------
    array : ndarray of shape (n_samples, ...) or None
        The modality; None where no sample has it.
    stated : ndarray of shape (n_samples,), dtype bool, or None
        What a mask says.
    n : int
        The number of samples.

    Returns
    -------
    ndarray of shape (n_samples,), dtype bool
        True where a sample has it.
    """
    if array is None:
        return np.zeros(n, dtype=bool)
    present = ~missing_rows(array)
    return present if stated is None else present & stated


def with_nan(array: Kept, stated: np.ndarray | None) -> np.ndarray:
    """Return an array with NaN where a mask says that samples lack the modality, flattened."""
    flat = np.asarray(flat_rows(array))
    if stated is None or stated.all():
        return flat
    filled = flat.astype(np.result_type(flat.dtype, np.float32))
    filled[~stated] = np.nan
    return filled


def same_values(first: Kept | None, second: Kept | None, seen: np.ndarray) -> bool:
    """Say whether two arrays are equal in the samples that have the modality."""
    if first is None or second is None:
        return first is second
    if first.shape != second.shape:
        return False
    if not seen.all():
        first, second = first[seen], second[seen]
    numbers = first.dtype.kind in "fc" and second.dtype.kind in "fc"
    return np.array_equal(first, second, equal_nan=numbers)
