"""Tables of what experts have learned, of components and of samples."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from .._grid import NodeGrid
from .._model.tensors import TensorData
from .._state.fitted import ExpertTable
from ..functional import CurveStatistics, curve_statistics
from ..modules import ClusterExpert, MultimodalVAE
from .standard_errors import standard_errors

#: The nodes, and the names of their outcomes where they have some.
Nodes: TypeAlias = Mapping[str, tuple[str, ...] | None]


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
