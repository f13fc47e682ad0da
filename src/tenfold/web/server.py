"""`tenfold serve`: workers that share one port, and a parent that keeps them and collects."""

import logging
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import uvicorn
from threadpoolctl import threadpool_limits

from tenfold.catalog import deployments, keys, ledger
from tenfold.catalog.ledger import Run
from tenfold.child import end_with_the_parent
from tenfold.errors import Conflict, NotAllowed, TenfoldError, Unavailable
from tenfold.serving import collecting
from tenfold.serving.metrics import FOLDER, forget
from tenfold.web.app import Limits, created, drain, log_as_json
from tenfold.web.http import GuardedProtocol, TellingServer
from tenfold.workspace import Workspace, opened

log = logging.getLogger(__name__)

SPAWN = multiprocessing.get_context("spawn")
COLLECT_S = 10.0
DRAIN_S = 30.0
GRACEFUL_S = 20
"""For requests under way, of `DRAIN_S`; the rest is for the log."""
LONG_S = 20.0
"""A worker that ends earlier did not live long."""
PATIENCE_S = 2.0
"""Workers do not wait for a catalog that is away: they go on with what they know."""
START_S = 300.0
BACKLOG = 2048
IDLE_S = 75
"""How long a connection may do nothing; clients keep theirs for about a minute."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Serving:
    """What a server is started with."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    verbose: bool = False
    """A line of the log for every request."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A server that answers."""

    url: str
    deployments: int
    generation: int
    seconds: float
    memory_mb: float
    """Private memory of all workers."""
    needs_key: bool


class Server:
    """Workers of one port. `start`, then `watch` until somebody stops it, then `stop`."""

    def __init__(self, workspace: Workspace, serving: Serving) -> None:
        self._workspace, self._serving = workspace, serving
        self._metrics = _fresh_folder(workspace.settings.home / "metrics")
        self._workers: list[tuple[BaseProcess, Connection]] = []
        self._is_stopped = False
        self._born: dict[int, float] = {}
        self._failures = 0
        """Workers in a row that did not live long."""
        now = workspace.scope.now()
        self._run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"

    def start(self) -> Ready:
        """Bind, start every worker and wait until all are ready.

        Raises:
            NotAllowed: the address is not this machine's alone, and there is no key.
            Conflict: the port is taken.
        """
        began = time.perf_counter()
        has_keys = bool(keys.in_force(self._workspace.scope))
        if self._serving.host not in LOOPBACK and not has_keys:
            raise NotAllowed(
                f"{self._serving.host} can be reached from other machines, and there is no key.",
                hint="`tenfold key create NAME` makes one; or serve on 127.0.0.1.",
            )
        self._socket = bound_socket(self._serving.host, self._serving.port)
        os.environ[FOLDER] = str(self._metrics)  # workers read it when they import the library
        run = Run(self._run, "serve", host=socket.gethostname())
        ledger.begin(self._workspace.scope, run)
        self._workers = [self._worker() for _ in range(self._serving.workers)]
        for process, told in self._workers:
            self._wait_for(process, told)
        host, port = self._socket.getsockname()[:2]
        live = [d for d in deployments.changed(self._workspace.scope) if d.state == "live"]
        return Ready(
            url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
            deployments=len(live),
            generation=deployments.newest(self._workspace.scope),
            seconds=time.perf_counter() - began,
            memory_mb=sum(private_mb(process.pid) for process, _ in self._workers),
            needs_key=has_keys,
        )

    def watch(self) -> None:
        """Replace workers that die, and collect what was answered, until `stop`."""
        collecting = threading.Thread(target=self._collect_now_and_then, daemon=True)
        collecting.start()
        while not self._is_stopped:
            time.sleep(0.2)
            for place, (process, _) in enumerate(self._workers):
                if not process.is_alive() and not self._is_stopped:
                    self._replace(place, process)

    def _replace(self, place: int, process: BaseProcess) -> None:
        """Another worker, at once; later and later where they do not live long."""
        log.error("worker %s ended with %s; another begins", process.pid, process.exitcode)
        forget(process.pid, self._metrics)
        lived_s = time.monotonic() - self._born.pop(process.pid or 0, 0.0)
        self._failures = self._failures + 1 if lived_s < LONG_S else 0
        ends = time.monotonic() + (min(LONG_S, 2.0**self._failures) if self._failures else 0.0)
        while time.monotonic() < ends and not self._is_stopped:
            time.sleep(0.1)
        if not self._is_stopped:
            self._workers[place] = self._worker()

    def _collect_now_and_then(self) -> None:
        with collecting.Tidying(self._workspace) as tidying:
            while not self._is_stopped:
                time.sleep(COLLECT_S)
                self.collect()
                tidying.now_and_then()

    def collect(self) -> None:
        """Take in what was answered; what cannot be taken in now is taken in later."""
        collecting.collect_now(self._workspace)

    def ask_to_stop(self, *_: object) -> None:
        """May be called by a signal."""
        self._is_stopped = True

    def stop(self) -> None:
        """Let workers finish what they began, then collect."""
        self._is_stopped = True
        self._socket.close()  # else the system would go on accepting for nobody
        for process, _ in self._workers:
            process.terminate()
        ends = time.monotonic() + DRAIN_S
        for process, _ in self._workers:
            process.join(max(0.1, ends - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        shutil.rmtree(self._metrics, ignore_errors=True)
        self.collect()
        try:
            ledger.end(self._workspace.scope, self._run, "done")
        except TenfoldError as error:
            log.warning("the end of this run is not in the ledger: %s", error)

    def _worker(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = SPAWN.Pipe(duplex=False)
        settings = self._workspace.settings
        threads = max(1, settings.cores // self._serving.workers)
        process = SPAWN.Process(
            target=_work,
            args=(self._socket, theirs, str(settings.home), threads),
            kwargs={"serving": self._serving, "counts": str(self._metrics), "run": self._run},
            name="tenfold-serve",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._born[process.pid or 0] = time.monotonic()
        return process, ours

    def _wait_for(self, process: BaseProcess, told: Connection) -> None:
        try:
            ends = time.monotonic() + START_S
            while not told.poll(0.2):
                if self._is_stopped or time.monotonic() > ends:
                    break
            problem = told.recv() if told.poll() else "it was stopped, or took too long."
        except EOFError:
            process.join(5)
            problem = f"it ended with {process.exitcode}."
        if problem is not None:
            self.stop()
            raise (
                problem
                if isinstance(problem, TenfoldError)
                else Unavailable(f"a worker did not start: {problem}")
            )


def serve(workspace: Workspace, serving: Serving, *, told: Any) -> None:
    """Serve until SIGTERM or Ctrl-C; `told(ready)` when it answers."""
    server = Server(workspace, serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.ask_to_stop)
    told(server.start())
    try:
        server.watch()
    finally:
        server.stop()


def private_mb(pid: int | None) -> float:
    """Memory that a process shares with nobody."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0.0
    kb = [int(line.split()[1]) for line in lines if line.startswith("Private_")]
    return sum(kb) / 1024


def _fresh_folder(above: Path) -> Path:
    """Where workers of this server count together; what killed servers left is removed."""
    for old in above.glob("*/"):
        if not Path(f"/proc/{old.name}").exists():
            shutil.rmtree(old, ignore_errors=True)
    mine = above / str(os.getpid())
    shutil.rmtree(mine, ignore_errors=True)
    mine.mkdir(parents=True)
    return mine


def bound_socket(host: str, port: int) -> socket.socket:
    """Listens, and is not answered yet.

    Raises:
        Conflict: the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Conflict(
            f"port {port} of {host} cannot be used ({error.strerror}).",
            hint="Choose another with --port; 0 takes any that is free.",
        ) from error
    listening.listen(BACKLOG)
    listening.set_inheritable(True)
    return listening


def _work(
    listening: socket.socket,
    told: Connection,
    home: str,
    threads: int,
    *,
    serving: Serving,
    counts: str,
    run: str,
) -> None:
    """A worker process, from its start to its end."""
    log_as_json(level=logging.INFO if serving.verbose else logging.WARNING)
    # a worker whose parent was killed would hold the port, and nobody would collect
    end_with_the_parent(signal.SIGTERM, within_s=DRAIN_S)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        # the trunk's streams use the cores: a product of matrices must not wait for all of them
        with (
            threadpool_limits(1, user_api="blas"),
            opened(home, threads=threads, patience_s=PATIENCE_S) as workspace,
        ):
            limits = replace(serving.limits, is_local=serving.host in LOOPBACK)
            app = created(workspace, run, limits, counts=counts)
            config = uvicorn.Config(
                app,
                http=GuardedProtocol,
                loop="uvloop",
                lifespan="on",
                log_level="error",  # what strangers send wrongly is counted, not logged
                access_log=False,
                server_header=False,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=GRACEFUL_S,
            )
            TellingServer(config, told, draining=partial(drain, app)).run(sockets=[listening])
    except TenfoldError as error:
        told.send(error)
        sys.exit(1)
