"""A dataset as people look through it."""

import json
from urllib.parse import quote

from nicegui import ui

from tenfold.catalog import datasets
from tenfold.catalog.datasets import Dataset, SetAside
from tenfold.catalog.gallery import Facets
from tenfold.web.console.counted import facets
from tenfold.web.console.frame import title
from tenfold.web.console.parts import (
    Cell,
    Column,
    card,
    empty,
    figure,
    heading,
    link,
    table,
    words,
)
from tenfold.web.console.retold import retold
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

SHOWN = 200
"""Files set aside that are listed."""
FACETS = 60
"""Labels that can be chosen; the search finds the others by their folders."""
FACTS = ("labels", "path", "split", "near", "origin", "pixels", "sha")
REASONS = {
    "empty": "The file is empty",
    "not-an-image": "Not a picture",
    "unsupported-format": "A kind of picture that is not read",
    "unsupported-depth": "More bits a pixel than are read",
    "unsupported-colour": "Colours that are not read",
    "several-pages": "Several pictures in one file",
    "too-large": "Too large",
    "truncated": "The file ends too early",
    "damaged": "Damaged",
    "bad-mask": "Its mask cannot be used",
    "stray-mask": "A mask without a picture",
    "out-of-place": "Not in a folder that is looked at",
    "link-loop": "A link that leads back",
    "unreadable": "Cannot be read",
    "bad-name": "The name is not readable text",
    "missing": "Not there",
    "not-a-file": "Not a file",
    "hidden": "A hidden file",
}
"""What the codes of files that were set aside mean."""


async def screen(visitor: Visitor) -> None:
    say, name = visitor.say, visitor.given("name")
    told, found, aside = await visitor.read(_read, name)
    ui.add_head_html('<script src="/console/static/gallery.js"></script>')
    ui.add_head_html(f"<script>tenfoldGallery.ahead({_literal(name)})</script>")
    _title(visitor, told)
    _figures(say, found, told)
    if found.size:
        _browse(say, name, found)
    else:
        empty(say("No picture in it"), say("Upload pictures under another name."))
    with ui.element("div").classes("columns"):
        _splits(say, found)
        _duplicates(say, name, found)
    _set_aside(say, aside, told.set_aside)


def _title(visitor: Visitor, told: Dataset) -> None:
    say = visitor.say
    with ui.element("div").classes("row spread"):
        with ui.element("div"):
            title(
                told.name,
                say("Added {at} by {name}", at=say.moment(told.created_at), name=told.created_by),
            )
        if visitor.may("make"):
            to = f"/make?dataset={quote(told.name)}"
            link(say("Make a model from it"), to, classes="button primary")


def _figures(say: Text, found: Facets, told: Dataset) -> None:
    with ui.element("div").classes("figures"):
        figure(say.number(found.size), say("pictures"))
        figure(say.number(len(found.labels)), say("labels"))
        figure(say.number(found.near), say("with near-duplicates"))
        figure(
            say.number(told.set_aside),
            say("set aside"),
            to="#aside" if told.set_aside else "",
            tone="warn" if told.set_aside else "plain",
        )


def _browse(say: Text, name: str, found: Facets) -> None:
    with card(classes="gallery"):
        with ui.element("div").classes("row spread"):
            heading(say("Pictures"))
            words("", tag="span", classes="muted").props('id="gallery-size" role="status"')
            field = ui.element("input").classes("field").style("max-width: 280px")
            field.props.update({"id": "gallery-text", "type": "search"})
            field.props["aria-label"] = field.props["placeholder"] = say("Part of a path")
        with ui.element("div").classes("browse"):
            _facets(say, found)
            with ui.element("div"):
                with ui.element("div").classes("rolls").props('id="gallery" tabindex="0"') as box:
                    box.props["role"] = "listbox"
                    box.props["aria-label"] = say(
                        "Pictures; arrow keys move, Enter opens one large"
                    )
                    ui.element("div").props('role="presentation"')
                words(say("No picture is like that."), classes="nothing-found muted")
    _large(say)
    ui.run_javascript(f"tenfoldGallery.begin({json.dumps(name)}, {json.dumps(_said(say))})")


def _literal(text: str) -> str:
    """Of JavaScript, which ends no script of a page."""
    return json.dumps(text).replace("<", "\\u003c")


def _said(say: Text) -> dict[str, object]:
    return {
        "found": say("{count} pictures", count="{count}"),
        "silent": say("The hub does not answer."),
        "unlabelled": say("no label"),
        "hasNear": say("It has near-duplicates"),
        "noNear": say("None"),
        "origins": {
            "given": say("Came with the dataset"),
            "audit": say("Drawn at random in production"),
            "review": say("Picked for review in production"),
        },
    }


def _facets(say: Text, found: Facets) -> None:
    with ui.element("div").classes("facets").props('role="group"') as group:
        group.props["aria-label"] = say("Filters")
        if found.labels:
            heading(say("Label"), 3)
        for label, count in list(found.labels.items())[:FACETS]:
            _facet(say, ("label", label, label), count, found.size)
        if found.splits:
            heading(say("Split"), 3)
        for split, count in found.splits.items():
            _facet(say, ("split", split, split), count, found.size)
        if found.near:
            heading(say("Alike"), 3)
            _facet(say, ("near", "true", say("Near-duplicates")), found.near, found.size)


def _facet(say: Text, told: tuple[str, str, str], count: int, size: int) -> None:
    facet, value, name = told
    with ui.element("button").classes("facet") as made:
        made.props.update({"type": "button", "title": name, "aria-pressed": "false"})
        made.props.update({"data-facet": facet, "data-value": value})
        words(name, tag="span")
        words(say.number(count), tag="span", classes="number")
        bar = ui.element("i").props('aria-hidden="true"')
        bar.style(f"width: {100 * count / max(size, 1):.1f}%")


def _large(say: Text) -> None:
    """The picture that was opened, and what is known about it."""
    names = {
        "labels": say("Labels"),
        "path": say("Path"),
        "split": say("Split of its source"),
        "near": say("Near-duplicates"),
        "origin": say("Origin"),
        "pixels": say("Pixels"),
        "sha": say("Fingerprint"),
    }
    with ui.element("dialog").classes("opened").props('id="picture"') as dialog:
        dialog.props["aria-label"] = say("A picture, large")
        with ui.element("div").classes("inside"):
            with ui.element("div").classes("stand"):
                ui.element("img").props('alt=""')
            with ui.element("aside"):
                with ui.element("div").classes("row"):
                    for act, sign, told in (
                        ("before", "←", say("Picture before")),
                        ("next", "→", say("Next picture")),
                    ):
                        _act(act, sign, told)
                    words("", tag="span", classes="muted").props('data-fact="place"')
                with ui.element("dl").classes("facts"):
                    for fact in FACTS:
                        with ui.element("div"):
                            words(names[fact], tag="dt")
                            words("", tag="dd").props(f'data-fact="{fact}"')
                _act("close", say("Close"), say("Close"))


def _act(act: str, sign: str, told: str) -> None:
    made = words(sign, tag="button", classes="button")
    made.props.update({"type": "button", "data-act": act, "aria-label": told})


def _splits(say: Text, found: Facets) -> None:
    with card(say("Splits")):
        if not found.splits:
            words(
                say(
                    "It comes without splits: each task divides it into fit, calibrate and judge "
                    "on its own, and what is alike stays together."
                )
            )
            return
        without = found.size - sum(found.splits.values())
        rows = [
            [split, say.number(count), say.percent(count / found.size)]
            for split, count in found.splits.items()
        ]
        if without:
            rows.append(
                [say("in no split"), say.number(without), say.percent(without / found.size)]
            )
        columns = [
            Column(say("Split")),
            Column(say("Pictures"), is_number=True),
            Column(say("Share"), is_number=True),
        ]
        table(columns, rows, label=say("Splits"))


def _duplicates(say: Text, name: str, found: Facets) -> None:
    with card(say("Near-duplicates")):
        if not found.near:
            words(say("No two pictures look nearly the same."))
            return
        words(
            say(
                "{count} pictures look nearly like another one. They stay on one side of every "
                "split, and each group counts once in a proof.",
                count=say.number(found.near),
            )
        )
        link(say("Show them beside each other"), f"/datasets/{quote(name)}?near=true")


def _set_aside(say: Text, aside: list[SetAside], count: int) -> None:
    with card(say("Set aside")) as made:
        made.props["id"] = "aside"
        if not count:
            words(say("Every file could be used."))
            return
        words(
            say(
                "{count} files were not used. Mend them and upload the folder again.",
                count=say.number(count),
            )
        )
        columns = [Column(say("File")), Column(say("Reason"))]
        rows: list[list[Cell]] = [[one.path, lambda one=one: _reason(say, one)] for one in aside]
        table(columns, rows, label=say("Set aside"))
        if count > len(aside):
            words(
                say("The first {count} are shown.", count=say.number(len(aside))), classes="muted"
            )


def _reason(say: Text, one: SetAside) -> None:
    """In short; and what had been expected, or what to do."""
    words(say(REASONS[one.reason]) if one.reason in REASONS else one.reason)
    if one.detail:
        words(retold(say, one.detail), classes="muted small")


def _read(workspace: Workspace, name: str) -> tuple[Dataset, Facets, list[SetAside]]:
    told = datasets.get(workspace.scope, name)
    aside = datasets.set_aside_of(workspace.scope, name, limit=SHOWN) if told.set_aside else []
    return told, facets(workspace, name), aside
