"""Where values are missing: in a cell, and with a node, more often than by chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._base.reports.cells import FEW_VALUES, CellValuesReport
from .._data.column_kinds import slices_of
from .._data.containers import Form
from .alarms import Alarm
from .figures import cell_in_words, short

# Of gaps at random, 5 to 50 % of all values, none of 200 made tables (2 to 8 cells, 60 to 300 rows)
# and none of 200 draws of the 28 plain ones of benchmarks/groups.py has a note; no number was
# chosen on them.

#: [probability] What chance does not bring about in any of all columns and cells (arbitrary).
RARE = 0.05

#: [share] Of the samples of a cell, more than this lack the value (arbitrary).
MOST = 0.5

#: [share] So many more samples lack the value with an outcome of a node than elsewhere (arbitrary).
MORE = 0.2

#: Columns that are named (arbitrary).
N_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Lack:
    """A column whose values are missing in some cells.

    Parameters
    ----------
    column : str
        The column, or a modality as a whole.
    node : str
        The node that it goes with; "" where it is about single cells, or about all samples.
    where : str
        The cell, or the outcome of the node; "" for all samples.
    n_missing, n_samples : int
        How many values are missing there, of how many samples.
    elsewhere : float
        Share of the other samples that lack the value.
    """

    column: str
    node: str = ""
    where: str = ""
    n_missing: int
    n_samples: int
    elsewhere: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Groups:
    """How many samples groups of cells have, and how many of these lack values of columns."""

    is_in: np.ndarray  # (group, component)
    n_samples: np.ndarray  # (group, 1)
    n_missing: np.ndarray  # (group, column)
    shares: np.ndarray  # (group, column): of those that lack the value
    elsewhere: np.ndarray  # (group, column): of those in other groups that lack it
    is_rare: np.ndarray  # (group, column): chance does not bring about so many

    @classmethod
    def of(cls, is_in: np.ndarray, missing: np.ndarray, n_samples: np.ndarray) -> _Groups:
        """Count samples of groups, from those of components."""
        n, k = (is_in @ n_samples)[:, None], is_in @ missing
        n_all, k_all = n_samples.sum(), missing.sum(axis=0)
        shares, elsewhere = k / np.maximum(n, 1.0), (k_all - k) / np.maximum(n_all - n, 1.0)
        # Hoeffding's bound: of draws without replacement so many lack the value with this log
        # probability at most.
        share, base = np.clip(shares, 1e-9, 1 - 1e-9), np.clip(k_all / n_all, 1e-9, 1 - 1e-9)
        distance = share * np.log(share / base) + (1 - share) * np.log((1 - share) / (1 - base))
        is_rare = (shares > base) & (np.log(max(k.size, 1)) - n * distance <= np.log(RARE))
        return cls(
            is_in=is_in,
            n_samples=n,
            n_missing=k,
            shares=shares,
            elsewhere=elsewhere,
            is_rare=is_rare,
        )

    def lack(self, column: str, j: int, group: int, **where: str) -> Lack:
        """Return what is missing in a group of one column, the j-th."""
        return Lack(
            column=column,
            n_missing=round(self.n_missing[group, j]),
            n_samples=round(self.n_samples[group, 0]),
            elsewhere=float(self.elsewhere[group, j]),
            **where,
        )


def lacks(
    values: CellValuesReport, form: Form, cells: np.ndarray, nodes: Mapping[str, Sequence[str]]
) -> tuple[Lack, ...]:
    """Return where values are missing, by cells and by nodes.

    Samples count for cells with their probabilities.

    Parameters
    ----------
    values : CellValuesReport
        What components have.
    form : Form
        How samples came, with names of columns.
    cells : ndarray of int of shape (n_components, n_nodes)
        Outcomes of the nodes in components.
    nodes : mapping of str to sequence of str
        Names of their outcomes.
    """
    names, missing = _missing(values, form)
    single = _Groups.of(np.eye(len(cells)), missing, values.n_samples)
    words = [[w[k] for w, k in zip(nodes.values(), row, strict=True)] for row in cells.tolist()]
    found = []
    n_values = np.round((values.n_samples[:, None] - missing).sum(axis=0))
    for j in np.flatnonzero(n_values < FEW_VALUES).tolist():
        n_missing, n = round(missing[:, j].sum()), round(values.n_samples.sum())
        found.append(Lack(column=names[j], n_missing=n_missing, n_samples=n))
    for cell, j in np.argwhere(single.is_rare & (single.shares > MOST)).tolist():
        found.append(single.lack(names[j], j, cell, where=cell_in_words(words[cell])))
    in_cells = {one.column for one in found}
    for node, (name, outcomes) in enumerate(nodes.items()):
        is_in = (cells[:, node] == np.arange(len(outcomes))[:, None]).astype(float)
        groups = _Groups.of(is_in, missing, values.n_samples)
        for outcome, j in np.argwhere(_go_with(groups, single)).tolist():
            if len(nodes) > 1 or names[j] not in in_cells:  # cells of one node are its outcomes
                found.append(groups.lack(names[j], j, outcome, node=name, where=outcomes[outcome]))
    return tuple(sorted(found, key=lambda one: one.elsewhere - one.n_missing / one.n_samples))


def _go_with(groups: _Groups, cells: _Groups) -> np.ndarray:
    """Return which columns lack values with an outcome: in each of its cells more than elsewhere.

    Cells of few samples say nothing.
    """
    is_more = groups.is_rare & (groups.shares - groups.elsewhere >= MORE)
    counts = cells.n_samples[:, 0] >= FEW_VALUES
    for group, is_in in enumerate(groups.is_in.astype(bool)):
        own = cells.shares[is_in & counts]
        is_more[group] &= (own > groups.elsewhere[group]).all(axis=0)
    return is_more


def _missing(values: CellValuesReport, form: Form) -> tuple[list[str], np.ndarray]:
    """Return columns that lack values, and how many, of shape (n_components, n_columns)."""
    names, tables = [], [np.zeros((len(values.n_samples), 0))]
    for k, (name, counts) in enumerate(values.counts.items()):
        missing, own = np.maximum(values.n_samples[:, None] - counts, 0.0), [name]
        if counts.shape[1] > 1:
            columns = columns_of(form, k, counts.shape[1])
            own = [column for column, _ in columns]
            missing = missing[:, [part.start for _, part in columns]]
        if (np.ptp(missing, axis=1) < 0.5).all() and len(form.names) > 1:
            own, missing = [name], missing[:, :1]  # samples lack it as a whole
        lack = np.flatnonzero(np.round(missing.sum(axis=0)) > 0)
        names += [own[j] for j in lack]
        tables.append(missing[:, lack])
    return names, np.concatenate(tables, axis=1)


def missing_shares(values: CellValuesReport) -> dict[str, float]:
    """Return the share of values that are missing, by modality; those that lack none are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import CellValuesReport
    >>> from skcausalpima._judge.missing import missing_shares
    >>> n, ages = np.array([20.0, 30.0]), np.array([[20.0, 5.0], [30.0, 20.0]])
    >>> counts = {"ages": ages, "curves": n[:, None]}
    >>> missing_shares(CellValuesReport(n_samples=n, counts=counts, means={}))
    {'ages': 0.25}
    """
    n_samples = float(values.n_samples.sum())
    shares = {
        name: 1.0 - float(counts.sum()) / max(n_samples * counts.shape[1], 1.0)
        for name, counts in values.counts.items()
    }
    return {name: share for name, share in shares.items() if share > 1e-6}


def columns_of(form: Form, k: int, n_elements: int) -> list[tuple[str, slice]]:
    """Return the columns of a modality, and the elements of each."""
    coding, stated = form.tables[k].coding, form.columns[k]
    if coding is not None:
        parts = slices_of(coding.layout)
        return [(str(c.name), part) for c, part in zip(coding.columns, parts, strict=False)]
    names = [f"column {e}" for e in range(n_elements)] if stated is None else map(str, stated)
    return [(name, slice(e, e + 1)) for e, name in enumerate(names)]


def of_missing(found: Sequence[Lack]) -> Iterator[Alarm]:
    """Yield notes on values that are missing in cells, and on those that go with nodes."""
    if in_cells := [one for one in found if not one.node]:
        yield Alarm(
            code="values-missing",
            figure=in_cells[0].n_missing / in_cells[0].n_samples,
            sentence=f"Values are missing: {_listed(in_cells)}.",
            remedy="Means and filled values there rest on the others alone (cell_values_). Do not "
            "fill in what cannot exist.",
        )
    if with_node := [one for one in found if one.node]:
        yield Alarm(
            code="missing-with-node",
            figure=with_node[0].n_missing / with_node[0].n_samples,
            sentence=f"What is missing goes with a node: {_listed(with_node)}.",
            remedy="Missing values are not used to find nodes. If they mean something, add a "
            "column that says where there is a value.",
        )


def _listed(found: Sequence[Lack]) -> str:
    """Write where the first few columns lack values, and how many more there are."""
    parts = []
    for one in found[:N_NAMED]:
        where = f"in cell {one.where} " if one.where else ""
        rest = ""
        if one.node:
            where = f"where {short(one.node)} is {short(one.where)}, "
            rest = f" ({one.elsewhere:.0%} elsewhere)"
        many = f"{one.n_missing} of {one.n_samples} samples"
        parts.append(f"{where}{short(one.column)} is missing in {many}{rest}")
    if (n_more := len(found) - N_NAMED) > 0:
        parts.append(f"and {n_more} more")
    return "; ".join(parts)
