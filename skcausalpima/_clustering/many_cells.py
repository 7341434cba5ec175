"""Nodes of a grid of many cells, found before the cells are.

Hundreds of clusters cannot be told one by one from a dozen samples each. But where effects of nodes
add up, and every combination of outcomes counts alike, nodes are independent sources: independent
components of rough cluster means, in groups that depend on each other within, show one node each.
From there a mixture whose means add up (:mod:`.factorial`) finds nodes and cells together.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import RandomState
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from .._base.grid import NodeGrid, n_effects
from .._held_out.matching import adjusted_rand_index, align_nodes, known_counts, outcome_indicators
from .arrangement import arrange_labels
from .clusters import Clustering, Place
from .factorial import FactorialFit, FactorialMixture, exchanged
from .margins import (
    AGREED,
    AGREEING,
    CLEAR_SAMPLE,
    FEW_CELLS,
    HOPELESS,
    LEAST_COUNT,
    MAX_SEARCHED,
    SAME_NODES_BOUND,
    SIGNAL,
)

_MAX_ELEMENTS = 4_000_000  # responsibilities of the rows that nodes are sought in
_N_STARTS = 6  # independent ones, until two of them agree
_N_TURNS = 5  # of components and mixture from each start
_SHORT_ITER = 25
_MAX_ITER = 100
_N_MOVES = 80  # exchanges of one node or two that are tried on each start
_MAX_PAIR = 36  # cells of two nodes that are sought anew together
_N_BINS = 4


def has_many_cells(node_sizes: Sequence[int]) -> bool:
    """Return whether nodes are to be found before the cells are.

    Examples
    --------
    >>> from skcausalpima._clustering.many_cells import has_many_cells
    >>> has_many_cells((3,) * 5), has_many_cells((2,) * 7), has_many_cells((200,))
    (True, False, False)
    """
    return len(node_sizes) > 1 and math.prod(node_sizes) > FEW_CELLS


def is_arranged(init: str, node_sizes: Sequence[int]) -> bool:
    """Return whether clusters are found in the data and laid on the grid."""
    return init == "arranged" and math.prod(node_sizes) <= MAX_SEARCHED and len(node_sizes) > 1


def is_beyond_search(init: str, node_sizes: Sequence[int]) -> bool:
    """Return whether a grid that is to be arranged has so many cells that it is not tried.

    Examples
    --------
    >>> from skcausalpima._clustering.many_cells import is_beyond_search
    >>> is_beyond_search("arranged", (4,) * 6), is_beyond_search("linear", (4,) * 6)
    (True, False)
    """
    return init == "arranged" and len(node_sizes) > 1 and not is_arranged(init, node_sizes)


def search_grid(
    points: np.ndarray, node_sizes: Sequence[int], known: np.ndarray | None, rng: RandomState
) -> Clustering:
    """Find the nodes of a grid of many cells on which their effects add up.

    Independent starts are made until two of them come to the same nodes, which are also the
    likeliest ones. Each is improved by seeking single nodes, and pairs of them, anew.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        Principal scores by falling variance.
    node_sizes : sequence of int
        Number of outcomes of each node.
    known : ndarray of shape (n_samples, n_nodes) or None
        Known outcomes, -1 where unknown.
    rng : RandomState
        For all starts.

    Returns
    -------
    Clustering
        One cluster for each cell, in C order; its place says whether it is to be trusted.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.many_cells import search_grid
    >>> rng = np.random.RandomState(0)
    >>> nodes = rng.randint(2, size=(800, 8))
    >>> found = search_grid(8.0 * nodes + rng.normal(size=(800, 8)), (2,) * 8, None, rng)
    >>> found.place.found, found.responsibilities.shape
    (True, (800, 256))
    """
    sizes = tuple(int(size) for size in node_sizes)
    n_rows = max(1000, _MAX_ELEMENTS // math.prod(sizes))
    rows = np.sort(rng.permutation(len(points))[:n_rows])
    part = FactorialMixture(points[rows], sizes, None if known is None else known[rows])
    first, second = _two_best(part, rng)
    whole = FactorialMixture(points, sizes, known)
    best = whole.refit(first, _MAX_ITER)
    certainty = 1.0 - float(whole.doubts(best).mean())
    agreement = _agreement(part, first, second)
    gamma = best.responsibilities * (best.counts >= LEAST_COUNT)  # others are empty
    gamma /= np.maximum(gamma.sum(axis=1, keepdims=True), 1e-300)
    counts = gamma.sum(axis=0)
    return Clustering(
        responsibilities=gamma,
        labels=gamma.argmax(axis=1),
        occupancy=counts / len(points),
        separation=np.nan,
        overlap=np.nan,
        source="mixture of added effects",
        place=Place(
            found=bool(agreement.min() >= AGREEING) and certainty >= CLEAR_SAMPLE,
            node_agreement=agreement,
            certainty=certainty,
        ),
        rule=AddedEffects(sizes=sizes, fit=replace(best, responsibilities=np.empty((0, 0)))),
    )


@dataclass(frozen=True, kw_only=True)
class AddedEffects:
    """Points belong to the cells of a mixture whose means add up.

    Parameters
    ----------
    sizes : tuple of int
        Number of outcomes of each node.
    fit : FactorialFit
        The mixture.
    """

    sizes: tuple[int, ...]
    fit: FactorialFit

    def responsibilities(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities of the cells, (n_points, n_cells)."""
        return FactorialMixture(scores, self.sizes).assigned(self.fit)


def _two_best(mixture: FactorialMixture, rng: RandomState) -> tuple[FactorialFit, FactorialFit]:
    """Return the likeliest end of several starts, and one that has its nodes, or the next best."""
    first = second = _improved(mixture, _chain(mixture, rng), rng)
    for start in range(1, _N_STARTS):
        end = _chain(mixture, rng)
        if _agreement(mixture, first, end).min() < AGREEING:
            end = _improved(mixture, end, rng)
        is_same = _agreement(mixture, first, end).min() >= AGREEING
        better, worse = (first, end) if first.bound >= end.bound else (end, first)
        if is_same:
            return better, worse
        if start > 1 and better is first and second.bound > worse.bound:
            worse = second
        first, second = better, worse
    return first, second


def _chain(mixture: FactorialMixture, rng: RandomState) -> FactorialFit:
    """Alternate between components of cluster means and the mixture; return its best state."""
    points, sizes = mixture.points, mixture.sizes
    n_dims = _n_signals(points, sizes)
    n_clusters = min(math.prod(sizes), len(points) // 4)
    kmeans = KMeans(n_clusters, n_init=1, max_iter=30, random_state=_seed(rng))
    labels = kmeans.fit_predict(points[:, :n_dims])
    counts = np.bincount(labels, minlength=n_clusters)
    sums = np.stack([np.bincount(labels, column, n_clusters) for column in points.T], axis=1)
    best = None
    for _ in range(_N_TURNS):
        is_large = counts >= 2 if (counts >= 2).sum() > 2 * n_dims else counts > 0
        means = sums[is_large] / counts[is_large, None]
        nodes = _independent_nodes(points, means, sizes, n_dims, rng)
        if mixture.known is not None:
            tables = known_counts(mixture.known, np.arange(len(nodes)), len(nodes), sizes)
            nodes = align_nodes(nodes, tables)[0]
        fit = mixture.fit(nodes, _SHORT_ITER)
        if best is not None and abs(fit.bound - best.bound) < SAME_NODES_BOUND:
            return max(best, fit, key=lambda state: state.bound)
        best = fit if best is None or fit.bound > best.bound else best
        sums, counts = best.responsibilities.T @ points, best.counts
    assert best is not None
    return best


def _seed(rng: RandomState) -> int:
    return int(rng.randint(2**31 - 1))


def _n_signals(points: np.ndarray, sizes: Sequence[int]) -> int:
    """Return along how many directions cells differ, no more than there are effects.

    The scores beyond these are noise; outcomes in a row have fewer directions than effects.
    """
    most = min(n_effects(sizes), points.shape[1])
    variances = points.var(axis=0)
    beyond = variances[most:][variances[most:] > 0]
    noise = np.median(beyond) if len(beyond) else 0.0
    return max(len(sizes), int((variances[:most] > SIGNAL * noise).sum()))


def _independent_nodes(
    points: np.ndarray, means: np.ndarray, sizes: tuple[int, ...], n_dims: int, rng: RandomState
) -> np.ndarray:
    """Return outcomes of nodes, from groups of independent components of cluster means.

    Means count alike: in a sample nodes depend on each other, on a grid they do not.
    """
    centre = means.mean(axis=0)
    _, singular, vectors = np.linalg.svd(means - centre, full_matrices=False)
    n_dims = min(n_dims, int((singular > 1e-9 * singular[0]).sum()))
    whitening = vectors[:n_dims].T / singular[:n_dims] * math.sqrt(len(means))
    contrast = "logcosh" if rng.randint(2) else "cube"
    ica = FastICA(fun=contrast, whiten=False, max_iter=200, tol=1e-3, random_state=_seed(rng))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        components = ica.fit_transform((means - centre) @ whitening)
    of_points = ica.transform((points - centre) @ whitening)
    dependence = _dependence(components)
    if n_dims == sum(size - 1 for size in sizes):
        groups = _groups_of(dependence, [size - 1 for size in sizes], rng)
    else:
        groups = _groups_for(dependence, components, sizes, rng)
    columns = []
    for size, group in zip(sizes, groups, strict=True):
        kmeans = KMeans(size, n_init=4, random_state=_seed(rng)).fit(components[:, group])
        columns.append(kmeans.predict(np.ascontiguousarray(of_points[:, group])))
    return np.stack(columns, axis=1).astype(np.int64)


def _dependence(components: np.ndarray) -> np.ndarray:
    """Return the mutual information of pairs of components, cut at their quantiles."""
    n_means, n_dims = components.shape
    cuts = np.quantile(components, np.arange(1, _N_BINS) / _N_BINS, axis=0)
    bins = (components[:, :, None] > cuts.T).sum(axis=2)
    marks = np.eye(_N_BINS)[bins].reshape(n_means, -1)
    joint = (marks.T @ marks / n_means).reshape(n_dims, _N_BINS, n_dims, _N_BINS)
    margins = marks.mean(axis=0).reshape(n_dims, _N_BINS)
    expected = margins[:, :, None, None] * margins
    ratio = np.divide(joint, expected, out=np.ones_like(joint), where=joint > 0)
    information = (joint * np.log(ratio)).sum(axis=(1, 3))
    np.fill_diagonal(information, 0.0)
    return information


def _groups_of(
    dependence: np.ndarray, numbers: Sequence[int], rng: RandomState
) -> list[np.ndarray]:
    """Return groups of so many components that depend most on each other: swaps from 20 starts."""
    rows, best, largest = np.arange(len(dependence)), None, -1.0
    for _ in range(20):
        owner = rng.permutation(np.repeat(np.arange(len(numbers)), numbers))
        while True:
            within = dependence @ np.eye(len(numbers))[owner]  # (component, group)
            gain = within[:, owner] - within[rows, owner][:, None]
            gain = np.where(owner[:, None] == owner, 0.0, gain + gain.T - 2 * dependence)
            first, second = np.unravel_index(gain.argmax(), gain.shape)
            if gain[first, second] < 1e-9:
                break
            owner[[first, second]] = owner[[second, first]]
        total = within[rows, owner].sum()
        if total > largest:
            best, largest = owner, total
    return [np.flatnonzero(best == group) for group in range(len(numbers))]


def _groups_for(
    dependence: np.ndarray, components: np.ndarray, sizes: Sequence[int], rng: RandomState
) -> list[np.ndarray]:
    """Return a group of components for each node where nodes may have fewer than their effects.

    Those that depend on each other most are joined until there are as many groups as nodes. Then
    sizes are shared out so that the outcomes of all nodes are as compact as they can be.
    """
    groups = [[component] for component in range(len(dependence))]
    while len(groups) > len(sizes):
        pairs = list(itertools.combinations(range(len(groups)), 2))
        means = [dependence[np.ix_(groups[i], groups[j])].mean() for i, j in pairs]
        first, second = pairs[int(np.argmax(means))]
        groups[first] += groups.pop(second)
    while len(groups) < len(sizes):  # fewer components than nodes: some share all of them
        groups.append(list(range(len(dependence))))
    scatter = np.zeros((len(sizes), len(groups)))
    for size in set(sizes):
        for g, group in enumerate(groups):
            kmeans = KMeans(size, n_init=2, random_state=_seed(rng)).fit(components[:, group])
            spread = kmeans.inertia_ / len(components) / len(group)
            scatter[np.array(sizes) == size, g] = len(group) * math.log(max(spread, 1e-9))
    return [np.array(groups[g]) for g in linear_sum_assignment(scatter)[1]]


def _improved(mixture: FactorialMixture, fit: FactorialFit, rng: RandomState) -> FactorialFit:
    """Seek single nodes and pairs of nodes anew, the most doubtful ones first, while that helps."""
    if mixture.doubts(fit).mean() > HOPELESS:
        return fit
    numbers, n_moves, tried = range(len(mixture.sizes)), 0, set()
    pairs = [
        pair
        for pair in itertools.combinations(numbers, 2)
        if math.prod(mixture.sizes[node] for node in pair) <= _MAX_PAIR
    ]
    while n_moves < _N_MOVES:
        doubts = mixture.doubts(fit)
        moves = [move for move in [*((n,) for n in numbers), *pairs] if move not in tried]
        if not moves:
            break
        move = max(moves, key=lambda nodes: doubts[list(nodes)].mean())
        tried.add(move)
        n_moves += 1
        other = _moved(mixture, fit, move, rng)
        if other is not None and other.bound > fit.bound + SAME_NODES_BOUND:
            fit, tried = other, set()
    return fit


def _moved(
    mixture: FactorialMixture, fit: FactorialFit, out: tuple[int, ...], rng: RandomState
) -> FactorialFit | None:
    """Return the mixture with some nodes found anew; None where they are what they were."""
    nodes, sizes = mixture.nodes(fit), tuple(mixture.sizes[node] for node in out)
    rest = exchanged(mixture, fit, out)
    kmeans = KMeans(math.prod(sizes), n_init=2, random_state=_seed(rng))
    labels = kmeans.fit_predict(rest).astype(np.int64)
    new = labels[:, None]
    if len(out) > 1:
        known = None if mixture.known is None else mixture.known[:, out]
        laid = arrange_labels(labels, rest, sizes, known, rng)
        new = NodeGrid(sizes).outcomes(laid.cells[labels])
    old = nodes[:, out]
    new, _, n_equal = align_nodes(new, outcome_indicators(old, sizes))
    if n_equal > AGREED * old.size:
        return None
    nodes[:, out] = new
    moved = mixture.fit(nodes, _SHORT_ITER // 3)
    if moved.bound < fit.bound - 0.1:
        return None
    return mixture.refit(moved, _SHORT_ITER)


def _agreement(mixture: FactorialMixture, one: FactorialFit, other: FactorialFit) -> np.ndarray:
    """Return the adjusted Rand index of each node with the one that it matches in another fit."""
    tables = outcome_indicators(mixture.nodes(one), mixture.sizes)
    marks = outcome_indicators(align_nodes(mixture.nodes(other), tables)[0], mixture.sizes)
    return np.array([adjusted_rand_index(m.T @ t) for m, t in zip(marks, tables, strict=True)])
