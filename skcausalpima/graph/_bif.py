"""Methods of `CategoricalDAG` that write and read the Bayesian interchange format (BIF)."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

if TYPE_CHECKING:
    from ._categorical_dag import CategoricalDAG

_WORD = re.compile(r"[^\s{}()\[\]|,;\"]+")
_TOKEN = re.compile(rf"/\*.*?\*/|//[^\n]*|\"[^\"]*\"|[{{}}()\[\]|,;]|{_WORD.pattern}|\"", re.DOTALL)


def to_bif(self: CategoricalDAG) -> str:
    """Write the network in the Bayesian interchange format.

    Returns
    -------
    str
        Outcomes without names are called 0, 1, ...; attributes are not written.

    Raises
    ------
    ValueError
        If a name of a node or an outcome is not one word of the format (no blanks, commas,
        semicolons, bars, brackets or quotes).

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> print(CategoricalDAG.from_arrays([[0]], [[0.25, 0.75]]).to_bif())
    network unknown {
    }
    variable N1 {
      type discrete [ 2 ] { 0, 1 };
    }
    probability ( N1 ) {
      table 0.25, 0.75;
    }
    <BLANKLINE>
    """
    states = {}
    for node, size in zip(self.nodes, self.sizes, strict=True):
        states[node] = self.states.get(node, tuple(map(str, range(size))))
        for word in (node, *states[node]):
            if not isinstance(word, str) or not _WORD.fullmatch(word) or word.startswith("//"):
                raise ValueError(f"Node {node!r}: {word!r} cannot be written as a word of BIF.")
    lines = ["network unknown {", "}"]
    for node, names in states.items():
        lines += [f"variable {node} {{", f"  type discrete [ {len(names)} ] {{ {_join(names)} }};"]
        lines.append("}")
    for node in self.nodes:
        parents = list(self.graph.predecessors(node))
        given = f" | {_join(parents)}" if parents else ""
        lines.append(f"probability ( {node}{given} ) {{")
        rows = self.cpts[node].reshape(-1, len(states[node]))
        labels = product(*(states[parent] for parent in parents))
        for label, row in zip(labels, rows.tolist(), strict=True):
            lines.append(f"  {f'({_join(label)})' if parents else 'table'} {_join(row)};")
        lines.append("}")
    return "\n".join([*lines, ""])


def _join(items: Any) -> str:
    """Join words or numbers by commas."""
    return ", ".join(map(str, items))


def from_bif(cls: type[CategoricalDAG], text: str) -> CategoricalDAG:
    """Read a network in the Bayesian interchange format.

    Parameters
    ----------
    text : str
        The file's text. Comments and ``property`` entries are skipped; tables may be given by
        ``table``, by rows, or by rows and a ``default``.

    Returns
    -------
    CategoricalDAG
        The names of outcomes are in ``states``.

    Raises
    ------
    ValueError
        If a word is unknown or missing, or a table is incomplete or wrong; the message names the
        node and the entry.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> CategoricalDAG.from_bif(dag.to_bif()).states
    {'N1': ('0', '1'), 'N2': ('0', '1')}
    """
    words = _Words(text)
    states: dict[str, tuple[str, ...]] = {}
    blocks: dict[str, tuple[list[str], list[tuple[str, list[str], list[str]]]]] = {}
    while (keyword := words.next(optional=True)) is not None:
        if keyword == "network":
            while words.next() != "{":
                pass
            _properties(words, "network")
        elif keyword == "variable":
            name = words.name()
            if name in states:
                raise ValueError(f"The variable {name!r} is declared twice.")
            states[name] = _variable(words, name)
        elif keyword == "probability":
            name, parents, entries = _probability(words)
            if name in blocks:
                raise ValueError(f"There are two probability blocks for {name!r}.")
            blocks[name] = (parents, entries)
        else:
            raise ValueError(
                f"Unknown entry {keyword!r} {words.where()}; expected network, variable or "
                "probability."
            )
    return _build(cls, states, blocks)


def _build(cls: type[CategoricalDAG], states: dict[str, tuple[str, ...]], blocks: Any) -> Any:
    """Put variables and probability blocks together."""
    graph = nx.DiGraph()
    graph.add_nodes_from((name, {"states": names}) for name, names in states.items())
    tables = {}
    for name, (parents, entries) in blocks.items():
        for node in (name, *parents):
            if node not in states:
                raise ValueError(f"The probability of {name!r} names the unknown node {node!r}.")
        if len({name, *parents}) != len(parents) + 1:
            raise ValueError(f"The probability of {name!r} names a node twice.")
        graph.add_edges_from((parent, name) for parent in parents)
        tables[name] = _fill_table(name, [states[node] for node in (*parents, name)], entries)
    return cls(graph, tables)


def _fill_table(
    name: str, states: list[tuple[str, ...]], entries: list[tuple[str, list[str], list[str]]]
) -> np.ndarray:
    """Build one table, axes (*parents, node), from a probability block's entries."""
    shape = tuple(map(len, states))
    array = np.full(shape, np.nan)
    for kind, labels, values in sorted(entries, key=lambda entry: entry[0] != "default"):
        numbers = _numbers(name, values)
        index: tuple[int, ...] = ()
        if kind == "row":
            index = _row_index(name, labels, states[:-1])
        expected = array.size if kind == "table" else shape[-1]
        if len(numbers) != expected:
            raise ValueError(
                f"The probability of {name!r}, entry {kind} {tuple(labels)}, has {len(numbers)} "
                f"numbers; expected {expected}."
            )
        if kind == "table":  # the node's own outcome varies slowest in this form
            array[...] = np.moveaxis(np.reshape(numbers, (shape[-1], *shape[:-1])), 0, -1)
        else:
            array[index] = numbers
    missing = np.argwhere(np.isnan(array[..., 0]))
    if len(missing):
        labels = tuple(names[i] for names, i in zip(states, missing[0], strict=False))
        raise ValueError(f"The probability of {name!r} has no entry for {labels}.")
    return array


def _numbers(name: str, values: list[str]) -> list[float]:
    """Convert the numbers of one entry."""
    try:
        return [float(value) for value in values]
    except ValueError as error:
        raise ValueError(f"The probability of {name!r} has a bad entry: {error}.") from error


def _row_index(name: str, labels: list[str], states: list[tuple[str, ...]]) -> tuple[int, ...]:
    """Find the row that the parents' outcomes name."""
    known = len(labels) == len(states) and all(
        label in names for label, names in zip(labels, states, strict=True)
    )
    if not known:
        raise ValueError(
            f"The probability of {name!r} has an entry for {tuple(labels)}, which are no outcomes "
            f"of its parents; those are {states}."
        )
    return tuple(names.index(label) for label, names in zip(labels, states, strict=True))


class _Words:
    """The words and signs of a BIF file, one at a time."""

    def __init__(self, text: str) -> None:
        matches = [m for m in _TOKEN.finditer(text) if not m.group().startswith(("//", "/*"))]
        self._tokens = [match.group() for match in matches]
        self._lines = [text.count("\n", 0, match.start()) + 1 for match in matches]
        self._position = 0

    def next(self, optional: bool = False) -> str | None:
        """Return the next word; None (or an error) at the end."""
        if self._position == len(self._tokens):
            if optional:
                return None
            raise ValueError("The BIF text ends in the middle of an entry.")
        self._position += 1
        return self._tokens[self._position - 1]

    def name(self) -> str:
        """Return the next word, which must be a name."""
        word = self.next()
        if word == '"' or (not word.startswith('"') and not _WORD.fullmatch(word)):
            raise ValueError(f"Expected a name {self.where()}; got {word!r}.")
        return word.strip('"')

    def expect(self, sign: str) -> None:
        """Skip one given word."""
        word = self.next()
        if word != sign:
            raise ValueError(f"Expected {sign!r} {self.where()}; got {word!r}.")

    def until(self, sign: str) -> list[str]:
        """Return the names before a given sign, skip commas and the sign."""
        names = []
        while self._tokens[self._position : self._position + 1] != [sign]:
            if self._tokens[self._position : self._position + 1] == [","]:
                self._position += 1
            else:
                names.append(self.name())
        self._position += 1
        return names

    def skip_property(self) -> None:
        """Skip anything up to the next semicolon."""
        while self.next() != ";":
            pass

    def where(self) -> str:
        """Say where the last word stands."""
        return f"in line {self._lines[self._position - 1]}"


def _properties(words: _Words, owner: str) -> None:
    """Skip the properties up to the closing bracket."""
    while (word := words.next()) != "}":
        if word != "property":
            raise ValueError(f"{owner!r} has the unknown entry {word!r} {words.where()}.")
        words.skip_property()


def _variable(words: _Words, name: str) -> tuple[str, ...]:
    """Read a variable's block and return its outcomes."""
    words.expect("{")
    while (word := words.next()) == "property":
        words.skip_property()
    if word != "type":
        raise ValueError(f"The variable {name!r} has the unknown entry {word!r} {words.where()}.")
    for sign in ("discrete", "["):
        words.expect(sign)
    size = words.name()
    for sign in ("]", "{"):
        words.expect(sign)
    names = tuple(words.until("}"))
    words.expect(";")
    if size != str(len(names)):
        raise ValueError(
            f"The variable {name!r} is declared with {size} outcomes, but names {names}."
        )
    _properties(words, name)
    return names


def _probability(words: _Words) -> tuple[str, list[str], list[tuple[str, list[str], list[str]]]]:
    """Read a probability block: the node, its parents and the entries (kind, labels, numbers)."""
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
            words.skip_property()
        elif word in ("table", "default"):
            entries.append((word, [], words.until(";")))
        elif word == "(":
            entries.append(("row", words.until(")"), words.until(";")))
        else:
            raise ValueError(
                f"The probability of {name!r} has the unknown entry {word!r} {words.where()}."
            )
    return name, parents, entries
