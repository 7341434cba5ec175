"""Tables that nobody wrote, each from its seed: an answer, or a sentence of ours.

Run in the folder ``benchmarks``, with OMP_NUM_THREADS=1:

    python -m attack.random_tables --tables 200 2> tables.txt    # a quarter of an hour
    python -m attack.random_tables --seeds 17 18                 # table 17, with tracebacks
    python -m attack.random_tables --tables 200 --max-iter 2     # quick fits

A table has 20 to 3000 rows and 1 to 12 columns of any kind, copies and gaps, in any form of X. It
is fitted, predicted, reported, drawn, saved and loaded. Faults are errors other than ValueError and
TypeError by a ``raise`` of the package, warnings of libraries, numbers that are not finite, loaded
estimators that predict otherwise. The exit status is the number of tables with faults.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from attack.verdicts import SilentError, require_finite, same
from matplotlib import pyplot as plt

import skcausalpima
from skcausalpima import CausalPIMA, MultimodalData

PACKAGE = str(Path(skcausalpima.__file__).parent)
WORDS = np.array(["red", "", "10", "dark blue", "nein", "$x_1$"], dtype=object)


class Result(NamedTuple):
    """What came of one table."""

    seed: int
    form: str
    sentence: str  # with which the package refused it, if it did
    faults: list[str]
    n_warnings: int  # of ours
    seconds: float

    @property
    def texts(self) -> list[str]:
        return [*(f"FAULT {fault}" for fault in self.faults), self.sentence or "answer"]

    def __str__(self) -> str:
        came = "; ".join(self.texts)
        return f"{self.seed}\t{self.form}\t{came}\t{self.n_warnings}\t{self.seconds:.1f} s"


def words(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return one of two to six words for each number."""
    n_words = int(rng.integers(2, len(WORDS) + 1))
    return rng.permutation(WORDS)[np.argsort(np.argsort(x)) * n_words // len(x)]


def objects(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return objects: numbers, yes and no, or once in a while numbers and words."""
    numbers = x.round(2).astype(object)
    made = (numbers, (x > 0).astype(object), np.where(rng.random(len(x)) < 0.1, "n/a", numbers))
    return made[rng.choice(3, p=(0.5, 0.4, 0.1))]


#: Kinds of columns, made of standard normal numbers, and how often they are drawn.
KINDS: dict[str, tuple[float, Callable[[np.random.Generator, np.ndarray], Any]]] = {
    "float64": (8.0, lambda rng, x: x),
    "float32": (3.0, lambda rng, x: x.astype(np.float32)),
    "skewed": (2.0, lambda rng, x: np.exp(2.0 * x)),
    "int": (3.0, lambda rng, x: np.round(x * rng.choice([1, 10, 1000])).astype(int)),
    "counts": (2.0, lambda rng, x: rng.poisson(np.exp(x))),
    "bool": (2.0, lambda rng, x: x > rng.normal()),
    "constant": (1.0, lambda rng, x: np.full(len(x), rng.choice([0.0, 1.0, -7.25]))),
    "units": (1.0, lambda rng, x: x * 10.0 ** float(rng.choice([-150, -30, -9, 9, 30, 150]))),
    "words": (3.0, words),
    "categories": (3.0, lambda rng, x: pd.Categorical(words(rng, x), ordered=rng.random() < 0.5)),
    "objects": (2.0, objects),
    "Int64": (1.0, lambda rng, x: pd.array(np.round(3.0 * x).astype(int), dtype="Int64")),
    "boolean": (1.0, lambda rng, x: pd.array(x > 0, dtype="boolean")),
    "constant word": (0.3, lambda rng, x: np.full(len(x), "same", dtype=object)),
    "dates": (0.1, lambda rng, x: pd.Timestamp("2026-01-01") + pd.to_timedelta(x, unit="D")),
}
NUMBERS = list(KINDS)[:8]


def columns(rng: np.random.Generator, n_rows: int, names: list[str]) -> pd.DataFrame:
    """Return columns of the kinds that are named, most of which tell four groups of rows apart."""
    groups, found = rng.integers(4, size=n_rows), {}
    shares = np.array([KINDS[name][0] for name in names])
    for k in range(rng.integers(1, 13)):
        x = rng.normal(size=n_rows) + rng.choice([0.0, 1.0, 4.0]) * rng.normal(size=4)[groups]
        make = KINDS[names[rng.choice(len(names), p=shares / shares.sum())]][1]
        found[f"c{k}"] = pd.Series(make(rng, (x - x.mean()) / x.std()))
    return pd.DataFrame(found)


def disturbed(rng: np.random.Generator, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with copies of rows or a column, an outlier, or an infinity."""
    if rng.random() < 0.25:
        kept = rng.integers(max(1, int(len(table) * rng.random())), size=len(table))
        table = table.iloc[kept].reset_index(drop=True)
    if rng.random() < 0.25 and table.shape[1] < 12:
        table["copy"] = table.iloc[:, rng.integers(table.shape[1])]
    floats = [name for name in table if str(table[name].dtype).startswith("float")]
    for share, numbers in ((0.25, (1e2, -1e4, 1e9)), (0.025, (np.inf, -np.inf))):
        if floats and rng.random() < share:
            table.loc[rng.integers(len(table)), rng.choice(floats)] = rng.choice(numbers)
    return table


def gaps(rng: np.random.Generator, n_rows: int, kinds: list[str]) -> np.ndarray:
    """Return which elements are missing, by one of the patterns, up to 30 % of the rows."""
    missing = np.zeros((n_rows, len(kinds)), dtype=bool)
    rate, column = 0.3 * rng.random(), rng.integers(len(kinds))
    some_rows, some_columns = rng.random(n_rows) < rate, rng.random(len(kinds)) < 0.5
    patterns: tuple[Any, ...] = (
        *(np.s_[:0], np.s_[:0], np.s_[:0]),  # nothing, three times as often as a pattern
        rng.random(missing.shape) < rate,
        np.s_[some_rows],
        np.s_[rng.random(n_rows) < 3.0 / n_rows],
        np.s_[:, column],
        np.s_[rng.integers(n_rows)],
        np.s_[rng.integers(n_rows), column],
        np.s_[rng.choice(n_rows, 5), column],
        np.ix_(some_rows, some_columns),
        np.s_[some_rows, column],
        np.ix_(some_rows, np.array(kinds) == kinds[column]),
    )
    missing[patterns[rng.integers(len(patterns))]] = True
    return missing


def drawn(rng: np.random.Generator) -> tuple[str, Any]:
    """Draw a table; return what it is, in words, and X."""
    form = rng.choice(["frame", "array", "dict", "MultimodalData"], p=(0.5, 0.2, 0.15, 0.15))
    n_rows = int(np.exp(rng.uniform(np.log(20), np.log(3001))))
    kinds = NUMBERS if form == "array" or rng.random() < 0.3 else list(KINDS)
    table = disturbed(rng, columns(rng, n_rows, kinds))
    dtypes = [str(dtype) for dtype in table.dtypes]
    table = table.mask(gaps(rng, n_rows, dtypes))
    if rng.random() < 0.7:  # most people drop rows without any value
        whole = table.dropna(how="all", ignore_index=True)
        table = whole if len(whole) else table
    share, counts = table.isna().to_numpy().mean(), Counter(dtypes)
    of_each = ", ".join(f"{number} {dtype}" for dtype, number in counts.items())
    said = f"{form}, {len(table)} rows, {of_each}, {share:.1%} missing"
    if form == "array":
        with np.errstate(over="ignore"):  # huge units in single precision
            array = table.to_numpy(dtype=rng.choice(["f4", "f8"]))
        return said, array.astype(object) if rng.random() < 0.05 else array
    if form == "frame" or table.shape[1] == 1:
        return said, table
    cut = int(rng.integers(1, table.shape[1]))
    parts = {"first": table.iloc[:, :cut], "second": table.iloc[:, cut:]}
    return f"{said}, cut at {cut}", parts if form == "dict" else MultimodalData(parts)


def predicted(model: CausalPIMA, X: Any) -> tuple[np.ndarray, ...]:
    return model.predict(X), model.predict_proba(X), model.score_samples(X), model.transform(X)


def require_same(first: Any, second: Any) -> None:
    if not same(first, second):
        raise SilentError("the loaded estimator predicts otherwise")


def judged(error: Exception) -> tuple[bool, str]:
    """Return whether the package raised an error, of a documented type, and a text of it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised = last.filename.startswith(PACKAGE) and str(last.line).startswith("raise ")
    documented = isinstance(error, (ValueError, TypeError)) and str(error).strip()
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return bool(raised and documented), f"{text} [{Path(last.filename).name}:{last.lineno}]"


def tried(seed: int, max_iter: int | None = None, loud: bool = False) -> Result:
    """Draw a table and take all steps; none follow where ``fit`` ends with an error."""
    start, faults, sentence, n_warnings = time.perf_counter(), [], "", 0
    form, X = drawn(np.random.default_rng(seed))
    model = CausalPIMA(random_state=seed, **({} if max_iter is None else {"max_iter": max_iter}))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = str(Path(folder, "model"))
        steps: dict[str, Callable[[], Any]] = {
            "fit": lambda: require_finite(model.fit(X)),
            "predict": lambda: require_finite(predicted(model, X)),
            "report": lambda: (str(report := model.report(X)), report._repr_html_()),
            "plot_summary": lambda: model.plot_summary(X).figure_.canvas.draw(),
            "save": lambda: model.save(path),
            "load": lambda: require_same(predicted(CausalPIMA.load(path), X), predicted(model, X)),
        }
        for name, step in steps.items():
            caught.clear()
            try:
                step()
            except Exception as error:
                is_ours, text = judged(error)
                sentence = f"{name}: {text}" if is_ours else sentence
                faults += [] if is_ours else [f"{name}: {text}"]
                if loud:
                    traceback.print_exc()
            foreign = [w for w in caught if w.filename != __file__]  # ours point at this file
            n_warnings += len(caught) - len(foreign)
            faults += [f"{name}: {w.category.__name__}: {w.message}" for w in foreign]
            plt.close("all")
            if not hasattr(model, "labels_"):
                break
    seconds = time.perf_counter() - start
    return Result(seed, form, sentence, list(dict.fromkeys(faults)), n_warnings, seconds)


def summary(results: list[Result]) -> str:
    """Return how many tables had what, and the seeds of each sentence and each fault."""
    lines = [f"{len(results)} tables, {sum(result.seconds for result in results):.0f} s"]
    seeds: dict[str, list[int]] = {}
    for result in results:
        for text in result.texts:
            seeds.setdefault(re.sub(r"\d+", "#", text)[:120], []).append(result.seed)
    lines += [f"{len(of)} x {text}: seeds {of[:9]}" for text, of in sorted(seeds.items())]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print a line of each table, and the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("A", "B"), help="A to B - 1")
    parser.add_argument("--tables", type=int, default=200, help="seeds from 0, without --seeds")
    parser.add_argument("--max-iter", type=int, help="of each fit")
    options = parser.parse_args(arguments)
    plt.switch_backend("Agg")
    seeds, results = range(*(options.seeds or (0, options.tables))), []
    for seed in seeds:
        results.append(tried(seed, options.max_iter, loud=len(seeds) == 1))
        print(results[-1], file=sys.stderr, flush=True)
    print(summary(results))
    return sum(bool(result.faults) for result in results)


if __name__ == "__main__":
    sys.exit(min(main(), 99))
