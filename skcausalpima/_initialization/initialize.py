"""The start of training: networks, clusters, tables, graph and experts, in this order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .._clustering.candidates import CandidateReport, choose_candidate, find_candidates
from .._clustering.clusters import Clustering
from .._clustering.many_cells import is_arranged
from .._data.sample_weight import initial_rows
from .._data.samples import FitSamples, NodeKnowledge
from .._grid import NodeGrid
from .._model.build import build_model, initialize_cluster_decoders
from .._model.networks import check_modules
from .._model.ranks import as_on_first, check_modules_of_ranks
from .._model.scaled_samples import DataArrays
from .._model.setup import Setup, Side
from .._model.tensors import TensorData
from .._structure.naming import name_nodes
from .._training.block_update import BlockUpdate, block_update, update_for_given_graph
from .._training.divergence import check_finite, told_divergence
from .._training.early_stopping import held_out_first
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
from .derived_views import ViewStart, fit_views
from .experts import initialize_cluster_experts, initialize_sample_experts
from .mixture import (
    N_RIVALS,
    Iterate,
    MixtureFit,
    initialize_mixture,
    iterate_mixture,
    iterate_posteriors,
    place_empty,
)
from .principal_components import PrincipalScores, initialize_networks
from .sides import Sides, decided

#: The start sees so many samples at most, which it holds in memory several times over: no more than
#: have so many responsibilities, but not fewer than ``MIN_PER_CELL`` for each cell.
MAX_ROWS, MAX_RESPONSIBILITIES, MIN_PER_CELL = 20_000, 2**25, 4

#: Of data on disk no more than have so many elements, but not fewer than ``MIN_ROWS``.
MAX_ELEMENTS, MIN_ROWS = 2**24, 1000


@dataclass(frozen=True, kw_only=True)
class InitialSample:
    """The samples that clusters are found on: each of them counts alike.

    Parameters
    ----------
    knowledge : NodeKnowledge
        What is known of the nodes in each.
    data : TensorData
        The samples.
    scores : PrincipalScores or None
        Their principal scores; None where ``init`` is "paper".
    views : dict of int to ViewStart
        Their derived views, by the number of the modality.
    rows : ndarray of int of shape (n_rows,), default=None
        Which rows here they are of those that the model is learned from; None for all.
    places : ndarray of int of shape (n_rows,), default=None
        Which of the samples are those of this rank; None for all.
    candidates : sequence of Clustering, default=()
        Clusterings that were found already, of which one run may make use.
    """

    knowledge: NodeKnowledge
    data: TensorData
    scores: PrincipalScores | None
    views: dict[int, ViewStart]
    rows: np.ndarray | None = None
    places: np.ndarray | None = None
    candidates: Sequence[Clustering] = ()


@dataclass(frozen=True, kw_only=True)
class InitialClusters:
    """Where clusters begin."""

    candidates: CandidateReport | None  # what was seen of the clusterings, if they were arranged
    responsibilities: Tensor  # (component, sample), of the mixture in the latent space
    start: StartingCells  # in the chosen clusters themselves, where these were arranged
    rivals: Sequence[np.ndarray]  # labels from the starts that came next, the best first


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run when its training begins: the model, and all that training carries along."""

    model: MultimodalVAE
    generator: torch.Generator
    rng: np.random.RandomState
    order: np.ndarray | None  # of the samples, those that are held out first
    update: BlockUpdate
    progress: Phase
    candidates: CandidateReport | None = None
    start: StartingCells | None = None
    rivals: Sequence[np.ndarray] = ()  # labels of the initial sample from starts that came next


def initial_sample(
    setup: Setup, samples: FitSamples, data: TensorData, seed: int
) -> tuple[Setup, InitialSample]:
    """Return samples of which each counts alike, since clustering knows no weights.

    The setup is returned, too: what parameters leave to the data is decided by these samples.

    All ranks return the same ones. This decides where training begins; all that is trained then
    is weighted as it should be.
    """
    core, knowledge, training_rows = samples.core, samples.knowledge, samples.rows
    if core is not None:
        knowledge = knowledge.take(core)
        data, _ = data.core()
        training_rows = None if training_rows is None else training_rows.take(core)
    rows = None if training_rows is None else initial_rows(training_rows)
    rows = _some_rows(setup, data, rows, seed)
    if rows is not None:
        data = data.subset(torch.as_tensor(rows, device=data.device)).unweighted().loaded()
        knowledge = knowledge.take(rows)
    places = None
    if data.ranks.are_several:
        places = data.ranks.places(data.n_samples)
        knowledge = knowledge.gathered(data.ranks, data.n_samples)
        data = DataArrays.of(data).gathered().to_tensors()
    scores, views, candidates = None, fit_views(setup, data, seed), []
    if setup.training.initialization.method != "paper":
        sides = Sides(setup, knowledge, data, views, seed)
        best = sides.choose()
        if best is None:
            spec = setup.spec
            scores = sides.scores(Side(weights=spec.modality_weights, views=spec.views))
        else:
            setup, scores, candidates = decided(setup, sides, best), best.scores, best.candidates
            views = {m: view for m, view in views.items() if setup.spec.views[m] is not None}
    return setup, InitialSample(
        knowledge=knowledge,
        data=data,
        scores=scores,
        views=views,
        rows=rows,
        places=places,
        candidates=candidates,
    )


def _some_rows(
    setup: Setup, data: TensorData, rows: np.ndarray | None, seed: int
) -> np.ndarray | None:
    """Return some of the rows here at random, in rising order, where all would take much memory.

    ``rows`` are those that count at all, None for all. All ranks have as large a part.
    """
    n_here = data.n_samples if rows is None else len(rows)
    n_rows, n_cells = int(data.ranks.sum(np.array(n_here))), math.prod(setup.spec.node_sizes)
    n_some = min(MAX_ROWS, max(MAX_RESPONSIBILITIES // n_cells, MIN_PER_CELL * n_cells))
    is_copied = data.is_streamed or data.ranks.are_several
    if is_copied:
        width = sum(array.shape[1] for array in data.arrays)
        n_some = min(n_some, max(MIN_ROWS, MAX_ELEMENTS // width))
    if n_some >= n_rows and not is_copied:
        return rows
    rows = np.arange(data.n_samples) if rows is None else rows
    n_some = min(n_some, n_rows) * n_here // n_rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_some, replace=False))


def initialize_run(
    setup: Setup, data: TensorData, initial: InitialSample, seed: int, observer: Observer
) -> RunState:
    """Build and pre-train the model; initialize clusters, tables, experts, networks per cluster."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    settings, names = setup.training, setup.spec.modality_names
    model = initial_model(setup, initial, generator, rng)
    check_modules_of_ranks(model, data.ranks)
    as_on_first(model, data.ranks)
    own = rng
    if data.ranks.are_several:  # each draws for its own samples, but for gradient steps
        data.ranks.common = torch.Generator()
        data.ranks.common.set_state(generator.get_state())
        own = np.random.RandomState([seed, data.ranks.rank])
        generator.manual_seed(own.randint(2**31 - 1))
    update = block_update(setup, data)
    optimizer = pretrain(model, data, settings, update, generator, observer)
    observer.interruption.check()
    fraction = settings.steps.validation_fraction
    order = held_out_first(data.n_samples, fraction, own, data.ranks)
    with told_divergence(model, names, "the initialization of the clusters", weights=data.weights):
        found = initialize_clusters(setup, initial, model, rng)
        gamma, floors = found.responsibilities, update.variance_floors
        initialize_cluster_experts(model, setup, initial.data, gamma, floors, rng)
    initialize_cluster_decoders(model, setup.spec.decoders)
    as_on_first(model, data.ranks)
    progress = new_phase(settings, model, observer)
    progress.follow(optimizer)
    update = update_for_given_graph(update, setup)
    return RunState(
        model=model,
        generator=generator,
        rng=rng,
        order=order,
        update=update,
        progress=progress,
        candidates=found.candidates,
        start=found.start,
        rivals=found.rivals,
    )


def initial_model(
    setup: Setup, initial: InitialSample, generator: torch.Generator, rng: np.random.RandomState
) -> MultimodalVAE:
    """Build the networks and give them their initial values."""
    data, scores = initial.data, initial.scores
    model = build_model(setup.spec, generator, stand_ins=True)
    for m, expert in model.experts:
        expert.set_units(*setup.units[m])
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
) -> InitialClusters:
    """Find clusters, initialize mixture and tables."""
    data, scores = initial.data, initial.scores
    settings, mixture = setup.training.initialization, setup.training.mixture
    allowed = None if data.allowed is None else data.allowed.cpu()
    points, iterate = _latent_points(model, data, allowed)
    check_finite(points, "posteriors of the samples")
    sizes, n_cells = setup.spec.node_sizes, len(model.prior.means)
    if scores is not None and is_arranged(settings.method, sizes):
        fit, first, report = _arranged(setup, initial, iterate, rng)
    else:
        spaces = [points.numpy()]
        if scores is not None:
            spaces.append(scores.scaled)
        fit = initialize_mixture(
            iterate,
            spaces,
            n_cells,
            mixture,
            rng=rng,
            allowed=allowed,
        )
        first, report = fit.responsibilities, None
    model.prior.means.copy_(fit.means)
    model.prior.covariances.copy_(fit.covariances)
    gamma = fit.responsibilities.to(data.device)
    initialize_graph(setup, initial, model, gamma)
    rows = None if initial.rows is None else torch.as_tensor(initial.rows, device=data.device)
    seen = report if setup.training.schedule.holds_start else None
    return InitialClusters(
        candidates=report,
        responsibilities=gamma,
        start=starting_cells(first.to(data.device), rows, seen, initial.places),
        rivals=fit.rivals,
    )


@torch.no_grad()
def _latent_points(
    model: MultimodalVAE, data: TensorData, allowed: Tensor | None
) -> tuple[Tensor, Iterate]:
    """Return where samples lie in the latent space, and what iterates a mixture of them."""
    model.eval()
    if isinstance(model, MeanFieldVAE):
        parts = [model.encode(block) for block in data.blocks()]
        gaussian = DiagonalGaussian(*(torch.cat(of).cpu() for of in zip(*parts, strict=True)))
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
    known = initial.knowledge.known_nodes
    candidates = initial.candidates or find_candidates(
        scores.scaled, sizes, known=known, random_state=rng
    )
    chosen, report = choose_candidate(
        candidates, scores.placed, sizes, known=known, random_state=rng
    )
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
