"""From a file of two sites to a frame of answers: the lines that a user writes, and what they give.

    python benchmarks/two_sites.py --seeds 0-4

A file of 600 rows and 14 columns: five numbers, two of words, a boolean, two ordered answers, two
counts, an identifier and the site; two factors, independent of the site; numbers of site B are
shifted by up to 1.5 of their standard deviations; 8 % of the cells of the table are empty.
Printed are, by seed, the accuracy of each node among the answers of ``to_frame``, offsets of the
numbers less the true ones in standard errors (of the difference of two means of known cells), and
seconds.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings

import node_rows
import numpy as np
import pandas as pd

from skcausalpima import CausalPIMA
from skcausalpima.metrics import node_recovery

N_SAMPLES, MISSING = 600, 0.08
NUMBERS = ["length", "width", "mass", "density", "hardness"]
OFFSETS = np.array([1.5, -1.0, 0.0, 0.8, -0.5])


def drawn(seed: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Return a file as text, the factors, and the offsets of site B in the units of the file."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(N_SAMPLES, 2))
    is_b = rng.random(N_SAMPLES) < 0.4
    effects, units = np.array([[4, 0], [0, 4], [3, 0], [0, 3], [2, 2]]), 10.0 ** np.arange(-1, 4)
    values = factors @ effects.T + rng.normal(size=(N_SAMPLES, 5)) + is_b[:, None] * OFFSETS
    table = {name: unit * of for name, unit, of in zip(NUMBERS, units, values.T, strict=True)}

    def word(k: int, names: list[str]) -> np.ndarray:
        shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])[factors[:, k]]
        return np.array(names)[(rng.random((N_SAMPLES, 1)) > shares.cumsum(axis=1)).sum(axis=1)]

    answers = ["never", "rarely", "often", "always"]
    table["colour"], table["shape"] = word(0, ["red", "grey", "blue"]), word(1, ["a", "b", "c"])
    table["cracked"] = rng.random(N_SAMPLES) < 0.1 + 0.8 * factors[:, 0]
    for name, k in (("noise", 0), ("smell", 1)):
        codes = 2 * factors[:, k] + rng.integers(2, size=N_SAMPLES)
        table[name] = np.array(answers)[codes]
    table["spots"] = rng.poisson(1 + 5 * factors[:, 1])
    table["pores"] = rng.poisson(2 + 6 * factors[:, 0])
    frame = pd.DataFrame(table)
    frame = frame.mask(rng.random(frame.shape) < MISSING)
    frame["site"] = np.where(is_b, "B", "A")
    frame["id"] = [f"s{k:04d}" for k in range(N_SAMPLES)]
    return frame.to_csv(index=False), factors, OFFSETS * units


def asked(text: str, seed: int) -> tuple[CausalPIMA, pd.DataFrame]:
    """Do what a user does: the lines after the errors of a first try were followed."""
    X = pd.read_csv(io.StringIO(text), index_col="id")
    order = pd.CategoricalDtype(["never", "rarely", "often", "always"], ordered=True)
    X = X.astype({"noise": order, "smell": order, "cracked": "boolean"})
    numbers = X[NUMBERS]
    others = X.drop(columns=[*NUMBERS, "site"])
    data = {"numbers": numbers, "others": others, "site": X["site"]}
    likelihoods = {"others": {"spots": "poisson", "pores": "poisson"}}
    model = CausalPIMA(
        {"kind": 2, "state": 2}, contexts=["site"], likelihoods=likelihoods, random_state=seed
    )
    return model, model.fit(data).to_frame(data)


def measured(seed: int) -> dict[str, object]:
    """Return what the fit of a file gives."""
    text, factors, true = drawn(seed)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, answers = asked(text, seed)
    seconds = time.perf_counter() - start
    nodes = answers[["kind", "state"]].to_numpy().astype(int)
    found = dict(zip(model.contexts_["site"], model.offsets_["numbers"]["site"], strict=True))
    frame = pd.read_csv(io.StringIO(text))
    is_b = (frame["site"] == "B").to_numpy()
    cells = factors @ [2, 1]
    deviations = frame[NUMBERS].groupby(cells).transform(lambda of: of - of.mean())
    n_a, n_b = (deviations[own].notna().sum().to_numpy() for own in (~is_b, is_b))
    spread = frame[NUMBERS].groupby([cells, is_b]).transform(lambda of: of - of.mean()).std()
    errors = spread.to_numpy() * np.sqrt(1 / n_a + 1 / n_b)
    moved = np.subtract(*(np.ravel(found[label]) for label in ("B", "A")))
    return {
        "seed": seed,
        "nodes": node_recovery(factors, nodes).accuracies.round(3).tolist(),
        "offset errors": ((moved - true) / errors).round(1).tolist(),
        "index kept": bool((answers.index == frame["id"]).all()),
        "warned": sorted({type(w.message).__name__ for w in caught}),
        "verdict": model.report().verdict,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Print a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4")
    for seed in parser.parse_args().seeds:
        print(*(f"{name} {of}" for name, of in measured(seed).items()), sep="; ", flush=True)


if __name__ == "__main__":
    main()
