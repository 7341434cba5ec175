"""Tables whose columns vary together within clusters: default fits beside plain recipes.

Columns are normal noise of variance one, mixed by the identity plus random numbers of deviation
``strength`` over the root of the number of columns; effects of the nodes are random directions, the
nearest outcomes of a node ``distance`` apart. Printed are means over seeds of the adjusted Rand
index of the cells: of default fits, with their latent dimensions, of a mixture with one covariance
matrix, and of k-means, both on standardised columns.

    python benchmarks/correlated.py --seeds 0-4
    python benchmarks/correlated.py --seeds 0-4 --words 2

With ``--words`` so many columns of three words each stand beside the numbers, whose probabilities
in each cell are drawn from a uniform Dirichlet law. Mixture and k-means see the numbers alone.

Run with OMP_NUM_THREADS=1; about ten minutes.
"""

from __future__ import annotations

import argparse
import itertools
import warnings

import numpy as np
import pandas as pd
from node_rows import parse_seeds
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA

GRIDS = ((3,), (2, 2), (2, 3))
WIDTHS = {8: 400, 12: 600, 20: 1000, 40: 1000}  # and samples
STRENGTHS, DISTANCE = (0.0, 0.7, 1.5), 6.0
WORDS = ("low", "middle", "high")


def table(
    seed: int, sizes: tuple[int, ...], width: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw columns, and the cell of each sample."""
    rng, n_samples = np.random.RandomState(seed), WIDTHS[width]
    factors = np.stack([rng.randint(size, size=n_samples) for size in sizes], axis=1)
    mixing = np.eye(width) + strength * rng.normal(size=(width, width)) / np.sqrt(width)
    x = rng.normal(size=(n_samples, width)) @ mixing
    for size, column in zip(sizes, factors.T, strict=True):
        effects = rng.normal(size=(size, width))
        pairs = itertools.combinations(effects, 2)
        x += DISTANCE / min(np.linalg.norm(a - b) for a, b in pairs) * effects[column]
    return x, np.ravel_multi_index(factors.T, sizes)


def with_words(x: np.ndarray, cells: np.ndarray, n_words: int, seed: int) -> pd.DataFrame:
    """Return the columns with so many columns of words, which depend on the cells."""
    rng, frame = np.random.RandomState(seed + 1000), pd.DataFrame(x).rename(columns=str)
    for column in range(n_words):
        ends = rng.dirichlet(np.ones(len(WORDS)), size=cells.max() + 1).cumsum(axis=1)[cells]
        drawn = (rng.uniform(size=(len(cells), 1)) > ends[:, :-1]).sum(axis=1)
        frame[f"word {column + 1}"] = np.array(WORDS)[drawn]
    return frame


def measured(
    seed: int, sizes: tuple[int, ...], width: int, strength: float, n_words: int
) -> tuple[list[float], int]:
    """Return the indices of the fit, the mixture and k-means, and the dimension of the fit."""
    x, cells = table(seed, sizes, width, strength)
    asked = with_words(x, cells, n_words, seed) if n_words else x
    est, scaled = CausalPIMA(sizes, random_state=seed).fit(asked), StandardScaler().fit_transform(x)
    n_cells = int(np.prod(sizes))
    mixture = GaussianMixture(n_cells, covariance_type="tied", n_init=5, random_state=seed)
    kmeans = KMeans(n_cells, n_init=10, random_state=seed)
    labels = est.labels_, mixture.fit_predict(scaled), kmeans.fit_predict(scaled)
    return [adjusted_rand_score(cells, of) for of in labels], est.latent_dim_


def main() -> None:
    """Print a line for each kind of table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=parse_seeds, default=list(range(5)))
    parser.add_argument("--words", type=int, default=0, help="columns of words")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| nodes | columns | samples | strength | fit (least) | dimensions | mixture | k-means |")
    print("|---" * 8 + "|")
    for sizes, width, strength in itertools.product(GRIDS, WIDTHS, STRENGTHS):
        of_seeds = (measured(s, sizes, width, strength, options.words) for s in options.seeds)
        found = list(of_seeds)
        figures, dimensions = np.array([of for of, _ in found]), {of for _, of in found}
        fit, mixture, kmeans = figures.mean(axis=0)
        words = f"{fit:.3f} ({figures[:, 0].min():.3f}) | {' '.join(map(str, sorted(dimensions)))}"
        kind = f"{sizes} | {width} | {WIDTHS[width]} | {strength}"
        print(f"| {kind} | {words} | {mixture:.3f} | {kmeans:.3f} |", flush=True)


if __name__ == "__main__":
    main()
