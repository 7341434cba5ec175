"""What a report finds besides the judgement of the fit: by draws, and by halves of the samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._clustering.margins import SURER_THAN_RIGHT
from .._judge.alarms import Alarm, are_alarmed
from .._judge.judge import findings
from .._judge.missing import of_missing
from ._calibration import CalibrationCurve
from ._goodness_report import HALVES
from ._report_lines import ReportFigures


def all_findings(fit: ReportFigures) -> tuple[Alarm, ...]:
    """Return alarms, then notes, of a fit and of its report."""
    is_alarmed = are_alarmed(findings(fit))
    more = [*_on_draws(fit, is_alarmed), *of_missing(fit.lacking), *_on_goodness(fit)]
    return findings(fit, more)


def _on_goodness(fit: ReportFigures) -> Iterator[Alarm]:
    """Yield what to change where the model does not hold."""
    if fit.goodness is not None and (worst := fit.goodness.worst):
        yield Alarm(
            code="model-does-not-hold",
            figure=fit.goodness.p_value,
            sentence=f"The model does not hold in all ({worst.name}, {worst.where}).",
            remedy=f"{worst.cure} {HALVES}",
        )


def _on_draws(fit: ReportFigures, is_alarmed: bool) -> Iterator[Alarm]:
    """Yield where the fit is surer of cells than it is right, in samples of its own draws."""
    curves = list(fit.calibration.items())
    for _, curve in filter(lambda one: _is_surer(one[1]), curves[:1]):
        yield Alarm(
            code="surer-than-right",
            figure=curve.confidence - curve.accuracy,
            sentence="The fit is surer of cells than it is right, in samples of its own draws: "
            f"probability {curve.confidence:.2f}, right {curve.accuracy:.2f}.",
            remedy="Do not take its probabilities at their word; compare fewer outcomes.",
        )
    surer = {name: curve for name, curve in curves[1:] if _is_surer(curve)}
    if surer and not is_alarmed:
        figures = [f"{n} {c.confidence:.2f}, right {c.accuracy:.2f}" for n, c in surer.items()]
        yield Alarm(
            code="alone-surer-than-right",
            sentence="Where a sample has one of these modalities alone, the fit is surer than it "
            f"is right, of its own draws: {'; '.join(figures)}.",
            remedy="Pass more modalities, or measure it (inspection.calibration_curves).",
        )


def _is_surer(curve: CalibrationCurve) -> bool:
    """Return whether a fit is clearly surer of its own draws than it is right."""
    confidence, right = curve.confidence, curve.accuracy
    error = np.sqrt(right * (1.0 - right) / max(curve.counts.sum(), 1.0))
    return bool(confidence - right > SURER_THAN_RIGHT + 2.0 * error)
