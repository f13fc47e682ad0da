"""Datasets: what there is, and where pictures are dropped."""

import json
from urllib.parse import quote, urlencode

from nicegui import ui

from tenfold.catalog import shelf
from tenfold.catalog.gallery import Facets
from tenfold.catalog.shelf import Listed
from tenfold.web.console.counted import facets
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Cell, Column, card, empty, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

SHOWN = 20
LABELS = 3
"""So many labels are named in a line of the list."""
TAKEN = 2_000
"""Names that the browser knows to be taken; the job finds the others."""


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    text, begin = visitor.given("text"), _number(visitor.given("from"))
    ui.add_head_html('<script src="/console/static/drop.js" defer></script>')
    number = await visitor.read(_count, text)
    shown = await visitor.read(_page, text, begin)
    title(say("Datasets"), say("Pictures and their labels; models are made from them."))
    if visitor.may("ingest"):
        _drop(visitor, await visitor.read(_names))
    with card(say("What is here")):
        if number > SHOWN or text:
            _search(say, text)
        if shown:
            _list(say, shown)
            _pages(say, text, begin, number)
        elif text:
            words(say("No dataset has this in its name."), classes="muted")
        else:
            empty(
                say("No dataset yet"),
                say("Drop a folder of pictures above: one folder for each label is enough.")
                if visitor.may("ingest")
                else say("An engineer or an owner can upload pictures here."),
            )


def _drop(visitor: Visitor, taken: list[str]) -> None:
    say = visitor.say
    with card(say("Add pictures")), ui.element("form").classes("drop").props('id="drop"'):
        words(
            say(
                "Drop a folder, a zip or pictures here. The name of each folder is the label of "
                "its pictures; a labels.csv beside them may say it instead."
            )
        )
        with ui.element("div").classes("row picks"):
            _pick(say("Choose a folder"), is_folder=True)
            _pick(say("Choose files or a zip"), is_folder=False)
        words("", classes="sent").props('role="status"')
        with ui.element("div").classes("progress").props('role="progressbar"') as bar:
            bar.props.update({"aria-valuemin": 0, "aria-valuemax": 100, "aria-label": say("Sent")})
            ui.element("div").style("width: 0")
        with ui.element("div").classes("asks"):
            with ui.element("label"):
                words(say("Name of the dataset"), tag="span")
                field = ui.element("input").classes("field")
                field.props.update({"name": "name", "required": True, "maxlength": 90})
                field.props["pattern"] = "[A-Za-z0-9][A-Za-z0-9._\\-]*"
                field.props["title"] = say("Letters a to z, digits, and . _ - between them.")
                field.props["autocomplete"] = "off"
            go = words(say("Upload"), tag="button", classes="button primary")
            go.props.update({"type": "submit", "disabled": True})
        words("", classes="wrong").props('role="alert"')
    ui.run_javascript(
        f"tenfoldDrop.begin({json.dumps(visitor.csrf)}, {json.dumps(_said(say, taken))})"
    )


def _said(say: Text, taken: list[str]) -> dict[str, object]:
    """What the browser says while it sends; it fills in the numbers."""
    return {
        "taken": taken,
        "isTaken": say("A dataset has this name already: choose another."),
        "silent": say("The hub does not answer."),
        "looking": say("Looking through what was dropped …"),
        "none": say("There is no file in it."),
        "chosen": say("{count} files, {size}", count="{count}", size="{size}"),
        "sent": say(
            "{files} of {count} files sent, {sent} of {size}",
            **{name: f"{{{name}}}" for name in ("files", "count", "sent", "size")},
        ),
    }


def _pick(name: str, *, is_folder: bool) -> None:
    with ui.element("span").classes("pick button"):
        words(name, tag="span").props("aria-hidden=true")
        field = ui.element("input")
        field.props.update({"type": "file", "multiple": True, "aria-label": name})
        field.props["name"] = "folder" if is_folder else "files"
        if is_folder:
            field.props["webkitdirectory"] = True


def _search(say: Text, text: str) -> None:
    with ui.element("form").classes("row").props('method="get" role="search"'):
        field = ui.element("input").classes("field").style("max-width: 320px")
        field.props.update({"name": "text", "type": "search", "value": text})
        field.props["aria-label"] = field.props["placeholder"] = say("Part of a name")
        words(say("Search"), tag="button", classes="button").props["type"] = "submit"


def _list(say: Text, shown: list[tuple[Listed, Facets]]) -> None:
    columns = [
        Column(say("Dataset")),
        Column(say("Pictures"), is_number=True),
        Column(say("Labels")),
        Column(say("Set aside"), is_number=True),
        Column(say("Added")),
    ]
    table(columns, [_line(say, one, found) for one, found in shown], label=say("Datasets"))


def _line(say: Text, one: Listed, found: Facets) -> list[Cell]:
    place = f"/datasets/{quote(one.name)}"

    def aside() -> None:
        if one.set_aside:
            link(say.number(one.set_aside), f"{place}#aside")
        else:
            words("0", tag="span", classes="muted")

    def added() -> None:
        words(say.moment(one.created_at), tag="div")
        words(one.created_by, tag="div", classes="muted")

    return [
        lambda: link(one.name, place).style("font-weight: 600"),
        say.number(one.size),
        lambda: _labels(say, found),
        aside,
        added,
    ]


def _labels(say: Text, found: Facets) -> None:
    if not found.labels:
        words(say("No labels"), tag="span", classes="muted")
        return
    first = list(found.labels.items())[:LABELS]
    rest = len(found.labels) - len(first)
    told = ", ".join(f"{name} {say.number(count)}" for name, count in first)
    more = f" {say('and {count} more', count=say.number(rest))}" if rest else ""
    words(f"{told}{more}", tag="div")
    total = sum(found.labels.values())
    with ui.element("div").classes("mix").props('aria-hidden="true"'):
        counts = [count for _, count in first]
        for count in [*counts, total - sum(counts)] if rest else counts:
            ui.element("span").style(f"width: {100 * count / total:.1f}%")


def _pages(say: Text, text: str, begin: int, number: int) -> None:
    if number <= SHOWN:
        return
    with ui.element("nav").classes("row") as around:
        around.props["aria-label"] = say("Pages")
        last = min(begin + SHOWN, number)
        words(
            say(
                "{first} to {last} of {count}",
                first=say.number(begin + 1),
                last=say.number(last),
                count=say.number(number),
            ),
            tag="span",
            classes="muted",
        )
        if begin:
            link(say("Newer"), _address(text, max(0, begin - SHOWN)))
        if last < number:
            link(say("Older"), _address(text, last))


def _address(text: str, begin: int) -> str:
    return f"/datasets?{urlencode({'text': text, 'from': begin})}"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _count(workspace: Workspace, text: str) -> int:
    return shelf.count(workspace.scope, text=text)


def _page(workspace: Workspace, text: str, begin: int) -> list[tuple[Listed, Facets]]:
    some = shelf.page(workspace.scope, text=text, offset=begin, limit=SHOWN)
    return [(one, facets(workspace, one.name)) for one in some]


def _names(workspace: Workspace) -> list[str]:
    return shelf.names(workspace.scope, TAKEN)
