"""One dataset: its pictures by label, split and name; what was set aside."""

import json
from urllib.parse import urlencode

from nicegui import ui

from tenfold.catalog import datasets, gallery
from tenfold.catalog.datasets import Dataset, SetAside
from tenfold.catalog.gallery import Facets
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Column, card, link, table, words
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

ASIDE_SHOWN = 200
LABELS_SHOWN = 40


async def screen(visitor: Visitor) -> None:
    say, name = visitor.say, visitor.given("name")
    dataset, facets, aside = await visitor.read(_told, name)
    under = say(
        "{count} pictures, added {when} by {who}",
        count=say.number(dataset.size),
        when=say.moment(dataset.created_at),
        who=dataset.created_by,
    )
    title(name, under)
    ui.add_head_html('<script src="/console/static/gallery.js" defer></script>')
    if visitor.may("make"):
        with ui.element("div").classes("row"):
            link(
                say("Make a model"),
                f"/make?{urlencode({'dataset': name})}",
                classes="button primary",
            )
    _filters(visitor, facets)
    _tiles(visitor, name)
    if aside:
        with card(say("Set aside: {count}", count=say.number(dataset.set_aside))):
            words(say("These files could not be used; nothing else was left out."), classes="muted")
            columns = [Column(say("file")), Column(say("why"))]
            rows = [(one.path, f"{one.reason}: {one.detail}") for one in aside]
            with ui.element("div").classes("verbatim"):
                table(columns, rows, label=say("Set aside"))


def _told(workspace: Workspace, name: str) -> tuple[Dataset, Facets, list[SetAside]]:
    scope = workspace.scope
    found = datasets.get(scope, name)
    aside = datasets.set_aside_of(scope, name)[:ASIDE_SHOWN] if found.set_aside else []
    return found, gallery.facets(scope, name), aside


def _filters(visitor: Visitor, facets: Facets) -> None:
    """Plain form fields; the gallery listens to them."""
    say = visitor.say
    with ui.element("form").classes("filters").props('id="filters" role="search"'):
        labels = list(facets.labels.items())[:LABELS_SHOWN]
        _select(
            say("Label"), "label", say("all"), [(k, f"{k} ({say.number(n)})") for k, n in labels]
        )
        if facets.splits:
            splits = [(k, f"{k} ({say.number(n)})") for k, n in facets.splits.items()]
            _select(say("Split"), "split", say("all"), splits)
        with ui.element("label"):
            words(say("Name holds"), tag="span")
            ui.element("input").classes("field").props('name="text" type="search"')
        if facets.near:
            with ui.element("label").classes("tick"):
                ui.element("input").props('name="near" type="checkbox" value="true"')
                words(
                    say("Near-duplicates only ({count})", count=say.number(facets.near)), tag="span"
                )


def _select(name: str, key: str, every: str, options: list[tuple[str, str]]) -> None:
    with ui.element("label"):
        words(name, tag="span")
        with ui.element("select").classes("field").props(f'name="{key}"'):
            for value, shown in [("", every), *options]:
                words(shown, tag="option").props["value"] = value


def _tiles(visitor: Visitor, name: str) -> None:
    say = visitor.say
    words("", classes="muted").props('id="found" role="status"')
    with (
        ui.element("div").classes("gallery").props('id="gallery" tabindex="0" role="list"') as made
    ):
        made.props["aria-label"] = say("Pictures")
    said = {
        "found": say("{count} pictures", count="{count}"),
        "none": say("No picture is like that."),
        "close": say("Close"),
    }
    ui.run_javascript(f"tenfoldGallery({json.dumps(name)}, {json.dumps(said)})")
