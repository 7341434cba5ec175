"""Cells that the start of a fit finds in each fold, before any network is trained."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from .._arithmetic import working_in
from .._clustering.candidates import choose_candidate, find_candidates
from .._clustering.gaps import find_gaps
from .._clustering.many_cells import has_many_cells
from .._data.validation import read_modalities
from .._grid import NodeGrid, n_effects
from .._initialization.initialize import InitialSample, initial_sample
from .._initialization.low_rank import filled_by_low_rank
from .._initialization.principal_components import PrincipalScores
from .._model.objects import parameters_of
from .._model.scaled_samples import fit_data
from .._model.setup import set_up
from .._model.surroundings import precision_of, usual_surroundings
from .._typing import Samples
from .verdicts import Fold, as_fold

#: Clusterings in each fold, and samples between whose cells gaps are sought.
N_CLUSTERINGS, MAX_ROWS = 4, 1000


@working_in(usual_surroundings)
def start_folds(
    estimator: BaseEstimator, X: Samples, splits: list[tuple[np.ndarray, np.ndarray]]
) -> list[Fold] | None:
    """Return what the start of a fit finds in each training set, of all samples.

    All folds see the samples from the side that a fit to all of them would choose, and share their
    principal scores; clusters are found, and laid on the grid, in each of them.

    Parameters
    ----------
    estimator : CausalPIMA
        With the ``node_sizes`` of the candidate.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        All samples.
    splits : list of (ndarray, ndarray)
        Rows of training and held-out samples.

    Returns
    -------
    list of Fold or None
        None where a fit does not begin with clusters that are laid on a grid, or with many cells,
        which are not sought twice.
    """
    model = clone(estimator)
    model._validate_params()
    params = parameters_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fit to all samples tells
        setup, samples = set_up(params, read_modalities(model, X, reset=True))
        sizes = setup.spec.node_sizes
        is_arranged = setup.training.initialization.method == "arranged"
        if not is_arranged or has_many_cells(sizes):
            return None
        seed = check_random_state(params.random_state).randint(2**31 - 1)
        with precision_of(setup.device):
            rank = params.latent_dim or n_effects(sizes)
            data = filled_by_low_rank(fit_data(samples, setup), rank)
            initial = initial_sample(setup, samples, data, seed)[1]
        return [
            _start_fold(initial, setup.spec.node_names, sizes, training, seed)
            for training, _ in splits
        ]


def _start_fold(
    initial: InitialSample,
    names: tuple[str, ...],
    sizes: tuple[int, ...],
    training: np.ndarray,
    seed: int,
) -> Fold:
    """Find clusters in one training set, and lay them on the grid."""
    scores, rng = initial.scores, np.random.RandomState(seed)
    assert isinstance(scores, PrincipalScores)  # init is "arranged"
    n_samples, grid = len(scores.scaled), NodeGrid(sizes)
    seen = np.arange(n_samples) if initial.rows is None else initial.rows
    rows = np.flatnonzero(np.isin(seen, training))
    candidates = find_candidates(
        scores.scaled, sizes, random_state=rng, n_candidates=N_CLUSTERINGS, rows=rows
    )
    chosen, report = choose_candidate(candidates, scores.placed, sizes, random_state=rng)
    found = report.arrangements[report.chosen]
    probabilities = np.zeros((n_samples, grid.n_cells))
    probabilities[:, found.cells] = chosen.responsibilities
    cells, outcomes, gaps = found.cells[chosen.labels], grid.outcomes(), None
    looked_at = rng.permutation(rows)[:MAX_ROWS]
    if len(np.unique(cells[looked_at])) > 1:
        points = scores.scaled[looked_at, : 2 * n_effects(sizes)]
        gaps = find_gaps(points, cells[looked_at], outcomes)
    return as_fold(
        names=names,
        probabilities=probabilities,
        points=scores.scaled,
        states=outcomes,
        bounds=np.array([np.nan]),
        agreement=float(report.agreement[report.chosen]),
        arrangement=found if len(sizes) > 1 else None,
        gaps=gaps,
    )
