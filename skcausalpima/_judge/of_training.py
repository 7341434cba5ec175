"""What speaks against training, contexts and data; notes on rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._base.reports.training import ChoicesReport
from .alarms import Alarm
from .figures import Figures, first_of, short

#: Columns and rows that are named (arbitrary).
N_COLUMNS, N_ROWS = 3, 8

#: The name of what is no mapping, and the likelihood of counts.
ALONE, COUNTED = "modality0", "negative_binomial"


def of_training(fit: Figures) -> Iterator[Alarm]:
    """Yield what training that has not converged, and contexts, call for."""
    convergence, n_epochs = fit.convergence, fit.n_iter
    if convergence.ended == "interrupted":
        yield Alarm(
            code="interrupted",
            sentence=f"The fit was stopped after {n_epochs} epochs, by an interrupt or a callback.",
            remedy="Train it further (warm_start=True, a Checkpoint), or let a fit come to its "
            "end, before you rely on it.",
        )
    if convergence.ended == "too early":
        rise, changes = convergence.rise, convergence.label_changes
        nats = "" if rise is None else f" by {rise * (convergence.spread or 1.0):.3g} nats"
        yield Alarm(
            code="ended-early",
            figure=changes,
            sentence=f"Training ended at max_iter={n_epochs} epochs, but the bound still rises"
            f"{nats}, and {changes or 0.0:.1%} of the labels change, in each.",
            remedy=f'Use max_iter="auto" or {2 * n_epochs}, or train further (warm_start=True).',
        )
    if convergence.ended == "fallen":
        yield Alarm(
            code="bound-fell",
            figure=convergence.fall,
            sentence=f"In training the bound fell: {_bounds(fit.objectives)}.",
            remedy=_remedy_of_fall(fit),
        )
    for doubt in fit.doubts:
        yield Alarm(
            code="contexts-confounded",
            sentence=f"Offsets and mixes of contexts cannot be separated: {doubt}.",
            remedy="Samples of all labels that share their kinds would decide, or known_nodes.",
        )


def _bounds(objectives: np.ndarray) -> str:
    """Write the best bound, and the last one."""
    best, last = objectives.max(), objectives[-1]
    where, n_epochs = int(objectives.argmax()) + 1, len(objectives)
    first = f"it was {best:.6g} nats per sample in epoch {where}"
    return f"{first}, and {last:.6g} in the last, {n_epochs}"


def _remedy_of_fall(fit: Figures) -> str:
    """Write what to do where the bound fell."""
    where = int(fit.objectives.argmax()) + 1
    if fit.holds_out:
        return (
            f"It is that of samples held out, and the state of epoch {where} is kept. "
            f"max_iter={where} trains on all samples for as long."
        )
    return (
        "Use a smaller training__learning_rate, clip gradients with training__max_grad_norm, or "
        f"end with max_iter={where}."
    )


def of_data(fit: Figures) -> Iterator[Alarm]:
    """Yield notes on rows and columns."""
    if len(rows := fit.separation.set_aside):
        yield Alarm(
            code="rows-set-aside",
            figure=float(len(rows)),
            sentence=f"{_samples(rows)} like no other ones, and set aside in training "
            f"(rows {_first(rows)} of X, separation_.set_aside).",
            remedy="Look at them. Training(outliers='keep') would train on them.",
        )
    if len(rows := fit.separation.outlying):
        yield Alarm(
            code="rows-outlying",
            figure=float(len(rows)),
            sentence=f"{_samples(rows)} far less probable than the others (rows "
            f"{_first(rows)} of X, separation_.outlying).",
            remedy="Look at them. If they are mistakes, fit without them.",
        )
    if fit.choices.repeats is not None:
        n_units, how = fit.choices.repeats
        yield Alarm(
            code="rows-repeat",
            figure=float(n_units),
            sentence=f"Rows look like repeats of {n_units} units ({how}).",
            remedy="If they are, pass groups= with the unit of each row.",
        )
    if fit.choices.counts:
        yield _counts(fit.choices)
    if listed := [name for names in fit.choices.zeros_and_ones.values() for name in names]:
        verb = "holds" if len(listed) == 1 else "hold"
        yield Alarm(
            code="zeros-and-ones",
            figure=float(len(listed)),
            sentence=f"{first_of(list(map(short, listed)), N_COLUMNS)} {verb} 0 and 1 only.",
            remedy="If these are categories, pass them as such: astype(bool).",
        )


def _samples(rows: np.ndarray) -> str:
    """Write how many samples are something."""
    return "1 sample is" if len(rows) == 1 else f"{len(rows)} samples are"


def _first(rows: np.ndarray) -> str:
    """Return the first few rows, and how many more there are."""
    return first_of(list(map(str, rows)), N_ROWS)


def _counts(choices: ChoicesReport) -> Alarm:
    """Return which columns look like counts, and how to state that they are."""
    listed, stated, is_array = [], dict[str, str](), False
    for name, columns in choices.counts.items():
        listed.append(f"{first_of(list(map(short, columns)), N_COLUMNS)} of {name!r}")
        words = [f"{column!r}: {COUNTED!r}" for column in columns[:N_COLUMNS]]
        words += ["..."] * (len(columns) > N_COLUMNS)
        is_whole = columns == list(map(str, range(choices.columns[name][1])))
        stated[name] = repr(COUNTED) if is_whole else f"{{{', '.join(words)}}}"
        is_array |= not is_whole and all(map(str.isdigit, columns))
    each = ", ".join(f"{name!r}: {words}" for name, words in stated.items())
    likelihoods = stated[ALONE] if list(choices.scale) == [ALONE] else f"{{{each}}}"
    return Alarm(
        code="counts",
        sentence="These columns look like counts (integers, many zeros, a long tail): "
        f"{'; '.join(listed)}.",
        remedy=f"If they are, fit with likelihoods={likelihoods}"
        f"{f', or {COUNTED!r} where all columns are counts' if is_array else ''}.",
    )
