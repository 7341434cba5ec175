"""Associations of nodes with known properties of the samples."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr
from scipy.stats import random_table
from sklearn.base import BaseEstimator
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions, validate_params

from .._data.adapters import adapter_of
from .._data.arrays import without_gradients
from .._data.recipes import is_mapping
from .._data.several import check_rows_with
from .._scalar_checks import count, is_missing
from .._structure.digraphs import node_graph
from .._typing import Samples, Seed
from ._fitted_estimator import check_estimator

if TYPE_CHECKING:
    import pandas as pd

#: Columns of categories: a DataFrame, a mapping, or a table.
Metadata: TypeAlias = Mapping[Hashable, ArrayLike] | ArrayLike
#: Entries of the tables that are drawn at a time.
MAX_DRAWN = 2**22
#: Statistics that differ by less are equal: tables that mirror each other may round differently.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class NodeAssociations:
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

    def to_frame(self) -> pd.DataFrame:
        """Return one row per node and column.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``node`` and ``column``; columns are ``statistic``, ``p_value``,
            ``expected`` and ``n_samples``.

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
        ...     node_names=("N1",), column_names=("batch", "lab"))
        >>> found.to_frame()
                     statistic  p_value  expected  n_samples
        node column
        N1   batch        0.95    0.001       0.1         60
             lab          0.10    0.400       0.1         58
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas; install it with `pip install pandas`."
            ) from error
        pairs = [(node, column) for node in self.node_names for column in self.column_names]
        return pd.DataFrame(
            {
                "statistic": self.statistic.ravel(),
                "p_value": self.p_value.ravel(),
                "expected": self.expected.ravel(),
                "n_samples": np.tile(self.n_samples, len(self.node_names)),
            },
            index=pd.MultiIndex.from_tuples(pairs, names=["node", "column"]),
        )


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
    random_state: Seed = None,
) -> NodeAssociations:
    r"""Measure how the predicted nodes depend on known properties of the samples.

    Is a node the batch, the instrument, the operator? Each node is compared with each column of
    categories, and a permutation test tells what chance would give.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples, in any form that it accepts.
    metadata : DataFrame, mapping or array-like of shape (n_samples, n_columns)
        Columns of categories: strings, integers, booleans, or anything that can be hashed. A
        mapping has one array of shape (n_samples,) per name. Entries that are None or NaN are
        missing, and such a sample is left out for that column.
    measure : {"cramers_v", "nmi"}, default="cramers_v"
        ``"cramers_v"`` is Cramér's V [1]_, :math:`\sqrt{\chi^2 / (n (k - 1))}` with the smaller
        number k of outcomes, without a correction of its bias: compare it with ``expected``.
        ``"nmi"`` is the mutual information divided by the mean of the two entropies. Both are 1
        only where node and column determine each other, V also where the one with fewer outcomes
        is determined by the other.
    n_permutations : int, default=999
        Number of permutations. No p-value is below 1 / (n_permutations + 1).
    random_state : int, RandomState instance or None, default=None
        Source of the permutations.

    Returns
    -------
    NodeAssociations
        Statistics and p-values.

    Raises
    ------
    ValueError
        The metadata have another number of samples or no columns, or a column holds numbers that
        are no integers.

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
    samples can be exchanged, that is, not where they come in series or groups, and where the column
    had no part in the fit: one that was a modality or among ``known_nodes`` is associated by
    construction.

    Measures in continuous units need bins first, such as those of
    :class:`sklearn.preprocessing.KBinsDiscretizer`.

    References
    ----------
    .. [1] H. Cramér, "Mathematical Methods of Statistics", Princeton University Press, 1946.
    .. [2] B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Statistical
       Applications in Genetics and Molecular Biology 9, 2010.
    .. [3] W. M. Patefield, "Algorithm AS 159: an efficient method of generating random R x C tables
       with given row and column totals", Applied Statistics 30, 1981.

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
    """
    check_estimator(est, "associate_nodes")
    nodes = est.predict_nodes(X)
    names, columns = _named_columns(metadata)
    check_rows_with(X, metadata=metadata)
    codes = [_codes(*item, len(nodes)) for item in zip(names, columns, strict=True)]
    # One seed for all pairs: a pair's p-value must not depend on which others are asked for.
    seed = check_random_state(random_state).randint(2**31 - 1)
    tables = (_table(outcomes, column) for outcomes in nodes.T for column in codes)
    results = [_permutation_test(table, measure, n_permutations, seed) for table in tables]
    shape = nodes.shape[1], len(codes)
    statistic, p_value, expected = (np.reshape(part, shape) for part in zip(*results, strict=True))
    return NodeAssociations(
        statistic=statistic,
        p_value=p_value,
        expected=expected,
        n_samples=np.array([(column >= 0).sum() for column in codes]),
        node_names=tuple(node_graph(est.dag_)),
        column_names=tuple(names),
    )


def _named_columns(metadata: Metadata) -> tuple[list[Hashable], list[ArrayLike]]:
    """Return names and columns of a mapping, a DataFrame or an array."""
    if not is_mapping(metadata):
        adapter_of(metadata, "metadata")
    if isinstance(metadata, Mapping):
        names, columns = list(metadata), list(metadata.values())
    elif hasattr(metadata, "columns"):
        frame = cast("pd.DataFrame", metadata)
        names = list(frame.columns)
        if len(set(names)) < len(names):
            raise ValueError(f"The columns of metadata must have different names, got {names}.")
        columns = [frame[name] for name in names]
    else:
        # Objects, since NumPy would turn a NaN between strings into a string.
        array = metadata if isinstance(metadata, np.ndarray) else _objects(metadata, "metadata")
        if array.ndim != 2:
            raise ValueError(
                "metadata must be a DataFrame, a mapping from names to columns, or an array of "
                f"shape (n_samples, n_columns), got shape {array.shape}; reshape(-1, 1) makes a "
                "column."
            )
        names, columns = [f"x{k}" for k in range(array.shape[1])], list(array.T)
    if not names:
        raise ValueError("metadata has no columns.")
    return names, columns


def _objects(values: ArrayLike, what: str) -> np.ndarray:
    """Return values as an array of objects."""
    try:
        return np.array(without_gradients(values, what), dtype=object)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} cannot be read as an array: {error}") from error


def _codes(name: Hashable, column: ArrayLike, n_samples: int) -> np.ndarray:
    """Number the categories of a column; -1 where an entry is missing."""
    if isinstance(column, np.ma.MaskedArray):
        column = np.where(np.ma.getmaskarray(column), np.array(None), column.data)
    values = _objects(column, f"Column {name!r} of metadata")
    if values.shape != (n_samples,):
        raise ValueError(
            f"Column {name!r} of metadata must have shape ({n_samples},), one entry per sample of "
            f"X, got {values.shape}."
        )
    codes = np.full(n_samples, -1)
    numbers: dict[Hashable, int] = {}
    for row, value in enumerate(values):
        if is_missing(value):
            continue
        if isinstance(value, Real) and value % 1 != 0:
            raise ValueError(
                f"Column {name!r} of metadata must hold categories, got the number {value}: cut "
                "numbers into bins first, with sklearn.preprocessing.KBinsDiscretizer("
                "encode='ordinal')."
            )
        if not isinstance(value, Hashable):
            raise TypeError(
                f"Column {name!r} of metadata must hold categories, got {value!r:.100}."
            )
        codes[row] = numbers.setdefault(value, len(numbers))
    return codes


def _table(outcomes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Count the samples of each outcome and category, those that occur."""
    present = codes >= 0
    return contingency_matrix(outcomes[present], codes[present])


def _permutation_test(
    table: np.ndarray, measure: str, n_permutations: int, seed: int
) -> tuple[float, float, float]:
    """Return the statistic of a table, its p-value, and its mean over the permutations."""
    if min(table.shape) < 2:
        return np.nan, 1.0, np.nan
    observed = MEASURES[measure](table[None])[0]
    # Sorted, so that renaming outcomes draws the same tables.
    distribution = random_table(*(np.sort(table.sum(axis=axis)) for axis in (1, 0)))
    rng = np.random.RandomState(seed)
    n_batches = min(n_permutations, -(-n_permutations * table.size // MAX_DRAWN))
    drawn = [
        MEASURES[measure](distribution.rvs(size=len(batch), random_state=rng))
        for batch in np.array_split(np.arange(n_permutations), n_batches)
    ]
    values = np.concatenate(drawn)
    n_larger = (values >= observed - ROUNDING).sum()
    return observed, (1 + n_larger) / (1 + n_permutations), values.mean()


def _cramers_v(tables: np.ndarray) -> np.ndarray:
    """Return Cramér's V of tables of shape (n_tables, n_rows, n_columns)."""
    n_samples = tables[0].sum()
    rows, columns = tables.sum(axis=2, keepdims=True), tables.sum(axis=1, keepdims=True)
    expected = rows * columns / n_samples
    chi2 = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    return np.sqrt(chi2 / (n_samples * (min(tables.shape[1:]) - 1)))


def _normalized_mutual_information(tables: np.ndarray) -> np.ndarray:
    """Return the mutual information divided by the mean entropy of rows and columns."""
    joint = tables / tables[0].sum()
    entropies = [entr(joint.sum(axis=axis)).sum(axis=1) for axis in (1, 2)]
    mutual = sum(entropies) - entr(joint).sum(axis=(1, 2))
    return np.maximum(mutual, 0.0) / (sum(entropies) / 2)


MEASURES = {"cramers_v": _cramers_v, "nmi": _normalized_mutual_information}
