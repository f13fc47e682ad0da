"""How a station stands: a small file beside its journal, written with each heartbeat, for screens.

A station that is silent says nothing of itself: its file grows old.
"""

import errno
import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from tenfold.apps.line.shifts import Seeing
from tenfold.errors import Unavailable

FILE = "state.json"
SILENT_S = 3.0
"""A state older than this is of a station that is silent."""
STOPPED = "stopped"
ROOM = 8192
"""Bytes that the file always has, so that it can be written anew where a disk is full."""


@dataclass(frozen=True, slots=True)
class State:
    station: str
    at: datetime
    is_ready: bool
    reason: str = ""
    """Why nothing is released; empty: parts are."""
    camera: str = ""
    """What is wrong with it; empty: nothing."""
    controller: str = ""
    heads: str = ""
    disk: str = ""
    seeing: Seeing = "proven"
    rabbits_left: tuple[str, ...] = ()
    """Red rabbits that this shift has not seen yet."""
    shift: str = ""
    beats: int = 0
    last: int = 0
    """Id of the last part in the journal; 0: there is none."""


NAMES = {field.name for field in fields(State)}


def is_silent(state: State | None, *, now: datetime) -> bool:
    """Whether nobody can know how the station stands."""
    return state is None or (now - state.at).total_seconds() > SILENT_S


def write_state(folder: Path, state: State) -> None:
    """All of it or nothing is there, whoever reads when; one process writes.

    Raises:
        Unavailable: it cannot be written.
    """
    plain = {**asdict(state), "at": state.at.isoformat()}
    data = json.dumps(plain).encode().ljust(ROOM)
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            new = path.with_suffix(".new")
            new.write_bytes(data)
            new.replace(path)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            with path.open("r+b") as file:  # has its room already
                file.write(data)
    except OSError as error:
        raise Unavailable(
            f"how the station stands cannot be written: {error.strerror}.",
            where=str(path),
            hint="Make room on the disk; until then screens say that the station is silent.",
        ) from error


def read_state(folder: Path) -> State | None:
    """What the station said last; None: it never did, or not in a way that can be read."""
    try:
        plain = json.loads((folder / FILE).read_bytes())
        known = {name: value for name, value in plain.items() if name in NAMES}
        at = datetime.fromisoformat(known.pop("at")).astimezone(UTC)
        left = tuple(known.pop("rabbits_left"))
        return State(at=at, rabbits_left=left, **known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
