"""How many experiments a graph takes, by the gain that is expected of them, and by chance.

    python benchmarks/intervention_gain.py counts --nodes 3 --seeds 0-99 --out gain.csv
    python benchmarks/intervention_gain.py counts --nodes 4 --seeds 0-39 --out gain.csv
    python benchmarks/intervention_gain.py fits --plans gain,chance --seeds 0-7 --out gain.csv
    python benchmarks/intervention_gain.py --summarize gain.csv

Each seed draws a network of binary nodes as in ``graph.py`` (a random order, each edge with .5 and
worth .05 nats or more, each outcome a tenth or more) and 300 samples of it. Then experiments of 100
samples each are made, until one graph has a probability of .95: six at most of three nodes, eight
of four. *Gain* sets the node of which ``intervention_gain`` expects most, to both outcomes by
chance; *any* may also set one outcome, or nothing; *chance* sets a node by chance; *nothing* goes
on observing. What is asked is the number of experiments (where no graph has .95 in the end, the
most), how often none has, how often the one that has is the true one, and the entropy after three.
``--size 1`` has one equivalent sample size in place of an average. ``counts`` knows the cells of
samples: no fit is needed. ``fits`` fits the estimator anew after each experiment; nodes move three
columns each by five standard deviations, and outcomes are known of 30 samples, which says what the
names of nodes mean. A file goes on where it ended. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from graph import random_network
from node_rows import append_lines, parse_seeds
from scipy.special import entr

from skcausalpima import CausalPIMA, ScoreSearch
from skcausalpima._structure.constraints import EdgeConstraints
from skcausalpima._structure.edge_probabilities import prior_of_graphs
from skcausalpima.inspection._all_graphs import AllGraphs, log_probabilities
from skcausalpima.inspection._intervention_gain import expected_gains, graphs_of, settings

N_BEFORE, N_EACH, N_KNOWN, SURE, DISTANCE = 300, 100, 30, 0.95, 5.0
MOST = {3: 6, 4: 8}
AFTER = 3  # experiments, then the entropy is asked
FIELDS = ("what", "size", "nodes", "seed", "plan")
FIELDS += ("experiments", "there", "right", "entropy", "seconds")
PLANS = "gain,any,chance,nothing"


class Network:
    """A true network, of which samples are drawn with or without a node that is set."""

    def __init__(self, n_nodes: int, seed: int) -> None:
        self.rng, self.names = np.random.RandomState(seed), "abcd"[:n_nodes]
        positions = self.rng.permutation(n_nodes)
        forward = positions[:, None] < positions
        self.edges = forward & (self.rng.random_sample(forward.shape) < 0.5)
        pairs = [(self.names[i], self.names[j]) for i, j in np.argwhere(self.edges)]
        self.truth = random_network(self.names, pairs, self.rng, least_share=0.1)

    def draw(self, setting: tuple[int | None, int | None], n_samples: int) -> np.ndarray:
        """Return the outcomes of samples, (n_samples, n_nodes)."""
        node, outcome = setting
        if node is None:
            return self.truth.sample(n_samples, self.rng)
        drawn = (
            self.rng.randint(2, size=n_samples) if outcome is None else np.full(n_samples, outcome)
        )
        samples = np.empty((n_samples, len(self.names)), dtype=int)
        for k in np.unique(drawn):
            changed = self.truth.do({self.names[node]: int(k)})
            samples[drawn == k] = changed.sample(int((drawn == k).sum()), self.rng)
        return samples


class Counts:
    """What is known of the graph where the cells of samples are known."""

    def __init__(self, network: Network, size: float | str) -> None:
        self.network, self.size = network, size
        self.free = [np.zeros(network.truth.sizes) for _ in network.names]
        self.add((None, None), N_BEFORE)

    def add(self, setting: tuple[int | None, int | None], n_samples: int) -> None:
        """Make an experiment."""
        for cell in self.network.draw(setting, n_samples):
            for node, table in enumerate(self.free):
                table[tuple(cell)] += node != setting[0]

    def graphs(self) -> AllGraphs:
        """Return all graphs."""
        sizes, cost = prior_of_graphs(self.network.truth.sizes, self.size, 0.0)
        return AllGraphs.that_meet(EdgeConstraints.none(len(self.free)), self.free, sizes, cost)


class Fits:
    """The same where cells are found by fits to noisy columns."""

    def __init__(self, network: Network, size: float | str) -> None:
        self.network, self.n_nodes, self.size = network, len(network.names), size
        self.outcomes = np.zeros((0, self.n_nodes), dtype=int)
        self.was_set, self.X = self.outcomes.copy(), np.zeros((0, 3 * self.n_nodes))
        self.add((None, None), N_BEFORE)

    def add(self, setting: tuple[int | None, int | None], n_samples: int) -> None:
        """Make an experiment."""
        new = self.network.draw(setting, n_samples)
        was_set = np.full_like(new, -1)
        if setting[0] is not None:
            was_set[:, setting[0]] = new[:, setting[0]]
        columns = DISTANCE / np.sqrt(3) * np.repeat(new, 3, axis=1)
        X = columns + self.network.rng.normal(size=columns.shape)
        self.outcomes = np.concatenate([self.outcomes, new])
        self.was_set = np.concatenate([self.was_set, was_set])
        self.X = np.concatenate([self.X, X])

    def graphs(self) -> AllGraphs:
        """Fit, and return all graphs."""
        known = np.where(np.arange(len(self.X))[:, None] < N_KNOWN, self.outcomes, -1)
        est = CausalPIMA({f"n{k}": 2 for k in range(self.n_nodes)}, random_state=0)
        est.set_params(structure=ScoreSearch(equivalent_sample_size=self.size))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            est.fit(self.X, known_nodes=known, interventions=self.was_set)
        return graphs_of(est)


KINDS = {"counts": Counts, "fits": Fits}


def chosen(plan: str, graphs: AllGraphs, rng: np.random.Generator) -> tuple[int | None, int | None]:
    """Return what a plan sets next."""
    asked = list(settings(graphs.free[0].shape))
    nodes = [(node, outcome) for node, outcome in asked if node is not None and outcome is None]
    if plan == "nothing":
        return None, None
    if plan == "chance":
        return nodes[rng.integers(len(nodes))]
    asked = asked if plan == "any" else nodes
    gains = expected_gains(graphs, asked, N_EACH, 200, np.random.RandomState(rng.integers(2**31)))
    return asked[int(gains.mean(axis=1).argmax())]


def loop(what: str, size: float | str, n_nodes: int, seed: int, plan: str) -> dict[str, object]:
    """Make experiments until the graph is there."""
    begun, network = time.process_time(), Network(n_nodes, seed)
    state, rng = KINDS[what](network, size), np.random.default_rng([seed, 1])
    for n_experiments in range(MOST[n_nodes] + 1):
        graphs = state.graphs()
        shares = np.exp(log_probabilities(graphs.now()))
        there = shares.max() >= SURE
        if n_experiments <= AFTER:
            entropy = entr(shares).sum()
        if there or n_experiments == MOST[n_nodes]:
            break
        state.add(chosen(plan, graphs, rng), N_EACH)
    right = there and np.array_equal(graphs.graphs[shares.argmax()], network.edges)
    seconds = time.process_time() - begun
    values = (what, size, n_nodes, seed, plan, n_experiments, int(there), int(right))
    return dict(zip(FIELDS, (*values, f"{entropy:.4f}", f"{seconds:.1f}"), strict=True))


def summarize(path: Path) -> None:
    """Print a line for each plan, over the seeds that all plans have."""
    with path.open() as file:
        lines = list(csv.DictReader(file))
    for key in dict.fromkeys(tuple(line[name] for name in FIELDS[:3]) for line in lines):
        rows = [line for line in lines if tuple(line[name] for name in FIELDS[:3]) == key]
        plans = dict.fromkeys(line["plan"] for line in rows)
        of_plan = {plan: {r["seed"]: r for r in rows if r["plan"] == plan} for plan in plans}
        seeds = sorted(set.intersection(*(set(found) for found in of_plan.values())))
        seeds = [seed for seed in seeds if of_plan["gain"][seed]["experiments"] != "0"]
        print(f"{' '.join(key)} nodes: {len(seeds)} networks that {N_BEFORE} samples leave open")
        for plan, found in of_plan.items():
            kept = [found[seed] for seed in seeds]
            number, there, right, entropy = (
                np.array([float(line[name]) for line in kept])
                for name in ("experiments", "there", "right", "entropy")
            )
            error = number.std() / max(len(seeds), 1) ** 0.5
            print(
                f"  {plan:8s} {number.mean():.2f} +- {error:.2f} experiments, not there "
                f"{1 - there.mean():.2f}, right {right.sum():.0f} of {there.sum():.0f}, "
                f"entropy after {AFTER} {entropy.mean():.2f}"
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("counts", "fits"), nargs="?")
    parser.add_argument("--nodes", type=int, default=3, choices=tuple(MOST))
    parser.add_argument("--size", default="auto", help="equivalent sample size")
    parser.add_argument("--plans", default=PLANS, help="some of these, with commas")
    parser.add_argument("--seeds", type=parse_seeds, default=[0])
    parser.add_argument("--out", type=Path, default=Path("gain.csv"))
    parser.add_argument("--summarize", type=Path)
    options = parser.parse_args(arguments)
    if options.what is not None:
        done = set()
        if options.out.exists():
            with options.out.open() as file:
                done = {tuple(line[name] for name in FIELDS[:5]) for line in csv.DictReader(file)}
        size = options.size if options.size == "auto" else float(options.size)
        for seed in options.seeds:
            for plan in options.plans.split(","):
                asked = (options.what, size, options.nodes, seed, plan)
                if tuple(map(str, asked)) not in done:
                    line = loop(*asked)
                    append_lines(options.out, FIELDS, [line])
                    print(*line.values(), flush=True)
    if options.what is None or options.summarize:
        summarize(options.summarize or options.out)


if __name__ == "__main__":
    main()
