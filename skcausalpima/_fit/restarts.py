"""Several runs from different seeds, one after another or in parallel; the best is kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from .._data.samples import NodeKnowledge
from .._initialization.derived_views import ViewStart
from .._initialization.initialize import InitialSample
from .._initialization.principal_components import PrincipalScores
from .._model.setup import Setup
from .._model.tensors import DataArrays, TensorData
from .._warnings import warn_caller
from ..exceptions import DivergenceError
from .orphans import ending_with
from .run import Run, run
from .stability import rand_indices


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all runs share; joblib maps each array object, made once, into the workers' memory.

    Parameters
    ----------
    setup : Setup
        What parameters and data determine.
    data, initial_data : DataArrays
        What is trained on, and what clusters are first found on.
    knowledge : NodeKnowledge
        What is known of the latter.
    scores : PrincipalScores or None
        Of the latter.
    rows : ndarray of int or None
        Which rows the latter are of those that the model is learned from; None for all.
    views : dict of int to ViewStart
        Of the latter.
    process : int
        The process that called ``fit``.
    default_dtype : torch.dtype
        What workers must take over from it.
    """

    setup: Setup
    data: DataArrays
    initial_data: DataArrays
    knowledge: NodeKnowledge
    scores: PrincipalScores | None
    rows: np.ndarray | None
    views: dict[int, ViewStart]
    process: int
    default_dtype: torch.dtype


def best_run(
    setup: Setup,
    data: TensorData,
    initial: InitialSample,
    seeds: Sequence[int],
    n_jobs: int | None = None,
) -> Run:
    """Run once per seed, through joblib; return the run with the best objective.

    Of several runs those that diverge are left out, with a warning.

    What is drawn depends on the seeds alone, not on who runs where. Workers map the data into
    their memory as copy-on-write: PyTorch has no read-only tensors, and none is written into.
    """
    if len(seeds) == 1:
        return run(setup, data, initial, seeds[0], "start 1")
    arrays = data.to_arrays()
    shared = Shared(
        setup=setup,
        data=arrays,
        initial_data=arrays if initial.data is data else initial.data.to_arrays(),
        knowledge=initial.knowledge,
        scores=initial.scores,
        rows=initial.rows,
        views=initial.views,
        process=os.getpid(),
        default_dtype=torch.get_default_dtype(),
    )
    calls = (
        delayed(_run_one)(shared, seed, f"start {number + 1}") for number, seed in enumerate(seeds)
    )
    runs = []
    done = Parallel(n_jobs=n_jobs, mmap_mode="c")(calls)
    for number, (outcome, caught) in enumerate(done):
        for warning in caught:
            warn_caller(warning)
        if isinstance(outcome, Run):
            runs.append(outcome)
            continue
        told = f"n_init: start {number + 1} of {len(seeds)} is left out. {outcome}"
        warn_caller(told, ConvergenceWarning)
    if not runs:
        raise DivergenceError(f"All {len(seeds)} starts (n_init) diverged. The last: {outcome}")
    best = max(runs, key=lambda found: found.objective)  # the first of equals
    labels = [found.seen.labels for found in runs if found.seen is not None]
    return replace(best, rand_indices=rand_indices(labels))


def _run_one(
    shared: Shared, seed: int, label: str
) -> tuple[Run | DivergenceError, list[Warning | str]]:
    """Run once; in a worker, catch the warnings, which would not reach the user from there.

    A run that diverges returns its error.
    """
    if os.getpid() == shared.process:
        return _run_or_error(shared, seed, label), []
    own_dtype = torch.get_default_dtype()
    try:
        torch.set_default_dtype(shared.default_dtype)  # that modules and initial values are made in
        with ending_with(shared.process), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = _run_or_error(shared, seed, label)
    finally:
        torch.set_default_dtype(own_dtype)
    return outcome, [warning.message for warning in caught]


def _run_or_error(shared: Shared, seed: int, label: str) -> Run | DivergenceError:
    """Run once; return the error of a run that diverges, without the memory that it refers to."""
    data, initial_data = shared.data.to_tensors(), shared.initial_data.to_tensors()
    initial = InitialSample(
        knowledge=shared.knowledge,
        data=initial_data,
        scores=shared.scores,
        rows=shared.rows,
        views=shared.views,
    )
    try:
        return run(shared.setup, data, initial, seed, label)
    except DivergenceError as error:
        return DivergenceError(str(error))
