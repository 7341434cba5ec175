"""Where training begins: networks, clusters, tables and graph, in order."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .._clustering.candidates import StartReport, choose_start, find_starts
from .._data.sample_weight import start_rows
from .._data.samples import FitSamples, NodeKnowledge
from .._grid import NodeGrid
from .._model.build import build_model
from .._model.module_checks import check_modules
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._structure.naming import name_nodes
from .._training.block_update import encode_all, regime_counts
from .._training.divergence import check_finite
from ..functional import DiagonalGaussian
from ..modules import CausalPrior, EdgeKnowledge, MultimodalVAE, node_counts
from .experts import start_sample_experts
from .mixture import iterate_mixture, place_empty, start_mixture
from .principal_components import PrincipalScores, principal_scores, start_linear

#: Larger grids start like ``init="linear"``: their arrangement would take longer than the fit.
MAX_ARRANGED = 128


@dataclass(frozen=True, kw_only=True)
class StartSample:
    """The samples that a start is found on: each of them counts alike.

    Parameters
    ----------
    knowledge : NodeKnowledge
        What is known of the nodes in each.
    data : TensorData
        The samples.
    scores : PrincipalScores or None
        Their principal scores; None where ``init`` is "paper".
    """

    knowledge: NodeKnowledge
    data: TensorData
    scores: PrincipalScores | None


def start_sample(setup: Setup, samples: FitSamples, data: TensorData, seed: int) -> StartSample:
    """Return samples of which each counts alike, since clustering knows no weights.

    This decides where training begins. All that is trained then is weighted as it should be.
    """
    rows, knowledge = None, samples.knowledge
    if samples.rows is not None:
        rows = start_rows(samples.rows)
    if rows is not None:
        data = data.subset(torch.as_tensor(rows, device=data.device)).unweighted()
        knowledge = knowledge.take(rows)
    scores = None
    if setup.training.initialization.init != "paper":
        scores = principal_scores(data, max(20, setup.spec.latent_dim), seed)
    return StartSample(knowledge=knowledge, data=data, scores=scores)


def initial_model(
    setup: Setup, start: StartSample, generator: torch.Generator, rng: np.random.RandomState
) -> MultimodalVAE:
    """Build the networks and give them their start values."""
    data, scores = start.data, start.scores
    model = build_model(setup.spec, generator, stand_ins=True)
    for m, expert in model.experts:
        expert.set_units(*setup.units[m])
    check_modules(model)
    model.to(setup.device)
    whitened = None if scores is None else scores.whitened[:, : setup.spec.latent_dim]
    if whitened is not None:
        start_linear(model, data, whitened)
    start_sample_experts(model, data, whitened, rng)
    if not setup.training.learns_variances:
        model.log_variances.fill_(float(np.log(setup.training.decoder_variance)))
    return model


def start_clusters(
    setup: Setup, start: StartSample, model: MultimodalVAE, rng: np.random.RandomState
) -> tuple[StartReport | None, Tensor]:
    """Start mixture and tables; return how clusters were put on the grid, and responsibilities."""
    data, scores = start.data, start.scores
    settings, mixture = setup.training.initialization, setup.training.mixture
    posterior = DiagonalGaussian(*(part.cpu() for part in encode_all(model, data)))
    check_finite(torch.cat(posterior), "posteriors of the samples")
    allowed = None if data.allowed is None else data.allowed.cpu()
    report, sizes = None, setup.spec.node_sizes
    n_cells = len(model.prior.means)
    is_arranged = settings.init == "arranged" and n_cells <= MAX_ARRANGED and len(sizes) > 1
    if scores is not None and is_arranged:
        candidates = find_starts(scores.scaled, sizes, random_state=rng)
        chosen, report = choose_start(
            candidates, scores.scaled, sizes, known=start.knowledge.known_nodes, random_state=rng
        )
        report = _name_nodes(setup, start.knowledge, report, chosen.responsibilities)
        gamma = torch.zeros(n_cells, data.n_samples, dtype=torch.float64)
        cells = report.arrangements[report.chosen].cells
        gamma[torch.as_tensor(cells)] = torch.as_tensor(chosen.responsibilities.T)
        if allowed is not None:
            gamma *= allowed  # others wait for the next responsibilities
        fit = iterate_mixture(posterior, gamma, mixture, allowed=allowed, max_iter=1)
        fit = place_empty(fit, gamma.sum(dim=1), sizes)
    else:
        spaces = [posterior.mean.numpy()]
        if scores is not None:
            spaces.append(scores.scaled)
        n_starts = settings.n_mixture_init
        fit = start_mixture(
            posterior, spaces, n_cells, mixture, n_starts=n_starts, rng=rng, allowed=allowed
        )
    model.prior.means.copy_(fit.means)
    model.prior.covariances.copy_(fit.covariances)
    gamma = fit.responsibilities.to(data.device)
    _start_graph(setup, start, model, gamma)
    return report, gamma


def _name_nodes(
    setup: Setup, knowledge: NodeKnowledge, report: StartReport, responsibilities: np.ndarray
) -> StartReport:
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
    named = replace(arrangement, cells=cells, node_shares=arrangement.node_shares[order])
    arrangements = list(report.arrangements)
    arrangements[report.chosen] = named
    return replace(report, arrangements=arrangements)


def _start_graph(setup: Setup, start: StartSample, model: MultimodalVAE, gamma: Tensor) -> None:
    """Start the tables from the first responsibilities, of shape (n_components, n_samples)."""
    prior, knowledge, data = model.prior, start.knowledge, start.data
    counts = regime_counts(gamma, data.regime_index, len(knowledge.regimes))
    if knowledge.interventions is not None:
        unknown = counts if knowledge.unknown_settings else None
        prior.start_interventions(knowledge.regimes, unknown)
    grids = prior.node_counts(counts)
    prior.start_tables(torch.stack([grid.flatten() for grid in grids]))
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
