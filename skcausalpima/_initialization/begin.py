"""The opening of a fit: what is missing is filled in, and what is left open is decided.

What follows begins with a :class:`Start`: fits, and the folds and proposals of node sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .._clustering.candidates import N_CANDIDATES
from .._clustering.contest import LEAST_CANDIDATES, Contest
from .._clustering.margins import (
    BETTER_VIEW,
    BETTER_WEIGHTS,
    SURE_WITHOUT_VIEWS,
    WORSE_VIEW,
)
from .._data.samples import FitSamples
from .._model.left_open import LeftOpen, TriedSide, is_contested
from .._model.setup import Setup
from .._model.tensors import TensorData
from .initial_sample import InitialSample, initial_sample, sample_of, sides_of
from .rivals import Entry, Rivals
from .sides import Sides


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a fit begins.

    Parameters
    ----------
    setup : Setup
        Nothing in it is left open.
    data : TensorData
        All samples, in the units that were decided.
    initial : InitialSample
        Those that clusters are found on, and what was found already.
    """

    setup: Setup
    data: TensorData
    initial: InitialSample


def begin(setup: Setup, samples: FitSamples, data: TensorData, seed: int) -> Start:
    """Return where a fit begins: that of several entries whose clusterings agree.

    Parameters
    ----------
    setup : Setup
        With what is left open.
    samples : FitSamples
        Whose clusters are found.
    data : TensorData
        From :func:`filled_data`.
    seed : int
        Of clusterings.

    Returns
    -------
    Start
        The same on all ranks.
    """
    is_open = is_contested(setup.training.initialization.method, setup.spec.node_sizes)
    if setup.left_open == LeftOpen() or not is_open:
        initial = initial_sample(setup, samples, data, seed)
        return Start(setup=replace(setup, left_open=LeftOpen()), data=data, initial=initial)
    sides = sides_of(setup, samples, data, seed)
    contest = Contest(
        node_sizes=setup.spec.node_sizes,
        known=sides.knowledge.known_nodes,
        seed=seed,
        n_candidates=_n_candidates(sides),
    )
    rivals = Rivals(contest=contest, samples=samples, seed=seed)
    entries = [rivals.first(sides, data)]
    best = entries[0] if entries[0].trial.has_nodes else _winner(rivals, entries)
    return _started(best, entries)


def _n_candidates(sides: Sides) -> int:
    """Return how many clusterings each entry has: views and weights share those that are sought.

    Tables of numbers have as many in each: these are found fast, and tell more.
    """
    free = sides.setup.left_open
    n_shared = (free.weights and not free.are_numbers) + sum(m in sides.views for m in free.views)
    return max(LEAST_CANDIDATES, N_CANDIDATES // (1 + n_shared))


def _winner(rivals: Rivals, entries: list[Entry]) -> Entry:
    """Return the entry that is taken; all that are tried are added to ``entries``."""
    contest, free = rivals.contest, entries[0].setup.left_open

    def better(best: Entry, propose: Callable[[Entry], Iterable[Entry]], margin: float) -> Entry:
        others = list(propose(best)) if contest.is_open(best.trial, margin) else []
        entries.extend(others)
        for other in sorted(others, key=lambda entry: -entry.trial.agreement):
            if contest.prefers(other.trial, best.trial, margin):
                best, margin = other, abs(margin)  # rivals owe nothing to each other
        return best

    # tables of numbers are trained by elements, if these find clusters at all: so these are asked
    best = better(entries[0], rivals.by_elements, 0.0 if free.are_numbers else BETTER_WEIGHTS)
    for _ in free.views:
        margin = BETTER_VIEW if best.trial.agreement >= SURE_WITHOUT_VIEWS else -WORSE_VIEW
        before, best = best, better(best, rivals.with_one_view_more, margin)
        if best is before:
            break
    best = better(best, rivals.in_units_of_noise, BETTER_WEIGHTS)
    best = better(best, rivals.in_units_of_columns, BETTER_WEIGHTS)
    if free.dimension:
        best = better(best, rivals.in_all_scores, BETTER_VIEW)
        other = better(best, rivals.in_independent_components, BETTER_WEIGHTS)
        if other is not best and other.trial.shows_what_is_hidden_from(best.trial):
            best = other
    return best


def _started(best: Entry, entries: list[Entry]) -> Start:
    """Return where a fit begins, given which entry is taken."""
    setup, side = best.setup, best.side
    weights, ones = side.weights, (1.0,) * len(side.views)
    if setup.left_open.are_numbers:  # what they leave is noise, which does not count too often
        by_elements = [one.trial.agreement for one in entries if one.side.weights == ones]
        is_close = any(best.trial.agreement - agreement < WORSE_VIEW for agreement in by_elements)
        weights = ones if is_close else weights
    spec = replace(
        setup.spec, modality_weights=weights, views=side.views, latent_dim=best.dimension
    )
    tried = tuple(
        TriedSide(
            side=entry.side,
            scale=tuple(entry.setup.scale),
            components=entry.components,
            agreement=entry.trial.agreement,
            error=entry.trial.error,
            is_taken=entry is best,
        )
        for entry in entries
    )
    setup = replace(setup, spec=spec, left_open=LeftOpen(), tried=tried)
    initial = sample_of(best.sides, side.views, best.scores, best.trial)
    return Start(setup=setup, data=best.data, initial=initial)
