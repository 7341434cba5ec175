"""The candidate that is taken, and what is said of each."""

from __future__ import annotations

import math

import numpy as np
from sklearn.base import BaseEstimator

from .._base.warn import warn_caller
from ..exceptions import NodeSizesWarning
from ._verdicts import Results

#: Reasons that a warning has.
N_TOLD = 3

#: What a candidate fails whose fit to all samples is alarmed.
ALARMED = "the last fit is alarmed:"


def choose(results: Results, is_sound: np.ndarray) -> int:
    """Return the index of the candidate to take.

    A sound one fails nothing, unless it is that its nodes are not told to be factors. It makes way
    for candidates of as many cells, but for no smaller ones, whose cells say less.
    """
    sound = np.flatnonzero(np.logical_and(is_sound, results["fitted"]))
    sizes = results["node_sizes"]
    if not len(sound):
        best = int(np.argmax(results["stability"]))
        reasons = list(results["failed"][best])
        more = [f"{len(reasons) - N_TOLD} more"] if len(reasons) > N_TOLD else []
        warn_caller(
            "[no-candidate] No candidate is supported by the data: cells that are found again, lie "
            f"apart and have a clear arrangement. The most stable one, {sizes[best]}, is taken: "
            f"{'; '.join(reasons[:N_TOLD] + more)}. See failed in results, and try other "
            "candidates, more samples or more epochs.",
            NodeSizesWarning,
        )
        return best
    bounds, passed = results["mean_bound"], results["supported"]
    return int(max(sound, key=lambda k: (math.prod(sizes[k]), passed[k], len(sizes[k]), bounds[k])))


def alarms_of(estimator: BaseEstimator) -> tuple[str, ...]:
    """Return the codes of the alarms of a fit, in brackets."""
    found = estimator.report().alarms
    return tuple(f"[{one.code}]" for one in found if one.severity == "alarm")


def refuse_alarmed(results: Results, number: int, codes: tuple[str, ...]) -> None:
    """Let a candidate fail whose fit to all samples is alarmed."""
    if codes:
        results["supported"][number] = False
        alarmed = f"{ALARMED} {', '.join(codes)}"
        results["failed"][number] = (alarmed, *results["failed"][number])


def verdicts(results: Results, is_sound: np.ndarray) -> list[str]:
    """Return in words what was found of each candidate."""
    words = []
    for sizes, failed, sound in zip(
        results["node_sizes"], results["failed"], is_sound, strict=True
    ):
        kind = "supported" if len(sizes) == 1 else "supported as factors"
        if not failed:
            words.append(kind)
        elif failed[0].startswith(ALARMED) and (sound or len(failed) == 1):
            words.append(f"found again in folds; {failed[0]}")
        elif len(failed) == 1 and (sound or failed[0].startswith("not fitted")):
            words.append(failed[0])
        else:
            words.append(f"rejected: {failed[0]}")
    return words
