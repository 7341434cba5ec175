"""Contexts of samples: which entries of X are vectors of labels, and the numbers of these."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any, cast

import numpy as np

from .._base.scalar_checks import is_missing
from .._base.types import Unchecked
from .recipes import describe

#: What to do where a sample has no label.
NO_LABEL = 'give such samples a label of their own, such as "unknown", or leave them out'


@dataclass(frozen=True, kw_only=True, eq=False)
class ContextLabels:
    """The labels of samples in each context.

    Parameters
    ----------
    labels : dict of str to ndarray of shape (n_labels,)
        By name of the context, in sorted order.
    codes : ndarray of int of shape (n_contexts, n_samples)
        Number of each sample's label; -1 where it is missing.
    """

    labels: dict[str, np.ndarray]
    codes: np.ndarray

    def check_complete(self) -> None:
        """Check that no label is missing, as all that is trained on need theirs."""
        missing = np.argwhere(self.codes.T < 0)
        if len(missing):
            row, k = missing[0]
            raise ValueError(_no_label(int(row), list(self.labels)[k]))

    def entries(self) -> dict[str, np.ndarray]:
        """Return the label of each sample by name of the context, None where it is missing."""
        entries = {}
        for (name, labels), codes in zip(self.labels.items(), self.codes, strict=True):
            entries[name] = labels[codes]
            if (codes < 0).any():
                entries[name] = np.where(codes < 0, None, labels.astype(object)[codes])
        return entries

    def take(self, rows: np.ndarray | slice) -> ContextLabels:
        """Return those of the samples with the given numbers."""
        return replace(self, codes=self.codes[:, rows])


def context_names(contexts: Unchecked) -> list[str]:
    """Return the names that ``contexts`` states."""
    if contexts is None:
        return []
    kinds = list | tuple | np.ndarray
    stated: list[Any] = list(contexts) if isinstance(contexts, kinds) else [contexts]
    return [str(entry) if isinstance(entry, str) else entry.name for entry in stated]


def read_contexts(
    taken: Mapping[str, Unchecked],
    n_samples: int,
    known: Mapping[str, np.ndarray] | None = None,
    learns: bool = False,
) -> ContextLabels:
    """Return labels of contexts, in sorted order, and the numbers that samples have.

    Parameters
    ----------
    taken : mapping of str to object
        Entries of X by name of the context.
    n_samples : int
        Number of samples.
    known : mapping of str to ndarray, default=None
        Labels that fit has seen; None in fit, where all labels are needed.
    learns : bool, default=False
        Whether labels that fit has not seen come after these. All labels are needed then.

    Returns
    -------
    ContextLabels
        Of these samples.

    Raises
    ------
    ValueError
        If an entry is no vector of labels, if labels are missing in fit or unknown afterwards, or
        if they tell no samples apart, or each from all others.
    TypeError
        If a label is not hashable.
    """
    labels: dict[str, np.ndarray] = {}
    codes = np.full((len(taken), n_samples), -1)
    for k, (name, value) in enumerate(taken.items()):
        entries = [None] * n_samples if value is None else _entries(value, name)
        if len(entries) != n_samples:
            raise ValueError(
                f"the context {name!r} has {len(entries)} labels for {n_samples} samples."
            )
        ordered = [] if known is None else known[name].tolist()
        if known is None or learns:
            ordered += [label for label in _sorted_labels(entries, name) if label not in ordered]
            if len(kinds := sorted(set(map(_kind, ordered)))) > 1:
                raise ValueError(
                    f"labels of the context {name!r} are of mixed types, {' and '.join(kinds)}: "
                    "which of them are the same? Use one type, as by map(str, labels)."
                )
        labels[name] = _as_array(ordered)
        numbers = {label: number for number, label in enumerate(ordered)}
        for row, entry in enumerate(entries):
            if not is_missing(entry):
                codes[k, row] = _number(entry, numbers, name)
    if known is None:
        _check_apart(labels, codes)
    return ContextLabels(labels=labels, codes=codes)


def _entries(value: Any, name: str) -> list:
    """Return the labels of samples, which stand along one axis."""
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        value = value.iloc[:, 0] if hasattr(value, "iloc") else np.asarray(value)[:, 0]
    elif (shape is not None and len(shape) != 1) or isinstance(value, str | bytes | Number):
        raise ValueError(
            f"the context {name!r} is {describe(value)}: expected a vector with the label of each "
            "sample. If it is a modality, contexts must not name it."
        )
    value = getattr(value, "values", value) if hasattr(value, "dims") else value
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        value = value.astype("datetime64[us]")
    if hasattr(value, "tolist"):
        return list(value.tolist())
    return [_plain(entry) for entry in value]


def _plain(entry: Unchecked) -> Unchecked:
    """Return a label as it is in a list that NumPy makes of an array."""
    if isinstance(entry, np.datetime64):
        entry = entry.astype("datetime64[us]")
    return entry.item() if isinstance(entry, np.generic) else entry


def _sorted_labels(entries: Sequence, name: str) -> list:
    """Return the different labels of the samples of a fit."""
    distinct: dict[Hashable, None] = {}
    for row, entry in enumerate(entries):
        if is_missing(entry):
            raise ValueError(_no_label(row, name))
        try:
            distinct.setdefault(entry)
        except TypeError as error:
            raise TypeError(
                f"a label of the context {name!r} is {entry!r}: labels must be hashable, as "
                "strings, numbers and tuples are."
            ) from error
    if "nan" in distinct:
        raise ValueError(
            f"the context {name!r} has the label 'nan', which NumPy makes of a label that is "
            f"missing among strings: {NO_LABEL}."
        )
    try:
        return sorted(distinct)
    except TypeError:
        return sorted(distinct, key=repr)


def _no_label(row: int, name: str) -> str:
    """Say that a sample that is to be trained on has no label."""
    return f"sample {row} has no label of the context {name!r}: {NO_LABEL}."


def _kind(label: Unchecked) -> str:
    """Return what kind of thing a label is."""
    if isinstance(label, bool):
        return "booleans"
    if isinstance(label, str):
        return "strings"
    name = type(label).__name__
    return "numbers" if isinstance(label, Number) else name + "s" * (not name.endswith("s"))


def _as_array(labels: Sequence) -> np.ndarray:
    """Return labels as an array along one axis."""
    if _kind(labels[0]) in ("booleans", "strings", "numbers"):
        return np.array(labels)
    return np.fromiter(labels, dtype=object, count=len(labels))


def _number(entry: Hashable, numbers: Mapping, name: str) -> int:
    """Return the number of a label."""
    try:
        return cast(int, numbers[entry])
    except (KeyError, TypeError):
        kinds, text = set(map(_kind, numbers)), f"X has the label {entry!r} of the context {name!r}"
        if _kind(entry) not in kinds:
            raise ValueError(
                f"{text}, which is among {_kind(entry)}, but those that fit has seen are "
                f"{' and '.join(kinds)}: {list(numbers)}."
            ) from None
        raise ValueError(
            f"{text}, but fit has seen {list(numbers)}: est.adapt(X_new) learns a new label from "
            "some samples of it, and None stands for a label that is not known."
        ) from None


def _check_apart(labels: Mapping[str, np.ndarray], codes: np.ndarray) -> None:
    """Check that labels tell some samples apart, and contexts from each other."""
    n_samples = codes.shape[1]
    for name, values in labels.items():
        if len(values) == 1:
            raise ValueError(
                f"all samples have the label {values.tolist()[0]!r} of the context {name!r}: a "
                "context needs two labels. Leave it out of contexts."
            )
        if len(values) > n_samples / 2:
            raise ValueError(
                f"the context {name!r} has {len(values)} labels for {n_samples} samples: an offset "
                "of each needs more samples of each. Labels are kinds of measurement, not numbers "
                "of samples, nor quantities."
            )
    for (one, first), (other, second) in itertools.combinations(zip(labels, codes, strict=True), 2):
        n_pairs = np.unique([first, second], axis=1).shape[1]
        if n_pairs == len(labels[one]) == len(labels[other]):
            raise ValueError(
                f"the contexts {one!r} and {other!r} determine each other, so that nothing tells "
                "which of them an offset is of: leave one of them out."
            )
