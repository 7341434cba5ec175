"""One run of the algorithm: start, train, harden the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._expert_fitting import expert_modules
from ._expert_start import start_cluster_experts, start_sample_experts
from ._graph_learning import (
    HardGraph,
    family_tables,
    name_nodes,
    node_counts,
    refit_tables,
    settle_graph,
)
from ._known_nodes import allowed_cells
from ._linear_start import PrincipalScores, principal_scores, start_linear
from ._mixture_start import iterate_mixture, place_empty, start_mixture
from ._model_state import build_model, start_cluster_decoders
from ._module_checks import check_modules
from ._sample_weights import resampled_rows
from ._setup import Setup, architecture
from ._start_selection import StartReport, choose_start, find_starts
from ._training import (
    BlockUpdate,
    data_pass,
    encode_all,
    pretrain,
    regime_counts,
    train,
    variance_floors,
)
from ._training_data import TrainingData
from .functional import DiagonalGaussian
from .modules import EdgeKnowledge, MultimodalVAE

#: Larger grids start like ``init="linear"``: their arrangement would take longer than the fit.
MAX_ARRANGED = 128


class Run(NamedTuple):
    """A trained model and what was learned."""

    model: MultimodalVAE
    graph: HardGraph
    history: list[dict[str, float]]
    converged: bool
    objective: float  # the (weighted) bound per sample after the last step
    start: StartReport | None  # how clusters were put on the grid


def add_knowledge(data: TrainingData, setup: Setup) -> TrainingData:
    """Add what is known of single samples: outcomes of nodes, and which nodes were set."""
    if setup.known_nodes is not None:
        allowed = allowed_cells(setup.known_nodes, setup.node_sizes)
        data = data._replace(allowed=torch.from_numpy(allowed).to(setup.device))
    if setup.interventions is not None:
        data = data._replace(regimes=setup.regime_numbers.to(setup.device))
    if setup.weights is not None:
        weights = torch.from_numpy(setup.weights)[None]
        data = data._replace(weights=weights.to(setup.device, data.dtype))
    return data


class StartSample(NamedTuple):
    """The samples that a start is found on: those trained on, or a resample where these weigh."""

    setup: Setup
    data: TrainingData
    scores: PrincipalScores | None  # None where ``init`` is "paper"


def start_sample(params: Any, setup: Setup, data: TrainingData, seed: int) -> StartSample:
    """Return samples of which each counts alike, since clustering knows no weights.

    This decides where training begins. All that is trained then is weighted as it should be.
    """
    if data.weights is not None:
        rows = resampled_rows(data.weights[0].double().cpu().numpy())
        data = data.subset(torch.as_tensor(rows, device=data.device))._replace(weights=None)
        setup = setup.take(rows)
    scores = None
    if params.init != "paper":
        scores = principal_scores(data, max(20, setup.latent_dim), seed)
    return StartSample(setup, data, scores)


def reporter(verbose: int, restart: int) -> Callable[[int, dict[str, float]], None]:
    """Return what is called after every epoch."""

    def report(epoch: int, terms: dict[str, float]) -> None:
        if verbose:
            print(
                f"[CausalPIMA] start {restart + 1}, epoch {epoch + 1}: bound "
                f"{terms['lower_bound']:.4f} nats (scaled data)"
            )

    return report


def run(
    params: Any,
    setup: Setup,
    data: TrainingData,
    start: StartSample,
    seed: int,
    report: Any,
) -> Run:
    """Run the whole algorithm once.

    ``params`` has the estimator's parameters as attributes; ``setup`` what they resolve to.
    """
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    model = _initial_model(params, *start, generator, rng)
    floors = variance_floors(data) if isinstance(params.decoder_variance, str) else None
    update = BlockUpdate(
        setup.names, params.covariance_type, params.reg_covar, setup.shrinkage, floors
    )
    steps = {
        "batch_size": params.batch_size,
        "learning_rate": params.learning_rate,
        "max_grad_norm": params.max_grad_norm,
        "generator": generator,
    }
    options = {"kl_weight": 1.0 if params.pretraining == "vae" else 0.0, "update": update}
    pretrain(model, data, n_epochs=params.pretraining_epochs, **options, **steps)
    training, held_out = _split(data, params.validation_fraction, rng)
    found, gamma = _start_clusters(params, start.setup, model, *start[1:], update, rng)
    start_cluster_experts(model, setup, start.data, gamma, floors, rng)
    start_cluster_decoders(model, setup.decoders)
    steps |= {
        "graph_learning_rate": params.graph_learning_rate,
        "n_mixture_updates": params.n_mixture_updates,
        "n_graph_steps": params.n_graph_steps,
        "score_noise": params.score_noise,
        "edge_penalty": setup.graph.edge_penalty,
        "n_iter_no_change": params.n_iter_no_change,
    }
    if setup.graph.structure == "fixed":
        update = update._replace(adjacency=torch.from_numpy(setup.graph.constraints.required))
    options = {"temperatures": setup.temperatures, "tol": params.tol, "report": report}
    result = train(model, training, held_out, update=update, **options, **steps)
    end = data_pass(model, data, generator, setup.names)
    graph = settle_graph(model.prior, end.counts, setup.graph, rng)
    if setup.graph.structure == "refined":
        update = update._replace(adjacency=torch.from_numpy(graph.adjacency))
        _polish(model, training, update, params.polishing_epochs, steps)
        end = data_pass(model, data, generator, setup.names)
        graph = refit_tables(model.prior, end.counts, graph)
    end = data_pass(model, data, generator, setup.names)
    return Run(model, graph, result.history, result.converged, end.terms["objective"], found)


def _polish(
    model: MultimodalVAE, data: TrainingData, update: BlockUpdate, n_epochs: int, steps: dict
) -> None:
    """Train some epochs with the graph settled, its tables in closed form."""
    train(
        model,
        data,
        None,
        update=update,
        temperatures=np.ones(n_epochs),
        tol=0.0,
        report=lambda epoch, terms: None,
        **steps,
    )


def _initial_model(
    params: Any,
    setup: Setup,
    data: TrainingData,
    scores: PrincipalScores | None,
    generator: torch.Generator,
    rng: np.random.RandomState,
) -> MultimodalVAE:
    """Build the networks and give them their start values."""
    model = build_model(**architecture(params, setup), generator=generator, stand_ins=True)
    for m, expert in expert_modules(model):
        expert.set_units(*setup.units[m])
    check_modules(model, setup.names, setup.latent_dim)
    model.to(setup.device)
    whitened = None if scores is None else scores.whitened[:, : setup.latent_dim]
    if whitened is not None:
        start_linear(model, data, whitened)
    start_sample_experts(model, data, whitened, rng)
    if not isinstance(params.decoder_variance, str):
        model.log_variances.fill_(float(np.log(params.decoder_variance)))
    return model


def _split(
    data: TrainingData, fraction: float, rng: np.random.RandomState
) -> tuple[TrainingData, TrainingData | None]:
    """Set some samples aside for early stopping."""
    n_held_out = int(np.ceil(fraction * data.n_samples))
    if n_held_out == 0:
        return data, None
    if n_held_out >= data.n_samples:
        raise ValueError(
            f"validation_fraction={fraction} of {data.n_samples} samples leaves none to train on."
        )
    order = torch.as_tensor(rng.permutation(data.n_samples), device=data.device)
    return data.subset(order[n_held_out:]), data.subset(order[:n_held_out])


def _start_clusters(
    params: Any,
    setup: Setup,
    model: MultimodalVAE,
    data: TrainingData,
    scores: PrincipalScores | None,
    update: BlockUpdate,
    rng: np.random.RandomState,
) -> tuple[StartReport | None, Tensor]:
    """Start mixture and tables; return how clusters were put on the grid, and responsibilities."""
    posterior = DiagonalGaussian(*(part.cpu() for part in encode_all(model, data)))
    options = {
        "covariance_type": update.covariance_type,
        "reg_covar": update.reg_covar,
        "shrinkage": update.shrinkage,
        "allowed": None if data.allowed is None else data.allowed.cpu(),
    }
    report = None
    n_cells = len(model.prior.means)
    if params.init == "arranged" and n_cells <= MAX_ARRANGED and len(setup.node_sizes) > 1:
        candidates = find_starts(scores.scaled, setup.node_sizes, random_state=rng)
        chosen, report = choose_start(
            candidates, scores.scaled, setup.node_sizes, known=setup.known_nodes, random_state=rng
        )
        report = _name_nodes(setup, report, chosen.responsibilities)
        gamma = torch.zeros(n_cells, data.n_samples, dtype=torch.float64)
        cells = report.arrangements[report.chosen].cells
        gamma[torch.as_tensor(cells)] = torch.as_tensor(chosen.responsibilities.T)
        if options["allowed"] is not None:
            gamma *= options["allowed"]  # others wait for the next responsibilities
        fit = iterate_mixture(posterior, gamma, max_iter=1, **options)
        fit = place_empty(fit, gamma.sum(dim=1), setup.node_sizes)
    else:
        spaces = [posterior.mean.numpy()]
        if params.init != "paper":
            spaces.append(scores.scaled)
        fit = start_mixture(
            posterior, spaces, n_cells, n_starts=params.n_mixture_init, rng=rng, **options
        )
    model.prior.means.copy_(fit.means)
    model.prior.covariances.copy_(fit.covariances)
    gamma = fit.responsibilities.to(data.device)
    _start_graph(setup, model, data, gamma)
    return report, gamma


def _name_nodes(setup: Setup, report: StartReport, responsibilities: np.ndarray) -> StartReport:
    """Swap nodes of one size so that what was stated about edges, by name, fits best."""
    sizes, arrangement = setup.node_sizes, report.arrangements[report.chosen]
    counts = torch.zeros(len(setup.regimes), math.prod(sizes), dtype=torch.float64)
    gamma = torch.as_tensor(responsibilities.T)
    counts[:, arrangement.cells] = regime_counts(gamma, setup.regime_numbers, len(setup.regimes))
    is_named = np.zeros(len(sizes), dtype=bool)
    if setup.known_nodes is not None:
        is_named = (setup.known_nodes >= 0).any(axis=0)
    grids = [grid.numpy() for grid in node_counts(counts, sizes, setup.regimes)]
    total = counts.sum(dim=0).reshape(sizes).numpy()
    order = name_nodes(total, grids, setup.graph, is_named)
    outcomes = np.stack(np.unravel_index(arrangement.cells, sizes))[order]
    cells = np.ravel_multi_index(outcomes, sizes)
    named = arrangement._replace(cells=cells, node_shares=arrangement.node_shares[order])
    arrangements = list(report.arrangements)
    arrangements[report.chosen] = named
    return report._replace(arrangements=arrangements)


def _start_graph(setup: Setup, model: MultimodalVAE, data: TrainingData, gamma: Tensor) -> None:
    """Start the tables from the first responsibilities, of shape (n_components, n_samples)."""
    prior, interventions = model.prior, setup.interventions
    counts = regime_counts(gamma, data.regimes, len(setup.regimes))
    if interventions is not None:
        known = interventions.outcomes is not None
        prior.start_interventions(interventions.regimes, None if known else counts)
    grids = node_counts(counts, prior.node_sizes, prior.regimes)
    prior.start_tables(torch.stack([grid.flatten() for grid in grids]))
    required, forbidden, precedence = (
        torch.as_tensor(matrix, device=data.device)
        for matrix in (*setup.graph.constraints, setup.graph.precedence)
    )
    if setup.graph.structure == "fixed":
        prior.fix_graph(required, family_tables(prior, counts, required))
    elif setup.graph.states_edges:
        prior.knowledge = EdgeKnowledge(required, forbidden, precedence)
