"""Credible intervals of a fitted graph's tables, by draws from their posterior, and by refits."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from numbers import Real
from typing import TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._compat.scikit_learn import StrOptions, validate_params
from .._data.known_nodes import allowed_cells, outcome_names
from .._data.sample_weight import check_weights
from .._data.samples import read_knowledge
from .._data.several import check_rows_with
from .._fit.mixture_refits import MixtureRefits, mixture_refits
from .._grid import NodeGrid
from .._inference.fitted_model import model_of, samples_of
from .._repeated_fits import completed_in_parts
from .._scalar_checks import JOBS, NumberRange, count
from .._structure.digraphs import copy_graph, node_graph
from .._typing import Outcomes, Samples, Seed, Values
from .._warnings import warn_caller
from ..exceptions import InterruptionWarning
from ..graph import CategoricalDAG
from ._fitted_estimator import check_estimator

#: The tables of all nodes, draw by draw.
Draws: TypeAlias = list[Sequence[np.ndarray]]
#: Counts that each entry of a table has beforehand (Jeffreys).
PRIOR = 0.5

#: Draws that are thrown away, before the labels have forgotten where they began.
N_WARM_UP = 50

#: Those of a refit, which begins at its own best tables.
N_WARM_UP_OF_REFIT = 10

#: Refits at most, among which the draws are divided.
N_REFITS = 200

#: A sample whose likeliest cell has less than this to fear keeps that cell.
CERTAIN = 1e-6


@dataclass(frozen=True, kw_only=True)
class TableIntervals:
    """How sure the tables of a graph are.

    Parameters
    ----------
    low, high : dict of str to ndarray
        Ends of the interval of each probability; shapes as in the estimator's ``cpts_``.
    level : float
        Probability of each interval.
    node_names : tuple of str
        The nodes, in the order of ``list(dag_)``.
    dag : networkx.DiGraph
        The graph whose tables these are.
    draws : dict of str to ndarray
        Tables of each node from their posterior, of shape (n_draws, \\*table shape).

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> from skcausalpima.inspection import table_intervals
    >>> found = table_intervals(model, X, random_state=0)
    >>> found.level, found.low["N1"].shape
    (0.9, (2,))
    """

    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    level: float
    node_names: tuple[str, ...]
    dag: nx.DiGraph
    draws: dict[str, np.ndarray]

    def intervene(self, interventions: Outcomes) -> OutcomeIntervals:
        """Return how sure the outcomes of all nodes are where some nodes are set.

        Parameters
        ----------
        interventions : mapping of str to (int or str)
            Outcome of each node that is set, by number or label; an empty one asks what is where
            none is.

        Returns
        -------
        OutcomeIntervals
            Intervals of the probabilities of each node's outcomes, as
            :meth:`CausalPIMA.intervene() <skcausalpima.CausalPIMA.intervene>` draws them.

        Raises
        ------
        ValueError
            If a node or an outcome does not exist.

        See Also
        --------
        InterventionDisplay : The probabilities in a picture.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import table_intervals
        >>> noise = np.random.default_rng(0).normal(size=(60, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 8]], (20, 1)) + noise
        >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
        >>> found = table_intervals(model, X, random_state=0).intervene({"N1": 0})
        >>> found.low["N1"], found.high["N1"]  # it is set
        (array([1., 0.]), array([1., 0.]))
        >>> found.low["N2"].round(1), found.high["N2"].round(1)
        (array([0.4, 0.4]), array([0.6, 0.6]))
        """
        first: dict[Hashable, ArrayLike] = {node: draws[0] for node, draws in self.draws.items()}
        changed = CategoricalDAG(self.dag, first).do(interventions)
        drawn = dict(self.draws) | {node: changed.cpts[node][None] for node in interventions}
        tables = [drawn[name] for name in self.node_names]
        together = joints(tables, parents_of(changed.graph), changed.sizes)
        marginals = {}
        for axis, name in enumerate(self.node_names, 1):
            others = tuple(of for of in range(1, together.ndim) if of != axis)
            marginals[name] = together.sum(axis=others)
        low, high = _ends(marginals, self.level)
        return OutcomeIntervals(low=low, high=high, level=self.level)


@dataclass(frozen=True, kw_only=True)
class OutcomeIntervals:
    """How sure the probabilities of the nodes' outcomes are.

    Parameters
    ----------
    low, high : dict of str to ndarray of shape (node size,)
        Ends of the intervals.
    level : float
        Probability of each interval.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> from skcausalpima.inspection import table_intervals
    >>> outcomes = table_intervals(model, X, random_state=0).intervene({})
    >>> outcomes.low["N1"].shape
    (2,)
    """

    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    level: float


@validate_params(
    {
        "refit": [StrOptions({"mixture"}), None],
        "level": [NumberRange(Real, 0, 1, closed="neither")],
        "n_draws": [count(1)],
        "n_jobs": [JOBS, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def table_intervals(
    est: BaseEstimator,
    X: Samples,
    *,
    refit: str | None = None,
    level: float = 0.9,
    n_draws: int = 1000,
    params: Mapping[str, ArrayLike] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
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
    verbose : int, default=0
        1 prints how many refits are done and what time is left, in a line that is rewritten (about
        five lines where standard output is no terminal); 2 prints a line for each part of them.

    Returns
    -------
    TableIntervals
        Ends of the intervals, the draws, and a method for interventions. After an interrupt
        (Ctrl-C) they are of the refits that are complete.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If ``params`` has other names, or values that ``fit`` would refuse. ``refit="mixture"`` of a
        fit whose networks decide more: experts, decoders per cluster, a graph learned by gradient,
        the published posterior.
    KeyboardInterrupt
        If it comes before refits are complete.

    Warns
    -----
    skcausalpima.exceptions.InterruptionWarning
        An interrupt came before all refits were complete.

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

    Where the clusters are not the true groups, or an arrow points the wrong way, intervals cover
    something else. Measured on simulated data with known tables, 87 to 92 % of the intervals at
    90 % cover; of fits to 300 samples whose outcomes lie 4 standard deviations apart, 78 % do, and
    87 % with refits (``benchmarks/intervals.py``).

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
    dag, rng = node_graph(est.dag_, with_causes=True), check_random_state(random_state)
    names, given = tuple(dag), dict(params or {})
    unknown = set(given) - {"sample_weight", "known_nodes", "interventions"}
    if unknown:
        raise ValueError(
            f"params has {sorted(unknown)}, but fit takes sample_weight, known_nodes and "
            "interventions."
        )
    if refit is None:
        drawn = draws_of_fit(est, X, given, n_draws, rng)
    else:
        drawn = draws_of_refits(est, X, given, n_draws, rng, n_jobs, verbose)
    draws = dict(zip(names, map(np.stack, zip(*drawn, strict=True)), strict=True))
    low, high = _ends(draws, level)
    return TableIntervals(
        low=low, high=high, level=level, node_names=names, dag=copy_graph(dag), draws=draws
    )


def _ends(
    draws: Mapping[str, np.ndarray], level: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return, of each node, the quantiles that leave equal shares of the draws outside."""
    low, high = (
        {node: np.quantile(of, share, axis=0) for node, of in draws.items()}
        for share in ((1 - level) / 2, (1 + level) / 2)
    )
    return low, high


def parents_of(dag: nx.DiGraph) -> list[list[int]]:
    """Return the numbers of each node's parents, in the order of the axes of its table."""
    names = list(dag)
    return [[names.index(parent) for parent in dag.predecessors(node)] for node in names]


def joints(
    tables: Sequence[np.ndarray],
    parents: Sequence[Sequence[int]],
    sizes: tuple[int, ...],
    left_out: Sequence[int] = (),
) -> np.ndarray:
    """Multiply tables along the graph, (draw, \\*sizes); each has an axis of draws in front."""
    found = np.ones((max(len(table) for table in tables), *sizes))
    for node, (table, axes) in enumerate(zip(tables, parents, strict=True)):
        family = [*axes, node]
        shape = [size if n in family else 1 for n, size in enumerate(sizes)]
        in_order = np.transpose(table, [0, *(1 + np.argsort(family))])
        if node not in left_out:
            found *= in_order.reshape(len(table), *shape)
    return found


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Nodes, their parents, and which of them were set together."""

    sizes: tuple[int, ...]
    parents: list[list[int]]
    regimes: list[tuple[int, ...]]

    def cell_priors(self, tables: Sequence[np.ndarray]) -> np.ndarray:
        """Return the probability of each cell in each regime, up to a factor, (regime, cell).

        The table of a node that was set is left out.
        """
        single = [table[None] for table in tables]
        priors = [joints(single, self.parents, self.sizes, was_set) for was_set in self.regimes]
        return np.concatenate(priors).reshape(len(self.regimes), -1)

    def family_counts(self, counts: np.ndarray, node: int) -> np.ndarray:
        """Return the counts of a node's table from those of the cells, (regime, cell).

        Samples in which the node was set say nothing of its table.
        """
        free = [k for k, was_set in enumerate(self.regimes) if node not in was_set]
        grid = counts[free].sum(axis=0).reshape(self.sizes)
        axes = [*self.parents[node], node]
        others = tuple(n for n in range(grid.ndim) if n not in axes)
        return np.transpose(grid.sum(axis=others), np.argsort(np.argsort(axes)))

    def drawn(self, counts: np.ndarray, rng: np.random.RandomState) -> list[np.ndarray]:
        """Draw the tables given the counts of the cells, (regime, cell): Dirichlet."""
        tables = []
        for node in range(len(self.sizes)):
            drawn = rng.standard_gamma(self.family_counts(counts, node) + PRIOR)
            tables.append(drawn / drawn.sum(axis=-1, keepdims=True))
        return tables


@dataclass(frozen=True)
class Evidence:
    """What the samples say of their cells, whatever the tables are.

    Parameters
    ----------
    likelihoods : ndarray of shape (n_uncertain, n_cells)
        Of samples whose cell is not certain, up to a factor of each.
    weights : ndarray of shape (n_uncertain,)
        For how many samples each of them counts.
    numbers : ndarray of int of shape (n_uncertain,)
        Their regimes.
    certain : ndarray of shape (n_regimes, n_cells)
        Weights of the other samples.
    grid : Grid
        The graph by which they are put into cells.
    """

    likelihoods: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray
    certain: np.ndarray
    grid: Grid

    @classmethod
    def of(
        cls,
        likelihoods: np.ndarray,
        weights: np.ndarray,
        numbers: np.ndarray,
        grid: Grid,
        tables: Sequence[np.ndarray],
    ) -> Evidence:
        """Set samples whose cell is certain, by tables near those to be drawn, apart."""
        found = likelihoods * grid.cell_priors(tables)[numbers]
        is_open = found.max(axis=1) < (1 - CERTAIN) * found.sum(axis=1)
        certain = np.zeros((len(grid.regimes), likelihoods.shape[1]))
        np.add.at(certain, (numbers[~is_open], found[~is_open].argmax(axis=1)), weights[~is_open])
        kept = likelihoods[is_open], weights[is_open], numbers[is_open]
        return cls(*kept, certain, grid)

    def draws(
        self,
        tables: Sequence[np.ndarray],
        n_draws: int,
        rng: np.random.RandomState,
        n_warm_up: int = N_WARM_UP,
        asked: Grid | None = None,
    ) -> Draws:
        """Draw cells and tables by turns; return the tables of all nodes, draw by draw.

        ``tables`` are where it begins. ``asked`` is the graph whose tables are returned, by
        default that by which cells are drawn.
        """
        found: Draws = []
        n_open = len(self.numbers)
        for turn in range(-n_warm_up if n_open else 0, n_draws):
            counts = self.certain.copy()
            if n_open:
                joint = self.likelihoods * self.grid.cell_priors(tables)[self.numbers]
                sums = np.cumsum(joint, axis=1)
                levels = rng.uniform(size=(n_open, 1)) * sums[:, -1:]
                np.add.at(counts, (self.numbers, (sums <= levels).sum(axis=1)), self.weights)
            tables = self.grid.drawn(counts, rng)
            if turn >= 0:
                found.append(tables if asked is None else asked.drawn(counts, rng))
        return found


def draws_of_fit(
    est: BaseEstimator, X: Samples, params: Values, n_draws: int, rng: np.random.RandomState
) -> Draws:
    """Draw tables given samples, out of whose probabilities of cells the fit's tables are taken."""
    dag = node_graph(est.dag_)
    sizes = est.joint_.shape
    graph = CategoricalDAG(node_graph(est.dag_, with_causes=True), est.cpts_)
    probabilities = np.asarray(est.predict_proba(X), dtype=np.float64)
    n_samples = len(probabilities)
    told = params.get("known_nodes"), params.get("interventions")
    check_rows_with(X, known_nodes=told[0], interventions=told[1])
    nodes = dict(zip(dag, sizes, strict=True))
    knowledge = read_knowledge(*told, n_samples, nodes, outcome_names(dag))
    likelihoods = np.zeros_like(probabilities)
    cells = NodeGrid(sizes).cells(est.cluster_states_)
    labels = np.ones((n_samples, 1))
    if causes := graph.sizes[len(sizes) :]:
        model, modalities = model_of(est), samples_of(est, X)
        codes = model.labelled(modalities).codes[model.contexts.is_cause]
        labels = np.eye(math.prod(causes))[np.ravel_multi_index(tuple(codes), causes)]
    joint = graph.joint().reshape(-1, labels.shape[1])[cells] @ labels.T
    likelihoods[:, cells] = probabilities / np.maximum(joint.T, np.finfo(float).tiny)
    if knowledge.known_nodes is not None:
        allowed = allowed_cells(knowledge.known_nodes, sizes).T
        fits = (likelihoods * allowed).any(axis=1, keepdims=True)
        likelihoods = np.where(fits, likelihoods, 1.0) * allowed
    given = params.get("sample_weight")
    weights = np.ones(n_samples) if given is None else check_weights(given, n_samples)
    likelihoods = (likelihoods[:, :, None] * labels[:, None]).reshape(n_samples, -1)
    numbers = knowledge.regime_index
    if numbers is None:
        numbers = np.zeros(n_samples, dtype=np.int64)
    grid = Grid(sizes=graph.sizes, parents=parents_of(graph.graph), regimes=knowledge.regimes)
    tables = [est.cpts_[name] for name in graph.nodes]
    evidence = Evidence.of(likelihoods, weights, numbers, grid, tables)
    return evidence.draws(tables, n_draws, rng)


def draws_of_refits(
    est: BaseEstimator,
    X: Samples,
    params: Values,
    n_draws: int,
    rng: np.random.RandomState,
    n_jobs: int | None,
    verbose: int,
) -> Draws:
    """Draw tables from each of many refits of the mixture, in parts of these."""
    if est._fitted.spec.causes:
        raise ValueError(
            "refit='mixture' does not know tables that depend on contexts with role='cause': leave "
            "refit at None, or use edge_confidence(refit='mixture') for the graph."
        )
    kept = mixture_refits(est, X, **params)
    parents = parents_of(node_graph(est.dag_))
    grid = Grid(sizes=est.joint_.shape, parents=parents, regimes=kept.regimes)
    n_refits = min(N_REFITS, n_draws)
    seeds = rng.randint(2**31 - 1, size=n_refits).tolist()
    n_each = -(-n_draws // n_refits)
    call = partial(_draw_of_refits, kept, grid, n_each)
    told = n_jobs, verbose, "table_intervals"
    refits, interrupted = completed_in_parts(call, seeds, kept.at_once, *told)
    if interrupted:
        warn_caller(
            f"Interrupted: the intervals are from {len(refits)} of {n_refits} refits.",
            InterruptionWarning,
        )
    return [tables for drawn in refits.values() for tables in drawn][:n_draws]


def _draw_of_refits(
    kept: MixtureRefits, asked: Grid, n_draws: int, seeds: Sequence[int]
) -> list[Draws]:
    """Draw tables from some refits: cells by the graph of each, then the tables that are asked."""
    found = []
    replicates = kept.replicates(seeds, arranges=False)
    for seed, (_, graph, likelihoods) in zip(seeds, replicates, strict=True):
        parents = [np.flatnonzero(column).tolist() for column in graph.adjacency.T]
        grid = replace(asked, parents=parents)
        joint = reduce(np.multiply, graph.tables).reshape(1, -1).repeat(len(asked.regimes), axis=0)
        families = [grid.family_counts(joint, node) for node in range(len(parents))]
        tables = [family / family.sum(axis=-1, keepdims=True) for family in families]
        evidence = Evidence.of(likelihoods, kept.weights, kept.regime_index, grid, tables)
        rng = np.random.RandomState([seed, 1])
        found.append(evidence.draws(tables, n_draws, rng, N_WARM_UP_OF_REFIT, asked))
    return found
