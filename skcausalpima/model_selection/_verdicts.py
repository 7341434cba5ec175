"""Tests of node sizes by fits to parts of the data: which cell fails which test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from .._base.grid import NodeGrid
from .._base.types import Sizes
from .._clustering.margins import (
    AGREEING,
    DISSOLVED,
    ERRORS_BELOW,
    LEAST_STABILITY,
    MAX_OVERLAP,
    MAX_SHARED,
    MENDED,
    MIN_STABILITY,
)
from .._held_out.matching import align_nodes, outcome_indicators
from ._folds import Fold

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
Results: TypeAlias = dict[str, Any]


def measure(
    candidates: list[Sizes], folds: list[list[Fold]], failed: list[tuple[str, ...]]
) -> Results:
    """Summarise the folds of each candidate, beside the tests that it fails.

    Parameters
    ----------
    candidates : list of tuple of int
        Their node sizes.
    folds : list of list of Fold
        Those of each.
    failed : list of tuple of str
        What is said of each.

    Returns
    -------
    dict of str to list or ndarray
        One entry per candidate.
    """
    bounds = [[fold.bounds.mean() for fold in parts] for parts in folds]
    figures: Results = {
        "mean_bound": np.array([np.mean(fold_bounds) for fold_bounds in bounds]),
        "std_bound": np.array([np.std(fold_bounds) for fold_bounds in bounds]),
    }
    again = [FoundAgain(parts, sizes) for sizes, parts in zip(candidates, folds, strict=True)]
    figures["stability"] = np.array([candidate.stability for candidate in again])
    figures["told"] = [tuple(_are_told(parts).tolist()) for parts in folds]
    for name in FIGURES:  # of the typical fit
        values = [np.median([getattr(fold, name) for fold in parts]) for parts in folds]
        figures[name] = np.array(values)
    supported = np.array([not reasons for reasons in failed])
    return {"node_sizes": candidates, **figures, "supported": supported, "failed": failed}


def in_one_order(folds: list[Fold], node_sizes: Sizes) -> list[Fold]:
    """Return fits with nodes and outcomes in the order of the first, as far as samples tell.

    Nodes of one size change places from fit to fit, and all that is known of them with them.
    """
    tables, ordered = outcome_indicators(folds[0].cells, node_sizes), []
    for fold in folds:
        cells, order, _ = align_nodes(fold.cells, tables)
        of_nodes = {name: getattr(fold, name)[order] for name in ("told", "cut", "node_agreements")}
        ordered.append(replace(fold, cells=cells, **of_nodes))
    return ordered


def failures(folds: list[Fold], node_sizes: Sizes) -> tuple[str, ...]:
    """Say which tests fits to a candidate fail."""
    again = FoundAgain(folds, node_sizes).failures()
    return (*again, *_overlaps(folds), *_ties(folds), *_cuts(folds))


def untold(folds: list[Fold], node_sizes: Sizes) -> tuple[str, ...]:
    """Say which nodes most fits do not tell to be factors, if these are too many for a grid.

    Of three nodes or more one may be: the others have shown that cells lie at sums of effects.
    """
    are_factors = _are_told(folds)
    if are_factors.sum() >= len(node_sizes) - (len(node_sizes) > 2):
        return ()
    numbers = dict(zip(folds[0].names, np.sum([~fold.told for fold in folds], axis=0), strict=True))
    by_node = [f"{name} in {number} of {len(folds)} folds" for name, number in numbers.items()]
    names = ", ".join(
        entry for entry, is_told in zip(by_node, are_factors, strict=True) if not is_told
    )
    kinds = (math.prod(node_sizes),)
    return (f"not separated from plain clusters: {names} ({kinds} claims less of the same cells)",)


def _are_told(folds: list[Fold]) -> np.ndarray:
    """Return which nodes are told to be factors in most fits."""
    return 2 * np.sum([fold.told for fold in folds], axis=0) > len(folds)


def failures_of_starts(folds: list[Fold], node_sizes: Sizes) -> tuple[str, ...]:
    """Say which tests a candidate fails in the start by so much that no training mends it.

    Outcomes are not found again by far, or there is no gap between those of a node.
    """
    again = FoundAgain(folds, node_sizes).failures(tolerance=MENDED)
    return tuple(f"in the start, {failure}" for failure in (*again, *_cuts(folds, pairs=False)))


def is_settled(folds: list[Fold], node_sizes: Sizes, n_folds: int) -> bool:
    """Return whether the folds that are still to come cannot change which tests are failed.

    Tests ask for medians over folds, or pairs of them: more than half of all must be on one side.

    Parameters
    ----------
    folds : list of Fold
        Those that are there.
    node_sizes : tuple of int
        Number of outcomes of each node.
    n_folds : int
        How many there will be.

    Returns
    -------
    bool
        True where a test is failed for good, or all are passed, and it is known which nodes are
        told to be factors.
    """
    apart = [(f.overlap < MAX_OVERLAP, f.shared < MAX_SHARED, not f.has_cut_pair) for f in folds]
    untied = [not f.node_agreement < AGREEING for f in folds]  # NaN, no grid, is fine
    passed = np.column_stack([apart, untied, [~f.cut for f in folds]])
    again = FoundAgain(folds, node_sizes)
    again_passed = again.similarity >= again.asked
    n_all = (n_folds, math.comb(n_folds, 2))
    tests = list(zip((passed, again_passed), n_all, strict=True))
    is_failed = any((2 * (~passes).sum(axis=0) > total).any() for passes, total in tests)
    if is_failed or not all((2 * passes.sum(axis=0) > total).all() for passes, total in tests):
        return is_failed
    n_told = np.sum([fold.told for fold in folds], axis=0)
    return bool((2 * np.maximum(n_told, len(folds) - n_told) > n_folds).all())


def least_settled(n_folds: int) -> int:
    """Return how many folds can settle a verdict at least: their pairs are more than half of all.

    Examples
    --------
    >>> from skcausalpima.model_selection._verdicts import least_settled
    >>> [least_settled(n_folds) for n_folds in (2, 3, 5, 10)]
    [2, 3, 4, 8]
    """
    half = math.comb(n_folds, 2) / 2
    return next(k for k in range(2, n_folds + 1) if math.comb(k, 2) > half)


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


def least_similarity(
    union: np.ndarray, whole: float = MIN_STABILITY, least: float = LEAST_STABILITY
) -> np.ndarray:
    """Return the Jaccard similarity that is asked of cells with so many samples in any of two fits.

    Parameters
    ----------
    union : ndarray of int
        Numbers of samples.
    whole : float, default=0.85
        What is asked of many.
    least : float, default=0.75
        What is asked of the fewest.

    Returns
    -------
    ndarray of float
        As ``union``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.model_selection._verdicts import least_similarity
    >>> least_similarity(np.array([5, 30, 300, 3000])).round(3)
    array([0.75 , 0.75 , 0.816, 0.839])
    """
    errors = np.sqrt(whole * (1.0 - whole) / np.maximum(union, 1))
    return np.maximum(whole - ERRORS_BELOW * errors, least)


class FoundAgain:
    """How far the cells of a grid, and the outcomes of its nodes, are found again in pairs of fits.

    Of outcomes the similarity of highly stable clusters is asked. A cell of several nodes lies in
    one outcome of each, and what is wrong in any of them is wrong in the cell: it is asked for the
    product of what its outcomes are asked for.

    Parameters
    ----------
    folds : list of Fold
        Fits to parts of the data.
    node_sizes : tuple of int
        Number of outcomes of each node.
    """

    def __init__(self, folds: list[Fold], node_sizes: Sizes) -> None:
        self.names, grid = folds[0].names, NodeGrid(node_sizes)
        tables = outcome_indicators(folds[0].cells, node_sizes)
        nodes = [align_nodes(fold.cells, tables)[0] for fold in folds]  # numbered as in the first
        self.parts = [f"cell {tuple(cell)}" for cell in grid.outcomes().tolist()]
        self.n_cells = len(self.parts)
        for name, size in zip(self.names, node_sizes, strict=True):
            self.parts += [f"{name} = {outcome}" for outcome in range(size)]
        numbers = [shared_and_union(cells, cells, node_sizes)[0] for cells in nodes]
        self.n_samples = np.median(numbers, axis=0).astype(int)
        n_outcomes = np.array([[len(np.unique(column)) for column in cells.T] for cells in nodes])
        # (fold, node): an outcome never occurs
        self.lacking: np.ndarray = np.less(n_outcomes, np.array(node_sizes))
        pairs = list(itertools.combinations(range(len(nodes)), 2))
        counts = [shared_and_union(nodes[i], nodes[j], node_sizes) for i, j in pairs]
        shared, union = (np.array(part) for part in zip(*counts, strict=True))  # (pair, part)
        lacks = self.lacking.any(axis=1)
        self.is_whole = np.array([not (lacks[i] or lacks[j]) for i, j in pairs])
        self.similarity = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
        self.similarity[~self.is_whole] = 0.0
        self.asked = least_similarity(union)
        if len(node_sizes) > 1:
            whole = max(MIN_STABILITY ** len(node_sizes), DISSOLVED)
            of_cells = least_similarity(union[:, : self.n_cells], whole, DISSOLVED)
            self.asked[:, : self.n_cells] = of_cells
        self.asked[union == 0] = 0.0

    @property
    def stability(self) -> float:
        """Smallest similarity of a cell with its counterpart, in the median over pairs."""
        return float(np.median(self.similarity[:, : self.n_cells].min(axis=1)))

    def failures(self, tolerance: float = 0.0) -> list[str]:
        """Say which outcomes lack samples, and what is not found again, if it is so.

        The typical similarity counts: in each pair of fits another cell may be unlucky. Where
        similarities may be smaller by a tolerance, outcomes alone are looked at.
        """
        missed = np.median(self.similarity - self.asked, axis=0)
        failing = np.flatnonzero(missed < -tolerance)
        if tolerance > 0.0:
            failing = failing[failing >= self.n_cells]
        if not len(failing):
            return []
        sentences = [
            f"{name}: an outcome has no samples in {number} of {len(self.lacking)} folds"
            for name, number in zip(self.names, self.lacking.sum(axis=0), strict=True)
            if number > 0
        ]
        if self.is_whole.mean() <= 0.5:  # that is why
            return sentences
        if len(self.names) == 1:  # its outcomes are the cells
            failing = np.unique(failing % self.n_cells)
        similarity, asked = np.median(self.similarity, axis=0), np.median(self.asked, axis=0)
        return sentences + [
            f"{self.parts[k]} of {self.n_samples[k]} samples: similarity {similarity[k]:.2f}, "
            f"asked {asked[k]:.2f}"
            for k in failing.tolist()
        ]


def _overlaps(folds: list[Fold]) -> list[str]:
    """Say which cells are not apart in the typical fit."""
    sentences, asked = [], {"overlap": MAX_OVERLAP, "shared": MAX_SHARED}
    for name, limit in asked.items():
        values = np.array([getattr(fold, name) for fold in folds])
        typical = np.median(values)
        if typical >= limit:
            fold = folds[np.abs(values - typical).argmin()]
            first, second = (tuple(cell) for cell in fold.pairs[name].tolist())
            sentences.append(
                f"cells {first} and {second}: {name} {typical:.2f}, below {limit} asked"
            )
    return sentences


def _ties(folds: list[Fold]) -> list[str]:
    """Say which nodes differ under arrangements that nearly tie, in the typical fit."""
    if not np.median([fold.node_agreement for fold in folds]) < AGREEING:  # NaN, no grid, is fine
        return []
    typical = np.median([fold.node_agreements for fold in folds], axis=0)
    worst = int(typical.argmin())
    return [f"{folds[0].names[worst]}: near tie, adjusted Rand index {typical[worst]:.2f}"]


def _cuts(folds: list[Fold], pairs: bool = True) -> list[str]:
    """Say where most folds have no gap: by a node, or between some two cells, one was cut."""
    numbers = {
        f"{name}: no gap between its outcomes": n_cut
        for name, n_cut in zip(folds[0].names, np.sum([f.cut for f in folds], axis=0), strict=True)
    }
    if pairs and max(numbers.values()) <= len(folds) / 2:  # else that is why
        numbers["no gap between two cells"] = sum(fold.has_cut_pair for fold in folds)
    return [
        f"{failure} in {number} of {len(folds)} folds"
        for failure, number in numbers.items()
        if number > len(folds) / 2
    ]
