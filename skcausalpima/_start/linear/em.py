"""Runs of EM: loadings, noise, centre and mixture together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .evidence import Family, free_numbers, strength_of
from .model import Model, Moments, expected
from .table import Table

#: Added to the diagonal of matrices that may be singular, in units of columns (arbitrary).
RIDGE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a run has come to.

    Parameters
    ----------
    model : Model
        The parameters.
    moments : Moments
        What rows say by them.
    value : float
        Log-likelihood of all rows, nats in units of columns.
    n_steps : int
        M steps that were made.
    """

    model: Model
    moments: Moments
    value: float
    n_steps: int

    def score(self, family: Family, table: Table) -> float:
        """Return the log-likelihood less half a logarithm of each free number."""
        counts = self.moments.responsibilities.sum(axis=0) + 1.0
        return self.value - free_numbers(self.model, family, table, counts)


@dataclass(frozen=True)
class Trainer:
    """EM of one family on one table.

    Parameters
    ----------
    table : Table
        The rows.
    family : Family
        What is free.
    least : ndarray of shape (n_columns,)
        Smallest noise.
    """

    table: Table
    family: Family
    least: np.ndarray

    def run(self, model: Model, n_steps: int, tol: float) -> Run:
        """Run until the likelihood of a row rises by less than ``tol`` in a step."""
        *_, last = self.steps(model, n_steps, tol)
        return last

    def steps(self, model: Model, n_steps: int, tol: float) -> Iterator[Run]:
        """Yield the state of each step."""
        old = -np.inf
        for step in range(n_steps + 1):
            moments = expected(model, self.table)
            value = float(moments.densities.sum())
            yield Run(model=model, moments=moments, value=value, n_steps=step)
            if (value - old < tol * len(moments.logs) and step > 5) or step == n_steps:
                return
            old, model = value, self.maximised(model, moments)

    def maximised(self, model: Model, moments: Moments) -> Model:
        """Return the parameters that are likeliest by what rows say: the M step."""
        shares = moments.responsibilities
        counts = shares.sum(axis=0) + 1e-9
        if not self.family.is_whole:
            model = self._regressed(model, moments, shares)
        means = (shares.T[:, None] @ moments.means)[:, 0] / counts[:, None]
        if (D := self.family.design) is not None:
            normal = D.T @ (counts[:, None] * D) + 1e-9 * np.eye(D.shape[1])
            means = D @ np.linalg.solve(normal, D.T @ (counts[:, None] * means))
        scatters = self._scatters(moments, shares, means)
        weights = (counts + 1e-3) / (counts + 1e-3).sum()
        return self._rescaled(
            replace(model, weights=weights, means=means), scatters, counts, len(shares)
        )

    def _regressed(self, model: Model, moments: Moments, shares: np.ndarray) -> Model:
        """Return loadings, centre and noise: regressions of columns on (1, z)."""
        n, q = len(shares), model.n_dims
        z = np.concatenate([np.ones((n, 1)), moments.points], axis=1)
        cross = self.table.filled.T @ z  # what is missing is 0
        squares = np.square(self.table.filled).sum(axis=0)
        if self.table.is_whole:
            second = np.tensordot(shares.sum(axis=0), moments.covariances[0], 1)
            weighted = shares.T[:, :, None] * moments.means
            second += (weighted.swapaxes(1, 2) @ moments.means).sum(axis=0)
            sums = z.T @ z
            sums[1:, 1:] = second
            beta = np.linalg.solve(sums + 1e-8 * np.eye(q + 1), cross.T).T
        else:
            rows = z[:, :, None] * z[:, None, :]
            rows[:, 1:, 1:] = 0.0
            for k, (share, mean) in enumerate(zip(shares.T, moments.means, strict=True)):
                inner = moments.covariances[self.table.which, k]
                inner = inner + mean[:, :, None] * mean[:, None, :]
                rows[:, 1:, 1:] += share[:, None, None] * inner
            sums = self.table.observed.T.astype(float) @ rows.reshape(n, -1)
            sums = sums.reshape(-1, q + 1, q + 1) + 1e-8 * np.eye(q + 1)
            beta = np.linalg.solve(sums, cross[..., None])[..., 0]
        left = squares - (beta * cross).sum(axis=1)
        noise = np.maximum(left / np.maximum(self.table.n_values(), 1), self.least)
        return replace(model, centre=beta[:, 0], loadings=beta[:, 1:], noise=noise)

    def _scatters(self, moments: Moments, shares: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return sums of squares of latent points about the means, (n_kinds, n_dims, n_dims)."""
        n_patterns = len(self.table.masks)
        of_patterns = shares.sum(axis=0)[None]  # (n_patterns, n_kinds)
        if n_patterns > 1:
            sums = [
                np.bincount(self.table.which, share, minlength=n_patterns) for share in shares.T
            ]
            of_patterns = np.stack(sums, axis=1)
        within = (of_patterns[:, :, None, None] * moments.covariances).sum(axis=0)
        d = moments.means - means[:, None]
        scatters: np.ndarray = within + (shares.T[:, :, None] * d).swapaxes(1, 2) @ d
        return scatters

    def _rescaled(self, model: Model, scatters: np.ndarray, counts: np.ndarray, n: int) -> Model:
        """Return covariances by their evidence; the scale of z is that of the pooled one."""
        q = model.n_dims
        pooled = scatters.sum(axis=0) / n + RIDGE * np.eye(q)
        if self.family.is_diagonal:
            scatters, pooled = scatters * np.eye(q), pooled * np.eye(q)
        strength, covariances = np.inf, np.repeat(pooled[None], len(counts), axis=0)
        if self.family.covariances != "pooled" and len(counts) > 1:
            strength = strength_of(scatters, counts, pooled, self.family.is_diagonal)
            total = (counts + strength)[:, None, None]
            covariances = (scatters + strength * pooled) / total
        covariances = covariances + RIDGE * np.eye(q)
        means, loadings = model.means, model.loadings
        if not self.family.is_whole:
            root = np.linalg.cholesky(pooled)
            back = np.linalg.inv(root)
            loadings, means = loadings @ root, means @ back.T
            covariances = back @ covariances @ back.T
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2.0
        return replace(
            model, loadings=loadings, means=means, covariances=covariances, strength=strength
        )
