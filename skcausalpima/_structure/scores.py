"""Scores of families (a node and its parents) on expected counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlogy

from .constraints import EdgeConstraints


class FamilyScores:
    r"""Decomposable, score-equivalent scores of a discrete Bayesian network.

    Both scores are a difference of two terms that depend on a *set* of nodes only,
    :math:`s(\ell | P) = h(P \cup \ell) - h(P)`, hence equivalent graphs score the same and a
    grid of L nodes needs :math:`2^L` terms. With the marginal counts :math:`N_k` over the
    :math:`|S|` cells of the set S and :math:`N` samples in all,

    - BIC (Schwarz 1978): :math:`h(S) = \sum_k N_k \log (N_k / N) - \frac12 |S| \log N`, which
      is the maximised log-likelihood less :math:`\frac12 \log N` per free table entry;
    - BDeu (Heckerman, Geiger and Chickering 1995): :math:`h(S) = \sum_k [\log \Gamma(N_k +
      \alpha / |S|) - \log \Gamma(\alpha / |S|)]`, the log of the marginal likelihood under a
      Dirichlet prior worth :math:`\alpha` samples, spread evenly over the grid.

    Counts may be fractional (sums of responsibilities). Where nodes were intervened on in some
    samples, the family of such a node is scored on the others (Cooper and Yoo 1999, Causal
    discovery from a mixture of experimental and observational data, UAI), and equivalent graphs
    need no longer score the same.

    Parameters
    ----------
    counts : array-like of shape (C_1, ..., C_L)
        Expected counts of the cells.
    score : {"bic", "bdeu"}, default="bic"
        Which score, in nats.
    equivalent_sample_size : float, default=1.0
        :math:`\alpha`, for BDeu only.
    edge_cost : float, default=0.0
        Taken off the score for every edge, in nats.
    node_counts : sequence of array-like of shape (C_1, ..., C_L), optional
        Per node the counts of the samples in which it was not set; None for `counts` everywhere.

    Examples
    --------
    >>> from skcausalpima._structure.scores import FamilyScores
    >>> scores = FamilyScores([[40.0, 10.0], [10.0, 40.0]])
    >>> bool(scores.family(1, parents=0b01) > scores.family(1, parents=0))
    True
    """

    def __init__(
        self,
        counts: ArrayLike,
        score: str = "bic",
        equivalent_sample_size: float = 1.0,
        edge_cost: float = 0.0,
        node_counts: Sequence[ArrayLike] | None = None,
    ) -> None:
        self.counts = np.asarray(counts, dtype=np.float64)
        self.n_nodes, self.edge_cost = self.counts.ndim, edge_cost
        tables = [self.counts] * self.n_nodes if node_counts is None else node_counts
        self._terms: list[_SetTerms] = []
        for table in (
            np.asarray(node_table, dtype=np.float64) for node_table in tables
        ):  # alike: shared
            same = (terms for terms in self._terms if np.array_equal(terms.counts, table))
            node_terms = next(same, None) or _SetTerms(table, score, equivalent_sample_size)
            self._terms.append(node_terms)

    @property
    def told_apart(self) -> NDArray[np.bool_]:
        """Pairs of nodes of which some intervention set one only: their edge is not reversible."""
        return np.array([[one is not other for other in self._terms] for one in self._terms])

    def family(self, node: int, parents: int) -> float:
        """Return the score of one family.

        Parameters
        ----------
        node : int
            The child.
        parents : int
            The set of parents as a bit mask: bit k is set where node k is a parent.

        Returns
        -------
        float
            In nats.
        """
        terms = self._terms[node]
        return terms[parents | 1 << node] - terms[parents] - self.edge_cost * parents.bit_count()

    def graph(self, adjacency: NDArray[np.bool_]) -> float:
        """Return the score of a DAG, the sum over its families.

        Parameters
        ----------
        adjacency : ndarray of bool of shape (n_nodes, n_nodes)
            True where i -> j.

        Returns
        -------
        float
            In nats.
        """
        return sum(self.family(node, bit_mask(adjacency[:, node])) for node in range(self.n_nodes))

    def all_families(self, constraints: EdgeConstraints) -> NDArray[np.float64]:
        """Return the scores of all families that the constraints allow.

        Parameters
        ----------
        constraints : EdgeConstraints
            Required and forbidden edges.

        Returns
        -------
        ndarray of shape (n_nodes, 2 ** n_nodes)
            Indexed by child and by bit mask of parents; ``-inf`` where a set of parents holds a
            forbidden one (or the child itself) or lacks a required one.
        """
        masks = np.arange(1 << self.n_nodes)
        costs = self.edge_cost * np.array([mask.bit_count() for mask in range(len(masks))])
        scores = np.full((self.n_nodes, len(masks)), -np.inf)
        for node in range(self.n_nodes):
            terms = self._terms[node].all
            must = bit_mask(constraints.required[:, node])
            must_not = bit_mask(constraints.forbidden[:, node]) | 1 << node
            allowed = masks[(masks & must == must) & (masks & must_not == 0)]
            gains = terms[allowed | 1 << node] - terms[allowed]
            scores[node, allowed] = gains - costs[allowed]
        return scores


class _SetTerms:
    """The terms h of all sets of nodes on one table of counts, computed when needed."""

    def __init__(self, counts: NDArray[np.float64], score: str, sample_size: float) -> None:
        self.counts, self.score, self.equivalent_sample_size = counts, score, sample_size
        self._total = counts.sum()
        self._cache: dict[int, float] = {}

    def __getitem__(self, nodes: int) -> float:
        """Return h of a set of nodes."""
        if nodes not in self._cache:
            others = tuple(axis for axis in range(self.counts.ndim) if not nodes >> axis & 1)
            self._cache[nodes] = self._term(self.counts.sum(axis=others))
        return self._cache[nodes]

    @cached_property
    def all(self) -> NDArray[np.float64]:
        """h of every set, indexed by its bit mask."""
        n_sets = 1 << self.counts.ndim
        self._fill_cache(self.counts, 0, n_sets - 1)
        return np.array([self._cache[mask] for mask in range(n_sets)])

    def _term(self, counts: NDArray[np.float64]) -> float:
        """Return h of a marginal table of counts."""
        if self.score == "bic":
            # A total below one sample would turn the penalty into a reward.
            penalty = 0.5 * counts.size * np.log(max(self._total, 1.0))
            return float(xlogy(counts, counts / max(self._total, 1e-300)).sum() - penalty)
        pseudo_count = self.equivalent_sample_size / counts.size
        return float((gammaln(counts + pseudo_count) - gammaln(pseudo_count)).sum())

    def _fill_cache(self, marginal: NDArray[np.float64], first_axis: int, nodes: int) -> None:
        """Visit every subset once, each marginal being summed from the one before."""
        self._cache.setdefault(nodes, self._term(marginal))
        for axis in range(first_axis, self.counts.ndim):
            smaller = marginal.sum(axis=axis, keepdims=True)
            self._fill_cache(smaller, axis + 1, nodes & ~(1 << axis))


def over_subsets(values: NDArray[np.float64], combine: np.ufunc) -> NDArray[np.float64]:
    """Return for every set what its subsets' values are combined to, (n_rows, 2 ** n_nodes)."""
    combined, half = values.copy(), 1
    while half < combined.shape[1]:
        pairs = combined.reshape(len(combined), -1, 2, half)
        combine(pairs[:, :, 1], pairs[:, :, 0], out=pairs[:, :, 1])
        half *= 2
    return combined


def bit_mask(members: NDArray[np.bool_]) -> int:
    """Encode a set of nodes as an integer.

    Parameters
    ----------
    members : ndarray of bool of shape (n_nodes,)
        True for the members.

    Returns
    -------
    int
        Bit k is set where ``members[k]``.
    """
    return sum(1 << int(node) for node in np.flatnonzero(members))
