"""What a fit draws, and what draws say of a new label, whose offset and mix are known in part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from .._base.types import Labels
from .._clustering.arrangement import means_of_labels
from .._inference.decoding import drawn_data, drawn_points, reconstruction
from .._inference.evidence import positions_of
from .._inference.fitted_model import FittedModel
from .._model.tensors import TensorData
from ..modules import Batch

#: Draws from each component, and of all of them at most.
N_DRAWS, MAX_DRAWS = 400, 20_000

#: Draws that are compared, but a few of each component at least.
MAX_COMPARED, LEAST_COMPARED = 500, 5

#: Sets of draws that say how far an offset is off, at least.
N_SETS = 20

#: Positions in order for which it is told how far terms move.
N_POSITIONS = 500


@dataclass(frozen=True, eq=False)
class Draws:
    """What a fit draws, as often from each component, scaled and without offsets."""

    components: np.ndarray  # (n_draws,), in order
    parts: list[np.ndarray]  # (n_draws, width) of each modality

    @cached_property
    def gamma(self) -> np.ndarray:
        """Which component each is of, (n_components, n_draws)."""
        return np.eye(self.components[-1] + 1)[self.components].T

    @cached_property
    def means(self) -> list[np.ndarray]:
        """Means of the components, (n_components, width) of each modality."""
        n_components = int(self.components[-1]) + 1
        return [means_of_labels(self.components, part, n_components)[0] for part in self.parts]

    def some(self) -> Draws:
        """Return as many of each component as are compared."""
        each = len(self.components) // (1 + self.components[-1])
        kept = max(LEAST_COMPARED, MAX_COMPARED // (1 + self.components[-1]))
        rows = np.flatnonzero(np.arange(len(self.components)) % each < kept)
        return Draws(self.components[rows], [part[rows] for part in self.parts])


def draws_of(fitted: FittedModel) -> Draws:
    """Draw from all components of a fit."""
    n_components, rng = len(fitted.cells), np.random.RandomState(0)
    n_draws = max(20, min(N_DRAWS, MAX_DRAWS // n_components))
    components = np.repeat(np.arange(n_components), n_draws)
    points = drawn_points(fitted.means, fitted.full_covariances(), components, rng)
    with torch.no_grad():
        return Draws(components, drawn_data(fitted.model, points, fitted.cells[components], rng))


def estimated_offsets(
    fitted: FittedModel,
    parts: Sequence[np.ndarray],
    rests: Sequence[np.ndarray | None],
    weights: np.ndarray | None = None,
) -> list[np.ndarray | None]:
    """Return the offsets that sets of samples seem to have, (n_sets, width) of each modality.

    They are the means of what components leave, and then, of samples without these, the means of
    what reconstructions leave: a step of the model's own M step.

    Parameters
    ----------
    fitted : FittedModel
        What is known of all else.
    parts : sequence of ndarray of shape (n_sets, n_samples, width)
        Scaled samples in sets, by modality.
    rests : sequence of (ndarray of the same shape, or None)
        What means of the components leave of them; None of a modality that labels do not shift.
    weights : ndarray of shape (n_samples,), default=None
        What the samples of each set count for; None for the same.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        return np.average(values, axis=1, weights=weights)

    first = [rest if rest is None else mean(rest)[:, None] for rest in rests]
    moved = [
        part if offsets is None else (part - offsets).astype(part.dtype)
        for part, offsets in zip(parts, first, strict=True)
    ]
    flat = [part.reshape(-1, part.shape[-1]) for part in moved]
    chosen = [m for m, offsets in enumerate(first) if offsets is not None]
    model, data = fitted.model, _scaled(fitted, flat)
    decoded, _ = reconstruction(model, data, fitted.encoders, chosen, include_noise=False)
    left = {m: flat[m] - means.cpu().numpy() for m, means in zip(chosen, decoded, strict=True)}
    return [
        offsets if offsets is None else offsets[:, 0] + mean(left[m].reshape(moved[m].shape))
        for m, offsets in enumerate(first)
    ]


def _scaled(fitted: FittedModel, parts: Sequence[np.ndarray]) -> TensorData:
    """Return scaled modalities, in full and without offsets, as samples of any label."""
    means = fitted.model.prior.means
    tensors = tuple(torch.as_tensor(part, device=means.device) for part in parts)
    return TensorData(Batch(tensors, None), means.dtype)


def tail_moves(
    before: FittedModel,
    after: FittedModel,
    drawn: Draws,
    label: dict[str, Hashable],
    n_known: float,
) -> list[np.ndarray]:
    """Return how far terms of samples of a new label are from those of training samples, in order.

    ``label`` is the new label, by its context. So many samples of known cells have told the offset,
    with an error, and cells are frequent in other ways. Draws have terms without and with both.
    """
    drawn, rng = drawn.some(), np.random.RandomState(0)

    def quantiles(model: FittedModel, stated: Labels, parts: list[np.ndarray]) -> list[np.ndarray]:
        """Return those of all terms of draws under some labels, as probable as these are there."""
        codes, shares = model.contexts.combinations(stated)
        codes = codes[:, rng.choice(len(shares), size=len(drawn.components), p=shares)]
        weights = model.weights_of(codes)[np.arange(len(drawn.components)), drawn.components]
        terms = model.terms(model.under(_scaled(model, parts), codes))
        return [_quantiles(term, weights) for term in terms.T]

    of_all = quantiles(before, {}, drawn.parts)
    weights = after.weights_under(label)[drawn.components]
    moved = _moved(before, drawn, weights / weights.sum(), n_known, rng)
    return [new - old for old, new in zip(of_all, quantiles(after, label, moved), strict=True)]


def _moved(
    fitted: FittedModel,
    drawn: Draws,
    weights: np.ndarray,
    n_known: float,
    rng: np.random.RandomState,
) -> list[np.ndarray]:
    """Return draws, each moved by the error of an offset that so many samples tell.

    Errors are those of sets of draws with these weights.
    """
    n_draws, is_shifted = len(weights), [n in fitted.contexts.offsets for n in fitted.model.names]
    size = int(np.clip(n_known, 2, n_draws // N_SETS))
    rows = rng.choice(n_draws, size=(n_draws // size, size), p=weights)
    rests = [
        (part - mean[drawn.components])[rows] if shifted else None
        for part, mean, shifted in zip(drawn.parts, drawn.means, is_shifted, strict=True)
    ]
    errors = estimated_offsets(fitted, [part[rows] for part in drawn.parts], rests)
    sets = rng.randint(len(rows), size=n_draws)
    return [
        part if error is None else (part + np.sqrt(size / n_known) * error[sets]).astype(part.dtype)
        for part, error in zip(drawn.parts, errors, strict=True)
    ]


def _quantiles(sample: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return quantiles of a weighted sample, at so many positions as are told."""
    order = np.argsort(sample)
    total = np.cumsum(weights[order])
    return np.interp(
        positions_of(N_POSITIONS), (total - 0.5 * weights[order]) / total[-1], sample[order]
    )
