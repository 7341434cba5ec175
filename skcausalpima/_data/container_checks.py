"""What a container of modalities is given beside arrays: names, and other containers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from .foreign import describe, refuse_containers

Part = TypeVar("Part")


def check_parts(parts: Iterable[Part], kind: type[Part]) -> list[Part]:
    """Return the containers that are to be put one after another."""
    expected = "expected a sequence of MultimodalData"
    if not isinstance(parts, Iterator):
        refuse_containers(parts, "parts")
    try:
        parts = list(parts)
    except TypeError as error:
        raise TypeError(f"parts is {describe(parts)}: {expected}.") from error
    if not parts:
        raise ValueError("parts is empty: pass at least one MultimodalData.")
    for part in parts:
        if not isinstance(part, kind):
            raise TypeError(f"parts holds {describe(part)}: {expected}.")
    return parts


def check_names(names: Sequence[str], n_modalities: int) -> tuple[str, ...]:
    """Return the names of modalities, which must be different strings."""
    expected = "expected a sequence with one name per modality"
    if isinstance(names, str):
        raise TypeError(f"names is {names!r}: {expected}.")
    try:
        names = tuple(names)
    except TypeError as error:
        raise TypeError(f"names is {describe(names)}: {expected}.") from error
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names of modalities must be strings, got {name!r}.")
    if len(names) != n_modalities:
        raise ValueError(f"expected {n_modalities} names, one per array, got {list(names)}.")
    if len(set(names)) < len(names):
        raise ValueError(f"names of modalities must be unique, got {list(names)}.")
    return tuple(str(name) for name in names)
