"""Least squares for the experts of a model: at the start, after each epoch, and at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._training_data import TrainingData
from .functional import (
    CurveProblem,
    CurveStatistics,
    assemble,
    curve_jacobian,
    curve_losses,
    curve_squared_errors,
    curve_statistics,
    fit_curves,
    projected_squared_errors,
)
from .modules import Batch, ClusterDecoder, ClusterExpert, Likelihood, MultimodalVAE, SampleExpert

#: Cells with a smaller sum of responsibilities say nothing about their curves.
MIN_COUNT = 1e-3

#: Starts of each law: the stated one, and points drawn between the bounds.
N_STARTS = 8

#: Smallest variance that an expert per sample starts with, in scaled units.
MIN_VARIANCE = 1e-3

#: Samples whose own curves are fitted to start an expert per sample.
MAX_ROWS = 2000


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
    return CurveProblem(expert.scaled_curves, statistics.means, weights, expert.index, expert.block)


@torch.no_grad()
def update_experts(
    model: MultimodalVAE, statistics: dict[int, CurveStatistics], floors: Tensor | None
) -> None:
    """Refit the curves of all cells and set their variances to the optimum."""
    for m, sums in statistics.items():
        expert = model.decoders[m]
        if expert.expert.refit and expert.free.numel():
            start = (expert.free * expert.step).double()
            expert.set_coordinates(fit_curves(curve_problem(expert, sums), start))
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


@torch.no_grad()
def start_cluster_experts(
    model: MultimodalVAE,
    setup: Any,
    data: TrainingData,
    gamma: Tensor,
    floors: Tensor | None,
    rng: np.random.RandomState,
) -> None:
    """Put experts per cluster in the places of the networks that stood in for them.

    Each law is fitted in the starting clusters, with responsibilities ``gamma`` of shape
    (n_components, n_samples), from several starts. Variances start at the residuals, or stay at
    what was given if ``floors`` is None.
    """
    for m, spec in enumerate(setup.experts):
        if spec is None or spec.per != "cluster":
            continue
        expert = ClusterExpert(spec, setup.shapes[m], setup.node_sizes, setup.node_names)
        expert.to(device=data.device, dtype=data.dtype).set_units(*setup.units[m])
        seen = gamma if data.observed is None else gamma * data.observed[m]
        expert.log_variances.copy_(model.log_variances[m])
        _fit_start(expert, curve_statistics(data.arrays[m], seen), rng)
        turn_directions(expert)
        if floors is not None:
            sums = curve_statistics(data.arrays[m], seen, expert.directions)
            set_variances(expert, sums, floors[m])
        model.decoders[m] = expert


def _fit_start(expert: ClusterExpert, sums: CurveStatistics, rng: np.random.RandomState) -> None:
    """Fit a law in the starting clusters; empty cells get the curve of all samples."""
    empty, n = sums.counts < MIN_COUNT, sums.counts.sum()
    if n > 0:
        curve = (sums.first.sum(dim=0) / n).expand_as(sums.first)
        first = torch.where(empty[:, None], MIN_COUNT * curve, sums.first)
        sums = sums._replace(counts=torch.where(empty, MIN_COUNT, sums.counts), first=first)
    problem = curve_problem(expert, sums)
    best, step = fit_from_starts(problem, expert, rng), None
    if not expert.expert.refit and best.numel():
        # One unit of gradient descent moves the mean curve by one unit of the scaled data.
        squares = curve_jacobian(expert.scaled_curves, best[expert.index]).square().mean(dim=1)
        total = torch.zeros_like(best).index_put_((expert.index,), squares, accumulate=True)
        step = torch.where(total > 0, total, 1.0).rsqrt()
    expert.set_coordinates(best, step)


def fit_from_starts(
    problem: CurveProblem, law: ClusterExpert | SampleExpert, rng: np.random.RandomState
) -> Tensor:
    """Return the best of several fits for every block of curves."""
    index, spec = problem.index, law.expert
    owner, losses = problem.per_unknown(problem.block), None
    best = torch.zeros_like(owner, dtype=torch.float64)
    if not owner.numel():
        return best
    for coordinates in _starts(spec, rng):
        start = torch.zeros_like(best)
        start[index] = coordinates.to(best.device).expand(index.shape)
        fit = fit_curves(problem, start)
        found = curve_losses(problem, fit)
        if losses is None:
            best, losses = fit, found
            continue
        better = found < losses
        best = torch.where(better[owner], fit, best)
        losses = torch.minimum(losses, found)
    return best


def _starts(spec, rng: np.random.RandomState) -> list[Tensor]:
    """Return start coordinates: the stated ones, and draws of what has two bounds."""
    first = spec.start_coordinates()
    lower, upper = np.array(spec.space.lower), np.array(spec.space.upper)
    drawn = np.isfinite(lower) & np.isfinite(upper)
    if not drawn.any():
        return [first]
    starts = [first]
    for _ in range(N_STARTS - 1):
        values = np.array([spec.start_values[name] for name in spec.free_names])
        values[drawn] = rng.uniform(lower[drawn], upper[drawn])
        for group in spec.space.ordered:
            values[list(group)] = np.sort(values[list(group)])
        starts.append(spec.space.coordinates(torch.as_tensor(values)))
    return starts


def start_sample_experts(
    model: MultimodalVAE,
    data: TrainingData,
    scores: np.ndarray | None,
    rng: np.random.RandomState,
) -> None:
    """Start the networks of experts per sample, and their decoder variances.

    ``scores`` of shape (n_samples, latent_dim) are whitened, or None for a constant start.
    """
    for m, expert in expert_modules(model):
        rows = np.arange(data.n_samples)
        if data.observed is not None:
            rows = np.flatnonzero(data.observed[m].cpu().numpy())
        if len(rows) > MAX_ROWS:
            rows = np.sort(rng.permutation(rows)[:MAX_ROWS])
        part = np.zeros((len(rows), 0)) if scores is None else scores[rows]
        residual = _start_network(expert, data.arrays[m][rows], part, rng)
        model.log_variances[m] = residual.clamp_min(MIN_VARIANCE).log()


@torch.no_grad()
def _start_network(
    expert: SampleExpert, array: Tensor, scores: np.ndarray, rng: np.random.RandomState
) -> Tensor:
    """Fit the law to single samples and start its network as a regression on their scores.

    Returns the mean squared error per element of what the started network predicts.
    """
    curves, n_free = array.double(), len(expert.expert.free_names)
    numbers = torch.arange(len(array), device=array.device)
    index = numbers[:, None] + len(array) * torch.arange(n_free, device=array.device)
    problem = CurveProblem(
        expert.scaled_curves, curves, torch.ones_like(curves[:, 0]), index, numbers
    )
    coordinates = fit_from_starts(problem, expert, rng)[index].cpu()
    # A sample that no parameters explain, or that they explain at a bound, must not pull.
    low, high = coordinates.quantile(torch.tensor([0.02, 0.98]).double(), dim=0)
    coordinates = coordinates.clamp(low, high)
    origin, step = coordinates.mean(dim=0), coordinates.std(dim=0, correction=0)
    step = torch.where(step > 0, step, 1.0)
    expert.set_units_of_parameters(origin, step)
    design = torch.as_tensor(np.column_stack([scores, np.ones(len(scores))]))
    solution = torch.linalg.lstsq(design, (coordinates - origin) / step, driver="gelsd").solution
    if scores.shape[1]:
        expert.head.start_linear(solution[:-1].T, solution[-1])
    predicted = expert.scaled_curves((origin + step * (design @ solution)).to(array.device))
    return (predicted - curves).square().mean()


@torch.no_grad()
def standard_errors(expert: ClusterExpert, statistics: CurveStatistics) -> tuple[Tensor, Tensor]:
    r"""Return standard errors of the parameters, and how much these scatter between samples.

    Standard errors are from the curvature of the gamma-weighted log-likelihood at its maximum,
    :math:`\sum_c N_c J_c^T \Sigma_c^{-1} J_c` with the Jacobian J of the scaled curve by the
    parameters themselves: responsibilities and variances count as known. Both have the shape
    (n_components, n_parameters); NaN in empty cells, 0 for fixed parameters.
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
        inner, along = expert.scatter.double(), expert.directions.double().mT @ jacobian
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
    """Return the roots of the inverse's diagonal, NaN where nothing is known."""
    diagonal = information.diagonal()
    known = diagonal > 0
    scale = torch.where(known, diagonal, 1.0).rsqrt()  # units out: unit diagonal
    unit = scale[:, None] * information * scale + torch.diag((~known).double())
    variances = torch.linalg.pinv(unit, hermitian=True).diagonal().clamp_min(0.0)
    return torch.where(known, variances.sqrt() * scale, torch.nan)


def expert_modules(model: MultimodalVAE) -> Sequence[tuple[int, ClusterExpert | SampleExpert]]:
    """Return the experts of a model and the numbers of their modalities."""
    kinds = (ClusterExpert, SampleExpert)
    return [(m, d) for m, d in enumerate(model.decoders) if isinstance(d, kinds)]
