"""Workers end with the process that they work for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds from one look at the parent to the next.
INTERVAL = 1.0


@contextmanager
def ending_with(process: int) -> Iterator[None]:
    """End this process, in the block, soon after its parent has been killed.

    A killed process cannot tell its workers, which would train on for nobody. Where ``process``
    is not the parent, as on other machines, nothing is done. On Windows a process keeps the number
    of its parent, so that it is not noticed there.
    """
    if os.getppid() != process:
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(parent: int, done: threading.Event) -> None:
    """Look after the parent until all is done."""
    while not done.wait(INTERVAL):
        if os.getppid() != parent:
            os._exit(1)  # at once: nobody is left to tell, and other threads would not end
