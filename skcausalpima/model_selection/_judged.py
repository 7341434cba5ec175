"""Candidates judged: all of them in the start, then by fits from the largest down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from sklearn.base import BaseEstimator, clone

from .._base.progress_lines import ProgressLines
from .._base.types import Samples, Sizes
from .._base.warn import warn_caller
from .._held_out.fits import completed
from .._held_out.held_out import Part
from ..exceptions import InterruptionWarning
from ._folds import Fold, fit_fold, start_folds
from ._verdicts import (
    failures,
    failures_of_starts,
    in_one_order,
    is_settled,
    least_settled,
    untold,
)

#: What lines begin with.
NAME = "[select_node_sizes]"


class Judged(NamedTuple):
    """What is known of a candidate: from fits to folds, or from the start of such fits."""

    folds: list[Fold]
    failed: tuple[str, ...]
    is_fitted: bool
    is_sound: bool = False  # fails nothing, unless it is that its nodes are not told


def judged_candidates(
    models: dict[Sizes, BaseEstimator],
    X: Samples,
    splits: tuple[Part, ...],
    n_jobs: int | None,
    verbose: int | None,
) -> tuple[dict[Sizes, Judged], bool]:
    """Judge candidates in the start, then by fits from the largest down, until one is supported.

    Those that no start is known of are fitted in any case.

    Parameters
    ----------
    models : dict of tuple of int to CausalPIMA
        By node sizes.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        All samples.
    splits : tuple of Part
        Rows of training and held-out samples.
    n_jobs, verbose : int
        As of :func:`~skcausalpima.model_selection.select_node_sizes`.

    Returns
    -------
    judged : dict of tuple of int to Judged
        In their order; after an interrupt those that are complete.
    interrupted : bool
        Whether one came.
    """
    looked_at = [partial(start_folds, model, X, splits) for model in models.values()]
    of_models, interrupted = completed(looked_at, n_jobs, ProgressLines(0, NAME))
    if interrupted:
        raise KeyboardInterrupt
    starts = {
        sizes: in_one_order(folds, sizes)
        for sizes, folds in zip(models, of_models.values(), strict=True)
        if folds is not None
    }
    judged = {
        sizes: Judged(folds, failures_of_starts(folds, sizes), False)
        for sizes, folds in starts.items()
    }
    open_ = [sizes for sizes in models if sizes not in judged or not judged[sizes].failed]
    best, not_told = None, list[Sizes]()
    for priority, group in itertools.groupby(sorted(open_, key=_priority, reverse=True), _priority):
        alike = list(group)
        if best is None and not_told and _priority(not_told[0])[0] > priority[0]:
            best = not_told[0]  # fewer cells say less, and not one of as many is supported
        for sizes in alike:
            if best is not None and _priority(best) > priority and sizes in judged:
                word = "found again" if best in not_told else "supported"
                reason = (f"not fitted: {best}, which says more, is {word}",)
                judged[sizes] = Judged(judged[sizes].folds, reason, False)
                continue
            # bounds of candidates that are alike otherwise are compared over the same folds
            n_first = len(splits) if len(alike) > 1 else least_settled(len(splits))
            fits = _fitted(models[sizes], sizes, X, splits, n_first, n_jobs, verbose)
            if fits is None:
                return _complete(judged, models), True
            folds, failed = fits, failures(fits, sizes)
            not_factors = untold(folds, sizes)
            judged[sizes] = Judged(folds, failed or not_factors, True, not failed)
            if not_factors and not failed:
                not_told.append(sizes)
            elif best is None and not failed:
                best = sizes
    return {sizes: judged[sizes] for sizes in models}, False


def _priority(sizes: Sizes) -> tuple[int, int]:
    """Return what supported candidates are preferred by: cells, and then nodes."""
    return math.prod(sizes), len(sizes)


def _fitted(
    model: BaseEstimator,
    sizes: Sizes,
    X: Samples,
    splits: tuple[Part, ...],
    n_first: int,
    n_jobs: int | None,
    verbose: int | None,
) -> list[Fold] | None:
    """Fit a candidate to so many folds, and to the others if these do not settle its verdict.

    None is returned where an interrupt comes before.
    """
    folds: list[Fold] = []
    for part in (splits[:n_first], splits[n_first:]):
        if not part or (folds and is_settled(folds, sizes, len(splits))):
            continue
        calls = [partial(fit_fold, clone(model), X, split) for split in part]
        try:
            lines = ProgressLines(verbose, NAME)
            fits, interrupted = completed(calls, n_jobs, lines, f"{sizes}: ")
        except KeyboardInterrupt:
            return None
        if interrupted:
            return None
        folds = in_one_order([*folds, *fits.values()], sizes)
    return folds


def _complete(
    judged: dict[Sizes, Judged], models: Mapping[Sizes, BaseEstimator]
) -> dict[Sizes, Judged]:
    """Return the candidates that were fitted before an interrupt, or need not be."""
    known = {
        sizes: judged[sizes]
        for sizes in models
        if sizes in judged and (judged[sizes].is_fitted or judged[sizes].failed)
    }
    if not any(candidate.is_fitted for candidate in known.values()):
        raise KeyboardInterrupt
    warn_caller(
        f"Interrupted: {len(known)} of {len(models)} candidates are complete, and the choice "
        "is among them. best_estimator is None: fit a clone with best_node_sizes.",
        InterruptionWarning,
    )
    return known
