"""What a report says, from a station's journal and evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tenfold.apps.line import counted
from tenfold.apps.line.counted import Stage
from tenfold.apps.line.cycle import UNSEEN
from tenfold.apps.line.evidence import Evidence
from tenfold.apps.line.figures import Point, Yields, p_chart, run_size
from tenfold.apps.line.journal import Journal, ModeSaid, Part, Span

NUMBERS, REJECTS, OVERRULED, MODES = 20, 24, 200, 3
"""Part numbers, rejects and overruled parts that are listed; the CSV has all."""


@dataclass(frozen=True, slots=True)
class Rabbit:
    """A red rabbit as it was seen."""

    serial: str
    looks: int
    rejected_at: datetime | None
    """When it was first rejected for what was seen of it; None: never."""
    reason: str
    """Of that reject."""
    passed: int
    """Looks that found nothing wrong with it: the station was blind."""


@dataclass(frozen=True, slots=True)
class Reject:
    part: Part
    picture: bytes | None
    maps: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Report:
    station: str
    name: str
    """Of the shift, or the days."""
    note: str
    """What whoever asked for it wants to be said, such as what was simulated."""
    looks: int
    first: datetime | None
    last: datetime | None
    yields: Yields
    numbers: Sequence[tuple[str, Yields]]
    pareto: Sequence[tuple[str, int]]
    points: Sequence[Point]
    every: int
    """Parts of a point."""
    modes: Sequence[ModeSaid]
    """What became of the part numbers that are listed, up to the end: shadow or live, by whom."""
    in_shadow: int
    """Looks at parts about which a person decided."""
    rabbits: Sequence[Rabbit]
    overruled: Sequence[Part]
    overruled_in_all: int
    stages: Sequence[Stage]
    rejects: Sequence[Reject]
    rejected_looks: int
    pictures: int
    """Looks whose picture was kept."""

    @property
    def alarms(self) -> Sequence[Point]:
        return [point for point in self.points if point.is_alarm]

    @property
    def has_limits(self) -> bool:
        return any(point.upper < 1 for point in self.points)


def gather(
    journal: Journal,
    evidence: Evidence,
    span: Span,
    *,
    station: str,
    note: str = "",
    rabbits: Sequence[str] = (),
) -> Report:
    """The report of a span; `rabbits` are those that should have been shown."""
    yields = counted.yields(journal, span)
    looks, first, last = counted.span_of(journal, span)
    every = run_size(yields.parts)
    numbers = counted.by_number(journal, span, most=NUMBERS)
    overruled = journal.overruled(span)
    rejects = journal.newest(span, REJECTS * 2, outcome="reject")
    return Report(
        station=station,
        name=name_of(span),
        note=note,
        looks=looks,
        first=first,
        last=last,
        yields=yields,
        numbers=numbers,
        pareto=counted.pareto(journal, span),
        points=p_chart(counted.runs(journal, span, every=every)),
        every=every,
        modes=[
            said
            for number, _ in numbers
            for said in journal.modes(number)[-MODES:]
            if last is None or said.at <= last
        ],
        in_shadow=counted.in_shadow(journal, span),
        rabbits=seen_rabbits(journal.shown(span), rabbits),
        overruled=overruled[-OVERRULED:],
        overruled_in_all=len(overruled),
        stages=counted.stages(journal, span),
        rejects=[
            Reject(look, evidence.picture(look), evidence.maps(look))
            for look in rejects
            if not look.is_rabbit
        ][:REJECTS],
        rejected_looks=counted.looks_of(journal, span, "reject"),
        pictures=counted.pictures(journal, span),
    )


def name_of(span: Span) -> str:
    """What a span is called."""
    days = [
        f"{word} {at:%Y-%m-%d %H:%M}"
        for word, at in (("from", span.begins), ("until", span.ends))
        if at
    ]
    when = span.shift or " ".join(days) or "all that was recorded"
    more = [
        f"{word} {text}"
        for word, text in (("part", span.part), ("lot", span.lot), ("serial", span.serial))
        if text
    ]
    return ", ".join([when, *more])


def seen_rabbits(looks: Sequence[Part], asked: Sequence[str]) -> list[Rabbit]:
    """What became of each red rabbit, those that were asked for first."""
    by_serial: dict[str, list[Part]] = {serial: [] for serial in asked}
    for look in looks:
        by_serial.setdefault(look.serial, []).append(look)
    return [_rabbit(serial, looks) for serial, looks in by_serial.items()]


def _rabbit(serial: str, looks: Sequence[Part]) -> Rabbit:
    caught = [one for one in looks if one.outcome == "reject" and one.reason not in UNSEEN]
    return Rabbit(
        serial=serial,
        looks=len(looks),
        rejected_at=caught[0].at if caught else None,
        reason=caught[0].reason if caught else "",
        passed=sum(one.outcome == "ok" for one in looks),
    )
