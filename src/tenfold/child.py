"""Processes of ours that others of ours started: none outlives its parent, and Ctrl-C, which a
terminal sends to all of them, is the parent's to handle."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait


@contextmanager
def shielded() -> Generator[None]:
    """What is started in the block does not get Ctrl-C, from its first moment on."""
    resource_tracker.ensure_running()  # begun later, it would let Ctrl-C through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def end_with_the_parent(number: signal.Signals, *, within_s: float = 0.0) -> None:
    """From now on this process sends itself a signal when its parent is gone, and ends at the
    latest `within_s` later."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        some = (parent.sentinel, number, within_s)
        threading.Thread(target=_wait_and_end, args=some, daemon=True).start()


def _wait_and_end(sentinel: int, number: signal.Signals, within_s: float) -> None:
    wait([sentinel])
    os.kill(os.getpid(), number)
    time.sleep(within_s)
    os._exit(1)
