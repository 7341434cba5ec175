"""Figures of the code's structure: rooms, imports between them, lengths, types.

``python benchmarks/structure.py`` measures this checkout, ``--root DIR`` another one.
A room is a file or folder right below the package; an arrow is one room importing another.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import networkx as nx

PACKAGE = "skcausalpima"
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


def parameters(node: FUNCTIONS) -> int:
    """Return how many parameters a function takes, self aside."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


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
        "import arrows between rooms": graph.number_of_edges(),
        "circles": len(list(nx.simple_cycles(graph))),
        "files": len(texts),
        "files of 400 lines and more": sum(text.count("\n") >= 400 for text in texts.values()),
        "functions of 40 lines and more": sum(length >= 40 for length in lengths.values()),
        "functions of more than 7 parameters": sum(
            parameters(f) > 7 for _, f in functions if f is not constructor
        ),
        "parameters of the constructor": parameters(constructor),
        "Any": len(re.findall(r"\bAny\b", source)) - len(re.findall(r"import .*\bAny\b", source)),
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
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__))
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    for name, value in measure(parser.parse_args().root).items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
