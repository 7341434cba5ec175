"""The modalities that a container holds, read and checked against those that are expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._typing import Samples, Unchecked
from .adapters import Table
from .containers import CONTAINERS, container_of, is_modality
from .multimodal_data import MultimodalData
from .named_axes import check_axes
from .recipes import describe
from .table_labels import check_rows_beside

BARE_LIST_ADVICE = (
    "GridSearchCV and other tools that split by sample take a list of modalities for a list of "
    "samples: wrap the modalities in MultimodalData([...]) there."
)

#: So many arrays of one shape in a bare list are samples rather than modalities.
MANY_ALIKE = 8


@dataclass(frozen=True)
class Expected:
    """Modalities that samples must have.

    Parameters
    ----------
    names : sequence of str
        In their order.
    shapes : sequence of tuple of int
        Shape of one sample of each.
    who : str
        Who expects them, for messages.
    """

    names: Sequence[str]
    shapes: Sequence[tuple[int, ...]]
    who: str

    def __str__(self) -> str:
        listed = zip(self.names, self.shapes, strict=True)
        noun = "modality" if len(self.names) == 1 else "modalities"
        shapes = ", ".join(f"{name}: {tuple(shape)}" for name, shape in listed)
        return f"{self.who} {len(self.names)} {noun} ({shapes})"


def read_several(
    X: Any, container: str, expected: Expected | None = None
) -> tuple[MultimodalData, list[Table]]:
    """Return several modalities, and what each of them was.

    Parameters
    ----------
    X : sequence, mapping, MultimodalData, DataFrame or Dataset
        The modalities.
    container : str
        Which of ``CONTAINERS`` it is.
    expected : Expected, default=None
        What it must have. A list has it by position, all others by name.

    Raises
    ------
    ValueError
        If a list seems to be no list of modalities, if names or the axes of DataArrays do not
        agree, or if each array has the shape of one sample.
    """
    if container == "several":
        _check_list(X, expected)
    given = CONTAINERS[container].read(X)
    names = list(given)
    if expected is not None:
        names = list(expected.names)
        if container == "several":
            given = dict(zip(names, X, strict=True))
        if set(given) != set(names):
            raise ValueError(
                f"X has the modalities {list(given)}, but {expected}: pass all of "
                "these names and no other (None for a modality that is missing)."
            )
        refuse_one_sample([given[name] for name in names], expected, "array[None] of each")
    note = CONTAINERS[container].note
    tables = [Table.of(given[name]) for name in names]
    check_axes(names, tables)
    if isinstance(X, MultimodalData):
        data = X if expected is None else X[:, names]
    else:
        data = MultimodalData([given[name] for name in names], names)
    triples = zip(names, tables, data._frame_dtypes, strict=True)
    return data, [
        replace(of, labels={**of.labels, **note(X, name)}, dtypes=dtypes)
        for name, of, dtypes in triples
    ]


def check_rows_with(X: Samples, **given: Unchecked) -> None:
    """Check that tables, by what they are called, have the index of samples in any form."""
    parts = CONTAINERS[container_of(X)].read(X).values()
    rows = (rows for part in parts if (rows := Table.of(part).rows) is not None)
    first = next(rows, None)
    for what, table in given.items():
        check_rows_beside(table, what, first)


def refuse_one_sample(parts: Sequence[Any], expected: Expected, remedy: str) -> None:
    """Raise where every array has the shape of a single sample, so that it lacks the first axis."""
    pairs = zip(parts, expected.shapes, strict=True)
    present = [(getattr(part, "shape", ()), tuple(of)) for part, of in pairs if part is not None]
    if present and all(shape == of for shape, of in present):
        raise ValueError(f"X is one sample, without the axis that counts samples: pass {remedy}.")


def _check_list(X: Sequence, expected: Expected | None) -> None:
    """Raise where a bare list is no list of modalities, or not of those that are expected."""
    n_expected = len(X) if expected is None else len(expected.names)
    if len(X) == n_expected == 1:
        raise ValueError(
            f"X is a list of one modality ({describe(X[0])}): if there is one modality, pass the "
            f"array itself. {BARE_LIST_ADVICE}"
        )
    _refuse_samples(X, is_fit=expected is None)
    if n_expected != len(X):
        given = "one modality" if len(X) == 1 else f"{len(X)} modalities"
        raise ValueError(
            f"X is a list of {given}, but {expected}: pass one array per "
            f"modality in that order (None for one that is missing). {BARE_LIST_ADVICE}"
        )


def _refuse_samples(X: Sequence, is_fit: bool) -> None:
    """Raise where the many arrays of a bare list are samples rather than modalities.

    They have one shape, or, in ``fit``, as many rows each, but fewer than there are arrays.
    """
    if len(X) < MANY_ALIKE or not all(map(is_modality, X)):
        return
    shapes = {np.shape(element) for element in X if getattr(element, "ndim", 0) > 1}
    rows = {shape[0] for shape in shapes}
    if len(shapes) == 1:
        alike, remedy = f"shape {shapes.pop()}", ""
    elif len(rows) == 1 and max(rows) <= len(X) and is_fit:
        alike = f"{rows.pop()} rows"
        remedy = "such as images of several sizes, resize or pad them to one shape and "
    else:
        return
    raise ValueError(
        f"X is a list of {len(X)} arrays of {alike}: if these are samples of one modality, {remedy}"
        "pass np.stack(X); if they are modalities, MultimodalData(X)."
    )
