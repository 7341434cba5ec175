"""Points of samples that have labels, and which labels these are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

#: More settings are not laid on each other one by one.
MAX_SETTINGS_LAID = 12

#: Means of labels that are so many deviations of the points apart say that offsets are larger.
FAR = 5.0


@dataclass(frozen=True, kw_only=True)
class Design:
    """Which labels samples have; a setting is one combination of labels of the contexts.

    Parameters
    ----------
    settings : ndarray of int of shape (n_samples,)
        Number of each sample's setting.
    labels : ndarray of shape (n_settings, n_labels)
        1 for the labels, of all contexts, that a setting has, else 0.
    sizes : tuple of int
        Numbers of labels of the contexts, one after another.
    mixes : ndarray of int of shape (n_settings,)
        Settings with the same number have the same weights of clusters.
    weights : ndarray of shape (n_samples,)
        For how many samples each row counts.
    """

    settings: np.ndarray
    labels: np.ndarray
    sizes: tuple[int, ...]
    mixes: np.ndarray
    weights: np.ndarray

    @cached_property
    def rows(self) -> list[np.ndarray]:
        """Numbers of the samples of each setting."""
        return [np.flatnonzero(self.settings == s) for s in range(len(self.labels))]

    def summed(self, table: np.ndarray) -> np.ndarray:
        """Return sums over the samples of each setting of a table of shape (n_samples, ...)."""
        return np.stack([table[rows].sum(axis=0) for rows in self.rows])

    def by_context(self, of_labels: np.ndarray) -> list[np.ndarray]:
        """Cut what is known of all labels into parts, one of each context."""
        return np.split(of_labels, np.cumsum(self.sizes)[:-1])


@dataclass(frozen=True, kw_only=True)
class Points(Design):
    """Points of samples that have labels.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Of about unit variance within settings.
    is_free : ndarray of bool of shape (n_features,)
        Features that labels may move.
    spread : float, default=1.0
        Deviation of the offsets that are expected: of two that fit alike, the smaller one is
        right. It is forgotten where there is evidence.
    """

    values: np.ndarray
    is_free: np.ndarray
    spread: float = 1.0

    @property
    def can_be_laid(self) -> bool:
        """Whether settings are the labels of a single context, and not many."""
        return len(self.sizes) == 1 and len(self.labels) <= MAX_SETTINGS_LAID

    def take(self, rows: np.ndarray) -> Points:
        """Return some of the samples."""
        parts = {name: getattr(self, name)[rows] for name in ("values", "settings", "weights")}
        return replace(self, **parts)

    def some(self, n_samples: int, rng: np.random.RandomState) -> Points:
        """Return so many samples at random, all where there are not more."""
        return self.take(rng.permutation(len(self.values))[:n_samples])

    def of_setting(self, setting: int) -> Points:
        """Return the samples of one setting, as if there were no other."""
        rows = self.rows[setting]
        return alone(self.values[rows], self.is_free, self.weights[rows])


def alone(values: np.ndarray, is_free: np.ndarray, weights: np.ndarray | None = None) -> Points:
    """Return points of one label."""
    n_samples = len(values)
    return Points(
        values=values,
        settings=np.zeros(n_samples, dtype=np.int64),
        labels=np.ones((1, 1)),
        sizes=(1,),
        mixes=np.zeros(1, dtype=np.int64),
        is_free=is_free,
        weights=np.ones(n_samples) if weights is None else weights,
    )


def spread_of(moves: np.ndarray) -> float:
    """Return the deviation of the offsets that are expected, given how far means are apart."""
    return max(1.0, float(np.abs(moves).max()) / FAR)
