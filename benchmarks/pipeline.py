"""A fit inside a Pipeline: six views of handwritten numerals, each standardised on its own.

Run with OMP_NUM_THREADS=1; mfeat.npz is in the folder that SKCAUSALPIMA_DATA names.

    python benchmarks/pipeline.py --seeds 0-4

Prints the matched accuracy of ``predict`` for each seed, beside k-means on the same views, each
divided by the root of its width so that all count alike.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA, ModalityTransformer, MultimodalData
from skcausalpima.metrics import matched_accuracy


def views() -> tuple[MultimodalData, np.ndarray]:
    """Return the six views and the numerals."""
    with np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / "mfeat.npz") as file:
        arrays = dict(file)
    numerals = arrays.pop("y")
    return MultimodalData(arrays), numerals


def pipeline(seed: int) -> Pipeline:
    """Return the estimator behind one StandardScaler per view."""
    prep = ModalityTransformer({}, remainder=StandardScaler())
    pima = CausalPIMA((10,), modality_weights="balanced", random_state=seed)
    return Pipeline([("prep", prep), ("pima", pima)])


def k_means(X: MultimodalData, seed: int) -> np.ndarray:
    """Cluster all standardised views side by side."""
    parts = [StandardScaler().fit_transform(view) / view.shape[1] ** 0.5 for view in X.arrays]
    return KMeans(10, n_init=10, random_state=seed).fit_predict(np.concatenate(parts, axis=1))


def main() -> None:
    """Print one line per seed, then the means."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0-4", help="first-last")
    first, last = map(int, parser.parse_args().seeds.split("-"))
    X, numerals = views()
    rows = []
    print("seed  pipeline  k-means")
    for seed in range(first, last + 1):
        labels = pipeline(seed).fit(X).predict(X)
        rows.append([matched_accuracy(numerals, found) for found in (labels, k_means(X, seed))])
        print(f"{seed:4d}  {rows[-1][0]:8.4f}  {rows[-1][1]:7.4f}", flush=True)
    print("mean  {:8.4f}  {:7.4f}".format(*np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
