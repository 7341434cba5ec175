"""Texts that are read: their type, JSON, and values in messages."""

from __future__ import annotations

import json
import reprlib
from typing import Any, TypeAlias

from .._typing import Unchecked

#: What JSON holds: lists, dicts, strings, numbers, booleans and None.
Json: TypeAlias = Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 20


def check_text(text: Unchecked, method: str) -> str:
    """Return a text.

    Parameters
    ----------
    text : str
        The text of a file.
    method : str
        Who reads it, for messages.

    Returns
    -------
    str
        The text.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"{method} needs the text of a file, a str; got {type(text).__name__}. For a file, "
            "pass open(path).read()."
        )
    return text


def shown(value: Unchecked) -> str:
    """Write a value for a message, however long or deeply nested it is.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        Its representation, shortened.
    """
    return _SHORT.repr(value)


def parse_json(text: str) -> Json:
    """Decode JSON.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    object
        Lists, dicts, strings, numbers, booleans and None.

    Raises
    ------
    ValueError
        If it is no JSON, is nested too deeply, or has whole numbers of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("The text is damaged, no valid JSON: it is nested too deeply.") from error
    except ValueError as error:  # JSONDecodeError is one, too
        raise ValueError(f"The text is damaged, no valid JSON: {error}") from error
