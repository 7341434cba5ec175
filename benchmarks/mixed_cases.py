"""Generated tables of every kind of column, and the law that they are drawn from.

Eight cells of three binary nodes (the second has the outcome of the first seven times in ten, the
third is independent of both) move every column: the mean of a number, the logits of words, of yes
and no and of ordered answers, the logarithm of a rate. Effects of the nodes add up.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logsumexp, softmax
from scipy.stats import nbinom, norm

NODE_SIZES = (2, 2, 2)
CELLS = np.array(list(itertools.product((0, 1), repeat=3)))
WEIGHTS = 0.25 * np.where(CELLS[:, 0] == CELLS[:, 1], 0.7, 0.3)
SIGNS = 2.0 * CELLS - 1.0
ANSWERS = ("never", "seldom", "sometimes", "often", "always")
DEPTHS = (500.0, 5000.0)
MIXED = {"number": 10, "word": 10, "yes or no": 5, "ordered": 5}
EFFECTS = {"number": 0.5, "word": 0.7, "yes or no": 1.0, "ordered": 0.9, "count": 0.14}
N_ALONE = 30  # columns of a table of one kind


class Numbers(NamedTuple):
    """A column of numbers, Gaussian in each cell, and its unit."""

    means: np.ndarray
    unit: float

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> pd.Series:
        """Return a value for each cell."""
        return pd.Series(self.unit * (self.means[cells] + rng.normal(size=len(cells))))

    def log_density(self, column: pd.Series) -> np.ndarray:
        """Return that of each value under each cell, zero where it is missing."""
        found = norm.logpdf(column.to_numpy()[:, None] / self.unit, self.means)
        return np.nan_to_num(found - np.log(self.unit))

    def distance(self, column: pd.Series) -> float:
        """Return the Kolmogorov distance of values from the law."""
        values = np.sort(column.to_numpy(dtype=float)) / self.unit
        law = norm.cdf(values[:, None], self.means) @ WEIGHTS
        steps = np.arange(len(values) + 1) / len(values)
        return float(max(np.abs(law - steps[1:]).max(), np.abs(law - steps[:-1]).max()))


class Levels(NamedTuple):
    """A column with few values: words, yes and no, or ordered answers."""

    values: tuple
    probabilities: np.ndarray  # of shape (n_cells, n_values)
    kind: str

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> pd.Series:
        """Return a value for each cell."""
        cumulative = self.probabilities.cumsum(axis=1)[cells, :-1]
        codes = (rng.uniform(size=(len(cells), 1)) > cumulative).sum(axis=1)
        if self.kind == "ordered":
            return pd.Series(pd.Categorical.from_codes(codes, self.values, ordered=True))
        return pd.Series(np.array(self.values)[codes])

    def codes(self, column: pd.Series) -> np.ndarray:
        """Return the places of the values, -1 where they are missing."""
        numbers = {value: number for number, value in enumerate(self.values)}
        return np.array([numbers.get(value, -1) for value in column.astype(object)])

    def log_density(self, column: pd.Series) -> np.ndarray:
        """Return that of each value under each cell, zero where it is missing."""
        codes = self.codes(column)
        return np.where(codes[:, None] < 0, 0.0, np.log(self.probabilities.T)[codes])

    def distance(self, column: pd.Series) -> float:
        """Return the total variation of shares from the law; what is no value of it counts."""
        shares = np.bincount(self.codes(column) + 1, minlength=len(self.values) + 1) / len(column)
        law = np.append(0.0, WEIGHTS @ self.probabilities)
        return float(0.5 * np.abs(shares - law).sum())


class TableLaw:
    """A table of columns that are independent given the cell."""

    def __init__(self, kinds: Mapping[str, int], seed: int) -> None:
        rng = np.random.default_rng([seed, 36])
        self.columns = {
            f"{kind} {k + 1}": _column(kind, EFFECTS[kind], rng)
            for kind, n_columns in kinds.items()
            for k in range(n_columns)
        }

    def sample(self, n_samples: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
        """Return a table, and the outcomes of the nodes (n_samples, 3)."""
        rng = np.random.default_rng([seed, 37])
        cells = rng.choice(len(CELLS), size=n_samples, p=WEIGHTS)
        drawn = {name: law.draw(cells, rng) for name, law in self.columns.items()}
        return pd.DataFrame(drawn), CELLS[cells]

    def log_joint(self, frame: pd.DataFrame) -> np.ndarray:
        """Return log densities of rows and cells (n_samples, n_cells), of what is there."""
        each = (law.log_density(frame[name]) for name, law in self.columns.items())
        return np.log(WEIGHTS) + sum(each)

    def score(self, frame: pd.DataFrame) -> float:
        """Return the mean log density of rows."""
        return float(logsumexp(self.log_joint(frame), axis=1).mean())

    def nodes(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the outcomes of the most probable cells: Bayes' rule."""
        return CELLS[self.log_joint(frame).argmax(axis=1)]

    def answers(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return probabilities of the values of columns, given the others that are there."""
        posterior = softmax(self.log_joint(frame), axis=1)
        return {name: posterior @ law.probabilities for name, law in self.levels().items()}

    def means(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return expected numbers, given the others that are there."""
        posterior = softmax(self.log_joint(frame), axis=1)
        laws = {name: law for name, law in self.columns.items() if isinstance(law, Numbers)}
        return {name: law.unit * posterior @ law.means for name, law in laws.items()}

    def levels(self) -> dict[str, Levels]:
        """Return the columns with few values."""
        return {name: law for name, law in self.columns.items() if isinstance(law, Levels)}

    def distances(self, frame: pd.DataFrame) -> dict[str, float]:
        """Return how far the columns of a drawn table are from the law."""
        return {name: law.distance(frame[name]) for name, law in self.columns.items()}


def _column(kind: str, size: float, rng: np.random.Generator) -> Numbers | Levels:
    """Draw the law of a column whose effects have this standard deviation."""
    if kind == "number":
        return Numbers(SIGNS @ rng.normal(scale=size, size=3), 10.0 ** rng.integers(-2, 4))
    if kind == "word":
        n_values = rng.integers(3, 5)
        logits = rng.normal(scale=0.5, size=n_values)
        logits = logits + SIGNS @ rng.normal(scale=size, size=(3, n_values))
        return Levels(("blue", "green", "red", "yellow")[:n_values], softmax(logits, axis=1), kind)
    if kind == "yes or no":
        yes = expit(rng.normal(scale=0.5) + SIGNS @ rng.normal(scale=size, size=3))
        return Levels((False, True), np.column_stack([1.0 - yes, yes]), kind)
    cuts = np.sort(rng.normal(scale=1.5, size=len(ANSWERS) - 1))
    upto = expit(cuts - (SIGNS @ rng.normal(scale=size, size=3))[:, None])
    edges = np.hstack([np.zeros((8, 1)), upto, np.ones((8, 1))])
    return Levels(ANSWERS, np.maximum(np.diff(edges, axis=1), 1e-12), kind)


def small_table(seed: int, n_samples: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """Return six columns, and outcomes (n_samples, 2) of two nodes that move three of them each.

    One has a rare category that says nothing.
    """
    rng = np.random.default_rng(seed)
    soil, water = rng.integers(2, size=(2, n_samples))
    is_rare, is_other = rng.random((2, n_samples)) < [[0.15], [0.1]]
    answers = rng.binomial(2, np.where(water, 0.9, 0.1))
    plants = {
        "leaf": np.where(is_rare, "lobed", np.array(["narrow", "broad"])[soil]),
        "hairy": (soil == 1) ^ is_other,
        "nitrogen": 0.8 + 1.2 * soil + rng.normal(0.0, 0.3, n_samples),
        "height": 30.0 + 16.0 * water + rng.normal(0.0, 4.0, n_samples),
        "vigour": pd.Categorical.from_codes(answers, ["poor", "fair", "good"], ordered=True),
        "flowers": rng.poisson(np.where(water, 12, 3)),
    }
    return pd.DataFrame(plants), np.column_stack([soil, water])


class CountsLaw:
    """Counts of 200 columns: negative binomial around a share of the row's depth.

    Depths are uniform in their logarithm; a column's variance is m + m^2 / r at the mean m.
    """

    def __init__(self, seed: int, n_columns: int = 200) -> None:
        rng = np.random.default_rng([seed, 38])
        logs = rng.normal(size=n_columns)
        logs = logs + SIGNS @ rng.normal(scale=EFFECTS["count"], size=(3, n_columns))
        self.shares = softmax(logs, axis=1)
        self.r = np.exp(rng.normal(np.log(3.0), 0.5, size=n_columns))

    def sample(self, n_samples: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Return counts, outcomes of the nodes (n_samples, 3), and depths."""
        rng = np.random.default_rng([seed, 39])
        cells = rng.choice(len(CELLS), size=n_samples, p=WEIGHTS)
        depths = np.exp(rng.uniform(*np.log(DEPTHS), size=n_samples))
        means = depths[:, None] * self.shares[cells]
        counts = rng.poisson(means * rng.gamma(self.r, 1.0 / self.r, size=means.shape))
        names = [f"count {k + 1}" for k in range(counts.shape[1])]
        return pd.DataFrame(counts, columns=names), CELLS[cells], depths

    def log_joint(self, counts: pd.DataFrame, depths: np.ndarray) -> np.ndarray:
        """Return log densities of rows and cells, for known depths."""
        means = depths[:, None] * self.shares[:, None, :]
        logs = nbinom.logpmf(counts.to_numpy(), self.r, self.r / (self.r + means)).sum(axis=2)
        return np.log(WEIGHTS) + logs.T

    def nodes(self, counts: pd.DataFrame, depths: np.ndarray) -> np.ndarray:
        """Return the outcomes of the most probable cells: Bayes' rule."""
        return CELLS[self.log_joint(counts, depths).argmax(axis=1)]

    def score(self, counts: pd.DataFrame, depths: np.ndarray) -> float:
        """Return the mean log density of rows."""
        return float(logsumexp(self.log_joint(counts, depths), axis=1).mean())

    def distances(self, counts: pd.DataFrame, every: int = 10) -> dict[str, float]:
        """Return the Kolmogorov distances of some columns, over the law of depths."""
        quantiles = (np.arange(50) + 0.5) / 50
        depths = np.exp(np.log(DEPTHS[0]) + quantiles * np.diff(np.log(DEPTHS)))
        found = {}
        for k in range(0, counts.shape[1], every):
            column = counts.iloc[:, k].to_numpy()
            values = np.arange(max(column.max(), 0) + 1)
            means = depths[:, None, None] * self.shares[:, k, None]
            law = nbinom.cdf(values, self.r[k], self.r[k] / (self.r[k] + means)).mean(axis=0)
            there = np.searchsorted(np.sort(column), values, side="right") / len(column)
            found[str(counts.columns[k])] = float(np.abs(there - WEIGHTS @ law).max())
        return found


def with_gaps(frame: pd.DataFrame, rate: float, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table that lacks entries, and which (n_samples, n_columns)."""
    gone = np.random.default_rng([seed, 40]).uniform(size=frame.shape) < rate
    holes = {}
    for name, missing in zip(frame, gone.T, strict=True):
        column = frame[name]
        column = column.astype("boolean") if column.dtype == bool else column
        holes[name] = column.mask(missing)
    return pd.DataFrame(holes), gone


def kinds_of(law: TableLaw, names: Sequence[str]) -> list[str]:
    """Return the kinds of columns."""
    return [getattr(law.columns[name], "kind", "number") for name in names]
