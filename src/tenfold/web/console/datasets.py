"""Datasets: what there is, and pictures to add by dropping them."""

import json
from functools import partial

from nicegui import ui

from tenfold.catalog import datasets
from tenfold.catalog.datasets import Dataset
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Column, card, empty, link, table, words
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(say("Datasets"), say("Named sets of pictures with what they show."))
    if visitor.may("ingest"):
        _drop(visitor)
    found = await visitor.read(_every)
    if not found:
        empty(
            say("No pictures yet"),
            say("Drop a folder of pictures: what is good and what is not may be its subfolders."),
        )
        return
    columns = [
        Column(say("name")),
        Column(say("pictures"), is_number=True),
        Column(say("set aside"), is_number=True),
        Column(say("added")),
        Column(say("by")),
    ]
    rows = [
        (
            partial(link, one.name, f"/datasets/{one.name}"),
            say.number(one.size),
            say.number(one.set_aside),
            say.moment(one.created_at),
            one.created_by,
        )
        for one in found
    ]
    with card():
        table(columns, rows, label=say("Datasets"))


def _every(workspace: Workspace) -> list[Dataset]:
    return datasets.everything(workspace.scope)


def _drop(visitor: Visitor) -> None:
    """The browser sends the files to the hub's API, a piece at a time, and begins the job."""
    say = visitor.say
    with ui.element("form").classes("drop").props('id="drop"'):
        words(say("Drop a folder, a zip or pictures here"), tag="strong")
        words(
            say("Subfolders name what their pictures show, such as good and scratch."),
            classes="muted",
        )
        with ui.element("div").classes("row"):
            for key, name in (("folder", say("Choose a folder")), ("files", say("Choose files"))):
                with ui.element("label").classes("button"):
                    words(name, tag="span")
                    field = ui.element("input").classes("unseen")
                    field.props.update({"type": "file", "multiple": True, "name": key})
                    if key == "folder":
                        field.props["webkitdirectory"] = True
        with ui.element("label"):
            words(say("Name of the dataset"), tag="span")
            field = ui.element("input").classes("field")
            field.props.update({"name": "name", "pattern": r"[\w.\-]{1,100}", "required": True})
        with ui.element("div").classes("progress unseen").props('role="progressbar"') as bar:
            bar.props["aria-label"] = say("Sent so far")
            ui.element("div")
        words("", classes="muted told").props('role="status"')
        words("", classes="wrong").props('role="alert"')
        made = words(say("Read them in"), tag="button", classes="button primary")
        made.props.update({"type": "submit", "disabled": True})
    said = {
        "chosen": say("{count} files, {size} MB", count="{count}", size="{size}"),
        "silent": say("The hub does not answer; what was sent is kept. Try again."),
    }
    ui.run_javascript(f"tenfold.drop({json.dumps(visitor.csrf)}, {json.dumps(said)})")
