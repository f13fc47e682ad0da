"""Stations of a production line: how they stand, their parts, and what people say of them."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tenfold.apps.line import counted
from tenfold.apps.line.finding import Sought, search
from tenfold.apps.line.journal import Journal, Part, Span
from tenfold.apps.line.overruling import Word, in_words, inspected
from tenfold.apps.line.state import is_silent, read_state
from tenfold.apps.line.stations import evidence_of, journal_of, known_folder, names
from tenfold.apps.line.values import Outcome
from tenfold.errors import NotFound
from tenfold.roles import Action
from tenfold.web.plain import answered
from tenfold.web.who import Known, Labelling, Shown
from tenfold.workspace import Workspace

router = APIRouter(prefix="/api/line", tags=["line"])
KEPT = {"Cache-Control": "private, max-age=3600"}
Outcomes = Literal["", "ok", "reject", "manual", "overruled", "rabbit"]


class Overruling(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Outcome
    why: Annotated[str, Field(min_length=1, max_length=500)]
    region: str = ""
    """Where a defect was missed, or seen where there is none."""
    label: str = ""
    """What the region shows."""


@router.get("")
def stations(workspace: Shown) -> Response:
    """Stations of this machine, and how each stands."""
    return answered([_standing(workspace, name) for name in names(workspace.settings.home)])


@router.get("/{station}")
def one(station: str, workspace: Shown) -> Response:
    """How a station stands, its last part, and what this shift counts."""
    told = _standing(workspace, station)
    state, shift = told["state"], ""
    with closing(opened(workspace, station)) as journal:
        last = next(iter(journal.last(1)), None)
        shift = getattr(state, "shift", "") or (last.shift if last else "")
        yields, asked = counted.yields(journal, Span(shift)), journal.asking()
    return answered({**told, "last": last, "shift": shift, "yields": yields, "asked": asked})


@router.get("/{station}/parts")
def parts(
    station: str,
    workspace: Shown,
    serial: str = "",
    lot: str = "",
    shift: str = "",
    part: str = "",
    outcome: Outcomes = "",
    before: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> Response:
    """The newest parts of what is sought, newest first; `before` an id come older ones."""
    sought = Sought(serial, lot, shift, part, outcome, before=before, limit=limit)
    with closing(opened(workspace, station)) as journal:
        return answered({"parts": search(journal, sought)})


@router.get("/{station}/parts/{part}")
def part(station: str, part: int, workspace: Shown) -> Response:
    """One look at one part, and which of its regions have a heat map."""
    found = look_of(workspace, station, part)
    evidence = evidence_of(workspace, station)
    is_kept, maps = evidence.picture(found) is not None, list(evidence.maps(found))
    return answered({"part": found, "has_picture": is_kept, "maps": maps})


@router.get("/{station}/parts/{part}/picture")
def picture(station: str, part: int, workspace: Shown) -> Response:
    """What the camera saw, while it is kept."""
    data = evidence_of(workspace, station).picture(look_of(workspace, station, part))
    return pictured(data, part)


@router.get("/{station}/parts/{part}/maps/{region}")
def heat(station: str, part: int, region: str, workspace: Shown) -> Response:
    """What was found strange in a region, while it is kept."""
    maps = evidence_of(workspace, station).maps(look_of(workspace, station, part))
    return pictured(maps.get(region), part)


@router.post("/{station}/parts/{part}/overrule")
def overruled(
    station: str, part: int, body: Overruling, workspace: Labelling, known: Known
) -> Response:
    """A person's word, which holds from now on."""
    found = look_of(workspace, station, part)
    known.require(needed(found, body.verdict))
    said = Word(body.verdict, workspace.scope.actor, body.why, body.region, body.label)
    told = inspected(workspace, station, part, said)
    return answered({"part": look_of(workspace, station, part), "told": in_words(told)})


@router.post("/{station}/manual")
def manual(station: str, workspace: Labelling) -> Response:
    """The part under way, or else the next one, goes to a person."""
    with closing(opened(workspace, station)) as journal:
        journal.ask_for(workspace.scope.actor)
        return answered({"asked": journal.asking()})


@router.delete("/{station}/manual")
def not_manual(station: str, workspace: Labelling) -> Response:
    """Take back what was asked, if no part came since."""
    with closing(opened(workspace, station)) as journal:
        journal.ask_no_more()
        return answered({"asked": journal.asking()})


def needed(found: Part, verdict: str) -> Action:
    """What one must be allowed to say of a part: whoever may label decides what waits for a person
    and stops what passed; what the station rejected is let go by those who approve."""
    lets_go = verdict == "ok" and (found.outcome == "reject" or found.is_rabbit)
    return "approve" if lets_go else "label"


def opened(workspace: Workspace, station: str) -> Journal:
    """
    Raises:
        NotFound: there is no such station.
        Unavailable: its journal cannot be used.
    """
    known_folder(workspace, station)
    return journal_of(workspace, station)


def look_of(workspace: Workspace, station: str, part: int) -> Part:
    """
    Raises:
        NotFound: there is no such station or part.
    """
    with closing(opened(workspace, station)) as journal:
        return journal.get(part)


def pictured(data: bytes | None, part: int) -> Response:
    """
    Raises:
        NotFound: there is none.
    """
    if data is None:
        raise NotFound(
            f"no picture of part {part} is kept.",
            hint="`retention` in the station's file says which are kept, and for how long.",
        )
    media = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return Response(data, media_type=media, headers=KEPT)


def _standing(workspace: Workspace, station: str) -> dict[str, object]:
    state = read_state(known_folder(workspace, station))
    silent = is_silent(state, now=datetime.now(UTC))
    return {"station": station, "is_silent": silent, "state": state}
