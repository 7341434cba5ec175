"""Names that fit into pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def plain(name: object) -> str:
    """Return a name that matplotlib does not take for mathematics.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import plain
    >>> print(plain("cost ($)"))
    cost (\\$)
    """
    return str(name).replace("$", r"\$")


def shortened(name: object, n_letters: int) -> str:
    """Cut the middle of a name out if it is longer than ``n_letters``.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import shortened
    >>> shortened("temperature_of_the_print_bed", 13)
    'temper…nt_bed'
    """
    text = str(name)
    if len(text) <= n_letters:
        return text
    if n_letters < 3:
        return text[:n_letters]
    n_last = (n_letters - 1) // 2
    return f"{text[: n_letters - 1 - n_last]}…{text[len(text) - n_last :]}"


def wrapped(name: object, n_letters: int, n_lines: int = 2) -> str:
    """Break a name into at most ``n_lines`` lines of ``n_letters``, at spaces and underscores.

    What does not fit is cut out of the middle of the name, see :func:`shortened`.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import wrapped
    >>> wrapped("temperature_of_the_print_bed", 15).splitlines()
    ['temperature_of_', 'the_print_bed']
    """
    text = str(name)
    for length in range(len(text), 0, -1):
        lines = _lines(shortened(text, length), n_letters)
        if len(lines) <= n_lines:
            return "\n".join(lines)
    return ""


def _lines(text: str, n_letters: int) -> list[str]:
    """Break a text behind spaces and underscores, and within words that are too long."""
    lines = [""]
    for word in text.replace("_", "_\0").replace(" ", " \0").split("\0"):
        if len((lines[-1] + word).rstrip()) > n_letters and lines[-1]:
            lines.append("")
        lines[-1] += word
        while len(lines[-1].rstrip()) > n_letters:
            lines[-1:] = [lines[-1][:n_letters], lines[-1][n_letters:]]
    return [line.rstrip() for line in lines if line.strip()]


def listed(names: Sequence[object], n_letters: int, n_lines: int = 3) -> str:
    """Write names one behind the other, the long ones shortened alike until they fit.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import listed
    >>> print(listed(["hue", "temperature_of_the_print_bed", "radius"], 24, 2))
    hue, temperatu…rint_bed,
    radius
    """
    texts = list(map(str, names))
    for longest in range(min(max(map(len, texts), default=1), n_letters - 1), 0, -1):
        lines = _packed([shortened(name, longest) for name in texts], n_letters)
        if len(lines) <= n_lines:
            return "\n".join(lines)
    return shortened(", ".join(texts), n_letters)


def _packed(names: Sequence[str], n_letters: int) -> list[str]:
    """Fill lines with whole names and commas."""
    lines = [""]
    for name in [f"{name}," for name in names[:-1]] + list(names[-1:]):
        if lines[-1] and len(lines[-1]) + 1 + len(name) > n_letters:
            lines.append("")
        lines[-1] += f" {name}" if lines[-1] else name
    return lines


def cell_names(
    outcomes: np.ndarray, names: Mapping[int, Sequence[str]] | None = None, n_letters: int = 8
) -> list[str]:
    """Write the outcomes of each cell: "010", or with commas where one takes several letters.

    Parameters
    ----------
    outcomes : ndarray of int of shape (n_cells, n_nodes)
        Outcomes.
    names : mapping, default=None
        Names of the outcomes of the nodes (by their columns) that have some.
    n_letters : int, default=8
        Longest name of an outcome.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection._displays.labels import cell_names
    >>> cell_names(np.array([[0, 1], [1, 0]]))
    ['01', '10']
    >>> cell_names(np.array([[0, 1], [1, 0]]), {1: ("steel", "brass")})
    ['0,brass', '1,steel']
    """
    named = names or {}
    parts = [
        [shortened(named[j][k] if j in named else k, n_letters) for j, k in enumerate(row)]
        for row in np.asarray(outcomes).tolist()
    ]
    is_short = all(len(part) == 1 for row in parts for part in row)
    return [("" if is_short else ",").join(row) for row in parts]
