"""The posterior of whole graphs of few nodes: all DAGs are listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaln, logsumexp, softmax

from .._structure.constraints import EdgeConstraints
from ._table_draws import joints

#: There are 543 DAGs of four nodes, 29 281 of five.
MOST_NODES = 4


@cache
def all_dags(n_nodes: int) -> np.ndarray:
    """Return the adjacency matrices of all DAGs, (n_graphs, n_nodes, n_nodes).

    Examples
    --------
    >>> from skcausalpima.inspection._all_graphs import all_dags
    >>> [len(all_dags(n_nodes)) for n_nodes in (2, 3, 4)]
    [3, 25, 543]
    """
    places = np.flatnonzero(~np.eye(n_nodes, dtype=bool))
    rows = np.zeros((1 << len(places), n_nodes**2), dtype=int)
    rows[:, places] = np.arange(len(rows))[:, None] >> np.arange(len(places)) & 1
    edges = rows.reshape(-1, n_nodes, n_nodes)
    # without cycles no walk is as long as there are nodes
    has_cycle = np.linalg.matrix_power(edges, n_nodes).any(axis=(1, 2))
    return edges[~has_cycle] > 0


@dataclass(frozen=True, kw_only=True)
class DrawnModel:
    """A graph and its tables, from their posterior.

    Parameters
    ----------
    parents : list of list of int
        Of each node, in rising order.
    tables : list of ndarray
        One axis per parent, and the node's own.
    """

    parents: list[list[int]]
    tables: list[np.ndarray]

    def without(self, node: int | None) -> np.ndarray:
        """Return the product of the tables over the grid, without that of a node."""
        single, sizes = [table[None] for table in self.tables], [t.shape[-1] for t in self.tables]
        return joints(single, self.parents, tuple(sizes), () if node is None else (node,))[0]


@dataclass(frozen=True, kw_only=True)
class AllGraphs:
    """All DAGs that knowledge allows, and what counts say of them.

    The posterior is that of ``edge_probabilities``: BDeu, in which the family of a node is scored
    on the samples in which it was not set (Cooper and Yoo 1999), averaged over equivalent sample
    sizes that are equally likely beforehand.

    Parameters
    ----------
    free : sequence of ndarray of shape (C_1, ..., C_L)
        Per node the counts of the samples in which it was not set.
    graphs : ndarray of bool of shape (n_graphs, n_nodes, n_nodes)
        Their adjacency matrices.
    sizes : ndarray of shape (n_sizes,)
        Equivalent sample sizes.
    edge_cost : float
        Nats that an edge costs.
    """

    free: Sequence[np.ndarray]
    graphs: np.ndarray
    sizes: np.ndarray
    edge_cost: float

    @classmethod
    def that_meet(
        cls,
        constraints: EdgeConstraints,
        free: Sequence[np.ndarray],
        sizes: np.ndarray,
        edge_cost: float,
    ) -> AllGraphs:
        """List the graphs that have all required edges and no forbidden ones."""
        graphs = all_dags(len(free))
        wrong = np.where(graphs, constraints.forbidden, constraints.required)
        graphs = graphs[~wrong.any(axis=(1, 2))]
        return cls(free=free, graphs=graphs, sizes=sizes, edge_cost=edge_cost)

    def log_weights(self, new: np.ndarray, was_set: int | None = None) -> np.ndarray:
        """Return the log weights of graphs after further samples, (n_data, n_sizes, n_graphs).

        ``new`` are their counts, (n_data, C_1, ..., C_L), and ``was_set`` the node that was set in
        all of them.
        """
        n_nodes, terms, families = len(self.free), {}, []
        masks, parents = np.arange(1 << n_nodes), (1 << np.arange(n_nodes)) @ self.graphs
        for node, table in enumerate(self.free):
            alike = next(k for k, other in enumerate(self.free) if np.array_equal(other, table))
            key = alike, node == was_set
            if key not in terms:
                terms[key] = self._terms(table + (0 * new if node == was_set else new))
            families.append(terms[key][..., masks | 1 << node] - terms[key])
        chosen = parents[:, :, None] == masks  # a product of matrices is faster than to gather
        scores = np.concatenate(families, axis=-1) @ chosen.reshape(len(parents), -1).T.astype(
            float
        )
        return scores - self.edge_cost * self.graphs.sum(axis=(1, 2))

    def _terms(self, counts: np.ndarray) -> np.ndarray:
        """Return h of each set of nodes, as in ``FamilyScores``, (n_data, n_sizes, n_sets)."""
        n_nodes = counts.ndim - 1
        terms = np.empty((len(counts), len(self.sizes), 1 << n_nodes))
        for nodes in range(terms.shape[2]):
            others = tuple(1 + axis for axis in range(n_nodes) if not nodes >> axis & 1)
            marginal = counts.sum(axis=others).reshape(len(counts), -1)
            for k, prior in enumerate(self.sizes / marginal.shape[1]):
                terms[:, k, nodes] = (gammaln(marginal + prior) - gammaln(prior)).sum(axis=1)
        return terms

    def now(self) -> np.ndarray:
        """Return the log weights of sizes and graphs, (n_sizes, n_graphs)."""
        return self.log_weights(np.zeros((1, *self.free[0].shape)))[0]

    def draws(self, n_draws: int, rng: np.random.RandomState) -> list[DrawnModel]:
        """Draw graphs, one in each equal part of their distribution, and their tables."""
        shares = softmax(self.now()).ravel().cumsum()
        levels = (np.arange(n_draws) + rng.uniform(size=n_draws)) / n_draws
        drawn = np.searchsorted(shares, levels * shares[-1])
        pairs = np.divmod(drawn.clip(max=len(shares) - 1), len(self.graphs))
        return [self._drawn(size, graph, rng) for size, graph in zip(*pairs, strict=True)]

    def _drawn(self, size: int, graph: int, rng: np.random.RandomState) -> DrawnModel:
        """Draw the tables of a graph."""
        parents = [np.flatnonzero(column).tolist() for column in self.graphs[graph].T]
        tables = []
        for node, axes in enumerate(parents):
            table = self.free[node]
            family = [*axes, node]
            others = tuple(n for n in range(table.ndim) if n not in family)
            counts = np.moveaxis(table.sum(axis=others), sorted(family).index(node), -1)
            counts = counts + self.sizes[size] / counts.size
            # a gamma variable in logs: small shapes would be rounded to zero
            logs = np.log(rng.standard_gamma(counts + 1.0))
            tables.append(softmax(logs - rng.standard_exponential(counts.shape) / counts, axis=-1))
        return DrawnModel(parents=parents, tables=tables)


def log_probabilities(log_weights: np.ndarray) -> np.ndarray:
    """Return log-probabilities of graphs, whatever the size is, (.., n_graphs)."""
    of_graphs = logsumexp(log_weights, axis=-2)
    return of_graphs - logsumexp(of_graphs, axis=-1, keepdims=True)


def probabilities(log_weights: np.ndarray) -> np.ndarray:
    """Return the same without logs, which is faster."""
    return softmax(log_weights, axis=(-2, -1)).sum(axis=-2)
