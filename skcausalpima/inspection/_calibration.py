"""Calibration curves: how often outcomes are right, beside their probabilities."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._base.grid import NodeGrid
from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import check_count, count, validate_params
from .._base.types import KnownNodes, Samples, Seed
from .._data.known_nodes import outcome_names, read_outcomes
from .._data.sample_weight import check_weights
from .._data.several import check_rows_with
from .._data.validation import fitted_form, read_modalities
from .._structure.digraphs import node_graph
from ._fitted_estimator import check_estimator

CELLS, ALL = "cells", "all"  # what is asked of all nodes together, and seen of a sample
#: Two normal deviations that hold 95 %, as in other intervals of shares.
DEVIATIONS = 1.959964
ROUNDING = 1e-3  # of sums of probabilities in single precision


@dataclass(frozen=True, kw_only=True, repr=False)
class CalibrationCurve(ShownTable):
    """How often the most probable outcome is right, by how probable it is said to be.

    Samples lie in bins of equal mass by the probability of their most probable outcome. Of
    probabilities that are calibrated the two are the same, up to the chance of so many samples.

    Parameters
    ----------
    prob_pred : ndarray of shape (n_bins,)
        Mean probability of the most probable outcome in each bin, the least sure one first.
    prob_true : ndarray of shape (n_bins,)
        Share of the samples of which it is the true one.
    counts : ndarray of shape (n_bins,)
        Number of samples, or sum of their weights. What lies across a border of bins, equal
        probabilities above all, is shared between them.

    See Also
    --------
    calibration_curves : Those of a fitted estimator.
    CalibrationDisplay : The picture.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import CalibrationCurve
    >>> curve = CalibrationCurve(
    ...     prob_pred=np.array([0.6, 0.9]), prob_true=np.array([0.6, 0.8]),
    ...     counts=np.array([50.0, 50.0]))
    >>> print(f"said {curve.confidence:.2f}, right {curve.accuracy:.2f}")
    said 0.75, right 0.70
    >>> print(f"{curve.expected_calibration_error:.2f}")
    0.05
    >>> curve.interval.round(2)
    array([[0.46, 0.72],
           [0.67, 0.89]])
    """

    prob_pred: np.ndarray
    prob_true: np.ndarray
    counts: np.ndarray

    @property
    def confidence(self) -> float:
        """Mean probability of the most probable outcome.

        Examples
        --------
        >>> from skcausalpima.inspection import CalibrationDisplay
        >>> display = CalibrationDisplay.from_predictions([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.6])
        >>> curve = display.curves["outcome", "all"]
        >>> print(f"{curve.confidence:.2f}")
        0.80
        """
        return float(np.average(self.prob_pred, weights=self.counts))

    @property
    def accuracy(self) -> float:
        """Share of the samples of which it is the true one.

        Examples
        --------
        >>> from skcausalpima.inspection import CalibrationDisplay
        >>> display = CalibrationDisplay.from_predictions([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.6])
        >>> curve = display.curves["outcome", "all"]
        >>> print(f"{curve.accuracy:.2f}")
        0.75
        """
        return float(np.average(self.prob_true, weights=self.counts))

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of what is said and what is right; chance alone makes it more than 0.

        Examples
        --------
        >>> from skcausalpima.inspection import CalibrationDisplay
        >>> display = CalibrationDisplay.from_predictions([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.6])
        >>> curve = display.curves["outcome", "all"]
        >>> print(f"{curve.expected_calibration_error:.2f}")
        0.22
        """
        return float(np.average(np.abs(self.prob_true - self.prob_pred), weights=self.counts))

    @property
    def interval(self) -> np.ndarray:
        """Wilson's intervals of the shares, at 95 %, of shape (n_bins, 2).

        Examples
        --------
        >>> from skcausalpima.inspection import CalibrationDisplay
        >>> display = CalibrationDisplay.from_predictions([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.6])
        >>> curve = display.curves["outcome", "all"]
        >>> curve.interval.shape
        (3, 2)
        """
        n, square = self.counts, DEVIATIONS**2
        middle = self.prob_true + square / (2 * n)
        half = np.sqrt(self.prob_true * (1 - self.prob_true) * square / n + (square / (2 * n)) ** 2)
        return np.stack([middle - half, middle + half], axis=1) / (1 + square / n)[:, None]

    def to_frame(self) -> Frame:
        """Return one row per bin.

        Returns
        -------
        pandas.DataFrame
            Columns are ``prob_pred``, ``prob_true``, ``low``, ``high`` and ``count``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import CalibrationCurve
        >>> CalibrationCurve(
        ...     prob_pred=np.array([0.9]), prob_true=np.array([0.8]), counts=np.array([50.0])
        ... ).to_frame().round(2)
           prob_pred  prob_true   low  high  count
        0        0.9        0.8  0.67  0.89   50.0
        """
        low, high = self.interval.T
        columns = {"prob_pred": self.prob_pred, "prob_true": self.prob_true}
        columns |= {"low": low, "high": high, "count": self.counts}
        return pandas_for("to_frame").DataFrame(columns)

    def _as_table(self) -> TableText:
        """Write a row for each bin."""
        rows = [
            [f"{said:.2f}", f"{right:.2f}", f"{low:.2f} to {high:.2f}", f"{n:.0f}"]
            for said, right, (low, high), n in zip(
                self.prob_pred, self.prob_true, self.interval, self.counts, strict=True
            )
        ]
        title = f"Said {self.confidence:.2f}, right {self.accuracy:.2f}"
        return TableText(title, ("said", "right", "95 % interval", "samples"), rows)


def curve_of(
    y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None, n_bins: int
) -> CalibrationCurve:
    """Return the curve of probabilities (n_samples, n_outcomes) and the numbers of true outcomes.

    Samples with an outcome below 0 are left out. Equal probabilities count alike, so that the order
    of the samples makes no difference and integer weights are repetition.
    """
    n_bins = check_count(n_bins, "n_bins")
    outcomes, probabilities = np.asarray(y_true), np.asarray(y_prob, dtype=np.float64)
    if probabilities.ndim == 1:
        probabilities = np.stack([1 - probabilities, probabilities], axis=1)
    _check(outcomes, probabilities)
    weights = _weights(sample_weight, len(outcomes)) * (outcomes >= 0)
    if not weights.any():
        raise ValueError("y_true has no known outcome that counts: all are below 0, or weigh 0.")
    kept = weights > 0
    values, which = np.unique(probabilities.max(axis=1)[kept], return_inverse=True)
    right = probabilities.argmax(axis=1) == outcomes
    mass, hits = np.bincount(which, weights[kept]), np.bincount(which, (weights * right)[kept])
    n_bins = min(n_bins, len(values))
    counts = np.full(n_bins, mass.sum() / n_bins)
    means = [_sums_of_bins(amounts, mass, n_bins) / counts for amounts in (mass * values, hits)]
    return CalibrationCurve(prob_pred=means[0], prob_true=means[1].clip(0, 1), counts=counts)


def _sums_of_bins(amounts: np.ndarray, mass: np.ndarray, n_bins: int) -> np.ndarray:
    """Return sums over bins of equal mass; what lies across a border is shared."""
    ends, sums = (np.concatenate([[0.0], np.cumsum(part)]) for part in (mass, amounts))
    return np.diff(np.interp(np.linspace(0, ends[-1], n_bins + 1), ends, sums))


def _weights(sample_weight: ArrayLike | None, n_samples: int) -> np.ndarray:
    """Return checked weights, ones for None."""
    return check_weights(1.0 if sample_weight is None else sample_weight, n_samples)


def _check(outcomes: np.ndarray, probabilities: np.ndarray) -> None:
    """Check that probabilities are such, and that outcomes are columns of them."""
    if probabilities.ndim != 2 or outcomes.shape != probabilities.shape[:1]:
        raise ValueError(
            "y_prob must have shape (n_samples, n_outcomes), and y_true one outcome for each "
            f"sample, got shapes {probabilities.shape} and {outcomes.shape}."
        )
    sums = probabilities.sum(axis=1)
    if not ((probabilities >= 0).all() and (np.abs(sums - 1) <= ROUNDING).all()):
        raise ValueError("y_prob must hold probabilities: none below 0, and rows that sum to 1.")
    if outcomes.dtype.kind not in "iu" or (outcomes >= probabilities.shape[1]).any():
        raise ValueError(
            f"y_true must hold whole numbers below {probabilities.shape[1]}, columns of y_prob, "
            "or -1 where the outcome is unknown."
        )


@validate_params(
    {"n_bins": [count(1)], "n_samples": [count(1)], "random_state": ["random_state"]},
    prefer_skip_nested_validation=True,
)
def calibration_curves(
    est: BaseEstimator,
    X: Samples | None = None,
    known_nodes: KnownNodes = None,
    *,
    sample_weight: ArrayLike | None = None,
    n_bins: int = 5,
    n_samples: int = 1000,
    random_state: Seed = None,
) -> dict[tuple[str, str], CalibrationCurve]:
    """Compare how sure a fitted estimator is of nodes with how often it is right.

    With ``known_nodes``, of samples whose outcomes are known. They should not have been known to
    the fit, or it has learned them. Without, of samples that the model draws itself, the cells of
    which are known. This asks whether the probabilities are those that its own decoders, noise and
    mixture entail: it checks the approximation of the posterior, and the encoders. It does *not*
    check the model. Where the data are otherwise than the model thinks, draws cannot tell.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
        Samples, in any form that it accepts. None draws some.
    known_nodes : array-like of shape (n_samples, n_nodes), DataFrame or mapping, default=None
        True outcomes of X, as in ``fit``: numbers or labels; -1, NaN or None where unknown. What is
        unknown is left out, and cells count where all of their nodes are known.
    sample_weight : array-like of shape (n_samples,), default=None
        For how many samples each one counts.
    n_bins : int, default=5
        Number of bins, of equal mass; at most one for each probability that occurs.
    n_samples : int, default=1000
        Number of draws, if X is None.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    dict of (str, str) to CalibrationCurve
        By what is asked, "cells" (with several nodes) or a node, and what is seen of the samples:
        "all" that there is, or with several modalities a single one, in the samples that have it.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If ``est`` is no CausalPIMA, such as a pipeline that holds one.
    ValueError
        If only one of X and ``known_nodes`` is given, they do not go together, or nothing is known.

    See Also
    --------
    CalibrationDisplay : The picture.
    skcausalpima.CausalPIMA.predict_proba : The probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import calibration_curves
    >>> rng = np.random.default_rng(0)
    >>> group = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 2 * group[:, None]
    >>> est = CausalPIMA(2, max_iter=20, random_state=0).fit(X[:200])
    >>> curves = calibration_curves(est, X, {"N1": est.predict(X)})  # right by construction
    >>> print(f"{curves['N1', 'all'].accuracy:.2f}")
    1.00
    >>> curve = calibration_curves(est, random_state=0)["N1", "all"]
    >>> print(f"said {curve.confidence:.1f}, right {curve.accuracy:.1f}")
    said 0.9, right 0.9
    """
    check_estimator(est, "calibration_curves")
    if (X is None) != (known_nodes is None) or (X is None and sample_weight is not None):
        raise ValueError(
            "X and known_nodes go together, with sample_weight if it is given: pass samples and "
            "their true outcomes, or none of these, which asks for draws of the model."
        )
    if X is None:
        X, outcomes = _drawn(est, n_samples, random_state)
    else:
        outcomes = _known(est, X, known_nodes)
    weights = _weights(sample_weight, len(outcomes))
    curves = {}
    for view, rows, samples in _views(est, X):
        for asked, y_true, y_prob in _questions(est, outcomes[rows], samples):
            if weights[rows][y_true >= 0].any():
                curves[asked, view] = curve_of(y_true, y_prob, weights[rows], n_bins)
    if not curves:
        raise ValueError("known_nodes has no known outcome in any sample that counts.")
    return curves


def curves_of_draws(
    est: BaseEstimator, n_samples: int, random_state: Seed, alone: bool
) -> dict[str, CalibrationCurve]:
    """Return how sure an estimator is of the cells of its own draws, by what is seen of them.

    ``alone`` says whether it is asked about modalities alone, too.
    """
    X, outcomes = _drawn(est, n_samples, random_state)
    curves = {}
    for view, _, samples in _views(est, X):
        _, y_true, y_prob = next(_questions(est, outcomes, samples))
        curves[view] = curve_of(y_true, y_prob, None, n_bins=5)
        if not alone:
            break
    return curves


def _drawn(est: BaseEstimator, n_samples: int, random_state: Seed) -> tuple[Samples, np.ndarray]:
    """Return samples that the model draws, and the outcomes of their cells."""
    drawing = copy.copy(est)
    drawing.random_state = check_random_state(random_state)
    X, components = drawing.sample(n_samples)
    return X, est.cluster_states_[components]


def _known(est: BaseEstimator, X: Samples, known_nodes: KnownNodes) -> np.ndarray:
    """Return the outcomes that are known, -1 where they are not."""
    check_rows_with(X, known_nodes=known_nodes)
    n_samples = read_modalities(est, X, reset=False).n_samples
    dag = node_graph(est.dag_)
    nodes = dict(dag.nodes(data="size"))
    outcomes, _ = read_outcomes(known_nodes, "known_nodes", n_samples, nodes, outcome_names(dag))
    return np.full((n_samples, len(nodes)), -1) if outcomes is None else outcomes


def _views(est: BaseEstimator, X: Samples) -> Iterator[tuple[str, np.ndarray, Samples]]:
    """Yield what is seen, in which samples, and these: everything, and then each modality alone."""
    data = read_modalities(est, X, reset=False)
    yield _unlike(ALL, data.names), np.ones(data.n_samples, dtype=bool), X
    for m, name in enumerate(data.names if len(data.names) > 1 else ()):
        rows = data.observed[m]
        if rows.any():
            part = data.take(rows)
            arrays = [np.full((part.n_samples, *shape), np.nan) for shape in data.shapes]
            arrays[m] = np.where(part.missing_elements(m), np.nan, np.asarray(part.arrays[m]))
            yield name, rows, fitted_form(est).write(arrays, part.contexts)


def _questions(
    est: BaseEstimator, outcomes: np.ndarray, samples: Samples
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield what is asked, cells and each node, with true outcomes and their probabilities."""
    probabilities, states = est.predict_proba(samples), est.cluster_states_
    dag = node_graph(est.dag_)
    if states.shape[1] > 1:
        grid = NodeGrid(est.joint_.shape)
        components = np.argsort(grid.cells(states))[grid.cells(np.maximum(outcomes, 0))]
        known = (outcomes >= 0).all(axis=1)
        yield _unlike(CELLS, dag), np.where(known, components, -1), probabilities
    for j, (node, size) in enumerate(dag.nodes(data="size")):
        parts = [probabilities[:, states[:, j] == k].sum(axis=1) for k in range(size)]
        yield node, outcomes[:, j], np.stack(parts, axis=1)


def _unlike(name: str, others: Iterable[str]) -> str:
    """Return a name for the whole that none of its parts has."""
    return name if name not in others else _unlike(f"{name} of them", others)
