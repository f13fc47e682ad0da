"""A station put together from its spec: floor, camera, heads, parts and journal."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from tenfold.apps.line.alone import alone
from tenfold.apps.line.asking import heads
from tenfold.apps.line.cameras import open_camera
from tenfold.apps.line.cycle import Rules, Station
from tenfold.apps.line.evidence import Evidence
from tenfold.apps.line.floor import open_floor
from tenfold.apps.line.journal import Journal
from tenfold.apps.line.judging import Eyes
from tenfold.apps.line.keeping import Keeping
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.shadowing import Shadowing
from tenfold.apps.line.shifts import Starts
from tenfold.apps.line.station import CameraLight, Retention, StationSpec, load_station
from tenfold.errors import NotFound
from tenfold.workspace import Workspace


def folder_of(workspace: Workspace, station: str) -> Path:
    """What a station keeps on its machine."""
    return workspace.settings.home / "line" / station


def parts_of(workspace: Workspace, station: str) -> Parts:
    return Parts(folder_of(workspace, station) / "parts")


def journal_of(workspace: Workspace, station: str) -> Journal:
    """
    Raises:
        Unavailable: it cannot be written.
        IntegrityError: it is damaged.
    """
    return Journal(folder_of(workspace, station) / "journal.sqlite")


def worked(workspace: Workspace, station: str) -> Journal:
    """The journal of a station that was at work here.

    Raises:
        NotFound: none of that name was.
        IntegrityError: it is damaged.
    """
    if not (folder_of(workspace, station) / "journal.sqlite").exists():
        known = sorted(path.parent.name for path in folder_of(workspace, "").glob("*/*.sqlite"))
        raise NotFound(
            f"no station {station!r} was at work here.",
            where=str(folder_of(workspace, "")),
            hint=f"Known: {', '.join(known)}." if known else "`tenfold line run` starts one.",
        )
    return journal_of(workspace, station)


def evidence_of(workspace: Workspace, station: str, retention: Retention | None = None) -> Evidence:
    return Evidence(folder_of(workspace, station) / "pictures", retention or Retention())


def rabbits_of(workspace: Workspace, station: str) -> tuple[str, ...]:
    """The red rabbits of a station as it was last at work here; empty where that is not known."""
    spec = folder_of(workspace, station) / "station.yaml"
    return load_station(spec).red_rabbits if spec.exists() else ()


def rules_of(spec: StationSpec) -> Rules:
    """
    Raises:
        DataError: two shifts begin at one time.
    """
    shifts = tuple(sorted(spec.shifts.items(), key=lambda shift: shift[1]))
    return Rules(spec.deadline_ms / 1000, Starts(shifts), spec.red_rabbits)


@contextmanager
def opened(workspace: Workspace, spec: StationSpec) -> Generator[Station]:
    """The station, ready to `run`.

    Raises:
        Unsupported: a library is not installed.
        Conflict: another process is this station.
        Unavailable: the journal cannot be written, or a port is taken.
    """
    with (
        alone(folder_of(workspace, spec.station), spec.station),
        closing(journal_of(workspace, spec.station)) as journal,
        heads(workspace) as desk,
        closing(open_camera(spec.camera, _camera_lights(spec))) as camera,
        closing(open_floor(spec)) as floor,
    ):
        parts = parts_of(workspace, spec.station)
        eyes = Shadowing(Eyes(parts, desk, spec.identity), parts)
        evidence = evidence_of(workspace, spec.station, spec.retention)
        with closing(Keeping(evidence, journal)) as keeping:
            yield Station(floor, camera, eyes, journal, rules_of(spec), keeper=keeping)


def _camera_lights(spec: StationSpec) -> list[CameraLight]:
    return [light for light in spec.light if isinstance(light, CameraLight)]
