"""The rows of ``nodes.py``: data with known factors, node sizes, targets, settings.

It uses what the package makes public, so that other commits run it, too.
"""

from __future__ import annotations

import csv
import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skcausalpima import datasets
from skcausalpima.graph import CategoricalDAG
from skcausalpima.modules import ExpertDecoder, piecewise_linear

OVERLAP = 1.6  # k-means on PCA-5 stays well below an adjusted Rand index of 0.75
PLANE = {"latent_dim": 2}
FLIPS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
CIRCLES_RATE, LATTICES_RATE = 1e-6, 1.25e-5  # Table 3 of the paper


class Data(NamedTuple):
    """Modalities of the same samples, their true factors (n_samples, n_factors) and graph."""

    arrays: Sequence[np.ndarray]
    factors: np.ndarray
    graph: CategoricalDAG | None = None


class Row(NamedTuple):
    """One line of the table; ``figure`` is the column that the targets are about.

    ``paper`` is what an experiment of the paper has beside the published algorithm, and
    ``paper_rate`` its learning rate (Table 3).
    """

    load: Callable[[int], Data]
    sizes: tuple[int, ...]
    mean: float | None
    least: float | None
    parameters: Mapping[str, object] = {}
    figure: str = "nodes"
    n_components: int = 5
    paper: Mapping[str, object] = {}
    paper_rate: float | None = None


def generated(seed: int, make: Callable, **parameters) -> Data:
    """Draw one of the generators of the package."""
    bunch = make(random_state=seed, **parameters)
    arrays = [bunch[name] for name in ("images", "curves") if name in bunch]
    return Data(arrays, bunch.factors, CategoricalDAG(bunch.dag, bunch.cpts))


def standardised(images: np.ndarray) -> np.ndarray:
    """Give each image zero mean and unit variance over its pixels."""
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    return centred / centred.std(axis=(1, 2), keepdims=True)


def flipped(images: np.ndarray) -> np.ndarray:
    """Return the images, and their flips along each axis and along both."""
    return np.concatenate([images[:, ::down, ::across] for down, across in FLIPS])


def lattices(seed: int) -> Data:
    """Return the 81 % of the lattices that train, and their flips, as in Appendix B.2."""
    bunch = datasets.make_lattices(random_state=seed)
    train = np.random.RandomState(seed).permutation(91)[:74]
    images, curves = standardised(bunch.images)[train], np.tile(bunch.curves[train], (4, 1))
    factors = np.tile(bunch.factors[train], (4, 1))
    return Data([flipped(images), curves], factors, CategoricalDAG(bunch.dag, bunch.cpts))


def lattice_expert(**options: bool) -> list[ExpertDecoder | None]:
    """Return the experts of lattices: two straight pieces through the origin for the curve."""
    function = piecewise_linear(2, intercept=False)
    return [None, ExpertDecoder(function, np.linspace(0.0, 0.3, 100), **options)]


def digits(seed: int) -> Data:
    """Return scikit-learn's digits, each with a line whose slope is the digit."""
    bunch = datasets.load_digits_with_curves(noise_variance=0.5, random_state=seed)
    return Data([bunch.images, bunch.curves], bunch.target[:, None])


@functools.cache
def stored(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file of the data folder."""
    with np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / f"{name}.npz") as file:
        return dict(file)


def noisy(curves: np.ndarray, rng: np.random.RandomState, variance: float = 0.5) -> np.ndarray:
    """Add noise to curves."""
    return (curves + rng.normal(scale=math.sqrt(variance), size=curves.shape)).astype(np.float32)


def mnist(seed: int) -> Data:
    """Return images of ten digits, each with a line whose slope is the digit."""
    images, digit = stored("mnist5k")["images"], stored("mnist5k")["digit"].astype(int)
    lines = digit[:, None] * np.linspace(0.0, 1.0, 20)
    curves = noisy(lines, np.random.RandomState(seed))
    return Data([images.astype(np.float32), curves], digit[:, None])


def zeros_and_ones(seed: int, n_samples: int = 1000) -> Data:
    """Return images of zeros and ones, each with one period of a sine or two.

    Two periods come with a zero three times in ten, with a one seven times.
    """
    rng = np.random.RandomState(seed)
    chosen = rng.permutation(np.flatnonzero(stored("mnist5k")["digit"] <= 1))[:n_samples]
    digit = stored("mnist5k")["digit"][chosen].astype(int)
    periods = (rng.uniform(size=len(digit)) < np.array([0.3, 0.7])[digit]).astype(int)
    curves = noisy(np.sin(2 * np.pi * (1 + periods[:, None]) * np.linspace(0.0, 1.0, 20)), rng)
    images = stored("mnist5k")["images"][chosen].astype(np.float32)
    return Data([images, curves], np.column_stack([digit, periods]))


def nutrimouse(seed: int) -> Data:
    """Return gene expressions and lipids of 40 mice of two genotypes on five diets."""
    data = stored("nutrimouse")
    factors = [np.unique(data[name], return_inverse=True)[1] for name in ("genotype", "diet")]
    return Data([data["gene"], data["lipid"]], np.column_stack(factors))


def mfeat(seed: int) -> Data:
    """Return six descriptions of 2000 handwritten digits."""
    views = dict(stored("mfeat"))
    digit = views.pop("y").astype(int)
    return Data([view.astype(np.float32) for view in views.values()], digit[:, None])


def rows() -> dict[str, Row]:
    """Return the rows by name."""
    circles = functools.partial(functools.partial, generated, make=datasets.make_circles_images)
    striped = functools.partial(generated, make=datasets.make_striped_circles)
    sized = functools.partial(generated, make=datasets.make_sized_circles)
    bars = functools.partial(generated, make=datasets.make_grey_bars)
    sprites = functools.partial(functools.partial, generated, make=datasets.make_sprites)
    spectra = functools.partial(generated, make=datasets.make_spectra)
    pendulum = functools.partial(generated, make=datasets.make_pendulum)
    rectangles = functools.partial(generated, make=datasets.make_rectangles)
    graphs = ("v-structure", "chain", "complete", "independent")
    plain = {f"circles, {graph}": circles(graph=graph) for graph in graphs}
    cube, ten, balanced = (2, 2, 2), (10,), {"modality_weights": "balanced"}
    unlike = {"scale": "feature", **balanced}
    return {
        **{
            name: Row(load, cube, 0.99, 0.985, paper_rate=CIRCLES_RATE)
            for name, load in plain.items()
        },
        **{f"{name}, latent_dim=2": Row(plain[name], cube, 0.99, 0.98, PLANE) for name in plain},
        "circles and curve": Row(circles(curves=True), cube, 0.99, 0.98),
        "striped circles": Row(striped, (2, 2, 2, 2), 0.97, 0.93),
        "sized circles": Row(sized, (2, 3), 0.98, 0.95),
        "grey bars": Row(bars, cube, 0.995, 0.99),
        "rectangles": Row(rectangles, cube, 0.99, 0.985),
        "pendulum": Row(pendulum, (3, 3), 0.99, 0.98),
        "spectra": Row(spectra, cube, 0.99, 0.98),
        "sprites without shapes": Row(sprites(shape="square"), cube, 0.99, 0.98),
        "sprites": Row(sprites(), (3, 2, 2, 2), 0.985, 0.96, n_components=10),
        "lattices": Row(
            lattices,
            (2, 2),
            0.947,  # of the lattice, by the predecessor of the paper's algorithm on its own data
            0.947,
            {"experts": lattice_expert(scatter=True)},
            paper={
                "experts": lattice_expert(refit=False),  # trained by gradient
                "encoders": "conv_paper",
                "decoders": ["conv_paper", None],
            },
            paper_rate=LATTICES_RATE,
        ),
        "heavy overlap": Row(circles(overlap=OVERLAP), cube, None, None, figure="ari"),
        "mnist 0/1 and curve": Row(zeros_and_ones, (2, 2), 0.98, 0.95),
        "nutrimouse": Row(nutrimouse, (2, 5), 0.954, 0.954, figure="nmi"),
        "mfeat": Row(mfeat, ten, 0.97, 0.96, unlike, n_components=10),
        "mnist5k and line": Row(mnist, ten, 0.99, 0.985, balanced, n_components=10),
        "digits and line": Row(digits, ten, 0.99, 0.98, n_components=10),
    }


def append_lines(path: Path, fields: Sequence[str], lines: Sequence[Mapping]) -> None:
    """Append lines to a CSV file; a new one begins with the names of the fields."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(lines)


def parse_seeds(text: str) -> list[int]:
    """Read ``0-4,7`` as 0, 1, 2, 3, 4, 7."""
    parts = [part.split("-") for part in text.split(",")]
    return [seed for part in parts for seed in range(int(part[0]), int(part[-1]) + 1)]
