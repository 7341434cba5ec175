"""Names that fit: cut in the middle, and broken into lines."""

from __future__ import annotations

from collections.abc import Sequence

#: What joins letters, and does not, in some scripts: not seen, and to be kept.
JOINERS = "\u200c\u200d"


def printable(name: object) -> str:
    """Return a name without control characters: XML has none, and they turn lines around.

    Examples
    --------
    >>> from skcausalpima._base.names import printable
    >>> printable("one\\ntwo\\u202ethree")
    'one two three'
    """
    return "".join(
        letter if letter.isprintable() or letter in JOINERS else " " for letter in str(name)
    )


def cut(name: object, n_letters: int) -> str:
    """Cut the middle of a name out if it is longer than ``n_letters``.

    Examples
    --------
    >>> from skcausalpima._base.names import cut
    >>> cut("temperature_of_the_print_bed", 13)
    'temper…nt_bed'
    """
    text = printable(name)
    if len(text) <= n_letters or n_letters < 3:
        return text[:n_letters]
    n_last = (n_letters - 1) // 2
    return f"{text[: n_letters - 1 - n_last]}…{text[len(text) - n_last :]}"


def broken(name: object, n_letters: int, n_lines: int = 2) -> str:
    """Break a name into at most ``n_lines`` lines of ``n_letters``, at spaces and underscores.

    What does not fit is cut out of the middle of the name, see :func:`cut`.

    Examples
    --------
    >>> from skcausalpima._base.names import broken
    >>> broken("temperature_of_the_print_bed", 15).splitlines()
    ['temperature_of_', 'the_print_bed']
    """
    for length in range(len(str(name)), 0, -1):
        words = cut(name, length).replace("_", "_\0").replace(" ", " \0").split("\0")
        lines = [line.rstrip() for line in filled(words, n_letters) if line.strip()]
        if len(lines) <= n_lines:
            return "\n".join(lines)
    return ""


def filled(words: Sequence[str], n_letters: int) -> list[str]:
    """Fill lines with words; spaces at their ends do not count, and long words are broken."""
    lines = [""]
    for word in words:
        if len((lines[-1] + word).rstrip()) > n_letters and lines[-1]:
            lines.append("")
        lines[-1] += word
        while len(lines[-1].rstrip()) > n_letters:
            lines[-1:] = [lines[-1][:n_letters], lines[-1][n_letters:]]
    return lines
