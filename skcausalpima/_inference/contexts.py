"""Contexts of a fitted model: labels that are drawn, moved, or averaged over where unknown."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from .._contexts.fitted import NO_CONTEXTS, FittedContexts
from .._data.contexts import ContextLabels
from .._data.validation import Modalities
from ..graph import CategoricalDAG
from ..modules import MultimodalVAE

#: From samples whose labels are all known to arrays of shape (n_samples, ...).
OfSamples = Callable[[Modalities], tuple[np.ndarray, ...]]


class Unlabelled(NamedTuple):
    """Some samples that lack labels of the same contexts.

    Parameters
    ----------
    rows : ndarray of int of shape (n_rows,)
        Which samples.
    filled : list of Modalities
        The samples with each combination of labels that they may have.
    log_probabilities : ndarray of shape (n_combinations, n_rows)
        Of these, and of the samples, given the labels that are known: :math:`\\log p(e, x)`.
    """

    rows: np.ndarray
    filled: list[Modalities]
    log_probabilities: np.ndarray


def averaged(
    modalities: Modalities, groups: list[Unlabelled], of_samples: OfSamples
) -> tuple[np.ndarray, ...]:
    """Return what is found of samples, for those of the groups in expectation over their labels."""
    others, parts = np.flatnonzero((modalities.codes >= 0).all(axis=0)), []
    if len(others):
        parts.append(of_samples(modalities.take(others)))
    for group in groups:
        weights = np.exp(group.log_probabilities - logsumexp(group.log_probabilities, axis=0))
        found = zip(*map(of_samples, group.filled), strict=True)
        mean = (
            np.einsum("en,en...->n...", weights, np.array(of)).astype(of[0].dtype) for of in found
        )
        parts.append(tuple(mean))
    back = np.concatenate([others, *(group.rows for group in groups)]).argsort()
    return tuple(np.concatenate(part)[back] for part in zip(*parts, strict=True))


@dataclass(frozen=True, kw_only=True)
class ContextModel(ABC):
    """A trained model and its contexts.

    Parameters
    ----------
    model : MultimodalVAE
        With the numbers of the fit.
    cells : ndarray of shape (n_components,)
        The cell of the grid, in C order, of each component.
    contexts : FittedContexts, default=NO_CONTEXTS
        Whose offsets samples have.
    """

    model: MultimodalVAE
    cells: np.ndarray
    contexts: FittedContexts = NO_CONTEXTS

    @abstractmethod
    def score_samples(self, modalities: Modalities) -> np.ndarray:
        """Return the bound of every sample in the user's units."""

    def _unlabelled(self, modalities: Modalities) -> list[Unlabelled]:
        """Return samples that lack labels, by which they lack; labels go by the training shares."""
        lacks, groups = modalities.codes < 0, []
        if not lacks.any():
            return []
        shares = (self.contexts.counts + np.finfo(float).tiny) / self.contexts.counts.sum()
        for pattern in np.unique(lacks[:, lacks.any(axis=0)], axis=1).T:
            rows = np.flatnonzero((lacks == pattern[:, None]).all(axis=0))
            part, lacking = modalities.take(rows), np.flatnonzero(pattern)
            given = np.log(shares / shares.sum(axis=tuple(lacking), keepdims=True))
            filled, logs = [], []
            for labels in itertools.product(*(range(shares.shape[k]) for k in lacking)):
                codes = part.codes.copy()
                codes[lacking] = np.array(labels)[:, None]
                filled.append(part.with_codes(codes))
                bounds = self.score_samples(filled[-1]).astype(np.float64)
                logs.append(given[tuple(codes)] + bounds)
            groups.append(Unlabelled(rows, filled, np.array(logs)))
        return groups

    def labelled(self, modalities: Modalities) -> Modalities:
        """Return samples with the likeliest labels in the places of those that are missing."""
        groups = self._unlabelled(modalities)
        if not groups:
            return modalities
        codes = modalities.codes.copy()
        for group in groups:
            best = group.log_probabilities.argmax(axis=0)
            tried = np.stack([one.codes for one in group.filled])
            codes[:, group.rows] = tried[best, :, np.arange(len(best))].T
        return modalities.with_codes(codes)

    def with_offsets(self, arrays: list[np.ndarray], labels: ContextLabels) -> list[np.ndarray]:
        """Return all modalities, decoded, with the offsets of labels."""
        return self.contexts.added(arrays, [*map(str, self.model.names)], labels.codes)

    def harmonized(
        self, modalities: Modalities, to: Mapping[str, Any]
    ) -> tuple[list[np.ndarray], ContextLabels]:
        """Return samples as they would be under other labels, and these."""
        modalities = self.labelled(modalities)
        codes = self.contexts.coded(to, modalities.codes)
        return self.contexts.moved(modalities, codes), modalities.with_codes(codes).contexts

    def draw_labels(
        self,
        context: Mapping[str, Any] | None,
        n_samples: int,
        rng: np.random.RandomState,
        causes: np.ndarray | None = None,
    ) -> ContextLabels:
        """Draw labels of contexts by their shares, given those that are stated.

        ``causes``, of shape (n_samples, n_causes), are labels that were drawn already.

        Raises
        ------
        ValueError
            If a context is stated, or a label, that the fit does not know.
        """
        found, shares = self.contexts.combinations(context)
        chosen: np.ndarray = np.zeros(n_samples, dtype=np.int64)
        if self.contexts.labels:
            chosen = rng.choice(len(shares), size=n_samples, p=shares)
        codes = found[:, chosen]
        if causes is not None:
            codes[self.contexts.is_cause] = causes.T
        return ContextLabels(labels=self.contexts.labels, codes=codes)

    def weights_of(self, codes: np.ndarray) -> np.ndarray:
        """Return the weights of the components under labels, (n_samples, n_components)."""
        index = self.contexts.mix_index(codes)
        logs = self.model.prior.regime_log_weights().detach()
        table = logs.double().exp().cpu().numpy()[:, self.cells]
        return table[np.zeros(codes.shape[1], dtype=np.int64) if index is None else index]

    def weights_under(self, stated: Mapping[str, Any]) -> np.ndarray:
        """Return the weights of the components under labels, over all labels of other contexts."""
        codes, shares = self.contexts.combinations(stated)
        return shares @ self.weights_of(codes)

    def weights_of_all(self) -> np.ndarray:
        """Return the weights of the components in all samples."""
        logs = self.model.prior.log_weights().detach()
        return logs.double().exp().cpu().numpy()[self.cells]

    def draw_components(
        self,
        weights: np.ndarray,
        n_samples: int,
        context: Mapping[str, Any] | None,
        rng: np.random.RandomState,
    ) -> tuple[np.ndarray, ContextLabels]:
        """Draw components, by the weights of all samples or those under labels, and the labels."""
        contexts = self.draw_labels(context, n_samples, rng)
        if not contexts.labels:
            return np.sort(rng.choice(len(weights), size=n_samples, p=weights)), contexts
        steps = self.weights_of(contexts.codes).cumsum(axis=1)
        return (steps < rng.random_sample((n_samples, 1)) * steps[:, -1:]).sum(axis=1), contexts

    def intervene(
        self,
        dag: CategoricalDAG,
        interventions: Mapping[Any, Any],
        n_samples: int,
        context: Mapping[str, Any] | None,
        rng: np.random.RandomState,
    ) -> tuple[np.ndarray, ContextLabels]:
        """Draw the outcomes of nodes after some were set, and labels of contexts.

        Those contexts that are causes stand behind the nodes in the graph.
        """
        n_nodes = len(self.model.prior.node_sizes)
        stated = {n: str(of) for n, of in (context or {}).items() if n in dag.nodes[n_nodes:]}
        asked = {**interventions, **stated} if stated else interventions
        drawn = dag.intervene(asked, n_samples, rng)
        contexts = self.draw_labels(context, n_samples, rng, drawn[:, n_nodes:])
        return drawn[:, :n_nodes], contexts
