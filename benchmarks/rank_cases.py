"""What two ranks of a process group make of unlike, wrong and odd input: a battery of cases.

    python benchmarks/rank_cases.py
    python benchmarks/rank_cases.py --only "max_iter" --list

Both processes run all cases one after another in one gloo group, without waiting for each other in
between, as a program would that goes on after an error. ``alike`` counts cases in which both ranks
have the same model bit by bit, ``errors`` those in which both have an error. All else is a fault: a
model on one rank alone, unlike models, a case that takes a rank ``--limit`` seconds, and an outcome
that is not the one that the case is to have. Hashes of texts differ between the two processes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PyTorch are imported

import argparse
import hashlib
import json
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import networkx as nx
import numpy as np
import pandas as pd
import torch
from torch import distributed

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    Device,
    Initialization,
    MissingValues,
    MultimodalData,
    ScoreSearch,
)
from skcausalpima.callback import OnEpoch
from skcausalpima.modules import ExpertDecoder, line

N_ROWS = 60
NAMES = ["N1", "N2"]


class Case(NamedTuple):
    """What a rank does, from its number, an estimator and its rows; what is to come of it."""

    does: Callable[[int, CausalPIMA, list[np.ndarray]], Any]
    is_error: bool


def differing(name: str, *values: Any, is_error: bool = True) -> Case:
    """Return a case in which ranks have these values of a parameter; None keeps the usual one."""

    def does(rank: int, est: CausalPIMA, X: list[np.ndarray]) -> Any:
        value = values[rank]
        return est.set_params(**({} if value is None else {name: value})).fit(X)

    return Case(does, is_error)


def of_data(change: Callable[[int, list[np.ndarray]], Any], is_error: bool = True) -> Case:
    """Return a case in which ranks change X."""
    return Case(lambda rank, est, X: est.fit(change(rank, X)), is_error)


def given(name: str, value: Callable[[int], Any], is_error: bool = True) -> Case:
    """Return a case in which fit is given one more thing."""
    return Case(lambda rank, est, X: est.fit(X, **{name: value(rank)}), is_error)


def on(which: int, rank: int, value: Any, other: Any = None) -> Any:
    """Return a value on one rank, and another one on the other."""
    return value if rank == which else other


#: Values that a parameter cannot have, on one rank alone; the first of each name on rank 0.
WRONG = {
    "max_iter": -1,
    "node_sizes": "x",
    "latent_dim": 0,
    "hidden_layer_sizes": (0,),
    "scale": "x",
    "mixture": "x",
    "init": "x",
    "structure": ScoreSearch(score="x"),
    "device": "nowhere",
    "training__tol": -1.0,
    "training__batch_size": 0,
    "training__learning_rate": -1.0,
    "training__validation_fraction": 1.5,
    "n_init": 0,
    "random_state": "x",
    "posterior": "x",
    "modality_weights": [1.0],
    "experts": [line],
    "missing_values": "x",
    "knowledge": BackgroundKnowledge(required=[("N1", "x")]),
    "warm_start": True,
}
#: Values that it may have, but not another one on each rank.
UNLIKE = {
    "max_iter": (2, 3),
    "latent_dim": (2, 3),
    "hidden_layer_sizes": ((8,), (8, 8)),
    "random_state": (0, 1),
    "node_sizes": ((2, 3), (3, 2)),
    "posterior": ("structured", "mean_field"),
    "structure": (nx.DiGraph([NAMES]), nx.DiGraph([NAMES[::-1]])),
    "knowledge": (BackgroundKnowledge(forbidden=[NAMES]), None),
    "training__batch_size": (16, 32),
    "views": (None, "auto"),
}
#: Values that are the same, though they are told in another order or way.
SAME = {
    "knowledge": [BackgroundKnowledge(forbidden={("N1", "N2"), ("N2", "N1")})] * 2,
    "random_state": [np.random.RandomState(3), np.random.RandomState(3)],
    "device": ["cpu", Device("cpu", distributed=True)],
    "training__tol": [0.0, np.float64(0.0)],
    "verbose": [0, False],
}


def stopping(rank: int, record: Any) -> bool | None:
    """Stop one rank in training."""
    return True if rank == 1 and record.phase == "training" else None


def raising(error: type[BaseException]) -> Case:
    """Return a case in which a callback raises on one rank."""

    def does(rank: int, est: CausalPIMA, X: list[np.ndarray]) -> Any:
        def called(record: Any) -> None:
            if rank == 0 and record.phase == "training":
                raise error("a mistake")

        return est.set_callbacks(OnEpoch(called)).fit(X)

    return Case(does, True)


class Interrupting:
    """An array that is interrupted while it is read."""

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise KeyboardInterrupt


def frames(X: list[np.ndarray], columns: str = "abcd") -> dict[str, pd.DataFrame]:
    """Return modalities as tables."""
    return {"images": pd.DataFrame(X[0]), "curves": pd.DataFrame(X[1], columns=list(columns))}


def spoilt(rank: int, X: list[np.ndarray], value: float, rows: Any = 0) -> list[np.ndarray]:
    """Return the modalities with a value in some rows of the first on rank 1."""
    images = X[0].copy()
    if rank == 1:
        images[rows] = value
    return [images, X[1]]


def outcomes(rank: int, value: Any, which: int = 1) -> list[list[Any]]:
    """Return what is known of the nodes on one rank."""
    return [[on(which, rank, value, -1), -1]] + [[-1, -1]] * (N_ROWS // 2 - 1)


def slope(rank: int) -> ExpertDecoder:
    """Return an expert whose function is another one on each rank."""
    return ExpertDecoder(line, np.linspace(0.0, 1.0 + rank, 4))


CASES: dict[str, Case] = {
    **{
        f"wrong {name}": differing(name, *((value, None) if k % 2 == 0 else (None, value)))
        for k, (name, value) in enumerate(WRONG.items())
    },
    **{f"unlike {name}": differing(name, *values) for name, values in UNLIKE.items()},
    **{f"same {name}": differing(name, *of, is_error=False) for name, of in SAME.items()},
    "same seed None": differing("random_state", None, None, is_error=False),
    "n_jobs": Case(lambda r, e, X: e.set_params(n_init=2, n_jobs=on(1, r, 2)).fit(X), True),
    "unlike experts": Case(lambda r, e, X: e.set_params(experts=[None, slope(r)]).fit(X), True),
    "same learning rate of any size": differing(
        "training__learning_rate", 1e30, 1e30, is_error=False
    ),
    "columns in another order": of_data(lambda r, X: frames(X, on(0, r, "abcd", "abdc"))),
    "columns with names and without": of_data(
        lambda r, X: on(0, r, frames(X)["curves"], pd.DataFrame(X[1]))
    ),
    "names of modalities": of_data(lambda r, X: dict(zip(on(0, r, "ab", "ba"), X, strict=True))),
    "list and mapping": of_data(
        lambda r, X: on(0, r, X, {f"modality{k}": of for k, of in enumerate(X)})
    ),
    "list and tuple": of_data(lambda r, X: on(0, r, X, tuple(X)), is_error=False),
    "list and container": of_data(lambda r, X: on(0, r, X, MultimodalData(X))),
    "array and table": of_data(lambda r, X: [X[0], on(0, r, X[1], pd.DataFrame(X[1]))]),
    "number types": of_data(lambda r, X: [of.astype(on(0, r, "f4", "f8")) for of in X]),
    "shapes": of_data(lambda r, X: [X[0], X[1][:, : 3 + r]]),
    "axes": of_data(lambda r, X: [on(0, r, X[0], X[0].reshape(-1, 3, 2)), X[1]]),
    "one modality": of_data(lambda r, X: on(0, r, X, X[0])),
    "no rows": of_data(lambda r, X: [of[: on(0, r, 0, 30)] for of in X]),
    "one row": of_data(lambda r, X: [of[: on(0, r, 1, 30)] for of in X]),
    "unlike numbers of rows": of_data(lambda r, X: [of[: 29 + r] for of in X], is_error=False),
    "unlike lengths": of_data(lambda r, X: [X[0], X[1][: on(1, r, 20, 30)]]),
    "infinity": of_data(lambda r, X: spoilt(r, X, np.inf)),
    "a modality missing in a sample": of_data(lambda r, X: spoilt(r, X, np.nan), is_error=False),
    "a modality missing in all samples": of_data(lambda r, X: spoilt(r, X, np.nan, slice(None))),
    "text": of_data(lambda r, X: on(0, r, [X[0].astype(str) + "x", X[1]], X)),
    "None": of_data(lambda r, X: on(1, r, None, X)),
    "a second array as y": given("y", lambda r: on(0, r, np.zeros((30, 2)))),
    "weights": given("sample_weight", lambda r: on(0, r, np.full(30, 2.0)), is_error=False),
    "negative weights": given("sample_weight", lambda r: on(0, r, np.full(30, -1.0))),
    "weights of another length": given("sample_weight", lambda r: on(1, r, np.ones(3))),
    "known nodes": given("known_nodes", lambda r: outcomes(r, 1), is_error=False),
    "known outcomes that are none": given("known_nodes", lambda r: outcomes(r, 7)),
    "known outcomes of any size": given("known_nodes", lambda r: outcomes(r, 10**30)),
    "labels": given("known_nodes", lambda r: [["xy"[r], None]] + [["z", None]] * 29),
    "interventions": given("interventions", lambda r: on(0, r, ["N1"] + [None] * 29)),
    "a wrong keyword": Case(lambda r, e, X: e.fit(X, **on(0, r, {"weights": 1}, {})), True),
    "partial_fit on one": Case(
        lambda r, e, X: on(0, r, e.fit, e.partial_fit)(X),
        False,
    ),
    "a callback that stops one": Case(
        lambda r, e, X: e.set_callbacks(OnEpoch(lambda of: stopping(r, of))).fit(X), False
    ),
    "a callback that raises": raising(ZeroDivisionError),
    "a callback that interrupts": raising(KeyboardInterrupt),
    "an interrupt while reading": of_data(lambda r, X: [X[0], on(0, r, Interrupting(), X[1])]),
    "as usual": of_data(lambda r, X: X, is_error=False),
}


def usual() -> CausalPIMA:
    """Return an estimator that fits in a moment."""
    return CausalPIMA(
        (2, 2),
        init=Initialization(pretraining_epochs=1),
        structure=ScoreSearch(polishing_epochs=1),
        missing_values=MissingValues(subset_epochs=1),
        hidden_layer_sizes=(8,),
        modality_weights="balanced",
        views=None,
        max_iter=2,
        random_state=0,
    )


def rows(rank: int) -> list[np.ndarray]:
    """Return every second sample of four groups, in two modalities."""
    rng, group = np.random.default_rng(0), np.arange(N_ROWS) % 4
    X = [rng.normal(size=(N_ROWS, 6)) + 5.0 * (group // 2)[:, None]]
    X.append(rng.normal(size=(N_ROWS, 4)) + 5.0 * (group % 2)[:, None])
    return [np.ascontiguousarray(of[rank::2]) for of in X]


def model_of(est: CausalPIMA) -> str:
    """Return a digest of what ranks share."""
    shared = [est._state, est.cpts_, sorted(est.dag_.edges), est.lower_bound_, est.history_]
    return hashlib.sha256(pickle.dumps(shared, protocol=4)).hexdigest()[:16]


def run_rank(rank: int, store: str, args: argparse.Namespace) -> None:
    """Run all cases, and say of each how it ended."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=args.limit),
    )
    for name, case in CASES.items():
        if args.only not in name:
            continue
        begin, told, found = time.perf_counter(), "", ""
        try:
            found = model_of(case.does(rank, usual(), rows(rank)))
        except (Exception, KeyboardInterrupt) as error:
            told = f"{type(error).__name__}: {error}"
        print(json.dumps([name, time.perf_counter() - begin, found, told]), flush=True)
    os._exit(0)  # a group that an error has broken would wait for the other rank


def verdict(case: Case, pair: list[list[Any]], limit: float) -> str:
    """Say in a word how a case ended."""
    (_, *first), (_, *second) = pair
    models = {of[1] for of in (first, second)}
    if max(first[0], second[0]) >= limit:
        return "waits"
    if len(models) > 1:
        return "unlike"
    is_error = models == {""}
    if is_error != case.is_error:
        return "unexpected"
    return "error" if is_error else "alike"


def main() -> int:
    """Print a table; return 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="cases that have this in their names")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one answer")
    parser.add_argument("--list", action="store_true", help="tell what each rank says")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank is not None:
        run_rank(args.rank, args.store, args)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *sys.argv[1:], "--store", f"{folder}/store"]
        ranks = [
            subprocess.Popen([*command, "--rank", str(k)], stdout=subprocess.PIPE, text=True)
            for k in range(2)
        ]
        said = [[json.loads(line) for line in rank.communicate()[0].splitlines()] for rank in ranks]
    counts = dict.fromkeys(("alike", "error", "unlike", "unexpected", "waits"), 0)
    for pair in zip(*said, strict=True):
        name, word = pair[0][0], verdict(CASES[pair[0][0]], list(pair), args.limit)
        counts[word] += 1
        if args.list or word not in ("alike", "error"):
            print(
                f"- {word}: {name}",
                *(f"  {of[1]:.1f} s: {of[3] or of[2]}" for of in pair),
                sep="\n",
            )
    print("| cases |", " | ".join(counts), "|\n" + "|---" * (1 + len(counts)) + "|")
    print(f"| {len(said[0])} |", " | ".join(map(str, counts.values())), "|")
    return 0 if counts["alike"] + counts["error"] == len(said[0]) else 1


if __name__ == "__main__":
    sys.exit(main())
