"""Clusters on a grid: the figures, gaps, and which nodes are factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .._base.budgets import FEW_ROWS
from .._base.grid import NodeGrid, n_effects
from .._base.reports.cells import ArrangementReport, GapsReport
from .candidates import CandidateReport
from .factors_or_kinds import Additivity, additivity
from .gaps import find_gaps
from .margins import AGREEING, CERTAIN, MAX_SEARCHED, SMALL_P

#: [samples] For gaps between many cells more are: so many of each cell, or no fewer, and no more in
#: all (arbitrary).
ROWS_PER_CELL, LEAST_ROWS, MOST_ROWS = 12, 6, 3000


def arrangement_figures(report: CandidateReport) -> ArrangementReport:
    """Return the figures of the arrangement that was chosen; nobody has asked about factors yet."""
    chosen = report.arrangements[report.chosen]
    return ArrangementReport(
        misfit=chosen.misfit,
        gap=chosen.gap,
        ties=chosen.ties,
        node_shares=chosen.node_shares,
        node_agreement=chosen.node_agreement,
        agreement=float(report.agreement[report.chosen]),
        smallest_share=float(report.smallest_share[report.chosen]),
        found=chosen.found,
        certainty=chosen.certainty,
    )


class Doubt(NamedTuple):
    """What is doubtful of an arrangement: code, figure that decided, a sentence without its end."""

    code: str
    figure: float | None
    sentence: str


def doubt_of(arrangement: ArrangementReport, n_cells: int) -> Doubt | None:
    """Return why nodes may be others: not found, overlapping, or nearly tied; None where not."""
    certainty, agreement = arrangement.certainty, arrangement.node_agreement
    if not arrangement.found:
        looked = f"not sought beyond {MAX_SEARCHED}" if n_cells > MAX_SEARCHED else "not found"
        which = f"which cluster is which of the {n_cells} cells was {looked}"
        return Doubt("nodes-by-chance", None, f"Nodes are placed by chance: {which}")
    if certainty is not None and certainty < CERTAIN:
        sentence = (
            f"About {100 * (1 - certainty):.0f} % of the node labels may be wrong: nodes were "
            "found, but their outcomes overlap in these data"
        )
        return Doubt("labels-overlap", certainty, sentence)
    if agreement.min() < AGREEING:
        sentence = (
            "Nodes may be mixed up: another arrangement of the clusters fits nearly as well (its "
            f"misfit is {arrangement.gap:.3f} times as large; adjusted Rand index by node: "
            f"{', '.join(f'{index:.2f}' for index in agreement)})"
        )
        return Doubt("nodes-tied", float(agreement.min()), sentence)
    return None


def with_factors(
    arrangement: ArrangementReport | None,
    gaps: GapsReport | None,
    sums: Additivity | None,
    is_unstable: bool,
    known: np.ndarray,
    moved: np.ndarray | None = None,
) -> ArrangementReport | None:
    """Return the report of an arrangement with which nodes are told to be factors.

    Nodes whose outcomes are ``known``, (n_nodes,), are factors, since somebody says so. Others are
    told by the means of cells, or where chance would hardly have contexts change the mix of cells
    along them alone (``moved``: p-values): neither says anything where cells are doubtful, which
    depend on the seed, nearly tie, or have no gap between them.
    """
    if arrangement is None or not arrangement.found:
        return arrangement
    is_cut = gaps is not None and bool(gaps.cut.any() or len(gaps.pairs))
    is_doubtful = is_unstable or is_cut or arrangement.node_agreement.min() < AGREEING
    are_factors, arrangement = known, replace(arrangement, context_p_values=moved)
    if moved is not None:
        are_factors = are_factors | ((moved <= SMALL_P) & (not is_doubtful))
    if sums is not None:
        are_factors = are_factors | (sums.told & (not is_doubtful))
        of_nodes = sums.node_p_values
        arrangement = replace(arrangement, p_value=sums.p_value, node_p_values=of_nodes)
    if sums is not None and sums.rows is not None:
        in_a_row, order = sums.rows
        arrangement = replace(arrangement, in_a_row=in_a_row, order=order)
    if sums is not None or are_factors.any():
        arrangement = replace(arrangement, told=are_factors)
    return arrangement


def looked_at(n_samples: int, n_rows: int = FEW_ROWS) -> np.ndarray:
    """Return which samples are looked at, always the same ones, in rising order."""
    return np.sort(np.random.RandomState(0).permutation(n_samples)[:n_rows])


def gaps_and_sums(
    scaled: np.ndarray,
    placed: np.ndarray,
    sizes: tuple[int, ...],
    cells_of: Callable[[np.ndarray], np.ndarray],
    groups: np.ndarray | None = None,
) -> tuple[GapsReport | None, Additivity | None]:
    """Return the gaps between cells, and whether these lie at sums of effects.

    Parameters
    ----------
    scaled, placed : ndarray of shape (n_samples, n_features)
        Principal scores, and where effects of nodes add up.
    sizes : tuple of int
        Number of outcomes of each node.
    cells_of : callable
        From numbers of samples to their cells: more samples are asked for where there are many
        cells.
    groups : ndarray of int of shape (n_samples,), default=None
        Which samples belong together.

    Returns
    -------
    gaps : GapsReport or None
        None where all lie in one cell, or cells are too many for the samples that are looked at.
    sums : Additivity or None
        None where all lie in one cell, and as :func:`.factors_or_kinds.additivity` says.
    """
    n_samples, grid, n_rows, gaps = len(scaled), NodeGrid(sizes), FEW_ROWS, None
    rows = looked_at(n_samples)
    cells = cells_of(rows)
    n_cells = len(np.unique(cells))
    if n_cells == 1:
        return None, None
    if LEAST_ROWS * n_cells <= MOST_ROWS:
        wanted = min(MOST_ROWS, ROWS_PER_CELL * n_cells)
        if wanted > n_rows:
            n_rows, rows = wanted, looked_at(n_samples, wanted)
            cells = cells_of(rows)
        points, some = (
            scaled[rows, : 2 * n_effects(sizes)],
            None if groups is None else groups[rows],
        )
        gaps = find_gaps(points, cells, grid.outcomes(), some)
    if ROWS_PER_CELL * grid.n_cells > n_rows < n_samples:  # each cell may hold some of all samples
        rows = np.arange(n_samples)
        cells = cells_of(rows)
    return gaps, additivity(placed[rows], cells, sizes)
