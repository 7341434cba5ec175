"""Clusters after training: laid on the grid once more, and how stable they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .._base.grid import n_effects
from .._base.reports.cells import GapsReport
from .._clustering.arrangement import Arrangement, arrange, means_of_labels, misfit_of_cells
from .._clustering.arrangement_report import gaps_and_sums, looked_at
from .._clustering.candidates import CandidateReport
from .._clustering.clusters import kmeans_labels
from .._clustering.factors_or_kinds import Additivity
from .._clustering.many_cells import has_many_cells, is_arranged
from .._clustering.margins import NEAR_TIE, SAME_AGREEMENT
from .._clustering.matching import TIE_TOLERANCE
from .._held_out.matching import rand_indices
from .._held_out.units import Units
from .._inference.posterior import cells_of_samples, sample_posterior
from .._inference.reports import StartAgreement
from .._initialization.initial_sample import InitialSample
from .._initialization.initialize import RunState, initialize_graph
from .._initialization.mixture import MixtureFit, iterate_mixture, one_hot
from .._judge.held_out_gain import gain_of_cells
from .._model.settings import MixtureSettings
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._training.filling import filled
from .._training.holding import StartingCells
from ..functional import DiagonalGaussian
from ..modules import MultimodalVAE

N_PLAIN = 8  # runs of k-means
N_BEST = 3  # of these, those with the best bounds count
MAX_ITER = 20  # steps of EM from each start; fewer where there are many cells
SMALLEST = -30.0  # logarithm of a variance that is none


def start_agreement(
    model: MultimodalVAE,
    initial: InitialSample,
    rivals: Sequence[np.ndarray],
    settings: MixtureSettings,
) -> StartAgreement:
    """Let other starts end in mixtures, and compare these with the clusters of the run.

    Two kinds of starts count alike. Those that came next when the run began (``rivals``) go on in
    its trained latent space: had the choice fallen on one of them, would it have ended here? Runs
    of k-means go on in the space of principal scores: is there another mixture of as many
    clusters that fits the data as well? The first asks the method, the second the data (less
    sharply where scores are in units of clusters, which show these first). Neither draws from the
    generators of the run.
    """
    n_samples, rows = initial.data.n_samples, looked_at(initial.data.n_samples)
    data = initial.data.subset(torch.as_tensor(rows, device=initial.data.device))
    posterior = sample_posterior(model, filled(model, data))
    cells = posterior.cells.argmax(dim=1).cpu().numpy()
    labels = np.unique(cells, return_inverse=True)[1]
    points = posterior.means.cpu().double().numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        scale = points.std(axis=0)
    if labels.max() == 0 or not np.isfinite(scale).all():  # the fit itself tells of the latter
        return StartAgreement(labels=cells)
    shrinkage = settings.shrinkage * len(rows) / n_samples
    settings = replace(settings, shrinkage=shrinkage, reg_covar=max(settings.reg_covar, 1e-6))
    trained = points / np.where(scale > 0, scale, 1.0)
    kinds = [_ends(trained, [rival[rows] for rival in rivals], settings)]
    if initial.scores is not None:
        spaces, rng = (points, initial.scores.scaled[rows]), np.random.RandomState(0)
        n_clusters, n_dims = int(labels.max()) + 1, n_effects(model.prior.node_sizes)
        starts = [
            kmeans_labels(spaces[k % len(spaces)], n_clusters, rng.randint(2**31 - 1))
            for k in range(N_PLAIN)
        ]
        plain = _ends(initial.scores.whitened[rows, :n_dims], starts, settings)
        kinds.append(sorted(plain, key=lambda end: -end.bound)[:N_BEST])
    ends = [[end.responsibilities.argmax(dim=0).numpy() for end in kind] for kind in kinds if kind]
    gaps, sums = _gaps_and_sums(model, initial, cells)
    gain = None
    if initial.scores is not None:
        sought_in = initial.scores.whitened[rows, : model.prior.means.shape[1]]
        gain = gain_of_cells(sought_in, cells, Units.of(data.samples.groups, len(cells)))
    return replace(_compare(cells, ends), gaps=gaps, additivity=sums, gain=gain)


def agreement_of_many_cells(
    model: MultimodalVAE, initial: InitialSample, candidates: CandidateReport | None
) -> StartAgreement:
    """Return how far the starts of the search for nodes agree, which takes the place of others.

    So many clusters cannot be found in the samples that are looked at. Without a search nothing is
    known.
    """
    agreement = None if candidates is None else float(candidates.agreement[candidates.chosen])
    cells = present_labels(model, initial)
    gaps, sums = _gaps_and_sums(model, initial, cells)
    return StartAgreement(
        labels=cells, with_fit=agreement, among_starts=agreement, gaps=gaps, additivity=sums
    )


def present_labels(model: MultimodalVAE, initial: InitialSample) -> np.ndarray:
    """Return the cells of the samples that are looked at, as a model sees them."""
    return _cells(model, initial, looked_at(initial.data.n_samples))


def _cells(model: MultimodalVAE, initial: InitialSample, rows: np.ndarray) -> np.ndarray:
    """Return the cells of some samples, as a model sees them."""
    data = initial.data.subset(torch.as_tensor(rows, device=initial.data.device))
    return cells_of_samples(model, filled(model, data)).argmax(dim=1).cpu().numpy()


def _gaps_and_sums(
    model: MultimodalVAE, initial: InitialSample, cells: np.ndarray
) -> tuple[GapsReport | None, Additivity | None]:
    """Return the gaps between cells, and whether these lie at sums of effects.

    ``cells`` are those of the samples that are looked at first.
    """
    scores = initial.scores
    if scores is None:
        return None, None

    def cells_of(rows: np.ndarray) -> np.ndarray:
        return cells if len(rows) == len(cells) else _cells(model, initial, rows)

    groups = initial.data.samples.groups
    return gaps_and_sums(scores.scaled, scores.placed, model.prior.node_sizes, cells_of, groups)


def _compare(cells: np.ndarray, ends: Sequence[Sequence[np.ndarray]]) -> StartAgreement:
    """Compare the cells of a run with the ends of some kinds of starts."""
    n_ends = [len(kind) for kind in ends]
    if sum(n_ends) < 2:
        return StartAgreement(labels=cells)
    with_cells, *indices = rand_indices([cells, *(end for kind in ends for end in kind)])
    of_kinds = np.split(with_cells[1:], np.cumsum(n_ends)[:-1])
    among = np.array(indices)[:, 1:][np.triu_indices(sum(n_ends), 1)]
    return StartAgreement(
        labels=cells,
        with_fit=float(np.mean([kind.mean() for kind in of_kinds])),
        among_starts=float(np.median(among)),
    )


def _ends(
    points: np.ndarray, starts: Sequence[np.ndarray], settings: MixtureSettings
) -> list[MixtureFit]:
    """Return where clusterings of points lead; those that differ in names alone lead to one end."""
    exact, fits, ends = torch.as_tensor(points, dtype=torch.float64), dict[bytes, MixtureFit](), []
    posterior = DiagonalGaussian(exact, torch.full_like(exact, SMALLEST))
    for labels in starts:
        _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
        clusters = first[numbers].tobytes()  # every cluster has the name of its first sample
        if clusters not in fits:
            n_clusters = int(labels.max()) + 1
            n_steps = max(3, min(MAX_ITER, MAX_ITER * 64 // n_clusters))
            gamma = one_hot(labels, n_clusters)
            fits[clusters] = iterate_mixture(posterior, gamma, settings, max_iter=n_steps)
        ends.append(fits[clusters])
    return ends


def rearranged(
    setup: Setup, core: TensorData, of_start: Callable[[], InitialSample], state: RunState
) -> RunState:
    """Lay the trained clusters on the grid anew, if that fits clearly better than where they lie.

    Few samples may start in wrong clusters, which training mends; the places on the grid that were
    found for these are then wrong ones. Samples that agreed on their clusters from the start are
    held there, so nothing has changed. Nor may clusters change places where known nodes, stated
    edges or a network per cluster tie them to their cells. ``of_start`` returns those of the core
    that clusters were found on; it is asked only where they have changed. What a fit that is
    continued goes on from stays as it was trained.
    """
    start = state.start
    if start is None or not _is_free(setup, start, state.model):
        return state
    gamma = present_cells(state.model, start, core)
    if share_moved(gamma, start) < SAME_AGREEMENT:
        return state
    initial = of_start()
    knowledge = initial.knowledge
    is_told = knowledge.known_nodes is not None or knowledge.interventions is not None
    if initial.scores is None or is_told:
        return state
    labels = gamma.argmax(dim=0).cpu().numpy()
    arrangement = _better(initial.scores.placed, labels, setup.spec.node_sizes)
    if arrangement is None:
        return state
    cells, prior = torch.as_tensor(arrangement.cells, device=gamma.device), state.model.prior
    for values in (prior.means, prior.covariances, gamma):
        values[cells] = values.clone()
    initialize_graph(setup, initial, state.model, gamma)
    report = state.candidates
    if report is not None:  # a fit that is continued has told already
        arrangements = list(report.arrangements)
        arrangements[report.chosen] = arrangement
        report = replace(report, arrangements=arrangements)
    return replace(state, candidates=report, start=replace(start, cells=cells[start.cells]))


def present_cells(model: MultimodalVAE, start: StartingCells, core: TensorData) -> Tensor:
    """Return how probable each cell is now for the samples that clusters were found on.

    ``core`` are those that the model is learned from; (n_components, n_samples).
    """
    return core.rows_of_all(cells_of_samples(model, filled(model, start.of(core)))).T


def share_moved(probabilities: Tensor, start: StartingCells) -> float:
    """Return the share of the samples that are not where they were when training began."""
    return float((probabilities.argmax(dim=0) != start.cells).double().mean())


def _is_free(setup: Setup, start: StartingCells, model: MultimodalVAE) -> bool:
    """Return whether clusters were laid on a grid, and nothing else ties them to their cells."""
    sizes = setup.spec.node_sizes
    return (
        is_arranged(setup.training.initialization.method, sizes)
        and not has_many_cells(sizes)
        and setup.graph.structure == "refined"
        and not setup.graph.states_edges
        and not any(decoder.depends_on_cluster for decoder in model.decoders)
        and not bool(start.held.any())
    )


def _better(scores: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...]) -> Arrangement | None:
    """Return an arrangement of cells that fits clearly better than the present one, if any does."""
    means, counts = means_of_labels(labels, scores, math.prod(sizes))
    present = misfit_of_cells(means, counts, sizes)
    arrangement = arrange(means, counts, sizes, random_state=0)
    return arrangement if present > NEAR_TIE * arrangement.misfit + TIE_TOLERANCE else None
