"""One part that a station looked at: what the camera saw, what was found, and what people said."""

from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from tenfold.apps.line.journal import Part
from tenfold.apps.line.stations import evidence_of, journal_of, known_folder
from tenfold.apps.line.timing import WHOLE
from tenfold.catalog import models
from tenfold.catalog.models import Model
from tenfold.errors import NotFound
from tenfold.web.api.line import needed
from tenfold.web.console.forms import Sending, send, sending
from tenfold.web.console.frame import title
from tenfold.web.console.line_parts import verdict_badge
from tenfold.web.console.line_station import overrule_fields, styled, ways
from tenfold.web.console.line_words import (
    STAGES,
    VERDICTS,
    advice,
    overruled,
    reason,
    verdict,
)
from tenfold.web.console.parts import Column, card, facts, heading, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Found:
    part: Part
    has_picture: bool
    maps: list[str]
    models: dict[str, Model]
    asked: str
    """Who asked that it goes to a person."""
    before: int
    """Ids of the looks before and after it; 0: there is none."""
    after: int


async def screen(visitor: Visitor) -> None:
    say, station, part = visitor.say, visitor.given("station"), visitor.given("part")
    found = await visitor.read(_found, station, part)
    styled()
    with ui.element("div").classes("line-head"):
        title(found.part.serial or say("Part {number}", number=found.part.id))
        verdict_badge(say, found.part)
        ways(visitor, station, "part")
    _neighbours(say, station, found)
    with ui.element("div").classes("line-part"):
        with ui.element("div").classes("stack"):
            _picture(say, station, found)
            _regions(say, found)
        with ui.element("div").classes("stack"):
            _facts(say, found)
            _said(visitor, station, found)
            _times(say, found.part)


def _found(workspace: Workspace, station: str, part: str) -> Found:
    known_folder(workspace, station)
    if not part.isdecimal() or len(part) > 18:
        raise NotFound(f"no part {part} was looked at.")
    with closing(journal_of(workspace, station)) as journal:
        found = journal.get(int(part))
        ((before, after),) = journal.ask(
            "select (select max(id) from parts where id < ?), "
            "(select min(id) from parts where id > ?)",
            [found.id, found.id],
        )
        asked = journal.asking(found.id)
    evidence = evidence_of(workspace, station)
    return Found(
        part=found,
        has_picture=evidence.picture(found) is not None,
        maps=list(evidence.maps(found)),
        models=models.find_all(workspace.scope, {one.model for one in found.regions}),
        asked=asked,
        before=before or 0,
        after=after or 0,
    )


def _neighbours(say: Text, station: str, found: Found) -> None:
    with ui.element("div").classes("row"):
        if found.before:
            link(say("← before"), f"/line/{station}/parts/{found.before}", classes="button")
        if found.after:
            link(say("after →"), f"/line/{station}/parts/{found.after}", classes="button")


def _picture(say: Text, station: str, found: Found) -> None:
    base = f"/api/line/{quote(station)}/parts/{found.part.id}"
    with card(say("Picture"), classes="line-evidence"):
        if not found.has_picture:
            words(
                say("No picture is kept: `retention` in the station's file says which are."),
                classes="muted",
            )
            return
        with ui.element("a").props(f'href="{base}/picture" target="_blank"'):
            image = ui.element("img").classes("whole")
            image.props.update({"src": f"{base}/picture", "alt": say("What the camera saw")})
        if found.maps:
            heading(say("Heat maps"), 3)
            with ui.element("ul").classes("tiles"):
                for region in found.maps:
                    at = f"{base}/maps/{quote(region, safe='')}"
                    with ui.element("li"):
                        with ui.element("a").props(f'href="{at}" target="_blank"'):
                            image = ui.element("img").classes("map")
                            image.props.update({"src": at, "alt": region})
                        words(region, classes="small")


def _regions(say: Text, found: Found) -> None:
    part = found.part
    with card(say("Regions")):
        if not part.regions:
            words(say("No head was asked about this part."), classes="muted")
            return
        columns = [
            Column(say("Region")),
            Column(say("Said")),
            Column(say("Score"), is_number=True),
            Column(say("Threshold"), is_number=True),
            Column(say("Model")),
        ]
        told = [
            [
                one.region,
                one.decision,
                f"{one.score:.4f}",
                f"{one.threshold:.4f}" if one.threshold is not None else "–",
                lambda model=one.model: _model(found, model),
            ]
            for one in part.regions
        ]
        table(columns, told, label=say("Regions"))


def _model(found: Found, model: str) -> None:
    known = found.models.get(model)
    if known is None:
        words(model[:12], tag="code")
    else:
        link(f"{known.task} · {model[:8]}", f"/models/{model}")


def _facts(say: Text, found: Found) -> None:
    part = found.part
    why = reason(say, part.reason) or "–"
    if found.asked:
        why = say("{who} asked to see this part", who=found.asked)
    do = advice(say, part.reason)
    with card(say("What became of it")):
        facts(
            [
                (say("The station said"), verdict(say, part.outcome)),
                (say("Reason"), why),
                *([(say("What to do"), do)] if do else []),
                (say("Part number"), part.part or "–"),
                (say("Serial"), part.serial or "–"),
                (say("Lot"), part.lot or "–"),
                (say("Shift"), part.shift),
                (say("Sequence"), say.number(part.sequence)),
                (say("Looked at"), f"{part.at:%Y-%m-%d %H:%M:%S} UTC"),
                *([(say("Picture"), _digest(part))] if part.picture else []),
            ]
        )


def _digest(part: Part) -> str:
    return f"SHA-256 {part.picture[:16]}…"


def _said(visitor: Visitor, station: str, found: Found) -> None:
    say, part = visitor.say, found.part
    with card(say("A person's word")):
        if part.overruled:
            words(overruled(say, part), classes="strong")
            return
        if not visitor.may("label"):
            words(say("Nobody overruled it."), classes="muted")
            return
        mine = [word for word in VERDICTS if word and word != part.outcome]
        barred = [word for word in mine if not visitor.may(needed(part, word))]
        if barred:
            told = say("What the station rejected only an engineer may call OK.")
            words(told, classes="muted small")
        how = Sending(
            f"/api/line/{quote(station)}/parts/{part.id}/overrule",
            told={"409": say("Somebody overruled it already.")},
        )
        with sending(visitor, how) as form:
            form.classes("stack")
            regions = [one.region for one in part.regions]
            overrule_fields(say, barred=[*barred, part.outcome], regions=regions)
            send(say("Overrule"))


def _times(say: Text, part: Part) -> None:
    if not part.times:
        return
    whole = part.times.get(WHOLE) or sum(part.times.values())
    with card(say("Times")), ui.element("ol").classes("line-pareto"):
        for stage, ms in part.times.items():
            with ui.element("li"):
                words(say(STAGES[stage]) if stage in STAGES else stage, tag="span", classes="what")
                words(f"{ms:.1f} ms", tag="span", classes="number")
                ui.element("i").style(f"width: {min(100.0, 100 * ms / whole):.1f}%")
