"""Work that is done in a while and survives a crash; the only importer of DBOS.

A job is a kind and plain values, known by a key: asked for twice it is done once, and what a killed
process had begun is begun again by the next one. So a kind's function must be one verb that may be
repeated. DBOS allows one of itself in a process: open one `Jobs` at a time.
"""

import multiprocessing
import re
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus

from tenfold.child import end_with_the_parent, shielded
from tenfold.errors import NotFound, Unavailable

KINDS = {
    "ingest": "tenfold.factory.asked:ingest_in_child",
    "make": "tenfold.factory.asked:make_in_child",
    "fleet": "tenfold.factory.asked:fleet_in_child",
    "retrain": "tenfold.loop.making:retrain_in_child",
    "teach": "tenfold.apps.line.asked:teach_in_child",
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
LOOK_S = 0.2
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
OVER: tuple[State, ...] = ("done", "failed", "cancelled")
SPAWN = multiprocessing.get_context("spawn")
NAMED = re.compile(r"""^(?:task|fleet):\s*["']?([^\s"'#]+)""", re.MULTILINE)
"""The name of a task or fleet in its YAML."""
CLOSING: ContextVar[threading.Event | None] = ContextVar("CLOSING", default=None)
"""Within a job: set once the process wants to end."""

Arguments = dict[str, Any]


class Left(BaseException):
    """A job that is left for the next process to begin again: nothing came of it. No error, so that
    nobody who handles errors takes it for an outcome."""


@dataclass(frozen=True, slots=True)
class Job:
    key: str
    kind: str
    state: State
    problem: str = ""
    """Of one that failed."""
    about: str = ""
    """The dataset, task, fleet or deployment that it is for."""
    asked_at: datetime | None = None


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

    What was under way when the last process ended, whether it was killed or asked to, is begun
    again at once.
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
    closing = threading.Event()
    work = _registered(str(home), closing)
    try:
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=at_once, polling_interval_sec=POLL_S)
        yield Jobs(work)
    finally:
        closing.set()
        DBOS.destroy(destroy_registry=True)


def _job(seen: WorkflowStatus) -> Job:
    kind = str(seen.input["args"][0]) if seen.input else ""
    problem = str(seen.error) if seen.error else ""
    at = datetime.fromtimestamp(seen.created_at / 1000, UTC) if seen.created_at else None
    about = _about(seen.input["args"][1]) if seen.input else ""
    return Job(seen.workflow_id, kind, STATES.get(seen.status, "runs"), problem, about, at)


def _about(asked: Arguments) -> str:
    named = NAMED.search(str(asked.get("task") or asked.get("fleet") or ""))
    return named[1] if named else str(asked.get("name") or asked.get("deployment") or "")


def _url(home: Path, catalog: str) -> str:
    if catalog:
        return catalog.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"sqlite:///{home / FILE}"


def _registered(home: str, closing: threading.Event) -> Callable[[str, Arguments], None]:
    @DBOS.step(name="do")
    def do(kind: str, arguments: Arguments) -> None:
        CLOSING.set(closing)
        module, _, name = KINDS[kind].partition(":")
        getattr(import_module(module), name)(home, **arguments)

    @DBOS.workflow(name=WORK, max_recovery_attempts=None)
    def work(kind: str, arguments: Arguments) -> None:
        do(kind, arguments)

    return work


def in_child(target: str, home: str, arguments: dict[str, Any]) -> None:
    """Call `target` ("module:function") in a process of its own, which ends with this one, and in a
    job as soon as the jobs are closed.

    Raises:
        Unavailable: it was killed, or did not get to its end.
        Left: the jobs are closed.
    """
    child = SPAWN.Process(target=_child, args=(target, home, arguments), name="tenfold-job")
    with shielded():
        child.start()
    closing = CLOSING.get()
    while not wait([child.sentinel], LOOK_S):
        if closing is not None and closing.is_set():
            child.kill()
            child.join()
            raise Left
    child.join()
    if child.exitcode:
        raise Unavailable(
            f"the process that did it ended with {child.exitcode}.",
            where=target,
            hint="Too little memory ends a process with -9; the log may say more.",
        )


def _child(target: str, home: str, arguments: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # those whom it starts get no Ctrl-C either
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_the_parent(signal.SIGKILL)  # all that it does may be done again
    module, _, name = target.partition(":")
    getattr(import_module(module), name)(home, **arguments)
