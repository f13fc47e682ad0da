"""What a page shows when its address leads nowhere, or when it cannot be drawn."""

import logging

import nicegui
from fastapi import FastAPI, Request
from nicegui import Client, ui
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tenfold.errors import NotAllowed, NotFound, TenfoldError
from tenfold.web.console.frame import frame, title
from tenfold.web.console.parts import link, words
from tenfold.web.console.retold import problem
from tenfold.web.console.text import text_for
from tenfold.web.console.visitor import Visitor, sign_in_at
from tenfold.web.errors import WhoAreYou, status_of

log = logging.getLogger(__name__)

LISTS = {
    "/datasets/": ("/datasets", "Show all datasets"),
    "/jobs/": ("/make", "Show the newest jobs"),
    "/models/": ("/models", "Show all models"),
    "/deployments/": ("/deployments", "Show all deployments"),
    "/review/": ("/review", "Show what waits for review"),
    "/line/": ("/line", "Show the stations"),
}
"""Begin of an address → where what there is stands."""
NO_PAGES = ("/api/", "/console/", "/_nicegui")
"""Addresses that programs ask."""


def attach(app: FastAPI) -> None:
    """Answer for every address that nothing else answers for."""

    async def nowhere(request: Request, _: Exception) -> Response:
        if request.method != "GET" or request.url.path.startswith(NO_PAGES):
            return JSONResponse({"error": "nothing is at this address."}, 404)
        try:
            visitor = Visitor.of(app, request)
        except NotAllowed as error:
            return turned_away(request, error)
        with Client(ui.page(""), request=request) as client, frame(visitor, ""):
            lost(visitor)
        return client.build_response(request, 404)

    nicegui.app.add_exception_handler(404, nowhere)
    logging.getLogger("nicegui").addFilter(_is_defect)


def _is_defect(record: logging.LogRecord) -> bool:
    """What a page tells its reader needs no line in the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], TenfoldError))


def turned_away(request: Request, error: NotAllowed) -> Response:
    """Who is not known signs in, and comes back to what they asked for."""
    if not isinstance(error, WhoAreYou):
        return PlainTextResponse(problem(text_for(request), error), 403)
    return RedirectResponse(sign_in_at(request))


def failed(visitor: Visitor, error: Exception) -> None:
    """In place of a screen that cannot be drawn; the status says so too."""
    say, client = visitor.say, ui.context.client
    if isinstance(error, NotFound):
        client.status_code = 404
        lost(visitor, problem(say, error))
        return
    title(say("This page cannot be shown"))
    if isinstance(error, TenfoldError):
        client.status_code = status_of(error)
        visitor.show_problem(error)
        return
    client.status_code = 500
    log.error("a screen failed", exc_info=error, extra={"path": visitor.request.url.path})
    with ui.element("section").classes("problem").props('role="alert"'):
        words(say("This is a defect of the hub; its log says more. Nothing was changed."))
    link(say("Back to the start"), "/", classes="button")


def lost(visitor: Visitor, why: str = "") -> None:
    """What was asked for is not there: where one may look."""
    say, path = visitor.say, visitor.request.url.path
    title(say("Not found"))
    with ui.element("div").classes("empty"):
        words(say("Nothing is at this address"), tag="strong")
        words(say("It may have been removed, or be called otherwise."))
        if why:
            words(why, classes="muted small verbatim")
        to, name = next(
            (found for begin, found in LISTS.items() if path.startswith(begin)),
            ("/", "Back to the start"),
        )
        link(say(name), to, classes="button primary")
