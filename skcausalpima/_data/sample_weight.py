"""Sample weights: a weight says how many samples a row counts for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_non_negative

from .._base.arithmetic import adding_anything, working_in
from .._base.scikit_learn import check_sample_weight
from .adapters import as_array
from .arrays import flat_rows
from .on_disk import OnDisk
from .validation import Modalities

#: Training rows per row of X, on average, beyond which copies count for more than one sample.
MAX_COPIES = 10
#: So many training rows are never too many.
MIN_ROOM = 10_000

#: No data are worth more samples; single precision holds the squares of such sums.
MAX_WEIGHT = 1e18

#: Sums of weights this close to an integer, relative to it, are taken for it: 1/3 three times.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """Which rows of X are trained on, in which order, and what each counts for.

    Parameters
    ----------
    rows : ndarray of int of shape (n_training_rows,)
        Rows of X.
    weights : ndarray of shape (n_training_rows,) or None
        Positive weights; None where each counts for one sample.
    positions : ndarray of int of shape (n_samples,)
        For each row of X a training row that equals it; -1 for a row of weight zero.
    """

    rows: np.ndarray
    weights: np.ndarray | None
    positions: np.ndarray

    @property
    def total(self) -> float:
        """Number of samples that the rows count for."""
        return len(self.rows) if self.weights is None else float(self.weights.sum())

    def take(self, chosen: np.ndarray) -> TrainingRows:
        """Return some of the training rows, by number."""
        new = np.full(len(self.rows), -1)
        new[chosen] = np.arange(len(chosen))
        weights = None if self.weights is None else self.weights[chosen]
        positions = np.where(self.positions < 0, -1, new[self.positions])
        return TrainingRows(rows=self.rows[chosen], weights=weights, positions=positions)

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the different rows of X, and for how many samples each of them counts."""
        rows, which = np.unique(self.rows, return_inverse=True)
        return rows, np.bincount(which, self.weights)

    def without(self, left_out: np.ndarray) -> TrainingRows:
        """Return the rows but for those of X that are left out, and all that are equal to them."""
        return self.take(np.flatnonzero(~np.isin(self.rows, left_out)))

    @classmethod
    def all_of(cls, n_samples: int) -> TrainingRows:
        """Return all rows, each counting for one sample."""
        rows = np.arange(n_samples)
        return cls(rows=rows, weights=None, positions=rows)


def training_rows(
    modalities: Modalities, sample_weight: ArrayLike | None, tables: Sequence[np.ndarray] = ()
) -> TrainingRows | None:
    """Turn weighted rows into a form that depends on their content and total weights only.

    Equal rows are one row of the sum of their weights w, which is trained on as ceil(w) copies of
    the weight w / ceil(w): an integer weight is repetition, and zero, which rows without any value
    have, is removal. Where all rows are different and count for one sample they keep their order;
    else they are sorted by a hash of their content, so that neither the order of rows nor how a
    weight is spread over equal rows makes a difference. A group counts for one sample, of which
    its rows have shares by their weights.

    Parameters
    ----------
    modalities : Modalities
        The data.
    sample_weight : array-like of shape (n_samples,), float or None
        Nonnegative weights; None for ones.
    tables : sequence of ndarray of shape (n_samples, n_columns)
        What else belongs to a row: rows are equal only if these are, too.

    Returns
    -------
    TrainingRows or None
        None where all rows are trained on as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from skcausalpima._data.sample_weight import training_rows
    >>> x = np.array([[5.0], [6.0], [7.0]])
    >>> seen = np.ones((1, 3), dtype=bool)
    >>> data = SimpleNamespace(
    ...     arrays=(x,), observed=seen, n_samples=3, elements=None, groups=None)
    >>> found = training_rows(data, [1.5, 0, 2])
    >>> [(float(x[row, 0]), float(w)) for row, w in sorted(zip(found.rows, found.weights))]
    [(5.0, 0.75), (5.0, 0.75), (7.0, 1.0), (7.0, 1.0)]
    """
    n_samples, weights = modalities.n_samples, np.ones(modalities.n_samples)
    weights[~modalities.observed.any(axis=0)] = 0.0
    if sample_weight is not None:
        weights = _checked(sample_weight, weights)
    if modalities.groups is not None:
        totals = np.bincount(modalities.groups, weights)[modalities.groups]
        weights = np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0)
        tables = [*tables, modalities.groups[:, None]]
    kept = np.flatnonzero(weights)  # first of all: a row of weight zero must leave no trace
    keys, first, groups = np.unique(
        _row_keys(modalities, tables, kept), return_index=True, return_inverse=True
    )
    totals = _sums(groups, weights[kept])
    if (totals == 1).all():
        if len(keys) == n_samples:
            return None
        order = np.argsort(first)
    else:
        order = np.arange(len(keys))  # by key
    room = max(MAX_COPIES * n_samples, MIN_ROOM)  # for about so many copies, one of each at least
    unit = totals.sum() / (room - len(totals)) if np.ceil(totals).sum() > room else 1.0
    copies = np.ceil(totals / unit).astype(np.int64)[order]
    rows = np.repeat(kept[first[order]], copies)
    unit_weights = np.repeat(totals[order] / copies, copies)
    starts = np.empty(len(keys), dtype=np.int64)
    starts[order] = np.cumsum(copies) - copies
    positions = np.full(n_samples, -1)
    positions[kept] = starts[groups]
    return TrainingRows(
        rows=rows, weights=None if (unit_weights == 1).all() else unit_weights, positions=positions
    )


@working_in(adding_anything)
def check_weights(sample_weight: ArrayLike | None, n_samples: int) -> np.ndarray:
    """Return weights as an array, after the checks that all weights must pass.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), or float
        Weights; they must be finite, none negative, and their sum positive and finite.
    n_samples : int
        Number of samples.

    Returns
    -------
    ndarray of shape (n_samples,)
        In double precision.

    Examples
    --------
    >>> from skcausalpima._data.sample_weight import check_weights
    >>> check_weights([1, 0], 2)
    array([1., 0.])
    """
    if not isinstance(sample_weight, Number):
        sample_weight = as_array(sample_weight, "sample_weight")
    try:
        weights = check_sample_weight(sample_weight, np.empty(n_samples), dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"sample_weight must hold one finite number per sample: {error}") from error
    if np.isnan(weights).any():  # a single number, which scikit-learn does not look at
        raise ValueError("sample_weight is nan: expected a finite number.")
    check_non_negative(weights, "`sample_weight`")
    total = weights.sum()
    if not 0 < total < np.inf:
        raise ValueError(
            f"sample_weight adds up to {total:.3g} samples: expected a positive, finite sum."
        )
    return weights


def weighted_mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return a mean by weight, of finite values and weights of any magnitude.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        What to take the mean of.
    weights : ndarray of shape (n_samples,), default=None
        From :func:`check_weights`; None where all count alike.

    Returns
    -------
    float
        The mean.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.sample_weight import weighted_mean
    >>> weighted_mean(np.array([1.0, 4.0]), np.array([2e307, 1e307]))
    2.0
    """
    if weights is not None:  # their sum may overflow; a power of 2 is exact
        weights = np.ldexp(weights, 1 - np.frexp(weights.max())[1])
    unit = max(1.0, float(np.abs(values).max()) / 1e300)  # and so may that of the values
    return float(unit * np.average(values / unit, weights=weights))


def _checked(sample_weight: ArrayLike, has_values: np.ndarray) -> np.ndarray:
    """Return weights that a fit can use: 0 where a row, of shape (n_samples,), has no value."""
    weights: np.ndarray = check_weights(sample_weight, len(has_values)) * has_values
    if not 2 <= weights.sum() <= MAX_WEIGHT:
        raise ValueError(
            f"sample_weight adds up to {weights.sum():.3g} samples, while a minimum of 2 and a "
            f"maximum of {MAX_WEIGHT:.0e} is required to fit: a weight says how many samples a row "
            "counts for. Multiply weights that add up to 1 by the number of samples."
        )
    return weights


def _row_keys(modalities: Modalities, tables: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return a 64-bit hash of everything in each of the given rows.

    Rows on disk stay in their order and are not compared: their numbers stand for them.
    """
    if any(isinstance(array, OnDisk) for array in modalities.arrays):
        return np.arange(len(rows), dtype=np.uint64)
    arrays = [flat_rows(np.asarray(array)) for array in modalities.arrays]
    masks = [mask for mask in modalities.elements or () if mask is not None]
    columns = [table[rows] for table in (modalities.observed.T, *masks, *tables)]
    # What is the same in all rows tells none apart, and may be left over from removed rows.
    columns = [np.ascontiguousarray(table) for table in columns if (table != table[:1]).any()]
    is_whole = len(rows) == modalities.n_samples  # in order, which needs no copy
    return _hashes([*(array if is_whole else array[rows] for array in arrays), *columns])


def row_digests(modalities: Modalities) -> np.ndarray | None:
    """Return a 64-bit hash of each row, by which it is known again, whatever other rows there are.

    What is missing of a row counts as zeros, a modality that it lacks as lacking. None of rows on
    disk, which are not read for that.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from skcausalpima._data.sample_weight import row_digests
    >>> x, seen = np.array([[5.0], [6.0], [5.0]]), np.ones((1, 3), dtype=bool)
    >>> digests = row_digests(SimpleNamespace(arrays=(x,), observed=seen))
    >>> bool(digests[0] == digests[2]), bool(digests[0] == digests[1])
    (True, False)
    """
    arrays = [array for array in modalities.arrays if array is not None]
    if any(isinstance(array, OnDisk) for array in arrays):
        return None
    present = np.ascontiguousarray(modalities.observed.T)
    return _hashes([*(flat_rows(np.asarray(array)) for array in arrays), present])


def may_coincide(modalities: Modalities, n_samples: int) -> bool:
    """Return whether equal rows come by chance: fewer are possible than there are pairs of them."""
    log_possible = sum(
        float(np.log([len(np.unique(column)) for column in flat_rows(np.asarray(array)).T]).sum())
        for array in modalities.arrays
        if array is not None
    )
    return log_possible < 2.0 * np.log(n_samples)


def _hashes(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Return a 64-bit hash of each row of tables with as many rows."""
    digests = bytearray()
    for row in zip(*tables, strict=True):
        digest = hashlib.blake2b(digest_size=8)
        for part in row:
            digest.update(part)
        digests += digest.digest()
    return np.frombuffer(bytes(digests), dtype="<u8").astype(np.uint64)


def _sums(groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Add up the weights of each group; the sums do not depend on the order of the rows."""
    order = np.lexsort((weights, groups))
    totals = np.bincount(groups[order], weights[order])
    nearest = np.rint(totals)
    return np.where(np.abs(totals - nearest) <= _ROUNDING * nearest, nearest, totals)


def initial_rows(rows: TrainingRows) -> np.ndarray | None:
    """Return on which of the training rows a start is found, each counting alike.

    Clustering knows no fractions, so these are resampled. Copies of a row tell nothing new about
    where clusters are, and mixtures lock onto them: each row counts once, unless most rows are
    copies, as in tables of few different values, where the numbers of copies are the density.

    Parameters
    ----------
    rows : TrainingRows
        What is trained on.

    Returns
    -------
    ndarray of int of shape (n_initial_rows,) or None
        Places among the training rows, in rising order; None for all.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.sample_weight import TrainingRows, initial_rows
    >>> initial_rows(TrainingRows(rows=np.array([5, 5, 7]), weights=None, positions=np.empty(0)))
    array([0, 2])
    >>> initial_rows(TrainingRows(rows=np.array([5, 5, 5, 7]), weights=None, positions=np.empty(0)))
    """
    if rows.weights is not None:
        return resampled_rows(rows.weights)
    first = np.sort(np.unique(rows.rows, return_index=True)[1])
    return first if len(rows.rows) / 2 < len(first) < len(rows.rows) else None


def resampled_rows(weights: np.ndarray) -> np.ndarray:
    r"""Return rows that stand for weighted ones, each counting alike (systematic resampling).

    As many as the weighted ones are worth, :math:`(\sum w)^2 / \sum w^2` [1]_: a row comes about
    in proportion to its weight, heavy ones more than once.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,)
        Positive weights.

    Returns
    -------
    ndarray of int of shape (n_resampled,)
        In rising order.

    References
    ----------
    .. [1] L. Kish, *Survey sampling*, Wiley, 1965.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.sample_weight import resampled_rows
    >>> resampled_rows(np.array([1.0, 0.25, 0.25, 0.25, 0.25]))
    array([0, 0, 3])
    """
    ends = np.cumsum(weights)
    n_worth = ends[-1] ** 2 / np.square(weights).sum()
    n_drawn = int(np.clip(round(n_worth), 2, len(weights)))
    points = (np.arange(n_drawn) + 0.5) * (ends[-1] / n_drawn)
    return np.minimum(np.searchsorted(ends, points), len(weights) - 1)
