"""The start of experts: fits in the first clusters, or to single samples."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .._base.budgets import SOME_ROWS
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._training.decoder_updates import MIN_COUNT, curve_problem, set_variances, turn_directions
from ..functional import (
    CurveProblem,
    CurveStatistics,
    curve_jacobian,
    curve_losses,
    curve_statistics,
    fit_curves,
)
from ..modules import ClusterExpert, ExpertDecoder, MultimodalVAE, SampleExpert, ScaledExpert

#: Starts of each expert: the stated one, and points drawn between the bounds.
N_STARTS = 8

#: Smallest variance that an expert per sample starts with, in scaled units.
MIN_VARIANCE = 1e-3


@torch.no_grad()
def initialize_cluster_experts(
    model: MultimodalVAE,
    setup: Setup,
    data: TensorData,
    gamma: Tensor,
    floors: Tensor | None,
    rng: np.random.RandomState,
) -> None:
    """Put experts per cluster in the places of the networks that stood in for them.

    Each expert is fitted in the first clusters, with responsibilities ``gamma`` of shape
    (n_components, n_samples), from several starts. Variances start at the residuals, or stay at
    what was given if ``floors`` is None.
    """
    spec = setup.spec
    for m, entry in enumerate(spec.experts):
        if entry is None or entry.per != "cluster":
            continue
        expert = ClusterExpert(entry, spec.shapes[m], spec.node_sizes, spec.node_names)
        expert.modality = spec.modality_names[m]
        expert.to(device=data.device, dtype=data.dtype).set_units(*setup.units[m])
        weights = gamma if data.observed is None else gamma * data.observed[m]
        expert.log_variances.copy_(model.log_variances[m])
        _fit_start(expert, curve_statistics(data.arrays[m], weights), rng)
        turn_directions(expert)
        if floors is not None:
            sums = curve_statistics(data.arrays[m], weights, expert.directions)
            set_variances(expert, sums, floors[m])
        model.decoders[m] = expert


def _fit_start(expert: ClusterExpert, sums: CurveStatistics, rng: np.random.RandomState) -> None:
    """Fit an expert in the first clusters; empty cells get the curve of all samples."""
    empty, n = sums.counts < MIN_COUNT, sums.counts.sum()
    if n > 0:
        curve = (sums.first.sum(dim=0) / n).expand_as(sums.first)
        first = torch.where(empty[:, None], MIN_COUNT * curve, sums.first)
        sums = replace(sums, counts=torch.where(empty, MIN_COUNT, sums.counts), first=first)
    problem = curve_problem(expert, sums)
    best, step = fit_from_starts(problem, expert, rng), None
    if not expert.expert.refit and best.numel():
        # One unit of gradient descent moves the mean curve by one unit of the scaled data.
        squares = curve_jacobian(expert.scaled_curves, best[expert.index]).square().mean(dim=1)
        total = torch.zeros_like(best).index_put_((expert.index,), squares, accumulate=True)
        step = torch.where(total > 0, total, 1.0).rsqrt()
    expert.set_coordinates(best, step)


def fit_from_starts(
    problem: CurveProblem, expert: ScaledExpert, rng: np.random.RandomState
) -> Tensor:
    """Return the best of several fits for every block of curves."""
    index, spec = problem.index, expert.expert
    owner, losses = problem.per_unknown(problem.block), None
    best = torch.zeros_like(owner, dtype=torch.float64)
    if not owner.numel():
        return best
    for coordinates in _starts(spec, rng):
        start = torch.zeros_like(best)
        start[index] = coordinates.to(best.device).expand(index.shape)
        fit = fit_curves(problem, start)
        new_losses = curve_losses(problem, fit)
        if losses is None:
            best, losses = fit, new_losses
            continue
        better = new_losses < losses
        best = torch.where(better[owner], fit, best)
        losses = torch.minimum(losses, new_losses)
    return best


def _starts(spec: ExpertDecoder, rng: np.random.RandomState) -> list[Tensor]:
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


def initialize_sample_experts(
    model: MultimodalVAE, data: TensorData, scores: np.ndarray | None, rng: np.random.RandomState
) -> None:
    """Start the networks of experts per sample, and their decoder variances.

    ``scores`` of shape (n_samples, latent_dim) are whitened, or None for a constant start.
    """
    for m, expert in model.experts:
        rows = np.flatnonzero(data.samples.present[m].cpu().numpy())
        if len(rows) > SOME_ROWS:
            rows = np.sort(rng.permutation(rows)[:SOME_ROWS])
        part = np.zeros((len(rows), 0)) if scores is None else scores[rows]
        of_samples = cast(SampleExpert, expert)  # those of clusters come after the clusters
        residual = _start_network(of_samples, data.arrays[m][rows], part, rng)
        model.log_variances[m] = residual.clamp_min(MIN_VARIANCE).log()


@torch.no_grad()
def _start_network(
    expert: SampleExpert, array: Tensor, scores: np.ndarray, rng: np.random.RandomState
) -> Tensor:
    """Fit the expert to single samples; initialize its network as a regression on their scores.

    Returns the mean squared error per element of what the started network predicts.
    """
    curves, n_free = array.double(), len(expert.expert.free_names)
    numbers = torch.arange(len(array), device=array.device)
    index = numbers[:, None] + len(array) * torch.arange(n_free, device=array.device)
    problem = CurveProblem(
        predict=expert.trial_curves,
        targets=curves,
        weights=torch.ones_like(curves[:, 0]),
        index=index,
        block=numbers,
    )
    coordinates = fit_from_starts(problem, expert, rng)[index].cpu().double()
    # A sample that no parameters explain, or that they explain at a bound, must not pull.
    ends = torch.tensor([0.02, 0.98], dtype=torch.float32).double()
    low, high = coordinates.quantile(ends, dim=0)
    coordinates = coordinates.clamp(low, high)
    origin, step = coordinates.mean(dim=0), coordinates.std(dim=0, correction=0)
    step = torch.where(step > 0, step, 1.0)
    expert.origin.copy_(origin)
    expert.step.copy_(step)
    design = torch.as_tensor(np.column_stack([scores, np.ones(len(scores))]))
    solution = torch.linalg.lstsq(design, (coordinates - origin) / step, driver="gelsd").solution
    if scores.shape[1]:
        expert.head.initialize_linear(solution[:-1].T, solution[-1])
    predicted = expert.scaled_curves((origin + step * (design @ solution)).to(array.device))
    return (predicted - curves).square().mean()
