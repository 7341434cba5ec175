"""The figures of a fit that are judged, as its attributes hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import networkx as nx
import numpy as np

from .._base.grid import NodeGrid
from .._base.names import cut
from .._base.reports.cells import (
    ArrangementReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.training import ChoicesReport, ConvergenceReport
from .._clustering.many_cells import has_many_cells
from .._clustering.margins import AGREEING, OTHERS_AGREE_MORE
from .._clustering.over_fitted import smallest_share
from .._clustering.placements import lie_where_effects_put_them
from .._held_out.difference import ERRORS
from .._structure.digraphs import node_graph

#: [samples] A cell with fewer may be a few unusual ones (arbitrary).
FEW_SAMPLES = 10

#: Letters of a name in a sentence (arbitrary).
NAME_LETTERS = 40


F = TypeVar("F", bound="Figures")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Figures:
    """What is judged of a fit, see :class:`~skcausalpima.inspection.FitReport`."""

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
    choices: ChoicesReport
    outcome_names: tuple[tuple[str, ...], ...] = ()
    doubts: tuple[str, ...] = ()
    objectives: np.ndarray = field(default_factory=lambda: np.zeros(1))
    holds_out: bool = False


def collected(kind: type[F], fitted: Mapping[str, Any], doubts: Sequence[str], /, **more: Any) -> F:
    """Collect figures from the attributes of a fit; ``more`` are the fields that others add.

    ``doubts`` say where offsets of contexts cannot be separated from other mixes.
    """
    dag: nx.DiGraph = node_graph(fitted["dag_"])
    sizes = fitted["joint_"].shape
    separation, gaps, outcomes = (
        fitted[f"{name}_"] for name in ("separation", "gaps", "cluster_states")
    )
    shares = separation.occupancy
    order = np.argsort(-shares, kind="stable")
    pairs = np.empty((0, 2), int) if gaps is None else gaps.pairs
    n_samples = len(fitted["labels_"]) - len(separation.without_values)
    is_filled = ~np.isin(np.arange(len(shares)), separation.empty)
    is_known = is_filled & ~hardly_filled(shares, is_filled, n_samples)
    means = fitted["cluster_means_"]
    expected = lie_where_effects_put_them(means, outcomes, is_known, is_filled)
    nodes = dag.nodes.values()
    names = [tuple(map(str, node.get("states") or range(node["size"]))) for node in nodes]
    kept = ("arrangement", "stability", "found_again", "convergence", "choices", "n_iter")
    return kind(
        node_names=tuple(map(str, dag)),
        node_sizes=tuple(sizes),
        n_samples=n_samples,
        cells=outcomes[order],
        shares=shares[order],
        as_expected=expected[order],
        separation=separation,
        merged=outcomes[separation.merged],
        gaps=gaps,
        joined=NodeGrid(tuple(sizes)).outcomes(pairs.ravel()).reshape(-1, 2, len(sizes)),
        outcome_names=tuple(names),
        doubts=tuple(doubts),
        objectives=fitted["history_"]["objective"],
        holds_out="held_out_bound" in fitted["history_"],
        **{name: fitted[f"{name}_"] for name in kept},
        **more,
    )


def are_placed(fit: Figures) -> bool:
    """Return whether nodes mean anything, as far as is known: they may be placed by chance."""
    return fit.arrangement is None or bool(fit.arrangement.found)


def is_found(fit: Figures) -> bool:
    """Return whether draws of the fit were found again: then starts say nothing against it."""
    return fit.found_again is not None and fit.found_again.found


def is_one_cell(fit: Figures) -> bool:
    """Return whether all samples lie in one of several cells."""
    return len(fit.shares) > 1 and len(fit.separation.empty) == len(fit.shares) - 1


def has_no_clusters(fit: Figures) -> bool:
    """Return whether cells explain what was held out no better than one Gaussian."""
    gain, error = fit.stability.gain, fit.stability.gain_error
    return gain is not None and error is not None and not gain > ERRORS * error


def are_in_doubt(fit: Figures) -> bool:
    """Return whether cells, or which node they are of, may be wrong."""
    return speak_against_cells(fit.found_again, fit.stability, fit.arrangement, fit.gaps)


def others_agree(fit: Figures) -> bool:
    """Return whether other starts agree with each other clearly more than with the fit."""
    stability = fit.stability
    if stability.with_starts is None or stability.among_starts is None or is_found(fit):
        return False
    return stability.among_starts - stability.with_starts >= OTHERS_AGREE_MORE


def is_asked(fit: Figures) -> bool:
    """Return whether it was looked at whether nodes are factors."""
    return fit.arrangement is not None and fit.arrangement.told is not None


def unseparated(fit: Figures) -> tuple[str, ...]:
    """Nodes that are not supported as factors: a single one claims nothing, and is none."""
    if len(fit.node_names) == 1:
        return ()
    are_factors = None if fit.arrangement is None else fit.arrangement.told
    if are_factors is None:
        return fit.node_names
    pairs = zip(fit.node_names, are_factors, strict=True)
    return tuple(name for name, is_factor in pairs if not is_factor)


def hold_few(fit: Figures) -> np.ndarray:
    """Which cells hold hardly any samples, and not where effects put them, (n_cells,).

    Of many cells most hold few, by chance.
    """
    if has_many_cells(fit.node_sizes):
        return np.zeros(len(fit.shares), dtype=bool)
    fullest_first = np.argsort(-fit.separation.occupancy, kind="stable")
    hold_samples = ~np.isin(fullest_first, fit.separation.empty)
    return hardly_filled(fit.shares, hold_samples, fit.n_samples) & ~fit.as_expected


def outcomes_of(fit: Figures, cells: np.ndarray) -> list[list[str]]:
    """Return the names of the outcomes of cells."""
    named = _named_outcomes(fit)
    return [[outcomes[k] for outcomes, k in zip(named, row, strict=True)] for row in cells.tolist()]


def _named_outcomes(fit: Figures) -> Sequence[tuple[str, ...]]:
    """Return the names of the outcomes of each node, numbers where they have none."""
    return fit.outcome_names or [tuple(map(str, range(size))) for size in fit.node_sizes]


def in_rows(fit: Figures) -> Iterator[str]:
    """Write the outcomes of nodes along the lines that they lie on."""
    arrangement = fit.arrangement
    if arrangement is None or arrangement.in_a_row is None or arrangement.order is None:
        return
    named = _named_outcomes(fit)
    for node in np.flatnonzero(arrangement.in_a_row).tolist():
        row = " - ".join(named[node][k] for k in arrangement.order[node])
        yield f"{short(fit.node_names[node])} {row}"


def by_node(fit: Figures, figures: Iterable[str]) -> str:
    """Write a figure of each node."""
    return ", ".join(
        f"{short(n)} {figure}" for n, figure in zip(fit.node_names, figures, strict=True)
    )


def pairs_of(fit: Figures, pairs: np.ndarray, most: int = 4) -> str:
    """Write pairs of cells, (n_pairs, 2, n_nodes), by their outcomes."""
    cells = [list(map(cell_in_words, outcomes_of(fit, pair))) for pair in pairs[:most]]
    words = ", ".join(f"{first} and {second}" for first, second in cells)
    n_more = len(pairs) - most
    return f"{words}, and {n_more} more" if n_more > 0 else words


def short(name: str) -> str:
    """Write a name in a sentence: of a long one both ends."""
    return cut(name, NAME_LETTERS)


def first_of(words: Sequence[str], most: int) -> str:
    """Write the first few words, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return f"{', '.join(words[:most])}{more}"


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f} %"


def cell_in_words(outcomes: Sequence[str]) -> str:
    """Write a cell by its outcomes."""
    words = list(map(short, outcomes))
    return " ".join(words) if all(map(str.isdigit, words)) else f"({', '.join(words)})"


def hardly_filled(shares: np.ndarray, hold_samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Return which of the cells that hold samples hold hardly any."""
    n_filled = int(hold_samples.sum())
    few = min(FEW_SAMPLES, n_samples / (4 * n_filled)) / n_samples
    return hold_samples & (shares < max(few, smallest_share(n_filled)))


def speak_against_cells(
    again: FoundAgainReport | None,
    stability: StabilityReport | None,
    arrangement: ArrangementReport | None,
    gaps: GapsReport | None,
) -> bool:
    """Return whether reports of a fit speak against its cells: then all that follows may be wrong.

    Samples are too few, cells depend on the seed, there is no gap between them, or nodes nearly tie
    or were placed by chance. Arguments are the attributes ``found_again_``, ``stability_``,
    ``arrangement_`` and ``gaps_``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import GapsReport
    >>> from skcausalpima._judge.figures import speak_against_cells
    >>> cut = GapsReport(nodes=np.ones(1), cut=np.ones(1, bool), pairs=np.array([[0, 1]]))
    >>> speak_against_cells(None, None, None, cut)
    True
    """
    return (
        (again is not None and again.are_few)
        or (stability is not None and stability.unstable)
        or (arrangement is not None and bool(arrangement.node_agreement.min() < AGREEING))
        or (gaps is not None and bool(gaps.cut.any() or len(gaps.pairs)))
    )
