"""Offsets of labels: a mixture in principal scores tells clusters, and least squares offsets.

Given the clusters, x = mean of the cluster + offsets of the labels + noise is one linear model of
all labels of all contexts. Offsets are shrunk as far as noise could have made them, so that a rare
label keeps few of its own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sklearn.utils.extmath import randomized_svd

from .._data.arrays import flat_rows
from .._data.samples import FitSamples
from .._data.scaling import ModalityScaler, Scale
from .._data.validation import Modalities
from .._grid import NodeGrid, n_effects
from .._parameter_objects import Context
from .alignment import MAX_SETTINGS_LAID, Points, align, rivals
from .fitted import FittedContexts

#: Rows that the mixture is fitted to, of each label at least so many, and its components at most.
MAX_ROWS, LEAST_ROWS, MAX_COMPONENTS = 4000, 100, 64

#: Principal scores for each effect of the nodes, and at most.
SCORES_PER_EFFECT, MAX_SCORES = 2, 20

#: Variance of offsets, in that of the noise, below which there are none.
LEAST_SPREAD = 1e-9

#: How often missing elements are filled in with what the linear model expects there.
N_FILLED = 5


class Scores(NamedTuple):
    """Principal scores.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_scores)
        Of samples that are centred by label.
    moves : ndarray of shape (n_labels, n_scores)
        Of what that has taken from them.
    is_free : ndarray of bool of shape (n_scores,)
        Scores of modalities that are shifted.
    """

    values: np.ndarray
    moves: np.ndarray
    is_free: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Design:
    """Which labels samples have.

    Parameters
    ----------
    settings : ndarray of int of shape (n_samples,)
        Combination of labels of each sample.
    labels : ndarray of shape (n_settings, n_labels)
        1 for the labels, of all contexts, that a setting has, else 0.
    combinations : ndarray of int of shape (n_contexts, n_settings)
        Number of the label, in each context, that a setting has.
    sizes : tuple of int
        Numbers of labels of the contexts, one after another.
    weights : ndarray of shape (n_samples,)
        For how many samples each row counts.
    """

    settings: np.ndarray
    labels: np.ndarray
    combinations: np.ndarray
    sizes: tuple[int, ...]
    weights: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, sizes: tuple[int, ...], weights: np.ndarray) -> Design:
        """Return the design of samples, given their labels in each context."""
        combinations, settings = np.unique(codes, axis=1, return_inverse=True)
        parts = [np.eye(size)[row] for size, row in zip(sizes, combinations, strict=True)]
        labels = np.concatenate(parts, axis=1)
        return cls(
            settings=settings.reshape(-1),
            labels=labels,
            combinations=combinations,
            sizes=sizes,
            weights=weights,
        )

    def split(self, offsets: np.ndarray) -> list[np.ndarray]:
        """Return offsets by context, each with the mean zero over the samples."""
        counts = np.bincount(self.settings, self.weights, len(self.labels)) @ self.labels
        ends = np.cumsum(self.sizes)[:-1]
        pairs = zip(np.split(offsets, ends), np.split(counts, ends), strict=True)
        return [of - (n @ of) / n.sum() for of, n in pairs]


def find_contexts(
    stated: Sequence[Context],
    samples: FitSamples,
    node_sizes: Sequence[int],
    scale: Scale,
    with_experts: Collection[int],
) -> FittedContexts:
    """Return contexts with the offsets that their labels have.

    Parameters
    ----------
    stated : sequence of Context
        What parameters say of them.
    samples : FitSamples
        As they are trained on.
    node_sizes : sequence of int
        Numbers of outcomes of the nodes.
    scale : str, sequence, mapping or None
        How modalities are scaled.
    with_experts : collection of int
        Modalities with experts.

    Returns
    -------
    FittedContexts
        Of these samples.
    """
    modalities = samples.modalities
    assert modalities.contexts is not None
    labels, codes = modalities.contexts.labels, modalities.codes
    weights = np.ones(modalities.n_samples) if samples.weights is None else samples.weights
    sizes = tuple(map(len, labels.values()))
    _check_filled(labels, codes)
    counts = np.bincount(np.ravel_multi_index(tuple(codes), sizes), weights, math.prod(sizes))
    design, shifted = Design.of(codes, sizes, weights), _shifted(stated, modalities, with_experts)
    found = FittedContexts(
        labels=labels,
        roles={of.name: of.role for of in stated},
        mixes={of.name: bool(of.mix) for of in stated},
        offsets={},
        cells=counts.reshape(*sizes, 1),
    )
    ones = np.ones((1, modalities.n_samples))
    means = _offsets_of(modalities, design, shifted, ones, None)
    centred = replace(found, offsets=_by_context(means, design, modalities, labels)).removed(
        modalities
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scaler of the fit tells
        scaler = ModalityScaler.fit(centred, scale, samples.weights, with_experts)
    scored = _scores(centred, scaler, means, np.any(shifted, axis=0), node_sizes)
    gamma, used, doubtful = _clusters(
        scored, design, found.mix_index(design.combinations), modalities, node_sizes
    )
    weighted = replace(design, weights=design.weights * used)
    offsets = _offsets_of(modalities, weighted, shifted, gamma, scaler)
    return replace(
        found,
        offsets=_by_context(offsets, design, modalities, labels),
        rivals=[
            {
                name: of.tolist()[code]
                for (name, of), code in zip(labels.items(), design.combinations[:, s], strict=True)
            }
            for s in doubtful
        ],
    )


def _by_context(
    offsets: Mapping[int, np.ndarray],
    design: Design,
    modalities: Modalities,
    labels: Mapping[str, np.ndarray],
) -> dict[str, dict[str, np.ndarray]]:
    """Return offsets, of shape (n_labels, width) by modality, by names of modality and context."""
    return {
        modalities.names[m]: {
            name: of.reshape(len(of), *modalities.shapes[m])
            for name, of in zip(labels, design.split(flat), strict=True)
        }
        for m, flat in offsets.items()
    }


def _offsets_of(
    modalities: Modalities,
    design: Design,
    shifted: np.ndarray,
    gamma: np.ndarray,
    scaler: ModalityScaler | None,
) -> dict[int, np.ndarray]:
    """Return the offsets of all labels in the modalities that are shifted, given clusters.

    They are shrunk in the units of a scaler; without one they are not.
    """
    found = {}
    for m in np.flatnonzero(shifted.any(axis=0)):
        flat = flat_rows(np.asarray(modalities.arrays[m]))
        present = design.weights * modalities.observed[m]
        seen = None if modalities.elements is None else modalities.elements[m]
        centre = _centre(flat, present, seen)
        factor = 1.0 if scaler is None else np.ravel(scaler.factor[m])
        x = ((flat - centre) / factor).astype(np.result_type(flat.dtype, np.float32))
        own = replace(
            design, weights=present, labels=design.labels * np.repeat(shifted[:, m], design.sizes)
        )
        found[int(m)] = factor * _least_squares(x, seen, own, gamma, scaler is not None)
    return found


def _centre(flat: np.ndarray, weights: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Return the mean of the observed elements of each column."""
    counts = weights.sum() if seen is None else weights @ seen
    return (weights @ flat.astype(np.float64)) / np.maximum(counts, np.finfo(float).tiny)


def _least_squares(
    x: np.ndarray, seen: np.ndarray | None, design: Design, gamma: np.ndarray, shrinks: bool
) -> np.ndarray:
    """Return the offsets of all labels beside the means of clusters, of shape (n_labels, width).

    Parameters
    ----------
    x : ndarray of shape (n_samples, width)
        One modality, its columns about zero.
    seen : ndarray of bool of the same shape, or None
        Which elements are observed; None for all.
    design : Design
        Labels of the samples.
    gamma : ndarray of shape (n_clusters, n_samples)
        Responsibilities.
    shrinks : bool
        Whether offsets are shrunk as far as noise could have made them.
    """
    labels, width = design.labels, x.shape[1]
    of_settings = np.eye(len(labels))[design.settings].T * design.weights
    of_clusters = gamma * design.weights
    shared = of_settings @ gamma.T
    shares = shared / np.maximum(of_clusters.sum(axis=1), np.finfo(float).tiny)
    left = labels.T @ (np.diag(of_settings.sum(axis=1)) - shares @ shared.T) @ labels
    inverse = np.linalg.pinv(left, rcond=1e-10, hermitian=True)
    if seen is not None:
        x = np.where(seen, x, 0.0)
    for _ in range(1 if seen is None else N_FILLED):
        sums = of_clusters.astype(x.dtype) @ x
        right = labels.T @ (of_settings.astype(x.dtype) @ x - shares @ sums)
        offsets = inverse @ right
        if shrinks:
            total = float(np.einsum("n,nj,nj->", design.weights, x, x, dtype=np.float64))
            of_means = np.square(sums) / np.maximum(of_clusters.sum(axis=1), 1e-300)[:, None]
            unexplained = total - of_means.sum() - (offsets * right).sum()
            noise = max(unexplained, 0.0) / (design.weights.sum() * width)
            offsets = np.linalg.pinv(left + _ridge(offsets, inverse, noise, design.sizes)) @ right
        if seen is not None:
            means = (sums - shared.T @ (labels @ offsets)) / np.maximum(
                of_clusters.sum(axis=1), 1e-300
            )[:, None]
            expected = gamma.T @ means + (labels @ offsets)[design.settings]
            x = np.where(seen, x, expected)
    return offsets


def _ridge(
    offsets: np.ndarray, inverse: np.ndarray, noise: float, sizes: Sequence[int]
) -> np.ndarray:
    """Return the noise over the variance of the offsets of each context, as a diagonal matrix.

    The variance is that of the estimates, less what noise makes of it.
    """
    ends = np.cumsum(sizes)[:-1]
    pairs = zip(np.split(offsets, ends), np.split(inverse.diagonal(), ends), strict=True)
    spread = [np.square(of).mean() - noise * scatter.mean() for of, scatter in pairs]
    ratios = [noise / max(of, LEAST_SPREAD * noise, np.finfo(float).tiny) for of in spread]
    return np.diag(np.repeat(ratios, sizes))


def _scores(
    centred: Modalities,
    scaler: ModalityScaler,
    means: Mapping[int, np.ndarray],
    is_shifted: np.ndarray,
    node_sizes: Sequence[int],
) -> Scores:
    """Return principal scores of samples that are centred by label, and those of the means.

    Modalities that are shifted and those that are not have scores of their own.
    """
    n_scores = min(MAX_SCORES, SCORES_PER_EFFECT * n_effects(node_sizes))
    scores, moves, is_free = [], [], []
    for free in (True, False):
        group = np.flatnonzero(is_shifted == free).tolist()
        if not len(group):
            continue
        units = [np.sqrt(centred.widths[m]) for m in group]
        pairs = list(zip(group, units, strict=True))
        x = np.concatenate([scaler.transform_one(centred, m) / unit for m, unit in pairs], axis=1)
        rows = np.random.RandomState(0).permutation(len(x))[:MAX_ROWS]
        n_found = min(n_scores, min(x[rows].shape))
        axes = randomized_svd(x[rows], n_found, random_state=0)[2]
        scores.append(x @ axes.T)
        move = np.zeros((len(next(iter(means.values()))), n_found))
        if free:
            moved = [means[m] / np.ravel(scaler.factor[m]) / unit for m, unit in pairs]
            move = np.concatenate(moved, axis=1) @ axes.T
        moves.append(move)
        is_free += [free] * n_found
    values = np.concatenate(scores, axis=1).astype(np.float64)
    unit = max(float(values.std(axis=0).max()), np.finfo(float).tiny)
    return Scores(
        values=values / unit, moves=np.concatenate(moves, axis=1) / unit, is_free=np.array(is_free)
    )


def _clusters(
    scored: Scores,
    design: Design,
    mixes: np.ndarray | None,
    modalities: Modalities,
    node_sizes: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return responsibilities of clusters that all settings share, and which rows these go by.

    Incomplete samples are left out where the others are enough. The third are the settings of which
    another offset does as well.
    """
    n_settings, complete = len(design.labels), np.all(modalities.observed, axis=0)
    per_setting = np.bincount(design.settings[complete], minlength=n_settings)
    used = complete if complete.mean() >= 0.5 and per_setting.min() >= 2 else np.ones_like(complete)
    numbers = np.zeros(n_settings, dtype=np.int64)
    if mixes is not None:
        numbers = np.unique(mixes, return_inverse=True)[1].reshape(-1)
    points = Points(
        values=scored.values + (design.labels @ scored.moves)[design.settings],
        settings=design.settings,
        design=design.labels,
        mixes=numbers,
        is_free=scored.is_free,
        weights=design.weights,
    )
    rows = _some_rows(np.flatnonzero(used), design.settings)
    n_components = min(NodeGrid(tuple(node_sizes)).n_cells, MAX_COMPONENTS, max(2, len(rows) // 10))
    part = points.take(rows)
    found = align(part, n_components)
    asks = len(design.sizes) == 1 and n_settings <= MAX_SETTINGS_LAID
    doubtful = rivals(part, found) if asks else []
    return found.responsibilities(points)[0], used, doubtful


def _some_rows(rows: np.ndarray, settings: np.ndarray) -> np.ndarray:
    """Return rows at random, of each setting a part, but not few."""
    rng, chosen = np.random.RandomState(0), []
    for setting in np.unique(settings[rows]):
        own = rng.permutation(rows[settings[rows] == setting])
        chosen.append(own[: max(LEAST_ROWS, MAX_ROWS * len(own) // len(rows))])
    return np.sort(np.concatenate(chosen))


def _check_filled(labels: Mapping[str, np.ndarray], codes: np.ndarray) -> None:
    """Check that each label has samples that count."""
    for (name, of), row in zip(labels.items(), codes, strict=True):
        empty = np.setdiff1d(np.arange(len(of)), row)
        if len(empty):
            raise ValueError(
                f"no sample of positive weight has the label {of.tolist()[empty[0]]!r} of the "
                f"context {name!r}: leave the samples of this label out."
            )


def _shifted(
    stated: Sequence[Context], modalities: Modalities, with_experts: Collection[int]
) -> np.ndarray:
    """Return which modalities each context shifts, of shape (n_contexts, n_modalities)."""
    names, rows = modalities.names, []
    for context in stated:
        if isinstance(context.shift, str):
            rows.append([m not in with_experts for m in range(len(names))])
            continue
        for name in context.shift:
            if name not in names:
                raise ValueError(
                    f"shift of the context {context.name!r} names {name!r}, but the modalities are "
                    f"{list(names)}."
                )
            if names.index(name) in with_experts:
                raise ValueError(
                    f"shift of the context {context.name!r} names {name!r}, which has an expert: "
                    "its function is in the units of the data, and an offset would be no part of "
                    "it. Leave it out."
                )
        rows.append([name in context.shift for name in names])
    return np.array(rows)
