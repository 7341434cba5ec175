r"""Whether the noise of a table differs between clusters, asked of rows that are held out.

One variance of all samples loses clusters of unlike noise in training: samples of a noisy cluster
are explained by a wider one. What principal scores leave of a table tells the noise before anything
is trained, and whatever a network overfits later is no part of it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from .._base.budgets import SOME_ROWS
from .._base.grid import n_effects
from .._clustering.arrangement import means_of_labels
from .._clustering.margins import (
    INDEPENDENT,
    MORE_THAN_SCORES,
    SAMPLES_PER_NUMBER,
    SKEWED,
    UNLIKE_NOISE,
)
from .._model.build import named_network
from .._model.setup import Setup
from .initial_sample import InitialSample
from .latent_space import evidence_of_clusters
from .linear_parts import noise_share

#: A factor of the noise of a cluster counts as that of all in so many samples (arbitrary).
PRIOR_SAMPLES = 5.0

#: Columns of a table that is asked about, at most. Of 120 columns networks learned the noise of
#: single samples (an adjusted Rand index of .89 for .99).
MAX_COLUMNS = 64

#: More clusters are not asked about: each has few samples.
MAX_CLUSTERS = 64


def with_noise_of_clusters(setup: Setup, initial: InitialSample, seed: int) -> Setup:
    """Return a setup whose decoders predict the noise of tables in which it differs.

    Where all modalities are tables their decoders say where samples lie, too. Else encoders go on
    to: they are trained beside each other, and one without the others claims what it does not know.
    The setup stays as it is where that is not left to the data, or the posterior is the published
    one.
    """
    spec, training = setup.spec, setup.training
    is_arranged = training.initialization.method == "arranged"
    if training.decoder_variance != "auto" or not is_arranged or spec.sampled_responsibilities:
        return setup
    kinds = map(named_network, spec.decoders)  # others have no variances to predict
    plain = [m for m, kind in enumerate(kinds) if kind is not None and not kind.per_cluster]
    tables = [m for m in setup.tables if m in plain]
    n_clusters = math.prod(spec.node_sizes)
    dimensions = {
        n_effects(spec.node_sizes),
        n_clusters - 1,
    }  # of sums of effects, and of any kinds
    unlike: set[int] = set()
    is_turned = setup.components == "independent"
    for dimension in sorted(dimensions):
        unasked = [m for m in tables if m not in unlike]
        asked = (unasked, initial, n_clusters, dimension, seed, is_turned)
        unlike |= {*tables_of_unlike_noise(*asked)}
    predicts = tuple(m in unlike for m in range(len(spec.shapes)))
    are_all_tables = len(tables) == len(spec.shapes)
    by_decoders = tuple(tables) if unlike and are_all_tables else ()
    return replace(setup, spec=replace(spec, predict_variances=predicts, by_decoders=by_decoders))


def tables_of_unlike_noise(
    tables: Sequence[int],
    initial: InitialSample,
    n_clusters: int,
    dimension: int,
    seed: int,
    is_turned: bool = False,
) -> tuple[int, ...]:
    """Return the tables whose noise differs between clusters.

    Parameters
    ----------
    tables : sequence of int
        Numbers of the modalities that are asked about.
    initial : InitialSample
        The samples that clusters are found on.
    n_clusters : int
        How many there may be.
    dimension : int
        Of what differs between clusters: what as many principal scores leave is noise.
    seed : int
        Of clusters and halves.
    is_turned : bool, default=False
        Whether clusters were sought in independent components, which leave more than noise.

    Returns
    -------
    tuple of int
        Those of the tables, in rising order.
    """
    scores, n_all = initial.scores, initial.data.n_samples
    if (
        scores is None
        or not tables
        or not 1 < n_clusters <= min(MAX_CLUSTERS, n_all // SAMPLES_PER_NUMBER)
    ):
        return ()
    rng = np.random.RandomState(seed)
    rows = rng.permutation(n_all)[:SOME_ROWS]
    points = (scores.whitened if is_turned else scores.scaled)[rows, :dimension]
    points = points[:, points.std(axis=0) > 0]
    if points.shape[1] == 0 or len(np.unique(points, axis=0)) < SAMPLES_PER_NUMBER * n_clusters:
        return ()  # weights may have left some rows, many times
    indicators = np.eye(n_clusters)[_clusters(points, n_clusters, seed)]
    of_all, unlike = initial.data.samples.groups, []
    groups = None if of_all is None else of_all[rows]
    for m in tables:
        x = initial.data.arrays[m].double().cpu().numpy()[rows]
        n_rows, n_columns = x.shape
        if not points.shape[1] + MORE_THAN_SCORES <= n_columns < MAX_COLUMNS:
            continue
        observed = initial.data.seen(m)[rows]
        gains = gains_of_clusters(x, observed, points, indicators, groups)
        least = UNLIKE_NOISE * n_columns + 2.0 * gains.std() / math.sqrt(n_rows)
        by_chance = math.sqrt(2.0 / math.pi) * math.sqrt(6.0 / n_rows)
        is_gaussian = skewness(x, observed, points, indicators) < SKEWED + by_chance
        if gains.mean() > least and is_gaussian and noise_share(x, points) > INDEPENDENT:
            unlike.append(m)
    return tuple(unlike)


def gains_of_clusters(
    x: np.ndarray,
    mask: np.ndarray,
    points: np.ndarray,
    indicators: np.ndarray,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    r"""Return by how many nats noise of clusters makes held-out samples more probable.

    Columns are regressed on scores, and on products of the first ones, in one half of the samples:
    what is bent is no noise, and what leaves no residuals says nothing. In the other half, they
    have the log-density :math:`-\frac{1}{2} \sum_j [\log v_j f_c + r_j^2 / (v_j f_c)]` with the
    variances v of columns and a factor f of each cluster, or :math:`f_{cj}` of both, whichever is
    more probable on the whole, less that with f = 1; then halves change places.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_columns)
        A table.
    mask : ndarray of bool of the same shape
        Which elements are observed.
    points : ndarray of shape (n_samples, n_scores)
        Principal scores.
    indicators : ndarray of shape (n_samples, n_clusters)
        1 for the cluster of each sample.
    groups : ndarray of int of shape (n_samples,), default=None
        Which samples belong together, and lie in one half.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.noise_of_clusters import gains_of_clusters
    >>> rng = np.random.RandomState(0)
    >>> cluster, noise = np.arange(400) // 2 % 2, rng.normal(size=(400, 4))
    >>> asked = np.ones((400, 4), bool), 9.0 * cluster[:, None], np.eye(2)[cluster]
    >>> alike = gains_of_clusters(noise, *asked)
    >>> unlike = gains_of_clusters(noise * (1 + cluster[:, None]), *asked)
    >>> bool(alike.mean() < 0.0), bool(unlike.mean() > 0.3)
    (True, True)
    """
    left, right = np.triu_indices(_n_with_products(points))
    basis = np.column_stack([np.ones(len(x)), points, points[:, left] * points[:, right]])
    by_cluster, by_column = np.zeros(len(x)), np.zeros(len(x))
    halves = (np.arange(len(x)) if groups is None else groups) % 2 == 0
    for training in (halves, ~halves):
        coefficients = np.linalg.lstsq(basis[training], x[training], rcond=None)[0]
        squares = np.where(mask, np.square(x - basis @ coefficients), 0.0)
        counts = np.maximum(mask[training].sum(axis=0), 1)
        variances = squares[training].sum(axis=0) / counts
        told = mask & (variances > np.finfo(float).tiny)
        ratios = np.divide(squares, variances, out=np.zeros_like(squares), where=told)
        of_training = indicators[training].T
        sums, numbers = of_training @ ratios[training], of_training @ told[training]
        prior = PRIOR_SAMPLES * told.mean(axis=0)
        of_columns = _quotients(sums + prior, numbers + prior)
        of_all = _quotients(sums.sum(axis=1) + prior.sum(), numbers.sum(axis=1) + prior.sum())
        for gains, factors in ((by_cluster, of_all[:, None]), (by_column, of_columns)):
            factor = np.broadcast_to(indicators @ factors, x.shape)
            nats = 0.5 * np.where(told, ratios - ratios / factor - np.log(factor), 0.0)
            gains[~training] = nats.sum(axis=1)[~training]
    return max(by_cluster, by_column, key=np.mean)


def _quotients(sums: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return mean ratios, 1 where there are none."""
    return np.divide(sums, numbers, out=np.ones_like(sums), where=numbers > 0)


def skewness(x: np.ndarray, mask: np.ndarray, points: np.ndarray, indicators: np.ndarray) -> float:
    """Return how skewed what scores leave of columns is within clusters, in the mean.

    Parameters
    ----------
    x, mask, points, indicators
        As of :func:`gains_of_clusters`.

    Returns
    -------
    float
        Mean of the absolute skewness of columns, in units of their deviation in each cluster.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.noise_of_clusters import skewness
    >>> noise = np.random.RandomState(0).normal(size=(400, 4))
    >>> asked = np.ones((400, 4), bool), np.zeros((400, 1)), np.ones((400, 1))
    >>> skewness(noise, *asked) < 0.2, skewness(np.exp(noise), *asked) > 1.0
    (True, True)
    """
    basis = np.column_stack([np.ones(len(x)), points])
    rest = np.where(mask, x - basis @ np.linalg.lstsq(basis, x, rcond=None)[0], 0.0)
    of_clusters = (indicators.T @ np.square(rest)) / np.maximum(indicators.T @ mask, 1.0)
    scaled = rest / np.sqrt(np.maximum(indicators @ of_clusters, np.finfo(float).tiny))
    return float(np.abs((scaled**3).sum(axis=0) / np.maximum(mask.sum(axis=0), 1)).mean())


def _clusters(points: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Return clusters of unlike shapes, which begin as those of one shape."""
    labels = evidence_of_clusters(points, n_clusters, seed)[1]
    points = points / points.std(axis=0).max()  # what is added to covariances has a unit
    means, _ = means_of_labels(labels, points, n_clusters)
    mixture = GaussianMixture(n_clusters, means_init=means, reg_covar=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit_predict(points)


def _n_with_products(points: np.ndarray) -> int:
    """Return of how many scores the products are asked, too: so many that samples are enough."""
    n_samples, n_scores = points.shape
    few = [k for k in range(n_scores + 1) if k * (k + 1) // 2 <= n_samples // SAMPLES_PER_NUMBER]
    return few[-1]
