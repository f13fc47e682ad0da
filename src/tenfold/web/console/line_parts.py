"""Parts that a station looked at: found by serial, lot, shift, part number and outcome."""

from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlencode

from nicegui import ui

from tenfold.apps.line.finding import Sought, numbers, search, shifts
from tenfold.apps.line.journal import Part
from tenfold.apps.line.stations import journal_of, known_folder
from tenfold.web.console.forms import asking, choice, field
from tenfold.web.console.frame import title
from tenfold.web.console.line_station import styled, ways
from tenfold.web.console.line_words import KINDS, overruled, reason, verdict
from tenfold.web.console.parts import Column, card, empty, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

LIMIT, MOST = 50, 60
OUTCOMES = {
    "": "all",
    "ok": "OK",
    "reject": "REJECT",
    "manual": "MANUAL",
    "overruled": "overruled",
    "rabbit": "Red rabbits",
}


@dataclass(frozen=True, slots=True)
class Found:
    parts: list[Part]
    shifts: list[str]
    numbers: list[str]


async def screen(visitor: Visitor) -> None:
    say, station = visitor.say, visitor.given("station")
    before = visitor.given("before", "0")
    outcome = visitor.given("outcome")
    sought = Sought(
        serial=visitor.given("serial").strip(),
        lot=visitor.given("lot").strip(),
        shift=visitor.given("shift"),
        part=visitor.given("part"),
        outcome=outcome if outcome in OUTCOMES else "",
        before=int(before) if before.isdecimal() and len(before) < 19 else 0,
        limit=LIMIT + 1,
    )
    found = await visitor.read(_found, station, sought)
    styled()
    with ui.element("div").classes("line-head"):
        title(station)
        words(say("Every part that was looked at, and what became of it."), classes="muted")
        ways(visitor, station, "parts")
    with card():
        _asked(say, sought, found)
        if not found.parts:
            text = say("No such part") if _is_narrow(sought) else say("No part yet")
            empty(text, say("The newest come first, as soon as the station has looked at them."))
            return
        _table(say, station, found.parts[:LIMIT])
        _pages(say, sought, found.parts)


def _found(workspace: Workspace, station: str, sought: Sought) -> Found:
    known_folder(workspace, station)
    with closing(journal_of(workspace, station)) as journal:
        return Found(search(journal, sought), shifts(journal, MOST), numbers(journal, MOST))


def _is_narrow(sought: Sought) -> bool:
    return bool(sought.serial or sought.lot or sought.shift or sought.part or sought.outcome)


def _asked(say: Text, sought: Sought, found: Found) -> None:
    with asking(say("Find parts")):
        field(say("Serial"), "serial", sought.serial).props("autofocus")
        field(say("Lot"), "lot", sought.lot)
        every = ("", say("all"))
        choice(say("Shift"), "shift", [every, *((one, one) for one in found.shifts)], sought.shift)
        known = found.numbers if sought.part in ("", *found.numbers) else [sought.part]
        choice(say("Part number"), "part", [every, *((one, one) for one in known)], sought.part)
        outcomes = [(key, say(name)) for key, name in OUTCOMES.items()]
        choice(say("Verdict"), "outcome", outcomes, sought.outcome)
        words(say("Show"), tag="button", classes="button primary").props('type="submit"')


def _table(say: Text, station: str, found: list[Part]) -> None:
    columns = [
        Column(say("Looked at"), is_brief=True),
        Column(say("Verdict"), is_brief=True),
        Column(say("Serial")),
        Column(say("Part number")),
        Column(say("Lot")),
        Column(say("Shift"), is_brief=True),
        Column(say("Reason")),
    ]
    told = [
        [
            lambda one=one: link(f"{one.at:%Y-%m-%d %H:%M:%S}", f"/line/{station}/parts/{one.id}"),
            lambda one=one: verdict_badge(say, one),
            one.serial or "–",
            one.part or "–",
            one.lot or "–",
            one.shift,
            overruled(say, one) or reason(say, one.reason) or "–",
        ]
        for one in found
    ]
    table(columns, told, label=say("Parts"))


def verdict_badge(say: Text, part: Part) -> None:
    kind = KINDS.get(part.verdict, "")
    with ui.element("div").classes("pair"):
        words(verdict(say, part.verdict), tag="span", classes=f"badge {kind}")
        if part.overruled:
            words(say("overruled"), tag="span", classes="badge")
        if part.is_rabbit:
            words(say("Red rabbit"), tag="span", classes="badge")


def _pages(say: Text, sought: Sought, found: list[Part]) -> None:
    with ui.element("div").classes("row"):
        if sought.before:
            link(say("Newest"), f"?{_address(sought, 0)}", classes="button")
        if len(found) > LIMIT:
            older = _address(sought, found[LIMIT - 1].id)
            link(say("Older"), f"?{older}", classes="button")


def _address(sought: Sought, before: int) -> str:
    asked = {name: getattr(sought, name) for name in ("serial", "lot", "shift", "part", "outcome")}
    kept = {name: value for name, value in asked.items() if value}
    return urlencode({**kept, **({"before": str(before)} if before else {})})
