"""What each kind is, as points on which effects of nodes add up."""

from __future__ import annotations

import numpy as np

from .model import Model


def features(model: Model, most: int = 200) -> np.ndarray:
    r"""Return means and logarithms of covariances of kinds, (n_kinds, n_features).

    Both are in units of the spread within kinds. Entries of logarithms count so that each has the
    sampling variance of a mean, one over the samples of the kind: that of a logarithm of a variance
    is 2 / N, hence the :math:`1 / \sqrt 2`; those beside the diagonal stand for two. Where
    covariances are pooled, means are all. Without shapes the nodes that change a spread alone are
    placed by chance (accuracy .51-.54 in place of .97).

    Parameters
    ----------
    model : Model
        The kinds.
    most : int, default=200
        Features at most: those that differ most.
    """
    pooled = np.einsum("k,kij->ij", model.weights, model.covariances)
    back = np.linalg.inv(np.linalg.cholesky(pooled))
    means = model.means @ back.T
    if not np.isfinite(model.strength):
        return means
    values, vectors = np.linalg.eigh(back @ model.covariances @ back.T)
    logs = (vectors * np.log(np.maximum(values, 1e-12))[:, None, :]) @ vectors.transpose(0, 2, 1)
    i, j = np.triu_indices(model.n_dims)
    shapes = logs[:, i, j] * np.where(i == j, np.sqrt(0.5), 1.0)
    both = np.concatenate([means, shapes], axis=1)
    return both[:, np.argsort(-both.var(axis=0), kind="stable")[:most]]


def placed(model: Model, points: np.ndarray, labels: np.ndarray, most: int = 200) -> np.ndarray:
    """Return the same of rows, whose means over kinds are (nearly) those of kinds.

    Logarithms have no mean over rows: of a row there are products of what is left of it, whitened.

    Parameters
    ----------
    model : Model
        The kinds.
    points : ndarray of shape (n_rows, n_dims)
        Latent points.
    labels : ndarray of int of shape (n_rows,)
        Their kinds.
    most : int, default=200
        Products at most.
    """
    pooled = np.einsum("k,kij->ij", model.weights, model.covariances)
    back = np.linalg.inv(np.linalg.cholesky(pooled)).T
    white = points @ back
    if not np.isfinite(model.strength):
        return white
    left = white - (model.means @ back)[labels]
    i, j = np.triu_indices(model.n_dims)
    products = left[:, i] * left[:, j] * np.where(i == j, np.sqrt(0.5), 1.0)
    kinds = np.eye(len(model.means))[labels]
    means = kinds.T @ products / np.maximum(kinds.sum(axis=0), 1.0)[:, None]
    differing = np.argsort(-means.var(axis=0), kind="stable")[:most]
    return np.concatenate([white, products[:, differing]], axis=1)
