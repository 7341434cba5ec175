r"""Factors or kinds: do cells lie at sums of effects more nearly than chance would have them?

A grid is a claim: the means of its cells are :math:`b + \sum_l e_l(o_l)`, or nearly so. Any means
can be laid on one, and leave something; chance says how much. Under the null hypothesis of kinds
the means have the principal variances that they have, and a random orientation
(:func:`random_means`), and are laid on the grid as well as they go, as the cells were. Of each draw
the *whole* is what main effects leave, and the figure of a *node* what its main effect leaves of
the differences between its outcomes in all combinations of the others. A tree passes the test of
the whole, since two pairs that are far apart leave little, but not those of both nodes.

The covariance of the samples has no part in the null. Noise has more directions than kinds may
have, in which differences between kinds would seem parallel: kinds that differ in two of 22 columns
would be told on 2 x 2 and 2 x 3 in .33 and .59, and are in .05 and .03.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from .._base.grid import NodeGrid
from .arrangement import MAX_EXHAUSTIVE, means_of_labels, n_distinct
from .in_a_row import Rows, outcomes_in_a_row
from .margins import LEAST_EXPLAINED, LEAST_PART, MODEST_P, SMALL_P
from .matching import TIE_TOLERANCE
from .placements import make_problem, misfits_of
from .random_means import lay, random_means

#: Draws of random means, by the number of arrangements that each is compared with: the standard
#: error of a p-value of .05 is .007, .015 and .022.
FEW_ARRANGEMENTS, N_DRAWS, N_DRAWS_OF_MANY, N_SEARCHED = 1000, 999, 199, 99

#: Cells of the largest grid whose draws are laid: beyond, that takes longer than 2 s (arbitrary),
#: and chance is bounded. The bound says nothing of a single node, see ``LEAST_EXPLAINED``.
MAX_CELLS = 64

#: Draws of errors of means (arbitrary).
N_ERRORS = 199

#: Powers of Markov's inequality, of which the best one counts (arbitrary).
N_POWERS = 60

#: Differences of means that are no larger, relative to the largest number, are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Additivity:
    """How far chance explains that cells lie at sums of effects.

    Parameters
    ----------
    p_value : float
        Of the whole.
    node_p_values : ndarray of shape (n_nodes,)
        Of each node; NaN where no two cells differ in it alone. Beyond 64 cells both are bounds:
        that of the whole, or 1 where its main effect explains less than half of the differences
        between a node's outcomes.
    n_directions : int
        In how many directions cells differ by more than the errors of their means, and than a
        small part of the largest difference.
    rows : Rows or None, default=None
        Nodes whose outcomes lie on a line, and their order.
    """

    p_value: float
    node_p_values: np.ndarray
    n_directions: int
    rows: Rows | None = None

    @property
    def told(self) -> np.ndarray:
        """Whether the means tell that a node is a factor, (n_nodes,); means in a row tell none."""
        small = self.node_p_values <= (MODEST_P if self.p_value <= SMALL_P else SMALL_P)
        return small & (self.n_directions >= len(self.node_p_values))


def additivity(points: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...]) -> Additivity | None:
    """Ask whether cells lie at sums of effects more nearly than chance would have them.

    Cells count alike, however many samples they have. Nothing is taken off for errors of means, and
    all modalities turn together: either would call kinds factors. Draws are always the same ones.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        Where arrangements are sought: principal scores.
    labels : ndarray of int of shape (n_samples,)
        Cell of each sample: a flat index (C order).
    sizes : tuple of int
        Number of outcomes of each node.

    Returns
    -------
    Additivity or None
        None for one node, where cells hold nobody in a grid of more than 20 000 arrangements, and
        where less than three hold samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.factors_or_kinds import additivity
    >>> rng = np.random.RandomState(0)
    >>> labels = rng.randint(4, size=400)
    >>> noise = rng.normal(size=(400, 8))
    >>> effects, kinds = 5 * rng.normal(size=(2, 8)), 5 * rng.normal(size=(4, 8))
    >>> sums = np.stack([labels // 2, labels % 2], axis=1) @ effects
    >>> additivity(sums + noise, labels, (2, 2)).told
    array([ True,  True])
    >>> additivity(kinds[labels] + noise, labels, (2, 2)).told
    array([False, False])
    """
    cells, rng = np.unique(labels), np.random.RandomState(0)
    n_draws = _n_draws(len(cells), sizes)
    if n_draws is None:
        return None
    points = points / (np.abs(points).max() or 1.0)  # squares of large numbers have no room
    means, counts = means_of_labels(np.searchsorted(cells, labels), points, len(cells))
    if np.abs(means - means.mean(axis=0)).max() < ROUNDING:
        means[:] = 0.0
    observed = (means - means.mean(axis=0))[None]
    misfit = float(misfits_of(cells[None], make_problem(means, sizes))[0])
    parts, order = _sorted_parts(observed, cells[None], sizes)
    if n_draws == 0:
        p_value = _bound(observed[0], misfit, sizes)
        p_values = np.where(parts[0] < LEAST_EXPLAINED, 1.0, p_value)
    else:
        drawn = random_means(means, n_draws, rng)
        laid, of_draws = lay(drawn, sizes, rng)
        total = np.square(observed).sum()
        # else it was searched for harder
        whole = np.minimum(total * (1.0 - misfit), lay(observed, sizes, rng)[1])
        p_value = float(_p_values(whole, of_draws[:, None], total)[0])
        p_values = _p_values(parts, _sorted_parts(drawn, laid, sizes)[0])
    return Additivity(
        p_value=p_value,
        node_p_values=p_values[np.argsort(order[0])],
        n_directions=_n_directions(points, np.searchsorted(cells, labels), means, counts),
        rows=outcomes_in_a_row(means, cells, sizes),
    )


def _n_draws(n_clusters: int, sizes: tuple[int, ...]) -> int | None:
    """Return how many draws are made: 0 for a bound instead, None where nothing is asked."""
    n_cells = NodeGrid(sizes).n_cells
    if len(sizes) == 1 or n_clusters < 3:
        return None
    if n_cells > MAX_CELLS:
        return 0 if n_clusters == n_cells else None
    n_arrangements = n_distinct(n_clusters, sizes)
    if n_arrangements > MAX_EXHAUSTIVE:
        return N_SEARCHED if n_clusters == n_cells else None
    return N_DRAWS if n_arrangements <= FEW_ARRANGEMENTS else N_DRAWS_OF_MANY


def _bound(centred: np.ndarray, misfit: float, sizes: tuple[int, ...]) -> float:
    """Return at most how probable it is that some arrangement of random means leaves so little."""
    squares = np.square(np.linalg.svd(centred, compute_uv=False)[: len(centred) - 1])
    shares = squares[squares > ROUNDING * squares[0]] / (squares.sum() or 1.0)
    n_projected = len(centred) - 1 - sum(size - 1 for size in sizes)  # of what effects leave
    of_one = log_chance(misfit, shares, n_projected, len(centred) - 1)
    return math.exp(min(0.0, math.log(n_distinct(len(centred), sizes)) + of_one))


def log_chance(left: float, shares: np.ndarray, n_projected: int, n_directions: int) -> float:
    r"""Bound the chance that a projector leaves so little of directions of random orientation.

    Let U have r orthonormal columns of random orientation in n directions, and Q project on q of
    them. Then :math:`\det U^T Q U` is a product of independent Beta variables with the parameters
    (q - i) / 2, i from 0 to r - 1, and (n - q) / 2. If :math:`\sum_i w_i (U^T Q U)_{ii} \le d`, the
    determinant is at most :math:`\prod_i (U^T Q U)_{ii} \le (d / r)^r / \prod_i w_i` (Hadamard, and
    the means of numbers). So by Markov's inequality, for every power h that has a moment,

    .. math:: \log P \le h \log \frac{(d / r)^r}{\prod w} + \log E \det(U^T Q U)^{-h}.

    Parameters
    ----------
    left : float
        d: part of the sum of squares that the projector has.
    shares : ndarray of shape (n_shares,)
        w: parts of the directions, falling; the first r count, for the best r.
    n_projected : int
        q: directions of the projector.
    n_directions : int
        n: all of them.

    Returns
    -------
    float
        Logarithm of the bound; 0 where it says nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.factors_or_kinds import log_chance
    >>> float(log_chance(0.1, np.full(4, 0.25), 50, 60)) < -100
    True
    >>> float(log_chance(1.0, np.full(4, 0.25), 50, 60))
    0.0
    """
    best, left = 0.0, max(left, np.finfo(float).tiny)
    for r in range(1, 1 + min(len(shares), n_projected - 1)):
        log_det = r * math.log(left / r) - np.log(shares[:r]).sum()
        if not log_det < 0.0:
            continue
        first = (n_projected - np.arange(r)) / 2  # of the Beta variables
        other = (n_directions - n_projected) / 2
        powers = np.linspace(0.0, first[-1], N_POWERS + 2)[1:-1, None]
        moments = gammaln(first - powers) + gammaln(first + other)
        moments -= gammaln(first) + gammaln(first + other - powers)
        best = min(best, float((powers[:, 0] * log_det + moments.sum(axis=1)).min()))
    return best


def _p_values(observed: np.ndarray, drawn: np.ndarray, total: float = 1.0) -> np.ndarray:
    """Return how probable it is that draws, (n_draws, n_figures), have as much explained.

    Draws of which nothing is known, as cells hold nobody, count as if they had.
    """
    as_much = ~(drawn < observed - TIE_TOLERANCE * total)
    p_values = (1 + as_much.sum(axis=0)) / (1 + len(drawn))
    return np.where(np.isnan(observed), np.nan, p_values).ravel()


def _sorted_parts(
    means: np.ndarray, cells: np.ndarray, sizes: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which part of the differences between its outcomes the main effect of a node explains.

    These are the differences within the combinations of the other nodes' outcomes.

    Parameters
    ----------
    means : ndarray of shape (n_sets, n_clusters, n_features)
        Sets of means.
    cells : ndarray of int of shape (n_sets, n_clusters)
        Where they lie.
    sizes : tuple of int
        Number of outcomes of each node.

    Returns
    -------
    parts : ndarray of shape (n_sets, n_nodes)
        Of nodes of one size that with the largest effect comes first. NaN where no combination has
        two outcomes.
    order : ndarray of int of shape (n_sets, n_nodes)
        The node at each position.
    """
    n_sets, n_features = len(means), means.shape[2]
    grid = np.zeros((n_sets, NodeGrid(sizes).n_cells, n_features))
    is_there = np.zeros(grid.shape[:2])
    np.put_along_axis(grid, cells[:, :, None], means, axis=1)
    np.put_along_axis(is_there, cells, 1.0, axis=1)
    parts, effects = np.zeros((2, n_sets, len(sizes)))
    for node, size in enumerate(sizes):
        split = (n_sets, *sizes, -1)
        y = np.moveaxis(grid.reshape(split), 1 + node, -2).reshape(n_sets, -1, size, n_features)
        mask = np.moveaxis(is_there.reshape(split), 1 + node, -2).reshape(n_sets, -1, size, 1)
        n_there = np.maximum(mask.sum(axis=2, keepdims=True), 1.0)
        y = mask * (y - (mask * y).sum(axis=2, keepdims=True) / n_there)
        marks = mask * (np.eye(size) - np.swapaxes(mask, 2, 3) / n_there)
        normal = np.einsum("ncst,ncsu->ntu", marks, marks)
        moments = np.einsum("ncst,ncsd->ntd", marks, y)
        fitted = np.linalg.pinv(normal, hermitian=True) @ moments
        effects[:, node] = (fitted * moments).sum(axis=(1, 2))
        squares = np.square(y).sum(axis=(1, 2, 3))
        parts[:, node] = np.divide(
            effects[:, node], squares, out=np.full(n_sets, np.nan), where=squares > 0
        )
    order = np.tile(np.arange(len(sizes)), (n_sets, 1))
    for size in set(sizes):
        alike = np.flatnonzero(np.array(sizes) == size)
        order[:, alike] = alike[np.argsort(-effects[:, alike], axis=1, kind="stable")]
    return np.take_along_axis(parts, order, axis=1), order


def _n_directions(
    points: np.ndarray, labels: np.ndarray, means: np.ndarray, counts: np.ndarray
) -> int:
    """Return in how many directions means differ by more than their errors, and than a little.

    Units are the scatter within cells, shrunk to that of a ball. The largest singular value of
    draws of errors, of the same scatter, is what all of the means' are compared with.
    """
    n_samples, n_features = points.shape
    within, means = points - means[labels], means - means.mean(axis=0)
    parts = np.linalg.svd(means, compute_uv=False)
    n_large = int((parts > max(LEAST_PART * parts[0], ROUNDING)).sum())
    scatter = within.T @ within / max(n_samples - len(means), 1)
    shrinkage = min(1.0, 2 * n_features / n_samples)
    size = np.trace(scatter) / n_features or 1.0
    ball = (shrinkage + 1e-9) * size * np.eye(n_features)
    variances, axes = np.linalg.eigh((1.0 - shrinkage) * scatter + ball)
    units = axes / np.sqrt(variances)
    values = np.maximum(np.linalg.eigvalsh(units.T @ scatter @ units), 0.0)
    rng = np.random.RandomState(0)
    errors = rng.normal(size=(N_ERRORS, len(means), n_features)) * np.sqrt(values)
    errors /= np.sqrt(counts)[:, None]
    errors -= errors.mean(axis=1, keepdims=True)
    largest = np.linalg.norm(errors, ord=2, axis=(1, 2))
    sizes_of_means = np.linalg.svd(means @ units, compute_uv=False)
    return min(n_large, int((sizes_of_means > np.quantile(largest, 1.0 - SMALL_P)).sum()))
