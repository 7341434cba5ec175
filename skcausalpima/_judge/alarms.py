"""What is found of a fit: alarms and notes, each a record with a code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sklearn.exceptions import ConvergenceWarning

from .._base.reports.report import Report
from .._base.warn import warn_caller
from ..exceptions import (
    ArrangementWarning,
    ContextWarning,
    InstabilityWarning,
    InterruptionWarning,
)


class Code(NamedTuple):
    """What a code stands for.

    Parameters
    ----------
    subject : str
        What may be wrong, or what is noted of: "cells", "nodes", "training", "contexts", "data".
    category : type or None
        The class of the warning that an alarm raises; None of a note, which raises none.
    """

    subject: str
    category: type[Warning] | None = None


#: All codes. An alarm says that cells or nodes may be wrong; a note does not.
CODES = {
    "no-clusters": Code("cells", InstabilityWarning),
    "one-cell": Code("cells", InstabilityWarning),
    "few-samples": Code("cells", InstabilityWarning),
    "other-seeds": Code("cells", InstabilityWarning),
    "other-starts": Code("cells", InstabilityWarning),
    "no-gap": Code("cells", InstabilityWarning),
    "cells-overlap": Code("cells", InstabilityWarning),
    "cells-merged": Code("cells", InstabilityWarning),
    "cell-hardly-filled": Code("cells", InstabilityWarning),
    "cells-moved": Code("cells", InstabilityWarning),
    "surer-than-right": Code("cells", InstabilityWarning),
    "nodes-by-chance": Code("nodes", ArrangementWarning),
    "labels-overlap": Code("nodes", ArrangementWarning),
    "nodes-tied": Code("nodes", ArrangementWarning),
    "nodes-moved": Code("nodes", ArrangementWarning),
    "one-value": Code("nodes", InstabilityWarning),
    "ended-early": Code("training", ConvergenceWarning),
    "bound-fell": Code("training", ConvergenceWarning),
    "interrupted": Code("training", InterruptionWarning),
    "contexts-confounded": Code("contexts", ContextWarning),
    "empty-cells": Code("cells"),
    "draws-missed": Code("cells"),
    "not-separated": Code("nodes"),
    "rows-set-aside": Code("data"),
    "rows-outlying": Code("data"),
    "rows-repeat": Code("data"),
    "counts": Code("data"),
    "zeros-and-ones": Code("data"),
    "values-missing": Code("data"),
    "missing-with-node": Code("data"),
    "alone-surer-than-right": Code("cells"),
    "model-does-not-hold": Code("model"),
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Alarm(Report):
    """Something that was found of a fit, and what to do about it.

    Parameters
    ----------
    code : str
        Its name, which stays the same: what filters of warnings go by.
    figure : float or None
        The number that decided, where one did.
    sentence : str
        What was found.
    remedy : str
        What to do.

    Attributes
    ----------
    severity : str
        ``"alarm"`` where cells or nodes may be wrong, else ``"note"``.
    subject : str
        What may be wrong: "cells", "nodes", "training", "contexts" or "data".

    Examples
    --------
    >>> from skcausalpima.inspection import Alarm
    >>> found = Alarm(code="empty-cells", sentence="2 of 8 cells are empty.", remedy="", figure=2.0)
    >>> found.severity, found.subject
    ('note', 'cells')
    """

    code: str
    severity: str = field(init=False)
    subject: str = field(init=False)
    figure: float | None = None
    sentence: str
    remedy: str

    def __post_init__(self) -> None:
        subject, category = CODES[self.code]
        object.__setattr__(self, "subject", subject)
        object.__setattr__(self, "severity", "note" if category is None else "alarm")


def are_alarmed(found: Iterable[Alarm]) -> bool:
    """Return whether there is an alarm among what was found."""
    return any(one.severity == "alarm" for one in found)


def as_text(found: Alarm) -> str:
    """Write an alarm as its warning does: it begins with the code, by which it can be silenced.

    Examples
    --------
    >>> from skcausalpima._judge.alarms import Alarm, as_text
    >>> as_text(Alarm(code="empty-cells", sentence="2 of 8 cells are empty.", remedy=""))
    '[empty-cells] 2 of 8 cells are empty.'
    """
    return f"[{found.code}] {found.sentence} {found.remedy}".rstrip()


def warn_of(found: Alarm) -> None:
    """Raise the warning of an alarm; a note raises none."""
    if (category := CODES[found.code].category) is not None:
        warn_caller(as_text(found), category)
