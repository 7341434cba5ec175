"""Do cells explain samples that were held out better than one Gaussian does?"""

from __future__ import annotations

import numpy as np
from sklearn.mixture import GaussianMixture

from .._held_out.difference import ERRORS, PairedDifference
from .._held_out.held_out import HeldOut
from .._held_out.units import Units

#: Folds of units, and fewest units that are looked at (arbitrary).
N_FOLDS, LEAST_UNITS = 5, 10

#: Iterations of a mixture, enough to converge: warnings must not be silenced here, where other
#: threads may fit (arbitrary).
MAX_ITER = 2000

#: [share of the variance] What is added to covariances (arbitrary; that of scikit-learn is 1e-6 of
#: data that are scaled).
RIDGE = 1e-3


def gain_of_cells(points: np.ndarray, cells: np.ndarray, units: Units) -> PairedDifference | None:
    """Return by how many nats per row a mixture is better than one Gaussian on units held out.

    Rows of a group lie close together, and are a cluster of their own, however many kinds there
    are: only other groups show whether cells are kinds. The mixture of the rows of the other units
    begins at the means of their cells. Its covariance is the same in all cells, or each has its
    own: what gains more, for sure, counts.

    Parameters
    ----------
    points : ndarray of shape (n_rows, n_scores)
        What clusters were sought in.
    cells : ndarray of int of shape (n_rows,)
        The cell of each row.
    units : Units
        Which rows belong together.

    Returns
    -------
    PairedDifference or None
        Its error is that of independent units; None of fewer than ``LEAST_UNITS``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._held_out.units import Units
    >>> from skcausalpima._judge.held_out_gain import gain_of_cells
    >>> rng = np.random.default_rng(0)
    >>> kind, group = np.repeat(np.arange(40) % 2, 5), np.repeat(np.arange(40), 5)
    >>> points = rng.normal(size=(40, 2))[group] + rng.normal(size=(200, 2))
    >>> gain_of_cells(points, (points[:, 0] > 0).astype(int), Units.of(group)).is_better
    False
    >>> gain_of_cells(points + 8 * kind[:, None], kind, Units.of(group)).is_better
    True
    """
    if units.n < LEAST_UNITS:
        return None
    scale = points.std(axis=0)
    points = points / np.where(scale > 0, scale, 1.0)
    gains = np.zeros((2, len(points)))
    for part in HeldOut.folds(units, N_FOLDS, 0).parts:
        one = _densities(points, part.rows, part.held, np.zeros_like(cells), "full")
        for gain, kind in zip(gains, ("tied", "full"), strict=True):
            gain[part.held] = _densities(points, part.rows, part.held, cells, kind) - one
    differences = [PairedDifference.of(gain, units) for gain in gains]
    return max(differences, key=lambda found: found.mean - ERRORS * found.error)


def _densities(
    points: np.ndarray, rows: np.ndarray, held: np.ndarray, cells: np.ndarray, kind: str
) -> np.ndarray:
    """Return the log densities of rows that were held out, by a mixture of others."""
    means = [points[rows[cells[rows] == cell]].mean(axis=0) for cell in np.unique(cells[rows])]
    mixture = GaussianMixture(
        len(means),
        covariance_type=kind,
        means_init=means,
        reg_covar=RIDGE,
        max_iter=MAX_ITER,
        random_state=0,
    )
    densities: np.ndarray = mixture.fit(points[rows]).score_samples(points[held])
    return densities
