"""Outcomes of discrete columns, as latent classes see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._clustering.latent_classes import Outcomes
from .._data.column_kinds import LEVELLED, Layout, between, places_of
from .._model.tensors import TensorData


def outcomes_of(
    layouts: Sequence[Layout | None], units: Sequence[tuple], data: TensorData
) -> Outcomes | None:
    """Return the outcomes of all columns; None where one is not discrete.

    Parameters
    ----------
    layouts : sequence of (Layout or None)
        Of which kinds the columns of each modality are.
    units : sequence of tuple
        Per modality what was taken from it and what it was divided by.
    data : TensorData
        Scaled samples.
    """
    words = {word for layout in layouts for word, _ in layout or [("gaussian", 1)]}
    if not layouts or not words <= set(LEVELLED):
        return None
    columns: list[np.ndarray] = []
    for m, (layout, (centre, factor)) in enumerate(zip(layouts, units, strict=True)):
        scaled = data.arrays[m].cpu().numpy().astype(np.float64)
        elements = np.round(scaled * np.ravel(factor) + np.ravel(centre))
        seen = data.seen(m)
        for (word, _), own in zip(layout or (), places_of(layout or ()), strict=True):
            indicators = elements[:, own] if word == "categorical" else between(elements[:, own])
            columns.append(indicators * seen[:, own.start, None])
    sizes = [of.shape[1] for of in columns]
    return Outcomes(indicators=np.hstack(columns), first=np.cumsum([0, *sizes[:-1]]))
