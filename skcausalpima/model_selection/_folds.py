"""What is kept of each fold of a candidate: of a fit to it, and of the start of one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from .._base.budgets import FEW_ROWS
from .._base.grid import NodeGrid, n_effects
from .._base.reports.cells import ArrangementReport, GapsReport
from .._base.scikit_learn import safe_indexing
from .._base.types import Samples
from .._clustering.arrangement_report import arrangement_figures
from .._clustering.candidates import choose_candidate, propose_candidates
from .._clustering.clusters import describe
from .._clustering.factors_or_kinds import additivity
from .._clustering.gaps import find_gaps
from .._clustering.many_cells import has_many_cells
from .._data.validation import read_modalities
from .._held_out.fits import for_a_part
from .._held_out.held_out import Part
from .._initialization.begin import Start, begin
from .._initialization.low_rank import filled_data
from .._initialization.principal_components import PrincipalScores
from .._model.objects import parameters_of
from .._model.setup import set_up
from .._model.surroundings import in_usual_surroundings, precision_of
from .._structure.digraphs import node_graph

#: Clusterings in each fold (arbitrary).
N_CLUSTERINGS = 4


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What is kept of a candidate's fit to one training set."""

    names: tuple[str, ...]  # of the nodes
    cells: np.ndarray  # (n_samples, n_nodes): of all samples
    bounds: np.ndarray  # of the held-out samples
    overlap: float
    shared: float  # the largest part of a cell's probabilities that is another's
    pairs: dict[str, np.ndarray]  # (2, n_nodes): the cells that overlap and share so much
    separation: float
    smallest_share: float
    agreement: float
    gap: float
    node_agreements: np.ndarray  # (n_nodes,); NaN where nothing was arranged
    cut: np.ndarray  # (n_nodes,): whether there is no gap between a node's outcomes
    has_cut_pair: bool  # whether there is none between some two cells
    told: np.ndarray  # (n_nodes,): whether a node is told to be a factor, or is a single one

    @property
    def node_agreement(self) -> float:
        """That of the node that is least the same under near ties."""
        return float(self.node_agreements.min())


def fit_fold(estimator: BaseEstimator, X: Samples, part: Part) -> Fold:
    """Fit one candidate to one training set."""
    for_a_part(estimator).fit(safe_indexing(X, part.rows), **part.units.fit_params)
    return _as_fold(
        names=tuple(node_graph(estimator.dag_)),
        probabilities=estimator.predict_proba(X).astype(float),
        points=estimator.transform(X).astype(float),
        states=estimator.cluster_states_,
        bounds=estimator.score_samples(safe_indexing(X, part.held)).astype(float),
        arrangement=estimator.arrangement_,
        gaps=estimator.gaps_,
    )


def _as_fold(
    names: tuple[str, ...],
    probabilities: np.ndarray,
    points: np.ndarray,
    states: np.ndarray,
    bounds: np.ndarray,
    arrangement: ArrangementReport | None,
    gaps: GapsReport | None,
) -> Fold:
    """Describe the cells of all samples, which one training set led to."""
    n_found, n_nodes = states.shape
    description = describe(probabilities, points, "fit")
    counts = np.maximum(probabilities.sum(axis=0), 1e-12)
    parts = probabilities.T @ probabilities / counts[:, None]
    np.fill_diagonal(parts, 0.0)
    largest = {"shared": parts.argmax(), "overlap": (parts / counts).argmax()}
    unknown = np.full(n_nodes, np.nan)
    is_factor = None if arrangement is None else arrangement.told
    return Fold(
        names=names,
        cells=states[description.labels],
        bounds=bounds,
        overlap=description.overlap,
        shared=float(parts.max()),
        pairs={name: states[[*divmod(number, n_found)]] for name, number in largest.items()},
        separation=description.separation,
        smallest_share=float(description.occupancy.min()),
        agreement=np.nan if arrangement is None else arrangement.agreement,
        gap=np.nan if arrangement is None else arrangement.gap,
        node_agreements=unknown if arrangement is None else arrangement.node_agreement,
        cut=np.zeros(n_nodes, dtype=bool) if gaps is None else gaps.cut,
        has_cut_pair=gaps is not None and len(gaps.pairs) > 0,
        told=np.full(n_nodes, n_nodes == 1) if is_factor is None else is_factor,
    )


@in_usual_surroundings
def start_folds(
    estimator: BaseEstimator, X: Samples, splits: tuple[Part, ...]
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
    splits : tuple of Part
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
        given = read_modalities(model, X, reset=True)
        given.check_joined()
        setup, samples = set_up(params, given)
        sizes = setup.spec.node_sizes
        is_arranged = setup.training.initialization.method == "arranged"
        if not is_arranged or has_many_cells(sizes):
            return None
        seed = check_random_state(params.random_state).randint(2**31 - 1)
        with precision_of(setup.device):
            start = begin(setup, samples, filled_data(setup, samples), seed)
        return [_start_fold(start, part.rows, seed) for part in splits]


def _start_fold(start: Start, training: np.ndarray, seed: int) -> Fold:
    """Find clusters in one training set, and lay them on the grid."""
    spec, initial = start.setup.spec, start.initial
    scores, rng = initial.scores, np.random.RandomState(seed)
    assert isinstance(scores, PrincipalScores)  # init is "arranged"
    sizes, grid = spec.node_sizes, NodeGrid(spec.node_sizes)
    n_samples = len(scores.scaled)
    numbers = np.arange(n_samples) if initial.rows is None else initial.rows
    rows = np.flatnonzero(np.isin(numbers, training))
    candidates = propose_candidates(
        scores.scaled,
        sizes,
        random_state=rng,
        n_candidates=N_CLUSTERINGS,
        rows=rows,
        columns=scores.columns,
    ).all()
    chosen, report = choose_candidate(candidates, scores.placed, sizes, random_state=rng)
    placement = report.arrangements[report.chosen]
    probabilities = np.zeros((n_samples, grid.n_cells))
    probabilities[:, placement.cells] = chosen.responsibilities
    cells, outcomes, gaps = placement.cells[chosen.labels], grid.outcomes(), None
    looked_at, is_factor = rng.permutation(rows)[:FEW_ROWS], None
    if len(np.unique(cells[looked_at])) > 1:
        points = scores.scaled[looked_at, : 2 * n_effects(sizes)]
        gaps = find_gaps(points, cells[looked_at], outcomes)
        sums = additivity(scores.placed[looked_at], cells[looked_at], sizes)
        is_factor = None if sums is None else sums.told & (not gaps.cut.any())
    arrangement = replace(arrangement_figures(report), told=is_factor)
    return _as_fold(
        names=spec.node_names,
        probabilities=probabilities,
        points=scores.scaled,
        states=outcomes,
        bounds=np.array([np.nan]),
        arrangement=arrangement if len(sizes) > 1 else None,
        gaps=gaps,
    )
