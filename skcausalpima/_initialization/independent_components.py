r"""Scores in which few directions that fall into heaps come before all that vary more.

Principal scores are ordered by how much varies. Where a nuisance varies most, clusters show in
none of the first ones. Samples of clusters lie in heaps, and a direction that falls into two heaps
of equal weight has the kurtosis (without the 3 of a Gaussian) :math:`-2 / (1 + 4 / \delta^2)^2`,
:math:`\delta` standard deviations apart, towards the least that there is. So independent components
of least kurtosis come first, and after them the principal directions of what they leave.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from .._clustering.margins import SAMPLES_PER_SCORE
from .principal_components import PrincipalScores

#: Rows that directions are found in (arbitrary).
MAX_ROWS = 4096

#: Iterations at most, and the change of a direction at which they end (arbitrary).
MAX_ITER, TOL = 200, 1e-3


def with_independent_components(
    scores: PrincipalScores, n_effects: int, seed: int
) -> PrincipalScores | None:
    """Return scores of which independent components of least kurtosis are the first.

    Parameters
    ----------
    scores : PrincipalScores
        Of the samples.
    n_effects : int
        Number of main effects: so many components come first, and clusters are sought in the first
        so many to twice as many.
    seed : int
        Of directions, and rows.

    Returns
    -------
    PrincipalScores or None
        None where samples are too few for more directions than effects.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.independent_components import (
    ...     with_independent_components,
    ... )
    >>> from skcausalpima._initialization.principal_components import PrincipalScores
    >>> rng = np.random.RandomState(0)
    >>> x = rng.normal(size=(500, 4)) * [5.0, 4.0, 3.0, 1.0]
    >>> heaps = rng.randint(2, size=500)
    >>> x[:, 3] += 6.0 * heaps
    >>> x -= x.mean(axis=0)
    >>> scores = PrincipalScores(whitened=x / x.std(axis=0), scaled=x, placed=x)
    >>> first = with_independent_components(scores, 1, seed=0).scaled[:, 0]
    >>> bool(abs(np.corrcoef(first, heaps)[0, 1]) > 0.9)
    True
    """
    n_samples = len(scores.whitened)
    n_scores = min(int(scores.whitened.any(axis=0).sum()), n_samples // SAMPLES_PER_SCORE)
    if n_scores <= n_effects:
        return None
    principal = scores.scaled[:, :n_scores] - scores.scaled[:, :n_scores].mean(axis=0)
    components = _independent(_whitened(principal), seed)
    components = components[:, np.argsort(np.power(components, 4).mean(axis=0), kind="stable")]
    first = components[:, :n_effects]
    rest = _whitened(principal - first @ (first.T @ principal / n_samples))
    whitened = np.zeros_like(scores.whitened)
    whitened[:, :n_scores] = np.hstack([first, rest[:, : n_scores - n_effects]])
    sought = components[:, : 2 * n_effects]
    return replace(scores, whitened=whitened, scaled=sought, placed=sought)


def _independent(whitened: np.ndarray, seed: int) -> np.ndarray:
    """Return independent components, of unit variance: a rotation, found in some of the rows."""
    rows = np.random.default_rng(seed).permutation(len(whitened))[:MAX_ROWS]
    ica = FastICA(whiten=False, max_iter=MAX_ITER, tol=TOL, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ica.fit(whitened[rows]).transform(whitened)


def _whitened(points: np.ndarray) -> np.ndarray:
    """Return principal scores of unit variance, by falling variance."""
    left, _, _ = np.linalg.svd(points, full_matrices=False)
    return left * np.sqrt(len(points))
