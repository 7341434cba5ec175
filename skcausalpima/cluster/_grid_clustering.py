"""The start of a fit as a clusterer of its own: clusters, and the cell of the grid that each is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClusterMixin
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from .._base.arithmetic import adding_anything, working_in
from .._base.grid import NodeGrid, n_effects
from .._base.naming_estimator import NamingEstimator
from .._base.reports.cells import ArrangementReport, GapsReport
from .._base.scalar_checks import SEQUENCE, count
from .._base.types import Seed, Unchecked
from .._clustering.arrangement_report import (
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
from .._start.linear import Maximum, linear_maximum
from ._doubts import (
    warn_of_few_rows,
    warn_of_nodes,
    warn_of_one_cell,
    warn_of_other_seeds,
    warn_of_overlap,
)
from ._linear_cells import (
    MOST_CELLS,
    MOST_COLUMNS,
    SAME,
    Cells,
    ContestCells,
    LinearCells,
    are_believed,
    how_many,
    is_small,
    labels_of,
    laid,
)
from ._principal_scores import PrincipalAxes

_N_RIVALS = 3  # clusterings that are compared with the chosen one, as in a fit; arbitrary
_DIGITS = 9  # of the largest number: rows that differ in later ones are equal; arbitrary


class GridClustering(ClusterMixin, NamingEstimator):
    """Clusters of a table of numbers, laid on the cells of a grid of nodes.

    Where several factors act together, each combination of their outcomes is a cluster, and the
    clusters are the cells of a grid with an axis, a *node*, for each factor. One cluster per cell
    is sought in the principal scores of X by mixtures of Gaussians with more components than there
    are cells, which are merged, and by k-means; from several starts and in several numbers of
    dimensions. Each clustering is laid on the grid so that effects of the nodes on the means of
    the cells add up best, and the one is taken that the others agree with most. Beyond 128 cells
    the nodes are found first.

    Up to 32 cells, in up to 128 columns, are also sought by the *linear case* of the model: factor
    analysis with a noise for each column and a mixture with covariances of its own, found together,
    missing values integrated out, as likely as possible for its number of free numbers
    (``score_samples`` are its densities). It sees kinds that differ in spread alone. Its cells are
    taken where they are others, and columns within them look as the model says: continuous, little
    skewed, with the tails of a Gaussian.

    It learns no network and no graph, takes 1 to 10 seconds for 1000 samples, and needs no torch.

    Parameters
    ----------
    node_sizes : int, sequence of int, mapping of str to int or None, default=(2, 2)
        Number of outcomes of each node, as of :class:`~skcausalpima.CausalPIMA`, up to 1024 cells
        in all. An int is that of a single node, whose outcomes are the clusters. None for a single
        node with as many as the linear case says, 1 to 20, in up to 128 columns.
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
        ``arrangement_.node_agreement``; of cells of the linear case, the mean adjusted Rand index
        of what halves of the samples show with what all show.
    node_sizes_ : tuple of int
        Number of outcomes of each node.
    scores_ : dict of int to float
        Where ``node_sizes`` is None, the score of each number of clusters that was compared, in
        nats: log-likelihood less half a logarithm of each free number.
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
        "node_sizes": [*SEQUENCE, dict, count(1), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        node_sizes: int | Sequence[int] | Mapping[str, int] | None = (2, 2),
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
            Samples: embeddings, scores, columns in one unit. NaN where a value is missing.
        y : None, default=None
            Ignored.

        Returns
        -------
        GridClustering
            The fitted clusterer itself.

        Raises
        ------
        ValueError
            If there are more than 1024 cells or fewer samples than cells, X has infinite numbers,
            columns share a name, or more than 128 have missing values or ``node_sizes`` None.
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
        rng = check_random_state(self.random_state)
        self._filler, self._maximum = None, None
        if self.node_sizes is None:
            return self._fit_any(self._checked(X, reset=True), rng.randint(2**31 - 1))
        sizes = check_node_sizes(self.node_sizes)
        grid = NodeGrid(sizes)
        if grid.n_cells > MAX_SEARCHED:
            raise ValueError(
                f"node_sizes={sizes} make {grid.n_cells} cells, but clusters are laid on grids of "
                f"no more than {MAX_SEARCHED}: use fewer or smaller nodes."
            )
        X = self._checked(X, reset=True)
        check_enough_samples(sizes, len(X))
        rows: np.ndarray | slice = slice(None)
        if len(X) > ROWS_OF_EMBEDDINGS:
            rows = np.sort(rng.permutation(len(X))[:ROWS_OF_EMBEDDINGS])
        seed = rng.randint(2**31 - 1)
        if np.isnan(X).any():
            _check_few_columns("missing values", X.shape[1])
            self._filler = linear_maximum(X[rows], 1, seed=seed)
        whole = self._filled(X)
        axes, trial = _contest(whole[rows], sizes, seed)
        self._set(_cells_of(axes, trial, sizes), sizes, whole)
        scores, report, with_rivals = (
            axes.scores(whole),
            trial.report,
            _agreement_with_rivals(trial),
        )
        found = None
        if is_small(grid.n_cells, X.shape[1]):
            clear = self.labels_[rows] if trial.agreement >= SAME else None
            self._maximum = linear_maximum(X[rows], grid.n_cells, seed=seed, given=clear)
            if clear is None and are_believed(self._maximum, whole[rows], self.labels_[rows]):
                found = laid(self._maximum, whole[rows], sizes, seed)
        self.agreement_ = float(report.agreement[report.chosen])
        if self._maximum is not None and found is not None:
            self._set(found.cells, sizes, whole)
            report, scores = found.report, self._maximum.points(whole)
            self.agreement_ = with_rivals = found.agreement
            warn_of_overlap(self._certainty(whole))
        _warn_of_few_clusters(scores, self.labels_, grid.n_cells)
        self._tell(scores, report, with_rivals)
        return self

    def _fit_any(self, X: np.ndarray, seed: int) -> Self:
        """Find as many clusters as the score says."""
        _check_few_columns("node_sizes=None", X.shape[1])
        self._maximum, self.scores_ = how_many(X, seed)
        self.arrangement_: ArrangementReport | None = None
        self.gaps_: GapsReport | None = None
        self._filler = self._maximum
        n_kinds = len(self._maximum.model.weights)
        cells = LinearCells(maximum=self._maximum, cells=np.arange(n_kinds), n_cells=n_kinds)
        self._set(cells, (n_kinds,), X)
        self.agreement_ = 1.0
        if n_kinds > 1:
            points = self._maximum.points(X)
            self.gaps_, _ = gaps_and_sums(points, points, (n_kinds,), self.labels_.__getitem__)
        return self

    def _set(self, cells: Cells, sizes: tuple[int, ...], whole: np.ndarray) -> None:
        """Take cells as what was found."""
        self._found, self.node_sizes_ = cells, sizes
        self.labels_ = labels_of(cells, whole)
        self.node_labels_ = NodeGrid(sizes).outcomes(self.labels_)

    def _certainty(self, X: np.ndarray) -> float:
        """Return the mean probability of the likeliest cell."""
        return float(self._found.responsibilities(X).max(axis=1).mean())

    def _filled(self, X: np.ndarray) -> np.ndarray:
        """Return rows with what is missing at its mean, given what is there."""
        if not np.isnan(X).any():
            return X
        filler = self._filler or self._linear("missing values in further rows")
        return filler.filled(X)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the cell of each sample.

        It is found by what the clusters were found by: the linear case, the mixture whose
        components were merged, or the nearest centre. So the cells of the samples of ``fit`` are
        ``labels_``.

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
        return labels_of(self._found, self._filled(self._checked(X, reset=False)))

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probability of each cell.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_cells)
            Probabilities, in the order of ``labels_``; ones and zeros where cells are those of
            nearest centres.

        Examples
        --------
        >>> from skcausalpima.cluster import GridClustering
        >>> grid = GridClustering(2, random_state=0).fit([[0.0], [0.1], [0.2], [8.0], [8.1], [8.2]])
        >>> grid.predict_proba([[-1.0], [7.0]])
        array([[1., 0.],
               [0., 1.]])
        """
        check_is_fitted(self)
        return self._found.responsibilities(self._filled(self._checked(X, reset=False)))

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return the log-density of each sample by the linear case, in nats of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; NaN where a value is missing, which is integrated out.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log-densities.

        Raises
        ------
        ValueError
            If there are more than 32 cells or 128 columns: the linear case is not found then.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.cluster import GridClustering
        >>> X = np.random.default_rng(0).normal(size=(300, 3))
        >>> grid = GridClustering(None, random_state=0).fit(X)
        >>> float(grid.score_samples(X).mean().round(1))
        -4.2
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        return self._linear("score_samples").score_samples(X)

    def score(self, X: ArrayLike, y: Unchecked = None) -> float:
        """Return the mean log-density of samples by the linear case, in nats of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : None, default=None
            Ignored.

        Returns
        -------
        float
            The mean of :meth:`score_samples`.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.cluster import GridClustering
        >>> X = np.random.default_rng(0).normal(size=(300, 3))
        >>> round(GridClustering(None, random_state=0).fit(X).score(X), 1)
        -4.2
        """
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draw samples by the linear case.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Samples.
        y : ndarray of int of shape (n_samples,)
            Their likeliest cells.

        Examples
        --------
        >>> from skcausalpima.cluster import GridClustering
        >>> grid = GridClustering(2, random_state=0).fit([[0.0], [0.1], [0.2], [8.0], [8.1], [8.2]])
        >>> X, y = grid.sample(5)
        >>> X.shape, y.shape
        ((5, 1), (5,))
        """
        check_is_fitted(self)
        rng = check_random_state(self.random_state)
        X, _ = self._linear("sample").sample(n_samples, rng)
        return X, labels_of(self._found, X)

    def _linear(self, what: str) -> Maximum:
        """Return the linear case; refuse what needs it where there is none."""
        if self._maximum is None:
            raise ValueError(
                f"{what} needs the linear case, which is found for up to {MOST_CELLS} cells and "
                f"{MOST_COLUMNS} columns; here are {math.prod(self.node_sizes_)} and "
                f"{self.n_features_in_}. Fit to principal scores, or use CausalPIMA."
            )
        return self._maximum

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
        return NodeGrid(self.node_sizes_).outcomes(cells)

    def __sklearn_tags__(self) -> Tags:
        """Say that values may be missing."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @working_in(adding_anything)
    def _checked(self, X: ArrayLike, reset: bool) -> np.ndarray:
        """Return samples as an array of numbers, NaN where one is missing."""
        table = read_table(self, X, reset)
        if np.isnan(table).all():
            raise ValueError("Input X contains NaN in all elements: no value is left.")
        return table

    def _tell(self, scores: np.ndarray, report: CandidateReport, with_rivals: float) -> None:
        """Set what was found of the cells; warn where these may be others."""
        sizes = self.node_sizes_
        is_unstable = with_rivals < LEAST_OF_STARTS
        if is_unstable:
            warn_of_other_seeds(with_rivals)
        gaps, sums = gaps_and_sums(scores, scores, sizes, self.labels_.__getitem__)
        self.gaps_, self.arrangement_ = gaps, None
        if len(sizes) > 1:
            figures = arrangement_figures(report)
            warn_of_nodes(figures, math.prod(sizes))
            known = np.zeros(len(sizes), dtype=bool)
            self.arrangement_ = with_factors(figures, gaps, sums, is_unstable, known)


def _check_few_columns(what: str, n_columns: int) -> None:
    """Raise where there are too many columns for the linear case."""
    if n_columns > MOST_COLUMNS:
        raise ValueError(
            f"{what}: needs the linear case, which is found for up to {MOST_COLUMNS} columns; X "
            f"has {n_columns}. Fit to principal scores, or use CausalPIMA, which takes missing "
            "values in any number of columns."
        )


def _contest(X: np.ndarray, sizes: tuple[int, ...], seed: int) -> tuple[PrincipalAxes, Trial]:
    """Find clusters along principal axes, or where nuisances hide them along independent ones.

    All that is asked of how clusters are found is asked here, as at the start of a fit.
    """
    n_scores = max(SCORES_OF_EMBEDDINGS, 2 * n_effects(sizes))
    axes = PrincipalAxes.fit(X, n_scores, seed)
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


def _cells_of(axes: PrincipalAxes, trial: Trial, sizes: tuple[int, ...]) -> ContestCells:
    """Return the rule of the clusters that were found, and the cell of each."""
    return ContestCells(
        axes=axes,
        rule=cast(Rule, trial.chosen.rule),
        cells=trial.report.arrangements[trial.report.chosen].cells,
        n_cells=math.prod(sizes),
    )


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
        warn_of_few_rows(n_different, n_cells)
    elif n_clusters == 1:
        warn_of_one_cell(n_cells)
