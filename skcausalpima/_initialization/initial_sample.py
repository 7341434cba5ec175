"""The samples that clusters are found on: which they are, and in what units and from which side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd

from .._clustering.clusters import Clustering
from .._data.sample_weight import initial_rows
from .._data.samples import FitSamples, NodeKnowledge
from .._model.left_open import Side
from .._model.setup import Setup
from .._model.spec import ModelSpec
from .._model.tensors import TensorData
from .derived_views import ViewStart, fit_views
from .principal_components import PrincipalScores
from .sides import Sides, Trial, decided, try_side

#: The start sees so many samples at most, which it holds in memory several times over: no more than
#: have so many responsibilities, but not fewer than ``MIN_PER_CELL`` for each cell.
MAX_ROWS, MAX_RESPONSIBILITIES, MIN_PER_CELL = 20_000, 2**25, 4

#: Of data on disk no more than have so many elements, but not fewer than ``MIN_ROWS``.
MAX_ELEMENTS, MIN_ROWS = 2**24, 1000
#: Rounds of decomposing and filling in what is missing.
N_ROUNDS = 20


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
    data, knowledge, places = data.of_all(knowledge)
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


def tried(spec: ModelSpec, initial: InitialSample, seed: int) -> Trial:
    """Find clusterings of a sample, and how far they agree."""
    side = Side(weights=spec.modality_weights, views=spec.views)
    scores, known = cast(PrincipalScores, initial.scores), initial.knowledge.known_nodes
    return try_side(side, scores, spec.node_sizes, known, seed)


def _some_rows(
    setup: Setup, data: TensorData, rows: np.ndarray | None, seed: int
) -> np.ndarray | None:
    """Return some of the rows here at random, in rising order, where all would take much memory.

    ``rows`` are those that count at all, None for all. All ranks have as large a part.
    """
    n_here = data.n_samples if rows is None else len(rows)
    n_rows, n_cells = int(data.total_of(np.array(n_here))), math.prod(setup.spec.node_sizes)
    n_some = min(MAX_ROWS, max(MAX_RESPONSIBILITIES // n_cells, MIN_PER_CELL * n_cells))
    is_copied = data.is_streamed or data.is_distributed
    if is_copied:
        width = sum(array.shape[1] for array in data.arrays)
        n_some = min(n_some, max(MIN_ROWS, MAX_ELEMENTS // width))
    if n_some >= n_rows and not is_copied:
        return rows
    rows = np.arange(data.n_samples) if rows is None else rows
    n_some = min(n_some, n_rows) * n_here // n_rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_some, replace=False))


def filled_by_low_rank(data: TensorData, rank: int) -> TensorData:
    """Return data whose missing elements are those of a matrix of low rank.

    All modalities side by side, each centred and divided by the root of its width, are decomposed;
    what is missing is replaced by the leading components, and so on. What is observed stays.

    Parameters
    ----------
    data : TensorData
        The samples; missing elements hold zeros.
    rank : int
        Number of components.

    Returns
    -------
    TensorData
        The data themselves where no element is missing. Modalities that samples lack stay zeros.
    """
    if not data.elements:
        return data
    widths = [array.shape[1] for array in data.arrays]
    scale = np.repeat(np.sqrt(widths), widths)
    seen = np.concatenate([data.seen(m) for m in range(len(widths))], axis=1)
    observed = np.concatenate([array.cpu().numpy() for array in data.arrays], axis=1) / scale
    counts = np.maximum(seen.sum(axis=0), 1)
    found = np.broadcast_to((observed * seen).sum(axis=0) / counts, observed.shape)
    directions = None  # leading right singular vectors, by one step from those of the last round
    for _ in range(N_ROUNDS):
        whole = np.where(seen, observed, found)
        centre = whole.mean(axis=0)
        whole -= centre
        if directions is None:
            directions = randomized_svd(whole, min(rank, *whole.shape), random_state=0)[2].T
        else:
            directions = np.linalg.qr(whole.T @ (whole @ directions))[0]
        found = (whole @ directions) @ directions.T + centre
    blocks = np.split(found * scale, np.cumsum(widths)[:-1], axis=1)
    arrays = list(data.arrays)
    for m, mask in data.elements.items():
        values = torch.as_tensor(blocks[m]).to(arrays[m])
        in_part = mask.any(dim=1, keepdim=True)
        arrays[m] = torch.where(in_part & ~mask, values, arrays[m])
    return replace(data, samples=replace(data.samples, arrays=tuple(arrays)))
