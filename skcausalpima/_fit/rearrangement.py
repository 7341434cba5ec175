"""Clusters laid on the grid once more, where training has changed what they are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from .._clustering.arrangement import Arrangement, arrange, means_of_labels, misfit_of_cells
from .._clustering.rivals import NEAR_TIE, TIE_TOLERANCE
from .._inference.posterior import sample_posterior
from .._initialization.initialize import InitialSample, RunState, initialize_graph
from .._model.setup import Setup
from .._training.filling import filled

#: Where fewer samples than this share left the component they began in, clusters are the same.
CHANGED = 0.02


def rearranged(setup: Setup, initial: InitialSample, state: RunState) -> RunState:
    """Lay the trained clusters on the grid anew, if that fits clearly better than where they lie.

    Few samples may start in wrong clusters, which training mends; the places on the grid that were
    found for these are then wrong ones. Samples that agreed on their clusters from the start are
    held there, so nothing has changed. Nor may clusters change places where known nodes, stated
    edges or a network per cluster tie them to their cells.
    """
    scores, seen, start = initial.scores, state.candidates, state.start
    if scores is None or seen is None or start is None or not _is_free(setup, initial, state):
        return state
    gamma = sample_posterior(state.model, filled(state.model, initial.data)).cells.T
    labels = gamma.argmax(dim=0)
    if float((labels != start.cells).double().mean()) < CHANGED:
        return state
    found = _better(scores.placed, labels.cpu().numpy(), setup.spec.node_sizes)
    if found is None:
        return state
    cells, prior = torch.as_tensor(found.cells, device=gamma.device), state.model.prior
    for values in (prior.means, prior.covariances, gamma):
        values[cells] = values.clone()
    initialize_graph(setup, initial, state.model, gamma)
    arrangements = list(seen.arrangements)
    arrangements[seen.chosen] = found
    return replace(
        state,
        candidates=replace(seen, arrangements=arrangements),
        start=replace(start, cells=cells[start.cells]),
    )


def _is_free(setup: Setup, initial: InitialSample, state: RunState) -> bool:
    """Say whether clusters may change places."""
    knowledge, decoders = initial.knowledge, state.model.decoders
    ties = (
        setup.graph.structure != "refined"
        or setup.graph.states_edges
        or setup.resumable  # what is trained further is not what the graph was selected for
        or knowledge.known_nodes is not None
        or knowledge.interventions is not None
        or any(decoder.depends_on_cluster for decoder in decoders)
    )
    return not ties and state.start is not None and not bool(state.start.held.any())


def _better(scores: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...]) -> Arrangement | None:
    """Return an arrangement of cells that fits clearly better than the present one, if any does."""
    means, counts = means_of_labels(labels, scores, math.prod(sizes))
    present = misfit_of_cells(means, counts, sizes)
    found = arrange(means, counts, sizes, random_state=0)
    return found if present > NEAR_TIE * found.misfit + TIE_TOLERANCE else None
