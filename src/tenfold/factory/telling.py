"""How far a job is, line by line in a file of its own, to be followed and taken up again."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenfold.atomic import in_words, write_bytes

LAST = ("done", "failed", "cancelled")
"""Kinds of an event after which nothing is told."""


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    after: int = 0
    """Where the next event begins; `events` takes up from here."""


class Teller:
    """Tells of one job; one process tells at a time."""

    def __init__(self, home: Path, job: str) -> None:
        self._home, self._job = home, job
        self._file = place(home, job)

    def tell(self, kind: str, **detail: Any) -> None:
        """One more line, on the disk when it is the last.

        Raises:
            Unavailable: the disk is full.
        """
        line = json.dumps({"event": kind, **detail}, default=str) + "\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab+") as file:
                _drop_torn_line(file.fileno())
                file.write(line.encode())
                file.flush()
                if kind in LAST:
                    os.fsync(file.fileno())
        except OSError as error:
            raise in_words(error.errno, where=str(self._file.parent)) or error from error

    def outcome(self) -> Event | None:
        """What came of it, if that was told."""
        return next((e for e in events(self._home, self._job) if e.kind in LAST), None)


def events(home: Path, job: str, *, after: int = 0) -> list[Event]:
    """What was told of a job; a line that is not complete was not told."""
    try:
        with place(home, job).open("rb") as file:
            file.seek(max(0, after))
            data = file.read()
    except FileNotFoundError:
        return []
    found: list[Event] = []
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        after += len(line)
        try:
            detail = json.loads(line)
            found.append(Event(detail.pop("event"), detail, after))
        except (ValueError, KeyError, AttributeError):
            continue  # `after` was none that we gave
    return found


def cancel(home: Path, job: str) -> None:
    """Ask the process that does a job to end."""
    write_bytes(place(home, job).with_suffix(".cancelled"), b"")


def is_cancelled(home: Path, job: str) -> bool:
    return place(home, job).with_suffix(".cancelled").exists()


def remove_old(home: Path, *, before: float) -> int:
    """Remove what was told of jobs of which nothing was told since a time (seconds since 1970)."""
    old = [path for path in (home / "jobs").glob("*") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def place(home: Path, job: str) -> Path:
    """Where is told of a job, whatever its key is made of."""
    return home / "jobs" / f"{hashlib.sha256(job.encode()).hexdigest()[:32]}.jsonl"


def _drop_torn_line(file: int) -> None:
    """A killed writer may have left the beginning of a line."""
    size = os.fstat(file).st_size
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return
    data = os.pread(file, size, 0)
    os.ftruncate(file, data.rfind(b"\n") + 1)
