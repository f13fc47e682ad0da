"""Deployments: what is at work, and every change of it."""

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from tenfold.catalog import deployments
from tenfold.errors import SpecError
from tenfold.serving import deploying
from tenfold.web.plain import answered
from tenfold.web.who import Deploying, Shown

router = APIRouter(prefix="/api/deployments", tags=["deployments"])
Verb = Literal["deploy", "shadow", "canary", "promote", "rollback", "retire"]
VERBS: dict[Verb, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "deploy": (deploying.deploy, ("model", "unproven")),
    "shadow": (deploying.shadow, ("model", "unproven")),
    "canary": (deploying.canary, ("model", "unproven", "share")),
    "promote": (deploying.promote, ()),
    "rollback": (deploying.rollback, ()),
    "retire": (deploying.retire, ()),
}
"""Verb → what does it, and what it takes beside the name and why."""


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    share: float | None = None
    unproven: bool | None = None
    why: str = ""


@router.get("")
def every(workspace: Shown) -> Response:
    """What is deployed, and what was."""
    return answered(deployments.changed(workspace.scope))


@router.get("/{name:path}")
def one(name: str, workspace: Shown) -> Response:
    """One, with every change of it."""
    found = deployments.get(workspace.scope, name)
    return answered({"deployment": found, "history": deployments.history(workspace.scope, name)})


@router.post("/{name:path}/{verb}")
def change(name: str, verb: Verb, body: Asked, workspace: Deploying) -> Response:
    """Do what the command of that name does."""
    run, takes = VERBS[verb]
    given = body.model_dump(exclude_none=True)
    for word in given.keys() - {*takes, "why"}:
        raise SpecError(f"{verb} takes no {word!r}.", where="body")
    for word in set(takes) - {"unproven"} - given.keys():
        raise SpecError(f"{verb} needs {word!r}.", where="body")
    return answered(run(workspace, name, **given))
