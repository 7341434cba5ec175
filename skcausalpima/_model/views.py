"""The estimator's ``views``: which modality is seen in which other way, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .._data.units import is_curve
from .._data.validation import Modalities
from ..modules import ExpertDecoder
from .parameters import per_modality

#: Kinds of derived views, and the numbers of axes of the modalities that they are for.
VIEW_WORDS = {"scale_space": (1,), "power_spectrum": (2, 3)}

#: What the estimator takes for ``views``.
Views: TypeAlias = str | Sequence[str | None] | Mapping[str, str | None] | None

#: Shortest side of an image that has a view by default.
MIN_SIDE = 16


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
    if is_curve(modalities, m):
        return "scale_space"
    return None
