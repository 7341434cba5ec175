"""How every picture looks, how large it is and how long it takes, from small fits to large ones.

Run with OMP_NUM_THREADS=1.

    python benchmarks/pictures.py --out sheets              # minutes; PNGs and a sheet per Display
    python benchmarks/pictures.py --out sheets --cells 4 27 --displays summary prototypes

Fits of two epochs, told the nodes, of a table, of images, of curves, of a table of several kinds,
and of the first three at once, with 4, 27, 243 and 4096 cells, 3, 30, 300 and 1000 columns, and
names of 5 and 40 characters. Results that would take fits are made of chosen numbers. A sheet shows
the pictures of one Display beside each other, in one scale: they are there to be looked at. Printed
are seconds of the processor (drawn and saved, without the fit), inches, the share of the page that
is inked or inside of axes, and how many texts overlap or are cut.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import networkx as nx
import numpy as np
import pandas as pd

mpl.use("Agg")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import matplotlib.pyplot as plt
from drawn_texts import covered_share, cut_texts, overlapping_texts

from skcausalpima import CausalPIMA, Initialization, MissingValues, inspection
from skcausalpima.graph import CategoricalDAG
from skcausalpima.model_selection import NodeSizeSelection

GRIDS = {4: (2, 2), 27: (3, 3, 3), 243: (3,) * 5, 4096: (2,) * 12}
WIDTHS = (3, 30, 300, 1000)
LENGTHS = (5, 40)
SIDE = 12  # of images
MANY_NODES = 8  # so many are a chain: tables of a denser graph are large
WORDS = "of the mean temperature at the inner wall during the long run "
TILE, DPI = 560, 80  # pixels of a picture in a sheet, and per inch of a picture


def name_of(what: str, number: int, n_letters: int) -> str:
    """Return a name of so many characters that ends with a number."""
    ending = f" {number}"
    start = what if n_letters < 10 else f"{what} {WORDS}"
    return start[: n_letters - len(ending)] + ending


@dataclass(frozen=True)
class Case:
    """A fit to be drawn."""

    kind: str
    n_cells: int
    width: int
    n_letters: int

    def __str__(self) -> str:
        return f"{self.kind} {self.n_cells}c {self.width}w {self.n_letters}l"


def drawn_data(case: Case) -> tuple[dict[str, Any], np.ndarray]:
    """Draw samples of which each node moves its part."""
    rng, sizes = np.random.default_rng(0), GRIDS[case.n_cells]
    n_samples = max(200, (11 if case.n_cells < 1000 else 2) * case.n_cells)
    nodes = np.column_stack([rng.integers(size, size=n_samples) for size in sizes])
    nodes[: case.n_cells] = np.indices(sizes).reshape(len(sizes), -1).T
    strength = np.linspace(5, 2, len(sizes))
    table = rng.normal(size=(n_samples, case.width))
    for number, outcomes in enumerate(nodes.T):
        table[:, number :: len(sizes)] += strength[number] * outcomes[:, None]
    columns = [name_of("mass", k, case.n_letters) for k in range(case.width)]
    image, ticks = (
        rng.normal(scale=0.2, size=(n_samples, SIDE, SIDE)),
        np.linspace(0, 1, case.width),
    )
    curve = rng.normal(scale=0.1, size=(n_samples, case.width))
    for number, outcomes in enumerate(nodes.T):
        image[:, number :: len(sizes), ::2] += outcomes[:, None, None]
        curve += outcomes[:, None] * np.exp(-(((ticks - number / len(sizes)) / 0.1) ** 2))
    frame = pd.DataFrame(table * np.geomspace(1, 100, case.width), columns=columns)
    if case.kind == "several":
        return {name_of("image", 1, case.n_letters): image, "curve": curve, "table": frame}, nodes
    if case.kind == "mixed":
        for k, column in enumerate(columns[: max(1, case.width // 3)]):
            levels = [name_of("kind", j, case.n_letters) for j in range(4)]
            frame[column] = np.array(levels)[
                (nodes[:, k % len(sizes)] + (rng.random(n_samples) < 0.2)) % 4
            ]
    return {"X": {"table": frame, "image": image, "curve": curve, "mixed": frame}[case.kind]}, nodes


@cache
def fitted(case: Case) -> tuple[CausalPIMA, Any]:
    """Fit an epoch; return estimator and samples."""
    data, nodes = drawn_data(case)
    X = data if case.kind == "several" else data["X"]
    names = [name_of("heat", k, case.n_letters) for k in range(nodes.shape[1])]
    graph = nx.DiGraph(list(pairwise(names)))
    if len(names) < MANY_NODES:
        graph.add_edges_from(zip(names, names[2:], strict=False))
    est = CausalPIMA(
        dict(zip(names, GRIDS[case.n_cells], strict=True)),
        structure=graph,
        init=Initialization("linear", pretraining_epochs=1),
        hidden_layer_sizes=(8,),
        max_iter=2,
        views=None,
        modality_weights="balanced",
        missing_values=MissingValues(subset_epochs=0),
        random_state=0,
    )
    return est.fit(X, known_nodes=nodes), X


def of_estimator(name: str, case: Case, **parameters: Any) -> Any:
    """Draw a Display of a fit."""
    est, X = fitted(case)
    display = getattr(inspection, f"{name}Display")
    takes_samples = name in ("Axis", "Latent", "Reconstruction")
    return display.from_estimator(est, *([X] if takes_samples else []), **parameters)


def associations(case: Case) -> Any:
    """Draw associations of chosen numbers."""
    rng, n = np.random.default_rng(0), len(GRIDS[case.n_cells])
    nodes = [name_of("heat", k, case.n_letters) for k in range(n)]
    columns = [name_of("batch", k, case.n_letters) for k in range(case.width)]
    share = rng.beta(0.5, 2, size=(n, case.width))
    return inspection.AssociationDisplay(share, nodes, columns, p_value=share / 2).plot()


def evidence(case: Case) -> Any:
    """Draw which modality shows which node."""
    est, X = fitted(case)
    return inspection.AssociationDisplay.from_evidence(est.modality_evidence(X))


def effects(case: Case) -> Any:
    """Draw tested effects."""
    est, X = fitted(case)
    found = inspection.node_effects(est, X, seen=True)
    return inspection.NodeEffectDisplay.from_effects(found)


def network(case: Case) -> CategoricalDAG:
    """Return a network of chosen tables."""
    sizes, rng = GRIDS[case.n_cells], np.random.default_rng(0)
    nodes = [name_of("heat", k, case.n_letters) for k in range(len(sizes))]
    graph = np.triu(rng.random((len(sizes),) * 2) < 0.4, 1).astype(int) | np.eye(
        len(sizes), k=1, dtype=int
    )
    tables = [
        rng.dirichlet(
            np.ones(size), size=[s for s, has in zip(sizes, graph[:, k], strict=True) if has]
        )
        for k, size in enumerate(sizes)
    ]
    return CategoricalDAG.from_arrays(graph, tables, nodes)


def graph(case: Case) -> Any:
    """Draw a denser graph than those of the fits, with weights."""
    dag, rng = network(case).graph.copy(), np.random.default_rng(0)
    for edge in dag.edges:
        dag.edges[edge]["weight"] = rng.uniform(0.3, 1)
    return inspection.GraphDisplay.from_graph(dag)


def table(case: Case) -> Any:
    """Draw the table of the last node."""
    dag = network(case)
    return inspection.TableDisplay.from_graph(dag, dag.nodes[-1])


def intervention(case: Case) -> Any:
    """Draw what setting a node does."""
    est, _ = fitted(case)
    node = est.to_graph().nodes[0]
    return inspection.InterventionDisplay.from_estimator(est, {node: 1}, seen=True, n_draws=6)


def calibration(case: Case) -> Any:
    """Draw calibration of chosen numbers."""
    said = np.linspace(0.5, 1, 5)
    curve = inspection.CalibrationCurve(prob_pred=said, prob_true=said**2, counts=np.full(5, 50.0))
    nodes = [name_of("heat", k, case.n_letters) for k in range(len(GRIDS[case.n_cells]))]
    views = [name_of("image", k, case.n_letters) for k in range(3)]
    return inspection.CalibrationDisplay(dict.fromkeys(product(nodes, views), curve)).plot()


def confidence(case: Case) -> Any:
    """Draw confidence of chosen numbers."""
    n = len(GRIDS[case.n_cells])
    nodes = [name_of("heat", k, case.n_letters) for k in range(n)]
    shares, stability = np.triu(np.random.default_rng(0).random((n, n)), 1), np.linspace(0.5, 1, n)
    return inspection.EdgeConfidenceDisplay(
        shares,
        nodes,
        node_stability=stability,
        worst_node_stability=stability - 0.2,
        edges=[(nodes[0], nodes[1])],
        compelled=shares / 2,
    ).plot()


def node_sizes(case: Case) -> Any:
    """Draw a choice between as many candidates as there are nodes, and some more."""
    n = len(GRIDS[case.n_cells]) + 2
    candidates = [(2,) * k for k in range(1, n)] + [(3,) * k for k in range(1, n)]
    bound = [-10 + 3 * k / n for k in range(len(candidates))]
    results = {"node_sizes": candidates, "mean_bound": bound, "std_bound": np.full(len(bound), 0.4)}
    results |= {
        "stability": np.linspace(1, 0.3, len(bound)),
        "supported": np.arange(len(bound)) < 3,
    }
    selection = NodeSizeSelection(candidates[2], None, results)
    return inspection.NodeSizesDisplay.from_selection(selection)


def summary(case: Case) -> Any:
    """Draw the page."""
    est, X = fitted(case)
    return est.plot_summary(X)


OF_FITS = ("table", "image", "curve", "mixed", "several")
#: Display to function and kinds of fits.
DRAWN: dict[str, tuple[Callable[[Case], Any], tuple[str, ...]]] = {
    "summary": (summary, OF_FITS),
    "prototypes": (partial(of_estimator, "Prototype"), OF_FITS[:4]),
    "latent": (partial(of_estimator, "Latent"), ("table",)),
    "node_effects": (partial(of_estimator, "NodeEffect"), OF_FITS[:4]),
    "tested_effects": (effects, OF_FITS[:3]),
    "axes": (partial(of_estimator, "Axis"), OF_FITS[:4]),
    "reconstruction": (partial(of_estimator, "Reconstruction"), OF_FITS),
    "training": (partial(of_estimator, "Training"), ("table", "several")),
    "fitted_graph": (partial(of_estimator, "Graph"), ("table",)),
    "intervention": (intervention, OF_FITS[:4]),
    "evidence": (evidence, ("several",)),
    "associations": (associations, ("numbers",)),
    "graph": (graph, ("numbers",)),
    "tables": (table, ("numbers",)),
    "calibration": (calibration, ("numbers",)),
    "confidence": (confidence, ("numbers",)),
    "node_sizes": (node_sizes, ("numbers",)),
}
#: Displays that do not depend on the width of tables.
NARROW = (
    "latent",
    "fitted_graph",
    "evidence",
    "training",
    "graph",
    "tables",
    "calibration",
    "confidence",
    "node_sizes",
)


def cases(display: str, kinds: tuple[str, ...], options: argparse.Namespace) -> Iterator[Case]:
    """Return the fits of which a Display is drawn: all widths with few cells, else one."""
    for kind, n_cells, n_letters in product(kinds, options.cells, LENGTHS):
        widths = (30,) if display in NARROW or kind == "image" else options.widths
        for width in widths:
            if n_cells > 243 and (n_letters == 5 or width != 30 or kind in ("mixed", "several")):
                continue
            if width > 300 and (kind not in ("table", "numbers") or n_cells != 27):
                continue
            if n_cells == 243 and width == 300 and n_letters == 5:
                continue
            yield Case(kind, n_cells, width, n_letters)


def write_sheet(folder: Path, display: str, tiles: list[tuple[str, Path]]) -> None:
    """Write the pictures of a Display beside each other."""
    from PIL import Image, ImageDraw

    images = [(text, Image.open(path).convert("RGB")) for text, path in tiles]
    n_columns = min(4, len(images))
    for image in images:
        image[1].thumbnail((TILE, 2 * TILE))
    rows = [images[k : k + n_columns] for k in range(0, len(images), n_columns)]
    heights = [max(image.height for _, image in row) + 24 for row in rows]
    for part, start in enumerate(range(0, len(rows), 4)):
        shown, top = rows[start : start + 4], 0
        sheet = Image.new(
            "RGB", (n_columns * (TILE + 10), sum(heights[start : start + 4])), "#dddddd"
        )
        for row, height in zip(shown, heights[start : start + 4], strict=True):
            for k, (text, image) in enumerate(row):
                sheet.paste(image, (k * (TILE + 10), top + 16))
                ImageDraw.Draw(sheet).text((k * (TILE + 10) + 4, top + 2), text, fill="black")
            top += height
        sheet.save(folder / f"sheet_{display}_{part}.png")


def main() -> None:
    """Draw, print, and write sheets."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cells", type=int, nargs="+", default=[4, 27, 243], choices=list(GRIDS))
    parser.add_argument("--widths", type=int, nargs="+", default=[3, 30, 300], choices=list(WIDTHS))
    parser.add_argument("--displays", nargs="+", default=list(DRAWN), choices=list(DRAWN))
    parser.add_argument("--kinds", nargs="+", default=[*OF_FITS, "numbers"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    print("display         case                     seconds  inches       covered  overlaps  cut")
    for display in options.displays:
        draw, kinds = DRAWN[display]
        tiles = []
        for case in cases(display, tuple(k for k in kinds if k in options.kinds), options):
            if case.kind != "numbers":
                fitted(case)
            start = time.process_time()
            try:
                figure = draw(case).figure_
            except Exception as error:
                print(
                    f"{display:15} {case!s:24} {type(error).__name__}: {str(error)[:150]}",
                    flush=True,
                )
                continue
            path = options.out / f"{display} {case}.png".replace(" ", "_")
            figure.savefig(path, dpi=DPI)
            seconds, (width, height) = time.process_time() - start, figure.get_size_inches()
            overlaps = overlapping_texts(figure)
            faults, share = (len(overlaps), len(cut_texts(figure))), covered_share(figure)
            print(
                f"{display:15} {case!s:24} {seconds:6.1f}   {width:4.1f} x {height:4.1f}  "
                f"{share:6.0%}   {faults[0]:6d}  {faults[1]:5d}  {overlaps[:1] or ''}",
                flush=True,
            )
            plt.close("all")
            tiles.append((str(case), path))
        if tiles:
            write_sheet(options.out, display, tiles)


if __name__ == "__main__":
    main()
