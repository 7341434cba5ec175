"""The causal prior: a Gaussian mixture whose weights are the joint of a DAG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from .._structure.settings import PRIOR_COUNT
from ..functional import (
    DiagonalGaussian,
    PreparedComponents,
    constrain_edges,
    edge_indicator,
    log_joint,
    precede,
    prepare_components,
    set_nodes,
    table_logits_to_probabilities,
    tables_from_counts,
    topological_positions,
)
from ._regimes import Mixes, node_counts


@dataclass(frozen=True)
class EdgeKnowledge:
    """What is known about the edges before training.

    Parameters
    ----------
    required, forbidden : Tensor of shape (n_nodes, n_nodes)
        True for edges that must or must not be there.
    precedence : Tensor of shape (n_nodes, n_nodes)
        True where a node must come before another; acyclic, and true where required.
    """

    required: Tensor
    forbidden: Tensor
    precedence: Tensor


class CausalPrior(nn.Module):
    r"""Prior p(z, N): categorical nodes on a learned DAG, one Gaussian per cell of their grid.

    It owns the node scores :math:`\xi`, the edge metric B and the tables W (trained by
    gradient; Eq. 6-14), and the mixture (buffers, updated in closed form; Eq. 17).

    Parameters
    ----------
    node_sizes : sequence of int
        Numbers of outcomes of the nodes.
    latent_dim : int
        Dimension of the latent space.
    full : bool, default=True
        Whether components have whole covariance matrices (3-D) or variances only (2-D).
    mix_sizes : sequence of int, default=()
        Numbers of labels of the contexts under which cells may be more or less frequent. Then
        each combination of labels is a regime, in C order.
    causes : sequence of int, default=()
        Which of these contexts are causes of the nodes, parents of some once a graph is selected.

    Attributes
    ----------
    temperature : float
        :math:`\beta` of Eq. 7.
    knowledge : EdgeKnowledge or None
        Respected by `edges` and `node_scores` until a graph is fixed.
    regimes : list of tuple of int
        Sets of nodes that were intervened on in some of the samples, see
        `set_interventions`.
    outcomes_unknown : bool
        Whether it is to be learned what nodes were set to.
    frozen : PreparedComponents or None
        The components, factorised, while they do not change.

    Examples
    --------
    >>> from skcausalpima.modules import CausalPrior
    >>> prior = CausalPrior((2, 3), latent_dim=2)
    >>> prior.log_weights().exp()
    tensor([0.1667, 0.1667, 0.1667, 0.1667, 0.1667, 0.1667], grad_fn=<ExpBackward0>)
    """

    means: Tensor
    covariances: Tensor
    set_logs: Tensor
    mix_logs: Tensor

    def __init__(
        self,
        node_sizes: Sequence[int],
        latent_dim: int,
        full: bool = True,
        mix_sizes: Sequence[int] = (),
        causes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.node_sizes, self.mix_sizes = tuple(node_sizes), tuple(mix_sizes)
        self.mixes = Mixes(self.mix_sizes, self.node_sizes, tuple(causes))
        self.cause_adjacency: Tensor | None = None  # of causes and nodes, once it is selected
        self.temperature = 1.0
        self.knowledge: EdgeKnowledge | None = None
        self.regimes: list[tuple[int, ...]] = [()] * math.prod(self.mix_sizes)
        self.outcomes_unknown = False
        self.frozen: PreparedComponents | None = None
        n_nodes, n_components = len(self.node_sizes), math.prod(self.node_sizes)
        zeros = partial(torch.zeros, dtype=torch.float32)
        # softplus(0.5413) = 1
        metric_logits = torch.full((n_nodes, n_nodes), 0.5413, dtype=torch.float32)
        self.metric_logits = nn.Parameter(metric_logits)
        self.scores = nn.Parameter(zeros(n_nodes))
        self.table_logits = nn.Parameter(zeros(n_nodes, *self.node_sizes))
        covariance = (torch.eye if full else torch.ones)(latent_dim, dtype=torch.float32)
        self.register_buffer("means", zeros(n_components, latent_dim))
        self.register_buffer("covariances", torch.stack([covariance] * n_components))
        # How often each node, where it was set, was set to each of its outcomes; node by node.
        self.register_buffer("set_logs", zeros(sum(self.node_sizes)))
        # Log-weights under each combination of labels.
        if self.mix_sizes:
            self.register_buffer("mix_logs", zeros(len(self.regimes), n_components))

    def edges(self) -> Tensor:
        """Return the edge indicator E (Eq. 7).

        Returns
        -------
        Tensor of shape (n_nodes, n_nodes)
            Edge weights in [0, 1).
        """
        if len(self.node_sizes) == 1:  # a graph of one node has none
            return self.scores.new_zeros(1, 1)
        # its diagonal does not matter: no score differs from itself
        metric = nn.functional.softplus(0.5 * (self.metric_logits + self.metric_logits.T))
        edges = edge_indicator(self.node_scores(), metric, self.temperature)
        if self.knowledge is None:
            return edges
        return constrain_edges(edges, self.knowledge.required, self.knowledge.forbidden)

    def node_scores(self) -> Tensor:
        r"""Return the node scores :math:`\xi`, in an order that respects the knowledge.

        Returns
        -------
        Tensor of shape (n_nodes,)
            Scores.
        """
        if self.knowledge is None:
            return self.scores
        return precede(self.scores, self.knowledge.precedence)

    def log_weights(self) -> Tensor:
        """Return the logarithms of the cells' probabilities A (Algorithm 1), flattened.

        Returns
        -------
        Tensor of shape (n_components,)
            Log-probabilities in C order of the grid.
        """
        tables = table_logits_to_probabilities(self.table_logits)
        return log_joint(tables, self.edges()).flatten()

    def regime_log_weights(self) -> Tensor:
        """Return A for every set of nodes that was intervened on, or combination of labels.

        Returns
        -------
        Tensor of shape (n_regimes, n_components)
            Log-weights; where outcomes are known the node's own factor is left out.
        """
        if self.mix_sizes:
            weights = self.log_weights()  # the tables have a gradient, as those of all samples
            return torch.log_softmax(self.mix_logs + weights - weights.detach(), dim=1)
        tables, edges = table_logits_to_probabilities(self.table_logits), self.edges()
        set_logs = self.set_logs.split(self.node_sizes)
        rows = []
        for nodes in self.regimes:
            logs = [set_logs[node] for node in nodes]
            rows.append(log_joint(*set_nodes(tables, edges, nodes, logs)).flatten())
        return torch.stack(rows)

    @torch.no_grad()
    def set_interventions(
        self, regimes: Sequence[tuple[int, ...]], counts: Tensor | None = None
    ) -> None:
        """Say which nodes were intervened on, and how often to what.

        Parameters
        ----------
        regimes : sequence of tuple of int
            Per regime the nodes that were set in it.
        counts : Tensor of shape (n_regimes, n_components), default=None
            Expected counts of the cells where it is unknown what nodes were set to; None where it
            is known, which rules other cells out and needs no distribution.
        """
        self.regimes = [tuple(nodes) for nodes in regimes]
        self.outcomes_unknown = counts is not None
        if counts is None:
            self.set_logs.zero_()
            return
        sizes, device = self.node_sizes, self.means.device
        for node, logs in enumerate(self.set_logs.split(sizes)):
            chosen = torch.tensor([node in nodes for nodes in self.regimes], device=device)
            grid = counts[chosen].sum(dim=0).reshape(sizes)
            others = [axis for axis in range(len(sizes)) if axis != node]
            totals = grid.sum(dim=others) if others else grid
            totals = totals + 1.0 / sizes[node]  # one sample in all
            logs.copy_((totals / totals.sum()).log())

    @torch.no_grad()
    def set_mixes(self, counts: Tensor) -> None:
        """Set how frequent cells are under each combination of labels of the contexts.

        Parameters
        ----------
        counts : Tensor of shape (n_regimes, n_components)
            Expected counts of the cells.
        """
        parents = self.cause_adjacency
        tables = None if parents is None else self.mixes.cause_tables(counts, parents)
        self.mix_logs.copy_(self.mixes.log_weights(counts, tables))

    @torch.no_grad()
    def initialize_tables(self, counts: Tensor) -> None:
        """Initialize every table W from expected counts of the cells.

        A symmetric start would be a saddle point: uniform tables and no gradient on the edges.

        One sample is spread evenly over the cells, so that empty cells have a finite logarithm.

        Parameters
        ----------
        counts : Tensor of shape (n_components,) or (n_nodes, n_components)
            Expected counts; where nodes were intervened on, for each node those of the samples
            in which it was not.
        """
        counts = counts.expand(len(self.node_sizes), len(self.means))
        for node, logits in enumerate(self.table_logits):
            grid = torch.log(counts[node].reshape(self.node_sizes) + 1.0 / counts.shape[1])
            logits.copy_(grid - torch.logsumexp(grid, node, keepdim=True))

    @torch.no_grad()
    def fix_graph(self, adjacency: Tensor, tables: Sequence[Tensor]) -> None:
        """Put a hard DAG with given tables in the place of the relaxed one.

        Scores become positions in a topological order and B zero or so large that E is 0 or 1;
        training no longer changes them.

        Parameters
        ----------
        adjacency : Tensor of shape (n_nodes, n_nodes)
            True where k -> l; acyclic.
        tables : sequence of Tensor
            Per node a table that broadcasts to the grid and sums to 1 along its node's axis.
        """
        self.knowledge = None
        self.scores.copy_(topological_positions(adjacency))
        edge = adjacency | adjacency.T
        # softplus(1000) = 1000 and tanh(1000) = 1; softplus(-1000) = 0
        self.metric_logits.copy_(torch.where(edge, 1000.0, -1000.0))
        self.temperature = 1.0
        self.set_tables(tables)
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def set_tables(self, tables: Sequence[Tensor]) -> None:
        """Put given tables in the place of W.

        Parameters
        ----------
        tables : sequence of Tensor
            Per node a table that broadcasts to the grid and sums to 1 along its node's axis.
        """
        for logits, table in zip(self.table_logits, tables, strict=True):
            logits.copy_(table.log())

    def node_counts(self, counts: Tensor) -> list[Tensor]:
        """Return for every node the counts of the samples in which it was not intervened on.

        Parameters
        ----------
        counts : Tensor of shape (n_regimes, n_components)
            Expected counts.

        Returns
        -------
        list of Tensor of shape (C_1, ..., C_L)
            Over the grid.
        """
        return node_counts(counts, self.node_sizes, self.regimes)

    def family_tables(self, counts: Tensor, adjacency: Tensor) -> list[Tensor]:
        """Return the tables of a DAG in closed form, smoothed by the prior count.

        Parameters
        ----------
        counts : Tensor of shape (n_regimes, n_components)
            Expected counts; a node's table is learned where it was not set.
        adjacency : Tensor of shape (n_nodes, n_nodes)
            True where k -> l.

        Returns
        -------
        list of Tensor
            Per node a table that broadcasts to the grid.
        """
        pseudo_count = PRIOR_COUNT / counts.shape[1]
        return [
            tables_from_counts(grid.double() + pseudo_count, adjacency)[node]
            for node, grid in enumerate(self.node_counts(counts))
        ]

    def expected_log_density(self, posterior: DiagonalGaussian) -> Tensor:
        """Return every component's expected log-density (Eq. 34, 35).

        Parameters
        ----------
        posterior : DiagonalGaussian
            Mean and log-variance of shape (n_samples, latent_dim).

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            In nats.
        """
        return self.prepared.expected_log_density(posterior)

    @property
    def prepared(self) -> PreparedComponents:
        """The components as densities need them."""
        return self.frozen or prepare_components(self.means, self.covariances)
