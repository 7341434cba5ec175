"""Contexts of a fitted model: labels that are drawn, moved, or averaged over where unknown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from .._base.types import Labels, Outcomes
from .._contexts.fitted import NO_CONTEXTS, FittedContexts
from .._data.contexts import ContextLabels
from .._data.validation import Modalities
from .._model.tensors import BLOCK_ROWS, TensorData
from ..graph import CategoricalDAG
from ..modules import MultimodalVAE

#: Elements of samples that are scaled at a time.
ELEMENTS_AT_ONCE = 2**21


class Completed(NamedTuple):
    """Samples with each label that they may have, one after another.

    Parameters
    ----------
    samples : Modalities
        So many times as there are combinations of labels that agree with what is known.
    rows : ndarray of int of shape (n_completed,)
        Which sample each is of, in order.
    log_probabilities : ndarray of shape (n_completed,)
        Of labels, and of the sample, given the labels that are known: :math:`\\log p(e, x)`.
    """

    samples: Modalities
    rows: np.ndarray
    log_probabilities: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each sample begins."""
        return np.flatnonzero(np.diff(self.rows, prepend=-1))

    @property
    def log_sums(self) -> np.ndarray:
        """Return :math:`\\log p(x)` of each sample."""
        return np.logaddexp.reduceat(self.log_probabilities, self.starts)

    def averaged(self, tables: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return tables of what is found of ``samples`` in expectation over the labels of each."""
        weights = np.exp(self.log_probabilities - self.log_sums[self.rows])[:, None]
        return [
            np.add.reduceat(weights * table, self.starts).astype(table.dtype) for table in tables
        ]

    @property
    def likeliest(self) -> np.ndarray:
        """Numbers of the likeliest labels of each sample, (n_contexts, n_samples)."""
        order = np.lexsort((self.log_probabilities, self.rows))
        return self.samples.codes[:, order[np.append(self.starts[1:], len(order)) - 1]]


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
    def scores(self, block: Modalities) -> np.ndarray:
        """Return the bound of some samples in the user's units."""

    def blocks(self, modalities: Modalities) -> Iterator[Modalities]:
        """Return as many samples at a time as are scaled at once, with each label they may have."""
        n_rows = BLOCK_ROWS * max(1, ELEMENTS_AT_ONCE // (BLOCK_ROWS * sum(modalities.widths)))
        if (modalities.codes < 0).any():
            n_rows = max(1, n_rows // self.contexts.counts.size)
        return modalities.blocks(n_rows)

    def under(self, data: TensorData, codes: np.ndarray) -> TensorData:
        """Return scaled samples with the cell weights of labels of these numbers."""
        index = self.contexts.mix_index(codes)
        if index is None:
            return data
        numbers = torch.from_numpy(index)[None].to(data.device)
        return replace(data, samples=replace(data.samples, regime_index=numbers))

    def completed(self, block: Modalities) -> Completed:
        """Return samples with each label that they may have; labels go by the training shares."""
        codes, shares = self.contexts.combinations({})
        known = block.codes[:, :, None]
        rows, which = np.nonzero(((known < 0) | (known == codes[:, None])).all(axis=0))
        samples = block.take(rows).with_codes(codes[:, which])
        completed = Completed(samples, rows, np.log(shares)[which])
        given = completed.log_probabilities - completed.log_sums[rows]
        return completed._replace(log_probabilities=given + self.scores(samples))

    def labelled(self, modalities: Modalities) -> Modalities:
        """Return samples with the likeliest labels in the places of those that are missing."""
        if (modalities.codes >= 0).all():
            return modalities
        parts = [self.completed(block).likeliest for block in self.blocks(modalities)]
        return modalities.with_codes(np.concatenate(parts, axis=1))

    def with_offsets(self, arrays: list[np.ndarray], labels: ContextLabels) -> list[np.ndarray]:
        """Return all modalities, decoded, with the offsets of labels."""
        return self.contexts.added(arrays, self.model.names, labels.codes)

    def harmonized(
        self, modalities: Modalities, to: Labels
    ) -> tuple[list[np.ndarray], ContextLabels]:
        """Return samples as they would be under other labels, and these."""
        modalities = self.labelled(modalities)
        codes = self.contexts.coded(to, modalities.codes)
        return self.contexts.moved(modalities, codes), modalities.with_codes(codes).contexts

    def draw_labels(
        self,
        context: Labels,
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
        combinations, shares = self.contexts.combinations(context)
        chosen: np.ndarray = np.zeros(n_samples, dtype=np.int64)
        if self.contexts.labels:
            chosen = rng.choice(len(shares), size=n_samples, p=shares)
        codes = combinations[:, chosen]
        if causes is not None:
            codes[self.contexts.is_cause] = causes.T
        return ContextLabels(labels=self.contexts.labels, codes=codes)

    def weights_of(self, codes: np.ndarray) -> np.ndarray:
        """Return the weights of the components under labels, (n_samples, n_components)."""
        index = self.contexts.mix_index(codes)
        if index is None:
            return np.tile(self.weights_of_all(), (codes.shape[1], 1))
        logs = self.model.prior.regime_log_weights().detach()
        table = logs.double().exp().cpu().numpy()[:, self.cells]
        return table[index]

    def of_components(self, cells: torch.Tensor, samples: Modalities) -> np.ndarray:
        """Return probabilities of cells as those of components: shares where there is no value."""
        probabilities, empty = cells.cpu().numpy()[:, self.cells], samples.without_values
        if len(empty):  # a posterior of the mean field is no prior
            probabilities[empty] = self.weights_of(samples.codes[:, empty])
        return probabilities

    def weights_under(self, stated: Labels) -> np.ndarray:
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
        context: Labels,
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
        interventions: Outcomes,
        n_samples: int,
        context: Labels,
        rng: np.random.RandomState,
    ) -> tuple[np.ndarray, ContextLabels]:
        """Draw the outcomes of nodes after some were set, and labels of contexts.

        Those contexts that are causes stand behind the nodes in the graph.
        """
        n_nodes = len(self.model.prior.node_sizes)
        causes = dag.nodes[n_nodes:]
        stated: Outcomes = {n: str(label) for n, label in (context or {}).items() if n in causes}
        asked = {**interventions, **stated} if stated else interventions
        drawn = dag.intervene(asked, n_samples, rng)
        contexts = self.draw_labels(context, n_samples, rng, drawn[:, n_nodes:])
        return drawn[:, :n_nodes], contexts
