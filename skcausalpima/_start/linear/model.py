"""Parameters of the linear case, and what rows say of their latent points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .table import Table


@dataclass(frozen=True, kw_only=True)
class Model:
    """All numbers, in units of columns.

    Parameters
    ----------
    loadings : ndarray of shape (n_columns, n_dims)
        W.
    centre, noise : ndarray of shape (n_columns,)
        b, and the variances psi.
    weights : ndarray of shape (n_kinds,)
        A.
    means : ndarray of shape (n_kinds, n_dims)
        m; of the pooled covariance the unit matrix is the scale, but where z is the columns.
    covariances : ndarray of shape (n_kinds, n_dims, n_dims)
        S.
    strength : float
        Samples that the pooled covariance counts as in each own one; inf where all are pooled.
    """

    loadings: np.ndarray
    centre: np.ndarray
    noise: np.ndarray
    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    strength: float = np.inf

    @property
    def n_dims(self) -> int:
        """Latent dimensions."""
        return int(self.means.shape[1])


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What rows say of kinds and of latent points.

    Parameters
    ----------
    logs : ndarray of shape (n_rows, n_kinds)
        Logarithms of weight times density.
    means : ndarray of shape (n_kinds, n_rows, n_dims)
        Of the latent point, given the kind.
    covariances : ndarray of shape (n_patterns, n_kinds, n_dims, n_dims)
        Of the same, by what is missing.
    """

    logs: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @cached_property
    def densities(self) -> np.ndarray:
        """Log-densities of rows, (n_rows,)."""
        largest = self.logs.max(axis=1)
        sums: np.ndarray = largest + np.log(np.exp(self.logs - largest[:, None]).sum(axis=1))
        return sums

    @cached_property
    def responsibilities(self) -> np.ndarray:
        """Probabilities of kinds, (n_rows, n_kinds)."""
        shares: np.ndarray = np.exp(self.logs - self.densities[:, None])
        return shares

    @cached_property
    def points(self) -> np.ndarray:
        """Posterior means of latent points, (n_rows, n_dims)."""
        points: np.ndarray = (self.responsibilities.T[:, :, None] * self.means).sum(axis=0)
        return points


def expected(model: Model, table: Table) -> Moments:
    """Return what rows say: the E step.

    With h = W' psi^-1 (x - b) and L = W' psi^-1 W over what is observed, the posterior covariance
    is P = (S^-1 + L)^-1, the mean m + P (h - L m), and the density that of x by Woodbury's formula.
    """
    precision = 1.0 / model.noise
    left = np.where(table.observed, table.filled - model.centre, 0.0)
    if table.is_whole:
        left = table.filled - model.centre
    h = (left * precision) @ model.loadings
    of_patterns = table.masks @ np.log(2.0 * np.pi * model.noise)
    constant = np.square(left) @ precision + of_patterns[table.which]
    n_columns, q = model.loadings.shape
    products = (model.loadings[:, :, None] * model.loadings[:, None, :]).reshape(n_columns, q * q)
    known = ((table.masks * precision) @ products).reshape(-1, q, q)
    roots = np.linalg.cholesky(model.covariances)[:, None]
    turned = roots.swapaxes(2, 3)
    inner = np.linalg.cholesky(np.eye(q) + turned @ known @ roots)  # (kind, pattern, q, q)
    half = np.linalg.solve(inner, np.broadcast_to(turned, inner.shape))  # half' half is P
    log_dets = 2.0 * np.log(np.diagonal(inner, axis1=2, axis2=3)).sum(axis=2)
    toward = (known @ model.means[:, None, :, None])[..., 0]  # (kind, pattern, q)
    y = _times(half, h - toward[:, table.which], table.which)
    of_means = (toward @ model.means[:, :, None])[..., 0]  # (kind, pattern)
    square = constant - 2.0 * model.means @ h.T - np.square(y).sum(axis=2)
    square += (of_means + log_dets)[:, table.which]
    return Moments(
        logs=(np.log(model.weights)[:, None] - 0.5 * square).T,
        means=model.means[:, None] + _times(half.swapaxes(2, 3), y, table.which),
        covariances=(half.swapaxes(2, 3) @ half).swapaxes(0, 1),
    )


def _times(matrices: np.ndarray, vectors: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Multiply vectors, (n_kinds, n_rows, n_dims), with the matrices of kinds and patterns."""
    if matrices.shape[1] == 1:
        return vectors @ matrices[:, 0].swapaxes(1, 2)
    pairs = zip(matrices, vectors, strict=True)
    return np.stack([(of[which] @ x[:, :, None])[:, :, 0] for of, x in pairs])


def drawn(model: Model, n_rows: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows, (n_rows, n_columns), in units of columns, and their kinds."""
    kinds = rng.choice(len(model.weights), size=n_rows, p=model.weights)
    roots = np.linalg.cholesky(model.covariances)
    z = rng.normal(size=(n_rows, model.n_dims))
    z = model.means[kinds] + (roots[kinds] @ z[:, :, None])[:, :, 0]
    noise = rng.normal(size=(n_rows, len(model.centre))) * np.sqrt(model.noise)
    return model.centre + z @ model.loadings.T + noise, kinds
