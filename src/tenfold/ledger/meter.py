"""What a run used over all its processes, known even after kill -9.

Each process of a run keeps what it used in a file of its own. Whoever opens the folder next books
what a killed run had used and nobody had booked as waste.
"""

import fcntl
import json
import secrets
import shutil
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tenfold.atomic import write_bytes
from tenfold.catalog import Scope, ledger
from tenfold.catalog.ledger import Run, Used
from tenfold.ledger.heartbeat import BEAT_S, Heartbeat, Reading, is_held, join, readings

ORPHANS_S = 3.0
"""How long a killed run's workers may take to notice, before the run is left for a later one."""
DRIVER = "driver.json"
UNNAMED = ".new-"

__all__ = ["Running", "Spent", "join", "readings", "recover", "running", "spent", "total"]


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A run at work in this process."""

    run: Run
    folder: Path
    """Where its processes keep their time; `join` takes the folder above it and the id."""
    heartbeat: Heartbeat

    @property
    def id(self) -> str:
        return self.run.id

    def total(self) -> Used:
        """What all processes of the run have used so far, imports and waits included."""
        self.heartbeat.beat()
        return total(readings(self.folder))


@dataclass(slots=True)
class Spent:
    """Filled in when the block of `spent` ends."""

    cpu_s: float = 0.0
    """Of all threads of this process."""
    wall_s: float = 0.0


@contextmanager
def running(scope: Scope, folder: Path, *, command: str, fleet: str = "") -> Generator[Running]:
    """A run of `command`: what is not booked under it when it ends becomes its overhead.

    Before, and after, what killed runs left in `folder` is booked as waste. One run at a time in
    one process: two would both count all of its time.
    """
    recover(scope, folder, patience_s=ORPHANS_S)
    now = scope.now()
    run = Run(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        command=command,
        fleet=fleet,
        host=socket.gethostname(),
        began_at=now,
        actor=scope.actor,
    )
    with _driving(scope, folder, run) as work:
        ledger.begin(scope, run)
        outcome = "failed"
        try:
            yield work
            outcome = "done"
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            work.heartbeat.stop()
            used = total(readings(work.folder))
            ledger.settle(scope, run, used, kind="overhead", outcome=outcome)
            shutil.rmtree(work.folder, ignore_errors=True)
    recover(scope, folder, patience_s=0.0)


@contextmanager
def spent() -> Generator[Spent]:
    """Measures a block of this process."""
    used = Spent()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield used
    finally:
        used.cpu_s = time.process_time() - cpu
        used.wall_s = time.perf_counter() - wall


def total(given: list[Reading]) -> Used:
    """What the processes used together; the wall time is the longest, the peak the largest one's.

    A metered process that ended is counted by its own file and again by the parent that waited for
    it; the larger of both holds, as a killed one wrote a little less than it used.
    """
    cpu_s = sum(one.cpu_s for one in given)
    for parent in given:
        ended = [c for c in given if c.parent == parent.pid and not c.is_alive]
        metered_s = sum(child.cpu_s + child.children_s for child in ended)
        cpu_s += max(parent.children_s - metered_s, 0.0)
    return Used(
        cpu_s=cpu_s,
        wall_s=max((one.wall_s for one in given), default=0.0),
        peak_mb=max((one.peak_mb for one in given), default=0.0),
    )


def recover(scope: Scope, folder: Path, *, patience_s: float) -> None:
    """Book as waste what runs of this tenant left here whose driver was killed, and close them.

    A run of which a worker still lives after `patience_s` is left for the next call.
    """
    deadline = time.monotonic() + patience_s
    for file in sorted(folder.glob(f"[!.]*/{DRIVER}")):
        with suppress(FileNotFoundError):  # another process is just as tidy
            known = json.loads(file.read_text())
            is_ours = known["tenant"] == scope.tenant
            is_here = known["host"] == socket.gethostname() or known["boot"] == _boot()
            if not is_ours or not is_here or is_held(file):
                continue
            left = readings(file.parent)
            while any(one.is_alive for one in left) and time.monotonic() < deadline:
                time.sleep(BEAT_S)
                left = readings(file.parent)
            if any(one.is_alive for one in left):
                continue
            ledger.settle(scope, _run(known), total(left), kind="waste", outcome="killed")
            shutil.rmtree(file.parent, ignore_errors=True)


@contextmanager
def _driving(scope: Scope, folder: Path, run: Run) -> Generator[Running]:
    """The run's folder, which appears with its lock already held."""
    hidden = folder / f"{UNNAMED}{run.id}"
    facts = {
        "tenant": scope.tenant,
        "id": run.id,
        "command": run.command,
        "fleet": run.fleet,
        "host": run.host,
        "boot": _boot(),
        "actor": run.actor,
        "began_at": run.began_at.isoformat() if run.began_at else "",
    }
    write_bytes(hidden / DRIVER, json.dumps(facts).encode())
    with (hidden / DRIVER).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        heartbeat = Heartbeat(hidden)
        mine = folder / run.id
        hidden.rename(mine)
        yield Running(run, mine, heartbeat)


def _run(known: dict[str, str]) -> Run:
    return Run(
        id=known["id"],
        command=known["command"],
        fleet=known["fleet"],
        host=known["host"],
        began_at=datetime.fromisoformat(known["began_at"]),
        actor=known["actor"],
    )


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
