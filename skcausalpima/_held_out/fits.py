"""Many fits, one by one or in parallel: shown as they come, kept when an interrupt comes."""

from __future__ import annotations

import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import NamedTuple, TypeVar

from sklearn.base import BaseEstimator
from sklearn.utils.parallel import Parallel, delayed

from .._base.progress_lines import ProgressLines, duration
from .._base.warn import warn_caller
from ..exceptions import ArrangementWarning, InstabilityWarning

R = TypeVar("R")

#: Whether a fit is one of many: these show how far seeds agree, and single ones need not ask.
is_one_of_many: ContextVar[bool] = ContextVar("is_one_of_many", default=False)


def for_a_part(estimator: BaseEstimator) -> BaseEstimator:
    """Return an estimator that is fitted to some samples, and asked about others, too.

    Categories that only the others have are missing in them.
    """
    if "missing_values__unknown" in estimator.get_params():
        estimator.set_params(missing_values__unknown="missing")
    return estimator


class Raised(NamedTuple):
    """A warning of one of many fits."""

    text: str
    category: type[Warning]

    @property
    def key(self) -> tuple[str, type[Warning]]:
        """What is the same in warnings of the same: the code in brackets, or else the text."""
        code = re.match(r"\[[a-z-]+\]", self.text)
        return (code[0] if code else self.text), self.category


#: Where warnings of fits are kept until all have come; None where they are raised after some fits.
_kept: ContextVar[list[list[Raised]] | None] = ContextVar("_kept", default=None)


@contextmanager
def warnings_once() -> Iterator[list[list[Raised]]]:
    """Raise each warning of the fits in it once, at the end, with how many of them raised it.

    What further fits have raised may be added to the list.
    """
    kept: list[list[Raised]] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)
        _raise_once(kept)


def _raise_once(of_fits: Sequence[Sequence[Raised]]) -> None:
    """Raise what some fits have raised, each once."""
    first = {one.key: one for raised in reversed(of_fits) for one in raised}
    counts = Counter(key for raised in of_fits for key in {one.key for one in raised})
    for key, (text, category) in first.items():
        more = f" (in {counts[key]} fits)" if counts[key] > 1 else ""
        warn_caller(f"{text}{more}", category)


class Completed(NamedTuple):
    """What came of many fits.

    Parameters
    ----------
    results : dict of int to object
        By number, in the order of the numbers.
    interrupted : bool
        Whether an interrupt came before there were all.
    """

    results: dict
    interrupted: bool


def completed(
    functions: Sequence[Callable[[], R]],
    n_jobs: int | None,
    lines: ProgressLines,
    told_first: str = "",
    things: str = "fits",
) -> Completed:
    """Call functions in parallel; after an interrupt, return what is complete.

    Parameters
    ----------
    functions : sequence of callable
        Each is called once.
    n_jobs : int or None
        How many at a time.
    lines : ProgressLines
        Where is told how many are done; they have the name of the function that the user called.
    told_first : str, default=""
        What lines begin with after it.
    things : str, default="fits"
        What the functions make.

    Returns
    -------
    Completed
        The results.

    Raises
    ------
    KeyboardInterrupt
        If nothing is complete yet.
    RuntimeError
        If a worker dies.

    Examples
    --------
    >>> from functools import partial
    >>> from skcausalpima._base.progress_lines import ProgressLines
    >>> from skcausalpima._held_out.fits import completed
    >>> completed([partial(pow, 2, k) for k in range(4)], None, ProgressLines(0, "[powers]"))
    Completed(results={0: 1, 1: 2, 2: 4, 3: 8}, interrupted=False)
    """
    calls = (delayed(_numbered)(number, call) for number, call in enumerate(functions))
    begin = time.monotonic()
    results: dict[int, R] = {}
    raised: dict[int, list[Raised]] = {}
    result: R
    interrupted = False
    try:
        for number, result, raised[number] in _as_they_come(calls, n_jobs):
            results[number] = result
            seconds = (time.monotonic() - begin) / len(results) * (len(functions) - len(results))
            done = f"{told_first}{len(results)} of {len(functions)} {things}"
            text = f"{done}, {duration(seconds)} left"
            is_first = len(results) == 1  # it says how long all will take
            lines.show(text, len(results), len(functions), is_due=is_first)
    except KeyboardInterrupt:
        interrupted = True
        if not results:
            raise
    except BrokenExecutor as error:
        raise RuntimeError(
            f"A worker of {lines.name.strip('[]')} died; {len(results)} of {len(functions)} "
            f"{things} were complete. It may have lacked memory, of which a smaller n_jobs needs "
            "less."
        ) from error
    finally:
        lines.close()
    in_order = [raised[number] for number in sorted(raised)]
    if (kept := _kept.get()) is None:
        _raise_once(in_order)
    else:
        kept += in_order
    return Completed(dict(sorted(results.items())), interrupted and len(results) < len(functions))


def completed_in_parts(
    function: Callable[[Sequence[int]], Sequence[R]],
    seeds: Sequence[int],
    size: int,
    n_jobs: int | None,
    lines: ProgressLines,
) -> Completed:
    """Call a function with so many of the seeds at a time; its results are numbered as these are.

    Parameters
    ----------
    function : callable
        Returns a result for each of some seeds.
    seeds : sequence of int
        One for each refit.
    size : int
        How many of them are best together.
    n_jobs, lines
        As in :func:`completed`.

    Returns
    -------
    Completed
        The results, by numbers of seeds.

    Examples
    --------
    >>> from skcausalpima._base.progress_lines import ProgressLines
    >>> from skcausalpima._held_out.fits import completed_in_parts
    >>> lines = ProgressLines(0, "[doubles]")
    >>> completed_in_parts(lambda seeds: [2 * s for s in seeds], [5, 6, 7], 2, None, lines)
    Completed(results={0: 10, 1: 12, 2: 14}, interrupted=False)
    """
    calls = [partial(function, seeds[k : k + size]) for k in range(0, len(seeds), size)]
    things = "fits" if size == 1 else f"parts of {min(size, len(seeds))} refits"
    parts, interrupted = completed(calls, n_jobs, lines, things=things)
    results = {size * k + j: result for k, part in parts.items() for j, result in enumerate(part)}
    return Completed(results, interrupted)


def _as_they_come(calls: Iterable, n_jobs: int | None) -> Iterable[tuple[int, R, list[Raised]]]:
    """Return results, if possible one by one when they are there."""
    for order in ("generator_unordered", "generator", "list"):
        try:
            run = Parallel(n_jobs=n_jobs, return_as=order, mmap_mode="c")  # as PyTorch needs
        except ValueError:  # before joblib 1.4, or a backend that has all or nothing
            continue
        return run(calls)
    raise AssertionError("joblib returns lists")


def _numbered(number: int, call: Callable[[], R]) -> tuple[int, R, list[Raised]]:
    """Call; keep warnings, but for what single fits say of other seeds: the results show it."""
    token = is_one_of_many.set(True)
    try:
        return number, *with_warnings(call, (ArrangementWarning, InstabilityWarning))
    finally:
        is_one_of_many.reset(token)


def with_warnings(
    call: Callable[[], R], left_out: Sequence[type[Warning]] = ()
) -> tuple[R, list[Raised]]:
    """Call, and return what comes of it with the warnings that it would raise."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for category in left_out:
            warnings.simplefilter("ignore", category)
        result = call()
    return result, [Raised(str(one.message), one.category) for one in caught]
