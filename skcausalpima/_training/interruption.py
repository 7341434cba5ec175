"""Whether a fit is to end before its time, which is asked after every batch."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress


class Interruption:
    """An interrupt (Ctrl-C), as all runs of a fit see it.

    Where there is nothing to keep yet, the first interrupt is a KeyboardInterrupt. Where it is
    *postponed*, it makes a request, and what goes on comes to its end. The second is always a
    KeyboardInterrupt, and so is the first one where none ``may_wait``.

    Parameters
    ----------
    file : str, default=None
        Runs in other processes go on while this file is there.
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file
        self.requested = self.insists = False
        self.is_postponed = self.is_told = False
        self.may_wait = True

    def interrupt(self) -> None:
        """Take an interrupt; called in the main thread, between two of its instructions."""
        self.insists = self.requested or not self.may_wait
        self.requested = True
        self.remove_file()
        if self.insists or not self.is_postponed:
            raise KeyboardInterrupt

    def postponed(self) -> AbstractContextManager[None]:
        """Postpone the first interrupt in a block."""
        return self._answered(True)

    def at_once(self) -> AbstractContextManager[None]:
        """Do not postpone the first interrupt in a block, within one that does."""
        return self._answered(False)

    @contextmanager
    def _answered(self, is_postponed: bool) -> Iterator[None]:
        """Change nothing in other threads than the main one, which alone gets interrupts."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before, self.is_postponed = self.is_postponed, is_postponed
        try:
            yield
        finally:
            self.is_postponed = before

    def check(self) -> None:
        """End a run that has nothing to keep, in a thread that gets no interrupts itself."""
        if self.requested:
            raise KeyboardInterrupt

    def remove_file(self) -> None:
        """Let runs in other processes end."""
        if self.file is not None:
            with suppress(FileNotFoundError):
                os.unlink(self.file)
