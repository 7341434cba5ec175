"""What files and pickles of before hold, in the form of this version."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from types import SimpleNamespace
from typing import TypeVar

import numpy as np

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
from .._model.spec import ModelSpec, of_another_version

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

#: The last version in which words for convolutions meant the paper's, and what these are since.
PAPER_WORDS_UNTIL = 21
PAPER_WORDS = {"conv": "conv_paper", "cluster_conv": "cluster_conv_paper"}
#: Layers that convolutions of the paper alone have.
PAPER_LAYERS = r"convolutions\.[3-5]\."

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


def with_paper_words(given: Values) -> Values:
    """Return parameters, or a state, in whose time words for convolutions meant the paper's.

    Examples
    --------
    >>> from skcausalpima._state.older import with_paper_words
    >>> with_paper_words({"encoders": ["conv", None], "decoders": "cluster_conv"})
    {'encoders': ['conv_paper', None], 'decoders': 'cluster_conv_paper'}
    """
    named = [which for which in ("encoders", "decoders") if which in given]
    changes: Values = {which: _in_paper_words(given[which]) for which in named}
    if "spec" in given:
        changes["spec"] = ModelSpec(**with_paper_words(dict(vars(given["spec"]))))
    return given | changes


def _in_paper_words(stated: Unchecked) -> Unchecked:
    """Return words for networks, alone or one per modality, as what they meant."""
    if isinstance(stated, str):
        return PAPER_WORDS.get(stated, stated)
    if isinstance(stated, dict):
        return {name: _in_paper_words(entry) for name, entry in stated.items()}
    if isinstance(stated, list | tuple | np.ndarray):
        entries = map(_in_paper_words, stated)
        return tuple(entries) if isinstance(stated, tuple) else list(entries)
    return stated


def is_in_paper_words(fit: Values) -> bool:
    """Return whether a fit of a pickle, which has no version, has the paper's by today's words."""
    return any(
        isinstance(entry, str)
        and entry in PAPER_WORDS
        and any(re.match(rf"{which}\.{m}\..*{PAPER_LAYERS}", name) for name in fit["numbers"])
        for which in ("encoders", "decoders")
        for m, entry in enumerate(getattr(fit["spec"], which))
    )
