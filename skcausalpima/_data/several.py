"""X that is several modalities: how it is recognized and read, and what is mistaken for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from .._typing import Samples, Several, Unchecked
from .foreign import column_levels, describe, refuse_containers, refuse_single_values
from .multimodal_data import MultimodalData

BARE_LIST_ADVICE = (
    "GridSearchCV and other tools that split by sample take a list of modalities for a list of "
    "samples: wrap the modalities in MultimodalData([...]) there."
)

#: So many arrays of one shape in a bare list are samples rather than modalities.
MANY_ALIKE = 8


def is_several(X: Samples) -> TypeGuard[Several]:
    """Say whether X holds modalities; if not, it is one array.

    A list is one array, as scikit-learn takes it, unless an element has two axes, is a Series or
    None. A DataFrame with two levels of columns holds modalities.
    """
    if column_levels(X) == 2:
        return True
    refuse_containers(X, "X")
    if sparse.issparse(X):  # before Mapping: a dok_array is a dict
        return False
    if isinstance(X, (MultimodalData, Mapping)):
        return True
    if not isinstance(X, (list, tuple)):
        refuse_single_values(X, "X")
        return False
    if len(X) == 0:
        raise ValueError("X is an empty list: pass one array per modality, or one array.")
    if isinstance(X[0], Mapping):
        raise TypeError(
            f"X is a list of {len(X)} mappings, one per sample: pass pandas.DataFrame(X) for a "
            "table, or one array per modality."
        )
    return any(map(_is_modality, X))


def _is_modality(element: Unchecked) -> bool:
    """Say whether an element of a list is no row of numbers."""
    ndim = getattr(element, "ndim", None)
    is_series = hasattr(element, "iloc")
    return element is None or is_series or (isinstance(ndim, int) and ndim >= 2)


def read_several(X: Several, names: list[str] | None, expected: str | None) -> MultimodalData:
    """Return several modalities in the order of ``names``, or as they come if that is None.

    ``expected`` says in words what they must agree with, for messages.
    """
    if isinstance(X, (list, tuple)):
        _check_list(X, names, expected)
        return MultimodalData(X, names)
    data = _as_container(X)
    if names is None:
        return data
    if set(data.names) != set(names):
        raise ValueError(
            f"X has the modalities {list(data.names)}, but {expected}: pass all of "
            "these names and no other (None for a modality that is missing)."
        )
    return data[:, names]


def _as_container(X: Unchecked) -> MultimodalData:
    """Return what has the names of the modalities as a container."""
    if isinstance(X, MultimodalData):
        return X
    named = cast("Mapping[str, ArrayLike]", X)
    return MultimodalData.from_frame(X) if column_levels(X) == 2 else MultimodalData(named)


def _check_list(X: Sequence, names: list[str] | None, expected: str | None) -> None:
    """Raise where a bare list is no list of modalities, or not of those that are expected."""
    if len(X) == 1 and (names is None or len(names) == 1):
        raise ValueError(
            f"X is a list of one modality ({describe(X[0])}): if there is one modality, pass the "
            f"array itself. {BARE_LIST_ADVICE}"
        )
    _refuse_samples(X, names)
    if names is not None and len(names) != len(X):
        given = "one modality" if len(X) == 1 else f"{len(X)} modalities"
        raise ValueError(
            f"X is a list of {given}, but {expected}: pass one array per "
            f"modality in that order (None for one that is missing). {BARE_LIST_ADVICE}"
        )


def _refuse_samples(X: Sequence, names: list[str] | None) -> None:
    """Raise where the many arrays of a bare list are samples rather than modalities.

    They have one shape, or, in ``fit``, as many rows each, but fewer than there are arrays.
    """
    if len(X) < MANY_ALIKE or not all(map(_is_modality, X)):
        return
    shapes = {np.shape(element) for element in X if getattr(element, "ndim", 0) > 1}
    rows = {shape[0] for shape in shapes}
    if len(shapes) == 1:
        alike, remedy = f"shape {shapes.pop()}", ""
    elif len(rows) == 1 and max(rows) <= len(X) and names is None:
        alike = f"{rows.pop()} rows"
        remedy = "such as images of several sizes, resize or pad them to one shape and "
    else:
        return
    raise ValueError(
        f"X is a list of {len(X)} arrays of {alike}: if these are samples of one modality, {remedy}"
        "pass np.stack(X); if they are modalities, MultimodalData(X)."
    )


def refuse_one_sample(
    X: Unchecked, names: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> None:
    """Raise where every array has the shape of a single sample, so that it lacks the first axis."""
    if isinstance(X, (list, tuple)) and len(X) == len(names) > 1:
        given = dict(zip(names, X, strict=True))
    elif isinstance(X, Mapping):
        given = {name: X.get(name) for name in names}
    else:
        is_one = len(names) == 1 and not isinstance(X, MultimodalData)
        given = {"X": X} if is_one else {}
    if "X" in given and (len(shapes[0]) == 1 or shapes[0][0] == 1):
        return  # scikit-learn has words for a row of a table, and this could be one
    pairs = zip(given.values(), shapes, strict=False)
    present = [(getattr(part, "shape", ()), tuple(of)) for part, of in pairs if part is not None]
    if present and all(shape == of for shape, of in present):
        raise ValueError(
            "X is one sample, without the axis that counts samples: pass "
            f"{'X[None]' if 'X' in given else 'array[None] of each'}."
        )
