"""Datasets: what there is, and pictures read into one."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from tenfold import formats
from tenfold.catalog import datasets
from tenfold.errors import SpecError
from tenfold.factory.describe import describe
from tenfold.factory.uploads import Uploads
from tenfold.specs.yaml_file import Name
from tenfold.web.api.jobs import submit
from tenfold.web.plain import answered
from tenfold.web.who import Ingesting, Shown

router = APIRouter(prefix="/api/datasets", tags=["datasets"])


class Ingest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    uploads: list[str] = []
    """Ids of complete uploads: zips, or pictures each."""
    folder: str = ""
    """Instead: a folder below `uploads` in the hub's home."""
    format: str | None = None


@router.get("")
def every(workspace: Shown) -> Response:
    """All of them."""
    return answered(datasets.everything(workspace.scope))


@router.get("/{name}")
def one(name: str, workspace: Shown) -> Response:
    """What `tenfold show` says of it."""
    datasets.get(workspace.scope, name)
    return answered(describe(workspace, name))


@router.post("", status_code=202)
def ingest(
    request: Request,
    body: Ingest,
    workspace: Ingesting,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Read uploads into a dataset, as a job."""
    if bool(body.uploads) == bool(body.folder):
        raise SpecError("expected either uploads or a folder.", where="body")
    if body.format is not None:
        formats.named(body.format)
    kept = Uploads.of(workspace.settings.home)
    if body.folder:
        kept.folder_of(body.folder)
    for upload in body.uploads:
        kept.get(upload)
    asked = body.model_dump() | {"actor": workspace.scope.actor}
    return submit(request, "ingest", asked, idempotency_key)
