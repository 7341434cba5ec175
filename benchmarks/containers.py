"""What a container of modalities costs beside a flat array where tools split and send data.

Eight tasks over 40 MB go to two processes (loky), which get the arrays as memory maps. Timed are
tasks that do nothing, which is the sending alone, and the folds of a cross-validation whose
estimator does nothing, which adds their splitting. The time of eight tasks without data is taken
off. Rounds of container, flat array and no data alternate in one run; quoted are medians.
"""

from __future__ import annotations

import argparse
import pickle
import statistics
import time

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.model_selection import cross_val_score

from skcausalpima import MultimodalData

N_TASKS = 8


class Nothing(BaseEstimator):
    """An estimator that looks at nothing but the number of samples."""

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return float(len(X))


def make_data(n_samples: int, random_state: int) -> MultimodalData:
    """Draw images and curves of 10 kB a sample."""
    rng = np.random.default_rng(random_state)
    images, curves = rng.normal(size=(n_samples, 32, 32)), rng.normal(size=(n_samples, 226))
    return MultimodalData({"image": images, "curve": curves})


def mapped(X: MultimodalData | np.ndarray) -> list[bool]:
    """Say of each array whether it is a memory map."""
    arrays = X.arrays if isinstance(X, MultimodalData) else [X]
    return [isinstance(array, np.memmap) for array in arrays]


def send(X, n_jobs: int) -> None:
    Parallel(n_jobs=n_jobs)(delayed(len)(X) for _ in range(N_TASKS))


def split(X, n_jobs: int) -> None:
    cross_val_score(Nothing(), X, cv=N_TASKS, n_jobs=n_jobs)


def medians(task, data: dict, n_rounds: int, n_jobs: int) -> dict[str, float]:
    """Return the median seconds of a task for each kind of data; rounds alternate."""
    seconds = {kind: [] for kind in data}
    for _ in range(n_rounds + 2):
        for kind, X in data.items():
            start = time.perf_counter()
            task(X, n_jobs)
            seconds[kind].append(time.perf_counter() - start)
    return {kind: statistics.median(times[2:]) for kind, times in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--n-samples", type=int, default=4000)
    parser.add_argument("--n-jobs", type=int, default=2)
    arguments = parser.parse_args()
    X = make_data(arguments.n_samples, random_state=0)
    data = {"container": X, "flat": X.to_flat(), "nothing": np.zeros((arguments.n_samples, 1))}
    for kind in ("container", "flat"):
        sent = Parallel(n_jobs=arguments.n_jobs)(delayed(mapped)(data[kind]) for _ in range(2))
        print(f"{kind}: memory maps {sent[0]}, pickled {len(pickle.dumps(data[kind])):,} bytes")
    for task in (send, split):
        seconds = medians(task, data, arguments.rounds, arguments.n_jobs)
        base = seconds.pop("nothing")
        overhead = {kind: time - base for kind, time in seconds.items()}
        for kind, extra in overhead.items():
            print(f"{task.__name__:6s} {kind:10s} {1e3 * extra:8.1f} ms above {1e3 * base:.1f} ms")
        print(f"{task.__name__:6s} ratio      {overhead['container'] / overhead['flat']:8.2f}")


if __name__ == "__main__":
    main()
