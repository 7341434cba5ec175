"""The report on a fit: its figures and advice, as a text and as a page of a notebook."""

from __future__ import annotations

import copy
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from .._base.grid import NodeGrid
from .._base.names import printable
from .._base.reports.shown_table import Frame, pandas_for, tag
from .._base.types import Groups, Samples, Unchecked, Values
from .._clustering.placements import lie_where_effects_put_them
from .._contexts.fitted import doubts
from .._data.validation import fitted_form
from .._held_out.stated_units import units_of
from .._structure.digraphs import ADJACENT, node_graph
from ._fitted_estimator import check_estimator, outcome_names
from ._goodness_of_fit import goodness_of_fit
from ._mailed_report import mailed_page, write_page
from ._report_advice import advice, alarms, hardly_filled
from ._report_lines import Figures, percent, sections
from ._report_page import STYLE, VERDICTS, advice_page, cells_page, figures_page
from ._report_text import WIDTH, column, line_as_text, wrapped
from ._reported_fit import check_samples, curves_of_own_draws, reported_contexts
from ._unseen import unseen_parts

BAR_WIDTH = 30  # columns of a terminal
MAX_CELLS = 16  # as many are listed one by one


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
        Number of training samples; those without any value are not counted.
    cells : ndarray of shape (n_cells, n_nodes)
        The outcomes of each cell, the fullest cell first.
    shares : ndarray of shape (n_cells,)
        Share of the training samples in each, the mean of its probability.
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
        Parent, child, weight of this direction, and whether the arrow is compelled.
    choices : ChoicesReport
        Its ``choices_``.
    adjacent : mapping of (str, str) to float
        How probable it is that the nodes of an edge are joined, either way. Empty where edges have
        no probabilities (``edge_probabilities_``).
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

    #: The fit and its samples, for :meth:`save`; no field, so that copies do not hold them.
    _of: ClassVar[tuple[BaseEstimator, Samples | None] | None] = None

    @classmethod
    def of(
        cls,
        est: BaseEstimator,
        X: Samples | None = None,
        *,
        check: bool = False,
        groups: Groups = None,
    ) -> FitReport:
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
        groups : array-like of shape (n_samples,) or str, default=None
            Which samples belong together, as ``fit`` takes it; None for what the fit was given.

        Returns
        -------
        FitReport
            Its figures, and what they ask for.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X has another form than the training data or another number of samples, or too few
            for halves, or if ``check`` is True without X.
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
        if check and X is not None:
            X, units = units_of(est, X, groups)
        check_samples(est, X, check)
        shares = est.separation_.occupancy
        order = np.argsort(-shares, kind="stable")
        grid = NodeGrid(est.joint_.shape)
        pairs = np.empty((0, 2), int) if est.gaps_ is None else est.gaps_.pairs
        dag = node_graph(est.dag_)
        edges = [
            (*e, attributes["weight"], attributes["compelled"])
            for *e, attributes in dag.edges(data=True)
        ]
        n_samples = len(est.labels_) - len(est.separation_.without_values)
        is_filled = ~np.isin(np.arange(len(shares)), est.separation_.empty)
        is_known = is_filled & ~hardly_filled(shares, is_filled, n_samples)
        means, outcomes = est.cluster_means_, est.cluster_states_
        as_expected = lie_where_effects_put_them(means, outcomes, is_known, is_filled)
        tables = zip(est.modality_names_in_, fitted_form(est).tables, strict=True)
        codings = [(str(name), table.coding) for name, table in tables]
        report = cls(
            node_names=tuple(map(str, dag)),
            node_sizes=tuple(est.joint_.shape),
            n_samples=n_samples,
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
            adjacent=nx.get_edge_attributes(dag, ADJACENT),
            outcome_names=tuple(map(tuple, outcome_names(est))),
            choices=est.choices_,
            calibration=curves_of_own_draws(est),
            depths=tuple(name for name, coding in codings if coding and coding.has_depth),
            contexts=reported_contexts(est),
            doubts=tuple(doubts(est._fitted.contexts)) if hasattr(est, "contexts_") else (),
        )
        if check and X is not None:
            halves = unseen_parts(est, X, units, caller="report").why_not
            goodness = goodness_of_fit(est, X, groups=units.numbers)
            report = replace(report, goodness=goodness, halves=tuple(filter(None, halves)))
        report = replace(report, advice=advice(report))
        object.__setattr__(report, "_of", (copy.copy(est), X))
        return report

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
            parts += ["", name, *(line_as_text(*line) for line in lines)]
        parts += ["", "What to do next"]
        for number, sentence in enumerate(self.advice, 1):
            parts.append(wrapped(f"{number}. {sentence}", "  ", "     "))
        return "\n".join(map(printable, "\n".join(parts).split("\n")))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the report for a notebook; names are escaped."""
        cells, figures, advice = self._pages()
        parts = f"{tag('h4', self._title())}<b>Cells</b>{cells}{figures}"
        todo = f"<b>What to do next</b>{advice}"
        return f'{STYLE}<div class="skcausalpima-report">{parts}{todo}</div>'

    def to_frame(self) -> Frame:
        """Return the cells, one row for each.

        Returns
        -------
        pandas.DataFrame
            The outcomes of each node, ``share`` of the samples, and ``as_expected``; the fullest
            cell first.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> CausalPIMA(2, max_iter=2, random_state=0).fit(X).report().to_frame()
          N1  share  as_expected
        0  0    0.5         True
        1  1    0.5         True
        """
        frame = pandas_for("to_frame").DataFrame(
            self._outcomes(self.cells), columns=list(self.node_names)
        )
        return frame.assign(share=self.shares, as_expected=self.as_expected)

    def save(self, path: str | os.PathLike, *, results: Sequence[Unchecked] = ()) -> None:
        """Write one file to mail: the report with pictures, tables and settings, as HTML.

        It opens in any browser without a network, runs no code, and prints. A file that exists is
        replaced. The cells are drawn in up to twelve modalities.

        Parameters
        ----------
        path : str or os.PathLike
            Of the file, such as ``"fit.html"``.
        results : sequence, default=()
            What else belongs into it: results of this module such as those of
            :func:`associate_nodes`, and Displays.

        Raises
        ------
        TypeError
            If ``path`` is no path, or ``results`` holds what a notebook would not show.
        OSError
            If the file cannot be written.

        See Also
        --------
        skcausalpima.CausalPIMA.save : The fit itself.

        Notes
        -----
        A report of ``report(X)`` has the samples in its pictures, and what each modality says of
        nodes; without X these are left out, and without matplotlib all pictures but the graph. The
        file has names of modalities, columns, nodes and outcomes, and what cells look like, but no
        sample but as a point. The report holds X for this; its copies and pickles hold figures.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "fit.html")
        ...     model.report(X).save(path)
        ...     os.path.getsize(path) < 1e6
        True
        """
        cells, figures, advice = self._pages()
        pages = {"What to do next": advice, "Cells": cells, "Figures": figures}
        verdict = f"Verdict: {self.verdict}. {VERDICTS[self.verdict]}"
        write_page(path, mailed_page(self._title(), verdict, pages, self._of, results))

    def __getstate__(self) -> Values:
        """Return the figures alone: a pickle holds neither the estimator nor samples."""
        return {name: value for name, value in vars(self).items() if name != "_of"}

    def _pages(self) -> tuple[str, str, str]:
        """Write cells, figures and advice as parts of a page."""
        cells, lengths, rest = self._listed_cells()
        rows = [
            (*outcomes, percent(share)) for outcomes, share in zip(cells, self.shares, strict=False)
        ]
        table = cells_page((*self.node_names, "samples"), rows, lengths, rest)
        return table, figures_page(sections(self)), advice_page(self.advice)

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
        columns = [column(list(names)) for names in zip(self.node_names, *cells, strict=True)]
        head, *rows = ("  " + "  ".join(row) for row in zip(*columns, strict=True))
        lines = ["", "Cells", f"{head}  samples"] if len(head) < WIDTH - 40 else ["", "Cells"]
        for row, share, length in zip(rows, self.shares, lengths, strict=False):
            bar = "#" * round(BAR_WIDTH * length)
            lines.append(f"{row[: WIDTH - 43]}  {percent(share):>7}  {bar}".rstrip())
        return [*lines, f"  {rest}"] if rest else lines
