"""The data of ``goodness_of_fit.py``: right models, and models that one thing is wrong with.

A case draws any number of samples from its law, with metadata, and has parameters of the fit.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images, make_spectra
from skcausalpima.modules import ExpertDecoder, line

EFFECT, N_COLUMNS = 3.0, 12


class Case(NamedTuple):
    """Data, sizes of nodes, numbers of samples, and parameters of the fit."""

    draw: Callable[[int, np.random.Generator], tuple]  # X and metadata of so many samples
    sizes: tuple[int, ...]
    n_samples: tuple[int, ...]
    line: str = ""  # that should tell; "" where nothing is wrong
    target: float = 0.05
    parameters: Mapping[str, object] = {}


def grid(sizes: tuple[int, ...], n: int, rng: np.random.Generator) -> tuple:
    """Return outcomes of nodes, the second tied to the first; each moves three columns."""
    nodes = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    if len(sizes) > 1:
        same = rng.random(n) < 0.4
        nodes[same, 1] = nodes[same, 0]
    means = np.zeros((n, N_COLUMNS))
    for k in range(len(sizes)):
        means[:, 3 * k : 3 * k + 3] = EFFECT * nodes[:, [k]] * [1.0, -1.0, 1.0]
    return nodes, means


def table(sizes: tuple[int, ...], n: int, rng: np.random.Generator) -> tuple:
    """Return a table whose model is right; metadata are noise."""
    _, means = grid(sizes, n, rng)
    noise = {"weight": rng.normal(size=n), "site": rng.integers(3, size=n)}
    return means + rng.normal(size=means.shape), noise


def heap(n: int, rng: np.random.Generator) -> tuple:
    """Return one heap, of which a node is two halves."""
    return rng.normal(size=(n, N_COLUMNS)), {"weight": rng.normal(size=n)}


@functools.cache
def fitted_law(kind: str) -> CausalPIMA:
    """Return a fit whose draws are the data."""
    if kind == "images":
        X = make_circles_images(400, image_size=16, random_state=0).images
    else:
        X = make_spectra(400, random_state=0).curves
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CausalPIMA((2, 2, 2), random_state=0).fit(X)


def own_draws(kind: str, n: int, rng: np.random.Generator) -> tuple:
    """Return draws of a fitted model of images or curves."""
    law = fitted_law(kind)
    law.random_state = int(rng.integers(2**31))
    X, _ = law.sample(n)
    return X[rng.permutation(n)], None


def with_context(n: int, rng: np.random.Generator) -> tuple:
    """Return a table measured with two instruments, which the fit knows."""
    X, _ = table((2, 2), n, rng)
    instrument = rng.choice(["A", "B"], size=n)
    X[:, 6:9] += 2.0 * (instrument == "B")[:, None]
    return {"table": X, "instrument": instrument}, None


def incomplete(n: int, rng: np.random.Generator) -> tuple:
    """Return two tables of which a fifth of the samples lacks one, and a tenth of the elements."""
    X, metadata = table((2, 2), n, rng)
    X[rng.random(X.shape) < 0.1] = np.nan
    lacks = rng.random(n) < 0.2
    first = rng.random(n) < 0.5
    # each table shows both nodes
    one, two = X[:, [0, 1, 3, 4, 6, 7]], X[:, [2, 5, 8, 9, 10, 11]]
    one[lacks & first], two[lacks & ~first] = np.nan, np.nan
    return [one, two], metadata


def mixed(n: int, rng: np.random.Generator) -> tuple:
    """Return a table of numbers, words, yes and no."""
    nodes, means = grid((2, 2), n, rng)
    frame = {f"x{k}": means[:, k] + rng.normal(size=n) for k in range(8)}
    for k in range(3):
        odds = 1.0 / (1.0 + np.exp(-2.0 * (2 * nodes[:, k % 2] - 1)))
        frame[f"yes{k}"] = rng.random(n) < odds
    shift = nodes[:, 0] * (rng.random(n) < 0.6)
    frame["word"] = np.array(["low", "middle", "high"])[
        np.minimum(rng.integers(3, size=n) + shift, 2)
    ]
    return pd.DataFrame(frame), {"weight": rng.normal(size=n)}


POINTS = np.linspace(0.0, 1.0, 10)


def lines(n: int, rng: np.random.Generator) -> tuple:
    """Return a table, and curves that are lines of a slope for each cell."""
    nodes, means = grid((2, 2), n, rng)
    slopes = 1.0 + 2.0 * nodes[:, 0] + nodes[:, 1]
    curves = slopes[:, None] * POINTS + 0.3 * rng.normal(size=(n, len(POINTS)))
    return [means + rng.normal(size=means.shape), curves], None


def third_factor(size: float, n: int, rng: np.random.Generator) -> tuple:
    """Return a table of which a third factor moves three columns."""
    X, metadata = table((2, 2), n, rng)
    X[:, 6:9] += size * rng.integers(2, size=n)[:, None]
    return X, metadata


def along(size: float, n: int, rng: np.random.Generator) -> tuple:
    """Return a table of which a third factor moves the mean so far in all, in three columns."""
    return third_factor(size / np.sqrt(3.0), n, rng)


def heavy_tails(n: int, rng: np.random.Generator) -> tuple:
    """Return a table whose noise has t's distribution with 3 degrees of freedom."""
    return grid((2, 2), n, rng)[1] + rng.standard_t(3, size=(n, N_COLUMNS)), None


def unlike_noise(n: int, rng: np.random.Generator) -> tuple:
    """Return a table whose noise is twice as large in one outcome of the first node."""
    nodes, means = grid((2, 2), n, rng)
    return means + rng.normal(size=means.shape) * (1.0 + nodes[:, :1]), None


def correlated(n: int, rng: np.random.Generator) -> tuple:
    """Return two tables, a column of each with the correlation .36."""
    X, metadata = table((2, 2), n, rng)
    one, two = X[:, [0, 1, 3, 4, 6, 7]], X[:, [2, 5, 8, 9, 10, 11]]
    shared = rng.normal(size=n)
    for column in (one[:, 5], two[:, 5]):
        column *= 0.8
        column += 0.6 * shared
    return [one, two], metadata


def instrument(n: int, rng: np.random.Generator) -> tuple:
    """Return a table of which an instrument moves two columns, and its labels."""
    X, metadata = table((2, 2), n, rng)
    label = rng.choice(["A", "B"], size=n)
    X[:, 9:11] += 2.0 * (label == "B")[:, None]
    return X, {**metadata, "instrument": label}


def curves_and_table(n: int, rng: np.random.Generator) -> tuple:
    """Return curves of 80 points whose two peaks nodes move, and a table of three columns."""
    nodes, points = grid((2, 2), n, rng)[0], np.linspace(0.0, 1.0, 80)
    peaks = np.exp(-0.5 * np.square((points - np.array([[0.3], [0.7]])) / 0.015))
    curves = (0.5 + nodes) @ peaks + 0.05 * rng.normal(size=(n, 80))
    table = np.stack([3 * nodes[:, 0], 2 * nodes[:, 1], nodes[:, 1] - nodes[:, 0]], axis=1)
    return [curves, table + 0.6 * rng.normal(size=table.shape)], None


def cases() -> dict[str, Case]:
    """Return all cases by name."""
    part = functools.partial
    two = (2, 2)
    right = {
        "one heap": Case(heap, (2,), (200, 600)),
        "2 cells": Case(part(table, (2,)), (2,), (200, 600)),
        "2 x 2": Case(part(table, two), two, (300, 1000)),
        "2 x 2 x 2": Case(part(table, (2, 2, 2)), (2, 2, 2), (600, 2000)),
        "images": Case(part(own_draws, "images"), (2, 2, 2), (400,)),
        "curves": Case(part(own_draws, "curves"), (2, 2, 2), (400,)),
        "contexts": Case(with_context, two, (500,), parameters={"contexts": "instrument"}),
        "missing": Case(incomplete, two, (500,)),
        "mixed": Case(mixed, two, (500,)),
        "experts": Case(
            lines, two, (500,), parameters={"experts": [None, ExpertDecoder(line, POINTS)]}
        ),
        "curves beside a table": Case(curves_and_table, two, (240, 600)),
    }
    learned = {"decoder_variance": "learned"}
    wrong = {
        "third factor, 2.5 sd per column": Case(part(third_factor, 2.5), two, (600,), "heaps", 0.8),
        "third factor, 4 sd per column": Case(part(third_factor, 4.0), two, (600,), "heaps", 0.95),
        "third factor, 2.5 sd in all": Case(part(along, 2.5), two, (600,), "heaps", 0.8),
        "third factor, 4 sd in all": Case(part(along, 4.0), two, (600,), "heaps", 0.95),
        "t3 noise": Case(heavy_tails, two, (600,), "tails", 0.95),
        "noise by cell": Case(unlike_noise, two, (600,), "cells", 0.95, learned),
        "correlation .36 of modalities": Case(correlated, two, (600,), "between", 0.8),
        "instrument of 2 sd": Case(instrument, two, (600,), "metadata: instrument", 0.8),
    }
    return {**right, **wrong}
