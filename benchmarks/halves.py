"""Do halves of one heap pass for halves of clusters? The gate of what is asked of unseen samples.

Tables of 24 columns, without any fit: the share of nodes that are let through. Of one heap (normal,
skewed, heavy-tailed, correlated columns, a line) that is to be .05, of clusters near 1, and half of
them where one of two nodes is none. Sixty draws have a standard error of .03 at .05::

    python benchmarks/halves.py --draws 60
    python benchmarks/halves.py --draws 60 --samples 1000 --only correlated "2 sd"
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from skcausalpima._base.grid import NodeGrid, n_effects
from skcausalpima._clustering.arrangement import arrange_labels
from skcausalpima.inspection._halves_of_one_heap import HalvesOfOneHeap

WIDTH, PER_NODE = 24, 6
HEAPS = ("normal", "skewed", "heavy tails", "correlated .3", "a line")
GRIDS = ((2,), (3,), (2, 2), (2, 2, 2))
EFFECTS = (1.0, 1.5, 2.0)


def heap(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return samples of one heap."""
    if kind == "skewed":
        return rng.exponential(size=(n, WIDTH))
    if kind == "heavy tails":
        return rng.standard_t(4, size=(n, WIDTH))
    X = rng.normal(size=(n, WIDTH))
    if kind == "correlated .3":
        return np.sqrt(0.7) * X + np.sqrt(0.3) * rng.normal(size=(n, 1))
    if kind == "a line":
        X[:, :PER_NODE] += np.sqrt(12) * rng.random((n, 1))
    return X


def clusters(
    effect: float, sizes: Sequence[int], n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return samples of a grid, and their nodes; outcomes have columns of their own."""
    nodes = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    X, first = rng.normal(size=(n, WIDTH)), 0
    for outcomes, size in zip(nodes.T, sizes, strict=True):
        for outcome in range(1, size):
            X[:, first : first + PER_NODE] += effect * (outcomes == outcome)[:, None]
            first += PER_NODE
    return X, nodes


def as_found(scores: np.ndarray, sizes: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return nodes as a mixture of all samples has them, where there are none."""
    seed = int(rng.integers(2**31 - 1))
    n_cells = int(np.prod(sizes))
    labels = GaussianMixture(n_cells, covariance_type="tied", random_state=seed).fit_predict(scores)
    source = np.random.RandomState(seed)
    cells = arrange_labels(labels, scores, sizes, None, source, n_clusters=n_cells).cells
    return NodeGrid(sizes).outcomes(cells[labels])


def passed(case: str, n: int, seed: int) -> np.ndarray:
    """Draw samples; return of which nodes halves agree enough."""
    rng = np.random.default_rng(seed)
    kind, _, sizes = CASES[case]
    X, nodes = clusters(float(kind), sizes, n, rng) if kind in map(str, EFFECTS) else (None, None)
    if X is None and kind == "half":
        X = clusters(2.0, (2,), n, rng)[0]
    elif X is None:
        X = heap(kind, n, rng)
    scores = PCA(2 * n_effects(sizes), random_state=0).fit_transform(X)
    nodes = as_found(scores, sizes, rng) if nodes is None else nodes
    gate = HalvesOfOneHeap.of_scores(scores, nodes, sizes)
    return gate.agreement > gate.limits


#: What is drawn, which share of nodes is to pass, and node sizes, by name.
CASES: dict[str, tuple[str, str, tuple[int, ...]]] = {
    **{f"one heap, {kind}, {grid}": (kind, ".05", grid) for kind in HEAPS for grid in GRIDS[::2]},
    **{f"{effect:g} sd, {grid}": (str(effect), "1", grid) for effect in EFFECTS for grid in GRIDS},
    "2 sd, one of (2, 2) alone": ("half", ".5", (2, 2)),
}


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--samples", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of names of cases")
    given = parser.parse_args()
    print("| case | samples | nodes that pass | wanted | seconds |\n|---|---|---|---|---|")
    for case, (_, wanted, _) in CASES.items():
        if not any(part in case for part in given.only):
            continue
        for n in given.samples:
            begin = time.process_time()
            shares = [passed(case, n, given.seed + draw) for draw in range(given.draws)]
            seconds = (time.process_time() - begin) / given.draws
            line = (case, n, f"{np.mean(shares):.3f}", wanted, f"{seconds:.1f}")
            print(f"| {' | '.join(map(str, line))} |", flush=True)


if __name__ == "__main__":
    main()
