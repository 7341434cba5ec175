"""A new label of a context: its offset and its mix by EM, with all else of a fit as it is.

The components are those that the fitted model draws from, in principal scores of such draws, and
one more that is wide, for samples of no known cell.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import binomtest
from sklearn.base import BaseEstimator
from sklearn.utils.extmath import randomized_svd

from .._base.grid import n_effects
from .._base.reports.contexts import AdaptedLabel
from .._base.types import Samples
from .._base.warn import warn_caller
from .._contexts.alignment import Alignment, components_of, does_as_well, laid_ends
from .._contexts.fitted import FittedContexts
from .._contexts.offsets import MAX_SCORES, SCORES_PER_EFFECT
from .._contexts.points import alone
from .._data.validation import Modalities, read_modalities
from .._inference.fitted_model import FittedModel
from .._inference.kept_models import fitted_model
from .._model.parameters import prediction_device
from .._state.fitted import FittedState
from ..exceptions import ContextWarning
from ..modules import Mixes
from .new_label_draws import Draws, draws_of, estimated_offsets, tail_moves

#: The component of samples of no known cell: its weight in advance, and how many times the variance
#: of all cells together it has.
UNKNOWN_WEIGHT, UNKNOWN_SPREAD = 0.05, 9.0

#: Deviation along an axis, in that of the first one, below which nothing varies there.
LEAST_SPREAD = 1e-6

#: Sets of draws that say how much samples differ by chance in directions that draws do not show.
N_PARALLEL = 5

#: Tail probabilities below this count samples of no known cell; others have so many of them.
SMALL = 0.05

#: Where more samples are in no known cell, clusters of these may be taken for known ones.
MOST_UNKNOWN = 0.25

#: Fewer samples of a label tell little of its offset.
FEW_SAMPLES = 30


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What samples of a new label have told.

    Parameters
    ----------
    n_samples : int
        Number of these.
    offsets, standard_errors : dict of str to ndarray of the shape of a sample
        By modality, in the units of the data.
    cells : ndarray of shape (n_samples, n_cells)
        How probable it is that each is of a known cell.
    doubts : list of str
        What is in doubt.
    """

    n_samples: int
    offsets: dict[str, np.ndarray]
    standard_errors: dict[str, np.ndarray]
    cells: np.ndarray
    doubts: list[str]


def adapted(est: BaseEstimator, fitted: FittedModel, X: Samples) -> FittedState:
    """Return the state of a fit that knows labels more, from samples that have them.

    Raises
    ------
    ValueError
        If there is no new label, or if some samples have none.
    """
    contexts, state = fitted.contexts, est._fitted
    modalities = read_modalities(est, X, reset=False, learns=True)
    modalities.contexts.check_complete()
    name, axis = _new_context(contexts, modalities.contexts.labels, modalities.codes)
    labels, n_old = modalities.contexts.labels[name], len(contexts.labels[name])
    codes, drawn = modalities.codes[axis], draws_of(fitted)
    of_labels: dict[Hashable, Learned] = {}
    for number, label in enumerate(labels.tolist()[n_old:], n_old):
        part = _complete(modalities.take(np.flatnonzero(codes == number)), label)
        learned = of_labels[label] = _learned(fitted, drawn, part, axis)
        contexts = contexts.with_label(name, labels[: number + 1], learned.offsets)
        contexts = contexts.with_cells(part.codes, learned.cells, before=contexts.cells)
    after = replace(state, contexts=contexts, training=None)
    if contexts.mixes[name]:
        after = _with_mixes(after, contexts, name, n_old)
    model = fitted_model(after, prediction_device(est.device))
    tails = model.tail_probabilities(modalities, state.tail_reference)
    reports = list(contexts.adapted)
    for number, (label, learned) in enumerate(of_labels.items(), n_old):
        unknown, interval = _strangers(tails[codes == number])
        n_known = max(1.0, learned.cells.sum())
        report = AdaptedLabel(
            context=name,
            label=label,
            n_samples=learned.n_samples,
            standard_errors=learned.standard_errors,
            unknown=unknown,
            interval=interval,
            tail_moves=tail_moves(fitted, model, drawn, {name: label}, n_known),
        )
        _warn(report, learned.doubts)
        reports.append(report)
    return replace(after, contexts=replace(contexts, adapted=reports))


def _strangers(tails: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Return which share of samples is in no known cell, and its interval, by tail probabilities.

    All of theirs are small, and those of the others are uniform.
    """
    small = binomtest(int((tails < SMALL).sum()), len(tails))
    interval = small.proportion_ci(method="wilson")
    share, low, high = (
        max(0.0, float(estimate - SMALL) / (1.0 - SMALL))
        for estimate in (small.statistic, interval.low, interval.high)
    )
    return share, (low, high)


def _complete(part: Modalities, label: Hashable) -> Modalities:
    """Return the samples that have all modalities in full."""
    complete = part.observed.all(axis=0)
    for mask in part.elements or ():
        complete &= True if mask is None else mask.all(axis=1)
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
    new = [name for name, values in labels.items() if len(values) > len(contexts.labels[name])]
    if len(new) != 1:
        reason = f"those of {new} are new" if new else "the fit has seen all of them"
        reason = f"of these samples' labels {reason}" if labels else "the fit has no contexts"
        raise ValueError(f"adapt learns new labels of one context, but {reason}.")
    axis = list(labels).index(new[0])
    old = np.flatnonzero(codes[axis] < len(contexts.labels[new[0]]))
    if len(old):
        raise ValueError(
            f"sample {old[0]} has a label of the context {new[0]!r} that the fit has seen: pass "
            "the samples of new labels alone."
        )
    return new[0], axis


def _learned(fitted: FittedModel, drawn: Draws, part: Modalities, axis: int) -> Learned:
    """Lay samples of a new label, in the context of this number, on what a fit draws."""
    contexts, codes = fitted.contexts, part.codes.copy()
    codes[axis] = -1  # no offset
    scaled = fitted.scaler.transform(contexts.removed(part.with_codes(codes)))
    tables = [table.astype(np.float64) for table in scaled]
    axes, is_free, mixture = _known_mixture(fitted, drawn, tables)
    points = alone(np.concatenate(tables, axis=1) @ axes.T, is_free)
    ends = laid_ends(points, mixture, np.random.RandomState(0))
    ends.sort(key=lambda end: end.log_weights[0, -1] > np.log(0.5))
    gamma = ends[0].responsibilities(points)[0][:-1]
    weights = np.maximum(gamma.sum(axis=0), np.finfo(float).tiny)
    n_known = max(1.0, weights.sum())
    moves: dict[str, np.ndarray] = {}
    standard_errors: dict[str, np.ndarray] = {}
    rests = [
        table - (gamma / weights).T @ mean if modality in contexts.offsets else None
        for modality, table, mean in zip(part.names, tables, drawn.means, strict=True)
    ]
    in_one_set = [residual if residual is None else residual[None] for residual in rests]
    estimates = estimated_offsets(fitted, [table[None] for table in scaled], in_one_set, weights)
    for m, (modality, rest, offsets) in enumerate(zip(part.names, rests, estimates, strict=True)):
        if rest is None or offsets is None:
            continue
        mean = offsets[0]
        noise = weights @ np.square(rest - weights @ rest / n_known) / n_known
        left = max(np.square(mean).mean() - noise.mean() / n_known, 0.0)
        kept = left / (left + noise.mean() / n_known)
        factor = np.ravel(fitted.scaler.factor[m])
        moves[modality] = (factor * kept * mean).reshape(part.shapes[m])
        errors = factor * np.sqrt(noise / n_known)
        standard_errors[modality] = errors.reshape(part.shapes[m])
    cells = np.empty_like(gamma)
    cells[fitted.cells] = gamma
    return Learned(
        n_samples=part.n_samples,
        offsets=moves,
        standard_errors=standard_errors,
        cells=cells.T,
        doubts=_doubts(ends, part.n_samples),
    )


def _known_mixture(
    fitted: FittedModel, drawn: Draws, tables: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, Alignment]:
    """Return the components of a fit, and one of all other samples, in principal scores.

    Scores are those that draws from the model, and these scaled samples, differ in. Beside the
    mixture there are the axes, (n_scores, width of all modalities side by side), and which of them
    are of modalities that labels shift.
    """
    contexts, widths = fitted.contexts, [part.shape[1] for part in drawn.parts]
    old, new = np.concatenate(drawn.parts, axis=1), np.concatenate(tables, axis=1)
    units = np.repeat(1.0 / np.sqrt(widths), widths)
    shifted = np.repeat([name in contexts.offsets for name in fitted.model.names], widths)
    n_effects_ = n_effects(fitted.model.prior.node_sizes)
    scaled_directions, is_free = [], []
    for free in np.unique(shifted)[::-1]:
        unit = np.where(shifted == free, units, 0.0)
        directions = _directions(old * unit, new * unit, n_effects_)
        scaled_directions.append(directions * unit)
        is_free += [free] * len(directions)
    axes = np.concatenate(scaled_directions)
    axes = axes / (old @ axes.T).std(axis=0).max()
    values = old.astype(np.float64) @ axes.T
    centres, covariances = components_of(drawn.gamma, values)
    spread = np.cov(values.T).reshape(len(axes), len(axes))
    weights = np.append((1.0 - UNKNOWN_WEIGHT) * fitted.weights_of_all(), UNKNOWN_WEIGHT)
    mixture = Alignment(
        means=np.concatenate([centres, values.mean(axis=0)[None]]),
        covariances=np.concatenate([covariances, UNKNOWN_SPREAD * spread[None]]),
        log_weights=np.log(weights)[None],
        offsets=np.zeros((1, len(axes))),
        known_weights=weights,
    )
    return axes, np.array(is_free), mixture


def _directions(old: np.ndarray, new: np.ndarray, n_effects_: int) -> np.ndarray:
    """Return orthogonal directions, in rows, in which draws differ, and then new samples alone.

    The second are those in which new samples differ more than as many draws do in any (parallel
    analysis, Horn 1965, Psychometrika): few samples differ from each other in directions of noise.
    """
    rng = np.random.RandomState(0)
    old, new = old - old.mean(axis=0), new - new.mean(axis=0)
    n_scores = min(MAX_SCORES, SCORES_PER_EFFECT * n_effects_, *old.shape)
    _, spreads, axes = randomized_svd(old, n_scores, random_state=0)
    axes = axes[spreads > LEAST_SPREAD * spreads[0]]
    parts = [old[rng.choice(len(old), size=len(new))] for _ in range(N_PARALLEL)]
    beyond, *alike = (points - points @ axes.T @ axes for points in (new, *parts))
    n_more = min(n_effects_, *beyond.shape)
    by_chance = max(randomized_svd(residuals, 1, random_state=0)[1][0] for residuals in alike)
    _, spreads, more = randomized_svd(beyond, n_more, random_state=0)
    least = LEAST_SPREAD * np.linalg.norm(new)  # beyond all directions there is rounding alone
    return np.concatenate([axes, more[spreads > max(by_chance, least)]])


def _doubts(ends: list[Alignment], n_samples: int) -> list[str]:
    """Say what is in doubt of an offset: few samples, and offsets that do as well."""
    best, doubts = ends[0], []
    if n_samples < FEW_SAMPLES:
        doubts.append(f"{n_samples} samples tell little of an offset")
    rivals = [end for end in ends[1:] if end.is_far_from(best.offsets)]
    leads = [(best.objective - end.objective) * n_samples for end in rivals]
    if any(does_as_well(lead, n_samples) for lead in leads):
        doubts.append("another offset explains them as well, with other cells")
    return doubts


def _warn(report: AdaptedLabel, doubts: list[str]) -> None:
    """Warn of doubts, and of many samples in no known cell."""
    if report.unknown > MOST_UNKNOWN:
        share = f"{100 * report.unknown:.0f} % of them are in no known cell"
        doubts = [*doubts, f"{share} (other kinds of samples, another unit, or more noise?)"]
    if doubts:
        warn_caller(
            f"The label {report.label!r} of the context {report.context!r} is known in doubt: "
            f"{'; '.join(doubts)}. Pass more samples of it, of all kinds.",
            ContextWarning,
        )


def _with_mixes(state: FittedState, contexts: FittedContexts, name: str, n_old: int) -> FittedState:
    """Return a state with cell weights, and tables, under new labels; those of before stay."""
    graph, mixes = state.graph, Mixes(contexts.sizes, state.spec.node_sizes, contexts.causes)
    names = [context for context in contexts.labels if contexts.mixes[context]]
    counts = torch.from_numpy(contexts.mix_cells.reshape(-1, contexts.cells.shape[-1]))
    tables = None
    if causes := list(contexts.cause_shares):
        parents = np.concatenate([graph.cause_edges, graph.adjacency])
        adjacency = torch.from_numpy(np.pad(parents, ((0, 0), (len(causes), 0))))
        tables = mixes.cause_tables(counts, adjacency)
        over_causes = [table.numpy() for table in tables]  # the same numbers
        for table, before in zip(over_causes, graph.tables, strict=True):
            _put_back(table, before, [n_old if cause == name else None for cause in causes])
        graph = replace(graph, tables=over_causes)
    logs, before = mixes.log_weights(counts, tables), state.numbers["prior.mix_logs"]
    grid = logs.numpy().astype(before.dtype).reshape(*contexts.sizes, -1)
    _put_back(grid, before, [n_old if context == name else None for context in names])
    numbers = state.numbers | {"prior.mix_logs": grid.reshape(logs.shape)}
    spec = replace(state.spec, mix_sizes=contexts.sizes)
    return replace(state, graph=graph, numbers=numbers, spec=spec)


def _put_back(table: np.ndarray, before: np.ndarray, n_kept: list[int | None]) -> None:
    """Put what a table was before in its place: so many labels of the first axes, None for all."""
    old = table[tuple(slice(n) for n in n_kept)]
    old[:] = before.reshape(old.shape)
