"""The log that one serving process appends to.

Durable: an answer is on the disk before it is given; answers that come together share one fsync.
Sampled: an answer never waits; what cannot be written in time is lost, counted, and the count is
written when there is room again.

A segment begins with the place up to which its records are sure. Readers of a segment whose writer
lives go no further, so a write that fails can be taken back.
"""

import fcntl
import logging
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from queue import Empty, SimpleQueue

from tenfold.atomic import UNFINISHED, make_durable
from tenfold.errors import TenfoldError, Unavailable
from tenfold.predictions import HEAD_BYTES, SEGMENT, Lost, frame

log = logging.getLogger(__name__)

MOST_WAITING_BYTES = 64 << 20
"""Of a sampled log; more is lost."""
SEGMENT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    data: bytes
    answers: int
    written: "Future[None] | None"
    """None: nobody waits for it."""


class Log:
    """Appends from one thread of its own; the others hand records over."""

    def __init__(self, folder: Path, name: str, *, durable: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.durable = folder, durable
        self._name = name
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._lost = 0
        self._waiting_bytes = 0
        # from here on, the writing thread's own
        self._told = 0
        self._number = 0
        self._file = self._opened()
        self._end = HEAD_BYTES
        self._thread = threading.Thread(target=self._write_all, name="answers", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Answers that were given and could not be recorded so far; sampled only."""
        with self._lock:
            return self._lost

    def append(self, data: bytes, *, answers: int = 1) -> "Future[None] | None":
        """Record the frames of some answers, all or none. Durable: the future ends when the disk
        has them.

        The future raises `Unavailable` when they could not be written; then none is in the log.
        """
        if self.durable:
            written: Future[None] = Future()
            self._queue.put(_Item(data, answers, written))
            return written
        with self._lock:
            is_full = self._waiting_bytes + len(data) > MOST_WAITING_BYTES
            self._lost += answers if is_full else 0
            self._waiting_bytes += 0 if is_full else len(data)
        if not is_full:
            self._queue.put(_Item(data, answers, None))
        return None

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _opened(self) -> FileIO:
        """A new segment. It has its name when it is held by a lock, which this process keeps."""
        name = f"{self._name}-{self._number:04d}"
        draft = self.folder / f"{UNFINISHED}{name}"
        file = draft.open("xb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(HEAD_BYTES.to_bytes(HEAD_BYTES, "little"))
        path = self.folder / f"{name}{SEGMENT}"
        draft.rename(path)
        if self.durable:
            make_durable(path)
        return file

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._batch()
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - the writer's loop: it must never end
                log.error("answers could not be recorded: %s", error)
                self._refuse(batch, str(error))

    def _batch(self) -> tuple[list[_Item], bool]:
        """Everything that waits and is still wanted; False: it was the last."""
        items = [self._queue.get()]
        try:
            while True:
                items.append(self._queue.get_nowait())
        except Empty:
            pass
        wanted = [item for item in items if item is not None and _is_wanted(item)]
        with self._lock:
            self._waiting_bytes -= sum(len(i.data) for i in wanted if i.written is None)
        return wanted, None not in items

    def _write(self, batch: list[_Item]) -> None:
        gap = self.lost - self._told
        data = b"".join(item.data for item in batch) + (frame(Lost(gap)) if gap else b"")
        if not data:
            return
        try:
            if self._end >= SEGMENT_BYTES:
                self._next_segment()
            _write_whole(self._file.fileno(), data)
            if self.durable:
                os.fdatasync(self._file.fileno())
            sure = self._end + len(data)
            os.pwrite(self._file.fileno(), sure.to_bytes(HEAD_BYTES, "little"), 0)
        except (OSError, TenfoldError) as error:
            self._take_back()
            self._refuse(batch, getattr(error, "strerror", None) or str(error))
            return
        self._end = sure
        self._told += gap
        for item in batch:
            if item.written is not None:
                item.written.set_result(None)

    def _next_segment(self) -> None:
        self._number += 1
        before, self._file = self._file, self._opened()
        before.close()
        self._end = HEAD_BYTES

    def _take_back(self) -> None:
        """Nothing after what is sure is in the log."""
        os.ftruncate(self._file.fileno(), self._end)
        os.lseek(self._file.fileno(), self._end, os.SEEK_SET)

    def _refuse(self, batch: list[_Item], reason: str) -> None:
        problem = Unavailable(
            f"the answer could not be recorded ({reason}), so it is not given.",
            where=str(self.folder),
            hint="Make room on the disk; the log goes on by itself.",
        )
        for item in batch:
            if item.written is None:
                with self._lock:
                    self._lost += item.answers
            elif not item.written.done():
                item.written.set_exception(problem)


def _is_wanted(item: _Item) -> bool:
    """False where who asked has gone meanwhile."""
    return item.written is None or item.written.set_running_or_notify_cancel()


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
