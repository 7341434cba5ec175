"""The parts of a report as HTML: cells with their bars, figures, advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .._base.reports.shown_table import tag

#: What the words of a verdict say.
VERDICTS = {
    "told": "Nothing speaks against cells, nodes or training.",
    "not told": "Cells are fine; whether they are a grid of factors is open.",
    "alarmed": "Something speaks against cells, nodes, training or data.",
}

STYLE = """<style>
.skcausalpima-report {font-family: sans-serif; max-width: 48em; line-height: 1.4}
.skcausalpima-report table {border-collapse: collapse; margin: 0 0 .8em 0}
.skcausalpima-report th, .skcausalpima-report td {text-align: left; padding: .1em 1em .1em 0}
.skcausalpima-report th {font-weight: normal; opacity: .7}
.skcausalpima-report .bar {display: inline-block; height: .7em; background: #3b75af}
.skcausalpima-report .advice {border-left: .3em solid #d9822b; padding-left: 2em}
</style>"""

#: What a page of its own has besides: light, dark, narrow, and on paper.
PAGE_STYLE = """<style>
:root {color-scheme: light dark; --page: #fff; --text: #1a1a1a; --line: #d0d0d0; --code: #f4f4f4}
@media (prefers-color-scheme: dark) {
  :root {--page: #17191c; --text: #e4e4e4; --line: #4a4d52; --code: #24272b}
  .skcausalpima-report .bar {background: #7fb0dd}
}
body {background: var(--page); color: var(--text); margin: 0 auto; padding: 1em}
body.skcausalpima-report {max-width: 62em; overflow-wrap: anywhere}
h1 {font-size: clamp(1.15em, 4vw, 1.5em); line-height: 1.25}
h2 {font-size: 1.15em; margin: 1.6em 0 .5em; padding-bottom: .2em}
h2 {border-bottom: 1px solid var(--line)}
.skcausalpima-report table {font-size: .92em}
.skcausalpima-report td, th:not(:only-of-type) {min-width: 5.2em; vertical-align: top}
.skcausalpima-report th:only-of-type {min-width: 9em; vertical-align: top; opacity: .8}
.pictures {display: flex; flex-wrap: wrap; gap: 1em 1.5em}
figure {flex: 1 1 20em; min-width: 0; margin: 0} figcaption {font-size: .92em; margin-bottom: .3em}
figure div {overflow-x: auto} svg {max-width: 100%; height: auto}
img, svg {background: #fff; border-radius: 4px} img {display: block; max-width: 100%}
pre {background: var(--code); padding: .8em; overflow-x: auto; border-radius: 4px}
@media print {
  :root {--page: #fff; --text: #000; --line: #999; --code: #f4f4f4}
  body.skcausalpima-report {max-width: none; padding: 0; font-size: 10pt}
  pre {white-space: pre-wrap} h2, figcaption {break-after: avoid}
  figure, tr, pre {break-inside: avoid} img {min-width: 0 !important}
  img {width: auto; max-height: 14cm}
  .bar {print-color-adjust: exact}
}
@page {margin: 15mm}
</style>"""


def cells_page(
    head: Sequence[str], rows: Sequence[Sequence[str]], lengths: np.ndarray, rest: str
) -> str:
    """Write a table of cells, each with a bar, and a line on others."""
    lines = ["".join(tag("th", name) for name in head)]
    for row, length in zip(rows, lengths, strict=True):
        width = f"calc({length:.3f} * min(12em, 25vw))"  # narrow on narrow pages
        cells = "".join(tag("td", name) for name in row)
        lines.append(f'{cells}<td><span class="bar" style="width: {width}"></span></td>')
    return _table(lines) + (tag("p", rest) if rest else "")


def figures_page(sections: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Write the lines of each section."""
    return "".join(
        f"<b>{name}</b>{_table(_label(label) + tag('td', value) for label, value in lines)}"
        for name, lines in sections.items()
    )


def advice_page(advice: Iterable[str]) -> str:
    """Write a list of what to do."""
    return f'<ol class="advice">{"".join(tag("li", sentence) for sentence in advice)}</ol>'


def _table(rows: Iterable[str]) -> str:
    """Write a table, which scrolls by itself where a page is narrow."""
    lines = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div style="overflow-x: auto"><table>{lines}</table></div>'


def _label(text: str) -> str:
    """Write the label of a line, as far to the right as it is in a terminal."""
    indent = (len(text) - len(text.lstrip())) / 2
    label = tag("th", text.strip())
    return label.replace("<th", f'<th style="padding-left: {indent:g}em"', 1) if indent else label
