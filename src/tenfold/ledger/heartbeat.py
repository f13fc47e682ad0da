"""The CPU time, wall time and peak memory of one process, kept where it outlives the process.

A small mapped file: its pages belong to the system. The process holds a lock on it while it lives,
and the system frees that however the process ends; so no process is ever taken for another that
came after it under the same number. Imports little, as each worker begins with it.
"""

import fcntl
import mmap
import os
import resource
import struct
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path

BEAT_S = 0.05
"""What a killed process used since its last beat is lost, unless its parent waited for it."""
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


def join(folder: Path, run_id: str) -> None:
    """Count this process, a worker, to the run from now until it ends; again is nothing.

    Nothing too where the run is over, or on a machine that does not have its folder.
    """
    with suppress(FileExistsError, FileNotFoundError):
        Heartbeat(folder / run_id)


def readings(folder: Path) -> list[Reading]:
    """What every process of a run last wrote."""
    found = (_reading(file) for file in sorted(folder.glob("[0-9]*")))
    return [one for one in found if one]


class Heartbeat:
    """Writes what this process used into `folder`, twenty times a second, until it is stopped.

    Raises:
        FileExistsError: this process has one already.
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
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
        is_alive, data = is_held(file), file.read_bytes()
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


def is_held(file: Path) -> bool:
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
