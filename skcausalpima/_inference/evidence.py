r"""Likelihoods of single modalities: how unlike others samples are, and which parts to trust.

Of modality m of a sample it is asked how likely it is where it itself points to: the
log-likelihood :math:`\log p(x_m | z, c)` at the most probable component given :math:`x_m` alone,
and at the mean of the latent point in it. What the other modalities hold, and whether they are
there, does not matter, so that one reference serves samples of every pattern. Of complete samples
the bound is asked, too. Each number is compared with those of reference samples: the share of them
that is as small is a tail probability, and the smallest of k such shares, times k, is one as well
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import MultimodalVAE, StructuredVAE, SubsetEncoders
from .posterior import bounds, sample_posterior

#: Largest number of reference samples.
MAX_REFERENCE = 500

#: Interquartile ranges below the median of others from which on a log-likelihood is outlying, and
#: fewest others (arbitrary). Of 10 000 samples of Gaussian tables none lay 4 below; of 364 with
#: three to twelve times the noise of the others 349 lay 5 below.
OUTLYING, LEAST_OTHERS = 5.0, 20

#: [interquartile ranges] The outer fence of a boxplot.
OUTER_FENCE = 3.0

#: Share of the samples of a fit that may not be trusted, since they were not set aside (arbitrary).
SMALLEST = 0.01

#: Numbers of one sample differ by so many roundings of the largest, by which others are with it.
ROUNDINGS = 100.0


def likelihood_terms(
    model: MultimodalVAE,
    data: TensorData,
    encoders: SubsetEncoders | None,
    known_bounds: Tensor | None = None,
    has_bounds: bool = True,
) -> np.ndarray:
    """Return what is compared of samples.

    Parameters
    ----------
    model : MultimodalVAE
        The model.
    data : TensorData
        Scaled samples.
    encoders : SubsetEncoders or None
        Of samples that lack modalities.
    known_bounds : Tensor of shape (n_samples,), default=None
        What :func:`~skcausalpima._inference.posterior.bounds` returns of them, if it was asked.
    has_bounds : bool, default=True
        Whether bounds are asked beside several modalities.

    Returns
    -------
    ndarray of shape (n_samples, n_terms), dtype float64
        In nats: each modality alone, NaN where it is missing, and the bound, NaN where one is
        missing. The bound alone if there is only one modality. Samples that are so far off that
        the number is not finite have -inf.
    """
    observed = data.samples.present
    n_alone = len(observed) if len(observed) > 1 else 0
    masks = [*observed[:n_alone], *([observed.all(dim=0)] if has_bounds or not n_alone else [])]
    terms = np.full((data.n_samples, len(masks)), np.nan)
    for m, mask in enumerate(masks):
        rows = mask.nonzero()[:, 0]
        if not len(rows):
            continue
        if m < n_alone:
            log_evidence = _alone(model, data.subset(rows), encoders, m)
        elif known_bounds is not None:
            log_evidence = known_bounds[rows]
        else:
            log_evidence = bounds(model, data.subset(rows), encoders)
        values = log_evidence.cpu().double().numpy()
        terms[rows.cpu().numpy(), m] = np.where(np.isfinite(values), values, -np.inf)
    return terms


@torch.no_grad()
def _alone(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders | None, m: int
) -> Tensor:
    """Return the log-likelihood of a modality where it alone says that the sample is."""
    alone = torch.zeros_like(data.samples.present)
    alone[m] = True
    samples = replace(data.samples, observed=alone, allowed=None, regime_index=None)
    data = replace(data, samples=samples)
    posterior, values, start = sample_posterior(model, data, encoders), [], 0
    for block in data.blocks():
        rows = slice(start, start := start + len(block.arrays[0]))
        z, components = posterior.centres[rows], posterior.cells[rows].argmax(dim=1)
        likelihoods = model.own_likelihoods(block, z, [m])
        if m in likelihoods:
            value = likelihoods[m].of_components(components)
        else:
            value = model.log_likelihoods(model.squared_errors(block, z), block.shares)[m]
        # as if it were whole
        values.append(value if block.shares is None else value / block.shares[m])
    return torch.cat(values)


def shortfalls(
    values: np.ndarray, others: np.ndarray, spread: np.ndarray | float = 1.0
) -> np.ndarray:
    """Return by how much log-likelihoods are below the median of others; 0 where they are not far.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        In nats; NaN where there is none.
    others : ndarray of shape (n_others,)
        What they are compared with.
    spread : ndarray of shape (n_samples,), default=1.0
        How many times as much as the others each of the samples varies by chance.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._inference.evidence import shortfalls
    >>> others = np.random.default_rng(0).normal(size=300)
    >>> shortfalls(np.array([-20.0, -1.0, np.nan]), others).round()
    array([20.,  0.,  0.])
    """
    if len(others) < LEAST_OTHERS:
        return np.zeros(len(values))
    low, middle, high = np.quantile(others, [0.25, 0.5, 0.75])
    below = np.where(np.isnan(values), 0.0, middle - values)
    return np.where(below > OUTLYING * (high - low) * spread, below, 0.0)


def spread_of_skewed(values: np.ndarray) -> float:
    r"""Return how many times as far as usual values reach below their median, if these are skewed.

    The outer fence of a boxplot lies 3 interquartile ranges below, and :math:`3 e^{-3 s}` of a
    distribution whose skewness s is negative [1]_; s is that of octiles [2]_.

    References
    ----------
    .. [1] M. Hubert and E. Vandervieren, "An adjusted boxplot for skewed distributions",
       Computational Statistics & Data Analysis 52, 2008.
    .. [2] G. Brys, M. Hubert and A. Struyf, "A robust measure of skewness", Journal of
       Computational and Graphical Statistics 13, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._inference.evidence import spread_of_skewed
    >>> normal = np.random.default_rng(0).normal(size=(300, 2))
    >>> spread_of_skewed(normal[:, 0]), round(spread_of_skewed(-(normal**2).sum(axis=1)), 1)
    (1.0, 2.3)
    """
    if len(values) < LEAST_OTHERS:
        return 1.0
    low, middle, high = np.quantile(values, [0.125, 0.5, 0.875])
    if not high > low:
        return 1.0
    skewness = (high + low - 2.0 * middle) / (high - low)
    return max(1.0, float(OUTER_FENCE * np.exp(-3.0 * skewness)) / OUTLYING)


def trusted(
    model: MultimodalVAE,
    data: TensorData,
    encoders: SubsetEncoders | None,
    reference: Sequence[np.ndarray] | None,
    known_bounds: Tensor | None = None,
) -> TensorData:
    r"""Return samples with how far each modality is to be trusted (``Batch.trust``).

    Where a modality alone is far less probable than in the reference, its d elements have
    :math:`\kappa^2` times the noise: its log-likelihood, but for a constant
    :math:`-\frac{1}{2} \sum_j r_j^2 / s_j^2`, is smaller than the median by
    :math:`d\,(\kappa^2 - 1) / 2` on average. Its potential is raised to :math:`\kappa^{-2}`.

    Parameters
    ----------
    model : MultimodalVAE
        The model.
    data : TensorData
        Scaled samples.
    encoders : SubsetEncoders or None
        Of samples that lack modalities.
    reference : sequence of ndarray or None
        From :func:`sorted_terms`: each modality alone, or the bound if there is one. None trusts
        all, as the published posterior does.
    known_bounds : Tensor of shape (n_samples,), default=None
        Of these samples, if they were asked.

    Returns
    -------
    TensorData
        The samples.
    """
    if reference is None or not isinstance(model, StructuredVAE):
        return data
    terms, trust = likelihood_terms(model, data, encoders, known_bounds, has_bounds=False).T, []
    for m, array in enumerate(data.arrays):
        # of few elements what all would say is known less well
        spread = 1.0 / np.sqrt(np.maximum(data.seen(m).mean(axis=1), 1.0 / array.shape[1]))
        short = shortfalls(terms[m], reference[m], spread)
        if len(reference[m]):  # what was trained on is trusted
            short = np.where(terms[m] < np.quantile(reference[m], SMALLEST), short, 0.0)
        trust.append(torch.from_numpy(1.0 / (1.0 + 2.0 * short / array.shape[1])))
    samples = replace(data.samples, trust=torch.stack(trust).to(data.device))
    return replace(data, samples=samples)


def reference_rows(
    n_samples: int, weights: np.ndarray | None = None, share: float = 1.0
) -> np.ndarray:
    """Return the samples that further ones are compared with: all, or some that stand for them.

    Parameters
    ----------
    n_samples : int
        How many there are.
    weights : ndarray of shape (n_samples,), default=None
        For how many each one counts; None for one.
    share : float, default=1.0
        Which part these samples are of all.

    Returns
    -------
    ndarray of int of shape (min(n_samples, share * MAX_REFERENCE),)
        In rising order, evenly spaced, by weight.
    """
    size = min(n_samples, round(share * MAX_REFERENCE))
    counts = np.ones(n_samples) if weights is None else weights.astype(np.float64)
    total = np.cumsum(counts)
    sum_of = total[-1] if n_samples else 0.0
    positions = (np.arange(size) + 0.5) * (sum_of / max(size, 1))
    return np.searchsorted(total, positions, side="right")


def sorted_terms(terms: np.ndarray) -> list[np.ndarray]:
    """Return the finite numbers of each term, from :func:`likelihood_terms`, in rising order."""
    return [np.sort(column[np.isfinite(column)]) for column in terms.T]


def positions_of(n_values: int) -> np.ndarray:
    """Return which share of so many values in rising order each stands at."""
    return (np.arange(n_values) + 0.5) / max(n_values, 1)


def moved_reference(
    reference: Sequence[np.ndarray], moves: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return a reference of which numbers move as those at such positions do in another one."""
    return [
        np.sort(values + np.interp(positions_of(len(values)), positions_of(len(by)), by))
        for values, by in zip(reference, moves, strict=True)
    ]


def tail_probabilities(
    terms: np.ndarray, reference: Sequence[np.ndarray], rounding: float = 0.0
) -> np.ndarray:
    """Return how probable terms as small as the smallest are, of shape (n_samples,).

    Parameters
    ----------
    terms : ndarray of shape (n_samples, n_terms)
        From :func:`likelihood_terms`; NaN where there is none.
    reference : sequence of ndarray
        From :func:`sorted_terms`.
    rounding : float, default=0.0
        The relative precision in which terms are computed.

    Returns
    -------
    ndarray of shape (n_samples,)
        In (0, 1]; 1 where nothing can be compared.
    """
    shares = np.full(terms.shape, np.nan)
    for k, values in enumerate(reference):
        if len(values):
            below = _n_below(terms[:, k], values, ROUNDINGS * rounding * np.abs(values).max())
            shares[:, k] = np.where(np.isnan(terms[:, k]), np.nan, (1 + below) / (1 + len(values)))
    n_shares = np.isfinite(shares).sum(axis=1)
    smallest = np.where(np.isnan(shares), 1.0, shares).min(axis=1)
    return np.where(n_shares == 0, 1.0, np.minimum(1.0, n_shares * smallest))


def _n_below(terms: np.ndarray, values: np.ndarray, slack: float) -> np.ndarray:
    """Return how many of the values are as small as each term.

    A term that is so close to a value is this value, and values so close to each other are one:
    then a sample of the reference has one position, whatever rounding makes of it.
    """
    nearest = np.searchsorted(0.5 * values[:-1] + 0.5 * values[1:], terms)
    ends = np.append(np.flatnonzero(np.diff(values) > slack), len(values) - 1)
    alike = ends[np.searchsorted(ends, nearest)] + 1
    is_value = np.abs(terms - values[nearest]) <= slack
    return np.where(is_value, alike, np.searchsorted(values, terms, side="right"))
