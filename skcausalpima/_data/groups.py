"""Groups: which samples belong together, by a label of each or an entry of X."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._base.scalar_checks import is_missing
from .._base.types import Groups, Samples
from .containers import CONTAINERS, container_of, without_contexts
from .recipes import describe


def read_groups(groups: Groups, n_samples: int) -> np.ndarray:
    """Return the number of each sample's group, in the order in which groups first come.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        A label of each sample, such as its patient: words, numbers, or anything that can be hashed.
    n_samples : int
        Number of samples.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        From 0 without gaps.

    Raises
    ------
    ValueError
        If there is not one label for each sample, a label is missing, or all are the same.
    TypeError
        If a label is not hashable.

    Examples
    --------
    >>> from skcausalpima._data.groups import read_groups
    >>> read_groups(["mouse 7", "mouse 7", "mouse 2"], 3)
    array([0, 0, 1])
    """
    given: Any = groups
    shape = getattr(given, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        given = given.iloc[:, 0] if hasattr(given, "iloc") else np.asarray(given)[:, 0]
        shape = given.shape
    is_one = isinstance(given, (str, bytes)) or not hasattr(given, "__len__") or given is None
    if is_one or (shape is not None and len(shape) != 1):
        raise ValueError(
            f"groups is {describe(groups)}: expected a label of each sample, shape ({n_samples},)."
        )
    labels = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(labels) != n_samples:
        raise ValueError(
            f"groups has {len(labels)} labels for {n_samples} samples: pass one for each."
        )
    numbers: dict[object, int] = {}
    codes = np.empty(n_samples, dtype=np.int64)
    for row, label in enumerate(labels):
        if is_missing(label) or label == "nan":
            raise ValueError(
                f"groups lacks the label of sample {row}: if it belongs to no group, give it a "
                "label of its own."
            )
        try:
            codes[row] = numbers.setdefault(label, len(numbers))
        except TypeError as error:
            raise TypeError(
                f"groups holds {label!r:.50}: labels must be hashable, as strings, numbers and "
                "tuples are."
            ) from error
    if len(numbers) < 2:
        raise ValueError(
            "groups has one label: samples of one group tell nothing of others. Pass groups of "
            "which there are several, or none."
        )
    return codes


def entry_of_groups(X: Samples, name: str) -> Groups:
    """Return the entry of X that has the labels of groups.

    Raises
    ------
    ValueError
        If X has no entries by name, or not this one.
    """
    entries = CONTAINERS[container_of(X)].entries(X)
    if entries is None or name not in entries:
        what = f"has the entries {entries}" if entries else f"is {describe(X)}"
        raise ValueError(
            f"groups={name!r} names an entry of X, but X {what}: pass a label of each sample, an "
            f"array, or X with {name!r} beside its modalities."
        )
    of_entry: Any = X
    return of_entry[name]


def without_groups(X: Samples, name: str | None) -> Samples:
    """Return X without the entry that has the labels of groups, if it is there."""
    if name is None:
        return X
    entries = CONTAINERS[container_of(X)].entries(X)
    return without_contexts(X, [name])[0] if entries is not None and name in entries else X
