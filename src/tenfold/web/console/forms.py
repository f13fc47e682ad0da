"""Fields under their names, and forms: those that stand in the address, and those of the API."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from nicegui import ui
from nicegui.element import Element

from tenfold.web.console.parts import words
from tenfold.web.console.visitor import Visitor

Method = Literal["POST", "PUT"]


@contextmanager
def asking(label: str) -> Generator[Element]:
    """A form whose fields become parameters of the page's address."""
    with ui.element("form").classes("asking").props('method="get"') as form:
        form.props["aria-label"] = label
        yield form


@dataclass(frozen=True, slots=True)
class Sending:
    """How the browser itself sends a form to the hub's API, so that no secret passes a socket."""

    path: str
    method: Method = "POST"
    to: str = ""
    """Where to go when it is done; empty: the page is loaded anew."""
    told: Mapping[str, str] | None = None
    """What to say by status, such as `409`; `again` where two fields should be the same."""
    reveals: str = ""
    """Part of the answer that is shown, once."""


@contextmanager
def sending(visitor: Visitor, how: Sending) -> Generator[Element]:
    """A form of the API; fields stand in it, then `send`."""
    say = visitor.say
    told = {
        "401": say("Nobody is signed in any more: sign in again."),
        "403": say("Your role may not do this."),
        "429": say("Too many tries. Wait a minute."),
        "silent": say("The hub does not answer."),
        **(how.told or {}),
    }
    with ui.element("form").classes("sending") as form:
        form.props.update(
            {
                "data-send": how.path,
                "data-method": how.method,
                "data-csrf": visitor.csrf,
                "data-to": how.to,
                "data-told": json.dumps(told),
                "data-reveals": how.reveals,
            }
        )
        yield form


def send(text: str, *, kind: Literal["", "primary"] = "primary") -> None:
    """The end of a form: what went wrong, and its button."""
    words("", classes="wrong").props('role="alert"')
    made = words(text, tag="button", classes=f"button {kind}")
    made.props["type"] = "submit"


def field(
    name: str,
    key: str,
    value: str = "",
    *,
    kind: Literal["text", "password", "month", "number"] = "text",
    keeps: str = "off",
) -> Element:
    """One line of text; `keeps` says what the browser may remember it as."""
    with ui.element("label"):
        words(name, tag="span")
        made = ui.element("input").classes("field")
        made.props.update({"name": key, "type": kind, "value": value, "autocomplete": keeps})
    return made


def new_password(name: str, key: str = "password") -> Element:
    made = field(name, key, kind="password", keeps="new-password")
    made.props.update({"required": True, "minlength": 10, "maxlength": 1000})
    return made


def choice(name: str, key: str, options: Sequence[tuple[str, str]], chosen: str = "") -> Element:
    """One of (value, name)."""
    with ui.element("label"):
        words(name, tag="span")
        return select(key, options, chosen)


def select(key: str, options: Sequence[tuple[str, str]], chosen: str = "") -> Element:
    """Without a label of its own: give it an `aria-label`."""
    with ui.element("select").classes("field") as made:
        made.props["name"] = key
        for value, text in options:
            option = words(text, tag="option")
            option.props["value"] = value
            if value == chosen:
                option.props["selected"] = True
    return made
