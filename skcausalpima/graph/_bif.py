"""The Bayesian interchange format (BIF), written and read."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from itertools import count, product
from typing import cast

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bif_words import WORD, Entry, Words, read_probability, read_variable, skip_properties
from ._texts import check_text, shown

MAX_FILLED = 2**22  # cells that `default` may fill, in all tables together; 32 MiB


def to_bif(graph: nx.DiGraph, tables: dict[Hashable, NDArray[np.float64]]) -> str:
    """Write a network, a graph and one table per node, in the format."""
    states = {}
    for node, data in graph.nodes(data=True):
        states[node] = data.get("states", tuple(map(str, range(data["size"]))))
        for word in (node, *states[node]):
            if not isinstance(word, str) or not WORD.fullmatch(word):
                raise ValueError(
                    f"Node {node!r}: {word!r} cannot be written as a word of BIF, which has no "
                    "spaces, commas, quotes or brackets. rename_nodes gives nodes other names."
                )
    lines = ["network unknown {", "}"]
    for node, names in states.items():
        lines += [f"variable {node} {{", f"  type discrete [ {len(names)} ] {{ {_join(names)} }};"]
        lines.append("}")
    for node in graph:
        parents = list(graph.predecessors(node))
        given = f" | {_join(parents)}" if parents else ""
        lines.append(f"probability ( {node}{given} ) {{")
        rows = tables[node].reshape(-1, len(states[node]))
        labels = product(*(states[parent] for parent in parents))
        for label, row in zip(labels, rows.tolist(), strict=True):
            lines.append(f"  {f'({_join(label)})' if parents else 'table'} {_join(row)};")
        lines.append("}")
    return "\n".join([*lines, ""])


def _join(items: Iterable[Hashable]) -> str:
    """Join words or numbers by commas."""
    return ", ".join(map(str, items))


def from_bif(text: str) -> tuple[nx.DiGraph, dict[Hashable, NDArray[np.float64]]]:
    """Read a network: a graph whose nodes have ``states``, and one table per node."""
    words = Words(check_text(text, "from_bif"))
    states: dict[str, tuple[str, ...]] = {}
    blocks: dict[str, tuple[list[str], list[Entry]]] = {}
    while (keyword := words.next(optional=True)) is not None:
        if keyword == "network":
            while words.next() != "{":
                pass
            skip_properties(words, "network")
        elif keyword == "variable":
            name = words.name()
            if name in states:
                raise ValueError(f"The variable {name!r} is declared twice.")
            states[name] = read_variable(words, name)
        elif keyword == "probability":
            name, parents, entries = read_probability(words)
            if name in blocks:
                raise ValueError(f"There are two probability blocks for {name!r}.")
            blocks[name] = (parents, entries)
        else:
            raise ValueError(
                f"Unknown entry {keyword!r} {words.where()}; expected network, variable or "
                "probability."
            )
    return _build(states, blocks)


def _build(
    states: dict[str, tuple[str, ...]],
    blocks: dict[str, tuple[list[str], list[Entry]]],
) -> tuple[nx.DiGraph, dict[Hashable, NDArray[np.float64]]]:
    """Put variables and probability blocks together."""
    graph = nx.DiGraph()
    graph.add_nodes_from((name, {"states": names}) for name, names in states.items())
    tables: dict[Hashable, NDArray[np.float64]] = {}
    budget = MAX_FILLED
    for name, (parents, entries) in blocks.items():
        for node in (name, *parents):
            if node not in states:
                raise ValueError(f"The probability of {name!r} names the unknown node {node!r}.")
        if len({name, *parents}) != len(parents) + 1:
            raise ValueError(f"The probability of {name!r} names a node twice.")
        graph.add_edges_from((parent, name) for parent in parents)
        family = [states[node] for node in (*parents, name)]
        tables[name] = _make_table(name, family, entries, budget)
        budget -= _n_filled(family, entries)
    return graph, tables


def _n_filled(family: Sequence[tuple[str, ...]], entries: Sequence[Entry]) -> int:
    """Return how many cells a table has beyond the numbers that the text gives."""
    return max(math.prod(map(len, family)) - sum(len(entry.values) for entry in entries), 0)


def _make_table(
    name: str, family: list[tuple[str, ...]], entries: list[Entry], budget: int
) -> NDArray[np.float64]:
    """Build one table, axes (*parents, node), from a probability block's entries."""
    kinds = [entry.kind for entry in entries]
    if kinds.count("default") > 1 or ("table" in kinds and len(kinds) > 1):
        raise ValueError(
            f"The probability of {name!r} must have either one table, or rows and at most one "
            f"default; it has {', '.join(f'{kinds.count(k)} {k}' for k in sorted(set(kinds)))}."
        )
    if "default" in kinds and _n_filled(family, entries) > budget:
        raise ValueError(
            f"The default of {name!r} would fill {_n_filled(family, entries)} cells; all defaults "
            f"of a text may fill {MAX_FILLED}. Write the rows."
        )
    sizes = list(map(len, family))
    if kinds == ["table"]:  # the node's own outcome varies slowest in this form
        numbers = _numbers(name, entries[0], math.prod(sizes))
        return np.moveaxis(_shaped(name, numbers, [sizes[-1], *sizes[:-1]]), 0, -1)
    return _shaped(name, _collect_rows(name, family, entries), sizes)


def _shaped(name: str, numbers: ArrayLike, shape: list[int]) -> NDArray[np.float64]:
    """Make an array of numbers whose count is right."""
    try:
        return np.reshape(np.array(numbers, dtype=np.float64), shape)
    except ValueError as error:
        raise ValueError(
            f"The table of {name!r}, which has {len(shape) - 1} parents, is no array of NumPy's: "
            f"{error}."
        ) from error


def _collect_rows(
    name: str, family: list[tuple[str, ...]], entries: list[Entry]
) -> list[list[float]]:
    """Return the rows in the order of the parents' outcomes."""
    *parents, outcomes = family
    places = [{label: i for i, label in enumerate(names)} for names in parents]
    default = None
    rows: dict[int, list[float]] = {}
    for entry in entries:
        numbers = _numbers(name, entry, len(outcomes))
        if entry.kind == "default":
            default = numbers
            continue
        row = _row_number(name, entry.labels, places)
        if row in rows:
            raise ValueError(
                f"The probability of {name!r} has two entries for {shown(tuple(entry.labels))}."
            )
        rows[row] = numbers
    n_rows = math.prod(map(len, parents))
    if default is None and len(rows) < n_rows:
        missing = _row_labels(next(row for row in count() if row not in rows), parents)
        raise ValueError(f"The probability of {name!r} has no entry for {shown(missing)}.")
    return [rows[row] if row in rows else cast(list[float], default) for row in range(n_rows)]


def _numbers(name: str, entry: Entry, expected: int) -> list[float]:
    """Convert the numbers of one entry."""
    if len(entry.values) != expected:
        raise ValueError(
            f"The probability of {name!r}, entry {entry.kind} {shown(tuple(entry.labels))}, has "
            f"{len(entry.values)} numbers; expected {expected}."
        )
    try:
        return list(map(float, entry.values))
    except ValueError as error:
        raise ValueError(f"The probability of {name!r} has a bad entry: {error}.") from error


def _row_number(name: str, labels: list[str], places: list[dict[str, int]]) -> int:
    """Find the row that the parents' outcomes name."""
    known = len(labels) == len(places) and all(map(dict.__contains__, places, labels))
    if not known:
        raise ValueError(
            f"The probability of {name!r} has an entry for {shown(tuple(labels))}, which are no "
            f"outcomes of its parents; those are {shown(list(map(tuple, places)))}."
        )
    row = 0
    for place, label in zip(places, labels, strict=True):
        row = row * len(place) + place[label]
    return row


def _row_labels(row: int, parents: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the parents' outcomes that a row stands for."""
    labels = []
    for names in reversed(parents):
        row, place = divmod(row, len(names))
        labels.append(names[place])
    return tuple(reversed(labels))
