"""Work that is done in a while and survives a crash; the only importer of DBOS.

A job is a kind and plain values, known by a key: asked for twice it is done once, and what a killed
process had begun is begun again by the next one. So a kind's function must be one verb that may be
repeated. DBOS allows one of itself in a process: open one `Jobs` at a time.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus

from tenfold.errors import NotFound, Unavailable

KINDS = {
    "ingest": "tenfold.factory.asked:ingest_in_child",
    "make": "tenfold.factory.asked:make_in_child",
    "retrain": "tenfold.loop.making:retrain_in_child",
}
"""Kind → function that takes the home and the job's arguments by name."""
EXECUTOR = "hub"
"""One hub has the lease of a catalog, so what one began the next one finishes."""
VERSION = "1"
"""Of the jobs, not of Tenfold: an upgrade goes on with what was begun."""
SCHEMA = "tenfold_jobs"
QUEUE = "jobs"
WORK = "job"
POLL_S = 0.5
FILE = "hub.sqlite"
State = Literal["waits", "runs", "done", "failed", "cancelled"]
STATES: dict[str, State] = {
    "ENQUEUED": "waits",
    "DELAYED": "waits",
    "PENDING": "runs",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
SPAWN = multiprocessing.get_context("spawn")


Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    key: str
    kind: str
    state: State
    problem: str = ""
    """Of one that failed."""


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Jobs of one home, while `opened` is open."""

    _work: Callable[[str, Arguments], None]

    def submit(self, kind: str, arguments: Arguments, key: str) -> Job:
        """Have a job done; a key that is known is not done again.

        Raises:
            NotFound: there is no such kind.
        """
        if kind not in KINDS:
            raise NotFound(f"no kind of job {kind!r}.", hint=f"There are {', '.join(KINDS)}.")
        if DBOS.get_workflow_status(key) is None:
            with SetWorkflowID(key):
                DBOS.enqueue_workflow(QUEUE, self._work, kind, arguments)
        return self.get(key)

    def get(self, key: str) -> Job:
        """How far a job is.

        Raises:
            NotFound: nobody asked for it.
        """
        seen = DBOS.get_workflow_status(key)
        if seen is None:
            raise NotFound(f"no job {key!r}.")
        return _job(seen)

    def newest(self, limit: int) -> list[Job]:
        """So many, the newest first."""
        return [_job(s) for s in DBOS.list_workflows(name=WORK, limit=limit, sort_desc=True)]

    def cancel(self, key: str) -> None:
        """Do not begin it; one that runs is left to end."""
        DBOS.cancel_workflow(key)


@contextmanager
def opened(home: Path, *, catalog: str = "", at_once: int = 1) -> Generator[Jobs]:
    """Jobs kept in a file of the home, or beside the catalog where that is PostgreSQL.

    What was under way when the last process ended is begun again at once.
    """
    config = DBOSConfig(
        name="tenfold",
        system_database_url=_url(home, catalog),
        dbos_system_schema=SCHEMA,
        executor_id=EXECUTOR,
        application_version=VERSION,
        serializer=DBOSPortableJSONSerializer(),
        enable_otlp=False,
        log_level="WARNING",
    )
    DBOS(config=config)
    work = _registered(str(home))
    try:
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=at_once, polling_interval_sec=POLL_S)
        yield Jobs(work)
    finally:
        DBOS.destroy(destroy_registry=True)


def _job(seen: WorkflowStatus) -> Job:
    kind = str(seen.input["args"][0]) if seen.input else ""
    problem = str(seen.error) if seen.error else ""
    return Job(seen.workflow_id, kind, STATES.get(seen.status, "runs"), problem)


def _url(home: Path, catalog: str) -> str:
    if catalog:
        return catalog.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"sqlite:///{home / FILE}"


def _registered(home: str) -> Callable[[str, Arguments], None]:
    @DBOS.step(name="do")
    def do(kind: str, arguments: Arguments) -> None:
        module, _, name = KINDS[kind].partition(":")
        getattr(import_module(module), name)(home, **arguments)

    @DBOS.workflow(name=WORK, max_recovery_attempts=None)
    def work(kind: str, arguments: Arguments) -> None:
        do(kind, arguments)

    return work


def in_child(target: str, home: str, arguments: dict[str, Any]) -> None:
    """Call `target` ("module:function") in a process of its own, which ends with this one.

    Raises:
        Unavailable: it was killed, or did not get to its end.
    """
    child = SPAWN.Process(target=_child, args=(target, home, arguments), name="tenfold-job")
    child.start()
    child.join()
    if child.exitcode:
        raise Unavailable(
            f"the process that did it ended with {child.exitcode}.",
            where=target,
            hint="Too little memory ends a process with -9; the log may say more.",
        )


def _child(target: str, home: str, arguments: dict[str, Any]) -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    module, _, name = target.partition(":")
    getattr(import_module(module), name)(home, **arguments)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)  # all that it does may be done again
