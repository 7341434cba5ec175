"""Outcomes of nodes, or given groups within kinds, compared column by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from scipy import stats
from sklearn.base import BaseEstimator

from .._structure.digraphs import node_graph
from ._asked_columns import LEAST_EFFECTIVE, LEAST_KNOWN, AskedColumns
from ._column_effects import Estimates, against_others
from ._fitted_estimator import outcome_names

#: Share of false ones among discoveries, and outside of intervals.
LEVEL = 0.05

#: Columns that texts name at most.
N_SHOWN = 8

#: Effect, ends of the interval and p-value, (4, n_outcomes, n_columns).
Table: TypeAlias = np.ndarray


def compare_outcomes(
    asked: AskedColumns, est: BaseEstimator, untested: dict[str, str]
) -> tuple[dict[str, Table], dict[str, str]]:
    """Compare the outcomes of each node."""
    n_samples, sizes = len(asked.values), est.joint_.shape
    enough = asked.masses >= LEAST_EFFECTIVE
    lines, untested = {}, dict(untested)
    for node, name in enumerate(node_graph(est.dag_)):
        table = lines[name] = _empty(sizes[node], asked)
        first = np.moveaxis(est.joint_, node, 0), np.moveaxis(enough, node, 0)
        contrasts = against_others(*(part.reshape(sizes[node], -1) for part in first))
        if name not in untested and np.isnan(contrasts).all():
            untested[name] = _too_few(f"outcomes of {name}")
        if name in untested:
            continue
        known, alone = asked.known(node), []
        for fold, share in zip(asked.folds, known, strict=True):
            if share < LEAST_KNOWN:
                alone += [asked.names[j][1] for j in fold.columns]
                continue
            moved = np.moveaxis(fold.shares, node + 1, 1).reshape(n_samples, -1)
            _fill(table, asked.estimates(fold, moved, contrasts.reshape(sizes[node], -1)))
        if len(alone) == len(asked.names) or (alone and np.isnan(table).all()):
            untested[name] = f"Without {_listed(alone)} nothing shows {name}: not tested."
    return lines, untested


def kinds_of(
    est: BaseEstimator, names: Sequence[str], untested: dict[str, str]
) -> tuple[tuple[str, ...], list[int]]:
    """Return the names of combinations of outcomes of tested nodes, and the axes of the others."""
    sizes, words = est.joint_.shape, outcome_names(est)
    tested = [node for node, name in enumerate(names) if name not in untested]
    combinations = np.ndindex(*(sizes[node] for node in tested))
    kinds = [
        ", ".join(
            f"{names[node]}={words[node][k]}" for node, k in zip(tested, outcomes, strict=True)
        )
        for outcomes in combinations
    ]
    others = [node + 1 for node in range(len(names)) if node not in tested]
    return tuple(kind or "all samples" for kind in kinds), others


def compare_groups(
    asked: AskedColumns, kinds: Sequence[str], others: list[int], codes: np.ndarray, n_groups: int
) -> tuple[dict[str, Table], dict[str, str]]:
    """Compare given groups within each kind."""
    in_group = np.eye(n_groups)[np.maximum(codes, 0)] * (codes >= 0)[:, None]
    rows = codes >= 0

    def by_groups(shares: np.ndarray) -> np.ndarray:
        of_kinds = shares.sum(axis=tuple(others)).reshape(len(shares), -1)
        return of_kinds[:, :, None] * in_group[:, None, :]

    masses = np.tensordot(asked.units.weights(), by_groups(asked.shares), axes=1)
    lines = {kind: _empty(n_groups, asked) for kind in kinds}
    contrasts, lacking = np.zeros((len(kinds), n_groups, len(kinds), n_groups)), {}
    for k, kind in enumerate(kinds):
        of_kind = against_others(masses[k][:, None], masses[k][:, None] >= LEAST_EFFECTIVE)[..., 0]
        contrasts[k, :, k] = of_kind
        if np.isnan(of_kind).all():
            lacking[kind] = _too_few(f"groups of {kind}")
    there = replace(
        asked, values=asked.values[rows], folds=[], units=asked.units.take(np.flatnonzero(rows))
    )
    for fold in asked.folds:
        weights = by_groups(fold.shares)[rows].reshape(rows.sum(), -1)
        for k, kind in enumerate(kinds):
            of_kind = contrasts[k].reshape(n_groups, -1)
            _fill(lines[kind], there.estimates(fold, weights, of_kind))
    return lines, lacking


def _too_few(what: str) -> str:
    return f"Fewer than two {what} have {LEAST_EFFECTIVE} samples: not tested."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:N_SHOWN]) + (", ..." if len(names) > N_SHOWN else "")


def _empty(n_outcomes: int, asked: AskedColumns) -> Table:
    return np.full((4, n_outcomes, len(asked.names)), np.nan)


def _fill(table: Table, estimates: Iterable[tuple[np.ndarray, Estimates]]) -> None:
    """Write estimates into the columns of a table: effect, interval, p-value."""
    for columns, estimated in estimates:
        half = estimated.error * stats.t.ppf(1.0 - LEVEL / 2.0, estimated.n_free)
        parts = (
            estimated.effect,
            estimated.effect - half,
            estimated.effect + half,
            estimated.p_value,
        )
        table[:, :, columns] = np.stack(parts)
