"""What a fit may begin with: what is tried first, and its rivals.

A rival changes one thing of an entry: weights of modalities, a derived view, units of columns, or
the components that clusters are sought in, and that the latent space begins with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .._base.grid import n_effects
from .._clustering.contest import Contest, Trial
from .._clustering.independent_components import has_levels
from .._clustering.many_cells import has_many_cells
from .._data.samples import FitSamples
from .._model.left_open import Side
from .._model.setup import Setup
from .._model.tensors import TensorData
from .column_noise import unlike_spreads, unlike_units, variances
from .components import with_independent_components
from .initial_sample import sides_of
from .latent_space import in_all_scores, with_room_for_classes
from .low_rank import filled_data
from .principal_components import PrincipalScores
from .sides import Sides


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One way to begin, and the clusterings that were found in it.

    Parameters
    ----------
    sides : Sides
        The samples that clusters are found on, in some units.
    data : TensorData
        All samples in these units.
    side : Side
        Weights and views.
    components : {"principal", "classes", "discriminant", "independent"}
        What the scores are.
    dimension : int
        Of the latent space.
    trial : Trial
        What was found in the scores.
    """

    sides: Sides
    data: TensorData
    side: Side
    components: str = "principal"
    dimension: int
    scores: PrincipalScores
    trial: Trial

    @property
    def setup(self) -> Setup:
        """What is asked for, in the units of this entry."""
        return self.sides.setup


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Entries of a contest, each of which changes one thing of another.

    Parameters
    ----------
    contest : Contest
        Which asks them all.
    samples : FitSamples
        Of a fit.
    seed : int
        Of decompositions.
    """

    contest: Contest
    samples: FitSamples
    seed: int

    def first(self, sides: Sides, data: TensorData) -> Entry:
        """Return what parameters state, or the default of what is left open."""
        spec, free = sides.setup.spec, sides.setup.left_open
        views = tuple(None if m in free.views else kind for m, kind in enumerate(spec.views))
        side = Side(weights=spec.modality_weights, views=views)
        return self._seen_from(sides, data, side)

    def by_elements(self, entry: Entry) -> Iterator[Entry]:
        """Yield modalities that count by their elements where they are balanced."""
        if entry.setup.left_open.weights:
            side = replace(entry.side, weights=(1.0,) * len(entry.side.views))
            yield self._seen_from(entry.sides, entry.data, side)

    def with_one_view_more(self, entry: Entry) -> Iterator[Entry]:
        """Yield one entry for each modality that may have a derived view, and has none."""
        kinds = entry.setup.spec.views
        for m in entry.setup.left_open.views:
            if m in entry.sides.views and entry.side.views[m] is None:
                side = entry.side.with_view(m, kinds[m])
                yield self._seen_from(entry.sides, entry.data, side)

    def in_units_of_noise(self, entry: Entry) -> Iterator[Entry]:
        """Yield columns in units of their spread within clusters, if one noise merges these."""
        tables, masks = _tables(entry.sides)
        n_cells = math.prod(entry.setup.spec.node_sizes)
        spreads = unlike_spreads(tables, masks, n_cells, self.seed) if tables else None
        if spreads is not None:
            yield self._in_units(entry, spreads, "noise")

    def in_units_of_columns(self, entry: Entry) -> Iterator[Entry]:
        """Yield columns in units of all variation, if they vary unlike."""
        tables, masks = _tables(entry.sides)
        spreads = unlike_units(tables, masks) if tables else None
        if spreads is not None and "noise" not in entry.setup.scale:
            yield self._in_units(entry, spreads, "feature")

    def in_all_scores(self, entry: Entry) -> Iterator[Entry]:
        """Yield discriminants of the clusters that all scores show and the planned ones do not."""
        spec, modalities = entry.setup.spec, self.samples.modalities
        scores = in_all_scores(spec, modalities, entry.sides.data, entry.scores, self.seed)
        if scores is not None:
            yield self._with_scores(entry, scores, "discriminant", scores.scaled.shape[1])

    def in_independent_components(self, entry: Entry) -> Iterator[Entry]:
        """Yield independent components of least kurtosis; they are to show what others hide.

        Columns of few values are heaps by themselves.
        """
        sizes, sides = entry.setup.spec.node_sizes, entry.sides
        tables = [sides.data.arrays[m].cpu().numpy() for m in entry.setup.tables]
        if has_many_cells(sizes) or not entry.trial.may_hide_clusters:
            return
        if entry.scores.columns is not None or any(map(has_levels, tables)):
            return
        scores = with_independent_components(entry.scores, n_effects(sizes), self.seed)
        if scores is not None and not has_levels(scores.scaled):
            dimension = int(scores.whitened.any(axis=0).sum())
            yield self._with_scores(entry, scores, "independent", dimension)

    def _seen_from(self, sides: Sides, data: TensorData, side: Side) -> Entry:
        scores, spec = sides.scores(side), sides.setup.spec
        components, dimension = "principal", spec.latent_dim
        if sides.setup.left_open.dimension:
            n_cells = math.prod(spec.node_sizes)
            room = with_room_for_classes(dimension, sides.data, scores, n_cells, self.seed)
            if room is not None:
                components, (scores, dimension) = "classes", room
        return Entry(
            sides=sides,
            data=data,
            side=side,
            components=components,
            dimension=dimension,
            scores=scores,
            trial=self.contest.ask(scores),
        )

    def _in_units(self, entry: Entry, spreads: list, word: str) -> Entry:
        """Return columns of the tables that are left open divided by their spreads."""
        setup = entry.setup
        tables, masks = _tables(entry.sides)
        scaler = setup.scaler
        for m, spread, values, mask in zip(
            setup.left_open.columns, spreads, tables, masks, strict=True
        ):
            scaler = scaler.with_units(m, spread, variances(values, mask), word)
        setup = replace(setup, scaler=scaler, scale=list(scaler.words))
        data = filled_data(setup, self.samples)
        sides = sides_of(setup, self.samples, data, self.seed)
        return self._seen_from(sides, data, entry.side)

    def _with_scores(
        self, entry: Entry, scores: PrincipalScores, components: str, dimension: int
    ) -> Entry:
        trial = self.contest.ask(scores)
        return replace(
            entry, scores=scores, components=components, dimension=dimension, trial=trial
        )


def _tables(sides: Sides) -> tuple[list, list]:
    """Return the tables whose units are left open, and where their elements are observed."""
    numbers = sides.setup.left_open.columns
    tables = [sides.data.arrays[m].double().cpu().numpy() for m in numbers]
    return tables, [sides.data.seen(m) for m in numbers]
