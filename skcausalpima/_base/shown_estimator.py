"""An estimator that a notebook shows by what was found, before its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import estimator_html_repr

from .names import cut
from .naming_estimator import NamingEstimator
from .reports.shown_table import html_table, tag
from .types import Unchecked, Values

MOST_NODES, MOST_OUTCOMES, MOST_LETTERS = 12, 6, 30  # that are shown (arbitrary)
PLAIN = (np.ndarray, np.generic, bool, int, float, str, list)  # reports, tables and graphs are cut


class ShownEstimator(NamingEstimator):
    """An estimator with a ``report``, whose verdict and nodes come first in a notebook."""

    def _repr_html_inner(self) -> str:
        """Return the verdict and the nodes of a whole fit, and scikit-learn's box, folded."""
        box = str(estimator_html_repr(self))
        if not hasattr(self, "stability_"):  # not fitted, or the fit goes on
            return box
        if not hasattr(self, "_get_params_html"):  # scikit-learn below 1.7 does not fold them
            box = f"<details><summary>Parameters</summary>{box}</details>"
        return _found(self.report()) + box

    def _repr_mimebundle_(self, **kwargs: Unchecked) -> Values:
        """Return the same for notebooks that ask for all forms, unless they are to show text."""
        bundle = super()._repr_mimebundle_(**kwargs)
        html = {"text/html": self._repr_html_inner()} if "text/html" in bundle else {}
        return bundle | html

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        """Return the attributes that scikit-learn's box, from 1.9 on, has room for."""
        listed = super()._get_fitted_attr_html(doc_link)
        for name in [name for name, of in listed.items() if not isinstance(of["value"], PLAIN)]:
            del listed[name]
        return listed


def _found(report: Any) -> str:
    """Write the verdict of a report with its first advice, and its nodes."""
    nodes = zip(report.node_names, report.outcome_names, report.cells.T, strict=True)
    rows = []
    for node, outcomes, column in list(nodes)[:MOST_NODES]:
        shares = np.bincount(column, report.shares, len(outcomes)).tolist()
        pairs = list(zip(outcomes, shares, strict=True))[:MOST_OUTCOMES]
        words = [f"{cut(outcome, MOST_LETTERS)}: {100 * share:.0f} %" for outcome, share in pairs]
        more = [f"and {len(outcomes) - MOST_OUTCOMES} more"] * (len(outcomes) > MOST_OUTCOMES)
        rows.append((cut(node, MOST_LETTERS), ", ".join([*words, *more])))
    n_more = len(report.node_names) - MOST_NODES
    rows += [(f"and {n_more} more", "")] if n_more > 0 else []
    table = html_table(("node", "outcomes, and their shares of the samples"), rows)
    verdict = f"{tag('b', f'Verdict: {report.verdict}.')} {tag('span', report.advice[0])}"
    rest = tag("p", "All figures are in report().")
    style = "font-family: sans-serif; max-width: 48em"
    return f'<div style="{style}"><p>{verdict}</p>{table}{rest}</div>'
