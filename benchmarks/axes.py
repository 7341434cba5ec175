"""Where is a factor without steps, and are outcomes in a row kinds, or one line that was cut?

Run with OMP_NUM_THREADS=1.

    python benchmarks/axes.py --seeds 0-9 --out axes.md
    python benchmarks/axes.py --seeds 0-3 --rows order
    python benchmarks/axes.py --rows share            # seconds: nothing is fitted

*Axes*: 500 samples with a uniform factor, besides a node of two kinds: a table of 12 columns, rings
whose radius varies, bars that are rotated, spectra whose peak moves; the kind moves other columns,
lights a corner of images, or moves another peak. Grids leave the factor out, (2,), or have a second
node of two or three outcomes, which can only cut it. R^2 of the factor is that of
:func:`within_cell_axes`, from cells and the best axis, and from cells and all three, beside that of
a ridge regression on the samples.

*Order*: 200 samples of three kinds in a row, 4 or 3 standard deviations apart in 8 columns, and of
one uniform line that is as long, asked for one node of three; and with a second node of two
outcomes, 5 apart. Kinds of a line, and a cut of kinds, are wrong words.

*Share*: the scatter between the means of samples of three true kinds that is along one direction.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima._clustering.in_a_row import outcomes_in_a_row
from skcausalpima.inspection import within_cell_axes

N_SAMPLES, N_IN_ROWS, N_COLUMNS, SIDE = 500, 200, 8, 16
GRIDS = {"left out": (2,), "cut in two": (2, 2), "cut in three": (2, 3)}
DISTANCES = (4.0, 3.0)
TRIALS = 90  # of shares
RIGHT = 0.8  # least share of samples in their outcome, or their third of a line

Drawn = tuple[np.ndarray, np.ndarray]  # samples, and the factor


def seeds(text: str) -> list[int]:
    """Return the numbers of a range such as 0-9."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def grid_of_pixels() -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of pixels, from -1 to 1."""
    ticks = np.linspace(-1, 1, SIDE)
    return np.meshgrid(ticks, ticks, indexing="ij")


def corner(kind: np.ndarray) -> np.ndarray:
    """Draw a corner that is bright in one kind."""
    down, across = grid_of_pixels()
    return ((down > 0.6) & (across > 0.6)) * kind[:, None, None]


def table(factor: np.ndarray, kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a table: the factor has a standard deviation of 1.7 in each of 6 columns."""
    signs = rng.choice([-1.0, 1.0], size=12)
    moved = np.where(np.arange(12) < 6, 6.0 * factor[:, None], 5.0 * kind[:, None]) * signs
    return moved + rng.normal(size=moved.shape)


def rings(factor: np.ndarray, kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw rings of a radius that varies, and a corner."""
    down, across = grid_of_pixels()
    radius = (0.35 + 0.4 * factor)[:, None, None]
    image = np.exp(-0.5 * ((np.hypot(down, across) - radius) / 0.15) ** 2) + corner(kind)
    return image + rng.normal(scale=0.1, size=image.shape)


def bars(factor: np.ndarray, kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw bars that are rotated by up to 80 degrees, and a corner."""
    down, across = grid_of_pixels()
    angle = np.deg2rad(80 * factor)[:, None, None]
    away = across * np.sin(angle) - down * np.cos(angle)
    image = np.exp(-0.5 * (away / 0.2) ** 2) + corner(kind)
    return image + rng.normal(scale=0.1, size=image.shape)


def spectra(factor: np.ndarray, kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw spectra: one peak moves by twice its width, the other is at one of two places."""
    x = np.linspace(0, 1, 60)
    moving, other = (0.2 + 0.12 * factor)[:, None], np.where(kind, 0.85, 0.65)[:, None]
    curves = sum(np.exp(-0.5 * ((x - place) / 0.06) ** 2) for place in (moving, other))
    return curves + rng.normal(scale=0.05, size=curves.shape)


MAKERS: dict[str, Callable] = {"table": table, "rings": rings, "bars": bars, "spectra": spectra}


def fitted(X: np.ndarray, sizes: tuple[int, ...], seed: int) -> CausalPIMA:
    """Return a default fit, whose warnings are not asked about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CausalPIMA(sizes, random_state=seed).fit(X)


def axes_row(name: str, sizes: tuple[int, ...], seed: int) -> list[float | str]:
    """Return R^2 of the factor, the ceiling, what is said, and seconds."""
    rng = np.random.default_rng(seed)
    factor, kind = rng.uniform(size=N_SAMPLES), rng.integers(2, size=N_SAMPLES)
    X = MAKERS[name](factor, kind, rng)
    est = fitted(X, sizes, seed)
    start = time.perf_counter()
    found = within_cell_axes(est, X, metadata={"factor": factor})
    seconds = time.perf_counter() - start
    (cell, *single, together, ridge), (word,) = found.r2[:, 0].tolist(), found.held
    return [cell, max(single), together, ridge, together / ridge, word, seconds]


def report_axes(names: list[str], numbers: list[int], report: Callable[[str], None]) -> None:
    """Fit some kinds of data for all grids."""
    report("\ndata | grid | fits | cell | best | all | ridge | least part | below .95 | held | s")
    report("---|---|---|---|---|---|---|---|---|---|---")
    for name in names:
        for grid, sizes in GRIDS.items():
            rows = [axes_row(name, sizes, seed) for seed in numbers]
            figures = np.array([[*row[:5], row[6]] for row in rows], dtype=float)
            cell, best, together, ridge, _, seconds = figures.mean(axis=0)
            parts, words = figures[:, 4], [row[5] for row in rows]
            report(
                f"{name} | {grid} | {len(rows)} | {cell:.2f} | {best:.3f} | {together:.3f} | "
                f"{ridge:.3f} | {parts.min():.2f} | {(parts < 0.95).sum()} | "
                f"{words.count('held')} | {seconds:.1f}"
            )


def in_rows(distance: float, is_line: bool, two_nodes: bool, seed: int) -> Drawn:
    """Draw kinds in a row, or a line as long; return the samples and true places along it."""
    rng = np.random.default_rng(1000 + seed)
    places = rng.integers(3, size=N_IN_ROWS)
    along = rng.uniform(-0.5, 2.5, size=N_IN_ROWS) if is_line else places.astype(float)
    axis = rng.normal(size=(2, N_COLUMNS))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    X = distance * np.outer(along, axis[0]) + rng.normal(size=(N_IN_ROWS, N_COLUMNS))
    if two_nodes:
        X += 5.0 * np.outer(rng.integers(2, size=N_IN_ROWS), axis[1])
    return X, along if is_line else places


def order_row(distance: float, is_line: bool, two_nodes: bool, seed: int) -> tuple[bool, str, bool]:
    """Return whether the row is right, the word, and whether the node is the true one."""
    X, along = in_rows(distance, is_line, two_nodes, seed)
    est = fitted(X, (2, 3) if two_nodes else (3,), seed)
    found, node = within_cell_axes(est, X), int(two_nodes)
    outcomes = est.node_labels_[:, node]
    means = [along[outcomes == k].mean() for k in found.order[node]]
    steps = np.diff(means)
    is_right = bool(found.in_a_row[node]) and ((steps > 0).all() or (steps < 0).all())
    thirds = np.clip(np.round(along), 0, 2).astype(int)
    agreements = [
        (np.take(order, outcomes) == thirds).mean() for order in itertools.permutations(range(3))
    ]
    return bool(is_right), found.steps[node], max(agreements) >= RIGHT


def report_order(numbers: list[int], report: Callable[[str], None]) -> None:
    """Fit rows of kinds, and lines."""
    report("\ndata | fits | node right | row right | kinds | cut | not told")
    report("---|---|---|---|---|---|---")
    for two_nodes in (False, True):
        for is_line in (False, True):
            for distance in DISTANCES:
                rows = [order_row(distance, is_line, two_nodes, seed) for seed in numbers]
                rights, words, nodes = zip(*rows, strict=True)
                what = f"{'line' if is_line else 'kinds'}, {distance:g} sd"
                counts = " | ".join(str(words.count(w)) for w in ("kinds", "cut", "not told"))
                report(
                    f"{what}{', two nodes' * two_nodes} | {len(rows)} | {sum(nodes)} | "
                    f"{sum(rights)} | {counts}"
                )


def report_share(report: Callable[[str], None]) -> None:
    """Count lines in rows and in triangles, from true labels."""
    report("\ndata | sets | lines\n---|---|---")
    for what in ("row", "triangle"):
        for distance in (2.0, *DISTANCES):
            n_lines = 0
            for trial in range(TRIALS):
                rng = np.random.default_rng(trial)
                centres = rng.normal(size=(3, N_COLUMNS))
                if what == "row":
                    centres = np.outer(np.arange(3.0), centres[0] / np.linalg.norm(centres[0]))
                else:
                    centres = np.linalg.qr(centres.T)[0].T / np.sqrt(2)
                samples = rng.normal(size=(3, N_IN_ROWS // 3, N_COLUMNS))
                means = distance * centres + samples.mean(axis=1)
                n_lines += outcomes_in_a_row(means, np.arange(3), (3,)).are_lines[0]
            report(f"{what}, {distance:g} sd | {TRIALS} | {n_lines}")


def main() -> None:
    """Print tables, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds, default=seeds("0-9"))
    parser.add_argument("--rows", nargs="+", default=["axes", "order", "share"])
    parser.add_argument("--data", nargs="+", default=list(MAKERS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines: list[str] = []

    def report(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if options.out is not None:
            options.out.write_text("\n".join(lines) + "\n")

    if "share" in options.rows:
        report_share(report)
    if "order" in options.rows:
        report_order(options.seeds, report)
    if "axes" in options.rows:
        report_axes(options.data, options.seeds, report)


if __name__ == "__main__":
    main()
