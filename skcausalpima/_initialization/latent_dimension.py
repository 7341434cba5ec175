"""How many latent dimensions tables of a few columns need, as far as clusterings tell.

The latent space has some dimensions more than nodes ask for, and begins as the first principal
scores. Where columns vary together within clusters, these may hold little of what tells clusters
apart. Then the latent space has as many dimensions as there are columns.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from .._clustering.gaps import find_gaps
from .._clustering.latent_classes import IndependentColumns, latent_classes
from .._data.units import is_table
from .._data.validation import Modalities
from .._model.spec import ModelSpec
from .initial_sample import InitialSample
from .principal_components import PrincipalScores

#: Columns at most; samples for each score, at least; and clusters at most.
MAX_COLUMNS, SAMPLES_PER_SCORE, MAX_CLUSTERS = 20, 10, 64

#: Values that columns and scores have at least, where those count as one that lie so near to each
#: other, in standard deviations: fewer would be clusters of their own, as of zeros and ones.
LEAST_VALUES, NEAR = 20, 0.02

#: Rows that are looked at, and starts of each mixture.
MAX_ROWS, N_STARTS = 1000, 10

#: All scores must speak so many times more for clusters than the first ones do, and so many nats.
TIMES, CLEARLY = 1.1, 5.0

#: Share of the samples whose class all scores tell, and the planned ones do not.
BETTER_TOLD = 0.01

#: Density between clusters, relative to that around their means: that of Gaussians four standard
#: deviations apart.
GAP = 0.4


def needed_dimension(
    spec: ModelSpec, modalities: Modalities, initial: InitialSample, seed: int
) -> int:
    """Return the dimension of a latent space that holds what tells clusters apart.

    Parameters
    ----------
    spec : ModelSpec
        What is built, with a dimension that follows from nodes and number of samples alone.
    modalities : Modalities
        The data.
    initial : InitialSample
        The samples that clusters are found on.
    seed : int
        Seed of the mixtures.

    Returns
    -------
    int
        That dimension, or the number of principal scores: where all modalities are tables of
        numbers, and clusters are clearly more probable in all scores than in the first ones.
    """
    n_clusters, scores = math.prod(spec.node_sizes), initial.scores
    if scores is not None and scores.columns is not None and scores.columns.together:
        return _dimension_of_classes(spec.latent_dim, scores, scores.columns, n_clusters, seed)
    is_few = sum(map(math.prod, spec.shapes)) <= MAX_COLUMNS and n_clusters <= MAX_CLUSTERS
    has_more = any(spec.layouts) or any(spec.views) or any(spec.experts)
    if scores is None or has_more or not is_few:
        return spec.latent_dim
    if not all(is_table(modalities, m) for m in range(len(spec.shapes))):
        return spec.latent_dim  # what curves have in common is much, and little of it noise
    points = scores.scaled[:, scores.whitened.any(axis=0)]
    rows = np.arange(len(points))
    if initial.data.observed is not None:
        rows = np.flatnonzero(initial.data.observed.all(dim=0).cpu().numpy())
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, MAX_ROWS).astype(int))]
    points = points[rows]
    n_rows, n_scores = points.shape
    if n_scores <= spec.latent_dim or n_rows < SAMPLES_PER_SCORE * n_scores:
        return spec.latent_dim
    columns = [array[rows].cpu().numpy() for array in initial.data.arrays]
    if any(map(_has_levels, [points, *columns])):
        return spec.latent_dim
    parts = points[:, : spec.latent_dim], points
    (first, _), (of_all, labels) = (evidence_of_clusters(of, n_clusters, seed) for of in parts)
    speaks_for_all = of_all > max(first, TIMES * first) + CLEARLY
    # tails of skewed columns are no clusters: there is no gap before them
    if speaks_for_all and find_gaps(points, labels, np.arange(n_clusters)[:, None]).nodes[0] < GAP:
        return n_scores
    return spec.latent_dim


def _dimension_of_classes(
    planned: int, scores: PrincipalScores, columns: IndependentColumns, n_classes: int, seed: int
) -> int:
    """Return how many dimensions tell latent classes apart whose numbers vary together.

    That is one more for each number, if classes are told by the planned ones clearly less well than
    by all scores.
    """
    points = scores.scaled[:, scores.whitened.any(axis=0)]
    found = latent_classes(columns, points, n_classes, random_state=seed, n_starts=N_STARTS)
    labels = found[0].labels
    if len(np.unique(labels)) == 1:
        return planned
    rule = LinearDiscriminantAnalysis()
    by_all, by_planned = (
        rule.fit(part, labels).score(part, labels) for part in (points, points[:, :planned])
    )
    more = planned + columns.numbers.shape[1]
    return min(points.shape[1], more) if by_all > by_planned + BETTER_TOLD else planned


def _has_levels(table: np.ndarray) -> bool:
    """Return whether a column that varies has few values."""
    deviations = table.std(axis=0)
    near = np.round(table[:, deviations > 0] / (NEAR * deviations[deviations > 0]))
    return any(len(np.unique(column)) < LEAST_VALUES for column in near.T)


def evidence_of_clusters(
    points: np.ndarray, n_clusters: int, seed: int
) -> tuple[float, np.ndarray]:
    r"""Return by how many nats clusters are more probable than one Gaussian, and the clusters.

    The clusters are a mixture with one covariance matrix. Evidence is approximated by BIC: it has
    :math:`(K - 1) (d + 1)` parameters more. Directions that are left out count as independent of
    the clusters, so that evidences of different directions compare (as in [1]_).

    .. [1] A. E. Raftery and N. Dean, "Variable selection for model-based clustering", Journal of
       the American Statistical Association 101, 2006.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_directions)
        Principal scores.
    n_clusters : int
        K.
    seed : int
        Seed of the mixture.

    Returns
    -------
    evidence : float
        Of all samples together.
    labels : ndarray of int of shape (n_samples,)
        Their clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.latent_dimension import evidence_of_clusters
    >>> x = np.random.RandomState(0).normal(size=(200, 1))
    >>> evidence_of_clusters(x, 2, seed=0)[0] > 0
    False
    >>> x[:100] += 10.0
    >>> evidence_of_clusters(x, 2, seed=0)[0] > 100
    True
    """
    n_samples, n_directions = points.shape
    points = points / points.std(axis=0).max()  # what is added to covariances has a unit
    one = GaussianMixture(1).fit(points)
    several = GaussianMixture(
        n_clusters, covariance_type="tied", n_init=N_STARTS, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = several.fit_predict(points)
    gain = several.score(points) - one.score(points)
    n_more = (n_clusters - 1) * (n_directions + 1)
    return float(n_samples * gain - 0.5 * n_more * math.log(n_samples)), labels
