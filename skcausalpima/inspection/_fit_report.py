"""The report on a fit: its figures and advice, as a text and as a page of a notebook."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from .._base.names import printable
from .._base.reports.shown_table import Frame, pandas_for, tag
from .._base.types import Groups, Samples, Unchecked, Values
from .._contexts.fitted import doubts
from .._data.validation import fitted_form
from .._held_out.stated_units import units_of
from .._judge.alarms import Alarm, are_alarmed, as_text
from .._judge.figures import collected, outcomes_of, percent, unseparated
from .._judge.missing import lacks, missing_shares
from .._structure.digraphs import ADJACENT, node_graph
from ._differing_columns import differing_columns
from ._fitted_estimator import check_estimator, outcome_names
from ._goodness_of_fit import goodness_of_fit
from ._mailed_report import mailed_page, write_page
from ._report_findings import all_findings
from ._report_lines import ReportFigures, sections
from ._report_page import STYLE, VERDICTS, advice_page, cells_page, figures_page
from ._reported_fit import check_samples, curves_of_own_draws, reported_contexts
from ._short_report import (
    MAX_CELLS,
    full_lines,
    nodes_block,
    other_cells,
    read_on,
    short_lines,
    title,
)
from ._unseen import unseen_parts


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FitReport(ReportFigures):
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
    choices : ChoicesReport
        Its ``choices_``.
    outcome_names : tuple of tuple of str
        Names of the outcomes of each node; numbers where they have none.
    doubts : tuple of str
        Where offsets of contexts cannot be separated from other mixes.
    objectives : ndarray of shape (n_epochs,)
        What each epoch of training ended at, in nats per sample: the bound, of samples that were
        held out where there are some.
    holds_out : bool
        Whether some samples were held out of training.
    edges : tuple of (str, str, float, bool)
        Parent, child, weight of this direction, and whether the arrow is compelled.
    adjacent : mapping of (str, str) to float
        How probable it is that the nodes of an edge are joined, either way. Empty where edges have
        no probabilities (``edge_probabilities_``).
    differs : mapping of str to tuple
        Of each node the columns in which the means of its outcomes differ most: ``modality``,
        ``column``, ``size`` in standard deviations within cells, and of words and booleans
        ``share``, a difference of shares.
    calibration : mapping of str to CalibrationCurve
        How sure the fit is of the cells of 300 samples that it draws, and how often it is right, by
        what is seen of them; see :func:`calibration_curves`. Empty where it cannot draw, or where
        that takes seconds.
    depths : tuple of str
        Tables of counts whose depth, the sum of a row, was divided out.
    contexts : mapping of str to ContextReport
        What is found of each context. Empty without contexts.
    goodness : GoodnessOfFit or None
        Where the model does not hold, if that was asked.
    halves : mapping of str to str
        What halves of the samples say against a node, if that was asked.
    lacking : tuple
        Columns whose values are missing in some cells more often than by chance.
    missing : mapping of str to float
        Share of the values that are missing, of the modalities that lack some.
    alarms : tuple of Alarm
        What was found, with its code, severity, subject, figure, sentence and remedy: alarms first,
        which say that cells or nodes may be wrong, then notes.
    detail : {"short", "full"}
        What is printed: 25 lines (more where alarms need them), or all.

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

    alarms: tuple[Alarm, ...] = ()
    detail: str = "short"

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
        detail: str = "short",
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
        detail : {"short", "full"}, default="short"
            What is printed.

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
        dag = node_graph(est.dag_)
        edges = [
            (*e, attributes["weight"], attributes["compelled"])
            for *e, attributes in dag.edges(data=True)
        ]
        tables = zip(est.modality_names_in_, fitted_form(est).tables, strict=True)
        codings = [(str(name), table.coding) for name, table in tables]
        words = dict(zip(map(str, dag), outcome_names(est), strict=True))
        report = collected(
            cls,
            vars(est),
            doubts(est._fitted.contexts),
            edges=tuple(edges),
            adjacent=nx.get_edge_attributes(dag, ADJACENT),
            differs=differing_columns(est),
            calibration=curves_of_own_draws(est),
            depths=tuple(name for name, coding in codings if coding and coding.has_depth),
            contexts=reported_contexts(est),
            lacking=lacks(est.cell_values_, fitted_form(est), est.cluster_states_, words),
            missing=missing_shares(est.cell_values_),
            detail=detail,
        )
        if check and X is not None:
            unseen = unseen_parts(est, X, units, caller="report")
            pairs = zip(unseen.node_names, unseen.why_not, strict=True)
            halves = {name: why for name, why in pairs if why}
            goodness = goodness_of_fit(est, X, groups=units.numbers)
            report = replace(report, goodness=goodness, halves=halves)
        report = replace(report, alarms=all_findings(report))
        object.__setattr__(report, "_of", (copy.copy(est), X))
        return report

    @property
    def verdict(self) -> str:
        """What to make of cells and nodes: ``"told"``, ``"not told"`` or ``"alarmed"``.

        ``"alarmed"`` where there is an alarm: cells or nodes may be wrong. Else ``"told"`` where
        all nodes are supported or known as factors, or there is one, which claims nothing;
        ``"not told"`` where means of cells do not separate a grid from kinds
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
        if are_alarmed(self.alarms):
            return "alarmed"
        return "not told" if unseparated(self) else "told"

    @property
    def advice(self) -> tuple[str, ...]:
        """What was found and what to do about it, a text each, the most urgent first.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> CausalPIMA(2, max_iter=2, random_state=0).fit(X).report().advice[0][:32]
        'No alarm was raised. Checked: ce'
        """
        return tuple(as_text(one) for one in self.alarms) or (read_on(self),)

    def __str__(self) -> str:
        lines = short_lines if self.detail == "short" else full_lines
        return "\n".join(map(printable, lines(self, self.alarms)))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the report for a notebook; names are escaped."""
        cells, figures, advice = self._pages()
        parts = f"{tag('h4', title(self, self.alarms))}{advice}<b>Cells</b>{cells}{figures}"
        return f'{STYLE}<div class="skcausalpima-report">{parts}</div>'

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
            outcomes_of(self, self.cells), columns=list(self.node_names)
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
        page = mailed_page(title(self, self.alarms), verdict, pages, self._of, results)
        write_page(path, page)

    def __getstate__(self) -> Values:
        """Return the figures alone: a pickle holds neither the estimator nor samples."""
        return {name: value for name, value in vars(self).items() if name != "_of"}

    def _pages(self) -> tuple[str, str, str]:
        """Write cells, figures and advice as parts of a page."""
        widest = max(self.shares.max(), np.finfo(float).tiny)
        lengths = self.shares[:MAX_CELLS] / widest
        named = outcomes_of(self, self.cells[:MAX_CELLS])
        rows = [
            (*outcomes, percent(share)) for outcomes, share in zip(named, self.shares, strict=False)
        ]
        head = (*self.node_names, "share")
        table = cells_page(head, rows, lengths, other_cells(self, MAX_CELLS))
        name, nodes = nodes_block(self, self.alarms)
        nodes_page = f"<b>{name}</b>{advice_page(nodes)}"
        return table, nodes_page + figures_page(sections(self)), advice_page(self.advice)
