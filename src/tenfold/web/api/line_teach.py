"""Part numbers of a station: proposed, taught, live or in shadow, and what is proven of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tenfold.apps.line import asked, modes
from tenfold.apps.line.stations import known_folder
from tenfold.web.api.jobs import submit
from tenfold.web.plain import answered
from tenfold.web.who import Approving, Making, Shown

router = APIRouter(prefix="/api/line", tags=["line"])


class Proposal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    part: str
    """Part number."""
    uploads: Annotated[list[str], Field(min_length=1)]
    """Ids of complete uploads: pictures of good parts, or zips of them."""
    reference: str = ""
    """Path of one of the pictures; empty: the first."""


class ModeAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    part: str
    why: Annotated[str, Field(min_length=1, max_length=500)]


@router.post("/{station}/propose")
def propose(station: str, body: Proposal, workspace: Making) -> Response:
    """Regions of a part whose pictures were sent, as the part's file would say them."""
    found = asked.propose(workspace, station, body.part, body.uploads, body.reference)
    return answered(plain(found))


@router.post("/{station}/teach", status_code=202)
def teach(
    request: Request,
    station: str,
    body: dict[str, Any],
    workspace: Making,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Teach a part, as a job: `part` as its file says it, `good` and `bad` from uploads."""
    wanted = asked.check(workspace, station, body).model_dump(mode="json", exclude_defaults=True)
    told = {"bad": [], **wanted, "station": station, "name": wanted["part"]["part"]}
    return submit(request, "teach", {**told, "actor": workspace.scope.actor}, idempotency_key)


@router.get("/{station}/taught")
def taught(station: str, workspace: Shown) -> Response:
    """What `tenfold line parts` says: mode, heads and proof of each part number."""
    known_folder(workspace, station)
    found = modes.states(workspace, station)
    return answered({"parts": [{**_fields(one), "words": one.words} for one in found]})


@router.post("/{station}/live")
def live(station: str, body: ModeAsked, workspace: Approving) -> Response:
    """The station releases good parts of that number from now on; recorded by name."""
    known_folder(workspace, station)
    return answered({"said": modes.live(workspace, station, body.part, why=body.why)})


@router.post("/{station}/shadow")
def shadow(station: str, body: ModeAsked, workspace: Approving) -> Response:
    """A person decides about each part of that number from now on; recorded by name."""
    known_folder(workspace, station)
    return answered({"said": modes.shadow(workspace, station, body.part, why=body.why)})


def plain(found: asked.Proposed) -> dict[str, Any]:
    """A proposal with its part as the part's file would have it."""
    spec = found.part.model_dump(mode="json", exclude_defaults=True)
    return {**_fields(found), "part": spec}


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
