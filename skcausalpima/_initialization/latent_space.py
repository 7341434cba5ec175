"""How many dimensions of the latent space hold what tells clusters of a table apart.

The latent space has some dimensions more than nodes ask for, and begins as the first principal
scores. Where columns vary together within clusters, these may hold little of what tells clusters
apart. Then the latent space has as many dimensions as there are scores, and clusters are sought
where they show.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from .._base.budgets import FEW_ROWS
from .._clustering.gaps import find_gaps
from .._clustering.independent_components import has_levels
from .._clustering.latent_classes import latent_classes
from .._clustering.margins import (
    BETTER_TOLD,
    CLEAR_EVIDENCE,
    GAP_IN_SCORES,
    SAMPLES_PER_NUMBER,
    TIMES_THE_EVIDENCE,
)
from .._data.validation import Modalities
from .._model.spec import ModelSpec, are_tables_of_numbers
from .._model.tensors import TensorData
from .principal_components import PrincipalScores, principal_scores

#: Columns and clusters at most (arbitrary).
MAX_COLUMNS, MAX_CLUSTERS = 64, 64

#: Columns up to which all scores are looked at, else the first ones that there are: time grows with
#: the cube of the dimension.
MAX_DIM = 40

#: Starts of each mixture (arbitrary).
N_STARTS = 10


def in_all_scores(
    spec: ModelSpec,
    modalities: Modalities,
    data: TensorData,
    scores: PrincipalScores,
    seed: int,
) -> PrincipalScores | None:
    """Return all scores in units of what varies within the clusters that they show.

    Parameters
    ----------
    spec : ModelSpec
        What is built, with a dimension that follows from nodes and number of samples alone.
    modalities : Modalities
        All of X.
    data : TensorData
        The samples that clusters are found on.
    scores : PrincipalScores
        Of these.
    seed : int
        Seed of the mixtures.

    Returns
    -------
    PrincipalScores or None
        As many as there are. None unless all modalities are tables of numbers, and clusters are
        clearly more probable in all scores than in the first ones.
    """
    n_clusters, planned = math.prod(spec.node_sizes), spec.latent_dim
    if n_clusters > MAX_CLUSTERS or not _are_few_numbers(spec, modalities):
        return None
    n_columns = sum(map(math.prod, spec.shapes))
    rows = np.flatnonzero(data.samples.present.all(dim=0).cpu().numpy())
    if min(n_columns, len(rows)) <= planned:
        return None
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, FEW_ROWS).astype(int))]
    first = scores.scaled[rows, :planned]
    if scores.scaled.shape[1] < n_columns <= MAX_DIM:  # weights of modalities would but turn them
        scores = principal_scores(data, n_columns, seed)
    points = scores.scaled[rows][:, scores.whitened.any(axis=0)]
    columns = [array[rows].cpu().numpy() for array in data.arrays]
    is_known = planned < points.shape[1] <= len(rows) / SAMPLES_PER_NUMBER
    if not is_known or any(map(has_levels, [points, *columns])):
        return None
    labels = _hidden_clusters(first, points, n_clusters, seed)
    return None if labels is None else scores.in_units_of_clusters(rows, labels)


def _are_few_numbers(spec: ModelSpec, modalities: Modalities) -> bool:
    """Return whether all modalities are tables of numbers, of few columns in all.

    What curves have in common is much, and little of it noise.
    """
    if any(spec.views) or sum(map(math.prod, spec.shapes)) > MAX_COLUMNS:
        return False
    return are_tables_of_numbers(spec, modalities)


def _hidden_clusters(
    first: np.ndarray, points: np.ndarray, n_clusters: int, seed: int
) -> np.ndarray | None:
    """Return the clusters of all scores; None unless these speak more for them than the first."""
    (of_first, _), (of_all, labels) = (
        evidence_of_clusters(scores, n_clusters, seed) for scores in (first, points)
    )
    if of_all <= max(of_first, TIMES_THE_EVIDENCE * of_first) + CLEAR_EVIDENCE:
        return None
    # tails of skewed columns are no clusters: there is no gap before them
    gap = find_gaps(points, labels, np.arange(n_clusters)[:, None]).nodes[0]
    return labels if gap < GAP_IN_SCORES else None


def with_room_for_classes(
    planned: int, data: TensorData, scores: PrincipalScores, n_classes: int, seed: int
) -> tuple[PrincipalScores, int] | None:
    """Return scores and the dimension that tell latent classes apart whose numbers vary together.

    That is one more for each number. None if all scores do not tell classes clearly better than
    the planned ones, or numbers do not vary together.
    """
    columns = scores.columns
    if columns is None or not columns.together:
        return None
    more, first = planned + columns.numbers.shape[1], scores.scaled[:, :planned]
    if more > scores.scaled.shape[1]:
        scores = replace(principal_scores(data, more, seed), columns=columns)
    labels = _likeliest_classes(scores, n_classes, seed)
    points = scores.scaled[:, scores.whitened.any(axis=0)]
    if not _are_told_better(points, first, labels):
        return None
    return in_units_of_classes(scores, n_classes, seed, labels), min(points.shape[1], more)


def in_units_of_classes(
    scores: PrincipalScores, n_classes: int, seed: int, labels: np.ndarray | None = None
) -> PrincipalScores:
    """Return all scores in units of what varies within the likeliest latent classes.

    The network begins as principal scores all the same.
    """
    labels = _likeliest_classes(scores, n_classes, seed) if labels is None else labels
    return replace(
        scores.in_units_of_clusters(np.arange(len(labels)), labels), whitened=scores.whitened
    )


def _likeliest_classes(scores: PrincipalScores, n_classes: int, seed: int) -> np.ndarray:
    """Return the class of each sample."""
    points, columns = scores.scaled[:, scores.whitened.any(axis=0)], scores.columns
    assert columns is not None, "some columns have levels"
    likeliest = latent_classes(columns, points, n_classes, random_state=seed, n_starts=N_STARTS)[0]
    return likeliest.labels


def _are_told_better(points: np.ndarray, first: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether discriminants of all scores tell clusters that those of the first do not."""
    if len(np.unique(labels)) == 1:
        return False
    rule = LinearDiscriminantAnalysis()
    by_all, by_first = (rule.fit(part, labels).score(part, labels) for part in (points, first))
    return by_all > by_first + BETTER_TOLD


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
    >>> from skcausalpima._initialization.latent_space import evidence_of_clusters
    >>> x = np.random.RandomState(0).normal(size=(200, 1))
    >>> evidence_of_clusters(x, 2, seed=0)[0] > 0
    False
    >>> x[:100] += 10.0
    >>> evidence_of_clusters(x, 2, seed=0)[0] > 100
    True
    """
    n_samples, n_directions = points.shape
    points = points / points.std(axis=0).max()  # what is added to covariances has a unit
    one = GaussianMixture(1, random_state=seed).fit(points)
    several = GaussianMixture(
        n_clusters, covariance_type="tied", n_init=N_STARTS, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = several.fit_predict(points)
    gain = several.score(points) - one.score(points)
    n_more = (n_clusters - 1) * (n_directions + 1)
    return float(n_samples * gain - 0.5 * n_more * math.log(n_samples)), labels
