"""The cases of ``verdict.py``: data with known factors, or none, and the nodes that are asked for.

``choosing`` is what the rules of the report were chosen on, ``judging`` what they are judged on.
Every kind of data is in both, from other generators or with other numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import factors_cases
import node_rows
import numpy as np
from sklearn import datasets as public
from sklearn.preprocessing import StandardScaler

from skcausalpima import datasets

Sizes = tuple[int, ...]


#: The kind of trial that asks kinds for a grid.
KINDS = "kinds"


class Drawn(NamedTuple):
    """Modalities of the same samples; outcomes of the factors (n_samples, n_factors), or none."""

    arrays: Sequence[np.ndarray]
    factors: np.ndarray | None = None


class Case(NamedTuple):
    """What is drawn, what is asked for, and what kind of trial that is."""

    kind: str
    load: Callable[[int], Drawn]
    sizes: Sizes


# --- noise -----------------------------------------------------------------------------------


def noise_of(rng: np.random.Generator, shape: tuple[int, ...], law: str) -> np.ndarray:
    """Draw noise of unit variance."""
    if law == "uniform":
        return rng.uniform(-np.sqrt(3), np.sqrt(3), size=shape)
    if law == "heavy tails":
        return rng.standard_t(4, size=shape) / np.sqrt(2)
    return rng.normal(size=shape)


def one_cluster(seed: int, n_samples: int, width: int, law: str, latent: int = 0) -> Drawn:
    """Draw one cluster, with some directions of more variance."""
    rng = np.random.default_rng(seed)
    x = noise_of(rng, (n_samples, width), law)
    return Drawn([x + noise_of(rng, (n_samples, latent), law) @ rng.normal(size=(latent, width))])


def without_steps(seed: int, n_samples: int, width: int, shape: str, steps: Sizes = ()) -> Drawn:
    """Draw a factor without steps, along a line or around a ring, besides some that have steps."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(size=n_samples)
    angle = 2 * np.pi * position
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * 5
    path = ring if shape == "ring" else 14 * position[:, None]
    found = additive(seed, n_samples, steps, width=width) if steps else None
    x = found.arrays[0] if found else rng.normal(size=(n_samples, width))
    axes = np.linalg.qr(rng.normal(size=(width, path.shape[1])))[0]
    return Drawn([x + path @ axes.T], found.factors if found else None)


# --- tables of factors -----------------------------------------------------------------------


def additive(
    seed: int,
    n_samples: int,
    sizes: Sizes,
    distance: float = 5.0,
    width: int = 12,
    law: str = "normal",
    raw: bool = False,
    shares: Sequence[float] = (),
    hidden: float = 0.0,
    n_tables: int = 1,
) -> Drawn:
    """Draw tables in which factors add up, each outcome as far from the others of its factor.

    ``shares`` are those of the first outcome of each factor (else all are alike); ``hidden`` is the
    distance of a binary factor more. Columns of ``raw`` tables have units of their own.
    """
    rng = np.random.default_rng(seed)
    sizes, distances = [*sizes], [distance] * len(sizes)
    if hidden > 0:
        sizes, distances = [*sizes, 2], [*distances, hidden]
    columns = []
    for k, size in enumerate(sizes):
        first = shares[k] if k < len(shares) else 1 / size
        p = [first, *[(1 - first) / (size - 1)] * (size - 1)]
        columns.append(rng.choice(size, p=p, size=n_samples))
    factors = np.column_stack(columns)
    arrays = []
    for _ in range(n_tables):
        axes = np.linalg.qr(rng.normal(size=(width, min(width, sum(sizes)))))[0].T
        if len(axes) < sum(sizes):
            axes = rng.normal(size=(sum(sizes), width)) / np.sqrt(width)
        x, start = noise_of(rng, (n_samples, width), law), 0
        for size, far, column in zip(sizes, distances, columns, strict=True):
            x += far / np.sqrt(2) * axes[start : start + size][column]
            start += size
        if raw:
            x = 10.0 ** rng.uniform(-2, 3, size=width) * (x + rng.uniform(-20, 20, size=width))
        arrays.append(x)
    return Drawn(arrays, factors)


def unlike_groups(seed: int, n_samples: int, shares: Sequence[float], distance: float) -> Drawn:
    """Draw groups of unlike shares and shapes."""
    rng = np.random.default_rng(seed)
    group = rng.choice(len(shares), p=shares, size=n_samples)
    shapes = rng.normal(size=(len(shares), 8, 8)) / np.sqrt(8)
    x = np.einsum("nij,nj->ni", shapes[group], rng.normal(size=(n_samples, 8)))
    centres = np.linalg.qr(rng.normal(size=(8, 8)))[0][: len(shares)]
    return Drawn([x + distance * centres[group]], group[:, None])


def kinds(seed: int, sort: str, sizes: Sizes, n_samples: int) -> Drawn:
    """Draw kinds without factors, as many as a grid has cells."""
    found = factors_cases.kinds(sort, seed, sizes, n_samples)
    return Drawn([found.X], found.cells[:, None])


# --- generators of the package, and real data ------------------------------------------------


def generated(seed: int, make: Callable, **parameters) -> Drawn:
    """Draw one of the generators."""
    bunch = make(random_state=seed, **parameters)
    return Drawn([bunch[k] for k in ("images", "curves") if k in bunch], bunch.factors)


def real(seed: int, load: Callable, scaled: bool) -> Drawn:
    """Return a table of scikit-learn's with its classes."""
    bunch = load()
    x = StandardScaler().fit_transform(bunch.data) if scaled else bunch.data
    rows = np.random.default_rng(seed).permutation(len(x))  # each seed another order
    return Drawn([x[rows]], bunch.target[rows, None])


def stored(seed: int, load: Callable, n_samples: int) -> Drawn:
    """Return some rows of a row of ``nodes.py``."""
    data = load(seed)
    rows = np.random.default_rng(seed).permutation(len(data.factors))[:n_samples]
    return Drawn([array[rows] for array in data.arrays], data.factors[rows])


# --- the two halves --------------------------------------------------------------------------


def choosing() -> dict[str, Case]:
    """Return the cases that the rules were chosen on."""
    draw, table = functools.partial, functools.partial(functools.partial, additive)
    discs = draw(generated, make=datasets.make_circles_images, n_samples=800)
    bars = draw(generated, make=datasets.make_grey_bars, n_samples=800)
    spectra = draw(generated, make=datasets.make_spectra, n_samples=600)
    four = table(n_samples=500, sizes=(2, 2))
    line = draw(without_steps, n_samples=500, width=10, shape="line")
    ring = draw(without_steps, n_samples=500, width=10, shape="ring")
    return {
        "discs (2, 2, 2)": Case("generator", discs, (2, 2, 2)),
        "discs (2, 2)": Case("smaller grid", discs, (2, 2)),
        "discs (2, 2, 3)": Case("larger grid", discs, (2, 2, 3)),
        "bars (2, 2, 2)": Case("generator", bars, (2, 2, 2)),
        "bars (3, 2, 2)": Case("larger grid", bars, (3, 2, 2)),
        "spectra (2, 2, 2)": Case("generator", spectra, (2, 2, 2)),
        "spectra (4,)": Case("smaller grid", spectra, (4,)),
        "table (2, 2)": Case("table", four, (2, 2)),
        "table, raw (2, 2)": Case("raw table", draw(four, raw=True), (2, 2)),
        "table, uniform noise": Case("noise law", draw(four, law="uniform"), (2, 2)),
        "table, heavy tails": Case("noise law", draw(four, law="heavy tails"), (2, 2)),
        "table (2, 3), 3.5 sd": Case(
            "table", table(n_samples=600, sizes=(2, 3), distance=3.5), (2, 3)
        ),
        "table (2, 2) as (2,)": Case("smaller grid", four, (2,)),
        "table (2, 2) as (4,)": Case("smaller grid", four, (4,)),
        "table (2, 2) as (2, 3)": Case("larger grid", four, (2, 3)),
        "table (2, 2) as (2, 2, 2)": Case("idle node", four, (2, 2, 2)),
        "table (3,) as (5,)": Case("larger grid", table(n_samples=400, sizes=(3,)), (5,)),
        "two tables, 300 samples": Case(
            "table", table(n_samples=300, sizes=(2, 2), width=4, n_tables=2), (2, 2)
        ),
        "hidden factor, 1 sd": Case("hidden factor", draw(four, hidden=1.0), (2, 2)),
        "hidden factor, 2.5 sd": Case("hidden factor", draw(four, hidden=2.5), (2, 2)),
        "hidden factor, 6 sd": Case("hidden factor", draw(four, hidden=6.0), (2, 2)),
        "cells of 1 to 3 %": Case(
            "small cells", table(n_samples=1000, sizes=(2, 2), shares=(0.86, 0.9)), (2, 2)
        ),
        "a group of 2 %": Case(
            "small cells",
            draw(unlike_groups, n_samples=800, shares=(0.68, 0.3, 0.02), distance=5.0),
            (3,),
        ),
        "unlike groups": Case(
            "table", draw(unlike_groups, n_samples=400, shares=(0.5, 0.3, 0.2), distance=4.0), (3,)
        ),
        "one cluster (2,)": Case(
            "one cluster", draw(one_cluster, n_samples=400, width=6, law="normal"), (2,)
        ),
        "one cluster (2, 2)": Case(
            "one cluster",
            draw(one_cluster, n_samples=400, width=20, law="normal", latent=4),
            (2, 2),
        ),
        "one cluster, uniform (3,)": Case(
            "one cluster", draw(one_cluster, n_samples=500, width=5, law="uniform"), (3,)
        ),
        "one cluster, heavy tails (2,)": Case(
            "one cluster", draw(one_cluster, n_samples=400, width=8, law="heavy tails"), (2,)
        ),
        "line (2,)": Case("no steps", line, (2,)),
        "line (3,)": Case("no steps", line, (3,)),
        "ring (3,)": Case("no steps", ring, (3,)),
        "line besides (2, 2)": Case("no steps", draw(line, steps=(2,)), (2, 2)),
        "line besides (2, 3)": Case("no steps", draw(line, steps=(2,)), (2, 3)),
        "243 cells of 12": Case(
            "many cells", table(n_samples=2916, sizes=(3,) * 5, width=36), (3,) * 5
        ),
        "wine": Case("real", draw(real, load=public.load_wine, scaled=False), (3,)),
        "wine, standardised": Case("real", draw(real, load=public.load_wine, scaled=True), (3,)),
        "wine (2,)": Case("smaller grid", draw(real, load=public.load_wine, scaled=True), (2,)),
        "zeros, ones and curve": Case("real", node_rows_of("zeros_and_ones", 600), (2, 2)),
        **kinds_asked("Gaussian in 8", (2, 2)),
        **kinds_asked("Gaussian in 3", (2, 3)),
        **kinds_asked("tree, 3 times", (2, 2)),
        **kinds_asked("image templates", (2, 2, 2)),
        **kinds_asked("log-normal", (3, 3)),
        **kinds_asked("Gaussian in 2 of 22", (2, 3)),
    }


def judging() -> dict[str, Case]:
    """Return the cases that the rules are judged on."""
    draw, table = functools.partial, functools.partial(functools.partial, additive)
    rectangles = draw(generated, make=datasets.make_rectangles, n_samples=800)
    sized = draw(generated, make=datasets.make_sized_circles, n_samples=800)
    pendulum = draw(generated, make=datasets.make_pendulum, n_samples=800)
    sprites = draw(generated, make=datasets.make_sprites, n_samples=800, shape="square")
    six = table(n_samples=700, sizes=(2, 3), width=16, distance=4.5)
    line = draw(without_steps, n_samples=700, width=6, shape="line")
    ring = draw(without_steps, n_samples=700, width=6, shape="ring")
    return {
        "rectangles (2, 2, 2)": Case("generator", rectangles, (2, 2, 2)),
        "rectangles (2, 2)": Case("smaller grid", rectangles, (2, 2)),
        "rectangles (2, 2, 2, 2)": Case("larger grid", rectangles, (2, 2, 2, 2)),
        "sized discs (2, 3)": Case("generator", sized, (2, 3)),
        "sized discs (3, 3)": Case("larger grid", sized, (3, 3)),
        "pendulum (3, 3)": Case("generator", pendulum, (3, 3)),
        "sprites (2, 2, 2)": Case("generator", sprites, (2, 2, 2)),
        "sprites (2, 2)": Case("smaller grid", sprites, (2, 2)),
        "table (2, 3)": Case("table", six, (2, 3)),
        "table, raw (2, 3)": Case("raw table", draw(six, raw=True), (2, 3)),
        "table, uniform noise": Case("noise law", draw(six, law="uniform"), (2, 3)),
        "table, heavy tails": Case("noise law", draw(six, law="heavy tails"), (2, 3)),
        "table (2, 2, 2), 3.5 sd": Case(
            "table", table(n_samples=800, sizes=(2, 2, 2), distance=3.5, width=10), (2, 2, 2)
        ),
        "table (2, 3) as (3,)": Case("smaller grid", six, (3,)),
        "table (2, 3) as (6,)": Case("smaller grid", six, (6,)),
        "table (2, 3) as (3, 3)": Case("larger grid", six, (3, 3)),
        "table (2, 3) as (2, 2, 3)": Case("idle node", six, (2, 2, 3)),
        "table (4,) as (6,)": Case("larger grid", table(n_samples=500, sizes=(4,)), (6,)),
        "two tables, 400 samples": Case(
            "table", table(n_samples=400, sizes=(2, 2), width=5, n_tables=2, distance=4.5), (2, 2)
        ),
        "hidden factor, 1.5 sd": Case("hidden factor", draw(six, hidden=1.5), (2, 3)),
        "hidden factor, 3 sd": Case("hidden factor", draw(six, hidden=3.0), (2, 3)),
        "hidden factor, 5 sd": Case("hidden factor", draw(six, hidden=5.0), (2, 3)),
        "cells of 1 to 3 %": Case(
            "small cells", table(n_samples=1200, sizes=(2, 3), shares=(0.92, 0.7), width=10), (2, 3)
        ),
        "a group of 1.5 %": Case(
            "small cells",
            draw(unlike_groups, n_samples=1000, shares=(0.5, 0.3, 0.185, 0.015), distance=5.0),
            (4,),
        ),
        "unlike groups": Case(
            "table",
            draw(unlike_groups, n_samples=500, shares=(0.4, 0.3, 0.2, 0.1), distance=4.5),
            (4,),
        ),
        "one cluster (3,)": Case(
            "one cluster", draw(one_cluster, n_samples=600, width=10, law="normal"), (3,)
        ),
        "one cluster (2, 3)": Case(
            "one cluster",
            draw(one_cluster, n_samples=600, width=30, law="normal", latent=3),
            (2, 3),
        ),
        "one cluster, uniform (2,)": Case(
            "one cluster", draw(one_cluster, n_samples=700, width=3, law="uniform"), (2,)
        ),
        "one cluster, heavy tails (3,)": Case(
            "one cluster", draw(one_cluster, n_samples=600, width=5, law="heavy tails"), (3,)
        ),
        "line (2,)": Case("no steps", line, (2,)),
        "line (3,)": Case("no steps", line, (3,)),
        "ring (2,)": Case("no steps", ring, (2,)),
        "ring (3,)": Case("no steps", ring, (3,)),
        "line besides (3, 2)": Case("no steps", draw(line, steps=(3,)), (3, 2)),
        "line besides (3, 3)": Case("no steps", draw(line, steps=(3,)), (3, 3)),
        "256 cells of 12": Case(
            "many cells", table(n_samples=3072, sizes=(4,) * 4, width=30), (4,) * 4
        ),
        "iris, two kinds": Case("real", two_irises, (2,)),
        "digits and line": Case("real", node_rows_of("digits", 1000), (10,)),
        "digits and line (5,)": Case("smaller grid", node_rows_of("digits", 1000), (5,)),
        **kinds_asked("Gaussian in 50", (2, 2)),
        **kinds_asked("Gaussian in 2", (2, 2)),
        **kinds_asked("tree, 10 times", (2, 3)),
        **kinds_asked("binary profiles", (2, 2, 2)),
        **kinds_asked("row, equal steps", (2, 2)),
        **kinds_asked("circle in 2 of 22", (3, 3)),
    }


def kinds_asked(sort: str, sizes: Sizes) -> dict[str, Case]:
    """Return the case of kinds that are asked for a grid, by its name."""
    draw = functools.partial(kinds, sort=sort, sizes=sizes, n_samples=500)
    return {f"{sort} {sizes}": Case(KINDS, draw, sizes)}


def two_irises(seed: int) -> Drawn:
    """Return the two kinds of irises that are known to be clusters: setosa, and the other two."""
    found = real(seed, public.load_iris, scaled=False)
    return Drawn(found.arrays, (found.factors > 0).astype(int))


def node_rows_of(name: str, n_samples: int) -> Callable[[int], Drawn]:
    """Return what draws some rows of a row of ``nodes.py``."""
    return functools.partial(stored, load=getattr(node_rows, name), n_samples=n_samples)


HALVES: dict[str, Callable[[], dict[str, Case]]] = {"choosing": choosing, "judging": judging}
#: Seeds of data and fits begin here.
FIRST_SEED = {"choosing": 100, "judging": 0}
