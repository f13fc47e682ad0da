"""Loops: how deployments are looked after, what happened to them, and a person's word."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from tenfold.catalog import loops
from tenfold.loop import describing, flows, misses, spec
from tenfold.web.plain import answered
from tenfold.web.who import Approving, Deploying, Labelling, Shown

router = APIRouter(prefix="/api", tags=["loops"])
Word = Literal["approve", "reject"]
WORDS: dict[Word, Callable[..., str]] = {"approve": flows.approve, "reject": flows.reject}


class Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: str = ""
    """YAML, as in a file of `tenfold watch --rules`; empty: the defaults."""


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: str = ""


@router.get("/loops")
def every(workspace: Shown) -> Response:
    """What is watched."""
    return answered(describing.watched(workspace))


@router.get("/loops/{name:path}")
def one(name: str, workspace: Shown) -> Response:
    """How far one is, and by which rules."""
    (found,) = describing.watched(workspace, name)
    return answered({"watched": found, "rules": loops.get(workspace.scope, name).spec})


@router.put("/loops/{name:path}")
def watch(name: str, body: Rules, workspace: Deploying) -> Response:
    """Watch a deployment, or change the rules by which it is."""
    rules = spec.parse(body.rules, where="rules") if body.rules else None
    return answered({"deployment": name, "rules": flows.watch(workspace, name, rules).spec})


@router.delete("/loops/{name:path}")
def unwatch(name: str, workspace: Deploying) -> Response:
    """Watch it no longer."""
    flows.unwatch(workspace, name)
    return answered({"deployment": name})


@router.post("/loops/{name:path}/{word}")
def say(name: str, word: Word, body: Why, workspace: Approving) -> Response:
    """A person's word on the new model that is on trial."""
    return answered({"model": WORDS[word](workspace, name, why=body.why)})


@router.get("/timelines/{name:path}")
def timeline(name: str, workspace: Shown) -> Response:
    """Everything that happened to a deployment, oldest first."""
    return answered(loops.timeline(workspace.scope, name))


@router.post("/misses/{name:path}")
async def report_miss(
    request: Request,
    name: str,
    workspace: Labelling,
    region: Annotated[list[str] | None, Query()] = None,
    label: str = "",
) -> Response:
    """A picture (the body) whose defect was let pass; regions as `x0,y0,x1,y1`."""
    boxes = [misses.box_of(text) for text in region or []]
    async with request.app.state.intake.body(request) as data:
        reported = await asyncio.to_thread(
            misses.report_miss, workspace, data, name, boxes=boxes, label=label
        )
    return answered(reported)
