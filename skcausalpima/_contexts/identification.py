"""What cells say of contexts: how far labels share them, which nodes hang on them, what is open."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from .._structure.scores import FamilyScores
from .alignment import LEAST_OVERLAP
from .fitted import FittedContexts


def cell_shares(contexts: FittedContexts, name: str) -> np.ndarray:
    """Return how frequent cells are under each label of a context, (n_labels, n_cells)."""
    counts = contexts.by_label(name, contexts.cells)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def overlaps(contexts: FittedContexts) -> dict[str, np.ndarray]:
    """Return, by context, what shares of each pair of labels have in common, from 0 to 1.

    It is the sum over cells of the smaller of two shares. As many samples as there are cells, with
    the mix of all labels, are added to each label: few samples show few cells.
    """
    found = {}
    for name in contexts.labels:
        counts = contexts.by_label(name, contexts.cells)
        counts = counts + counts.shape[1] * counts.sum(axis=0) / counts.sum()
        shares = counts / counts.sum(axis=1, keepdims=True)
        found[name] = np.minimum(shares[:, None], shares).sum(axis=2)
    return found


def links(
    contexts: FittedContexts, adjacency: np.ndarray, node_sizes: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return how probable it is that a node's table differs between labels, given its parents.

    By context, of shape (n_nodes,): that of two models by the difference of their Bayesian
    information criteria. None differs of a context whose mix does not.
    """
    found = {}
    for name, of in contexts.labels.items():
        if not contexts.mixes[name]:
            found[name] = np.zeros(len(node_sizes))
            continue
        counts = contexts.by_label(name, contexts.cells).reshape(len(of), *node_sizes)
        scores = FamilyScores(counts)
        parents = [sum(2 << int(p) for p in np.flatnonzero(column)) for column in adjacency.T]
        gains = [
            scores.family(node + 1, parents=mask | 1) - scores.family(node + 1, parents=mask)
            for node, mask in enumerate(parents)
        ]
        found[name] = expit(np.array(gains))
    return found


def doubts(contexts: FittedContexts) -> list[str]:
    """Return, as sentences, where an offset cannot be told from another mix of cells."""
    found = []
    for name, overlap in overlaps(contexts).items():
        if not contexts.mixes[name]:
            continue
        n_groups, groups = connected_components(overlap >= LEAST_OVERLAP, directed=False)
        if n_groups > 1:
            labels = contexts.labels[name]
            parts = [labels[groups == g].tolist() for g in range(n_groups)]
            largest = max(overlap[groups[:, None] != groups], default=0.0)
            found.append(
                f"labels {' and '.join(map(str, parts))} of the context {name!r} have hardly any "
                f"cells in common (overlap {largest:.2f}), so that offsets between them may be "
                "differences of the cells"
            )
    for setting in contexts.rivals:
        words = " and ".join(f"{name}={label!r}" for name, label in setting.items())
        found.append(f"another offset of {words} explains these samples as well, with other cells")
    for other, name in itertools.combinations(contexts.labels, 2):
        axes = (axis for axis, of in enumerate(contexts.labels) if of not in (name, other))
        pairs = contexts.counts.sum(axis=tuple(axes)) > 0
        joined = np.zeros((sum(pairs.shape),) * 2)
        joined[: len(pairs), len(pairs) :] = pairs
        if connected_components(joined, directed=False)[0] > 1:
            found.append(
                f"labels of the contexts {other!r} and {name!r} do not cross (some labels of the "
                "one occur with some of the other alone), so that of their offsets only sums are "
                "known"
            )
    return found
