"""Samples whose labels of contexts are not known: an average over the labels that they may have."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from .._contexts.fitted import FittedContexts
from .._data.validation import Modalities

#: From samples whose labels are all known to arrays of shape (n_samples, ...).
OfSamples = Callable[[Modalities], tuple[np.ndarray, ...]]


class Unlabelled(NamedTuple):
    """Some samples that lack labels of the same contexts.

    Parameters
    ----------
    rows : ndarray of int of shape (n_rows,)
        Which samples.
    filled : list of Modalities
        The samples with each combination of labels that they may have.
    log_probabilities : ndarray of shape (n_combinations, n_rows)
        Of these, and of the samples, given the labels that are known: :math:`\\log p(e, x)`.
    """

    rows: np.ndarray
    filled: list[Modalities]
    log_probabilities: np.ndarray


def unlabelled(
    contexts: FittedContexts, modalities: Modalities, bounds: Callable[[Modalities], np.ndarray]
) -> list[Unlabelled]:
    """Return samples that lack labels, by which they lack; labels go by the training shares.

    Parameters
    ----------
    contexts : FittedContexts
        The contexts.
    modalities : Modalities
        All samples.
    bounds : callable
        Returns the bounds of samples whose labels are known.

    Returns
    -------
    list of Unlabelled
        Empty where no label is missing.
    """
    codes, groups = modalities.codes, []
    shares = (contexts.counts + np.finfo(float).tiny) / contexts.counts.sum()
    for pattern in np.unique(codes[:, (codes < 0).any(axis=0)] < 0, axis=1).T:
        rows = np.flatnonzero(((codes < 0) == pattern[:, None]).all(axis=0))
        part, lacking = modalities.take(rows), np.flatnonzero(pattern)
        filled, logs = [], []
        for labels in itertools.product(*(range(shares.shape[k]) for k in lacking)):
            complete = part.codes.copy()
            complete[lacking] = np.array(labels)[:, None]
            filled.append(part.with_codes(complete))
            of_known = shares.sum(axis=tuple(lacking), keepdims=True)
            given = np.log(shares / of_known)[tuple(complete)]
            logs.append(given + bounds(filled[-1]).astype(np.float64))
        groups.append(Unlabelled(rows, filled, np.array(logs)))
    return groups


def averaged(
    modalities: Modalities, groups: list[Unlabelled], of_samples: OfSamples
) -> tuple[np.ndarray, ...]:
    """Return what is found of samples, for those of the groups in expectation over their labels."""
    lacking = np.concatenate([group.rows for group in groups])
    others = np.setdiff1d(np.arange(modalities.n_samples), lacking)
    parts, order = [], [others]
    if len(others):
        parts.append(of_samples(modalities.take(others)))
    for group in groups:
        logs = group.log_probabilities
        weights = np.exp(logs - logsumexp(logs, axis=0))
        found = [of_samples(one) for one in group.filled]
        parts.append(
            tuple(
                np.einsum("en,en...->n...", weights, np.array(of)).astype(of[0].dtype)
                for of in zip(*found, strict=True)
            )
        )
        order.append(group.rows)
    back = np.concatenate(order).argsort()
    return tuple(np.concatenate(part)[back] for part in zip(*parts, strict=True))


def likeliest(modalities: Modalities, groups: list[Unlabelled]) -> Modalities:
    """Return samples with the likeliest labels in the places of those that are missing."""
    codes = modalities.codes.copy()
    for group in groups:
        best = group.log_probabilities.argmax(axis=0)
        tried = np.stack([one.codes for one in group.filled])
        codes[:, group.rows] = tried[best, :, np.arange(len(best))].T
    return modalities.with_codes(codes)
