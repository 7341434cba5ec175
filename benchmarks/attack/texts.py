"""Texts of graphs with a few changes: what editors, other programs and cut-off transfers leave."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
from attack.calls import dag
from attack.verdicts import Case, require_finite

from skcausalpima.graph import CategoricalDAG

WORDS = re.compile(r"\s+|[A-Za-z_][\w.]*|-?[\d.]+(?:[eE][+-]?\d+)?|.", re.DOTALL)
#: What a word may become.
OTHERS = (
    *("", "x", "N1", "N2", "N9", "0", "1", "-1", "0.5", "2", "1e400", "9" * 400, "nan", "NaN"),
    *("Infinity", "-Infinity", "null", "true", "[]", "{}", "[", "]", "{", "}", "(", ")", ",", ";"),
    *("|", '"', "'", "\\", "/*", "//", "<", ">", "&", "\0", "\ufeff", "\ud800", "1_000", "0x10"),
    *("100000000", "99999999999", "[" * 20000, "(" * 20000, "{" * 3000, '{"a":' * 20000),
    *("variable", "probability", "table", "default", "type discrete [ 0 ] { };", "network"),
)
#: Texts as a whole.
WHOLE = (
    *(None, 5, b"", "", " ", "{}", "[]", "null", "0", "[" * 100000, '"', "network", "{", "<a/>"),
    *("variable x", "probability", "probability ( | ) { }", 1.5, object(), ["{}"]),
    "variable a { type discrete [ 0 ] { }; } probability ( a ) { table ; }",
    "variable a { type discrete [ 4000000000 ] { a }; } probability ( a ) { table 1; }",
    "".join(f"variable v{k} {{ type discrete [ 2 ] {{ a, b }}; }}\n" for k in range(71))
    + f"probability ( v0 | {', '.join(f'v{k}' for k in range(1, 71))} ) {{ default 0.5, 0.5; }}",
    "".join(f"variable v{k} {{ type discrete [ 2 ] {{ a, b }}; }}\n" for k in range(30))
    + f"probability ( v0 | {', '.join(f'v{k}' for k in range(1, 30))} ) {{ default 0.5, 0.5; }}",
)
FORMATS = ("bif", "json")


@cache
def _words(form: str) -> list[str]:
    return WORDS.findall(getattr(dag(), f"to_{form}")())


def case(rng: np.random.Generator) -> Case:
    """Read a text with one to three changes, or one that is nothing of the kind."""
    form = FORMATS[rng.integers(len(FORMATS))]
    if rng.random() < 0.15:
        position = int(rng.integers(len(WHOLE)))
        return _reading(form, f"WHOLE[{position}]", WHOLE[position])
    words, texts = list(_words(form)), []
    for _ in range(rng.integers(1, 4)):
        texts.append(_change(rng, words))
    return _reading(form, "; ".join(texts), "".join(words))


def _change(rng: np.random.Generator, words: list[str]) -> str:
    """Change one word in place; return how."""
    position, way = int(rng.integers(len(words))), rng.integers(6)
    if way == 0:
        del words[position:]
        words.append("")
        return f"cut at word {position}"
    if way == 1:
        other = int(rng.integers(len(words)))
        words[position], words[other] = words[other], words[position]
        return f"words {position} and {other} exchanged"
    if way == 2:
        start = int(rng.integers(len(words)))
        words[position:position] = words[start : start + 40]
        return f"words {start} to {start + 40} again at {position}"
    other = OTHERS[rng.integers(len(OTHERS))]
    old, words[position] = words[position], other
    return f"word {position} {old!r} -> {other[:20]!r}{'..' if len(other) > 20 else ''}"


def _reading(form: str, text: str, content: Any) -> Case:
    def run() -> None:
        read = getattr(CategoricalDAG, f"from_{form}")(content)
        require_finite(list(read.cpts.values()))
        getattr(read, f"to_{form}")()

    return Case(f"from_{form}: {text}", run)
