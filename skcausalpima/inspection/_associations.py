"""Associations of nodes with known properties of the samples."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_random_state

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import count, validate_params
from .._base.scikit_learn import StrOptions
from .._base.types import Groups, Samples, Seed
from .._data.several import check_rows_with
from .._held_out.stated_units import units_of
from .._held_out.units import Units
from .._structure.digraphs import node_graph
from ._fitted_estimator import check_estimator
from ._metadata_columns import Metadata, read_metadata
from ._permutation_tests import Tested, exchange_test, numbers_test, table_test


@dataclass(frozen=True, kw_only=True, repr=False)
class NodeAssociations(ShownTable):
    """How nodes and columns of metadata depend on each other.

    Parameters
    ----------
    statistic : ndarray of shape (n_nodes, n_columns)
        The measure, from 0 for independence to 1; NaN where the node or the column has one outcome
        only.
    p_value : ndarray of shape (n_nodes, n_columns)
        Part of the permutations, the data itself among them, whose statistic is as large; 1 where
        the statistic is NaN. Not corrected for the number of pairs.
    expected : ndarray of shape (n_nodes, n_columns)
        Mean of the statistic over the permutations: what is found where there is no association.
        It grows with the numbers of outcomes and falls with that of samples.
    n_samples : ndarray of shape (n_columns,)
        Number of entries of each column that are not missing.
    node_names : tuple of str
        The nodes, in the order of ``list(dag_)``.
    column_names : tuple of hashable
        The columns of the metadata.
    measures : tuple of {"cramers_v", "nmi", "eta_squared"}
        What the statistic of each column is.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> from skcausalpima.inspection import associate_nodes
    >>> batch = np.repeat(["a", "b"], 30)
    >>> found = associate_nodes(model, X, {"batch": batch}, random_state=0)
    >>> found.statistic.shape, found.column_names
    ((1, 1), ('batch',))
    """

    statistic: np.ndarray
    p_value: np.ndarray
    expected: np.ndarray
    n_samples: np.ndarray
    node_names: tuple[str, ...]
    column_names: tuple[Hashable, ...]
    measures: tuple[str, ...]

    def to_frame(self) -> Frame:
        """Return one row per node and column.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``node`` and ``column``; columns are ``measure``, ``statistic``,
            ``p_value``, ``expected`` and ``n_samples``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        See Also
        --------
        AssociationDisplay : The numbers in a picture.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import NodeAssociations
        >>> found = NodeAssociations(
        ...     statistic=np.array([[0.95, 0.1]]), p_value=np.array([[0.001, 0.4]]),
        ...     expected=np.array([[0.1, 0.1]]), n_samples=np.array([60, 58]),
        ...     node_names=("N1",), column_names=("batch", "age"),
        ...     measures=("cramers_v", "eta_squared"))
        >>> found.to_frame()
                         measure  statistic  p_value  expected  n_samples
        node column
        N1   batch     cramers_v       0.95    0.001       0.1         60
             age     eta_squared       0.10    0.400       0.1         58
        """
        pd = pandas_for("to_frame")
        pairs = [(node, column) for node in self.node_names for column in self.column_names]
        return pd.DataFrame(
            {
                "measure": list(self.measures) * len(self.node_names),
                "statistic": self.statistic.ravel(),
                "p_value": self.p_value.ravel(),
                "expected": self.expected.ravel(),
                "n_samples": np.tile(self.n_samples, len(self.node_names)),
            },
            index=pd.MultiIndex.from_tuples(pairs, names=["node", "column"]),
        )

    def _as_table(self) -> TableText:
        """Write a row for each node and column."""
        columns = zip(self.column_names, self.measures, self.n_samples, strict=True)
        pairs = itertools.product(self.node_names, columns)
        figures = zip(
            *(x.ravel() for x in (self.statistic, self.expected, self.p_value)), strict=True
        )
        rows = [
            [node, str(name), measure, f"{found:.2f}", f"{expected:.2f}", f"{p:.3f}", str(n)]
            for (node, (name, measure, n)), (found, expected, p) in zip(pairs, figures, strict=True)
        ]
        head = "node", "column", "measure", "statistic", "by chance", "p", "samples"
        notes = ["p-values are not corrected for the number of pairs."]
        return TableText("How nodes and metadata depend on each other", head, rows, notes)


@validate_params(
    {
        "measure": [StrOptions({"cramers_v", "nmi"})],
        "n_permutations": [count(1)],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def associate_nodes(
    est: BaseEstimator,
    X: Samples,
    metadata: Metadata,
    *,
    measure: str = "cramers_v",
    n_permutations: int = 999,
    groups: Groups = None,
    random_state: Seed = None,
) -> NodeAssociations:
    r"""Measure how the predicted nodes depend on known properties of the samples.

    Is a node the batch, the instrument, the operator, the age? Each node is compared with each
    column, and a permutation test tells what chance would give.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples, in any form that it accepts.
    metadata : DataFrame, mapping or array-like of shape (n_samples, n_columns)
        Columns of categories (strings, integers, booleans, or anything that can be hashed) or of
        numbers (some have fractions, or there are more than 64 different ones). A mapping has one
        array of shape (n_samples,) per name. Entries that are None or NaN are missing, and such a
        sample is left out for that column.
    measure : {"cramers_v", "nmi"}, default="cramers_v"
        ``"cramers_v"`` is Cramér's V [1]_, :math:`\sqrt{\chi^2 / (n (k - 1))}` with the smaller
        number k of outcomes, without a correction of its bias: compare it with ``expected``.
        ``"nmi"`` is the mutual information divided by the mean of the two entropies. Both are 1
        only where node and column determine each other, V also where the one with fewer outcomes
        is determined by the other. Columns of numbers have eta squared whatever this is.
    n_permutations : int, default=999
        Number of permutations. No p-value is below 1 / (n_permutations + 1).
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together
        (:doc:`/guide/groups`): whole groups are
        exchanged, each gets the values of another one.
    random_state : int, RandomState instance or None, default=None
        Source of the permutations.

    Returns
    -------
    NodeAssociations
        Statistics and p-values.

    Raises
    ------
    TypeError
        If ``est`` is no CausalPIMA, such as a pipeline that holds one.
    ValueError
        The metadata have another number of samples or no columns, or a column holds dates,
        infinite numbers, or words among numbers with fractions.

    See Also
    --------
    skcausalpima.metrics.node_recovery : Matches nodes with factors, one to one.
    scipy.stats.contingency.association : Cramér's V of one table.
    scipy.stats.false_discovery_control : Corrects p-values for the number of pairs.

    Notes
    -----
    The p-value is (1 + b) / (1 + n_permutations), where b permutations of the column have a
    statistic at least as large as the data [2]_. The tables of permuted columns are those with the
    same margins, with the same probabilities, so they are drawn as such [3]_. It is valid where
    samples can be exchanged (those that come in groups need ``groups``), and where the column had
    no part in the fit: one that was a modality or among ``known_nodes`` is associated by
    construction.

    Of numbers, ranks are compared (ties share the mean rank): eta squared is the part of their
    variance that lies between the outcomes k of the node,

    .. math:: \eta^2 = \frac{\sum_k n_k (\bar r_k - \bar r)^2}{\sum_i (r_i - \bar r)^2}
                     = \frac{H}{n - 1},

    with Kruskal and Wallis's H [4]_, so that the test is theirs, with permutations in place of the
    chi-squared distribution. By chance it is (K - 1) / (n - 1) in the mean for K outcomes.
    The order of the numbers alone counts.

    References
    ----------
    .. [1] H. Cramér, "Mathematical Methods of Statistics", Princeton University Press, 1946.
    .. [2] B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Statistical
       Applications in Genetics and Molecular Biology 9, 2010.
    .. [3] W. M. Patefield, "Algorithm AS 159: an efficient method of generating random R x C tables
       with given row and column totals", Applied Statistics 30, 1981.
    .. [4] W. H. Kruskal and W. A. Wallis, "Use of ranks in one-criterion variance analysis",
       Journal of the American Statistical Association 47, 1952.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import associate_nodes
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0, 1], 50)
    >>> X = rng.normal(size=(100, 5)) + 6 * group[:, None]
    >>> est = CausalPIMA((2,), max_iter=2, random_state=0).fit(X)
    >>> metadata = {"batch": np.array(["a", "b"])[group], "lab": rng.integers(3, size=100)}
    >>> found = associate_nodes(est, X, metadata, random_state=0)
    >>> found.statistic.round(1)
    array([[1., 0.]])
    >>> found.p_value < 0.01
    array([[ True, False]])

    A column of numbers:

    >>> age = {"age": 40 + 20 * group + rng.normal(scale=9, size=100)}
    >>> found = associate_nodes(est, X, age, random_state=0)
    >>> found.measures, found.statistic.round(1), found.p_value
    (('eta_squared',), array([[0.6]]), array([[0.001]]))
    """
    check_estimator(est, "associate_nodes")
    X, units = units_of(est, X, groups)
    nodes = est.predict_nodes(X)
    check_rows_with(X, metadata=metadata)
    columns = read_metadata(metadata, len(nodes))
    read = list(columns.values())
    # One seed for all pairs: a pair's p-value must not depend on which others are asked for.
    seed = check_random_state(random_state).randint(2**31 - 1)
    options = measure, n_permutations, seed, units
    results = [_tested(outcomes, column, *options) for outcomes in nodes.T for column in read]
    shape = nodes.shape[1], len(read)
    statistic, p_value, expected = (np.reshape(part, shape) for part in zip(*results, strict=True))
    return NodeAssociations(
        statistic=statistic,
        p_value=p_value,
        expected=expected,
        n_samples=np.array([_known(column).sum() for column in read]),
        node_names=tuple(node_graph(est.dag_)),
        column_names=tuple(columns),
        measures=tuple("eta_squared" if column.dtype.kind == "f" else measure for column in read),
    )


def _tested(
    outcomes: np.ndarray,
    column: np.ndarray,
    measure: str,
    n_permutations: int,
    seed: int,
    units: Units,
) -> Tested:
    """Return the statistic of a node and a column, its p-value, and its mean by chance."""
    known = _known(column)
    outcomes, column = outcomes[known], column[known]
    if not units.are_rows:
        of_known = units.take(np.flatnonzero(known))
        return exchange_test(outcomes, column, measure, n_permutations, seed, of_known)
    if column.dtype.kind == "f":
        return numbers_test(outcomes, column, n_permutations, seed)
    return table_test(contingency_matrix(outcomes, column), measure, n_permutations, seed)


def _known(column: np.ndarray) -> np.ndarray:
    """Return where numbers or codes of categories are known."""
    return ~np.isnan(column) if column.dtype.kind == "f" else column >= 0
