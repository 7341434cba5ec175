"""What networks have to learn beside their linear paths: nothing but noise, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._base.budgets import FEW_ROWS
from .._clustering.margins import LEAST_RATIO, SAMPLES_PER_NUMBER, SPREAD_OF_NOISE, WIDE
from .._model.build import named_network
from .._model.spec import ModelSpec
from .initial_sample import InitialSample
from .principal_components import observed_rows

#: Part of a modality's variance that scores may leave where it has no noise: the smallest decoder
#: variance.
NOISELESS = 1e-6


def linear_modalities(spec: ModelSpec, initial: InitialSample) -> tuple[int, ...]:
    """Return the numbers of the modalities whose networks have nothing but noise to learn.

    A linear path from the start is all that they need. Networks take steps of one size (Adam)
    whether a gradient is more than noise or not: in wide modalities, each element of which tells
    little, samples lose in training what the start had. Asked about are wide modalities that the
    default networks encode and decode. Where scores leave few directions, as of images and smooth
    curves, these are no noise, and the ratio says little: it has as few degrees of freedom.

    Parameters
    ----------
    spec : ModelSpec
        What is built.
    initial : InitialSample
        The samples that clusters are found on.

    Returns
    -------
    tuple of int
        In rising order; none where there are no principal scores.
    """
    return tuple(
        m
        for m, x, scores in _of_default_networks(spec, initial)
        if x.shape[1] >= WIDE
        and quadratic_ratio(x, scores) < LEAST_RATIO
        and noise_share(x, scores) > SPREAD_OF_NOISE
    )


def noiseless(spec: ModelSpec, initial: InitialSample) -> tuple[int, ...]:
    """Return the numbers of the modalities that fewer scores say all of, as some simulations are.

    The linear paths of default networks hold that from the start. A step of a network moves all
    elements together, by more than noise of which there is none: training would only do harm.

    Parameters
    ----------
    spec : ModelSpec
        What is built.
    initial : InitialSample
        The samples that clusters are found on.

    Returns
    -------
    tuple of int
        In rising order; none where there are no principal scores.
    """
    without_noise = []
    for m, x, scores in _of_default_networks(spec, initial):
        basis, is_small = _basis(scores), x.shape[1] <= np.linalg.matrix_rank(scores)
        parts = x - np.median(x, axis=0), x - basis @ (basis.T @ x)
        # of the median sample: one that is far off would have all of the variance
        total, left = (np.median(np.square(part).sum(axis=1)) for part in parts)
        if not is_small and 2 * basis.shape[1] < len(x) and left < NOISELESS * total:
            without_noise.append(m)
    return tuple(without_noise)


def _of_default_networks(
    spec: ModelSpec, initial: InitialSample
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield modalities of numbers that default networks encode and decode, and their scores."""
    if initial.scores is None:
        return
    whitened = initial.scores.whitened[:, : spec.latent_dim]
    for m, entries in enumerate(zip(spec.encoders, spec.decoders, strict=True)):
        kinds = [named_network(entry) for entry in entries]
        has_default = all(
            kind is not None and kind.is_dense and not kind.per_cluster for kind in kinds
        )
        is_asked = has_default and spec.experts[m] is None and not spec.predict_variances[m]
        if is_asked and not any(spec.layouts[m : m + 1]):
            rows = observed_rows(initial.data, m)
            yield m, initial.data.arrays[m][rows].double().cpu().numpy(), whitened[rows]


def noise_share(x: np.ndarray, scores: np.ndarray) -> float:
    r"""Return over how many directions residuals are spread, relative to independent noise.

    With the eigenvalues :math:`\lambda` of their covariance it is :math:`(\sum \lambda)^2 / \sum
    \lambda^2`. Columns that are independent, with the variances v, have
    :math:`1 / (1 / n + \sum v^2 / (\sum v)^2)` in n samples.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_columns)
        Samples.
    scores : ndarray of shape (n_samples, n_components)
        What they are regressed on.

    Returns
    -------
    float
        About 1 for noise, near 0 where columns vary together.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.linear_parts import noise_share
    >>> rng = np.random.RandomState(0)
    >>> z, noise = rng.normal(size=(200, 2)), rng.normal(size=(200, 100))
    >>> round(noise_share(noise, z), 1), noise_share(noise.cumsum(axis=1), z) < 0.1
    (1.0, True)
    """
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), FEW_ROWS)).astype(int))
    rest, basis = x[rows], _basis(scores[rows])
    rest = rest - basis @ (basis.T @ rest)
    products = rest @ rest.T if len(rest) < rest.shape[1] else rest.T @ rest
    spread = np.square(rest).sum(axis=0)
    total = spread.sum() ** 2
    n_left = max(len(rest) - basis.shape[1], 1)
    expected = total / n_left + np.square(spread).sum()
    return float(expected / np.square(products).sum())


def _basis(scores: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of a constant and the scores."""
    return np.linalg.qr(np.column_stack([np.ones(len(scores)), scores]))[0]


def quadratic_ratio(x: np.ndarray, scores: np.ndarray) -> float:
    r"""Return the ratio of variances that squares and products of scores have in a regression.

    Columns are regressed on scores z, then on :math:`z_j z_k`, too (Ramsey's RESET, 1969), of
    which the principal components count that vary most, one for ten samples. With sums of squared
    residuals :math:`S_0`, :math:`S_1` over all columns, q components and :math:`\nu` degrees of
    freedom that are left, the ratio is

    .. math:: F = \frac{(S_0 - S_1) / q}{S_1 / \nu},

    whose mean is about one where the columns are linear in z and their noise is independent.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_columns)
        Samples.
    scores : ndarray of shape (n_samples, n_components)
        Principal scores; columns of zeros do not matter.

    Returns
    -------
    float
        Infinite where too little is known: no score varies, or there are too few samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.linear_parts import quadratic_ratio
    >>> rng = np.random.RandomState(0)
    >>> z, noise = rng.normal(size=(500, 2)), rng.normal(size=(500, 80))
    >>> linear = z @ rng.normal(size=(2, 80)) + noise
    >>> curved = linear + 0.5 * z[:, :1] ** 2
    >>> quadratic_ratio(linear, z) < 1.2, quadratic_ratio(curved, z) > 20
    (True, True)
    """
    z = scores[:, scores.std(axis=0) > 0]
    n_samples, n_terms = len(z), len(z) // SAMPLES_PER_NUMBER
    rows, columns = np.triu_indices(z.shape[1])
    basis = _basis(z)
    terms = z[:, rows] * z[:, columns]
    terms, x = (values - basis @ (basis.T @ values) for values in (terms, x))
    u, spread, _ = np.linalg.svd(terms, full_matrices=False)
    u = u[:, spread > 1e-6 * spread.max(initial=0.0)][:, :n_terms]
    left = n_samples - basis.shape[1] - u.shape[1]
    if u.shape[1] == 0 or left < 1:
        return np.inf
    total, explained = np.square(x).sum(), np.square(u.T @ x).sum()
    if explained >= total:
        return np.inf
    return float(explained / u.shape[1] / ((total - explained) / left))
