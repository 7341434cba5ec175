"""Decoders per cluster and predicted variances against one decoder for all, on new samples.

Run with OMP_NUM_THREADS=1.

    python benchmarks/decoders.py --seeds 0-2

Each line is one fit: the matched accuracy of new samples (the mean of the three nodes for discs)
and their bound in nats.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima.datasets import load_digits_with_curves, make_circles_images
from skcausalpima.metrics import node_recovery

DECODERS = {
    "one for all": {},
    "per cluster": {"decoders": "cluster_mlp"},
    "predicted variances": {"decoder_variance": "predicted"},
}


class Row(NamedTuple):
    """Modalities, factors of shape (n_samples, n_factors), and how many samples train."""

    arrays: Sequence[np.ndarray]
    factors: np.ndarray
    n_train: int
    node_sizes: tuple[int, ...]
    max_iter: int


def digits(seed: int) -> Row:
    """Return scikit-learn's digits, each with a line whose slope is the digit."""
    data = load_digits_with_curves(random_state=seed)
    order = np.random.RandomState(seed).permutation(len(data.images))
    arrays = [data.images[order], data.curves[order]]
    return Row(arrays, data.target[order, None], 1200, (10,), 50)


def discs(seed: int) -> Row:
    """Return small images of discs."""
    data = make_circles_images(900, image_size=14, random_state=seed)
    return Row([data.images], data.factors, 600, (2, 2, 2), 30)


def bent(seed: int) -> Row:
    """Return two groups whose curves are bent in different ways by one common coordinate."""
    rng = np.random.default_rng(seed)
    group, u = rng.integers(2, size=1200), rng.normal(size=1200)
    t = np.linspace(0.0, 1.0, 10)
    table = np.column_stack([u, u]) + 0.1 * rng.normal(size=(1200, 2))
    first, second = np.outer(u, np.sin(np.pi * t)), np.outer(np.abs(u) - 0.8, np.cos(2 * np.pi * t))
    curves = np.where(group[:, None] == 1, second, first) + 0.3 * rng.normal(size=(1200, 10))
    curves[:, 0] += group
    return Row([table, curves], group[:, None], 600, (2,), 50)


def measured(row: Row, seed: int, parameters: dict) -> tuple[float, float]:
    """Fit, and return accuracy and bound of the samples that did not train."""
    options = {"max_iter": row.max_iter, "random_state": seed}
    model = CausalPIMA(row.node_sizes, **options, **parameters)
    train = [array[: row.n_train] for array in row.arrays]
    new = [array[row.n_train :] for array in row.arrays]
    if len(new) == 1:
        train, new = train[0], new[0]
    model.fit(train)
    recovery = node_recovery(row.factors[row.n_train :], model.predict_nodes(new))
    return float(np.mean(recovery.accuracies)), model.score(new)


def main() -> None:
    """Print a line per fit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0-2", help="first-last")
    first, last = map(int, parser.parse_args().seeds.split("-"))
    print(f"{'data':8s}{'decoders':21s}seed  accuracy    bound")
    for make in (digits, discs, bent):
        for name, parameters in DECODERS.items():
            for seed in range(first, last + 1):
                accuracy, bound = measured(make(seed), seed, parameters)
                print(
                    f"{make.__name__:8s}{name:21s}{seed:4d}  {accuracy:8.4f}  {bound:7.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
