"""Who asks the hub, and whether they may; the routers ask nothing else about people."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Protocol

from fastapi import Depends, Request

from tenfold.errors import NotAllowed
from tenfold.web.errors import WhoAreYou
from tenfold.workspace import Workspace

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Known(Protocol):
    """Somebody who was recognized."""

    @property
    def actor(self) -> str:
        """Who is written beside what they change."""
        ...

    def require(self, action: str) -> None:
        """Let them do it.

        Raises:
            NotAllowed: their role is not enough.
        """
        ...


class Identities(Protocol):
    def identify(self, request: Request) -> Known:
        """Who sent a request.

        Raises:
            WhoAreYou: nobody knows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """Whoever sits at this machine may do everything."""

    actor: str

    def require(self, action: str) -> None:
        """They may."""


@dataclass(frozen=True, slots=True)
class LocalOnly:
    """Identities while there are no accounts: this machine alone, and no page of another site that
    its browser shows (neither by a name that leads here nor by a form)."""

    actor: str

    def identify(self, request: Request) -> Known:
        client = request.client.host if request.client else ""
        if client not in LOOPBACK or request.url.hostname not in LOOPBACK:
            raise WhoAreYou("only this machine may ask.", hint="Ask 127.0.0.1 from where it runs.")
        origin = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.url.netloc}"
        if request.method not in SAFE_METHODS and origin not in (None, own):
            raise NotAllowed(f"a page of {origin!r} may change nothing here.")
        return Local(self.actor)


def permitted(action: str) -> Callable[[Request], Workspace]:
    """The workspace in the name of who asks, for those who may do `action`."""

    def workspace(request: Request) -> Workspace:
        known: Known = request.app.state.identities.identify(request)
        known.require(action)
        ours: Workspace = request.app.state.workspace
        return replace(ours, scope=replace(ours.scope, actor=known.actor))

    return workspace


Shown = Annotated[Workspace, Depends(permitted("show"))]
Ingesting = Annotated[Workspace, Depends(permitted("ingest"))]
Making = Annotated[Workspace, Depends(permitted("make"))]
Deploying = Annotated[Workspace, Depends(permitted("deploy"))]
Approving = Annotated[Workspace, Depends(permitted("approve"))]
Labelling = Annotated[Workspace, Depends(permitted("label"))]
