"""The application that one serving process runs."""

import asyncio
import json
import logging
import os
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenfold.catalog import keys
from tenfold.errors import TenfoldError
from tenfold.factory.stock import runtime_of
from tenfold.predictions.log import Log
from tenfold.runtime.kept import Kept
from tenfold.runtime.shelf import Shelf
from tenfold.serving import metrics
from tenfold.serving.inference import Inference
from tenfold.web import errors
from tenfold.web.api import infer
from tenfold.web.guard import Guard, Intake
from tenfold.workspace import Workspace

log = logging.getLogger("tenfold.serve")

POLL_S = 1.0
"""Between two looks at what is deployed and which keys are in force."""
NICENESS = 5
"""Of the trunks' threads: enough that a request is read at once, too little to starve them."""
REQUEST_ID = "x-request-id"
SAFE_ID = re.compile(r"[\w.:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one worker."""

    heads_mb: int = 512
    """Memory for heads."""
    queue: int = 256
    """Pictures that may wait."""
    budget_ms: float = 5.0
    """How long a picture may wait for company while another batch computes."""
    body_mb: float = 32.0
    body_s: float = 30.0
    durable: bool = False
    is_local: bool = True
    """Whether this machine alone can reach the server."""


def created(workspace: Workspace, run: str, limits: Limits, *, counts: str = "") -> FastAPI:
    """The application over an opened workspace; `run` names what it writes in the ledger, and
    `counts` the folder in which workers count together."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await asyncio.to_thread(_refresh, app)
        await asyncio.to_thread(app.state.inference.warm)
        app.state.inference.measure()
        polling = asyncio.create_task(_poll(app))
        try:
            yield
        finally:
            app.state.is_draining = True
            polling.cancel()
            await asyncio.wait([polling])
            await app.state.inference.close()

    app = FastAPI(title="Tenfold", version="2", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.workspace = workspace
    app.state.inference = _inference(workspace, run, limits)
    app.state.guard = Guard(is_local=limits.is_local)
    app.state.is_draining = False
    app.state.counts = counts
    app.state.intake = Intake(limit_bytes=int(limits.body_mb * 1e6), timeout_s=limits.body_s)
    app.include_router(infer.health)
    app.include_router(infer.router)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_exception_handler(TenfoldError, errors.told)
    app.add_exception_handler(HTTPException, _plain_error)
    app.add_exception_handler(ClientDisconnect, errors.gone)
    app.add_exception_handler(Exception, errors.broken)
    app.add_middleware(Logged)
    return app


def drain(app: FastAPI) -> None:
    """From now on the server says that it is not ready; what is asked is still answered."""
    app.state.is_draining = True


def _inference(workspace: Workspace, run: str, limits: Limits) -> Inference:
    home = workspace.settings.home
    shelf = Shelf(
        workspace.blobs,
        runtime_of(workspace, niceness=NICENESS),
        home / "packs",
        Kept(limits.heads_mb * 1_000_000),
    )
    answers = Log(workspace.answers_folder, f"{run}-{os.getpid()}", durable=limits.durable)
    return Inference(workspace, shelf, answers, queue=limits.queue, budget_s=limits.budget_ms / 1e3)


async def _poll(app: FastAPI) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        app.state.inference.measure()
        try:
            await asyncio.to_thread(_refresh, app)
        except Exception as error:  # noqa: BLE001 - the catalog is away: what is known goes on
            log.warning("deployments could not be looked up: %s", error)
        else:
            metrics.LOOKED_UP.set_to_current_time()


def _refresh(app: FastAPI) -> None:
    app.state.guard.learn(keys.in_force(app.state.workspace.scope))
    app.state.inference.refresh()


async def _metrics(request: Request) -> Response:
    page = await asyncio.to_thread(metrics.page, request.app.state.counts)
    return Response(page, media_type="text/plain; version=0.0.4")


async def _plain_error(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses, in the protocol's words."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_as_json(*, level: int) -> None:
    """Everything that this process logs goes to stderr as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class Logged:
    """Each request has an id and is counted; what the server failed at is a line of the log, and
    with `verbose` every request. Plain ASGI: a middleware of the framework would cost every answer
    half a millisecond."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        name = given if SAFE_ID.fullmatch(given) else infer.new_id()
        scope.setdefault("state", {})["id"] = name
        began, status = time.perf_counter(), 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID.encode(), name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, named)
        finally:
            metrics.REQUESTS.labels(str(status)).inc()
            level = logging.ERROR if status >= 500 else logging.INFO
            if log.isEnabledFor(level):
                _tell(scope, name, status, time.perf_counter() - began, level=level)


def _tell(scope: Scope, name: str, status: int, seconds: float, *, level: int) -> None:
    facts = {
        "id": name,
        "method": scope["method"],
        "path": scope["path"][:300],
        "status": status,
        "ms": round(seconds * 1e3, 2),
    }
    problem = scope["state"].get("problem")
    log.log(level, "request", extra={"facts": facts | ({"problem": problem} if problem else {})})
