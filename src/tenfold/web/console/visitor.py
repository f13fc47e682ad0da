"""Whoever looks at a page: who they are, what they may do, and the language they read."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Request
from nicegui import ui

from tenfold.errors import TenfoldError
from tenfold.jobs import Jobs
from tenfold.roles import Action, may
from tenfold.web.console.parts import heading
from tenfold.web.console.retold import advice, problem
from tenfold.web.console.text import Text, text_for
from tenfold.web.errors import WhoAreYou
from tenfold.web.identity import Identity
from tenfold.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Visitor:
    """One page of one person."""

    app: FastAPI
    request: Request
    identity: Identity
    say: Text

    @classmethod
    def of(cls, app: FastAPI, request: Request) -> "Visitor":
        """Who asked for the page.

        Raises:
            WhoAreYou: nobody knows.
            NotAllowed: a page of another site asked.
        """
        return cls(app, request, app.state.identities.identify(request), text_for(request))

    @property
    def jobs(self) -> Jobs:
        return self.app.state.jobs

    @property
    def csrf(self) -> str:
        return self.identity.csrf

    def may(self, action: Action) -> bool:
        """What to offer; what is done is asked again by `allowed`."""
        return may(self.identity.role, action)

    def given(self, name: str, default: str = "") -> str:
        """A part of the path, or a parameter."""
        return self.request.path_params.get(name) or self.request.query_params.get(name, default)

    def allowed(self, action: Action) -> Workspace:
        """The workspace in their name, if they still may do it: a page may be old, a session ended
        and a role changed.

        Raises:
            WhoAreYou: nobody is signed in any more.
            NotAllowed: their role is not enough.
        """
        now: Identity = self.app.state.identities.identify(self.request)
        now.require(action)
        ours: Workspace = self.app.state.workspace
        return replace(ours, scope=replace(ours.scope, actor=now.actor))

    async def read(self, verb: Callable[..., T], *given: Any, **named: Any) -> T:
        """`verb(workspace, …)` beside the event loop, for what the page shows.

        Raises:
            TenfoldError: what the verb raises.
        """
        return await asyncio.to_thread(lambda: verb(self.allowed("show"), *given, **named))

    async def do(
        self, action: Action, verb: Callable[..., T], *given: Any, **named: Any
    ) -> T | None:
        """`verb(workspace, …)` if they may; what went wrong is shown, and the answer is None."""
        try:
            return await asyncio.to_thread(lambda: verb(self.allowed(action), *given, **named))
        except TenfoldError as error:
            self.show_problem(error, is_passing=True)
            return None

    def on_exception(self, error: Exception) -> None:
        """What went wrong in a page that stands already, with nobody to take care of it."""
        if isinstance(error, TenfoldError):
            self.show_problem(error, is_passing=True)

    def show_problem(self, error: TenfoldError, *, is_passing: bool = False) -> None:
        """In the words of the error: what, where, what to do."""
        if isinstance(error, WhoAreYou) and is_passing:
            ui.run_javascript("tenfold.signedOut()")
            return
        told, hint = problem(self.say, error), advice(self.say, error)
        if is_passing:
            ui.notify(
                f"{told} {hint}".strip(),
                type="negative",
                position="top",
                timeout=12_000,
                close_button=self.say("Close"),
                multi_line=True,
            )
            return
        with ui.element("section").classes("problem").props('role="alert"'):
            heading(self.say("That did not work"))
            ui.label(told)
            if hint:
                ui.label(hint).classes("muted")


def here(request: Request) -> str:
    """The address of a page on this hub, with what it asks for."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def sign_in_at(request: Request) -> str:
    """Where to sign in, and come back."""
    return f"/sign-in?next={quote(here(request))}"
