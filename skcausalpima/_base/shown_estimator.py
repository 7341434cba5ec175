"""An estimator that a notebook shows by what was found, before its parameters."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

from .names import cut
from .naming_estimator import NamingEstimator
from .reports.shown_table import html_table, tag
from .types import Unchecked, Values

MOST_OUTCOMES, MOST_LETTERS = 6, 30  # of a node, and of a name, that are shown (arbitrary)
ADVICE_LETTERS = 400  # of the first advice, which may list cells by their names (arbitrary)


class ShownEstimator(NamingEstimator):
    """An estimator with a ``report``, whose verdict and nodes come first in a notebook."""

    def _repr_html_inner(self) -> str:
        """Return the verdict and the nodes of a whole fit, and scikit-learn's box, folded."""
        box = str(estimator_html_repr(self))
        if not hasattr(self, "stability_"):  # not fitted, or the fit goes on
            return box
        if hasattr(BaseEstimator, "_get_params_html"):  # from scikit-learn 1.7 on they are folded
            box = re.sub(r"\n\s+", "\n", box)  # a fifth of it
        else:
            box = f"<details><summary>Parameters</summary>{box}</details>"
        return _found(self.report()) + box

    def _repr_mimebundle_(self, **kwargs: Unchecked) -> Values:
        """Return the same for notebooks that ask for all forms, unless they are to show text."""
        bundle = super()._repr_mimebundle_(**kwargs)
        html = {"text/html": self._repr_html_inner()} if "text/html" in bundle else {}
        return bundle | html

    def _get_params_html(self, deep: bool = True, *options: Unchecked, **named: Unchecked) -> Any:
        """Return the table of parameters: parts stand in their objects, those of words nowhere."""
        return super()._get_params_html(False, *options, **named)

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        """Return the attributes that scikit-learn's box, from 1.9 on, has room for."""
        listed = super()._get_fitted_attr_html(doc_link)
        for name in [name for name, of in listed.items() if not _is_short(of["value"])]:
            del listed[name]
        return listed


def _is_short(value: Unchecked) -> bool:
    """Return whether a box has room for it: not for reports, graphs, and tables of all cells."""
    if isinstance(value, np.ndarray):  # 6 numbers of each axis are written
        return value.ndim < (2 if value.dtype == object else 3)
    return isinstance(value, np.generic | bool | int | float | str | list)


def _found(report: Any) -> str:
    """Write the verdict of a report with its first advice, and its nodes."""
    nodes = zip(report.node_names, report.outcome_names, report.cells.T, strict=True)
    rows = []
    for node, outcomes, column in nodes:  # up to 12: a grid has up to 4096 cells
        shares = np.bincount(column, report.shares, len(outcomes)).tolist()
        pairs = list(zip(outcomes, shares, strict=True))[:MOST_OUTCOMES]
        words = [f"{cut(outcome, MOST_LETTERS)}: {100 * share:.0f} %" for outcome, share in pairs]
        more = [f"and {len(outcomes) - MOST_OUTCOMES} more"] * (len(outcomes) > MOST_OUTCOMES)
        rows.append((cut(node, MOST_LETTERS), ", ".join([*words, *more])))
    table = html_table(("node", "outcomes, and their shares of the samples"), rows)
    advice = textwrap.shorten(report.advice[0], ADVICE_LETTERS, placeholder=" …")
    verdict = f"{tag('b', f'Verdict: {report.verdict}.')} {tag('span', advice)}"
    rest = tag("p", "All figures are in report().")
    style = "font-family: sans-serif; max-width: 48em"
    return f'<div style="{style}"><p>{verdict}</p>{table}{rest}</div>'
