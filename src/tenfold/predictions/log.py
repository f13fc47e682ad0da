"""The log that one serving process appends to.

Durable: an answer is on the disk before it is given; answers that come together share one fsync.
Sampled: an answer never waits; what cannot be written in time is lost, counted, and the count is
written when there is room again.
"""

import fcntl
import os
import threading
from concurrent.futures import Future
from io import FileIO
from pathlib import Path
from queue import Empty, SimpleQueue

from tenfold.atomic import make_durable
from tenfold.errors import Unavailable
from tenfold.predictions import SEGMENT, Lost, frame

MOST_WAITING = 20_000
"""Records in memory of a sampled log; more are lost."""
SEGMENT_BYTES = 64 << 20

_Item = tuple[bytes, "Future[None] | None"]


class Log:
    """Appends from one thread of its own; the others hand records over."""

    def __init__(self, folder: Path, name: str, *, durable: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.durable = durable
        self.lost = 0
        """Records that could not be written so far; sampled only."""
        self.folder, self._name = folder, name
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._told = 0
        self._number = 0
        self._file = self._opened()
        self._end = 0
        self._thread = threading.Thread(target=self._write_all, name="answers", daemon=True)
        self._thread.start()

    def append(self, data: bytes) -> "Future[None] | None":
        """Record a frame. Durable: the future ends when the disk has it.

        The future raises `Unavailable` when it could not be written; then it is not in the log.
        """
        if self.durable:
            written: Future[None] = Future()
            self._queue.put((data, written))
            return written
        if self._queue.qsize() >= MOST_WAITING:
            self.lost += 1
        else:
            self._queue.put((data, None))
        return None

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _opened(self) -> FileIO:
        """A new segment, held by a lock while this process lives."""
        path = self.folder / f"{self._name}-{self._number:04d}{SEGMENT}"
        file = path.open("xb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if self.durable:
            make_durable(path)
        return file

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._batch()
            if batch:
                self._write(batch)

    def _batch(self) -> tuple[list[_Item], bool]:
        """Everything that waits; False: it was the last."""
        items = [self._queue.get()]
        try:
            while True:
                items.append(self._queue.get_nowait())
        except Empty:
            pass
        return [item for item in items if item is not None], None not in items

    def _write(self, batch: list[_Item]) -> None:
        gap = self.lost - self._told
        data = b"".join(item for item, _ in batch) + (frame(Lost(gap)) if gap else b"")
        try:
            if self._end >= SEGMENT_BYTES:
                self._next_segment()
            _write_whole(self._file.fileno(), data)
            if self.durable:
                os.fdatasync(self._file.fileno())
        except OSError as error:
            self._take_back(batch, error)
            return
        self._end += len(data)
        self._told += gap
        for _, written in batch:
            if written is not None:
                written.set_result(None)

    def _next_segment(self) -> None:
        self._number += 1
        before, self._file = self._file, self._opened()
        before.close()
        self._end = 0

    def _take_back(self, batch: list[_Item], error: OSError) -> None:
        """Nothing of the batch is in the log."""
        os.ftruncate(self._file.fileno(), self._end)
        os.lseek(self._file.fileno(), self._end, os.SEEK_SET)
        problem = Unavailable(
            f"the answer could not be recorded ({error.strerror}), so it is not given.",
            where=str(self.folder),
            hint="Make room on the disk; the log goes on by itself.",
        )
        for _, written in batch:
            if written is None:
                self.lost += 1
            else:
                written.set_exception(problem)


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
