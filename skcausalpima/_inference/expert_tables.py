"""What experts have learned, in the form in which the estimator shows it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from .._grid import NodeGrid
from .._model.tensors import TensorData
from ..functional import CurveStatistics, curve_statistics
from ..modules import ClusterExpert, MultimodalVAE
from .standard_errors import standard_errors

if TYPE_CHECKING:
    import pandas as pd

#: The nodes, and the names of their outcomes where they have some.
Nodes: TypeAlias = Mapping[str, tuple[str, ...] | None]


class ExpertTable(Mapping[str, np.ndarray]):
    """Columns by name: outcomes of nodes, parameters, and standard errors of these.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_rows,)
        One column per node, per parameter, and one ``"<parameter>_se"`` for its standard error;
        ``"<parameter>_sd"`` is how much it scatters between samples, if it may.
    parameters : sequence of str
        Which of the columns are parameters.
    outcome_names : mapping of str to tuple of str, default=None
        Names of the outcomes of nodes that have some; the columns themselves are numbers.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        parameters: Sequence[str],
        outcome_names: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._columns = dict(columns)
        self.parameters = tuple(parameters)
        self.outcome_names = dict(outcome_names or {})

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        """Show the table."""
        rows = zip(*(self._written(name) for name in self), strict=True)
        lines = [list(self), *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame; outcomes that have names are categories."""
        import pandas as pd  # an optional dependency

        named = {
            name: pd.Categorical.from_codes(self[name].tolist(), list(labels))
            for name in self
            if (labels := self._labels(name)) is not None
        }
        return pd.DataFrame(self._columns | named)

    def _labels(self, name: str) -> tuple[str, ...] | None:
        """Return the names of what is in a column; None where it is numbers."""
        return None if name in self.parameters else self.outcome_names.get(name)

    def _written(self, name: str) -> list[str]:
        """Return a column as texts."""
        labels, values = self._labels(name), self[name]
        if labels is not None:
            return [labels[k] for k in values]
        return [str(v) if isinstance(v, np.integer) else f"{v:.4g}" for v in values]


@torch.no_grad()
def cluster_tables(
    model: MultimodalVAE,
    data: TensorData,
    probabilities: np.ndarray,
    states: np.ndarray,
    nodes: Nodes,
    names: Sequence[str],
) -> dict[str, ExpertTable]:
    """Return the parameters of every component, by name of the modality.

    ``probabilities`` of shape (n_samples, n_cells) are those of the training data, ``states`` the
    outcomes of the components in their order, ``nodes`` the names of outcomes by node. Experts per
    sample show their parameters at the centres of the components, without standard errors.
    """
    cells = NodeGrid(model.prior.node_sizes).cells(states)
    gamma = torch.as_tensor(probabilities.T.copy(), device=data.device)
    if data.weights is not None:
        gamma = gamma * data.weights
    tables = {}
    for m, expert in model.experts:
        values = expert.cell_values(model.prior.means)
        errors = spread = np.full(values.shape, np.nan)
        if expert.depends_on_cluster:
            seen = gamma if data.observed is None else gamma * data.observed[m]
            per_cluster = cast(ClusterExpert, expert)
            statistics = _statistics(data, m, seen, per_cluster.directions)
            errors, spread = (part.numpy() for part in standard_errors(per_cluster, statistics))
        parameters = expert.expert.names
        table = _table(parameters, values.cpu().numpy()[cells], errors[cells])
        if expert.expert.scatter:
            table[0].update({f"{n}_sd": spread[cells, k] for k, n in enumerate(parameters)})
        tables[names[m]] = _with_nodes(table, states, nodes)
    return tables


def _statistics(data: TensorData, m: int, gamma: Tensor, directions: Tensor) -> CurveStatistics:
    """Return the statistics of one modality; ``gamma`` is of shape (n_components, n_samples)."""
    sums = (
        curve_statistics(
            part.loaded().arrays[m], gamma if rows is None else gamma[:, rows], directions
        )
        for rows, part in data.parts()
    )
    return data.ranks.totals(functools.reduce(operator.add, sums))


@torch.no_grad()
def sample_tables(
    model: MultimodalVAE,
    points: np.ndarray,
    cells: np.ndarray,
    outcomes: np.ndarray,
    nodes: Nodes,
    names: Sequence[str],
) -> dict[str, ExpertTable]:
    """Return the parameters of single samples, by name of the modality.

    ``points`` are their latent points, ``cells`` and ``outcomes`` their cells and outcomes, and
    ``nodes`` the names of outcomes by node.
    """
    z, tables = torch.tensor(points).to(model.prior.means), {}
    for m, expert in model.experts:
        values = expert.sample_values(z, torch.as_tensor(cells, device=z.device))
        table = _table(expert.expert.names, values.cpu().numpy(), None)
        tables[names[m]] = _with_nodes(table, outcomes, nodes)
    return tables


def _table(
    parameters: Sequence[str], values: np.ndarray, errors: np.ndarray | None
) -> tuple[dict[str, np.ndarray], Sequence[str]]:
    columns = {name: values[:, k].copy() for k, name in enumerate(parameters)}
    if errors is not None:
        columns |= {f"{name}_se": errors[:, k].copy() for k, name in enumerate(parameters)}
    return columns, parameters


def _with_nodes(
    table: tuple[dict[str, np.ndarray], Sequence[str]], outcomes: np.ndarray, nodes: Nodes
) -> ExpertTable:
    columns, parameters = table
    of_nodes = {name: outcomes[:, k].copy() for k, name in enumerate(nodes)}
    named = {name: labels for name, labels in nodes.items() if labels is not None}
    return ExpertTable(of_nodes | columns, parameters, named)
