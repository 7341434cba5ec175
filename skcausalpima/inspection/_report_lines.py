"""The figures of a fit in words: lines in sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from .._base.reports.cells import (
    ArrangementReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.contexts import ContextReport
from .._base.reports.training import ChoicesReport, ConvergenceReport
from .._clustering.margins import FOUND_AGAIN, MOST_TIMES, OTHERS_AGREE_MORE
from .._held_out.difference import ERRORS
from .._structure.digraphs import ADJACENT, SURE_WEIGHT, number_at_edge
from ._calibration import CalibrationCurve
from ._fitted_estimator import speak_against_cells
from ._goodness_report import GoodnessOfFit
from ._tried_starts import what_differs

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


@dataclass(frozen=True, kw_only=True, repr=False)
class Figures:
    """The figures of a fit that lines and advice are made of, see :class:`FitReport`."""

    node_names: tuple[str, ...]
    node_sizes: tuple[int, ...]
    n_samples: int
    cells: np.ndarray
    shares: np.ndarray
    as_expected: np.ndarray
    separation: SeparationReport
    merged: np.ndarray
    arrangement: ArrangementReport | None
    stability: StabilityReport
    found_again: FoundAgainReport | None
    gaps: GapsReport | None
    joined: np.ndarray
    n_iter: int
    convergence: ConvergenceReport
    edges: tuple[tuple[str, str, float, bool], ...]
    choices: ChoicesReport
    adjacent: Mapping[tuple[str, str], float] = field(default_factory=dict)
    outcome_names: tuple[tuple[str, ...], ...] = ()
    calibration: Mapping[str, CalibrationCurve] = field(default_factory=dict)
    depths: tuple[str, ...] = ()
    contexts: Mapping[str, ContextReport] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    goodness: GoodnessOfFit | None = None
    halves: tuple[str, ...] = ()

    @property
    def _are_placed(self) -> bool:
        """True if nodes mean anything, as far as is known: they may be placed by chance."""
        return self.arrangement is None or bool(self.arrangement.found)

    @property
    def _is_found(self) -> bool:
        """True if draws of the fit were found again: then starts have nothing to say against it."""
        return self.found_again is not None and self.found_again.found

    @property
    def _has_no_clusters(self) -> bool:
        """True if cells are not better than one Gaussian, by two errors, on groups held out."""
        gain, error = self.stability.gain, self.stability.gain_error
        return gain is not None and error is not None and not gain > ERRORS * error

    @property
    def _are_in_doubt(self) -> bool:
        """True if cells, or which node they are of, may be wrong."""
        return speak_against_cells(self.found_again, self.stability, self.arrangement, self.gaps)

    @property
    def _others_agree(self) -> bool:
        """True if other starts agree with each other clearly more than with the fit."""
        stability = self.stability
        if stability.with_starts is None or stability.among_starts is None or self._is_found:
            return False
        return stability.among_starts - stability.with_starts >= OTHERS_AGREE_MORE

    @property
    def _is_asked(self) -> bool:
        """True if it was asked whether nodes are factors."""
        return self.arrangement is not None and self.arrangement.told is not None

    @property
    def _untold(self) -> tuple[str, ...]:
        """Nodes that are not told to be factors: a single one claims nothing, and is none."""
        if len(self.node_names) == 1:
            return ()
        are_factors = None if self.arrangement is None else self.arrangement.told
        if are_factors is None:
            return self.node_names
        return tuple(
            n for n, is_told in zip(self.node_names, are_factors, strict=True) if not is_told
        )

    def _outcomes(self, cells: np.ndarray) -> list[list[str]]:
        """Return the names of the outcomes of cells."""
        named = self.outcome_names or [tuple(map(str, range(size))) for size in self.node_sizes]
        return [
            [outcomes[k] for outcomes, k in zip(named, row, strict=True)] for row in cells.tolist()
        ]

    def _rows(self) -> Iterator[str]:
        """Write the outcomes of nodes along the lines that they lie on."""
        arrangement = self.arrangement
        if arrangement is None or arrangement.in_a_row is None or arrangement.order is None:
            return
        named = self.outcome_names or [tuple(map(str, range(size))) for size in self.node_sizes]
        for node in np.flatnonzero(arrangement.in_a_row).tolist():
            row = " - ".join(named[node][k] for k in arrangement.order[node])
            yield f"{self.node_names[node]} {row}"

    def _by_node(self, figures: Iterable[str]) -> str:
        """Write a figure of each node."""
        return ", ".join(
            f"{n} {figure}" for n, figure in zip(self.node_names, figures, strict=True)
        )

    def _pairs(self, pairs: np.ndarray, most: int = 4) -> str:
        """Write pairs of cells, (n_pairs, 2, n_nodes), by their outcomes."""
        cells = [list(map(_cell, self._outcomes(pair))) for pair in pairs[:most]]
        words = ", ".join(f"{first} and {second}" for first, second in cells)
        n_more = len(pairs) - most
        return f"{words}, and {n_more} more" if n_more > 0 else words


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f} %"


def _cell(outcomes: Sequence[str]) -> str:
    """Write a cell by its outcomes."""
    return " ".join(outcomes) if all(map(str.isdigit, outcomes)) else f"({', '.join(outcomes)})"


def _decimals(figures: np.ndarray) -> list[str]:
    return ["-" if np.isnan(figure) else f"{figure:.2f}" for figure in figures]


def _data(fit: Figures) -> Lines:
    choices = fit.choices
    for name, word in choices.scale.items():
        yield f"scale of {name}", _scale(word, *choices.columns[name])
        if name in fit.depths:
            yield f"depth of {name}", "divided out: the sum of a row's counts tells no cell"
    for name in choices.predicted:
        yield f"noise of {name}", "predicted by its network: it is not the same everywhere"
    if choices.linear:
        yield "trained in short steps", f"{', '.join(choices.linear)} (linear, and noise)"
    for k, (start, words) in enumerate(
        zip(choices.tried, what_differs(choices.tried), strict=True)
    ):
        mark = " (taken)" if start.is_taken else ""
        agreement = f"{start.agreement:.2f}" + (
            "" if np.isnan(start.error) else f" +- {start.error:.2f}"
        )
        yield "" if k else "starts tried", f"{agreement} if {words}{mark}"
    if choices.repeats is not None:
        n_units, how = choices.repeats
        yield "rows look like repeats", f"of {n_units} units ({how}): pass groups="
    taken = [start.modality_weights for start in choices.tried if start.is_taken]
    if taken not in ([], [choices.modality_weights]):
        yield "weights in training", str(choices.modality_weights)


def _scale(word: str | None, effective: float, n_varying: int) -> str:
    """Write what a modality is divided by."""
    if word == "columns":
        return f"{n_varying} columns with likelihoods of their own"
    if word == "noise":
        return "each column its spread within clusters (one for all would merge these)"
    if word != "feature":
        return "as it is" if word is None else "one number"
    close = "; a close call" if effective > np.sqrt(n_varying) / CLOSE else ""
    return f"each column its own ({effective:.1f} of {n_varying} columns hold the variance{close})"


def _separation(fit: Figures) -> Lines:
    separation = fit.separation
    yield (
        "smallest separation of two cells",
        f"{separation.smallest:.2f} (below 1 they have merged)",
    )
    yield "cells that have merged", fit._pairs(fit.merged) or "none"
    if fit.gaps is not None:
        density = fit._by_node(_decimals(fit.gaps.nodes))
        yield "density between cells", f"{density} (0.2 far apart, 1 no gap)"
        yield "cells without a gap between them", fit._pairs(fit.joined) or "none"
    yield "certainty of outcomes, by the fit", fit._by_node(_decimals(separation.certainty))
    for k, (view, curve) in enumerate(fit.calibration.items()):
        label = f"  {view} alone" if k else "sure of cells of its own draws"
        yield label, f"{curve.confidence:.2f}, right in {curve.accuracy:.2f}"
    yield "cells without samples", f"{len(separation.empty)} of {len(fit.shares)}"
    if len(separation.without_values):
        yield "rows without any value", f"{len(separation.without_values)}, not trained on"
    if len(separation.set_aside):
        yield "samples set aside in training", f"{len(separation.set_aside)} that no other is like"
    if len(separation.outlying):
        of_all = f"{len(separation.outlying)} of {fit.n_samples}"
        yield "samples far less probable than others", of_all


def _nodes(fit: Figures) -> Lines:
    arrangement = fit.arrangement
    if arrangement is None:
        if len(fit.node_names) > 1:
            yield "placed by chance", "init is not 'arranged': any names would do"
    elif not fit._are_placed:
        yield "placed by chance", ", ".join(fit.node_names)
    else:
        yield (
            "variation that the nodes explain",
            fit._by_node(map(percent, arrangement.node_shares)),
        )
        yield "left over (misfit)", percent(arrangement.misfit)
        worse = f"fits {arrangement.gap:.2f} times worse; {arrangement.ties} fit equally"
        yield "next best arrangement", worse if np.isfinite(arrangement.gap) else "none comes near"
        yield "nodes under near ties (Rand)", fit._by_node(_decimals(arrangement.node_agreement))
        if not np.isnan(arrangement.agreement):  # of clusters that an estimator found, in init
            yield "labels that the starts share", percent(arrangement.agreement)
        if rows := "; ".join(fit._rows()):
            yield "outcomes in a row", rows
        if fit._is_asked:
            factors = [name for name in fit.node_names if name not in fit._untold]
            yield "told to be factors", ", ".join(factors) or "none"
        if arrangement.p_value is not None and arrangement.node_p_values is not None:
            chance = fit._by_node(_decimals(arrangement.node_p_values))
            yield "chance of such sums of effects", f"{chance}, all {arrangement.p_value:.2f}"
        if fit._is_asked and arrangement.context_p_values is not None:
            yield (
                "chance of such mixes in contexts",
                fit._by_node(_decimals(arrangement.context_p_values)),
            )


def _stability(fit: Figures) -> Lines:
    stability, scale = fit.stability, "(1 in full, 0 by chance)"
    n_fits = len(stability.rand_indices)
    if n_fits > 1:
        yield f"agreement of the {n_fits} fits", f"{stability.agreement:.2f} {scale}"
        others = stability.rand_indices[~np.eye(n_fits, dtype=bool)]
        yield "the two that differ most", f"{others.min():.2f}"
    elif stability.agreement is None:
        is_one = len(fit.separation.empty) == len(fit.shares) - 1
        why = "all samples lie in one cell" if is_one else "too many cells"
        yield "agreement with other starts", f"not known: {why}"
    if stability.with_starts is not None:
        yield "agreement with other starts", f"{stability.with_starts:.2f} {scale}"
        yield "other starts with each other", f"{stability.among_starts:.2f}"
    if stability.short_runs is not None:
        instead = " (of a run that differed, and was replaced)" if stability.replaced else ""
        yield "this fit and two short runs", f"{stability.short_runs:.2f}{instead}"
    again = fit.found_again
    if again is not None:
        n_found, n_draws = int((again.agreement >= FOUND_AGAIN).sum()), len(again.agreement)
        yield (
            "found again in draws of its own",
            f"{n_found} of {n_draws}, of {again.n_samples} each",
        )
        if not again.found:
            enough = f"about {again.enough_samples}"
            if again.enough_samples is None:
                enough = f"more than {MOST_TIMES * again.n_samples:.0f}"
            yield "samples that would do", enough
    though = ", though other starts agree on other cells" if fit._others_agree else ""
    likely = f"likely{though}{' (not asked: other samples)' if again is None else ''}"
    if stability.gain is not None:
        gain = f"{stability.gain:.2f} +- {stability.gain_error:.2f} nats"
        yield "gain of cells on groups held out", f"{gain} over one Gaussian"
    likely = "not known" if stability.agreement is None else likely
    yield "the same cells with another seed?", "doubtful" if stability.unstable else likely


def _training(fit: Figures) -> Lines:
    convergence = fit.convergence
    share = convergence.share_of_samples
    of_share = f", each of {percent(share)} of the samples" if share < 1.0 else ""
    yield "epochs", f"{fit.n_iter}{of_share} ({ENDS[convergence.ended]})"
    yield "gradient steps", f"{convergence.n_steps}"
    if convergence.rise is not None and convergence.spread is not None:
        moves, rise = "fell" if convergence.rise < 0 else "rose", abs(convergence.rise)
        nats = f"{moves} by {rise * convergence.spread:.3g} nats per sample and epoch"
        yield "bound at last", f"{nats}, {percent(rise)} of its spread"
    if convergence.label_changes is not None:
        yield "labels at last", f"{percent(convergence.label_changes)} changed per epoch"
    if convergence.moved is not None:
        yield "samples not in the cell they began in", percent(convergence.moved)


def _graph(fit: Figures) -> Lines:
    if len(fit.node_names) > 1:
        doubt = " (of cells in doubt: see below)" if fit._are_in_doubt else ""
        yield "edges", f"{len(fit.edges)} between {len(fit.node_names)} nodes{doubt}"
    for parent, child, weight, compelled in fit.edges:
        # the direction of others is a convention, or in doubt
        is_arrow = compelled and weight >= SURE_WEIGHT
        joined = fit.adjacent.get((parent, child))
        word, number = number_at_edge({"weight": weight, ADJACENT: joined}, is_arrow)
        not_told = " (not told)" if {parent, child} & set(fit._untold) else ""
        yield f"  {parent} {'->' if is_arrow else '--'} {child}", f"{word} {number:.2f}{not_told}"


def _contexts(fit: Figures) -> Lines:
    for name, context in fit.contexts.items():
        size = ", ".join(f"{modality} {move:.2f}" for modality, move in context.moves.items())
        yield f"{name} ({context.role})", f"moves {size or 'nothing'} (rms, in units of the spread)"
        for label, n_samples, shares in zip(
            context.labels, context.counts, context.shares, strict=True
        ):
            parts = []
            for node, share in zip(fit.node_names, shares, strict=True):
                ends = [_interval(one, n_samples) for one in share]
                parts.append(f"{node} {' '.join(ends)}")
            yield f"  {label} ({n_samples:.0f} samples)", "; ".join(parts)
        yield "  linked to", ", ".join(context.links) or "no node"
        yield (
            "  least overlap of cells",
            f"{context.overlap:.2f} (1 the same mix, 0 none in common)",
        )


def _interval(share: float, n_samples: float) -> str:
    """Write a share and the half width of its 95 % interval, of samples that are labelled right."""
    added = (n_samples * share + 2.0) / (n_samples + 4.0)  # Agresti and Coull (1998)
    return f"{share:.2f}+-{1.96 * np.sqrt(added * (1.0 - added) / (n_samples + 4.0)):.2f}"


def _goodness(fit: Figures) -> Lines:
    """Yield the worst line of the goodness of fit, and what halves say; the advice has its cure."""
    goodness = fit.goodness
    if goodness is None:
        return
    yield "all lines together", f"p = {goodness.p_value:.3f}"
    worst = goodness.worst
    if worst is None:
        yield "what stands out", "nothing that matters"
    else:
        yield worst.name, f"{worst.where}: {worst.unit} {worst.size:.2f}"
    for name, agreement in goodness.agreement.items():
        yield f"halves agree on {name}", f"{agreement:.2f} (adjusted Rand index)"
    yield from (("  beside halves of one heap", sentence) for sentence in fit.halves)


SECTIONS: dict[str, Callable[[Figures], Lines]] = {
    "Data": _data,
    "Separation": _separation,
    "Nodes": _nodes,
    "Stability": _stability,
    "Training": _training,
    "Graph": _graph,
    "Contexts": _contexts,
    "Goodness of fit": _goodness,
}


def sections(fit: Figures) -> dict[str, list[tuple[str, str]]]:
    """Return the lines of each section that has some; a line more is one ``yield`` more."""
    by_name = {name: list(lines(fit)) for name, lines in SECTIONS.items()}
    return {name: lines for name, lines in by_name.items() if lines}
