"""What a report says, section by section: a function each, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Protocol, TypeAlias

import numpy as np

from ._calibration import CalibrationCurve
from ._report_layout import percent

#: Label and value of the lines of a section.
Lines: TypeAlias = Iterator[tuple[str, str]]

CLOSE = 1.5  # times the root of the number of columns: there the choice of scale turns

#: How training ended, in words.
ENDS = {
    "converged": "stopped by itself",
    "max_iter": "all of them",
    "interrupted": "interrupted",
    "too early": "all of them, too few",
    "fallen": "the bound has fallen",
}


class Figures(Protocol):
    """The figures of a fit that reports and advice are made of, see :class:`FitReport`."""

    @property
    def node_names(self) -> tuple[str, ...]: ...
    @property
    def n_samples(self) -> int: ...
    @property
    def shares(self) -> np.ndarray: ...
    @property
    def separation(self) -> SimpleNamespace: ...
    @property
    def merged(self) -> np.ndarray: ...
    @property
    def arrangement(self) -> SimpleNamespace | None: ...
    @property
    def stability(self) -> SimpleNamespace: ...
    @property
    def gaps(self) -> SimpleNamespace | None: ...
    @property
    def joined(self) -> np.ndarray: ...
    @property
    def n_iter(self) -> int: ...
    @property
    def convergence(self) -> SimpleNamespace: ...
    @property
    def edges(self) -> tuple[tuple[str, str, float, bool], ...]: ...
    @property
    def choices(self) -> SimpleNamespace: ...
    @property
    def calibration(self) -> Mapping[str, CalibrationCurve]: ...
    def _named(self, cells: np.ndarray) -> list[list[str]]:
        """Return the names of the outcomes of cells."""


def _data(report: Figures) -> Lines:
    found = report.choices
    for name, word in found.scale.items():
        yield f"scale of {name}", _scale_in_words(word, *found.columns[name])
    for k, side in enumerate(found.tried):
        words = f"{_weights_in_words(side.modality_weights)}, {_views_in_words(side.views)}"
        is_taken = (side.modality_weights, side.views) == (found.modality_weights, found.views)
        label = "first clusterings agree" if k == 0 else ""
        yield label, f"{side.agreement:.2f} if {words}{' (taken)' if is_taken else ''}"


def _scale_in_words(word: str | None, effective: float, n_varying: int) -> str:
    """Write what a modality is divided by."""
    if word is None:
        return "as it is"
    if word == "modality":
        return "one number"
    is_close = effective > np.sqrt(n_varying) / CLOSE
    shown = f"{effective:.1f} of {n_varying} columns hold the variance"
    return f"each column its own ({shown}{'; a close call' if is_close else ''})"


def _weights_in_words(weights: str | dict[str, float]) -> str:
    """Write the weights of modalities."""
    if isinstance(weights, str):
        return weights
    return ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())


def _views_in_words(views: dict[str, str | None]) -> str:
    """Write the derived views of modalities."""
    kinds = [f"{kind} of {name}" for name, kind in views.items() if kind is not None]
    return " and ".join(kinds) or "no views"


def _separation(report: Figures) -> Lines:
    found = report.separation
    yield "smallest separation of two cells", f"{found.smallest:.2f} (below 1 they have merged)"
    yield "cells that have merged", pairs_in_words(report, report.merged) or "none"
    if report.gaps is not None:
        density = _by_node(report, report.gaps.nodes)
        yield "density between cells", f"{density} (0.2 far apart, 1 no gap)"
        yield "cells without a gap between them", pairs_in_words(report, report.joined) or "none"
    yield "certainty of outcomes, by the fit", _by_node(report, found.certainty)
    for k, (seen, curve) in enumerate(report.calibration.items()):
        label = f"  {seen} alone" if k else "sure of cells of its own draws"
        yield label, f"{curve.confidence:.2f}, right in {curve.accuracy:.2f}"
    yield "cells without samples", f"{len(found.empty)} of {len(report.shares)}"


def are_placed(report: Figures) -> bool:
    """Say whether nodes mean anything, as far as is known: they may be placed by chance."""
    return report.arrangement is None or bool(report.arrangement.found)


def _arrangement(report: Figures) -> Lines:
    found = report.arrangement
    if found is None:
        if len(report.node_names) > 1:
            yield "placed by chance", "init is not 'arranged': any names would do"
        return
    if not are_placed(report):
        yield "placed by chance", ", ".join(report.node_names)
        return
    shares = zip(report.node_names, found.node_shares, strict=True)
    yield "variation that the nodes explain", ", ".join(f"{n} {percent(s)}" for n, s in shares)
    yield "left over (misfit)", percent(found.misfit)
    worse = f"fits {found.gap:.2f} times worse; {found.ties} fit equally"
    yield "next best arrangement", worse if np.isfinite(found.gap) else "none comes near"
    yield "nodes under near ties (Rand)", _by_node(report, found.node_agreement)
    yield "agreement of first clusterings", percent(found.agreement)


def _stability(report: Figures) -> Lines:
    found = report.stability
    n_fits = len(found.rand_indices)
    if n_fits > 1:
        yield f"agreement of the {n_fits} fits", f"{found.agreement:.2f} (1 in full, 0 by chance)"
        off = found.rand_indices[~np.eye(n_fits, dtype=bool)]
        yield "the two that differ most", f"{off.min():.2f}"
    elif found.agreement is None:
        why = "all samples lie in one cell" if report.shares.max() == 1 else "too many cells"
        yield "agreement with other starts", f"not known: {why}"
    if found.with_starts is not None:
        yield "agreement with other starts", f"{found.with_starts:.2f} (1 in full, 0 by chance)"
        yield "agreement among other starts", f"{found.among_starts:.2f}"
    if found.short_runs is not None:
        yield "agreement with short runs", f"{found.short_runs:.2f}"
    likely = "not known" if found.agreement is None else "likely (not asked: other samples)"
    yield "the same cells with another seed?", "doubtful" if found.unstable else likely


def _convergence_lines(report: Figures) -> Lines:
    found = report.convergence
    yield "epochs", f"{report.n_iter} ({ENDS[found.ended]})"
    yield "gradient steps", f"{found.n_steps}"
    if found.rise is not None:
        nats = f"rose by {found.rise * found.spread:.3g} nats per sample and epoch"
        yield "bound at last", f"{nats}, {percent(found.rise)} of its spread"
        yield "labels at last", f"{percent(found.label_changes)} changed per epoch"
    if found.moved is not None:
        yield "samples not in the cell they began in", percent(found.moved)


def _graph(report: Figures) -> Lines:
    if len(report.node_names) > 1:
        yield "edges", f"{len(report.edges)} between {len(report.node_names)} nodes"
    for parent, child, weight, compelled in report.edges:
        arrow = "->" if compelled else "--"  # the direction of others is a convention
        yield f"  {parent} {arrow} {child}", f"{weight:.2f}"


#: What is told, in this order. A line more is one ``yield`` more.
SECTIONS: dict[str, Callable[[Figures], Lines]] = {
    "Data": _data,
    "Separation": _separation,
    "Nodes": _arrangement,
    "Stability": _stability,
    "Training": _convergence_lines,
    "Graph": _graph,
}


def _cell_in_words(outcomes: list[str]) -> str:
    """Write a cell by its outcomes."""
    if all(map(str.isdigit, outcomes)):
        return " ".join(outcomes)
    return f"({', '.join(outcomes)})"


def _by_node(report: Figures, figures: np.ndarray) -> str:
    """Write a figure of each node."""
    pairs = zip(report.node_names, figures.tolist(), strict=True)
    return ", ".join(f"{name} {'-' if np.isnan(of) else f'{of:.2f}'}" for name, of in pairs)


def pairs_in_words(report: Figures, pairs: np.ndarray, most: int = 4) -> str:
    """Write pairs of cells, (n_pairs, 2, n_nodes), by their outcomes."""
    cells = [[_cell_in_words(cell) for cell in report._named(pair)] for pair in pairs[:most]]
    words = ", ".join(f"{first} and {second}" for first, second in cells)
    n_more = len(pairs) - most
    return f"{words}, and {n_more} more" if n_more > 0 else words
