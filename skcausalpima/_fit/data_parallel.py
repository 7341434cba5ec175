"""Preconditions and results of distributed fits."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, replace
from typing import Any, ParamSpec, TypeVar

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from .._base.types import Unchecked
from .._base.version import __version__
from .._data.ranks import Ranks
from .._data.validation import Modalities
from .._model.objects import parameters_of
from .._model.stated import Parameters
from .._state.fitted import FittedState
from ..modules import ExpertDecoder

P = ParamSpec("P")
R = TypeVar("R")

#: What concerns one rank alone.
OF_THE_RANK = ("device", "n_jobs", "verbose")

#: What each rank keeps of its own rows, and what may hold functions, which all have anyway.
KEPT_BY_EACH = ("labels", "spec")


def begun_by_all(fit: Callable[P, R], asks: Callable[[bool | str], Ranks]) -> Callable[P, R]:
    """Return a fit that ends on all ranks if its parameters are wrong on one of them.

    ``asks`` returns the ranks that there are, see :func:`process_group`.
    """
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def begun(*args: P.args, **kwargs: P.kwargs) -> R:
        estimator: Any = args[0]
        is_further = fit.__name__ == "partial_fit"
        if is_further and not estimator.__sklearn_is_fitted__():
            return fit(*args, **kwargs)  # which begins a fit
        ranks = asks(getattr(estimator.device, "distributed", "auto"))
        if ranks.are_several:
            with ranks.joined(), ranks.together():
                signature.bind(*args, **kwargs)
                estimator._validate_params()
                params = parameters_of(estimator)
                if params.warm_start:
                    check_alone(ranks, "warm_start=True")
                if params.n_init > 1 and params.n_jobs not in (None, 1):
                    check_alone(ranks, f"n_jobs={params.n_jobs}")
                if is_further:
                    check_alone(ranks, "partial_fit")
        return fit(*args, **kwargs)

    return begun


def check_alone(ranks: Ranks, what: str) -> None:
    """Raise where ranks are to do together what one can do alone."""
    if ranks.are_several:
        raise ValueError(
            f"{what} cannot be used by a process group of {ranks.n_ranks} ranks: leave it out, or "
            "fit in a process that is in no group."
        )


def told_of_fit(params: Parameters, given: Modalities) -> dict[str, str]:
    """Return in words what must be the same on all ranks, by what it is about."""
    tables = [table.as_dict() for table in given.form.tables]
    words = {
        "the version of skcausalpima": __version__,
        "the names of the modalities": repr(given.names),
        "the shapes of the modalities": repr(given.shapes),
        "the names of the columns": repr(given.form.columns),
        "the form of X": f"{given.form.container} of {_in_words(tables)}",
        "the dtype": str(given.dtype),
    }
    of_all = {name: value for name, value in vars(params).items() if name not in OF_THE_RANK}
    of_all |= {f"device__{part}": getattr(params.device, part) for part in ("compile", "autocast")}
    return words | {name: _in_words(value) for name, value in of_all.items()}


def _in_words(value: Unchecked) -> str:
    """Describe a parameter by what it is, not by where it lies in memory, nor in its order."""
    if isinstance(value, np.random.RandomState):
        return "a RandomState"
    if isinstance(value, nx.DiGraph):
        return (
            f"a graph with the nodes {list(value)} and the edges {sorted(map(repr, value.edges))}"
        )
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, BaseEstimator):
        return f"{type(value).__name__} with {_in_words(value.get_params(deep=False))}"
    if isinstance(value, ExpertDecoder):
        value = vars(value)
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(map(_in_words, value)))}}}"
    if isinstance(value, Mapping):
        pairs = sorted((_in_words(name), _in_words(entry)) for name, entry in value.items())
        return f"{{{', '.join(': '.join(pair) for pair in pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_words, value))}]"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def as_on_all_ranks(ranks: Ranks, state: FittedState) -> FittedState:
    """Return the state of the first rank, but for what each keeps of its own."""
    if not ranks.are_several:
        return state
    shared = {f.name: getattr(state, f.name) for f in fields(state) if f.name not in KEPT_BY_EACH}
    return replace(state, **ranks.first(shared))
