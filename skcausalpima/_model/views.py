"""The estimator's ``views``: which modality is seen in which other way, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np

from .._data.arrays import flat_rows
from .._data.on_disk import Kept
from .._data.validation import Modalities
from ..modules import ExpertDecoder
from .parameters import per_modality

#: Kinds of derived views, and the numbers of axes of the modalities that they are for.
VIEW_WORDS = {"scale_space": (1,), "power_spectrum": (2, 3)}

#: What the estimator takes for ``views``.
Views: TypeAlias = str | Sequence[str | None] | Mapping[str, str | None] | None

#: Shortest side of an image, and length of a curve, that have views by default.
MIN_SIDE, MIN_LENGTH = 16, 16

#: Largest share of the variance of a curve's points that may be news beside their neighbours.
MAX_NEWS = 0.5

_ROWS = 1000  # that tell a curve from a table


def has_views(init: str, node_sizes: Sequence[int]) -> bool:
    """Say whether there are views by default: where effects of several nodes are to add up."""
    return init != "paper" and len(node_sizes) > 1


def resolve_views(
    views: Views,
    modalities: Modalities,
    experts: Sequence[ExpertDecoder | None],
    by_default: bool,
) -> tuple[str | None, ...]:
    """Return the kind of each modality's view, or None.

    Raises
    ------
    TypeError
        An entry is no word that is known.
    ValueError
        It does not suit the modality.
    """
    names, shapes = modalities.names, modalities.shapes
    if isinstance(views, str):  # "auto"
        if not by_default:
            return (None,) * len(names)
        suits = [_suits(modalities, m) for m in range(len(names))]
        pairs = zip(suits, experts, strict=True)
        return tuple(kind if expert is None else None for kind, expert in pairs)
    kinds = per_modality(views, names, "views", None, lambda entry: False, VIEW_WORDS)
    for name, shape, kind in zip(names, shapes, kinds, strict=True):
        if kind is not None and len(shape) not in VIEW_WORDS[kind]:
            axes = " or ".join(map(str, VIEW_WORDS[kind]))
            raise ValueError(
                f"views[{name!r}] is {kind!r}, which is for samples with {axes} axes, but the "
                f"modality has shape {shape}."
            )
    return tuple(kinds)


def _suits(modalities: Modalities, m: int) -> str | None:
    """Return the view that suits a modality by its shape and values."""
    shape = modalities.shapes[m]
    if len(shape) in (2, 3) and sorted(shape)[-2] >= MIN_SIDE:
        return "power_spectrum"
    if len(shape) == 1 and shape[0] >= MIN_LENGTH and _is_curve(modalities, m):
        return "scale_space"
    return None


def _is_curve(modalities: Modalities, m: int) -> bool:
    """Say whether neighbouring columns resemble each other, unlike those of a table.

    One less the mean correlation of neighbours, relative to the same of all pairs of columns, is
    near 1 where the order of the columns means nothing.
    """
    array = flat_rows(cast(Kept, modalities.arrays[m]))
    rows = np.flatnonzero(modalities.observed[m])
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(int))
    values = np.nan_to_num(np.asarray(array[rows[some]]).astype(np.float64))
    values = values - values.mean(axis=0)
    deviations = values.std(axis=0)
    values = values[:, deviations > 0] / deviations[deviations > 0]
    if values.shape[1] < MIN_LENGTH:
        return False
    neighbours = (values[:, 1:] * values[:, :-1]).mean()
    all_pairs = np.square(values.mean(axis=1)).mean()
    return bool(1.0 - neighbours < MAX_NEWS * (1.0 - all_pairs))
