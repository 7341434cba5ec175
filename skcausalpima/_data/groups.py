"""Groups: which samples belong together, by a label of each, beside X or an entry of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._base.scalar_checks import is_missing
from .._base.types import Groups, Samples, Unchecked
from .containers import CONTAINERS, container_of
from .recipes import describe

#: Attribute of an estimator with the name of the entry of X that labels came in, if they did.
GROUPS_ENTRY = "_groups_entry"


def take_groups(X: Samples, groups: Groups, entry: str | None = None) -> tuple[Samples, Unchecked]:
    """Return X without its entry of labels of groups, and the label of each sample.

    Parameters
    ----------
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples.
    groups : array-like of shape (n_samples,), str or None
        Labels, or the name of the entry of X with them.
    entry : str, default=None
        The name of that entry in ``fit``; X may lack it.

    Returns
    -------
    X : object
        Without the entry.
    groups : object
        Labels as they were stated; None where they were not.

    Raises
    ------
    ValueError
        If X does not have the entry that ``groups`` names, or nothing else.

    Examples
    --------
    >>> from skcausalpima._data.groups import take_groups
    >>> take_groups({"a": [[1.0], [2.0]], "mouse": ["x", "x"]}, "mouse")
    ({'a': [[1.0], [2.0]]}, ['x', 'x'])
    """
    is_named = isinstance(groups, str)
    name = groups if is_named else entry
    if name is None:
        return X, groups
    given: Any = X
    container = CONTAINERS[container_of(X)]
    entries = container.entries(X)
    if entries is None or name not in entries:
        if not is_named:
            return X, groups
        has = "parts without names" if entries is None else f"the entries {entries}"
        raise ValueError(
            f"groups={name!r} names an entry of X, which has {has}: pass the label of each sample "
            f"under that name, or as an array."
        )
    if set(entries) == {name}:
        raise ValueError(f"X has nothing besides the groups {name!r}: pass modalities, too.")
    labels = given[name] if is_named or groups is None else groups
    return container.without(X, [name]), labels


def read_groups(groups: Unchecked, n_samples: int) -> np.ndarray:
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
    given: Any = getattr(groups, "values", groups) if hasattr(groups, "dims") else groups
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
