"""Candidate clusterings, assigned to grid cells, and which one the others agree with most."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.utils import check_random_state

from .._base.grid import NodeGrid, n_effects
from .._held_out.matching import align_nodes, outcome_indicators
from .arrangement import Arrangement, arrange_labels
from .clusters import Clustering, Finder, Proposal, max_components
from .latent_classes import TableColumns, latent_classes
from .many_cells import has_many_cells, search_grid
from .margins import (
    CLEAR_GAP,
    COMPONENTS_PER_CLUSTER,
    ISOLATED_LIFT,
    LESS_CLEAR,
    NEAR_TIE,
    SAME_AGREEMENT,
    WORSE_FIT,
)
from .matching import tolerated_share
from .over_fitted import smallest_share

#: Clusterings that are looked at, where a grid has enough samples.
N_CANDIDATES = 12


@dataclass(frozen=True, kw_only=True)
class CandidateReport:
    """What :func:`choose_candidate` saw: one entry per candidate, in their order.

    Parameters
    ----------
    chosen : int
        Index of the chosen candidate.
    arrangements : list of Arrangement
        Clusters assigned to grid cells.
    agreement : ndarray of shape (n_candidates,)
        Mean agreement of the node labels with those of the other candidates; the criterion.
    misfit, gap : ndarray of shape (n_candidates,)
        Of arrangements. Of candidates that others agree with about equally, those that fit much
        worse, or stand out much less, cannot be chosen.
    smallest_share, overlap : ndarray of shape (n_candidates,)
        Of clusters; they say which candidates qualify.
    separation : ndarray of shape (n_candidates,)
        Of clusters; reported, and decides nothing.
    qualified : ndarray of shape (n_candidates,)
        Whether every cell has its cluster and none is below the smallest share, or no two
        clusters overlap: others can be chosen only if none does.
    known_agreement : ndarray of shape (n_candidates,), default=None
        Share of the known outcomes that agree, if any are known: those that agree clearly less
        than another cannot be chosen.
    """

    chosen: int
    arrangements: list[Arrangement]
    agreement: np.ndarray
    misfit: np.ndarray
    gap: np.ndarray
    separation: np.ndarray
    overlap: np.ndarray
    smallest_share: np.ndarray
    qualified: np.ndarray
    known_agreement: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """Clusterings that are not found before they are asked for.

    Parameters
    ----------
    starts : list of callable
        Each returns a clustering. Their seeds are drawn, so that any part of them may be asked.
    classes : callable, default=list
        Returns clusterings by latent classes. To be asked last.
    """

    starts: list[Proposal]
    classes: Callable[[], list[Clustering]] = list

    def all(self) -> list[Clustering]:
        """Return all of them, for :func:`choose_candidate`."""
        return [propose() for propose in self.starts] + self.classes()


def propose_candidates(
    scores: np.ndarray,
    node_sizes: Sequence[int],
    *,
    known: np.ndarray | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_candidates: int = N_CANDIDATES,
    rows: np.ndarray | None = None,
    columns: TableColumns | None = None,
) -> Proposals:
    """Propose clusterings of principal scores, from several numbers of dimensions.

    With ``d = sum(size - 1)``, the number of main effects, the first d to 2 d scores are tried
    (four numbers), each from as many starts. K-means clusterings of all scores join these
    mixtures where there is one node (no grid to be consistent with), and replace them where there
    are too few distinct samples for two components per cell: repeats bear no covariances. Where a
    grid :func:`has_few_samples` in d scores, k-means clusterings of the same numbers of scores join
    them; where it has in the largest number only, plain mixtures do, of one Gaussian per cell.

    Of tables with discrete columns as many latent-class models join these.

    Of many cells there is one candidate, which has its place on the grid: nodes are found first.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_features)
        Principal scores by falling variance, of any scale.
    node_sizes : sequence of int
        Number of outcomes of each node.
    known : ndarray of shape (n_samples, n_nodes), default=None
        Known outcomes, -1 where unknown; they help where there are many cells.
    random_state : int, RandomState or None, default=None
        Seed of all starts.
    n_candidates : int, default=12
        Number of mixtures; where there are none, at least 12 runs of k-means take their place.
    rows : ndarray of int of shape (n_rows,), default=None
        Those that clusters are found in; what they are of all samples is returned. Not for many
        cells.
    columns : TableColumns, default=None
        Those of tables, where some have levels.

    Returns
    -------
    Proposals
        All seeds are drawn.
    """
    rng = check_random_state(random_state)
    n_clusters = math.prod(node_sizes)
    if has_many_cells(node_sizes):
        return Proposals(starts=[partial(search_grid, scores, node_sizes, known, rng)])
    least = n_effects(node_sizes)
    wanted = np.linspace(least, 2 * least, 4).round().astype(int)
    numbers = sorted({min(int(number), scores.shape[1]) for number in wanted})
    part = scores if rows is None else scores[rows]
    n_distinct = len(np.unique(part, axis=0))  # whole-number weights, for one, repeat rows
    finder, starts = Finder(rng, rows), list[Proposal]()
    for k, n_dims in enumerate(numbers):
        n_starts = n_candidates // len(numbers) + (k < n_candidates % len(numbers))
        if max_components(n_distinct, n_dims) >= 2 * n_clusters:
            starts += finder.mixtures(scores[:, :n_dims], n_clusters, n_starts)
    if len(node_sizes) == 1 or not starts:
        n_starts = n_candidates if starts else max(n_candidates, N_CANDIDATES)  # these are fast
        starts += finder.kmeans(scores, n_clusters, n_starts)
    elif has_few_samples(n_distinct, node_sizes, n_effects(node_sizes)):
        for n_dims in numbers:
            starts += finder.kmeans(scores[:, :n_dims], n_clusters)
    elif has_few_samples(n_distinct, node_sizes, numbers[-1]):
        starts += [finder.plain(scores[:, :n_dims], n_clusters) for n_dims in numbers]
    if columns is None:
        return Proposals(starts=starts)
    options = {"random_state": rng, "n_starts": n_candidates, "rows": rows}
    classes = partial(latent_classes, columns, scores, n_clusters, **options)
    return Proposals(starts=starts, classes=classes)


def has_few_samples(n_samples: int, node_sizes: Sequence[int], n_dims: int) -> bool:
    """Return whether samples are too few for the components that a grid's curved clusters may need.

    They are those of the mixture in so many dimensions.
    """
    room = max_components(n_samples, n_dims)
    return room < COMPONENTS_PER_CLUSTER * math.prod(node_sizes)


def choose_candidate(
    candidates: Sequence[Clustering],
    data: np.ndarray,
    node_sizes: Sequence[int],
    *,
    known: np.ndarray | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Clustering, CandidateReport]:
    """Assign every candidate to grid cells; return the one that the others agree with most.

    Wrong clusterings, and wrong arrangements, differ from each other; right ones agree. Node
    labels are compared after matching nodes of equal size and their outcomes. Only candidates
    with a cluster for every cell, each with a percent of the samples (or a quarter of the mean
    share), or whose clusters do not overlap, however few or small they are, can be chosen, unless
    none is, and none whose arrangement is one of several that fit equally, unless all are; all
    have a say in the agreement. Where outcomes are known, only candidates within two standard
    errors of the largest share of agreeing ones can be chosen. Of candidates that others agree
    with about equally (within two percent), none can be chosen whose arrangement leaves more than
    twice as much unexplained as another's, or stands out from its own rivals less than half as
    clearly.

    Parameters
    ----------
    candidates : sequence of Clustering
        At least one, all of the same samples.
    data : ndarray of shape (n_samples, n_features)
        Where effects of nodes add up: principal scores of the balanced, scaled modalities, not
        whitened.
    node_sizes : sequence of int
        Number of outcomes of each node.
    known : ndarray of shape (n_samples, n_nodes), default=None
        Known outcomes, -1 where unknown.
    random_state : int, RandomState or None, default=None
        Used by the search of large grids.

    Returns
    -------
    chosen : Clustering
        One of the candidates.
    report : CandidateReport
        All signals of all candidates.
    """
    sizes = tuple(int(size) for size in node_sizes)
    rng = check_random_state(random_state)
    grid = NodeGrid(sizes).outcomes()
    arrangements = [
        arrange_labels(c.labels, data, sizes, known, rng, c.place, len(c.occupancy))
        for c in candidates
    ]
    nodes = node_labels(candidates, arrangements, sizes)
    if len(candidates) == 1:  # starts of the search for nodes were compared, if there was one
        place = candidates[0].place
        agreement = np.array([1.0 if place is None else place.node_agreement.mean()])
    else:
        agreement = _mean_agreement(nodes, sizes)
    share = np.array([c.occupancy.min() * (len(c.occupancy) == len(grid)) for c in candidates])
    qualified = np.array([_stands_apart(candidate) for candidate in candidates]) | (
        share >= smallest_share(len(grid))
    )
    eligible = qualified if qualified.any() else np.ones_like(qualified)
    is_clear = np.array([arrangement.ties == 0 for arrangement in arrangements])
    eligible = eligible & is_clear if (eligible & is_clear).any() else eligible
    right = None
    if known is not None:
        right = np.array([(labels == known)[known >= 0].mean() for labels in nodes])
        eligible = eligible & (right >= tolerated_share(right[eligible].max(), (known >= 0).sum()))
    misfit = np.array([arrangement.misfit for arrangement in arrangements])
    gap = np.array([arrangement.gap for arrangement in arrangements])
    eligible = eligible & _fits_as_well(agreement, misfit, gap, eligible)
    chosen = int(np.where(eligible, agreement, -np.inf).argmax())
    return candidates[chosen], CandidateReport(
        chosen=chosen,
        arrangements=arrangements,
        agreement=agreement,
        misfit=misfit,
        gap=gap,
        separation=np.array([candidate.separation for candidate in candidates]),
        overlap=np.array([candidate.overlap for candidate in candidates]),
        smallest_share=share,
        qualified=qualified,
        known_agreement=right,
    )


def node_labels(
    candidates: Sequence[Clustering],
    arrangements: Sequence[Arrangement],
    node_sizes: tuple[int, ...],
) -> list[np.ndarray]:
    """Return the outcomes of the nodes under each candidate, (n_samples, n_nodes)."""
    grid = NodeGrid(node_sizes).outcomes()
    pairs = zip(candidates, arrangements, strict=True)
    return [grid[arrangement.cells[candidate.labels]] for candidate, arrangement in pairs]


def _fits_as_well(
    agreement: np.ndarray, misfit: np.ndarray, gap: np.ndarray, eligible: np.ndarray
) -> np.ndarray:
    """Tell which arrangements fit about as well as the best of those that others agree with most.

    Such small differences in agreement say nothing, but such large ones in misfit do, and in how
    far an arrangement is from the next one of the same clusters (``gap``).
    """
    near = eligible & (agreement >= agreement[eligible].max() - SAME_AGREEMENT)
    fits = ~(misfit > WORSE_FIT * misfit[near].min())
    clear = np.clip(gap - 1.0, NEAR_TIE - 1.0, CLEAR_GAP)  # all near ties are alike
    return fits & ~(LESS_CLEAR * clear < clear[near & fits].max())


def _stands_apart(candidate: Clustering) -> bool:
    """Return whether the clusters were found not to overlap; those of k-means never do."""
    is_soft = candidate.source.startswith("mixture")
    return is_soft and len(candidate.occupancy) > 1 and candidate.overlap < ISOLATED_LIFT


def _mean_agreement(nodes: Sequence[np.ndarray], sizes: tuple[int, ...]) -> np.ndarray:
    """Return each labelling's mean agreement with the others.

    It is the share of equal node labels under the best matching of nodes and outcomes.
    """
    agreement = np.eye(len(nodes))
    for j, i in itertools.combinations(range(len(nodes)), 2):
        n_equal = align_nodes(nodes[j], outcome_indicators(nodes[i], sizes))[2]
        agreement[i, j] = agreement[j, i] = n_equal / len(sizes) / len(nodes[i])
    return (agreement.sum(axis=1) - 1) / (len(nodes) - 1)
