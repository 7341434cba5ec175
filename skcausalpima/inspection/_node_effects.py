"""What tells cells apart: effects of nodes on columns, in samples that the fit has not seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import validate_params
from .._base.types import Abscissa, Groups, Samples
from .._data.element_axes import stated_axes
from .._data.several import check_rows_with
from .._data.stated_axes import axes_of_sample
from .._held_out.stated_units import units_of
from .._inference.kept_models import samples_of
from .._structure.digraphs import node_graph
from ._asked_columns import AskedColumns
from ._compared_outcomes import (
    LEVEL,
    N_SHOWN,
    Table,
    compare_groups,
    compare_outcomes,
    kinds_of,
)
from ._fitted_estimator import check_estimator, outcome_names
from ._metadata_columns import read_groups
from ._unseen import unseen_parts

#: Tables of lines, by node or kind.
Lines: TypeAlias = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NodeEffects(ShownTable):
    """Effects of the outcomes of nodes on single columns, pixels or points of curves.

    With ``by`` those of groups within kinds stand in the places of nodes and outcomes. All tables
    have a row for each outcome and a column for each of ``columns``; NaN where nothing is said.

    Parameters
    ----------
    effect : dict of str to ndarray of shape (n_outcomes, n_columns)
        By how much a column is larger with the outcome than with the node's others, the other nodes
        averaged, in the data's units: differences of probabilities where a column has levels, of
        counts where it has counts. A node of two outcomes has the same effect twice, with both
        signs.
    low, high : dict of str to ndarray of shape (n_outcomes, n_columns)
        Ends of 95 % intervals, each by itself.
    p_value : dict of str to ndarray of shape (n_outcomes, n_columns)
        Of no effect, each by itself.
    false_discovery_rate : dict of str to ndarray of shape (n_outcomes, n_columns)
        Adjusted p-values by Benjamini and Hochberg, of all lines together: of those up to 0.05
        about one in twenty has no effect.
    outcomes : dict of str to tuple of str
        Names of the outcomes of each node, or of the groups of each kind.
    columns : tuple of (str, str)
        Modality and name of each column: where it lies ("1001 cm-1"), the name of its element, a
        column and its level ("species=Adelie"), or the numbers of a pixel ("3,4").
    shapes : dict of str to tuple of int
        Shape of the columns of each modality, in their order.
    axes : dict of str to (ndarray, (str, ndarray) or list), default={}
        Where the columns of a modality lie, if something says so: see
        :class:`~skcausalpima.MultimodalData`.
    untested : dict of str to str
        Why nothing is said of nodes, of those that were not tested.
    notes : tuple of str
        What else bounds the answer.

    See Also
    --------
    NodeEffectDisplay.from_effects : The picture.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import node_effects
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 6)) + 4.0 * rng.integers(2, size=(200, 1)) * (np.arange(6) < 4)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X[:100])
    >>> found = node_effects(model, X[100:], seen=False)
    >>> np.abs(found.effect["N1"][1]).round(), found.discovered["N1"][1]
    (array([4., 4., 4., 4., 0., 0.]), array([ True,  True,  True,  True, False, False]))
    """

    effect: Lines
    low: Lines
    high: Lines
    p_value: Lines
    false_discovery_rate: Lines
    outcomes: dict[str, tuple[str, ...]]
    columns: tuple[tuple[str, str], ...]
    shapes: dict[str, tuple[int, ...]]
    axes: dict[str, Abscissa] = field(default_factory=dict)
    untested: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def discovered(self) -> Lines:
        """Whether the false discovery rate is at most 0.05.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import NodeEffects
        >>> one = {"N1": np.array([[0.04, 0.2]])}
        >>> found = NodeEffects(
        ...     effect=one, low=one, high=one, p_value=one, false_discovery_rate=one,
        ...     outcomes={"N1": ("1",)}, columns=(("X", "a"), ("X", "b")), shapes={"X": (2,)})
        >>> found.discovered
        {'N1': array([[ True, False]])}
        """
        return {name: rates <= LEVEL for name, rates in self.false_discovery_rate.items()}

    def to_frame(self) -> Frame:
        """Return a row for each effect that was tested.

        Returns
        -------
        pandas.DataFrame
            Columns are ``node``, ``outcome``, ``modality``, ``column``, ``position`` (the number
            along the axis of a curve; NaN without), ``effect``, ``low``, ``high``, ``p_value``,
            ``false_discovery_rate`` and ``discovered``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import node_effects
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 4)) + 5 * rng.integers(2, size=(200, 1))
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X[:100])
        >>> node_effects(model, X[100:], seen=False).to_frame()["discovered"].sum()
        np.int64(8)
        """
        pd = pandas_for("to_frame")
        tables = {
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "false_discovery_rate": self.false_discovery_rate,
            "discovered": self.discovered,
        }
        where = self._positions()
        rows = [
            (
                *(name, outcome, *self.columns[j], where[j]),
                *(table[name][k, j] for table in tables.values()),
            )
            for name, outcomes in self.outcomes.items()
            for k, outcome in enumerate(outcomes)
            for j in np.flatnonzero(np.isfinite(self.effect[name][k]))
        ]
        head = ["node", "outcome", "modality", "column", "position"]
        return pd.DataFrame(rows, columns=[*head, *tables])

    def _positions(self) -> np.ndarray:
        """Return the number along the axis of a curve of each column; NaN without one."""
        parts = []
        for name, shape in self.shapes.items():
            axes = axes_of_sample(self.axes[name], shape, name) if name in self.axes else ()
            along = axes[0].values if len(axes) == 1 and axes[0] is not None else np.nan
            parts.append(np.broadcast_to(along, np.prod(shape, dtype=int)))
        return np.concatenate(parts)

    def _as_table(self) -> TableText:
        """Write the largest differences of each outcome, and how many there are."""
        rows, notes = list[list[str]](), list[str]()
        for name, outcomes in self.outcomes.items():
            if name in self.untested:
                notes.append(self.untested[name])
                continue
            skip_first = len(outcomes) == 2
            for k in range(int(skip_first), len(outcomes)):
                what = f"{name}={outcomes[k]}" + (f" beside {outcomes[0]}" if skip_first else "")
                n_tested = np.isfinite(self.false_discovery_rate[name][k]).sum()
                which = np.flatnonzero(self.discovered[name][k])
                notes.append(f"{what}: {len(which)} of {n_tested} columns differ.")
                order = which[np.argsort(self.p_value[name][k][which], kind="stable")][:N_SHOWN]
                figures = (getattr(self, part)[name][k] for part in ("effect", "low", "high"))
                for j, (effect, low, high) in zip(
                    order, np.stack([*figures], 1)[order], strict=True
                ):
                    ends = f"{low:.3g} to {high:.3g}"
                    rows.append([what, *self.columns[j], f"{effect:+.3g}", ends])
        title = f"Columns that differ between outcomes (at most {N_SHOWN} of each)"
        head = "outcome", "modality", "column", "effect", "95 % interval"
        return TableText(title if rows else "", head, rows, [*notes, *self.notes])


@validate_params({"seen": ["boolean"]}, prefer_skip_nested_validation=True)
def node_effects(
    est: BaseEstimator,
    X: Samples,
    *,
    by: ArrayLike | None = None,
    groups: Groups = None,
    seen: bool = True,
) -> NodeEffects:
    r"""Test which columns differ between the outcomes of nodes, in samples that are not the fit's.

    Clusters differ in the columns that found them, also where there are none: a t-test between
    labels finds differences in noise in every run. Here samples are asked that the fit has not
    seen, and each column is compared by cells that know nothing of it.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples, in any form that it accepts.
    by : array-like of shape (n_samples,), default=None
        Groups that are given, such as the instrument or the treatment; None or NaN where unknown.
        Then these are compared within each kind: each combination of outcomes of those nodes that
        can be tested.
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together: halves keep
        them together, errors are those of groups, and numbers of samples that are needed are
        numbers of groups (:doc:`/guide/groups`).
    seen : bool, default=True
        Whether the fit has seen X. Then clones of the estimator are fitted to two random halves,
        without further parameters of ``fit``, and each is asked about the other half. False asks
        the fit itself, about samples that are new to it.

    Returns
    -------
    NodeEffects
        Effects, intervals, p-values and false discovery rates.

    Raises
    ------
    TypeError
        If ``est`` is none, such as a pipeline or a search that holds one.
    NotFittedError
        If it is not fitted.
    ValueError
        If rows are samples of the fit though ``seen`` is False, there are too few samples for
        halves, ``groups`` lack a label or have but one, ``by`` names a node, has another number of
        entries, a single group, or as many as numbers have, or a modality is on disk.

    See Also
    --------
    associate_nodes : How nodes depend on known properties of the samples.
    NodeEffectDisplay : Draws them.

    Notes
    -----
    Columns are left out in folds: with :math:`r_{ic} = q(c \mid x_i \text{ without the fold})`
    least squares of :math:`x_{ij}` on :math:`r_i` has the means of cells without bias, if columns
    of different folds are independent given the cell. Neighbours in curves and images are left out
    together, in stretches and patches. Errors are HC3, of groups CR3, with as many degrees of
    freedom as there are groups, less the cells; and the p-value is the larger of theirs and
    that of plain least squares on normal scores. Words and booleans are tested by indicators of
    their levels. Modalities that cannot lack single elements (experts, decoders per cluster) are
    left out as a whole.

    Nothing is said of a node that cuts one heap in two (``gaps_.cut``, and a line explains the
    samples as well as two heaps do), or of which halves of the samples agree no more than halves of
    one cluster with the same covariance do; nor of cells of fewer than 20 samples, nor of columns
    without which nothing else shows the node.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import node_effects
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 6)) + 4.0 * rng.integers(2, size=(200, 1)) * (np.arange(6) < 4)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> print(node_effects(model, X).discovered["N1"][1])
    [ True  True  True  True False False]
    """
    check_estimator(est, "node_effects")
    check_estimator(est, "node_effects")
    X, units = units_of(est, X, groups)
    codes, compared = None, tuple[str, ...]()
    if by is not None:
        check_rows_with(X, by=by)
        codes, labels = read_groups(by, samples_of(est, X).n_samples, tuple(node_graph(est.dag_)))
        compared = tuple(map(str, labels))
    parts = unseen_parts(est, X, units, seen=seen, caller="node_effects")
    reasons = zip(parts.node_names, parts.why_not, strict=True)
    untested = {name: why for name, why in reasons if why}
    asked = AskedColumns.of(est, X, parts)
    if codes is None:
        lines, untested = compare_outcomes(asked, est, untested)
        named = zip(parts.node_names, outcome_names(est), strict=True)
        outcomes = {name: tuple(words) for name, words in named}
        return _corrected(asked, lines, outcomes, untested, parts.untold)
    kinds, shares = kinds_of(est, parts.node_names, untested)
    lines, lacking = compare_groups(asked, kinds, shares, codes, len(compared))
    notes = tuple(f"{name} makes no kinds: {why}" for name, why in untested.items())
    return _corrected(asked, lines, dict.fromkeys(kinds, compared), lacking, notes + parts.untold)


def _corrected(
    asked: AskedColumns,
    lines: dict[str, Table],
    outcomes: dict[str, tuple[str, ...]],
    untested: dict[str, str],
    notes: tuple[str, ...] = (),
) -> NodeEffects:
    """Adjust p-values of all lines together."""
    effect, low, high, p_value = ({name: part[k] for name, part in lines.items()} for k in range(4))
    every = np.concatenate([part.ravel() for part in p_value.values()])
    rates, is_known = np.full(len(every), np.nan), ~np.isnan(every)
    if is_known.any():
        rates[is_known] = stats.false_discovery_control(every[is_known])
    ends = np.cumsum([part.size for part in p_value.values()])[:-1]
    pairs = zip(p_value.items(), np.split(rates, ends), strict=True)
    return NodeEffects(
        effect=effect,
        low=low,
        high=high,
        p_value=p_value,
        false_discovery_rate={
            name: part.reshape(p_values.shape) for (name, p_values), part in pairs
        },
        outcomes=outcomes,
        columns=asked.names,
        shapes=asked.shapes,
        axes={
            n: stated for n, axes in asked.axes.items() if (stated := stated_axes(axes)) is not None
        },
        untested=untested,
        notes=notes,
    )
