"""A new label of a context: its offset and its mix by EM, with all else of a fit as it is.

The components are those that the fitted model draws from, in principal scores of such draws, and
one more that is wide, for samples of no known cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from sklearn.base import BaseEstimator
from sklearn.utils.extmath import randomized_svd

from .._contexts.alignment import Alignment, alone, components_of, laid_ends
from .._contexts.fitted import FittedContexts
from .._contexts.offsets import MAX_SCORES, SCORES_PER_EFFECT
from .._data.validation import Modalities, read_modalities
from .._grid import n_effects
from .._inference.fitted_model import FittedModel
from .._inference.kept_models import fitted_model
from .._inference.sampling import drawn_data, drawn_points
from .._model.parameters import prediction_device
from .._state.fitted import FittedState
from .._typing import Samples
from .._warnings import warn_caller
from ..exceptions import ContextWarning
from ..modules import log_mixes

#: Draws from each component, and of all of them at most.
N_DRAWS, MAX_DRAWS = 400, 20_000

#: The component of samples of no known cell: its weight in advance, and how many times the variance
#: of all cells together it has.
UNKNOWN_WEIGHT, UNKNOWN_SPREAD = 0.05, 9.0

#: Tail probabilities below this count samples of no known cell; others have so many of them.
SMALL = 0.05

#: Where more samples are in no known cell, clusters of these may be taken for known ones.
MOST_UNKNOWN = 0.25

#: An offset does as well as another if its log-likelihood is smaller by so many nats at most.
AS_WELL = 6.0

#: Fewer samples of a label tell little of its offset.
FEW_SAMPLES = 30


def adapted(est: BaseEstimator, fitted: FittedModel, X: Samples) -> FittedState:
    """Return the state of a fit that knows labels more, from samples that have them.

    Raises
    ------
    ValueError
        If there is no new label, if some samples have none, or if the context is a cause.
    """
    contexts, state = fitted.contexts, est._fitted
    assert contexts is not None
    modalities = read_modalities(est, X, reset=False, learns=True)
    assert modalities.contexts is not None
    labels = modalities.contexts.labels
    name, axis = _new_context(contexts, labels, modalities.codes)
    known, doubts = len(contexts.labels[name]), []
    for number in range(known, len(labels[name])):
        part = modalities.take(np.flatnonzero(modalities.codes[axis] == number))
        part = _complete(part, labels[name].tolist()[number])
        codes = part.codes.copy()
        codes[axis] = -1  # no offset
        scaled = fitted.scaler.transform(contexts.removed(part.with_codes(codes)))
        tables = [table.astype(np.float64) for table in scaled]
        scores = _Scores.of(fitted, tables)
        extended = labels[name][: number + 1]
        contexts, of_label = scores.with_label(contexts, name, extended, part, tables)
        doubts.append(of_label)
    numbers, spec = dict(state.numbers), state.spec
    if contexts.mixes[name]:
        numbers["prior.mix_logs"] = _mix_logs(contexts, name, known, numbers["prior.mix_logs"])
        spec = replace(spec, mix_sizes=contexts.sizes)
    after = replace(state, contexts=contexts, numbers=numbers, spec=spec, training=None)
    model = fitted_model(after, prediction_device(est.device))
    tails = model.tail_probabilities(modalities, state.tail_reference)
    for number, of_label in enumerate(doubts):
        told = contexts.adapted[number - len(doubts)]
        _tell_strangers(told, tails[modalities.codes[axis] == known + number])
        _warn(told, of_label)
    return after


def _tell_strangers(told: SimpleNamespace, tails: np.ndarray) -> None:
    """Say how many samples are in no known cell, given their tail probabilities.

    All of these are small, and those of the others are uniform.
    """
    small = binomtest(int((tails < SMALL).sum()), len(tails))
    interval = small.proportion_ci(method="wilson")
    share, low, high = (
        max(0.0, float(of - SMALL) / (1.0 - SMALL))
        for of in (small.statistic, interval.low, interval.high)
    )
    told.unknown, told.interval = share, (low, high)


def _complete(part: Modalities, label: Any) -> Modalities:
    """Return the samples that have all modalities in full."""
    complete = part.observed.all(axis=0)
    for seen in part.elements or ():
        complete &= True if seen is None else seen.all(axis=1)
    if complete.sum() < 2:
        raise ValueError(
            f"only {complete.sum()} samples of the label {label!r} have all modalities in full: "
            "adapt needs two, better sixty."
        )
    return part.take(np.flatnonzero(complete))


def _new_context(
    contexts: FittedContexts, labels: Mapping[str, np.ndarray], codes: np.ndarray
) -> tuple[str, int]:
    """Return the context that has new labels, and its number; all samples must have one of them."""
    new = [name for name, of in labels.items() if len(of) > len(contexts.labels[name])]
    if len(new) != 1:
        told = f"those of {new} are new" if new else "the fit has seen all of them"
        raise ValueError(
            f"adapt learns new labels of one context, but of these samples' labels {told}."
        )
    axis = list(labels).index(new[0])
    known = np.flatnonzero(codes[axis] < len(contexts.labels[new[0]]))
    if len(known):
        raise ValueError(
            f"sample {known[0]} has a label of the context {new[0]!r} that the fit has seen: pass "
            "the samples of new labels alone."
        )
    if contexts.roles[new[0]] == "cause":
        raise ValueError(
            f"the context {new[0]!r} has role='cause', and the tables of its labels are part of "
            "the graph: fit all samples together, or with role='measured'."
        )
    return new[0], axis


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """Principal scores of scaled samples, in which the components of a fit are known."""

    fitted: FittedModel
    axes: np.ndarray  # (score, element), of all modalities side by side, divided by their units
    mixture: Alignment  # of the components, and of samples that are in none
    is_free: np.ndarray  # (score,): of modalities that labels shift
    means: list[np.ndarray]  # (component, width) of each modality, as decoded

    @classmethod
    def of(cls, fitted: FittedModel, tables: list[np.ndarray]) -> _Scores:
        """Return scores that draws from a fitted model differ in, and these samples."""
        contexts, n_cells = fitted.contexts, len(fitted.cells)
        assert contexts is not None
        rng = np.random.RandomState(0)
        labels = np.repeat(np.arange(n_cells), max(20, min(N_DRAWS, MAX_DRAWS // n_cells)))
        points = drawn_points(fitted.means, fitted.full_covariances(), labels, rng)
        with torch.no_grad():
            drawn = drawn_data(fitted.model, points, fitted.cells[labels], rng)
        gamma = np.eye(n_cells)[labels].T
        means = [gamma @ of / gamma.sum(axis=1, keepdims=True) for of in drawn]
        n_scores = min(
            MAX_SCORES, (1 + SCORES_PER_EFFECT) * n_effects(fitted.model.prior.node_sizes)
        )
        parts, is_free = [], []
        for free in (True, False):
            shifted = [name in contexts.offsets for name in map(str, fitted.model.names)]
            units = [
                (1.0 if of == free else 0.0) / np.sqrt(table.shape[1])
                for of, table in zip(shifted, drawn, strict=True)
            ]
            if not any(units):
                continue
            x, new = (
                np.concatenate([of * unit for of, unit in zip(part, units, strict=True)], axis=1)
                for part in (drawn, tables)
            )
            new = (new - new.mean(axis=0)) * np.sqrt(len(x) / len(new))
            x = np.concatenate([x - x.mean(axis=0), new])
            axes = randomized_svd(x, min(n_scores, *x.shape), random_state=0)[2]
            parts.append(axes * np.repeat(units, [of.shape[1] for of in drawn]))
            is_free += [free] * len(axes)
        axes = np.concatenate(parts)
        values = np.concatenate(drawn, axis=1) @ axes.T
        axes = axes / values.std(axis=0).max()
        values = np.concatenate(drawn, axis=1).astype(np.float64) @ axes.T
        of_cells, covariances = components_of(gamma, values)
        middle, spread = values.mean(axis=0), np.cov(values.T).reshape(len(axes), len(axes))
        weights = (1.0 - UNKNOWN_WEIGHT) * fitted.weights_of_all()
        weights = np.append(weights, UNKNOWN_WEIGHT)
        mixture = Alignment(
            means=np.concatenate([of_cells, middle[None]]),
            covariances=np.concatenate([covariances, UNKNOWN_SPREAD * spread[None]]),
            log_weights=np.log(weights)[None],
            offsets=np.zeros((1, len(axes))),
            known_weights=weights,
        )
        return cls(
            fitted=fitted, axes=axes, mixture=mixture, is_free=np.array(is_free), means=means
        )

    def with_label(
        self,
        contexts: FittedContexts,
        name: str,
        extended: np.ndarray,
        part: Modalities,
        tables: list[np.ndarray],
    ) -> tuple[FittedContexts, list[str]]:
        """Return contexts with one more label, the last one, that of these samples, and doubts."""
        points = alone(np.concatenate(tables, axis=1) @ self.axes.T, self.is_free)
        ends = laid_ends(points, self.mixture, np.random.RandomState(0))
        ends.sort(key=lambda end: (end.log_weights[0, -1] > np.log(0.5), -end.objective))
        best, n_samples = ends[0], len(points.values)
        gamma = best.responsibilities(points)[0]
        weights = np.maximum(gamma[:-1].sum(axis=0), np.finfo(float).tiny)
        known = weights.sum()
        moves, errors = {}, {}
        for m, (modality, table) in enumerate(zip(part.names, tables, strict=True)):
            if modality not in contexts.offsets:
                continue
            rest = table - (gamma[:-1] / weights).T @ self.means[m]
            mean = weights @ rest / known
            noise = weights @ np.square(rest - mean) / known
            left = max(np.square(mean).mean() - noise.mean() / known, 0.0)
            kept = left / (left + noise.mean() / known)
            factor = np.ravel(self.fitted.scaler.factor[m])
            moves[modality] = (factor * kept * mean).reshape(part.shapes[m])
            errors[modality] = (factor * np.sqrt(noise / known)).reshape(part.shapes[m])
        told = SimpleNamespace(n_samples=n_samples, standard_errors=errors)
        cells = np.empty_like(gamma[:-1])
        cells[self.fitted.cells] = gamma[:-1]
        wider = contexts.with_label(name, extended, moves, part.codes, cells.T, told)
        return wider, _doubts(ends, n_samples)


def _doubts(ends: list[Alignment], n_samples: int) -> list[str]:
    """Say what is in doubt of an offset: few samples, and offsets that do as well."""
    best, doubts = ends[0], []
    if n_samples < FEW_SAMPLES:
        doubts.append(f"{n_samples} samples tell little of an offset")
    rivals = [end for end in ends[1:] if end.is_far_from(best)]
    if any((best.objective - end.objective) * n_samples < AS_WELL for end in rivals):
        doubts.append("another offset explains them as well, with other cells")
    return doubts


def _warn(told: SimpleNamespace, doubts: list[str]) -> None:
    """Warn of doubts, and of many samples in no known cell."""
    if told.unknown > MOST_UNKNOWN:
        doubts = [*doubts, f"{100 * told.unknown:.0f} % of them are in no known cell"]
    if doubts:
        warn_caller(
            f"The label {told.label!r} of the context {told.context!r} is known in doubt: "
            f"{'; '.join(doubts)}. Pass more samples of it, of all kinds.",
            ContextWarning,
        )


def _mix_logs(contexts: FittedContexts, name: str, known: int, before: np.ndarray) -> np.ndarray:
    """Return log-weights of combinations of labels: those of before, and of the new labels."""
    others = tuple(k for k, of in enumerate(contexts.labels) if not contexts.mixes[of])
    axis = [of for of in contexts.labels if contexts.mixes[of]].index(name)
    cells, sizes = contexts.cells.sum(axis=others), contexts.sizes
    logs = log_mixes(torch.from_numpy(cells.reshape(-1, cells.shape[-1])), sizes).numpy()
    logs = logs.reshape(*sizes, -1).astype(before.dtype)
    shape = (*sizes[:axis], known, *sizes[axis + 1 :])
    place = (slice(None),) * axis
    logs[(*place, slice(0, known))] = before.reshape(*shape, -1)
    return np.ascontiguousarray(logs.reshape(-1, cells.shape[-1]))
