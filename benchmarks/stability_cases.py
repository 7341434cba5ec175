"""The cases of ``stability.py``: unlike data of 40 to 1000 samples, right and wrong node sizes.

``CHOOSING`` is what the sign of instability was chosen on, ``JUDGING`` what it is judged on.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn import datasets as public

from skcausalpima import datasets

Arrays = Sequence[np.ndarray]


class Case(NamedTuple):
    """Modalities of the same samples, and the nodes that are asked for."""

    load: Callable[[int], Arrays]
    sizes: tuple[int, ...]

    @property
    def stored(self) -> bool:
        """Whether the data lie in the folder of real data."""
        return getattr(self.load, "func", self.load) in (mfeat, mnist, nutrimouse)


# --- real data -------------------------------------------------------------------------------


def columns(
    seed: int, load: Callable, cuts: Sequence[int] = (), n_samples: int | None = None
) -> Arrays:
    """Return a table of scikit-learn's, its columns standardised and cut into views."""
    X = load().data
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    arrays = np.split(X, list(cuts), axis=1)
    return arrays if n_samples is None else some_rows(arrays, n_samples, seed)


def some_rows(arrays: Arrays, n_samples: int, seed: int) -> Arrays:
    """Return rows drawn without replacement."""
    rows = np.random.RandomState(seed).permutation(len(arrays[0]))[:n_samples]
    return [array[rows] for array in arrays]


def digits(seed: int, n_samples: int = 500, curves: bool = False) -> Arrays:
    """Return scikit-learn's digits, with lines or without."""
    bunch = datasets.load_digits_with_curves(noise_variance=0.5, random_state=seed)
    return some_rows([bunch.images, bunch.curves][: 1 + curves], n_samples, seed)


@functools.cache
def stored(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file of the data folder."""
    with np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / f"{name}.npz") as file:
        return dict(file)


def mfeat(seed: int, n_samples: int, views: Sequence[str] = ()) -> Arrays:
    """Return descriptions of handwritten digits, columns standardised."""
    named = {name: view for name, view in stored("mfeat").items() if name != "y"}
    named["shape"] = named[list(named)[-1]]  # six morphological features
    views = views or list(named)[:-1]
    arrays = [np.asarray(named[name], float) for name in views]
    arrays = some_rows(arrays, n_samples, seed)
    return [(a - a.mean(axis=0)) / np.maximum(a.std(axis=0), 1e-9) for a in arrays]


def mnist(seed: int, n_samples: int, numerals: Sequence[int]) -> Arrays:
    """Return images of some digits."""
    data = stored("mnist5k")
    chosen = data["images"][np.isin(data["digit"], numerals)].astype(np.float32)
    return some_rows([chosen], n_samples, seed)


def nutrimouse(seed: int) -> Arrays:
    """Return gene expressions and lipids of 40 mice."""
    return [stored("nutrimouse")["gene"], stored("nutrimouse")["lipid"]]


# --- generators of the package ---------------------------------------------------------------


def generated(seed: int, make: Callable, **parameters) -> Arrays:
    """Draw one of the generators."""
    bunch = make(random_state=seed, **parameters)
    return [bunch[name] for name in ("images", "curves") if name in bunch]


# --- tables ----------------------------------------------------------------------------------


def groups(
    seed: int, n_samples: int, n_groups: int, distance: float, width: int = 8, n_views: int = 1
) -> Arrays:
    """Draw Gaussian groups whose centres are normal, ``distance`` standard deviations wide."""
    rng = np.random.RandomState(seed)
    label = rng.randint(n_groups, size=n_samples)
    return [
        distance * rng.normal(size=(n_groups, width))[label] + rng.normal(size=(n_samples, width))
        for _ in range(n_views)
    ]


def grid(seed: int, n_samples: int, sizes: Sequence[int], distance: float, width: int = 8):
    """Draw Gaussian groups on a grid: each node adds an effect of its own."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, width))
    for size in sizes:
        X += distance * rng.normal(size=(size, width))[rng.randint(size, size=n_samples)]
    return [X]


def skewed_groups(seed: int, n_samples: int, shares: Sequence[float], distance: float) -> Arrays:
    """Draw groups of unlike shares and unlike covariances."""
    rng = np.random.RandomState(seed)
    label = rng.choice(len(shares), p=shares, size=n_samples)
    shapes = rng.normal(size=(len(shares), 6, 6)) / math.sqrt(6)
    noise = np.einsum("nij,nj->ni", shapes[label], rng.normal(size=(n_samples, 6)))
    return [distance * rng.normal(size=(len(shares), 6))[label] + noise]


def noise(seed: int, n_samples: int, width: int, kind: str = "uniform") -> Arrays:
    """Draw independent columns without any groups."""
    rng = np.random.RandomState(seed)
    draw = {"uniform": rng.uniform, "normal": rng.normal, "heavy": rng.standard_cauchy}[kind]
    return [draw(size=(n_samples, width))]


def ring(seed: int, n_samples: int) -> Arrays:
    """Draw a ring in ten dimensions: any cut of it is as good as another."""
    rng = np.random.RandomState(seed)
    angle = rng.uniform(0, 2 * np.pi, size=n_samples)
    plane = np.column_stack([np.cos(angle), np.sin(angle)]) * 3
    return [plane @ rng.normal(size=(2, 10)) + 0.5 * rng.normal(size=(n_samples, 10))]


def moons(seed: int, n_samples: int, noise_level: float) -> Arrays:
    """Draw two half-moons."""
    return [public.make_moons(n_samples, noise=noise_level, random_state=seed)[0]]


# --- the two sets ----------------------------------------------------------------------------


def choosing() -> dict[str, Case]:
    """Return the cases that the sign was chosen on."""
    case, part = Case, functools.partial
    iris, diabetes = part(columns, load=public.load_iris), part(columns, load=public.load_diabetes)
    wine = part(columns, load=public.load_wine, cuts=(6,))
    cancer = part(columns, load=public.load_breast_cancer, cuts=(10, 20))
    circles = part(generated, make=datasets.make_circles_images)
    return {
        "iris (3)": case(iris, (3,)),
        "iris (2, 2)": case(iris, (2, 2)),
        "wine (3)": case(wine, (3,)),
        "wine (2, 3)": case(wine, (2, 3)),
        "cancer (2)": case(cancer, (2,)),
        "cancer (2, 2)": case(cancer, (2, 2)),
        "diabetes (3)": case(diabetes, (3,)),
        "digits (10)": case(digits, (10,)),
        "digits (4)": case(digits, (4,)),
        "digits (3, 4)": case(digits, (3, 4)),
        "digits and curves (10)": case(part(digits, curves=True), (10,)),
        "mfeat, six views (10)": case(part(mfeat, n_samples=300), (10,)),
        "mfeat, two views (10)": case(part(mfeat, n_samples=800, views=("fac", "kar")), (10,)),
        "mfeat, one view (2, 5)": case(part(mfeat, n_samples=200, views=("zer",)), (2, 5)),
        "discs (2, 2, 2)": case(part(circles, n_samples=500), (2, 2, 2)),
        "discs and curve (2, 2, 2)": case(part(circles, n_samples=300, curves=True), (2, 2, 2)),
        "overlapping discs (2, 2)": case(part(circles, n_samples=400, overlap=1.6), (2, 2)),
        "grey bars (2, 3)": case(
            part(generated, make=datasets.make_grey_bars, n_samples=400), (2, 3)
        ),
        "lattices (2, 2)": case(part(generated, make=datasets.make_lattices), (2, 2)),
        "spectra (2, 2, 2)": case(
            part(generated, make=datasets.make_spectra, n_samples=500), (2, 2, 2)
        ),
        "3 clear groups": case(part(groups, n_samples=60, n_groups=3, distance=4), (3,)),
        "5 clear groups": case(part(groups, n_samples=200, n_groups=5, distance=2), (5,)),
        "5 clear groups (3)": case(part(groups, n_samples=150, n_groups=5, distance=3), (3,)),
        "3 clear groups (6)": case(part(groups, n_samples=200, n_groups=3, distance=3), (6,)),
        "4 overlapping groups": case(part(groups, n_samples=250, n_groups=4, distance=0.7), (4,)),
        "2 overlapping groups": case(part(groups, n_samples=80, n_groups=2, distance=0.6), (2,)),
        "grid, clear (2, 2)": case(part(grid, n_samples=120, sizes=(2, 2), distance=2), (2, 2)),
        "grid, clear (2, 2, 2)": case(
            part(grid, n_samples=300, sizes=(2, 2, 2), distance=2), (2, 2, 2)
        ),
        "grid, overlapping (2, 3)": case(
            part(grid, n_samples=200, sizes=(2, 3), distance=1), (2, 3)
        ),
        "8 groups on a grid (2, 2, 2)": case(
            part(groups, n_samples=300, n_groups=8, distance=3), (2, 2, 2)
        ),
        "one Gaussian (3)": case(part(noise, n_samples=200, width=6, kind="normal"), (3,)),
        "one Gaussian (2, 2)": case(part(noise, n_samples=100, width=4, kind="normal"), (2, 2)),
        "uniform (2, 2)": case(part(noise, n_samples=300, width=5), (2, 2)),
        "uniform (5)": case(part(noise, n_samples=300, width=2), (5,)),
        "uniform, 40 rows (2)": case(part(noise, n_samples=40, width=10), (2,)),
        "ring (4)": case(part(ring, n_samples=300), (4,)),
        "iris, 40 rows (3)": case(part(columns, load=public.load_iris, n_samples=40), (3,)),
        "wine, 30 rows (2)": case(part(columns, load=public.load_wine, n_samples=30), (2,)),
        "cancer, 25 rows (2)": case(
            part(columns, load=public.load_breast_cancer, n_samples=25), (2,)
        ),
        "digits, 60 rows (5)": case(part(digits, n_samples=60), (5,)),
        "3 groups, 30 rows": case(part(groups, n_samples=30, n_groups=3, distance=2), (3,)),
        "2 groups, 40 rows, wide": case(
            part(groups, n_samples=40, n_groups=2, distance=0.7, width=100), (2,)
        ),
        "grid, 40 rows (2, 2)": case(part(grid, n_samples=40, sizes=(2, 2), distance=2), (2, 2)),
    }


def judging() -> dict[str, Case]:
    """Return the cases that the sign is judged on."""
    case, part = Case, functools.partial
    linnerud = part(columns, load=public.load_linnerud)
    rectangles = part(generated, make=datasets.make_rectangles)
    pendulum = part(generated, make=datasets.make_pendulum)
    return {
        "nutrimouse (2)": case(nutrimouse, (2,)),
        "nutrimouse (2, 5)": case(nutrimouse, (2, 5)),
        "linnerud, 20 rows (2)": case(linnerud, (2,)),
        "mnist 3 and 5 (2)": case(part(mnist, n_samples=300, numerals=(3, 5)), (2,)),
        "mnist 0 and 1 (2)": case(part(mnist, n_samples=300, numerals=(0, 1)), (2,)),
        "mnist 0 to 9 (10)": case(part(mnist, n_samples=600, numerals=tuple(range(10))), (10,)),
        "mnist 0 to 5 (2, 3)": case(part(mnist, n_samples=400, numerals=tuple(range(6))), (2, 3)),
        "mfeat, four views (10)": case(
            part(mfeat, n_samples=1000, views=("fou", "fac", "kar", "pix")), (10,)
        ),
        "mfeat, two views (5)": case(part(mfeat, n_samples=400, views=("fou", "pix")), (5,)),
        "mfeat, one view (3)": case(part(mfeat, n_samples=250, views=("shape",)), (3,)),
        "rectangles (2, 2, 2)": case(part(rectangles, n_samples=400), (2, 2, 2)),
        "rectangles (2, 2)": case(part(rectangles, n_samples=250), (2, 2)),
        "pendulum (3, 3)": case(part(pendulum, n_samples=500), (3, 3)),
        "sized circles (2, 3)": case(
            part(generated, make=datasets.make_sized_circles, n_samples=350), (2, 3)
        ),
        "striped circles (2, 2, 2)": case(
            part(generated, make=datasets.make_striped_circles, n_samples=600), (2, 2, 2)
        ),
        "sprites (2, 2)": case(part(generated, make=datasets.make_sprites, n_samples=300), (2, 2)),
        "skewed groups (4)": case(
            part(skewed_groups, n_samples=260, shares=(0.6, 0.25, 0.1, 0.05), distance=2), (4,)
        ),
        "skewed groups, close (3)": case(
            part(skewed_groups, n_samples=150, shares=(0.7, 0.2, 0.1), distance=0.7), (3,)
        ),
        "two views of 6 groups (6)": case(
            part(groups, n_samples=177, n_groups=6, distance=1.2, n_views=2), (6,)
        ),
        "two views of 4 groups (2, 2)": case(
            part(groups, n_samples=90, n_groups=4, distance=2, n_views=2), (2, 2)
        ),
        "12 groups (3)": case(part(groups, n_samples=258, n_groups=12, distance=1), (3,)),
        "grid, wide (2, 4)": case(
            part(grid, n_samples=320, sizes=(2, 4), distance=1.5, width=20), (2, 4)
        ),
        "grid, narrow (3, 3)": case(
            part(grid, n_samples=220, sizes=(3, 3), distance=1.2, width=5), (3, 3)
        ),
        "grid (2, 2) as (2, 2, 2)": case(
            part(grid, n_samples=200, sizes=(2, 2), distance=2.5), (2, 2, 2)
        ),
        "moons (2)": case(part(moons, n_samples=200, noise_level=0.1), (2,)),
        "moons (2, 2)": case(part(moons, n_samples=120, noise_level=0.2), (2, 2)),
        "heavy tails (3)": case(part(noise, n_samples=180, width=4, kind="heavy"), (3,)),
        "one Gaussian (2, 3)": case(part(noise, n_samples=400, width=12, kind="normal"), (2, 3)),
        "one Gaussian (2)": case(part(noise, n_samples=70, width=20, kind="normal"), (2,)),
        "uniform (4)": case(part(noise, n_samples=150, width=8), (4,)),
        "uniform (2, 2, 2)": case(part(noise, n_samples=600, width=3), (2, 2, 2)),
    }


SETS: dict[str, Callable[[], dict[str, Case]]] = {"choosing": choosing, "judging": judging}
