"""The cases of ``few_samples.py``: data of any number of samples, and the nodes that are asked for.

``choosing`` is what the rules were chosen on, ``judging`` what they are judged on: other kinds of
data, not only other draws.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import factors_cases
import node_rows
import numpy as np
import pandas as pd
import verdict_cases
from sklearn import datasets as public
from verdict_cases import KINDS, Drawn, Sizes, additive

from skcausalpima import datasets


class FewCase(NamedTuple):
    """What draws data from a seed and a number of samples, what is asked for, in which numbers."""

    kind: str
    load: Callable[[int, int], Drawn]
    sizes: Sizes
    numbers: tuple[int, ...] = (80, 150, 300)


def table(seed: int, n_samples: int, sizes: Sizes, **options: object) -> Drawn:
    """Draw tables in which factors add up."""
    return additive(seed, n_samples, sizes, **options)


def kinds(seed: int, n_samples: int, sort: str, sizes: Sizes) -> Drawn:
    """Draw kinds without factors, as many as a grid has cells."""
    found = factors_cases.kinds(sort, seed, sizes, n_samples)
    return Drawn([found.X], found.cells[:, None])


def generated(seed: int, n_samples: int, make: Callable, **options: object) -> Drawn:
    """Draw one of the generators."""
    return verdict_cases.generated(seed, make, n_samples=n_samples, **options)


def one_cluster(seed: int, n_samples: int, width: int, law: str) -> Drawn:
    """Draw one cluster."""
    return verdict_cases.one_cluster(seed, n_samples, width, law)


def line(seed: int, n_samples: int, steps: Sizes) -> Drawn:
    """Draw a factor without steps, besides some that have steps."""
    return verdict_cases.without_steps(seed, n_samples, 8, "line", steps)


def ring(seed: int, n_samples: int, steps: Sizes) -> Drawn:
    """Draw a factor around a ring, besides some that have steps."""
    return verdict_cases.without_steps(seed, n_samples, 8, "ring", steps)


def correlated(seed: int, n_samples: int, sizes: Sizes, width: int = 10) -> Drawn:
    """Draw a table whose noise is correlated: neighbouring columns by .7."""
    rng = np.random.default_rng(seed)
    nodes = np.column_stack([rng.integers(size, size=n_samples) for size in sizes])
    positions = np.arange(width)
    root = np.linalg.cholesky(0.7 ** np.abs(positions[:, None] - positions))
    x = rng.normal(size=(n_samples, width)) @ root.T
    for size, outcomes in zip(sizes, nodes.T, strict=True):
        x += 2.5 * rng.normal(size=(size, width))[outcomes]
    return Drawn([x], nodes)


def spirals(seed: int, n_samples: int) -> Drawn:
    """Draw two arms of a spiral in two columns, and a factor in two others."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(n_samples, 2))
    turn = 1.0 + 2.5 * np.sqrt(rng.uniform(size=n_samples)) * np.pi
    angle = turn + np.pi * nodes[:, 0]
    x = np.column_stack([turn * np.cos(angle), turn * np.sin(angle), 6.0 * nodes[:, 1]])
    x = np.hstack([x, np.zeros((n_samples, 1))])
    return Drawn([x + 0.3 * rng.normal(size=x.shape)], nodes)


def repeated(seed: int, n_samples: int, sizes: Sizes) -> Drawn:
    """Draw a table of a third of the rows, each of which is there three times."""
    drawn = additive(seed, -(-n_samples // 3), sizes, 4.0)
    rows = np.random.default_rng(seed).permutation(np.repeat(np.arange(-(-n_samples // 3)), 3))
    return Drawn([drawn.arrays[0][rows[:n_samples]]], drawn.factors[rows[:n_samples]])


def with_words(seed: int, n_samples: int, sizes: Sizes) -> Drawn:
    """Draw a frame of numbers that nodes add up in, and of two words, each of a node."""
    drawn = additive(seed, n_samples, sizes, 4.0, width=6)
    rng = np.random.default_rng([seed, 1])
    frame = pd.DataFrame(drawn.arrays[0], columns=[f"x{k}" for k in range(6)])
    for name, outcomes in zip(("colour", "shape"), drawn.factors.T, strict=True):
        tables = rng.dirichlet(np.full(4, 0.5), size=outcomes.max() + 1)
        drawn_words = [rng.choice(4, p=tables[outcome]) for outcome in outcomes]
        frame[name] = np.array(["ash", "birch", "cedar", "elm"])[drawn_words]
    return Drawn([frame], drawn.factors)


def curves(seed: int, n_samples: int) -> Drawn:
    """Draw curves with a bump at one of three places, and a slope or none."""
    rng = np.random.default_rng(seed)
    nodes = np.column_stack([rng.integers(3, size=n_samples), rng.integers(2, size=n_samples)])
    t = np.linspace(0, 1, 40)
    position = np.array([0.25, 0.5, 0.75])[nodes[:, 0]] + 0.02 * rng.normal(size=n_samples)
    height = 1.0 + 0.15 * rng.normal(size=n_samples)
    x = height[:, None] * np.exp(-0.5 * ((t - position[:, None]) / 0.08) ** 2)
    x += nodes[:, 1, None] * t + 0.15 * rng.normal(size=(n_samples, len(t)))
    return Drawn([x], nodes)


def real(seed: int, n_samples: int, load: Callable, scaled: bool) -> Drawn:
    """Return some rows of a table of scikit-learn's with its classes."""
    drawn = verdict_cases.real(seed, load, scaled)
    return Drawn([drawn.arrays[0][:n_samples]], drawn.factors[:n_samples])


def of_row(seed: int, n_samples: int, name: str) -> Drawn:
    """Return some rows of a row of ``nodes.py``."""
    return verdict_cases.stored(seed, getattr(node_rows, name), n_samples)


def named(
    kind: str, load: Callable, sizes: Sizes, others: Mapping[str, Sizes] | None = None, **more
) -> dict[str, FewCase]:
    """Return cases of one kind of data: that of its own grid, and those of others."""
    cases = {f"{kind} {sizes}": FewCase(kind.partition(",")[0], load, sizes, **more)}
    for word, asked in (others or {}).items():
        cases[f"{kind} {sizes} as {asked}"] = FewCase(word, load, asked, **more)
    return cases


def choosing() -> dict[str, FewCase]:
    """Return the cases that the rules were chosen on."""
    draw, larger, smaller = functools.partial, "larger grid", "smaller grid"
    cube = draw(table, sizes=(2, 2, 2), distance=4.5)
    return {
        **named("table", draw(table, sizes=(2, 2)), (2, 2), {larger: (2, 3), smaller: (2,)}),
        **named("table", cube, (2, 2, 2), {larger: (2, 2, 3), smaller: (2, 2)}),
        **named("near table", draw(table, sizes=(2, 3), distance=3.5), (2, 3)),
        **named("wide table", draw(table, sizes=(2, 2), distance=4.5, width=60), (2, 2)),
        **named("heavy tails", draw(table, sizes=(2, 2), law="heavy tails"), (2, 2)),
        **named("unequal cells", draw(table, sizes=(2, 2), shares=(0.85, 0.6)), (2, 2)),
        **named(
            "discs",
            draw(generated, make=datasets.make_circles_images),
            (2, 2, 2),
            {larger: (2, 2, 3), smaller: (2, 2)},
        ),
        **named("bars", draw(generated, make=datasets.make_grey_bars), (2, 2, 2)),
        **named("spectra", draw(generated, make=datasets.make_spectra), (2, 2, 2)),
        **named("line besides", draw(line, steps=(2,)), (2, 2)),
        **named("one cluster", draw(one_cluster, width=6, law="normal"), (2, 2)),
        **named(KINDS, draw(kinds, sort="Gaussian in 3", sizes=(2, 2)), (2, 2)),
        **named(
            "kinds, image templates", draw(kinds, sort="image templates", sizes=(2, 3)), (2, 3)
        ),
        **named(
            "wine",
            draw(real, load=public.load_wine, scaled=True),
            (3,),
            {smaller: (2,)},
            numbers=(80, 150),
        ),
    }


def judging() -> dict[str, FewCase]:
    """Return the cases that the rules are judged on."""
    draw, larger, smaller = functools.partial, "larger grid", "smaller grid"
    return {
        **named("table of 3 x 3", draw(table, sizes=(3, 3)), (3, 3)),
        **named("table of 2 x 3", draw(table, sizes=(2, 3), width=8), (2, 3), {larger: (3, 3)}),
        **named("correlated", draw(correlated, sizes=(2, 3)), (2, 3), {smaller: (3,)}),
        **named("uniform noise", draw(table, sizes=(2, 2, 2), law="uniform"), (2, 2, 2)),
        **named("unequal cells", draw(table, sizes=(2, 3), shares=(0.8, 0.6)), (2, 3)),
        **named("spirals", spirals, (2, 2)),
        **named("repeated", draw(repeated, sizes=(2, 3)), (2, 3), {larger: (2, 4)}),
        **named("words", draw(with_words, sizes=(2, 2)), (2, 2), {larger: (2, 3)}),
        **named("curves", curves, (3, 2), {larger: (3, 3)}),
        **named(
            "two tables",
            draw(table, sizes=(2, 2), width=5, n_tables=2, distance=4.0),
            (2, 2),
            {larger: (2, 2, 2)},
        ),
        **named("sized discs", draw(generated, make=datasets.make_sized_circles), (2, 3)),
        **named("rectangles", draw(generated, make=datasets.make_rectangles), (2, 2, 2)),
        **named("pendulum", draw(generated, make=datasets.make_pendulum), (3, 3)),
        **named("ring besides", draw(ring, steps=(3,)), (3, 2)),
        **named("uniform cluster", draw(one_cluster, width=5, law="uniform"), (3,)),
        **named("kinds, tree", draw(kinds, sort="tree, 10 times", sizes=(2, 3)), (2, 3)),
        **named("kinds, profiles", draw(kinds, sort="binary profiles", sizes=(2, 2, 2)), (2, 2, 2)),
        **named("zeros and ones", draw(of_row, name="zeros_and_ones"), (2, 2)),
        **named("iris", draw(real, load=public.load_iris, scaled=True), (3,), numbers=(80, 150)),
        **named("nutrimouse", draw(of_row, name="nutrimouse"), (2, 5), numbers=(40,)),
    }


HALVES = {"choosing": choosing, "judging": judging}
#: Seeds of data and fits begin here.
FIRST_SEED = {"choosing": 500, "judging": 0}
