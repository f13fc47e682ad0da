"""A station put together from its spec: floor, camera, heads, parts and journal."""

import logging
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial

from tenfold.apps.line.alone import alone
from tenfold.apps.line.asking import heads
from tenfold.apps.line.cameras import open_camera
from tenfold.apps.line.cycle import Beside, Rules, Station
from tenfold.apps.line.floor import open_floor
from tenfold.apps.line.journal import Journal
from tenfold.apps.line.judging import Eyes
from tenfold.apps.line.keeping import Keeping
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.shadowing import Shadowing
from tenfold.apps.line.shifts import Starts
from tenfold.apps.line.state import write_state
from tenfold.apps.line.station import CameraLight, StationSpec
from tenfold.apps.line.stations import evidence_of, folder_of, journal_of, keep_spec, parts_of
from tenfold.errors import TenfoldError
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

REHEARSED = 4
"""Part numbers that a station looks at before it opens."""


def rules_of(spec: StationSpec) -> Rules:
    """
    Raises:
        DataError: two shifts begin at one time.
    """
    shifts = tuple(sorted(spec.shifts.items(), key=lambda shift: shift[1]))
    starts, deadline_s = Starts(shifts), spec.deadline_ms / 1000
    return Rules(deadline_s, starts, spec.red_rabbits, station=spec.station)


@contextmanager
def opened(workspace: Workspace, spec: StationSpec) -> Generator[Station]:
    """The station, ready to `run`; a copy of its spec is kept where screens find it.

    Raises:
        Unsupported: a library is not installed.
        Conflict: another process is this station.
        Unavailable: the journal cannot be written, or a port is taken.
    """
    folder = folder_of(workspace, spec.station)
    with (
        alone(folder, spec.station),
        closing(journal_of(workspace, spec.station)) as journal,
        heads(workspace) as desk,
    ):
        _keep(workspace, spec)
        parts = parts_of(workspace, spec.station)
        eyes = Eyes(parts, desk, spec.identity)
        eyes.rehearse(_expected(parts, journal))
        with (
            closing(open_camera(spec.camera, _camera_lights(spec))) as camera,
            closing(open_floor(spec)) as floor,
            closing(Keeping(evidence_of(workspace, spec.station), journal)) as keeping,
        ):
            beside = Beside(keeping, partial(write_state, folder))
            judge = Shadowing(eyes, parts)
            yield Station(floor, camera, judge, journal, rules_of(spec), beside)


def _expected(parts: Parts, journal: Journal) -> list[str]:
    """Part numbers that will probably come: those that came last, or the first that are taught."""
    came = dict.fromkeys(part.part for part in journal.last(100))
    taught = set(parts.names())
    return [number for number in came if number in taught][:REHEARSED] or sorted(taught)[:REHEARSED]


def _keep(workspace: Workspace, spec: StationSpec) -> None:
    try:
        keep_spec(workspace, spec)
    except TenfoldError as error:
        log.warning("screens know the station by what it ran by before: %s", error)


def _camera_lights(spec: StationSpec) -> list[CameraLight]:
    return [light for light in spec.light if isinstance(light, CameraLight)]
