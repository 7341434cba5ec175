"""Which rows of frames are the same samples, by the names that their indexes give to these."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from .._base.scalar_checks import is_missing
from .._base.types import Unchecked
from .._base.warn import warn_caller
from .recipes import describe, is_mapping
from .table_labels import is_numbered, refuse_repeated

if TYPE_CHECKING:
    import pandas as pd

#: Where each sample of a frame stands, by its name.
Places: TypeAlias = dict[Hashable, int]

#: What would make names of samples the same that are not, and how that is written.
REMEDIES: Sequence[tuple[str, Callable[[Hashable], str], str]] = (
    ("As texts", str, ""),
    (
        "In small letters and without blanks around them",
        lambda label: str(label).strip().lower(),
        ".str.strip().str.lower()",
    ),
)


class AlignedRows(NamedTuple):
    """The samples of several frames.

    Parameters
    ----------
    index : pandas.Index of length n_samples
        Their names.
    places : list of ndarray of int of shape (n_samples,)
        Where each frame has them; -1 where it lacks them.
    """

    index: pd.Index
    places: list[np.ndarray]


def aligned_rows(frames: Unchecked, how: str) -> AlignedRows:
    """Return the samples of frames, and where each frame has them.

    Parameters
    ----------
    frames : mapping of str to (DataFrame or Series)
        Two or more.
    how : {"inner", "outer"}
        Whether to return the samples that all frames have, in the order of the first frame, or
        those of any, in the order in which they appear first.

    Raises
    ------
    TypeError
        If frames is no mapping, or one of them has no index.
    ValueError
        If there are fewer than two, if ``how`` is another word, if an index has several levels or
        a sample that is not named or stands there twice, or if frames have no sample in common.
    """
    if not isinstance(how, str) or how not in ("inner", "outer"):
        raise ValueError(
            f"how is {how!r}: expected 'inner', for the samples that all frames have, or 'outer', "
            "for all samples, with rows of NaN."
        )
    if not is_mapping(frames):
        raise TypeError(
            f"frames is {describe(frames)}: expected a mapping from names to DataFrames or Series, "
            "such as {'image': frame, 'curve': other}."
        )
    if len(frames) < 2:
        raise ValueError(
            f"frames has the entries {list(frames)}: expected two or more, which are to be "
            "aligned. MultimodalData(frames) takes one as it is."
        )
    indexes = {name: _index_of(frame, f"frames[{name!r}]") for name, frame in frames.items()}
    tables = {name: _places(index) for name, index in indexes.items()}
    _check_overlap(tables, how == "inner")
    first, *others = indexes.values()
    numbered = [name for name, index in indexes.items() if is_numbered(index)]
    if numbered and not all(index.equals(first) for index in others):
        warn_caller(
            f"The rows of {', '.join(map(repr, numbered))} have numbers, not names, and are "
            "aligned by these. If a column names the samples, use frame.set_index(column) first."
        )
    every = first.append(others)
    seen = {label: k for k, label in reversed(list(enumerate(every.tolist())))}
    kept = sorted(
        k for label, k in seen.items() if how == "outer" or all(label in t for t in tables.values())
    )
    index = every[kept]
    labels = index.tolist()
    places = [np.array([t.get(label, -1) for label in labels]) for t in tables.values()]
    return AlignedRows(index, places)


def _index_of(frame: Unchecked, what: str) -> pd.Index:
    """Return the index of a frame, which names each sample once."""
    if isinstance(frame, type) or not (hasattr(frame, "iloc") and hasattr(frame, "index")):
        remedy = (
            "leave it out"
            if frame is None
            else "make a frame of it, as by pandas.DataFrame(np.reshape(array, (len(array), -1)), "
            "index=names), or pass frames to MultimodalData if their rows go together as they are"
        )
        given = "None" if frame is None else describe(frame)
        raise TypeError(f"{what} is {given}, without an index that names its samples: {remedy}.")
    table: Any = frame
    index: pd.Index = table.index
    if index.nlevels > 1:
        raise ValueError(
            f"{what} has an index of {index.nlevels} levels: expected one name for each sample. "
            "Make one of them, as by frame.set_axis(frame.index.map(str))."
        )
    if len(index) == 0:
        raise ValueError(f"{what} has no rows: leave it out.")
    if unnamed := [row for row, label in enumerate(index.tolist()) if is_missing(label)]:
        raise ValueError(
            f"{what} has no name for the sample in row {unnamed[0]}, which is missing in its "
            "index: name it, or leave it out, as by frame[frame.index.notna()]."
        )
    refuse_repeated(index, what)
    return index


def _places(index: pd.Index) -> Places:
    """Return where samples stand."""
    return {label: row for row, label in enumerate(index.tolist())}


def _check_overlap(tables: Mapping[str, Places], is_inner: bool) -> None:
    """Check that frames have samples in common: all of them, or each with some other."""
    apart = [
        (one, other)
        for one, other in combinations(tables, 2)
        if tables[one].keys().isdisjoint(tables[other])
    ]
    if is_inner:
        alone = apart
    else:  # a frame that is apart from all others
        n_apart = {name: sum(name in pair for pair in apart) for name in tables}
        alone = [pair for pair in apart if max(map(n_apart.__getitem__, pair)) == len(tables) - 1]
    if alone:
        one, other = alone[0]
        raise ValueError(
            f"{one!r} and {other!r} have no sample in common: "
            f"{_why_apart(tables[one], tables[other], one, other)}"
        )
    if is_inner and not set.intersection(*map(set, tables.values())):
        raise ValueError(
            f"no sample is in all of {list(tables)}, though each two of them have some in common: "
            "use how='outer', or fewer frames."
        )


def _why_apart(one: Places, other: Places, name: str, other_name: str) -> str:
    """Say what names of samples are like that are not the same, and what to do."""
    label, other_label = next(iter(one)), next(iter(other))
    kinds = (
        f"the index of {name!r} has {label!r} ({type(label).__name__}), that of {other_name!r} "
        f"{other_label!r} ({type(other_label).__name__})."
    )
    for words, change, line in REMEDIES:
        if shared := set(map(change, one)) & set(map(change, other)):
            return (
                f"{kinds} {words} they share {len(shared)}, such as {min(shared)!r}: use "
                f"frame.set_axis(frame.index.astype(str){line}) on each."
            )
    return f"{kinds} If another column names the samples, use frame.set_index(column) first."
