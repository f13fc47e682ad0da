"""A fleet that the hub was asked for: made as `tenfold make` makes it, and told while it grows."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenfold.factory.exceptions import Exceptions
from tenfold.factory.fleet import FleetMade, make_fleet
from tenfold.factory.telling import Teller
from tenfold.values import Progress
from tenfold.workspace import Workspace

TELL_S = 2.0
"""Between two lines that count what is made: a fleet takes hours."""


def fleet_made(workspace: Workspace, job: str, file: Path, *, progress: Progress) -> dict[str, Any]:
    """Make the fleet in `file`; what is not accepted goes into a list of its own."""
    home = workspace.settings.home
    exceptions, counting = Exceptions(home, job), _Counting(Teller(home, job))

    def progressing(stage: str, done: int, total: int) -> None:
        if stage == "models" and not done:
            counting.of = total
            counting.tell({})
        elif stage != "models":
            progress(stage, done, total)

    made = make_fleet(
        workspace, str(file), progress=progressing, live=counting, lacks=exceptions.add
    )
    exceptions.write(made.shortfalls)
    counting.tell(made.counts)
    return summary(made)


def summary(made: FleetMade) -> dict[str, Any]:
    """What it came to, in as many words for 34,000 tasks as for three."""
    return {
        "fleet": made.fleet,
        "tasks": len(made.outcomes),
        "counts": made.counts,
        "questions": made.questions,
        "found": sum(one.was_found for one in made.outcomes),
        "exceptions": len(made.shortfalls),
        "expected_false": made.expected_false,
        "fdr": made.fdr,
        "stand": sum(bool(one.holds_fdr) for one in made.outcomes),
        "seconds": made.seconds,
        "seconds_by_stage": made.seconds_by_stage,
    }


class _Counting:
    """Tells how many came to what, now and then."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._began = time.monotonic()
        self._told = -TELL_S
        self.of = 0

    def __call__(self, counts: Mapping[str, int]) -> None:
        if time.monotonic() - self._began - self._told >= TELL_S:
            self.tell(counts)

    def tell(self, counts: Mapping[str, int]) -> None:
        self._told = time.monotonic() - self._began
        seconds = round(self._told, 2)
        self._teller.tell("counts", counts=dict(counts), of=self.of, seconds=seconds)
