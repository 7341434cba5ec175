"""How well clusters are found, beside plain baselines: mean and minimum over seeds.

Each seed draws its own data and its own fit. Run with OMP_NUM_THREADS=1 or 2; ``--rows digits``
runs the rows whose name contains a word, ``--seeds 0 1 2`` other seeds.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA
from skcausalpima.datasets import load_digits_with_curves, make_circles_images
from skcausalpima.metrics import matched_accuracy, node_recovery

Row = Callable[[int], float]  # seed -> figure


def balanced(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Put modalities side by side, each centred and of one total variance."""
    flat = [array.reshape(len(array), -1).astype(np.float64) for array in arrays]
    return np.hstack([(a - a.mean(axis=0)) / np.sqrt(a.var(axis=0).sum()) for a in flat])


@functools.cache
def digits(seed: int):
    """Return the digits with curves of one seed."""
    return load_digits_with_curves(noise_variance=0.5, random_state=seed)


@functools.cache
def circles(seed: int):
    """Return the circles of one seed."""
    return make_circles_images(random_state=seed)


@functools.cache
def fitted_digits(seed: int, **parameters) -> CausalPIMA:
    """Fit digits with default settings, except for the node and what is passed."""
    est = CausalPIMA(node_sizes=(10,), random_state=seed, **parameters)
    return est.fit([digits(seed).images, digits(seed).curves])


@functools.cache
def fitted_circles(seed: int, **parameters) -> CausalPIMA:
    """Fit circles with default settings, except for the nodes and what is passed."""
    est = CausalPIMA(node_sizes=(2, 2, 2), random_state=seed, **parameters)
    return est.fit(circles(seed).images)


def digits_accuracy(seed: int, **parameters) -> float:
    """Return the matched accuracy of the clusters."""
    return matched_accuracy(digits(seed).target, fitted_digits(seed, **parameters).labels_)


def digits_occupied(seed: int, latent_dim: int) -> float:
    """Return how many of the ten cells hold samples."""
    return len(np.unique(fitted_digits(seed, latent_dim=latent_dim).labels_))


def digits_baseline(seed: int, modalities: Sequence[str], n_components: int | None, model) -> float:
    """Return the matched accuracy of a plain clustering of some modalities."""
    scores = balanced([digits(seed)[name] for name in modalities])
    if n_components is not None:
        scores = PCA(n_components, random_state=seed).fit_transform(scores)
    labels = model.set_params(random_state=seed).fit_predict(scores)
    return matched_accuracy(digits(seed).target, labels)


def circles_rand_index(seed: int, **parameters) -> float:
    """Return the adjusted Rand index of the eight cells."""
    return adjusted_rand_score(circles(seed).target, fitted_circles(seed, **parameters).labels_)


def circles_nodes(seed: int, **parameters) -> float:
    """Return the mean matched accuracy of the nodes."""
    nodes = fitted_circles(seed, **parameters).node_labels_
    return node_recovery(circles(seed).factors, nodes).accuracies.mean()


def circles_baseline(seed: int, model) -> float:
    """Return the adjusted Rand index of a plain clustering of PCA-5."""
    scores = PCA(5, random_state=seed).fit_transform(circles(seed).images.reshape(4096, -1))
    labels = model.set_params(random_state=seed).fit_predict(scores)
    return adjusted_rand_score(circles(seed).target, labels)


def rows() -> dict[str, Row]:
    """Return the table's rows by name."""
    k_means = functools.partial(KMeans, n_init=10)
    mixture = functools.partial(GaussianMixture, 10, n_init=5, reg_covar=1e-4, max_iter=500)
    both = ("images", "curves")
    row = functools.partial
    return {
        "digits ACC: default": digits_accuracy,
        "digits ACC: init='paper'": row(digits_accuracy, init="paper"),
        "digits ACC: k-means, curves": row(
            digits_baseline, modalities=["curves"], n_components=None, model=k_means(10)
        ),
        "digits ACC: mixture, PCA-20 of images": row(
            digits_baseline, modalities=["images"], n_components=20, model=mixture()
        ),
        "digits ACC: diagonal mixture, PCA-10 of both": row(
            digits_baseline,
            modalities=both,
            n_components=10,
            model=mixture(covariance_type="diag"),
        ),
        "digits ACC: tied mixture, PCA-10 of both": row(
            digits_baseline,
            modalities=both,
            n_components=10,
            model=mixture(covariance_type="tied"),
        ),
        **{
            f"digits occupied of 10: latent_dim={latent_dim}": row(
                digits_occupied, latent_dim=latent_dim
            )
            for latent_dim in (2, 3, 5, 9)
        },
        "circles ARI: default": circles_rand_index,
        "circles ARI: init='paper'": row(circles_rand_index, init="paper"),
        "circles ARI: k-means, PCA-5": row(circles_baseline, model=k_means(8)),
        "circles nodes ACC: default": circles_nodes,
        "circles nodes ACC: init='paper'": row(circles_nodes, init="paper"),
    }


def print_table(table: Mapping[str, Row], seeds: Sequence[int]) -> None:
    """Run rows over seeds and print one line each, as a markdown table."""
    width = max(map(len, table))
    print(f"| {'row':{width}} |   mean |    min | s per seed |")
    print(f"|-{'-' * width}-|-------:|-------:|-----------:|")
    for name, row in table.items():
        start = time.perf_counter()
        figures = [row(seed) for seed in seeds]
        seconds = (time.perf_counter() - start) / len(seeds)
        print(
            f"| {name:{width}} | {np.mean(figures):6.3f} | {min(figures):6.3f} | {seconds:10.1f} |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--rows", default="", help="a part of the names of the rows to run")
    arguments = parser.parse_args()
    chosen = {name: row for name, row in rows().items() if arguments.rows in name}
    if not chosen:
        parser.error(f"no row has {arguments.rows!r} in its name; there are {list(rows())}")
    print_table(chosen, arguments.seeds)


if __name__ == "__main__":
    main()
