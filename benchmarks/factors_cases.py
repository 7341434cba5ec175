"""What ``factors.py`` fits: kinds without factors, and grids that are there.

Every case is drawn by one seed: which sort, how many cells and samples, which shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from skcausalpima import datasets

Sizes = tuple[int, ...]
GRIDS: dict[int, list[Sizes]] = {
    4: [(2, 2)],
    6: [(2, 3)],
    8: [(2, 2, 2)],
    9: [(3, 3)],
    12: [(3, 4), (2, 2, 3)],
}
SAMPLES, SIDE, WIDTH = (200, 500, 1000, 2000), 16, 8

#: Cells next to each other are so many standard deviations of the noise apart, in the median.
APART = 6.0


class Drawn(NamedTuple):
    """Samples in any form that ``fit`` takes, their true cells, what is asked for, and known ones.

    ``factors`` are the outcomes of the nodes, (n_samples, n_nodes); None where there are kinds.
    """

    X: object
    cells: np.ndarray
    sizes: Sizes
    factors: np.ndarray | None = None


# --- kinds: means without factors ------------------------------------------------------------


def gaussian(width: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return what draws means from a Gaussian."""
    return lambda rng, n: rng.normal(size=(n, width))


def tree(times: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return what draws pairs of means, so many times as far apart as within."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        pairs = times * rng.normal(size=((n + 1) // 2, WIDTH))
        return np.repeat(pairs, 2, axis=0)[:n] + rng.normal(size=(n, WIDTH))

    return draw


def row(is_equal: bool) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return what draws means on a line, with equal steps or at random places."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        positions = np.arange(n) if is_equal else rng.uniform(0, n, size=n)
        direction = rng.normal(size=WIDTH)
        return positions[:, None] * direction / np.linalg.norm(direction)

    return draw


def circle(is_equal: bool) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return what draws means on a circle; four at equal steps are a grid."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        angle = 2 * np.pi * (np.arange(n) / n if is_equal else rng.uniform(size=n))
        axes = np.linalg.qr(rng.normal(size=(WIDTH, 2)))[0]
        return np.column_stack([np.cos(angle), np.sin(angle)]) @ axes.T

    return draw


def one_far_out(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw means from a Gaussian, and move one of them."""
    means = rng.normal(size=(n, WIDTH))
    direction = rng.normal(size=WIDTH)
    means[0] += 10 * direction / np.linalg.norm(direction)
    return means


def templates(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw images without structure, smooth."""
    drawn = [gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2.0) for _ in range(n)]
    return np.reshape(drawn, (n, -1))


MEANS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    **{f"Gaussian in {width}": gaussian(width) for width in (1, 2, 3, 8, 50)},
    **{f"tree, {times} times": tree(times) for times in (3, 10)},
    "row, random places": row(False),
    "row, equal steps": row(True),
    "circle, random places": circle(False),
    "binary profiles": lambda rng, n: rng.integers(2, size=(n, 12)).astype(float),
    "log-normal": lambda rng, n: np.exp(rng.normal(size=(n, WIDTH))),
    "t2": lambda rng, n: rng.standard_t(2, size=(n, WIDTH)),
    "one far out": one_far_out,
    "image templates": templates,
    "mixed table": gaussian(WIDTH),
    "Gaussian in 2 of 22": gaussian(2),
    "circle in 2 of 22": circle(False),
}

#: Their means are sums, or nearly so, for some numbers of cells: told apart from the others.
GRIDS_AFTER_ALL = {"circle, equal steps": circle(True)}


def shares_of(rng: np.random.Generator, n_cells: int, is_equal: bool) -> np.ndarray:
    """Return equal shares, or some from 1 to 10."""
    shares = np.ones(n_cells) if is_equal else 10.0 ** rng.uniform(size=n_cells)
    return shares / shares.sum()


def kinds(sort: str, seed: int, sizes: Sizes | None = None, n_samples: int | None = None) -> Drawn:
    """Draw kinds of a sort; the grid that they are asked for, and how many, by default too."""
    rng = np.random.default_rng([seed, sum(map(ord, sort))])
    of_cells = GRIDS[int(rng.choice(list(GRIDS)))]
    drawn = of_cells[rng.integers(len(of_cells))], int(rng.choice(SAMPLES))
    sizes, n_samples = sizes or drawn[0], n_samples or drawn[1]
    n_cells = math.prod(sizes)
    means = (MEANS | GRIDS_AFTER_ALL)[sort](rng, n_cells)
    distances = np.linalg.norm(means[:, None] - means, axis=2) + np.diag(np.full(n_cells, np.inf))
    means *= APART / max(np.median(distances.min(axis=1)), 1e-9)
    shares = shares_of(rng, n_cells, rng.uniform() < 0.5)
    cells = rng.permutation(np.r_[np.arange(n_cells), rng.choice(n_cells, n_samples, p=shares)])
    if sort.endswith("of 22"):
        means = np.pad(means, ((0, 0), (0, 22 - means.shape[1])))
    x = means[cells] + rng.normal(size=(len(cells), means.shape[1]))
    if sort == "image templates":
        return Drawn(x.reshape(-1, SIDE, SIDE), cells, sizes)
    if sort == "mixed table":
        return Drawn(with_words(rng, x, cells), cells, sizes)
    return Drawn(x, cells, sizes)


def with_words(rng: np.random.Generator, x: np.ndarray, cells: np.ndarray) -> pd.DataFrame:
    """Return a frame of numbers, and of words whose probabilities each cell has for itself."""
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(x.shape[1])])
    for name in ("colour", "shape"):
        tables = rng.dirichlet(np.full(4, 0.5), size=cells.max() + 1)
        drawn = [rng.choice(4, p=tables[cell]) for cell in cells]
        frame[name] = np.array(["ash", "birch", "cedar", "elm"])[drawn]
    return frame


# --- grids that are there --------------------------------------------------------------------


def nodes_of(rng: np.random.Generator, sizes: Sizes, n: int, dependence: float = 0.0) -> np.ndarray:
    """Draw outcomes; each node takes over that of the one before with a probability."""
    nodes = rng.integers(sizes, size=(n, len(sizes)))
    for node in range(1, len(sizes)):
        copied = rng.uniform(size=n) < dependence
        nodes[copied, node] = nodes[copied, node - 1] % sizes[node]
    return nodes


def sums(
    seed: int,
    sizes: Sizes,
    n_samples: int = 500,
    *,
    asked: Sizes | None = None,
    width: int = 12,
    lengths: float = 1.0,
    dependence: float = 0.0,
    ordered: bool = False,
    rare: float = 0.0,
    nested: bool = False,
    n_modalities: int = 1,
) -> Drawn:
    """Draw tables in which effects add up, outcomes five standard deviations apart.

    The effects of the last node are ``lengths`` times as long, those of ``ordered`` nodes have
    equal steps; ``rare`` is the share of all outcomes but the first, ``nested`` nodes do something
    only where the first node has its second outcome, and of several modalities each shows one node.
    """
    rng = np.random.default_rng([seed, *sizes])
    nodes = nodes_of(rng, sizes, n_samples, dependence)
    if rare:
        nodes = (rng.uniform(size=nodes.shape) < rare) * rng.integers(1, sizes, size=nodes.shape)
    arrays = [rng.normal(size=(n_samples, width)) for _ in range(n_modalities)]
    axes = np.linalg.qr(rng.normal(size=(width, width)))[0].T
    for node, size in enumerate(sizes):
        long = 5.0 * (lengths if node == len(sizes) - 1 else 1.0)
        effects = long / math.sqrt(2) * axes[4 * node : 4 * node + size]
        if ordered:
            effects = long * np.arange(size)[:, None] * axes[4 * node]
        elif size == 2:
            effects = effects + 0.5 * rng.normal(size=effects.shape)  # nodes are not orthogonal
        moved = effects[nodes[:, node]]
        if nested and node > 0:
            moved *= nodes[:, :1] == 1
        arrays[node % n_modalities] += moved
    cells = np.ravel_multi_index(nodes.T, sizes)
    return Drawn(arrays if n_modalities > 1 else arrays[0], cells, asked or sizes, nodes)


def generated(
    seed: int, *, make: Callable, factors: tuple[int, ...], n_samples: int, **parameters
) -> Drawn:
    """Draw one of the generators, and keep the samples in which only some factors vary."""
    bunch = make(4 * n_samples, random_state=seed, **parameters)
    others = [k for k in range(bunch.factors.shape[1]) if k not in factors]
    rows = np.flatnonzero((bunch.factors[:, others] == 0).all(axis=1))[:n_samples]
    nodes = bunch.factors[rows][:, factors]
    sizes = tuple(int(column.max()) + 1 for column in nodes.T)
    arrays = [bunch[name][rows] for name in ("images", "curves") if name in bunch]
    cells = np.ravel_multi_index(nodes.T, sizes)
    return Drawn(arrays if len(arrays) > 1 else arrays[0], cells, sizes, nodes)


def _images() -> dict[str, Callable[[int], Drawn]]:
    """Return the generators of the package, those of three factors also with one held fixed."""
    draw = partial(partial, generated, n_samples=800)
    rows = {
        "lattices (2, 2)": draw(make=datasets.make_lattices, factors=(0, 1)),
        "sized discs (2, 3)": draw(make=datasets.make_sized_circles, factors=(0, 1)),
        "pendulum (3, 3)": draw(make=datasets.make_pendulum, factors=(0, 1)),
        "sprites (2, 2, 2)": draw(make=datasets.make_sprites, factors=(0, 1, 2), shape="square"),
        "striped discs (2, 2, 2, 2)": draw(
            make=datasets.make_striped_circles, factors=(0, 1, 2, 3)
        ),
    }
    three = {
        "discs": datasets.make_circles_images,
        "bars": datasets.make_grey_bars,
        "rectangles": datasets.make_rectangles,
        "spectra": datasets.make_spectra,
    }
    for name, make in three.items():
        rows[f"{name} (2, 2, 2)"] = draw(make=make, factors=(0, 1, 2))
        for factors in ((0, 1), (0, 2), (1, 2)):
            rows[f"{name}, factors {factors}"] = draw(make=make, factors=factors)
    return rows


#: Where effects add up.
SUMS: dict[str, Callable[[int], Drawn]] = {
    "sums (2, 2)": lambda seed: sums(seed, (2, 2)),
    "sums (2, 2), 200 samples": lambda seed: sums(seed, (2, 2), 200),
    "sums (2, 3)": lambda seed: sums(seed, (2, 3)),
    "sums (2, 2, 2)": lambda seed: sums(seed, (2, 2, 2)),
    "sums (3, 3)": lambda seed: sums(seed, (3, 3)),
    "sums (2, 2, 3)": lambda seed: sums(seed, (2, 2, 3), 1000, width=16),
    "unlike lengths (2, 2)": lambda seed: sums(seed, (2, 2), lengths=0.8, width=8),
    "unlike lengths (2, 2, 2)": lambda seed: sums(seed, (2, 2, 2), lengths=2.0),
    "ordered (3, 3)": lambda seed: sums(seed, (3, 3), ordered=True),
    "dependent nodes (2, 2)": lambda seed: sums(seed, (2, 2), dependence=0.6),
    "dependent nodes (2, 2, 2)": lambda seed: sums(seed, (2, 2, 2), dependence=0.5),
    "two modalities, a node each": lambda seed: sums(seed, (2, 2), width=8, n_modalities=2),
}
#: Cells that are few, and nodes that are not there, or only where another one is on.
OTHERS: dict[str, Callable[[int], Drawn]] = {
    "cells of 1-3 % (2, 2)": lambda seed: sums(seed, (2, 2), 1200, rare=0.12),
    "nested (2, 2)": lambda seed: sums(seed, (2, 2), nested=True),
    "idle node (2,) as (2, 2)": lambda seed: sums(seed, (2,), asked=(2, 2)),
    "idle node (2, 2) as (2, 2, 2)": lambda seed: sums(seed, (2, 2), asked=(2, 2, 2)),
    "idle node (3,) as (2, 3)": lambda seed: sums(seed, (3,), asked=(2, 3)),
}
IMAGES = _images()
