"""Convolutions beside perceptrons and the paper's: seconds, and how well nodes are found.

Run with OMP_NUM_THREADS=1.

    python benchmarks/convolutions.py --seeds 0-4
    python benchmarks/convolutions.py --seeds 0-4 --rows lattices --words conv

Each line is one default fit, with one word for encoders and decoders: its seconds and those of an
epoch (processor time; the median of five), and, of samples that did not train, the adjusted Rand
index of the cells, the mean accuracy of the nodes and the bound in nats. The means follow, and the
differences of words from the first, with two standard errors over seeds. The architecture was
chosen on discs and strains, at seeds 100 to 102; the other rows, and other seeds, judge it.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from node_rows import parse_seeds
from sklearn.metrics import adjusted_rand_score
from speed import Case, OurLoop, print_table, seconds_of

from skcausalpima import CausalPIMA
from skcausalpima.datasets import (
    make_circles_images,
    make_lattices,
    make_rectangles,
    make_spectra,
)
from skcausalpima.metrics import node_recovery

N_NEW = 200
FIGURES = ("fit", "epoch", "rand", "accuracy", "bound")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is drawn, which of it is taken, how many samples train, and the sizes of the nodes."""

    make: Callable
    what: str
    n_samples: int
    sizes: tuple[int, ...]


ROWS = {
    "discs": Row(make=make_circles_images, what="images", n_samples=150, sizes=(2, 2, 2)),
    "strains": Row(make=make_lattices, what="curves", n_samples=300, sizes=(2, 2)),
    "rectangles": Row(make=make_rectangles, what="images", n_samples=150, sizes=(2, 2, 2)),
    "lattices": Row(make=make_lattices, what="images", n_samples=150, sizes=(2, 2)),
    "spectra": Row(make=make_spectra, what="curves", n_samples=300, sizes=(2, 2, 2)),
}


def measured(row: Row, word: str, seed: int) -> list[float]:
    """Fit, and return the figures."""
    drawn = row.make(row.n_samples + N_NEW, random_state=seed)
    train, new = np.split(drawn[row.what], [row.n_samples])
    model = CausalPIMA(row.sizes, encoders=word, decoders=word, random_state=seed)
    seconds = seconds_of(lambda: model.fit(train))
    nodes, factors = model.predict_nodes(new), drawn.factors[row.n_samples :]
    cells = np.unique(nodes, axis=0, return_inverse=True)[1]
    rand = adjusted_rand_score(drawn.target[row.n_samples :], cells)
    accuracy = float(np.mean(node_recovery(factors, nodes).accuracies))
    case = Case(load=lambda: [train], sizes=row.sizes, networks=word)
    loop = OurLoop(case)
    epoch = statistics.median(seconds_of(loop.epoch) for _ in range(5))
    return [seconds, epoch, rand, accuracy, model.score(new)]


def compared(rows: Sequence[str], words: Sequence[str], seeds: Sequence[int]) -> None:
    """Print a line per fit, then means, and differences from the first word."""
    differing = [f"{figure}, difference" for figure in FIGURES[2:]]
    lines: list[Sequence[object]] = [("row", "word", *FIGURES, *differing)]
    for name in rows:
        by_word = {}
        for word, seed in itertools.product(words, seeds):
            by_word.setdefault(word, []).append(measured(ROWS[name], word, seed))
            values = " ".join(f"{value:9.3f}" for value in by_word[word][-1])
            print(f"{name:10s} {word:11s} {seed:4d} {values}", flush=True)
        for word, values in by_word.items():
            differences = np.array(values) - np.array(by_word[words[0]])
            errors = 2.0 * differences.std(axis=0, ddof=1) / np.sqrt(len(seeds))
            means = [f"{mean:.3f}" for mean in np.mean(values, axis=0)]
            pairs = zip(differences.mean(axis=0)[2:], errors[2:], strict=True)
            told = [f"{mean:.3f} ± {error:.3f}" for mean, error in pairs]
            lines.append((name, word, *means, *told))
    print()
    print_table(*lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0-4", type=parse_seeds)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--words", nargs="+", default=["conv_paper", "conv", "mlp"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    compared(arguments.rows, arguments.words, arguments.seeds)


if __name__ == "__main__":
    main()
