"""Whether outcomes of a node are heaps of samples, or a line that was cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture

from .._base.grid import NodeGrid
from .._clustering.arrangement_report import looked_at
from .._clustering.in_a_row import Rows, effects_of_outcomes, outcomes_in_a_row
from .._clustering.margins import SURE_OF_OUTCOMES
from .._data.arrays import flat_rows
from .._data.validation import Modalities
from .._inference.kept_models import model_of
from ._fitted_estimator import is_empty

#: A line is told that explains places of samples better than heaps by more nats than this for each
#: outcome beyond two. Evidence: of 20 fits to three kinds 3 standard deviations apart 3 have 1 or
#: more (benchmarks/axes.py, seeds 0-9), and by gaps alone 6 of 8 are called a cut.
LEAST_RATIO = 2.0
#: Half the length of a line and its noise where the search for it begins, in standard deviations of
#: the numbers: mostly line, and mostly noise.
BEGINNINGS = ((1.6, 0.3), (0.5, 0.95))


def log_ratio_of_line(numbers: np.ndarray, centres: np.ndarray) -> float:
    r"""Return by how much a line explains numbers better than heaps, in nats over all of them.

    A line is a uniform distribution plus normal noise, with the density

    .. math:: \frac{\Phi((x - a) / s) - \Phi((x - b) / s)}{b - a},

    which is normal if it is short; heaps are normal, all as wide. Both are fitted by maximum
    likelihood, and nothing is taken off for the number of parameters.

    Parameters
    ----------
    numbers : ndarray of shape (n_samples,)
        The numbers, of which some differ.
    centres : ndarray of shape (n_heaps,)
        About where heaps are.

    Returns
    -------
    float
        Below 0 where heaps explain them better.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection._line_or_heaps import log_ratio_of_line
    >>> rng, centres = np.random.default_rng(0), np.array([0.0, 5.0])
    >>> heaps = rng.choice(centres, size=200) + rng.normal(size=200)
    >>> line = rng.uniform(-2.5, 7.5, size=200) + rng.normal(size=200)
    >>> log_ratio_of_line(heaps, centres) < -10, log_ratio_of_line(line, centres) > -1
    (True, True)
    """
    mean, deviation = numbers.mean(), numbers.std()
    scaled, at = (numbers - mean) / deviation, (centres - mean) / deviation
    heaps = GaussianMixture(len(at), covariance_type="tied", means_init=at[:, None], random_state=0)
    of_heaps = heaps.fit(scaled[:, None]).score(scaled[:, None])

    def of_line(place: np.ndarray) -> float:
        middle, half, noise = place[0], np.exp(place[1]), np.exp(place[2])
        inside = norm.cdf((scaled - middle + half) / noise)
        inside -= norm.cdf((scaled - middle - half) / noise)
        density = np.maximum(inside / (2 * half), np.finfo(float).tiny)
        return float(-np.log(density).mean())

    starts = [[0.0, np.log(half), np.log(noise)] for half, noise in BEGINNINGS]
    best = min(minimize(of_line, start, method="Nelder-Mead").fun for start in starts)
    return float(len(numbers) * (-best - of_heaps))


def steps_of_nodes(
    est: BaseEstimator, samples: np.ndarray, of_means: np.ndarray, components: np.ndarray
) -> tuple[Rows, tuple[str, ...]]:
    """Return which nodes have outcomes in a row, and whether these are kinds, or were cut.

    A line is told of outcomes without gaps where it explains, better than heaps do, where samples
    lie in the direction in which the node moves most. Of three outcomes or more that are in no row
    the gaps alone tell.

    Parameters
    ----------
    est : CausalPIMA
        The fit.
    samples : ndarray of shape (n_samples, n_elements)
        In units of the noise.
    of_means : ndarray of shape (n_components, n_elements)
        What decodes from the means of components, likewise.
    components : ndarray of int of shape (n_samples,)
        Those of the samples.

    Returns
    -------
    rows : Rows
        Those of ``arrangement_``; of a single node by what decodes from its cells.
    steps : tuple of {"kinds", "cut", "not told"}
        A word for each node.
    """
    rows = _rows_of(est, of_means)
    places = _places(est, samples - of_means[components], of_means, components)
    return rows, _words_of_nodes(est, rows, places)


def cut_nodes(est: BaseEstimator, samples: Modalities) -> np.ndarray:
    """Return which nodes cut a heap in two: without gaps, and a line explains samples as well.

    Heaps about three standard deviations apart have no gap between them, but no line is as likely
    (``benchmarks/node_effects.py``). Where no sample is complete the gaps alone tell.

    Parameters
    ----------
    est : CausalPIMA
        The fit.
    samples : Modalities
        Samples, checked. What they lack would be filled with what heaps expect, so that only those
        are looked at that are complete.

    Returns
    -------
    ndarray of bool of shape (n_nodes,)
        Which were cut.
    """
    gaps = getattr(est, "gaps_", None)
    cut = np.zeros(len(est.joint_.shape), dtype=bool) if gaps is None else gaps.cut.copy()
    if not cut.any():
        return cut
    missing = [flat_rows(samples.missing_elements(m)) for m in range(len(samples.names))]
    complete = np.flatnonzero(~np.hstack(missing).any(axis=1))
    if len(complete) > 1:
        model, samples = model_of(est), samples.take(complete)
        posterior = model.posterior(samples)
        components = posterior.probabilities.argmax(axis=1)
        whole, _, of_means = model.in_noise_units(samples, posterior.centres, components)
        places = _places(est, whole - of_means[components], of_means, components)
        words = _words_of_nodes(est, _rows_of(est, of_means), places)
        for node in np.flatnonzero(cut):
            cut[node] = len(places[node]) < 2 or words[node] == "cut"
    return cut


def _cells_of(est: BaseEstimator) -> tuple[np.ndarray, np.ndarray]:
    """Return which components hold samples of the fit, and their cells."""
    there = np.flatnonzero(~is_empty(est))
    return there, NodeGrid(est.joint_.shape).cells(est.cluster_states_[there])


def _rows_of(est: BaseEstimator, of_means: np.ndarray) -> Rows:
    """Return which nodes have outcomes in a row: by the start, else by what cells decode to."""
    arrangement = getattr(est, "arrangement_", None)
    if arrangement is not None and arrangement.in_a_row is not None:
        return Rows(arrangement.in_a_row, arrangement.order)
    there, cells = _cells_of(est)
    return outcomes_in_a_row(of_means[there], cells, est.joint_.shape)


def _places(
    est: BaseEstimator, residuals: np.ndarray, of_means: np.ndarray, components: np.ndarray
) -> list[list[np.ndarray]]:
    """Return where the samples of each outcome lie in the direction in which a node moves most.

    Effects of other nodes are taken off: left are that of the outcome and what decoders leave.
    Outcomes without samples are left out.
    """
    there, cells = _cells_of(est)
    rows = looked_at(len(components))
    places, all_effects = [], effects_of_outcomes(of_means[there], cells, est.joint_.shape)
    for node, effects in enumerate(all_effects):
        outcomes = est.cluster_states_[components[rows], node]
        known = effects[np.isfinite(effects[:, 0])]
        direction = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][0]
        along = (residuals[rows] + effects[outcomes]) @ direction
        groups = [along[outcomes == outcome] for outcome in range(len(effects))]
        places.append([group for group in groups if len(group) and np.isfinite(group).all()])
    return places


def _words_of_nodes(
    est: BaseEstimator, rows: Rows, places: Sequence[Sequence[np.ndarray]]
) -> tuple[str, ...]:
    """Return of each node whether its outcomes are kinds, or were cut."""
    gaps, certain = est.gaps_, est.separation_.certainty >= SURE_OF_OUTCOMES
    words = []
    for node, groups in enumerate(places):
        word = "not told"
        if gaps is not None and len(groups) > 1:
            is_line = rows.are_lines[node] or len(groups) == 2
            centres, least = np.array([g.mean() for g in groups]), LEAST_RATIO * (len(groups) - 2)
            if not gaps.cut[node]:
                word = "kinds" if certain[node] and np.isfinite(gaps.nodes[node]) else word
            elif not is_line or log_ratio_of_line(np.concatenate(groups), centres) > least:
                word = "cut"
        words.append(word)
    return tuple(words)
