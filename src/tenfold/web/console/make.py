"""Making: a task is written, checked as it is typed, and given to the hub."""

import uuid
from dataclasses import dataclass
from functools import partial

from nicegui import ui

from tenfold.catalog import datasets, gallery, models
from tenfold.catalog.models import Model, Search
from tenfold.errors import TenfoldError
from tenfold.factory.judge import Verdict
from tenfold.formats.row import is_good
from tenfold.jobs import Job
from tenfold.specs import task as tasks
from tenfold.web.console.frame import title
from tenfold.web.console.job import KINDS
from tenfold.web.console.parts import Column, badge, card, empty, link, table, words
from tenfold.web.console.verdicts import next_steps
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

JOBS_SHOWN, EXCEPTIONS_SHOWN, FEW_BAD = 8, 12, 20
PAUSE_S = 0.3
"""After the last key, before what was typed is checked."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What the page shows."""

    datasets: tuple[str, ...]
    proposed: str
    jobs: tuple[Job, ...]
    exceptions: tuple[Model, ...]


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(
        say("Make a model"),
        say("A task says what to look for, on which pictures, and how sure it must be."),
    )
    found = await visitor.read(_bench, visitor)
    if not found.datasets:
        empty(
            say("No pictures yet"),
            say("A model is made from a dataset."),
            to="/datasets",
            action=say("Add pictures"),
        )
    elif visitor.may("make"):
        with card(say("Task")):
            _choice(visitor, found)
            _editor(visitor, found.proposed)
    with ui.element("div").classes("columns"):
        with card(say("Jobs")):
            _jobs(visitor, found.jobs)
        with card(say("Not accepted yet")):
            _exceptions(visitor, found.exceptions)


def _bench(workspace: Workspace, visitor: Visitor) -> Bench:
    scope = workspace.scope
    names = tuple(one.name for one in datasets.everything(scope))
    chosen = visitor.given("dataset") or (names[0] if names else "")
    missed: list[Model] = []
    for status in ("refused", "undecided"):
        missed += models.search(scope, Search(status=status, limit=EXCEPTIONS_SHOWN))
    missed.sort(key=lambda one: str(one.created_at), reverse=True)
    return Bench(
        names,
        proposed(workspace, chosen) if chosen in names else "",
        tuple(visitor.jobs.newest(JOBS_SHOWN)),
        tuple(missed[:EXCEPTIONS_SHOWN]),
    )


def proposed(workspace: Workspace, name: str) -> str:
    """The task that is most likely meant, as YAML."""
    seen = gallery.facets(workspace.scope, name)
    good = next((label for label in seen.labels if is_good(label)), None)
    bad = seen.size - seen.labels.get(good or "", 0)
    kind = "anomaly" if good is not None and bad < FEW_BAD else "classify"
    several = sum(seen.labels.values()) > seen.size
    return tasks.propose(
        name, kind, good=good, labels=list(seen.labels), splits=set(seen.splits), several=several
    ).to_yaml()


def _choice(visitor: Visitor, found: Bench) -> None:
    """Another dataset proposes another task."""
    chosen = visitor.given("dataset") or found.datasets[0]
    with ui.element("label"):
        words(visitor.say("Dataset"), tag="span")
        field = ui.element("select").classes("field")
        with field:
            for name in found.datasets:
                option = words(name, tag="option")
                option.props["value"] = name
                if name == chosen:
                    option.props["selected"] = True
        field.on(
            "change",
            js_handler="(e) => location.search = '?dataset=' + encodeURIComponent(e.target.value)",
        )


def _editor(visitor: Visitor, text: str) -> None:
    say = visitor.say
    with ui.element("label"):
        words(say("Task file"), tag="span")
        area = ui.element("textarea").classes("field").props('spellcheck="false"')
        area.props["value"] = text
    said = words("").props('role="status"')
    now = {"text": text}

    async def check() -> bool:
        try:
            spec = tasks.parse(now["text"], where=say("task"))
            await visitor.read(_check_dataset, spec.dataset)
        except TenfoldError as error:
            said.classes(replace="wrong verbatim").set_text(" ".join(map(str, error.args[:1])))
            return False
        said.classes(replace="muted").set_text(say("This can be made."))
        return True

    async def typed(event: object) -> None:
        now["text"] = str(getattr(event, "args", ""))
        await check()

    async def make() -> None:
        if not await check():
            return
        job = f"make:{uuid.uuid4().hex}"
        asked = {"task": now["text"], "actor": visitor.identity.actor, "job": job}
        if await visitor.do("make", _submit, visitor, asked, job):
            ui.navigate.to(f"/jobs/{job}")

    area.on(
        "input",
        typed,
        js_handler="(e) => emit(e.target.value)",
        throttle=PAUSE_S,
        leading_events=False,
    )
    made = words(say("Make"), tag="button", classes="button primary")
    made.props["type"] = "button"
    made.on("click", make)


def _check_dataset(workspace: Workspace, name: str) -> None:
    datasets.get(workspace.scope, name)


def _submit(_: Workspace, visitor: Visitor, asked: dict[str, str], key: str) -> Job:
    return visitor.jobs.submit("make", asked, key)


def _jobs(visitor: Visitor, found: tuple[Job, ...]) -> None:
    say = visitor.say
    if not found:
        words(say("Nothing was asked for yet."), classes="muted")
        return
    rows = [
        (
            partial(link, say(KINDS.get(one.kind, one.kind)), f"/jobs/{one.key}"),
            partial(badge, one.state, say(one.state)),
        )
        for one in found
    ]
    table([Column(say("what")), Column(say("state"))], rows, label=say("Jobs"))


def _exceptions(visitor: Visitor, found: tuple[Model, ...]) -> None:
    """What was not accepted, and the cheapest that would change it."""
    say = visitor.say
    if not found:
        words(say("Everything that was made is accepted."), classes="muted")
        return
    rows = [
        (
            partial(link, one.task, f"/models/{one.id}"),
            partial(badge, one.status, say(one.status)),
            " ".join(list(next_steps(say, Verdict.from_json(one.verdict)))[:1]),
        )
        for one in found
    ]
    columns = [Column(say("task")), Column(say("verdict")), Column(say("what would help"))]
    table(columns, rows, label=say("Not accepted yet"))
