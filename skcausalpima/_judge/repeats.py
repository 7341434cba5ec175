"""Do rows look like repeats of fewer units, where nobody said that they belong together?"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from .._data.arrays import flat_rows
from .._data.column_kinds import slices_of
from .._data.on_disk import OnDisk
from .._data.validation import Modalities
from .._held_out.units import Units

#: Rows that are looked at, and how many scores of them (arbitrary).
MOST_ROWS, N_SCORES = 5000, 10

#: Fewer rows, and fewer units, tell nothing (arbitrary).
LEAST_ROWS, LEAST_UNITS = 40, 10

#: Rows of a unit at most (arbitrary).
LARGEST = 12

#: [share of the variance] Units hold at least so much of it (arbitrary).
LEAST_SHARE = 0.3

#: [share] How much of what blocks of k rows lose, 2 / k, where they are cut at another row must be
#: lost. Evidence, of the tables of benchmarks/groups.py: 28 plain ones lose .36 at most, 200 of
#: independent rows .31, repeats in blocks .85 at least.
LEAST_LOSS = 0.6

#: [ratio] By how much the step from the neighbours of a row's unit to all others exceeds that
#: between any two neighbours. Evidence, of the same tables: plain ones 5.1 (cats, whose columns are
#: rounded: told wrongly), then 3.5; independent rows 1.4 at most.
LEAST_STEP = 4.5


def repeats_of(modalities: Modalities) -> tuple[int, str] | None:
    """Return of how many units rows look like repeats, and by what; None where they do not.

    Nothing is looked for where somebody has said which rows belong together, in rows on disk, and
    where other processes have further rows. Three things are looked at: a column of words whose
    labels say how rows resemble each other; blocks of as many consecutive rows; and rows that have
    few near ones, whatever their order.

    Parameters
    ----------
    modalities : Modalities
        Samples in the order in which they came.

    Returns
    -------
    (int, str) or None
        The second says it in words.
    """
    if modalities.groups is not None:
        return None
    is_elsewhere = any(array is None or isinstance(array, OnDisk) for array in modalities.arrays)
    n_rows = min(modalities.n_samples, MOST_ROWS)
    if is_elsewhere or modalities.ranks.are_several or n_rows < LEAST_ROWS:
        return None
    first = modalities.take(slice(n_rows))
    tables = [flat_rows(np.asarray(array, dtype=np.float64)) for array in first.arrays]
    of_label = _labels_of_units(modalities, np.concatenate(tables, axis=1))
    if of_label is not None:
        return of_label
    points = _scores(_unrounded(np.concatenate(tables, axis=1)))
    if (size := block_size(points)) is not None:
        return n_rows // size, f"{size} consecutive rows each"
    if (size := clump_size(points)) is not None:
        return round(n_rows / size), f"about {size} rows each, far nearer to each other than others"
    return None


def _labels_of_units(modalities: Modalities, table: np.ndarray) -> tuple[int, str] | None:
    """Return the units of a column of words, if rows with one word resemble each other."""
    start = 0
    for coding, width in zip(modalities.columns, modalities.widths, strict=True):
        columns = (
            () if coding is None else zip(coding.columns, slices_of(coding.layout), strict=False)
        )
        for column, part in columns:
            if column.word != "categorical":
                continue
            elements = np.arange(start + part.start, start + part.stop)
            units = Units.of(table[:, elements].argmax(axis=1))
            rest = np.delete(table, elements, axis=1)
            is_many = LEAST_UNITS <= units.n <= len(table) / 2 and rest.shape[1] > 0
            if is_many and units.intraclass(_scores(rest)).mean() >= LEAST_SHARE:
                return units.n, f"rows with one label of {column.name!r}"
        start += width
    return None


def _unrounded(table: np.ndarray) -> np.ndarray:
    """Spread values over what rounding may have taken from them: else rows of integers coincide."""
    rng = np.random.RandomState(0)
    steps = [np.diff(np.unique(column)).min(initial=np.inf) for column in table.T]
    width = np.where(np.isfinite(steps), steps, 0.0)
    return table + rng.uniform(-0.5, 0.5, size=table.shape) * width


def _scores(table: np.ndarray) -> np.ndarray:
    """Return leading principal scores of columns, each in its own units."""
    largest = np.abs(table).max(axis=0)
    table = table / np.where(largest > 0, largest, 1.0)  # whose squares are finite
    scale = table.std(axis=0)
    scaled = ((table - table.mean(axis=0)) / np.where(scale > 0, scale, 1.0))[:, scale > 0]
    if not scaled.shape[1]:
        return np.zeros((len(table), 1))
    n_scores = min(N_SCORES, *scaled.shape)
    fitted = PCA(n_scores, random_state=0).fit(scaled)
    kept = fitted.explained_variance_ratio_ > 1e-3
    scores: np.ndarray = fitted.transform(scaled)[:, kept]
    return scores


def block_size(points: np.ndarray) -> int | None:
    """Return of how many consecutive rows units are, if all are of as many.

    Blocks of k rows that are units hold a share of the variance between them (the intraclass
    correlation). Cut one row later, a share of 2 / k of the pairs in a block is of two units, and
    they hold so much less. In a table that is sorted it makes no difference where it is cut.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._judge.repeats import block_size
    >>> rng = np.random.default_rng(0)
    >>> points = rng.normal(size=(200, 3))
    >>> block_size(points), block_size(np.sort(points, axis=0))
    (None, None)
    >>> block_size(points + 2 * np.repeat(rng.normal(size=(40, 3)), 5, axis=0))
    5
    """
    n, found = len(points), dict[int, float]()
    for size in range(2, min(LARGEST, n // LEAST_UNITS) + 1):
        if n % size:
            continue
        shares = []
        for first in range(size):  # what is left over at both ends is left out
            cut = points[first : n - (-first % size)]
            shares.append(Units.of(np.arange(len(cut)) // size).intraclass(cut).mean())
        lost = (shares[0] - max(shares[1:])) * size / 2.0
        if shares[0] >= LEAST_SHARE and lost >= LEAST_LOSS * shares[0]:
            found[size] = shares[0]
    return max(found, key=found.__getitem__) if found else None


def clump_size(points: np.ndarray) -> int | None:
    r"""Return of about how many rows units are, by the distances of rows from their neighbours.

    Where rows stand alone, distances from the k-th neighbours of a row have the same
    :math:`E[k \log(d_{k+1} / d_k)]` for all small k, one over the dimension [1]_. Within units of s
    rows, all of which are near, the step from neighbour s - 1 to the next is far larger.

    .. [1] E. Facco, M. d'Errico, A. Rodriguez and A. Laio, "Estimating the intrinsic dimension of
       datasets by a minimal neighborhood information", Scientific Reports 7, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._judge.repeats import clump_size
    >>> rng = np.random.default_rng(0)
    >>> points = rng.normal(size=(200, 8))
    >>> clump_size(points)
    >>> clump_size(0.1 * points + np.tile(rng.normal(size=(50, 8)), (4, 1)))
    4
    """
    n_steps = min(LARGEST, len(points) // LEAST_UNITS)
    distances = NearestNeighbors(n_neighbors=2 * n_steps + 1).fit(points).kneighbors()[0]
    distances = np.maximum(distances, 1e-6 * np.median(distances) or 1.0)
    steps = np.arange(1, 2 * n_steps + 1) * np.diff(np.log(distances), axis=1).mean(axis=0)
    largest = int(steps[:n_steps].argmax())
    is_far = steps[largest] >= LEAST_STEP * np.median(steps)
    return largest + 2 if is_far and (distances[:, 0] > distances.min()).mean() > 0.5 else None
