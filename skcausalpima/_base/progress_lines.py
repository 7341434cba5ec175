"""Progress lines: one that is rewritten, or whole lines."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time

#: Where lines cannot be rewritten, about so many are printed of each series (arbitrary).
N_SPARSE = 5

#: Seconds between lines of a notebook, which is sent each one (arbitrary).
PAUSE = 0.1

#: Seconds after which what was not asked to be silent says where it stands (arbitrary).
PATIENCE = 10.0


class ProgressLines:
    """Print how far something is.

    Parameters
    ----------
    verbose : int or None
        None prints nothing for ten seconds, and then as 1 if it is a terminal or a notebook that
        standard output goes to; 0 prints nothing; 1 one line that is rewritten, where standard
        output is one of these and nobody else writes there, else about five whole lines of each
        series; 2 or more a line for each step. Whole lines are written in one piece: those of
        several processes are not torn.
    name : str
        What the lines begin with.

    Examples
    --------
    >>> from skcausalpima._base.progress_lines import ProgressLines
    >>> lines = ProgressLines(1, "[fits]")
    >>> for done in range(1, 11):
    ...     lines.show(f"{done} of 10", done, 10)
    [fits] 2 of 10
    [fits] 4 of 10
    [fits] 6 of 10
    [fits] 8 of 10
    [fits] 10 of 10
    """

    def __init__(self, verbose: int | None, name: str) -> None:
        self._is_notebook = type(sys.stdout).__module__.partition(".")[0] == "ipykernel"
        is_own = _is_alone() and (self._is_notebook or _is_terminal())
        self.name, self.is_patient = name, verbose is None and (is_own or self._is_notebook)
        self.verbose = 1 if self.is_patient else int(verbose or 0)
        self.rewrites = self.verbose == 1 and is_own
        self._begin, self._width, self._written = time.monotonic(), 0, -PAUSE

    def announce(self, text: str, seconds: float) -> None:
        """Print a whole line before a series that is expected to take so long."""
        if self.verbose > 0 and not (self.is_patient and seconds < PATIENCE):
            self.is_patient = False
            _write(f"{self.name} {text}\n")

    def show(self, text: str, done: int, total: int, *, is_due: bool = False) -> None:
        """Print the state after a step of a series that has ``total`` of them.

        ``is_due`` prints it also where most steps are left out.
        """
        global _line
        if self.verbose <= 0:
            return
        if self.is_patient:
            if time.monotonic() - self._begin < PATIENCE:
                return
            self.is_patient, is_due = False, True
        line = f"{self.name} {text}"
        if self.rewrites and self._is_notebook and done < total:
            if time.monotonic() - self._written < PAUSE:
                return
            self._written = time.monotonic()
        if self.rewrites:  # without reaching the end of the line: it would wrap
            room = _room()
            line = line if len(line) <= room else text
            _write("\r" + line.ljust(self._width)[:room])
            self._width, _line = min(len(line), room), self
        elif (
            self.verbose > 1 or is_due or N_SPARSE * done // total > N_SPARSE * (done - 1) // total
        ):
            _write(line + "\n")

    def clear(self) -> None:
        """Erase the line that is rewritten; the next one is written in its place."""
        if self._width:
            _write("\r" + " " * self._width + "\r")
            self._width = 0

    def close(self) -> None:
        """Leave the line that is rewritten: it stays, and what follows has a line of its own."""
        if self._width:
            _write("\n")
            self._width = 0


_line: ProgressLines | None = None  # who has written the line where the cursor is


def clear_line() -> None:
    """Erase a line that is being rewritten, so that something else can be printed there."""
    if _line is not None:
        _line.clear()


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> from skcausalpima._base.progress_lines import duration
    >>> [duration(seconds) for seconds in (0.2, 75, 7300)]
    ['0:00', '1:15', '2:01:40']
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _write(text: str) -> None:
    sys.stdout.write(text)  # in one piece: workers write side by side
    sys.stdout.flush()  # what they write would wait for the end


def _is_alone() -> bool:
    """Return whether nobody else writes: lines are not rewritten by one of many workers."""
    is_worker = multiprocessing.parent_process() is not None
    return not is_worker and threading.current_thread() is threading.main_thread()


def _is_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return bool(getattr(sys.stdout, "isatty", lambda: False)())


def _room() -> int:
    """Return how many letters are written into a line."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        columns = 80
    return max((columns or 80) - 1, 1)
