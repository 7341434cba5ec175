"""The house rules that the source itself can be asked about."""

import ast
from pathlib import Path

import networkx as nx
import pytest

PACKAGE = Path(__file__).parents[1] / "skcausalpima"
FILES = sorted(PACKAGE.rglob("*.py"))

# What each room (a file or a folder right below the package) may import of ours, itself aside.
NUMERICS = {"functional", "modules"}
GATE = {"_missing_samples", "_modality_arrays", "_multimodal_data", "_modalities", "_scaling"}
GATE |= {"_selection_keys", "_table_labels"}
STARTS = {"_arrangement", "_clusters", "_known_nodes", "_mixture_start", "_start_selection"}
GRAPHS = {"_equivalence", "_graph_knowledge", "_graph_learning", "_structure"}
EXPERTS = {"_expert_setup", "_expert_table"}
TRAINED = {"_block_update", "_divergence", "_expert_fitting", "_stopping", "_training"}
TRAINING = {*NUMERICS, *STARTS, *GRAPHS, *TRAINED}
MODEL = {"_expert_start", "_linear_start", "_model_state", "_module_checks"}
FITTING = {*TRAINING, *MODEL, "_training_data", "_covariances", "_sample_weights", "_setup"}
RUNNING = {"_checkpoint", "_run_start", "_restarts", "_runs"}
FRONT = {*EXPERTS, *RUNNING, "_export", "_inference", "_parameters", "_what_if", "graph"}
CHECKS = {"_checkpoint_checks", "_fit_consistency", "_value_checks"}
SURROUNDINGS = {"_arithmetic", "_surroundings"}
SAVING = {"_persistence", "_plain_values"}
FILES_OF_FITS = {"_fitted_attributes", "_plain_values", "_stored_model"}
# What every room may import.
GROUND = {"_version", "_warnings"}
MAY_IMPORT = {
    "_arithmetic": set(),
    "_surroundings": {"_arithmetic"},
    "functional": set(),
    "modules": {"functional"},
    "_equivalence": set(),
    "_structure": {"_equivalence", "functional"},
    "_scalar_checks": set(),
    "_table_labels": set(),
    "_selection_keys": {"_modality_arrays"},
    "_known_nodes": {"_modality_arrays"},
    "_placements": set(),
    "_arrangement": {"_known_nodes", "_placements"},
    "_clusters": set(),
    "_start_selection": {"_arrangement", "_clusters", "_known_nodes"},
    "exceptions": set(),
    "_export": {*FITTING, "_expert_table", "_inference", "_runs", "exceptions"},
    "_mixture_start": {"_clusters", "functional"},
    "_covariances": set(),
    "_modality_arrays": set(),
    "_missing_samples": {"_modality_arrays"},
    "_multimodal_data": GATE,
    "_modalities": GATE,
    "_scaling": GATE,
    "_modality_part": GATE,
    "_modality_transformer": {"_modality_part", *GATE},
    "_sample_weights": GATE,
    "_parameters": {"_scalar_checks"},
    "_model_state": NUMERICS,
    "_module_checks": {"modules"},
    "_training_data": {"modules"},
    "_graph_learning": {"_equivalence", "_structure", *NUMERICS},
    "_graph_knowledge": {"_graph_learning", "_modality_arrays", "_structure", "_table_labels"},
    "_expert_setup": {"_parameters", "modules"},
    "_setup": {
        *GATE,
        *GRAPHS,
        "_expert_setup",
        "_known_nodes",
        "_parameters",
        "_sample_weights",
        "modules",
    },
    "_expert_fitting": {"_training_data", *NUMERICS},
    "_expert_start": {"_expert_fitting", "_training_data", *NUMERICS},
    "_expert_table": {"_expert_fitting", "_training_data", *NUMERICS},
    "_divergence": {"exceptions", "modules"},
    "_stopping": {"_divergence", "_expert_fitting", "exceptions", "modules"},
    "_block_update": {
        "_divergence",
        "_expert_fitting",
        "_graph_learning",
        "_training_data",
        *NUMERICS,
    },
    "_training": {"_block_update", "_divergence", "_stopping", "_training_data", "modules"},
    "_linear_start": {"_training_data", "modules"},
    "_inference": {"_training_data", *NUMERICS},
    "_checkpoint": {*NUMERICS, *FITTING, "_scaling"},
    "_run_start": FITTING,
    "_runs": {*FITTING, "_checkpoint", "_run_start"},
    "_orphans": set(),
    "_restarts": {
        "_orphans",
        "_parameters",
        "_run_start",
        "_runs",
        "_setup",
        "_training_data",
        "exceptions",
    },
    "graph": {"_equivalence"},
    "_what_if": {"graph"},
    "_value_checks": set(),
    "_checkpoint_checks": {"_checkpoint", "_scaling", "_value_checks"},
    "_plain_values": {"_expert_table", "_scaling", "_value_checks", "modules"},
    "_fit_consistency": {"_covariances", "_expert_table", "_plain_values", "_value_checks"},
    "_fitted_attributes": {*CHECKS, "_expert_table", "_scaling", "_stored_model"},
    "_stored_model": {
        "_expert_setup",
        "_model_state",
        "_module_checks",
        "_parameters",
        "_plain_values",
        "_value_checks",
        "modules",
    },
    "_model_files": set(),
    "_persistence": {"_model_files", "_parameters", *FILES_OF_FITS, "modules"},
    "_causal_pima": {
        *SURROUNDINGS,
        *FITTING,
        *GATE,
        *GRAPHS,
        *FRONT,
        "_fitted_attributes",
        "_persistence",
        "_plain_values",
        "_scalar_checks",
    },
    "datasets": {"_scalar_checks"},
    "metrics": {"_scalar_checks"},
    "inspection": {
        "_equivalence",
        "_known_nodes",
        *GATE,
        "_scalar_checks",
        "exceptions",
        "graph",
    },
    "model_selection": {
        "_arrangement",
        "_clusters",
        "_known_nodes",
        *GATE,
        "_parameters",
        "_scalar_checks",
        "exceptions",
    },
    "_version": set(),
    "_warnings": set(),
    "__init__": {"_causal_pima", "_modality_transformer", "_multimodal_data"},
}
# The docstrings of the one estimator are its reference; they do not count as its length.
REFERENCE_FILES = {"_causal_pima.py"}
# These work without torch.
PREPARATION = {"_modality_part", "_modality_transformer"}
LIGHT_ROOMS = {
    "_scalar_checks",
    "datasets",
    "metrics",
    "graph",
    "inspection",
    "_equivalence",
    "_what_if",
    *GATE,
}
LIGHT_ROOMS |= {"_arithmetic", "_scalar_checks", *PREPARATION}


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(path):
    """Return the dotted names that a file imports, those of the package in full."""
    package = ["skcausalpima", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def our_imports(path):
    """Return the rooms that a file imports, its own aside."""
    dotted = (name.split(".") for name in imported_modules(path))
    return {parts[1] for parts in dotted if parts[0] == "skcausalpima"} - {room_of(path)}


def definitions(path):
    """Return the classes and functions of a file, nested ones too."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]


def docstring_length(node):
    first = node.body[0]
    return first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0


def only_stores(node):
    """Whether a function does nothing but store its arguments, as scikit-learn's constructors."""
    names = [argument.arg for argument in (*node.args.args[1:], *node.args.kwonlyargs)]
    return [ast.unparse(line) for line in node.body] == [f"self.{n} = {n}" for n in names]


def relative_name(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=relative_name)
def test_a_room_imports_only_rooms_below_it(path):
    assert room_of(path) in MAY_IMPORT, "a new room: say in MAY_IMPORT what it may import"
    assert our_imports(path) <= MAY_IMPORT[room_of(path)] | GROUND


def test_imports_have_no_cycles():
    edges = [(room_of(path), room) for path in FILES for room in our_imports(path)]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(edges))


@pytest.mark.parametrize("path", FILES, ids=relative_name)
def test_heavy_libraries_stay_in_their_rooms(path):
    libraries = {name.split(".")[0] for name in imported_modules(path)}
    if room_of(path) in LIGHT_ROOMS:
        assert "torch" not in libraries
    if room_of(path) == "functional":
        assert not libraries & {"numpy", "scipy", "sklearn", "networkx"}
    top_level = {
        alias.name.split(".")[0]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert "matplotlib" not in top_level, "an optional dependency: import it where it is used"


@pytest.mark.parametrize("path", FILES, ids=relative_name)
def test_files_are_short_and_named_after_what_they_hold(path):
    n_lines = len(path.read_text().splitlines())
    if path.name in REFERENCE_FILES:
        n_lines -= sum(map(docstring_length, definitions(path)))
    assert n_lines < 400
    assert path.stem not in {"utils", "_utils", "helpers", "_helpers", "misc", "common"}


@pytest.mark.parametrize("path", FILES, ids=relative_name)
def test_functions_are_shorter_than_forty_lines(path):
    lengths = {
        node.name: node.end_lineno - node.body[0].lineno + 1 - docstring_length(node)
        for node in definitions(path)
        if not isinstance(node, ast.ClassDef) and not only_stores(node)
    }
    assert {name: length for name, length in lengths.items() if length >= 40} == {}
