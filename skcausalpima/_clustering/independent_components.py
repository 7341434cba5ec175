r"""Scores in which few directions that fall into heaps come before all that vary more.

Principal scores are ordered by how much varies. Where a nuisance varies most, clusters show in
none of the first ones. Samples of clusters lie in heaps, and a direction that falls into two heaps
of equal weight has the kurtosis (without the 3 of a Gaussian) :math:`-2 / (1 + 4 / \delta^2)^2`,
:math:`\delta` standard deviations apart, towards the least that there is. So independent components
of least kurtosis come first.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from .._base.budgets import MIXTURE_ROWS
from .margins import LEAST_VALUES, ONE_VALUE, SAMPLES_PER_NUMBER

#: Iterations at most, and the change of a direction at which they end (arbitrary).
MAX_ITER, TOL = 200, 1e-3

#: Scores that vary less, relative to the first, are rounding (arbitrary).
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class IndependentComponents:
    """A linear map from principal scores to independent components, by rising kurtosis.

    Parameters
    ----------
    centre : ndarray of shape (n_scores,)
        Means of the scores.
    directions : ndarray of shape (n_scores, n_components)
        To components of variance one, and no correlation.
    """

    centre: np.ndarray
    directions: np.ndarray

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Return components of scores, (n_samples, n_components), of which there may be more."""
        return (scores[:, : len(self.centre)] - self.centre) @ self.directions


def independent_components(
    scores: np.ndarray, n_effects: int, seed: int
) -> IndependentComponents | None:
    """Find independent components of principal scores.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_scores)
        By falling variance.
    n_effects : int
        Number of main effects.
    seed : int
        Of directions, and rows.

    Returns
    -------
    IndependentComponents or None
        As many as there are scores, or a tenth as many as samples. None where these are no more
        than effects: mixtures of as many scores see the same.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.independent_components import independent_components
    >>> rng = np.random.RandomState(0)
    >>> scores = rng.normal(size=(500, 4)) * [5.0, 4.0, 3.0, 1.0]
    >>> heaps = rng.randint(2, size=500)
    >>> scores[:, 3] += 6.0 * heaps
    >>> first = independent_components(scores, 1, seed=0).of(scores)[:, 0]
    >>> bool(abs(np.corrcoef(first, heaps)[0, 1]) > 0.9)
    True
    """
    n_samples = len(scores)
    centred = scores[:, : n_samples // SAMPLES_PER_NUMBER]
    centre = centred.mean(axis=0)
    centred = centred - centre
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    is_there = singular > ROUNDING * singular.max(initial=0.0)
    if is_there.sum() <= n_effects:
        return None
    whitening = axes[is_there].T / singular[is_there] * np.sqrt(n_samples)
    whitened = centred @ whitening
    rows = np.random.default_rng(seed).permutation(n_samples)[:MIXTURE_ROWS]
    ica = FastICA(whiten=False, max_iter=MAX_ITER, tol=TOL, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rotation = ica.fit(whitened[rows]).components_.T
    kurtosis = np.power(whitened @ rotation, 4).mean(axis=0)
    directions = whitening @ rotation[:, np.argsort(kurtosis, kind="stable")]
    return IndependentComponents(centre=centre, directions=directions)


def has_levels(table: np.ndarray) -> bool:
    """Return whether a column that varies has few values, which are heaps of their own."""
    deviations = table.std(axis=0)
    varies = (deviations > 0) & (np.ptp(table, axis=0) > 0)  # what equal numbers do is rounding
    near = np.round(table[:, varies] / (ONE_VALUE * deviations[varies]))
    return any(len(np.unique(column)) < LEAST_VALUES for column in near.T)
