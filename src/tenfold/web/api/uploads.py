"""Pictures, or a zip of them, in pieces: tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

import asyncio
import base64
import binascii

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tenfold.errors import SpecError, Unsupported
from tenfold.factory.uploads import MOST_BYTES, Upload, Uploads
from tenfold.web.plain import answered
from tenfold.web.who import Ingesting

router = APIRouter(prefix="/api/uploads", tags=["uploads"])
TUS = {"Tus-Resumable": "1.0.0"}
OFFERED = {
    **TUS,
    "Tus-Version": "1.0.0",
    "Tus-Extension": "creation,termination",
    "Tus-Max-Size": str(MOST_BYTES),
}
PIECE = "application/offset+octet-stream"
WRITE_BYTES = 1 << 20


@router.options("")
async def offered() -> Response:
    """What of the protocol is there."""
    return Response(status_code=204, headers=OFFERED)


@router.post("", status_code=201)
def create(request: Request, workspace: Ingesting) -> Response:
    """Begin an upload: `Upload-Length`, and `Upload-Metadata` with filename and perhaps sha256."""
    told = _metadata(request.headers.get("upload-metadata", ""))
    size = _number(request, "upload-length")
    name = told.get("filename", "upload")
    kept = Uploads.of(workspace.settings.home)
    upload = kept.create(name=name, size=size, sha256=told.get("sha256", "").lower())
    response = answered(upload, 201)
    response.headers.update({**TUS, "Location": f"/api/uploads/{upload.id}"})
    return response


@router.head("/{upload}")
def offset(upload: str, workspace: Ingesting) -> Response:
    """How much of it is here."""
    return Response(headers=_headers(Uploads.of(workspace.settings.home).get(upload)))


@router.patch("/{upload}", status_code=204)
async def append(request: Request, upload: str, workspace: Ingesting) -> Response:
    """Add to its end; what came before a connection broke stays."""
    if request.headers.get("content-type", "") != PIECE:
        raise Unsupported("a piece has another content type.", hint=f"Send it as {PIECE}.")
    kept = Uploads.of(workspace.settings.home)
    with kept.appending(upload, _number(request, "upload-offset")) as (told, file):
        room, waiting = told.size - told.offset, bytearray()

        async def write() -> None:
            nonlocal room
            piece = bytes(waiting)
            waiting.clear()
            await asyncio.to_thread(kept.append, file, piece, room=room)
            room -= len(piece)

        try:
            async for part in request.stream():
                waiting += part
                if len(waiting) >= WRITE_BYTES:
                    await write()
        except ClientDisconnect:
            await write()
            raise
        await write()
    return Response(status_code=204, headers=_headers(await asyncio.to_thread(kept.check, upload)))


@router.delete("/{upload}", status_code=204)
def drop(upload: str, workspace: Ingesting) -> Response:
    """Remove it."""
    Uploads.of(workspace.settings.home).drop(upload)
    return Response(status_code=204, headers=TUS)


def _headers(upload: Upload) -> dict[str, str]:
    sizes = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size)}
    return {**TUS, **sizes, "Cache-Control": "no-store"}


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise SpecError(f"expected a number, got {text!r}.", where=name)
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """Pairs of a name and a value in base64, with commas between."""
    told: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        name, _, value = pair.strip().partition(" ")
        try:
            told[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise SpecError(f"{pair!r} is no base64.", where="upload-metadata") from error
    return told
