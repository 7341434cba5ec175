"""What scaling and the other choices of a fit must be, so that a file can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from .._data.scaling import ModalityScaler
from .._model.views import VIEW_WORDS
from .._typing import Unchecked
from .checkpoint_checks import NOTHING
from .value_checks import (
    Check,
    either,
    has,
    is_a,
    is_count,
    is_finite,
    is_list_of,
    is_number,
    is_one_of,
)


def is_pair_of_columns(value: Unchecked, known: Mapping) -> bool:
    """Return True for an effective number of columns and the number of those that vary."""
    if type(value) is not tuple or len(value) != 2:
        return False
    return is_number(low=0.0)(value[0], known) and is_count(value[1], known)


def is_scaler(value: Unchecked, known: Mapping) -> bool:
    """Say whether it has a centre, positive factors and words for each modality."""
    if type(value) is not ModalityScaler:
        return False
    parts = [getattr(value, field.name) for field in fields(value)]
    if any(type(part) is not tuple or (len(part),) != known["modalities"] for part in parts):
        return False
    pairs = list(zip(value.centre, map(np.asarray, value.factor), strict=True))
    right = all(word in ("modality", "feature", None) for word in value.words)
    right = right and all(is_pair_of_columns(pair, known) for pair in value.effective)
    return right and all(
        is_finite(c) and is_finite(f) and (f > 0).all() and f.shape in ((), c.shape)
        for c, f in pairs
    )


def are_choices(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is what the data have decided, by modality, and how."""

    def by_modality(check: Check, least: int = known["modalities"][0]) -> Check:
        return lambda of, known: (
            type(of) is dict
            and least <= len(of) <= known["modalities"][0]
            and all(type(name) is str and check(v, known) for name, v in of.items())
        )

    weights = either(is_one_of("balanced", "elements"), by_modality(is_number(low=0.0)))
    views = by_modality(either(is_one_of(*VIEW_WORDS), NOTHING))
    side = has(modality_weights=weights, views=views, agreement=is_number())
    return has(
        scale=by_modality(either(is_one_of("modality", "feature"), NOTHING)),
        columns=by_modality(is_pair_of_columns),
        modality_weights=weights,
        views=views,
        tried=is_list_of(side),
        counts=by_modality(is_list_of(is_a(str)), least=0),
    )(value, known)
