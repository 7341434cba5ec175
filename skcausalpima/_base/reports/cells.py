"""What is told of the cells of a fit, and of its nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .report import Report

#: Fewer values are few to take a mean of (arbitrary).
FEW_VALUES = 5


def _no_rows() -> np.ndarray:
    """Return no rows of X."""
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ArrangementReport(Report):
    """How clusters were assigned to the cells of the grid, and which nodes are factors.

    The attribute ``arrangement_`` of :class:`~skcausalpima.CausalPIMA` and of
    :class:`~skcausalpima.cluster.GridClustering`.

    Parameters
    ----------
    misfit : float
        The part of the variation between cluster means, from 0 to 1, that effects of single nodes
        leave unexplained.
    gap : float
        The misfit of the next best arrangement relative to it.
    ties : int
        The number of equal ones.
    node_shares : ndarray of shape (n_nodes,)
        The parts of the variation that the nodes explain.
    node_agreement : ndarray of shape (n_nodes,)
        How far the labels of each node stay the same under arrangements whose misfit is less than
        1.05 times as large (the smallest adjusted Rand index; an ArrangementWarning tells where one
        is below 0.9), or, beyond 128 cells, in the next best start of the search.
    agreement : float
        How far the candidate clusterings, before training, agree with the chosen one: the share of
        equal outcomes. NaN where an estimator in ``init`` found it and says nothing of it.
    smallest_share : float
        The share of samples in the smallest cell.
    found : bool
        False where nodes are placed by chance: in grids of more than 1024 cells, whose other
        figures mean nothing then, and where starts of the search for nodes, which takes place
        beyond 128 cells, do not agree. An ArrangementWarning tells, and no edge of ``dag_`` is
        compelled.
    certainty : float or None
        How probable the likeliest outcome of a node is, in the mean over nodes and samples; below
        .975 a warning tells. None up to 128 cells.
    p_value : float, default=None
        With this probability chance would have the cells lie as near to sums of effects. It and
        those of nodes are bounds beyond 64 cells. These and the next two are None where nobody
        asked: in large grids with empty cells, where nodes are placed by chance.
    node_p_values : ndarray of shape (n_nodes,), default=None
        With these chance would have the effects of each node be as much alike.
    context_p_values : ndarray of shape (n_nodes,), default=None
        So probable it is that labels of contexts change the mix of cells along the node alone by
        chance. None without contexts.
    told : ndarray of bool of shape (n_nodes,), default=None
        Of which nodes the means of cells tell that they are factors, and no kinds that were laid on
        a grid. A node is told by a p-value of at most .05, or of .2 where the whole has .05, unless
        means lie in a row or cells are doubtful, and by at most .05 in ``context_p_values``. One
        whose known outcomes the data confirm is told in any case. Not told is no alarm.
    in_a_row : ndarray of bool of shape (n_nodes,), default=None
        Whether the outcomes of a node, three or more, lie on a line: .9 of the scatter between
        their effects is along one direction. None where ``p_value`` is.
    order : list of ndarray of shape (n_outcomes,), default=None
        The outcomes of each node along its line, from either end; their numbers where there is
        none. ``labels_`` and tables keep the numbers that outcomes have.

    Examples
    --------
    >>> from skcausalpima.cluster import GridClustering
    >>> X = [[0.0, 0.0], [0.1, 0.0], [0.0, 8.0], [0.1, 8.0], [9.0, 0.0], [9.0, 8.0]]
    >>> report = GridClustering((2, 2), random_state=0).fit(X).arrangement_
    >>> report.found, round(report.misfit, 2)
    (True, 0.0)
    """

    misfit: float
    gap: float
    ties: int
    node_shares: np.ndarray
    node_agreement: np.ndarray
    agreement: float
    smallest_share: float
    found: bool
    certainty: float | None
    p_value: float | None = None
    node_p_values: np.ndarray | None = None
    context_p_values: np.ndarray | None = None
    told: np.ndarray | None = None
    in_a_row: np.ndarray | None = None
    order: list[np.ndarray] | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GapsReport(Report):
    """Whether there are gaps between cells: how dense samples are half-way from one to the next.

    The attribute ``gaps_`` of :class:`~skcausalpima.CausalPIMA` and of
    :class:`~skcausalpima.cluster.GridClustering`. Densities are relative to the less dense of the
    middles of two cells, in principal scores of the data, before any network: about 0.2 where
    normal cells are five standard deviations apart, 1 where one uniform cluster was cut in two.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,)
        Between cells that differ in that node alone, over all of them; NaN where there are none.
    cut : ndarray of bool of shape (n_nodes,)
        Whether that is no gap, and no chance either.
    pairs : ndarray of int of shape (n_pairs, 2)
        Cells without a gap between them, as numbers in C order of the grid.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.cluster import GridClustering
    >>> X = np.random.default_rng(0).normal(size=(200, 1))
    >>> apart = np.concatenate([X, X + 9.0])
    >>> GridClustering(2, random_state=0).fit(apart).gaps_.cut
    array([False])
    """

    nodes: np.ndarray
    cut: np.ndarray
    pairs: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SeparationReport(Report):
    """How well components are separated and filled: the attribute ``separation_``.

    Parameters
    ----------
    smallest : float
        The smallest Fisher ratio of two components that hold samples.
    occupancy : ndarray of shape (n_components,)
        The share of the training samples (of their weights) in each: the mean of its probability.
    empty : ndarray of int of shape (n_empty,)
        The components that are the likeliest of no sample.
    merged : ndarray of int of shape (n_pairs, 2)
        Pairs of components whose ratio is below 1.
    certainty : ndarray of shape (n_nodes,)
        How probable the likeliest outcome of each node is, in the mean over training samples: the
        accuracy that the fit itself expects.
    outlying : ndarray of int of shape (n_outlying,), default=no rows
        Rows of X that lack nothing and are far less probable than others: their bound lies five
        interquartile ranges below the median.
    set_aside : ndarray of int of shape (n_set_aside,), default=no rows
        Rows that nothing else is like, and that were not trained on (``training__outliers``).
    trusts_all : bool, default=True
        Whether there are none, so that new ones like these are not looked for.
    without_values : ndarray of int of shape (n_without_values,), default=no rows
        Rows of X without any value, which were not trained on either.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> CausalPIMA(2, max_iter=2, random_state=0).fit(X).separation_.occupancy
    array([0.5, 0.5])
    """

    smallest: float
    occupancy: np.ndarray
    empty: np.ndarray
    merged: np.ndarray
    certainty: np.ndarray
    outlying: np.ndarray = field(default_factory=_no_rows)
    set_aside: np.ndarray = field(default_factory=_no_rows)
    trusts_all: bool = True
    without_values: np.ndarray = field(default_factory=_no_rows)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StabilityReport(Report):
    """Whether fits with another ``random_state`` would find the same cells: ``stability_``.

    All agreements are adjusted Rand indices of labels: 1 in full, 0 by chance.

    Parameters
    ----------
    agreement : float or None
        Of fits with other seeds: with ``n_init`` above 1 the median over all pairs of these fits,
        else that of ``short_runs`` where there are some, else ``with_starts``.
    unstable : bool
        Whether it is below 0.8, or 0.78 for a single fit whose draws are not found again
        (``found_again_``), of which an :class:`~skcausalpima.exceptions.InstabilityWarning` tells.
    with_starts : float or None
        That of ``labels_`` with what other starts end in. Beyond 128 cells it and the next one are
        the mean over nodes of ``arrangement_.node_agreement``. None where all samples lie in one
        cell.
    among_starts : float or None
        That of these with each other.
    short_runs : float or None
        Where ``with_starts`` is below 0.78, two runs of a few epochs from other seeds are made (of
        up to 20 000 samples and 128 cells): the median over the three pairs. Else None.
    replaced : bool
        Where several nodes are fitted, and short runs agree with each other at 0.9, and by 0.1 less
        with the fit, its start was the exception: it is fitted once more, from one of their seeds,
        and that fit is kept if it agrees with them by 0.1 more. ``history_`` is of the one that is
        kept, ``short_runs`` of the first.
    rand_indices : ndarray of shape (n_fits, n_fits)
        Those of all pairs of fits, the fits in the order of their starts.
    gain : float or None, default=None
        By how many nats per row cells explain samples that were held out better than one Gaussian
        does, in what clusters were sought in; ``groups`` are held out as a whole. None where all
        samples lie in one cell, beyond 128 cells, and of fewer than ten samples or groups.
    gain_error : float or None, default=None
        Its standard error.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> CausalPIMA(2, max_iter=2, random_state=0).fit(X).stability_
    StabilityReport(
        agreement=1.0,
        unstable=False,
        with_starts=1.0,
        among_starts=1.0,
        short_runs=None,
        replaced=False,
        rand_indices=array([[1.]]),
        gain=0.97...,
        gain_error=0.09...,
    )
    """

    agreement: float | None
    unstable: bool
    with_starts: float | None
    among_starts: float | None
    short_runs: float | None
    replaced: bool
    rand_indices: np.ndarray
    gain: float | None = None
    gain_error: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FoundAgainReport(Report):
    """Whether samples are enough for the cells: the attribute ``found_again_``.

    Samples that the fit draws, each like one of the fit, are looked at as those of the fit were.

    Parameters
    ----------
    found : bool
        Whether all draws but one agree at 0.8; draws end at the second that does not.
    sure : bool, default=False
        Whether the fit is sure of its cells all the same: the likeliest outcome of each node has a
        probability of 0.99 on average, and draws agree by 0.5. Where cells are neither found again
        nor sure, an :class:`~skcausalpima.exceptions.InstabilityWarning` says so.
    agreement : ndarray of shape (n_draws,)
        Of samples that the fit draws with what is found in them: the adjusted Rand index of the
        node that agrees least, for up to ten draws.
    n_samples : int
        Samples of each draw: distinct ones of the fit; of unlike weights, Kish's effective number.
    enough_samples : int or None
        About how many would be found again if cells are as the fit has them; None where 5 times as
        many would not.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> again = CausalPIMA(2, max_iter=2, random_state=0).fit(X).found_again_
    >>> again.found, again.n_samples, again.enough_samples
    (True, 60, 60)
    """

    found: bool
    sure: bool = False
    agreement: np.ndarray
    n_samples: int
    enough_samples: int | None

    @property
    def are_few(self) -> bool:
        """Whether samples are few for the cells: these are neither found again nor sure.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import FoundAgainReport
        >>> draws = {"agreement": np.array([0.9, 0.6, 0.7]), "n_samples": 60}
        >>> FoundAgainReport(found=False, sure=True, enough_samples=90, **draws).are_few
        False
        """
        return not (self.found or self.sure)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CellValuesReport(Report):
    """How many values each component has of each column, and their means: ``cell_values_``.

    A sample counts for each component with its probability, and with its weight. What
    ``partial_fit`` has seen in earlier calls counts less with every call.

    Parameters
    ----------
    n_samples : ndarray of shape (n_components,)
        How many samples each component has.
    counts : dict of str to ndarray of shape (n_components, n_elements) or (n_components, 1)
        How many of these have a value, by modality: of each element where single ones are missing
        in some samples, else of the modality as a whole.
    means : dict of str to ndarray of shape (n_components, n_elements)
        Means of the observed values of tables in memory, in the units of the data and without the
        offsets of contexts; words and counts as they are encoded. NaN where there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [80.0, 90.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> X[:28, 0] = np.nan
    >>> model = CausalPIMA(2, max_iter=2, random_state=0, missing_values="marginalize").fit(X)
    >>> model.cell_values_.counts["modality0"].round()
    array([[ 2., 30.],
           [30., 30.]])
    """

    n_samples: np.ndarray
    counts: dict[str, np.ndarray]
    means: dict[str, np.ndarray]

    def are_few(self, name: str) -> np.ndarray:
        """Return where components have fewer than five values, rounded.

        Parameters
        ----------
        name : str
            The modality.

        Returns
        -------
        ndarray of bool of shape (n_components, n_elements) or (n_components, 1)
            True where a mean rests on few values.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import CellValuesReport
        >>> n, counts = np.array([20.0, 30.0]), {"ages": np.array([[20.0, 1.0], [30.0, 30.0]])}
        >>> CellValuesReport(n_samples=n, counts=counts, means={}).are_few("ages")
        array([[False,  True],
               [False, False]])
        """
        return np.round(self.counts[name]) < FEW_VALUES
