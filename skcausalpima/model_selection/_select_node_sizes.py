"""Choosing the number of nodes and of their outcomes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import BaseCrossValidator, check_cv

from .._base.progress_lines import ProgressLines
from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import JOBS, validate_params
from .._base.scikit_learn import HasMethods, num_samples
from .._base.types import Groups, Samples, Seed, Sizes
from .._clustering.node_sizes import check_node_names, check_node_sizes
from .._data.adapters import as_array
from .._data.validation import as_container
from .._held_out.fits import warnings_once, with_warnings
from .._held_out.held_out import HeldOut, Part, folds_of
from .._held_out.stated_units import units_of
from .._held_out.units import Units
from ._choice import alarms_of, choose, refuse_alarmed, verdicts
from ._judged import NAME, judged_candidates
from ._proposals import proposed
from ._verdicts import Results, measure

__all__ = ["NodeSizeSelection", "select_node_sizes"]

#: Letters of a verdict, so that a line has at most 79.
LETTERS = 52

#: Numbers of folds, splitters, and pairs of rows.
Splits: TypeAlias = int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]]


class _Selection(NamedTuple):
    """The fields of a :class:`NodeSizeSelection`."""

    best_node_sizes: Sizes
    best_estimator: BaseEstimator | None
    results: Results


class NodeSizeSelection(ShownTable, _Selection):
    """Which node sizes the data support.

    Parameters
    ----------
    best_node_sizes : tuple of int
        The candidate that was chosen.
    best_estimator : CausalPIMA or None
        It, fitted to all samples; None where an interrupt came before.
    results : dict of str to list or ndarray
        One entry per candidate, in their order: ``node_sizes``; whether it was ``fitted`` to folds,
        or else all figures are those of the start of such fits; ``mean_bound`` and ``std_bound``,
        the bound of held-out samples over the folds, NaN where none was fitted; ``stability``, the
        median over pairs of folds of the smallest Jaccard similarity of a cell with its
        counterpart; ``told``, for each node whether most fits tell that it is a factor, a tuple of
        bool (a single node claims nothing, and is); whether the candidate is ``supported``, and
        else which tests it has ``failed``, or why it was not fitted, a tuple of sentences: cells
        are named by their outcomes as in the first fold; and the ``verdict`` in words. The chosen
        one is not supported where the report of its fit to all samples is alarmed. After an
        interrupt, candidates that are
        not complete are left out. Medians over the folds are
        ``overlap``, the largest lift of two cells; ``shared``, the largest part of a cell's
        probabilities that is another's; ``separation``, the smallest Fisher ratio of two
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

    def to_frame(self) -> Frame:
        """Return one row per candidate.

        Returns
        -------
        pandas.DataFrame
            The columns are the names in ``results``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.model_selection import select_node_sizes
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> model = CausalPIMA(2, max_iter=2, random_state=0)
        >>> select_node_sizes(model, X, [2, 3], cv=3).to_frame()["node_sizes"].tolist()
        [(2,), (3,)]
        """
        return pandas_for("to_frame").DataFrame(self.results)

    def _as_table(self) -> TableText:
        """Write a row for each candidate, and which was chosen."""
        names = "node_sizes", "stability", "verdict"
        listed = zip(*(self.results[name] for name in names), strict=True)
        first = sorted(listed, key=lambda one: one[0] != self.best_node_sizes)
        rows = [
            [str(sizes), f"{again:.2f}", textwrap.shorten(verdict, LETTERS, placeholder="…")]
            for sizes, again, verdict in first
        ]
        notes = [f"Chosen: {self.best_node_sizes}. All reasons are in results['failed']."]
        if self.best_estimator is None:
            notes.append("It is not fitted to all samples: an interrupt came before.")
        head = "node sizes", "found again", "verdict"
        return TableText("Which node sizes the data support", head, rows, notes)


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict_proba", "set_params", "score_samples"])],
        "n_jobs": [JOBS, None],
        "verbose": ["verbose", None],
    },
    prefer_skip_nested_validation=False,  # the fits check their own parameters
)
def select_node_sizes(
    estimator: BaseEstimator,
    X: Samples,
    candidates: Sequence[int | Sequence[int]] | None = None,
    *,
    cv: Splits = 5,
    groups: Groups = None,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> NodeSizeSelection:
    r"""Choose the largest grid whose cells are found again from other samples.

    A candidate is *supported* where

    - its cells are found again: fitted to the training sets of two folds, it puts the samples
      into the same cells of the same grid. The Jaccard similarity of each outcome of each node
      with its counterpart, in the median over pairs of folds, is at least 0.85, from which Hennig
      [1]_ calls a cluster highly stable, or so little less that it may be chance, by the number of
      its samples (1.645 standard errors of a share: 0.82 of 300 samples, 0.79 of 100), but never
      below 0.75. A cell of several nodes, in which what is wrong in any of them is wrong, is asked
      for the product of what its outcomes are (0.72 of two nodes, 0.61 of three), and never for
      less than 0.5;
    - its cells are apart: no two overlap as much as if they ignored each other (lift 1), and none
      shares a fifth of its probabilities with another (two equal Gaussians with one peak do);
    - in most fits there are gaps between the outcomes of each node, and between any two cells
      (``gaps_``): half-way from cell to cell samples are less dense, which is not so where a ring
      is cut in pieces;
    - its arrangement is no near tie: nodes stay the same (adjusted Rand index .9) in others that
      leave less than 1.05 times as much of the differences between clusters unexplained (grids of
      several nodes only);
    - its nodes are told to be factors in most fits (``arrangement_.told``), or all but one of three
      or more: else its cells may be kinds without factors. A large grid with empty cells, which
      is not asked, is not told.

    The candidate with most cells is chosen, as by prediction strength [2]_: it sees what the others
    see, and more. Of those with as many cells a supported one comes first, then the one with most
    nodes, which also says how the cells hang together, and then the one with the best bound of
    held-out samples. So a grid that fails nothing but to be told, and is not supported, makes way
    for a single node of as many outcomes, which claims less, but for no candidate of fewer cells.

    So candidates are fitted from the largest down, and not below the first that is supported. The
    last fold is left out where it cannot change a verdict. Before, all of them are looked at in the
    *start* of fits, which takes about a tenth of a fit for each: clusters of the training sets,
    laid on the grid. What fails there by so much that no training mends it is not fitted: outcomes
    whose similarity is less than asked by more than 0.25, and nodes without a gap in most folds.

    Without ``candidates`` some are proposed by the start of a fit, before any training: single
    nodes with numbers of clusters that parts of the samples agree on, and grids on which such
    clusters have one clear place, a better one than random means would have, each beside a single
    node of as many outcomes. There are eight at most, of at most 24 cells. That takes about as long
    as a fit, and all that ``estimator`` states holds.

    The bound does not choose between grids: it keeps rising when cells that hold together are cut
    in pieces, and it depends on the dimension of the latent space and on the length of training,
    which follow from ``node_sizes`` by default.

    Parameters
    ----------
    estimator : CausalPIMA
        Its other parameters are used as they are. With a given ``latent_dim`` and ``max_iter`` the
        bounds of candidates can be compared.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Training data.
    candidates : sequence of (int or sequence of int), default=None
        The ``node_sizes`` to try; an int is that of a single node. None proposes some.
    cv : int, cross-validation generator or iterable, default=5
        A number of folds (shuffled by the estimator's ``random_state``), or anything that
        scikit-learn's ``check_cv`` knows. At least two folds; five make ten pairs, three only
        three, among which one poor fit decides.
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together
        (:doc:`/guide/groups`): a number of folds
        keeps them together, and a splitter of scikit-learn gets them.
    n_jobs : int, default=None
        Number of fits at a time.
    verbose : int, default=None
        1 prints what is proposed and, from the first fit of each candidate on, how many are done
        and what time is left for it, in a line that is rewritten (about six whole ones but in a
        terminal or notebook); 2 prints a line for each. The fits themselves print if ``estimator``
        does. 0 prints nothing; None is 1 in a terminal or notebook after ten seconds, and else 0.

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
        Each candidate fails a test besides that of being told; the most stable one is returned. The
        warning has what it failed.
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
    >>> selection.results["failed"][1]  # of the three
    ()
    """
    stated = None if candidates is None else _check_candidates(candidates)
    X, units = units_of(estimator, X, groups)
    X = as_container(X)
    splits = _splits(cv, X, estimator.random_state, units)
    n_training = min(part.units.n for part in splits)
    tried = proposed(estimator, X, n_training, units) if stated is None else stated
    if stated is None:
        lines = ProgressLines(verbose, NAME)
        lines.show(f"candidates: {', '.join(map(str, tried))}", 1, 1)
        lines.close()
    what = "samples" if units.are_rows else "groups"
    for sizes in tried:
        if math.prod(sizes) > n_training:  # before anything is fitted
            raise ValueError(
                f"candidates hold {sizes}, a grid of {math.prod(sizes)} cells, but the smallest "
                f"training set of cv has {n_training} {what}: leave out grids that are larger."
            )
    models = {
        sizes: clone(estimator).set_params(node_sizes=_named(estimator, sizes)) for sizes in tried
    }
    with warnings_once() as raised:
        judged, interrupted = judged_candidates(models, X, splits, n_jobs, verbose)
        folds, failed, is_fitted, is_sound = zip(*judged.values(), strict=True)
        results = measure(list(judged), list(folds), list(failed))
        results["fitted"] = np.array(is_fitted)
        number = choose(results, np.array(is_sound))
        best, final = list(judged)[number], None
        if not interrupted:
            fit = partial(models[best].fit, X, **units.fit_params)
            final, of_final = with_warnings(fit)
            raised.append(of_final)
    if final is not None:
        refuse_alarmed(results, number, alarms_of(final))
    results["verdict"] = verdicts(results, np.array(is_sound))
    return NodeSizeSelection(best, final, results)


def _named(estimator: BaseEstimator, sizes: Sizes) -> Sizes | dict[str, int]:
    """Return node sizes under the names that those of the estimator have."""
    if not isinstance(estimator.node_sizes, Mapping):
        return sizes
    names = check_node_names(list(estimator.node_sizes), len(sizes))
    return dict(zip(names, sizes, strict=True))


def _check_candidates(candidates: Sequence[int | Sequence[int]]) -> list[Sizes]:
    """Return the candidates as tuples."""
    expected = "candidates must hold at least one node_sizes, such as (2, 2), and none twice"
    try:
        is_text = isinstance(candidates, (str, bytes, bytearray, memoryview))
        given = None if is_text else list(candidates)
    except TypeError:
        given = None
    if given is None:
        raise TypeError(f"{expected}: pass a sequence of such.")
    checked: list[Sizes] = []
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


def _splits(cv: Splits, X: Samples, random_state: Seed, units: Units) -> tuple[Part, ...]:
    """Return the rows of training and held-out samples of each fold."""
    if isinstance(cv, (bool, np.bool_)):
        raise TypeError(f"cv is {cv!r}: expected a number of folds, a splitter or splits.")
    if isinstance(cv, Integral):
        n_folds = int(cv)
        if not units.are_rows and units.n < n_folds:
            raise ValueError(f"cv={cv} folds need as many groups, got {units.n}: pass fewer folds.")
        cv = folds_of(units, n_folds, random_state)
    try:
        pairs = list(check_cv(cv).split(X, groups=units.codes))
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"cv does not split X into pairs of rows: {error}") from error
    n_samples = num_samples(X)
    splits = [(_rows(training, n_samples), _rows(other, n_samples)) for training, other in pairs]
    if len(splits) < 2:
        raise ValueError("cv must make at least two folds, whose cells can be compared, got one.")
    return HeldOut.splits(units, splits).parts


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
