"""The figures of a fit in words: lines in sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from .._base.reports.contexts import ContextReport
from .._clustering.margins import FOUND_AGAIN, MOST_TIMES
from .._judge.figures import (
    Figures,
    are_in_doubt,
    are_placed,
    by_node,
    in_rows,
    is_asked,
    pairs_of,
    percent,
    unseparated,
)
from .._judge.missing import Lack
from .._structure.digraphs import ADJACENT, SURE_WEIGHT, number_at_edge
from ._calibration import CalibrationCurve
from ._differing_columns import Differs
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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReportFigures(Figures):
    """The figures of a fit that a report is made of, see :class:`FitReport`."""

    edges: tuple[tuple[str, str, float, bool], ...]
    adjacent: Mapping[tuple[str, str], float] = field(default_factory=dict)
    differs: Mapping[str, tuple[Differs, ...]] = field(default_factory=dict)
    calibration: Mapping[str, CalibrationCurve] = field(default_factory=dict)
    depths: tuple[str, ...] = ()
    contexts: Mapping[str, ContextReport] = field(default_factory=dict)
    goodness: GoodnessOfFit | None = None
    halves: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[Lack, ...] = ()
    missing: Mapping[str, float] = field(default_factory=dict)


def _decimals(figures: np.ndarray) -> list[str]:
    return ["-" if np.isnan(figure) else f"{figure:.2f}" for figure in figures]


def _data(fit: ReportFigures) -> Lines:
    choices = fit.choices
    for name, share in fit.missing.items():
        yield f"missing of {name}", f"{percent(share)} of the values"
    if fit.contexts:
        yield "contexts", ", ".join(fit.contexts)
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
        label = "starts tried (halves agree)"
        yield "" if k else label, f"{agreement} if {words}{mark}"
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


def _separation(fit: ReportFigures) -> Lines:
    separation = fit.separation
    yield (
        "smallest separation of two cells",
        f"{separation.smallest:.2f} (below 1 they have merged)",
    )
    if len(fit.merged):
        yield "cells that have merged", pairs_of(fit, fit.merged)
    if fit.gaps is not None:
        density = by_node(fit, _decimals(fit.gaps.nodes))
        yield "density between cells", f"{density} (0.2 far apart, 1 no gap)"
        if len(fit.joined):
            yield "cells without a gap between them", pairs_of(fit, fit.joined)
    yield "certainty of outcomes, by the fit", by_node(fit, _decimals(separation.certainty))
    holds = fit.goodness is None or fit.goodness.worst is None
    for k, (view, curve) in enumerate(fit.calibration.items() if holds else ()):
        label = f"  {view} alone" if k else "if the model holds: sure of cells"
        yield label, f"{curve.confidence:.2f}, right in {curve.accuracy:.2f} of its draws"
    yield "cells without samples", f"{len(separation.empty)} of {len(fit.shares)}"
    if len(separation.without_values):
        yield "rows without any value", f"{len(separation.without_values)}, not trained on"
    if len(separation.set_aside):
        yield "samples set aside in training", f"{len(separation.set_aside)} that no other is like"
    if len(separation.outlying):
        of_all = f"{len(separation.outlying)} of {fit.n_samples}"
        yield "samples far less probable than others", of_all


def _nodes(fit: ReportFigures) -> Lines:
    arrangement = fit.arrangement
    if arrangement is None:
        if len(fit.node_names) > 1:
            yield "placed by chance", "init is not 'arranged': any names would do"
    elif not are_placed(fit):
        yield "placed by chance", ", ".join(fit.node_names)
    else:
        yield (
            "variation that the nodes explain",
            by_node(fit, map(percent, arrangement.node_shares)),
        )
        yield "left over (misfit)", percent(arrangement.misfit)
        worse = f"fits {arrangement.gap:.2f} times worse; {arrangement.ties} fit equally"
        yield "next best arrangement", worse if np.isfinite(arrangement.gap) else "none comes near"
        yield "nodes under near ties (Rand)", by_node(fit, _decimals(arrangement.node_agreement))
        if not np.isnan(arrangement.agreement):  # of clusters that an estimator found, in init
            yield "labels that the starts share", percent(arrangement.agreement)
        if rows := "; ".join(in_rows(fit)):
            yield "outcomes in a row", rows
        if is_asked(fit):
            factors = [name for name in fit.node_names if name not in unseparated(fit)]
            yield "supported as factors", ", ".join(factors) or "none"
        if arrangement.p_value is not None and arrangement.node_p_values is not None:
            chance = by_node(fit, _decimals(arrangement.node_p_values))
            yield "chance of such sums of effects", f"{chance}, all {arrangement.p_value:.2f}"
        if is_asked(fit) and arrangement.context_p_values is not None:
            yield (
                "chance of such mixes in contexts",
                by_node(fit, _decimals(arrangement.context_p_values)),
            )


def _stability(fit: ReportFigures) -> Lines:
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
    if stability.gain is not None:
        gain = f"{stability.gain:.2f} +- {stability.gain_error:.2f} nats"
        yield "gain of cells on held-out samples", f"{gain} over one Gaussian"


def _training(fit: ReportFigures) -> Lines:
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


def _graph(fit: ReportFigures) -> Lines:
    if len(fit.node_names) > 1:
        doubt = " (of cells in doubt: see below)" if are_in_doubt(fit) else ""
        yield "edges", f"{len(fit.edges)} between {len(fit.node_names)} nodes{doubt}"
    yield from ((f"  {edge}", words) for edge, words in edges_in_words(fit))


def edges_in_words(fit: ReportFigures) -> Lines:
    """Yield each edge, and how sure it is."""
    for parent, child, weight, compelled in fit.edges:
        # the direction of others is a convention, or in doubt
        is_arrow = compelled and weight >= SURE_WEIGHT
        joined = fit.adjacent.get((parent, child))
        word, number = number_at_edge({"weight": weight, ADJACENT: joined}, is_arrow)
        apart = " (not separated)" if {parent, child} & set(unseparated(fit)) else ""
        yield f"{parent} {'->' if is_arrow else '--'} {child}", f"{word} {number:.2f}{apart}"


def _contexts(fit: ReportFigures) -> Lines:
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


def _goodness(fit: ReportFigures) -> Lines:
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
        said = fit.halves.get(name) or f"agree by {agreement:.2f} (adjusted Rand index)"
        yield f"halves on {name}", said


SECTIONS: dict[str, Callable[[ReportFigures], Lines]] = {
    "Data": _data,
    "Separation": _separation,
    "Arrangement": _nodes,
    "Stability": _stability,
    "Training": _training,
    "Graph": _graph,
    "Contexts": _contexts,
    "Goodness of fit": _goodness,
}


def sections(fit: ReportFigures) -> dict[str, list[tuple[str, str]]]:
    """Return the lines of each section that has some; a line more is one ``yield`` more."""
    by_name = {name: list(lines(fit)) for name, lines in SECTIONS.items()}
    return {name: lines for name, lines in by_name.items() if lines}
