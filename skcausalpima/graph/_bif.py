"""The Bayesian interchange format (BIF), written and read."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike

from ._validation import Floats, Tables, check_text, shown

MAX_FILLED = 2**22  # cells that `default` may fill, in all tables together; 32 MiB
SIGNS = frozenset("{}()[]|,;")
WORD = re.compile(r"(?!/[/*])[^\s{}()\[\]|,;\"]+")
# A quote or a comment that is not closed takes the rest of the text, so that each character is
# looked at once.
_TOKEN = re.compile(rf"{WORD.pattern}|[{{}}()\[\]|,;]|\"[^\"]*\"?|//[^\n]*|/\*(?s:.*?)(?:\*/|\Z)")
_COMMENT = ("//", "/*")


def to_bif(graph: nx.DiGraph, tables: Tables) -> str:
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


def from_bif(text: str) -> tuple[nx.DiGraph, Tables]:
    """Read a network: a graph whose nodes have ``states``, and one table per node."""
    words = Words(check_text(text, "from_bif"))
    states: dict[str, tuple[str, ...]] = {}
    blocks: dict[str, tuple[list[str], list[Entry]]] = {}
    while words.is_left():
        keyword = words.next()
        if keyword == "network":
            words.skip_to("{")
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
    states: dict[str, tuple[str, ...]], blocks: dict[str, tuple[list[str], list[Entry]]]
) -> tuple[nx.DiGraph, Tables]:
    """Put variables and probability blocks together."""
    graph = nx.DiGraph()
    graph.add_nodes_from((name, {"states": names}) for name, names in states.items())
    tables: Tables = {}
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
) -> Floats:
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


def _shaped(name: str, numbers: ArrayLike, shape: list[int]) -> Floats:
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
    default: list[float] = []
    rows: dict[tuple[str, ...], list[float]] = {}
    for entry in entries:
        numbers, labels = _numbers(name, entry, len(outcomes)), tuple(entry.labels)
        if entry.kind == "default":
            default = numbers
            continue
        if len(labels) != len(parents) or not all(map(tuple.__contains__, parents, labels)):
            raise ValueError(
                f"The probability of {name!r} has an entry for {shown(labels)}, which are no "
                f"outcomes of its parents; those are {shown(parents)}."
            )
        if labels in rows:
            raise ValueError(f"The probability of {name!r} has two entries for {shown(labels)}.")
        rows[labels] = numbers
    if not default and len(rows) < math.prod(map(len, parents)):
        missing = next(labels for labels in product(*parents) if labels not in rows)
        raise ValueError(f"The probability of {name!r} has no entry for {shown(missing)}.")
    return [rows.get(labels, default) for labels in product(*parents)]


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


@dataclass(frozen=True)
class Entry:
    """One entry of a probability block.

    Parameters
    ----------
    kind : {"table", "default", "row"}
        What the numbers are.
    labels : list of str
        For a row, outcomes of the parents.
    values : list of str
        The numbers as they are written.
    """

    kind: str
    labels: list[str]
    values: list[str]


class Words:
    """The words and signs of a BIF file, one at a time.

    Parameters
    ----------
    text : str
        The file's text.

    Raises
    ------
    ValueError
        If a comment or a quoted name is not closed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        tokens = _TOKEN.findall(text)
        self._tokens = [token for token in tokens if not token.startswith(_COMMENT)]
        last = tokens[-1] if tokens else ""
        for name, start, end in (("comment", "/*", "*/"), ("quoted name", '"', '"')):
            if last.startswith(start) and not last.endswith(end, len(start)):
                line = text.count("\n", 0, text.rindex(last)) + 1
                raise ValueError(f"The BIF text has a {name} without an end; see line {line}.")

    def is_left(self) -> bool:
        """Return whether there is another word."""
        return self._position < len(self._tokens)

    def next(self) -> str:
        """Return the next word."""
        if not self.is_left():
            raise ValueError(f"The BIF text ends in the middle of an entry, {self.where()}.")
        self._position += 1
        return self._tokens[self._position - 1]

    def name(self) -> str:
        """Return the next word, which must be a name."""
        word = self.next()
        if word in SIGNS:
            raise ValueError(f"Expected a name {self.where()}; got {word!r}.")
        return word.strip('"')

    def expect(self, *signs: str) -> None:
        """Skip given words."""
        for sign in signs:
            word = self.next()
            if word != sign:
                raise ValueError(f"Expected {sign!r} {self.where()}; got {word!r}.")

    def until(self, sign: str) -> list[str]:
        """Return the names before a given sign, skip commas and the sign."""
        start = self._position
        try:
            stop = self._tokens.index(sign, start)
        except ValueError:
            stop = len(self._tokens)
        names = [token for token in self._tokens[start:stop] if token != ","]
        if not SIGNS.isdisjoint(names):
            wrong = next(token for token in names if token in SIGNS)
            self._position = self._tokens.index(wrong, start) + 1
            raise ValueError(f"Expected a name or {sign!r} {self.where()}; got {wrong!r}.")
        self._position = stop
        self.expect(sign)
        return [name.strip('"') for name in names]

    def skip_to(self, sign: str) -> None:
        """Skip anything up to a sign, and this."""
        while self.next() != sign:
            pass

    def where(self) -> str:
        """Say where the last word stands; looked up for messages only."""
        matches = _TOKEN.finditer(self._text)
        words = (match for match in matches if not match.group().startswith(_COMMENT))
        last = next(islice(words, max(self._position - 1, 0), None), None)
        return f"in line {self._text.count(chr(10), 0, last.start() if last else 0) + 1}"


def read_variable(words: Words, name: str) -> tuple[str, ...]:
    """Read a variable's block.

    Parameters
    ----------
    words : Words
        Behind the variable's name.
    name : str
        The variable.

    Returns
    -------
    tuple of str
        Its outcomes.

    Raises
    ------
    ValueError
        If an entry is unknown, or the outcomes are none, two the same, or not as many as declared.
    """
    words.expect("{")
    while (word := words.next()) == "property":
        words.skip_to(";")
    if word != "type":
        raise ValueError(f"The variable {name!r} has the unknown entry {word!r} {words.where()}.")
    words.expect("discrete", "[")
    size = words.name()
    words.expect("]", "{")
    names = tuple(words.until("}"))
    if size != str(len(names)):
        raise ValueError(
            f"The variable {name!r} is declared with {size} outcomes, but names {shown(names)}, "
            f"{words.where()}."
        )
    if not names or len(set(names)) != len(names):
        raise ValueError(
            f"The variable {name!r} needs one or more outcomes, all different; it names "
            f"{shown(names)}, {words.where()}."
        )
    words.expect(";")
    skip_properties(words, name)
    return names


def skip_properties(words: Words, owner: str) -> None:
    """Skip the properties up to the closing bracket.

    Parameters
    ----------
    words : Words
        In a block.
    owner : str
        Whose block.

    Raises
    ------
    ValueError
        If there is anything else.
    """
    while (word := words.next()) != "}":
        if word != "property":
            raise ValueError(f"{owner!r} has the unknown entry {word!r} {words.where()}.")
        words.skip_to(";")


def read_probability(words: Words) -> tuple[str, list[str], list[Entry]]:
    """Read a probability block.

    Parameters
    ----------
    words : Words
        Behind the block's keyword.

    Returns
    -------
    name : str
        The node.
    parents : list of str
        Its parents.
    entries : list of Entry
        What the block says.

    Raises
    ------
    ValueError
        If a word is none of those that may stand there.
    """
    words.expect("(")
    name = words.name()
    separator = words.next()
    if separator not in ("|", ")"):
        raise ValueError(f"Expected '|' or ')' {words.where()}; got {separator!r}.")
    parents = words.until(")") if separator == "|" else []
    words.expect("{")
    entries = []
    while (word := words.next()) != "}":
        if word == "property":
            words.skip_to(";")
        elif word in ("table", "default"):
            entries.append(Entry(word, [], words.until(";")))
        elif word == "(":
            entries.append(Entry("row", words.until(")"), words.until(";")))
        else:
            raise ValueError(
                f"The probability of {name!r} has the unknown entry {word!r} {words.where()}."
            )
    return name, parents, entries
