"""The house rules that the source itself can be asked about."""

import ast
import functools
import importlib
import re
from pathlib import Path

import networkx as nx
import pytest

PACKAGE = Path(__file__).parents[2] / "skcausalpima"
FILES = sorted(PACKAGE.rglob("*.py"))

# The rooms (folders and files right below the package) by layer, the lowest first: a file imports
# from its own room and from lower layers, nothing else; imports for annotations count as well.
LAYERS = [
    {"exceptions"},
    {"_base"},
    {"functional", "_data", "_structure", "datasets", "metrics", "callback"},
    {"_held_out"},
    {"_clustering", "_start"},
    {"modules", "graph", "_contexts", "cluster"},
    {"_model"},
    {"_state"},
    {"_training"},
    {"_initialization", "_inference"},
    {"_judge"},
    {"_fit"},
    {"inspection", "model_selection"},
    {"_causal_pima"},
    {"__init__"},
]
LAYER_OF = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
# These work without torch.
LIGHT_ROOMS = {
    *LAYERS[0],
    *LAYERS[1],
    *LAYERS[2],
    *LAYERS[3],
    *LAYERS[4],
    "graph",
    "inspection",
    "_contexts",
    "_judge",
    "cluster",
} - {"functional"}
# Besides the constructors that do nothing but store their arguments.
MANY_PARAMETERS = {
    "_causal_pima.py": {"resume"},
    "_structure/search.py": {"search_dag"},
    "datasets/_contexts.py": {"add_context"},
    "inspection/_displays/intervention.py": {"from_estimator"},
    "inspection/_edge_confidence.py": {"edge_confidence"},
    "inspection/_table_intervals.py": {"table_intervals"},
    "modules/_experts/expert_decoder.py": {"__init__"},
}
#: Names with an underscore in front, but not those of Python.
PRIVATE = re.compile(r"\._(?!_)")
FACES = [path for path in FILES if path.name == "__init__.py"]
PRIVATE_ROOMS = [path.parent for path in FACES if path.parent.name.startswith("_")]
# Files whose docstrings are long pages of the reference: these are not their length.
REFERENCE_FILES = {
    "_categorical_dag.py",
    "_causal_pima.py",
    "_grid_clustering.py",
    "parameter_objects.py",
    "graph.py",
    "intervention.py",
    "modality_transformer.py",
    "_select_node_sizes.py",
    "multimodal_data.py",
}


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def relative_name(path):
    return str(path.relative_to(PACKAGE))


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


@functools.cache
def nodes(path):
    return list(ast.walk(parsed(path)))


def breaches(rule, paths=FILES):
    """Return what a rule finds, by file: a test tells of all files at once."""
    found = {relative_name(path): rule(path) for path in paths}
    return {name: what for name, what in found.items() if what}


def imported_modules(path):
    """Return the dotted names that a file imports, those of the package in full."""
    package = ["skcausalpima", *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes(path):
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


def file_of(dotted):
    """Return the file of ours that a dotted name leads to, None if it is not of ours."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        place = PACKAGE.parent.joinpath(*parts[:n])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path in FILES:
                return path
    return None


def definitions(path):
    """Return the classes and functions of a file, nested ones too."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in nodes(path) if isinstance(node, kinds)]


def docstring_length(node):
    first = node.body[0]
    return first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0


def only_stores(node):
    """Whether a function does nothing but store its arguments, as scikit-learn's constructors."""
    names = [argument.arg for argument in (*node.args.args[1:], *node.args.kwonlyargs)]
    return [ast.unparse(line) for line in node.body] == [f"self.{n} = {n}" for n in names]


def arguments_of(node):
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def test_a_file_imports_from_its_own_room_and_from_lower_layers():
    assert {room_of(path) for path in FILES} <= set(LAYER_OF), "a new room: say where it belongs"

    def not_lower(path):
        return {room for room in our_imports(path) if LAYER_OF[room] >= LAYER_OF[room_of(path)]}

    assert breaches(not_lower) == {}


def test_private_files_of_public_rooms_are_imported_by_their_own_room_alone():
    def private(path):
        dotted = [name.split(".") for name in imported_modules(path)]
        inside = [parts for parts in dotted if parts[0] == "skcausalpima" and len(parts) > 2]
        foreign = [parts for parts in inside if parts[1] != room_of(path)]
        return [parts for parts in foreign if re.match("_[^_]", parts[2])]

    assert breaches(private) == {}


def test_only_modules_ask_of_what_kind_a_decoder_is():
    """Everywhere else it is asked what it says, see modules/_decoder_protocol."""
    kinds = ("ClusterExpert", "SampleExpert", "ScaledExpert", "MLPDecoder", "ConvDecoder")
    kinds += ("ClusterDecoder", "VarianceDecoder", "PlainDecoder")

    def asked(path):
        calls = [node for node in nodes(path) if isinstance(node, ast.Call)]
        texts = [ast.unparse(call) for call in calls if ast.unparse(call.func) == "isinstance"]
        return [text for text in texts if any(kind in text for kind in kinds)]

    assert breaches(asked, [path for path in FILES if room_of(path) != "modules"]) == {}


def test_private_names_of_other_libraries_are_in_two_files():
    """What the next versions of these may break."""

    def private(path):
        stated = [
            node for node in nodes(path) if isinstance(node, ast.ImportFrom) and not node.level
        ]
        names = [f"{node.module}.{of.name}" for node in stated for of in node.names]
        libraries = (
            "sklearn",
            "torch",
            "joblib",
            "scipy",
            "networkx",
            "numpy",
            "pandas",
            "matplotlib",
        )
        calls = [ast.unparse(node) for node in nodes(path) if isinstance(node, ast.Attribute)]
        return [of for of in names + calls if of.startswith(libraries) and PRIVATE.search(of)]

    theirs = [PACKAGE / "_base" / name for name in ("scikit_learn.py", "pytorch.py")]
    assert breaches(private, [path for path in FILES if path not in theirs]) == {}
    assert breaches(private, theirs) == {
        "_base/scikit_learn.py": [
            "sklearn.base._fit_context",
            "sklearn.pipeline._fit_transform_one",
            "sklearn.utils._safe_indexing",
            "sklearn.utils._param_validation.HasMethods",
            "sklearn.utils._param_validation.Interval",
            "sklearn.utils._param_validation.StrOptions",
            "sklearn.utils._param_validation.validate_parameter_constraints",
            "sklearn.utils._param_validation.validate_params",
            "sklearn.utils._set_output._get_output_config",
            "sklearn.utils.metadata_routing._raise_for_params",
            "sklearn.utils.metaestimators._BaseComposition",
            "sklearn.utils.validation._check_method_params",
            "sklearn.utils.validation._check_sample_weight",
            "sklearn.utils.validation._num_samples",
        ],
        "_base/pytorch.py": [
            "torch._standard_gamma",
            "torch.nn.modules.batchnorm._BatchNorm",
            "torch.nn.modules.batchnorm._NormBase",
            "torch.nn.modules.dropout._DropoutNd",
            "torch.utils._python_dispatch.TorchDispatchMode",
        ],
    }


def test_samples_alone_ask_ranks():
    """And whoever begins and ends a fit; all others ask their data, see _model/tensors."""

    def asked(path):
        named = [node.attr for node in nodes(path) if isinstance(node, ast.Attribute)]
        return [name for name in named if name == "ranks"]

    rooms = "_training", "_initialization", "_inference", "modules", "model_selection", "inspection"
    of_core = [path for path in FILES if room_of(path) in rooms]
    assert breaches(asked, of_core) == {}
    at_edges = {relative_name(path) for path in FILES if room_of(path) == "_fit" and asked(path)}
    assert at_edges == {"_fit/whole.py"}


@pytest.mark.parametrize("room", ["functional", "modules"])
def test_a_face_imports_what_is_public_and_what_other_rooms_need(room):
    """Besides ``__all__`` nothing that no other room asks for: the linter cannot know this."""
    imported = set(imported_modules(PACKAGE / room / "__init__.py"))
    names = {name.rpartition(".")[2] for name in imported}
    public = set(importlib.import_module(f"skcausalpima.{room}").__all__)
    others = [path for path in FILES if room_of(path) != room]
    asked = {name for path in others for name in imported_modules(path)}
    needed = {name for name in names if f"skcausalpima.{room}.{name}" in asked}
    assert names == public | needed


def test_files_do_not_import_each_other_in_circles():
    found = nx.DiGraph()
    for path in FILES:
        names = imported_modules(path)
        targets = {file_of(name) for name in names} - {None, path}
        found.add_edges_from((relative_name(path), relative_name(target)) for target in targets)
    assert list(nx.simple_cycles(found)) == []


@pytest.mark.parametrize("room", PRIVATE_ROOMS, ids=relative_name)
def test_a_private_room_says_what_is_here_and_every_name_has_one_address(room):
    face = parsed(room / "__init__.py")
    assert ast.get_docstring(face)
    assert len(face.body) == 1, "no re-exports"
    assert [path.name for path in room.glob("_*.py")] == ["__init__.py"], "the room is private"


def test_heavy_libraries_stay_in_their_rooms():
    """Matplotlib is optional: it is imported where it is used."""

    def heavy(path):
        # "skcausalpima._base.pytorch" brings torch
        private = "skcausalpima._base.py"
        names = {name.removeprefix(private) for name in imported_modules(path)}
        libraries = {name.split(".")[0] for name in names}
        lines = [line for line in parsed(path).body if isinstance(line, ast.Import)]
        top_level = {alias.name.split(".")[0] for line in lines for alias in line.names}
        is_light = room_of(path) in LIGHT_ROOMS and path.name != "pytorch.py"
        unwanted = {"torch"} if is_light else set()
        if room_of(path) == "functional":
            unwanted |= {"numpy", "scipy", "sklearn", "networkx"}
        return libraries & unwanted | top_level & {"matplotlib"}

    assert breaches(heavy) == {}


def test_files_are_short_and_named_after_what_they_hold():
    def length(path):
        n_lines = len(path.read_text().splitlines())
        if path.name in REFERENCE_FILES:
            n_lines -= sum(map(docstring_length, definitions(path)))
        return n_lines

    assert breaches(lambda path: length(path) if length(path) >= 400 else None) == {}
    vague = {"utils", "_utils", "helpers", "_helpers", "misc", "common"}
    assert [path for path in FILES if path.stem in vague] == []


def test_functions_are_shorter_than_sixty_lines():
    def long(path):
        lengths = {
            node.name: node.end_lineno - node.body[0].lineno + 1 - docstring_length(node)
            for node in definitions(path)
            if not isinstance(node, ast.ClassDef) and not only_stores(node)
        }
        return {name: length for name, length in lengths.items() if length >= 60}

    assert breaches(long) == {}


def test_functions_have_few_parameters():
    """Constructors that only store theirs aside: parameters of estimators and their parts."""

    def many(path):
        numbers = {
            node.name: len({argument.arg for argument in arguments_of(node)} - {"self", "cls"})
            for node in definitions(path)
            if not isinstance(node, ast.ClassDef) and not only_stores(node)
        }
        found = {name for name, number in numbers.items() if number > 7}
        return found - MANY_PARAMETERS.get(relative_name(path), set())

    assert breaches(many) == {}


def text_for_developers():
    """Return the pages on the code, and what private rooms say of themselves, without breaks."""
    pages = ("CONTRIBUTING.rst", "doc/architecture.rst", "doc/where_to_change.rst")
    pages = [(PACKAGE.parent / page).read_text() for page in pages]
    rooms = [ast.get_docstring(parsed(room / "__init__.py")) for room in PRIVATE_ROOMS]
    return " ".join(" ".join(pages + rooms).split())


def file_named(name):
    """Return the file or folder of a name: below the package, or from the repository on."""
    places = [place / name for place in (PACKAGE, PACKAGE.parent)]
    found = [place.with_suffix(".py") for place in places] + places
    return next((place for place in found if place.exists()), None)


def test_pages_for_developers_name_files_that_are_there():
    """A file is named by its room, as in ``_fit/whole``, or from the root of the repository."""
    named = set(re.findall(r"``(\w+(?:/\w+)+(?:\.\w+)?)", text_for_developers()))
    assert len(named) > 100
    assert [name for name in named if file_named(name) is None] == []


def test_pages_for_developers_name_what_is_in_these_files():
    """Where they say that something is ``there`` in (or of) ``a/file``, its source has the name."""
    pairs = set(re.findall(r"``(\w+)`` (?:in|of) ``(\w+(?:/\w+)+)", text_for_developers()))
    assert len(pairs) > 30
    sources = {file: file_named(file).read_text() for _, file in pairs}
    assert [pair for pair in pairs if not re.search(rf"\b{pair[0]}\b", sources[pair[1]])] == []


@functools.cache
def words_of_package():
    """Return all words but those of faces, which say what is elsewhere."""
    text = " ".join(path.read_text() for path in FILES if path not in FACES)
    return set(re.findall(r"\w+", text))


@pytest.mark.parametrize("room", PRIVATE_ROOMS, ids=relative_name)
def test_what_a_private_room_says_of_itself_names_what_the_package_has(room):
    names = re.findall(r"``(\w+)[`.]", ast.get_docstring(parsed(room / "__init__.py")))
    assert set(names) <= words_of_package() | {path.stem for path in room.glob("*.py")}


def test_the_picture_of_the_floors_shows_the_layers():
    picture = (PACKAGE.parent / "doc/architecture.rst").read_text()
    shown = [set() for _ in LAYERS[:-1]]  # the face of the package is above them
    for floor, rooms in re.findall(r"^ +(\d+) \| (.+?) \|", picture, re.M):
        shown[int(floor)] |= {room.strip() for room in rooms.split(",")} - {""}
    assert [{room.rstrip("°") for room in rooms} for rooms in shown] == LAYERS[:-1]
    assert {room[:-1] for rooms in shown for room in rooms if room.endswith("°")} == LIGHT_ROOMS
