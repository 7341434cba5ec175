"""Small fits of every kind, to be disturbed."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from attack.calls import QUICK, pair

import skcausalpima
from skcausalpima import CausalPIMA, Initialization, ScoreSearch, Training
from skcausalpima.modules import ExpertDecoder, line

PACKAGE = str(Path(skcausalpima.__file__).parent)
EXPERT = ExpertDecoder(line, np.linspace(0.0, 1.0, 4))
#: What a fit differs in from `QUICK`.
KINDS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": {
        "init": Initialization("paper", pretraining_epochs=1),
        "mixture": "diag",
        "posterior": "mean_field",
        "structure": "gradient",
    },
    "one node": {"node_sizes": (3,), "mixture": "tied"},
    "expert": {"experts": [None, EXPERT]},
    "expert per sample": {"experts": [None, ExpertDecoder(line, EXPERT.x, per="sample")]},
    "clusters": {"decoders": ["mlp", "cluster_mlp"]},
    "variances": {"decoder_variance": "predicted"},
    "held out": {
        "training": Training(validation_fraction=0.25),
        "structure": ScoreSearch(polishing_epochs=1),
    },
    "two starts": {"n_init": 2},
    "clipped": {"training": Training(max_grad_norm=1.0, batch_size=16)},
}


def made(kind: str, **parameters: Any) -> CausalPIMA:
    """Make an estimator of a kind."""
    return CausalPIMA(**(QUICK | KINDS[kind] | parameters))


@cache
def reference(kind: str, n_fits: int, warm: bool) -> CausalPIMA:
    """Return an estimator after so many fits, undisturbed; leave it as it is."""
    model = made(kind, warm_start=warm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n_fits):
            model.fit(pair())
    return model


class Lines:
    """Count the lines of the package that run in this thread; call ``at_line`` at one of them.

    ``locations`` has the file and line of each, where ``stop`` is None.
    """

    def __init__(self, stop: int | None = None, at_line: Callable[[], None] | None = None) -> None:
        self.stop, self.at_line = stop, at_line
        self.locations: list[tuple[str, int]] = []
        self.count = 0

    def __enter__(self) -> Lines:
        sys.settrace(self._enter_frame)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)

    def _enter_frame(self, frame: Any, event: str, argument: Any) -> Callable | None:
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame: Any, event: str, argument: Any) -> Callable | None:
        if event != "line":
            return self._line
        if self.stop is None:
            self.locations.append((frame.f_code.co_filename, frame.f_lineno))
        elif self.count == self.stop:
            sys.settrace(None)
            self.count += 1
            self.at_line()
        self.count += 1
        return self._line


def moment(
    rng: np.random.Generator, locations: list[tuple[str, int]], among: list[tuple[str, int]]
) -> tuple[int, str]:
    """Draw one moment of a run: each line of code in ``among`` alike, however often it runs."""
    distinct = sorted(set(among))
    file, line_number = distinct[rng.integers(len(distinct))]
    times = [k for k, location in enumerate(locations) if location == (file, line_number)]
    return times[rng.integers(len(times))], f"{Path(file).name}:{line_number}"
