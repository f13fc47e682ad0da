"""One worker process of this machine, from both ends of its pipe."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from tenfold.engine.outcomes import ONE_THREAD, Start, attempted, begun, failed

SPAWN = multiprocessing.get_context("spawn")
"""A forked child would inherit the locks of OpenVINO's threads, but not the threads."""

EXIT_S = 5.0
"""How long an idle worker may take to end when it is asked to."""

_STARTING = threading.Lock()


class WorkerLost(Exception):
    """The process ended before it answered; says how."""


class Worker:
    """The driver's end: one process that works on one item at a time."""

    def __init__(self, start: Start | None) -> None:
        self._pipe, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(
            target=_serve, args=(theirs, start), name="tenfold-worker", daemon=True
        )
        with _STARTING, _worker_environment(), theirs:
            self._process.start()

    def answer(self, fn: Callable[[Any], Any], item: Any) -> Any:
        """The result or `Failed` of one item.

        Raises:
            WorkerLost: the process ended meanwhile; it is gone for good.
            Exception: whatever pickling `fn`, the item or the result raises; the worker goes on.
        """
        try:
            self._pipe.send((fn, item))
            return self._pipe.recv()
        except (EOFError, OSError) as problem:
            self.kill()
            self._process.join()
            self._pipe.close()
            raise WorkerLost(_ending(self._process.exitcode)) from problem

    def kill(self) -> None:
        """End the process now; who waits for its answer gets `WorkerLost`."""
        self._process.kill()

    def dismiss(self) -> None:
        """Let an idle process end by itself."""
        self._pipe.close()

    def end(self) -> None:
        """Wait for a dismissed process, but not for long."""
        self._process.join(EXIT_S)
        self._process.kill()
        self._process.join()


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"signal {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


@contextmanager
def _worker_environment() -> Generator[None]:
    """What a process started here inherits: one BLAS thread, and no Ctrl-C while it starts.

    Variables must stand before the child's first import, thus before any of our code runs there.
    """
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(pipe: "Connection[Any, Any]", start: Start | None) -> None:
    """The worker's end: answers until the driver closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    refused = begun(start)
    while True:
        try:
            fn, item = pipe.recv()
        except (EOFError, ConnectionError):
            return
        except Exception as problem:  # noqa: BLE001 - e.g. a module that is missing here
            outcome = failed("", problem)
        else:
            outcome = refused or attempted(fn, item)
        _send(pipe, outcome)


def _send(pipe: "Connection[Any, Any]", outcome: Any) -> None:
    try:
        pipe.send(outcome)
    except OSError:
        raise
    except Exception as problem:  # noqa: BLE001 - a result that does not pickle is a failure
        pipe.send(failed("", problem))


def _end_with_the_driver() -> None:
    """Closed pipes end a worker only between items: this one ends it at once."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os._exit(1)
