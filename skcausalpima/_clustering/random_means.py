"""Means of random orientation, and many sets of means laid on a grid at once."""

from __future__ import annotations

import numpy as np

from .arrangement import MAX_EXHAUSTIVE, distinct, n_distinct
from .placements import kernel_of, make_problem, projectors

#: Elements of a block of products: some hundred megabytes, in double precision (arbitrary).
BLOCK_ELEMENTS = 2**24

#: Starts of the search by swaps: so many cells over all of them, or two starts. The time of 99
#: draws is 1 to 2 % of a default fit, for 12 to 27 cells (benchmarks/factors.py cost).
CELLS_OF_STARTS = 160

#: A swap that gains less is rounding.
LEAST_GAIN = 1e-12


def random_means(means: np.ndarray, n_draws: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw means of random orientation that have the principal variances of others.

    Points from a Gaussian are centred, made orthonormal, and multiplied by the singular values of
    the others, centred.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        The others.
    n_draws : int
        How often.
    rng : RandomState
        For the Gaussian.

    Returns
    -------
    ndarray of shape (n_draws, n_clusters, n_directions)
        Centred; there are at most ``n_clusters - 1`` directions.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.random_means import random_means
    >>> corners = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
    >>> drawn = random_means(corners, 5, np.random.RandomState(0))
    >>> drawn.shape, np.linalg.svd(drawn[0], compute_uv=False).round(2)
    ((5, 4, 2), array([4., 2.]))
    """
    spread = np.linalg.svd(means - means.mean(axis=0), compute_uv=False)[: len(means) - 1]
    drawn = rng.normal(size=(n_draws, len(means), len(spread)))
    return np.linalg.qr(drawn - drawn.mean(axis=1, keepdims=True))[0] * spread


def lay(
    drawn: np.ndarray, sizes: tuple[int, ...], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Lay many sets of means on a grid, each as well as it goes.

    Up to 20 000 distinct arrangements all are looked at. Else, if every cell gets a cluster, swaps
    of two clusters descend from starts that all sets share.

    Parameters
    ----------
    drawn : ndarray of shape (n_draws, n_clusters, n_features)
        Centred means.
    sizes : tuple of int
        Number of outcomes of each node.
    rng : RandomState
        For the starts.

    Returns
    -------
    cells : ndarray of int of shape (n_draws, n_clusters)
        Flat indices (C order).
    explained : ndarray of shape (n_draws,)
        How much of the sum of squares main effects explain.

    Raises
    ------
    ValueError
        If there are fewer clusters than cells in a grid that is too large to look at all.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.random_means import lay
    >>> square = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    >>> cells, explained = lay(square[None], (2, 2), np.random.RandomState(0))
    >>> explained, sorted(cells[0, [0, 2]].tolist()) in ([0, 3], [1, 2])
    (array([8.]), True)
    """
    n_clusters, n_draws = drawn.shape[1], len(drawn)
    grams = drawn @ np.swapaxes(drawn, 1, 2)
    problem = make_problem(drawn[0], sizes)
    if n_distinct(n_clusters, sizes) > MAX_EXHAUSTIVE:
        if not problem.is_full:
            raise ValueError(
                f"Expected {len(problem.design)} clusters, as many as cells, got {n_clusters}."
            )
        return _descended(grams, kernel_of(problem), rng)
    states = distinct(n_clusters, sizes)
    cells, explained = np.zeros((n_draws, n_clusters), dtype=np.int64), np.full(n_draws, -np.inf)
    n_rows = max(1, BLOCK_ELEMENTS // max(n_draws, n_clusters**2))
    for start in range(0, len(states), n_rows):
        block = states[start : start + n_rows]
        products = projectors(block, problem).reshape(len(block), -1) @ grams.reshape(n_draws, -1).T
        best = products.argmax(axis=0)
        largest = products[best, np.arange(n_draws)]
        better = largest > explained
        cells[better], explained[better] = block[best[better]], largest[better]
    return cells, explained


def _descended(
    grams: np.ndarray, kernel: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Lay clusters on a full grid by the best of some descents."""
    n_draws, n_cells = len(grams), len(kernel)
    cells, explained = np.zeros((n_draws, n_cells), dtype=np.int64), np.full(n_draws, -np.inf)
    for _ in range(max(2, CELLS_OF_STARTS // n_cells)):
        ends = _swapped(grams, kernel, rng.permutation(n_cells))
        placed = kernel[ends[:, :, None], ends[:, None, :]]
        reached = (grams * placed).sum(axis=(1, 2))
        better = reached > explained
        cells[better], explained[better] = ends[better], reached[better]
    return cells, explained


def _swapped(grams: np.ndarray, kernel: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Apply to each set the best swap of two clusters, until none gains; (n_draws, n_cells).

    With the kernel P between clusters as they lie, and Q = G P, a swap of a and b gains
    :math:`Q_{ab} + Q_{ba} - Q_{aa} - Q_{bb}` and a term for the two themselves. Of G P' with both
    rows and columns swapped only a matrix of rank one is new.
    """
    cells = np.tile(start, (len(grams), 1))
    placed = kernel[cells[:, :, None], cells[:, None, :]]
    product, squares = grams @ placed, np.einsum("nii->ni", grams)
    distances = squares[:, :, None] + squares[:, None] - 2 * grams
    least, moving = LEAST_GAIN * squares.sum(axis=1), np.arange(len(grams))
    while True:
        part, between = product[moving], placed[moving]
        diagonal = np.einsum("nii->ni", part)
        gain = part + np.swapaxes(part, 1, 2) - diagonal[:, :, None] - diagonal[:, None]
        gain -= (between - between[:, :1, :1]) * distances[moving]
        gain = gain.reshape(len(moving), -1)
        pair = gain.argmax(axis=1)
        improves = gain[np.arange(len(moving)), pair] > least[moving]
        moving, pair = moving[improves], pair[improves]
        if not len(moving):
            return cells
        first, second = np.divmod(pair, len(kernel))
        change = placed[moving, first] - placed[moving, second]
        product[moving] += (grams[moving, :, second] - grams[moving, :, first])[
            :, :, None
        ] * change[:, None]
        one, other = (moving, slice(None), first), (moving, slice(None), second)
        for matrix in (product, placed):
            matrix[one], matrix[other] = matrix[other], matrix[one].copy()
        for rows in (placed, cells):
            rows[moving, first], rows[moving, second] = (
                rows[moving, second],
                rows[moving, first].copy(),
            )
