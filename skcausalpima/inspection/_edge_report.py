"""What is said of how sure edges and nodes are, by refits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import networkx as nx
import numpy as np

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for


@dataclass(frozen=True, kw_only=True, repr=False)
class EdgeConfidence(ShownTable):
    """How often refits find edges and nodes again.

    All matrices are in the order of ``node_names``; ``[i, j]`` means i -> j.

    Parameters
    ----------
    dag : networkx.DiGraph
        A copy of the estimator's ``dag_`` whose edges have the attribute ``confidence``. For a
        compelled arrow it is the share of the refits in which that arrow is compelled. The
        direction of a reversible edge means nothing: for it, the share in which the two nodes are
        adjacent.
    edge : ndarray of shape (n_nodes, n_nodes)
        Share of the refits whose graph has the arrow. Reversible edges point as ``dag_`` would have
        them point: from the earlier node to the later one, as far as the others let them.
    adjacency : ndarray of shape (n_nodes, n_nodes)
        Share of the refits in which an arrow joins the two nodes, either way.
    compelled : ndarray of shape (n_nodes, n_nodes)
        Share of the refits in which the arrow is compelled: it points that way in all DAGs of
        the equivalence class, or the edge attribute ``compelled`` says that knowledge settles it.
    node_stability : ndarray of shape (n_nodes,)
        Adjusted Rand index of the node's partition of the samples with that by its counterpart, in
        the mean over the refits. It is 1 for the same partition, 0 for what chance would give. A
        node that has one outcome in all samples has 0.
    worst_node_stability : ndarray of shape (n_nodes,)
        That of the refit in which it is smallest.
    node_names : tuple of str
        The nodes, in the order of ``list(dag_)``.
    edges : ndarray of shape (n_refits, n_nodes, n_nodes), dtype bool
        The matched graph of each refit that did not fail.
    compelled_edges : ndarray of shape (n_refits, n_nodes, n_nodes), dtype bool
        Its compelled arrows.
    rand_indices : ndarray of shape (n_refits, n_nodes)
        Adjusted Rand index of each node.
    node_orders : ndarray of shape (n_refits, n_nodes)
        Number, in the refit, of the node that stands for each node.
    failures : dict of int to str
        What went wrong in the refits that failed, by their number (from 0) among all.
    refit : {"all", "mixture"}
        What was learned anew.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> from skcausalpima.inspection import edge_confidence
    >>> found = edge_confidence(model, X, n_bootstraps=2, random_state=0)
    >>> found.edges.shape, found.failures
    ((2, 1, 1), {})
    """

    dag: nx.DiGraph
    edge: np.ndarray
    adjacency: np.ndarray
    compelled: np.ndarray
    node_stability: np.ndarray
    worst_node_stability: np.ndarray
    node_names: tuple[str, ...]
    edges: np.ndarray
    compelled_edges: np.ndarray
    rand_indices: np.ndarray
    node_orders: np.ndarray
    failures: dict[int, str]
    refit: str = "all"

    def to_frame(self) -> Frame:
        """Return one row per arrow from one node to another.

        Returns
        -------
        pandas.DataFrame
            Columns are ``parent``, ``child``, ``in_dag``, whether ``dag`` has the arrow, and the
            shares ``edge``, ``adjacency`` and ``compelled``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import edge_confidence
        >>> noise = np.random.default_rng(0).normal(size=(60, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 0], [8, 8]], (15, 1)) + noise
        >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
        >>> found = edge_confidence(model, X, n_bootstraps=2, random_state=0)
        >>> found.to_frame()[["parent", "child", "adjacency"]]
          parent child  adjacency
        0     N1    N2        0.0
        1     N2    N1        0.0
        """
        names = self.node_names
        rows = [
            (names[i], names[j], self.dag.has_edge(names[i], names[j]), *shares)
            for i, j in itertools.permutations(range(len(names)), 2)
            for shares in [(self.edge[i, j], self.adjacency[i, j], self.compelled[i, j])]
        ]
        columns = ["parent", "child", "in_dag", "edge", "adjacency", "compelled"]
        return pandas_for("to_frame").DataFrame(rows, columns=columns)

    def _as_table(self) -> TableText:
        """Write the pairs that are joined anywhere, and how far nodes were found again."""
        names, rows = self.node_names, []
        for pair in itertools.combinations(range(len(names)), 2):
            i, j = pair if self.edge[pair] >= self.edge[pair[::-1]] else pair[::-1]
            i, j = (j, i) if self.dag.has_edge(names[j], names[i]) else (i, j)
            is_in = self.dag.has_edge(names[i], names[j])
            if is_in or self.adjacency[i, j] > 0:
                shares = (self.adjacency[i, j], self.edge[i, j], self.compelled[i, j])
                words = (f"{share:.2f}" for share in shares)
                rows.append([names[i], names[j], "yes" if is_in else "no", *words])
        nodes = zip(names, self.node_stability, self.worst_node_stability, strict=True)
        again = ", ".join(f"{name} {mean:.2f} ({worst:.2f})" for name, mean, worst in nodes)
        notes = [f"Nodes found again, adjusted Rand index, mean and worst refit: {again}."]
        if not rows:
            notes.append("No refit has an edge.")
        if self.failures:
            notes.append(f"Refits that failed, see failures: {len(self.failures)}.")
        head = "parent", "child", "in dag_", "joined", "this way", "compelled"
        return TableText(f"Edges in {len(self.edges)} refits", head, rows, notes)
