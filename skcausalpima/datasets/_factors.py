"""Factors drawn along a known graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, check_random_state

from .._base.grid import NodeGrid
from .._base.scalar_checks import check_count
from .._base.types import Seed, Unchecked

#: Per factor its parents, named before it, and its conditional probabilities.
Graph: TypeAlias = Mapping[str, tuple[Sequence[str], ArrayLike]]

# Tables: one axis per parent, the factor's own axis last.
_COLLIDER = [[[0.8, 0.2], [0.4, 0.6]], [[0.4, 0.6], [0.2, 0.8]]]
_COMPLETE = [[[0.8, 0.2], [0.35, 0.65]], [[0.35, 0.65], [0.15, 0.85]]]
#: Of a factor of two outcomes and one parent with two, and of factors of two outcomes alone.
LINK = [[0.68, 0.32], [0.32, 0.68]]
ROOT = [0.55, 0.45]
EVEN = [0.5, 0.5]


def binary_graphs(first: str, second: str, third: str) -> dict[str, Graph]:
    """Return four graphs of three factors of two outcomes, by name."""
    return {
        "v-structure": {first: ((), ROOT), second: ((), EVEN), third: ((first, second), _COLLIDER)},
        "chain": {first: ((), ROOT), second: ((first,), LINK), third: ((second,), LINK)},
        "complete": {
            first: ((), ROOT),
            second: ((first,), LINK),
            third: ((first, second), _COMPLETE),
        },
        "independent": {first: ((), ROOT), second: ((), EVEN), third: ((), [0.45, 0.55])},
    }


def named_graph(graphs: Mapping[str, Graph], name: Unchecked) -> Graph:
    """Return the graph of this name, or raise."""
    if not isinstance(name, str) or name not in graphs:
        raise ValueError(f"graph must be one of {list(graphs)}, got {name!r}.")
    return graphs[name]


def draw_factors(
    n_samples: int,
    graph: Graph,
    centres: Mapping[str, Sequence[float]],
    scales: Mapping[str, float],
    random_state: Seed,
) -> tuple[Bunch, np.random.RandomState]:
    """Draw outcomes along the graph (which names parents first), then the values behind them."""
    check_count(n_samples, "n_samples")
    rng: np.random.RandomState = check_random_state(random_state)
    dag, cpts, values = nx.DiGraph(), {}, []
    outcomes: dict[str, np.ndarray] = {}
    for name, (parents, table) in graph.items():
        cpts[name] = np.asarray(table, dtype=np.float64)
        dag.add_node(name, size=cpts[name].shape[-1])
        dag.add_edges_from((parent, name) for parent in parents)
        cumulative = cpts[name].cumsum(axis=-1)[tuple(outcomes[parent] for parent in parents)]
        # The last step of the cumulative sum may round to below 1 and is not needed.
        outcome = (rng.uniform(size=(n_samples, 1)) > cumulative[..., :-1]).sum(axis=-1)
        outcomes[name] = outcome
        values.append(rng.normal(np.asarray(centres[name])[outcome], scales[name]))
    factors = np.column_stack(list(outcomes.values()))
    bunch = Bunch(factors=factors, factor_names=list(dag), factor_values=np.column_stack(values))
    sizes = tuple(size for _, size in dag.nodes(data="size"))
    bunch.update(target=NodeGrid(sizes).cells(factors), dag=dag, cpts=cpts)
    return bunch, rng
