r"""Precisions of the modalities' potentials: the decoders' Fisher information, made sharper.

Around the mean of a component locations have the covariance :math:`S_c + V`, so that V cannot be
larger than their scatter. A decoder that is flat within clusters says that it is: its slopes over a
posterior standard deviation do not know how far apart clusters are. Samples would be less sure of
their cells than they are right, and take directions for news that have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .._model.settings import MixtureSettings
from .._model.tensors import TensorData
from ..functional import (
    DiagonalGaussian,
    MixtureUpdate,
    Potential,
    covariance_type_named,
    expected_statistics,
    less_potentials,
    prepare_posterior,
    prepare_precision,
    unpacked_statistics,
    update_mixture,
    weight_columns,
    whole_matrices,
)
from ..modules import (
    Around,
    Batch,
    CausalPrior,
    StructuredVAE,
    fisher_information,
    whole_modalities,
)

#: Samples at whose latent points decoders are asked.
N_ROWS = 128

#: Of decoders that are not linear in a few inputs, one in so many of these is asked.
STRIDE = 4

#: Samples that are looked at, and the fewest for each latent dimension, and for each component.
ROWS_OF_POTENTIALS, LEAST_ROWS = 20_000, 20

#: Part of the scatter of locations that is left to the components.
LEAST_SPREAD = 0.02

#: Smallest variance of locations, relative to the largest: with less, a direction says nothing, and
#: components are no flatter, since single precision holds their covariances.
LEAST_VARIANCE = 1e-6

#: How many times as sharp as decoders say a potential may become.
SHARPEST = 100.0

#: Rounds in which the mixture follows the potentials, and these the mixture.
N_ROUNDS = 8


@torch.no_grad()
def mean_information(model: StructuredVAE, data: TensorData, has_cells: bool = True) -> Tensor:
    """Return the mean Fisher information of each modality, over samples that have it.

    Parameters
    ----------
    model : StructuredVAE
        The model.
    data : TensorData
        Samples, of which some that lie evenly spaced are asked, the same ones on however many
        ranks.
    has_cells : bool, default=True
        Whether the mixture is the prior; else it is N(0, I).

    Returns
    -------
    Tensor of shape (n_modalities, latent_dim, latent_dim)
        In float64; what it was of a modality that none of them has, or whose numbers are not
        finite, which is for others to tell.
    """
    rows = data.evenly_spaced(N_ROWS)
    before = model.information
    sums, counts = torch.zeros_like(before), before.new_zeros(len(before))
    if len(rows):
        batch = data.subset(rows).loaded().rows(slice(None))
        around = at_likely_points(model, batch, has_cells)
        for m, decoder in enumerate(model.decoders):
            if not decoder.depends_on_latent:
                counts[m] += 1.0  # it says nothing of the latent point
                continue
            # every row of a multilayer perceptron, a few of what has to be decoded as a whole
            some = slice(None, None, 1 if decoder.is_quick else STRIDE)
            information = fisher_information(
                decoder, Around(*(part[some] for part in around)), model.log_variances[m]
            )
            weights = batch.weighted(batch.present[m].double())[some]
            sums[m] = torch.tensordot(weights, information, dims=1)
            counts[m] = weights.sum()
    sums, counts = data.total_of(sums), data.total_of(counts)
    means = sums / torch.where(counts > 0, counts, 1.0)[:, None, None]
    known = (counts > 0) & means.isfinite().all(dim=(1, 2))
    return torch.where(known[:, None, None], means, before)


@torch.no_grad()
def all_potentials(model: StructuredVAE, data: TensorData) -> tuple[Potential, Tensor]:
    """Return what samples say of their latent points, on the CPU, and where that is.

    Places are those with the prior N(0, I), of shape (n_samples, latent_dim).
    """
    parts, points, is_shared = [], [], True
    for block in data.blocks():
        posterior = model.posterior(block, has_cells=False)
        parts.append(posterior.potential)
        points.append(posterior.mean(torch.ones_like(block.arrays[0][:, :1].T)))
        is_shared &= parts[-1].is_shared
    linear = torch.cat([part.linear for part in parts]).cpu()
    precision = parts[0].precision.cpu()
    if not is_shared:
        precisions = [part.precision.expand(len(part.linear), -1, -1) for part in parts]
        precision = torch.cat(precisions).cpu()
    return Potential(linear, precision), torch.cat(points).to(data.dtype).cpu()


def at_likely_points(
    model: StructuredVAE, batch: Batch, has_cells: bool = True, evidence: Tensor | float = 0.0
) -> Around:
    """Return the mean of each latent point in its most probable component, and its deviations.

    ``evidence`` of shape (n_components, n_samples) is what is known of components besides.
    """
    zeros = batch.arrays[0].new_zeros(len(batch.arrays[0]), model.latent_dim)
    if has_cells:
        joint = model.joint(batch, zeros)
        joint = joint._replace(log_weights=joint.log_weights + evidence)
        posterior, components = joint.posterior, joint.evidence().log_gamma.max(dim=0).indices
    else:
        posterior = model.posterior(batch, has_cells=False)
        components = torch.zeros(len(zeros), dtype=torch.int64, device=zeros.device)
    points = posterior.centres(components)
    steps = posterior.covariances(components).diagonal(dim1=1, dim2=2).sqrt()
    return Around(points.to(zeros), steps.to(zeros), components)


@torch.no_grad()
def sharpen_potentials(model: StructuredVAE, data: TensorData, settings: MixtureSettings) -> bool:
    """Let potentials be no wider than locations scatter, and the mixture follow.

    All modalities are made sharper by one linear map, in the directions where their sum has to be.
    Where decoders depend on the component, nothing is changed, nor where they are formulas, which
    may be flat and right (with it new samples of experts per sample were less right in six of six
    fits, and less probable). Nor with columns of many words: of 300 in 20 000 rows
    (``benchmarks/words.py``, seed 1) cells agreed with the true ones by .25 with it, as an adjusted
    Rand index, and by .55 without. Probably encoders know each word by few samples, so that
    locations scatter little, where they should not be trusted more.

    Parameters
    ----------
    model : StructuredVAE
        Its precisions and its mixture are changed, if they have to be.
    data : TensorData
        Samples, of which those that lack nothing are asked, evenly spaced ones.
    settings : MixtureSettings
        See :func:`~skcausalpima.functional.update_mixture`.

    Returns
    -------
    bool
        Whether they were.
    """
    prior = model.prior
    has_many_words = any(decoder.has_many_words for decoder in model.decoders)
    if model.cluster_dependent or model.experts or has_many_words:
        return False
    if min(data.n_of_all, ROWS_OF_POTENTIALS) < LEAST_ROWS * len(prior.means):
        return False
    samples = _located(model.eval(), data)
    for step in range(N_ROUNDS):
        clusters, pooled = samples.clusters(samples.assigned(model), prior, settings)
        information = None if pooled is None else _no_wider(model.information, pooled)
        if step == 0 and information is None:
            return False
        if information is not None:
            model.set_information(information)
        total = model.information.sum(dim=0)
        width, is_singular = torch.linalg.inv_ex(total)
        if is_singular:  # in directions of which nothing is known
            width = torch.linalg.inv(prepare_precision(total).precision)
        rule = LEAST_SPREAD, settings.covariance_type
        covariances = less_potentials(_not_flat(clusters.covariances), width, *rule)
        covariances = _not_flat(covariances).to(prior.covariances)
        is_empty = clusters.empty.reshape(-1, *[1] * (covariances.ndim - 1))
        prior.means.copy_(clusters.means)
        prior.covariances.copy_(torch.where(is_empty, prior.covariances, covariances))
    return True


@dataclass(frozen=True, kw_only=True)
class _Located:
    """Whole samples: where they lie, and how probable components are before they are seen.

    Parameters
    ----------
    locations : Tensor of shape (n_samples, latent_dim)
        Locations of their potentials.
    log_weights : Tensor of shape (n_components, n_samples)
        In nats; -inf where a sample may not belong.
    weights : Tensor of shape (n_samples,)
        For how many samples each one counts.
    data : TensorData
        What they are of.
    """

    locations: Tensor
    log_weights: Tensor
    weights: Tensor
    data: TensorData

    def assigned(self, model: StructuredVAE) -> Tensor:
        """Return responsibilities times the samples' weights."""
        prior, precision = model.prior, model.information.sum(dim=0)
        components = prepare_posterior(prior.means, prior.covariances, precision)
        posterior = components.given(self.locations @ components.precision)
        return posterior.evidence(self.log_weights).log_gamma.exp() * self.weights

    def clusters(
        self, gamma: Tensor, prior: CausalPrior, settings: MixtureSettings
    ) -> tuple[MixtureUpdate, Tensor | None]:
        """Return the mixture of locations, and its pooled covariance.

        Second None where samples are too few, or locations do not scatter in some direction.
        """
        origin = prior.means.double().mean(dim=0)
        exact = DiagonalGaussian(self.locations, torch.full_like(self.locations, -torch.inf))
        sums = self.data.total_of(expected_statistics(exact, origin, full=True) @ gamma.T)
        statistics = unpacked_statistics(sums, origin, full=True)
        kind = covariance_type_named(settings.covariance_type).of_scatter
        before = prior.means, whole_matrices(prior.covariances)
        clusters = update_mixture(statistics, *before, kind, settings.reg_covar, settings.shrinkage)
        counts, first = statistics.counts, statistics.first
        n_free, dimension = counts.sum() - len(counts), len(origin)
        if n_free < LEAST_ROWS * max(dimension, len(counts)):
            return clusters, None
        between = (first / counts.clamp_min(1e-9)[:, None]).mT @ first
        pooled = (statistics.second.sum(dim=0) - between) / n_free
        pooled = 0.5 * (pooled + pooled.mT)
        variances = torch.linalg.eigvalsh(pooled)
        is_flat = bool(variances[0] <= LEAST_VARIANCE * variances[-1])
        return clusters, None if is_flat else pooled


def _located(model: StructuredVAE, data: TensorData) -> _Located:
    """Return some samples and where they lie."""
    rows = data.evenly_spaced(ROWS_OF_POTENTIALS)
    locations, log_weights, weights = [], [], []
    for block in data.subset(rows).blocks():
        whole = block.take(whole_modalities(block).all(dim=0).nonzero().flatten())
        locations.append(model.location(whole))
        of_cells = weight_columns(model.log_weights(whole.regime_index)).double()
        of_cells = of_cells.expand(-1, len(locations[-1]))
        if whole.allowed is not None:
            of_cells = of_cells.masked_fill(~whole.allowed, -torch.inf)
        log_weights.append(of_cells)
        weights.append(whole.weighted(torch.ones_like(locations[-1][:, 0])))
    return _Located(
        locations=torch.cat(locations),
        log_weights=torch.cat(log_weights, dim=1),
        weights=torch.cat(weights),
        data=data,
    )


def _no_wider(information: Tensor, scatter: Tensor) -> Tensor | None:
    """Return precisions whose sum leaves a part of the scatter to others; None if it does."""
    root = torch.linalg.cholesky(scatter)
    values, vectors = torch.linalg.eigh(root.mT @ information.sum(dim=0) @ root)
    values = values.clamp_min(torch.finfo(values.dtype).tiny)
    wanted = (SHARPEST * values).clamp_max(1.0 / (1.0 - LEAST_SPREAD)).maximum(values)
    if bool((wanted == values).all()):
        return None
    scaled = (vectors * (wanted / values).sqrt()) @ vectors.mT
    change = torch.linalg.solve(root.mT, scaled @ root.mT)
    return change @ information @ change.mT


def _not_flat(covariances: Tensor) -> Tensor:
    """Return matrices (3-D; variances stay) of which no direction is below the least variance."""
    if covariances.ndim == 2:
        return covariances
    values, vectors = torch.linalg.eigh(covariances)
    least = LEAST_VARIANCE * values[:, -1:]
    rounder = (vectors * values.maximum(least)[:, None]) @ vectors.mT
    return torch.where((values < least).any(dim=1)[:, None, None], rounder, covariances)
