"""Outcomes of discrete columns, as latent classes see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._clustering.latent_classes import Outcomes
from .._data.column_kinds import LEVELLED, between
from .._data.validation import Layout
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
    if not layouts or any(
        layout is None or any(word not in LEVELLED for word, _ in layout) for layout in layouts
    ):
        return None
    columns: list[np.ndarray] = []
    for m, (layout, (centre, factor)) in enumerate(zip(layouts, units, strict=True)):
        scaled = data.arrays[m].cpu().numpy().astype(np.float64)
        elements = np.round(scaled * np.ravel(factor) + np.ravel(centre))
        seen, start = data.seen(m), 0
        for word, size in layout or ():
            own = elements[:, start : start + size]
            indicators = own if word == "categorical" else between(own)
            columns.append(indicators * seen[:, start, None])
            start += size
    sizes = [of.shape[1] for of in columns]
    return Outcomes(indicators=np.hstack(columns), first=np.cumsum([0, *sizes[:-1]]))
