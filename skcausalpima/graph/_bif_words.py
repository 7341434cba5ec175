"""Words and entries of the Bayesian interchange format (BIF)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from ._texts import shown

SIGNS = frozenset("{}()[]|,;")
WORD = re.compile(r"(?!/[/*])[^\s{}()\[\]|,;\"]+")
# A quote or a comment that is not closed takes the rest of the text, so that each character is
# looked at once.
_TOKEN = re.compile(rf"{WORD.pattern}|[{{}}()\[\]|,;]|\"[^\"]*\"?|//[^\n]*|/\*(?s:.*?)(?:\*/|\Z)")
_COMMENT = ("//", "/*")


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

    def next(self, optional: bool = False) -> str | None:
        """Return the next word; None (or an error) at the end."""
        if self._position == len(self._tokens):
            if optional:
                return None
            raise ValueError(f"The BIF text ends in the middle of an entry, {self.where()}.")
        self._position += 1
        return self._tokens[self._position - 1]

    def name(self) -> str:
        """Return the next word, which must be a name."""
        word = self.next()
        if word is None or word in SIGNS:
            raise ValueError(f"Expected a name {self.where()}; got {word!r}.")
        return word.strip('"')

    def expect(self, sign: str) -> None:
        """Skip one given word."""
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

    def skip_property(self) -> None:
        """Skip anything up to the next semicolon."""
        while self.next() != ";":
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
        words.skip_property()
    if word != "type":
        raise ValueError(f"The variable {name!r} has the unknown entry {word!r} {words.where()}.")
    for sign in ("discrete", "["):
        words.expect(sign)
    size = words.name()
    for sign in ("]", "{"):
        words.expect(sign)
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
        words.skip_property()


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
            words.skip_property()
        elif word in ("table", "default"):
            entries.append(Entry(word, [], words.until(";")))
        elif word == "(":
            entries.append(Entry("row", words.until(")"), words.until(";")))
        else:
            raise ValueError(
                f"The probability of {name!r} has the unknown entry {word!r} {words.where()}."
            )
    return name, parents, entries
