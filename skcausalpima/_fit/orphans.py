"""Workers end with the process that they work for, or when it says so."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds from one look at the parent to the next.
INTERVAL = 0.25


@contextmanager
def ending_with(
    process: int, file: str | None = None, stop: Callable[[], None] | None = None
) -> Iterator[None]:
    """End this process, in the block, soon after its parent has been killed.

    A killed process cannot tell its workers, which would train on for nobody; one that still
    started when it was killed ends here. Where ``process`` is not what started this process, as
    on other machines, nothing is done. On Windows a process keeps the number
    of its parent, so that it is not noticed there. When ``file`` is gone, ``stop`` is called once.
    """
    if os.getppid() != process:
        if getattr(multiprocessing.current_process(), "_parent_pid", None) == process:
            os._exit(1)
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, done, file, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(
    parent: int, done: threading.Event, file: str | None, stop: Callable[[], None] | None
) -> None:
    """Look after the parent until all is done."""
    while not done.wait(INTERVAL):
        if os.getppid() != parent:
            os._exit(1)  # at once: nobody is left to tell, and other threads would not end
        if stop is not None and file is not None and not os.path.exists(file):
            stop()
            stop = None
