"""Types in signatures as people write them: no insides of NumPy, and aliases by their names."""

import re

from numpy.typing import ArrayLike
from sphinx.util.typing import stringify_annotation

#: What is written otherwise, in this order.
WORDS = (
    (re.compile(r"~?[\w.]*TypeAliasForwardRef\('(\w+)'\)"), r"\1"),
    (re.compile(re.escape(stringify_annotation(ArrayLike, "smart"))), "ArrayLike"),
    (re.compile(r"ndarray\[.*?dtype\[[^\]]*\]\]"), "ndarray"),
    (re.compile(r"\bnp\.ndarray"), "ndarray"),
    (re.compile(r"\bUnchecked\b"), "object"),
)


def setup(app):
    """Connect it."""
    app.connect("autodoc-process-signature", readable)
    return {"parallel_read_safe": True}


def readable(app, what, name, item, options, signature, annotation):
    """Return signature and type of the result, in other words."""
    return tuple(text and in_words(text) for text in (signature, annotation))


def in_words(text):
    """Return a signature in other words."""
    for pattern, words in WORDS:
        text = pattern.sub(words, text)
    return text
