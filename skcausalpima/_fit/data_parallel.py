"""What must be so before the ranks of a process group fit one model, and what they keep of it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np

from .._data.ranks import Ranks
from .._data.validation import Modalities
from .._model.spec import ModelSpec
from .._state.fitted import FittedState
from .._typing import Unchecked
from .._version import __version__

#: What concerns one rank alone.
OF_THE_RANK = ("device", "distributed", "n_jobs", "verbose")

#: What each rank keeps of its own rows, and what may hold functions, which all have anyway.
KEPT_BY_EACH = ("labels", "spec")


def check_ranks(ranks: Ranks, params: SimpleNamespace, interventions: Unchecked) -> None:
    """Raise where something is asked for that ranks cannot do together.

    Raises
    ------
    ValueError
        Says what, and what to do.
    """
    refused = {
        "warm_start=True": bool(params.warm_start),
        "interventions": interventions is not None,
        f"n_jobs={params.n_jobs}": params.n_init > 1 and params.n_jobs not in (None, 1),
    }
    for what, is_asked in refused.items():
        if is_asked:
            check_alone(ranks, what)


def check_experts(ranks: Ranks, spec: ModelSpec) -> None:
    """Raise where a model function is asked for the samples of one rank, and may fail there."""
    if any(expert is not None and expert.per == "sample" for expert in spec.experts):
        check_alone(ranks, "an expert per sample")


def check_alone(ranks: Ranks, what: str) -> None:
    """Raise where ranks are to do together what one can do alone."""
    if ranks.are_several:
        raise ValueError(
            f"{what} cannot be used by a process group of {ranks.n_ranks} ranks: leave it out, or "
            "fit in a process that is in no group."
        )


def told_of_fit(params: SimpleNamespace, given: Modalities) -> dict[str, str]:
    """Return in words what must be the same on all ranks, by what it is about."""
    told = {
        "the version of skcausalpima": __version__,
        "the names of the modalities": repr(given.names),
        "the shapes of the modalities": repr(given.shapes),
        "the dtype": str(given.dtype),
    }
    of_all = {name: value for name, value in vars(params).items() if name not in OF_THE_RANK}
    return told | {name: _in_words(value) for name, value in of_all.items()}


def _in_words(value: Any) -> str:
    """Describe a parameter by what it is, not by where it lies in memory."""
    if isinstance(value, np.random.RandomState):
        return "a RandomState"
    if isinstance(value, nx.DiGraph):
        return (
            f"a graph with the nodes {list(value)} and the edges {sorted(map(repr, value.edges))}"
        )
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def as_on_all_ranks(ranks: Ranks, state: FittedState) -> FittedState:
    """Return the state of the first rank, but for what each keeps of its own."""
    if not ranks.are_several:
        return state
    shared = {f.name: getattr(state, f.name) for f in fields(state) if f.name not in KEPT_BY_EACH}
    return replace(state, **ranks.first(shared))
