"""Which nodes were intervened on in which samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from .._scalar_checks import is_integer
from .._typing import Unchecked
from .._warnings import warn_caller
from .arrays import as_array, without_gradients
from .table_labels import check_node_columns


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """Which nodes were intervened on in which samples.

    Parameters
    ----------
    regimes : list of tuple of int
        The different sets of nodes.
    numbers : ndarray of shape (n_samples,)
        Each sample's regime.
    outcomes : ndarray of shape (n_samples, n_nodes) or None
        What nodes were set to, -1 where they were not; None where that is unknown.
    """

    regimes: list[tuple[int, ...]]
    numbers: np.ndarray
    outcomes: np.ndarray | None

    def take(self, rows: np.ndarray) -> Interventions:
        """Return those of the samples with the given numbers, for the same regimes."""
        outcomes = None if self.outcomes is None else self.outcomes[rows]
        return replace(self, numbers=self.numbers[rows], outcomes=outcomes)

    def without_unused(self) -> Interventions | None:
        """Leave out regimes that have no samples; None where no node was set in any."""
        used, numbers = np.unique(self.numbers, return_inverse=True)
        regimes = [self.regimes[number] for number in used]
        return None if regimes == [()] else replace(self, regimes=regimes, numbers=numbers)

    @property
    def is_set(self) -> np.ndarray:
        """Which nodes were set in each sample, of shape (n_samples, last set node + 1)."""
        width = 1 + max(max(nodes, default=0) for nodes in self.regimes)
        sets = [np.isin(np.arange(width), nodes) for nodes in self.regimes]
        return np.array(sets)[self.numbers]


def check_interventions(
    interventions: ArrayLike | None, n_samples: int, node_sizes: Sequence[int], names: Sequence[str]
) -> Interventions | None:
    """Return the regimes that an array of interventions stands for; None where there are none.

    Parameters
    ----------
    interventions : array-like or None
        Of shape (n_samples,): the node that was set, by name or number, None or -1 for none. Of
        shape (n_samples, n_nodes): what nodes were set to, -1 where they were not.
    n_samples : int
        Number of training samples.
    node_sizes : sequence of int
        Number of outcomes of each node.
    names : sequence of str
        Names of the nodes.

    Returns
    -------
    Interventions or None
        Regimes.
    """
    if interventions is None:
        return None
    check_node_columns(interventions, names, "interventions")
    given = as_array(interventions, "interventions")
    if given.dtype.kind in "mM":
        raise TypeError(f"interventions must hold names or numbers of nodes, got {given.dtype}.")
    if given.ndim == 1:  # among names NumPy would turn -1 into a name, too
        interventions = without_gradients(interventions, "interventions")
        given = np.asarray(interventions, dtype=object)
    n_nodes, outcomes = len(node_sizes), None
    if given.shape == (n_samples,):
        targets = np.array([_target(entry, names) for entry in given.tolist()])
        is_set = targets[:, None] == np.arange(n_nodes)
    elif given.shape == (n_samples, n_nodes):
        outcomes = _outcomes(given, node_sizes, names)
        is_set = outcomes >= 0
    else:
        raise ValueError(
            f"interventions must have shape ({n_samples},), the node that was set in each sample, "
            f"or ({n_samples}, {n_nodes}), what each node was set to, got shape {given.shape}."
        )
    if not is_set.any():
        return None
    rows, numbers = np.unique(is_set, axis=0, return_inverse=True)
    regimes = [tuple(np.flatnonzero(row).tolist()) for row in rows]
    return Interventions(regimes=regimes, numbers=numbers.reshape(-1), outcomes=outcomes)


def _target(entry: Unchecked, names: Sequence[str]) -> int:
    """Return the number of a node that was set, -1 for none."""
    if entry is None:
        return -1
    if isinstance(entry, str) and entry in names:
        return list(names).index(entry)
    if is_integer(entry) and -1 <= entry < len(names):  # a mask is a mistake
        return int(entry)
    raise ValueError(
        f"interventions names the unknown node {entry!r}; the nodes are {list(names)}, numbered "
        "from 0, and None or -1 stands for none."
    )


def _outcomes(given: np.ndarray, node_sizes: Sequence[int], names: Sequence[str]) -> np.ndarray:
    """Return what nodes were set to as integers."""
    if given.dtype.kind not in "iu":
        raise ValueError(
            "interventions must hold integers, the outcome that each node was set to and -1 where "
            f"it was not set, got dtype {given.dtype}."
        )
    for name, size, column in zip(names, node_sizes, given.T, strict=True):
        wrong = (column < -1) | (column >= size)
        if wrong.any():
            raise ValueError(
                f"interventions sets the node {name!r} to {column[wrong][0]}, but its outcomes are "
                f"0 to {size - 1}."
            )
    return given.astype(np.int64)


def add_known(
    known: np.ndarray | None, interventions: Interventions | None, names: Sequence[str]
) -> np.ndarray | None:
    """Add what nodes were set to to the known outcomes; they must not contradict each other."""
    if interventions is None:
        return known
    if interventions.outcomes is None:
        _warn_of_unnamed(known, interventions, names)
        return known
    if known is None:
        return interventions.outcomes
    outcomes = interventions.outcomes
    clash = np.argwhere((known >= 0) & (outcomes >= 0) & (known != outcomes))
    if len(clash):
        sample, node = clash[0]
        raise ValueError(
            f"known_nodes says that {names[node]!r} is {known[sample, node]} in sample {sample}, "
            f"but interventions sets it to {outcomes[sample, node]}."
        )
    return np.maximum(known, outcomes)


def _warn_of_unnamed(
    known: np.ndarray | None, interventions: Interventions, names: Sequence[str]
) -> None:
    """Warn where nothing says which node it is that was set."""
    is_named = np.zeros(len(names), dtype=bool)
    if known is not None:
        is_named = np.any(known >= 0, axis=0)
    unnamed = sorted(
        {names[n] for nodes in interventions.regimes for n in nodes if not is_named[n]}
    )
    if unnamed and len(names) > 1:
        warn_caller(
            f"interventions set {unnamed}, but nothing says which of the nodes found these are: "
            "it is left to chance. Say it by a few known_nodes, or give the outcomes that nodes "
            "were set to, one column per node.",
        )
