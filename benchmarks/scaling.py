"""How time and memory grow with samples and with components, and what ``predict`` needs.

Each point is a process of its own: a fit of a table of 20 columns, two epochs of pre-training, two
of training, one of polishing, small networks. *Slope* is that of the logarithms, by least squares,
over the points of its line: 1 is growth in proportion. Memory is the peak above
that of the same process before the fit, data included. The last table is the peak of ``predict`` on
a million rows of 100 columns above the data, from a model of eight cells. Times are processor
times. All prints are markdown tables; about ten minutes on one core.

    python benchmarks/scaling.py --rows 1 4 16 64 256 --nodes 3 6 8 10 12
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PyTorch are imported

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from skcausalpima import CausalPIMA, Initialization, MissingValues, ScoreSearch

FEW = {
    "max_iter": 2,
    "init": Initialization("linear", pretraining_epochs=2),
    "structure": ScoreSearch(polishing_epochs=1),
    "missing_values": MissingValues(subset_epochs=0),
    "hidden_layer_sizes": (32, 16),
    "random_state": 0,
}


def table(n_samples: int, n_columns: int) -> np.ndarray:
    """Return eight groups of normal samples."""
    rng = np.random.default_rng(0)
    centres = 3.0 * rng.normal(size=(8, n_columns)).astype(np.float32)
    X = rng.standard_normal((n_samples, n_columns), dtype=np.float32)
    for first in range(0, n_samples, 10_000):
        block = X[first : first + 10_000]
        block += centres[rng.integers(8, size=len(block))]
    return X


def peak() -> float:
    """Return the peak of the memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fit(n_samples: int, n_nodes: int) -> tuple[float, float]:
    """Return the processor time of a fit and the memory above what there was before."""
    CausalPIMA((2,) * 3, **FEW).fit(table(500, 20))  # what is loaded by the first fit
    before, X = peak(), table(n_samples, 20)
    start = time.process_time()
    CausalPIMA((2,) * n_nodes, **FEW).fit(X)
    return time.process_time() - start, peak() - before


def predict(n_samples: int, n_columns: int) -> tuple[float, float]:
    """Return the processor time of a prediction and the memory above the data."""
    est = CausalPIMA((2,) * 3, **FEW).fit(table(2000, n_columns))
    est.predict(table(2000, n_columns))
    X = table(n_samples, n_columns)
    before, start = peak(), time.process_time()
    est.predict(X)
    return time.process_time() - start, peak() - before


POINTS = {"fit": fit, "predict": predict}


def measured(kind: str, *sizes: int) -> tuple[float, float]:
    """Measure a point in a process of its own."""
    call = [sys.executable, __file__, "--point", kind, *map(str, sizes)]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def slope(sizes: Sequence[int], values: Sequence[float]) -> str:
    """Return the slope of logarithms."""
    return f"{np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-3)), 1)[0]:.2f}"


def growth(name: str, sizes: Sequence[int], points: Sequence[tuple[int, int]]) -> None:
    """Print time and memory over sizes, and their slopes: over all, and over the larger half."""
    found = [measured("fit", *point) for point in points]
    print(f"| {name} | s | MB |\n|---|---|---|")
    for size, (seconds, megabytes) in zip(sizes, found, strict=True):
        print(f"| {size} | {seconds:.1f} | {megabytes:.0f} |", flush=True)
    for words, part in (("all", 0), ("larger half", len(sizes) // 2)):
        slopes = [slope(sizes[part:], values[part:]) for values in zip(*found, strict=True)]
        print(f"| slope, {words} | {' | '.join(slopes)} |")
    print()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 4, 16, 64, 256], help="in 1000")
    parser.add_argument("--nodes", nargs="+", type=int, default=[3, 6, 8, 10, 12])
    parser.add_argument("--predict-rows", type=int, default=1000, help="in 1000; 0 for none")
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.point:
        warnings.simplefilter("ignore")
        kind, *sizes = arguments.point
        print(json.dumps(POINTS[kind](*map(int, sizes))))
        return
    rows = [1000 * n for n in arguments.rows]
    growth("samples (8 cells)", rows, [(n, 3) for n in rows])
    cells = [2**n for n in arguments.nodes]
    growth("cells (8192 samples)", cells, [(8192, n) for n in arguments.nodes])
    if arguments.predict_rows:
        seconds, megabytes = measured("predict", 1000 * arguments.predict_rows, 100)
        print("| predict | s | MB above the data |\n|---|---|---|")
        print(f"| {arguments.predict_rows} 000 rows of 100 | {seconds:.1f} | {megabytes:.0f} |")


if __name__ == "__main__":
    main()
