"""Whether a fit is any good: its figures in a text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np
from sklearn.base import BaseEstimator

from .._clustering.rivals import AGREEING
from ._asked_estimator import check_estimator
from ._displays.asked import outcome_names
from ._report_layout import (
    STYLE,
    WIDTH,
    cells_as_html,
    cells_as_text,
    escaped,
    line_as_text,
    percent,
    wrapped,
)

#: Label and value of the lines of a section.
Lines: TypeAlias = Iterator[tuple[str, str]]

MOVED = 0.2  # by so much more other starts agree with each other than with the fit

#: How training ended, in words.
ENDS = {
    "converged": "stopped by itself",
    "max_iter": "all of them",
    "interrupted": "interrupted",
    "too early": "all of them, too few",
    "fallen": "the bound has fallen",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class FitReport:
    """The figures of a fit; printed, they are a text, and in a notebook a table.

    Returned by :meth:`CausalPIMA.report() <skcausalpima.CausalPIMA.report>`, which shows it.

    Parameters
    ----------
    node_names : tuple of str
        The nodes.
    node_sizes : tuple of int
        Their numbers of outcomes.
    n_samples : int
        Number of training samples.
    cells : ndarray of shape (n_cells, n_nodes)
        The outcomes of each cell, the fullest cell first.
    shares : ndarray of shape (n_cells,)
        Share of the training samples in each.
    separation : SimpleNamespace
        The estimator's ``separation_``.
    merged : ndarray of shape (n_pairs, 2, n_nodes)
        The outcomes of the cells that have merged, in pairs.
    arrangement : SimpleNamespace or None
        Its ``arrangement_``.
    stability : SimpleNamespace
        Its ``stability_``.
    n_iter : int
        Number of epochs.
    convergence : SimpleNamespace
        Its ``convergence_``.
    edges : tuple of (str, str, float, bool)
        Parent, child, weight, and whether the arrow is compelled.
    advice : tuple of str
        What to do next, the most urgent first.
    outcome_names : tuple of tuple of str
        Names of the outcomes of each node; numbers where they have none.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> report = model.report()
    >>> report.n_samples, report.cells.shape
    (60, (2, 1))
    """

    node_names: tuple[str, ...]
    node_sizes: tuple[int, ...]
    n_samples: int
    cells: np.ndarray
    shares: np.ndarray
    separation: SimpleNamespace
    merged: np.ndarray
    arrangement: SimpleNamespace | None
    stability: SimpleNamespace
    n_iter: int
    convergence: SimpleNamespace
    edges: tuple[tuple[str, str, float, bool], ...]
    advice: tuple[str, ...] = ()
    outcome_names: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, est: BaseEstimator) -> FitReport:
        """Collect the figures of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.

        Returns
        -------
        FitReport
            Its figures, and what they ask for.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.

        See Also
        --------
        skcausalpima.CausalPIMA.report : The same, as a method.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import FitReport
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> report = FitReport.of(model)
        >>> report.n_samples, report.shares, report.convergence.ended
        (40, array([0.5, 0.5]), 'max_iter')
        """
        check_estimator(est, "FitReport.of")
        order = np.argsort(-est.separation_.occupancy, kind="stable")
        edges = [(*e, of["weight"], of["compelled"]) for *e, of in est.dag_.edges(data=True)]
        found = cls(
            node_names=tuple(map(str, est.dag_)),
            node_sizes=tuple(est.joint_.shape),
            n_samples=len(est.labels_),
            cells=est.cluster_states_[order],
            shares=est.separation_.occupancy[order],
            separation=est.separation_,
            merged=est.cluster_states_[est.separation_.merged],
            arrangement=est.arrangement_,
            stability=est.stability_,
            n_iter=est.n_iter_,
            convergence=est.convergence_,
            edges=tuple(edges),
            outcome_names=tuple(map(tuple, outcome_names(est))),
        )
        advice = [sentence for rule in ADVICE if (sentence := rule(found)) is not None]
        return replace(found, advice=tuple(advice or [ALL_WELL]))

    def __str__(self) -> str:
        title = f"Fit of {self.n_samples} samples: {_nodes_in_words(self)}"
        parts = [
            textwrap.fill(title, WIDTH),
            "=" * min(WIDTH, len(title)),
            *cells_as_text(self.node_names, self._named(self.cells), self.shares),
        ]
        for name, lines in SECTIONS.items():
            found = list(lines(self))
            parts += ["", name] if found else []
            for label, value in found:
                parts += line_as_text(label, value)
        parts += ["", "What to do next"]
        for number, sentence in enumerate(self.advice, 1):
            parts.append(wrapped(f"{number}. {sentence}", "  ", "     "))
        return "\n".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _named(self, cells: np.ndarray) -> list[list[str]]:
        """Return the names of the outcomes of cells."""
        named = self.outcome_names or [tuple(map(str, range(size))) for size in self.node_sizes]
        return [[of[k] for of, k in zip(named, row, strict=True)] for row in cells.tolist()]

    def _repr_html_(self) -> str:
        """Return the report for a notebook; names are escaped."""
        parts = [STYLE, '<div class="skcausalpima-report">']
        parts.append(f"<h4>Fit of {self.n_samples} samples: {escaped(_nodes_in_words(self))}</h4>")
        parts.append(cells_as_html(self.node_names, self._named(self.cells), self.shares))
        for name, lines in SECTIONS.items():
            rows = "".join(
                f"<tr><th>{escaped(label)}</th><td>{escaped(value)}</td></tr>"
                for label, value in lines(self)
            )
            parts += [f"<b>{name}</b><table>{rows}</table>"] if rows else []
        items = "".join(f"<li>{escaped(sentence)}</li>" for sentence in self.advice)
        parts += [f'<b>What to do next</b><ol class="advice">{items}</ol>', "</div>"]
        return "".join(parts)


# --- sections: a function each, a line each ----------------------------------------------------


def _separation(report: FitReport) -> Lines:
    found = report.separation
    yield "smallest separation of two cells", f"{found.smallest:.2f} (below 1 they have merged)"
    yield "cells that have merged", _pairs_in_words(report) or "none"
    yield "cells without samples", f"{len(found.empty)} of {len(report.shares)}"


def _arrangement(report: FitReport) -> Lines:
    found = report.arrangement
    if found is None:
        return
    shares = zip(report.node_names, found.node_shares, strict=True)
    yield "variation that the nodes explain", ", ".join(f"{n} {percent(s)}" for n, s in shares)
    yield "left over (misfit)", percent(found.misfit)
    worse = f"fits {found.gap:.2f} times worse; {found.ties} fit equally"
    yield "next best arrangement", worse if np.isfinite(found.gap) else "none comes near"
    agreements = zip(report.node_names, found.node_agreement, strict=True)
    told = ", ".join(f"{name} {index:.2f}" for name, index in agreements)
    yield "nodes under near ties (Rand)", told
    yield "agreement of first clusterings", percent(found.agreement)


def _stability(report: FitReport) -> Lines:
    found = report.stability
    n_fits = len(found.rand_indices)
    if n_fits > 1:
        yield f"agreement of the {n_fits} fits", f"{found.agreement:.2f} (1 in full, 0 by chance)"
        off = found.rand_indices[~np.eye(n_fits, dtype=bool)]
        yield "the two that differ most", f"{off.min():.2f}"
    elif found.agreement is None:
        yield "agreement with other starts", "not known: all samples lie in one cell"
    if found.with_starts is not None:
        yield "agreement with other starts", f"{found.with_starts:.2f} (1 in full, 0 by chance)"
        yield "agreement among other starts", f"{found.among_starts:.2f}"
    if found.short_runs is not None:
        yield "agreement with short runs", f"{found.short_runs:.2f}"
    likely = "not known" if found.agreement is None else "likely"
    yield "the same cells with another seed?", "doubtful" if found.unstable else likely


def _convergence_lines(report: FitReport) -> Lines:
    found = report.convergence
    yield "epochs", f"{report.n_iter} ({ENDS[found.ended]})"
    yield "gradient steps", f"{found.n_steps}"
    if found.rise is not None:
        yield "bound at last", f"rose by {found.rise * found.spread:.3g} nats per sample and epoch"
        yield "labels at last", f"{percent(found.label_changes)} changed per epoch"
    if found.moved is not None:
        yield "samples not in the cell they began in", percent(found.moved)


def _graph(report: FitReport) -> Lines:
    if len(report.node_names) > 1:
        yield "edges", f"{len(report.edges)} between {len(report.node_names)} nodes"
    for parent, child, weight, compelled in report.edges:
        arrow = "->" if compelled else "--"  # the direction of others is a convention
        yield f"  {parent} {arrow} {child}", f"{weight:.2f}"


#: What is told, in this order. A line more is one ``yield`` more.
SECTIONS: dict[str, Callable[[FitReport], Lines]] = {
    "Separation": _separation,
    "Nodes": _arrangement,
    "Stability": _stability,
    "Training": _convergence_lines,
    "Graph": _graph,
}


# --- advice: a function each, the most urgent first --------------------------------------------

ALL_WELL = (
    "Nothing to worry about was found. skcausalpima.inspection has edge_confidence, which says how "
    "sure edges and nodes are, and table_intervals, which says how sure the tables are."
)


def _one_cell(report: FitReport) -> str | None:
    if report.shares.max() < 1 or len(report.shares) == 1:
        return None
    return (
        "All samples lie in one cell: no clusters were found. Try latent_dim=6, scale='feature' "
        "where columns have unlike units, or fewer outcomes."
    )


def _unstable(report: FitReport) -> str | None:
    if not report.stability.unstable:
        return None
    return (
        "Do not read a meaning into single cells yet: fits with another random_state may find "
        "other ones. Compare some, or set n_init=10; then try other node_sizes "
        "(skcausalpima.model_selection.select_node_sizes) and scale."
    )


def _moved(report: FitReport) -> str | None:
    found = report.stability
    if found.with_starts is None:
        return None
    if found.among_starts - found.with_starts < MOVED:
        return None
    return (
        "Training has moved samples out of the clusters that other starts agree on. Look whether "
        "the cells make sense; compare another latent_dim, or fewer epochs (max_iter)."
    )


def _merged(report: FitReport) -> str | None:
    if not len(report.merged):
        return None
    return (
        f"Do not tell these cells apart: {_pairs_in_words(report)}. Fewer outcomes may do, or a "
        "larger latent_dim."
    )


def _empty(report: FitReport) -> str | None:
    n_empty = len(report.separation.empty)
    if not n_empty or report.shares.max() == 1:
        return None
    return (
        f"{n_empty} of {len(report.shares)} cells hold no samples: the grid may be too large, "
        "or a combination does not occur. Compare smaller node_sizes."
    )


def _near_tie(report: FitReport) -> str | None:
    found = report.arrangement
    if found is None or found.node_agreement.min() >= AGREEING:
        return None
    return (
        "Which cluster is which cell is nearly a tie, so that nodes may be mixed up. Try another "
        "random_state or n_init=10, or name nodes by some known_nodes; other node_sizes last."
    )


def _ended_badly(report: FitReport) -> str | None:
    if report.convergence.ended == "too early":
        return "Training ended while the bound still rose or labels changed: raise max_iter."
    if report.convergence.ended == "fallen":
        return (
            "The bound was far better before training ended: use a smaller learning_rate, "
            "max_grad_norm, or fewer epochs (max_iter)."
        )
    return None


ADVICE: tuple[Callable[[FitReport], str | None], ...] = (
    _one_cell,
    _unstable,
    _moved,
    _near_tie,
    _merged,
    _empty,
    _ended_badly,
)


# --- words and marks ---------------------------------------------------------------------------


def _nodes_in_words(report: FitReport) -> str:
    """Write nodes and their numbers of outcomes."""
    nodes = zip(report.node_names, report.node_sizes, strict=True)
    return " x ".join(f"{name} ({size})" for name, size in nodes)


def _cell_in_words(outcomes: list[str]) -> str:
    """Write a cell by its outcomes."""
    if all(map(str.isdigit, outcomes)):
        return " ".join(outcomes)
    return f"({', '.join(outcomes)})"


def _pairs_in_words(report: FitReport, most: int = 4) -> str:
    """Write the merged cells by their outcomes."""
    cells = [[_cell_in_words(cell) for cell in report._named(p)] for p in report.merged[:most]]
    words = ", ".join(f"{first} and {second}" for first, second in cells)
    n_more = len(report.merged) - most
    return f"{words}, and {n_more} more" if n_more > 0 else words
