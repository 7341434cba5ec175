"""Tables of what experts have learned, of components and of samples, with standard errors."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import TensorData
from .._state.fitted import ExpertTable
from .._training.decoder_updates import at_least, curve_problem
from ..functional import (
    CurveStatistics,
    assemble,
    curve_jacobian,
    curve_statistics,
    projected_squared_errors,
)
from ..modules import ClusterExpert

#: The nodes, and the names of their outcomes where they have some.
Nodes: TypeAlias = Mapping[str, tuple[str, ...] | None]

#: Smallest eigenvalue of a Fisher information of unit diagonal that is told from zero.
MIN_EIGENVALUE = 1e-12


def statistics_of(data: TensorData, m: int, gamma: Tensor, directions: Tensor) -> CurveStatistics:
    """Return the statistics of one modality; ``gamma`` is of shape (n_components, n_samples)."""
    sums = (
        curve_statistics(
            part.loaded().arrays[m], gamma if rows is None else gamma[:, rows], directions
        )
        for rows, part in data.parts()
    )
    return data.total_of(functools.reduce(operator.add, sums))


def expert_table(
    parameters: Sequence[str], parts: Mapping[str, np.ndarray], outcomes: np.ndarray, nodes: Nodes
) -> ExpertTable:
    """Return outcomes of nodes beside the columns of some parts, by what ends their names."""
    columns = {name: outcomes[:, k].copy() for k, name in enumerate(nodes)}
    for ending, values in parts.items():
        columns |= {f"{name}{ending}": values[:, k].copy() for k, name in enumerate(parameters)}
    named = {name: labels for name, labels in nodes.items() if labels is not None}
    return ExpertTable(columns, parameters, named)


def seen_scatter(expert: ClusterExpert, sums: CurveStatistics) -> Tensor:
    """Return the covariances of the residuals along the directions of the scatter, as seen.

    What the model uses is drawn to no scatter, which is safe for the responsibilities, but would
    make deviations and standard errors of small clusters too small.
    """
    along = projected_squared_errors(sums, expert.means(), expert.directions)
    others = (sums.counts - 1.0)[:, None, None]
    scatter = torch.where(others >= 1.0, along / others.clamp_min(1.0), expert.scatter.double())
    return at_least(scatter, expert.log_variances.double().exp())


@torch.no_grad()
def standard_errors(expert: ClusterExpert, statistics: CurveStatistics) -> tuple[Tensor, Tensor]:
    r"""Return standard errors of the parameters, and how much these scatter between samples.

    Standard errors are from the curvature of the gamma-weighted log-likelihood at its maximum,
    :math:`\sum_c N_c J_c^T \Sigma_c^{-1} J_c` with the Jacobian J of the scaled curve by the
    parameters themselves: responsibilities and variances count as known. ``statistics`` are those
    with the expert's directions. Both have the shape (n_components, n_parameters); NaN in empty
    cells, 0 for fixed parameters, infinite where the data tell a combination of parameters only.
    """
    spec, index = expert.expert, expert.index
    errors = torch.zeros(len(index), len(spec.names), dtype=torch.float64)
    deviations = torch.zeros_like(errors)
    if not spec.free_names:
        return errors, deviations
    values = spec.space.values(expert.coordinates().double())

    def scaled(parameters: Tensor) -> Tensor:
        curves = spec.curves(parameters, expert.x.double(), len(expert.shape)).flatten(1)
        return (curves - expert.centre) / expert.factor

    problem = curve_problem(expert, statistics)
    jacobian = curve_jacobian(scaled, values)
    known = (problem.weights > 0)[:, None, None]
    jacobian = torch.where(known, jacobian, 0.0)
    matrices = problem.weights[:, None, None] * jacobian.mT @ jacobian
    columns = [spec.names.index(name) for name in spec.free_names]
    if spec.scatter:
        inner, along = seen_scatter(expert, statistics), expert.directions.double().mT @ jacobian
        variances = expert.log_variances.double().exp()
        counts = problem.weights * variances
        matrices = counts[:, None, None] * along.mT @ torch.linalg.solve(inner, along)
        back = torch.linalg.pinv(along)
        spread = back @ (inner - torch.diag_embed(variances[:, None].expand(values.shape)))
        squares = (spread @ back.mT).diagonal(dim1=1, dim2=2).clamp_min(0.0)
        deviations[:, columns] = torch.where(known[:, :, 0], squares.sqrt(), torch.nan).cpu()
    information = assemble(problem, matrices)
    errors[:, columns] = _roots_of_inverse(information)[index].cpu()
    return errors, deviations


def _roots_of_inverse(information: Tensor) -> Tensor:
    """Return the roots of the inverse's diagonal, NaN where nothing is known.

    Infinite where the data tell a combination of parameters only, as a * b.
    """
    diagonal = information.diagonal()
    known = diagonal > 0
    scale = torch.where(known, diagonal, 1.0).rsqrt()  # units out: unit diagonal
    unit = scale[:, None] * information * scale + torch.diag((~known).double())
    values, vectors = torch.linalg.eigh(unit)
    flat = values <= MIN_EIGENVALUE
    variances = (vectors.square() / torch.where(flat, torch.inf, values)).sum(dim=1)
    untold = (vectors.square() * flat).sum(dim=1) > MIN_EIGENVALUE**0.5
    variances = torch.where(untold, torch.inf, variances)
    return torch.where(known, variances.sqrt() * scale, torch.nan)
