"""One run of the algorithm: start, train, harden the graph."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._checkpoint import (
    Checkpoint,
    data_fingerprint,
    fixed_settings,
    resume_draws,
    resume_model,
    resume_progress,
    take_checkpoint,
)
from ._expert_fitting import expert_modules, start_cluster_experts, start_sample_experts
from ._graph_learning import (
    HardGraph,
    family_tables,
    name_nodes,
    node_counts,
    refit_tables,
    settle_graph,
)
from ._known_nodes import allowed_cells
from ._linear_start import PrincipalScores, start_linear
from ._mixture_start import iterate_mixture, place_empty, start_mixture
from ._model_state import (
    build_model,
    check_modules,
    export_state,
    load_state,
    seeded_modules,
)
from ._setup import Setup, architecture
from ._start_selection import StartReport, choose_start, find_starts
from ._stopping import Stopper
from ._training import (
    BlockUpdate,
    Progress,
    Report,
    data_pass,
    encode_all,
    pretrain,
    regime_counts,
    train,
    variance_floors,
)
from ._training_data import TrainingData
from .functional import DiagonalGaussian
from .modules import CausalPrior, EdgeKnowledge, MultimodalVAE

#: Larger grids start like ``init="linear"``: their arrangement would take longer than the fit.
MAX_ARRANGED = 128


class Run(NamedTuple):
    """What was learned, as NumPy arrays: it may come from another process."""

    state: dict[str, np.ndarray]  # of the model
    graph: HardGraph
    history: list[dict[str, float]]
    converged: bool
    objective: float  # the (weighted) bound per sample after the last step
    start: StartReport | None  # how clusters were put on the grid
    checkpoint: Checkpoint | None  # where training stood, for warm_start


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
    return data


def reporter(verbose: int, label: str, phase: str = "") -> Report:
    """Return what is called after every epoch of a phase."""

    def report(epoch: int, terms: dict[str, float]) -> None:
        if verbose:
            key = "lower_bound" if "lower_bound" in terms else "objective"
            print(
                f"[CausalPIMA] {label}, {phase}epoch {epoch + 1}: {key.replace('lower_', '')} "
                f"{float(terms[key]):.4f} nats (scaled data)",
                flush=True,  # a worker's output would wait for the end
            )

    return report


def run(
    params: Any,
    setup: Setup,
    data: TrainingData,
    scores: PrincipalScores | None,
    seed: int,
    label: str,
) -> Run:
    """Run the whole algorithm once: start, train, settle.

    ``params`` has the estimator's parameters as attributes; ``setup`` what they resolve to;
    ``scores`` may be None where ``params.init`` is "paper"; ``label`` is for what is printed.
    """
    with seeded_modules(setup.device, seed):
        started = _start(params, setup, data, scores, seed, label)
        return _train_and_settle(params, setup, data, started, label)


def resume(
    params: Any, setup: Setup, data: TrainingData, checkpoint: Checkpoint, label: str
) -> Run:
    """Train a run further from where it stood, then settle it again."""
    with seeded_modules(setup.device, 0):
        started = _resume(params, setup, data, checkpoint)
        return _train_and_settle(params, setup, data, started, label)


def built_model(params: Any, setup: Setup) -> MultimodalVAE:
    """Build the model as it is trained, laws in their places; its values are to be loaded."""
    model = build_model(**architecture(params, setup), generator=torch.Generator())
    interventions = setup.interventions
    if interventions is not None:
        none = torch.zeros(len(setup.regimes), len(model.prior.means), dtype=torch.float64)
        known = interventions.outcomes is not None
        model.prior.start_interventions(interventions.regimes, None if known else none)
    return model


def trained_model(params: Any, setup: Setup, state: dict[str, np.ndarray]) -> MultimodalVAE:
    """Return the model that a run has trained."""
    model = built_model(params, setup)
    load_state(model, state)
    return model.to(setup.device).eval()


def _start(
    params: Any,
    setup: Setup,
    data: TrainingData,
    scores: PrincipalScores | None,
    seed: int,
    label: str,
) -> Started:
    """Build the model, pre-train it, start the clusters, the laws and the graph."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    model = _initial_model(params, setup, data, scores, generator, rng)
    update = _block_update(params, setup, data)
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
    order = _held_out_first(data.n_samples, params.validation_fraction, rng)
    start, gamma = _start_clusters(params, setup, model, data, scores, update, rng)
    start_cluster_experts(model, setup, data, gamma, update.variance_floors, rng)
    progress = _new_progress(params, model)
    return Started(model, generator, rng, order, _settled(update, setup), progress, start)


def _resume(params: Any, setup: Setup, data: TrainingData, checkpoint: Checkpoint) -> Started:
    """Rebuild everything as it was after the last epoch.

    With other data, or another part of it held out, the split and early stopping start anew.
    """
    generator, rng = torch.Generator(), np.random.RandomState()
    model = built_model(params, setup)
    if setup.graph.structure == "fixed":
        model.prior.requires_grad_(False)
    resume_model(checkpoint, model)
    model.to(setup.device)
    _state_knowledge(setup, model.prior)
    progress = _new_progress(params, model)
    same = checkpoint.data == data_fingerprint(data, params.validation_fraction)
    resume_progress(checkpoint, model, progress, same)
    resume_draws(checkpoint, generator, rng, setup.device)
    order = checkpoint.order
    if not same:
        order = _held_out_first(data.n_samples, params.validation_fraction, rng)
    update = _settled(_block_update(params, setup, data), setup)
    return Started(model, generator, rng, order, update, progress)


def _train_and_settle(
    params: Any, setup: Setup, data: TrainingData, started: Started, label: str
) -> Run:
    """Train, keep where training stands if the fit may be continued, then settle the graph."""
    model, generator, rng, order, update, progress, start = started
    steps = {
        "batch_size": params.batch_size,
        "max_grad_norm": params.max_grad_norm,
        "generator": generator,
        "n_mixture_updates": params.n_mixture_updates,
        "n_graph_steps": params.n_graph_steps,
        "score_noise": params.score_noise,
        "edge_penalty": setup.graph.edge_penalty,
    }
    training, held_out = _parts(data, order, params.validation_fraction)
    report = reporter(params.verbose, label)
    options = {"update": update, "temperatures": setup.temperatures, "report": report}
    train(model, training, held_out, progress, **options, **steps)
    checkpoint = None
    if params.warm_start:
        fingerprint = data_fingerprint(data, params.validation_fraction)
        noted = (order, fingerprint, fixed_settings(params, setup))
        checkpoint = take_checkpoint(model, progress, generator, rng, *noted)
    progress.stopper.restore(model)
    end = data_pass(model, data, generator, setup.names)
    graph = settle_graph(model.prior, end.counts, setup.graph, rng)
    if setup.graph.structure == "refined":
        update = update._replace(adjacency=torch.from_numpy(graph.adjacency))
        _polish(params, model, training, update, steps, label)
        end = data_pass(model, data, generator, setup.names)
        graph = refit_tables(model.prior, end.counts, graph)
    end = data_pass(model, data, generator, setup.names)
    learned = (export_state(model), graph, progress.history, progress.stopper.converged)
    return Run(*learned, end.terms["objective"], start, checkpoint)


def _polish(
    params: Any,
    model: MultimodalVAE,
    data: TrainingData,
    update: BlockUpdate,
    steps: dict,
    label: str,
) -> None:
    """Train some epochs with the graph settled, its tables in closed form."""
    rates = (params.learning_rate, params.graph_learning_rate)
    train(
        model,
        data,
        None,
        Progress(model, *rates, Stopper(0.0, 1)),
        update=update,
        temperatures=np.ones(params.polishing_epochs),
        report=reporter(params.verbose, label, "polishing "),
        **steps,
    )


def _new_progress(params: Any, model: MultimodalVAE) -> Progress:
    """Return the optimizer and early stopping as they begin."""
    stopper = Stopper(params.tol, params.n_iter_no_change)
    return Progress(model, params.learning_rate, params.graph_learning_rate, stopper)


def _block_update(params: Any, setup: Setup, data: TrainingData) -> BlockUpdate:
    """Return the block-coordinate update; the graph is not settled."""
    floors = variance_floors(data) if params.decoder_variance == "learned" else None
    return BlockUpdate(
        setup.names, params.covariance_type, params.reg_covar, setup.shrinkage, floors
    )


def _settled(update: BlockUpdate, setup: Setup) -> BlockUpdate:
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
    if params.decoder_variance != "learned":
        model.log_variances.fill_(float(np.log(params.decoder_variance)))
    return model


def _held_out_first(
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


def _parts(
    data: TrainingData, order: np.ndarray | None, fraction: float
) -> tuple[TrainingData, TrainingData | None]:
    """Set some samples aside for early stopping."""
    if order is None:
        return data, None
    n_held_out = int(np.ceil(fraction * data.n_samples))
    rows = torch.as_tensor(order, device=data.device)
    return data.subset(rows[n_held_out:]), data.subset(rows[:n_held_out])


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
    if setup.graph.structure == "fixed":
        required = torch.as_tensor(setup.graph.constraints.required, device=data.device)
        prior.fix_graph(required, family_tables(prior, counts, required))
    _state_knowledge(setup, prior)


def _state_knowledge(setup: Setup, prior: CausalPrior) -> None:
    """Let training respect what is known about the edges, unless the graph is given."""
    if setup.graph.structure == "fixed" or not setup.graph.states_edges:
        return
    matrices = (*setup.graph.constraints, setup.graph.precedence)
    device = prior.means.device
    prior.knowledge = EdgeKnowledge(*(torch.as_tensor(m, device=device) for m in matrices))
