"""Real data where a plain recipe was ahead: what fits reach, and what can be reached at all.

    python benchmarks/ceilings.py --seeds 0-4 --mlbench mlbench --out ceilings.csv
    python benchmarks/ceilings.py --summarize ceilings.csv

Adjusted Rand indices with the classes of a default fit (mean over seeds), of the recipe that is
best in hindsight (of k-means and mixtures of four shapes in 3, 6 and 12 principal scores; of words,
those of ``mixed_tables.py``), and of two that know the classes: *told*, a linear classifier of the
fit's own latent points, and a forest of the columns, each of samples that it has not seen (ten
folds); and *from the truth*, expectation maximization of a Gaussian mixture of the latent points
that starts from the true classes (whole and pooled covariances, the better one): where even that
leaves the classes, no clustering of these points by Gaussians has them. ``tables.py`` and
``mixed_tables.py`` say which packages are needed. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mixed_tables
import node_rows
import numpy as np
import small
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA

DIMS = (3, 6, 12)
FIELDS = ("set", "samples", "seed", "fit", "set_aside", "best", "recipe", "told", "forest", "truth")


class Known(NamedTuple):
    """What a fit is given, columns as numbers, and the classes."""

    X: Any
    columns: np.ndarray
    classes: np.ndarray
    node_sizes: tuple[int, ...]
    recipes: Callable[[int], dict[str, float]]


def of_numbers(views: list[np.ndarray], classes: np.ndarray, sizes: tuple[int, ...]) -> Known:
    """Return tables of numbers; recipes see standardised columns."""
    shown = [small.standardised(view) for view in views]
    data = small.Data(shown, classes, sizes)
    given = views if len(views) > 1 else views[0]
    return Known(given, np.hstack(views), classes, sizes, lambda s: small.recipes(data, s, DIMS))


def of_words(name: str, folder: Path | None) -> Known:
    """Return a table of words."""
    whole = mixed_tables.loaded(name, folder)
    rows = np.flatnonzero(whole.frame.notna().any(axis=1))  # one vote lacks all columns
    table = mixed_tables.Table(whole.frame.iloc[rows].reset_index(drop=True), whole.classes[rows])
    coded = mixed_tables.Coded(table.frame)

    def recipes(seed: int) -> dict[str, float]:
        asked = {key: mixed_tables.RECIPES[key] for key in ("k-means", "mixture, PCA-6")}
        return {
            key: adjusted_rand_score(table.classes, of(table.frame, table.n_classes, seed))
            for key, of in asked.items()
        }

    columns = np.hstack([coded.numbers, coded.indicators])
    return Known(table.frame, columns, table.classes, (table.n_classes,), recipes)


def sets(folder: Path | None) -> dict[str, Callable[[], Known]]:
    """Return the sets by name."""
    from tables import raw as raw_table

    raw, mice, views = load_breast_cancer(), node_rows.nutrimouse(0), small.breast_cancer(0)
    glass, *of_glass = raw_table("glass")
    found = {
        "breast cancer": lambda: of_numbers(list(views.views), views.classes, (2,)),
        "breast cancer, raw": lambda: of_numbers([raw.data], raw.target, (2,)),
        "glass": lambda: of_numbers([glass], *of_glass),
        "lipids of mice": lambda: of_numbers([mice.arrays[1]], mice.factors @ [5, 1], (2, 5)),
        "genes of mice": lambda: of_numbers([mice.arrays[0]], mice.factors @ [5, 1], (2, 5)),
    }
    return found | {
        name: (lambda name=name: of_words(name, folder)) for name in ("DNA", "votes", "soybean")
    }


def from_the_truth(points: np.ndarray, classes: np.ndarray) -> float:
    """Return how far a mixture keeps the classes that it begins with."""
    means = np.stack([points[classes == k].mean(axis=0) for k in np.unique(classes)])
    found = []
    for shape in ("full", "tied"):
        mixture = GaussianMixture(len(means), covariance_type=shape, means_init=means)
        mixture.weights_init = np.bincount(classes) / len(classes)
        within = np.cov((points - means[classes]).T) + 1e-6 * np.eye(points.shape[1])
        inverse = np.linalg.inv(within)
        mixture.precisions_init = inverse if shape == "tied" else np.stack([inverse] * len(means))
        found.append(adjusted_rand_score(classes, mixture.fit_predict(points)))
    return max(found)


def measured(name: str, known: Known, seed: int) -> dict[str, object]:
    """Return a line."""
    model = CausalPIMA(known.node_sizes, random_state=seed).fit(known.X)
    points, classes = model.transform(known.X), known.classes
    recipes = known.recipes(seed)
    best = max(recipes, key=recipes.__getitem__)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    forest = RandomForestClassifier(500, random_state=seed)
    folds = min(10, np.bincount(classes).min())
    reached = {
        "fit": adjusted_rand_score(classes, model.labels_),
        "best": recipes[best],
        "told": adjusted_rand_score(classes, cross_val_predict(linear, points, classes, cv=folds)),
        "forest": adjusted_rand_score(
            classes, cross_val_predict(forest, known.columns, classes, cv=folds)
        ),
        "truth": from_the_truth(StandardScaler().fit_transform(points), classes),
    }
    aside = len(getattr(model.separation_, "set_aside", ()))
    keys = {"set": name, "samples": len(classes), "seed": seed, "recipe": best, "set_aside": aside}
    return keys | {key: f"{value:.4f}" for key, value in reached.items()}


def summarize(path: Path) -> None:
    """Print means over seeds."""
    lines = list(csv.DictReader(path.open(newline="")))
    print("| set | samples | set aside | fit | best recipe | told | forest | from the truth |")
    print("|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(line["set"] for line in lines):
        own = [line for line in lines if line["set"] == name]
        figures = {key: [float(line[key]) for line in own] for key in FIELDS[3:] if key != "recipe"}
        means = {key: np.mean(values) for key, values in figures.items()}
        fit = f"{means['fit']:.3f} ({min(figures['fit']):.3f} to {max(figures['fit']):.3f})"
        rest = " | ".join(f"{means[key]:.3f}" for key in ("told", "forest", "truth"))
        best = f"{means['best']:.3f} ({own[0]['recipe']})"
        aside = f"{means['set_aside']:.0f}"
        print(f"| {name} | {own[0]['samples']} | {aside} | {fit} | {best} | {rest} |")


def main() -> None:
    """Measure what is asked for, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4")
    parser.add_argument("--sets", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--mlbench", type=Path)
    parser.add_argument("--out", type=Path, default=Path("ceilings.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    warnings.simplefilter("ignore")
    for name, load in sets(arguments.mlbench).items():
        if any(part in name for part in arguments.sets):
            known = load()
            for seed in arguments.seeds:
                node_rows.append_lines(arguments.out, FIELDS, [measured(name, known, seed)])


if __name__ == "__main__":
    main()
