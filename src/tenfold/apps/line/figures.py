"""What a line's quality is judged by: yield, first-pass yield, Pareto of defects, p-chart.

Each part counts once, by its serial (where it has one): its last look decides, and its first says
whether it passed at once. Red rabbits are no parts.

Source: Montgomery, "Introduction to Statistical Quality Control", chapter 7.3 (p-chart). Its limits
p ± 3·sqrt(p(1-p)/n) need n·p of several; runs of few parts would raise alarms by chance, so the
limits here are those of the binomial distribution itself, at the risk that three sigma have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scipy.stats import binom

RISK = 0.00135
"""Of an alarm by chance, on each side: that of three sigma."""
FEWEST = 20
"""Points before which limits mean nothing; see Montgomery, 7.3.1: 20 to 25 samples."""
SIZES = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
MOST_POINTS = 60
"""More than these nobody can look at."""


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
class Run:
    """Parts that followed each other."""

    begins: datetime
    parts: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Point:
    """Of a p-chart."""

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


def p_chart(runs: Sequence[Run]) -> list[Point]:
    """Share of rejects by runs, oldest first. Limits come from all runs before a point, once there
    are `FEWEST`."""
    found: list[Point] = []
    for run in runs:
        lower, upper = limits(found, run.parts)
        is_alarm = not lower <= run.rejected / run.parts <= upper
        found.append(Point(run.begins, run.parts, run.rejected, lower, upper, is_alarm))
    return found


def limits(before: Sequence[Point], size: int) -> tuple[float, float]:
    """Between which the share of a run of that size lies, if nothing changed; 0 and 1 as long as
    nobody can say."""
    calm = [point for point in before if not point.is_alarm]
    if len(calm) < FEWEST:
        return 0.0, 1.0
    rejected, parts = sum(p.rejected for p in calm), sum(p.parts for p in calm)
    share = (rejected + 0.5) / (parts + 1)  # none so far does not mean never
    lower, upper = (float(q) for q in binom.ppf((RISK, 1 - RISK), size, share))
    return lower / size, upper / size


def run_size(parts: int) -> int:
    """Parts of a run, so that a chart of so many parts has at most `MOST_POINTS` points."""
    return next((size for size in SIZES if parts / size <= MOST_POINTS), SIZES[-1])
