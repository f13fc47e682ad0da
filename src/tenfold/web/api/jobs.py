"""Jobs of the hub: how far they are, as it happens, and what came of them."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from tenfold.errors import SpecError
from tenfold.factory import exceptions, telling
from tenfold.factory.telling import LAST, Event
from tenfold.jobs import OVER, Job, Jobs
from tenfold.web.plain import answered
from tenfold.web.who import Making, Shown
from tenfold.workspace import Workspace

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
LOOK_S = 0.3
BEAT_S = 15.0
"""A line that says nothing keeps proxies from closing the connection."""


def submit(request: Request, kind: str, arguments: dict[str, Any], key: str | None) -> Response:
    """Have a job done; with an `Idempotency-Key` once, however often it is asked for."""
    if key is not None and not 0 < len(key) <= 200:
        raise SpecError("expected 1 to 200 letters.", where="idempotency-key")
    done = begun(_jobs(request), kind, arguments, key)
    response = answered(done, 202)
    response.headers["Location"] = f"/api/jobs/{done.key}"
    return response


def begun(jobs: Jobs, kind: str, arguments: dict[str, Any], key: str | None = None) -> Job:
    """A job that was asked for; without a key it is another one each time."""
    job = f"{kind}:{key or uuid.uuid4().hex}"
    return jobs.submit(kind, {**arguments, "job": job}, job)


def stop(workspace: Workspace, jobs: Jobs, job: str) -> Job:
    """Not to be begun, or to be ended."""
    if jobs.get(job).state not in OVER:
        telling.cancel(workspace.settings.home, job)
        jobs.cancel(job)
    return jobs.get(job)


@router.get("")
def every(
    request: Request, workspace: Shown, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> Response:
    """The newest jobs."""
    return answered(_jobs(request).newest(limit))


@router.post("/{job:path}/cancel")
def cancel(request: Request, job: str, workspace: Making) -> Response:
    """Not to be begun, or to be ended."""
    return answered(stop(workspace, _jobs(request), job))


@router.get("/{job:path}/exceptions")
def not_accepted(
    job: str,
    request: Request,
    workspace: Shown,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 50,
) -> Response:
    """What a fleet could not get accepted and what would change it; once it is done, the cheapest
    first."""
    _jobs(request).get(job)
    home = workspace.settings.home
    return answered({"exceptions": exceptions.page(home, job, offset=offset, limit=limit)})


@router.get("/{job:path}/events")
async def events(
    request: Request,
    job: str,
    workspace: Shown,
    last_event_id: Annotated[str, Header()] = "0",
) -> Response:
    """What happens, as server-sent events; `Last-Event-ID` goes on behind one.

    Source: WHATWG HTML, section 9.2 "Server-sent events".
    """
    await asyncio.to_thread(_jobs(request).get, job)
    after = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else 0
    stream = _stream(request, workspace, job, after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.get("/{job:path}")
def one(request: Request, job: str, workspace: Shown) -> Response:
    """How far it is, and what came of it."""
    told = telling.events(workspace.settings.home, job)
    last = told[-1] if told else None
    found = _jobs(request).get(job)
    return answered(
        {
            "key": found.key,
            "kind": found.kind,
            "state": found.state,
            "problem": found.problem,
            "last": None if last is None else {"event": last.kind, **last.detail},
        }
    )


async def _stream(
    request: Request, workspace: Workspace, job: str, after: int
) -> AsyncGenerator[str]:
    """Until the job is over, this hub stops, or nobody listens any more."""
    silent_s = 0.0
    while not request.app.state.is_draining:
        found: Job = await asyncio.to_thread(_jobs(request).get, job)
        told = await asyncio.to_thread(telling.events, workspace.settings.home, job, after=after)
        for event in told:
            after = event.after
            yield _written(event)
        if told and told[-1].kind in LAST:
            return
        if found.state in OVER:  # of a kind that does not tell, or never begun
            detail = {"problem": found.problem} if found.problem else {}
            yield _written(Event(found.state, detail, after))
            return
        silent_s = 0.0 if told else silent_s + LOOK_S
        if silent_s >= BEAT_S:
            silent_s = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_S)


def _written(event: Event) -> str:
    data = json.dumps(event.detail, ensure_ascii=False)
    return f"id: {event.after}\nevent: {event.kind}\ndata: {data}\n\n"


def _jobs(request: Request) -> Jobs:
    return request.app.state.jobs
