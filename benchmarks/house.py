"""How large the house is, and how far one walks in it: code lines, files, imports, four walks.

    python benchmarks/house.py              # this checkout
    python benchmarks/house.py --root DIR   # another one, in which it runs as well
    python benchmarks/house.py --rooms      # code lines and files of each room, too

Code lines are those without docstrings, comments and blanks. A room is a file or folder right below
the package; an arrow is one room importing another. A walk is a call: its files are those of the
package in which some function ran, and it climbs where a function called one of a higher layer
(each pair of files counts once; a layer is the longest chain of imports below a room). Numbers that
decide are those of ``_clustering/margins.py``. The walks:
``fit`` to ``labels_`` (two modalities), ``predict`` with a modality missing, a fit with an expert,
and ``save`` with ``load``.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import os
import re
import subprocess
import sys
import tempfile
import tokenize
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import networkx as nx
import numpy as np

PACKAGE = "skcausalpima"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def rooms_imported(path: Path, package: Path) -> Iterator[str]:
    """Return the rooms whose names a file imports, wherever the import stands."""
    folder = [PACKAGE, *path.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            names = [*base, *(node.module or "").split(".")]
            dotted = [[part for part in names if part] + [alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            dotted = [alias.name.split(".") for alias in node.names]
        else:
            continue
        yield from (parts[1] for parts in dotted if parts[0] == PACKAGE and len(parts) > 1)


def import_graph(package: Path) -> nx.DiGraph:
    """Return the rooms and the imports between them."""
    graph = nx.DiGraph()
    for path in package.rglob("*.py"):
        room = path.relative_to(package).with_suffix("").parts[0]
        graph.add_node(room)
        graph.add_edges_from((room, other) for other in rooms_imported(path, package))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return graph


def docstring_length(node: ast.AST) -> int:
    """Return the number of lines of a definition's docstring."""
    has_one = not isinstance(node, ast.Module) and ast.get_docstring(node) is not None
    return node.body[0].end_lineno - node.body[0].lineno + 1 if has_one else 0


def code_lines(text: str) -> int:
    """Return the number of lines that hold code: no docstring, comment or blank."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def own_imports(path: Path, package: Path) -> int:
    """Return how many modules of the package a file imports."""
    found = set()
    folder = [PACKAGE, *path.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (
            node.level or (node.module or "").startswith(PACKAGE)
        ):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            found.add(".".join([*base, node.module or ""]))
    return len(found)


def parameters(node: FUNCTIONS) -> int:
    """Return how many parameters a function takes, self aside."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def margins(texts: dict[Path, str]) -> dict[str, object]:
    """Return how many numbers decide, how many have evidence, and how many files name one."""
    own = next((path for path in texts if path.name == "margins.py"), None)
    if own is None:
        return {}
    names = re.findall(r"^([A-Z_]+) = ", texts[own], re.MULTILINE)
    named = re.compile(rf"\b(?:{'|'.join(names)})\b")
    return {
        "numbers that decide": len(names),
        "of these with evidence": texts[own].count("Evidence: "),
        "files that name one": sum(
            bool(named.search(text)) for path, text in texts.items() if path != own
        ),
    }


def empty_words(functions: list[FUNCTIONS]) -> dict[str, int]:
    """Return how many functions have an argument or a local of a name that says nothing."""
    words = ("found", "of", "seen", "own", "said", "told")
    bound = [
        {n.id for n in ast.walk(f) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        | {n.arg for n in ast.walk(f) if isinstance(n, ast.arg)}
        for f in functions
    ]
    each = {f"functions with {word!r}": sum(word in names for names in bound) for word in words}
    return {**each, "functions with any of these": sum(bool(names & {*words}) for names in bound)}


def measure(root: Path) -> dict[str, object]:
    """Return all figures of one checkout."""
    package = root / PACKAGE
    texts = {path: path.read_text() for path in sorted(package.rglob("*.py"))}
    nodes = [(p, node) for p, text in texts.items() for node in ast.walk(ast.parse(text))]
    functions = [(p, node) for p, node in nodes if isinstance(node, FUNCTIONS)]
    lengths = {
        f"{p.relative_to(package)}:{f.name}": f.end_lineno
        - f.body[0].lineno
        + 1
        - docstring_length(f)
        for p, f in functions
        if f.name != "__init__"
    }
    classes = [node for _, node in nodes if isinstance(node, ast.ClassDef)]
    graph = import_graph(package)
    source = "\n".join(texts.values())
    constructor = next(
        f
        for p, f in functions
        if p.name == "_causal_pima.py" and f.name == "__init__" and parameters(f) > 5
    )
    tests = [path.read_text() for path in (root / "tests").rglob("*.py")]
    return {
        "rooms at the top level": len(graph),
        "floors": 1 + max(layers(package).values()),
        "import arrows between rooms": graph.number_of_edges(),
        "circles": len(list(nx.simple_cycles(graph))),
        "files": len(texts),
        "code lines": sum(map(code_lines, texts.values())),
        "code lines of tests": sum(map(code_lines, tests)),
        "most modules imported by one file": max(own_imports(p, package) for p in texts),
        "files below 60 lines": sum(text.count("\n") < 60 for text in texts.values()),
        "files of 400 lines and more": sum(text.count("\n") >= 400 for text in texts.values()),
        "functions of 40 lines and more": sum(length >= 40 for length in lengths.values()),
        "functions of more than 7 parameters": sum(
            parameters(f) > 7 for _, f in functions if f is not constructor
        ),
        "parameters of the constructor": parameters(constructor),
        **{
            word: len(re.findall(rf"\b{word}\b", source))
            - len(re.findall(rf"import .*\b{word}\b", source))
            for word in ("Any", "SimpleNamespace")
        },
        "params: Any": len(re.findall(r"\bparams: Any\b", source)),
        "object as a type": len(re.findall(r"(?:: |-> |\[|, |\| )object\b(?!\()", source)),
        "type: ignore": source.count("type: ignore"),
        "NamedTuples": sum("NamedTuple" in map(ast.unparse, c.bases) for c in classes),
        "isinstance on decoder kinds outside modules": sum(
            len(re.findall(r"isinstance\([^)]*(?:Expert|ClusterDecoder|VarianceDecoder)\b", text))
            for path, text in texts.items()
            if "modules" not in path.parts
        ),
        "lines of the package": source.count("\n"),
        "lines of tests": sum(text.count("\n") for text in tests),
        **{
            f"functions that take {name!r}": sum(
                name in [a.arg for a in (*f.args.args, *f.args.kwonlyargs)] for _, f in functions
            )
            for name in ("params", "setup")
        },
        **empty_words([f for _, f in functions]),
        **margins(texts),
    }


def layers(package: Path) -> dict[str, int]:
    """Return how long the longest chain of imports below each room is."""
    graph = import_graph(package)
    depth: dict[str, int] = {}
    for room in reversed(list(nx.topological_sort(graph))):
        depth[room] = 1 + max((depth[other] for other in graph[room]), default=-1)
    return depth


def walk(call: Callable[[], object], package: Path, layer: dict[str, int]) -> tuple[int, int]:
    """Return how many files a call enters, and how often it climbs."""
    files: set[str] = set()
    climbs: set[tuple[str, str]] = set()
    root = f"{package}{os.sep}"

    def trace(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(root) or frame.f_code.co_name == "<module>":
            return
        files.add(name)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(root):
            caller = caller.f_back
        if caller is not None:
            below = caller.f_code.co_filename
            rooms = [Path(f[len(root) :]).with_suffix("").parts[0] for f in (below, name)]
            if layer[rooms[0]] < layer[rooms[1]]:
                climbs.add((below, name))

    sys.setprofile(trace)
    try:
        call()
    finally:
        sys.setprofile(None)
    return len(files), len(climbs)


def walks(root: Path) -> None:
    """Print the four walks through the package that is imported."""
    from skcausalpima import CausalPIMA
    from skcausalpima.modules import ExpertDecoder

    warnings.simplefilter("ignore")
    package = root / PACKAGE
    layer, rng = layers(package), np.random.default_rng(0)
    kinds = np.repeat([0, 1], 40)
    X = [rng.normal(size=(80, width)) + 6 * kinds[:, None] for width in (4, 6)]
    x = np.linspace(0, 1, 12)
    curves = (1 + 4 * kinds)[:, None] * x + rng.normal(size=(80, 12)) / 10
    expert = ExpertDecoder(lambda x, a: a * x, x)
    with_expert = CausalPIMA(2, experts=[expert], max_iter=2, random_state=0)
    est = CausalPIMA((2, 2), max_iter=2, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fit"
        calls = {
            "fit to labels_": lambda: est.fit(X),
            "a modality missing through predict": lambda: est.predict([X[0], None]),
            "an expert through fit": lambda: with_expert.fit(curves),
            "save and load": lambda: (est.save(file), type(est).load(file)),
        }
        for name, call in calls.items():
            n_files, n_climbs = walk(call, package, layer)
            print(f"| walk: {name} | {n_files} files, {n_climbs} climbs |")


def main() -> None:
    """Print the figures of a checkout."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__))
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--rooms", action="store_true")
    parser.add_argument("--walks", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    root = options.root.resolve()
    if options.walks:
        walks(root)
        return
    for name, value in measure(root).items():
        print(f"| {name} | {value} |")
    if options.rooms:
        package = root / PACKAGE
        for path in sorted(package.iterdir()):
            files = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
            if files:
                lines = sum(code_lines(file.read_text()) for file in files)
                print(f"| room {path.stem} | {lines} lines, {len(files)} files |")
    sys.stdout.flush()
    command = [sys.executable, __file__, "--walks", "--root", str(root)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(root)})


if __name__ == "__main__":
    main()
