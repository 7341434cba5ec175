"""Clusters laid on the grid once more, where training has changed what they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .._clustering.arrangement import Arrangement, arrange, means_of_labels, misfit_of_cells
from .._clustering.many_cells import has_many_cells, is_arranged
from .._clustering.matching import NEAR_TIE, TIE_TOLERANCE
from .._inference.posterior import sample_posterior
from .._initialization.initial_sample import InitialSample
from .._initialization.initialize import RunState, initialize_graph
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._training.filling import filled
from .._training.holding import StartingCells
from ..modules import MultimodalVAE

#: Where fewer samples than this share left the component they began in, clusters are the same.
CHANGED = 0.02


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
    if share_moved(gamma, start) < CHANGED:
        return state
    initial = of_start()
    known = initial.knowledge
    is_told = known.known_nodes is not None or known.interventions is not None
    if initial.scores is None or is_told:
        return state
    labels = gamma.argmax(dim=0).cpu().numpy()
    found = _better(initial.scores.placed, labels, setup.spec.node_sizes)
    if found is None:
        return state
    cells, prior = torch.as_tensor(found.cells, device=gamma.device), state.model.prior
    for values in (prior.means, prior.covariances, gamma):
        values[cells] = values.clone()
    initialize_graph(setup, initial, state.model, gamma)
    seen = state.candidates
    if seen is not None:  # a fit that is continued has told already
        arrangements = list(seen.arrangements)
        arrangements[seen.chosen] = found
        seen = replace(seen, arrangements=arrangements)
    return replace(state, candidates=seen, start=replace(start, cells=cells[start.cells]))


def present_cells(model: MultimodalVAE, start: StartingCells, core: TensorData) -> Tensor:
    """Return how probable each cell is now for the samples that clusters were found on.

    ``core`` are those that the model is learned from; (n_components, n_samples).
    """
    found = sample_posterior(model, filled(model, start.of(core)))
    return core.rows_of_all(found.cells).T


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
    found = arrange(means, counts, sizes, random_state=0)
    return found if present > NEAR_TIE * found.misfit + TIE_TOLERANCE else None
