"""Pictures of review queues for pages, heat maps of them, and why each was picked."""

import asyncio
import io

from fastapi import FastAPI
from PIL import Image
from starlette.responses import Response

from tenfold import packages
from tenfold.catalog import deployments, labels, models, picks
from tenfold.errors import Unsupported
from tenfold.factory.reporting import overlay_of
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import READERS, decode
from tenfold.loop import labelling
from tenfold.runtime.panel import LoadedHead
from tenfold.web.console.pictures import KEPT, MOST_PX
from tenfold.web.plain import answered
from tenfold.web.who import Labelling
from tenfold.workspace import Workspace

SHOWN_AS_IT_IS = {"JPEG": "image/jpeg", "WebP": "image/webp", "PNG": "image/png"}
"""What every browser shows; other files are sent as PNG."""


def attach(app: FastAPI) -> None:
    """Put the routes on the hub's application."""
    drawing = asyncio.Semaphore(1)

    @app.get("/console/picked/{sample}", include_in_schema=False)
    def picture(sample: str, deployment: str, workspace: Labelling) -> Response:
        digest = labelling.sample_of(workspace, deployment, sample)
        data, media = _shown(workspace.blobs.get(digest), where=digest[:12])
        return Response(data, media_type=media, headers=KEPT)

    @app.get("/console/picked-heat/{sample}", include_in_schema=False)
    async def heat(sample: str, deployment: str, workspace: Labelling) -> Response:
        async with drawing:
            data = await asyncio.to_thread(_heat, workspace, deployment, sample)
        return Response(data, media_type="image/png")

    @app.get("/console/why/{sample}", include_in_schema=False)
    def why(sample: str, deployment: str, workspace: Labelling) -> Response:
        return answered(_why(workspace, deployment, sample))


def _shown(data: bytes, *, where: str) -> tuple[bytes, str]:
    kind = next((name for name, (magic, _) in READERS.items() if magic.match(data)), "")
    if kind in SHOWN_AS_IT_IS:
        return data, SHOWN_AS_IT_IS[kind]
    out = io.BytesIO()
    pixels = decode(data, where=where, max_pixels=MOST_PX)
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue(), "image/png"


def _heat(workspace: Workspace, deployment: str, sample: str) -> bytes:
    """The picture under the map of what the live head finds strange."""
    digest = labelling.sample_of(workspace, deployment, sample)
    model = models.get(workspace.scope, deployments.get(workspace.scope, deployment).live)
    if model.kind != "anomaly":
        raise Unsupported(f"what is live in {deployment!r} draws no map.", where="heat map")
    package = packages.of_model(workspace.blobs, model)
    pixels = decode(workspace.blobs.get(digest), where=digest[:12], max_pixels=MOST_PX)
    return overlay_of(runtime_of(workspace), LoadedHead.of(package), pixels)


def _why(workspace: Workspace, deployment: str, sample: str) -> dict[str, object]:
    """Why a picture was picked and what had been said of it, for those who have spoken: before
    that it would be seen in the picture."""
    scope = workspace.scope
    if not labels.has_said(scope, deployment, sample, actor=scope.actor):
        return {"reasons": [], "said": ""}
    found = picks.of_sample(scope, deployment, sample)
    said = next((one.said for one in found if one.said), "")
    return {"reasons": sorted({one.reason for one in found}), "said": said}
