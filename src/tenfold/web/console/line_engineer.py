"""The engineer's screen of a station: how long stages take, whether rejects are what they were, and
what looks at which region by which threshold."""

import json
from urllib.parse import quote, urlencode

from nicegui import ui

from tenfold.apps.line.stations import known_folder
from tenfold.apps.line.timing import WHOLE
from tenfold.web.console import line_charts
from tenfold.web.console.frame import title
from tenfold.web.console.line_figures import RUN, TIMED, Figures, Head, Kept
from tenfold.web.console.line_live import Watches
from tenfold.web.console.line_station import begin_line, config, lamps, picture, stand, styled, ways
from tenfold.web.console.line_taught import Around, taught
from tenfold.web.console.line_words import STAGES, reason
from tenfold.web.console.parts import Column, card, link, table, words
from tenfold.web.console.reviewing import scripts
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

EVERY_S = 5.0
MOST_REASONS = 8


async def screen(visitor: Visitor) -> None:
    say, station = visitor.say, visitor.given("station")
    await visitor.read(known_folder, station)
    state = visitor.app.state
    watches: Watches = state.line_watches
    kept: Kept = state.line_figures
    told = await visitor.read(_told, watches, station, say)
    shown = await visitor.read(_figures, kept, station)
    styled()
    scripts("viewer", "line")
    with ui.element("div").classes("line-eng").props('id="line"') as root:
        root.props["data-config"] = json.dumps(config(visitor, station, told), ensure_ascii=False)
        with ui.element("div").classes("line-head"):
            title(station)
            words("", tag="span", classes="muted").props('data-at="shift"')
            ways(visitor, station, "engineer")
        with (
            ui.element("section").classes("line-stand").props('data-at="stand" role="alert" hidden')
        ):
            stand()
        lamps(say)
        with ui.element("div").classes("line-live"):
            picture(say)
            pareto = ui.element("div").classes("holder")
        holder = ui.element("div").classes("holder")
        parts = ui.element("div").classes("holder")
    box = ui.element("div")
    begin_line()

    async def look() -> None:
        nonlocal shown
        found = await visitor.read(_figures, kept, station)
        before, shown = shown, found
        if found != before:
            _draw(visitor, pareto, holder, found)
        if found.taught != before.taught:  # a button is not drawn anew while it is pressed
            _draw_parts(around, parts, found)

    async def again() -> None:
        kept.forget(station)
        await look()

    around = Around(visitor, station, box, again)
    _draw(visitor, pareto, holder, shown)
    _draw_parts(around, parts, shown)
    ui.timer(EVERY_S, look, immediate=False)


def _told(workspace: Workspace, watches: Watches, station: str, say: Text) -> dict[str, str]:
    return watches.told(workspace, station, say)


def _figures(workspace: Workspace, kept: Kept, station: str) -> Figures:
    return kept.of(workspace, station)


def _draw(visitor: Visitor, pareto: ui.element, holder: ui.element, found: Figures) -> None:
    say = visitor.say
    pareto.clear()
    with pareto:
        _pareto(say, visitor.given("station"), found)
    holder.clear()
    with holder:
        with ui.element("div").classes("columns"):
            _timing(say, found)
            _rejects(say, found)
        _heads(visitor, found)


def _draw_parts(around: Around, parts: ui.element, found: Figures) -> None:
    parts.clear()
    with parts:
        taught(around, found)


def _pareto(say: Text, station: str, found: Figures) -> None:
    with card(say("Why parts were rejected")):
        words(found.shift, classes="muted small")
        with ui.element("div").classes("row"):
            base, asked = f"/api/line/{quote(station)}", urlencode({"shift": found.shift})
            report = link(say("Report of the shift"), f"{base}/report?{asked}", classes="button")
            report.props('target="_blank"')
            link(say("All looks (CSV)"), f"{base}/parts.csv?{asked}", classes="button")
        if not found.reasons:
            words(say("No rejects yet"), classes="muted")
            return
        top = found.reasons[:MOST_REASONS]
        most = top[0][1]
        with ui.element("ol").classes("line-pareto"):
            for told, count in top:
                with ui.element("li"):
                    words(reason(say, told), tag="span", classes="what")
                    words(say.number(count), tag="span", classes="number")
                    bar = ui.element("i")
                    bar.style(f"width: {100 * count / most:.1f}%")


def _timing(say: Text, found: Figures) -> None:
    with card(say("How long a part takes")):
        if not found.stages:
            words(say("No part yet"), classes="muted")
            return
        chart = line_charts.taken(say, found.taken, found.deadline_ms)
        ui.html(str(chart), sanitize=False)
        columns = [
            Column(say("Stage")),
            Column(say("median, ms"), is_number=True),
            Column(say("95 %"), is_number=True),
            Column(say("99.9 %"), is_number=True),
        ]
        told = [
            [
                say(STAGES[one.name]) if one.name in STAGES else one.name,
                _ms(one.median_ms),
                _ms(one.p95_ms),
                _ms(one.p999_ms),
            ]
            for one in found.stages
        ]
        table(columns, told, label=say("How long a part takes"))
        count = next((one.parts for one in found.stages if one.name == WHOLE), 0)
        words(say("The last {count} parts.", count=say.number(min(count, TIMED))), classes="muted")


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _rejects(say: Text, found: Figures) -> None:
    alarms = [point for point in found.points if point.is_alarm]
    with card(say("Share of rejects")):
        if not found.points:
            told = say("A point needs {count} parts; there are too few yet.", count=RUN)
            words(told, classes="muted")
            return
        if found.points[-1].is_alarm:
            with ui.element("div").classes("alarm"):
                words(say("alarm"), tag="span", classes="badge")
                words(say("The last {count} parts are outside the limits.", count=RUN))
        ui.html(str(line_charts.rejects(say, found.points)), sanitize=False)
        words(
            say(
                "Each point is {count} parts. Limits are three standard deviations around the "
                "share of the calm points before; {alarms} points lie outside.",
                count=RUN,
                alarms=len(alarms),
            ),
            classes="muted small",
        )


def _heads(visitor: Visitor, found: Figures) -> None:
    say = visitor.say
    with card(say("What looks at each region")):
        if not found.heads:
            words(say("No head has been asked yet"), classes="muted")
            return
        columns = [
            Column(say("Part number")),
            Column(say("Region")),
            Column(say("Head")),
            Column(say("Said last")),
            Column(say("Score"), is_number=True),
            Column(say("Threshold"), is_number=True),
            Column(""),
        ]
        told = [
            [
                one.part,
                one.region,
                lambda one=one: link(one.head, f"/deployments/{one.head}"),
                one.seen.decision if one.seen else "–",
                f"{one.seen.score:.3f}" if one.seen else "–",
                f"{one.seen.threshold:.3f}" if one.seen and one.seen.threshold else "–",
                lambda one=one: _threshold(visitor, one),
            ]
            for one in found.heads
        ]
        table(columns, told, label=say("What looks at each region"))
        words(
            say(
                "What another threshold would do stands on the page of a model. It is changed by "
                "deploying another model, which an engineer does."
            ),
            classes="muted small",
        )


def _threshold(visitor: Visitor, one: Head) -> None:
    say = visitor.say
    if one.model is None:
        words(say("not deployed"), tag="span", classes="badge bad")
        return
    with ui.element("div").classes("row"):
        link(say("Other thresholds"), f"/models/{one.model.id}")
        if visitor.may("deploy"):
            link(say("Change"), f"/deployments/{one.head}")
