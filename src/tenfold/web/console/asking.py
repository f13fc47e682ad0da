"""Forms inside pages: fields with their names, and what was filled in when it is sent."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from tenfold.web.console.parts import button, heading, words
from tenfold.web.console.text import Text

Given = dict[str, str]
"""What was filled in, by the fields' names; a box that is not ticked is missing."""
SENT = (
    "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))); }"
)


@contextmanager
def form(on_send: Callable[[Given], Awaitable[None]]) -> Generator[Element]:
    """Whatever is named inside is handed over when the form is sent."""

    async def sent(event: GenericEventArguments) -> None:
        args: dict[str, Any] = event.args or {}
        await on_send({name: str(value).strip() for name, value in args.items()})

    with ui.element("form").classes("stack") as made:
        yield made
    made.on("submit", sent, js_handler=SENT)


def field(label: str, name: str, *, value: str = "", hint: str = "", kind: str = "text") -> Element:
    """A line of text. `^value` is what it begins with: as `value`, Vue would put it there again
    whenever anything on the page changes, over what was typed."""
    with ui.element("label"):
        words(label, tag="span")
        made = ui.element("input").classes("field").props('autocomplete="off"')
        made.props.update({"name": name, "type": kind, "^value": value, "placeholder": hint})
    return made


def tick(label: str, name: str) -> None:
    with ui.element("label").classes("tick"):
        ui.element("input").props.update({"name": name, "type": "checkbox", "value": "yes"})
        words(label, tag="span")


def send(text: str, *, kind: str = "primary") -> None:
    words(text, tag="button", classes=f"button {kind}").props('type="submit"')


@contextmanager
def asked(say: Text, title: str) -> Generator[ui.dialog]:
    """A question over the page; Escape closes it."""
    with ui.dialog() as dialog, ui.element("div").classes("card asked") as made:
        made.props["aria-label"] = title
        made.props["role"] = "group"
        heading(title)
        yield dialog
    dialog.open()


def never_mind(say: Text, dialog: ui.dialog) -> None:
    button(say("Cancel"), dialog.close)
