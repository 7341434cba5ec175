"""Contexts in the model, beside a fit without, centring, ComBat's formulas, EM and Bayes' rule.

Each seed draws its own data and its own fit. Run with OMP_NUM_THREADS=1.

    python benchmarks/contexts.py --tables tables images --seeds 0-9 --out contexts.csv
    python benchmarks/contexts.py --tables tables --methods bayes em default --rows "offset 8"
    python benchmarks/contexts.py --summarize contexts.csv

Lines are appended as they come; those that the file holds are skipped. The tables:

- ``tables``: accuracies of two nodes that are 4 and 6 standard deviations apart;
- ``images``: discs, pendulum, sprites and spectra, of which the second instrument makes something
  else; ``alone`` is the fit to what the first would have seen of all samples;
- ``nothing``: contexts without any effect: what is lost, and how often a node hangs on them;
- ``assigned``: kinds that decide which instrument a sample goes to (b -> a -> context): arrows;
- ``pairs``, ``triples``: arrows between nodes, some of which depend on a context that was set from
  outside, beside the same search on the true outcomes;
- ``lacking``: the second label lacks an outcome of a node, or has the other mix (*shared*): tables
  of clusters that are copies of each other, unlike in shape, skew, or whose effects do not add up,
  and discs; 200 to 2000 samples, offsets of 0 to 8. *Fine*: nothing to worry about;
- ``adapt``: a new context in a fit to two others;
- ``cost``: processor time of a fit with two labels, beside that without.

Methods are ``ours``, ``default`` (a fit that does not know the context), ``centred``, ``combat``,
and the references ``bayes`` (knows all), ``em`` (starts from the true cells), ``truth`` (the search
on true outcomes). Accuracies are those of nodes, matched with the factors.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from context_references import (
    CELLS,
    SORTS,
    Case,
    Truth,
    centred,
    combat,
    em_of_new_context,
    em_with_offsets,
    moved_clusters,
    nodes_of,
    random_network,
    verdict,
)
from node_rows import append_lines, parse_seeds
from verdict import ACCURATE, FINE

from skcausalpima import CausalPIMA, datasets
from skcausalpima._structure.constraints import EdgeConstraints
from skcausalpima._structure.equivalence import cpdag
from skcausalpima._structure.search import search_dag
from skcausalpima.metrics import node_recovery

FIELDS = ("table", "row", "method", "seed", "mean", "worst", "accuracies", "seconds", "warned")
REST = ("links", "arrows", "right", "wrong", "total", "share", "inside", "flagged", "fine")
N_NEW = 2000
Line = dict[str, object]
Arrays = Mapping[str, np.ndarray]
Settings = Mapping[str, object]
NAMES = np.array(["A", "B", "C", "D", "E", "F"])


# --- fits ------------------------------------------------------------------------------------


def fitted(
    arrays: Arrays, sizes: Sequence[int], seed: int, label: np.ndarray | None = None, **context
) -> tuple[CausalPIMA, Line]:
    """Return a default fit, with the context if labels are given, and what it took."""
    parameters, X = {}, dict(arrays)
    if label is not None:
        from skcausalpima import Context

        X["instrument"] = NAMES[label]
        parameters["contexts"] = Context("instrument", **context)
    est = CausalPIMA(tuple(sizes), random_state=seed, **parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        est.fit(X)
        seconds = time.perf_counter() - start
    names = sorted({warning.category.__name__ for warning in caught})
    return est, {"seconds": round(seconds, 2), "warned": " ".join(names)}


def accuracies(factors: np.ndarray, nodes: np.ndarray, matched: bool = False) -> Line:
    """Return how often each node is right; those of references need no matching."""
    found = node_recovery(factors, nodes)
    right = (factors == nodes).mean(axis=0) if matched else found.accuracies
    text = " ".join(f"{one:.4f}" for one in right)
    return {"mean": round(right.mean(), 4), "worst": round(right.min(), 4), "accuracies": text}


def compared(
    method: str,
    arrays: Arrays,
    label: np.ndarray,
    factors: np.ndarray,
    sizes: Sequence[int],
    seed: int,
) -> Line:
    """Fit in one of the ways that do not look at the truth."""
    options = {}
    if method in ("centred", "combat"):
        move = centred if method == "centred" else combat
        arrays = {name: move(array, label) for name, array in arrays.items()}
    elif method.startswith("ours"):
        options = {"label": label, **({"gain": True} if method == "ours, gain" else {})}
    est, line = fitted(arrays, sizes, seed, **options)
    return {**line, **accuracies(factors, est.node_labels_)}


# --- tables, images --------------------------------------------------------------------------


def table_cases() -> Iterator[Case]:
    """Yield the rows of ``tables``."""
    mixes = ((0.5, 0.5), (0.2, 0.8), (0.0, 0.5))
    for n_labels, widths in itertools.product((2, 5), ((12,), (8, 4))):
        for offset, mix in itertools.product((0, 2, 4, 8, 12), mixes):
            yield Case(offset, mix, n_labels, widths)


def run_table(case: Case, method: str, seed: int) -> Line:
    """Compare what is said of the training samples with the truth."""
    truth, rng = Truth(case, seed), np.random.default_rng([seed, 3])
    label = np.arange(case.n_samples) % case.n_labels
    x, cell = truth.draw(label, rng)
    if method == "bayes":
        return accuracies(CELLS[cell], nodes_of(truth.probabilities(x, label)), matched=True)
    if method == "em":
        return accuracies(CELLS[cell], nodes_of(em_with_offsets(x, label, cell)), matched=True)
    return compared(method, truth.modalities(x), label, CELLS[cell], (2, 2), seed)


IMAGES: dict[str, tuple[Callable, tuple[int, ...]]] = {
    "discs": (datasets.make_circles_images, (2, 2, 2)),
    "pendulum": (datasets.make_pendulum, (3, 3)),
    "sprites": (functools.partial(datasets.make_sprites, shape="square"), (2, 2, 2)),
    "spectra": (datasets.make_spectra, (2, 2, 2)),
}
EFFECTS: dict[str, Settings] = {
    "pattern": {"offset": 0.5},
    "strong pattern": {"offset": 1.0},
    "gain": {"gain": 0.8},
    "blur": {"blur": 1.0},
    "noise": {"noise": 0.2},
    "all four": {"offset": 0.5, "gain": 0.8, "blur": 1.0, "noise": 0.2},
}


def run_images(data: str, effect: str, method: str, seed: int, n_samples: int = 1500) -> Line:
    """Compare fits to what two instruments see; the first factor is more often 1 in the second."""
    make, sizes = IMAGES[data]
    bunch = make(n_samples, random_state=seed)
    sent = {2: [[0.78, 0.22], [0.22, 0.78]], 3: [[0.78, 0.22], [0.5, 0.5], [0.22, 0.78]]}
    assignment = {bunch.factor_names[0]: sent[sizes[0]]}
    two = datasets.add_context(bunch, assignment=assignment, random_state=seed, **EFFECTS[effect])
    seen = bunch if method == "alone" else two
    arrays = {name: seen[name] for name in ("images", "curves") if name in seen}
    label = (two.instrument == "B").astype(int)
    return compared(method, arrays, label, bunch.factors, sizes, seed)


# --- a label that lacks an outcome -----------------------------------------------------------


def run_lacking(sort: str, lacks: bool, method: str, seed: int) -> Line:
    """Compare a fit with the truth, where one label lacks an outcome of one node or all share."""
    rng = np.random.default_rng([seed, 9, SORTS.index(sort), lacks])
    n_samples, offset = int(rng.choice((200, 600, 2000))), float(rng.choice((0, 2, 4, 8)))
    label, share = rng.integers(2, size=n_samples), (0.5, 0.0) if lacks else (0.2, 0.8)
    nodes = (rng.uniform(size=(n_samples, 2)) < 0.5).astype(int)
    nodes[:, 0] = rng.uniform(size=n_samples) < np.take(share, label)
    if sort == "discs":
        arrays, label, nodes = discs_of_two(nodes[:, 0], label, offset / 8.0, seed)
    else:
        arrays = {"table": moved_clusters(sort, nodes, label, offset, rng)}
    options = {"label": label} if method == "ours" else {}
    est, line = fitted(arrays, (2,) * nodes.shape[1], seed, **options)
    fine = not line["warned"] and est.report().advice[0].startswith(FINE)
    return {**line, **accuracies(nodes, est.node_labels_), "fine": int(fine)}


def discs_of_two(
    first: np.ndarray, label: np.ndarray, offset: float, seed: int
) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """Return discs whose first factor is as stated, as two instruments see them."""
    bunch = datasets.make_circles_images(4 * len(first), random_state=seed)
    rows, left = np.zeros(len(first), dtype=int), list(range(4 * len(first)))
    for outcome in (0, 1):
        have = [row for row in left if bunch.factors[row, 0] == outcome]
        wanted = np.flatnonzero(first == outcome)[: len(have)]
        rows[wanted] = have[: len(wanted)]
    drawn = {name: bunch[name][rows] for name in ("images", "curves") if name in bunch}
    rng = np.random.default_rng([seed, 10])
    for name, array in drawn.items():
        pattern = rng.normal(size=array.shape[1:])
        pattern *= offset * array.std() / np.sqrt(np.square(pattern).mean())
        moves = label.reshape(-1, *(1,) * (array.ndim - 1)) * pattern
        drawn[name] = (array + moves).astype(array.dtype)
    return drawn, label, bunch.factors[rows]


# --- links and arrows ------------------------------------------------------------------------


def role_of(method: str) -> str:
    """Return the role of the context: the default, unless the method says otherwise."""
    return "cause" if method == "ours, cause" else "measured"


def arrows_of(est: CausalPIMA, order: Sequence[int]) -> list[tuple[int, int]]:
    """Return settled arrows between nodes, as numbers of factors from 1; ``order`` matches them."""
    nodes = [name for name, kind in est.dag_.nodes(data="kind") if kind != "context"]
    position = {nodes[node]: k + 1 for k, node in enumerate(order)}
    settled = [(i, j) for i, j, compelled in est.dag_.edges(data="compelled") if compelled]
    return [(position[i], position[j]) for i, j in settled if i in position and j in position]


def links_of(est: CausalPIMA) -> int:
    """Count the nodes that hang on the context."""
    context = [n for n, kind in est.dag_.nodes(data="kind") if kind == "context"]
    return sum(len(set(est.dag_.predecessors(n)) | set(est.dag_.successors(n))) for n in context)


def run_nothing(method: str, seed: int) -> Line:
    """Draw contexts that do nothing."""
    case = Case(0.0)
    truth, rng = Truth(case, seed), np.random.default_rng([seed, 3])
    label = rng.integers(2, size=case.n_samples)
    x, cell = truth.draw(np.zeros_like(label), rng)
    options = {}
    if method != "default":
        options = {"label": label, "role": role_of(method)}
    est, line = fitted(truth.modalities(x), (2, 2), seed, **options)
    links = links_of(est) if options else ""
    return {**line, **accuracies(CELLS[cell], est.node_labels_), "links": links}


def run_assigned(method: str, seed: int, n_samples: int = 2000) -> Line:
    """Draw kinds that decide where samples go, b -> a -> context: an arrow a -> b is wrong."""
    rng = np.random.default_rng([seed, 5])
    joint = np.zeros((2, 2, 2))
    while joint.min() < 0.02:
        b, a, e = (rng.dirichlet(np.ones(2), size=size) for size in ((), 2, 2))
        joint = b[None, None, :] * a.T[None] * e.T[:, :, None]  # (context, a, b)
    return direct(joint, [(2, 1)], method, seed, n_samples)


def run_direction(n_nodes: int, n_labels: int, n_samples: int, method: str, seed: int) -> Line:
    """Draw a network of a context and nodes; count settled arrows."""
    rng = np.random.default_rng([seed, 6, n_nodes, n_labels])
    edges, joint = random_network(rng, n_nodes, n_labels)
    return direct(joint, list(map(tuple, np.argwhere(edges))), method, seed, n_samples)


def direct(
    joint: np.ndarray, edges: Sequence[tuple[int, int]], method: str, seed: int, n_samples: int
) -> Line:
    """Draw samples whose nodes move two columns of a table each by five standard deviations."""
    rng = np.random.default_rng([seed, 7])
    drawn = rng.choice(joint.size, p=joint.ravel(), size=n_samples)
    label, *factors = np.unravel_index(drawn, joint.shape)
    factors, n_nodes = np.stack(factors, axis=1), joint.ndim - 1
    true = np.zeros((n_nodes + 1,) * 2, dtype=bool)
    for edge in edges:
        true[edge] = True
    if method == "truth":
        counts = np.bincount(drawn, minlength=joint.size).reshape(joint.shape).astype(float)
        forbidden = np.zeros_like(true)
        forbidden[:, 0] = True  # nothing acts on the context
        constraints = EdgeConstraints(np.zeros_like(forbidden), forbidden)
        found = search_dag(counts, constraints).adjacency
        settled = cpdag(found, forbidden=forbidden)
        arrows = list(map(tuple, np.argwhere(settled & ~settled.T)))
        return {**verdict(true, arrows), "arrows": len(arrows)}
    offsets = rng.normal(size=(joint.shape[0], 12))
    offsets *= 2.0 / np.linalg.norm(offsets, axis=1, keepdims=True)
    axes = np.repeat(np.eye(n_nodes, 6), 2, axis=1) * 5.0 / np.sqrt(2.0)
    x = factors @ axes + offsets[label] + rng.normal(size=(n_samples, 12))
    known = {} if method == "default" else {"label": label, "role": role_of(method)}
    est, line = fitted({"table": x}, joint.shape[1:], seed, **known)
    order = node_recovery(factors, est.node_labels_).permutation
    arrows = arrows_of(est, order)
    line |= accuracies(factors, est.node_labels_)
    return {**line, **verdict(true, arrows), "arrows": len(arrows)}


# --- a new context ---------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def known_contexts(seed: int, with_contexts: bool) -> tuple[CausalPIMA, Arrays, np.ndarray]:
    """Return a fit to two contexts, their samples and factors; without, nothing is offset."""
    case = Case(4.0 if with_contexts else 0.0, (0.4, 0.6))
    truth, rng = Truth(case, seed), np.random.default_rng([seed, 3])
    label = np.arange(600) % 2
    x, cell = truth.draw(label, rng)
    est, _ = fitted(
        truth.modalities(x), (2, 2), seed, **({"label": label} if with_contexts else {})
    )
    return est, x, CELLS[cell]


def adapt_rows() -> Iterator[tuple[float, float, int, float]]:
    """Yield offset, share of the second outcome of the first node, samples, share of strangers."""
    yield from itertools.product((0.0, 2.0, 4.0, 8.0), (0.5, 0.9), (30, 60, 200), (0.0, 0.1, 0.3))


def run_adapt(row: tuple[float, float, int, float], method: str, seed: int) -> Line:
    """Adapt to a new context; ask further samples of it."""
    offset, share, n, unknown = row
    truth, rng = Truth(Case(4.0, (0.4, 0.6)), seed), np.random.default_rng([seed, 8])
    direction = rng.normal(size=(1, 12))
    truth.offsets = offset * direction / np.linalg.norm(direction)
    truth.weights = 0.5 * np.where(CELLS[:, :1] == 1, share, 1.0 - share).T
    few, _ = truth.draw(np.zeros(n, dtype=int), rng, unknown)
    new, cell = truth.draw(np.zeros(N_NEW, dtype=int), rng)
    factors = CELLS[cell]
    if method == "bayes":
        found = truth.probabilities(new, np.zeros(N_NEW, dtype=int))
        return accuracies(factors, nodes_of(found), matched=True)
    if method == "em":
        moved, truth.weights, strange = em_of_new_context(few, truth.means)
        truth.offsets, truth.weights = moved[None], truth.weights[None]
        found = nodes_of(truth.probabilities(new, np.zeros(N_NEW, dtype=int)))
        return {**accuracies(factors, found, matched=True), "share": round(float(strange), 4)}
    est, x, known = known_contexts(seed, method == "ours")
    order = node_recovery(known, est.node_labels_)
    line, asked, few = {}, truth.modalities(new), truth.modalities(few)
    if method == "ours":
        few["instrument"], asked["instrument"] = np.full(n, "C"), np.full(N_NEW, "C")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            est = est.adapt(few)
            seconds = time.perf_counter() - start
        line = {"seconds": round(seconds, 2), "warned": len(caught)}
        (found,) = est.adapted_
        low, high = found.interval
        line |= {"share": round(found.unknown, 4), "inside": int(low <= unknown <= high)}
    elif method == "centred":
        asked = {name: a - few[name].mean(axis=0) for name, a in asked.items()}
        asked = {"table 1": asked["table 1"] + x.mean(axis=0)}
    flagged = round(float((est.tail_probability(asked) < 0.05).mean()), 4)
    nodes = est.predict_nodes(asked)[:, order.permutation]
    # the numbering of outcomes is that of training samples
    trained = est.node_labels_[:, order.permutation]
    nodes = np.where((trained == known).mean(axis=0) >= 0.5, nodes, 1 - nodes)
    return {**line, **accuracies(factors, nodes, matched=True), "flagged": flagged}


# --- cost ------------------------------------------------------------------------------------


def run_cost(data: str, method: str, seed: int) -> Line:
    """Return the processor time of a fit."""
    if data == "table":
        truth, rng = Truth(Case(4.0, (0.2, 0.8), n_samples=2000), seed), np.random.default_rng(seed)
        label = np.arange(2000) % 2
        arrays, sizes = truth.modalities(truth.draw(label, rng)[0]), (2, 2)
    else:
        make, sizes = IMAGES[data]
        bunch = datasets.add_context(make(2000, random_state=seed), offset=0.3, random_state=seed)
        arrays = {name: bunch[name] for name in ("images", "curves") if name in bunch}
        label = (bunch.instrument == "B").astype(int)
    start = time.process_time()
    _, line = fitted(arrays, sizes, seed, label if method == "ours" else None)
    return {**line, "seconds": round(time.process_time() - start, 2)}


# --- running ---------------------------------------------------------------------------------

Run = Callable[[str, int], Line]
FITS = ("default", "centred", "combat", "ours")


def rows(table: str) -> Iterator[tuple[str, tuple[str, ...], Run]]:
    """Yield name, methods and what runs one of them for a seed."""
    part, roles = functools.partial, ("ours", "ours, cause")
    if table == "tables":
        for case in table_cases():
            yield case.name, ("bayes", "em", *FITS), part(run_table, case)
    elif table == "images":
        for data, effect in itertools.product(IMAGES, EFFECTS):
            first = ["alone"] if effect == "pattern" else []  # the same for all effects
            methods = (*first, *FITS, *(["ours, gain"] if "gain" in EFFECTS[effect] else []))
            yield f"{data}, {effect}", methods, part(run_images, data, effect)
    elif table in ("pairs", "triples"):
        for n_labels, n_samples in itertools.product((2, 4), (600, 2000)):
            run = part(run_direction, 2 + (table == "triples"), n_labels, n_samples)
            yield f"{n_labels} labels, n={n_samples}", ("truth", "ours, cause"), run
    elif table == "adapt":
        for offset, share, n, unknown in adapt_rows():
            run = part(run_adapt, (offset, share, n, unknown))
            name = f"offset {offset:g}, {share:.0%}, n={n}, {unknown:.0%} unknown"
            yield name, ("bayes", "em", "default", "centred", "ours"), run
    else:
        yield from {
            "nothing": [("no effect", ("default", *roles), run_nothing)],
            "assigned": [("b -> a -> context", ("default", "truth", *roles), run_assigned)],
            "lacking": [
                (f"{sort}, {word}", ("default", "ours"), part(run_lacking, sort, word != "shared"))
                for sort, word in itertools.product(SORTS, ("lacks an outcome", "shared"))
            ],
            "cost": [
                (data, ("default", "ours"), part(run_cost, data))
                for data in ("table", "discs", "spectra")
            ],
        }[table]


TABLES = ("tables", "images", "lacking", "nothing", "assigned", "pairs", "triples", "adapt", "cost")


def run(arguments: argparse.Namespace) -> None:
    """Run what a file lacks."""
    done = set()
    if arguments.out.exists():
        with arguments.out.open(newline="") as file:
            keys = ("table", "row", "method", "seed")
            done = {tuple(line[key] for key in keys) for line in csv.DictReader(file)}
    for seed, table in itertools.product(arguments.seeds, arguments.tables):
        for row, methods, measure in rows(table):
            if not any(part in row for part in arguments.rows):
                continue
            for method in arguments.methods or methods:
                key = (table, row, method, str(seed))
                if method in methods and key not in done:
                    line = dict(zip(("table", "row", "method", "seed"), key, strict=True))
                    append_lines(arguments.out, (*FIELDS, *REST), [line | measure(method, seed)])


def summarize(path: Path) -> None:
    """Print means over seeds as a markdown table, a line per row and method."""
    import pandas as pd

    frame = pd.read_csv(path)
    frame["warned"] = (frame["warned"].notna() & (frame["warned"] != 0)).astype(float)
    groups = frame.drop(columns="accuracies").groupby(["table", "row", "method"], sort=False)
    means = groups.mean(numeric_only=True).drop(columns="seed")
    means.insert(0, "seeds", groups.size())
    for name in ("right", "wrong"):  # of all adjacencies
        means[name] /= means["total"]
    means = means.dropna(axis=1, how="all").round(4).reset_index()
    if frame["fine"].notna().any():
        asked = frame[frame["fine"].notna() & (frame["method"] == "ours")]
        for lacks, some in asked.groupby(asked["row"].str.contains("lacks")):
            wrong, fine = some["mean"] < ACCURATE, some["fine"] == 1.0
            print(
                f"{'a label lacks an outcome' if lacks else 'all share'}: {len(some)} fits, wrong "
                f"and fine {(wrong & fine).sum()}, wrong and warned {(wrong & ~fine).sum()}, right "
                f"and fine {(~wrong & fine).sum()}, right and warned {(~wrong & ~fine).sum()}"
            )
    print("| " + " | ".join(means.columns) + " |\n" + "|---" * len(means.columns) + "|")
    for line in means.itertuples(index=False):
        print("| " + " | ".join("" if value != value else str(value) for value in line) + " |")


def main() -> None:
    """Run tables, or print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of the names of rows")
    parser.add_argument("--methods", nargs="+", help="these alone")
    parser.add_argument("--seeds", type=parse_seeds, default="0-9")
    parser.add_argument("--out", type=Path, default=Path("contexts.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
    else:
        run(arguments)


if __name__ == "__main__":
    main()
