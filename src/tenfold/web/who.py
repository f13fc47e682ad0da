"""Who asks the hub, and whether they may; the routers ask nothing else about people."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from tenfold.web.identity import Identity
from tenfold.workspace import Workspace


def known(request: Request) -> Identity:
    """Whoever asks, whatever they may do."""
    return request.app.state.identities.identify(request)


def permitted(action: str) -> Callable[[Request], Workspace]:
    """The workspace in the name of who asks, for those who may do `action`."""

    def workspace(request: Request) -> Workspace:
        asking = known(request)
        asking.require(action)
        ours: Workspace = request.app.state.workspace
        return replace(ours, scope=replace(ours.scope, actor=asking.actor))

    return workspace


Known = Annotated[Identity, Depends(known)]
Shown = Annotated[Workspace, Depends(permitted("show"))]
Ingesting = Annotated[Workspace, Depends(permitted("ingest"))]
Making = Annotated[Workspace, Depends(permitted("make"))]
Deploying = Annotated[Workspace, Depends(permitted("deploy"))]
Approving = Annotated[Workspace, Depends(permitted("approve"))]
Labelling = Annotated[Workspace, Depends(permitted("label"))]
Accounting = Annotated[Workspace, Depends(permitted("accounts"))]
Pricing = Annotated[Workspace, Depends(permitted("prices"))]
Auditing = Annotated[Workspace, Depends(permitted("activity"))]
