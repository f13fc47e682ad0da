"""Shifts of a line: which one a moment belongs to, and whether its red rabbits were rejected.

A red rabbit is a part known to be bad that is sent through now and then: a station that lets one
pass is blind, and one that has not been shown them in this shift may be.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Literal

from tenfold.errors import DataError

Seeing = Literal["proven", "unproven", "blind"]


@dataclass(frozen=True, slots=True)
class Shift:
    name: str
    begins: datetime
    """Aware, in the time of the plant."""
    ends: datetime


@dataclass(frozen=True, slots=True)
class Starts:
    """When shifts begin each day, by the clock of the plant; one lasts until the next begins."""

    at: tuple[tuple[str, time], ...]
    """Name and beginning, in the order of the day."""

    def __post_init__(self) -> None:
        times = [begin for _, begin in self.at]
        if not times or any(a >= b for a, b in pairwise(times)):
            raise DataError(
                "shifts begin one after the other, each at a time of its own.",
                hint="Such as `shifts: {early: 06:00, late: 14:00, night: 22:00}`.",
            )

    def of(self, moment: datetime) -> Shift:
        """The shift that is at work at a moment of the plant's clock."""
        begins = [
            (name, moment.replace(hour=t.hour, minute=t.minute, second=0, microsecond=0) + day)
            for day in (timedelta(-1), timedelta(0), timedelta(1))
            for name, t in self.at
        ]
        place = max(n for n, (_, begin) in enumerate(begins) if begin <= moment)
        name, begin = begins[place]
        return Shift(f"{begin:%Y-%m-%d} {name}", begin, begins[place + 1][1])


@dataclass(frozen=True, slots=True)
class Shown:
    """A red rabbit that passed the station."""

    rabbit: str
    """Its serial."""
    is_rejected: bool
    at: datetime


def seeing(rabbits: Sequence[str], shown: Iterable[Shown], shift: Shift) -> Seeing:
    """What is known of the station's eyes in a shift: `blind` once the last look at any rabbit let
    it pass, `proven` when every rabbit was rejected in this shift, else `unproven`.

    `shown` comes in the order of the looks, which a clock that is set back does not change."""
    last = dict[str, Shown]()
    for one in shown:
        if one.rabbit in rabbits and shift.begins <= one.at < shift.ends:
            last[one.rabbit] = one
    if any(not one.is_rejected for one in last.values()):
        return "blind"
    return "proven" if set(rabbits) <= last.keys() else "unproven"


def left(rabbits: Sequence[str], shown: Iterable[Shown], shift: Shift) -> list[str]:
    """Rabbits that this shift has not seen yet, in their order."""
    seen = {one.rabbit for one in shown if shift.begins <= one.at < shift.ends}
    return [one for one in rabbits if one not in seen]
