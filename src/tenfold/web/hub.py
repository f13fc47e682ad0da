"""The hub: one process of a catalog that collects, watches, and has new models made and tried."""

import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from tenfold import jobs
from tenfold.atomic import write_bytes
from tenfold.errors import Conflict, TenfoldError
from tenfold.factory import telling
from tenfold.factory.uploads import Uploads
from tenfold.jobs import OVER, Arguments, Jobs
from tenfold.loop import flows, making
from tenfold.serving.collecting import Tidying, collect_now
from tenfold.web import console
from tenfold.web.console.first import FirstOwner
from tenfold.web.hub_app import Listening, created, listening
from tenfold.web.identity import check_reach
from tenfold.web.server import bound_socket
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

LEASE = "hub"
EVERY_S = 2.0
NOTE_S = 2.0
TIDY_S, DAY_S = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Working:
    """A hub that has the lease."""

    host: str
    pid: int
    url: str
    first: str = field(default="", repr=False)
    """Where the first owner is made; empty when there is one."""


class Hub:
    """`run` until somebody stops it."""

    def __init__(self, workspace: Workspace, at: Listening, *, every_s: float = EVERY_S) -> None:
        self._workspace = workspace
        self._at = at
        self._every_s = every_s
        self._stopped = threading.Event()
        self._tidy_at = 0.0
        """When what is old is removed next, of the monotonic clock."""

    def ask_to_stop(self, *_: object) -> None:
        """May be called by a signal."""
        self._stopped.set()

    def run(self, told: Callable[[Working], None]) -> None:
        """Hold the lease and make pass after pass; `told` once it is held.

        Raises:
            Conflict: another hub of this catalog holds it, or the port is taken.
            NotAllowed: other machines could ask, and there is no account.
        """
        settings, scope = self._workspace.settings, self._workspace.scope
        claims = self._workspace.catalog.claims
        note = settings.home / "hub.json"
        check_reach(scope, self._at.host)
        if not claims.take(scope.tenant, LEASE):
            raise Conflict(
                f"another hub is at work{_where(note)}.",
                where=self._workspace.catalog.where,
                hint="One hub does all the work of a catalog; stop that one first.",
            )
        try:
            bound = bound_socket(self._at.host, self._at.port)
            port = bound.getsockname()[1]
            working = Working(socket.gethostname(), os.getpid(), _url(self._at.host, port))
            write_bytes(note, json.dumps(_noted(working)).encode())
            first = FirstOwner(scope)
            with (
                jobs.opened(settings.home, catalog=settings.catalog) as work,
                listening(self._application(work, first), bound),
                Tidying(self._workspace) as tidying,
            ):
                told(replace(working, first=first.link(working.url)))
                while not self._stopped.is_set():
                    self._pass(work)
                    tidying.now_and_then()
                    self._stopped.wait(self._every_s)
        finally:
            note.unlink(missing_ok=True)
            claims.release(scope.tenant, LEASE)

    def _application(self, work: Jobs, first: FirstOwner) -> FastAPI:
        app = created(self._workspace, work)
        console.attach(app, first)
        return app

    def _pass(self, work: Jobs) -> None:
        """One pass; what fails is tried again by the next.

        Raises:
            Conflict: the lease was lost, and another hub has it.
        """
        if not self._has_lease():
            return
        collect_now(self._workspace)
        self._tidy()
        try:
            flows.reconcile(self._workspace, partial(_submit, self._workspace, work))
        except TenfoldError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("a pass of the loop failed")

    def _tidy(self) -> None:
        """Remove uploads and what jobs told once they are old."""
        settings, now = self._workspace.settings, self._workspace.scope.now().timestamp()
        if time.monotonic() < self._tidy_at or not settings.uploads_days:
            return
        self._tidy_at = time.monotonic() + TIDY_S
        before = now - settings.uploads_days * DAY_S
        try:
            count = Uploads.of(settings.home).remove_old(before=before)
            count += telling.remove_old(settings.home, before=before)
        except OSError as error:
            log.warning("old uploads are removed later: %s", error)
        else:
            log.info("%d uploads and files of jobs were old and are removed", count)

    def _has_lease(self) -> bool:
        """Whether the lease is ours, taken again where the connection that held it was lost; False
        while the catalog is away."""
        claims, tenant = self._workspace.catalog.claims, self._workspace.scope.tenant
        try:
            if claims.holds(tenant, LEASE) or claims.take(tenant, LEASE):
                return True
        except TenfoldError as error:
            log.warning("the hub waits: %s", error)
            return False
        raise Conflict(
            "the lease was lost with the connection to the catalog, and another hub has it now.",
            where=self._workspace.catalog.where,
            hint="That one goes on with the work; start this one again if it should not.",
        )


def run(workspace: Workspace, at: Listening, *, told: Callable[[Working], None]) -> None:
    """A hub until SIGTERM or Ctrl-C."""
    hub = Hub(workspace, at)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hub.ask_to_stop)
    hub.run(told)


def _submit(workspace: Workspace, work: Jobs, kind: str, arguments: Arguments, key: str) -> None:
    """Have a job done; a try whose job is over and told nothing, cancelled for example, is over."""
    job = work.submit(kind, arguments, key)
    if kind == flows.RETRAIN and job.state in OVER:
        making.fail(workspace, **arguments, problem=job.problem or f"Its job is {job.state}.")


def _noted(working: Working) -> dict[str, object]:
    """What everybody may know."""
    return {key: value for key, value in asdict(working).items() if key != "first"}


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _where(note: Path) -> str:
    """Which process says that it is the hub, as far as this home knows; one that begins now says
    it in a moment."""
    ends = time.monotonic() + NOTE_S
    while True:
        try:
            plain = json.loads(note.read_text())
            return f" (process {plain['pid']} on {plain['host']})"
        except (OSError, ValueError, KeyError):
            if time.monotonic() > ends:
                return ""
        time.sleep(0.1)
