"""The review queue: what waits for people, the pictures, and what people say of them."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tenfold.catalog import deployments, picks
from tenfold.formats.pixels import READERS
from tenfold.loop import labelling
from tenfold.loop.labelling import Opinion
from tenfold.web.plain import answered
from tenfold.web.who import Labelling, Shown

router = APIRouter(prefix="/api/review", tags=["review"])
KINDS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "WebP": "image/webp",
}
Coordinate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sample: str
    label: str
    """A class, several joined by `;`; empty: nobody can tell."""
    boxes: list[tuple[Coordinate, Coordinate, Coordinate, Coordinate]] = []
    """Absolute x, y, x, y in pixels."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """That it took, for the ledger."""
    shown: dict[str, str] = {}
    """What the person saw."""
    key: str = ""
    """By which the same is taken in once."""


@router.get("")
def counts(workspace: Shown) -> Response:
    """How many pictures wait, by deployment."""
    return answered(picks.waiting(workspace.scope))


@router.get("/pictures/{sample}")
def picture(sample: str, deployment: str, workspace: Labelling) -> Response:
    """A picture of a deployment's queue."""
    digest = labelling.sample_of(workspace, deployment, sample)
    data = workspace.blobs.get(digest)
    kind = next((name for name, (magic, _) in READERS.items() if magic.match(data)), "")
    headers = {
        "Cache-Control": "private, immutable, max-age=86400",
        "X-Content-Type-Options": "nosniff",
    }
    media = KINDS.get(kind, "application/octet-stream")
    return Response(data, media_type=media, headers=headers)


@router.get("/{name:path}")
def waiting(
    name: str, workspace: Labelling, limit: Annotated[int, Query(ge=1, le=1_000)] = 50
) -> Response:
    """What waits for whoever asks, in the order in which it is to be shown; neither why nor what
    was said, which would be seen in the picture. And what may be said."""
    now = deployments.get(workspace.scope, name)
    asking = workspace.scope.actor
    found = picks.open_picks(workspace.scope, name, limit=limit, unseen_by=asking)
    return answered(
        {
            "pictures": [{"sample": one.sample, "answered_at": one.answered_at} for one in found],
            "words": labelling.words_of(workspace, now),
            "left": picks.left(workspace.scope, name, unseen_by=asking),
        }
    )


@router.post("/{name:path}")
def label(name: str, body: Said, workspace: Labelling) -> Response:
    """What a person says of a picture."""
    opinion = Opinion(
        sample=body.sample,
        label=body.label,
        boxes=tuple(body.boxes),
        seconds=body.seconds,
        shown=body.shown,
        source="hub",
        key=body.key,
    )
    return answered(labelling.label(workspace, name, opinion))
