"""The report on a fit in a minute: the verdict, what to do, nodes, cells, graph, data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .._clustering.margins import FOUND_AGAIN
from .._judge.alarms import Alarm
from .._judge.figures import are_in_doubt, outcomes_of, percent, short, unseparated
from .._judge.of_training import ALONE
from ._report_lines import ReportFigures, edges_in_words, sections
from ._report_text import MOST_LINES, WIDTH, column, line_as_text, wrapped

#: Columns of a terminal that bars have, and cells that are listed one by one (arbitrary).
BAR_WIDTH, MAX_CELLS = 30, 16

#: Lines that a part has at least where there is room: a heading, and two (arbitrary).
LEAST = 3

#: [largest difference; sd within cells] Columns with less are left out, and modalities with less
#: may show no node (arbitrary).
SMALL, LITTLE = 0.2, 1.0

#: Heading, and lines of a part.
Block = tuple[str, list[str]]


def read_on(fit: ReportFigures) -> str:
    """Write what was looked at where nothing was found, and what comes next."""
    stability, again = fit.stability, fit.found_again
    facts = []
    if stability.gain is not None:
        error = f"{stability.gain:.2f} +- {stability.gain_error:.2f}"
        facts.append(f"cells gain {error} nats per sample on rows held out")
    if fit.gaps is not None and np.isfinite(fit.gaps.nodes).any():
        facts.append(f"density between cells {np.nanmax(fit.gaps.nodes):.2f} (1 is no gap)")
    if again is not None:
        n_found = int((again.agreement >= FOUND_AGAIN).sum())
        facts.append(f"found again in {n_found} of {len(again.agreement)} draws of the fit")
    elif stability.with_starts is not None:
        facts.append(f"other starts agree by {stability.with_starts:.2f} (1 in full)")
    checked = f" Checked: {'; '.join(facts)}." if facts else ""
    nodes = "edge_confidence edges, " if len(fit.node_names) > 1 else ""
    return f"No alarm was raised.{checked} Next: node_effects tests columns, {nodes}" + (
        "table_intervals tables."
    )


def title(fit: ReportFigures, found: Sequence[Alarm]) -> str:
    """Return the verdict in words: what was found, and how many warnings there are."""
    doubt = _are_doubted(found)
    n_cells = len(fit.shares) - len(fit.separation.empty)
    n_factors = len(fit.node_names) - len(unseparated(fit))
    sizes = " x ".join(map(str, fit.node_sizes))
    n_alarms = sum(one.severity == "alarm" for one in found)
    what = f"{n_cells} {'cells' if doubt else 'kinds'}, as node_sizes states"
    if n_cells < len(fit.shares):
        what = f"{n_cells} {'cells' if doubt else 'kinds'} of {len(fit.shares)} hold samples"
    if _has_none(found):
        what = "no clusters found"
    elif len(fit.node_names) > 1 and doubt:
        what = f"{n_cells} cells of a {sizes} grid, in doubt"
    elif len(fit.node_names) > 1 and not unseparated(fit):
        what = f"{n_factors} factors found"
    elif len(fit.node_names) > 1:
        what = f"{n_cells} kinds, {sizes} factors not separated from plain clusters"
        if n_factors:
            what = f"{n_factors} of {len(fit.node_names)} nodes supported as factors"
    warnings = {0: "no warning", 1: "one warning"}.get(n_alarms, f"{n_alarms} warnings")
    samples = f"{fit.n_samples} sample{'s' * (fit.n_samples != 1)}"
    return f"Fit of {samples}: {what}; {warnings}"


def to_do(fit: ReportFigures, found: Sequence[Alarm]) -> list[tuple[str, list[str]]]:
    """Return the lines of each alarm and note; without one, what was looked at."""
    nothing = [("note", wrapped(read_on(fit), "  ", "  ").split("\n"))]
    return [(one.severity, as_lines(one)) for one in found] or nothing


def as_lines(found: Alarm) -> list[str]:
    """Write an alarm or a note."""
    mark = "!" if found.severity == "alarm" else "-"
    text = f"{mark} [{found.code}] {found.sentence} {found.remedy}".rstrip()
    return wrapped(text, "  ", "    ").split("\n")


def _has_none(found: Sequence[Alarm]) -> bool:
    """Return whether no clusters were found."""
    return any(one.code in ("no-clusters", "one-cell") for one in found)


def _are_doubted(found: Sequence[Alarm]) -> bool:
    """Return whether there is an alarm on cells or nodes."""
    return any(one.severity == "alarm" and one.subject in ("cells", "nodes") for one in found)


def nodes_block(fit: ReportFigures, found: Sequence[Alarm]) -> Block:
    """Return the nodes, each with the modalities and columns in which its outcomes differ most."""
    lines: list[str] = []
    if _has_none(found):
        return "", lines
    for name, size in zip(fit.node_names, fit.node_sizes, strict=True):
        differs = fit.differs.get(name, ())
        least = SMALL * max((one.size for one in differs), default=0.0)
        by_modality: dict[str, list[str]] = {}
        for one in sorted(differs, key=lambda one: -one.size):
            if one.size >= least:
                by_modality.setdefault(one.modality, []).append(one.in_words())
        words = "; ".join(_of_modality(*part, fit) for part in by_modality.items())
        is_factor = len(fit.node_names) > 1 and name not in unseparated(fit)
        kind = " outcomes, supported as a factor" if is_factor and not _are_doubted(found) else ""
        lines += wrapped(f"{short(name)} ({size}{kind}): {words or '-'}", "  ", "    ").split("\n")
    for modality, most in _hardly_differ(fit).items():
        text = f"{short(modality)} differs by {most:.1f} at most: it may show no node"
        lines += wrapped(text, "  ", "    ").split("\n")
    return "Nodes, and columns that differ most (in sd within cells; not tested)", lines


def _of_modality(name: str, parts: list[str], fit: ReportFigures) -> str:
    """Write the columns of a modality; the only one needs no name."""
    words = ", ".join(parts)
    if words.startswith("["):
        return f"{short(name)}{words}"
    return words if len(fit.choices.scale) == 1 and name == ALONE else f"{short(name)}: {words}"


def _hardly_differ(fit: ReportFigures) -> dict[str, float]:
    """Return the modalities of several in which no node differs by much, and by how much."""
    largest: dict[str, float] = {}
    for one in itertools.chain.from_iterable(fit.differs.values()):
        largest[one.modality] = max(one.size, largest.get(one.modality, 0.0))
    hardly = {name: size for name, size in largest.items() if size < LITTLE}
    return hardly if len(hardly) < len(largest) else {}


def cells_block(fit: ReportFigures, found: Sequence[Alarm], most: int = MAX_CELLS) -> Block:
    """Return a line for each cell, by its outcomes, with a bar; the fullest first."""
    if _has_none(found):
        return "", []
    shares = fit.shares
    cells = outcomes_of(fit, fit.cells[:most])
    columns = [column(list(names)) for names in zip(fit.node_names, *cells, strict=True)]
    head, *rows = ("  " + "  ".join(row) for row in zip(*columns, strict=True))
    lines = [f"{head}    share (mean of probabilities)"] if len(head) < WIDTH - 40 else []
    widest = max(shares.max(), np.finfo(float).tiny)
    for row, share in zip(rows, shares, strict=False):
        bar = "#" * round(BAR_WIDTH * share / widest)
        lines.append(f"{row[: WIDTH - 43]}  {percent(share):>7}  {bar}".rstrip())
    if others := other_cells(fit, most):
        lines.append(f"  {others}")
    return "Cells", lines


def other_cells(fit: ReportFigures, most: int) -> str:
    """Write how many cells are not listed, and their share; "" where all are."""
    rest = fit.shares[most:]
    return f"and {len(rest)} cells with {percent(rest.sum())} of the samples" if len(rest) else ""


def graph_block(fit: ReportFigures, found: Sequence[Alarm]) -> Block:
    """Return the edges of several nodes, where these are of clusters."""
    if len(fit.node_names) == 1 or _has_none(found):
        return "", []
    edges = [line for pair in edges_in_words(fit) for line in _lines(pair)]
    doubt = " (of cells in doubt)" if are_in_doubt(fit) else ""
    return f"Graph{doubt}", edges or [
        "  no edge was found; few samples show strong ones alone (edge_confidence)"
    ]


def data_block(fit: ReportFigures) -> Block:
    """Return what modalities are divided by, and what else was chosen."""
    return "Data", [line for pair in sections(fit)["Data"] for line in _lines(pair)]


def _lines(pair: tuple[str, str]) -> list[str]:
    return line_as_text(*pair).split("\n")


def full_lines(fit: ReportFigures, found: Sequence[Alarm]) -> list[str]:
    """Return all lines of a report."""
    lines = _heading(fit, found)
    lines += [line for _, part in to_do(fit, found) for line in part]
    for name, part in (nodes_block(fit, found), cells_block(fit, found)):
        lines += ["", name, *part] if part else []
    for name, pairs in sections(fit).items():
        lines += ["", name, *(line for pair in pairs for line in _lines(pair))]
    return lines


def short_lines(fit: ReportFigures, found: Sequence[Alarm]) -> list[str]:
    """Return at most 25 lines, or as many as alarms have; what is left out is counted."""
    all_lines = [line for line in full_lines(fit, found) if line]
    if len(all_lines) <= MOST_LINES:
        return all_lines
    parts = to_do(fit, found)
    head = _heading(fit, found) + [line for kind, part in parts if kind == "alarm" for line in part]
    room = _Room(MOST_LINES - 1 - len(head))
    nodes = room.cut(nodes_block(fit, found), keep=2 * LEAST)
    notes = [line for kind, part in parts if kind == "note" for line in room.whole(part, 2 * LEAST)]
    graph = room.cut(graph_block(fit, found), keep=LEAST, most=len(fit.node_names))
    cells = room.cut(cells_block(fit, found, max(1, room.left - 3)))
    lines = [*head, *notes, *nodes, *cells, *graph, *room.cut(data_block(fit))]
    n_more = len(all_lines) - len(lines)
    return [*lines, f'{n_more} more lines, all figures: report(detail="full")'] if n_more else lines


class _Room:
    """Lines that are left on a page."""

    def __init__(self, left: int) -> None:
        self.left = left

    def whole(self, lines: list[str], keep: int = 0) -> list[str]:
        """Take lines if there is room for all of them, and for as many to keep."""
        if len(lines) > self.left - keep:
            return []
        self.left -= len(lines)
        return lines

    def cut(self, block: Block, keep: int = 0, most: int = MOST_LINES) -> list[str]:
        """Take the heading and the first lines of a part, if there is room for one."""
        name, lines = block
        lines = lines[: max(0, min(most, self.left - keep - 1))]
        return self.whole([name, *lines]) if lines else []


def _heading(fit: ReportFigures, found: Sequence[Alarm]) -> list[str]:
    return [*wrapped(title(fit, found), "", "  ").split("\n"), "What to do next"]
