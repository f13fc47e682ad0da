"""A conveyor and its gate: what a controller does with parts, and what it counts."""

import threading
from dataclasses import asdict, dataclass, field

OK = 1
"""What the station writes into `verdict` for a part that may leave."""


@dataclass
class BeltPart:
    """A part on its way from the light barrier to the gate."""

    sequence: int
    number: str
    serial: str
    picture: str
    """Which picture the camera shows for it; a path."""
    is_bad: bool
    """The truth, which the station cannot know."""
    due_s: float
    """When it is at the gate, as `time.monotonic` counts."""
    verdict: int = 0
    reason: str = ""
    released_as: str | None = None
    """Part number of the release; None: it was not released."""


@dataclass
class Counts:
    came: int = 0
    released: int = 0
    rejected: int = 0
    released_unjudged: int = 0
    """Left, though no verdict `ok` had been written for it."""
    released_wrong_part: int = 0
    """Left on the release of another part number. The gate forbids it; this looks at the part."""
    released_bad: int = 0
    """Left, though it was bad."""
    rejected_good: int = 0
    late: int = 0
    """Releases that came when the part had passed the gate."""
    misfits: int = 0
    """Releases that fit no part on the belt."""


@dataclass
class Gate:
    """Closed; it opens for a part alone whose very sequence was released beside its number, before
    it is there. Each part is released once."""

    counts: Counts = field(default_factory=Counts)
    _belt: dict[int, BeltPart] = field(default_factory=dict)
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, part: BeltPart) -> None:
        with self._lock:
            self.counts.came += 1
            self._belt[part.sequence] = part

    def judge(self, sequence: int, verdict: int, reason: str) -> None:
        """The station wrote `verdict_sequence`."""
        with self._lock:
            part = self._belt.get(sequence)
            if part is not None:
                part.verdict, part.reason = verdict, reason

    def release(self, sequence: int, number: str) -> None:
        """The station wrote `release`, and `release_part` before it."""
        if sequence == 0:
            return
        with self._lock:
            part = self._belt.get(sequence)
            if part is not None and part.number == number:
                part.released_as = number
            elif part is None and 0 < sequence <= self._passed:
                self.counts.late += 1
            else:
                self.counts.misfits += 1

    def passing(self, now_s: float) -> list[tuple[BeltPart, bool]]:
        """Parts that are at the gate now, and whether each leaves."""
        with self._lock:
            due = [part for part in self._belt.values() if part.due_s <= now_s]
            for part in due:
                del self._belt[part.sequence]
                self._passed = max(self._passed, part.sequence)
                self._count(part)
        return [(part, part.released_as is not None) for part in due]

    def is_empty(self) -> bool:
        return not self._belt

    def told(self) -> dict[str, int]:
        with self._lock:
            return asdict(self.counts)

    def _count(self, part: BeltPart) -> None:
        counts, leaves = self.counts, part.released_as is not None
        counts.released += leaves
        counts.rejected += not leaves
        counts.released_unjudged += leaves and part.verdict != OK
        counts.released_wrong_part += leaves and part.released_as != part.number
        counts.released_bad += leaves and part.is_bad
        counts.rejected_good += not leaves and not part.is_bad
