"""Which nodes were intervened on in which samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._scalar_checks import is_integer, is_missing
from .._typing import Unchecked
from .._warnings import warn_caller
from .adapters import as_array
from .arrays import without_gradients
from .known_nodes import OutcomeNames, is_by_name, read_outcomes


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
    interventions: Unchecked,
    n_samples: int,
    nodes: Mapping[str, int],
    named: OutcomeNames | None = None,
) -> tuple[Interventions | None, list[tuple[str, ...] | None]]:
    """Return the regimes that interventions stand for, and the labels that outcomes have.

    Parameters
    ----------
    interventions : array-like, DataFrame, mapping or None
        Of shape (n_samples,): the node that was set, by name or number, None, NaN or -1 for none.
        Else what nodes were set to, in the forms of ``known_nodes``.
    n_samples : int
        Number of training samples.
    nodes : mapping of str to int
        Number of outcomes of each node, by name.
    named : sequence of (tuple of str or None), default=None
        Labels that outcomes have already, one entry per node.

    Returns
    -------
    interventions : Interventions or None
        None where there are none.
    labels : list of (tuple of str or None)
        Names of the outcomes of each node.
    """
    outcomes, labels = None, list(named or [None] * len(nodes))
    if interventions is None:
        return None, labels
    shape = None if is_by_name(interventions) else _shape(interventions)
    if shape == (n_samples,):
        is_set = _targets(interventions, list(nodes))[:, None] == np.arange(len(nodes))
    else:
        if shape not in (None, (n_samples, len(nodes))):
            raise ValueError(
                f"interventions must have shape ({n_samples},), the node that was set in each "
                f"sample, or ({n_samples}, {len(nodes)}), what each node was set to, got shape "
                f"{shape}."
            )
        outcomes, labels = read_outcomes(interventions, "interventions", n_samples, nodes, labels)
        is_set = np.zeros((n_samples, 1), dtype=bool) if outcomes is None else outcomes >= 0
    if not is_set.any():
        return None, labels
    rows, numbers = np.unique(is_set, axis=0, return_inverse=True)
    regimes = [tuple(np.flatnonzero(row).tolist()) for row in rows]
    found = Interventions(regimes=regimes, numbers=numbers.reshape(-1), outcomes=outcomes)
    return found, labels


def _shape(interventions: Unchecked) -> tuple[int, ...]:
    """Return the shape of interventions without names of columns."""
    given = as_array(interventions, "interventions")
    if given.dtype.kind in "mM":
        raise TypeError(f"interventions must hold names or numbers of nodes, got {given.dtype}.")
    return given.shape


def _targets(interventions: Unchecked, names: Sequence[str]) -> np.ndarray:
    """Return the number of the node that was set in each sample, -1 for none."""
    plain = without_gradients(interventions, "interventions")
    entries = np.asarray(plain, dtype=object)  # among names NumPy would turn -1 into a name, too
    return np.array([_target(entry, names) for entry in entries.tolist()])


def _target(entry: Unchecked, names: Sequence[str]) -> int:
    """Return the number of a node that was set, -1 for none."""
    if is_missing(entry):
        return -1
    if isinstance(entry, float) and entry.is_integer():  # beside NaN all numbers are floats
        entry = int(entry)
    if isinstance(entry, str) and entry in names:
        return list(names).index(entry)
    if is_integer(entry) and -1 <= entry < len(names):  # a mask is a mistake
        return int(entry)
    raise ValueError(
        f"interventions names the unknown node {entry!r}; the nodes are {list(names)}, numbered "
        "from 0, and None, NaN or -1 stands for none. What nodes were set to is one column per "
        "node."
    )


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
