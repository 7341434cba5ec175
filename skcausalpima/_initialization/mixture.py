"""The first mixture: Eq. 16 and 17 iterated on the latent space from several starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .._base.grid import NodeGrid
from .._clustering.clusters import kmeans_labels
from .._model.settings import MixtureSettings
from ..functional import (
    DiagonalGaussian,
    MixtureStatistics,
    OwnPosterior,
    Potential,
    PreparedComponents,
    PreparedPrecision,
    SharedPosterior,
    covariance_type_named,
    expected_statistics,
    less_potentials,
    prepare_components,
    prepare_posterior,
    prepare_precision,
    unpacked_statistics,
    update_mixture,
)

#: Starts in each space.
N_STARTS = 4

#: Runs of k-means of which the first start of each space is the best by inertia.
KMEANS_RUNS = 20

#: Iterations at most, and from each start, of which the best one goes on.
MAX_ITER, SHORT_ITER = 100, 10

#: More components than these share the iterations of so many: an iteration takes as much longer.
MANY_COMPONENTS = 128

#: Responsibilities that are computed at a time.
BLOCK_ELEMENTS = 2**18

#: Bounds that differ by less are the same: which of two equal starts wins must not be rounding's.
SAME_BOUND = 1e-9

#: Starts that came next which are remembered.
N_RIVALS = 3


@dataclass(frozen=True, kw_only=True)
class MixtureFit:
    """A mixture on the latent space."""

    bound: float  # mean over samples of the mixture's terms of the ELBO, in nats
    responsibilities: Tensor  # (component, sample)
    means: Tensor  # (component, latent)
    covariances: Tensor  # (component, latent[, latent])
    rivals: Sequence[np.ndarray] = ()  # labels from the starts that came next, the best first


#: Part of the scatter of the potentials' locations in a cluster that its first covariance keeps.
LEAST_KEPT = 0.1

#: From responsibilities, settings and a number of iterations to a mixture.
Iterate = Callable[[Tensor, MixtureSettings, int], MixtureFit]


def one_hot(labels: np.ndarray, n_components: int) -> Tensor:
    """Return labels as responsibilities of shape (n_components, n_samples)."""
    return torch.nn.functional.one_hot(torch.as_tensor(labels).long(), n_components).T.double()


@torch.no_grad()
def iterate_mixture(
    posterior: DiagonalGaussian,
    responsibilities: Tensor,
    settings: MixtureSettings,
    max_iter: int = MAX_ITER,
    *,
    allowed: Tensor | None = None,
    tol: float = 1e-4,
) -> MixtureFit:
    """Iterate Eq. 17 and 16 with free weights until the bound hardly grows.

    Responsibilities are zero where ``allowed``, of shape (n_components, n_samples), is not true.
    """
    covariance_type = settings.covariance_type
    full = covariance_type_named(covariance_type).is_full
    origin = posterior.mean.double().mean(dim=0)
    of_samples = expected_statistics(posterior, origin, full)
    n_components, latent_dim = len(responsibilities), posterior.mean.shape[1]
    identity = torch.eye(latent_dim) if full else torch.ones(latent_dim)
    means = origin.expand(n_components, -1)
    covariances = identity.to(origin).expand(n_components, *identity.shape)
    bound, blocks = -np.inf, _blocks(of_samples, responsibilities.to(origin), allowed)
    sums = of_samples @ responsibilities.double().T
    for _ in range(max_iter):
        statistics = unpacked_statistics(sums, origin, full)
        update = update_mixture(
            statistics, means, covariances, covariance_type, settings.reg_covar, settings.shrinkage
        )
        means, covariances = update.means, update.covariances
        weights = smoothed(statistics.counts)
        prepared = prepare_components(means, covariances, origin)
        prepared.coefficients[:, 0] += weights.log()
        parts, evidence = zip(*(block.assign(prepared) for block in blocks), strict=True)
        sums = reduce(add, parts)
        previous, bound = bound, torch.cat(evidence).mean().item()
        if bound - previous < tol:
            break
    gamma = torch.cat([block.responsibilities for block in blocks], dim=1)
    gamma /= gamma.sum(dim=0)
    return MixtureFit(bound=bound, responsibilities=gamma, means=means, covariances=covariances)


@torch.no_grad()
def iterate_posteriors(
    potential: Potential,
    responsibilities: Tensor,
    settings: MixtureSettings,
    max_iter: int = MAX_ITER,
    *,
    allowed: Tensor | None = None,
    tol: float = 1e-4,
) -> MixtureFit:
    """Iterate expectation maximization with free weights, given what samples say of z.

    As :func:`iterate_mixture`, for the structured posterior. ``max_iter=0`` is the start alone:
    the components that the given clusters of the potentials' locations have.
    """
    gamma = responsibilities.double()
    means, covariances = _start(potential, gamma, settings)
    counts, bound = gamma.sum(dim=1), -np.inf
    prepared = prepare_precision(potential.precision) if potential.is_shared else None
    for step in range(max_iter + 1):
        posterior = in_components(potential, means, covariances, prepared)
        weights = smoothed(counts).log()
        evidence = posterior.evidence(weights, allowed)
        gamma = evidence.log_gamma.exp()
        previous, bound = bound, evidence.value.mean().item()
        if step == max_iter or bound - previous < tol:
            break
        update = updated_components(posterior.statistics(gamma), means, covariances, settings)
        counts, means, covariances = gamma.sum(dim=1), *update
    return MixtureFit(bound=bound, responsibilities=gamma, means=means, covariances=covariances)


def smoothed(counts: Tensor) -> Tensor:
    """Return weights, none of which is zero, of sum one along the last axis."""
    return (counts + 1e-3) / (counts + 1e-3).sum(dim=-1, keepdim=True)


def in_components(
    potential: Potential,
    means: Tensor,
    covariances: Tensor,
    prepared: PreparedPrecision | None = None,
) -> SharedPosterior | OwnPosterior:
    """Return the posterior of samples in a mixture; ``prepared`` is of a precision they share."""
    if not potential.is_shared:
        return OwnPosterior(means, covariances, potential)
    precision = potential.precision if prepared is None else prepared
    return prepare_posterior(means, covariances, precision).given(potential.linear)


def updated_components(
    statistics: MixtureStatistics, means: Tensor, covariances: Tensor, settings: MixtureSettings
) -> tuple[Tensor, Tensor]:
    """Return the means and covariances of the M step."""
    if covariances.ndim == 2:
        second = statistics.second.diagonal(dim1=1, dim2=2)
        statistics = replace(statistics, second=second)
    rule = settings.covariance_type, settings.reg_covar, settings.shrinkage
    update = update_mixture(statistics, means, covariances, *rule)
    return update.means, update.covariances


def _start(potential: Potential, gamma: Tensor, settings: MixtureSettings) -> tuple[Tensor, Tensor]:
    """Return the mixture of clusters: the scatter of locations less what potentials are wide.

    Potentials of unlike widths are seen under one Gaussian for all samples.
    """
    mean_precision = potential.precision
    if not potential.is_shared:
        mean_precision = mean_precision.mean(dim=0)
    dimension = len(mean_precision)
    zeros, eye = mean_precision.new_zeros(1, dimension), torch.eye(dimension).to(mean_precision)
    broad = prepare_posterior(zeros, 1e4 * eye[None], mean_precision)  # nearly no prior
    located: SharedPosterior | OwnPosterior = broad.given(potential.linear)
    if not potential.is_shared:
        located = OwnPosterior(zeros, 1e4 * eye[None], potential)
    points = located.mean(torch.ones_like(gamma[:1]))
    exact = DiagonalGaussian(points, torch.full_like(points, -torch.inf))
    origin = points.mean(dim=0)
    sums = expected_statistics(exact, origin, full=True) @ gamma.T
    statistics = unpacked_statistics(sums, origin, full=True)
    kind = covariance_type_named(settings.covariance_type)
    whole = replace(settings, covariance_type=kind.of_scatter)
    means = origin.expand(len(gamma), -1)
    means, scatter = updated_components(statistics, means, eye.expand(len(gamma), -1, -1), whole)
    rule = LEAST_KEPT, settings.covariance_type
    return means, less_potentials(scatter, broad.covariances, *rule)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Some samples: expected statistics, responsibilities and what they may be, by column.

    Memory is what an iteration of many components costs: all is done in the place of the
    responsibilities, of so few samples that they stay in a processor's cache.
    """

    statistics: Tensor
    responsibilities: Tensor
    allowed: Tensor | None

    def assign(self, prepared: PreparedComponents) -> tuple[Tensor, Tensor]:
        """Assign the samples anew; return their sums and their normalisers' logarithms.

        Responsibilities are kept without their normalisers, which fewer statistics are divided by.
        """
        gamma = torch.mm(prepared.coefficients, self.statistics, out=self.responsibilities)
        if self.allowed is not None:
            gamma.masked_fill_(~self.allowed, -torch.inf)
        largest = gamma.amax(dim=0)
        totals = gamma.sub_(largest).exp_().sum(dim=0)
        return (self.statistics / totals) @ gamma.T, totals.log() + largest


def _blocks(statistics: Tensor, responsibilities: Tensor, allowed: Tensor | None) -> list[_Block]:
    """Cut samples into blocks, which own their responsibilities."""
    n_components, n_samples = responsibilities.shape
    size = max(1, BLOCK_ELEMENTS // n_components)
    cuts = [slice(start, start + size) for start in range(0, n_samples, size)]
    return [
        _Block(
            statistics=statistics[:, cut].contiguous(),
            responsibilities=responsibilities[:, cut].clone(memory_format=torch.contiguous_format),
            allowed=None if allowed is None else allowed[:, cut],
        )
        for cut in cuts
    ]


@torch.no_grad()
def place_empty(fit: MixtureFit, counts: Tensor, node_sizes: Sequence[int]) -> MixtureFit:
    """Put the components of empty cells where effects of the nodes that add up would have them.

    Few samples may belong there, which no cluster was found for. ``counts``, of shape
    (n_components,), are those of the start; an empty cell gets the pooled covariance.
    """
    occupied = (counts > 0).numpy()
    if occupied.all():
        return fit
    outcomes = NodeGrid(tuple(node_sizes)).outcomes()
    columns = [np.eye(size)[outcome] for size, outcome in zip(node_sizes, outcomes.T, strict=True)]
    design = np.column_stack([np.ones(len(counts)), *columns])
    means, covariances = fit.means.clone(), fit.covariances.clone()
    effects = np.linalg.lstsq(design[occupied], means[occupied].numpy(), rcond=None)[0]
    means[~occupied] = torch.from_numpy(design[~occupied] @ effects)
    shares = (counts / counts.sum()).to(covariances)
    covariances[~occupied] = torch.tensordot(shares, covariances, dims=1)
    return replace(fit, means=means, covariances=covariances)


def kmeans_starts(
    spaces: Sequence[np.ndarray],
    n_components: int,
    rng: np.random.RandomState,
    n_starts: int,
) -> Iterator[np.ndarray]:
    """Return clusterings, labels (n_samples,), by k-means in spaces, (n_samples, n_features).

    The first one in a space is the best of several runs, the others bring variety.
    """
    n_runs = max(1, int(min(1.0, MANY_COMPONENTS / n_components) * KMEANS_RUNS))
    for points in spaces:
        for n in (n_runs, *[1] * (n_starts - 1)):
            yield kmeans_labels(points, n_components, rng.randint(2**31 - 1), n)


def match_components(gamma: Tensor, allowed: Tensor | None) -> Tensor:
    """Renumber clusters so that most samples are allowed where they are; drop the others' weight.

    Samples that are still not allowed wait for the next responsibilities.
    """
    if allowed is None:
        return gamma
    agreement = gamma @ allowed.to(gamma).T  # (cluster, component)
    components = linear_sum_assignment(agreement.numpy(), maximize=True)[1]
    return gamma[np.argsort(components)] * allowed


def initialize_mixture(
    iterate: Iterate,
    clusterings: Iterable[np.ndarray],
    n_components: int,
    settings: MixtureSettings,
    allowed: Tensor | None = None,
) -> MixtureFit:
    """Start from every clustering, labels of shape (n_samples,), and keep the best bound.

    Each start is iterated a few times, the best one until it converges (Biernacki et al., 2003).
    Whole matrices start badly from few samples a cluster: they follow on a mixture with variances
    only. Where there are many components, all of this is shorter.
    """
    is_full = covariance_type_named(settings.covariance_type).is_full
    simple = replace(settings, covariance_type="diag")
    share = min(1.0, MANY_COMPONENTS / n_components)
    few, more, most = (max(3, int(share * n)) for n in (SHORT_ITER, 3 * SHORT_ITER, MAX_ITER))
    best, ends = None, []
    for labels in clusterings:
        gamma = match_components(one_hot(labels, n_components), allowed)
        if is_full:
            gamma = iterate(gamma, simple, more).responsibilities
        fit = iterate(gamma, settings, few)
        if np.isnan(fit.bound):
            fit = replace(fit, bound=-np.inf)  # which nothing is below
        ends.append((fit.bound, fit.responsibilities.argmax(dim=0).numpy()))
        # Of others only the labels are kept: their responsibilities take memory.
        if best is None or fit.bound > best.bound + SAME_BOUND:
            best = fit
    assert best is not None  # there is a clustering
    final = iterate(best.responsibilities, settings, most)
    ends.sort(key=lambda end: -end[0])  # stable: the first of equals is the best one
    return replace(final, rivals=[labels for _, labels in ends[1 : 1 + N_RIVALS]])
