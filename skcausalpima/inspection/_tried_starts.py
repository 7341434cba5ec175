"""In what the starts that a fit has tried differ, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._base.reports.training import TriedStart


def what_differs(tried: Sequence[TriedStart]) -> list[str]:
    """Write in what starts differ: weights, views, units, components."""
    columns = [
        [_weights(start.modality_weights) for start in tried],
        [_views(start.views) for start in tried],
        [_units(start.scale) for start in tried],
        [f"{start.components} components" for start in tried],
    ]
    unlike = [column for column in columns if len(set(column)) > 1]
    return [", ".join(words) for words in zip(*unlike, strict=True)] or [""] * len(tried)


def _weights(weights: str | Mapping[str, float]) -> str:
    if isinstance(weights, str):
        return weights
    return ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())


def _views(views: Mapping[str, str | None]) -> str:
    kinds = [f"{kind} of {name}" for name, kind in views.items() if kind is not None]
    return " and ".join(kinds) or "no views"


def _units(scale: Mapping[str, str | None]) -> str:
    words = {str(word) for word in scale.values()}
    if len(words) == 1:
        return f"scale {words.pop()!r}"
    return " and ".join(f"{name} scale {word!r}" for name, word in scale.items())
