"""The application of the hub: the commands' verbs over HTTP, and a server for it in a thread."""

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from tenfold.errors import TenfoldError, Unavailable
from tenfold.jobs import Jobs
from tenfold.web import errors
from tenfold.web.api import (
    accounts,
    datasets,
    deployments,
    jobs,
    line,
    line_records,
    line_teach,
    loops,
    models,
    rates,
    review,
    uploads,
)
from tenfold.web.app import Logged
from tenfold.web.guard import Bounded, Intake
from tenfold.web.identity import Identities
from tenfold.web.sign_in import SignIns
from tenfold.workspace import Workspace

START_S = 30.0
PICTURE_BYTES, PICTURE_S = 64_000_000, 60.0
"""Of a picture that is sent whole."""
BODY_BYTES = 1_000_000
STREAMED = ("/api/uploads/", "/api/misses/", "/api/sign-in")
GRACEFUL_S = 10


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the hub is asked."""

    host: str = "127.0.0.1"
    port: int = 8081


def created(workspace: Workspace, work: Jobs, *, identities: Identities | None = None) -> FastAPI:
    """The application; without accounts this machine alone may ask, everything."""
    app = FastAPI(title="Tenfold hub", docs_url=None, redoc_url=None)
    app.state.workspace = workspace
    app.state.jobs = work
    app.state.identities = identities or Identities(workspace.scope)
    app.state.sign_ins = SignIns(workspace.scope)
    app.state.is_draining = False
    app.state.reporting = asyncio.Lock()
    app.state.intake = Intake(limit_bytes=PICTURE_BYTES, timeout_s=PICTURE_S)
    stations = (line, line_records, line_teach)
    parts = (accounts, uploads, datasets, models, deployments, loops, review, jobs, rates)
    for part in (*parts, *stations):
        app.include_router(part.router)
    app.add_exception_handler(TenfoldError, errors.told)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(ClientDisconnect, errors.gone)
    app.add_exception_handler(Exception, errors.broken)
    app.add_middleware(Bounded, limit_bytes=BODY_BYTES, streamed=STREAMED)
    app.add_middleware(Logged)
    return app


@contextmanager
def listening(app: FastAPI, bound: socket) -> Generator[None]:
    """Answer at a bound socket in a thread, until the block ends.

    Raises:
        Unavailable: it does not answer.
    """
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_S,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    ends = time.monotonic() + START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > ends:
            raise Unavailable("the hub does not answer.", hint="Its log says why.")
        time.sleep(0.02)
    try:
        yield
    finally:
        app.state.is_draining = True
        server.should_exit = True
        thread.join(GRACEFUL_S + 5)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses, in our words."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _wrong(request: Request, error: Exception) -> JSONResponse:
    """A body or a parameter that does not hold: where, and why."""
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
    return JSONResponse({"error": "; ".join(told)}, 400)
