"""Node sizes that the start of a fit speaks for, before any network is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from .._base.grid import n_effects
from .._base.parameter_objects import BackgroundKnowledge, Initialization
from .._base.types import Samples, Sizes
from .._clustering.arrangement import arrange, means_of_labels
from .._clustering.found_again import Agreed, agreed_kmeans, agreed_mixtures
from .._clustering.margins import (
    AGREED_BY_CHANCE,
    AGREED_GRID,
    AGREEING,
    AGREEMENT_COUNTS,
    ALIKE_SIZES,
    NODE_COUNTS,
    WORSE_FIT,
)
from .._clustering.random_means import lay, random_means
from .._data.validation import Modalities, read_modalities
from .._held_out.units import Units
from .._initialization.begin import begin
from .._initialization.initial_sample import initial_sample
from .._initialization.low_rank import filled_data
from .._initialization.principal_components import PrincipalScores
from .._model.left_open import LeftOpen
from .._model.objects import parameters_of
from .._model.setup import set_up
from .._model.stated import Parameters
from .._model.surroundings import in_usual_surroundings, precision_of

#: Cells of the largest grid that is proposed (and of as many kinds beside it), and outcomes of
#: other single nodes.
MAX_CELLS, MAX_OUTCOMES = 24, 16

#: Samples that clusters are found in.
ROWS_OF_PROPOSALS = 3000

#: Single nodes are seen in so many principal scores at least: a line can be cut anywhere.
MIN_SCORES = 3

#: Draws of random means.
N_RANDOM = 5

#: Grids that are proposed at most.
MAX_GRIDS = 3


class ScoredGrid(NamedTuple):
    """A grid, and what speaks for it.

    Parameters
    ----------
    node_sizes : tuple of int
        Rising.
    agreement : float
        How far parts of the samples agree on its clusters.
    evidence : float
        How many times as much the arrangement of random means leaves unexplained.
    """

    node_sizes: Sizes
    agreement: float
    evidence: float

    @property
    def score(self) -> float:
        """What grids are ranked by."""
        fits = math.log(min(self.evidence, WORSE_FIT)) + NODE_COUNTS * len(self.node_sizes)
        return fits - AGREEMENT_COUNTS * (1.0 - self.agreement)


@in_usual_surroundings
def proposed(estimator: BaseEstimator, X: Samples, n_training: int, units: Units) -> list[Sizes]:
    """Return node sizes that are worth a fit.

    On each side that the estimator may see the data from (:mod:`.sides` of the initialization),
    mixtures of parts of the samples are merged to all numbers of clusters. Of single nodes, that
    with the number that parts agree on most is proposed, and the largest that they agree on alike.
    Grids are proposed where parts agree on the clusters, and where these have one place on the
    grid, a better one than random means of the same spread typically have.

    Parameters
    ----------
    estimator : CausalPIMA
        All that it states holds.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Training data.
    n_training : int
        Number of independent samples of the smallest training set, which cells must not outnumber.
    units : Units
        What samples belong to.

    Returns
    -------
    list of tuple of int
        At least one, by rising number of cells.
    """
    if not hasattr(estimator, "node_sizes"):
        kind = type(estimator).__name__
        raise TypeError(f"Candidates are proposed for a CausalPIMA: pass some for {kind}.")
    model = clone(estimator)
    model._validate_params()
    params = parameters_of(model)
    rng = check_random_state(params.random_state)
    n_nodes = _stated_nodes(params)
    given = replace(read_modalities(model, X, reset=True), groups=units.codes)
    given.check_joined()
    singles: dict[int, float] = {2: -math.inf}
    grids: list[ScoredGrid] = []
    limit = min(MAX_CELLS, n_training)
    # Whatever is known of edges, and wherever else the fits would begin.
    sizes = (2,) * (n_nodes or (2 if limit >= 4 else 1))
    free = {"init": Initialization(), "knowledge": BackgroundKnowledge()}
    start = replace(params, node_sizes=sizes, **free)
    for scores, of_scores, is_plain in _scores_from_sides(start, given, rng):
        rows = of_scores.some(rng, 1.0)[:ROWS_OF_PROPOSALS]
        points, placed, together = scores.scaled[rows], scores.placed[rows], of_scores.take(rows)
        mixtures = agreed_mixtures(points, limit, rng, together)
        if is_plain:
            least = min(MIN_SCORES, int((np.ptp(points, axis=0) > 0).sum()))
            by_size = [
                (k, mixture)
                for (d, k), mixture in mixtures.items()
                if least <= d and k <= MAX_OUTCOMES
            ]
            most = min(MAX_OUTCOMES, limit)
            by_size += agreed_kmeans(points, most, rng, together).items()
            for size, agreed in by_size:
                singles[size] = max(singles.get(size, -math.inf), agreed.agreement)
        grids += _grids(mixtures, placed, limit, n_nodes, rng)
    by_score = sorted(grids, key=lambda grid: -grid.score)
    chosen = list(dict.fromkeys(grid.node_sizes for grid in by_score))[:MAX_GRIDS]
    if n_nodes in (None, 1):
        kinds = [math.prod(sizes) for sizes in chosen]  # of the same cells, without factors
        chosen = list(dict.fromkeys(chosen + [(k,) for k in [*kinds, *_best_singles(singles)]]))
    possible = _possible(chosen, sizes, params, given)
    return sorted(possible, key=lambda sizes: (math.prod(sizes), len(sizes)))


def _possible(
    chosen: list[Sizes], otherwise: Sizes, params: Parameters, given: Modalities
) -> list[Sizes]:
    """Return the node sizes that the other parameters go with, or others, if these do."""
    possible = [sizes for sizes in chosen if _refusal(sizes, params, given) is None]
    refusal = None if possible else _refusal(otherwise, params, given)
    if refusal is not None:
        raise ValueError(
            f"What the data propose, {chosen}, does not go with the estimator's other "
            f"parameters: pass candidates. {refusal}"
        ) from refusal
    return possible or [otherwise]


def _refusal(sizes: Sizes, params: Parameters, given: Modalities) -> Exception | None:
    """Return why node sizes do not go with the other parameters, such as edges between nodes."""
    try:
        set_up(replace(params, node_sizes=sizes), given)
    except (TypeError, ValueError) as error:
        return error
    return None


def _stated_nodes(params: Parameters) -> int | None:
    """Return how many nodes there must be, if names or a graph say so."""
    if params.node_names is not None:
        return len(params.node_names)
    return len(params.structure) if isinstance(params.structure, nx.DiGraph) else None


def _scores_from_sides(
    params: Parameters, given: Modalities, rng: np.random.RandomState
) -> Iterator[tuple[PrincipalScores, Units, bool]]:
    """Return scores from all sides, their units, and whether views are those of single nodes.

    Columns are in units of their noise where the start of a fit would have them so.
    """
    setup, samples = set_up(params, given)
    # of several dimensions, whatever the latent space of one fit is to have
    setup = replace(setup, left_open=replace(setup.left_open, dimension=True))
    seed = rng.randint(2**31 - 1)
    spec, free = setup.spec, setup.left_open
    plain = tuple(None if m in free.views else kind for m, kind in enumerate(spec.views))
    weights = [spec.modality_weights, *([(1.0,) * len(spec.shapes)] if free.weights else [])]
    with precision_of(setup.device):
        data = filled_data(setup, samples)
        if free.columns:
            start = begin(setup, samples, data, seed)
            setup, data = start.setup, start.data
        for views in dict.fromkeys([plain, spec.views]):
            for modality_weights in weights:
                stated = replace(spec, views=views, modality_weights=modality_weights)
                of_side = replace(setup, spec=stated, left_open=LeftOpen(), tried=())
                initial = initial_sample(of_side, samples, data, seed)
                assert initial.scores is not None  # init is not "paper"
                units = Units.of(initial.data.samples.groups, initial.data.n_samples)
                yield initial.scores, units, views == plain


def _grids(
    mixtures: dict[tuple[int, int], Agreed],
    placed: np.ndarray,
    limit: int,
    n_nodes: int | None,
    rng: np.random.RandomState,
) -> Iterator[ScoredGrid]:
    """Return the grids on which clusters have one place, a better one than random means have."""
    for n_cells in range(4, limit + 1):
        by_dimension = {d: mixture for (d, k), mixture in mixtures.items() if k == n_cells}
        for sizes in products(n_cells):
            enough = [mixture for d, mixture in by_dimension.items() if d >= n_effects(sizes)]
            if len(sizes) == (n_nodes or len(sizes)):
                yield from _scored(sizes, enough, placed, rng)


def _scored(
    sizes: Sizes, mixtures: list[Agreed], placed: np.ndarray, rng: np.random.RandomState
) -> Iterator[ScoredGrid]:
    """Return a grid with the best score that it has on any of these clusters, if it has one."""
    best = None
    for agreed in sorted(mixtures, key=lambda mixture: -mixture.agreement):
        most = ScoredGrid(sizes, agreed.agreement, WORSE_FIT)
        if agreed.agreement < AGREED_GRID or (best is not None and best.score >= most.score):
            break
        means, counts = means_of_labels(agreed.labels, placed, math.prod(sizes))
        here = arrange(means, counts, sizes, random_state=rng)
        if here.node_agreement.min() < AGREEING:
            continue
        evidence = _random_misfit(means, sizes, rng) / max(here.misfit, 1e-9)
        scored = ScoredGrid(sizes, agreed.agreement, evidence)
        if evidence > 1.0 and (best is None or scored.score > best.score):
            best = scored
    if best is not None:
        yield best


def products(number: int, least: int = 2) -> list[Sizes]:
    """Return all ways to write a number as a product of two factors or more, rising.

    Examples
    --------
    >>> from skcausalpima.model_selection._proposals import products
    >>> products(12)
    [(2, 2, 3), (2, 6), (3, 4)]
    """
    ways = []
    for factor in range(least, math.isqrt(number) + 1):
        if number % factor == 0:
            rest = number // factor
            ways += [(factor, *others) for others in [*products(rest, factor), (rest,)]]
    return ways


def _random_misfit(means: np.ndarray, sizes: Sizes, rng: np.random.RandomState) -> float:
    """Return what arrangements leave of means that lie at random with the same covariances."""
    drawn = random_means(means, N_RANDOM, rng)
    _, explained = lay(drawn, sizes, rng)
    total = np.square(drawn[0]).sum() or 1.0
    return float(np.median(np.maximum(1.0 - explained / total, 0.0)))


def _best_singles(agreement: dict[int, float]) -> set[int]:
    """Return the numbers of outcomes that parts agree on most, and the largest that is alike."""
    most = max(agreement.values())
    if most < AGREED_BY_CHANCE:
        return {2}
    alike = [size for size, value in agreement.items() if value >= most - ALIKE_SIZES]
    return {max(alike), max(size for size in alike if agreement[size] == most)}
