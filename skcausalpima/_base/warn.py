"""Warnings that point at the user's line, however many of our functions lie in between."""

from __future__ import annotations

import sys
import warnings

from .progress_lines import clear_line

#: Our own frames, and those of libraries that call us or that we are called through.
PASSED_OVER = {"skcausalpima", "sklearn", "joblib", "torch", "contextlib"}


def warn_caller(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line of code, seen from here, that is neither ours nor a library's.

    ``category`` does not count where the message is a warning.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_passed_over(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    clear_line()
    warnings.warn(message, category, stacklevel=level)


def _is_passed_over(module: str) -> bool:
    return module.partition(".")[0] in PASSED_OVER
