"""One file to mail: a report with pictures, tables and settings, which needs no network."""

from __future__ import annotations

import ast
import base64
import html
import io
import os
import platform
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._base import parameter_objects
from .._base.names import printable
from .._base.reports.shown_table import html_table, tag
from .._base.scalar_checks import check_path
from .._base.types import Samples, Unchecked
from .._base.version import __version__
from .._inference.kept_models import samples_of
from .._structure.digraphs import node_graph
from ._displays.display import Display
from ._displays.latent import LatentDisplay
from ._displays.prototypes import PrototypeDisplay
from ._displays.training import TrainingDisplay
from ._interval_report import entries_in_words
from ._report_page import PAGE_STYLE, STYLE

#: Modalities in which cells are drawn, rows of a table, letters of a setting (arbitrary).
MOST_MODALITIES, MOST_ROWS, MOST_LETTERS = 12, 200, 300
#: Dots per inch and in all of a picture, so that a file can be mailed (arbitrary), and of a page.
DPI, MOST_DOTS, PAGE_DPI = 144, 1.5e6, 96
#: Parts of its width that a picture keeps beside others, and on narrow pages (arbitrary).
BESIDE, LEAST = 0.6, 0.45
#: What is said where there is no estimator to draw.
ALONE = "This report was copied, pickled or made by hand: it has figures alone."
LIBRARIES = "numpy", "scipy", "scikit-learn", "torch"


def mailed_page(
    title: str,
    verdict: str,
    pages: Mapping[str, str],
    fit: tuple[BaseEstimator, Samples | None] | None,
    results: Sequence[Unchecked],
) -> str:
    """Return a whole page of HTML.

    Parameters
    ----------
    title, verdict : str
        What the report is of, and what it says in one line.
    pages : mapping of str to str
        Heading and HTML of each part of the report.
    fit : (CausalPIMA, samples or None) or None
        What is drawn.
    results : sequence
        Further results, and Displays.
    """
    est, X = fit or (None, None)
    (first, advice), *others = pages.items()
    parts = {first: advice, "Pictures": tag("p", ALONE)}
    if est is not None:
        parts["Pictures"] = f'<div class="pictures">{"".join(_pictures(est, X))}</div>'
    parts |= dict(others)
    if est is not None:
        parts["Tables of the graph"] = _tables(est)
        if X is not None and len(est.modality_names_in_) > 1:
            parts["Evidence of modalities"] = _evidence(est, X)
    if shown := "".join(_shown(results)):
        parts["Further results"] = shown
    if est is not None:
        parts |= {"Modalities": _modalities(est, X), "Settings": _settings(est)}
        parts["To make it again"] = _code(est)
    parts["Versions"] = _versions()
    sections = (f"<section><h2>{name}</h2>{part}</section>" for name, part in parts.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # whatever a name or a result holds, nothing is run, and nothing is fetched
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(printable(title))}</title>{STYLE}{PAGE_STYLE}</head>"
        f'<body class="skcausalpima-report"><h1 dir="auto">{html.escape(printable(title))}</h1>'
        f"{tag('p', verdict)}{''.join(sections)}</body></html>\n"
    )


def write_page(path: str | os.PathLike, page: str) -> None:
    """Write a page; one that is there is replaced."""
    file = Path(check_path(path))
    try:
        file.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    except OSError as error:
        raise type(error)(
            f"{file} cannot be written ({error.strerror or error}): name a file in a folder that "
            "exists and that you may write to."
        ) from error


def _pictures(est: BaseEstimator, X: Samples | None) -> Iterator[str]:
    """Yield the pictures of a fit, or why there are none."""
    cells = f"{len(est.weights_)} cells"
    pictures: list[tuple[str, str, Callable[[], Display]]] = []
    if X is not None:
        draw: Callable[[], Display] = partial(LatentDisplay.from_estimator, est, X)
        text = f"{len(est.labels_)} samples as points of the latent space, in {cells}."
        pictures.append(("Samples in the latent space, by cell", text, draw))
    for name in map(str, est.modality_names_in_[:MOST_MODALITIES]):
        draw = partial(PrototypeDisplay.from_estimator, est, modality=name)
        text = f"{cells} in {name}, a panel each."
        pictures.append((f"What cells look like in {name}", text, draw))
    bound = est.history_["lower_bound"]
    text = f"The bound over {len(bound)} epochs, at last {est.lower_bound_:.4g} nats per sample."
    pictures.append(("Training", text, partial(TrainingDisplay.from_estimator, est)))
    try:
        for caption, text, draw in pictures:
            yield _figure(caption, *_image(draw, text))
    except ImportError as error:
        yield tag("p", f"There is no picture but the graph: {error}")
    yield _figure("The graph", f"<div>{est.to_graph()._repr_svg_()}</div>")


def _figure(caption: str, picture: str, width: float = 0) -> str:
    """Write a picture below its caption; a wide one has a row of its own."""
    style = f' style="flex-basis: {BESIDE * width:.0f}px"' if width else ""
    return f"<figure{style}>{tag('figcaption', caption)}{picture}</figure>"


def _image(draw: Callable[[], Display], text: str) -> tuple[str, float]:
    """Draw a picture, as wide on the page as is returned, or say why it cannot be drawn."""
    plt = Display._pyplot()
    before = set(plt.get_fignums())
    try:
        with plt.style.context("default"), plt.ioff():
            canvas = draw().figure_.canvas
            width, height = canvas.figure.get_size_inches()
            dpi = min(DPI, np.sqrt(MOST_DOTS / (width * height)))
            canvas.print_figure(drawn := io.BytesIO(), format="png", dpi=dpi)
    except ValueError as error:
        return tag("p", f"It cannot be drawn: {error}"), 0
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
    data = base64.b64encode(drawn.getvalue()).decode()
    alt, width = html.escape(printable(text)), PAGE_DPI * width
    least = f'style="min-width: {LEAST * width:.0f}px"'
    image = f'<img alt="{alt}" width="{width:.0f}" {least} src="data:image/png;base64,{data}">'
    return f"<div>{image}</div>", width


def _tables(est: BaseEstimator) -> str:
    """Write the probabilities of outcomes, given those of parents."""
    entries = entries_in_words(node_graph(est.dag_, with_causes=True), est.cpts_)
    rows = [
        (node, outcome, given, f"{est.cpts_[node][entry]:.3f}")
        for node, outcome, given, entry in entries
    ]
    more = f"and {len(rows) - MOST_ROWS} rows more" if len(rows) > MOST_ROWS else ""
    table = html_table(("node", "outcome", "given", "probability"), rows[:MOST_ROWS])
    return table + (tag("p", more) if more else "")


def _evidence(est: BaseEstimator, X: Samples) -> str:
    """Write what each modality says of each node, or why nobody knows."""
    try:
        return str(est.modality_evidence(X)._repr_html_())
    except ValueError as error:  # it has no encoders of single modalities
        return tag("p", f"It is not known: {error}")


def _shown(results: Sequence[Unchecked]) -> Iterator[str]:
    """Yield further results as a notebook shows them."""
    is_one = isinstance(results, Display) or hasattr(results, "_repr_html_")
    for number, result in enumerate([results] if is_one else results):
        if isinstance(result, Display):
            draw = partial(_drawn, result)
            name = type(result).__name__
            yield _figure(name, *_image(draw, f"The picture of a {name}."))
        elif hasattr(result, "_repr_html_"):
            yield f"<div>{result._repr_html_()}</div>"
        else:
            raise TypeError(
                f"results[{number}] is {result!r:.100}: expected a result of "
                "skcausalpima.inspection, a Display, or what else has _repr_html_."
            )


def _drawn(display: Any) -> Any:
    """Return a Display that is drawn."""
    if not hasattr(display, "figure_"):
        display.plot()
    return display


def _modalities(est: BaseEstimator, X: Samples | None) -> str:
    """Write a row for each modality."""
    head, rows = ["modality", "of a sample", "likelihood"], list[list[str]]()
    for name, shape in zip(est.modality_names_in_, est.modality_shapes_in_, strict=True):
        words = est.likelihoods_[name]
        if not isinstance(words, str):
            counts = Counter(words.values()).items()
            words = ", ".join(f"{word} ({number})" for word, number in counts)
        rows.append([str(name), " x ".join(map(str, shape)), words])
    if X is not None:
        head.append("samples that have it")
        for row, has_it in zip(rows, samples_of(est, X).observed, strict=True):
            row.append(f"{has_it.sum()} of {len(has_it)}")
    return html_table(head, rows)


def _settings(est: BaseEstimator) -> str:
    """Write all parameters, the seed among them."""
    params = est.get_params(deep=False).items()
    rows = [(name, textwrap.shorten(repr(value), MOST_LETTERS)) for name, value in params]
    return html_table(("parameter", "value"), rows)


def _code(est: BaseEstimator) -> str:
    """Write the lines that make the fit again, as far as a text can."""
    stated = est.__repr__(N_CHAR_MAX=sys.maxsize)
    names = set(re.findall(r"\b[A-Z]\w+(?=\()", stated)) - {type(est).__name__}
    known = sorted(name for name in names if hasattr(parameter_objects, name))
    shapes = zip(est.modality_names_in_, est.modality_shapes_in_, strict=True)
    data = ", ".join(f"{str(name)!r} {tuple(shape)}" for name, shape in shapes)
    lines = [
        f"from skcausalpima import {', '.join([type(est).__name__, *known])}",
        "",
        f"X = ...  # {len(est.labels_)} samples of {printable(data)}",
        f"est = {stated}",
        "est.fit(X)  # with sample_weight, known_nodes or interventions, if it had some",
        'est.report(X).save("fit.html")',
    ]
    notes = [] if est.random_state is not None else ["No random_state was set: a fit may differ."]
    try:
        ast.parse("\n".join(lines))
    except SyntaxError:
        notes.append("What is in <> is an object or a function of your own.")
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>{''.join(tag('p', n) for n in notes)}"


def _versions() -> str:
    """Write when the file was made, and with what."""
    rows = [("written", datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"))]
    rows += [("skcausalpima", __version__), ("Python", platform.python_version())]
    rows += [(name, version(name)) for name in LIBRARIES]
    return html_table((), rows)
