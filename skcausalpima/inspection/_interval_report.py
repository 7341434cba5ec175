"""What is said of how sure the tables of a graph are: intervals, and those where nodes are set."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.types import Outcomes
from ..graph import CategoricalDAG
from ._group_tables import GroupTables
from ._table_draws import joints, parents_of


@dataclass(frozen=True, kw_only=True, repr=False)
class TableIntervals(ShownTable):
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
    by : GroupTables or None, default=None
        With ``by``: the same of each group, and whether they differ.

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
    by: GroupTables | None = None

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
        >>> X = np.tile([[0, 0], [0, 8], [8, 0], [8, 8]], (15, 1)) + noise
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
            others = tuple(other for other in range(1, together.ndim) if other != axis)
            marginals[name] = together.sum(axis=others)
        low, high = ends_of(marginals, self.level)
        names = {n: tuple(self.dag.nodes[n].get("states", ())) for n in self.node_names}
        return OutcomeIntervals(low=low, high=high, level=self.level, outcome_names=names)

    def to_frame(self) -> Frame:
        """Return one row per entry of a table.

        Returns
        -------
        pandas.DataFrame
            Columns are ``node``, ``outcome``, ``given``, the outcomes of its parents, ``mean`` of
            the draws, ``low`` and ``high``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import table_intervals
        >>> noise = np.random.default_rng(0).normal(size=(60, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 0], [8, 8]], (15, 1)) + noise
        >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
        >>> found = table_intervals(model, X, random_state=0)
        >>> found.to_frame()[["node", "outcome", "mean"]].round(1)
          node outcome  mean
        0   N1       0   0.5
        1   N1       1   0.5
        2   N2       0   0.5
        3   N2       1   0.5
        """
        columns = ["node", "outcome", "given", "mean", "low", "high"]
        return pandas_for("to_frame").DataFrame(list(self._entries()), columns=columns)

    def _entries(self) -> Iterator[tuple[str, str, str, float, float, float]]:
        """Yield the entries of the tables, in words and numbers."""
        means = {node: draws.mean(axis=0) for node, draws in self.draws.items()}
        for node, outcome, given, entry in entries_in_words(self.dag, means):
            low, high = self.low[node][entry], self.high[node][entry]
            yield node, outcome, given, float(means[node][entry]), float(low), float(high)

    def _as_table(self) -> TableText:
        """Write the entries."""
        title = f"Tables of the graph, intervals of {self.level:.0%}"
        rows = [
            [node, outcome, given, f"{mean:.2f}", _words(low, high)]
            for node, outcome, given, mean, low, high in self._entries()
        ]
        notes = [] if self.by is None else ["The attribute by has those of each group."]
        return TableText(title, ("node", "outcome", "given", "mean", "interval"), rows, notes)


@dataclass(frozen=True, kw_only=True, repr=False)
class OutcomeIntervals(ShownTable):
    """How sure the probabilities of the nodes' outcomes are.

    Parameters
    ----------
    low, high : dict of str to ndarray of shape (node size,)
        Ends of the intervals.
    level : float
        Probability of each interval.
    outcome_names : dict of str to tuple of str, default={}
        Names of the outcomes of the nodes that have some.

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
    outcome_names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def to_frame(self) -> Frame:
        """Return one row per outcome of a node.

        Returns
        -------
        pandas.DataFrame
            Columns are ``node``, ``outcome``, ``low`` and ``high``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import OutcomeIntervals
        >>> OutcomeIntervals(
        ...     low={"N1": np.array([0.4, 0.5])}, high={"N1": np.array([0.5, 0.6])}, level=0.9
        ... ).to_frame()
          node outcome  low  high
        0   N1       0  0.4   0.5
        1   N1       1  0.5   0.6
        """
        columns = ["node", "outcome", "low", "high"]
        return pandas_for("to_frame").DataFrame(list(self._entries()), columns=columns)

    def _entries(self) -> Iterator[tuple[str, str, float, float]]:
        """Yield the outcomes, in words and numbers."""
        for node, low in self.low.items():
            names = self.outcome_names.get(node) or map(str, range(len(low)))
            for name, *ends in zip(names, low, self.high[node], strict=True):
                yield node, name, *ends

    def _as_table(self) -> TableText:
        """Write the intervals."""
        title = f"Probabilities of outcomes, intervals of {self.level:.0%}"
        rows = [[node, name, _words(low, high)] for node, name, low, high in self._entries()]
        return TableText(title, ("node", "outcome", "interval"), rows)


def ends_of(
    draws: Mapping[str, np.ndarray], level: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return, of each node, the quantiles that leave equal shares of the draws outside."""
    low, high = (
        {node: np.quantile(tables, share, axis=0) for node, tables in draws.items()}
        for share in ((1 - level) / 2, (1 + level) / 2)
    )
    return low, high


def _words(low: float, high: float) -> str:
    """Write an interval."""
    return f"[{low:.2f}, {high:.2f}]"


def entries_in_words(
    dag: nx.DiGraph, tables: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """Yield node, outcome, the outcomes of its parents, and the index, of each entry of tables.

    Examples
    --------
    >>> import networkx as nx
    >>> import numpy as np
    >>> from skcausalpima.inspection._interval_report import entries_in_words
    >>> dag = nx.DiGraph([("heat", "crack")])
    >>> dag.nodes["heat"]["states"] = "low", "high"
    >>> list(entries_in_words(dag, {"crack": np.array([[0.9, 0.1], [0.2, 0.8]])}))[1]
    ('crack', '1', 'heat=low', (0, 1))
    """
    for node, table in tables.items():
        family = [*dag.predecessors(node), node]
        named = [dag.nodes[name].get("states") for name in family]
        for entry in np.ndindex(table.shape):
            words = [str(k if n is None else n[k]) for n, k in zip(named, entry, strict=True)]
            given = ", ".join(f"{p}={k}" for p, k in zip(family[:-1], words, strict=False))
            yield node, words[-1], given, entry
