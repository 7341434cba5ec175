"""Columns of tables as latent classes see them: independent of each other in a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._clustering.latent_classes import IndependentColumns
from .._data.column_kinds import DEPTH, LEVELLED, Layout, between, places_of
from .._model.tensors import TensorData


def independent_columns(
    layouts: Sequence[Layout | None], units: Sequence[tuple], data: TensorData
) -> IndependentColumns | None:
    """Return the columns of all modalities; None unless all are tables of which one has levels.

    Parameters
    ----------
    layouts : sequence of (Layout or None)
        Of which kinds the columns of each modality are.
    units : sequence of tuple
        Per modality what was taken from it and what it was divided by.
    data : TensorData
        Scaled samples, with what a model of low rank says in the place of missing elements.
    """
    tables = [layout for layout in layouts if layout is not None]
    if len(tables) < len(layouts) or all(
        word not in LEVELLED for layout in tables for word, _ in layout
    ):
        return None
    levels: list[np.ndarray] = []
    numbers: list[np.ndarray] = []
    filled: list[np.ndarray] = []
    for m, (layout, (centre, factor)) in enumerate(zip(tables, units, strict=True)):
        scaled = data.arrays[m].cpu().numpy().astype(np.float64)
        seen = data.seen(m)
        elements = np.round(scaled * np.ravel(factor) + np.ravel(centre))
        for (word, _), own in zip(layout, places_of(layout), strict=True):
            if word in LEVELLED:
                of = elements[:, own] if word == "categorical" else between(elements[:, own])
                levels.append(of * seen[:, own.start, None])
            elif word != DEPTH:
                filled.append(scaled[:, own])
                numbers.append(np.where(seen[:, own], scaled[:, own], np.nan))
    sizes = [of.shape[1] for of in levels]
    return IndependentColumns(
        indicators=np.hstack(levels),
        first=np.cumsum([0, *sizes[:-1]]),
        numbers=np.hstack([np.empty((data.n_samples, 0)), *numbers]),
        filled=np.hstack([np.empty((data.n_samples, 0)), *filled]),
    )
