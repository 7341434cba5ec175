"""Which wide modalities are linear in the latent points, as far as the samples show."""

from __future__ import annotations

import numpy as np

from .._model.networks import named_network
from .._model.setup import Setup
from .._model.tensors import TensorData
from .principal_components import PrincipalScores, observed_rows

#: Elements from which on what networks learn of the noise adds up to more than they may gain.
WIDE = 64

#: Below this ratio of variances, squares and products of scores tell no more than noise would.
LEAST_RATIO = 1.2

#: One square or product for so many samples, at most.
SAMPLES_PER_TERM = 10


def linear_modalities(setup: Setup, data: TensorData, scores: PrincipalScores) -> tuple[int, ...]:
    """Return the numbers of the modalities whose networks have nothing but noise to learn.

    A linear path from the start is all that they need. Networks take steps of one size (Adam)
    whether a gradient is more than noise or not: in wide modalities, each element of which tells
    little, samples lose in training what the start had. Asked about are wide modalities that the
    default networks encode and decode.

    Parameters
    ----------
    setup : Setup
        What is built.
    data : TensorData
        The samples that clusters are found on.
    scores : PrincipalScores
        Their principal scores.

    Returns
    -------
    tuple of int
        In rising order.
    """
    spec, found = setup.spec, []
    whitened = scores.whitened[:, : spec.latent_dim]
    for m, entries in enumerate(zip(spec.encoders, spec.decoders, strict=True)):
        kinds = [named_network(entry) for entry in entries]
        has_default = all(of is not None and of.is_dense and not of.per_cluster for of in kinds)
        is_asked = has_default and spec.experts[m] is None and not spec.predict_variances[m]
        if not is_asked or any(spec.layouts[m : m + 1]) or data.arrays[m].shape[1] < WIDE:
            continue
        rows = observed_rows(data, m)
        x = data.arrays[m][rows].double().cpu().numpy()
        if quadratic_ratio(x, whitened[rows]) < LEAST_RATIO:
            found.append(m)
    return tuple(found)


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
    >>> from skcausalpima._initialization.linearity import quadratic_ratio
    >>> rng = np.random.RandomState(0)
    >>> z, noise = rng.normal(size=(500, 2)), rng.normal(size=(500, 80))
    >>> linear = z @ rng.normal(size=(2, 80)) + noise
    >>> curved = linear + 0.5 * z[:, :1] ** 2
    >>> quadratic_ratio(linear, z) < 1.2, quadratic_ratio(curved, z) > 20
    (True, True)
    """
    z = scores[:, scores.std(axis=0) > 0]
    n_samples, n_terms = len(z), len(z) // SAMPLES_PER_TERM
    rows, columns = np.triu_indices(z.shape[1])
    basis = np.linalg.qr(np.column_stack([np.ones(n_samples), z]))[0]
    terms = z[:, rows] * z[:, columns]
    terms, x = (of - basis @ (basis.T @ of) for of in (terms, x))
    u, spread, _ = np.linalg.svd(terms, full_matrices=False)
    u = u[:, spread > 1e-6 * spread.max(initial=0.0)][:, :n_terms]
    left = n_samples - basis.shape[1] - u.shape[1]
    if u.shape[1] == 0 or left < 1:
        return np.inf
    total, explained = np.square(x).sum(), np.square(u.T @ x).sum()
    if explained >= total:
        return np.inf
    return float(explained / u.shape[1] / ((total - explained) / left))
