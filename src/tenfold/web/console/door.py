"""Puts the screens on the hub's application, and lets in whoever is known."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

import nicegui
from fastapi import FastAPI, Request
from nicegui import ui
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from tenfold.errors import NotAllowed, TenfoldError
from tenfold.roles import Action, may
from tenfold.web.console import (
    astray,
    downloads,
    exports,
    line_live,
    picked,
    pictures,
    retold,
)
from tenfold.web.console.first import FirstOwner
from tenfold.web.console.frame import frame, refusal
from tenfold.web.console.text import LANGUAGE_COOKIE, LANGUAGES
from tenfold.web.console.visitor import Visitor

Screen = Callable[[Visitor], Awaitable[None]]
STATIC = Path(__file__).parent / "static"
BUILD_S = 30.0
"""A page has this long to be put together."""
YEAR_S = 365 * 86400

SCREENS: dict[str, tuple[str, Action]] = {
    "/": ("home", "show"),
    "/datasets": ("datasets", "show"),
    "/datasets/{name}": ("gallery", "show"),
    "/make": ("make", "show"),
    "/jobs/{job:path}": ("job", "show"),
    "/models": ("models", "show"),
    "/models/{name}": ("model", "show"),
    "/deployments": ("deployments", "show"),
    "/deployments/{name:path}": ("deployment", "show"),
    "/review": ("review", "label"),
    "/review/{name:path}": ("reviewing", "label"),
    "/line": ("line", "show"),
    "/line/{station}": ("line_station", "show"),
    "/line/{station}/engineer": ("line_engineer", "show"),
    "/line/{station}/teach": ("line_teach", "make"),
    "/line/{station}/parts": ("line_parts", "show"),
    "/line/{station}/parts/{part}": ("line_part", "show"),
    "/ledger": ("ledger", "show"),
    "/settings": ("people", "show"),
    "/activity": ("activity", "activity"),
}
"""Path → the file whose `screen` draws it, and what one must be allowed to see it."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)
"""No request leaves the machine. NiceGUI's templates are compiled in the browser."""


def attach(app: FastAPI, first: FirstOwner) -> None:
    """Put every screen on the hub's application. Once in a process: NiceGUI has one application."""
    nicegui.app.add_static_files("/console/static", STATIC, max_cache_age=3600)
    pictures.attach(app)
    downloads.attach(app)
    exports.attach(app)
    picked.attach(app)
    line_live.attach(app)
    astray.attach(app)
    for path, (name, action) in SCREENS.items():
        screen: Screen = import_module(f"tenfold.web.console.{name}").screen
        ui.page(path, response_timeout=BUILD_S)(_guarded(app, path, screen, action))
    sign_in: Callable[[Request, FirstOwner], None] = import_module(
        "tenfold.web.console.sign_in"
    ).screen

    @ui.page("/sign-in", response_timeout=BUILD_S)
    def _(request: Request) -> None:
        sign_in(request, first)

    app.add_exception_handler(TenfoldError, retold.answered)
    app.add_api_route("/language/{language}", _language, include_in_schema=False)
    app.add_api_route("/first", first.create, methods=["POST"], include_in_schema=False)
    ui.run_with(
        app,
        title="Tenfold",
        favicon=STATIC / "icon.svg",
        tailwind=False,
        storage_secret=None,
        show_welcome_message=False,
        reconnect_timeout=20.0,
    )
    app.add_middleware(Policed)


def _guarded(
    app: FastAPI, path: str, screen: Screen, action: Action
) -> Callable[[Request], Awaitable[Response | None]]:
    async def page(request: Request) -> Response | None:
        try:
            visitor = Visitor.of(app, request)
        except NotAllowed as error:
            return astray.turned_away(request, error)
        with frame(visitor, path):
            if not may(visitor.identity.role, action):
                refusal(visitor, action)
                return None
            try:
                await screen(visitor)
            except Exception as error:  # noqa: BLE001 (a defect: its page says so)
                astray.failed(visitor, error)
        return None

    return page


def _language(request: Request, language: str, to: str = "/") -> Response:
    """Speak another language from now on."""
    back = RedirectResponse(to if to.startswith("/") and not to.startswith("//") else "/")
    if language in LANGUAGES:
        back.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_S, samesite="lax")
    return back


class Policed:
    """Pages load nothing from elsewhere, and pages from elsewhere open no socket here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _is_foreign_socket(scope):
            is_plain = scope["type"] == "http"
            refused = PlainTextResponse("Another site.", 403) if is_plain else WebSocketClose(1008)
            await refused(scope, receive, send)
            return
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            refused = PlainTextResponse("An address has no NUL.", 400)  # nor has a database
            await refused(scope, receive, send)
            return

        async def policed(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = Headers(raw=message["headers"])
                extra = [
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
                if "content-security-policy" not in sent:
                    extra.append((b"content-security-policy", POLICY.encode()))
                if "cache-control" not in sent:
                    extra.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, policed)


def _is_foreign_socket(scope: Scope) -> bool:
    """Opened by a page of another site; sockets may begin as plain requests."""
    if scope["type"] == "http" and not scope["path"].startswith("/_nicegui_ws/"):
        return False
    headers = Headers(scope=scope)
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] != headers.get("host", "")
