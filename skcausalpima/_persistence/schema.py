"""The attributes that a fit sets: what each must be, so that a file can be checked against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

import networkx as nx
import numpy as np

from .._data.form import CONTAINERS, KINDS
from .._inference.expert_tables import ExpertTable
from .._model.spec import ModelSpec
from .._model.views import VIEW_WORDS
from .._typing import Unchecked, Values
from ..functional import COVARIANCE_TYPES
from .checkpoint_checks import ARRIVALS, CHECKPOINT
from .choice_checks import are_choices, is_scaler
from .fit_consistency import TOGETHER, WITH_CHECKPOINT, check_together
from .stored_model import check_numbers
from .value_checks import (
    SLACK,
    Check,
    are_alike,
    are_names,
    are_sizes,
    either,
    has,
    has_outcome_names,
    is_a,
    is_alike,
    is_array,
    is_count,
    is_distribution,
    is_list_of,
    is_ndarray,
    is_number,
    is_one_of,
    is_rising,
    is_size,
    is_tuple_of,
)

#: Methods whose metadata can be routed.
ROUTED = ("fit", "score")

NOTHING = is_a(type(None))
AGREEMENT = either(is_number(), NOTHING)
EDGES = is_array("float64", "nodes", "nodes", low=-SLACK, high=1.0 + SLACK)


def are_shapes(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is one shape per modality."""
    if not isinstance(value, (list, tuple)) or type(value) not in (list, tuple):
        return False
    right = (len(value),) == known["modalities"]
    return right and all(are_sizes(shape, known) and len(shape) > 0 for shape in value)


def are_weights(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a finite factor for each modality."""
    if type(value) is not tuple or (len(value),) != known["modalities"]:
        return False
    return is_tuple_of(float)(value, known) and all(0 <= weight < math.inf for weight in value)


def are_views(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a kind of view, or None, for each modality."""
    if type(value) is not tuple or (len(value),) != known["modalities"]:
        return False
    return all(kind is None or kind in VIEW_WORDS for kind in value)


def are_columns(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is names of columns, or None, for each modality by name."""
    if type(value) is not dict or (len(value),) != known["modalities"]:
        return False
    return all(names is None or is_text(names) for names in value.values())


def is_text(value: Unchecked) -> bool:
    """Say whether it is a row of strings."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "O" or value.ndim != 1:
        return False
    return all(type(text) is str for text in value.tolist())


def are_tables_of_input(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is what modalities were beside their numbers: of each, or of a flat array."""
    if type(value) is not list or (len(value),) not in ((1,), known["modalities"]):
        return False
    return all(
        type(of) is dict
        and set(of) == {"kind", "dims", "labels"}
        and of["kind"] in KINDS
        and is_list_of(is_a(str))(of["dims"], known)
        and type(of["labels"]) is dict
        and all(is_text(labels) or is_ndarray(labels, known) for labels in of["labels"].values())
        for of in value
    )


def are_references(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is rising finite numbers for each modality, and for all of several."""
    (n_modalities,) = known["modalities"]
    n_terms = 1 if n_modalities == 1 else n_modalities + 1
    return type(value) is list and len(value) == n_terms and is_list_of(is_rising)(value, known)


def is_state(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is numbers by name; the model says which they must be."""
    if type(value) is not dict:
        return False
    return all(type(n) is str and isinstance(array, np.ndarray) for n, array in value.items())


def is_of_subset_encoders(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is numbers like the encoders'; a single modality has potentials alone."""
    state, roots, (n_modalities,) = known["state"], "information_roots", known["modalities"]
    if not is_state(state, known) or roots not in state:
        return False
    if n_modalities == 1:
        return are_alike(value, {roots: state[roots]})
    expected = {n: a for n, a in state.items() if n.startswith(("encoders.", "views.", roots))}
    shapes = {"widening": (n_modalities, *known["latent"]), "log_exponents": (n_modalities,)}
    dtype = state[roots].dtype
    return are_alike(value, expected | {n: np.empty(s, dtype) for n, s in shapes.items()})


def is_graph(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is an acyclic graph of the nodes with their sizes, and edges with weights."""
    if type(value) is not nx.DiGraph or not nx.is_directed_acyclic_graph(value):
        return False
    graph: nx.DiGraph = value
    edges = [(of.get("weight"), of.get("compelled")) for of in graph.edges.values()]
    right = all(type(weight) is float and type(bound) is bool for weight, bound in edges)
    right = right and all(map(has_outcome_names, graph.nodes.values()))
    return right and tuple(of.get("size") for of in graph.nodes.values()) == known["grid"]


def are_tables(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a table for each node, whose rows are probabilities."""
    if type(value) is not dict or (len(value),) != known["nodes"]:
        return False
    return all(is_distribution(table, axis=-1) for table in value.values())


def are_histories(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a number per epoch for each term; a term may diverge."""
    if type(value) is not dict or not value or not all(type(name) is str for name in value):
        return False
    return all(
        isinstance(v, np.ndarray) and v.dtype == "float64" and v.shape == known["epochs"]
        for v in value.values()
    )


def are_phases(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a number per epoch for each term of each phase."""
    if type(value) is not dict or not set(value) <= {"pre-training", "polishing"}:
        return False
    return all(
        type(terms) is dict
        and len(terms) > 0
        and are_histories(terms, {"epochs": np.shape(next(iter(terms.values())))})
        for terms in value.values()
    )


def are_expert_tables(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is columns with one entry per component."""
    # Outcomes, parameters and, where experts are per sample, parameters in the model's dtype.
    kinds = [np.empty(known["components"], dtype) for dtype in ("int64", "float64", "float32")]
    return type(value) is dict and all(
        type(table) is ExpertTable
        and all(any(is_alike(c, kind) for kind in kinds) for c in table.values())
        for table in value.values()
    )


def is_square(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a matrix of adjusted Rand indices, one row per fit."""
    if not isinstance(value, np.ndarray) or value.dtype != "float64" or value.ndim != 2:
        return False
    return len(value) == value.shape[1] > 0 and bool((np.abs(value) <= 1.0 + SLACK).all())


def are_requests(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is what methods ask for in metadata routing, by method."""
    if type(value) is not dict or not set(value) <= set(ROUTED):
        return False
    return all(
        type(asked) is dict and all(type(v) in (bool, str) for v in asked.values())
        for asked in value.values()
    )


#: What the fields of a specification must be, by what is declared of them.
DECLARED: dict[str, Check] = {
    "int": is_a(int),
    "bool": is_a(bool),
    "str": is_one_of("float32", "float64"),
    "tuple[int, ...]": are_sizes,
    "tuple[str, ...]": is_tuple_of(str),
    "tuple[bool, ...]": is_tuple_of(bool),
    "tuple[str | None, ...]": are_views,
    "tuple[float, ...] | None": either(are_weights, NOTHING),
    "tuple[tuple[int, ...], ...]": are_shapes,
    "list[Network]": is_a(list),
    "list[ExpertDecoder | None]": is_a(list),
}

#: What :func:`build_model` is given.
ARCHITECTURE = {field.name: DECLARED[str(field.type)] for field in fields(ModelSpec)}

#: Every attribute of a fitted estimator, its parameters aside. A new one, of types that have a
#: form in :mod:`plain_data`, is one line here (and a word in ``OPTIONAL``, if some fits or files
#: lack it): an attribute that is not listed cannot be saved.
FITTED: dict[str, Check] = {
    "_architecture": is_a(dict),
    "_arrivals": ARRIVALS,
    "_checkpoint": is_a(dict),
    "_covariance_type": is_one_of(*COVARIANCE_TYPES),
    "_metadata_request": are_requests,
    "_input_form": is_one_of(*CONTAINERS),
    "_modality_tables": are_tables_of_input,
    "_node_names": is_a(list),
    "_scaler": is_scaler,
    "_sklearn_output_config": has(
        frozenset({"transform"}), transform=is_one_of("default", "pandas", "polars")
    ),
    "_state": is_state,
    "_subset_state": either(is_of_subset_encoders, NOTHING),
    "_tail_reference": are_references,
    "arrangement_": either(
        has(
            misfit=is_number(),
            gap=is_number(low=0.0),
            ties=is_count,
            node_shares=is_array("float64", "nodes"),
            node_agreement=is_array("float64", "nodes"),
            agreement=is_number(),
            smallest_share=is_number(),
            found=is_a(bool),
            certainty=either(is_number(low=0.0, high=1.0), NOTHING),
        ),
        NOTHING,
    ),
    "choices_": are_choices,
    "cluster_covariances_": is_array("model", "covariances"),
    "cluster_means_": is_array("model", "components", "latent"),
    "cluster_states_": is_array("int64", "components", "nodes"),
    "convergence_": has(
        ended=is_one_of("converged", "max_iter", "interrupted", "too early", "fallen"),
        n_steps=is_count,
        spread=is_number(low=0.0),
        rise=either(is_number(), NOTHING),
        fall=is_number(low=0.0),
        label_changes=either(is_number(low=0.0, high=1.0), NOTHING),
        moved=either(is_number(low=0.0, high=1.0), NOTHING),
    ),
    "converged_": is_a(bool, np.bool_),
    "cpts_": are_tables,
    "dag_": is_graph,
    "edge_probabilities_": either(EDGES, NOTHING),
    "edge_weights_": EDGES,
    "expert_params_": are_expert_tables,
    "feature_names_in_": are_names("features"),
    "gaps_": either(
        has(nodes=is_ndarray, cut=is_array("bool", "nodes"), pairs=is_ndarray), NOTHING
    ),
    "history_": are_histories,
    "joint_": is_array("float64", "grid", low=0.0, high=1.0 + SLACK),
    "labels_": is_array("int64", "samples"),
    "latent_dim_": is_size("latent"),
    "lower_bound_": lambda value, known: type(value) is float and math.isfinite(value),
    "modality_feature_names_in_": are_columns,
    "modality_names_in_": are_names("modalities"),
    "modality_shapes_in_": are_shapes,
    "n_features_in_": is_size("features"),
    "n_iter_": is_size("epochs"),
    "n_modalities_in_": is_size("modalities"),
    "node_labels_": is_array("int64", "samples", "nodes"),
    "node_scores_": is_array("float64", "nodes"),
    "phase_history_": are_phases,
    "separation_": has(
        smallest=is_number(low=-SLACK),
        occupancy=is_array("float64", "components", low=0.0, high=1.0 + SLACK),
        empty=is_ndarray,
        merged=is_ndarray,
        certainty=is_array("float64", "nodes", low=0.0, high=1.0 + SLACK),
    ),
    "stability_": has(
        agreement=AGREEMENT,
        unstable=is_a(bool),
        with_starts=AGREEMENT,
        among_starts=AGREEMENT,
        short_runs=AGREEMENT,
        rand_indices=is_square,
    ),
    "weights_": is_array("float64", "components", low=0.0, high=1.0 + SLACK),
}
OPTIONAL = {
    "_arrivals",
    "_checkpoint",
    "_modality_tables",
    "_metadata_request",
    "_sklearn_output_config",
    "feature_names_in_",
}
#: Those that are no result of a fit, and outlive it.
SET_BY_USERS = {"_metadata_request", "_sklearn_output_config"}


def check_attributes(attributes: Values) -> None:
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
    of_model = {"modalities": (len(architecture["modality_names"]),)}
    _check_all(architecture, ARCHITECTURE, of_model)
    known = _sizes(attributes) | {"state": attributes["_state"]}
    _check_all(attributes, FITTED, known)
    check_numbers(architecture, attributes["_state"])
    check_numbers(architecture, attributes["_subset_state"] or {}, "_subset_state: ")
    check_together(attributes, TOGETHER)
    checkpoint = attributes.get("_checkpoint")
    if checkpoint is not None:
        if set(checkpoint) != set(CHECKPOINT):
            raise ValueError(f"_checkpoint is not {list(CHECKPOINT)}")
        _check_all(checkpoint, CHECKPOINT, known, "_checkpoint.")
        for state in _states_of_checkpoint(attributes):
            check_numbers(architecture, state, "_checkpoint: ")
        check_together(attributes, WITH_CHECKPOINT)


def states_of(attributes: Values) -> list[dict[str, np.ndarray]]:
    """Return the numbers of the model: as fitted, for incomplete samples, and of the checkpoint."""
    state, of_subsets = attributes["_state"], attributes["_subset_state"]
    if of_subsets is None:
        return [state, *_states_of_checkpoint(attributes)]
    shared = {name: array for name, array in of_subsets.items() if name in state}
    return [state, state | shared, *_states_of_checkpoint(attributes)]


def _states_of_checkpoint(attributes: Values) -> list[dict[str, np.ndarray]]:
    """Return the numbers that training goes on from, and those that it goes back to."""
    checkpoint = attributes.get("_checkpoint")
    kept = [] if checkpoint is None else [checkpoint["model"], checkpoint["stopper"]["best_state"]]
    return [state for state in kept if state is not None]


def _check_all(values: Mapping, checks: Mapping[str, Check], known: Mapping, of: str = "") -> None:
    """Check each value on its own."""
    for name, value in values.items():
        if not checks[name](value, known):
            raise ValueError(f"{of}{name} is not what a fit of this size sets: {value!s:.100}")


def _sizes(attributes: Values) -> dict[str, tuple]:
    """Return the shapes of axes, by name, and the dtype of the model."""
    architecture, n_iter = attributes["_architecture"], attributes["n_iter_"]
    grid, latent = architecture["node_sizes"], architecture["latent_dim"]
    components = math.prod(grid)
    word = attributes["_covariance_type"]
    if not FITTED["_covariance_type"](word, {}):
        raise ValueError(f"_covariance_type is none of {list(COVARIANCE_TYPES)}: {word!s:.100}")
    return {
        "grid": grid,
        "nodes": (len(grid),),
        "components": (components,),
        "latent": (latent,),
        "covariances": COVARIANCE_TYPES[word].shape(components, latent),
        "modalities": (len(architecture["modality_names"]),),
        "features": (sum(math.prod(shape) for shape in architecture["shapes"]),),
        "samples": attributes["labels_"].shape[:1],
        "epochs": (n_iter,),
        "model": (architecture["dtype"],),
    }
