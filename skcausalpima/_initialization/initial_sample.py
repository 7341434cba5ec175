"""The samples that clusters are found on: which they are, and what they look like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .._clustering.contest import Trial
from .._data.column_kinds import has_many_levels
from .._data.sample_weight import initial_rows
from .._data.samples import FitSamples, NodeKnowledge
from .._model.setup import Setup
from .._model.tensors import TensorData
from .components import in_components
from .derived_views import ViewStart, fit_views
from .principal_components import PrincipalScores
from .sides import Sides

#: The start sees so many samples at most, which it holds in memory several times over: no more than
#: have so many responsibilities, but not fewer than ``MIN_PER_CELL`` for each cell.
MAX_START_ROWS, MAX_RESPONSIBILITIES, MIN_PER_CELL = 20_000, 2**25, 4

#: Of data on disk, and of columns of many words, no more than have so many elements, but not fewer
#: than ``MIN_ROWS``.
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
        Their scores; None where ``init`` is "paper".
    views : dict of int to ViewStart
        Their derived views, by the number of the modality.
    rows : ndarray of int of shape (n_rows,), default=None
        Which rows here they are of those that the model is learned from; None for all.
    positions : ndarray of int of shape (n_rows,), default=None
        Which of the samples are those of this rank; None for all.
    trial : Trial, default=None
        Clusterings of the scores that were found already, of which one run may make use.
    """

    knowledge: NodeKnowledge
    data: TensorData
    scores: PrincipalScores | None
    views: dict[int, ViewStart]
    rows: np.ndarray | None = None
    positions: np.ndarray | None = None
    trial: Trial | None = None


def initial_sample(setup: Setup, samples: FitSamples, data: TensorData, seed: int) -> InitialSample:
    """Return samples of which each counts alike, since clustering knows no weights.

    They are seen from the side, and in the components, that the setup states. All ranks return the
    same ones. This decides where training begins; all that is trained then is weighted as it should
    be.
    """
    sides = sides_of(setup, samples, data, seed)
    spec = setup.spec
    scores = None
    if setup.training.initialization.method != "paper":
        scores = sides.scores(setup.side)
        scores = in_components(scores, setup.components, spec.node_sizes, seed)
    return sample_of(sides, spec.views, scores)


def sample_of(
    sides: Sides,
    views: tuple[str | None, ...],
    scores: PrincipalScores | None,
    trial: Trial | None = None,
) -> InitialSample:
    """Return the samples with these scores, and the derived views that they are seen by."""
    return InitialSample(
        knowledge=sides.knowledge,
        data=sides.data,
        scores=scores,
        views={m: view for m, view in sides.views.items() if views[m] is not None},
        rows=sides.rows,
        positions=sides.positions,
        trial=trial,
    )


def sides_of(setup: Setup, samples: FitSamples, data: TensorData, seed: int) -> Sides:
    """Return samples of which each counts alike, to be seen from any side."""
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
    data, knowledge, positions = data.of_all(knowledge)
    return Sides(
        setup=setup,
        knowledge=knowledge,
        data=data,
        views=fit_views(setup, data, seed),
        rows=rows,
        positions=positions,
        seed=seed,
    )


def _some_rows(
    setup: Setup, data: TensorData, rows: np.ndarray | None, seed: int
) -> np.ndarray | None:
    """Return some of the rows here at random, in rising order, where all would take much memory.

    ``rows`` are those that count at all, None for all. All ranks have as large a part.
    """
    n_here = data.n_samples if rows is None else len(rows)
    n_rows, n_cells = int(data.total_of(np.array(n_here))), math.prod(setup.spec.node_sizes)
    n_some = min(MAX_START_ROWS, max(MAX_RESPONSIBILITIES // n_cells, MIN_PER_CELL * n_cells))
    is_copied = data.is_streamed or data.is_distributed
    is_wide = any(
        has_many_levels(*column) for layout in setup.spec.layouts for column in layout or ()
    )
    if is_copied or is_wide:
        width = sum(array.shape[1] for array in data.arrays)
        n_some = min(n_some, max(MIN_ROWS, MAX_ELEMENTS // width))
    if n_some >= n_rows and not is_copied:
        return rows
    rows = np.arange(data.n_samples) if rows is None else rows
    n_some = min(n_some, n_rows) * n_here // n_rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_some, replace=False))
