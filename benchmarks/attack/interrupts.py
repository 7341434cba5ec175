"""KeyboardInterrupt at one line of a fit: what is left is the old fit, the new one, or none."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
from attack.calls import pair
from attack.fits import Lines, made, moment, reference
from attack.verdicts import Case, SilentError, fitted_part, same
from sklearn.exceptions import NotFittedError

from skcausalpima import CausalPIMA

KINDS = ("default", "held out", "expert", "two starts")
ESTIMATOR = ("_causal_pima.py", "_fit/attributes.py", "_inference/covariances.py")
#: What is interrupted: the first fit, a new fit of a fitted estimator, and a continued fit.
WHICH = ("first", "again", "continued")


def _before(kind: str, which: str) -> CausalPIMA:
    """Return an estimator that is about to be fitted."""
    if which == "first":
        return made(kind)
    return copy.deepcopy(reference(kind, 1, which == "continued"))


@cache
def _locations(kind: str, which: str) -> list[tuple[str, int]]:
    """Return the lines that a fit runs."""
    model = _before(kind, which)
    with Lines() as lines:
        model.fit(pair())
    return lines.locations


def case(rng: np.random.Generator) -> Case:
    """Draw a fit and a moment of it."""
    kind, which = KINDS[rng.integers(len(KINDS))], WHICH[rng.integers(len(WHICH))]
    locations = _locations(kind, which)
    last = int(rng.integers(2)) * len(locations) // 2  # at the end results become attributes
    ends = [
        location for location in locations[last:] if last == 0 or location[0].endswith(ESTIMATOR)
    ]
    number, where = moment(rng, locations, ends)
    return Case(f"{kind}, {which} fit, at {where}", lambda: _interrupted(kind, which, number))


def _interrupted(kind: str, which: str, number: int) -> None:
    """Interrupt a fit, look at what is left, and fit again."""
    model = _before(kind, which)

    def interrupt() -> None:
        raise KeyboardInterrupt

    try:
        with Lines(number, interrupt):
            model.fit(pair())
    except KeyboardInterrupt:
        pass
    else:
        raise SilentError("the fit goes on")
    warm = which == "continued"
    old = None if which == "first" else reference(kind, 1, warm)
    new = reference(kind, 2 if warm else 1, warm)
    left = _state_of(model, old, new)
    if left == "new":
        return
    fits = 2 if warm and left == "old" else 1
    if not _same_fits(model.fit(pair()), reference(kind, fits, warm)):
        raise SilentError(f"the next fit, of the {left} one, is another than without the interrupt")


def _state_of(model: CausalPIMA, old: CausalPIMA | None, new: CausalPIMA) -> str:
    """Return whether an estimator is "unfitted", the "old" or the "new" fit."""
    try:
        model.predict(pair())
    except NotFittedError:
        return "unfitted"
    except Exception as error:
        raise SilentError(f"it counts as fitted, but predict fails: {error!r:.100}") from error
    for name, fit in (("old", old), ("new", new)):
        if fit is not None and _same_fits(model, fit):
            return name
    changed = [k for k, v in fitted_part(model).items() if not same(v, fitted_part(new).get(k))]
    raise SilentError(f"it counts as fitted, and is no fit: {changed} are not the new fit's")


def _same_fits(first: CausalPIMA, second: CausalPIMA) -> bool:
    parts = fitted_part(first), fitted_part(second)
    return sorted(parts[0]) == sorted(parts[1]) and all(
        same(parts[0][k], parts[1][k]) for k in parts[0]
    )
