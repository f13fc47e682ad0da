"""The hand that keeps evidence while a station works: a thread, and a short queue before it.

A station never waits for it. What cannot be kept in time, or has no room, is left out: pictures of
OK parts first; the log says so once, and how many it were when all is well again.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from tenfold.apps.line.drawing import jpeg
from tenfold.apps.line.evidence import Evidence, has_room, is_special
from tenfold.apps.line.journal import Journal, Part
from tenfold.apps.line.values import Pixels, Sight
from tenfold.errors import TenfoldError

log = logging.getLogger(__name__)

MOST_BYTES = 200_000_000
MOST_WAITING = 64
"""Parts whose pictures wait to be written, and bytes of them."""
TIDY_S = 3600.0
SHOW_S = 1.0
"""Between two pictures of OK parts that nobody keeps: as fast as people look."""
CLOSE_S = 20.0
IDLE_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    part: Part
    pixels: Pixels
    sights: Mapping[str, Sight]

    @property
    def size(self) -> int:
        return self.pixels.nbytes + sum(sight.pixels.nbytes for sight in self.sights.values())


class Keeping:
    """Keeps evidence in a thread of its own until it is closed."""

    def __init__(self, evidence: Evidence, journal: Journal) -> None:
        self._evidence, self._journal = evidence, journal
        self._waiting: deque[_Item] = deque()
        self._shown: _Item | None = None
        self._bytes, self._left_out, self._shown_s = 0, 0, 0.0
        self._news = threading.Condition()
        self._is_over = False
        self._tidying: Generator[int] | None = None
        self._tidy_s = 0.0
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)
        self._thread.start()

    def keep(self, part: Part, pixels: Pixels, sights: Mapping[str, Sight]) -> None:
        """What a part looked like, by region too; comes back at once."""
        item = _Item(part, pixels, sights)
        with self._news:
            if self._evidence.is_kept(part):
                self._queue(item)
            else:
                self._shown = item
            self._news.notify()

    def close(self) -> None:
        """Write what waits, within `CLOSE_S`."""
        with self._news:
            self._is_over = True
            self._news.notify()
        self._thread.join(CLOSE_S)

    def _queue(self, item: _Item) -> None:
        while self._is_full(item):
            plain = next((one for one in self._waiting if not is_special(one.part)), None)
            if plain is None or not is_special(item.part):
                self._leave_out("the disk is behind")
                return
            self._waiting.remove(plain)
            self._bytes -= plain.size
            self._leave_out("the disk is behind")
        self._waiting.append(item)
        self._bytes += item.size

    def _is_full(self, item: _Item) -> bool:
        is_many = len(self._waiting) >= MOST_WAITING
        return bool(self._waiting) and (is_many or self._bytes + item.size > MOST_BYTES)

    def _leave_out(self, why: str) -> None:
        if not self._left_out:
            log.warning("pictures are left out: %s", why)
        self._left_out += 1

    def _run(self) -> None:
        while True:
            item = self._next()
            if item is None and self._is_over:
                return
            try:
                if item is not None:
                    self._write(item)
                else:
                    self._tidy()
            except (TenfoldError, OSError) as error:
                self._leave_out(str(error))
            except Exception:
                log.exception("a picture is not kept")

    def _next(self) -> _Item | None:
        """What to write now; None: nothing, so there is time to tidy up."""
        with self._news:
            early_s = self._shown_s + SHOW_S - time.monotonic()
            if not self._waiting and not self._is_over and not self._tidying:
                if self._shown is None:
                    self._news.wait(IDLE_S)
                elif early_s > 0:
                    self._news.wait(early_s)
            if self._waiting:
                item = self._waiting.popleft()
                self._bytes -= item.size
                return item
            if self._is_over or time.monotonic() < self._shown_s + SHOW_S:
                return None
            item, self._shown = self._shown, None
            return item

    def _write(self, item: _Item) -> None:
        part, evidence = item.part, self._evidence
        evidence.folder.mkdir(parents=True, exist_ok=True)
        if not has_room(evidence.folder, 1 if is_special(part) else 2):
            self._leave_out("the disk is full")
            return
        picture, sights = jpeg(item.pixels), _drawn(item)
        if evidence.is_kept(part):
            evidence.store(part, picture, sights)
            self._journal.name_picture(part.id, sha256(picture).hexdigest())
        self._shown_s = time.monotonic()
        evidence.show(part, picture, sights)
        if self._left_out and not self._waiting:
            log.warning("pictures are kept again; %d were left out", self._left_out)
            self._left_out = 0

    def _tidy(self) -> None:
        """A little of it; all of it at the start and each hour."""
        now_s = time.monotonic()
        if self._tidying is None:
            if now_s < self._tidy_s:
                return
            if not self._tidy_s:
                self._evidence.begin()
            self._tidy_s = now_s + TIDY_S
            self._tidying = self._evidence.tidying(datetime.now(UTC).date(), self._journal.plain)
        if next(self._tidying, None) is None:
            self._tidying = None


def _drawn(item: _Item) -> Mapping[str, Sight]:
    """Every region of a part that was not plainly OK, else the one that came nearest to a reject:
    drawing takes tens of milliseconds each."""
    if is_special(item.part) or len(item.sights) < 2:
        return item.sights
    name = max(item.sights, key=lambda name: item.sights[name].nearness)
    return {name: item.sights[name]}
