"""Whole default fits of many rows: seconds, memory, nodes and held-out bound, beside a mixture.

Tables of 20 columns, three nodes of two outcomes, eight cells; the same as two modalities, with a
tenth of the numbers missing, with five columns of words, with an instrument that adds offsets, from
a memory map; tables of fifteen columns of which five are words and three counts; lattices, images
with curves; and discs of 28 x 28 pixels in three colours. Each point is a process of its own, on
one thread: processor seconds of ``fit`` and of a ``GaussianMixture`` of eight components, those of
answers about all rows as ratios to its ``predict``; the peak of memory above that before the fit,
and that; the mean adjusted Rand index of the best node for each factor; the bound of 4000 further
samples in nats, and its standard deviation between samples. ``--root`` takes another checkout, too,
in turn with this one; several seeds end with the medians of its ratios to this one.

    python benchmarks/many_rows.py --rows 1e3 1e4 1e5 1e6
    python benchmarks/many_rows.py --kinds two gaps words instrument map --rows 1e5 --root DIR
    python benchmarks/many_rows.py --kinds discs --rows 4096 12000 65536
    python benchmarks/many_rows.py --ordinary --seeds 0 1 2 3 4 --root DIR
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PyTorch are imported

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

N_TEST, N_COLUMNS, SIZES = 4000, 20, (2, 2, 2)
KINDS = ("table", "two", "gaps", "words", "instrument", "map", "mixed", "lattices", "discs")
ORDINARY = [("discs", 1000), ("lattices", 300), ("table", 600), ("table", 2000), ("mixed", 2000)]
ORDINARY += [("two", 1000)]
ANSWERS = ("predict", "transform", "score_samples", "tail_probability")
COLUMNS = ("kind", "rows", "tree", "fit", "mixture", "memory", "data", "nodes", "bound")
COLUMNS += ("deviation", "n_steps", *ANSWERS)


def drawn(kind: str, n_samples: int, seed: int) -> tuple[object, np.ndarray]:
    """Return samples and their factors."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(n_samples, 3)).astype(np.int8)
    effects = 2.5 * rng.normal(size=(3, N_COLUMNS))
    X = rng.standard_normal((n_samples, N_COLUMNS), dtype=np.float32)
    for rows in np.array_split(np.arange(n_samples), max(1, n_samples // 10_000)):
        X[rows] += ((factors[rows] - 0.5) @ effects).astype(np.float32)
    if kind == "gaps":
        X[rng.random(X.shape, dtype=np.float32) < 0.1] = np.nan
    if kind in ("words", "mixed"):
        return with_words(X[:, : 15 if kind == "words" else 7], factors, rng, kind), factors
    if kind == "instrument":
        number = rng.integers(2, size=n_samples)
        X += number[:, None] * np.linspace(-2, 2, N_COLUMNS, dtype=np.float32)
        return {"table": X, "instrument": np.array(["one", "other"])[number]}, factors
    return X, factors


def with_words(
    numbers: np.ndarray, factors: np.ndarray, rng: np.random.Generator, kind: str
) -> object:
    """Return a frame of numbers, five columns of words, and counts where columns are mixed."""
    import pandas as pd

    n_samples = len(numbers)
    frame = pd.DataFrame(numbers, columns=[f"x{j}" for j in range(numbers.shape[1])])
    for j in range(5):
        is_first = rng.random(n_samples) < 0.15 + 0.7 * factors[:, j % 3]
        frame[f"word{j}"] = np.where(is_first, "a", rng.choice(["b", "c"], n_samples))
    for j in range(3 if kind == "mixed" else 0):
        frame[f"count{j}"] = rng.poisson(3 + 6 * factors[:, j])
    return frame


def parts(kind: str, n_samples: int, seed: int) -> list[tuple[object, np.ndarray]]:
    """Return samples to fit and further ones, each with their factors."""
    cuts = [slice(n_samples), slice(n_samples, None)]
    if kind == "discs":
        from skcausalpima.datasets import make_circles_images

        bunch = make_circles_images(n_samples + N_TEST, random_state=seed)
        return [(bunch.images[cut], bunch.factors[cut]) for cut in cuts]
    if kind == "lattices":
        from skcausalpima.datasets import make_lattices

        bunch = make_lattices(n_samples + 1000, random_state=seed)
        target = bunch.target[:, None]
        return [([bunch.images[cut], bunch.curves[cut]], target[cut]) for cut in cuts]
    X, factors = drawn(kind, n_samples + N_TEST, seed)
    if kind == "two":
        return [([X[cut, ::2].copy(), X[cut, 1::2].copy()], factors[cut]) for cut in cuts]
    if isinstance(X, dict):
        return [({name: X[name][cut] for name in X}, factors[cut]) for cut in cuts]
    first, last = ((X[cut], factors[cut]) for cut in cuts)
    if kind == "map":
        path = Path(tempfile.mkdtemp()) / "X.npy"
        np.save(path, first[0])
        first = np.load(path, mmap_mode="r"), first[1]
    return [first, last]


def peak() -> float:
    """Return the peak of the memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds_of(call: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def point(kind: str, n_samples: int, seed: int) -> dict[str, float]:
    """Fit once; return the figures of a row."""
    from sklearn.metrics import adjusted_rand_score
    from sklearn.mixture import GaussianMixture

    from skcausalpima import CausalPIMA

    warnings.simplefilter("ignore")
    (X, _), (further, factors) = parts(kind, n_samples, seed)
    figures = {"data": peak()}
    contexts = {"contexts": "instrument"} if kind == "instrument" else {}
    sizes = 3 if kind == "lattices" else SIZES
    CausalPIMA(2, max_iter=1).fit(drawn("table", 60, 0)[0])  # what is imported when it is needed
    est = CausalPIMA(sizes, random_state=seed, **contexts)
    figures |= {"fit": seconds_of(lambda: est.fit(X)), "memory": peak() - figures["data"]}
    nodes = np.asarray(est.predict_nodes(further)).T
    rand = [[adjusted_rand_score(factor, node) for node in nodes] for factor in factors.T]
    scores = est.score_samples(further)
    figures |= {"nodes": float(np.max(rand, axis=1).mean()), "n_steps": est.convergence_.n_steps}
    figures |= {"bound": float(scores.mean()), "deviation": float(scores.std())}
    if kind in ("table", "map"):
        mixture = GaussianMixture(8, random_state=seed)
        figures["mixture"] = seconds_of(lambda: mixture.fit(X))
        unit = min(seconds_of(lambda: mixture.predict(X)) for _ in range(3))
        for name in ANSWERS:
            answer = partial(getattr(est, name), X)
            figures[name] = min(seconds_of(answer) for _ in range(3)) / unit
    return figures


def asked(root: Path, kind: str, n_samples: int, seed: int) -> dict[str, float]:
    """Return the figures of a point, from a process of its own with the package of a checkout."""
    arguments = [sys.executable, __file__, "--point", kind, str(n_samples), str(seed)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"fit": float("nan")}
    return json.loads(done.stdout.splitlines()[-1])


def line(values: Sequence[object]) -> str:
    """Return a line of a table in Markdown."""
    return f"| {' | '.join(map(str, values))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", type=float, default=[1e3, 1e4, 1e5, 1e6])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["table"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--ordinary", action="store_true", help="fits of ordinary size in place of these"
    )
    parser.add_argument("--root", type=Path, help="another checkout, which each point asks first")
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        kind, n_samples, seed = options.point
        print(json.dumps(point(kind, int(n_samples), int(seed))))
        return
    here = Path(__file__).resolve().parents[1]
    trees = {"other": options.root.resolve()} if options.root else {}
    points = [(kind, int(n)) for kind in options.kinds for n in options.rows]
    print(line(COLUMNS), line(["---"] * len(COLUMNS)), sep="\n")
    for kind, n_samples in ORDINARY if options.ordinary else points:
        ratios = []
        for seed in options.seeds:
            seconds = {}
            for tree, root in (trees | {"here": here}).items():
                figures = asked(root, kind, n_samples, seed)
                shown = {"kind": kind, "rows": n_samples, "tree": tree}
                shown |= {name: f"{value:.4g}" for name, value in figures.items()}
                print(line([shown.get(name, "") for name in COLUMNS]), flush=True)
                seconds[tree] = figures["fit"]
            ratios.append(seconds["here"] / seconds.get("other", float("nan")))
        if trees and len(ratios) > 1:
            print(line([kind, n_samples, "ratio", f"{np.median(ratios):.3g}"]), flush=True)


if __name__ == "__main__":
    main()
