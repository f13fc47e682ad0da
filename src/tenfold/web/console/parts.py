"""The few building blocks that every screen is made of."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

Tone = Literal["plain", "good", "warn", "bad", "live"]
TONES: dict[str, Tone] = {
    "accepted": "good",
    "undecided": "warn",
    "taught": "warn",
    "refused": "bad",
    "live": "live",
    "shadow": "plain",
    "canary": "warn",
    "retired": "plain",
    "done": "good",
    "failed": "bad",
}
"""How the states of DESIGN look."""


@dataclass(frozen=True, slots=True)
class Column:
    """Of a table; numbers stand at the right."""

    name: str
    is_number: bool = False
    is_brief: bool = False
    """Never broken into lines."""

    @property
    def classes(self) -> str:
        return "number" if self.is_number else "brief" if self.is_brief else ""


def heading(text: str, level: int = 2) -> Element:
    return words(text, tag=f"h{level}")


def words(text: str, *, tag: str = "p", classes: str = "") -> TextElement:
    """Text in an element of its own; never read as HTML."""
    return TextElement(tag=tag, text=text).classes(classes)


@contextmanager
def card(title: str = "", *, classes: str = "") -> Generator[Element]:
    """A part of a page under its own heading."""
    with ui.element("section").classes(f"card {classes}") as made:
        if title:
            heading(title)
        yield made


def figure(
    value: str, name: str, *, to: str = "", tone: Tone = "plain", is_here: bool = False
) -> None:
    """One number that matters, and what it counts; leads to its screen, unless that `is_here`."""
    with ui.element("a" if to else "div").classes(f"figure {tone}") as made:
        if to:
            made.props["href"] = to
        if is_here:
            made.props["aria-current"] = "true"
        words(value, tag="strong")
        words(name, tag="span")


def badge(state: str, text: str) -> None:
    words(text, tag="span", classes=f"badge {TONES.get(state, 'plain')}")


def link(text: str, to: str, *, classes: str = "") -> Element:
    made = words(text, tag="a", classes=classes)
    made.props["href"] = to
    return made


def empty(text: str, hint: str, *, to: str = "", action: str = "") -> None:
    """Nothing is here yet: what to do."""
    with ui.element("div").classes("empty"):
        words(text, tag="strong")
        words(hint)
        if to:
            link(action, to, classes="button primary")


def button(
    text: str, on_click: Callable[..., Any], *, kind: Literal["", "primary", "danger"] = ""
) -> Element:
    made = words(text, tag="button", classes=f"button {kind}")
    made.props["type"] = "button"
    return made.on("click", on_click)


Cell = str | Callable[[], object]
"""Text, or what draws it."""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, label: str) -> None:
    """Rows of text; a function draws what is more than text."""
    with ui.element("div").classes("scroll").props('tabindex="0"'), ui.element("table") as made:
        made.props["aria-label"] = label
        with ui.element("thead"), ui.element("tr"):
            for column in columns:
                head = words(column.name, tag="th", classes=column.classes)
                head.props["scope"] = "col"
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for column, cell in zip(columns, row, strict=True):
                        _cell(column, cell)


def _cell(column: Column, cell: Cell) -> None:
    if isinstance(cell, str):
        words(cell, tag="td", classes=column.classes)
        return
    with ui.element("td").classes(column.classes):
        cell()


def facts(pairs: Sequence[tuple[str, Cell]]) -> None:
    """Names and what they are."""
    with ui.element("dl").classes("facts"):
        for name, value in pairs:
            words(name, tag="dt")
            if isinstance(value, str):
                words(value, tag="dd")
            else:
                with ui.element("dd"):
                    value()
