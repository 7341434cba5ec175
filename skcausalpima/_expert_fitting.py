"""Least squares for the experts of a model: after each epoch, and at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .functional import (
    CurveProblem,
    CurveStatistics,
    assemble,
    curve_jacobian,
    curve_squared_errors,
    curve_statistics,
    fit_curves,
    projected_squared_errors,
)
from .modules import Batch, ClusterDecoder, ClusterExpert, Likelihood, MultimodalVAE, SampleExpert

#: Cells with a smaller sum of responsibilities say nothing about their curves.
MIN_COUNT = 1e-3

#: Smallest eigenvalue of a Fisher information of unit diagonal that is told from zero.
MIN_EIGENVALUE = 1e-12


class ErrorSums(NamedTuple):
    """What the variances of a network with its own likelihood depend on, per component."""

    counts: Tensor  # sums of responsibilities over samples that have the modality
    squared_errors: Tensor  # weighted sums

    def __add__(self, other: ErrorSums) -> ErrorSums:
        """Pool the sums over two sets of samples."""
        return ErrorSums(*(a + b for a, b in zip(self, other, strict=True)))


class ExpertSums:
    """Sums over samples that concern the decoders with a likelihood of their own."""

    def __init__(self, model: MultimodalVAE) -> None:
        self.model = model
        self.statistics: dict[int, CurveStatistics] = {}
        self.log_likelihoods: dict[int, float] = {}
        self.errors: dict[int, ErrorSums] = {}

    def add(self, batch: Batch, likelihoods: Mapping[int, Likelihood], gamma: Tensor) -> None:
        """Add samples with their responsibilities of shape (n_components, n_samples)."""
        for m, (values, errors) in likelihoods.items():
            total = (gamma * values).double().sum().item()
            self.log_likelihoods[m] = self.log_likelihoods.get(m, 0.0) + total
            seen = gamma if batch.observed is None else gamma * batch.observed[m]
            if errors is not None:
                part = ErrorSums(seen.double().sum(dim=1), (gamma * errors).double().sum(dim=1))
                self.errors[m] = self.errors[m] + part if m in self.errors else part
                continue
            directions = self.model.decoders[m].directions
            part = curve_statistics(batch.arrays[m], seen, directions)
            self.statistics[m] = self.statistics[m] + part if m in self.statistics else part

    def add_means(self, reconstruction: list[float], n_samples: int) -> float:
        """Add mean log-likelihoods to those of the other modalities; return what training sees."""
        trained = 0.0
        for m, value in self.log_likelihoods.items():
            reconstruction[m] += value / n_samples
            trained += float(self.model.likelihood_weight(m)) * value / n_samples
        return trained

    def squared_errors(self, others: Tensor) -> Tensor:
        """Return those of all modalities, of shape (n_modalities,), from those of the others."""
        own = {m: sums.squared_errors.sum() for m, sums in self.errors.items()}
        return torch.stack([own.get(m, other) for m, other in enumerate(others)]) if own else others


def curve_problem(expert: ClusterExpert, statistics: CurveStatistics) -> CurveProblem:
    """State the gamma-weighted part of Eq. 26 as a fit of each cell's mean curve."""
    counts = torch.where(statistics.counts < MIN_COUNT, 0.0, statistics.counts)
    weights = counts / expert.log_variances.double().exp()
    return CurveProblem(expert.trial_curves, statistics.means, weights, expert.index, expert.block)


def scattered_problem(expert: ClusterExpert, statistics: CurveStatistics) -> CurveProblem:
    """State the same where curves share parameters that scatter between samples.

    Along the directions of the scatter a cell's mean curve is as uncertain as its covariance says,
    and the cells differ in it: residuals are whitened. Where each cell has its own parameters,
    least squares have the same solution.
    """
    problem, directions = curve_problem(expert, statistics), expert.directions.double()
    deviations = (0.5 * expert.log_variances.double()).exp()[:, None, None]
    factors = torch.linalg.cholesky(expert.scatter.double())

    def whitened(curves: Tensor) -> Tensor:
        along = directions.mT @ curves[:, :, None]
        inside = deviations * torch.linalg.solve_triangular(factors, along, upper=False)
        return curves + (directions @ (inside - along))[:, :, 0]

    return problem._replace(
        predict=lambda free: whitened(problem.predict(free)), targets=whitened(problem.targets)
    )


@torch.no_grad()
def update_experts(
    model: MultimodalVAE, statistics: dict[int, CurveStatistics], floors: Tensor | None
) -> None:
    """Refit the curves of all cells and set their variances to the optimum."""
    for m, sums in statistics.items():
        expert = model.decoders[m]
        if expert.expert.refit and expert.free.numel():
            start = (expert.free * expert.step).double()
            tied = expert.expert.scatter and expert.free.numel() < expert.index.numel()
            problem = (scattered_problem if tied else curve_problem)(expert, sums)
            expert.set_coordinates(fit_curves(problem, start))
        if floors is not None:
            set_variances(expert, sums, floors[m])
        turn_directions(expert)


@torch.no_grad()
def update_cluster_decoders(
    model: MultimodalVAE, sums: Mapping[int, ErrorSums], floors: Tensor | None
) -> None:
    """Set the variances of networks per cluster to the mean squared error; empty cells keep theirs.

    The mean is over the elements of the samples of a component, weighted with gamma.
    """
    for m, (counts, errors) in sums.items():
        decoder = model.decoders[m]
        if floors is not None and isinstance(decoder, ClusterDecoder):
            variances = errors / (counts.clamp_min(MIN_COUNT) * model.widths[m])
            logs = torch.maximum(variances, floors[m]).log()
            own = torch.where(counts >= MIN_COUNT, logs, decoder.log_variances)
            decoder.log_variances.copy_(own)


def set_variances(expert: ClusterExpert, sums: CurveStatistics, floor: Tensor) -> None:
    r"""Set variances to their optimum; empty cells keep theirs.

    Without scatter that is the mean squared error per element. With scatter the covariance M of
    the residuals along the law's directions Q is their mean, drawn to no scatter by two more
    samples than there are directions, and the variance that of the residuals across.
    """
    means, width, n_directions = expert.means(), sums.first.shape[1], expert.scatter.shape[1]
    errors, counts = curve_squared_errors(sums, means), sums.counts
    occupied, counts_of_cells = counts >= MIN_COUNT, counts
    if n_directions:
        along = projected_squared_errors(sums, means, expert.directions)
        traces = along.diagonal(dim1=1, dim2=2).sum(dim=1)
        errors = (errors - traces).clamp_min(0.0)
    if expert.expert.variance == "shared":
        errors, counts = errors.sum().expand_as(errors), counts.sum().expand_as(counts)
        occupied = counts >= MIN_COUNT
    elements = counts.clamp_min(MIN_COUNT) * (width - n_directions)
    variances = torch.maximum(errors / elements, floor)
    expert.log_variances.copy_(torch.where(occupied, variances.log(), expert.log_variances))
    if n_directions:
        eye, prior = torch.eye(n_directions).to(along), n_directions + 2.0
        none = expert.log_variances.double().exp()[:, None, None] * eye
        inner = (along + prior * none) / (counts_of_cells + prior)[:, None, None]
        expert.scatter.copy_(_at_least(inner, expert.log_variances.double().exp()))


def _at_least(matrices: Tensor, floors: Tensor) -> Tensor:
    """Raise the eigenvalues of symmetric matrices to their floors."""
    values, vectors = torch.linalg.eigh(matrices)
    values = torch.maximum(values, floors[:, None])
    return vectors @ (values[:, :, None] * vectors.mT)


def turn_directions(expert: ClusterExpert) -> None:
    """Turn the directions of the scatter to where the law moves its curves now."""
    if not expert.expert.scatter:
        return
    jacobian = curve_jacobian(expert.scaled_curves, expert.coordinates().double())
    scale = jacobian.square().sum(dim=1, keepdim=True).sqrt()
    new = torch.linalg.qr(jacobian / torch.where(scale > 0, scale, 1.0)).Q
    variances = expert.log_variances.double().exp()[:, None, None]
    turn = new.mT @ expert.directions.double()
    eye = torch.eye(new.shape[2]).to(new)
    inner = turn @ (expert.scatter.double() - variances * eye) @ turn.mT + variances * eye
    expert.scatter.copy_(_at_least(inner, variances[:, 0, 0]))
    expert.directions.copy_(new)


def seen_scatter(expert: ClusterExpert, sums: CurveStatistics) -> Tensor:
    """Return the covariances of the residuals along the directions of the scatter, as seen.

    What the model uses is drawn to no scatter, which is safe for the responsibilities, but would
    make deviations and standard errors of small clusters too small.
    """
    along = projected_squared_errors(sums, expert.means(), expert.directions)
    others = (sums.counts - 1.0)[:, None, None]
    seen = torch.where(others >= 1.0, along / others.clamp_min(1.0), expert.scatter.double())
    return _at_least(seen, expert.log_variances.double().exp())


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


def expert_modules(model: MultimodalVAE) -> Sequence[tuple[int, ClusterExpert | SampleExpert]]:
    """Return the experts of a model and the numbers of their modalities."""
    kinds = (ClusterExpert, SampleExpert)
    return [(m, d) for m, d in enumerate(model.decoders) if isinstance(d, kinds)]
