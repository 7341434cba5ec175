"""What if: outcomes under interventions, and counterfactual outcomes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from ._categorical_dag import CategoricalDAG
from ._validation import check_outcomes, check_samples


def interventional_outcomes(
    dag: CategoricalDAG,
    interventions: Mapping[Hashable, int | str],
    n_samples: int,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    """Draw the outcomes of all nodes after some of them, or all, were set from outside.

    Parameters
    ----------
    dag : CategoricalDAG
        The network.
    interventions : mapping
        Node to outcome.
    n_samples : int
        How many.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.

    Returns
    -------
    ndarray of int of shape (n_samples, n_nodes)
        Columns in the order of ``dag.nodes``.

    Raises
    ------
    ValueError
        If a node or an outcome does not exist.
    """
    sizes = dict(zip(dag.nodes, dag.sizes, strict=True))
    outcomes = check_outcomes(sizes, dag.states, interventions, "intervene")
    if len(outcomes) < len(dag.nodes):
        return dag.do(outcomes).sample(n_samples, random_state)
    # One cell of the grid: no distribution for `do`, but something that can be decoded.
    return np.tile(np.array([outcomes[node] for node in dag.nodes]), (n_samples, 1))


def counterfactual_outcomes(
    dag: CategoricalDAG,
    factual: ArrayLike,
    interventions: Mapping[Hashable, int | str],
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    r"""Draw what the outcomes would have been, had some nodes been set, all else equal.

    The mechanism of every node is taken to be a Gumbel-max one (Oberst and Sontag, 2019): its
    outcome is :math:`\arg\max_i (\log p_i + g_i)`, where p is the row of its table that the
    parents choose, and the Gumbel noise g belongs to the sample. The noise is drawn given that it
    led to the factual outcomes, and then meets the rows that the new outcomes of the parents
    choose. A node keeps its outcome where its row stays the same; non-descendants always do.

    Parameters
    ----------
    dag : CategoricalDAG
        The network.
    factual : array-like of int of shape (n_samples, n_nodes)
        What was. Columns in the order of ``dag.nodes``.
    interventions : mapping
        Node to the outcome that it is set to.
    random_state : int, RandomState instance or None, default=None
        Source of randomness. The same number of draws is used up by every sample, whatever is
        set: the first rows stay the same if more rows follow, and different interventions with
        one seed meet the same noise.

    Returns
    -------
    ndarray of int of shape (n_samples, n_nodes)
        What would have been.

    Raises
    ------
    ValueError
        If a node or an outcome does not exist, or a sample's factual outcomes cannot happen.
    """
    samples = check_samples(dag.nodes, dag.sizes, factual)
    sizes = dict(zip(dag.nodes, dag.sizes, strict=True))
    outcomes = check_outcomes(sizes, dag.states, interventions, "counterfactual")
    impossible = np.flatnonzero(np.isneginf(dag.log_prob(samples)))
    if len(impossible):
        seen = dict(zip(dag.nodes, samples[impossible[0]].tolist(), strict=True))
        raise ValueError(
            f"Sample {impossible[0]} has outcomes of probability zero, {seen}: what cannot have "
            "happened has no counterfactual."
        )
    rng = check_random_state(random_state)
    noise = rng.standard_exponential((*samples.shape, 1 + max(dag.sizes)))
    log_noise = np.log(np.maximum(noise, np.finfo(noise.dtype).tiny))
    result = samples.astype(np.int64)
    column = {node: index for index, node in enumerate(dag.nodes)}
    for node in nx.topological_sort(dag.graph):
        k, n_draws = column[node], 1 + sizes[node]
        if node in outcomes:
            result[:, k] = outcomes[node]
            continue
        parents = [column[parent] for parent in dag.graph.predecessors(node)]
        old_rows, new_rows = (dag.cpts[node][tuple(x[:, parents].T)] for x in (samples, result))
        if parents:  # the rows of a root cannot change
            result[:, k] = _same_noise(old_rows, new_rows, samples[:, k], log_noise[:, k, :n_draws])
    return result


def _same_noise(
    old_rows: NDArray[np.float64],
    new_rows: NDArray[np.float64],
    factual: NDArray[np.intp],
    log_noise: NDArray[np.float64],
) -> NDArray[np.intp]:
    r"""Return what the Gumbel noise behind the factual outcomes makes of new rows.

    With :math:`E_i = \exp(-g_i)`, exponential of rate 1, the largest :math:`\log p_i + g_i` is
    the smallest :math:`E_i / p_i`: the first of competing arrivals. Top down, the winner arrives
    at an exponential time T of rate 1, whichever it is, and each loser after another
    :math:`E'_i / p_i`. So :math:`E_i = p_i T` for the winner and :math:`p_i T + E'_i` for the
    others, also where :math:`p_i = 0`. Columns of ``log_noise`` are log T and log E'.
    """
    winner = factual[:, None] == np.arange(old_rows.shape[1])
    with np.errstate(divide="ignore"):  # log(0) is -inf, as it should be
        log_old, log_new = np.log(old_rows), np.log(new_rows)
    arrival = log_old + log_noise[:, :1]
    log_e = np.where(winner, arrival, np.logaddexp(arrival, log_noise[:, 1:]))
    unchanged = (old_rows == new_rows).all(axis=1)  # exactly, beyond rounding
    return np.where(unchanged, factual, (log_new - log_e).argmax(axis=1))
