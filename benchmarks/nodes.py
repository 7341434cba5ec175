"""How well nodes stand for factors: fits beside plain baselines and the oracle, over seeds.

Each seed draws its own data and its own fit. Run with OMP_NUM_THREADS=1.

    python benchmarks/nodes.py --seeds 0-9 --rows circles sized --out runs_a.csv
    python benchmarks/nodes.py --summarize runs_a.csv runs_b.csv

The first appends one line per row, seed and method, and skips what the file holds already; give
each process its own file. The second writes the tables to ``doc/``. Rows of real data need the
folder that SKCAUSALPIMA_DATA names.

Methods: ``fit`` (default settings but for the nodes and what a row states), ``k-means`` and
``mixture`` (full covariances) on the first principal components of the balanced modalities,
``mixture-J`` on as many as there are main effects, ``oracle`` (the true cells, of which only the
place on the grid is to be found) and, with ``--paper``, ``paper`` (the published algorithm). All
but ``fit`` and ``paper`` assign clusters to grid cells by the estimator's arrangement step. With
``--only paper-rate-20`` the published algorithm runs at the learning rate that the paper prints for
the experiment, for 20 (or any number of) times the default epochs.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from node_rows import Data, Row, parse_seeds, rows
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA, GradientStructure, Initialization, Training
from skcausalpima._clustering.arrangement import arrange
from skcausalpima.graph import CategoricalDAG
from skcausalpima.metrics import node_recovery, structural_hamming_distance

DOC = Path(__file__).resolve().parents[1] / "doc"
FIELDS = (
    *("row", "seed", "method", "nodes", "worst_node", "ari", "nmi"),
    *("gap", "agreement", "graph_distance", "warned", "seconds", "factor_accuracies"),
)
TEXT = ("warned", "factor_accuracies")  # the other fields after method are numbers
BASELINES = ("k-means", "mixture", "mixture-J")
PAPER_PRETRAINING, PAPER_EPOCHS = 10, 50  # of the default without a plan
PAPER_RATE = "paper-rate-"  # and how many times the default epochs


# --- methods ---------------------------------------------------------------------------------


def principal_scores(data: Data, row: Row, n_components: int, seed: int) -> np.ndarray:
    """Return principal scores of the scaled modalities, each of one total variance."""
    blocks = [array.reshape(len(array), -1).astype(np.float64) for array in data.arrays]
    blocks = [block - block.mean(axis=0) for block in blocks]
    if row.parameters.get("scale") == "feature":
        blocks = [block / np.maximum(block.std(axis=0), 1e-12) for block in blocks]
    side_by_side = np.hstack([block / np.sqrt(block.var(axis=0).sum()) for block in blocks])
    n_components = min(n_components, *side_by_side.shape)
    return PCA(n_components, random_state=seed).fit_transform(side_by_side)


def lay_on_grid(labels: np.ndarray, data: Data, row: Row, seed: int) -> tuple[np.ndarray, float]:
    """Arrange clusters, numbered from 0; return outcomes of the nodes and the gap."""
    scores = principal_scores(data, row, 20, seed)
    counts = np.bincount(labels)
    means = np.stack([scores[labels == label].mean(axis=0) for label in range(len(counts))])
    arrangement = arrange(means, counts, row.sizes, random_state=seed)
    nodes = np.stack(np.unravel_index(arrangement.cells[labels], row.sizes), axis=1)
    return nodes, arrangement.gap


def baseline(method: str, data: Data, row: Row, seed: int) -> tuple[np.ndarray, dict]:
    """Return the nodes of a plain clustering, or of the true cells."""
    n_cells = math.prod(row.sizes)
    if method == "oracle":
        labels = np.unique(np.ravel_multi_index(data.factors.T, row.sizes), return_inverse=True)[1]
    elif method == "k-means":
        scores = principal_scores(data, row, row.n_components, seed)
        labels = KMeans(n_cells, n_init=10, random_state=seed).fit_predict(scores)
    else:
        n_effects = max(2, sum(size - 1 for size in row.sizes))
        n_dims = n_effects if method == "mixture-J" else row.n_components
        scores = principal_scores(data, row, n_dims, seed)
        scores /= scores[:, 0].std()  # reg_covar is absolute
        mixture = GaussianMixture(n_cells, n_init=5, reg_covar=1e-4, max_iter=500)
        labels = mixture.set_params(random_state=seed).fit_predict(scores)
        labels = np.unique(labels, return_inverse=True)[1]
    nodes, gap = lay_on_grid(labels, data, row, seed)
    return nodes, {"gap": gap}


def parameters_of(method: str, row: Row) -> dict:
    """Return what the estimator is made with."""
    if method == "fit":
        return dict(row.parameters)
    parameters = {**row.parameters, **row.paper}
    parameters.pop("modality_weights", None)  # the paper has its own
    if method.startswith(PAPER_RATE):
        parameters.update(at_paper_rate(row.paper_rate, int(method.removeprefix(PAPER_RATE))))
    return parameters


def at_paper_rate(rate: float, times: int) -> dict:
    """Return the paper's one learning rate, and ``times`` the default number of epochs.

    The paper prints neither the number of epochs nor a rule to stop.
    """
    epochs = times * PAPER_PRETRAINING
    return {
        "training": Training(learning_rate=rate, tol=0),
        "structure": GradientStructure(learning_rate=rate),
        "init": Initialization("paper", pretraining_epochs=epochs),
        "max_iter": times * PAPER_EPOCHS,
    }


def fitted(method: str, data: Data, row: Row, seed: int) -> tuple[np.ndarray, dict]:
    """Return the nodes of a fitted estimator."""
    parameters = parameters_of(method, row)
    make = CausalPIMA if method == "fit" else CausalPIMA.published
    est = make(row.sizes, random_state=seed, **parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est.fit(data.arrays if len(data.arrays) > 1 else data.arrays[0])
    report = {"warned": "; ".join(sorted({warning.category.__name__ for warning in caught}))}
    if est.arrangement_ is not None:
        report.update(gap=est.arrangement_.gap, agreement=est.arrangement_.agreement)
    if data.graph is not None:
        found = named_graph(est, data.factors, data.graph)
        report["graph_distance"] = class_distance(found, data.graph)
    return est.node_labels_, report


def named_graph(est: CausalPIMA, factors: np.ndarray, truth: CategoricalDAG) -> CategoricalDAG:
    """Return the learned graph, its nodes named after the factors that they match."""
    matched = node_recovery(factors, est.node_labels_).permutation
    names = dict(zip(np.array(est.dag_)[matched].tolist(), truth.nodes, strict=True))
    return est.to_graph().rename_nodes(names)


def class_distance(found: CategoricalDAG, truth: CategoricalDAG) -> int:
    """Count the pairs of nodes that two equivalence classes differ in."""
    return structural_hamming_distance(found.cpdag(), truth.cpdag())


def measure(name: str, row: Row, seed: int, method: str) -> dict:
    """Run one method on the data of one seed; NaN figures stand for an error."""
    data = row.load(seed)
    line = {"row": name, "seed": seed, "method": method, "nodes": math.nan}
    run = fitted if method == "fit" or method.startswith("paper") else baseline
    start = time.perf_counter()
    try:
        nodes, report = run(method, data, row, seed)
    except Exception:
        traceback.print_exc()
        return line
    seconds = time.perf_counter() - start
    accuracies = node_recovery(data.factors, nodes).accuracies
    truth, cells = (np.ravel_multi_index(labels.T, row.sizes) for labels in (data.factors, nodes))
    figures = {
        "nodes": accuracies.mean(),
        "worst_node": accuracies.min(),
        "ari": adjusted_rand_score(truth, cells),
        "nmi": normalized_mutual_info_score(truth, cells),
        "gap": math.nan,
        "agreement": math.nan,
        "graph_distance": math.nan,
        "seconds": seconds,
        **report,
    }
    line.update({k: round(float(v), 4) if k != "warned" else v for k, v in figures.items()})
    return {**line, "factor_accuracies": " ".join(f"{accuracy:.4f}" for accuracy in accuracies)}


# --- files -----------------------------------------------------------------------------------


def read_lines(paths: Sequence[Path]) -> dict[tuple[str, int, str], dict]:
    """Return complete lines by row, seed and method; of repeated ones the last."""
    lines = {}
    for path in paths:
        with path.open(newline="") as file:
            for line in csv.DictReader(file):
                if line["factor_accuracies"] is None or line["row"] == "row":
                    continue  # cut off in writing, or a second header
                figures = {k: float(line[k] or "nan") for k in FIELDS[3:] if k not in TEXT}
                lines[line["row"], int(line["seed"]), line["method"]] = {**line, **figures}
    return lines


def append_line(path: Path, line: Mapping) -> None:
    """Append a line at once, after a header if the file is new; close a line that was cut off."""
    before = path.read_text() if path.exists() else ""
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if not before:
            writer.writeheader()
        file.write("\n" * (before != "" and not before.endswith("\n")))
        writer.writerow(line)


def run_table(
    table: Mapping[str, Row], seeds: Sequence[int], methods: Sequence[str], out: Path
) -> None:
    """Run what is missing in a file, seed by seed within a row."""
    done = read_lines([out]) if out.exists() else {}
    done = {key for key, line in done.items() if not math.isnan(line["nodes"])}
    for name, seed, method in itertools.product(table, seeds, methods):
        if (name, seed, method) in done:
            continue
        line = measure(name, table[name], seed, method)
        append_line(out, line)
        figures = (f"{field}={line.get(field)}" for field in FIELDS[3:] if field not in TEXT)
        print(name, seed, method, *figures, flush=True)


# --- tables ----------------------------------------------------------------------------------


def summarise_row(name: str, row: Row, lines: Mapping[tuple, dict]) -> dict[str, str] | None:
    """Return the cells of one line of the summary, or None where nothing was fitted."""
    by_method = {
        method: {seed: line for (n, seed, m), line in lines.items() if (n, m) == (name, method)}
        for method in ("fit", "paper", "oracle", *BASELINES)
    }
    fits = by_method["fit"]
    if not fits:
        return None
    values = {seed: line[row.figure] for seed, line in fits.items()}
    bounds = dict.fromkeys(values, row.least)
    if row.least is None:  # to be above every plain baseline of the same seed
        rivals = [by_method[method] for method in BASELINES]
        bounds = {s: max((r[s]["ari"] for r in rivals if s in r), default=1.0) for s in values}
    failures = [seed for seed in sorted(values) if not values[seed] >= bounds[seed]]
    warned = [seed for seed in sorted(fits) if fits[seed]["warned"]]
    return {
        "row": name,
        "figure": {"nodes": "nodes ACC", "ari": "cells ARI", "nmi": "cells NMI"}[row.figure],
        "target (mean / min)": f"{row.mean} / {row.least}" if row.least else "above baselines",
        "fit": mean_and_least(fits, row.figure),
        "failures": seeds_of(failures, len(fits)),
        "worst node": f"{min(line['worst_node'] for line in fits.values()):.3f}",
        "cells ARI": mean_and_least(fits, "ari"),
        "least gap": f"{min(line['gap'] for line in fits.values()):.2f}".replace("nan", ""),
        "warned": seeds_of(warned, len(fits)),
        "graph right": graphs_right(fits),
        "s": f"{np.mean([line['seconds'] for line in fits.values()]):.0f}",
        **{m: mean_and_least(by_method[m], row.figure) for m in (*BASELINES, "paper", "oracle")},
    }


def graphs_right(lines: Mapping[int, dict]) -> str:
    """Count the seeds whose equivalence class of graphs is the true one."""
    distances = [line["graph_distance"] for line in lines.values()]
    known = [distance for distance in distances if not math.isnan(distance)]
    return f"{known.count(0)} of {len(known)}" if known else ""


def seeds_of(seeds: Sequence[int], n_seeds: int) -> str:
    """Count seeds and name them."""
    return f"{len(seeds)} of {n_seeds}" + (f" ({', '.join(map(str, seeds))})" if seeds else "")


def mean_and_least(lines: Mapping[int, dict], figure: str) -> str:
    """Write the mean and the minimum over seeds; an error counts as NaN."""
    values = [line[figure] for line in lines.values()]
    return f"{np.mean(values):.3f} / {np.min(values):.3f}" if values else ""


def summarise(paths: Sequence[Path], folder: Path) -> None:
    """Write all lines, and the summary as CSV and as a markdown table."""
    lines = read_lines(paths)
    with (folder / "benchmark_nodes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines[key] for key in sorted(lines))
    table = [summarise_row(name, row, lines) for name, row in rows().items()]
    table = [cells for cells in table if cells]
    with (folder / "benchmark_nodes_summary.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    seeds = sorted({seed for _, seed, _ in lines})
    markdown = ["| " + " | ".join(cells.values()) + " |" for cells in table]
    header = ["| " + " | ".join(table[0]) + " |", "|---" * len(table[0]) + "|"]
    note = f"Mean / minimum over seeds {seeds[0]} to {seeds[-1]}.\n"
    (folder / "benchmark_nodes.md").write_text("\n".join([note, *header, *markdown]) + "\n")
    print("\n".join([note, *header, *markdown]))


def main() -> None:
    """Run rows, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=[""], help="names of rows, or parts of them")
    parser.add_argument("--seeds", type=parse_seeds, default="0-9", help="such as 0-9 or 1,4,7")
    parser.add_argument("--out", type=Path, default=Path("nodes_runs.csv"))
    parser.add_argument("--paper", action="store_true", help="the published algorithm, too")
    parser.add_argument("--only", nargs="+", help="these methods")
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    parser.add_argument("--table-folder", type=Path, default=DOC)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarise(arguments.summarize, arguments.table_folder)
        return
    table, chosen = rows(), {}
    for part in arguments.rows:
        matches = {part} & set(table) or {name for name in table if part in name}
        if not matches:
            parser.error(f"no row has {part!r} in its name; there are {list(table)}")
        chosen.update({name: table[name] for name in table if name in matches})
    methods = arguments.only or ["fit", *BASELINES, "oracle", *["paper"] * arguments.paper]
    unstated = [name for name, row in chosen.items() if row.paper_rate is None]
    if unstated and any(method.startswith(PAPER_RATE) for method in methods):
        parser.error(f"the paper prints no learning rate for {unstated}")
    run_table(chosen, arguments.seeds, methods, arguments.out)


if __name__ == "__main__":
    main()
