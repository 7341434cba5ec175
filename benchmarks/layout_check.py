"""Does the proposed layout hold? Today's imports, laid over the rooms of the next architecture.

    python layout_check.py CHECKOUT            # rooms, floors, arrows, circles, upward arrows
    python layout_check.py CHECKOUT --rooms    # and where each room of today goes, with lines
    python layout_check.py CHECKOUT --inverted # and every import that must be turned round

Every definition (and constant) at the top of a file is a unit; a file has one home, and single
units may have another (``UNITS``). A unit uses the names that stand in it; a name that comes
through the face of a public folder is followed to the file that defines it. An arrow between rooms
is a unit of one that uses a unit of another. An import that stands in ``INVERTED`` is not drawn:
how it is turned round is said there. Nothing of the package is run. Lines are those of code.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from collections import Counter, defaultdict
from pathlib import Path

import networkx as nx

PACKAGE = "skcausalpima"

#: Floors, from below: a room may use those of lower lines, and itself.
FLOORS = [
    ["exceptions"],
    ["_base"],
    ["graph"],
    ["core"],
    ["functional", "callback", "decoders"],
    ["modules", "samples"],
    ["held_out"],
    ["datasets", "metrics", "start"],
    ["cluster"],
    ["fitted"],
    ["judge", "extras"],
    ["_fit"],
    ["model_selection", "inspection"],
    ["_causal_pima"],
    ["__init__"],
]

#: Today's rooms and files, and where they go; the longest prefix counts.
HOMES = {
    "__init__": "__init__",
    "_base": "_base",
    "exceptions": "exceptions",
    "callback": "callback",
    "cluster": "cluster",
    "datasets": "datasets",
    "metrics": "metrics",
    "graph": "graph",
    "_structure": "graph/search",
    "_causal_pima": "_causal_pima",
    "model_selection": "model_selection",
    "functional": "core/equations",
    "functional/__init__": "functional",
    "modules": "core/networks",
    "modules/__init__": "modules",
    "modules/_experts": "decoders/experts",
    "modules/_column_decoder": "decoders",
    "modules/_column_likelihoods": "decoders",
    "modules/_count_likelihoods": "decoders",
    "_training": "core",
    "_training/decoder_updates": "decoders/experts",
    "_training/distillation": "extras/incomplete",
    "_training/filling": "extras/incomplete",
    "_training/linear_locations": "extras/incomplete",
    "_model/build": "decoders",
    "_model/spec": "decoders",
    "_model/experts": "_fit",
    "_model/left_open": "start",
    "_model/objects": "_fit",
    "_model/parameters": "_fit",
    "_model/process_group": "extras/ranks",
    "_model/scaled_rows": "extras/disk",
    "_model/scaled_samples": "samples",
    "_model/settings": "core",
    "_model/setup": "_fit",
    "_model/shares": "samples",
    "_model/stated": "_fit",
    "_model/surroundings": "core",
    "_model/tensors": "samples",
    "_data": "samples",
    "_data/contexts": "extras/contexts",
    "_contexts": "extras/contexts",
    "_inference/contexts": "extras/contexts",
    "_fit/adaptation": "extras/contexts",
    "_clustering": "start",
    "_clustering/found_again": "judge",
    "_model": "_fit",
    "_clustering/enough_samples": "judge",
    "_initialization": "start",
    "_initialization/experts": "decoders/experts",
    "_initialization/low_rank": "extras/incomplete",
    "_inference": "fitted",
    "_inference/posterior": "core",
    "_inference/reports": "judge",
    "_state": "fitted",
    "_held_out": "held_out",
    "_judge": "judge",
    "_start": "start",
    "_fit": "_fit",
    "_fit/few_samples": "judge",
    "_fit/known_factors": "judge",
    "_fit/short_runs": "judge",
    "_fit/stability": "judge",
    "_fit/convergence": "judge",
    "_fit/arrivals": "extras/going_on",
    "_fit/checkpoint": "extras/going_on",
    "_fit/data_parallel": "extras/ranks",
    "_fit/run": "core",
    "_fit/mixture_refits": "inspection/tests",
    "_fit/several_mixtures": "inspection/tests",
    "_fit/new_label_draws": "extras/contexts",
    "inspection": "inspection/tests",
    "inspection/__init__": "inspection",
    "inspection/_displays": "inspection/displays",
    "inspection/_edge_report": "inspection/results",
    "inspection/_goodness_report": "inspection/results",
    "inspection/_fit_report": "inspection/report",
    "inspection/_mailed_report": "inspection/report",
    "inspection/_report_lines": "inspection/report",
    "inspection/_report_page": "inspection/report",
    "inspection/_reported_fit": "inspection/report",
    "inspection/_report_findings": "inspection/report",
    "inspection/_short_report": "inspection/report",
    "inspection/_differing_columns": "inspection/report",
    "inspection/_report_text": "inspection/report",
    "inspection/_tried_starts": "inspection/report",
    "inspection/_line_or_heaps": "judge",
    "inspection/_halves_of_one_heap": "judge",
}

#: Single definitions that go elsewhere than the rest of their file.
UNITS: dict[str, dict[str, str]] = {
    "_model/tensors": {"BLOCK_ROWS": "core"},
    "_model/build": {"export_state": "core", "load_state": "core"},
    "_model/spec": {"tables_of_numbers": "start", "are_tables_of_numbers": "start"},
    "_model/settings": {"LastFit": "_fit"},
    "_model/setup": {"Setup": "start"},  # becomes Asked here and Settled in core
    "_model/left_open": {"tables_of_own_scale": "_fit", "what_is_left_open": "_fit"},
    "_model/parameters": {"prediction_device": "core", "resolve_device": "core"},
    "_training/decoder_updates": {
        "fit_last_layers": "core",
        "Regressions": "core",
        "N_FOLDS": "core",
        "LEAST_SQUARES": "core",
        "PRIOR_SHARES": "core",
        "_error": "core",
        "_regression": "core",
    },
    "_training/holding": {"starting_cells": "start"},
    "_initialization/initialize": {"RunState": "core"},
    "callback": {"EpochRecord": "core"},
    "modules/_experts/checks": {"ExpertError": "core"},
    "inspection/_fitted_estimator": {"is_empty": "judge"},
    "_data/column_kinds": dict.fromkeys(
        [
            "DEPTH",
            "Layout",
            "LEVELLED",
            "COUNTS",
            "LIKELIHOODS",
            "has_many_levels",
            "slices_of",
            "between",
            "MANY_LEVELS",
            "MAX_LEVELS",
        ],
        "decoders",
    ),
}

#: (unit's file, used file): how the import is turned round. "*" stands for any.
SAMPLES = "a: takes core's protocol Samples (and Batch) in place of the class"
PARTS = "b: takes the parts of the setup that it uses (Settled, TrainingSettings, units)"
SEEN = "c: asks samples.seen_by(model), which fills gaps and computes views"
ASKED = "d: asks the Decoder (statistics, update, check), not its kind"
RUN = "e: core trains and ends; who opens, judges, lays anew and distils is handed in by _fit"
BESIDE = "f: the gate keeps labels beside X as they are; who stated them reads them"
FITTED = "g: a fit keeps parts by name (arrays, removed, added, log_weights); it names none"
RANKS = "h: a method of Ranks, of which the one of a single process does nothing"
SHIFTS = "i: gets shifts of the units from whoever scaled"
OWN = "k: core returns a record of its own; fitted declares how it is kept"
TABLE = "l: a table of samples is asked (is_streamed, read, tensor), not its kind; OnDisk makes it"
CHECK = "j: gets what it needs of the parameters as an argument"
INVERTED: dict[tuple[str, str], str] = {
    ("*", "_model/tensors:TensorData"): SAMPLES,
    ("*", "_model/shares:share_of"): SAMPLES,
    ("_fit/run", "_data/samples:FitSamples"): SAMPLES,
    ("*", "_model/setup:Setup"): PARTS,
    ("*", "_training/filling:filled"): SEEN,
    ("*", "_training/filling:viewed"): SEEN,
    ("*", "_training/filling:check_decoders"): SEEN,
    ("*", "_initialization/low_rank:filled_data"): SEEN,
    ("*", "_initialization/low_rank:filled_by_low_rank"): SEEN,
    ("_training/block_update", "_training/decoder_updates"): ASKED,
    ("_training/sums", "_training/decoder_updates"): ASKED,
    ("_training/ending", "modules/_experts/scaled"): ASKED,
    ("modules/_decoder_protocol", "modules/_experts/expert_decoder"): ASKED,
    ("modules/_observation_model", "modules/_experts/scaled"): ASKED,
    **{
        ("_fit/run", used): RUN
        for used in (
            "_initialization/initialize",
            "_initialization/initial_sample",
            "_fit/checkpoint",
            "_fit/stability",
            "_inference/reports",
            "_training/distillation",
            "_state/training",
            "_state/fitted",
            "_clustering/candidates",
            "_clustering/many_cells",
        )
    },
    **{
        ("_initialization/initialize", used): RUN
        for used in ("_clustering/candidates", "_training/holding", "_initialization/mixture")
    },
    **{
        (user, "_data/contexts"): BESIDE
        for user in ("_data/containers", "_data/validation", "_inference/fitted_model")
    },
    **{
        ("*", used): FITTED
        for used in (
            "_contexts/fitted:FittedContexts",
            "_contexts/fitted:NO_CONTEXTS",
            "_contexts/fitted:links",
            "_inference/contexts:ContextModel",
        )
    },
    ("*", "_state/fitted:HardGraph"): OWN,
    ("_model/tensors", "_model/scaled_rows"): TABLE,
    ("_model/scaled_samples", "_model/scaled_rows"): TABLE,
    ("_model/tensors", "_model/process_group"): RANKS,
    ("_fit/data_parallel", "_model/objects"): CHECK,
    ("_fit/data_parallel", "_model/stated"): CHECK,
    ("_training/observer", "_data/scaling"): SHIFTS,
    ("_state/stored", "_model/parameters"): CHECK,
    ("_state/stored", "_model/experts"): CHECK,
}


def code_lines(text: str) -> int:
    """Return the number of lines without docstrings, comments and blanks."""
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, kinds) and ast.get_docstring(node):
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


class House:
    """The package as it is, as units and what they use."""

    def __init__(self, package: Path) -> None:
        self.files = {
            str(p.relative_to(package).with_suffix("")): p for p in sorted(package.rglob("*.py"))
        }
        self.trees = {name: ast.parse(p.read_text()) for name, p in self.files.items()}
        self.lines = {name: code_lines(p.read_text()) for name, p in self.files.items()}
        self.imports = {name: self._imports(name) for name in self.files}
        self.units = {name: self._units(name) for name in self.files}

    def _module(self, parts: list[str]) -> str | None:
        plain, face = "/".join(parts), "/".join([*parts, "__init__"])
        return plain if plain in self.files else face if face in self.files else None

    def _imports(self, name: str) -> dict[str, tuple[str, str]]:
        """Return what names in a file stand for: a file and a name in it."""
        folder, known = name.split("/")[:-1], {}
        for node in ast.walk(self.trees[name]):
            if not isinstance(node, ast.ImportFrom):
                continue
            words = (node.module or "").split(".") if node.module else []
            if node.level:
                words = folder[: len(folder) - node.level + 1] + words
            elif words[:1] == [PACKAGE]:
                words = words[1:]
            else:
                continue
            for alias in node.names:
                own = alias.asname or alias.name
                whole = self._module([*words, alias.name])
                target = whole or self._module(words)
                if target is not None and target != name:
                    known[own] = (target, "" if whole else alias.name)
        return known

    def _units(self, name: str) -> dict[str, set[str]]:
        """Return the definitions of a file, each with the names that stand in it."""
        units: dict[str, set[str]] = defaultdict(set)
        for node in self.trees[name].body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                keys = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                keys = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            elif isinstance(node, ast.Import | ast.ImportFrom):
                continue
            else:
                keys = [""]
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            strings = {  # annotations stand as they are: from __future__ import annotations
                n.value
                for n in ast.walk(node)
                if isinstance(n, ast.Constant)
                and isinstance(n.value, str)
                and n.value.isidentifier()
            }
            for key in keys:
                units[key] |= names | (strings & set(self.imports[name]))
        return units

    def origin(self, file: str, name: str) -> tuple[str, str]:
        """Return the file that defines a name, followed through faces."""
        while name and name not in self.units[file] and name in self.imports[file]:
            file, name = self.imports[file][name]
        return file, name

    def uses(self) -> set[tuple[str, str, str, str]]:
        """Return pairs of units, the first of which uses the second."""
        pairs = set()
        for file, units in self.units.items():
            if file.endswith("__init__") and file != "__init__":
                continue  # a face only hands names on: it stands above what it shows
            for unit, names in units.items():
                for name in names:
                    if name in units and name != unit:
                        pairs.add((file, unit, file, name))
                    elif name in self.imports[file]:
                        pairs.add((file, unit, *self.origin(*self.imports[file][name])))
        return pairs


def home(file: str, unit: str = "") -> str:
    """Return the folder that a unit goes to."""
    if unit in UNITS.get(file, {}):
        return UNITS[file][unit]
    parts = file.split("/")
    for n in range(len(parts), 0, -1):
        if "/".join(parts[:n]) in HOMES:
            return HOMES["/".join(parts[:n])]
    raise KeyError(file)


def room(folder: str) -> str:
    return folder.split("/")[0]


def how(user: str, used: str, unit: str) -> str | None:
    for key in ((user, f"{used}:{unit}"), (user, used), ("*", f"{used}:{unit}"), ("*", used)):
        if key in INVERTED:
            return INVERTED[key]
    return None


def main() -> None:  # noqa: C901 - a list of figures
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rooms", action="store_true")
    parser.add_argument("--inverted", action="store_true")
    options = parser.parse_args()
    house = House(options.checkout / PACKAGE)
    today = {(u.split("/")[0], d.split("/")[0]) for u, _, d, _ in house.uses()}
    today = {(u, d) for u, d in today if u != d}
    print(
        f"| arrows today, counted alike (and without _base, exceptions) | {len(today)}, "
        f"{sum(d not in ('_base', 'exceptions') for _, d in today)} |"
    )
    floor = {name: k for k, names in enumerate(FLOORS) for name in names}
    graph, turned, up = nx.DiGraph(), defaultdict(set), defaultdict(set)
    graph.add_nodes_from(floor)
    fine = nx.DiGraph()
    for user, unit, used, name in sorted(house.uses()):
        one, other = home(user, unit), home(used, name)
        if one != other and room(one) == room(other):
            fine.add_edge(one, other)
        if room(one) == room(other):
            continue
        if floor[room(other)] >= floor[room(one)]:
            reason = how(user, used, name)
            if reason is None:
                up[room(one), room(other)].add(f"{user}:{unit} -> {used}:{name}")
            else:
                turned[reason].add((user, used, name))
            continue
        graph.add_edge(room(one), room(other))
    for face in ("functional", "modules"):
        graph.add_edge(face, "core")
    graph.add_edges_from([("modules", "decoders"), ("__init__", "_causal_pima")])
    print(f"| rooms | {len(graph)} |")
    print(f"| floors | {len(FLOORS)} |")
    print(f"| arrows between rooms | {graph.number_of_edges()} |")
    known = {"_base", "exceptions"}
    print(
        "| of these but those to _base and exceptions | "
        f"{sum(other not in known for _, other in graph.edges)} |"
    )
    print(f"| circles of rooms | {len(list(nx.simple_cycles(graph)))} |")
    print(f"| upward arrows that nothing turns round | {sum(map(len, up.values()))} |")
    files = {(u, d) for found in turned.values() for u, d, _ in found}
    print(
        f"| imports that are turned round: pairs of files, of units | {len(files)}, "
        f"{sum(map(len, turned.values()))} |"
    )
    pairs = {(u, d) for found in turned.values() for u, d, _ in found}
    print(f"| of these out of core | {sum(room(home(u)) == 'core' for u, _ in pairs)} |")
    for (one, other), found in sorted(up.items()):
        print(f"UP {one} -> {other}")
        for line in sorted(found):
            print("    ", line)
    for name in sorted(set(graph.successors("core"))):
        print(f"core -> {name}")
    inner = list(nx.simple_cycles(fine))
    print(f"| circles of folders within a room | {len(inner)} |", inner[:8])
    if options.inverted:
        for reason, found in sorted(turned.items(), key=lambda item: -len(item[1])):
            pairs = Counter((u, d) for u, d, _ in found)
            print(f"TURNED {reason}: {len(pairs)} pairs of files")
            for (u, d), n in sorted(pairs.items()):
                print(f"     {u} -> {d} ({n})")
    if options.rooms:
        table, after = defaultdict(Counter), Counter()
        n_files = Counter()
        for file, lines in house.lines.items():
            table[file.split("/")[0]][home(file)] += lines
            after[home(file)] += lines
            n_files[home(file)] += 1
        for name, goes in sorted(table.items()):
            print(
                f"| {name} | {sum(goes.values())} | "
                + ", ".join(f"{where} {n}" for where, n in goes.most_common())
                + " |"
            )
        for name, lines in sorted(after.items()):
            print(f"| -> {name} | {lines} | {n_files[name]} files |")
        total = Counter()
        for name, lines in after.items():
            total[room(name)] += lines
        print(dict(total), sum(total.values()))


if __name__ == "__main__":
    main()
