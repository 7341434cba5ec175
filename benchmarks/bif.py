"""How long the public networks take that pgmpy brings along, to read and to write as BIF.

Networks are the files of ``pip download --no-deps pgmpy==0.1.26``, unpacked or installed; pgmpy
itself is not imported. A network is equal if what was written reads to the same nodes, parents,
outcomes and tables, bit for bit. Quoted is the shortest of the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        start = time.perf_counter()
        result = task()
        seconds.append(time.perf_counter() - start)
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


def row(path: Path, n_rounds: int) -> list[str]:
    """Read and write one network."""
    text = gzip.decompress(path.read_bytes()).decode()
    reading, dag = shortest(lambda: CategoricalDAG.from_bif(text), n_rounds)
    writing, back = shortest(dag.to_bif, n_rounds)
    equal = same(dag, CategoricalDAG.from_bif(back))
    n_parameters = sum(table.size - table.size // table.shape[-1] for table in dag.cpts.values())
    sizes = [f"{len(text) / 1000:.0f}", f"{len(dag.nodes)}", f"{n_parameters}"]
    name = path.name.removesuffix(".bif.gz")
    return [name, *sizes, f"{reading:.2f}", f"{writing:.2f}", "yes" if equal else "no"]


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=installed_networks(), help="*.bif.gz files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmark_bif.md"))
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.bif.gz")) if arguments.folder else []
    if not paths:
        parser.error("there are no networks; name the folder of pgmpy 0.1.26 that has them")
    columns = ["network", "kB", "nodes", "parameters", "seconds read", "seconds write", "equal"]
    rows = [columns, ["---"] * len(columns)]
    for path in paths:
        rows.append(row(path, arguments.rounds))
        print(*rows[-1], flush=True)
    arguments.out.write_text("\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n")


if __name__ == "__main__":
    main()
