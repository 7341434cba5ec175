"""How reports look: columns of a terminal, and tables of a notebook."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

import numpy as np

WIDTH = 80  # columns of a terminal
LABEL_WIDTH = 34
BAR_WIDTH = 30
COLUMN_WIDTH = 12  # of the outcomes of a node
MAX_CELLS = 16  # as many are listed one by one

STYLE = """<style>
.skcausalpima-report {font-family: sans-serif; max-width: 48em; line-height: 1.4}
.skcausalpima-report table {border-collapse: collapse; margin: 0 0 .8em 0}
.skcausalpima-report th, .skcausalpima-report td {text-align: left; padding: .1em 1em .1em 0}
.skcausalpima-report th {font-weight: normal; opacity: .7}
.skcausalpima-report .bar {display: inline-block; height: .7em; background: #3b75af}
.skcausalpima-report .advice {border-left: .3em solid #d9822b; padding-left: 2em}
</style>"""


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f} %"


def _listed_cells(shares: np.ndarray) -> tuple[Sequence[int], str]:
    """Return the cells that are listed, and what is said of the others."""
    n_cells = len(shares)
    listed = range(min(n_cells, MAX_CELLS))
    n_left = n_cells - len(listed)
    rest = f"and {n_left} cells with {percent(shares[len(listed) :].sum())} of the samples"
    return listed, rest if n_left else ""


def cells_as_text(
    names_of_nodes: Sequence[str], cells: Sequence[Sequence[str]], shares: np.ndarray
) -> list[str]:
    """Write one line per cell, by its outcomes, with a bar."""
    listed, rest = _listed_cells(shares)
    widest = max(shares.max(), np.finfo(float).tiny)
    written = [list(map(_column, row)) for row in (names_of_nodes, *cells[: len(listed)])]
    columns = [_aligned(column) for column in zip(*written, strict=True)]
    names, *rows = zip(*columns, strict=True)
    head = "  " + "  ".join(names)
    lines = ["", "Cells", f"{head}  samples"] if len(head) < WIDTH - 40 else ["", "Cells"]
    for cell, row in zip(listed, rows, strict=True):
        outcomes = "  ".join(row)
        bar = "#" * round(BAR_WIDTH * shares[cell] / widest)
        lines.append(f"  {outcomes[: WIDTH - 45]}  {percent(shares[cell]):>7}  {bar}".rstrip())
    return [*lines, f"  {rest}"] if rest else lines


def _column(name: str) -> str:
    """Return a name that fits into a column."""
    return textwrap.shorten(name, COLUMN_WIDTH, placeholder="..") or name[:COLUMN_WIDTH]


def _aligned(column: Sequence[str]) -> list[str]:
    """Return a column whose entries end below each other."""
    width = max(map(len, column))
    return [entry.rjust(width) for entry in column]


def cells_as_html(
    names_of_nodes: Sequence[str], cells: Sequence[Sequence[str]], shares: np.ndarray
) -> str:
    """Write a table of the cells."""
    listed, rest = _listed_cells(shares)
    widest = max(shares.max(), np.finfo(float).tiny)
    head = "".join(f"<th>{escaped(name)}</th>" for name in names_of_nodes)
    rows = []
    for cell in listed:
        outcomes = "".join(f"<td>{escaped(outcome)}</td>" for outcome in cells[cell])
        width = f"calc({shares[cell] / widest:.3f} * min(12em, 25vw))"  # narrow on narrow pages
        bar = f'<span class="bar" style="width: {width}"></span>'
        rows.append(f"<tr>{outcomes}<td>{percent(shares[cell])}</td><td>{bar}</td></tr>")
    table = f"<table><tr>{head}<th>samples</th></tr>{''.join(rows)}</table>"
    return f"<b>Cells</b>{table}" + (f"<p>{rest}</p>" if rest else "")


def line_as_text(label: str, value: str) -> list[str]:
    """Write a label and a value below each other where they are long."""
    start = f"  {label}".ljust(LABEL_WIDTH + 2)
    if not start.endswith(" "):
        return [wrapped(start, "", "  "), wrapped(value, " " * (LABEL_WIDTH + 2))]
    indent = " " * len(start)
    return [start + wrapped(value, indent).removeprefix(indent)]


def wrapped(text: str, first: str, others: str | None = None) -> str:
    """Break a text into lines."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=first if others is None else others
    )


def escaped(text: str) -> str:
    """Return a text that is no markup."""
    return html.escape(str(text))
