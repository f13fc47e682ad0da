"""Signing in, and the first owner."""

from fastapi import Request
from nicegui import ui

from tenfold.web.console.first import FirstOwner
from tenfold.web.console.frame import MARK, OTHER, head
from tenfold.web.console.parts import heading, link, words
from tenfold.web.console.text import Text, text_for


def screen(request: Request, first: FirstOwner) -> None:
    """A form; the browser sends it to the hub's API, so that no password passes a socket."""
    say = text_for(request)
    head(say.language)
    ui.page_title(f"{say('Sign in')} · Tenfold")
    token = request.query_params.get("first", "")
    with ui.element("main").classes("door").props('id="content"'):
        ui.html(MARK, sanitize=False)
        if token and first.is_open(token):
            _form(say, "first", token)
        else:
            _form(say, "in", "")
            if token:
                words(say("This link was used, or its hub has ended."), classes="muted")
        other, name = OTHER[say.language]
        link(name, f"/language/{other}?to=/sign-in").props(f'lang="{other}"')


def _form(say: Text, kind: str, token: str) -> None:
    is_first = kind == "first"
    heading(say("Make the first account") if is_first else say("Sign in"), 1)
    if is_first:
        words(say("It is an owner's: it can add people, give roles and do everything else."))
    with ui.element("form").props('id="door"') as form:
        form.props["data-kind"] = kind
        form.props["data-token"] = token
        form.props["data-silent"] = say("The hub does not answer.")
        _field(say("Name"), "name", "username", "text")
        keeps = "new-password" if is_first else "current-password"
        _field(say("Password"), "password", keeps, "password")
        if is_first:
            words(say("At least ten letters."), classes="muted")
        words("", classes="wrong").props('role="alert"')
        made = words(say("Make it") if is_first else say("Sign in"), tag="button")
        made.classes("button primary").props["type"] = "submit"


def _field(name: str, key: str, keeps: str, kind: str) -> None:
    with ui.element("label"):
        words(name, tag="span")
        field = ui.element("input").classes("field")
        field.props.update({"name": key, "type": kind, "autocomplete": keeps, "required": True})
        field.props["maxlength"] = 100 if kind == "text" else 4000
        field.props["autofocus"] = kind == "text"
