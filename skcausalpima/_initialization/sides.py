"""The sides that samples can be seen from: weights of modalities, and derived views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from .._base.grid import n_effects
from .._clustering.latent_classes import TableColumns, settled
from .._data.column_kinds import (
    DEPTH,
    LEVELLED,
    Layout,
    between,
    has_many_levels,
    slices_of,
)
from .._data.samples import NodeKnowledge
from .._model.left_open import Side
from .._model.setup import Setup
from .._model.tensors import TensorData
from .derived_views import ViewStart
from .principal_components import PrincipalScores, noise_variances, principal_scores

#: Principal scores that clusters are found in, if the latent space has no more.
N_SCORES = 20


@dataclass(kw_only=True)
class Sides:
    """The samples that clusters are found on, in some units, to be seen from any side.

    Parameters
    ----------
    setup : Setup
        What is asked for.
    knowledge : NodeKnowledge
        What is known of the nodes in each sample.
    data : TensorData
        The samples, each of which counts alike.
    views : dict of int to ViewStart
        All derived views that they may be seen by, by the number of the modality.
    rows, positions : ndarray of int or None
        Of :class:`InitialSample`.
    seed : int
        Of decompositions.
    """

    setup: Setup
    knowledge: NodeKnowledge
    data: TensorData
    views: dict[int, ViewStart]
    rows: np.ndarray | None
    positions: np.ndarray | None
    seed: int

    @cached_property
    def noise(self) -> np.ndarray:
        """Variances of the modalities' noise, which no side changes."""
        n_noiseless = 2 * n_effects(self.setup.spec.node_sizes)
        return noise_variances(self.data, n_noiseless, self.seed)

    @cached_property
    def columns(self) -> TableColumns | None:
        """Columns as latent classes see them; None where these are of no use."""
        spec = self.setup.spec
        layouts = list(spec.layouts)
        for m in self.setup.tables if layouts else ():
            layouts[m] = (("gaussian", 1),) * math.prod(spec.shapes[m])
        columns = table_columns(layouts, self.setup.units, self.data)
        return columns and settled(columns, math.prod(spec.node_sizes), self.seed)

    def scores(self, side: Side) -> PrincipalScores:
        """Return the principal scores of the samples as a side sees them."""
        n_scores = max(N_SCORES, self.setup.spec.latent_dim)
        noise = None if side.weights is None else self.noise
        views = {m: view for m, view in self.views.items() if side.views[m] is not None}
        scores = principal_scores(self.data, n_scores, self.seed, views, side.weights, noise)
        return scores if self.columns is None else replace(scores, columns=self.columns)


def table_columns(
    layouts: Sequence[Layout | None], units: Sequence[tuple], data: TensorData
) -> TableColumns | None:
    """Return the columns of all modalities as latent classes see them.

    None unless all modalities are tables of which one has levels.

    Parameters
    ----------
    layouts : sequence of (Layout or None)
        Of which kinds the columns of each modality are.
    units : sequence of tuple
        Per modality what was taken from it and what it was divided by.
    data : TensorData
        Scaled samples.
    """
    tables = [layout for layout in layouts if layout is not None]
    if len(tables) < len(layouts) or all(
        word not in LEVELLED for layout in tables for word, _ in layout
    ):
        return None
    levels: list[np.ndarray | sparse.csr_array] = []
    numbers: list[np.ndarray] = []
    filled: list[np.ndarray] = []
    for m, (layout, (centre, factor)) in enumerate(zip(tables, units, strict=True)):
        array, present = data.arrays[m].cpu().numpy(), data.seen(m)
        for (word, n_elements), part in zip(layout, slices_of(layout), strict=True):
            if has_many_levels(word, n_elements):
                levels.append(_sparse_indicators(array[:, part], present[:, part.start]))
                continue
            scaled = array[:, part].astype(np.float64)
            if word in LEVELLED:
                elements = np.round(scaled * np.ravel(factor)[part] + np.ravel(centre)[part])
                indicators = elements if word == "categorical" else between(elements)
                levels.append(indicators * present[:, part.start, None])
            elif word != DEPTH:
                filled.append(scaled)
                numbers.append(np.where(present[:, part], scaled, np.nan))
    sizes = [level.shape[1] for level in levels]
    are_dense = all(isinstance(level, np.ndarray) for level in levels)
    return TableColumns(
        indicators=np.hstack(levels) if are_dense else sparse.hstack(levels, format="csr"),
        first=np.cumsum([0, *sizes[:-1]]),
        numbers=np.hstack([np.empty((data.n_samples, 0)), *numbers]),
        filled=np.hstack([np.empty((data.n_samples, 0)), *filled]),
    )


def _sparse_indicators(elements: np.ndarray, present: np.ndarray) -> sparse.csr_array:
    """Return which category each sample has, where it has one, of elements in any units."""
    rows = np.flatnonzero(present)
    entries = np.ones(len(rows)), (rows, elements.argmax(axis=1)[rows])
    return sparse.csr_array(entries, shape=elements.shape)
