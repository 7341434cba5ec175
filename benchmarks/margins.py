"""What each number that decides is worth: starts of fits with it halved and doubled.

    python benchmarks/margins.py --seeds 0-59 --out margins.csv
    python benchmarks/margins.py --summarize margins.csv

For each number of ``_clustering/margins.py``, and data of ``families.py``, the start of a default
fit is sought as it is, and with the number halved and doubled (of one between .5 and 1 that is its
distance to 1; counts are rounded). Printed are, for each, how many starts change, and the mean
change of the adjusted Rand index of the start's cells with the true ones, with its standard error.
Not asked are numbers that no start of these families comes to (of training, verdicts, node sizes,
gaps, kinds, words, many cells, and what networks have to learn), and families of more than 600
samples. Run with OMP_NUM_THREADS=1; a family takes two minutes.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import families
import node_rows
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima._clustering import margins
from skcausalpima._data.validation import read_modalities
from skcausalpima._initialization.begin import begin
from skcausalpima._initialization.low_rank import filled_data
from skcausalpima._model.objects import parameters_of
from skcausalpima._model.setup import set_up

FIELDS = ("name", "factor", "seed", "is_changed", "gain")
FACTORS = (0.5, 2.0)
MAX_SAMPLES = 600
ROOMS = ("skcausalpima._clustering.", "skcausalpima._initialization.")
UNREACHED = {
    *("gaps", "factors_or_kinds", "latent_classes", "many_cells"),
    *("linear_parts", "noise_of_clusters"),
}


def start_labels(data: families.Family, seed: int) -> np.ndarray:
    """Return the cells that the start of a default fit finds."""
    estimator = CausalPIMA(data.sizes, random_state=seed)
    X = data.arrays if len(data.arrays) > 1 else data.arrays[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setup, samples = set_up(parameters_of(estimator), read_modalities(estimator, X, reset=True))
        start = begin(setup, samples, filled_data(setup, samples), seed)
    assert start.initial.trial is not None  # units or dimension are left open
    return start.initial.trial.cells


def places(name: str) -> list[ModuleType]:
    """Return the modules that have imported a number."""
    modules = [of for key, of in sys.modules.items() if key.startswith("skcausalpima")]
    return [of for of in modules if name in vars(of)]


def names() -> list[str]:
    """Return the names of the numbers that the starts of families ask."""
    numbers = [name for name, of in vars(margins).items() if isinstance(of, (int, float))]
    return [name for name in numbers if any(is_reached(of) for of in places(name))]


def is_reached(module: ModuleType) -> bool:
    """Return whether the start of a family comes to a module."""
    name = module.__name__
    is_of_start = name.startswith(ROOMS) and module is not margins
    return is_of_start and name.rpartition(".")[2] not in UNREACHED


def moved(number: float, factor: float) -> float:
    """Return a number that is a factor of it, or of its distance to the nearer end of 0 to 1."""
    if isinstance(number, int):
        return max(1, round(number * factor))
    if 0.5 < number < 1.0:
        return max(0.0, 1.0 - factor * (1.0 - number))
    return number * factor


@contextmanager
def set_to(name: str, number: float) -> Iterator[None]:
    """Let a number be another one, wherever it has been imported."""
    before, modules = getattr(margins, name), places(name)
    try:
        for module in modules:
            setattr(module, name, number)
        yield
    finally:
        for module in modules:
            setattr(module, name, before)


def measured(seed: int) -> Iterator[dict[str, object]]:
    """Yield a line for each number and factor."""
    data = families.family(seed)
    if len(data.factors) > MAX_SAMPLES:
        return
    truth = np.ravel_multi_index(data.factors.T, data.sizes)
    now = start_labels(data, seed)
    score = adjusted_rand_score(truth, now)
    for name in names():
        for factor in FACTORS:
            with set_to(name, moved(getattr(margins, name), factor)):
                other = start_labels(data, seed)
            changed = adjusted_rand_score(now, other) < 1.0
            gain = adjusted_rand_score(truth, other) - score
            line = {"name": name, "factor": factor, "seed": seed}
            yield line | {"is_changed": int(changed), "gain": f"{gain:.4f}"}


def summarize(path: Path) -> None:
    """Print a line for each number that moves something, and the names of the others."""
    lines = list(csv.DictReader(path.open(newline="")))
    print("| number | value | halved: change | ARI | doubled: change | ARI |")
    print("|---|---|---|---|---|---|")
    still = []
    for name in dict.fromkeys(line["name"] for line in lines):
        cells, n_changed = [], 0
        for factor in FACTORS:
            key = name, str(factor)
            group = [line for line in lines if (line["name"], line["factor"]) == key]
            gains = np.array([float(line["gain"]) for line in group])
            changes = sum(int(line["is_changed"]) for line in group)
            error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
            cells.append(f"{changes} of {len(group)} | {gains.mean():+.4f} ({error:.4f})")
            n_changed += changes
        if n_changed:
            print(f"| {name} | {getattr(margins, name, '')} | {' | '.join(cells)} |")
        else:
            still.append(name)
    print(f"\nThese move no start: {', '.join(still)}.")


def main() -> None:
    """Measure what a file lacks, or print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-59")
    parser.add_argument("--out", type=Path, default=Path("margins.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    for seed in arguments.seeds:
        lines = list(measured(seed))
        if lines:
            node_rows.append_lines(arguments.out, FIELDS, lines)


if __name__ == "__main__":
    main()
