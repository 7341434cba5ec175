"""Hashes of a fixed set of small fits, to compare bit by bit before and after a change.

``python benchmarks/reference_fits.py --write before.json`` records them on this machine, and
``--compare before.json`` names every attribute and answer that is no longer the same. Hashes of two
machines, or of two versions of a library, need not agree. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import networkx as nx
import numpy as np

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    Context,
    GradientStructure,
    Initialization,
    MultimodalData,
    ScoreSearch,
    Training,
)
from skcausalpima.datasets import make_circles_images, make_lattices
from skcausalpima.modules import ExpertDecoder, exponential_decay, line

BRIEF = {"hidden_layer_sizes": (16, 8), "max_iter": 4, "random_state": 0}
QUICK = BRIEF | {"init": Initialization(pretraining_epochs=2)}
METHODS = ("transform", "predict_proba", "predict", "predict_nodes", "score_samples")
POINTS = np.linspace(0.0, 2.0, 15)

Reference = Callable[[], tuple[CausalPIMA, Any]]  # makes a fitted estimator and data for it
REFERENCES: dict[str, Reference] = {}


def reference(function: Reference) -> Reference:
    """Add a fit to the set, under the function's name."""
    REFERENCES[function.__name__] = function
    return function


def pair(n_samples: int = 240, dtype: str = "float64") -> tuple[list[np.ndarray], np.ndarray]:
    """Return images and curves that show one binary factor each, and the factors."""
    rng = np.random.default_rng(0)
    factors = rng.integers(2, size=(n_samples, 2))
    images = rng.normal(size=(n_samples, 5, 4)) + 3.0 * factors[:, :1, None]
    curves = 10.0 * rng.normal(size=(n_samples, 12)) + 30.0 * factors[:, 1:]
    return [images.astype(dtype), curves.astype(dtype)], factors


def lines(n_samples: int = 240) -> list[np.ndarray]:
    """Return images and noisy lines of three groups."""
    rng = np.random.default_rng(1)
    group = rng.integers(3, size=n_samples)
    images = rng.normal(size=(n_samples, 4, 3)) + 2.0 * group[:, None, None]
    slopes = np.array([300.0, -100.0, 800.0])[group, None]
    return [images, slopes * POINTS + 40.0 + 30.0 * rng.normal(size=(n_samples, len(POINTS)))]


@reference
def one_node():
    X = make_circles_images(n_samples=400, random_state=0).images
    return CausalPIMA((4,), **QUICK).fit(X), X


@reference
def several_nodes():
    data = make_circles_images(n_samples=600, curves=True, random_state=0)
    X = [data.images, data.curves]
    return CausalPIMA((2, 2, 2), **QUICK).fit(X), X


@reference
def single_precision():
    X = pair(dtype="float32")[0]
    return CausalPIMA((2, 2), **QUICK).fit(X), X


@reference
def missing_modalities():
    X = pair()[0]
    X[0][:40], X[1][50:90] = np.nan, np.nan
    return CausalPIMA((2, 2), **QUICK).fit(X), X


@reference
def weights():
    X = pair()[0]
    weight = np.random.default_rng(2).choice([0.0, 0.5, 1.0, 3.0], size=len(X[0]))
    return CausalPIMA((2, 2), **QUICK).fit(X, sample_weight=weight), X


@reference
def known_nodes():
    X, factors = pair()
    known = np.where(np.arange(len(factors))[:, None] < 30, factors, -1)
    return CausalPIMA((2, 2), **QUICK).fit(X, known_nodes=known), X


@reference
def interventions():
    X, factors = pair()
    set_nodes = np.full_like(factors, -1)
    set_nodes[:60, 1] = factors[:60, 1]
    return CausalPIMA((2, 2), **QUICK).fit(X, interventions=set_nodes), X


@reference
def stated_edges():
    X = pair()[0]
    knowledge = BackgroundKnowledge(required=[("N1", "N2")])
    search = ScoreSearch(edge_penalty=0.01)
    return CausalPIMA((2, 2), knowledge=knowledge, structure=search, **QUICK).fit(X), X


@reference
def given_graph():
    X = pair()[0]
    return CausalPIMA((2, 2), structure=nx.DiGraph([("N2", "N1")]), **QUICK).fit(X), X


@reference
def gradient_graph():
    X = pair()[0]
    structure = GradientStructure(temperature=(1.0, 0.5))
    return CausalPIMA((2, 2), structure=structure, **QUICK).fit(X), X


@reference
def published():
    X = pair()[0]
    init = Initialization("paper", pretraining_epochs=2)
    return CausalPIMA.published((2, 2), init=init, **BRIEF).fit(X), X


@reference
def expert_per_cluster():
    X = lines()
    return CausalPIMA((3,), experts=[None, ExpertDecoder(line, POINTS)], **QUICK).fit(X), X


@reference
def expert_with_scatter():
    X = lines()
    expert = ExpertDecoder(line, POINTS, scatter=True, bounds={"slope": (-2e3, 2e3)})
    return CausalPIMA((3,), experts={"modality1": expert}, **QUICK).fit(X), X


@reference
def expert_per_sample():
    rng = np.random.default_rng(3)
    rates = np.exp(rng.normal(size=240) / 5 + rng.integers(2, size=240))
    X = np.exp(-rates[:, None] * POINTS) + rng.normal(size=(240, len(POINTS))) / 20
    expert = ExpertDecoder(exponential_decay, POINTS, per="sample")
    return CausalPIMA((2,), experts=[expert], **QUICK).fit(X), X


@reference
def convolutions():
    data = make_lattices(n_samples=60, random_state=0)
    X = [data.images[:, ::4, ::4], data.curves]
    options = QUICK | {"max_iter": 2}
    return CausalPIMA((3,), encoders="conv", decoders="conv", **options).fit(X), X


@reference
def cluster_decoders():
    X = pair()[0]
    return CausalPIMA((2, 2), decoders=["cluster_conv", "cluster_mlp"], **QUICK).fit(X), X


@reference
def predicted_variances():
    X = pair()[0]
    return CausalPIMA((2, 2), decoder_variance="predicted", **QUICK).fit(X), X


@reference
def held_out():
    X = pair()[0]
    training = Training(validation_fraction=0.2, tol=0.5, n_iter_no_change=2)
    return CausalPIMA((2, 2), training=training, **(QUICK | {"max_iter": 12})).fit(X), X


@reference
def covariance_types():
    X = pair()[0]
    options = {"mixture": "tied", "scale": "feature", "training": Training(max_grad_norm=5.0)}
    return CausalPIMA((3, 2), **options, **QUICK).fit(X), X


@reference
def several_starts():
    X = pair()[0]
    return CausalPIMA((2, 2), n_init=2, n_jobs=2, **QUICK).fit(X), X


@reference
def continued():
    X = pair()[0]
    est = CausalPIMA((2, 2), warm_start=True, **QUICK).fit(X)
    return est.fit(X), X


@reference
def container():
    X = MultimodalData(pair()[0], names=["images", "curves"])
    init = Initialization("linear", pretraining_epochs=2)
    return CausalPIMA((2, 2), init=init, **BRIEF).fit(X), X


def measured(n_samples: int = 240) -> dict[str, np.ndarray]:
    """Return the samples of ``pair`` as two instruments saw them, on three days."""
    (images, curves), factors = pair(n_samples)
    rng = np.random.default_rng(4)
    instrument = (rng.random(n_samples) < np.array([0.8, 0.3])[factors[:, 0]]).astype(int)
    day = rng.integers(3, size=n_samples)
    images = images + 4.0 * instrument[:, None, None] + np.arange(4.0) * day[:, None, None]
    names = {"instrument": np.array(["A", "B"])[instrument], "day": day}
    return {"images": images, "curves": curves + 50.0 * instrument[:, None], **names}


def without_labels(X: dict[str, Any]) -> dict[str, Any]:
    """Return samples of which some lack one label or both."""
    instrument, day = X["instrument"].astype(object), X["day"].astype(object)
    instrument[:30], day[20:50] = None, None
    return X | {"instrument": instrument, "day": day}


@reference
def contexts():
    X = measured()
    est = CausalPIMA((2, 2), contexts=["instrument", Context("day", mix=False)], **QUICK)
    return est.fit(X), without_labels(X)


@reference
def contexts_that_are_causes():
    X = measured()
    causes = [Context("instrument", role="cause"), Context("day", shift=["images"])]
    return CausalPIMA((2, 2), contexts=causes, **QUICK).fit(X), without_labels(X)


@reference
def adapted():
    X = measured(480)
    rows = X["instrument"] == "B"
    known, new = ({name: of[keep] for name, of in X.items()} for keep in (~rows, rows))
    new["day"] = np.full(len(new["day"]), "later")
    known["day"] = np.array(["first", "second", "third"])[known["day"]]
    del known["instrument"], new["instrument"]
    return CausalPIMA((2, 2), contexts="day", **QUICK).fit(known).adapt(new), new


def hashes(value: Any, name: str) -> dict[str, str]:
    """Return a hash for every array and number in a fitted attribute."""
    if is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, nx.DiGraph):
        value = {"nodes": dict(value.nodes), "edges": sorted(value.edges(data=True))}
    if hasattr(value, "keys"):
        parts = [hashes(value[key], f"{name}[{key!r}]") for key in value]
    elif isinstance(value, list | tuple):
        parts = [hashes(entry, f"{name}[{k}]") for k, entry in enumerate(value)]
    else:
        content = repr(value).encode()
        if isinstance(value, np.ndarray) and value.dtype != object:
            content = f"{value.dtype} {value.shape} ".encode() + value.tobytes()
        return {name: hashlib.sha256(content).hexdigest()[:16]}
    return {key: digest for part in parts for key, digest in part.items()}


def record(name: str) -> dict[str, str]:
    """Fit one reference and return its hashes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est, X = REFERENCES[name]()
    found = {}
    for attribute in sorted(vars(est)):
        if attribute.endswith("_") and not attribute.startswith("_"):
            found |= hashes(getattr(est, attribute), attribute)
    for method in METHODS:
        found |= hashes(getattr(est, method)(X), f"{method}(X)")
    found |= hashes(by_position(est.inverse_transform(est.transform(X))), "inverse_transform")
    drawn, labels = est.sample(50)
    return found | hashes((by_position(drawn), labels), "sample(50)")


def by_position(decoded: Any) -> Any:
    """Return modalities as a list, whatever they came in."""
    return list(decoded.values()) if hasattr(decoded, "keys") else decoded


def differences(before: dict[str, dict], after: dict[str, dict]) -> list[str]:
    """Return a line for every hash that is not the same."""
    lines = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        if changed:
            lines.append(f"{name}: {', '.join(changed)}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", metavar="FILE", help="record the fits in this file")
    parser.add_argument("--compare", metavar="FILE", help="compare them with those of this file")
    parser.add_argument("--only", nargs="+", choices=REFERENCES, default=list(REFERENCES))
    arguments = parser.parse_args()
    recorded = {name: record(name) for name in arguments.only}
    print(f"{len(recorded)} fits, {sum(map(len, recorded.values()))} hashes")
    if arguments.write:
        with open(arguments.write, "w") as file:
            json.dump(recorded, file, indent=1)
    if arguments.compare:
        with open(arguments.compare) as file:
            before = json.load(file)
        changed = differences({name: before.get(name, {}) for name in recorded}, recorded)
        print("\n".join(changed) or "all equal bit by bit")
        sys.exit(bool(changed))


if __name__ == "__main__":
    main()
