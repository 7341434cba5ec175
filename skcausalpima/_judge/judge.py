"""All that is found of a fit, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterable

from .alarms import Alarm, warn_of
from .figures import Figures
from .of_cells import of_cells
from .of_nodes import not_separated, of_nodes
from .of_training import of_data, of_training


def findings(fit: Figures, more: Iterable[Alarm] = ()) -> tuple[Alarm, ...]:
    """Return alarms, then notes; ``more`` are those that others have found."""
    found = [*of_cells(fit), *of_nodes(fit), *of_training(fit), *of_data(fit), *more]
    found += not_separated(fit, found)
    return tuple(sorted(found, key=lambda one: one.severity != "alarm"))


def warn_of_new(fit: Figures, before: Figures | None) -> None:
    """Raise a warning for each alarm, but for those on cells that were raised ``before``.

    A fit that goes on keeps what was found of its start; how its training ended is new.
    """
    known = () if before is None else findings(before)
    for one in findings(fit):
        if one.code == "interrupted" or (one.subject != "training" and one in known):
            continue  # who interrupts warns at once
        warn_of(one)
