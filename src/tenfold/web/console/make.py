"""Make models: the text that says which, and what became of others."""

from urllib.parse import quote

from nicegui import ui

from tenfold.catalog import shelf
from tenfold.catalog.models import Model
from tenfold.factory.judge import Verdict
from tenfold.jobs import OVER, Job, Jobs
from tenfold.web.console import verdicts
from tenfold.web.console.frame import title
from tenfold.web.console.job_words import jobs_table
from tenfold.web.console.make_form import ask
from tenfold.web.console.parts import (
    Cell,
    Column,
    badge,
    card,
    empty,
    link,
    table,
    words,
)
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

CHOICES = 500
JOBS = 8
EXCEPTIONS = 10
LOOK_S = 3.0


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(
        say("Make"), say("Say what to decide and how often it may go wrong: one model, or a fleet.")
    )
    names = await visitor.read(_names)
    if visitor.may("make"):
        if names:
            await ask(visitor, names)
        else:
            empty(
                say("No pictures yet"),
                say("A model is made from a dataset: upload pictures first."),
                to="/datasets",
                action=say("Add pictures"),
            )
    with card(say("Newest jobs")):
        await _jobs(visitor)
    with card(say("What needs a person")):
        found = await visitor.read(_exceptional)
        _exceptions(say, found, may_make=visitor.may("make"))


async def _jobs(visitor: Visitor) -> None:
    """The newest, looked at again while one is under way."""
    say = visitor.say
    with ui.element("div") as box:
        shown = await visitor.read(_newest, visitor.jobs)
        _draw_jobs(say, shown)

    async def look() -> None:
        nonlocal shown
        now = await visitor.read(_newest, visitor.jobs)
        if now != shown:
            shown = now
            box.clear()
            with box:
                _draw_jobs(say, now)
        if all(job.state in OVER for job in now):
            timer.deactivate()

    timer = ui.timer(LOOK_S, look, active=any(job.state not in OVER for job in shown))


def _draw_jobs(say: Text, jobs: list[Job]) -> None:
    if jobs:
        jobs_table(say, jobs)
    else:
        words(say("Nothing was asked for yet."), classes="muted")


def _exceptions(say: Text, found: list[Model], *, may_make: bool) -> None:
    if not found:
        words(say("No model was refused or left undecided."), classes="muted")
        return
    words(say("Newest models that were not accepted, and what would change it."), classes="muted")
    columns = [Column(say("Model")), Column(say("Verdict")), Column(say("What to do"))]
    rows = [_line(say, one, may_make=may_make) for one in found]
    table(columns, rows, label=say("What needs a person"))


def _line(say: Text, model: Model, *, may_make: bool) -> list[Cell]:
    verdict = Verdict.from_json(model.verdict)

    def to_do() -> None:
        with ui.element("ul").classes("dots"):
            for step in verdicts.next_steps(say, verdict):
                words(step, tag="li")
        if may_make:
            link(say("Edit the task"), f"/make?task={quote(model.task)}", classes="small")

    def stands() -> None:
        badge(model.status, say(model.status))
        for bound in verdicts.asked(verdict):
            if not bound.is_met:
                words(verdicts.in_short(say, bound), tag="div", classes="muted")

    return [lambda: link(model.task, f"/models/{quote(model.task)}"), stands, to_do]


def _names(workspace: Workspace) -> list[str]:
    return shelf.names(workspace.scope, CHOICES)


def _newest(_: Workspace, jobs: Jobs) -> list[Job]:
    return jobs.newest(JOBS)


def _exceptional(workspace: Workspace) -> list[Model]:
    return shelf.exceptions(workspace.scope, EXCEPTIONS)
