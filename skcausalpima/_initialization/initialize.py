"""The start of training: networks, clusters, tables, graph and experts, in this order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from .._base.grid import NodeGrid
from .._clustering.candidates import N_CANDIDATES, CandidateReport, choose_candidate
from .._clustering.clusters import Clustering
from .._clustering.clusters_of_estimator import clusters_of_estimator
from .._clustering.contest import Contest
from .._clustering.latent_classes import TableColumns, latent_classes
from .._clustering.many_cells import is_arranged
from .._data.samples import NodeKnowledge
from .._model.build import build_model, check_modules, initialize_cluster_decoders
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._structure.settings import name_nodes
from .._training.block_update import BlockUpdate, block_update
from .._training.ending import check_finite, held_out_first, told_divergence
from .._training.filling import check_decoders
from .._training.holding import StartingCells, starting_cells
from .._training.loop import Phase, new_phase, pretrain
from .._training.observer import Observer
from .._training.potentials import all_potentials
from .._training.sums import regime_counts
from ..functional import DiagonalGaussian
from ..modules import (
    CausalPrior,
    EdgeKnowledge,
    MeanFieldVAE,
    MultimodalVAE,
    StructuredVAE,
    node_counts,
)
from .experts import initialize_cluster_experts, initialize_sample_experts
from .initial_sample import InitialSample
from .mixture import (
    N_RIVALS,
    N_STARTS,
    Iterate,
    MixtureFit,
    initialize_mixture,
    iterate_mixture,
    iterate_posteriors,
    kmeans_starts,
    match_components,
    place_empty,
)
from .principal_components import PrincipalScores, initialize_networks


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run when its training begins: the model, and all that training carries along."""

    model: MultimodalVAE
    rng: np.random.RandomState
    order: np.ndarray | None  # of the samples, those that are held out first
    update: BlockUpdate
    progress: Phase
    candidates: CandidateReport | None = None
    start: StartingCells | None = None
    rivals: Sequence[np.ndarray] = ()  # labels of the initial sample from starts that came next


def initialize_run(
    setup: Setup, data: TensorData, initial: InitialSample, seed: int, observer: Observer
) -> RunState:
    """Build and pre-train the model; initialize clusters, tables, experts, networks per cluster."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    settings = setup.training
    model = initial_model(setup, initial, generator, rng)
    data.adopt(model)
    local_rng = data.own_draws(generator, seed) or rng
    update = block_update(setup, data, generator)
    optimizer = pretrain(model, data, settings, update, observer)
    observer.interruption.check()
    fraction = settings.steps.validation_fraction
    order = held_out_first(data, fraction, local_rng)
    with told_divergence(model, "the initialization of the clusters", weights=data.weights):
        report, gamma, start, rivals = initialize_clusters(setup, initial, model, rng)
        floors = update.variance_floors
        initialize_cluster_experts(model, setup, initial.data, gamma, floors, rng)
    initialize_cluster_decoders(model, setup.spec.decoders)
    data.adopt(model)
    progress = new_phase(settings, model, observer)
    progress.follow(optimizer)
    return RunState(
        model=model,
        rng=rng,
        order=order,
        update=update,
        progress=progress,
        candidates=report,
        start=start,
        rivals=rivals,
    )


def initial_model(
    setup: Setup, initial: InitialSample, generator: torch.Generator, rng: np.random.RandomState
) -> MultimodalVAE:
    """Build the networks and give them their initial values."""
    data, scores = initial.data, initial.scores
    model = build_model(setup.spec, generator, stand_ins=True)
    for decoder, units in zip(model.decoders, setup.units, strict=True):
        decoder.set_units(*units)
    check_modules(model)
    check_decoders(model, data, setup.spec.decoders)
    model.to(setup.device)
    whitened = None if scores is None else scores.whitened[:, : setup.spec.latent_dim]
    if whitened is not None:
        initialize_networks(model, data, whitened, initial.views)
    initialize_sample_experts(model, data, whitened, rng)
    if not setup.training.learns_variances:
        model.log_variances.fill_(float(np.log(setup.training.decoder_variance)))
    return model


def initialize_clusters(
    setup: Setup, initial: InitialSample, model: MultimodalVAE, rng: np.random.RandomState
) -> tuple[CandidateReport | None, Tensor, StartingCells, Sequence[np.ndarray]]:
    """Find clusters, initialize mixture and tables.

    Returns what was seen of the clusterings, if they were arranged; the responsibilities of the
    mixture, (n_components, n_samples); where samples begin; and labels from the starts that came
    next, the best first.
    """
    data, scores = initial.data, initial.scores
    settings, mixture = setup.training.initialization, setup.training.mixture
    allowed = None if data.allowed is None else data.allowed.cpu()
    points, iterate = _latent_points(model, data, allowed)
    check_finite(points, "posteriors of the samples")
    sizes, n_cells = setup.spec.node_sizes, len(model.prior.means)
    report, agreement = None, 0.0
    is_given = settings.clusterer is not None
    if scores is not None and (is_given or is_arranged(settings.method, sizes)):
        fit, first, report = _arranged(setup, initial, iterate, rng)
        agreement = report.agreement[report.chosen]
        report = report if len(sizes) > 1 else None
    elif scores is not None and scores.columns is not None:
        fit, first, agreement = _of_classes(scores, n_cells, setup, iterate, allowed, rng)
    else:
        spaces = [points.numpy()] + ([] if scores is None else [scores.scaled])
        starts = kmeans_starts(spaces, n_cells, rng, N_STARTS)
        fit = initialize_mixture(iterate, starts, n_cells, mixture, allowed)
        first = fit.responsibilities
    model.prior.means.copy_(fit.means)
    model.prior.covariances.copy_(fit.covariances)
    gamma = fit.responsibilities.to(data.device)
    initialize_graph(setup, initial, model, gamma)
    rows = None if initial.rows is None else torch.as_tensor(initial.rows, device=data.device)
    if not setup.training.schedule.holds_start:
        agreement = 0.0
    start = starting_cells(first.to(data.device), rows, agreement, initial.positions)
    return report, gamma, start, fit.rivals


def _of_classes(
    scores: PrincipalScores,
    n_cells: int,
    setup: Setup,
    iterate: Iterate,
    allowed: Tensor | None,
    rng: np.random.RandomState,
) -> tuple[MixtureFit, Tensor, float]:
    """Return the mixture that begins as the likeliest latent classes of a table.

    What Gaussian potentials say of words, before any training, does not tell good starts from bad.
    Where numbers vary together they tell less than the classes, which are returned, too, and how
    far the two likeliest agree.
    """
    columns = cast(TableColumns, scores.columns)
    fits = latent_classes(columns, scores.scaled, n_cells, random_state=rng, n_starts=N_CANDIDATES)
    labels = [clustering.labels for clustering in fits]
    if columns.together:
        gamma = torch.zeros(n_cells, len(labels[0]), dtype=torch.float64)
        responsibilities = torch.as_tensor(fits[0].responsibilities.T)
        gamma[: len(responsibilities)] = responsibilities
        gamma = match_components(gamma, allowed)
        fit = iterate(gamma, setup.training.mixture, 1)
        agreement = adjusted_rand_score(*labels[:2])
    else:
        fit = initialize_mixture(iterate, labels[:1], n_cells, setup.training.mixture, allowed)
        gamma, agreement = fit.responsibilities, 0.0
    return replace(fit, rivals=labels[1 : 1 + N_RIVALS]), gamma, agreement


@torch.no_grad()
def _latent_points(
    model: MultimodalVAE, data: TensorData, allowed: Tensor | None
) -> tuple[Tensor, Iterate]:
    """Return where samples lie in the latent space, and what iterates a mixture of them."""
    model.eval()
    if isinstance(model, MeanFieldVAE):
        parts = [model.encode(block) for block in data.blocks()]
        gaussian = DiagonalGaussian(
            *(torch.cat(blocks).cpu() for blocks in zip(*parts, strict=True))
        )
        return gaussian.mean, partial(iterate_mixture, gaussian, allowed=allowed)
    potential, points = all_potentials(cast(StructuredVAE, model), data)
    return points, partial(iterate_posteriors, potential, allowed=allowed)


def _arranged(
    setup: Setup, initial: InitialSample, iterate: Iterate, rng: np.random.RandomState
) -> tuple[MixtureFit, Tensor, CandidateReport]:
    """Find clusters and lay them on the grid; return the mixture, the clusters, and what was seen.

    The clusters are responsibilities of shape (n_components, n_samples).
    """
    scores, sizes = cast(PrincipalScores, initial.scores), setup.spec.node_sizes
    allowed = None if initial.data.allowed is None else initial.data.allowed.cpu()
    chosen, candidates, report = _clusters(setup, initial, scores, rng)
    report = _name_nodes(setup, initial.knowledge, report, chosen.responsibilities)
    gamma = torch.zeros(math.prod(sizes), initial.data.n_samples, dtype=torch.float64)
    cells = report.arrangements[report.chosen].cells
    gamma[torch.as_tensor(cells)] = torch.as_tensor(chosen.responsibilities.T)
    if allowed is not None:
        gamma *= allowed  # others wait for the next responsibilities
    fit = iterate(gamma, setup.training.mixture, 1)
    fit = place_empty(fit, gamma.sum(dim=1), sizes)
    order = np.argsort(-report.agreement, kind="stable")
    rivals = [candidates[k].labels for k in order if k != report.chosen][:N_RIVALS]
    return replace(fit, rivals=rivals), gamma, report


def _clusters(
    setup: Setup, initial: InitialSample, scores: PrincipalScores, rng: np.random.RandomState
) -> tuple[Clustering, list[Clustering], CandidateReport]:
    """Return the clusters, all candidates for them, and how they are laid on the grid."""
    sizes, known = setup.spec.node_sizes, initial.knowledge.known_nodes
    clusterer = setup.training.initialization.clusterer
    if clusterer is not None:
        clusters, agreement = clusters_of_estimator(clusterer, scores.scaled, sizes, rng)
        chosen, report = choose_candidate(
            [clusters], scores.placed, sizes, known=known, random_state=rng
        )
        return chosen, [clusters], replace(report, agreement=np.array([agreement]))
    trial = initial.trial
    if trial is None:
        seed = int(rng.randint(2**31 - 1))
        trial = Contest(node_sizes=sizes, known=known, seed=seed).ask(scores)
    return trial.chosen, trial.candidates, trial.report


def _name_nodes(
    setup: Setup, knowledge: NodeKnowledge, report: CandidateReport, responsibilities: np.ndarray
) -> CandidateReport:
    """Swap nodes of one size so that what was stated about edges, by name, fits best."""
    sizes, arrangement = setup.spec.node_sizes, report.arrangements[report.chosen]
    regimes = knowledge.regimes
    counts = torch.zeros(len(regimes), math.prod(sizes), dtype=torch.float64)
    gamma = torch.as_tensor(responsibilities.T)
    numbers = knowledge.regime_index
    index = None if numbers is None else torch.from_numpy(numbers)[None]
    counts[:, arrangement.cells] = regime_counts(gamma, index, len(regimes))
    is_named: np.ndarray = np.zeros(len(sizes), dtype=bool)
    if knowledge.known_nodes is not None:
        is_named = np.any(knowledge.known_nodes >= 0, axis=0)
    grids = [grid.numpy() for grid in node_counts(counts, sizes, regimes)]
    total = counts.sum(dim=0).reshape(sizes).numpy()
    order = name_nodes(total, grids, setup.graph, is_named)
    grid = NodeGrid(sizes)
    cells = grid.cells(grid.outcomes(arrangement.cells)[:, order])
    named = replace(
        arrangement,
        cells=cells,
        node_shares=arrangement.node_shares[order],
        node_agreement=arrangement.node_agreement[order],
    )
    arrangements = list(report.arrangements)
    arrangements[report.chosen] = named
    return replace(report, arrangements=arrangements)


def initialize_graph(
    setup: Setup, initial: InitialSample, model: MultimodalVAE, gamma: Tensor
) -> None:
    """Initialize the tables from the first responsibilities, of shape (n_components, n_samples)."""
    prior, knowledge, data = model.prior, initial.knowledge, initial.data
    counts = regime_counts(gamma, data.regime_index, len(knowledge.regimes))
    if knowledge.interventions is not None:
        unknown = counts if knowledge.unknown_settings else None
        prior.set_interventions(knowledge.regimes, unknown)
    grids = prior.node_counts(counts)
    prior.initialize_tables(torch.stack([grid.flatten() for grid in grids]))
    if prior.mix_sizes:
        prior.set_mixes(counts)
    if setup.graph.structure == "fixed":
        required = torch.as_tensor(setup.graph.constraints.required, device=data.device)
        prior.fix_graph(required, prior.family_tables(counts, required))
    state_knowledge(setup, prior)


def state_knowledge(setup: Setup, prior: CausalPrior) -> None:
    """Let training respect what is known about the edges, unless the graph is given."""
    if setup.graph.structure == "fixed" or not setup.graph.states_edges:
        return
    matrices = (*setup.graph.constraints, setup.graph.precedence)
    device = prior.means.device
    prior.knowledge = EdgeKnowledge(*(torch.as_tensor(m, device=device) for m in matrices))
