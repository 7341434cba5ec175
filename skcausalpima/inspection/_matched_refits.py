"""Refits in the terms of the fit: which of their nodes stand for its nodes, and how they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import networkx as nx
import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator

from .._base.grid import NodeGrid
from .._base.progress_lines import ProgressLines, duration
from .._fit.whole import seconds_of_fit
from .._held_out.matching import match
from .._structure.digraphs import is_by_chance
from .._structure.equivalence import cpdag

#: Which arrows a graph has, and which of these are compelled.
Arrows: TypeAlias = tuple[np.ndarray, np.ndarray]


class MatchedRefit(NamedTuple):
    """A refit in the terms of the reference.

    Parameters
    ----------
    edges, compelled : ndarray of bool of shape (n_nodes, n_nodes)
        Its arrows, and those of them that are compelled.
    rand_indices : ndarray of shape (n_nodes,)
        How far its nodes agree with those of the reference.
    order : ndarray of int of shape (n_nodes,)
        The refit's node that comes to each place.
    """

    edges: np.ndarray
    compelled: np.ndarray
    rand_indices: np.ndarray
    order: np.ndarray


def arrows(dag: nx.DiGraph) -> Arrows:
    """Return which arrows a graph has, and which of these are compelled."""
    nodes = list(dag)
    edges = nx.to_numpy_array(dag, nodelist=nodes, weight=None) > 0
    if is_by_chance(dag):
        return edges, np.zeros_like(edges)
    known = np.zeros_like(edges)
    for parent, child, attribute in dag.edges(data="compelled", default=False):
        known[nodes.index(parent), nodes.index(child)] = bool(attribute)
    return edges, edges & (known | ~cpdag(edges).T)


def announced_refits(
    est: BaseEstimator,
    n_refits: int,
    are_whole: bool,
    n_jobs: int | None,
    verbose: int | None,
    name: str,
) -> ProgressLines:
    """Say which refits begin, and about how long they take; return where progress is told.

    All refits of the mixture take about as long as a fit. How long the fit took is not known of an
    estimator that was loaded.
    """
    lines, seconds = ProgressLines(verbose, f"[{name}]"), seconds_of_fit(est)
    if seconds is not None:
        things = "whole refits" if are_whole else "refits of the mixture"
        seconds *= n_refits / min(effective_n_jobs(n_jobs), n_refits) if are_whole else 1
        lines.announce(f"{n_refits} {things}, about {duration(seconds)}", seconds)
    return lines


def match_refit(
    graph: Arrows, nodes: np.ndarray, reference: np.ndarray, sizes: Sequence[int]
) -> MatchedRefit:
    """Write the graph of a refit in the nodes of the reference.

    Parameters
    ----------
    graph : pair of ndarray of bool of shape (n_nodes, n_nodes)
        The edges of the refit, whose nodes are the columns of ``nodes``, and the compelled ones.
    nodes : ndarray of shape (n_samples, n_nodes)
        Outcomes of the refit's nodes.
    reference : ndarray of shape (n_samples, n_nodes)
        Outcomes of the same samples.
    sizes : sequence of int
        Number of outcomes of each node; only nodes of one size are matched.

    Returns
    -------
    MatchedRefit
        Graph and agreement, in the order of the reference's nodes.
    """
    cells = np.ravel_multi_index(tuple(nodes.T), tuple(sizes))
    matched = match(NodeGrid(tuple(sizes)).outcomes(), cells, reference, sizes)
    order = matched.order
    edges, compelled = (matrix[np.ix_(order, order)] for matrix in graph)
    return MatchedRefit(edges, compelled, matched.agreement, order)
