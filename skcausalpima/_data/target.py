"""y, which a clusterer takes for scikit-learn's sake: what is mistaken for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from .._typing import Unchecked
from .foreign import describe


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
    >>> from skcausalpima._data.target import check_target
    >>> check_target(None)
    >>> check_target([0, 1, 1])
    """
    if not (isinstance(y, Mapping) or _n_axes(y) > 1):
        return
    raise ValueError(
        f"y is {_described(y)}, but y is ignored: it may be one label for each sample, or None. "
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


def _described(value: Unchecked) -> str:
    """Say what an array-like is, and what a list holds."""
    if not isinstance(value, (list, tuple)):
        return describe(value)
    entries = cast("Sequence", value)
    return f"a {type(value).__name__} of {len(entries)} entries of type {type(entries[0]).__name__}"
