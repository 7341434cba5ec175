"""Contexts as a fit has found them, and what cells say of them: what is shared, what is open."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from .._base.reports.contexts import AdaptedLabel
from .._base.types import Labels
from .._data.arrays import flat_rows, value_blocks
from .._data.samples import FitSamples
from .._data.validation import Modalities
from .._structure.scores import FamilyScores
from .alignment import LEAST_OVERLAP, overlaps_of


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedContexts:
    """Contexts, and what a fit has found of them.

    Parameters
    ----------
    labels : dict of str to ndarray of shape (n_labels,)
        By name of the context.
    roles : dict of str to str
        "measured" or "cause".
    mixes : dict of str to bool
        Whether cells may be more frequent under one label than under another.
    offsets : dict of str to (dict of str to ndarray of shape (n_labels, *shape))
        By modality and context, in the units of the data; those of a context have the mean zero
        over the training samples. Modalities that are not shifted are left out.
    cells : ndarray of shape (n_labels of the first, n_labels of the second, .., n_cells)
        Expected counts of the cells in the training samples of each combination of labels.
    rivals : list of (dict of str to label), default=[]
        Combinations of labels of which another offset does as well.
    adapted : list of AdaptedLabel, default=[]
        What was found of labels that were learned later.
    """

    labels: dict[str, np.ndarray]
    roles: dict[str, str]
    mixes: dict[str, bool]
    offsets: dict[str, dict[str, np.ndarray]]
    cells: np.ndarray
    rivals: list[dict[str, Any]] = field(default_factory=list)
    adapted: list[AdaptedLabel] = field(default_factory=list)

    @property
    def counts(self) -> np.ndarray:
        """Number of training samples of each combination of labels."""
        return self.cells.sum(axis=-1)

    def by_label(self, name: str, table: np.ndarray) -> np.ndarray:
        """Sum ``cells`` or ``counts`` over the labels of all other contexts."""
        axis = list(self.labels).index(name)
        return table.sum(axis=tuple(k for k in range(len(self.labels)) if k != axis))

    def with_cells(
        self,
        codes: np.ndarray,
        probabilities: np.ndarray,
        weights: np.ndarray | None = None,
        before: np.ndarray | float = 0.0,
    ) -> FittedContexts:
        """Return contexts with the cells, (n_samples, n_cells), of samples, and those of before."""
        table = probabilities.astype(np.float64)
        if weights is not None:
            table *= weights[:, None]
        cells = np.zeros((*map(len, self.labels.values()), table.shape[1]))
        np.add.at(cells, tuple(codes), table)
        return replace(self, cells=cells + before)

    def with_label(
        self,
        name: str,
        labels: np.ndarray,
        offsets: Mapping[str, np.ndarray],
    ) -> FittedContexts:
        """Return contexts with one label of one more, the last of ``labels``, without samples.

        ``offsets`` are its own by modality.
        """
        moved = {
            modality: by_context
            | {name: np.concatenate([by_context[name], offsets[modality][None]])}
            for modality, by_context in self.offsets.items()
        }
        one_more = [(0, context == name) for context in (*self.labels, None)]
        return replace(
            self,
            labels=self.labels | {name: labels},
            offsets=moved,
            cells=np.pad(self.cells, one_more),
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of labels of the contexts whose mix may differ."""
        return tuple(len(labels) for name, labels in self.labels.items() if self.mixes[name])

    @property
    def mix_cells(self) -> np.ndarray:
        """Expected counts of cells under labels of contexts whose mix may differ, as ``cells``."""
        unmixed = (k for k, name in enumerate(self.labels) if not self.mixes[name])
        return self.cells.sum(axis=tuple(unmixed))

    @property
    def stated(self) -> dict[str, tuple[str, bool]]:
        """Role and mix of each context, as they were stated."""
        return {name: (self.roles[name], self.mixes[name]) for name in self.labels}

    @property
    def is_cause(self) -> np.ndarray:
        """Which of the contexts are causes of the nodes, of shape (n_contexts,)."""
        return np.array([role == "cause" for role in self.roles.values()], dtype=bool)

    @property
    def causes(self) -> tuple[int, ...]:
        """Which of the contexts whose mix may differ are causes of the nodes."""
        roles = [role for name, role in self.roles.items() if self.mixes[name]]
        return tuple(k for k, role in enumerate(roles) if role == "cause")

    @property
    def cause_shares(self) -> dict[str, np.ndarray]:
        """Shares of the labels of contexts that are causes, by name."""
        names = [name for name, role in self.roles.items() if role == "cause"]
        return {name: self.by_label(name, self.counts) / self.counts.sum() for name in names}

    def mix_index(self, codes: np.ndarray) -> np.ndarray | None:
        """Return which cell weights samples have, by their labels; None where all share them."""
        rows = codes[[self.mixes[name] for name in self.labels]]
        return np.ravel_multi_index(tuple(rows), self.sizes) if len(rows) else None

    def coded(self, stated: Labels, codes: np.ndarray) -> np.ndarray:
        """Return numbers of labels, (n_contexts, n_samples), with those that are stated.

        Raises
        ------
        ValueError
            If a context or a label is unknown.
        TypeError
            If they are not stated by name.
        """
        if not isinstance(stated, Mapping | None):
            example = {name: values.tolist()[0] for name, values in self.labels.items()}
            raise TypeError(
                f"labels of contexts are {stated!r}: expected a mapping such as {example}."
            )
        codes, names = codes.copy(), list(self.labels)
        for name, label in (stated or {}).items():
            if name not in names:
                has = f"it has {names}" if names else "it has none; contexts= names entries of X"
                raise ValueError(f"{name!r} is no context of the fit: {has}.")
            labels = self.labels[name].tolist()
            if label not in labels:
                raise ValueError(
                    f"the context {name!r} has no label {label!r}: the fit has seen {labels}."
                )
            codes[names.index(name)] = labels.index(label)
        return codes

    def has_label(self, name: str, label: Hashable, codes: np.ndarray) -> np.ndarray:
        """Return which samples, of labels of these numbers, have a label of a context."""
        numbers = codes[list(self.labels).index(name)]
        return numbers == self.labels[name].tolist().index(label)

    def combinations(self, stated: Labels) -> tuple[np.ndarray, np.ndarray]:
        """Return all combinations of labels, (n_contexts, n_combinations), and their shares.

        Those that do not have the labels that are stated have none.
        """
        shape = tuple(map(len, self.labels.values()))
        given = self.coded(stated, np.full((len(shape), 1), -1))
        codes = np.indices(shape).reshape(len(shape), math.prod(shape))
        fits = ((given < 0) | (codes == given)).all(axis=0)
        shares = np.where(fits, self.counts.ravel() + np.finfo(float).tiny, 0.0)
        return codes, shares / shares.sum()

    def offset_rows(self, name: str, codes: np.ndarray) -> np.ndarray:
        """Return the offset of each sample in a modality; a label that is missing, -1, has none."""
        tables = [
            np.concatenate([table, np.zeros_like(table[:1])])
            for table in self.offsets[name].values()
        ]
        return np.sum([table[k] for table, k in zip(tables, codes, strict=True)], axis=0)

    def removed(self, modalities: Modalities) -> Modalities:
        """Return samples without their offsets; what is missing stays zero."""
        if not self.offsets:
            return modalities
        codes, arrays = modalities.codes, list(modalities.arrays)
        for k, (name, array) in enumerate(zip(modalities.names, arrays, strict=True)):
            if array is None or name not in self.offsets:
                continue
            flat = flat_rows(array)
            out = np.empty(flat.shape, np.result_type(array.dtype, np.float32))
            for rows, values in value_blocks(flat):
                out[rows] = values - self.offset_rows(name, codes[:, rows]).reshape(values.shape)
            out[~modalities.observed[k]] = 0.0
            elements = None if modalities.elements is None else modalities.elements[k]
            if elements is not None:
                out[~elements] = 0.0
            arrays[k] = out.reshape(len(out), *modalities.shapes[k])
        return replace(modalities, arrays=tuple(arrays))

    def moved(self, modalities: Modalities, codes: np.ndarray) -> list[np.ndarray]:
        """Return samples as under other labels, by their offsets; what is missing is NaN."""
        arrays = []
        for k, array in enumerate(self.removed(modalities).arrays):
            missing = modalities.missing_elements(k)
            kept = np.zeros(missing.shape, modalities.dtype) if array is None else np.asarray(array)
            shifted = self.added([kept], modalities.names[k : k + 1], codes)[0]
            arrays.append(np.where(missing, np.nan, shifted) if missing.any() else shifted)
        return arrays

    def removed_from(self, samples: FitSamples) -> FitSamples:
        """Return samples of a fit without their offsets, and which cell weights they have."""
        modalities = samples.modalities
        modalities.contexts.check_complete()
        index, n_mixes = self.mix_index(modalities.codes), math.prod(self.sizes)
        knowledge = replace(samples.knowledge, mix_index=index, n_mixes=n_mixes)
        return replace(samples, modalities=self.removed(modalities), knowledge=knowledge)

    def added(
        self, arrays: Sequence[np.ndarray], names: Sequence[str], codes: np.ndarray
    ) -> list[np.ndarray]:
        """Return modalities, of these names, with the offsets of samples of these labels."""
        shifted = []
        for array, name in zip(arrays, names, strict=True):
            if name in self.offsets:
                array = (array + self.offset_rows(name, codes)).astype(array.dtype)
            shifted.append(array)
        return shifted


#: Of a fit without contexts.
NO_CONTEXTS = FittedContexts(labels={}, roles={}, mixes={}, offsets={}, cells=np.zeros(1))


def cell_shares(contexts: FittedContexts, name: str) -> np.ndarray:
    """Return how frequent cells are under each label of a context, (n_labels, n_cells)."""
    counts = contexts.by_label(name, contexts.cells)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def overlaps(contexts: FittedContexts) -> dict[str, np.ndarray]:
    """Return, by context, what shares of each pair of labels have in common, from 0 to 1.

    It is the sum over cells of the smaller of two shares. As many samples as there are cells, with
    the mix of all labels, are added to each label: few samples show few cells.
    """
    by_context = {}
    for name in contexts.labels:
        counts = contexts.by_label(name, contexts.cells)
        counts = counts + counts.shape[1] * counts.sum(axis=0) / counts.sum()
        shares = counts / counts.sum(axis=1, keepdims=True)
        by_context[name] = overlaps_of(shares)
    return by_context


def links(
    contexts: FittedContexts, adjacency: np.ndarray, node_sizes: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return how probable it is that a node's table differs between labels, given its parents.

    By context, of shape (n_nodes,): that of two models by the difference of their Bayesian
    information criteria. None differs of a context whose mix does not.
    """
    by_context = {}
    for name, labels in contexts.labels.items():
        if not contexts.mixes[name]:
            by_context[name] = np.zeros(len(node_sizes))
            continue
        counts = contexts.by_label(name, contexts.cells).reshape(len(labels), *node_sizes)
        scores = FamilyScores(counts)
        parents = [sum(2 << int(p) for p in np.flatnonzero(column)) for column in adjacency.T]
        gains = [
            scores.family(node + 1, parents=mask | 1) - scores.family(node + 1, parents=mask)
            for node, mask in enumerate(parents)
        ]
        by_context[name] = expit(np.array(gains))
    return by_context


def doubts(contexts: FittedContexts) -> list[str]:
    """Return, as sentences, where an offset cannot be told from another mix of cells."""
    sentences = []
    for name, overlap in overlaps(contexts).items():
        if not contexts.mixes[name]:
            continue
        n_groups, groups = connected_components(overlap >= LEAST_OVERLAP, directed=False)
        if n_groups > 1:
            labels = contexts.labels[name]
            parts = [labels[groups == g].tolist() for g in range(n_groups)]
            largest = max(overlap[groups[:, None] != groups], default=0.0)
            sentences.append(
                f"labels {' and '.join(map(str, parts))} of the context {name!r} have hardly any "
                f"cells in common (overlap {largest:.2f}), so that offsets between them may be "
                "differences of the cells"
            )
    for setting in contexts.rivals:
        words = " and ".join(f"{name}={label!r}" for name, label in setting.items())
        sentences.append(
            f"another offset of {words} explains these samples as well, with other cells"
        )
    for other, name in itertools.combinations(contexts.labels, 2):
        axes = (
            axis for axis, context in enumerate(contexts.labels) if context not in (name, other)
        )
        pairs = contexts.counts.sum(axis=tuple(axes)) > 0
        joined = np.zeros((sum(pairs.shape),) * 2)
        joined[: len(pairs), len(pairs) :] = pairs
        if connected_components(joined, directed=False)[0] > 1:
            sentences.append(
                f"labels of the contexts {other!r} and {name!r} do not cross (some labels of the "
                "one occur with some of the other alone), so that of their offsets only sums are "
                "known"
            )
    return sentences
