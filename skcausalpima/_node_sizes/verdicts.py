"""Tests of node sizes by fits to parts of the data: which cell fails which test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing

from .._clustering.clusters import describe
from .._clustering.matching import align_nodes, outcome_indicators
from .._clustering.rivals import AGREEING, MIN_STABILITY
from .._grid import NodeGrid
from .._structure.digraphs import node_graph
from .._typing import Samples
from .._warnings import warn_caller
from ..exceptions import NodeSizesWarning

#: Clusters with this lift overlap as much as clusters that ignore each other.
MAX_OVERLAP = 1.0

#: No part as large as this of a cell's probabilities may be another's. Two Gaussians of one width
#: share as much where they are 2.2 standard deviations apart; from 2 down they have one peak.
MAX_SHARED = 0.2

#: Similarities may be by so many standard errors smaller, those of a share of as many samples as
#: the cell has: by chance they are in one case of twenty. Below this one, no cell is stable.
N_ERRORS, LEAST_STABILITY = 1.645, 0.75

#: Reasons that a warning has.
N_TOLD = 3

#: What is told of the typical fold.
FIGURES = (
    "overlap",
    "shared",
    "separation",
    "smallest_share",
    "agreement",
    "gap",
    "node_agreement",
)

#: One entry per candidate, by name.
Results: TypeAlias = dict[str, list[tuple] | np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What is kept of a candidate's fit to one training set."""

    names: tuple[str, ...]  # of the nodes
    cells: np.ndarray  # (n_samples, n_nodes): of all samples
    bounds: np.ndarray  # of the held-out samples
    overlap: float
    shared: float  # the largest part of a cell's probabilities that is another's
    pairs: dict[str, np.ndarray]  # (2, n_nodes): the cells that overlap and share so much
    separation: float
    smallest_share: float
    agreement: float
    gap: float
    node_agreements: np.ndarray  # (n_nodes,); NaN where nothing was arranged
    cut: np.ndarray  # (n_nodes,): whether there is no gap between a node's outcomes
    has_cut_pair: bool  # whether there is none between some two cells

    @property
    def node_agreement(self) -> float:
        """That of the node that is least the same under near ties."""
        return float(self.node_agreements.min())


def fit_fold(
    estimator: BaseEstimator, X: Samples, training: np.ndarray, held_out: np.ndarray
) -> Fold:
    """Fit one candidate to one training set."""
    estimator.fit(_safe_indexing(X, training))
    probabilities, points = estimator.predict_proba(X).astype(float), estimator.transform(X)
    n_found = probabilities.shape[1]
    found = describe(probabilities, points.astype(float), np.arange(n_found), "fit")
    start, states = estimator.arrangement_, estimator.cluster_states_
    counts = np.maximum(probabilities.sum(axis=0), 1e-12)
    parts = probabilities.T @ probabilities / counts[:, None]
    np.fill_diagonal(parts, 0.0)
    places = {"shared": parts.argmax(), "overlap": (parts / counts).argmax()}
    unknown, gaps = np.full(states.shape[1], np.nan), estimator.gaps_
    return Fold(
        names=tuple(node_graph(estimator.dag_)),
        cells=states[found.labels],
        bounds=estimator.score_samples(_safe_indexing(X, held_out)).astype(float),
        overlap=found.overlap,
        shared=float(parts.max()),
        pairs={name: states[[*divmod(place, n_found)]] for name, place in places.items()},
        separation=found.separation,
        smallest_share=float(found.occupancy.min()),
        agreement=np.nan if start is None else start.agreement,
        gap=np.nan if start is None else start.gap,
        node_agreements=unknown if start is None else start.node_agreement,
        cut=np.zeros(states.shape[1], dtype=bool) if gaps is None else gaps.cut,
        has_cut_pair=gaps is not None and len(gaps.pairs) > 0,
    )


def measure(candidates: list[tuple[int, ...]], folds: list[list[Fold]]) -> Results:
    """Summarise the folds of each candidate, and say which tests it fails."""
    bounds = np.array([[fold.bounds.mean() for fold in parts] for parts in folds])
    figures: Results = {"mean_bound": bounds.mean(axis=1), "std_bound": bounds.std(axis=1)}
    again = [FoundAgain(parts, sizes) for sizes, parts in zip(candidates, folds, strict=True)]
    figures["stability"] = np.array([of.stability for of in again])
    for name in FIGURES:
        values = [[getattr(fold, name) for fold in parts] for parts in folds]
        figures[name] = np.median(values, axis=1)  # of the typical fit
    failed = [
        (*of.failures(), *_overlaps(parts), *_ties(parts), *_cuts(parts))
        for of, parts in zip(again, folds, strict=True)
    ]
    supported = np.array([not reasons for reasons in failed])
    return {"node_sizes": candidates, **figures, "supported": supported, "failed": failed}


def shared_and_union(
    first: np.ndarray, second: np.ndarray, node_sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many samples cells and outcomes have in both of two fits to a grid, and in any.

    Parameters
    ----------
    first, second : ndarray of shape (n_samples, n_nodes)
        Outcomes of the same samples. Nodes of one size are matched, and outcomes within nodes.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    shared, union : ndarray of int of shape (n_cells + n_outcomes,)
        Of the cells, and then of the outcomes of each node, by the numbers of the first fit.
    """
    second = align_nodes(second, outcome_indicators(first, node_sizes))[0]
    grid = NodeGrid(tuple(node_sizes))
    pairs = [(grid.cells(first), grid.cells(second)), *zip(first.T, second.T, strict=True)]
    shared, total = [], []
    for (one, other), size in zip(pairs, (grid.n_cells, *node_sizes), strict=True):
        shared.append(np.bincount(one[one == other], minlength=size))
        total.append(np.bincount(one, minlength=size) + np.bincount(other, minlength=size))
    return np.concatenate(shared), np.concatenate(total) - np.concatenate(shared)


def least_similarity(union: np.ndarray) -> np.ndarray:
    """Return the Jaccard similarity that is asked of cells with so many samples in any of two fits.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._node_sizes.verdicts import least_similarity
    >>> least_similarity(np.array([5, 30, 300, 3000])).round(3)
    array([0.75 , 0.75 , 0.816, 0.839])
    """
    errors = np.sqrt(MIN_STABILITY * (1.0 - MIN_STABILITY) / np.maximum(union, 1))
    return np.maximum(MIN_STABILITY - N_ERRORS * errors, LEAST_STABILITY)


class FoundAgain:
    """How far the cells of a grid, and the outcomes of its nodes, are found again in pairs of fits.

    Of the outcomes of several nodes the similarity of highly stable clusters is asked. A cell lies
    in one outcome of each, and what is wrong in one of them is wrong in the cell: it is asked for
    that of stable ones.

    Parameters
    ----------
    folds : list of Fold
        Fits to parts of the data.
    node_sizes : tuple of int
        Number of outcomes of each node.
    """

    def __init__(self, folds: list[Fold], node_sizes: tuple[int, ...]) -> None:
        self.names, grid = folds[0].names, NodeGrid(node_sizes)
        tables = outcome_indicators(folds[0].cells, node_sizes)
        nodes = [align_nodes(fold.cells, tables)[0] for fold in folds]  # numbered as in the first
        self.parts = [f"cell {tuple(cell)}" for cell in grid.outcomes().tolist()]
        self.n_cells = len(self.parts)
        for name, size in zip(self.names, node_sizes, strict=True):
            self.parts += [f"{name} = {outcome}" for outcome in range(size)]
        numbers = [shared_and_union(of, of, node_sizes)[0] for of in nodes]
        self.n_samples = np.median(numbers, axis=0).astype(int)
        n_outcomes = np.array([[len(np.unique(column)) for column in of.T] for of in nodes])
        # (fold, node): an outcome never occurs
        self.lacking: np.ndarray = np.less(n_outcomes, np.array(node_sizes))
        pairs = list(itertools.combinations(range(len(nodes)), 2))
        counts = [shared_and_union(nodes[i], nodes[j], node_sizes) for i, j in pairs]
        shared, union = (np.array(of) for of in zip(*counts, strict=True))  # (pair, part)
        lacks = self.lacking.any(axis=1)
        self.is_whole = np.array([not (lacks[i] or lacks[j]) for i, j in pairs])
        self.similarity = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
        self.similarity[~self.is_whole] = 0.0
        self.asked = least_similarity(union)
        if len(node_sizes) > 1:
            self.asked[:, : self.n_cells] = LEAST_STABILITY
        self.asked[union == 0] = 0.0

    @property
    def stability(self) -> float:
        """Smallest similarity of a cell with its counterpart, in the median over pairs."""
        return float(np.median(self.similarity[:, : self.n_cells].min(axis=1)))

    def failures(self) -> list[str]:
        """Say which outcomes lack samples, and what is not found again, if it is so.

        The typical similarity counts: in each pair of fits another cell may be unlucky.
        """
        failing = np.flatnonzero(np.median(self.similarity - self.asked, axis=0) < 0)
        if not len(failing):
            return []
        said = [
            f"{name}: an outcome has no samples in {number} of {len(self.lacking)} fits"
            for name, number in zip(self.names, self.lacking.sum(axis=0), strict=True)
            if number > 0
        ]
        if self.is_whole.mean() <= 0.5:  # that is why
            return said
        if len(self.names) == 1:  # its outcomes are the cells
            failing = failing[failing < self.n_cells]
        similarity, asked = np.median(self.similarity, axis=0), np.median(self.asked, axis=0)
        return said + [
            f"{self.parts[k]} of {self.n_samples[k]} samples: similarity {similarity[k]:.2f}, "
            f"asked {asked[k]:.2f}"
            for k in failing.tolist()
        ]


def _overlaps(folds: list[Fold]) -> list[str]:
    """Say which cells are not apart in the typical fit."""
    said, asked = [], {"overlap": MAX_OVERLAP, "shared": MAX_SHARED}
    for name, limit in asked.items():
        values = np.array([getattr(fold, name) for fold in folds])
        typical = np.median(values)
        if typical >= limit:
            fold = folds[np.abs(values - typical).argmin()]
            first, second = (tuple(cell) for cell in fold.pairs[name].tolist())
            said.append(f"cells {first} and {second}: {name} {typical:.2f}, below {limit} asked")
    return said


def _ties(folds: list[Fold]) -> list[str]:
    """Say which nodes differ under arrangements that nearly tie, in the typical fit."""
    if not np.median([fold.node_agreement for fold in folds]) < AGREEING:  # NaN, no grid, is fine
        return []
    typical = np.median([fold.node_agreements for fold in folds], axis=0)
    worst = int(typical.argmin())
    return [f"{folds[0].names[worst]}: near tie, adjusted Rand index {typical[worst]:.2f}"]


def _cuts(folds: list[Fold]) -> list[str]:
    """Say where most fits have no gap: one cluster was cut, by a node or between some two cells."""
    numbers = {
        f"{name}: no gap between its outcomes": n_cut
        for name, n_cut in zip(folds[0].names, np.sum([f.cut for f in folds], axis=0), strict=True)
    }
    if max(numbers.values()) <= len(folds) / 2:  # else that is why
        numbers["no gap between two cells"] = sum(fold.has_cut_pair for fold in folds)
    return [
        f"{said} in {number} of {len(folds)} fits"
        for said, number in numbers.items()
        if number > len(folds) / 2
    ]


def choose(results: Results) -> int:
    """Return the index of the candidate to take."""
    supported = np.flatnonzero(results["supported"])
    sizes = results["node_sizes"]
    if not len(supported):
        best = int(np.argmax(results["stability"]))
        said = list(results["failed"][best])
        more = [f"{len(said) - N_TOLD} more"] if len(said) > N_TOLD else []
        warn_caller(
            "No candidate is supported by the data: cells that are found again, lie apart and "
            f"have a clear arrangement. The most stable one, {sizes[best]}, is taken, but "
            f"{'; '.join(said[:N_TOLD] + more)}. See failed in results, and try other "
            "candidates, more samples or more epochs.",
            NodeSizesWarning,
        )
        return best
    bounds = results["mean_bound"]
    return int(max(supported, key=lambda k: (math.prod(sizes[k]), len(sizes[k]), bounds[k])))
