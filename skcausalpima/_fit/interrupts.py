"""Ctrl-C during a fit: who gets it, how workers learn of it, and that they end with the fit."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from .._training.observer import Interruption

#: What repeats fits, and would go on with the next one if this one ended early.
REPEATING = ("joblib", "sklearn.model_selection")

#: Seconds from one look of a worker at its parent to the next.
INTERVAL = 0.25


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let the first interrupt end what goes on in the block, as far as it is postponed.

    Interrupts stay what they are (a KeyboardInterrupt, if nobody has changed that) in other threads
    than the main one, where the user has a handler of their own, and where functions of joblib or
    of sklearn.model_selection are among the callers: searches, cross-validation and ensembles
    repeat fits, and are to end as a whole. The handler is restored in any case.
    """
    interruption = Interruption()
    if not _is_called_directly():
        yield interruption
        return

    def handle(number: int, frame: FrameType | None) -> None:
        interruption.interrupt()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interruption
    finally:
        try:
            signal.signal(signal.SIGINT, before)
        except KeyboardInterrupt:  # one that had come, and that no handler had seen
            signal.signal(signal.SIGINT, before)
            raise


def _is_called_directly() -> bool:
    """Return whether an interrupt would be of this fit alone."""
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if any(module == name or module.startswith(f"{name}.") for name in REPEATING):
            return False
        frame = frame.f_back
    return True


@contextmanager
def telling_workers(interruption: Interruption) -> Iterator[None]:
    """Wait for runs in other processes or threads; tell those in processes of an interrupt.

    They go on while a file is there, which is removed in any case in the end.
    """
    handle, interruption.file = tempfile.mkstemp(prefix="skcausalpima-runs-")
    os.close(handle)
    try:
        with interruption.postponed():
            yield
    finally:
        interruption.remove_file()
        interruption.file = None


@contextmanager
def working_for(process: int, file: str | None) -> Iterator[Interruption]:
    """Work for a fit in another process: end when it does, or when it says so.

    What the terminal sends to all processes alike is left to that one to answer. A worker that
    waits for the next run must not end of it either, which would break the pool: interrupts stay
    ignored in this process.
    """
    interruption = Interruption()
    interruption.requested = file is not None and not os.path.exists(file)
    takes_signals = threading.current_thread() is threading.main_thread()

    def stop() -> None:
        if takes_signals:
            _thread.interrupt_main()
        else:
            interruption.requested = True

    def handle(number: int, frame: FrameType | None) -> None:
        is_told = file is not None and not os.path.exists(file)
        if is_told and not interruption.requested:  # the second one ends this process from there
            interruption.interrupt()

    if takes_signals:
        signal.signal(signal.SIGINT, handle)
    try:
        with ending_with(process, file, stop), interruption.postponed():
            yield interruption
    finally:
        if takes_signals:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


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

    def watch() -> None:
        nonlocal stop
        while not done.wait(INTERVAL):
            if os.getppid() != process:
                os._exit(1)  # at once: nobody is left to tell, and other threads would not end
            if stop is not None and file is not None and not os.path.exists(file):
                stop()
                stop = None

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
