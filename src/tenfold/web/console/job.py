"""A job as it happens: how far it is, what came of it."""

from functools import partial
from typing import Any

from nicegui import ui

from tenfold.factory import telling
from tenfold.factory.telling import LAST, Event
from tenfold.jobs import OVER, Job
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Column, badge, button, heading, link, table, words
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

EVERY_S = 0.5
KINDS = {"make": "Making", "ingest": "Reading pictures in", "retrain": "Making anew"}
STAGES = {
    "ingest": "reads pictures",
    "embed": "passes pictures through the trunk",
    "tasks": "fits and judges",
}


async def screen(visitor: Visitor) -> None:
    say, name = visitor.say, visitor.given("job")
    job, _ = await visitor.read(told_of, visitor, name)
    title(say(KINDS.get(job.kind, "Job")), say("One may leave this page: the work goes on."))
    holder = ui.element("div").classes("stack")
    timer = ui.timer(EVERY_S, lambda: _draw(visitor, holder, timer), immediate=False)
    await _draw(visitor, holder, timer)


def told_of(workspace: Workspace, visitor: Visitor, name: str) -> tuple[Job, list[Event]]:
    return visitor.jobs.get(name), telling.events(workspace.settings.home, name)


async def _draw(visitor: Visitor, holder: ui.element, timer: ui.timer) -> None:
    job, told = await visitor.read(told_of, visitor, visitor.given("job"))
    last = told[-1] if told else None
    is_over = (last is not None and last.kind in LAST) or job.state in OVER
    if is_over:
        timer.deactivate()
    holder.clear()
    with holder:
        _stages(visitor, told)
        if last is not None and last.kind == "done":
            _result(visitor, last.detail.get("result", {}))
        elif is_over:
            _problem(visitor, job, last)
        elif not told:
            words(visitor.say("Waits until other jobs are done."))
        if not is_over and visitor.may("make"):
            button(visitor.say("Stop it"), lambda: _cancel(visitor), kind="danger")


def _stages(visitor: Visitor, told: list[Event]) -> None:
    """Each stage with its bar, in the order in which they began."""
    say = visitor.say
    newest: dict[str, dict[str, Any]] = {
        one.detail["stage"]: one.detail for one in told if one.kind == "progress"
    }
    for stage, detail in newest.items():
        done, total = int(detail["done"]), max(int(detail["total"]), 1)
        with ui.element("div").classes("stage-line"):
            with ui.element("div").classes("row spread"):
                words(say(STAGES.get(stage) or stage), tag="strong")
                words(f"{say.number(done)} / {say.number(total)}", tag="span", classes="muted")
            with ui.element("div").classes("progress") as bar:
                bar.props["role"] = "progressbar"
                bar.props["aria-label"] = say(STAGES.get(stage) or stage)
                bar.props["aria-valuenow"] = round(100 * done / total)
                ui.element("div").style(f"width: {100 * done / total:.1f}%")


def _result(visitor: Visitor, result: dict[str, Any]) -> None:
    say = visitor.say
    heading(say("Done"))
    if "dataset" in result:
        name = result["dataset"]["name"]
        words(
            say(
                "{count} pictures are in {name}.",
                count=say.number(result["dataset"]["size"]),
                name=name,
            )
        )
        with ui.element("div").classes("row"):
            link(say("Look at them"), f"/datasets/{name}", classes="button")
            link(say("Make a model"), f"/make?dataset={name}", classes="button primary")
        return
    made: list[dict[str, str]] = result.get("made", [])
    rows = [
        (
            partial(link, one["task"], f"/models/{one['model']}"),
            partial(badge, one["status"], say(one["status"])),
            one["rung"],
        )
        for one in made
    ]
    columns = [Column(say("task")), Column(say("verdict")), Column(say("rung"))]
    table(columns, rows, label=say("What was made"))


def _problem(visitor: Visitor, job: Job, last: Event | None) -> None:
    say, detail = visitor.say, last.detail if last else {}
    with ui.element("section").classes("problem").props('role="alert"'):
        was_stopped = (last.kind if last else job.state.lower()) == "cancelled"
        heading(say("It was stopped") if was_stopped else say("That did not work"))
        words(str(detail.get("problem") or job.problem or ""), classes="verbatim")
        if detail.get("hint"):
            words(str(detail["hint"]), classes="muted verbatim")


async def _cancel(visitor: Visitor) -> None:
    name = visitor.given("job")

    def stop(workspace: Workspace) -> None:
        if visitor.jobs.get(name).state not in OVER:
            telling.cancel(workspace.settings.home, name)
            visitor.jobs.cancel(name)

    await visitor.do("make", stop)
