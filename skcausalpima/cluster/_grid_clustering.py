"""The start of a fit as a clusterer of its own: clusters, and the cell of the grid that each is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClusterMixin
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._base.arithmetic import adding_anything, working_in
from .._base.grid import NodeGrid, n_effects
from .._base.naming_estimator import NamingEstimator
from .._base.scalar_checks import SEQUENCE, count
from .._base.types import Seed, Unchecked
from .._base.warn import warn_caller
from .._clustering.arrangement_report import (
    Remedies,
    arrangement_doubt,
    arrangement_figures,
    gaps_and_sums,
    with_factors,
)
from .._clustering.candidates import CandidateReport
from .._clustering.clusters import Rule
from .._clustering.contest import Contest, Trial, View
from .._clustering.independent_components import has_levels, independent_components
from .._clustering.many_cells import has_many_cells
from .._clustering.margins import (
    BETTER_WEIGHTS,
    LEAST_OF_STARTS,
    MAX_SEARCHED,
    ROWS_OF_EMBEDDINGS,
    SCORES_OF_EMBEDDINGS,
)
from .._clustering.node_sizes import check_enough_samples, check_node_sizes
from .._data.table_of_numbers import read_table
from ..exceptions import ArrangementWarning, InstabilityWarning
from ._principal_scores import BLOCK_ROWS, PrincipalAxes

_N_RIVALS = 3  # clusterings that are compared with the chosen one, as in a fit; arbitrary
_DIGITS = 9  # of the largest number: rows that differ in later ones are equal; arbitrary

#: What users can do about doubtful nodes.
REMEDIES = Remedies(
    by_chance="Try smaller node_sizes, more samples, or another random_state.",
    overlap="Compare another random_state before you count on single labels; CausalPIMA, which "
    "takes further modalities and known_nodes, may tell them apart.",
    mixed_up="Try other node_sizes, or CausalPIMA with some known_nodes.",
)


class GridClustering(ClusterMixin, NamingEstimator):
    """Clusters of a table of numbers, laid on the cells of a grid of nodes.

    Where several factors act together, each combination of their outcomes is a cluster, and the
    clusters are the cells of a grid with an axis, a *node*, for each factor. One cluster per cell
    is sought in the principal scores of X by mixtures of Gaussians with more components than there
    are cells, which are merged, and by k-means; from several starts and in several numbers of
    dimensions. Each clustering is laid on the grid so that effects of the nodes on the means of
    the cells add up best, and the one is taken that the others agree with most. Beyond 128 cells
    the nodes are found first.

    This is how a fit of :class:`~skcausalpima.CausalPIMA` begins. It learns no network and no
    graph, takes about a tenth of a second for 1000 samples, and needs no torch.

    Parameters
    ----------
    node_sizes : int, sequence of int or mapping of str to int, default=(2, 2)
        Number of outcomes of each node, as of :class:`~skcausalpima.CausalPIMA`, up to 1024 cells
        in all. An int is that of a single node, whose outcomes are the clusters.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness.

    Attributes
    ----------
    labels_ : ndarray of int of shape (n_samples,)
        The cell of each sample, numbered in C order: ``numpy.ravel_multi_index`` of the outcomes of
        the nodes. Cells may be empty.
    node_labels_ : ndarray of int of shape (n_samples, n_nodes)
        The outcome of each node. Outcomes are numbered by falling number of samples, and nodes of
        one size by falling effect.
    agreement_ : float
        How far the other clusterings agree with this one: the share of equal outcomes of nodes,
        nodes and outcomes matched, in the mean over clusterings. Beyond 128 cells, the mean of
        ``arrangement_.node_agreement``.
    arrangement_ : ArrangementReport or None
        How clusters were laid on the grid, and which nodes are told to be factors; the same figures
        as :class:`~skcausalpima.CausalPIMA` has. None for a single node.
    gaps_ : GapsReport or None
        Whether there are gaps between cells: ``nodes``, ``cut`` and ``pairs``, as of
        :class:`~skcausalpima.CausalPIMA`. None where all samples lie in one cell, and where
        cells are more than 500.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X is a frame with names.

    See Also
    --------
    skcausalpima.CausalPIMA : Also learns networks and a graph; takes several modalities, what is
        missing, what is known.

    Notes
    -----
    Columns are not scaled, as by :class:`~sklearn.cluster.KMeans`: embeddings are in one unit.
    Put a :class:`~sklearn.preprocessing.StandardScaler` before it where columns are in several. Of
    more than 20 000 samples so many are drawn at random, and the others assigned to their clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.cluster import GridClustering
    >>> rng = np.random.default_rng(0)
    >>> colour, shape = rng.integers(2, size=(2, 300))
    >>> X = np.outer(colour, 5 * rng.normal(size=8)) + np.outer(shape, 5 * rng.normal(size=8))
    >>> X += rng.normal(size=X.shape)
    >>> grid = GridClustering((2, 2), random_state=0).fit(X)
    >>> grid.node_labels_.shape, grid.agreement_ > 0.9
    ((300, 2), True)
    >>> grid.arrangement_.told
    array([ True,  True])
    >>> np.array_equal(grid.predict(X), grid.labels_)
    True
    """

    _elsewhere: ClassVar[Mapping[str, str]] = {
        "known_nodes": "CausalPIMA takes them, in fit.",
        "n_init": "twelve clusterings are compared as it is.",
    }
    _parameter_constraints: ClassVar[dict[str, list]] = {
        "node_sizes": [*SEQUENCE, dict, count(1)],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        node_sizes: int | Sequence[int] | Mapping[str, int] = (2, 2),
        *,
        random_state: Seed = None,
    ) -> None:
        self.node_sizes = node_sizes
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Unchecked = None) -> Self:
        """Find the clusters, and the cell that each of them is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples: embeddings, scores, columns in one unit.
        y : None, default=None
            Ignored.

        Returns
        -------
        GridClustering
            The fitted clusterer itself.

        Raises
        ------
        ValueError
            If there are more than 1024 cells or fewer samples than cells, X has other than finite
            numbers, or columns share a name.
        TypeError
            If X is masked, or holds text or dates.

        Warns
        -----
        ArrangementWarning
            If nodes may be others than those of the data.
        InstabilityWarning
            If X has fewer different rows than there are cells, all samples lie in one cell, or
            the clusterings that came next have other cells.

        Examples
        --------
        >>> from skcausalpima.cluster import GridClustering
        >>> from sklearn.datasets import load_iris
        >>> GridClustering(3, random_state=0).fit(load_iris().data).node_labels_.shape
        (150, 1)
        """
        self._validate_params()
        sizes = check_node_sizes(self.node_sizes)
        grid = NodeGrid(sizes)
        if grid.n_cells > MAX_SEARCHED:
            raise ValueError(
                f"node_sizes={sizes} make {grid.n_cells} cells, but clusters are laid on grids of "
                f"no more than {MAX_SEARCHED}: use fewer or smaller nodes."
            )
        X = self._checked(X, reset=True)
        check_enough_samples(sizes, len(X))
        rng = check_random_state(self.random_state)
        rows: np.ndarray | slice = slice(None)
        if len(X) > ROWS_OF_EMBEDDINGS:
            rows = np.sort(rng.permutation(len(X))[:ROWS_OF_EMBEDDINGS])
        seed = rng.randint(2**31 - 1)
        n_scores = max(SCORES_OF_EMBEDDINGS, 2 * n_effects(sizes))
        axes = PrincipalAxes.fit(X[rows], n_scores, seed)
        self._axes, trial = _best_axes(axes, X[rows], sizes, seed)
        scores = self._axes.scores(X)
        chosen, report, with_rivals = trial.chosen, trial.report, _agreement_with_rivals(trial)
        self._rule = cast(Rule, chosen.rule)
        self._cells = report.arrangements[report.chosen].cells
        self._sizes = sizes
        self.labels_ = self._cells_of(scores)
        self.node_labels_ = grid.outcomes(self.labels_)
        self.agreement_ = float(report.agreement[report.chosen])
        _warn_of_few_clusters(scores, self.labels_, grid.n_cells)
        self._tell(scores, report, with_rivals)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the cell of each sample.

        It is found by what the clusters were found by: the mixture whose components were merged,
        or the nearest centre. So the cells of the samples of ``fit`` are ``labels_``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            Numbers of cells, as in ``labels_``.

        Examples
        --------
        >>> from skcausalpima.cluster import GridClustering
        >>> grid = GridClustering(2, random_state=0).fit([[0.0], [0.1], [0.2], [8.0], [8.1], [8.2]])
        >>> grid.predict([[-1.0], [7.0]])
        array([0, 1])
        """
        check_is_fitted(self)
        return self._cells_of(self._axes.scores(self._checked(X, reset=False)))

    def predict_nodes(self, X: ArrayLike) -> np.ndarray:
        """Return the outcome of each node.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of int of shape (n_samples, n_nodes)
            Outcomes, as in ``node_labels_``.

        Examples
        --------
        >>> from skcausalpima.cluster import GridClustering
        >>> grid = GridClustering(2, random_state=0).fit([[0.0], [0.1], [0.2], [8.0], [8.1], [8.2]])
        >>> grid.predict_nodes([[-1.0], [7.0]])
        array([[0],
               [1]])
        """
        cells = self.predict(X)
        return NodeGrid(self._sizes).outcomes(cells)

    @working_in(adding_anything)
    def _checked(self, X: ArrayLike, reset: bool) -> np.ndarray:
        """Return samples as an array of finite numbers, in the precision that they have."""
        table = read_table(self, X, reset)
        missing = np.isnan(table)
        if missing.any():
            raise ValueError(
                f"Input X contains NaN in {missing.sum()} of {missing.size} elements, the first in "
                f"row {missing.any(axis=1).argmax()}: GridClustering needs all values. Use "
                "CausalPIMA, which takes X with missing values, or fill them in first, as by "
                "sklearn.impute.SimpleImputer().fit_transform(X)."
            )
        return table

    def _cells_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the cells of samples, some at a time."""
        parts = np.split(scores, range(BLOCK_ROWS, len(scores), BLOCK_ROWS))
        likeliest = [self._rule.responsibilities(part).argmax(axis=1) for part in parts]
        return self._cells[np.concatenate(likeliest)]

    def _tell(self, scores: np.ndarray, report: CandidateReport, with_rivals: float) -> None:
        """Set what is told of the cells; warn where these may be others than those of the data."""
        sizes, chosen = self._sizes, report.arrangements[report.chosen]
        is_unstable = with_rivals < LEAST_OF_STARTS
        if is_unstable:
            warn_caller(
                "The cells may depend on random_state: the clusterings that came next have other "
                f"ones (adjusted Rand index {with_rivals:.2f}). Compare other seeds before you "
                "read a meaning into them; more samples, other node_sizes, or embeddings in which "
                "clusters lie apart may help.",
                InstabilityWarning,
            )
        gaps, sums = gaps_and_sums(scores, scores, sizes, self.labels_.__getitem__)
        self.gaps_, self.arrangement_ = gaps, None
        if len(sizes) > 1:
            doubt = arrangement_doubt(chosen, math.prod(sizes), REMEDIES)
            if doubt is not None:
                warn_caller(doubt, ArrangementWarning)
            known = np.zeros(len(sizes), dtype=bool)
            figures = arrangement_figures(report)
            self.arrangement_ = with_factors(figures, gaps, sums, is_unstable, known)


def _best_axes(
    axes: PrincipalAxes, X: np.ndarray, sizes: tuple[int, ...], seed: int
) -> tuple[PrincipalAxes, Trial]:
    """Find clusters along principal axes, or where nuisances hide them along independent ones.

    All that is asked of how clusters are found is asked here, as at the start of a fit.
    """
    scores, contest = axes.scores(X), Contest(node_sizes=sizes, known=None, seed=seed)
    trial = contest.ask(View(scaled=scores, placed=scores))
    if has_many_cells(sizes) or not trial.may_hide_clusters or has_levels(X):
        return axes, trial
    number = n_effects(sizes)
    components = independent_components(scores, number, seed)
    if components is None:
        return axes, trial
    turned = axes.turned(components, 2 * number)
    scores = turned.scores(X)
    other = contest.ask(View(scaled=scores, placed=scores))
    is_better = contest.prefers(other, trial, BETTER_WEIGHTS)
    is_better &= other.shows_what_is_hidden_from(trial)
    return (turned, other) if is_better else (axes, trial)


def _agreement_with_rivals(trial: Trial) -> float:
    """Return the mean adjusted Rand index of the clusters with those of the next candidates.

    It is 1 where there are none.
    """
    order = np.argsort(-trial.report.agreement, kind="stable")
    rivals = [trial.candidates[k].labels for k in order if k != trial.report.chosen][:_N_RIVALS]
    indices = [adjusted_rand_score(trial.chosen.labels, labels) for labels in rivals]
    return float(np.mean(indices)) if indices else 1.0


def _warn_of_few_clusters(scores: np.ndarray, labels: np.ndarray, n_cells: int) -> None:
    """Warn where all samples lie in one cell, or too few of them differ for so many cells."""
    n_clusters = len(np.unique(labels))
    if n_clusters == n_cells:
        return
    spread = np.abs(scores).max() or 1.0
    n_different = len(np.unique(np.round(scores / spread, _DIGITS), axis=0))
    if n_different < n_cells:
        warn_caller(
            f"X has {n_different} different rows for {n_cells} cells, so that some stay empty. Use "
            "fewer or smaller nodes, or leave out copies of samples.",
            InstabilityWarning,
        )
    elif n_clusters == 1:
        warn_caller(
            f"All samples lie in one of {n_cells} cells: no clusters were found, so that nodes "
            "mean nothing. Are columns in several units? Then put a StandardScaler first.",
            InstabilityWarning,
        )
