"""What to make, as text: of a task or of a fleet, read anew whenever its writing rests."""

import asyncio

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from tenfold.catalog import datasets, models
from tenfold.errors import NotFound, SpecError, TenfoldError
from tenfold.factory.asked import text_file
from tenfold.factory.proposing import proposed, proposed_fleet
from tenfold.jobs import Job, Jobs
from tenfold.specs import fleet as fleets
from tenfold.specs.task import TaskSpec
from tenfold.values import fingerprint
from tenfold.web.api.jobs import begun
from tenfold.web.api.models import TEXT, kind_of
from tenfold.web.console import fleet_words, task_words
from tenfold.web.console.counted import portions
from tenfold.web.console.fleet_words import CheckedFleet, check_fleet
from tenfold.web.console.forms import select
from tenfold.web.console.job_words import place_of
from tenfold.web.console.parts import card, words
from tenfold.web.console.task_words import Checked, check, wrong
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

WHAT = {"task": "One model", "fleet": "A fleet of models"}
LONGEST = 300_000
"""Letters of a text; longer ones do not pass a page's socket."""
TYPED = """(event) => {
  clearTimeout(window.typed);
  const text = event.target.value;
  window.typed = setTimeout(() => emit(text.length > LONGEST ? null : text), 350);
}""".replace("LONGEST", str(LONGEST))
"""Once the typing rests."""
WRITTEN = "() => emit(document.getElementById('task').value)"
CHOSEN = """() => {
  const given = new URLSearchParams();
  for (const name of ["dataset", "what"]) given.set(name, document.getElementById(name).value);
  location.href = "/make?" + given;
}"""
Read = Checked | CheckedFleet


async def ask(visitor: Visitor, names: list[str]) -> None:
    """The text, and beside it what it would do."""
    say = visitor.say
    dataset, what = visitor.given("dataset") or names[0], visitor.given("what", "task")
    text = await _begin_with(visitor, dataset, what)
    is_fleet = fleets.describes(text)
    with ui.element("div").classes("columns"):
        with card(say("The fleet") if is_fleet else say("The task"), classes="task-text"):
            with ui.element("div").classes("asks even-asks"):
                _choose(say("Dataset"), "dataset", [(name, name) for name in names], dataset)
                kinds = [(key, say(text)) for key, text in WHAT.items()]
                _choose(say("What to make"), "what", kinds, "fleet" if is_fleet else "task")
            field = _field(say("Fleet file (YAML)") if is_fleet else say("Task file (YAML)"), text)
            field.props["data-draft"] = f"{visitor.identity.actor} {visitor.request.url.query}"
            # beside what is written: a button below what is told would move while it is pressed
            with ui.element("div").classes("row"):
                go = _go(visitor)
                again = words(say("Propose it anew"), tag="button", classes="button plain")
                again.props["type"] = "button"
                again.on("click", js_handler="() => tenfold.proposeAnew()")
        with card(say("What it will do")):
            told = ui.element("div").classes("told-task").props('id="told-task" role="status"')
            words(
                say(
                    "Making takes seconds to minutes. The model is judged on pictures that it "
                    "never learned from, and the verdict says what is proven."
                )
                if not is_fleet
                else say(
                    "Pictures pass the trunk once for the whole fleet. Each model is judged for "
                    "itself; one that fails stops no other. What was made before is found again."
                ),
                classes="muted",
            )
    await _Reader(visitor, told, field, go).read_as_typed(text)
    ui.run_javascript("tenfold.takeUpDraft()")


async def _begin_with(visitor: Visitor, dataset: str, what: str) -> str:
    """What was made before and is to be edited, else what is proposed for the dataset."""
    task, job = visitor.given("task"), visitor.given("job")
    try:
        if task:
            return await visitor.read(text_of_task, task)
        if job:
            return await visitor.read(text_of_job, visitor.jobs, job)
        return await visitor.read(_proposal, dataset, what)
    except TenfoldError as error:
        visitor.show_problem(error)
        return f"task: {dataset}\ndataset: {dataset}\n"


def text_of_task(workspace: Workspace, task: str) -> str:
    """The newest make of that task, as a task file.

    Raises:
        NotFound: it was never made.
    """
    make = models.make_of(workspace.scope, task)
    if make is None:
        raise NotFound(f"task {task!r} was never made.", hint="Write it anew.")
    return TaskSpec.model_validate_json(make.spec).to_yaml()


def text_of_job(workspace: Workspace, jobs: Jobs, job: str) -> str:
    """What a job was asked to make.

    Raises:
        NotFound: there is no such job, or its text is gone.
    """
    jobs.get(job)
    try:
        return text_file(workspace.settings.home, job).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(
            "the text of this job is not kept any more.", hint="Write it anew."
        ) from None


def _proposal(workspace: Workspace, dataset: str, what: str) -> str:
    datasets.get(workspace.scope, dataset)
    if what == "fleet":
        return proposed_fleet(workspace, dataset)
    return proposed(dataset, portions(workspace, dataset)).to_yaml()


def _choose(name: str, key: str, options: list[tuple[str, str]], chosen: str) -> None:
    if chosen not in dict(options):
        options = [(chosen, chosen), *options]
    with ui.element("label"):
        words(name, tag="span")
        made = select(key, options, chosen)
    made.props["id"] = key
    made.on("change", js_handler=CHOSEN)


def _field(name: str, text: str) -> Element:
    with ui.element("label"):
        words(name, tag="span")
        field = words(text, tag="textarea", classes="field")
    field.props.update({"id": "task", "spellcheck": "false", "autocapitalize": "off"})
    field.props["aria-describedby"] = "told-task"
    return field


def _go(visitor: Visitor) -> Element:
    async def make(event: GenericEventArguments) -> None:
        text, page = str(event.args), ui.context.client.id
        job = await visitor.do(
            "make", begin, visitor.jobs, text, f"{page}-{fingerprint([text])[:16]}"
        )
        if job is not None:
            ui.run_javascript("tenfold.dropDraft()")
            ui.navigate.to(place_of(job))

    made = words(visitor.say("Make"), tag="button", classes="button primary")
    made.props["type"] = "button"
    return made.on("click", make, js_handler=WRITTEN)


def begin(workspace: Workspace, jobs: Jobs, text: str, key: str) -> Job:
    """As the hub's API does; one text of one page once, however often its button is clicked."""
    kind = kind_of(workspace, text)
    return begun(jobs, kind, {TEXT[kind]: text, "actor": workspace.scope.actor}, key)


def _read(workspace: Workspace, text: str) -> Read:
    return check_fleet(workspace, text) if fleets.describes(text) else check(workspace, text)


class _Reader:
    """Says what the text means, or what is wrong with it: of the newest text alone, as a large
    fleet takes seconds to read."""

    def __init__(self, visitor: Visitor, told: Element, field: Element, go: Element) -> None:
        self._visitor, self._told, self._field, self._go = visitor, told, field, go
        self._turn = asyncio.Lock()
        self._newest = 0

    async def read_as_typed(self, text: str) -> None:
        async def typed(event: GenericEventArguments) -> None:
            await self._read(event.args)

        self._field.on("input", typed, js_handler=TYPED)
        await self._read(text)

    async def _read(self, text: str | None) -> None:
        self._newest = mine = self._newest + 1
        async with self._turn:
            if mine != self._newest:
                return
            found, problem = await self._meant(text)
            if mine == self._newest:
                self._show(found, problem)

    async def _meant(self, text: str | None) -> tuple[Read | None, str]:
        say = self._visitor.say
        if text is None:
            return None, say(
                "This is too long for a page: run `tenfold make FILE`, or send it to the API."
            )
        try:
            return await self._visitor.read(_read, text), ""
        except (SpecError, NotFound) as error:
            return None, wrong(say, error)

    def _show(self, found: Read | None, problem: str) -> None:
        self._field.props["aria-invalid"] = "false" if found else "true"
        self._go.props["disabled"] = found is None
        for one in (self._field, self._go):
            one.update()
        told = self._told
        told.classes(remove="wrong") if found else told.classes("wrong")
        told.clear()
        with told:
            _meaning(self._visitor.say, found, problem)


def _meaning(say: Text, found: Read | None, problem: str) -> None:
    if found is None:
        words(problem)
        return
    if isinstance(found, CheckedFleet):
        told, doubts = fleet_words.sentences(say, found), fleet_words.doubts(say, found)
    else:
        told, doubts = task_words.sentences(say, found), task_words.doubts(say, found)
    first, *rest = told
    words(first).style("font-weight: 600")
    with ui.element("ul").classes("dots"):
        for sentence in rest:
            words(sentence, tag="li")
    for doubt in doubts:
        words(doubt, classes="wrong")
