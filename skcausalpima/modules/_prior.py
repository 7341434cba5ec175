"""The causal prior: a Gaussian mixture whose weights are the joint of a DAG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..functional import (
    DiagonalGaussian,
    PreparedComponents,
    edge_indicator,
    expected_log_density,
    log_joint,
    prepare_components,
    table_logits_to_probabilities,
    topological_order,
)


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

    Attributes
    ----------
    temperature : float
        :math:`\beta` of Eq. 7.

    Examples
    --------
    >>> from skcausalpima.modules import CausalPrior
    >>> prior = CausalPrior((2, 3), latent_dim=2)
    >>> prior.log_weights().exp()
    tensor([0.1667, 0.1667, 0.1667, 0.1667, 0.1667, 0.1667], grad_fn=<ExpBackward0>)
    """

    def __init__(self, node_sizes: Sequence[int], latent_dim: int, full: bool = True) -> None:
        super().__init__()
        self.node_sizes = tuple(node_sizes)
        self.temperature = 1.0
        self._prepared: PreparedComponents | None = None
        n_nodes, n_components = len(self.node_sizes), math.prod(self.node_sizes)
        # softplus(0.5413) = 1
        self.metric_logits = nn.Parameter(torch.full((n_nodes, n_nodes), 0.5413))
        self.scores = nn.Parameter(torch.zeros(n_nodes))
        self.table_logits = nn.Parameter(torch.zeros(n_nodes, *self.node_sizes))
        covariance = torch.eye(latent_dim) if full else torch.ones(latent_dim)
        self.register_buffer("means", torch.zeros(n_components, latent_dim))
        self.register_buffer("covariances", torch.stack([covariance] * n_components))

    @property
    def metric(self) -> Tensor:
        """Edge metric B of shape (n_nodes, n_nodes): symmetric, nonnegative, zero diagonal."""
        metric = nn.functional.softplus(0.5 * (self.metric_logits + self.metric_logits.T))
        return metric - torch.diag(metric.diagonal())

    def edges(self, noise: Tensor | None = None) -> Tensor:
        """Return the edge indicator E (Eq. 7).

        Parameters
        ----------
        noise : Tensor of shape (n_nodes,), default=None
            Added to the node scores (Section 3.3).

        Returns
        -------
        Tensor of shape (n_nodes, n_nodes)
            Edge weights in [0, 1).
        """
        scores = self.scores if noise is None else self.scores + noise
        return edge_indicator(scores, self.metric, self.temperature)

    def log_weights(self, noise: Tensor | None = None) -> Tensor:
        """Return the logarithms of the cells' probabilities A (Algorithm 1), flattened.

        Parameters
        ----------
        noise : Tensor of shape (n_nodes,), default=None
            Added to the node scores.

        Returns
        -------
        Tensor of shape (n_components,)
            Log-probabilities in C order of the grid.
        """
        tables = table_logits_to_probabilities(self.table_logits)
        return log_joint(tables, self.edges(noise)).flatten()

    @torch.no_grad()
    def start_tables(self, counts: Tensor, pseudo_count: float = 1.0) -> None:
        """Start every table W from expected counts of the cells.

        A symmetric start would be a saddle point: uniform tables and no gradient on the edges.

        Parameters
        ----------
        counts : Tensor of shape (n_components,)
            Expected counts.
        pseudo_count : float, default=1.0
            Spread evenly over the cells, so that empty cells have a finite logarithm.
        """
        grid = counts.reshape(self.node_sizes) + pseudo_count / counts.numel()
        for node, logits in enumerate(self.table_logits):
            logits.copy_(torch.log(grid) - torch.logsumexp(torch.log(grid), node, keepdim=True))

    @torch.no_grad()
    def fix_graph(self, adjacency: Tensor, tables: Sequence[Tensor]) -> None:
        """Put a hard DAG with given tables in the place of the relaxed one.

        Scores become ranks of a topological order and B zero or so large that E is 0 or 1;
        training no longer changes them.

        Parameters
        ----------
        adjacency : Tensor of shape (n_nodes, n_nodes)
            True where k -> l; acyclic.
        tables : sequence of Tensor
            Per node a table that broadcasts to the grid and sums to 1 along its node's axis.
        """
        n_nodes = len(self.scores)
        paths = torch.eye(n_nodes).to(self.scores) + adjacency.to(self.scores)
        n_ancestors = (torch.linalg.matrix_power(paths, n_nodes) > 0).sum(dim=0)
        order = topological_order(n_ancestors)
        self.scores[order] = torch.arange(n_nodes).to(self.scores)
        edge = adjacency | adjacency.T
        # softplus(1000) = 1000 and tanh(1000) = 1; softplus(-1000) = 0
        self.metric_logits.copy_(torch.where(edge, 1000.0, -1000.0))
        self.temperature = 1.0
        for logits, table in zip(self.table_logits, tables, strict=True):
            logits.copy_(table.log())
        for parameter in self.parameters():
            parameter.requires_grad_(False)

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
        if self._prepared is not None:
            return self._prepared.expected_log_density(posterior)
        return expected_log_density(posterior, self.means, self.covariances)

    @contextmanager
    def frozen_mixture(self) -> Iterator[None]:
        """Factorise the covariances once for all calls in a ``with`` block.

        The mixture must not change inside.

        Yields
        ------
        None
            Nothing.
        """
        self._prepared = prepare_components(self.means, self.covariances)
        try:
            yield
        finally:
            self._prepared = None
