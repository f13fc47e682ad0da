"""What the engineer's screen of a station shows: looked up once for all who look."""

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

from tenfold.apps.line import counted, finding, modes
from tenfold.apps.line.figures import Point, p_chart
from tenfold.apps.line.journal import Journal, Seen, Span
from tenfold.apps.line.modes import PartState
from tenfold.apps.line.part import Golden, PartSpec, load_part
from tenfold.apps.line.state import read_state
from tenfold.apps.line.stations import journal_of, known_folder, parts_of, spec_of
from tenfold.apps.line.timing import WHOLE, Stage, stages
from tenfold.catalog import deployments, models
from tenfold.catalog.models import Model
from tenfold.errors import NotFound, TenfoldError
from tenfold.workspace import Workspace

EVERY_S, LEAST_REST = 4.0, 20
TIMED, CURVE, CHARTED, RUN = 1000, 240, 3000, 50
"""Parts whose stages are timed, that are drawn one by one, that the p-chart tells, and of one of
its points."""
MOST_NUMBERS, MOST_HEADS = 24, 40


@dataclass(frozen=True, slots=True)
class Head:
    """What looks at a region."""

    part: str
    region: str
    head: str
    """Deployment."""
    seen: Seen | None
    """What it said last."""
    model: Model | None
    """That is live."""


@dataclass(frozen=True, slots=True)
class Figures:
    deadline_ms: float
    stages: list[Stage]
    taken: list[float]
    """Milliseconds of the last parts in all, oldest first."""
    points: list[Point]
    shift: str
    reasons: list[tuple[str, int]]
    heads: list[Head]
    taught: list[PartState]
    """Part numbers of which the file was written last."""
    taught_count: int


class Kept:
    """Figures by station, as fresh as they cost."""

    def __init__(self) -> None:
        self._alone = threading.Lock()
        self._known: dict[str, tuple[float, Figures]] = {}

    def of(self, workspace: Workspace, station: str) -> Figures:
        """
        Raises:
            NotFound: there is no such station.
            Unavailable: its journal cannot be used.
        """
        with self._alone:
            until_s, found = self._known.get(station, (0.0, None))
            if found is None or time.monotonic() >= until_s:
                began_s = time.monotonic()
                fresh = figures(workspace, station)
                if found is None or fresh != found:
                    found = fresh
                ended_s = time.monotonic()
                rest_s = max(EVERY_S, LEAST_REST * (ended_s - began_s))
                self._known[station] = ended_s + rest_s, found
            return found

    def forget(self, station: str) -> None:
        """Somebody changed something: whoever looks next is shown it."""
        with self._alone:
            self._known.pop(station, None)


def figures(workspace: Workspace, station: str) -> Figures:
    """
    Raises:
        NotFound: there is no such station.
        Unavailable: its journal cannot be used.
    """
    folder, spec = known_folder(workspace, station), spec_of(workspace, station)
    state = read_state(folder)
    with closing(journal_of(workspace, station)) as journal:
        timed = finding.times(journal, TIMED)
        shift = (state.shift if state else "") or next(iter(finding.shifts(journal, 1)), "")
        last = max((part.id for part in journal.last(1)), default=0)
        recent = counted.runs(journal, Span(after=max(0, last - CHARTED)), every=RUN)
        return Figures(
            deadline_ms=spec.deadline_ms if spec else 0.0,
            stages=stages(timed),
            taken=[one[WHOLE] for one in reversed(timed[:CURVE]) if WHOLE in one],
            points=p_chart(recent),
            shift=shift,
            reasons=counted.pareto(journal, Span(shift)) if shift else [],
            heads=_heads(workspace, station, journal),
            taught=(taught := _taught(workspace, station))[:MOST_NUMBERS],
            taught_count=len(parts_of(workspace, station).names()) if taught else 0,
        )


def _heads(workspace: Workspace, station: str, journal: Journal) -> list[Head]:
    """Those of the part numbers that came last."""
    folder, seen = parts_of(workspace, station).folder, dict[tuple[str, str], Seen]()
    for part in journal.last(100):
        for one in part.regions:
            seen.setdefault((part.part, one.region), one)
    numbers = dict.fromkeys(part for part, _ in seen)
    found: list[Head] = []
    live = _live(workspace)
    for number in numbers:
        for region, head in _asked(_spec(lambda at=number: load_part(folder / f"{at}.yaml"))):
            found.append(Head(number, region, head, seen.get((number, region)), live(head)))
    return found[:MOST_HEADS]


def _taught(workspace: Workspace, station: str) -> list[PartState]:
    """Part numbers with what is proven of them, those that were changed last first."""
    folder = parts_of(workspace, station).folder
    files = sorted(folder.glob("*.yaml"), key=lambda path: -path.stat().st_mtime)
    found = list[PartState]()
    for path in files[:MOST_NUMBERS]:
        with suppress(TenfoldError):  # the station says what is wrong when such a part comes
            found.append(modes.state(workspace, station, path.stem))
    return found


def _asked(spec: PartSpec | None) -> list[tuple[str, str]]:
    if spec is None:
        return []
    return [
        (region.name, check.head)
        for region in spec.regions
        for check in region.checks
        if not isinstance(check, Golden)
    ]


def _spec(load: Callable[[], PartSpec]) -> PartSpec | None:
    """None: its file cannot be read, which the station says when such a part comes."""
    try:
        return load()
    except TenfoldError:
        return None


def _live(workspace: Workspace) -> Callable[[str], Model | None]:
    """The live model of a deployment, looked up once each."""
    known: dict[str, Model | None] = {}

    def find(head: str) -> Model | None:
        if head not in known:
            try:
                now = deployments.get(workspace.scope, head)
                known[head] = models.find(workspace.scope, now.live) if now.live else None
            except NotFound:
                known[head] = None
        return known[head]

    return find
