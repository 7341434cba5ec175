"""How long the public networks take that pgmpy brings along, to read and to write as BIF.

Networks are the files of ``pip download --no-deps pgmpy==1.1.2``, unpacked or installed. A network
is equal if what was written reads to the same nodes, parents, outcomes and tables, bit for bit.
``--pgmpy`` reads and writes them by pgmpy, too, once each: "same" says whether what it read agrees.
Quoted are seconds of the processor, the least of the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from skcausalpima.graph import CategoricalDAG


def installed_networks() -> Path | None:
    """Return the folder of the networks in the installed package, if there is one."""
    spec = importlib.util.find_spec("pgmpy")
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / "utils" / "example_models" if folders else None


def shortest(task: Callable[[], Any], n_rounds: int) -> tuple[float, Any]:
    """Return a task's shortest time in seconds and its result."""
    seconds = []
    for _ in range(n_rounds):
        start = time.process_time()
        result = task()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def same(first: CategoricalDAG, second: CategoricalDAG) -> bool:
    """Tell whether two networks agree in nodes, parents, outcomes and tables, bit for bit."""
    return (
        first.nodes == second.nodes
        and first.states == second.states
        and all(
            list(first.graph.predecessors(node)) == list(second.graph.predecessors(node))
            and np.array_equal(first.cpts[node], second.cpts[node])
            for node in first.nodes
        )
    )


def read_by_pgmpy(text: str) -> CategoricalDAG:
    """Read a network by pgmpy."""
    from pgmpy.readwrite import BIFReader

    reader = BIFReader(string=text)
    graph = nx.DiGraph()
    for node, states in reader.variable_states.items():
        graph.add_node(node, states=tuple(states))
    tables = {}
    for node, parents in reader.variable_parents.items():
        graph.add_edges_from((parent, node) for parent in parents)
        sizes = [len(reader.variable_states[name]) for name in (node, *parents)]
        table = np.moveaxis(reader.variable_cpds[node].reshape(sizes), 0, -1)
        tables[node] = np.ascontiguousarray(table)  # rows are summed in the order of memory
    return CategoricalDAG(graph, tables)


def write_by_pgmpy(dag: CategoricalDAG) -> str:
    """Write a network by pgmpy."""
    from pgmpy.readwrite import BIFWriter

    return str(BIFWriter(dag.to_pgmpy()))


def row(path: Path, n_rounds: int, has_pgmpy: bool) -> list[str]:
    """Read and write one network."""
    text = gzip.decompress(path.read_bytes()).decode()
    reading, dag = shortest(lambda: CategoricalDAG.from_bif(text), n_rounds)
    writing, back = shortest(dag.to_bif, n_rounds)
    equal = same(dag, CategoricalDAG.from_bif(back))
    n_parameters = sum(table.size - table.size // table.shape[-1] for table in dag.cpts.values())
    sizes = [f"{len(text) / 1000:.0f}", f"{len(dag.nodes)}", f"{n_parameters}"]
    name = path.name.removesuffix(".bif.gz")
    cells = [name, *sizes, f"{reading:.2f}", f"{writing:.2f}", "yes" if equal else "no"]
    if has_pgmpy:
        reading, other = shortest(lambda: read_by_pgmpy(text), 1)
        writing, _ = shortest(lambda: write_by_pgmpy(dag), 1)
        cells += [f"{reading:.2f}", f"{writing:.2f}", "yes" if same(dag, other) else "no"]
    return cells


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=installed_networks(), help="*.bif.gz files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pgmpy", action="store_true", help="by pgmpy, too")
    parser.add_argument("--out", type=Path, default=Path("benchmark_bif.md"))
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.bif.gz")) if arguments.folder else []
    if not paths:
        parser.error("there are no networks; name the folder of pgmpy 1.1.2 that has them")
    columns = ["network", "kB", "nodes", "parameters", "seconds read", "seconds write", "equal"]
    columns += ["pgmpy reads", "pgmpy writes", "same"] * arguments.pgmpy
    rows = [columns, ["---"] * len(columns)]
    for path in paths:
        rows.append(row(path, arguments.rounds, arguments.pgmpy))
        print(*rows[-1], flush=True)
    arguments.out.write_text("\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n")


if __name__ == "__main__":
    main()
