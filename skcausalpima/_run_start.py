"""How one run of the algorithm starts: networks, clusters, laws and graph."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._block_update import BlockUpdate, encode_all, regime_counts, variance_floors
from ._divergence import check_finite, told_divergence
from ._expert_fitting import expert_modules
from ._expert_start import start_cluster_experts, start_sample_experts
from ._graph_learning import (
    family_tables,
    name_nodes,
    node_counts,
)
from ._known_nodes import allowed_cells
from ._linear_start import PrincipalScores, principal_scores, start_linear
from ._mixture_start import iterate_mixture, place_empty, start_mixture
from ._model_state import build_model, start_cluster_decoders
from ._module_checks import check_modules
from ._sample_weights import start_rows
from ._setup import Setup, architecture
from ._start_selection import StartReport, choose_start, find_starts
from ._stopping import Stopper
from ._training import Progress, Report, pretrain
from ._training_data import TrainingData
from .functional import DiagonalGaussian
from .modules import CausalPrior, EdgeKnowledge, MultimodalVAE

#: Larger grids start like ``init="linear"``: their arrangement would take longer than the fit.
MAX_ARRANGED = 128


class Started(NamedTuple):
    """A run between its start and its end: the model, and all that training carries along."""

    model: MultimodalVAE
    generator: torch.Generator
    rng: np.random.RandomState
    order: np.ndarray | None  # of the samples, those that are held out first
    update: BlockUpdate
    progress: Progress
    start: StartReport | None = None


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
    """The samples that a start is found on: each of them counts alike."""

    setup: Setup
    data: TrainingData
    scores: PrincipalScores | None  # None where ``init`` is "paper"


def start_sample(params: Any, setup: Setup, data: TrainingData, seed: int) -> StartSample:
    """Return samples of which each counts alike, since clustering knows no weights.

    This decides where training begins. All that is trained then is weighted as it should be.
    """
    rows = None if setup.rows is None else start_rows(setup.rows)
    if rows is not None:
        data = data.subset(torch.as_tensor(rows, device=data.device))._replace(weights=None)
        setup = setup.take(rows)
    scores = None
    if params.init != "paper":
        scores = principal_scores(data, max(20, setup.latent_dim), seed)
    return StartSample(setup, data, scores)


def reporter(verbose: int, label: str, phase: str = "") -> Report:
    """Return what is called after every epoch of a phase."""

    def report(epoch: int, terms: dict[str, float]) -> None:
        if verbose:
            key = "lower_bound" if "lower_bound" in terms else "objective"
            print(
                f"[CausalPIMA] {label}, {phase}epoch {epoch + 1}: {key.replace('lower_', '')} "
                f"{float(terms[key]):.4f} nats (scaled data)\n",
                end="",  # in one piece: workers write side by side
                flush=True,  # and what they write would wait for the end
            )

    return report


def start_run(
    params: Any,
    setup: Setup,
    data: TrainingData,
    start: StartSample,
    seed: int,
    label: str,
) -> Started:
    """Build the model, pre-train it, start the clusters, the laws and the graph."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    model = _initial_model(params, *start, generator, rng)
    update = block_update(params, setup, data)
    pretrain(
        model,
        data,
        n_epochs=params.pretraining_epochs,
        kl_weight=1.0 if params.pretraining == "vae" else 0.0,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        max_grad_norm=params.max_grad_norm,
        update=update,
        generator=generator,
        report=reporter(params.verbose, label, "pre-training "),
    )
    order = held_out_first(data.n_samples, params.validation_fraction, rng)
    with told_divergence(model, setup.names, "the start of the clusters", weights=data.weights):
        found, gamma = _start_clusters(params, start.setup, model, *start[1:], update, rng)
        start_cluster_experts(model, setup, start.data, gamma, update.variance_floors, rng)
    start_cluster_decoders(model, setup.decoders)
    progress = new_progress(params, model)
    return Started(model, generator, rng, order, settled_update(update, setup), progress, found)


def new_progress(params: Any, model: MultimodalVAE) -> Progress:
    """Return the optimizer and early stopping as they begin."""
    stopper = Stopper(params.tol, params.n_iter_no_change)
    return Progress(model, params.learning_rate, params.graph_learning_rate, stopper)


def block_update(params: Any, setup: Setup, data: TrainingData) -> BlockUpdate:
    """Return the block-coordinate update; the graph is not settled."""
    floors = variance_floors(data) if isinstance(params.decoder_variance, str) else None
    return BlockUpdate(
        setup.names, params.covariance_type, params.reg_covar, setup.shrinkage, floors
    )


def settled_update(update: BlockUpdate, setup: Setup) -> BlockUpdate:
    """Let the update fit the tables, if the graph is given."""
    if setup.graph.structure != "fixed":
        return update
    return update._replace(adjacency=torch.from_numpy(setup.graph.constraints.required))


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


def held_out_first(
    n_samples: int, fraction: float, rng: np.random.RandomState
) -> np.ndarray | None:
    """Return a random order of the samples, the first of which are set aside; None if none are."""
    n_held_out = int(np.ceil(fraction * n_samples))
    if n_held_out == 0:
        return None
    if n_held_out >= n_samples:
        raise ValueError(
            f"validation_fraction={fraction} of {n_samples} samples leaves none to train on."
        )
    return rng.permutation(n_samples)


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
    check_finite(torch.cat(posterior), "posteriors of the samples")
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
    if setup.graph.structure == "fixed":
        required = torch.as_tensor(setup.graph.constraints.required, device=data.device)
        prior.fix_graph(required, family_tables(prior, counts, required))
    state_knowledge(setup, prior)


def state_knowledge(setup: Setup, prior: CausalPrior) -> None:
    """Let training respect what is known about the edges, unless the graph is given."""
    if setup.graph.structure == "fixed" or not setup.graph.states_edges:
        return
    matrices = (*setup.graph.constraints, setup.graph.precedence)
    device = prior.means.device
    prior.knowledge = EdgeKnowledge(*(torch.as_tensor(m, device=device) for m in matrices))
