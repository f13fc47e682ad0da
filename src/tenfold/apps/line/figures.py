"""What a line's quality is judged by: yield, first-pass yield, Pareto of defects, p-chart.

Source: Montgomery, "Introduction to Statistical Quality Control", chapter 7.3 (p-chart with a
sample size that varies: limits p ± 3·sqrt(p(1-p)/n) for each point).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import sqrt

from tenfold.apps.line.journal import Part

SIGMAS = 3.0
FEWEST = 20
"""Points before which limits mean nothing; see Montgomery, 7.3.1: 20 to 25 samples."""


@dataclass(frozen=True, slots=True)
class Yields:
    parts: int
    ok: int
    """Released at last: by the station, or by a person who overruled it."""
    ok_at_once: int
    """Released by the station when it saw them first."""
    rejected: int
    manual: int
    """Sent to manual inspection, and not decided yet."""

    @property
    def share(self) -> float:
        """Yield, of what is decided."""
        return self.ok / decided if (decided := self.ok + self.rejected) else 0.0

    @property
    def first_pass(self) -> float:
        """First-pass yield, of all parts."""
        return self.ok_at_once / self.parts if self.parts else 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """Of a p-chart: a run of parts that followed each other."""

    begins: datetime
    parts: int
    rejected: int
    lower: float
    upper: float
    is_alarm: bool
    """Outside the limits that the points before it set."""

    @property
    def share(self) -> float:
        return self.rejected / self.parts


def yields(parts: Iterable[Part]) -> Yields:
    """Each part once, by its serial (where it has one): the last look decides, and the first says
    whether it passed at once. Red rabbits are no parts."""
    count = Counter[str]()
    for looks in _looks(parts):
        last, first = looks[-1].verdict, looks[0].outcome
        count["parts"] += 1
        count[last] += 1
        count["at once"] += first == "ok"
    return Yields(count["parts"], count["ok"], count["at once"], count["reject"], count["manual"])


def pareto(parts: Iterable[Part]) -> list[tuple[str, int]]:
    """Reasons of rejected parts with their numbers, the most frequent first."""
    reasons = Counter(looks[-1].reason for looks in _looks(parts) if looks[-1].verdict == "reject")
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def p_chart(parts: Sequence[Part], *, every: int) -> list[Point]:
    """Share of rejects by runs of `every` parts, oldest first. Limits come from all runs before a
    point, once there are `FEWEST`; an incomplete last run is left out."""
    looked = sorted((looks[-1] for looks in _looks(parts)), key=lambda part: part.id)
    found: list[Point] = []
    for begin in range(0, len(looked) - every + 1, every):
        run = looked[begin : begin + every]
        rejected = sum(part.verdict == "reject" for part in run)
        lower, upper = _limits(found, every)
        share = rejected / every
        found.append(Point(run[0].at, every, rejected, lower, upper, not lower <= share <= upper))
    return found


def _limits(before: Sequence[Point], size: int) -> tuple[float, float]:
    calm = [point for point in before if not point.is_alarm]
    if len(calm) < FEWEST:
        return 0.0, 1.0
    share = sum(point.rejected for point in calm) / sum(point.parts for point in calm)
    far = SIGMAS * sqrt(share * (1 - share) / size)
    return max(0.0, share - far), min(1.0, share + far)


def _looks(parts: Iterable[Part]) -> list[list[Part]]:
    """The looks at each part, oldest first."""
    real = (part for part in parts if not part.is_rabbit)
    named = sorted(real, key=lambda part: (part.serial or f"\0{part.id}", part.id))
    return [
        list(looks) for _, looks in groupby(named, key=lambda part: part.serial or f"\0{part.id}")
    ]
