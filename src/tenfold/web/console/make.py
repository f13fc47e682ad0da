"""Make a model: the task as text, what it would decide, and what became of others."""

from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from tenfold.catalog import datasets, shelf
from tenfold.catalog.models import Model
from tenfold.errors import NotFound, SpecError, TenfoldError
from tenfold.factory.judge import Verdict
from tenfold.factory.proposing import proposed
from tenfold.jobs import OVER, Job, Jobs
from tenfold.values import fingerprint
from tenfold.web.api.jobs import begun
from tenfold.web.console import verdicts
from tenfold.web.console.counted import portions
from tenfold.web.console.frame import title
from tenfold.web.console.job_words import jobs_table, place_of
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
from tenfold.web.console.task_words import MOST_LETTERS, Checked, check, doubts, sentences, wrong
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

CHOICES = 500
JOBS = 8
EXCEPTIONS = 10
LOOK_S = 3.0
CUT = MOST_LETTERS + 1
"""What is longer is not sent whole: that it is too long shows all the same."""
TYPED = f"""(event) => {{
  clearTimeout(window.typed);
  const text = event.target.value.slice(0, {CUT});
  window.typed = setTimeout(() => emit(text), 350);
}}"""
"""Once the typing rests."""
TEXT = f"() => emit(document.getElementById('task').value.slice(0, {CUT}))"
CHOSEN = "(event) => { location.href = '/make?dataset=' + encodeURIComponent(event.target.value) }"


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(say("Make a model"), say("Say what to decide and how often it may go wrong."))
    names = await visitor.read(_names)
    if visitor.may("make"):
        if names:
            await _ask(visitor, names)
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
        _exceptions(say, await visitor.read(_exceptional))


async def _ask(visitor: Visitor, names: list[str]) -> None:
    say = visitor.say
    dataset = visitor.given("dataset") or names[0]
    try:
        text = await visitor.read(_proposal, dataset)
    except TenfoldError as error:
        visitor.show_problem(error)
        text = f"task: {dataset}\ndataset: {dataset}\n"
    with ui.element("div").classes("columns"):
        with card(say("The task"), classes="task-text"):
            _choose(say, names, dataset)
            with ui.element("label"):
                words(say("Task file (YAML)"), tag="span")
                field = words(text, tag="textarea", classes="field")
            field.props.update({"id": "task", "spellcheck": "false", "autocapitalize": "off"})
            field.props["aria-describedby"] = "told-task"
            field.props["data-draft"] = f"{visitor.identity.actor} {dataset}"
            again = words(say("Propose it anew"), tag="button", classes="button plain")
            again.props["type"] = "button"
            again.on("click", js_handler="() => tenfold.proposeAnew()")
        with card(say("What it will do")):
            told = ui.element("div").classes("told-task").props('id="told-task" role="status"')
            words(
                say(
                    "Making takes seconds to minutes. The model is judged on pictures that it "
                    "never learned from, and the verdict says what is proven."
                ),
                classes="muted",
            )
            with ui.element("div"):
                go = _go(visitor)

    async def typed(event: GenericEventArguments) -> None:
        await _show(visitor, (told, field, go), str(event.args))

    field.on("input", typed, js_handler=TYPED)
    await _show(visitor, (told, field, go), text)
    ui.run_javascript("tenfold.takeUpDraft()")


def _go(visitor: Visitor) -> Element:
    async def make(event: GenericEventArguments) -> None:
        text, page = str(event.args), ui.context.client.id
        job = await visitor.do("make", _begin, visitor.jobs, text, f"{page} {fingerprint([text])}")
        if job is not None:
            ui.run_javascript("tenfold.dropDraft()")
            ui.navigate.to(place_of(job))

    made = words(visitor.say("Make"), tag="button", classes="button primary")
    made.props["type"] = "button"
    return made.on("click", make, js_handler=TEXT)


def _choose(say: Text, names: list[str], dataset: str) -> None:
    with ui.element("label"):
        words(say("Dataset"), tag="span")
        with ui.element("select").classes("field") as field:
            for name in names if dataset in names else [dataset, *names]:
                option = words(name, tag="option")
                option.props["value"] = name
                if name == dataset:
                    option.props["selected"] = True
        field.on("change", js_handler=CHOSEN)


async def _show(visitor: Visitor, parts: tuple[Element, Element, Element], text: str) -> None:
    """Say what the text means, or what is wrong with it."""
    told, field, go = parts
    say = visitor.say
    try:
        checked = await visitor.read(check, text)
    except (SpecError, NotFound) as error:
        found, problem = None, wrong(say, error)
    else:
        found, problem = checked, ""
    field.props["aria-invalid"] = "false" if found else "true"
    go.props["disabled"] = found is None
    for one in (field, go):
        one.update()
    told.classes(remove="wrong") if found else told.classes("wrong")
    told.clear()
    with told:
        _meaning(say, found, problem)


def _meaning(say: Text, found: Checked | None, problem: str) -> None:
    if found is None:
        words(problem)
        return
    first, *rest = sentences(say, found)
    words(first).style("font-weight: 600")
    with ui.element("ul").classes("dots"):
        for sentence in rest:
            words(sentence, tag="li")
    for doubt in doubts(say, found):
        words(doubt, classes="wrong")


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


def _exceptions(say: Text, found: list[Model]) -> None:
    if not found:
        words(say("No model was refused or left undecided."), classes="muted")
        return
    words(say("Newest models that were not accepted, and what would change it."), classes="muted")
    columns = [Column(say("Model")), Column(say("Verdict")), Column(say("What to do"))]
    table(columns, [_line(say, one) for one in found], label=say("What needs a person"))


def _line(say: Text, model: Model) -> list[Cell]:
    verdict = Verdict.from_json(model.verdict)

    def to_do() -> None:
        with ui.element("ul").classes("dots"):
            for step in verdicts.next_steps(say, verdict):
                words(step, tag="li")

    def stands() -> None:
        badge(model.status, say(model.status))
        for bound in verdicts.asked(verdict):
            if not bound.is_met:
                words(verdicts.in_short(say, bound), tag="div", classes="muted")

    return [lambda: link(model.task, f"/models/{quote(model.task)}"), stands, to_do]


def _begin(workspace: Workspace, jobs: Jobs, text: str, key: str) -> Job:
    """As the hub's API does; one text of one page once, however often its button is clicked."""
    check(workspace, text)
    return begun(jobs, "make", {"task": text, "actor": workspace.scope.actor}, key)


def _proposal(workspace: Workspace, dataset: str) -> str:
    datasets.get(workspace.scope, dataset)
    return proposed(dataset, portions(workspace, dataset)).to_yaml()


def _names(workspace: Workspace) -> list[str]:
    return shelf.names(workspace.scope, CHOICES)


def _newest(_: Workspace, jobs: Jobs) -> list[Job]:
    return jobs.newest(JOBS)


def _exceptional(workspace: Workspace) -> list[Model]:
    return shelf.exceptions(workspace.scope, EXCEPTIONS)
