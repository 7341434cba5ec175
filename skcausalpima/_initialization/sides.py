"""The choice of modality weights and derived views where parameters leave it to the data.

Each side is a way to see the data. The same number of clusterings is found on each, and laid on
the grid; wrong ones differ from each other, right ones agree, so that the side that agrees with
itself more is chosen, if it does so clearly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .._clustering.candidates import (
    N_CANDIDATES,
    CandidateReport,
    choose_candidate,
    find_candidates,
    node_labels,
)
from .._clustering.clusters import Clustering
from .._clustering.latent_classes import TableColumns, settled
from .._clustering.margins import (
    BETTER_VIEW,
    BETTER_WEIGHTS,
    NEAR_TIE,
    ONE_PLACE_COUNTS,
    SURE_WITHOUT_VIEWS,
    WORSE_VIEW,
)
from .._clustering.matching import agreement_with_others, tolerated_share
from .._data.column_kinds import DEPTH, LEVELLED, Layout, between, places_of
from .._data.samples import NodeKnowledge
from .._grid import n_effects
from .._model.left_open import LeftOpen, Side, TriedSide
from .._model.setup import Setup
from .._model.tensors import TensorData
from .derived_views import ViewStart
from .principal_components import PrincipalScores, noise_variances, principal_scores

#: Fewest clusterings of a side.
LEAST = 4

#: Principal scores that clusters are found in, if the latent space has no more.
N_SCORES = 20


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A side, and the clusterings that were found on it.

    Parameters
    ----------
    side : Side
        Weights and views.
    scores : PrincipalScores
        What the samples look like from there.
    candidates : list of Clustering
        Clusterings of the scores.
    agreement : float
        How far the one that the others agree with most does so, from 0 to 1.
    report : CandidateReport
        Which of them is the best, and how it is laid on the grid.
    """

    side: Side
    scores: PrincipalScores
    candidates: list[Clustering]
    agreement: float
    report: CandidateReport

    @property
    def is_clear(self) -> bool:
        """Whether the best clustering has one place on the grid."""
        return bool(self.report.gap[self.report.chosen] >= NEAR_TIE)

    @property
    def known_share(self) -> float:
        """Share of the known outcomes that the best clustering has; 1 where none is known."""
        shares = self.report.known_agreement
        return 1.0 if shares is None else float(shares[self.report.chosen])


@dataclass
class Sides:
    """The sides that a fit may begin with, and trials of them."""

    setup: Setup
    knowledge: NodeKnowledge
    data: TensorData
    views: dict[int, ViewStart]
    seed: int
    tried: list[Trial] = field(default_factory=list)
    n_candidates: int = LEAST

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
        found = principal_scores(self.data, n_scores, self.seed, views, side.weights, noise)
        return found if self.columns is None else replace(found, columns=self.columns)

    def choose(self) -> Trial | None:
        """Return the side that agrees with itself most; None where nothing is left to the data."""
        spec, free = self.setup.spec, self.setup.left_open
        kinds = {m: spec.views[m] for m in free.views if m in self.views}
        if not (free.weights or kinds):
            return None
        if len(spec.node_sizes) > 1:  # else they serve for this decision alone
            self.n_candidates = max(LEAST, N_CANDIDATES // (1 + free.weights + len(kinds)))
        stated = tuple(None if m in free.views else kind for m, kind in enumerate(spec.views))
        best = self._try(Side(weights=spec.modality_weights, views=stated))
        place = best.candidates[0].place
        if place is not None and place.found:  # of many cells: another side would take as long
            return best
        if free.weights:
            elements = Side(weights=(1.0,) * len(spec.shapes), views=stated)
            needed = 0.0 if free.are_numbers else BETTER_WEIGHTS  # they are trained by elements
            best = self._better(best, [self._try(elements)], needed)
        while kinds:
            further = [self._try(best.side.with_view(m, kind)) for m, kind in kinds.items()]
            better = self._better(
                best, further, BETTER_VIEW if best.agreement >= SURE_WITHOUT_VIEWS else -WORSE_VIEW
            )
            if better is best:
                break
            best = better
            kinds = {m: kind for m, kind in kinds.items() if best.side.views[m] is None}
        return best

    def _try(self, side: Side) -> Trial:
        known, sizes = self.knowledge.known_nodes, self.setup.spec.node_sizes
        trial = try_side(side, self.scores(side), sizes, known, self.seed, self.n_candidates)
        self.tried.append(trial)
        return trial

    def _better(self, best: Trial, others: Sequence[Trial], needed: float) -> Trial:
        """Return the other trial that agrees with itself most, if by so much more than the best."""
        other = max(others, key=lambda trial: trial.agreement)
        known = self.knowledge.known_nodes
        if known is not None:
            n_known = int((known >= 0).sum())
            first, second = best.known_share, other.known_share
            if min(first, second) < tolerated_share(max(first, second), n_known):
                return best if first > second else other
        gain = other.agreement - best.agreement
        if best.is_clear != other.is_clear and abs(gain) < ONE_PLACE_COUNTS:
            return best if best.is_clear else other
        return other if gain > needed else best


def try_side(
    side: Side,
    scores: PrincipalScores,
    node_sizes: tuple[int, ...],
    known: np.ndarray | None,
    seed: int,
    n_candidates: int = N_CANDIDATES,
) -> Trial:
    """Find clusterings of the samples as a side sees them, and how far they agree."""
    candidates = find_candidates(
        scores.scaled,
        node_sizes,
        known=known,
        random_state=seed,
        n_candidates=n_candidates,
        columns=scores.columns,
    )
    _, report = choose_candidate(
        candidates, scores.placed, node_sizes, known=known, random_state=seed
    )
    nodes = node_labels(candidates, report.arrangements, node_sizes)
    agreement = float(agreement_with_others(nodes, node_sizes).max())
    if candidates[0].place is not None:  # alone: its starts were compared
        agreement = float(report.agreement.max())
    return Trial(
        side=side, scores=scores, candidates=candidates, agreement=agreement, report=report
    )


def decided(setup: Setup, sides: Sides, best: Trial) -> Setup:
    """Return a setup in which nothing is left open, and what was tried."""
    weights, views, ones = best.side.weights, best.side.views, (1.0,) * len(setup.spec.shapes)
    if setup.left_open.are_numbers:  # what they leave is noise, which does not count too often
        by_elements = [of.agreement for of in sides.tried if of.side.weights == ones]
        weights = ones if any(best.agreement - of < WORSE_VIEW for of in by_elements) else weights
    spec = replace(setup.spec, modality_weights=weights, views=views)
    tried = [
        TriedSide(side=trial.side, agreement=trial.agreement, is_taken=trial is best)
        for trial in sides.tried
    ]
    return replace(setup, spec=spec, left_open=LeftOpen(), tried=tuple(tried))


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
    return TableColumns(
        indicators=np.hstack(levels),
        first=np.cumsum([0, *sizes[:-1]]),
        numbers=np.hstack([np.empty((data.n_samples, 0)), *numbers]),
        filled=np.hstack([np.empty((data.n_samples, 0)), *filled]),
    )
