"""Choosing the number of nodes and of their outcomes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import BaseCrossValidator, KFold, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, validate_params
from sklearn.utils.validation import _num_samples

from ._clustering.clusters import describe
from ._clustering.matching import align_nodes, outcome_indicators
from ._clustering.rivals import AGREEING, MIN_STABILITY
from ._data.arrays import as_array
from ._data.multimodal_data import MultimodalData
from ._data.validation import is_several
from ._grid import NodeGrid
from ._model.parameters import check_node_sizes
from ._repeated_fits import completed
from ._scalar_checks import JOBS
from ._typing import Samples, Seed
from ._warnings import warn_caller
from .exceptions import (
    InterruptionWarning,
    NodeSizesWarning,
)

__all__ = ["NodeSizeSelection", "select_node_sizes"]

#: Clusters with this lift overlap as much as clusters that ignore each other.
MAX_OVERLAP = 1.0
#: What is told of the typical fold.
FIGURES = ("overlap", "separation", "smallest_share", "agreement", "gap", "node_agreement")

#: Numbers of folds, splitters, and pairs of rows.
Splits: TypeAlias = int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]]
#: One entry per candidate, by name.
Results: TypeAlias = dict[str, list[tuple[int, ...]] | np.ndarray]


class NodeSizeSelection(NamedTuple):
    """Which node sizes the data support.

    Parameters
    ----------
    best_node_sizes : tuple of int
        The candidate that was chosen.
    best_estimator : CausalPIMA or None
        It, fitted to all samples; None where an interrupt came before.
    results : dict of str to list or ndarray
        One entry per candidate that was fitted to all folds, in their order: ``node_sizes``;
        ``mean_bound`` and ``std_bound``, the bound of held-out samples over the folds;
        ``stability``, the median over pairs of folds of the smallest Jaccard similarity of a cell
        with its counterpart; and whether the candidate is ``supported``. Medians over the folds are
        ``overlap``, the largest lift of two cells; ``separation``, the smallest Fisher ratio of two
        cells in latent space; ``smallest_share`` of the samples in a cell; ``agreement`` of the
        starts; ``gap`` of the arrangement, and ``node_agreement``, the smallest adjusted Rand index
        of a node under near ties (NaN where there is no arrangement).

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0)
    >>> from skcausalpima.model_selection import select_node_sizes
    >>> selection = select_node_sizes(model, X, [2, 3], cv=3)
    >>> selection.results["node_sizes"]
    [(2,), (3,)]
    """

    best_node_sizes: tuple[int, ...]
    best_estimator: BaseEstimator | None
    results: Results


@dataclass(frozen=True, kw_only=True)
class _Fold:
    """What is kept of a candidate's fit to one training set."""

    cells: np.ndarray  # (n_samples, n_nodes): of all samples
    bounds: np.ndarray  # of the held-out samples
    overlap: float
    separation: float
    smallest_share: float
    agreement: float
    gap: float
    node_agreement: float


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict_proba", "set_params", "score_samples"])],
        "n_jobs": [JOBS, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,  # the fits check their own parameters
)
def select_node_sizes(
    estimator: BaseEstimator,
    X: Samples,
    candidates: Sequence[int | Sequence[int]],
    *,
    cv: Splits = 5,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> NodeSizeSelection:
    r"""Choose the largest grid whose cells are found again from other samples.

    A candidate is *supported* where

    - its cells are found again: fitted to the training sets of two folds, it puts the samples
      into the same cells of the same grid. The smallest Jaccard similarity of a cell with its
      counterpart, in the median over pairs of folds, is at least 0.85, from which Hennig [1]_ calls
      a cluster highly stable;
    - its cells are apart: no two overlap as much as if they ignored each other (lift 1);
    - its arrangement is no near tie: nodes stay the same (adjusted Rand index .9) in others that
      leave less than 1.05 times as much of the differences between clusters unexplained (grids of
      several nodes only).

    Of supported candidates the one with most cells is chosen, as by prediction strength [2]_: it
    sees what the others see, and more. Of those with as many cells it is the one with most nodes,
    which also says how the cells hang together, and of these the one with the best bound of
    held-out samples.

    That bound does not choose between grids: it keeps rising when cells that hold together are cut
    in pieces, and it depends on the dimension of the latent space and on the length of training,
    which follow from ``node_sizes`` by default.

    Parameters
    ----------
    estimator : CausalPIMA
        Its other parameters are used as they are. With a given ``latent_dim`` and ``max_iter`` the
        bounds of candidates can be compared.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Training data.
    candidates : sequence of (int or sequence of int)
        The ``node_sizes`` to try; an int is that of a single node.
    cv : int, cross-validation generator or iterable, default=5
        A number of folds (shuffled by the estimator's ``random_state``), or anything that
        scikit-learn's ``check_cv`` knows. At least two folds; five make ten pairs, three only
        three, among which one poor fit decides.
    n_jobs : int, default=None
        Number of fits at a time.
    verbose : int, default=0
        1 prints how many fits are done and what time is left, in a line that is rewritten (about
        five lines where standard output is no terminal); 2 prints a line for each. The fits
        themselves print if ``estimator`` does.

    Returns
    -------
    NodeSizeSelection
        The choice, its fit to all samples, and what was measured. After an interrupt (Ctrl-C) it
        is the choice among the candidates that are complete, without a fit to all samples.

    Raises
    ------
    KeyboardInterrupt
        If it comes before a candidate is complete.

    Warns
    -----
    NodeSizesWarning
        No candidate is supported; the most stable one is returned.
    InterruptionWarning
        An interrupt came before all candidates were complete.

    References
    ----------
    .. [1] C. Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics &
       Data Analysis 52, 2007.
    .. [2] R. Tibshirani and G. Walther, "Cluster validation by prediction strength", Journal of
       Computational and Graphical Statistics 14, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.model_selection import select_node_sizes
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(3, size=150)
    >>> X = [rng.normal(size=(150, 4, 4)) + 4 * group[:, None, None], rng.normal(size=(150, 5))]
    >>> model = CausalPIMA(max_iter=2, random_state=0)
    >>> selection = select_node_sizes(model, X, [2, 3, 5], cv=3)
    >>> selection.best_node_sizes
    (3,)
    """
    candidates = _check_candidates(candidates)
    if is_several(X) and not isinstance(X, MultimodalData):
        X = MultimodalData(X)
    splits = _splits(cv, X, estimator.random_state)
    fits, interrupted = completed(
        [
            partial(_fit_fold, clone(estimator).set_params(node_sizes=sizes), X, *split)
            for sizes in candidates
            for split in splits
        ],
        n_jobs,
        verbose,
        "select_node_sizes",
    )
    if interrupted:
        candidates, fits = _complete(candidates, fits, len(splits))
    n_folds, kept = len(splits), list(fits.values())
    folds = [kept[k * n_folds : (k + 1) * n_folds] for k in range(len(candidates))]
    results = _measure(candidates, folds)
    best = _choose(results)
    if interrupted:
        return NodeSizeSelection(candidates[best], None, results)
    refitted = clone(estimator).set_params(node_sizes=candidates[best]).fit(X)
    return NodeSizeSelection(candidates[best], refitted, results)


def _complete(
    candidates: list[tuple[int, ...]], fits: dict[int, _Fold], n_folds: int
) -> tuple[list[tuple[int, ...]], dict[int, _Fold]]:
    """Return the candidates that were fitted to all folds before an interrupt, and their fits."""
    known = [
        number
        for number in range(len(candidates))
        if fits.keys() >= set(range(number * n_folds, (number + 1) * n_folds))
    ]
    if not known:
        raise KeyboardInterrupt
    warn_caller(
        f"Interrupted: {len(known)} of {len(candidates)} candidates are complete, and the choice "
        "is among them. best_estimator is None: fit a clone with best_node_sizes.",
        InterruptionWarning,
    )
    return (
        [candidates[number] for number in known],
        {k: fold for k, fold in fits.items() if k // n_folds in known},
    )


def _check_candidates(candidates: Sequence[int | Sequence[int]]) -> list[tuple[int, ...]]:
    """Return the candidates as tuples."""
    expected = "candidates must hold at least one node_sizes, such as (2, 2), and none twice"
    try:
        is_text = isinstance(candidates, (str, bytes, bytearray, memoryview))
        given = None if is_text else list(candidates)
    except TypeError:
        given = None
    if given is None:
        raise TypeError(f"{expected}: pass a sequence of such.")
    checked: list[tuple[int, ...]] = []
    for sizes in given:
        try:
            sizes = np.atleast_1d(as_array(sizes, "an entry")).tolist()
            checked.append(check_node_sizes(sizes))
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{expected}, but it holds {sizes!r:.100}: {error}") from error
    if not checked or len(set(checked)) < len(checked):
        raise ValueError(f"{expected}, got {given}.")
    return checked


def _splits(cv: Splits, X: Samples, random_state: Seed) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows of training and held-out samples of each fold."""
    if isinstance(cv, (bool, np.bool_)):
        raise TypeError(f"cv is {cv!r}: expected a number of folds, a splitter or splits.")
    if isinstance(cv, Integral):
        cv = KFold(cv, shuffle=True, random_state=random_state)
    try:
        pairs = [(training, held_out) for training, held_out in check_cv(cv).split(X)]
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"cv does not split X into pairs of rows: {error}") from error
    n_samples = _num_samples(X)
    splits = [(_rows(training, n_samples), _rows(other, n_samples)) for training, other in pairs]
    if len(splits) < 2:
        raise ValueError("cv must make at least two folds, whose cells can be compared, got one.")
    return splits


def _rows(rows: ArrayLike, n_samples: int) -> np.ndarray:
    """Return the rows that one side of a split holds, of all that there are."""
    rows = as_array(rows, "a side of a split of cv")
    if rows.dtype == bool:
        if rows.shape != (n_samples,):
            raise ValueError(
                f"cv holds a mask of shape {rows.shape}, but X has {n_samples} samples."
            )
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size > 0 and rows.dtype.kind not in "iu"):
        raise TypeError(f"cv must hold integers, the numbers of rows, or masks, got {rows!r:.100}.")
    if rows.size == 0:
        raise ValueError("cv has a split with no rows on one side.")
    outside = rows[(rows < 0) | (rows >= n_samples)]
    if outside.size > 0:
        raise ValueError(
            f"cv has a split with row {outside[0]}, but X has {n_samples} samples, numbered from 0."
        )
    return rows


def _fit_fold(
    estimator: BaseEstimator, X: Samples, training: np.ndarray, held_out: np.ndarray
) -> _Fold:
    """Fit one candidate to one training set."""
    estimator.fit(_safe_indexing(X, training))
    probabilities, points = estimator.predict_proba(X), estimator.transform(X)
    found = describe(
        probabilities.astype(float), points.astype(float), np.arange(probabilities.shape[1]), "fit"
    )
    start = estimator.arrangement_
    return _Fold(
        cells=estimator.cluster_states_[found.labels],
        bounds=estimator.score_samples(_safe_indexing(X, held_out)).astype(float),
        overlap=found.overlap,
        separation=found.separation,
        smallest_share=float(found.occupancy.min()),
        agreement=np.nan if start is None else start.agreement,
        gap=np.nan if start is None else start.gap,
        node_agreement=np.nan if start is None else float(start.node_agreement.min()),
    )


def _measure(candidates: list[tuple[int, ...]], folds: list[list[_Fold]]) -> Results:
    """Summarise the folds of each candidate."""
    bounds = np.array([[fold.bounds.mean() for fold in parts] for parts in folds])
    figures = {
        "mean_bound": bounds.mean(axis=1),
        "std_bound": bounds.std(axis=1),
        "stability": np.array(
            [
                np.median([cell_similarity(*pair, sizes) for pair in _pairs(parts)])
                for sizes, parts in zip(candidates, folds, strict=True)
            ]
        ),
    }
    for name in FIGURES:
        values = [[getattr(fold, name) for fold in parts] for parts in folds]
        figures[name] = np.median(values, axis=1)  # of the typical fit
    figures["supported"] = (
        (figures["stability"] >= MIN_STABILITY)
        & (figures["overlap"] < MAX_OVERLAP)
        & ~(figures["node_agreement"] < AGREEING)  # NaN, no grid, is fine
    )
    return {"node_sizes": candidates, **figures}


def _pairs(parts: list[_Fold]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the cells that each two folds put the samples into."""
    return list(itertools.combinations([fold.cells for fold in parts], 2))


def cell_similarity(first: np.ndarray, second: np.ndarray, node_sizes: Sequence[int]) -> float:
    """Return the smallest Jaccard similarity of a cell in two fits to the same grid.

    Parameters
    ----------
    first, second : ndarray of shape (n_samples, n_nodes)
        Outcomes of the same samples. Nodes of one size are matched, and outcomes within nodes.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    float
        In [0, 1]; cells that are empty in both do not count, but it is 0 where an outcome of a
        node never occurs.
    """
    second = align_nodes(second, outcome_indicators(first, node_sizes))[0]
    for nodes in (first, second):
        if [len(np.unique(column)) for column in nodes.T] != list(node_sizes):
            return 0.0
    grid = NodeGrid(tuple(node_sizes))
    cells = [grid.cells(nodes) for nodes in (first, second)]
    sizes = [np.bincount(labels, minlength=grid.n_cells) for labels in cells]
    shared = np.bincount(cells[0][cells[0] == cells[1]], minlength=grid.n_cells)
    union = sizes[0] + sizes[1] - shared
    return float((shared[union > 0] / union[union > 0]).min())


def _choose(results: Results) -> int:
    """Return the index of the candidate to take."""
    supported = np.flatnonzero(results["supported"])
    if not len(supported):
        warn_caller(
            "No candidate is supported by the data: cells that are found again, lie apart and "
            "have a clear arrangement. The most stable one is taken; see results, and try other "
            "candidates, more samples or more epochs.",
            NodeSizesWarning,
        )
        return int(np.argmax(results["stability"]))
    n_cells = [math.prod(sizes) for sizes in results["node_sizes"]]
    n_nodes = [len(sizes) for sizes in results["node_sizes"]]
    bounds = results["mean_bound"]
    return int(max(supported, key=lambda k: (n_cells[k], n_nodes[k], bounds[k])))
