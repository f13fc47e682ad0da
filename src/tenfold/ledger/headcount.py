"""How many people there are, by date: the headcount file that people write."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from tenfold.errors import DataError
from tenfold.specs.yaml_file import Part, parsed, text_of

HINT = "docs/ledger.md shows a headcount file."


class Count(Part):
    date: date
    people: Annotated[float, Field(ge=0, le=1e9)]
    """At the end of that day; part-timers are parts."""


class Headcount(Part):
    headcount: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Oldest first."""

    @model_validator(mode="after")
    def _in_order(self) -> "Headcount":
        dates = [count.date for count in self.headcount]
        if dates != sorted(set(dates)):
            raise ValueError("`headcount` stands in the order of its dates, oldest first")
        return self

    def average(self, begin: datetime, end: datetime) -> float:
        """The mean over a span of time: straight lines between the dates, level outside them.

        Raises:
            DataError: the span is empty.
        """
        if not end > begin:
            raise DataError(f"no time passes from {begin:%Y-%m-%d} to {end:%Y-%m-%d}.")
        known = [(_end_of(count.date), count.people) for count in self.headcount]
        inside = [(at, people) for at, people in known if begin < at < end]
        points = [(begin, _at(known, begin)), *inside, (end, _at(known, end))]
        area = sum(
            (later - at).total_seconds() * (people + then) / 2
            for (at, people), (later, then) in pairwise(points)
        )
        return area / (end - begin).total_seconds()


def _at(known: list[tuple[datetime, float]], moment: datetime) -> float:
    if moment <= known[0][0]:
        return known[0][1]
    for (at, people), (later, then) in pairwise(known):
        if moment <= later:
            return people + (then - people) * ((moment - at) / (later - at))
    return known[-1][1]


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def load(path: Path | str = "") -> Headcount | None:
    """The headcount in a YAML file; None where none is given.

    Raises:
        NotFound: there is no such file.
        SpecError: names the file and line of what is wrong.
    """
    if not path:
        return None
    file = Path(path).expanduser()
    return parsed(Headcount, text_of(file), where=str(file), hint=HINT)
