"""The samples of one fit, and what is known of each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from .._base.types import Unchecked
from .known_nodes import Interventions, OutcomeNames, add_known, check_interventions, read_outcomes
from .missing_values import complete_enough
from .outliers import outlying_rows
from .ranks import Ranks
from .sample_weight import TrainingRows, training_rows
from .table_labels import check_rows_beside
from .validation import Modalities


@dataclass(frozen=True, kw_only=True)
class NodeKnowledge:
    """What is known of the nodes in single samples.

    Parameters
    ----------
    known_nodes : ndarray of shape (n_samples, n_nodes), default=None
        Outcomes, -1 where unknown; None where nothing is known.
    interventions : Interventions, default=None
        Nodes that were intervened on; None where none was.
    outcome_names : sequence of (tuple of str or None), default=()
        Labels of the outcomes of each node.
    mix_index : ndarray of int of shape (n_samples,), default=None
        Which cell weights each sample has, by its contexts; None where all share them.
    n_mixes : int, default=1
        How many of these there are.
    """

    known_nodes: np.ndarray | None = None
    interventions: Interventions | None = None
    outcome_names: OutcomeNames = ()
    mix_index: np.ndarray | None = None
    n_mixes: int = 1

    @property
    def regimes(self) -> list[tuple[int, ...]]:
        """The different sets of nodes that were intervened on; none for each of the mixes."""
        if self.interventions is None:
            return [()] * self.n_mixes
        return self.interventions.regimes

    @property
    def regime_index(self) -> np.ndarray | None:
        """Number of each sample's regime, of shape (n_samples,); None where there is one."""
        return self.mix_index if self.interventions is None else self.interventions.numbers

    @property
    def unknown_settings(self) -> bool:
        """Whether nodes were set to outcomes that are not known."""
        return self.interventions is not None and self.interventions.outcomes is None

    def take(self, rows: np.ndarray) -> NodeKnowledge:
        """Return what is known of the samples with the given numbers, for the same regimes."""
        known, interventions = self.known_nodes, self.interventions
        return replace(
            self,
            known_nodes=None if known is None or not (known[rows] >= 0).any() else known[rows],
            interventions=None if interventions is None else interventions.take(rows),
            mix_index=None if self.mix_index is None else self.mix_index[rows],
        )

    def gathered(self, ranks: Ranks, n_samples: int) -> NodeKnowledge:
        """Return what is known of the samples of all ranks; no node was set in any of them.

        So many samples are here.
        """
        if not ranks.largest(self.known_nodes is not None):
            return self
        known = self.known_nodes
        if known is None:
            known = np.full((n_samples, len(self.outcome_names)), -1)
        return replace(self, known_nodes=ranks.gathered(known))


def read_knowledge(
    known_nodes: Unchecked,
    interventions: Unchecked,
    n_samples: int,
    nodes: Mapping[str, int],
    outcome_names: OutcomeNames | None = None,
) -> NodeKnowledge:
    """Check what is known of the nodes in single samples.

    Parameters
    ----------
    known_nodes, interventions
        As ``fit`` was given them.
    n_samples : int
        Number of training samples.
    nodes : mapping of str to int
        Number of outcomes of each node, by name.
    outcome_names : sequence of (tuple of str or None), default=None
        Labels that outcomes have already, one entry per node.

    Returns
    -------
    NodeKnowledge
        Outcomes that nodes were set to count as known. Labels in both mean the same outcomes.
    """
    known, before = read_outcomes(known_nodes, "known_nodes", n_samples, nodes, outcome_names)
    was_set, labels = check_interventions(interventions, n_samples, nodes, before)
    for node, name in enumerate(nodes):
        is_new = before[node] is None and labels[node] is not None
        if is_new and known is not None and (known[:, node] >= 0).any():
            raise ValueError(
                f"interventions has the labels {list(labels[node] or ())} for the node {name!r}, "
                "but known_nodes has numbers, and nothing says which is which: give labels in "
                "both, or numbers."
            )
    known = add_known(known, was_set, list(nodes))
    return NodeKnowledge(known_nodes=known, interventions=was_set, outcome_names=labels)


@dataclass(frozen=True, kw_only=True)
class FitSamples:
    """What one fit is given, as it is trained on.

    Parameters
    ----------
    modalities : Modalities
        The data.
    knowledge : NodeKnowledge
        What is known of the nodes in each sample.
    rows : TrainingRows, default=None
        Which rows of X these are, and what they count for; None for all of them, as they are.
    set_aside : ndarray of int of shape (n_set_aside,)
        Rows of X that nothing else is like, of which these are without.
    without_values : ndarray of int of shape (n_without_values,)
        Rows of X without any value, of which these are without, too.
    """

    modalities: Modalities
    knowledge: NodeKnowledge
    rows: TrainingRows | None = None
    set_aside: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    without_values: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def n_given(self) -> int:
        """Number of rows of X."""
        here = self.modalities.n_samples if self.rows is None else len(self.rows.positions)
        return int(self.ranks.sum(np.array(here)))

    @property
    def weights(self) -> np.ndarray | None:
        """For how many samples each row counts; None where all count for one."""
        return None if self.rows is None else self.rows.weights

    @property
    def ranks(self) -> Ranks:
        """Who has further samples; those of all ranks are meant where numbers of them are."""
        return self.modalities.ranks

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.ranks.sum(np.array(self.modalities.n_samples)))

    @property
    def total(self) -> float:
        """Number of samples that the rows count for."""
        here = self.modalities.n_samples if self.rows is None else self.rows.total
        return self.ranks.sum(np.array(here)).item()

    @property
    def core(self) -> np.ndarray | None:
        """Numbers of the rows that the model is learned from; None for all."""
        return complete_enough(self.modalities.observed, self.ranks.sum)

    @property
    def n_core_rows(self) -> int:
        """Number of these rows."""
        core = self.core
        return self.n_rows if core is None else int(self.ranks.sum(np.array(len(core))))

    @property
    def core_total(self) -> float:
        """Number of samples that these rows count for."""
        core, weights = self.core, self.weights
        if core is None:
            return self.total
        here = float(len(core) if weights is None else weights[core].sum())
        return self.ranks.sum(np.array(here)).item()

    def take(self, rows: TrainingRows) -> FitSamples:
        """Return some rows, as often as they are given; regimes without rows are left out."""
        modalities, knowledge = self.modalities.take(rows.rows), self.knowledge.take(rows.rows)
        for name, present in zip(modalities.names, modalities.observed, strict=True):
            if not present.any():
                raise ValueError(
                    f"modality {name!r} is missing in all samples of positive weight: leave "
                    "it out of fit."
                )
        modalities.check_elements("all samples of positive weight")
        if knowledge.interventions is not None:
            knowledge = replace(knowledge, interventions=knowledge.interventions.without_unused())
        return FitSamples(modalities=modalities, knowledge=knowledge, rows=rows)


def read_samples(
    modalities: Modalities,
    known_nodes: Unchecked,
    interventions: Unchecked,
    sample_weight: ArrayLike | None,
    nodes: Mapping[str, int],
    outcome_names: OutcomeNames | None = None,
    outliers: str = "keep",
) -> FitSamples:
    """Check what is known of single samples and return the rows that are trained on.

    Parameters
    ----------
    modalities : Modalities
        The data.
    known_nodes, interventions, sample_weight
        As ``fit`` was given them.
    nodes : mapping of str to int
        Number of outcomes of each node, by name.
    outcome_names : sequence of (tuple of str or None), default=None
        Labels that outcomes have already, one entry per node.
    outliers : {"set_aside", "keep"}, default="keep"
        Whether samples that nothing else is like are trained on.

    Returns
    -------
    FitSamples
        The data themselves where all rows are trained on as they are.
    """
    n_samples, rows = modalities.n_samples, modalities.form.rows
    check_rows_beside(known_nodes, "known_nodes", rows)
    check_rows_beside(interventions, "interventions", rows)
    knowledge = read_knowledge(known_nodes, interventions, n_samples, nodes, outcome_names)
    tables = [] if knowledge.known_nodes is None else [knowledge.known_nodes]
    if knowledge.interventions is not None:
        tables.append(knowledge.interventions.is_set)
    if modalities.contexts.labels:
        tables.append(modalities.codes.T)
    samples = FitSamples(modalities=modalities, knowledge=knowledge)
    trained = training_rows(modalities, sample_weight, tables)
    set_aside = samples.set_aside
    if outliers == "set_aside":
        among = trained or TrainingRows.all_of(n_samples)
        different, counts = among.counts()
        far_off = outlying_rows(modalities, different, counts, math.prod(nodes.values()))
        if knowledge.known_nodes is not None:  # what is known of a sample is to be learned
            far_off = far_off[(knowledge.known_nodes[far_off] < 0).all(axis=1)]
        if len(far_off):
            trained = among.without(far_off)
            set_aside = np.flatnonzero((trained.positions < 0) & (among.positions >= 0))
    if trained is None:
        return samples
    without = modalities.without_values
    return replace(samples.take(trained), set_aside=set_aside, without_values=without)
