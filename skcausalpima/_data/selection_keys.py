"""Modalities by name or position: what is stated of each, and keys that select them, or samples."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from .._base.scalar_checks import is_integer
from .._base.types import Unchecked
from .adapters import as_array


def position(key: Unchecked, names: Sequence[str]) -> int:
    """Return the position of one modality, given by name or position."""
    if isinstance(key, str):
        if key not in names:
            raise KeyError(f"there is no modality {key!r}, only {list(names)}")
        return names.index(key)
    if not is_integer(key):
        raise IndexError(f"a modality is chosen by its name or position, got {key!r}")
    if not -len(names) <= key < len(names):
        raise IndexError(f"there is no modality {key}, only {len(names)} modalities")
    return int(key) % len(names)


def positions(columns: Unchecked, names: Sequence[str]) -> list[int]:
    """Return the positions of the modalities that ``X[:, columns]`` asks for."""
    if columns is Ellipsis:
        return list(range(len(names)))
    if isinstance(columns, slice):
        return list(range(len(names)))[columns]
    if isinstance(columns, (str, Integral)):
        return [position(columns, names)]
    keys = _as_key(columns, "modalities are chosen by their names or positions")
    if keys.dtype == bool:
        if keys.shape != (len(names),):
            raise IndexError(f"a mask of modalities must have length {len(names)}, got {keys}")
        keys = np.flatnonzero(keys)
    return [position(key, names) for key in np.atleast_1d(keys).tolist()]


def asked_modalities(modality: Unchecked, names: Sequence[str]) -> list[int]:
    """Return the position of the modality that a method is asked for, or those of all for None."""
    if modality is None:
        return list(range(len(names)))
    if not isinstance(modality, str) and not is_integer(modality):
        raise TypeError(
            f"modality is {modality!r:.100}: expected one of the names {list(names)}, a number "
            "from 0, or None for all."
        )
    try:
        return [position(modality, names)]
    except LookupError as error:
        raise ValueError(
            f"there is no modality {modality!r}: expected one of the names {list(names)}, a "
            f"number below {len(names)}, or None for all."
        ) from error


def row_key(rows: Unchecked, n_samples: int) -> slice | np.ndarray:
    """Return a slice or an array that keeps the sample axis."""
    if rows is Ellipsis:
        return slice(None)
    if isinstance(rows, slice):
        return rows
    if is_integer(rows):
        if not -n_samples <= rows < n_samples:
            raise IndexError(f"there is no sample {rows}, only {n_samples} samples")
        start = int(rows) % n_samples
        return slice(start, start + 1)
    expected = "samples are chosen by an integer, a slice, a list of integers or a boolean mask"
    keys = _as_key(rows, expected)
    if keys.ndim == 1 and (keys.dtype.kind in "iu" or keys.dtype == bool):
        return keys
    if keys.shape == (0,):
        return keys.astype(int)
    raise IndexError(
        f"{expected}, got {keys!r:.200}; X[name] is one modality, X[:, names] are several"
    )


def _as_key(key: Unchecked, expected: str) -> np.ndarray:
    """Return a list of numbers, names or truth values as an array."""
    try:
        return as_array(key, "the index")
    except (TypeError, ValueError) as error:
        raise IndexError(f"{expected}: {error}") from error


def entries_of(
    stated: Unchecked, names: Sequence[str], parameter: str, otherwise: Unchecked = None
) -> list:
    """Return an entry for each modality.

    Parameters
    ----------
    stated : str, None, sequence or mapping
        What the user passed.
    names : sequence of str
        The modalities.
    parameter : str
        What it was passed for.
    otherwise : object, default=None
        Of a modality that a mapping does not name.

    Raises
    ------
    ValueError
        If a mapping names others, or there is another number of entries.

    Examples
    --------
    >>> from skcausalpima._data.selection_keys import entries_of
    >>> entries_of({"curves": "mlp"}, ["images", "curves"], "encoders")
    [None, 'mlp']
    """
    if stated is None or isinstance(stated, str):
        return [stated] * len(names)
    given: Any = stated
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            raise ValueError(
                f"{parameter} names the modalities {unknown}, but X has {list(names)}: name only "
                f"those.{did_you_mean(unknown[0], names)}"
            )
        return [given.get(name, otherwise) for name in names]
    entries = list(given)
    if len(entries) != len(names):
        raise ValueError(
            f"{parameter} must have one entry per modality, {len(names)}, got {len(entries)}: the "
            f"modalities are {list(names)}, and {otherwise!r} states nothing of one."
        )
    return entries


def did_you_mean(word: Unchecked, known: Sequence[str]) -> str:
    """Ask whether a known word was meant; nothing where none is near."""
    close = difflib.get_close_matches(str(word), list(map(str, known)), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
