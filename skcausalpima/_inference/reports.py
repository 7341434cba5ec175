"""Reports on the arrangement of clusters, and on their separation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._base.reports.cells import (
    ArrangementReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.training import ChoicesReport, TriedStart
from .._clustering.arrangement_report import (
    arrangement_figures,
)
from .._clustering.candidates import CandidateReport
from .._clustering.clusters import fisher_ratios
from .._clustering.factors_or_kinds import Additivity
from .._clustering.many_cells import is_beyond_search
from .._clustering.margins import (
    LEAST_AGREEMENT,
    LEAST_OF_STARTS,
)
from .._data.units import count_columns
from .._data.validation import Modalities
from .._held_out.difference import PairedDifference
from .._model.left_open import Side
from .._model.setup import Setup


@dataclass(frozen=True, kw_only=True)
class StartAgreement:
    """What other starts say of the clusters of one run, in adjusted Rand indices.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        The cells of some samples, the same in all runs.
    with_fit : float or None
        Mean agreement of the run with what other starts end in; None where it has one cell only.
    among_starts : float or None
        Median agreement of these with each other.
    short_runs : float or None
        Median agreement of the run, or of the one that it replaced, and of short runs from other
        seeds; None where none was made.
    replaced : bool
        Whether the run took the place of one that differed from what short runs agree on.
    gaps : GapsReport or None
        Whether there are gaps between the cells, their numbers those of the grid; None where there
        is but one cell, or no principal scores to look at.
    additivity : Additivity or None
        How far chance explains that cells lie at sums of effects; None likewise.
    gain : PairedDifference or None
        What cells gain on samples held out; None where it was not looked at.
    """

    labels: np.ndarray
    with_fit: float | None = None
    among_starts: float | None = None
    short_runs: float | None = None
    replaced: bool = False
    gaps: GapsReport | None = None
    additivity: Additivity | None = None
    gain: PairedDifference | None = None


def choices_report(setup: Setup, modalities: Modalities) -> ChoicesReport:
    """Report what parameters left to the data, how it was decided, and which columns are counts."""
    names, scaler = setup.spec.modality_names, setup.scaler

    def weights(side: Side) -> str | dict[str, float]:
        if side.weights is None:
            return "balanced"
        if set(side.weights) == {1.0}:
            return "elements"
        return dict(zip(names, side.weights, strict=True))

    spec = setup.spec
    tried = [
        TriedStart(
            modality_weights=weights(trial.side),
            views=dict(zip(names, trial.side.views, strict=True)),
            scale=dict(zip(names, trial.scale, strict=True)),
            components=trial.components,
            agreement=trial.agreement,
            error=trial.error,
            is_taken=trial.is_taken,
        )
        for trial in setup.tried
    ]
    counts = {name: count_columns(modalities, m) for m, name in enumerate(names)}
    return ChoicesReport(
        scale=dict(zip(names, scaler.words, strict=True)),
        columns=dict(zip(names, scaler.effective, strict=True)),
        modality_weights=weights(Side(weights=spec.modality_weights, views=spec.views)),
        views=dict(zip(names, spec.views, strict=True)),
        linear=[names[m] for m in spec.linear_modalities],
        predicted=[
            name for name, predicts in zip(names, spec.predict_variances, strict=True) if predicts
        ],
        components=setup.components,
        tried=tried if len(tried) > 1 else [],
        counts={name: columns for name, columns in counts.items() if columns},
    )


def arrangement_report(
    setup: Setup, candidates: CandidateReport | None
) -> ArrangementReport | None:
    """Report how clusters were assigned to grid cells.

    Where the grid has too many cells for that, nodes are placed by chance, and no figure is known.
    """
    sizes = setup.spec.node_sizes
    if candidates is None:
        is_beyond = is_beyond_search(setup.training.initialization.method, sizes)
        return _of_chance(len(sizes)) if is_beyond else None
    return arrangement_figures(candidates)


def nodes_by_chance(setup: Setup, candidates: CandidateReport | None) -> bool:
    """Return whether nodes mean nothing: their cells were sought, or would be, and not found."""
    if candidates is not None:
        return not candidates.arrangements[candidates.chosen].found
    return is_beyond_search(setup.training.initialization.method, setup.spec.node_sizes)


def _of_chance(n_nodes: int) -> ArrangementReport:
    """Return the report of an arrangement that was not sought: any other one is as good."""
    return ArrangementReport(
        misfit=1.0,
        gap=1.0,
        ties=0,
        node_shares=np.zeros(n_nodes),
        node_agreement=np.zeros(n_nodes),
        agreement=0.0,
        smallest_share=0.0,
        found=False,
        certainty=None,
    )


def stability_report(
    starts: StartAgreement, rand_indices: np.ndarray | None, again: FoundAgainReport | None = None
) -> StabilityReport:
    """Report whether other seeds find the same cells.

    The agreement of other starts with each other is reported, but does not decide: training may
    leave a start that all agree on, and end elsewhere with each seed. Short runs from other seeds
    decide where they were made. ``rand_indices``, of shape (n_fits, n_fits), are those of the
    labels of several fits, if there are any, which then decide. Where draws of a single fit were
    found ``again``, other starts say nothing more (benchmarks/few_samples.py).
    """
    rand_indices = np.ones((1, 1)) if rand_indices is None else rand_indices
    n_fits = len(rand_indices)
    agreement, least = starts.with_fit, LEAST_OF_STARTS
    if starts.short_runs is not None:
        agreement = starts.short_runs
    if n_fits > 1:
        agreement = float(np.median(rand_indices[np.triu_indices(n_fits, 1)]))
        least = LEAST_AGREEMENT
    is_found = again is not None and again.found and n_fits == 1
    is_unstable = agreement is not None and agreement < least and not is_found
    return StabilityReport(
        agreement=agreement,
        unstable=is_unstable,
        with_starts=starts.with_fit,
        among_starts=starts.among_starts,
        short_runs=starts.short_runs,
        replaced=starts.replaced,
        rand_indices=rand_indices,
        gain=None if starts.gain is None else starts.gain.mean,
        gain_error=None if starts.gain is None else starts.gain.error,
    )


def separation_report(
    means: np.ndarray,
    covariances: np.ndarray,
    counts: np.ndarray,
    shares: np.ndarray,
    certainty: np.ndarray,
) -> SeparationReport:
    """Report how well the components are separated and filled.

    ``counts`` says of how many samples each of them is the likeliest, ``shares`` how probable it
    is, ``certainty`` how probable the likeliest outcome of each node is, in the mean over samples.
    Which rows are outlying is not known yet.

    Where the Fisher ratio of two components is below 1, their means are closer than their common
    standard deviation: they have merged.
    """
    filled = np.flatnonzero(counts)
    means, covariances = (values[filled].astype(np.float64) for values in (means, covariances))
    smallest, merged = np.inf, [np.empty((0, 2), dtype=np.intp)]
    for first, (others, ratios) in zip(filled, fisher_ratios(means, covariances), strict=False):
        smallest = ratios.min(initial=smallest)
        close = filled[others[ratios < 1.0]]
        merged.append(np.stack([np.full_like(close, first), close], axis=1))
    return SeparationReport(
        smallest=float(smallest),
        occupancy=shares / shares.sum(),
        empty=np.flatnonzero(counts == 0),
        merged=np.concatenate(merged),
        certainty=certainty,
    )
