"""Reports that are made by hand: of a fit that is well, and of others."""

from dataclasses import replace

import numpy as np

from skcausalpima.inspection import (
    ArrangementReport,
    CalibrationCurve,
    ChoicesReport,
    ConvergenceReport,
    FitReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from skcausalpima.inspection._report_findings import all_findings

SEPARATION = SeparationReport(
    smallest=4.0,
    occupancy=np.array([0.4, 0.3, 0.2, 0.1]),
    merged=np.empty((0, 2), int),
    empty=np.array([], int),
    certainty=np.array([0.99, 0.98]),
    outlying=np.array([], int),
    set_aside=np.array([], int),
    trusts_all=True,
)
ARRANGEMENT = ArrangementReport(
    misfit=0.1,
    gap=2.0,
    ties=0,
    node_shares=np.array([0.6, 0.3]),
    node_agreement=np.array([1.0, 1.0]),
    agreement=0.97,
    smallest_share=0.1,
    found=True,
    certainty=None,
    p_value=0.01,
    node_p_values=np.array([0.02, 0.03]),
    context_p_values=None,
    told=np.array([True, True]),
)
WELL = FitReport(
    node_names=("shape", "size"),
    node_sizes=(2, 2),
    n_samples=100,
    cells=np.array([[0, 0], [0, 1], [1, 0], [1, 1]]),
    shares=np.array([0.4, 0.3, 0.2, 0.1]),
    as_expected=np.ones(4, bool),
    separation=SEPARATION,
    merged=np.empty((0, 2, 2), int),
    arrangement=ARRANGEMENT,
    stability=StabilityReport(
        agreement=0.95,
        unstable=False,
        with_starts=0.93,
        among_starts=0.95,
        short_runs=None,
        replaced=False,
        rand_indices=np.ones((1, 1)),
    ),
    found_again=None,
    gaps=GapsReport(
        nodes=np.array([0.1, 0.2]), cut=np.array([False, False]), pairs=np.empty((0, 2), int)
    ),
    joined=np.empty((0, 2, 2), int),
    n_iter=50,
    convergence=ConvergenceReport(
        ended="converged",
        n_steps=400,
        spread=2.0,
        rise=0.05,
        fall=0.0,
        label_changes=0.0,
        moved=0.0,
    ),
    edges=(("shape", "size", 0.9, False),),
    choices=ChoicesReport(
        scale={"image": "modality"},
        columns={"image": (9.0, 12)},
        modality_weights="balanced",
        views={"image": None},
        linear=[],
        predicted=[],
        tried=[],
        counts={},
    ),
)

CURVE = CalibrationCurve(
    prob_pred=np.array([0.5]), prob_true=np.array([1.0]), counts=np.array([500.0])
)


def changed(**figures):
    """Return the report of a fit with other figures."""
    spaces = {"separation", "arrangement", "stability", "gaps", "convergence", "choices"}
    names = set(figures) & spaces
    for name in names:
        figures[name] = replace(getattr(WELL, name), **figures[name])
    report = replace(WELL, **figures)
    return replace(report, alarms=all_findings(report))


def of_draws(*agreement, enough=None, sure=False):
    """Return what draws of a fit to 60 samples say."""
    found = np.array(agreement) >= 0.8
    return FoundAgainReport(
        found=bool(found.all()),
        sure=sure,
        agreement=np.array(agreement),
        n_samples=60,
        enough_samples=enough,
    )


def curve(said, right, n_samples=300):
    return CalibrationCurve(
        prob_pred=np.array([said]), prob_true=np.array([right]), counts=np.array([n_samples])
    )
