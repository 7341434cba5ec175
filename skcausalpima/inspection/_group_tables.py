"""Tables of groups of samples: intervals of each, and tests of whether they differ."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._held_out.units import Units
from .._structure.digraphs import node_graph
from ._fitted_estimator import outcome_names
from ._group_tests import table_p_value
from ._table_draws import Likelihoods, joints

#: Groups with fewer samples are not tested (arbitrary).
FEWEST = 10


@dataclass(frozen=True, kw_only=True, repr=False)
class GroupTables(ShownTable):
    """Shares of outcomes and tables in groups of samples, and whether they differ.

    Printed, it is a table of the shares, with a p-value for each node's table.

    Parameters
    ----------
    labels : tuple of hashable
        The groups, in the order in which they first come.
    n_samples : ndarray of shape (n_groups,)
        Their numbers of samples.
    share, share_low, share_high : dict of str to ndarray of shape (n_groups, node size)
        Share of each outcome in a group, mean of its posterior, and ends of the interval.
    cell_share, cell_low, cell_high : ndarray of shape (n_groups, \\*node sizes)
        The same of the cells of the grid.
    low, high : dict of str to ndarray of shape (n_groups, \\*table shape)
        Ends of the intervals of each node's table in a group.
    p_value : dict of str to float
        Of each node's table: whether it differs between groups, while all other tables may. NaN
        where fewer than two groups have enough samples.
    any_p_value : float
        Whether any table differs.
    level : float
        Probability of each interval.
    outcome_names : dict of str to tuple of str
        Names of the outcomes of each node.
    notes : tuple of str
        What limits the answer.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import table_intervals
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 40, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> site = np.tile(["here", "there"], 40)
    >>> found = table_intervals(model, X, by=site, random_state=0).by
    >>> found.labels, found.share["N1"].round(1).tolist()
    (('here', 'there'), [[0.5, 0.5], [0.5, 0.5]])
    >>> found.p_value["N1"] > 0.05
    True
    """

    labels: tuple[Hashable, ...]
    n_samples: np.ndarray
    share: dict[str, np.ndarray]
    share_low: dict[str, np.ndarray]
    share_high: dict[str, np.ndarray]
    cell_share: np.ndarray
    cell_low: np.ndarray
    cell_high: np.ndarray
    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    p_value: dict[str, float]
    any_p_value: float
    level: float
    outcome_names: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def to_frame(self) -> Frame:
        """Return the shares, one row per outcome of a node and group.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``node``, ``outcome`` and ``group``; columns are ``share``,
            ``low``, ``high``, and ``p_value`` of the node's table.

        Raises
        ------
        ImportError
            If pandas is not installed.

        See Also
        --------
        table_intervals : Find the numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import table_intervals
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 40, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> found = table_intervals(model, X, by=["a", "b"] * 40, random_state=0).by
        >>> found.to_frame()["share"].round(1)
        node  outcome  group
        N1    0        a        0.5
                       b        0.5
              1        a        0.5
                       b        0.5
        Name: share, dtype: float64
        """
        pd = pandas_for("to_frame")
        rows = [
            (node, outcome, group)
            for node, outcomes in self.outcome_names.items()
            for outcome, group in itertools.product(outcomes, self.labels)
        ]
        parts = {"share": self.share, "low": self.share_low, "high": self.share_high}
        columns = {
            name: np.concatenate([part[node].T.ravel() for node in self.share])
            for name, part in parts.items()
        }
        columns["p_value"] = np.array([self.p_value[node] for node, *_ in rows])
        return pd.DataFrame(
            columns, index=pd.MultiIndex.from_tuples(rows, names=["node", "outcome", "group"])
        )

    def _as_table(self) -> TableText:
        """Write shares by group, with their intervals."""
        rows = []
        for node, outcomes in self.outcome_names.items():
            for k, outcome in enumerate(outcomes):
                ends = zip(
                    self.share[node][:, k],
                    self.share_low[node][:, k],
                    self.share_high[node][:, k],
                    strict=True,
                )
                shares = [f"{mean:.2f} [{low:.2f}, {high:.2f}]" for mean, low, high in ends]
                rows.append([node, outcome, *shares, "" if k else f"{self.p_value[node]:.3f}"])
        sizes = [f"{g} ({n})" for g, n in zip(self.labels, self.n_samples, strict=True)]
        title = f"Shares of outcomes by group, intervals of {self.level:.0%}"
        any_of_all = f"Any table differs: p {self.any_p_value:.3f}."
        return TableText(
            title, ("node", "outcome", *sizes, "p of table"), rows, (any_of_all, *self.notes)
        )


def group_tables(
    est: BaseEstimator,
    likelihoods: Likelihoods,
    groups: tuple[np.ndarray, tuple[Hashable, ...]],
    level: float,
    n_draws: int,
    rng: np.random.RandomState,
) -> GroupTables:
    """Draw the tables of each group, and test whether they differ.

    ``groups`` are from :func:`~skcausalpima.inspection._metadata_columns.read_groups`.
    """
    codes, labels = groups
    names, known = list(node_graph(est.dag_)), codes >= 0
    likelihoods, codes = likelihoods.take(known), codes[known]
    _check_whole(likelihoods.units, codes)
    nodes, n_groups = len(names), len(labels)
    together = likelihoods.by_group(codes, n_groups)
    draws = together.evidence().draws(together.tables, n_draws, rng)
    tables = [np.stack(part) for part in zip(*draws, strict=True)]
    joint = joints(tables, together.grid.parents, together.grid.sizes)
    causes = tuple(range(1 + nodes, joint.ndim - 1))
    cells = np.moveaxis(joint.sum(axis=causes), -1, 1)
    cells /= cells.reshape(n_draws, n_groups, -1).sum(axis=-1).reshape(-1, n_groups, *[1] * nodes)
    shares = {}
    for axis, name in enumerate(names, 2):
        others = tuple(other for other in range(2, 2 + nodes) if other != axis)
        shares[name] = cells.sum(axis=others)
    ends = [(1 - level) / 2, (1 + level) / 2]
    share_ends = {name: np.quantile(part, ends, axis=0) for name, part in shares.items()}
    table_ends = {n: np.quantile(t, ends, axis=0) for n, t in zip(names, tables, strict=False)}
    cell_ends = np.quantile(cells, ends, axis=0)
    n_samples = np.bincount(codes, minlength=n_groups)
    p_values, notes = _tested(likelihoods, codes, labels, nodes, rng)
    return GroupTables(
        labels=labels,
        n_samples=n_samples,
        share={name: part.mean(axis=0) for name, part in shares.items()},
        share_low={name: low for name, (low, _) in share_ends.items()},
        share_high={name: high for name, (_, high) in share_ends.items()},
        cell_share=cells.mean(axis=0),
        cell_low=cell_ends[0],
        cell_high=cell_ends[1],
        low={name: low for name, (low, _) in table_ends.items()},
        high={name: high for name, (_, high) in table_ends.items()},
        p_value=dict(zip(names, p_values, strict=False)),
        any_p_value=p_values[-1],
        level=level,
        outcome_names=dict(zip(names, map(tuple, outcome_names(est)), strict=True)),
        notes=(*notes, *_same_as_nodes(likelihoods, codes, names)),
    )


def _check_whole(units: Units, codes: np.ndarray) -> None:
    """Check that samples which belong together have one label of ``by``."""
    differ = np.flatnonzero(codes != codes[units.firsts][units.numbers])
    if len(differ):
        raise ValueError(
            f"by has two labels within one of groups, the second in row {differ[0]} of those with "
            "a label: labels of whole groups are compared. Leave groups out if samples of a group "
            "have nothing in common."
        )


def _tested(
    likelihoods: Likelihoods,
    codes: np.ndarray,
    labels: Sequence[Hashable],
    n_nodes: int,
    rng: np.random.RandomState,
) -> tuple[list[float], list[str]]:
    """Return the p-value of each node's table and of all, and what limits them."""
    counts = np.bincount(codes[likelihoods.units.firsts], minlength=len(labels))
    small = np.flatnonzero(counts < FEWEST).tolist()
    notes = [f"Group {labels[k]!r} has {counts[k]} samples, too few to be tested." for k in small]
    if len(labels) - len(small) < 2:
        return [np.nan] * (n_nodes + 1), [*notes, "No two groups are left to be tested."]
    kept = ~np.isin(codes, small)
    numbers = np.unique(codes[kept], return_inverse=True)[1]
    questions = [[node] for node in range(n_nodes)] + [list(range(n_nodes))]
    return [
        table_p_value(likelihoods.take(kept), numbers, asked, rng) for asked in questions
    ], notes


def _same_as_nodes(likelihoods: Likelihoods, codes: np.ndarray, names: Sequence[str]) -> list[str]:
    """Say which node's outcomes the groups are."""
    cells = (
        likelihoods.values * likelihoods.grid.priors_of(likelihoods.numbers, likelihoods.tables).T
    ).argmax(axis=1)
    outcomes = np.unravel_index(cells, likelihoods.grid.sizes)
    return [
        f"The groups are the outcomes of {name}: if they were taken from this fit, its p-value "
        "says nothing."
        for name, of_node in zip(names, outcomes, strict=False)
        if len({*zip(of_node, codes, strict=True)}) == len({*of_node}) == len({*codes})
    ]
