"""Credible intervals of a fitted graph's tables, by draws from their posterior, and by refits."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._base.scalar_checks import JOBS, NumberRange, count, validate_params
from .._base.scikit_learn import StrOptions
from .._base.types import Groups, Samples, Seed
from .._base.warn import warn_caller
from .._fit.mixture_refits import mixture_refits
from .._held_out.stated_units import units_of
from .._structure.digraphs import copy_graph, node_graph
from ..exceptions import InstabilityWarning
from ._fitted_estimator import are_in_doubt, check_estimator
from ._group_tables import group_tables
from ._interval_report import TableIntervals, ends_of
from ._metadata_columns import read_groups
from ._table_draws import draws_of_refits, likelihoods_of_fit


@validate_params(
    {
        "refit": [StrOptions({"mixture"}), None],
        "level": [NumberRange(Real, 0, 1, closed="neither")],
        "n_draws": [count(1)],
        "n_jobs": [JOBS, None],
        "random_state": ["random_state"],
        "verbose": ["verbose", None],
    },
    prefer_skip_nested_validation=True,
)
def table_intervals(
    est: BaseEstimator,
    X: Samples,
    *,
    by: ArrayLike | None = None,
    groups: Groups = None,
    refit: str | None = None,
    level: float = 0.9,
    n_draws: int = 1000,
    params: Mapping[str, ArrayLike] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int | None = None,
) -> TableIntervals:
    r"""Return intervals of the probabilities in ``cpts_``, and of what ``intervene`` says.

    The posterior of the tables of ``dag_`` is drawn from by turns [1]_: the cell of each sample,
    from its probabilities given the tables and what its data say, and the tables, from Dirichlet
    distributions given the counts of the cells. Samples between two clusters so widen the
    intervals. The prior is that of Jeffreys, half a count for each entry of a table, which makes
    intervals cover their level nearly also where a row has few samples [2]_.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator; it stays as it is.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        The data that it was fitted to, in any form that it accepts.
    by : array-like of shape (n_samples,), default=None
        The group of each sample, such as a treatment or a site, known by other means than this
        fit. Each has shares of outcomes and tables of its own in the field ``by``, with
        intervals and a test of each node's table: which kinds are more frequent, which mechanism
        changed. Samples whose group is None or NaN count for no group.
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together
        (:doc:`/guide/groups`): each of these counts as
        one sample, and labels of ``by`` are those of whole groups.
    refit : "mixture" or None, default=None
        Whether what cells look like, and by which graph samples are put into them, is learned anew
        for the draws, from bootstrap samples of what the encoders say, as
        :func:`edge_confidence` does, and in the same time. This adds to the intervals what the
        clusters leave open, see the notes.
    level : float, default=0.9
        Probability of each interval, between its quantiles.
    n_draws : int, default=1000
        Number of draws. The ends of intervals are quantiles of these. With ``refit`` they are
        divided among 200 refits.
    params : dict, default=None
        Parameters of ``fit``, such as ``sample_weight`` or ``interventions``: pass those that the
        estimator was fitted with.
    n_jobs : int, default=None
        Number of workers among which the refits are divided; the result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.
    verbose : int, default=None
        1 prints what is expected, and then how many refits are done and what time is left, in a
        line that is rewritten (five whole ones but in a terminal or notebook); 2 prints a
        line for each part of them; 0 prints nothing. None is 1 in a terminal or notebook, where it
        takes more than ten seconds, and else 0.

    Returns
    -------
    TableIntervals
        Ends of the intervals, the draws, and a method for interventions. After an interrupt
        (Ctrl-C) they are of the refits that are complete.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If ``est`` is no CausalPIMA, such as a pipeline that holds one.
    ValueError
        If ``params`` has other names, or values that ``fit`` would refuse. ``by`` does not have a
        group for each sample, has less than two or more than 64 groups, or comes with ``refit``.
        ``refit="mixture"`` of a
        fit whose networks decide more: experts, decoders per cluster, a graph learned by gradient,
        the published posterior.
    KeyboardInterrupt
        If it comes before refits are complete.

    Warns
    -----
    skcausalpima.exceptions.InterruptionWarning
        An interrupt came before all refits were complete.
    skcausalpima.exceptions.InstabilityWarning
        Cells of the fit may be wrong, and so may all tables be.

    See Also
    --------
    edge_confidence : How sure the edges and the nodes are.

    Notes
    -----
    Without ``refit`` the graph, and what a sample of each cell looks like, are taken as known.
    Where clusters overlap, a fit does not know the latter well, and intervals are too narrow.
    ``refit="mixture"`` has B bootstrap replicates, each with components :math:`\phi_b` of its own,
    by expectation maximization that begins at the fit's, and a graph :math:`G_b`. It draws from

    .. math:: \frac{1}{B} \sum_b p(\theta \mid X, \phi_b, G_b)
        \approx \int p(\theta \mid X, \phi, G) \, p(\phi, G \mid X) \, d(\phi, G).

    By turns, the cells c of all samples are drawn from :math:`p(c \mid \vartheta) \, p(x \mid c,
    \phi_b)`, and the tables :math:`\vartheta` of :math:`G_b` given the counts of the cells; at
    last the tables :math:`\theta` of ``dag_`` given the same counts, too. So replicates stand for
    the posterior of components and graph alone. What few samples leave open comes from the
    Dirichlet distributions, once and not twice, and is all there is where clusters lie far apart:
    there both ways agree. A component keeps the cell that it has in the fit. Which nodes the cells
    are made of, and where arrows point, is for :func:`edge_confidence` to ask.

    *Groups.* The posterior of tables by group is drawn from as that of all samples, with the group
    as a parent of every node. The p-value of a node's table is found with all other tables free to
    differ: groups are drawn anew by :math:`p(g \mid x)` under shared tables, 999 times, and the
    likelihood ratio of the expected counts is compared. So labels may be uncertain; where nothing
    differs, p-values are uniform whatever the fit makes of the cells. ``scipy.stats``'s
    ``false_discovery_control`` corrects for several nodes.

    Where the clusters are not the true groups, or an arrow points the wrong way, intervals cover
    something else. Measured on simulated data with known tables, 87 to 92 % of the intervals at
    90 % cover; of fits to 300 samples whose outcomes lie 4 standard deviations apart, 82 % do, and
    86 % with refits (``benchmarks/intervals.py``).

    References
    ----------
    .. [1] J. Diebolt and C. P. Robert, "Estimation of finite mixture distributions through
       Bayesian sampling", Journal of the Royal Statistical Society B 56, 1994.
    .. [2] L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial proportion",
       Statistical Science 16, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import table_intervals
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0, 1, 2, 3], [80, 20, 40, 60])
    >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
    >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
    >>> X = [images, curves]
    >>> est = CausalPIMA((2, 2), max_iter=5, random_state=0).fit(X)
    >>> est.cpts_["N1"].round(2)
    array([0.6, 0.4])
    >>> found = table_intervals(est, X, random_state=0)
    >>> (found.high["N1"] - found.low["N1"]).round(1)
    array([0.1, 0.1])
    >>> found.intervene({"N1": 0}).high["N2"].shape
    (2,)
    """
    check_estimator(est, "table_intervals")
    X, units = units_of(est, X, groups)
    dag, rng = node_graph(est.dag_, with_causes=True), check_random_state(random_state)
    names, given = tuple(dag), dict(params or {})
    unknown = set(given) - {"sample_weight", "known_nodes", "interventions"}
    if unknown:
        raise ValueError(
            f"params has {sorted(unknown)}, but fit takes sample_weight, known_nodes and "
            "interventions."
        )
    compared = None
    if by is not None and refit is not None:
        raise ValueError("by compares groups by the fit's own cells: leave refit at None.")
    if refit is None:
        likelihoods = likelihoods_of_fit(est, X, given, units)
        codes = None if by is None else read_groups(by, len(likelihoods.values), names)
        drawn = likelihoods.evidence().draws(likelihoods.tables, n_draws, rng)
        if codes is not None:
            compared = group_tables(est, likelihoods, codes, level, n_draws, rng)
    else:
        kept = mixture_refits(est, X, units=units, **given)
        drawn = draws_of_refits(est, kept, n_draws, rng, n_jobs, verbose)
    if are_in_doubt(est):
        warn_caller(
            "[cells-in-doubt] Cells of this fit may be wrong (its report() says why). Then its "
            "tables are of other "
            "cells than the true ones, and so are these intervals, however narrow they are.",
            InstabilityWarning,
        )
    draws = dict(zip(names, map(np.stack, zip(*drawn, strict=True)), strict=True))
    low, high = ends_of(draws, level)
    return TableIntervals(
        low=low,
        high=high,
        level=level,
        node_names=names,
        dag=copy_graph(dag),
        draws=draws,
        by=compared,
    )
