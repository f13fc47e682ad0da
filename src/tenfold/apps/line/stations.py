"""The stations of a machine: a folder for each, known by its name."""

from pathlib import Path

import yaml

from tenfold.apps.line.evidence import Evidence
from tenfold.apps.line.journal import Journal
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.station import Retention, StationSpec, load_station
from tenfold.atomic import write_bytes
from tenfold.errors import NotFound, TenfoldError
from tenfold.specs.yaml_file import NAME
from tenfold.workspace import Workspace

SPEC, JOURNAL = "station.yaml", "journal.sqlite"


def folder_of(workspace: Workspace, station: str) -> Path:
    """What a station keeps on its machine."""
    return workspace.settings.home / "line" / station


def names(home: Path) -> list[str]:
    """Stations that ran on this machine or were taught here, in order."""
    folder = home / "line"
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if one.is_dir() and NAME.fullmatch(one.name))


def known_folder(workspace: Workspace, station: str) -> Path:
    """The folder of a station that is there.

    Raises:
        NotFound: there is no such station.
    """
    folder = folder_of(workspace, station)
    if not NAME.fullmatch(station) or not folder.is_dir():
        raise NotFound(
            f"no station {station!r} ran on this machine.",
            hint="`tenfold line run` starts one; a screen shows those of its own machine.",
        )
    return folder


def parts_of(workspace: Workspace, station: str) -> Parts:
    return Parts(folder_of(workspace, station) / "parts")


def journal_of(workspace: Workspace, station: str) -> Journal:
    """
    Raises:
        Unavailable: it cannot be written.
        IntegrityError: it is damaged.
    """
    return Journal(folder_of(workspace, station) / JOURNAL)


def keep_spec(workspace: Workspace, spec: StationSpec) -> None:
    """A copy of what a station runs by, for those who know its name alone.

    Raises:
        Unavailable: the disk is full.
    """
    plain = spec.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    write_bytes(folder_of(workspace, spec.station) / SPEC, text.encode())


def spec_of(workspace: Workspace, station: str) -> StationSpec | None:
    """What a station ran by last; None: it never ran, or its copy cannot be read."""
    try:
        return load_station(folder_of(workspace, station) / SPEC)
    except TenfoldError:
        return None


def evidence_of(workspace: Workspace, station: str) -> Evidence:
    """Pictures and heat maps of a station's parts."""
    spec = spec_of(workspace, station)
    folder = folder_of(workspace, station) / "pictures"
    return Evidence(folder, spec.retention if spec else Retention())


def rabbits_of(workspace: Workspace, station: str) -> tuple[str, ...]:
    """The red rabbits of a station as it was last at work here; empty where that is not known."""
    spec = spec_of(workspace, station)
    return spec.red_rabbits if spec else ()


def worked(workspace: Workspace, station: str) -> Journal:
    """The journal of a station that was at work here.

    Raises:
        NotFound: none of that name was.
        IntegrityError: it is damaged.
    """
    if not (folder_of(workspace, station) / JOURNAL).exists():
        there = names(workspace.settings.home)
        raise NotFound(
            f"no station {station!r} was at work here.",
            where=str(folder_of(workspace, "")),
            hint=f"Known: {', '.join(there)}." if there else "`tenfold line run` starts one.",
        )
    return journal_of(workspace, station)
