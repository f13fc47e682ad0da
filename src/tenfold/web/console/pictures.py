"""Pictures of the catalog for pages: small or whole, heat maps, and pages of a gallery."""

import asyncio
import io
from functools import lru_cache
from typing import Annotated

from fastapi import FastAPI, Query
from PIL import Image
from starlette.responses import Response

from tenfold import packages
from tenfold.catalog import datasets, gallery, models
from tenfold.catalog.gallery import Sought
from tenfold.factory.reporting import overlay_of
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.runtime.panel import LoadedHead
from tenfold.web.plain import answered
from tenfold.web.who import Shown
from tenfold.workspace import Workspace

KEPT = {"Cache-Control": "private, immutable, max-age=86400"}
"""A picture is known by its bytes: it never changes."""
SMALL_PX = 240
MOST_PX = 10**9
REMEMBERED = 4_000
"""Small pictures, of about 10 kB each."""

ORDERS = 16
"""Orders of galleries that are remembered, until a picture comes or goes."""


def attach(app: FastAPI) -> None:
    """Put the routes on the hub's application."""

    @lru_cache(REMEMBERED)
    def small(digest: str) -> bytes:
        return _small(app.state.workspace, digest)

    @lru_cache(ORDERS)
    def order(name: str, sought: Sought, _: tuple[int, int]) -> list[int]:
        return gallery.order(app.state.workspace.scope, name, sought)

    drawing = asyncio.Semaphore(1)

    @app.get("/console/small/{sample}", include_in_schema=False)
    def small_picture(sample: str, workspace: Shown) -> Response:
        datasets.sample(workspace.scope, sample)
        return Response(small(sample), media_type="image/jpeg", headers=KEPT)

    @app.get("/console/whole/{sample}", include_in_schema=False)
    def whole_picture(sample: str, workspace: Shown) -> Response:
        datasets.sample(workspace.scope, sample)
        return Response(_whole(workspace, sample), media_type="image/png", headers=KEPT)

    @app.get("/console/heat/{model}/{sample}", include_in_schema=False)
    async def heat(model: str, sample: str, workspace: Shown) -> Response:
        async with drawing:
            data = await asyncio.to_thread(_heat, workspace, model, sample)
        return Response(data, media_type="image/png", headers=KEPT)

    @app.get("/console/gallery/{name}", include_in_schema=False)
    def page(
        name: str,
        workspace: Shown,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        label: str = "",
        split: str = "",
        text: str = "",
        near: bool = False,
    ) -> Response:
        sought = Sought(label=label, split=split, text=text, only_near=near)
        now = gallery.mark(workspace.scope, name)
        found = order(name, sought, now)
        some = gallery.tiles(workspace.scope, found[offset : offset + limit])
        return answered({"size": len(found), "tiles": some})


def _small(workspace: Workspace, digest: str) -> bytes:
    with Image.open(io.BytesIO(workspace.blobs.get(digest))) as opened:
        opened.draft("RGB", (SMALL_PX * 2, SMALL_PX * 2))
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    image.thumbnail((SMALL_PX, SMALL_PX))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def _whole(workspace: Workspace, digest: str) -> bytes:
    """As PNG, as browsers show neither TIFF nor 16 bit."""
    pixels = decode(workspace.blobs.get(digest), where=digest[:12], max_pixels=MOST_PX)
    out = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
        out, "PNG", compress_level=1
    )
    return out.getvalue()


def _heat(workspace: Workspace, model: str, sample: str) -> bytes:
    """The picture under the map of what a head found strange."""
    datasets.sample(workspace.scope, sample)
    package = packages.of_model(workspace.blobs, models.get(workspace.scope, model))
    pixels = decode(workspace.blobs.get(sample), where=sample[:12], max_pixels=MOST_PX)
    return overlay_of(runtime_of(workspace), LoadedHead.of(package), pixels)
