"""How often ``select_node_sizes`` is right: sets with known answers, and two without any.

Each seed draws its own data (or rows) and fits. A set without an answer is right where
NodeSizesWarning says so. Run with OMP_NUM_THREADS=1; mfeat needs the folder that
SKCAUSALPIMA_DATA names.

    python benchmarks/node_sizes.py --seeds 0-9 --sets discs sprites --out sizes_a.csv
    python benchmarks/node_sizes.py --summarize sizes_a.csv sizes_b.csv
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import node_rows
import numpy as np

from skcausalpima import CausalPIMA, MultimodalData, datasets
from skcausalpima.exceptions import NodeSizesWarning
from skcausalpima.model_selection import select_node_sizes

FIELDS = ("set", "seed", "chosen", "warned", "right", "seconds")
SIZES = tuple[int, ...]


class Case(NamedTuple):
    """Data by seed, the candidates, and the right one; None where no cells are there."""

    load: Callable[[int], Sequence[np.ndarray]]
    candidates: Sequence[int | SIZES]
    answer: SIZES | None


def some_rows(data: node_rows.Data, n_samples: int, seed: int) -> list[np.ndarray]:
    """Return the modalities of some samples."""
    rows = np.random.RandomState(seed).permutation(len(data.arrays[0]))[:n_samples]
    return [array[rows] for array in data.arrays]


def gaussian(seed: int) -> list[np.ndarray]:
    """Return samples of one Gaussian."""
    rng = np.random.RandomState(seed)
    return [rng.normal(size=(600, 5)) @ rng.normal(size=(5, 20)) + rng.normal(size=(600, 20))]


def uniform(seed: int) -> list[np.ndarray]:
    """Return uniform noise."""
    return [np.random.RandomState(seed).uniform(size=(600, 10))]


def cases() -> dict[str, Case]:
    """Return the sets by name."""
    grids, tens = [2, 4, (2, 2), 8, (2, 2, 2), (3, 3)], [8, 9, 10, 11, 12]
    nothing = [2, 3, 4, (2, 2)]
    discs, sized = datasets.make_circles_images, datasets.make_sized_circles

    def sprites(seed: int) -> list[np.ndarray]:
        return [datasets.make_sprites(1000, shape="square", random_state=seed).images]

    return {
        "discs": Case(lambda s: [discs(1000, random_state=s).images], grids, (2, 2, 2)),
        "sized discs": Case(
            lambda s: [sized(1000, random_state=s).images], [2, (2, 2), 6, (2, 3), (3, 3)], (2, 3)
        ),
        "sprites without shapes": Case(sprites, grids, (2, 2, 2)),
        "digits and line": Case(lambda s: some_rows(node_rows.digits(s), 1000, s), tens, (10,)),
        "all digits and line": Case(lambda s: node_rows.digits(s).arrays, tens, (10,)),
        "mfeat": Case(lambda s: some_rows(node_rows.mfeat(s), 1000, s), tens, (10,)),
        "one Gaussian": Case(gaussian, nothing, None),
        "uniform noise": Case(uniform, nothing, None),
    }


def measure(name: str, seed: int) -> dict:
    """Choose once."""
    case, start = cases()[name], time.perf_counter()
    X = MultimodalData(case.load(seed))
    model = CausalPIMA(random_state=seed, scale="feature" if name == "mfeat" else "modality")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        selection = select_node_sizes(model, X, case.candidates)
    warned = any(issubclass(warning.category, NodeSizesWarning) for warning in caught)
    right = warned if case.answer is None else selection.best_node_sizes == case.answer
    seconds = round(time.perf_counter() - start, 1)
    figures = (name, seed, selection.best_node_sizes, warned, right, seconds)
    return dict(zip(FIELDS, figures, strict=True))


def summarize(paths: Sequence[Path]) -> None:
    """Print a markdown table."""
    lines = [line for path in paths for line in csv.DictReader(path.open(newline=""))]
    print("| set | right | chosen | warned | s per choice |\n|---|---|---|---|---|")
    for name in cases():
        mine = [line for line in lines if line["set"] == name]
        if not mine:
            continue
        right, warned = (sum(line[f] == "True" for line in mine) for f in ("right", "warned"))
        chosen = " ".join(sorted({line["chosen"] for line in mine}))
        seconds = np.mean([float(line["seconds"]) for line in mine])
        print(f"| {name} | {right} of {len(mine)} | {chosen} | {warned} | {seconds:.0f} |")


def main() -> None:
    """Run sets, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(cases()), choices=list(cases()))
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-9")
    parser.add_argument("--out", type=Path, default=Path("node_sizes_runs.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    for seed in arguments.seeds:
        for name in arguments.sets:
            line = measure(name, seed)
            is_new = not arguments.out.exists()
            with arguments.out.open("a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                if is_new:
                    writer.writeheader()
                writer.writerow(line)


if __name__ == "__main__":
    main()
