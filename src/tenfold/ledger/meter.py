"""What a run used over all its processes, known even after kill -9.

Each process of a run keeps its own CPU time, wall time and peak memory in a small mapped file. Its
pages belong to the system, so what was written outlives the process. Whoever opens the folder next
books what a killed run had used and nobody had booked as waste.

A process holds a lock on its file while it lives; the system frees it however the process ends. So
no number of a process is ever taken for another that came after it.
"""

import fcntl
import json
import mmap
import os
import resource
import secrets
import shutil
import socket
import struct
import threading
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.util import Finalize
from pathlib import Path

from tenfold.atomic import write_bytes
from tenfold.catalog import Scope, ledger
from tenfold.catalog.ledger import Run, Used

BEAT_S = 0.05
"""What a killed process used since its last beat is lost, unless its parent waited for it."""
ORPHANS_S = 3.0
"""How long a killed run's workers may take to notice, before the run is left for a later one."""
DRIVER = "driver.json"
UNNAMED = ".new-"
HEAD = struct.Struct("<8sII")
SLOT = struct.Struct("<5QI")
MAGIC = b"tenfold\1"

_booked_ns: dict[int, tuple[int, int]] = {}
"""CPU (own, children's) that earlier runs in this process have counted, by process number: it
belongs to the process, as its clock does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process of a run last wrote."""

    pid: int
    parent: int
    is_alive: bool
    cpu_s: float
    """Its own, from its start or from the end of the run before in the same process."""
    children_s: float
    """Of children that have ended and that it has waited for."""
    wall_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A run at work in this process."""

    run: Run
    folder: Path
    """Where its processes keep their time; `join` takes the folder above it and the id."""
    heartbeat: "Heartbeat"

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


def join(folder: Path, run_id: str) -> None:
    """Count this process, a worker, to the run from now until it ends; again is nothing."""
    mine = folder / run_id
    with suppress(FileExistsError):
        Heartbeat(mine)


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
            if not is_ours or not is_here or _is_held(file):
                continue
            left = readings(file.parent)
            while any(one.is_alive for one in left) and time.monotonic() < deadline:
                time.sleep(BEAT_S)
                left = readings(file.parent)
            if any(one.is_alive for one in left):
                continue
            ledger.settle(scope, _run(known), total(left), kind="waste", outcome="killed")
            shutil.rmtree(file.parent, ignore_errors=True)


def readings(folder: Path) -> list[Reading]:
    """What every process of a run last wrote."""
    found = (_reading(file) for file in sorted(folder.glob("[0-9]*")))
    return [one for one in found if one]


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


class Heartbeat:
    """Writes what this process used into `folder`, twenty times a second, until it is stopped.

    Raises:
        FileExistsError: this process has one already.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._pid = os.getpid()
        self._before = _booked_ns.get(self._pid, (0, 0))
        self._began_ns = time.monotonic_ns()
        self._number = 0
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._file = (folder / f"{self._pid}.{_started()}").open("x+b")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.truncate(HEAD.size + 2 * SLOT.size)
        self._map = mmap.mmap(self._file.fileno(), 0)
        HEAD.pack_into(self._map, 0, MAGIC, self._pid, os.getppid())
        self.beat()
        self._at_exit = Finalize(None, self.beat, exitpriority=100)
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Write now. Of two slots the older is overwritten, so a kill leaves the other whole."""
        with self._lock:
            if self._map.closed:
                return
            self._number += 1
            own_ns, children_ns = _cpu_ns()
            values = (
                self._number,
                max(own_ns - self._before[0], 0),
                max(children_ns - self._before[1], 0),
                time.monotonic_ns() - self._began_ns,
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            )
            place = HEAD.size + self._number % 2 * SLOT.size
            SLOT.pack_into(self._map, place, *values, _check(values))

    def stop(self) -> None:
        """Write a last time; what this process uses from now on belongs to its next run."""
        self._is_over.set()
        self._thread.join()
        self._at_exit.cancel()
        self.beat()
        with self._lock:
            _booked_ns[self._pid] = _cpu_ns()
            self._map.close()
            self._file.close()

    def _run(self) -> None:
        while not self._is_over.wait(BEAT_S):
            self.beat()


def _reading(file: Path) -> Reading | None:
    """None: the process was killed before it could write."""
    try:
        is_alive, data = _is_held(file), file.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < HEAD.size + 2 * SLOT.size or not data.startswith(MAGIC):
        return None
    _, pid, parent = HEAD.unpack_from(data)
    slots = [SLOT.unpack_from(data, HEAD.size + i * SLOT.size) for i in range(2)]
    whole = [slot[:5] for slot in slots if slot[0] and slot[5] == _check(slot[:5])]
    if not whole:
        return None
    _, own_ns, children_ns, wall_ns, peak_bytes = max(whole)
    return Reading(
        pid=pid,
        parent=parent,
        is_alive=is_alive,
        cpu_s=own_ns / 1e9,
        children_s=children_ns / 1e9,
        wall_s=wall_ns / 1e9,
        peak_mb=peak_bytes / 1e6,
    )


def _is_held(file: Path) -> bool:
    """Whether the process that locked `file` lives."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _check(values: tuple[int, ...]) -> int:
    return zlib.crc32(struct.pack("<5Q", *values))


def _cpu_ns() -> tuple[int, int]:
    """CPU time of this process since it started, and of the children it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns(), round((children.ru_utime + children.ru_stime) * 1e9)


def _started() -> str:
    """When this process started, in clock ticks since boot: with its number, a name for it."""
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
