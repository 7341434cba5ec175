"""Tables of which few columns show the nodes: default fits beside Gaussian mixtures.

Two or three binary nodes show in as many columns, standardised with those that are noise alone.
Printed are the mean adjusted Rand indices over seeds of default fits, of fits with one noise for
all columns (``scale="modality"``), and of mixtures with full and with diagonal covariances, and in
how many fits each column has the unit of its noise.

    python benchmarks/columns.py --seeds 0-4

Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import warnings

import node_rows
import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA

#: Nodes, columns, standard deviations between two outcomes, samples, P(two nodes are equal).
ROWS = (
    (2, 3, 9.0, 200, 0.85),
    (2, 4, 7.0, 200, 0.85),
    (2, 6, 5.0, 600, 0.85),
    (2, 6, 9.0, 600, 0.85),
    (2, 6, 9.0, 600, 0.5),
    (3, 8, 6.0, 500, 0.5),
    (2, 20, 9.0, 600, 0.85),
    (2, 60, 9.0, 600, 0.85),
)


def table(
    n_nodes: int, n_columns: int, distance: float, n_samples: int, equal: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and cells."""
    rng = np.random.RandomState(seed)
    nodes = rng.randint(2, size=(n_samples, n_nodes))
    nodes[:, 1] = np.where(rng.uniform(size=n_samples) < equal, nodes[:, 0], 1 - nodes[:, 0])
    columns = rng.normal(size=(n_samples, n_columns))
    columns[:, :n_nodes] += distance * nodes
    return StandardScaler().fit_transform(columns), nodes @ 2 ** np.arange(n_nodes)


def main() -> None:
    """Run the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=list(range(5)))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| nodes, columns, sd, samples, equal | default | of these by noise | one noise | full "
          "| diagonal |\n|---|---|---|---|---|---|")  # fmt: skip
    for row in ROWS:
        found = []
        for seed in options.seeds:
            X, cells = table(*row, seed)
            sizes = (2,) * row[0]
            fits = [
                CausalPIMA(node_sizes=sizes, scale=scale, random_state=seed).fit(X)
                for scale in ("auto", "modality")
            ]
            plain = [
                GaussianMixture(2 ** row[0], covariance_type=kind, n_init=10, random_state=seed)
                for kind in ("full", "diag")
            ]
            labels = [*(fit.labels_ for fit in fits), *(of.fit_predict(X) for of in plain)]
            is_by_noise = fits[0].choices_.scale["modality0"] == "noise"
            found.append([is_by_noise, *(adjusted_rand_score(cells, of) for of in labels)])
        n_by_noise, default, *others = np.mean(found, axis=0)
        words = [f"{default:.2f}", f"{n_by_noise:.0%}", *(f"{value:.2f}" for value in others)]
        print("| " + " | ".join([", ".join(f"{of:g}" for of in row), *words]) + " |", flush=True)


if __name__ == "__main__":
    main()
