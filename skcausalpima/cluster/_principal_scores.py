"""Principal scores of a table, in which clusters are sought."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from sklearn.utils.extmath import randomized_svd

from .._clustering.independent_components import IndependentComponents

#: [largest singular value] Smaller singular values are rounding (arbitrary).
ROUNDING = 1e-8

#: [samples] So many are looked at at a time (arbitrary).
BLOCK_ROWS = 8192


@dataclass(frozen=True, kw_only=True)
class PrincipalAxes:
    """Where principal scores come from.

    Parameters
    ----------
    unit : float
        What samples are divided by: squares of very large or small numbers have no room.
    centre : ndarray of shape (n_features,)
        What is taken from them then.
    axes : ndarray of shape (n_scores, n_features)
        Orthogonal unit vectors by falling variance, or the directions of independent components.
    """

    unit: float
    centre: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, n_scores: int, seed: int) -> Self:
        """Return the axes along which samples vary most: so many, or as many as there are.

        Where all samples are equal there is one, along which they do not vary.
        """
        unit = float(np.abs(X).max()) or 1.0
        scaled = X / unit
        centre = scaled.mean(axis=0, dtype=np.float64)
        scaled = scaled - centre
        if min(X.shape) <= 4 * n_scores:  # no slower, and exact
            _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
        else:
            _, singular, axes = randomized_svd(scaled, n_scores, random_state=seed)
        n_there = max(1, int((singular[:n_scores] > ROUNDING * max(singular[0], ROUNDING)).sum()))
        return cls(unit=unit, centre=centre, axes=axes[:n_there])

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Return principal scores, (n_samples, n_scores); no copy of all samples is made."""
        blocks = (X[start : start + BLOCK_ROWS] for start in range(0, len(X), BLOCK_ROWS))
        return np.concatenate([(block / self.unit - self.centre) @ self.axes.T for block in blocks])

    def turned(self, components: IndependentComponents, number: int) -> Self:
        """Return axes whose scores are the first components of these scores."""
        n_scores, directions = len(components.centre), components.directions[:, :number]
        centre = self.centre + components.centre @ self.axes[:n_scores]
        return replace(self, centre=centre, axes=directions.T @ self.axes[:n_scores])
