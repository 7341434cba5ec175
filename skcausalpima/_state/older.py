"""What files and pickles of before hold, in the form of this version."""

from __future__ import annotations

from dataclasses import MISSING, fields
from types import SimpleNamespace
from typing import TypeVar

from .._base.reports.cells import (
    ArrangementReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.contexts import AdaptedLabel
from .._base.reports.report import Report
from .._base.reports.training import ChoicesReport, ConvergenceReport, TriedStart
from .._base.types import Unchecked, Values
from .._model.spec import of_another_version

R = TypeVar("R", bound=Report)

#: What fitted states tell, by field. All were namespaces up to version 19.
REPORTS: dict[str, type[Report]] = {
    "separation": SeparationReport,
    "convergence": ConvergenceReport,
    "arrangement": ArrangementReport,
    "stability": StabilityReport,
    "found_again": FoundAgainReport,
    "gaps": GapsReport,
    "choices": ChoicesReport,
}
#: The same of fields that are lists of records.
LISTS: dict[str, type[Report]] = {"tried": TriedStart, "adapted": AdaptedLabel}

#: Fields of no record that files of version 15 lack, which have a default.
ADDED = frozenset({"by_decoders", "noiseless"})


def with_reports(given: Values) -> Values:
    """Return fields with records in the places of namespaces; what these lack was not asked then.

    Raises
    ------
    ValueError
        If a record has no such field, or one more that was always there.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from skcausalpima._state.older import with_reports
    >>> with_reports({"gaps": SimpleNamespace(nodes=None, cut=None, pairs=None)})
    {'gaps': GapsReport(
        nodes=None,
        cut=None,
        pairs=None,
    )}
    """
    records = {name: _as_record(REPORTS[name], given[name]) for name in REPORTS if name in given}
    lists = {
        name: [_as_record(kind, entry) for entry in given[name]]
        for name, kind in LISTS.items()
        if isinstance(given.get(name), list)
    }
    return given | records | lists


def _as_record(kind: type[R], value: Unchecked) -> Unchecked:
    """Return the record that a namespace is, and what is none as it is."""
    if not isinstance(value, SimpleNamespace):
        return value
    check_fields_of(kind, vars(value))
    return kind(**with_reports(vars(value)))


def check_fields_of(kind: type, given: Values) -> None:
    """Check that values have the fields of a dataclass; records may lack those with a default.

    Raises
    ------
    ValueError
        If there is another field, or one is missing.
    """
    known = {field.name: field for field in fields(kind)}
    defaults, optional = (MISSING, MISSING), set(ADDED)
    if issubclass(kind, Report):
        optional |= {n for n, f in known.items() if (f.default, f.default_factory) != defaults}
    if not set(known) - optional <= set(given) <= set(known):
        raise of_another_version(
            f"its {kind.__name__} has the fields {sorted(given)}, but this version's has "
            f"{sorted(known)}"
        )


def of_before(fit: Values) -> Values:
    """Return what a file of an older version holds, and that the rest was not asked then."""
    asked_since: Values = {"row_digests": None, "found_again": None}
    kept, numbers = asked_since | with_reports(fit), fit.get("subset_numbers")
    if isinstance(numbers, dict):  # without gains of nodes, which version 17 had
        gone = ("gains", "optimism")
        kept["subset_numbers"] = {n: array for n, array in numbers.items() if n not in gone}
    return kept
