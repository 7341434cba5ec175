"""The report on a fit: its figures and advice, as a text and as a page of a notebook."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from .._base.grid import NodeGrid
from .._base.reports.contexts import ContextReport
from .._base.types import Samples
from .._clustering.placements import lie_where_effects_put_them
from .._contexts.fitted import cell_shares, doubts, overlaps
from .._data.validation import fitted_form
from .._structure.digraphs import node_graph
from ._calibration import CalibrationCurve, curves_of_draws
from ._fitted_estimator import check_estimator, outcome_names
from ._goodness_of_fit import goodness_of_fit
from ._report_advice import advice, alarms, hardly_filled
from ._report_lines import Figures, percent, sections
from ._unseen import unseen_parts

N_DRAWS = 300  # that the model is asked about: shares are exact to 0.03
MOST_CELLS, MOST_MODALITIES = 32, 4  # are asked about modalities alone: more take a second
MOST_ELEMENTS = 500  # of a sample, for networks such as convolutions: larger ones take seconds
WIDTH, LABEL_WIDTH, BAR_WIDTH = 80, 34, 30  # columns of a terminal
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


@dataclass(frozen=True, kw_only=True, repr=False)
class FitReport(Figures):
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
    as_expected : ndarray of bool of shape (n_cells,)
        Whether a cell that holds samples lies in the latent space where the effects of its
        outcomes, learned from the cells with more than a few samples, put it.
    separation : SeparationReport
        The estimator's ``separation_``.
    merged : ndarray of shape (n_pairs, 2, n_nodes)
        The outcomes of the cells that have merged, in pairs.
    arrangement : ArrangementReport or None
        Its ``arrangement_``.
    stability : StabilityReport
        Its ``stability_``.
    found_again : FoundAgainReport or None
        Its ``found_again_``.
    gaps : GapsReport or None
        Its ``gaps_``.
    joined : ndarray of shape (n_pairs, 2, n_nodes)
        The outcomes of the cells without a gap between them, in pairs.
    n_iter : int
        Number of epochs.
    convergence : ConvergenceReport
        Its ``convergence_``.
    edges : tuple of (str, str, float, bool)
        Parent, child, weight, and whether the arrow is compelled.
    choices : ChoicesReport
        Its ``choices_``.
    outcome_names : tuple of tuple of str
        Names of the outcomes of each node; numbers where they have none.
    calibration : mapping of str to CalibrationCurve
        How sure the fit is of the cells of 300 samples that it draws, and how often it is right, by
        what is seen of them; see :func:`calibration_curves`. Empty where it cannot draw, or where
        that takes seconds.
    depths : tuple of str
        Tables of counts whose depth, the sum of a row, was divided out.
    contexts : mapping of str to ContextReport
        What is found of each context. Empty without contexts.
    doubts : tuple of str
        Where offsets of contexts cannot be told from other mixes.
    goodness : GoodnessOfFit or None
        Where the model does not hold, if that was asked.
    halves : tuple of str
        What halves of the samples say against nodes, if that was asked.
    advice : tuple of str
        What to do next, the most urgent first.

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

    advice: tuple[str, ...] = ()

    @classmethod
    def of(cls, est: BaseEstimator, X: Samples | None = None, *, check: bool = False) -> FitReport:
        """Collect the figures of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
            What it was fitted to, for ``check``.
        check : bool, default=False
            Whether to fit clones to two halves of X, and to say where the model does not hold
            (:func:`goodness_of_fit`), and whether halves agree on nodes.

        Returns
        -------
        FitReport
            Its figures, and what they ask for.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If ``check`` is True without X, or X has too few samples for halves.
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
        if check and X is None:
            raise ValueError(
                "check=True compares two halves of the samples: pass them, report(X, check=True)."
            )
        shares = est.separation_.occupancy
        order = np.argsort(-shares, kind="stable")
        grid = NodeGrid(est.joint_.shape)
        pairs = np.empty((0, 2), int) if est.gaps_ is None else est.gaps_.pairs
        dag = node_graph(est.dag_)
        edges = [
            (*e, attributes["weight"], attributes["compelled"])
            for *e, attributes in dag.edges(data=True)
        ]
        is_known = (shares > 0) & ~hardly_filled(shares, len(est.labels_))
        means, outcomes = est.cluster_means_, est.cluster_states_
        as_expected = lie_where_effects_put_them(means, outcomes, is_known, shares > 0)
        tables = zip(est.modality_names_in_, fitted_form(est).tables, strict=True)
        codings = [(str(name), table.coding) for name, table in tables]
        report = cls(
            node_names=tuple(map(str, dag)),
            node_sizes=tuple(est.joint_.shape),
            n_samples=len(est.labels_),
            cells=est.cluster_states_[order],
            shares=shares[order],
            as_expected=as_expected[order],
            separation=est.separation_,
            merged=est.cluster_states_[est.separation_.merged],
            arrangement=est.arrangement_,
            stability=est.stability_,
            found_again=est.found_again_,
            gaps=est.gaps_,
            joined=grid.outcomes(pairs.ravel()).reshape(-1, 2, len(grid.sizes)),
            n_iter=est.n_iter_,
            convergence=est.convergence_,
            edges=tuple(edges),
            outcome_names=tuple(map(tuple, outcome_names(est))),
            choices=est.choices_,
            calibration=_of_own_draws(est),
            depths=tuple(name for name, coding in codings if coding and coding.has_depth),
            contexts=_contexts(est),
            doubts=tuple(doubts(est._fitted.contexts)) if hasattr(est, "contexts_") else (),
        )
        if check and X is not None:
            halves = unseen_parts(est, X, caller="report").why_not
            report = replace(
                report, goodness=goodness_of_fit(est, X), halves=tuple(filter(None, halves))
            )
        return replace(report, advice=advice(report))

    @property
    def verdict(self) -> str:
        """What to make of cells and nodes: ``"told"``, ``"not told"`` or ``"alarmed"``.

        ``"alarmed"`` where something speaks against cells, nodes, training or data, which
        ``advice`` has. Else ``"told"`` where all nodes are told or known to be factors, or there is
        one, which claims nothing; ``"not told"`` where means of cells do not tell a grid from kinds
        (``arrangement_.told``): cells are fine, and their number as a single node is the cautious
        reading.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(1)
        >>> kind = rng.integers(4, size=400)
        >>> X = rng.normal(0, 3, (4, 8))[kind] + rng.normal(size=(400, 8))
        >>> CausalPIMA((2, 2), random_state=0).fit(X).report().verdict
        'not told'
        """
        if alarms(self):
            return "alarmed"
        return "not told" if self._untold else "told"

    def __str__(self) -> str:
        title = self._title()
        parts = [textwrap.fill(title, WIDTH), "=" * min(WIDTH, len(title)), *self._cells_as_text()]
        for name, lines in sections(self).items():
            parts += ["", name, *(_line_as_text(*line) for line in lines)]
        parts += ["", "What to do next"]
        for number, sentence in enumerate(self.advice, 1):
            parts.append(_wrapped(f"{number}. {sentence}", "  ", "     "))
        return "\n".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the report for a notebook; names are escaped."""
        parts = [STYLE, f'<div class="skcausalpima-report"><h4>{html.escape(self._title())}</h4>']
        parts.append(self._cells_as_html())
        for name, lines in sections(self).items():
            rows = (f"{_label(label)}{_tag('td', value)}" for label, value in lines)
            parts.append(
                f"<b>{name}</b><table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
            )
        items = "".join(_tag("li", sentence) for sentence in self.advice)
        return "".join([*parts, f'<b>What to do next</b><ol class="advice">{items}</ol></div>'])

    def _title(self) -> str:
        """Return how many samples were fitted, and with which nodes."""
        nodes = zip(self.node_names, self.node_sizes, strict=True)
        words = " x ".join(f"{name} ({size})" for name, size in nodes)
        return f"Fit of {self.n_samples} samples: {words}"

    def _listed_cells(self) -> tuple[list[list[str]], np.ndarray, str]:
        """Return outcomes of the cells that are listed, lengths of bars, and a line on others."""
        widest = max(self.shares.max(), np.finfo(float).tiny)
        others = self.shares[MAX_CELLS:]
        rest = f"and {len(others)} cells with {percent(others.sum())} of the samples"
        lengths = self.shares[:MAX_CELLS] / widest
        return self._outcomes(self.cells[:MAX_CELLS]), lengths, rest if len(others) else ""

    def _cells_as_text(self) -> list[str]:
        """Write one line per cell, by its outcomes, with a bar."""
        cells, lengths, rest = self._listed_cells()
        columns = [_column(list(names)) for names in zip(self.node_names, *cells, strict=True)]
        head, *rows = ("  " + "  ".join(row) for row in zip(*columns, strict=True))
        lines = ["", "Cells", f"{head}  samples"] if len(head) < WIDTH - 40 else ["", "Cells"]
        for row, share, length in zip(rows, self.shares, lengths, strict=False):
            bar = "#" * round(BAR_WIDTH * length)
            lines.append(f"{row[: WIDTH - 43]}  {percent(share):>7}  {bar}".rstrip())
        return [*lines, f"  {rest}"] if rest else lines

    def _cells_as_html(self) -> str:
        """Write a table of the cells."""
        cells, lengths, rest = self._listed_cells()
        head = "".join(_tag("th", name) for name in (*self.node_names, "samples"))
        rows = []
        for outcomes, share, length in zip(cells, self.shares, lengths, strict=False):
            width = f"calc({length:.3f} * min(12em, 25vw))"  # narrow on narrow pages
            row = "".join(_tag("td", name) for name in (*outcomes, percent(share)))
            rows.append(f'<tr>{row}<td><span class="bar" style="width: {width}"></span></td></tr>')
        table = f"<table><tr>{head}</tr>{''.join(rows)}</table>"
        return f"<b>Cells</b>{table}" + (f"<p>{rest}</p>" if rest else "")


def _contexts(est: BaseEstimator) -> dict[str, ContextReport]:
    """Return what was found of the contexts of a fit."""
    if not hasattr(est, "contexts_"):
        return {}
    contexts, reports = est._fitted.contexts, {}
    sizes, least = est.joint_.shape, overlaps(contexts)
    units = dict(zip(est.modality_names_in_, est._fitted.scaler.factor, strict=True))
    for name in contexts.labels:
        grid = cell_shares(contexts, name).reshape(-1, *sizes)
        axes = range(1, grid.ndim)
        of_nodes = [grid.sum(axis=tuple(a for a in axes if a != node)) for node in axes]
        moves = {
            m: offsets[name] / units[m]
            for m, offsets in contexts.offsets.items()
            if offsets[name].any()
        }
        reports[name] = ContextReport(
            role=contexts.roles[name],
            labels=contexts.labels[name].tolist(),
            counts=contexts.by_label(name, contexts.counts),
            shares=list(zip(*of_nodes, strict=True)),
            links=sorted(map(str, nx.all_neighbors(est.dag_, name))),
            overlap=float(least[name].min()),
            moves={m: float(np.sqrt(np.square(move).mean())) for m, move in moves.items()},
        )
    return reports


def _of_own_draws(est: BaseEstimator) -> dict[str, CalibrationCurve]:
    """Return how sure an estimator is of the cells of samples that it draws, by what is seen."""
    own_networks = est.encoders is not None or est.decoders is not None
    if own_networks and est.n_features_in_ > MOST_ELEMENTS:
        return {}
    n_modalities = len(est.modality_names_in_)
    few = n_modalities <= MOST_MODALITIES and n_modalities * len(est.weights_) <= MOST_CELLS
    try:
        return curves_of_draws(est, N_DRAWS, random_state=0, alone=few)
    except ValueError:  # it draws what is not finite, or beyond the range of an expert
        return {}


def _column(names: Sequence[str]) -> list[str]:
    """Shorten names so that they fit into a column, and let them end below each other."""
    short = [textwrap.shorten(n, COLUMN_WIDTH, placeholder="..") or n[:COLUMN_WIDTH] for n in names]
    return [name.rjust(max(map(len, short))) for name in short]


def _line_as_text(label: str, value: str) -> str:
    """Write a label and a value below each other where they are long."""
    start, indent = f"  {label}".ljust(LABEL_WIDTH + 2), " " * (LABEL_WIDTH + 2)
    if not start.endswith(" "):
        return f"{_wrapped(start, '', '  ')}\n{_wrapped(value, indent, indent)}"
    return start + _wrapped(value, indent, indent).removeprefix(indent)


def _wrapped(text: str, first: str, others: str) -> str:
    """Break a text into lines."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=others)


def _label(text: str) -> str:
    """Write the label of a line, as far to the right as it is in a terminal."""
    indent = (len(text) - len(text.lstrip())) / 2
    style = f' style="padding-left: {indent:g}em"' if indent else ""
    return f"<th{style}>{html.escape(text.strip())}</th>"


def _tag(name: str, text: str) -> str:
    """Write an element whose text is no markup."""
    return f"<{name}>{html.escape(text)}</{name}>"
