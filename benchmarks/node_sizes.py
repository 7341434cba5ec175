"""How often ``select_node_sizes`` is right: sets with known answers, and some without any.

Each seed draws its own data (or rows) and fits. A set without an answer is right where
NodeSizesWarning says so. ``--without-candidates`` lets candidates be proposed. Run with
OMP_NUM_THREADS=1; mfeat needs the folder that SKCAUSALPIMA_DATA names.

    python benchmarks/node_sizes.py --seeds 0-9 --sets discs sprites --out sizes_a.csv
    python benchmarks/node_sizes.py --without-candidates --sets pendulum --out sizes_b.csv
    python benchmarks/node_sizes.py --summarize sizes_a.csv sizes_b.csv
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import many_cells
import node_rows
import numpy as np

from skcausalpima import CausalPIMA, MultimodalData, datasets
from skcausalpima.exceptions import NodeSizesWarning
from skcausalpima.model_selection import select_node_sizes

FIELDS = ("set", "seed", "candidates", "chosen", "warned", "right", "seconds")
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


def images(make: Callable, n_samples: int, **parameters) -> Callable[[int], list[np.ndarray]]:
    """Return what draws one of the generators of the package by seed."""

    def load(seed: int) -> list[np.ndarray]:
        bunch = make(n_samples, random_state=seed, **parameters)
        return [bunch[name] for name in ("images", "curves") if name in bunch]

    return load


def discs_with_few(seed: int) -> list[np.ndarray]:
    """Return 1500 discs of which 28 are in one of the eight cells."""
    bunch, rng = datasets.make_circles_images(3000, random_state=seed), np.random.RandomState(seed)
    cells = np.ravel_multi_index(bunch.factors.T, (2, 2, 2))
    is_rare = cells == np.bincount(cells).argmin()
    rare, rest = (rng.permutation(np.flatnonzero(of)) for of in (is_rare, ~is_rare))
    return [bunch.images[rng.permutation(np.concatenate([rare[:28], rest[:1472]]))]]


def table(seed: int) -> list[np.ndarray]:
    """Return a table of factors of two and three outcomes, 6 standard deviations apart in the mean.

    Draws differ. In seed 8 the two outcomes of the first node are 3.3 apart, between which there is
    no gap to be seen: the other node alone is supported by these data, and (3,) is no candidate.
    """
    rng = np.random.RandomState(seed)
    nodes = many_cells.dependent_nodes((2, 3), 600, rng)
    columns = rng.normal(size=(600, 12))
    for size, outcomes in zip((2, 3), nodes.T, strict=True):
        effects = rng.normal(size=(size, 12))
        columns += 6.0 / np.sqrt(24.0) * effects[outcomes]
    return [columns]


def gaussian(seed: int) -> list[np.ndarray]:
    """Return samples of one Gaussian."""
    rng = np.random.RandomState(seed)
    return [rng.normal(size=(600, 5)) @ rng.normal(size=(5, 20)) + rng.normal(size=(600, 20))]


def uniform(seed: int) -> list[np.ndarray]:
    """Return uniform noise."""
    return [np.random.RandomState(seed).uniform(size=(600, 10))]


def heavy_tails(seed: int) -> list[np.ndarray]:
    """Return Student's t with three degrees of freedom."""
    return [np.random.RandomState(seed).standard_t(3, size=(600, 10))]


def ring(seed: int) -> list[np.ndarray]:
    """Return a circle in ten dimensions, with noise."""
    rng = np.random.RandomState(seed)
    angle = rng.uniform(0, 2 * np.pi, size=600)
    circle = np.column_stack([np.cos(angle), np.sin(angle)]) @ rng.normal(size=(2, 10))
    return [circle + 0.1 * rng.normal(size=(600, 10))]


def cases() -> dict[str, Case]:
    """Return the sets by name."""
    grids, tens = [2, 4, (2, 2), 8, (2, 2, 2), (3, 3)], [8, 9, 10, 11, 12]
    nothing = [2, 3, 4, (2, 2)]
    sixes, cube = [2, (2, 2), 6, (2, 3), (3, 3)], (2, 2, 2)
    nines, more = [(2, 2), (2, 3), 9, (3, 3), (3, 4)], [8, cube, (2, 2, 4), (2,) * 4, (2, 2, 2, 3)]
    discs = datasets.make_circles_images
    return {
        "discs": Case(images(discs, 1000), grids, cube),
        "1500 discs": Case(images(discs, 1500), grids, cube),
        "1500 discs, 28 in a cell": Case(discs_with_few, grids, cube),
        "sized discs": Case(images(datasets.make_sized_circles, 1000), sixes, (2, 3)),
        "striped discs": Case(images(datasets.make_striped_circles, 1500), more, (2,) * 4),
        "rectangles": Case(images(datasets.make_rectangles, 1500), grids, cube),
        "grey bars": Case(images(datasets.make_grey_bars, 1000), grids, cube),
        "spectra": Case(images(datasets.make_spectra, 3000), grids, cube),
        "pendulum": Case(images(datasets.make_pendulum, 1000), nines, (3, 3)),
        "sprites without shapes": Case(
            images(datasets.make_sprites, 1000, shape="square"), grids, cube
        ),
        "digits and line": Case(lambda s: some_rows(node_rows.digits(s), 1000, s), tens, (10,)),
        "all digits and line": Case(lambda s: node_rows.digits(s).arrays, tens, (10,)),
        "mfeat": Case(lambda s: some_rows(node_rows.mfeat(s), 1000, s), tens, (10,)),
        "table": Case(table, sixes, (2, 3)),
        "one Gaussian": Case(gaussian, nothing, None),
        "uniform noise": Case(uniform, nothing, None),
        "heavy tails": Case(heavy_tails, nothing, None),
        "ring": Case(ring, nothing, None),
    }


def measure(name: str, seed: int, candidates: str) -> dict:
    """Choose once, among candidates that are stated or proposed."""
    case, start = cases()[name], time.perf_counter()
    X = MultimodalData(case.load(seed))
    model = CausalPIMA(random_state=seed, scale="feature" if name == "mfeat" else "modality")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stated = case.candidates if candidates == "stated" else None
        selection = select_node_sizes(model, X, stated)
    warned = any(issubclass(warning.category, NodeSizesWarning) for warning in caught)
    right = warned if case.answer is None else selection.best_node_sizes == case.answer
    seconds = round(time.perf_counter() - start, 1)
    figures = (name, seed, candidates, selection.best_node_sizes, warned, right, seconds)
    return dict(zip(FIELDS, figures, strict=True))


def summarize(paths: Sequence[Path]) -> None:
    """Print a markdown table."""
    lines = [line for path in paths for line in csv.DictReader(path.open(newline=""))]
    print(
        "| set | candidates | right | chosen | warned | s per choice |\n|---|---|---|---|---|---|"
    )
    for name, candidates in itertools.product(cases(), ("stated", "proposed")):
        mine = [(line["set"], line["candidates"]) == (name, candidates) for line in lines]
        mine = list(itertools.compress(lines, mine))
        if not mine:
            continue
        right, warned = (sum(line[f] == "True" for line in mine) for f in ("right", "warned"))
        chosen = " ".join(sorted({line["chosen"] for line in mine}))
        seconds = np.mean([float(line["seconds"]) for line in mine])
        figures = f"{right} of {len(mine)} | {chosen} | {warned} | {seconds:.0f}"
        print(f"| {name} | {candidates} | {figures} |")


def main() -> None:
    """Run sets, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(cases()), choices=list(cases()))
    parser.add_argument("--without-candidates", action="store_true")
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-9")
    parser.add_argument("--out", type=Path, default=Path("node_sizes_runs.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    for seed in arguments.seeds:
        for name in arguments.sets:
            line = measure(name, seed, "proposed" if arguments.without_candidates else "stated")
            node_rows.append_lines(arguments.out, FIELDS, [line])


if __name__ == "__main__":
    main()
