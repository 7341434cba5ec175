"""The public attributes of a fitted estimator, which follow from the fitted state."""

from __future__ import annotations

import functools

import networkx as nx
import numpy as np

from .._contexts.fitted import links
from .._structure.digraphs import CONTEXT, KIND, compel_nothing
from .._typing import Values
from ..functional import covariance_type_named
from .fitted import FittedState

#: What an estimator keeps of a fit: the state, how samples came, and what a user reads.
FITTED, INPUT = "_fitted", ("_input_form", "_modality_tables")


def fitted_attributes(state: FittedState) -> Values:
    """Return the attributes that a fit sets, by name: the state, and what follows from it."""
    return {FITTED: state} | public_attributes(state)


def is_of_fit(name: str) -> bool:
    """Return True for the name of an attribute that a fit sets."""
    return name in (FITTED, *INPUT) or (name.endswith("_") and not name.startswith("_"))


def public_attributes(state: FittedState) -> Values:
    """Return the attributes that users read, by name."""
    graph, outcomes = state.graph, state.outcomes
    causes = state.contexts.cause_shares
    is_parent = np.concatenate([graph.cause_edges, graph.adjacency])
    joint = functools.reduce(np.multiply, graph.tables)
    if causes:
        joint = np.broadcast_to(joint, (*map(len, causes.values()), *state.spec.node_sizes))
    for shares in causes.values():
        joint = np.tensordot(shares, joint, axes=1)
    of_components = (
        state.numbers[f"prior.{name}"][state.cells] for name in ("means", "covariances")
    )
    means, covariances = of_components
    names = list(state.spec.node_names)
    tables = zip(names, graph.tables, strict=True)
    attributes = {
        "latent_dim_": state.spec.latent_dim,
        "labels_": state.labels,
        "node_labels_": outcomes[state.labels],
        "cluster_states_": outcomes,
        "cluster_means_": means,
        "cluster_covariances_": sklearn_covariances(covariances, state.covariance_type),
        "weights_": joint.ravel()[state.cells],
        "joint_": joint,
        "dag_": _graph(state),
        "cpts_": {
            n: _compact(of, len(causes) + k, is_parent[:, k]) for k, (n, of) in enumerate(tables)
        }
        | causes,
        "edge_weights_": graph.edge_weights,
        "edge_probabilities_": graph.probabilities,
        "node_scores_": graph.node_scores,
        "expert_params_": state.expert_tables,
        "separation_": state.separation,
        "history_": state.history,
        "phase_history_": state.phase_history,
        "n_iter_": len(next(iter(state.history.values()))),
        "converged_": state.converged,
        "convergence_": state.convergence,
        "lower_bound_": state.lower_bound,
    }
    if state.contexts.labels:
        attributes |= {"contexts_": state.contexts.labels, "offsets_": state.contexts.offsets}
    if state.contexts.adapted:
        attributes["adapted_"] = state.contexts.adapted
    if state.stability is None:  # the fit goes on
        return attributes
    of_start = ("arrangement", "stability", "gaps", "choices")
    return attributes | {f"{name}_": getattr(state, name) for name in of_start}


def _graph(state: FittedState) -> nx.DiGraph:
    """Return the graph with sizes, names of outcomes, weights, and which arrows are compelled."""
    graph, names, sizes = state.graph, state.spec.node_names, state.spec.node_sizes
    dag = nx.DiGraph()
    named = state.outcome_names or [None] * len(names)
    for name, size, labels in zip(names, sizes, named, strict=True):
        dag.add_node(name, size=size, **({} if labels is None else {"states": labels}))
    _add_contexts(dag, state)
    for parent, child in np.argwhere(graph.adjacency):
        weight = float(graph.edge_weights[parent, child])
        compelled = bool(graph.compelled[parent, child])
        dag.add_edge(names[parent], names[child], weight=weight, compelled=compelled)
    if state.by_chance:
        compel_nothing(dag)
    return dag


def _add_contexts(dag: nx.DiGraph, state: FittedState) -> None:
    """Add contexts to the graph of the nodes, whose edges are still to come.

    Causes are parents. Others are linked to nodes, in no direction: as if they were children, so
    that they are no axes of tables.
    """
    contexts, graph, names = state.contexts, state.graph, list(dag)
    for name, labels in contexts.labels.items():
        states = tuple(map(str, labels.tolist()))
        dag.add_node(
            name, size=len(states), states=states, **{KIND: CONTEXT, "role": contexts.roles[name]}
        )
    causes = list(contexts.cause_shares)
    for cause, node in np.argwhere(graph.cause_edges):
        weight = float(graph.cause_weights[cause, node])
        dag.add_edge(causes[cause], names[node], weight=weight, compelled=True)
    for name, linked in links(contexts, graph.adjacency, state.spec.node_sizes).items():
        for node, weight in zip(names, linked.tolist(), strict=True):
            if weight > 0.5 and contexts.roles[name] == "measured":
                dag.add_edge(node, name, weight=weight, compelled=False)


def _compact(table: np.ndarray, node: int, is_parent: np.ndarray) -> np.ndarray:
    """Drop the axes of nodes that are no parents and put the node's own axis last."""
    others = tuple(axis for axis in range(table.ndim) if axis != node and not is_parent[axis])
    axis = int(is_parent[:node].sum())
    return np.moveaxis(table.squeeze(others), axis, -1)


def sklearn_covariances(covariances: np.ndarray, covariance_type: str) -> np.ndarray:
    """Return one covariance per component in scikit-learn's shape for the type."""
    kind = covariance_type_named(covariance_type)
    if kind.is_shared:
        return covariances[0]
    return covariances[:, 0] if kind.is_round else covariances


def full_covariances(
    covariances: np.ndarray, covariance_type: str, n_components: int, latent_dim: int
) -> np.ndarray:
    """Return whole matrices (n_components, latent_dim, latent_dim) from scikit-learn's shape."""
    kind = covariance_type_named(covariance_type)
    if kind.is_round:
        covariances = covariances[:, None]
    shape = (n_components, latent_dim, latent_dim)
    whole = np.broadcast_to(covariances, shape if kind.is_full else shape[:2])
    return whole if kind.is_full else whole[:, :, None] * np.eye(latent_dim)
