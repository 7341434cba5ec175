"""Columns of many words: what a fit takes as words become more, and what it finds by them.

Two binary nodes show in a number each, two standard deviations apart, beside one that is noise.
Each of the four cells has words of its own, which 70% of its rows have; others have any word. One
row is a process of its own: a fit with the seed, its processor time and its largest memory, and
adjusted Rand indices of its cells, of a mixture of four Gaussians of the numbers alone, and of the
cells that are most probable where all is known.

    python benchmarks/words.py --levels 100,1000,3000 --seeds 0-4

With ``--packages`` versions take turns: folders that hold a ``skcausalpima`` each.
Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
import warnings

import node_rows
import numpy as np
from scipy.stats import norm
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

#: Share of rows with a word of their cell's own, and distance of two outcomes.
OWN, DISTANCE = 0.7, 2.0
HEAD = "| levels | rows | seed | package | seconds | MB | fit | numbers alone | all known |"


def table(levels: int, n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers, which word each row has, and cells."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(4, size=n_rows)
    nodes = np.column_stack([cells // 2, cells % 2, np.zeros(n_rows)])
    numbers = DISTANCE * nodes + rng.normal(size=(n_rows, 3))
    own = rng.integers(levels // 4, size=n_rows) * 4 + cells
    words = np.where(rng.random(n_rows) < OWN, own, rng.integers(levels, size=n_rows))
    return numbers, words, cells


def ceiling(numbers: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Return the most probable cells."""
    cells = np.arange(4)
    logs = norm.logpdf(numbers[:, [0]], DISTANCE * (cells // 2))
    logs += norm.logpdf(numbers[:, [1]], DISTANCE * (cells % 2))
    logs += np.log(OWN * 4 * (words[:, None] % 4 == cells) + 1.0 - OWN)
    return logs.argmax(axis=1)


def row(levels: int, n_rows: int, seed: int, max_iter: int | None) -> str:
    """Return what one fit takes and finds."""
    import pandas

    from skcausalpima import CausalPIMA

    warnings.simplefilter("ignore")
    numbers, words, cells = table(levels, n_rows, seed)
    frame = pandas.DataFrame(numbers, columns=["a", "b", "c"])
    frame["word"] = np.char.add("w", words.astype(str)).astype(object)
    options = {} if max_iter is None else {"max_iter": max_iter}
    begun = time.process_time()
    try:
        labels = CausalPIMA((2, 2), random_state=seed, **options).fit(frame).labels_
        result = f"{adjusted_rand_score(cells, labels):.3f}"
    except (RuntimeError, ValueError) as error:
        result = f"{type(error).__name__}: {error}"[:80]
    seconds = time.process_time() - begun
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    plain = GaussianMixture(4, n_init=5, random_state=seed).fit_predict(numbers)
    others = (adjusted_rand_score(cells, of) for of in (plain, ceiling(numbers, words)))
    return f"{seconds:.1f} | {largest:.0f} | {result} | {' | '.join(f'{v:.3f}' for v in others)}"


def main() -> None:
    """Run the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", default="100,1000,3000")
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=list(range(5)))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--max-iter", type=int)
    parser.add_argument("--packages", default=".")
    parser.add_argument("--alone", action="store_true", help="one row, in this process")
    options = parser.parse_args()
    levels = [int(number) for number in options.levels.split(",")]
    if options.alone:
        print(row(levels[0], options.rows, options.seeds[0], options.max_iter))
        return
    print(HEAD + "\n" + "|---" * HEAD.count(" |") + "|", flush=True)
    length = [] if options.max_iter is None else ["--max-iter", str(options.max_iter)]
    for seed in options.seeds:
        for n in levels:
            for package in options.packages.split(","):
                command = [sys.executable, __file__, "--alone", "--levels", str(n), *length]
                command += ["--seeds", str(seed), "--rows", str(options.rows)]
                around = os.environ | {"PYTHONPATH": os.path.abspath(package)}
                done = subprocess.run(command, env=around, capture_output=True, text=True)
                last = (done.stdout.splitlines() or done.stderr.splitlines() or ["killed"])[-1]
                print(f"| {n} | {options.rows} | {seed} | {package} | {last} |", flush=True)


if __name__ == "__main__":
    main()
