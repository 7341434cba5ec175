"""Whether a fit is any good: its figures in a text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator

from .._grid import NodeGrid
from ._calibration import CalibrationCurve, curves_of_draws
from ._fitted_estimator import check_estimator, outcome_names
from ._report_advice import ADVICE, ALL_WELL
from ._report_layout import (
    STYLE,
    WIDTH,
    cells_as_html,
    cells_as_text,
    escaped,
    line_as_text,
    wrapped,
)
from ._report_sections import SECTIONS

N_DRAWS = 300  # that the model is asked about: shares are exact to 0.03
MOST_CELLS, MOST_MODALITIES = 32, 4  # are asked about modalities alone: more take a second
MOST_ELEMENTS = 500  # of a sample, for networks such as convolutions: larger ones take seconds


@dataclass(frozen=True, kw_only=True, repr=False)
class FitReport:
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
    separation : SimpleNamespace
        The estimator's ``separation_``.
    merged : ndarray of shape (n_pairs, 2, n_nodes)
        The outcomes of the cells that have merged, in pairs.
    arrangement : SimpleNamespace or None
        Its ``arrangement_``.
    stability : SimpleNamespace
        Its ``stability_``.
    gaps : SimpleNamespace or None
        Its ``gaps_``.
    joined : ndarray of shape (n_pairs, 2, n_nodes)
        The outcomes of the cells without a gap between them, in pairs.
    n_iter : int
        Number of epochs.
    convergence : SimpleNamespace
        Its ``convergence_``.
    edges : tuple of (str, str, float, bool)
        Parent, child, weight, and whether the arrow is compelled.
    choices : SimpleNamespace
        Its ``choices_``.
    advice : tuple of str
        What to do next, the most urgent first.
    outcome_names : tuple of tuple of str
        Names of the outcomes of each node; numbers where they have none.
    calibration : mapping of str to CalibrationCurve
        How sure the fit is of the cells of 300 samples that it draws, and how often it is right, by
        what is seen of them; see :func:`calibration_curves`. Empty where it cannot draw, or where
        that takes seconds.

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

    node_names: tuple[str, ...]
    node_sizes: tuple[int, ...]
    n_samples: int
    cells: np.ndarray
    shares: np.ndarray
    separation: SimpleNamespace
    merged: np.ndarray
    arrangement: SimpleNamespace | None
    stability: SimpleNamespace
    gaps: SimpleNamespace | None
    joined: np.ndarray
    n_iter: int
    convergence: SimpleNamespace
    edges: tuple[tuple[str, str, float, bool], ...]
    choices: SimpleNamespace
    advice: tuple[str, ...] = ()
    outcome_names: tuple[tuple[str, ...], ...] = ()
    calibration: Mapping[str, CalibrationCurve] = field(default_factory=dict)

    @classmethod
    def of(cls, est: BaseEstimator) -> FitReport:
        """Collect the figures of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.

        Returns
        -------
        FitReport
            Its figures, and what they ask for.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
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
        order = np.argsort(-est.separation_.occupancy, kind="stable")
        edges = [(*e, of["weight"], of["compelled"]) for *e, of in est.dag_.edges(data=True)]
        found = cls(
            node_names=tuple(map(str, est.dag_)),
            node_sizes=tuple(est.joint_.shape),
            n_samples=len(est.labels_),
            cells=est.cluster_states_[order],
            shares=est.separation_.occupancy[order],
            separation=est.separation_,
            merged=est.cluster_states_[est.separation_.merged],
            arrangement=est.arrangement_,
            stability=est.stability_,
            gaps=est.gaps_,
            joined=_outcomes_of_joined(est),
            n_iter=est.n_iter_,
            convergence=est.convergence_,
            edges=tuple(edges),
            outcome_names=tuple(map(tuple, outcome_names(est))),
            choices=est.choices_,
            calibration=_of_own_draws(est),
        )
        advice = [sentence for rule in ADVICE if (sentence := rule(found)) is not None]
        return replace(found, advice=tuple(advice or [ALL_WELL]))

    def __str__(self) -> str:
        title = f"Fit of {self.n_samples} samples: {_nodes_in_words(self)}"
        parts = [
            textwrap.fill(title, WIDTH),
            "=" * min(WIDTH, len(title)),
            *cells_as_text(self.node_names, self._named(self.cells), self.shares),
        ]
        for name, lines in SECTIONS.items():
            found = list(lines(self))
            parts += ["", name] if found else []
            for label, value in found:
                parts += line_as_text(label, value)
        parts += ["", "What to do next"]
        for number, sentence in enumerate(self.advice, 1):
            parts.append(wrapped(f"{number}. {sentence}", "  ", "     "))
        return "\n".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _named(self, cells: np.ndarray) -> list[list[str]]:
        """Return the names of the outcomes of cells."""
        named = self.outcome_names or [tuple(map(str, range(size))) for size in self.node_sizes]
        return [[of[k] for of, k in zip(named, row, strict=True)] for row in cells.tolist()]

    def _repr_html_(self) -> str:
        """Return the report for a notebook; names are escaped."""
        parts = [STYLE, '<div class="skcausalpima-report">']
        parts.append(f"<h4>Fit of {self.n_samples} samples: {escaped(_nodes_in_words(self))}</h4>")
        parts.append(cells_as_html(self.node_names, self._named(self.cells), self.shares))
        for name, lines in SECTIONS.items():
            rows = "".join(
                f"<tr><th>{escaped(label)}</th><td>{escaped(value)}</td></tr>"
                for label, value in lines(self)
            )
            parts += [f"<b>{name}</b><table>{rows}</table>"] if rows else []
        items = "".join(f"<li>{escaped(sentence)}</li>" for sentence in self.advice)
        parts += [f'<b>What to do next</b><ol class="advice">{items}</ol>', "</div>"]
        return "".join(parts)


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


def _outcomes_of_joined(est: BaseEstimator) -> np.ndarray:
    """Return the outcomes of the cells that have no gap between them, in pairs."""
    grid = NodeGrid(est.joint_.shape)
    pairs = np.empty((0, 2), int) if est.gaps_ is None else est.gaps_.pairs
    return grid.outcomes(pairs.ravel()).reshape(-1, 2, len(grid.sizes))


def _nodes_in_words(report: FitReport) -> str:
    """Write nodes and their numbers of outcomes."""
    nodes = zip(report.node_names, report.node_sizes, strict=True)
    return " x ".join(f"{name} ({size})" for name, size in nodes)
