"""What a parameter states of each modality: one for all, one each in order, or some by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from .._typing import Unchecked


def entries_of(
    stated: Unchecked, names: Sequence[str], parameter: str, otherwise: Any = None
) -> list:
    """Return an entry for each modality.

    Parameters
    ----------
    stated : str, None, sequence or mapping
        What the user passed.
    names : sequence of str
        The modalities.
    parameter : str
        What it was passed for.
    otherwise : object, default=None
        Of a modality that a mapping does not name.

    Raises
    ------
    ValueError
        If a mapping names others, or there is another number of entries.

    Examples
    --------
    >>> from skcausalpima._data.entries import entries_of
    >>> entries_of({"curves": "mlp"}, ["images", "curves"], "encoders")
    [None, 'mlp']
    """
    if stated is None or isinstance(stated, str):
        return [stated] * len(names)
    given: Any = stated
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            raise ValueError(
                f"{parameter} names the modalities {unknown}, but X has {list(names)}: name only "
                f"those.{did_you_mean(unknown[0], names)}"
            )
        return [given.get(name, otherwise) for name in names]
    entries = list(given)
    if len(entries) != len(names):
        raise ValueError(
            f"{parameter} must have one entry per modality, {len(names)}, got {len(entries)}: the "
            f"modalities are {list(names)}, and {otherwise!r} states nothing of one."
        )
    return entries


def did_you_mean(word: Unchecked, known: Sequence[str]) -> str:
    """Ask whether a known word was meant; nothing where none is near."""
    close = difflib.get_close_matches(str(word), list(map(str, known)), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
