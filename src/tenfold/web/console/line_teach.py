"""The teaching screen of a station: pictures of good parts, regions over the reference, and the job
that teaches. The browser draws the regions, see static/teach.js."""

import json

from nicegui import ui

from tenfold.apps.line.stations import known_folder
from tenfold.apps.line.teach import FEWEST_GOOD
from tenfold.web.console.frame import title
from tenfold.web.console.line_station import styled, ways
from tenfold.web.console.parts import card, words
from tenfold.web.console.reviewing import scripts
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

CHECKS = {
    "surface": "Surface",
    "assembly": "Assembly",
    "golden": "Golden",
}
MEANINGS = {"missing": "missing", "wrong": "another thing", "turned": "turned"}
"""What a bad assembly may show: the class that a head learns → in words."""
HOLES = {
    name: f"{{{name}}}" for name in ("name", "count", "files", "size", "sent", "width", "height")
}


async def screen(visitor: Visitor) -> None:
    say, station = visitor.say, visitor.given("station")
    await visitor.read(known_folder, station)
    styled()
    ui.add_head_html('<link rel="stylesheet" href="/console/static/teach.css">')
    scripts("drop", "viewer", "teach")
    with ui.element("div").classes("line-head"):
        title(say("Teach {station} a part", station=station))
        words(say("From 20 good parts on, in about a minute."), classes="muted")
        ways(visitor, station, "teach")
    with ui.element("div").classes("teach stack").props('id="teach"') as root:
        config = {"station": station, "csrf": visitor.csrf, "said": _said(say)}
        root.props["data-config"] = json.dumps(config, ensure_ascii=False)
        _goods(say)
        _regions(say)
        _bads(say)
        _teach(say)
    ui.run_javascript(
        "const begin = () => tenfoldApi.begin('teach', tenfoldTeach.begin);"
        "window.tenfoldTeach ? begin() : addEventListener('tenfold-teach', begin, {once: true})"
    )


def _goods(say: Text) -> None:
    with (
        card(say("1. Good parts")),
        ui.element("form").classes("drop").props('data-at="goods" novalidate'),
    ):
        words(
            say(
                "Drop a folder of pictures here, {count} or more, each of another good part, as "
                "the station's camera takes them.",
                count=FEWEST_GOOD,
            )
        )
        picks(say)
        with ui.element("div").classes("asks"):
            with ui.element("label"):
                words(say("Part number"), tag="span")
                ui.element("input").classes("field").props(
                    'name="part" maxlength="100" autocomplete="off" spellcheck="false"'
                )
            _button(say("Propose regions"), "propose", primary=True)
        words("", classes="wrong").props('role="alert"')


def picks(say: Text) -> None:
    """Where a folder or files are chosen, and how much of them was sent."""
    with ui.element("div").classes("row picks"):
        _pick(say("Choose a folder"), is_folder=True)
        _pick(say("Choose files or a zip"), is_folder=False)
    words("", classes="sent").props('role="status"')
    with ui.element("div").classes("progress").props('role="progressbar"') as bar:
        bar.props.update({"aria-valuemin": 0, "aria-valuemax": 100, "aria-label": say("Sent")})
        ui.element("div").style("width: 0")


def _pick(name: str, *, is_folder: bool) -> None:
    with ui.element("span").classes("pick button"):
        words(name, tag="span").props("aria-hidden=true")
        field = ui.element("input").props('type="file" multiple')
        field.props["aria-label"] = name
        if is_folder:
            field.props["webkitdirectory"] = True


def _button(text: str, action: str, *, primary: bool = False) -> None:
    made = words(text, tag="button", classes="button primary" if primary else "button")
    made.props.update({"type": "button", "data-do": action})


def _regions(say: Text) -> None:
    with card(say("2. Regions"), classes="teach-regions") as made:
        made.props('data-at="regions" hidden')
        words("", classes="muted").props('data-at="proposed"')
        with ui.element("ul").classes("dots wrong").props('data-at="lost" hidden'):
            pass
        with ui.element("div").classes("teach-both"):
            with ui.element("div").classes("teach-picture"):
                with ui.element("div").classes("teach-stage").props('data-at="stage"') as stage:
                    stage.props["aria-label"] = say("The reference picture with its regions")
                    stage.props["role"] = "group"
                keys = say(
                    "Drag on the picture for a new region. With a region chosen: arrows move it, "
                    "Shift and arrows resize it, Delete removes it."
                )
                words(keys, classes="muted small").props('id="teach-keys"')
                with ui.element("div").classes("row"):
                    _button(say("Add a region"), "add")
                    with ui.element("label").classes("teach-reference"):
                        words(say("Reference picture"), tag="span")
                        ui.element("select").classes("field").props('data-at="reference"')
            with ui.element("div").classes("stack"):
                _table(say)
        words("", classes="wrong").props('data-at="regions-wrong" role="alert"')


def _table(say: Text) -> None:
    sides = (say("Left"), say("Top"), say("Right"), say("Bottom"))
    with ui.element("div").classes("scroll"), ui.element("table") as table:
        table.props["aria-label"] = say("Regions, in pixels of the reference")
        with ui.element("thead"), ui.element("tr"):
            for name in (say("Region"), *sides, say("Check"), ""):
                words(name, tag="th").props('scope="col"')
        ui.element("tbody").props('data-at="rows"')
    told = say(
        "Surface: nothing strange is on it. Assembly: a thing is there, such as a screw. Golden: "
        "it looks like the reference, and nothing is learnt."
    )
    words(told, classes="muted small")


def _bads(say: Text) -> None:
    with card(say("3. Parts known to be bad (if there are any)")) as made:
        made.props('data-at="bads" hidden')
        words(
            say(
                "Pictures of parts with a defect in one region. They make its head surer, and say "
                "how often a defect passes."
            ),
            classes="muted",
        )
        ui.element("div").classes("stack").props('data-at="bad-list"')
        with ui.element("div"):
            _button(say("Add known bad parts"), "bad")
        with ui.element("template"), ui.element("form").classes("drop teach-bad"):
            with ui.element("div").classes("row"):
                for name, key in ((say("Region"), "region"), (say("What it shows"), "label")):
                    with ui.element("label"):
                        words(name, tag="span")
                        ui.element("span").props["data-slot"] = key
                _button(say("Remove"), "drop-bad")
            picks(say)


def _teach(say: Text) -> None:
    with card(say("4. Teach")) as made:
        made.props('data-at="go" hidden')
        words(
            say(
                "The hub goes on with it when you leave. The part is in shadow then: the station "
                "judges and records it, and a person decides, until it is proven or you say live."
            ),
            classes="muted",
        )
        words("", classes="muted").props('data-at="known" hidden')
        with ui.element("div"):
            _button(say("Teach"), "teach", primary=True)
        words("", classes="sent").props('data-at="state" role="status"')
        words("", classes="wrong").props('data-at="wrong" role="alert"')


def _said(say: Text) -> dict[str, object]:
    """What the browser says; it fills in names and numbers."""
    hole = HOLES
    return {
        "silent": say("The hub does not answer."),
        "looking": say("Looking through what was dropped …"),
        "none": say("There is no file in it."),
        "chosen": say("{count} files, {size}", count=hole["count"], size=hole["size"]),
        "sent": say(
            "{files} of {count} files sent, {sent} of {size}",
            **{name: hole[name] for name in ("files", "count", "sent", "size")},
        ),
        "few": say(
            "{count} pictures are too few: {least} are needed at least, each of another good part.",
            count=hole["count"],
            least=FEWEST_GOOD,
        ),
        "least": FEWEST_GOOD,
        "partName": say(
            "Name the part number: letters a to z, digits, and . _ - between them, no blanks."
        ),
        "proposing": say("Looking at what stays the same from part to part …"),
        "proposed": say(
            "{count} regions are proposed from {files} pictures. Draw them around what matters, "
            "and give them names.",
            count=hole["count"],
            files=hole["files"],
        ),
        "lost": say("These pictures are left out; the part was not found in them:"),
        "known": say(
            "{name} was taught here before: it learns from the old pictures too.",
            name=hole["name"],
        ),
        "name": say(
            "“{name}” is no name for a region: letters a to z, digits, and . _ - between them, no "
            "blanks.",
            name=hole["name"],
        ),
        "twice": say("Two regions are called {name}: give each its own name.", name=hole["name"]),
        "outside": say(
            "Region {name} does not lie in the picture of {width} × {height} pixels.",
            **{name: hole[name] for name in ("name", "width", "height")},
        ),
        "noRegion": say("There is no region: add one."),
        "noThing": say("Say what must be there in region {name}.", name=hole["name"]),
        "noLabel": say("Say what the bad parts show, such as scratch."),
        "noBad": say("Choose the pictures of the bad parts, or remove the line."),
        "removed": say("Region {name} was removed.", name=hole["name"]),
        "region": say("Region {name}", name=hole["name"]),
        "thing": say("What must be there"),
        "check": say("Check"),
        "remove": say("Remove"),
        "sides": [say("Left"), say("Top"), say("Right"), say("Bottom")],
        "checks": {key: say(name) for key, name in CHECKS.items()},
        "meanings": {key: say(name) for key, name in MEANINGS.items()},
        "defect": say("such as scratch"),
        "thingHint": say("such as screw"),
        "sending": say("Sending the pictures …"),
    }
