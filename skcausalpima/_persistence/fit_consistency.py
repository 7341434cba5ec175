"""Whether the attributes of a fit agree with each other: what follows from others must be so."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import networkx as nx
import numpy as np

from .._grid import NodeGrid
from .._inference.covariances import sklearn_covariances
from .._inference.expert_tables import ExpertTable
from .._typing import Values
from .plain_data import StoredExpert
from .value_checks import SLACK, Loaded, is_alike, is_distribution, is_permutation

#: What modalities are in containers of other libraries.
NEEDED_KINDS = {"levels": {"frame"}, "dataset": {"xarray"}}

#: Entries of it that have one entry per modality.
PER_MODALITY = ("encoders", "decoders", "experts", "predict_variances")


def check_together(
    attributes: Values, checks: Mapping[str, Callable[[SimpleNamespace], bool]]
) -> None:
    """Raise where attributes contradict each other; those of the architecture count as some.

    Raises
    ------
    ValueError
        Says which.
    """
    fit = SimpleNamespace(**attributes["_architecture"], **attributes)
    for what, holds in checks.items():
        try:
            right = holds(fit)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            right = False
        if not right:
            raise ValueError(f"its {what} contradict the rest")


def _cells(fit: SimpleNamespace) -> np.ndarray:
    """Return the cell of the grid of each component; an outcome that does not exist raises."""
    return NodeGrid(fit.node_sizes).cells(fit.cluster_states_)


def _product(fit: SimpleNamespace) -> np.ndarray:
    """Return the product of the tables along the graph; a table of another shape raises."""
    axis_of = {name: axis for axis, name in enumerate(fit.node_names)}
    joint, axes = np.ones(fit.node_sizes), list(range(len(axis_of)))
    for node in fit.node_names:
        family = [axis_of[name] for name in (*fit.dag_.predecessors(node), node)]
        if fit.cpts_[node].shape != tuple(fit.node_sizes[axis] for axis in family):
            raise ValueError(f"the table of {node} has another shape")
        joint = np.einsum(joint, axes, fit.cpts_[node], family, axes)
    return joint


def _edges_have_their_weights(fit: SimpleNamespace) -> bool:
    """Say whether the graph and the matrix agree, and no node is its own parent."""
    pairs = list(itertools.product(enumerate(fit.node_names), repeat=2))
    matrices = [m for m in (fit.edge_weights_, fit.edge_probabilities_) if m is not None]
    return not any(matrix.diagonal().any() for matrix in matrices) and all(
        fit.edge_weights_[i, j] == fit.dag_.edges[parent, child]["weight"]
        for (i, parent), (j, child) in pairs
        if fit.dag_.has_edge(parent, child)
    )


def _separation_is_of_components(fit: SimpleNamespace) -> bool:
    """Say whether it counts all samples, and names components that there are."""
    said, n_components = fit.separation_, len(fit.weights_)
    pairs = said.merged
    return (
        is_distribution(said.occupancy)
        and np.array_equal(said.empty, np.flatnonzero(said.occupancy == 0))
        and is_alike(said.empty, np.empty(len(said.empty), np.int64))
        and is_alike(pairs, np.empty((len(pairs), 2), np.int64))
        and bool(((pairs >= 0) & (pairs < n_components)).all())
    )


def _gaps_are_between_cells(fit: SimpleNamespace) -> bool:
    """Say whether gaps have a figure for each node, and name cells that there are."""
    if fit.gaps_ is None:
        return True
    nodes, pairs = fit.gaps_.nodes, fit.gaps_.pairs
    return (
        is_alike(nodes, np.empty(fit.joint_.ndim))
        and not bool((nodes < 0).any() or np.isinf(nodes).any())
        and is_alike(pairs, np.empty((len(pairs), 2), np.int64))
        and bool(((pairs >= 0) & (pairs < fit.joint_.size)).all())
    )


def _tables_are_of_experts(fit: SimpleNamespace) -> bool:
    """Say whether the experts' tables have their columns, and finite parameters."""
    pairs = zip(fit.modality_names, fit.experts, strict=True)
    experts = {name: expert for name, expert in pairs if expert is not None}
    if set(experts) != set(fit.expert_params_):
        return False
    nodes = dict(zip(fit.node_names, fit.cluster_states_.T, strict=True))
    labels = nx.get_node_attributes(fit.dag_, "states")
    return all(
        _is_table_of(expert, fit.expert_params_[name], nodes, labels)
        for name, expert in experts.items()
    )


def _is_table_of(
    expert: Loaded,
    table: ExpertTable,
    nodes: Mapping[str, np.ndarray],
    labels: Mapping[str, tuple[str, ...]],
) -> bool:
    stored = isinstance(expert, StoredExpert)
    names = tuple(expert.settings["parameters"] if stored else expert.names)
    endings = [
        "_se",
        *(["_sd"] if (expert.settings["scatter"] if stored else expert.scatter) else []),
    ]
    columns = nodes.keys() | {name + end for name in names for end in ("", *endings)}
    return (
        table.parameters == names
        and table.outcome_names == labels
        and set(table) == columns
        and all(np.isfinite(table[name]).all() for name in names)
        and all(np.array_equal(table[n], nodes[n]) for n in nodes.keys() - set(names))
    )


def _terms_are_the_history(fit: SimpleNamespace) -> bool:
    """Say whether the checkpoint's terms of the bound are those of the fit."""
    terms = fit._checkpoint["history"]
    return set(fit.history_) == set(terms[0]) and all(
        np.array_equal(values, [of.get(name, np.nan) for of in terms], equal_nan=True)
        for name, values in fit.history_.items()
    )


def _tables_are_of_modalities(fit: SimpleNamespace) -> bool:
    """Say whether axes and columns are those of the modalities, or of the flat array of them."""
    shapes = [tuple(shape) for shape in fit.shapes]
    named = list(fit.modality_feature_names_in_.values())
    right = all(n is None or len(n) == math.prod(s) for n, s in zip(named, shapes, strict=True))
    if fit._input_form == "flat":
        shapes = [(sum(map(math.prod, shapes)),)]
    tables = fit._modality_tables
    kinds, needed = {of["kind"] for of in tables}, NEEDED_KINDS.get(fit._input_form)
    right = right and (needed is None or kinds <= needed) and len(tables) == len(shapes)
    places = [place for of in tables for place in of["labels"].get("places", ())]
    n_columns = sum(map(math.prod, shapes)) if fit._input_form == "levels" else 0
    right = right and sorted(places) == list(range(n_columns))
    return right and all(map(_fits_shape, tables, shapes))


def _fits_shape(table: Values, shape: tuple[int, ...]) -> bool:
    """Say whether what stands beside the numbers of a modality fits its shape."""
    dims, labels = table["dims"], table["labels"]
    lengths = dict(zip(dims[1:], shape, strict=False))
    lengths = lengths or dict.fromkeys(("columns", "places"), math.prod(shape))
    is_xarray, is_column = table["kind"] == "xarray", table["kind"] in ("series", "vector")
    if (table["kind"] in ("frame", "polars") and len(shape) != 1) or (is_column and shape != (1,)):
        return False
    right = len(set(dims)) == len(dims) == (1 + len(shape) if is_xarray else 0)
    return right and all(np.shape(v) == (lengths.get(name),) for name, v in labels.items())


#: What attributes must be to each other, by the names of those that contradict the rest if not;
#: each may rely on those before it.
TOGETHER: dict[str, Callable[[SimpleNamespace], bool]] = {
    "names of nodes": lambda fit: (
        list(fit.dag_) == list(fit.node_names) == list(fit.cpts_) == fit._node_names
    ),
    "node_sizes": lambda fit: min(fit.node_sizes, default=0) >= 2 and fit.latent_dim >= 1,
    "n_iter_": lambda fit: fit.n_iter_ >= 1,
    ", ".join(PER_MODALITY): lambda fit: (
        {len(vars(fit)[which]) for which in PER_MODALITY} == {len(fit.shapes)}
    ),
    "shapes": lambda fit: (
        [tuple(shape) for shape in fit.modality_shapes_in_]
        == [tuple(shape) for shape in fit.shapes]
        == [centre.shape for centre in fit._scaler.centre]
    ),
    "names of modalities": lambda fit: (
        tuple(fit.modality_names_in_) == fit.modality_names
        and len(set(fit.modality_names)) == len(fit.modality_names)
    ),
    "_input_form": lambda fit: fit._input_form != "single" or len(fit.modality_names) == 1,
    "modality_feature_names_in_": lambda fit: (
        list(fit.modality_feature_names_in_) == list(fit.modality_names)
    ),
    "choices_": lambda fit: (
        set().union(*(of for of in vars(fit.choices_).values() if type(of) is dict))
        <= set(fit.modality_names)
        and list(fit.choices_.scale.values()) == list(fit._scaler.words)
    ),
    "_modality_tables": _tables_are_of_modalities,
    "cluster_states_": lambda fit: is_permutation(_cells(fit), {}),
    "labels_": lambda fit: fit.labels_.min() >= 0 and fit.labels_.max() < len(fit.weights_),
    "node_labels_": lambda fit: np.array_equal(fit.node_labels_, fit.cluster_states_[fit.labels_]),
    "cpts_ and joint_": lambda fit: np.allclose(_product(fit), fit.joint_, rtol=0.0, atol=SLACK),
    "weights_": lambda fit: np.array_equal(fit.weights_, fit.joint_.ravel()[_cells(fit)]),
    "cluster_means_": lambda fit: np.array_equal(
        fit.cluster_means_, fit._state["prior.means"][_cells(fit)]
    ),
    "cluster_covariances_": lambda fit: np.array_equal(
        fit.cluster_covariances_,
        sklearn_covariances(fit._state["prior.covariances"][_cells(fit)], fit._covariance_type),
    ),
    "edges": _edges_have_their_weights,
    "separation_": _separation_is_of_components,
    "gaps_": _gaps_are_between_cells,
    "expert_params_": _tables_are_of_experts,
}

WITH_CHECKPOINT: dict[str, Callable[[SimpleNamespace], bool]] = {
    "_checkpoint.history and history_": _terms_are_the_history,
}
