"""``honesty.py`` for images, curves and real tables: what is said and what is right, and bands.

Run with OMP_NUM_THREADS=1; mfeat needs the folder that SKCAUSALPIMA_DATA names.

    python benchmarks/honesty_data.py --rows lattices --seeds 0-4 --out honesty_data.csv
    python benchmarks/honesty.py --summarize honesty_data.csv

Of real data a half is held out, drawn anew for each seed; of others 2000 new samples are asked
about. The calibration error has five bins of equal mass. The reference is expectation maximization
with whole covariances on the first principal scores of what is asked (balanced modalities), which
starts from the true cells of the same training samples. ``bands`` counts how many of the values
that are hidden 90 % bands hold: of one modality from another one, of the second half of a curve
from its first, of a fifth of the elements, and of whole samples.
"""

from __future__ import annotations

import argparse
import functools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import node_rows
import numpy as np
from honesty import FIELDS, REFERENCE, REST, honesty, matched
from node_rows import Data, append_lines, parse_seeds
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_lattices

N_NEW, N_BINS = 2000, 5


class Row(NamedTuple):
    """Data, of which the first ``n_samples`` train, None for a half of them in random order."""

    load: Callable[[int, int], Data]  # from the seed and how many samples
    n_samples: int | None
    sizes: tuple[int, ...]
    n_scores: int
    bands: tuple[str, ...] = ()
    parameters: Mapping[str, object] = {}


def coarse_lattices(seed: int, n: int) -> Data:
    """Return images of every second pixel, and curves."""
    bunch = make_lattices(n, random_state=seed)
    return Data([bunch.images[:, ::2, ::2], bunch.curves], bunch.factors)


def shared_factor(seed: int, n: int) -> Data:
    """Return two tables of ten columns that show two kinds and one continuous factor."""
    rng = np.random.default_rng([seed, 1])
    kind, factor = rng.integers(2, size=n), rng.normal(size=n)
    axes = np.linalg.qr(rng.normal(size=(20, 2)))[0].T
    x = 8.0 * kind[:, None] * axes[0] + 4.0 * factor[:, None] * axes[1] + rng.normal(size=(n, 20))
    return Data([x[:, :10], x[:, 10:]], kind[:, None])


def generated(name: str, seed: int, n: int) -> Data:
    """Return samples of one of the rows of ``node_rows``."""
    return node_rows.rows()[name].load.func(
        seed, n_samples=n, **node_rows.rows()[name].load.keywords
    )


def rows() -> dict[str, Row]:
    """Return the rows by name."""
    of_nodes, part = node_rows.rows(), functools.partial
    real = {
        name: Row(
            lambda seed, n, load=of_nodes[name].load: load(seed),
            None,
            (10,),
            10,
            parameters=dict(of_nodes[name].parameters),
        )
        for name in ("digits and line", "mfeat")
    }
    found = {}
    for n in (300, 500, 3000):
        bands = ("whole", "first alone", "half a curve", "20%")
        found[f"lattices, {n}"] = Row(coarse_lattices, n, (2, 2), 5, bands)
    for n in (300, 3000):
        found[f"shared factor, {n}"] = Row(
            shared_factor, n, (2,), 5, ("whole", "first alone", "20%")
        )
    for n in (300, 3000):
        curve = part(generated, "circles and curve")
        bands = ("whole", "first alone", "half a curve", "20%")
        found[f"circles and curve, {n}"] = Row(curve, n, (2, 2, 2), 5, bands)
        found[f"circles, chain, {n}"] = Row(part(generated, "circles, chain"), n, (2, 2, 2), 5)
    return {**real, **found}


def parts(row: Row, seed: int) -> tuple[Data, Data]:
    """Return samples that train and new ones."""
    if row.n_samples is None:
        data = row.load(seed, 0)
        order = np.random.RandomState(seed).permutation(len(data.factors))
        cut = len(order) // 2
    else:
        cut = row.n_samples
        order = np.arange(cut + N_NEW)
        data = row.load(seed, len(order))
    return tuple(
        Data([array[rows] for array in data.arrays], data.factors[rows])
        for rows in (order[:cut], order[cut:])
    )


def cells(data: Data, sizes: Sequence[int]) -> np.ndarray:
    """Return the number of the true cell of each sample."""
    return np.ravel_multi_index(data.factors.T, sizes)


def reference(row: Row, train: Sequence[np.ndarray], label: np.ndarray) -> Callable:
    """Return a function from samples to probabilities of the true cells, of some modalities."""
    flat = [part.reshape(len(part), -1).astype(float) for part in train]
    if row.parameters.get("scale") == "feature":
        units = [np.maximum(part.std(axis=0), 1e-12) for part in flat]
    else:
        units = [np.ones(part.shape[1]) for part in flat]
    units = [u * np.sqrt((part / u).var(axis=0).sum()) for u, part in zip(units, flat, strict=True)]

    def scaled(x: Sequence[np.ndarray]) -> np.ndarray:
        return np.hstack([p.reshape(len(p), -1) / u for p, u in zip(x, units, strict=True)])

    n_scores = min(row.n_scores, scaled(train).shape[1])
    pca = PCA(n_scores, random_state=0).fit(scaled(train))
    unit = pca.transform(scaled(train)).std(axis=0)
    scores = pca.transform(scaled(train)) / unit
    n_cells = int(np.prod(row.sizes))
    means = [scores[label == k].mean(axis=0) for k in range(n_cells)]
    eye = 1e-3 * np.eye(n_scores)
    precisions = [np.linalg.inv(np.cov(scores[label == k].T) + eye) for k in range(n_cells)]
    weights = np.bincount(label, minlength=n_cells) / len(label)
    start = {"means_init": means, "precisions_init": precisions, "weights_init": weights}
    mixture = GaussianMixture(n_cells, reg_covar=1e-3, max_iter=500, **start).fit(scores)
    return lambda x: mixture.predict_proba(pca.transform(scaled(x)) / unit)


def hidden(x: Sequence[np.ndarray], what: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return samples of which something is missing."""
    x = [np.array(part, dtype=float) for part in x]
    if what == "half a curve":
        x[0][:], x[1][:, x[1].shape[1] // 2 :] = np.nan, np.nan
    elif what == "20%":
        for part in x:
            part[rng.uniform(size=part.shape) < 0.2] = np.nan
    elif what != "whole":
        for k, part in enumerate(x):
            if k != int(what == "second alone"):
                part[:] = np.nan
    return x


def run(name: str, row: Row, seed: int) -> Iterator[dict]:
    """Fit once; return a line for everything that is asked of new samples."""
    train, new = parts(row, seed)
    label, target = cells(train, row.sizes), cells(new, row.sizes)
    n_cells, n_parts = int(np.prod(row.sizes)), len(train.arrays)
    est = CausalPIMA(row.sizes, random_state=seed, **row.parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.process_time()
        est.fit(train.arrays if n_parts > 1 else train.arrays[0])
        seconds = time.process_time() - start
    rest = {"warned": int(len(caught) > 0), "seconds": round(seconds, 2)}
    place = matched(label, est.labels_, n_cells)
    for there in [range(n_parts), *([k] for k in range(n_parts) if n_parts > 1)]:
        x = [part if k in there else None for k, part in enumerate(new.arrays)]
        probabilities = np.zeros((len(target), n_cells))
        probabilities[:, place] = est.predict_proba(x if n_parts > 1 else x[0])
        line = honesty(probabilities, target, N_BINS)
        fitted = reference(row, [train.arrays[k] for k in there], label)
        theirs = fitted([new.arrays[k] for k in there])
        line |= {f"ref_{k}": v for k, v in honesty(theirs, target, N_BINS).items()}
        cells_of = fitted([train.arrays[k] for k in there]).argmax(axis=1)
        line["same_cells"] = adjusted_rand_score(est.labels_, cells_of)
        yield {
            **{"table": "data", "row": name, "seed": seed},
            "what": "whole" if len(there) == n_parts else f"modality {there[0] + 1} alone",
            **{k: round(float(v), 4) for k, v in line.items()},
            **rest,
        }
    for what in row.bands:
        given = hidden(new.arrays, what, np.random.default_rng([seed, 4]))
        mean, std = est.reconstruct(given, return_std=True, include_noise=True)
        inside = []
        for truly, part, centre, spread in zip(new.arrays, given, mean, std, strict=True):
            asked = np.isnan(part) if what != "whole" else np.ones(part.shape, dtype=bool)
            inside.append((np.abs(truly - centre) < 1.6449 * spread)[asked])
        for k, part in enumerate(inside):
            if len(part):
                yield {
                    **{"table": "bands", "row": name, "seed": seed},
                    **{"what": f"modality {k + 1}, {what}", "said": 0.9},
                    **{"right": round(float(part.mean()), 4), **rest},
                }


def main() -> None:
    """Run what a file lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--seeds", type=parse_seeds, default="0-4")
    parser.add_argument("--out", type=Path, default=Path("honesty_data.csv"))
    arguments = parser.parse_args()
    held = arguments.out.read_text() if arguments.out.exists() else ""
    for name, row in rows().items():
        for seed in arguments.seeds if any(part in name for part in arguments.rows) else []:
            if f'"{name}",whole,{seed},' not in held and f"{name},whole,{seed}," not in held:
                lines = list(run(name, row, seed))
                append_lines(arguments.out, (*FIELDS, *REFERENCE, *REST), lines)


if __name__ == "__main__":
    main()
