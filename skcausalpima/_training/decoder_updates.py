"""What decoders are updated by besides gradients: experts, dispersions of counts, last layers.

What a multilayer perceptron decodes is linear in its last hidden layer (and in the latent point,
where there is a linear path). So the layer that minimises the squared errors is a linear
regression, which gradient steps come to last of all. Posteriors and components do not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..functional import (
    CurveProblem,
    CurveStatistics,
    curve_jacobian,
    curve_squared_errors,
    curve_statistics,
    fit_curves,
    projected_squared_errors,
)
from ..modules import Batch, ClusterExpert, Likelihood, MultimodalVAE

#: Cells with a smaller sum of responsibilities say nothing about their curves.
MIN_COUNT = 1e-3

#: The trained layer counts for one of these parts of the samples, the one that predicts so many
#: folds best: what they do not show stays as it is.
#: Evidence: with the first alone tables lost .01 to .02 of the bound's deviation (benchmarks page);
#: the other numbers are arbitrary. An input that few samples reach says next to
#: nothing: it counts as one whose squares are so large, relative to the mean of all inputs.
PRIOR_SHARES, LEAST_SQUARES, N_FOLDS = (1e-3, 1e-2, 0.1, 1.0), 0.01, 4

#: Samples that dispersions are learned from.
DISPERSION_ROWS = 2048


class ExpertSums:
    """Sums over samples that concern the decoders with a likelihood of their own."""

    def __init__(self, model: MultimodalVAE) -> None:
        self.model = model
        self.statistics: dict[int, CurveStatistics] = {}
        self.log_likelihoods: dict[int, float] = {}
        # by component, sums of responsibilities over samples that have the modality, and of errors
        self.errors: dict[int, Tensor] = {}

    def add(self, batch: Batch, likelihoods: Mapping[int, Likelihood], gamma: Tensor) -> None:
        """Add samples with their responsibilities of shape (n_components, n_samples)."""
        for m, likelihood in likelihoods.items():
            total = (gamma * likelihood.log_likelihoods).double().sum().item()
            self.log_likelihoods[m] = self.log_likelihoods.get(m, 0.0) + total
            weights = gamma if batch.observed is None else gamma * batch.observed[m]
            if likelihood.squared_errors is not None:
                errors = (gamma * likelihood.squared_errors).double().sum(dim=1)
                part = torch.stack([weights.double().sum(dim=1).expand_as(errors), errors])
                self.errors[m] = self.errors[m] + part if m in self.errors else part
                continue
            expert = cast(ClusterExpert, self.model.decoders[m])
            curves = curve_statistics(batch.arrays[m], weights, expert.directions)
            self.statistics[m] = self.statistics[m] + curves if m in self.statistics else curves

    def add_up(self, data: TensorData) -> None:
        """Add up what there is of all samples, of which ``data`` are these."""
        self.statistics = {m: data.total_of(sums) for m, sums in self.statistics.items()}
        self.errors = {m: data.total_of(sums) for m, sums in self.errors.items()}
        for m, value in self.log_likelihoods.items():
            self.log_likelihoods[m] = data.total_of(torch.tensor(value, dtype=torch.float64)).item()

    def add_means(self, reconstruction: list[float], n_samples: float) -> float:
        """Add mean log-likelihoods to those of the other modalities; return what training sees."""
        trained = 0.0
        for m, value in self.log_likelihoods.items():
            reconstruction[m] += value / n_samples
            trained += float(self.model.likelihood_weight(m)) * value / n_samples
        return trained

    def squared_errors(self, others: Tensor) -> Tensor:
        """Return those of all modalities, of shape (n_modalities,), from those of the others."""
        sums = {m: errors.sum() for m, (_, errors) in self.errors.items()}
        return (
            torch.stack([sums.get(m, other) for m, other in enumerate(others)]) if sums else others
        )


def curve_problem(expert: ClusterExpert, statistics: CurveStatistics) -> CurveProblem:
    """State the gamma-weighted part of Eq. 26 as a fit of each cell's mean curve."""
    counts = torch.where(statistics.counts < MIN_COUNT, 0.0, statistics.counts)
    weights = counts / expert.log_variances.double().exp()
    return CurveProblem(
        predict=expert.trial_curves,
        targets=statistics.means,
        weights=weights,
        index=expert.index,
        block=expert.block,
    )


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

    return replace(
        problem,
        predict=lambda free: whitened(problem.predict(free)),
        targets=whitened(problem.targets),
    )


@torch.no_grad()
def update_experts(
    model: MultimodalVAE, statistics: dict[int, CurveStatistics], floors: Tensor | None
) -> None:
    """Refit the curves of all cells and set their variances to the optimum."""
    for m, sums in statistics.items():
        expert = cast(ClusterExpert, model.decoders[m])  # no other has such statistics
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
    model: MultimodalVAE, sums: Mapping[int, Tensor], floors: Tensor | None
) -> None:
    """Set the variances of networks per cluster to the mean squared error; empty cells keep theirs.

    The mean is over the elements of the samples of a component, weighted with gamma.
    """
    for m, pair in sums.items():
        if floors is not None:
            counts, errors = pair
            if model.decoders[m].keeps_variance:
                counts, errors = counts.sum()[None], errors.sum()[None]
            variances = errors / (counts.clamp_min(MIN_COUNT) * model.widths[m])
            variances = torch.maximum(variances, floors[m])
            model.decoders[m].set_variances(variances, counts >= MIN_COUNT)


def set_variances(expert: ClusterExpert, sums: CurveStatistics, floor: Tensor) -> None:
    r"""Set variances to their optimum; empty cells keep theirs.

    Without scatter that is the mean squared error per element. With scatter the covariance M of
    the residuals along the expert's directions Q is their mean, drawn to no scatter by two more
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
        expert.scatter.copy_(at_least(inner, expert.log_variances.double().exp()))


def at_least(matrices: Tensor, floors: Tensor) -> Tensor:
    """Raise the eigenvalues of symmetric matrices to their floors."""
    values, vectors = torch.linalg.eigh(matrices)
    values = torch.maximum(values, floors[:, None])
    return vectors @ (values[:, :, None] * vectors.mT)


def turn_directions(expert: ClusterExpert) -> None:
    """Turn the directions of the scatter to where the model function moves its curves now."""
    if not expert.expert.scatter:
        return
    jacobian = curve_jacobian(expert.scaled_curves, expert.coordinates().double())
    scale = jacobian.square().sum(dim=1, keepdim=True).sqrt()
    new = torch.linalg.qr(jacobian / torch.where(scale > 0, scale, 1.0)).Q
    variances = expert.log_variances.double().exp()[:, None, None]
    turn = new.mT @ expert.directions.double()
    eye = torch.eye(new.shape[2]).to(new)
    inner = turn @ (expert.scatter.double() - variances * eye) @ turn.mT + variances * eye
    expert.scatter.copy_(at_least(inner, variances[:, 0, 0]))
    expert.directions.copy_(new)


@torch.no_grad()
def fit_last_layers(model: MultimodalVAE, data: TensorData, generator: torch.Generator) -> None:
    """Set the last layer of every decoder that has one to its optimum at draws of z.

    Decoders of modalities that are observed in part stay as they are: what fills their gaps is the
    model's own. So do those that have nothing but noise to learn, or nothing at all.

    Parameters
    ----------
    model : MultimodalVAE
        Its decoders are changed in place.
    data : TensorData
        Samples that train.
    generator : torch.Generator
        Source of the draws.
    """
    model.eval()
    layers = {
        m: layer
        for m, decoder in enumerate(model.decoders)
        if m not in (*data.elements, *model.linear_modalities, *model.noiseless)
        and (layer := decoder.last_layer) is not None
    }
    regressions = {m: Regressions.empty(layer) for m, layer in layers.items()}
    for block in data.blocks() if layers else ():
        noise = data.normal(len(block.arrays[0]), model.n_draws, generator)
        z = model.assign(block, noise, model.log_weights(block.regime_index)).z
        for m, regression in regressions.items():
            inputs = model.decoders[m].last_inputs(z).double()
            counted = inputs.T if block.observed is None else inputs.T * block.observed[m]
            regression.add(block.weighted(counted), inputs, block.arrays[m].double(), block.units)
    for m, regression in regressions.items():
        model.decoders[m].set_last_layer(regression.of_all(data).best(layers[m]))


@dataclass(frozen=True)
class Regressions:
    """Sums of one regression over each of some folds, which take rows, or groups, in turn.

    Parameters
    ----------
    squares : Tensor of shape (n_folds, n_inputs, n_inputs)
        Of the inputs.
    products : Tensor of shape (n_folds, n_inputs, width)
        Of inputs and what they explain.
    """

    squares: Tensor
    products: Tensor

    @classmethod
    def empty(cls, layer: Tensor) -> Regressions:
        """Return sums over no samples, for coefficients of shape (width, n_inputs)."""
        width, n_inputs = layer.shape
        products = layer.new_zeros(N_FOLDS, n_inputs, width, dtype=torch.float64)
        return cls(products.new_zeros(N_FOLDS, n_inputs, n_inputs), products)

    def add(
        self, counted: Tensor, inputs: Tensor, explained: Tensor, units: Tensor | None = None
    ) -> None:
        """Add samples, of which ``counted`` has the inputs times their weights, transposed.

        ``units`` of shape (1, n_samples) are the numbers of their groups.
        """
        for fold in range(N_FOLDS):
            rows: slice | Tensor = slice(fold, None, N_FOLDS)
            if units is not None:
                rows = (units[0] % N_FOLDS == fold).nonzero()[:, 0]
            self.squares[fold] += counted[:, rows] @ inputs[rows]
            self.products[fold] += counted[:, rows] @ explained[rows]

    def of_all(self, data: TensorData) -> Regressions:
        """Return the sums over the samples of all ranks."""
        return Regressions(data.total_of(self.squares), data.total_of(self.products))

    def best(self, trained: Tensor) -> Tensor:
        """Return the coefficients, drawn to the trained ones as much as suits folds left out of it.

        The trained layer has seen these folds, which speaks for leaving it as it is.
        """
        trained = trained.double()
        squares, products = self.squares.sum(dim=0), self.products.sum(dim=0)
        errors = [_error(trained, squares, products)]
        for share in PRIOR_SHARES:
            error = torch.zeros_like(errors[0])
            for left_out in zip(self.squares, self.products, strict=True):
                others = squares - left_out[0], products - left_out[1]
                error += _error(_regression(*others, trained, share), *left_out)
            errors.append(error)
        least = int(torch.stack(errors).argmin())
        if least == 0:
            return trained
        return _regression(squares, products, trained, PRIOR_SHARES[least - 1])


def _regression(squares: Tensor, products: Tensor, trained: Tensor, share: float) -> Tensor:
    """Return the coefficients of a regression, drawn to the trained ones, (width, n_inputs)."""
    diagonal = squares.diagonal()
    prior = torch.diag(share * torch.maximum(diagonal, LEAST_SQUARES * diagonal.mean()))
    return torch.linalg.solve(squares + prior, products + prior @ trained.T).T


def _error(coefficients: Tensor, squares: Tensor, products: Tensor) -> Tensor:
    """Return the sum of squared errors of what coefficients say, but for a constant."""
    return ((coefficients @ squares - 2.0 * products.T) * coefficients).sum()


@torch.no_grad()
def update_dispersions(model: MultimodalVAE, data: TensorData) -> None:
    """Let the dispersions of counts follow what decoders say of their means now.

    Parameters
    ----------
    model : MultimodalVAE
        Dispersions of its decoders are changed in place, if they have some.
    data : TensorData
        Samples, of which some that lie evenly spaced are asked, always at the same draws.
    """
    if not any(decoder.has_dispersions for decoder in model.decoders):
        return
    model.eval()
    rows = data.evenly_spaced(DISPERSION_ROWS)
    batch = data.subset(rows).loaded().rows(slice(None))
    noise = data.normal(len(rows), model.n_draws, torch.Generator().manual_seed(0))
    z = model.assign(batch, noise, model.log_weights(batch.regime_index)).z
    for m, decoder in enumerate(model.decoders):
        weights = batch.weighted(batch.present[m].to(z))
        decoder.update_dispersions(batch.arrays[m], z, weights, batch.elements.get(m))
