"""Months as numbers (202612), and spans of them."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Period:
    """Whole months: first ≤ month < last."""

    first: int
    last: int
    now: datetime

    def holds(self, month: int) -> bool:
        return self.first <= month < self.last

    @property
    def months(self) -> list[int]:
        return between(self.first, self.last)

    @property
    def begin(self) -> datetime:
        return begin_of(self.first)

    @property
    def end(self) -> datetime:
        return begin_of(self.last)

    @property
    def passed(self) -> datetime:
        """The end, or now where the period is not over."""
        return min(self.end, self.now) if self.now > self.begin else self.end

    @property
    def is_over(self) -> bool:
        return self.passed == self.end

    @property
    def years(self) -> float:
        """Twelfths of a year; of a month that is not over, what has passed of it."""
        whole = 0.0
        for month in self.months:
            begin, end = begin_of(month), begin_of(after(month))
            whole += max((min(end, self.passed) - begin) / (end - begin), 0.0)
        return whole / 12

    @property
    def in_words(self) -> str:
        last = before(self.last, 1)
        span = name(self.first) if self.first == last else f"{name(self.first)} to {name(last)}"
        return span if self.is_over else f"{span}, so far"


def name(month: int) -> str:
    """202612 → `2026-12`."""
    return f"{month // 100}-{month % 100:02}"


def after(month: int) -> int:
    return before(month, -1)


def before(month: int, count: int) -> int:
    """The month `count` months earlier."""
    index = month // 100 * 12 + month % 100 - 1 - count
    return index // 12 * 100 + index % 12 + 1


def between(first: int, last: int) -> list[int]:
    """All months first ≤ month < last."""
    found: list[int] = []
    while first < last:
        found.append(first)
        first = after(first)
    return found


def begin_of(month: int) -> datetime:
    return datetime(month // 100, month % 100, 1, tzinfo=UTC)
