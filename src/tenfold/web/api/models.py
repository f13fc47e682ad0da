"""Models: made as jobs, listed, shown and reported."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import HTMLResponse, Response

from tenfold.catalog import datasets, models
from tenfold.catalog.models import Search
from tenfold.factory import fleet
from tenfold.factory.describe import describe
from tenfold.factory.reporting import write_report
from tenfold.specs import fleet as fleets
from tenfold.specs import task as tasks
from tenfold.web.api.jobs import submit
from tenfold.web.plain import answered
from tenfold.web.who import Making, Shown
from tenfold.workspace import Workspace

router = APIRouter(prefix="/api", tags=["models"])
TEXT = {"make": "task", "fleet": "fleet"}
"""Kind of job → what its text is called."""
PAGE = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'"
}
"""A report shows names that strangers gave; nothing in it runs."""


class Make(BaseModel):
    model_config = ConfigDict(extra="forbid")

    task: str
    """YAML, as in a task file or a fleet file."""


@router.post("/makes", status_code=202)
def make(
    request: Request,
    body: Make,
    workspace: Making,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Make a task, or every task of a fleet, as a job."""
    kind = kind_of(workspace, body.task)
    asked = {TEXT[kind]: body.task, "actor": workspace.scope.actor}
    return submit(request, kind, asked, idempotency_key)


def kind_of(workspace: Workspace, text: str) -> str:
    """The kind of job that makes what a text asks for.

    Raises:
        SpecError: it is neither a task nor a fleet; names the line.
        NotFound: a dataset that it reads does not exist.
    """
    if fleets.describes(text):
        fleet.read(workspace, text, where="fleet")
        return "fleet"
    datasets.get(workspace.scope, tasks.parse(text, where="task").dataset)
    return "make"


@router.get("/models")
def every(
    workspace: Shown,
    text: str = "",
    dataset: str = "",
    fleet: str = "",
    status: str = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 50,
) -> Response:
    """Models by the names of their tasks, newest first, and how many there are."""
    sought = Search(text, dataset=dataset, fleet=fleet, status=status, limit=limit)
    found = models.search(workspace.scope, sought)
    return answered({"models": found, "counts": models.count(workspace.scope)})


@router.get("/models/{name}")
def one(name: str, workspace: Shown) -> Response:
    """What `tenfold show` says of it."""
    return answered(describe(workspace, models.get(workspace.scope, name).id))


@router.get("/reports/{task}")
async def report(request: Request, task: str, workspace: Shown) -> Response:
    """The page about the newest make of a task."""
    async with request.app.state.reporting:
        return HTMLResponse(await asyncio.to_thread(_page, workspace, task), headers=PAGE)


def _page(workspace: Workspace, task: str) -> str:
    with TemporaryDirectory() as folder:
        return write_report(workspace, [task], out=Path(folder) / "report.html").read_text()
