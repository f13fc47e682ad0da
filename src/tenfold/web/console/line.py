"""Stations of this machine."""

from nicegui import ui

from tenfold.apps.line.watching import Glance, glances
from tenfold.web.console.frame import title
from tenfold.web.console.line_station import styled
from tenfold.web.console.line_words import standing
from tenfold.web.console.parts import card, empty, link, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

EVERY_S = 2.0
LOOKS = {"ready": "good", "not": "bad", "silent": ""}


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    styled()
    title(say("Line"), say("Inspection stations that run on this machine."))
    holder, shown = ui.element("div").classes("line-stations"), await visitor.read(glances)
    _draw(say, holder, shown)

    async def look() -> None:
        nonlocal shown
        found = await visitor.read(glances)
        if found != shown:
            shown = found
            _draw(say, holder, found)

    ui.timer(EVERY_S, look, immediate=False)


def _draw(say: Text, holder: ui.element, found: list[Glance]) -> None:
    holder.clear()
    with holder:
        if not found:
            hint = say("Write a station's file, check it with `tenfold line check`, and run it.")
            empty(say("No station here yet"), hint)
        for one in found:
            with card(one.station, classes=f"line-one {_kind(say, one)}"):
                station_words(say, one)
                with ui.element("div").classes("row"):
                    link(say("Station"), f"/line/{one.station}", classes="button primary")
                    link(say("Engineer"), f"/line/{one.station}/engineer", classes="button")
                    link(say("Parts"), f"/line/{one.station}/parts", classes="button")


def station_words(say: Text, one: Glance) -> None:
    """How it stands, in a line or two."""
    told = standing(say, one.state, is_silent=one.is_silent)
    words(told["what"], classes=f"badge {LOOKS[told['kind']]}")
    if told["do"]:
        words(told["do"], classes="muted")
    if one.state:
        words(one.state.shift, classes="muted small")


def _kind(say: Text, one: Glance) -> str:
    return standing(say, one.state, is_silent=one.is_silent)["kind"]
