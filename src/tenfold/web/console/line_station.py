"""The operator's screen of a station: what became of the last part, large, and whether the station
is there. The browser keeps it up to date, see static/line.js."""

import json
from collections.abc import Collection, Sequence
from typing import Literal

from nicegui import ui
from nicegui.element import Element

from tenfold.apps.line.stations import known_folder
from tenfold.web.console.forms import choice
from tenfold.web.console.frame import title
from tenfold.web.console.line_live import Watches
from tenfold.web.console.line_words import VERDICTS
from tenfold.web.console.parts import heading, link, words
from tenfold.web.console.reviewing import scripts
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

LAMPS = {
    "camera": "Camera",
    "controller": "Controller",
    "heads": "Models",
    "disk": "Disk",
    "rabbits": "Red rabbits",
}
COUNTS = {
    "parts": "parts",
    "ok": "OK",
    "reject": "rejects",
    "manual": "manual",
    "yield": "yield",
    "first": "first pass",
}


async def screen(visitor: Visitor) -> None:
    say, station = visitor.say, visitor.given("station")
    await visitor.read(known_folder, station)
    watches: Watches = visitor.app.state.line_watches
    told = await visitor.read(_told, watches, station, say)
    styled()
    scripts("viewer", "line")
    with ui.element("div").classes("line").props('id="line"') as root:
        root.props["data-config"] = json.dumps(config(visitor, station, told), ensure_ascii=False)
        with ui.element("div").classes("line-head"):
            title(station)
            words("", tag="span", classes="muted").props('data-at="shift"')
            words("", tag="span", classes="line-asked").props('data-at="asked" role="status"')
            ways(visitor, station, "station")
        with (
            ui.element("section").classes("line-stand").props('data-at="stand" role="alert" hidden')
        ):
            stand()
        _verdict(say)
        picture(say)
        _counts(say)
        _rejects(say)
        lamps(say)
        if visitor.may("label"):
            _keys(say)
            _dialog(say)
    begin_line()


def _told(workspace: Workspace, watches: Watches, station: str, say: Text) -> dict[str, str]:
    return watches.told(workspace, station, say)


def styled() -> None:
    ui.add_head_html('<link rel="stylesheet" href="/console/static/line.css">')


def begin_line() -> None:
    ui.run_javascript(
        "const begin = () => tenfoldApi.begin('line', tenfoldLine.begin);"
        "window.tenfoldLine ? begin() : addEventListener('tenfold-line', begin, {once: true})"
    )


def ways(
    visitor: Visitor, station: str, here: Literal["station", "engineer", "parts", "part", "teach"]
) -> None:
    """From each screen of a station to the others."""
    say = visitor.say
    with ui.element("nav").classes("line-ways") as around:
        around.props["aria-label"] = say("Screens of this station")
        places = {"station": "Station", "engineer": "Engineer", "parts": "Parts"}
        if visitor.may("make"):
            places["teach"] = "Teach"
        for place, name in places.items():
            to = f"/line/{station}" if place == "station" else f"/line/{station}/{place}"
            made = link(say(name), to)
            if place == here:
                made.props["aria-current"] = "page"


def stand() -> None:
    """Whether the station is there, where it is not: what is so, and what to do."""
    for part in ("so", "what", "do", "rabbits"):
        words("", classes=f"line-{part}")


def _verdict(say: Text) -> None:
    with ui.element("section").classes("line-verdict").props('data-at="last" aria-live="polite"'):
        with ui.element("div").classes("line-said"):
            words("", tag="span", classes="line-sign").props('aria-hidden="true"')
            words("", tag="strong", classes="line-word")
        for part in ("why", "do", "by"):
            words("", classes=f"line-{part}")
        with ui.element("dl").classes("who-is"):
            for key, name in (
                ("part", "Part number"),
                ("serial", "Serial"),
                ("lot", "Lot"),
                ("at", "Looked at"),
            ):
                with ui.element("div"):
                    words(say(name), tag="dt")
                    words("", tag="dd").props(f'data-of="{key}"')


def picture(say: Text) -> None:
    with ui.element("figure").classes("line-picture").props('data-at="picture"'):
        with ui.element("div").classes("line-frame") as stage:
            stage.props["aria-label"] = say("The last part")
            stage.props["role"] = "img"
            ui.element("div").classes("line-face")
            words("", tag="figcaption", classes="line-of")
        ui.element("div").classes("line-maps")


def _counts(say: Text) -> None:
    with ui.element("dl").classes("line-counts").props('data-at="counts"') as made:
        made.props["aria-label"] = say("This shift")
        for key, name in COUNTS.items():
            with ui.element("div").classes(key):
                words(say(name), tag="dt")
                words("–", tag="dd").props(f'data-of="{key}"')


def _rejects(say: Text) -> None:
    with ui.element("section").classes("line-rejects"):
        heading(say("Last rejects"))
        ui.element("div").classes("some").props('data-at="rejects"')


def lamps(say: Text) -> None:
    with ui.element("ul").classes("line-lamps").props('data-at="lamps"') as made:
        made.props["aria-label"] = say("The station")
        with ui.element("li").props('data-of="beat"'):
            words("", tag="span", classes="dot beat")
            words(say("Heartbeat"), tag="span", classes="what")
            words("", tag="span", classes="how")
        for key, name in LAMPS.items():
            with ui.element("li").props(f'data-of="{key}"'):
                words("", tag="span", classes="dot")
                words(say(name), tag="span", classes="what")
                words("", tag="span", classes="how")


def _keys(say: Text) -> None:
    keys = [("manual", "M", say("Next part to manual inspection"))]
    keys += [("overrule", "O", say("Overrule the last part")), ("heat", "H", say("Heat map"))]
    keys += [("wall", "F", say("Full screen"))]
    with ui.element("div").classes("line-keys"):
        with ui.element("div").classes("line-inspect").props('data-at="inspect" hidden') as asked:
            asked.props["aria-label"] = say("What is this part?")
            asked.props["role"] = "group"
            words(say("In shadow: you decide about this part."), classes="line-inspect-so")
            _key("good", "1", say("Good"))
            _key("bad", "2", say("Bad"))
        for action, key, name in keys:
            _key(action, key, name)


def _key(action: str, key: str, name: str) -> None:
    with ui.element("button").classes(f"button {action}").props('type="button"') as made:
        made.props["data-do"] = action
        words(key, tag="kbd")
        words(name, tag="span")


def _dialog(say: Text) -> None:
    with ui.element("dialog").classes("card line-overrule").props('id="overrule"') as made:
        made.props["aria-label"] = say("Overrule the last part")
        heading(say("Overrule the last part"))
        words("", classes="line-about muted")
        with ui.element("form").classes("stack").props('method="dialog"'):
            overrule_fields(say)
            words("", classes="wrong").props('role="alert"')
            with ui.element("div").classes("row"):
                words(say("Overrule"), tag="button", classes="button primary").props(
                    'type="submit"'
                )
                words(say("Cancel"), tag="button", classes="button").props(
                    'type="button" data-do="close"'
                )


def overrule_fields(
    say: Text, *, barred: Collection[str] = (), regions: Sequence[str] = ()
) -> None:
    """What a person says instead, and why; `barred` is what they may not, or need not."""
    with ui.element("div").classes("line-choice").props('role="radiogroup"') as made:
        made.props["aria-label"] = say("What it is")
        for word in ("ok", "reject", "manual"):
            with ui.element("label").classes(word):
                one = ui.element("input").props('type="radio" name="verdict" required')
                one.props["value"] = word
                one.props["disabled"] = word in barred
                words(say(VERDICTS[word]), tag="span")
    if regions:
        choice(say("Where"), "region", [("", "–"), *((one, one) for one in regions)])
    else:  # the browser knows them, see static/line.js
        with ui.element("label").classes("line-region").props("hidden"):
            words(say("Where"), tag="span")
            ui.element("select").classes("field").props('name="region"')
    what = _text(say("What it shows"), "label", 'maxlength="100"')
    if not regions:
        what.classes("line-region").props("hidden")
    _text(say("Why"), "why", 'required maxlength="500"')


def _text(name: str, key: str, more: str) -> Element:
    with ui.element("label") as made:
        words(name, tag="span")
        field = ui.element("input").classes("field").props(f'type="text" autocomplete="off" {more}')
        field.props["name"] = key
    return made


def config(visitor: Visitor, station: str, told: dict[str, str]) -> dict[str, object]:
    """What the browser needs to know of page and reader."""
    say = visitor.say
    return {
        "station": station,
        "csrf": visitor.csrf,
        "first": {name: json.loads(text) for name, text in told.items()},
        "labels": visitor.may("label"),
        "approves": visitor.may("approve"),
        "told": {
            "none": say("No part yet"),
            "noneHint": say("The first part that comes is shown here."),
            "silent": say("The hub does not answer"),
            "silentHint": say("This screen may be old. It looks again all the time."),
            "ready": say("Ready"),
            "notReady": say("Not ready: nothing is released"),
            "gone": say("Silent: nothing is released"),
            "rabbit": say("Red rabbit"),
            "noPicture": say("No picture is kept"),
            "of": say("Picture"),
            "heatOf": say("Heat map of {region}", region="{region}"),
            "noRejects": say("No rejects yet"),
            "ago": say("{n} s ago", n="{n}"),
            "whole": say("the whole part"),
            "signedOut": say("You are signed out. Sign in again in another tab; nothing is lost."),
            "approve": say("What the station rejected only an engineer may call OK."),
            "takeBack": say("Take it back"),
        },
    }
