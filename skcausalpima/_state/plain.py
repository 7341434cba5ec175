"""Values as plain data, for pickles and for files, and back again.

Plain data are None, booleans, integers, finite floats, strings, numeric arrays, lists of these, and
mappings ``{"$": tag, field: ..}`` that stand for everything else. The tags are those of ``FORMS``:
nothing is imported, and nothing called, because a file names it.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from types import FunctionType
from typing import Any, TypeAlias

import networkx as nx
import numpy as np

from .._base.parameter_objects import OBJECTS
from .._base.reports.cells import (
    ArrangementReport,
    CellValuesReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.contexts import AdaptedLabel
from .._base.reports.report import Report
from .._base.reports.training import ChoicesReport, ConvergenceReport, TriedStart
from .._base.types import Values
from .._clustering.arrangement import Arrangement
from .._clustering.candidates import CandidateReport
from .._contexts.fitted import FittedContexts
from .._data.kept_groups import FitGroups
from .._data.scaling import ModalityScaler
from .._model.spec import ModelSpec, of_another_version
from ..cluster import GridClustering
from ..modules import ExpertDecoder, exponential_decay, line, piecewise_linear
from .fitted import FITTED, ExpertTable, FittedState, HardGraph, fitted_attributes
from .training import (
    Arrivals,
    BegunRun,
    Draws,
    FixedSettings,
    SeenOfTraining,
    StopperState,
    StoredStart,
    TrainingState,
    is_twister,
)

TAG = "$"

#: A value that a file holds, to be handed on to what checks it.
Loaded: TypeAlias = Any

#: Plain data, as the text above says.
Plain: TypeAlias = bool | int | float | str | np.ndarray | list["Plain"] | dict[str, "Plain"] | None

#: Parameters that pickles hold in plain form, so that whoever reads one need trust no type but the
#: estimator.
PLAIN_IN_PICKLES = list(OBJECTS)

MODEL_FUNCTIONS: dict[str, Callable] = {"line": line, "exponential_decay": exponential_decay}
PIECEWISE = "piecewise_linear"  # one function for each number of pieces
PiecewiseLinear = type(piecewise_linear())
SCALARS = {
    np.dtype(kind).name: np.dtype(kind).type
    for kind in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
} | {"str": np.str_}


@dataclass(frozen=True)
class Code:
    """The place of something that only code can make: a module, a function, an expert of one."""

    what: str
    settings: Values | None = None  # of the expert, besides its function


def pack(value: Loaded, other: Callable[[Loaded], Plain]) -> Plain:
    """Return a value in plain form.

    Parameters
    ----------
    value : object
        Nothing in it is copied that need not be.
    other : callable
        Called with what has no plain form; what it returns takes the place.

    Returns
    -------
    object
        Plain data.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind is list:
        return [pack(entry, other) for entry in value]
    is_array = kind in (np.ndarray, np.memmap)
    if is_array and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:  # is stored as such
        return value
    tag = _tag_of(value)
    if tag is None:
        return other(value)
    fields = FORMS[tag].take(value)
    return {TAG: tag} | {name: pack(field, other) for name, field in fields.items()}


def unpack(plain: Loaded, stored: Callable[[str], np.ndarray] | None = None) -> Loaded:
    """Return the value that plain data stand for.

    Parameters
    ----------
    plain : object
        From :func:`pack`.
    stored : callable, default=None
        Returns an array by its name, where arrays are stored elsewhere.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it stands for nothing.
    """
    if type(plain) is list:
        return [unpack(entry, stored) for entry in plain]
    if type(plain) is not dict:
        return plain
    fields = dict(plain)
    tag = fields.pop(TAG, None)
    if tag == "array" and stored is not None:
        return stored(fields["name"])
    if type(tag) is not str or tag not in FORMS:
        raise ValueError(f"it asks for a value of the kind {tag!r}, expected one of {list(FORMS)}")
    return FORMS[tag].make(**{name: unpack(field, stored) for name, field in fields.items()})


def portable(state: Values) -> Values:
    """Return an estimator's attributes for a pickle, without those that follow from the state."""
    if FITTED in state:
        follows = fitted_attributes(state[FITTED])
        state = {n: v for n, v in state.items() if n == FITTED or n not in follows}
    plain = [name for name in (*PLAIN_IN_PICKLES, FITTED) if name in state]
    return {**state, **{name: pack(state[name], lambda value: value) for name in plain}}


def restored(state: Values) -> Values:
    """Undo :func:`portable`; a pickle of another version raises a ValueError."""
    plain = {name: state[name] for name in (*PLAIN_IN_PICKLES, FITTED) if name in state}
    tagged = {n: v for n, v in plain.items() if type(v) is dict and TAG in v}
    unpacked = {**state, **{name: unpack(value) for name, value in tagged.items()}}
    return unpacked | fitted_attributes(unpacked[FITTED]) if FITTED in unpacked else unpacked


#: What an expert is given besides its function, start values and bounds.
STATED = ("x", "per", "fixed", "depends_on", "variance", "scatter", "refit")


def expert_settings(expert: ExpertDecoder) -> Values:
    """Return what an expert consists of, its model function aside.

    Returns
    -------
    dict
        ``parameters``, their names, and the arguments of :class:`ExpertDecoder`.
    """
    bounds = dict.fromkeys(expert.names, (-math.inf, math.inf))  # what is fixed needs none
    limits = zip(expert.space.lower, expert.space.upper, strict=True)
    bounds |= zip(expert.free_names, limits, strict=True)
    start = {"parameters": list(expert.names), "p0": expert.start_values, "bounds": bounds}
    return start | {name: getattr(expert, name) for name in STATED}


def _tag_of(value: Loaded) -> str | None:
    """Return the tag of a value's form, None if it has none."""
    if isinstance(value, np.generic):
        return "scalar" if _scalar_name(value) in SCALARS else None
    if isinstance(value, datetime):  # of pandas, too, whose equal it becomes
        return None if getattr(value, "nanosecond", 0) else "datetime"
    if type(value) in (FunctionType, PiecewiseLinear):
        return None if _function_name(value) is None else "model_function"
    if type(value) is np.ndarray and value.dtype.kind not in "OU":
        return None
    if type(value) is np.random.RandomState:
        twister = value.get_state(legacy=False)["bit_generator"] == "MT19937"
        return "random_state" if twister else None
    return next((tag for tag, form in FORMS.items() if type(value) is form.kind), None)


def _function_name(function: Callable) -> str | None:
    """Return the name of one of the library's own model functions."""
    if type(function) is PiecewiseLinear:
        return PIECEWISE
    return next((name for name, ours in MODEL_FUNCTIONS.items() if function is ours), None)


def _parameters(function: Callable) -> list[str]:
    return list(inspect.signature(function).parameters)[1:]


def _make_function(name: str, parameters: Sequence[str]) -> Callable:
    function = MODEL_FUNCTIONS.get(name)
    if name == PIECEWISE:  # as long as the list of names: a number of pieces could be any
        n_pieces = sum(parameter.startswith("slope") for parameter in parameters)
        function = piecewise_linear(n_pieces, "intercept" in parameters)
    if function is None or _parameters(function) != parameters:
        raise ValueError(
            f"it asks for the model function {name!r} of the parameters {parameters}, expected one "
            f"of {[*MODEL_FUNCTIONS, PIECEWISE]}"
        )
    return function


def _make_expert(function: Loaded, settings: dict) -> ExpertDecoder | Code:
    if set(settings) != {"parameters", "p0", "bounds", *STATED}:
        raise ValueError(f"an expert has the settings {list(settings)}")
    if isinstance(function, Code):
        return Code(f"an expert of the parameters {settings['parameters']}", settings)
    arguments = {name: value for name, value in settings.items() if name != "parameters"}
    return ExpertDecoder(function, **arguments)


def _take_graph(graph: nx.DiGraph) -> dict:
    """Return nodes and edges in an order that keeps the order of children and of parents."""
    order = nx.DiGraph()
    order.add_nodes_from(graph.edges)
    for node in graph:
        nx.add_path(order, list(graph.out_edges(node)))
        nx.add_path(order, list(graph.in_edges(node)))
    return {
        "attributes": dict(graph.graph),
        "nodes": [[node, dict(attributes)] for node, attributes in graph.nodes.items()],
        "edges": [[*edge, dict(graph.edges[edge])] for edge in nx.topological_sort(order)],
    }


def _make_graph(attributes: dict, nodes: list, edges: list) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.graph.update(attributes)
    for node, of_node in nodes:
        graph.add_node(node)
        graph.nodes[node].update(of_node)
    for parent, child, of_edge in edges:
        if parent not in graph or child not in graph:
            raise ValueError(f"a graph has an edge {parent!r} -> {child!r} between other nodes")
        graph.add_edge(parent, child)
        graph.edges[parent, child].update(of_edge)
    return graph


def _take_objects(array: np.ndarray) -> dict:
    """Return the entries of an array of strings or of objects."""
    values = array.ravel().tolist()
    return {"values": values, "shape": list(array.shape), "text": array.dtype.kind == "U"}


def _make_objects(values: list, shape: list, text: bool) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        array[position] = value
    return (array.astype(np.str_) if text else array).reshape(shape)


def _take_random_state(rng: np.random.RandomState) -> dict:
    state = rng.get_state(legacy=False)
    return {**state["state"], "has_gauss": state["has_gauss"], "gauss": state["gauss"]}


def _make_random_state(
    key: np.ndarray, pos: int, has_gauss: int, gauss: float
) -> np.random.RandomState:
    if not is_twister(key, pos, has_gauss, gauss):
        raise ValueError("it has a random state that is none")
    rng = np.random.RandomState(0)
    rng.set_state(("MT19937", key, pos, has_gauss, gauss))
    return rng


def _make_float(value: str) -> float:
    if value not in ("inf", "-inf", "nan"):
        raise ValueError(f"a number is {value!r}")
    return float(value)


def _scalar_name(value: np.generic) -> str:
    return "str" if isinstance(value, np.str_) else value.dtype.name


@dataclass(frozen=True)
class Form:
    """How one type becomes named fields, and how these become a value again."""

    kind: type
    take: Callable[..., dict]
    make: Callable


def _by_fields(kind: type) -> Form:
    """Return the form of a dataclass: its fields, all of them."""

    def make(**given: Loaded) -> Loaded:
        known = {field.name for field in fields(kind)}
        if set(given) != known:
            raise of_another_version(
                f"its {kind.__name__} has the fields {sorted(given)}, but this version's has "
                f"{sorted(known)}"
            )
        return kind(**given)

    return Form(kind, vars, make)


#: What fitted states tell.
REPORTS: tuple[type[Report], ...] = (
    *(SeparationReport, ConvergenceReport, ArrangementReport, StabilityReport, FoundAgainReport),
    *(CellValuesReport, GapsReport, ChoicesReport, TriedStart, AdaptedLabel),
)
#: Dataclasses that are stored by their fields.
BY_FIELDS: tuple[type, ...] = (
    *(FittedState, HardGraph, TrainingState, Draws, StopperState, SeenOfTraining, StoredStart),
    *(FixedSettings, Arrivals, BegunRun, CandidateReport, Arrangement, ModelSpec, ModalityScaler),
    *(FittedContexts, FitGroups),
    *REPORTS,
)
FORMS = {
    "float": Form(float, lambda v: {"value": repr(v)}, _make_float),
    "tuple": Form(tuple, lambda v: {"items": list(v)}, lambda items: tuple(items)),
    "set": Form(set, lambda v: {"items": sorted(v, key=repr)}, lambda items: set(items)),
    "frozenset": Form(
        frozenset, lambda v: {"items": sorted(v, key=repr)}, lambda items: frozenset(items)
    ),
    "dict": Form(
        dict,
        lambda v: {"keys": list(v), "values": list(v.values())},
        lambda keys, values: dict(zip(keys, values, strict=True)),
    ),
    "scalar": Form(
        np.generic,
        lambda v: {"type": _scalar_name(v), "value": v.item()},
        lambda type, value: SCALARS[type](value),
    ),
    "date": Form(date, lambda v: {"value": v.isoformat()}, lambda value: date.fromisoformat(value)),
    "datetime": Form(
        datetime,
        lambda v: {"value": datetime.isoformat(v), "fold": v.fold},
        lambda value, fold: datetime.fromisoformat(value).replace(fold=fold),
    ),
    "bytes": Form(bytes, lambda v: {"hex": v.hex()}, lambda hex: bytes.fromhex(hex)),
    "objects": Form(np.ndarray, _take_objects, _make_objects),
    "graph": Form(nx.DiGraph, _take_graph, _make_graph),
    "random_state": Form(np.random.RandomState, _take_random_state, _make_random_state),
    "expert_table": Form(
        ExpertTable,
        lambda v: {
            "parameters": v.parameters,
            "outcome_names": v.outcome_names,
            "columns": dict(v),
        },
        ExpertTable,
    ),
    "model_function": Form(
        FunctionType,
        lambda v: {"name": _function_name(v), "parameters": _parameters(v)},
        _make_function,
    ),
    "expert": Form(
        ExpertDecoder, lambda v: {"function": v.f, "settings": expert_settings(v)}, _make_expert
    ),
    "code": Form(Code, lambda v: {"what": v.what}, lambda what: Code(what)),
}
FORMS |= {kind.__name__: _by_fields(kind) for kind in BY_FIELDS}
FORMS |= {
    kind.__name__: Form(kind, lambda v: v.get_params(deep=False), kind)
    for kind in (*itertools.chain(*OBJECTS.values()), GridClustering)
}
