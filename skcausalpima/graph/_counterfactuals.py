"""Counterfactual outcomes: the noise behind what was meets other rows of the tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import networkx as nx
import numpy as np
from numpy.typing import NDArray


def counterfactual_outcomes(
    graph: nx.DiGraph,
    tables: Mapping[Hashable, NDArray[np.float64]],
    samples: NDArray[np.intp],
    outcomes: Mapping[Hashable, int],
    rng: np.random.RandomState,
) -> NDArray[np.int64]:
    """Draw what would have been, had some nodes been set, from what was: Gumbel-max mechanisms.

    ``samples`` of shape (n_samples, n_nodes) can happen; ``outcomes`` says what is set to what.
    """
    sizes = dict(graph.nodes(data="size"))
    noise = rng.standard_exponential((*samples.shape, 1 + max(sizes.values())))
    log_noise = np.log(np.maximum(noise, np.finfo(noise.dtype).tiny))
    result = samples.astype(np.int64)
    column = {node: index for index, node in enumerate(graph)}
    for node in nx.topological_sort(graph):
        k, n_draws = column[node], 1 + sizes[node]
        if node in outcomes:
            result[:, k] = outcomes[node]
            continue
        parents = [column[parent] for parent in graph.predecessors(node)]
        old_rows, new_rows = (tables[node][tuple(x[:, parents].T)] for x in (samples, result))
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
