"""The attributes that a fit sets: what each must be, so that a file can be checked against it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np

from ._checkpoint import Checkpoint
from ._expert_table import ExpertTable
from ._scaling import ModalityScaler

#: Says whether a value is what an attribute must be, given the sizes of the fit.
Check = Callable[[Any, Mapping[str, tuple]], bool]


def is_a(*kinds: type) -> Check:
    """Return a check of the type."""
    return lambda value, sizes: type(value) in kinds


def is_one_of(*values: Any) -> Check:
    """Return a check whether it is one of these."""
    return lambda value, sizes: type(value) in map(type, values) and value in values


def is_size(name: str) -> Check:
    """Return a check whether it is one of the sizes."""
    return lambda value, sizes: type(value) is int and (value,) == sizes[name]


def is_array(dtype: str, *axes: str) -> Check:
    """Return a check of dtype ("model": what it computes in) and shape of a finite array."""

    def check(value: Any, sizes: Mapping) -> bool:
        shape = tuple(size for axis in axes for size in sizes[axis])
        return is_finite(value, *sizes.get(dtype, (dtype,))) and value.shape == shape

    return check


def is_tuple_of(*kinds: type) -> Check:
    """Return a check of the types of entries."""
    return lambda value, sizes: type(value) is tuple and all(type(v) in kinds for v in value)


def are_sizes(value: Any, sizes: Mapping) -> bool:
    """Say whether it is a tuple of positive integers."""
    return is_tuple_of(int)(value, sizes) and min(value, default=1) > 0


def are_names(value: Any, sizes: Mapping, axis: str = "modalities") -> bool:
    """Say whether it is an array of strings, one per entry of an axis."""
    right = isinstance(value, np.ndarray) and value.dtype == object and value.shape == sizes[axis]
    return right and all(isinstance(name, str) for name in value)


def is_finite(value: Any, dtype: str = "float64") -> bool:
    """Say whether it is an array of this dtype without NaN and infinity."""
    right = isinstance(value, np.ndarray) and value.dtype == dtype
    return right and bool(np.isfinite(value).all())


def are_shapes(value: Any, sizes: Mapping) -> bool:
    """Say whether it is one shape per modality."""
    if type(value) not in (list, tuple) or (len(value),) != sizes["modalities"]:
        return False
    return all(are_sizes(shape, sizes) and len(shape) > 0 for shape in value)


def are_columns(value: Any, sizes: Mapping) -> bool:
    """Say whether it is a list of names, or None, for each modality."""
    right = type(value) is list and (len(value),) == sizes["modalities"]
    return right and all(
        names is None or (type(names) is list and all(type(name) is str for name in names))
        for names in value
    )


def is_scaler(value: Any, sizes: Mapping) -> bool:
    """Say whether it has a centre and positive factors for each modality."""
    if type(value) is not ModalityScaler or len(value.centre) != len(value.factor):
        return False
    pairs = list(zip(value.centre, map(np.asarray, value.factor), strict=True))
    return (len(pairs),) == sizes["modalities"] and all(
        is_finite(c) and is_finite(f) and (f > 0).all() and f.shape in ((), c.shape)
        for c, f in pairs
    )


def is_state(value: Any, sizes: Mapping) -> bool:
    """Say whether it is numbers by name; the model says which they must be."""
    return type(value) is dict and all(isinstance(array, np.ndarray) for array in value.values())


def is_graph(value: Any, sizes: Mapping) -> bool:
    """Say whether it is an acyclic graph of the nodes with their sizes."""
    if type(value) is not nx.DiGraph or not nx.is_directed_acyclic_graph(value):
        return False
    numbers = [of_node.get("size") for _, of_node in value.nodes.items()]
    return tuple(numbers) == sizes["grid"]


def are_tables(value: Any, sizes: Mapping) -> bool:
    """Say whether it is a finite table for each node."""
    right = type(value) is dict and (len(value),) == sizes["nodes"]
    return right and all(is_finite(table) for table in value.values())


def are_histories(value: Any, sizes: Mapping) -> bool:
    """Say whether it is a number per epoch for each term; a term may diverge."""
    return type(value) is dict and all(
        isinstance(v, np.ndarray) and v.dtype == "float64" and v.shape == sizes["epochs"]
        for v in value.values()
    )


def are_expert_tables(value: Any, sizes: Mapping) -> bool:
    """Say whether it is columns with one entry per component."""
    return type(value) is dict and all(
        type(table) is ExpertTable and all(c.shape == sizes["components"] for c in table.values())
        for table in value.values()
    )


def is_checkpoint(value: Any, sizes: Mapping) -> bool:
    """Say whether it is where a fit stands that may be continued."""
    return type(value) is dict and set(value) == set(Checkpoint._fields)


def are_requests(value: Any, sizes: Mapping) -> bool:
    """Say whether it is what methods ask for in metadata routing, by method."""
    right = type(value) is dict and set(value) <= set(ROUTED)
    return right and all(
        type(asked) is dict and all(type(v) in (bool, str) for v in asked.values())
        for asked in value.values()
    )


def either(*checks: Check) -> Check:
    """Return what holds where one of the checks holds."""
    return lambda value, sizes: any(check(value, sizes) for check in checks)


#: Methods whose metadata can be routed.
ROUTED = ("fit", "score")

NOTHING = is_a(type(None))

#: What :func:`build_model` is given.
ARCHITECTURE: dict[str, Check] = {
    "node_sizes": are_sizes,
    "latent_dim": is_a(int),
    "names": is_tuple_of(str),
    "shapes": are_shapes,
    "encoders": is_a(list),
    "decoders": is_a(list),
    "experts": is_a(list),
    "node_names": is_tuple_of(str),
    "hidden_layer_sizes": are_sizes,
    "linear": is_a(bool),
    "full_covariances": is_a(bool),
    "modality_weights": either(is_tuple_of(float), NOTHING),
    "prior_expert": is_a(bool, np.bool_),
    "sampled_responsibilities": is_a(bool),
    "dtype": is_one_of("float32", "float64"),
    "predict_variances": is_tuple_of(bool),
}

#: Entries of it that have one entry per modality.
PER_MODALITY = ("encoders", "decoders", "experts", "predict_variances")

#: Every attribute of a fitted estimator, its parameters aside. A new one, of types that have a
#: form in :mod:`_plain_values`, is one line here (and a word in ``OPTIONAL``, if some fits or files
#: lack it): an attribute that is not listed cannot be saved.
FITTED: dict[str, Check] = {
    "_architecture": is_a(dict),
    "_checkpoint": is_checkpoint,
    "_column_names": are_columns,
    "_covariance_type": is_one_of("full", "tied", "diag", "spherical"),
    "_metadata_request": are_requests,
    "_input_form": is_one_of("several", "single", "flat"),
    "_node_names": is_a(list),
    "_scaler": is_scaler,
    "_sklearn_output_config": is_a(dict),
    "_state": is_state,
    "arrangement_": is_a(SimpleNamespace, type(None)),
    "cluster_covariances_": is_array("model", "covariances"),
    "cluster_means_": is_array("model", "components", "latent"),
    "cluster_states_": is_array("int64", "components", "nodes"),
    "converged_": is_a(bool, np.bool_),
    "cpts_": are_tables,
    "dag_": is_graph,
    "edge_probabilities_": either(is_array("float64", "nodes", "nodes"), NOTHING),
    "edge_weights_": is_array("float64", "nodes", "nodes"),
    "expert_params_": are_expert_tables,
    "feature_names_in_": lambda value, sizes: are_names(value, sizes, "features"),
    "history_": are_histories,
    "joint_": is_array("float64", "grid"),
    "labels_": is_array("int64", "samples"),
    "latent_dim_": is_size("latent"),
    "lower_bound_": lambda value, sizes: type(value) is float and math.isfinite(value),
    "modality_names_in_": are_names,
    "modality_shapes_in_": are_shapes,
    "n_features_in_": is_size("features"),
    "n_iter_": is_size("epochs"),
    "n_modalities_in_": is_size("modalities"),
    "node_labels_": is_array("int64", "samples", "nodes"),
    "node_scores_": is_array("float64", "nodes"),
    "separation_": is_a(SimpleNamespace),
    "weights_": is_array("float64", "components"),
}
OPTIONAL = {
    "_checkpoint",
    "_column_names",
    "_metadata_request",
    "_sklearn_output_config",
    "feature_names_in_",
}


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """Raise where attributes are not those of a fit, or do not go together.

    Raises
    ------
    ValueError
        Says which attribute is missing, unknown, or not what it must be.
    """
    unknown, missing = set(attributes) - set(FITTED), set(FITTED) - set(attributes) - OPTIONAL
    if unknown or missing:
        raise ValueError(
            f"its attributes are not those of a fit: unknown {sorted(unknown)}, missing "
            f"{sorted(missing)}"
        )
    architecture = attributes["_architecture"]
    if type(architecture) is not dict or set(architecture) != set(ARCHITECTURE):
        raise ValueError(f"_architecture is not {list(ARCHITECTURE)}")
    of_model = {"modalities": (len(architecture["names"]),)}
    _check_all(architecture, ARCHITECTURE, of_model)
    _check_all(attributes, FITTED, _sizes(attributes))
    _check_together(attributes)


def _check_all(values: Mapping, checks: Mapping[str, Check], sizes: Mapping) -> None:
    """Check each value on its own."""
    for name, value in values.items():
        if not checks[name](value, sizes):
            raise ValueError(f"{name} is not what a fit of this size sets: {value!s:.100}")


def _sizes(attributes: Mapping[str, Any]) -> dict[str, tuple]:
    """Return the shapes of axes, by name, and the dtype of the model."""
    architecture, n_iter = attributes["_architecture"], attributes["n_iter_"]
    grid, latent = architecture["node_sizes"], architecture["latent_dim"]
    components = math.prod(grid)
    covariances = {
        "full": (components, latent, latent),
        "tied": (latent, latent),
        "diag": (components, latent),
        "spherical": (components,),
    }
    return {
        "grid": grid,
        "nodes": (len(grid),),
        "components": (components,),
        "latent": (latent,),
        "covariances": covariances[attributes["_covariance_type"]],
        "modalities": (len(architecture["names"]),),
        "features": (sum(math.prod(shape) for shape in architecture["shapes"]),),
        "samples": attributes["labels_"].shape[:1],
        "epochs": (n_iter,),
        "model": (architecture["dtype"],),
    }


def _check_together(attributes: Mapping[str, Any]) -> None:
    """Check attributes against each other."""
    architecture, grid = attributes["_architecture"], attributes["_architecture"]["node_sizes"]
    names, labels = list(architecture["node_names"]), attributes["labels_"]
    dag, tables, states = attributes["dag_"], attributes["cpts_"], attributes["cluster_states_"]
    per_modality = [architecture[which] for which in PER_MODALITY]
    if not list(dag) == names == list(tables) == attributes["_node_names"]:
        raise ValueError(f"its names of nodes contradict each other: {names}, {list(dag)}")
    size_of = dict(zip(names, grid, strict=True))
    shapes = [tuple(shape) for shape in architecture["shapes"]]
    cells = np.ravel_multi_index(states.T, grid)  # an outcome that does not exist raises
    for what, holds in {
        "node_sizes": min(grid, default=0) >= 2 and architecture["latent_dim"] >= 1,
        ", ".join(PER_MODALITY): {len(entries) for entries in per_modality} == {len(shapes)},
        "shapes": [tuple(shape) for shape in attributes["modality_shapes_in_"]] == shapes
        and [centre.shape for centre in attributes["_scaler"].centre] == shapes,
        "names of modalities": tuple(attributes["modality_names_in_"]) == architecture["names"],
        "cluster_states_": np.array_equal(np.sort(cells), np.arange(len(cells))),
        "labels_": labels.min() >= 0 and labels.max() < len(cells),
        "cpts_": all(
            tables[node].shape == (*(size_of[p] for p in dag.predecessors(node)), size_of[node])
            for node in names
        ),
    }.items():
        if not holds:
            raise ValueError(f"its {what} contradict the rest")
    if not np.array_equal(attributes["node_labels_"], states[labels]):
        raise ValueError("node_labels_ is not cluster_states_[labels_]")
